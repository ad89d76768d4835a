//! Sigmoid and tanh of 16-bit values in one interpolated table, as LiteRT's reference kernels compute them.
//!
//! The table holds sigmoid at 0, 1/24, 2/24, … in units of 2⁻¹⁶; the input is brought to units of 1/12288 = 1/(24 · 512):
//!
//! ```text
//! t = (x · m + 2^(n-1)) >> n                  m / 2^n = 12288 sx
//! d = table(|t|) − 1/2,   table(2|t|) − 1/2   for sigmoid, for tanh: tanh x = 2 sigmoid(2x) − 1
//! y = 1/2 ± d,            0 ± 2 d             rounded to 2⁻¹⁵, ties away from the centre
//! ```

use super::Pointwise;
use super::real::{log2, round, sigmoid};
use crate::{Element, Error, Quant};

/// Sigmoid at i / 24 in 0.16 bits, raised by half of what interpolation loses in the middle of the cell.
static SIGMOID: [u16; 256] = {
    let (mut table, mut i) = ([u16::MAX; 256], 0);
    while i < 255 {
        let [a, middle, b] =
            [sigmoid(i as f64 / 24.0), sigmoid((i as f64 + 0.5) / 24.0), sigmoid((i as f64 + 1.0) / 24.0)];
        table[i] = round(65536.0 * (a + (middle - (a + b) / 2.0) / 2.0)) as u16;
        i += 1;
    }
    table
};

/// Sigmoid or tanh of a 16-bit value, bit for bit LiteRT's.
///
/// The output always has the scale and zero point [`OUTPUT`](Self::OUTPUT). Within 1.5 steps for sigmoid, 3 for tanh; but scales within
/// 0.07 % of 2⁻¹², and for tanh of 2⁻¹¹, are taken for it, as LiteRT takes them, which makes 7 and 13
/// (`tests::gates_lie_within_their_bounds`).
#[derive(Clone, Copy, Debug)]
pub struct Gate16 {
    multiplier: i32,
    shift: u8,
    tanh: bool,
}

impl Gate16 {
    /// Scale 2⁻¹⁵, zero point 0.
    pub const OUTPUT: Quant = Quant::new(1.0 / 32768.0, 0);

    /// `1 / (1 + e^-x)`
    ///
    /// # Errors
    /// [`Error::Scale`] and [`Error::Range`] for a scale that is not valid, a zero point other than 0, or a scale of 5.33 and more.
    ///
    /// ```
    /// use upconv::{Gate16, Pointwise, Quant};
    /// let sigmoid = Gate16::sigmoid(Quant::new(1.0 / 4096.0, 0))?;
    /// assert_eq!([0i16, 4096, -4096].map(|x| sigmoid.at(x)), [16384, 23956, 8812]); // 0.5, 0.7311, 0.2689
    /// # Ok::<(), upconv::Error>(())
    /// ```
    pub const fn sigmoid(x: Quant) -> Result<Self, Error> {
        Gate16::new(x, false)
    }

    /// `tanh x`
    ///
    /// # Errors
    /// Those of [`sigmoid`](Self::sigmoid).
    ///
    /// ```
    /// use upconv::{Gate16, Pointwise, Quant};
    /// let tanh = Gate16::tanh(Quant::new(1.0 / 4096.0, 0))?;
    /// assert_eq!([0i16, 4096, -32768].map(|x| tanh.at(x)), [0, 24956, -32767]); // 0, 0.7616, -0.999999
    /// # Ok::<(), upconv::Error>(())
    /// ```
    pub const fn tanh(x: Quant) -> Result<Self, Error> {
        Gate16::new(x, true)
    }

    const fn new(x: Quant, tanh: bool) -> Result<Self, Error> {
        if let Err(e) = x.check::<i16>("the input scale", "the input zero point") {
            return Err(e);
        }
        if x.zero != 0 {
            return Err(Error::Range { what: "the input zero point", got: x.zero as i64, min: 0, max: 0 });
        }
        // Powers of two that need no rounding.
        match log2(x.scale) {
            Some(-12) => return Ok(Gate16 { multiplier: 3, shift: 0, tanh }),
            Some(-11) if tanh => return Ok(Gate16 { multiplier: 6, shift: 0, tanh }),
            _ => {}
        }
        let (mut multiplier, mut shift) = (x.scale as f64 * 12288.0, 0);
        while multiplier <= 32767.0 / 2.0 && shift <= 30 {
            multiplier *= 2.0;
            shift += 1;
        }
        if multiplier >= 65536.0 {
            let (what, got) = ("the input scale in units of 1/12288", multiplier as i64);
            return Err(Error::Range { what, got, min: 0, max: 65535 });
        }
        Ok(Gate16 { multiplier: multiplier as i32, shift, tanh })
    }
}

impl<T: Element> Pointwise<T> for Gate16 {
    #[inline]
    fn at(&self, x: T) -> T {
        const { assert!(T::MAX == i16::MAX as i32, "Gate16 is for 16-bit elements") };
        // Bounds: |x * multiplier| < 2^31, and below 2^30 where the rounding term, at most 2^30, is not 0.
        let half = ((1u32 << self.shift) >> 1) as i32;
        let t = (x.to_i32() * self.multiplier + half) >> self.shift;
        let (centre, limit, drop) = if self.tanh { (0, 32767, 9) } else { (16384, 16383, 10) };
        let t_abs = t.unsigned_abs() << u32::from(self.tanh);
        let cell = (t_abs >> 9) as usize;
        let d = if cell >= 255 {
            limit
        } else {
            let (a, b) = (u32::from(SIGMOID[cell]), u32::from(SIGMOID[cell + 1]));
            // In units of 2^-25; sigmoid is at least 1/2 here.
            let above_half = (a << 9) + (t_abs & 0x1FF) * (b - a) - (1 << 24);
            ((above_half + (1 << (drop - 1))) >> drop) as i32
        };
        T::from_i32(if t < 0 { centre - d } else { centre + d })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{digest, error};
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "every value of 16 bits, in floats of the host")]
    fn gates_are_those_of_litert() {
        let table = SIGMOID.iter().fold(0, |d: u32, v| d.wrapping_mul(31).wrapping_add((*v).into()));
        assert_eq!(table, 0x646e_dbe9);
        let expected = [
            (1.0 / 4096.0, 0x3064_69d5, 0x806a_e99f),
            (1.0 / 2048.0, 0x9715_e25f, 0xf45c_e41f),
            (1.0 / 8192.0, 0xe94c_2dc5, 0xb340_7f1c),
            (0.0003, 0x2949_4e9d, 0x332a_e3bc),
            (0.00002, 0xa100_45df, 0x4e4a_873f),
            (1.5, 0x2de4_f85f, 0x17d2_b65f),
        ];
        for (scale, sigmoid, tanh) in expected {
            let x = Quant::new(scale, 0);
            assert_eq!(digest::<i16>(&Gate16::sigmoid(x).unwrap()), sigmoid, "{scale}");
            assert_eq!(digest::<i16>(&Gate16::tanh(x).unwrap()), tanh, "{scale}");
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "every value of 16 bits, in floats of the host")]
    fn gates_lie_within_their_bounds() {
        let steep = (0..60).map(|i| (1e-5 * 1.25f32.powi(i), 1.5, 3.0));
        let near = |power: f32| [0.99931, 0.9999, 1.0006, 1.00069].map(|f| (f * power, 7.0, 13.0));
        for (scale, most_sigmoid, most_tanh) in steep.chain(near(1.0 / 4096.0)).chain(near(1.0 / 2048.0)) {
            let x = Quant::new(scale, 0);
            let (sigmoid, tanh) = (Gate16::sigmoid(x).unwrap(), Gate16::tanh(x).unwrap());
            let sigmoid_error = error::<i16>(&sigmoid, x, Gate16::OUTPUT, |v| 1.0 / (1.0 + (-v).exp()));
            let tanh_error = error::<i16>(&tanh, x, Gate16::OUTPUT, f64::tanh);
            let within = sigmoid_error < most_sigmoid && tanh_error < most_tanh;
            assert!(within, "{x:?}: {sigmoid_error} {tanh_error}");
        }
    }
}
