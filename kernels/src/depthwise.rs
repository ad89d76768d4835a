//! Convolutions whose groups have one input channel, transposed or not: `y[c] = Σ_t x[t][c / m] · w[c][t]`.
//!
//! The channels of a pixel lie side by side, so a group of pixels is a list of places, one for each tap and pixel, and a loop over it
//! for every channel. A tap outside the input reads a line of zero points. Where all taps are inside, the list serves the
//! groups that follow, too: these read everything at one distance from it.

use crate::arch::depth::{CHANNELS, List};
#[cfg(upconv_backend = "mve")]
use crate::arch::vectors::{Lanes, Strip, Taps};
use crate::arch::{Block, Job, PIXELS, Patch, Run, groups};
use crate::quant::Accumulator;
use crate::rows::{cut, cut_mut};
use crate::{Convolution, Element, Window};

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

impl<T: Element, W: Element, A: Accumulator> Convolution<'_, T, W, A> {
    /// One output row, summed in S.
    #[inline(never)]
    pub(crate) fn depthwise<S: Accumulator>(&self, oy: usize, x: &Window<'_, T>, y: &mut [T]) {
        let plan = &self.plan;
        let row = plan.y.at(oy);
        let (above, rows) = plan.y.clip(row.first, row.taps);
        let top = (row.first + (above * plan.y.tap_step) as isize) as usize; // of a row inside
        let patch = Patch::new();
        let (mut o, mut channel, mut in_group) = (0, 0, 0);
        #[cfg(upconv_backend = "mve")]
        let (mut lanes, mut taps) = (Lanes::new(), Taps::new());
        #[cfg(upconv_backend = "mve")]
        let able = {
            (0..rows).for_each(|row| taps.push(x.row(top + row * plan.y.tap_step)));
            Taps::<T>::hold(rows, plan.x.taps(0))
        };
        while o < plan.output.c {
            let n = CHANNELS.min(plan.output.c - o);
            let (bias, multipliers) = (self.weights.bias, self.multipliers);
            let multipliers = if multipliers.len() == 1 { multipliers } else { cut(multipliers, o, n) };
            let block =
                Block { channels: n, bias: cut(bias, o, n), multipliers, requant: self.requant, largest: self.largest };
            let mut job = Job::<S, A>::new(&block);
            #[cfg(upconv_backend = "mve")]
            let vectors = able && lanes.set::<T, W, S, A>(&block, self.x_zero, [plan.group_out, in_group]);
            #[cfg(not(upconv_backend = "mve"))]
            let vectors = false;
            if !vectors {
                job.start::<T>();
            }
            for (r, columns) in plan.x.phases().enumerate() {
                let run = Run { n: rows * columns.taps, len: row.taps * columns.taps, skip: above * columns.taps };
                let weights =
                    cut(self.weights.packed, plan.packed_at(row.class, columns.class) + o * run.len, n * run.len);
                let (count, columns, first) = (plan.x.len(r), columns.taps, columns.first);
                let (to, pitch) = (r * plan.output.c + o, plan.x.out_step * plan.output.c);
                let phase = Phase { x, count, rows, top, columns, first, channel, in_group, to, pitch };
                #[cfg(upconv_backend = "mve")]
                if vectors {
                    self.vectors_of(&phase, &lanes, &mut taps, weights, run, y);
                    continue;
                }
                self.channels_of(&phase, &mut job, weights, run, &patch, y);
            }
            (o, in_group) = (o + n, in_group + n);
            while in_group >= plan.group_out {
                (channel, in_group) = (channel + 1, in_group - plan.group_out);
            }
        }
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
    /// The channels of a block in one phase, whose sums stay in registers.
    #[inline(never)]
    fn vectors_of(
        &self,
        phase: &Phase<'_, T>,
        lanes: &Lanes,
        taps: &mut Taps<'_, T>,
        weights: &[W],
        run: Run,
        y: &mut [T],
    ) {
        let plan = &self.plan;
        taps.lay(lanes, weights, run);
        let (c, across) = (plan.input.c, (phase.columns.saturating_sub(1) * plan.x.tap_step) as isize);
        let column = |i: usize| phase.first + (i * plan.x.in_step) as isize;
        // The first pixel some of whose taps lie behind the input.
        let mut end = phase.count;
        while end > 0 && run.n > 0 && column(end - 1) + across >= plan.input.w as isize {
            end -= 1;
        }
        let mut i = 0;
        while i < phase.count {
            let (before, inside) = if run.n > 0 { plan.x.clip(column(i), phase.columns) } else { (0, 0) };
            let count = if run.n == 0 || inside == phase.columns { end.saturating_sub(i).max(1) } else { 1 };
            taps.outputs(
                lanes,
                &Strip {
                    from: (column(i) + (before * plan.x.tap_step) as isize).max(0) as usize * c + phase.channel,
                    hop: plan.x.tap_step * c,
                    step: plan.x.in_step * c,
                    before,
                    taps: inside,
                    columns: phase.columns,
                    count,
                    to: phase.to + i * phase.pitch,
                    pitch: phase.pitch,
                },
                y,
            );
            i += count;
        }
    }
}
