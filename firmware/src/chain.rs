//! What streaming saves and costs, by rows and with every tensor whole: four transposed convolutions, 4x4x64 to 64x64x1; a stage of a U-Net
//! with its skip, 16x16x16 beside 32x32x8 to 32x32x8; and the ECG's decoder, 128 codes of 4 numbers to 2048 samples.

use crate::Board;
use crate::report::{Report, send};
use upconv::*;

/// Pseudo-random values.
const fn values<const N: usize>() -> [i8; N] {
    let (mut values, mut state, mut i) = ([0; N], 1u32, 0);
    while i < N {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        values[i] = (state >> 24) as i8;
        i += 1;
    }
    values
}

macro_rules! layer {
    ($name:ident = $operator:ident($h:literal x $w:literal x $c_in:literal to $c_out:literal, $geometry:expr), $multiplier:literal) => {
        static $name: Convolution<i8> = {
            const PLAN: Plan = must!($operator::plan(Shape::new($h, $w, $c_in), $c_out, $geometry));
            static WEIGHTS: [i8; PLAN.weight_len()] = must!(PLAN.pack(&values(), WeightOrder::Torch));
            static MULTIPLIER: [Multiplier; 1] = [must!(Multiplier::from_real($multiplier))];
            must!(Weights { packed: &WEIGHTS, bias: &[] as &[i32] }.layer(
                &PLAN,
                Quantization {
                    x: Q,
                    y: Q,
                    multipliers: &MULTIPLIER,
                    activation: Activation::None,
                    rounding: Rounding::TfliteDouble,
                }
            ))
        };
    };
}

const Q: Quant = Quant::new(1.0, 3);
const TWICE: Geometry = Geometry::square(4).stride(2, 2).pad(1);

// Multipliers that keep the values spread: 1 / (74 · √terms), 74 the deviation of the weights.
layer!(L1 = ConvTranspose(4 x 4 x 64 to 32, TWICE), 0.000845);
layer!(L2 = ConvTranspose(8 x 8 x 32 to 16, TWICE), 0.001195);
layer!(L3 = ConvTranspose(16 x 16 x 16 to 8, TWICE), 0.00169);
layer!(L4 = ConvTranspose(32 x 32 x 8 to 1, TWICE), 0.00239);

layer!(UP = ConvTranspose(16 x 16 x 16 to 8, Geometry::square(2).stride(2, 2)), 0.00338);
layer!(MIX = Conv(32 x 32 x 16 to 8, Geometry::square(3).pad(1)), 0.001126);
static JOIN: Concat<i8, 2> =
    must!(Concat::plan(Along::Channels, [(Shape::new(32, 32, 8), Q); 2], Q, Rounding::TfliteDouble));

const SLOWLY: Geometry = Geometry::new(4, 1).stride(2, 1).padding(Padding { top: 1, left: 0, bottom: 1, right: 0 });
const ALONG: Geometry = Geometry::new(3, 1).padding(Padding { top: 1, left: 0, bottom: 1, right: 0 });

layer!(S1 = Conv(128 x 1 x 4 to 16, ALONG), 0.0039);
layer!(S2 = ConvTranspose(128 x 1 x 16 to 16, SLOWLY), 0.00239);
layer!(S3 = ConvTranspose(256 x 1 x 16 to 12, SLOWLY), 0.00239);
layer!(S4 = ConvTranspose(512 x 1 x 12 to 8, SLOWLY), 0.00276);
layer!(S5 = ConvTranspose(1024 x 1 x 8 to 8, SLOWLY), 0.00338);
layer!(S6 = Conv(2048 x 1 x 8 to 1, ALONG), 0.00276);

/// A network in both ways, and its inputs.
pub struct Network<const N: usize, const K: usize> {
    /// By rows.
    pub rows: Decoder<'static, i8, N>,
    /// Tensor by tensor.
    pub whole: Decoder<'static, i8, N>,
    /// What computes, in order.
    pub operators: &'static [Operator],
    /// All values of each input.
    pub inputs: [&'static [i8]; K],
    /// ... and how they come: whole, or pushed.
    pub input: fn(&'static [i8]) -> Input<'static, i8>,
}

/// One of a network's operators; it reads what the one before it, or the first input, gives.
pub enum Operator {
    /// A layer.
    Layer(&'static (dyn Layer<i8> + Sync)),
    /// A concatenation with the second input.
    Skip(&'static Concat<i8, 2>),
}

use Operator::{Layer as L, Skip};

static VALUES: [i8; 32 * 32 * 8] = values();

const CHAIN_NODES: [Node<'static, i8>; 5] =
    [Node::whole(Shape::new(4, 4, 64)), L1.node(0), L2.node(1), L3.node(2), L4.node(3)];
const STAGE_NODES: [Node<'static, i8>; 5] = [
    Node::whole(Shape::new(16, 16, 16)),
    UP.node(0),
    Node::whole(Shape::new(32, 32, 8)),
    JOIN.node(&[1, 2]),
    MIX.node(3),
];
const SIGNAL_NODES: [Node<'static, i8>; 7] =
    [Node::rows(Shape::new(128, 1, 4)), S1.node(0), S2.node(1), S3.node(2), S4.node(3), S5.node(4), S6.node(5)];

/// The chain.
pub static CHAIN: Network<5, 1> = Network {
    rows: must!(Decoder::plan(CHAIN_NODES)),
    whole: must!(Decoder::layer_by_layer(CHAIN_NODES)),
    operators: &[L(&L1), L(&L2), L(&L3), L(&L4)],
    inputs: [VALUES.split_at(4 * 4 * 64).0],
    input: Input::Whole,
};

/// The stage: transposed convolution, concatenation with the skip, convolution.
pub static STAGE: Network<5, 2> = Network {
    rows: must!(Decoder::plan(STAGE_NODES)),
    whole: must!(Decoder::layer_by_layer(STAGE_NODES)),
    operators: &[L(&UP), Skip(&JOIN), L(&MIX)],
    inputs: [VALUES.split_at(16 * 16 * 16).0, &VALUES],
    input: Input::Whole,
};

/// The signal, without end.
pub static SIGNAL: Network<7, 1> = Network {
    rows: must!(Decoder::endless(SIGNAL_NODES)),
    whole: must!(Decoder::layer_by_layer(SIGNAL_NODES)),
    operators: &[L(&S1), L(&S2), L(&S3), L(&S4), L(&S5), L(&S6)],
    inputs: [VALUES.split_at(128 * 4).0],
    input: |_| Input::Pushed,
};

/// Decodes the chain by rows and whole, as networks 0 and 1, then the stage as 2 and 3.
pub fn run(board: &mut impl Board) {
    decode(board, 0, &CHAIN.rows, CHAIN.inputs, &mut [0; CHAIN.rows.need()]);
    decode(board, 1, &CHAIN.whole, CHAIN.inputs, &mut [0; CHAIN.whole.need()]);
    decode(board, 2, &STAGE.rows, STAGE.inputs, &mut [0; STAGE.rows.need()]);
    decode(board, 3, &STAGE.whole, STAGE.inputs, &mut [0; STAGE.whole.need()]);
    send(board, &Report::Done);
}

#[inline(never)]
fn decode<const K: usize>(
    board: &mut impl Board,
    network: u8,
    decoder: &Decoder<'_, i8, 5>,
    inputs: [&[i8]; K],
    memory: &mut [i8],
) {
    let (mut row, mut inputs) = ([0; 32 * 8], inputs.map(Input::Whole));
    let output = decoder.output();
    let Ok(mut bound) = decoder.bind(&mut inputs, memory, &mut row[..output.w * output.c]) else {
        panic!("the lengths are those of the plan")
    };
    board.paint_stack();
    // The caller's: this function's own scratch begins here.
    let before = board.stack_peak();
    let mut instructions = 0;
    loop {
        let start = board.instructions();
        let row = bound.next_row();
        instructions += board.instructions() - start;
        let Some(row) = row else { break };
        for data in bytemuck::cast_slice(row).chunks(128) {
            send(board, &Report::Output { network, sample: 0, data });
        }
    }
    let stack = (board.stack_peak() - before) as u32;
    let statics = board.statics() as u32;
    send(board, &Report::Decoded { network, instructions, stack, statics });
}
