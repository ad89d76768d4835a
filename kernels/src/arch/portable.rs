//! The inner loops in safe Rust. They are the specification: whatever replaces them gives the same bits.

use crate::Element;
use crate::quant::{Accumulator, Multiplier, Requant};
use crate::rows::{cut, cut_mut};

/// Output channels whose weights are interleaved; the order of packed weights follows it.
pub(crate) const BLOCK: usize = 4;
/// Output pixels computed at once.
pub(crate) const PIXELS: usize = 2;
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

    /// Pixel `p` has the inputs `x` from value `at` on.
    #[inline(always)]
    pub(crate) fn fill<T: Element>(&mut self, p: usize, at: usize, x: &[T], offset: i32) {
        for (to, x) in self.x.iter_mut().skip(at).zip(x) {
            if let Some(to) = to.get_mut(p) {
                *to = (x.to_i32() - offset) as i16;
            }
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

/// How sums become outputs: what [`finish`] needs of the channels of a block.
pub(crate) struct Finish {
    pub(crate) requant: Requant,
    pub(crate) multipliers: [Multiplier; SUMS],
}

impl Finish {
    /// For so many channels, whose sums are at most as large as said.
    pub(crate) fn new<T: Element, A: Accumulator>(requant: Requant, multipliers: [Multiplier; SUMS], _: usize, _: u64) -> Self {
        Finish { requant, multipliers }
    }
}

/// `sums[c][p] += Σ_i x[p][i] · w[c][skip + i]` over the values of a patch.
///
/// Bounds: the plan has proved that the whole sum fits S (see `Weights::layer`); parts of it may wrap.
pub(crate) fn mac<W: Element, S: Accumulator>(patch: &Patch, mut w: &[W], run: Run, sums: &mut [[S; PIXELS]]) {
    for sums in sums.chunks_mut(BLOCK) {
        let acc = block(patch, w, run, sums);
        sums.iter_mut().zip(acc).for_each(|(sum, acc)| *sum = acc);
        w = w.get(sums.len() * run.len..).unwrap_or_default();
    }
}

/// The outputs of both pixels from `sums + Σ x · w`; there may be one pixel only, `y1` is empty then.
pub(crate) fn finish<T: Element, W: Element, S: Accumulator, A: Accumulator>(
    patch: &Patch,
    mut w: &[W],
    run: Run,
    sums: &[[S; PIXELS]],
    finish: &Finish,
    y0: &mut [T],
    y1: &mut [T],
) {
    for (i, sums) in sums.chunks(BLOCK).enumerate() {
        let acc = block(patch, w, run, sums);
        let (at, b) = (i * BLOCK, sums.len());
        let multipliers = cut(&finish.multipliers, at, b);
        finish.requant.pixel::<T, S, A, PIXELS>(&acc, 0, multipliers, cut_mut(y0, at, b));
        finish.requant.pixel::<T, S, A, PIXELS>(&acc, 1, multipliers, cut_mut(y1, at, b));
        w = w.get(b * run.len..).unwrap_or_default();
    }
}

/// `sums + Σ x · w` of at most BLOCK channels, whose weights come first in `w`.
#[inline(always)]
fn block<W: Element, S: Accumulator>(patch: &Patch, w: &[W], run: Run, sums: &[[S; PIXELS]]) -> [[S; PIXELS]; BLOCK] {
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

/// `sums[c] −= zero · Σ_i w[c][skip + i]`, wrapping.
pub(crate) fn subtract<W: Element, S: Accumulator>(zero: i32, mut w: &[W], run: Run, sums: &mut [[S; PIXELS]]) {
    for sums in sums.chunks_mut(super::BLOCK) {
        let b = sums.len();
        for w in cut(w, run.skip * b, run.n * b).chunks_exact(b.max(1)) {
            for (sums, w) in sums.iter_mut().zip(w) {
                sums.iter_mut().for_each(|sum| *sum = sum.mac(-zero, w.to_i32()));
            }
        }
        w = w.get(b * run.len..).unwrap_or_default();
    }
}
