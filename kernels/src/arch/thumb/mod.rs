//! The inner loops of the Arm cores without Helium: assembly that is told apart by [`isa`] alone.
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

#[cfg_attr(any(upconv_backend = "armv6m", upconv_backend = "armv7m"), path = "plain.rs")]
#[cfg_attr(not(any(upconv_backend = "armv6m", upconv_backend = "armv7m")), path = "dsp.rs")]
mod isa;

use super::portable::{self, Block, Pixels, Run, each_group};
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

/// A block of channels and its sums.
#[derive(Clone)]
pub(crate) struct Job<'a, S, A> {
    pub(crate) block: &'a Block<'a, A>,
    channels: Vec<Channel<S>, SUMS>,
    /// How int8 outputs are made; as sums first where the formulas do not hold.
    end: End,
    /// They have a narrower range than their type.
    clamps: bool,
}

impl<'a, S: Accumulator, A: Accumulator> Job<'a, S, A> {
    /// [`portable::Job::new`]
    pub(crate) fn new(block: &'a Block<'a, A>) -> Self {
        Job { block, channels: Vec::new(), end: End::Sums, clamps: false }
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
            let h = (1 << e >> 1) + (block.requant.zero << e);
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
        if size_of::<S>() == 4 {
            if let Some(call) = Call::new(w, run, End::Sums, self.channels.len()) {
                // SAFETY: there are as many channels, and S has 32 bits.
                unsafe { call.sums(patch, run.n, self.channels.as_mut_ptr()) };
            }
            return;
        }
        for (i, channel) in self.channels.iter_mut().enumerate() {
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
        &self,
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
                cut_mut(y, p * pitch, n).copy_from_slice(own);
            }
        }
        self.clamp(y, count, pitch);
    }

    /// The outputs of PIXELS pixels.
    #[inline(always)]
    fn outputs<W: Element>(&self, patch: &Patch, w: &[W], run: Run, y: &mut [i8], pitch: usize) {
        let n = self.channels.len();
        if let Some(call) = Call::new(w, run, self.end, n)
            && (PIXELS - 1) * pitch + n <= y.len()
        {
            // SAFETY: there are as many channels, `end` says that S has 32 bits, and y has room.
            unsafe { call.outputs(patch, self.channels.as_ptr(), y.as_mut_ptr(), pitch) };
        }
    }

    /// The outputs that are not made in registers.
    #[inline(never)]
    fn by_sums<T: Element, W: Element>(
        &self,
        patch: &Patch,
        w: &[W],
        run: Run,
        y: &mut [T],
        count: usize,
        pitch: usize,
    ) {
        let mut job = self.clone();
        job.mac(patch, w, run);
        for p in 0..count {
            let sums = job.channels.iter().map(|channel| channel.sums.get(p).copied().unwrap_or_default());
            let y = cut_mut(y, p * pitch, self.channels.len());
            self.block.requant.all::<T, S, A>(sums, self.block.multipliers(0), y);
        }
    }

    #[inline(always)]
    fn clamp<T: Element>(&self, y: &mut [T], count: usize, pitch: usize) {
        if self.clamps {
            (0..count).for_each(|p| self.block.requant.clamp_narrow(cut_mut(y, p * pitch, self.channels.len())));
        }
    }

    /// [`portable::Job::groups`]
    pub(crate) fn groups<T: Element, W: Element>(
        &self,
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
            each_group!(self, patch, w, run, pixels, y);
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
                    group.long(call, patch, &self.channels, y, pitch);
                }
            }
        }
        for i in (0..count).map(|i| PIXELS * i) {
            self.clamp(y.get_mut(to + i * pitch..).unwrap_or_default(), PIXELS, pitch);
        }
    }
}

impl Patch {
    /// [`portable::Patch::fill_all`]
    pub(crate) fn fill_all<T: Element>(&mut self, at: usize, x: &[T], step: usize, len: usize, offset: i32) {
        if size_of::<T>() == 1 && (at | len) % 4 == 0 && at + len <= CHUNK && (PIXELS - 1) * step + len <= x.len() {
            // SAFETY: every element of one byte is an i8, or a transparent wrapper of one; the rest has been checked.
            unsafe { isa::widen(self, at, x.as_ptr().cast(), step, len, offset) };
        } else {
            (0..PIXELS).for_each(|p| self.fill(p, at, cut(x, p * step, len), offset));
        }
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

    /// They do not: the sums of those before the last patch are kept beside.
    ///
    /// # Safety
    /// As above.
    #[inline(never)]
    unsafe fn long<S: Copy>(
        &self,
        mut call: Call,
        patch: &mut Patch,
        channels: &[Channel<S>],
        y: *mut i8,
        pitch: usize,
    ) {
        let mut own: Vec<Channel<S>, SUMS> = Vec::new();
        let _ = own.extend_from_slice(channels); // no more than SUMS
        let mut at = 0;
        for row in self.rows {
            // SAFETY: the patch has room for CHUNK values, which are used up before it is filled again.
            unsafe {
                let mut x = row.as_ptr().cast::<i8>().add(self.from);
                let mut left = self.len;
                while left > 0 {
                    if at == CHUNK {
                        call = call.sums(patch, CHUNK, own.as_mut_ptr());
                        at = 0;
                    }
                    let part = left.min(CHUNK - at);
                    isa::widen(patch, at, x, self.step, part, self.offset);
                    (x, left, at) = (x.add(part), left - part, at + part);
                }
            }
        }
        // SAFETY: the caller's.
        unsafe { call.outputs(patch, own.as_ptr(), y, pitch) };
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
