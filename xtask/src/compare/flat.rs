//! The checkerboard: the gain of each phase of an output, and the spectrum of a flat input's response.

use super::answer::{Answer, deviation, mean, trained};
use crate::models::{Model, Task, decode_all};
use crate::terminal::markdown;
use anyhow::{Context, Result, bail};
use firmware::networks::{Layers, Network, Seed};
use serde_json::Value;
use std::iter::zip;
use upconv::{Bound, Layer};

/// What becomes of flat inputs in a decoder.
pub struct Flat {
    pub name: &'static str,
    /// Each layer that grows.
    pub stages: Vec<Stage>,
    /// Amplitudes by frequency, mean over seeds.
    pub spectrum: Vec<f64>,
    /// All frequencies together, of each seed.
    pub ripple: Vec<f64>,
}

/// The gains of a layer that grows.
pub struct Stage {
    pub phases: Vec<Phase>,
    /// Of each seed the root mean square of the phases' differences from their mean, over that of the means.
    pub spread: Vec<f64>,
}

/// The gains from each input to each output channel in one phase: `Σ w` over the taps that reach it.
#[derive(Default)]
pub struct Phase {
    /// The root mean square over channels, of each seed.
    pub rms: Vec<f64>,
    /// The smallest and the largest of all seeds.
    pub ends: Option<[f64; 2]>,
}

/// Whether a network is a trained decoder in the format with the finest outputs.
fn is_judged(network: &Network) -> bool {
    network.format() == "int16x8" && trained(network.name) == network.name
}

/// That of each trained decoder.
pub fn flat(task: Task) -> Result<Vec<Flat>> {
    let seeds = task.seeds();
    let mut all = Vec::new();
    for (i, network) in seeds[0].networks.iter().enumerate().filter(|(_, n)| is_judged(n)) {
        let mut flat = Flat { name: network.name, stages: Vec::new(), spectrum: Vec::new(), ripple: Vec::new() };
        for (n, seed) in seeds.iter().enumerate() {
            let (model, network) = (Model::read(task, n)?, &seed.networks[i]);
            let spectrum = spectrum(task, &model, seed, network)?;
            flat.ripple.push(spectrum.iter().map(|a| a * a).sum::<f64>().sqrt());
            flat.spectrum.resize(spectrum.len(), 0.0);
            zip(&mut flat.spectrum, spectrum).for_each(|(m, s)| *m += s / seeds.len() as f64);
            let stages = gains(task, n, &model, network)?;
            flat.stages.resize_with(stages.len(), || Stage { phases: Vec::new(), spread: Vec::new() });
            zip(&mut flat.stages, stages).for_each(|(stage, gains)| stage.add(&gains));
        }
        all.push(flat);
    }
    Ok(all)
}

impl Stage {
    /// Takes in the gains of a seed, phase by phase.
    fn add(&mut self, gains: &[Vec<f64>]) {
        self.phases.resize_with(gains.len(), Phase::default);
        for (phase, gains) in zip(&mut self.phases, gains) {
            phase.rms.push(mean(&gains.iter().map(|g| g * g).collect::<Vec<_>>()).sqrt());
            let [low, high] = phase.ends.unwrap_or([f64::MAX, f64::MIN]);
            phase.ends = Some(gains.iter().fold([low, high], |[l, h], g| [l.min(*g), h.max(*g)]));
        }
        let (mut differences, mut means) = (0.0, 0.0);
        for pair in 0..gains[0].len() {
            let phases: Vec<f64> = gains.iter().map(|g| g[pair]).collect();
            let mean = mean(&phases);
            differences += phases.iter().map(|p| (p - mean).powi(2)).sum::<f64>() / phases.len() as f64;
            means += mean * mean;
        }
        self.spread.push((differences / means).sqrt());
    }
}

/// A flat input of 1.0 to the upsamples, which keep the scale.
const ONE: i16 = 4096;

/// The gains of each layer that grows, by phase: of a transposed convolution from its weights, of an upsample and the convolution after it from the
/// weights, and from what the upsample's own kernel makes of a flat input.
fn gains(task: Task, seed: usize, model: &Model, network: &Network) -> Result<Vec<Vec<Vec<f64>>>> {
    let Layers::Int16x8(_, operators) = network.layers else { bail!("{} is not int16x8", network.name) };
    let (weights, scales) =
        (task.file(&format!("seed{seed}/weights.i8"))?, task.file(&format!("seed{seed}/scales.f32"))?);
    let number = |v: &Value| v.as_u64().unwrap_or(0) as usize;
    // Signals lie along the height.
    let pair =
        |v: &Value| if task == Task::Ecg { [number(&v[1]), number(&v[0])] } else { [number(&v[0]), number(&v[1])] };
    let mut stages = Vec::new();
    let layers = model.layers(network.name)?;
    // Joins are not among the operators.
    let mut operators = operators.iter();
    for (i, layer) in layers.iter().enumerate().filter(|(_, layer)| layer["op"] != "concat") {
        let operator = operators.next().context("a layer is missing")?;
        let (convolution, factor) = match layer["op"].as_str() {
            Some("conv_transpose") if pair(&layer["stride"]) != [1, 1] => (layer, pair(&layer["stride"])),
            Some(op) if op.starts_with("upsample") => (&layers[i + 1], pair(&layer["factor"])),
            _ => continue,
        };
        let ([kh, kw], [ph, pw], outs) =
            (pair(&convolution["kernel"]), pair(&convolution["padding"]), number(&convolution["out"][2]));
        let (from, ins) =
            (number(&convolution["weight"]["offset"]), number(&convolution["weight"]["len"]) / (outs * kh * kw));
        let scale = |o: usize| {
            let at = 4 * (number(&convolution["channels"]["offset"]) + o);
            f64::from(f32::from_le_bytes([scales[at], scales[at + 1], scales[at + 2], scales[at + 3]]))
        };
        let weight = |row: usize, tap: usize| f64::from(weights[from + row * kh * kw + tap] as i8);
        let taps = || (0..kh).flat_map(|ky| (0..kw).map(move |kx| [ky, kx]));
        let mut phases = Vec::new();
        if convolution["op"] == "conv_transpose" {
            // Output y of phase (ky - padding) mod stride.
            let phase = |k: usize, pad: usize, stride: usize| (k + stride - pad % stride) % stride;
            for at in (0..factor[0]).flat_map(|y| (0..factor[1]).map(move |x| [y, x])) {
                let reach = |[ky, kx]: &[usize; 2]| [phase(*ky, ph, factor[0]), phase(*kx, pw, factor[1])] == at;
                let gain = |o: usize, i: usize| {
                    taps().filter(reach).map(|[ky, kx]| weight(i * outs + o, ky * kw + kx)).sum::<f64>()
                };
                phases.push(
                    (0..outs).flat_map(|o| (0..ins).map(move |i| (o, i))).map(|(o, i)| gain(o, i) * scale(o)).collect(),
                );
            }
        } else {
            let (shape, up) = (operator.output(), run(*operator, &vec![ONE; operator.input().len()])?);
            let up = |y: usize, x: usize, c: usize| f64::from(up[(y * shape.w + x) * shape.c + c]) / f64::from(ONE);
            // Away from the borders, at a multiple of the factor.
            let [top, left] = [shape.h / 2 / factor[0] * factor[0], shape.w / 2 / factor[1] * factor[1]];
            for (y, x) in (0..factor[0]).flat_map(|y| (0..factor[1]).map(move |x| (top + y, left + x))) {
                let gain = |o: usize, i: usize| {
                    taps()
                        .map(|[ky, kx]| weight(o * ins + i, ky * kw + kx) * up(y + ky - ph, x + kx - pw, i))
                        .sum::<f64>()
                };
                phases.push(
                    (0..outs).flat_map(|o| (0..ins).map(move |i| (o, i))).map(|(o, i)| gain(o, i) * scale(o)).collect(),
                );
            }
        }
        stages.push(phases);
    }
    Ok(stages)
}

/// A layer on a whole input.
fn run(layer: &dyn Layer<i16>, x: &[i16]) -> Result<Vec<i16>> {
    let mut y = vec![0; layer.output().len()];
    Bound::whole(layer, x, &mut y)?.run();
    Ok(y)
}

/// Amplitudes at 1/P, 2/P .. 1/2 cycles a sample, P the upsampling in all, of the response to a flat input, away from the borders.
fn spectrum(task: Task, model: &Model, seed: &Seed, network: &Network) -> Result<Vec<f64>> {
    let Layers::Int16x8(rows, layers) = network.layers else { bail!("{} is not int16x8", network.name) };
    let (samples, values) = (seed.samples, |s: usize| seed.input::<i16>(s, seed.len));
    // The mean of the test inputs everywhere; of a code that is no picture, the mean of the first layer's outputs.
    let mean = |all: &[i16], channels: usize| -> Vec<i16> {
        let pixels = (all.len() / channels) as i64;
        (0..channels)
            .map(|c| (all.iter().skip(c).step_by(channels).map(|v| i64::from(*v)).sum::<i64>() / pixels) as i16)
            .collect()
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

impl Answer {
    pub fn gain_table(&self) -> String {
        let phases = self.flat.iter().flat_map(|f| &f.stages).map(|s| s.phases.len()).max().unwrap_or(0);
        let mut rows = vec![vec!["gain of each phase".to_string()]];
        rows[0].extend((0..phases).map(|p| if phases == 4 { format!("{}, {}", p / 2, p % 2) } else { p.to_string() }));
        rows[0].push("differ by, %".into());
        for flat in &self.flat {
            for (i, stage) in flat.stages.iter().enumerate() {
                let mut row = vec![format!("{}, stage {}", flat.name, i + 1)];
                row.extend(stage.phases.iter().map(|phase| {
                    let [low, high] = phase.ends.unwrap_or_default();
                    format!("{:.2} ± {:.2} ({low:.2}..{high:.2})", mean(&phase.rms), deviation(&phase.rms))
                }));
                row.resize(phases + 1, String::new());
                let percent: Vec<f64> = stage.spread.iter().map(|s| 100.0 * s).collect();
                row.push(format!("{:.1} ± {:.1}", mean(&percent), deviation(&percent)));
                rows.push(row);
            }
        }
        markdown(&rows)
    }

    pub fn spectrum_table(&self) -> String {
        let count = self.flat.first().map_or(0, |flat| flat.spectrum.len());
        let mut rows = vec![vec!["flat input's response".to_string()]];
        rows[0].extend((1..=count).map(|k| format!("{k}/{}", 2 * count)));
        rows[0].push("together".into());
        for flat in &self.flat {
            let mut row = vec![flat.name.to_string()];
            row.extend(flat.spectrum.iter().map(|a| format!("{a:.4}")));
            row.push(format!("{:.4} ± {:.4}", mean(&flat.ripple), deviation(&flat.ripple)));
            rows.push(row);
        }
        markdown(&rows)
    }

    /// All frequencies together, mean over seeds.
    pub fn ripple(&self, name: &str) -> Option<f64> {
        let name = trained(name);
        self.flat.iter().find(|flat| flat.name == name).map(|flat| mean(&flat.ripple))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The last stage of each digits decoder, which has no activation: `y = bias + Σ gain x` for a flat x, in each phase.
    #[test]
    fn gains_are_those_of_the_kernels() {
        const X: i16 = 1024;
        let (task, real) = (Task::Digits, |v: &Value| v["int16x8"]["scale"].as_f64().unwrap());
        let model = Model::read(task, 0).unwrap();
        let bias = task.file("seed0/bias.f32").unwrap();
        for network in task.seeds()[0].networks.iter().filter(|n| is_judged(n)) {
            let Layers::Int16x8(_, operators) = network.layers else { unreachable!() };
            let (stages, layers) = (gains(task, 0, &model, network).unwrap(), model.layers(network.name).unwrap());
            let stage = if layers.last().unwrap()["op"] == "conv" { 2 } else { 1 };
            let mut y = vec![X; operators[operators.len() - stage].input().len()];
            for operator in &operators[operators.len() - stage..] {
                y = run(*operator, &y).unwrap();
            }
            let [x_scale, y_scale] = [stage + 1, 1].map(|back| real(&layers[layers.len() - back]["y"]));
            let at = 4 * layers.last().unwrap()["channels"]["offset"].as_u64().unwrap() as usize;
            let bias = f64::from(f32::from_le_bytes(bias[at..at + 4].try_into().unwrap()));
            for (phase, gains) in stages[1].iter().enumerate() {
                let ours = bias + gains.iter().sum::<f64>() * f64::from(X) * x_scale;
                let theirs = f64::from(y[(14 + phase / 2) * 28 + 14 + phase % 2]) * y_scale;
                // TFLite's multiplier has 16 bits: a part in 2^15 of the value, and the rounding.
                let most = 2.0 * y_scale + ours.abs() / 16384.0;
                assert!(
                    (ours - theirs).abs() < most,
                    "{} phase {phase}: {ours}, the kernel has {theirs}",
                    network.name
                );
            }
        }
    }
}
