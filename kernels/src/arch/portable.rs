//! The inner loops in safe Rust. They are the specification: whatever replaces them gives the same bits.

use crate::Element;
use crate::quant::{Accumulator, Multiplier, Requant};
use crate::rows::{cut, cut_mut};
use heapless::Vec;

/// Output channels whose weights are interleaved; the order of packed weights follows it.
pub(crate) const BLOCK: usize = 4;
/// Output pixels computed at once.
pub(crate) const PIXELS: usize = 2;
/// Output channels whose sums are held at once, a multiple of every BLOCK.
pub(crate) const SUMS: usize = 32;
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
    pub(crate) fn fill<T: Element>(&mut self, p: usize, at: usize, x: &[T], offset: i32) {
        for (to, x) in self.x.iter_mut().skip(at).zip(x) {
            if let Some(to) = to.get_mut(p) {
                *to = (x.to_i32() - offset) as i16;
            }
        }
    }

    /// The first pixel has the inputs `x0`, the second `x1`, both from value `at` on.
    #[inline(always)]
    pub(crate) fn fill_both<T: Element>(&mut self, at: usize, x0: &[T], x1: &[T], offset: i32) {
        for (to, (x0, x1)) in self.x.iter_mut().skip(at).zip(x0.iter().zip(x1)) {
            *to = [(x0.to_i32() - offset) as i16, (x1.to_i32() - offset) as i16];
        }
    }

    /// Pixel `p` has n times `value` from value `at` on.
    #[inline(always)]
    pub(crate) fn pad(&mut self, p: usize, at: usize, n: usize, value: i32) {
        for to in self.x.iter_mut().skip(at).take(n) {
            if let Some(to) = to.get_mut(p) {
                *to = value as i16;
            }
        }
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

/// Pairs of pixels that follow each other, each of which reads as many neighbouring values of the same input rows.
pub(crate) struct Pairs<'a, T> {
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

/// The safe form of `Job::pairs`, whose patches and sums are those of a backend.
macro_rules! each_pair {
    ($job:ident, $patch:ident, $w:ident, $run:ident, $pairs:ident, $y:ident) => {{
        let &Pairs { count, rows, mut from, step, len, offset, mut to, pitch } = $pairs;
        let n = $job.block.channels;
        for _ in 0..count {
            // What does not fit the patch goes into sums of their own first.
            let mut own = None;
            let (mut at, mut run) = (0, $run);
            for row in rows {
                let mut done = 0;
                while done < len {
                    if at == CHUNK {
                        let own = own.get_or_insert_with(|| $job.clone());
                        own.mac($patch, $w, Run { n: at, ..run });
                        (run.n, run.skip, at) = (run.n - at, run.skip + at, 0);
                    }
                    let part = (len - done).min(CHUNK - at);
                    let (x0, x1) = (cut(row, from + done, part), cut(row, from + done + step, part));
                    $patch.fill_both(at, x0, x1, offset);
                    (at, done) = (at + part, done + part);
                }
            }
            let y = $y.get_mut(to..).unwrap_or_default();
            let (y0, y1) = y.split_at_mut_checked(pitch).unwrap_or_default();
            own.as_ref().unwrap_or($job).finish($patch, $w, run, cut_mut(y0, 0, n), cut_mut(y1, 0, n));
            (from, to) = (from + PIXELS * step, to + PIXELS * pitch);
        }
    }};
}
pub(super) use each_pair;

/// A block of channels and its sums.
#[derive(Clone)]
pub(crate) struct Job<'a, S, A> {
    pub(crate) block: &'a Block<'a, A>,
    sums: Vec<[S; PIXELS], SUMS>,
}

impl<'a, S: Accumulator, A: Accumulator> Job<'a, S, A> {
    /// Before any product.
    pub(crate) fn new<T: Element>(block: &'a Block<'a, A>) -> Self {
        let sums = (0..block.channels).map(|c| [block.bias::<S>(c); PIXELS]).take(SUMS).collect();
        Job { block, sums }
    }

    /// `sums[c] −= zero · Σ_i w[c][skip + i]`, wrapping.
    pub(crate) fn subtract<W: Element>(&mut self, zero: i32, w: &[W], run: Run) {
        subtract(zero, w, run, BLOCK, &mut self.sums);
    }

    /// `sums[c][p] += Σ_i x[p][i] · w[c][skip + i]` over the values of a patch.
    ///
    /// Bounds: the plan has proved that the whole sum fits S (see `Weights::layer`); parts of it may wrap.
    pub(crate) fn mac<W: Element>(&mut self, patch: &Patch, mut w: &[W], run: Run) {
        for sums in self.sums.chunks_mut(BLOCK) {
            let acc = products(patch, w, run, sums);
            sums.iter_mut().zip(acc).for_each(|(sum, acc)| *sum = acc);
            w = w.get(sums.len() * run.len..).unwrap_or_default();
        }
    }

    /// The outputs of both pixels after these products, too; there may be one pixel only, `y1` is empty then.
    pub(crate) fn finish<T: Element, W: Element>(
        &self,
        patch: &Patch,
        mut w: &[W],
        run: Run,
        y0: &mut [T],
        y1: &mut [T],
    ) {
        for (i, sums) in self.sums.chunks(BLOCK).enumerate() {
            let acc = products(patch, w, run, sums);
            let (at, b) = (i * BLOCK, sums.len());
            let requant = &self.block.requant;
            requant.all::<T, S, A>(acc.iter().map(|acc| acc[0]), self.block.multipliers(at), cut_mut(y0, at, b));
            requant.all::<T, S, A>(acc.iter().map(|acc| acc[1]), self.block.multipliers(at), cut_mut(y1, at, b));
            w = w.get(b * run.len..).unwrap_or_default();
        }
    }

    /// Whole pixels.
    pub(crate) fn pairs<T: Element, W: Element>(
        &self,
        patch: &mut Patch,
        w: &[W],
        run: Run,
        pairs: &Pairs<'_, T>,
        y: &mut [T],
    ) {
        each_pair!(self, patch, w, run, pairs, y)
    }
}


/// `sums + Σ x · w` of at most BLOCK channels, whose weights come first in `w`.
#[inline(always)]
fn products<W: Element, S: Accumulator>(patch: &Patch, w: &[W], run: Run, sums: &[[S; PIXELS]]) -> [[S; PIXELS]; BLOCK] {
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

/// `sums[c] −= zero · Σ_i w[c][skip + i]`, wrapping, for weights interleaved in blocks.
pub(crate) fn subtract<W: Element, S: Accumulator>(
    zero: i32,
    mut w: &[W],
    run: Run,
    block: usize,
    sums: &mut [[S; PIXELS]],
) {
    for sums in sums.chunks_mut(block) {
        let b = sums.len();
        for w in cut(w, run.skip * b, run.n * b).chunks_exact(b.max(1)) {
            for (sum, w) in sums.iter_mut().zip(w) {
                *sum = sum.map(|sum| sum.mac(-zero, w.to_i32()));
            }
        }
        w = w.get(b * run.len..).unwrap_or_default();
    }
}
