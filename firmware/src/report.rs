//! What a board tells the host: messages in postcard's format, framed by COBS, one after the other on one line.

use crate::Board;
use crate::bench::Cost;
use serde::{Deserialize, Serialize};

/// One message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Report<'a> {
    /// A row of a decoded picture.
    Row {
        /// Index of the decoder.
        decoder: u8,
        /// Index of the latent code.
        sample: u8,
        /// Index of the row.
        row: u8,
        /// The row's raw int8 values, as bytes.
        data: &'a [u8],
    },
    /// All samples of a decoder are through.
    Decoded {
        /// Index of the decoder.
        decoder: u8,
        /// Instructions for one sample, sending not counted: the mean over all samples.
        instructions: u64,
        /// Bytes of all activations that live at once.
        activations: u32,
        /// Bytes of stack used at most.
        stack: u32,
    },
    /// A group of the kernels' test suite is through.
    Suite {
        /// What was tested.
        name: &'a str,
        /// Cases run.
        cases: u32,
        /// Cases whose bytes were not those of the exact integer model.
        failed: u32,
        /// A digest of all output bytes.
        digest: u32,
    },
    /// A layer was measured.
    Layer(Cost),
    /// A layer could not be.
    Refused {
        /// Why, in a sentence.
        why: &'a str,
    },
    /// Nothing follows.
    Done,
}

/// The longest encoded message that is ever sent, framing included.
pub const LONGEST: usize = 256;

/// Sends one message.
pub fn send(board: &mut impl Board, report: &Report<'_>) {
    let mut buffer = [0; LONGEST];
    match postcard::to_slice_cobs(report, &mut buffer) {
        Ok(frame) => board.send(frame),
        Err(_) => panic!("a report is longer than {LONGEST} bytes"),
    }
}
