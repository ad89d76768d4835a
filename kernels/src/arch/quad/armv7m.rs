//! Cortex-M3: per value and channel one `LDM` of four pixels, one `LDRSB` of the weight, four `MLA`: 6 instructions for 4 products. Without a patch 9, and 7
//! where two channels have two taps that neighbouring pixels share: their four weights, widened once a row, are one `LDM`.

#[cfg(not(target_arch = "arm"))]
#[allow(dead_code)] // other cores have groups of three
mod model;
mod words;

use super::quad::points::Points;
use super::quad::{Call, Columns, Halves, Loop, PIXELS, Spread, Strip, Strips};
#[cfg(target_arch = "arm")]
use asm::{COLUMN_LOOPS, SPREAD};
#[cfg(target_arch = "arm")]
pub(super) use asm::{DIRECT_I8, I8, I16, gather, pixel, widen};
#[cfg(not(target_arch = "arm"))]
pub(super) use model::{DIRECT_I8, I8, I16, gather, pixel, widen};
pub(super) use words::{HALVES, widen_i16};
pub(crate) use words::{Patch, SUMS};

/// Values of a patch, a multiple of 4.
pub(crate) const CHUNK: usize = 64;

/// Output channels whose inputs are read where they are; a patch that more of them share costs less.
pub(crate) const DIRECT: usize = 2;
/// Whether these inputs are taken as they are, and the zero point comes off the sums.
pub(super) const RAW: bool = true;

/// No loops of three pixels.
pub(super) const THREE: Option<&[Loop; 3]> = None;
/// No pixels in registers.
pub(super) const POINTS: Option<[Points; 2]> = None;

/// Two channels of two taps that neighbouring pixels share.
pub(super) const COLUMNS: Option<Columns> =
    Some(Columns { words: 4, spread: Some(SPREAD), most: usize::MAX, loops: COLUMN_LOOPS });

/// A bit less, so that sums are not doubled.
pub(super) const MORE: i32 = -1;

/// q as the loops take it: `acc`, which is half a unit with the other bit 30, is added to the product.
#[inline(always)]
pub(super) const fn factor(q: i32) -> i32 {
    q.wrapping_sub(1)
}

/// By `SMLAL` to h, acc and, twice rounded, half a unit away from 0, which acc has with the other bit 30.
#[cfg(not(target_arch = "arm"))]
fn scaled(acc: i32, q: i32, h: i32, single: bool) -> i32 {
    let low = if single { acc } else { acc ^ 1 << 30 };
    let sum = (i64::from(h + (acc >> 31)) << 32) + i64::from(low as u32);
    ((sum + i64::from(acc) * i64::from(q)) >> 32) as i32
}

#[cfg(not(target_arch = "arm"))]
enum Weights {}

#[cfg(not(target_arch = "arm"))]
impl model::Order for Weights {
    type Weight = i32;

    fn place(_: usize, _: usize, i: usize, j: usize) -> usize {
        4 * i + j
    }
}

#[cfg(not(target_arch = "arm"))]
const COLUMN_LOOPS: [Strips; 2] = [model::columns::<Weights, false>, model::columns::<Weights, true>];
#[cfg(not(target_arch = "arm"))]
const SPREAD: Spread = model::spread::<Weights>;

/// The instructions themselves.
#[cfg(target_arch = "arm")]
mod asm {
    use super::super::quad::Lines;
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
        _: bool,
    ) {
        // SAFETY: the caller's.
        unsafe { widen_all(patch.x.as_mut_ptr().add(at).cast(), x, n, offset) };
    }

    #[unsafe(naked)]
    unsafe extern "C" fn widen_all(to: *mut (), x: &[*const i8; PIXELS], n: usize, offset: i32) {
        naked_asm!(
            ".macro one",
            "ldrsb r4, [r1], #1",
            "ldrsb r5, [r8], #1",
            "ldrsb r6, [r9], #1",
            "ldrsb r7, [r12], #1",
            "subs r4, r4, r3",
            "subs r5, r5, r3",
            "subs r6, r6, r3",
            "subs r7, r7, r3",
            "stmia r0!, {{r4-r7}}",
            ".endm",
            "push {{r4-r9, lr}}",
            "ldmia r1, {{r1, r8, r9, r12}}",
            "subs r2, r2, #4",
            "blo 3f",
            "2:",
            "one",
            "one",
            "one",
            "one",
            "subs r2, r2, #4",
            "bhs 2b",
            "3:",
            "adds r2, r2, #4",
            "beq 5f",
            "4:",
            "one",
            "subs r2, r2, #1",
            "bne 4b",
            "5:",
            "pop {{r4-r9, pc}}",
            ".purgem one",
        )
    }

    /// [`Patch::fill`] of all pixels with the values of some rows.
    ///
    /// # Safety
    /// The inputs can be read, there are some, and the patch has room.
    #[inline(always)]
    pub(in super::super) unsafe fn gather(patch: &mut Patch, x: *const i8, lines: &Lines, _: bool) {
        // SAFETY: the caller's.
        unsafe { gather_all(patch.x.as_mut_ptr().cast(), x, lines) };
    }

    #[unsafe(naked)]
    unsafe extern "C" fn gather_all(to: *mut (), x: *const i8, lines: &Lines) {
        naked_asm!(
            ".macro one",
            "ldrsb r6, [r1, r2, lsl #1]",
            "ldrsb r7, [r11, r2, lsl #1]",
            "ldrsb r4, [r1], #1",
            "ldrsb r5, [r11], #1",
            "subs r4, r4, r12",
            "subs r5, r5, r12",
            "subs r6, r6, r12",
            "subs r7, r7, r12",
            "stmia r0!, {{r4-r7}}",
            ".endm",
            "push {{r4-r11, lr}}",
            "ldmia r2, {{r2, r8-r10, r12}}",
            "subs r10, r10, r8",
            "2:", // a row
            "add r11, r1, r2",
            "lsrs r3, r8, #1",
            "bcc 3f",
            "one",
            "cbz r3, 4f",
            "3:",
            "one",
            "one",
            "subs r3, r3, #1",
            "bne 3b",
            "4:",
            "add r1, r1, r10",
            "subs r9, r9, #1",
            "bne 2b",
            "pop {{r4-r11, pc}}",
            ".purgem one",
        )
    }

    /// An output of a sum, with q, h and e in r8, r9 and r10; r11 and `high` are lost.
    macro_rules! rounding {
        () => {
            concat!(
                ".macro double acc, high=lr\n",
                "add \\high, r9, \\acc, asr #31\n",
                "eor r11, \\acc, #0x40000000\n",
                "smlal r11, \\high, \\acc, r8\n",
                "asr \\acc, \\high, r10\n",
                "ssat \\acc, #8, \\acc\n",
                ".endm\n",
                ".macro single acc, high=lr\n",
                "add \\high, r9, \\acc, asr #31\n",
                "mov r11, \\acc\n",
                "smlal r11, \\high, \\acc, r8\n",
                "asr \\acc, \\high, r10\n",
                "ssat \\acc, #8, \\acc\n",
                ".endm\n",
            )
        };
    }

    /// Stamps the loop over channels: how a weight is loaded, and what becomes of the sums.
    ///
    /// r0 is the next values and r1 their end, r2 the weights, r3 the channel, lr y. On the stack: x, pitch, three times pitch, `next`, `end` and where
    /// values start before 4.
    macro_rules! stamp {
    ($name:ident, $load:literal, [$($end:literal),+]) => {
        #[unsafe(naked)]
        unsafe extern "C" fn $name(call: *const Call) {
            naked_asm!(
                // Sums of four pixels in r4 ..= r7, their values in r8 ..= r11.
                ".macro one",
                "ldmia r0!, {{r8-r11}}",
                $load,
                "mla r4, r8, r12, r4",
                "mla r5, r9, r12, r5",
                "mla r6, r10, r12, r6",
                "mla r7, r11, r12, r7",
                ".endm",
                rounding!(),
                ".macro again",
                "ldmia sp, {{r0, r8-r10, r12}}",
                ".endm",
                ".macro outputs round",
                "ldmia r3!, {{r8-r11}}",
                "\\round r4, r12",
                "\\round r5, r12",
                "\\round r6, r12",
                "\\round r7, r12",
                "again",
                "strb r5, [lr, r8]",
                "strb r6, [lr, r8, lsl #1]",
                "strb r7, [lr, r9]",
                "strb r4, [lr], #1",
                ".endm",

                "push {{r4-r11, lr}}",
                "ldr r6, [r0, #28]",
                "ldmia r0, {{r0-r3, r8, r9, lr}}",
                "add r7, r6, r6, lsl #1",
                "adr r10, 4f + 1",
                "cbz r1, 5f",
                "subs r4, r1, #1",
                "and r4, r4, #7", // values before a multiple of eight of them, but for one
                "mov r5, #24",
                "mla r4, r4, r5, r5",
                "sub r10, r10, r4",
                "5:",
                "add r1, r0, r1, lsl #4",
                "push {{r0, r6-r10}}",
                "2:", // a channel
                "ldmia r3!, {{r4-r7}}",
                "ldr pc, [sp, #20]",
                "3:",
                ".rept 8",
                "one",
                ".endr",
                "4:",
                "cmp r0, r1",
                "bne 3b",
                $($end,)+
                "add r2, r2, r10",
                "cmp r3, r12",
                "bne 2b",
                "add sp, sp, #24",
                "pop {{r4-r11, pc}}",
                ".purgem one",
                ".purgem double",
                ".purgem single",
                ".purgem again",
                ".purgem outputs",
            )
        }
    };
}

    macro_rules! weights {
        ($all:ident: $sums:ident $double:ident $single:ident, $load:literal) => {
            stamp!($sums, $load, ["stmdb r3, {{r4-r7}}", "adds r3, r3, #16", "again"]);
            stamp!($double, $load, ["outputs double"]);
            stamp!($single, $load, ["outputs single"]);
            /// The loops that end with sums, and with outputs rounded twice and once.
            pub(in super::super) const $all: [Loop; 3] = [$sums, $double, $single];
        };
    }
    weights!(I8: sums_i8 double_i8 single_i8, "ldrsb r12, [r2], #1");
    weights!(I16: sums_i16 double_i16 single_i16, "ldrsh r12, [r2], #2");

    /// Stamps a loop over a [`Strip`]: how the pair of a piece is loaded to r0, which four products share, and r1, and where in it the other one lies; a shared
    /// value to r8; how the others are loaded, and their size; what the groups are.
    ///
    /// On the stack: the strip, the next piece, the pieces' end and n. r2 is the step, r12 the zero point.
    macro_rules! strip {
    ($name:ident, $pair:literal $moves:literal, [$($shared:literal),+], $load:literal $size:literal, $groups:literal) => {
        #[unsafe(naked)]
        unsafe extern "C" fn $name(strip: *mut Strip) {
            naked_asm!(
                ".macro four_value",
                $($shared,)+
                concat!($load, " r10, [r1, r2, lsl #1]"),
                concat!($load, " r11, [lr, r2, lsl #1]"),
                "mla r6, r10, r8, r6",
                "mla r7, r11, r8, r7",
                concat!($load, " r10, [r1], #", $size),
                concat!($load, " r11, [lr], #", $size),
                "mla r4, r10, r8, r4",
                "mla r5, r11, r8, r5",
                ".endm",
                ".macro one_value",
                $($shared,)+
                concat!($load, " r10, [r1], #", $size),
                "mla r4, r10, r8, r4",
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
                "subs r3, r3, #4",
                "blo 4f",
                "3:",
                "\\each\\()_value",
                "\\each\\()_value",
                "\\each\\()_value",
                "\\each\\()_value",
                "subs r3, r3, #4",
                "bhs 3b",
                "4:",
                "adds r3, r3, #4",
                "beq 6f",
                "5:",
                "\\each\\()_value",
                "subs r3, r3, #1",
                "bne 5b",
                "6:",
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
                "ldr r11, [sp]",
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
                "ldr r1, [sp]",
                "ldr r3, [r1, #8]",
                "ldr r9, [r1, #24]",
                "8:",
                "subs r9, r9, #4",
                "blo 9f",
                "str r9, [r1, #24]",
                "ldr r4, [r3]",
                "ldr r5, [r3, #32]",
                "ldr r6, [r3, #64]",
                "ldr r7, [r3, #96]",
                "pieces four",
                "ldr r1, [sp]",
                "ldrd r3, r0, [r1, #8]",
                "\\end r4, 0",
                "\\end r5, 32",
                "\\end r6, 64",
                "\\end r7, 96",
                "add r3, r3, #128",
                "strd r3, r0, [r1, #8]",
                "ldr r9, [r1, #24]",
                "cmp r9, #0",
                "bne 8b",
                "b 10f",
                "9:",
                "ldr r4, [r3]",
                "pieces one",
                "ldr r1, [sp]",
                "ldrd r3, r0, [r1, #8]",
                "\\end r4, 0",
                "add r3, r3, #32",
                "strd r3, r0, [r1, #8]",
                "ldr r9, [r1, #24]",
                "subs r9, r9, #1",
                "str r9, [r1, #24]",
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
                $groups,
                "add sp, sp, #20",
                "pop {{r4-r11, pc}}",
                ".purgem four_value",
                ".purgem one_value",
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

    strip!(direct_double, "r1, r0" "0", ["ldrsb r8, [r0], #1"], "ldrsb" "1", "groups double");
    strip!(direct_single, "r1, r0" "0", ["ldrsb r8, [r0], #1"], "ldrsb" "1", "groups single");
    /// The loops of groups of pixels of bytes that end with outputs rounded twice and once.
    pub(in super::super) const DIRECT_I8: [Strips; 2] = [direct_double, direct_single];

    pub(super) const SPREAD: Spread = spread_weights;

    #[unsafe(naked)]
    unsafe extern "C" fn spread_weights(to: *mut i32, w: *const i8, next: usize, step: usize, rows: usize) {
        naked_asm!(
            ".macro value",
            "ldrsb r4, [r1, r3]",
            "ldrsb r5, [r2, r3]",
            "ldrsb r6, [r1], #1",
            "ldrsb r7, [r2], #1",
            "stmia r0!, {{r4-r7}}",
            ".endm",
            "push {{r4-r7, lr}}",
            "ldr r12, [sp, #20]",
            "add r2, r2, r1",
            "2:", // a row
            "mov lr, r3",
            "3:",
            "value",
            "value",
            "subs lr, lr, #2",
            "bne 3b",
            "add r1, r1, r3",
            "add r2, r2, r3",
            "subs r12, r12, #1",
            "bne 2b",
            "pop {{r4-r7, pc}}",
            ".purgem value",
        )
    }

    /// Stamps the loop over columns: how outputs are rounded.
    ///
    /// r4 and r5 are the sums of the pixel whose second tap the column is, r6 and r7 those of the next one. On the stack: the piece and the strip.
    macro_rules! columns {
        ($name:ident, $round:literal) => {
            #[unsafe(naked)]
            unsafe extern "C" fn $name(strip: *mut Strip) {
                naked_asm!(
                    ".macro value",
                    "ldrsb r2, [r1], #1",
                    "ldmia r0!, {{r8-r11}}",
                    "sub r2, r2, r12",
                    "mla r4, r2, r8, r4",
                    "mla r5, r2, r9, r5",
                    "mla r6, r2, r10, r6",
                    "mla r7, r2, r11, r7",
                    ".endm",
                    rounding!(),
                    ".macro output acc, at",
                    "ldrd r8, r9, [r2, #16+\\at]",
                    "ldr r10, [r2, #24+\\at]",
                    concat!($round, " \\acc"),
                    ".endm",
                    "push {{r4-r11, lr}}",
                    "sub sp, sp, #12",
                    "str r0, [sp, #4]",
                    "ldr r12, [r0, #32]",
                    "ldr r1, [r0, #8]",
                    "ldr r4, [r1]",
                    "ldr r5, [r1, #32]",
                    "2:", // a column
                    "ldr r8, [sp, #4]",
                    "ldr r1, [r8, #8]",
                    "ldr r6, [r1, #28]",
                    "ldr r7, [r1, #60]",
                    "ldrd r2, r3, [r8]",
                    "cmp r2, r3",
                    "beq 6f",
                    "3:", // of a row
                    "ldrd r1, r0, [r2]",
                    "str r2, [sp]",
                    "ldr r3, [r8, #28]",
                    "4:",
                    "value",
                    "value",
                    "value",
                    "value",
                    "subs r3, r3, #4",
                    "bne 4b",
                    "ldrd r2, r8, [sp]",
                    "str r1, [r2], #8",
                    "ldr r3, [r8, #4]",
                    "cmp r2, r3",
                    "bne 3b",
                    "6:",
                    "ldr r2, [r8, #8]",
                    "mov r3, r8",
                    "output r4, 0",
                    "output r5, 32",
                    "ldrd r0, r1, [r3, #12]",
                    "strb r4, [r0]",
                    "strb r5, [r0, #1]",
                    "add r0, r0, r1",
                    "str r0, [r3, #12]",
                    "mov r4, r6",
                    "mov r5, r7",
                    "ldr r0, [r3, #24]",
                    "subs r0, r0, #1",
                    "str r0, [r3, #24]",
                    "bne 2b",
                    "str r4, [r2]",
                    "str r5, [r2, #32]",
                    "add sp, sp, #12",
                    "pop {{r4-r11, pc}}",
                    ".purgem value",
                    ".purgem double",
                    ".purgem single",
                    ".purgem output",
                )
            }
        };
    }
    columns!(columns_double, "double");
    columns!(columns_single, "single");
    /// The loops over columns that end with outputs rounded twice and once.
    pub(super) const COLUMN_LOOPS: [Strips; 2] = [columns_double, columns_single];

    /// One input that four channels share, and the weights' size.
    macro_rules! pixel {
    ($x:literal, $load:literal $size:literal: $($name:ident $groups:literal),+) => {
        $(strip!($name, "r0, r1" "4", [$x, "sub r8, r8, r12"], $load $size, $groups);)+
    };
}
    pixel!("ldrsb r8, [r0], #1", "ldrsb" "1": sums_i8_i8 "channels sums", double_i8_i8 "channels outputs_double", single_i8_i8 "channels outputs_single");
    pixel!("ldrsb r8, [r0], #1", "ldrsh" "2": sums_i8_i16 "channels sums", double_i8_i16 "channels outputs_double", single_i8_i16 "channels outputs_single");
    pixel!("ldrsh r8, [r0], #2", "ldrsb" "1": sums_i16_i8 "channels sums");
    pixel!("ldrsh r8, [r0], #2", "ldrsh" "2": sums_i16_i16 "channels sums");

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
