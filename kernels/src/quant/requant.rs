//! The last step of every accumulating operator: scale, round, clamp, add the zero point.

use super::{Accumulator, Multiplier, Rounding};
use crate::Element;
use crate::arch::small;

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

    /// Whether outputs have a narrower range than their type.
    #[allow(dead_code)] // Helium clamps in the loop
    pub(crate) fn clamps<T: Element>(&self) -> bool {
        self.low + self.zero > T::MIN || self.high + self.zero < T::MAX
    }

    /// Clamps outputs that have the range of their type.
    #[inline(never)]
    #[allow(dead_code)] // Helium clamps in the loop
    pub(crate) fn clamp_narrow<T: Element>(&self, y: &mut [T]) {
        let (min, max) = (self.low + self.zero, self.high + self.zero);
        for y in y {
            *y = T::from_i32(y.to_i32().max(min).min(max));
            small();
        }
    }

    /// The outputs of some channels, a sum and a multiplier for each.
    #[inline]
    pub(crate) fn all<T: Element, S: Accumulator, A: Accumulator>(
        &self,
        sums: impl Iterator<Item = S>,
        multipliers: impl Iterator<Item = Multiplier>,
        y: &mut [T],
    ) {
        let all = y.iter_mut().zip(sums).zip(multipliers);
        A::scale(self.rounding, all.map(|((y, sum), m)| (sum.to_i64(), m, y)), |y, v| {
            *y = self.clamp(v);
            small();
        });
    }
}
