//! Nearest neighbour: copies. By whole factors or any ratio in whole numbers, or by a table.
//!
//! PyTorch and TFLite compute the source index in f32, which at some ratios misses the exact position (PyTorch: 2 % of the size pairs up to
//! 256, among whole factors 41, 47, 55 and 61). Whole numbers are right for a decoder; where every bit has to agree, a table is
//! computed as they do, at compile time.

use super::{axes, shapes};
use crate::arch::copy::{copy_row, double_pixels, pick_pixels, rather_rows, repeat_pixels};
use crate::coords::{Affine, Coordinates};
use crate::reads::{Rows, Spec, described};
use crate::shape::side;
use crate::{Element, Error, Layer, Ratio, Resize, Shape, Window};
use core::mem::take;
use core::ops::Range;

/// How a sampled position becomes a whole one (ONNX `nearest_mode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NearestMode {
    /// `floor(x)`: PyTorch's `nearest`, TFLite.
    Floor,
    /// `ceil(x)`
    Ceil,
    /// `ceil(x - 1/2)`: halves down. ONNX's default.
    RoundPreferFloor,
    /// `floor(x + 1/2)`: halves up. PyTorch's `nearest-exact`.
    RoundPreferCeil,
}

/// A planned nearest-neighbour resize; made by [`Upsample::nearest`](crate::Upsample::nearest) and
/// [`Upsample::nearest_by`](crate::Upsample::nearest_by).
#[derive(Clone, Copy, Debug)]
pub struct Nearest {
    channels: usize,
    y: Affine,
    x: Affine,
    /// Every row and every column is repeated so often; 0 where that is not all.
    factors: [u16; 2],
}

impl Nearest {
    pub(crate) const fn repeat(input: Shape, fh: usize, fw: usize) -> Result<Self, Error> {
        if let (Err(e), _) | (_, Err(e)) = (side("the height factor", fh), side("the width factor", fw)) {
            return Err(e);
        }
        match (Ratio::new(fh, 1), Ratio::new(fw, 1)) {
            (Ok(h), Ok(w)) => {
                let by = Resize::by(h, w).coordinates(Coordinates::Asymmetric);
                Nearest::by(input, by, NearestMode::Floor)
            }
            (Err(e), _) | (_, Err(e)) => Err(e),
        }
    }

    pub(crate) const fn by(input: Shape, resize: Resize, mode: NearestMode) -> Result<Self, Error> {
        let [y, x] = match axes(input, resize) {
            Ok(axes) => axes,
            Err(e) => return Err(e),
        };
        match (y.rounded(mode), x.rounded(mode)) {
            (Ok(y), Ok(x)) => {
                let factors = [y.repeats() as u16, x.repeats() as u16];
                Ok(Nearest { channels: input.c, y, x, factors })
            }
            (Err(e), _) | (_, Err(e)) => Err(e),
        }
    }
}

impl Nearest {
    #[inline(never)]
    fn pick<T: Element>(&self, row: &[T], y: &mut [T]) {
        let last = self.x.input - 1;
        let place = |i: i32| (i.max(0) as usize).min(last);
        pick_pixels(row, self.channels, self.x.walk().map(|p| p.i), place, y);
    }

    #[inline(never)]
    fn repeat_each<T: Element>(&self, row: &[T], y: &mut [T]) {
        repeat_pixels(row, self.channels, self.x.input, self.factors[1].into(), y);
    }

    /// All rows, of which those that are alike are copied.
    #[inline(never)]
    fn copy_rows<T: Element>(&self, x: &Window<'_, T>, y: &mut [T]) {
        let (alike, len) = (self.factors[0].into(), self.x.output * self.channels);
        let (mut rest, mut oy) = (y, 0);
        while let Some((first, mut more)) = take(&mut rest).split_at_mut_checked(len) {
            self.row(oy, x, first);
            for _ in 1..alike {
                let Some((copy, after)) = take(&mut more).split_at_mut_checked(len) else { break };
                copy_row(first, copy);
                more = after;
            }
            (rest, oy) = (more, oy + alike);
        }
    }

    /// The output's shape, for `const` code.
    pub const fn output_shape(&self) -> Shape {
        Shape::new(self.y.output, self.x.output, self.channels)
    }

    pub(crate) const fn spec(&self) -> Spec<'_> {
        let input = Shape::new(self.y.input, self.x.input, self.channels);
        Spec::layer(input, Shape::new(self.y.output, self.x.output, self.channels), Rows::Nearest(&self.y))
    }
}

impl<T: Element> Layer<T> for Nearest {
    described!();

    fn macs(&self) -> u64 {
        0
    }

    #[inline(never)]
    fn row(&self, oy: usize, x: &Window<'_, T>, y: &mut [T]) {
        let row = x.row(self.y.nearest_at(oy));
        if self.factors[1] == 2 {
            return double_pixels(row, self.channels, self.x.input, y);
        }
        match self.factors[1] {
            0 => self.pick(row, y),
            1 => copy_row(row, y),
            _ => self.repeat_each(row, y),
        }
    }

    fn whole(&self, x: &Window<'_, T>, y: &mut [T]) -> bool {
        let [alike, factor] = self.factors;
        let gains = alike > 1 && factor > 1 && rather_rows(y, self.channels, self.x.output * self.channels);
        if gains {
            self.copy_rows(x, y);
        }
        gains
    }
}

/// A planned resize by tables; made by [`Upsample::gather`](crate::Upsample::gather).
#[derive(Clone, Copy, Debug)]
pub struct Gather<'a> {
    input: Shape,
    rows: &'a [u16],
    columns: &'a [u16],
}

impl<'a> Gather<'a> {
    pub(crate) const fn new(input: Shape, rows: &'a [u16], columns: &'a [u16]) -> Result<Self, Error> {
        if let Err(e) = shapes(input, Resize::to(rows.len(), columns.len())) {
            return Err(e);
        }
        match (inside("a row of the table", rows, input.h), inside("a column of the table", columns, input.w)) {
            (Ok(()), Ok(())) => Ok(Gather { input, rows, columns }),
            (Err(e), _) | (_, Err(e)) => Err(e),
        }
    }

    pub(crate) const fn spec(&self) -> Spec<'_> {
        let output = Shape::new(self.rows.len(), self.columns.len(), self.input.c);
        Spec::layer(self.input, output, Rows::Table(self.rows))
    }
}

const fn inside(what: &'static str, table: &[u16], size: usize) -> Result<(), Error> {
    let mut i = 0;
    while i < table.len() {
        if table[i] as usize >= size {
            return Err(Error::Range { what, got: table[i] as i64, min: 0, max: size as i64 - 1 });
        }
        i += 1;
    }
    Ok(())
}

impl<T: Element> Layer<T> for Gather<'_> {
    described!();

    fn macs(&self) -> u64 {
        0
    }

    #[inline(never)]
    fn row(&self, oy: usize, x: &Window<'_, T>, y: &mut [T]) {
        let row = self.rows.get(oy).map_or(&[][..], |iy| x.row((*iy).into()));
        pick_pixels(row, self.input.c, self.columns.iter().copied(), usize::from, y);
    }
}

/// The source indices of PyTorch's `interpolate(mode="nearest")` from `input` to N: `min(floor(f32(i)·f32(s)), input − 1)`.
///
/// s is `1 / scale_factor` where one is given and not recomputed, else `input / N`. (In 2-D PyTorch itself takes shortcuts for
/// `N = input` and `N = 2·input`, which agree with s = input / N.) Indices saturate at 65,535, beyond every plan's input.
///
/// ```
/// use upconv::torch_nearest;
/// const COLUMNS: [u16; 5] = torch_nearest(3, None);
/// assert_eq!(COLUMNS, [0, 0, 1, 1, 2]);
/// ```
pub const fn torch_nearest<const N: usize>(input: usize, scale_factor: Option<f64>) -> [u16; N] {
    table(input, torch_step(input, N, scale_factor), 0.0, false)
}

/// The source indices of PyTorch's `interpolate(mode="nearest-exact")` on f32 tensors: `min(floor(f32(i + 1/2)·f32(s)), input − 1)`.
///
/// Read off PyTorch 2.15; its vectorised 1-D kernel rounds differently at 13 of 5,040 size pairs.
///
/// ```
/// assert_eq!(upconv::torch_nearest_exact::<5>(3, None), [0, 0, 1, 2, 2]);
/// ```
pub const fn torch_nearest_exact<const N: usize>(input: usize, scale_factor: Option<f64>) -> [u16; N] {
    table(input, torch_step(input, N, scale_factor), 0.5, false)
}

/// The source indices of TFLite's RESIZE_NEAREST_NEIGHBOR.
///
/// `s = align_corners and N > 1 ? (input − 1) / (N − 1) : input / N` in f32;
/// `min(align_corners ? round((i + o)·s) : floor((i + o)·s), input − 1)` with o = 1/2 for half-pixel centres, else 0.
///
/// ```
/// use upconv::tflite_nearest;
/// assert_eq!(tflite_nearest::<5>(3, false, true), [0, 0, 1, 2, 2]);
/// assert_eq!(tflite_nearest::<5>(3, true, false), [0, 1, 1, 2, 2]);
/// ```
pub const fn tflite_nearest<const N: usize>(input: usize, align_corners: bool, half_pixel_centers: bool) -> [u16; N] {
    let step = if align_corners && N > 1 { (input as f32 - 1.0) / (N as f32 - 1.0) } else { input as f32 / N as f32 };
    table(input, step, if half_pixel_centers { 0.5 } else { 0.0 }, align_corners)
}

const fn torch_step(input: usize, output: usize, scale_factor: Option<f64>) -> f32 {
    match scale_factor {
        Some(factor) => (1.0 / factor) as f32,
        None => input as f32 / output as f32,
    }
}

const fn table<const N: usize>(input: usize, step: f32, offset: f32, round: bool) -> [u16; N] {
    let mut table = [0; N];
    let mut i = 0;
    while i < N {
        let position = (i as f32 + offset) * step;
        // Not negative, so that `as` is floor; rounding is half away from zero.
        let whole = if round { (position as f64 + 0.5) as usize } else { position as usize };
        let last = if input > 1 << 16 { u16::MAX as usize } else { input.saturating_sub(1) };
        table[i] = if whole < last { whole } else { last } as u16;
        i += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use crate::{Layer, Shape, Upsample, Window};

    /// Rows are copied where pixels are no words and both factors are whole ones above 1, and then are what they are by definition.
    #[test]
    fn whole_outputs_are_their_rows() {
        #[repr(align(4))]
        struct Room([i8; 9 * 12 * 5]);
        let x: [i8; 3 * 4 * 5] = core::array::from_fn(|i| (7 * i % 251) as i8);
        for (c, fh, fw) in [(3, 2, 2), (5, 3, 2), (1, 2, 3), (4, 2, 2), (5, 1, 2), (5, 2, 1)] {
            let shape = Shape::new(3, 4, c);
            let up = Upsample::nearest(shape, fh, fw).unwrap();
            let mut room = Room([99; 9 * 12 * 5]);
            let (y, beyond) = room.0.split_at_mut(up.output_shape().len());
            let window = Window::whole(&x[..shape.len()], shape).unwrap();
            assert_eq!(up.whole(&window, y), c != 4 && fh > 1 && fw > 1, "{c} {fh} {fw}");
            let pixels = (0..3 * fh).flat_map(|oy| (0..4 * fw).map(move |ox| 4 * (oy / fh) + ox / fw));
            let copied = pixels.flat_map(|p| &x[p * c..][..c]).eq(&*y);
            assert_eq!(copied, c != 4 && fh > 1 && fw > 1, "{c} {fh} {fw}");
            assert!(beyond.iter().all(|y| *y == 99));
        }
    }
}
