//! `cargo xtask compare`: «`ConvTranspose2d` or `Upsample` + `Conv2d`?», answered from trained networks, or for one stage of a person's own.

mod answer;
mod decide;
mod flat;
mod plot;
mod stage;

use crate::boards::CORES;
use crate::models::{Model, Run, Task, decode_all};
use crate::readme;
use answer::{Answer, Cost, Row};
use anyhow::{Result, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use std::fmt::Write;
use std::fs;

/// What is asked for on the command line.
#[derive(clap::Args)]
pub struct Options {
    /// One stage of a network instead of the trained ones: the shape of its input, such as 16x16x64
    #[arg(long = "in", value_name = "HxWxC", requires = "out_channels")]
    input: Option<String>,
    /// ... and its output channels
    #[arg(long, value_name = "N", requires = "input")]
    out_channels: Option<usize>,
}

/// The tasks that have all decoders.
const TASKS: [Task; 3] = [Task::Digits, Task::Nuclei, Task::Ecg];

/// Prints the table of a stage, or writes docs/which-one.md.
pub fn run(options: &Options) -> Result<()> {
    match (&options.input, options.out_channels) {
        (Some(input), Some(channels)) => stage::run(input, channels),
        _ => page(),
    }
}

fn page() -> Result<()> {
    let bar = ProgressBar::new((TASKS.len() * (CORES.len() + 1)) as u64);
    bar.set_style(ProgressStyle::with_template("compare {wide_bar} {pos}/{len}, {elapsed}, {msg}")?);
    let mut answers = Vec::new();
    for task in TASKS {
        let name = task.name();
        bar.set_message(format!("{name} on this host, all seeds"));
        let mut answer = Answer { task, rows: quality(task)?, flat: flat::flat(task)?, costs: Vec::new() };
        bar.inc(1);
        let mut runs = Vec::new();
        for core in CORES {
            bar.set_message(format!("{name} on {}", core.board.core));
            runs.push(task.run(&core.board, None, &ProgressBar::hidden())?);
            bar.inc(1);
            bar.suspend(|| eprintln!("{name} on {}: done", core.board.core));
        }
        answer.costs = costs(task, &runs);
        answers.push(answer);
    }
    bar.finish_and_clear();
    plot::draw(&answers).save(&readme::path("docs/which-one.png"))?;
    let text = text(&answers)?;
    fs::write(readme::path("docs/which-one.md"), &text)?;
    println!("{text}\nWritten: docs/which-one.md and docs/which-one.png.");
    Ok(())
}

const HEAD: &str = "# `ConvTranspose2d` or `Upsample` + `Conv2d`?

Written by `cargo xtask compare` from the networks of [models](../models/README.md): three tasks, four decoders of equal width each, from three seeds. `folded` is
`nearest` with every upsample folded into the convolution after it: the same outputs bit for bit from weights of int16 (sums of up to four of `nearest`'s); with Helium (m55), int8 layers by 2x and three columns keep `nearest`'s weights instead (`Columns`).

## When to take which

";

const FIGURES: &str = "
![Quality with its spread over seeds, a flat input's response by frequency, and costs](which-one.png)

## Where the figures come from

- f32: PyTorch's, over the whole test set, as the training script printed them; the float weights are not committed.
- int8 and int16x8 of nuclei and ecg: the kernels on this host over the whole test set, and equal to the training script's.
- int8 and int16x8 of digits: over 10,000 images that are not committed, so by the training script's integer twin; the kernels give the twin's bytes for the 20 committed codes of every seed
  and decoder (checked by their CRC-32), and the PSNR of those below.
- Costs: seed 0 on emulated cores, streamed, whose every byte is this host's; instructions are the mean of the inputs that the demos show, as on their pages. RAM is bytes of activations: streamed, the rings and one output row;
  whole, layer by layer with every tensor whole but the output, of which it is one row too. The demos' pages have stack and statics.
- Differences are of pairs, seed by seed, with half the width of their 95 % confidence interval (Student's t, two degrees of freedom: 4.30 standard errors). **Bold**: the interval leaves
  0 out, which is what «shown» means here. Single comparisons, not corrected for their number: of twenty, one may be chance.
- Gain of each phase: from one input to one output channel of a stage, `Σ w` over the taps that reach the phase, from the int8 weights and their scales; after an upsample, over what its kernel makes of a flat
  input. Root mean square over channels, mean and standard deviation over seeds, in brackets the smallest and largest; «differ by»: the phases from their mean, root mean square, as a share of the means'.
- Flat input's response: amplitude by frequency in cycles a sample, as a share of the outputs' standard deviation, int16x8, mean over seeds; «together» with the standard deviation over seeds.
";

fn text(answers: &[Answer]) -> Result<String> {
    let mut text = format!("{HEAD}{}{FIGURES}", decide::list(answers));
    for answer in answers {
        let (quality, verdict, decided) = (answer.quality_table(), answer.verdict(), decide::alone(answer));
        writeln!(text, "\n## {}\n\n{quality}\n\n{verdict}\n{decided}", answer.task.name())?;
        for table in [answer.cost_table(), answer.gain_table(), answer.spectrum_table()] {
            writeln!(text, "{table}\n")?;
        }
        if answer.task == Task::Digits {
            writeln!(text, "{}\n", shown_table(answer.task)?)?;
        }
    }
    Ok(text.trim_end().to_string() + "\n")
}

/// The figure of merit of every decoder, format and seed: where the whole test set is committed int8 and int16x8 by the kernels on this host.
fn quality(task: Task) -> Result<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::new();
    let key = task.merit().key;
    for (n, seed) in task.seeds().iter().enumerate() {
        let model = Model::read(task, n)?;
        for network in seed.networks {
            let format = network.format();
            let stated = model.figure(network.name, format, key)?;
            let mut put = |format: &'static str, merit: f64| match rows
                .iter_mut()
                .find(|row| row.name == network.name && row.format == format)
            {
                Some(row) => row.merits.push(merit),
                None => rows.push(Row { name: network.name, format, merits: vec![merit] }),
            };
            if format == "int8" && network.name != "folded" {
                put("f32", model.figure(network.name, "f32", key)?);
            }
            let outputs = decode_all(seed, network);
            model.check(network, &outputs, "crc32")?;
            if task == Task::Digits {
                put(format, stated);
                continue;
            }
            let real = outputs.iter().map(|o| model.real(network, o)).collect::<Result<Vec<_>>>()?;
            let ours = task.quality(&real)?;
            // As many decimals as the training script prints.
            ensure!(
                (ours - stated).abs() < 6e-4,
                "{} {format}: {ours}, the training script says {stated}",
                network.name
            );
            put(format, ours);
        }
    }
    Ok(rows)
}

/// The committed test inputs alone, by the kernels, each seed.
fn shown_table(task: Task) -> Result<String> {
    let (merit, networks) = (task.shown_merit(), task.seeds()[0].networks);
    let mut rows = vec![vec![format!("{}, by the kernels", merit.name)]];
    rows[0].extend((0..task.seeds().len()).map(|n| format!("seed {n}")));
    for (i, network) in networks.iter().enumerate() {
        let mut row = vec![format!("{} {}", network.name, network.format())];
        for (n, seed) in task.seeds().iter().enumerate() {
            let (model, network) = (Model::read(task, n)?, &seed.networks[i]);
            let real = decode_all(seed, network).iter().map(|o| model.real(network, o)).collect::<Result<Vec<_>>>()?;
            row.push(format!("{:.*}", merit.digits, task.quality(&real)?));
        }
        rows.push(row);
    }
    Ok(crate::terminal::markdown(&rows))
}

/// What each network of the first seed costs, from its runs on each core.
fn costs(task: Task, runs: &[Vec<Run>]) -> Vec<Cost> {
    let networks = task.seeds()[0].networks.iter().enumerate();
    let cost = |(i, network): (usize, &firmware::networks::Network)| Cost {
        name: network.name,
        format: network.format(),
        flash: network.flash,
        ram: network.ram,
        whole: network.whole,
        macs: network.macs(),
        instructions: runs.iter().flatten().filter(|run| run.network == i).map(|run| run.instructions).collect(),
    };
    networks.map(cost).collect()
}
