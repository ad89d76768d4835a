//! From real scales to integers, and from accumulators back to elements.
//!
//! A tensor of raw values q stands for the real values `scale * (q - zero)`. An accumulator of products of
//! input and weight has the scale `sx * sw`; the output needs `sy`, so it is multiplied by the real number
//! `M = sx * sw / sy`, which [`Multiplier`] holds as an integer and a shift, and rounded the way [`Rounding`]
//! names. Floats appear here and only at plan time.

mod accumulator;
mod multiplier;
mod requant;

pub use accumulator::Accumulator;
pub use multiplier::{Multiplier, Rounding};
pub(crate) use requant::Requant;

use crate::{Element, Error};

/// Scale and zero point of a tensor: `real = scale * (raw - zero)`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Quant {
    /// The real distance of two neighbouring raw values; finite and above 0.
    pub scale: f32,
    /// The raw value that stands for 0.0; it must lie in the element's range.
    pub zero: i32,
}

impl Quant {
    /// `real = scale * (raw - zero)`.
    pub const fn new(scale: f32, zero: i32) -> Self {
        Quant { scale, zero }
    }

    /// Scale and zero point of a binary-point format with `frac` fractional bits: `2^-frac` and 0.
    ///
    /// Beyond 126 bits, where f32 has no such normal number, the scale is 0, which every plan refuses.
    ///
    /// ```
    /// assert_eq!(upconv::Quant::binary_point(7).scale, 1.0 / 128.0); // I1F7
    /// assert_eq!(upconv::Quant::binary_point(31).scale, 0.5f32.powi(31));
    /// ```
    pub const fn binary_point(frac: u32) -> Self {
        Quant::new(f32::from_bits(127u32.saturating_sub(frac) << 23), 0)
    }

    /// `raw - zero` for the real value `v`: `round(v / scale)` in f32, ties away from zero, as TFLite does it.
    const fn steps(self, v: f32) -> i64 {
        let q = (v / self.scale) as f64;
        if q < 0.0 { -((0.5 - q) as i64) } else { (q + 0.5) as i64 }
    }

    pub(crate) const fn check<T: Element>(&self, scale: &'static str, zero: &'static str) -> Result<(), Error> {
        if !(self.scale > 0.0 && self.scale < f32::INFINITY) {
            return Err(Error::Scale { what: scale });
        }
        if self.zero < T::MIN || self.zero > T::MAX {
            return Err(Error::Range { what: zero, got: self.zero as i64, min: T::MIN as i64, max: T::MAX as i64 });
        }
        Ok(())
    }
}

/// A clamp of the real output, fused into requantisation.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Activation {
    /// The element's own range.
    None,
    /// `max(y, 0)`
    Relu,
    /// `min(max(y, 0), 6)`
    Relu6,
    /// `min(max(y, -1), 1)`
    ReluN1To1,
    /// `min(max(y, min), max)`
    Clamp {
        /// The smallest real output.
        min: f32,
        /// The largest real output.
        max: f32,
    },
}

impl Activation {
    /// Refuses a clamp that holds no number.
    pub(crate) const fn check(&self) -> Result<(), Error> {
        match self {
            Activation::Clamp { min, max } if min.is_nan() || max.is_nan() || *min > *max => {
                Err(Error::Unsupported { what: "a clamp whose smallest output is above its largest" })
            }
            _ => Ok(()),
        }
    }

    /// The range of raw outputs, never empty: both ends are first brought into the element's range.
    pub const fn range<T: Element>(self, y: Quant) -> (i32, i32) {
        let (min, max) = match self {
            Activation::None => return (T::MIN, T::MAX),
            Activation::Relu => (0, i64::MAX / 2),
            Activation::Relu6 => (0, y.steps(6.0)),
            Activation::ReluN1To1 => (y.steps(-1.0), y.steps(1.0)),
            Activation::Clamp { min, max } => (y.steps(min), y.steps(max)),
        };
        let min = clamp(min.saturating_add(y.zero as i64), T::MIN, T::MAX);
        (min, clamp(max.saturating_add(y.zero as i64), min, T::MAX))
    }
}

const fn clamp(v: i64, min: i32, max: i32) -> i32 {
    if v < min as i64 {
        min
    } else if v > max as i64 {
        max
    } else {
        v as i32
    }
}
