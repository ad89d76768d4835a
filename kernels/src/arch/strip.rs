//! Strips of four neighbouring pixels and all columns of a kernel, for [`Columns`](crate::Columns).

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

/// What a strip reads.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a, T> {
    /// Tap rows, empty where they lie outside, of so many pixels of so many channels; all values outside are `zero`.
    pub(crate) lines: &'a [&'a [T]],
    pub(crate) width: usize,
    pub(crate) channels: usize,
    pub(crate) zero: i32,
    /// Pixels that are asked for, also behind the input.
    pub(crate) pixels: usize,
    /// Packed weights of so many columns, and the first of those that are asked for.
    pub(crate) w: &'a [i8],
    pub(crate) columns: usize,
    pub(crate) first: usize,
}

/// The vectors of a strip, one of so many values for each of its pixels.
type Patch<T> = [[T; VALUES]; PIXELS];

impl<T: Element> Source<'_, T> {
    /// Lays n values of the strip's pixels, of a tap row from channel `from` on, into the vectors from place `at` on.
    #[inline(never)]
    fn lay(&self, patch: &mut Patch<T>, at: usize, [pixel, row, from]: [usize; 3], n: usize) {
        let line = self.lines.get(row).copied().unwrap_or_default();
        for (pixel, to) in (pixel..).zip(patch) {
            let x = cut(line, pixel * self.channels + from, if pixel < self.width { n } else { 0 });
            for (i, to) in cut_mut(to, at, n).iter_mut().enumerate() {
                super::small();
                *to = x.get(i).copied().unwrap_or(T::from_i32(self.zero));
            }
        }
    }
}

/// The sums of a strip from a pixel on.
#[inline(never)]
pub(crate) fn products<T: Element>(source: &Source<'_, T>, pixel: usize, sums: &mut [[i32; PIXELS]]) {
    let &Source { lines, channels, mut w, columns, first, .. } = source;
    sums.fill([0; PIXELS]);
    let rest = channels % VALUES;
    let whole = channels - rest;
    let mut patch = [[T::default(); VALUES]; PIXELS];
    let mut add = |patch: &Patch<T>, len: usize| {
        let (these, next) = w.split_at_checked(columns * len).unwrap_or_default();
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
            source.lay(&mut patch, 0, [pixel, row, from], VALUES);
            add(&patch, VALUES);
        }
    }
    // What is left of all rows.
    let (mut row, mut i, mut left) = (0, 0, rest * lines.len());
    while left > 0 {
        let (len, mut at) = (left.min(VALUES), 0);
        while at < len {
            let n = (rest - i).min(len - at);
            source.lay(&mut patch, at, [pixel, row, whole + i], n);
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

/// What a row's outputs are made of, and where they go.
#[derive(Clone, Copy)]
pub(crate) struct Strip<'a> {
    /// Columns of the kernel, outputs to each pixel, and earlier pixels whose sums are kept.
    pub(crate) columns: usize,
    pub(crate) factor: usize,
    pub(crate) kept: usize,
    /// Output columns that the last tap's pixel is behind, how many there are, and their channels.
    pub(crate) behind: usize,
    pub(crate) width: usize,
    pub(crate) channels: usize,
    /// So many channels, each column's Σ w, biases or none, and a multiplier for each or all.
    pub(crate) count: usize,
    pub(crate) totals: &'a [i32],
    pub(crate) bias: &'a [i32],
    pub(crate) multipliers: &'a [Multiplier],
    pub(crate) requant: &'a Requant,
    /// Whether all factors are above 0 and below 1/2.
    #[cfg_attr(not(upconv_backend = "mve"), allow(dead_code))]
    pub(crate) small: bool,
}

/// What channels' outputs begin with, `bias − zero · Σ total` of their columns, and the sums of columns outside, `zero · total`.
fn ready(strip: &Strip<'_>, zero: i32, mut kept: &mut [i32], scales: &mut [Scale]) {
    let &Strip { columns, kept: each, mut totals, bias, multipliers, .. } = strip;
    for (o, scale) in scales.iter_mut().enumerate() {
        let (these, next) = totals.split_at_checked(columns).unwrap_or_default();
        scale.bias = bias.get(o).copied().unwrap_or_default();
        for total in these {
            let outside = zero.wrapping_mul(*total);
            scale.bias = scale.bias.wrapping_sub(outside);
            let (these, next) = core::mem::take(&mut kept).split_at_mut_checked(each).unwrap_or_default();
            these.fill(outside);
            kept = next;
        }
        let multiplier = multipliers.get(if multipliers.len() == 1 { 0 } else { o });
        scale.multiplier = multiplier.copied().unwrap_or(Multiplier::ZERO);
        totals = next;
    }
}

/// The outputs that the strip's pixels complete, `factor` each, of which those in the output are written; the first one goes to this column, which may not exist.
///
/// Output i of pixel b adds up `S_t(b − ceil((columns − 1 − t − i) / factor))` of each column t that pixel b itself or an earlier one has.
#[inline(never)]
fn outputs<T: Element>(
    strip: &Strip<'_>,
    column: isize,
    scales: &[Scale],
    sums: &[[i32; PIXELS]],
    kept: &mut [i32],
    y: &mut [T],
) {
    let &Strip { columns, factor, kept: n, width, channels, requant, .. } = strip;
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
                    && let Some(y) = y.get_mut(to * channels + o)
                {
                    *y = requant.apply(sum, scale.multiplier);
                }
            }
        }
    }
    keep(strip, sums, kept);
}

/// A row of outputs, a strip at a time, also of pixels behind the input, where `zero · totals` are the sums of columns; y begins with the first channel.
#[inline(never)]
pub(crate) fn row<T: Element>(source: Source<'_, T>, strip: Strip<'_>, y: &mut [T]) {
    let Strip { columns, kept, count, totals, .. } = strip;
    let (mut all_sums, mut all_kept) = ([[0; PIXELS]; COLUMNS], [0; COLUMNS]);
    let mut all_scales = [Scale { bias: 0, multiplier: Multiplier::ZERO }; CHANNELS];
    let (sums, scales) = (cut_mut(&mut all_sums, 0, count * columns), cut_mut(&mut all_scales, 0, count));
    let kept = cut_mut(&mut all_kept, 0, count * columns * kept);
    ready(&strip, source.zero, kept, scales);
    let (mut pixel, mut column) = (0, -(strip.behind as isize));
    while pixel < source.pixels {
        if pixel < source.width {
            products(&source, pixel, sums);
        } else {
            sums.iter_mut().zip(totals).for_each(|(sums, total)| *sums = [source.zero.wrapping_mul(*total); PIXELS]);
        }
        outputs(&strip, column, scales, sums, kept, y);
        pixel += PIXELS;
        column += (PIXELS * strip.factor) as isize;
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
