//! `cargo xtask bench --profile`: in which functions the instructions of a layer's run are.

use crate::boards::{Board, CORES, Emulator};
use crate::terminal::markdown;
use crate::{cargo, emulator};
use anyhow::{Context, Result, ensure};
use firmware::bench::Cost;
use indicatif::ProgressBar;
use object::{Object, ObjectSymbol, SymbolKind};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::mem;
use std::path::Path;
use std::time::Duration;

/// The function of the firmware that reads the counter of instructions, before and after what is counted.
const COUNTER: &str = "Board>::instructions";
/// The most instructions between two calls of it with nothing in between.
const CALL: u64 = 64;
/// A hundred times as slow, a large layer says nothing for some minutes.
const PATIENCE: Duration = Duration::from_secs(1800);
/// Functions below this part of all instructions are added up.
const LEAST: f64 = 0.005;

/// Instructions by function, the most first, of a layer that the core's bench has counted; of a folded layer, without the pair.
///
/// # Errors
/// What the emulator says; a profile that has another sum than what was counted.
pub fn table(core: &str, line: &str, cost: &Cost) -> Result<String> {
    let core = CORES.iter().find(|known| known.name == core).context("no such core")?;
    let elf = cargo::elf(&core.board, core.board.name)?;
    let functions = functions(&fs::read(&elf)?)?;
    let trace = elf.with_extension("trace");
    // One instruction a block, each of which the emulator writes down.
    let options = ["-singlestep", "-d", "exec,nochain", "-D", trace.to_str().context("a path that is no text")?];
    let arguments = [core.board.emulator.arguments, &options.map(|option| &*option.to_owned().leak())].concat();
    let emulator: &Emulator = Box::leak(Box::new(Emulator { arguments: arguments.leak(), ..*core.board.emulator }));
    let board = Board { emulator, ..core.board };
    let bar = ProgressBar::new_spinner().with_message(format!("profile of {line} on {}", core.name));
    bar.enable_steady_tick(Duration::from_millis(100));
    let run = emulator::converse(&board, "bench", &[line.to_owned()], &bar, PATIENCE, &mut |_, _| Ok(()));
    bar.finish_and_clear();
    let counted = run.and_then(|_| counted(&trace, &functions, line.starts_with("fold")));
    // There is none when the emulator did not start.
    let _ = fs::remove_file(&trace);
    let counted = counted?;
    let all: u64 = counted.values().sum();
    let about = all.abs_diff(cost.instructions) <= cost.instructions / 50 + 10 * CALL;
    ensure!(about, "the profile of `{line}` has {all} instructions, of which {} were counted", cost.instructions);
    let (mut rows, mut rest) = (vec![["function", "instructions", "of all"].map(String::from).to_vec()], 0);
    let mut sorted: Vec<_> = counted.into_iter().collect();
    sorted.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    let part = |n: u64| format!("{:.1} %", 100.0 * n as f64 / all as f64);
    for (function, n) in sorted {
        match n as f64 >= LEAST * all as f64 {
            true => rows.push(vec![function.to_owned(), n.to_string(), part(n)]),
            false => rest += n,
        }
    }
    rows.push(vec!["all others".into(), rest.to_string(), part(rest)]);
    rows.push(vec!["together".into(), all.to_string(), part(all)]);
    Ok(format!("{line} on {}\n\n{}", core.name, markdown(&rows)))
}

/// Names of functions by address.
fn functions(elf: &[u8]) -> Result<BTreeMap<u64, String>> {
    let file = object::File::parse(elf)?;
    let text = file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text);
    let named = text.filter_map(|symbol| {
        let name = format!("{:#}", rustc_demangle::demangle(symbol.name().ok()?));
        // Thumb's bit is no part of the address.
        (!name.starts_with('$')).then(|| (symbol.address() & !1, name))
    });
    Ok(named.collect())
}

/// Instructions of each function between two calls of the counter; between all such pairs or, of a `fold`, which runs before the pair that it replaces, between the
/// first two only.
fn counted<'a>(trace: &Path, functions: &'a BTreeMap<u64, String>, fold: bool) -> Result<BTreeMap<&'a str, u64>> {
    let (mut runs, mut run, mut inside, mut counts) = (Vec::new(), BTreeMap::<_, u64>::new(), false, false);
    for line in BufReader::new(File::open(trace)?).lines() {
        // `Trace 0: 0x7f2b14000100 [00000000/10001234/00000110/ff020001] name`
        let line = line?;
        let Some(address) = line.split('/').nth(1).filter(|_| line.starts_with("Trace")) else { continue };
        let address = u64::from_str_radix(address, 16).with_context(|| format!("no address in `{line}`"))?;
        let function = functions.range(..=address).next_back().map_or("", |(_, name)| name);
        let counter = function.ends_with(COUNTER);
        if counter && !inside {
            counts = !counts;
            runs.push(mem::take(&mut run));
        } else if !counter && counts {
            *run.entry(function).or_default() += 1;
        }
        inside = counter;
    }
    // Without the calls in a row by which the firmware knows what a call costs.
    let runs = runs.into_iter().filter(|run| run.values().sum::<u64>() > CALL);
    let mut all = BTreeMap::new();
    for (function, n) in runs.take(if fold { 1 } else { usize::MAX }).flatten() {
        *all.entry(function).or_insert(0) += n;
    }
    Ok(all)
}
