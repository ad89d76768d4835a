//! Lookup tables: one entry per input for `i8`, interpolation between 513 entries for `i16`.

use super::Pointwise;
use super::leaky::LeakyRelu;
use super::real::{exp, round, tanh};
use crate::shape::all;
use crate::{Element, Error, Multiplier, Quant, Rounding};

/// A function of an 8-bit value as its 256 results; made at compile time, it lies in flash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table8 {
    /// The result for the raw value -128 comes first.
    y: [i8; 256],
}

const fn check<T: Element>(x: Quant, y: Quant) -> Result<(), Error> {
    all(&[
        x.check::<T>("the input scale", "the input zero point"),
        y.check::<T>("the output scale", "the output zero point"),
    ])
}

impl Table8 {
    /// The real value of raw value `i − 128`, in f32.
    pub const fn input(x: Quant, i: usize) -> f32 {
        x.scale * (i as i32 - 128 - x.zero) as f32
    }

    /// Any function, by its real values at [`input(x, 0)`](Self::input) .. `input(x, 255)`.
    ///
    /// `y = clamp(round(value / sy) + zy)`, ties away from zero, in f32 as LiteRT's `LUTPopulate`: within 0.5001 steps.
    ///
    /// # Errors
    /// [`Error::Scale`] and [`Error::Range`] for a scale and zero point that are not valid.
    ///
    /// ```
    /// use upconv::{Pointwise, Quant, Table8, must};
    /// const X: Quant = Quant::new(1.0 / 32.0, 0);
    /// const SQUARES: [f32; 256] = {
    ///     let (mut values, mut i) = ([0.0; 256], 0);
    ///     while i < 256 {
    ///         values[i] = Table8::input(X, i) * Table8::input(X, i);
    ///         i += 1;
    ///     }
    ///     values
    /// };
    /// static SQUARE: Table8 = must!(Table8::from_values(&SQUARES, Quant::new(1.0 / 16.0, -128)));
    /// assert_eq!([0i8, 64, -128].map(|x| SQUARE.at(x)), [-128, -64, 127]); // 0, 4, and 16 clamped
    /// ```
    pub const fn from_values(values: &[f32; 256], y: Quant) -> Result<Self, Error> {
        if let Err(e) = y.check::<i8>("the output scale", "the output zero point") {
            return Err(e);
        }
        let (mut table, mut i) = ([0; 256], 0);
        while i < 256 {
            let steps = round((values[i] * (1.0 / y.scale)) as f64);
            table[i] = narrow(steps.saturating_add(y.zero as i64), i8::MIN as i64, i8::MAX as i64) as i8;
            i += 1;
        }
        Ok(Table8 { y: table })
    }

    /// `1 / (1 + e^-x)`. LiteRT's `LOGISTIC` asks for the output scale 1/256 and zero point -128; here both are free.
    ///
    /// Within 0.5001 steps (`tests::curves_lie_within_half_a_step`), and bit for bit LiteRT's where the C library that it runs on
    /// rounds `expf` correctly.
    ///
    /// # Errors
    /// [`Error::Scale`] and [`Error::Range`] for scales and zero points that are not valid.
    ///
    /// ```
    /// use upconv::{Pointwise, Quant, Table8, must};
    /// static SIGMOID: Table8 = must!(Table8::sigmoid(Quant::new(1.0 / 16.0, 0), Quant::new(1.0 / 256.0, -128)));
    /// assert_eq!([0i8, 16].map(|x| SIGMOID.at(x)), [0, 59]); // 0.5, 0.7311
    /// ```
    pub const fn sigmoid(x: Quant, y: Quant) -> Result<Self, Error> {
        if let Err(e) = check::<i8>(x, y) {
            return Err(e);
        }
        let (mut values, mut i) = ([0.0; 256], 0);
        while i < 256 {
            values[i] = 1.0 / (1.0 + exp(-Table8::input(x, i) as f64) as f32);
            i += 1;
        }
        Table8::from_values(&values, y)
    }

    /// `tanh x`. LiteRT's `TANH` uses the output scale 1/128 and zero point 0; here both are free.
    ///
    /// Within 0.5001 steps (`tests::curves_lie_within_half_a_step`), and bit for bit LiteRT's where the C library that it runs on
    /// rounds `tanhf` correctly.
    ///
    /// # Errors
    /// [`Error::Scale`] and [`Error::Range`] for scales and zero points that are not valid.
    ///
    /// ```
    /// use upconv::{Pointwise, Quant, Table8, must};
    /// static TANH: Table8 = must!(Table8::tanh(Quant::new(1.0 / 16.0, 0), Quant::new(1.0 / 128.0, 0)));
    /// assert_eq!([0i8, 16, -128].map(|x| TANH.at(x)), [0, 97, -128]); // 0, 0.7616, -1
    /// ```
    pub const fn tanh(x: Quant, y: Quant) -> Result<Self, Error> {
        if let Err(e) = check::<i8>(x, y) {
            return Err(e);
        }
        let (mut values, mut i) = ([0.0; 256], 0);
        while i < 256 {
            values[i] = tanh(Table8::input(x, i) as f64) as f32;
            i += 1;
        }
        Table8::from_values(&values, y)
    }

    /// `x · min(max(x + 3, 0), 6) / 6`, bit for bit LiteRT's `HARD_SWISH`.
    ///
    /// That kernel computes in 16 bits with five roundings: within 1.1 steps (`tests::hard_swish_lies_within_its_bounds`).
    ///
    /// # Errors
    /// [`Error::Scale`] and [`Error::Range`] for scales and zero points that are not valid, [`Error::Unsupported`] when the output scale is
    /// less than 1/128 of the input's.
    ///
    /// ```
    /// use upconv::{Pointwise, Quant, Table8, must};
    /// static HARD_SWISH: Table8 = must!(Table8::hard_swish(Quant::new(1.0 / 16.0, 0), Quant::new(1.0 / 16.0, 0)));
    /// assert_eq!([-64i8, -16, 16, 64].map(|x| HARD_SWISH.at(x)), [0, -5, 11, 64]); // 0, -1/3, 2/3, 4
    /// ```
    pub const fn hard_swish(x: Quant, y: Quant) -> Result<Self, Error> {
        if let Err(e) = check::<i8>(x, y) {
            return Err(e);
        }
        let fine = (1.0 / 128.0) * x.scale;
        let scales =
            (Multiplier::from_real((fine / y.scale) as f64), Multiplier::from_real((fine / (3.0 / 32768.0)) as f64));
        let (output, relu) = match scales {
            (Ok(output), Ok(relu)) => (output, relu),
            (Err(e), _) | (_, Err(e)) => return Err(e),
        };
        if output.shift() > 0 {
            return Err(Error::Unsupported { what: "hard-swish to an output scale below 1/128 of the input scale" });
        }
        let (mut table, mut i) = ([0; 256], 0);
        while i < 256 {
            let v = hard_swish((i as i32 - 128 - x.zero) as i16, output, relu) as i64;
            table[i] = narrow(v + y.zero as i64, i8::MIN as i64, i8::MAX as i64) as i8;
            i += 1;
        }
        Ok(Table8 { y: table })
    }

    /// [`LeakyRelu`] as a table.
    ///
    /// # Errors
    /// Those of [`LeakyRelu::plan`].
    ///
    /// ```
    /// use upconv::{Pointwise, Quant, Rounding, Table8, must};
    /// const Q: Quant = Quant::new(0.1, 0);
    /// static LEAKY: Table8 = must!(Table8::leaky_relu(Q, Q, 0.25, Rounding::TfliteDouble));
    /// assert_eq!([100i8, -100].map(|x| LEAKY.at(x)), [100, -25]);
    /// ```
    pub const fn leaky_relu(x: Quant, y: Quant, alpha: f32, rounding: Rounding) -> Result<Self, Error> {
        let leaky: LeakyRelu<i8> = match LeakyRelu::plan(x, y, alpha, rounding) {
            Ok(leaky) => leaky,
            Err(e) => return Err(e),
        };
        let (mut table, mut i) = ([0; 256], 0);
        while i < 256 {
            table[i] = leaky.raw(i as i32 - 128) as i8;
            i += 1;
        }
        Ok(Table8 { y: table })
    }
}

impl<T: Element> Pointwise<T> for Table8 {
    #[inline]
    fn at(&self, x: T) -> T {
        const { assert!(T::MAX == i8::MAX as i32, "Table8 is for 8-bit elements") };
        T::from_i32(self.y[usize::from((x.to_i32() - T::MIN) as u8)].into())
    }
}

const fn narrow(v: i64, min: i64, max: i64) -> i64 {
    if v < min {
        min
    } else if v > max {
        max
    } else {
        v
    }
}

/// LiteRT's hard-swish of `x`, less the zero points: `x · r`, r being the relu-like factor in 0 ..= 1, all in 16 bits.
const fn hard_swish(x: i16, output: Multiplier, relu: Multiplier) -> i16 {
    let fine = x << 7; // |x| <= 255
    let before_shift = high_mul(fine, upper_half(output.q()), true);
    // (x + 3) / 6 as a fraction of 2^15: first x / 3, which saturates at 1 in size.
    let mut r = fine;
    if relu.shift() > 0 {
        r = shift_left(r, relu.shift() as u32 - 1);
    }
    r = high_mul(r, upper_half(relu.q()), true);
    if relu.shift() > 0 {
        r = shift_left(r, 1);
    } else {
        r = shift_right(r, -relu.shift() as u32);
    }
    let r = ((r as i32 + (1 << 15)) >> 1) as i16;
    shift_right(high_mul(r, before_shift, false), -output.shift() as u32)
}

/// The factor q of a multiplier in 16 bits.
const fn upper_half(q: i32) -> i16 {
    if q >= i32::MAX - (1 << 15) { i16::MAX } else { ((q + (1 << 15)) >> 16) as i16 }
}

/// `a · b / 2^15`, to the nearest (ties up) or towards zero; b is never -2^15.
const fn high_mul(a: i16, b: i16, nearest: bool) -> i16 {
    let product = a as i32 * b as i32;
    if nearest { ((product + (1 << 14)) >> 15) as i16 } else { (product / (1 << 15)) as i16 }
}

/// `x · 2^e`, saturating.
const fn shift_left(x: i16, e: u32) -> i16 {
    narrow((x as i64) << e, i16::MIN as i64, i16::MAX as i64) as i16
}

/// `x / 2^e`, ties away from zero, with gemmlowp's 16-bit mask, which is all ones from e = 16 on.
const fn shift_right(x: i16, e: u32) -> i16 {
    let mask = ((1i64 << e) - 1) as i16;
    let threshold = (mask >> 1) + (x < 0) as i16;
    let whole = if e > 15 { x >> 15 } else { x >> e };
    whole + ((x & mask) > threshold) as i16
}

/// A function of a 16-bit value, interpolated between 513 entries; 1 KB.
///
/// With `i = x >> 7` and `t = x mod 128`: `y = y[i] + ((y[i + 1] − y[i]) · t + 64) >> 7`, LiteRT's `LUTLookup`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table16 {
    /// The entry for the raw value -32768 comes first.
    y: [i16; 513],
}

impl Table16 {
    /// The real value of position `i` of 0 ..= 1024, which are 64 raw values apart: entries, and between them the middle of each cell.
    ///
    /// ```
    /// use upconv::{Quant, Table16};
    /// let x = Quant::new(1.0 / 32768.0, 0);
    /// assert_eq!((Table16::input(x, 0), Table16::input(x, 1024)), (-1.0, 32767.0 / 32768.0));
    /// ```
    pub const fn input(x: Quant, i: usize) -> f32 {
        let min = x.scale * (i16::MIN as i32 - x.zero) as f32;
        let max = x.scale * (i16::MAX as i32 - x.zero) as f32;
        let step = (max - min) / 512.0;
        let entry = min + (i / 2) as f32 * step;
        if i == 1024 {
            max
        } else if i.is_multiple_of(2) {
            entry
        } else {
            entry + step / 2.0
        }
    }

    /// Any function, by its real values at [`input(x, 0)`](Self::input) .. `input(x, 1024)`.
    ///
    /// Each entry is lowered by half the interpolation's error in the middle of its cell, as LiteRT's `LUTPopulate` does, in f32. That
    /// function maps the output's 65535 steps to 65536, which costs half a step at full scale.
    ///
    /// ```
    /// use upconv::{Pointwise, Quant, Table16, must};
    /// const Q: Quant = Quant::new(1.0 / 16384.0, 0);
    /// const SQUARES: [f32; 1025] = {
    ///     let (mut values, mut i) = ([0.0; 1025], 0);
    ///     while i < 1025 {
    ///         values[i] = Table16::input(Q, i) * Table16::input(Q, i);
    ///         i += 1;
    ///     }
    ///     values
    /// };
    /// static SQUARE: Table16 = must!(Table16::from_values(&SQUARES, Q));
    /// assert_eq!([0i16, 8192, -16384].map(|x| SQUARE.at(x)), [0, 4095, 16385]); // 0, 1/4, 1, each within a step
    /// ```
    ///
    /// # Errors
    /// [`Error::Scale`] and [`Error::Range`] for a scale and zero point that are not valid.
    pub const fn from_values(values: &[f32; 1025], y: Quant) -> Result<Self, Error> {
        if let Err(e) = y.check::<i16>("the output scale", "the output zero point") {
            return Err(e);
        }
        let min = y.scale * (i16::MIN as i32 - y.zero) as f32;
        let max = y.scale * (i16::MAX as i32 - y.zero) as f32;
        let inverse = 65536.0 / (max - min);
        let (mut table, mut i) = ([0; 513], 0);
        while i < 512 {
            let entry = round_f32(values[2 * i] * inverse);
            let between = round_f32((values[2 * i + 2] * inverse + entry) / 2.0);
            let bias = round_f32((between - round_f32(values[2 * i + 1] * inverse)) / 2.0);
            table[i] = at_zero(entry - bias, y.zero);
            i += 1;
        }
        table[512] = at_zero(round_f32(values[1024] * inverse), y.zero);
        Ok(Table16 { y: table })
    }

    /// `x · min(max(x + 3, 0), 6) / 6`. (LiteRT has no 16-bit kernel.)
    ///
    /// Within 2 + 11·sx/sy steps (`tests::hard_swish_lies_within_its_bounds`): the bends at ±3 lie inside a cell, unless sx divides
    /// 3/128.
    ///
    /// # Errors
    /// [`Error::Scale`] and [`Error::Range`] for scales and zero points that are not valid.
    ///
    /// ```
    /// use upconv::{Pointwise, Quant, Table16, must};
    /// const Q: Quant = Quant::new(1.0 / 4096.0, 0);
    /// static HARD_SWISH: Table16 = must!(Table16::hard_swish(Q, Q));
    /// assert_eq!([-16384i16, -4096, 4096, 16384].map(|x| HARD_SWISH.at(x)), [0, -1366, 2730, 16384]); // 0, -1/3, 2/3, 4
    /// ```
    pub const fn hard_swish(x: Quant, y: Quant) -> Result<Self, Error> {
        if let Err(e) = check::<i16>(x, y) {
            return Err(e);
        }
        let (mut values, mut i) = ([0.0; 1025], 0);
        while i < 1025 {
            let v = Table16::input(x, i);
            values[i] = if v <= -3.0 {
                0.0
            } else if v >= 3.0 {
                v
            } else {
                v * (v + 3.0) / 6.0
            };
            i += 1;
        }
        Table16::from_values(&values, y)
    }
}

/// `clamp(steps + zero)`
const fn at_zero(steps: f32, zero: i32) -> i16 {
    narrow((steps as i64).saturating_add(zero as i64), i16::MIN as i64, i16::MAX as i64) as i16
}

const fn round_f32(v: f32) -> f32 {
    round(v as f64) as f32
}

impl<T: Element> Pointwise<T> for Table16 {
    #[inline]
    fn at(&self, x: T) -> T {
        const { assert!(T::MAX == i16::MAX as i32, "Table16 is for 16-bit elements") };
        let up = (x.to_i32() - T::MIN) as u16;
        let (i, t) = (usize::from(up >> 7), i32::from(up & 0x7F));
        let (a, b) = (i32::from(self.y[i]), i32::from(self.y[i + 1]));
        // Bounds: |(b - a) * t| < 2^16 * 2^7, and the result lies between a and b.
        T::from_i32(a + (((b - a) * t + 64) >> 7))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{digest, error, quants};
    use super::*;

    fn hard_swish(v: f64) -> f64 {
        v * (v + 3.0).clamp(0.0, 6.0) / 6.0
    }

    #[test]
    #[cfg_attr(miri, ignore = "digests of every value")]
    fn tables_are_those_of_litert() {
        let table = Table8::sigmoid(Quant::new(0.05, 3), Quant::new(1.0 / 256.0, -128)).unwrap();
        assert_eq!(digest::<i8>(&table), 0x216b_f980);
        let table = Table8::tanh(Quant::new(0.02, -7), Quant::new(1.0 / 128.0, 0)).unwrap();
        assert_eq!(digest::<i8>(&table), 0x57fa_779e);
        let table = Table8::hard_swish(Quant::new(0.05, -20), Quant::new(0.03, -116)).unwrap();
        assert_eq!(digest::<i8>(&table), 0xfedb_3827);
        let table = Table8::hard_swish(Quant::new(0.5, 0), Quant::new(0.5, 0)).unwrap();
        assert_eq!(digest::<i8>(&table), 0x7e85_9482);
        let table = Table8::hard_swish(Quant::new(0.001, 127), Quant::new(0.002, 5)).unwrap();
        assert_eq!(digest::<i8>(&table), 0x8954_bc60);
        let (x, y) = (Quant::new(0.05, -20), Quant::new(0.03, -100));
        assert_eq!(digest::<i8>(&Table8::leaky_relu(x, y, 0.1, Rounding::TfliteDouble).unwrap()), 0x45e0_7032);
        // LiteRT's EXP is a function that it looks up in a 16-bit table.
        let x = Quant::new(0.00002, 0);
        let values: Vec<f32> = (0..1025).map(|i| exp(Table16::input(x, i).into()) as f32).collect();
        let table = Table16::from_values(values[..].try_into().unwrap(), Quant::new(0.00006, 0)).unwrap();
        assert_eq!(digest::<i16>(&table), 0xd97d_bb36);
    }

    #[test]
    fn curves_lie_within_half_a_step() {
        for x in quants() {
            let y = Quant::new(1.0 / 256.0, -128);
            let table = Table8::sigmoid(x, y).unwrap();
            assert!(error::<i8>(&table, x, y, |v| 1.0 / (1.0 + (-v).exp())) < 0.5001, "{x:?}");
            for y in [Quant::new(1.0 / 128.0, 0), Quant::new(0.003, 50)] {
                let table = Table8::tanh(x, y).unwrap();
                assert!(error::<i8>(&table, x, y, f64::tanh) < 0.5001, "{x:?}");
            }
        }
    }

    #[test]
    fn any_function_is_rounded_to_its_nearest_step() {
        for x in quants() {
            for y in [Quant::new(0.01, 0), Quant::new(0.37, -128), Quant::new(3.0, 127)] {
                let mut values = [0.0; 256];
                for (i, v) in values.iter_mut().enumerate() {
                    *v = Table8::input(x, i).powi(2) - 1.0;
                }
                let table = Table8::from_values(&values, y).unwrap();
                assert!(error::<i8>(&table, x, y, |v| v * v - 1.0) < 0.5001, "{x:?} {y:?}");
            }
        }
        // Ties away from zero, on both sides of it, then the clamp.
        let mut values = [0.0; 256];
        values[..6].copy_from_slice(&[0.5, -0.5, 1.5, -1.5, 1e30, -1e30]);
        let table = Table8::from_values(&values, Quant::new(1.0, 10)).unwrap();
        assert_eq!(table.y[..7], [11, 9, 12, 8, 127, -128, 10]);
        // In f32, as in LiteRT, 2.25 · (1 / 0.3) is 7.5, but 2.25 / 0.3 is less.
        assert_eq!(Table8::from_values(&[2.25; 256], Quant::new(0.3, 0)).unwrap().y[0], 8);
    }

    #[test]
    fn hard_swish_lies_within_its_bounds() {
        for x in quants().filter(|x| x.scale < 1.0) {
            // The last two give factors just below a power of two, which round up to 16 bits and saturate.
            for y in [0.05, 0.2, 0.7, 1.5, 4.0, 30.0, 1.000_002, 2.000_004].map(|f| Quant::new(x.scale * f, x.zero)) {
                let table = Table8::hard_swish(x, y).unwrap();
                assert!(error::<i8>(&table, x, y, hard_swish) < 1.1, "{x:?} {y:?}");
            }
        }
        for reach in [0.3f32, 1.0, 3.0, 4.0, 6.0, 8.0, 10.0, 20.0, 55.0, 100.0] {
            let x = Quant::new(reach / 32768.0, 0);
            let y = Quant::new((hard_swish(reach.into()) as f32).max(0.375) / 32767.0, 0);
            let table = Table16::hard_swish(x, y).unwrap();
            let error = error::<i16>(&table, x, y, hard_swish);
            assert!(error < f64::from(2.0 + 11.0 * x.scale / y.scale), "{reach}: {error}");
        }
    }

    #[test]
    fn interpolation_hits_lines_exactly_and_wide_jumps_without_wrapping() {
        let (x, mut values) = (Quant::new(1.0, 0), [0.0; 1025]);
        for (i, v) in values.iter_mut().enumerate() {
            *v = Table16::input(x, i) / 2.0;
        }
        let table = Table16::from_values(&values, Quant::new(1.0, -7)).unwrap();
        // Half a step at full scale is LUTPopulate's own; see from_values.
        assert!(error::<i16>(&table, x, Quant::new(1.0, -7), |v| v / 2.0) < 1.3);
        for (i, v) in values.iter_mut().enumerate() {
            *v = if i < 513 { -1e9 } else { 1e9 };
        }
        let table = Table16::from_values(&values, Quant::new(1.0, 0)).unwrap();
        assert_eq!([-129i16, -1, 0, 64, 127, 128].map(|x| table.at(x)), [-32768, -32768, -32768, 0, 32255, 32767]);
    }
}
