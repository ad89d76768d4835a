//! Real numbers on the device, before and after the network: a sensor's value into a tensor, a result out of it.
//!
//! By `micromath`, whose approximations are small and need no float unit; nothing here is on a kernel's path.

use crate::{Element, Quant};
use micromath::F32Ext;

impl Quant {
    /// The raw value nearest to a real one: `round(v / scale) + zero`, ties away from zero, clamped. NaN gives the zero point.
    ///
    /// ```
    /// use upconv::Quant;
    /// let q = Quant::new(0.5, -10);
    /// assert_eq!([3.2, -1.25, 1e9].map(|v| q.quantize::<i8>(v)), [-4, -13, 127]);
    /// ```
    pub fn quantize<T: Element>(&self, v: f32) -> T {
        let steps = F32Ext::round(v / self.scale);
        // `as` saturates, and takes NaN to 0.
        T::from_i32((steps as i32).saturating_add(self.zero).max(T::MIN).min(T::MAX))
    }

    /// The real value of a raw one: `scale * (raw - zero)`.
    ///
    /// ```
    /// assert_eq!(upconv::Quant::new(0.5, -10).dequantize(-4i8), 3.0);
    /// ```
    pub fn dequantize<T: Element>(&self, raw: T) -> f32 {
        self.scale * (raw.to_i32() - self.zero) as f32
    }
}

/// The logistic function `1 / (1 + e^-v)`, off by less than 0.001 everywhere.
///
/// For a whole tensor a lookup table is exact and faster; this is for a single logit at the end.
///
/// ```
/// assert!((upconv::sigmoid(0.0) - 0.5).abs() < 1e-3);
/// assert!(upconv::sigmoid(-90.0) < 1e-3 && upconv::sigmoid(90.0) > 0.999);
/// ```
pub fn sigmoid(v: f32) -> f32 {
    // Beyond 16 the result is 0 or 1 to seven digits, and e^16 is far from the range's end.
    1.0 / (1.0 + F32Ext::exp(-v.clamp(-16.0, 16.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "floats of the host")]
    fn sigmoid_is_within_a_thousandth() {
        let worst = (-400_000..400_000).map(|i| {
            let v = i as f32 / 20_000.0;
            (f64::from(sigmoid(v)) - 1.0 / (1.0 + (-f64::from(v)).exp())).abs()
        });
        assert!(worst.fold(0.0, f64::max) < 1e-3);
    }

    #[test]
    fn quantising_undoes_dequantising() {
        let q = Quant::new(0.037, 11);
        for raw in i8::MIN..=i8::MAX {
            assert_eq!(q.quantize::<i8>(q.dequantize(raw)), raw);
        }
        for v in (-10_000..10_000).step_by(if cfg!(miri) { 97 } else { 1 }) {
            let v = v as f32 / 997.0;
            let expected = (v / q.scale).round() as i32 + q.zero;
            assert_eq!(i32::from(q.quantize::<i8>(v)), expected.clamp(-128, 127), "{v}");
        }
        assert_eq!(q.quantize::<i16>(f32::NAN), 11);
    }
}
