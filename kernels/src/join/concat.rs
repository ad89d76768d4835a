//! Concatenation along one axis: copies, or requantised copies.

use super::Join;
use crate::reads::{Rows, Spec, described_join};
use crate::rows::{cut, cut_mut};
use crate::shape::{INPUT, OUTPUT, all, only};
use crate::{Element, Error, Quant, Requantize, Rounding, Shape, Window};
use core::ops::Range;

/// The axis of a [`Concat`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Along {
    /// Rows of one input after the rows of another.
    Height,
    /// Each row of one input followed by that of another.
    Width,
    /// Each pixel of one input followed by that of another: skip connections. TFLite's axis 3.
    Channels,
}

/// A planned concatenation of N inputs.
#[derive(Clone, Copy, Debug)]
pub struct Concat<T, const N: usize> {
    along: Along,
    inputs: [Shape; N],
    /// None where scale and zero point are the output's.
    requantize: [Option<Requantize<T, T>>; N],
    output: Shape,
}

impl<T: Element, const N: usize> Concat<T, N> {
    /// Plans `torch.cat`, ONNX `Concat`, TFLite `CONCATENATION` of N inputs, each with its scale and zero point, into the output's.
    ///
    /// An input with the output's scale and zero point is copied, any other goes through [`Requantize`]: exact but for that one
    /// rounding. (LiteRT asks for equal scales; its converter puts a `QUANTIZE` before each input that differs, which is the same.)
    ///
    /// # Errors
    /// [`Error::Zero`] when there is no input, [`Error::Range`] when the inputs' other sides differ, [`Error::Scale`] and [`Error::Range`]
    /// for scales and zero points that are not valid; others name a size that is 0 or too large.
    ///
    /// ```
    /// use upconv::{Along, BoundJoin, Concat, Quant, Rounding, Shape};
    /// let (half, one, s) = (Quant::new(0.5, 0), Quant::new(1.0, 0), Shape::new(1, 2, 1));
    /// let join = Concat::<i8, 2>::plan(Along::Channels, [(s, one), (s, half)], one, Rounding::TfliteDouble)?;
    /// let mut y = [0; 4];
    /// BoundJoin::whole(&join, [&[1, 2], &[20, 40]], &mut y)?.run();
    /// assert_eq!(y, [1, 10, 2, 20]); // two pixels of two channels
    /// # Ok::<(), upconv::Error>(())
    /// ```
    pub const fn plan(along: Along, inputs: [(Shape, Quant); N], y: Quant, rounding: Rounding) -> Result<Self, Error> {
        if N == 0 {
            return Err(Error::Zero { what: "the number of inputs" });
        }
        let (mut shapes, mut requantize) = ([inputs[0].0; N], [None; N]);
        let mut output = inputs[0].0;
        let mut i = 0;
        while i < N {
            let (shape, x) = inputs[i];
            if let Err(e) = all(&[
                shape.check(&INPUT),
                if matches!(along, Along::Height) { Ok(()) } else { only("an input's height", shape.h, output.h) },
                if matches!(along, Along::Width) { Ok(()) } else { only("an input's width", shape.w, output.w) },
                if matches!(along, Along::Channels) { Ok(()) } else { only("an input's channels", shape.c, output.c) },
            ]) {
                return Err(e);
            }
            if i > 0 {
                match along {
                    Along::Height => output.h += shape.h,
                    Along::Width => output.w += shape.w,
                    Along::Channels => output.c += shape.c,
                }
                // After each, so that no sum overflows.
                if let Err(e) = output.check(&OUTPUT) {
                    return Err(e);
                }
            }
            let change = match Requantize::plan(x, y, rounding) {
                Ok(change) => change,
                Err(e) => return Err(e),
            };
            shapes[i] = shape;
            requantize[i] = if x.scale == y.scale && x.zero == y.zero { None } else { Some(change) };
            i += 1;
        }
        Ok(Concat { along, inputs: shapes, requantize, output })
    }

    pub(crate) const fn spec(&self) -> Spec<'_> {
        let rows = if matches!(self.along, Along::Height) { Rows::Stacked } else { Rows::Each };
        Spec::join(&self.inputs, self.output, rows)
    }

    /// The input that output row `oy` comes from and its row there (along height), else `oy` itself for every input.
    fn source(&self, i: usize, oy: usize) -> Option<usize> {
        Some(self.spec().reads(i, oy)).filter(|rows| !rows.is_empty()).map(|rows| rows.start)
    }
}

impl<T: Element, const N: usize> Join<T> for Concat<T, N> {
    described_join!();

    #[inline(never)]
    fn row(&self, oy: usize, x: &[Window<'_, T>], y: &mut [T]) {
        let mut first = 0;
        for (i, ((shape, change), x)) in self.inputs.iter().zip(&self.requantize).zip(x).enumerate() {
            let Some(iy) = self.source(i, oy) else { continue };
            let row = x.row(iy);
            // Along channels a row of the input is one run per pixel, else a single run.
            let (runs, run) = match self.along {
                Along::Channels => (shape.w, shape.c),
                _ => (1, shape.row_len()),
            };
            let (mut from, mut to) = (0, first);
            for _ in 0..runs {
                let (x, y) = (cut(row, from, run), cut_mut(y, to, run));
                match change {
                    Some(change) => change.convert(x, y),
                    None => y.iter_mut().zip(x).for_each(|(y, x)| *y = *x),
                }
                from += run;
                to += self.output.c;
            }
            if self.along != Along::Height {
                first += run;
            }
        }
    }
}
