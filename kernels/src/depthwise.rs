//! Convolutions whose groups have one input channel, transposed or not: `y[c] = Σ_t x[t][c / m] · w[c][t]`.
//!
//! The channels of a pixel lie side by side, so a group of pixels is a list of places, one for each tap and pixel, and a loop over it
//! for every channel. A tap outside the input reads a line of zero points. Where all taps are inside, the list serves the
//! groups that follow, too: these read everything at one distance from it. Helium takes sixteen channels of a pixel instead (`arch/mve/depth.rs`).

use crate::arch::depth::{CHANNELS, List};
#[cfg(upconv_backend = "mve")]
use crate::arch::vectors::{Lanes, Strip, Taps};
use crate::arch::{Block, Job, PIXELS, Patch, Run, groups};
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

/// An output channel, the input channel that it reads, and which of the output channels of that it is.
#[derive(Clone, Copy)]
struct Channel {
    output: usize,
    input: usize,
    in_group: usize,
}

impl Channel {
    const FIRST: Self = Channel { output: 0, input: 0, in_group: 0 };

    /// The one `n` channels later, where `m` have the same input channel.
    #[inline(always)]
    fn after(self, n: usize, m: usize) -> Self {
        let (output, mut input, mut in_group) = (self.output + n, self.input, self.in_group + n);
        if m == 1 {
            return Channel { output, input: output, in_group: 0 };
        }
        while in_group >= m {
            (input, in_group) = (input + 1, in_group - m);
        }
        Channel { output, input, in_group }
    }
}

impl<T: Element, W: Element, A: Accumulator> Convolution<'_, T, W, A> {
    /// One output row, summed in S.
    #[inline(never)]
    pub(crate) fn depthwise<S: Accumulator>(&self, oy: usize, x: &Window<'_, T>, y: &mut [T]) {
        let plan = &self.plan;
        let row = plan.y.at(oy);
        let (above, rows) = plan.y.clip(row.first, row.taps);
        let top = (row.first + (above * plan.y.tap_step) as isize) as usize; // of a row inside
        #[cfg(upconv_backend = "mve")]
        let at = self.vectors::<S>(row, [above, rows, top], x, y);
        #[cfg(not(upconv_backend = "mve"))]
        let at = Channel::FIRST;
        if at.output < plan.output.c {
            self.lists::<S>(row, [above, rows, top], x, at, y);
        }
    }

    /// The same from some channel on, whose sums are in memory.
    #[cfg_attr(upconv_backend = "mve", inline(never))] // not on top of the other's stack
    #[cfg_attr(not(upconv_backend = "mve"), inline(always))]
    fn lists<S: Accumulator>(
        &self,
        row: phase::Phase,
        [above, rows, top]: [usize; 3],
        x: &Window<'_, T>,
        mut at: Channel,
        y: &mut [T],
    ) {
        let (plan, patch) = (&self.plan, Patch::new());
        while at.output < plan.output.c {
            let block = self.block_from(at.output);
            let Channel { output: o, input: channel, in_group } = at;
            let mut job = Job::<S, A>::new(&block);
            job.start::<T>();
            for (r, columns) in plan.x.phases().enumerate() {
                let run = Run { n: rows * columns.taps, len: row.taps * columns.taps, skip: above * columns.taps };
                let weights = cut(
                    self.weights.packed,
                    plan.packed_at(row.class, columns.class) + o * run.len,
                    block.channels * run.len,
                );
                let (count, columns, first) = (plan.x.len(r), columns.taps, columns.first);
                let (to, pitch) = (r * plan.output.c + o, plan.x.out_step * plan.output.c);
                let phase = Phase { x, count, rows, top, columns, first, channel, in_group, to, pitch };
                self.channels_of(&phase, &mut job, weights, run, &patch, y);
            }
            at = at.after(block.channels, plan.group_out);
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
        let zeros = [T::from_i32(self.x_zero); CHANNELS];
        // With which tap the list begins and for which pixel it was made, if it serves others.
        let (mut list, mut listed, mut base) = (List::new(), None, 0);
        for pixel in groups(phase.count) {
            let first = phase.first + (pixel * plan.x.in_step) as isize;
            let inside = first >= 0 && first + across < plan.input.w as isize;
            let (mut done, mut tap) = (0, (0, 0));
            while done < run.n {
                if !inside || listed != Some(done) {
                    (listed, base) = (inside.then_some(done), pixel);
                    tap = self.list(phase, first, tap, &zeros, &mut list);
                }
                let part = Run { skip: run.skip + done, ..run };
                let from = (pixel - base) * plan.x.in_step * plan.input.c;
                list.add(from, weights, part, self.x_zero, [plan.group_out, phase.in_group], job.sums());
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
                cut_mut(y, p * pitch, job.block.channels).iter_mut().zip(own).for_each(|(y, own)| *y = *own);
            }
        }
    }

    /// Lists the places of PIXELS pixels, the first of which reads `first`, from some tap on, by row and column; the tap after them.
    #[inline(never)]
    fn list<'a>(
        &self,
        phase: &Phase<'a, T>,
        first: isize,
        (mut row, mut column): (usize, usize),
        zeros: &'a [T],
        list: &mut List<'a, T>,
    ) -> (usize, usize) {
        let (plan, width) = (&self.plan, self.plan.input.w);
        list.clear();
        while list.has_room() && row < phase.rows {
            let line = phase.x.row(phase.top + row * plan.y.tap_step);
            while list.has_room() && column < phase.columns {
                // Columns before the first are those of the largest numbers.
                let mut at = first.wrapping_add((column * plan.x.tap_step) as isize) as usize;
                list.push(|| {
                    let x = if at < width { line.get(at * plan.input.c + phase.channel..) } else { None };
                    at = at.wrapping_add(plan.x.in_step);
                    x.unwrap_or(zeros)
                });
                column += 1;
            }
            if column == phase.columns {
                (row, column) = (row + 1, 0);
            }
        }
        (row, column)
    }
}

#[cfg(upconv_backend = "mve")]
impl<T: Element, W: Element, A: Accumulator> Convolution<'_, T, W, A> {
    /// One output row, whose sums stay in registers; the first channel that is left.
    #[inline(never)]
    fn vectors<S: Accumulator>(
        &self,
        row: phase::Phase,
        [above, inside, top]: [usize; 3],
        window: &Window<'_, T>,
        y: &mut [T],
    ) -> Channel {
        let (plan, x) = (&self.plan, &self.plan.x);
        let (c, pitch) = (plan.input.c, x.out_step * plan.output.c);
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
            at = at.after(block.channels, self.plan.group_out);
        }
        taps.clear();
        at
    }
}
