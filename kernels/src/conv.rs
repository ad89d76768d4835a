//! The phase engine: convolution, transposed convolution, one output row at a time.
//!
//! For each output column phase and each pixel of it, the taps that read inside the input form a few runs of neighbouring
//! values, in the input row and in the packed weights alike: one dot product for a block of output channels. Tap rows that would
//! read padding are cut off beforehand, columns only at single pixels: of four and more at a time the padding is the zero point.

use crate::arch::{
    ALIKE, BLOCK, Block, DIRECT, FEW, Job, LINES, PIXELS, Patch, Pixel, Pixels, Run, SHIFT, SMALL, SUMS, TAP_ROWS,
    anew, few, lines, small,
};
use crate::phase::{Alike, Phase, Reach};
use crate::plan::length;
use crate::quant::{Accumulator, Requant};
use crate::rows::{cut, cut_mut};
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
                let bytes = size_of::<T>() == 1 && size_of::<$a>() == 4;
                let hold = bytes && largest <= SMALL && loops_hold(plan, quant.multipliers);
                let few = if hold && size_of::<$w>() <= FEW.weight { few_channels(plan) } else { 0 };
                let lines = if hold { in_lines(plan, few) } else { 0 };
                // Σ w of each channel of each pair of classes, which lie in this order.
                let mut totals = [0; FEW.totals];
                let mut n = 0;
                while few > 0 && n < totals.len() {
                    let (pair, channel) = (crate::plan::div(n, plan.output.c), crate::plan::rem(n, plan.output.c));
                    if let Some((at, k)) = plan.class_pair(pair) {
                        let mut i = at + channel * k;
                        let end = i + k;
                        while i < end && i < self.packed.len() {
                            let $v = self.packed[i];
                            totals[n] += $raw as i32;
                            i += 1;
                        }
                    }
                    n += 1;
                }
                Ok(Convolution {
                    plan: *plan,
                    weights: self,
                    multipliers: quant.multipliers,
                    x_zero: quant.x.zero,
                    requant: Requant::new(quant.rounding, quant.y.zero, quant.activation.range::<T>(quant.y)),
                    largest,
                    alike: alike(plan),
                    few,
                    lines,
                    totals,
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
/// [`Quantization::rounding`]. Weights stay where they are; a row takes 1 to 3.1 KB of stack, with Helium up to 5,
/// whatever the layer's size, and no other memory (`cargo xtask bench` measures it for any layer).
#[derive(Clone, Copy, Debug)]
pub struct Convolution<'a, T, W = i8, A = i32> {
    pub(crate) plan: Plan,
    pub(crate) weights: Weights<'a, W, A>,
    pub(crate) multipliers: &'a [Multiplier],
    pub(crate) x_zero: i32,
    pub(crate) requant: Requant,
    /// No sum is larger.
    pub(crate) largest: u64,
    alike: Option<Alike>,
    /// Up to so many channels of a row are few.
    few: usize,
    /// Not 0 where lines take a row: how many channels are started for it, those of all its phases or of one half.
    lines: usize,
    /// Σ w of the first vectors of packed weights, for them.
    totals: [i32; FEW.totals],
    element: PhantomData<T>,
}

/// Column phases as channels, where that pays.
const fn alike(plan: &Plan) -> Option<Alike> {
    match plan.x.alike() {
        Some(alike) if plan.dense() && plan.span == plan.output.c && plan.output.c.is_multiple_of(BLOCK) => {
            let most = ALIKE[!alike.count.is_multiple_of(PIXELS) as usize];
            if plan.output.c <= most { Some(alike) } else { None }
        }
        _ => None,
    }
}

/// Whether outputs have a single tap each, inside the input, of FEW's points, and are many enough, or two or three more than whole groups, to pay for weights that are widened first.
const fn points(plan: &Plan) -> bool {
    let steps = match alike(plan) {
        Some(Alike { skip, last, .. }) => skip == 0 && last == plan.x.out_step,
        None => true,
    };
    let pixels = plan.x.len(0);
    let pays = pixels > 2 * PIXELS || pixels % PIXELS > 1;
    pays && plan.input.c == FEW.points && plan.x.single_tap() && plan.y.single_tap() && steps
}

/// Whether the loops that make outputs without a job hold: for factors from 2^-23 to below 1/2 or 1/4.
const fn loops_hold(plan: &Plan, multipliers: &[Multiplier]) -> bool {
    let mut holds = plan.dense() && plan.y.taps(0) <= TAP_ROWS;
    let mut i = 0;
    while i < multipliers.len() {
        holds = holds && multipliers[i].q() > 0 && multipliers[i].shift() <= SHIFT && multipliers[i].shift() >= -22;
        i += 1;
    }
    holds
}

/// FEW's channels.
const fn few_channels(plan: &Plan) -> usize {
    match plan.y.taps(0) * plan.x.taps(0) * plan.input.c < FEW.values {
        true if points(plan) => usize::MAX,
        true => FEW.channels,
        false => 0,
    }
}

/// Of alike phases, more channels than few, where the last ones have as many as the first ones lack, and of as few values as LINES say: all of them, where whole groups and a pixel at
/// most are what lies between the ends, else those of a part.
const fn in_lines(plan: &Plan, few: usize) -> usize {
    let Some(Alike { taps, first, count, skip, last }) = alike(plan) else { return 0 };
    let (rows, c, n) = (plan.y.taps(0), plan.input.c, plan.x.out_step * plan.output.c);
    if skip == 0 || skip != last || first > 0 || count <= PIXELS || n <= few {
        return 0;
    }
    let (before, behind) = (skip * plan.output.c, n - skip * plan.output.c);
    let channels = match n {
        _ if (count - 2) % PIXELS < 2 && n <= SUMS => n,
        _ if before > behind => before,
        _ => behind,
    };
    // The first bound keeps the other's product in range.
    let fit = rows * taps * c <= LINES[1] && rows * (count - 1 + taps) * c <= LINES[0];
    if fit && channels <= SUMS { channels } else { 0 }
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

/// What an output row reads.
struct Row<'a, T> {
    x: &'a Window<'a, T>,
    /// Its class, the tap rows of that, those above the input and those inside, and the input row that the first of these reads.
    class: usize,
    taps: usize,
    above: usize,
    inside: usize,
    top: usize,
    /// The rows, unless there are more than TAP_ROWS.
    lines: Vec<&'a [T], TAP_ROWS>,
}

impl<'a, T> Row<'a, T> {
    /// To be [found](Convolution::find).
    #[inline(always)]
    fn new(x: &'a Window<'a, T>) -> Self {
        Row { x, class: 0, taps: 0, above: 0, inside: 0, top: 0, lines: Vec::new() }
    }
}

/// Output pixels that the same taps reach, and some of their channels.
struct Part<'a, W> {
    /// Their taps, the column that the first pixel's first tap reads, inside or not, and the first input channel.
    taps: usize,
    first: isize,
    group: usize,
    /// Weights of the channels.
    weights: &'a [W],
    run: Run,
    /// Pixels, where the first one's first channel is stored, and the distance of the next one's.
    count: usize,
    to: isize,
    pitch: usize,
    /// Channels that the first pixel lacks, and that the last one has.
    skip: usize,
    last: usize,
}

/// TAP_ROWS, for taps whose inputs do not lie side by side.
const TAPS: usize = 9;

impl<T: Element, W: Element, A: Accumulator> Convolution<'_, T, W, A> {
    /// Its plan.
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Some output channels of one row, from one span's start to another's; `y` has that many channels.
    pub(crate) fn channels(&self, oy: usize, x: &Window<'_, T>, channels: Range<usize>, y: &mut [T]) {
        match (self.plan.depthwise(), self.plan.output.w, self.largest <= i32::MAX as u64) {
            (true, _, true) => self.depthwise::<i32>(oy, x, y),
            (true, _, false) => self.depthwise::<A>(oy, x, y),
            (_, 1, true) => self.single::<i32>(oy, x, channels, y),
            (_, 1, false) => self.single::<A>(oy, x, channels, y),
            _ if self.lines > 0 => self.all_lines(oy, x, y),
            _ if self.width(channels.len()) <= self.few => self.all_few(oy, x, channels, y),
            (_, _, true) => self.phases::<i32>(oy, x, channels, y),
            (_, _, false) => self.phases::<A>(oy, x, channels, y),
        }
    }

    /// Channels of the row, where alike phases are so many times the channels: they read the same inputs, and their outputs and weights follow
    /// each other.
    #[inline(always)]
    fn width(&self, channels: usize) -> usize {
        channels * self.alike.map_or(1, |_| self.plan.x.out_step)
    }

    /// Finds what output row `oy` reads.
    #[inline(never)]
    fn find(&self, oy: usize, row: &mut Row<'_, T>) {
        let plan = &self.plan;
        let Reach { class, taps, before, inside, from } = plan.y.reach_inline(oy);
        (row.class, row.taps, row.above, row.inside, row.top) = (class, taps, before, inside, from);
        for line in 0..if inside > TAP_ROWS { 0 } else { inside } {
            let _ = row.lines.push(row.x.row(row.top + line * plan.y.tap_step)); // as many fit
            small();
        }
    }

    /// All column phases, summed in S.
    #[inline(never)]
    fn phases<S: Accumulator>(&self, oy: usize, x: &Window<'_, T>, channels: Range<usize>, y: &mut [T]) {
        let mut row = Row::new(x);
        self.find(oy, &mut row);
        let mut patch = Patch::new();
        let width = self.width(channels.len());
        let (mut o, mut in_span, mut in_group, mut group) = (0, 0, 0, 0);
        while o < width {
            let this = anew(self);
            let (plan, alike) = (&this.plan, this.alike.is_some());
            if FEW.left && width - o <= this.few {
                return this.few(&row, [channels.start, o, width], y);
            }
            let first = channels.start + if alike { in_span } else { o };
            let mut n = SUMS.min(plan.span - in_span);
            let (bias, multipliers) = this.scales(first, n);
            while alike && n + plan.span <= SUMS.min(width - o) {
                n += plan.span;
                small();
            }
            let block = Block { channels: n, bias, multipliers, requant: this.requant, largest: this.largest };
            this.block::<S>(&row, &block, [channels.start, o, width, group], &mut patch, y);
            (o, in_span, in_group) = (o + n, in_span + n, in_group + n);
            if in_span >= plan.span {
                in_span = 0;
            }
            if in_group >= plan.group_out {
                in_group = 0;
                group = if group + plan.group_in < plan.input.c { group + plan.group_in } else { 0 };
            }
        }
    }

    /// Biases and multipliers of n channels.
    #[inline(always)]
    fn scales(&self, first: usize, n: usize) -> (&[A], &[Multiplier]) {
        let (bias, multipliers) = (self.weights.bias, self.multipliers);
        let multipliers = if multipliers.len() == 1 { multipliers } else { cut(multipliers, first, n) };
        (cut(bias, first, n), multipliers)
    }

    /// The part of alike phases, or of phase r: n channels from number `o` on of the `width` that the row has, from channel `start` of the layer on.
    #[inline(always)]
    fn of_alike(&self, row: &Row<'_, T>, alike: Alike, [start, o, width, n]: [usize; 4]) -> Part<'_, W> {
        let (Alike { taps, first, count, skip, last }, c) = (alike, self.plan.output.c);
        let (weights, run) = self.weights(row, [0, taps], [start + o, n]);
        let to = o as isize - (skip * c) as isize;
        // The last pixel may have none of these channels.
        let (count, last) = match (last * c).saturating_sub(o) {
            0 => (count - 1, n),
            left => (count, left.min(n)),
        };
        let skip = (skip * c).saturating_sub(o);
        Part { taps, first, group: 0, weights, run, count, to, pitch: width, skip, last }
    }

    #[inline(always)]
    fn of_phase(
        &self,
        row: &Row<'_, T>,
        (r, Phase { class, taps, first }): (usize, Phase),
        [start, o, width, n]: [usize; 4],
        group: usize,
    ) -> Part<'_, W> {
        let (weights, run) = self.weights(row, [class, taps], [start + o, n]);
        let (to, pitch) = ((r * width + o) as isize, self.plan.x.out_step * width);
        Part { taps, first, group, weights, run, count: self.plan.x.len(r), to, pitch, skip: 0, last: n }
    }

    /// The weights of n channels for the tap rows that lie inside.
    #[inline(always)]
    fn weights(&self, row: &Row<'_, T>, [class, taps]: [usize; 2], [first, n]: [usize; 2]) -> (&[W], Run) {
        let values = taps * self.plan.group_in;
        let run = Run { n: row.inside * values, len: row.taps * values, skip: row.above * values };
        let at = self.plan.packed_at(row.class, class) + first * run.len;
        (cut(self.weights.packed, at, n * run.len), run)
    }

    /// Those parts of a block.
    #[inline(always)]
    fn block<S: Accumulator>(
        &self,
        row: &Row<'_, T>,
        block: &Block<'_, A>,
        [start, o, width, group]: [usize; 4],
        patch: &mut Patch,
        y: &mut [T],
    ) {
        let mut job = Job::<S, A>::new(block);
        job.start::<T>();
        let some = [start, o, width, block.channels];
        if let Some(alike) = self.alike {
            return self.part(row, &self.of_alike(row, alike, some), &mut job, patch, y);
        }
        for phase in self.plan.x.phases().enumerate() {
            let this = anew(self);
            this.part(row, &this.of_phase(row, phase, some, group), &mut job, patch, y);
        }
    }

    /// A row of few channels.
    #[inline(never)]
    fn all_few(&self, oy: usize, x: &Window<'_, T>, channels: Range<usize>, y: &mut [T]) {
        let mut row = Row::new(x);
        self.find(oy, &mut row);
        self.few(&row, [channels.start, 0, self.width(channels.len())], y);
    }

    /// A row of alike phases and few values.
    #[inline(never)]
    fn all_lines(&self, oy: usize, x: &Window<'_, T>, y: &mut [T]) {
        let mut row = Row::new(x);
        self.find(oy, &mut row);
        let Some(Alike { taps, first, count, skip, .. }) = self.alike else { return };
        let (plan, c) = (&self.plan, self.plan.input.c);
        let (pitch, skip) = (plan.x.out_step * plan.output.c, skip * plan.output.c);
        let (weights, run) = self.weights(&row, [0, taps], [0, pitch]);
        let (channels, bias, multipliers) = (self.lines, self.weights.bias, self.multipliers);
        let block = Block { channels, bias, multipliers, requant: self.requant, largest: self.largest };
        let (rows, from) = (row.lines.as_slice(), first * c as isize);
        let pixels = Pixels { count, rows, from, step: c, len: taps * c, zero: self.x_zero, to: 0, pitch };
        lines::<T, W, A>(&block, weights, run, &pixels, skip, y);
    }

    /// The last channels of a row, which are few.
    #[inline(always)]
    fn few(&self, row: &Row<'_, T>, some: [usize; 3], y: &mut [T]) {
        match self.alike {
            Some(_) => self.few_part(row, (0, Phase::default()), some, y),
            None => self.few_phases(row, some, y),
        }
    }

    #[inline(never)]
    fn few_phases(&self, row: &Row<'_, T>, [start, o, width]: [usize; 3], y: &mut [T]) {
        for phase in self.plan.x.phases().enumerate() {
            anew(self).few_part(row, phase, [start, o, width], y);
        }
    }

    /// Those of alike phases, or of a phase.
    #[inline(never)]
    fn few_part(&self, row: &Row<'_, T>, phase: (usize, Phase), [start, o, width]: [usize; 3], y: &mut [T]) {
        let (n, from, class) = (width - o, start + o, phase.1.class);
        let some = [start, o, width, n];
        // Alike phases have biases and multipliers in turn.
        let (part, (bias, multipliers)) = match self.alike {
            Some(alike) => (self.of_alike(row, alike, some), self.scales(start, self.plan.span)),
            None => (self.of_phase(row, phase, some, 0), self.scales(from, n)),
        };
        let block = Block { channels: n, bias, multipliers, requant: self.requant, largest: self.largest };
        let rows = if part.taps > 0 { row.lines.as_slice() } else { &[] };
        let pixels = Pixels { rows, ..self.pixels(row, &part) };
        let totals = if FEW.totals != 0 && row.inside == row.taps {
            cut(&self.totals, (row.class * self.plan.x.used_classes() + class) * self.plan.output.c + from, n)
        } else {
            &[]
        };
        few::<T, W, A>(&block, part.weights, part.run, totals, &pixels, [part.skip, part.last], y);
    }

    /// The pixels of a part.
    #[inline(always)]
    fn pixels<'r>(&self, row: &'r Row<'_, T>, part: &Part<'_, W>) -> Pixels<'r, T> {
        let &Part { taps, first, count, to, pitch, skip, .. } = part;
        let c = self.plan.input.c;
        Pixels {
            count,
            rows: &row.lines,
            from: first * c as isize,
            step: self.plan.x.in_step * c,
            len: taps * c,
            zero: self.x_zero,
            to: (to + skip as isize) as usize,
            pitch,
        }
    }

    /// Pixels four and more at a time, as far as all their taps read inside the input, the others one by one.
    #[inline(never)]
    fn part<S: Accumulator>(
        &self,
        row: &Row<'_, T>,
        part: &Part<'_, W>,
        job: &mut Job<'_, S, A>,
        patch: &mut Patch,
        y: &mut [T],
    ) {
        let &Part { taps, first, weights, run, count, to, pitch, .. } = part;
        let (plan, n) = (&self.plan, job.block.channels);
        let (c, in_step) = (plan.input.c, plan.x.in_step);
        // Σ (x − z)·w = Σ (x − offset)·w − (z − offset)·Σ w
        let rest = self.x_zero - Patch::offset::<T>(self.x_zero);
        if rest != 0 {
            job.start::<T>();
            job.subtract(rest, weights, run);
        }
        let dense = plan.dense();
        let mut pixels = self.pixels(row, part);
        let at_hand = dense && row.lines.len() == row.inside;
        if at_hand && job.row(patch, weights, run, &pixels, [part.skip, part.last], y) {
            return;
        }
        // Those that are computed four and more at a time: the first and the last only with all channels.
        let (mut inside, mut end) = (usize::from(part.skip > 0), count - usize::from(part.last < n));
        let column = |i: usize| first + (i * in_step) as isize;
        let most = plan.input.w as isize - ((taps as isize - 1) * plan.x.tap_step as isize);
        let cut_off = |i: usize| column(i) < 0 || column(i) >= most;
        if run.n > 0 {
            let many = if dense { row.inside > TAP_ROWS } else { row.inside * taps > TAPS };
            if many {
                end = 0;
            }
            let alone = n <= DIRECT && size_of::<S>() == 4 || !dense;
            // Few channels do not share the work of a border, and a pixel or two that are left cost less alone; but not with sums of 64 bits.
            let apart = |inside: usize, end: usize| inside < end && (alone || matches!((end - inside) % PIXELS, 1 | 2));
            while apart(inside, end) && cut_off(inside) {
                inside += 1;
            }
            while apart(inside, end) && cut_off(end - 1) {
                end -= 1;
            }
        }
        match end.saturating_sub(inside) {
            ..PIXELS => (inside, end) = (0, 0),
            groups => end -= usize::from(groups % PIXELS == 1),
        }
        if inside < end {
            (pixels.count, pixels.from) = (end - inside, column(inside) * c as isize);
            pixels.to = (to + (inside * pitch) as isize) as usize;
            if run.n == 0 {
                (pixels.rows, pixels.len) = (&[], 0);
            }
            if dense {
                job.groups(patch, weights, run, &pixels, y);
            } else {
                self.by_taps(row, part, job, patch, pixels, y);
            }
        }
        let mut i = if inside > 0 { 0 } else { end };
        while i < anew(part).count {
            self.pixel(row, part, job, patch, i, y);
            i += 1;
            if i == inside {
                i = end;
            }
        }
    }

    /// Taps whose inputs do not lie side by side, each a row of its own.
    #[inline(never)]
    fn by_taps<S: Accumulator>(
        &self,
        row: &Row<'_, T>,
        part: &Part<'_, W>,
        job: &mut Job<'_, S, A>,
        patch: &mut Patch,
        pixels: Pixels<'_, T>,
        y: &mut [T],
    ) {
        let plan = &self.plan;
        let mut lines = Vec::<&[T], TAPS>::new();
        for tap_row in 0..if pixels.len == 0 { 0 } else { row.inside } {
            let line = row.x.row(row.top + tap_row * plan.y.tap_step);
            for tap in 0..part.taps {
                // No more than TAPS have been asked for.
                let _ = lines.push(line.get(tap * plan.x.tap_step * plan.input.c + part.group..).unwrap_or_default());
            }
        }
        let len = if lines.is_empty() { 0 } else { plan.group_in };
        job.groups(patch, part.weights, part.run, &Pixels { rows: &lines, len, ..pixels }, y);
    }

    /// Pixel `i`, which may lack taps and channels.
    #[inline(never)]
    fn pixel<S: Accumulator>(
        &self,
        row: &Row<'_, T>,
        part: &Part<'_, W>,
        job: &mut Job<'_, S, A>,
        patch: &mut Patch,
        i: usize,
        y: &mut [T],
    ) {
        let plan = &self.plan;
        let (c, n) = (plan.input.c, plan.group_in);
        let first = part.first + (i * plan.x.in_step) as isize;
        let channels =
            if i == 0 { part.skip } else { 0 }..if i + 1 == part.count { part.last } else { job.block.channels };
        let y = cut_mut(y, (part.to + (i * part.pitch + channels.start) as isize) as usize, channels.len());
        let (before, inside) = plan.x.clip(first, part.taps);
        // Neighbouring taps that read neighbouring pixels make one piece, else each tap is a piece of its group's channels.
        let (pieces, len) = if plan.dense() { (1, inside * c) } else { (inside, n) };
        let pixel = Pixel {
            x: row.x,
            lines: &row.lines,
            top: row.top,
            row_step: plan.y.tap_step,
            rows: if inside == 0 { 0 } else { row.inside },
            from: (first + (before * plan.x.tap_step) as isize).max(0) as usize * c + part.group,
            step: plan.x.tap_step * c,
            pieces,
            len,
            skip: part.run.skip + before * n,
            row: part.taps * n,
            zero: self.x_zero,
            channels,
        };
        job.pixel(patch, part.weights, part.run, &pixel, y);
    }
}
