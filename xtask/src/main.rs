//! `cargo xtask demo`, `test`, `ci` and so on: sets up what is missing, builds, and runs.

mod bench;
mod boards;
mod c_model;
mod canvas;
mod capi;
mod cargo;
mod ci;
mod compare;
mod deep;
mod demo;
mod emulator;
mod flash;
mod live;
mod models;
mod oled;
mod overview;
mod package;
mod panels;
mod plot;
mod profile;
mod readme;
mod reports;
mod setup;
mod silicon;
mod size;
mod terminal;
mod tests;
mod uf2;

use anyhow::{Context, Result};
use boards::Board;
use clap::Parser;
use std::fs::{File, TryLockError};
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "Sets up what is missing, builds, and runs")]
enum Task {
    /// Run a demo on an emulated board and show what it computed
    Demo {
        #[arg(value_enum, default_value_t = demo::Demo::Of(models::Task::Digits))]
        demo: demo::Demo,
        #[arg(long, value_parser = boards::find, default_value = boards::BOARDS[0].name)]
        board: &'static Board,
        /// Also put the picture and the table into docs/
        #[arg(long)]
        write_docs: bool,
    },
    /// Put a demo onto a board on the desk, by a debug probe or as a UF2 file, and show what it computed
    Flash(flash::Options),
    /// Run every demo on every emulated board, build the digits for all others, and print the README's tables of boards
    Boards {
        /// Also write them into the README
        #[arg(long)]
        write_docs: bool,
    },
    /// Build the digits for every board with a HAL crate, as they would be flashed, and print what they take of flash and RAM
    Silicon,
    /// Draw digits, nuclei and photographs on every display that the firmware knows, and show the sheet
    Panels {
        /// Also put the sheet, and the picture that the emulated display is tested against, into docs/
        #[arg(long)]
        write_docs: bool,
    },
    /// Run all tests, on this host and on every emulated board
    Test,
    /// Count the instructions of layers on every emulated core
    Bench(bench::Options),
    /// Compare the decoders of every trained network, or five ways to make one stage, on every emulated core
    Compare(compare::Options),
    /// The library for C: its header, its size, models as C data
    C {
        #[command(subcommand)]
        what: capi::What,
    },
    /// Link each operator alone and print how much code it is on each core, optimised for speed and for size
    Size {
        /// Also write it into the README
        #[arg(long)]
        write_docs: bool,
    },
    /// Run the tests under Miri and fuzz every target (a nightly compiler and cargo-fuzz are installed)
    Deep {
        /// Seconds for each fuzz target
        #[arg(long, default_value_t = 60)]
        seconds: u32,
    },
    /// Change one place of the kernels after another and see the host's tests fail (cargo-mutants is installed); prints the survivors
    Mutate {
        /// Which part of all changes: k/n, every n-th from the k-th on
        #[arg(default_value = "0/200")]
        part: String,
    },
    /// Check formatting, lints and documentation, then run all tests
    Ci,
}

fn main() -> ExitCode {
    let task = Task::parse();
    // Make and CMake ask for a model within a run that builds them.
    let lock = if matches!(task, Task::C { what: capi::What::Model { .. } }) { Ok(None) } else { alone().map(Some) };
    match lock.and_then(|_lock| run(task)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}.");
            ExitCode::FAILURE
        }
    }
}

/// Waits until no other run uses this target directory: it would build over a binary between this one's build and its run.
fn alone() -> Result<File> {
    let path = cargo::target_dir()?.join("xtask.lock");
    let lock = File::create(&path).with_context(|| format!("{} cannot be written", path.display()))?;
    match lock.try_lock() {
        Err(TryLockError::WouldBlock) => {
            eprintln!("Waiting for another `cargo xtask` to end that builds in the same target directory.");
            lock.lock()?;
        }
        locked => locked?,
    }
    Ok(lock)
}

fn run(task: Task) -> Result<()> {
    match task {
        Task::Demo { demo: demo::Demo::Of(task), board, write_docs } => demo::run(task, board, write_docs),
        Task::Demo { demo: demo::Demo::Live, write_docs: true, .. } => {
            Err(anyhow::anyhow!("live has no page in docs/: leave --write-docs out"))
        }
        Task::Demo { demo: demo::Demo::Live, board, .. } => live::run(board),
        Task::Panels { write_docs } => panels::run(write_docs),
        Task::Flash(options) => flash::run(&options),
        Task::Boards { write_docs } => overview::run(write_docs),
        Task::Silicon => silicon::run(),
        Task::Test => tests::run(),
        Task::C { what } => capi::run(what),
        Task::Size { write_docs } => size::run(write_docs),
        Task::Compare(options) => compare::run(&options),
        Task::Bench(options) => bench::run(&options),
        Task::Deep { seconds } => deep::all(seconds),
        Task::Mutate { part } => deep::mutate(&part),
        Task::Ci => ci::all(),
    }
}
