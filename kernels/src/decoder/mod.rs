//! Decoders: layers and joins chained on static memory, each tensor a ring of just the rows that are still needed.
//!
//! A [`Decoder`] is a list of [`Node`]s: inputs, layers, joins, each naming the earlier nodes that it reads; the last one is the output. Rows
//! are made on demand: for its next row the output asks the nodes that it reads for theirs, down to one that has all it needs. That is
//! a loop over counters, not a recursion, and every row is computed once, whoever reads it.
//!
//! The plan plays this through with the rows' numbers alone. So it knows of each tensor how many rows lie between
//! the oldest one still read and the newest one, which is its ring, and from when to when it lives: tensors that never live at
//! once share memory. Where it saves memory a tensor is computed as a whole before anything reads it.

mod node;
mod plan;
mod run;

pub use node::Node;
pub use plan::Decoder;
pub use run::{BoundDecoder, Input, RowSink, RowSource, SendError};
