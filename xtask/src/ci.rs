//! `cargo xtask ci`: formatting, lints, documentation, then all tests.

use crate::boards::{self, BOARDS, CORES, SILICON};
use crate::cargo::{cargo, for_cpu, hal_command, in_hal, run, target_dir};
use crate::{setup, tests};
use anyhow::{Result, anyhow, ensure};
use std::process::Command;
use std::thread;

/// Lints and documentation beside the tests: either alone keeps one core busy most of the time.
pub fn all() -> Result<()> {
    setup::boards()?;
    setup::c_compiler()?;
    setup::component("fmt", "rustfmt")?;
    setup::component("clippy", "clippy")?;
    run(cargo("fmt").args(["--all", "--check"]))?;
    for board in SILICON {
        run(in_hal("fmt", board.name).arg("--check"))?;
    }
    thread::scope(|scope| {
        let lints = scope.spawn(lints);
        let tested = tests::run();
        let linted = lints.join().map_err(|_| anyhow!("the lints ended with a panic"))?;
        match (linted, tested) {
            (Err(lints), Err(tests)) => Err(anyhow!("{lints}\n{tests}")),
            (linted, tested) => linted.and(tested),
        }
    })
}

/// Clippy on the host and for every target, and the documentation; stops at the first that fails.
fn lints() -> Result<()> {
    let warnings = ["--", "-D", "warnings"];
    quiet(cargo("clippy").args(["--workspace", "--all-targets"]).args(warnings))?;
    for board in BOARDS {
        if board.hal {
            quiet(hal_command("clippy", board.name, board.target, &["semihosting"], &target_dir()?).args(warnings))?;
            continue;
        }
        let firmware = ["--package", "firmware", "--lib", "--bin", "no-panic", "--bin", "panics", "--bin", board.name];
        quiet(for_cpu(cargo("clippy").args(firmware).args(["--target", board.target]), board.cpu)?.args(warnings))?;
    }
    for core in CORES {
        let firmware = ["--package", "firmware", "--bin", "size", "--bin", core.board.name];
        quiet(
            for_cpu(cargo("clippy").args(firmware).args(["--target", core.board.target]), core.board.cpu)?
                .args(warnings),
        )?;
    }
    for [target, cpu] in boards::targets() {
        let library = ["--package", "upconv-capi", "--lib", "--target", target];
        quiet(for_cpu(cargo("clippy").args(library), cpu)?.args(warnings))?;
    }
    for board in SILICON {
        quiet(hal_command("clippy", board.name, board.target, &["rtt"], &target_dir()?).args(warnings))?;
    }
    quiet(cargo("doc").args(["--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))
}

/// Runs a command to its end; what it said is shown when it fails, so that it does not come between the lines of the tests.
fn quiet(command: &mut Command) -> Result<()> {
    let output = command.output()?;
    ensure!(output.status.success(), "{command:?} failed:\n{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
