//! `cargo xtask compare`: «`ConvTranspose2d` or `Upsample` + `Conv2d`?», answered from trained networks, or for one stage of a person's own.

use crate::boards::{CORES, Core};
use crate::canvas::{Canvas, INK, grey};
use crate::models::{Model, Task, decode_all};
use crate::terminal::markdown;
use crate::{bench, readme};
use anyhow::{Context, Result, ensure};
use embedded_graphics::mono_font::iso_8859_1::{FONT_7X13, FONT_10X20};
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::text::Alignment;
use firmware::networks::{Layers, Network, Seed};
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use serde_json::Value;
use std::fmt::Write;
use std::fs;
use std::iter::{once, zip};
use upconv::{Bound, Conv, ConvTranspose, Decoder, FoldNearest, Geometry, Node, Numerics, Resize, Shape, Upsample};

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
const FORMATS: [&str; 3] = ["f32", "int8", "int16x8"];

/// Prints the table of a stage, or writes docs/which-one.md.
pub fn run(options: &Options) -> Result<()> {
    match (&options.input, options.out_channels) {
        (Some(input), Some(channels)) => stage(input, channels),
        _ => page(),
    }
}

// ---- one stage --------------------------------------------------------------------------------------------------------

/// The five ways to double the size of a tensor; weights from a seed, int8.
fn stage(input: &str, channels: usize) -> Result<()> {
    let numbers: Vec<usize> = input.split('x').map_while(|n| n.parse().ok()).collect();
    let [h, w, c] = numbers[..] else { anyhow::bail!("`{input}` is no shape such as 16x16x64") };
    let (twice, shape) = (format!("{}x{}", 2 * h, 2 * w), Shape::new(h, w, c));
    let variants: [(&str, Vec<String>); 5] = [
        ("ConvTranspose2d k2 s2", vec![format!("conv_transpose {input} k2 s2 c{channels}")]),
        ("ConvTranspose2d k4 s2 p1", vec![format!("conv_transpose {input} k4 s2 p1 c{channels}")]),
        (
            "Upsample bilinear + Conv2d k3",
            vec![format!("upsample bilinear {input} {twice}"), format!("conv {twice}x{c} k3 p1 c{channels}")],
        ),
        (
            "Upsample nearest + Conv2d k3",
            vec![format!("upsample nearest {input} {twice}"), format!("conv {twice}x{c} k3 p1 c{channels}")],
        ),
        ("the same folded", vec![format!("fold nearest2+conv3x3 {input} c{channels}")]),
    ];
    let mut specs: Vec<String> = variants.iter().flat_map(|(_, specs)| specs.clone()).collect();
    specs.dedup();
    specs.sort();
    specs.dedup();
    // Before anything is built.
    let rings = streamed(shape, channels)?;
    let measured = bench::measure(CORES.iter().collect(), specs)?;
    let mut rows = vec![vec!["stage, int8".to_string()]];
    rows[0].extend(["MACs", "weights, bytes", "RAM streamed", "RAM whole"].map(String::from));
    rows[0].extend(CORES.iter().map(|core| format!("insns {}", core.name)));
    let count = |n: u64| HumanCount(n).to_string();
    for ((name, specs), ram) in variants.iter().zip(rings) {
        let sum = |core: &Core, of: &dyn Fn(&firmware::bench::Cost) -> u64| -> Result<u64> {
            specs.iter().map(|spec| measured.cost(spec, core.name).map(of).context("a layer was not measured")).sum()
        };
        let macs = |spec: &&String| !spec.starts_with("upsample");
        let first = measured.cost(specs.iter().find(macs).context("no convolution")?, CORES[0].name);
        let first = first.context("a layer was not measured")?;
        let mut row = vec![name.to_string(), count(first.macs), count(first.weights.into())];
        row.extend(ram.map(|n| count(n as u64)));
        for core in CORES {
            row.push(count(sum(core, &|cost| cost.instructions)?));
        }
        rows.push(row);
    }
    println!(
        "{}\n\nRAM: activations in bytes, input included; streamed: rings and one output row, the input coming row by row.",
        markdown(&rows)
    );
    Ok(())
}

/// Bytes of activations of each variant, streamed and whole.
fn streamed(shape: Shape, channels: usize) -> Result<[[usize; 2]; 5]> {
    let up = Shape::new(2 * shape.h, 2 * shape.w, shape.c);
    let weights = vec![0; 16 * shape.c * channels];
    let wide = vec![0i16; weights.len()];
    let multipliers = [upconv::Multiplier::from_real(0.5)?];
    let quant = || upconv::Quantization {
        x: upconv::Quant::new(1.0, 0),
        y: upconv::Quant::new(1.0, 0),
        multipliers: &multipliers,
        activation: upconv::Activation::None,
        rounding: upconv::Rounding::TfliteDouble,
    };
    let input = || Node::<i8>::rows(shape);
    let layer = |plan: &upconv::Plan| {
        let packed = &weights[..plan.weight_len().min(weights.len())];
        upconv::Weights::<i8, i32> { packed, bias: &[] }.layer::<i8>(plan, quant())
    };
    let one = |node: Node<'_, i8>| -> Result<[usize; 2]> {
        Ok([
            Decoder::plan([input(), node])?.peak(),
            Decoder::layer_by_layer([input(), node])?.peak() + plus(node_out(shape, channels)),
        ])
    };
    let two = |a: Node<'_, i8>, b: Node<'_, i8>| -> Result<[usize; 2]> {
        let whole = Decoder::layer_by_layer([input(), a, b])?.peak() + plus(node_out(shape, channels));
        Ok([Decoder::plan([input(), a, b])?.peak(), whole])
    };
    let k2 = layer(&ConvTranspose::plan(shape, channels, Geometry::square(2).stride(2, 2))?)?;
    let k4 = layer(&ConvTranspose::plan(shape, channels, Geometry::square(4).stride(2, 2).pad(1))?)?;
    let conv = layer(&Conv::plan(up, channels, Geometry::square(3).pad(1))?)?;
    let bilinear = Upsample::bilinear(shape, Resize::to(up.h, up.w), Numerics::Exact)?;
    let nearest = Upsample::nearest(shape, 2, 2)?;
    let fold = FoldNearest::plan(shape, [2, 2], channels, Geometry::square(3).pad(1))?.transposed();
    let folded =
        upconv::Weights { packed: &wide[..fold.weight_len()], bias: &[] as &[i32] }.layer::<i8>(&fold, quant())?;
    Ok([
        one(k2.node(0))?,
        one(k4.node(0))?,
        two(bilinear.node(0), conv.node(1))?,
        two(nearest.node(0), conv.node(1))?,
        one(folded.node(0))?,
    ])
}

fn node_out(shape: Shape, channels: usize) -> Shape {
    Shape::new(2 * shape.h, 2 * shape.w, channels)
}

/// The rows of a whole output beyond the one that a plan counts.
fn plus(output: Shape) -> usize {
    output.len() - output.row_len()
}

// ---- the page ---------------------------------------------------------------------------------------------------------

/// What is known of a network in one format.
struct Row {
    name: &'static str,
    format: &'static str,
    /// The figure of merit of each seed.
    merits: Vec<f64>,
}

impl Row {
    fn mean(&self) -> f64 {
        self.merits.iter().sum::<f64>() / self.merits.len() as f64
    }

    /// Standard deviation over seeds.
    fn spread(&self) -> f64 {
        let (mean, n) = (self.mean(), self.merits.len() as f64);
        (self.merits.iter().map(|m| (m - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0)).sqrt()
    }
}

/// A task's rows of quality, and the flat responses of its decoders.
struct Answer {
    task: Task,
    rows: Vec<Row>,
    flat: Vec<Flat>,
}

/// A decoder's name, the spread of its phase gains by layer, its amplitudes by frequency.
type Flat = (&'static str, Vec<f64>, Vec<f64>);

fn page() -> Result<()> {
    let bar = ProgressBar::new((TASKS.len() * (CORES.len() + 1)) as u64);
    bar.set_style(ProgressStyle::with_template("compare {wide_bar} {pos}/{len}, {elapsed}, {msg}")?);
    let mut text = String::from(HEAD);
    let mut answers = Vec::new();
    for task in TASKS {
        let name = task.name();
        bar.set_message(format!("{name} on this host, all seeds"));
        let answer = Answer { task, rows: quality(task)?, flat: flat(task)? };
        bar.inc(1);
        writeln!(text, "\n## {name}\n\n{}\n", answer.table())?;
        writeln!(text, "{}\n", answer.verdict())?;
        let mut costs: Vec<(&Core, Vec<crate::models::Run>)> = Vec::new();
        for core in CORES {
            bar.set_message(format!("{name} on {}", core.board.core));
            costs.push((core, task.run(&core.board, Some(1), &ProgressBar::hidden())?));
            bar.inc(1);
            bar.suspend(|| eprintln!("{name} on {}: done", core.board.core));
        }
        writeln!(text, "{}", cost_table(task, &costs))?;
        writeln!(text, "{}", answer.flat_table())?;
        answers.push(answer);
    }
    bar.finish_and_clear();
    plot(&answers)?.save(&readme::path("docs/which-one.png"))?;
    text += &conclusions(&answers);
    fs::write(readme::path("docs/which-one.md"), &text)?;
    println!("{text}\nWritten: docs/which-one.md and docs/which-one.png.");
    Ok(())
}

const HEAD: &str = "# `ConvTranspose2d` or `Upsample` + `Conv2d`?

Written by `cargo xtask compare`, every figure by running the networks of [models](../models/README.md): three tasks, four decoders of equal width each, trained from
three seeds, in f32 (PyTorch), int8 and int16x8. `folded` is `nearest` with every upsample folded into the convolution after it: int8 activations, int16
weights, the same outputs bit for bit.

![Quality with its spread over seeds, and the spectrum of a flat input's response](which-one.png)
";

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
            if task == Task::Digits {
                put(format, stated);
                continue;
            }
            let outputs = decode_all(seed, network);
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

impl Answer {
    fn names(&self) -> Vec<&'static str> {
        self.rows.iter().filter(|row| row.format == "int8").map(|row| row.name).collect()
    }

    fn row(&self, name: &str, format: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.name == name && row.format == format)
    }

    fn table(&self) -> String {
        let merit = self.task.merit();
        let mut rows = vec![once(merit.name.to_string()).chain(FORMATS.map(String::from)).collect::<Vec<_>>()];
        for name in self.names() {
            let cell = |format: &str| {
                self.row(name, format).map_or(String::new(), |r| {
                    format!("{:.*} ± {:.*}", merit.digits, r.mean(), merit.digits, r.spread())
                })
            };
            rows.push(once(name.to_string()).chain(FORMATS.map(cell)).collect());
        }
        let better = if merit.more { "higher" } else { "lower" };
        format!(
            "Quality: mean and standard deviation over {} seeds, {better} is better.\n\n{}",
            self.task.seeds().len(),
            markdown(&rows)
        )
    }

    /// Trained decoders in a format, the best first.
    fn ranked(&self, format: &str) -> Vec<&Row> {
        let mut all: Vec<_> = self.rows.iter().filter(|r| r.format == format && r.name != "folded").collect();
        all.sort_by(|a, b| a.mean().total_cmp(&b.mean()));
        if self.task.merit().more {
            all.reverse();
        }
        all
    }

    /// Those that the data cannot tell from the best: decoders of a seed share their encoder or its start, so seeds are compared in pairs, and two
    /// decoders differ when their mean difference is more than twice its standard error.
    fn tied(&self, format: &str) -> Vec<&'static str> {
        let ranked = self.ranked(format);
        let differs = |row: &&&Row| {
            let pairs = zip(&ranked[0].merits, &row.merits).map(|(a, b)| a - b).collect();
            let difference = Row { name: "", format: "", merits: pairs };
            difference.mean().abs() > 2.0 * difference.spread() / (row.merits.len() as f64).sqrt()
        };
        ranked.iter().skip(1).filter(|row| !differs(row)).map(|row| row.name).collect()
    }

    fn verdict(&self) -> String {
        let merit = self.task.merit();
        let mut lines = Vec::new();
        for format in FORMATS {
            let (ranked, tied) = (self.ranked(format), self.tied(format));
            let last = ranked[ranked.len() - 1];
            let tie = if tied.is_empty() {
                "ahead of all others by more than two standard errors".to_string()
            } else {
                format!(
                    "but the data do not tell it from {}",
                    tied.iter().map(|t| format!("`{t}`")).collect::<Vec<_>>().join(", ")
                )
            };
            lines.push(format!(
                "- {format}: best `{}` ({:.*}), {tie}; last `{}` ({:.*}).",
                ranked[0].name,
                merit.digits,
                ranked[0].mean(),
                last.name,
                merit.digits,
                last.mean()
            ));
        }
        for format in &FORMATS[1..] {
            let loss = |row: &Row| {
                let pair = self.row(row.name, "f32").map_or(0.0, |f| row.mean() - f.mean());
                format!("`{}` {pair:+.*}", row.name, merit.digits + 1)
            };
            let all: Vec<_> = self.ranked(format).into_iter().map(loss).collect();
            lines.push(format!("- {format} minus f32: {}.", all.join(", ")));
        }
        lines.join("\n")
    }

    fn flat_table(&self) -> String {
        let mut rows = vec![vec!["checkerboard".to_string(), "spread of phase gains, by layer, %".into()]];
        let count = self.flat.first().map_or(0, |(_, _, s)| s.len());
        rows[0].extend((1..=count).map(|k| format!("{k}/{}", 2 * count)));
        for (name, gains, spectrum) in &self.flat {
            let gains: Vec<_> = gains.iter().map(|g| format!("{:.1}", 100.0 * g)).collect();
            let mut row = vec![name.to_string(), gains.join(", ")];
            row.extend(spectrum.iter().map(|a| format!("{a:.4}")));
            rows.push(row);
        }
        format!(
            "Amplitude of a flat input's response at each frequency, cycles a sample, as a share of the outputs' standard deviation; mean over seeds, int16x8. Phase gains: root mean square of their differences
from their mean over root mean square of the means, real weights, seed 0.\n\n{}\n",
            markdown(&rows)
        )
    }
}

fn cost_table(task: Task, costs: &[(&Core, Vec<crate::models::Run>)]) -> String {
    let networks = task.seeds()[0].networks;
    let count = |n: usize| HumanCount(n as u64).to_string();
    let heads = ["network", "weights in flash", "RAM streamed", "RAM whole", "MACs"];
    let mut rows = vec![heads.map(String::from).to_vec()];
    rows[0].extend(costs.iter().map(|(core, _)| core.name.to_string()));
    for (i, network) in networks.iter().enumerate() {
        let name = format!("{} {}", network.name, network.format());
        let mut row =
            vec![name, count(network.flash), count(network.ram), count(network.whole), count(network.macs() as usize)];
        let cell = |(_, runs): &(&Core, Vec<crate::models::Run>)| {
            runs.iter().find(|run| run.network == i).map_or(String::new(), |run| count(run.instructions as usize))
        };
        row.extend(costs.iter().map(cell));
        rows.push(row);
    }
    format!(
        "Bytes, MACs and instructions of one input, streamed, on each core (m0 ... rv32). RAM: activations, streamed and with every tensor whole but for one output row; the demos' pages have stack and statics.\n\n{}\n",
        markdown(&rows)
    )
}

// ---- the checkerboard -------------------------------------------------------------------------------------------------

/// Of each decoder the spread of its phase gains, layer by layer, and the spectrum of a flat input's response.
fn flat(task: Task) -> Result<Vec<Flat>> {
    let seeds = task.seeds();
    let mut all = Vec::new();
    for (i, network) in seeds[0].networks.iter().enumerate().filter(|(_, n)| n.format() == "int16x8") {
        let mut mean = Vec::new();
        for (n, seed) in seeds.iter().enumerate() {
            let spectrum = spectrum(task, n, seed, &seed.networks[i])?;
            mean.resize(spectrum.len(), 0.0);
            zip(&mut mean, spectrum).for_each(|(m, s)| *m += s / seeds.len() as f64);
        }
        all.push((network.name, gains(task, network.name)?, mean));
    }
    Ok(all)
}

/// How far the gains of an output's phases differ. A convolution after an upsample has the same in each.
fn gains(task: Task, name: &str) -> Result<Vec<f64>> {
    let json: Value = serde_json::from_slice(&task.file("seed0/model.json")?)?;
    let decoders = json["decoders"].as_array().context("no decoders")?;
    let layers =
        decoders.iter().find(|d| d["name"] == name).and_then(|d| d["layers"].as_array()).context("no layers")?;
    let (weights, scales) = (task.file("seed0/weights.i8")?, task.file("seed0/scales.f32")?);
    let number = |v: &Value| v.as_u64().unwrap_or(0) as usize;
    let mut spreads = Vec::new();
    for layer in layers {
        let pair = |key: &str| [number(&layer[key][0]), number(&layer[key][1])];
        let (kernel, stride, padding) = (pair("kernel"), pair("stride"), pair("padding"));
        if layer["op"].as_str().is_some_and(|op| op.starts_with("upsample")) {
            spreads.push(0.0);
        }
        if layer["op"] != "conv_transpose" || stride == [1, 1] {
            continue;
        }
        let outs = number(&layer["out"][2]);
        let (start, len) = (number(&layer["weight"]["offset"]), number(&layer["weight"]["len"]));
        let ins = len / (outs * kernel[0] * kernel[1]);
        let (mut differences, mut means) = (0.0, 0.0);
        for o in 0..outs {
            let at = 4 * (number(&layer["channels"]["offset"]) + o);
            let scale = f64::from(f32::from_le_bytes([scales[at], scales[at + 1], scales[at + 2], scales[at + 3]]));
            for i in 0..ins {
                let mut phases = vec![0.0; stride[0] * stride[1]];
                for ky in 0..kernel[0] {
                    for kx in 0..kernel[1] {
                        let w = weights[start + ((i * outs + o) * kernel[0] + ky) * kernel[1] + kx] as i8;
                        let phase =
                            |k: usize, axis: usize| (k + stride[axis] - padding[axis] % stride[axis]) % stride[axis];
                        phases[phase(ky, 0) * stride[1] + phase(kx, 1)] += f64::from(w) * scale;
                    }
                }
                let mean = phases.iter().sum::<f64>() / phases.len() as f64;
                differences += phases.iter().map(|p| (p - mean).powi(2)).sum::<f64>() / phases.len() as f64;
                means += mean * mean;
            }
        }
        spreads.push((differences / means).sqrt());
    }
    Ok(spreads)
}

/// Amplitudes at 1/P, 2/P .. 1/2 cycles a sample, P the upsampling in all, of the response to a flat input, away from the borders.
fn spectrum(task: Task, n: usize, seed: &Seed, network: &Network) -> Result<Vec<f64>> {
    let Layers::Int16x8(rows, layers) = network.layers else { anyhow::bail!("{} is not int16x8", network.name) };
    let (samples, values) = (seed.samples, |s: usize| seed.input::<i16>(s, seed.len));
    // The mean of the test inputs everywhere; of a code that is no picture, the mean of the first layer's outputs.
    let mean = |all: &[i16], channels: usize| -> Vec<i16> {
        let pixels = (all.len() / channels) as i64;
        (0..channels)
            .map(|c| (all.iter().skip(c).step_by(channels).map(|v| i64::from(*v)).sum::<i64>() / pixels) as i16)
            .collect()
    };
    let run = |layer: &dyn upconv::Layer<i16>, x: &[i16]| -> Result<Vec<i16>> {
        let mut y = vec![0; layer.output().len()];
        Bound::whole(layer, x, &mut y)?.run();
        Ok(y)
    };
    let (raw, width, block) = if task == Task::Digits {
        let inner = layers[0].output();
        let mut all = Vec::new();
        for s in 0..samples {
            all.extend(run(layers[0], &values(s).collect::<Vec<_>>())?);
        }
        let mut x = mean(&all, inner.c).repeat(inner.h * inner.w);
        for layer in &layers[1..] {
            x = run(*layer, &x)?;
        }
        (x, 28, [12, 12, 4, 4])
    } else {
        let all: Vec<i16> = (0..samples).flat_map(values).collect();
        let channels = if task == Task::Ecg { 4 } else { 1 };
        let flat = mean(&all, channels);
        let (mut memory, mut y) = (vec![0i16; network.ram / 2], Vec::new());
        let mut x = flat.iter().copied().cycle().take(seed.window);
        rows.decode(&mut x, &mut memory, &mut |row| y.extend_from_slice(row))?;
        if task == Task::Ecg { (y, 1, [1600, 0, 16, 1]) } else { (y, 64, [28, 28, 4, 4]) }
    };
    let model = Model::read(task, n)?;
    let real = |raw: &[i16]| model.real(network, &raw.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>());
    // What a ripple is small or large against: how much the outputs for the test inputs vary.
    let outputs: Vec<f64> =
        decode_all(seed, network).iter().map(|o| model.real(network, o)).collect::<Result<Vec<_>>>()?.concat();
    let average = outputs.iter().sum::<f64>() / outputs.len() as f64;
    let deviation = (outputs.iter().map(|v| (v - average).powi(2)).sum::<f64>() / outputs.len() as f64).sqrt();
    let (y, [top, left, h, w]) = (real(&raw)?, block);
    let mut amplitudes = vec![0.0; h / 2];
    for u in 0..h {
        for v in 0..w {
            let (mut re, mut im) = (0.0, 0.0);
            for r in 0..h {
                for c in 0..w {
                    let angle = std::f64::consts::TAU * ((u * r) as f64 / h as f64 + (v * c) as f64 / w as f64);
                    let value = y[(top + r) * width + left + c];
                    (re, im) = (re + value * angle.cos(), im - value * angle.sin());
                }
            }
            let frequency = u.min(h - u).max(v.min(w - v));
            if frequency > 0 {
                amplitudes[frequency - 1] += (re * re + im * im) / ((h * w) as f64).powi(2);
            }
        }
    }
    Ok(amplitudes.into_iter().map(|power| power.sqrt() / deviation).collect())
}

// ---- plots and conclusions --------------------------------------------------------------------------------------------

const COLOURS: [Rgb888; 3] = [grey(150), Rgb888::new(200, 90, 60), Rgb888::new(60, 110, 190)];

/// For each task quality with its spread, and the spectra.
fn plot(answers: &[Answer]) -> Result<Canvas> {
    const PANEL: i32 = 460;
    const HEIGHT: i32 = 200;
    let mut canvas = Canvas::new(40 + PANEL * answers.len() as i32, 620);
    for (i, answer) in answers.iter().enumerate() {
        let (left, merit) = (60 + i as i32 * PANEL, answer.task.merit());
        let title = format!("{}: {}", answer.task.name(), merit.name);
        canvas.text(&title, Point::new(left, 26), &FONT_10X20, Alignment::Left);
        let ends = answer.rows.iter().flat_map(|r| [r.mean() - r.spread(), r.mean() + r.spread()]);
        let (low, high) = ends.fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(v), h.max(v)));
        let y = |v: f64| 50 + HEIGHT - ((v - low) / (high - low) * f64::from(HEIGHT)) as i32;
        for k in 0..=4 {
            let value = low + (high - low) * f64::from(k) / 4.0;
            canvas.fill(Point::new(left, y(value)), Size::new(PANEL as u32 - 90, 1), grey(225));
            canvas.text(
                &format!("{value:.*}", merit.digits),
                Point::new(left - 4, y(value) + 4),
                &FONT_7X13,
                Alignment::Right,
            );
        }
        for (d, name) in answer.names().iter().enumerate() {
            let x = left + 20 + d as i32 * 72;
            for (f, format) in FORMATS.iter().enumerate() {
                let Some(row) = answer.row(name, format) else { continue };
                let at = x + f as i32 * 16;
                let (top, bottom) = (y(row.mean() + row.spread()), y(row.mean() - row.spread()));
                canvas.fill(Point::new(at + 3, top), Size::new(2, (bottom - top).max(1) as u32), COLOURS[f]);
                canvas.fill(Point::new(at, y(row.mean()) - 3), Size::new(8, 7), COLOURS[f]);
            }
            canvas.text(name, Point::new(x + 20, 50 + HEIGHT + 22), &FONT_7X13, Alignment::Center);
        }
        let floor = 570;
        let most = answer.flat.iter().flat_map(|(_, _, s)| s).copied().fold(1e-9, f64::max);
        let title = format!("flat input: amplitude by frequency, up to {most:.3}");
        canvas.text(&title, Point::new(left, 330), &FONT_7X13, Alignment::Left);
        canvas.fill(Point::new(left, floor), Size::new(PANEL as u32 - 90, 1), INK);
        for (d, (name, _, spectrum)) in answer.flat.iter().enumerate() {
            let x = left + 10 + d as i32 * 90;
            for (k, amplitude) in spectrum.iter().enumerate() {
                let height = (amplitude / most * 210.0) as u32;
                let bar = (72 / spectrum.len()) as u32;
                canvas.fill(
                    Point::new(x + (k as u32 * bar) as i32, floor - height as i32),
                    Size::new(bar - 2, height),
                    INK,
                );
            }
            canvas.text(name, Point::new(x + 36, floor + 18), &FONT_7X13, Alignment::Center);
        }
    }
    for (f, format) in FORMATS.iter().enumerate() {
        let x = 60 + f as i32 * 110;
        canvas.fill(Point::new(x, 290), Size::new(10, 10), COLOURS[f]);
        canvas.text(format, Point::new(x + 16, 300), &FONT_7X13, Alignment::Left);
    }
    Ok(canvas)
}

/// What follows from all tasks, in sentences whose every number and name was measured.
fn conclusions(answers: &[Answer]) -> String {
    let list = |names: &[&str]| names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ");
    let mut text = String::from("\n## What follows\n\n");
    for answer in answers {
        let (best, tied) = (answer.ranked("int8")[0], answer.tied("int8"));
        let network =
            |name: &str| answer.task.seeds()[0].networks.iter().find(|n| n.name == name && n.format() == "int8");
        let name = answer.task.name();
        // `nearest` is deployed folded.
        let cost = |n: &str| network(if n == "nearest" { "folded" } else { n }).map_or((0, 0), |n| (n.macs(), n.ram));
        let mut equal: Vec<&str> = once(best.name).chain(tied).collect();
        equal.sort_by_key(|n| cost(n));
        let (macs, ram) = cost(equal[0]);
        let costs = format!("{} MACs, {} bytes of activations", HumanCount(macs), HumanCount(ram as u64));
        if equal.len() == 1 {
            _ = writeln!(
                text,
                "- **{name}**: take `{}`; in int8 it is the best by more than the seeds' spread ({costs}).",
                equal[0]
            );
        } else {
            _ = writeln!(
                text,
                "- **{name}**: between {} the data of {} seeds do not decide; take the cheapest of them, `{}` ({costs}).",
                list(&equal),
                best.merits.len(),
                equal[0]
            );
        }
    }
    text += "- **Folding** changes no output. ";
    for answer in answers {
        let of = |name: &str| answer.task.seeds()[0].networks.iter().find(|n| n.name == name && n.format() == "int8");
        if let (Some(pair), Some(folded)) = (of("nearest"), of("folded")) {
            _ = write!(
                text,
                "{}: {:.2} times fewer MACs, {:.2} times fewer bytes of activations, {:.2} times the flash. ",
                answer.task.name(),
                pair.macs() as f64 / folded.macs() as f64,
                pair.ram as f64 / folded.ram as f64,
                folded.flash as f64 / pair.flash as f64
            );
        }
    }
    text += "\n- **Quantisation**: ";
    for answer in answers {
        let merit = answer.task.merit();
        let worst = |format: &str| {
            let loss = |row: &&Row| {
                answer
                    .row(row.name, "f32")
                    .map_or(0.0, |f| (row.mean() - f.mean()) * if merit.more { -1.0 } else { 1.0 })
            };
            answer.ranked(format).into_iter().max_by(|a, b| loss(a).total_cmp(&loss(b))).map(|r| (r.name, loss(&r)))
        };
        if let (Some((a, int8)), Some((b, int16))) = (worst("int8"), worst("int16x8")) {
            let (task, digits) = (answer.task.name(), merit.digits + 1);
            let costs = format!(
                "int8 costs at most {int8:.digits$} of {} (`{a}`), int16x8 {int16:.digits$} (`{b}`)",
                merit.name
            );
            _ = write!(text, "{task}: {costs}. ");
        }
    }
    text += "\n- **Checkerboard**: an upsample before the convolution has the same gain in every phase, so a flat input stays flat but for rounding; a transposed convolution has to learn that. ";
    for answer in answers {
        let all: Vec<_> = answer
            .flat
            .iter()
            .map(|(n, _, s)| format!("`{n}` {:.3}", s.iter().map(|a| a * a).sum::<f64>().sqrt()))
            .collect();
        _ = write!(text, "{}: {}. ", answer.task.name(), all.join(", "));
    }
    text += "(Amplitudes of all frequencies together, shares of the outputs' standard deviation.)\n";
    text += "- **Not decided here**: larger networks, losses that judge texture, and training for int8; three seeds see a difference only when it is larger than their spread.\n";
    text
}
