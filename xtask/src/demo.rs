//! `cargo xtask demo`: from nothing installed to pictures that a board drew.

use crate::boards::Board;
use crate::figures::Digits;
use crate::{cargo, emulator, reports, setup, sheet, terminal};
use anyhow::{Context, Result};
use firmware::digits;
use indicatif::{ProgressBar, ProgressStyle};
use std::fs;
use std::path::Path;

/// Handwritten digits: the device's rows must be the host's, then they are shown.
///
/// With `write_docs` the picture and the table also go to docs/ and the README.
pub fn digits(board: &Board, write_docs: bool) -> Result<()> {
    board.fits_digits()?;
    setup::board(board)?;
    cargo::board(board)?;

    let mut host = reports::on_host(digits::run, &[]);
    let bar = ProgressBar::new(reports::count(&host));
    bar.set_style(ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} reports, {elapsed}")?);
    bar.set_message(board.name);
    let mut device = emulator::run(board, "digits", &[], &bar)?;
    bar.finish_and_clear();

    let device = reports::decode(&mut device)?;
    reports::compare(&device, &reports::decode(&mut host)?)?;
    let digits = Digits::new(&device)?;
    let table = digits.table();
    terminal::show(&digits);
    println!("{}", terminal::table(&table));
    let path = cargo::target_dir()?.join("demo").join("digits.png");
    let title = format!("Digits from latent codes: PyTorch, and upconv on an emulated {} ({})", board.core, board.name);
    sheet::write(&path, &title, &digits, &table)?;
    println!("\nEvery row is the same on {} and on this host. All samples: {}", board.name, path.display());
    if write_docs {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        fs::copy(&path, root.join("docs/digits.png"))?;
        let readme = root.join("README.md");
        let text = fs::read_to_string(&readme)?;
        fs::write(&readme, replace_block(&text, "cargo xtask demo", &terminal::table(&table))?)?;
        println!("Written: docs/digits.png and the table in README.md.");
    }
    Ok(())
}

/// `text` with other lines between `<!-- name -->` and the next `<!-- end -->`.
fn replace_block(text: &str, name: &str, lines: &str) -> Result<String> {
    let start = format!("<!-- {name} -->\n");
    let (before, rest) = text.split_once(&start).with_context(|| format!("the README lacks {}", start.trim()))?;
    let (_, after) = rest.split_once("<!-- end -->").context("the README lacks <!-- end -->")?;
    Ok(format!("{before}{start}{lines}\n<!-- end -->{after}"))
}
