//! The nodes of a decoder.

use crate::quant::Accumulator;
use crate::reads::{Rows, Spec};
use crate::{
    Area, Bicubic, Bilinear, Columns, Concat, Convolution, Element, Elementwise, Gather, Join, Layer, Nearest, Pad,
    PixelShuffle, PixelUnshuffle, Pointwise, Product, Shape, SubPixel, Sum, Unpool,
};

/// An input, a layer or a join, with the nodes that it reads; made by the operators' `node`, or here for inputs.
///
/// Nodes are named by their place in the decoder's list. Where the tensor that a node reads has another shape than it asks for, but the same
/// length, it is read in the new shape, once it is complete.
#[derive(Clone, Copy)]
pub struct Node<'a, T> {
    pub(super) op: Op<'a, T>,
    pub(super) spec: Spec<'a>,
}

#[derive(Clone, Copy)]
pub(super) enum Op<'a, T> {
    Whole,
    Rows,
    Layer(&'a (dyn Layer<T> + Sync), usize),
    Join(&'a (dyn Join<T> + Sync), &'a [usize]),
}

impl<'a, T> Node<'a, T> {
    /// An input that is a whole tensor, in flash or in RAM.
    pub const fn whole(shape: Shape) -> Self {
        Node { op: Op::Whole, spec: Spec::layer(shape, shape, Rows::Each) }
    }

    /// An input whose rows come one after the other, from a [`RowSource`](crate::RowSource) or pushed; the decoder keeps those that it
    /// still needs.
    pub const fn rows(shape: Shape) -> Self {
        Node { op: Op::Rows, spec: Spec::layer(shape, shape, Rows::Each) }
    }
}

impl<T> Op<'_, T> {
    /// The k-th node that it reads.
    pub(super) const fn from(&self, k: usize) -> Option<usize> {
        match *self {
            Op::Layer(_, from) if k == 0 => Some(from),
            Op::Join(_, from) if k < from.len() => Some(from[k]),
            _ => None,
        }
    }

    pub(super) const fn is_input(&self) -> bool {
        matches!(self, Op::Whole | Op::Rows)
    }
}

/// Stamps `node`, because `const` code cannot ask a trait for an operator's `spec`.
macro_rules! layer {
    ($layer:ty, [$($impl:tt)*], [$($method:tt)*] $(, $bound:ty: $to:ty)?) => {
        impl<'a, $($impl)*> $layer {
            /// This layer as a node of a [`Decoder`](crate::Decoder) that reads node `from`.
            pub const fn node<$($method)*>(&'a self, from: usize) -> Node<'a, T>
            $(where $bound: Pointwise<$to>)?
            {
                Node { op: Op::Layer(self, from), spec: self.spec() }
            }
        }
    };
}

layer!(Nearest, [], [T: Element]);
layer!(Gather<'a>, [], [T: Element]);
layer!(Bilinear, [], [T: Element]);
layer!(Bicubic, [], [T: Element]);
layer!(Area, [], [T: Element]);
layer!(PixelShuffle, [], [T: Element]);
layer!(PixelUnshuffle, [], [T: Element]);
layer!(Elementwise<'a, P>, [P: Sync], [T: Element], P: T);
layer!(Pad<T>, [T: Element + Sync], []);
layer!(Unpool<'a, T>, [T: Element + Sync], []);
layer!(Convolution<'a, T, W, A>, [T: Element + Sync, W: Element + Sync, A: Accumulator + Sync], []);
layer!(Columns<'a, T>, [T: Element + Sync], []);
layer!(SubPixel<'a, T, W, A>, [T: Element + Sync, W: Element + Sync, A: Accumulator + Sync], []);

/// ... and of joins.
macro_rules! join {
    ($join:ty $(, $n:ident)?) => {
        impl<'a, T: Element + Sync $(, const $n: usize)?> $join {
            /// This join as a node of a [`Decoder`](crate::Decoder) that reads the nodes `from`.
            pub const fn node(&'a self, from: &'a [usize]) -> Node<'a, T> {
                Node { op: Op::Join(self, from), spec: self.spec() }
            }
        }
    };
}

join!(Sum<T>);
join!(Product<T>);
join!(Concat<T, N>, N);

impl<T: Element, W: Element, A: Accumulator> Convolution<'_, T, W, A> {
    const fn spec(&self) -> Spec<'_> {
        let plan = self.plan();
        Spec::layer(plan.input, plan.output, Rows::Taps(&plan.y))
    }
}
