//! Convolutions whose groups have one input channel, transposed or not: `y[c] = Σ_t x[t][c / m] · w[c][t]`. Or two, each of which is a tap.
//!
//! The channels of a pixel lie side by side, so a group of pixels is a list of places, one for each tap and pixel, and a loop over it
//! for every channel. A tap outside the input reads a line of zero points. Where all taps are inside, the list serves the
//! groups that follow, too: these read everything at one distance from it. Helium takes sixteen channels of a pixel instead (`arch/mve/depth.rs`).

use crate::arch::depth::{CHANNELS, List, Single};
use crate::arch::{Block, Job, PIXELS, Patch, Pixel, Run, alone, anew, groups, small};
#[cfg(upconv_backend = "mve")]
use crate::arch::{
    Places,
    vectors::{Lanes, Strip, Taps},
};
use crate::quant::Accumulator;
use crate::rows::{cut, cut_mut};
use crate::{Convolution, Element, Window, phase};

/// The pixels of one row and column phase, and some of their channels.
struct Phase<'a, T> {
    x: &'a Window<'a, T>,
    count: usize,
    /// Tap rows that read inside the input, the input row that the first of them reads, and taps of each.
    rows: usize,
    top: usize,
    columns: usize,
    /// The input column that the first pixel's first tap reads, inside or not.
    first: isize,
    /// The first input channel, and which of its output channels comes first.
    channel: usize,
    in_group: usize,
    /// Where the first pixel's first channel is stored, and the distance of the next one's.
    to: usize,
    pitch: usize,
}

/// An output channel, the first input channel that it reads, and which of the output channels of that it is.
#[derive(Clone, Copy)]
struct Channel {
    output: usize,
    input: usize,
    in_group: usize,
}

impl Channel {
    const FIRST: Self = Channel { output: 0, input: 0, in_group: 0 };

    /// The one `count` channels later, where `m` have the same n input channels.
    #[inline(always)]
    fn after(self, count: usize, [n, m]: [usize; 2]) -> Self {
        let (output, mut input, mut in_group) = (self.output + count, self.input, self.in_group + count);
        if m == 1 {
            return Channel { output, input: output * n, in_group: 0 };
        }
        while in_group >= m {
            (input, in_group) = (input + n, in_group - m);
        }
        Channel { output, input, in_group }
    }
}

impl<T: Element, W: Element, A: Accumulator> Convolution<'_, T, W, A> {
    /// One output row, summed in S.
    #[inline(always)]
    pub(crate) fn depthwise<S: Accumulator>(&self, oy: usize, x: &Window<'_, T>, y: &mut [T]) {
        if cfg!(not(upconv_backend = "mve")) && self.plan.output.w == 1 {
            return self.singles::<S>(oy, x, Channel::FIRST, y);
        }
        #[cfg(upconv_backend = "mve")]
        if self.plan.output.w == 1 && self.places::<S>(oy, x, y) {
            return;
        }
        self.wide::<S>(oy, x, y);
    }

    /// The same where four pixels and more, or vectors of channels, may be taken at a time.
    #[inline(never)]
    fn wide<S: Accumulator>(&self, oy: usize, x: &Window<'_, T>, y: &mut [T]) {
        let plan = &self.plan;
        let row = plan.y.reach(oy);
        #[cfg(upconv_backend = "mve")]
        let at = self.vectors::<S>(&row, x, y);
        #[cfg(not(upconv_backend = "mve"))]
        let at = Channel::FIRST;
        match plan.output.w {
            _ if at.output >= plan.output.c => (),
            1 => self.singles::<S>(oy, x, at, y),
            _ => self.lists::<S>(&row, x, at, y),
        }
    }

    /// The same from some channel on for a row of one pixel, whose taps outside the input are left out.
    #[inline(never)]
    fn singles<S: Accumulator>(&self, oy: usize, x: &Window<'_, T>, mut at: Channel, y: &mut [T]) {
        let plan = &self.plan;
        let (row, column) = (plan.y.reach(oy), &plan.column);
        let (n, len) = (plan.group_in, row.taps * column.row);
        let packed = column.packed_at(&plan.y, row.class, row.taps);
        let zero = [T::from_i32(self.x_zero)];
        let mut nothing = Pixel {
            x: &Window::of(&zero, [1, 1], 0, [0, 1]),
            lines: &[],
            top: 0,
            row_step: 0,
            rows: 1,
            from: 0,
            step: 0,
            pieces: 1,
            len: 1,
            skip: 0,
            row: 1,
            zero: self.x_zero,
            channels: 0..0,
        };
        let mut taps = Single::new();
        while at.output < plan.output.c {
            let this = anew(self);
            let (plan, block) = (&this.plan, this.block_from(at.output));
            let column = &plan.column;
            let weights = cut(this.weights.packed, packed + at.output * len, block.channels * len);
            let mut sums = [A::default(); CHANNELS];
            let sums = cut_mut(&mut sums, 0, block.channels);
            for (sum, bias) in sums.iter_mut().zip(block.bias) {
                *sum = *bias;
                small();
            }
            let mut add = |taps: &mut Single<'_, T>| {
                taps.add::<W, S, A>(weights, len, self.x_zero, [n, plan.group_out, at.in_group], sums);
                taps.clear();
            };
            for r in 0..row.inside {
                let line = x.row(row.from + r * plan.y.tap_step);
                let (mut w, mut from) = ((row.before + r) * column.row + column.skip, column.from + at.input);
                for _ in 0..column.pieces {
                    for i in 0..n {
                        if !taps.has_room() {
                            add(&mut taps);
                        }
                        taps.push(line.get(from + i..).unwrap_or_default(), w + i);
                        small();
                    }
                    (w, from) = (w + n, from + plan.x.tap_step * plan.input.c);
                    small();
                }
            }
            add(&mut taps);
            // The pixel of a dense layer whose biases these are, and whose only product is 0.
            let block = Block { bias: sums, ..block };
            nothing.channels = 0..block.channels;
            let y = cut_mut(y, at.output, block.channels);
            alone::<T, W, S, A>(&block, weights, Run { n: 0, len: 1, skip: 0 }, &nothing, y);
            at = at.after(block.channels, [plan.group_in, plan.group_out]);
        }
    }

    /// The same from some channel on, whose sums are in memory.
    #[cfg_attr(upconv_backend = "mve", inline(never))] // not on top of the other's stack
    #[cfg_attr(not(upconv_backend = "mve"), inline(always))]
    fn lists<S: Accumulator>(&self, row: &phase::Reach, x: &Window<'_, T>, mut at: Channel, y: &mut [T]) {
        let (plan, patch) = (&self.plan, Patch::new());
        while at.output < plan.output.c {
            let block = self.block_from(at.output);
            let Channel { output: o, input: channel, in_group } = at;
            let mut job = Job::<S, A>::new(&block);
            job.start::<T>();
            for (r, columns) in plan.x.phases().enumerate() {
                let plan = &anew(self).plan;
                let values = columns.taps * plan.group_in;
                let run = Run { n: row.inside * values, len: row.taps * values, skip: row.before * values };
                let weights = cut(
                    self.weights.packed,
                    plan.packed_at(row.class, columns.class) + o * run.len,
                    block.channels * run.len,
                );
                let (count, columns, first) = (plan.x.len(r), columns.taps, columns.first);
                let (to, pitch) = (r * plan.output.c + o, plan.x.out_step * plan.output.c);
                let (rows, top) = (row.inside, row.from);
                let phase = Phase { x, count, rows, top, columns, first, channel, in_group, to, pitch };
                self.channels_of(&phase, &mut job, weights, run, &patch, y);
            }
            at = at.after(block.channels, [plan.group_in, plan.group_out]);
        }
    }

    /// Channels from `o` on.
    #[inline(always)]
    fn block_from(&self, o: usize) -> Block<'_, A> {
        let n = CHANNELS.min(self.plan.output.c - o);
        let (bias, multipliers) = (cut(self.weights.bias, o, n), self.multipliers);
        let multipliers = if multipliers.len() == 1 { multipliers } else { cut(multipliers, o, n) };
        Block { channels: n, bias, multipliers, requant: self.requant, largest: self.largest }
    }

    /// The channels of a job in one phase.
    #[inline(never)]
    fn channels_of<S: Accumulator>(
        &self,
        phase: &Phase<'_, T>,
        job: &mut Job<'_, S, A>,
        weights: &[W],
        run: Run,
        patch: &Patch,
        y: &mut [T],
    ) {
        let (plan, pitch) = (&self.plan, phase.pitch);
        let across = (phase.columns.saturating_sub(1) * plan.x.tap_step + (PIXELS - 1) * plan.x.in_step) as isize;
        let zeros = [T::from_i32(self.x_zero); 2 * CHANNELS];
        // With which tap the list begins and for which pixel it was made, if it serves others.
        let (mut list, mut listed, mut base) = (List::new(), None, 0);
        for pixel in groups(phase.count) {
            let first = phase.first + (pixel * plan.x.in_step) as isize;
            let inside = first >= 0 && first + across < plan.input.w as isize;
            let (mut done, mut tap) = (0, [0; 3]);
            while done < run.n {
                if !inside || listed != Some(done) {
                    (listed, base) = (inside.then_some(done), pixel);
                    tap = self.list(phase, first, tap, &zeros, &mut list);
                }
                let part = Run { skip: run.skip + done, ..run };
                let from = (pixel - base) * plan.x.in_step * plan.input.c;
                list.add(from, weights, part, self.x_zero, [plan.group_in, plan.group_out, phase.in_group], job.sums());
                done += list.len();
            }
            let y = y.get_mut(phase.to + pixel * pitch..).unwrap_or_default();
            if phase.count >= PIXELS {
                job.outputs(patch, weights, run, y, pitch);
                continue;
            }
            // Pixels that do not exist are computed all the same.
            let mut own = [T::default(); PIXELS * CHANNELS];
            job.outputs(patch, weights, run, &mut own, CHANNELS);
            for (p, own) in own.chunks_exact(CHANNELS).take(phase.count).enumerate() {
                for (y, own) in cut_mut(y, p * pitch, job.block.channels).iter_mut().zip(own) {
                    *y = *own;
                    small();
                }
            }
        }
    }

    /// Lists the places of PIXELS pixels, the first of which reads `first`, from some tap on, by row, column and channel; the tap after them.
    #[inline(never)]
    fn list<'a>(
        &self,
        phase: &Phase<'a, T>,
        first: isize,
        [mut row, mut column, mut i]: [usize; 3],
        zeros: &'a [T],
        list: &mut List<'a, T>,
    ) -> [usize; 3] {
        let (plan, width) = (&self.plan, self.plan.input.w);
        list.clear();
        while list.has_room() && row < phase.rows {
            let line = phase.x.row(phase.top + row * plan.y.tap_step);
            while list.has_room() && column < phase.columns {
                // Columns before the first are those of the largest numbers.
                let mut at = first.wrapping_add((column * plan.x.tap_step) as isize) as usize;
                list.push(|| {
                    let x = if at < width { line.get(at * plan.input.c + phase.channel + i..) } else { None };
                    at = at.wrapping_add(plan.x.in_step);
                    x.unwrap_or(zeros)
                });
                (column, i) = if i + 1 == plan.group_in { (column + 1, 0) } else { (column, i + 1) };
            }
            if column == phase.columns {
                (row, column) = (row + 1, 0);
            }
        }
        [row, column, i]
    }
}

#[cfg(upconv_backend = "mve")]
impl<T: Element, W: Element, A: Accumulator> Convolution<'_, T, W, A> {
    /// A row of one pixel, whose column is planned, of one output channel for each input; false, where the loops do not hold.
    #[inline(never)]
    fn places<S: Accumulator>(&self, oy: usize, window: &Window<'_, T>, y: &mut [T]) -> bool {
        let (plan, column) = (&self.plan, &self.plan.column);
        let row = plan.y.at(oy);
        let (above, inside) = plan.y.clip(row.first, row.taps);
        let top = (row.first + (above * plan.y.tap_step) as isize) as usize; // of a row inside
        let (mut places, mut from, mut whole) = (Places::new(), column.from, plan.group_in == 1 && plan.group_out == 1);
        for i in 0..if inside > 0 { column.pieces } else { 0 } {
            let mut w = above * column.row + column.skip + i;
            let mut room = true;
            whole &= window.pieces(top, plan.y.tap_step, inside, from, plan.input.c, |x| {
                room &= places.push(x, w);
                w += column.row;
            });
            (whole, from) = (whole && room, from + plan.x.tap_step * plan.input.c);
        }
        let len = row.taps * column.row;
        let packed = column.packed_at(&plan.y, row.class, row.taps);
        let mut o = 0;
        while whole && o < plan.output.c {
            let block = self.block_from(o);
            let w = cut(self.weights.packed, packed + o * len, block.channels * len);
            let y = cut_mut(y, o, block.channels);
            whole = places.outputs::<W, S, A>(&block, w, [len, o], self.x_zero, y);
            o += block.channels;
        }
        whole
    }

    /// One output row, whose sums stay in registers; the first channel that is left.
    #[inline(never)]
    fn vectors<S: Accumulator>(&self, row: &phase::Reach, window: &Window<'_, T>, y: &mut [T]) -> Channel {
        let &phase::Reach { before: above, inside, from: top, .. } = row;
        let (plan, x) = (&self.plan, &self.plan.x);
        let (c, pitch) = (plan.input.c, x.out_step * plan.output.c);
        if plan.group_in > 1 {
            return Channel::FIRST;
        }
        let mut taps = Taps::new([c, plan.output.c], y.len(), [x.tap_step * c, x.in_step * c, pitch]);
        if !taps.rows((0..inside).map(|row| window.row(top + row * plan.y.tap_step))) {
            return Channel::FIRST;
        }
        for (r, phase::Phase { class, taps: columns, first }) in x.phases().enumerate() {
            let run = Run { n: inside * columns, len: row.taps * columns, skip: above * columns };
            let (count, columns) = (x.len(r), if run.n > 0 { columns } else { 0 });
            if !taps.phase(plan.packed_at(row.class, class), run, columns) {
                return Channel::FIRST;
            }
            // Pixels before the first that has all its taps, and from `end` on, differ from their neighbours.
            let column = |i: usize| first + (i * x.in_step) as isize;
            let across = (columns.saturating_sub(1) * x.tap_step) as isize;
            let mut end = count;
            while end > 0 && columns > 0 && column(end - 1) + across >= x.input as isize {
                end -= 1;
            }
            let mut i = 0;
            while i < count {
                let (before, inside) =
                    if i < end && column(i) >= 0 { (0, columns) } else { x.clip(column(i), columns) };
                let count = if inside == columns { end - i } else { 1 };
                let from = (column(i) + (before * x.tap_step) as isize).max(0) as usize * c;
                let strip = Strip { from, before, taps: inside, count, to: r * plan.output.c + i * pitch };
                if !taps.push(&strip) {
                    self.blocks::<S>(&mut taps, y);
                    taps.push(&strip);
                }
                i += count;
            }
        }
        self.blocks::<S>(&mut taps, y)
    }

    /// All channels of these pixels; the first that is left.
    #[inline(never)]
    fn blocks<S: Accumulator>(&self, taps: &mut Taps<'_, T>, y: &mut [T]) -> Channel {
        let (mut lanes, mut at) = (Lanes::new(), Channel::FIRST);
        while at.output < self.plan.output.c {
            let block = self.block_from(at.output);
            if !lanes.set::<T, W, S, A>(&block, self.x_zero, [self.plan.group_out, at.in_group]) {
                break;
            }
            taps.outputs(&lanes, self.weights.packed, [at.input, at.output], y);
            at = at.after(block.channels, [self.plan.group_in, self.plan.group_out]);
        }
        taps.clear();
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::testing::Random;
    use crate::{Activation, Conv, ConvTranspose, Geometry, Multiplier, Padding, Quant, Quantization, Rounding};
    use crate::{Shape, Weights};
    use std::vec::Vec;

    /// Rows of one pixel are as lists of four make them: cut taps, more of them than are kept at once, blocks that are not full.
    macro_rules! singles_are_lists {
        ($t:ty, $a:ty, $s:ty, $rounding:expr, $zero:expr) => {{
            let mut random = Random(5);
            for case in 0..if cfg!(miri) { 10 } else { 300 } {
                let (groups, n, m) = (2 + random.below(22), 1 + random.below(2), 1 + random.below(4));
                let c = groups * n;
                let [kh, kw] = [(); 2].map(|()| 1 + random.below(5));
                let input = Shape::new(1 + random.below(5), 1 + random.below(kw), c);
                let transposed = random.below(2) == 0;
                let both = if transposed { input.w + kw - 2 } else { kw - input.w };
                let left = random.below(both + 1);
                let top = if transposed { 0 } else { kh / 2 };
                let pad = Padding { top, left, bottom: top, right: both - left };
                let geometry = Geometry::new(kh, kw).stride(1 + random.below(2), 1).padding(pad).groups(groups);
                let plan = if transposed { ConvTranspose::plan } else { Conv::plan };
                let plan = plan(input, groups * m, geometry).unwrap();
                assert_eq!(plan.output.w, 1);
                let x: Vec<$t> = (0..input.len()).map(|_| random.element()).collect();
                let packed: Vec<i8> = (0..plan.weight_len()).map(|_| random.element()).collect();
                let bias: Vec<_> = (0..groups * m * random.below(2)).map(|_| random.below(2001) as $a - 1000).collect();
                let factors = (0..groups * m).map(|_| 0.5 / (1 + random.below(1 << 10)) as f64 / <$t>::MAX as f64);
                let multipliers: Vec<_> = factors.map(|m| Multiplier::from_real(m).unwrap()).collect();
                let [x_zero, zero] = [(); 2].map(|()| random.below($zero + 1) as i32 - ($zero + 1) / 2);
                let quantization = Quantization {
                    x: Quant::new(1.0, x_zero),
                    y: Quant::new(1.0, zero),
                    multipliers: &multipliers,
                    activation: if case % 3 == 0 { Activation::Relu } else { Activation::None },
                    rounding: $rounding,
                };
                let layer = Weights { packed: &packed, bias: &bias }.layer::<$t>(&plan, quantization).unwrap();
                let window = Window::whole(&x, input).unwrap();
                for oy in 0..plan.output.h {
                    let [mut ours, mut theirs] = [(); 2].map(|()| vec![<$t>::default(); plan.output.c]);
                    let row = plan.y.reach(oy);
                    layer.singles::<$s>(oy, &window, Channel::FIRST, &mut ours);
                    layer.lists::<$s>(&row, &window, Channel::FIRST, &mut theirs);
                    assert!(ours == theirs, "case {case}, row {oy} of {plan:?}");
                }
            }
        }};
    }

    #[test]
    fn rows_of_one_pixel() {
        singles_are_lists!(i8, i32, i32, Rounding::TfliteDouble, 255);
        singles_are_lists!(i8, i32, i32, Rounding::TfliteSingle, 255);
        singles_are_lists!(i16, i64, i32, Rounding::Tflite16x8, 0);
        singles_are_lists!(i16, i64, i64, Rounding::Tflite16x8, 300);
    }
}
