//! A grey picture to draw on, and its PNG file.

use anyhow::Result;
use embedded_graphics::mono_font::{MonoFont, MonoTextStyle};
use embedded_graphics::pixelcolor::Gray8;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;
use embedded_graphics::text::{Alignment, Text};
use std::convert::Infallible;
use std::fs::{self, File};
use std::path::Path;

/// The colour of what nothing is drawn on.
const PAPER: Gray8 = Gray8::WHITE;
/// The colour of text.
pub const INK: Gray8 = Gray8::new(40);

/// A picture.
pub struct Canvas {
    grey: Vec<u8>,
    size: Size,
}

impl Canvas {
    /// Blank paper.
    pub fn new(width: i32, height: i32) -> Self {
        let size = Size::new(width as u32, height as u32);
        Canvas { grey: vec![PAPER.luma(); (size.width * size.height) as usize], size }
    }

    /// Writes a line, its baseline at a point.
    pub fn text(&mut self, text: &str, at: Point, font: &MonoFont<'_>, alignment: Alignment) {
        let Ok(_) = Text::with_alignment(text, at, MonoTextStyle::new(font, INK), alignment).draw(self);
    }

    /// Fills a rectangle.
    pub fn fill(&mut self, at: Point, size: Size, colour: Gray8) {
        let Ok(()) = self.fill_solid(&Rectangle::new(at, size), colour);
    }

    /// Writes the file, and its folder when that is missing.
    pub fn save(&self, path: &Path) -> Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut png = png::Encoder::new(File::create(path)?, self.size.width, self.size.height);
        png.set_color(png::ColorType::Grayscale);
        png.set_compression(png::Compression::High);
        png.write_header()?.write_image_data(&self.grey)?;
        Ok(())
    }
}

impl OriginDimensions for Canvas {
    fn size(&self) -> Size {
        self.size
    }
}

impl DrawTarget for Canvas {
    type Color = Gray8;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Gray8>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        let inside = self.bounding_box();
        for Pixel(at, grey) in pixels.into_iter().filter(|pixel| inside.contains(pixel.0)) {
            self.grey[at.y as usize * self.size.width as usize + at.x as usize] = grey.luma();
        }
        Ok(())
    }
}
