//! The demo's result on one sheet: every sample as test image, PyTorch and device, and the table below.

use crate::canvas::{Canvas, INK};
use crate::figures::{COLUMNS, Digits, NOTES, test_image, torch};
use anyhow::{Context, Result};
use embedded_graphics::mono_font::iso_8859_1::{FONT_7X13, FONT_10X20};
use embedded_graphics::pixelcolor::Gray8;
use embedded_graphics::prelude::*;
use embedded_graphics::text::Alignment;
use firmware::digits::{DECODERS, SAMPLES, SIDE};
use std::path::Path;

// Lengths in pixels of the sheet.
const SCALE: i32 = 3;
const TILE: i32 = SIDE as i32 * SCALE;
const GAP: i32 = 6;
const MARGIN: i32 = 36;
/// PyTorch and device of one decoder, and the way from one decoder to the next.
const PAIR: i32 = 2 * TILE + GAP;
const NEXT: i32 = PAIR + 3 * GAP;
/// Test image and decoders of one sample, in two columns of blocks.
const BLOCK: i32 = TILE + DECODERS.len() as i32 * NEXT;
const BLOCKS: usize = 2;
const ROWS: usize = SAMPLES.div_ceil(BLOCKS);
const WIDTH: i32 = MARGIN + BLOCKS as i32 * (BLOCK + MARGIN);
const TOP: i32 = MARGIN + 84;
const TABLE: i32 = TOP + ROWS as i32 * (TILE + GAP) + MARGIN;
const LINE: i32 = 26;
const FIRST_COLUMN: i32 = 300;
const COLUMN: i32 = 200;
const TABLE_WIDTH: i32 = FIRST_COLUMN + DECODERS.len() as i32 * COLUMN;

/// Draws the sheet into a PNG file.
pub fn write(path: &Path, title: &str, digits: &Digits, table: &[[String; COLUMNS]]) -> Result<()> {
    let mut sheet = Canvas::new(WIDTH, TABLE + table.len() as i32 * LINE + MARGIN);
    sheet.text(title, Point::new(MARGIN, MARGIN), &FONT_10X20, Alignment::Left);
    for sample in 0..SAMPLES {
        let block = MARGIN + (sample / ROWS) as i32 * (BLOCK + MARGIN);
        if sample % ROWS == 0 {
            sheet.headings(block);
        }
        sheet.sample(Point::new(block, TOP + (sample % ROWS) as i32 * (TILE + GAP)), sample, digits);
    }
    sheet.table(table);
    sheet.save(path).with_context(|| format!("{} cannot be written", path.display()))
}

impl Canvas {
    /// Above the tiles of a block that starts at column `x`.
    fn headings(&mut self, x: i32) {
        let below = |x| Point::new(x + TILE / 2, TOP - 8);
        self.text("test image", below(x), &FONT_7X13, Alignment::Center);
        for (i, decoder) in DECODERS.iter().enumerate() {
            let x = x + TILE + i as i32 * NEXT + NEXT - PAIR;
            self.text(decoder.name, Point::new(x + PAIR / 2, TOP - 28), &FONT_10X20, Alignment::Center);
            self.text("PyTorch f32", below(x), &FONT_7X13, Alignment::Center);
            self.text("device int8", below(x + TILE + GAP), &FONT_7X13, Alignment::Center);
        }
    }

    fn sample(&mut self, mut at: Point, sample: usize, digits: &Digits) {
        self.tile(at, test_image(sample));
        at.x += TILE;
        for decoder in 0..DECODERS.len() {
            let f32: Vec<u8> = torch(decoder, sample).map(|v| (v * 255.0).round() as u8).collect();
            self.tile(at + Point::new(NEXT - PAIR, 0), &f32);
            at.x += NEXT;
            self.tile(at - Point::new(TILE, 0), digits.int8(decoder, sample));
        }
    }

    fn tile(&mut self, at: Point, picture: &[u8]) {
        for (y, row) in picture.chunks_exact(SIDE).enumerate() {
            for (x, grey) in row.iter().enumerate() {
                let pixel = at + Point::new(x as i32, y as i32) * SCALE;
                self.fill(pixel, Size::new_equal(SCALE as u32), Gray8::new(*grey));
            }
        }
    }

    fn table(&mut self, rows: &[[String; COLUMNS]]) {
        for (i, row) in rows.iter().enumerate() {
            let y = TABLE + (i as i32 + 1) * LINE;
            for (column, cell) in row.iter().enumerate() {
                let (x, alignment) = match column {
                    0 => (MARGIN, Alignment::Left),
                    _ => (MARGIN + FIRST_COLUMN + column as i32 * COLUMN, Alignment::Right),
                };
                self.text(cell, Point::new(x, y - 7), &FONT_10X20, alignment);
            }
            let line = Size::new(TABLE_WIDTH as u32, 1);
            self.fill(Point::new(MARGIN, y), line, if i == 0 { INK } else { Gray8::new(220) });
        }
        for (i, note) in NOTES.iter().enumerate() {
            let at = Point::new(MARGIN + TABLE_WIDTH + MARGIN, TABLE + (i as i32 + 2) * LINE - 7);
            self.text(note, at, &FONT_7X13, Alignment::Left);
        }
    }
}
