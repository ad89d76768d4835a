//! Rows: the unit of all work. A [`Layer`] computes one output row from a [`Window`] of input rows.
//!
//! A window borrows rows from a whole tensor or from a ring that keeps just the rows still needed; the layer
//! cannot tell which, so both give the same bits.

use crate::{Element, Error, Shape};
use core::ops::Range;

/// Some consecutive rows of a tensor, in a whole tensor or in a ring.
///
/// Row `origin` begins at value `at`, the `capacity - 1` rows after it follow; what would lie at `end` or beyond comes `capacity` rows before.
#[derive(Clone, Copy, Debug)]
pub struct Window<'a, T> {
    data: &'a [T],
    row_len: usize,
    capacity: usize,
    origin: usize,
    at: usize,
    end: usize,
}

impl<'a, T> Window<'a, T> {
    /// All rows of a tensor.
    ///
    /// # Errors
    /// [`Error::Length`] when `data` does not have the length of `shape`.
    pub const fn whole(data: &'a [T], shape: Shape) -> Result<Self, Error> {
        if data.len() != shape.len() {
            return Err(Error::Length { what: "the input", got: data.len(), need: shape.len() });
        }
        Ok(Window { data, row_len: shape.row_len(), capacity: shape.h, origin: 0, at: 0, end: data.len() })
    }

    /// A ring of as many rows as fit `data`: row `origin` lies in slot `slot`, the next ones follow and wrap.
    ///
    /// ```
    /// use upconv::Window;
    /// // A ring of three rows of two values that holds the rows 4, 5 and 6.
    /// let ring = Window::ring(&[60, 61, 40, 41, 50, 51], 2, 4, 1)?;
    /// assert_eq!((ring.row(4), ring.row(6), ring.row(7)), (&[40, 41][..], &[60, 61][..], &[][..]));
    /// # Ok::<(), upconv::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Zero`] and [`Error::Length`] when `data` is not a whole number of rows, at least one;
    /// [`Error::Range`] when it has no slot `slot`.
    pub const fn ring(data: &'a [T], row_len: usize, origin: usize, slot: usize) -> Result<Self, Error> {
        if row_len == 0 {
            return Err(Error::Zero { what: "the row length" });
        }
        let capacity = data.len() / row_len;
        if capacity == 0 || capacity * row_len != data.len() {
            let whole = if capacity == 0 { 1 } else { capacity };
            return Err(Error::Length { what: "the ring", got: data.len(), need: whole * row_len });
        }
        if slot >= capacity {
            return Err(Error::Range {
                what: "the slot",
                got: crate::shape::signed(slot),
                min: 0,
                max: capacity as i64 - 1,
            });
        }
        Ok(Window { data, row_len, capacity, origin, at: slot * row_len, end: data.len() })
    }

    /// A ring of `capacity` rows that ends at `end` of `data`, row `origin` at `at`; the caller knows that it fits.
    #[inline(always)]
    pub(crate) const fn of(
        data: &'a [T],
        [row_len, capacity]: [usize; 2],
        origin: usize,
        [at, end]: [usize; 2],
    ) -> Self {
        Window { data, row_len, capacity, origin, at, end }
    }

    /// `at`, `capacity` rows earlier where the ring has ended.
    #[inline(always)]
    fn wrapped(&self, at: usize) -> usize {
        if at >= self.end { at.wrapping_sub(self.capacity * self.row_len) } else { at }
    }

    /// Row `y`; empty when the window does not hold it.
    #[inline]
    pub fn row(&self, y: usize) -> &'a [T] {
        let ahead = y.wrapping_sub(self.origin);
        if ahead >= self.capacity {
            return &[];
        }
        cut(self.data, self.wrapped(self.at + ahead * self.row_len), self.row_len)
    }

    /// Hands on values `from .. from + len` of so many rows, the first of which is `y`, `step` apart. Not all, and false, where the window does
    /// not hold them.
    #[inline(always)]
    #[cfg(any(not(upconv_backend = "portable"), test))]
    pub(crate) fn pieces(
        &self,
        y: usize,
        step: usize,
        count: usize,
        from: usize,
        len: usize,
        mut to: impl FnMut(&'a [T]),
    ) -> bool {
        let ahead = y.wrapping_sub(self.origin);
        let ends = (count * step).saturating_sub(step);
        if ahead >= self.capacity || ahead + ends >= self.capacity || from + len > self.row_len {
            return false;
        }
        let mut at = self.at + ahead * self.row_len;
        for _ in 0..count {
            at = self.wrapped(at);
            let Some(x) = self.data.get(at + from..).and_then(|x| x.get(..len)) else { return false };
            to(x);
            at += step * self.row_len;
        }
        true
    }
}

/// `s[from..][..len]`, empty where that does not exist.
#[inline(always)]
pub(crate) fn cut<T>(s: &[T], from: usize, len: usize) -> &[T] {
    s.get(from..).and_then(|s| s.get(..len)).unwrap_or_default()
}

/// `s[from..][..len]`, empty where that does not exist.
#[inline(always)]
pub(crate) fn cut_mut<T>(s: &mut [T], from: usize, len: usize) -> &mut [T] {
    s.get_mut(from..).and_then(|s| s.get_mut(..len)).unwrap_or_default()
}

/// An operator with its weights: computes output rows from input rows.
pub trait Layer<T: Element> {
    /// The shape it reads.
    fn input(&self) -> Shape;

    /// The shape it writes.
    fn output(&self) -> Shape;

    /// The input rows that output row `oy` reads; empty when it depends on none.
    fn reads(&self, oy: usize) -> Range<usize>;

    /// Multiply-accumulates of one whole output: only those whose input exists.
    fn macs(&self) -> u64;

    /// Computes output row `oy < output().h` into `y`.
    ///
    /// `x` must hold the rows [`reads(oy)`](Self::reads), and `y` have `output().row_len()` values; [`Bound`] sees to both. Where they
    /// do not, values are left out of the sums or not written; nothing panics.
    fn row(&self, oy: usize, x: &Window<'_, T>, y: &mut [T]);

    /// Computes all rows, which follow each other in `y`, where that costs less than row by row; else false, and nothing is done.
    ///
    /// `x` must hold the whole input, and `y` have room for the whole output. The bits are those of [`row`](Self::row).
    fn whole(&self, x: &Window<'_, T>, y: &mut [T]) -> bool {
        let _ = (x, y);
        false
    }
}

/// A layer with its whole input and room for its output, all lengths checked.
///
/// ```
/// use upconv::{Bound, Shape, Upsample};
/// let up = Upsample::nearest(Shape::new(1, 2, 1), 2, 3)?;
/// let mut y = [0i8; 12];
/// Bound::whole(&up, &[7, -7], &mut y)?.run();
/// assert_eq!(y, [7, 7, 7, -7, -7, -7, 7, 7, 7, -7, -7, -7]);
///
/// // The same bits with room for one row only.
/// let mut row = [0i8; 6];
/// let mut rows = Bound::rows(&up, &[7, -7], &mut row)?;
/// while let Some(row) = rows.next_row() {
///     assert_eq!(row, [7, 7, 7, -7, -7, -7]);
/// }
/// # Ok::<(), upconv::Error>(())
/// ```
pub struct Bound<'a, T: Element> {
    layer: &'a dyn Layer<T>,
    x: Window<'a, T>,
    y: &'a mut [T],
    rows: usize,
    row_len: usize,
    next: usize,
}

impl<'a, T: Element> Bound<'a, T> {
    /// Input and output are whole tensors.
    ///
    /// # Errors
    /// [`Error::Length`] when a slice has another length than its shape.
    pub fn whole(layer: &'a dyn Layer<T>, x: &'a [T], y: &'a mut [T]) -> Result<Self, Error> {
        Self::new(layer, x, y, layer.output().len())
    }

    /// The input is a whole tensor, the output one row that is handed out again and again.
    ///
    /// # Errors
    /// [`Error::Length`] when `x` is not the whole input or `row` not one output row.
    pub fn rows(layer: &'a dyn Layer<T>, x: &'a [T], row: &'a mut [T]) -> Result<Self, Error> {
        Self::new(layer, x, row, layer.output().row_len())
    }

    fn new(layer: &'a dyn Layer<T>, x: &'a [T], y: &'a mut [T], need: usize) -> Result<Self, Error> {
        let x = Window::whole(x, layer.input())?;
        if y.len() != need {
            return Err(Error::Length { what: "the output", got: y.len(), need });
        }
        let output = layer.output();
        Ok(Bound { layer, x, y, rows: output.h, row_len: output.row_len(), next: 0 })
    }

    /// Computes all rows. With room for one row only, the last one remains.
    pub fn run(&mut self) {
        self.next = self.rows;
        let step = if self.y.len() == self.row_len { 0 } else { self.row_len };
        if step > 0 && self.layer.whole(&self.x, self.y) {
            return;
        }
        let mut y = &mut *self.y;
        for oy in 0..self.rows {
            let Some(row) = y.get_mut(..self.row_len) else { return };
            self.layer.row(oy, &self.x, row);
            let Some(rest) = y.get_mut(step..) else { return };
            y = rest;
        }
    }

    /// Computes the next row and lends it out; `None` after the last.
    pub fn next_row(&mut self) -> Option<&[T]> {
        if self.next >= self.rows {
            return None;
        }
        let at = if self.y.len() == self.row_len { 0 } else { self.next * self.row_len };
        let y = cut_mut(self.y, at, self.row_len);
        self.layer.row(self.next, &self.x, y);
        self.next += 1;
        Some(y)
    }
}
