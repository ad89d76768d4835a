//! Copies of pixels: whole words where they lie on words, in blocks of a length that the compiler knows. A call of `memcpy` costs more than a
//! pixel of 32 bytes.

use crate::Element;
use core::slice;

/// Both as words, if they begin and end on words.
#[inline(always)]
fn words<'a, T: Element>(x: &'a [T], y: &'a mut [T]) -> Option<(&'a [u32], &'a mut [u32])> {
    let (len_x, len_y) = (size_of_val(x), size_of_val(y));
    let (from, to) = (x.as_ptr().cast(), y.as_mut_ptr().cast());
    if !(from as usize | to as usize | len_x | len_y).is_multiple_of(4) {
        return None;
    }
    // SAFETY: the same memory, aligned; elements are integers without padding, and so is a word.
    Some(unsafe { (slice::from_raw_parts(from, len_x / 4), slice::from_raw_parts_mut(to, len_y / 4)) })
}

/// Calls the function for pixels of n values, of a known length if it is common.
macro_rules! by_length {
    ($x:expr, $n:expr, $y:expr, $f:ident($more:expr)) => {
        match $n {
            1 => $f::<_, 1>($x, $y, $more),
            2 => $f::<_, 2>($x, $y, $more),
            3 => $f::<_, 3>($x, $y, $more),
            4 => $f::<_, 4>($x, $y, $more),
            5 => $f::<_, 5>($x, $y, $more),
            6 => $f::<_, 6>($x, $y, $more),
            7 => $f::<_, 7>($x, $y, $more),
            n => long::$f($x, n, $y, $more),
        }
    };
}

/// `y[i] = x[from(i)]` for pixels of n values.
#[inline(always)]
pub(crate) fn pick_pixels<T: Element>(x: &[T], n: usize, from: impl Iterator<Item = usize>, y: &mut [T]) {
    if (n * size_of::<T>()).is_multiple_of(4)
        && let Some((x, y)) = words(x, y)
    {
        return by_length!(x, n * size_of::<T>() / 4, y, pick(from));
    }
    by_length!(x, n, y, pick(from))
}

/// `y[i] = x[i / factor]` for pixels of n values.
pub(crate) fn repeat_pixels<T: Element>(x: &[T], n: usize, count: usize, factor: usize, y: &mut [T]) {
    if factor == 2 {
        if (n * size_of::<T>()).is_multiple_of(4)
            && let Some((x, y)) = words(x, y)
        {
            return chosen::double(x, n * size_of::<T>() / 4, y);
        }
        return by_length!(x, n, y, twice(()));
    }
    for k in 0..factor {
        copy_runs((x, n), (y.get_mut(k * n..).unwrap_or_default(), n * factor), n, count);
    }
}

/// `count` runs of n values; the other numbers are by how far they lie apart.
#[inline(always)]
pub(crate) fn copy_runs<T: Element>((x, from): (&[T], usize), (y, to): (&mut [T], usize), n: usize, count: usize) {
    if ((from | to | n) * size_of::<T>()).is_multiple_of(4)
        && let Some((x, y)) = words(x, y)
    {
        let [from, to, n] = [from, to, n].map(|n| n * size_of::<T>() / 4);
        return chosen::runs((x, from), (y, to), n, count);
    }
    let (x, y) = (x.chunks(from.max(1)), y.chunks_mut(to.max(1)));
    for (x, y) in x.zip(y).take(count) {
        long::pixel(x.get(..n).unwrap_or_default(), y.get_mut(..n).unwrap_or_default());
    }
}

#[cfg(target_arch = "arm")]
use asm as chosen;
#[cfg(not(target_arch = "arm"))]
use model as chosen;

/// Loops of LDM and STM, in the instructions of every Cortex-M.
#[cfg(target_arch = "arm")]
mod asm {
    use core::arch::naked_asm;

    /// Pixels of n words, each written twice.
    pub(super) fn double(x: &[u32], n: usize, y: &mut [u32]) {
        if n == 0 || x.is_empty() || y.len() < 2 * x.len() {
            return;
        }
        let double = match n {
            1 => double_1,
            2 => double_2,
            4 => double_4,
            8 => double_8,
            n if n % 4 == 0 => double_by_4,
            _ => double_by_1,
        };
        // SAFETY: x is whole pixels, one at least, and y twice as many.
        unsafe { double(x.as_ptr(), y.as_mut_ptr(), 4 * n, x.as_ptr_range().end) };
    }

    /// Runs of n words.
    pub(super) fn runs((x, from): (&[u32], usize), (y, to): (&mut [u32], usize), n: usize, count: usize) {
        let Some(last) = count.checked_sub(1) else { return };
        if n == 0 || from < n || to < n || last * from + n > x.len() || last * to + n > y.len() {
            return;
        }
        let runs = match n {
            1 => runs_1,
            2 => runs_2,
            4 => runs_4,
            8 => runs_8,
            n if n % 4 == 0 => runs_by_4,
            _ => runs_by_1,
        };
        // SAFETY: the last run ends inside both.
        unsafe { runs(x.as_ptr(), y.as_mut_ptr(), 4 * (from - n), 4 * (to - n), 4 * n, count) };
    }

    /// Pixels in blocks of some registers: `n` is a pixel's bytes.
    macro_rules! double_by {
        ($name:ident $block:literal $bytes:literal) => {
            #[unsafe(naked)]
            unsafe extern "C" fn $name(x: *const u32, y: *mut u32, n: usize, end: *const u32) {
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
                    "cmp r0, r12",
                    "bne 2b",
                    "pop {{r4-r7, pc}}",
                )
            }
        };
    }
    double_by!(double_by_1 "r4" "4");
    double_by!(double_by_4 "r4-r7" "16");

    #[unsafe(naked)]
    unsafe extern "C" fn double_1(x: *const u32, y: *mut u32, n: usize, end: *const u32) {
        naked_asm!(
            "push {{r4-r7, lr}}",
            "subs r3, r3, r0",
            "lsls r2, r3, #29",
            "beq 2f",
            "ldmia r0!, {{r4}}", // the first of an odd number
            "mov r5, r4",
            "stmia r1!, {{r4, r5}}",
            "subs r3, #4",
            "beq 3f",
            "2:",
            "ldmia r0!, {{r4, r6}}",
            "mov r5, r4",
            "mov r7, r6",
            "stmia r1!, {{r4-r7}}",
            "subs r3, #8",
            "bne 2b",
            "3:",
            "pop {{r4-r7, pc}}",
        )
    }

    #[unsafe(naked)]
    unsafe extern "C" fn double_2(x: *const u32, y: *mut u32, n: usize, end: *const u32) {
        naked_asm!(
            "push {{r4-r7, lr}}",
            "subs r3, r3, r0",
            "lsls r2, r3, #28",
            "beq 2f",
            "ldmia r0!, {{r4, r5}}", // the first of an odd number
            "stmia r1!, {{r4, r5}}",
            "stmia r1!, {{r4, r5}}",
            "subs r3, #8",
            "beq 3f",
            "2:",
            "ldmia r0!, {{r4-r7}}",
            "stmia r1!, {{r4, r5}}",
            "stmia r1!, {{r4, r5}}",
            "stmia r1!, {{r6, r7}}",
            "stmia r1!, {{r6, r7}}",
            "subs r3, #16",
            "bne 2b",
            "3:",
            "pop {{r4-r7, pc}}",
        )
    }

    #[unsafe(naked)]
    unsafe extern "C" fn double_4(x: *const u32, y: *mut u32, n: usize, end: *const u32) {
        naked_asm!(
            "push {{r4-r7, lr}}",
            "2:",
            "ldmia r0!, {{r4-r7}}",
            "stmia r1!, {{r4-r7}}",
            "stmia r1!, {{r4-r7}}",
            "cmp r0, r3",
            "bne 2b",
            "pop {{r4-r7, pc}}",
        )
    }

    /// With the registers that only Armv7-M loads and stores in one.
    #[cfg(any(upconv_backend = "armv7m", upconv_backend = "dsp", upconv_backend = "mve"))]
    #[unsafe(naked)]
    unsafe extern "C" fn double_8(x: *const u32, y: *mut u32, n: usize, end: *const u32) {
        naked_asm!(
            "push {{r4-r11, lr}}",
            "2:",
            "ldmia r0!, {{r4-r11}}",
            "stmia r1!, {{r4-r11}}",
            "stmia r1!, {{r4-r11}}",
            "cmp r0, r3",
            "bne 2b",
            "pop {{r4-r11, pc}}",
        )
    }

    #[cfg(not(any(upconv_backend = "armv7m", upconv_backend = "dsp", upconv_backend = "mve")))]
    use double_by_4 as double_8;

    /// Runs in blocks of some registers, one or as many as there are: `n` is a run's bytes, the steps are from the end of one to the next.
    macro_rules! runs {
        ($name:ident [$($start:literal)*] $($block:literal)+ [$($more:literal)*]) => {
            #[unsafe(naked)]
            unsafe extern "C" fn $name(
                x: *const u32, y: *mut u32, from: usize, to: usize, n: usize, count: usize,
            ) {
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
    runs!(runs_1 [] "r4" []);
    runs!(runs_2 [] "r4, r5" []);
    runs!(runs_4 [] "r4-r7" []);
    runs!(runs_8 [] "r4-r7" "r4-r7" []);
    runs!(runs_by_1 ["ldr r2, [sp, #20]" "3:"] "r4" ["subs r2, #4" "bne 3b"]);
    runs!(runs_by_4 ["ldr r2, [sp, #20]" "3:"] "r4-r7" ["subs r2, #16" "bne 3b"]);
}

/// The same in safe Rust.
#[cfg(not(target_arch = "arm"))]
mod model {
    use super::{long, twice};

    pub(super) fn double(x: &[u32], n: usize, y: &mut [u32]) {
        match n {
            8 => twice::<_, 8>(x, y, ()),
            n => by_length!(x, n, y, twice(())),
        }
    }

    pub(super) fn runs(x: (&[u32], usize), y: (&mut [u32], usize), n: usize, count: usize) {
        match n {
            1 => runs_of::<1>(x, y, count),
            2 => runs_of::<2>(x, y, count),
            4 => runs_of::<4>(x, y, count),
            8 => runs_of::<8>(x, y, count),
            _ => {
                for (x, y) in x.0.chunks(x.1.max(1)).zip(y.0.chunks_mut(y.1.max(1))).take(count) {
                    long::pixel(x.get(..n).unwrap_or_default(), y.get_mut(..n).unwrap_or_default());
                }
            }
        }
    }

    #[inline(always)]
    fn runs_of<const N: usize>((x, from): (&[u32], usize), (y, to): (&mut [u32], usize), count: usize) {
        for (x, y) in x.chunks(from.max(1)).zip(y.chunks_mut(to.max(1))).take(count) {
            if let (Some(x), Some(y)) = (x.first_chunk::<N>(), y.first_chunk_mut::<N>()) {
                *y = *x;
            }
        }
    }
}

#[inline(always)]
fn pick<E: Copy, const N: usize>(x: &[E], y: &mut [E], from: impl Iterator<Item = usize>) {
    let x = x.as_chunks::<N>().0;
    for (y, i) in y.as_chunks_mut::<N>().0.iter_mut().zip(from) {
        if let Some(x) = x.get(i) {
            *y = x.map(|x| x);
        }
    }
}

#[inline(always)]
fn twice<E: Copy, const N: usize>(x: &[E], y: &mut [E], (): ()) {
    for (x, [y0, y1]) in x.as_chunks::<N>().0.iter().zip(y.as_chunks_mut::<N>().0.as_chunks_mut().0) {
        (*y0, *y1) = (*x, *x);
    }
}

/// Pixels of any length.
mod long {
    use crate::rows::cut;

    /// In blocks of four, of which the last may overlap the one before.
    #[inline(always)]
    pub(super) fn pixel<E: Copy>(x: &[E], y: &mut [E]) {
        match (x.last_chunk::<4>(), y.last_chunk_mut::<4>()) {
            (Some(x), Some(y)) => *y = *x,
            _ => y.iter_mut().zip(x).for_each(|(y, x)| *y = *x),
        }
        let (pairs, x) = (y.as_chunks_mut::<4>().0.as_chunks_mut::<2>(), x.as_chunks::<4>().0.as_chunks::<2>());
        for (y, x) in pairs.0.iter_mut().zip(x.0) {
            // Two assignments, or the loop becomes a call.
            y[1] = x[1];
            y[0] = x[0];
        }
        if let ([y], [x]) = (pairs.1, x.1) {
            *y = *x;
        }
    }

    pub(super) fn pick<E: Copy>(x: &[E], n: usize, y: &mut [E], from: impl Iterator<Item = usize>) {
        for (y, i) in y.chunks_exact_mut(n.max(1)).zip(from) {
            pixel(cut(x, i * n, n), y);
        }
    }

    pub(super) fn twice<E: Copy>(x: &[E], n: usize, y: &mut [E], (): ()) {
        for (x, y) in x.chunks_exact(n.max(1)).zip(y.chunks_exact_mut((2 * n).max(1))) {
            let (y0, y1) = y.split_at_mut_checked(n).unwrap_or_default();
            pixel(x, y0);
            pixel(x, y1);
        }
    }
}
