//! Strips of four neighbouring pixels and all columns of a kernel, for [`Columns`](crate::Columns).

use crate::Element;
use crate::quant::{Multiplier, Requant};
use crate::rows::{cut, cut_mut};
use core::mem::MaybeUninit;

/// Pixels of a strip.
pub(crate) const PIXELS: usize = 4;
/// Values of a pixel that are multiplied at a time, at most.
pub(crate) const VALUES: usize = 16;
/// Columns whose sums are held at a time, and channels that have them.
pub(crate) const COLUMNS: usize = 96;
pub(crate) const CHANNELS: usize = 32;

/// The sums of a strip, what is kept of those before, and how outputs are made of them; not initialised beyond what is [taken](Self::take).
pub(crate) struct Room {
    sums: [MaybeUninit<[i32; PIXELS]>; COLUMNS],
    kept: [MaybeUninit<i32>; COLUMNS],
    scales: [MaybeUninit<Scale>; CHANNELS],
}

impl Room {
    #[inline(always)]
    pub(crate) fn new() -> Self {
        let (sums, kept) = ([const { MaybeUninit::uninit() }; COLUMNS], [const { MaybeUninit::uninit() }; COLUMNS]);
        Room { sums, kept, scales: [const { MaybeUninit::uninit() }; CHANNELS] }
    }

    /// Room for so many of each, no more than there are; zeros.
    #[inline(always)]
    pub(crate) fn take(
        &mut self,
        [sums, kept, scales]: [usize; 3],
    ) -> (&mut [[i32; PIXELS]], &mut [i32], &mut [Scale]) {
        /// # Safety
        /// Zeros are a value of V.
        #[inline(always)]
        unsafe fn zeros<V>(all: &mut [MaybeUninit<V>], n: usize) -> &mut [V] {
            let all = cut_mut(all, 0, n);
            // SAFETY: they lie there.
            unsafe { super::columns::clear(all.as_mut_ptr().cast(), size_of_val(all)) };
            // SAFETY: all bytes are 0.
            unsafe { core::slice::from_raw_parts_mut(all.as_mut_ptr().cast(), all.len()) }
        }
        // SAFETY: they are numbers.
        unsafe { (zeros(&mut self.sums, sums), zeros(&mut self.kept, kept), zeros(&mut self.scales, scales)) }
    }
}

/// Makes n bytes 0.
///
/// # Safety
/// They can be written.
#[cfg_attr(upconv_backend = "mve", allow(dead_code))]
pub(crate) unsafe fn clear(to: *mut u8, n: usize) {
    // SAFETY: the caller's.
    unsafe { to.write_bytes(0, n) }
}

/// What channels' outputs begin with, `bias − zero · Σ total` of their columns, and the sums of columns outside, `zero · total`; there may be no bias, and one multiplier for all.
#[inline(never)]
pub(crate) fn ready(
    [columns, kept_each]: [usize; 2],
    zero: i32,
    (mut totals, bias, multipliers): (&[i32], &[i32], &[Multiplier]),
    mut kept: &mut [i32],
    scales: &mut [Scale],
) {
    for (o, scale) in scales.iter_mut().enumerate() {
        let (these, next) = totals.split_at_checked(columns).unwrap_or_default();
        scale.bias = bias.get(o).copied().unwrap_or_default();
        for total in these {
            let outside = zero.wrapping_mul(*total);
            scale.bias = scale.bias.wrapping_sub(outside);
            let (these, next) = core::mem::take(&mut kept).split_at_mut_checked(kept_each).unwrap_or_default();
            these.fill(outside);
            kept = next;
        }
        let multiplier = multipliers.get(if multipliers.len() == 1 { 0 } else { o });
        scale.multiplier = multiplier.copied().unwrap_or(Multiplier::ZERO);
        totals = next;
    }
}

/// What a strip reads.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a, T> {
    /// Tap rows, empty where they lie outside, of so many pixels of so many channels; all values outside are `zero`.
    pub(crate) lines: &'a [&'a [T]],
    pub(crate) width: usize,
    pub(crate) channels: usize,
    pub(crate) zero: i32,
    /// The strip's first pixel, and pixels that are asked for, also behind the input.
    pub(crate) pixel: usize,
    pub(crate) pixels: usize,
    /// Packed weights of so many columns, and the first of those that are asked for.
    pub(crate) w: &'a [i8],
    pub(crate) columns: usize,
    pub(crate) first: usize,
}

/// The vectors of a pixel, one of so many values for each of the strip's pixels.
pub(crate) type Patch<T> = [[T; VALUES]; PIXELS];

impl<T: Element> Source<'_, T> {
    /// Lays n values of a tap row from channel `from` on into the vectors from place `at` on.
    #[inline(never)]
    pub(crate) fn lay(&self, patch: &mut Patch<T>, at: usize, row: usize, from: usize, n: usize) {
        let line = self.lines.get(row).copied().unwrap_or_default();
        for (pixel, to) in (self.pixel..).zip(patch) {
            let x = cut(line, pixel * self.channels + from, if pixel < self.width { n } else { 0 });
            for (i, to) in cut_mut(to, at, n).iter_mut().enumerate() {
                super::small();
                *to = x.get(i).copied().unwrap_or(T::from_i32(self.zero));
            }
        }
    }
}

/// The sums of a strip.
#[inline(never)]
pub(crate) fn products<T: Element>(source: &Source<'_, T>, sums: &mut [[i32; PIXELS]]) {
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
            source.lay(&mut patch, 0, row, from, VALUES);
            add(&patch, VALUES);
        }
    }
    // What is left of all rows.
    let (mut row, mut i, mut left) = (0, 0, rest * lines.len());
    while left > 0 {
        let (len, mut at) = (left.min(VALUES), 0);
        while at < len {
            let n = (rest - i).min(len - at);
            source.lay(&mut patch, at, row, whole + i, n);
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

/// What a strip's outputs are made of, and where they go.
#[derive(Clone, Copy)]
pub(crate) struct Strip<'a> {
    /// Columns of the kernel, outputs to each pixel, and earlier pixels whose sums are kept.
    pub(crate) columns: usize,
    pub(crate) factor: usize,
    pub(crate) kept: usize,
    /// The column and channels of the output where the first pixel's first output goes, which may not exist, and how many there are.
    pub(crate) column: isize,
    pub(crate) width: usize,
    pub(crate) channels: usize,
    pub(crate) scales: &'a [Scale],
    pub(crate) requant: &'a Requant,
    /// Whether all factors are above 0 and below 1/2.
    #[cfg_attr(not(upconv_backend = "mve"), allow(dead_code))]
    pub(crate) small: bool,
}

/// The outputs that the strip's pixels complete, `factor` each, of which those in the output are written; y begins with the first channel.
///
/// Output i of pixel b adds up `S_t(b − ceil((columns − 1 − t − i) / factor))` of each column t that pixel b itself or an earlier one has.
#[inline(never)]
pub(crate) fn outputs<T: Element>(strip: &Strip<'_>, sums: &[[i32; PIXELS]], kept: &mut [i32], y: &mut [T]) {
    let &Strip { columns, factor, kept: n, column, width, channels, scales, requant, .. } = strip;
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

/// All outputs of so many pixels, a strip at a time, those behind the input, too; `zero · totals` are the sums of columns there.
#[cfg_attr(upconv_backend = "mve", allow(dead_code))]
pub(crate) fn row<T: Element>(
    source: &mut Source<'_, T>,
    strip: &mut Strip<'_>,
    totals: &[i32],
    sums: &mut [[i32; PIXELS]],
    kept: &mut [i32],
    y: &mut [T],
) {
    while source.pixel < source.pixels {
        if source.pixel < source.width {
            products(source, sums);
        } else {
            behind(source.zero, totals, sums);
        }
        outputs(strip, sums, kept, y);
        source.pixel += PIXELS;
        strip.column += (PIXELS * strip.factor) as isize;
    }
}

/// The sums of pixels behind the input.
#[inline(never)]
pub(crate) fn behind(zero: i32, totals: &[i32], sums: &mut [[i32; PIXELS]]) {
    sums.iter_mut().zip(totals).for_each(|(sums, total)| *sums = [zero.wrapping_mul(*total); PIXELS]);
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
