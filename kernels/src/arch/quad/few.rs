//! Few channels, whose inputs are read where they are: of the channels nothing is made but what the loops read.

use super::portable::{Block, Pixels, Run};
use super::{COLUMNS, Channel, Columns, End, PIXELS, Piece, Strip, Strips, in_turn, isa};
use crate::arch::{TAP_ROWS, small};
use crate::quant::Accumulator;
use crate::rows::cut_mut;
use crate::{Element, Multiplier, Rounding};
use core::mem::MaybeUninit;
use core::ptr::null_mut;

/// Up to so many channels take [`few`].
pub(crate) const FEW: usize = isa::DIRECT;

/// Whether the zero point comes off the sums: Σ w of a channel is asked for.
pub(crate) const TOTALS: bool = isa::RAW;

/// All outputs of pixels, which may be fewer than PIXELS, and of which the first one lacks some channels and the last one has some, the first
/// stored at `to`. Inputs, weights and outputs are bytes, sums below 2^30 and factors those of the formulas above. `totals` are Σ w of the
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
    let &Pixels { count, rows, from, step, len, zero, to, pitch } = pixels;
    let mut width = rows.first().map_or(0, |row| row.len());
    for row in rows {
        width = width.min(row.len());
        small();
    }
    let bytes = (size_of::<T>(), size_of::<W>(), size_of::<A>()) == (1, 1, 4);
    let (n, channels) = (rows.len() * len, block.channels);
    let fits = run.skip + n <= run.len && rows.len() <= TAP_ROWS && channels * run.len <= w.len();
    let room = count > 0 && channels <= pitch && to + (count - 1) * pitch + last <= y.len() + skip;
    if !bytes || !fits || !room {
        return;
    }
    let (w, outputs) = (w.as_ptr().wrapping_add(run.skip).cast(), y.as_mut_ptr().wrapping_add(to).wrapping_sub(skip));
    // SAFETY: just checked.
    let done = COLUMNS.filter(|_| channels == 2 && len == 2 * step).is_some_and(|loops| unsafe {
        columns(loops, block, (w, run.len), pixels, [skip, last, width], outputs.cast())
    });
    // Pixels all of whose values lie inside.
    let (mut start, mut end) = (0, count);
    while start < count && (pixels.first(start) < 0 || n == 0) {
        start += 1;
        small();
    }
    while start < end && pixels.first(end - 1) + len as isize > width as isize {
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
        y: outputs.cast(),
    };
    let (mut biases, mut multipliers) = (block.bias.iter(), block.multipliers.iter());
    for c in if done { 0..0 } else { 0..channels } {
        let bias = in_turn(&mut biases, block.bias).map_or(0, |bias| bias.to_i64() as i32);
        let multiplier = in_turn(&mut multipliers, block.multipliers).copied().unwrap_or(Multiplier::ZERO);
        let mut channel = Channel::new(bias, multiplier, block.requant.zero);
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
            let at = pixels.first(i);
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
        (each.w, each.y) = (each.w.wrapping_add(run.len), each.y.wrapping_add(1));
        small();
    }
    if block.requant.clamps::<T>() {
        for p in 0..count {
            let of = if p == 0 { skip } else { 0 }..if p + 1 == count { last } else { channels };
            block.requant.clamp_narrow(cut_mut(y, to + p * pitch + of.start - skip, of.len()));
        }
    }
}

/// Words that [`columns`] makes of weights.
const SPREAD: usize = match COLUMNS {
    Some(Columns { words: 1.., .. }) => 128,
    _ => 0,
};

/// The same for two channels of two taps that neighbouring pixels share, where there is a loop for them; false, and nothing done, elsewhere. w are the
/// first channel's weights, and so far away the other one's, y the output of the first one at pixel 0.
///
/// # Safety
/// There are two channels, and pixels of two taps; rows have `width` values, there are weights for all, and there is room for the outputs.
#[inline(never)]
unsafe fn columns<T, A: Accumulator>(
    loops: Columns,
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
    let room = (..=SPREAD).contains(&(loops.words * rows.len() * step));
    let fits = shared && room && count + 1 > usize::from(before) + usize::from(behind);
    let (starts, ends) = (!before || from + step as isize == 0, !behind || end == width + step as isize);
    let whole = (before || skip == 0) && (behind || last == 2);
    if fits && starts && ends && whole {
        // SAFETY: the caller's.
        unsafe { all_columns(loops, block, w, pixels, [skip, last], [before, behind], y) };
    }
    fits && starts && ends && whole
}

/// [`columns`], which hold.
#[inline(always)]
unsafe fn all_columns<T, A: Accumulator>(
    loops: Columns,
    block: &Block<'_, A>,
    (w, next): (*const i8, usize),
    pixels: &Pixels<'_, T>,
    [skip, last]: [usize; 2],
    [before, behind]: [bool; 2],
    mut y: *mut i8,
) {
    let &Pixels { count, rows, from, step, zero, pitch, .. } = pixels;
    let mut left = count + 1 - usize::from(before) - usize::from(behind);
    let mut spread = [const { MaybeUninit::<i32>::uninit() }; SPREAD];
    let mut pieces = [const { MaybeUninit::<Piece>::uninit() }; TAP_ROWS];
    let to = spread.as_mut_ptr().cast::<i32>();
    let mut channels = [0, 1].map(|c| {
        if let Some(spread) = loops.spread {
            // SAFETY: there are as many weights, and room for them.
            unsafe { spread(to.wrapping_add(c), w.wrapping_add(c * next), step, rows.len()) };
        }
        Channel::new(block.bias(c), block.multiplier(c), block.requant.zero)
    });
    let (mut w, size) = if loops.words > 0 { (to.cast_const().cast(), 4 * loops.words) } else { (w, 2) };
    for (piece, row) in pieces.iter_mut().zip(rows) {
        piece.write(Piece { x: row.as_ptr().wrapping_offset(from.max(0)).cast(), w: w.cast() });
        w = w.wrapping_add(size * step);
        small();
    }
    let pieces = pieces.as_mut_ptr().cast::<Piece>();
    let (end, channel) = (pieces.wrapping_add(rows.len()), channels.as_mut_ptr());
    let mut strip = Strip { pieces, end, channel, y, pitch, step: next, count: 0, n: step, zero };
    let each = loops.loops[usize::from(block.requant.rounding == Rounding::TfliteSingle)];
    let mut run = |pieces, y, count| {
        (strip.end, strip.y, strip.count) = (pieces, y, count);
        // SAFETY: the caller's.
        unsafe { each(&mut strip) };
    };
    let mut one = [0; 2];
    // What comes before the first pixel, or is a part of it.
    if !before || skip > 0 {
        run(end, one.as_mut_ptr(), 1);
        left -= 1;
        if before {
            // SAFETY: the first pixel has that channel; y itself may lie before all outputs.
            unsafe { y.wrapping_add(1).write(one[1]) };
            y = y.wrapping_add(pitch);
        }
    }
    if left > 0 {
        run(end, y, left);
        y = y.wrapping_add(left * pitch);
    }
    if behind {
        run(pieces, one.as_mut_ptr(), 1);
        // SAFETY: the last pixel has these channels.
        one.iter().take(last).enumerate().for_each(|(c, &v)| unsafe { y.add(c).write(v) });
    }
}

/// Σ w
///
/// # Safety
/// There are n.
#[inline(never)]
unsafe fn total(w: *const i8, n: usize) -> i32 {
    // SAFETY: the caller's.
    unsafe { core::slice::from_raw_parts(w, n) }.iter().map(|&w| i32::from(w)).sum()
}

/// The output where no tap reads an input.
#[cold]
#[inline(never)]
fn bare<A>(block: &Block<'_, A>, bias: i32, multiplier: Multiplier) -> i8 {
    block.requant.apply(bias, multiplier)
}

impl Channel<i32> {
    /// Whose outputs are made in registers.
    #[inline(always)]
    fn new(bias: i32, m: Multiplier, zero: i32) -> Self {
        let e = -i32::from(m.shift());
        // h = zero · 2^e + 2^(e − 1); as in `Job::start`.
        let h = (2 * zero + 1).wrapping_shl((e - 1) as u32);
        Channel { sums: [bias; PIXELS], q: m.q(), h, e, start: bias }
    }
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
    use crate::arch::testing::Random;
    use crate::quant::Requant;
    use crate::{Activation, Quant};

    /// Any border, any part of the first and the last pixel, scales in turn.
    #[test]
    fn few_channels_are_exact() {
        let mut random = Random(13);
        for case in 0..if cfg!(miri) { 5 } else { 4000 } {
            let (channels, rows, taps) = (1 + random.below(FEW), random.below(4), 1 + random.below(3));
            let c = if case % 2 == 0 { 4 * (1 + random.below(10)) } else { 1 + random.below(20) };
            let (count, step) = (1 + random.below(20), c * (1 + random.below(8) / 7));
            let len = taps * c;
            let (skip, behind) = (random.below(5), random.below(5));
            let run = Run { n: rows * len, len: skip + rows * len + behind, skip };
            let from = -((random.below(taps + 1) * c) as isize);
            let width = ((from + ((count - 1) * step + len) as isize).max(1) as usize)
                .saturating_sub(random.below(taps + 1) * c)
                .max(c);
            let x: std::vec::Vec<i8> = (0..rows * width).map(|_| random.element()).collect();
            let w: std::vec::Vec<i8> = (0..channels * run.len).map(|_| random.element()).collect();
            let in_turn = 1 + random.below(channels);
            let bias: std::vec::Vec<i32> = (0..in_turn).map(|_| random.below(2001) as i32 - 1000).collect();
            let multipliers =
                (0..in_turn).map(|_| Multiplier::from_real(0.004 * (1.0 + random.below(100) as f64 / 100.0)));
            let multipliers: std::vec::Vec<_> = multipliers.map(Result::unwrap).collect();
            let rounding = if random.below(2) == 0 { Rounding::TfliteDouble } else { Rounding::TfliteSingle };
            let scale = Quant::new(1.0, random.below(256) as i32 - 128);
            let activation = if random.below(3) == 0 { Activation::Relu } else { Activation::None };
            let requant = Requant::new(rounding, scale.zero, activation.range::<i8>(scale));
            let block = Block { channels, bias: &bias, multipliers: &multipliers, requant, largest: 1 << 28 };
            let lines: std::vec::Vec<_> = x.chunks(width).collect();
            let (pitch, zero) = (channels + random.below(3), random.below(256) as i32 - 128);
            let last = 1 + random.below(channels);
            let lacking = random.below(if count == 1 { last } else { channels });
            let to = lacking + random.below(3);
            let pixels = Pixels { count, rows: &lines, from, step, len, zero, to, pitch };
            let vector = |c: usize| w.iter().skip(c * run.len + skip).take(run.n).map(|&w| i32::from(w));
            let totals: std::vec::Vec<i32> = (0..channels).map(|c| vector(c).sum()).collect();
            let totals = if random.below(2) == 0 { &totals[..] } else { &[] };
            let mut y = vec![99i8; to - lacking + (count - 1) * pitch + last + random.below(2)];
            let mut expected = y.clone();
            for (p, c) in (0..count).flat_map(|p| (0..channels).map(move |c| (p, c))) {
                if p == 0 && c < lacking || p + 1 == count && c >= last {
                    continue;
                }
                let at = from + (p * step) as isize;
                let read = |i: usize| {
                    let from = usize::try_from(at + (i % len) as isize).ok().filter(|&from| from < width);
                    from.map_or(0, |from| i32::from(lines[i / len][from]) - zero)
                };
                let sum = vector(c).enumerate().map(|(i, w)| read(i) * w).sum::<i32>() + bias[c % in_turn];
                expected[to - lacking + p * pitch + c] = requant.apply(sum, multipliers[c % in_turn]);
            }
            few(&block, &w, run, totals, &pixels, [lacking, last], &mut y);
            assert!(
                y == expected,
                "case {case}: {channels} channels, {rows} rows, {taps} taps of {c} at {count} pixels"
            );
        }
    }
}

#[cfg(test)]
mod taken {
    use super::*;
    use crate::arch::testing::Random;
    use crate::quant::Requant;
    use crate::{Activation, Quant};

    /// A row of a transposed convolution k4 s2 p1 to one channel: whether columns take it, and the bytes are exact where `few` gets wrong sums of weights,
    /// which groups of pixels read and columns do not.
    fn columns_take(c: usize, rows: usize, width: usize) -> [bool; 2] {
        let mut random = Random((100 * c + 10 * rows + width) as u64);
        let (n, len, count, zero) = (rows * 2 * c, 2 * c, width + 1, 5);
        let x: std::vec::Vec<i8> = (0..rows * width * c).map(|_| random.element()).collect();
        let w: std::vec::Vec<i8> = (0..2 * n).map(|_| random.element()).collect();
        let (bias, multipliers) = ([3000, -7000], [0.004, 0.006].map(|m| Multiplier::from_real(m).unwrap()));
        let requant = Requant::new(Rounding::TfliteDouble, 3, Activation::None.range::<i8>(Quant::new(1.0, 3)));
        let block = Block { channels: 2, bias: &bias, multipliers: &multipliers, requant, largest: 1 << 28 };
        let (run, lines) = (Run { n, len: n, skip: 0 }, x.chunks(width * c).collect::<std::vec::Vec<_>>());
        let pixels = Pixels { count, rows: &lines, from: -(c as isize), step: c, len, zero, to: 0, pitch: 2 };
        let expected = (1..2 * count - 1).map(|o| {
            let (pixel, channel) = (o / 2, o % 2);
            let products = (0..n).map(|i| {
                let at = (pixel * c + i % len).checked_sub(c).filter(|at| *at < width * c);
                at.map_or(0, |at| (i32::from(lines[i / len][at]) - zero) * i32::from(w[channel * n + i]))
            });
            let y: i8 = requant.apply(products.sum::<i32>() + bias[channel], multipliers[channel]);
            y
        });
        let [mut ours, mut theirs] = [(); 2].map(|()| vec![99; 2 * width]);
        // SAFETY: there are two channels of two taps, weights and room for all outputs, the first of which is the second channel's.
        let taken = COLUMNS.is_some_and(|loops| unsafe {
            let y = ours.as_mut_ptr().wrapping_sub(1);
            columns(loops, &block, (w.as_ptr(), n), &pixels, [1, 1, width * c], y)
        });
        few(&block, &w, run, &[99999, -99999], &pixels, [1, 1], &mut theirs);
        assert!(!taken || expected.clone().eq(ours));
        [taken, expected.eq(theirs)]
    }

    /// Where there is a loop for them, room for their weights, and whole words of inputs.
    #[test]
    fn two_channels_of_shared_taps_are_columns() {
        for (c, rows, width) in [(16, 2, 16), (16, 1, 5), (4, 2, 9), (8, 2, 6), (6, 2, 9), (64, 2, 7)] {
            let taken = COLUMNS.is_some_and(|loops| c % 4 == 0 && (..=SPREAD).contains(&(loops.words * rows * c)));
            assert_eq!(columns_take(c, rows, width), [taken, taken || !isa::RAW], "{rows} rows of {width} x {c}");
        }
    }
}
