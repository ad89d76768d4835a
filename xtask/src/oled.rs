//! What the display of a board shows, as the emulator draws it.

use crate::boards::{self, Board};
use crate::canvas::Picture;
use crate::models::Task;
use crate::reports::Inbox;
use crate::{cargo, emulator, readme, setup};
use anyhow::{Context, Result, ensure};
use firmware::report::Report;
use indicatif::ProgressBar;
use std::io::Write;
use std::path::PathBuf;

/// The board whose display is emulated.
pub const BOARD: &str = "lm3s6965evb";
/// Pixels of the emulator's window along a side of one of the display's.
pub const SIDE: usize = 4;

/// The picture that the display must show: [`digits`](Task::Digits).
pub fn golden() -> PathBuf {
    readme::path("docs/oled.png")
}

/// How many pictures of a task are shown side by side.
pub fn count(task: Task) -> Option<usize> {
    match task {
        Task::Digits => Some(8),
        Task::Nuclei | Task::Bigpicture => Some(2),
        Task::Ecg => None,
    }
}

/// The screenshot of a task's first pictures, drawn row by row as the board decodes them; None where the board has no display, or the task no pictures.
pub fn screenshot(task: Task, board: &Board) -> Result<Option<Picture>> {
    let Some(count) = count(task).filter(|_| board.name == BOARD) else { return Ok(None) };
    let (mut inbox, mut picture) = (Inbox::default(), None);
    let program = format!("{}_shown", task.name());
    emulator::converse(
        board,
        &program,
        &[count.to_string()],
        &ProgressBar::hidden(),
        emulator::SILENCE,
        &mut |link, bytes| {
            inbox.take(bytes, |report| {
                if report == Report::Shown {
                    picture = Some(link.screenshot()?);
                    link.uart.write_all(b"q")?;
                }
                Ok(())
            })
        },
    )?;
    Ok(Some(picture.context("the board has shown nothing")?))
}

/// Whether the emulated display shows the digits as they were seen to be right, pixel for pixel.
pub fn digits_are_golden() -> Result<()> {
    let board = boards::find(BOARD).map_err(anyhow::Error::msg)?;
    setup::board(board)?;
    cargo::board(board, &["live"])?;
    let shown = screenshot(Task::Digits, board)?.context("there is no screenshot")?;
    let seen = cargo::target_dir()?.join("demo").join(format!("{BOARD}.png"));
    shown.save(&seen)?;
    let golden = Picture::read(&golden())?;
    let differ = shown.pixels.iter().zip(&golden.pixels).filter(|(a, b)| a != b).count();
    ensure!(
        shown == golden,
        "{differ} pixels of {} are not those of docs/oled.png; if they are right, `cargo xtask panels --write-docs` renews it",
        seen.display()
    );
    Ok(())
}
