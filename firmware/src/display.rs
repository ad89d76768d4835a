//! Rows on a display, each drawn when it has been computed: no picture is ever whole on the board.
//!
//! A value becomes a level of 256, and a level a [`Shade`] of the display: full colours, 16 greys, or dots by an ordered dither. A picture's pixel is
//! a square of display pixels; where the display is smaller than the picture, every n-th pixel of every n-th row is drawn.

use core::iter::repeat_n;
use embedded_graphics::pixelcolor::{BinaryColor, Gray4, Gray8, Rgb565, Rgb888};
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;
use embedded_hal::digital::InputPin;
use upconv::{RowSink, Shape};

/// A colour that levels can be shown in.
pub trait Shade: PixelColor {
    /// Of red, green and blue for a pixel of the display.
    fn shade(level: Rgb888, at: Point) -> Self;
}

impl Shade for Rgb888 {
    fn shade(level: Rgb888, _: Point) -> Self {
        level
    }
}

impl Shade for Rgb565 {
    fn shade(level: Rgb888, _: Point) -> Self {
        level.into()
    }
}

impl Shade for Gray4 {
    fn shade(level: Rgb888, _: Point) -> Self {
        Gray8::from(level).into()
    }
}

/// Bayer's order of 4x4 dots: of every 16 steps of grey each lights one more.
const ORDER: [[u8; 4]; 4] = [[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]];

impl Shade for BinaryColor {
    fn shade(level: Rgb888, at: Point) -> Self {
        let [x, y] = [at.x, at.y].map(|v| v as usize % 4);
        // The middle of the dot's step: black stays black, white stays white.
        (Gray8::from(level).luma() > 16 * ORDER[y][x] + 8).into()
    }
}

/// One of several pictures of a shape, side by side.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// Height, width and channels: 1, or 3 for red, green and blue.
    pub shape: Shape,
    /// Its number.
    pub n: usize,
    /// How many there are.
    pub of: usize,
}

/// Where a picture lies on a display.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// Its corner.
    pub at: Point,
    /// Display pixels along a side of a picture's pixel.
    pub up: usize,
    /// Every `down`-th pixel is drawn.
    pub down: usize,
}

impl Place {
    /// In the middle of its part of a display, as large as whole factors let it be.
    pub fn new(part: Part, size: Size) -> Self {
        let (size, Part { shape, n, of }) = ([size.width, size.height].map(|v| v.max(1) as usize), part);
        // Of all divisions into columns that with the largest pictures, and of these the one with the fewest columns.
        let fit = |columns: usize| {
            let cell = [size[0] / columns, size[1] / of.div_ceil(columns).max(1)];
            let up = (cell[0] / shape.w).min(cell[1] / shape.h);
            let down = if up == 0 { shape.w.div_ceil(cell[0].max(1)).max(shape.h.div_ceil(cell[1].max(1))) } else { 1 };
            (cell, up.max(1), down)
        };
        let better = |a: usize, b: usize| if fit(b).1 * fit(a).2 > fit(a).1 * fit(b).2 { b } else { a };
        let columns = (1..=of.max(1)).fold(1, better);
        let (cell, up, down) = fit(columns);
        let middle = |i: usize, cell: usize, side: usize| i * cell + cell.saturating_sub(side.div_ceil(down) * up) / 2;
        let (x, y) = (middle(n % columns, cell[0], shape.w), middle(n / columns, cell[1], shape.h));
        // What the columns leave over lies on both sides.
        let rest = (size[0] - columns * cell[0]) / 2;
        Place { at: Point::new((x + rest) as i32, y as i32), up, down }
    }
}

/// Rows to a display: a decoder's sink.
pub struct Painter<'a, D, F> {
    /// The display.
    pub target: &'a mut D,
    /// Where the picture lies.
    pub place: Place,
    /// Values of a pixel: 1, or 3.
    pub channels: usize,
    /// The level of a value.
    pub level: F,
}

impl<T: Copy, D: DrawTarget<Color: Shade>, F: Fn(T) -> u8> RowSink<T> for Painter<'_, D, F> {
    type Error = D::Error;

    fn row(&mut self, y: usize, row: &[T]) -> Result<(), D::Error> {
        let (Place { at, up, down }, channels) = (self.place, self.channels.max(1));
        if !y.is_multiple_of(down) {
            return Ok(());
        }
        let pixels = row.len() / channels;
        let size = Size::new((pixels.div_ceil(down) * up) as u32, up as u32);
        let area = Rectangle::new(at + Point::new(0, (y / down * up) as i32), size);
        let level = &self.level;
        let colour = |pixel: &[T]| match *pixel {
            [r, g, b, ..] => Rgb888::new(level(r), level(g), level(b)),
            [v, ..] => Gray8::new(level(v)).into(),
            [] => Rgb888::BLACK,
        };
        let line = || row.chunks_exact(channels).step_by(down).flat_map(|p| repeat_n(colour(p), up));
        let colours = (0..up).flat_map(|_| line()).zip(area.points());
        self.target.fill_contiguous(&area, colours.map(|(colour, at)| D::Color::shade(colour, at)))
    }
}

/// 5x5 LEDs, as the micro:bit has them: brightnesses from 0 to 9, the means of squares in the middle of a picture.
#[derive(Clone, Copy, Debug, Default)]
pub struct Leds {
    sums: [[u32; 5]; 5],
}

impl Leds {
    /// Side of a square. Digits are 20 of 28 pixels wide and high; the rest is their border.
    const fn square(side: usize) -> usize {
        if side < 7 { 1 } else { side / 7 }
    }

    /// Takes a row of levels; row 0 begins a picture.
    pub fn row(&mut self, shape: Shape, y: usize, levels: &[u8]) {
        if y == 0 {
            *self = Leds::default();
        }
        let channels = shape.c.max(1);
        let led = |at: usize, side: usize| {
            let square = Self::square(side);
            (at + 5 * square / 2).checked_sub(side / 2).map(|at| at / square).filter(|led| *led < 5)
        };
        let Some(sums) = led(y, shape.h).and_then(|y| self.sums.get_mut(y)) else { return };
        for (x, pixel) in levels.chunks_exact(channels).enumerate() {
            if let Some(sum) = led(x, shape.w).and_then(|x| sums.get_mut(x)) {
                *sum += pixel.iter().map(|v| u32::from(*v)).sum::<u32>() / channels as u32;
            }
        }
    }

    /// The picture: the brightest LED is as bright as it can be, if there is any light.
    pub fn levels(&self) -> [[u8; 5]; 5] {
        let most = self.sums.iter().flatten().fold(1, |most, sum| most.max(*sum));
        self.sums.map(|row| row.map(|sum| ((9 * sum + most / 2) / most) as u8))
    }
}

/// What a board shows and lets people touch; nothing, by default.
pub trait Panel {
    /// Shows a row of levels.
    fn show(&mut self, _part: Part, _y: usize, _levels: &[u8]) {}

    /// Whether its button is held down.
    fn pressed(&mut self) -> bool {
        false
    }
}

impl Panel for () {}

/// A display and a button.
pub struct Face<D, B> {
    /// The display.
    pub display: D,
    /// The button, low while it is held down.
    pub button: B,
}

impl<D: DrawTarget<Color: Shade> + OriginDimensions, B: InputPin> Panel for Face<D, B> {
    fn show(&mut self, part: Part, y: usize, levels: &[u8]) {
        let place = Place::new(part, self.display.size());
        let mut painter = Painter { target: &mut self.display, place, channels: part.shape.c, level: |v| v };
        // A display that does not answer stays as it is; the reports go on.
        let _ = painter.row(y, levels);
    }

    fn pressed(&mut self) -> bool {
        self.button.is_low().unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ssd0323::{Picture, Ssd0323};
    use embedded_graphics::framebuffer::{Framebuffer, buffer_size};
    use embedded_graphics::image::GetPixel;
    use embedded_graphics::pixelcolor::raw::LittleEndian;
    use embedded_hal_mock::eh1::delay::NoopDelay;
    use embedded_hal_mock::eh1::digital::{self, State};
    use embedded_hal_mock::eh1::{i2c, spi};
    use mipidsi::interface::SpiInterface;
    use mipidsi::models::ILI9341Rgb565;
    use ssd1306::mode::DisplayConfig;
    use ssd1306::rotation::DisplayRotation;
    use ssd1306::size::DisplaySize128x64;
    use ssd1306::{I2CDisplayInterface, Ssd1306};

    const PLACE: Place = Place { at: Point::new(60, 24), up: 2, down: 1 };

    /// Four pixels: black and white, and two greys below.
    fn paint<D: DrawTarget<Color: Shade, Error: core::fmt::Debug>>(target: &mut D) {
        let mut painter = Painter { target, place: PLACE, channels: 1, level: |v: i8| v as u8 ^ 0x80 };
        painter.row(0, &[-128, 127]).unwrap();
        painter.row(1, &[0, -64]).unwrap();
    }

    /// A transaction for each.
    fn device(writes: &[&[u8]]) -> Vec<spi::Transaction<u8>> {
        let one = |bytes: &&[u8]| {
            let (start, end) = (spi::Transaction::transaction_start(), spi::Transaction::transaction_end());
            [start, spi::Transaction::write_vec(bytes.to_vec()), end]
        };
        writes.iter().flat_map(one).collect()
    }

    fn line(levels: &[State]) -> Vec<digital::Transaction> {
        levels.iter().map(|level| digital::Transaction::set(*level)).collect()
    }

    #[test]
    fn ssd1306_gets_these_bytes() {
        let write = |bytes: &[u8]| i2c::Transaction::write(0x3C, bytes.to_vec());
        let mut bus = i2c::Mock::new(&[]);
        let mut display =
            Ssd1306::new(I2CDisplayInterface::new(bus.clone()), DisplaySize128x64, DisplayRotation::Rotate0)
                .into_buffered_graphics_mode();
        let blank = [&[0x40][..], &[0; 16]].concat();
        let setup: [&[u8]; 19] = [
            &[0, 0xAE],
            &[0, 0xD5, 0x80],
            &[0, 0xA8, 63],
            &[0, 0xD3, 0],
            &[0, 0x40],
            &[0, 0x8D, 0x14],
            &[0, 0x20, 0],
            &[0, 0xDA, 0x12],
            &[0, 0xA1],
            &[0, 0xC8],
            &[0, 0xD9, 0x21],
            &[0, 0x81, 0x5F],
            &[0, 0xDB, 0x40],
            &[0, 0xA4],
            &[0, 0xA6],
            &[0, 0x2E],
            &[0, 0xAF],
            &[0, 0x21, 0, 127],
            &[0, 0x22, 0, 7],
        ];
        let mut expected: Vec<_> = setup.iter().map(|bytes| write(bytes)).collect();
        expected.extend((0..64).map(|_| write(&blank)));
        bus.update_expectations(&expected);
        display.init().unwrap();
        display.flush().unwrap();

        // Columns 60 to 63 of page 3, whose bits are the rows from 24 on.
        bus.done();
        bus.update_expectations(&[
            write(&[0, 0x21, 60, 63]),
            write(&[0, 0x22, 3, 3]),
            write(&[0x40, 0b0100, 0b1000, 0b0111, 0b0011]),
        ]);
        paint(&mut display);
        display.flush().unwrap();
        bus.done();
    }

    #[test]
    fn ili9341_gets_these_bytes() {
        let mut bus = spi::Mock::new(&device(&[
            &[0x01],
            &[],
            &[0x36],
            &[0],
            &[0xB4],
            &[0],
            &[0x20],
            &[],
            &[0x3A],
            &[0x55],
            &[0x13],
            &[],
            &[0x11],
            &[],
            &[0x29],
            &[],
        ]));
        let mut data = digital::Mock::new(&line(&[State::Low, State::High].repeat(8)));
        let mut buffer = [0; 32];
        let interface = SpiInterface::new(bus.clone(), data.clone(), &mut buffer);
        let mut display = mipidsi::Builder::new(ILI9341Rgb565, interface).init(&mut NoopDelay).unwrap();
        bus.done();
        data.done();

        let row = |y: u8, pixels: &[u8]| {
            device(&[&[0x2A], &[0, 60, 0, 63], &[0x2B], &[0, y, 0, y + 1], &[0x2C], &[], pixels])
        };
        let black_white = &[0, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0, 255, 255, 255, 255];
        // 16 of 31, 32 of 63, 16 of 31; 8, 16, 8.
        let greys = &[0x84, 0x10, 0x84, 0x10, 0x42, 0x08, 0x42, 0x08, 0x84, 0x10, 0x84, 0x10, 0x42, 0x08, 0x42, 0x08];
        bus.update_expectations(&[row(24, black_white), row(26, greys)].concat());
        data.update_expectations(&line(&[State::Low, State::High].repeat(6)));
        paint(&mut display);
        bus.done();
        data.done();
    }

    #[test]
    fn ssd0323_gets_these_bytes() {
        let (blank, mut picture) = ([0; 64], Picture::new());
        let setup: [&[u8]; 3] =
            [&[0xAE, 0xA8, 63, 0xA1, 0, 0xA2, 0, 0xA0, 0], &[0x81, 0x7F, 0xA4], &[0x15, 0, 63, 0x75, 0, 63]];
        let on: &[u8] = &[0xAF];
        let mut bus = spi::Mock::new(&device(&[&setup[..], &[&blank[..]; 64], &[on]].concat()));
        let mut data = digital::Mock::new(&line(&[State::Low, State::Low, State::Low, State::High, State::Low]));
        let mut display = Ssd0323::new(bus.clone(), data.clone(), &mut picture).unwrap();
        bus.done();
        data.done();

        // Two pixels in a byte, the left one above.
        bus.update_expectations(&device(&[
            &[0x15, 30, 31, 0x75, 24, 25],
            &[0, 0xFF],
            &[0, 0xFF],
            &[0x15, 30, 31, 0x75, 26, 27],
            &[0x88, 0x44],
            &[0x88, 0x44],
            // A single pixel keeps its neighbour; one that is outside is not sent.
            &[0x15, 31, 31, 0x75, 26, 26],
            &[0x4C],
        ]));
        data.update_expectations(&line(&[State::Low, State::High].repeat(3)));
        paint(&mut display);
        let pixels = [(Point::new(63, 26), 12), (Point::new(128, 3), 15), (Point::new(-1, 3), 15)];
        display.draw_iter(pixels.map(|(at, level)| Pixel(at, Gray4::new(level)))).unwrap();
        bus.done();
        data.done();
    }

    #[test]
    fn colour_pictures_larger_than_the_display_lose_pixels() {
        let mut screen = Framebuffer::<Rgb888, _, LittleEndian, 4, 2, { buffer_size::<Rgb888>(4, 2) }>::new();
        screen.clear(Rgb888::WHITE).unwrap();
        let part = Part { shape: Shape::new(4, 6, 3), n: 0, of: 1 };
        let place = Place::new(part, screen.size());
        assert_eq!(place, Place { at: Point::new(0, 0), up: 1, down: 2 });
        for y in 0..4u8 {
            let row: Vec<u8> = (0..18).map(|v| 20 * y + v).collect();
            Painter { target: &mut screen, place, channels: 3, level: |v| v }.row(y.into(), &row).unwrap();
        }
        let at = |v: u8| Rgb888::new(v, v + 1, v + 2);
        let expected = [at(0), at(6), at(12), Rgb888::WHITE, at(40), at(46), at(52), Rgb888::WHITE];
        let pixels = screen.bounding_box().points().filter_map(|at| screen.pixel(at));
        assert_eq!(pixels.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_dither_has_as_many_dots_as_light() {
        let dots = |level: u8| {
            let all = (0..16).map(|i| Point::new(i % 4, i / 4));
            all.filter(|at| BinaryColor::shade(Gray8::new(level).into(), *at).is_on()).count()
        };
        assert_eq!([0, 8, 9, 64, 127, 128, 136, 137, 248, 249, 255].map(dots), [0, 0, 1, 4, 8, 8, 8, 9, 15, 16, 16]);
    }

    #[test]
    fn pictures_lie_side_by_side_in_the_middle() {
        let digit = Shape::new(28, 28, 1);
        let place = |shape, n, of, w, h| {
            let Place { at, up, down } = Place::new(Part { shape, n, of }, Size::new(w, h));
            (at.x, at.y, up, down)
        };
        assert_eq!(place(digit, 0, 1, 128, 64), (36, 4, 2, 1));
        // Four columns of 32 pixels, two rows.
        assert_eq!(place(digit, 0, 8, 128, 64), (2, 2, 1, 1));
        assert_eq!(place(digit, 7, 8, 128, 64), (98, 34, 1, 1));
        assert_eq!(place(Shape::new(64, 64, 1), 1, 2, 128, 64), (64, 0, 1, 1));
        assert_eq!(place(Shape::new(128, 128, 3), 0, 1, 128, 64), (32, 0, 1, 2));
        assert_eq!(place(digit, 0, 20, 320, 240), (4, 2, 2, 1));
        // A display that is smaller than any picture.
        assert_eq!(place(digit, 0, 1, 1, 1), (0, 0, 1, 28));
    }

    #[test]
    fn leds_are_means_of_squares_in_the_middle() {
        let (shape, mut leds) = (Shape::new(28, 28, 1), Leds::default());
        let mut show = |level: &dyn Fn(usize, usize) -> u8| {
            (0..28).for_each(|y| leds.row(shape, y, &(0..28).map(|x| level(x, y)).collect::<Vec<_>>()));
            leds.levels()
        };
        assert_eq!(show(&|_, _| 0), [[0; 5]; 5]);
        assert_eq!(show(&|_, _| 200), [[9; 5]; 5]);
        // The border is not seen; squares of 4x4 from (4, 4) on are.
        assert_eq!(show(&|x, y| if (4..24).contains(&x) && (4..24).contains(&y) { 0 } else { 255 }), [[0; 5]; 5]);
        let square = show(&|x, y| if (8..12).contains(&x) && (20..24).contains(&y) { 255 } else { 0 });
        assert_eq!(square, [[0; 5], [0; 5], [0; 5], [0; 5], [0, 9, 0, 0, 0]]);
        let ramp = show(&|x, _| [0, 85, 170, 255, 0][(x.max(4) - 4).min(19) / 4]);
        assert_eq!(ramp, [[0, 3, 6, 9, 0]; 5]);
    }

    #[test]
    fn the_leds_of_a_digit() {
        let (shape, mut leds) = (Shape::new(28, 28, 1), Leds::default());
        let (shown, mut y) = (&*crate::digits::SHOWN, 0);
        shown.decode(&mut shown.input(10), &mut vec![0; shown.ram], &mut |row| {
            leds.row(shape, y, &row.iter().map(|v| shown.level(*v)).collect::<Vec<_>>());
            y += 1;
        });
        // A nought.
        let expected = [[0, 5, 8, 7, 3], [1, 7, 0, 1, 8], [3, 5, 0, 0, 8], [5, 4, 0, 3, 6], [2, 9, 7, 7, 0]];
        assert_eq!(leds.levels(), expected);
    }
}
