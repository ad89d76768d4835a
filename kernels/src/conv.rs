//! The phase engine: convolution, transposed convolution, one output row at a time.
//!
//! For each output column phase and each pixel of it, the taps that read inside the input form a few runs of neighbouring
//! values, in the input row and in the packed weights alike: one dot product for a block of output channels. Taps that would
//! read padding are cut off beforehand, so the inner loop has no border case and no zero is multiplied.

use crate::arch::{BLOCK, mac};
use crate::plan::length;
use crate::quant::{Accumulator, Requant};
use crate::rows::{cut, cut_mut};
use crate::{Activation, Element, Error, Geometry, Layer, Multiplier, Plan, Quant, Rounding, Shape, Window};
use core::marker::PhantomData;
use core::ops::Range;

/// Convolution (cross-correlation, as `nn.Conv2d`): `y[o] = Σ x[o·s − p + d·k] · w[k]`.
pub enum Conv {}

impl Conv {
    /// Plans `nn.Conv2d(input.c, out_channels, …)` on an input of this shape.
    ///
    /// `out = floor((in + p_before + p_after − d·(k − 1) − 1) / s) + 1`. Weights are `[C_out, C_in / groups, kh, kw]`.
    /// A fully connected layer is the 1 x 1 kernel on `Shape::new(1, 1, n)`.
    ///
    /// # Errors
    /// [`Error`] names a size that is 0 or too large, channels that the groups do not divide, an output padding
    /// (a convolution has none) or a geometry without output.
    ///
    /// ```
    /// use upconv::{Conv, Geometry, Shape};
    /// let plan = Conv::plan(Shape::new(16, 16, 32), 8, Geometry::square(3).pad(1))?;
    /// assert_eq!((plan.output(), plan.weight_len()), (Shape::new(16, 16, 8), 3 * 3 * 32 * 8));
    /// # Ok::<(), upconv::Error>(())
    /// ```
    pub const fn plan(input: Shape, out_channels: usize, geometry: Geometry) -> Result<Plan, Error> {
        Plan::new(input, out_channels, geometry, false)
    }
}

/// Packed weights (see [`Plan::pack`]) and biases; with a plan they make a [`Convolution`].
///
/// | weights `W`                  | bias `A` | sums                                                            |
/// |------------------------------|----------|-----------------------------------------------------------------|
/// | `i8`, `FixedI8<F>`           | `i32`    | 32 bits, proved to suffice                                      |
/// | `i16`, `FixedI16<F>`         | `i32`    | 32 bits, proved to suffice (folded weights)                     |
/// | `i8`                         | `i64`    | 32 bits where these are proved to suffice, else 64 (int16x8)    |
///
/// Activations are any [`Element`]. The `fixed` types come with the feature of that name.
#[derive(Clone, Copy, Debug)]
pub struct Weights<'a, W = i8, A = i32> {
    /// [`Plan::weight_len`] packed weights.
    pub packed: &'a [W],
    /// One bias for each output channel, of scale `sx * sw`; or none at all.
    pub bias: &'a [A],
}

/// How a layer's numbers stand for real values.
#[derive(Clone, Copy, Debug)]
pub struct Quantization<'a> {
    /// The input's scale and zero point.
    pub x: Quant,
    /// The output's scale and zero point.
    pub y: Quant,
    /// `sx * sw[c] / sy` for each output channel (see [`Multiplier::per_channel`]), or one for all channels.
    pub multipliers: &'a [Multiplier],
    /// The fused clamp.
    pub activation: Activation,
    /// The rounding of the requantisation: [`Rounding::Tflite16x8`] goes with an i64 bias, the others with an i32 bias.
    pub rounding: Rounding,
}

/// Stamps `Weights::layer`, because `const` code cannot reach a weight's value through a trait.
macro_rules! layer {
    ($w:ty, $a:ty, |$v:ident| $raw:expr $(, $frac:ident: $bound:path)?) => {
        impl<'a $(, $frac: $bound)?> Weights<'a, $w, $a> {
            /// Adds a plan and quantisation: a layer that can run.
            ///
            /// # Errors
            /// [`Error::Length`] when a slice has the wrong length; [`Error::Range`], [`Error::Scale`] and [`Error::Unsupported`] for
            /// quantisation that the types cannot express; [`Error::Overflow`] when |bias| + Σ|w|·max|x − zero| of a
            /// channel could leave the accumulator.
            pub const fn layer<T: Element>(
                self,
                plan: &Plan,
                quant: Quantization<'a>,
            ) -> Result<Convolution<'a, T, $w, $a>, Error> {
                const WIDE: bool = <$a>::BITS == 64;
                if let Err(e) = quant.check::<T>(plan, self.packed.len(), self.bias.len(), WIDE) {
                    return Err(e);
                }
                // |acc| <= |bias| + Σ|w|·max|x − zero|; TFLite's 64-bit requantisation takes accumulators below 2^47.
                let far = quant.farthest::<T>();
                let max = if WIDE { (1 << 47) - 1 } else { i32::MAX as u64 };
                let mut narrow = true;
                // Nearly every layer passes with the largest weight that its type can hold; only the others are summed.
                let weights = (plan.channel_weights()) as u64;
                let mut largest = 0;
                let mut o = 0;
                while o < self.bias.len() {
                    largest = crate::plan::max(largest, self.bias[o].unsigned_abs() as u64);
                    o += 1;
                }
                largest = largest.saturating_add(weights * far << (8 * size_of::<$w>() - 1));
                let mut first = if largest <= i32::MAX as u64 { plan.output.c } else { 0 };
                while first < plan.output.c {
                    let block = plan.block_at(first);
                    o = first;
                    while o < first + block {
                        let mut sum = 0;
                        let mut pair = 0;
                        while let Some((at, k)) = plan.class_pair(pair) {
                            let mut i = at + first * k + (o - first);
                            let end = at + (first + block) * k;
                            while i < end && i < self.packed.len() {
                                let $v = self.packed[i];
                                sum += ($raw).unsigned_abs() as u64;
                                i += block;
                            }
                            pair += 1;
                        }
                        let bias = if o < self.bias.len() { self.bias[o].unsigned_abs() as u64 } else { 0 };
                        let bound = bias.saturating_add(sum * far);
                        if bound > max {
                            return Err(Error::Overflow { channel: o, bound, max });
                        }
                        narrow &= bound <= i32::MAX as u64;
                        o += 1;
                    }
                    first += block;
                }
                Ok(Convolution {
                    plan: *plan,
                    weights: self,
                    multipliers: quant.multipliers,
                    x_zero: quant.x.zero,
                    requant: Requant::new(quant.rounding, quant.y.zero, quant.activation.range::<T>(quant.y)),
                    narrow,
                    element: PhantomData,
                })
            }
        }
    };
}

layer!(i8, i32, |w| w);
layer!(i16, i32, |w| w);
layer!(i8, i64, |w| w);
#[cfg(feature = "fixed")]
layer!(fixed::FixedI8<F>, i32, |w| w.to_bits(), F: fixed::types::extra::LeEqU8);
#[cfg(feature = "fixed")]
layer!(fixed::FixedI16<F>, i32, |w| w.to_bits(), F: fixed::types::extra::LeEqU16);

impl Quantization<'_> {
    const fn check<T: Element>(&self, plan: &Plan, packed: usize, bias: usize, wide: bool) -> Result<(), Error> {
        let checks = [
            length("the packed weights", packed, plan.weight_len()),
            length("the bias", bias, if bias == 0 { 0 } else { plan.output.c }),
            length(
                "the multipliers",
                self.multipliers.len(),
                if self.multipliers.len() == 1 { 1 } else { plan.output.c },
            ),
            self.x.check::<T>("the input scale", "the input zero point"),
            self.y.check::<T>("the output scale", "the output zero point"),
        ];
        let mut i = 0;
        while i < checks.len() {
            if let Err(e) = checks[i] {
                return Err(e);
            }
            i += 1;
        }
        if wide != matches!(self.rounding, Rounding::Tflite16x8) {
            let what = if wide { "32-bit rounding of 64-bit sums" } else { "Tflite16x8 rounding of 32-bit sums" };
            return Err(Error::Unsupported { what });
        }
        i = 0;
        while wide && i < self.multipliers.len() {
            // The rounding's own shift, 15 - shift, has to stay above 0.
            if self.multipliers[i].shift() > 14 {
                return Err(Error::Scale { what: "the ratio of scales" });
            }
            i += 1;
        }
        Ok(())
    }

    /// max|x − zero| over every input.
    const fn farthest<T: Element>(&self) -> u64 {
        let (up, down) = (T::MAX as i64 - self.x.zero as i64, self.x.zero as i64 - T::MIN as i64);
        if up > down { up as u64 } else { down as u64 }
    }
}

/// A convolution or transposed convolution with its weights, ready to run; made by [`Weights::layer`].
///
/// `acc = bias + Σ (x − zx)·w`, `y = clamp(round(acc·M) + zy)`; exact but for the one rounding, named in
/// [`Quantization::rounding`]. Weights stay where they are; there is no scratch.
#[derive(Clone, Copy, Debug)]
pub struct Convolution<'a, T, W = i8, A = i32> {
    plan: Plan,
    weights: Weights<'a, W, A>,
    multipliers: &'a [Multiplier],
    x_zero: i32,
    requant: Requant,
    /// 32-bit sums suffice.
    narrow: bool,
    element: PhantomData<T>,
}

impl<T: Element, W: Element, A: Accumulator> Layer<T> for Convolution<'_, T, W, A> {
    fn input(&self) -> Shape {
        self.plan.input
    }

    fn output(&self) -> Shape {
        self.plan.output
    }

    fn reads(&self, oy: usize) -> Range<usize> {
        self.plan.y.reads(oy)
    }

    fn macs(&self) -> u64 {
        self.plan.macs()
    }

    fn row(&self, oy: usize, x: &Window<'_, T>, y: &mut [T]) {
        self.channels(oy, x, 0..self.plan.output.c, y);
    }
}

/// The taps of one output pixel: how many there are, which of them read inside the input, and where.
struct Taps {
    /// Tap rows inside the input.
    rows: usize,
    /// Taps in a tap row, clipped or not.
    columns: usize,
    /// Tap rows cut off above, taps of a row cut off at the left, and those left inside.
    above: usize,
    left: usize,
    inside: usize,
    /// Input row and column of the first tap inside.
    top: isize,
    column: isize,
}

impl<T: Element, W: Element, A: Accumulator> Convolution<'_, T, W, A> {
    /// Its plan.
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Some output channels of one row, from one span's start to another's; `y` has that many channels.
    #[inline(never)]
    pub(crate) fn channels(&self, oy: usize, x: &Window<'_, T>, channels: Range<usize>, y: &mut [T]) {
        let plan = &self.plan;
        let rows = plan.y.at(oy);
        let (above, inside) = plan.y.clip(rows.first, rows.taps);
        for r in 0..plan.x.out_step.min(plan.output.w) {
            let columns = plan.x.phase(r);
            let mut taps = Taps {
                rows: inside,
                columns: columns.taps,
                above,
                left: 0,
                inside: 0,
                top: rows.first + (above * plan.y.tap_step) as isize,
                column: 0,
            };
            let len = rows.taps * columns.taps * plan.group_in;
            let weights = cut(self.weights.packed, plan.packed_at(rows.class, columns.class), len * plan.output.c);
            let (mut ox, mut first) = (r, columns.first);
            while ox < plan.output.w {
                (taps.left, taps.inside) = plan.x.clip(first, columns.taps);
                taps.rows = if taps.inside == 0 { 0 } else { inside };
                taps.column = first + (taps.left * plan.x.tap_step) as isize;
                let y = cut_mut(y, ox * channels.len(), channels.len());
                if self.narrow {
                    self.pixel::<i32>(x, &taps, len, weights, channels.start, y);
                } else {
                    self.pixel::<A>(x, &taps, len, weights, channels.start, y);
                }
                first += plan.x.in_step as isize;
                ox += plan.x.out_step;
            }
        }
    }

    /// The channels `first ..` of one output pixel, summed in S; `len` weights a channel.
    #[inline]
    fn pixel<S: Accumulator>(
        &self,
        x: &Window<'_, T>,
        taps: &Taps,
        len: usize,
        weights: &[W],
        first: usize,
        y: &mut [T],
    ) {
        let plan = &self.plan;
        let (mut o, mut in_span, mut in_group, mut group) = (first, 0, 0, 0);
        while o < first + y.len() {
            let w = |block| cut(weights, o * len, block * len);
            let out = |y, block| cut_mut(y, o - first, block);
            let block = match plan.span - in_span {
                1 => self.block::<S, 1>(x, taps, w(1), group, o, out(y, 1)),
                2 => self.block::<S, 2>(x, taps, w(2), group, o, out(y, 2)),
                3 => self.block::<S, 3>(x, taps, w(3), group, o, out(y, 3)),
                _ => self.block::<S, BLOCK>(x, taps, w(BLOCK), group, o, out(y, BLOCK)),
            };
            (o, in_span, in_group) = (o + block, in_span + block, in_group + block);
            if in_span == plan.span {
                in_span = 0;
            }
            if in_group == plan.group_out {
                (in_group, group) = (0, group + plan.group_in);
            }
        }
    }

    /// B output channels from `o` on, whose group starts at input channel `group`. Returns B.
    #[inline]
    fn block<S: Accumulator, const B: usize>(
        &self,
        x: &Window<'_, T>,
        taps: &Taps,
        weights: &[W],
        group: usize,
        o: usize,
        y: &mut [T],
    ) -> usize {
        let plan = &self.plan;
        let mut acc = [S::default(); B];
        for (a, b) in acc.iter_mut().zip(cut(self.weights.bias, o, B)) {
            *a = S::from_i64(b.to_i64());
        }
        // Neighbouring taps that read neighbouring pixels make one run, else each tap is a run of its group's channels.
        let dense = plan.groups == 1 && plan.x.tap_step == 1;
        let (runs, run) = if dense { (1, taps.inside * plan.group_in) } else { (taps.inside, plan.group_in) };
        for row in 0..taps.rows {
            let values = x.row(taps.top as usize + row * plan.y.tap_step);
            let mut w = ((taps.above + row) * taps.columns + taps.left) * plan.group_in * B;
            let mut v = taps.column as usize * plan.input.c + group; // not negative: a tap is inside
            for _ in 0..runs {
                mac(cut(values, v, run), self.x_zero, cut(weights, w, run * B), &mut acc);
                v += plan.x.tap_step * plan.input.c;
                w += run * B;
            }
        }
        let one_for_all = self.multipliers.len() == 1;
        for (b, (y, a)) in y.iter_mut().zip(acc).enumerate() {
            if let Some(m) = self.multipliers.get(if one_for_all { 0 } else { o + b }) {
                *y = self.requant.apply::<T, A>(a.to_i64(), *m);
            }
        }
        B
    }
}
