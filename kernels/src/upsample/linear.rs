//! Bilinear interpolation with exact rational weights.
//!
//! With `ty / dy` and `tx / dx` the fractions of the sampled position,
//!
//! ```text
//! y = round( ((dy-ty)(dx-tx) a + (dy-ty) tx b + ty (dx-tx) c + ty tx d) / (dy dx) )      ties up
//! ```
//!
//! The sum is exact; the division is a multiplication by a reciprocal with one correction, exact too.

use crate::coords::{LinearAxis, Tap};
use crate::phase::Reciprocal;
use crate::rows::cut;
use crate::shape::{INPUT, OUTPUT};
use crate::{Coordinates, Element, Error, Layer, Shape, Window};
use core::ops::Range;

/// A planned bilinear resize; made by [`Upsample::bilinear`](crate::Upsample::bilinear).
#[derive(Clone, Copy, Debug)]
pub struct Bilinear {
    input: Shape,
    y: LinearAxis,
    x: LinearAxis,
    /// Divides by `dy * dx`.
    by_area: Reciprocal,
}

impl Bilinear {
    pub(crate) const fn new(input: Shape, oh: usize, ow: usize, coordinates: Coordinates) -> Result<Self, Error> {
        if let Err(e) = input.check(&INPUT) {
            return Err(e);
        }
        let y = LinearAxis::new(input.h, oh, coordinates, "output height");
        let x = LinearAxis::new(input.w, ow, coordinates, "output width");
        let (y, x) = match (y, x) {
            (Ok(y), Ok(x)) => (y, x),
            (Err(e), _) | (_, Err(e)) => return Err(e),
        };
        // Bounds: each denominator is at most 2 * MAX_SIDE < 2^16.
        match Shape::new(oh, ow, input.c).check(&OUTPUT) {
            Ok(()) => Ok(Bilinear { input, y, x, by_area: Reciprocal::new(y.den() * x.den()) }),
            Err(e) => Err(e),
        }
    }
}

impl<T: Element> Layer<T> for Bilinear {
    fn input(&self) -> Shape {
        self.input
    }

    fn output(&self) -> Shape {
        Shape::new(self.y.output, self.x.output, self.input.c)
    }

    fn reads(&self, oy: usize) -> Range<usize> {
        let Tap { i0, i1, t } = self.y.at(oy);
        let last = if t == 0 { i0 } else { i1 };
        i0 as usize..last as usize + 1
    }

    fn macs(&self) -> u64 {
        4 * Layer::<T>::output(self).len() as u64
    }

    #[inline(never)]
    fn row(&self, oy: usize, x: &Window<'_, T>, y: &mut [T]) {
        let c = self.input.c;
        let Tap { i0, i1, t: ty } = self.y.at(oy);
        let above = x.row(i0 as usize);
        let below = if ty == 0 { above } else { x.row(i1 as usize) };
        let area = u64::from(self.y.den() * self.x.den());
        let (dy, dx) = (self.y.den() - ty, self.x.den());
        for (out, Tap { i0, i1, t: tx }) in y.chunks_exact_mut(c.max(1)).zip(self.x.walk()) {
            let weights = [dy * (dx - tx), dy * tx, ty * (dx - tx), ty * tx];
            let (left, right) = (i0 as usize * c, i1 as usize * c);
            let (a, b) = (cut(above, left, c), cut(above, right, c));
            let (p, q) = (cut(below, left, c), cut(below, right, c));
            for ((((out, a), b), p), q) in out.iter_mut().zip(a).zip(b).zip(p).zip(q) {
                // Bounds: x - MIN < 2^16 and the weights add up to area < 2^32: the sum is below 2^48, the quotient below 2^16.
                let term = |x: &T, w: u32| u64::from((x.to_i32() - T::MIN) as u32) * u64::from(w);
                let sum = term(a, weights[0]) + term(b, weights[1]) + term(p, weights[2]) + term(q, weights[3]);
                let (rounded, _) = self.by_area.div_rem(sum + area / 2);
                *out = T::from_i32(rounded as i32 + T::MIN);
            }
        }
    }
}
