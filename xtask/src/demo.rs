//! `cargo xtask demo`: from nothing installed to what a board computed, in pictures and figures.

use crate::boards::{Board, Silicon};
use crate::canvas::{Canvas, INK, Picture, grey};
use crate::models::{Model, Run, Task, decode_all, millivolts};
use crate::terminal::{self, markdown};
use crate::{cargo, oled, readme};
use anyhow::{Context, Result};
use clap::ValueEnum;
use clap::builder::PossibleValue;
use embedded_graphics::mono_font::iso_8859_1::{FONT_7X13, FONT_10X20};
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::text::Alignment;
use firmware::networks::Network;
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use std::fs;
use std::iter::once;
use std::path::PathBuf;

/// What can be shown.
#[derive(Clone, Copy)]
pub enum Demo {
    /// A task.
    Of(Task),
    /// Digits that turn into each other.
    Live,
}

impl ValueEnum for Demo {
    fn value_variants<'a>() -> &'a [Self] {
        use Task::*;
        &[Demo::Of(Digits), Demo::Of(Nuclei), Demo::Of(Ecg), Demo::Of(Bigpicture), Demo::Live]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        match self {
            Demo::Of(task) => task.to_possible_value(),
            Demo::Live => {
                Some(PossibleValue::new("live").help("Digits that turn into each other; keys choose the next one"))
            }
        }
    }
}

const FORMATS: [&str; 2] = ["int8", "int16x8"];

/// What the figures are.
const NOTES: [&str; 3] = [
    "peak RAM: activations + deepest stack (painted) + statics; layer by layer: the activations alone, every tensor whole but the output, of which it is one row",
    "weights in flash: with biases and multipliers",
    "instructions: mean of one input, sending not counted",
];
const FOLDED: &str = "folded: the network `nearest` with each upsample folded into the convolution after it; its weights are int16, in int8 with Helium those of `nearest`, its outputs the same";

/// Runs a task's networks on an emulated board and shows what came out.
///
/// With `write_docs` the picture and the table also go to docs/.
pub fn run(task: Task, board: &Board, write_docs: bool) -> Result<()> {
    let bar = ProgressBar::new_spinner();
    bar.set_style(ProgressStyle::with_template("{msg} {spinner} {pos} reports, {elapsed}")?);
    bar.set_message(board.name);
    let runs = task.run(board, None, &bar)?;
    bar.finish_and_clear();

    let (path, table) = show(task, runs, &format!("an emulated {} ({})", board.core, board.name))?;
    if let Some(screen) = oled::screenshot(task, board)? {
        let path = cargo::target_dir()?.join("demo").join(format!("{}-{}.png", board.name, task.name()));
        screen.save(&path)?;
        terminal::show(&[vec![(format!("The display of {}", board.name), screen.smaller(oled::SIDE))]]);
        println!("The display: {}", path.display());
    }
    println!("\nEvery byte is the same on {}, on this host and in NumPy. Picture: {}", board.name, path.display());
    if write_docs {
        let name = task.name();
        fs::copy(&path, readme::path(&format!("docs/{name}.png")))?;
        let page = format!(
            "# {name}\n\nWritten by `cargo xtask demo {name} --board {} --write-docs`; [the model](../models/{name}/README.md). {}\n\n![What the board computed]({name}.png)\n\n{table}\n",
            board.name,
            task.trained_how()
        );
        fs::write(readme::path(&format!("docs/{name}.md")), page)?;
        println!("Written: docs/{name}.md and docs/{name}.png.");
    }
    Ok(())
}

/// Compares what a board on the desk sent with the host and NumPy and shows it; what it calls instructions are cycles.
pub fn show_flashed(task: Task, board: &Silicon, bytes: Vec<u8>) -> Result<()> {
    let runs = task.compare_first(bytes)?;
    let (path, _) = show(task, runs, board.title)?;
    println!(
        "\nInstructions are cycles here. Every byte is the same on the board, on this host and in NumPy. Picture: {}",
        path.display()
    );
    Ok(())
}

/// A preview and the table in the terminal; answers the picture's file, and the table.
fn show(task: Task, runs: Vec<Run>, board: &str) -> Result<(PathBuf, String)> {
    let shown = Shown::new(task, runs)?;
    terminal::show(&shown.preview()?);
    let table = shown.table()?;
    println!("{table}");
    let path = cargo::target_dir()?.join("demo").join(format!("{}.png", task.name()));
    shown.sheet(&format!("{}: upconv on {board}", task.name()))?.save(&path)?;
    Ok((path, table))
}

/// What a board computed, and what it is held against.
struct Shown {
    task: Task,
    model: Model,
    runs: Vec<Run>,
}

impl Shown {
    fn new(task: Task, runs: Vec<Run>) -> Result<Self> {
        Ok(Shown { task, model: Model::read(task, 0)?, runs })
    }

    fn networks(&self) -> &'static [Network] {
        self.task.seeds()[0].networks
    }

    fn network(&self, name: &str, format: &str) -> Option<&'static Network> {
        self.networks().iter().find(|network| network.name == name && network.format() == format)
    }

    /// What a network came to on the board, if it fits.
    fn run(&self, name: &str, format: &str) -> Option<&Run> {
        let at = self.networks().iter().position(|n| n.name == name && n.format() == format)?;
        self.runs.iter().find(|run| run.network == at)
    }

    /// Networks that the board did not run: they do not fit, or it runs one only.
    fn on_host(&self) -> Vec<&'static Network> {
        let ran = |at: usize| self.runs.iter().any(|run| run.network == at);
        self.networks().iter().enumerate().filter(|(at, _)| !ran(*at)).map(|(_, network)| network).collect()
    }

    /// Names of decoders, those that were trained, or also the folded one.
    fn names(&self, folded: bool) -> Vec<&'static str> {
        let int8 = self.networks().iter().filter(|n| n.format() == FORMATS[0]);
        int8.map(|n| n.name).filter(|n| folded || *n != "folded").collect()
    }

    /// Real outputs of a decoder: f32, on the board, or on this host where the board did not run it.
    fn real(&self, name: &str, format: &str) -> Result<Option<Vec<Vec<f64>>>> {
        if format == "f32" {
            let torch = self.model.torch(name)?;
            return Ok((!torch.is_empty()).then_some(torch));
        }
        let Some(network) = self.network(name, format) else { return Ok(None) };
        let real = |outputs: &[Vec<u8>]| outputs.iter().map(|o| self.model.real(network, o)).collect::<Result<_>>();
        if let Some(run) = self.run(name, format) {
            return real(&run.outputs).map(Some);
        }
        let outputs = decode_all(&self.task.seeds()[0], network);
        self.model.check(network, &outputs, "crc32")?;
        real(&outputs).map(Some)
    }

    fn table(&self) -> Result<String> {
        let names = self.names(true);
        let mut rows = vec![once(String::new()).chain(names.iter().map(|n| n.to_string())).collect::<Vec<_>>()];
        let mut row = |what: String, cell: &dyn Fn(&str) -> Result<Option<String>>| -> Result<()> {
            let cells = names.iter().map(|name| cell(name)).collect::<Result<Vec<_>>>()?;
            if cells.iter().any(Option::is_some) {
                rows.push(once(what).chain(cells.into_iter().map(Option::unwrap_or_default)).collect());
            }
            Ok(())
        };
        let merit = self.task.shown_merit();
        let count = |n: usize| HumanCount(n as u64).to_string();
        row("MACs".into(), &|n| Ok(self.network(n, "int8").map(|n| count(n.macs() as usize))))?;
        for format in FORMATS {
            // With a run, or without one too.
            let mut of = |what: &str, cell: &dyn Fn(Option<&Run>, &Network) -> Option<String>| {
                let cell = |name: &str| self.network(name, format).and_then(|n| cell(self.run(name, format), n));
                row(format!("{format}: {what}"), &|name| Ok(cell(name)))
            };
            of("weights in flash, bytes", &|_, n| Some(count(n.flash)))?;
            of("peak RAM, bytes", &|run, n| Some(count(n.ram + run?.rest)))?;
            of("- activations", &|_, n| Some(count(n.ram)))?;
            of("- activations, layer by layer", &|_, n| Some(count(n.whole)))?;
            of("instructions", &|run, _| Some(count(run?.instructions as usize)))?;
            of("instructions per MAC", &|run, n| Some(format!("{:.2}", run?.instructions as f64 / n.macs() as f64)))?;
        }
        for format in once("f32").chain(FORMATS) {
            row(format!("{}, {format}", merit.name), &|name| {
                let Some(real) = self.real(name, format)? else { return Ok(None) };
                Ok(Some(format!("{:.*}", merit.digits, self.task.quality(&real)?)))
            })?;
        }
        let merit = self.task.merit();
        for format in once("f32").chain(FORMATS) {
            row(format!("{}, {format}, over {}", merit.name, self.task.judged_on()), &|name| {
                // The pictures above are all.
                let same = self.task == Task::Bigpicture && format != "f32";
                Ok((!same).then_some(format!("{:.*}", merit.digits, self.model.figure(name, format, merit.key)?)))
            })?;
        }
        let folded = names.contains(&"folded").then(|| FOLDED.to_string());
        let host = |n: &Network| {
            let bytes = HumanCount(n.ram as u64);
            format!("{} was computed on this host, not on the board: {bytes} bytes of activations", n.format())
        };
        let torch = self.model.torch(names[0])?.is_empty().then(|| {
            "f32: the figure of PyTorch's network as the training script printed it; its pictures are not committed"
                .to_string()
        });
        let notes = NOTES.into_iter().map(String::from).chain(folded).chain(self.on_host().into_iter().map(host));
        let notes = notes.chain(torch);
        let notes: Vec<_> = notes.map(|note| format!("- {note}")).collect();
        Ok(format!("{}\n\n{}", markdown(&rows), notes.join("\n")))
    }

    /// Outputs as pictures, each with a name.
    fn outputs(&self, name: &str, format: &str) -> Result<Vec<Picture>> {
        let Some(real) = self.real(name, format)? else { return Ok(Vec::new()) };
        let byte = |v: f64| (255.0 * v).round().clamp(0.0, 255.0) as u8;
        let masks = if self.task == Task::Nuclei { self.task.file("masks.bits")? } else { Vec::new() };
        let picture = |(i, values): (usize, &Vec<f64>)| match self.task {
            Task::Digits => Picture::grey(28, values.iter().map(|logit| byte(1.0 / (1.0 + (-logit).exp())))),
            Task::Nuclei => {
                let colour = |(k, logit): (usize, &f64)| {
                    let pixel = i * values.len() + k;
                    match (*logit > 0.0, masks[pixel / 8] >> (7 - pixel % 8) & 1 == 1) {
                        (true, true) => Rgb888::WHITE,
                        (false, false) => Rgb888::BLACK,
                        (true, false) => FALSE,
                        (false, true) => MISSED,
                    }
                };
                Picture { width: 64, pixels: values.iter().enumerate().map(colour).collect() }
            }
            _ => Picture::colour(128, &values.iter().map(|v| byte(*v)).collect::<Vec<_>>()),
        };
        Ok(real.iter().enumerate().map(picture).collect())
    }

    /// What the outputs should be: for nuclei also the inputs.
    fn truths(&self) -> Result<Vec<(&'static str, Vec<Picture>)>> {
        let pictures = |name: &str, len: usize, make: &dyn Fn(&[u8]) -> Picture| -> Result<Vec<Picture>> {
            Ok(self.task.file(name)?.chunks_exact(len).map(make).collect())
        };
        Ok(match self.task {
            Task::Digits => {
                vec![("truth", pictures("images.u8", 784, &|p| Picture::grey(28, p.iter().copied()))?)]
            }
            Task::Nuclei => {
                let bits = |p: &[u8]| {
                    let bit = |i: usize| 255 * (p[i / 8] >> (7 - i % 8) & 1);
                    Picture::grey(64, (0..4096).map(bit))
                };
                let input = pictures("pictures.u8", 4096, &|p| Picture::grey(64, p.iter().copied()))?;
                vec![("picture", input), ("nuclei", pictures("masks.bits", 512, &bits)?)]
            }
            _ => vec![("original", pictures("images.u8", 128 * 128 * 3, &|p| Picture::colour(128, p))?)],
        })
    }

    /// A few pictures for the terminal.
    fn preview(&self) -> Result<Vec<Vec<(String, Picture)>>> {
        if self.task == Task::Ecg {
            let (mut all, width) = (Vec::new(), 140);
            for name in self.names(false) {
                let real = self.real(name, "int8")?.context("no int8 run")?;
                all.push(vec![(name.to_string(), trace(&real[0][..4 * width], width, 28))]);
            }
            return Ok(all);
        }
        let samples = if self.task == Task::Digits { 3 } else { 1 };
        let row = |sample: usize| -> Result<Vec<_>> {
            let mut row: Vec<_> =
                self.truths()?.into_iter().map(|(name, mut all)| (name.to_string(), all.swap_remove(sample))).collect();
            for name in self.names(false) {
                row.extend(self.outputs(name, FORMATS[0])?.into_iter().nth(sample).map(|p| (name.to_string(), p)));
            }
            Ok(row)
        };
        (0..samples).map(row).collect()
    }

    /// Everything on one sheet.
    fn sheet(&self, title: &str) -> Result<Canvas> {
        match self.task {
            Task::Ecg => self.traces(title),
            Task::Bigpicture => {
                let mut columns = self.truths()?;
                columns.push(("PyTorch, f32", self.outputs("k4s2p1", "f32")?));
                for (format, board, host) in [
                    ("int8", "int8, the board", "int8, this host"),
                    ("int16x8", "int16x8, the board", "int16x8, this host"),
                ] {
                    let where_ = if self.run("k4s2p1", format).is_some() { board } else { host };
                    columns.push((where_, self.outputs("k4s2p1", format)?));
                }
                columns.retain(|(_, pictures)| !pictures.is_empty());
                let columns: Vec<_> = columns.into_iter().map(|(n, p)| (String::new(), n, p)).collect();
                Ok(sheet(title, &[], &columns, 2, true))
            }
            _ => {
                let mut columns: Vec<_> = self.truths()?.into_iter().map(|(n, p)| (String::new(), n, p)).collect();
                for name in self.names(false) {
                    for format in once("f32").chain(FORMATS) {
                        columns.push((name.to_string(), format, self.outputs(name, format)?));
                    }
                }
                let legend = if self.task == Task::Nuclei { &LEGEND[..] } else { &[] };
                Ok(sheet(title, legend, &columns, 2, false))
            }
        }
    }

    /// Ten seconds by each decoder in each format, over what they should be.
    fn traces(&self, title: &str) -> Result<Canvas> {
        const SIZE: Size = Size::new(1440, 84);
        const TOP: i32 = 70;
        const LEFT: i32 = 130;
        const GAP: i32 = 14;
        let formats: Vec<_> = once("f32").chain(FORMATS).collect();
        let (names, merit) = (self.names(false), self.task.merit());
        let strips = (names.len() * formats.len()) as i32;
        let mut canvas =
            Canvas::new(LEFT + SIZE.width as i32 + MARGIN, TOP + strips * (SIZE.height as i32 + GAP) + MARGIN);
        canvas.text(title, Point::new(MARGIN, 26), &FONT_10X20, Alignment::Left);
        let legend = "Grey: the electrocardiogram, 10 s. Dark: decoded from 4 numbers for every 16 samples; f32 by PyTorch, the others by the board.";
        canvas.text(legend, Point::new(MARGIN, 48), &FONT_7X13, Alignment::Left);
        let truth: Vec<f64> = millivolts(&self.task.file("signal.i16")?).collect();
        for (i, (name, format)) in names.iter().flat_map(|name| formats.iter().map(move |f| (name, f))).enumerate() {
            let real = self.real(name, format)?.with_context(|| format!("no {format} run"))?;
            let truth = &truth[..real[0].len()];
            let (low, high) = truth.iter().fold((0.0, 0.0), |(l, h), v| (f64::min(l, *v), f64::max(h, *v)));
            let at = Point::new(LEFT, TOP + i as i32 * (SIZE.height as i32 + GAP));
            let points = |signal: &[f64]| -> Vec<Point> {
                let scale = f64::from(SIZE.height) / (high - low);
                let x = |i: usize| (i as f64 * f64::from(SIZE.width) / signal.len() as f64) as i32;
                let y = |v: f64| ((high - v.clamp(low, high)) * scale) as i32;
                signal.iter().enumerate().map(|(i, v)| at + Point::new(x(i), y(*v))).collect()
            };
            canvas.polyline(points(truth).into_iter(), 4, grey(205));
            canvas.polyline(points(&real[0]).into_iter(), 1, INK);
            let middle = Point::new(MARGIN, at.y + SIZE.height as i32 / 2);
            let figure = format!("{} {:.*}", merit.name, merit.digits, self.task.quality(&real)?);
            for (line, text) in [*name, *format, &figure].into_iter().enumerate() {
                canvas.text(text, middle + Point::new(0, 16 * line as i32 - 12), &FONT_7X13, Alignment::Left);
            }
        }
        Ok(canvas)
    }
}

const FALSE: Rgb888 = Rgb888::new(70, 130, 230);
const MISSED: Rgb888 = Rgb888::new(230, 80, 60);
const LEGEND: [(Rgb888, &str); 3] =
    [(Rgb888::WHITE, "nucleus, found"), (MISSED, "nucleus, missed"), (FALSE, "found, none there")];
const MARGIN: i32 = 20;

/// A signal as a small picture, bright on dark.
fn trace(signal: &[f64], width: usize, height: usize) -> Picture {
    let (low, high) = signal.iter().fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(*v), h.max(*v)));
    let mut pixels = vec![Rgb888::BLACK; width * height];
    let row = |v: f64| ((high - v) / (high - low) * (height - 1) as f64).round() as usize;
    for (x, part) in signal.chunks(signal.len() / width).take(width).enumerate() {
        let (top, bottom) = part.iter().map(|v| row(*v)).fold((height, 0), |(t, b), y| (t.min(y), b.max(y)));
        (top..=bottom).for_each(|y| pixels[y * width + x] = Rgb888::WHITE);
    }
    Picture { width, pixels }
}

/// Pictures in columns, or turned, in rows; above columns what they are, and once above those of one name the name.
fn sheet(
    title: &str,
    legend: &[(Rgb888, &str)],
    columns: &[(String, &str, Vec<Picture>)],
    scale: u32,
    turned: bool,
) -> Canvas {
    const GAP: i32 = 6;
    let top = if legend.is_empty() { 84 } else { 108 };
    let count = columns.iter().map(|(_, _, p)| p.len()).min().unwrap_or(0);
    let Some(first) = columns.first().and_then(|(_, _, p)| p.first()) else { return Canvas::new(1, 1) };
    let (w, h) = (first.width as i32 * scale as i32 + GAP, first.height() as i32 * scale as i32 + GAP);
    let (across, down) = if turned { (count, columns.len()) } else { (columns.len(), count) };
    let side = if turned { 140 } else { 0 };
    let mut canvas = Canvas::new(2 * MARGIN + side + across as i32 * w, top + down as i32 * h + MARGIN);
    canvas.text(title, Point::new(MARGIN, 30), &FONT_10X20, Alignment::Left);
    let mut x = MARGIN;
    for (colour, what) in legend {
        canvas.fill(Point::new(x, 44), Size::new(14, 14), INK);
        canvas.fill(Point::new(x + 1, 45), Size::new(12, 12), *colour);
        canvas.text(what, Point::new(x + 22, 56), &FONT_7X13, Alignment::Left);
        x += 50 + 7 * what.len() as i32;
    }
    for (i, (name, format, pictures)) in columns.iter().enumerate() {
        let at = |k: usize| {
            let (x, y) = if turned { (k as i32, i as i32) } else { (i as i32, k as i32) };
            Point::new(MARGIN + side + x * w, top + y * h)
        };
        for (k, picture) in pictures.iter().take(count).enumerate() {
            canvas.picture(at(k), picture, scale);
        }
        if turned {
            canvas.text(format, Point::new(MARGIN, at(0).y + h / 2), &FONT_7X13, Alignment::Left);
            continue;
        }
        let middle = at(0).x + (w - GAP) / 2;
        canvas.text(format, Point::new(middle, top - 7), &FONT_7X13, Alignment::Center);
        let same = columns.iter().filter(|column| column.0 == *name).count() as i32;
        if columns.iter().position(|column| column.0 == *name) == Some(i) {
            let middle = at(0).x + (same * w - GAP) / 2;
            canvas.text(name, Point::new(middle, top - 22), &FONT_7X13, Alignment::Center);
        }
    }
    canvas
}
