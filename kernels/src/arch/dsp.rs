//! The inner loops with the DSP instructions of Armv7E-M and Armv8-M: Cortex-M4, M7, M33.
//!
//! `SMLAD` multiplies two pairs of 16-bit numbers and adds both products. A patch holds four values of the first pixel, then
//! the same four of the second, and so on; packed weights alternate between two channels. One step of the loop is then
//!
//! ```text
//! four values of two pixels                                   1 LDM
//! four weights of two channels, widened to pairs of values    2 LDR, 4 SXTB16
//! sums[c][p] += x[p] · w[c]                                   8 SMLAD
//! ```
//!
//! 15 instructions for 16 products; int16 weights take two more. The last loop requantises in registers: TFLite's doubling high
//! multiply and rounding shift, the zero point and the clamp are `SMMLAR`, `ASR` and `SSAT`:
//!
//! ```text
//! y = ssat8((SMMLAR(2 acc, q, h + (acc < 0 ? −1 : 0))) >> e),  h = 2^(e−1) + zero · 2^e
//! ```
//!
//! The same steps in safe Rust are the models below; they run wherever the instructions do not exist.

use super::portable::{self, Run};
pub(crate) use super::portable::{CHUNK, PIXELS, SUMS};
use crate::conv::SMALL;
use crate::quant::{Accumulator, Multiplier, Requant};
use crate::rows::{cut, cut_mut};
use crate::{Element, Rounding};

/// Output channels whose weights are interleaved; the order of packed weights follows it.
pub(crate) const BLOCK: usize = 2;

/// Four values of one pixel.
type Quad = [i16; 4];

/// The inputs of two pixels in the order of their weights, widened: `x − offset`.
#[repr(C, align(8))]
pub(crate) struct Patch {
    x: [[Quad; PIXELS]; CHUNK / 4],
}

impl Patch {
    pub(crate) fn new() -> Self {
        Patch { x: [[[0; 4]; PIXELS]; CHUNK / 4] }
    }

    /// What is subtracted from an input: the zero point, as long as the difference fits 16 bits.
    #[inline(always)]
    pub(crate) const fn offset<T: Element>(zero: i32) -> i32 {
        portable::Patch::offset::<T>(zero)
    }

    /// Pixel `p` has the inputs `x` from value `at` on.
    #[inline(always)]
    pub(crate) fn fill<T: Element>(&mut self, p: usize, mut at: usize, mut x: &[T], offset: i32) {
        while at % 4 != 0
            && let [first, rest @ ..] = x
        {
            self.set(p, at, first.to_i32() - offset);
            (x, at) = (rest, at + 1);
        }
        let (quads, rest) = x.as_chunks::<4>();
        for (to, x) in self.x.iter_mut().skip(at / 4).zip(quads) {
            if let Some(to) = to.get_mut(p) {
                *to = widen(*x, offset);
            }
        }
        for (i, x) in rest.iter().enumerate() {
            self.set(p, at + quads.len() * 4 + i, x.to_i32() - offset);
        }
    }

    /// Pixel `p` has n times `value` from value `at` on.
    #[inline(never)]
    pub(crate) fn pad(&mut self, p: usize, at: usize, n: usize, value: i32) {
        (at..at + n).for_each(|at| self.set(p, at, value));
    }

    #[inline(always)]
    fn set(&mut self, p: usize, at: usize, value: i32) {
        if let Some(to) = self.x.get_mut(at / 4).and_then(|quad| quad.get_mut(p)).and_then(|x| x.get_mut(at % 4)) {
            *to = value as i16;
        }
    }
}

/// `x − offset`
#[inline(always)]
fn widen<T: Element>(x: [T; 4], offset: i32) -> Quad {
    if size_of::<T>() > 1 {
        return x.map(|x| (x.to_i32() - offset) as i16);
    }
    let word = x.iter().rev().fold(0, |word, x| word << 8 | (x.to_i32() as u8 as u32));
    let pair = (-offset as u16 as u32) * 0x1_0001;
    let (even, odd) = (sxtab16(pair, word), sxtab16(pair, word.rotate_right(8)));
    let (low, high) = (even & 0xFFFF | odd << 16, even >> 16 | odd & 0xFFFF_0000);
    [low as i16, (low >> 16) as i16, high as i16, (high >> 16) as i16]
}

/// What requantises a sum: q, h and e of the formula above.
#[repr(C)]
#[derive(Clone, Copy)]
struct Step {
    q: i32,
    h: i32,
    e: i32,
}

/// How sums become outputs.
pub(crate) struct Finish {
    plain: portable::Finish,
    /// For int8 outputs and factors below 1/2 that the formula above covers.
    steps: Option<[Step; SUMS]>,
}

impl Finish {
    /// For so many channels, whose sums are at most `largest`.
    pub(crate) fn new<T: Element, A: Accumulator>(
        requant: Requant,
        multipliers: [Multiplier; SUMS],
        channels: usize,
        largest: u64,
    ) -> Self {
        let plain = portable::Finish::new::<T, A>(requant, multipliers, channels, largest);
        let mut steps = [Step { q: 0, h: 0, e: 1 }; SUMS];
        let mut fits = size_of::<T>() == 1 && size_of::<A>() == 4 && largest <= SMALL;
        for (step, m) in steps.iter_mut().zip(multipliers.iter().take(channels)) {
            let e = -i32::from(m.shift());
            // Bounds: |zero · 2^e| <= 2^29, 2^(e − 1) <= 2^21.
            if (1..=22).contains(&e) && m.q() > 0 {
                *step = Step { q: m.q(), h: (1 << (e - 1)) + (requant.zero << e), e };
            } else {
                fits = false;
            }
        }
        Finish { plain, steps: fits.then_some(steps) }
    }
}

/// [`portable::mac`] for the order of values and weights above.
pub(crate) fn mac<W: Element, S: Accumulator>(patch: &Patch, w: &[W], run: Run, sums: &mut [[S; PIXELS]]) {
    let (even, odd) = sums.split_at_mut_checked(sums.len() & !1).unwrap_or_default();
    let (w, last) = w.split_at_checked(even.len() * run.len).unwrap_or_default();
    if let Some(sums) = S::narrow_mut(even) {
        pairs(patch, w, run, To::Sums(sums));
    } else {
        let mut w = w;
        for sums in even.as_chunks_mut::<BLOCK>().0 {
            plain(patch, cut(w, run.skip * BLOCK, run.n * BLOCK), sums);
            w = w.get(BLOCK * run.len..).unwrap_or_default();
        }
    }
    if let [sums] = odd {
        plain(patch, cut(last, run.skip, run.n), core::array::from_mut(sums));
    }
}

/// [`portable::finish`] for the order of values and weights above.
pub(crate) fn finish<T: Element, W: Element, S: Accumulator, A: Accumulator>(
    patch: &Patch,
    w: &[W],
    run: Run,
    sums: &[[S; PIXELS]],
    finish: &Finish,
    y0: &mut [T],
    y1: &mut [T],
) {
    let requant = &finish.plain.requant;
    let even = sums.len() & !1;
    let mut done = 0;
    if let (Some(steps), Some(sums), Some(out0), Some(out1)) =
        (&finish.steps, S::narrow(cut(sums, 0, even)), bytes(y0), bytes(y1))
    {
        // A second pixel that does not exist is computed all the same.
        let mut nowhere = [0; SUMS];
        let y1 = if out1.is_empty() { &mut nowhere } else { out1 };
        pairs(patch, w, run, To::Outputs(sums, Out { steps, rounding: requant.rounding, y0: out0, y1 }));
        done = even;
        requant.clamp_narrow(cut_mut(y0, 0, done));
        requant.clamp_narrow(cut_mut(y1, 0, done));
    }
    if done < sums.len() {
        let (rest, w) = (sums.get(done..).unwrap_or_default(), w.get(done * run.len..).unwrap_or_default());
        let multipliers = finish.plain.multipliers.get(done..).unwrap_or_default();
        let (y0, y1) = (y0.get_mut(done..).unwrap_or_default(), y1.get_mut(done..).unwrap_or_default());
        let mut own = [[S::default(); PIXELS]; SUMS];
        own.iter_mut().zip(rest).for_each(|(own, sum)| *own = *sum);
        let own = cut_mut(&mut own, 0, rest.len());
        mac(patch, w, run, own);
        requant.pixel::<T, S, A, PIXELS>(own, 0, multipliers, y0);
        requant.pixel::<T, S, A, PIXELS>(own, 1, multipliers, y1);
    }
}

/// Where the results of [`pairs`] go: back into the sums, or on as outputs.
enum To<'a> {
    Sums(&'a mut [[i32; PIXELS]]),
    Outputs(&'a [[i32; PIXELS]], Out<'a>),
}

struct Out<'a> {
    steps: &'a [Step; SUMS],
    rounding: Rounding,
    y0: &'a mut [i8],
    y1: &'a mut [i8],
}

/// Elements of 8 bits as what they are.
#[inline(always)]
fn bytes<T: Element>(y: &mut [T]) -> Option<&mut [i8]> {
    // SAFETY: every element of one byte is an i8, or a transparent wrapper of one.
    (size_of::<T>() == 1).then(|| unsafe { core::slice::from_raw_parts_mut(y.as_mut_ptr().cast(), y.len()) })
}

/// One block of B channels, value by value.
#[inline(always)]
fn plain<W: Element, S: Accumulator, const B: usize>(patch: &Patch, w: &[W], sums: &mut [[S; PIXELS]; B]) {
    let mut acc = *sums;
    for (quad, w) in patch.x.iter().zip(w.chunks(4 * B)) {
        for (i, w) in w.as_chunks::<B>().0.iter().enumerate() {
            for (acc, w) in acc.iter_mut().zip(w) {
                for (acc, x) in acc.iter_mut().zip(quad) {
                    *acc = acc.mac(x.get(i).copied().unwrap_or(0).into(), w.to_i32());
                }
            }
        }
    }
    *sums = acc;
}

#[cfg(all(upconv_backend = "dsp", target_arch = "arm"))]
use asm::{pairs, sxtab16};
#[cfg(not(all(upconv_backend = "dsp", target_arch = "arm")))]
use model::{pairs, sxtab16};

/// The instructions themselves.
#[cfg(all(upconv_backend = "dsp", target_arch = "arm"))]
mod asm {
    use super::*;
    use core::arch::{asm, naked_asm};
    use core::ptr;

    /// Both signed bytes 0 and 2 of `b`, added to the halves of `a`.
    #[inline(always)]
    pub(super) fn sxtab16(a: u32, b: u32) -> u32 {
        let sum;
        // SAFETY: an instruction of registers alone.
        unsafe { asm!("sxtab16 {}, {}, {}", lateout(reg) sum, in(reg) a, in(reg) b, options(pure, nomem, nostack)) };
        sum
    }

    /// All pairs of channels of `to`.
    #[inline(always)]
    pub(super) fn pairs<W: Element>(patch: &Patch, w: &[W], run: Run, to: To<'_>) {
        let size = size_of::<W>();
        let (sums, count, steps, single, y0, y1) = match to {
            To::Sums(sums) => (sums.as_mut_ptr(), sums.len() / 2, ptr::null(), false, ptr::null_mut(), ptr::null_mut()),
            To::Outputs(sums, out) => {
                let count = sums.len().min(out.y0.len()).min(out.y1.len()).min(SUMS) / 2;
                let (y0, y1) = (out.y0.as_mut_ptr(), out.y1.as_mut_ptr());
                (sums.as_ptr().cast_mut(), count, out.steps.as_ptr(), out.rounding == Rounding::TfliteSingle, y0, y1)
            }
        };
        // The last pair ends where its own values end.
        let end = (count * BLOCK).saturating_sub(BLOCK) * run.len + (run.skip + run.n) * BLOCK;
        if count == 0 || run.n > CHUNK || run.skip + run.n > run.len || end > w.len() {
            return;
        }
        // SAFETY: the patch holds CHUNK values, `w` the weights up to `end`; there are 2 * count sums, and as many outputs and steps.
        unsafe {
            let w = w.as_ptr().add(run.skip * BLOCK);
            let next = (run.len - run.n) * BLOCK * size;
            let call = if size == 1 { pairs_i8 } else { pairs_i16 };
            call(patch, run.n / 4, w.cast(), run.n % 4, next, sums, count, steps, y0, y1, single);
        }
    }

    /// Stamps the loop over pairs of channels for one type of weight.
    ///
    /// On the stack: x, quads and tail at 0, 4, 8; after twelve saved registers, from 48 on, the arguments next, sums, pairs, steps,
    /// y0, y1 and single.
    macro_rules! pairs {
        ($name:ident, load = [$($load:literal),+], one = $one:literal) => {
            #[unsafe(naked)]
            unsafe extern "C" fn $name(
                x: *const Patch, quads: usize, w: *const (), tail: usize, next: usize, sums: *mut [i32; PIXELS], pairs: usize,
                steps: *const Step, y0: *mut i8, y1: *mut i8, single: bool,
            ) {
                naked_asm!(
                    // Four values: sums in r4 ..= r7 (channel, then pixel), values in r8 ..= r11, weights in r3 and lr.
                    ".macro quad",
                    "ldmia r0!, {{r8-r11}}",
                    $($load,)+
                    "smlad r4, r8, r3, r4",
                    "smlad r5, r10, r3, r5",
                    "smlad r6, r8, lr, r6",
                    "smlad r7, r10, lr, r7",
                    $($load,)+
                    "smlad r4, r9, r3, r4",
                    "smlad r5, r11, r3, r5",
                    "smlad r6, r9, lr, r6",
                    "smlad r7, r11, lr, r7",
                    ".endm",
                    // One value, in one half of r8 and r10 or of r9 and r11.
                    ".macro one half, a, b",
                    $one,
                    "smla\\half\\()b r4, \\a, r12, r4",
                    "smla\\half\\()b r5, \\b, r12, r5",
                    $one,
                    "smla\\half\\()b r6, \\a, r12, r6",
                    "smla\\half\\()b r7, \\b, r12, r7",
                    ".endm",
                    ".macro double acc, q, h, e",
                    "add lr, \\h, \\acc, asr #31",
                    "lsl \\acc, \\acc, #1",
                    "smmlar \\acc, \\acc, \\q, lr",
                    "asr \\acc, \\acc, \\e",
                    "ssat \\acc, #8, \\acc",
                    ".endm",
                    ".macro single acc, q, h, e",
                    "lsl \\acc, \\acc, #1",
                    "smmla \\acc, \\acc, \\q, \\h",
                    "asr \\acc, \\acc, \\e",
                    "ssat \\acc, #8, \\acc",
                    ".endm",

                    "push {{r0, r1, r3, r4-r11, lr}}",
                    "2:", // a pair of channels
                    "ldr r12, [sp, #52]",
                    "ldrd r0, r1, [sp]",
                    "ldmia r12!, {{r4-r7}}",
                    "str r12, [sp, #52]",
                    "lsrs r1, r1, #1",
                    "bcc 3f",
                    "quad",
                    "3:",
                    "beq 5f",
                    "4:",
                    "quad",
                    "quad",
                    "subs r1, r1, #1",
                    "bne 4b",
                    "5:",
                    "ldr r1, [sp, #8]",
                    "cmp r1, #0",
                    "bne 12f",
                    "6:",
                    "ldr r12, [sp, #60]",
                    "ldr lr, [sp, #48]",
                    "cmp r12, #0",
                    "add r2, r2, lr",
                    "beq 13f",
                    "ldmia r12!, {{r0, r1, r3, r8, r9, r10}}",
                    "ldr r11, [sp, #72]",
                    "str r12, [sp, #60]",
                    "lsls r11, r11, #31",
                    "bne 14f",
                    "double r4, r0, r1, r3",
                    "double r5, r0, r1, r3",
                    "double r6, r8, r9, r10",
                    "double r7, r8, r9, r10",
                    "7:",
                    "ldrd r0, r1, [sp, #64]",
                    "strb r4, [r0], #1",
                    "strb r6, [r0], #1",
                    "strb r5, [r1], #1",
                    "strb r7, [r1], #1",
                    "strd r0, r1, [sp, #64]",
                    "8:",
                    "ldr r12, [sp, #56]",
                    "subs r12, r12, #1",
                    "str r12, [sp, #56]",
                    "bne 2b",
                    "pop {{r0, r1, r3, r4-r11, pc}}",

                    "12:", // up to three values more
                    "ldmia r0!, {{r8-r11}}",
                    "one b, r8, r10",
                    "subs r1, r1, #1",
                    "beq 6b",
                    "one t, r8, r10",
                    "subs r1, r1, #1",
                    "beq 6b",
                    "one b, r9, r11",
                    "b 6b",

                    "13:", // back into the sums
                    "ldr r12, [sp, #52]",
                    "sub r12, r12, #16",
                    "stmia r12, {{r4-r7}}",
                    "b 8b",

                    "14:", // rounded once
                    "single r4, r0, r1, r3",
                    "single r5, r0, r1, r3",
                    "single r6, r8, r9, r10",
                    "single r7, r8, r9, r10",
                    "b 7b",
                    ".purgem quad",
                    ".purgem one",
                    ".purgem double",
                    ".purgem single",
                )
            }
        };
    }

    pairs!(
        pairs_i8,
        load = ["ldr r12, [r2], #4", "sxtb16 r3, r12", "sxtb16 lr, r12, ror #8"],
        one = "ldrsb r12, [r2], #1"
    );
    pairs!(
        pairs_i16,
        load = ["ldr r12, [r2], #4", "ldr lr, [r2], #4", "pkhbt r3, r12, lr, lsl #16", "pkhtb lr, lr, r12, asr #16"],
        one = "ldrsh r12, [r2], #2"
    );
}

/// The same steps in safe Rust.
#[cfg(not(all(upconv_backend = "dsp", target_arch = "arm")))]
mod model {
    use super::*;

    fn halves(v: u32) -> [i32; 2] {
        [v as i16 as i32, v as i32 >> 16]
    }

    fn pack(low: i32, high: i32) -> u32 {
        low as u16 as u32 | (high as u32) << 16
    }

    /// Both signed bytes 0 and 2 of `b`, added to the halves of `a`.
    pub(super) fn sxtab16(a: u32, b: u32) -> u32 {
        let [low, high] = halves(a);
        pack(low + i32::from(b as i8), high + i32::from((b >> 16) as i8))
    }

    fn smlad(a: u32, b: u32, c: i32) -> i32 {
        let ([a0, a1], [b0, b1]) = (halves(a), halves(b));
        c.wrapping_add(a0 * b0).wrapping_add(a1.wrapping_mul(b1))
    }

    /// The upper word of `c · 2^32 + a · b`, rounded or cut off.
    fn smmla(a: i32, b: i32, c: i32, round: bool) -> i32 {
        let sum = (i64::from(c) << 32).wrapping_add(i64::from(a) * i64::from(b));
        (sum.wrapping_add(i64::from(round) << 31) >> 32) as i32
    }

    /// `sums + Σ x · w` of a pair of channels.
    fn products<W: Element>(patch: &Patch, w: &[W], sums: [[i32; PIXELS]; BLOCK]) -> [[i32; PIXELS]; BLOCK] {
        let mut acc = sums;
        for (quad, w) in patch.x.iter().zip(w.chunks(4 * BLOCK)) {
            for (i, w) in w.chunks(2 * BLOCK).enumerate() {
                for (c, acc) in acc.iter_mut().enumerate() {
                    // A value that does not exist counts as 0.
                    let weight = |i: usize| w.get(i * BLOCK + c).map_or(0, |w| w.to_i32());
                    for (acc, x) in acc.iter_mut().zip(quad) {
                        *acc = smlad(pack(x[2 * i].into(), x[2 * i + 1].into()), pack(weight(0), weight(1)), *acc);
                    }
                }
            }
        }
        acc
    }

    fn requantise(acc: i32, step: Step, rounding: Rounding) -> i8 {
        let single = rounding == Rounding::TfliteSingle;
        let h = if single { step.h } else { step.h + (acc >> 31) };
        let y = smmla(acc << 1, step.q, h, !single) >> step.e;
        y.clamp(i8::MIN.into(), i8::MAX.into()) as i8
    }

    /// All pairs of channels of `to`.
    pub(super) fn pairs<W: Element>(patch: &Patch, w: &[W], run: Run, to: To<'_>) {
        let weights = |pair: usize| cut(w, (pair * run.len + run.skip) * BLOCK, run.n * BLOCK);
        match to {
            To::Sums(sums) => {
                for (i, pair) in sums.as_chunks_mut().0.iter_mut().enumerate() {
                    *pair = products(patch, weights(i), *pair);
                }
            }
            To::Outputs(sums, Out { steps, rounding, y0, y1 }) => {
                for (i, pair) in sums.as_chunks().0.iter().enumerate() {
                    for (c, [a, b]) in products(patch, weights(i), *pair).into_iter().enumerate() {
                        let o = i * BLOCK + c;
                        y0[o] = requantise(a, steps[o], rounding);
                        y1[o] = requantise(b, steps[o], rounding);
                    }
                }
            }
        }
    }
}
