//! A patch of words, four pixels side by side, so that a core without packed arithmetic loads a value of each at once.

pub(in super::super) use super::super::quad::fill as widen_i16;
use super::{CHUNK, Halves, PIXELS};
use crate::Element;
use core::mem::MaybeUninit;

/// Output channels whose sums are held at once.
pub(crate) const SUMS: usize = 16;
/// Sums become int16 outputs by the safe form.
pub(in super::super) const HALVES: Option<Halves> = None;

/// The inputs of four pixels in the order of their weights: `x − offset`.
#[repr(C, align(8))]
pub(crate) struct Patch {
    pub(super) x: [[MaybeUninit<i32>; PIXELS]; CHUNK],
}

impl Patch {
    pub(crate) fn new() -> Self {
        Patch { x: [[MaybeUninit::uninit(); PIXELS]; CHUNK] }
    }

    /// What is subtracted from an input: the zero point.
    #[inline(always)]
    #[allow(clippy::extra_unused_type_parameters)] // other cores ask it
    pub(crate) const fn offset<T: Element>(zero: i32) -> i32 {
        zero
    }

    /// Pixel `p` has the inputs `x` from value `at` on.
    #[inline(always)]
    pub(in super::super) fn fill<T: Element>(&mut self, p: usize, at: usize, x: &[T], offset: i32, _: bool) {
        for (to, x) in self.x.get_mut(at..).unwrap_or_default().iter_mut().zip(x) {
            to[p % PIXELS] = MaybeUninit::new(x.to_i32() - offset);
        }
    }

    /// Value `at` of pixel `p`.
    ///
    /// # Safety
    /// It has been filled.
    pub(in super::super) unsafe fn get(&self, p: usize, at: usize, _: bool) -> i32 {
        // SAFETY: the caller's.
        self.x.get(at).and_then(|x| x.get(p)).map_or(0, |x| unsafe { x.assume_init() })
    }
}
