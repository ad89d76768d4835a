//! The numbers that sums are made of.

use super::{Multiplier, Rounding};

mod sealed {
    pub trait Sealed {}
    impl Sealed for i32 {}
    impl Sealed for i64 {}
}

/// An accumulator, and the type of a bias: `i32` or `i64`.
pub trait Accumulator: Copy + Default + core::fmt::Debug + sealed::Sealed + 'static {
    /// `self + x * w`. Overflow is excluded by the plan.
    #[doc(hidden)]
    fn mac(self, x: i32, w: i32) -> Self;
    /// A bias; it fits.
    #[doc(hidden)]
    fn from_i64(v: i64) -> Self;
    /// The value.
    #[doc(hidden)]
    fn to_i64(self) -> i64;
    /// `acc * m` for a sum whose bias is of this type.
    #[doc(hidden)]
    fn scale(acc: i64, m: Multiplier, rounding: Rounding) -> i32;
}

impl Accumulator for i32 {
    #[inline(always)]
    fn mac(self, x: i32, w: i32) -> Self {
        self + x * w
    }
    #[inline(always)]
    fn from_i64(v: i64) -> Self {
        v as i32
    }
    #[inline(always)]
    fn to_i64(self) -> i64 {
        self.into()
    }
    #[inline(always)]
    fn scale(acc: i64, m: Multiplier, rounding: Rounding) -> i32 {
        m.apply(acc as i32, rounding)
    }
}

impl Accumulator for i64 {
    #[inline(always)]
    fn mac(self, x: i32, w: i32) -> Self {
        self + i64::from(x) * i64::from(w)
    }
    #[inline(always)]
    fn from_i64(v: i64) -> Self {
        v
    }
    #[inline(always)]
    fn to_i64(self) -> i64 {
        self
    }
    #[inline(always)]
    fn scale(acc: i64, m: Multiplier, _: Rounding) -> i32 {
        m.apply_wide(acc)
    }
}
