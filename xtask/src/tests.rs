//! `cargo xtask test`: everything on this host, then the same kernels on every emulated board.

use crate::boards::{self, BOARDS, Board, CORES, Core, Load, SILICON, Silicon};
use crate::demo::Demo;
use crate::models::{self, Task};
use crate::{bench, capi, cargo, emulator, live, oled, package, profile, reports, setup, silicon, uf2};
use anyhow::{Context, Result, anyhow, ensure};
use crc::{CRC_32_MPEG_2, Crc};
use firmware::report::Report;
use firmware::{chain, suite};
use indicatif::ProgressBar;
use libtest_mimic::{Arguments, Failed, Trial};
use object::{Object, ObjectSymbol};
use std::collections::BTreeMap;
use std::{fs, thread};

/// What the linker says of `no-panic` and `panics` when a panic can be reached.
pub const REACHED: &str = "undefined symbol: a_panic_can_be_reached";

/// The host's tests by `cargo test`, then the boards' and the targets' in the same form.
pub fn run() -> Result<()> {
    setup::boards()?;
    setup::c_compiler()?;
    let host = cargo::run(cargo::cargo("test").args(["--workspace", "--no-fail-fast"]));

    let targets = boards::targets();
    // The libraries take the longest: side by side, but one architecture and CPU at a time, or cargo would unite features that
    // exclude each other.
    let mut families: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for &[target, cpu] in &targets {
        families.entry((target.starts_with("thumb"), cpu)).or_default().push(target);
    }
    for ((_, cpu), side_by_side) in families {
        cargo::run(&mut cargo::firmware("release", &side_by_side, cpu, &[])?)?;
    }
    // Two builds at once, because what takes the longest in each, linking, keeps one core busy.
    let (mut trials, table) = thread::scope(|scope| -> Result<_> {
        let aside = scope.spawn(|| {
            let (trials, table) = silicon_boards();
            ([trials, budgets()].into_iter().flatten(), table)
        });
        let emulated = emulated();
        let (aside, table) =
            aside.join().map_err(|_| anyhow!("a build for silicon or the bench ended with a panic"))?;
        Ok((aside.chain(emulated?).collect::<Vec<_>>(), table))
    })?;
    for [target, cpu] in targets {
        let on = if cpu.is_empty() { target } else { cpu };
        trials.push(trial(on, "no_panic_can_be_reached", move || no_panic_can_be_reached(target, cpu)));
        trials.push(trial(on, "a_panic_does_not_link", move || a_panic_does_not_link(target, cpu)));
    }
    trials.extend(package::trials());
    println!("\nBuilt for silicon, not run:\n\n{table}");
    let devices = libtest_mimic::run(&Arguments::default(), trials);
    host?;
    ensure!(!devices.has_failed(), "tests on the boards failed");
    Ok(())
}

/// What runs on the emulated boards: the suite, the demos, and the programs in C.
fn emulated() -> Result<Vec<Trial>> {
    BOARDS.iter().try_for_each(|board| cargo::board(board, &[]))?;
    Ok([kernels()?, demos(), capi::trials()?].into_iter().flatten().collect())
}

/// Builds the digits for every board with a HAL crate; each is a test. And what they take of flash and RAM.
fn silicon_boards() -> (Vec<Trial>, String) {
    let (mut trials, mut built) = (Vec::new(), Vec::new());
    for board in SILICON {
        let verdict = silicon::build_and_measure(board).and_then(|this| {
            let starts = starts(board, &this.elf);
            built.push(this);
            starts
        });
        trials.push(trial(board.name, "digits are built for silicon", || verdict));
    }
    for board in SILICON.iter().filter(|board| silicon::receives(board)) {
        let verdict = live_is_built(board);
        trials.push(trial(board.name, "live is built for silicon", || verdict));
    }
    // The one with the most memory, the one with the least, and the other architecture.
    for name in ["nrf52840-dk", "microbit", "esp32c3"] {
        trials.push(trial(name, "the bench is built for silicon", move || {
            let board = boards::find_silicon(name).map_err(anyhow::Error::msg)?;
            silicon::build_bench(board, &["conv 8x8x4 k3 p1 c4".into()]).map(drop)
        }));
    }
    (trials, silicon::table(&built))
}

/// The walk links, and is the program that starts: the linker drops all others.
fn live_is_built(board: &Silicon) -> Result<()> {
    let elf = fs::read(silicon::build(board, Demo::Live)?)?;
    let file = object::File::parse(&*elf)?;
    let mut names = file.symbols().filter_map(|symbol| symbol.name().ok());
    ensure!(names.any(|name| name.contains("firmware4live")), "the program of {} does not start live", board.name);
    Ok(())
}

/// What the ROM of a Pico asks of a program, in the UF2 file that `flash` writes; of an ESP32-C3, whose HAL crate has stores to a word at the
/// stack's end trap, that the painted stack lies above it.
fn starts(board: &Silicon, elf: &[u8]) -> Result<()> {
    if board.name == "esp32c3" {
        let [guard, painted] = [silicon::symbol(elf, "__stack_chk_guard")?, silicon::symbol(elf, "__euninit")?];
        ensure!(painted > guard, "painting from {painted:#x} on writes the watched word at {guard:#x}");
    }
    let Load::Uf2(family) = board.load else { return Ok(()) };
    let file = uf2::convert(elf, family)?;
    let start: Vec<u8> = file.chunks(512).take(16).flat_map(|block| &block[32..][..256]).copied().collect();
    let word = |at: usize| u32::from_le_bytes([start[at], start[at + 1], start[at + 2], start[at + 3]]);
    if board.name == "pico" {
        // Of the second bootloader, its first 252 bytes.
        const CHECKSUM: Crc<u32> = Crc::<u32>::new(&CRC_32_MPEG_2);
        ensure!(CHECKSUM.checksum(&start[..252]) == word(252), "the second bootloader's checksum is wrong");
    } else {
        let block = (0..4096).step_by(4).find(|at| word(*at) == 0xFFFF_DED3).context("there is no image definition")?;
        ensure!(word(block + 16) == 0xAB12_3579, "the image definition does not end");
    }
    Ok(())
}

/// A test of this name on a board or a target.
pub fn trial(on: &str, name: &str, test: impl FnOnce() -> Result<()> + Send + 'static) -> Trial {
    let words: Vec<_> = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    Trial::test(format!("{on}::{}", words.join("_")), || test().map_err(|error| Failed::from(format!("{error:#}"))))
}

/// All bytes that a program sends on the device.
fn on_device(board: &Board, program: &str) -> Result<Vec<u8>> {
    emulator::run(board, program, &[], &ProgressBar::hidden())
}

/// Runs the kernels' suite on all boards at once; each group is a test.
fn kernels() -> Result<Vec<Trial>> {
    let mut host = reports::on_host(suite::run, &[]);
    let host = reports::decode(&mut host)?;
    let mut trials = Vec::new();
    thread::scope(|scope| {
        let runs: Vec<_> = BOARDS.iter().map(|board| scope.spawn(|| on_device(board, "suite"))).collect();
        for (board, run) in BOARDS.iter().zip(runs) {
            let mut device = run.join().unwrap_or_else(|_| Err(anyhow!("the emulator's thread panicked")));
            let device = device.as_deref_mut().map_err(|error| anyhow!("{error:#}")).and_then(reports::decode);
            for (name, _) in suite::GROUPS.iter().chain(suite::MORE_GROUPS.iter().filter(|_| !board.hal)) {
                let verdict = group(name, &device, &host);
                trials.push(trial(board.name, name, || verdict));
            }
        }
    });
    Ok(trials)
}

/// Every case of a group equals the exact integer model, and the device's bytes are the host's.
fn group(name: &str, device: &Result<Vec<Report<'_>>>, host: &[Report<'_>]) -> Result<()> {
    let of = |reports: &[Report<'_>]| {
        reports.iter().find_map(|report| match *report {
            Report::Suite { name: n, cases, failed, digest } if n == name => Some((cases, failed, digest)),
            _ => None,
        })
    };
    let device = device.as_ref().map_err(|error| anyhow!("{error:#}"))?;
    let (cases, failed, digest) = of(device).context("the device did not run this group")?;
    ensure!(cases > 0 && failed == 0, "{failed} of {cases} cases differ from the exact integer model");
    ensure!(of(host) == Some((cases, 0, digest)), "the device's bytes are not the host's");
    Ok(())
}

/// Counts every layer of the bench on every core; each core is a test.
fn budgets() -> Vec<Trial> {
    let measured = bench::measure(CORES.iter().collect(), bench::all_layers());
    let verdicts = measured.and_then(|m| Ok((bench::over_budget(&m)?, bench::missed_otherwise(&m)?)));
    let (verdict, otherwise) = match verdicts.map_err(|error| format!("{error:#}")) {
        Ok((over, otherwise)) => (Ok(over), Ok(otherwise)),
        Err(error) => (Err(error.clone()), Err(error)),
    };
    let of = |core: &'static Core| {
        let over = verdict.clone().map(|over| over.into_iter().filter(|(c, _)| *c == core.name).collect::<Vec<_>>());
        trial(core.name, "no layer is over its budget", move || {
            let over: Vec<_> = over.map_err(|error| anyhow!(error))?.into_iter().map(|(_, layer)| layer).collect();
            ensure!(over.is_empty(), "{}; `cargo xtask bench --write-budgets` makes them the budget", over.join(", "));
            Ok(())
        })
    };
    let listed = trial("bench", "what is missed is what benches/missed.txt lists", move || {
        let differences = otherwise.map_err(|error| anyhow!(error))?;
        ensure!(differences.is_empty(), "{}", differences.join("; "));
        Ok(())
    });
    let profiled = trial("bench", "a profile has the instructions that were counted", || {
        let m4 = CORES.iter().filter(|core| core.name == "m4").collect();
        let layers = ["conv 8x8x4 k3 p1 c4", "fold nearest2+conv3x3 8x8x4 c8", "decoder signal rows"];
        let measured = bench::measure(m4, layers.map(String::from).to_vec())?;
        measured.all().try_for_each(|(core, line, cost)| profile::table(core, line, cost).map(drop))
    });
    CORES.iter().map(of).chain([listed, profiled]).collect()
}

/// Boards whose consoles are talked to: each has another UART.
const CONVERSE: [&str; 4] = ["mps2-an386", oled::BOARD, "microbit", "hifive1"];

/// All demos on the first board and on those with a HAL crate; the large picture on the one with the least memory, and in less than 14 KB of it.
fn demos() -> Vec<Trial> {
    let bar = ProgressBar::hidden();
    let mut trials = Vec::new();
    for board in BOARDS.iter().filter(|board| board.hal || board.name == BOARDS[0].name) {
        for (task, runs) in models::run_all(board, &bar) {
            if board.name == "microbit" && task == Task::Bigpicture {
                let used = runs.as_ref().ok().map(|runs| task.activations(Some(0)) + runs[0].rest);
                trials.push(trial(board.name, "bigpicture takes less than 14 KB of RAM", move || {
                    let used = used.context("it did not run")?;
                    ensure!(used < 14 << 10, "it used {used} bytes of RAM");
                    Ok(())
                }));
            }
            let name = format!("{} is the host's and NumPy's", task.name());
            trials.push(trial(board.name, &name, || runs.map(drop)));
        }
    }
    let chain = chain().map_err(|error| format!("{error:#}"));
    let of = |name: &str, holds: fn(&[usize; 4]) -> Result<()>| {
        let chain = chain.clone();
        trial(BOARDS[0].name, name, move || holds(&chain.map_err(anyhow::Error::msg)?))
    };
    for name in CONVERSE {
        let verdict = boards::find(name).map_err(anyhow::Error::msg).and_then(live::converses);
        let what = "a live walk gives the host's pictures, damaged input is refused and the board goes on";
        trials.push(trial(name, what, || verdict));
    }
    let golden = oled::digits_are_golden();
    trials.push(trial(oled::BOARD, "the display shows docs/oled.png", || golden));
    // Of which the kernels' stack is more than half; the planner's own figure is 1.6 KB.
    trials.push(of("the chain takes at most 3.6 KB, stack included", |[rows, ..]| {
        ensure!(*rows <= 3686, "it used {rows} bytes");
        Ok(())
    }));
    trials.push(of("a U-Net stage takes 35 % less than with its concatenation in RAM", |[.., rows, whole]| {
        // Input and skip lie in RAM beside them.
        let inputs: usize = chain::STAGE.inputs.iter().map(|input| input.len()).sum();
        let [rows, whole] = [rows, whole].map(|used| inputs + used);
        ensure!(100 * rows <= 65 * whole, "{rows} bytes by rows, {whole} with whole tensors");
        Ok(())
    }));
    trials
}

/// Bytes of activations and scratch, stack included, of the chain by rows and whole, then of the U-Net stage.
fn chain() -> Result<[usize; 4]> {
    cargo::board(&BOARDS[0], &[])?;
    let (mut host, mut device) = (reports::on_host(chain::run, &[]), on_device(&BOARDS[0], "chain")?);
    let outputs = |reports: &[Report<'_>], of: u8| -> Vec<u8> {
        let data = |report: &Report<'_>| match report {
            Report::Output { network, data, .. } if *network == of => data.to_vec(),
            _ => Vec::new(),
        };
        reports.iter().flat_map(data).collect()
    };
    let (host, device) = (reports::decode(&mut host)?, reports::decode(&mut device)?);
    for (by_rows, len) in [(0, 64 * 64), (2, 32 * 32 * 8)] {
        let expected = outputs(&host, by_rows);
        ensure!(expected.len() == len, "rows are missing");
        for network in [by_rows, by_rows + 1] {
            ensure!(outputs(&device, network) == expected, "the device's bytes are not the host's");
        }
    }
    let cost = |of: u8, activations: usize| {
        let found = device.iter().find_map(|report| match *report {
            Report::Decoded { network, stack, .. } if network == of => Some(activations + stack as usize),
            _ => None,
        });
        found.with_context(|| format!("no cost of network {of}"))
    };
    Ok([
        cost(0, chain::CHAIN.rows.peak())?,
        cost(1, chain::CHAIN.whole.peak())?,
        cost(2, chain::STAGE.rows.peak())?,
        cost(3, chain::STAGE.whole.peak())?,
    ])
}

fn no_panic_can_be_reached(target: &str, cpu: &str) -> Result<()> {
    let (linked, messages) = link(target, cpu, "no-panic")?;
    ensure!(linked, "no-panic does not link: {messages}");
    Ok(())
}

/// The red control of the test above: it must fail to link, and for that reason alone.
fn a_panic_does_not_link(target: &str, cpu: &str) -> Result<()> {
    let (linked, messages) = link(target, cpu, "panics")?;
    ensure!(!linked, "panics links, so that no-panic proves nothing");
    let reached = messages.contains(REACHED) && messages.matches("undefined symbol").count() == 1;
    ensure!(reached, "panics fails to link for another reason: {messages}");
    Ok(())
}

/// Whether a binary links, and what cargo says.
fn link(target: &str, cpu: &str, binary: &str) -> Result<(bool, String)> {
    let output = cargo::firmware("release", &[target], cpu, &[binary])?.arg("--quiet").output()?;
    Ok((output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned()))
}
