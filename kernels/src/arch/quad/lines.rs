//! Rows of few values of alike column phases that lack some channels at both ends: copied to lines that have their borders, so that whole groups make up the
//! pixels of every channel.

use super::portable::{Block, Pixels, Run};
use super::{Call, Channel, Channels, End, Lines, Loop, PIXELS, Patch, Piece, SUMS, Strip, Strips, isa};
use crate::arch::copy::copy_values;
use crate::arch::{TAP_ROWS, small};
use crate::quant::Accumulator;
use crate::rows::cut_mut;
use crate::{Element, Rounding};
use core::mem::MaybeUninit;
use core::ptr::{self, null};

/// Values of all lines, and of a pixel.
pub(crate) const LINES: [usize; 2] = [256, isa::CHUNK];

/// [`portable::lines`](super::portable::lines)
#[inline(always)]
pub(crate) fn lines<T: Element, W: Element, A: Accumulator>(
    block: &Block<'_, A>,
    w: &[W],
    run: Run,
    pixels: &Pixels<'_, T>,
    skip: usize,
    y: &mut [T],
) {
    if (size_of::<T>(), size_of::<A>()) == (1, 4) {
        // SAFETY: elements of one byte are i8, or transparent wrappers of it; sums of 4 bytes are i32.
        let (block, pixels) = unsafe { (&*ptr::from_ref(block).cast::<Block<i32>>(), &*ptr::from_ref(pixels).cast()) };
        // SAFETY: the same.
        let y = unsafe { core::slice::from_raw_parts_mut(y.as_mut_ptr().cast(), y.len()) };
        // Only those of this type, for others may not be linked.
        let end = if block.requant.rounding == Rounding::TfliteSingle { End::Single } else { End::Double };
        let loops = (Call::loops::<W>(), end, end.of(isa::pixel(1, size_of::<W>())));
        // SAFETY: w are so many weights.
        unsafe { row(block, (w.as_ptr().cast(), w.len(), size_of::<W>()), loops, run, pixels, skip, y) };
    }
}

/// The same, how many weights of how many bytes there are, and their loops: those over channels, how they end, and that of a pixel. Once for all types where code has little room.
///
/// # Safety
/// There are as many weights.
#[cfg_attr(upconv_backend = "armv6m", inline(never))]
#[cfg_attr(not(upconv_backend = "armv6m"), inline(always))]
unsafe fn row(
    block: &Block<'_, i32>,
    (w, weights, size): (*const (), usize, usize),
    (loops, ends, one): (&'static [Loop; 3], End, Strips),
    run: Run,
    pixels: &Pixels<'_, i8>,
    skip: usize,
    y: &mut [i8],
) {
    let &Pixels { count, rows, from, step, len, zero, pitch, .. } = pixels;
    let (line, before) = ((count - 1) * step + len, from.unsigned_abs());
    let held = rows.len() * line <= LINES[0] && rows.len() <= TAP_ROWS && before <= line;
    let fits = run.n == rows.len() * len && run.n <= LINES[1] && run.skip + run.n <= run.len;
    // The loops ask for one channel at least.
    let parts = skip > 0 && skip < pitch && skip.max(pitch - skip) <= block.channels && block.channels <= SUMS;
    let room = count > PIXELS && pitch * run.len <= weights && (count - 1) * pitch <= y.len();
    if !(held && fits && parts && room) {
        return;
    }
    let mut all = [const { MaybeUninit::<u32>::uninit() }; LINES[0] / 4];
    let x = all.as_mut_ptr().cast::<u32>();
    let (mut to, end) = (x, x.wrapping_add((rows.len() * line).div_ceil(4)));
    let border = u32::from(zero as u8) * 0x0101_0101;
    while to != end {
        // SAFETY: there is room for all lines.
        unsafe { to.write(border) };
        to = to.wrapping_add(1);
        small();
    }
    let x = x.cast::<i8>();
    let mut at = x.wrapping_add(before);
    for row in rows {
        let n = row.len().min(line - before);
        if n > 0 {
            // SAFETY: the row has so many, and the line behind its border, too.
            unsafe { copy_values(row.as_ptr(), at, n) };
        }
        at = at.wrapping_add(line);
    }
    let mut channels = Channels::<i32>::new();
    channels.start(block);
    let first = channels.all.as_mut_ptr().cast::<Channel<i32>>();
    let lines = Lines { step, len, rows: rows.len(), line, zero };
    let (w, outputs) = (w.wrapping_byte_add(run.skip * size), y.as_mut_ptr().wrapping_sub(skip));
    let mut call = Call {
        x: null(),
        n: run.n,
        w: w.wrapping_byte_add(skip * run.len * size),
        channels: first.cast(),
        next: (run.len - run.n) * size,
        end: first.wrapping_add(pitch - skip).cast(),
        y: outputs.wrapping_add(skip),
        pitch,
        each: ends.of(*loops),
        loops,
    };
    let mut patch = Patch::new();
    // The loops over pieces ask for one at least.
    if block.channels == pitch && run.n > 0 {
        let row = Row { each: one, first, x, w, size, step: run.len * size, outputs, count, skip };
        // SAFETY: lines and a patch hold the values; all channels have been started, there are weights for them, and there is room for all outputs.
        unsafe { row.apart(&mut call, &lines, &mut patch) };
    } else {
        // Those that are there from the first pixel on, then those that are from the second one on.
        let mut from = 0;
        loop {
            let (mut i, y) = (0, call.y);
            while i < count - 1 {
                i = i.min(count - 1 - PIXELS);
                if run.n > 0 {
                    // SAFETY: the same.
                    unsafe { isa::gather(&mut patch, x.wrapping_add((from + i) * step), &lines, size == 2) };
                }
                (call.x, call.y) = (&raw const patch, y.wrapping_add(i * pitch));
                // SAFETY: the same; so many have been started as either are.
                unsafe { call.run() };
                i += PIXELS;
            }
            if from > 0 {
                break;
            }
            (from, call.w, call.end, call.y) = (1, w, first.wrapping_add(skip).cast(), outputs.wrapping_add(pitch));
        }
    }
    if block.requant.clamps::<i8>() {
        block.requant.clamp_narrow(cut_mut(y, 0, (count - 1) * pitch));
    }
}

/// A row all of whose channels have been started.
struct Row {
    /// The loop of a pixel.
    each: Strips,
    first: *mut Channel<i32>,
    x: *const i8,
    w: *const (),
    /// Bytes of a weight, and how many from one channel's to the next one's.
    size: usize,
    step: usize,
    /// The output of channel 0 at pixel 0, which does not exist.
    outputs: *mut i8,
    count: usize,
    skip: usize,
}

impl Row {
    /// The ends, and what is left over of whole groups, pixel by pixel.
    ///
    /// # Safety
    /// The lines and the patch hold the values, of which there are some, there are weights for all channels, and there is room for all outputs.
    #[inline(never)]
    unsafe fn apart(&self, call: &mut Call, lines: &Lines, patch: &mut Patch) {
        let &Row { first, x, w, size, outputs, count, skip, .. } = self;
        let n = call.pitch;
        (call.w, call.end) = (w, first.wrapping_add(n).cast());
        let mut i = 1;
        while i + PIXELS < count {
            // SAFETY: the caller's.
            unsafe { isa::gather(patch, x.wrapping_add(i * lines.step), lines, size == 2) };
            (call.x, call.y) = (&raw const *patch, outputs.wrapping_add(i * n));
            // SAFETY: the caller's.
            unsafe { call.run() };
            i += PIXELS;
        }
        // SAFETY: the caller's.
        unsafe { self.pixel(lines, outputs, x, [skip, n]) };
        while i < count {
            let end = if i + 1 < count { n } else { skip };
            // SAFETY: the caller's.
            unsafe { self.pixel(lines, outputs.wrapping_add(i * n), x.wrapping_add(i * lines.step), [0, end]) };
            i += 1;
        }
    }

    /// Channels c to `end` of the pixel whose values and outputs begin at x and y.
    ///
    /// # Safety
    /// The same.
    #[inline(never)]
    unsafe fn pixel(&self, lines: &Lines, y: *mut i8, mut x: *const i8, [c, end]: [usize; 2]) {
        let &Row { each, first, w, size, step, .. } = self;
        let mut pieces = [const { MaybeUninit::<Piece>::uninit() }; TAP_ROWS];
        let pieces = pieces.as_mut_ptr().cast::<Piece>();
        let (mut to, mut w) = (pieces, w.wrapping_byte_add(c * step));
        for _ in 0..lines.rows {
            // SAFETY: there are no more than TAP_ROWS.
            unsafe { to.write(Piece { x: x.cast(), w }) };
            (to, x, w) = (to.wrapping_add(1), x.wrapping_add(lines.line), w.wrapping_byte_add(lines.len * size));
            small();
        }
        let (channel, y) = (first.wrapping_add(c), y.wrapping_add(c));
        let (count, n, zero) = (end - c, lines.len, lines.zero);
        let mut strip = Strip { pieces, end: to, channel, y, pitch: 1, step, count, n, zero };
        // SAFETY: the caller's.
        unsafe { each(&mut strip) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::testing::Random;
    use crate::quant::Requant;
    use crate::{Activation, Multiplier, Quant};

    /// Any shapes that fit, any place of the rows below the first pixel, and scales in turn.
    fn lines_are_exact<W: Element>() {
        let (mut random, mut done) = (Random(17), 0);
        while done < if cfg!(miri) { 12 } else { 1000 } {
            let (c, rows, taps) = (1 + random.below(9), random.below(4), 1 + random.below(4));
            let (own, phases) = (1 + random.below(if cfg!(miri) { 2 } else { 8 }), 2 + random.below(3));
            let (skip, n) = (own * (1 + random.below(phases - 1)), own * phases);
            let (count, len) = (PIXELS + 1 + random.below(if cfg!(miri) { 4 } else { 12 }), taps * c);
            let line = (count - 1) * c + len;
            if rows * line > LINES[0] || rows * len > LINES[1] || skip.max(n - skip) > SUMS {
                continue;
            }
            done += 1;
            let before = random.below(taps + 1) * c;
            let width = (line - before + random.below(3)).saturating_sub(random.below(taps) * c).max(1);
            let run = Run { n: rows * len, len: rows * len + random.below(5), skip: 0 };
            let run = Run { skip: run.len - run.n, len: run.len + random.below(5), ..run };
            let x: std::vec::Vec<i8> = (0..rows * width).map(|_| random.element()).collect();
            let w: std::vec::Vec<W> = (0..n * run.len).map(|_| random.element()).collect();
            let bias = (0..own * random.below(5).min(1)).map(|_| random.below(2001) as i32 - 1000);
            let bias: std::vec::Vec<i32> = bias.collect();
            let factor = 0.4 / (1 << (8 * size_of::<W>())) as f64;
            let multipliers = (0..if done % 3 == 0 { 1 } else { own })
                .map(|_| Multiplier::from_real(factor * (1.0 + random.below(100) as f64 / 100.0)).unwrap());
            let multipliers: std::vec::Vec<_> = multipliers.collect();
            let rounding = if random.below(2) == 0 { Rounding::TfliteDouble } else { Rounding::TfliteSingle };
            let scale = Quant::new(1.0, random.below(256) as i32 - 128);
            let activation = if random.below(3) == 0 { Activation::Relu } else { Activation::None };
            let requant = Requant::new(rounding, scale.zero, activation.range::<i8>(scale));
            let whole = (count - 2) % PIXELS < 2 && n <= SUMS;
            let block = Block {
                channels: if whole { n } else { skip.max(n - skip) },
                bias: &bias,
                multipliers: &multipliers,
                requant,
                largest: 1 << 28,
            };
            let lines: std::vec::Vec<_> = x.chunks(width).collect();
            let (from, zero) = (-(before as isize), random.below(256) as i32 - 128);
            let pixels = Pixels { count, rows: &lines, from, step: c, len, zero, to: 0, pitch: n };
            let expected = (skip..(count - 1) * n + skip).map(|at| {
                let (pixel, channel) = (at / n, at % n);
                let sum = (0..rows * len).map(|i| {
                    let x = (pixel * c + i % len).checked_sub(before).and_then(|at| lines[i / len].get(at));
                    x.map_or(0, |&x| (i32::from(x) - zero) * w[channel * run.len + run.skip + i].to_i32())
                });
                let sum = sum.sum::<i32>() + if bias.is_empty() { 0 } else { bias[channel % own] };
                requant.apply(sum, multipliers[channel % multipliers.len()])
            });
            let expected: std::vec::Vec<i8> = expected.collect();
            let mut y = vec![99; expected.len()];
            super::lines(&block, &w, run, &pixels, skip, &mut y);
            assert!(y == expected, "{rows} rows, {taps} taps of {c}, {skip} of {n} channels, {count} pixels");
        }
    }

    #[test]
    fn lines_are_exact_with_int8_weights() {
        lines_are_exact::<i8>();
    }

    #[test]
    fn lines_are_exact_with_int16_weights() {
        lines_are_exact::<i16>();
    }

    /// A longer line, more values of a pixel, more channels, none of a part, or fewer pixels: nothing is done.
    #[test]
    fn lines_that_do_not_fit_are_left() {
        let requant = Requant::new(Rounding::TfliteDouble, 0, (-128, 127));
        let multipliers = [Multiplier::from_real(0.1).unwrap()];
        let of_part = |[c, rows, count, n]: [usize; 4], skip: usize| {
            let channels = skip.max(n - skip);
            let block = Block { channels, bias: &[], multipliers: &multipliers, requant, largest: 1 << 28 };
            let (line, len) = ((count + 1) * c, 2 * c);
            let (x, w) = (vec![1i8; rows * line], vec![1i8; n * rows * len]);
            let lines: std::vec::Vec<_> = x.chunks(line).collect();
            let pixels = Pixels { count, rows: &lines, from: 0, step: c, len, zero: 0, to: 0, pitch: n };
            let run = Run { n: rows * len, len: rows * len, skip: 0 };
            let mut y = vec![99i8; (count - 1) * n];
            super::lines::<i8, i8, i32>(&block, &w, run, &pixels, skip, &mut y);
            y != vec![99; y.len()]
        };
        let of = |shape: [usize; 4]| of_part(shape, shape[3] / 2);
        assert!(of([1, 1, 5, 4]) && of([1, 1, 5, 2 * SUMS]) && of([1, 2, LINES[0] / 2 - 1, 4]));
        assert!(
            !of_part([1, 1, 5, 4], 0)
                && !of_part([1, 1, 5, 4], 4)
                && !of([1, 1, 4, 4])
                && !of([1, 1, 5, 2 * SUMS + 2])
                && !of([1, 2, LINES[0] / 2, 4])
        );
        assert!(of([LINES[1] / 4, 2, 5, 4]) == (3 * LINES[1] <= LINES[0]) && !of([LINES[1] / 4 + 1, 2, 5, 4]));
    }
}
