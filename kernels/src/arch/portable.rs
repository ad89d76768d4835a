//! The inner loops in safe Rust. They are the specification: whatever replaces them gives the same bits.

use super::depth::Sums;
use super::{Few, portable, small};
use crate::quant::{Accumulator, Multiplier, Requant};
use crate::rows::{cut, cut_mut};
use crate::{Element, Window};
use core::ops::Range;
use core::slice::from_mut;
use heapless::Vec;

/// Output channels whose weights are interleaved; the order of packed weights follows it.
pub(crate) const BLOCK: usize = 2;
/// Output pixels computed at once.
pub(crate) const PIXELS: usize = 4;
/// Output channels whose sums are held at once, a multiple of every BLOCK.
pub(crate) const SUMS: usize = 16;
/// Sums up to here can be doubled.
pub(crate) const SMALL: u64 = (1 << 30) - 1;
/// The largest shift of multipliers of loops that double them.
pub(crate) const SHIFT: i8 = -1;
/// So many channels have pixels outside the input one by one.
pub(crate) const DIRECT: usize = 1;
/// No channels take [`few`].
pub(crate) const FEW: Few = Few { channels: 0, values: 1, weight: 0, totals: 0, left: false, points: 0 };
/// No rows take [`lines`].
pub(crate) const LINES: [usize; 2] = [0; 2];
/// Up to so many channels, column phases are channels where they are alike. Where groups make up all
/// pixels, and where one lies over another.
pub(crate) const ALIKE: [usize; 2] = [SUMS / 2; 2];
/// Values of a patch, a multiple of 4.
pub(crate) const CHUNK: usize = 128;

/// The inputs of some pixels in the order of their weights, widened: `x − offset`.
pub(crate) struct Patch {
    x: [[i16; PIXELS]; CHUNK],
}

impl Patch {
    pub(crate) fn new() -> Self {
        Patch { x: [[0; PIXELS]; CHUNK] }
    }

    /// What is subtracted from an input: the zero point, as long as the difference fits 16 bits.
    #[inline(always)]
    pub(crate) const fn offset<T: Element>(zero: i32) -> i32 {
        if T::MAX > 127 { 0 } else { zero }
    }

    /// Pixel `p` has the inputs `x` from value `at` on.
    #[inline(always)]
    fn fill<T: Element>(&mut self, p: usize, at: usize, x: &[T], offset: i32) {
        for (to, x) in self.x.iter_mut().skip(at).zip(x) {
            if let Some(to) = to.get_mut(p) {
                *to = (x.to_i32() - offset) as i16;
            }
        }
    }

    /// Every pixel has `len` inputs of `x` from value `at` on, each `step` after those of the one before.
    fn fill_all<T: Element>(&mut self, at: usize, x: &[T], step: usize, len: usize, offset: i32) {
        (0..PIXELS).for_each(|p| self.fill(p, at, cut(x, p * step, len), offset));
    }
}

/// Where the weights of a block of channels lie for the first n values of a patch: those of each channel number `len`, of which
/// `skip` come first.
#[derive(Clone, Copy)]
pub(crate) struct Run {
    pub(crate) n: usize,
    pub(crate) len: usize,
    pub(crate) skip: usize,
}

/// Output channels of one group, at most SUMS.
#[derive(Clone, Copy)]
pub(crate) struct Block<'a, A> {
    pub(crate) channels: usize,
    /// One for each, in turn for so many, or none at all.
    pub(crate) bias: &'a [A],
    /// One for each, or in turn for so many.
    pub(crate) multipliers: &'a [Multiplier],
    pub(crate) requant: Requant,
    /// No sum gets larger.
    #[allow(dead_code)] // other backends read it
    pub(crate) largest: u64,
}

impl<A: Accumulator> Block<'_, A> {
    /// The bias of channel `c`.
    #[inline(always)]
    pub(crate) fn bias<S: Accumulator>(&self, c: usize) -> S {
        S::from_i64(in_turn(self.bias, c).map_or(0, |bias| bias.to_i64()))
    }

    /// The multiplier of channel `c`.
    #[inline(always)]
    pub(crate) fn multiplier(&self, c: usize) -> Multiplier {
        in_turn(self.multipliers, c).copied().unwrap_or(Multiplier::ZERO)
    }

    /// The multipliers from channel `at` on.
    pub(crate) fn multipliers(&self, at: usize) -> impl Iterator<Item = Multiplier> {
        (at..self.channels).map(|c| self.multiplier(c))
    }
}

/// `all[i mod len]` without a division.
#[inline(always)]
fn in_turn<V>(all: &[V], mut i: usize) -> Option<&V> {
    if all.len() == 1 {
        return all.first();
    }
    while i >= all.len() && !all.is_empty() {
        i -= all.len();
    }
    all.get(i)
}

/// Pixels that follow each other, PIXELS at least for [`Job::groups`], each of which reads as many neighbouring values of the same input rows.
#[repr(C)] // those of elements of one byte are those of i8
pub(crate) struct Pixels<'a, T> {
    pub(crate) count: usize,
    pub(crate) rows: &'a [&'a [T]],
    /// The first value of the first pixel, the distance of the next pixel's, and how many there are in a row. What lies outside the rows is
    /// the zero point.
    pub(crate) from: isize,
    pub(crate) step: usize,
    pub(crate) len: usize,
    /// The zero point, which is more than `Patch::offset` where that does not hold it.
    pub(crate) zero: i32,
    /// The first output of the first pixel, and the distance of the next pixel's.
    pub(crate) to: usize,
    pub(crate) pitch: usize,
}

impl<'a, T: Element> Pixels<'a, T> {
    /// Values that every row has.
    #[inline(always)]
    pub(super) fn width(&self) -> usize {
        let mut width = self.rows.first().map_or(self.len, |row| row.len());
        for row in self.rows {
            width = width.min(row.len());
            small();
        }
        width
    }

    /// The last first value of a group whose values all lie inside the rows.
    #[inline(always)]
    pub(super) fn last(&self) -> isize {
        self.width() as isize - ((PIXELS - 1) * self.step + self.len) as isize
    }

    /// The first value of the group at pixel `i`.
    #[inline(always)]
    pub(super) fn first(&self, i: usize) -> isize {
        self.from + (i * self.step) as isize
    }

    /// Those of the `len` values of the group at pixel `i` that lie inside the rows at all its pixels, if words can be made of them.
    #[inline(always)]
    pub(super) fn inside(&self, i: usize) -> Range<usize> {
        let (first, last) = (self.first(i), self.last());
        let start = (-first).max(0).min(self.len as isize) as usize;
        let end = (last - first + self.len as isize).min(self.len as isize).max(start as isize) as usize;
        if (start | end | self.len).is_multiple_of(4) { start..end } else { 0..0 }
    }

    /// Copies values `done ..` of the group at pixel `i`, each SHORT after those of the pixel before.
    #[inline(never)]
    pub(super) fn gather(&self, i: usize, row: &[T], done: usize, line: &mut [T; PIXELS * SHORT], at: usize, n: usize) {
        for p in 0..PIXELS {
            let from = self.first(i + p) + done as isize;
            let to = cut_mut(line, p * SHORT + at, n);
            if from >= 0
                && let Some(x) = row.get(from as usize..).and_then(|x| x.get(..n))
            {
                to.iter_mut().zip(x).for_each(|(to, x)| *to = *x);
                continue;
            }
            to.fill(T::from_i32(self.zero));
            let before = (-from).max(0).min(n as isize) as usize;
            let row = row.get((from + before as isize) as usize..).unwrap_or_default();
            to.iter_mut().skip(before).zip(row).for_each(|(to, x)| *to = *x);
        }
    }
}

/// The first pixels of groups of PIXELS that make up `count`, at least PIXELS; the last group may lie over the one before.
#[inline(always)]
pub(crate) fn groups(count: usize) -> impl Iterator<Item = usize> {
    (0..count.div_ceil(PIXELS)).map(move |i| (PIXELS * i).min(count.saturating_sub(PIXELS)))
}

/// Values of a pixel that are brought together before they are widened.
pub(super) const SHORT: usize = 32;

/// The inputs of a single pixel: pieces of some rows, `len` neighbouring values each.
pub(crate) struct Pixel<'a, T> {
    pub(crate) x: &'a Window<'a, T>,
    /// Its rows, if they are at hand.
    pub(crate) lines: &'a [&'a [T]],
    /// The first row, the distance of the next one, and how many there are.
    pub(crate) top: usize,
    pub(crate) row_step: usize,
    pub(crate) rows: usize,
    /// The first piece of a row, the distance of the next one, and how many there are.
    pub(crate) from: usize,
    pub(crate) step: usize,
    pub(crate) pieces: usize,
    pub(crate) len: usize,
    /// Where the first piece's weights lie among those of a channel, and how many later those of the next row.
    pub(crate) skip: usize,
    pub(crate) row: usize,
    pub(crate) zero: i32,
    /// The channels that are asked for.
    pub(crate) channels: Range<usize>,
}

impl<'a, T> Pixel<'a, T> {
    /// Piece `i` of row `row`, and where its weights lie among those of a channel.
    #[inline(always)]
    pub(super) fn piece(&self, row: usize, i: usize) -> (&'a [T], usize) {
        let line = match self.lines.get(row) {
            Some(line) => line,
            None => self.x.row(self.top + row * self.row_step),
        };
        (cut(line, self.from + i * self.step, self.len), self.skip + row * self.row + i * self.len)
    }
}

/// The outputs of a single pixel: `acc = bias + Σ (x − zero)·w`, where BLOCK channels have interleaved weights.
#[inline(never)]
pub(super) fn pixel<T: Element, W: Element, S: Accumulator, A: Accumulator, const BLOCK: usize>(
    block: &Block<'_, A>,
    w: &[W],
    run: Run,
    pixel: &Pixel<'_, T>,
    y: &mut [T],
) {
    for (c, y) in pixel.channels.clone().zip(y) {
        let first = c - c % BLOCK;
        let b = BLOCK.min(block.channels - first);
        let mut sum = block.bias::<S>(c);
        for (row, i) in (0..pixel.rows).flat_map(|row| (0..pixel.pieces).map(move |i| (row, i))) {
            let (x, at) = pixel.piece(row, i);
            let w = w.get(first * run.len + at * b + (c - first)..).unwrap_or_default();
            for (x, w) in x.iter().zip(w.iter().step_by(b.max(1))) {
                sum = sum.mac(x.to_i32() - pixel.zero, w.to_i32());
            }
        }
        block.requant.all::<T, S, A>([sum].into_iter(), [block.multiplier(c)].into_iter(), from_mut(y));
    }
}

/// All outputs of pixels of what [`FEW`] names, without a [`Job`].
pub(crate) fn few<T, W, A>(
    _: &Block<'_, A>,
    _: &[W],
    _: Run,
    _: &[i32],
    _: &Pixels<'_, T>,
    _: [usize; 2],
    _: &mut [T],
) {
}

/// All outputs of pixels of alike phases, without a [`Job`]: `pitch` channels, of which the first pixel lacks `skip`, and the last one has no others. The block has all of them, for pixels of which whole
/// groups and one at most lie between the ends, or as many as come before `skip`, or from there on. The first pixel's values begin with the rows or before them; what [`LINES`] names holds.
pub(crate) fn lines<T, W, A>(_: &Block<'_, A>, _: &[W], _: Run, _: &Pixels<'_, T>, _: usize, _: &mut [T]) {}

/// The outputs of a single pixel, all of its channels, without a [`Job`].
pub(crate) fn alone<T: Element, W: Element, S: Accumulator, A: Accumulator>(
    block: &Block<'_, A>,
    w: &[W],
    run: Run,
    one: &Pixel<'_, T>,
    y: &mut [T],
) {
    pixel::<T, W, S, A, BLOCK>(block, w, run, one, y);
}

/// The group at pixel `i`, wherever its values lie, in the safe form, whose patches and sums are those of a backend.
macro_rules! any_group {
    ($job:ident, $patch:ident, $w:ident, $run:ident, $pixels:ident, $y:ident, $i:ident) => {{
        let &Pixels { rows, len, step, zero, to, pitch, .. } = $pixels;
        let offset = Patch::offset::<T>(zero);
        let (mut at, mut run) = (0, $run);
        let inside = $pixels.inside($i);
        // The values of a pixel that lie outside at another one, or make no words, and of them those that are not in the patch yet.
        let mut line = [T::default(); PIXELS * portable::SHORT];
        let mut short = 0;
        for row in rows {
            let mut done = 0;
            while done < len {
                let direct = inside.contains(&done);
                if short > 0 && (direct || short == portable::SHORT || at + short == CHUNK) {
                    $patch.fill_all(at, &line, portable::SHORT, short, offset);
                    (at, short) = (at + short, 0);
                }
                if at == CHUNK {
                    $job.mac::<T, _>($patch, $w, Run { n: at, ..run });
                    (run.n, run.skip, at) = (run.n - at, run.skip + at, 0);
                }
                if direct {
                    let part = (inside.end - done).min(CHUNK - at);
                    let from = ($pixels.first($i) + done as isize) as usize;
                    $patch.fill_all(at, row.get(from..).unwrap_or_default(), step, part, offset);
                    (at, done) = (at + part, done + part);
                } else {
                    let end = if done < inside.start { inside.start } else { len };
                    let part = (end - done).min(portable::SHORT - short).min(CHUNK - at - short);
                    $pixels.gather($i, row, done, &mut line, short, part);
                    (short, done) = (short + part, done + part);
                }
            }
        }
        if short > 0 {
            $patch.fill_all(at, &line, portable::SHORT, short.next_multiple_of(4), offset);
        }
        $job.finish($patch, $w, run, $y.get_mut(to + $i * pitch..).unwrap_or_default(), pitch);
    }};
}
#[allow(unused_imports)] // other backends use it
pub(super) use any_group;

/// A block of channels: the sums before any product, and those of a group of pixels that is not finished.
pub(crate) struct Job<'a, S, A> {
    pub(crate) block: &'a Block<'a, A>,
    start: Vec<[S; PIXELS], SUMS>,
    sums: Vec<[S; PIXELS], SUMS>,
}

impl<'a, S: Accumulator, A: Accumulator> Job<'a, S, A> {
    /// To be [started](Self::start).
    pub(crate) fn new(block: &'a Block<'a, A>) -> Self {
        Job { block, start: Vec::new(), sums: Vec::new() }
    }

    /// Before any product.
    #[allow(clippy::extra_unused_type_parameters)] // other backends ask it
    pub(crate) fn start<T: Element>(&mut self) {
        let block = self.block;
        self.start = (0..block.channels).map(|c| [block.bias::<S>(c); PIXELS]).take(SUMS).collect();
    }

    /// `sums[c] −= zero · Σ_i w[c][skip + i]`, wrapping.
    pub(crate) fn subtract<W: Element>(&mut self, zero: i32, mut w: &[W], run: Run) {
        for sums in self.start.chunks_mut(BLOCK) {
            let b = sums.len();
            for w in cut(w, run.skip * b, run.n * b).chunks_exact(b.max(1)) {
                for (sum, w) in sums.iter_mut().zip(w) {
                    *sum = sum.map(|sum| sum.mac(-zero, w.to_i32()));
                }
            }
            w = w.get(b * run.len..).unwrap_or_default();
        }
    }

    /// `sums[c][p] += Σ_i x[p][i] · w[c][skip + i]` over the values of a patch.
    ///
    /// Bounds: the plan has proved that the whole sum fits S (see `Weights::layer`); parts of it may wrap.
    #[allow(clippy::extra_unused_type_parameters)] // Helium asks it
    fn mac<T: Element, W: Element>(&mut self, patch: &Patch, mut w: &[W], run: Run) {
        if self.sums.is_empty() {
            let _ = self.sums.extend_from_slice(&self.start); // as many fit
        }
        for sums in self.sums.chunks_mut(BLOCK) {
            let acc = products(patch, w, run, sums);
            sums.iter_mut().zip(acc).for_each(|(sum, acc)| *sum = acc);
            w = w.get(sums.len() * run.len..).unwrap_or_default();
        }
    }

    /// The outputs of the pixels after these products, too; each lies `pitch` after the one before.
    fn finish<T: Element, W: Element>(&mut self, patch: &Patch, mut w: &[W], run: Run, y: &mut [T], pitch: usize) {
        let sums = if self.sums.is_empty() { &self.start } else { &self.sums };
        for (i, sums) in sums.chunks(BLOCK).enumerate() {
            let acc = products(patch, w, run, sums);
            let (at, b) = (i * BLOCK, sums.len());
            for p in 0..PIXELS {
                let sums = acc.iter().filter_map(|acc| acc.get(p).copied());
                let y = cut_mut(y, p * pitch + at, b);
                self.block.requant.all::<T, S, A>(sums, self.block.multipliers(at), y);
            }
            w = w.get(b * run.len..).unwrap_or_default();
        }
        self.sums.clear();
    }

    /// The sums of a group of pixels, to which a loop of its own adds before [`outputs`](Self::outputs).
    pub(crate) fn sums(&mut self) -> Sums<'_, S> {
        if self.sums.is_empty() {
            let _ = self.sums.extend_from_slice(&self.start); // as many fit
        }
        Sums::of(&mut self.sums)
    }

    /// The outputs of PIXELS pixels from those sums; each lies `pitch` after the one before.
    pub(crate) fn outputs<T: Element, W: Element>(
        &mut self,
        patch: &Patch,
        w: &[W],
        run: Run,
        y: &mut [T],
        pitch: usize,
    ) {
        self.finish(patch, w, Run { n: 0, ..run }, y, pitch);
    }

    /// All outputs of pixels, which may be fewer than PIXELS, and of which the first one lacks some channels and the last one has some, the first
    /// stored at `to`; `false`, and nothing done, where a part of them has to be done alone.
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

    /// The outputs of pixels.
    pub(crate) fn groups<T: Element, W: Element>(
        &mut self,
        patch: &mut Patch,
        w: &[W],
        run: Run,
        pixels: &Pixels<'_, T>,
        y: &mut [T],
    ) {
        for i in groups(pixels.count) {
            any_group!(self, patch, w, run, pixels, y, i);
        }
    }

    /// The outputs of a single pixel, whose inputs may be fewer than those of others: `run` says nothing of them.
    pub(crate) fn pixel<T: Element, W: Element>(
        &mut self,
        _: &mut Patch,
        w: &[W],
        run: Run,
        one: &Pixel<'_, T>,
        y: &mut [T],
    ) {
        pixel::<T, W, S, A, BLOCK>(self.block, w, run, one, y)
    }
}

/// `sums + Σ x · w` of at most BLOCK channels, whose weights come first in `w`.
#[inline(always)]
fn products<W: Element, S: Accumulator>(
    patch: &Patch,
    w: &[W],
    run: Run,
    sums: &[[S; PIXELS]],
) -> [[S; PIXELS]; BLOCK] {
    let b = sums.len();
    let (x, w) = (cut(&patch.x, 0, run.n), cut(w, run.skip * b, run.n * b));
    let mut acc = [[S::default(); PIXELS]; BLOCK];
    acc.iter_mut().zip(sums).for_each(|(acc, sum)| *acc = *sum);
    match b {
        1 => dot::<W, S, 1>(x, w, acc),
        2 => dot::<W, S, 2>(x, w, acc),
        3 => dot::<W, S, 3>(x, w, acc),
        _ => dot::<W, S, BLOCK>(x, w, acc),
    }
}

#[inline(always)]
fn dot<W: Element, S: Accumulator, const B: usize>(
    x: &[[i16; PIXELS]],
    w: &[W],
    mut acc: [[S; PIXELS]; BLOCK],
) -> [[S; PIXELS]; BLOCK] {
    for (x, w) in x.iter().zip(w.as_chunks::<B>().0) {
        for (acc, w) in acc.iter_mut().zip(w) {
            for (acc, x) in acc.iter_mut().zip(x) {
                *acc = acc.mac((*x).into(), w.to_i32());
            }
        }
    }
    acc
}
