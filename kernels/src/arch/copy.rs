//! Copies of pixels, which are so many bytes whatever their values are: each loop is there once for all types.
//!
//! Whole words where both rows and a pixel's length lie on words, in blocks of a length that the loop knows; else words anywhere, of which the last
//! may overlap the one before, or bytes. A call of `memcpy` costs more than a pixel of 32 bytes.

use super::{UNALIGNED, VECTORS, small};
use crate::Element;
use core::slice;

/// A row's bytes.
fn bytes<T: Element>(x: &[T]) -> &[u8] {
    // SAFETY: the same memory; elements are integers without padding.
    unsafe { slice::from_raw_parts(x.as_ptr().cast(), size_of_val(x)) }
}

/// The same to write.
fn bytes_mut<T: Element>(y: &mut [T]) -> &mut [u8] {
    // SAFETY: as above, and any bytes are elements.
    unsafe { slice::from_raw_parts_mut(y.as_mut_ptr().cast(), size_of_val(y)) }
}

/// Whether words can be copied one by one: both rows and all lengths, of which `lengths` has the bits, lie on words.
fn on_words(x: &[u8], y: &[u8], lengths: usize) -> bool {
    (x.as_ptr() as usize | y.as_ptr() as usize | lengths).is_multiple_of(4)
}

/// Both as words, if they begin on words.
fn words<'a>(x: &'a [u8], y: &'a mut [u8]) -> Option<(&'a [u32], &'a mut [u32])> {
    if !on_words(x, y, 0) {
        return None;
    }
    let (from, to) = (x.as_ptr().cast(), y.as_mut_ptr().cast());
    // SAFETY: the same memory, aligned, without the bytes after the last word; any bytes are a word.
    Some(unsafe { (slice::from_raw_parts(from, x.len() / 4), slice::from_raw_parts_mut(to, y.len() / 4)) })
}

/// `y[i] = x[place(from[i])]` for pixels of n values.
#[inline(always)]
pub(crate) fn pick_pixels<T: Element, I: Copy + PartialEq>(
    x: &[T],
    n: usize,
    from: impl Iterator<Item = I>,
    place: impl Fn(I) -> usize,
    y: &mut [T],
) {
    pick(bytes(x), n * size_of::<T>(), from, place, bytes_mut(y));
}

/// `y[i] = x[i / 2]` for `count` pixels of n values.
#[inline(always)]
pub(crate) fn double_pixels<T: Element>(x: &[T], n: usize, count: usize, y: &mut [T]) {
    chosen::double(bytes(x), n * size_of::<T>(), count, bytes_mut(y));
}

/// `y[i] = x[i / factor]` for `count` pixels of n values.
pub(crate) fn repeat_pixels<T: Element>(x: &[T], n: usize, count: usize, factor: usize, y: &mut [T]) {
    repeat(bytes(x), n * size_of::<T>(), count, factor, bytes_mut(y));
}

/// A row as it is.
#[inline(always)]
pub(crate) fn copy_row<T: Element>(x: &[T], y: &mut [T]) {
    if VECTORS {
        return y.iter_mut().zip(x).for_each(|(y, x)| *y = *x);
    }
    let n = size_of_val(y);
    chosen::runs(bytes(x), bytes_mut(y), n, n, n, 1);
}

/// n values, one at least.
///
/// # Safety
/// They can be read, and written.
#[inline(always)]
#[cfg(any(not(any(upconv_backend = "portable", upconv_backend = "mve")), test))]
pub(crate) unsafe fn copy_values<T: Element>(x: *const T, y: *mut T, n: usize) {
    // SAFETY: the caller's.
    unsafe { chosen::bytes(x.cast::<u8>(), y.cast(), n * size_of::<T>()) };
}

/// Whether rows of `len` values, of which y begins with the first, are copied in words, and pixels of n values are not.
pub(crate) fn rather_rows<T: Element>(y: &[T], n: usize, len: usize) -> bool {
    let y = bytes(y);
    !(n * size_of::<T>()).is_multiple_of(4) && (UNALIGNED || on_words(y, y, len * size_of::<T>()))
}

/// `count` runs of n values; the other numbers are by how far they lie apart.
#[inline(always)]
pub(crate) fn copy_runs<T: Element>((x, from): (&[T], usize), (y, to): (&mut [T], usize), n: usize, count: usize) {
    let [from, to, n] = [from, to, n].map(|n| n * size_of::<T>());
    chosen::runs(bytes(x), bytes_mut(y), from, to, n, count);
}

#[cfg(any(target_arch = "arm", all(target_arch = "riscv32", upconv_backend = "riscv")))]
use asm as chosen;
#[cfg(not(any(target_arch = "arm", all(target_arch = "riscv32", upconv_backend = "riscv"))))]
use model as chosen;

/// Pixels of n bytes, each written `factor` times.
#[inline(never)]
fn repeat(x: &[u8], n: usize, count: usize, factor: usize, y: &mut [u8]) {
    let mut done = 0;
    while done < factor {
        let y = y.get_mut(done * n..).unwrap_or_default();
        done += if factor - done >= 3 && chosen::triple(x, n, count, factor * n, y) {
            3
        } else {
            chosen::runs(x, y, n, factor * n, n, count);
            1
        };
    }
}

/// Pixels of n bytes.
#[inline(never)]
fn pick<I: Copy + PartialEq>(
    x: &[u8],
    n: usize,
    from: impl Iterator<Item = I>,
    place: impl Fn(I) -> usize,
    y: &mut [u8],
) {
    match n {
        1 => return pick_of::<_, 1>(x, from.map(place), y),
        2 => return pick_of::<_, 2>(x, from.map(place), y),
        3 => return pick_of::<_, 3>(x, from.map(place), y),
        _ => {}
    }
    let aligned = on_words(x, y, n);
    match n {
        4 | 8 | 16 if aligned => {
            let Some((x, y)) = words(x, y) else { return };
            match n {
                4 => pick_of::<_, 1>(x, from.map(place), y),
                8 => pick_of::<_, 2>(x, from.map(place), y),
                _ => pick_of::<_, 4>(x, from.map(place), y),
            }
        }
        4..=8 if UNALIGNED => pick_by(x, n, from, place, y, two_words),
        _ => pick_by(x, n, from, place, y, chosen::pixel(aligned, n)),
    }
}

/// `pixel` writes one as often as it follows itself.
#[cfg_attr(upconv_backend = "armv6m", inline(always))] // n is that of `pixel`, which then need not compare
#[cfg_attr(not(upconv_backend = "armv6m"), inline(never))]
fn pick_by<I: Copy + PartialEq>(
    x: &[u8],
    n: usize,
    mut from: impl Iterator<Item = I>,
    place: impl Fn(I) -> usize,
    y: &mut [u8],
    pixel: impl Fn(&[u8], usize, &mut [u8]),
) {
    let (mut rest, mut copies) = (y, 1);
    let (Some(last), Some(mut now)) = (x.len().checked_sub(n), from.next()) else { return };
    loop {
        let next = from.next();
        if next == Some(now) {
            copies += 1;
            continue;
        }
        // Bounds: a row of each is shorter than 2^32 bytes.
        let (at, len) = (place(now) * n, copies * n);
        if at > last || len > rest.len() {
            return;
        }
        // SAFETY: both end inside, as the comparisons have shown.
        let (x, (y, more)) =
            unsafe { (x.get_unchecked(at..at + n), core::mem::take(&mut rest).split_at_mut_unchecked(len)) };
        pixel(x, copies, y);
        let Some(next) = next else { return };
        (rest, copies, now) = (more, 1, next);
    }
}

/// Four to eight bytes, of which the words may overlap.
#[inline(always)]
fn two_words(x: &[u8], copies: usize, y: &mut [u8]) {
    if let (Some(first), Some(last)) = (x.first_chunk::<4>(), x.last_chunk::<4>())
        && y.len() == copies * x.len()
    {
        let mut y = y.as_mut_ptr();
        for _ in 0..copies {
            // SAFETY: y has room for so many pixels, of four bytes at least.
            unsafe {
                y.cast::<[u8; 4]>().write(*first);
                y.add(x.len() - 4).cast::<[u8; 4]>().write(*last);
                y = y.add(x.len());
            }
            small();
        }
    }
}

#[inline(never)]
fn pick_of<E: Copy, const N: usize>(x: &[E], from: impl Iterator<Item = usize>, y: &mut [E]) {
    let x = x.as_chunks::<N>().0;
    for (y, i) in y.as_chunks_mut::<N>().0.iter_mut().zip(from) {
        if let Some(x) = x.get(i) {
            *y = *x;
        }
        small();
    }
}

/// What the loops in assembly need to hold before they are called.
#[cfg(any(target_arch = "arm", all(target_arch = "riscv32", upconv_backend = "riscv")))]
mod asm {
    #[cfg(target_arch = "arm")]
    use super::arm as core;
    #[cfg(not(target_arch = "arm"))]
    use super::riscv as core;
    use super::{UNALIGNED, on_words};

    /// Pixels of n bytes, each written twice: x, y, n, how many, one at least.
    #[cfg(target_arch = "arm")]
    pub(super) type Double = unsafe extern "C" fn(*const u8, *mut u8, usize, usize);

    /// Runs of n bytes: x, y, the steps from the end of one to the next, n, how many, one at least.
    pub(super) type Runs = unsafe extern "C" fn(*const u8, *mut u8, usize, usize, usize, usize);

    #[cfg(all(target_arch = "riscv32", upconv_backend = "riscv"))]
    pub(super) use super::blocks::double;

    #[cfg(target_arch = "arm")]
    #[inline(always)]
    pub(super) fn double(x: &[u8], n: usize, count: usize, y: &mut [u8]) {
        let len = n * count;
        // Bounds: a row of the output is shorter than 2^32 bytes.
        if len == 0 || x.len() < len || y.len() < 2 * len {
            return;
        }
        let double = core::double_of(on_words(x, y, n), n);
        // SAFETY: x has so many pixels, one at least, and y room for twice as many; all is on words, where that is needed.
        unsafe { double(x.as_ptr(), y.as_mut_ptr(), n, count) };
    }

    /// Whether x has `count` runs of n bytes that are `from` apart, and y room for as many of so many bytes `to` apart.
    #[inline(always)]
    fn fit((x, from, n): (&[u8], usize, usize), (y, to, bytes): (&[u8], usize, usize), count: usize) -> bool {
        // Bounds: a row of each is shorter than 2^32 bytes.
        let last = count.wrapping_sub(1);
        count > 0 && n > 0 && x.len() >= last * from + n && y.len() >= last * to + bytes
    }

    /// Runs of n bytes that are `from` apart in x and `to` in y.
    #[inline(never)]
    pub(super) fn runs(x: &[u8], y: &mut [u8], from: usize, to: usize, n: usize, count: usize) {
        if fit((x, from, n), (y, to, n), count) {
            let runs = core::runs_of(x.as_ptr() as usize | y.as_ptr() as usize | from | to | n, n);
            // SAFETY: the last run ends inside both; all is on words or half-words, where that is needed.
            unsafe { runs(x.as_ptr(), y.as_mut_ptr(), from.wrapping_sub(n), to.wrapping_sub(n), n, count) };
        }
    }

    /// n bytes, one at least.
    ///
    /// # Safety
    /// They can be read, and written.
    #[inline(always)]
    #[cfg(not(any(upconv_backend = "portable", upconv_backend = "mve")))]
    pub(super) unsafe fn bytes(x: *const u8, y: *mut u8, n: usize) {
        // SAFETY: the caller's; all is on words or half-words, where that is needed.
        unsafe { core::runs_of(x as usize | y as usize | n, n)(x, y, 0, 0, n, 1) };
    }

    /// Pixels of n bytes, three copies of which are written every `to` bytes, where that is faster than one by one; else false, and nothing done.
    pub(super) fn triple(x: &[u8], n: usize, count: usize, to: usize, y: &mut [u8]) -> bool {
        let bytes = if UNALIGNED { n < 4 } else { !on_words(x, y, n) };
        if bytes && fit((x, n, n), (y, to, 3 * n), count) {
            // SAFETY: x has so many pixels, one at least, and y room for three copies of the last.
            unsafe { core::triple(x.as_ptr(), y.as_mut_ptr(), n, to.wrapping_sub(3 * n), count) };
        }
        bytes
    }

    /// What copies a pixel of n bytes so often, once at least, where all lie on words or anywhere.
    pub(super) fn pixel(aligned: bool, n: usize) -> impl Fn(&[u8], usize, &mut [u8]) {
        let runs = core::runs_of(usize::from(!aligned), n);
        move |x, copies, y| {
            if n > 0 && x.len() == n && y.len() == copies * n {
                // SAFETY: a pixel, and room for so many; the caller has seen to words.
                unsafe { core::again(runs, aligned, x.as_ptr(), y.as_mut_ptr(), n, copies) };
            }
        }
    }
}

/// Loops in the instructions of every Cortex-M, and some that only Armv7-M and up have: words at any place, more registers at once.
#[cfg(target_arch = "arm")]
mod arm {
    use super::UNALIGNED;
    use super::asm::{Double, Runs};
    use core::arch::naked_asm;

    /// What doubles pixels of n bytes, which all lie on words or anywhere.
    #[inline(always)]
    pub(super) fn double_of(aligned: bool, n: usize) -> Double {
        static WORDS: [Double; 9] =
            [double_by_4, double_4, double_8, double_by_4, double_16, double_by_4, double_by_4, double_by_4, double_32];
        static BYTES: [Double; 9] =
            [double_any, double_1, TWO, double_3, double_short, double_short, double_short, double_short, double_short];
        const TWO: Double = if UNALIGNED { double_2 } else { double_short };
        match if aligned { WORDS.get(n / 4) } else { BYTES.get(n) } {
            Some(double) => *double,
            None if aligned && n.is_multiple_of(16) => double_by_16,
            None if aligned => double_by_4,
            None if n <= SHORT => double_short,
            None => double_any,
        }
    }

    /// A pixel of n bytes so often; in bytes two or three copies at once.
    #[inline(always)]
    pub(super) unsafe fn again(runs: Runs, aligned: bool, x: *const u8, y: *mut u8, n: usize, copies: usize) {
        let bytes = !UNALIGNED && !aligned;
        // SAFETY: the caller's.
        unsafe {
            match copies {
                2 if bytes && n <= SHORT => double_short(x, y, n, 1),
                2 if bytes => double_any(x, y, n, 1),
                3 if bytes => triple(x, y, n, 0, 1),
                _ => runs(x, y, n.wrapping_neg(), 0, n, copies),
            }
        }
    }

    /// What copies runs of n bytes; `at` has the bits of all places and lengths.
    #[inline(always)]
    pub(super) fn runs_of(at: usize, n: usize) -> Runs {
        static WORDS: [Runs; 9] =
            [runs_by_4, runs_4, runs_8, runs_by_4, runs_16, runs_by_4, runs_by_4, runs_by_4, runs_32];
        let even = UNALIGNED || at.is_multiple_of(2);
        match WORDS.get(n / 4) {
            Some(runs) if at.is_multiple_of(4) => *runs,
            None if at.is_multiple_of(4) => {
                if n.is_multiple_of(16) {
                    runs_by_16
                } else {
                    runs_by_4
                }
            }
            _ if n == 2 && even => runs_2,
            _ if n < 4 => runs_few,
            _ if even && n <= 64 => runs_even,
            _ => runs_any,
        }
    }

    /// Pixels of a length that registers hold: some whole blocks, one of two pixels after the first of an odd number.
    macro_rules! double {
        ($name:ident [$($odd:literal)*] [$($block:literal)+] $bytes:literal) => {
            #[unsafe(naked)]
            pub(super) unsafe extern "C" fn $name(x: *const u8, y: *mut u8, n: usize, count: usize) {
                naked_asm!(
                    "push {{r4-r7, lr}}",
                    "muls r3, r2, r3",
                    $($odd,)*
                    "2:",
                    $($block,)+
                    concat!("subs r3, #", $bytes),
                    "bne 2b",
                    "3:",
                    "pop {{r4-r7, pc}}",
                )
            }
        };
    }
    #[cfg(not(upconv_backend = "mve"))]
    double!(double_4
        ["lsls r2, r3, #29" "beq 2f" "ldmia r0!, {{r4}}" "mov r5, r4" "stmia r1!, {{r4, r5}}" "subs r3, #4" "beq 3f"]
        ["ldmia r0!, {{r4, r6}}" "mov r5, r4" "mov r7, r6" "stmia r1!, {{r4-r7}}"] "8");
    double!(double_16 [] ["ldmia r0!, {{r4-r7}}" "stmia r1!, {{r4-r7}}" "stmia r1!, {{r4-r7}}"] "16");

    /// Pixels in blocks of some registers.
    macro_rules! double_by {
        ($name:ident $block:literal $bytes:literal) => {
            #[unsafe(naked)]
            pub(super) unsafe extern "C" fn $name(x: *const u8, y: *mut u8, n: usize, count: usize) {
                naked_asm!(
                    "push {{r4-r7, lr}}",
                    "mov r12, r3",
                    "mov lr, r2",
                    "2:",
                    "mov r2, lr",
                    "adds r3, r1, r2",
                    "3:",
                    concat!("ldmia r0!, {{", $block, "}}"),
                    concat!("stmia r1!, {{", $block, "}}"),
                    concat!("stmia r3!, {{", $block, "}}"),
                    concat!("subs r2, #", $bytes),
                    "bne 3b",
                    "mov r1, r3",
                    "mov r2, r12",
                    "subs r2, #1",
                    "mov r12, r2",
                    "bne 2b",
                    "pop {{r4-r7, pc}}",
                )
            }
        };
    }
    double_by!(double_by_4 "r4" "4");
    double_by!(double_by_16 "r4-r7" "16");

    /// Pixels of n bytes in parts of one or two, anywhere: the first ones singly, until a multiple of four is left.
    macro_rules! double_few {
        ($name:ident $n:literal $($part:literal $at:literal)+) => {
            #[unsafe(naked)]
            pub(super) unsafe extern "C" fn $name(x: *const u8, y: *mut u8, n: usize, count: usize) {
                naked_asm!(
                    ".macro pixel k",
                    $(
                        concat!("ldr", $part, " r2, [r0, #", $n, " * \\k + ", $at, "]"),
                        concat!("str", $part, " r2, [r1, #2 * ", $n, " * \\k + ", $at, "]"),
                        concat!("str", $part, " r2, [r1, #2 * ", $n, " * \\k + ", $n, " + ", $at, "]"),
                    )+
                    ".endm",
                    "b 3f",
                    "2:",
                    "pixel 0",
                    concat!("adds r0, #", $n),
                    concat!("adds r1, #2 * ", $n),
                    "subs r3, #1",
                    "3:",
                    "lsls r2, r3, #30",
                    "bne 2b",
                    "cmp r3, #0",
                    "beq 5f",
                    "4:",
                    "pixel 0",
                    "pixel 1",
                    "pixel 2",
                    "pixel 3",
                    concat!("adds r0, #4 * ", $n),
                    concat!("adds r1, #8 * ", $n),
                    "subs r3, #4",
                    "bne 4b",
                    "5:",
                    "bx lr",
                    ".purgem pixel",
                )
            }
        };
    }
    double_few!(double_2 "2" "h" "0");

    /// Runs in blocks of some registers, one or as many as there are: the steps are from the end of one to the next.
    macro_rules! runs {
        ($name:ident [$($start:literal)*] $($block:literal)+ [$($more:literal)*]) => {
            #[unsafe(naked)]
            pub(super) unsafe extern "C" fn $name(x: *const u8, y: *mut u8, from: usize, to: usize, n: usize, count: usize) {
                naked_asm!(
                    "push {{r4-r7, lr}}",
                    "mov r12, r2",
                    "mov lr, r3",
                    "ldr r3, [sp, #24]",
                    "2:",
                    $($start,)*
                    $(concat!("ldmia r0!, {{", $block, "}}"), concat!("stmia r1!, {{", $block, "}}"),)+
                    $($more,)*
                    "add r0, r12",
                    "add r1, lr",
                    "subs r3, #1",
                    "bne 2b",
                    "pop {{r4-r7, pc}}",
                )
            }
        };
    }
    /// Half-words, two at a time after the first of an odd number.
    #[unsafe(naked)]
    unsafe extern "C" fn runs_2(x: *const u8, y: *mut u8, from: usize, to: usize, n: usize, count: usize) {
        naked_asm!(
            "push {{r4-r6, lr}}",
            "ldr r6, [sp, #20]",
            "adds r2, #2",
            "adds r3, #2",
            "lsrs r6, #1",
            "bcc 2f",
            "ldrh r4, [r0]",
            "strh r4, [r1]",
            "add r0, r2",
            "add r1, r3",
            "2:",
            "cmp r6, #0",
            "beq 4f",
            "3:",
            "ldrh r4, [r0]",
            "ldrh r5, [r0, r2]",
            "strh r4, [r1]",
            "strh r5, [r1, r3]",
            "add r0, r2",
            "add r0, r2",
            "add r1, r3",
            "add r1, r3",
            "subs r6, #1",
            "bne 3b",
            "4:",
            "pop {{r4-r6, pc}}",
        )
    }

    /// Pixels of few bytes, three times each: r1, r3 and r4 are where, r6 counts its bytes.
    ///
    /// # Safety
    /// From x on `count` pixels of n bytes can be read, from y on three times as many written, `gap` bytes after each three; n and count >= 1.
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn triple(x: *const u8, y: *mut u8, n: usize, gap: usize, count: usize) {
        naked_asm!(
            "push {{r4-r7, lr}}",
            "ldr r7, [sp, #20]",
            "mov r12, r3",
            "2:",
            "adds r3, r1, r2",
            "adds r4, r3, r2",
            "subs r6, r2, #1",
            "3:",
            "ldrb r5, [r0, r6]",
            "strb r5, [r1, r6]",
            "strb r5, [r3, r6]",
            "strb r5, [r4, r6]",
            "subs r6, #1",
            "bpl 3b",
            "add r0, r2",
            "adds r1, r4, r2",
            "add r1, r12",
            "subs r7, #1",
            "bne 2b",
            "pop {{r4-r7, pc}}",
        )
    }

    runs!(runs_4 [] "r4" []);
    runs!(runs_8 [] "r4, r5" []);
    runs!(runs_16 [] "r4-r7" []);
    runs!(runs_32 [] "r4-r7" "r4-r7" []);
    runs!(runs_by_4 ["ldr r2, [sp, #20]" "3:"] "r4" ["subs r2, #4" "bne 3b"]);
    runs!(runs_by_16 ["ldr r2, [sp, #20]" "3:"] "r4-r7" ["subs r2, #16" "bne 3b"]);

    /// Stamps a loop over pixels or runs anywhere, in blocks of eight bytes or words and less than eight more, into which it jumps.
    ///
    /// r3 counts them and r5 what is left in blocks of r6 bytes; r4 gets the values, r7 is where the others begin, r12 and lr the steps that are left.
    macro_rules! anywhere {
        ($name:ident($($argument:ident)*) $unit:literal $size:literal $saved:literal [$($first:literal)*] [$($start:literal)*] [$($also:literal)?] [$($end:literal)*]) => {
            #[unsafe(naked)]
            pub(super) unsafe extern "C" fn $name(x: *const u8, y: *mut u8, $($argument: usize),*) {
                naked_asm!(
                    ".macro copy k",
                    concat!("ldr", $unit, " r4, [r0, #", $size, " * \\k]"),
                    concat!("str", $unit, " r4, [r1, #", $size, " * \\k]"),
                    $(concat!("str", $unit, " r4, [", $also, ", #", $size, " * \\k]"),)?
                    ".endm",
                    concat!("push {{", $saved, ", lr}}"),
                    $($first,)*
                    "2:",
                    $($start,)*
                    "movs r5, r6",
                    "beq 4f",
                    "3:",
                    ".irp k, 0, 1, 2, 3, 4, 5, 6, 7",
                    "copy \\k",
                    ".endr",
                    concat!("adds r0, #8 * ", $size),
                    concat!("adds r1, #8 * ", $size),
                    $(concat!("adds ", $also, ", #8 * ", $size),)?
                    concat!("subs r5, #8 * ", $size),
                    "bne 3b",
                    ".p2align 2",
                    "4:",
                    "bx r7",
                    ".irp k, 6, 5, 4, 3, 2, 1, 0",
                    "copy \\k",
                    ".endr",
                    $($end,)*
                    "subs r3, #1",
                    "bne 2b",
                    concat!("pop {{", $saved, ", pc}}"),
                    ".purgem copy",
                )
            }
        };
    }
    anywhere!(runs_few(from to n count) "b" "1" "r4-r7"
        [
            "ldr r4, [sp, #20]"
            "movs r5, #7"
            "mov r6, r4"
            "bics r6, r5"
            "ands r5, r4"
            "adds r2, r5"
            "mov r12, r2"
            "adds r3, r5"
            "mov lr, r3"
            "lsls r5, #2"
            "adr r7, 4f"
            "adds r7, #2 + 7 * 4 + 1"
            "subs r7, r5"
            "ldr r3, [sp, #24]"
        ]
        [] [] ["add r0, r12" "add r1, lr"]);

    #[cfg(not(any(upconv_backend = "armv7m", upconv_backend = "dsp", upconv_backend = "mve")))]
    use armv6m::{SHORT, double_3, double_8, double_32, double_any, double_short, runs_any, runs_even};
    #[cfg(any(upconv_backend = "armv7m", upconv_backend = "dsp"))]
    use armv7m::double_8;
    #[cfg(any(upconv_backend = "armv7m", upconv_backend = "dsp", upconv_backend = "mve"))]
    use armv7m::{SHORT, double_3, double_32, double_any, double_short, runs_any, runs_even};
    #[cfg(upconv_backend = "mve")]
    use mve::{double_1, double_4, double_8};

    #[cfg(not(any(upconv_backend = "armv7m", upconv_backend = "dsp", upconv_backend = "mve")))]
    mod armv6m {
        use core::arch::naked_asm;

        pub(super) use super::{double_by_16 as double_32, runs_few as runs_any};

        /// Up to 32 half-words: jumps to where so many copies are left.
        #[unsafe(naked)]
        pub(super) unsafe extern "C" fn runs_even(
            x: *const u8,
            y: *mut u8,
            from: usize,
            to: usize,
            n: usize,
            count: usize,
        ) {
            naked_asm!(
                "push {{r4-r6, lr}}",
                "ldr r4, [sp, #16]",
                "ldr r5, [sp, #20]",
                "adds r2, r4",
                "adds r3, r4",
                "lsls r4, #1", // a copy is four bytes of code
                "adr r6, 2f",
                "adds r6, #2 + 32 * 4 + 1",
                "subs r6, r4",
                ".p2align 2",
                "2:",
                "bx r6",
                ".set k, 62",
                ".rept 32",
                "ldrh r4, [r0, #k]",
                "strh r4, [r1, #k]",
                ".set k, k - 2",
                ".endr",
                "add r0, r2",
                "add r1, r3",
                "subs r5, #1",
                "bne 2b",
                "pop {{r4-r6, pc}}",
            )
        }

        /// The most bytes of [`double_short`]: a store reaches no further.
        pub(super) const SHORT: usize = 32;

        /// Pixels of few bytes: jumps to where so many copies are left.
        #[unsafe(naked)]
        pub(super) unsafe extern "C" fn double_short(x: *const u8, y: *mut u8, n: usize, count: usize) {
            naked_asm!(
                "push {{r4-r6, lr}}",
                "lsls r4, r2, #1", // a copy is six bytes of code
                "lsls r5, r2, #2",
                "adds r4, r5",
                "adr r6, 2f",
                "adds r6, #2 + 2 + 32 * 6 + 1",
                "subs r6, r4",
                ".p2align 2",
                "2:",
                "adds r5, r1, r2", // the second copy
                "bx r6",
                ".set k, 31",
                ".rept 32",
                "ldrb r4, [r0, #k]",
                "strb r4, [r1, #k]",
                "strb r4, [r5, #k]",
                ".set k, k - 1",
                ".endr",
                "adds r0, r2",
                "adds r1, r5, r2",
                "subs r3, #1",
                "bne 2b",
                "pop {{r4-r6, pc}}",
            )
        }

        double!(double_8
            ["lsls r2, r3, #28" "beq 2f" "ldmia r0!, {{r4, r5}}" "stmia r1!, {{r4, r5}}" "stmia r1!, {{r4, r5}}" "subs r3, #8" "beq 3f"]
            ["ldmia r0!, {{r4-r7}}" "stmia r1!, {{r4, r5}}" "stmia r1!, {{r4, r5}}" "stmia r1!, {{r6, r7}}" "stmia r1!, {{r6, r7}}"] "16");
        double_few!(double_3 "3" "b" "0" "b" "1" "b" "2");
        anywhere!(double_any(n count) "b" "1" "r4-r7"
            [
                "mov lr, r2"
                "movs r5, #7"
                "mov r6, r2"
                "bics r6, r5"
                "ands r5, r2"
                "mov r12, r5"
                "lsls r4, r5, #1" // a copy is six bytes of code
                "lsls r5, #2"
                "adds r5, r4"
                "adr r7, 4f"
                "adds r7, #2 + 7 * 6 + 1"
                "subs r7, r5"
            ]
            ["mov r2, r1" "add r2, lr"] ["r2"] ["mov r1, r2" "add r1, r12" "add r0, r12"]);
    }

    /// Words at any place, and more registers in one load or store.
    #[cfg(any(upconv_backend = "armv7m", upconv_backend = "dsp", upconv_backend = "mve"))]
    mod armv7m {
        use core::arch::naked_asm;
        pub(super) use runs_any as runs_even;

        #[cfg(not(upconv_backend = "mve"))]
        #[unsafe(naked)]
        pub(super) unsafe extern "C" fn double_8(x: *const u8, y: *mut u8, n: usize, count: usize) {
            naked_asm!(
                "push {{r4-r11, lr}}",
                "b 3f",
                "2:",
                "ldmia r0!, {{r4, r5}}",
                "stmia r1!, {{r4, r5}}",
                "stmia r1!, {{r4, r5}}",
                "subs r3, #1",
                "3:",
                "lsls r2, r3, #30",
                "bne 2b",
                "cbz r3, 5f",
                "4:",
                "ldmia r0!, {{r4-r11}}",
                "stmia r1!, {{r4, r5}}",
                "stmia r1!, {{r4, r5}}",
                "stmia r1!, {{r6, r7}}",
                "stmia r1!, {{r6, r7}}",
                "stmia r1!, {{r8, r9}}",
                "stmia r1!, {{r8, r9}}",
                "stmia r1!, {{r10, r11}}",
                "stmia r1!, {{r10, r11}}",
                "subs r3, #4",
                "bne 4b",
                "5:",
                "pop {{r4-r11, pc}}",
            )
        }

        #[unsafe(naked)]
        pub(super) unsafe extern "C" fn double_32(x: *const u8, y: *mut u8, n: usize, count: usize) {
            naked_asm!(
                "push {{r4-r11, lr}}",
                "2:",
                "ldmia r0!, {{r4-r11}}",
                "stmia r1!, {{r4-r11}}",
                "stmia r1!, {{r4-r11}}",
                "subs r3, #1",
                "bne 2b",
                "pop {{r4-r11, pc}}",
            )
        }

        double_few!(double_3 "3" "h" "0" "b" "2");

        /// The most bytes of [`double_short`]: two words.
        pub(super) const SHORT: usize = 8;

        /// Pixels of two words anywhere, of which the second may overlap the first.
        #[unsafe(naked)]
        pub(super) unsafe extern "C" fn double_short(x: *const u8, y: *mut u8, n: usize, count: usize) {
            naked_asm!(
                "push {{r4-r6, lr}}",
                "subs r6, r2, #4",
                "2:",
                "ldr r4, [r0]",
                "ldr r5, [r0, r6]",
                "str r4, [r1]",
                "str r5, [r1, r6]",
                "add r1, r2",
                "str r4, [r1]",
                "str r5, [r1, r6]",
                "add r1, r2",
                "add r0, r2",
                "subs r3, #1",
                "bne 2b",
                "pop {{r4-r6, pc}}",
            )
        }

        // Four bytes and more: r8 is where the last word begins.
        anywhere!(double_any(n count) "" "4" "r4-r8"
            [
                "mov lr, r2"
                "subs r5, r2, #1"
                "bic r6, r5, #31"
                "ubfx r5, r5, #2, #3"
                "sub r12, r2, r6"
                "sub r8, r12, #4"
                "add r5, r5, r5, lsl #1"
                "adr r7, 4f"
                "adds r7, #2 + 7 * 6 + 1"
                "sub r7, r7, r5, lsl #1"
            ]
            ["add r2, r1, lr"] ["r2"]
            ["ldr r4, [r0, r8]" "str r4, [r1, r8]" "str r4, [r2, r8]" "add r1, r2, r12" "add r0, r12"]);
        anywhere!(runs_any(from to n count) "" "4" "r4-r8"
            [
                "ldrd r4, r8, [sp, #24]" // n, count
                "subs r5, r4, #1"
                "bic r6, r5, #31"
                "subs r4, r6"
                "add r12, r2, r4"
                "add lr, r3, r4"
                "mov r3, r8"
                "sub r8, r4, #4"
                "ubfx r5, r5, #2, #3"
                "adr r7, 4f"
                "adds r7, #2 + 7 * 4 + 1"
                "sub r7, r7, r5, lsl #2"
            ]
            [] [] ["ldr r4, [r0, r8]" "str r4, [r1, r8]" "add r0, r12" "add r1, lr"]);
    }

    #[cfg(not(upconv_backend = "mve"))]
    double_few!(double_1 "1" "b" "0");

    /// Sixteen bytes at a time, the last ones predicated.
    #[cfg(upconv_backend = "mve")]
    mod mve {
        use core::arch::naked_asm;

        /// Bytes become halves of words, and those the byte twice.
        #[unsafe(naked)]
        pub(super) unsafe extern "C" fn double_1(x: *const u8, y: *mut u8, n: usize, count: usize) {
            naked_asm!(
                ".cpu cortex-m55",
                "push {{r7, lr}}",
                "dlstp.16 lr, r3",
                "2:",
                "vldrb.u16 q0, [r0], #8",
                "vsli.16 q0, q0, #8",
                "vstrb.8 q0, [r1], #16",
                "letp lr, 2b",
                "pop {{r7, pc}}",
            )
        }

        /// Pixels that are lanes, which are scattered twice: q1 has the place of every second word. Four vectors at a time, then one.
        macro_rules! scatter {
            ($name:ident $log:literal $lanes:literal $store:literal $bytes:literal) => {
                #[unsafe(naked)]
                pub(super) unsafe extern "C" fn $name(x: *const u8, y: *mut u8, n: usize, count: usize) {
                    naked_asm!(
                        ".cpu cortex-m55",
                        ".macro twice",
                        "vldrw.u32 q0, [r0], #16",
                        concat!($store, " q0, [q1, #32]!"),
                        concat!($store, " q0, [q1, #", $bytes, "]"),
                        ".endm",
                        "push {{r7, lr}}",
                        "sub r2, r1, #32",
                        "vidup.u32 q1, r2, #8",
                        concat!("lsr r2, r3, #2 + ", $log),
                        concat!("bfc r3, #2 + ", $log, ", #30 - ", $log),
                        "wls lr, r2, 3f",
                        "2:",
                        "twice",
                        "twice",
                        "twice",
                        "twice",
                        "le lr, 2b",
                        "3:",
                        "cbz r3, 5f",
                        concat!("dlstp.", $lanes, " lr, r3"),
                        "4:",
                        "twice",
                        "letp lr, 4b",
                        "5:",
                        "pop {{r7, pc}}",
                        ".purgem twice",
                    )
                }
            };
        }
        scatter!(double_4 "2" "32" "vstrw.32" "4");
        scatter!(double_8 "1" "64" "vstrd.64" "8");
    }
}

/// Doubles in blocks in safe Rust.
#[cfg(not(target_arch = "arm"))]
mod blocks {
    #[cfg(all(target_arch = "riscv32", upconv_backend = "riscv"))]
    use super::riscv::short;
    use super::{small, words};

    /// A loop of the core's own; false where there is none.
    #[cfg(not(all(target_arch = "riscv32", upconv_backend = "riscv")))]
    fn short(_: &[u8], _: usize, _: usize, _: &mut [u8]) -> bool {
        false
    }

    pub(super) fn double(x: &[u8], n: usize, count: usize, y: &mut [u8]) {
        let (x, y) = (x.get(..n * count).unwrap_or_default(), y.get_mut(..2 * n * count).unwrap_or_default());
        if n.is_multiple_of(4)
            && let Some((x, y)) = words(x, y)
        {
            return match n {
                4 => double_of::<_, 1>(x, y),
                8 => double_of::<_, 2>(x, y),
                16 => double_of::<_, 4>(x, y),
                32 => double_of::<_, 8>(x, y),
                n => double_by(x, n / 4, y),
            };
        }
        match n {
            1 => double_of::<_, 1>(x, y),
            2 => double_of::<_, 2>(x, y),
            3 => double_of::<_, 3>(x, y),
            n if short(x, n, count, y) => {}
            n => double_by(x, n, y),
        }
    }

    fn double_of<E: Copy, const N: usize>(x: &[E], y: &mut [E]) {
        for (x, [y0, y1]) in x.as_chunks::<N>().0.iter().zip(y.as_chunks_mut::<N>().0.as_chunks_mut().0) {
            (*y0, *y1) = (*x, *x);
        }
    }

    fn double_by<E: Copy>(x: &[E], n: usize, y: &mut [E]) {
        let mut rest = y;
        for x in x.chunks_exact(n.max(1)) {
            let Some((y0, more)) = rest.split_at_mut_checked(n) else { return };
            let Some((y1, more)) = more.split_at_mut_checked(n) else { return };
            rest = more;
            let ((x, last), (y0, last0), (y1, last1)) =
                (x.as_chunks::<8>(), y0.as_chunks_mut::<8>(), y1.as_chunks_mut::<8>());
            for ((x, y0), y1) in x.iter().zip(y0).zip(y1) {
                // One by one: eight bytes at any place are no number to load.
                for i in 0..8 {
                    (y0[i], y1[i]) = (x[i], x[i]);
                }
                small();
            }
            for ((x, y0), y1) in last.iter().zip(last0).zip(last1) {
                (*y0, *y1) = (*x, *x);
                small();
            }
        }
    }
}

/// The loops in assembly in safe Rust.
#[cfg(not(any(target_arch = "arm", all(target_arch = "riscv32", upconv_backend = "riscv"))))]
mod model {
    pub(super) use super::blocks::double;
    use super::{on_words, small, words};
    #[cfg(any(not(any(upconv_backend = "portable", upconv_backend = "mve")), test))]
    pub(super) use core::ptr::copy_nonoverlapping as bytes;

    pub(super) fn runs(x: &[u8], y: &mut [u8], from: usize, to: usize, n: usize, count: usize) {
        if on_words(x, y, from | to | n)
            && let Some((x, y)) = words(x, y)
        {
            let (x, y) = ((x, from / 4), (y, to / 4));
            return match n {
                4 => runs_by(x, y, 1, count, copy_of::<_, 1>),
                8 => runs_by(x, y, 2, count, copy_of::<_, 2>),
                16 => runs_by(x, y, 4, count, copy_of::<_, 4>),
                32 => runs_by(x, y, 8, count, copy_of::<_, 8>),
                n => runs_by(x, y, n / 4, count, copy),
            };
        }
        runs_by((x, from), (y, to), n, count, copy);
    }

    #[inline(always)]
    fn runs_by<E>(
        (x, from): (&[E], usize),
        (y, to): (&mut [E], usize),
        n: usize,
        count: usize,
        copy: impl Fn(&[E], &mut [E]),
    ) {
        for (x, y) in x.chunks(from.max(1)).zip(y.chunks_mut(to.max(1))).take(count) {
            copy(x.get(..n).unwrap_or_default(), y.get_mut(..n).unwrap_or_default());
        }
    }

    #[inline(always)]
    fn copy_of<E: Copy, const N: usize>(x: &[E], y: &mut [E]) {
        if let (Some(x), Some(y)) = (x.first_chunk::<N>(), y.first_chunk_mut::<N>()) {
            *y = *x;
        }
        small();
    }

    #[inline(always)]
    fn copy<E: Copy>(x: &[E], y: &mut [E]) {
        let ((x, last), (y, last_y)) = (x.as_chunks::<8>(), y.as_chunks_mut::<8>());
        for (x, y) in x.iter().zip(y) {
            y.iter_mut().zip(x).for_each(|(y, x)| *y = *x);
            small();
        }
        for (x, y) in last.iter().zip(last_y) {
            *y = *x;
            small();
        }
    }

    /// None: a copy at a time is as fast.
    pub(super) fn triple(_: &[u8], _: usize, _: usize, _: usize, _: &mut [u8]) -> bool {
        false
    }

    pub(super) fn pixel(aligned: bool, n: usize) -> impl Fn(&[u8], usize, &mut [u8]) {
        move |x, copies, y| {
            let mut rest = y;
            for _ in 0..copies {
                let Some((y, more)) = rest.split_at_mut_checked(n) else { return };
                match words(x, y) {
                    Some((x, y)) if aligned => copy(x, y),
                    _ => copy(x, y),
                }
                rest = more;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lengths beyond every block, with rows that begin anywhere in a word and nothing written beside them.
    #[test]
    fn copies_are_their_definition_at_every_length_and_place() {
        let x: Vec<i8> = (0..5 * 70 + 8).map(|i| (i % 251) as i8).collect();
        let same =
            |n: usize, at: [usize; 2], len: usize, copy: &dyn Fn(&[i8], &mut [i8]), from: &dyn Fn(usize) -> usize| {
                let mut y = [99; 5 * 5 * 70 + 16];
                copy(&x[at[0]..], &mut y[at[1]..][..len]);
                let inside =
                    y[at[1]..].iter().take(len).enumerate().all(|(i, y)| *y == x[at[0] + from(i / n) * n + i % n]);
                assert!(inside && y[..at[1]].iter().chain(&y[at[1] + len..]).all(|y| *y == 99), "{n} {at:?} {len}");
            };
        let all = (1..70).flat_map(|n| [1, 2, 3, 4, 5].map(|count| (n, count)));
        for (n, count) in all.step_by(if cfg!(miri) { 239 } else { 1 }) {
            for at in [[0, 0], [4, 8], [1, 0], [0, 3], [2, 2], [3, 1]] {
                for factor in 1..6 {
                    let repeat = |x: &[i8], y: &mut [i8]| match factor {
                        2 => double_pixels(&x[..n * count], n, count, y),
                        _ => repeat_pixels(&x[..n * count], n, count, factor, y),
                    };
                    same(n, at, n * count * factor, &repeat, &|i| i / factor);
                }
                // One to four of the same behind each other.
                let from = |i: usize| [4, 4, 4, 4, 2, 2, 2, 0, 3, 3][i] % count;
                let pick = |x: &[i8], y: &mut [i8]| pick_pixels(x, n, (0..10).map(from), |i| i, y);
                same(n, at, n * 10, &pick, &from);
                let runs = |x: &[i8], y: &mut [i8]| copy_runs((x, n), (y, n), n, count);
                same(n, at, n * count, &runs, &|i| i);
            }
        }
    }
}

/// Loops of RV32IM: in blocks of eight or less, or without a loop over bytes.
#[cfg(all(target_arch = "riscv32", upconv_backend = "riscv"))]
mod riscv {
    use super::asm::Runs;
    use core::arch::naked_asm;

    /// A pixel of n bytes so often; in bytes two or three copies at once.
    #[inline(always)]
    pub(super) unsafe fn again(runs: Runs, aligned: bool, x: *const u8, y: *mut u8, n: usize, copies: usize) {
        // SAFETY: the caller's.
        unsafe {
            match copies {
                2 if !aligned && n <= 32 => double_short(x, y, n, 1),
                3 if !aligned => triple(x, y, n, 0, 1),
                _ => runs(x, y, n.wrapping_neg(), 0, n, copies),
            }
        }
    }

    /// What copies runs; `at` has the bits of all places and lengths.
    #[inline(always)]
    pub(super) fn runs_of(at: usize, _: usize) -> Runs {
        match at % 4 {
            0 => runs_words,
            2 => runs_halves,
            _ => runs_bytes,
        }
    }

    /// Stamps the loop over runs of a unit of `size` bytes, which are written once or at two more places.
    ///
    /// t2 counts the blocks of eight units after the first, which has t1 bytes and is entered at t3; a6 and a7 are the other places.
    macro_rules! runs {
        ($name:ident $load:literal $store:literal $size:literal $log:literal $code:literal $last:literal [$($place:literal $after:literal)*]) => {
            /// # Safety
            /// From x on `count` runs of n bytes can be read, `from` bytes after each other, from y on as many written, with as many copies, `to`
            /// bytes after each other; all is on units, and n and count are above 0.
            #[unsafe(naked)]
            pub(super) unsafe extern "C" fn $name(x: *const u8, y: *mut u8, from: usize, to: usize, n: usize, count: usize) {
                naked_asm!(
                    ".option push",
                    ".option norvc",
                    concat!("addi t0, a4, -", $size),
                    concat!("andi t1, t0, 7 * ", $size),
                    concat!("srli t2, t0, 3 + ", $log),
                    concat!("addi t1, t1, ", $size),
                    concat!("slli t3, t1, ", $code),
                    "la t4, 4f",
                    "sub t3, t4, t3",
                    "2:",
                    "mv t5, t2",
                    "mv t6, t1",
                    $(concat!("add ", $place, ", ", $after, ", a4"),)*
                    "jr t3",
                    "3:",
                    ".set k, 7",
                    ".rept 8",
                    concat!($load, " t4, ", $size, " * k(a0)"),
                    concat!($store, " t4, ", $size, " * k(a1)"),
                    $(concat!($store, " t4, ", $size, " * k(", $place, ")"),)*
                    ".set k, k - 1",
                    ".endr",
                    "4:",
                    "add a0, a0, t6",
                    "add a1, a1, t6",
                    $(concat!("add ", $place, ", ", $place, ", t6"),)*
                    "beqz t5, 5f",
                    "addi t5, t5, -1",
                    concat!("li t6, 8 * ", $size),
                    "j 3b",
                    "5:",
                    "add a0, a0, a2",
                    concat!("add a1, ", $last, ", a3"),
                    "addi a5, a5, -1",
                    "bnez a5, 2b",
                    "ret",
                    ".option pop",
                )
            }
        };
    }
    runs!(runs_words "lw" "sw" "4" "2" "1" "a1" []);
    runs!(runs_halves "lhu" "sh" "2" "1" "2" "a1" []);
    runs!(runs_bytes "lbu" "sb" "1" "0" "3" "a1" []);
    runs!(triple_bytes "lbu" "sb" "1" "0" "4" "a7" ["a6" "a1" "a7" "a6"]);

    /// Pixels of n bytes, three times each.
    ///
    /// # Safety
    /// From x on `count` pixels of n bytes can be read, from y on three times as many written, `gap` bytes after each three; n and count >= 1.
    #[inline(always)]
    pub(super) unsafe fn triple(x: *const u8, y: *mut u8, n: usize, gap: usize, count: usize) {
        // SAFETY: the caller's.
        unsafe { triple_bytes(x, y, 0, gap, n, count) };
    }

    /// `count` pixels of n bytes, each written twice; false, and nothing done, beyond 32.
    pub(super) fn short(x: &[u8], n: usize, count: usize, y: &mut [u8]) -> bool {
        if n == 0 || count == 0 || n > 32 || x.len() < n * count || y.len() < 2 * n * count {
            return false;
        }
        // SAFETY: x has so many pixels, one at least, and y room for twice as many.
        unsafe { double_short(x.as_ptr(), y.as_mut_ptr(), n, count) };
        true
    }

    /// Jumps to where so many copies are left.
    ///
    /// # Safety
    /// From x on `count` pixels of n bytes can be read, from y on twice as many written, n = 1 ..= 32, count >= 1.
    #[unsafe(naked)]
    unsafe extern "C" fn double_short(x: *const u8, y: *mut u8, n: usize, count: usize) {
        naked_asm!(
            ".option push",
            ".option norvc",
            "slli t0, a2, 3",
            "slli t1, a2, 2",
            "add t0, t0, t1", // a copy is twelve bytes of code
            "la t1, 3f",
            "sub t1, t1, t0",
            "2:",
            "add t2, a1, a2",
            "jr t1",
            ".set k, 31",
            ".rept 32",
            "lbu t0, k(a0)",
            "sb t0, k(a1)",
            "sb t0, k(t2)",
            ".set k, k - 1",
            ".endr",
            "3:",
            "add a0, a0, a2",
            "add a1, t2, a2",
            "addi a3, a3, -1",
            "bnez a3, 2b",
            "ret",
            ".option pop",
        )
    }
}
