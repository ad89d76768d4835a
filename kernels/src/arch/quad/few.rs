//! Few channels, whose inputs are read where they are: of the channels nothing is made but what the loops read.

use super::points::{self, POINT};
use super::portable::{Block, Pixels, Run};
use super::{COLUMNS, Channel, Columns, End, PIXELS, Piece, Strip, Strips, in_turn, isa};
use crate::arch::{Few, TAP_ROWS, small};
use crate::quant::Accumulator;
use crate::rows::cut_mut;
use crate::{Element, Multiplier, Rounding};
use core::mem::MaybeUninit;
use core::ptr::{null, null_mut};

/// What takes [`few`]; where the zero point comes off the sums, Σ w of a channel is asked for.
pub(crate) const FEW: Few = Few {
    channels: isa::DIRECT,
    values: usize::MAX,
    weight: 1,
    totals: if isa::RAW { 2 * isa::DIRECT } else { 0 },
    left: true,
    points: match isa::POINTS {
        Some(_) => POINT,
        None => 0,
    },
};

/// All outputs of pixels, which may be fewer than PIXELS, and of which the first one lacks some channels and the last one has some, the first
/// stored at `to`. Inputs, weights and outputs are bytes, sums up to SMALL and factors those of the formulas above. `totals` are Σ w of the
/// channels, or nothing.
#[inline(always)]
pub(crate) fn few<T: Element, W: Element, A: Accumulator>(
    block: &Block<'_, A>,
    w: &[W],
    run: Run,
    totals: &[i32],
    pixels: &Pixels<'_, T>,
    [skip, last]: [usize; 2],
    y: &mut [T],
) {
    let &Pixels { count, rows, from, step, len, to, pitch, .. } = pixels;
    let width = pixels.width();
    let bytes = (size_of::<T>(), size_of::<W>(), size_of::<A>()) == (1, 1, 4);
    let (n, channels) = (rows.len() * len, block.channels);
    let fits = run.skip + n <= run.len && rows.len() <= TAP_ROWS && channels * run.len <= w.len();
    let room = count > 0 && channels <= pitch && to + (count - 1) * pitch + last <= y.len() + skip;
    if !bytes || !fits || !room {
        return;
    }
    let (w, outputs) = (w.as_ptr().wrapping_add(run.skip).cast(), y.as_mut_ptr().wrapping_add(to).wrapping_sub(skip));
    // SAFETY: just checked.
    let outputs = outputs.cast();
    let point = isa::POINTS.filter(|_| channels > isa::DIRECT && rows.len() == 1 && [len, run.len] == [POINT; 2]);
    let whole = || skip == 0 && last == channels && from >= 0 && from as usize + (count - 1) * step + len <= width;
    if let Some(loops) = point.filter(|_| whole()) {
        let each = loops[usize::from(block.requant.rounding == Rounding::TfliteSingle)];
        // SAFETY: just checked.
        unsafe { points::points(each, block, w, pixels, outputs) };
    } else {
        let ends = [skip, last, width];
        let shared = COLUMNS.is_some() && channels == 2 && len == 2 * step;
        // SAFETY: the same.
        if !(shared && unsafe { columns(block, (w, run.len), pixels, ends, outputs) }) {
            // SAFETY: the same.
            unsafe { one_by_one(block, (w, run.len), totals, pixels, ends, outputs) };
        }
    }
    if block.requant.clamps::<T>() {
        for p in 0..count {
            let of = if p == 0 { skip } else { 0 }..if p + 1 == count { last } else { channels };
            block.requant.clamp_narrow(cut_mut(y, to + p * pitch + of.start - skip, of.len()));
        }
    }
}

/// The same, channel by channel. By itself, for its frame is not on the stack of [`columns`].
///
/// # Safety
/// Rows have `width` values, there are weights for all, and there is room for the outputs.
#[inline(never)]
unsafe fn one_by_one<T, A: Accumulator>(
    block: &Block<'_, A>,
    (w, next): (*const i8, usize),
    totals: &[i32],
    pixels: &Pixels<'_, T>,
    [skip, last, width]: [usize; 3],
    y: *mut i8,
) {
    let &Pixels { count, rows, from, step, len, zero, pitch, .. } = pixels;
    let (n, channels) = (rows.len() * len, block.channels);
    // Pixels all of whose values lie inside.
    let (mut start, mut end) = (0, count);
    let column = |i: usize| from + (i * step) as isize;
    while start < count && (column(start) < 0 || n == 0) {
        start += 1;
        small();
    }
    while start < end && column(end - 1) + len as isize > width as isize {
        end -= 1;
        small();
    }
    let single = block.requant.rounding == Rounding::TfliteSingle;
    let four = isa::DIRECT_I8[usize::from(single)];
    let one = if single { End::Single } else { End::Double }.of(isa::pixel(1, 1));
    let mut pieces = [const { MaybeUninit::<Piece>::uninit() }; TAP_ROWS];
    let pieces = pieces.as_mut_ptr().cast::<Piece>();
    let mut each = Each {
        strip: Strip {
            pieces,
            end: pieces.wrapping_add(rows.len()),
            channel: null_mut(),
            y: null_mut(),
            pitch,
            step,
            count,
            n: len,
            zero,
        },
        rows,
        len,
        from,
        w,
        y,
    };
    let (mut biases, mut multipliers) = (block.bias.iter(), block.multipliers.iter());
    let half = 2 * block.requant.zero + 1;
    for c in 0..channels {
        let bias = in_turn(&mut biases, block.bias).map_or(0, |bias| bias.to_i64() as i32);
        let multiplier = in_turn(&mut multipliers, block.multipliers).copied().unwrap_or(Multiplier::ZERO);
        let mut channel = Channel::new::<A>(bias, multiplier, half);
        let (first, behind) = (usize::from(c < skip), count - usize::from(c >= last));
        let (mut start, mut end) = (start.max(first), end.min(behind));
        let whole = end.saturating_sub(start);
        if whole < PIXELS {
            (start, end) = (behind, behind);
        } else {
            if isa::RAW {
                // SAFETY: the weights of a channel have been checked.
                let total = totals.get(c).copied().unwrap_or_else(|| unsafe { total(each.w, n) });
                channel.sums = [bias.wrapping_sub(zero.wrapping_mul(total)); PIXELS];
            }
            // SAFETY: every row has these values, and y room for the outputs.
            unsafe { each.run(four, &mut channel, start, [0, len, whole / PIXELS]) };
            match whole % PIXELS {
                // Another four cost less than three, each alone.
                // SAFETY: as above.
                3 => unsafe { each.run(four, &mut channel, end - PIXELS, [0, len, 1]) },
                rest => end -= rest,
            }
            channel.sums[0] = bias;
        }
        let mut i = first;
        while i < behind {
            if i == start {
                (i, start) = (end, behind);
                continue;
            }
            let at = column(i);
            let before = (-at).max(0).min(len as isize);
            let inside = (width as isize - at).min(len as isize) - before;
            if inside > 0 && n > 0 {
                // SAFETY: as above.
                unsafe { each.run(one, &mut channel, i, [before as usize, inside as usize, 1]) };
            } else {
                // SAFETY: there is room for all outputs, of one byte each.
                unsafe { each.y.wrapping_add(i * pitch).write(bare(block, bias, multiplier)) };
            }
            i += 1;
            small();
        }
        (each.w, each.y) = (each.w.wrapping_add(next), each.y.wrapping_add(1));
        small();
    }
}

/// Words that [`columns`] makes of weights, of which so many are one for the weights of a value.
const SPREAD: usize = if WORDS != 0 { 128 } else { 0 };
const WORDS: usize = match COLUMNS {
    Some(Columns { words, .. }) => words,
    None => 0,
};

/// The same for two channels of two taps that neighbouring pixels share, where there is a loop for them; false, and nothing done, elsewhere. w are the
/// first channel's weights, and so far away the other one's, y the output of the first one at pixel 0.
///
/// # Safety
/// There are two channels, and pixels of two taps; rows have `width` values, there are weights for all, and there is room for the outputs.
#[inline(never)]
unsafe fn columns<T, A: Accumulator>(
    block: &Block<'_, A>,
    w: (*const i8, usize),
    pixels: &Pixels<'_, T>,
    [skip, last, width]: [usize; 3],
    y: *mut i8,
) -> bool {
    let &Pixels { count, rows, from, step, .. } = pixels;
    let (end, width) = (from + ((count + 1) * step) as isize, width as isize);
    // The first pixel's first tap and the last one's second one lie outside.
    let (before, behind) = (from < 0, end > width);
    let shared = step.is_multiple_of(4) && !rows.is_empty();
    let most = COLUMNS.map_or(0, |loops| loops.most);
    let room = (..=SPREAD).contains(&(WORDS * rows.len() * step)) && step <= most;
    let fits = shared && room && count + 1 > usize::from(before) + usize::from(behind);
    let (starts, ends) = (!before || from + step as isize == 0, !behind || end == width + step as isize);
    let whole = (before || skip == 0) && (behind || last == 2);
    if !(fits && starts && ends && whole) {
        return false;
    }
    let all = All { block, w, pixels, skip, last, before, behind, y };
    let half = (..=SPREAD / 2).contains(&(WORDS * rows.len() * step));
    // SAFETY: the caller's.
    unsafe { if half { all.on::<{ SPREAD / 2 }>() } else { all.on::<SPREAD>() } };
    true
}

/// [`columns`], which hold.
struct All<'a, T, A> {
    block: &'a Block<'a, A>,
    w: (*const i8, usize),
    pixels: &'a Pixels<'a, T>,
    skip: usize,
    last: usize,
    /// Whether the first tap and the last one lie outside.
    before: bool,
    behind: bool,
    y: *mut i8,
}

impl<T, A: Accumulator> All<'_, T, A> {
    /// With so many words for weights.
    ///
    /// # Safety
    /// That of [`columns`].
    #[inline(never)]
    unsafe fn on<const N: usize>(&self) {
        // SAFETY: the caller's.
        unsafe { self.run([const { MaybeUninit::<i32>::uninit() }; N].as_mut_ptr().cast()) };
    }

    /// With weights from there on.
    #[inline(never)]
    unsafe fn run(&self, to: *mut i32) {
        let Some(loops) = COLUMNS else { return };
        let &All { block, w: (w, next), pixels, skip, last, before, behind, mut y } = self;
        let &Pixels { count, rows, from, step, zero, pitch, .. } = pixels;
        let mut left = count + 1 - usize::from(before) - usize::from(behind);
        if let Some(spread) = loops.spread {
            // SAFETY: there are as many weights, and room for them.
            unsafe { spread(to, w, next, step, rows.len()) };
        }
        // In turn, of one or two.
        let (biases, multipliers) = (block.bias, block.multipliers);
        let mut channels = [0, 1].map(|c: usize| {
            let bias = biases.get(c.min(biases.len().wrapping_sub(1))).map_or(0, |bias| bias.to_i64() as i32);
            let multiplier = multipliers.get(c.min(multipliers.len().wrapping_sub(1)));
            Channel::new::<A>(bias, multiplier.copied().unwrap_or(Multiplier::ZERO), 2 * block.requant.zero + 1)
        });
        let mut pieces = [const { MaybeUninit::<Piece>::uninit() }; TAP_ROWS + 1];
        let (mut w, size) = if WORDS != 0 { (to.cast_const().cast(), 4 * WORDS) } else { (w, 2) };
        let first = pieces.as_mut_ptr().cast::<Piece>();
        let mut end = first;
        for row in rows {
            // SAFETY: there are no more than TAP_ROWS.
            unsafe { end.write(Piece { x: row.as_ptr().wrapping_offset(from.max(0)).cast(), w: w.cast() }) };
            (end, w) = (end.wrapping_add(1), w.wrapping_add(size * step));
            small();
        }
        // SAFETY: there is one more.
        unsafe { end.write(Piece { x: null(), w: null() }) };
        let channel = channels.as_mut_ptr();
        let mut strip = Strip { pieces: first, end, channel, y, pitch, step: next, count: 0, n: step, zero };
        let each = loops.loops[usize::from(block.requant.rounding == Rounding::TfliteSingle)];
        let mut run = |pieces, y, count| {
            (strip.pieces, strip.y, strip.count) = (pieces, y, count);
            // SAFETY: the caller's.
            unsafe { each(&mut strip) };
        };
        let mut one = [0; 2];
        // What comes before the first pixel, or is a part of it.
        if !before || skip > 0 {
            run(first, one.as_mut_ptr(), 1);
            left -= 1;
            if before {
                // SAFETY: the first pixel has that channel; y itself may lie before all outputs.
                unsafe { y.wrapping_add(1).write(one[1]) };
                y = y.wrapping_add(pitch);
            }
        }
        if left > 0 {
            run(first, y, left);
            y = y.wrapping_add(left * pitch);
        }
        if behind {
            run(end, one.as_mut_ptr(), 1);
            // SAFETY: the last pixel has these channels.
            one.iter().take(last).enumerate().for_each(|(c, &v)| unsafe { y.add(c).write(v) });
        }
    }
}

/// Σ w
///
/// # Safety
/// There are n.
#[inline(never)]
unsafe fn total(w: *const i8, n: usize) -> i32 {
    // SAFETY: the caller's.
    unsafe { core::slice::from_raw_parts(w, n) }.iter().fold(0, |sum, &w| {
        small();
        sum + i32::from(w)
    })
}

/// The output where no tap reads an input.
#[cold]
#[inline(never)]
fn bare<A: Accumulator>(block: &Block<'_, A>, bias: i32, multiplier: Multiplier) -> i8 {
    let mut y = [0i8];
    block.requant.all::<_, _, A>([bias].into_iter(), [multiplier].into_iter(), &mut y);
    y[0]
}

/// The pixels of a channel.
struct Each<'a, T> {
    strip: Strip,
    rows: &'a [&'a [T]],
    /// Values of a row, the first one of pixel 0, its weight and its output.
    len: usize,
    from: isize,
    w: *const i8,
    y: *mut i8,
}

impl<T> Each<'_, T> {
    /// `count` groups of pixels, from pixel i on, or that pixel alone: n values of each row, before which so many come.
    ///
    /// # Safety
    /// Every row has these values, there are weights for them, and room for the outputs.
    #[inline(never)]
    unsafe fn run(&mut self, each: Strips, channel: &mut Channel<i32>, i: usize, [before, n, count]: [usize; 3]) {
        let at = self.from + (i * self.strip.step + before) as isize;
        let (mut w, len, mut piece) = (self.w.wrapping_add(before), self.len, self.strip.pieces);
        for row in self.rows {
            // SAFETY: there are as many pieces.
            unsafe { piece.write(Piece { x: row.as_ptr().wrapping_offset(at).cast(), w: w.cast() }) };
            (w, piece) = (w.wrapping_add(len), piece.wrapping_add(1));
            small();
        }
        (self.strip.channel, self.strip.y) = (channel, self.y.wrapping_add(i * self.strip.pitch));
        (self.strip.count, self.strip.n) = (count, n);
        // SAFETY: the caller's.
        unsafe { each(&mut self.strip) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_channels_are_exact() {
        crate::arch::testing::few_is_exact!(i8);
    }
}

#[cfg(test)]
mod taken {
    use super::*;
    use crate::arch::testing::columns_row;

    /// Whether columns take a row, and the bytes are exact where `few` gets wrong sums of weights, which groups of pixels read and columns do not.
    fn columns_take(c: usize, rows: usize, width: usize) -> [bool; 2] {
        let [first, second] = [0.004, 0.006].map(|m| Multiplier::from_real(m).unwrap());
        columns_row([c, rows, width], &[3000, -7000], &[first, second], |block, w, run, pixels, expected| {
            let [mut ours, mut theirs] = [(); 2].map(|()| vec![99; 2 * width]);
            let (all, y) = ((w.as_ptr(), run.len), ours.as_mut_ptr().wrapping_sub(1));
            // SAFETY: there are two channels of two taps, weights and room for all outputs, the first of which is the second channel's.
            let taken = COLUMNS.is_some() && unsafe { columns(block, all, pixels, [1, 1, width * c], y) };
            few(block, w, run, &[99999, -99999], pixels, [1, 1], &mut theirs);
            assert!(!taken || ours == expected);
            [taken, theirs == expected]
        })
    }

    /// Where there is a loop for them, room for their weights, and whole words of inputs.
    #[test]
    fn two_channels_of_shared_taps_are_columns() {
        for (c, rows, width) in
            [(16, 2, 16), (16, 1, 5), (4, 2, 9), (8, 2, 6), (6, 2, 9), (32, 1, 8), (64, 1, 7), (64, 2, 7)]
        {
            let room = (..=SPREAD).contains(&(WORDS * rows * c));
            let taken = COLUMNS.is_some_and(|loops| c % 4 == 0 && room && c <= loops.most);
            assert_eq!(columns_take(c, rows, width), [taken, taken || !isa::RAW], "{rows} rows of {width} x {c}");
        }
    }
}
