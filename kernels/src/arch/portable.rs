//! The inner loops in safe Rust. They are the specification: whatever replaces them gives the same bits.

use crate::Element;
use crate::quant::{Accumulator, Multiplier, Requant};
use crate::rows::{cut, cut_mut};
use heapless::Vec;

/// Output channels whose weights are interleaved; the order of packed weights follows it.
pub(crate) const BLOCK: usize = 2;
/// Output pixels computed at once.
pub(crate) const PIXELS: usize = 4;
/// Output channels whose sums are held at once, a multiple of every BLOCK.
pub(crate) const SUMS: usize = 16;
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

    /// Every pixel has `len` values of a row from value `at` on, those from `from` and `step` further on, and `zero` where the row has none;
    /// not done, and `false`, where that takes a copy of the row.
    #[inline(always)]
    pub(crate) fn around<T: Element>(&mut self, _: usize, _: &[T], _: isize, _: usize, _: usize, _: i32) -> bool {
        false
    }

    /// Pixel `p` has the inputs `x` from value `at` on.
    #[inline(always)]
    pub(crate) fn fill<T: Element>(&mut self, p: usize, at: usize, x: &[T], offset: i32) {
        for (to, x) in self.x.iter_mut().skip(at).zip(x) {
            if let Some(to) = to.get_mut(p) {
                *to = (x.to_i32() - offset) as i16;
            }
        }
    }

    /// Every pixel has `len` inputs of `x` from value `at` on, each `step` after those of the one before.
    pub(crate) fn fill_all<T: Element>(&mut self, at: usize, x: &[T], step: usize, len: usize, offset: i32) {
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
    /// One for each, or none at all.
    pub(crate) bias: &'a [A],
    /// One for each, or one for all.
    pub(crate) multipliers: &'a [Multiplier],
    pub(crate) requant: Requant,
    /// No sum gets larger.
    pub(crate) largest: u64,
}

impl<A: Accumulator> Block<'_, A> {
    /// The bias of channel `c`.
    #[inline(always)]
    pub(crate) fn bias<S: Accumulator>(&self, c: usize) -> S {
        S::from_i64(self.bias.get(c).map_or(0, |bias| bias.to_i64()))
    }

    /// The multiplier of channel `c`.
    #[inline(always)]
    pub(crate) fn multiplier(&self, c: usize) -> Multiplier {
        let c = if self.multipliers.len() == 1 { 0 } else { c };
        self.multipliers.get(c).copied().unwrap_or(Multiplier::ZERO)
    }

    /// The multipliers from channel `at` on.
    pub(crate) fn multipliers(&self, at: usize) -> impl Iterator<Item = Multiplier> {
        (at..self.channels).map(|c| self.multiplier(c))
    }
}

/// Groups of PIXELS pixels that follow each other, each of which reads as many neighbouring values of the same input rows.
pub(crate) struct Pixels<'a, T> {
    /// Groups.
    pub(crate) count: usize,
    pub(crate) rows: &'a [&'a [T]],
    /// The first value of the first pixel, the distance of the next pixel's, and how many there are in a row.
    pub(crate) from: usize,
    pub(crate) step: usize,
    pub(crate) len: usize,
    pub(crate) offset: i32,
    /// The first output of the first pixel, and the distance of the next pixel's.
    pub(crate) to: usize,
    pub(crate) pitch: usize,
}

/// The safe form of `Job::groups`, whose patches and sums are those of a backend.
macro_rules! each_group {
    ($job:ident, $patch:ident, $w:ident, $run:ident, $pixels:ident, $y:ident) => {{
        let &Pixels { count, rows, mut from, step, len, offset, mut to, pitch } = $pixels;
        for _ in 0..count {
            let (mut at, mut run) = (0, $run);
            for row in rows {
                let mut done = 0;
                while done < len {
                    if at == CHUNK {
                        $job.mac($patch, $w, Run { n: at, ..run });
                        (run.n, run.skip, at) = (run.n - at, run.skip + at, 0);
                    }
                    let part = (len - done).min(CHUNK - at);
                    $patch.fill_all(at, row.get(from + done..).unwrap_or_default(), step, part, offset);
                    (at, done) = (at + part, done + part);
                }
            }
            let y = $y.get_mut(to..).unwrap_or_default();
            $job.finish($patch, $w, run, y, PIXELS, pitch);
            (from, to) = (from + PIXELS * step, to + PIXELS * pitch);
        }
    }};
}
pub(super) use each_group;

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
    pub(crate) fn mac<W: Element>(&mut self, patch: &Patch, mut w: &[W], run: Run) {
        if self.sums.is_empty() {
            let _ = self.sums.extend_from_slice(&self.start); // as many fit
        }
        for sums in self.sums.chunks_mut(BLOCK) {
            let acc = products(patch, w, run, sums);
            sums.iter_mut().zip(acc).for_each(|(sum, acc)| *sum = acc);
            w = w.get(sums.len() * run.len..).unwrap_or_default();
        }
    }

    /// The outputs of the first `count` pixels after these products, too; each lies `pitch` after the one before.
    pub(crate) fn finish<T: Element, W: Element>(
        &mut self,
        patch: &Patch,
        mut w: &[W],
        run: Run,
        y: &mut [T],
        count: usize,
        pitch: usize,
    ) {
        let sums = if self.sums.is_empty() { &self.start } else { &self.sums };
        for (i, sums) in sums.chunks(BLOCK).enumerate() {
            let acc = products(patch, w, run, sums);
            let (at, b) = (i * BLOCK, sums.len());
            for p in 0..count {
                let sums = acc.iter().filter_map(|acc| acc.get(p).copied());
                let y = cut_mut(y, p * pitch + at, b);
                self.block.requant.all::<T, S, A>(sums, self.block.multipliers(at), y);
            }
            w = w.get(b * run.len..).unwrap_or_default();
        }
        self.sums.clear();
    }

    /// Whole groups of pixels.
    pub(crate) fn groups<T: Element, W: Element>(
        &mut self,
        patch: &mut Patch,
        w: &[W],
        run: Run,
        pixels: &Pixels<'_, T>,
        y: &mut [T],
    ) {
        each_group!(self, patch, w, run, pixels, y)
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
