//! The inner loops in safe Rust. They are the specification: whatever replaces them gives the same bits.

use crate::Element;
use crate::quant::Accumulator;

/// Output channels computed at once; the order of packed weights follows it.
pub(crate) const BLOCK: usize = 4;

/// `acc[b] += Σ_i (x[i] − zero) · w[i][b]`
///
/// Bounds: the plan has proved that no sum of these products leaves S (see `Weights::layer`).
#[inline(always)]
pub(crate) fn mac<T: Element, W: Element, S: Accumulator, const B: usize>(
    x: &[T],
    zero: i32,
    w: &[W],
    acc: &mut [S; B],
) {
    for (x, w) in x.iter().zip(w.chunks_exact(B)) {
        let x = x.to_i32() - zero;
        for (acc, w) in acc.iter_mut().zip(w) {
            *acc = acc.mac(x, w.to_i32());
        }
    }
}
