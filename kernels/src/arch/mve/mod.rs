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
pub(crate) mod depth;
mod isa;

use super::depth::Sums;
use super::portable::{self, Block, Pixel, Pixels, Run, any_group, groups};
use crate::quant::{Accumulator, Multiplier};
use crate::rows::{cut, cut_mut};
use crate::{Element, Rounding};
pub(crate) use alone::alone;
use core::mem::MaybeUninit;
use core::ptr::{null, null_mut};
use isa::{Loop, VECTORS};

/// Output channels whose weights are interleaved; the order of packed weights follows it.
pub(crate) const BLOCK: usize = 1;
/// Output pixels computed at once.
pub(crate) const PIXELS: usize = 4;
/// Output channels whose sums are held at once.
pub(crate) const SUMS: usize = 32;
/// So many channels have pixels outside the input one by one: all, where [`Job::row`] does not take them.
pub(crate) const DIRECT: usize = SUMS;
/// Up to so many channels, column phases are channels where they are alike: of more, what the first and last pixels lack costs more. Where groups
/// make up all pixels, and where one lies over another.
pub(crate) const ALIKE: [usize; 2] = [8, 7];
/// Values of a patch.
const CHUNK: usize = 80;

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

/// How the loop over channels ends: with sums, or with outputs that are rounded as named.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Sums,
    Single,
    Double,
}

/// A block of channels.
pub(crate) struct Job<'a, S, A> {
    pub(crate) block: &'a Block<'a, A>,
    /// Those of the first `count` channels; beside the count, as a vector that is empty at compile time is all zeros, uselessly.
    pairs: [MaybeUninit<Pair<S>>; SUMS / 2],
    count: usize,
    /// Sums to which another loop adds.
    apart: [MaybeUninit<[S; PIXELS]>; SUMS],
    /// What is subtracted from each input, and the weights that it is multiplied by.
    rest: i32,
    run: Run,
    /// Whether the sums are still to be set to what they are before any product, or will be after a group that has begun.
    stale: bool,
    begun: bool,
    /// How outputs are made; from sums where the formulas do not hold.
    end: End,
    /// Bytes of an input.
    size: usize,
}

impl<'a, S: Accumulator, A: Accumulator> Job<'a, S, A> {
    /// [`portable::Job::new`](super::portable::Job::new)
    #[inline(always)]
    pub(crate) fn new(block: &'a Block<'a, A>) -> Self {
        let (pairs, run) = ([const { MaybeUninit::uninit() }; SUMS / 2], Run { n: 0, len: 0, skip: 0 });
        let apart = [const { MaybeUninit::uninit() }; SUMS];
        Job { block, pairs, count: 0, apart, rest: 0, run, stale: false, begun: false, end: End::Sums, size: 1 }
    }

    /// All sums of each channel; in the last pair there may be one channel too many.
    #[inline(always)]
    fn all_sums(&self) -> impl Iterator<Item = &[S; PIXELS]> {
        // SAFETY: the pairs of `count` channels are written before these are counted, no more than SUMS.
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
        let wide = size_of::<A>() == 8;
        let mut highest = -1;
        let mut scale = |m: &Multiplier| {
            let [q, shift] = factor(m, wide);
            highest = shift.max(highest);
            [q, shift]
        };
        let sums = [[S::default(); PIXELS]; 2];
        let n = block.channels.min(SUMS);
        let pairs = self.pairs.iter_mut().take(n.div_ceil(2));
        match block.multipliers {
            [m] => {
                let scale = [scale(m); 2];
                pairs.for_each(|pair| _ = pair.write(Pair { sums, scale }));
            }
            all if all.len() >= n => {
                let (twos, odd) = all.get(..n).unwrap_or_default().as_chunks();
                let mut pairs = pairs;
                for ([a, b], pair) in twos.iter().zip(&mut pairs) {
                    let pair = pair.as_mut_ptr();
                    // SAFETY: it is there; its sums are written before they are read.
                    unsafe { (&raw mut (*pair).scale).write([scale(a), scale(b)]) };
                }
                for (m, pair) in odd.iter().zip(pairs) {
                    pair.write(Pair { sums, scale: [scale(m); 2] });
                }
            }
            all => {
                let mut all = all.iter().cycle();
                for pair in pairs {
                    let scale = [(); 2].map(|()| all.next().map_or([0; 2], &mut scale));
                    pair.write(Pair { sums, scale });
                }
            }
        }
        self.count = n;
        self.end = match block.requant.rounding {
            _ if size_of::<S>() != 4 || highest >= 0 => End::Sums,
            Rounding::TfliteDouble => End::Double,
            _ => End::Single,
        };
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

    /// `sums[c] = bias[c] − rest · Σ_i w[c][skip + i]`, wrapping.
    #[inline(never)]
    fn before<W: Element>(&mut self, w: &[W], run: Run) {
        self.stale = false;
        let (n, size) = (self.count, size_of::<W>());
        let fits = run.skip + run.n <= run.len && n * run.len <= w.len() && n > 0;
        if size_of::<S>() == 4 && size_of::<A>() == 4 && self.rest != 0 && fits {
            let turns: [i32; SUMS];
            let (from, step) = match self.block.bias {
                [] => (&raw const ZERO, 0),
                [bias] => (core::ptr::from_ref(bias).cast(), 0),
                all if all.len() >= n => (all.as_ptr().cast(), 4),
                all => {
                    let mut all = all.iter().cycle();
                    turns = core::array::from_fn(|_| all.next().map_or(0, |bias| bias.to_i64() as i32));
                    (turns.as_ptr(), 4)
                }
            };
            let total = Total {
                to: self.pairs.as_mut_ptr().cast(),
                from,
                step,
                w: w.as_ptr().wrapping_add(run.skip).cast(),
                n: run.n,
                // The loop has passed over whole vectors.
                next: (run.len * size).wrapping_sub((run.n * size).next_multiple_of(16)),
                low: self.rest,
                count: n,
            };
            // SAFETY: there are n weights of each channel and as many biases, or one of a step of 0, and S has 32 bits.
            return unsafe { isa::subtract(size)(&total) };
        }
        let (block, rest) = (self.block, self.rest);
        for (c, sums) in self.all_sums_mut().enumerate() {
            let w = if rest == 0 { &[] } else { cut(w, c * run.len + run.skip, run.n) };
            *sums = [w.iter().fold(block.bias(c), |sum, w| sum.mac(-rest, w.to_i32())); PIXELS];
        }
    }

    /// [`portable::Job::sums`], apart from the pairs.
    pub(crate) fn sums(&mut self) -> Sums<'_, S> {
        let (n, block) = (self.count, self.block);
        if !self.begun {
            let biases = self.apart.iter_mut().take(n).enumerate();
            biases.for_each(|(c, sums)| _ = sums.write([block.bias(c); PIXELS]));
            self.begun = true;
        }
        // SAFETY: as many have been written.
        Sums::of(unsafe { core::slice::from_raw_parts_mut(self.apart.as_mut_ptr().cast(), n) })
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
        self.sums();
        let apart = self.apart;
        for (sums, apart) in self.all_sums_mut().zip(&apart) {
            // SAFETY: written just now or earlier.
            *sums = unsafe { apart.assume_init() };
        }
        self.begun = false;
        self.finish(patch, w, Run { n: 0, ..run }, y, pitch);
    }

    /// [`portable::Job::mac`](super::portable::Job::mac)
    fn mac<W: Element>(&mut self, patch: &Patch, w: &[W], run: Run) {
        let size = self.size;
        self.begun = true;
        if size_of::<S>() == 4 {
            // SAFETY: the patch holds n values, and S has 32 bits.
            return unsafe {
                match size {
                    1 => self.group::<i8, W>(patch, w, run, End::Sums, &mut [], 0),
                    _ => self.group::<i16, W>(patch, w, run, End::Sums, &mut [], 0),
                }
            };
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
        let (n, x) = (self.count, core::array::from_fn(|p| patch.x.as_ptr().wrapping_add(p).cast::<T>()));
        let fits = end == End::Sums || (PIXELS - 1) * pitch + n <= y.len();
        if !fits || run.skip + run.n > run.len || n * run.len > w.len() {
            return;
        }
        let (w, y) = (w.as_ptr().wrapping_add(run.skip), y.as_mut_ptr());
        // SAFETY: the caller's; there are n weights of each channel, and room for outputs.
        unsafe {
            if n > 1 {
                self.one::<T, W, false>(x, w, run, end, y, pitch);
            }
            if n % 2 == 1 {
                let (w, y) = (w.wrapping_add((n - 1) * run.len), y.wrapping_add(n - 1));
                self.one::<T, W, true>(x, w, run, end, y, pitch);
            }
        }
    }

    /// One group of pixels for all pairs of channels or the odd one.
    ///
    /// # Safety
    /// Each pixel has n values at its `x`, there are weights of all channels from `w` on, and room for outputs from `y` on.
    unsafe fn one<T: Element, W: Element, const ODD: bool>(
        &mut self,
        x: [*const T; PIXELS],
        w: *const W,
        run: Run,
        end: End,
        y: *mut T,
        pitch: usize,
    ) {
        let (l, mut call, mut pieces) = (isa::pick::<T, W>(ODD), self.call::<W, ODD>(w, run), Pieces::new());
        call.write(y, pitch);
        // SAFETY: the caller's; n values make two pieces at most.
        unsafe {
            pieces.lay::<T, W>(l, &mut call, 1, run.n, end);
            pieces.put::<T, W>(0, run.n, x);
            (l.run)(&mut call);
        }
    }

    /// The outputs that are not made in registers.
    #[inline(never)]
    fn by_sums<T: Element, W: Element>(&mut self, patch: &Patch, w: &[W], run: Run, y: &mut [T], pitch: usize) {
        self.mac(patch, w, run);
        for p in 0..PIXELS {
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
        let (block, spots) = (self.block, one.rows * one.pieces);
        let (first, end) = (one.channels.start, one.channels.end);
        let last = one.skip + one.rows.saturating_sub(1) * one.row + one.pieces * one.len;
        let fits = size_of::<S>() == 4
            && (size_of::<T>() == 1 || one.zero == 0)
            && first < end
            && end <= self.count
            && end * run.len <= w.len()
            && last <= run.len
            && end - first <= y.len()
            && spots * one.len * size_of::<i16>() <= size_of::<Patch>()
            && Pieces::hold::<W, i16>(spots, one.len);
        let x = patch.x.as_mut_ptr().cast::<i16>();
        let mut to = x;
        for row in 0..if fits { one.rows } else { 0 } {
            for i in 0..one.pieces {
                let (from, _) = one.piece(row, i);
                // SAFETY: the patch has room for all values; an element of two bytes is an i16.
                unsafe { isa::widen(size_of::<T>())(to, from.as_ptr().cast(), from.len(), one.zero) };
                to = to.wrapping_add(from.len());
            }
        }
        if to != x.wrapping_add(spots * one.len) || !fits {
            return portable::pixel::<T, W, S, A, BLOCK>(block, w, run, one, y);
        }
        let (l, mut pieces) = (isa::pick::<W, i16>(true), Pieces::new());
        let mut pair = Pair { sums: [[0; PIXELS]; 2], scale: [[0; 2]; 2] };
        let mut call = Call::new(&raw mut pair, 0, 0, x.cast_const());
        // SAFETY: there is room for all pieces.
        unsafe { pieces.lay::<W, i16>(l, &mut call, spots, one.len, End::Sums) };
        let (mut c, mut y) = (first, y);
        while c < end {
            // The second of a pair comes alone.
            let count = if c.is_multiple_of(2) { PIXELS.min(end - c) } else { 1 };
            pair.sums = [core::array::from_fn(|p| block.bias::<i32>(c + p)), [0; PIXELS]];
            // Channels that do not exist are computed all the same.
            let w = core::array::from_fn(|p| w.as_ptr().wrapping_add((c + p).min(end - 1) * run.len + one.skip));
            for row in 0..one.rows {
                for i in 0..one.pieces {
                    let w = w.map(|w: *const W| w.wrapping_add(row * one.row + i * one.len));
                    // SAFETY: there are as many pieces.
                    unsafe { pieces.put::<W, i16>(row * one.pieces + i, one.len, w) };
                }
            }
            call.channels = (&raw mut pair).cast();
            // SAFETY: `len` weights of each channel lie in all places.
            unsafe { (l.run)(&mut call) };
            let (to, left) = y.split_at_mut_checked(count).unwrap_or_default();
            if self.end == End::Sums {
                let sums = pair.sums[0].into_iter().map(|sum| S::from_i64(sum.into()));
                block.requant.all::<T, S, A>(sums, block.multipliers(c), to);
            } else {
                // The scale of a pair's second channel lies behind the first one's.
                let from = self.pairs.as_ptr().wrapping_add(c / 2).wrapping_byte_add(c % 2 * 8).cast();
                // SAFETY: there are `count` channels from this one on, and room for their outputs.
                unsafe {
                    isa::scale::<T>(self.end)(&pair.sums[0], from, to.as_mut_ptr().cast(), count, &block.requant)
                };
            }
            (c, y) = (c + count, left);
        }
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
        let &Pixels { rows, from, count, step, len, zero, to, pitch } = pixels;
        // All bounds are checked here, once. A single pixel costs less alone.
        let n = self.count;
        let fits = self.end != End::Sums
            && run.n > 0
            && count > 1
            && rows.len() * len == run.n
            && run.skip + run.n <= run.len
            && n * run.len <= w.len()
            && skip <= n
            && n <= pitch
            && to + (count - 1) * pitch + last <= y.len() + skip
            && Pieces::hold::<T, W>(rows.len(), len);
        if !fits {
            return false;
        }
        // From one pixel to another all values lie inside.
        let (mut inside, mut end, mut place) = (0, count, from);
        while inside < count && place < 0 {
            (inside, place) = (inside + 1, place + step as isize);
        }
        let width = rows.iter().map(|row| row.len()).min().unwrap_or(0);
        place = from + ((count - 1) * step + len) as isize;
        while end > inside && place > width as isize {
            (end, place) = (end - 1, place - step as isize);
        }
        // As if they did not: pixels without all channels.
        (inside, end) = (inside.max(usize::from(skip > 0)), end.min(count - usize::from(last < n)));
        let mut edges = PIXELS;
        if (inside > 0 || end < count) && PIXELS * run.n * size_of::<T>() > size_of::<Patch>() {
            edges = (size_of::<Patch>() / size_of::<T>()).checked_div(run.n).unwrap_or(0);
        }
        if edges == 0 {
            return false;
        }
        self.fresh(w, run);
        let span = Span { pixels, width, inside, end, edges, zero: word::<T>(zero), ends: [skip, last] };
        let (w, y) = (w.as_ptr().wrapping_add(run.skip), y.as_mut_ptr().wrapping_add(to).wrapping_sub(skip));
        // SAFETY: just checked: weights, and room for outputs of all channels.
        unsafe {
            if n > 1 {
                self.part::<T, W, false>(patch, w, run, &span, y);
            }
            if n % 2 == 1 {
                self.part::<T, W, true>(patch, w.wrapping_add((n - 1) * run.len), run, &span, y.wrapping_add(n - 1));
            }
        }
        true
    }

    /// The outputs of all pairs of channels, or of the odd one.
    ///
    /// # Safety
    /// There are weights of all channels from `w` on, room for the outputs of all pixels from `y` on, and for all pieces.
    #[inline(never)]
    unsafe fn part<T: Element, W: Element, const ODD: bool>(
        &mut self,
        patch: &mut Patch,
        w: *const W,
        run: Run,
        span: &Span<'_, T>,
        y: *mut T,
    ) {
        let &Pixels { rows, count, step, len, pitch, .. } = span.pixels;
        let (l, mut call, mut pieces) = (isa::pick::<T, W>(ODD), self.call::<W, ODD>(w, run), Pieces::new());
        call.hop = PIXELS * step * size_of::<T>();
        // SAFETY: the caller's.
        unsafe { pieces.lay::<T, W>(l, &mut call, rows.len(), len, self.end) };
        // Of the first and the last pixel among those of the call.
        let before = if ODD { self.count - 1 } else { 0 };
        let [skip, end] = span.ends.map(|c| c.saturating_sub(before).min(call.count));
        let (last, mut i) = (count.saturating_sub(PIXELS), 0);
        while i < count {
            // The last group may begin among pixels that are done, and does them again.
            let start = i.min(last);
            let whole = start >= span.inside && start + PIXELS <= span.end;
            call.groups = if whole { (span.end - start) / PIXELS } else { 1 };
            let (start, n) = if whole { (start, PIXELS * call.groups) } else { span.group(i) };
            for (r, row) in rows.iter().enumerate() {
                // SAFETY: the caller's.
                unsafe { pieces.put::<T, W>(r, len, span.places(row, start)) };
            }
            if !whole {
                // SAFETY: the caller's.
                unsafe { span.border::<W>(patch, &mut pieces, start, n) };
            }
            let out = y.wrapping_add(start * pitch);
            let ends = [if start == 0 { skip } else { 0 }, if start + n == count { end } else { call.count }];
            // SAFETY: `len` values of each pixel lie in every row or in the patch; the rest is the caller's.
            unsafe {
                if n < PIXELS || ends != [0, call.count] {
                    few(l, &mut call, out, n, ends, pitch);
                } else {
                    call.write(out, pitch);
                    (l.run)(&mut call);
                }
            }
            i = start + n;
        }
    }

    /// The products of n values and their weights from `w` on for all pairs of channels, or the odd one, without inputs and outputs.
    #[inline(always)]
    fn call<W: Element, const ODD: bool>(&mut self, w: *const W, run: Run) -> Call {
        let pairs = self.count / 2;
        let first = self.pairs.as_mut_ptr().wrapping_add(if ODD { pairs } else { 0 });
        let mut call = Call::new(first, run.len * size_of::<W>(), run.n * size_of::<W>(), w);
        call.end = self.pairs.as_ptr().wrapping_add(pairs).cast();
        call.count = if ODD { 1 } else { 2 * pairs };
        (call.zero, call.low, call.high) = (self.block.requant.zero, self.block.requant.low, self.block.requant.high);
        call
    }
}

/// q and −e of the formulas. Tflite16x8 is single rounding by the upper half of q; a product of 0 is 0 by any shift.
#[inline(always)]
fn factor(m: &Multiplier, wide: bool) -> [i32; 2] {
    let q = if wide { m.q16() << 16 } else { m.q() };
    [q, if q == 0 { -1 } else { m.shift().into() }]
}

/// Values of a vector.
const fn lanes<T, W>() -> usize {
    if size_of::<T>() * size_of::<W>() == 1 { 16 } else { 8 }
}

/// A zero point as a word of values.
fn word<T: Element>(zero: i32) -> u32 {
    if size_of::<T>() == 1 { u32::from(zero as u8) * 0x0101_0101 } else { u32::from(zero as u16) * 0x1_0001 }
}

/// Runs a loop for one group of which only the first `count` pixels exist, the first one without some channels and the last one with some: the
/// others are computed all the same.
///
/// # Safety
/// As for the loop, with room for the outputs of the first pixels.
#[inline(never)]
unsafe fn few<T: Element>(l: Loop, call: &mut Call, y: *mut T, count: usize, [skip, last]: [usize; 2], pitch: usize) {
    let n = call.count;
    let mut own = [const { MaybeUninit::<T>::uninit() }; PIXELS * SUMS];
    call.write(own.as_mut_ptr(), n);
    // SAFETY: the caller's, and `own` has room for all channels.
    unsafe { (l.run)(call) };
    for (p, own) in own.chunks_exact(n.max(1)).take(count).enumerate() {
        let (from, end) = (if p == 0 { skip } else { 0 }, if p + 1 == count { last } else { n });
        let (y, own) = (y.wrapping_add(p * pitch + from), own.as_ptr().wrapping_add(from));
        let bytes = end.saturating_sub(from) * size_of::<T>();
        // SAFETY: the loop has written each channel's, and the caller names the room.
        unsafe { isa::edge(y.cast(), own.cast(), 0, 0, bytes, 0) };
    }
}

/// The pixels of a phase, of which some may lie outside.
struct Span<'a, T> {
    pixels: &'a Pixels<'a, T>,
    /// Values of each row.
    width: usize,
    /// From one pixel to the other they are inside.
    inside: usize,
    end: usize,
    /// So many others have room in a patch, four or at least one.
    edges: usize,
    /// What lies outside.
    zero: u32,
    /// Channels that the first pixel lacks, and that the last one has.
    ends: [usize; 2],
}

impl<T: Element> Span<'_, T> {
    /// Where four pixels' values lie in a row, inside or not.
    #[inline(always)]
    fn places(&self, row: &[T], start: usize) -> [*const T; PIXELS] {
        let x = row.as_ptr().wrapping_offset(self.pixels.first(start));
        core::array::from_fn(|p| x.wrapping_add(p * self.pixels.step))
    }

    /// A group that does pixel `i`: its first pixel and how many it has.
    #[inline(always)]
    fn group(&self, i: usize) -> (usize, usize) {
        let count = self.pixels.count;
        let start = i.min(count.saturating_sub(PIXELS));
        if self.edges >= PIXELS { (start, PIXELS.min(count)) } else { self.short(i, start) }
    }

    #[inline(never)]
    fn short(&self, i: usize, start: usize) -> (usize, usize) {
        let outside = |i| i < self.inside || i >= self.end;
        let most = |start: usize| {
            let (mut n, mut left) = (0, self.edges);
            while n < PIXELS && start + n < self.pixels.count && (left > 0 || !outside(start + n)) {
                left -= usize::from(outside(start + n));
                n += 1;
            }
            n
        };
        let n = most(start);
        if start + n > i { (start, n) } else { (i, most(i)) }
    }

    /// Copies the values of a group's pixels outside into a patch with what lies around them. Pixels behind the first n read what the last one does.
    ///
    /// # Safety
    /// The pieces are those of all rows.
    #[inline(never)]
    unsafe fn border<W>(&self, patch: &mut Patch, pieces: &mut Pieces, start: usize, n: usize) {
        let &Pixels { rows, len, .. } = self.pixels;
        let (left, right) = (self.inside.saturating_sub(start).min(n), self.end.saturating_sub(start).min(n));
        let mut to = patch.x.as_mut_ptr().cast::<T>();
        let mut p = if left > 0 { 0 } else { right };
        while p < n {
            let from = self.pixels.first(start + p);
            let before = if from < 0 { from.unsigned_abs().min(len) } else { 0 };
            let inner = (self.width as isize - from).min(len as isize).max(before as isize) as usize;
            let [a, b, c] = [before, inner - before, len - inner].map(|n| n * size_of::<T>());
            for (r, row) in rows.iter().enumerate() {
                let x = row.as_ptr().wrapping_offset(from + before as isize);
                // SAFETY: the patch has room for `edges` pixels, and values `before .. inner` lie in the row.
                unsafe { isa::edge(to.wrapping_add(r * len).cast(), x.cast(), self.zero, a, b, c) };
            }
            // SAFETY: the caller's.
            unsafe { pieces.set::<T, W>(rows.len(), len, p, to) };
            to = to.wrapping_add(rows.len() * len);
            p += 1;
            if p == left {
                p = right.max(left);
            }
        }
        if n < PIXELS {
            // SAFETY: the caller's.
            unsafe { pieces.repeat(rows.len(), n) };
        }
    }
}

/// A bias where there is none.
static ZERO: i32 = 0;

/// What `subtract` works on: n weights of `count` channels, and where their biases lie.
#[repr(C)]
#[derive(Clone, Copy)]
struct Total {
    to: *mut Pair<i32>,
    from: *const i32,
    step: usize,
    w: *const (),
    n: usize,
    /// Bytes to the weights of the next channel from where those of this one have been read to.
    next: usize,
    low: i32,
    count: usize,
}

/// Where some values of each pixel lie, and the place in the loop where as many products begin; or where the loop ends.
#[repr(C)]
#[derive(Clone, Copy)]
struct Piece {
    x: [*const (); PIXELS],
    then: usize,
}

/// The values of four pixels.
struct Pieces {
    pieces: [MaybeUninit<Piece>; PIECES],
    /// Pieces of a row, and how far before its place the only one begins.
    each: usize,
    before: usize,
}

/// An end is one of them, too.
const PIECES: usize = 16;

impl Pieces {
    #[inline(always)]
    fn new() -> Self {
        Pieces { pieces: [const { MaybeUninit::uninit() }; PIECES], each: 0, before: 0 }
    }

    /// Whether `len` values of so many rows, and the end, are no more than there is room for.
    #[inline(always)]
    fn hold<T, W>(rows: usize, len: usize) -> bool {
        let lanes = lanes::<T, W>();
        rows * (len.div_ceil(lanes * VECTORS) + usize::from(!len.is_multiple_of(lanes))) < PIECES
    }

    /// The places in the loop of `len` values of so many rows, and of its end.
    ///
    /// # Safety
    /// There is room for them.
    #[inline(always)]
    unsafe fn lay<T, W>(&mut self, l: Loop, call: &mut Call, rows: usize, len: usize, end: End) {
        let (lanes, mut at) = (lanes::<T, W>(), self.pieces.as_mut_ptr().cast::<Piece>());
        let (vectors, tail) = (len / lanes, len % lanes);
        (call.first, call.tail, call.part) = (at, tail, tail * size_of::<W>());
        self.each = vectors.div_ceil(VECTORS) + usize::from(tail > 0);
        self.before = if vectors == 0 { 0 } else { (VECTORS - vectors.min(VECTORS)) * lanes };
        // SAFETY: the caller's.
        unsafe {
            if self.each == 1 {
                let then = if tail > 0 { l.part() } else { l.vectors(vectors) };
                for _ in 0..rows {
                    (&raw mut (*at).then).write(then);
                    at = at.add(1);
                }
            } else {
                at = self.lay_many(l, rows, vectors, tail);
            }
            at.write(Piece { x: [null(); PIXELS], then: l.end(end) });
            call.last = at;
            [call.begin, call.next] = l.pieces();
            if rows * self.each == 1 && end != End::Sums {
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
    unsafe fn lay_many(&mut self, l: Loop, rows: usize, vectors: usize, tail: usize) -> *mut Piece {
        let mut at = self.pieces.as_mut_ptr().cast::<Piece>();
        for i in 0..rows * self.each {
            let left = vectors.saturating_sub(i % self.each.max(1) * VECTORS);
            let then = if left == 0 && tail > 0 { l.part() } else { l.vectors(left.min(VECTORS)) };
            // SAFETY: the caller's.
            unsafe {
                (&raw mut (*at).then).write(then);
                at = at.add(1);
            }
        }
        at
    }

    /// How far behind the first value of a row its piece `i` lies, less what the loop adds for the vectors before its place.
    fn behind(i: usize, vectors: usize, lanes: usize) -> isize {
        let left = vectors.saturating_sub(i * VECTORS);
        let before = if left == 0 { 0 } else { VECTORS - left.min(VECTORS) };
        (i * VECTORS).min(vectors).wrapping_sub(before).wrapping_mul(lanes) as isize
    }

    /// The first values of all pixels in a row.
    ///
    /// # Safety
    /// The row has been laid.
    #[inline(always)]
    unsafe fn put<T, W>(&mut self, row: usize, len: usize, x: [*const T; PIXELS]) {
        // SAFETY: the caller's.
        unsafe {
            if self.each == 1 {
                let piece = self.pieces.as_mut_ptr().cast::<Piece>().add(row);
                (&raw mut (*piece).x).write(x.map(|x| x.wrapping_sub(self.before).cast()));
            } else {
                self.put_many::<T, W>(row, len, x);
            }
        }
    }

    /// # Safety
    /// As above.
    #[inline(never)]
    unsafe fn put_many<T, W>(&mut self, row: usize, len: usize, x: [*const T; PIXELS]) {
        let (lanes, vectors) = (lanes::<T, W>(), len / lanes::<T, W>());
        let first = self.pieces.as_mut_ptr().cast::<Piece>().wrapping_add(row * self.each);
        for i in 0..self.each {
            let behind = Self::behind(i, vectors, lanes);
            let x = x.map(|x| x.wrapping_offset(behind).cast());
            // SAFETY: the caller's.
            unsafe { (&raw mut (*first.add(i)).x).write(x) };
        }
    }

    /// Those of one pixel in all rows, `len` each, one after another from `x` on.
    ///
    /// # Safety
    /// All pixels of so many rows have been put.
    #[inline(always)]
    unsafe fn set<T, W>(&mut self, rows: usize, len: usize, p: usize, x: *const T) {
        let (lanes, vectors) = (lanes::<T, W>(), len / lanes::<T, W>());
        for (i, piece) in self.pieces.iter_mut().take(rows * self.each).enumerate() {
            let x = if self.each == 1 {
                x.wrapping_add(i * len).wrapping_sub(self.before)
            } else {
                let (row, i) = (i / self.each.max(1), i % self.each.max(1));
                x.wrapping_add(row * len).wrapping_offset(Self::behind(i, vectors, lanes))
            };
            // SAFETY: the caller's.
            if let Some(to) = unsafe { piece.assume_init_mut() }.x.get_mut(p) {
                *to = x.cast();
            }
        }
    }

    /// Pixels from n on read what the one before does.
    ///
    /// # Safety
    /// All pixels of so many rows have been put.
    unsafe fn repeat(&mut self, rows: usize, n: usize) {
        for piece in self.pieces.iter_mut().take(rows * self.each) {
            // SAFETY: the caller's.
            let x = unsafe { &mut piece.assume_init_mut().x };
            let last = x.get(n.wrapping_sub(1)).copied().unwrap_or(null());
            x.iter_mut().skip(n).for_each(|x| *x = last);
        }
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
    /// Bytes between the outputs of two pixels.
    pitch: usize,
    low: i32,
    high: i32,
    /// Values of a part of a vector.
    tail: usize,
    /// Channels.
    count: usize,
}

impl Call {
    /// Without inputs and outputs: `n` bytes of weights from `w` on, and `len` to those of the next channel.
    #[inline(always)]
    fn new<P, W>(channels: *mut P, len: usize, n: usize, w: *const W) -> Self {
        let channels = channels.cast();
        Call {
            piece: null(),
            first: null_mut(),
            at: channels,
            y: null_mut(),
            gap: len.wrapping_sub(n),
            len,
            zero: 0,
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
            pitch: 0,
            low: 0,
            high: 0,
            tail: 0,
            count: 0,
        }
    }

    /// Where the outputs of the first group go.
    #[inline(always)]
    fn write<T>(&mut self, y: *mut T, pitch: usize) {
        (self.y, self.pitch) = (y.cast(), pitch * size_of::<T>());
        // Pairs move on by a channel after another.
        self.leap = (PIXELS * self.pitch).wrapping_sub((self.count & !1) * size_of::<T>());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::portable;
    use crate::{Activation, Quant, Shape, Window};

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
        let mut bordered = 0;
        for case in 0..if cfg!(miri) { 20 } else { 600 } {
            let (channels, rows, taps) = (1 + random.below(portable::SUMS), 1 + random.below(3), 1 + random.below(3));
            let c = if case % 7 == 0 { 100 } else { 1 + random.below(40) };
            let (count, stride) = (2 + random.below(9), 1 + random.below(2));
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
            // The first and the last pixel may lack channels, which are not written.
            let some = case % 4 == 1;
            let (skip, last) = if some { (random.below(channels), random.below(channels)) } else { (0, channels) };
            let from = -((left * c) as isize);
            let row = Pixels { count, rows: &inner, from, step, len, zero: x_zero, to: to + skip, pitch };
            let mut gaps = 0..0;
            if job.row(&mut Patch::new(), &w, run, &row, [skip, last], &mut ours[..written - channels + last]) {
                bordered += usize::from(left + right > 0);
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
        assert!(cfg!(miri) || bordered > 200, "{bordered}");
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
