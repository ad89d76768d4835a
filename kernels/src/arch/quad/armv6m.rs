//! Cortex-M0, which has a 32-bit `MULS` alone: per value and channel one `LDM` of four pixels, one `LDRSB`, four `MULS` and `ADD`, and
//! the weights' index: 11 instructions for 4 products.
//!
//! There is no high multiply: with 2 acc = a1 · 2^16 + a0 and q = q1 · 2^16 + q0
//!
//! ```text
//! (2 acc · q + 2^31) >> 32 = a1 q1 + (a1 q0 >> 16) + ((a0 q0 >> 16) + a0 q1 + (a1 q0 mod 2^16) + 2^15 >> 16)
//! ```
//!
//! Bounds: q1 < 2^15 and -2^15 <= a1 < 2^15, so every product fits 32 bits, a0 q0 without a sign; the last sum is below 2^31 + 2^18.

pub(super) use super::words::{HALVES, widen_i16};
pub(crate) use super::words::{Patch, SUMS};
use super::{Call, Loop, PIXELS, Strip, Strips};
use core::arch::naked_asm;

/// Values of a patch, a multiple of 4; few, for these cores have little memory.
pub(crate) const CHUNK: usize = 32;

/// Output channels whose inputs are read where they are; a patch that more of them share costs less.
pub(crate) const DIRECT: usize = 4;
/// Whether these inputs are taken as they are, and the zero point comes off the sums.
pub(super) const RAW: bool = true;

/// [`Patch::fill`] of all pixels with n values each, at least one.
///
/// # Safety
/// The inputs can be read, and the patch has room.
#[inline(always)]
pub(super) unsafe fn widen(patch: &mut Patch, at: usize, x: &[*const i8; PIXELS], n: usize, offset: i32) {
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

/// The high word of the doubled sum times q (r6: its upper half, r7: its lower half), in r1, the sign in r3; and the output of it, with h in lr
/// and e on the stack, in r0. r12 is 2^15.
macro_rules! rounding {
    () => {
        concat!(
            ".macro high acc, half\n",
            "mov r0, \\acc\n",
            "asrs r3, r0, #31\n",
            "lsls r0, r0, #1\n",
            "asrs r1, r0, #16\n", // a1
            "uxth r0, r0\n",      // a0
            "movs r4, r1\n",
            "muls r4, r7, r4\n", // a1 q0
            "movs r5, r0\n",
            "muls r5, r6, r5\n", // a0 q1
            "muls r1, r6, r1\n",
            "muls r0, r7, r0\n",
            "lsrs r0, r0, #16\n",
            "adds r0, r0, r5\n",
            "uxth r2, r4\n",
            "adds r0, r0, r2\n",
            ".if \\half\n",
            "add r0, r0, r12\n", // 2^15
            ".endif\n",
            "asrs r4, r4, #16\n",
            "adds r1, r1, r4\n",
            "lsrs r0, r0, #16\n",
            "adds r1, r1, r0\n",
            ".endm\n",
            ".macro double acc\n",
            "high \\acc, 1\n",
            "adds r1, r1, r3\n",
            ".endm\n",
            ".macro single acc\n",
            "high \\acc, 0\n",
            ".endm\n",
            ".macro clamped round, acc, e\n",
            "\\round \\acc\n",
            "add r1, r1, lr\n",
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
/// On the stack: the next channel's weights at 0, index of the channel at 4, four outputs' addresses from 8 on, x and n in bytes of
/// weights at 24 and 28, the channel's factors and their e at 32 and 36, `next` and `end` at 40 and 44. r12 is 2^15.
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
                "ldr r1, [sp, #8+4*\\p]",
                "ldr r2, [sp, #4]",
                "strb r0, [r1, r2]",
                ".endm",
                ".macro outputs round",
                "ldr r3, [sp, #32]",
                "ldmia r3!, {{r0, r1, r2, r4}}",
                "mov lr, r1",
                "str r3, [sp, #32]",
                "str r2, [sp, #36]",
                "lsrs r6, r0, #16",
                "uxth r7, r0",
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
                "sub sp, sp, #48",
                "movs r1, #0",
                "str r1, [sp, #4]",
                "movs r1, #128",
                "lsls r1, r1, #8",
                "mov r12, r1",
                "ldmia r0!, {{r1, r2}}",
                "str r1, [sp, #24]",
                concat!("movs r1, #", $size),
                "muls r2, r1, r2",
                "str r2, [sp, #28]",
                "ldmia r0!, {{r2-r5}}",
                "str r4, [sp, #40]",
                "str r5, [sp, #44]",
                "ldmia r0, {{r0, r1}}",
                "str r0, [sp, #8]",
                "adds r0, r0, r1",
                "str r0, [sp, #12]",
                "adds r0, r0, r1",
                "str r0, [sp, #16]",
                "adds r0, r0, r1",
                "str r0, [sp, #20]",
                "2:", // a channel, at r3
                "ldmia r3!, {{r4-r7}}",
                "str r3, [sp, #32]",
                "mov r8, r4",
                "mov r9, r5",
                "mov r10, r6",
                "mov r11, r7",
                "ldr r0, [sp, #24]",
                "ldr r1, [sp, #28]",
                "adds r2, r2, r1",
                "rsbs r1, r1, #0",
                "beq 6f",
                concat!("lsls r3, r1, #31-", $size),
                "beq 4f",
                "3:",
                "one",
                concat!("lsls r3, r1, #31-", $size),
                "bne 3b",
                "cmp r1, #0",
                "beq 6f",
                "4:",
                "one",
                "one",
                "one",
                "one",
                "bne 4b",
                "6:",
                "ldr r1, [sp, #40]",
                "adds r2, r2, r1",
                "str r2, [sp]",
                $($end,)+
                "ldr r0, [sp, #4]",
                "adds r0, r0, #1",
                "str r0, [sp, #4]",
                "ldr r2, [sp]",
                "ldr r0, [sp, #44]",
                "cmp r3, r0",
                "beq 7f",
                "b 2b",
                "7:",
                "add sp, sp, #48",
                "pop {{r4-r7}}",
                "mov r8, r4",
                "mov r9, r5",
                "mov r10, r6",
                "mov r11, r7",
                "pop {{r4-r7, pc}}",
                ".purgem one",
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
        pub(super) const $all: [Loop; 3] = [$sums, $double, $single];
    };
}
weights!(I8: sums_i8 double_i8 single_i8, ["ldrsb" "1"]);
weights!(I16: sums_i16 double_i16 single_i16, ["ldrsh" "2"]);

/// Stamps a loop over a [`Strip`]: where in a piece what four products share and the others lie; how the shared address is prepared and a shared value loaded
/// to r6; how the others are loaded, and their size; what the groups are.
///
/// On the stack: the strip, the next piece, the pieces' end, n in bytes of the others, the step, and a channel's e. Sums in r8 ..= r11; the others end at
/// r1 ..= r4, and r5 counts up to 0; r12 is the zero point.
macro_rules! strip {
    ($name:ident, $shared:literal $moves:literal, [$($prepare:literal)?; $($value:literal),+], $load:literal $size:literal, $groups:literal) => {
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
                "ldr r7, [r6, #32]",
                "mov r12, r7",
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
                "beq 6f",
                "b 2b",
                "6:",
                "movs r0, #128",
                "lsls r0, r0, #8",
                "mov r12, r0",
                ".endm",
                rounding!(),
                // The channel at r1.
                ".macro factors",
                "adds r1, r1, #16",
                "ldmia r1!, {{r0, r2, r3}}",
                "mov lr, r2",
                "str r3, [sp, #20]",
                "lsrs r6, r0, #16",
                "uxth r7, r0",
                ".endm",
                // Stored where the next output belongs.
                ".macro output round, acc",
                "clamped \\round, \\acc, 20",
                "ldr r1, [sp]",
                "ldr r2, [r1, #12]",
                "ldr r3, [r1, #16]",
                "strb r0, [r2]",
                "adds r2, r2, r3",
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
                "factors",
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
                "factors",
                "output double, \\acc",
                ".endm",
                ".macro outputs_single acc",
                "channel_of",
                "factors",
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

/// Both are bytes, and have the same index.
macro_rules! direct {
    ($name:ident $groups:literal) => {
        strip!($name, "4" "0", ["adds r0, r0, r5"; "ldrsb r6, [r0, r5]"], "ldrsb" "1", $groups);
    };
}
direct!(direct_double "groups double");
direct!(direct_single "groups single");
/// The loops of groups of pixels of bytes that end with outputs rounded twice and once.
pub(super) const DIRECT_I8: [Strips; 2] = [direct_double, direct_single];

/// One input that four channels share, and the weights' size.
macro_rules! pixel {
    ($x:literal, $load:literal $size:literal: $($name:ident $groups:literal),+) => {
        $(strip!($name, "0" "4", [; $x, "mov r7, r12", "subs r6, r6, r7"], $load $size, $groups);)+
    };
}
pixel!("ldrb r6, [r0]\nadds r0, r0, #1\nsxtb r6, r6", "ldrsb" "1":
    sums_i8_i8 "channels sums", double_i8_i8 "channels outputs_double", single_i8_i8 "channels outputs_single");
pixel!("ldrb r6, [r0]\nadds r0, r0, #1\nsxtb r6, r6", "ldrsh" "2":
    sums_i8_i16 "channels sums", double_i8_i16 "channels outputs_double", single_i8_i16 "channels outputs_single");
pixel!("ldrh r6, [r0]\nadds r0, r0, #2\nsxth r6, r6", "ldrsb" "1": sums_i16_i8 "channels sums");
pixel!("ldrh r6, [r0]\nadds r0, r0, #2\nsxth r6, r6", "ldrsh" "2": sums_i16_i16 "channels sums");

/// The loops of one pixel, whose inputs and weights have so many bytes, that end with sums, and with outputs rounded twice and once; there are
/// only sums of words.
#[inline(always)]
pub(super) fn pixel(x: usize, w: usize) -> [Strips; 3] {
    match (x, w) {
        (1, 1) => [sums_i8_i8, double_i8_i8, single_i8_i8],
        (1, _) => [sums_i8_i16, double_i8_i16, single_i8_i16],
        (_, 1) => [sums_i16_i8; 3],
        _ => [sums_i16_i16; 3],
    }
}
