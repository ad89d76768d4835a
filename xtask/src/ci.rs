//! `cargo xtask ci`: formatting, lints, documentation, then all tests.

use crate::boards::{self, BOARDS, CORES, SILICON};
use crate::cargo::{cargo, for_cpu, hal_command, in_hal, run};
use crate::{setup, tests};
use anyhow::Result;

/// Stops at the first of them that fails.
pub fn all() -> Result<()> {
    setup::boards()?;
    setup::c_compiler()?;
    setup::component("fmt", "rustfmt")?;
    setup::component("clippy", "clippy")?;
    run(cargo("fmt").args(["--all", "--check"]))?;
    let warnings = ["--", "-D", "warnings"];
    run(cargo("clippy").args(["--workspace", "--all-targets"]).args(warnings))?;
    for board in BOARDS {
        if board.hal {
            run(hal_command("clippy", board.name, board.target, &["semihosting"])?.args(warnings))?;
            continue;
        }
        let firmware = ["--package", "firmware", "--lib", "--bin", "no-panic", "--bin", "panics", "--bin", board.name];
        run(for_cpu(cargo("clippy").args(firmware).args(["--target", board.target]), board.cpu)?.args(warnings))?;
    }
    for core in CORES {
        let firmware = ["--package", "firmware", "--bin", "size", "--bin", core.board.name];
        run(for_cpu(cargo("clippy").args(firmware).args(["--target", core.board.target]), core.board.cpu)?
            .args(warnings))?;
    }
    for [target, cpu] in boards::targets() {
        let library = ["--package", "upconv-capi", "--lib", "--target", target];
        run(for_cpu(cargo("clippy").args(library), cpu)?.args(warnings))?;
    }
    for board in SILICON {
        run(hal_command("clippy", board.name, board.target, &["rtt"])?.args(warnings))?;
        run(in_hal("fmt", board.name).arg("--check"))?;
    }
    run(cargo("doc").args(["--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))?;
    tests::run()
}
