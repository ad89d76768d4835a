//! Convolutions whose groups have one input channel, transposed or not: `y[c] = Σ_t x[t][c / m] · w[c][t]`.
//!
//! The channels of a pixel lie side by side, so a group of pixels is a list of places, one for each tap and pixel, and a loop over it
//! for every channel. A tap outside the input reads a line of zero points. Where all taps are inside, the list serves the
//! groups that follow, too: these read everything at one distance from it.

use crate::arch::depth::{CHANNELS, List};
use crate::arch::{Job, PIXELS, Patch, Run, groups};
use crate::conv::Phase;
use crate::quant::Accumulator;
use crate::rows::cut_mut;
use crate::{Convolution, Element, Window};

impl<T: Element, W: Element, A: Accumulator> Convolution<'_, T, W, A> {
    /// The pixels of one phase, of the channels of a job; the first of them is channel `in_group` of its group.
    #[inline(never)]
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn depthwise<S: Accumulator>(
        &self,
        x: &Window<'_, T>,
        job: &mut Job<'_, S, A>,
        in_group: usize,
        weights: &[W],
        run: Run,
        patch: &Patch,
        phase: Phase,
        y: &mut [T],
    ) {
        let (plan, width) = (&self.plan, self.plan.input.w as isize);
        let across = (phase.columns.saturating_sub(1) * plan.x.tap_step + (PIXELS - 1) * plan.x.in_step) as isize;
        let zeros = [T::from_i32(self.x_zero); CHANNELS];
        // With which tap the list begins and for which pixel it was made, if it serves others.
        let (mut list, mut listed, mut base) = (List::new(), None, 0);
        for pixel in groups(phase.count) {
            let first = phase.first + (pixel * plan.x.in_step) as isize;
            let inside = first >= 0 && first + across < width;
            let (mut done, mut tap) = (0, (0, 0));
            while done < run.n {
                if !inside || listed != Some(done) {
                    (listed, base) = (inside.then_some(done), pixel);
                    tap = self.list(x, &phase, first, tap, &zeros, &mut list);
                }
                let part = Run { skip: run.skip + done, ..run };
                let from = (pixel - base) * plan.x.in_step * plan.input.c;
                list.add(from, weights, part, self.x_zero, [plan.group_out, in_group], job.sums());
                done += list.len();
            }
            let y = y.get_mut(phase.to + pixel * phase.pitch..).unwrap_or_default();
            if phase.count >= PIXELS {
                job.outputs(patch, weights, run, y, phase.pitch);
                continue;
            }
            // Pixels that do not exist are computed all the same.
            let mut own = [T::default(); PIXELS * CHANNELS];
            job.outputs(patch, weights, run, &mut own, CHANNELS);
            for (p, own) in own.chunks_exact(CHANNELS).take(phase.count).enumerate() {
                cut_mut(y, p * phase.pitch, job.block.channels).iter_mut().zip(own).for_each(|(y, own)| *y = *own);
            }
        }
    }

    /// Lists the places of PIXELS pixels, the first of which reads `first`, from some tap on, by row and column; the tap after them.
    #[inline(never)]
    fn list<'a>(
        &self,
        x: &'a Window<'_, T>,
        phase: &Phase,
        first: isize,
        (mut row, mut column): (usize, usize),
        zeros: &'a [T],
        list: &mut List<'a, T>,
    ) -> (usize, usize) {
        let (plan, width) = (&self.plan, self.plan.input.w);
        list.clear();
        while list.has_room() && row < phase.rows {
            let line = x.row(phase.top + row * plan.y.tap_step);
            while list.has_room() && column < phase.columns {
                // Columns before the first are those of the largest numbers.
                let mut at = first.wrapping_add((column * plan.x.tap_step) as isize) as usize;
                list.push(|| {
                    let x = if at < width { line.get(at * plan.input.c + phase.group..) } else { None };
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
