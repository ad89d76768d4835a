//! A picture to draw on, and its PNG file.

use anyhow::{Context, Result, bail, ensure};
use embedded_graphics::mono_font::{MonoFont, MonoTextStyle};
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::{Line, PrimitiveStyle, Rectangle};
use embedded_graphics::text::{Alignment, Text};
use std::convert::Infallible;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::Path;

/// The colour of what nothing is drawn on.
const PAPER: Rgb888 = Rgb888::WHITE;
/// The colour of text.
pub const INK: Rgb888 = grey(40);

/// A grey.
pub const fn grey(level: u8) -> Rgb888 {
    Rgb888::new(level, level, level)
}

/// A picture.
pub struct Canvas {
    pixels: Vec<Rgb888>,
    size: Size,
}

impl Canvas {
    /// Blank paper.
    pub fn new(width: i32, height: i32) -> Self {
        let size = Size::new(width as u32, height as u32);
        Canvas { pixels: vec![PAPER; (size.width * size.height) as usize], size }
    }

    /// Writes a line, its baseline at a point.
    pub fn text(&mut self, text: &str, at: Point, font: &MonoFont<'_>, alignment: Alignment) {
        let Ok(_) = Text::with_alignment(text, at, MonoTextStyle::new(font, INK), alignment).draw(self);
    }

    /// Fills a rectangle.
    pub fn fill(&mut self, at: Point, size: Size, colour: Rgb888) {
        let Ok(()) = self.fill_solid(&Rectangle::new(at, size), colour);
    }

    /// Joins points by a line of some width.
    pub fn polyline(&mut self, points: impl Iterator<Item = Point>, width: u32, colour: Rgb888) {
        let mut before = None;
        for point in points {
            let from = before.replace(point).unwrap_or(point);
            let Ok(()) = Line::new(from, point).into_styled(PrimitiveStyle::with_stroke(colour, width)).draw(self);
        }
    }

    /// Draws a picture, each of its pixels as a square.
    pub fn picture(&mut self, at: Point, picture: &Picture, scale: u32) {
        for (i, colour) in picture.pixels.iter().enumerate() {
            let pixel = Point::new((i % picture.width) as i32, (i / picture.width) as i32);
            self.fill(at + pixel * scale as i32, Size::new_equal(scale), *colour);
        }
    }

    /// Writes the file, and its folder when that is missing; in greys where there are no colours.
    pub fn save(&self, path: &Path) -> Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let file = File::create(path).with_context(|| format!("{} cannot be written", path.display()))?;
        let mut png = png::Encoder::new(file, self.size.width, self.size.height);
        let coloured = self.pixels.iter().any(|p| p.r() != p.g() || p.g() != p.b());
        png.set_color(if coloured { png::ColorType::Rgb } else { png::ColorType::Grayscale });
        png.set_compression(png::Compression::High);
        let channels = if coloured { 3 } else { 1 };
        let bytes: Vec<u8> =
            self.pixels.iter().flat_map(|p| [p.r(), p.g(), p.b()].into_iter().take(channels)).collect();
        png.write_header()?.write_image_data(&bytes)?;
        Ok(())
    }
}

impl OriginDimensions for Canvas {
    fn size(&self) -> Size {
        self.size
    }
}

impl DrawTarget for Canvas {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        let inside = self.bounding_box();
        for Pixel(at, colour) in pixels.into_iter().filter(|pixel| inside.contains(pixel.0)) {
            self.pixels[at.y as usize * self.size.width as usize + at.x as usize] = colour;
        }
        Ok(())
    }
}

/// Pixels, row by row.
#[derive(Clone, PartialEq)]
pub struct Picture {
    /// Its width.
    pub width: usize,
    /// Its pixels.
    pub pixels: Vec<Rgb888>,
}

impl Picture {
    /// Of greys.
    pub fn grey(width: usize, levels: impl Iterator<Item = u8>) -> Self {
        Picture { width, pixels: levels.map(grey).collect() }
    }

    /// Of red, green and blue.
    pub fn colour(width: usize, levels: &[u8]) -> Self {
        Picture { width, pixels: levels.chunks_exact(3).map(|c| Rgb888::new(c[0], c[1], c[2])).collect() }
    }

    /// Of a binary PPM file with 256 levels.
    pub fn from_ppm(file: &[u8]) -> Result<Self> {
        let mut parts = file.splitn(4, |b| b.is_ascii_whitespace());
        let mut word = || parts.next().and_then(|part| std::str::from_utf8(part).ok()).unwrap_or_default();
        let (kind, width, height) = (word(), word().parse::<usize>(), word().parse::<usize>());
        let (Ok(width), Ok(height)) = (width, height) else { bail!("the picture is damaged") };
        let levels = parts.next().and_then(|rest| rest.strip_prefix(b"255\n")).context("the picture is damaged")?;
        ensure!(kind == "P6" && levels.len() == 3 * width * height, "the picture is damaged");
        Ok(Picture::colour(width, levels))
    }

    /// Of a PNG file of greys, or of red, green and blue.
    pub fn read(path: &Path) -> Result<Self> {
        let file = File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
        let mut png = png::Decoder::new(BufReader::new(file)).read_info()?;
        let mut levels = vec![0; png.output_buffer_size().context("the picture is too large")?];
        let info = png.next_frame(&mut levels)?;
        let width = info.width as usize;
        match info.color_type {
            png::ColorType::Grayscale => Ok(Picture::grey(width, levels.into_iter())),
            png::ColorType::Rgb => Ok(Picture::colour(width, &levels)),
            other => bail!("{} is of another kind: {other:?}", path.display()),
        }
    }

    /// Writes the file.
    pub fn save(&self, path: &Path) -> Result<()> {
        let mut canvas = Canvas::new(self.width as i32, self.height() as i32);
        canvas.picture(Point::zero(), self, 1);
        canvas.save(path)
    }

    /// The first pixel of each square.
    pub fn smaller(&self, side: usize) -> Self {
        let rows = self.pixels.chunks_exact(self.width).step_by(side);
        let pixels = rows.flat_map(|row| row.iter().copied().step_by(side)).collect();
        Picture { width: self.width.div_ceil(side), pixels }
    }

    /// Its height.
    pub fn height(&self) -> usize {
        self.pixels.len() / self.width
    }
}
