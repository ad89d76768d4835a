//! Twice the columns with Helium: Cortex-M55 and M85, eight int8 channels along a row, or all where they are less.
//!
//! A load widens eight bytes to halves of words, a store narrows them:
//!
//! ```text
//! v = 3 near + far                        VLDRB.S16 twice, VMLA.S16
//! y = (3 v[j] + v[j + 1] + 8) >> 4        VMLA.S16, VRSHR.S16, VSTRB.16, and the same for v[j] + 3 v[j + 1]
//! ```
//!
//! Ties away from zero: a negative sum is one less before it is rounded, `y + (y >> 15)`.

#[cfg(all(upconv_backend = "mve", target_arch = "arm"))]
pub(super) use asm::double_8;

/// [`asm::double_8`] where its instructions do not exist.
///
/// # Safety
/// None is needed.
#[cfg(not(all(upconv_backend = "mve", target_arch = "arm")))]
pub(super) unsafe fn double_8<T, const AWAY: bool>(_: *const T, _: *const T, _: *mut T, _: usize, _: usize) -> bool {
    false
}

/// The same in safe Rust, for one channel: the outputs between two columns of the bytes `near` and `far`.
#[cfg(test)]
fn model(near: [i8; 2], far: [i8; 2], away: bool) -> [i8; 2] {
    let v = [0, 1].map(|i| i16::from(far[i]) + 3 * i16::from(near[i]));
    [3 * v[0] + v[1], v[0] + 3 * v[1]].map(|sum| {
        let sum = if away { sum + (sum >> 15) } else { sum };
        ((sum + 8) >> 4) as i8
    })
}

#[test]
fn rounded_shifts_are_the_mean() {
    super::blend_dsp::means(model);
}

#[cfg(all(upconv_backend = "mve", target_arch = "arm"))]
mod asm {
    use core::arch::naked_asm;

    /// Eight channels, or c below that, of all columns of a row, twice each: `near` and `far` are weighted 3 : 1, or the same. True.
    ///
    /// # Safety
    /// `near` and `far` have so many columns, and y twice as many, of c values of one byte, at least eight of which are there, or c.
    #[inline(always)]
    pub(in super::super) unsafe fn double_8<T, const AWAY: bool>(
        near: *const T,
        far: *const T,
        y: *mut T,
        c: usize,
        columns: usize,
    ) -> bool {
        let row = match (c < 8, AWAY) {
            (false, false) => up,
            (false, true) => away,
            (true, false) => up_few,
            (true, true) => away_few,
        };
        // SAFETY: the caller's.
        unsafe { row(near.cast(), far.cast(), y.cast(), c, columns) };
        true
    }

    /// Stamps the loop along a row with its load and its store, and what is done to sums before they are rounded.
    macro_rules! stamp {
        ($name:ident $load:literal $store:literal $($round:literal)*) => {
            /// # Safety
            /// As for [`double_8`].
            #[unsafe(naked)]
            unsafe extern "C" fn $name(near: *const i8, far: *const i8, y: *mut i8, c: usize, columns: usize) {
                naked_asm!(
                    ".cpu cortex-m55",
                    ".macro column v",
                    concat!($load, " q2, [r0]"),
                    concat!($load, " \\v, [r1]"),
                    "add r0, r3",
                    "add r1, r3",
                    "vmla.s16 \\v, q2, r4",
                    ".endm",
                    ".macro put y",
                    $($round,)*
                    "vrshr.s16 \\y, \\y, #4",
                    concat!($store, " \\y, [r2]"),
                    "add r2, r3",
                    ".endm",
                    // Both outputs between two columns, the first of which is used up.
                    ".macro gap v, next",
                    "column \\next",
                    "vmov q2, \\next",
                    "vmla.s16 q2, \\v, r4",
                    "put q2",
                    "vmla.s16 \\v, \\next, r4",
                    "put \\v",
                    ".endm",
                    ".macro edge v",
                    "vshl.i16 q2, \\v, #2",
                    "put q2",
                    ".endm",

                    "push {{r4, lr}}",
                    "vctp.16 r3",
                    "ldr r12, [sp, #8]",
                    "mov r4, #3",
                    "column q0",
                    "edge q0",
                    "subs r12, #1",
                    "beq 4f",
                    "2:",
                    "gap q0, q1",
                    "subs r12, #1",
                    "beq 3f",
                    "gap q1, q0",
                    "subs r12, #1",
                    "bne 2b",
                    "b 4f",
                    "3:",
                    "vmov q0, q1",
                    "4:",
                    "edge q0",
                    "pop {{r4, pc}}",
                    ".purgem column",
                    ".purgem put",
                    ".purgem gap",
                    ".purgem edge",
                )
            }
        };
    }
    stamp!(up "vldrb.s16" "vstrb.16");
    stamp!(up_few "vpst\nvldrbt.s16" "vpst\nvstrbt.16");
    stamp!(away "vldrb.s16" "vstrb.16" "vshr.s16 q3, \\y, #15" "vadd.i16 \\y, \\y, q3");
    stamp!(away_few "vpst\nvldrbt.s16" "vpst\nvstrbt.16" "vshr.s16 q3, \\y, #15" "vadd.i16 \\y, \\y, q3");
}
