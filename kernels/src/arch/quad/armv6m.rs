//! Cortex-M0, which has a 32-bit `MULS` alone: per value and channel one `LDM` of four pixels, one `LDRSB`, four `MULS` and `ADD`, and
//! the weights' index: 11 instructions for 4 products.
//!
//! There is no high multiply: with acc = a1 · 2^16 + a0 and q = q1 · 2^16 + q0, where a0 and q0 have a sign,
//!
//! ```text
//! (2 acc · q + 2^31) >> 32 = 2 a1 q1 + (a1 q0 + a0 q1 + (a0 q0 >> 16) + 2^14 >> 15)
//! ```
//!
//! and 2^14 is the last bit that is shifted out, which is the carry. Bounds: |acc| < 2^30 and q < 2^31, so |a1| <= 2^14, q1 <= 2^15, and |a0| and |q0| <= 2^15:
//! |2 a1 q1| <= 2^30, and the sum is at most 2^29 + 2^30 + 2^14 < 2^31.

#[cfg(not(target_arch = "arm"))]
#[allow(dead_code)] // other cores have columns
mod model;
mod words;

use super::quad::points::Points;
use super::quad::{Call, Columns, Halves, Loop, PIXELS, Strip, Strips};
#[cfg(target_arch = "arm")]
pub(super) use asm::{DIRECT_I8, I8, I16, gather, pixel, widen};
#[cfg(not(target_arch = "arm"))]
pub(super) use model::{DIRECT_I8, I8, I16, gather, pixel, widen};
pub(super) use words::{HALVES, widen_i16};
pub(crate) use words::{Patch, SUMS};

/// Values of a patch, a multiple of 4; few, for these cores have little memory.
pub(crate) const CHUNK: usize = 32;

/// No loops of three pixels.
pub(super) const THREE: Option<&[Loop; 3]> = None;
/// No pixels in registers.
pub(super) const POINTS: Option<[Points; 2]> = None;

/// Output channels whose inputs are read where they are; a patch that more of them share costs less.
pub(crate) const DIRECT: usize = 4;
/// Whether these inputs are taken as they are, and the zero point comes off the sums.
pub(super) const RAW: bool = true;
/// Two channels are two times one.
pub(super) const COLUMNS: Option<Columns> = None;

/// q, h and e are those of the formulas.
pub(super) const MORE: i32 = 0;

/// q as the loops take it.
#[inline(always)]
pub(super) const fn factor(q: i32) -> i32 {
    q
}

/// `(2 acc · q + 2^31 >> 32) + h`, less 1 for a negative sum, or `(2 acc · q >> 32) + h` once.
#[cfg(not(target_arch = "arm"))]
fn scaled(acc: i32, q: i32, h: i32, single: bool) -> i32 {
    let (a0, q0) = (i32::from(acc as i16), i32::from(q as i16));
    let (a1, q1) = ((acc - a0) >> 16, (q.wrapping_sub(q0) as u32 >> 16) as i32);
    let sum = a1 * q0 + a0 * q1 + ((a0 * q0) >> 16);
    let (high, carry) = (2 * a1 * q1 + (sum >> 15), (sum >> 14) & 1);
    if single { high + h } else { high + carry + h + (acc >> 31) }
}

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

    /// Pixel by pixel, each backwards.
    #[unsafe(naked)]
    unsafe extern "C" fn widen_all(to: *mut (), x: &[*const i8; PIXELS], n: usize, offset: i32) {
        naked_asm!(
            ".macro one at",
            "subs r2, r2, #1",
            "ldrsb r4, [r1, r2]",
            "subs r4, r4, r3",
            "str r4, [r0, #\\at]",
            ".endm",
            "push {{r4-r7, lr}}",
            "movs r5, r1",
            "movs r6, r2",
            "lsls r4, r2, #4",
            "mov lr, r4",
            "movs r7, #4",
            "2:",
            "ldmia r5!, {{r1}}",
            "movs r2, r6",
            "add r0, r0, lr",
            "lsls r4, r2, #30",
            "beq 4f",
            "3:",
            "subs r0, r0, #16",
            "one 0",
            "lsls r4, r2, #30",
            "bne 3b",
            "cmp r2, #0",
            "beq 5f",
            "4:",
            "subs r0, r0, #64",
            "one 48",
            "one 32",
            "one 16",
            "one 0",
            "cmp r2, #0",
            "bne 4b",
            "5:",
            "adds r0, r0, #4",
            "subs r7, r7, #1",
            "bne 2b",
            "pop {{r4-r7, pc}}",
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

    /// r1 ..= r4 are the pixels, r5 the zero point, r6 a value's place in all lines, r12 where those of a row end; on the stack the values of a row, and the end of all lines.
    #[unsafe(naked)]
    unsafe extern "C" fn gather_all(to: *mut (), x: *const i8, lines: &Lines) {
        naked_asm!(
            ".macro one x, at",
            "ldrsb r7, [\\x, r6]",
            "subs r7, r7, r5",
            "str r7, [r0, #\\at]",
            ".endm",
            "push {{r4-r7, lr}}",
            "ldmia r2!, {{r4-r7}}",
            "ldr r3, [r2]",
            "muls r6, r7, r6",
            "push {{r5, r6}}",
            "subs r7, r7, r5",
            "mov lr, r7",
            "mov r12, r5",
            "movs r5, r3",
            "adds r2, r1, r4",
            "adds r3, r2, r4",
            "adds r4, r3, r4",
            "movs r6, #0",
            "2:",
            "one r1, 0",
            "one r2, 4",
            "one r3, 8",
            "one r4, 12",
            "adds r0, r0, #16",
            "adds r6, r6, #1",
            "cmp r6, r12",
            "bne 2b",
            "add r6, lr", // the next row
            "ldr r7, [sp]",
            "adds r7, r7, r6",
            "mov r12, r7",
            "ldr r7, [sp, #4]",
            "cmp r6, r7",
            "bne 2b",
            "pop {{r2, r3, r4-r7, pc}}",
            ".purgem one",
        )
    }

    /// Factors: q in r0 as it is needed, h from \\h. And the output of a sum in r0, e on the stack; r1, r2 and r4 are lost.
    ///
    /// r3: h, less 1 if rounded twice; r5: 2 q1, r6: q1, r7: q0; r12: 2^30, with which a comparison gives 1 for a sum that is not negative.
    macro_rules! rounding {
        () => {
            concat!(
                ".macro factor round, h\n",
                "sxth r7, r0\n",
                "subs r0, r0, r7\n",
                "lsrs r6, r0, #16\n",
                "lsls r5, r6, #1\n",
                ".ifc \\round, double\n",
                "subs r3, \\h, #1\n",
                ".else\n",
                "movs r3, \\h\n",
                ".endif\n",
                ".endm\n",
                // The product, but for 2 a1 q1, in r0, and for the carry.
                ".macro high acc\n",
                "mov r0, \\acc\n",
                "sxth r1, r0\n",
                "subs r0, r0, r1\n",
                "asrs r0, r0, #16\n",
                "movs r2, r0\n",
                "muls r2, r7, r2\n",
                "muls r0, r5, r0\n",
                "movs r4, r1\n",
                "muls r4, r6, r4\n",
                "muls r1, r7, r1\n",
                "asrs r1, r1, #16\n",
                "adds r2, r2, r4\n",
                "adds r1, r1, r2\n",
                "asrs r1, r1, #15\n",
                ".endm\n",
                ".macro double acc\n",
                "high \\acc\n",
                "adcs r1, r1, r0\n",
                "cmp r12, \\acc\n",
                "adcs r1, r1, r3\n",
                ".endm\n",
                ".macro single acc\n",
                "high \\acc\n",
                "adds r1, r1, r0\n",
                "adds r1, r1, r3\n",
                ".endm\n",
                ".macro clamped round, acc, e\n",
                "\\round \\acc\n",
                "ldr r0, [sp, #\\e]\n",
                "asrs r1, r1, r0\n",
                "sxtb r0, r1\n",
                "cmp r0, r1\n",
                "beq 12f\n",
                "asrs r0, r1, #31\n",
                "movs r1, #127\n",
                "eors r0, r0, r1\n",
                "12:\n",
                ".endm",
            )
        };
    }

    /// Stamps the loop over channels: how a weight is loaded, and what becomes of the sums.
    ///
    /// On the stack: the channel's index, which counts up to 0, at 0, the ends of four pixels' outputs from 4 on, x, -n in bytes of weights, where n
    /// values are entered, the channel's factors and their e from 20 on, and bytes from one channel's weights to the next at 40. The channel's weights end at lr.
    macro_rules! stamp {
    ($name:ident, [$load:literal $size:literal], [$($end:literal),+]) => {
        #[unsafe(naked)]
        unsafe extern "C" fn $name(call: *const Call) {
            naked_asm!(
                // Sums of four pixels in r8 ..= r11, their values in r4 ..= r7; the weights end at r2, and r1 counts up to 0.
                ".macro one",
                "ldmia r0!, {{r4-r7}}",
                concat!($load, " r3, [r2, r1]"),
                "muls r4, r3, r4",
                "add r8, r8, r4",
                "muls r5, r3, r5",
                "add r9, r9, r5",
                "muls r6, r3, r6",
                "add r10, r10, r6",
                "muls r7, r3, r7",
                "add r11, r11, r7",
                concat!("adds r1, r1, #", $size),
                ".endm",
                rounding!(),
                // Stored at pixel p.
                ".macro output round, acc, p",
                "clamped \\round, \\acc, 36",
                "ldr r1, [sp, #4+4*\\p]",
                "ldr r2, [sp]",
                "strb r0, [r1, r2]",
                ".endm",
                ".macro outputs round",
                "ldr r4, [sp, #32]",
                "ldmia r4!, {{r0-r3}}",
                "str r4, [sp, #32]",
                "str r2, [sp, #36]",
                "factor \\round, r1",
                "output \\round, r8, 0",
                "output \\round, r9, 1",
                "output \\round, r10, 2",
                "output \\round, r11, 3",
                "ldr r3, [sp, #32]",
                ".endm",

                "push {{r4-r7, lr}}",
                "mov r4, r8",
                "mov r5, r9",
                "mov r6, r10",
                "mov r7, r11",
                "push {{r4-r7}}",
                "sub sp, sp, #44",
                "movs r1, #1",
                "lsls r1, r1, #30",
                "mov r12, r1",
                "ldmia r0!, {{r1, r2}}",
                "adr r7, 4f",
                "rsbs r2, r2, #0",
                "beq 3f",
                "lsls r6, r2, #30",
                "beq 5f",
                "lsrs r6, r6, #30", // values that lack in the first four
                "movs r4, #22",
                "muls r6, r4, r6",
                "adds r7, r7, r6",
                "b 5f",
                "3:",
                "adds r7, #4*22+2",
                "5:",
                concat!("lsls r2, r2, #", $size, "-1"),
                "add r4, sp, #20",
                "stmia r4!, {{r1, r2, r7}}",
                "ldmia r0!, {{r3-r6}}",
                "subs r3, r3, r2",
                "mov lr, r3",
                "subs r5, r5, r2",
                "str r5, [sp, #40]",
                "movs r3, r4",
                "subs r6, r6, r4",
                "lsrs r6, r6, #5",
                "ldmia r0, {{r0, r1}}",
                "adds r2, r0, r6",
                "adds r4, r2, r1",
                "adds r5, r4, r1",
                "adds r7, r5, r1",
                "rsbs r1, r6, #0",
                "mov r0, sp",
                "stmia r0!, {{r1, r2, r4, r5, r7}}",
                "2:", // a channel, at r3
                "ldmia r3!, {{r4-r7}}",
                "str r3, [sp, #32]",
                "mov r8, r4",
                "mov r9, r5",
                "mov r10, r6",
                "mov r11, r7",
                "add r4, sp, #20",
                "ldmia r4, {{r0, r1, r4}}",
                "mov r2, lr",
                "mov pc, r4",
                ".p2align 2",
                "4:",
                "one",
                "one",
                "one",
                "one",
                "bne 4b",
                "ldr r1, [sp, #40]",
                "add lr, r1",
                $($end,)+
                "ldr r0, [sp]",
                "adds r0, r0, #1",
                "str r0, [sp]",
                "beq 7f",
                "b 2b",
                "7:",
                "add sp, sp, #44",
                "pop {{r4-r7}}",
                "mov r8, r4",
                "mov r9, r5",
                "mov r10, r6",
                "mov r11, r7",
                "pop {{r4-r7, pc}}",
                ".purgem one",
                ".purgem factor",
                ".purgem high",
                ".purgem double",
                ".purgem single",
                ".purgem clamped",
                ".purgem output",
                ".purgem outputs",
            )
        }
    };
}

    macro_rules! weights {
        ($all:ident: $sums:ident $double:ident $single:ident, $load:tt) => {
            stamp!(
                $sums,
                $load,
                [
                    "ldr r3, [sp, #32]",
                    "subs r3, r3, #16",
                    "mov r4, r8",
                    "mov r5, r9",
                    "mov r6, r10",
                    "mov r7, r11",
                    "stmia r3!, {{r4-r7}}",
                    "adds r3, r3, #16"
                ]
            );
            stamp!($double, $load, ["outputs double"]);
            stamp!($single, $load, ["outputs single"]);
            /// The loops that end with sums, and with outputs rounded twice and once.
            pub(in super::super) const $all: [Loop; 3] = [$sums, $double, $single];
        };
    }
    weights!(I8: sums_i8 double_i8 single_i8, ["ldrsb" "1"]);
    weights!(I16: sums_i16 double_i16 single_i16, ["ldrsh" "2"]);

    /// Stamps a loop over a [`Strip`]: where in a piece what four products share and the others lie; how the shared address is prepared and a shared value loaded
    /// to r6; how the others are loaded, and their size; what the groups are.
    ///
    /// On the stack: the strip, the next piece, the pieces' end, n in bytes of the others, the step, and a channel's e. Sums in r8 ..= r11; the others end at
    /// r1 ..= r4, and r5 counts up to 0; lr is the zero point.
    macro_rules! strip {
    ($name:ident, $shared:literal $moves:literal, [$($prepare:literal)?; $($value:expr),+], $load:literal $size:literal, $groups:literal) => {
        #[unsafe(naked)]
        unsafe extern "C" fn $name(strip: *mut Strip) {
            naked_asm!(
                ".macro term at, acc",
                concat!($load, " r7, [\\at, r5]"),
                "muls r7, r6, r7",
                "add \\acc, \\acc, r7",
                ".endm",
                ".macro four_value",
                $($value,)+
                "term r1, r8",
                "term r2, r9",
                "term r3, r10",
                "term r4, r11",
                concat!("adds r5, r5, #", $size),
                ".endm",
                ".macro one_value",
                $($value,)+
                "term r1, r8",
                concat!("adds r5, r5, #", $size),
                ".endm",
                ".macro four_move",
                "adds r2, r1, r5",
                "adds r3, r2, r5",
                "adds r4, r3, r5",
                "adds r6, r4, r5",
                ".endm",
                ".macro one_move",
                "adds r6, r1, r5",
                ".endm",
                ".macro four_end",
                "adds r2, r2, r5",
                "adds r3, r3, r5",
                "adds r4, r4, r5",
                ".endm",
                ".macro one_end",
                ".endm",
                // The products of four or one with what they share.
                ".macro pieces each",
                "ldr r6, [sp]",
                "ldr r7, [r6]",
                "2:",
                concat!("ldr r0, [r7, #", $shared, "]"),
                concat!("ldr r1, [r7, #", $moves, "]"),
                "ldr r5, [sp, #16]",
                "\\each\\()_move",
                concat!("str r6, [r7, #", $moves, "]"),
                "adds r7, r7, #8",
                "str r7, [sp, #4]",
                "ldr r5, [sp, #12]",
                $($prepare,)?
                "adds r1, r1, r5",
                "\\each\\()_end",
                "rsbs r5, r5, #0",
                concat!("lsls r7, r5, #31-", $size),
                "beq 4f",
                "3:",
                "\\each\\()_value",
                concat!("lsls r7, r5, #31-", $size),
                "bne 3b",
                "cmp r5, #0",
                "beq 5f",
                "4:",
                "\\each\\()_value",
                "\\each\\()_value",
                "\\each\\()_value",
                "\\each\\()_value",
                "bne 4b",
                "5:",
                "ldr r7, [sp, #4]",
                "ldr r6, [sp, #8]",
                "cmp r7, r6",
                "bne 2b",
                ".endm",
                rounding!(),
                // The channel at r1.
                ".macro factors round",
                "adds r1, r1, #16",
                "ldmia r1!, {{r0, r2, r3}}",
                "str r3, [sp, #20]",
                "factor \\round, r2",
                ".endm",
                // Stored where the next output belongs.
                ".macro output round, acc",
                "clamped \\round, \\acc, 20",
                "ldr r1, [sp]",
                "ldr r2, [r1, #12]",
                "ldr r4, [r1, #16]",
                "strb r0, [r2]",
                "adds r2, r2, r4",
                "str r2, [r1, #12]",
                ".endm",
                // Four pixels of a channel each time.
                ".macro groups round",
                "8:",
                "ldr r0, [sp]",
                "ldr r0, [r0, #8]",
                "ldmia r0!, {{r4-r7}}",
                "mov r8, r4",
                "mov r9, r5",
                "mov r10, r6",
                "mov r11, r7",
                "pieces four",
                "ldr r0, [sp]",
                "ldr r1, [r0, #8]",
                "factors \\round",
                "output \\round, r8",
                "output \\round, r9",
                "output \\round, r10",
                "output \\round, r11",
                "ldr r0, [sp]",
                "ldr r1, [r0, #24]",
                "subs r1, r1, #1",
                "str r1, [r0, #24]",
                "beq 11f",
                "b 8b",
                "11:",
                ".endm",
                // Four channels of a pixel each time, then one.
                ".macro channel_of",
                "ldr r0, [sp]",
                "ldr r1, [r0, #8]",
                "movs r2, #32",
                "adds r2, r1, r2",
                "str r2, [r0, #8]",
                ".endm",
                ".macro outputs_double acc",
                "channel_of",
                "factors double",
                "output double, \\acc",
                ".endm",
                ".macro outputs_single acc",
                "channel_of",
                "factors single",
                "output single, \\acc",
                ".endm",
                ".macro sums acc",
                "channel_of",
                "mov r0, \\acc",
                "str r0, [r1]",
                ".endm",
                ".macro channels end",
                "8:",
                "ldr r0, [sp]",
                "ldr r1, [r0, #24]",
                "subs r1, r1, #4",
                "bhs 10f",
                "b 9f",
                "10:",
                "str r1, [r0, #24]",
                "ldr r2, [r0, #8]",
                "ldr r4, [r2]",
                "ldr r5, [r2, #32]",
                "ldr r6, [r2, #64]",
                "ldr r7, [r2, #96]",
                "mov r8, r4",
                "mov r9, r5",
                "mov r10, r6",
                "mov r11, r7",
                "pieces four",
                "\\end r8",
                "\\end r9",
                "\\end r10",
                "\\end r11",
                "ldr r0, [sp]",
                "ldr r1, [r0, #24]",
                "cmp r1, #0",
                "beq 10f",
                "b 8b",
                "10:",
                "b 11f",
                "9:",
                "ldr r0, [sp]",
                "ldr r2, [r0, #8]",
                "ldr r4, [r2]",
                "mov r8, r4",
                "pieces one",
                "\\end r8",
                "ldr r0, [sp]",
                "ldr r1, [r0, #24]",
                "subs r1, r1, #1",
                "str r1, [r0, #24]",
                "beq 11f",
                "b 9b",
                "11:",
                ".endm",

                "push {{r4-r7, lr}}",
                "mov r4, r8",
                "mov r5, r9",
                "mov r6, r10",
                "mov r7, r11",
                "push {{r4-r7}}",
                "sub sp, sp, #24",
                "str r0, [sp]",
                "ldr r1, [r0, #4]",
                "str r1, [sp, #8]",
                "ldr r1, [r0, #28]",
                concat!("lsls r1, r1, #", $size, "-1"),
                "str r1, [sp, #12]",
                "ldr r1, [r0, #20]",
                "str r1, [sp, #16]",
                "ldr r1, [r0, #32]",
                "mov lr, r1",
                "movs r1, #1",
                "lsls r1, r1, #30",
                "mov r12, r1",
                $groups,
                "add sp, sp, #24",
                "pop {{r4-r7}}",
                "mov r8, r4",
                "mov r9, r5",
                "mov r10, r6",
                "mov r11, r7",
                "pop {{r4-r7, pc}}",
                ".purgem term",
                ".purgem four_value",
                ".purgem one_value",
                ".purgem four_move",
                ".purgem one_move",
                ".purgem four_end",
                ".purgem one_end",
                ".purgem pieces",
                ".purgem factor",
                ".purgem high",
                ".purgem double",
                ".purgem single",
                ".purgem clamped",
                ".purgem factors",
                ".purgem output",
                ".purgem groups",
                ".purgem channel_of",
                ".purgem outputs_double",
                ".purgem outputs_single",
                ".purgem sums",
                ".purgem channels",
            )
        }
    };
}

    /// Both have the same size, and the same index.
    macro_rules! alike {
    ($name:ident, $shared:literal $moves:literal, $load:literal $size:literal [$($zero:literal)?], $groups:literal) => {
        strip!($name, $shared $moves, ["adds r0, r0, r5"; concat!($load, " r6, [r0, r5]") $(, $zero)?], $load $size, $groups);
    };
}
    alike!(direct_double, "4" "0", "ldrsb" "1" [], "groups double");
    alike!(direct_single, "4" "0", "ldrsb" "1" [], "groups single");
    /// The loops of groups of pixels of bytes that end with outputs rounded twice and once.
    pub(in super::super) const DIRECT_I8: [Strips; 2] = [direct_double, direct_single];

    /// One input that four channels share.
    macro_rules! pixel {
    ($load:literal $size:literal: $($name:ident $groups:literal),+) => {
        $(alike!($name, "0" "4", $load $size ["mov r7, lr\nsubs r6, r6, r7"], $groups);)+
    };
    ($x:literal, $load:literal $size:literal: $($name:ident $groups:literal),+) => {
        $(strip!($name, "0" "4", [; $x, "mov r7, lr", "subs r6, r6, r7"], $load $size, $groups);)+
    };
}
    pixel!("ldrsb" "1": sums_i8_i8 "channels sums", double_i8_i8 "channels outputs_double", single_i8_i8 "channels outputs_single");
    pixel!("ldrb r6, [r0]\nadds r0, r0, #1\nsxtb r6, r6", "ldrsh" "2":
    sums_i8_i16 "channels sums", double_i8_i16 "channels outputs_double", single_i8_i16 "channels outputs_single");
    pixel!("ldrh r6, [r0]\nadds r0, r0, #2\nsxth r6, r6", "ldrsb" "1": sums_i16_i8 "channels sums");
    pixel!("ldrsh" "2": sums_i16_i16 "channels sums");

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
