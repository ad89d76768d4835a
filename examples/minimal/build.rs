//! The linker finds the architecture's memory.x and the start-up crate's script.

use std::env;

fn main() {
    let var = |name| env::var(name).unwrap_or_default();
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-link-search={}/{}", var("CARGO_MANIFEST_DIR"), var("CARGO_CFG_TARGET_ARCH"));
    println!("cargo::rustc-link-arg-bins=-Tlink.x");
}
