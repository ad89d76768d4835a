//! What streaming saves and costs: four transposed convolutions, 4x4x64 to 64x64x1, as one decoder by rows and with every tensor whole.

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
    ($name:ident, $side:literal x $c_in:literal to $c_out:literal, $multiplier:literal) => {
        static $name: Convolution<i8> = {
            const GEOMETRY: Geometry = Geometry::square(4).stride(2, 2).pad(1);
            const PLAN: Plan = must!(ConvTranspose::plan(Shape::new($side, $side, $c_in), $c_out, GEOMETRY));
            static WEIGHTS: [i8; 16 * $c_in * $c_out] = must!(PLAN.pack(&values(), WeightOrder::Torch));
            static MULTIPLIER: [Multiplier; 1] = [must!(Multiplier::from_real($multiplier))];
            must!(Weights { packed: &WEIGHTS, bias: &[] as &[i32] }.layer(
                &PLAN,
                Quantization {
                    x: Quant::new(1.0, 3),
                    y: Quant::new(1.0, 3),
                    multipliers: &MULTIPLIER,
                    activation: Activation::None,
                    rounding: Rounding::TfliteDouble,
                }
            ))
        };
    };
}

// Multipliers that keep the values spread: 1 / (74 · √terms), 74 the deviation of the weights.
layer!(L1, 4 x 64 to 32, 0.000845);
layer!(L2, 8 x 32 to 16, 0.001195);
layer!(L3, 16 x 16 to 8, 0.00169);
layer!(L4, 32 x 8 to 1, 0.00239);

static CODE: [i8; 4 * 4 * 64] = values();
const NODES: [Node<'static, i8>; 5] =
    [Node::whole(Shape::new(4, 4, 64)), L1.node(0), L2.node(1), L3.node(2), L4.node(3)];

/// By rows.
pub static STREAMED: Decoder<i8, 5> = must!(Decoder::plan(NODES));
/// Tensor by tensor.
pub static WHOLE: Decoder<i8, 5> = must!(Decoder::layer_by_layer(NODES));

/// Their memory.
const NEED: [usize; 2] = [STREAMED.need(), WHOLE.need()];

/// Decodes in both ways: network 0 by rows, 1 with whole tensors.
pub fn run(board: &mut impl Board) {
    decode(board, 0, &STREAMED, &mut [0; NEED[0]]);
    decode(board, 1, &WHOLE, &mut [0; NEED[1]]);
    send(board, &Report::Done);
}

#[inline(never)]
fn decode(board: &mut impl Board, network: u8, decoder: &Decoder<'_, i8, 5>, memory: &mut [i8]) {
    let (mut row, mut inputs) = ([0; 64], [Input::Whole(&CODE)]);
    let Ok(mut bound) = decoder.bind(&mut inputs, memory, &mut row) else {
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
        send(board, &Report::Output { network, sample: 0, data: bytemuck::cast_slice(row) });
    }
    let stack = (board.stack_peak() - before) as u32;
    let statics = board.statics() as u32;
    send(board, &Report::Decoded { network, instructions, stack, statics });
}
