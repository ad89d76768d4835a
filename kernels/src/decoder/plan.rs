//! The plan of a decoder: which rows of each tensor are kept, and where.

use super::Node;
use super::node::Op;
use super::run::JOINED;
use crate::phase::{Reciprocal, gcd};
use crate::plan::div;
use crate::reads::Spec;
use crate::{Element, Error, Layer, MAX_SIDE, Shape, Window};
use core::ops::Range;

/// The most rows of a cycle of a signal without end whose order is planned.
const ORDER: usize = 64;

/// The nodes whose rows follow each other in a signal without end, again and again once counters have gone back `after` times. Empty where there are too many.
#[derive(Clone, Copy)]
pub(super) struct Order {
    nodes: [u8; ORDER],
    len: usize,
    pub(super) after: usize,
    /// How often, before a node would come near the end of its pattern.
    pub(super) laps: usize,
}

impl Order {
    const NONE: Self = Order { nodes: [0; ORDER], len: 0, after: 0, laps: 0 };

    pub(super) fn nodes(&self) -> &[u8] {
        self.nodes.get(..self.len).unwrap_or_default()
    }
}

/// What is kept of a node's tensor, and how the run computes its rows. In this order, so that what every row asks is loaded by few instructions.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Ring<'a, T> {
    /// The ring that a layer reads whose formula `reach` is, ...
    pub(super) x: Source,
    /// Values in a row.
    pub(super) row_len: usize,
    /// Where the rows lie, up to `end`; inputs that are whole and the output lie elsewhere.
    pub(super) end: usize,
    pub(super) at: usize,
    /// ... and that layer; else nothing, and the run looks for itself.
    pub(super) layer: &'a (dyn Layer<T> + Sync),
    /// When there is enough to read for the next row, unless the run asks the layer.
    pub(super) reach: Reach,
    pub(super) looks: bool,
    pub(super) asks: bool,
    /// A join whose row `oy` reads row `oy` of every input.
    pub(super) each: bool,
    /// All rows are kept, and are there before any is read.
    pub(super) whole: bool,
    /// Which input it is.
    pub(super) input: usize,
    /// Rows of the tensor, and rows kept.
    pub(super) height: usize,
    pub(super) rows: usize,
    /// In a signal without end: rows from `first` on are away from the beginning, and repeat after `period` rows.
    pub(super) first: usize,
    pub(super) period: usize,
    /// ... and some rows read less than what shows that the signal is long enough to have them.
    pub(super) late: Option<Late>,
}

/// Row `oy` can be made once `(rows + 1)·q > c + oy·p` for the rows that there are of node `from`, or once it has all.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reach {
    pub(super) from: usize,
    pub(super) c: usize,
    pub(super) p: usize,
    pub(super) q: usize,
}

/// Rows in memory, up to value `end`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source {
    pub(super) row_len: usize,
    pub(super) rows: usize,
    pub(super) end: usize,
}

/// In the place of a layer.
struct Nothing;

impl<T: Element> Layer<T> for Nothing {
    fn input(&self) -> Shape {
        Shape::new(0, 0, 0)
    }

    fn output(&self) -> Shape {
        Shape::new(0, 0, 0)
    }

    fn reads(&self, _: usize) -> Range<usize> {
        0..0
    }

    fn macs(&self) -> u64 {
        0
    }

    fn row(&self, _: usize, _: &Window<'_, T>, _: &mut [T]) {}
}

impl Reach {
    /// Of a node without a formula.
    const ANY: Self = Reach { from: 0, c: 0, p: 0, q: 1 };

    /// The input rows that must be there for row `oy`, if there are so many, are `⌊(c + oy·p) / q⌋`, where that holds for every row.
    const fn of(spec: &Spec<'_>, from: usize) -> Option<Self> {
        // Bounds: p, q <= MAX_SIDE, so every number below is under 2^31, and so are the run's.
        let Some((p, q)) = spec.slope() else { return None };
        if p > MAX_SIDE || q == 0 || q > MAX_SIDE {
            return None;
        }
        let (mut least, mut below, mut oy) = (0, i64::MAX, 0);
        while oy < spec.output.h {
            let mut k = 0;
            while k < spec.inputs() {
                let (end, before) = (spec.reads(k, oy).end, (oy * p) as i64);
                let (from, to) = ((end * q) as i64 - before, ((end + 1) * q) as i64 - before);
                least = if from > least { from } else { least };
                below = if end < spec.input(k).h && to < below { to } else { below };
                k += 1;
            }
            oy += 1;
        }
        if least >= below || least > (MAX_SIDE * q) as i64 {
            return None;
        }
        Some(Reach { from, c: least as usize, p, q })
    }
}

/// When a row is known to exist: height and period of the input, and the period of the node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Late {
    height: usize,
    p: usize,
    q: Reciprocal,
}

impl<T> Ring<'_, T> {
    /// How many input rows there must be for row `oy` to exist, in a signal that has not ended.
    pub(super) const fn known(&self, oy: usize) -> usize {
        match self.late {
            Some(late) => late.rows(self.height, oy),
            None => 0,
        }
    }
}

impl Late {
    /// Of `height` output rows as many follow row `oy` as follow from the input rows that are still to come, and no more.
    const fn rows(&self, height: usize, oy: usize) -> usize {
        let (periods, _) = self.q.div_rem((height - 1).saturating_sub(oy) as u64);
        self.height.saturating_sub(self.p * periods as usize)
    }
}

/// A planned decoder: N nodes, and which rows of each are kept where.
///
/// ```
/// use upconv::*;
///
/// // 8x8x4 -> 16x16x4 by repetition, the 16x16x2 skip beside it, both averaged over 2x2.
/// static UP: Nearest = must!(Upsample::nearest(Shape::new(8, 8, 4), 2, 2));
/// static SKIP: Concat<i8, 2> = must!(Concat::plan(
///     Along::Channels,
///     [(Shape::new(16, 16, 4), Quant::new(0.1, 0)), (Shape::new(16, 16, 2), Quant::new(0.1, 0))],
///     Quant::new(0.1, 0),
///     Rounding::TfliteDouble,
/// ));
/// static DOWN: Area = must!(Upsample::area(Shape::new(16, 16, 6), 8, 8));
/// static DECODER: Decoder<i8, 5> = must!(Decoder::plan([
///     Node::whole(Shape::new(8, 8, 4)),   // 0
///     UP.node(0),                         // 1
///     Node::whole(Shape::new(16, 16, 2)), // 2
///     SKIP.node(&[1, 2]),                 // 3
///     DOWN.node(3),                       // 4
/// ]));
///
/// const NEED: usize = DECODER.need();
/// assert_eq!(NEED, 16 * 4 + 2 * 16 * 6); // one row of node 1, two of node 3
/// let (mut memory, mut row) = ([0; NEED], [0; 8 * 6]);
/// let (x, skip) = ([1; 8 * 8 * 4], [-1; 16 * 16 * 2]);
/// let mut inputs = [Input::Whole(&x), Input::Whole(&skip)];
/// let mut decoder = DECODER.bind(&mut inputs, &mut memory, &mut row)?;
/// while let Some(row) = decoder.next_row() {
///     assert_eq!(row[..6], [1, 1, 1, 1, -1, -1]);
/// }
/// # Ok::<(), Error>(())
/// ```
pub struct Decoder<'a, T, const N: usize> {
    pub(super) ops: [Op<'a, T>; N],
    pub(super) rings: [Ring<'a, T>; N],
    /// The nodes that there are, the first of N.
    len: usize,
    pub(super) inputs: usize,
    output: Shape,
    pub(super) endless: bool,
    pub(super) order: Order,
    need: usize,
}

/// A decoder that is being planned, with what only its plan asks.
struct Draft<'a, T, const N: usize> {
    nodes: [Node<'a, T>; N],
    rings: [Ring<'a, T>; N],
    len: usize,
    inputs: usize,
    order: Order,
    need: usize,
}

impl<'a, T: Element, const N: usize> Decoder<'a, T, N> {
    /// Plans a decoder for rows: every tensor is a ring of the fewest rows that do, or whole where that needs less memory.
    ///
    /// # Errors
    /// [`Error::Range`] when a node reads one that does not come before it, or a join has more than 8 inputs; [`Error::Node`] when what a node
    /// reads has another length than it asks for, when a join lacks inputs, when nothing reads a node, or the last one is no operator.
    pub const fn plan(nodes: [Node<'a, T>; N]) -> Result<Self, Error> {
        Self::plan_first(N, nodes)
    }

    /// Plans the decoder of the first `len` nodes, for lists whose length is known at run time only; the others are not looked at.
    ///
    /// # Errors
    /// Those of [`plan`](Self::plan); [`Error::Range`] for more nodes than there are.
    ///
    /// ```
    /// use upconv::{Decoder, Node, Shape, Upsample};
    /// let (up, shape) = (Upsample::nearest(Shape::new(2, 2, 1), 2, 2)?, Shape::new(2, 2, 1));
    /// let decoder = Decoder::<i8, 4>::plan_first(2, [Node::rows(shape), up.node(0), Node::rows(shape), Node::rows(shape)])?;
    /// assert_eq!(decoder.output(), Shape::new(4, 4, 1));
    /// # Ok::<(), upconv::Error>(())
    /// ```
    pub const fn plan_first(len: usize, nodes: [Node<'a, T>; N]) -> Result<Self, Error> {
        let mut best = match Draft::place(len, nodes, [false; N]) {
            Ok(best) => best,
            Err(e) => return Err(e),
        };
        let len = best.len();
        // Each tensor that is not too large for it is made whole by turns; what saves memory stays.
        let mut i = 0;
        while i + 1 < len {
            let ring = best.rings[i];
            if !ring.whole && ring.rows < ring.height && ring.height * ring.row_len < best.need {
                let mut whole = [false; N];
                let mut k = 0;
                while k < len {
                    whole[k] = k == i || best.rings[k].whole;
                    k += 1;
                }
                match Draft::place(len, nodes, whole) {
                    Ok(other) if other.need < best.need => best = other,
                    _ => {}
                }
            }
            i += 1;
        }
        Ok(best.decoder(false))
    }

    /// Plans the same decoder layer by layer: every tensor but the output is whole before it is read, and tensors that are no longer needed
    /// make room for others. For comparison, and where memory is plenty.
    ///
    /// # Errors
    /// Those of [`plan`](Self::plan).
    pub const fn layer_by_layer(nodes: [Node<'a, T>; N]) -> Result<Self, Error> {
        match Draft::place(N, nodes, [true; N]) {
            Ok(d) => Ok(d.decoder(false)),
            Err(e) => Err(e),
        }
    }

    /// Plans a decoder for a signal without end along the height. Its inputs are [`Node::rows`]; where it has several, such as a skip or a condition that
    /// goes along, each has its own rate, which follows from where they are joined.
    ///
    /// The nodes are planned at some height, which serves as the pattern: rows away from both ends repeat with a period, so that a signal of
    /// `height + n·period` rows gives what nodes planned at that height would give. The period is 1 input row for a decoder that only
    /// upsamples by whole factors, else the product of what it downsamples by, at most. Two or three times the rows that one output depends on
    /// are enough as a height; a wider pattern costs nothing at run time.
    ///
    /// # Errors
    /// Those of [`plan`](Self::plan); [`Error::Unsupported`] for whole inputs, for joins of signals at different rates and operators that do not repeat (positions that depend on the height, tables, unpooling, concatenation along the height);
    /// [`Error::Range`] when the height is too small for a row to be away from both ends.
    pub const fn endless(nodes: [Node<'a, T>; N]) -> Result<Self, Error> {
        let mut d = match Draft::place(N, nodes, [false; N]) {
            Ok(d) => d,
            Err(e) => return Err(e),
        };
        match d.repeat() {
            Ok(()) => Ok(d.decoder(true)),
            Err(e) => Err(e),
        }
    }

    /// The same decoder if [`peak`](Self::peak) is at most `bytes`, else an error that says how much is missing.
    ///
    /// # Errors
    /// [`Error::Memory`]
    ///
    /// ```compile_fail,E0080
    /// use upconv::*;
    /// static UP: Nearest = must!(Upsample::nearest(Shape::new(64, 64, 8), 2, 2));
    /// static DECODER: Decoder<i8, 2> = {
    ///     const PLAN: Decoder<i8, 2> = must!(Decoder::plan([Node::rows(Shape::new(64, 64, 8)), UP.node(0)]));
    ///     must!(PLAN.within(1024)) // «the decoder needs 1536 bytes of RAM, 512 more than there are»
    /// };
    /// ```
    pub const fn within(self, bytes: usize) -> Result<Self, Error> {
        let need = self.peak();
        if need > bytes { Err(Error::Memory { need, bytes }) } else { Ok(self) }
    }

    /// Values of memory that [`bind`](Self::bind) asks for: every ring and every whole tensor between input and output. There is no other
    /// scratch.
    pub const fn need(&self) -> usize {
        self.need
    }

    /// Bytes of RAM: [`need`](Self::need) and one output row. Inputs in RAM are the caller's.
    pub const fn peak(&self) -> usize {
        (self.need + self.output().row_len()) * size_of::<T>()
    }

    /// The shape of the last node.
    pub const fn output(&self) -> Shape {
        self.output
    }

    /// How many rows are kept of node `i`, and how many it has; none are of an input that is whole and of the output.
    pub const fn rows(&self, i: usize) -> Option<(usize, usize)> {
        if i >= self.len() {
            return None;
        }
        let ring = &self.rings[i];
        Some((ring.rows, ring.height))
    }

    /// The number of nodes; that it is at most N the optimiser sees here.
    pub(super) const fn len(&self) -> usize {
        if self.len < N { self.len } else { N }
    }
}

impl<'a, T: Element, const N: usize> Draft<'a, T, N> {
    /// The number of nodes; that it is at most N the optimiser sees here.
    const fn len(&self) -> usize {
        if self.len < N { self.len } else { N }
    }

    const fn check(len: usize, nodes: &[Node<'a, T>; N]) -> Result<(), Error> {
        if len == 0 {
            return Err(Error::Zero { what: "the number of nodes" });
        }
        if len > N {
            let (what, got) = ("the number of nodes", crate::shape::signed(len));
            return Err(Error::Range { what, got, min: 1, max: N as i64 });
        }
        let mut n = 0;
        while n < len {
            let node = &nodes[n];
            let inputs = node.spec.inputs();
            if inputs > JOINED {
                let (what, got) = ("the inputs of a join", inputs as i64);
                return Err(Error::Range { what, got, min: 1, max: JOINED as i64 });
            }
            if n + 1 == len && node.op.is_input() {
                return Err(Error::Node { node: n, what: "operators at the end", got: 0, need: 1 });
            }
            let mut k = 0;
            while let Some(from) = node.op.from(k) {
                if from >= n {
                    let (what, got) = ("a node that a node reads", crate::shape::signed(from));
                    return Err(Error::Range { what, got, min: 0, max: n as i64 - 1 });
                }
                let (got, need) = (nodes[from].spec.output.len(), node.spec.input(k).len());
                if k < inputs && got != need {
                    return Err(Error::Node { node: n, what: "values of what it reads", got, need });
                }
                k += 1;
            }
            if !node.op.is_input() && k != inputs {
                return Err(Error::Node { node: n, what: "inputs of its join", got: k, need: inputs });
            }
            n += 1;
        }
        let (mut read, mut n) = ([false; N], 0);
        while n < len {
            let mut k = 0;
            while let Some(from) = nodes[n].op.from(k) {
                read[at(&read, from)] = true;
                k += 1;
            }
            n += 1;
        }
        n = 0;
        while n + 1 < len {
            if !read[n] {
                return Err(Error::Node { node: n, what: "nodes that read it", got: 0, need: 1 });
            }
            n += 1;
        }
        Ok(())
    }

    /// Plays the decoder through and gives each tensor its rows and its place.
    const fn place(len: usize, nodes: [Node<'a, T>; N], mut whole: [bool; N]) -> Result<Self, Error> {
        if let Err(e) = Self::check(len, &nodes) {
            return Err(e);
        }
        let nothing = Ring {
            height: 0,
            rows: 0,
            row_len: 0,
            at: 0,
            end: 0,
            whole: false,
            input: 0,
            first: 0,
            period: 0,
            late: None,
            each: false,
            reach: Reach::ANY,
            layer: &Nothing,
            x: Source { row_len: 0, rows: 0, end: 0 },
            looks: true,
            asks: true,
        };
        let mut d = Draft { nodes, rings: [nothing; N], len, inputs: 0, order: Order::NONE, need: 0 };
        let (len, mut n) = (d.len(), 0);
        while n < len {
            let mut k = 0;
            while let Some(from) = nodes[n].op.from(k) {
                // Another shape of the same values.
                whole[at(&whole, from)] |= !same(nodes[at(&whole, from)].spec.output, nodes[n].spec.input(k));
                k += 1;
            }
            n += 1;
        }
        n = 0;
        while n < len {
            let (shape, outside) = (nodes[n].spec.output, matches!(nodes[n].op, Op::Whole));
            let whole = (whole[n] && n + 1 < len) || outside;
            d.rings[n] = Ring { height: shape.h, row_len: shape.row_len(), whole, input: d.inputs, ..nothing };
            d.inputs += nodes[n].op.is_input() as usize;
            n += 1;
        }
        let mut play = Play::new(&d);
        while play.step(&d) != N {}
        n = 0;
        while n + 1 < len {
            let ring = &mut d.rings[n];
            ring.rows = if matches!(nodes[n].op, Op::Whole) { 0 } else { play.rows[n] };
            n += 1;
        }
        d.pack(&play.born, &play.died);
        d.turn();
        Ok(d)
    }

    /// The decoder, which tells the run what it would else ask the operators.
    const fn decoder(mut self, endless: bool) -> Decoder<'a, T, N> {
        let (len, mut n) = (self.len(), 0);
        let (mut ops, mut output) = ([Op::Rows; N], Shape::new(0, 0, 0));
        while n < len {
            (ops[n], output) = (self.nodes[n].op, self.nodes[n].spec.output);
            let node = &self.nodes[n];
            let ring = &mut self.rings[n];
            ring.end = ring.at + ring.rows * ring.row_len;
            let late = ring.late.is_some();
            match (node.op, Reach::of(&node.spec, 0)) {
                (Op::Join(..), Some(each @ Reach { c: 1, p: 1, q: 1, .. })) => {
                    // Of its first input; the run looks for the others itself.
                    let reach = match node.op.from(0) {
                        Some(from) if from < n && !self.rings[from].whole => Reach { from, ..each },
                        _ => Reach::ANY,
                    };
                    let ring = &mut self.rings[n];
                    (ring.each, ring.reach) = (true, reach);
                }
                (Op::Layer(layer, from), reach) if from < n => {
                    let (input, there) = (self.rings[from], same(self.nodes[from].spec.output, node.spec.input(0)));
                    let reach = match reach {
                        _ if input.whole => Some(Reach { from, c: input.height, p: 0, q: 1 }),
                        Some(reach) if !late => Some(Reach { from, ..reach }),
                        _ => None,
                    };
                    if let Some(reach) = reach {
                        let ring = &mut self.rings[n];
                        (ring.reach, ring.asks) = (reach, false);
                        if there && input.rows > 0 && (n + 1 == len || input.end <= ring.at) {
                            ring.x = Source { row_len: input.row_len, rows: input.rows, end: input.end };
                            (ring.layer, ring.looks) = (layer, false);
                        }
                    }
                }
                _ => {}
            }
            n += 1;
        }
        let mut k = 0;
        while k < self.order.len && k < ORDER {
            let n = self.order.nodes[k] as usize;
            if n < len && self.rings[n].looks {
                self.order.nodes[k] = (len + n) as u8;
            }
            k += 1;
        }
        let Draft { rings, len, inputs, order, need, .. } = self;
        Decoder { ops, rings, len, inputs, output, endless, order, need }
    }

    /// Turns the memory round where more layers lie before what they read than behind it: the run asks the others.
    const fn turn(&mut self) {
        let (len, mut n, mut before, mut behind) = (self.len(), 0, 0, 0);
        while n < len {
            if let Op::Layer(_, from) = self.nodes[n].op
                && from < n
                && self.rings[n].rows > 0
                && self.rings[from].rows > 0
            {
                let is_before = self.rings[from].at < self.rings[n].at;
                (before, behind) = (before + is_before as usize, behind + !is_before as usize);
            }
            n += 1;
        }
        n = 0;
        while n < len && behind > before {
            let ring = &mut self.rings[n];
            if ring.rows > 0 {
                ring.at = self.need - ring.at - ring.rows * ring.row_len;
            }
            n += 1;
        }
    }

    /// Places the rings, the largest first, each at the lowest place that no ring takes which lives at the same time.
    const fn pack(&mut self, born: &[usize; N], died: &[usize; N]) {
        let (len, mut placed) = (self.len(), [false; N]);
        self.need = 0;
        loop {
            let (mut next, mut largest, mut i) = (N, 0, 0);
            while i < len {
                let values = self.rings[i].rows * self.rings[i].row_len;
                if !placed[i] && values > largest {
                    (next, largest) = (i, values);
                }
                i += 1;
            }
            if next >= N {
                return;
            }
            let (mut at, mut k) = (0, 0);
            while k < len {
                let other = &self.rings[k];
                let end = other.at + other.rows * other.row_len;
                let together = born[next] <= died[k] && born[k] <= died[next];
                if placed[k] && together && at < end && other.at < at + largest {
                    // Moved past it; what has been passed before may be in the way now.
                    (at, k) = (end, 0);
                } else {
                    k += 1;
                }
            }
            self.rings[next].at = at;
            placed[next] = true;
            if at + largest > self.need {
                self.need = at + largest;
            }
        }
    }

    /// Finds the periods of a signal without end, and the rows that it needs.
    const fn repeat(&mut self) -> Result<(), Error> {
        // Rows per row of an input, `root`, as fractions, until all count from the same one; their common denominator is the period.
        let (mut rate, mut root, mut period, mut last) = ([(1, 1); N], [0; N], 1usize, [usize::MAX; N]);
        let (len, mut n) = (self.len(), 0);
        while n < len {
            let spec = &self.nodes[n].spec;
            if self.rings[n].whole {
                return Err(Error::Unsupported { what: "a whole tensor in an endless decoder" });
            }
            let Some((p, q)) = spec.period() else {
                return Err(Error::Unsupported { what: "an operator whose rows do not repeat in an endless decoder" });
            };
            root[n] = n;
            let mut k = 0;
            while let Some(from) = self.nodes[n].op.from(k) {
                let from = at(&rate, from);
                let new = times(rate[from], (q, p));
                if k == 0 {
                    (rate[n], root[n]) = (new, root[from]);
                }
                // Where inputs meet, so do their rates.
                let (met, by, mut i) = (root[from], times(rate[n], (new.1, new.0)), 0);
                if met == root[n] && by.0 != by.1 {
                    return Err(Error::Unsupported { what: "a join of different rates in an endless decoder" });
                }
                while i < n {
                    if root[i] == met {
                        (rate[i], root[i]) = (times(rate[i], by), root[n]);
                    }
                    i += 1;
                }
                k += 1;
            }
            (self.rings[n].first, last[n]) = inside(&self.nodes[n], p, q);
            let late = Late { height: spec.input(0).h, p, q: Reciprocal::new(q as u32) };
            let (height, mut oy) = (self.rings[n].height, 0);
            while oy < height {
                if !self.nodes[n].op.is_input() && late.rows(height, oy) > spec.reads(0, oy).end {
                    self.rings[n].late = Some(late);
                }
                oy += 1;
            }
            n += 1;
        }
        n = 0;
        while n < len {
            period = period.saturating_mul(div(rate[n].1, max(gcd(period, rate[n].1), 1)));
            n += 1;
        }
        n = 0;
        while n < len {
            self.rings[n].period = div(period.saturating_mul(rate[n].0), rate[n].1);
            n += 1;
        }
        // Until it comes back to rows where it has been, it must stay away from the end.
        let (mut play, mut seen, mut laps, mut mark) = (Play::new(self), [usize::MAX; N], 0, 1);
        let input = self.rings[0].height as i64;
        let too_small =
            Error::Range { what: "the planned height", got: input, min: input + 1, max: crate::MAX_SIDE as i64 };
        loop {
            let n = play.step(self);
            if n >= N || play.next[n] >= last[n] {
                return Err(too_small);
            }
            if n + 1 == len && play.shift(self) {
                if play.is_at(&seen, len) {
                    break;
                }
                laps += 1;
                if laps == mark {
                    (seen, mark, self.order.after) = (play.next, 2 * mark, laps);
                }
            }
        }
        // From there it goes on for ever, in this order.
        let (mut steps, mut back) = (0, false);
        while !back && steps < ORDER && len <= 128 {
            n = play.step(self);
            self.order.nodes[steps] = n as u8;
            steps += 1;
            back = n + 1 == len && play.shift(self) && play.is_at(&seen, len);
        }
        self.order.len = if back { steps } else { 0 };
        // Each time all nodes are a period further.
        (self.order.laps, n) = (usize::MAX, 0);
        while n < len {
            let room = div(last[n].saturating_sub(play.next[n]), max(self.rings[n].period, 1));
            self.order.laps = if room < self.order.laps { room } else { self.order.laps };
            n += 1;
        }
        // All live at once: in the order of the nodes, so that each lies behind what it reads.
        (self.need, n) = (0, 0);
        while n + 1 < len {
            let ring = &mut self.rings[n];
            ring.rows = max(ring.rows, play.rows[n]);
            ring.at = self.need;
            self.need += ring.rows * ring.row_len;
            n += 1;
        }
        Ok(())
    }
}

/// The rows `first ..` and `.. last` of a node that see neither end of its input, and therefore repeat.
const fn inside<T>(node: &Node<'_, T>, p: usize, q: usize) -> (usize, usize) {
    let (height, mut oy, mut good) = (node.spec.output.h, 0, 0);
    // Every phase has left the beginning once q rows in turn repeat.
    while oy + q < height && good < q {
        good = if repeats(node, oy, p, q) { good + 1 } else { 0 };
        oy += 1;
    }
    if good < q {
        return (0, 0);
    }
    let first = oy - q;
    while oy + q < height && repeats(node, oy, p, q) {
        oy += 1;
    }
    (first, oy + q)
}

const fn repeats<T>(node: &Node<'_, T>, oy: usize, p: usize, q: usize) -> bool {
    let (now, then) = (node.spec.reads(0, oy), node.spec.reads(0, oy + q));
    if node.spec.is_cut(oy) || node.spec.is_cut(oy + q) {
        return false;
    }
    let empty = now.start >= now.end && then.start >= then.end;
    empty || (now.start + p == then.start && now.end + p == then.end)
}

/// A decoder played through with the numbers of its rows alone.
struct Play<const N: usize> {
    /// The next row of each node.
    next: [usize; N],
    /// The rows of its first input that it waits for.
    want: [usize; N],
    /// The most rows between the oldest one read and the newest one.
    rows: [usize; N],
    /// When the first row was made and when the last one was read.
    born: [usize; N],
    died: [usize; N],
    clock: usize,
}

impl<const N: usize> Play<N> {
    const fn new<T: Element>(d: &Draft<'_, T, N>) -> Self {
        let mut play = Play { next: [0; N], want: [0; N], rows: [0; N], born: [usize::MAX; N], died: [0; N], clock: 0 };
        let (len, mut n) = (d.len(), 0);
        while n < len {
            if matches!(d.nodes[n].op, Op::Whole) {
                play.next[n] = d.rings[n].height;
            }
            play.want[n] = play.wanted(d, n, 0);
            n += 1;
        }
        play
    }

    /// How many rows of its k-th input node `n` waits for.
    const fn wanted<T: Element>(&self, d: &Draft<'_, T, N>, n: usize, k: usize) -> usize {
        if n < N { Self::rows_for(d, (&d.nodes[n], &d.rings[n]), self.next[n], k) } else { 0 }
    }

    /// ... for its row `oy`.
    const fn rows_for<T: Element>(
        d: &Draft<'_, T, N>,
        (node, ring): (&Node<'_, T>, &Ring<'_, T>),
        oy: usize,
        k: usize,
    ) -> usize {
        match node.op.from(k) {
            Some(from) if from < N && d.rings[from].whole => d.rings[from].height,
            Some(_) => max(node.spec.reads(k, oy).end, ring.known(oy)),
            None => 0,
        }
    }

    /// The first of the nodes that `n` reads which lacks rows.
    const fn lacking<T: Element>(&self, d: &Draft<'_, T, N>, n: usize) -> Option<usize> {
        let mut k = 0;
        while let Some(from) = d.nodes[n].op.from(k) {
            let want = if k == 0 { self.want[n] } else { self.wanted(d, n, k) };
            if from < N && self.next[from] < want {
                return Some(from);
            }
            k += 1;
        }
        None
    }

    /// Makes one row; answers of which node, N after the last.
    const fn step<T: Element>(&mut self, d: &Draft<'_, T, N>) -> usize {
        let Some(last) = d.len().checked_sub(1) else { return N };
        if self.next[last] >= d.rings[last].height {
            return N;
        }
        let mut n = last;
        while let Some(from) = self.lacking(d, n)
            && from < N
        {
            n = from;
        }
        // Looked up once, where the optimiser still sees that n is below N.
        let (node, ring) = (&d.nodes[n], &d.rings[n]);
        if self.next[n] >= ring.height {
            return N;
        }
        self.clock += 1;
        self.born[n] = if self.born[n] < self.clock { self.born[n] } else { self.clock };
        self.died[n] = max(self.died[n], self.clock);
        self.rows[n] = if ring.whole { ring.height } else { max(self.rows[n], 1) };
        let mut k = 0;
        while let Some(from) = node.op.from(k)
            && from < N
        {
            let reads = node.spec.reads(k, self.next[n]);
            if reads.start < reads.end {
                self.died[from] = self.clock;
                if !d.rings[from].whole {
                    self.rows[from] = max(self.rows[from], self.next[from] - reads.start);
                }
            }
            k += 1;
        }
        self.next[n] += 1;
        let next = self.next[n];
        self.want[n] = if next < ring.height { Self::rows_for(d, (node, ring), next, 0) } else { 0 };
        n
    }

    /// Whether the next rows of the first `len` nodes are these.
    const fn is_at(&self, next: &[usize; N], len: usize) -> bool {
        let (mut same, mut n) = (true, 0);
        while n < len && n < N {
            same &= self.next[n] == next[n];
            n += 1;
        }
        same
    }

    /// Goes back by a period where every node has left the beginning by more than that.
    const fn shift<T: Element>(&mut self, d: &Draft<'_, T, N>) -> bool {
        let (len, mut n) = (d.len(), 0);
        while n < len {
            if self.next[n] < d.rings[n].first + d.rings[n].period {
                return false;
            }
            n += 1;
        }
        n = 0;
        while n < len {
            self.next[n] -= d.rings[n].period;
            if let Some(from) = d.nodes[n].op.from(0) {
                // A row that reads nothing wants none.
                self.want[n] = self.want[n].saturating_sub(d.rings[at(&d.rings, from)].period);
            }
            n += 1;
        }
        true
    }
}

/// The product of two fractions, in lowest terms.
const fn times(a: (usize, usize), b: (usize, usize)) -> (usize, usize) {
    // What leaves usize is no period that a signal could be planned at.
    let (above, below) = (a.0.saturating_mul(b.0), a.1.saturating_mul(b.1));
    let g = max(gcd(above, below), 1);
    (div(above, g), div(below, g))
}

/// `i` where `of` has it; the plan has checked that, and the optimiser sees it here.
const fn at<V>(of: &[V], i: usize) -> usize {
    if i < of.len() { i } else { 0 }
}

const fn same(a: Shape, b: Shape) -> bool {
    a.h == b.h && a.w == b.w && a.c == b.c
}

const fn max(a: usize, b: usize) -> usize {
    if a > b { a } else { b }
}

#[cfg(test)]
mod tests {
    use crate::{Decoder, Nearest, Node, Shape, Upsample};

    /// Placed the largest first, and yet what a layer reads lies before it, as the run's formulas want it.
    #[test]
    fn rows_of_a_growing_picture_lie_in_the_order_of_its_layers() {
        let up: [Nearest; 4] = [2, 4, 8, 16].map(|side| Upsample::nearest(Shape::new(side, side, 1), 2, 2).unwrap());
        let first = Node::rows(Shape::new(2, 2, 1));
        let nodes = [first, up[0].node(0), up[1].node(1), up[2].node(2), up[3].node(3)];
        let decoder = Decoder::<i8, 5>::plan(nodes).unwrap();
        assert_eq!(
            decoder.rings.map(|ring| (ring.at, ring.looks)),
            [(0, true), (2, false), (6, false), (14, false), (0, false)]
        );
    }
}
