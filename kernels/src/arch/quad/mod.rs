//! The inner loops of cores without vectors: assembly that differs in [`isa`] alone.
//!
//! Four pixels and one channel at a time: each weight is widened once for four products, and one `LDM` brings the values of four pixels. Few channels,
//! and single pixels, four channels at a time, read their inputs where they are ([`Strip`]). With the sums in registers to the end, requantisation of int8 outputs is part of the loop over channels:
//!
//! ```text
//! y = clamp8((((2 acc · q + 2^31) >> 32) + h + (acc < 0 ? −1 : 0)) >> e)  twice rounded, h = 2^(e−1) + zero · 2^e
//! y = clamp8(((2 acc · q >> 32) + h) >> e)                                once
//! ```
//!
//! which is TFLite's, for factors below 1/2, on Armv7-M 1/4 ([`SHIFT`]), and sums up to [`SMALL`].

mod alone;
mod few;
mod lines;
pub(super) mod points;

use super::isa;
use crate::arch::depth::Sums;
use crate::arch::pieces::{PIECES, Piece};
use crate::arch::portable::{self, Block, Pixel, Pixels, Run};
use crate::arch::{anew, small};
use crate::quant::Accumulator;
use crate::rows::{cut, cut_mut};
use crate::{Element, Multiplier, Rounding};
pub(crate) use alone::alone;
use core::mem::MaybeUninit;
use core::ops::{Deref, DerefMut, Range};
use core::ptr::{self, null_mut};
use core::slice::{Iter, from_mut};
pub(crate) use isa::Patch;

/// Output channels whose weights are interleaved; the order of packed weights follows it.
pub(crate) const BLOCK: usize = 1;
/// Output pixels computed at once.
pub(crate) const PIXELS: usize = 4;
/// Up to so many channels, column phases are channels where they are alike. Where groups make up all
/// pixels, and where one lies over another.
pub(crate) const ALIKE: [usize; 2] = [SUMS / 2; 2];
use isa::{CHUNK, COLUMNS};
#[allow(unused_imports)] // read where this backend is chosen
pub(crate) use {
    few::{FEW, few},
    isa::{DIRECT, SUMS},
    lines::{LINES, lines},
};

/// Sums up to here can be doubled, with [`isa::MORE`] bits and h.
pub(crate) const SMALL: u64 = (1 << if isa::MORE > 0 { 29 } else { 30 }) - 1;
/// The largest shift of a multiplier of which the formulas hold: factors are below 1/2, or below 1/4 where h has a bit less.
pub(crate) const SHIFT: i8 = if isa::MORE < 0 { -2 } else { -1 };

/// A channel: its sums, q, h and e of the formulas above, of which [`isa::MORE`] more bits are kept and q is [`isa::factor`]'s, and its sums before any product.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Channel<S> {
    pub(super) sums: [S; PIXELS],
    pub(super) q: i32,
    pub(super) h: i32,
    pub(super) e: i32,
    pub(super) start: S,
}

/// Up to SUMS channels. An own vector: making one of `heapless` zeroes its memory, which costs more than the loops of a short row.
struct Channels<S> {
    len: usize,
    all: [MaybeUninit<Channel<S>>; SUMS],
}

impl<S: Accumulator> Channels<S> {
    /// To be [started](Self::start).
    #[inline(always)]
    fn new() -> Self {
        Channels { len: 0, all: [const { MaybeUninit::uninit() }; SUMS] }
    }

    /// Those of a block; whether the formulas hold for all of them.
    #[inline(never)]
    fn start<A: Accumulator>(&mut self, block: &Block<'_, A>) -> bool {
        let &Block { channels: n, bias, multipliers, .. } = block;
        let (n, half) = (n.min(SUMS), 2 * block.requant.zero + 1);
        // Those after them are the same, in turn.
        let own = multipliers.len().max(bias.len()).min(n);
        let (mut sign, mut fails) = (0, false);
        let mut each = |channel: &mut MaybeUninit<Channel<S>>, m: Multiplier, bias: i64| {
            let (negative, fail) = channel.write(Channel::new::<A>(S::from_i64(bias), m, half)).fails();
            (sign, fails) = (sign | negative, fails | fail);
            small();
        };
        let all = self.all.get_mut(..own).unwrap_or_default();
        if let (Some(multipliers), Some(bias)) = (multipliers.get(..own), bias.get(..own)) {
            let (mut m, mut b) = (multipliers.as_ptr(), bias.as_ptr());
            for channel in all {
                // SAFETY: there are as many as channels.
                let (multiplier, bias) = unsafe { (m.read(), b.read()) };
                (m, b) = (m.wrapping_add(1), b.wrapping_add(1));
                each(channel, multiplier, bias.to_i64());
            }
        } else {
            let (mut m, mut b) = (multipliers.iter(), bias.iter());
            all.iter_mut().for_each(|channel| {
                let m = in_turn(&mut m, multipliers).copied().unwrap_or(Multiplier::ZERO);
                each(channel, m, in_turn(&mut b, bias).map_or(0, |bias| bias.to_i64()));
            });
        }
        let mut from = self.all.as_mut_ptr().cast::<Channel<S>>();
        for _ in own..if own > 0 { n } else { 0 } {
            // SAFETY: it has been written.
            let Channel { q, h, e, start, .. } = unsafe { from.read() };
            // SAFETY: there are n, and the one that is own channels later comes before their end.
            unsafe { from.add(own).write(Channel { sums: [start; PIXELS], q, h, e, start }) };
            from = from.wrapping_add(1);
            small();
        }
        self.len = if own > 0 { n } else { 0 };
        size_of::<S>() == 4 && block.largest <= SMALL && sign >= 0 && !fails
    }
}

impl<S> Deref for Channels<S> {
    type Target = [Channel<S>];

    #[inline(always)]
    fn deref(&self) -> &[Channel<S>] {
        // SAFETY: as many have been written; `alone`, which writes parts of them, makes no reference.
        unsafe { core::slice::from_raw_parts(self.all.as_ptr().cast(), self.len) }
    }
}

impl<S> DerefMut for Channels<S> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [Channel<S>] {
        // SAFETY: as many have been written.
        unsafe { core::slice::from_raw_parts_mut(self.all.as_mut_ptr().cast(), self.len) }
    }
}

impl<S: Accumulator> Channel<S> {
    /// Before any product; `half` is 2 zero + 1.
    #[inline(always)]
    fn new<A: Accumulator>(bias: S, m: Multiplier, half: i32) -> Self {
        let e = -i32::from(m.shift());
        // Bounds: |(2 zero + 1) · 2^e| <= 2^31 − 2^22 where the formulas hold; elsewhere it is not used.
        let h = half.wrapping_shl((e - 1 + isa::MORE) as u32);
        let q = if size_of::<A>() == 8 { m.q16() << 16 } else { isa::factor(m.q()) };
        Channel { sums: [bias; PIXELS], q, h, e: e + isa::MORE, start: bias }
    }

    /// Negative, or true, where the formulas do not hold, whichever the core does in fewer instructions: q is positive, but where a factor of 0 has e = 0.
    #[inline(always)]
    fn fails(&self) -> (i32, bool) {
        let e = self.e - isa::MORE;
        if isa::MORE > 0 { (0, !(1..=22).contains(&e)) } else { ((e + i32::from(SHIFT)) | (22 - e), false) }
    }
}

/// The outputs of the first sums of some channels.
///
/// # Safety
/// They have them.
#[inline(never)]
unsafe fn scale<T: Element, S: Accumulator, A: Accumulator>(
    block: &Block<'_, A>,
    channels: *const Channel<S>,
    some: Range<usize>,
    y: &mut [T],
) {
    // SAFETY: the caller's.
    let sums = some.clone().map(|c| unsafe { (&raw const (*channels.wrapping_add(c)).sums[0]).read() });
    block.requant.all::<T, S, A>(sums, block.multipliers(some.start), y);
}

/// The next one, in turn.
#[inline(always)]
fn in_turn<'a, V>(left: &mut Iter<'a, V>, all: &'a [V]) -> Option<&'a V> {
    left.next().or_else(|| {
        *left = all.iter();
        left.next()
    })
}

/// How the loop over channels ends: with sums, or with outputs that are rounded as named.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Sums,
    Double,
    Single,
}

impl End {
    /// The loop that ends so.
    #[inline(always)]
    fn of<F: Copy>(self, [sums, double, single]: [F; 3]) -> F {
        match self {
            End::Sums => sums,
            End::Double => double,
            End::Single => single,
        }
    }

    /// That for outputs of type T, where the formulas hold.
    #[inline(always)]
    fn of_outputs<T, A>(holds: bool, rounding: Rounding) -> Self {
        match rounding {
            _ if !holds || (size_of::<T>(), size_of::<A>()) != (1, 4) => End::Sums,
            Rounding::TfliteSingle => End::Single,
            _ => End::Double,
        }
    }
}

/// A block of channels.
pub(crate) struct Job<'a, S, A> {
    pub(crate) block: &'a Block<'a, A>,
    channels: Channels<S>,
    /// How int8 outputs are made; as sums first where the formulas do not hold.
    end: End,
    /// They have a narrower range than their type.
    clamps: bool,
    /// Sums become int16 outputs as rounded once by the upper half of q, without a zero point.
    halves: bool,
}

impl<'a, S: Accumulator, A: Accumulator> Job<'a, S, A> {
    /// [`portable::Job::new`]
    #[inline(always)]
    pub(crate) fn new(block: &'a Block<'a, A>) -> Self {
        Job { block, channels: Channels::new(), end: End::Sums, clamps: false, halves: false }
    }

    /// [`portable::Job::start`]
    #[inline(always)]
    pub(crate) fn start<T: Element>(&mut self) {
        let requant = self.block.requant;
        let holds = self.channels.start(self.block);
        self.clamps = requant.clamps::<T>();
        self.halves = holds && (size_of::<T>(), size_of::<A>(), requant.zero) == (2, 8, 0);
        self.end = End::of_outputs::<T, A>(holds, requant.rounding);
    }

    /// [`portable::Job::subtract`]
    pub(crate) fn subtract<W: Element>(&mut self, zero: i32, w: &[W], run: Run) {
        for (i, channel) in self.channels.iter_mut().enumerate() {
            for w in cut(w, i * run.len + run.skip, run.n) {
                channel.start = channel.start.mac(-zero, w.to_i32());
            }
            channel.sums = [channel.start; PIXELS];
        }
    }

    /// The products of n values of a patch, then the sums of others.
    #[inline(always)]
    fn mac<W: Element>(&mut self, call: &mut Call, w: &[W], run: Run) {
        if size_of::<S>() == 4 {
            let each = call.each;
            call.part(&mut self.channels, w, run);
            call.each = End::Sums.of(*call.loops);
            // SAFETY: S has 32 bits.
            unsafe { call.run() };
            call.each = each;
            return;
        }
        if size_of::<W>() == 1 && run.n > 0 {
            return self.mac_wide(call, w, run);
        }
        for (i, channel) in self.channels.iter_mut().enumerate() {
            for (i, w) in cut(w, i * run.len + run.skip, run.n).iter().enumerate() {
                for (p, sum) in channel.sums.iter_mut().enumerate() {
                    // SAFETY: the patch holds the values that the run names.
                    *sum = sum.mac(unsafe { (*call.x).get(p, i, size_of::<W>() == 2) }, w.to_i32());
                }
            }
        }
    }

    /// The same for sums of 64 bits: a patch's products with int8 weights fit 32.
    #[inline(never)]
    fn mac_wide<W: Element>(&mut self, call: &mut Call, w: &[W], run: Run) {
        let (each, end) = (call.each, call.end);
        call.each = End::Sums.of(*call.loops);
        for (i, channel) in self.channels.iter_mut().enumerate() {
            let mut part = [Channel { sums: [0i32; PIXELS], q: 0, h: 0, e: 0, start: 0 }];
            call.part(&mut part, w, Run { skip: i * run.len + run.skip, ..run });
            call.end = part.as_ptr_range().end.cast();
            // Bounds: values of a patch are below 2^16 in size, weights at most 2^7, and there are at most CHUNK <= 2^7: below 2^30 together.
            // SAFETY: a channel has 32-bit sums, and its weights have been checked.
            unsafe { call.run() };
            for (sum, part) in channel.sums.iter_mut().zip(part[0].sums) {
                *sum = S::from_i64(sum.to_i64() + i64::from(part));
            }
        }
        (call.each, call.end) = (each, end);
    }

    /// The next pixels begin.
    #[inline(always)]
    fn again(&mut self) {
        self.channels.iter_mut().for_each(|channel| channel.sums = [channel.start; PIXELS]);
    }

    /// [`portable::Job::sums`]
    pub(crate) fn sums(&mut self) -> Sums<'_, S> {
        // SAFETY: a channel begins with its sums.
        unsafe { Sums::new(&mut self.channels) }
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
        if self.end == End::Sums {
            self.requant(y, pitch);
        } else if let Some(mut call) = Call::new(patch, w, Run { n: 0, ..run }, &mut self.channels, self.end)
            && (PIXELS - 1) * pitch + self.channels.len() <= y.len()
        {
            (call.y, call.pitch) = (y.as_mut_ptr().cast(), pitch);
            // SAFETY: `end` says that S has 32 bits and outputs one byte, and y has room.
            unsafe { call.run() };
        }
        self.again();
        self.clamp(y, PIXELS, pitch);
    }

    /// The outputs of sums.
    #[inline(never)]
    fn requant<T: Element>(&self, y: &mut [T], pitch: usize) {
        let n = self.channels.len();
        if let Some(halves) = isa::HALVES.filter(|_| self.halves && n > 0 && (PIXELS - 1) * pitch + n <= y.len()) {
            let first = self.channels.as_ptr();
            // SAFETY: there are n channels, whose sums have 32 bits, outputs are i16 or transparent wrappers of it, and y has room.
            return unsafe { halves(first.cast(), first.wrapping_add(n).cast(), y.as_mut_ptr().cast(), 2 * pitch) };
        }
        for (c, channel) in self.channels.iter().enumerate() {
            let (m, mut at) = (self.block.multiplier(c), c);
            for sum in channel.sums {
                if let Some(y) = y.get_mut(at) {
                    self.block.requant.all::<T, S, A>([sum].into_iter(), [m].into_iter(), from_mut(y));
                }
                at += pitch;
            }
        }
    }

    #[inline(always)]
    fn clamp<T: Element>(&self, y: &mut [T], count: usize, pitch: usize) {
        if self.clamps {
            (0..count).for_each(|p| self.block.requant.clamp_narrow(cut_mut(y, p * pitch, self.channels.len())));
        }
    }

    /// [`portable::Job::groups`]
    #[inline(always)]
    pub(crate) fn groups<T: Element, W: Element>(
        &mut self,
        patch: &mut Patch,
        w: &[W],
        run: Run,
        pixels: &Pixels<'_, T>,
        y: &mut [T],
    ) {
        let &Pixels { count, rows, len, to, pitch, .. } = pixels;
        // All bounds of weights and outputs are checked here, once; the loops have none.
        let call = Call::new(patch, w, run, &mut self.channels, self.end).filter(|_| count >= PIXELS);
        let room = to + count.saturating_sub(1) * pitch + self.channels.len() <= y.len();
        let Some(mut call) = call.filter(|_| room && rows.len() * len == run.n) else { return };
        call.pitch = pitch;
        let patch = ptr::from_mut(patch);
        call.x = patch;
        // Groups all of whose values lie inside and fit the patch.
        let plain = 0..if run.n <= CHUNK && len > 0 && self.end != End::Sums { pixels.last() + 1 } else { 0 };
        let mut i = 0;
        while i < pixels.count {
            let pixels = anew(pixels);
            let &Pixels { count, rows, step, len, zero, to, pitch, .. } = pixels;
            let offset = Patch::offset::<T>(zero);
            // The first pixel of the last group may be there already.
            let three = isa::THREE.filter(|_| size_of::<W>() == 1 && self.end != End::Sums && i + PIXELS == count + 1);
            let at = i;
            i = i.min(count.wrapping_sub(PIXELS)); // at least PIXELS
            let mut y_at = to + i * pitch;
            if let Some(three) = three {
                (call.loops, call.each, y_at) = (three, self.end.of(*three), to + at * pitch);
            }
            let first = pixels.first(i);
            if plain.contains(&first) {
                let mut at = 0;
                for row in rows {
                    let x = four(row.as_ptr().wrapping_add(first as usize), step);
                    // SAFETY: every row has `len` values of four pixels from there on, and the patch room for n.
                    unsafe { (*patch).widen::<T, W>(at, &x, len, offset) };
                    at += len;
                }
                call.y = y.as_mut_ptr().cast::<i8>().wrapping_add(y_at);
                // SAFETY: outputs are made in registers, and y has room for those of each pixel.
                unsafe { call.run() };
                i += PIXELS;
                continue;
            }
            let outside = [T::from_i32(zero); OUTSIDE];
            let (mut at, mut left) = (0, run);
            for row in rows {
                let mut done = 0;
                while done < len {
                    if at == CHUNK {
                        self.mac(&mut call, w, Run { n: at, ..left });
                        (left.n, left.skip, at) = (left.n - at, left.skip + at, 0);
                    }
                    // So many values lie inside or outside at each pixel.
                    let mut n = (len - done).min(CHUNK - at);
                    let mut from = first + done as isize;
                    let last = usize::try_from(from).ok().and_then(|from| row.get(from + (PIXELS - 1) * step..));
                    let x = if let Some(last @ [_, ..]) = last {
                        n = n.min(last.len()); // the others have more
                        four(row.as_ptr().wrapping_add(from as usize), step)
                    } else {
                        [(); PIXELS].map(|()| {
                            let inside =
                                usize::try_from(from).ok().and_then(|from| row.get(from..)).unwrap_or_default();
                            let before = -from;
                            from += step as isize;
                            if inside.is_empty() {
                                n = n.min(if before > 0 { OUTSIDE.min(before as usize) } else { OUTSIDE });
                                return outside.as_ptr();
                            }
                            n = n.min(inside.len());
                            inside.as_ptr()
                        })
                    };
                    // SAFETY: n values are there at each pixel, and the patch has room for them.
                    unsafe { (*patch).widen::<T, W>(at, &x, n, offset) };
                    (at, done) = (at + n, done + n);
                }
            }
            if self.end == End::Sums {
                self.mac(&mut call, w, left);
                self.requant(y.get_mut(y_at..).unwrap_or_default(), pitch);
            } else {
                call.y = y.as_mut_ptr().cast::<i8>().wrapping_add(y_at);
                call.part(&mut self.channels, w, left);
                // SAFETY: as above.
                unsafe { call.run() };
            }
            if self.end == End::Sums || left.n < run.n {
                self.again();
                call.part(&mut self.channels, w, left);
            }
            i += PIXELS;
        }
        self.clamp(y.get_mut(pixels.to..).unwrap_or_default(), count, pitch);
    }

    /// [`portable::Job::row`]: [`few`] does what there is.
    #[inline(always)]
    pub(crate) fn row<T, W>(
        &mut self,
        _: &mut Patch,
        _: &[W],
        _: Run,
        _: &Pixels<'_, T>,
        _: [usize; 2],
        _: &mut [T],
    ) -> bool {
        false
    }

    /// [`portable::Job::pixel`]
    #[inline(always)]
    pub(crate) fn pixel<T: Element, W: Element>(
        &mut self,
        patch: &mut Patch,
        w: &[W],
        run: Run,
        one: &Pixel<'_, T>,
        y: &mut [T],
    ) {
        let (zero, first, n) = (one.zero, one.channels.start, y.len());
        if size_of::<S>() != 4 || Patch::offset::<T>(zero) != zero {
            return portable::pixel::<T, W, S, A, BLOCK>(self.block, w, run, one, y);
        }
        let fits = one.channels.len() == n && n > 0;
        let fits = fits && one.channels.end <= self.channels.len() && one.channels.end * run.len <= w.len();
        let last = one.skip + (one.rows * one.row).saturating_sub(one.row) + one.pieces * one.len;
        let mut left = if fits && last <= run.len && one.len > 0 { one.rows * one.pieces } else { 0 };
        // Without products outputs are those of biases.
        let end = if left > 0 { self.end } else { End::Sums };
        let loops = isa::pixel(size_of::<T>(), size_of::<W>());
        let w = w.as_ptr().wrapping_add(first * run.len);
        let pieces = patch.pieces();
        let (mut row, mut i) = (0, 0);
        while left > 0 {
            let count = left.min(PIECES);
            for to in pieces.iter_mut().take(count) {
                let (x, at) = one.piece(row, i);
                if x.is_empty() {
                    self.again();
                    return;
                }
                to.write(Piece { x: x.as_ptr().cast(), w: w.wrapping_add(at).cast() });
                (row, i) = if i + 1 == one.pieces { (row + 1, 0) } else { (row, i + 1) };
            }
            left -= count;
            let pieces = pieces.as_mut_ptr().cast::<Piece>();
            let mut strip = Strip {
                pieces,
                end: pieces.wrapping_add(count),
                channel: self.channels.as_mut_ptr().wrapping_add(first).cast(),
                y: y.as_mut_ptr().cast(),
                pitch: 1,
                step: run.len * size_of::<W>(),
                count: n,
                n: one.len,
                zero,
            };
            // SAFETY: as many pieces have been written, each of `len` values, for whose products n channels have weights, and sums
            // of 32 bits; y has room for n outputs, which are bytes where they are made in registers.
            unsafe { (if left > 0 { End::Sums } else { end }).of(loops)(&mut strip) };
        }
        if end == End::Sums {
            // SAFETY: all have been started.
            unsafe { scale(self.block, self.channels.as_ptr(), first..self.channels.len, y) };
        }
        if end == End::Sums || one.rows * one.pieces > PIECES {
            self.again();
        }
        if self.clamps {
            self.block.requant.clamp_narrow(y);
        }
    }
}

/// The value of four pixels.
#[inline(always)]
pub(super) fn four<T>(x: *const T, step: usize) -> [*const T; PIXELS] {
    [x, x.wrapping_add(step), x.wrapping_add(2 * step), x.wrapping_add(3 * step)]
}

/// Rows of bytes that lie `line` apart, of which a pixel has `len` values each, the next one `step` later.
#[repr(C)]
pub(super) struct Lines {
    pub(super) step: usize,
    pub(super) len: usize,
    pub(super) rows: usize,
    pub(super) line: usize,
    /// What is subtracted from an input.
    pub(super) zero: i32,
}

/// Values outside that are brought to a patch in one call.
const OUTSIDE: usize = 32;

/// Dot products of inputs where they are; the loops change it.
///
/// Of groups of four pixels and one channel (`direct`), whose inputs are `step` bytes apart: each group's x lies four steps later. Or of one pixel and
/// groups of four channels (`pixel`), then of single ones, whose weights are `step` bytes apart: w moves on.
#[repr(C)]
pub(super) struct Strip {
    pub(super) pieces: *mut Piece,
    pub(super) end: *mut Piece,
    pub(super) channel: *mut Channel<i32>,
    pub(super) y: *mut i8,
    /// Outputs between those of two pixels.
    pub(super) pitch: usize,
    pub(super) step: usize,
    /// Groups of pixels, or channels.
    pub(super) count: usize,
    /// Values of every piece, at least one.
    pub(super) n: usize,
    pub(super) zero: i32,
}

/// The int16 outputs of four pixels, so many bytes apart, from the sums of channels: the first, their end, outputs.
pub(super) type Halves = unsafe extern "C" fn(*const Channel<i32>, *const Channel<i32>, *mut i16, usize);

/// A loop over a [`Strip`].
pub(super) type Strips = unsafe extern "C" fn(*mut Strip);

/// Widens weights for [`Columns`].
pub(super) type Spread = unsafe extern "C" fn(*mut i32, *const i8, usize, usize, usize);

/// Columns of inputs, of which each is the second tap of a pixel and the first one of the next, for two channels.
pub(super) struct Columns {
    /// Words that the weights of both taps and channels for a value make; none where the loops read the weights where they are.
    pub(super) words: usize,
    /// Widens the weights of both channels, so many behind each other, two taps of `step` values (a multiple of 4) in each of so many rows, in the order of the loops:
    /// those of the second taps of both channels, then of the first ones; with DSP instructions pairs (0, 2) of four values, then their pairs (1, 3).
    pub(super) spread: Option<Spread>,
    /// Values of a column at most.
    pub(super) most: usize,
    /// Loops over a [`Strip`] of columns of n values: pieces are rows and such weights, or those of a channel, the other one's `step` later, and their x
    /// move on; behind them is one without x. The first sums of both channels, which follow each other, are those of the pixel whose second tap is next. Outputs of pixels
    /// follow each other by `pitch`. A column of no pieces is alone.
    pub(super) loops: [Strips; 2],
}

impl Patch {
    /// Its memory, for pieces that need no patch.
    #[inline(always)]
    fn pieces(&mut self) -> &mut [MaybeUninit<Piece>; PIECES] {
        const { assert!(size_of::<Piece>() * PIECES <= size_of::<Patch>() && align_of::<Piece>() <= align_of::<Patch>()) };
        // SAFETY: it has room for them, is as aligned, and holds nothing that has to be written.
        unsafe { &mut *ptr::from_mut(self).cast() }
    }

    /// All pixels have these n inputs each, at least one, from value `at` on, in the order of weights W.
    ///
    /// # Safety
    /// The inputs can be read, and the patch has room.
    #[inline(always)]
    unsafe fn widen<T: Element, W>(&mut self, at: usize, x: &[*const T; PIXELS], n: usize, offset: i32) {
        let wide = size_of::<W>() == 2;
        // SAFETY: elements of one byte are i8, or transparent wrappers of it, of two i16; the rest is the caller's.
        unsafe {
            match size_of::<T>() {
                1 => isa::widen(self, at, &x.map(|x| x.cast::<i8>()), n, offset, wide),
                _ => isa::widen_i16(self, at, &x.map(|x| x.cast::<i16>()), n, offset, wide),
            }
        }
    }
}

/// [`Patch::fill`] of all pixels with n values each.
///
/// # Safety
/// The inputs can be read.
#[inline(never)]
pub(super) unsafe fn fill<T: Element>(
    patch: &mut Patch,
    at: usize,
    x: &[*const T; PIXELS],
    n: usize,
    offset: i32,
    wide: bool,
) {
    for (p, &x) in x.iter().enumerate() {
        // SAFETY: the caller's.
        patch.fill(p, at, unsafe { core::slice::from_raw_parts(x, n) }, offset, wide);
    }
}

/// A loop over channels.
pub(super) type Loop = unsafe extern "C" fn(*const Call);

/// The products of a patch and some channels, checked, and the loop over them.
#[repr(C)]
pub(super) struct Call {
    pub(super) x: *const Patch,
    pub(super) n: usize,
    pub(super) w: *const (),
    pub(super) channels: *mut (),
    /// Weights between those of one channel and the next, in bytes.
    pub(super) next: usize,
    /// That of the channels.
    pub(super) end: *const (),
    /// The first output of the first pixel that is made, and the distance of the next pixel's.
    pub(super) y: *mut i8,
    pub(super) pitch: usize,
    pub(super) each: Loop,
    loops: &'static [Loop; 3],
}

impl Call {
    /// `None` when there are too few weights, or no channels.
    #[inline(always)]
    fn new<W: Element, S>(patch: &Patch, w: &[W], run: Run, channels: &mut [Channel<S>], end: End) -> Option<Self> {
        let size = size_of::<W>();
        let fits = run.skip + run.n <= run.len && channels.len() * run.len <= w.len() && !channels.is_empty();
        let w = w.get(run.skip..)?.as_ptr().cast();
        let loops = Call::loops::<W>();
        let each = end.of(*loops);
        let (n, next) = (run.n, (run.len - run.n) * size);
        let channels = channels.as_mut_ptr_range();
        let (channels, end) = (channels.start.cast(), channels.end.cast_const().cast());
        fits.then_some(Call { x: patch, n, w, channels, next, end, y: null_mut(), pitch: 0, each, loops })
    }

    #[inline(always)]
    fn loops<W>() -> &'static [Loop; 3] {
        if size_of::<W>() == 1 { &isa::I8 } else { &isa::I16 }
    }

    /// Only some of the products that have been checked.
    #[inline(always)]
    fn part<W, S>(&mut self, channels: &mut [Channel<S>], w: &[W], run: Run) {
        (self.n, self.w) = (run.n, w.as_ptr().wrapping_add(run.skip).cast());
        (self.next, self.channels) = ((run.len - run.n) * size_of::<W>(), channels.as_mut_ptr().cast());
    }

    /// The sums, or the outputs at four pixels, after these products.
    ///
    /// # Safety
    /// There are the patch with the values and the channels, with sums of 32 bits; y takes an output of each channel, if there are outputs.
    #[inline(always)]
    unsafe fn run(&self) {
        // SAFETY: as above; the loops with outputs do not write the channels.
        unsafe { (self.each)(self) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::portable;
    use crate::arch::testing::{Random, interleave, wide_sums};
    use crate::{Activation, Multiplier, Quant};

    fn outputs_are_those_of_the_portable_loops<T: Element, W: Element>() {
        let mut random = Random(7);
        for case in 0..if cfg!(miri) { 6 } else { 400 } {
            let [most, wide] = if cfg!(miri) { [5, 8] } else { [SUMS, 30] };
            let (channels, rows, taps) = (1 + random.below(most), 1 + random.below(3), 1 + random.below(3));
            let (c, count, stride) = (1 + random.below(wide), PIXELS + random.below(7), 1 + random.below(2));
            let n = rows * taps * c;
            let (skip, behind) = (random.below(5), random.below(5));
            let run = Run { n, len: skip + n + behind, skip };
            // Columns that lie outside, on both sides.
            let (left, right) = (random.below(taps), random.below(taps));
            let width = ((count - 1) * stride + taps - left).saturating_sub(right).max(1);
            let x: std::vec::Vec<T> = (0..rows * width * c).map(|_| random.element()).collect();
            let w: std::vec::Vec<W> = (0..channels * run.len).map(|_| random.element()).collect();
            // Of channels, or in turn of half of them.
            let own = if channels.is_multiple_of(2) && case % 4 < 2 { channels / 2 } else { channels };
            // The largest sums, with the least factors; products of bytes are below 2^24.
            let most = if case % 7 == 3 && size_of::<W>() == 1 { SMALL as i32 - (1 << 24) } else { 1000 };
            let bias = (0..own).map(|_| [most, -most][random.below(2)] - random.below(2001) as i32 + 1000);
            let bias: std::vec::Vec<i32> = bias.collect();
            let least = 0.5 / f64::from(1 << 22);
            let factor = if most > 1000 { least } else { [1.5, 0.24, 0.004, 0.004, 0.004][case % 5] };
            let factors = (0..own).map(|_| factor * (1.0 + random.below(100) as f64 / 100.0));
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
                from: -((left * c) as isize),
                step: stride * c,
                len: taps * c,
                zero,
                to: random.below(3),
                pitch,
            };
            let size = pixels.to + count * pitch;
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

    /// Single pixels: every count of channels from every first one, one to many pieces, and clipped ones.
    fn single_pixels_are_those_of_the_portable_loops<T: Element, W: Element>() {
        let mut random = Random(11);
        for case in 0..if cfg!(miri) { 3 } else { 400 } {
            let most = if cfg!(miri) { 5 } else { SUMS };
            let (all, rows, pieces) = (1 + random.below(most), 1 + random.below(4), 1 + random.below(6));
            let (len, step, skip) = (1 + random.below(20), 20 + random.below(3), random.below(5));
            let row = pieces * len + random.below(3);
            let run = Run { n: 0, len: skip + rows * row + random.below(5), skip: 0 };
            let x: std::vec::Vec<T> = (0..rows * (pieces * step + len)).map(|_| random.element()).collect();
            let w: std::vec::Vec<W> = (0..all * run.len).map(|_| random.element()).collect();
            let bias: std::vec::Vec<i32> = (0..all).map(|_| random.below(2001) as i32 - 1000).collect();
            let factor = [1.5, 0.24, 0.004, 0.004, 0.004][case % 5];
            let multipliers: std::vec::Vec<_> =
                (0..all).map(|c| Multiplier::from_real(factor * (1.0 + c as f64 / 100.0)).unwrap()).collect();
            let rounding = if case % 2 == 0 { Rounding::TfliteDouble } else { Rounding::TfliteSingle };
            let y = Quant::new(1.0, random.below(256) as i32 - 128);
            let activation = if case % 3 == 0 { Activation::Relu } else { Activation::None };
            let requant = crate::quant::Requant::new(rounding, y.zero, activation.range::<T>(y));
            let block = Block { channels: all, bias: &bias, multipliers: &multipliers, requant, largest: 1 << 28 };
            let first = random.below(all);
            let window = crate::Window::ring(&x, pieces * step + len, 0, 0).unwrap();
            let zero = if T::MAX > 127 { random.below(2) as i32 } else { random.below(256) as i32 - 128 };
            let channels = first..first + 1 + random.below(all - first);
            let count = channels.len();
            let pixel = Pixel {
                x: &window,
                lines: &[],
                top: 0,
                row_step: 1,
                rows,
                from: random.below(2),
                step,
                pieces,
                len,
                skip,
                row,
                zero,
                channels,
            };
            let (mut ours, mut theirs) = (vec![T::default(); count], vec![T::default(); count]);
            let mut job = Job::<i32, i32>::new(&block);
            job.start::<T>();
            // Twice: sums that are carried from piece to piece begin anew.
            job.pixel(&mut Patch::new(), &w, run, &pixel, &mut ours);
            job.pixel(&mut Patch::new(), &w, run, &pixel, &mut ours);
            let mut job = portable::Job::<i32, i32>::new(&block);
            job.start::<T>();
            job.pixel(&mut portable::Patch::new(), &interleave(&w, run.len), run, &pixel, &mut theirs);
            assert!(ours == theirs, "case {case}: {count} of {all} channels, {rows} x {pieces} pieces of {len} values");

            let pixel = Pixel { channels: 0..all, ..pixel };
            let (mut ours, mut theirs) = (vec![T::default(); all], vec![T::default(); all]);
            alone::<T, W, i32, i32>(&block, &w, run, &pixel, &mut ours);
            portable::pixel::<T, W, i32, i32, BLOCK>(&block, &w, run, &pixel, &mut theirs);
            assert!(ours == theirs, "case {case}: a row of {all} channels, {rows} x {pieces} pieces of {len} values");
        }
    }

    /// int16 outputs of 32-bit sums: every sum that is allowed, with multipliers of every shift, and those that the loop leaves.
    #[test]
    fn halves() {
        let mut random = Random(3);
        let mut ours_of = 0;
        for case in 0..if cfg!(miri) { 6 } else { 1000 } {
            let channels = 1 + random.below(if cfg!(miri) { 3 } else { SUMS });
            let (most, nearest) = if case % 9 == 0 { (31, 0) } else { (22, 1) };
            let bias = (0..channels)
                .map(|_| (random.below(1 << 31) as i64 - (1 << 30) + 1).min(SMALL as i64) >> random.below(31));
            let bias: std::vec::Vec<i64> = bias.collect();
            let multipliers = (0..channels).map(|_| {
                let q = (1 << 30) + random.below(1 << 30) as i32;
                Multiplier::new(q, -((nearest + random.below(most)) as i8)).unwrap()
            });
            let multipliers: std::vec::Vec<_> = multipliers.collect();
            let zero = if case % 11 == 0 { 5 } else { 0 };
            let activation = if case % 3 == 0 { Activation::Relu } else { Activation::None };
            let range = activation.range::<i16>(Quant::new(1.0, zero));
            let requant = crate::quant::Requant::new(Rounding::Tflite16x8, zero, range);
            let largest = if case % 13 == 0 { SMALL + 1 } else { SMALL };
            let block = Block { channels, bias: &bias, multipliers: &multipliers, requant, largest };
            let (pitch, run) = (channels + random.below(3), Run { n: 0, len: 0, skip: 0 });
            let [mut ours, mut theirs] = [(); 2].map(|()| vec![0i16; (PIXELS - 1) * pitch + channels]);
            let mut job = Job::<i32, i64>::new(&block);
            job.start::<i16>();
            ours_of += usize::from(job.halves);
            assert!(!job.halves || (zero == 0 && largest == SMALL));
            job.outputs(&Patch::new(), &[0i8; 0], run, &mut ours, pitch);
            let mut job = portable::Job::<i32, i64>::new(&block);
            job.start::<i16>();
            job.outputs(&portable::Patch::new(), &[0i8; 0], run, &mut theirs, pitch);
            assert!(ours == theirs, "case {case}: {channels} channels");
        }
        assert!(cfg!(miri) || ours_of > 500, "{ours_of}");
    }

    wide_sums!(SUMS);

    #[test]
    fn int8() {
        outputs_are_those_of_the_portable_loops::<i8, i8>();
        outputs_are_those_of_the_portable_loops::<i8, i16>();
    }

    #[test]
    fn int16() {
        outputs_are_those_of_the_portable_loops::<i16, i8>();
        outputs_are_those_of_the_portable_loops::<i16, i16>();
    }

    #[test]
    fn single_pixels() {
        single_pixels_are_those_of_the_portable_loops::<i8, i8>();
        single_pixels_are_those_of_the_portable_loops::<i8, i16>();
        single_pixels_are_those_of_the_portable_loops::<i16, i8>();
        single_pixels_are_those_of_the_portable_loops::<i16, i16>();
    }
}
