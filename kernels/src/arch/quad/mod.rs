//! The inner loops of cores without vectors: assembly that differs in [`isa`] alone.
//!
//! Four pixels and one channel at a time: each weight is widened once for four products, and one `LDM` brings the values of four pixels. With
//! the sums in registers to the end, requantisation of int8 outputs is part of the loop over channels:
//!
//! ```text
//! y = clamp8((((2 acc · q + 2^31) >> 32) + h + (acc < 0 ? −1 : 0)) >> e)  twice rounded, h = 2^(e−1) + zero · 2^e
//! y = clamp8(((2 acc · q >> 32) + h) >> e)                                once
//! ```
//!
//! which is TFLite's, for factors below 1/2 and sums below 2^30.

#[cfg_attr(upconv_backend = "armv6m", path = "armv6m.rs")]
#[cfg_attr(upconv_backend = "armv7m", path = "armv7m.rs")]
#[cfg_attr(upconv_backend = "riscv", path = "riscv.rs")]
#[cfg_attr(not(any(upconv_backend = "armv6m", upconv_backend = "armv7m", upconv_backend = "riscv")), path = "dsp.rs")]
mod isa;
#[cfg(any(upconv_backend = "armv6m", upconv_backend = "armv7m", upconv_backend = "riscv"))]
mod words;

#[cfg(not(any(upconv_backend = "armv6m", upconv_backend = "armv7m", upconv_backend = "riscv")))]
use super::portable;
use super::portable::{Block, Pixels, Run, each_group};
use crate::conv::SMALL;
use crate::quant::Accumulator;
use crate::rows::{cut, cut_mut};
use crate::{Element, Rounding};
use heapless::Vec;
pub(crate) use isa::Patch;

/// Output channels whose weights are interleaved; the order of packed weights follows it.
pub(crate) const BLOCK: usize = 1;
/// Output pixels computed at once.
pub(crate) const PIXELS: usize = 4;
pub(crate) use isa::{CHUNK, SUMS};

/// A channel: its sums, and q, h and e of the formulas above.
#[repr(C)]
#[derive(Clone, Copy)]
struct Channel<S> {
    sums: [S; PIXELS],
    q: i32,
    h: i32,
    e: i32,
}

/// How the loop over channels ends: with sums, or with outputs that are rounded as named.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Sums,
    Double,
    Single,
}

/// A block of channels before any product, and with the sums of a group of pixels that is not finished.
pub(crate) struct Job<'a, S, A> {
    pub(crate) block: &'a Block<'a, A>,
    channels: Vec<Channel<S>, SUMS>,
    begun: Vec<Channel<S>, SUMS>,
    /// How int8 outputs are made; as sums first where the formulas do not hold.
    end: End,
    /// They have a narrower range than their type.
    clamps: bool,
}

impl<'a, S: Accumulator, A: Accumulator> Job<'a, S, A> {
    /// [`portable::Job::new`]
    #[inline(always)]
    pub(crate) fn new(block: &'a Block<'a, A>) -> Self {
        Job { block, channels: Vec::new(), begun: Vec::new(), end: End::Sums, clamps: false }
    }

    /// [`portable::Job::start`]
    #[inline(never)]
    pub(crate) fn start<T: Element>(&mut self) {
        let block = self.block;
        self.channels.clear();
        self.clamps = block.requant.clamps::<T>();
        let mut fits = size_of::<T>() == 1 && size_of::<S>() == 4 && size_of::<A>() == 4 && block.largest <= SMALL;
        let mut bias = block.bias.iter();
        // One for each channel, or one again and again.
        for m in block.multipliers.iter().cycle().take(block.channels) {
            let e = -i32::from(m.shift());
            fits &= (1..=22).contains(&e) && m.q() > 0;
            // Bounds: |zero · 2^e| <= 2^29, 2^(e − 1) <= 2^21.
            let e = e & 31;
            let h = (1i32 << e >> 1).wrapping_add(block.requant.zero << e);
            let sums = [bias.next().map_or(S::default(), |bias| S::from_i64(bias.to_i64())); PIXELS];
            let _ = self.channels.push(Channel { sums, q: m.q(), h, e }); // there is room
        }
        if fits {
            self.end = if block.requant.rounding == Rounding::TfliteSingle { End::Single } else { End::Double };
        }
    }

    /// [`portable::Job::subtract`]
    pub(crate) fn subtract<W: Element>(&mut self, zero: i32, w: &[W], run: Run) {
        for (i, channel) in self.channels.iter_mut().enumerate() {
            for w in cut(w, i * run.len + run.skip, run.n) {
                channel.sums = channel.sums.map(|sum| sum.mac(-zero, w.to_i32()));
            }
        }
    }

    /// [`portable::Job::mac`]
    pub(crate) fn mac<W: Element>(&mut self, patch: &Patch, w: &[W], run: Run) {
        if self.begun.is_empty() {
            let _ = self.begun.extend_from_slice(&self.channels); // as many fit
        }
        if size_of::<S>() == 4 {
            if let Some(call) = Call::new(w, run, End::Sums, self.begun.len()) {
                // SAFETY: there are as many channels, and S has 32 bits.
                unsafe { call.sums(patch, run.n, self.begun.as_mut_ptr()) };
            }
            return;
        }
        for (i, channel) in self.begun.iter_mut().enumerate() {
            for (i, w) in cut(w, i * run.len + run.skip, run.n).iter().enumerate() {
                for (p, sum) in channel.sums.iter_mut().enumerate() {
                    // SAFETY: the patch holds the values that the run names.
                    *sum = sum.mac(unsafe { patch.get(p, i) }, w.to_i32());
                }
            }
        }
    }

    /// [`portable::Job::finish`]
    pub(crate) fn finish<T: Element, W: Element>(
        &mut self,
        patch: &Patch,
        w: &[W],
        run: Run,
        y: &mut [T],
        count: usize,
        pitch: usize,
    ) {
        let n = self.channels.len();
        if self.end == End::Sums {
            return self.by_sums(patch, w, run, y, count, pitch);
        }
        let all = (PIXELS - 1) * pitch + n;
        if let (PIXELS, Some(y)) = (count, bytes(y).filter(|y| y.len() >= all)) {
            self.outputs(patch, w, run, y, pitch);
        } else {
            // Pixels that do not exist are computed all the same.
            let mut own = [T::default(); PIXELS * SUMS];
            let own = cut_mut(&mut own, 0, PIXELS * n);
            if let Some(own) = bytes(own) {
                self.outputs(patch, w, run, own, n);
            }
            for (p, own) in own.chunks_exact(n.max(1)).take(count).enumerate() {
                cut_mut(y, p * pitch, n).iter_mut().zip(own).for_each(|(y, own)| *y = *own);
            }
        }
        self.clamp(y, count, pitch);
    }

    /// The outputs of PIXELS pixels.
    #[inline(always)]
    fn outputs<W: Element>(&mut self, patch: &Patch, w: &[W], run: Run, y: &mut [i8], pitch: usize) {
        let n = self.channels.len();
        if let Some(call) = Call::new(w, run, self.end, n)
            && (PIXELS - 1) * pitch + n <= y.len()
        {
            let channels = if self.begun.is_empty() { &self.channels } else { &self.begun };
            // SAFETY: there are as many channels, `end` says that S has 32 bits, and y has room.
            unsafe { call.outputs(patch, channels.as_ptr(), y.as_mut_ptr(), pitch) };
        }
        self.begun.clear();
    }

    /// The outputs that are not made in registers.
    #[inline(never)]
    fn by_sums<T: Element, W: Element>(
        &mut self,
        patch: &Patch,
        w: &[W],
        run: Run,
        y: &mut [T],
        count: usize,
        pitch: usize,
    ) {
        self.mac(patch, w, run);
        for p in 0..count {
            let sums = self.begun.iter().map(|channel| channel.sums.get(p).copied().unwrap_or_default());
            let y = cut_mut(y, p * pitch, self.channels.len());
            self.block.requant.all::<T, S, A>(sums, self.block.multipliers(0), y);
        }
        self.begun.clear();
    }

    #[inline(always)]
    fn clamp<T: Element>(&self, y: &mut [T], count: usize, pitch: usize) {
        if self.clamps {
            (0..count).for_each(|p| self.block.requant.clamp_narrow(cut_mut(y, p * pitch, self.channels.len())));
        }
    }

    /// [`portable::Job::groups`]
    pub(crate) fn groups<T: Element, W: Element>(
        &mut self,
        patch: &mut Patch,
        w: &[W],
        run: Run,
        pixels: &Pixels<'_, T>,
        y: &mut [T],
    ) {
        let &Pixels { count, rows, from, step, len, offset, to, pitch } = pixels;
        let n = self.channels.len();
        // All bounds are checked here, once; the loop over pixels has none.
        let last = (PIXELS * count).saturating_sub(1);
        let reads = from + last * step + len;
        let fits = self.end != End::Sums && len.is_multiple_of(4) && rows.len() * len == run.n;
        let fits = fits && rows.iter().all(|row| reads <= row.len());
        let call = Call::new(w, run, self.end, n).filter(|_| fits);
        let Some((call, out)) =
            call.zip(bytes(y).and_then(|y| y.get_mut(to..)).filter(|y| last * pitch + n <= y.len()))
        else {
            for i in (0..count).map(|i| PIXELS * i) {
                if !patch.fill_short(rows, from + i * step, step, len, offset) {
                    return each_group!(self, patch, w, run, pixels, y);
                }
                let y = y.get_mut(to + i * pitch..).unwrap_or_default();
                self.finish(patch, w, run, y, PIXELS, pitch);
            }
            return;
        };
        for i in (0..count).map(|i| PIXELS * i) {
            let group = Group { rows, from: from + i * step, step, len, offset };
            // SAFETY: every row has `len` values of PIXELS pixels from there on, and `out` room for n outputs of each.
            unsafe {
                let y = out.as_mut_ptr().add(i * pitch);
                if run.n <= CHUNK {
                    group.short(call, patch, self.channels.as_ptr(), y, pitch);
                } else {
                    self.begun.clear();
                    let _ = self.begun.extend_from_slice(&self.channels); // as many fit
                    group.long(call, patch, &mut self.begun, y, pitch);
                }
            }
        }
        self.begun.clear();
        for i in (0..count).map(|i| PIXELS * i) {
            self.clamp(y.get_mut(to + i * pitch..).unwrap_or_default(), PIXELS, pitch);
        }
    }
}

/// Values of a pixel that are brought together before they are widened.
const SHORT: usize = 32;

impl Patch {
    /// [`portable::Patch::around`](super::portable::Patch::around)
    #[inline(always)]
    pub(crate) fn around<T: Element>(&mut self, _: usize, _: &[T], _: isize, _: usize, _: usize, _: i32) -> bool {
        false
    }

    /// [`portable::Patch::fill_all`]
    pub(crate) fn fill_all<T: Element>(&mut self, at: usize, x: &[T], step: usize, len: usize, offset: i32) {
        let fits = (at | len).is_multiple_of(4) && at + len <= CHUNK && (PIXELS - 1) * step + len <= x.len();
        match (fits, size_of::<T>()) {
            // SAFETY: elements of one byte are i8, those of two i16, or transparent wrappers of these; the rest has been checked.
            (true, 1) => unsafe { isa::widen(self, at, x.as_ptr().cast(), step, len, offset) },
            (true, _) => unsafe { isa::widen_i16(self, at, x.as_ptr().cast(), step, len, offset) },
            _ => (0..PIXELS).for_each(|p| self.fill(p, at, cut(x, p * step, len), offset)),
        }
    }

    /// All values of some rows, if these are few: `len` of each, of all pixels, of which `rows[..][from..]` is the first.
    fn fill_short<T: Element>(&mut self, rows: &[&[T]], from: usize, step: usize, len: usize, offset: i32) -> bool {
        let n = rows.len() * len;
        if n > SHORT || len.is_multiple_of(4) {
            return false;
        }
        let mut line = [T::default(); PIXELS * SHORT];
        let whole = n.next_multiple_of(4);
        for (i, row) in rows.iter().enumerate() {
            for p in 0..PIXELS {
                let x = cut(row, from + p * step, len);
                cut_mut(&mut line, p * whole + i * len, len).iter_mut().zip(x).for_each(|(to, x)| *to = *x);
            }
        }
        self.fill_all(0, &line, whole, whole, offset);
        true
    }
}

/// The values of PIXELS pixels in rows of i8: at `from`, and `step` further on.
struct Group<'a, T> {
    rows: &'a [&'a [T]],
    from: usize,
    step: usize,
    len: usize,
    offset: i32,
}

impl<T> Group<'_, T> {
    /// The outputs of all channels; all values fit the patch.
    ///
    /// # Safety
    /// As for [`Call::outputs`]; T has 8 bits, and every row has the values, a multiple of 4.
    #[inline(always)]
    unsafe fn short<S>(&self, call: Call, patch: &mut Patch, channels: *const Channel<S>, y: *mut i8, pitch: usize) {
        let mut at = 0;
        for row in self.rows {
            // SAFETY: the patch has room for all rows.
            unsafe {
                isa::widen(patch, at, row.as_ptr().cast::<i8>().add(self.from), self.step, self.len, self.offset)
            };
            at += self.len;
        }
        // SAFETY: the caller's.
        unsafe { call.outputs(patch, channels, y, pitch) };
    }

    /// They do not: the channels take the sums of those before the last patch.
    ///
    /// # Safety
    /// As above.
    #[inline(never)]
    unsafe fn long<S>(&self, mut call: Call, patch: &mut Patch, channels: &mut [Channel<S>], y: *mut i8, pitch: usize) {
        let mut at = 0;
        for row in self.rows {
            // SAFETY: the patch has room for CHUNK values, which are used up before it is filled again.
            unsafe {
                let mut x = row.as_ptr().cast::<i8>().add(self.from);
                let mut left = self.len;
                while left > 0 {
                    if at == CHUNK {
                        call = call.sums(patch, CHUNK, channels.as_mut_ptr());
                        at = 0;
                    }
                    let part = left.min(CHUNK - at);
                    isa::widen(patch, at, x, self.step, part, self.offset);
                    (x, left, at) = (x.add(part), left - part, at + part);
                }
            }
        }
        // SAFETY: the caller's.
        unsafe { call.outputs(patch, channels.as_ptr(), y, pitch) };
    }
}

/// A loop over channels: x, n, w, channels, weights between those of two channels in bytes, end of the channels, y, pitch.
type Loop = unsafe extern "C" fn(*const Patch, usize, *const (), *mut (), usize, *const (), *mut i8, usize);

/// The products that are still to be added for some channels: checked weights, and the loops over them.
#[derive(Clone, Copy)]
struct Call {
    sums: Loop,
    outputs: Loop,
    w: *const (),
    /// Values still to come, and weights between those of one channel and the next, in bytes.
    n: usize,
    next: usize,
    channels: usize,
    /// Of a weight.
    size: usize,
}

impl Call {
    /// `None` when there are too few weights, or no channels.
    #[inline(always)]
    fn new<W: Element>(w: &[W], run: Run, end: End, channels: usize) -> Option<Self> {
        let size = size_of::<W>();
        let [sums, double, single] = if size == 1 { isa::I8 } else { isa::I16 };
        let outputs = if end == End::Single { single } else { double };
        let fits = run.skip + run.n <= run.len && channels * run.len <= w.len() && channels > 0;
        let w = w.get(run.skip..)?.as_ptr().cast();
        fits.then_some(Call { sums, outputs, w, n: run.n, next: (run.len - run.n) * size, channels, size })
    }

    /// Adds the products of n values; what is left to do.
    ///
    /// # Safety
    /// `channels` holds all, with sums of 32 bits; the patch holds n values, no more than there are.
    unsafe fn sums<S>(mut self, patch: &Patch, n: usize, channels: *mut Channel<S>) -> Self {
        // SAFETY: the weights are checked, the rest is the caller's.
        unsafe {
            let end = channels.add(self.channels).cast();
            let next = self.next + (self.n - n) * self.size;
            (self.sums)(patch, n, self.w, channels.cast(), next, end, core::ptr::null_mut(), 0);
            (self.w, self.n, self.next) = (self.w.byte_add(n * self.size), self.n - n, self.next + n * self.size);
        }
        self
    }

    /// The outputs after the products of all values left.
    ///
    /// # Safety
    /// `channels` holds all, with sums of 32 bits; the patch holds the values; y takes an output of each channel, at four pixels.
    #[inline(always)]
    unsafe fn outputs<S>(&self, patch: &Patch, channels: *const Channel<S>, y: *mut i8, pitch: usize) {
        // SAFETY: as above; this loop does not write the channels.
        unsafe {
            let end = channels.add(self.channels).cast();
            (self.outputs)(patch, self.n, self.w, channels.cast_mut().cast(), self.next, end, y, pitch);
        }
    }
}

/// Elements of 8 bits as what they are.
#[inline(always)]
fn bytes<T: Element>(y: &mut [T]) -> Option<&mut [i8]> {
    // SAFETY: every element of one byte is an i8, or a transparent wrapper of one.
    (size_of::<T>() == 1).then(|| unsafe { core::slice::from_raw_parts_mut(y.as_mut_ptr().cast(), y.len()) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::portable;
    use crate::{Activation, Multiplier, Quant};

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

    fn outputs_are_those_of_the_portable_loops<T: Element, W: Element>() {
        let mut random = Random(7);
        for case in 0..if cfg!(miri) { 20 } else { 400 } {
            let (channels, rows, taps) = (1 + random.below(SUMS), 1 + random.below(3), 1 + random.below(3));
            let (c, count, stride) = (1 + random.below(30), 1 + random.below(2), 1 + random.below(2));
            let n = rows * taps * c;
            let (skip, behind) = (random.below(5), random.below(5));
            let run = Run { n, len: skip + n + behind, skip };
            let width = (PIXELS * count - 1) * stride + taps;
            let x: std::vec::Vec<T> = (0..rows * width * c).map(|_| random.element()).collect();
            let w: std::vec::Vec<W> = (0..channels * run.len).map(|_| random.element()).collect();
            let bias: std::vec::Vec<i32> = (0..channels).map(|_| random.below(2001) as i32 - 1000).collect();
            let factor = if case % 5 == 0 { 1.5 } else { 0.004 };
            let factors = (0..channels).map(|_| factor * (1.0 + random.below(100) as f64 / 100.0));
            let multipliers: std::vec::Vec<_> = factors.map(|m| Multiplier::from_real(m).unwrap()).collect();
            let rounding = if case % 2 == 0 { Rounding::TfliteDouble } else { Rounding::TfliteSingle };
            let y = Quant::new(1.0, random.below(256) as i32 - 128);
            let activation = if case % 3 == 0 { Activation::Relu } else { Activation::None };
            let requant = crate::quant::Requant::new(rounding, y.zero, activation.range::<T>(y));
            let block = Block { channels, bias: &bias, multipliers: &multipliers, requant, largest: 1 << 28 };
            let lines: std::vec::Vec<_> = x.chunks(width * c).collect();
            let pitch = channels + random.below(3);
            let zero = if T::MAX > 127 { 0 } else { random.below(256) as i32 - 128 };
            let pixels = Pixels {
                count,
                rows: &lines,
                from: 0,
                step: stride * c,
                len: taps * c,
                offset: zero,
                to: random.below(3),
                pitch,
            };
            let size = pixels.to + PIXELS * count * pitch;
            let (mut ours, mut theirs) = (vec![T::default(); size], vec![T::default(); size]);
            let mut job = Job::<i32, i32>::new(&block);
            job.start::<T>();
            job.groups(&mut Patch::new(), &w, run, &pixels, &mut ours);
            let mut job = portable::Job::<i32, i32>::new(&block);
            job.start::<T>();
            assert_eq!(PIXELS, portable::PIXELS);
            job.groups(&mut portable::Patch::new(), &interleave(&w, run.len), run, &pixels, &mut theirs);
            assert!(ours == theirs, "case {case}: {channels} channels of {n} values");
        }
    }

    #[test]
    fn int8() {
        outputs_are_those_of_the_portable_loops::<i8, i8>();
        outputs_are_those_of_the_portable_loops::<i8, i16>();
    }

    #[test]
    fn int16() {
        outputs_are_those_of_the_portable_loops::<i16, i8>();
    }
}
