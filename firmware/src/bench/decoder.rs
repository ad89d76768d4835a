//! Whole decoders: by rows, or the same operators on whole tensors one after the other.

use super::{Arena, Cost, DIGEST, digest};
use crate::Board;
use crate::chain::{Network, Operator};
use upconv::{Bound, BoundJoin, Error, Join};

/// Runs a network and counts; the stack is that of the run below the caller's.
pub(super) fn measure<const N: usize, const K: usize>(
    board: &mut impl Board,
    network: &Network<N, K>,
    rows: bool,
    arena: &mut Arena,
) -> Result<Cost, Error> {
    let macs = network.operators.iter().map(|operator| match operator {
        Operator::Layer(layer) => layer.macs(),
        Operator::Skip(_) => 0,
    });
    let (macs, outputs) = (macs.sum(), network.whole.output().len() as u32);
    board.paint_stack();
    let before = board.stack_peak();
    let run = if rows { streamed } else { one_by_one };
    let (instructions, digest) = run(board, network, arena)?;
    let stack = (board.stack_peak() - before) as u32;
    Ok(Cost { macs, outputs, instructions, stack, digest, ..Cost::default() })
}

/// Instructions and the output's digest, row by row.
fn streamed<const N: usize, const K: usize>(
    board: &mut impl Board,
    network: &Network<N, K>,
    arena: &mut Arena,
) -> Result<(u64, u32), Error> {
    let decoder = &network.rows;
    let (memory, row) = (arena.tensor(decoder.need())?, arena.tensor(decoder.output().row_len())?);
    let (mut pushed, mut inputs) = (network.inputs[0], network.inputs.map(network.input));
    let mut bound = decoder.bind(&mut inputs, memory, row)?;
    let (mut instructions, mut sum) = (0, DIGEST);
    for ended in [false, true] {
        if ended {
            bound.finish()?;
        }
        loop {
            let start = board.instructions();
            let row = bound.push(&mut pushed);
            instructions += board.instructions() - start;
            let Some(row) = row else { break };
            sum = digest(sum, row);
        }
    }
    Ok((instructions, sum))
}

/// The same of whole tensors.
fn one_by_one<const N: usize, const K: usize>(
    board: &mut impl Board,
    network: &Network<N, K>,
    arena: &mut Arena,
) -> Result<(u64, u32), Error> {
    let (mut x, mut instructions) = (network.inputs[0], 0);
    for operator in network.operators {
        let y = match operator {
            Operator::Layer(layer) => {
                let y = arena.tensor(layer.output().len())?;
                let mut bound = Bound::whole(*layer, x, y)?;
                let start = board.instructions();
                bound.run();
                instructions += board.instructions() - start;
                y
            }
            Operator::Skip(join) => {
                let y = arena.tensor(join.output().len())?;
                let mut bound = BoundJoin::whole(*join, [x, network.inputs[K - 1]], y)?;
                let start = board.instructions();
                bound.run();
                instructions += board.instructions() - start;
                y
            }
        };
        x = y;
    }
    Ok((instructions, digest(DIGEST, x)))
}
