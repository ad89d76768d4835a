//! `cargo xtask panels`: how pictures look on the displays that the firmware draws on.

use crate::canvas::{Canvas, Picture};
use crate::models::Task;
use crate::{boards, cargo, oled, readme, setup};
use anyhow::{Context, Result};
use embedded_graphics::framebuffer::{Framebuffer, buffer_size};
use embedded_graphics::image::GetPixel;
use embedded_graphics::mono_font::iso_8859_1::{FONT_7X13, FONT_10X20};
use embedded_graphics::pixelcolor::raw::{LittleEndian, RawU1, RawU16};
use embedded_graphics::pixelcolor::{BinaryColor, Rgb565, Rgb888};
use embedded_graphics::prelude::*;
use embedded_graphics::text::Alignment;
use firmware::display::{Leds, Painter, Part, Place, Shade};
use firmware::networks::Shown;
use std::convert::Infallible;
use std::fs;
use upconv::RowSink;

/// Writes the sheet, and with `write_docs` also docs/panels.png and the picture that the emulated display is tested against.
pub fn run(write_docs: bool) -> Result<()> {
    let board = boards::find(oled::BOARD).map_err(anyhow::Error::msg)?;
    setup::board(board)?;
    const MARGIN: i32 = 20;
    const TOP: i32 = 84;
    const ROW: i32 = 240 + MARGIN;
    let mut canvas = Canvas::new(4 * MARGIN + 512 + 320, TOP + 3 * ROW + 110);
    let title = "Three tasks on four panels, drawn row by row as they are decoded, int8";
    canvas.text(title, Point::new(MARGIN, 30), &FONT_10X20, Alignment::Left);
    let x = [MARGIN, 2 * MARGIN + 256, 3 * MARGIN + 512];
    let names = ["SSD1306, 128x64, dots", "SSD0323, 16 greys: lm3s6965evb", "ILI9341, 320x240, 65,536 colours"];
    for (x, name) in x.into_iter().zip(names) {
        canvas.text(name, Point::new(x, TOP - 8), &FONT_7X13, Alignment::Left);
    }
    for (i, (task, count)) in [(Task::Digits, 20), (Task::Nuclei, 2), (Task::Bigpicture, 2)].into_iter().enumerate() {
        let (y, shown) = (TOP + i as i32 * ROW, task.shown().context("the task has no pictures")?);
        cargo::board(board, &[task.name()])?;
        let screen = oled::screenshot(task, board)?.context("the board has shown nothing")?;
        if write_docs && task == Task::Digits {
            screen.save(&oled::golden())?;
        }
        let small = oled::count(task).unwrap_or(1);
        canvas.picture(Point::new(x[0], y), &draw(Ssd1306::new(), shown, small), 2);
        canvas.picture(Point::new(x[1], y), &screen.smaller(oled::SIDE), 2);
        canvas.picture(Point::new(x[2], y), &draw(Ili9341::new(), shown, count), 1);
    }
    let y = TOP + 3 * ROW;
    canvas.text("5x5 LEDs: micro:bit", Point::new(MARGIN, y - 6), &FONT_7X13, Alignment::Left);
    for n in 0..10 {
        canvas.picture(Point::new(MARGIN + 88 * n as i32, y + 6), &leds(Task::Digits, 10 + n)?, 15);
    }
    let path = cargo::target_dir()?.join("demo").join("panels.png");
    canvas.save(&path)?;
    println!("Picture: {}", path.display());
    if write_docs {
        fs::copy(&path, readme::path("docs/panels.png"))?;
        println!("Written: docs/panels.png and docs/oled.png.");
    }
    Ok(())
}

type Ssd1306 = Framebuffer<BinaryColor, RawU1, LittleEndian, 128, 64, { buffer_size::<BinaryColor>(128, 64) }>;
type Ili9341 = Framebuffer<Rgb565, RawU16, LittleEndian, 320, 240, { buffer_size::<Rgb565>(320, 240) }>;

/// A task's first pictures on a display.
fn draw<C: Shade + Into<Rgb888>>(
    mut screen: impl DrawTarget<Color = C, Error = Infallible> + OriginDimensions + GetPixel<Color = C>,
    shown: &Shown,
    of: usize,
) -> Picture {
    let (shape, size) = (shown.rows.output(), screen.size());
    for n in 0..of {
        let place = Place::new(Part { shape, n, of }, size);
        rows(shown, n, |y, row| {
            let Ok(()) =
                Painter { target: &mut screen, place, channels: shape.c, level: |v| shown.level(v) }.row(y, row);
        });
    }
    let pixels = screen.bounding_box().points().filter_map(|at| screen.pixel(at));
    Picture { width: size.width as usize, pixels: pixels.map(Into::into).collect() }
}

/// A picture on 5x5 LEDs.
fn leds(task: Task, n: usize) -> Result<Picture> {
    let shown = task.shown().context("the task has no pictures")?;
    let mut leds = Leds::default();
    rows(shown, n, |y, row| {
        leds.row(shown.rows.output(), y, &row.iter().map(|v| shown.level(*v)).collect::<Vec<_>>());
    });
    let colour = |level: u8| Rgb888::new(24 + (u32::from(level) * 231 / 9) as u8, 16, 16);
    Ok(Picture { width: 5, pixels: leds.levels().into_iter().flatten().map(colour).collect() })
}

fn rows(shown: &Shown, n: usize, mut each: impl FnMut(usize, &[i8])) {
    let mut y = 0;
    shown.decode(&mut shown.input(n), &mut vec![0; shown.ram], &mut |row| {
        each(y, row);
        y += 1;
    });
}
