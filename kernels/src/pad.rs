//! Padding and cropping of height and width: copies.
//!
//! Along each axis output o reads input `i = o − before`. Where that lies outside, the [`Fill`] says what stands there. A negative
//! `before` or `after` removes that many rows or columns instead.

use crate::reads::{Rows, Spec, described};
use crate::rows::{cut, cut_mut};
use crate::shape::{INPUT, MAX_SIDE, OUTPUT};
use crate::{Element, Error, Layer, Shape, Window};
use core::ops::Range;

/// What stands outside the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill<T> {
    /// One raw value; the zero point stands for 0.0. PyTorch's and ONNX's `constant`.
    Value(T),
    /// The input mirrored at its edge pixels, which are not repeated: `… 2 1 | 0 1 2`. `reflect`.
    Reflect,
    /// The edge pixel again and again: `… 0 0 | 0 1 2`. PyTorch's `replicate`, ONNX's `edge`.
    Replicate,
    /// The other end of the input: `… 1 2 | 0 1 2 | 0 1 …`. PyTorch's `circular`, ONNX's `wrap`.
    Wrap,
}

/// One axis of a [`Pad`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Edges {
    input: usize,
    before: isize,
    output: usize,
}

/// How errors call an axis and its two paddings.
struct Names {
    axis: &'static str,
    pads: [&'static str; 2],
}

impl Edges {
    const fn new<T>(input: usize, pads: [isize; 2], fill: &Fill<T>, names: &Names) -> Result<Self, Error> {
        // A crop takes the input's own pixels; what is mirrored or wrapped is no larger than the input.
        let min = -(input as isize);
        let max = match fill {
            Fill::Reflect => input - 1,
            Fill::Wrap => input,
            Fill::Value(_) | Fill::Replicate => MAX_SIDE,
        };
        let mut i = 0;
        while i < 2 {
            if pads[i] < min || pads[i] > max as isize {
                let (what, got) = (names.pads[i], pads[i] as i64);
                return Err(Error::Range { what, got, min: min as i64, max: max as i64 });
            }
            i += 1;
        }
        let size = input as isize + pads[0] + pads[1];
        if size < 1 {
            return Err(Error::NoOutput { axis: names.axis, size: size as i64 });
        }
        Ok(Edges { input, before: pads[0], output: size as usize })
    }

    /// The input that output `o` reads; none where a value stands.
    pub(crate) const fn source<T: Copy>(&self, o: usize, fill: &Fill<T>) -> Option<usize> {
        let (i, size) = (o as isize - self.before, self.input as isize);
        let above = i < 0;
        let inside = match fill {
            _ if 0 <= i && i < size => i,
            Fill::Value(_) => return None,
            Fill::Reflect => {
                if above {
                    -i
                } else {
                    2 * (size - 1) - i
                }
            }
            Fill::Replicate => {
                if above {
                    0
                } else {
                    size - 1
                }
            }
            Fill::Wrap => {
                if above {
                    i + size
                } else {
                    i - size
                }
            }
        };
        Some(inside as usize)
    }

    /// Outputs that copy the input as it is, and the first input copied.
    fn copied(&self) -> (Range<usize>, usize) {
        let (from, skipped) = (self.before.max(0) as usize, (-self.before).max(0) as usize);
        let to = (from + self.input - skipped).min(self.output);
        (from..to, skipped)
    }
}

/// A planned padding or crop.
#[derive(Clone, Copy, Debug)]
pub struct Pad<T> {
    rows: Edges,
    columns: Edges,
    channels: usize,
    fill: Fill<T>,
}

impl<T: Element> Pad<T> {
    /// Plans `F.pad`: adds `rows[0]` rows above and `rows[1]` below, `columns[0]` columns at the left and `columns[1]` at the right.
    ///
    /// A negative count crops. Scale and zero point stay; exact. Rows are read in the order of the output's, which [`Fill::Reflect`] and
    /// [`Fill::Wrap`] take out of their own order.
    ///
    /// # Errors
    /// [`Error::Range`] for a count that crops more than the axis, is too large, with [`Fill::Reflect`] reaches the axis's size or with
    /// [`Fill::Wrap`] exceeds it; [`Error::NoOutput`] when crops leave nothing; others name a size that is 0 or too large.
    ///
    /// ```
    /// use upconv::{Bound, Fill, Pad, Shape};
    /// let pad = |fill| {
    ///     let mut y = [0i8; 6];
    ///     let pad = Pad::plan(Shape::new(1, 4, 1), [0, 0], [3, -1], fill)?;
    ///     Bound::whole(&pad, &[1, 2, 3, 4], &mut y)?.run();
    ///     Ok(y)
    /// };
    /// assert_eq!(pad(Fill::Value(-128))?, [-128, -128, -128, 1, 2, 3]);
    /// assert_eq!(pad(Fill::Reflect)?, [4, 3, 2, 1, 2, 3]);
    /// assert_eq!(pad(Fill::Replicate)?, [1, 1, 1, 1, 2, 3]);
    /// assert_eq!(pad(Fill::Wrap)?, [2, 3, 4, 1, 2, 3]);
    /// # Ok::<(), upconv::Error>(())
    /// ```
    pub const fn plan(input: Shape, rows: [isize; 2], columns: [isize; 2], fill: Fill<T>) -> Result<Self, Error> {
        const HEIGHT: Names = Names { axis: "height", pads: ["padding top", "padding bottom"] };
        const WIDTH: Names = Names { axis: "width", pads: ["padding left", "padding right"] };
        if let Err(e) = input.check(&INPUT) {
            return Err(e);
        }
        let (rows, columns) =
            match (Edges::new(input.h, rows, &fill, &HEIGHT), Edges::new(input.w, columns, &fill, &WIDTH)) {
                (Ok(rows), Ok(columns)) => (rows, columns),
                (Err(e), _) | (_, Err(e)) => return Err(e),
            };
        match Shape::new(rows.output, columns.output, input.c).check(&OUTPUT) {
            Ok(()) => Ok(Pad { rows, columns, channels: input.c, fill }),
            Err(e) => Err(e),
        }
    }

    pub(crate) const fn spec(&self) -> Spec<'_> {
        let fill = match self.fill {
            Fill::Value(_) => Fill::Value(()),
            Fill::Reflect => Fill::Reflect,
            Fill::Replicate => Fill::Replicate,
            Fill::Wrap => Fill::Wrap,
        };
        let input = Shape::new(self.rows.input, self.columns.input, self.channels);
        let output = Shape::new(self.rows.output, self.columns.output, self.channels);
        Spec::layer(input, output, Rows::Pad(&self.rows, fill))
    }

    /// One output pixel, from the input row or the fill.
    #[inline]
    fn pixel(&self, ox: usize, row: &[T], y: &mut [T]) {
        let c = self.channels;
        let y = cut_mut(y, ox * c, c);
        match (self.columns.source(ox, &self.fill), self.fill) {
            (Some(ix), _) => copy(cut(row, ix * c, c), y),
            (None, Fill::Value(v)) => y.fill(v),
            (None, _) => {}
        }
    }
}

#[inline]
fn copy<T: Element>(from: &[T], to: &mut [T]) {
    for (y, x) in to.iter_mut().zip(from) {
        *y = *x;
    }
}

impl<T: Element> Layer<T> for Pad<T> {
    described!();

    fn macs(&self) -> u64 {
        0
    }

    #[inline(never)]
    fn row(&self, oy: usize, x: &Window<'_, T>, y: &mut [T]) {
        let (Some(iy), c) = (self.rows.source(oy, &self.fill), self.channels) else {
            if let Fill::Value(v) = self.fill {
                y.fill(v);
            }
            return;
        };
        let row = x.row(iy);
        let (copied, skipped) = self.columns.copied();
        copy(cut(row, skipped * c, copied.len() * c), cut_mut(y, copied.start * c, copied.len() * c));
        for ox in (0..copied.start).chain(copied.end..self.columns.output) {
            self.pixel(ox, row, y);
        }
    }
}
