//! `cargo xtask boards`: what each board does, emulated or only built: the README's tables.

use crate::boards::BOARDS;
use crate::models::{self, Task};
use crate::terminal::markdown;
use crate::{readme, silicon};
use anyhow::{Context, Result};
use clap::ValueEnum;
use indicatif::{HumanCount, ProgressBar};

/// Runs every demo on every emulated board that it fits, builds the others, and prints the tables, which `write_docs` puts into the README.
pub fn run(write_docs: bool) -> Result<()> {
    let tables = format!(
        "Emulated: `cargo xtask test` runs the kernels' suite on all of them. The demos run where a number stands: their peak stack in bytes (painted), activations not included.\n\n{}\n\n`digits` built and linked as it would be flashed, not run; bytes:\n\n{}",
        emulated()?,
        silicon::table(&silicon::all()?)
    );
    println!("{tables}");
    if write_docs {
        readme::write("cargo xtask boards", &tables)?;
    }
    Ok(())
}

fn emulated() -> Result<String> {
    let tasks = Task::value_variants();
    let mut rows = vec![vec!["board".to_string(), "core".into(), "RAM".into()]];
    rows[0].extend(tasks.iter().map(|task| task.name().to_string()));
    for board in BOARDS {
        let done = models::run_all(board, &ProgressBar::hidden());
        let mut row = vec![board.name.to_string(), board.core.into(), format!("{} KB", board.ram >> 10)];
        for task in tasks {
            row.push(match done.iter().find(|(t, _)| t == task) {
                Some((_, Ok(runs))) => {
                    let stack = runs.iter().map(|run| run.stack).max().context("no network ran")?;
                    HumanCount(stack as u64).to_string()
                }
                Some((_, Err(error))) => anyhow::bail!("{} on {}: {error:#}", task.name(), board.name),
                None => "-".into(),
            });
        }
        rows.push(row);
    }
    Ok(markdown(&rows))
}
