//! The parts of the README that a command writes.

use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// A file of the repository.
pub fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

/// Replaces what lies between `<!-- command -->` and the next `<!-- end -->`.
pub fn write(command: &str, lines: &str) -> Result<()> {
    let readme = path("README.md");
    let text = fs::read_to_string(&readme)?;
    let start = format!("<!-- {command} -->\n");
    let (before, rest) = text.split_once(&start).with_context(|| format!("the README lacks {}", start.trim()))?;
    let (_, after) = rest.split_once("<!-- end -->").context("the README lacks <!-- end -->")?;
    fs::write(&readme, format!("{before}{start}{lines}\n<!-- end -->{after}"))?;
    Ok(())
}
