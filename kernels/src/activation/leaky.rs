//! Leaky ReLU in integers.

use super::Pointwise;
use crate::{Element, Error, Multiplier, Quant, Rounding};
use core::marker::PhantomData;

/// Leaky ReLU: `x` where it is positive, `alpha · x` elsewhere.
///
/// `y = clamp(round((x − zx) · M) + zy)` with `M = sx / sy` or `alpha · sx / sy`, both computed in f32 as TFLite does; exact but for
/// that and one rounding, and bit for bit LiteRT's with [`Rounding::TfliteDouble`].
#[derive(Clone, Copy, Debug)]
pub struct LeakyRelu<T> {
    x_zero: i32,
    y_zero: i32,
    /// For values from 0 on.
    up: Multiplier,
    /// For values below 0: the size of its slope, and whether that is negative.
    down: Multiplier,
    negative: bool,
    rounding: Rounding,
    element: PhantomData<T>,
}

impl<T: Element> LeakyRelu<T> {
    /// From scale and zero point `x` to `y`; `alpha` is any finite slope.
    ///
    /// # Errors
    /// [`Error::Scale`] and [`Error::Range`] for scales and zero points that are not valid, scales more than 2³⁰ apart, or an `alpha`
    /// that is not finite.
    ///
    /// ```
    /// use upconv::{LeakyRelu, Pointwise, Quant, Rounding};
    /// let q = Quant::new(0.1, 0);
    /// let leaky: LeakyRelu<i16> = LeakyRelu::plan(q, q, 0.25, Rounding::TfliteDouble)?;
    /// assert_eq!((leaky.at(1000), leaky.at(-1000)), (1000, -250));
    /// # Ok::<(), upconv::Error>(())
    /// ```
    pub const fn plan(x: Quant, y: Quant, alpha: f32, rounding: Rounding) -> Result<Self, Error> {
        if let Err(e) = x.check::<T>("the input scale", "the input zero point") {
            return Err(e);
        }
        if let Err(e) = y.check::<T>("the output scale", "the output zero point") {
            return Err(e);
        }
        if let Err(e) = rounding.check_32() {
            return Err(e);
        }
        let (x_zero, y_zero, negative) = (x.zero, y.zero, alpha < 0.0);
        let slope = if negative { -alpha } else { alpha };
        // In f32, as TFLite.
        let up = Multiplier::from_real((x.scale / y.scale) as f64);
        let down = Multiplier::from_real((x.scale * slope / y.scale) as f64);
        match (up, down) {
            (Ok(up), Ok(down)) => Ok(LeakyRelu { x_zero, y_zero, up, down, negative, rounding, element: PhantomData }),
            (Err(e), _) | (_, Err(e)) => Err(e),
        }
    }

    /// The function on raw values.
    #[inline]
    pub(super) const fn raw(&self, x: i32) -> i32 {
        let x = x - self.x_zero;
        // A negative slope takes the sign before it is rounded, as a negative factor would.
        let signed = if x < 0 && self.negative { -x } else { x };
        let scaled = if x >= 0 { self.up } else { self.down }.apply(signed, self.rounding);
        // Clamped first, so that adding the zero point cannot overflow.
        let (low, high) = (T::MIN - self.y_zero, T::MAX - self.y_zero);
        let clamped = if scaled < low {
            low
        } else if scaled > high {
            high
        } else {
            scaled
        };
        clamped + self.y_zero
    }
}

impl<T: Element> Pointwise<T> for LeakyRelu<T> {
    #[inline]
    fn at(&self, x: T) -> T {
        T::from_i32(self.raw(x.to_i32()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{digest, error, quants};
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "a digest of every value")]
    fn leaky_relu_is_that_of_litert() {
        let (x, y) = (Quant::new(0.0003, 0), Quant::new(0.00021, 0));
        let leaky = LeakyRelu::<i16>::plan(x, y, 0.3, Rounding::TfliteDouble).unwrap();
        assert_eq!(digest(&leaky), 0xc778_fdad);
    }

    #[test]
    fn leaky_relu_lies_within_its_bounds() {
        for alpha in [0.0, 0.01, 0.3, 1.0, 2.5, -0.5] {
            let real = |v: f64| if v < 0.0 { v * f64::from(alpha) } else { v };
            for x in quants() {
                for y in [0.3, 1.0, 1.9, 40.0].map(|f| Quant::new(x.scale * f, -5)) {
                    let at = |rounding| LeakyRelu::plan(x, y, alpha, rounding).unwrap();
                    let leaky: LeakyRelu<i8> = at(Rounding::TfliteSingle);
                    assert!(error(&leaky, x, y, real) < 0.5001, "{alpha} {x:?} {y:?}");
                    // The first of two roundings may add half of half a step.
                    let leaky: LeakyRelu<i8> = at(Rounding::TfliteDouble);
                    assert!(error(&leaky, x, y, real) < 0.7501, "{alpha} {x:?} {y:?}");
                }
            }
        }
        let x = Quant::new(3e-4, 100);
        let leaky: LeakyRelu<i16> = LeakyRelu::plan(x, Quant::new(1e-4, 0), 0.2, Rounding::TfliteSingle).unwrap();
        assert!(error(&leaky, x, Quant::new(1e-4, 0), |v| if v < 0.0 { v * f64::from(0.2f32) } else { v }) < 0.51);
    }
}
