//! Bilinear interpolation with exact rational weights.
//!
//! With `ty / dy` and `tx / dx` the fractions of the sampled position,
//!
//! ```text
//! y = round( ((dy-ty)(dx-tx) a + (dy-ty) tx b + ty (dx-tx) c + ty tx d) / (dy dx) )
//! ```
//!
//! The sum is exact, and so is the division: rows are blended first, then columns, and what both weigh is divided by once. At 2x, 4x and 8x
//! half-pixel that is a shift, else a multiplication by a reciprocal (`arch::blend`). TFLite differs only in its positions, which have 10 bits.

use super::{axes, shapes};
use crate::arch::blend::RowPair;
use crate::coords::{Affine, Coordinates, Divide};
use crate::phase::Reciprocal;
use crate::reads::{Rows, Spec, described};
use crate::rows::cut;
use crate::{Element, Error, Layer, Resize, Rounding, Shape, Window};
use core::ops::Range;

/// Whose numbers an interpolation computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Numerics {
    /// The real value, rounded once, ties up: never further than half a step from it.
    Exact,
    /// TFLite's RESIZE_BILINEAR bit for bit: positions rounded to 1/1024, which at odd ratios drifts by several steps. Ties go away from zero
    /// with [`Rounding::TfliteDouble`] and up with [`Rounding::TfliteSingle`].
    ///
    /// Needs sizes, not scales, and `HalfPixel`, `AlignCorners` or `Asymmetric` (neither flag set) positions.
    /// At 2x, 4x and 8x half-pixel and with ties up it is the same as `Exact`.
    Tflite(Rounding),
}

/// A planned bilinear resize; made by [`Upsample::bilinear`](crate::Upsample::bilinear).
#[derive(Clone, Copy, Debug)]
pub struct Bilinear {
    channels: usize,
    y: Affine,
    x: Affine,
    ties_away: bool,
    /// The columns' factor where it is 1, 2, 4 or 8 and `dy` divides 16, else 0.
    factor: usize,
    /// Divides by `dy * dx`: sums of 32 bits, if it can, and of 64.
    by: Option<Divide>,
    by_area: Reciprocal,
}

impl Bilinear {
    pub(crate) const fn new(input: Shape, resize: Resize, numerics: Numerics) -> Result<Self, Error> {
        let (positions, ties_away) = match numerics {
            Numerics::Exact => (axes(input, resize), false),
            Numerics::Tflite(rounding) => (tflite(input, resize), matches!(rounding, Rounding::TfliteDouble)),
        };
        if let Numerics::Tflite(rounding) = numerics
            && let Err(e) = rounding.check_32()
        {
            return Err(e);
        }
        let [y, x] = match positions {
            Ok(axes) => axes,
            Err(e) => return Err(e),
        };
        // Bounds: u32 holds dy * dx for sizes (2 * MAX_SIDE each); a scale's denominators can be twice that.
        let area = y.den() as u64 * x.den() as u64;
        if area > u32::MAX as u64 {
            let (what, max) = ("the product of the positions' denominators", u32::MAX as i64);
            return Err(Error::Range { what, got: area as i64, min: 1, max });
        }
        // Where TFLite's positions are all whole there are no ties; elsewhere its area is an even power of two.
        let ties_away = ties_away && area > 1;
        let factor = match y.den() {
            1 | 2 | 4 | 8 | 16 if x.is_identity() => 1,
            1 | 2 | 4 | 8 | 16 => x.half_pixel_factor(),
            _ => 0,
        };
        let (by, by_area) = (Divide::new(area as u32), Reciprocal::new(area as u32));
        Ok(Bilinear { channels: input.c, y, x, ties_away, factor, by, by_area })
    }
}

/// TFLite's positions: whole multiples of 1/1024.
const fn tflite(input: Shape, resize: Resize) -> Result<[Affine; 2], Error> {
    if !resize.by_size() {
        return Err(Error::Unsupported { what: "TFLite's interpolation by a scale" });
    }
    if let Err(e) = shapes(input, resize) {
        return Err(e);
    }
    let output = resize.output(input);
    match (tflite_axis(input.h, output.h, resize.coordinates), tflite_axis(input.w, output.w, resize.coordinates)) {
        (Ok(y), Ok(x)) => Ok([y, x]),
        (Err(e), _) | (_, Err(e)) => Err(e),
    }
}

const fn tflite_axis(input: usize, output: usize, coordinates: Coordinates) -> Result<Affine, Error> {
    let (i, o) = (input as u64, output as u64);
    let (i, o) = match coordinates {
        Coordinates::AlignCorners if o > 1 => (i - 1, o - 1),
        _ => (i, if o == 0 { 1 } else { o }),
    };
    let step = (1024 * i + o / 2) / o;
    match coordinates {
        Coordinates::HalfPixel => Affine::new(input, output, (step / 2) as i64 - 512, step, 1024),
        Coordinates::AlignCorners | Coordinates::Asymmetric => Affine::new(input, output, 0, step, 1024),
        _ => Err(Error::Unsupported { what: "TFLite's interpolation at these coordinates" }),
    }
}

impl<T: Element> Layer<T> for Bilinear {
    described!();

    fn macs(&self) -> u64 {
        4 * Layer::<T>::output(self).len() as u64
    }

    #[inline(never)]
    fn row(&self, oy: usize, x: &Window<'_, T>, y: &mut [T]) {
        let (y0, y1, t) = self.y.linear(self.y.at(oy));
        let near = x.row(y0);
        let (far, den) = (if t == 0 { near } else { x.row(y1) }, self.y.den());
        let rows = RowPair { rows: [near, far], weights: [den - t, t], channels: self.channels, away: self.ties_away };
        if self.factor > 0 {
            // Bounds: the denominator divides 16.
            let scale = 4 - den.trailing_zeros().min(4);
            let rows = RowPair { weights: rows.weights.map(|w| w << scale), ..rows };
            if self.factor > 1 { rows.repeat(&self.x, self.factor, y) } else { downwards(&rows, y) }
        } else if let Some(by) = self.by.filter(|by| by.gives(u8::BITS * size_of::<T>() as u32)) {
            rows.any(&self.x, by, y);
        } else {
            self.wide(&rows, y);
        }
    }
}

/// Columns as they are, as of a signal: `(w₀ a + w₁ b + 8) >> 4`, ties away: 7, and 1 more where the sum is not negative.
#[inline(always)]
fn downwards<T: Element>(rows: &RowPair<'_, T>, y: &mut [T]) {
    let ([near, far], [w0, w1]) = (rows.rows, rows.weights.map(|w| w as i32));
    let half = 8 - i32::from(rows.away);
    for ((y, a), b) in y.iter_mut().zip(near).zip(far) {
        let sum = a.to_i32() * w0 + b.to_i32() * w1;
        let up = i32::from(rows.away && sum >= 0);
        *y = T::from_i32((sum + half + up) >> 4);
    }
}

impl Bilinear {
    pub(crate) const fn spec(&self) -> Spec<'_> {
        let input = Shape::new(self.y.input, self.x.input, self.channels);
        Spec::layer(input, Shape::new(self.y.output, self.x.output, self.channels), Rows::Linear(&self.y))
    }

    /// One row, with sums below 2^48 and quotients below 2^16.
    fn wide<T: Element>(&self, rows: &RowPair<'_, T>, y: &mut [T]) {
        let (c, dx) = (self.channels, self.x.den());
        let ([near, far], [w0, w1]) = (rows.rows, rows.weights);
        let term = |x: T, w: u32| u64::from((x.to_i32() - T::MIN) as u32) * u64::from(w);
        for (out, position) in y.chunks_exact_mut(c.max(1)).zip(self.x.walk()) {
            let (x0, x1, tx) = self.x.linear(position);
            let weights = [w0 * (dx - tx), w0 * tx, w1 * (dx - tx), w1 * tx];
            let (a, b) = (cut(near, x0 * c, c), cut(near, x1 * c, c));
            let (p, q) = (cut(far, x0 * c, c), cut(far, x1 * c, c));
            for ((((out, a), b), p), q) in out.iter_mut().zip(a).zip(b).zip(p).zip(q) {
                let sum = term(*a, weights[0]) + term(*b, weights[1]) + term(*p, weights[2]) + term(*q, weights[3]);
                let (rounded, rest) = self.by_area.div_rem(sum + u64::from(self.by_area.divisor() / 2));
                let up = rounded as i32 + T::MIN;
                // A tie leaves no rest. It was rounded up; away from zero is down where the result is not above 0.
                *out = T::from_i32(if self.ties_away && rest == 0 && up <= 0 { up - 1 } else { up });
            }
        }
    }
}
