//! The phase engine: convolution, transposed convolution, one output row at a time.
//!
//! For each output column phase and each pixel of it, the taps that read inside the input form a few runs of neighbouring
//! values, in the input row and in the packed weights alike: one dot product for a block of output channels. Taps that would
//! read padding are cut off beforehand, so the inner loop has no border case and no zero is multiplied.

use crate::arch::{BLOCK, mac};
use crate::phase::{Axis, HEIGHT, WIDTH};
use crate::quant::Requant;
use crate::rows::{cut, cut_mut};
use crate::shape::{INPUT, OUTPUT};
use crate::{Activation, Element, Error, Geometry, Layer, Multiplier, Quant, Rounding, Shape, Window};
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

/// The order of an unpacked weight tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightOrder {
    /// PyTorch and ONNX: convolution `[C_out, C_in / groups, kh, kw]`, transposed `[C_in, C_out / groups, kh, kw]`.
    Torch,
    /// TFLite: `[C_out, kh, kw, C_in / groups]` for both.
    Tflite,
}

/// A planned convolution or transposed convolution: its geometry and the order of its packed weights.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    input: Shape,
    output: Shape,
    y: Axis,
    x: Axis,
    groups: usize,
    /// Input and output channels of a group.
    group_in: usize,
    group_out: usize,
    transposed: bool,
}

impl Plan {
    pub(crate) const fn new(input: Shape, out_channels: usize, g: Geometry, transposed: bool) -> Result<Self, Error> {
        if let Err(e) = input.check(&INPUT) {
            return Err(e);
        }
        if out_channels == 0 {
            return Err(Error::Zero { what: "output channels" });
        }
        if g.groups == 0 {
            return Err(Error::Zero { what: "groups" });
        }
        if !input.c.is_multiple_of(g.groups) {
            return Err(Error::NotDivisible { what: "input channels", got: input.c, by: g.groups });
        }
        if !out_channels.is_multiple_of(g.groups) {
            return Err(Error::NotDivisible { what: "output channels", got: out_channels, by: g.groups });
        }
        let p = g.padding;
        let y = g.axis(0, input.h, [p.top, p.bottom]);
        let x = g.axis(1, input.w, [p.left, p.right]);
        let (y, x) = if transposed {
            (Axis::conv_transpose(y, &HEIGHT), Axis::conv_transpose(x, &WIDTH))
        } else {
            (Axis::conv(y, &HEIGHT), Axis::conv(x, &WIDTH))
        };
        let (y, x) = match (y, x) {
            (Ok(y), Ok(x)) => (y, x),
            (Err(e), _) | (_, Err(e)) => return Err(e),
        };
        let output = Shape::new(y.output, x.output, out_channels);
        if let Err(e) = output.check(&OUTPUT) {
            return Err(e);
        }
        let (group_in, group_out) = (input.c / g.groups, out_channels / g.groups);
        let taps = g.kernel[0] as u64 * g.kernel[1] as u64;
        let most = div(i32::MAX as usize, group_in) as u64 / if taps == 0 { 1 } else { taps };
        if out_channels as u64 > most {
            let (what, got) = ("output channels", out_channels as i64);
            return Err(Error::Range { what, got, min: 1, max: most as i64 });
        }
        Ok(Plan { input, output, y, x, groups: g.groups, group_in, group_out, transposed })
    }

    /// The input's shape.
    pub const fn input(&self) -> Shape {
        self.input
    }

    /// The output's shape.
    pub const fn output(&self) -> Shape {
        self.output
    }

    /// Number of weights, unpacked and packed: `kh * kw * C_in / groups * C_out`.
    pub const fn weight_len(&self) -> usize {
        self.y.kernel() * self.x.kernel() * self.group_in * self.output.c
    }

    /// Multiply-accumulates of a whole output: only those whose input exists, x C_in / groups x C_out.
    pub fn macs(&self) -> u64 {
        self.y.pairs() * self.x.pairs() * (self.group_in * self.output.c) as u64
    }

    /// Packs weights at compile time; see [`pack_into`](Self::pack_into).
    ///
    /// # Errors
    /// Those of [`pack_into`](Self::pack_into).
    ///
    /// A wrong count is a compile error: «the weights: 9 elements, but it needs 16».
    ///
    /// ```compile_fail,E0080
    /// use upconv::{must, ConvTranspose, Geometry, Plan, Shape, WeightOrder};
    /// const UP: Plan = must!(ConvTranspose::plan(Shape::new(4, 4, 1), 1, Geometry::square(4).stride(2, 2).pad(1)));
    /// const PACKED: [i8; 9] = must!(UP.pack(&[1i8; 9], WeightOrder::Torch));
    /// # let _ = PACKED;
    /// ```
    pub const fn pack<W: Element, const N: usize>(
        &self,
        weights: &[W; N],
        order: WeightOrder,
    ) -> Result<[W; N], Error> {
        let mut packed = *weights;
        match self.pack_into(weights, order, &mut packed) {
            Ok(()) => Ok(packed),
            Err(e) => Err(e),
        }
    }

    /// Brings weights into the order in which the kernel reads them; the count stays the same.
    ///
    /// Row class, column class, block of up to four output channels of one group, tap row, tap column, input channel,
    /// output channel. A class is the set of taps that reach the same output phase; taps are
    /// counted in the order of the inputs that they read.
    ///
    /// # Errors
    /// [`Error::Length`] when a slice does not have [`weight_len`](Self::weight_len) elements.
    pub const fn pack_into<W: Element>(
        &self,
        weights: &[W],
        order: WeightOrder,
        packed: &mut [W],
    ) -> Result<(), Error> {
        if let Err(e) = length("the weights", weights.len(), self.weight_len()) {
            return Err(e);
        }
        if let Err(e) = length("the packed weights", packed.len(), self.weight_len()) {
            return Err(e);
        }
        let mut to = 0;
        let mut class_y = 0;
        while class_y < self.y.used_classes() {
            let mut class_x = 0;
            while class_x < self.x.used_classes() {
                let mut first = 0;
                while first < self.output.c {
                    let block = self.block_at(first);
                    to = self.pack_block(weights, order, packed, to, [class_y, class_x], first, block);
                    first += block;
                }
                class_x += 1;
            }
            class_y += 1;
        }
        Ok(())
    }

    /// Output channels in the block that starts at `first`: at most BLOCK, and of one group.
    const fn block_at(&self, first: usize) -> usize {
        let left = self.group_out - rem(first, self.group_out);
        if left < BLOCK { left } else { BLOCK }
    }

    #[allow(clippy::too_many_arguments)]
    const fn pack_block<W: Element>(
        &self,
        weights: &[W],
        order: WeightOrder,
        packed: &mut [W],
        mut to: usize,
        class: [usize; 2],
        first: usize,
        block: usize,
    ) -> usize {
        let mut ty = 0;
        while ty < self.y.taps(class[0]) {
            let ky = self.y.kernel_index(class[0], ty);
            let mut tx = 0;
            while tx < self.x.taps(class[1]) {
                let kx = self.x.kernel_index(class[1], tx);
                let mut i = 0;
                while i < self.group_in {
                    let mut o = first;
                    while o < first + block {
                        let from = self.weight_index(order, o, i, ky, kx);
                        if from < weights.len() && to < packed.len() {
                            packed[to] = weights[from];
                        }
                        to += 1;
                        o += 1;
                    }
                    i += 1;
                }
                tx += 1;
            }
            ty += 1;
        }
        to
    }

    /// Where the weight of output channel `o`, input channel `i` of its group and tap (ky, kx) lies in an unpacked tensor.
    const fn weight_index(&self, order: WeightOrder, o: usize, i: usize, ky: usize, kx: usize) -> usize {
        let (kh, kw) = (self.y.kernel(), self.x.kernel());
        match order {
            WeightOrder::Tflite => ((o * kh + ky) * kw + kx) * self.group_in + i,
            WeightOrder::Torch if self.transposed => {
                let in_group = rem(o, self.group_out);
                let group = div(o, self.group_out);
                (((group * self.group_in + i) * self.group_out + in_group) * kh + ky) * kw + kx
            }
            WeightOrder::Torch => ((o * self.group_in + i) * kh + ky) * kw + kx,
        }
    }

    /// Adds weights and quantisation: a layer that can run.
    ///
    /// # Errors
    /// [`Error::Length`] when a slice has the wrong length, [`Error::Range`] and [`Error::Scale`] for quantisation parameters that the
    /// element cannot hold, [`Error::Overflow`] when |bias| + Σ|w|·max|x − zero| of a channel reaches 2³¹.
    pub const fn with<'a, T: Element>(
        &self,
        weights: Weights<'a>,
        quant: Quantization<'a>,
    ) -> Result<Convolution<'a, T>, Error> {
        if let Err(e) = length("the packed weights", weights.packed.len(), self.weight_len()) {
            return Err(e);
        }
        if let Err(e) = length("the bias", weights.bias.len(), self.output.c) {
            return Err(e);
        }
        if let Err(e) = length("the multipliers", quant.multipliers.len(), self.output.c) {
            return Err(e);
        }
        if let Err(e) = quant.x.check::<T>("the input scale", "the input zero point") {
            return Err(e);
        }
        if let Err(e) = quant.y.check::<T>("the output scale", "the output zero point") {
            return Err(e);
        }
        if let Err(e) = self.check_accumulators::<T>(&weights, quant.x.zero) {
            return Err(e);
        }
        let range = quant.activation.range::<T>(quant.y);
        Ok(Convolution {
            plan: *self,
            weights,
            multipliers: quant.multipliers,
            x_zero: quant.x.zero,
            requant: Requant::new(quant.rounding, quant.y.zero, range),
            element: core::marker::PhantomData,
        })
    }

    /// |acc| <= |bias| + Σ|w|·max|x − zero| < 2³¹ for every channel, whatever the input.
    const fn check_accumulators<T: Element>(&self, weights: &Weights<'_>, x_zero: i32) -> Result<(), Error> {
        const MAX: u64 = i32::MAX as u64;
        let far = max((T::MAX - x_zero) as u64, (x_zero - T::MIN) as u64);
        let taps = (self.y.kernel() * self.x.kernel() * self.group_in) as u64;
        let bias = weights.bias;
        let mut largest_bias = 0;
        let mut o = 0;
        while o < bias.len() {
            largest_bias = max(largest_bias, bias[o].unsigned_abs() as u64);
            o += 1;
        }
        // Nearly every layer passes with the largest weight that an i8 can be; only the others are added up.
        if largest_bias + taps * 128 * far <= MAX {
            return Ok(());
        }
        let mut first = 0;
        while first < bias.len() {
            let block = self.block_at(first);
            o = first;
            while o < first + block && o < bias.len() {
                let bound = bias[o].unsigned_abs() as u64 + self.sum_abs(weights.packed, first, o - first) * far;
                if bound > MAX {
                    return Err(Error::Overflow { channel: o, bound, max: MAX });
                }
                o += 1;
            }
            first += block;
        }
        Ok(())
    }

    /// Σ|w| of one channel over all its packed weights.
    const fn sum_abs(&self, packed: &[i8], first: usize, in_block: usize) -> u64 {
        let block = self.block_at(first);
        let mut sum = 0;
        let mut class_y = 0;
        while class_y < self.y.used_classes() {
            let mut class_x = 0;
            while class_x < self.x.used_classes() {
                let k = self.y.taps(class_y) * self.x.taps(class_x) * self.group_in;
                let mut at = self.packed_at(class_y, class_x) + first * k + in_block;
                let end = at + k * block;
                while at < end && at < packed.len() {
                    sum += packed[at].unsigned_abs() as u64;
                    at += block;
                }
                class_x += 1;
            }
            class_y += 1;
        }
        sum
    }

    /// Where the packed weights of a pair of classes start.
    const fn packed_at(&self, class_y: usize, class_x: usize) -> usize {
        let taps = self.y.taps_before(class_y) * self.x.kernel() + self.y.taps(class_y) * self.x.taps_before(class_x);
        taps * self.group_in * self.output.c
    }
}

/// Packed weights (see [`Plan::pack`]) and one bias per output channel, of scale `sx * sw`.
#[derive(Clone, Copy, Debug)]
pub struct Weights<'a> {
    /// [`Plan::weight_len`] packed weights.
    pub packed: &'a [i8],
    /// C_out biases.
    pub bias: &'a [i32],
}

/// How a layer's numbers stand for real values.
#[derive(Clone, Copy, Debug)]
pub struct Quantization<'a> {
    /// The input's scale and zero point.
    pub x: Quant,
    /// The output's scale and zero point.
    pub y: Quant,
    /// `sx * sw[c] / sy` for each output channel; see [`Multiplier::per_channel`].
    pub multipliers: &'a [Multiplier],
    /// The fused clamp.
    pub activation: Activation,
    /// The rounding of the requantisation.
    pub rounding: Rounding,
}

/// A convolution or transposed convolution with its weights, ready to run; made by [`Plan::with`].
///
/// `acc = bias + Σ (x − zx)·w`, `y = clamp(round(acc·M) + zy)`; exact but for the one rounding, named in
/// [`Quantization::rounding`]. Weights stay where they are; there is no scratch.
#[derive(Clone, Copy, Debug)]
pub struct Convolution<'a, T> {
    plan: Plan,
    weights: Weights<'a>,
    multipliers: &'a [Multiplier],
    x_zero: i32,
    requant: Requant,
    element: core::marker::PhantomData<T>,
}

impl<T: Element> Layer<T> for Convolution<'_, T> {
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

    #[inline(never)]
    fn row(&self, oy: usize, x: &Window<'_, T>, y: &mut [T]) {
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
                self.pixel(x, &taps, len, weights, cut_mut(y, ox * plan.output.c, plan.output.c));
                first += plan.x.in_step as isize;
                ox += plan.x.out_step;
            }
        }
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

impl<T: Element> Convolution<'_, T> {
    /// All channels of one output pixel; `len` weights a channel.
    #[inline]
    fn pixel(&self, x: &Window<'_, T>, taps: &Taps, len: usize, weights: &[i8], y: &mut [T]) {
        let (mut o, mut in_group, mut group) = (0, 0, 0);
        while o < self.plan.output.c {
            let left = self.plan.group_out - in_group;
            let w = |block| cut(weights, o * len, block * len);
            let block = match left {
                1 => self.block::<1>(x, taps, w(1), group, o, y),
                2 => self.block::<2>(x, taps, w(2), group, o, y),
                3 => self.block::<3>(x, taps, w(3), group, o, y),
                _ => self.block::<BLOCK>(x, taps, w(BLOCK), group, o, y),
            };
            (o, in_group) = (o + block, in_group + block);
            if in_group == self.plan.group_out {
                (in_group, group) = (0, group + self.plan.group_in);
            }
        }
    }

    /// B output channels from `o` on, whose group starts at input channel `group`. Returns B.
    #[inline]
    fn block<const B: usize>(
        &self,
        x: &Window<'_, T>,
        taps: &Taps,
        weights: &[i8],
        group: usize,
        o: usize,
        y: &mut [T],
    ) -> usize {
        let plan = &self.plan;
        let mut acc = [0; B];
        for (a, b) in acc.iter_mut().zip(cut(self.weights.bias, o, B)) {
            *a = *b;
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
        let multipliers = cut(self.multipliers, o, B);
        for ((y, a), m) in cut_mut(y, o, B).iter_mut().zip(acc).zip(multipliers) {
            *y = self.requant.apply(a, *m);
        }
        B
    }
}

const fn length(what: &'static str, got: usize, need: usize) -> Result<(), Error> {
    if got == need { Ok(()) } else { Err(Error::Length { what, got, need }) }
}

const fn max(a: u64, b: u64) -> u64 {
    if a > b { a } else { b }
}

/// Quotient and remainder that cannot panic, for divisors known to be above 0.
const fn div(a: usize, b: usize) -> usize {
    match a.checked_div(b) {
        Some(q) => q,
        None => 0,
    }
}

const fn rem(a: usize, b: usize) -> usize {
    if b == 0 { 0 } else { a % b }
}
