//! Cortex-M3: per value and channel one `LDM` of four pixels, one `LDRSB` of the weight, four `MLA`: 6 instructions for 4 products.

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

#[unsafe(naked)]
unsafe extern "C" fn widen_all(to: *mut (), x: *const i8, step: usize, len: usize, offset: i32) {
    naked_asm!(
        ".macro one",
        "ldrsb r6, [r1, r2, lsl #1]",
        "ldrsb r7, [r9, r2, lsl #1]",
        "ldrsb r4, [r1], #1",
        "ldrsb r5, [r9], #1",
        "subs r4, r4, r8",
        "subs r5, r5, r8",
        "subs r6, r6, r8",
        "subs r7, r7, r8",
        "stmia r0!, {{r4-r7}}",
        ".endm",
        "push {{r4-r9, lr}}",
        "ldr r8, [sp, #28]",
        "add r9, r1, r2",
        "2:",
        "one",
        "one",
        "one",
        "one",
        "subs r3, r3, #4",
        "bne 2b",
        "pop {{r4-r9, pc}}",
        ".purgem one",
    )
}

/// Stamps the loop over channels: how a weight is loaded, and what becomes of the sums.
///
/// On the stack: x and n; after eleven saved registers, from 44 on, `next`, `end`, y and pitch.
macro_rules! stamp {
    ($name:ident, $load:literal, [$($end:literal),+]) => {
        #[unsafe(naked)]
        unsafe extern "C" fn $name(
            x: *const Patch, n: usize, w: *const (), channels: *mut (), next: usize, end: *const (), y: *mut i8, pitch: usize,
        ) {
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
                ".macro double acc",
                "add lr, r9, \\acc, asr #31",
                "lsl \\acc, \\acc, #1",
                "smull r11, \\acc, \\acc, r8",
                "lsls r11, r11, #1",
                "adc \\acc, \\acc, lr",
                "asr \\acc, \\acc, r10",
                "ssat \\acc, #8, \\acc",
                ".endm",
                ".macro single acc",
                "lsl \\acc, \\acc, #1",
                "smull r11, \\acc, \\acc, r8",
                "add \\acc, \\acc, r9",
                "asr \\acc, \\acc, r10",
                "ssat \\acc, #8, \\acc",
                ".endm",
                ".macro outputs round",
                "ldmia r3!, {{r8-r10}}",
                "\\round r4",
                "\\round r5",
                "\\round r6",
                "\\round r7",
                "ldrd r0, r1, [sp, #52]",
                "add r8, r0, r1",
                "strb r5, [r0, r1]",
                "strb r6, [r0, r1, lsl #1]",
                "strb r7, [r8, r1, lsl #1]",
                "strb r4, [r0], #1",
                "str r0, [sp, #52]",
                ".endm",

                "push {{r0, r1, r4-r11, lr}}",
                "2:", // a channel
                "ldmia r3!, {{r4-r7}}",
                "ldrd r0, r1, [sp]",
                "subs r1, r1, #4",
                "blo 4f",
                "3:",
                "one",
                "one",
                "one",
                "one",
                "subs r1, r1, #4",
                "bhs 3b",
                "4:",
                "adds r1, r1, #4",
                "beq 6f",
                "5:",
                "one",
                "subs r1, r1, #1",
                "bne 5b",
                "6:",
                "ldr r12, [sp, #44]",
                "add r2, r2, r12",
                $($end,)+
                "ldr r12, [sp, #48]",
                "cmp r3, r12",
                "bne 2b",
                "pop {{r0, r1, r4-r11, pc}}",
                ".purgem one",
                ".purgem double",
                ".purgem single",
                ".purgem outputs",
            )
        }
    };
}

macro_rules! weights {
    ($all:ident: $sums:ident $double:ident $single:ident, $load:literal) => {
        stamp!($sums, $load, ["sub r12, r3, #16", "stmia r12, {{r4-r7}}", "adds r3, r3, #12"]);
        stamp!($double, $load, ["outputs double"]);
        stamp!($single, $load, ["outputs single"]);
        /// The loops that end with sums, and with outputs rounded twice and once.
        pub(super) const $all: [Loop; 3] = [$sums, $double, $single];
    };
}
weights!(I8: sums_i8 double_i8 single_i8, "ldrsb r12, [r2], #1");
weights!(I16: sums_i16 double_i16 single_i16, "ldrsh r12, [r2], #2");
