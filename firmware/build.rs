//! Generates the demos' networks from their models, and links each board's binary with the memory map beside it.

#[path = "build/networks.rs"]
mod networks;

use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    // What `cargo xtask size` sets.
    println!("cargo::rustc-check-cfg=cfg(operator, values(any()))");
    println!("cargo::rustc-check-cfg=cfg(operator)");
    networks::generate();
    link_boards()
}

/// The binary of `boards/<name>` is called `<name>`, and its linker script finds `boards/<name>/memory.x`.
fn link_boards() -> io::Result<()> {
    println!("cargo::rerun-if-changed=boards");
    if env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os != "none") {
        return Ok(());
    }
    for board in fs::read_dir(env::current_dir()?.join("boards"))? {
        let board = board?;
        let name = board.file_name().display().to_string();
        println!("cargo::rustc-link-arg-bin={name}=-L{}", board.path().display());
        for script in ["link.x", "defmt.x"] {
            println!("cargo::rustc-link-arg-bin={name}=-T{script}");
        }
    }
    Ok(())
}
