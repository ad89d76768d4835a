//! What takes longer or a nightly compiler. `cargo xtask deep`: the loops' models and the kernels' suite under Miri, the suite with every core's loops, then every fuzz target. `cargo xtask mutate`:
//! whether the host's tests notice a change of the kernels.

use crate::cargo::{cargo, run, target_dir};
use crate::setup::runs;
use anyhow::Result;
use std::path::Path;
use std::process::Command;

/// The backends that a host has models of.
const BACKENDS: [&str; 5] = ["dsp", "armv6m", "armv7m", "riscv", "mve"];
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
    // The models of the loops in assembly, then all of it around the portable ones; each test and group is named as it begins.
    run(nightly(&["miri", "test", "--package", "upconv", "--lib", "arch::"]).current_dir(&root))?;
    let miri = ["miri", "test", "--package", "host-tests", "--test=kernels", "--", "--nocapture"];
    run(nightly(&miri).env("MIRIFLAGS", "-Zmiri-disable-isolation").current_dir(&root))?;
    run(nightly(&["miri", "test", "--package", "upconv-capi", "--test=edge"]).current_dir(&root))?;
    // A host has the portable loops otherwise: those of the cores are mounted in their own tests alone.
    for backend in BACKENDS {
        let mut test = cargo("test");
        test.args(["--release", "--package", "host-tests", "--test=kernels"]);
        run(test.env("RUSTFLAGS", format!("--cfg upconv_backend=\"{backend}\"")))?;
    }
    for target in TARGETS {
        let limit = format!("-max_total_time={seconds}");
        let fuzz = ["fuzz", "run", "--fuzz-dir", ".", target, "--", &limit, "-max_len=512", "-print_final_stats=1"];
        run(nightly(&fuzz).current_dir(root.join("host-tests/fuzz")))?;
    }
    Ok(())
}

/// Changes the kernels in one place after another, each time running their tests and the host's; fails when a change survives.
///
/// Changes that leave the meaning alone survive too: a bound that is never met, a cost estimate.
pub fn mutate(part: &str) -> Result<()> {
    if !runs(cargo("mutants").arg("--version")) {
        run(cargo("install").args(["--locked", "cargo-mutants"]))?;
    }
    let of = ["--package", "upconv", "--test-package", "upconv,host-tests", "--all-features"];
    let how = ["--sharding", "round-robin", "--shard", part, "--timeout", "120", "--output"];
    run(cargo("mutants").args(of).args(how).arg(target_dir()?).env_remove("CARGO_TARGET_DIR"))
}
