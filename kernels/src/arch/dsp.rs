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

use super::portable::{self, Block, Pairs, Run, each_pair};
pub(crate) use super::portable::{CHUNK, PIXELS, SUMS};
use crate::conv::SMALL;
use crate::quant::Accumulator;
use crate::rows::{cut, cut_mut};
use crate::{Element, Rounding};
use heapless::Vec;

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
    #[inline(never)]
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

    /// The first pixel has the inputs `x0`, the second `x1`, both from value `at` on.
    #[inline(always)]
    pub(crate) fn fill_both<T: Element>(&mut self, at: usize, x0: &[T], x1: &[T], offset: i32) {
        if (at | x0.len()) % 4 != 0 {
            self.fill(0, at, x0, offset);
            return self.fill(1, at, x1, offset);
        }
        let quads = x0.as_chunks().0.iter().zip(x1.as_chunks().0);
        for (to, (x0, x1)) in self.x.iter_mut().skip(at / 4).zip(quads) {
            *to = [widen(*x0, offset), widen(*x1, offset)];
        }
    }

    /// Pixel `p` has n times `value` from value `at` on.
    pub(crate) fn pad(&mut self, p: usize, at: usize, n: usize, value: i32) {
        if (at | n) % 4 != 0 {
            return (at..at + n).for_each(|at| self.set(p, at, value));
        }
        for to in self.x.iter_mut().skip(at / 4).take(n / 4).filter_map(|quad| quad.get_mut(p)) {
            *to = [value as i16; 4];
        }
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

/// Two channels: their sums, and what requantises them, q, h and e of the formula above.
#[repr(C)]
#[derive(Clone, Copy)]
struct Pair<S> {
    sums: [[S; PIXELS]; BLOCK],
    q: [i32; BLOCK],
    h: [i32; BLOCK],
    e: [i32; BLOCK],
}

/// How [`pairs`] ends: with sums, or with outputs that are rounded as named.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Sums,
    Double,
    Single,
}

/// A block of channels and its sums.
#[derive(Clone)]
pub(crate) struct Job<'a, S, A> {
    pub(crate) block: &'a Block<'a, A>,
    pairs: Vec<Pair<S>, { SUMS / BLOCK }>,
    /// How int8 outputs are made; not at all where a factor is 1/2 or more or a sum too large for the formula.
    end: End,
    /// They have a narrower range than their type.
    clamps: bool,
}

impl<'a, S: Accumulator, A: Accumulator> Job<'a, S, A> {
    /// [`portable::Job::new`]
    #[inline(always)]
    pub(crate) fn new<T: Element>(block: &'a Block<'a, A>) -> Self {
        let mut job = Job { block, pairs: Vec::new(), end: End::Sums, clamps: block.requant.clamps::<T>() };
        job.start::<T>();
        job
    }

    fn start<T: Element>(&mut self) {
        let block = self.block;
        let mut fits = size_of::<T>() == 1 && size_of::<S>() == 4 && size_of::<A>() == 4 && block.largest <= SMALL;
        for c in (0..block.channels.min(SUMS)).step_by(BLOCK) {
            let channel = |c| {
                let m = block.multiplier(c);
                let shift = -i32::from(m.shift());
                let fits = (1..=22).contains(&shift) && m.q() > 0;
                // Bounds: |zero · 2^e| <= 2^29, 2^(e − 1) <= 2^21.
                let e = shift & 31;
                ([block.bias::<S>(c); PIXELS], m.q(), (1 << e >> 1) + (block.requant.zero << e), e, fits)
            };
            let (a, b) = (channel(c), channel((c + 1).min(block.channels - 1)));
            fits &= a.4 && b.4;
            let _ = self.pairs.push(Pair { sums: [a.0, b.0], q: [a.1, b.1], h: [a.2, b.2], e: [a.3, b.3] }); // there is room
        }
        if fits {
            self.end = if block.requant.rounding == Rounding::TfliteSingle { End::Single } else { End::Double };
        }
    }

    /// [`portable::Job::subtract`]
    pub(crate) fn subtract<W: Element>(&mut self, zero: i32, w: &[W], run: Run) {
        for (i, pair) in self.pairs.iter_mut().enumerate() {
            let b = BLOCK.min(self.block.channels - i * BLOCK);
            let w = w.get(i * BLOCK * run.len..).unwrap_or_default();
            portable::subtract(zero, w, run, BLOCK, cut_mut(&mut pair.sums, 0, b));
        }
    }

    /// [`portable::Job::mac`]
    pub(crate) fn mac<W: Element>(&mut self, patch: &Patch, w: &[W], run: Run) {
        let count = self.block.channels / BLOCK;
        if size_of::<S>() == 4 {
            sums(patch, w, run, cut_mut(&mut self.pairs, 0, count));
        } else {
            let weights = w.chunks_exact((BLOCK * run.len).max(1));
            for (pair, w) in cut_mut(&mut self.pairs, 0, count).iter_mut().zip(weights) {
                plain(patch, cut(w, run.skip * BLOCK, run.n * BLOCK), &mut pair.sums);
            }
        }
        self.odd(patch, w, run);
    }

    /// The last of an odd number of channels. Its weights lie value after value.
    fn odd<W: Element>(&mut self, patch: &Patch, w: &[W], run: Run) {
        let last = self.block.channels / BLOCK;
        if last * BLOCK < self.block.channels
            && let Some(sums) = self.pairs.get_mut(last).and_then(|pair| pair.sums.first_chunk_mut::<1>())
        {
            plain(patch, cut(w, last * BLOCK * run.len + run.skip, run.n), sums);
        }
    }

    /// [`portable::Job::finish`]
    pub(crate) fn finish<T: Element, W: Element>(
        &self,
        patch: &Patch,
        w: &[W],
        run: Run,
        y0: &mut [T],
        y1: &mut [T],
    ) {
        let n = self.block.channels;
        let mut done = 0;
        if let (Some(out0), Some(out1)) = (bytes(y0), bytes(y1))
            && self.end != End::Sums
            && out0.len() == n
        {
            // A second pixel that does not exist is computed all the same.
            let mut none = [0; SUMS];
            let out1 = if out1.len() == n { out1 } else { &mut none[..] };
            done = n / BLOCK;
            outputs(patch, w, run, cut(&self.pairs, 0, done), self.end, out0, out1);
            if self.clamps {
                self.block.requant.clamp_narrow(y0);
                self.block.requant.clamp_narrow(y1);
            }
        }
        if done * BLOCK < n {
            self.by_sums(done, patch, w, run, y0, y1);
        }
    }

    /// The outputs that are not made in registers: the pairs of channels from `done` on.
    #[inline(never)]
    fn by_sums<T: Element, W: Element>(
        &self,
        done: usize,
        patch: &Patch,
        w: &[W],
        run: Run,
        y0: &mut [T],
        y1: &mut [T],
    ) {
        let mut job = self.clone();
        if done == 0 {
            job.mac(patch, w, run);
        } else {
            job.odd(patch, w, run);
        }
        let (pairs, at) = (job.pairs.get(done..).unwrap_or_default(), done * BLOCK);
        for (p, y) in [y0, y1].into_iter().enumerate() {
            let sums = pairs.iter().flat_map(|pair| pair.sums).map(|sums| sums.get(p).copied().unwrap_or_default());
            let y = y.get_mut(at..).unwrap_or_default();
            self.block.requant.all::<T, S, A>(sums, self.block.multipliers(at), y);
        }
    }

    /// [`portable::Job::pairs`]
    pub(crate) fn pairs<T: Element, W: Element>(
        &self,
        patch: &mut Patch,
        w: &[W],
        run: Run,
        pairs: &Pairs<'_, T>,
        y: &mut [T],
    ) {
        if self.registers(patch, w, run, pairs, y) {
            return;
        }
        each_pair!(self, patch, w, run, pairs, y)
    }

    /// The same for int8 values and an even number of channels, with all bounds checked beforehand. False when it is another case.
    #[cfg(all(upconv_backend = "dsp", target_arch = "arm"))]
    fn registers<T: Element, W: Element>(
        &self,
        patch: &mut Patch,
        w: &[W],
        run: Run,
        pairs: &Pairs<'_, T>,
        y: &mut [T],
    ) -> bool {
        let &Pairs { count, rows, from, step, len, offset, to, pitch } = pairs;
        let n = self.block.channels;
        let all = cut(&self.pairs, 0, n / BLOCK);
        let last = (PIXELS * count).saturating_sub(1);
        let Some(y) = bytes(y).and_then(|y| y.get_mut(to..)) else { return false };
        let fits = size_of::<T>() == 1 && len % 4 == 0 && rows.len() * len == run.n && rows.iter().all(|row| from + last * step + len <= row.len());
        if self.end == End::Sums || n % BLOCK != 0 || !fits || last * pitch + n > y.len() {
            return false;
        }
        let Some(call) = asm::Call::new(w, run, self.end, n) else { return false };
        let pair = (-offset as u16 as u32) * 0x1_0001;
        for i in (0..count).map(|i| PIXELS * i) {
            let from = from + i * step;
            // SAFETY: every row has `len` values of both pixels, and `y` room for n outputs of each.
            unsafe {
                let y0 = y.as_mut_ptr().add(i * pitch);
                if run.n <= CHUNK {
                    call.short(patch, all, rows, from, step, len, pair, y0, y0.add(pitch));
                } else {
                    call.long(patch, all, rows, from, step, len, pair, y0, y0.add(pitch));
                }
            }
            if self.clamps {
                let (y0, y1) = y.get_mut(i * pitch..).and_then(|y| y.split_at_mut_checked(pitch)).unwrap_or_default();
                self.block.requant.clamp_narrow(cut_mut(y0, 0, n));
                self.block.requant.clamp_narrow(cut_mut(y1, 0, n));
            }
        }
        true
    }

    /// Nothing: the model of the instructions is that of single calls.
    #[cfg(not(all(upconv_backend = "dsp", target_arch = "arm")))]
    fn registers<T: Element, W: Element>(&self, _: &mut Patch, _: &[W], _: Run, _: &Pairs<'_, T>, _: &mut [T]) -> bool {
        false
    }
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
use asm::{outputs, sums, sxtab16};
#[cfg(not(all(upconv_backend = "dsp", target_arch = "arm")))]
use model::{outputs, sums, sxtab16};

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

    /// `sums += Σ x · w` of all pairs.
    pub(super) fn sums<W: Element, S: Accumulator>(patch: &Patch, w: &[W], run: Run, pairs: &mut [Pair<S>]) {
        if let Some(call) = Call::new(w, run, End::Sums, pairs.len() * BLOCK) {
            // SAFETY: there are sums of all pairs.
            unsafe { call.sums(patch, run.n, pairs.as_mut_ptr()) };
        }
    }

    /// The outputs of all pairs, which stay as they are.
    pub(super) fn outputs<W: Element, S: Accumulator>(
        patch: &Patch,
        w: &[W],
        run: Run,
        pairs: &[Pair<S>],
        end: End,
        y0: &mut [i8],
        y1: &mut [i8],
    ) {
        if y0.len().min(y1.len()) >= pairs.len() * BLOCK
            && let Some(call) = Call::new(w, run, end, pairs.len() * BLOCK)
        {
            // SAFETY: there are sums of all pairs, and room for their outputs.
            unsafe { call.outputs(patch, pairs.as_ptr(), y0.as_mut_ptr(), y1.as_mut_ptr()) };
        }
    }

    type Loop = unsafe extern "C" fn(*const Patch, usize, *const (), *mut (), usize, *const (), *mut i8, *mut i8);

    /// The products that are still to be added for some channels: checked weights, and the loops over them.
    #[derive(Clone, Copy)]
    pub(super) struct Call {
        sums: Loop,
        outputs: Loop,
        w: *const (),
        /// Values still to come, weights between those of one pair of channels and the next, in bytes, and pairs.
        n: usize,
        next: usize,
        pairs: usize,
        /// Of a weight.
        size: usize,
    }

    impl Call {
        /// `None` when there are too few weights, or no channels.
        pub(super) fn new<W: Element>(w: &[W], run: Run, end: End, channels: usize) -> Option<Self> {
            let pairs = channels / BLOCK;
            let size = size_of::<W>();
            let (sums, double, single): (Loop, Loop, Loop) =
                if size == 1 { (sums_i8, double_i8, single_i8) } else { (sums_i16, double_i16, single_i16) };
            let outputs = if end == End::Single { single } else { double };
            let fits = run.skip + run.n <= run.len && pairs * BLOCK * run.len <= w.len() && pairs > 0;
            let w = w.get(run.skip * BLOCK..)?.as_ptr().cast();
            fits.then_some(Call { sums, outputs, w, n: run.n, next: (run.len - run.n) * BLOCK * size, pairs, size })
        }

        /// Adds the products of n values; what is left to do.
        ///
        /// # Safety
        /// `sums` holds all pairs, with sums of 32 bits; the patch holds n values, no more than there are.
        pub(super) unsafe fn sums<S>(mut self, patch: &Patch, n: usize, sums: *mut Pair<S>) -> Self {
            // SAFETY: the weights are checked, the rest is the caller's.
            unsafe {
                let end = sums.add(self.pairs);
                let bytes = BLOCK * self.size;
                (self.sums)(patch, n, self.w, sums.cast(), self.next + (self.n - n) * bytes, end.cast(), ptr::null_mut(), ptr::null_mut());
                (self.w, self.n, self.next) = (self.w.byte_add(n * bytes), self.n - n, self.next + n * bytes);
            }
            self
        }

        /// The outputs after the products of all values left.
        ///
        /// # Safety
        /// `pairs` holds all pairs, with sums of 32 bits; the patch holds the values; `y0` and `y1` take BLOCK outputs of each pair.
        #[inline(always)]
        pub(super) unsafe fn outputs<S>(&self, patch: &Patch, pairs: *const Pair<S>, y0: *mut i8, y1: *mut i8) {
            // SAFETY: as above; this loop does not write the pairs.
            unsafe {
                let end = pairs.add(self.pairs);
                (self.outputs)(patch, self.n, self.w, pairs.cast_mut().cast(), self.next, end.cast(), y0, y1);
            }
        }
    }

    /// For two pixels whose values lie in rows of i8: at `from`, and `step` further on.
    impl Call {
        /// All values fit the patch.
        ///
        /// # Safety
        /// As for [`outputs`](Self::outputs), and every row holds the values.
        #[allow(clippy::too_many_arguments)]
        #[inline(always)]
        pub(super) unsafe fn short<T, S>(
            &self,
            patch: &mut Patch,
            pairs: &[Pair<S>],
            rows: &[&[T]],
            from: usize,
            step: usize,
            len: usize,
            pair: u32,
            y0: *mut i8,
            y1: *mut i8,
        ) {
            let mut to = patch.x.as_mut_ptr();
            for row in rows {
                // SAFETY: the patch has room for all rows.
                unsafe {
                    let x = row.as_ptr().cast::<i8>().add(from);
                    to = widen(to, x, x.add(step), len / 4, pair);
                }
            }
            // SAFETY: the caller's.
            unsafe { self.outputs(patch, pairs.as_ptr(), y0, y1) };
        }

        /// They do not; the sums of those before the last patch are kept beside.
        ///
        /// # Safety
        /// As above.
        #[allow(clippy::too_many_arguments)]
        #[inline(never)]
        pub(super) unsafe fn long<T, S: Copy>(
            &self,
            patch: &mut Patch,
            pairs: &[Pair<S>],
            rows: &[&[T]],
            from: usize,
            step: usize,
            len: usize,
            pair: u32,
            y0: *mut i8,
            y1: *mut i8,
        ) {
            let mut own: Vec<Pair<S>, { SUMS / BLOCK }> = Vec::new();
            let _ = own.extend_from_slice(pairs); // no more than SUMS channels
            let mut call = *self;
            let (mut to, mut room) = (patch.x.as_mut_ptr(), CHUNK);
            for row in rows {
                // SAFETY: the patch has room for CHUNK values, which are used up before it is filled again.
                unsafe {
                    let mut x = row.as_ptr().cast::<i8>().add(from);
                    let mut left = len;
                    while left > room {
                        widen(to, x, x.add(step), room / 4, pair);
                        call = call.sums(patch, CHUNK, own.as_mut_ptr());
                        (x, left, to, room) = (x.add(room), left - room, patch.x.as_mut_ptr(), CHUNK);
                    }
                    to = widen(to, x, x.add(step), left / 4, pair);
                    room -= left;
                }
            }
            // SAFETY: the caller's.
            unsafe { call.outputs(patch, own.as_ptr(), y0, y1) };
        }
    }

    /// `pair + x` of some quads of both pixels; the end of what it has written.
    ///
    /// # Safety
    /// `x0` and `x1` can be read, and `to` written, for so many quads.
    #[inline(always)]
    pub(super) unsafe fn widen(
        mut to: *mut [Quad; PIXELS],
        x0: *const i8,
        x1: *const i8,
        quads: usize,
        pair: u32,
    ) -> *mut [Quad; PIXELS] {
        if quads > 0 {
            // SAFETY: the caller has seen to the memory; the loop runs `quads` times.
            unsafe {
                asm!(
                    "2:",
                    "ldr {a}, [{x0}], #4",
                    "ldr {c}, [{x1}], #4",
                    "sxtab16 {b}, {pair}, {a}",
                    "sxtab16 {a}, {pair}, {a}, ror #8",
                    "sxtab16 {d}, {pair}, {c}",
                    "sxtab16 {c}, {pair}, {c}, ror #8",
                    "pkhbt {e}, {b}, {a}, lsl #16",
                    "pkhtb {a}, {a}, {b}, asr #16",
                    "strd {e}, {a}, [{to}], #8",
                    "pkhbt {e}, {d}, {c}, lsl #16",
                    "pkhtb {c}, {c}, {d}, asr #16",
                    "subs {quads}, {quads}, #1",
                    "strd {e}, {c}, [{to}], #8",
                    "bne 2b",
                    x0 = inout(reg) x0 => _, x1 = inout(reg) x1 => _, to = inout(reg) to, quads = inout(reg) quads => _,
                    pair = in(reg) pair, a = out(reg) _, b = out(reg) _, c = out(reg) _, d = out(reg) _, e = out(reg) _,
                    options(nostack),
                );
            }
        }
        to
    }

    /// Stamps the loop over pairs of channels: how weights are loaded, and what becomes of the sums.
    ///
    /// On the stack: x and n at 0 and 4, room for one word at 8; after twelve saved registers, from 48 on, the arguments `next`, `end`,
    /// y0 and y1.
    macro_rules! stamp {
        ($name:ident, $weights:tt, $end:tt) => {
            stamp!(@ $name, $weights $end);
        };
        (@ $name:ident,
            [save $save:literal restore $restore:literal load $($load:literal),+; one $one:literal]
            [$($end:literal),+]
        ) => {
            #[unsafe(naked)]
            unsafe extern "C" fn $name(
                x: *const Patch, n: usize, w: *const (), pairs: *mut (), next: usize, end: *const (), y0: *mut i8, y1: *mut i8,
            ) {
                naked_asm!(
                    // Four values: sums in r4 ..= r7 (channel, then pixel), values in r8 ..= r11, weights in lr and r12.
                    ".macro quad",
                    "ldmia r0!, {{r8-r11}}",
                    $($load,)+
                    "smlad r4, r8, lr, r4",
                    "smlad r5, r10, lr, r5",
                    "smlad r6, r8, r12, r6",
                    "smlad r7, r10, r12, r7",
                    $($load,)+
                    "smlad r4, r9, lr, r4",
                    "smlad r5, r11, lr, r5",
                    "smlad r6, r9, r12, r6",
                    "smlad r7, r11, r12, r7",
                    ".endm",
                    // One value, in one half of the registers a and b.
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
                    ".macro outputs round",
                    "ldmia r3!, {{r0, r1, r8-r11}}",
                    "\\round r4, r0, r8, r10",
                    "\\round r5, r0, r8, r10",
                    "\\round r6, r1, r9, r11",
                    "\\round r7, r1, r9, r11",
                    "ldrd r0, r1, [sp, #56]",
                    "strb r4, [r0], #1",
                    "strb r6, [r0], #1",
                    "strb r5, [r1], #1",
                    "strb r7, [r1], #1",
                    "strd r0, r1, [sp, #56]",
                    ".endm",

                    "push {{r0-r2, r4-r11, lr}}",
                    "2:", // a pair of channels
                    "ldmia r3!, {{r4-r7}}",
                    "ldrd r0, r1, [sp]",
                    $save,
                    "subs r1, r1, #8",
                    "blo 4f",
                    "3:",
                    "quad",
                    "quad",
                    "subs r1, r1, #8",
                    "bhs 3b",
                    "4:", // n mod 8: bit 2 into the carry, the rest into zero
                    "lsls r1, r1, #30",
                    "bcc 5f",
                    "quad",
                    "5:",
                    $restore,
                    "bne 7f",
                    "6:",
                    "ldr r12, [sp, #48]",
                    "add r2, r2, r12",
                    $($end,)+
                    "ldr r12, [sp, #52]",
                    "cmp r3, r12",
                    "bne 2b",
                    "pop {{r0-r2, r4-r11, pc}}",

                    "7:", // up to three values more: bit 31 of r1 is two of them, bit 30 one
                    "ldmia r0!, {{r8-r11}}",
                    "one b, r8, r10",
                    "cmp r1, #0",
                    "bpl 6b",
                    "one t, r8, r10",
                    "lsls r1, r1, #1",
                    "beq 6b",
                    "one b, r9, r11",
                    "b 6b",
                    ".purgem quad",
                    ".purgem one",
                    ".purgem double",
                    ".purgem single",
                    ".purgem outputs",
                )
            }
        };
    }

    macro_rules! weights {
        ($sums:ident $double:ident $single:ident: $load:tt) => {
            stamp!($sums, $load, ["sub r12, r3, #16", "stmia r12, {{r4-r7}}", "adds r3, r3, #24"]);
            stamp!($double, $load, ["outputs double"]);
            stamp!($single, $load, ["outputs single"]);
        };
    }
    weights!(sums_i8 double_i8 single_i8: [
        save "" restore ""
        load "ldr r12, [r2], #4", "sxtb16 lr, r12", "sxtb16 r12, r12, ror #8";
        one "ldrsb r12, [r2], #1"
    ]);
    weights!(sums_i16 double_i16 single_i16: [
        save "str r3, [sp, #8]" restore "ldr r3, [sp, #8]"
        load "ldr r3, [r2], #4", "ldr r12, [r2], #4", "pkhbt lr, r3, r12, lsl #16", "pkhtb r12, r12, r3, asr #16";
        one "ldrsh r12, [r2], #2"
    ]);
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

    /// `sums + Σ x · w` of one pair of channels.
    fn products<W: Element, S: Accumulator>(patch: &Patch, w: &[W], sums: [[S; PIXELS]; BLOCK]) -> [[i32; PIXELS]; BLOCK] {
        let mut acc = sums.map(|sums| sums.map(|sum| sum.to_i64() as i32));
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

    fn weights<W>(w: &[W], run: Run, pair: usize) -> &[W] {
        cut(w, (pair * run.len + run.skip) * BLOCK, run.n * BLOCK)
    }

    /// `sums += Σ x · w` of all pairs.
    pub(super) fn sums<W: Element, S: Accumulator>(patch: &Patch, w: &[W], run: Run, pairs: &mut [Pair<S>]) {
        for (i, pair) in pairs.iter_mut().enumerate() {
            let sums = products(patch, weights(w, run, i), pair.sums);
            pair.sums = sums.map(|sums| sums.map(|sum| S::from_i64(sum.into())));
        }
    }

    fn output(acc: i32, q: i32, h: i32, e: i32, end: End) -> i8 {
        let single = end == End::Single;
        let h = if single { h } else { h + (acc >> 31) };
        (smmla(acc << 1, q, h, !single) >> e).clamp(i8::MIN.into(), i8::MAX.into()) as i8
    }

    /// The outputs of all pairs, which stay as they are.
    pub(super) fn outputs<W: Element, S: Accumulator>(
        patch: &Patch,
        w: &[W],
        run: Run,
        pairs: &[Pair<S>],
        end: End,
        y0: &mut [i8],
        y1: &mut [i8],
    ) {
        for (i, pair) in pairs.iter().enumerate() {
            let acc = products(patch, weights(w, run, i), pair.sums);
            for (p, y) in [&mut *y0, &mut *y1].into_iter().enumerate() {
                for (c, acc) in acc.iter().enumerate() {
                    y[2 * i + c] = output(acc[p], pair.q[c], pair.h[c], pair.e[c], end);
                }
            }
        }
    }
}
