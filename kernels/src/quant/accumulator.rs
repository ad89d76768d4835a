//! The numbers that sums are made of.

use super::{Multiplier, Rounding};

mod sealed {
    pub trait Sealed {}
    impl Sealed for i32 {}
    impl Sealed for i64 {}
}

/// An accumulator, and the type of a bias: `i32` or `i64`.
pub trait Accumulator: Copy + Default + core::fmt::Debug + sealed::Sealed + 'static {
    /// `self + x * w`, wrapping: the plan has proved that the whole sum fits.
    #[doc(hidden)]
    fn mac(self, x: i32, w: i32) -> Self;
    /// A bias; it fits.
    #[doc(hidden)]
    fn from_i64(v: i64) -> Self;
    /// The value.
    #[doc(hidden)]
    fn to_i64(self) -> i64;
    /// `acc * m` for sums whose bias is of this type, each handed on with its place.
    #[doc(hidden)]
    fn scale<Y>(rounding: Rounding, sums: impl Iterator<Item = (i64, Multiplier, Y)>, to: impl FnMut(Y, i32));
}

impl Accumulator for i32 {
    #[inline(always)]
    fn mac(self, x: i32, w: i32) -> Self {
        self.wrapping_add(x.wrapping_mul(w))
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
    fn scale<Y>(rounding: Rounding, sums: impl Iterator<Item = (i64, Multiplier, Y)>, mut to: impl FnMut(Y, i32)) {
        match rounding {
            Rounding::TfliteDouble => sums.for_each(|(acc, m, y)| to(y, m.apply(acc as i32, Rounding::TfliteDouble))),
            _ => sums.for_each(|(acc, m, y)| to(y, m.apply(acc as i32, Rounding::TfliteSingle))),
        }
    }
}

impl Accumulator for i64 {
    #[inline(always)]
    fn mac(self, x: i32, w: i32) -> Self {
        self.wrapping_add(i64::from(x) * i64::from(w))
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
    fn scale<Y>(_: Rounding, sums: impl Iterator<Item = (i64, Multiplier, Y)>, mut to: impl FnMut(Y, i32)) {
        sums.for_each(|(acc, m, y)| to(y, m.apply_wide(acc)));
    }
}
