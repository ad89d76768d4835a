//! `cargo xtask demo`: from nothing installed to pictures that a board drew.

use crate::boards::Board;
use crate::figures::Digits;
use crate::{cargo, emulator, reports, setup, sheet, terminal};
use anyhow::Result;
use firmware::digits;
use indicatif::{ProgressBar, ProgressStyle};

/// Handwritten digits: the device's rows must be the host's, then they are shown.
pub fn digits(board: &Board) -> Result<()> {
    setup::board(board)?;
    let (mut build, elf) = cargo::firmware(board, board.name)?;
    cargo::run(&mut build)?;

    let mut host = reports::on_host(digits::run);
    let bar = ProgressBar::new(reports::count(&host));
    bar.set_style(ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} reports, {elapsed}")?);
    bar.set_message(board.name);
    let mut device = emulator::run(board, "digits", &elf, &bar)?;
    bar.finish_and_clear();

    let device = reports::decode(&mut device)?;
    reports::compare(&device, &reports::decode(&mut host)?)?;
    let digits = Digits::new(&device)?;
    let table = digits.table();
    terminal::show(&digits);
    terminal::table(&table);
    let path = cargo::target_dir()?.join("demo").join("digits.png");
    let title = format!("Digits from latent codes: PyTorch, and upconv on an emulated {} ({})", board.core, board.name);
    sheet::write(&path, &title, &digits, &table)?;
    println!("\nEvery row is the same on {} and on this host. All samples: {}", board.name, path.display());
    Ok(())
}
