//! Convolutions to a width of 1, as signals have it: a row is one pixel, whose taps are cut off wherever they lie outside.
//!
//! There is no phase but the first, no patch, and nothing to prepare for pixels that follow. What the column reads is planned.

use crate::arch::{Block, Pixel, Run, SUMS, alone};
use crate::phase::Axis;
use crate::plan::div;
use crate::quant::Accumulator;
use crate::rows::{cut, cut_mut};
use crate::{Convolution, Element, Window};
use core::ops::Range;

/// What the first output column reads of a tap row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    /// The first piece of neighbouring values, how many there are, and the values of each.
    pub(crate) from: usize,
    pub(crate) pieces: usize,
    pub(crate) len: usize,
    /// Weights of a channel for a tap row, and those for taps before the input.
    pub(crate) row: usize,
    pub(crate) skip: usize,
    /// Weights of all channels for a tap row: of all columns, and of the classes before this one.
    pub(crate) all: usize,
    pub(crate) before: usize,
}

impl Column {
    pub(crate) const fn new(x: &Axis, [c, out_channels]: [usize; 2], groups: usize) -> Self {
        let (first, n) = (x.at(0), div(c, groups));
        let (before, inside) = x.clip(first.first, first.taps);
        let from = first.first + (before * x.tap_step) as isize;
        // Neighbouring taps that read neighbouring pixels make one piece, else each tap is a piece of its group's channels.
        let (pieces, len) = if groups == 1 && x.tap_step == 1 { (1, inside * n) } else { (inside, n) };
        Column {
            from: if from < 0 { 0 } else { from as usize * c },
            pieces,
            len,
            row: first.taps * n,
            skip: before * n,
            all: x.kernel() * n * out_channels,
            before: x.taps_before(first.class) * n * out_channels,
        }
    }

    /// Where the packed weights of a class of rows, of so many taps, start.
    #[inline(always)]
    pub(crate) const fn packed_at(&self, y: &Axis, class: usize, taps: usize) -> usize {
        y.taps_before(class) * self.all + taps * self.before
    }
}

impl<T: Element, W: Element, A: Accumulator> Convolution<'_, T, W, A> {
    /// Some output channels of a row, from one span's start to another's, summed in S.
    #[inline(never)]
    pub(crate) fn single<S: Accumulator>(&self, oy: usize, x: &Window<'_, T>, channels: Range<usize>, y: &mut [T]) {
        let (plan, column) = (&self.plan, &self.plan.column);
        let rows = plan.y.at(oy);
        let (above, inside) = plan.y.clip(rows.first, rows.taps);
        let class = column.packed_at(&plan.y, rows.class, rows.taps);
        let weights = self.weights.packed.get(class..).unwrap_or_default();
        let run = Run { n: 0, len: rows.taps * column.row, skip: 0 };
        let pixel = Pixel {
            x,
            lines: &[],
            top: (rows.first + (above * plan.y.tap_step) as isize) as usize, // of a row inside
            row_step: plan.y.tap_step,
            rows: if column.len == 0 { 0 } else { inside },
            from: column.from,
            step: plan.x.tap_step * plan.input.c,
            pieces: column.pieces,
            len: column.len,
            skip: above * column.row + column.skip,
            row: column.row,
            zero: self.x_zero,
            channels: 0..plan.span,
        };
        if plan.span > SUMS || plan.span < plan.output.c {
            return self.spans::<S>(weights, run, pixel, channels, y);
        }
        let (bias, multipliers) = (self.weights.bias, self.multipliers);
        let block = Block { channels: plan.span, bias, multipliers, requant: self.requant, largest: self.largest };
        alone::<T, W, S, A>(&block, weights, run, &pixel, y);
    }

    /// Channels of several spans, or more than a block of them.
    #[inline(never)]
    fn spans<S: Accumulator>(
        &self,
        weights: &[W],
        run: Run,
        mut pixel: Pixel<'_, T>,
        channels: Range<usize>,
        y: &mut [T],
    ) {
        let plan = &self.plan;
        let (mut o, mut in_span, mut in_group) = (channels.start, 0, 0);
        while o < channels.end {
            let n = SUMS.min(plan.span - in_span);
            let (bias, multipliers) = (cut(self.weights.bias, o, n), self.multipliers);
            let multipliers = if multipliers.len() == 1 { multipliers } else { cut(multipliers, o, n) };
            let block = Block { channels: n, bias, multipliers, requant: self.requant, largest: self.largest };
            pixel.channels = 0..n;
            let to = cut_mut(y, o - channels.start, n);
            alone::<T, W, S, A>(&block, cut(weights, o * run.len, n * run.len), run, &pixel, to);
            (o, in_span, in_group) = (o + n, in_span + n, in_group + n);
            if in_span >= plan.span {
                in_span = 0;
            }
            if in_group >= plan.group_out {
                in_group = 0;
                pixel.from += plan.group_in;
            }
        }
    }
}
