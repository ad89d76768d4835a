//! Operators of several inputs: concatenation and arithmetic, each input with its own scale and zero point.
//!
//! A [`Join`] computes one output row from one window per input, as a [`Layer`](crate::Layer) does from a single one, so that skip
//! connections can stream too.

mod add;
mod concat;

pub use add::{Add, Mul, Operands, Product, Sub, Sum};
pub use concat::{Along, Concat};

use crate::rows::cut_mut;
use crate::{Element, Error, Shape, Window};
use core::ops::Range;

/// An operator of several inputs: computes output rows from rows of each of them.
pub trait Join<T: Element> {
    /// How many inputs there are.
    fn inputs(&self) -> usize;

    /// The shape of input `i < inputs()`.
    fn input(&self, i: usize) -> Shape;

    /// The shape it writes.
    fn output(&self) -> Shape;

    /// The rows of input `i` that output row `oy` reads; empty when it depends on none.
    fn reads(&self, i: usize, oy: usize) -> Range<usize>;

    /// Computes output row `oy < output().h` into `y`.
    ///
    /// `x` has one window per input, each holding the rows [`reads(i, oy)`](Self::reads), and `y` has `output().row_len()` values;
    /// [`BoundJoin`] sees to both. Where they do not, values are not written; nothing panics.
    fn row(&self, oy: usize, x: &[Window<'_, T>], y: &mut [T]);
}

/// A join with its N whole inputs and room for its output, all lengths checked.
///
/// ```
/// use upconv::{Along, BoundJoin, Concat, Quant, Rounding, Shape};
/// let q = Quant::new(0.5, 0);
/// let inputs = [(Shape::new(1, 2, 1), q), (Shape::new(1, 2, 2), q)];
/// let join = Concat::plan(Along::Channels, inputs, q, Rounding::TfliteDouble)?;
/// let mut y = [0i8; 6];
/// BoundJoin::whole(&join, [&[1, 2], &[10, 11, 20, 21]], &mut y)?.run();
/// assert_eq!(y, [1, 10, 11, 2, 20, 21]);
///
/// // The same bits with room for one row only.
/// let tall = Concat::plan(Along::Height, inputs.map(|(_, q)| (Shape::new(1, 2, 1), q)), q, Rounding::TfliteDouble)?;
/// let mut row = [0i8; 2];
/// let mut rows = BoundJoin::rows(&tall, [&[1, 2], &[3, 4]], &mut row)?;
/// assert_eq!(rows.next_row(), Some(&[1, 2][..]));
/// assert_eq!(rows.next_row(), Some(&[3, 4][..]));
/// assert_eq!(rows.next_row(), None);
/// # Ok::<(), upconv::Error>(())
/// ```
pub struct BoundJoin<'a, T: Element, const N: usize> {
    join: &'a dyn Join<T>,
    x: [Window<'a, T>; N],
    y: &'a mut [T],
    row_len: usize,
    next: usize,
}

impl<'a, T: Element, const N: usize> BoundJoin<'a, T, N> {
    /// Inputs and output are whole tensors.
    ///
    /// # Errors
    /// [`Error::Length`] when a slice has another length than its shape, or the join another number of inputs.
    pub fn whole(join: &'a dyn Join<T>, x: [&'a [T]; N], y: &'a mut [T]) -> Result<Self, Error> {
        Self::new(join, x, y, join.output().len())
    }

    /// The inputs are whole tensors, the output one row that is handed out again and again.
    ///
    /// # Errors
    /// [`Error::Length`] when an input is not whole, `row` not one output row, or the join has another number of inputs.
    pub fn rows(join: &'a dyn Join<T>, x: [&'a [T]; N], row: &'a mut [T]) -> Result<Self, Error> {
        Self::new(join, x, row, join.output().row_len())
    }

    fn new(join: &'a dyn Join<T>, x: [&'a [T]; N], y: &'a mut [T], need: usize) -> Result<Self, Error> {
        if N != join.inputs() {
            return Err(Error::Length { what: "the inputs of a join", got: N, need: join.inputs() });
        }
        let mut windows = [Window::whole(&[], Shape::new(0, 0, 0))?; N];
        for (i, (window, x)) in windows.iter_mut().zip(x).enumerate() {
            *window = Window::whole(x, join.input(i))?;
        }
        if y.len() != need {
            return Err(Error::Length { what: "the output", got: y.len(), need });
        }
        Ok(BoundJoin { join, x: windows, y, row_len: join.output().row_len(), next: 0 })
    }

    /// Computes all rows. With room for one row only, the last one remains.
    pub fn run(&mut self) {
        self.next = 0;
        while self.next_row().is_some() {}
    }

    /// Computes the next row and lends it out; `None` after the last.
    pub fn next_row(&mut self) -> Option<&[T]> {
        if self.next >= self.join.output().h {
            return None;
        }
        let at = if self.y.len() == self.row_len { 0 } else { self.next * self.row_len };
        let y = cut_mut(self.y, at, self.row_len);
        self.join.row(self.next, &self.x, y);
        self.next += 1;
        Some(y)
    }
}
