//! The numbers that tensors are made of.

mod sealed {
    pub trait Sealed {}
    impl Sealed for i8 {}
    impl Sealed for i16 {}
}

/// A raw activation or weight: `i8` or `i16`.
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
