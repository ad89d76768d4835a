//! The last step of every accumulating operator: scale, round, clamp, add the zero point.

use super::{Accumulator, Multiplier, Rounding};
use crate::Element;

/// `y = clamp(round(acc * M) + zero, min, max)`
#[derive(Clone, Copy, Debug)]
pub(crate) struct Requant {
    pub(crate) rounding: Rounding,
    pub(crate) zero: i32,
    /// The ends of the clamp, less `zero`, so that adding the zero point last cannot overflow.
    pub(crate) low: i32,
    pub(crate) high: i32,
}

impl Requant {
    pub(crate) const fn new(rounding: Rounding, zero: i32, (min, max): (i32, i32)) -> Self {
        Requant { rounding, zero, low: min - zero, high: max - zero }
    }

    #[inline]
    pub(crate) fn apply<T: Element>(&self, acc: i32, multiplier: Multiplier) -> T {
        self.clamp(multiplier.apply(acc, self.rounding))
    }

    #[inline]
    fn clamp<T: Element>(&self, v: i32) -> T {
        // Not `clamp`, which panics on an empty range.
        T::from_i32(v.max(self.low).min(self.high) + self.zero)
    }

    /// Clamps outputs that are clamped to their type already.
    #[inline]
    pub(crate) fn clamp_narrow<T: Element>(&self, y: &mut [T]) {
        let (min, max) = (self.low + self.zero, self.high + self.zero);
        if min > T::MIN || max < T::MAX {
            y.iter_mut().for_each(|y| *y = T::from_i32(y.to_i32().max(min).min(max)));
        }
    }

    /// The outputs of one of P pixels, a sum and a multiplier for each channel.
    #[inline]
    pub(crate) fn pixel<T: Element, S: Accumulator, A: Accumulator, const P: usize>(
        &self,
        sums: &[[S; P]],
        pixel: usize,
        multipliers: &[Multiplier],
        y: &mut [T],
    ) {
        let all = y.iter_mut().zip(sums.iter().filter_map(|sum| sum.get(pixel))).zip(multipliers);
        A::scale(self.rounding, all.map(|((y, sum), m)| (sum.to_i64(), *m, y)), |y, v| *y = self.clamp(v));
    }
}
