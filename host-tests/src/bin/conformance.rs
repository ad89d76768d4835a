//! Checks upconv against the cases of a folder; the format is described in `host-tests/CASES.md`.

use anyhow::{Context, Result, ensure};
use clap::Parser;
use host_tests::{cases, report, run};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::{fs, io};

/// Runs PyTorch, ONNX and LiteRT operator calls against their expected outputs: a line for each case, a summary for each
/// operator, exit code 1 if any is wrong or broken.
///
/// A float case is run three ways: the f64 reference against the expected output (f64), and the int8 and int16 kernels (i8, i16)
/// against that reference on the same rounded inputs. A quantised case has to be equal bit for bit.
#[derive(Parser)]
#[command(name = "conformance")]
struct Arguments {
    /// A folder that holds a folder for each case, or the .json of a packed pair
    dir: Option<PathBuf>,
    /// Writes [{name, op, numbers, status, max_err_steps, reason}, ..] to FILE
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    match conformance(Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => {
            eprintln!("conformance: {e:#}");
            ExitCode::from(2)
        }
    }
}

/// Whether no case failed.
fn conformance(arguments: Arguments) -> Result<bool> {
    let dir = arguments.dir.context("no folder given: cargo run --release -p host-tests --bin conformance -- DIR")?;
    let packed = dir.extension().is_some_and(|e| e == "json");
    let sources = if packed { cases::packed(&dir)? } else { cases::folders(&dir)? };
    ensure!(!sources.is_empty(), "{} holds no case folder", dir.display());
    // Draws nothing where stderr is not a terminal.
    let bar = ProgressBar::new(sources.len() as u64);
    bar.set_style(ProgressStyle::with_template("{bar:40} {pos}/{len} {msg}")?);
    let mut all = Vec::new();
    for source in sources {
        let name = source.name();
        bar.set_message(name.clone());
        let outcomes = run::check(&name, source.read());
        bar.suspend(|| writeln!(io::stdout(), "{}", report::line(&outcomes)))?;
        all.extend(outcomes);
        bar.inc(1);
    }
    bar.finish_and_clear();
    writeln!(io::stdout(), "\n{}", report::summary(&all))?;
    if let Some(file) = arguments.json {
        let text = serde_json::to_string_pretty(&all)? + "\n";
        fs::write(&file, text).with_context(|| format!("{} cannot be written", file.display()))?;
    }
    Ok(!all.iter().any(|o| o.failed()))
}
