//! `cargo xtask demo`: from nothing installed to pictures that a board drew.

use crate::boards::Board;
use crate::figures::Digits;
use crate::{cargo, emulator, readme, reports, setup, sheet, terminal};
use anyhow::Result;
use firmware::digits;
use indicatif::{ProgressBar, ProgressStyle};
use std::fs;

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
        fs::copy(&path, readme::path("docs/digits.png"))?;
        readme::write("cargo xtask demo", &terminal::table(&table))?;
        println!("Written: docs/digits.png and the table in README.md.");
    }
    Ok(())
}
