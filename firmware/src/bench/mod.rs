//! What a layer costs on this core: layers are read from the command line, planned, packed and run here, and the run alone is counted, in
//! instructions in an emulator, in cycles on silicon.
//!
//! Tensors come from a seed: inputs of the whole range, weights of -127 to 127 (int16 ones of -512 to 511, as sums of a few int8 are), zero
//! points of -5 and 3 (int16 activations have none), no activation, a bias and a multiplier for each channel. Multipliers spread the outputs over the
//! range with few saturated: M = d / (a·b·√terms)·(1/2 .. 3/2) with a, b the standard deviations of inputs and weights and d a third of the output's
//! half range. The host runs the same code and must get the same digest.

mod decoder;
mod spec;

pub use spec::{GRAMMAR, Mode, Network, Numbers, Operator, Spec, SpecError};

use crate::Board;
use crate::chain::{CHAIN, SIGNAL, STAGE};
use crate::report::{Report, send};
use crate::suite::Random;
use bytemuck::Pod;
use core::ops::Range;
use upconv::{
    Accumulator, Activation, Add, Along, Bound, Columns, Concat, Conv, ConvTranspose, Convolution, Coordinates, Cubic,
    Element, Elementwise, Error, Fill, FoldNearest, Gate16, Join, Layer, MaxUnpool, Multiplier, NearestMode, Numerics,
    Operands, Pad, PixelShuffle, Plan, Pointwise, Quant, Quantization, Resize, Rounding, Shape, Table8, Upsample,
    WeightOrder, Weights, Window,
};

/// Bytes of all tensors of a layer, from one static arena: there is no heap.
pub const ARENA: usize = match option_env!("UPCONV_ARENA") {
    // Of a board on the desk, which has less.
    Some(bytes) => match usize::from_str_radix(bytes, 10) {
        Ok(bytes) => bytes,
        Err(_) => panic!("UPCONV_ARENA is no number of bytes"),
    },
    None => 400 << 10,
};
/// The most output channels of a layer.
pub const CHANNELS: usize = 512;
/// The longest command line, in bytes.
pub const COMMAND_LINE: usize = 16 << 10;

/// The seeds of inputs, weights, and biases and multipliers.
const SEEDS: [u64; 3] = [41, 42, 43];

/// Measures the layers that the command line names and reports each in its turn.
pub fn run(board: &mut impl Board) {
    // The trained networks leave no room for it in the flash of the smallest board.
    if !cfg!(any(feature = "bench", not(target_os = "none"))) {
        panic!("the firmware was built without the bench");
    }
    let mut arena = [0u64; ARENA / 8];
    board.arguments(|board, line| match Spec::parse(line) {
        Ok(spec) => match measure(board, &spec, &mut arena) {
            Ok(cost) => send(board, &Report::Layer(cost)),
            Err(error) => send(board, &Report::Refused { why: error.message().as_str() }),
        },
        Err(_) => send(board, &Report::Refused { why: "the line cannot be read" }),
    });
    send(board, &Report::Done);
}

/// What a layer costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Cost {
    /// Multiply-accumulates whose input exists.
    pub macs: u64,
    /// Output values.
    pub outputs: u32,
    /// Instructions of the run.
    pub instructions: u64,
    /// Of a folded layer: those of the upsample and the convolution one after the other; else 0.
    pub unfolded: u64,
    /// Bytes of stack that the run used: all its scratch, for a caller provides none.
    pub stack: u32,
    /// Bytes of packed weights.
    pub weights: u32,
    /// A digest of the output.
    pub digest: u32,
}

/// The rest of the arena.
struct Arena<'a>(&'a mut [u64]);

impl<'a> Arena<'a> {
    /// Cuts a tensor off the front.
    fn tensor<T: Pod>(&mut self, len: usize) -> Result<&'a mut [T], Error> {
        let words = len.saturating_mul(size_of::<T>()).div_ceil(8);
        let rest = core::mem::take(&mut self.0);
        if words > rest.len() {
            return Err(Error::Length { what: "the bench's arena, in 8 bytes each", got: rest.len(), need: words });
        }
        let (front, rest) = rest.split_at_mut(words);
        self.0 = rest;
        Ok(&mut bytemuck::cast_slice_mut(front)[..len])
    }
}

/// Runs a layer and counts.
///
/// # Errors
/// What the plan refuses, and tensors that do not fit.
pub fn measure(board: &mut impl Board, spec: &Spec, arena: &mut [u64]) -> Result<Cost, Error> {
    let mut arena = Arena(arena);
    match spec.operator {
        Operator::Convolution { transposed, channels, geometry } => {
            let plan = if transposed { ConvTranspose::plan } else { Conv::plan }(spec.input, channels, geometry)?;
            let numbers = spec.numbers;
            match numbers {
                Numbers::I8 => seeded::<i8, i8, i32>(board, spec, &plan, &mut arena, |w, p, q| w.layer(p, q)),
                Numbers::I16 => seeded::<i16, i8, i64>(board, spec, &plan, &mut arena, |w, p, q| w.layer(p, q)),
                Numbers::I8x16 => seeded::<i8, i16, i32>(board, spec, &plan, &mut arena, |w, p, q| w.layer(p, q)),
            }
        }
        Operator::Fold { factor, channels, geometry } => {
            let fold = FoldNearest::plan(spec.input, factor, channels, geometry)?;
            let up = Upsample::nearest(spec.input, factor[0], factor[1])?;
            let conv = Conv::plan(up.output_shape(), channels, geometry)?;
            folded(board, spec, &fold, &up, &conv, &mut arena)
        }
        Operator::Decoder(Network::Chain) => decoder::measure(board, &CHAIN, spec.rows, &mut arena),
        Operator::Decoder(Network::Stage) => decoder::measure(board, &STAGE, spec.rows, &mut arena),
        Operator::Decoder(Network::Signal) => decoder::measure(board, &SIGNAL, spec.rows, &mut arena),
        Operator::Table => {
            let (x, wide) = (Quant::new(1.0 / 32.0, 0), Quant::new(1.0 / 4096.0, 0));
            match spec.numbers {
                Numbers::I16 => table::<i16>(board, spec, &Gate16::sigmoid(wide)?, &mut arena),
                _ => table::<i8>(board, spec, &Table8::sigmoid(x, Quant::new(1.0 / 256.0, -128))?, &mut arena),
            }
        }
        _ => match spec.numbers {
            Numbers::I16 => without_weights::<i16>(board, spec, &mut arena),
            _ => without_weights::<i8>(board, spec, &mut arena),
        },
    }
}

/// An input of these values.
fn seeded_input<'a, T: Element + Pod>(shape: Shape, arena: &mut Arena<'a>) -> Result<&'a [T], Error> {
    let x = arena.tensor(shape.len())?;
    fill(x, SEEDS[0], T::MIN);
    Ok(x)
}

/// A layer on an input, its output in the arena.
fn run_layer<T: Element + Pod>(
    board: &mut impl Board,
    spec: &Spec,
    layer: &dyn Layer<T>,
    x: &[T],
    arena: &mut Arena,
) -> Result<Cost, Error> {
    let y = arena.tensor(layer.output().len())?;
    count(board, layer, x, y, spec.rows)
}

fn without_weights<T: Element + Pod>(board: &mut impl Board, spec: &Spec, arena: &mut Arena) -> Result<Cost, Error> {
    let input = spec.input;
    let x: &[T] = seeded_input(input, arena)?;
    match spec.operator {
        Operator::Resize { mode, to: [h, w], coordinates, tflite } => {
            let to = Resize::to(h, w).coordinates(coordinates);
            match mode {
                Mode::Nearest => {
                    let repeats = coordinates == Coordinates::Asymmetric
                        && h.is_multiple_of(input.h)
                        && w.is_multiple_of(input.w);
                    let layer = if repeats && !input.is_empty() {
                        Upsample::nearest(input, h / input.h, w / input.w)?
                    } else {
                        Upsample::nearest_by(input, to, NearestMode::Floor)?
                    };
                    run_layer(board, spec, &layer, x, arena)
                }
                Mode::Bilinear => {
                    let numerics = if tflite { Numerics::Tflite(Rounding::TfliteDouble) } else { Numerics::Exact };
                    run_layer(board, spec, &Upsample::bilinear(input, to, numerics)?, x, arena)
                }
                Mode::Bicubic => {
                    let layer = Upsample::bicubic(input, to, Cubic::Pytorch)?;
                    run_layer(board, spec, &layer, x, arena)
                }
                Mode::Area => run_layer(board, spec, &Upsample::area(input, h, w)?, x, arena),
            }
        }
        Operator::DepthToSpace { block: [rh, rw], order } => {
            run_layer(board, spec, &PixelShuffle::plan(input, rh, rw, order)?, x, arena)
        }
        Operator::Pad { padding: p, fill } => {
            let fill = match fill {
                Fill::Value(()) => Fill::Value(T::from_i32(ZERO)),
                Fill::Reflect => Fill::Reflect,
                Fill::Replicate => Fill::Replicate,
                Fill::Wrap => Fill::Wrap,
            };
            let [rows, columns] = [[p.top, p.bottom], [p.left, p.right]].map(|edge| edge.map(|n| n as isize));
            run_layer(board, spec, &Pad::plan(input, rows, columns, fill)?, x, arena)
        }
        Operator::Unpool { geometry } => {
            let plan = MaxUnpool::plan(input, geometry)?;
            let codes = arena.tensor::<u8>(plan.packed_len())?;
            let mut random = Random::new(SEEDS[1]);
            codes.fill_with(|| random.next() as u8);
            run_layer(board, spec, &plan.with(codes, T::from_i32(ZERO))?, x, arena)
        }
        Operator::Add => {
            let [a, b, y] = SCALES.map(|scale| Quant::new(scale, if T::MAX > 127 { 0 } else { ZERO }));
            let operands = Operands { a, b, y, activation: Activation::None, rounding: Rounding::TfliteDouble };
            joined(board, spec, &Add::plan::<T>(input, input, operands)?, x, arena)
        }
        Operator::Concat { channels } => {
            let [a, b, y] = SCALES.map(|scale| Quant::new(scale, if T::MAX > 127 { 0 } else { ZERO }));
            let inputs = [(input, a), (Shape::new(input.h, input.w, channels), b)];
            let join = Concat::<T, 2>::plan(Along::Channels, inputs, y, Rounding::TfliteDouble)?;
            joined(board, spec, &join, x, arena)
        }
        _ => Err(Error::Unsupported { what: "a layer with weights here" }),
    }
}

/// The zero point of what has neither weights nor scales of its own.
const ZERO: i32 = -5;
/// The scales of a join's inputs and of its output: the second input's is the output's.
const SCALES: [f32; 3] = [0.05, 0.07, 0.07];

/// A join as a layer on its first input, the other one whole beside it: some instructions a row are this.
struct Beside<'a, T>(&'a dyn Join<T>, Window<'a, T>);

impl<T: Element> Layer<T> for Beside<'_, T> {
    fn input(&self) -> Shape {
        self.0.input(0)
    }

    fn output(&self) -> Shape {
        self.0.output()
    }

    fn reads(&self, oy: usize) -> Range<usize> {
        self.0.reads(0, oy)
    }

    fn macs(&self) -> u64 {
        0
    }

    fn row(&self, oy: usize, x: &Window<'_, T>, y: &mut [T]) {
        self.0.row(oy, &[*x, self.1], y);
    }
}

/// A join of the input and another one of the same values.
fn joined<T: Element + Pod>(
    board: &mut impl Board,
    spec: &Spec,
    join: &dyn Join<T>,
    x: &[T],
    arena: &mut Arena,
) -> Result<Cost, Error> {
    let other = arena.tensor(join.input(1).len())?;
    fill(other, SEEDS[1], T::MIN);
    run_layer(board, spec, &Beside(join, Window::whole(other, join.input(1))?), x, arena)
}

fn table<T: Element + Pod>(
    board: &mut impl Board,
    spec: &Spec,
    each: &impl Pointwise<T>,
    arena: &mut Arena,
) -> Result<Cost, Error> {
    let x = seeded_input(spec.input, arena)?;
    run_layer(board, spec, &Elementwise::plan(spec.input, each)?, x, arena)
}

/// `Weights::layer` for some pair of weight and bias types.
type Make<T, W, A> = for<'a> fn(Weights<'a, W, A>, &Plan, Quantization<'a>) -> Result<Convolution<'a, T, W, A>, Error>;

/// A convolution with weights from the seed.
fn seeded<T: Element + Pod, W: Element + Pod, A: Accumulator + Pod>(
    board: &mut impl Board,
    spec: &Spec,
    plan: &Plan,
    arena: &mut Arena,
    make: Make<T, W, A>,
) -> Result<Cost, Error> {
    let weights = arena.tensor::<W>(plan.weight_len())?;
    fill(weights, SEEDS[1], -WEIGHT);
    let x = seeded_input(plan.input(), arena)?;
    convolution(board, spec, plan, weights, deviation::<W>(plan), x, arena, make)
}

/// The smallest weight is minus this.
const WEIGHT: i32 = 127;

/// The standard deviation of an output's sum for inputs of deviation 1: of a weight, times the root of the mean number of terms.
fn deviation<W: Element>(plan: &Plan) -> f64 {
    let terms = plan.macs().checked_div(plan.output().len() as u64).unwrap_or(0).max(1);
    uniform(if W::MAX > 127 { 1024 } else { 2 * WEIGHT }) * terms.isqrt() as f64
}

/// The standard deviation of a uniform distribution over n values.
fn uniform(n: i32) -> f64 {
    const ROOT_12: f64 = 3.4641;
    f64::from(n) / ROOT_12
}

#[allow(clippy::too_many_arguments)]
fn convolution<T: Element + Pod, W: Element + Pod, A: Accumulator + Pod>(
    board: &mut impl Board,
    spec: &Spec,
    plan: &Plan,
    weights: &[W],
    deviation: f64,
    x: &[T],
    arena: &mut Arena,
    make: Make<T, W, A>,
) -> Result<Cost, Error> {
    let packed = arena.tensor(plan.weight_len())?;
    plan.pack_into(weights, WeightOrder::Torch, packed)?;
    let mut multipliers = [Multiplier::from_real(0.0)?; CHANNELS];
    let layer = quantized(plan, packed, deviation, arena, &mut multipliers, make)?;
    let cost = run_layer(board, spec, &layer, x, arena)?;
    Ok(Cost { weights: size_of_val(packed) as u32, ..cost })
}

/// Packed weights as a layer, with biases and multipliers from the seed.
fn quantized<'a, 'm: 'a, T: Element + Pod, W: Element, A: Accumulator + Pod>(
    plan: &Plan,
    packed: &'a [W],
    deviation: f64,
    arena: &mut Arena<'m>,
    multipliers: &'a mut [Multiplier; CHANNELS],
    make: Make<T, W, A>,
) -> Result<Convolution<'a, T, W, A>, Error> {
    let mut random = Random::new(SEEDS[2]);
    let channels = plan.output().c;
    let bias = arena.tensor::<A>(channels)?;
    bias.fill_with(|| A::from_i64(random.below(8192) as i64 - 4096));
    let wide = T::MAX > 127;
    let spread = f64::from(T::MAX) / 3.0 / (uniform(T::MAX - T::MIN) * deviation);
    let got = multipliers.len();
    let multipliers =
        multipliers.get_mut(..channels).ok_or(Error::Length { what: "the bench's channels", got, need: channels })?;
    for m in multipliers.iter_mut() {
        *m = Multiplier::from_real(spread * (0.5 + random.below(1024) as f64 / 1024.0))?;
    }
    let quant = Quantization {
        x: Quant::new(1.0, if wide { 0 } else { -5 }),
        y: Quant::new(1.0, if wide { 0 } else { 3 }),
        multipliers,
        activation: Activation::None,
        rounding: if size_of::<A>() == 8 { Rounding::Tflite16x8 } else { Rounding::TfliteDouble },
    };
    make(Weights { packed, bias }, plan, quant)
}

/// The folded layer in the form that is the faster one here, and the pair that it replaces, which must give the same output.
fn folded(
    board: &mut impl Board,
    spec: &Spec,
    fold: &FoldNearest,
    up: &upconv::Nearest,
    conv: &Plan,
    arena: &mut Arena,
) -> Result<Cost, Error> {
    let plan = fold.transposed();
    let weights = arena.tensor::<i8>(conv.weight_len())?;
    fill(weights, SEEDS[1], -WEIGHT);
    let x = seeded_input::<i8>(spec.input, arena)?;
    let deviation = deviation::<i8>(conv);

    let mut folded = if fold.by_columns() {
        let mut arena = Arena(&mut *arena.0);
        let packed = arena.tensor::<i8>(weights.len())?;
        let sums = arena.tensor(conv.kernel()[1] * conv.output().c)?;
        fold.columns_into(weights, WeightOrder::Torch, packed, sums)?;
        let mut multipliers = [Multiplier::from_real(0.0)?; CHANNELS];
        let make: Make<i8, i8, i32> = |w, p, q| w.layer(p, q);
        let layer = quantized(conv, packed, deviation, &mut arena, &mut multipliers, make)?;
        let layer = Columns::new(fold, layer, sums)?;
        let cost = run_layer(board, spec, &layer, x, &mut arena)?;
        // By the same count as the other form.
        Cost { macs: plan.macs(), weights: (size_of_val(packed) + size_of_val(sums)) as u32, ..cost }
    } else {
        let mut arena = Arena(&mut *arena.0);
        let sums = arena.tensor::<i16>(plan.weight_len())?;
        fold.weights_into(weights, WeightOrder::Torch, sums)?;
        convolution::<i8, i16, i32>(board, spec, &plan, sums, deviation, x, &mut arena, |w, p, q| w.layer(p, q))?
    };
    let between = arena.tensor(conv.input().len())?;
    let first = count(board, up, x, between, false)?;
    let second =
        convolution::<i8, i8, i32>(board, spec, conv, weights, deviation, between, arena, |w, p, q| w.layer(p, q))?;
    assert_eq!(folded.digest, second.digest, "the folded layer differs from the pair that it replaces");
    folded.unfolded = first.instructions + second.instructions;
    Ok(folded)
}

/// Counts a run, and its stack below the caller's.
#[inline(never)]
fn count<T: Element>(
    board: &mut impl Board,
    layer: &dyn Layer<T>,
    x: &[T],
    y: &mut [T],
    rows: bool,
) -> Result<Cost, Error> {
    let mut cost = Cost { macs: layer.macs(), outputs: layer.output().len() as u32, digest: DIGEST, ..Cost::default() };
    let row_len = layer.output().row_len();
    board.paint_stack();
    let before = board.stack_peak();
    if rows {
        let y = y.get_mut(..row_len).unwrap_or_default();
        let mut bound = Bound::rows(layer, x, y)?;
        loop {
            let start = board.instructions();
            let row = bound.next_row();
            cost.instructions += board.instructions() - start;
            let Some(row) = row else { break };
            cost.digest = digest(cost.digest, row);
        }
    } else {
        let mut bound = Bound::whole(layer, x, y)?;
        let start = board.instructions();
        bound.run();
        cost.instructions = board.instructions() - start;
    }
    cost.stack = (board.stack_peak() - before) as u32;
    if !rows {
        cost.digest = digest(DIGEST, y);
    }
    Ok(cost)
}

/// FNV-1a, a value at a time.
fn digest<T: Element>(start: u32, values: &[T]) -> u32 {
    values.iter().fold(start, |d, v| (d ^ v.to_i32() as u32).wrapping_mul(16_777_619))
}

const DIGEST: u32 = 2_166_136_261;

/// Fills a tensor from a seed, values below `min` lifted to it; int16 weights have 10 bits.
fn fill<T: Element>(tensor: &mut [T], seed: u64, min: i32) {
    let mut random = Random::new(seed);
    let drop = if T::MAX <= 127 {
        8
    } else if min == T::MIN {
        0
    } else {
        6
    };
    for values in tensor.chunks_mut(4) {
        let bits = random.next();
        for (i, v) in values.iter_mut().enumerate() {
            let value = i32::from((bits >> (16 * i)) as i16) >> drop;
            *v = T::from_i32(if T::MAX <= 127 { value.max(min) } else { value });
        }
    }
}
