//! Area resampling: the mean over the input pixels that an output pixel touches.
//!
//! Output i covers the inputs `floor(i·in/out) .. ceil((i + 1)·in/out)`. With the position `i·in/out = a + t/den` and the step
//! `in/out = w + r/den` that is `w + 1` inputs when `0 < t + r <= den`, one less when t + r = 0 and one more beyond: three counts an axis,
//! whose nine products are inverted at plan time.

use super::axes;
use crate::coords::{Affine, Coordinates, Position};
use crate::phase::Reciprocal;
use crate::reads::{Rows, Spec, described};
use crate::rows::cut;
use crate::{Element, Error, Layer, Resize, Shape, Window};
use core::ops::Range;

/// A planned area resize; made by [`Upsample::area`](crate::Upsample::area).
#[derive(Clone, Copy, Debug)]
pub struct Area {
    channels: usize,
    y: Affine,
    x: Affine,
    /// Divides by the count of a row span and a column span, each `whole`, `whole + 1` or `whole + 2`.
    by_count: [[Reciprocal; 3]; 3],
}

impl Area {
    pub(crate) const fn new(input: Shape, oh: usize, ow: usize) -> Result<Self, Error> {
        let [y, x] = match axes(input, Resize::to(oh, ow).coordinates(Coordinates::Asymmetric)) {
            Ok(axes) => axes,
            Err(e) => return Err(e),
        };
        let mut by_count = [[Reciprocal::new(1); 3]; 3];
        let mut i = 0;
        while i < 9 {
            // Bounds: each count is at most MAX_SIDE + 2 < 2^16.
            let count = (y.whole() + i / 3) * (x.whole() + i % 3);
            by_count[i as usize / 3][i as usize % 3] = Reciprocal::new(count);
            i += 1;
        }
        Ok(Area { channels: input.c, y, x, by_count })
    }

    pub(crate) const fn spec(&self) -> Spec<'_> {
        let input = Shape::new(self.y.input, self.x.input, self.channels);
        Spec::layer(input, Shape::new(self.y.output, self.x.output, self.channels), Rows::Area(&self.y))
    }
}

/// The inputs that an output covers, and by how many they are more than the step's whole part (0 ..= 2).
pub(crate) const fn span(axis: &Affine, p: Position) -> (Range<usize>, usize) {
    let extra = p.t + axis.rest();
    let more = if extra == 0 {
        0
    } else if extra <= axis.den() {
        1
    } else {
        2
    };
    let from = if p.i < 0 { 0 } else { p.i as usize };
    (from..from + axis.whole() as usize + more, more)
}

impl<T: Element> Layer<T> for Area {
    described!();

    fn macs(&self) -> u64 {
        0
    }

    #[inline(never)]
    fn row(&self, oy: usize, x: &Window<'_, T>, y: &mut [T]) {
        let c = self.channels;
        let (rows, more_rows) = span(&self.y, self.y.at(oy));
        for (out, position) in y.chunks_exact_mut(c.max(1)).zip(self.x.walk()) {
            let (columns, more_columns) = span(&self.x, position);
            let Some(by_count) = self.by_count.get(more_rows).and_then(|b| b.get(more_columns)) else { return };
            // Four channels at a time.
            for (outs, ch) in out.chunks_mut(4).zip((0..).step_by(4)) {
                // Bounds: x - MIN < 2^16 and at most 2^30 values: a sum is below 2^46, a mean below 2^16.
                let mut sums = [u64::from(by_count.divisor() / 2); 4];
                for iy in rows.clone() {
                    let row = cut(x.row(iy), columns.start * c, columns.len() * c);
                    for pixel in row.chunks_exact(c.max(1)).filter_map(|pixel| pixel.get(ch..)) {
                        let add = |(sum, v): (&mut u64, &T)| *sum += (v.to_i32() - T::MIN) as u64;
                        match pixel.first_chunk::<4>() {
                            Some(four) => sums.iter_mut().zip(four).for_each(add),
                            None => sums.iter_mut().zip(pixel).for_each(add),
                        }
                    }
                }
                for (out, sum) in outs.iter_mut().zip(sums) {
                    *out = T::from_i32(by_count.div_rem(sum).0 as i32 + T::MIN);
                }
            }
        }
    }
}
