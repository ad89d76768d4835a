//! Cortex-M55 and M85: Helium, assembly that lies in [`isa`] alone.
//!
//! Nothing is widened: `VMLADAVA.S8` multiplies 16 inputs and weights as they are. So a patch holds raw values, pixel after pixel, the zero point
//! comes off the sums beforehand (`VADDVA`), and where the values of a pixel lie side by side they are read in place. Four
//! pixels and one channel at a time:
//!
//! ```text
//! sixteen weights, sixteen values of four pixels        5 VLDRB
//! sums[p] += x[p] · w                                   4 VMLADAVA
//! and again, the last ones by tail predication          1 LETP
//! ```
//!
//! 10 instructions for 64 products; 16, 32, 64 and 128 int8 values have loops of their own, without an inner one: 9. The sums of four pixels are then one vector, whose outputs are, with e > 0,
//!
//! ```text
//! y = clamp((((2 acc · q + 2^31) >> 32) + (acc < 0 ? −1 : 0) + 2^(e−1)) >> e) + zero      twice rounded
//! y = clamp(((2 acc · q >> 32) + 2^(e−1)) >> e) + zero                                    once
//! ```
//!
//! The first is TFLite's, whose shift rounds ties away from zero: the inner quotient x has the sign of acc or is 0, and both
//! `0 + 2^(e−1)` and `−1 + 2^(e−1)` become 0. The second is one division by 2^(31 + e), because the quotient of a quotient, rounded down, is the
//! quotient. Bounds: q is in [0, 2^31), so |x| <= 2^31 − 1 but for acc = −2^31 at most 2^31; x − 1 >= −2^31 there, too, as
//! q <= 2^31 − 1. The sum with 2^(e−1) is not cut to 32 bits by `VRSHL`. So they hold for any sum.

mod isa;

use super::portable::{self, Block, Pixel, Pixels, Run, any_group, groups};
use crate::quant::{Accumulator, Multiplier};
use crate::rows::{cut, cut_mut};
use crate::{Element, Rounding};
use core::mem::MaybeUninit;
use core::ptr::{null, null_mut};

/// Output channels whose weights are interleaved; the order of packed weights follows it.
pub(crate) const BLOCK: usize = 1;
/// Output pixels computed at once.
pub(crate) const PIXELS: usize = 4;
/// Output channels whose sums are held at once.
pub(crate) const SUMS: usize = 32;
/// So many channels have pixels outside the input one by one: none.
pub(crate) const DIRECT: usize = 0;
/// Values of a patch.
const CHUNK: usize = 256;

/// A pixel's inputs in the order of their weights, as they are.
#[repr(C, align(4))]
struct Line([MaybeUninit<u8>; 2 * CHUNK]);

/// The inputs of four pixels.
pub(crate) struct Patch {
    x: [Line; PIXELS],
}

impl Patch {
    pub(crate) fn new() -> Self {
        Patch { x: [const { Line([MaybeUninit::uninit(); 2 * CHUNK]) }; PIXELS] }
    }

    /// What is subtracted from an input: nothing.
    #[inline(always)]
    #[allow(clippy::extra_unused_type_parameters)] // other backends ask it
    pub(crate) const fn offset<T: Element>(_: i32) -> i32 {
        0
    }

    /// [`portable::Patch::fill`](super::portable::Patch::fill)
    pub(crate) fn fill<T: Element>(&mut self, p: usize, at: usize, x: &[T], _: i32) {
        let x = x.get(..CHUNK.saturating_sub(at)).unwrap_or(x);
        if let Some(Line(line)) = self.x.get_mut(p) {
            // SAFETY: an element is an i8 or i16, or a transparent wrapper of one; there is room for CHUNK of them.
            unsafe { line.as_mut_ptr().cast::<T>().add(at).copy_from_nonoverlapping(x.as_ptr(), x.len()) };
        }
    }

    /// [`portable::Patch::fill_all`](super::portable::Patch::fill_all)
    pub(crate) fn fill_all<T: Element>(&mut self, at: usize, x: &[T], step: usize, len: usize, offset: i32) {
        if at + len <= CHUNK && (PIXELS - 1) * step + len <= x.len() {
            // SAFETY: just checked.
            unsafe { self.copy(at, x.as_ptr(), step, len) };
        } else {
            (0..PIXELS).for_each(|p| self.fill(p, at, cut(x, p * step, len), offset));
        }
    }

    /// # Safety
    /// The inputs can be read, and the patch has room.
    #[inline(always)]
    unsafe fn copy<T: Element>(&mut self, at: usize, x: *const T, step: usize, len: usize) {
        let size = size_of::<T>();
        // SAFETY: the caller's.
        unsafe { isa::copy(self.x.as_mut_ptr().cast::<T>().add(at).cast(), x.cast(), step * size, len * size) };
    }

    /// Value `at` of pixel `p`, of `size` bytes.
    ///
    /// # Safety
    /// It has been filled.
    unsafe fn get(&self, size: usize, p: usize, at: usize) -> i32 {
        let x = self.x.get(p).and_then(|line| line.0.get(at * size..)?.get(..size));
        // SAFETY: the caller's; lines are aligned.
        x.map_or(0, |x| unsafe {
            if size == 1 { (*x.as_ptr().cast::<i8>()).into() } else { (*x.as_ptr().cast::<i16>()).into() }
        })
    }
}

/// A channel: its sums, and q, −e and zero of the formulas above.
#[repr(C)]
#[derive(Clone, Copy)]
struct Channel<S> {
    sums: [S; PIXELS],
    q: i32,
    shift: i32,
    zero: i32,
}

/// How the loop over channels ends: with sums, or with outputs that are rounded as named.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Sums,
    Double,
    Single,
}

/// A block of channels.
pub(crate) struct Job<'a, S, A> {
    pub(crate) block: &'a Block<'a, A>,
    /// The first `count`; beside the count, as a vector that is empty at compile time is all zeros, uselessly.
    channels: [MaybeUninit<Channel<S>>; SUMS],
    count: usize,
    /// Their sums before any product, while a group of pixels is begun and not finished.
    before: [MaybeUninit<S>; SUMS],
    begun: bool,
    /// Whether the sums are still to be set to the biases.
    stale: bool,
    /// How outputs are made; from sums where the formulas do not hold.
    end: End,
    /// Bytes of an input.
    size: usize,
}

impl<'a, S: Accumulator, A: Accumulator> Job<'a, S, A> {
    /// [`portable::Job::new`](super::portable::Job::new)
    #[inline(always)]
    pub(crate) fn new(block: &'a Block<'a, A>) -> Self {
        let (channels, before) = ([const { MaybeUninit::uninit() }; SUMS], [const { MaybeUninit::uninit() }; SUMS]);
        Job { block, channels, count: 0, before, begun: false, stale: false, end: End::Sums, size: 1 }
    }

    #[inline(always)]
    fn channels(&self) -> &[Channel<S>] {
        // SAFETY: the first ones are written before they are counted, no more than SUMS.
        unsafe { core::slice::from_raw_parts(self.channels.as_ptr().cast(), self.count) }
    }

    #[inline(always)]
    fn channels_mut(&mut self) -> &mut [Channel<S>] {
        // SAFETY: as above.
        unsafe { core::slice::from_raw_parts_mut(self.channels.as_mut_ptr().cast(), self.count) }
    }

    /// [`portable::Job::start`](super::portable::Job::start)
    #[inline(always)]
    pub(crate) fn start<T: Element>(&mut self) {
        if self.count == 0 {
            self.factors::<T>();
        }
        self.stale = true;
    }

    /// What is the same in every phase.
    #[inline(never)]
    fn factors<T: Element>(&mut self) {
        let block = self.block;
        self.size = size_of::<T>();
        self.count = block.channels.min(SUMS);
        let (wide, zero) = (size_of::<A>() == 8, block.requant.zero);
        let mut highest = -1;
        let mut factor = |channel: &mut MaybeUninit<Channel<S>>, m: &Multiplier| {
            // Tflite16x8 is single rounding by the upper half of q. A product of 0 is 0 by any shift.
            let q = if wide { m.q().saturating_add(1 << 15).min(0x7FFF_0000) & !0xFFFF } else { m.q() };
            let shift = if q == 0 { -1 } else { m.shift().into() };
            highest = shift.max(highest);
            channel.write(Channel { sums: [S::default(); PIXELS], q, shift, zero });
        };
        let channels = self.channels.iter_mut().take(self.count);
        match block.multipliers {
            all if all.len() >= self.count => channels.zip(all).for_each(|(channel, m)| factor(channel, m)),
            _ => channels.zip(block.multipliers(0)).for_each(|(channel, m)| factor(channel, &m)),
        }
        self.end = match block.requant.rounding {
            _ if size_of::<S>() != 4 || highest >= 0 => End::Sums,
            Rounding::TfliteDouble => End::Double,
            _ => End::Single,
        };
    }

    /// Sets the sums to the biases, if they are not.
    #[inline(always)]
    fn fresh(&mut self) {
        if self.stale {
            self.biases();
        }
    }

    #[inline(never)]
    fn biases(&mut self) {
        let block = self.block;
        for (c, channel) in self.channels_mut().iter_mut().enumerate() {
            channel.sums = [block.bias(c); PIXELS];
        }
        self.stale = false;
    }

    /// [`portable::Job::subtract`](super::portable::Job::subtract)
    #[inline(never)]
    pub(crate) fn subtract<W: Element>(&mut self, zero: i32, w: &[W], run: Run) {
        if size_of::<S>() == 4 {
            let n = self.count;
            let own = !self.stale || size_of::<A>() != 4 || self.block.bias.len() < n;
            if own {
                self.fresh();
            }
            let first = self.channels_mut().as_mut_ptr();
            if let Some(mut call) = Call::new(1, first, n, w, run) {
                // All sums of a channel are the same before any product.
                let (from, step) = if own {
                    (first.cast_const().cast(), size_of::<Channel<S>>())
                } else {
                    (self.block.bias.as_ptr().cast(), 4)
                };
                (call.x, call.hop, call.low) = ([from; PIXELS], step, zero);
                // SAFETY: there are n weights of each channel and as many biases, and S has 32 bits.
                unsafe { isa::subtract(size_of::<W>())(&mut call) };
                self.stale = false;
            }
            return;
        }
        self.fresh();
        for (i, channel) in self.channels_mut().iter_mut().enumerate() {
            for w in cut(w, i * run.len + run.skip, run.n) {
                channel.sums = channel.sums.map(|sum| sum.mac(-zero, w.to_i32()));
            }
        }
    }

    /// [`portable::Job::mac`](super::portable::Job::mac)
    fn mac<W: Element>(&mut self, patch: &Patch, w: &[W], run: Run) {
        self.fresh();
        let size = self.size;
        if !self.begun {
            // SAFETY: as for `channels`.
            let channels =
                unsafe { core::slice::from_raw_parts(self.channels.as_ptr().cast::<Channel<S>>(), self.count) };
            for (before, &Channel { sums: [sum, ..], .. }) in self.before.iter_mut().zip(channels) {
                before.write(sum);
            }
            self.begun = true;
        }
        if size_of::<S>() == 4 {
            if let Some(mut call) = Call::new(size, self.channels_mut().as_mut_ptr(), self.count, w, run) {
                call.read(patch);
                // SAFETY: the patch holds n values, there are n weights of each channel, and S has 32 bits.
                unsafe { isa::pick(size, size_of::<W>(), End::Sums, run.n)(&mut call) };
            }
            return;
        }
        for (i, channel) in self.channels_mut().iter_mut().enumerate() {
            for (i, w) in cut(w, i * run.len + run.skip, run.n).iter().enumerate() {
                for (p, sum) in channel.sums.iter_mut().enumerate() {
                    // SAFETY: the patch holds the values that the run names.
                    *sum = sum.mac(unsafe { patch.get(size, p, i) }, w.to_i32());
                }
            }
        }
    }

    /// The next group begins.
    #[inline(always)]
    fn finished(&mut self) {
        if self.begun {
            self.again();
        }
    }

    #[inline(never)]
    fn again(&mut self) {
        let before = self.before;
        for (channel, before) in self.channels_mut().iter_mut().zip(before) {
            // SAFETY: each channel's has been written.
            channel.sums = [unsafe { before.assume_init() }; PIXELS];
        }
        self.begun = false;
    }

    /// [`portable::Job::finish`](super::portable::Job::finish)
    #[inline(never)]
    fn finish<T: Element, W: Element>(&mut self, patch: &Patch, w: &[W], run: Run, y: &mut [T], pitch: usize) {
        self.fresh();
        let n = self.count;
        if self.end == End::Sums {
            return self.by_sums(patch, w, run, y, pitch);
        }
        let Some(mut call) = self.outputs(w, run) else { return };
        call.read(patch);
        if (PIXELS - 1) * pitch + n <= y.len() {
            call.write(y.as_mut_ptr(), pitch);
            // SAFETY: the patch holds n values, there are n weights of each channel, and room for all outputs.
            unsafe { isa::pick(size_of::<T>(), size_of::<W>(), self.end, run.n)(&mut call) };
        }
        self.finished();
    }

    /// The outputs that are not made in registers.
    #[inline(never)]
    fn by_sums<T: Element, W: Element>(&mut self, patch: &Patch, w: &[W], run: Run, y: &mut [T], pitch: usize) {
        self.mac(patch, w, run);
        for p in 0..PIXELS {
            let sums = self.channels().iter().map(|channel| channel.sums.get(p).copied().unwrap_or_default());
            let y = cut_mut(y, p * pitch, self.count);
            self.block.requant.all::<T, S, A>(sums, self.block.multipliers(0), y);
        }
        self.finished();
    }

    /// [`portable::Job::groups`](super::portable::Job::groups)
    #[inline(never)]
    pub(crate) fn groups<T: Element, W: Element>(
        &mut self,
        patch: &mut Patch,
        w: &[W],
        run: Run,
        pixels: &Pixels<'_, T>,
        y: &mut [T],
    ) {
        self.fresh();
        let &Pixels { count, rows, step, len, to, pitch, .. } = pixels;
        let n = self.count;
        // All bounds are checked here, once; the loop over pixels has none.
        let last = count.saturating_sub(1);
        let fits = self.end != End::Sums
            && count >= PIXELS
            && rows.len() * len == run.n
            && (rows.len() == 1 || run.n * size_of::<T>() <= size_of::<Line>());
        if !fits || to + last * pitch + n > y.len() {
            return groups(count).for_each(|i| self.any(patch, w, run, pixels, y, i));
        }
        // Those at the ends, as far as their values do not lie inside.
        let (mut first, mut end) = (0, count);
        while end - first >= PIXELS && pixels.first(first) < 0 {
            self.any(patch, w, run, pixels, y, first);
            first += PIXELS;
        }
        while end - first >= PIXELS && pixels.first(end - PIXELS) > pixels.last() {
            end -= PIXELS;
            self.any(patch, w, run, pixels, y, end);
        }
        if first == end {
            return;
        }
        if end - first < PIXELS {
            return self.any(patch, w, run, pixels, y, first.min(count - PIXELS));
        }
        let (to, count, from) = (to + first * pitch, end - first, pixels.first(first) as usize);
        let out = y.get_mut(to..).unwrap_or_default();
        let Some(mut call) = self.outputs(w, run) else { return };
        call.write(out.as_mut_ptr(), pitch);
        let outputs = isa::pick(size_of::<T>(), size_of::<W>(), self.end, run.n);
        // SAFETY: every row has `len` values of all pixels from there on, weights and room for outputs have been checked.
        unsafe {
            if let [row] = rows {
                // Whole groups, then one more over the last of them.
                let over = usize::from(!count.is_multiple_of(PIXELS));
                for (first, groups) in [(0, count / PIXELS), (count - PIXELS, over)] {
                    if groups > 0 {
                        let mut call = call;
                        call.x = core::array::from_fn(|p| row.as_ptr().add(from + (first + p) * step).cast());
                        (call.groups, call.hop) = (groups, PIXELS * step * size_of::<T>());
                        call.y = out.as_mut_ptr().add(first * pitch).cast();
                        outputs(&mut call);
                    }
                }
                return;
            }
            for i in groups(count) {
                let mut at = 0;
                for row in rows {
                    patch.copy(at, row.as_ptr().add(from + i * step), step, len);
                    at += len;
                }
                call.read(patch);
                call.y = out.as_mut_ptr().add(i * pitch).cast();
                outputs(&mut call);
            }
        }
    }

    /// [`portable::Job::pixel`]
    pub(crate) fn pixel<T: Element, W: Element>(&mut self, w: &[W], run: Run, one: &Pixel<'_, T>, y: &mut [T]) {
        portable::pixel::<T, W, S, A, BLOCK>(self.block, w, run, one, y)
    }

    /// A group whose values do not fit a patch or lie outside, or whose outputs are not made in registers.
    #[inline(never)]
    fn any<T: Element, W: Element>(
        &mut self,
        patch: &mut Patch,
        w: &[W],
        run: Run,
        pixels: &Pixels<'_, T>,
        y: &mut [T],
        i: usize,
    ) {
        any_group!(self, patch, w, run, pixels, y, i)
    }

    /// The products of n values and their outputs, without inputs and places; `None` when there are too few weights, or no channels.
    #[inline(always)]
    fn outputs<W: Element>(&self, w: &[W], run: Run) -> Option<Call> {
        let channels = self.channels();
        // Written by none but the loop that ends with sums.
        let mut call = Call::new(self.size, channels.as_ptr().cast_mut(), channels.len(), w, run)?;
        (call.low, call.high) = (self.block.requant.low, self.block.requant.high);
        Some(call)
    }
}

/// What a loop over channels works on; the order is that in which it loads them.
#[repr(C)]
#[derive(Clone, Copy)]
struct Call {
    /// The values of each pixel, and how many there are.
    x: [*const (); PIXELS],
    n: usize,
    w: *const (),
    y: *mut (),
    end: *const (),
    channels: *mut (),
    /// Bytes to the weights of the next channel from where those of this one have been read to.
    next: usize,
    /// Groups of pixels, bytes between the values of a pixel and those of the same in the next group, and from the end of the first
    /// pixel's outputs to those of the next group.
    hop: usize,
    leap: usize,
    groups: usize,
    /// Bytes between the outputs of two pixels.
    pitch: usize,
    low: i32,
    high: i32,
    /// Of channels.
    count: usize,
}

impl Call {
    /// The products of n values and their weights, without places; `None` when there are too few weights, or no channels.
    #[inline(always)]
    fn new<S, W: Element>(x: usize, first: *mut Channel<S>, channels: usize, w: &[W], run: Run) -> Option<Self> {
        let size = size_of::<W>();
        let lanes = if x == 1 && size == 1 { 16 } else { 8 };
        let fits = run.skip + run.n <= run.len && channels * run.len <= w.len() && channels > 0;
        fits.then_some(Call {
            x: [null(); PIXELS],
            n: run.n,
            w: w.get(run.skip..)?.as_ptr().cast(),
            y: null_mut(),
            end: first.wrapping_add(channels).cast(),
            channels: first.cast(),
            // The loop has passed over whole vectors.
            next: (run.len * size).wrapping_sub(run.n.next_multiple_of(lanes) * size),
            hop: 0,
            leap: 0,
            groups: 1,
            pitch: 0,
            low: 0,
            high: 0,
            count: channels,
        })
    }

    #[inline(always)]
    fn read(&mut self, patch: &Patch) {
        self.x = core::array::from_fn(|p| patch.x.as_ptr().wrapping_add(p).cast());
    }

    #[inline(always)]
    fn write<T>(&mut self, y: *mut T, pitch: usize) {
        (self.y, self.pitch) = (y.cast(), pitch * size_of::<T>());
        self.leap = (PIXELS * self.pitch).wrapping_sub(self.count * size_of::<T>());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::portable;
    use crate::{Activation, Quant};

    /// Weights of channels one after another in the order of the portable loops.
    fn interleave<W: Copy>(w: &[W], len: usize) -> std::vec::Vec<W> {
        let blocks = w.chunks(portable::BLOCK * len);
        blocks.flat_map(|block| (0..len).flat_map(move |i| block.iter().skip(i).step_by(len).copied())).collect()
    }

    struct Random(u64);

    impl Random {
        fn below(&mut self, n: usize) -> usize {
            self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            ((self.0 >> 33) as usize) % n
        }

        fn element<T: Element>(&mut self) -> T {
            T::from_i32(self.below((T::MAX - T::MIN + 1) as usize) as i32 + T::MIN)
        }
    }

    fn outputs_are_those_of_the_portable_loops<T: Element, W: Element, A: Accumulator>() {
        let mut random = Random(7);
        for case in 0..if cfg!(miri) { 20 } else { 400 } {
            let (channels, rows, taps) = (1 + random.below(portable::SUMS), 1 + random.below(3), 1 + random.below(3));
            let c = if case % 7 == 0 { 100 } else { 1 + random.below(40) };
            let (count, stride) = (PIXELS + random.below(7), 1 + random.below(2));
            let n = rows * taps * c;
            let (skip, behind) = (random.below(5), random.below(5));
            let run = Run { n, len: skip + n + behind, skip };
            let width = (count - 1) * stride + taps;
            let x: std::vec::Vec<T> = (0..rows * width * c).map(|_| random.element()).collect();
            let w: std::vec::Vec<W> = (0..channels * run.len).map(|_| random.element()).collect();
            let bias =
                (0..channels * usize::from(case % 9 != 0)).map(|_| A::from_i64(random.below(2001) as i64 - 1000));
            let bias: std::vec::Vec<A> = bias.collect();
            let factor = if case % 5 == 0 { 1.5 } else { 0.004 };
            let factors = (0..channels).map(|_| factor * (1.0 + random.below(100) as f64 / 100.0));
            let multipliers: std::vec::Vec<_> = factors.map(|m| Multiplier::from_real(m).unwrap()).collect();
            let rounding = match case % 2 {
                _ if size_of::<A>() == 8 => Rounding::Tflite16x8,
                0 => Rounding::TfliteDouble,
                _ => Rounding::TfliteSingle,
            };
            let y = Quant::new(1.0, random.below(256) as i32 - 128);
            let activation = if case % 3 == 0 { Activation::Relu } else { Activation::None };
            let requant = crate::quant::Requant::new(rounding, y.zero, activation.range::<T>(y));
            let block = Block { channels, bias: &bias, multipliers: &multipliers, requant, largest: 1 << 30 };
            let lines: std::vec::Vec<_> = x.chunks(width * c).collect();
            let pitch = channels + random.below(3);
            let zero = random.below(256) as i32 - 128;
            let pixels = Pixels {
                count,
                rows: &lines,
                from: 0,
                step: stride * c,
                len: taps * c,
                zero: 0,
                to: random.below(3),
                pitch,
            };
            let size = pixels.to + count * pitch;
            let (mut ours, mut theirs) = (vec![T::default(); size], vec![T::default(); size]);
            let mut job = Job::<i32, A>::new(&block);
            // As in an earlier phase.
            job.start::<T>();
            job.subtract(zero, &w, Run { n: 0, ..run });
            job.start::<T>();
            job.subtract(zero, &w, run);
            job.groups(&mut Patch::new(), &w, run, &pixels, &mut ours);
            let mut job = portable::Job::<i32, A>::new(&block);
            job.start::<T>();
            job.subtract(zero, &interleave(&w, run.len), run);
            assert_eq!(PIXELS, portable::PIXELS);
            job.groups(&mut portable::Patch::new(), &interleave(&w, run.len), run, &pixels, &mut theirs);
            assert!(ours == theirs, "case {case}: {channels} channels of {n} values");
        }
    }

    #[test]
    fn int8() {
        outputs_are_those_of_the_portable_loops::<i8, i8, i32>();
        outputs_are_those_of_the_portable_loops::<i8, i16, i32>();
    }

    #[test]
    fn int16() {
        outputs_are_those_of_the_portable_loops::<i16, i8, i32>();
        outputs_are_those_of_the_portable_loops::<i16, i8, i64>();
        outputs_are_those_of_the_portable_loops::<i16, i16, i32>();
    }
}
