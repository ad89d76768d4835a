//! The numbers that tensors are made of.

mod sealed {
    pub trait Sealed {}
    impl Sealed for i8 {}
    impl Sealed for i16 {}
}

/// An activation or weight: `i8`, `i16`, and with the feature `fixed` every `FixedI8` and `FixedI16`.
///
/// A binary-point number is its raw bits with the scale `2^-frac` (see [`Quant::binary_point`](crate::Quant::binary_point)).
pub trait Element: Copy + Default + Eq + core::fmt::Debug + sealed::Sealed + 'static {
    /// The smallest value.
    const MIN: i32;
    /// The largest value.
    const MAX: i32;
    /// The value, widened.
    fn to_i32(self) -> i32;
    /// The value narrowed; `v` lies in `MIN ..= MAX` (else it wraps).
    fn from_i32(v: i32) -> Self;
}

macro_rules! element {
    ($t:ty) => {
        impl Element for $t {
            const MIN: i32 = <$t>::MIN as i32;
            const MAX: i32 = <$t>::MAX as i32;
            #[inline(always)]
            fn to_i32(self) -> i32 {
                self.into()
            }
            #[inline(always)]
            fn from_i32(v: i32) -> Self {
                v as $t
            }
        }
    };
}

element!(i8);
element!(i16);

/// The binary-point formats of the `fixed` crate, by their bits.
#[cfg(feature = "fixed")]
mod binary_point {
    use super::{Element, sealed::Sealed};
    use fixed::types::extra::{LeEqU8, LeEqU16};
    use fixed::{FixedI8, FixedI16};

    macro_rules! fixed_element {
        ($t:ident, $raw:ty, $bound:path) => {
            impl<Frac: $bound> Sealed for $t<Frac> {}

            impl<Frac: $bound> Element for $t<Frac> {
                const MIN: i32 = <$raw>::MIN as i32;
                const MAX: i32 = <$raw>::MAX as i32;
                #[inline(always)]
                fn to_i32(self) -> i32 {
                    self.to_bits().into()
                }
                #[inline(always)]
                fn from_i32(v: i32) -> Self {
                    Self::from_bits(v as $raw)
                }
            }
        };
    }

    fixed_element!(FixedI8, i8, LeEqU8);
    fixed_element!(FixedI16, i16, LeEqU16);
}
