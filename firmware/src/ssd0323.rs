//! Solomon's SSD0323: an OLED of 128x64 pixels in 16 greys, over SPI with a line that tells data from commands.
//!
//! A byte holds two pixels, so the driver keeps the picture (4 KB) and sends the bytes of an area as soon as it is drawn.

use embedded_graphics::framebuffer::{Framebuffer, buffer_size};
use embedded_graphics::pixelcolor::Gray4;
use embedded_graphics::pixelcolor::raw::{BigEndian, RawU4};
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;
use embedded_hal::digital::OutputPin;
use embedded_hal::spi::SpiDevice;

const WIDTH: usize = 128;
const HEIGHT: usize = 64;

const SET_COLUMNS: u8 = 0x15;
const SET_ROWS: u8 = 0x75;
const SET_CONTRAST: u8 = 0x81;
const SET_REMAP: u8 = 0xA0;
const SET_START_LINE: u8 = 0xA1;
const SET_OFFSET: u8 = 0xA2;
const NORMAL: u8 = 0xA4;
const SET_MULTIPLEX: u8 = 0xA8;
const OFF: u8 = 0xAE;
const ON: u8 = 0xAF;

/// What it shows, as bytes of two pixels.
pub type Picture = Framebuffer<Gray4, RawU4, BigEndian, WIDTH, HEIGHT, { buffer_size::<Gray4>(WIDTH, HEIGHT) }>;

/// The display.
pub struct Ssd0323<'a, S, D> {
    spi: S,
    data: D,
    picture: &'a mut Picture,
}

/// What can go wrong: the bus, the line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Error<S, D> {
    /// On the bus.
    Spi(S),
    /// On the line.
    Data(D),
}

impl<'a, S: SpiDevice, D: OutputPin> Ssd0323<'a, S, D> {
    /// Sets it up and switches it on with a picture. `data` is high for data, low for commands.
    ///
    /// # Errors
    /// Those of the bus and of the line.
    pub fn new(spi: S, data: D, picture: &'a mut Picture) -> Result<Self, Error<S::Error, D::Error>> {
        let mut display = Ssd0323 { spi, data, picture };
        let rows = HEIGHT as u8 - 1;
        display.command(&[OFF, SET_MULTIPLEX, rows, SET_START_LINE, 0, SET_OFFSET, 0, SET_REMAP, 0])?;
        display.command(&[SET_CONTRAST, 0x7F, NORMAL])?;
        display.send(display.bounding_box())?;
        display.command(&[ON])?;
        Ok(display)
    }

    fn command(&mut self, bytes: &[u8]) -> Result<(), Error<S::Error, D::Error>> {
        self.data.set_low().map_err(Error::Data)?;
        self.spi.write(bytes).map_err(Error::Spi)
    }

    /// Sends the bytes that an area touches.
    fn send(&mut self, area: Rectangle) -> Result<(), Error<S::Error, D::Error>> {
        let area = area.intersection(&self.picture.bounding_box());
        let Some(last) = area.bottom_right() else { return Ok(()) };
        let [left, top, right, bottom] = [area.top_left.x / 2, area.top_left.y, last.x / 2, last.y].map(|v| v as usize);
        self.command(&[SET_COLUMNS, left as u8, right as u8, SET_ROWS, top as u8, bottom as u8])?;
        self.data.set_high().map_err(Error::Data)?;
        let rows = self.picture.data().chunks_exact(WIDTH / 2).skip(top).take(bottom + 1 - top);
        rows.map(|row| &row[left..=right]).try_for_each(|bytes| self.spi.write(bytes)).map_err(Error::Spi)
    }
}

impl<S, D> OriginDimensions for Ssd0323<'_, S, D> {
    fn size(&self) -> Size {
        self.picture.size()
    }
}

impl<S: SpiDevice, D: OutputPin> DrawTarget for Ssd0323<'_, S, D> {
    type Color = Gray4;
    type Error = Error<S::Error, D::Error>;

    fn draw_iter<I: IntoIterator<Item = Pixel<Gray4>>>(&mut self, pixels: I) -> Result<(), Self::Error> {
        for Pixel(at, colour) in pixels {
            self.fill_solid(&Rectangle::new(at, Size::new_equal(1)), colour)?;
        }
        Ok(())
    }

    fn fill_contiguous<I: IntoIterator<Item = Gray4>>(
        &mut self,
        area: &Rectangle,
        colors: I,
    ) -> Result<(), Self::Error> {
        let Ok(()) = self.picture.fill_contiguous(area, colors);
        self.send(*area)
    }

    fn fill_solid(&mut self, area: &Rectangle, colour: Gray4) -> Result<(), Self::Error> {
        let Ok(()) = self.picture.fill_solid(area, colour);
        self.send(*area)
    }
}
