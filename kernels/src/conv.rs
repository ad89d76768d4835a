//! The phase engine: convolution, transposed convolution, one output row at a time.
//!
//! For each output column phase and each pixel of it, the taps that read inside the input form a few runs of neighbouring
//! values, in the input row and in the packed weights alike: one dot product for a block of output channels. Taps that would
//! read padding are cut off beforehand, so the inner loop has no border case and no zero is multiplied.

use crate::arch::{Block, Job, PIXELS, Patch, Pixel, Pixels, Run, SUMS};
use crate::plan::length;
use crate::quant::{Accumulator, Requant};
use crate::rows::cut;
use crate::{Activation, Element, Error, Geometry, Layer, Multiplier, Plan, Quant, Rounding, Shape, Window};
use core::marker::PhantomData;
use core::ops::Range;
use heapless::Vec;

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
/// | `i16`                        | `i64`    | the same (folded weights of int16x8)                            |
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

/// Sums up to here can be doubled.
pub(crate) const SMALL: u64 = (1 << 30) - 1;

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
                // Nearly every layer passes with the largest weight that its type can hold; only the others are summed.
                let weights = (plan.channel_weights()) as u64;
                let mut largest = 0;
                let mut o = 0;
                while o < self.bias.len() {
                    largest = crate::plan::max(largest, self.bias[o].unsigned_abs() as u64);
                    o += 1;
                }
                largest = largest.saturating_add(weights * far << (8 * size_of::<$w>() - 1));
                let mut first = plan.output.c;
                if largest > SMALL {
                    (first, largest) = (0, 0);
                }
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
                        largest = crate::plan::max(largest, bound);
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
                    largest,
                    element: PhantomData,
                })
            }
        }
    };
}

layer!(i8, i32, |w| w);
layer!(i16, i32, |w| w);
layer!(i8, i64, |w| w);
layer!(i16, i64, |w| w);
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
            self.activation.check(),
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
/// [`Quantization::rounding`]. Weights stay where they are; a row takes some 3 KB of stack, whatever
/// the layer's size, and no other memory.
#[derive(Clone, Copy, Debug)]
pub struct Convolution<'a, T, W = i8, A = i32> {
    pub(crate) plan: Plan,
    pub(crate) weights: Weights<'a, W, A>,
    pub(crate) multipliers: &'a [Multiplier],
    pub(crate) x_zero: i32,
    pub(crate) requant: Requant,
    /// No sum is larger.
    pub(crate) largest: u64,
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

/// The output pixels of one row and column phase, and the taps that reach them.
#[derive(Clone, Copy)]
struct Phase {
    count: usize,
    /// The input column that the first one's first tap reads, inside or not.
    first: isize,
    /// Where the first one's first channel is stored, and the distance of the next one's.
    to: usize,
    pitch: usize,
    /// Tap rows that read inside the input, the input row that the first of them reads, and taps of each.
    rows: usize,
    top: usize,
    columns: usize,
    /// The first input channel of the group.
    group: usize,
}

/// Tap rows of a kernel that is run four pixels at a time.
const TAP_ROWS: usize = 8;
/// The same for taps whose inputs do not lie side by side.
const TAPS: usize = 9;

impl<T: Element, W: Element, A: Accumulator> Convolution<'_, T, W, A> {
    /// Its plan.
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Some output channels of one row, from one span's start to another's; `y` has that many channels.
    pub(crate) fn channels(&self, oy: usize, x: &Window<'_, T>, channels: Range<usize>, y: &mut [T]) {
        match (self.plan.depthwise(), self.largest <= i32::MAX as u64) {
            (true, true) => self.depthwise::<i32>(oy, x, y),
            (true, false) => self.depthwise::<A>(oy, x, y),
            (false, true) => self.phases::<i32>(oy, x, channels, y),
            (false, false) => self.phases::<A>(oy, x, channels, y),
        }
    }

    /// All column phases, summed in S.
    #[inline(never)]
    fn phases<S: Accumulator>(&self, oy: usize, x: &Window<'_, T>, channels: Range<usize>, y: &mut [T]) {
        let plan = &self.plan;
        let rows = plan.y.at(oy);
        let (above, inside) = plan.y.clip(rows.first, rows.taps);
        let top = (rows.first + (above * plan.y.tap_step) as isize) as usize; // of a row inside
        let lines: Vec<_, TAP_ROWS> =
            (0..if inside > TAP_ROWS { 0 } else { inside }).map(|row| x.row(top + row * plan.y.tap_step)).collect();
        let mut patch = Patch::new();
        let (mut o, mut in_span, mut in_group, mut group) = (channels.start, 0, 0, 0);
        while o < channels.end {
            let n = SUMS.min(plan.span - in_span);
            let (bias, multipliers) = (self.weights.bias, self.multipliers);
            let multipliers = if multipliers.len() == 1 { multipliers } else { cut(multipliers, o, n) };
            let block =
                Block { channels: n, bias: cut(bias, o, n), multipliers, requant: self.requant, largest: self.largest };
            let mut job = Job::<S, A>::new(&block);
            job.start::<T>();
            for (r, columns) in plan.x.phases().enumerate() {
                let row = columns.taps * plan.group_in;
                let run = Run { n: inside * row, len: rows.taps * row, skip: above * row };
                let at = plan.packed_at(rows.class, columns.class) + o * run.len;
                let weights = cut(self.weights.packed, at, n * run.len);
                // Σ (x − z)·w = Σ (x − offset)·w − (z − offset)·Σ w
                let rest = self.x_zero - Patch::offset::<T>(self.x_zero);
                if rest != 0 {
                    job.start::<T>();
                    job.subtract(rest, weights, run);
                }
                let to = r * channels.len() + o - channels.start;
                let pitch = plan.x.out_step * channels.len();
                let (count, first, columns) = (plan.x.len(r), columns.first, columns.taps);
                let phase = Phase { count, first, to, pitch, rows: inside, top, columns, group };
                if self.dense() {
                    self.pixels(x, &lines, &mut job, weights, run, &mut patch, phase, y);
                } else {
                    self.apart(x, &mut job, weights, run, &mut patch, phase, y);
                }
            }
            (o, in_span, in_group) = (o + n, in_span + n, in_group + n);
            if in_span == plan.span {
                in_span = 0;
            }
            if in_group == plan.group_out {
                (in_group, group) = (0, group + plan.group_in);
            }
        }
    }

    /// The pixels of a phase whose taps' inputs do not lie side by side: each tap is a row of its own.
    #[inline(never)]
    #[allow(clippy::too_many_arguments)]
    fn apart<S: Accumulator>(
        &self,
        x: &Window<'_, T>,
        job: &mut Job<'_, S, A>,
        weights: &[W],
        run: Run,
        patch: &mut Patch,
        phase: Phase,
        y: &mut [T],
    ) {
        let plan = &self.plan;
        let mut lines = Vec::<_, TAPS>::new();
        for row in 0..if phase.rows * phase.columns > TAPS { 0 } else { phase.rows } {
            let line = x.row(phase.top + row * plan.y.tap_step);
            for tap in 0..phase.columns {
                let _ = lines.push(line.get(tap * plan.x.tap_step * plan.input.c + phase.group..).unwrap_or_default());
            }
        }
        self.pixels(x, &lines, job, weights, run, patch, phase, y);
    }

    /// The pixels of a phase: four and more at a time, as far as all their taps read inside the input, the others one by one.
    #[inline(never)]
    #[allow(clippy::too_many_arguments)]
    fn pixels<S: Accumulator>(
        &self,
        x: &Window<'_, T>,
        lines: &[&[T]],
        job: &mut Job<'_, S, A>,
        weights: &[W],
        run: Run,
        patch: &mut Patch,
        phase: Phase,
        y: &mut [T],
    ) {
        let Phase { count, first, to, pitch, .. } = phase;
        let (c, in_step) = (self.plan.input.c, self.plan.x.in_step as isize);
        let (mut inside, mut end) = (0, 0);
        let (pieces, len) = if self.dense() { (1, phase.columns * c) } else { (phase.columns, self.plan.group_in) };
        if run.n == 0 {
            end = count;
        } else if lines.len() == phase.rows * pieces {
            end = count;
            while inside < count && first + inside as isize * in_step < 0 {
                inside += 1;
            }
            let room = self.plan.input.w as isize - 1 - ((phase.columns - 1) * self.plan.x.tap_step) as isize;
            while end > 0 && first + (end as isize - 1) * in_step > room {
                end -= 1;
            }
        }
        // A single one that is left costs less alone.
        match end.saturating_sub(inside) {
            ..PIXELS => (inside, end) = (0, 0),
            n => end -= usize::from(n % PIXELS == 1),
        }
        if inside < end {
            let (rows, len) = if run.n == 0 { (&[][..], 0) } else { (lines, len) };
            let from = if run.n == 0 { 0 } else { (first + inside as isize * in_step) as usize * c };
            let step = self.plan.x.in_step * c;
            let (count, zero, to) = (end - inside, self.x_zero, to + inside * pitch);
            job.groups(patch, weights, run, &Pixels { count, rows, from, step, len, zero, to, pitch }, y);
        }
        for i in (0..inside).chain(end..count) {
            let y = y.get_mut(to + i * pitch..).unwrap_or_default();
            self.pixel(x, job, weights, run, &phase, first + i as isize * in_step, y);
        }
    }

    /// Whether neighbouring taps read neighbouring pixels, all channels of them.
    fn dense(&self) -> bool {
        self.plan.groups == 1 && self.plan.x.tap_step == 1
    }

    /// A single pixel, whose first tap reads column `first`, inside or not.
    #[inline(never)]
    #[allow(clippy::too_many_arguments)]
    fn pixel<S: Accumulator>(
        &self,
        x: &Window<'_, T>,
        job: &mut Job<'_, S, A>,
        weights: &[W],
        run: Run,
        phase: &Phase,
        first: isize,
        y: &mut [T],
    ) {
        let plan = &self.plan;
        let (c, n) = (plan.input.c, plan.group_in);
        let (before, inside) = plan.x.clip(first, phase.columns);
        // Neighbouring taps that read neighbouring pixels make one piece, else each tap is a piece of its group's channels.
        let (pieces, len) = if self.dense() { (1, inside * c) } else { (inside, n) };
        let pixel = Pixel {
            x,
            top: phase.top,
            row_step: plan.y.tap_step,
            rows: if inside == 0 { 0 } else { phase.rows },
            from: (first + (before * plan.x.tap_step) as isize).max(0) as usize * c + phase.group,
            step: plan.x.tap_step * c,
            pieces,
            len,
            skip: run.skip + before * n,
            row: phase.columns * n,
            zero: self.x_zero,
        };
        job.pixel(weights, run, &pixel, y);
    }
}
