//! The crate `upconv` as others use it: packed, with each of its features, by the oldest compiler that it promises, and in a program of its own.

use crate::boards::{self, CORES, Core};
use crate::tests::trial;
use crate::{cargo, emulator, readme, setup};
use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use std::path::PathBuf;
use std::process::Command;
use std::{fs, iter};

/// Features, alone and together.
const FEATURES: [&str; 6] = ["", "defmt", "embedded-hal", "fixed", "micromath", "defmt,embedded-hal,fixed,micromath"];
/// Cores whose targets the program of its own is built for, and whose emulator runs it: by their short names.
const PROGRAM: [&str; 3] = ["m0", "m4", "rv32"];
/// What that program sends.
const SENT: &str = "01 02 02 04 03 04 06 08 00 00 04 08 00 00 12 16";
/// The most bytes of a package, compressed.
const PACKAGE: u64 = 256 << 10;

/// The tests.
pub fn trials() -> Vec<Trial> {
    let mut trials = vec![
        trial("package", "it holds what a user needs and builds alone", packed),
        trial("package", "every feature builds without std", features),
        trial("package", "the oldest compiler that it promises builds it", oldest_compiler),
    ];
    for core in CORES.iter().filter(|core| PROGRAM.contains(&core.name)) {
        trials.push(trial(core.board.target, "a program of its own runs", move || program(core)));
    }
    trials
}

/// Packs the crate and builds what was packed, with all features, for a core without std.
fn packed() -> Result<()> {
    let folder = cargo::target_dir()?.join("package");
    let target = CORES[0].board.target;
    setup::target(target)?;
    let package =
        ["--quiet", "--offline", "--allow-dirty", "--package", "upconv", "--all-features", "--target", target];
    cargo::run(cargo::cargo("package").args(package).arg("--target-dir").arg(cargo::target_dir()?))?;
    let name = format!("upconv-{}", env!("CARGO_PKG_VERSION"));
    let bytes = fs::metadata(folder.join(format!("{name}.crate")))?.len();
    ensure!(bytes < PACKAGE, "the package has {bytes} bytes");
    for file in ["README.md", "LICENSE-MIT", "LICENSE-APACHE", "src/lib.rs", "build.rs"] {
        ensure!(folder.join(&name).join(file).is_file(), "the package lacks {file}");
    }
    Ok(())
}

fn features() -> Result<()> {
    for core in CORES.iter().filter(|core| PROGRAM.contains(&core.name)) {
        setup::target(core.board.target)?;
        for features in FEATURES {
            let check = ["--quiet", "--package", "upconv", "--features", features, "--target", core.board.target];
            cargo::run(
                cargo::cargo("check").args(check).env("RUSTFLAGS", "-D warnings").arg("--target-dir").arg(folder()?),
            )?;
        }
    }
    Ok(())
}

/// Checks the crate with the compiler of its `rust-version`, for the host and every core; it is installed where it is missing and is not the present one.
fn oldest_compiler() -> Result<()> {
    let manifest = fs::read_to_string(readme::path("kernels/Cargo.toml"))?;
    let version = manifest.lines().find_map(|line| line.strip_prefix("rust-version = \"")?.strip_suffix('"'));
    let version = version.context("kernels/Cargo.toml has no rust-version")?;
    let present = Command::new("rustc").arg("--version").output().context("`rustc` could not be started")?;
    let this = String::from_utf8_lossy(&present.stdout).starts_with(&format!("rustc {version}."));
    let with = |words: [&str; 2]| {
        let mut rustup = Command::new("rustup");
        rustup.args(["run", version]).args(words).current_dir(readme::path("."));
        rustup.env_remove("CARGO").env_remove("RUSTUP_TOOLCHAIN");
        rustup
    };
    if !this && !setup::runs(&mut with(["rustc", "--version"])) {
        cargo::run(Command::new("rustup").args(["toolchain", "install", version, "--profile", "minimal"]))
            .with_context(|| format!("Rust {version} is missing"))?;
    }
    for [target, cpu] in iter::once(["", ""]).chain(boards::targets()) {
        let mut check = if this { cargo::cargo("check") } else { with(["cargo", "check"]) };
        check.args(["--quiet", "--package", "upconv", "--all-features"]);
        if !target.is_empty() {
            check.args(["--target", target]);
            match this {
                true => setup::target(target)?,
                false => cargo::run(Command::new("rustup").args(["target", "add", "--toolchain", version, target]))?,
            }
        }
        cargo::run(cargo::tuned(&mut check, cpu).arg("--target-dir").arg(folder()?.join(cpu)))?;
    }
    Ok(())
}

/// Builds `examples/minimal` and runs it on an emulated board of the target.
fn program(core: &Core) -> Result<()> {
    setup::board(&core.board)?;
    let (manifest, target) = (readme::path("examples/minimal/Cargo.toml"), core.board.target);
    let build = ["--quiet", "--locked", "--release", "--target", target, "--target-dir"];
    cargo::run(cargo::cargo("build").args(build).arg(folder()?).arg("--manifest-path").arg(manifest))?;
    let elf = folder()?.join(target).join("release/minimal");
    let sent = emulator::line(&core.board, &elf)?;
    ensure!(sent.trim() == SENT, "it sent `{}`", sent.trim());
    Ok(())
}

/// Apart from the workspace's own, whose features and flags differ.
fn folder() -> Result<PathBuf> {
    Ok(cargo::target_dir()?.join("alone"))
}
