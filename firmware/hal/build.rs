//! Of every board here: links with the script `board.x` beside its manifest, or with its run-time crate's `link.x` and the `memory.x` there.

use std::{env, path::Path};

fn main() {
    let folder = env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let script = if Path::new(&folder).join("board.x").exists() { "board.x" } else { "link.x" };
    println!("cargo::rerun-if-changed={folder}");
    println!("cargo::rustc-link-search={folder}");
    println!("cargo::rustc-link-arg-bins=-T{script}");
    println!("cargo::rustc-link-arg-bins=-Tdefmt.x");
}
