//! `cargo xtask deep`: what takes longer or a nightly compiler. The kernels' suite under Miri, then every fuzz target.

use crate::cargo::run;
use crate::setup::runs;
use anyhow::Result;
use std::path::Path;
use std::process::Command;

const TARGETS: [&str; 4] = ["plan", "convolution", "resize", "suite"];

/// Fuzzes each target for so many seconds; stops at the first finding.
pub fn all(seconds: u32) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let nightly = |words: &[&str]| {
        // By rustup's own cargo, which knows `+nightly`; the one around this program does not.
        let mut cargo = Command::new("rustup");
        cargo.args(["run", "nightly", "cargo"]).args(words).env_remove("CARGO").env_remove("RUSTUP_TOOLCHAIN");
        cargo
    };
    if !runs(&mut nightly(&["miri", "--version"])) {
        let install = ["toolchain", "install", "nightly", "--profile", "minimal", "--component", "miri,rust-src"];
        run(Command::new("rustup").args(install))?;
    }
    if !runs(&mut nightly(&["fuzz", "--version"])) {
        run(&mut nightly(&["install", "--locked", "cargo-fuzz"]))?;
    }
    let miri = ["miri", "test", "--package", "host-tests", "--test=kernels"];
    run(nightly(&miri).env("MIRIFLAGS", "-Zmiri-disable-isolation").current_dir(&root))?;
    for target in TARGETS {
        let limit = format!("-max_total_time={seconds}");
        let fuzz = ["fuzz", "run", "--fuzz-dir", ".", target, "--", &limit, "-max_len=512", "-print_final_stats=1"];
        run(nightly(&fuzz).current_dir(root.join("host-tests/fuzz")))?;
    }
    Ok(())
}
