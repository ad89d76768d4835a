//! Handwritten digits: latent codes of test images, decoded by three decoders of equal width.
//!
//! The network and its data come from `models/digits`; the build script turns `model.json` into the static layers below.

use crate::Board;
use crate::report::{Report, send};
use upconv::{Bound, Error, Layer};

mod model {
    include!(concat!(env!("OUT_DIR"), "/digits.rs"));
}

pub use model::DECODERS;

/// Height and width of a picture.
pub const SIDE: usize = 28;
/// Latent codes, with a test image each.
pub const SAMPLES: usize = model::SAMPLES;

/// A chain of layers from a latent code to a picture, weights and all in flash.
pub struct Decoder {
    /// Its name in the model.
    pub name: &'static str,
    /// Its layers in order. Where shapes differ but lengths agree, the tensor is read in its new shape.
    pub layers: &'static [&'static (dyn Layer<i8> + Sync)],
    flash: usize,
}

impl Decoder {
    /// Multiply-accumulates for one picture.
    pub fn macs(&self) -> u64 {
        self.layers.iter().map(|l| l.macs()).sum()
    }

    /// Bytes of weights, biases and multipliers.
    pub fn flash(&self) -> usize {
        self.flash
    }

    /// Bytes of the activations that live at once: input and output of a layer, but of the last one a single row.
    pub fn activations(&self) -> usize {
        let inner = self.layers.iter().skip(1);
        inner
            .map(|l| l.input().len() + if l.output().len() == SIDE * SIDE { SIDE } else { l.output().len() })
            .max()
            .unwrap_or(0)
    }

    /// Decodes one latent code and hands each row of the picture to `sink`. `memory` holds all but the code, [`activations`](Self::activations) long.
    ///
    /// # Errors
    /// What [`Bound`] refuses: a code or memory of the wrong length.
    pub fn decode(&self, code: &[i8], memory: &mut [i8], mut sink: impl FnMut(usize, &[i8])) -> Result<(), Error> {
        let Some((last, inner)) = self.layers.split_last() else { return Ok(()) };
        if memory.len() != self.activations() {
            return Err(Error::Length { what: "the activations", got: memory.len(), need: self.activations() });
        }
        // Tensors lie at the front and at the back of the memory by turns.
        let (mut len, mut at_front) = (0, false);
        for (i, layer) in inner.iter().enumerate() {
            let (x, free) = split(memory, len, at_front);
            len = layer.output().len();
            let start = if at_front { free.len() - len } else { 0 };
            Bound::whole(*layer, if i == 0 { code } else { x }, &mut free[start..][..len])?.run();
            at_front = !at_front;
        }
        let (x, free) = split(memory, len, at_front);
        let mut rows = Bound::rows(*last, x, &mut free[..last.output().row_len()])?;
        let mut y = 0;
        while let Some(row) = rows.next_row() {
            sink(y, row);
            y += 1;
        }
        Ok(())
    }
}

/// The tensor of `len` values at the front or the back, and the rest.
fn split(memory: &mut [i8], len: usize, at_front: bool) -> (&[i8], &mut [i8]) {
    if at_front {
        let (x, free) = memory.split_at_mut(len);
        (x, free)
    } else {
        let (free, x) = memory.split_at_mut(memory.len() - len);
        (x, free)
    }
}

/// The latent codes, [`SAMPLES`] times the length of a code.
pub fn codes() -> &'static [i8] {
    &model::CODES
}

/// The test images, [`SAMPLES`] x 28 x 28 grey values.
pub fn images() -> &'static [u8] {
    model::IMAGES
}

/// The digit that each test image shows.
pub fn labels() -> &'static [u8] {
    model::LABELS
}

/// Decodes every code with every decoder and reports rows and figures.
pub fn run(board: &mut impl Board) {
    let mut memory = [0; model::ACTIVATIONS];
    for (decoder, d) in DECODERS.iter().enumerate() {
        let (decoder, activations) = (decoder as u8, d.activations());
        let (mut instructions, mut stack) = (0, 0);
        for (sample, code) in codes().chunks_exact(model::LATENT).enumerate() {
            board.paint_stack();
            let mut start = board.instructions();
            let decoded = d.decode(code, &mut memory[..activations], |row, data| {
                instructions += board.instructions() - start;
                let mut bytes = [0; SIDE];
                bytes.iter_mut().zip(data).for_each(|(b, v)| *b = *v as u8);
                send(board, &Report::Row { decoder, sample: sample as u8, row: row as u8, data: &bytes });
                start = board.instructions();
            });
            if let Err(e) = decoded {
                panic!("decoder {}: {}", d.name, e.message().as_str());
            }
            stack = stack.max(board.stack_peak().saturating_sub(model::ACTIVATIONS));
        }
        send(
            board,
            &Report::Decoded {
                decoder,
                instructions: instructions / SAMPLES as u64,
                activations: activations as u32,
                stack: stack as u32,
            },
        );
    }
    send(board, &Report::Done);
}
