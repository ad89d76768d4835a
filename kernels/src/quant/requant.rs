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
    pub(crate) fn apply<T: Element, A: Accumulator>(&self, acc: i64, multiplier: Multiplier) -> T {
        // Not `clamp`, which panics on an empty range.
        T::from_i32(A::scale(acc, multiplier, self.rounding).max(self.low).min(self.high) + self.zero)
    }
}
