//! Random decoders: the same bits from whole tensors, layer by layer, row by row and, for signals, sample by sample.

use super::{GUARD, Outcome, Random, group, room};
use upconv::{
    Activation, Add, Along, Area, Bicubic, Bilinear, Bound, BoundJoin, Concat, Conv, ConvTranspose, Convolution, Cubic,
    Decoder, Element, Error, Fill, Gather, Geometry, Input, Join, Layer, MaxUnpool, Mul, Multiplier, Nearest, Node,
    Numerics, Operands, Pad, Padding, PixelShuffle, PixelUnshuffle, Product, Quant, Quantization, Ratio, Resize,
    Rounding, RowSource, Shape, ShuffleOrder, SubPixel, Sum, Unpool, Upsample, WeightOrder, Weights,
};

/// Nodes of a decoder; a signal has one of them fewer than two inputs.
const N: usize = 7;
/// The largest tensor, in values.
const TENSOR: usize = 200;
const MEMORY: usize = 700;
const WEIGHTS: usize = 100;
const SCALE: f32 = 0.25;
/// The pattern that signals are planned at.
const PATTERN: usize = 40;

enum Operator<'a, T> {
    Whole(Shape),
    Rows(Shape),
    Conv(Convolution<'a, T>),
    SubPixel(SubPixel<'a, T>),
    Nearest(Nearest),
    Gather(Gather<'static>),
    Linear(Bilinear),
    Cubic(Bicubic),
    Area(Area),
    Pad(Pad<T>),
    Shuffle(PixelShuffle),
    Unshuffle(PixelUnshuffle),
    Unpool(Unpool<'static, T>),
    Concat(Concat<T, 2>),
    Sum(Sum<T>),
    Product(Product<T>),
}

use Operator as O;

impl<'a, T: Element + Sync> Operator<'a, T> {
    fn layer(&self) -> Option<&dyn Layer<T>> {
        match self {
            O::Conv(l) => Some(l),
            O::SubPixel(l) => Some(l),
            O::Nearest(l) => Some(l),
            O::Gather(l) => Some(l),
            O::Linear(l) => Some(l),
            O::Cubic(l) => Some(l),
            O::Area(l) => Some(l),
            O::Pad(l) => Some(l),
            O::Shuffle(l) => Some(l),
            O::Unshuffle(l) => Some(l),
            O::Unpool(l) => Some(l),
            _ => None,
        }
    }

    fn join(&self) -> Option<&dyn Join<T>> {
        match self {
            O::Concat(join) => Some(join),
            O::Sum(join) => Some(join),
            O::Product(join) => Some(join),
            _ => None,
        }
    }

    fn output(&self) -> Shape {
        match self {
            O::Whole(shape) | O::Rows(shape) => *shape,
            _ => match self.layer() {
                Some(layer) => layer.output(),
                None => self.join().map_or(Shape::new(0, 0, 0), |join| join.output()),
            },
        }
    }

    fn node<'n>(&'n self, from: &'n [usize]) -> Node<'n, T>
    where
        'a: 'n,
    {
        let one = from[0];
        match self {
            O::Whole(shape) => Node::whole(*shape),
            O::Rows(shape) => Node::rows(*shape),
            O::Conv(l) => l.node(one),
            O::SubPixel(l) => l.node(one),
            O::Nearest(l) => l.node(one),
            O::Gather(l) => l.node(one),
            O::Linear(l) => l.node(one),
            O::Cubic(l) => l.node(one),
            O::Area(l) => l.node(one),
            O::Pad(l) => l.node(one),
            O::Shuffle(l) => l.node(one),
            O::Unshuffle(l) => l.node(one),
            O::Unpool(l) => l.node(one),
            O::Concat(join) => join.node(from),
            O::Sum(join) => join.node(from),
            O::Product(join) => join.node(from),
        }
    }
}

/// Operators and what each reads; what is drawn depends on the seed alone, not on the height.
struct Net<'a, T> {
    operators: [Operator<'a, T>; N],
    from: [[usize; 2]; N],
}

/// Places of maxima, any bits.
static CODES: [u8; 64] = {
    let (mut codes, mut i) = ([0; 64], 0);
    while i < codes.len() {
        codes[i] = (i * 151 % 256) as u8;
        i += 1;
    }
    codes
};

/// ... 2 1 0.
static BACKWARDS: [u16; 32] = {
    let (mut rows, mut i) = ([0; 32], 0);
    while i < rows.len() {
        rows[i] = (rows.len() - 1 - i) as u16;
        i += 1;
    }
    rows
};

fn backwards(len: usize) -> Result<&'static [u16], Error> {
    BACKWARDS.get(BACKWARDS.len().saturating_sub(len)..).filter(|rows| rows.len() == len).ok_or(super::TOO_LARGE)
}

/// 0 0 1 1 2 2 ...
static TWICE: [u16; 32] = {
    let (mut columns, mut i) = ([0; 32], 0);
    while i < columns.len() {
        columns[i] = i as u16 / 2;
        i += 1;
    }
    columns
};

fn twice(len: usize) -> Result<&'static [u16], Error> {
    TWICE.get(..2 * len).ok_or(super::TOO_LARGE)
}

/// Packed weights of all convolutions of a decoder.
const PACKED: usize = 250;

/// Weights of all convolutions.
fn weights(random: &mut Random<'_>) -> [i8; WEIGHTS] {
    let mut weights = [0; WEIGHTS];
    weights.fill_with(|| random.element());
    weights
}

impl<'a, T: Element + Sync> Net<'a, T> {
    fn new(input: Shape) -> Self {
        Net { operators: core::array::from_fn(|_| O::Rows(input)), from: [[0; 2]; N] }
    }

    /// Draws in place: two nets at once are too much for the smallest board.
    #[inline(never)]
    fn draw(
        &mut self,
        random: &mut Random<'_>,
        signal: bool,
        w: &[i8],
        mut packed: &'a mut [i8],
        multiplier: &'a [Multiplier],
    ) -> Result<(), Error> {
        let mut n = 1;
        while n < N {
            n = self.stage(random, n, signal, w, &mut packed, multiplier)?;
        }
        Ok(())
    }

    /// One to three nodes from `n` on that read node n - 1; answers the next one.
    #[inline(never)]
    fn stage(
        &mut self,
        random: &mut Random<'_>,
        n: usize,
        signal: bool,
        w: &[i8],
        room: &mut &'a mut [i8],
        multiplier: &'a [Multiplier],
    ) -> Result<usize, Error> {
        let x = self.operators[n - 1].output();
        let (kind, room_for) = (random.below(16), N - n);
        let q = Quant::new(SCALE, 0);
        let mut draws = [0; 6].map(|_: usize| (random.next() as u32 >> 8) as usize);
        if signal {
            draws[5] = 0;
        }
        let [a, b, c, d, e, f] = draws;
        let wide = |v: usize| if signal { 1 } else { v };
        let mut conv = |plan: upconv::Plan| -> Result<Convolution<'a, T>, Error> {
            let len = plan.weight_len();
            let w = w.get(..len).ok_or(super::TOO_LARGE)?;
            let (packed, rest) = core::mem::take(room).split_at_mut_checked(len).ok_or(super::TOO_LARGE)?;
            plan.pack_into(w, WeightOrder::Torch, packed)?;
            *room = rest;
            let quant = Quantization {
                x: q,
                y: q,
                multipliers: multiplier,
                activation: Activation::None,
                rounding: Rounding::TfliteSingle,
            };
            Weights { packed, bias: &[0i32; 0] }.layer(&plan, quant)
        };
        let same = |shape: Shape, channels| {
            Conv::plan(shape, channels, Geometry::new(3, wide(3)).same(shape, upconv::Same::Upper))
        };
        let by = |up: usize| Resize::by(Ratio::new(up, 1).unwrap(), Ratio::new(wide(up), 1).unwrap());
        let mut step = n + 1;
        self.from[n] = [n - 1, 0];
        self.operators[n] = match kind {
            0 | 1 => {
                let (kh, kw) = (a % 5 + 1, wide(b % 4 + 1));
                let pads = Padding { top: c % 3, bottom: (c >> 8) % 3, left: f % 2, right: f % 2 };
                let g = Geometry::new(kh, kw).stride(d % 2 + 1, wide(d % 2 + 1)).padding(pads);
                O::Conv(conv(Conv::plan(x, e % 3 + 1, g.dilation((c >> 16) % 2 + 1, 1))?)?)
            }
            2 | 3 => {
                let (kh, kw, s) = (a % 5 + 1, wide(b % 4 + 1), c % 3 + 1);
                let pads = Padding { top: d % 2, bottom: (d >> 8) % 2, left: f % 2, right: f % 2 };
                let g = Geometry::new(kh, kw).stride(s, wide(s)).padding(pads);
                O::Conv(conv(ConvTranspose::plan(x, e % 3 + 1, g)?)?)
            }
            4 => O::Nearest(Upsample::nearest(x, a % 3 + 1, wide(b % 2 + 1))?),
            5 => O::Linear(Upsample::bilinear(x, by(a % 3 + 1), Numerics::Exact)?),
            // What is drawn for a signal does not depend on its length.
            6 if signal && x.h % 2 == 1 => return Err(super::TOO_LARGE),
            6 if x.h.is_multiple_of(2) => O::Area(Upsample::area(x, x.h / 2, x.w)?),
            6 if !signal && x.c.is_multiple_of(4) => O::Shuffle(PixelShuffle::plan(x, 2, 2, ShuffleOrder::Crd)?),
            7 => {
                let fill = [Fill::Replicate, Fill::Reflect, Fill::Value(T::from_i32(7))][a % 3];
                O::Pad(Pad::plan(x, [(b % 3) as isize, (c % 3) as isize - 1], [(f % 2) as isize, 0], fill)?)
            }
            8 => O::Cubic(Upsample::bicubic(x, by(a % 2 + 1), Cubic::Pytorch)?),
            9 if signal && x.h % 2 == 1 => return Err(super::TOO_LARGE),
            9 if x.h.is_multiple_of(2) && x.w.is_multiple_of(wide(2)) => {
                O::Unshuffle(PixelUnshuffle::plan(x, 2, wide(2), ShuffleOrder::Dcr)?)
            }
            10 if !signal => {
                let plan = SubPixel::plan(
                    x,
                    a % 2 + 1,
                    2,
                    Geometry::new(b % 3 + 1, 3).padding(Padding { top: c % 2, bottom: d % 2, left: 1, right: 1 }),
                )?;
                O::SubPixel(SubPixel::new(conv(plan)?, 2)?)
            }
            // Upside down, its columns twice.
            11 if !signal => O::Gather(Upsample::gather(x, backwards(x.h)?, twice(x.w)?)?),
            12 if !signal => {
                let plan = MaxUnpool::plan(x, Geometry::square(2).stride(a % 2 + 1, b % 2 + 1).pad(e % 2))?;
                let codes = CODES.get(..plan.packed_len()).ok_or(super::TOO_LARGE)?;
                O::Unpool(plan.with(codes, T::from_i32(-3))?)
            }
            // A skip past one layer, added, multiplied or beside it.
            _ if room_for >= 2 => {
                self.operators[n] = O::Conv(conv(same(x, x.c)?)?);
                self.from[n + 1] = [n - 1, n];
                step = n + 2;
                let operands =
                    Operands { a: q, b: q, y: q, activation: Activation::None, rounding: Rounding::TfliteSingle };
                self.operators[n + 1] = match a % 4 {
                    0 => O::Sum(Add::plan(x, x, operands)?),
                    1 => O::Product(Mul::plan(x, x, operands)?),
                    _ => O::Concat(Concat::plan(Along::Channels, [(x, q), (x, q)], q, Rounding::TfliteSingle)?),
                };
                return self.checked(n, step);
            }
            _ => O::Conv(conv(same(x, a % 3 + 1)?)?),
        };
        self.checked(n, step)
    }

    fn checked(&self, n: usize, next: usize) -> Result<usize, Error> {
        let fits = self.operators[n..next].iter().all(|o| o.output().len() <= TENSOR);
        if fits { Ok(next) } else { Err(super::TOO_LARGE) }
    }

    /// A skip from outside: the last two nodes become an input and its concatenation with what was there.
    fn skip(&mut self, random: &mut Random<'_>) -> Result<(), Error> {
        let (x, q) = (self.operators[N - 3].output(), Quant::new(SCALE, 0));
        let skip = Shape::new(x.h, x.w, random.below(3) + 1);
        self.operators[N - 2] = if random.below(2) == 0 { O::Whole(skip) } else { O::Rows(skip) };
        self.operators[N - 1] =
            O::Concat(Concat::plan(Along::Channels, [(x, q), (skip, q)], q, Rounding::TfliteSingle)?);
        self.from[N - 1] = [N - 3, N - 2];
        self.checked(N - 2, N)?;
        Ok(())
    }

    /// Runs every operator on whole tensors; the inputs' are given.
    #[inline(never)]
    fn reference(&self, x: &[T], skip: &[T], y: &mut [T; TENSOR]) -> Result<(), Error> {
        let mut tensors = [[T::default(); TENSOR]; N];
        tensors[0][..x.len()].copy_from_slice(x);
        for n in 1..N {
            let (before, rest) = tensors.split_at_mut(n);
            let input = |k: usize| {
                let from = self.from[n][k];
                &before[from][..self.operators[from].output().len()]
            };
            let y = &mut rest[0][..self.operators[n].output().len()];
            match &self.operators[n] {
                O::Whole(_) | O::Rows(_) => y.copy_from_slice(skip),
                other => match (other.layer(), other.join()) {
                    (Some(layer), _) => Bound::whole(layer, input(0), y)?.run(),
                    (_, Some(join)) => BoundJoin::whole(join, [input(0), input(1)], y)?.run(),
                    _ => return Err(super::TOO_LARGE),
                },
            }
        }
        *y = tensors[N - 1];
        Ok(())
    }

    fn nodes(&self) -> [Node<'_, T>; N] {
        core::array::from_fn(|n| self.operators[n].node(&self.from[n]))
    }
}

/// Rows of a tensor; now and then there is none yet.
struct Hesitant<'a, T> {
    rest: &'a [T],
    random: Random<'static>,
}

impl<T: Copy> RowSource<T> for Hesitant<'_, T> {
    fn next_row(&mut self, row: &mut [T]) -> bool {
        if self.random.below(3) == 0 || self.rest.len() < row.len() {
            return false;
        }
        let (taken, rest) = self.rest.split_at(row.len());
        row.copy_from_slice(taken);
        self.rest = rest;
        true
    }
}

fn digest<T: Element>(y: &[T]) -> u32 {
    y.iter().fold(0, |d: u32, v| d.wrapping_mul(31).wrapping_add(v.to_i32() as u32))
}

/// Pictures: a random chain with skips, one of them from outside, by rows and whole, from rows and whole inputs.
pub(super) fn pictures<T: Element + Sync>(random: Random<'_>, cases: u32) -> Outcome {
    group(random, cases, |random| {
        let (weights, multiplier) = (weights(random), [Multiplier::from_real(0.006)?]);
        let input = Shape::new(random.below(5) + 1, random.below(4) + 1, random.below(4) + 1);
        let mut packed = [0; PACKED];
        let mut net = Net::<T>::new(input);
        net.draw(random, false, &weights, &mut packed, &multiplier)?;
        if random.below(2) == 0 {
            net.skip(random)?;
        }
        if random.below(2) == 0 {
            net.operators[0] = O::Whole(input);
        }
        let skip = net.operators[N - 2].output().len();
        let [mut x, mut beside, mut expected] = [[T::default(); TENSOR]; 3];
        let (x, beside) = (room(&mut x, input.len())?, room(&mut beside, skip)?);
        random.paint(x);
        random.paint(beside);
        net.reference(x, beside, &mut expected)?;
        let plan = if random.below(4) == 0 { Decoder::layer_by_layer } else { Decoder::plan };
        let equal = picture(random, &plan(net.nodes())?, &net, x, beside, &expected)?;
        Ok((equal, digest(&expected)))
    })
}

#[inline(never)]
fn picture<T: Element + Sync>(
    random: &mut Random<'_>,
    decoder: &Decoder<'_, T, N>,
    net: &Net<'_, T>,
    x: &[T],
    beside: &[T],
    expected: &[T],
) -> Result<bool, Error> {
    let (output, whole) = (decoder.output(), random.below(2) == 0);
    let (mut memory, mut y) = ([T::default(); MEMORY + 2 * GUARD], [T::default(); TENSOR + 2 * GUARD]);
    let memory = room(&mut memory, decoder.need() + 2 * GUARD)?;
    let y = room(&mut y, 2 * GUARD + if whole { output.len() } else { output.row_len() })?;
    let guard: T = random.element();
    memory.fill(guard);
    y.fill(guard);
    let mut sources = [x, beside].map(|rest| Hesitant { rest, random: Random::new(random.next()) });
    let [first, second] = &mut sources;
    let pushed = matches!(net.operators[0], O::Rows(_)) && random.below(2) == 0;
    let mut inputs = [
        match net.operators[0] {
            O::Whole(_) => Input::Whole(x),
            _ if pushed => Input::Pushed,
            _ => Input::Rows(first),
        },
        if let O::Whole(_) = net.operators[N - 2] { Input::Whole(beside) } else { Input::Rows(second) },
    ];
    let two = matches!(net.operators[N - 2], O::Whole(_) | O::Rows(_));
    let inputs = &mut inputs[..if two { 2 } else { 1 }];
    let (need, len) = (decoder.need(), y.len() - 2 * GUARD);
    let mut bound = decoder.bind(inputs, &mut memory[GUARD..][..need], &mut y[GUARD..][..len])?;
    let mut equal = true;
    let mut rest: &[T] = if pushed { x } else { &[] };
    for expected in expected.chunks(output.row_len()).take(output.h) {
        // Sources hesitate, and pushed rows come in pieces.
        let mut tries = 0;
        loop {
            let (mut chunk, after) = rest.split_at(random.below(5).min(rest.len()));
            let row = bound.push(&mut chunk);
            let done = row.is_some();
            equal &= row.is_none_or(|row| row == expected);
            rest = &rest[rest.len() - after.len() - chunk.len()..];
            tries += 1;
            if done || tries > 10_000 {
                equal &= done;
                break;
            }
        }
    }
    equal &= bound.next_row().is_none();
    equal &= !whole || y[GUARD..][..len] == expected[..len];
    let intact = |v: &[T]| v[..GUARD].iter().chain(&v[v.len() - GUARD..]).all(|v| *v == guard);
    Ok(equal && intact(memory) && intact(y))
}

/// Signals without end: planned at one length, run at others, cut into chunks at random.
pub(super) fn signals<T: Element + Sync>(random: Random<'_>, cases: u32) -> Outcome {
    group(random, cases, |random| {
        let (weights, multiplier) = (weights(random), [Multiplier::from_real(0.006)?]);
        let (channels, length, draw) = (random.below(2) + 1, PATTERN + random.below(25), random.next());
        let [mut x, mut expected] = [[T::default(); TENSOR]; 2];
        let x = room(&mut x, length * channels)?;
        random.paint(x);
        let rows = whole_signal(draw, Shape::new(length, 1, channels), x, &weights, &multiplier, &mut expected)?;
        let equal = streamed(random, draw, channels, x, &weights, &multiplier, &expected[..rows])?;
        Ok((equal, digest(&expected)))
    })
}

/// The whole signal at its own length; answers the output's.
#[inline(never)]
fn whole_signal<T: Element + Sync>(
    draw: u64,
    input: Shape,
    x: &[T],
    weights: &[i8],
    multiplier: &[Multiplier],
    y: &mut [T; TENSOR],
) -> Result<usize, Error> {
    let mut packed = [0; PACKED];
    let mut net = Net::<T>::new(input);
    net.draw(&mut Random::new(draw), true, weights, &mut packed, multiplier)?;
    net.reference(x, &[], y)?;
    Ok(net.operators[N - 1].output().len())
}

/// The same net at the pattern's length, streamed.
#[inline(never)]
fn streamed<T: Element + Sync>(
    random: &mut Random<'_>,
    draw: u64,
    channels: usize,
    x: &[T],
    weights: &[i8],
    multiplier: &[Multiplier],
    expected: &[T],
) -> Result<bool, Error> {
    let mut packed = [0; PACKED];
    let mut net = Net::<T>::new(Shape::new(PATTERN, 1, channels));
    net.draw(&mut Random::new(draw), true, weights, &mut packed, multiplier)?;
    signal(random, &Decoder::endless(net.nodes())?, x, expected)
}

#[inline(never)]
fn signal<T: Element>(
    random: &mut Random<'_>,
    decoder: &Decoder<'_, T, N>,
    x: &[T],
    expected: &[T],
) -> Result<bool, Error> {
    let (mut memory, mut sample) = ([T::default(); MEMORY + 2 * GUARD], [T::default(); 16]);
    let memory = room(&mut memory, decoder.need() + 2 * GUARD)?;
    let guard: T = random.element();
    memory.fill(guard);
    let mut inputs = [Input::Pushed];
    let need = decoder.need();
    let mut bound =
        decoder.bind(&mut inputs, &mut memory[GUARD..][..need], room(&mut sample, decoder.output().row_len())?)?;
    let (mut rest, mut expected, mut equal) = (x, expected, true);
    let mut take = |row: Option<&[T]>| {
        let Some(row) = row else { return false };
        equal &= expected.starts_with(row);
        expected = expected.get(row.len()..).unwrap_or_default();
        true
    };
    while !rest.is_empty() {
        let (mut chunk, after) = rest.split_at(random.below(9).min(rest.len()));
        while take(bound.push(&mut chunk)) {}
        rest = after;
    }
    // Lengths that the pattern does not reach are refused, and drawn again.
    bound.finish()?;
    while take(bound.next_row()) {}
    let intact = memory[..GUARD].iter().chain(&memory[GUARD + need..]).all(|v| *v == guard);
    Ok(equal && expected.is_empty() && intact)
}
