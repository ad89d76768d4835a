//! Cargo started by cargo, and other programs.

use crate::boards::Board;
use crate::readme;
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, iter};

/// The cargo that started this program, at the workspace's root.
pub fn cargo(subcommand: &str) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).arg(subcommand);
    cargo
}

/// Cargo's target directory: this program lies in `debug/` there.
pub fn target_dir() -> Result<PathBuf> {
    let this = env::current_exe()?;
    Ok(this.ancestors().nth(2).context("this program does not lie in a target directory")?.to_owned())
}

/// Where the code for a CPU lies: cargo does not keep two CPUs of one target apart.
pub fn directory(cpu: &str) -> Result<PathBuf> {
    Ok(target_dir()?.join(cpu))
}

/// Makes a cargo command compile for a CPU, if one is named.
pub fn tuned<'a>(command: &'a mut Command, cpu: &str) -> &'a mut Command {
    if !cpu.is_empty() {
        let others = env::var("RUSTFLAGS").unwrap_or_default();
        command.env("RUSTFLAGS", format!("{others} -C target-cpu={cpu}"));
    }
    command
}

/// ... and write to that CPU's directory.
pub fn for_cpu<'a>(command: &'a mut Command, cpu: &str) -> Result<&'a mut Command> {
    Ok(tuned(command, cpu).arg("--target-dir").arg(directory(cpu)?))
}

/// The command that builds the firmware's library, and binaries of it, with a profile for some targets and a CPU.
pub fn firmware(profile: &str, targets: &[&str], cpu: &str, binaries: &[&str]) -> Result<Command> {
    let mut build = cargo("build");
    build.args(["--package", "firmware", "--lib", "--profile", profile]);
    for_cpu(&mut build, cpu)?;
    targets.iter().for_each(|target| _ = build.args(["--target", target]));
    binaries.iter().for_each(|binary| _ = build.args(["--bin", binary]));
    Ok(build)
}

/// Builds the emulated board's binary: with these demos or the bench and without the suite, or without any and with it.
pub fn board(board: &Board, demos: &[&str]) -> Result<()> {
    let demos = if demos.is_empty() { &["suite"] } else { demos };
    if board.hal {
        return hal(board.name, board.target, board.profile, &[&["semihosting"], demos].concat());
    }
    let mut build = firmware(board.profile, &[board.target], board.cpu, &[board.name])?;
    let features = [&["emulator"], demos].concat().join(",");
    run(build.args(["--no-default-features", "--features", &features]))
}

/// Builds a package of `firmware/hal`, which is a workspace of its own, with features of the firmware's library.
pub fn hal(name: &str, target: &str, profile: &str, features: &[&str]) -> Result<()> {
    run(hal_command("build", name, target, features, &target_dir()?).args(["--profile", profile]))
}

/// A cargo command that compiles such a package, into a directory.
pub fn hal_command(subcommand: &str, name: &str, target: &str, features: &[&str], directory: &Path) -> Command {
    let mut command = in_hal(subcommand, name);
    let features: Vec<_> = features.iter().map(|feature| format!("firmware/{feature}")).collect();
    command.args(["--target", target, "--no-default-features", "--features", &features.join(",")]);
    command.arg("--target-dir").arg(directory);
    command
}

/// Any cargo command in its folder.
pub fn in_hal(subcommand: &str, name: &str) -> Command {
    let mut command = cargo(subcommand);
    command.current_dir(readme::path("firmware/hal").join(name));
    command
}

/// Where a binary for a board will be.
pub fn elf(board: &Board, binary: &str) -> Result<PathBuf> {
    Ok(directory(board.cpu)?.join(board.target).join(board.profile).join(binary))
}

/// Runs a command to its end; an error names it.
pub fn run(command: &mut Command) -> Result<()> {
    let program = Path::new(command.get_program()).file_stem().unwrap_or_default();
    let words: Vec<_> = iter::once(program).chain(command.get_args()).map(|w| w.to_string_lossy()).collect();
    let text = words.join(" ");
    let status = command.status().with_context(|| format!("`{text}` could not be started"))?;
    ensure!(status.success(), "`{text}` failed");
    Ok(())
}
