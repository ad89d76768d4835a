//! Cortex-M4, M7 and M33: `SMLAD` multiplies two pairs of 16-bit numbers and adds both products.
//!
//! A patch holds, for each four values, the pairs (0, 2) of four pixels and then their pairs (1, 3), the order in which `SXTB16` widens
//! four bytes; for int16 weights, which are pairs already, (0, 1) and (2, 3). Four values of a channel are then
//!
//! ```text
//! two pairs of weights                          1 LDR, 2 SXTB16 (int16: 2 LDR)
//! one pair of four pixels, twice                2 LDM
//! sums[p] += x[p] · w                           8 SMLAD
//! ```
//!
//! 13 instructions (12) for 16 products. Where two channels have two taps that neighbouring pixels share, no patch is needed: four values of a column are
//! widened once (1 LDR, 2 SXTAB16), for both taps of both channels (2 LDM, 8 SMLAD), whose weights are widened once a row.

#[cfg(not(target_arch = "arm"))]
mod model;

#[cfg(not(target_arch = "arm"))]
use super::quad::points::Point;
use super::quad::points::{Points, Row};
use super::quad::{Call, Channel, Columns, Halves, Loop, PIXELS, Spread, Strip, Strips};
use crate::Element;
use crate::arch::portable;
#[cfg(target_arch = "arm")]
use asm::{COLUMN_LOOPS, POINT_LOOPS, SPREAD, THREE_I8, halves};
#[cfg(target_arch = "arm")]
pub(super) use asm::{DIRECT_I8, I8, I16, gather, pixel, widen, widen_i16};
use core::mem::MaybeUninit;
#[cfg(not(target_arch = "arm"))]
use model::THREE_I8;
#[cfg(not(target_arch = "arm"))]
pub(super) use model::{DIRECT_I8, I8, I16, gather, pixel, widen, widen as widen_i16};

/// Values of a patch, a multiple of 4.
pub(crate) const CHUNK: usize = 64;
/// Output channels whose sums are held at once.
pub(crate) const SUMS: usize = 16;

/// Output channels whose inputs are read where they are; a patch that more of them share costs less.
pub(crate) const DIRECT: usize = 2;
/// Whether these inputs are taken as they are, and the zero point comes off the sums.
pub(super) const RAW: bool = false;

/// The inputs of four pixels in the order of their weights, widened: `x − offset`.
#[repr(C, align(8))]
pub(crate) struct Patch {
    /// Four values: two pairs, of each pixel.
    x: [[[[MaybeUninit<i16>; 2]; PIXELS]; 2]; CHUNK / 4],
}

impl Patch {
    pub(crate) fn new() -> Self {
        Patch { x: [[[[MaybeUninit::uninit(); 2]; PIXELS]; 2]; CHUNK / 4] }
    }

    /// What is subtracted from an input: the zero point, as long as the difference fits 16 bits.
    #[inline(always)]
    pub(crate) const fn offset<T: Element>(zero: i32) -> i32 {
        portable::Patch::offset::<T>(zero)
    }

    /// Pixel `p` has the inputs `x` from value `at` on, for int16 weights or others.
    #[inline(always)]
    pub(super) fn fill<T: Element>(&mut self, p: usize, at: usize, x: &[T], offset: i32, wide: bool) {
        for (at, x) in (at..).zip(x) {
            if let Some(quad) = self.x.get_mut(at / 4) {
                let [pair, half] = place(at, wide);
                quad[pair][p % PIXELS][half] = MaybeUninit::new((x.to_i32() - offset) as i16);
            }
        }
    }

    /// Value `at` of pixel `p`.
    ///
    /// # Safety
    /// It has been filled.
    pub(super) unsafe fn get(&self, p: usize, at: usize, wide: bool) -> i32 {
        let [pair, half] = place(at, wide);
        let pair = self.x.get(at / 4).and_then(|quad| quad.get(pair)).and_then(|pair| pair.get(p));
        // SAFETY: the caller's.
        pair.and_then(|pair| pair.get(half)).map_or(0, |x| unsafe { x.assume_init() }.into())
    }
}

/// The pair of value `at` among its four's, and its half.
#[inline(always)]
fn place(at: usize, wide: bool) -> [usize; 2] {
    let [low, high] = [at % 2, at / 2 % 2];
    if wide { [high, low] } else { [low, high] }
}

/// Where sums become int16 outputs.
pub(super) const HALVES: Option<Halves> = Some(halves);

/// Two channels of two taps that neighbouring pixels share.
pub(super) const COLUMNS: Option<Columns> =
    Some(Columns { words: 2, spread: Some(SPREAD), most: 32, loops: COLUMN_LOOPS });

/// The last three pixels of a group.
pub(super) const THREE: Option<&[Loop; 3]> = Some(&THREE_I8);

/// Pixels in registers, rounded twice and once.
pub(super) const POINTS: Option<[Points; 2]> = Some(POINT_LOOPS);

/// q, h and e are those of the formulas.
pub(super) const MORE: i32 = 0;

/// q as the loops take it.
#[inline(always)]
pub(super) const fn factor(q: i32) -> i32 {
    q
}

/// By `SMMLAR`, or `SMMLA` once: the upper word of `h · 2^32 + 2 acc · q`, rounded or cut off.
#[cfg(not(target_arch = "arm"))]
fn scaled(acc: i32, q: i32, h: i32, single: bool) -> i32 {
    let (h, half) = if single { (h, 0) } else { (h + (acc >> 31), 1 << 31) };
    let sum = (i64::from(h) << 32) + half;
    (sum.wrapping_add(i64::from(acc.wrapping_shl(1)) * i64::from(q)) >> 32) as i32
}

#[cfg(not(target_arch = "arm"))]
unsafe extern "C" fn halves(mut channel: *const Channel<i32>, end: *const Channel<i32>, mut y: *mut i16, pitch: usize) {
    // SAFETY: the caller's.
    unsafe {
        while channel != end {
            let Channel { sums, q, h, e, .. } = *channel;
            for (p, acc) in sums.into_iter().enumerate() {
                let v = scaled(acc, q, h, true) >> e;
                *y.byte_add(p * pitch) = v.clamp(i16::MIN.into(), i16::MAX.into()) as i16;
            }
            (channel, y) = (channel.add(1), y.add(1));
        }
    }
}

/// Pairs (0, 2) of four values, then their pairs (1, 3).
#[cfg(not(target_arch = "arm"))]
enum Weights {}

#[cfg(not(target_arch = "arm"))]
impl model::Order for Weights {
    type Weight = i16;

    fn place(_: usize, _: usize, i: usize, j: usize) -> usize {
        let [pair, half] = place(i, false);
        2 * (8 * (i / 4) + 4 * pair + j) + half
    }
}

#[cfg(not(target_arch = "arm"))]
const COLUMN_LOOPS: [Strips; 2] = [model::columns::<Weights, false>, model::columns::<Weights, true>];
#[cfg(not(target_arch = "arm"))]
const SPREAD: Spread = model::spread::<Weights>;
#[cfg(not(target_arch = "arm"))]
const POINT_LOOPS: [Points; 2] = [points::<false>, points::<true>];

#[cfg(not(target_arch = "arm"))]
unsafe extern "C" fn points<const SINGLE: bool>(row: *mut Row) {
    // SAFETY: the caller's.
    unsafe {
        let &mut Row { points, end, mut w, mut y, mut x, zero, step, next, count } = &mut *row;
        let mut point = points;
        while point != end {
            for i in 0..16 {
                let [pair, half] = place(i, false);
                (*point).w[i / 4 * 2 + pair].as_mut_ptr().cast::<i16>().add(half).write(2 * i16::from(*w.add(i)));
            }
            (point, w) = (point.add(1), w.add(16));
        }
        for _ in 0..count {
            let mut point = points;
            loop {
                let Point { bias, w, q, h, e } = *point;
                let sum = (0..16).fold(bias, |sum, i| {
                    let [pair, half] = place(i, false);
                    let w = w[i / 4 * 2 + pair].assume_init()[half];
                    sum.wrapping_add((i32::from(*x.add(i)) - zero) * i32::from(w))
                });
                y.write((scaled(sum / 2, q, h, SINGLE) >> (e & 0xFF)).clamp(i8::MIN.into(), i8::MAX.into()) as i8);
                (point, y) = (point.add(1), y.add(1));
                if e < 0 {
                    break;
                }
            }
            (x, y) = (x.add(step), y.add(next));
        }
    }
}

/// The instructions themselves.
#[cfg(target_arch = "arm")]
mod asm {
    use super::super::quad::{Lines, fill, four};
    use super::*;
    use core::arch::naked_asm;

    /// [`Patch::fill`] of all pixels with n values each, at least one.
    ///
    /// # Safety
    /// The inputs can be read, and the patch has room.
    #[inline(always)]
    pub(in super::super) unsafe fn widen(
        patch: &mut Patch,
        at: usize,
        x: &[*const i8; PIXELS],
        n: usize,
        offset: i32,
        wide: bool,
    ) {
        let each = if wide { widen_wide } else { widen_all };
        // SAFETY: the caller's.
        unsafe { each(patch.x.as_mut_ptr().cast(), x, n, offset, at) };
    }

    /// The same for 16-bit inputs, which stay what they are.
    ///
    /// # Safety
    /// The inputs can be read, and the patch has room.
    #[inline(always)]
    pub(in super::super) unsafe fn widen_i16(
        patch: &mut Patch,
        at: usize,
        x: &[*const i16; PIXELS],
        n: usize,
        offset: i32,
        wide: bool,
    ) {
        if at.is_multiple_of(4) {
            let each = if wide { wide_quads } else { pair_quads };
            // SAFETY: the caller's.
            unsafe { each(patch.x.as_mut_ptr().add(at / 4).cast(), x, n) };
        } else {
            // SAFETY: the caller's.
            unsafe { fill_all(patch, at, x, n, offset, wide) };
        }
    }

    /// By itself, so that its registers are not those of the loop around it.
    #[inline(never)]
    unsafe fn fill_all(patch: &mut Patch, at: usize, x: &[*const i16; PIXELS], n: usize, offset: i32, wide: bool) {
        // SAFETY: the caller's.
        unsafe { fill(patch, at, x, n, offset, wide) };
    }

    /// Stamps the copy of 16-bit values from the first of four on: how a and r12, which hold four, become a and b, whether two in a are a pair, and how
    /// far behind them a third one lies.
    macro_rules! quads {
        ($name:ident, [$($pairs:literal),+], $pair:literal, $third:literal) => {
            #[unsafe(naked)]
            unsafe extern "C" fn $name(to: *mut (), x: &[*const i16; PIXELS], n: usize) {
                naked_asm!(
                    ".cpu cortex-m33",
                    ".macro pair x, a, b",
                    "ldr \\a, [\\x], #4",
                    "ldr r12, [\\x], #4",
                    $($pairs,)+
                    ".endm",
                    ".macro two x, a, b",
                    "ldr \\a, [\\x], #4",
                    concat!(".if ", $pair, " == 0"),
                    "lsr \\b, \\a, #16",
                    ".endif",
                    ".endm",
                    "push {{r2, r4-r11, lr}}",
                    "ldmia r1, {{r1, r2, r3, lr}}",
                    "b 3f",
                    "2:",
                    "pair r1, r4, r8",
                    "pair r2, r5, r9",
                    "pair r3, r6, r10",
                    "pair lr, r7, r11",
                    "stmia r0!, {{r4-r11}}",
                    "3:",
                    "ldr r12, [sp]",
                    "subs r12, r12, #4",
                    "str r12, [sp]",
                    "bhs 2b",
                    "lsls r12, r12, #31", // n mod 4: bit 1 into the carry
                    "bcc 4f",
                    "two r1, r4, r8",
                    "two r2, r5, r9",
                    "two r3, r6, r10",
                    "two lr, r7, r11",
                    "stmia r0, {{r4-r11}}",
                    concat!("add r0, r0, #", $third),
                    "4:",
                    "beq 5f",
                    "ldrh r4, [r1]",
                    "ldrh r5, [r2]",
                    "ldrh r6, [r3]",
                    "ldrh r7, [lr]",
                    "strh r4, [r0]",
                    "strh r5, [r0, #4]",
                    "strh r6, [r0, #8]",
                    "strh r7, [r0, #12]",
                    "5:",
                    "pop {{r2, r4-r11, pc}}",
                    ".purgem pair",
                    ".purgem two",
                )
            }
        };
    }
    quads!(pair_quads, ["pkhtb \\b, r12, \\a, asr #16", "pkhbt \\a, \\a, r12, lsl #16"], "0", "2");
    quads!(wide_quads, ["mov \\b, r12"], "1", "16");

    /// Stamps the widening of bytes: four of each pixel to r4 to r11, and a value's place in r10 to its distance in r9.
    ///
    /// Four values four times at a time from the first of four on, or two, others one by one: the next one's place among four is r10. On the stack: where
    /// the first pixel's last sixteen values start, and their end.
    macro_rules! widen {
        ($name:ident, [$($quad:literal),+], [$($place:literal),+]) => {
            #[unsafe(naked)]
            unsafe extern "C" fn $name(to: *mut (), x: &[*const i8; PIXELS], n: usize, offset: i32, at: usize) {
                naked_asm!(
                    ".cpu cortex-m33",
                    // A pixel's bytes, by way of r and t.
                    ".macro pairs load, size, x, a, b, r, t",
                    "\\load \\t, [\\x], #\\size",
                    "sxtab16 \\r, r12, \\t",
                    "sxtab16 \\t, r12, \\t, ror #8",
                    "pkhbt \\a, \\r, \\t, lsl #16",
                    "pkhtb \\b, \\t, \\r, asr #16",
                    ".endm",
                    ".macro quad load, size",
                    $($quad,)+
                    ".endm",
                    "push {{r4-r11, lr}}",
                    "ldr r10, [sp, #36]",
                    "rsb r3, r3, #0",
                    "pkhbt r12, r3, r3, lsl #16",
                    "bic r11, r10, #3",
                    "add r0, r0, r11, lsl #3",
                    "mov r11, r2",
                    "ldmia r1, {{r1, r2, r3, lr}}",
                    "add r5, r1, r11",
                    "sub r4, r5, #16",
                    "push {{r4, r5}}",
                    "ands r10, r10, #3",
                    "bne 4f",
                    "7:",
                    "ubfx r10, r11, #2, #2", // quads before a multiple of four of them
                    "tbb [pc, r10]",
                    "9:",
                    ".byte (6f-9b)/2, (11f-9b)/2, (12f-9b)/2, (13f-9b)/2",
                    "2:",
                    "quad ldr, 4",
                    "stmia r0!, {{r4-r11}}",
                    "13:",
                    "quad ldr, 4",
                    "stmia r0!, {{r4-r11}}",
                    "12:",
                    "quad ldr, 4",
                    "stmia r0!, {{r4-r11}}",
                    "11:",
                    "quad ldr, 4",
                    "stmia r0!, {{r4-r11}}",
                    "6:",
                    "ldrd r10, r11, [sp]",
                    "subs r10, r10, r1", // a distance: addresses may lie about 0
                    "bpl 2b",
                    "subs r10, r11, r1",
                    "beq 5f",
                    "ands r10, r10, #2",
                    "beq 4f",
                    "quad ldrh, 2",
                    "stmia r0, {{r4-r11}}",
                    "mov r10, #2",
                    "3:",
                    "ldr r11, [sp, #4]",
                    "cmp r1, r11",
                    "beq 5f",
                    "4:",
                    $($place,)+
                    "add r9, r9, r0",
                    "ldrsb r4, [r1], #1",
                    "ldrsb r5, [r2], #1",
                    "ldrsb r6, [r3], #1",
                    "ldrsb r7, [lr], #1",
                    "add r4, r4, r12",
                    "add r5, r5, r12",
                    "add r6, r6, r12",
                    "add r7, r7, r12",
                    "strh r4, [r9]",
                    "strh r5, [r9, #4]",
                    "strh r6, [r9, #8]",
                    "strh r7, [r9, #12]",
                    "add r10, r10, #1",
                    "ands r10, r10, #3",
                    "bne 3b",
                    "add r0, r0, #32",
                    "ldr r11, [sp, #4]",
                    "sub r11, r11, r1",
                    "b 7b",
                    "5:",
                    "pop {{r2-r11, pc}}",
                    ".purgem pairs",
                    ".purgem quad",
                )
            }
        };
    }
    widen!(
        widen_all,
        [
            "\\load r8, [r1], #\\size",
            "\\load r9, [r2], #\\size",
            "\\load r10, [r3], #\\size",
            "\\load r11, [lr], #\\size",
            "sxtab16 r4, r12, r8",
            "sxtab16 r5, r12, r9",
            "sxtab16 r6, r12, r10",
            "sxtab16 r7, r12, r11",
            "sxtab16 r8, r12, r8, ror #8",
            "sxtab16 r9, r12, r9, ror #8",
            "sxtab16 r10, r12, r10, ror #8",
            "sxtab16 r11, r12, r11, ror #8"
        ],
        ["and r8, r10, #1", "and r9, r10, #2", "add r9, r9, r8, lsl #4"]
    );
    widen!(
        widen_wide,
        [
            "pairs \\load, \\size, r1, r4, r8, r10, r11",
            "pairs \\load, \\size, r2, r5, r9, r10, r11",
            "pairs \\load, \\size, r3, r6, r10, r7, r11",
            // No register is left: r7 = (0, 2) and r11 = (1, 3) exchange two halves.
            "\\load r11, [lr], #\\size",
            "sxtab16 r7, r12, r11",
            "sxtab16 r11, r12, r11, ror #8",
            "eor r7, r7, r11, lsl #16",
            "eor r11, r11, r7, lsr #16",
            "eor r7, r7, r11, lsl #16"
        ],
        ["and r8, r10, #2", "and r9, r10, #1", "lsl r9, r9, #1", "add r9, r9, r8, lsl #3"]
    );

    /// [`Patch::fill`] of all pixels with the values of some rows.
    ///
    /// # Safety
    /// The inputs can be read, there are some, and the patch has room.
    #[inline(always)]
    pub(in super::super) unsafe fn gather(patch: &mut Patch, x: *const i8, lines: &Lines, wide: bool) {
        if !lines.len.is_multiple_of(2) {
            // SAFETY: the caller's.
            return unsafe { gather_odd(patch, x, lines, wide) };
        }
        // SAFETY: the caller's.
        unsafe { (if wide { gather_wide } else { gather_all })(patch.x.as_mut_ptr().cast(), x, lines) };
    }

    #[inline(never)]
    unsafe fn gather_odd(patch: &mut Patch, mut x: *const i8, lines: &Lines, wide: bool) {
        for row in 0..lines.rows {
            // SAFETY: the caller's.
            unsafe { widen(patch, row * lines.len, &four(x, lines.step), lines.len, lines.zero, wide) };
            x = x.wrapping_add(lines.line);
        }
    }

    /// Stamps it for rows of an even number of values: four of each pixel, of which r4 to r7 hold the bytes, and two, which r4 to r7 hold as pairs; whether two follow
    /// four at most, or all are two by two.
    ///
    /// On the stack: values of a row, rows that are left, how far behind a row the next one lies. r1 and r9 are where the first two pixels are, r2 the step, r12 twice what
    /// is added to an input.
    macro_rules! gather {
        ($name:ident, [$($four:literal),+], [$($two:literal),+], $mixed:literal) => {
            #[unsafe(naked)]
            unsafe extern "C" fn $name(to: *mut (), x: *const i8, lines: &Lines) {
                naked_asm!(
                    ".cpu cortex-m33",
                    ".macro load load, size",
                    "\\load r6, [r1, r2, lsl #1]",
                    "\\load r7, [r9, r2, lsl #1]",
                    "\\load r4, [r1], #\\size",
                    "\\load r5, [r9], #\\size",
                    ".endm",
                    // Bytes (0, 1) in the lower half become halves.
                    ".macro pair x",
                    "orr \\x, \\x, \\x, lsl #8",
                    "sxtab16 \\x, r12, \\x",
                    ".endm",
                    ".macro two",
                    "load ldrh, 2",
                    "pair r4",
                    "pair r5",
                    "pair r6",
                    "pair r7",
                    $($two,)+
                    ".endm",
                    "push {{r4-r11, lr}}",
                    "ldmia r2, {{r2-r6}}",
                    "rsb r6, r6, #0",
                    "pkhbt r12, r6, r6, lsl #16",
                    "sub r5, r5, r3",
                    "push {{r3-r5}}",
                    "mov r8, #2",
                    "2:", // a row
                    "add r9, r1, r2",
                    concat!(".if ", $mixed, " == 0"),
                    "lsls r4, r3, #31",
                    "bcs 6f",
                    ".endif",
                    "subs r3, r3, #4",
                    "blo 4f",
                    "3:",
                    "load ldr, 4",
                    $($four,)+
                    "stmia r0!, {{r4-r7}}",
                    "stmia r0!, {{r8, r10, r11, lr}}",
                    "subs r3, r3, #4",
                    "bhs 3b",
                    "4:",
                    concat!(".if ", $mixed, " == 1"),
                    "lsls r3, r3, #31", // bit 1 into the carry
                    "bcc 5f",
                    "two",
                    ".endif",
                    "5:",
                    "ldmia sp, {{r3-r5}}",
                    "add r1, r1, r5",
                    "subs r4, r4, #1",
                    "str r4, [sp, #4]",
                    "bne 2b",
                    "add sp, sp, #12",
                    "pop {{r4-r11, pc}}",
                    concat!(".if ", $mixed, " == 0"),
                    "6:",
                    "two",
                    "subs r3, r3, #2",
                    "bne 6b",
                    "b 5b",
                    ".endif",
                    ".purgem load",
                    ".purgem pair",
                    ".purgem two",
                )
            }
        };
    }
    gather!(
        gather_wide,
        [
            "sxtab16 lr, r12, r4",
            "sxtab16 r8, r12, r4, ror #8",
            "pkhbt r4, lr, r8, lsl #16",
            "pkhtb r8, r8, lr, asr #16",
            "sxtab16 lr, r12, r5",
            "sxtab16 r10, r12, r5, ror #8",
            "pkhbt r5, lr, r10, lsl #16",
            "pkhtb r10, r10, lr, asr #16",
            "sxtab16 lr, r12, r6",
            "sxtab16 r11, r12, r6, ror #8",
            "pkhbt r6, lr, r11, lsl #16",
            "pkhtb r11, r11, lr, asr #16",
            // No register is left: two halves are exchanged.
            "sxtab16 lr, r12, r7, ror #8",
            "sxtab16 r7, r12, r7",
            "eor r7, r7, lr, lsl #16",
            "eor lr, lr, r7, lsr #16",
            "eor r7, r7, lr, lsl #16"
        ],
        ["stmia r0!, {{r4-r7}}"],
        1
    );
    gather!(
        gather_all,
        [
            "sxtab16 r8, r12, r4, ror #8",
            "sxtab16 r10, r12, r5, ror #8",
            "sxtab16 r11, r12, r6, ror #8",
            "sxtab16 lr, r12, r7, ror #8",
            "sxtab16 r4, r12, r4",
            "sxtab16 r5, r12, r5",
            "sxtab16 r6, r12, r6",
            "sxtab16 r7, r12, r7"
        ],
        [
            "strh r4, [r0]",
            "strh r5, [r0, #4]",
            "strh r6, [r0, #8]",
            "strh r7, [r0, #12]",
            "lsr r4, r4, #16",
            "lsr r5, r5, #16",
            "lsr r6, r6, #16",
            "lsr r7, r7, #16",
            "strh r4, [r0, #16]",
            "strh r5, [r0, #20]",
            "strh r6, [r0, #24]",
            "strh r7, [r0, #28]",
            // In turn the other halves, and the next four.
            "add r0, r0, r8",
            "eor r8, r8, #28"
        ],
        0
    );

    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn halves(
        channel: *const Channel<i32>,
        end: *const Channel<i32>,
        y: *mut i16,
        pitch: usize,
    ) {
        naked_asm!(
            ".cpu cortex-m33",
            ".macro output acc",
            "lsl \\acc, \\acc, #1",
            "smmla \\acc, \\acc, r8, r9",
            "asr \\acc, \\acc, r10",
            "ssat \\acc, #16, \\acc",
            ".endm",
            "push {{r4-r11, lr}}",
            "2:", // a channel
            "ldmia r0!, {{r4-r11}}",
            "output r4",
            "output r5",
            "output r6",
            "output r7",
            "add r12, r2, r3",
            "strh r5, [r2, r3]",
            "strh r6, [r2, r3, lsl #1]",
            "strh r7, [r12, r3, lsl #1]",
            "strh r4, [r2], #2",
            "cmp r0, r1",
            "bne 2b",
            "pop {{r4-r11, pc}}",
            ".purgem output",
        )
    }

    /// An output of a sum, a register to write to, and those of q, h and e.
    macro_rules! rounding {
        () => {
            concat!(
                ".macro double acc, low=lr, q=r8, h=r9, e=r10\n",
                "add \\low, \\h, \\acc, asr #31\n",
                "lsl \\acc, \\acc, #1\n",
                "smmlar \\acc, \\acc, \\q, \\low\n",
                "asr \\acc, \\acc, \\e\n",
                "ssat \\acc, #8, \\acc\n",
                ".endm\n",
                ".macro single acc, low=lr, q=r8, h=r9, e=r10\n",
                "lsl \\acc, \\acc, #1\n",
                "smmla \\acc, \\acc, \\q, \\h\n",
                "asr \\acc, \\acc, \\e\n",
                "ssat \\acc, #8, \\acc\n",
                ".endm",
            )
        };
    }

    /// Pixels in registers: r4 to r11 hold one, r0 is the channel, r1 the output; r2 says how it is rounded.
    ///
    /// On the stack: x, minus the zero point twice, the step, what is added to y after a pixel, the channels, pixels that are left, the loop.
    #[unsafe(naked)]
    unsafe extern "C" fn points(row: *mut Row, _: u32, single: u32) {
        naked_asm!(
            ".cpu cortex-m33",
            ".macro quad at, a, b",
            "ldr \\b, [r0, #\\at]",
            "sxtab16 \\a, r12, \\b",
            "sxtab16 \\b, r12, \\b, ror #8",
            ".endm",
            ".macro twice a, b",
            "ldr r12, [r3], #4",
            "sxtb16 \\a, r12",
            "sxtb16 \\b, r12, ror #8",
            "sxtab16 \\a, \\a, r12",
            "sxtab16 \\b, \\b, r12, ror #8",
            ".endm",
            ".macro channels scale:vararg",
            "1:",
            "ldmia r0!, {{r2, r3, r12, lr}}",
            "smlad r2, r4, r3, r2",
            "smlad r2, r5, r12, r2",
            "smlad r2, r6, lr, r2",
            "ldmia r0!, {{r3, r12, lr}}",
            "smlad r2, r7, r3, r2",
            "smlad r2, r8, r12, r2",
            "smlad r2, r9, lr, r2",
            "ldmia r0!, {{r3, r12, lr}}",
            "smlad r2, r10, r3, r2",
            "smlad r2, r11, r12, r2",
            "ldrd r3, r12, [r0], #8",
            "\\scale",
            "asr r2, r2, r12", // its lowest byte
            "ssat r2, #8, r2",
            "strb r2, [r1], #1",
            "cmp r12, #0",
            "bge 1b",
            ".endm",
            ".macro double",
            "add r3, r3, r2, asr #31",
            "smmlar r2, r2, lr, r3",
            ".endm",
            "push {{r4-r11, lr}}",
            "ldmia r0, {{r3-r11}}",
            "rsb r7, r7, #0",
            "pkhbt r7, r7, r7, lsl #16",
            "adr r12, 4f + 1",
            "cbz r2, 1f",
            "adr r12, 5f + 1",
            "1:",
            "push {{r6-r12}}",
            "mov lr, r4",
            "mov r0, r5",
            "mov r1, r10",
            "2:", // the weights of a channel
            "twice r4, r5",
            "twice r6, r7",
            "twice r8, r9",
            "twice r10, r11",
            "adds r1, r1, #4",
            "stmia r1!, {{r4-r11}}",
            "adds r1, r1, #12",
            "cmp r1, r0",
            "bne 2b",
            "mov r1, lr",
            "3:", // a pixel
            "ldrd r0, r12, [sp]",
            "quad 0, r4, r5",
            "quad 4, r6, r7",
            "quad 8, r8, r9",
            "quad 12, r10, r11",
            "ldr r2, [sp, #8]",
            "add r0, r0, r2",
            "str r0, [sp]",
            "ldr r0, [sp, #16]",
            "ldr pc, [sp, #24]",
            "4:",
            "channels double",
            "b 6f",
            "5:",
            "channels smmla r2, r2, lr, r3",
            "6:",
            "ldr r3, [sp, #12]",
            "ldr r2, [sp, #20]",
            "add r1, r1, r3",
            "subs r2, r2, #1",
            "str r2, [sp, #20]",
            "bne 3b",
            "add sp, sp, #28",
            "pop {{r4-r11, pc}}",
            ".purgem quad",
            ".purgem twice",
            ".purgem channels",
            ".purgem double",
        )
    }

    #[unsafe(naked)]
    unsafe extern "C" fn points_double(row: *mut Row) {
        naked_asm!("mov r2, #0", "b {}", sym points)
    }

    #[unsafe(naked)]
    unsafe extern "C" fn points_single(row: *mut Row) {
        naked_asm!("mov r2, #1", "b {}", sym points)
    }
    /// The loops over pixels in registers that end with outputs rounded twice and once.
    pub(super) const POINT_LOOPS: [Points; 2] = [points_double, points_single];

    pub(super) const SPREAD: Spread = spread_weights;

    #[unsafe(naked)]
    unsafe extern "C" fn spread_weights(to: *mut i32, w: *const i8, next: usize, step: usize, rows: usize) {
        naked_asm!(
            ".cpu cortex-m33",
            "push {{r4-r11, lr}}",
            "ldr r12, [sp, #36]",
            "add r2, r2, r1",
            "2:", // a row
            "mov lr, r3",
            "3:",
            "ldr r8, [r1, r3]",
            "ldr r9, [r2, r3]",
            "ldr r10, [r1], #4",
            "ldr r11, [r2], #4",
            "sxtb16 r4, r8",
            "sxtb16 r5, r9",
            "sxtb16 r6, r10",
            "sxtb16 r7, r11",
            "sxtb16 r8, r8, ror #8",
            "sxtb16 r9, r9, ror #8",
            "sxtb16 r10, r10, ror #8",
            "sxtb16 r11, r11, ror #8",
            "stmia r0!, {{r4-r11}}",
            "subs lr, lr, #4",
            "bne 3b",
            "add r1, r1, r3",
            "add r2, r2, r3",
            "subs r12, r12, #1",
            "bne 2b",
            "pop {{r4-r11, pc}}",
        )
    }

    /// Stamps the loop over channels: pixels, bytes of a weight, how four are brought to r12 and lr, how one is loaded. r12 says what becomes of the sums.
    /// Of three pixels, the last ones of a group, y is the first one's.
    ///
    /// On the stack: x, n - 4, where the loop over 32 values is entered, `next`, `end`, y, pitch, three times pitch, where it goes on with the last ones, and
    /// where they end.
    macro_rules! stamp {
        ($name:ident, $pixels:literal, $size:literal; $($load:literal),+; $one:literal) => {
            #[unsafe(naked)]
            unsafe extern "C" fn $name(call: *const Call) {
                naked_asm!(
                    ".cpu cortex-m33",
                    // Sums of four pixels in r4 ..= r7, their values in r8 ..= r11.
                    ".macro pairs w",
                    "ldmia r0!, {{r8-r11}}",
                    concat!(".if ", $pixels, " == 4"),
                    "smlad r4, r8, \\w, r4",
                    ".endif",
                    "smlad r5, r9, \\w, r5",
                    "smlad r6, r10, \\w, r6",
                    "smlad r7, r11, \\w, r7",
                    ".endm",
                    ".macro quad",
                    $($load,)+
                    "pairs r12",
                    "pairs lr",
                    ".endm",
                    // One value, in one half of the registers.
                    ".macro one half, at",
                    concat!($one, " r12, [r2, #\\at*", $size, "]"),
                    concat!(".if ", $pixels, " == 4"),
                    "smla\\half\\()b r4, r8, r12, r4",
                    ".endif",
                    "smla\\half\\()b r5, r9, r12, r5",
                    "smla\\half\\()b r6, r10, r12, r6",
                    "smla\\half\\()b r7, r11, r12, r7",
                    ".endm",
                    rounding!(),
                    ".macro again",
                    "ldmia sp, {{r0, r1, r8-r12, lr}}",
                    ".endm",
                    ".macro outputs round",
                    "ldmia r3!, {{r8-r11}}",
                    "\\round r5, r11",
                    "\\round r6, r11",
                    "\\round r7, r11",
                    concat!(".if ", $pixels, " == 4"),
                    "\\round r4, r11",
                    "again",
                    "strb r5, [r11, r12]",
                    "strb r6, [r11, r12, lsl #1]",
                    "strb r7, [r11, lr]",
                    "strb r4, [r11], #1",
                    ".else",
                    "again",
                    "strb r6, [r11, r12]",
                    "strb r7, [r11, r12, lsl #1]",
                    "strb r5, [r11], #1",
                    ".endif",
                    "str r11, [sp, #20]",
                    ".endm",
                    ".macro next",
                    "add r2, r2, r9",
                    "cmp r3, r10",
                    "bne 2b",
                    "add sp, sp, #40",
                    "pop {{r4-r11, pc}}",
                    ".endm",

                    "push {{r4-r11, lr}}",
                    "ldmia r0, {{r0-r7}}",
                    "adr r10, 5f + 1",
                    "ldrb r9, [r10]",
                    "ldrb r12, [r10, r12]",
                    "sub r1, r1, #4",
                    "ubfx r8, r1, #2, #3",
                    "adr r11, 9f + 1",
                    "mls r8, r8, r9, r11",
                    "add r12, r10, r12, lsl #1",
                    "ands r9, r1, #3",
                    concat!("add r4, r4, r9, lsl #", $size, "-1"), // the last ones do not move r2
                    "itee eq",
                    "moveq r10, r12",
                    "ldrbne r9, [r10, r9]",
                    "addne r10, r10, r9, lsl #1",
                    "cmp r1, #0", // without quads to the last ones at once
                    "it lt",
                    "movlt r8, r10",
                    "add r9, r7, r7, lsl #1",
                    "push {{r4-r7, r9, r10, r12}}",
                    "push {{r0, r1, r8}}",
                    "2:", // a channel
                    "ldmia r3!, {{r4-r7}}",
                    "bx r8", // one to eight quads before 4
                    "3:",
                    "quad",
                    "quad",
                    "quad",
                    "quad",
                    "quad",
                    "quad",
                    "quad",
                    "9:",
                    "quad",
                    "4:",
                    "subs r1, r1, #32",
                    "bhs 3b",
                    "ldr pc, [sp, #32]",
                    "5:", // the code of a quad; half the way to n mod 4 values, and to each end
                    ".byte 0, (4b-3b)/8, (11f-5b)/2, (12f-5b)/2, (13f-5b)/2, (6f-5b)/2, (7f-5b)/2, (8f-5b)/2",
                    "13:",
                    "ldmia r0!, {{r8-r11}}",
                    "one b, 0",
                    concat!("one t, 2/", $size),
                    "ldmia r0, {{r8-r11}}",
                    concat!("one b, ", $size),
                    "ldr pc, [sp, #36]",
                    "11:",
                    "ldmia r0, {{r8-r11}}",
                    "one b, 0",
                    "ldr pc, [sp, #36]",
                    "12:",
                    "ldmia r0!, {{r8-r11}}",
                    "one b, 0",
                    concat!(".if ", $size, " == 1"),
                    "ldmia r0, {{r8-r11}}",
                    "one b, 1",
                    ".else",
                    "one t, 1",
                    ".endif",
                    "ldr pc, [sp, #36]",
                    "6:",
                    "stmdb r3, {{r4-r7}}",
                    "adds r3, r3, #16",
                    "again",
                    "next",
                    "7:",
                    "outputs double",
                    "next",
                    "8:",
                    "outputs single",
                    "next",
                    ".purgem pairs",
                    ".purgem quad",
                    ".purgem one",
                    ".purgem double",
                    ".purgem single",
                    ".purgem again",
                    ".purgem outputs",
                    ".purgem next",
                )
            }
        };
    }

    /// The loops that end with sums, and with outputs rounded twice and once.
    macro_rules! weights {
        ($all:ident: $name:ident $($end:ident $number:literal),+; $($load:tt)+) => {
            stamp!($name, $($load)+);
            $(
                #[unsafe(naked)]
                unsafe extern "C" fn $end(call: *const Call) {
                    naked_asm!(concat!("mov r12, #", $number), "b {}", sym $name)
                }
            )+
            pub(in super::super) const $all: [Loop; 3] = [$($end),+];
        };
    }
    weights!(I8: channels_i8 sums_i8 "4", double_i8 "5", single_i8 "6";
        "4", "1"; "ldr lr, [r2], #4", "sxtb16 r12, lr", "sxtb16 lr, lr, ror #8"; "ldrsb");
    weights!(THREE_I8: three_i8 three_sums "4", three_double "5", three_single "6";
        "3", "1"; "ldr lr, [r2], #4", "sxtb16 r12, lr", "sxtb16 lr, lr, ror #8"; "ldrsb");
    weights!(I16: channels_i16 sums_i16 "4", double_i16 "5", single_i16 "6";
        "4", "2"; "ldr r12, [r2], #4", "ldr lr, [r2], #4"; "ldrsh");

    /// Stamps a loop over a [`Strip`]. Its four dot products share x, and their weights move on, or the other way round: how the pair is
    /// loaded to r0, shared, and r1, and where in it the other one lies; four shared values to r8 and r9, and a single one to r8; size of the others, how
    /// four of them in r10 become r11 and r10, and a single one what is multiplied; what the groups are.
    ///
    /// On the stack: the strip, the next piece, n and the pieces' end. r2 is the step, r12 twice what is added to an input.
    macro_rules! strip {
        ($name:ident, $pair:literal $moves:literal, [$($shared:literal),+; $($value:literal),+],
            $size:literal $load:literal [$($widen:literal),*; $($add:literal),*], $groups:literal
        ) => {
            #[unsafe(naked)]
            unsafe extern "C" fn $name(strip: *mut Strip) {
                naked_asm!(
                    ".cpu cortex-m33",
                    ".macro product acc",
                    $($widen,)*
                    "smlad \\acc, r11, r8, \\acc",
                    "smlad \\acc, r10, r9, \\acc",
                    ".endm",
                    ".macro pairs shared",
                    "ldr r10, [r1, r2, lsl #1]",
                    "smlad r6, r10, \\shared, r6",
                    "ldr r10, [lr, r2, lsl #1]",
                    "smlad r7, r10, \\shared, r7",
                    "ldr r10, [r1], #4",
                    "smlad r4, r10, \\shared, r4",
                    "ldr r10, [lr], #4",
                    "smlad r5, r10, \\shared, r5",
                    ".endm",
                    ".macro four_quad",
                    $($shared,)+
                    concat!(".if ", $size, " == 1"),
                    "ldr r10, [r1, r2, lsl #1]",
                    "product r6",
                    "ldr r10, [lr, r2, lsl #1]",
                    "product r7",
                    "ldr r10, [r1], #4",
                    "product r4",
                    "ldr r10, [lr], #4",
                    "product r5",
                    ".else",
                    "pairs r8",
                    "pairs r9",
                    ".endif",
                    ".endm",
                    ".macro one_quad",
                    $($shared,)+
                    "ldr r10, [r1], #4",
                    concat!(".if ", $size, " == 1"),
                    "product r4",
                    ".else",
                    "smlad r4, r10, r8, r4",
                    "ldr r10, [r1], #4",
                    "smlad r4, r10, r9, r4",
                    ".endif",
                    ".endm",
                    ".macro term acc",
                    $($add,)*
                    "smlabb \\acc, r10, r8, \\acc",
                    ".endm",
                    ".macro one_value",
                    $($value,)+
                    concat!($load, " r10, [r1], #", $size),
                    "term r4",
                    ".endm",
                    ".macro four_value",
                    $($value,)+
                    concat!($load, " r10, [r1, r2, lsl #1]"),
                    "term r6",
                    concat!($load, " r10, [lr, r2, lsl #1]"),
                    "term r7",
                    concat!($load, " r10, [r1], #", $size),
                    "term r4",
                    concat!($load, " r10, [lr], #", $size),
                    "term r5",
                    ".endm",
                    ".macro four_move",
                    "add lr, r1, r2",
                    "add r9, r1, r2, lsl #2",
                    ".endm",
                    ".macro one_move",
                    "add r9, r1, r2",
                    ".endm",
                    // The products of four or one with what they share.
                    ".macro pieces each",
                    "ldr r8, [sp]",
                    "ldr r8, [r8]",
                    "2:",
                    concat!("ldrd ", $pair, ", [r8]"),
                    "\\each\\()_move",
                    concat!("str r9, [r8, #", $moves, "]"),
                    "ldr r3, [sp, #12]",
                    "add r8, r8, #8",
                    "str r8, [sp, #4]",
                    "subs r3, r3, #8",
                    "blo 4f",
                    "3:",
                    "\\each\\()_quad",
                    "\\each\\()_quad",
                    "subs r3, r3, #8",
                    "bhs 3b",
                    "4:", // n mod 8: bit 2 into the carry, the others to the top
                    "lsls r3, r3, #30",
                    "bcc 5f",
                    "\\each\\()_quad",
                    "5:",
                    "beq 7f",
                    "6:",
                    "\\each\\()_value",
                    "subs r3, r3, #0x40000000",
                    "bne 6b",
                    "7:",
                    "ldrd r8, r9, [sp, #4]",
                    "cmp r8, r9",
                    "bne 2b",
                    ".endm",
                    rounding!(),
                    // Four pixels of a channel each time.
                    ".macro groups round",
                    "8:",
                    "ldr r3, [sp]",
                    "ldr r3, [r3, #8]",
                    "ldmia r3, {{r4-r7}}",
                    "pieces four",
                    "ldr r11, [sp]",
                    "ldr r3, [r11, #8]",
                    "add r3, r3, #16",
                    "ldmia r3, {{r8-r10}}",
                    "\\round r4",
                    "\\round r5",
                    "\\round r6",
                    "\\round r7",
                    "ldrd r0, r1, [r11, #12]",
                    "ldr r3, [r11, #24]",
                    "add r8, r0, r1",
                    "strb r5, [r0, r1]",
                    "strb r6, [r0, r1, lsl #1]",
                    "strb r7, [r8, r1, lsl #1]",
                    "strb r4, [r0]",
                    "add r0, r0, r1, lsl #2",
                    "str r0, [r11, #12]",
                    "subs r3, r3, #1",
                    "str r3, [r11, #24]",
                    "bne 8b",
                    ".endm",
                    // Four channels of a pixel each time, then one.
                    ".macro output round, acc, at",
                    "ldrd r8, r9, [r3, #16+\\at]",
                    "ldr r10, [r3, #24+\\at]",
                    "\\round \\acc",
                    "strb \\acc, [r0], #1",
                    ".endm",
                    ".macro outputs_double acc, at",
                    "output double, \\acc, \\at",
                    ".endm",
                    ".macro outputs_single acc, at",
                    "output single, \\acc, \\at",
                    ".endm",
                    ".macro sums acc, at",
                    "str \\acc, [r3, #\\at]",
                    ".endm",
                    ".macro channels end",
                    "8:",
                    "ldr r11, [sp]",
                    "ldr r3, [r11, #8]",
                    "ldr r9, [r11, #24]",
                    "ldr r4, [r3]",
                    "subs r9, r9, #4",
                    "blo 9f",
                    "str r9, [r11, #24]",
                    "ldr r5, [r3, #32]",
                    "ldr r6, [r3, #64]",
                    "ldr r7, [r3, #96]",
                    "pieces four",
                    "ldr r11, [sp]",
                    "ldrd r3, r0, [r11, #8]",
                    "\\end r4, 0",
                    "\\end r5, 32",
                    "\\end r6, 64",
                    "\\end r7, 96",
                    "add r3, r3, #128",
                    "strd r3, r0, [r11, #8]",
                    "ldr r9, [r11, #24]",
                    "cmp r9, #0",
                    "bne 8b",
                    "b 10f",
                    "9:",
                    "ldr r11, [sp]",
                    "ldr r3, [r11, #8]",
                    "ldr r4, [r3]",
                    "pieces one",
                    "ldr r11, [sp]",
                    "ldrd r3, r0, [r11, #8]",
                    "\\end r4, 0",
                    "add r3, r3, #32",
                    "strd r3, r0, [r11, #8]",
                    "ldr r9, [r11, #24]",
                    "subs r9, r9, #1",
                    "str r9, [r11, #24]",
                    "bne 9b",
                    "10:",
                    ".endm",

                    "push {{r4-r11, lr}}",
                    "sub sp, sp, #20",
                    "ldr r2, [r0, #20]",
                    "ldr r8, [r0, #4]",
                    "ldr r9, [r0, #28]",
                    "ldr r12, [r0, #32]",
                    "str r0, [sp]",
                    "strd r8, r9, [sp, #8]",
                    "rsb r12, r12, #0",
                    "pkhbt r12, r12, r12, lsl #16",
                    $groups,
                    "add sp, sp, #20",
                    "pop {{r4-r11, pc}}",
                    ".purgem product",
                    ".purgem pairs",
                    ".purgem four_quad",
                    ".purgem one_quad",
                    ".purgem term",
                    ".purgem one_value",
                    ".purgem four_value",
                    ".purgem four_move",
                    ".purgem one_move",
                    ".purgem pieces",
                    ".purgem double",
                    ".purgem single",
                    ".purgem groups",
                    ".purgem output",
                    ".purgem outputs_double",
                    ".purgem outputs_single",
                    ".purgem sums",
                    ".purgem channels",
                )
            }
        };
    }
    /// The loop over columns; r1 says how outputs are rounded.
    ///
    /// r4 and r5 are the sums of the pixel whose second tap the column is, r6 and r7 those of the next one, r0 the weights, which follow each other from row
    /// to row, lr the piece. On the stack: q, h and e of both channels, y, pitch, where outputs are made, the y after all, what sums start with, the first
    /// weights and piece, where the quads of a row start, and the strip.
    #[unsafe(naked)]
    unsafe extern "C" fn columns(strip: *mut Strip, single: u32) {
        naked_asm!(
            ".cpu cortex-m33",
            ".macro pair x",
            "ldmia r0!, {{r8-r11}}",
            "smlad r4, \\x, r8, r4",
            "smlad r5, \\x, r9, r5",
            "smlad r6, \\x, r10, r6",
            "smlad r7, \\x, r11, r7",
            ".endm",
            ".macro quad",
            "ldr r3, [r1], #4",
            "sxtab16 r2, r12, r3",
            "sxtab16 r3, r12, r3, ror #8",
            "pair r2",
            "pair r3",
            ".endm",
            rounding!(),
            ".macro outputs round",
            "\\round r4, lr, r0, r1, r2",
            "\\round r5, lr, r3, r8, r9",
            "strb r4, [r10]",
            "strb r5, [r10, #1]",
            "add r10, r10, r11",
            "str r10, [sp, #24]",
            "ldr r0, [sp, #36]",
            "cmp r10, r0",
            "bne 2b",
            ".endm",
            "push {{r0, r4-r11, lr}}",
            "adr r11, 7f + 1",
            "cbz r1, 3f",
            "adr r11, 8f + 1",
            "3:",
            "ldr r2, [r0, #8]",
            "ldr r12, [r0, #32]",
            "rsb r12, r12, #0",
            "pkhbt r12, r12, r12, lsl #16",
            "ldrd r9, r10, [r0, #12]",
            "ldrd r3, r4, [r0, #24]",
            "mla r3, r3, r10, r9",
            "ldr r7, [r0]",
            "mov r5, #13*4",
            "lsr r4, r4, #2",
            "adr r8, 5f + 1",
            "mls r8, r4, r5, r8",
            "ldrd r1, r6, [r7]",
            "cbnz r1, 4f",
            "adr r8, 6f + 1", // no rows
            "4:",
            "ldr r4, [r2, #28]",
            "ldr r5, [r2, #60]",
            "push {{r3-r8}}",
            "add r8, r2, #16",
            "ldmia r8, {{r3-r5}}",
            "add r8, r2, #48",
            "ldmia r8, {{r6-r8}}",
            "push {{r3-r11}}",
            "ldr r6, [r2]",
            "ldr r7, [r2, #32]",
            "2:", // a column
            "mov r4, r6",
            "mov r5, r7",
            "ldrd r6, r7, [sp, #40]",
            "ldrd r0, lr, [sp, #48]",
            "ldr r1, [lr]",
            "ldr pc, [sp, #56]", // one to eight quads before 5
            "quad",
            "quad",
            "quad",
            "quad",
            "quad",
            "quad",
            "quad",
            "quad",
            "5:", // the next row, unless it is none
            "str r1, [lr], #8",
            "ldr r1, [lr]",
            "cbz r1, 6f",
            "ldr pc, [sp, #56]",
            "6:",
            "ldmia sp, {{r0-r3, r8-r11, pc}}",
            "7:",
            "outputs double",
            "b 9f",
            "8:",
            "outputs single",
            "9:",
            "ldr r0, [sp, #60]",
            "ldr r0, [r0, #8]",
            "str r6, [r0]",
            "str r7, [r0, #32]",
            "add sp, sp, #64",
            "pop {{r4-r11, pc}}",
            ".purgem pair",
            ".purgem quad",
            ".purgem double",
            ".purgem single",
            ".purgem outputs",
        )
    }

    #[unsafe(naked)]
    unsafe extern "C" fn columns_double(strip: *mut Strip) {
        naked_asm!("mov r1, #0", "b {}", sym columns)
    }

    #[unsafe(naked)]
    unsafe extern "C" fn columns_single(strip: *mut Strip) {
        naked_asm!("mov r1, #1", "b {}", sym columns)
    }
    /// The loops over columns that end with outputs rounded twice and once.
    pub(super) const COLUMN_LOOPS: [Strips; 2] = [columns_double, columns_single];

    /// Dot products of bytes, of which the inputs take the zero point with them as they are widened.
    macro_rules! direct {
        ($name:ident $groups:literal) => {
            strip!(
                $name,
                "r1, r0" "0",
                ["ldr r9, [r0], #4", "sxtb16 r8, r9", "sxtb16 r9, r9, ror #8"; "ldrsb r8, [r0], #1"],
                "1" "ldrsb"
                ["sxtab16 r11, r12, r10", "sxtab16 r10, r12, r10, ror #8"; "add r10, r10, r12"],
                $groups
            );
        };
    }
    direct!(direct_double "groups double");
    direct!(direct_single "groups single");
    /// The loops of groups of pixels of bytes that end with outputs rounded twice and once.
    pub(in super::super) const DIRECT_I8: [Strips; 2] = [direct_double, direct_single];

    /// Inputs that four channels share, in the order in which these widen their weights; pairs of pairs are regrouped for that.
    macro_rules! pixel {
        (i8 i8 $name:ident $groups:literal) => {
            strip!(
                $name,
                "r0, r1" "4",
                ["ldr r9, [r0], #4", "sxtab16 r8, r12, r9", "sxtab16 r9, r12, r9, ror #8";
                 "ldrsb r8, [r0], #1", "add r8, r8, r12"],
                "1" "ldrsb"
                ["sxtb16 r11, r10", "sxtb16 r10, r10, ror #8";],
                $groups
            );
        };
        (i8 i16 $name:ident $groups:literal) => {
            strip!(
                $name,
                "r0, r1" "4",
                ["ldr r9, [r0], #4", "sxtab16 r8, r12, r9", "sxtab16 r9, r12, r9, ror #8",
                 "pkhbt r10, r8, r9, lsl #16", "pkhtb r9, r9, r8, asr #16", "mov r8, r10";
                 "ldrsb r8, [r0], #1", "add r8, r8, r12"],
                "2" "ldrsh"
                [;],
                $groups
            );
        };
        (i16 i8 $name:ident $groups:literal) => {
            strip!(
                $name,
                "r0, r1" "4",
                ["ldr r8, [r0], #4", "ldr r9, [r0], #4",
                 "pkhbt r10, r8, r9, lsl #16", "pkhtb r9, r9, r8, asr #16", "mov r8, r10";
                 "ldrsh r8, [r0], #2"],
                "1" "ldrsb"
                ["sxtb16 r11, r10", "sxtb16 r10, r10, ror #8";],
                $groups
            );
        };
        (i16 i16 $name:ident $groups:literal) => {
            strip!(
                $name,
                "r0, r1" "4",
                ["ldr r8, [r0], #4", "ldr r9, [r0], #4"; "ldrsh r8, [r0], #2"],
                "2" "ldrsh"
                [;],
                $groups
            );
        };
    }
    pixel!(i8 i8 sums_i8_i8 "channels sums");
    pixel!(i8 i8 double_i8_i8 "channels outputs_double");
    pixel!(i8 i8 single_i8_i8 "channels outputs_single");
    pixel!(i8 i16 sums_i8_i16 "channels sums");
    pixel!(i8 i16 double_i8_i16 "channels outputs_double");
    pixel!(i8 i16 single_i8_i16 "channels outputs_single");
    pixel!(i16 i8 sums_i16_i8 "channels sums");
    pixel!(i16 i16 sums_i16_i16 "channels sums");
    /// The loops of one pixel, whose inputs and weights have so many bytes, that end with sums, and with outputs rounded twice and once; there are
    /// only sums of words.
    #[inline(always)]
    pub(in super::super) fn pixel(x: usize, w: usize) -> [Strips; 3] {
        match (x, w) {
            (1, 1) => [sums_i8_i8, double_i8_i8, single_i8_i8],
            (1, _) => [sums_i8_i16, double_i8_i16, single_i8_i16],
            (_, 1) => [sums_i16_i8; 3],
            _ => [sums_i16_i16; 3],
        }
    }
}
