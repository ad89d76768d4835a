//! Strips of pixels whose columns several outputs share: inputs stay in registers while the weights of all columns go by.
//!
//! ```text
//! sums of two columns                     1 LDM, or of nothing yet
//! sixteen weights of two columns          2 VLDRB
//! sums[c][p] += x[p] · w[c]               8 VMLADAVA
//! the same for another tap row of the same inputs
//! sums                                    1 STM
//! ```
//!
//! 24 instructions with the loop for 256 products where two tap rows read one input row, 14 for 128 else. The outputs of a strip of 2x and three columns are
//! those of two vectors, `S_0(b−1) + S_2(b)` and with it `S_1(b−1)` or `S_1(b)`, scaled by the formulas of the other loops.

use crate::arch::strip::{self, CHANNELS, PIXELS, Scale, Strip, VALUES};
use crate::quant::Multiplier;
use crate::{Element, Rounding};
use core::mem::MaybeUninit;

#[cfg(target_arch = "arm")]
pub(crate) use asm::clear;
#[cfg(target_arch = "arm")]
use asm::{begin, collect, columns, double, last_double, last_single, single};
#[cfg(not(target_arch = "arm"))]
use model::{begin, collect, columns, double, last_double, last_single, single};
#[cfg(not(target_arch = "arm"))]
#[allow(unused_imports)] // where another backend is chosen
pub(crate) use strip::clear;

/// Columns of a strip; the loop changes it.
#[repr(C)]
struct Columns {
    sums: *mut [i32; PIXELS],
    /// The weights, and those of another tap row or null.
    w: [*const i8; 2],
    x: *const i8,
    step: usize,
    len: usize,
    /// At least one.
    count: usize,
    fresh: usize,
}

/// [`strip::products`]
#[inline(always)]
pub(crate) fn products<T: Element>(
    x: &[T],
    step: usize,
    len: usize,
    w: [&[i8]; 2],
    fresh: bool,
    sums: &mut [[i32; PIXELS]],
) {
    let [first, second] = w.map(<[i8]>::len);
    let (count, all) = (sums.len(), sums.len() * len);
    let fits = size_of::<T>() == 1
        && count > 0
        && (PIXELS - 1) * step + VALUES <= x.len()
        && (len == VALUES && (second == 0 || second >= all) || len < VALUES && second == 0)
        && first >= all;
    if !fits {
        return strip::products(x, step, len, w, fresh, sums);
    }
    let w = [w[0].as_ptr(), if second == 0 { core::ptr::null() } else { w[1].as_ptr() }];
    let all = Columns { sums: sums.as_mut_ptr(), w, x: x.as_ptr().cast(), step, len, count, fresh: fresh.into() };
    // SAFETY: just checked: four times sixteen inputs, and weights of all columns.
    unsafe { columns(&all) };
}

/// What [`ready`] works on; a step is 0 where one serves all.
#[repr(C)]
struct Ready {
    totals: *const i32,
    kept: *mut [i32; 3],
    scales: *mut Scale,
    bias: *const i32,
    bias_step: usize,
    multipliers: *const Multiplier,
    multiplier_step: usize,
    zero: i32,
    /// At least one.
    count: usize,
}

/// [`strip::ready`]
#[inline(always)]
pub(crate) fn ready(
    each: [usize; 2],
    zero: i32,
    from: (&[i32], &[i32], &[Multiplier]),
    kept: &mut [i32],
    scales: &mut [Scale],
) {
    let ((totals, bias, multipliers), count) = (from, scales.len());
    let fits = each == [3, 1]
        && count > 0
        && totals.len().min(kept.len()) >= 3 * count
        && (bias.is_empty() || bias.len() >= count)
        && (multipliers.len() == 1 || multipliers.len() >= count);
    if !fits {
        return strip::ready(each, zero, from, kept, scales);
    }
    let all = Ready {
        totals: totals.as_ptr(),
        kept: kept.as_mut_ptr().cast(),
        scales: scales.as_mut_ptr(),
        bias: if bias.is_empty() { (&raw const super::depth::ZERO).cast() } else { bias.as_ptr() },
        bias_step: if bias.is_empty() { 0 } else { size_of::<i32>() },
        multipliers: multipliers.as_ptr(),
        multiplier_step: if multipliers.len() == 1 { 0 } else { size_of::<Multiplier>() },
        zero,
        count,
    };
    // SAFETY: just checked.
    unsafe { begin(&all) };
}

/// [`strip::gather`]
#[inline(always)]
pub(crate) fn gather<T: Element>(to: &mut [T; PIXELS * VALUES], at: usize, x: &[T], step: usize, n: usize) {
    if size_of::<T>() == 1 && at + n <= VALUES && (PIXELS - 1) * step + n <= x.len() {
        // SAFETY: just checked.
        unsafe { collect(to.as_mut_ptr().wrapping_add(at).cast(), x.as_ptr().cast(), step, n) };
    } else {
        strip::gather(to, at, x, step, n);
    }
}

/// Outputs of a strip.
#[repr(C)]
struct Outputs {
    sums: *const [i32; PIXELS],
    kept: *mut [i32; 3],
    scales: *const Scale,
    /// At least one.
    count: usize,
    low: i32,
    high: i32,
    zero: i32,
    /// The first output column, the outputs, the channels of one, and where those go whose column is not below the width.
    column: isize,
    y: *mut i8,
    channels: usize,
    own: *mut i8,
    width: usize,
}

impl Outputs {
    /// Unless the loops do not hold.
    #[inline(always)]
    fn new<T: Element>(strip: &Strip<'_>, sums: &[[i32; PIXELS]], kept: &mut [i32], y: &mut [T]) -> Option<Self> {
        let &Strip { column, width, channels, scales, requant, small, .. } = strip;
        let count = scales.len();
        let fits = size_of::<T>() == 1
            && (strip.columns, strip.factor, strip.kept, small) == (3, 2, 1, true)
            && (1..=CHANNELS).contains(&count)
            && sums.len().min(kept.len()) >= 3 * count
            && width.saturating_sub(1) * channels + count <= y.len();
        fits.then_some(Outputs {
            sums: sums.as_ptr(),
            kept: kept.as_mut_ptr().cast(),
            scales: scales.as_ptr(),
            count,
            low: requant.low,
            high: requant.high,
            zero: requant.zero,
            column,
            y: y.as_mut_ptr().cast(),
            channels,
            own: core::ptr::null_mut(),
            width,
        })
    }
}

/// [`strip::outputs`]
#[inline(never)]
pub(crate) fn outputs<T: Element>(strip: &Strip<'_>, sums: &[[i32; PIXELS]], kept: &mut [i32], y: &mut [T]) {
    let Some(mut all) = Outputs::new(strip, sums, kept, y) else { return strip::outputs(strip, sums, kept, y) };
    let mut own = [const { MaybeUninit::<i8>::uninit() }; CHANNELS];
    all.own = own.as_mut_ptr().cast();
    let run = if strip.requant.rounding == Rounding::TfliteDouble { double } else { single };
    // SAFETY: just checked: sums, scales and room of all channels; the formulas hold for these factors.
    unsafe { run(&all) };
}

/// [`strip::behind`]: mostly a single output, the one before twice the width of the input.
#[inline(always)]
pub(crate) fn behind<T: Element>(
    strip: &Strip<'_>,
    zero: i32,
    totals: &[i32],
    sums: &mut [[i32; PIXELS]],
    kept: &mut [i32],
    y: &mut [T],
) {
    match Outputs::new(strip, sums, kept, y) {
        Some(all) if strip.column >= 0 && strip.column as usize + 1 == strip.width => {
            let run = if strip.requant.rounding == Rounding::TfliteDouble { last_double } else { last_single };
            // SAFETY: just checked.
            unsafe { run(&all) };
        }
        _ => strip::behind(strip, zero, totals, sums, kept, y),
    }
}

/// The instructions themselves.
#[cfg(target_arch = "arm")]
mod asm {
    use super::{Columns, Outputs, Ready, VALUES};
    use core::arch::naked_asm;
    use core::mem::offset_of;

    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn columns(all: *const Columns) {
        naked_asm!(
            ".cpu cortex-m55",
            // Products of the inputs with the weights of one column or two, added or not.
            ".macro dots acc, w, a, b, c, d",
            "vmladav\\acc\\().s8 \\a, \\w, q0",
            "vmladav\\acc\\().s8 \\b, \\w, q1",
            "vmladav\\acc\\().s8 \\c, \\w, q2",
            "vmladav\\acc\\().s8 \\d, \\w, q3",
            ".endm",
            ".macro pair acc",
            "dots \\acc, q4, r0, r2, r4, r6",
            "dots \\acc, q5, r8, r10, r12, lr",
            ".endm",
            // All pairs of columns, and the odd one.
            ".macro walk acc, two",
            "cmp r1, r7",
            "beq 3f",
            "2:",
            ".ifnb \\acc",
            "ldm r1, {{r0, r2, r4, r6, r8, r10, r12, lr}}",
            ".endif",
            "vldrb.u8 q4, [r3], #16",
            "vldrb.u8 q5, [r3], #16",
            "pair \\acc",
            ".if \\two",
            "vldrb.u8 q4, [r5], #16",
            "vldrb.u8 q5, [r5], #16",
            "pair a",
            ".endif",
            "stm r1!, {{r0, r2, r4, r6, r8, r10, r12, lr}}",
            "cmp r1, r7",
            "bne 2b",
            "3:",
            "lsls r9, r9, #31",
            "beq 9f",
            ".ifnb \\acc",
            "ldm r1, {{r0, r2, r4, r6}}",
            ".endif",
            "vldrb.u8 q4, [r3]",
            "dots \\acc, q4, r0, r2, r4, r6",
            ".if \\two",
            "vldrb.u8 q4, [r5]",
            "dots a, q4, r0, r2, r4, r6",
            ".endif",
            "b 8f",
            ".endm",
            // The same of a part of a vector.
            ".macro part acc",
            "cmp r1, r7",
            "beq 3f",
            "2:",
            ".ifnb \\acc",
            "ldm r1, {{r0, r2, r4, r6, r8, r10, r12, lr}}",
            ".endif",
            "vpst",
            "vldrbt.u8 q4, [r3]",
            "add r3, r3, r11",
            "vpst",
            "vldrbt.u8 q5, [r3]",
            "add r3, r3, r11",
            "pair \\acc",
            "stm r1!, {{r0, r2, r4, r6, r8, r10, r12, lr}}",
            "cmp r1, r7",
            "bne 2b",
            "3:",
            "lsls r9, r9, #31",
            "beq 9f",
            ".ifnb \\acc",
            "ldm r1, {{r0, r2, r4, r6}}",
            ".endif",
            "vpst",
            "vldrbt.u8 q4, [r3]",
            "dots \\acc, q4, r0, r2, r4, r6",
            "b 8f",
            ".endm",
            "push {{r4-r11, lr}}",
            "vpush {{d8-d11}}",
            "mov r12, r0",
            "ldm r12, {{r1, r3, r5-r10}}", // sums, weights, inputs, step, len, count, fresh
            "vldrb.u8 q0, [r6]",
            "add r6, r6, r7",
            "vldrb.u8 q1, [r6]",
            "add r6, r6, r7",
            "vldrb.u8 q2, [r6]",
            "add r6, r6, r7",
            "vldrb.u8 q3, [r6]",
            "bic r7, r9, #1",
            "add r7, r1, r7, lsl #4", // behind the last pair
            "mov r11, r8",
            "cmp r11, #16",
            "bne 12f",
            "cmp r5, #0",
            "beq 11f",
            "cmp r10, #0",
            "bne 10f",
            "walk a, 1",
            "10:",
            "walk , 1",
            "11:",
            "cmp r10, #0",
            "bne 10f",
            "walk a, 0",
            "10:",
            "walk , 0",
            "12:",
            "vctp.8 r11",
            "cmp r10, #0",
            "bne 10f",
            "part a",
            "10:",
            "part",
            "8:",
            "stm r1, {{r0, r2, r4, r6}}",
            "9:",
            "vpop {{d8-d11}}",
            "pop {{r4-r11, pc}}",
            ".purgem dots",
            ".purgem pair",
            ".purgem walk",
            ".purgem part",
        )
    }

    /// [`strip::clear`](super::strip::clear)
    #[unsafe(naked)]
    pub(crate) unsafe extern "C" fn clear(to: *mut u8, n: usize) {
        naked_asm!(
            ".cpu cortex-m55",
            "push {{r7, lr}}",
            "vmov.i32 q0, #0",
            "wlstp.8 lr, r1, 3f",
            "2:",
            "vstrb.8 q0, [r0], #16",
            "letp lr, 2b",
            "3:",
            "pop {{r7, pc}}",
        )
    }

    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn begin(all: *const Ready) {
        naked_asm!(
            ".cpu cortex-m55",
            "push {{r4-r11, lr}}",
            "ldm r0, {{r1-r9}}", // totals, kept, scales, bias and multipliers with their steps, zero, count
            "dls lr, r9",
            "2:",
            "ldm r1!, {{r9-r11}}",
            "mul r9, r9, r8",
            "mul r10, r10, r8",
            "mul r11, r11, r8",
            "stm r2!, {{r9-r11}}",
            "ldr r12, [r4]",
            "add r4, r4, r5",
            "sub r9, r12, r9",
            "sub r9, r9, r10",
            "sub r9, r9, r11",
            "ldrd r10, r11, [r6]",
            "add r6, r6, r7",
            "stm r3!, {{r9-r11}}",
            "le lr, 2b",
            "pop {{r4-r11, pc}}",
        )
    }

    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn collect(to: *mut i8, x: *const i8, step: usize, n: usize) {
        naked_asm!(
            ".cpu cortex-m55",
            "vctp.8 r3",
            "add r12, r1, r2",
            "vpstttt",
            "vldrbt.u8 q0, [r1]",
            "vldrbt.u8 q1, [r12]",
            "vstrbt.8 q0, [r0]",
            "vstrbt.8 q1, [r0, #{line}]",
            "add r1, r12, r2",
            "add r12, r1, r2",
            "vpstttt",
            "vldrbt.u8 q0, [r1]",
            "vldrbt.u8 q1, [r12]",
            "vstrbt.8 q0, [r0, #2*{line}]",
            "vstrbt.8 q1, [r0, #3*{line}]",
            "bx lr",
            line = const VALUES,
        )
    }

    /// Stamps the outputs of all channels: how a sum in a vector is multiplied by r6 into another one.
    macro_rules! outputs {
        ($name:ident, $($product:literal),+) => {
            #[unsafe(naked)]
            pub(super) unsafe extern "C" fn $name(all: *const Outputs) {
                naked_asm!(
                    ".cpu cortex-m55",
                    ".macro output to, acc, y",
                    $($product,)+
                    "vrshl.s32 \\to, r7",
                    "vmax.s32 \\to, \\to, q6",
                    "vmin.s32 \\to, \\to, q7",
                    "vadd.i32 \\to, \\to, r8",
                    "vstrb.32 \\to, [r4, \\y]",
                    ".endm",
                    "push {{r4-r10, lr}}",
                    "vpush {{d8-d15}}",
                    "add r12, r0, #{column}",
                    "ldm r12, {{r1-r5}}", // column, y, channels, own, width
                    "movs r6, #0",
                    "vidup.u32 q0, r6, #2",
                    "vadd.i32 q0, q0, r1",
                    "movs r6, #1",
                    "vadd.i32 q1, q0, r6",
                    "vmul.i32 q4, q0, r3",
                    "vadd.i32 q4, q4, r2",
                    "vmul.i32 q5, q1, r3",
                    "vadd.i32 q5, q5, r2",
                    "vpt.u32 cs, q0, r5",
                    "vdupt.32 q4, r4",
                    "vpt.u32 cs, q1, r5",
                    "vdupt.32 q5, r4",
                    "ldm r0, {{r1-r3, r5-r8}}", // sums, kept, scales, count, low, high, zero
                    "vdup.32 q6, r6",
                    "vdup.32 q7, r7",
                    "movs r4, #0",
                    "dls lr, r5",
                    "2:",
                    "ldm r3!, {{r5-r7}}", // bias, q, -e
                    "vldrw.u32 q0, [r1], #16",
                    "vldrw.u32 q1, [r1], #16",
                    "vldrw.u32 q2, [r1], #16",
                    "ldrd r9, r10, [r2]",
                    "vmov q3, q1",
                    "vshlc q0, r9, #32", // those of the pixels before
                    "vshlc q3, r10, #32",
                    "strd r9, r10, [r2], #12",
                    "vadd.i32 q0, q0, q2",
                    "vadd.i32 q0, q0, r5",
                    "vadd.i32 q1, q1, q0",
                    "vadd.i32 q3, q3, q0",
                    "output q0, q3, q4",
                    "output q2, q1, q5",
                    "adds r4, r4, #1",
                    "le lr, 2b",
                    "vpop {{d8-d15}}",
                    "pop {{r4-r10, pc}}",
                    ".purgem output",
                    column = const offset_of!(Outputs, column),
                )
            }
        };
    }
    outputs!(double, "vshr.s32 \\to, \\acc, #31", "vqrdmlah.s32 \\to, \\acc, r6");
    outputs!(single, "vqdmulh.s32 \\to, \\acc, r6");

    /// Stamps the output of each channel that adds up what is kept, four at a time: how sums in q0 are multiplied by q1.
    macro_rules! last {
        ($name:ident, $($product:literal),+) => {
            #[unsafe(naked)]
            pub(super) unsafe extern "C" fn $name(all: *const Outputs) {
                naked_asm!(
                    ".cpu cortex-m55",
                    "push {{r4-r8, lr}}",
                    "add r12, r0, #{column}",
                    "ldm r12, {{r1-r3}}", // column, y, channels
                    "mla r12, r1, r3, r2",
                    "ldm r0, {{r1-r3, r5-r8}}", // sums, kept, scales, count, low, high, zero
                    "mov r0, r12",
                    "movs r4, #0",
                    "vidup.u32 q3, r4, #4",
                    "vadd.i32 q2, q3, q3",
                    "vadd.i32 q3, q3, q2", // channels lie twelve bytes apart
                    "adds r4, r3, #4",
                    "adds r1, r2, #4",
                    "dlstp.32 lr, r5",
                    "2:",
                    "vldrw.u32 q0, [r2, q3]",
                    "vldrw.u32 q1, [r1, q3]",
                    "vadd.i32 q0, q0, q1",
                    "adds r1, r1, #4",
                    "vldrw.u32 q1, [r1, q3]",
                    "vadd.i32 q0, q0, q1",
                    "vldrw.u32 q1, [r3, q3]",
                    "vadd.i32 q0, q0, q1",
                    "vldrw.u32 q1, [r4, q3]",
                    $($product,)+
                    "adds r4, r4, #4",
                    "vldrb.s32 q1, [r4, q3]",
                    "vrshl.s32 q0, q0, q1",
                    "vdup.32 q1, r6",
                    "vmax.s32 q0, q0, q1",
                    "vdup.32 q1, r7",
                    "vmin.s32 q0, q0, q1",
                    "vadd.i32 q0, q0, r8",
                    "vstrb.32 q0, [r0], #4",
                    "adds r2, r2, #48",
                    "adds r1, r1, #44",
                    "adds r3, r3, #48",
                    "adds r4, r4, #44",
                    "letp lr, 2b",
                    "pop {{r4-r8, pc}}",
                    column = const offset_of!(Outputs, column),
                )
            }
        };
    }
    last!(last_double, "vqrdmulh.s32 q1, q0, q1", "vshr.s32 q0, q0, #31", "vadd.i32 q0, q0, q1");
    last!(last_single, "vqdmulh.s32 q0, q0, q1");
}

/// The same steps in Rust.
#[cfg(not(target_arch = "arm"))]
mod model {
    use super::super::isa::output;
    use super::{Columns, Outputs, PIXELS, Ready, Scale, VALUES};

    pub(super) unsafe extern "C" fn columns(all: *const Columns) {
        // SAFETY: the caller's.
        unsafe {
            let &Columns { sums, w, x, step, len, count, fresh } = &*all;
            // A part of a vector has weights of 0 behind it.
            let x: [[i8; VALUES]; PIXELS] = core::array::from_fn(|p| x.add(p * step).cast::<[i8; VALUES]>().read());
            for c in 0..count {
                let sums = &mut *sums.add(c);
                for (sum, x) in sums.iter_mut().zip(x) {
                    *sum = if fresh == 0 { *sum } else { 0 };
                    for w in w.into_iter().filter(|w| !w.is_null()) {
                        for (i, x) in x.into_iter().enumerate().take(len) {
                            *sum = sum.wrapping_add(i32::from(x) * i32::from(*w.add(c * len + i)));
                        }
                    }
                }
            }
        }
    }

    pub(super) unsafe extern "C" fn begin(all: *const Ready) {
        // SAFETY: the caller's.
        unsafe {
            let all = &*all;
            for o in 0..all.count {
                let outside = [0, 1, 2].map(|t| all.zero.wrapping_mul(*all.totals.add(3 * o + t)));
                let bias = outside.into_iter().fold(*all.bias.byte_add(o * all.bias_step), i32::wrapping_sub);
                let multiplier = *all.multipliers.byte_add(o * all.multiplier_step);
                all.kept.add(o).write(outside);
                all.scales.add(o).write(Scale { bias, multiplier });
            }
        }
    }

    pub(super) unsafe extern "C" fn collect(to: *mut i8, x: *const i8, step: usize, n: usize) {
        for p in 0..PIXELS {
            // SAFETY: the caller's.
            unsafe { to.add(p * VALUES).copy_from_nonoverlapping(x.add(p * step), n) };
        }
    }

    unsafe fn scaled(all: &Outputs, scale: Scale, acc: i32, double: bool) -> i8 {
        let v = output(acc, scale.multiplier.q(), scale.multiplier.shift().into(), double);
        (v.max(all.low).min(all.high) + all.zero) as i8
    }

    unsafe fn outputs(all: *const Outputs, double: bool) {
        // SAFETY: the caller's.
        unsafe {
            let all = &*all;
            for c in 0..all.count {
                let [first, middle, last] = *all.sums.add(3 * c).cast::<[[i32; PIXELS]; 3]>();
                let (scale, kept) = (*all.scales.add(c), &mut *all.kept.add(c));
                for p in 0..PIXELS {
                    let with = scale.bias.wrapping_add(kept[0]).wrapping_add(last[p]);
                    for (i, middle) in [kept[1], middle[p]].into_iter().enumerate() {
                        let column = all.column.wrapping_add((2 * p + i) as isize) as usize;
                        let y = if column < all.width { all.y.add(column * all.channels) } else { all.own };
                        *y.add(c) = scaled(all, scale, with.wrapping_add(middle), double);
                    }
                    (kept[0], kept[1]) = (first[p], middle[p]);
                }
            }
        }
    }

    unsafe fn last(all: *const Outputs, double: bool) {
        // SAFETY: the caller's.
        unsafe {
            let all = &*all;
            for c in 0..all.count {
                let (scale, kept) = (*all.scales.add(c), *all.kept.add(c));
                let acc = kept.into_iter().fold(scale.bias, i32::wrapping_add);
                *all.y.add(all.column as usize * all.channels + c) = scaled(all, scale, acc, double);
            }
        }
    }

    pub(super) unsafe extern "C" fn double(all: *const Outputs) {
        // SAFETY: the caller's.
        unsafe { outputs(all, true) }
    }

    pub(super) unsafe extern "C" fn single(all: *const Outputs) {
        // SAFETY: the caller's.
        unsafe { outputs(all, false) }
    }

    pub(super) unsafe extern "C" fn last_double(all: *const Outputs) {
        // SAFETY: the caller's.
        unsafe { last(all, true) }
    }

    pub(super) unsafe extern "C" fn last_single(all: *const Outputs) {
        // SAFETY: the caller's.
        unsafe { last(all, false) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Activation;
    use crate::Quant;
    use crate::arch::strip::COLUMNS;
    use crate::arch::testing::Random;
    use crate::quant::Requant;

    #[test]
    fn products_are_those_of_the_portable_loop() {
        let mut random = Random(3);
        for case in 0..if cfg!(miri) { 8 } else { 300 } {
            let (count, two) = (1 + random.below(COLUMNS), case % 3 == 0);
            let len = if two || case % 3 == 1 { VALUES } else { 1 + random.below(VALUES) };
            let step = [0, len, VALUES, VALUES + random.below(20)][case % 4];
            let x: Vec<i8> = (0..(PIXELS - 1) * step + VALUES).map(|_| random.element()).collect();
            let [first, second] = [0; 2].map(|_| -> Vec<i8> { (0..count * len).map(|_| random.element()).collect() });
            let w = [&first[..], if two { &second[..] } else { &[] }];
            let mut ours: Vec<_> = (0..count).map(|_| [0; PIXELS].map(|_: i32| random.below(1 << 20) as i32)).collect();
            let mut theirs = ours.clone();
            products(&x, step, len, w, case % 5 == 0, &mut ours);
            strip::products(&x, step, len, w, case % 5 == 0, &mut theirs);
            assert_eq!(ours, theirs, "case {case}");
        }
    }

    #[test]
    fn values_are_gathered_as_by_the_portable_loop() {
        let mut random = Random(4);
        for _ in 0..if cfg!(miri) { 8 } else { 100 } {
            let (at, step) = (random.below(VALUES), random.below(40));
            let n = 1 + random.below(VALUES - at);
            let x: Vec<i8> = (0..(PIXELS - 1) * step + n).map(|_| random.element()).collect();
            let (mut ours, mut theirs) = ([0; PIXELS * VALUES], [0; PIXELS * VALUES]);
            gather(&mut ours, at, &x, step, n);
            strip::gather(&mut theirs, at, &x, step, n);
            assert_eq!(ours, theirs);
        }
    }

    #[test]
    fn outputs_are_those_of_the_portable_loop() {
        let mut random = Random(5);
        for case in 0..if cfg!(miri) { 8 } else { 300 } {
            let (count, width, channels) =
                (1 + random.below(CHANNELS), 1 + random.below(30), CHANNELS + random.below(9));
            let numbers = |n: usize, random: &mut Random| -> Vec<i32> {
                (0..n).map(|_| random.below(1 << 16) as i32 - (1 << 15)).collect()
            };
            let (totals, bias) = (numbers(3 * count, &mut random), numbers(count * (case % 2), &mut random));
            let factors = (0..if case % 3 == 0 { 1 } else { count }).map(|_| 0.0001 * (1 + random.below(4000)) as f64);
            let multipliers: Vec<_> = factors.map(|m| Multiplier::from_real(m).unwrap()).collect();
            let mut sums: Vec<[i32; PIXELS]> =
                (0..3 * count).map(|_| numbers(4, &mut random).try_into().unwrap()).collect();
            let zero = random.below(256) as i32 - 128;
            let rounding = if case % 4 < 2 { Rounding::TfliteDouble } else { Rounding::TfliteSingle };
            let activation = if case % 5 == 0 { Activation::Relu } else { Activation::None };
            let y = Quant::new(1.0, random.below(256) as i32 - 128);
            let requant = Requant::new(rounding, y.zero, activation.range::<i8>(y));
            // All strips of a row from the one before the output on, and what is behind it.
            let mut made = [0, 1].map(|ours| {
                let (mut kept, mut y) = (vec![0; 3 * count], vec![0i8; width * channels]);
                let mut scales = vec![Scale { bias: 0, multiplier: Multiplier::ZERO }; count];
                let from = (&totals[..], &bias[..], &multipliers[..]);
                let (ready, outputs, behind) = match ours {
                    0 => (
                        ready as fn(_, _, _, &mut _, &mut _),
                        outputs::<i8> as fn(&_, &_, &mut _, &mut _),
                        behind::<i8> as fn(&_, _, &_, &mut _, &mut _, &mut _),
                    ),
                    _ => (strip::ready as _, strip::outputs::<i8> as _, strip::behind::<i8> as _),
                };
                ready([3, 1], zero, from, &mut kept, &mut scales);
                let mut strip = Strip {
                    columns: 3,
                    factor: 2,
                    kept: 1,
                    column: -(case as isize % 3),
                    width,
                    channels,
                    scales: &scales,
                    requant: &requant,
                    small: true,
                };
                let mut sums = sums.clone();
                while strip.column < width as isize {
                    if strip.column + 1 < width as isize {
                        outputs(&strip, &sums, &mut kept, &mut y);
                    } else {
                        behind(&strip, zero, &totals, &mut sums, &mut kept, &mut y);
                    }
                    strip.column += 2 * PIXELS as isize;
                    sums.rotate_left(1);
                }
                y
            });
            let [ours, theirs] = &mut made;
            assert_eq!(ours, theirs, "case {case}");
            sums.clear();
        }
    }
}
