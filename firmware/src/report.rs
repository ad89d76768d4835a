//! What a board tells the host: messages in postcard's format, framed by COBS, one after the other on one line.

use crate::Board;
use crate::bench::Cost;
use crate::console::Refusal;
use serde::{Deserialize, Serialize};

/// One message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Report<'a> {
    /// More values of a network's output.
    Output {
        /// Index of the network.
        network: u8,
        /// Index of the input.
        sample: u8,
        /// Raw values, little-endian.
        data: &'a [u8],
    },
    /// All inputs of a network are through.
    Decoded {
        /// Index of the network.
        network: u8,
        /// Instructions for one input, sending not counted: the mean over all inputs.
        instructions: u64,
        /// Bytes of stack used at most, activations not counted.
        stack: u32,
        /// Bytes of RAM that statics take.
        statics: u32,
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
    /// The console listens.
    Ready,
    /// What the host said was understood.
    Accepted,
    /// What the host said was not.
    Rejected(Refusal),
    /// A picture is complete.
    Shown,
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
