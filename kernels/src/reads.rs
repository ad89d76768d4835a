//! Shapes of an operator and the input rows that each of its output rows reads, as plain data: `const` code cannot call a
//! trait, and a [`Decoder`](crate::Decoder) is planned by `const` code. Operators answer their trait from here too.

use crate::Shape;
use crate::coords::Affine;
use crate::pad::{Edges, Fill};
use crate::phase::{Axis, Reciprocal, gcd};
use crate::plan::div;
use crate::unpool::MaxUnpool;
use crate::upsample::span;
use core::ops::Range;

/// How an operator reads rows.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rows<'a> {
    /// Row by row, every input; an input of a single row serves all.
    Each,
    /// The rows of one input after those of another.
    Stacked,
    /// Row `oy / r`.
    Repeated(&'a Reciprocal),
    /// Rows `oy · r ..` of a block of r.
    Blocks(usize),
    /// The taps of a convolution.
    Taps(&'a Axis),
    /// ... of its row `oy / r`.
    SubTaps(&'a Axis, &'a Reciprocal),
    Nearest(&'a Affine),
    Linear(&'a Affine),
    Cubic(&'a Affine),
    Area(&'a Affine),
    Pad(&'a Edges, Fill<()>),
    Table(&'a [u16]),
    Unpool(&'a MaxUnpool),
}

/// What a plan knows of an operator.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spec<'a> {
    input: Shape,
    /// All inputs of a join; a layer has none.
    joined: &'a [Shape],
    pub(crate) output: Shape,
    rows: Rows<'a>,
}

impl<'a> Spec<'a> {
    pub(crate) const fn layer(input: Shape, output: Shape, rows: Rows<'a>) -> Self {
        Spec { input, joined: &[], output, rows }
    }

    pub(crate) const fn join(inputs: &'a [Shape], output: Shape, rows: Rows<'a>) -> Self {
        Spec { input: Shape::new(0, 0, 0), joined: inputs, output, rows }
    }

    pub(crate) const fn inputs(&self) -> usize {
        if self.joined.is_empty() { 1 } else { self.joined.len() }
    }

    pub(crate) const fn input(&self, i: usize) -> Shape {
        if self.joined.is_empty() {
            self.input
        } else if i < self.joined.len() {
            self.joined[i]
        } else {
            Shape::new(0, 0, 0)
        }
    }

    /// The rows of input `i` that output row `oy` reads.
    pub(crate) const fn reads(&self, i: usize, oy: usize) -> Range<usize> {
        match self.rows {
            Rows::Each if self.input(i).h == 1 => one_row(0),
            Rows::Each => one_row(oy),
            Rows::Stacked => {
                let (mut before, mut k) = (0, 0);
                while k < i && k < self.joined.len() {
                    before += self.joined[k].h;
                    k += 1;
                }
                if oy >= before && oy - before < self.input(i).h { one_row(oy - before) } else { 0..0 }
            }
            Rows::Repeated(by) => one_row(by.div_rem(oy as u64).0 as usize),
            Rows::Blocks(r) => oy * r..oy * r + r,
            Rows::Taps(axis) => axis.reads(oy),
            Rows::SubTaps(axis, by) => axis.reads(by.div_rem(oy as u64).0 as usize),
            Rows::Nearest(axis) => one_row(axis.nearest(axis.at(oy))),
            Rows::Linear(axis) => {
                let (i0, i1, t) = axis.linear(axis.at(oy));
                i0..if t == 0 { i0 + 1 } else { i1 + 1 }
            }
            Rows::Cubic(axis) => {
                let (mut first, mut last) = (axis.at(oy), axis.at(oy));
                first.i -= 1;
                last.i += 2;
                axis.nearest(first)..axis.nearest(last) + 1
            }
            Rows::Area(axis) => span(axis, axis.at(oy)).0,
            Rows::Pad(edges, fill) => match edges.source(oy, &fill) {
                Some(iy) => one_row(iy),
                None => 0..0,
            },
            Rows::Table(rows) => {
                if oy < rows.len() {
                    one_row(rows[oy] as usize)
                } else {
                    0..0
                }
            }
            Rows::Unpool(plan) => plan.windows(oy).0,
        }
    }

    /// Whether a border cuts taps off for output row `oy`; what it then reads may look like a period all the same.
    pub(crate) const fn is_cut(&self, oy: usize) -> bool {
        let (axis, oy) = match self.rows {
            Rows::Taps(axis) => (axis, oy),
            Rows::SubTaps(axis, by) => (axis, by.div_rem(oy as u64).0 as usize),
            _ => return false,
        };
        let phase = axis.at(oy);
        axis.clip(phase.first, phase.taps).1 < phase.taps
    }

    /// The rows of every input (p) and of the output (q) that go by in the same time.
    pub(crate) const fn slope(&self) -> Option<(usize, usize)> {
        match self.rows {
            Rows::Each => Some((1, 1)),
            _ => self.period(),
        }
    }

    /// The period (p, q) of the rows that are away from the borders: `reads(oy + q) = reads(oy) + p`, with the same weights, on an input of any
    /// height. None when the operator has no such period.
    pub(crate) const fn period(&self) -> Option<(usize, usize)> {
        match self.rows {
            Rows::Each => {
                let mut i = 0;
                while i < self.inputs() {
                    if self.input(i).h != self.output.h {
                        return None;
                    }
                    i += 1;
                }
                Some((1, 1))
            }
            Rows::Repeated(by) => Some((1, by.divisor() as usize)),
            Rows::Blocks(r) => Some((r, 1)),
            Rows::Taps(axis) => Some((axis.in_step, axis.out_step)),
            Rows::SubTaps(axis, by) => Some((axis.in_step, axis.out_step * by.divisor() as usize)),
            Rows::Nearest(axis) | Rows::Linear(axis) | Rows::Cubic(axis) | Rows::Area(axis) => {
                let step = axis.whole() as usize * axis.den() as usize + axis.rest() as usize;
                let g = gcd(step, axis.den() as usize);
                let (p, q) = (div(step, g), div(axis.den() as usize, g));
                // Positions that depend on the height, as those between aligned corners do, fail here.
                if p > 0 && self.input.h * q == self.output.h * p { Some((p, q)) } else { None }
            }
            Rows::Pad(_, Fill::Wrap) | Rows::Stacked | Rows::Table(_) | Rows::Unpool(_) => None,
            Rows::Pad(..) => Some((1, 1)),
        }
    }
}

const fn one_row(iy: usize) -> Range<usize> {
    iy..iy + 1
}

/// The questions of a [`Layer`](crate::Layer), answered by its `spec`.
macro_rules! described {
    () => {
        fn input(&self) -> Shape {
            self.spec().input(0)
        }

        fn output(&self) -> Shape {
            self.spec().output
        }

        fn reads(&self, oy: usize) -> Range<usize> {
            self.spec().reads(0, oy)
        }
    };
}

/// The questions of a [`Join`](crate::Join), answered by its `spec`.
macro_rules! described_join {
    () => {
        fn inputs(&self) -> usize {
            self.spec().inputs()
        }

        fn input(&self, i: usize) -> Shape {
            self.spec().input(i)
        }

        fn output(&self) -> Shape {
            self.spec().output
        }

        fn reads(&self, i: usize, oy: usize) -> Range<usize> {
            self.spec().reads(i, oy)
        }
    };
}

pub(crate) use {described, described_join};
