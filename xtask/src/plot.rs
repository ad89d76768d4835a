//! The plot of the README: instructions per MAC or output value of each layer, ours beside the best peer's, a panel for each core.

use crate::canvas::{Canvas, INK, grey};
use anyhow::{Context, Result};
use embedded_graphics::mono_font::iso_8859_1::{FONT_7X13, FONT_10X20};
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::text::Alignment;
use std::path::Path;

/// A panel: its title, and of each layer the name, our cost and the best peer's.
pub struct Panel {
    /// Above it.
    pub title: String,
    /// Its bars.
    pub bars: Vec<(&'static str, f64, Option<f64>)>,
}

// Lengths in pixels.
const MARGIN: i32 = 24;
const TOP: i32 = 92;
/// From one panel to the next, and of the bars alone.
const PANEL: Size = Size::new(800, 270);
const HEIGHT: i32 = 190;
const AXIS: i32 = 44;
const LAYER: i32 = 43;
const BAR: i32 = 16;
const COLUMNS: i32 = 2;

const OURS: Rgb888 = INK;
const PEER: Rgb888 = grey(176);
const GRID: Rgb888 = grey(225);

/// Powers of ten at the bottom and the top.
const DECADES: [i32; 2] = [-1, 3];

/// Draws the panels into a PNG file.
pub fn write(path: &Path, panels: &[Panel]) -> Result<()> {
    let rows = (panels.len() as i32 + COLUMNS - 1) / COLUMNS;
    let mut canvas = Canvas::new(2 * MARGIN + COLUMNS * PANEL.width as i32, TOP + rows * PANEL.height as i32 + MARGIN);
    let title = "Instructions per MAC (T, C) or per output value (R, N, D); logarithmic, less is better";
    canvas.text(title, Point::new(MARGIN, 34), &FONT_10X20, Alignment::Left);
    let mut x = MARGIN;
    for (colour, what) in [(OURS, "upconv"), (PEER, "the best of CMSIS-NN, muRISCV-NN, TFLM and embedded-nn")] {
        canvas.fill(Point::new(x, 50), Size::new(BAR as u32, BAR as u32), colour);
        canvas.text(what, Point::new(x + BAR + 8, 64), &FONT_10X20, Alignment::Left);
        x += 140;
    }
    for (i, panel) in panels.iter().enumerate() {
        let (column, row) = (i as i32 % COLUMNS, i as i32 / COLUMNS);
        let at = Point::new(MARGIN + column * PANEL.width as i32, TOP + row * PANEL.height as i32);
        draw(&mut canvas, at, panel);
    }
    canvas.save(path).with_context(|| format!("{} cannot be written", path.display()))
}

fn draw(canvas: &mut Canvas, at: Point, panel: &Panel) {
    canvas.text(&panel.title, at + Point::new(AXIS, 16), &FONT_10X20, Alignment::Left);
    let floor = at + Point::new(AXIS, 30 + HEIGHT);
    let [low, high] = DECADES;
    let height = |value: f64| {
        let share = (value.log10() - f64::from(low)) / f64::from(high - low);
        (share.clamp(0.0, 1.0) * f64::from(HEIGHT)).round() as i32
    };
    let width = PANEL.width - AXIS as u32 - MARGIN as u32;
    for decade in low..=high {
        let line = floor - Point::new(0, height(10f64.powi(decade)));
        canvas.fill(line, Size::new(width, 1), if decade == low { INK } else { GRID });
        canvas.text(&10f64.powi(decade).to_string(), line + Point::new(-6, 4), &FONT_7X13, Alignment::Right);
    }
    for (i, (name, ours, peer)) in panel.bars.iter().enumerate() {
        let left = floor + Point::new(6 + i as i32 * LAYER, 0);
        for (x, value, colour) in [(0, Some(*ours), OURS), (BAR + 1, *peer, PEER)] {
            if let Some(value) = value {
                let bar = Size::new(BAR as u32, height(value) as u32);
                canvas.fill(left + Point::new(x, -height(value)), bar, colour);
            }
        }
        canvas.text(name, left + Point::new(BAR, 16), &FONT_7X13, Alignment::Center);
    }
}
