//! Functions of one value: lookup tables, interpolated tables, leaky ReLU, requantisation. (ReLU, ReLU6 and other clamps cost
//! nothing: they are fused into requantisation, see [`Activation`](crate::Activation).)
//!
//! | function           | `i8`                                          | `i16`                                                         |
//! |--------------------|-----------------------------------------------|---------------------------------------------------------------|
//! | sigmoid, tanh      | [`Table8`]                                    | [`Gate16`]                                                    |
//! | hard-swish         | [`Table8`]                                    | [`Table16`]                                                   |
//! | leaky ReLU         | [`LeakyRelu`], or as a [`Table8`]             | [`LeakyRelu`]                                                 |
//! | any other          | [`Table8::from_values`]                       | [`Table16::from_values`]                                      |
//! | scale, zero point  | [`Requantize`]                                | [`Requantize`]                                                |
//!
//! Whatever has an LiteRT reference kernel gives its bytes; where that kernel is itself inexact, the function's own text says by how
//! much. Tables are made by `const fn`, so they lie in flash and the program that reads them has no floats.

mod gate;
mod leaky;
mod real;
mod requantize;
mod table;

pub use gate::Gate16;
pub use leaky::LeakyRelu;
pub(crate) use real::{log2, round};
pub use requantize::Requantize;
pub use table::{Table8, Table16};

use crate::reads::{Rows, Spec, described};
use crate::shape::INPUT;
use crate::{Element, Error, Layer, Shape, Window};
use core::ops::Range;

/// A function of one raw value.
pub trait Pointwise<T: Element> {
    /// The function.
    fn at(&self, x: T) -> T;

    /// Applies it to every value of a slice, in place.
    fn run(&self, values: &mut [T]) {
        for v in values {
            *v = self.at(*v);
        }
    }
}

/// A function applied to every value of a tensor: a layer.
///
/// ```
/// use upconv::{Bound, Elementwise, Quant, Shape, Table8, must};
/// static SIGMOID: Table8 = must!(Table8::sigmoid(Quant::new(1.0 / 16.0, 0), Quant::new(1.0 / 256.0, -128)));
/// let layer = Elementwise::plan(Shape::new(1, 1, 3), &SIGMOID)?;
/// let mut y = [0i8; 3];
/// Bound::whole(&layer, &[-128, 0, 16], &mut y)?.run();
/// assert_eq!(y, [-128, 0, 59]); // 0.0003, 0.5 and 0.731
/// # Ok::<(), upconv::Error>(())
/// ```
#[derive(Debug)]
pub struct Elementwise<'a, P> {
    shape: Shape,
    each: &'a P,
}

impl<'a, P> Elementwise<'a, P> {
    /// The layer that applies `each` to a tensor of this shape.
    ///
    /// # Errors
    /// [`Error`] names a size that is 0 or too large.
    pub const fn plan(shape: Shape, each: &'a P) -> Result<Self, Error> {
        match shape.check(&INPUT) {
            Ok(()) => Ok(Elementwise { shape, each }),
            Err(e) => Err(e),
        }
    }

    pub(crate) const fn spec(&self) -> Spec<'_> {
        Spec::layer(self.shape, self.shape, Rows::Each)
    }
}

impl<T: Element, P: Pointwise<T>> Layer<T> for Elementwise<'_, P> {
    described!();

    fn macs(&self) -> u64 {
        0
    }

    #[inline(never)]
    fn row(&self, oy: usize, x: &Window<'_, T>, y: &mut [T]) {
        for (y, x) in y.iter_mut().zip(x.row(oy)) {
            *y = self.each.at(*x);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Quant;

    /// Every value of an element, in order; a few under Miri.
    pub(super) fn all<T: Element>() -> Vec<T> {
        (T::MIN..=T::MAX).step_by(if cfg!(miri) { T::MAX as usize / 16 } else { 1 }).map(T::from_i32).collect()
    }

    /// `y[0]·31^(n-1) + y[1]·31^(n-2) + …` over all inputs; that of LiteRT 2.3.0's reference kernels stands in the tests.
    pub(super) fn digest<T: Element>(f: &impl Pointwise<T>) -> u32 {
        all().into_iter().fold(0, |d: u32, x| d.wrapping_mul(31).wrapping_add(f.at(x).to_i32() as u32))
    }

    /// The largest distance from the real function, in output steps, over all inputs.
    pub(super) fn error<T: Element>(f: &impl Pointwise<T>, x: Quant, y: Quant, real: impl Fn(f64) -> f64) -> f64 {
        let distance = |raw: T| {
            let v = real(f64::from(raw.to_i32() - x.zero) * f64::from(x.scale)) / f64::from(y.scale);
            (f64::from(f.at(raw).to_i32()) - (v + f64::from(y.zero)).clamp(T::MIN.into(), T::MAX.into())).abs()
        };
        all().into_iter().map(distance).fold(0.0, f64::max)
    }

    /// Scales from 1/1000 to 6 and zero points, the ends of the range among them.
    pub(super) fn quants() -> impl Iterator<Item = Quant> {
        let scales = (0..90).step_by(if cfg!(miri) { 30 } else { 1 }).map(|i| 1e-3 * 1.1f32.powi(i));
        scales.flat_map(|s| [-128, 127, 0, 3].map(|z| Quant::new(s, z)))
    }

    #[test]
    fn run_is_at_in_place() {
        let f = LeakyRelu::plan(Quant::new(0.5, 3), Quant::new(0.25, 0), 0.1, crate::Rounding::TfliteDouble).unwrap();
        let mut values = all::<i8>();
        f.run(&mut values);
        assert!(all().into_iter().map(|x| f.at(x)).eq(values));
    }
}
