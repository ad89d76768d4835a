//! `cargo xtask ci`: formatting, lints, documentation, then all tests.

use crate::boards::Board;
use crate::cargo::{cargo, run};
use crate::{setup, tests};
use anyhow::Result;

/// Stops at the first of them that fails.
pub fn all(board: &'static Board) -> Result<()> {
    setup::board(board)?;
    setup::component("fmt", "rustfmt")?;
    setup::component("clippy", "clippy")?;
    run(cargo("fmt").args(["--all", "--check"]))?;
    let warnings = ["--", "-D", "warnings"];
    run(cargo("clippy").args(["--workspace", "--all-targets"]).args(warnings))?;
    run(cargo("clippy").args(["--package", "firmware", "--lib", "--bins", "--target", board.target]).args(warnings))?;
    run(cargo("doc").args(["--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))?;
    tests::run(board)
}
