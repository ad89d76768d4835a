//! The trained models: what they are held against, the figure of merit of each task, and their networks run on a board.

use crate::boards::Board;
use crate::reports::{self, Host};
use crate::{cargo, emulator, readme, setup};
use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use firmware::networks::{Layers, Network, Number, Rows, Seed, Shown};
use firmware::report::Report;
use firmware::{bigpicture, bigpicture16, digits, ecg, nuclei};
use indicatif::ProgressBar;
use serde_json::Value;
use std::fs;
use std::iter::zip;

/// A task, and its demo.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Task {
    /// Handwritten digits from codes of 16 numbers
    Digits,
    /// Nuclei in microscope pictures, found by a U-Net
    Nuclei,
    /// An electrocardiogram from a slow stream of codes
    Ecg,
    /// Photographs of 128x128 pixels from 12 numbers, in less than 14 KB of RAM
    Bigpicture,
}

/// A figure of merit: its key in the models, what it is, its digits, and whether more is better.
pub struct Merit {
    /// Its key in `model.json` and `metrics.json`.
    pub key: &'static str,
    /// Its name and unit.
    pub name: &'static str,
    /// Decimals that are printed.
    pub digits: usize,
    /// Whether a larger one is better.
    pub more: bool,
}

/// What a network came to on a board.
pub struct Run {
    /// Its place in the seed's list.
    pub network: usize,
    /// Raw outputs, an input after the other, as the bytes of a device.
    pub outputs: Vec<Vec<u8>>,
    /// Instructions for an input.
    pub instructions: u64,
    /// Bytes of stack but for the activations, and of statics.
    pub rest: usize,
    /// Of these the stack.
    pub stack: usize,
}

/// The name of each program of a task, the network that it runs (else all), and the program.
pub type Program = (&'static str, Option<usize>, fn(&mut Host));

/// Stack and statics beside the activations, at most, for the question whether a demo fits a board; measured by the demos.
const REST: usize = 5200;

/// Tasks whose networks and test inputs are too large for a board's flash.
const TOO_LARGE: [(&str, Task); 1] = [("lm3s6965evb", Task::Nuclei)];

impl Task {
    /// Its name: of its folder in `models/`, its program and its feature.
    pub fn name(self) -> &'static str {
        match self {
            Task::Digits => "digits",
            Task::Nuclei => "nuclei",
            Task::Ecg => "ecg",
            Task::Bigpicture => "bigpicture",
        }
    }

    /// What was trained.
    pub fn seeds(self) -> &'static [Seed] {
        match self {
            Task::Digits => &*digits::SEEDS,
            Task::Nuclei => &*nuclei::SEEDS,
            Task::Ecg => &*ecg::SEEDS,
            Task::Bigpicture => &*bigpicture::SEEDS,
        }
    }

    /// The network whose pictures displays show.
    pub fn shown(self) -> Option<&'static Shown> {
        match self {
            Task::Digits => Some(&digits::SHOWN),
            Task::Nuclei => Some(&nuclei::SHOWN),
            Task::Bigpicture => Some(&bigpicture::SHOWN),
            Task::Ecg => None,
        }
    }

    fn programs(self) -> &'static [Program] {
        match self {
            Task::Digits => &[("digits", None, digits::run)],
            Task::Nuclei => &[("nuclei", None, nuclei::run)],
            Task::Ecg => &[("ecg", None, ecg::run)],
            Task::Bigpicture => {
                &[("bigpicture", Some(0), bigpicture::run), ("bigpicture16", Some(1), bigpicture16::run)]
            }
        }
    }

    /// What people judge its outputs by.
    pub fn merit(self) -> Merit {
        match self {
            Task::Digits => Merit { key: "elbo", name: "ELBO, nats", digits: 2, more: true },
            Task::Nuclei => Merit { key: "iou", name: "IoU", digits: 3, more: true },
            Task::Ecg => Merit { key: "prd", name: "PRD, %", digits: 2, more: false },
            Task::Bigpicture => Merit { key: "psnr", name: "PSNR, dB", digits: 2, more: true },
        }
    }

    /// What its figure of merit is over.
    pub fn judged_on(self) -> &'static str {
        match self {
            Task::Digits => "10,000 test images",
            Task::Nuclei => "16 test tiles",
            Task::Ecg => "75 s held out",
            Task::Bigpicture => "the pictures it was trained on",
        }
    }

    /// What the networks of a seed have in common.
    pub fn trained_how(self) -> &'static str {
        match self {
            Task::Digits | Task::Ecg => {
                "One encoder and its four decoders are trained together: within a seed all decoders read the same codes."
            }
            Task::Nuclei => {
                "One encoder and its four decoders are trained together: within a seed all decoders read the same features, skips included."
            }
            Task::Bigpicture => {
                "The network was trained on exactly these four pictures and knows them by heart: the 12 numbers choose one of them."
            }
        }
    }

    /// The figure that single outputs have: of digits the PSNR, because an ELBO is one of many drawn codes.
    pub fn shown_merit(self) -> Merit {
        match self {
            Task::Digits => Merit { key: "psnr", name: "PSNR, dB", digits: 2, more: true },
            _ => self.merit(),
        }
    }

    /// A file of the task.
    pub fn file(self, name: &str) -> Result<Vec<u8>> {
        let path = readme::path("models").join(self.name()).join(name);
        fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))
    }

    /// Bytes of activations of a network, or of the largest.
    pub fn activations(self, only: Option<usize>) -> usize {
        let networks = self.seeds()[0].networks.iter().enumerate();
        networks.filter(|(i, _)| only.is_none_or(|o| o == *i)).map(|(_, n)| n.ram).max().unwrap_or(0)
    }

    /// Bytes of weights of a network, or of all.
    pub fn weights(self, only: Option<usize>) -> usize {
        let networks = self.seeds()[0].networks.iter().enumerate();
        networks.filter(|(i, _)| only.is_none_or(|o| o == *i)).map(|(_, n)| n.flash).sum()
    }

    /// The programs that fit a board of some RAM, or how much is missing.
    pub fn fit(self, board: &str, ram: usize) -> Result<Vec<&'static Program>> {
        let need = |program: &Program| self.activations(program.1) + REST;
        let fitting: Vec<_> = self.programs().iter().filter(|program| need(program) <= ram).collect();
        let least = self.programs().iter().map(need).min().unwrap_or(0);
        let name = self.name();
        ensure!(
            !TOO_LARGE.contains(&(board, self)),
            "the networks and test inputs of {name} are too large for {board}'s flash"
        );
        ensure!(!fitting.is_empty(), "{name} does not fit {board}: it needs {least} bytes of RAM, the board has {ram}");
        Ok(fitting)
    }

    /// Builds its demo for a board, runs it there and on this host, and compares every byte with the host's and with what NumPy computed.
    pub fn run(self, board: &Board, samples: Option<usize>, bar: &ProgressBar) -> Result<Vec<Run>> {
        let programs = self.fit(board.name, board.ram)?;
        setup::board(board)?;
        cargo::board(board, &[self.name()])?;
        let arguments: Vec<_> = samples.iter().map(usize::to_string).collect();
        let mut runs = Vec::new();
        for program in programs {
            runs.extend(self.compare(program, &arguments, emulator::run(board, program.0, &arguments, bar)?)?);
        }
        Ok(runs)
    }

    /// Compares what a board sent by itself in the same way: its first program.
    pub fn compare_first(self, device: Vec<u8>) -> Result<Vec<Run>> {
        self.compare(&self.programs()[0], &[], device)
    }

    fn compare(self, (name, only, program): &Program, arguments: &[String], device: Vec<u8>) -> Result<Vec<Run>> {
        let (host, device) = (self.parse(*only, reports::on_host(*program, arguments))?, self.parse(*only, device)?);
        for (device, host) in zip(&device, &host) {
            let network = &self.seeds()[0].networks[device.network];
            for (i, (d, h)) in zip(&device.outputs, &host.outputs).enumerate() {
                let what = format!("{name}, {} {}, input {i}", network.name, network.format());
                ensure!(d == h, "{what}: the device's bytes are not the host's");
            }
            ensure!(device.outputs.len() == host.outputs.len(), "{name}: outputs are missing");
        }
        ensure!(device.len() == host.len(), "{name}: networks are missing");
        let model = Model::read(self, 0)?;
        let key = if model.json["window"].is_null() { "crc32" } else { "window_crc32" };
        for run in &device {
            model.check(&self.seeds()[0].networks[run.network], &run.outputs, key)?;
        }
        Ok(device)
    }

    /// Takes what a program sent apart.
    fn parse(self, only: Option<usize>, mut bytes: Vec<u8>) -> Result<Vec<Run>> {
        let networks = self.seeds()[0].networks;
        let mut runs: Vec<Run> = (0..networks.len())
            .filter(|i| only.is_none_or(|o| o == *i))
            .map(|network| Run { network, outputs: Vec::new(), instructions: 0, rest: 0, stack: 0 })
            .collect();
        let mut rest = &mut bytes[..];
        if let Some(network) = only {
            for _ in 0..self.seeds()[0].shown {
                let (picture, after) = ppm(rest, networks[network].format() == "int8")?;
                runs[0].outputs.push(picture);
                rest = after;
            }
        }
        for report in reports::decode(rest)? {
            let at = |network: u8| only.map_or(usize::from(network), |_| 0);
            match report {
                Report::Output { network, sample, data } => {
                    let run = runs.get_mut(at(network)).context("a network is unknown")?;
                    run.outputs.resize(run.outputs.len().max(usize::from(sample) + 1), Vec::new());
                    run.outputs[usize::from(sample)].extend(data);
                }
                Report::Decoded { network, instructions, stack, statics } => {
                    let run = runs.get_mut(at(network)).context("a network is unknown")?;
                    (run.instructions, run.stack) = (instructions, stack as usize);
                    run.rest = (stack + statics) as usize;
                }
                Report::Done => return Ok(runs),
                _ => bail!("a report that does not belong to a network"),
            }
        }
        bail!("the device stopped before it was done")
    }

    /// The figure of merit of real outputs, those of the first inputs: PSNR, IoU or PRD.
    pub fn quality(self, outputs: &[Vec<f64>]) -> Result<f64> {
        let flat = outputs.iter().flatten().copied();
        Ok(match self {
            Task::Digits => psnr(flat.map(|logit| 1.0 / (1.0 + (-logit).exp())), &self.file("images.u8")?),
            Task::Bigpicture => psnr(flat, &self.file("images.u8")?),
            Task::Nuclei => {
                let masks = self.file("masks.bits")?;
                let (mut both, mut any) = (0, 0);
                for (i, logit) in flat.enumerate() {
                    let (found, right) = (logit > 0.0, masks[i / 8] >> (7 - i % 8) & 1 == 1);
                    both += u32::from(found && right);
                    any += u32::from(found || right);
                }
                f64::from(both) / f64::from(any)
            }
            Task::Ecg => {
                let pairs: Vec<_> = zip(flat, millivolts(&self.file("signal.i16")?)).collect();
                let mean = pairs.iter().map(|(_, y)| y).sum::<f64>() / pairs.len() as f64;
                let error: f64 = pairs.iter().map(|(x, y)| (x - y).powi(2)).sum();
                100.0 * (error / pairs.iter().map(|(_, y)| (y - mean).powi(2)).sum::<f64>()).sqrt()
            }
        })
    }
}

/// The same for each demo that fits a board.
pub fn run_all(board: &Board, bar: &ProgressBar) -> Vec<(Task, Result<Vec<Run>>)> {
    let tasks = Task::value_variants().iter().copied();
    let fitting = tasks.filter(|task| task.fit(board.name, board.ram).is_ok());
    fitting.map(|task| (task, task.run(board, None, bar))).collect()
}

/// Peak signal-to-noise ratio of values between 0 and 1 against grey bytes: `10 log10(1 / mean((a - b)²))`.
fn psnr(values: impl Iterator<Item = f64>, bytes: &[u8]) -> f64 {
    let (mut squares, mut count) = (0.0, 0.0);
    for (a, b) in zip(values, bytes) {
        squares += (a - f64::from(*b) / 255.0).powi(2);
        count += 1.0;
    }
    10.0 * f64::log10(count / squares)
}

/// Raw samples of 5 microvolts.
pub fn millivolts(bytes: &[u8]) -> impl Iterator<Item = f64> {
    bytes.chunks_exact(2).map(|b| f64::from(i16::from_le_bytes([b[0], b[1]])) * 0.005)
}

/// A picture off the front, its values as the raw ones that they were made of.
fn ppm(bytes: &mut [u8], narrow: bool) -> Result<(Vec<u8>, &mut [u8])> {
    let end = bytes.iter().position(|b| *b == b'\n').context("a picture has no header")?;
    let header = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let words: Vec<_> = header.split(' ').collect();
    let ["P6", w, h, white] = words[..] else { bail!("`{header}` is not the header of a PPM file") };
    ensure!(white == if narrow { "255" } else { "32767" }, "`{header}` is not a picture of this network");
    let len = w.parse::<usize>()? * h.parse::<usize>()? * 3 * if narrow { 1 } else { 2 };
    let (picture, rest) = bytes[end + 1..].split_at_mut_checked(len).context("a picture is cut off")?;
    match narrow {
        true => picture.iter_mut().for_each(|b| *b ^= 0x80),
        false => picture.chunks_exact_mut(2).for_each(<[u8]>::reverse),
    }
    Ok((picture.to_vec(), rest))
}

/// A `model.json`.
pub struct Model {
    task: Task,
    json: Value,
}

impl Model {
    /// Reads that of a seed.
    pub fn read(task: Task, seed: usize) -> Result<Self> {
        Ok(Model { task, json: serde_json::from_slice(&task.file(&format!("seed{seed}/model.json"))?)? })
    }

    /// The decoder that a network is; folded, it is still `nearest`.
    fn decoder(&self, network: &str) -> Result<&Value> {
        let name = if network == "folded" { "nearest" } else { network };
        let all = self.json["decoders"].as_array().context("model.json has no decoders")?;
        all.iter().find(|d| d["name"] == name).with_context(|| format!("model.json has no {name}"))
    }

    /// A figure over the whole test set, as the training script has it.
    pub fn figure(&self, network: &str, format: &str, key: &str) -> Result<f64> {
        self.decoder(network)?["figures"][format][key].as_f64().context("model.json lacks a figure")
    }

    /// Raw outputs as real values.
    pub fn real(&self, network: &Network, bytes: &[u8]) -> Result<Vec<f64>> {
        let last = self.layers(network.name)?.last().context("no layers")?;
        let y = &last["y"][network.format()];
        let (scale, zero) = (y["scale"].as_f64().context("no scale")?, y["zero"].as_f64().context("no zero")?);
        let raw: Vec<f64> = match network.layers {
            Layers::Int8(..) => bytes.iter().map(|b| f64::from(*b as i8)).collect(),
            Layers::Int16x8(..) => bytes.chunks_exact(2).map(|b| f64::from(i16::from_le_bytes([b[0], b[1]]))).collect(),
        };
        Ok(raw.into_iter().map(|v| (v - zero) * scale).collect())
    }

    /// PyTorch's f32 outputs of the shown inputs of seed 0; empty where there are none.
    pub fn torch(&self, network: &str) -> Result<Vec<Vec<f64>>> {
        let samples = self.json["torch_samples"].as_u64().unwrap_or(0) as usize;
        if samples == 0 {
            return Ok(Vec::new());
        }
        let all = self.json["decoders"].as_array().context("no decoders")?;
        let name = if network == "folded" { "nearest" } else { network };
        let at = all.iter().position(|d| d["name"] == name).context("no such decoder")?;
        let bytes = self.task.file("seed0/torch.f32")?;
        let values: Vec<f64> =
            bytes.chunks_exact(4).map(|b| f64::from(f32::from_le_bytes([b[0], b[1], b[2], b[3]]))).collect();
        let len = values.len() / all.len() / samples;
        Ok((0..samples).map(|s| values[(at * samples + s) * len..][..len].to_vec()).collect())
    }

    /// A decoder's layers.
    pub fn layers(&self, network: &str) -> Result<&[Value]> {
        Ok(self.decoder(network)?["layers"].as_array().context("no layers")?)
    }

    /// Whether outputs are those of the training script's integer implementation, by their CRC-32 under a key.
    pub fn check(&self, network: &Network, outputs: &[Vec<u8>], key: &str) -> Result<()> {
        let (name, format) = (network.name, network.format());
        let expected = &self.decoder(name)?[key][format];
        for (i, output) in outputs.iter().enumerate() {
            let crc = format!("{:08x}", crc32fast::hash(output));
            ensure!(expected[i] == crc, "{name} {format}, input {i}: CRC {crc}, NumPy's is {}", expected[i]);
        }
        Ok(())
    }
}

/// Every test input, whole, decoded on this host.
pub fn decode_all(seed: &Seed, network: &Network) -> Vec<Vec<u8>> {
    match network.layers {
        Layers::Int8(rows, _) => (0..seed.samples).map(|s| decode(seed, network, rows, s)).collect(),
        Layers::Int16x8(rows, _) => (0..seed.samples).map(|s| decode(seed, network, rows, s)).collect(),
    }
}

fn decode<T: Number>(seed: &Seed, network: &Network, rows: &dyn Rows<T>, sample: usize) -> Vec<u8> {
    let (mut memory, mut bytes) = (vec![T::default(); network.ram / size_of::<T>()], Vec::new());
    let mut each = |row: &[T]| row.iter().for_each(|v| bytes.extend(bytemuck::bytes_of(v)));
    let decoded = rows.decode(&mut seed.input(sample, seed.len), &mut memory, &mut each);
    assert_eq!(decoded, Ok(()), "{}", network.name);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn psnr_of_a_tenth_is_20_db() {
        assert!((psnr([0.1, 1.1].into_iter(), &[0, 255]) - 20.0).abs() < 1e-9);
    }

    #[test]
    fn kernels_reach_the_figures_of_the_training_script() {
        for task in [Task::Nuclei, Task::Ecg, Task::Bigpicture] {
            let (model, merit) = (Model::read(task, 0).unwrap(), task.merit());
            for network in task.seeds()[0].networks {
                let real: Vec<_> =
                    decode_all(&task.seeds()[0], network).iter().map(|o| model.real(network, o).unwrap()).collect();
                let (ours, theirs) =
                    (task.quality(&real).unwrap(), model.figure(network.name, network.format(), merit.key).unwrap());
                assert!(
                    (ours - theirs).abs() < 6e-4,
                    "{task:?} {} {}: {ours}, not {theirs}",
                    network.name,
                    network.format()
                );
            }
        }
    }
}
