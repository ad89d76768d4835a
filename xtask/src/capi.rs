//! The library for C: its header, its size, the proof that it cannot panic, and its programs built by make and by CMake and run in the emulator.

use crate::boards::{self, BOARDS, CORES};
use crate::models::{self, Task};
use crate::terminal::markdown;
use crate::tests::{REACHED, trial};
use crate::{bench, c_model, cargo, emulator, package, readme, setup};
use anyhow::{Context, Result, bail, ensure};
use benches::LAYERS;
use indicatif::HumanCount;
use libtest_mimic::{Arguments, Trial};
use object::{Object, ObjectSection};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::{env, fs};

/// A test of built programs, which lie in a folder.
type Test = fn(&Path) -> Result<()>;

/// What is asked for.
#[derive(clap::Subcommand)]
pub enum What {
    /// Write capi/include/upconv.h
    Header,
    /// Write a trained model of a chain of layers as C data, weights packed
    Model {
        #[arg(value_enum)]
        task: Task,
        /// What to write
        file: PathBuf,
        /// The order of the weights: what `upconv_block()` answers on the core; 1 wherever there is assembly
        #[arg(long, default_value_t = 1)]
        block: usize,
    },
    /// Build the library for every target and print how much code it is, with all functions and with those of a decoder of convolutions
    Size,
    /// Run the tests of the libraries for C and for other people's Rust, which are also part of `cargo xtask test`
    Test,
}

/// Does it.
pub fn run(what: What) -> Result<()> {
    match what {
        What::Header => Ok(fs::write(header_path(), header()?)?),
        What::Model { task, file, block } => {
            let text = c_model::write(task, block)?;
            fs::write(&file, text).with_context(|| format!("{} cannot be written", file.display()))
        }
        What::Size => size(),
        What::Test => {
            setup::board(&BOARDS[0])?;
            setup::c_compiler()?;
            let all = trials()?.into_iter().chain(package::trials()).collect();
            ensure!(!libtest_mimic::run(&Arguments::default(), all).has_failed(), "tests of the libraries failed");
            Ok(())
        }
    }
}

fn header_path() -> PathBuf {
    readme::path("capi/include/upconv.h")
}

/// The header, from the library's source.
fn header() -> Result<String> {
    let folder = readme::path("capi");
    let config = cbindgen::Config::from_file(folder.join("cbindgen.toml")).map_err(anyhow::Error::msg)?;
    let mut header = Vec::new();
    cbindgen::generate_with_config(&folder, config)?.write(&mut header);
    Ok(String::from_utf8(header)?)
}

/// All functions of the header.
fn functions() -> Result<Vec<String>> {
    let header = header()?;
    let words = header.split(['\n', ' ', '*']).filter_map(|word| word.split_once('('));
    let names: Vec<_> = words.map(|(name, _)| name.to_string()).filter(|name| name.starts_with("upconv_")).collect();
    ensure!(names.len() > 30, "the header has {} functions only", names.len());
    Ok(names)
}

/// Builds the library for a target and a CPU, with the panic of the red control or without.
fn build(target: &str, cpu: &str, red: bool) -> Result<PathBuf> {
    setup::target(target)?;
    let mut build = cargo::cargo("rustc");
    build.args(["--quiet", "--package", "upconv-capi", "--lib", "--crate-type", "staticlib", "--release"]);
    cargo::for_cpu(build.args(["--target", target]), cpu)?;
    if red {
        build.args(["--", "--cfg", "upconv_red"]);
    }
    cargo::run(&mut build)?;
    Ok(cargo::directory(cpu)?.join(target).join("release/libupconv_capi.a"))
}

/// Links these functions and what they need, without a C compiler: the linker's messages, and the program.
fn link(library: &Path, functions: &[String]) -> Result<(String, Vec<u8>)> {
    let sysroot =
        Command::new("rustc").args(["--print", "target-libdir"]).output().context("`rustc` cannot be started")?;
    let host = PathBuf::from(String::from_utf8(sysroot.stdout)?.trim());
    let linker = host.with_file_name("bin").join("rust-lld").with_extension(env::consts::EXE_EXTENSION);
    let elf = library.with_extension("elf");
    let mut link = Command::new(&linker);
    link.args(["-flavor", "gnu", "--gc-sections", "--entry", "0", "-o"]).arg(&elf);
    functions.iter().for_each(|name| _ = link.args(["-u", name]));
    let output = link.arg(library).output().with_context(|| format!("{} cannot be started", linker.display()))?;
    let messages = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok((messages, if output.status.success() { fs::read(&elf)? } else { Vec::new() }))
}

fn no_panic(target: &str, cpu: &str) -> Result<()> {
    let (messages, elf) = link(&build(target, cpu, false)?, &functions()?)?;
    ensure!(!elf.is_empty(), "the library does not link: {messages}");
    Ok(())
}

fn a_panic_does_not_link(target: &str, cpu: &str) -> Result<()> {
    let (messages, elf) = link(&build(target, cpu, true)?, &["upconv_red".into()])?;
    ensure!(elf.is_empty(), "the red control links, so that the library's linking proves nothing");
    let reached = messages.contains(REACHED) && messages.matches("undefined symbol").count() == 1;
    ensure!(reached, "the red control fails to link for another reason: {messages}");
    Ok(())
}

fn size() -> Result<()> {
    let all = functions()?;
    let decoder =
        ["pack", "conv_i8", "decoder_i8", "decoder_need", "bind_i8", "push_i8"].map(|f| format!("upconv_{f}"));
    let mut rows = vec![["target", "all functions", "int8 convolutions in a decoder"].map(String::from).to_vec()];
    for [target, cpu] in boards::targets() {
        let library = build(target, cpu, false)?;
        let mut row = vec![if cpu.is_empty() { target.to_string() } else { format!("{target}, {cpu}") }];
        for functions in [&all[..], &decoder] {
            let (messages, elf) = link(&library, functions)?;
            ensure!(!elf.is_empty(), "the library does not link: {messages}");
            let file = object::File::parse(&*elf)?;
            let bytes = file.sections().filter(|s| s.address() != 0 || s.name() == Ok(".text"));
            row.push(HumanCount(bytes.map(|s| s.size()).sum()).to_string());
        }
        rows.push(row);
    }
    println!("{}", markdown(&rows));
    Ok(())
}

/// The tests of the library: header, proof and programs.
pub fn trials() -> Result<Vec<Trial>> {
    let mut trials = vec![trial("capi", "the header is that of the source", || {
        let written = fs::read_to_string(header_path())?;
        ensure!(written == header()?, "capi/include/upconv.h is stale: `cargo xtask c header` writes it");
        Ok(())
    })];
    for [target, cpu] in boards::targets() {
        let on = if cpu.is_empty() { target } else { cpu };
        // One after the other: both write the same library.
        trials.push(trial(on, "the C library cannot panic, and a panic does not link", move || {
            a_panic_does_not_link(target, cpu)?;
            no_panic(target, cpu)
        }));
    }
    for system in ["make", "cmake"] {
        let built = Arc::new(programs(system).map_err(|error| format!("{error:#}")));
        let tests: [(&str, Test); 3] = [
            ("the README's program in C prints what it says", first),
            ("digits decoded in C are the host's", digits),
            ("layers cost in C what they cost in Rust, and give the same bytes", costs),
        ];
        for (name, test) in tests {
            let built = Arc::clone(&built);
            trials.push(trial(system, name, move || match &*built {
                Ok(folder) => test(folder),
                Err(error) => bail!("{error}"),
            }));
        }
    }
    Ok(trials)
}

/// Builds the programs by make or CMake; answers where they lie.
fn programs(system: &str) -> Result<PathBuf> {
    let (source, target_dir) = (readme::path("capi/examples").canonicalize()?, cargo::target_dir()?);
    let folder = target_dir.join("capi").join(system);
    fs::create_dir_all(&folder)?;
    // What is generated may be of another version of the generator.
    if folder.join("model.c").exists() {
        fs::remove_file(folder.join("model.c"))?;
    }
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let cargo = env::var("CARGO").unwrap_or("cargo".into());
    let directory = format!("CARGO_TARGET_DIR={}", text(&target_dir));
    match system {
        "make" => {
            let build = format!("BUILD={}", text(&folder));
            cargo::run(
                Command::new("make")
                    .args(["--silent", "-C"])
                    .arg(&source)
                    .args([build, directory])
                    .arg(format!("CARGO={cargo}")),
            )?;
        }
        _ => {
            let toolchain = format!("-DCMAKE_TOOLCHAIN_FILE={}", text(&source.join("arm-none-eabi.cmake")));
            let mut configure = Command::new("cmake");
            configure.arg("-S").arg(&source).arg("-B").arg(&folder).args([
                toolchain,
                format!("-D{directory}"),
                format!("-DCARGO={cargo}"),
            ]);
            cargo::run(configure.arg("--log-level=WARNING"))?;
            cargo::run(Command::new("cmake").arg("--build").arg(&folder))?;
        }
    }
    Ok(folder)
}

/// What a program prints on the board.
fn output(folder: &Path, program: &str) -> Result<String> {
    emulator::console(&BOARDS[0], &folder.join(program).with_extension("elf"))
}

fn first(folder: &Path) -> Result<()> {
    let (readme, program) = (readme::path("README.md"), readme::path("capi/examples/first.c"));
    let shown = fs::read_to_string(readme)?.contains(&fs::read_to_string(program)?);
    ensure!(shown, "the README does not show capi/examples/first.c as it is");
    let printed = output(folder, "first")?;
    ensure!(printed.trim() == "1 2 2 4 3 4 6 8 0 0 4 8 0 0 12 16", "it printed {printed}");
    Ok(())
}

/// The CRC-32 of every output of every network is that of the host's bytes.
fn digits(folder: &Path) -> Result<()> {
    let printed = output(folder, "digits")?;
    let mut crcs = printed.lines().filter_map(|line| line.rsplit_once(' ')).filter(|(name, _)| name.contains(" int"));
    let seed = &Task::Digits.seeds()[0];
    // C has int16 weights for int8 inputs alone.
    for network in seed.networks.iter().filter(|n| (n.name, n.format()) != ("folded", "int16x8")) {
        for (sample, bytes) in models::decode_all(seed, network).iter().enumerate() {
            let expected =
                (format!("{} {} {sample}", network.name, network.format()), format!("{:08x}", crc32fast::hash(bytes)));
            let got = crcs.next().context("networks are missing")?;
            ensure!(
                (got.0, got.1) == (&*expected.0, &*expected.1),
                "it printed {got:?} where the host has {expected:?}"
            );
        }
    }
    ensure!(crcs.next().is_none(), "there are more networks than the host has");
    Ok(())
}

/// The same digests as the Rust bench, and within 3 % of its instructions.
fn costs(folder: &Path) -> Result<()> {
    const NAMES: [&str; 11] = ["T1", "T2", "T3", "T4", "T5", "T6", "T7", "T8", "C1", "C2", "C3"];
    let printed = output(folder, "bench")?;
    let layers: Vec<_> = NAMES.iter().filter_map(|name| LAYERS.iter().find(|layer| layer.name == *name)).collect();
    let core = CORES.iter().filter(|core| core.name == "m4").collect();
    let rust = bench::measure(core, layers.iter().map(|layer| layer.spec.to_string()).collect())?;
    ensure!(printed.lines().count() == NAMES.len(), "{} layers of {} ran", printed.lines().count(), NAMES.len());
    for ((line, layer), (_, _, rust)) in printed.lines().zip(layers).zip(rust.all()) {
        let [name, instructions, _, digest] = line.split(' ').collect::<Vec<_>>()[..] else {
            bail!("it printed {line}")
        };
        ensure!(name == layer.name, "it measured {name} where {} is due", layer.name);
        ensure!(digest == format!("{:08x}", rust.digest), "{name}: the output is not that of the Rust bench");
        let (ours, rust) = (instructions.parse::<u64>()?, rust.instructions);
        ensure!(ours.abs_diff(rust) * 100 <= 3 * rust, "{name}: {ours} instructions in C, {rust} in Rust");
    }
    Ok(())
}
