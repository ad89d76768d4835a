//! Chooses the inner loops from the target; `--cfg upconv_backend="portable"` in RUSTFLAGS, or another one that the target can run, overrides it.

use std::env;

const BACKENDS: [&str; 6] = ["portable", "armv6m", "armv7m", "dsp", "mve", "riscv"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!(
        "cargo::rustc-check-cfg=cfg(upconv_backend, values(\"portable\", \"armv6m\", \"armv7m\", \"dsp\", \"mve\", \"riscv\"))"
    );
    let var = |name| env::var(name).unwrap_or_default();
    let (target, flags, forced) = (var("TARGET"), var("CARGO_ENCODED_RUSTFLAGS"), var("CARGO_CFG_UPCONV_BACKEND"));
    // Cores with Helium, named by `-C target-cpu`.
    let helium = ["cortex-m55", "cortex-m85"].iter().any(|core| flags.contains(&format!("target-cpu={core}")));
    let able: &[&str] = match &target[..] {
        t if t.starts_with("thumbv8m.main") && helium => &["mve", "dsp", "portable"],
        t if t.starts_with("thumbv8m.main") || t.starts_with("thumbv7em") => &["dsp", "portable"],
        t if t.starts_with("thumbv7m") => &["armv7m", "portable"],
        t if t.starts_with("thumbv6m") => &["armv6m", "portable"],
        t if t.starts_with("riscv32im") => &["riscv", "portable"],
        // A host runs their models.
        _ if var("CARGO_CFG_TARGET_OS") != "none" => &BACKENDS,
        _ => &["portable"],
    };
    if forced.is_empty() {
        println!("cargo::rustc-cfg=upconv_backend=\"{}\"", able[0]);
    } else if !BACKENDS.contains(&&forced[..]) || !able.contains(&&forced[..]) {
        println!("cargo::error=upconv_backend=\"{forced}\" does not run on {target}; it has {}", able.join(", "));
    }
}
