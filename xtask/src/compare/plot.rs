//! The plot of the page: a column for each task, a row each for quality, the flat input's response, and costs.

use super::answer::{Answer, FORMATS, deviation, mean};
use crate::boards::CORES;
use crate::canvas::{Canvas, INK, grey};
use embedded_graphics::mono_font::iso_8859_1::{FONT_7X13, FONT_10X20};
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::text::Alignment;

const GRID: Rgb888 = grey(225);
const OF_FORMAT: [Rgb888; 3] = [grey(150), Rgb888::new(200, 90, 60), Rgb888::new(60, 110, 190)];
const OF_NETWORK: [Rgb888; 5] = [
    Rgb888::new(200, 90, 60),
    Rgb888::new(60, 110, 190),
    Rgb888::new(225, 170, 60),
    Rgb888::new(95, 160, 95),
    Rgb888::new(40, 95, 60),
];
/// The network whose costs are 1.
const ONE: &str = "k4s2p1";

// Lengths in pixels.
const PANEL: i32 = 500;
const WIDTH: i32 = 400;
const HEIGHT: i32 = 200;
const LEFT: i32 = 76;
/// Of each row the floor of its panels.
const FLOORS: [i32; 3] = [256, 582, 908];

pub fn draw(answers: &[Answer]) -> Canvas {
    let mut canvas = Canvas::new(LEFT + PANEL * answers.len() as i32, 975);
    let ripples = answers.iter().flat_map(|a| &a.flat).flat_map(|flat| &flat.spectrum);
    let ripple = Axis::to(ripples.copied().fold(0.0, f64::max));
    let shares = answers.iter().flat_map(|a| a.names().into_iter().flat_map(|name| shares(a, name)));
    let share = Axis::to(shares.map(|(_, s)| s).fold(0.0, f64::max));
    for (i, answer) in answers.iter().enumerate() {
        let left = LEFT + i as i32 * PANEL;
        quality(&mut canvas, answer, Point::new(left, FLOORS[0]));
        spectra(&mut canvas, answer, Point::new(left, FLOORS[1]), &ripple);
        costs(&mut canvas, answer, Point::new(left, FLOORS[2]), &share);
    }
    let networks = answers.first().map(Answer::names).unwrap_or_default();
    let networks = networks.into_iter().map(|name| if name == "bilinear" { "bilinear, linear" } else { name });
    legend(&mut canvas, FLOORS[0] + 40, FORMATS.into_iter().zip(OF_FORMAT));
    legend(&mut canvas, FLOORS[2] + 40, networks.zip(OF_NETWORK));
    canvas
}

fn legend<'a>(canvas: &mut Canvas, y: i32, items: impl Iterator<Item = (&'a str, Rgb888)>) {
    let mut x = LEFT;
    for (name, colour) in items {
        canvas.fill(Point::new(x, y - 10), Size::new(10, 10), colour);
        canvas.text(name, Point::new(x + 16, y), &FONT_7X13, Alignment::Left);
        x += 50 + 7 * name.len() as i32;
    }
}

/// Values from the floor to the top of a panel, with ticks at multiples of 1, 2 or 5 times a power of ten.
struct Axis {
    low: f64,
    high: f64,
    step: f64,
}

impl Axis {
    /// Holds two values.
    fn of(low: f64, high: f64) -> Self {
        let rough = ((high - low) / 5.0).max(1e-9);
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|s| s * power).into_iter().find(|s| *s >= rough * 0.999).unwrap_or(rough);
        Axis { low: (low / step).floor() * step, high: (high / step).ceil() * step, step }
    }

    /// From 0.
    fn to(high: f64) -> Self {
        Axis::of(0.0, high)
    }

    /// Pixels above the floor.
    fn height(&self, value: f64) -> i32 {
        ((value - self.low) / (self.high - self.low) * f64::from(HEIGHT)).round() as i32
    }

    fn draw(&self, canvas: &mut Canvas, floor: Point, title: &str, size: &embedded_graphics::mono_font::MonoFont<'_>) {
        canvas.text(title, floor - Point::new(0, HEIGHT + 24), size, Alignment::Left);
        let ticks = ((self.high - self.low) / self.step).round() as i32;
        let decimals = (-self.step.log10().floor()).max(0.0) as usize;
        for k in 0..=ticks {
            let value = self.low + f64::from(k) * self.step;
            let at = floor - Point::new(0, self.height(value));
            canvas.fill(at, Size::new(WIDTH as u32, 1), GRID);
            canvas.text(&format!("{value:.decimals$}"), at + Point::new(-4, 4), &FONT_7X13, Alignment::Right);
        }
    }
}

fn bar(canvas: &mut Canvas, floor: Point, width: i32, height: i32, colour: Rgb888) {
    canvas.fill(floor - Point::new(0, height), Size::new(width as u32, height.max(1) as u32), colour);
}

/// Mean and standard deviation over seeds.
fn quality(canvas: &mut Canvas, answer: &Answer, floor: Point) {
    let merit = answer.task.merit();
    let ends = answer.rows.iter().flat_map(|r| [-1.0, 1.0].map(|sign| mean(&r.merits) + sign * deviation(&r.merits)));
    let (low, high) = ends.fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(v), h.max(v)));
    let axis = Axis::of(low, high);
    let title =
        format!("{}: {}, {} is better", answer.task.name(), merit.name, if merit.more { "higher" } else { "lower" });
    axis.draw(canvas, floor, &title, &FONT_10X20);
    for (d, name) in answer.names().into_iter().enumerate() {
        let x = 24 + d as i32 * 78;
        for (f, format) in FORMATS.iter().enumerate() {
            let Some(merits) = answer.merits(name, format) else { continue };
            let at = floor + Point::new(x + f as i32 * 16, 0);
            let height = |by: f64| axis.height(mean(merits) + by * deviation(merits));
            let (top, bottom) = (height(1.0), height(-1.0));
            canvas.fill(at + Point::new(3, -top), Size::new(2, (top - bottom).max(1) as u32), OF_FORMAT[f]);
            canvas.fill(at - Point::new(0, height(0.0) + 3), Size::new(8, 7), OF_FORMAT[f]);
        }
        canvas.text(name, floor + Point::new(x + 20, 18), &FONT_7X13, Alignment::Center);
    }
}

/// Amplitudes by frequency, of all tasks on one scale.
fn spectra(canvas: &mut Canvas, answer: &Answer, floor: Point, axis: &Axis) {
    let count = answer.flat.first().map_or(1, |flat| flat.spectrum.len()) as i32;
    axis.draw(canvas, floor, "Flat input: ripple as a share of the outputs' deviation", &FONT_7X13);
    let width = (80 / count).min(20);
    for (d, flat) in answer.flat.iter().enumerate() {
        let left = floor + Point::new(10 + d as i32 * 98, 0);
        for (k, amplitude) in flat.spectrum.iter().enumerate() {
            let at = left + Point::new(k as i32 * width, 0);
            bar(canvas, at, width - 2, axis.height(*amplitude), OF_NETWORK[d]);
            canvas.text(&(k + 1).to_string(), at + Point::new(width / 2, 14), &FONT_7X13, Alignment::Center);
        }
        canvas.text(flat.name, left + Point::new(count * width / 2, 30), &FONT_7X13, Alignment::Center);
    }
    let about = format!(
        "frequency, in {} of a cycle a sample",
        if count == 2 { "quarters".into() } else { format!("1/{}", 2 * count) }
    );
    canvas.text(&about, floor + Point::new(0, 48), &FONT_7X13, Alignment::Left);
}

/// What a network costs in int8, as a share of what [`ONE`] does: RAM, flash, instructions on each core.
fn shares(answer: &Answer, name: &str) -> Vec<(&'static str, f64)> {
    let (Some(cost), Some(one)) = (answer.cost(name, "int8"), answer.cost(ONE, "int8")) else { return Vec::new() };
    let mut all = vec![("RAM", cost.ram as f64 / one.ram as f64), ("flash", cost.flash as f64 / one.flash as f64)];
    let instructions = cost.instructions.iter().zip(&one.instructions).map(|(a, b)| *a as f64 / *b as f64);
    all.extend(CORES.iter().map(|core| core.name).zip(instructions));
    all
}

fn costs(canvas: &mut Canvas, answer: &Answer, floor: Point, axis: &Axis) {
    const GROUP: i32 = 44;
    axis.draw(canvas, floor, &format!("int8: RAM, flash, instructions on each core; {ONE} is 1"), &FONT_7X13);
    for (d, name) in answer.names().into_iter().enumerate() {
        for (g, (what, share)) in shares(answer, name).into_iter().enumerate() {
            let left = floor + Point::new(4 + g as i32 * GROUP, 0);
            bar(canvas, left + Point::new(d as i32 * 7, 0), 6, axis.height(share), OF_NETWORK[d]);
            if d == 0 {
                canvas.text(what, left + Point::new(17, 16), &FONT_7X13, Alignment::Center);
            }
        }
    }
    canvas.fill(floor - Point::new(0, axis.height(1.0)), Size::new(WIDTH as u32, 1), INK);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_hold_all() {
        for (low, high, of) in [
            (-121.16, -111.81, [-122.0, -110.0, 2.0]),
            (0.853, 0.906, [0.84, 0.92, 0.02]),
            (0.0, 3.76, [0.0, 4.0, 1.0]),
        ] {
            let axis = Axis::of(low, high);
            for (got, expected) in [axis.low, axis.high, axis.step].into_iter().zip(of) {
                assert!((got - expected).abs() < 1e-9, "{got}, not {expected}");
            }
        }
    }
}
