//! Twice the columns with the DSP instructions of Armv7E-M and Armv8-M, four int8 channels along a row.
//!
//! `SXTAB16` widens two bytes and adds them to two halves, so that with K = 342 in each
//!
//! ```text
//! v  = 3 (K + near) + far                                6 for a column
//! y  = 3 v[j] + v[j + 1],  v[j] + 3 v[j + 1]             6
//!    = 9a + 3b + 3c + d + 12 K,   12 K = 2^12 + 8
//! ```
//!
//! whose bits 4 ..= 11 are the rounded mean: no bias to add or take away.

/// The same in safe Rust: the sums of a gap between two columns, for the bytes `near` and `far` of both.
#[cfg(test)]
fn model(near: [i8; 2], far: [i8; 2], away: bool) -> [i8; 2] {
    let v = [0, 1].map(|i| 3 * (342 + i32::from(near[i])) + i32::from(far[i]));
    assert!(v.iter().all(|v| *v >= 0));
    [3 * v[0] + v[1], v[0] + 3 * v[1]].map(|sum| {
        assert!(sum < 1 << 16);
        let sum = if away { sum - 1 } else { sum };
        ((if away { sum + (sum >> 12 & 1) } else { sum }) >> 4) as i8
    })
}

#[test]
fn bits_4_to_11_are_the_rounded_mean() {
    means(model);
}

/// Compares the outputs of a gap with the definition.
#[cfg(test)]
pub(super) fn means(model: fn([i8; 2], [i8; 2], bool) -> [i8; 2]) {
    let few = |v: &i8| matches!(v, -128 | -1 | 0 | 5 | 127);
    let many = |v: &i8| v % 9 == 0 || v.unsigned_abs() > 120 || v.unsigned_abs() < 3;
    let bytes = (i8::MIN..=i8::MAX).filter(if cfg!(miri) { few } else { many });
    for (a, b) in bytes.clone().flat_map(|a| bytes.clone().map(move |b| (a, b))) {
        for (c, d) in bytes.clone().flat_map(|c| bytes.clone().map(move |d| (c, d))) {
            let [[a1, b1], [c1, d1]] = [[a, b], [c, d]].map(|row| row.map(i32::from));
            let sums = [9 * a1 + 3 * b1 + 3 * c1 + d1, 3 * a1 + 9 * b1 + c1 + 3 * d1];
            assert_eq!(model([a, b], [c, d], false), sums.map(|sum| ((sum + 8) >> 4) as i8));
            assert_eq!(model([a, b], [c, d], true), sums.map(|sum| ((sum.abs() + 8) / 16 * sum.signum()) as i8));
        }
    }
}

#[cfg(all(any(upconv_backend = "dsp", upconv_backend = "mve"), target_arch = "arm"))]
pub(super) use asm::{any, double};

/// What [`any`] reads and keeps beside the registers.
#[repr(C)]
#[cfg_attr(not(all(any(upconv_backend = "dsp", upconv_backend = "mve"), target_arch = "arm")), allow(dead_code))]
pub(super) struct Columns {
    /// The column loaded last, how far the other row lies from it, and the last of the row.
    pub(super) near: *const i8,
    pub(super) far: isize,
    pub(super) last: *const i8,
    pub(super) c: usize,
    pub(super) weights: [u32; 2],
    /// 128 (w₀ + w₁) in both halves.
    pub(super) offset: u32,
    pub(super) shift: u32,
    /// Twice the denominator of positions, their step, below it, and the first: it is above where the first column is passed already.
    pub(super) den: u32,
    pub(super) step: u32,
    pub(super) t: u32,
    pub(super) m: u32,
    /// Twice what makes sums positive and rounds them.
    pub(super) half: u32,
}

/// [`asm::any`] where its instructions do not exist.
///
/// # Safety
/// None is needed.
#[cfg(not(all(any(upconv_backend = "dsp", upconv_backend = "mve"), target_arch = "arm")))]
pub(super) unsafe fn any(_: &mut Columns, _: *mut i8, _: usize) -> bool {
    false
}

/// [`asm::double`] where its instructions do not exist.
///
/// # Safety
/// None is needed.
#[cfg(not(all(any(upconv_backend = "dsp", upconv_backend = "mve"), target_arch = "arm")))]
pub(super) unsafe fn double<T, const AWAY: bool>(_: *const T, _: *const T, _: *mut T, _: usize, _: usize) -> bool {
    false
}

#[cfg(all(any(upconv_backend = "dsp", upconv_backend = "mve"), target_arch = "arm"))]
mod asm {
    use core::arch::naked_asm;

    /// Four channels of all columns of a row, twice each: `near` and `far` are weighted 3 : 1, or the same. True.
    ///
    /// # Safety
    /// `near` and `far` have so many columns, and y twice as many, of c values of one byte, at least four of which are there.
    #[inline(always)]
    pub(in super::super) unsafe fn double<T, const AWAY: bool>(
        near: *const T,
        far: *const T,
        y: *mut T,
        c: usize,
        columns: usize,
    ) -> bool {
        let row = if AWAY { away } else { up };
        // SAFETY: the caller's.
        unsafe {
            row(near.cast(), far as isize - near as isize, y.cast(), c, near.cast::<i8>().wrapping_add(c * columns))
        };
        true
    }

    /// Stamps the loop along a row: what is done to sums before they are doubled, to those of outputs, and before r4 is compared as `end`.
    ///
    /// r0 near, r1 how far `far` lies from it, r2 y, r3 c, r5 K in both halves, r6 a byte's mask for both, r8 ..= r11 the sums of two columns.
    macro_rules! stamp {
        ($name:ident $less:literal $up:literal $last:literal) => {
            /// # Safety
            /// From `near` to `end`, and `far` bytes further, pixels of c bytes can be read, four bytes of each, and y has room for those of twice as many.
            #[unsafe(naked)]
            unsafe extern "C" fn $name(near: *const i8, far: isize, y: *mut i8, c: usize, end: *const i8) {
                naked_asm!(
                    ".cpu cortex-m4",
                    ".macro column low, high",
                    "ldr r12, [r0]",
                    "ldr lr, [r0, r1]",
                    "add r0, r3",
                    "sxtab16 \\low, r5, r12",
                    "sxtab16 \\high, r5, r12, ror #8",
                    "add \\low, \\low, \\low, lsl #1",
                    "add \\high, \\high, \\high, lsl #1",
                    "sxtab16 \\low, \\low, lr",
                    "sxtab16 \\high, \\high, lr, ror #8",
                    ".endm",
                    ".macro less sum",
                    $less,
                    ".endm",
                    ".macro up sum, free",
                    $up,
                    ".endm",
                    ".macro pack low, high",
                    "and \\low, r6, \\low, lsr #4",
                    "and \\high, r6, \\high, lsr #4",
                    "orr \\low, \\low, \\high, lsl #8",
                    ".endm",
                    // Both outputs between two columns, the first of which is used up.
                    ".macro gap low, high, next_low, next_high",
                    "column \\next_low, \\next_high",
                    "add r12, \\low, \\next_low",
                    "less r12",
                    "add \\low, r12, \\low, lsl #1",
                    "add r12, r12, \\next_low, lsl #1",
                    "up \\low, lr",
                    "up r12, lr",
                    "add lr, \\high, \\next_high",
                    "less lr",
                    "add \\high, lr, \\high, lsl #1",
                    "add lr, lr, \\next_high, lsl #1",
                    "up \\high, r4",
                    "up lr, r4",
                    "pack \\low, \\high",
                    "str \\low, [r2]",
                    "pack r12, lr",
                    "str r12, [r2, r3]",
                    "add r2, r2, r3, lsl #1",
                    ".endm",
                    ".macro edge low, high",
                    "lsl r12, \\low, #2",
                    "lsl lr, \\high, #2",
                    "less r12",
                    "less lr",
                    "up r12, r4",
                    "up lr, r4",
                    "pack r12, lr",
                    "str r12, [r2]",
                    ".endm",
                    ".macro last",
                    $last,
                    "cmp r0, r4",
                    ".endm",
                    "push {{r4-r11, lr}}",
                    "movw r5, #342",
                    "movt r5, #342",
                    "mov r6, #0x00FF00FF",
                    "mov r7, #0x00010001",
                    "column r8, r9",
                    "edge r8, r9",
                    "add r2, r3",
                    "ldr r4, [sp, #36]",
                    "cmp r0, r4",
                    "beq 4f",
                    "2:",
                    "gap r8, r9, r10, r11",
                    "last",
                    "beq 3f",
                    "gap r10, r11, r8, r9",
                    "last",
                    "bne 2b",
                    "b 4f",
                    "3:",
                    "mov r8, r10",
                    "mov r9, r11",
                    "4:",
                    "edge r8, r9",
                    "pop {{r4-r11, pc}}",
                    ".purgem column",
                    ".purgem less",
                    ".purgem up",
                    ".purgem pack",
                    ".purgem gap",
                    ".purgem edge",
                    ".purgem last",
                )
            }
        };
    }
    stamp!(up "" "" "");
    stamp!(away "sub \\sum, r7" "and \\free, r7, \\sum, lsr #12\nadd \\sum, \\free" "ldr r4, [sp, #36]");

    /// Four channels of `count` outputs along a row at any positions that step by less than a column. True.
    ///
    /// `v` are signed sums of a column, two in a word: `n = 2 (den − t) v[j] + 2t v[j + 1] + half` is two `SMLABB` or `SMLATB`, `n / 2d` is
    /// `UMULL` and `LSR`: 33 instructions for four outputs and 29 for a column.
    ///
    /// # Safety
    /// From `near` to `last`, and `far` bytes further, c bytes apart, four bytes can be read, and `count` times be written from y on, once at
    /// least. |v| and 2 den are below 2^15.
    #[inline(always)]
    pub(in super::super) unsafe fn any(columns: &mut super::Columns, y: *mut i8, count: usize) -> bool {
        // SAFETY: the caller's.
        unsafe { any_row(columns, y, count) };
        true
    }

    #[unsafe(naked)]
    unsafe extern "C" fn any_row(columns: *mut super::Columns, y: *mut i8, count: usize) {
        naked_asm!(
            ".cpu cortex-m4",
            // The sums of the column at r10 into r6 and r7.
            ".macro column",
            "ldr lr, [r0, #4]",
            "ldr r11, [r10]",
            "ldr r12, [r10, lr]",
            "ldrd r10, lr, [r0, #16]",
            "eor r11, r11, #0x80808080",
            "eor r12, r12, #0x80808080",
            "uxtb16 r6, r11",
            "uxtb16 r7, r11, ror #8",
            "mul r6, r6, r10",
            "mul r7, r7, r10",
            "uxtb16 r10, r12",
            "uxtb16 r12, r12, ror #8",
            "mla r6, r10, lr, r6",
            "mla r7, r12, lr, r7",
            "ldr r10, [r0, #24]",
            "usub16 r6, r6, r10",
            "usub16 r7, r7, r10",
            ".endm",
            // Two outputs of the sums `a` and `b`, 16 bits apart in `low`; `high` is used.
            ".macro outputs a, b, low, high",
            "smlabb \\low, \\a, r12, r9",
            "smlatb \\high, \\a, r12, r9",
            "smlabb \\low, \\b, r8, \\low",
            "smlatb \\high, \\b, r8, \\high",
            "umull lr, \\low, \\low, r3",
            "umull lr, \\high, \\high, r3",
            "ldr lr, [r0, #28]",
            "lsr \\low, \\low, lr",
            "lsr \\high, \\high, lr",
            "orr \\low, \\low, \\high, lsl #16",
            ".endm",
            "push {{r4-r11, lr}}",
            "ldr r10, [r0]",
            "column",
            "mov r4, r6",
            "mov r5, r7",
            "ldr r8, [r0, #40]",
            "ldr r3, [r0, #44]",
            "ldr r9, [r0, #48]",
            "ldr r10, [r0, #32]",
            "b 3f",
            "2:",
            "ldrd r10, r11, [r0, #32]",
            "add r8, r11",
            "3:",
            "cmp r8, r10",
            "blo 4f",
            "sub r8, r10",
            "mov r4, r6",
            "mov r5, r7",
            "ldrd r11, lr, [r0, #8]",
            "ldr r10, [r0]",
            "cmp r10, r11",
            "it ne",
            "addne r10, lr",
            "str r10, [r0]",
            "column",
            "4:",
            "ldr r12, [r0, #32]",
            "sub r12, r8",
            "outputs r4, r6, r10, r11",
            "outputs r5, r7, r11, r12",
            "orr r10, r10, r11, lsl #8",
            "ldr lr, [r0, #12]",
            "eor r10, r10, #0x80808080",
            "str r10, [r1]",
            "add r1, lr",
            "subs r2, #1",
            "bne 2b",
            "pop {{r4-r11, pc}}",
            ".purgem column",
            ".purgem outputs",
        )
    }
}
