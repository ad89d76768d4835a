//! `cargo xtask silicon`: builds the digits for every board with a HAL crate, as they would be flashed, and prints what they take of flash and RAM.

use crate::boards::{self, Load, SILICON, Silicon};
use crate::demo::Demo;
use crate::models::Task;
use crate::terminal::markdown;
use crate::{cargo, setup, uf2};
use anyhow::{Context, Result, ensure};
use indicatif::HumanCount;
use object::{Object, ObjectSymbol};
use std::fs;
use std::path::PathBuf;

/// What a board's program takes.
pub struct Built {
    /// The board.
    pub board: &'static Silicon,
    /// Bytes that are written to flash.
    pub flash: usize,
    /// Bytes of statics.
    pub statics: usize,
    /// Bytes of the largest network's activations.
    pub activations: usize,
    /// Bytes of RAM that stay for the stack besides.
    pub stack: usize,
    /// The program's ELF file.
    pub elf: Vec<u8>,
}

/// Builds all and prints a table.
pub fn run() -> Result<()> {
    println!("{}", table(&all()?));
    Ok(())
}

/// Builds all.
pub fn all() -> Result<Vec<Built>> {
    SILICON.iter().map(build_and_measure).collect()
}

/// Whether its firmware has a receiver, and with it `live`: those that are emulated too.
pub fn receives(board: &Silicon) -> bool {
    boards::find(board.name).is_ok()
}

/// Builds a demo for a board; answers its ELF file.
pub fn build(board: &Silicon, demo: Demo) -> Result<PathBuf> {
    let name = match demo {
        Demo::Of(task) => task.fit(board.name, board.ram).map(|_| task.name())?,
        Demo::Live => {
            ensure!(receives(board), "the firmware of {} has no `live`: it receives nothing", board.name);
            "live"
        }
    };
    build_with(board, name, &[])
}

/// Builds the bench for a board, with the layers in the program and an arena that its RAM has room for.
pub fn build_bench(board: &Silicon, layers: &[String]) -> Result<PathBuf> {
    // The rest is for statics and the stack.
    let arena = board.ram.saturating_sub(24 << 10).max(board.ram / 4);
    build_with(board, "bench", &[("UPCONV_ARGUMENTS", layers.join(";")), ("UPCONV_ARENA", arena.to_string())])
}

/// Builds the program that a feature names; answers its ELF file.
fn build_with(board: &Silicon, feature: &str, environment: &[(&str, String)]) -> Result<PathBuf> {
    setup::target(board.target)?;
    // The micro:bit's flash has no room for the networks at full speed, emulated or not.
    let profile = boards::find(board.name).map_or("release", |board| board.profile);
    // Apart: a board that is emulated too has a binary of the same name for that.
    let directory = cargo::target_dir()?.join("silicon");
    let mut build = cargo::hal_command("build", board.name, board.target, &["rtt", feature], &directory);
    build.envs(environment.iter().map(|(name, value)| (name, value)));
    cargo::run(build.args(["--profile", profile]))?;
    Ok(directory.join(board.target).join(profile).join(board.name))
}

/// The address of a symbol of a program.
pub fn symbol(elf: &[u8], name: &str) -> Result<usize> {
    let file = object::File::parse(elf)?;
    let found = file.symbols().find(|symbol| symbol.name() == Ok(name));
    found.map(|symbol| symbol.address() as usize).with_context(|| format!("the program has no {name}"))
}

/// Builds the digits for a board, checks that all is there and says what it takes.
pub fn build_and_measure(board: &'static Silicon) -> Result<Built> {
    let task = Task::Digits;
    let elf = fs::read(build(board, Demo::Of(task))?)?;
    let symbol = |name: &str| symbol(&elf, name).with_context(|| board.name);
    // Where a probe finds the log.
    symbol("_SEGGER_RTT")?;
    let flash: usize = uf2::loaded(&elf)?.iter().map(|(_, bytes)| bytes.len()).sum();
    let program = task.fit(board.name, board.ram)?[0];
    let weights = task.weights(program.1);
    ensure!(flash > weights, "the program of {} has {flash} bytes, its weights alone {weights}", board.name);
    let statics = symbol("__euninit")? - symbol("__sdata")?;
    let stack = symbol("_stack_start")? - symbol("__euninit")?;
    let activations = task.activations(program.1);
    ensure!(
        activations <= stack,
        "{} does not fit {}: it needs {activations} bytes of stack, {stack} are left",
        task.name(),
        board.name
    );
    Ok(Built { board, flash, statics, activations, stack: stack - activations, elf })
}

/// One row for each board.
pub fn table(all: &[Built]) -> String {
    let mut rows = vec![
        [
            "board",
            "chip and core",
            "how a program gets there",
            "flash",
            "RAM: statics",
            "activations",
            "left for the stack",
        ]
        .map(String::from)
        .to_vec(),
    ];
    let count = |n: usize| HumanCount(n as u64).to_string();
    for built in all {
        let load = match built.board.load {
            Load::Probe(_) => "probe-rs",
            Load::Uf2(_) => "UF2 file",
        };
        let board = format!("{} (`{}`)", built.board.title, built.board.name);
        let words = [&board, built.board.core, load].map(String::from);
        let numbers = [built.flash, built.statics, built.activations, built.stack].map(count);
        rows.push([&words[..], &numbers].concat());
    }
    markdown(&rows)
}
