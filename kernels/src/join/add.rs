//! Sum, difference and product of two inputs, in TFLite's integers.
//!
//! For a sum both inputs are brought to twice the larger input scale s, with n bits to spare, then added, then scaled to the output:
//!
//! ```text
//! a' = round((a − za) · 2^n · sa / 2s)      b' likewise
//! y  = clamp(round((a' ± b') · 2s / (2^n sy)) + zy)       n = 20 for i8, 15 for i16
//! ```
//! A product needs one rounding: `y = clamp(round((a − za)(b − zb) · sa sb / sy) + zy)`.

use super::Join;
use crate::activation::log2;
use crate::quant::Requant;
use crate::reads::{Rows, Spec, described_join};
use crate::rows::{cut, cut_mut};
use crate::shape::{INPUT, all, only};
use crate::{Activation, Element, Error, Multiplier, Quant, Rounding, Shape, Window};
use core::marker::PhantomData;
use core::ops::Range;

/// How the numbers of two inputs and an output stand for real values.
#[derive(Clone, Copy, Debug)]
pub struct Operands {
    /// The first input's scale and zero point.
    pub a: Quant,
    /// The second input's.
    pub b: Quant,
    /// The output's.
    pub y: Quant,
    /// The fused clamp.
    pub activation: Activation,
    /// The rounding of every scaling.
    pub rounding: Rounding,
}

impl Operands {
    const fn check<T: Element>(&self) -> Result<(), Error> {
        all(&[
            self.a.check::<T>("the first input's scale", "the first input's zero point"),
            self.b.check::<T>("the second input's scale", "the second input's zero point"),
            self.y.check::<T>("the output scale", "the output zero point"),
            self.activation.check(),
            self.rounding.check_32(),
        ])
    }
}

/// Two inputs side by side: where each pixel's partner lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pair {
    /// The second input may be 1 high or 1 wide.
    inputs: [Shape; 2],
}

impl Pair {
    /// Equal shapes, but height and width of b may be 1: one row or one pixel then serves all.
    const fn new(a: Shape, b: Shape) -> Result<Self, Error> {
        if let Err(e) = all(&[
            a.check(&INPUT),
            b.check(&INPUT),
            if b.h == 1 { Ok(()) } else { only("the second input's height", b.h, a.h) },
            if b.w == 1 { Ok(()) } else { only("the second input's width", b.w, a.w) },
            only("the second input's channels", b.c, a.c),
        ]) {
            return Err(e);
        }
        Ok(Pair { inputs: [a, b] })
    }

    pub(crate) const fn spec(&self) -> Spec<'_> {
        Spec::join(&self.inputs, self.inputs[0], Rows::Each)
    }

    /// `y = f(a, b)` over a row.
    #[inline(always)]
    fn row<T: Element>(&self, oy: usize, x: &[Window<'_, T>], y: &mut [T], f: impl Fn(i32, i32) -> T) {
        let ([a, b], [sa, sb]) = (x, &self.inputs) else { return };
        let (a, b) = (a.row(oy), b.row(self.spec().reads(1, oy).start));
        // One run if both go on side by side, else one run per pixel on the same pixel of b.
        let (runs, run) = if sb.w == sa.w { (1, sa.row_len()) } else { (sa.w, sa.c) };
        let mut from = 0;
        for _ in 0..runs {
            for ((y, a), b) in cut_mut(y, from, run).iter_mut().zip(cut(a, from, run)).zip(cut(b, 0, run)) {
                *y = f(a.to_i32(), b.to_i32());
            }
            from += run;
        }
    }
}

/// `y = a + b`
pub enum Add {}

impl Add {
    /// Plans the sum of two inputs of equal shape; height and width of `b` may also be 1, which then goes with every row and column.
    ///
    /// Each input is scaled with 20 (i8) or 15 (i16) bits to spare, so that only the last rounding counts: within 0.501 steps of the real
    /// sum while the output scale is at least a fiftieth of the larger input scale (`tests::sums_lie_within_half_a_step`). Bit for
    /// bit LiteRT's `ADD` with [`Rounding::TfliteDouble`].
    ///
    /// # Errors
    /// [`Error::Range`] when the shapes do not fit each other or a zero point is outside the element's range, [`Error::Scale`] for scales
    /// that are not valid or too far apart; others name a size that is 0 or too large.
    ///
    /// ```
    /// use upconv::{Activation, Add, BoundJoin, Operands, Quant, Rounding, Shape};
    /// let operands = Operands {
    ///     a: Quant::new(0.5, 0),
    ///     b: Quant::new(0.25, 10),
    ///     y: Quant::new(0.5, -128),
    ///     activation: Activation::Relu,
    ///     rounding: Rounding::TfliteDouble,
    /// };
    /// let add = Add::plan(Shape::new(1, 3, 1), Shape::new(1, 3, 1), operands)?;
    /// let mut y = [0i8; 3];
    /// BoundJoin::whole(&add, [&[4, 4, 4], &[10, 14, -6]], &mut y)?.run();
    /// assert_eq!(y, [-124, -122, -128]); // 2 + 0, 2 + 1, 2 - 4 clamped at 0
    /// # Ok::<(), upconv::Error>(())
    /// ```
    pub const fn plan<T: Element>(a: Shape, b: Shape, operands: Operands) -> Result<Sum<T>, Error> {
        Sum::new(a, b, operands, false)
    }

    /// Plans the sum of 16-bit inputs as TFLite's option `pot_scale_int16` does: all scales are powers of two, the output's is that of
    /// one input, the other one is shifted to it.
    ///
    /// `y = clamp(a + round(b / 2^k))`, ties away from zero; operands may change places, `rounding` plays no part.
    ///
    /// # Errors
    /// [`Error::Range`] when the shapes do not fit each other or a zero point is not 0; [`Error::Unsupported`] for other scales.
    ///
    /// ```
    /// use upconv::{Activation, Add, BoundJoin, Operands, Quant, Rounding, Shape};
    /// let (a, b) = (Quant::binary_point(8), Quant::binary_point(10));
    /// let (activation, rounding) = (Activation::None, Rounding::TfliteDouble);
    /// let (s, mut y) = (Shape::new(1, 2, 1), [0i16; 2]);
    /// let add = Add::plan_shift(s, s, Operands { a, b, y: a, activation, rounding })?;
    /// BoundJoin::whole(&add, [&[100, 100], &[40, -42]], &mut y)?.run();
    /// assert_eq!(y, [110, 89]); // 42 / 4 = 10.5 away from zero
    /// # Ok::<(), upconv::Error>(())
    /// ```
    pub const fn plan_shift(a: Shape, b: Shape, operands: Operands) -> Result<Sum<i16>, Error> {
        Sum::new_shift(a, b, operands, false)
    }
}

/// `y = a − b`
pub enum Sub {}

impl Sub {
    /// Plans the difference of two inputs: [`Add::plan`] with the other sign, bit for bit LiteRT's `SUB`.
    ///
    /// # Errors
    /// Those of [`Add::plan`].
    ///
    /// ```
    /// use upconv::{Activation, BoundJoin, Operands, Quant, Rounding, Shape, Sub};
    /// let (half, one) = (Quant::new(0.5, 0), Quant::new(1.0, 0));
    /// let (activation, rounding) = (Activation::None, Rounding::TfliteDouble);
    /// let (s, mut y) = (Shape::new(1, 2, 1), [0i8; 2]);
    /// let sub = Sub::plan(s, s, Operands { a: one, b: half, y: one, activation, rounding })?;
    /// BoundJoin::whole(&sub, [&[7, 7], &[4, -4]], &mut y)?.run();
    /// assert_eq!(y, [5, 9]);
    /// # Ok::<(), upconv::Error>(())
    /// ```
    pub const fn plan<T: Element>(a: Shape, b: Shape, operands: Operands) -> Result<Sum<T>, Error> {
        Sum::new(a, b, operands, true)
    }

    /// [`Add::plan_shift`] with the other sign.
    ///
    /// # Errors
    /// Those of [`Add::plan_shift`].
    ///
    /// ```
    /// use upconv::{Activation, BoundJoin, Operands, Quant, Rounding, Shape, Sub};
    /// let (a, b) = (Quant::binary_point(10), Quant::binary_point(8));
    /// let (activation, rounding) = (Activation::None, Rounding::TfliteDouble);
    /// let (s, mut y) = (Shape::new(1, 1, 1), [0i16]);
    /// let sub = Sub::plan_shift(s, s, Operands { a, b, y: b, activation, rounding })?;
    /// BoundJoin::whole(&sub, [&[40], &[100]], &mut y)?.run();
    /// assert_eq!(y, [-90]); // 40 / 4 - 100
    /// # Ok::<(), upconv::Error>(())
    /// ```
    pub const fn plan_shift(a: Shape, b: Shape, operands: Operands) -> Result<Sum<i16>, Error> {
        Sum::new_shift(a, b, operands, true)
    }
}

/// A planned sum or difference; made by [`Add::plan`] or [`Sub::plan`].
#[derive(Clone, Copy, Debug)]
pub struct Sum<T> {
    pair: Pair,
    zero: [i32; 2],
    left: u8,
    input: [Multiplier; 2],
    subtract: bool,
    output: Multiplier,
    requant: Requant,
    element: PhantomData<T>,
}

impl<T: Element> Sum<T> {
    pub(crate) const fn spec(&self) -> Spec<'_> {
        self.pair.spec()
    }

    const fn new(a: Shape, b: Shape, o: Operands, subtract: bool) -> Result<Self, Error> {
        if let Err(e) = o.check::<T>() {
            return Err(e);
        }
        let left = if T::MAX > 127 { 15 } else { 20 };
        let twice = 2.0 * if o.a.scale > o.b.scale { o.a.scale } else { o.b.scale } as f64;
        let a_to = Multiplier::from_real(o.a.scale as f64 / twice);
        let b_to = Multiplier::from_real(o.b.scale as f64 / twice);
        let output = Multiplier::from_real(twice / ((1 << left) as f64 * o.y.scale as f64));
        match (Pair::new(a, b), a_to, b_to, output) {
            (Ok(pair), Ok(a_to), Ok(b_to), Ok(output)) => Ok(Sum {
                pair,
                zero: [o.a.zero, o.b.zero],
                left,
                input: [a_to, b_to],
                subtract,
                output,
                requant: Requant::new(o.rounding, o.y.zero, o.activation.range::<T>(o.y)),
                element: PhantomData,
            }),
            (Err(e), ..) | (_, Err(e), ..) | (_, _, Err(e), _) | (.., Err(e)) => Err(e),
        }
    }
}

impl Sum<i16> {
    const fn new_shift(a: Shape, b: Shape, o: Operands, subtract: bool) -> Result<Self, Error> {
        const SCALES: Error = Error::Unsupported {
            what: "a sum by shifts whose scales are not two equal powers of two and a smaller one",
        };
        // The inputs' exponents relative to the output's.
        let (a_right, b_right) = match (log2(o.y.scale), log2(o.a.scale), log2(o.b.scale)) {
            (Some(y), Some(a), Some(b)) => (y - a, y - b),
            _ => return Err(SCALES),
        };
        if a_right < 0 || b_right < 0 || (a_right != 0 && b_right != 0) || a_right + b_right > 15 {
            return Err(SCALES);
        }
        if let Err(e) = all(&[
            o.check::<i16>(),
            zero("the first input's zero point", o.a.zero),
            zero("the second input's zero point", o.b.zero),
            zero("the output zero point", o.y.zero),
        ]) {
            return Err(e);
        }
        // The general kernel with other factors: with 15 bits to spare the first of its two roundings is exact.
        let left = 15;
        let a_to = Multiplier::power_of_two(-left - a_right);
        let b_to = Multiplier::power_of_two(-left - b_right);
        match (Pair::new(a, b), a_to, b_to, Multiplier::power_of_two(0)) {
            (Ok(pair), Ok(a_to), Ok(b_to), Ok(output)) => Ok(Sum {
                pair,
                zero: [0, 0],
                left: left as u8,
                input: [a_to, b_to],
                subtract,
                output,
                requant: Requant::new(Rounding::TfliteDouble, 0, o.activation.range::<i16>(o.y)),
                element: PhantomData,
            }),
            (Err(e), ..) | (_, Err(e), ..) | (_, _, Err(e), _) | (.., Err(e)) => Err(e),
        }
    }
}

const fn zero(what: &'static str, got: i32) -> Result<(), Error> {
    if got == 0 { Ok(()) } else { Err(Error::Range { what, got: got as i64, min: 0, max: 0 }) }
}

impl<T: Element> Join<T> for Sum<T> {
    described_join!();

    #[inline(never)]
    fn row(&self, oy: usize, x: &[Window<'_, T>], y: &mut [T]) {
        let rounding = self.requant.rounding;
        // Bounds: |x - zero| < 2^8 with left = 20 or 2^16 with left = 15: below 2^31. Each factor is at most 1/2, so each scaled
        // input is at most 2^30 and the sum below 2^31.
        let scaled = |x: i32, i: usize| self.input[i].apply((x - self.zero[i]) << self.left, rounding);
        self.pair.row(oy, x, y, |a, b| {
            let (a, b) = (scaled(a, 0), scaled(b, 1));
            let sum = if self.subtract { a - b } else { a + b };
            self.requant.apply::<T>(sum, self.output)
        });
    }
}

/// `y = a · b`
pub enum Mul {}

impl Mul {
    /// Plans the product of two inputs; shapes as for [`Add::plan`]. Bit for bit LiteRT's `MUL` with [`Rounding::TfliteDouble`].
    ///
    /// Exact but for one rounding and the factor `sa · sb / sy`, which is computed in f32 as TFLite does.
    ///
    /// # Errors
    /// Those of [`Add::plan`], and [`Error::Overflow`] when max|a − za| · max|b − zb| reaches 2³¹.
    ///
    /// ```
    /// use upconv::{Activation, BoundJoin, Mul, Operands, Quant, Rounding, Shape};
    /// let operands = Operands {
    ///     a: Quant::new(0.5, 0),
    ///     b: Quant::new(1.0 / 256.0, -128),
    ///     y: Quant::new(0.5, 0),
    ///     activation: Activation::None,
    ///     rounding: Rounding::TfliteDouble,
    /// };
    /// // A gate: one factor in 0 .. 1 for each channel.
    /// let gate = Mul::plan(Shape::new(1, 2, 2), Shape::new(1, 1, 2), operands)?;
    /// let mut y = [0i8; 4];
    /// BoundJoin::whole(&gate, [&[100, 100, -100, -100], &[0, -64]], &mut y)?.run();
    /// assert_eq!(y, [50, 25, -50, -25]);
    /// # Ok::<(), upconv::Error>(())
    /// ```
    pub const fn plan<T: Element>(a: Shape, b: Shape, operands: Operands) -> Result<Product<T>, Error> {
        let o = operands;
        if let Err(e) = o.check::<T>() {
            return Err(e);
        }
        let bound = far::<T>(o.a.zero) * far::<T>(o.b.zero);
        if bound > i32::MAX as u64 {
            return Err(Error::Overflow { channel: 0, bound, max: i32::MAX as u64 });
        }
        match (Pair::new(a, b), Multiplier::from_real((o.a.scale * o.b.scale / o.y.scale) as f64)) {
            (Ok(pair), Ok(multiplier)) => Ok(Product {
                pair,
                zero: [o.a.zero, o.b.zero],
                multiplier,
                requant: Requant::new(o.rounding, o.y.zero, o.activation.range::<T>(o.y)),
                element: PhantomData,
            }),
            (Err(e), _) | (_, Err(e)) => Err(e),
        }
    }
}

/// max|x − zero|
const fn far<T: Element>(zero: i32) -> u64 {
    let (below, above) = ((zero - T::MIN) as u64, (T::MAX - zero) as u64);
    if below > above { below } else { above }
}

/// A planned product; made by [`Mul::plan`].
#[derive(Clone, Copy, Debug)]
pub struct Product<T> {
    pair: Pair,
    zero: [i32; 2],
    multiplier: Multiplier,
    requant: Requant,
    element: PhantomData<T>,
}

impl<T: Element> Product<T> {
    pub(crate) const fn spec(&self) -> Spec<'_> {
        self.pair.spec()
    }
}

impl<T: Element> Join<T> for Product<T> {
    described_join!();

    #[inline(never)]
    fn row(&self, oy: usize, x: &[Window<'_, T>], y: &mut [T]) {
        self.pair.row(oy, x, y, |a, b| {
            let product = (a - self.zero[0]) * (b - self.zero[1]); // below 2^31: proved by plan
            self.requant.apply::<T>(product, self.multiplier)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BoundJoin;

    /// The largest distance of a join of `a` and `b` from `real`, in output steps.
    fn error<T: Element>(join: &dyn Join<T>, o: &Operands, a: &[T], b: &[T], real: impl Fn(f64, f64) -> f64) -> f64 {
        let mut y = vec![T::default(); a.len()];
        BoundJoin::whole(join, [a, b], &mut y).unwrap().run();
        let value = |raw: &T, q: Quant| f64::from(raw.to_i32() - q.zero) * f64::from(q.scale);
        let distance = |((y, a), b): ((&T, &T), &T)| {
            let v = real(value(a, o.a), value(b, o.b)) / f64::from(o.y.scale) + f64::from(o.y.zero);
            (f64::from(y.to_i32()) - v.clamp(T::MIN.into(), T::MAX.into())).abs()
        };
        y.iter().zip(a).zip(b).map(distance).fold(0.0, f64::max)
    }

    fn operands(scales: [f32; 3], zeros: [i32; 3], rounding: Rounding) -> Operands {
        let [a, b, y] = [0, 1, 2].map(|i| Quant::new(scales[i], zeros[i]));
        Operands { a, b, y, activation: Activation::None, rounding }
    }

    /// Rows of 256 pairs.
    const ROWS: usize = if cfg!(miri) { 2 } else { 256 };

    const SCALES: [[f32; 3]; 6] =
        [[0.5, 0.3, 0.7], [0.01, 0.5, 0.26], [0.1, 0.1, 0.1], [0.1, 0.07, 0.002], [0.3, 2.9, 1.7], [1.0, 1e-4, 1.0]];

    #[test]
    fn sums_lie_within_half_a_step() {
        let shape = Shape::new(ROWS, 256, 1);
        let a: Vec<i8> = (0..256 * ROWS).map(|i| (i / ROWS) as i8).collect();
        let b: Vec<i8> = (0..256 * ROWS).map(|i| i as i8).collect();
        let (wide_a, wide_b): (Vec<i16>, Vec<i16>) =
            (0..256 * ROWS as u32).map(|i| (i as i16, i.wrapping_mul(40503) as i16 ^ 0x55)).unzip();
        for scales in SCALES {
            for rounding in [Rounding::TfliteDouble, Rounding::TfliteSingle] {
                let o = operands(scales, [-128, 3, 127], rounding);
                let (add, sub) = (Add::plan(shape, shape, o).unwrap(), Sub::plan(shape, shape, o).unwrap());
                let errors = [error(&add, &o, &a, &b, |a, b| a + b), error(&sub, &o, &a, &b, |a, b| a - b)];
                assert!(errors.iter().all(|e| *e < 0.501), "{o:?} {errors:?}");
                let o = operands(scales, [0, -7, 0], rounding);
                let (add, sub) = (Add::plan(shape, shape, o).unwrap(), Sub::plan(shape, shape, o).unwrap());
                let errors =
                    [error(&add, &o, &wide_a, &wide_b, |a, b| a + b), error(&sub, &o, &wide_a, &wide_b, |a, b| a - b)];
                assert!(errors.iter().all(|e| *e < 0.501), "{o:?} {errors:?}");
            }
        }
    }

    #[test]
    fn products_lie_within_half_a_step() {
        let shape = Shape::new(ROWS, 256, 1);
        let a: Vec<i8> = (0..256 * ROWS).map(|i| (i / ROWS) as i8).collect();
        let b: Vec<i8> = (0..256 * ROWS).map(|i| i as i8).collect();
        for scales in SCALES {
            let o = operands(scales, [-128, 3, 127], Rounding::TfliteSingle);
            let mul = Mul::plan(shape, shape, o).unwrap();
            let error = error(&mul, &o, &a, &b, |a, b| a * b);
            assert!(error < 0.501, "{o:?} {error}");
        }
    }

    #[test]
    fn sums_by_shifts_round_the_shifted_input_alone() {
        let shape = Shape::new(1, 6, 1);
        let o = operands([0.25, 0.0625, 0.25], [0; 3], Rounding::TfliteSingle);
        let mut y = [0; 6];
        let (a, b) = ([0, -1, 100, 32767, -32768, 5], [2, 2, -6, 2, -2, 1]);
        BoundJoin::whole(&Add::plan_shift(shape, shape, o).unwrap(), [&a, &b], &mut y).unwrap().run();
        assert_eq!(y, [1, 0, 98, 32767, -32768, 5]); // 2/4 rounds to 1, -6/4 to -2
        BoundJoin::whole(&Sub::plan_shift(shape, shape, o).unwrap(), [&a, &b], &mut y).unwrap().run();
        assert_eq!(y, [-1, -2, 102, 32766, -32767, 5]);
        let swapped = Operands { a: o.b, b: o.a, ..o };
        BoundJoin::whole(&Sub::plan_shift(shape, shape, swapped).unwrap(), [&b, &a], &mut y).unwrap().run();
        assert_eq!(y, [1, 2, -102, -32766, 32767, -5]);
    }
}
