//! Bicubic interpolation (Keys 1981): four taps along each axis.
//!
//! ```text
//! |d| <= 1:      ((A + 2) d - (A + 3)) d² + 1
//! 1 < |d| < 2:   ((A d - 5 A) d + 8 A) d - 4 A
//! ```
//!
//! Weights in units of 2⁻³⁰ decide nearly every result. Where the sum comes within 2⁻⁸ of a tie, the exact fraction decides: with
//! d = p / den and A = -a / 4 the weights are whole numbers of 1 / (4 den³). For int8 and small denominators (scales of 2, 3 and 4) the whole sum fits 32 bits,
//! and that fraction is all there is.

use super::axes;
use crate::coords::{Affine, Position};
use crate::phase::Reciprocal;
use crate::reads::{Rows, Spec, described};
use crate::rows::cut;
use crate::{Element, Error, Layer, Resize, Shape, Window};
use core::ops::{Add, Mul, Range, Sub};

/// The coefficient A.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cubic {
    /// A = -0.75: PyTorch, ONNX's default.
    Pytorch,
    /// A = -0.5: TensorFlow, Keys' own.
    Tensorflow,
}

/// A planned bicubic resize; made by [`Upsample::bicubic`](crate::Upsample::bicubic).
#[derive(Clone, Copy, Debug)]
pub struct Bicubic {
    channels: usize,
    y: Affine,
    x: Affine,
    cubic: Cubic,
    /// The product of both axes' units, 16 den³ den³; nothing if int8 sums of whole weights need more than 32 bits.
    unit: Option<Reciprocal>,
}

/// An input position and its weight.
type Tap<W> = (usize, W);

impl Bicubic {
    pub(crate) const fn new(input: Shape, resize: Resize, cubic: Cubic) -> Result<Self, Error> {
        match axes(input, resize) {
            Ok([y, x]) => {
                // Bounds: den < 2^17, so this is below 2^106.
                let unit = 16 * (y.den() as u128 * x.den() as u128).pow(3);
                let unit = if unit <= WHOLE { Some(Reciprocal::new(unit as u32)) } else { None };
                Ok(Bicubic { channels: input.c, y, x, cubic, unit })
            }
            Err(e) => Err(e),
        }
    }

    /// The four inputs around a position, edges replicated.
    fn around(axis: &Affine, p: Position) -> [usize; 4] {
        [-1, 0, 1, 2].map(|k| ((p.i + k).max(0) as usize).min(axis.input - 1))
    }

    /// -4 A
    fn a(&self) -> i64 {
        if self.cubic == Cubic::Pytorch { 3 } else { 2 }
    }

    /// These inputs and their weights in units of 2⁻³⁰, which add up to 2³⁰.
    fn taps(&self, axis: &Affine, p: Position) -> [Tap<i64>; 4] {
        const ONE: i64 = 1 << 30;
        let a = -self.a() * (ONE / 4);
        // Bounds: the largest product is (A d - 5 A) d at d = 2, 6 |A| <= 4.5 in size: 4.5 * 2^60 < 2^63.
        let mul = |p: i64, q: i64| (p * q + ONE / 2) >> 30;
        let near = |d: i64| mul(mul(mul(a + 2 * ONE, d) - (a + 3 * ONE), d), d) + ONE;
        let far = |d: i64| mul(mul(mul(a, d) - 5 * a, d) + 8 * a, d) - 4 * a;
        let t = axis.fraction(p.t);
        let weights = [far(ONE + t), near(t), near(ONE - t)];
        let last = ONE - weights[0] - weights[1] - weights[2];
        let [i0, i1, i2, i3] = Self::around(axis, p);
        [(i0, weights[0]), (i1, weights[1]), (i2, weights[2]), (i3, last)]
    }

    pub(crate) const fn spec(&self) -> Spec<'_> {
        let input = Shape::new(self.y.input, self.x.input, self.channels);
        Spec::layer(input, Shape::new(self.y.output, self.x.output, self.channels), Rows::Cubic(&self.y))
    }

    /// The exact weights in units of 1 / (4 den³).
    fn exact<I: Whole>(&self, axis: &Affine, p: Position) -> [I; 4] {
        let n = |n: i32| I::from(n);
        let (a, d, t) = (n(self.a() as i32), n(axis.den() as i32), n(p.t as i32));
        let near = |p: I| ((n(8) - a) * p - (n(12) - a) * d) * p * p + n(4) * d * d * d;
        let far = |p: I| a * (n(4) * d * d * d - ((p - n(5) * d) * p + n(8) * d * d) * p);
        [far(d + t), near(t), near(d - t), far(n(2) * d - t)]
    }

    /// A row of int8 by whole weights; `unit` is their product's.
    #[inline(never)]
    fn whole<T: Element>(&self, unit: Reciprocal, oy: usize, x: &Window<'_, T>, y: &mut [T]) {
        let (c, down) = (self.channels, self.y.at(oy));
        let (rows, wy) = (Self::around(&self.y, down).map(|iy| x.row(iy)), self.exact::<i32>(&self.y, down));
        let shift = if unit.divisor().is_power_of_two() { unit.divisor().trailing_zeros() } else { 0 };
        for (out, along) in y.chunks_exact_mut(c.max(1)).zip(self.x.walk()) {
            let (columns, wx) = (Self::around(&self.x, along), self.exact::<i32>(&self.x, along));
            let mut taps = [(&[][..], 0); 16];
            for (taps, (row, wy)) in taps.chunks_exact_mut(4).zip(rows.iter().zip(wy)) {
                for (tap, (ix, wx)) in taps.iter_mut().zip(columns.iter().zip(wx)) {
                    *tap = (cut(row, ix * c, c), wy * wx);
                }
            }
            let mut outs = out.chunks_exact_mut(4);
            let mut ch = 0;
            for out in &mut outs {
                let sums = four(&taps, ch);
                out.iter_mut().zip(sums).for_each(|(out, sum)| *out = narrow(sum, unit, shift));
                ch += 4;
            }
            for out in outs.into_remainder() {
                let value = |values: &[T]| values.get(ch).map_or(0, |v| v.to_i32());
                *out = narrow(taps.iter().map(|(values, w)| w * value(values)).sum(), unit, shift);
                ch += 1;
            }
        }
    }
}

/// The largest product of units for which int8 sums of whole weights fit.
const WHOLE: u128 = 1 << 22;

/// The sums of four channels. A function, so that they stay in registers.
#[inline(never)]
fn four<T: Element>(taps: &[(&[T], i32)], ch: usize) -> [i32; 4] {
    let mut sums = [0; 4];
    for (values, w) in taps {
        // Bounds: the weights of an axis are at most 1.375 units in size together; 1.375^2 * 2^22 * 2^7 < 2^30.
        if let Some(values) = values.get(ch..).and_then(|values| values.first_chunk::<4>()) {
            sums.iter_mut().zip(values).for_each(|(sum, v)| *sum += w * v.to_i32());
        }
    }
    sums
}

/// floor(sum / unit + 1/2), clamped; `shift` is the unit's logarithm, 0 if that is no whole number.
#[inline(always)]
fn narrow<T: Element>(sum: i32, unit: Reciprocal, shift: u32) -> T {
    // Bounds: |sum| < 243 * d.
    const LIFT: i32 = 256;
    let d = unit.divisor() as i32;
    let half = sum + d / 2;
    let lifted = || (i64::from(half) + i64::from(LIFT) * i64::from(d)) as u64;
    let mean = if shift > 0 { half >> shift } else { unit.div_rem(lifted()).0 as i32 - LIFT };
    T::from_i32(mean.max(T::MIN).min(T::MAX))
}

/// i32 or i128.
trait Whole: Copy + From<i32> + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> {}
impl Whole for i32 {}
impl Whole for i128 {}

impl<T: Element> Layer<T> for Bicubic {
    described!();

    fn macs(&self) -> u64 {
        20 * Layer::<T>::output(self).len() as u64
    }

    #[inline(never)]
    fn row(&self, oy: usize, x: &Window<'_, T>, y: &mut [T]) {
        if let Some(unit) = self.unit.filter(|_| T::MAX <= 127) {
            return self.whole(unit, oy, x, y);
        }
        let c = self.channels;
        let down = self.y.at(oy);
        let rows = self.taps(&self.y, down).map(|(iy, w)| (x.row(iy), w));
        // Bits dropped from a column's sum, so that the sum over columns fits 64:
        // Bounds: four weights are at most 1.375 in size together, so |column| <= 2^15 * 1.375 * 2^30 / 2^15 < 2^31, and times
        // 1.375 * 2^30 below 2^61. The same for i8 with 7 bits each.
        let drop = if T::MAX > 127 { 15 } else { 7 };
        let (unit, shift) = (1i64 << (60 - drop), 60 - drop);
        for (out, along) in y.chunks_exact_mut(c.max(1)).zip(self.x.walk()) {
            let columns = self.taps(&self.x, along);
            for (ch, out) in out.iter_mut().enumerate() {
                let value = |row: &[T], ix: usize| row.get(ix * c + ch).map_or(0, |v| v.to_i32());
                let mut sum = 0;
                for (ix, wx) in columns {
                    let mut column = 1 << (drop - 1);
                    for (row, wy) in rows {
                        column += i64::from(value(row, ix)) * wy;
                    }
                    sum += (column >> drop) * wx;
                }
                let below = sum >> shift;
                let over_half = (sum & (unit - 1)) - unit / 2;
                // Bounds: t is off by 2^-30 and every product in a weight by 2^-31, which makes 2.9 or, for the outer tap, 4.3 times 2^-30;
                // the last weight has the errors of all others, 10 * 2^-30, the four together 20 * 2^-30. Along two axes that is
                // 2 * 20 * 1.375 * 2^-30 of values up to 2^15, with the dropped bits less than 2^-9 steps.
                let up = if over_half.abs() >> (shift - 8) > 0 {
                    over_half >= 0
                } else {
                    // Bounds: den < 2^17, so four weights are below 1.375 * 4 * 2^51 together, and twice the sum below 2^(54 + 54 + 15 + 1).
                    let (wy, wx) = (self.exact::<i128>(&self.y, down), self.exact::<i128>(&self.x, along));
                    let mut twice = 0i128;
                    for ((ix, _), wx) in columns.into_iter().zip(wx) {
                        let column: i128 =
                            rows.iter().zip(wy).map(|((row, _), wy)| i128::from(value(row, ix)) * wy).sum();
                        twice += 2 * column * wx;
                    }
                    let cube = |d: u32| i128::from(d) * i128::from(d) * i128::from(d);
                    twice >= i128::from(2 * below + 1) * 16 * cube(self.y.den()) * cube(self.x.den())
                };
                *out = T::from_i32((below + i64::from(up)).max(T::MIN.into()).min(T::MAX.into()) as i32);
            }
        }
    }
}
