//! From one scale and zero point to another, and between `i8` and `i16`.

use super::Pointwise;
use crate::quant::Requant;
use crate::{Activation, Element, Error, Multiplier, Quant, Rounding};
use core::marker::PhantomData;

/// Changes scale, zero point and element: TFLite's `QUANTIZE` of quantised values.
///
/// `y = clamp(round((x − zx) · sx / sy) + zy)`; exact but for the rounding that is named, and bit for bit LiteRT's with
/// [`Rounding::TfliteDouble`]. Equal scales and zero points copy.
#[derive(Clone, Copy, Debug)]
pub struct Requantize<X, Y> {
    zero: i32,
    multiplier: Multiplier,
    requant: Requant,
    elements: PhantomData<(X, Y)>,
}

impl<X: Element, Y: Element> Requantize<X, Y> {
    /// From scale and zero point `x` to `y`.
    ///
    /// # Errors
    /// [`Error::Scale`] and [`Error::Range`] for scales and zero points that are not valid, or scales more than 2³⁰ apart.
    ///
    /// ```
    /// use upconv::{Quant, Requantize, Rounding};
    /// let (x, y) = (Quant::new(0.5, 3), Quant::new(0.25, 0));
    /// let finer = Requantize::<i8, i16>::plan(x, y, Rounding::TfliteDouble)?;
    /// let mut values = [0; 3];
    /// finer.convert(&[3, 4, -128], &mut values);
    /// assert_eq!(values, [0, 2, -262]);
    /// # Ok::<(), upconv::Error>(())
    /// ```
    pub const fn plan(x: Quant, y: Quant, rounding: Rounding) -> Result<Self, Error> {
        if let Err(e) = rounding.check_32() {
            return Err(e);
        }
        if let Err(e) = x.check::<X>("the input scale", "the input zero point") {
            return Err(e);
        }
        if let Err(e) = y.check::<Y>("the output scale", "the output zero point") {
            return Err(e);
        }
        let multiplier = match Multiplier::from_real(x.scale as f64 / y.scale as f64) {
            Ok(m) => m,
            Err(e) => return Err(e),
        };
        let requant = Requant::new(rounding, y.zero, Activation::None.range::<Y>(y));
        Ok(Requantize { zero: x.zero, multiplier, requant, elements: PhantomData })
    }

    /// One value.
    #[inline]
    pub fn value(&self, x: X) -> Y {
        self.requant.apply(x.to_i32() - self.zero, self.multiplier)
    }

    /// Converts `x` into `y`, as many values as both hold.
    pub fn convert(&self, x: &[X], y: &mut [Y]) {
        for (y, x) in y.iter_mut().zip(x) {
            *y = self.value(*x);
        }
    }
}

impl<T: Element> Pointwise<T> for Requantize<T, T> {
    #[inline]
    fn at(&self, x: T) -> T {
        self.value(x)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{all, error, quants};
    use super::*;

    #[test]
    fn equal_scales_and_zero_points_copy() {
        for x in quants() {
            for rounding in [Rounding::TfliteDouble, Rounding::TfliteSingle] {
                let copy = Requantize::<i8, i8>::plan(x, x, rounding).unwrap();
                assert!(all::<i8>().into_iter().all(|v| copy.value(v) == v), "{x:?}");
            }
        }
    }

    #[test]
    fn values_lie_within_the_rounding() {
        for x in quants() {
            for y in [0.01, 0.3, 1.0, 1.9, 300.0].map(|f| Quant::new(x.scale * f, -77)) {
                let change = Requantize::<i8, i8>::plan(x, y, Rounding::TfliteSingle).unwrap();
                assert!(error(&change, x, y, |v| v) < 0.5001, "{x:?} {y:?}");
            }
        }
        let (x, y) = (Quant::new(0.001, -3), Quant::new(0.1, 20));
        let down = Requantize::<i16, i8>::plan(x, y, Rounding::TfliteSingle).unwrap();
        let up = Requantize::<i8, i16>::plan(y, x, Rounding::TfliteSingle).unwrap();
        for v in all::<i8>() {
            assert_eq!(down.value(up.value(v)), v);
        }
    }
}
