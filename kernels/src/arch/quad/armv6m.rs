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

use super::Loop;
pub(super) use super::words::widen_i16;
pub(crate) use super::words::{CHUNK, Patch, SUMS};
use core::arch::naked_asm;

/// [`Patch::fill`] of all pixels, `step` values apart, with `len` values, a multiple of 4.
///
/// # Safety
/// The inputs can be read, and the patch has room.
#[inline(always)]
pub(super) unsafe fn widen(patch: &mut Patch, at: usize, x: *const i8, step: usize, len: usize, offset: i32) {
    if len > 0 {
        // SAFETY: the caller's.
        unsafe { widen_all(patch.x.as_mut_ptr().add(at).cast(), x, step, len, offset) };
    }
}

/// Pixel by pixel, each backwards.
#[unsafe(naked)]
unsafe extern "C" fn widen_all(to: *mut (), x: *const i8, step: usize, len: usize, offset: i32) {
    naked_asm!(
        ".macro one at",
        "subs r3, r3, #1",
        "ldrsb r4, [r1, r3]",
        "subs r4, r4, r5",
        "str r4, [r0, #\\at]",
        ".endm",
        "push {{r4-r7, lr}}",
        "ldr r5, [sp, #20]",
        "lsls r4, r3, #4",
        "adds r0, r0, r4",
        "movs r7, #4",
        "movs r6, r3",
        "2:",
        "movs r3, r6",
        "3:",
        "subs r0, r0, #64",
        "one 48",
        "one 32",
        "one 16",
        "one 0",
        "cmp r3, #0",
        "bne 3b",
        "adds r1, r1, r2",
        "lsls r4, r6, #4",
        "adds r0, r0, r4",
        "adds r0, r0, #4",
        "subs r7, r7, #1",
        "bne 2b",
        "pop {{r4-r7, pc}}",
        ".purgem one",
    )
}

/// Stamps the loop over channels: how a weight is loaded, and what becomes of the sums.
///
/// On the stack: the next channel's weights at 0, index of the channel at 4, four outputs' addresses from 8 on, x and n in bytes of
/// weights at 24 and 28, the channel's factors and their e at 32 and 36; after nine saved registers, from 76 on, `next`, `end`, y
/// and pitch. r12 is 2^15.
macro_rules! stamp {
    ($name:ident, [$load:literal $size:literal], [$($end:literal),+]) => {
        #[unsafe(naked)]
        unsafe extern "C" fn $name(
            x: *const Patch, n: usize, w: *const (), channels: *mut (), next: usize, end: *const (), y: *mut i8, pitch: usize,
        ) {
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
                // The high word of the doubled sum times q (r6: its upper half, r7: its lower half), in r1; the sign in r3.
                ".macro high acc, half",
                "mov r0, \\acc",
                "asrs r3, r0, #31",
                "lsls r0, r0, #1",
                "asrs r1, r0, #16", // a1
                "uxth r0, r0", // a0
                "movs r4, r1",
                "muls r4, r7, r4", // a1 q0
                "movs r5, r0",
                "muls r5, r6, r5", // a0 q1
                "muls r1, r6, r1",
                "muls r0, r7, r0",
                "lsrs r0, r0, #16",
                "adds r0, r0, r5",
                "uxth r2, r4",
                "adds r0, r0, r2",
                ".if \\half",
                "add r0, r0, r12", // 2^15
                ".endif",
                "asrs r4, r4, #16",
                "adds r1, r1, r4",
                "lsrs r0, r0, #16",
                "adds r1, r1, r0",
                ".endm",
                ".macro double acc",
                "high \\acc, 1",
                "adds r1, r1, r3",
                ".endm",
                ".macro single acc",
                "high \\acc, 0",
                ".endm",
                // Shifted, clamped and stored at pixel p.
                ".macro output round, acc, p",
                "\\round \\acc",
                "add r1, r1, lr",
                "ldr r0, [sp, #36]",
                "asrs r1, r1, r0",
                "sxtb r0, r1",
                "cmp r0, r1",
                "beq 12f",
                "asrs r0, r1, #31",
                "movs r1, #127",
                "eors r0, r0, r1",
                "12:",
                "ldr r1, [sp, #8+4*\\p]",
                "ldr r2, [sp, #4]",
                "strb r0, [r1, r2]",
                ".endm",
                ".macro outputs round",
                "ldr r3, [sp, #32]",
                "ldmia r3!, {{r0, r1, r2}}",
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
                "sub sp, sp, #40",
                "str r0, [sp, #24]",
                concat!("movs r0, #", $size),
                "muls r1, r0, r1",
                "str r1, [sp, #28]",
                "movs r0, #0",
                "str r0, [sp, #4]",
                "movs r0, #128",
                "lsls r0, r0, #8",
                "mov r12, r0",
                "ldr r0, [sp, #84]",
                "ldr r1, [sp, #88]",
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
                "ldr r1, [sp, #76]",
                "adds r2, r2, r1",
                "str r2, [sp]",
                $($end,)+
                "ldr r0, [sp, #4]",
                "adds r0, r0, #1",
                "str r0, [sp, #4]",
                "ldr r2, [sp]",
                "ldr r0, [sp, #80]",
                "cmp r3, r0",
                "beq 7f",
                "b 2b",
                "7:",
                "add sp, sp, #40",
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
                "adds r3, r3, #12"
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
