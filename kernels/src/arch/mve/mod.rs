//! Cortex-M55 and M85: Helium, assembly that lies in [`isa`] alone.
//!
//! Nothing is widened: `VMLADAVA.S8` multiplies 16 inputs and weights as they are. So the zero point comes off the sums beforehand
//! (`VADDVA`), and inputs are read where they lie. Four pixels and two channels at a time, eight sums, all that the instruction can name:
//!
//! ```text
//! sixteen weights of two channels         2 VLDRB
//! sixteen values of four pixels           4 VLDRB
//! sums[c][p] += x[p] · w[c]               8 VMLADAVA
//! ```
//!
//! 14 instructions for 128 products, and no register is left to count with. So the values of a pixel are a list of pieces: where they lie
//! for each of the four pixels, and the address in the loop where the next so many vectors begin, `LDM {x, x, x, x, pc}`. The last piece is the
//! end of the channels. Pieces are tap rows, in place; only pixels at a border have theirs copied, with the zero point around them.
//!
//! The sums of four pixels are then one vector, whose outputs are, with e > 0,
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

mod alone;
mod columns;
pub(crate) mod depth;
mod isa;
pub(crate) mod places;
pub(crate) mod strip;

use super::depth::{CHANNELS, Sums};
use super::portable::{self, Block, Pixel, Pixels, Run, any_group, groups};
use super::{Few, small};
use crate::quant::{Accumulator, Multiplier, Requant};
use crate::rows::{cut, cut_mut};
use crate::{Element, Rounding};
pub(crate) use alone::alone;
use core::mem::{MaybeUninit, offset_of};
use core::ops::Range;
use core::ptr::{null, null_mut};
use depth::ZERO;
use isa::{Loop, VECTORS};

/// Output channels whose weights are interleaved; the order of packed weights follows it.
pub(crate) const BLOCK: usize = 1;
/// Output pixels computed at once.
pub(crate) const PIXELS: usize = 4;
/// Output channels whose sums are held at once.
pub(crate) const SUMS: usize = 32;
/// [`portable::SMALL`]
pub(crate) const SMALL: u64 = portable::SMALL;
/// [`portable::SHIFT`]
pub(crate) const SHIFT: i8 = portable::SHIFT;
/// So many channels have pixels outside the input one by one: all, where [`Job::row`] does not take them.
pub(crate) const DIRECT: usize = SUMS;
/// Up to so many channels, column phases are channels where they are alike: of more, what the first and last pixels lack costs more. Where groups
/// make up all pixels, and where one lies over another.
pub(crate) const ALIKE: [usize; 2] = [8, 7];
/// Pairs of channels at a time whose sums are added to those of 64 bits.
const WIDE: usize = 4;
/// Values of a patch.
const CHUNK: usize = 80;

/// What takes [`few`]: all channels of one call, of pixels of which two have room in a patch, and whose pieces have room, too.
pub(crate) const FEW: Few =
    Few { channels: SUMS, values: size_of::<Patch>() / 2 + 1, weight: 2, totals: 0, left: false, points: 0 };

/// All outputs of pixels, as [`Job::row`] makes them.
#[inline(always)]
pub(crate) fn few<T: Element, W: Element, A: Accumulator>(
    block: &Block<'_, A>,
    w: &[W],
    run: Run,
    _: &[i32],
    pixels: &Pixels<'_, T>,
    ends: [usize; 2],
    y: &mut [T],
) {
    if (size_of::<T>(), size_of::<A>()) == (1, 4) && !columns::all(block, w, run, pixels, ends, y) {
        all(block, w, run, pixels, ends, y);
    }
}

/// The same of any pixels.
#[inline(never)]
fn all<T: Element, W: Element, A: Accumulator>(
    block: &Block<'_, A>,
    w: &[W],
    run: Run,
    pixels: &Pixels<'_, T>,
    ends: [usize; 2],
    y: &mut [T],
) {
    if run.n == 0 {
        return bare(block, pixels, ends, y);
    }
    let mut job = Job::<i32, A>::new(block);
    job.start::<T>();
    job.subtract(pixels.zero, w, run);
    let fits = job.row(&mut Patch::new(), w, run, pixels, ends, y);
    debug_assert!(fits, "FEW promises what `row` asks");
}

/// The same where no tap reads an input.
#[cold]
#[inline(never)]
fn bare<T: Element, A: Accumulator>(
    block: &Block<'_, A>,
    pixels: &Pixels<'_, T>,
    [skip, last]: [usize; 2],
    y: &mut [T],
) {
    let mut all = [T::default(); SUMS];
    let all = cut_mut(&mut all, 0, block.channels);
    for (c, all) in all.iter_mut().enumerate() {
        small();
        *all = block.requant.apply(block.bias(c), block.multiplier(c));
    }
    for p in 0..pixels.count {
        let from = if p == 0 { skip } else { 0 };
        let end = if p + 1 == pixels.count { last } else { block.channels };
        let all = cut(all, from, end.saturating_sub(from));
        let y = cut_mut(y, (pixels.to + p * pixels.pitch + from).wrapping_sub(skip), all.len());
        // SAFETY: there are no more of y than of all.
        unsafe { isa::carry(y.as_mut_ptr().cast(), all.as_ptr().cast(), size_of_val(y)) };
    }
}

/// A pixel's inputs in the order of their weights, as they are.
#[repr(C, align(4))]
struct Line([MaybeUninit<u8>; 2 * CHUNK]);

/// The inputs of four pixels; those of pixels at a border, as many as there is room for; or of one pixel, widened.
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
    fn fill<T: Element>(&mut self, p: usize, at: usize, x: &[T], _: i32) {
        let x = x.get(..CHUNK.saturating_sub(at)).unwrap_or(x);
        if let Some(Line(line)) = self.x.get_mut(p) {
            // SAFETY: an element is an i8 or i16, or a transparent wrapper of one; there is room for CHUNK of them.
            unsafe { line.as_mut_ptr().cast::<T>().add(at).copy_from_nonoverlapping(x.as_ptr(), x.len()) };
        }
    }

    /// [`portable::Patch::fill_all`](super::portable::Patch::fill_all)
    fn fill_all<T: Element>(&mut self, at: usize, x: &[T], step: usize, len: usize, offset: i32) {
        if at + len <= CHUNK && (PIXELS - 1) * step + len <= x.len() {
            let size = size_of::<T>();
            let to = self.x.as_mut_ptr().cast::<T>();
            // SAFETY: just checked.
            unsafe { isa::copy(to.add(at).cast(), x.as_ptr().cast(), step * size, len * size) };
        } else {
            (0..PIXELS).for_each(|p| self.fill(p, at, cut(x, p * step, len), offset));
        }
    }

    /// All channels of a call for n values of each pixel.
    ///
    /// # Safety
    /// They have been filled, there are weights of all channels, and room for outputs.
    #[inline(never)]
    unsafe fn group(&self, l: &Loop, call: &mut Call, n: usize, end: End, pitch: usize) {
        let (mut pieces, line) = (Pieces::new(), self.x.as_ptr().cast());
        let mut span = Span::new(&mut pieces, &line, 1, size_of::<Line>(), pitch);
        // SAFETY: the caller's; n values make two pieces at most.
        unsafe {
            span.lay(l, call, n, end);
            span.put(0, call);
            (l.run)(call);
        }
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

/// Two channels: their sums, and q and −e of the formulas above.
#[repr(C)]
#[derive(Clone, Copy)]
struct Pair<S> {
    sums: [[S; PIXELS]; 2],
    scale: [[i32; 2]; 2],
}

/// How the loop over channels ends: with sums, or with outputs that are rounded as named; or with those of four channels of a pixel.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Sums,
    Single,
    Double,
    SingleFour,
    DoubleFour,
}

/// A block of channels.
pub(crate) struct Job<'a, S, A> {
    pub(crate) block: &'a Block<'a, A>,
    /// Those of the first `count` channels; beside the count, as a vector that is empty at compile time is all zeros, uselessly.
    pairs: [MaybeUninit<Pair<S>>; SUMS / 2],
    count: usize,
    /// Sums to which another loop adds.
    lent: [MaybeUninit<[S; PIXELS]>; CHANNELS],
    /// What is subtracted from each input, and the weights that it is multiplied by.
    rest: i32,
    run: Run,
    /// Whether the sums are still to be set to what they are before any product, or will be after a group that has begun.
    stale: bool,
    begun: bool,
    /// Whether pairs have their scales.
    scaled: bool,
    /// How outputs are made; from sums where the formulas do not hold.
    end: End,
}

impl<'a, S: Accumulator, A: Accumulator> Job<'a, S, A> {
    /// [`portable::Job::new`](super::portable::Job::new)
    #[inline(always)]
    pub(crate) fn new(block: &'a Block<'a, A>) -> Self {
        let (pairs, run) = ([const { MaybeUninit::uninit() }; SUMS / 2], Run { n: 0, len: 0, skip: 0 });
        let lent = [const { MaybeUninit::uninit() }; CHANNELS];
        let (stale, begun, scaled) = (false, false, false);
        Job { block, pairs, count: 0, lent, rest: 0, run, stale, begun, scaled, end: End::Sums }
    }

    /// All sums of each channel; in the last pair there may be one channel too many.
    #[inline(always)]
    fn all_sums(&self) -> impl Iterator<Item = &[S; PIXELS]> {
        // SAFETY: `factors` has written the pairs of `count` channels, no more than SUMS.
        let pairs =
            unsafe { core::slice::from_raw_parts(self.pairs.as_ptr().cast::<Pair<S>>(), self.count.div_ceil(2)) };
        pairs.iter().flat_map(|pair| &pair.sums).take(self.count)
    }

    #[inline(always)]
    fn all_sums_mut(&mut self) -> impl Iterator<Item = &mut [S; PIXELS]> {
        let n = self.count.div_ceil(2);
        // SAFETY: as above.
        let pairs = unsafe { core::slice::from_raw_parts_mut(self.pairs.as_mut_ptr().cast::<Pair<S>>(), n) };
        pairs.iter_mut().flat_map(|pair| &mut pair.sums).take(self.count)
    }

    /// [`portable::Job::start`](super::portable::Job::start)
    #[inline(always)]
    #[allow(clippy::extra_unused_type_parameters)] // other backends ask it
    pub(crate) fn start<T: Element>(&mut self) {
        self.count = self.block.channels.min(SUMS);
        self.stale = true;
    }

    /// How outputs are made, where all shifts are `below` 0 or not.
    #[inline(always)]
    fn set_end(&mut self, below: bool) {
        self.end = match self.block.requant.rounding {
            _ if size_of::<S>() != 4 || !below => End::Sums,
            Rounding::TfliteDouble => End::Double,
            _ => End::Single,
        };
    }

    /// Whether multipliers serve where they lie, and how outputs are made.
    #[inline(never)]
    fn kind(&mut self) -> bool {
        let all = self.block.multipliers;
        let below = all.iter().all(|m| m.shift() < 0);
        // A product of 0 is 0 by any shift.
        self.set_end(below || all.iter().all(|m| m.shift() < 0 || m.q() == 0));
        below && size_of::<A>() == 4 && (all.len() == 1 || all.len() >= self.count)
    }

    /// What pairs are scaled by, if that is not there yet, and how outputs are made.
    #[inline(always)]
    fn factors(&mut self) {
        if !self.scaled {
            self.before(&[0i8; 0], Run { n: 0, len: 0, skip: 0 });
            self.stale = true;
        }
    }

    /// [`portable::Job::subtract`](super::portable::Job::subtract), when sums are needed.
    #[inline(always)]
    pub(crate) fn subtract<W: Element>(&mut self, zero: i32, _: &[W], _: Run) {
        self.rest = zero;
    }

    /// Sets the sums to what they are before any product, if they are not.
    #[inline(always)]
    fn fresh<W: Element>(&mut self, w: &[W], run: Run) {
        if self.stale {
            self.before(w, run);
        }
    }

    /// The biases of some channels, one after another; in `own` where they do not lie so.
    #[inline(always)]
    fn biases(&self, channels: Range<usize>, own: &mut [MaybeUninit<i32>; SUMS]) -> *const i32 {
        match self.block.bias.get(channels.clone()) {
            Some(all) if size_of::<A>() == 4 => all.as_ptr().cast(),
            _ => {
                channels.zip(&mut *own).for_each(|(c, to)| {
                    small();
                    to.write(self.block.bias(c));
                });
                own.as_ptr().cast()
            }
        }
    }

    /// `sums[c] = bias[c] − rest · Σ_i w[c][skip + i]`, wrapping; what pairs are scaled by, and how outputs are made.
    #[inline(never)]
    fn before<W: Element>(&mut self, w: &[W], run: Run) {
        (self.stale, self.scaled) = (false, true);
        let (n, block, size) = (self.count, self.block, size_of::<W>());
        let fits = run.skip + run.n <= run.len && n * run.len <= w.len();
        let (rest, len) = if self.rest != 0 && fits { (self.rest, run.n) } else { (0, 0) };
        if size_of::<S>() == 4 && n > 0 {
            let ready = Ready {
                to: self.pairs.as_mut_ptr().cast(),
                turn: block.multipliers.len().max(1),
                multipliers: if block.multipliers.is_empty() { &NONE } else { block.multipliers.as_ptr() },
                bias: if block.bias.is_empty() { (&raw const ZERO).cast() } else { block.bias.as_ptr().cast() },
                hop: size_of::<A>(),
                biases: block.bias.len().max(1),
                even: n.next_multiple_of(2),
                wide: size_of::<A>() / 8,
                w: w.as_ptr().wrapping_add(run.skip).cast(),
                n: len,
                low: rest,
                count: n,
                // The loop has passed over whole vectors.
                next: (run.len * size).wrapping_sub((len * size).next_multiple_of(16)),
            };
            // SAFETY: there are n weights of each channel, biases and multipliers that serve in turn, and room; S has 32 bits, and
            // the low half of a bias comes first.
            let highest = unsafe { isa::ready(size)(&ready) };
            return self.set_end(highest < 0);
        }
        self.set_end(false);
        for (c, pair) in self.pairs.iter_mut().take(n.div_ceil(2)).enumerate() {
            let sums = [2 * c, 2 * c + 1].map(|c| {
                let w = cut(w, c * run.len + run.skip, len);
                [w.iter().fold(block.bias(c), |sum: S, w| sum.mac(-rest, w.to_i32())); PIXELS]
            });
            pair.write(Pair { sums, scale: [[0; 2]; 2] });
        }
    }

    /// [`portable::Job::sums`], which do not lie in the pairs.
    pub(crate) fn sums(&mut self) -> Sums<'_, S> {
        let (n, block) = (self.count.min(CHANNELS), self.block);
        if !self.begun {
            let biases = self.lent.iter_mut().take(n).enumerate();
            biases.for_each(|(c, sums)| {
                small();
                sums.write([block.bias(c); PIXELS]);
            });
            self.begun = true;
        }
        // SAFETY: as many have been written.
        Sums::of(unsafe { core::slice::from_raw_parts_mut(self.lent.as_mut_ptr().cast(), n) })
    }

    /// [`portable::Job::outputs`]
    pub(crate) fn outputs<T: Element, W: Element>(
        &mut self,
        patch: &Patch,
        w: &[W],
        run: Run,
        y: &mut [T],
        pitch: usize,
    ) {
        self.factors();
        self.sums();
        let lent = self.lent;
        for (sums, lent) in self.all_sums_mut().zip(&lent) {
            small();
            // SAFETY: written just now or earlier.
            *sums = unsafe { lent.assume_init() };
        }
        self.begun = false;
        self.finish(patch, w, Run { n: 0, ..run }, y, pitch);
    }

    /// [`portable::Job::mac`](super::portable::Job::mac)
    #[inline(never)]
    fn mac<T: Element, W: Element>(&mut self, patch: &Patch, w: &[W], run: Run) {
        let size = size_of::<T>();
        self.begun = true;
        if size_of::<S>() == 4 {
            // SAFETY: the patch holds n values, and S has 32 bits.
            return unsafe { self.group::<T, W>(patch, w, run, End::Sums, &mut [], 0) };
        }
        if size == 2 && size_of::<W>() == 1 && run.n > 0 {
            return self.mac_wide(patch, w, run);
        }
        for (i, sums) in self.all_sums_mut().enumerate() {
            for (i, w) in cut(w, i * run.len + run.skip, run.n).iter().enumerate() {
                for (p, sum) in sums.iter_mut().enumerate() {
                    // SAFETY: the patch holds the values that the run names.
                    *sum = sum.mac(unsafe { patch.get(size, p, i) }, w.to_i32());
                }
            }
        }
    }

    /// The same for int16 inputs, int8 weights and sums of 64 bits: a patch's products fit 32.
    #[inline(never)]
    fn mac_wide<W: Element>(&mut self, patch: &Patch, w: &[W], run: Run) {
        let (n, requant) = (self.count, &self.block.requant);
        if run.skip + run.n > run.len || n * run.len > w.len() {
            return;
        }
        let (mut w, line) = (w.as_ptr().wrapping_add(run.skip), patch.x.as_ptr().cast());
        let mut all = self.all_sums_mut();
        const ZERO: Pair<i32> = Pair { sums: [[0; PIXELS]; 2], scale: [[0; 2]; 2] };
        for (odd, before) in calls(n) {
            let (l, mut pieces, mut pairs) = (isa::pick::<i16, W>(odd), Pieces::new(), [ZERO; WIDE]);
            let mut call = Call::new(pairs.as_mut_ptr(), run.len, run.n, w, requant);
            call.count = 2;
            let mut span = Span::new(&mut pieces, &line, 1, size_of::<Line>(), 0);
            // SAFETY: there are `n` values of each pixel, which make two pieces at most.
            unsafe {
                span.lay(l, &mut call, run.n, End::Sums);
                span.put(0, &mut call);
            }
            let mut left = if odd { n - before } else { n & !1 };
            while left > 0 {
                let part = left.min(2 * WIDE);
                pairs = [ZERO; WIDE];
                let first = pairs.as_mut_ptr();
                (call.at, call.channels, call.w) = (first.cast(), first.cast(), w.cast());
                call.end = first.wrapping_add(part / 2).cast();
                // Bounds: |x · w| <= 2^22, and a patch has at most 2^8 values.
                // SAFETY: there are weights of these channels.
                unsafe { (l.run)(&mut call) };
                for (part, sums) in pairs.iter().flat_map(|pair| &pair.sums).take(part).zip(&mut all) {
                    for (sum, part) in sums.iter_mut().zip(part) {
                        *sum = S::from_i64(sum.to_i64() + i64::from(*part));
                    }
                }
                (left, w) = (left - part, w.wrapping_add(part * run.len));
            }
        }
    }

    /// The next group begins.
    fn finished<W: Element>(&mut self, w: &[W]) {
        if self.begun {
            self.begun = false;
            self.before(w, self.run);
        }
    }

    /// [`portable::Job::finish`](super::portable::Job::finish)
    #[inline(never)]
    fn finish<T: Element, W: Element>(&mut self, patch: &Patch, w: &[W], run: Run, y: &mut [T], pitch: usize) {
        if self.end == End::Sums {
            return self.by_sums(patch, w, run, y, pitch);
        }
        // SAFETY: the patch holds n values, and the formulas hold for S, which has 32 bits.
        unsafe { self.group(patch, w, run, self.end, y, pitch) };
        self.finished(w);
    }

    /// The sums or outputs of a patch's pixels.
    ///
    /// # Safety
    /// The patch holds n values of each pixel, and S has 32 bits.
    unsafe fn group<T: Element, W: Element>(
        &mut self,
        patch: &Patch,
        w: &[W],
        run: Run,
        end: End,
        y: &mut [T],
        pitch: usize,
    ) {
        let n = self.count;
        let fits = end == End::Sums || (PIXELS - 1) * pitch + n <= y.len();
        if !fits || run.skip + run.n > run.len || n * run.len > w.len() {
            return;
        }
        let (w, y) = (w.as_ptr().wrapping_add(run.skip), y.as_mut_ptr());
        let bytes = [run.len, run.n].map(|n| n * size_of::<W>());
        for (odd, before) in calls(n) {
            let mut call = self.call(odd, w.wrapping_add(before * run.len).cast(), bytes);
            call.y = y.wrapping_add(before).cast();
            // SAFETY: the caller's; there are n weights of each channel, and room for outputs.
            unsafe { patch.group(isa::pick::<T, W>(odd), &mut call, run.n, end, pitch * size_of::<T>()) };
        }
    }

    /// The outputs that are not made in registers.
    #[inline(never)]
    fn by_sums<T: Element, W: Element>(&mut self, patch: &Patch, w: &[W], run: Run, y: &mut [T], pitch: usize) {
        self.mac::<T, W>(patch, w, run);
        for p in 0..PIXELS {
            small();
            let sums = self.all_sums().map(|sums| sums.get(p).copied().unwrap_or_default());
            let y = cut_mut(y, p * pitch, self.count);
            self.block.requant.all::<T, S, A>(sums, self.block.multipliers(0), y);
        }
        self.finished(w);
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
        if !self.row(patch, w, run, pixels, [0, self.count], y) {
            self.fresh(w, run);
            self.run = run;
            for i in groups(pixels.count) {
                any_group!(self, patch, w, run, pixels, y, i);
            }
        }
    }

    /// [`portable::Job::pixel`](super::portable::Job::pixel): the loop for four pixels and the odd channel, where the weights of four channels
    /// are the pixels and the inputs, widened, are the weights.
    #[inline(never)]
    pub(crate) fn pixel<T: Element, W: Element>(
        &mut self,
        patch: &mut Patch,
        w: &[W],
        run: Run,
        one: &Pixel<'_, T>,
        y: &mut [T],
    ) {
        let mut spots = Spots::new(one.len);
        let mut whole = true;
        for row in 0..one.rows {
            for i in 0..one.pieces {
                small();
                let (x, at) = one.piece(row, i);
                whole &= x.len() == one.len && at + x.len() <= run.len;
                spots.push(x.as_ptr(), w.as_ptr().wrapping_add(at));
            }
        }
        // SAFETY: as many values lie there, and weights of every channel.
        if !whole || !unsafe { self.alone(patch, w, run.len, &spots, one.zero, one.channels.clone(), y) } {
            alone::<T, W, S, A>(self.block, w, run, one, y);
        }
    }

    /// The only pixel of a row, whose values may lie outside; `false`, and nothing done, where the loop does not hold.
    #[inline(never)]
    fn single<T: Element, W: Element>(
        &mut self,
        patch: &mut Patch,
        w: &[W],
        run: Run,
        pixels: &Pixels<'_, T>,
        [skip, last]: [usize; 2],
        y: &mut [T],
    ) -> bool {
        let &Pixels { rows, from, len, zero, to, .. } = pixels;
        let width = rows.iter().map(|row| row.len()).min().unwrap_or(0);
        let before = (-from).max(0).min(len as isize);
        let inside = ((width as isize - from).min(len as isize) - before).max(0) as usize;
        let mut spots = Spots::new(inside);
        for (r, row) in rows.iter().enumerate().take(if inside == 0 { 0 } else { rows.len() }) {
            let at = run.skip + r * len + before as usize;
            spots.push(row.as_ptr().wrapping_offset(from + before), w.as_ptr().wrapping_add(at));
        }
        // SAFETY: as many values lie inside the rows, and weights among those of the run.
        unsafe { self.alone(patch, w, run.len, &spots, zero, skip..last, cut_mut(y, to, last.saturating_sub(skip))) }
    }

    /// Some outputs of a single pixel; `false`, and nothing done, where the loop does not hold.
    ///
    /// # Safety
    /// All values can be read, and their weights of the first channel, `step` behind which those of the next one lie in `w`.
    #[inline(never)]
    #[allow(clippy::too_many_arguments)]
    unsafe fn alone<T: Element, W: Element>(
        &mut self,
        patch: &mut Patch,
        w: &[W],
        step: usize,
        spots: &Spots,
        zero: i32,
        channels: Range<usize>,
        y: &mut [T],
    ) -> bool {
        let (block, &Spots { n, len, .. }) = (self.block, spots);
        let (first, end) = (channels.start, channels.end);
        let fits = size_of::<S>() == 4
            && (size_of::<T>() == 1 || zero == 0)
            && first < end
            && end <= self.count
            && end * step <= w.len()
            && end - first <= y.len()
            && n * len * size_of::<i16>() <= size_of::<Patch>()
            && Pieces::hold::<W, i16>(n, len);
        if !fits {
            return false;
        }
        let x = patch.x.as_mut_ptr().cast::<i16>();
        for (i, from) in spots.x.iter().take(n).enumerate() {
            small();
            // SAFETY: the caller's; the patch has room for all values, and an element of two bytes is an i16.
            unsafe { isa::widen(size_of::<T>())(x.add(i * len), from.assume_init(), len, zero) };
        }
        let (l, mut pieces) = (isa::pick::<W, i16>(true), Pieces::new());
        let mut call = Call::new(null_mut::<()>(), 0, 0, x.cast_const(), &block.requant);
        let direct = self.kind();
        let kind = match self.end {
            End::Sums => End::Sums,
            End::Double => End::DoubleFour,
            _ => End::SingleFour,
        };
        let mut span = Span::new(&mut pieces, spots.w.as_ptr().cast(), n, step * size_of::<W>(), 0);
        // SAFETY: there is room for all pieces.
        unsafe { span.lay(l, &mut call, len, kind) };
        (call.hop, call.leap) = (PIXELS * step * size_of::<W>(), PIXELS * size_of::<T>());
        // Multipliers serve where they lie, unless q or a shift is another one there.
        let multipliers = block.multipliers;
        if !direct {
            self.factors();
            call.gap = 2 * size_of::<Pair<i32>>();
        } else if multipliers.len() > 1 {
            span.pitch = size_of::<Multiplier>();
            call.gap = PIXELS * span.pitch;
        }
        let (mut c, mut y) = (first, y);
        while c < end {
            // Fours of channels follow each other. Of less than four, those that do not exist are computed all the same.
            call.groups = if kind == End::Sums { 1 } else { ((end - c) / PIXELS).max(1) };
            // SAFETY: there are as many rows.
            unsafe {
                span.put(c, &mut call);
                if end - c < PIXELS {
                    span.repeat(&mut call, end - c);
                }
            }
            let (mut own, mut few) = ([const { MaybeUninit::uninit() }; SUMS], [T::default(); PIXELS]);
            let from = self.biases(c..c + PIXELS * call.groups, &mut own);
            let (to, left) = y.split_at_mut_checked((PIXELS * call.groups).min(end - c)).unwrap_or_default();
            let whole = to.len() >= PIXELS;
            call.y = if whole { to.as_mut_ptr() } else { few.as_mut_ptr() }.cast();
            // SAFETY: as many biases have been named.
            let sums = unsafe { *from.cast::<[i32; PIXELS]>() };
            let mut pair = Pair { sums: [sums; 2], scale: [[0; 2]; 2] };
            call.channels = if kind == End::Sums { (&raw mut pair).cast() } else { from.cast_mut().cast() };
            call.at = multipliers.as_ptr().cast_mut().cast();
            if !direct {
                call.at = self.pairs.as_mut_ptr().cast();
                let scale = |c: usize| c / 2 * size_of::<Pair<i32>>() + offset_of!(Pair<i32>, scale) + c % 2 * 8;
                call.spots = core::array::from_fn(|p| scale((c + p).min(end - 1)));
            }
            // SAFETY: `len` weights of each channel lie in all places, there are biases and scales, and room for whole outputs.
            unsafe { (l.run)(&mut call) };
            if kind == End::Sums {
                let sums = pair.sums[0].into_iter().map(|sum| S::from_i64(sum.into()));
                block.requant.all::<T, S, A>(sums, block.multipliers(c), to);
            } else if !whole {
                to.iter_mut().zip(few).for_each(|(y, few)| {
                    small();
                    *y = few;
                });
            }
            (c, y) = (c + to.len(), left);
        }
        true
    }

    /// [`portable::Job::row`](super::portable::Job::row)
    #[inline(never)]
    pub(crate) fn row<T: Element, W: Element>(
        &mut self,
        patch: &mut Patch,
        w: &[W],
        run: Run,
        pixels: &Pixels<'_, T>,
        [skip, last]: [usize; 2],
        y: &mut [T],
    ) -> bool {
        let &Pixels { rows, from, count, step, len, zero, to, pitch, .. } = pixels;
        // All bounds are checked here, once.
        let n = self.count;
        if run.n == 0 || rows.len() * len != run.n || run.skip + run.n > run.len {
            return false;
        }
        // What lies outside a single pixel's rows is left out.
        if count == 1 && self.rest == zero && self.single(patch, w, run, pixels, [skip, last], y) {
            return true;
        }
        // The first and the last pixel each have a place of their own for channels that are not written.
        let fits = (count > 1 || count == 1 && (skip == 0 || last == n))
            && n * run.len <= w.len()
            && skip <= n
            && n <= pitch
            && to + (count - 1) * pitch + last <= y.len() + skip
            && Pieces::hold::<T, W>(rows.len(), len);
        if !fits {
            return false;
        }
        self.fresh(w, run);
        if self.end == End::Sums {
            return false;
        }
        let (mut lines, mut width) = ([const { MaybeUninit::<*const ()>::uninit() }; PIECES], usize::MAX);
        for (to, row) in lines.iter_mut().zip(rows) {
            small();
            to.write(row.as_ptr().cast());
            width = width.min(row.len());
        }
        // From one pixel to another all values lie inside, and all channels are there.
        let (mut inside, mut place) = (0, from);
        if skip > 0 {
            (inside, place) = (1, from + step as isize);
        }
        while inside < count && place < 0 {
            small();
            (inside, place) = (inside + 1, place + step as isize);
        }
        let mut behind = count - usize::from(last < n);
        place = from + (behind * step + len) as isize - step as isize;
        while behind > inside && place > width as isize {
            small();
            (behind, place) = (behind - 1, place - step as isize);
        }
        let inner = behind.saturating_sub(inside);
        // So many of those outside have room in a patch.
        let (size, bytes) = (size_of::<T>(), len * size_of::<T>());
        let mut edges = PIXELS;
        if inner < count && PIXELS * rows.len() * bytes > size_of::<Patch>() {
            edges = size_of::<Patch>().checked_div(rows.len() * bytes).unwrap_or(0);
            if edges == 0 {
                return false;
            }
        }
        let mut pieces = Pieces::new();
        let mut span = Span {
            from: (from * size as isize) as usize,
            bytes,
            width: width * size,
            zero: word::<T>(zero),
            to: patch.x.as_mut_ptr().cast(),
            inside,
            inner,
            count,
            edges,
            ..Span::new(&mut pieces, lines.as_ptr().cast(), rows.len(), step * size, pitch * size)
        };
        let (w, y) = (w.as_ptr().wrapping_add(run.skip), y.as_mut_ptr().wrapping_add(to).wrapping_sub(skip));
        let run = [run.len * size_of::<W>(), run.n * size_of::<W>()];
        // SAFETY: just checked: weights, and room for outputs of all channels, and for all pieces.
        unsafe {
            if n > 1 {
                self.strip(isa::pick::<T, W>(false), &mut span, w.cast(), run, y.cast(), [skip, last], len);
            }
            if n % 2 == 1 {
                let (w, y) = (w.wrapping_byte_add((n - 1) * run[0]).cast(), y.wrapping_add(n - 1).cast());
                let ends = [skip, last].map(|c| c.saturating_sub(n - 1));
                self.strip(isa::pick::<T, W>(true), &mut span, w, run, y, ends, len);
            }
        }
        true
    }

    /// The outputs of pairs of channels or the odd one, of which the first pixel lacks some, and the last one has some; w are their weights, `run`
    /// bytes of each channel and of those that are used, for `len` values of a row.
    ///
    /// # Safety
    /// There are weights of all channels, room for the outputs of all pixels, at least one, and for all pieces.
    #[inline(never)]
    #[allow(clippy::too_many_arguments)]
    unsafe fn strip(
        &mut self,
        l: &Loop,
        span: &mut Span,
        w: *const (),
        run: [usize; 2],
        y: *mut (),
        ends: [usize; 2],
        len: usize,
    ) {
        let mut call = self.call(l.odd, w, run);
        let (n, size, inner) = (call.count, l.x, span.inner);
        let [skip, last] = ends.map(|c| c.min(n));
        let outside = span.count - inner;
        // What the first and the last pixel lack is written elsewhere.
        let mut own = [const { [const { MaybeUninit::<u16>::uninit() }; SUMS] }; 2];
        // Pixels outside, and with them as many inside as there is room for.
        let (mut out, mut i) = (0, 0);
        // SAFETY: the caller's.
        unsafe { span.lay(l, &mut call, len, self.end) };
        while out < outside {
            let copies = (outside - out).min(span.edges);
            (span.out, span.copies, call.y) = (out, copies, y);
            // SAFETY: the caller's; values inside lie in every row, others are copied.
            unsafe {
                span.put((span.inside + i).wrapping_sub(copies), &mut call);
                isa::border(span, call.spots.as_mut_ptr());
                if span.each > 1 {
                    span.spread(copies);
                }
                // The first pixel is the first one, and the last pixel the last one of those outside.
                let spot = |own: *mut MaybeUninit<u16>| (own as usize).wrapping_sub(y as usize);
                if out == 0 && skip > 0 {
                    call.spots[0] = spot(own[0].as_mut_ptr());
                }
                (out, i) = (out + copies, i + PIXELS - copies);
                if out == outside
                    && last < n
                    && let Some(to) = call.spots.get_mut(copies - 1)
                {
                    *to = spot(own[1].as_mut_ptr());
                }
                // What is missing in a group is the last one again and again.
                if i > inner {
                    span.repeat(&mut call, PIXELS + inner - i);
                    i = inner;
                }
                (l.run)(&mut call);
            }
        }
        // SAFETY: the loop has written all channels.
        unsafe {
            if skip > 0 {
                let skip = skip * size;
                isa::carry(y.cast::<u8>().wrapping_add(skip), own[0].as_ptr().cast::<u8>().add(skip), n * size - skip);
            }
            if last < n {
                let at = (span.count - 1) * span.pitch;
                isa::carry(y.cast::<u8>().add(at), own[1].as_ptr().cast(), last * size);
            }
        }
        // The others follow each other, as many groups as it takes, a little nearer where these would be too many pixels: some are done twice.
        while i < inner {
            let mut groups = (inner - i).div_ceil(PIXELS);
            let (mut hop, mut next) = (PIXELS, inner);
            while (groups - 1) * hop + PIXELS > inner && hop > 1 {
                small();
                hop -= 1;
            }
            let mut first = inner.saturating_sub((groups - 1) * hop + PIXELS);
            if first > i {
                // Those that are left over come first.
                (first, groups, next) = (i, 1, i + (inner - i) % PIXELS);
            }
            (call.y, call.groups, call.hop) = (y, groups, hop * span.wide);
            // Pairs move on by a channel after another.
            call.leap = (hop * span.pitch).wrapping_sub((n & !1) * size);
            // SAFETY: `len` values of each pixel lie in every row; the rest is the caller's.
            unsafe {
                span.put(span.inside + first, &mut call);
                if first + PIXELS > inner {
                    span.repeat(&mut call, inner - first);
                }
                (l.run)(&mut call);
            }
            i = next;
        }
    }

    /// The products of some values and their weights from `w` on for all pairs of channels, or the odd one, without inputs and outputs: bytes of the weights
    /// of a channel, and of those that are used.
    #[inline(always)]
    fn call(&mut self, odd: bool, w: *const (), [len, n]: [usize; 2]) -> Call {
        let pairs = self.count / 2;
        let first = self.pairs.as_mut_ptr().wrapping_add(if odd { pairs } else { 0 });
        let mut call = Call::new(first, len, n, w, &self.block.requant);
        call.end = self.pairs.as_ptr().wrapping_add(pairs).cast();
        call.count = if odd { 1 } else { 2 * pairs };
        call
    }
}

/// The calls for n channels: pairs of them, and the odd one, with the channels before it.
#[inline(always)]
fn calls(n: usize) -> impl Iterator<Item = (bool, usize)> {
    let odds = [n == 1, true].into_iter().take(n.min(1) + usize::from(n > 1 && n % 2 == 1));
    odds.map(move |odd| (odd, if odd { n - 1 } else { 0 }))
}

/// Values of a vector, as a power of two.
const fn lanes(x: usize, w: usize) -> usize {
    if x * w == 1 { 4 } else { 3 }
}

/// A zero point as a word of values.
fn word<T: Element>(zero: i32) -> u32 {
    if size_of::<T>() == 1 { u32::from(zero as u8) * 0x0101_0101 } else { u32::from(zero as u16) * 0x1_0001 }
}

/// Pixels that follow each other, and what `put` and `border` work on, in bytes.
#[repr(C)]
struct Span {
    /// Their pieces, and n rows, from the pieces of one of which to those of the next it is so far.
    pieces: *mut Piece,
    lines: *const *const (),
    n: usize,
    step: usize,
    /// How far behind a pixel's first value the first piece begins; where pixel 0 begins in a row, and how far it is to the next one; and for outputs.
    behind: usize,
    from: usize,
    wide: usize,
    pitch: usize,
    /// What a pixel reads of a row, and what there is; what lies around that; and where copies go.
    bytes: usize,
    width: usize,
    zero: u32,
    to: *mut u8,
    /// Pixels before those that lie inside, and these; all; and so many of those outside have room in a patch.
    inside: usize,
    inner: usize,
    count: usize,
    edges: usize,
    /// The first of those outside that is to be copied, and how many; where their places go, and where their outputs.
    out: usize,
    copies: usize,
    place: *mut *const (),
    spot: *mut usize,
    /// Pieces of a row, and its vectors, each of so many bytes.
    each: usize,
    vectors: usize,
    vector: usize,
}

impl Span {
    /// All inside.
    #[inline(always)]
    fn new(pieces: &mut Pieces, lines: *const *const (), n: usize, wide: usize, pitch: usize) -> Self {
        Span {
            pieces: pieces.0.as_mut_ptr().cast(),
            lines,
            n,
            step: 0,
            behind: 0,
            from: 0,
            wide,
            pitch,
            bytes: 0,
            width: 0,
            zero: 0,
            to: null_mut(),
            inside: 0,
            inner: 0,
            count: 0,
            edges: 0,
            out: 0,
            copies: 0,
            place: null_mut(),
            spot: null_mut(),
            each: 1,
            vectors: 0,
            vector: 0,
        }
    }

    /// The places in the loop of `len` values of each row, and of its end.
    ///
    /// # Safety
    /// There is room for them.
    #[inline(always)]
    unsafe fn lay(&mut self, l: &Loop, call: &mut Call, len: usize, end: End) {
        let (vectors, mut at) = (len >> l.lanes, self.pieces);
        let tail = len - (vectors << l.lanes);
        (call.first, call.tail, call.part) = (at, tail, tail * l.w);
        // SAFETY: the caller's.
        unsafe {
            if vectors <= VECTORS && (vectors == 0 || tail == 0) {
                let mut then = l.part();
                if tail == 0 {
                    then = l.vectors(vectors);
                    self.behind = vectors.wrapping_sub(VECTORS).wrapping_mul(l.x << l.lanes);
                }
                self.step = size_of::<Piece>();
                for _ in 0..self.n {
                    small();
                    (&raw mut (*at).then).write(then);
                    at = at.add(1);
                }
            } else {
                at = self.lay_many(l, vectors, tail);
            }
            (&raw mut (*at).then).write(l.end(end));
            call.last = at;
            [call.begin, call.next] = l.pieces();
            if at == call.first.add(1) && end != End::Sums {
                (call.begin, call.next) = ((*call.first).then, l.end(end));
                if tail > 0 {
                    (call.begin, call.gap) = (l.only(), call.len);
                }
            }
        }
    }

    /// The places of rows of many pieces, and where the next one goes.
    ///
    /// # Safety
    /// There is room for them.
    #[inline(never)]
    unsafe fn lay_many(&mut self, l: &Loop, vectors: usize, tail: usize) -> *mut Piece {
        self.each = vectors.div_ceil(VECTORS) + usize::from(tail > 0);
        self.step = self.each * size_of::<Piece>();
        (self.vectors, self.vector) = (vectors, l.x << l.lanes);
        self.behind = self.behind(0);
        let mut at = self.pieces;
        let mut lay = |then| {
            small();
            // SAFETY: the caller's.
            unsafe {
                (&raw mut (*at).then).write(then);
                at = at.add(1);
            }
        };
        for _ in 0..self.n {
            let mut left = vectors;
            while left > 0 {
                lay(l.vectors(left.min(VECTORS)));
                left = left.saturating_sub(VECTORS);
            }
            if tail > 0 {
                lay(l.part());
            }
        }
        at
    }

    /// How many bytes behind the first value of a row its piece `i` lies, less what the loop adds for the vectors before its place.
    #[inline(always)]
    fn behind(&self, i: usize) -> usize {
        let left = self.vectors.saturating_sub(i * VECTORS);
        let before = if left == 0 { 0 } else { VECTORS - left.min(VECTORS) };
        (i * VECTORS).min(self.vectors).wrapping_sub(before).wrapping_mul(self.vector)
    }

    /// The values of four pixels from this one on in all rows, and where their outputs go.
    ///
    /// # Safety
    /// The rows have been laid.
    #[inline(always)]
    unsafe fn put(&mut self, pixel: usize, call: &mut Call) {
        // SAFETY: the caller's.
        unsafe { isa::put(self, pixel, &mut call.spots) };
        if self.each > 1 {
            // SAFETY: the caller's.
            unsafe { self.put_many(pixel, call) };
        }
    }

    /// The other pieces of all rows.
    ///
    /// # Safety
    /// The rows have been laid.
    #[inline(never)]
    unsafe fn put_many(&mut self, pixel: usize, call: &mut Call) {
        let (pieces, behind) = (self.pieces, self.behind);
        for i in 1..self.each {
            (self.pieces, self.behind) = (pieces.wrapping_add(i), self.behind(i));
            // SAFETY: the caller's.
            unsafe { isa::put(self, pixel, &mut call.spots) };
        }
        (self.pieces, self.behind) = (pieces, behind);
    }

    /// Where pixels that have been copied begin in the other pieces of all rows.
    ///
    /// # Safety
    /// The rows have been laid.
    #[inline(never)]
    unsafe fn spread(&mut self, copies: usize) {
        for i in 1..self.each {
            let mut x = self.to.wrapping_add(self.behind(i));
            for p in 0..copies {
                let mut piece = self.pieces.wrapping_add(i);
                for _ in 0..self.n {
                    small();
                    // SAFETY: the caller's.
                    unsafe { (&raw mut (*piece).x).cast::<*const ()>().add(p).write(x.cast()) };
                    (piece, x) = (piece.wrapping_add(self.each), x.wrapping_add(self.bytes));
                }
            }
        }
    }

    /// Pixels from n on read and write what the one before does.
    ///
    /// # Safety
    /// All pixels have been put.
    #[inline(never)]
    unsafe fn repeat(&mut self, call: &mut Call, n: usize) {
        for i in 0..self.n * self.each {
            small();
            // SAFETY: the caller's.
            again(unsafe { &mut (*self.pieces.wrapping_add(i)).x }, n);
        }
        again(&mut call.spots, n);
    }
}

/// What `ready` works on: the sums and scales of `count` channels, `even` with one too many; their multipliers and biases, of which so many serve in
/// turn, these `hop` bytes apart; whether q is rounded to its upper half; and n weights of each.
#[repr(C)]
struct Ready {
    to: *mut Pair<i32>,
    turn: usize,
    multipliers: *const Multiplier,
    bias: *const i32,
    hop: usize,
    biases: usize,
    even: usize,
    wide: usize,
    w: *const (),
    n: usize,
    low: i32,
    count: usize,
    /// Bytes to the weights of the next channel from where those of this one have been read to.
    next: usize,
}

/// A multiplier where there is none.
static NONE: Multiplier = Multiplier::ZERO;

/// Where some values of each pixel lie, and the place in the loop where as many products begin; or where the loop ends.
#[repr(C)]
#[derive(Clone, Copy)]
struct Piece {
    x: [*const (); PIXELS],
    then: usize,
}

/// The values of four pixels.
struct Pieces([MaybeUninit<Piece>; PIECES]);

/// An end is one of them, too.
const PIECES: usize = 20;

/// Where rows begin.
type Lines = [MaybeUninit<*const ()>; PIECES];

/// Where a single pixel's values lie, `len` at each of n places, and the first channel's weights.
struct Spots {
    x: Lines,
    w: Lines,
    n: usize,
    len: usize,
}

impl Spots {
    #[inline(always)]
    fn new(len: usize) -> Self {
        let [x, w] = [[const { MaybeUninit::uninit() }; PIECES]; 2];
        Spots { x, w, n: 0, len }
    }

    /// One more; what there is no room for is counted.
    #[inline(always)]
    fn push<T, W>(&mut self, x: *const T, w: *const W) {
        if let (Some(to), Some(at)) = (self.x.get_mut(self.n), self.w.get_mut(self.n)) {
            to.write(x.cast());
            at.write(w.cast());
        }
        self.n += 1;
    }
}

impl Pieces {
    #[inline(always)]
    fn new() -> Self {
        Pieces([const { MaybeUninit::uninit() }; PIECES])
    }

    /// Whether `len` values of so many rows, and the end, are no more than there is room for.
    #[inline(always)]
    fn hold<T, W>(rows: usize, len: usize) -> bool {
        let lanes = 1 << lanes(size_of::<T>(), size_of::<W>());
        rows * (len.div_ceil(lanes * VECTORS) + usize::from(!len.is_multiple_of(lanes))) < PIECES
    }
}

/// From n on all are what the one before is.
#[inline(always)]
fn again<V: Copy>(all: &mut [V; PIXELS], n: usize) {
    if let Some(&last) = all.get(n.wrapping_sub(1)) {
        all.iter_mut().skip(n).for_each(|v| *v = last);
    }
}

/// What a loop over channels works on. Its first half lies on the stack of the loop over pairs, in this order.
#[repr(C)]
struct Call {
    /// The next piece, and the first.
    piece: *const Piece,
    first: *mut Piece,
    /// The pair that is worked on, and its outputs.
    at: *mut (),
    y: *mut (),
    /// Bytes from the end of a channel's weights to those of the next, and between the beginnings.
    gap: usize,
    len: usize,
    zero: i32,
    /// The end of all pairs.
    end: *const (),
    /// Bytes of the weights of a part of a vector.
    part: usize,
    groups: usize,
    channels: *mut (),
    w: *const (),
    /// Bytes from the end of a group's outputs to the next group's, and between their values.
    leap: usize,
    hop: usize,
    /// The piece that is the end.
    last: *mut Piece,
    /// Where a pair begins in the loop, and where a piece goes on; the values themselves and the end, if there is only one.
    begin: usize,
    next: usize,
    /// Unused.
    pad: usize,
    low: i32,
    high: i32,
    /// Values of a part of a vector.
    tail: usize,
    /// Where in bytes behind `y` a group's pixels are written; or where behind `at` the scales of four channels lie.
    spots: [usize; PIXELS],
    /// Channels.
    count: usize,
}

impl Call {
    /// Without inputs and outputs: `n` bytes of weights from `w` on, and `len` to those of the next channel; and how outputs are cut off.
    #[inline(always)]
    fn new<P, W>(channels: *mut P, len: usize, n: usize, w: *const W, requant: &Requant) -> Self {
        let channels = channels.cast();
        Call {
            piece: null(),
            first: null_mut(),
            at: channels,
            y: null_mut(),
            gap: len.wrapping_sub(n),
            len,
            zero: requant.zero,
            end: null(),
            part: 0,
            groups: 1,
            channels,
            w: w.cast(),
            leap: 0,
            hop: 0,
            last: null_mut(),
            begin: 0,
            next: 0,
            pad: 0,
            spots: [0; PIXELS],
            low: requant.low,
            high: requant.high,
            tail: 0,
            count: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::portable;
    use crate::arch::testing::{Random, columns_row, interleave, wide_sums};
    use crate::{Activation, Quant, Shape, Window};

    fn outputs_are_those_of_the_portable_loops<T: Element, W: Element, A: Accumulator>() {
        let mut random = Random(7);
        let (mut bordered, mut single) = (0, 0);
        for case in 0..if cfg!(miri) { 5 } else { 600 } {
            let [most, wide, many] = if cfg!(miri) { [3, 12, 6] } else { [portable::SUMS, 40, 10] };
            let (channels, rows, taps) = (1 + random.below(most), 1 + random.below(3), 1 + random.below(3));
            let c = if case % 7 == 0 && !cfg!(miri) { 100 } else { 1 + random.below(wide) };
            let (count, stride) = (1 + random.below(many), 1 + random.below(2));
            let n = rows * taps * c;
            let (skip, behind) = (random.below(5), random.below(5));
            let run = Run { n, len: skip + n + behind, skip };
            // The first and last columns lie outside and are as the zero point.
            let width = (count.max(PIXELS) - 1) * stride + taps;
            let (mut left, mut right) = (random.below(4), random.below(4));
            if left + right >= width || case % 5 == 0 {
                (left, right) = (0, 0);
            }
            let x_zero = random.below(256) as i32 - 128;
            let outside = |i| i % width < left || i % width >= width - right;
            let value = |i| if outside(i / c) { T::from_i32(x_zero) } else { random.element() };
            let x: std::vec::Vec<T> = (0..rows * width * c).map(value).collect();
            let w: std::vec::Vec<W> = (0..channels * run.len).map(|_| random.element()).collect();
            // So many biases and multipliers serve the channels in turn.
            let turn = if case % 3 == 0 { 1 + random.below(channels) } else { channels };
            let bias = (0..turn * usize::from(case % 9 != 0)).map(|_| A::from_i64(random.below(2001) as i64 - 1000));
            let bias: std::vec::Vec<A> = bias.collect();
            let factor = if case % 10 == 0 { 1.5 } else { 0.004 };
            let factors =
                (0..if case % 11 == 0 { 1 } else { turn }).map(|_| factor * (1.0 + random.below(100) as f64 / 100.0));
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
            // What really lies around them is anything.
            let mut around: std::vec::Vec<T> = x.iter().map(|_| random.element()).collect();
            let real = |i: &usize| !outside(i / c);
            (0..x.len()).filter(real).for_each(|i| around[i] = x[i]);
            let inner = around.chunks(width * c).map(|line| &line[left * c..(width - right) * c]);
            let inner: std::vec::Vec<_> = inner.collect();
            let (to, pitch, zero) = (random.below(3), channels + random.below(3), random.below(256) as i32 - 128);
            let zero = if count == 1 { x_zero } else { zero };
            let (step, len) = (stride * c, taps * c);
            let written = to + (count - 1) * pitch + channels;
            let pixels = Pixels { count: count.max(PIXELS), rows: &lines, from: 0, step, len, zero: 0, to, pitch };
            let (mut ours, mut theirs) = (vec![T::default(); written], vec![T::default(); to + pixels.count * pitch]);
            let mut job = Job::<i32, A>::new(&block);
            // As in an earlier phase.
            job.start::<T>();
            job.subtract(zero, &w, Run { n: 0, ..run });
            job.start::<T>();
            job.subtract(zero, &w, run);
            if case % 5 == 2 {
                // What a pixel alone needs does not say what the sums are.
                job.factors();
            }
            // The first and the last pixel may lack channels, which are not written.
            let some = case % 4 == 1;
            let (skip, last) = if some { (random.below(channels), random.below(channels)) } else { (0, channels) };
            let from = -((left * c) as isize);
            let row = Pixels { count, rows: &inner, from, step, len, zero: x_zero, to: to + skip, pitch };
            let mut gaps = 0..0;
            if job.row(&mut Patch::new(), &w, run, &row, [skip, last], &mut ours[..written - channels + last]) {
                bordered += usize::from(left + right > 0);
                single += usize::from(count == 1);
                gaps = to..to + skip;
            } else if left + right > 0 || count < PIXELS || some {
                continue;
            } else {
                job.groups(&mut Patch::new(), &w, run, &pixels, &mut ours);
            }
            let interleaved = interleave(&w, run.len);
            let mut their = portable::Job::<i32, A>::new(&block);
            their.start::<T>();
            their.subtract(zero, &interleaved, run);
            assert_eq!(PIXELS, portable::PIXELS);
            their.groups(&mut portable::Patch::new(), &interleaved, run, &pixels, &mut theirs);
            if !gaps.is_empty() || last < channels {
                theirs[gaps].fill(T::default());
                theirs[written - channels + last..].fill(T::default());
            }
            assert!(ours == theirs[..written], "case {case}: {channels} channels of {n} values");

            // Sums of another loop.
            if channels <= CHANNELS {
                let (mut ours, mut theirs) = (vec![T::default(); PIXELS * pitch], vec![T::default(); PIXELS * pitch]);
                job.outputs(&Patch::new(), &w, run, &mut ours, pitch);
                their.start::<T>();
                their.outputs(&portable::Patch::new(), &interleaved, run, &mut theirs, pitch);
                assert!(ours == theirs, "case {case}: the biases of {channels} channels");
            }

            // One pixel alone, in one piece a row or a piece for each tap.
            let x = Window::whole(&x, Shape::new(rows, width, c)).unwrap();
            let (pieces, len) = if case % 2 == 0 { (1, len) } else { (taps, c) };
            let zero = if size_of::<T>() == 1 || case % 4 == 0 { x_zero } else { 0 };
            let from = random.below(count) * step;
            let asked = random.below(channels);
            let asked = asked..asked + 1 + random.below(channels - asked);
            let lines = if case % 8 < 4 { &lines[..] } else { &[] };
            let one = Pixel {
                x: &x,
                lines,
                top: 0,
                row_step: 1,
                rows,
                from,
                step: c,
                pieces,
                len,
                skip,
                row: taps * c,
                zero,
                channels: asked.clone(),
            };
            let (mut ours, mut theirs) = (vec![T::default(); asked.len()], vec![T::default(); asked.len()]);
            job.pixel(&mut Patch::new(), &w, run, &one, &mut ours);
            portable::pixel::<T, W, i32, A, BLOCK>(&block, &w, run, &one, &mut theirs);
            assert!(ours == theirs, "case {case}: {asked:?} of a pixel of {channels} channels of {n} values");

            // The same as a row.
            let one = Pixel { channels: 0..channels, ..one };
            let (mut ours, mut theirs) = (vec![T::default(); channels], vec![T::default(); channels]);
            alone::<T, W, i32, A>(&block, &w, run, &one, &mut ours);
            portable::pixel::<T, W, i32, A, BLOCK>(&block, &w, run, &one, &mut theirs);
            assert!(ours == theirs, "case {case}: a row of {channels} channels of {n} values");
        }
        let enough = bordered > 200 && (size_of::<T>() == 2 || single > 20);
        assert!(cfg!(miri) || enough, "{bordered}, {single}");
    }

    wide_sums!(portable::SUMS);

    /// Columns read all rows, the other loops as many values as they are told to, which are none here.
    #[test]
    fn two_channels_of_shared_taps_are_columns() {
        let one = [Multiplier::from_real(0.004).unwrap()];
        for (c, rows, width, taken) in
            [(16, 2, 40, true), (1, 2, 1, true), (7, 1, 9, true), (17, 2, 9, false), (4, 3, 9, false)]
        {
            columns_row([c, rows, width], &[3000], &one, |block, w, run, pixels, expected| {
                let mut y = vec![99; 2 * width];
                few(block, w, Run { n: 0, ..run }, &[], pixels, [1, 1], &mut y);
                assert_eq!(y == expected, taken, "{rows} rows of {width} x {c}");
            });
        }
    }

    #[test]
    fn few_channels_are_exact() {
        crate::arch::testing::few_is_exact!(i8);
        crate::arch::testing::few_is_exact!(i16);
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
