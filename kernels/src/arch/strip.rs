//! Strips of four neighbouring pixels and all columns of a kernel, for [`Columns`](crate::Columns).

use super::TAP_ROWS;
use crate::Element;
use crate::quant::{Multiplier, Requant};
use crate::rows::{cut, cut_mut};

/// Pixels of a strip.
pub(crate) const PIXELS: usize = 4;
/// Values of a pixel that are multiplied at a time, at most.
pub(crate) const VALUES: usize = 16;
/// Columns whose sums are held at a time, and channels that have them.
pub(crate) const COLUMNS: usize = 96;
pub(crate) const CHANNELS: usize = 32;

/// What rows are made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Strip<'a> {
    /// Pixels of an input row, their channels, the value outside, and tap rows.
    pub(crate) width: usize,
    pub(crate) channels: usize,
    pub(crate) zero: i32,
    pub(crate) rows: usize,
    /// Columns of the kernel, outputs to each pixel, earlier pixels whose sums are kept, and output columns that the last tap's pixel is behind.
    pub(crate) columns: usize,
    pub(crate) factor: usize,
    pub(crate) kept: usize,
    pub(crate) behind: usize,
    /// Columns and channels of the output, and so many channels at a time.
    pub(crate) to: [usize; 2],
    pub(crate) most: usize,
    /// Packed weights, each column's Σ w, biases or none, and a multiplier for each channel or all.
    pub(crate) w: &'a [i8],
    pub(crate) totals: &'a [i32],
    pub(crate) bias: &'a [i32],
    pub(crate) multipliers: &'a [Multiplier],
    pub(crate) requant: Requant,
}

/// A strip, and what Helium's loops ask: whether those for 2x, three columns and factors above 0 and below 1/2 hold, with as many weights, sums and factors as it takes.
#[cfg_attr(not(upconv_backend = "mve"), allow(dead_code))]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Strips<'a> {
    pub(super) strip: Strip<'a>,
    /// How far it is from each pixel of the first strip to the next one, or to itself if it is the last.
    pub(super) steps: [usize; PIXELS - 1],
    pub(super) loops: bool,
}

impl<'a> Strips<'a> {
    pub(crate) const fn new(strip: Strip<'a>) -> Self {
        let Strip { width, channels, rows, behind, to: [columns, outputs], totals, multipliers, .. } = strip;
        let mut loops = matches!((strip.columns, strip.factor, strip.kept, behind), (3, 2, 1, 0..=2))
            && rows > 0
            && rows <= TAP_ROWS
            && width > 0
            && columns + behind >= 2 * width
            && strip.most > 0
            && strip.most <= CHANNELS
            && outputs > 0
            && outputs <= u16::MAX as usize / (2 * PIXELS)
            && totals.len() == 3 * outputs
            && strip.w.len() == totals.len() * rows * channels
            && (strip.bias.is_empty() || strip.bias.len() == outputs)
            && (multipliers.len() == 1 || multipliers.len() == outputs);
        let mut i = 0;
        while i < multipliers.len() {
            loops = loops && multipliers[i].q() > 0 && multipliers[i].shift() < 0;
            i += 1;
        }
        let mut steps = [0; PIXELS - 1];
        i = 0;
        while i < steps.len() {
            steps[i] = if i + 1 < width { channels } else { 0 };
            i += 1;
        }
        Strips { strip, steps, loops }
    }
}

/// The vectors of a strip, one of so many values for each of its pixels.
type Patch<T> = [[T; VALUES]; PIXELS];

/// The sums of a strip from a pixel and a column of weights on; tap rows outside are empty.
#[inline(never)]
pub(super) fn products<T: Element>(
    strip: &Strip<'_>,
    lines: &[&[T]],
    [pixel, first]: [usize; 2],
    sums: &mut [[i32; PIXELS]],
) {
    let &Strip { width, channels, zero, mut w, totals, .. } = strip;
    sums.fill([0; PIXELS]);
    let rest = channels % VALUES;
    let whole = channels - rest;
    let mut patch = [[T::default(); VALUES]; PIXELS];
    // n values of a tap row from a channel on, into the vectors from a place on.
    let lay = |patch: &mut Patch<T>, at: usize, [row, from]: [usize; 2], n: usize| {
        let line = lines.get(row).copied().unwrap_or_default();
        for (pixel, to) in (pixel..).zip(patch) {
            let x = cut(line, pixel * channels + from, if pixel < width { n } else { 0 });
            for (i, to) in cut_mut(to, at, n).iter_mut().enumerate() {
                super::small();
                *to = x.get(i).copied().unwrap_or(T::from_i32(zero));
            }
        }
    };
    let mut add = |patch: &Patch<T>, len: usize| {
        let (these, next) = w.split_at_checked(totals.len() * len).unwrap_or_default();
        w = next;
        for (c, sums) in (first..).zip(sums.iter_mut()) {
            for (sum, x) in sums.iter_mut().zip(patch) {
                for (x, w) in x.iter().zip(cut(these, c * len, len)) {
                    *sum = sum.wrapping_add(x.to_i32().wrapping_mul((*w).into()));
                }
            }
        }
    };
    for from in (0..whole / VALUES).map(|v| v * VALUES) {
        for row in 0..lines.len() {
            lay(&mut patch, 0, [row, from], VALUES);
            add(&patch, VALUES);
        }
    }
    // What is left of all rows.
    let (mut row, mut i, mut left) = (0, 0, rest * lines.len());
    while left > 0 {
        let (len, mut at) = (left.min(VALUES), 0);
        while at < len {
            let n = (rest - i).min(len - at);
            lay(&mut patch, at, [row, whole + i], n);
            (at, i) = (at + n, i + n);
            if i == rest {
                (row, i) = (row + 1, 0);
            }
        }
        add(&patch, len);
        left -= len;
    }
}

/// What a channel's outputs begin with, and what they are multiplied by.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Scale {
    pub(crate) bias: i32,
    pub(crate) multiplier: Multiplier,
}

/// What channels' outputs begin with from this one on, `bias − zero · Σ total` of their columns, and the sums of columns outside, `zero · total`.
fn ready(strip: &Strip<'_>, first: usize, mut kept: &mut [i32], scales: &mut [Scale]) {
    let &Strip { columns, kept: each, zero, totals, bias, multipliers, .. } = strip;
    for (o, scale) in (first..).zip(scales) {
        scale.bias = bias.get(o).copied().unwrap_or_default();
        for total in cut(totals, o * columns, columns) {
            let outside = zero.wrapping_mul(*total);
            scale.bias = scale.bias.wrapping_sub(outside);
            let (these, next) = core::mem::take(&mut kept).split_at_mut_checked(each).unwrap_or_default();
            these.fill(outside);
            kept = next;
        }
        let multiplier = multipliers.get(if multipliers.len() == 1 { 0 } else { o });
        scale.multiplier = multiplier.copied().unwrap_or(Multiplier::ZERO);
    }
}

/// The outputs that the strip's pixels complete, `factor` each, of which those in the output are written; the first one goes to this column, which may not exist,
/// and channel.
///
/// Output i of pixel b adds up `S_t(b − ceil((columns − 1 − t − i) / factor))` of each column t that pixel b itself or an earlier one has.
#[inline(never)]
fn outputs<T: Element>(
    strip: &Strip<'_>,
    (column, first): (isize, usize),
    scales: &[Scale],
    sums: &[[i32; PIXELS]],
    kept: &mut [i32],
    y: &mut [T],
) {
    let &Strip { columns, factor, kept: n, to: [width, channels], requant, .. } = strip;
    for (o, scale) in scales.iter().enumerate() {
        for i in 0..factor {
            for p in 0..PIXELS {
                let to = column.wrapping_add((p * factor + i) as isize) as usize;
                let (mut sum, mut before, mut left) = (scale.bias, 0, i);
                for t in (o * columns..o * columns + columns).rev() {
                    let one = match p.checked_sub(before) {
                        Some(p) => sums.get(t).and_then(|sums| sums.get(p)),
                        None => kept.get((t * n + n + p).wrapping_sub(before)),
                    };
                    sum = sum.wrapping_add(one.copied().unwrap_or_default());
                    if left == 0 {
                        (before, left) = (before + 1, factor);
                    }
                    left -= 1;
                }
                if to < width
                    && let Some(y) = y.get_mut(to * channels + first + o)
                {
                    *y = requant.apply(sum, scale.multiplier);
                }
            }
        }
    }
    keep(strip, sums, kept);
}

/// Tap rows from the first one on.
pub(crate) trait Lines<'x, T>: Copy {
    /// The next one, empty where it lies outside, and how many are the same, at least one.
    fn next(&mut self) -> (&'x [T], usize);
}

/// A row of outputs.
#[cfg_attr(upconv_backend = "mve", allow(dead_code))]
#[inline(always)]
pub(crate) fn row<'x, T: Element>(all: &Strips<'_>, lines: impl Lines<'x, T>, y: &mut [T]) {
    portable(&all.strip, lines, y);
}

/// A strip at a time, also of pixels behind the input, where `zero · totals` are the sums of columns.
#[inline(never)]
pub(super) fn portable<'x, T: Element>(strip: &Strip<'_>, mut rows: impl Lines<'x, T>, y: &mut [T]) {
    let &Strip { width, zero, columns, factor, kept, behind, to: [end, channels], totals, .. } = strip;
    let mut lines: [&[T]; TAP_ROWS] = [&[]; TAP_ROWS];
    let lines = cut_mut(&mut lines, 0, strip.rows);
    let mut at = 0;
    while at < lines.len() {
        let (row, times) = rows.next();
        lines.iter_mut().skip(at).take(times).for_each(|line| *line = row);
        at += times;
    }
    let (mut all_sums, mut all_kept) = ([[0; PIXELS]; COLUMNS], [0; COLUMNS]);
    let mut all_scales = [Scale { bias: 0, multiplier: Multiplier::ZERO }; CHANNELS];
    let mut first = 0;
    while first < channels {
        let count = strip.most.min(channels - first);
        let (sums, scales) = (cut_mut(&mut all_sums, 0, count * columns), cut_mut(&mut all_scales, 0, count));
        let kept = cut_mut(&mut all_kept, 0, count * columns * kept);
        ready(strip, first, kept, scales);
        let (mut pixel, mut column) = (0, -(behind as isize));
        while column < end as isize {
            if pixel < width {
                products(strip, lines, [pixel, first * columns], sums);
            } else {
                let totals = cut(totals, first * columns, count * columns);
                sums.iter_mut().zip(totals).for_each(|(sums, total)| *sums = [zero.wrapping_mul(*total); PIXELS]);
            }
            outputs(strip, (column, first), scales, sums, kept, y);
            pixel += PIXELS;
            column += (PIXELS * factor) as isize;
        }
        first += count;
    }
}

/// The sums of the last pixels are the earlier ones of the next strip.
fn keep(strip: &Strip<'_>, sums: &[[i32; PIXELS]], kept: &mut [i32]) {
    let n = strip.kept;
    for (t, sums) in sums.iter().enumerate() {
        for i in 0..n {
            let one = if i + PIXELS < n { kept.get(t * n + i + PIXELS) } else { sums.get(i + PIXELS - n) };
            let one = one.copied().unwrap_or_default();
            if let Some(kept) = kept.get_mut(t * n + i) {
                *kept = one;
            }
        }
    }
}
