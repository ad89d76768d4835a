//! A decoder on its memory: rows made on demand.

use super::Decoder;
use super::node::Op;
use super::plan::{Order, Reach, Ring, Source};
use crate::plan::{div, length, rem};
use crate::rows::{cut, cut_mut};
use crate::{Element, Error, Join, Layer, Shape, Window};
use core::fmt;
use core::mem;
use core::ops::Range;
use core::slice;

/// The most inputs of a join in a decoder.
pub(super) const JOINED: usize = 8;

/// Where an input's rows come from, one after the other.
pub trait RowSource<T> {
    /// Writes the next row and answers true, or answers false while there is none: then [`next_row`](BoundDecoder::next_row) answers `None`, and its next
    /// call asks again; [`run`](BoundDecoder::run) and [`send`](BoundDecoder::send) end with [`Error::Rows`].
    fn next_row(&mut self, row: &mut [T]) -> bool;
}

/// Where a decoder's rows go: a display, a UART, a file. A row is the decoder's again when [`row`](Self::row) returns; what is still being sent then,
/// by DMA, has to be a copy, as [`BoundDecoder::next_row`] shows.
///
/// ```
/// use upconv::{Decoder, Input, Node, RowSink, Shape, Upsample};
/// struct Pgm(String);
/// impl RowSink<i8> for Pgm {
///     type Error = core::fmt::Error;
///     fn begin(&mut self, shape: Shape) -> core::fmt::Result {
///         self.0 += &format!("P2 {} {} 255\n", shape.w, shape.h);
///         Ok(())
///     }
///     fn row(&mut self, _y: usize, row: &[i8]) -> core::fmt::Result {
///         row.iter().for_each(|v| self.0 += &format!("{} ", i16::from(*v) + 128));
///         Ok(())
///     }
/// }
/// let up = Upsample::nearest(Shape::new(1, 2, 1), 2, 1)?;
/// let decoder = Decoder::plan([Node::whole(Shape::new(1, 2, 1)), up.node(0)])?;
/// let mut pgm = Pgm(String::new());
/// decoder.bind(&mut [Input::Whole(&[-128, 0])], &mut [], &mut [0; 2])?.send(&mut pgm).unwrap();
/// assert_eq!(pgm.0, "P2 2 2 255\n0 128 0 128 ");
/// # Ok::<(), upconv::Error>(())
/// ```
pub trait RowSink<T> {
    /// What can go wrong on the way.
    type Error;

    /// Comes before the first row.
    ///
    /// # Errors
    /// The sink's own.
    fn begin(&mut self, _shape: Shape) -> Result<(), Self::Error> {
        Ok(())
    }

    /// Takes row `y`.
    ///
    /// # Errors
    /// The sink's own.
    fn row(&mut self, y: usize, row: &[T]) -> Result<(), Self::Error>;

    /// Comes after the last row.
    ///
    /// # Errors
    /// The sink's own.
    fn end(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// Why a decoder's rows did not all get to a sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum SendError<E> {
    /// The sink failed.
    Sink(E),
    /// The decoder refused to start, or an input had too few rows.
    Decoder(Error),
}

impl<E> From<Error> for SendError<E> {
    fn from(error: Error) -> Self {
        SendError::Decoder(error)
    }
}

impl<E: fmt::Display> fmt::Display for SendError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SendError::Sink(error) => error.fmt(f),
            SendError::Decoder(error) => error.fmt(f),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> core::error::Error for SendError<E> {}

/// An input of a decoder.
pub enum Input<'a, T> {
    /// A whole tensor, in flash or in RAM, for [`Node::whole`](crate::Node::whole).
    Whole(&'a [T]),
    /// Rows on demand, for [`Node::rows`](crate::Node::rows).
    Rows(&'a mut dyn RowSource<T>),
    /// Rows that are [pushed](BoundDecoder::push), for [`Node::rows`](crate::Node::rows).
    Pushed,
}

/// How far a node is.
#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// The rows of each input that it waits for, all of an input that has fewer, where no formula says so; of an input the values of a pushed row that are
    /// there.
    want: usize,
    /// The node that asked for its row.
    asker: usize,
    /// Its next row, and where that goes.
    next: usize,
    to: usize,
}

impl State {
    /// On to the next row of a ring, or of an output.
    #[inline(always)]
    fn row_made(&mut self, len: usize, ring: Range<usize>) {
        let to = self.to + len;
        (self.next, self.to) = (self.next + 1, if to >= ring.end { ring.start } else { to });
    }
}

/// A decoder with its inputs, its memory and room for one output row or all, all lengths checked; made by [`Decoder::bind`].
pub struct BoundDecoder<'a, 'i, T: Element, const N: usize> {
    parts: Parts<'a, 'i, T>,
    state: [State; N],
}

/// All but the counters: its code does not depend on the number of nodes.
struct Parts<'a, 'i, T> {
    way: Way<'a, T>,
    inputs: &'a mut [Input<'i, T>],
    memory: &'a mut [T],
    y: &'a mut [T],
}

/// The nodes, and which of them is next.
struct Way<'a, T> {
    ops: &'a [Op<'a, T>],
    rings: &'a [Ring<'a, T>],
    /// The plan repeats, and the signal has not ended.
    endless: bool,
    open: bool,
    /// The output row before which the order begins again, or counters go back.
    turn: usize,
    /// Nodes whose rows follow each other, again and again, from then on when counters have gone back `after` more times; those that are still to come, if
    /// that time has come, and how often they have come.
    order: &'a Order,
    after: usize,
    rest: slice::Iter<'a, u8>,
    laps: usize,
}

impl<'a, T: Element, const N: usize> Decoder<'a, T, N> {
    /// Attaches the inputs, in the order of their nodes, memory of [`need`](Self::need) values, and either one output row, which is handed out
    /// again and again, or the whole output.
    ///
    /// # Errors
    /// [`Error::Length`] when a slice has another length or the number of inputs is wrong; [`Error::Unsupported`] for rows where the plan has a
    /// whole tensor, the other way round, or a row source beside other inputs of an endless decoder, whose output is a row, too.
    #[inline(never)]
    pub fn bind<'b, 'i>(
        &'b self,
        inputs: &'b mut [Input<'i, T>],
        memory: &'b mut [T],
        y: &'b mut [T],
    ) -> Result<BoundDecoder<'b, 'i, T, N>, Error> {
        length("the inputs of the decoder", inputs.len(), self.inputs)?;
        length("the decoder's memory", memory.len(), self.need())?;
        let nodes = self.ops.iter().zip(&self.rings).take(self.len());
        for ((op, ring), input) in nodes.filter(|(op, _)| op.is_input()).zip(inputs.iter()) {
            match (op, input) {
                (Op::Whole, Input::Whole(x)) => length("an input", x.len(), ring.height * ring.row_len)?,
                // Only what is pushed tells how long it is.
                (Op::Rows, Input::Rows(_)) if self.endless && inputs.len() > 1 => {
                    return Err(Error::Unsupported { what: "a row source beside other inputs of an endless decoder" });
                }
                (Op::Rows, Input::Rows(_) | Input::Pushed) => {}
                (Op::Rows, _) => return Err(Error::Unsupported { what: "a whole tensor where the plan has rows" }),
                _ => return Err(Error::Unsupported { what: "rows where the plan has a whole tensor" }),
            }
        }
        let output = self.output();
        let y_rows = if y.len() == output.row_len() { 1 } else { output.h };
        length("the output", y.len(), y_rows * output.row_len())?;
        if self.endless && y_rows > 1 {
            return Err(Error::Unsupported { what: "a whole output of an endless decoder" });
        }
        let len = self.len();
        let (ops, rings, endless) = (&self.ops[..len], &self.rings[..len], self.endless);
        let way =
            Way { ops, rings, endless, open: endless, turn: 0, order: &self.order, after: 0, rest: [].iter(), laps: 0 };
        let parts = Parts { way, inputs, memory, y };
        let mut bound = BoundDecoder { parts, state: [State::default(); N] };
        bound.restart();
        Ok(bound)
    }
}

impl<T: Element, const N: usize> BoundDecoder<'_, '_, T, N> {
    /// Starts again with the first row; an endless decoder takes a new signal.
    pub fn restart(&mut self) {
        self.state = [State::default(); N];
        self.parts.way.start(&mut self.state);
    }

    /// Computes the next row and lends it out; `None` after the last one, or when an input has no more rows for now: [`complete`](Self::complete) knows
    /// which.
    ///
    /// The next call writes over the row. So a transfer that goes on meanwhile (DMA) takes two buffers by turns:
    ///
    /// ```
    /// # use upconv::{Decoder, Input, Node, Shape, Upsample};
    /// # #[derive(Default)]
    /// # struct Dma(Vec<i8>);
    /// # impl Dma {
    /// #     fn wait(&mut self) {}
    /// #     fn start(&mut self, row: &[i8]) {
    /// #         self.0.extend(row);
    /// #     }
    /// # }
    /// # let mut dma = Dma::default();
    /// let up = Upsample::nearest(Shape::new(3, 1, 1), 1, 4)?;
    /// let decoder = Decoder::plan([Node::whole(Shape::new(3, 1, 1)), up.node(0)])?;
    /// let (mut inputs, mut row) = ([Input::Whole(&[1, 2, 3])], [0; 4]);
    /// let mut decoder = decoder.bind(&mut inputs, &mut [], &mut row)?;
    ///
    /// let (mut buffers, mut turn) = ([[0; 4]; 2], 0);
    /// // While a row is computed, the one before leaves.
    /// while let Some(row) = decoder.next_row() {
    ///     buffers[turn].copy_from_slice(row);
    ///     dma.wait();
    ///     dma.start(&buffers[turn]);
    ///     turn ^= 1;
    /// }
    /// dma.wait();
    /// decoder.complete()?;
    /// # assert_eq!(dma.0, [1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3]);
    /// # Ok::<(), upconv::Error>(())
    /// ```
    pub fn next_row(&mut self) -> Option<&[T]> {
        self.push_each(&mut [])
    }

    /// [`next_row`](Self::next_row) with values for the [pushed](Input::Pushed) input: takes as many as the row asks for off the front of `values`.
    /// `None` when these do not suffice, all taken, or after the last row.
    ///
    /// With several pushed inputs use [`push_each`](Self::push_each): this one gives to the first. Rows may be cut anywhere: however a signal is cut into chunks, the same rows come out.
    ///
    /// ```
    /// use upconv::{Decoder, Input, Node, Numerics, Resize, Shape, Upsample};
    /// // A signal lies along the height. Twice as many samples, linear between them; planned at 8, good for any number from there.
    /// let up = Upsample::bilinear(Shape::new(8, 1, 1), Resize::to(16, 1), Numerics::Exact)?;
    /// let decoder = Decoder::endless([Node::rows(Shape::new(8, 1, 1)), up.node(0)])?;
    /// let (mut inputs, mut memory, mut sample) = ([Input::Pushed], vec![0i8; decoder.need()], [0]);
    /// let mut stream = decoder.bind(&mut inputs, &mut memory, &mut sample)?;
    /// let mut y = vec![];
    /// for mut chunk in [&[0, 4, 8][..], &[12], &[16, 20, 24, 28, 32, 36, 40, 44]] {
    ///     while let Some(sample) = stream.push(&mut chunk) {
    ///         y.extend_from_slice(sample);
    ///     }
    /// }
    /// stream.finish()?;
    /// while let Some(sample) = stream.next_row() {
    ///     y.extend_from_slice(sample);
    /// }
    /// assert_eq!(y, [0, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31, 33, 35, 37, 39, 41, 43, 44]);
    /// # Ok::<(), upconv::Error>(())
    /// ```
    pub fn push(&mut self, values: &mut &[T]) -> Option<&[T]> {
        self.push_each(slice::from_mut(values))
    }

    /// [`push`](Self::push) for several pushed inputs: a slice for each, in the order of their nodes. A row takes of each what it asks for, so when one does
    /// not suffice, the others may keep values: they are the next call's, with what follows them.
    ///
    /// ```
    /// use upconv::{Activation, Add, Decoder, Input, Nearest, Node, Operands, Quant, Rounding, Shape, Upsample, must};
    /// // A signal of twice the samples, and another one of that rate added.
    /// const Q: Quant = Quant::new(1.0, 0);
    /// let operands = Operands { a: Q, b: Q, y: Q, activation: Activation::None, rounding: Rounding::TfliteSingle };
    /// let up = Upsample::nearest(Shape::new(8, 1, 1), 2, 1)?;
    /// let add = Add::plan(Shape::new(16, 1, 1), Shape::new(16, 1, 1), operands)?;
    /// let nodes = [Node::rows(Shape::new(8, 1, 1)), up.node(0), Node::rows(Shape::new(16, 1, 1)), add.node(&[1, 2])];
    /// let decoder = Decoder::endless(nodes)?;
    /// let (mut inputs, mut memory, mut sample) = ([Input::Pushed, Input::Pushed], vec![0i8; decoder.need()], [0]);
    /// let mut stream = decoder.bind(&mut inputs, &mut memory, &mut sample)?;
    /// let (mut values, mut y) = ([&[0, 10, 20, 30, 40, 50, 60, 70, 80][..], &[1, 2, 3][..]], vec![]);
    /// while let Some(sample) = stream.push_each(&mut values) {
    ///     y.extend_from_slice(sample);
    /// }
    /// values[1] = &[4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18];
    /// stream.finish_each(&values)?;
    /// while let Some(sample) = stream.push_each(&mut values) {
    ///     y.extend_from_slice(sample);
    /// }
    /// stream.complete()?;
    /// assert_eq!(y, [1, 2, 13, 14, 25, 26, 37, 38, 49, 50, 61, 62, 73, 74, 85, 86, 97, 98]);
    /// # Ok::<(), upconv::Error>(())
    /// ```
    pub fn push_each(&mut self, values: &mut [&[T]]) -> Option<&[T]> {
        self.parts.advance(&mut self.state, values)
    }

    /// The signal ends here: the rows that its end decides come with the next calls of [`next_row`](Self::next_row). Only an
    /// [endless](Decoder::endless) decoder needs it.
    ///
    /// # Errors
    /// [`Error::Length`] for a signal that is shorter than the planned height and too short for the pattern; [`Error::NotDivisible`] when its
    /// rows differ from the planned height by no multiple of the period, or its last row is incomplete.
    pub fn finish(&mut self) -> Result<(), Error> {
        self.finish_each(&[])
    }

    /// [`finish`](Self::finish) for several pushed inputs: these end with the values that the last call of [`push_each`](Self::push_each) has left, which are
    /// still to be pushed.
    ///
    /// # Errors
    /// Those of [`finish`](Self::finish); [`Error::Length`], of the pattern, for an input that is longer or shorter than the first one asks for, or of which more
    /// is left than the pattern has room for: then `push_each` some of it first.
    pub fn finish_each(&mut self, left: &[&[T]]) -> Result<(), Error> {
        self.parts.finish(&mut self.state, left)
    }

    /// Whether the last row is out: after a `None` the difference between the end and an input that has no more for now.
    ///
    /// # Errors
    /// [`Error::Rows`] says how many rows of how many have been computed (of a signal, of its pattern); [`Error::Unsupported`] for a signal that has not
    /// been [finished](Self::finish).
    pub fn complete(&self) -> Result<(), Error> {
        if self.parts.way.open {
            return Err(Error::Unsupported { what: "the end of a signal that goes on" });
        }
        let rings = self.parts.way.rings;
        match (rings.last(), self.state.get(rings.len().saturating_sub(1))) {
            (Some(ring), Some(now)) if now.next < ring.height => Err(Error::Rows { got: now.next, need: ring.height }),
            _ => Ok(()),
        }
    }

    /// Computes all rows from the first one on. With room for one row only, the last one remains.
    ///
    /// # Errors
    /// [`Error::Unsupported`], before anything is computed, for a pushed input and for an endless decoder, whose rows cannot come in one call;
    /// [`Error::Rows`] when a source has too few, even if only for now. [`next_row`](Self::next_row) goes on from there.
    pub fn run(&mut self) -> Result<(), Error> {
        self.parts.at_once()?;
        self.restart();
        while self.next_row().is_some() {}
        self.complete()
    }

    /// Computes all rows from the first one on and hands each to a sink.
    ///
    /// # Errors
    /// [`SendError::Sink`] when the sink fails, [`SendError::Decoder`] for what [`run`](Self::run) refuses. The sink gets nothing further then, and does
    /// not hear of an end.
    ///
    /// ```
    /// use upconv::{Decoder, Error, Input, Node, RowSink, RowSource, SendError, Shape, Upsample};
    /// /// A camera that stops after two rows.
    /// struct Camera(i8);
    /// impl RowSource<i8> for Camera {
    ///     fn next_row(&mut self, row: &mut [i8]) -> bool {
    ///         self.0 += 1;
    ///         row.fill(self.0);
    ///         self.0 <= 2
    ///     }
    /// }
    /// struct Display;
    /// impl RowSink<i8> for Display {
    ///     type Error = core::convert::Infallible;
    ///     fn row(&mut self, y: usize, row: &[i8]) -> Result<(), Self::Error> {
    ///         assert_eq!(row, [y as i8 / 2 + 1; 8]);
    ///         Ok(())
    ///     }
    /// }
    /// let up = Upsample::nearest(Shape::new(4, 4, 1), 2, 2)?;
    /// let decoder = Decoder::plan([Node::rows(Shape::new(4, 4, 1)), up.node(0)])?;
    /// let (mut camera, mut memory, mut row) = (Camera(0), [0; 4], [0; 8]);
    /// let mut inputs = [Input::Rows(&mut camera)];
    /// let sent = decoder.bind(&mut inputs, &mut memory, &mut row)?.send(&mut Display);
    /// assert_eq!(sent, Err(SendError::Decoder(Error::Rows { got: 4, need: 8 })));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn send<S: RowSink<T>>(&mut self, sink: &mut S) -> Result<(), SendError<S::Error>> {
        self.parts.at_once()?;
        self.restart();
        let shape = match self.parts.way.ops.last() {
            Some(Op::Layer(layer, _)) => layer.output(),
            Some(Op::Join(join, _)) => join.output(),
            _ => Shape::new(0, 0, 0),
        };
        sink.begin(shape).map_err(SendError::Sink)?;
        let mut y = 0;
        while let Some(row) = self.next_row() {
            sink.row(y, row).map_err(SendError::Sink)?;
            y += 1;
        }
        self.complete()?;
        sink.end().map_err(SendError::Sink)
    }
}

impl<'i, T: Element> Parts<'_, 'i, T> {
    /// Refuses to compute all rows in one call where they cannot all come.
    fn at_once(&self) -> Result<(), Error> {
        if self.way.endless {
            return Err(Error::Unsupported { what: "a signal without end in one call" });
        }
        if self.inputs.iter().any(|input| matches!(input, Input::Pushed)) {
            return Err(Error::Unsupported { what: "a pushed input in one call" });
        }
        Ok(())
    }

    /// Computes rows up to the next one of the last node.
    #[inline(never)]
    fn advance(&mut self, state: &mut [State], pushed: &mut [&[T]]) -> Option<&[T]> {
        let rings = self.way.rings;
        // As many, which the optimiser sees here.
        let state = state.get_mut(..rings.len())?;
        let last = rings.len().checked_sub(1)?;
        let mut n = last;
        loop {
            n = match self.way.rest.next() {
                Some(node) => usize::from(*node),
                None => lacking(rings, state, n)?,
            };
            // Counters move on before the row is computed, so that nothing has to be kept meanwhile.
            if let Some(ring) = rings.get(..last)?.get(n) {
                let state = state.get_mut(..last)?;
                let now = state.get_mut(n)?;
                let State { next, to, asker, .. } = *now;
                now.row_made(ring.row_len, ring.at..ring.end);
                n = asker;
                let has = state.get(ring.reach.from)?;
                let (before, here) = self.memory.split_at_mut_checked(to)?;
                let x = ring.x.window(before, has);
                let y = here.get_mut(..ring.row_len)?;
                ring.layer.row(next, &x, y);
                continue;
            }
            if n == last {
                break;
            }
            n = self.look(state, n - rings.len(), pushed)?;
            if n > last {
                return self.y.get(n - rings.len()..)?.get(..rings.last()?.row_len);
            }
        }
        let (ring, now) = (rings.last()?, state.last_mut()?);
        let State { next, to, .. } = *now;
        now.row_made(ring.row_len, 0..self.y.len());
        let y = self.y.get_mut(to..)?.get_mut(..ring.row_len)?;
        let x = ring.x.window(self.memory, state.get(ring.reach.from)?);
        ring.layer.row(next, &x, y);
        if next + 1 >= self.way.turn {
            self.way.shift(state);
        }
        Some(y)
    }

    /// Makes the next row of a node that looks for itself, if nothing lacks rows that it reads. Answers the node that is to go on, or, behind all nodes, where
    /// the row of the last one lies; `None` when an input has no row.
    #[inline(never)]
    fn look(&mut self, state: &mut [State], n: usize, pushed: &mut [&[T]]) -> Option<usize> {
        let (ops, rings) = (self.way.ops, self.way.rings);
        let (op, ring) = (ops.get(n)?, rings.get(n)?);
        let lacking = match *op {
            Op::Layer(layer, from) => self.layer(state, n, layer, from)?,
            Op::Join(join, from) => self.join(state, n, join, from)?,
            Op::Rows if !self.input(ring, state.get_mut(n)?, pushed) => {
                // Comes again; no order ends with an input.
                let rest = self.way.rest.len();
                let coming = rest + usize::from(rest > 0);
                let order = self.way.order.nodes();
                self.way.rest = order.get(order.len().checked_sub(coming)?..)?.iter();
                return None;
            }
            Op::Rows | Op::Whole => None,
        };
        if let Some(from) = lacking {
            state.get_mut(from)?.asker = n;
            return Some(from);
        }
        let now = state.get_mut(n)?;
        now.want = if op.is_input() { 0 } else { self.way.asked(n, now.next + 1) };
        if n + 1 < rings.len() {
            now.row_made(ring.row_len, ring.at..ring.end);
            return Some(now.asker);
        }
        let to = now.to;
        now.row_made(ring.row_len, 0..self.y.len());
        self.way.shift(state);
        Some(rings.len() + to)
    }

    /// Computes the next row of a layer, or answers the node that it reads where that lacks rows.
    #[inline(never)]
    fn layer(&mut self, state: &[State], n: usize, layer: &dyn Layer<T>, from: usize) -> Option<Option<usize>> {
        let (input, has, now) = (self.way.rings.get(from)?, state.get(from)?, state.get(n)?);
        if input.lack(has, now.want) {
            return Some(Some(from));
        }
        let (room, y) = self.room(n, now.to)?;
        layer.row(now.next, &room.window(input, || layer.input(), has), y);
        Some(None)
    }

    /// Computes the next row of a join, or answers the first of the nodes that it reads which lacks rows.
    #[inline(never)]
    fn join(&mut self, state: &[State], n: usize, join: &dyn Join<T>, from: &[usize]) -> Option<Option<usize>> {
        let (rings, ring, now) = (self.way.rings, self.way.rings.get(n)?, state.get(n)?);
        for (k, &from) in from.iter().enumerate() {
            let want = if ring.each { now.want } else { join.reads(k, now.next).end };
            if rings.get(from)?.lack(state.get(from)?, want) {
                return Some(Some(from));
            }
        }
        let (room, y) = self.room(n, now.to)?;
        let window = |k, from| Some(room.window(rings.get(from)?, || join.input(k), state.get(from)?));
        // Two have no room for eight to clear.
        if let [a, b] = *from {
            join.row(now.next, &[window(0, a)?, window(1, b)?], y);
        } else {
            let mut windows = [Window::of(&[], [0, 0], 0, [0, 0]); JOINED];
            for (k, (to, &from)) in windows.iter_mut().zip(from).enumerate() {
                *to = window(k, from)?;
            }
            join.row(now.next, cut(&windows, 0, from.len()), y);
        }
        Some(None)
    }

    /// Where node `n` writes a row to, and what it may read meanwhile.
    #[inline(always)]
    fn room(&mut self, n: usize, to: usize) -> Option<(Room<'_, 'i, T>, &mut [T])> {
        let len = self.way.rings.get(n)?.row_len;
        let (before, rest) = if n + 1 == self.way.rings.len() {
            (&*self.memory, self.y.get_mut(to..)?)
        } else {
            let (before, rest) = self.memory.split_at_mut_checked(to)?;
            (&*before, rest)
        };
        let (y, after) = rest.split_at_mut_checked(len)?;
        Some((Room { inputs: self.inputs, before, after, gone: before.len() + len }, y))
    }

    /// Takes the next row of an input; false when there is none.
    fn input(&mut self, ring: &Ring<'_, T>, now: &mut State, pushed: &mut [&[T]]) -> bool {
        let y = cut_mut(self.memory, now.to, ring.row_len);
        match self.inputs.get_mut(ring.input) {
            // A source that has given all its rows is not asked for more: nothing reads them.
            Some(Input::Rows(source)) => source.next_row(y),
            Some(Input::Pushed) => {
                let before = if ring.input > 0 { pushed_before(self.inputs, ring.input) } else { 0 };
                let Some(values) = pushed.get_mut(before) else { return false };
                let count = (ring.row_len - now.want.min(ring.row_len)).min(values.len());
                let Some((taken, rest)) = values.split_at_checked(count) else { return false };
                for (y, x) in cut_mut(y, now.want, count).iter_mut().zip(taken) {
                    *y = *x;
                }
                *values = rest;
                now.want += count;
                now.want >= ring.row_len
            }
            _ => false,
        }
    }

    fn finish(&mut self, state: &mut [State], left: &[&[T]]) -> Result<(), Error> {
        if !self.way.open {
            return Ok(());
        }
        self.way.back(state);
        let (mut laps, mut first) = (0, None);
        for ((now, ring), _) in state.iter().zip(self.way.rings).zip(self.way.ops).filter(|(_, op)| op.is_input()) {
            let values = now.want + left.get(pushed_before(self.inputs, ring.input)).map_or(0, |x| x.len());
            let (rows, part) = (div(values, ring.row_len), rem(values, ring.row_len));
            let got = now.next + rows;
            if part != 0 {
                return Err(Error::NotDivisible { what: "values in the last row", got: part, by: ring.row_len });
            }
            let missing = ring.height.saturating_sub(got);
            if first.is_none() {
                (laps, first) = (div(missing, ring.period), Some((got, ring.height)));
                if rem(missing, ring.period) != 0 {
                    let what = "rows up to the planned height";
                    return Err(Error::NotDivisible { what, got: missing, by: ring.period });
                }
            }
            let need = ring.height.saturating_sub(laps * ring.period);
            if got != need {
                return Err(Error::Length { what: "the rows of an input", got, need });
            }
        }
        if let Some((got, need)) = first
            && laps > 0
            && !state.iter().zip(self.way.rings).all(|(s, r)| s.next >= r.first)
        {
            return Err(Error::Length { what: "the signal", got, need });
        }
        (self.way.open, self.way.turn, self.way.rest) = (false, usize::MAX, [].iter());
        for (n, ((s, ring), op)) in state.iter_mut().zip(self.way.rings).zip(self.way.ops).enumerate() {
            s.next += laps * ring.period;
            // Fewer rows now, where the end cuts them off.
            if !op.is_input() {
                s.want = self.way.asked(n, s.next);
            }
        }
        Ok(())
    }
}

impl<T: Element> Way<'_, T> {
    fn start(&mut self, state: &mut [State]) {
        self.open = self.endless;
        (self.after, self.rest, self.laps) = (self.order.after, [].iter(), 0);
        self.turn = self.rings.last().map_or(0, |r| if self.open { r.first + r.period } else { usize::MAX });
        for (n, (op, ring)) in self.ops.iter().zip(self.rings).enumerate() {
            let next = if let Op::Whole = op { ring.height } else { 0 };
            let want = self.asked(n, 0);
            if let Some(s) = state.get_mut(n) {
                *s = State { next, to: ring.at, want, asker: 0 };
            }
        }
    }

    /// The rows of each input that a node without a formula waits for before its row `oy`; what a join reads that is no such row it is asked.
    #[inline(never)]
    fn asked(&self, n: usize, oy: usize) -> usize {
        let (Some(op), Some(ring)) = (self.ops.get(n), self.rings.get(n)) else { return 0 };
        match op {
            Op::Join(..) => oy + 1,
            Op::Layer(layer, _) if oy < ring.height && ring.asks => {
                let end = layer.reads(oy).end;
                if self.open { end.max(ring.known(oy)) } else { end }
            }
            _ => 0,
        }
    }

    /// Ends a lap, which is a period of rows: counters go back where every node has left the beginning by more than that, in the order only after as many laps
    /// as the pattern has room for.
    #[inline(never)]
    fn shift(&mut self, state: &mut [State]) {
        let (order, Some(ring), Some(now)) = (self.order.nodes(), self.rings.last(), state.last()) else { return };
        let runs = self.after == 0 && !order.is_empty();
        let ends = self.open && now.next >= self.turn;
        if !ends || !(runs || state.iter().zip(self.rings).all(|(s, r)| s.next >= r.first + r.period)) {
            return;
        }
        (self.laps, self.turn) = (self.laps + 1, self.turn + ring.period);
        if !runs || self.laps >= self.order.laps {
            self.back(state);
        }
        self.after = self.after.saturating_sub(1);
        // The order begins, or begins again.
        if self.after == 0
            && !order.is_empty()
            && let Some(now) = state.last()
        {
            (self.turn, self.rest) = (now.next + ring.period, order.iter());
        }
    }

    /// Counters go back by all laps; rows stay where they are.
    fn back(&mut self, state: &mut [State]) {
        let laps = mem::take(&mut self.laps);
        self.turn -= laps * self.rings.last().map_or(0, |ring| ring.period);
        for ((s, ring), op) in state.iter_mut().zip(self.rings).zip(self.ops) {
            s.next -= laps * ring.period;
            if ring.looks {
                // A row that reads nothing wants none.
                s.want = s.want.saturating_sub(laps * self.input_period(op));
            }
        }
    }

    /// The period of what a node reads; all inputs of a join have the same.
    fn input_period(&self, op: &Op<'_, T>) -> usize {
        op.from(0).and_then(|from| self.rings.get(from)).map_or(0, |ring| ring.period)
    }
}

/// How many of the inputs before input `i` are pushed.
#[inline(never)]
fn pushed_before<T>(inputs: &[Input<'_, T>], i: usize) -> usize {
    inputs.iter().take(i).filter(|input| matches!(input, Input::Pushed)).count()
}

/// What a node may read while it writes a row.
struct Room<'w, 'i, T> {
    inputs: &'w [Input<'i, T>],
    before: &'w [T],
    after: &'w [T],
    /// Values up to `after`.
    gone: usize,
}

impl<'w, T> Room<'w, '_, T> {
    /// The rows of a node, as a reader sees them that asks for a shape.
    fn window(&self, input: &Ring<'_, T>, shape: impl FnOnce() -> Shape, has: &State) -> Window<'w, T> {
        let (x, at, end) = match self.inputs.get(input.input) {
            Some(Input::Whole(all)) if input.rows == 0 => (*all, 0, all.len()),
            _ if input.at < self.before.len() => (self.before, has.to, input.end),
            // A row that reads nothing may lie where rows were that nobody needs any more.
            _ => (self.after, has.to.saturating_sub(self.gone), input.end.saturating_sub(self.gone)),
        };
        let (form, origin) = if input.whole {
            let shape = shape();
            ([shape.row_len(), shape.h], 0)
        } else {
            ([input.row_len, input.rows], has.next.wrapping_sub(input.rows))
        };
        Window::of(x, form, origin, [at, end])
    }
}

/// From node `n`, down to the first one that lacks nothing, and from there back to the one that asked it, which may lack more. `None` once `n` has all
/// its rows.
#[inline(never)]
fn lacking<T>(rings: &[Ring<'_, T>], state: &mut [State], mut n: usize) -> Option<usize> {
    if state.get(n)?.next >= rings.get(n)?.height {
        return None;
    }
    loop {
        let Reach { from, c, p, q } = rings.get(n)?.reach;
        let (next, has) = (state.get(n)?.next, state.get(from)?.next);
        if (has + 1) * q > c + next * p || has >= rings.get(from)?.height {
            return Some(if rings.get(n)?.looks { rings.len() + n } else { n });
        }
        state.get_mut(from)?.asker = n;
        n = from;
    }
}

impl<T> Ring<'_, T> {
    /// Whether this input has too few rows for a node that wants so many.
    #[inline]
    fn lack(&self, has: &State, want: usize) -> bool {
        has.next < if self.whole { self.height } else { want.min(self.height) }
    }
}

impl Source {
    /// These rows in `x`.
    #[inline(always)]
    fn window<'w, T>(&self, x: &'w [T], has: &State) -> Window<'w, T> {
        Window::of(x, [self.row_len, self.rows], has.next.wrapping_sub(self.rows), [has.to, self.end])
    }
}
