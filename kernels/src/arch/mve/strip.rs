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

use crate::arch::strip::{self, CHANNELS, PIXELS, Patch, Scale, Source, Strip, VALUES};
use crate::arch::{TAP_ROWS, small};
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

/// Where the four pixels of a tap row lie, how far it is to the next sixteen values, and whether the next tap row reads them, too.
#[repr(C)]
#[derive(Clone, Copy)]
struct Group {
    x: *const i8,
    step: usize,
    by: usize,
    two: usize,
}

/// Columns of a strip; the loop changes it.
#[repr(C)]
struct Columns {
    sums: *mut [i32; PIXELS],
    /// Behind those of the last pair of columns, and whether there is one more.
    end: *mut [i32; PIXELS],
    odd: usize,
    /// Weights of the first tap row, and bytes to those of the next one.
    w: *const i8,
    hop: usize,
    /// The next group, the first, and behind the last.
    group: *mut Group,
    first: *mut Group,
    last: *mut Group,
    /// How often they go on.
    blocks: usize,
    /// Values of a vector.
    len: usize,
    fresh: usize,
}

/// What all strips of a row share: tap rows that have been checked, and groups of them that begin at pixel 0.
struct Taps<'a, 's, T> {
    source: &'a Source<'s, T>,
    groups: [MaybeUninit<Group>; TAP_ROWS],
    n: usize,
    /// What is left of their channels, laid side by side.
    pieces: [MaybeUninit<Piece>; 2 * TAP_ROWS],
    outside: &'a [T; VALUES],
}

/// Values of a tap row from pixel 0 on, how far it is to the next pixel's, and where in a vector they lie.
#[derive(Clone, Copy)]
struct Piece {
    x: *const i8,
    step: usize,
    at: usize,
    n: usize,
}

impl<'a, 's, T: Element> Taps<'a, 's, T> {
    /// To be [found](Self::find).
    #[inline(always)]
    fn new(source: &'a Source<'s, T>, outside: &'a [T; VALUES]) -> Self {
        let (groups, pieces) =
            ([const { MaybeUninit::uninit() }; TAP_ROWS], [const { MaybeUninit::uninit() }; 2 * TAP_ROWS]);
        Taps { source, groups, n: 0, pieces, outside }
    }

    /// Finds them; false where the loop does not hold.
    #[inline(always)]
    fn find(&mut self, count: usize) -> bool {
        let &mut Taps { source, outside, .. } = self;
        let &Source { lines, width, channels: c, w, columns: all, first, .. } = source;
        let rows = lines.len();
        let mut fits = size_of::<T>() == 1
            && (1..=TAP_ROWS).contains(&rows)
            && count > 0
            && first + count <= all
            && all * rows * c <= w.len();
        let mut row = 0;
        while let Some(line) = lines.get(row) {
            small();
            fits = fits && (line.is_empty() || line.len() >= width * c);
            let (x, step) = Self::place(source, outside, row, 0);
            row += 1;
            // Rows of an upsample are the same ones.
            let two = row < rows && Self::place(source, outside, row, 0).0 == x;
            row += usize::from(two);
            if let Some(group) = self.groups.get_mut(self.n) {
                group.write(Group { x, step, by: if step == 0 { 0 } else { VALUES }, two: two.into() });
            }
            self.n += 1;
        }
        // A row ends one piece, and a vector another.
        let (rest, whole) = (c % VALUES, c - c % VALUES);
        let (mut row, mut i, mut at) = (0, 0, 0);
        for piece in &mut self.pieces {
            small();
            if row == rows || rest == 0 {
                break;
            }
            let n = (rest - i).min(VALUES - at);
            let (x, step) = Self::place(source, outside, row, whole + i);
            piece.write(Piece { x, step, at, n });
            (i, at) = (i + n, (at + n) % VALUES);
            if i == rest {
                (row, i) = (row + 1, 0);
            }
        }
        fits
    }

    /// Where a tap row's channels from this one of pixel 0 on lie, and how far it is to the next pixel's.
    #[inline(always)]
    fn place(source: &Source<'_, T>, outside: &[T; VALUES], row: usize, from: usize) -> (*const i8, usize) {
        match source.lines.get(row) {
            Some(line) if !line.is_empty() => (line.as_ptr().wrapping_add(from).cast(), source.channels),
            _ => (outside.as_ptr().cast(), 0),
        }
    }
}

/// [`strip::products`]
#[inline(always)]
fn products<T: Element>(taps: &Taps<'_, '_, T>, pixel: usize, sums: &mut [[i32; PIXELS]]) {
    let &Source { lines, width, channels: c, w, columns: all, first, .. } = taps.source;
    let (count, rows) = (sums.len(), lines.len());
    let mut groups = [const { MaybeUninit::<Group>::uninit() }; TAP_ROWS];
    let start = groups.as_mut_ptr().cast::<Group>();
    let (rest, whole) = (c % VALUES, c - c % VALUES);
    let to = sums.as_mut_ptr();
    let mut call = Columns {
        sums: to,
        end: to.wrapping_add(count & !1),
        odd: count & 1,
        w: w.as_ptr().wrapping_add(first * VALUES),
        hop: all * VALUES,
        group: start,
        first: start,
        last: start,
        blocks: c / VALUES,
        len: VALUES,
        fresh: 1,
    };
    // The last four pixels, where the strip has fewer; those behind them are outside.
    let from = pixel.min(width.saturating_sub(PIXELS));
    let behind = pixel - from;
    let mut patch = MaybeUninit::<[Patch<T>; 2]>::uninit();
    let patch = patch.as_mut_ptr().cast::<i8>();
    let outside = taps.outside.as_ptr().cast::<i8>();
    let one = Group { x: patch.wrapping_add(behind * VALUES), step: VALUES, by: 0, two: 0 };
    // SAFETY: `find` has checked: rows have these pixels, or one place serves them all; there are weights of all columns, and pieces of all that is left.
    unsafe {
        let lay = |at: usize, x: *const i8, step: usize, n: usize| {
            let to = patch.wrapping_add(at);
            if width >= PIXELS {
                return collect(to, x.wrapping_add(from * step), step, n);
            }
            // One by one, each over what the one before it has left.
            (0..width).for_each(|p| collect(to.wrapping_add(p * VALUES), x.wrapping_add(p * step), 0, n));
            collect(to.wrapping_add(width * VALUES), outside, 0, n);
        };
        if behind > 0 {
            collect(patch.wrapping_add(PIXELS * VALUES), outside, 0, VALUES);
        }
        if behind == 0 && width >= PIXELS && whole > 0 {
            for group in taps.groups.iter().take(taps.n) {
                small();
                let group = group.assume_init();
                call.last.write(Group { x: group.x.wrapping_add(pixel * group.step), ..group });
                call.last = call.last.add(1);
            }
            columns(&mut call);
        } else {
            call.last = start.add(1);
            for (v, row) in (0..whole).step_by(VALUES).flat_map(|v| (0..rows).map(move |row| (v, row))) {
                let (x, step) = Taps::place(taps.source, taps.outside, row, v);
                lay(0, x, step, VALUES);
                start.write(one);
                call.blocks = 1;
                columns(&mut call);
            }
        }
        let (mut pieces, mut left) = (taps.pieces.iter(), rest * rows);
        call.w = w.as_ptr().wrapping_add(all * rows * whole);
        while left > 0 {
            call.len = left.min(VALUES);
            left -= call.len;
            let next = call.w.wrapping_add(all * call.len);
            for piece in pieces.by_ref() {
                small();
                let Piece { x, step, at, n } = piece.assume_init();
                lay(at, x, step, n);
                if at + n == call.len {
                    break;
                }
            }
            start.write(one);
            call.w = call.w.wrapping_add(first * call.len);
            (call.group, call.last, call.blocks) = (start, start.add(1), 1);
            columns(&mut call);
            call.w = next;
        }
    }
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

/// [`strip::row`]
#[inline(always)]
pub(crate) fn row<T: Element>(
    source: &mut Source<'_, T>,
    strip: &mut Strip<'_>,
    totals: &[i32],
    sums: &mut [[i32; PIXELS]],
    kept: &mut [i32],
    y: &mut [T],
) {
    let (outside, mut own) = ([T::from_i32(source.zero); VALUES], [const { MaybeUninit::<i8>::uninit() }; CHANNELS]);
    let whole = *source;
    let mut taps = Taps::new(&whole, &outside);
    let fits = taps.find(sums.len());
    let mut made = Outputs::new(strip, sums, kept, y);
    let twice = strip.requant.rounding == Rounding::TfliteDouble;
    let (run, last) = if twice { (double as Run, last_double as Run) } else { (single as Run, last_single as Run) };
    if let Some(made) = &mut made {
        made.own = own.as_mut_ptr().cast();
    }
    while source.pixel < source.pixels {
        let ends = source.pixel >= source.width;
        // Behind the input there is mostly a single output, the one before twice its width.
        let single = ends && strip.column >= 0 && strip.column as usize + 1 == strip.width;
        match fits {
            _ if single && made.is_some() => {}
            _ if ends => strip::behind(source.zero, totals, sums),
            true => products(&taps, source.pixel, sums),
            false => strip::products(source, sums),
        }
        match &mut made {
            Some(all) => {
                (all.column, all.sums) = (strip.column, sums.as_ptr());
                // SAFETY: `new` has checked: sums, scales and room of all channels; the formulas hold for these factors.
                unsafe { if single { last(all) } else { run(all) } };
            }
            None => strip::outputs(strip, sums, kept, y),
        }
        source.pixel += PIXELS;
        strip.column += (PIXELS * strip.factor) as isize;
    }
}

type Run = unsafe extern "C" fn(*const Outputs);

/// The instructions themselves.
#[cfg(target_arch = "arm")]
mod asm {
    use super::{Columns, Group, Outputs, Ready, VALUES};
    use core::arch::naked_asm;
    use core::mem::offset_of;

    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn columns(all: *mut Columns) {
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
            // All pairs of columns, two at a time, and the odd one.
            ".macro two_columns acc, two",
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
            ".endm",
            ".macro walk acc, two",
            "subs r9, r7, r1",
            "beq 3f",
            "lsls r9, r9, #26",
            "bmi 4f",
            "2:",
            "two_columns \\acc, \\two",
            "4:",
            "two_columns \\acc, \\two",
            "cmp r1, r7",
            "bne 2b",
            "3:",
            "ldr r9, [r11, #{odd}]",
            "cmp r9, #0",
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
            "add r3, r3, r5",
            "vpst",
            "vldrbt.u8 q5, [r3]",
            "add r3, r3, r5",
            "pair \\acc",
            "stm r1!, {{r0, r2, r4, r6, r8, r10, r12, lr}}",
            "cmp r1, r7",
            "bne 2b",
            "3:",
            "ldr r9, [r11, #{odd}]",
            "cmp r9, #0",
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
            "mov r11, r0",
            "1:", // a tap row, or two of the same inputs
            "ldr r9, [r11, #{group}]",
            "ldm r9, {{r2, r4, r6, r8}}", // inputs, step, by, two
            "add r6, r6, r2",
            "str r6, [r9], #{size}",
            "str r9, [r11, #{group}]",
            "vldrb.u8 q0, [r2]",
            "add r2, r2, r4",
            "vldrb.u8 q1, [r2]",
            "add r2, r2, r4",
            "vldrb.u8 q2, [r2]",
            "add r2, r2, r4",
            "vldrb.u8 q3, [r2]",
            "ldrd r3, r10, [r11, #{w}]", // and hop
            "add r5, r3, r10",
            "mov r6, r5",
            "cmp r8, #0",
            "it ne",
            "addne r6, r6, r10",
            "str r6, [r11, #{w}]",
            "ldrd r1, r7, [r11]",
            "ldrd r6, r9, [r11, #{len}]", // and fresh
            "movs r10, #0",
            "str r10, [r11, #{fresh}]",
            "cmp r6, #16",
            "bne 12f",
            "cmp r8, #0",
            "beq 11f",
            "cmp r9, #0",
            "bne 10f",
            "walk a, 1",
            "10:",
            "walk , 1",
            "11:",
            "cmp r9, #0",
            "bne 10f",
            "walk a, 0",
            "10:",
            "walk , 0",
            "12:",
            "vctp.8 r6",
            "mov r5, r6",
            "cmp r9, #0",
            "bne 10f",
            "part a",
            "10:",
            "part",
            "8:",
            "stm r1, {{r0, r2, r4, r6}}",
            "9:",
            "ldr r9, [r11, #{group}]",
            "ldr r7, [r11, #{last}]",
            "cmp r9, r7",
            "bne 1b",
            "ldr r9, [r11, #{first}]",
            "str r9, [r11, #{group}]",
            "ldr r7, [r11, #{blocks}]",
            "subs r7, r7, #1",
            "str r7, [r11, #{blocks}]",
            "bne 1b",
            "vpop {{d8-d11}}",
            "pop {{r4-r11, pc}}",
            ".purgem dots",
            ".purgem pair",
            ".purgem two_columns",
            ".purgem walk",
            ".purgem part",
            size = const size_of::<Group>(),
            odd = const offset_of!(Columns, odd),
            group = const offset_of!(Columns, group),
            w = const offset_of!(Columns, w),
            len = const offset_of!(Columns, len),
            fresh = const offset_of!(Columns, fresh),
            last = const offset_of!(Columns, last),
            first = const offset_of!(Columns, first),
            blocks = const offset_of!(Columns, blocks),
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
    use super::{Columns, Group, Outputs, PIXELS, Ready, Scale, VALUES};

    pub(super) unsafe extern "C" fn columns(all: *mut Columns) {
        // SAFETY: the caller's.
        unsafe {
            let all = &mut *all;
            while all.blocks > 0 {
                while all.group != all.last {
                    let Group { x, step, by, two } = *all.group;
                    (*all.group).x = x.wrapping_add(by);
                    all.group = all.group.add(1);
                    let mut to = all.sums;
                    let mut at = 0;
                    while to != all.end.wrapping_add(all.odd) {
                        for (p, sum) in (*to).iter_mut().enumerate() {
                            *sum = if all.fresh == 0 { *sum } else { 0 };
                            for row in 0..=two {
                                let w = all.w.add(row * all.hop + at);
                                for i in 0..all.len {
                                    let product = i32::from(*x.add(p * step + i)) * i32::from(*w.add(i));
                                    *sum = sum.wrapping_add(product);
                                }
                            }
                        }
                        (to, at) = (to.add(1), at + all.len);
                    }
                    all.w = all.w.wrapping_add((1 + two) * all.hop);
                    all.fresh = 0;
                }
                (all.group, all.blocks) = (all.first, all.blocks - 1);
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
    use crate::arch::strip::COLUMNS;
    use crate::arch::testing::Random;
    use crate::quant::Requant;
    use crate::{Activation, Quant};

    #[test]
    fn products_are_those_of_the_portable_loop() {
        let mut random = Random(3);
        for case in 0..if cfg!(miri) { 8 } else { 400 } {
            let (columns, rows) = (1 + random.below(COLUMNS), 1 + random.below(4));
            let channels = [1 + random.below(16), 16 + 16 * random.below(3), 1 + random.below(40)][case % 3];
            let width = 1 + random.below(9);
            let first = random.below(columns);
            let count = 1 + random.below(columns - first);
            let memory: Vec<Vec<i8>> =
                (0..rows).map(|_| (0..width * channels).map(|_| random.element()).collect()).collect();
            // Rows that are the one before, and rows outside.
            let mut lines: Vec<&[i8]> = memory.iter().map(|line| &line[..]).collect();
            for row in 0..rows {
                match random.below(4) {
                    0 => lines[row] = &[],
                    1 | 2 if row > 0 => lines[row] = lines[row - 1],
                    _ => {}
                }
            }
            let w: Vec<i8> = (0..columns * rows * channels).map(|_| random.element()).collect();
            let (zero, pixel) = (random.below(256) as i32 - 128, random.below(width));
            let source = Source { lines: &lines, width, channels, zero, pixel, pixels: width, w: &w, columns, first };
            let mut ours = vec![[77; PIXELS]; count];
            let mut theirs = ours.clone();
            let outside = [zero as i8; VALUES];
            let mut taps = Taps::new(&source, &outside);
            assert!(taps.find(count));
            products(&taps, pixel, &mut ours);
            strip::products(&source, &mut theirs);
            assert_eq!(ours, theirs, "case {case}");
        }
    }

    #[test]
    fn rows_are_those_of_the_portable_loop() {
        let mut random = Random(5);
        for case in 0..if cfg!(miri) { 8 } else { 400 } {
            let (count, pad, width) = (1 + random.below(CHANNELS), case % 3, 1 + random.below(14));
            let (columns, channels) = (3 * count, 1 + random.below(20));
            let numbers = |n: usize, random: &mut Random| -> Vec<i32> {
                (0..n).map(|_| random.below(1 << 16) as i32 - (1 << 15)).collect()
            };
            let (totals, bias) = (numbers(columns, &mut random), numbers(count * (case % 2), &mut random));
            let most = if case % 7 == 0 { 0.9 } else { 0.4 };
            let factors =
                (0..if case % 3 == 0 { 1 } else { count }).map(|_| most * (1 + random.below(100)) as f64 / 1e4);
            let multipliers: Vec<_> = factors.map(|m| Multiplier::from_real(m).unwrap()).collect();
            let line: Vec<i8> = (0..width * channels).map(|_| random.element()).collect();
            let w: Vec<i8> = (0..2 * columns * channels).map(|_| random.element()).collect();
            let zero = random.below(256) as i32 - 128;
            let rounding = if case % 4 < 2 { Rounding::TfliteDouble } else { Rounding::TfliteSingle };
            let activation = if case % 5 == 0 { Activation::Relu } else { Activation::None };
            let y = Quant::new(1.0, random.below(256) as i32 - 128);
            let requant = Requant::new(rounding, y.zero, activation.range::<i8>(y));
            // One output more or less at the end.
            let out = (2 * width + pad + case % 2).saturating_sub(1).max(1);
            let pitch = count + random.below(9);
            let lines: [&[i8]; 2] = if case % 2 == 0 { [&line, &line] } else { [&[], &line] };
            let [ours, theirs] = [0, 1].map(|which| {
                let (mut sums, mut kept, mut y) =
                    (vec![[0; PIXELS]; columns], vec![0; columns], vec![0i8; out * pitch]);
                let mut scales = vec![Scale { bias: 0, multiplier: Multiplier::ZERO }; count];
                let from = (&totals[..], &bias[..], &multipliers[..]);
                let begin = [strip::ready, ready][1 - which];
                begin([3, 1], zero, from, &mut kept, &mut scales);
                let (pixels, w) = ((out + 1 - pad.min(1)).div_ceil(2) + 1, &w[..]);
                let mut source =
                    Source { lines: &lines, width, channels, zero, pixel: 0, pixels, w, columns, first: 0 };
                let (column, channels) = (-(pad as isize), pitch);
                let mut strip = Strip {
                    columns: 3,
                    factor: 2,
                    kept: 1,
                    column,
                    width: out,
                    channels,
                    scales: &scales,
                    requant: &requant,
                    small: true,
                };
                let run = [row::<i8>, strip::row::<i8>][which];
                run(&mut source, &mut strip, &totals, &mut sums, &mut kept, &mut y);
                y
            });
            assert_eq!(ours, theirs, "case {case}");
        }
    }
}
