//! Two taps of two channels that neighbouring pixels share, as k4 s2 to one channel has them: each column of the input is read once.
//!
//! A column is the second tap of one pixel, whose sums are then complete, and the first tap of the next. Six of eight vectors of weights stay in
//! registers. A tap outside the input is left out: `zero · Σ w` comes off with the taps that are read. Sums follow each other as the outputs do.

use super::alone::outputs;
use super::portable::{Block, Pixels, Run};
use crate::Element;
use crate::quant::Accumulator;
use core::mem::MaybeUninit;

#[cfg(target_arch = "arm")]
use asm::columns;
#[cfg(not(target_arch = "arm"))]
use model::columns;

/// Values of a column, at most; columns whose sums wait for their outputs.
const VALUES: usize = 16;
const COLUMNS: usize = 32;

/// Where there is no second row.
static NONE: [i8; 2 * VALUES] = [0; 2 * VALUES];

/// Columns of two rows.
#[repr(C)]
struct Columns {
    /// The first column of each row, and the distance of the next one's, which is the number of values.
    x: [*const i8; 2],
    step: usize,
    /// The first tap of each row and channel, so far before the second one.
    w: [[*const i8; 2]; 2],
    zero: i32,
    bias: i32,
    /// At least one.
    count: usize,
    /// Those of as many pixels, and what the next one has as yet.
    sums: *mut [i32; 2],
    /// Whether that is what the first pixel has; else that is `first`, the sums of a pixel without its first tap before any product.
    resume: usize,
    open: [i32; 2],
    first: [i32; 2],
}

/// [`few`](super::few) of such pixels of bytes; false, and nothing done, where these are others.
#[inline(never)]
pub(super) fn all<T: Element, W: Element, A: Accumulator>(
    block: &Block<'_, A>,
    w: &[W],
    run: Run,
    pixels: &Pixels<'_, T>,
    [skip, last]: [usize; 2],
    y: &mut [T],
) -> bool {
    let &Pixels { count, rows, from, step, len, zero, to, pitch } = pixels;
    let [upper, lower] = match *rows {
        [one] => [one, one],
        [upper, lower] => [upper, lower],
        _ => return false,
    };
    let shared = size_of::<W>() == 1 && block.channels == 2 && pitch == 2 && len == 2 * step && step <= VALUES;
    if !shared || block.multipliers.len() != 1 || block.bias.len() > 1 {
        return false;
    }
    let width = upper.len().min(lower.len()) as isize;
    let end = from + ((count + 1) * step) as isize;
    let (before, behind) = (from < 0, end > width);
    let edges = usize::from(before) + usize::from(behind);
    let whole = (!before || from + step as isize == 0) && (!behind || end == width + step as isize);
    let fits = run.skip + rows.len() * len <= run.len && 2 * run.len <= w.len();
    let room = (2 * count + last).wrapping_sub(2 + skip);
    let Some(y) = y.get_mut(to..to.wrapping_add(room)) else { return false };
    if !whole || !fits || count < edges {
        return false;
    }
    let mut left = count + 1 - edges;
    let w = w.as_ptr().wrapping_add(run.skip).cast::<i8>();
    let channels = [w, w.wrapping_add(run.len)];
    let below = if rows.len() > 1 { channels.map(|w| w.wrapping_add(len)) } else { [NONE.as_ptr(); 2] };
    let mut sums = [const { MaybeUninit::<[i32; 2]>::uninit() }; COLUMNS + 1];
    let first = sums.as_mut_ptr().cast::<[i32; 2]>();
    let mut all = Columns {
        x: [upper, lower].map(|row| row.as_ptr().wrapping_offset(from.max(0)).cast()),
        step,
        w: [channels, below],
        zero,
        bias: block.bias(0),
        count: 0,
        sums: first,
        resume: 0,
        open: [0; 2],
        first: [0; 2],
    };
    // Before the first pixel's sums come those of one that does not exist, where its first tap is read.
    let mut at = if before { skip } else { 2 + skip };
    let mut y = y;
    while left > 0 {
        all.count = left.min(COLUMNS);
        left -= all.count;
        // SAFETY: so many columns lie in the rows, weights have been checked, and there is room for the sums of one pixel more.
        unsafe { columns(&mut all) };
        let mut ready = 2 * all.count;
        if left == 0 && behind {
            // A pixel without its second tap.
            let [open, without] = [all.open, all.first];
            let add = |c: usize| open[c].wrapping_add(all.bias).wrapping_sub(without[c]);
            // SAFETY: there is room.
            unsafe { first.add(all.count).write([add(0), add(1)]) };
            ready += 2;
        }
        let n = ready.saturating_sub(at).min(y.len());
        let (now, then) = core::mem::take(&mut y).split_at_mut_checked(n).unwrap_or_default();
        if !now.is_empty() {
            // SAFETY: as many sums have been written, and there is one multiplier.
            unsafe { outputs(block, first.cast::<i32>().wrapping_add(at), now) };
        }
        (at, y, all.resume) = (0, then, 1);
        all.x = all.x.map(|x| x.wrapping_add(all.count * step));
    }
    true
}

/// The instructions themselves.
#[cfg(target_arch = "arm")]
mod asm {
    use super::Columns;
    use core::arch::naked_asm;
    use core::mem::offset_of;

    /// Sums of columns: of the pixel that ends r0 and r2, of the next one r4 and r6, which begins as r10 and r7.
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn columns(all: *mut Columns) {
        naked_asm!(
            ".cpu cortex-m55",
            "push {{r4-r11, lr}}",
            "vpush {{d8-d15}}",
            "mov r12, r0",
            "ldm r0, {{r1, r3, r5-r9}}", // rows, step, weights
            "vctp.8 r5",
            "vpstttt",
            "vldrbt.u8 q0, [r6]",
            "vldrbt.u8 q1, [r7]",
            "vldrbt.u8 q4, [r8]",
            "vldrbt.u8 q5, [r9]",
            "add r6, r6, r5",
            "add r7, r7, r5",
            "add r8, r8, r5",
            "add r9, r9, r5",
            "vpstttt",
            "vldrbt.u8 q2, [r6]",
            "vldrbt.u8 q3, [r7]",
            "vldrbt.u8 q6, [r8]",
            "vldrbt.u8 q7, [r9]",
            "vaddv.s8 r0, q0",
            "vaddva.s8 r0, q4",
            "vaddv.s8 r2, q1",
            "vaddva.s8 r2, q5",
            "vaddv.s8 r4, q2",
            "vaddva.s8 r4, q6",
            "vaddv.s8 r6, q3",
            "vaddva.s8 r6, q7",
            "ldrd r7, r10, [r12, #{zero}]", // and bias
            "mls r4, r4, r7, r10",
            "mls r6, r6, r7, r10",
            "strd r4, r6, [r12, #{first}]",
            "mls r10, r0, r7, r4",
            "mls r7, r2, r7, r6",
            "mov r0, r4",
            "mov r2, r6",
            "ldr r11, [r12, #{resume}]",
            "cmp r11, #0",
            "it ne",
            "ldrdne r0, r2, [r12, #{open}]",
            "mov r4, r10",
            "mov r6, r7",
            "ldrd lr, r11, [r12, #{count}]", // and sums
            "dls lr, lr",
            "2:",
            "vpst",
            "vldrbt.u8 q7, [r1]",
            "add r1, r1, r5",
            "vmladava.s8 r0, q7, q2",
            "vmladava.s8 r2, q7, q3",
            "vmladava.s8 r4, q7, q0",
            "vmladava.s8 r6, q7, q1",
            "vpstttt",
            "vldrbt.u8 q7, [r3]",
            "vldrbt.u8 q6, [r8]",
            "vmladavat.s8 r0, q7, q6",
            "vldrbt.u8 q6, [r9]",
            "add r3, r3, r5",
            "vmladava.s8 r2, q7, q6",
            "vmladava.s8 r4, q7, q4",
            "vmladava.s8 r6, q7, q5",
            "strd r0, r2, [r11], #8",
            "mov r0, r4",
            "mov r2, r6",
            "mov r4, r10",
            "mov r6, r7",
            "le lr, 2b",
            "strd r0, r2, [r12, #{open}]",
            "vpop {{d8-d15}}",
            "pop {{r4-r11, pc}}",
            zero = const offset_of!(Columns, zero),
            first = const offset_of!(Columns, first),
            resume = const offset_of!(Columns, resume),
            open = const offset_of!(Columns, open),
            count = const offset_of!(Columns, count),
        )
    }
}

/// The same steps in Rust.
#[cfg(not(target_arch = "arm"))]
mod model {
    use super::Columns;

    pub(super) unsafe extern "C" fn columns(all: *mut Columns) {
        // SAFETY: the caller's.
        unsafe {
            let all = &mut *all;
            let dot = |x: Option<*const i8>, w: *const i8| {
                let x = |i| x.map_or(1, |x: *const i8| i32::from(*x.add(i)));
                (0..all.step).map(|i| x(i) * i32::from(*w.add(i))).sum::<i32>()
            };
            let tap = |x: [Option<*const i8>; 2], tap: usize, c: usize| {
                let w = [0, 1].map(|row: usize| all.w[row][c].add(tap * all.step));
                dot(x[0], w[0]).wrapping_add(dot(x[1], w[1]))
            };
            let total = |t, c| tap([None; 2], t, c).wrapping_mul(all.zero);
            let first = [0, 1].map(|c| all.bias.wrapping_sub(total(1, c)));
            let fresh = [0, 1].map(|c| first[c].wrapping_sub(total(0, c)));
            let mut open = if all.resume == 0 { first } else { all.open };
            for i in 0..all.count {
                let x = all.x.map(|x| Some(x.add(i * all.step)));
                all.sums.add(i).write([0, 1].map(|c: usize| open[c].wrapping_add(tap(x, 1, c))));
                open = [0, 1].map(|c: usize| fresh[c].wrapping_add(tap(x, 0, c)));
            }
            (all.first, all.open) = (first, open);
        }
    }
}
