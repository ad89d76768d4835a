//! Multiplication of a 32-bit accumulator by a real number, in integers.
//!
//! `M = q * 2^(shift - 31)` with q in [2^30, 2^31), as in TensorFlow Lite (`QuantizeMultiplier` and
//! `MultiplyByQuantizedMultiplier` of its reference kernels); the two roundings are its two builds.

use crate::Error;

/// How `acc * M` becomes an integer.
///
/// The first two are within one of the real product. [`TfliteSingle`](Rounding::TfliteSingle) is
/// `floor(acc * M + 1/2)`, the correctly rounded value of the quantised M.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Rounding {
    /// Rounds twice: a doubling high multiply (ties up), then a shift (ties away from zero).
    /// The default of LiteRT, TFLite Micro and CMSIS-NN.
    ///
    /// `RDBP(SRDHM(acc << max(shift, 0), q), max(-shift, 0))`
    TfliteDouble,
    /// Rounds once: `(acc * q + 2^(30 - shift)) >> (31 - shift)`. TFLite's `TFLITE_SINGLE_ROUNDING`.
    TfliteSingle,
    /// TFLite's int16x8 with 64-bit bias: the factor is first rounded to 16 bits, then
    /// `(acc * q16 + 2^(14 - shift)) >> (15 - shift)` in 64 bits.
    Tflite16x8,
}

impl Rounding {
    /// Refuses the rounding that only 64-bit sums have.
    pub(crate) const fn check_32(self) -> Result<(), Error> {
        match self {
            Rounding::Tflite16x8 => Err(Error::Unsupported { what: "Tflite16x8 rounding outside convolutions" }),
            _ => Ok(()),
        }
    }
}

/// A positive real number `q * 2^(shift - 31)`.
///
/// It lies in memory as C's `struct { int32_t q; int8_t shift; }` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[repr(C)]
pub struct Multiplier {
    q: i32,
    shift: i8,
}

impl Multiplier {
    /// A product of 0.
    pub(crate) const ZERO: Self = Multiplier { q: 0, shift: 0 };

    /// `q * 2^(shift - 31)`, as another program has computed it.
    ///
    /// # Errors
    /// [`Error::Range`] when q is neither 0 nor in [2³⁰, 2³¹), or the shift is not in -31 ..= 30.
    ///
    /// ```
    /// use upconv::Multiplier;
    /// assert_eq!(Multiplier::new(1 << 30, -2), Multiplier::from_real(0.125));
    /// assert!(Multiplier::new(1, 0).is_err());
    /// ```
    pub const fn new(q: i32, shift: i8) -> Result<Self, Error> {
        const MIN: i32 = 1 << 30;
        if q != 0 && q < MIN {
            let what = "a multiplier's factor";
            return Err(Error::Range { what, got: q as i64, min: MIN as i64, max: i32::MAX as i64 });
        }
        if shift < -31 || shift > 30 {
            return Err(Error::Range { what: "a multiplier's shift", got: shift as i64, min: -31, max: 30 });
        }
        Ok(Multiplier { q, shift })
    }

    /// The multiplier nearest to `sx * sw / sy`, computed in f64 as TFLite does.
    ///
    /// A ratio below 2⁻³² becomes 0, as there.
    ///
    /// # Errors
    /// [`Error::Scale`] when a scale is not finite and above 0, or the ratio is 2³⁰ or more.
    ///
    /// ```
    /// use upconv::Multiplier;
    /// let m = Multiplier::from_scales(0.5, 0.25, 1.0)?;
    /// assert_eq!((m.q(), m.shift()), (1 << 30, -2)); // 1/8
    /// # Ok::<(), upconv::Error>(())
    /// ```
    pub const fn from_scales(sx: f32, sw: f32, sy: f32) -> Result<Self, Error> {
        if !(sx > 0.0 && sx < f32::INFINITY) {
            return Err(Error::Scale { what: "the input scale" });
        }
        if !(sw > 0.0 && sw < f32::INFINITY) {
            return Err(Error::Scale { what: "a weight scale" });
        }
        if !(sy > 0.0 && sy < f32::INFINITY) {
            return Err(Error::Scale { what: "the output scale" });
        }
        Multiplier::from_real(sx as f64 * sw as f64 / sy as f64)
    }

    /// One multiplier for each weight scale: [`from_scales`](Self::from_scales) of each.
    ///
    /// # Errors
    /// Those of [`from_scales`](Self::from_scales).
    pub const fn per_channel<const N: usize>(sx: f32, sw: &[f32; N], sy: f32) -> Result<[Self; N], Error> {
        let mut all = [Multiplier::ZERO; N];
        let mut i = 0;
        while i < N {
            match Multiplier::from_scales(sx, sw[i], sy) {
                Ok(m) => all[i] = m,
                Err(e) => return Err(e),
            }
            i += 1;
        }
        Ok(all)
    }

    /// The multiplier nearest to the real number `m`: 31 bits of its mantissa, ties away from zero.
    ///
    /// # Errors
    /// [`Error::Scale`] when `m` is negative, not finite, or 2³⁰ or more.
    pub const fn from_real(m: f64) -> Result<Self, Error> {
        if !(m >= 0.0 && m < (1u64 << 30) as f64) {
            return Err(Error::Scale { what: "the ratio of scales" });
        }
        let bits = m.to_bits();
        let exponent = (bits >> 52) as i32 - 1022; // m = 0.1… * 2^exponent
        if exponent < -31 {
            // Also every subnormal. One that rounding would lift to exactly 2^-32 is kept below.
            let lifted = exponent == -32 && (bits & ((1 << 52) - 1)) >= (1 << 52) - (1 << 21);
            return Ok(if lifted { Multiplier { q: 1 << 30, shift: -31 } } else { Multiplier { q: 0, shift: 0 } });
        }
        let mantissa = (bits & ((1 << 52) - 1)) | 1 << 52;
        let q = (mantissa + (1 << 21)) >> 22; // in [2^30, 2^31]
        Ok(if q == 1 << 31 {
            Multiplier { q: 1 << 30, shift: exponent as i8 + 1 }
        } else {
            Multiplier { q: q as i32, shift: exponent as i8 }
        })
    }

    /// The 31-bit factor q: 0, or in [2³⁰, 2³¹).
    pub const fn q(self) -> i32 {
        self.q
    }

    /// q rounded to its upper 16 bits, which [`Rounding::Tflite16x8`] takes.
    #[inline(always)]
    pub(crate) const fn q16(self) -> i32 {
        if self.q < 0x7FFF_0000 { (self.q + (1 << 15)) >> 16 } else { 0x7FFF }
    }

    /// The power of two, -31 ..= 30.
    pub const fn shift(self) -> i8 {
        self.shift
    }

    /// The power of two `2^exponent`, -32 ..= 29: requantisation between binary-point formats is a rounding shift.
    ///
    /// # Errors
    /// [`Error::Range`] for another exponent.
    ///
    /// ```
    /// use upconv::{Multiplier, Rounding};
    /// let eighth = Multiplier::power_of_two(-3)?;
    /// assert_eq!(eighth.apply(20, Rounding::TfliteSingle), 3); // 2.5, ties up
    /// # Ok::<(), upconv::Error>(())
    /// ```
    pub const fn power_of_two(exponent: i32) -> Result<Self, Error> {
        if exponent < -32 || exponent > 29 {
            return Err(Error::Range { what: "the exponent", got: exponent as i64, min: -32, max: 29 });
        }
        Ok(Multiplier { q: 1 << 30, shift: (exponent + 1) as i8 })
    }

    /// `acc * M`, rounded as named. A product beyond 32 bits saturates.
    ///
    /// [`Rounding::Tflite16x8`] is for a shift of at most 14.
    #[inline]
    pub const fn apply(self, acc: i32, rounding: Rounding) -> i32 {
        let (left, right) = if self.shift > 0 { (self.shift as u32, 0) } else { (0, -self.shift as u32) };
        // Saturating loses nothing: q >= 2^30, so what does not fit lies beyond every element's range.
        let product = acc.saturating_mul(1 << left) as i64 * self.q as i64;
        match rounding {
            Rounding::TfliteDouble => round_half_away_shift(((product + (1 << 30)) >> 31) as i32, right),
            Rounding::TfliteSingle => ((product + (1i64 << (30 + right))) >> (31 + right)) as i32,
            Rounding::Tflite16x8 => self.apply_wide(acc as i64),
        }
    }

    /// `acc * M` in [`Rounding::Tflite16x8`], for |acc| < 2^47 and a shift of at most 14. A product beyond 32 bits saturates.
    #[inline]
    pub(crate) const fn apply_wide(self, acc: i64) -> i32 {
        let q16 = self.q16();
        if self.shift <= -2 && acc as i32 as i64 == acc {
            // Rounded down three times instead of once, the last time by one bit: the same number.
            let high = ((acc * ((q16 as i64) << 16)) >> 32) as i32; // acc * q16 / 2^16
            return ((high >> (-2 - self.shift as i32)) + 1) >> 1;
        }
        let shift = if self.shift < 14 { (15 - self.shift as i32) as u32 } else { 1 }; // at most 46
        // Bounds: |acc * q16| < 2^62, and the rounding term is at most 2^45.
        let rounded = (acc * q16 as i64 + (1i64 << (shift - 1))) >> shift;
        if rounded > i32::MAX as i64 {
            i32::MAX
        } else if rounded < i32::MIN as i64 {
            i32::MIN
        } else {
            rounded as i32
        }
    }
}

/// `x / 2^e`, ties away from zero, for e in 0 ..= 31.
#[inline]
const fn round_half_away_shift(x: i32, e: u32) -> i32 {
    // Bounds: mask < 2^31, and the sum is below 2^30 + 1 when e >= 1, x when e = 0.
    let mask = ((1u32 << e) - 1) as i32;
    let threshold = (mask >> 1) + (x < 0) as i32;
    (x >> e) + ((x & mask) > threshold) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `std::round(frexp mantissa * 2^31)` as TFLite writes it, in another way than above.
    fn quantize_multiplier(m: f64) -> (i64, i32) {
        if m == 0.0 {
            return (0, 0);
        }
        let mut shift = m.log2().floor() as i32 + 1;
        let mut fraction = m / 2f64.powi(shift);
        if fraction >= 1.0 {
            (fraction, shift) = (fraction / 2.0, shift + 1);
        } else if fraction < 0.5 {
            (fraction, shift) = (fraction * 2.0, shift - 1);
        }
        let mut q = (fraction * 2f64.powi(31)).round() as i64;
        if q == 1 << 31 {
            (q, shift) = (q / 2, shift + 1);
        }
        if shift < -31 { (0, 0) } else { (q, shift) }
    }

    #[test]
    #[cfg_attr(miri, ignore = "floats of the host")]
    fn multipliers_are_those_of_tflite_over_every_exponent() {
        let mut state = 1u64;
        for exponent in -60..30 {
            for k in 0..200u64 {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                let fraction = match k {
                    0 => 0u64,
                    1 => (1 << 52) - 1,
                    2 => (1 << 52) - (1 << 21),
                    3 => (1 << 52) - (1 << 21) - 1,
                    4 => 1 << 21,
                    5 => (1 << 21) - 1,
                    _ => state >> 12,
                };
                let m = f64::from_bits(fraction | ((exponent + 1023) as u64) << 52);
                if m < (1u64 << 30) as f64 {
                    let ours = Multiplier::from_real(m).unwrap();
                    assert_eq!((ours.q as i64, ours.shift as i32), quantize_multiplier(m), "{m:e}");
                }
            }
        }
        assert_eq!(Multiplier::from_real(0.0), Ok(Multiplier { q: 0, shift: 0 }));
        assert_eq!(Multiplier::from_real(5e-324), Ok(Multiplier { q: 0, shift: 0 }));
        for m in [f64::NAN, f64::INFINITY, -1.0, (1u64 << 30) as f64] {
            assert_eq!(Multiplier::from_real(m), Err(Error::Scale { what: "the ratio of scales" }));
        }
        for (sx, sw, sy) in [(0.0, 1.0, 1.0), (1.0, -1.0, 1.0), (1.0, 1.0, f32::NAN), (f32::INFINITY, 1.0, 1.0)] {
            assert!(matches!(Multiplier::from_scales(sx, sw, sy), Err(Error::Scale { .. })));
        }
    }

    /// The definitions in 128-bit integers, with the C division of the reference kernels.
    fn definition(acc: i32, m: Multiplier, rounding: Rounding) -> i32 {
        let (sh, q) = (m.shift as i32, m.q as i128);
        let wide = acc as i128 * (1i128 << sh.max(0));
        let exact = |v: i128| v.clamp(i32::MIN.into(), i32::MAX.into());
        let v = match rounding {
            Rounding::TfliteDouble => {
                let t = exact(wide) * q;
                let high = (t + if t >= 0 { 1 << 30 } else { 1 - (1 << 30) }) / (1 << 31);
                let e = (-sh).max(0);
                let half = if e == 0 { 0 } else { 1i128 << (e - 1) };
                if high >= 0 { (high + half) >> e } else { -((-high + half) >> e) }
            }
            Rounding::TfliteSingle => {
                let (e, t) = (31 + (-sh).max(0), exact(wide) * q);
                (t + (1 << (e - 1))) >> e
            }
            Rounding::Tflite16x8 => {
                let q16 = if q < 0x7FFF_0000 { (q + (1 << 15)) >> 16 } else { 0x7FFF };
                let e = 15 - sh;
                exact((acc as i128 * q16 + (1 << (e - 1))).div_euclid(1 << e))
            }
        };
        v as i32
    }

    #[test]
    fn all_roundings_equal_their_definition_on_every_boundary() {
        let q = [0, 1 << 30, (1 << 30) + 1, 1518500250, i32::MAX - 1, i32::MAX];
        for shift in (-31..=30).step_by(if cfg!(miri) { 15 } else { 1 }) {
            for q in q {
                let m = Multiplier { q, shift: if q == 0 { 0 } else { shift } };
                for rounding in [Rounding::TfliteDouble, Rounding::TfliteSingle, Rounding::Tflite16x8] {
                    if rounding == Rounding::Tflite16x8 && shift > 14 {
                        continue;
                    }
                    let mut accs = vec![0, 1, -1, i32::MAX, i32::MIN, i32::MIN + 1, i32::MAX - 1];
                    // Accumulators beside which the result steps: (n + 1/2) / M and its neighbours.
                    for n in [-300i64, -129, -128, -127, -2, -1, 0, 1, 2, 126, 127, 128, 32767] {
                        if q != 0 {
                            let real = (2 * n + 1) as f64 / 2.0 * 2f64.powi(31 - shift as i32) / q as f64;
                            accs.extend(
                                (-2..=2).map(|d| (real as i64 + d).clamp(i32::MIN.into(), i32::MAX.into()) as i32),
                            );
                        }
                    }
                    for bit in 0..31 {
                        accs.extend([1 << bit, -(1 << bit), (1 << bit) - 1, 1 - (1 << bit)]);
                    }
                    for acc in accs {
                        assert_eq!(m.apply(acc, rounding), definition(acc, m, rounding), "{acc} {m:?} {rounding:?}");
                    }
                }
            }
        }
    }
}
