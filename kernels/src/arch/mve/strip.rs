//! Strips of pixels whose columns several outputs share: inputs stay in registers while the weights of all columns go by.
//!
//! ```text
//! sums of two columns                     1 LDM, or of nothing yet
//! sixteen weights of two columns          2 VLDRB
//! sums[c][p] += x[p] · w[c]               8 VMLADAVA
//! the same for another tap row of the same inputs
//! sums                                    1 STM
//! ```
//!
//! 23 instructions with their share of the loop for 256 products where two tap rows read one input row, 13 for 128 else. The outputs of a strip of 2x and three columns are
//! those of two vectors, `S_0(b−1) + S_2(b)` and with it `S_1(b−1)` or `S_1(b)`, scaled by the formulas of the other loops. What the loops are called with is
//! written once a row.
//!
//! The last strip of a row lies over the one before, whose outputs it leaves alone; of fewer than four pixels the last one takes the other ones' places.

use crate::arch::strip::{self, CHANNELS, COLUMNS, Lines, PIXELS, Scale, Strip, Strips, VALUES};
use crate::arch::{TAP_ROWS, small};
use crate::quant::{Multiplier, Requant};
use crate::{Element, Rounding};
use core::mem::MaybeUninit;

#[cfg(target_arch = "arm")]
use asm::{begin, columns, double, last_double, last_single, single};
#[cfg(not(target_arch = "arm"))]
use model::{begin, columns, double, last_double, last_single, single};

/// Values of pixel 0, and how far it is from each of a strip's pixels to the next one.
#[repr(C)]
#[derive(Clone, Copy)]
struct Pixels {
    x: *const i8,
    steps: [usize; PIXELS - 1],
}

/// Where a tap row lies, how far it is to the next sixteen values, and whether the next tap row reads them, too: 0 or 1.
#[repr(C)]
#[derive(Clone, Copy)]
struct Group {
    pixels: Pixels,
    by: usize,
    two: usize,
}

/// Values of a tap row, how many, where the first pixel's go, and the length of the vectors that they complete, or 0.
#[repr(C)]
#[derive(Clone, Copy)]
struct Piece {
    pixels: Pixels,
    to: *mut i8,
    n: usize,
    len: usize,
}

/// Columns of a strip.
#[repr(C)]
struct Columns {
    /// Tap rows, the weights of the first one, and bytes to those of the next one.
    groups: *const Group,
    w: *const i8,
    hop: usize,
    /// The strip's first pixel, no less than four from the end where there are four.
    pixel: usize,
    /// What is left of all tap rows' channels, and its weights from the very first column on.
    pieces: *const Piece,
    rest: *const i8,
    sums: *mut [i32; PIXELS],
    /// Behind those of the last pair of columns, and whether there is one more.
    end: *mut [i32; PIXELS],
    odd: usize,
    /// All columns that there are weights for, and the first of these.
    all: usize,
    first: usize,
    groups_end: *const Group,
    pieces_end: *const Piece,
    /// How often sixteen values of the groups follow each other.
    blocks: usize,
    patch: *mut [i8; VALUES],
}

/// What [`begin`] works on; a step is 0 where one serves all.
#[repr(C)]
struct Ready {
    totals: *const i32,
    kept: *mut [i32; 3],
    scales: *mut Scale,
    bias: *const i32,
    bias_step: usize,
    multipliers: *const Multiplier,
    multiplier_step: usize,
    zero: i32,
    /// At least one.
    count: usize,
}

/// Outputs of a strip.
#[repr(C)]
struct Outputs {
    /// Where the first column's would lie, the channels of one, and two bits for each of the eight columns, 0 where it is not to be written.
    y: *mut i8,
    channels: usize,
    mask: usize,
    sums: *const [i32; PIXELS],
    kept: *mut [i32; 3],
    scales: *const Scale,
    /// At least one.
    count: usize,
    low: i32,
    high: i32,
    zero: i32,
}

/// Output columns of a strip, and a mask of them all.
const WIDE: usize = 2 * PIXELS;
const ALL: usize = (1 << (2 * WIDE)) - 1;

/// [`strip::row`]
#[inline(always)]
pub(crate) fn row<'x, T: Element>(all: &Strips<'_>, lines: impl Lines<'x, T>, y: &mut [T]) {
    let [columns, channels] = all.strip.to;
    if size_of::<T>() != 1 || !all.loops || y.len() < columns * channels {
        return strip::portable(&all.strip, lines, y);
    }
    // SAFETY: just checked.
    unsafe { run(all, lines, y) }
}

/// # Safety
/// Values and outputs are bytes, there are as many outputs as the strip says, and its [loops](Strips::loops) hold.
#[inline(always)]
unsafe fn run<'x, T: Element>(strips: &Strips<'_>, mut lines: impl Lines<'x, T>, y: &mut [T]) {
    let strip = &strips.strip;
    let &Strip { width, channels: c, zero, rows, behind, to: [end, channels], w, ref requant, .. } = strip;
    let (rest, whole) = (c % VALUES, c - c % VALUES);
    let mut outside = MaybeUninit::<[i8; VALUES]>::uninit();
    let mut groups = [const { MaybeUninit::<Group>::uninit() }; TAP_ROWS];
    let mut pieces = [const { MaybeUninit::<Piece>::uninit() }; 2 * TAP_ROWS];
    let mut patch = MaybeUninit::<[[i8; VALUES]; PIXELS]>::uninit();
    let (groups, pieces) = (groups.as_mut_ptr().cast::<Group>(), pieces.as_mut_ptr().cast::<Piece>());
    let (patch, outside) = (patch.as_mut_ptr().cast::<[i8; VALUES]>(), outside.as_mut_ptr());
    let (mut groups_end, mut pieces_end, mut at, mut left) = (groups, pieces, 0, rows);
    while left > 0 {
        let (line, times) = lines.next();
        let times = times.min(left);
        left -= times;
        let (mut x, mut by, mut from, mut on) = (line.as_ptr().cast::<i8>(), VALUES, whole, 1);
        let [mut one, mut two, mut three] = strips.steps;
        if line.len() < width * c {
            (x, by, from, on) = (outside.cast(), 0, 0, 0);
            // SAFETY: there is room.
            unsafe { fill(outside, zero) };
            [one, two, three] = [0; PIXELS - 1];
        }
        let from_here = |x| Pixels { x, steps: [one, two, three] };
        let mut more = if whole > 0 { times } else { 0 };
        while more > 0 {
            small();
            let two = usize::from(more > 1);
            more -= 1 + two;
            // SAFETY: one for a tap row at most.
            unsafe { groups_end.write(Group { pixels: from_here(x), by, two }) };
            groups_end = groups_end.wrapping_add(1);
        }
        // A row ends one piece, and a vector another.
        let x = x.wrapping_add(from);
        let mut more = if rest > 0 { times } else { 0 };
        while more > 0 {
            more -= 1;
            let mut i = 0;
            while i < rest {
                small();
                let n = (rest - i).min(VALUES - at);
                let (to, pixels) = (patch.cast::<i8>().wrapping_add(at), from_here(x.wrapping_add(on * i)));
                // SAFETY: as many as rows and whole vectors at most.
                unsafe { pieces_end.write(Piece { pixels, to, n, len: 0 }) };
                pieces_end = pieces_end.wrapping_add(1);
                (i, at) = (i + n, at + n);
                if at == VALUES {
                    // SAFETY: just written.
                    unsafe { (*pieces_end.wrapping_sub(1)).len = VALUES };
                    at = 0;
                }
            }
        }
    }
    if at > 0 {
        // SAFETY: it has been written.
        unsafe { (*pieces_end.wrapping_sub(1)).len = at };
    }

    let mut sums = MaybeUninit::<[[i32; PIXELS]; COLUMNS]>::uninit();
    let mut kept = MaybeUninit::<[[i32; 3]; CHANNELS]>::uninit();
    let mut scales = MaybeUninit::<[Scale; CHANNELS]>::uninit();
    let sums = sums.as_mut_ptr().cast::<[i32; PIXELS]>();
    let (kept, scales) = (kept.as_mut_ptr().cast(), scales.as_mut_ptr().cast());
    let all = strip.totals.len();
    let mut call = Columns {
        groups,
        w: w.as_ptr(),
        hop: all * VALUES,
        pixel: 0,
        pieces,
        rest: w.as_ptr().wrapping_add(all * rows * whole),
        sums,
        end: sums,
        odd: 0,
        all,
        first: 0,
        groups_end,
        pieces_end,
        blocks: c / VALUES,
        patch,
    };
    let no_bias = strip.bias.is_empty();
    let mut ready = Ready {
        totals: strip.totals.as_ptr(),
        kept,
        scales,
        bias: if no_bias { &raw const super::depth::ZERO } else { strip.bias.as_ptr() },
        bias_step: if no_bias { 0 } else { size_of::<i32>() },
        multipliers: strip.multipliers.as_ptr(),
        multiplier_step: if strip.multipliers.len() == 1 { 0 } else { size_of::<Multiplier>() },
        zero,
        count: 0,
    };
    let Requant { rounding, zero: y_zero, low, high } = *requant;
    let y = y.as_mut_ptr().cast::<i8>();
    let mut made = Outputs { y, channels, mask: 0, sums, kept, scales, count: 0, low, high, zero: y_zero };
    let twice = rounding == Rounding::TfliteDouble;
    let scale = if twice { double as Run } else { single as Run };
    let mut first = 0;
    loop {
        let count = strip.most.min(channels - first);
        (ready.count, made.count) = (count, count);
        // SAFETY: the caller's; there is room for as many channels.
        unsafe { begin(&ready) };
        (call.end, call.odd) = (sums.wrapping_add((3 * count) & !1), count & 1);
        call.pixel = 0;
        // Columns before the first one are not written.
        made.y = y.wrapping_add(first).wrapping_sub(behind * channels);
        made.mask = ALL << (2 * behind);
        while call.pixel + PIXELS <= width {
            // SAFETY: the caller's; rows have these pixels, or one place serves them all, and there are pieces of all that is left.
            unsafe { columns(&call) };
            // SAFETY: sums have been written, and columns of the mask exist.
            unsafe { scale(&made) };
            (call.pixel, made.mask) = (call.pixel + PIXELS, ALL);
            made.y = made.y.wrapping_add(WIDE * channels);
        }
        if call.pixel < width {
            // SAFETY: the caller's.
            unsafe { over(&mut call, &mut made, width, scale) };
        }
        // Behind the input there is mostly a single output, the one before twice its width.
        match end + behind - 2 * width {
            0 => {}
            // SAFETY: the caller's.
            1 => unsafe { if twice { last_double(&made) } else { last_single(&made) } },
            // SAFETY: the caller's.
            left => unsafe { outer(sums, &mut made, left, (ready.totals, zero), scale) },
        }
        first += count;
        if first >= channels {
            return;
        }
        call.w = call.w.wrapping_add(3 * count * VALUES);
        call.first = 3 * first;
        ready.totals = ready.totals.wrapping_add(3 * count);
        ready.bias = ready.bias.wrapping_byte_add(count * ready.bias_step);
        ready.multipliers = ready.multipliers.wrapping_byte_add(count * ready.multiplier_step);
    }
}

type Run = unsafe extern "C" fn(*const Outputs);

/// Values outside; apart, because few rows need them.
///
/// # Safety
/// There is room.
#[cold]
#[inline(never)]
unsafe fn fill(outside: *mut [i8; VALUES], zero: i32) {
    // SAFETY: the caller's.
    unsafe { outside.write([zero as i8; VALUES]) };
}

/// The pixels of a row that are no strip of their own.
///
/// # Safety
/// That of both calls.
#[inline(never)]
unsafe fn over(call: &mut Columns, made: &mut Outputs, width: usize, run: Run) {
    let pixels = PIXELS.min(width);
    let over = call.pixel + pixels - width;
    call.pixel -= over;
    made.mask = (made.mask << (4 * over)) & ((1 << (4 * pixels)) - 1);
    made.y = made.y.wrapping_sub(2 * over * made.channels);
    // SAFETY: the caller's; rows have these pixels.
    unsafe { columns(call) };
    // SAFETY: the caller's; outputs that are there already are not written.
    unsafe { run(made) };
    made.y = made.y.wrapping_add(2 * pixels * made.channels);
}

/// So many outputs of pixels behind the input, where sums are totals by zero.
///
/// # Safety
/// That of the call; there are as many totals.
#[inline(never)]
unsafe fn outer(
    sums: *mut [i32; PIXELS],
    made: &mut Outputs,
    mut left: usize,
    (totals, zero): (*const i32, i32),
    run: Run,
) {
    for i in 0..3 * made.count {
        small();
        // SAFETY: there is room, and as many totals.
        unsafe { sums.add(i).write([zero.wrapping_mul(*totals.add(i)); PIXELS]) };
    }
    while left > 0 {
        let now = left.min(WIDE);
        made.mask = (1 << (2 * now)) - 1;
        // SAFETY: the caller's.
        unsafe { run(made) };
        made.y = made.y.wrapping_add(WIDE * made.channels);
        left -= now;
    }
}

/// The instructions themselves.
#[cfg(target_arch = "arm")]
mod asm {
    use super::{Columns, Outputs, Ready, VALUES};
    use core::arch::naked_asm;
    use core::mem::offset_of;

    /// On the stack lie the next group, its weights, hop, pixel, the block, whether there are sums, and the next piece with its weights.
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn columns(all: *const Columns) {
        naked_asm!(
            ".cpu cortex-m55",
            // Products of the inputs with the weights of one column or two, added or not.
            ".macro dots acc, w, a, b, c, d",
            "vmladav\\acc\\().s8 \\a, \\w, q0",
            "vmladav\\acc\\().s8 \\b, \\w, q1",
            "vmladav\\acc\\().s8 \\c, \\w, q2",
            "vmladav\\acc\\().s8 \\d, \\w, q3",
            ".endm",
            ".macro pair acc",
            "dots \\acc, q4, r0, r2, r4, r6",
            "dots \\acc, q5, r8, r10, r12, lr",
            ".endm",
            // All pairs of columns, two at a time, and the odd one.
            ".macro two_columns acc, two",
            ".ifnb \\acc",
            "ldm r1, {{r0, r2, r4, r6, r8, r10, r12, lr}}",
            ".endif",
            "vldrb.u8 q4, [r3], #16",
            "vldrb.u8 q5, [r3], #16",
            "pair \\acc",
            ".if \\two",
            "vldrb.u8 q4, [r5], #16",
            "vldrb.u8 q5, [r5], #16",
            "pair a",
            ".endif",
            "stm r1!, {{r0, r2, r4, r6, r8, r10, r12, lr}}",
            ".endm",
            ".macro walk acc, two",
            "subs r9, r7, r1",
            "lsls r9, r9, #26",
            "bmi 4f",
            "2:",
            "two_columns \\acc, \\two",
            "4:",
            "two_columns \\acc, \\two",
            "cmp r1, r7",
            "bne 2b",
            "ldr r9, [r11, #{odd}]",
            "cmp r9, #0",
            "beq 9f",
            ".ifnb \\acc",
            "ldm r1, {{r0, r2, r4, r6}}",
            ".endif",
            "vldrb.u8 q4, [r3]",
            "dots \\acc, q4, r0, r2, r4, r6",
            ".if \\two",
            "vldrb.u8 q4, [r5]",
            "dots a, q4, r0, r2, r4, r6",
            ".endif",
            "b 8f",
            ".endm",
            // The same of a part of a vector.
            ".macro two_parts acc",
            ".ifnb \\acc",
            "ldm r1, {{r0, r2, r4, r6, r8, r10, r12, lr}}",
            ".endif",
            "vpstt",
            "vldrbt.u8 q4, [r3]",
            "vldrbt.u8 q5, [r9]",
            "add r3, r3, r5",
            "add r9, r9, r5",
            "pair \\acc",
            "stm r1!, {{r0, r2, r4, r6, r8, r10, r12, lr}}",
            ".endm",
            ".macro part acc",
            "bmi 4f",
            "2:",
            "two_parts \\acc",
            "4:",
            "two_parts \\acc",
            "cmp r1, r7",
            "bne 2b",
            "ldr r9, [r11, #{odd}]",
            "cmp r9, #0",
            "beq 20b",
            ".ifnb \\acc",
            "ldm r1, {{r0, r2, r4, r6}}",
            ".endif",
            "vpst",
            "vldrbt.u8 q4, [r3]",
            "dots \\acc, q4, r0, r2, r4, r6",
            "stm r1, {{r0, r2, r4, r6}}",
            "b 20b",
            ".endm",
            "push {{r4-r11, lr}}",
            "vpush {{d8-d11}}",
            "mov r11, r0",
            "ldm r0, {{r1-r4, r7, r8}}", // groups, weights, hop, pixel, pieces, rest
            "movs r5, #0",
            "movs r6, #0",
            "push {{r1-r8}}",
            "ldr r9, [r11, #{blocks}]",
            "cmp r9, #0",
            "beq 20f",
            "1:", // a tap row, or two of the same inputs
            "ldr r9, [sp]",
            "ldm r9!, {{r0, r2, r4, r6, r8, r10}}", // inputs, steps, by, two
            "str r9, [sp]",
            "ldrd r3, r5, [sp, #12]", // pixel, block
            "mla r0, r2, r3, r0",
            "mla r0, r8, r5, r0",
            "vldrb.u8 q0, [r0]",
            "add r0, r0, r2",
            "vldrb.u8 q1, [r0]",
            "add r0, r0, r4",
            "vldrb.u8 q2, [r0]",
            "add r0, r0, r6",
            "vldrb.u8 q3, [r0]",
            "ldrd r3, r6, [sp, #4]", // weights, hop
            "add r5, r3, r6",
            "mla r8, r6, r10, r5",
            "str r8, [sp, #4]",
            "ldrd r1, r7, [r11, #{sums}]", // and end
            "ldr r9, [sp, #20]",
            "str r7, [sp, #20]",
            "cmp r10, #0",
            "beq 11f",
            "cmp r9, #0",
            "beq 10f",
            "walk a, 1",
            "10:",
            "walk , 1",
            "11:",
            "cmp r9, #0",
            "beq 10f",
            "walk a, 0",
            "10:",
            "walk , 0",
            "8:",
            "stm r1, {{r0, r2, r4, r6}}",
            "9:",
            "ldr r9, [sp]",
            "ldr r7, [r11, #{groups_end}]",
            "cmp r9, r7",
            "bne 1b",
            "ldr r9, [r11]",
            "str r9, [sp]",
            "ldr r9, [r11, #{blocks}]",
            "ldr r7, [sp, #16]",
            "adds r7, r7, #1",
            "str r7, [sp, #16]",
            "cmp r7, r9",
            "bne 1b",
            "20:", // what is left
            "ldr r9, [sp, #24]",
            "ldr r7, [r11, #{pieces_end}]",
            "cmp r9, r7",
            "beq 30f",
            "ldr r3, [sp, #12]",
            "21:",
            "ldm r9!, {{r0, r2, r4, r6, r8, r10, r12}}", // inputs, steps, to, n, len
            "mla r0, r2, r3, r0",
            "vctp.8 r10",
            "add r2, r2, r0",
            "add r4, r4, r2",
            "add r6, r6, r4",
            "vpstttt",
            "vldrbt.u8 q0, [r0]",
            "vldrbt.u8 q1, [r2]",
            "vldrbt.u8 q2, [r4]",
            "vldrbt.u8 q3, [r6]",
            "vpstttt",
            "vstrbt.8 q0, [r8]",
            "vstrbt.8 q1, [r8, #{line}]",
            "vstrbt.8 q2, [r8, #2*{line}]",
            "vstrbt.8 q3, [r8, #3*{line}]",
            "cmp r12, #0",
            "beq 21b",
            "str r9, [sp, #24]",
            "vctp.8 r12",
            "ldr r8, [r11, #{patch}]",
            "vldrb.u8 q0, [r8]",
            "vldrb.u8 q1, [r8, #{line}]",
            "vldrb.u8 q2, [r8, #2*{line}]",
            "vldrb.u8 q3, [r8, #3*{line}]",
            "ldr r0, [sp, #28]",
            "ldrd r2, r4, [r11, #{all}]", // and first
            "mla r3, r12, r4, r0",
            "mla r0, r12, r2, r0",
            "str r0, [sp, #28]",
            "add r9, r3, r12",
            "lsls r5, r12, #1",
            "ldrd r1, r7, [r11, #{sums}]", // and end
            "ldr r4, [sp, #20]",
            "str r7, [sp, #20]",
            "cmp r4, #0",
            "sub r4, r7, r1",
            "beq 10f",
            "lsls r4, r4, #26",
            "part a",
            "10:",
            "lsls r4, r4, #26",
            "part",
            "30:",
            "add sp, sp, #32",
            "vpop {{d8-d11}}",
            "pop {{r4-r11, pc}}",
            ".purgem dots",
            ".purgem pair",
            ".purgem two_columns",
            ".purgem walk",
            ".purgem two_parts",
            ".purgem part",
            blocks = const offset_of!(Columns, blocks),
            sums = const offset_of!(Columns, sums),
            odd = const offset_of!(Columns, odd),
            all = const offset_of!(Columns, all),
            groups_end = const offset_of!(Columns, groups_end),
            pieces_end = const offset_of!(Columns, pieces_end),
            patch = const offset_of!(Columns, patch),
            line = const VALUES,
        )
    }

    /// Four channels at a time: their biases lie at q0, totals at q1, kept at q2, scales at q3, multipliers at q4.
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn begin(all: *const Ready) {
        naked_asm!(
            ".cpu cortex-m55",
            "push {{r4-r10, lr}}",
            "vpush {{d8-d13}}",
            "ldm r0, {{r1-r9}}", // totals, kept, scales, bias and multipliers with their steps, zero, count
            "movs r10, #0",
            "vidup.u32 q5, r10, #1",
            "vmul.i32 q0, q5, r5",
            "vadd.i32 q0, q0, r4",
            "vmul.i32 q4, q5, r7",
            "vadd.i32 q4, q4, r6",
            "movs r10, #12",
            "vmul.i32 q5, q5, r10",
            "vadd.i32 q1, q5, r1",
            "vadd.i32 q2, q5, r2",
            "vadd.i32 q3, q5, r3",
            "movs r10, #48",
            "lsls r5, r5, #2",
            "lsls r7, r7, #2",
            "dlstp.32 lr, r9",
            "2:",
            "vldrw.u32 q6, [q0]",
            "vldrw.u32 q5, [q1]",
            "vmul.i32 q5, q5, r8",
            "vstrw.32 q5, [q2]",
            "vsub.i32 q6, q6, q5",
            "vldrw.u32 q5, [q1, #4]",
            "vmul.i32 q5, q5, r8",
            "vstrw.32 q5, [q2, #4]",
            "vsub.i32 q6, q6, q5",
            "vldrw.u32 q5, [q1, #8]",
            "vmul.i32 q5, q5, r8",
            "vstrw.32 q5, [q2, #8]",
            "vsub.i32 q6, q6, q5",
            "vstrw.32 q6, [q3]",
            "vldrw.u32 q5, [q4]",
            "vstrw.32 q5, [q3, #4]",
            "vldrw.u32 q5, [q4, #4]",
            "vstrw.32 q5, [q3, #8]",
            "vadd.i32 q0, q0, r5",
            "vadd.i32 q1, q1, r10",
            "vadd.i32 q2, q2, r10",
            "vadd.i32 q3, q3, r10",
            "vadd.i32 q4, q4, r7",
            "letp lr, 2b",
            "vpop {{d8-d13}}",
            "pop {{r4-r10, pc}}",
        )
    }

    /// Stamps the outputs of all channels: how a sum in a vector is multiplied by r6 into another one.
    macro_rules! outputs {
        ($name:ident, $($product:literal),+) => {
            #[unsafe(naked)]
            pub(super) unsafe extern "C" fn $name(all: *const Outputs) {
                naked_asm!(
                    ".cpu cortex-m55",
                    ".macro scaled to, acc",
                    $($product,)+
                    "vrshl.s32 \\to, r7",
                    ".endm",
                    "push {{r4-r10, lr}}",
                    "vpush {{d8-d13}}",
                    "ldm r0!, {{r4-r6}}", // y, channels, mask
                    "mov r10, #0",
                    "vidup.u16 q4, r10, #1",
                    "vmul.i16 q4, q4, r5",
                    "vmsr p0, r6",
                    "ldm r0, {{r1-r3, r5-r8}}", // sums, kept, scales, count, low, high, zero
                    "vdup.16 q5, r6",
                    "vdup.16 q6, r7",
                    "dls lr, r5",
                    "2:",
                    "ldm r3!, {{r5-r7}}", // bias, q, -e
                    "vldrw.u32 q0, [r1], #16",
                    "vldrw.u32 q1, [r1], #16",
                    "vldrw.u32 q2, [r1], #16",
                    "ldrd r9, r10, [r2]",
                    "vmov q3, q1",
                    "vshlc q0, r9, #32", // those of the pixels before
                    "vshlc q3, r10, #32",
                    "strd r9, r10, [r2], #12",
                    "vadd.i32 q0, q0, q2",
                    "vadd.i32 q0, q0, r5",
                    "vadd.i32 q1, q1, q0",
                    "vadd.i32 q3, q3, q0",
                    "scaled q0, q3",
                    "scaled q2, q1",
                    "vqmovnb.s32 q0, q0", // side by side as columns are
                    "vqmovnt.s32 q0, q2",
                    "vmax.s16 q0, q0, q5",
                    "vmin.s16 q0, q0, q6",
                    "vadd.i16 q0, q0, r8",
                    "vpst",
                    "vstrbt.16 q0, [r4, q4]",
                    "adds r4, r4, #1",
                    "le lr, 2b",
                    "vpop {{d8-d13}}",
                    "pop {{r4-r10, pc}}",
                    ".purgem scaled",
                )
            }
        };
    }
    outputs!(double, "vshr.s32 \\to, \\acc, #31", "vqrdmlah.s32 \\to, \\acc, r6");
    outputs!(single, "vqdmulh.s32 \\to, \\acc, r6");

    /// Stamps the output of each channel that adds up what is kept, four at a time: how sums in q0 are multiplied by q1.
    macro_rules! last {
        ($name:ident, $($product:literal),+) => {
            #[unsafe(naked)]
            pub(super) unsafe extern "C" fn $name(all: *const Outputs) {
                naked_asm!(
                    ".cpu cortex-m55",
                    "push {{r4-r8, lr}}",
                    "ldr r12, [r0], #{sums}",
                    "ldm r0, {{r1-r3, r5-r8}}", // sums, kept, scales, count, low, high, zero
                    "mov r0, r12",
                    "movs r4, #0",
                    "vidup.u32 q3, r4, #4",
                    "vadd.i32 q2, q3, q3",
                    "vadd.i32 q3, q3, q2", // channels lie twelve bytes apart
                    "adds r4, r3, #4",
                    "adds r1, r2, #4",
                    "dlstp.32 lr, r5",
                    "2:",
                    "vldrw.u32 q0, [r2, q3]",
                    "vldrw.u32 q1, [r1, q3]",
                    "vadd.i32 q0, q0, q1",
                    "adds r1, r1, #4",
                    "vldrw.u32 q1, [r1, q3]",
                    "vadd.i32 q0, q0, q1",
                    "vldrw.u32 q1, [r3, q3]",
                    "vadd.i32 q0, q0, q1",
                    "vldrw.u32 q1, [r4, q3]",
                    $($product,)+
                    "adds r4, r4, #4",
                    "vldrb.s32 q1, [r4, q3]",
                    "vrshl.s32 q0, q0, q1",
                    "vdup.32 q1, r6",
                    "vmax.s32 q0, q0, q1",
                    "vdup.32 q1, r7",
                    "vmin.s32 q0, q0, q1",
                    "vadd.i32 q0, q0, r8",
                    "vstrb.32 q0, [r0], #4",
                    "adds r2, r2, #48",
                    "adds r1, r1, #44",
                    "adds r3, r3, #48",
                    "adds r4, r4, #44",
                    "letp lr, 2b",
                    "pop {{r4-r8, pc}}",
                    sums = const offset_of!(Outputs, sums),
                )
            }
        };
    }
    last!(last_double, "vqrdmulh.s32 q1, q0, q1", "vshr.s32 q0, q0, #31", "vadd.i32 q0, q0, q1");
    last!(last_single, "vqdmulh.s32 q0, q0, q1");
}

/// The same steps in Rust.
#[cfg(not(target_arch = "arm"))]
mod model {
    use super::super::isa::output;
    use super::{Columns, Outputs, PIXELS, Pixels, Ready, Scale, VALUES, WIDE};

    /// A strip's pixels from this one on.
    fn from(pixels: Pixels, pixel: usize) -> [*const i8; PIXELS] {
        let Pixels { x, steps: [one, two, three] } = pixels;
        let x = x.wrapping_add(pixel * one);
        [0, one, one + two, one + two + three].map(|to| x.wrapping_add(to))
    }

    /// Adds to the sums of all columns.
    unsafe fn add(all: &Columns, x: [*const i8; PIXELS], w: *const i8, len: usize, added: &mut bool) {
        // SAFETY: the caller's.
        unsafe {
            let columns = all.end.offset_from(all.sums) as usize + all.odd;
            for c in 0..columns {
                let sums = if *added { all.sums.add(c).read() } else { [0; PIXELS] };
                let dot = |x: *const i8| (0..len).map(|i| i32::from(*x.add(i)) * i32::from(*w.add(c * len + i))).sum();
                let products: [i32; PIXELS] = x.map(dot);
                let sums = core::array::from_fn(|p| sums[p].wrapping_add(products[p]));
                all.sums.add(c).write(sums);
            }
        }
        *added = true;
    }

    pub(super) unsafe extern "C" fn columns(all: *const Columns) {
        // SAFETY: the caller's.
        unsafe {
            let (all, mut added) = (&*all, false);
            let mut w = all.w;
            for block in 0..all.blocks {
                let mut group = all.groups;
                while group != all.groups_end {
                    let x = from((*group).pixels, all.pixel).map(|x| x.wrapping_add(block * (*group).by));
                    for _ in 0..=(*group).two {
                        add(all, x, w, VALUES, &mut added);
                        w = w.wrapping_add(all.hop);
                    }
                    group = group.add(1);
                }
            }
            let (mut piece, mut rest) = (all.pieces, all.rest);
            while piece != all.pieces_end {
                let (to, n, len) = ((*piece).to, (*piece).n, (*piece).len);
                for (p, x) in from((*piece).pixels, all.pixel).into_iter().enumerate() {
                    to.add(p * VALUES).copy_from_nonoverlapping(x, n);
                }
                piece = piece.add(1);
                if len > 0 {
                    let x = [0, 1, 2, 3].map(|p| all.patch.add(p).cast::<i8>().cast_const());
                    add(all, x, rest.wrapping_add(all.first * len), len, &mut added);
                    rest = rest.wrapping_add(all.all * len);
                }
            }
        }
    }

    pub(super) unsafe extern "C" fn begin(all: *const Ready) {
        // SAFETY: the caller's.
        unsafe {
            let all = &*all;
            for o in 0..all.count {
                let outside = [0, 1, 2].map(|t| all.zero.wrapping_mul(*all.totals.add(3 * o + t)));
                let bias = outside.into_iter().fold(*all.bias.byte_add(o * all.bias_step), i32::wrapping_sub);
                let multiplier = *all.multipliers.byte_add(o * all.multiplier_step);
                all.kept.add(o).write(outside);
                all.scales.add(o).write(Scale { bias, multiplier });
            }
        }
    }

    unsafe fn scaled(all: &Outputs, scale: Scale, acc: i32, double: bool) -> i8 {
        let v = output(acc, scale.multiplier.q(), scale.multiplier.shift().into(), double);
        (v.max(all.low).min(all.high) + all.zero) as i8
    }

    unsafe fn outputs(all: *const Outputs, double: bool) {
        // SAFETY: the caller's.
        unsafe {
            let all = &*all;
            for c in 0..all.count {
                let [first, middle, last] = *all.sums.add(3 * c).cast::<[[i32; PIXELS]; 3]>();
                let (scale, kept) = (*all.scales.add(c), &mut *all.kept.add(c));
                for i in 0..WIDE {
                    let p = i / 2;
                    let with = scale.bias.wrapping_add(kept[0]).wrapping_add(last[p]);
                    let acc = with.wrapping_add([kept[1], middle[p]][i % 2]);
                    if (all.mask >> (2 * i)) & 3 == 3 {
                        *all.y.wrapping_add(i * all.channels + c) = scaled(all, scale, acc, double);
                    }
                    if i % 2 == 1 {
                        (kept[0], kept[1]) = (first[p], middle[p]);
                    }
                }
            }
        }
    }

    unsafe fn last(all: *const Outputs, double: bool) {
        // SAFETY: the caller's.
        unsafe {
            let all = &*all;
            for c in 0..all.count {
                let (scale, kept) = (*all.scales.add(c), *all.kept.add(c));
                let acc = kept.into_iter().fold(scale.bias, i32::wrapping_add);
                *all.y.add(c) = scaled(all, scale, acc, double);
            }
        }
    }

    pub(super) unsafe extern "C" fn double(all: *const Outputs) {
        // SAFETY: the caller's.
        unsafe { outputs(all, true) }
    }

    pub(super) unsafe extern "C" fn single(all: *const Outputs) {
        // SAFETY: the caller's.
        unsafe { outputs(all, false) }
    }

    pub(super) unsafe extern "C" fn last_double(all: *const Outputs) {
        // SAFETY: the caller's.
        unsafe { last(all, true) }
    }

    pub(super) unsafe extern "C" fn last_single(all: *const Outputs) {
        // SAFETY: the caller's.
        unsafe { last(all, false) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::testing::Random;
    use crate::{Activation, Quant};

    #[derive(Clone, Copy)]
    struct Rows<'r, 'x>(&'r [&'x [i8]]);

    impl<'x> Lines<'x, i8> for Rows<'_, 'x> {
        fn next(&mut self) -> (&'x [i8], usize) {
            let times = self.0.iter().take_while(|line| line.as_ptr() == self.0[0].as_ptr()).count();
            let line = self.0[0];
            self.0 = &self.0[times..];
            (line, times)
        }
    }

    #[test]
    fn rows_are_those_of_the_portable_loop() {
        let mut random = Random(5);
        for case in 0..if cfg!(miri) { 9 } else { 1200 } {
            let [most, wide] = if cfg!(miri) { [4, 7] } else { [CHANNELS + 9, 14] };
            let (count, pad, width) = (1 + random.below(most), case % 3, 1 + random.below(wide));
            let channels = [1 + random.below(16), 16 + 16 * random.below(3), 1 + random.below(40)][case / 3 % 3];
            let numbers = |n: usize, random: &mut Random| -> Vec<i32> {
                (0..n).map(|_| random.below(1 << 11) as i32 - (1 << 10)).collect()
            };
            let bias = numbers(count * (case % 2), &mut random);
            // Mostly ones that do not saturate.
            let most = if case % 7 == 0 { 0.4 } else { 0.0004 };
            let each = if case % 3 == 0 { 1 } else { count };
            let factors = (0..each).map(|_| most * (1 + random.below(100)) as f64 / 100.0);
            let multipliers: Vec<_> = factors.map(|m| Multiplier::from_real(m).unwrap()).collect();
            // Rows that are the one before, and rows outside.
            let rows = 1 + random.below(TAP_ROWS);
            let memory: Vec<Vec<i8>> =
                (0..rows).map(|_| (0..width * channels).map(|_| random.element()).collect()).collect();
            let mut lines: Vec<&[i8]> = memory.iter().map(|line| &line[..]).collect();
            for row in 0..rows {
                match random.below(4) {
                    0 => lines[row] = &[],
                    1 | 2 if row > 0 => lines[row] = lines[row - 1],
                    _ => {}
                }
            }
            let w: Vec<i8> = (0..rows * 3 * count * channels).map(|_| random.element()).collect();
            let zero = random.below(256) as i32 - 128;
            let rounding = if case % 4 < 2 { Rounding::TfliteDouble } else { Rounding::TfliteSingle };
            let activation = if case % 5 == 0 { Activation::Relu } else { Activation::None };
            let to = Quant::new(1.0, random.below(256) as i32 - 128);
            let requant = Requant::new(rounding, to.zero, activation.range::<i8>(to));
            // Outputs up to some pixels behind the input.
            let out = (2 * width + random.below(9) - pad).max(1);
            let mut strip = Strip {
                width,
                channels,
                zero,
                rows,
                columns: 3,
                factor: 2,
                kept: 1,
                behind: pad,
                to: [out, count],
                most: CHANNELS,
                w: &w,
                totals: &vec![0; 3 * count],
                bias: &bias,
                multipliers: &multipliers,
                requant,
            };
            // Σ w of each column: products with ones.
            let mut ones = vec![[0; PIXELS]; 3 * count];
            strip::products::<i8>(&Strip { zero: 1, ..strip }, &vec![&[][..]; rows], [0; 2], &mut ones);
            let totals: Vec<_> = ones.iter().map(|sums| sums[0]).collect();
            strip.totals = &totals;
            let all = Strips::new(strip);
            assert!(all.loops);
            let [mut ours, mut theirs] = [(); 2].map(|()| vec![77; out * count]);
            row(&all, Rows(&lines), &mut ours);
            strip::row(&all, Rows(&lines), &mut theirs);
            assert_eq!(ours, theirs, "case {case}");
        }
    }
}
