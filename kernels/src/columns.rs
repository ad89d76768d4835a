//! A nearest upsample and the convolution after it with the weights as they are: outputs share the columns of the kernel.
//!
//! By r the upsample repeats a pixel r times, so r outputs meet the same products. Of each pixel b of the input and column t of the kernel,
//! `S_t(b) = Σ x·w` over tap rows and channels is computed once. The r outputs whose last tap reads pixel b are, i = 0 .. r,
//!
//! ```text
//! y[r·b + i − (k − 1 − p)] = bias + Σ_t S_t(b − ceil((k − 1 − t − i) / r))
//! ```
//!
//! which at 2x and three columns is `S_0(b−1) + S_1(b−1) + S_2(b)` and `S_0(b−1) + S_1(b) + S_2(b)`. Zero points come off a whole output, `zero · Σ w`, so what
//! lies outside the input is the zero point: a column there has the sum `zero · Σ w` of its own.

use crate::arch::TAP_ROWS;
use crate::arch::columns::row;
use crate::arch::strip::{CHANNELS, COLUMNS, Lines, Strip, Strips, VALUES};
use crate::phase::{Axis, Reciprocal};
use crate::plan::{div, length, min, rem};
use crate::reads::{Rows, Spec, described};
use crate::{Convolution, Element, Error, FoldNearest, Layer, Plan, Shape, WeightOrder, Window};
use core::marker::PhantomData;
use core::ops::Range;

impl FoldNearest {
    /// Whether [`Columns`] take fewer instructions in this build than [`transposed`](Self::transposed), of int8 values and factors below 1/2: with Helium, at
    /// 2x and three columns along the width, of more than one pixel.
    pub const fn by_columns(&self) -> bool {
        cfg!(upconv_backend = "mve") && self.has_loops()
    }

    /// The part of this that does not depend on the build.
    const fn has_loops(&self) -> bool {
        let ([kh, kw], plan) = (self.conv.kernel(), &self.conv);
        self.factor[1] == 2 && kw == 3 && kh <= TAP_ROWS && plan.groups == 1 && self.transposed.input.w > 1
    }

    /// The convolution as it is, on the upsampled input: the plan of the weights of [`Columns`].
    pub const fn convolution(&self) -> Plan {
        self.conv
    }

    /// N weights in the order of [`Columns`], with which another layer computes something else, and the M = `kernel width · C_out` sums of each column of each channel.
    ///
    /// # Errors
    /// Those of [`columns_into`](Self::columns_into).
    pub const fn columns<const N: usize, const M: usize>(
        &self,
        w: &[i8; N],
        order: WeightOrder,
    ) -> Result<([i8; N], [i32; M]), Error> {
        let (mut packed, mut sums) = (*w, [0; M]);
        match self.columns_into(w, order, &mut packed, &mut sums) {
            Ok(()) => Ok((packed, sums)),
            Err(e) => Err(e),
        }
    }

    /// [`columns`](Self::columns) into slices, in the same order on all targets: sixteen input channels, tap row, output channel, tap column; the channels
    /// that are left are sixteen of all tap rows at a time.
    ///
    /// # Errors
    /// [`Error::Length`] when a slice has the wrong length; [`Error::Unsupported`] for groups.
    pub const fn columns_into(
        &self,
        w: &[i8],
        order: WeightOrder,
        packed: &mut [i8],
        sums: &mut [i32],
    ) -> Result<(), Error> {
        let ([kh, kw], c, channels) = (self.conv.kernel(), self.conv.group_in, self.conv.output.c);
        let checks = [
            length("the weights", w.len(), self.conv.weight_len()),
            length("the packed weights", packed.len(), self.conv.weight_len()),
            length("the sums of columns", sums.len(), kw * channels),
            whole(self.conv.groups),
        ];
        let mut i = 0;
        while i < checks.len() {
            if let Err(e) = checks[i] {
                return Err(e);
            }
            i += 1;
        }
        let rest = rem(c, VALUES);
        let (mut to, mut column) = (0, 0);
        while column < sums.len() {
            sums[column] = 0;
            column += 1;
        }
        // Tap rows and input channels as one string, of which so much is multiplied at a time.
        let (mut at, end) = (0, kh * c);
        while at < end {
            let whole = at < kh * (c - rest);
            let len = if whole { VALUES } else { min(end - at, VALUES) };
            column = 0;
            while column < sums.len() {
                let (o, kx) = (div(column, kw), rem(column, kw));
                i = 0;
                while i < len {
                    let (ky, ci) = if whole {
                        (rem(div(at, VALUES), kh), div(at, VALUES * kh) * VALUES + i)
                    } else {
                        let i = at + i - kh * (c - rest);
                        (div(i, rest), c - rest + rem(i, rest))
                    };
                    let from = self.conv.weight_index(order, o, ci, ky, kx);
                    if from < w.len() && to < packed.len() {
                        packed[to] = w[from];
                        sums[column] += w[from] as i32;
                    }
                    to += 1;
                    i += 1;
                }
                column += 1;
            }
            at += len;
        }
        Ok(())
    }
}

/// The sum of one of so many columns of packed weights, of tap rows and channels.
const fn sum(packed: &[i8], [column, columns]: [usize; 2], [rows, channels]: [usize; 2]) -> i32 {
    let (end, whole) = (rows * channels, rows * (channels - rem(channels, VALUES)));
    let (mut sum, mut at) = (0, 0);
    while at < end {
        let len = if at < whole { VALUES } else { min(end - at, VALUES) };
        let mut i = columns * at + column * len;
        let to = i + len;
        while i < to && i < packed.len() {
            sum += packed[i] as i32;
            i += 1;
        }
        at += len;
    }
    sum
}

const fn whole(groups: usize) -> Result<(), Error> {
    if groups == 1 { Ok(()) } else { Err(Error::Unsupported { what: "shared columns of groups" }) }
}

/// A nearest upsample and a convolution in one layer that keeps the weights as trained, in int8.
///
/// Take it with Helium where [`FoldNearest::by_columns`] says so: 2x with three columns takes half the instructions of the two layers there, anything else (other
/// factors or columns along the width, int16, factors from 1/2 on) runs without Helium's loops and is slow; and where flash is what is short. Else [`FoldNearest::transposed`] is faster: on Cortex-M4 by 5.9 times (`fold nearest2+conv3x3 16x16x32 c32`). Exact but for the one rounding, which is the
/// convolution's. A row takes 3.4 KB of stack.
///
/// | upsample + kernel | products of the pair | of [`FoldNearest::transposed`], int16 | of the columns | weights of these |
/// |-------------------|----------------------|---------------------------------------|----------------|--------------------------------------|
/// | 2x + 3x3          | 9                    | 4                                     | 4.5            | 9, 32, 9 bytes                       |
/// | 2x + 5x5          | 25                   | 9                                     | 12.5           | 25, 72, 25 bytes                     |
/// | 4x + 3x3          | 9                    | 2.25                                  | 2.25           | 9, 72, 9 bytes                       |
///
/// ```
/// use upconv::*;
/// const FOLD: FoldNearest = must!(FoldNearest::plan(Shape::new(1, 2, 1), [2, 2], 1, Geometry::square(3).pad(1)));
/// static COLUMNS: ([i8; 9], [i32; 3]) = must!(FOLD.columns(&[1, 2, 3, 4, 5, 6, 7, 8, 9], WeightOrder::Torch));
/// static ONE: [Multiplier; 1] = must!(Multiplier::per_channel(0.5, &[1.0], 1.0));
/// static UP: Columns<i8> = must!(Columns::new(&FOLD, must!(Weights { packed: &COLUMNS.0, bias: &[0i32] }.layer(
///     &FOLD.convolution(),
///     Quantization {
///         x: Quant::new(0.5, 0),
///         y: Quant::new(1.0, 0),
///         multipliers: &ONE,
///         activation: Activation::None,
///         rounding: Rounding::TfliteSingle,
///     },
/// )), &COLUMNS.1));
/// let mut y = [0; 8];
/// Bound::whole(&UP, &[2, -4], &mut y)?.run();
/// assert_eq!(y, [28, -6, -45, -48, 16, -6, -27, -24]);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Columns<'a, T> {
    plan: Plan,
    strips: Strips<'a>,
    input: Shape,
    rows: Axis,
    /// Tap rows that read the same row, and one by that.
    by: usize,
    by_r: Reciprocal,
    top: usize,
    element: PhantomData<T>,
}

impl<'a, T: Element> Columns<'a, T> {
    /// The convolution is one of [`FoldNearest::convolution`], with packed weights of [`FoldNearest::columns`], from where the sums are, too.
    ///
    /// # Errors
    /// [`Error::Length`] when there are not as many sums; [`Error::Unsupported`] for groups, when the convolution was planned otherwise, or when the sums are
    /// not those of the weights in that order; [`Error::Range`] for a kernel with a side above 8; [`Error::Overflow`] when `|bias| + 128 · max|x − zero|` for each weight could reach 2³¹.
    pub const fn new(fold: &FoldNearest, conv: Convolution<'a, T>, sums: &'a [i32]) -> Result<Self, Error> {
        let (plan, [kh, kw], a) = (&fold.conv, fold.conv.kernel(), &fold.conv.output);
        if !plan.is(&conv.plan) {
            return Err(Error::Unsupported { what: "columns of another convolution" });
        }
        let max = if kh > kw { kh } else { kw };
        if max > TAP_ROWS {
            let (what, got) = ("the kernel of shared columns", crate::shape::signed(max));
            return Err(Error::Range { what, got, min: 1, max: TAP_ROWS as i64 });
        }
        let checks = [whole(plan.groups), length("the sums of columns", sums.len(), kw * a.c)];
        let mut i = 0;
        while i < checks.len() {
            if let Err(e) = checks[i] {
                return Err(e);
            }
            i += 1;
        }
        let mut column = 0;
        while column < sums.len() {
            if sums[column] != sum(conv.weights.packed, [column, sums.len()], [kh, plan.input.c]) {
                return Err(Error::Unsupported { what: "columns of weights in another order, or of other sums" });
            }
            column += 1;
        }
        // The sums of single channels take their weights in another order.
        let (up, down) = (T::MAX as i64 - conv.x_zero as i64, conv.x_zero as i64 - T::MIN as i64);
        let far = if up > down { up } else { down } as u64;
        let (products, max) = (plan.channel_weights() as u64 * far * 128, i32::MAX as u64);
        let mut channel = 0;
        while channel < a.c {
            let biases = conv.weights.bias;
            let bias = if channel < biases.len() { biases[channel].unsigned_abs() as u64 } else { 0 };
            if bias + products > max {
                return Err(Error::Overflow { channel, bound: bias + products, max });
            }
            channel += 1;
        }
        let r = fold.factor[1];
        let kept = div(kw + r - 2, r);
        let strip = Strip {
            width: fold.transposed.input.w,
            channels: plan.input.c,
            zero: conv.x_zero,
            rows: kh,
            columns: kw,
            factor: r,
            kept,
            behind: kw - 1 - fold.pad[1],
            to: [a.w, a.c],
            most: min(CHANNELS, div(COLUMNS, kw * if kept > 1 { kept } else { 1 })),
            w: conv.weights.packed,
            totals: sums,
            bias: conv.weights.bias,
            multipliers: conv.multipliers,
            requant: conv.requant,
        };
        Ok(Columns {
            plan: conv.plan,
            strips: Strips::new(strip),
            input: fold.transposed.input,
            rows: fold.transposed.y,
            by: fold.factor[0],
            by_r: Reciprocal::new(fold.factor[0] as u32),
            top: fold.pad[0],
            element: PhantomData,
        })
    }

    pub(crate) const fn spec(&self) -> Spec<'_> {
        Spec::layer(self.input, self.plan.output, Rows::Taps(&self.rows))
    }
}

impl<T: Element> Layer<T> for Columns<'_, T> {
    described!();

    fn macs(&self) -> u64 {
        let plan = &self.plan;
        let [all, columns] = [plan.group_in * plan.output.c, self.input.w * plan.kernel()[1]].map(|n| n as u64);
        plan.y.pairs() * all * columns
    }

    fn row(&self, oy: usize, x: &Window<'_, T>, y: &mut [T]) {
        let above = self.top.saturating_sub(oy);
        let (next, phase) = self.by_r.div_rem((oy + above - self.top) as u64);
        let (next, times) = (next as usize, self.by - phase as usize);
        let lines = Taps { x, above, next, end: self.input.h, times, by: self.by };
        row(&self.strips, lines, y);
    }
}

/// Tap rows above the input, and then each row of it as often as the upsample repeats it, the first one fewer times.
#[derive(Clone, Copy)]
struct Taps<'w, 'x, T> {
    x: &'w Window<'x, T>,
    above: usize,
    next: usize,
    end: usize,
    times: usize,
    by: usize,
}

impl<'x, T: Copy> Lines<'x, T> for Taps<'_, 'x, T> {
    #[inline(always)]
    fn next(&mut self) -> (&'x [T], usize) {
        let (above, row, times) = (self.above, self.next, self.times);
        if above > 0 {
            self.above = 0;
            return (&[], above);
        }
        (self.next, self.times) = (row + 1, self.by);
        (if row < self.end { self.x.row(row) } else { &[] }, times)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Geometry;

    #[test]
    fn loops_are_those_of_2x_and_three_columns() {
        let has = |[w, c, channels]: [usize; 3], factor: [usize; 2], g: Geometry| {
            FoldNearest::plan(Shape::new(8, w, c), factor, channels, g).unwrap().has_loops()
        };
        let three = Geometry::square(3).pad(1);
        assert!(has([8, 16, 1], [2, 2], three) && has([2, 1, 5], [2, 2], three));
        assert!(has([8, 16, 16], [3, 2], Geometry::new(5, 3)));
        assert!(has([8, 15, 4], [2, 2], three) && !has([1, 16, 16], [2, 2], three));
        assert!(!has([8, 16, 16], [2, 4], three) && !has([8, 16, 16], [2, 2], Geometry::square(5)));
        assert!(!has([8, 16, 16], [2, 2], three.groups(2)));
    }
}
