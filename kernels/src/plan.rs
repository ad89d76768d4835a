//! The plan of a convolution or transposed convolution: its geometry, and the order of its packed weights.

use crate::arch::BLOCK;
use crate::phase::{Axis, HEIGHT, WIDTH};
use crate::shape::{INPUT, OUTPUT};
use crate::single::Column;
use crate::{Element, Error, Geometry, Shape};

/// The order of an unpacked weight tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum WeightOrder {
    /// PyTorch and ONNX: convolution `[C_out, C_in / groups, kh, kw]`, transposed `[C_in, C_out / groups, kh, kw]`.
    Torch,
    /// TFLite: `[C_out, kh, kw, C_in / groups]` for both.
    Tflite,
}

/// A planned convolution or transposed convolution: its geometry and the order of its packed weights.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub(crate) input: Shape,
    pub(crate) output: Shape,
    pub(crate) y: Axis,
    pub(crate) x: Axis,
    pub(crate) groups: usize,
    /// Input and output channels of a group.
    pub(crate) group_in: usize,
    pub(crate) group_out: usize,
    /// No block of output channels crosses a multiple of this: a divisor of `group_out`, or all channels of a depthwise layer.
    pub(crate) span: usize,
    /// Of the first output column.
    pub(crate) column: Column,
    transposed: bool,
}

impl Plan {
    /// Whether it is the same as another one.
    pub(crate) const fn is(&self, other: &Self) -> bool {
        const fn all(plan: &Plan) -> [usize; 15] {
            let (a, b, y, x) = (&plan.input, &plan.output, &plan.y, &plan.x);
            let ([kh, kw], kind) = (plan.kernel(), plan.groups * 2 + plan.transposed as usize);
            let (top, left) = (y.at(0).first as usize, x.at(0).first as usize);
            [a.h, a.w, a.c, b.h, b.w, b.c, kh, kw, kind, top, left, y.in_step, y.tap_step, x.in_step, x.tap_step]
        }
        let (these, those, mut i) = (all(self), all(other), 0);
        while i < these.len() && these[i] == those[i] {
            i += 1;
        }
        i == these.len()
    }

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
            let (what, got) = ("output channels", crate::shape::signed(out_channels));
            return Err(Error::Range { what, got, min: 1, max: most as i64 });
        }
        let span = if depthwise(g.groups, [group_in, group_out]) { out_channels } else { group_out };
        let column = Column::new(&x, [input.c, out_channels], g.groups);
        Ok(Plan { input, output, y, x, groups: g.groups, group_in, group_out, span, column, transposed })
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
        self.channel_weights() * self.output.c
    }

    /// Kernel height and width.
    pub const fn kernel(&self) -> [usize; 2] {
        [self.y.kernel(), self.x.kernel()]
    }

    /// Weights of one output channel.
    pub(crate) const fn channel_weights(&self) -> usize {
        self.y.kernel() * self.x.kernel() * self.group_in
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
    /// Row class, column class, block of up to four output channels of one group (one channel in a depthwise layer, and where groups are two channels
    /// for up to three), tap row, tap column, input channel, output channel. A class is the set of taps that reach the same output phase; taps are
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
        self.pack_blocks(Self::BLOCK, weights, order, packed)
    }

    /// Output channels whose weights lie side by side in this build: all that the order of packed weights depends on besides the plan.
    pub const BLOCK: usize = BLOCK;

    /// [`pack_into`](Self::pack_into) for a build whose [`BLOCK`](Self::BLOCK) is `block`, for tools that do not run where the weights are read.
    ///
    /// # Errors
    /// Those of [`pack_into`](Self::pack_into); [`Error::Zero`] for a block of 0.
    pub const fn pack_blocks<W: Element>(
        &self,
        block: usize,
        weights: &[W],
        order: WeightOrder,
        packed: &mut [W],
    ) -> Result<(), Error> {
        if block == 0 {
            return Err(Error::Zero { what: "the block" });
        }
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
                    let block = self.within_span(first, block);
                    to = self.pack_block(weights, order, packed, to, [class_y, class_x], first, block);
                    first += block;
                }
                class_x += 1;
            }
            class_y += 1;
        }
        Ok(())
    }

    /// The same plan for a caller that computes `span` output channels at a time.
    pub(crate) const fn in_spans(mut self, span: usize) -> Self {
        self.span = span;
        self
    }

    /// Output channels in the block that starts at `first`: at most BLOCK, and of one span; one in a depthwise layer.
    pub(crate) const fn block_at(&self, first: usize) -> usize {
        self.within_span(first, BLOCK)
    }

    const fn within_span(&self, first: usize, block: usize) -> usize {
        let left = self.span - rem(first, self.span);
        if self.depthwise() {
            1
        } else if left < block {
            left
        } else {
            block
        }
    }

    /// Whether every group reads a single one of many input channels, or two for few outputs, which do not pay for a patch either.
    pub(crate) const fn depthwise(&self) -> bool {
        depthwise(self.groups, [self.group_in, self.group_out])
    }

    /// Whether neighbouring taps read neighbouring pixels, all channels of them.
    pub(crate) const fn dense(&self) -> bool {
        self.groups == 1 && self.x.tap_step == 1
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
    pub(crate) const fn weight_index(&self, order: WeightOrder, o: usize, i: usize, ky: usize, kx: usize) -> usize {
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

    /// Where the packed weights of the n-th pair of classes start, and how many each channel has there.
    pub(crate) const fn class_pair(&self, n: usize) -> Option<(usize, usize)> {
        let (y, x) = (div(n, self.x.used_classes()), rem(n, self.x.used_classes()));
        if y >= self.y.used_classes() {
            return None;
        }
        Some((self.packed_at(y, x), self.y.taps(y) * self.x.taps(x) * self.group_in))
    }

    /// Where the packed weights of a pair of classes start.
    pub(crate) const fn packed_at(&self, class_y: usize, class_x: usize) -> usize {
        let taps = self.y.taps_before(class_y) * self.x.kernel() + self.y.taps(class_y) * self.x.taps_before(class_x);
        taps * self.group_in * self.output.c
    }
}

const fn depthwise(groups: usize, [n, m]: [usize; 2]) -> bool {
    groups > 1 && (n == 1 || n == 2 && m <= 3)
}

pub(crate) const fn length(what: &'static str, got: usize, need: usize) -> Result<(), Error> {
    if got == need { Ok(()) } else { Err(Error::Length { what, got, need }) }
}

/// Quotient and remainder that cannot panic, for divisors known to be above 0.
pub(crate) const fn div(a: usize, b: usize) -> usize {
    match a.checked_div(b) {
        Some(q) => q,
        None => 0,
    }
}

pub(crate) const fn rem(a: usize, b: usize) -> usize {
    if b == 0 { 0 } else { a % b }
}

pub(crate) const fn min(a: usize, b: usize) -> usize {
    if a < b { a } else { b }
}

pub(crate) const fn max(a: u64, b: u64) -> u64 {
    if a > b { a } else { b }
}
