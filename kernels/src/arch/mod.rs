//! The inner loops, and who replaces which on what core.
//!
//! | loop                 | portable     | dsp: Cortex-M4, M7, M33          |
//! |----------------------|--------------|----------------------------------|
//! | `Patch::fill`        | every target | int8 inputs, four at a time      |
//! | `Job::mac`, `finish` | every target | int8 and int16 weights, i32 sums |

#[cfg(any(upconv_backend = "dsp", test))]
#[cfg_attr(not(upconv_backend = "dsp"), allow(dead_code))]
#[allow(unsafe_code)]
mod dsp;
#[cfg_attr(upconv_backend = "dsp", allow(dead_code))]
mod portable;

#[cfg(upconv_backend = "dsp")]
use dsp as chosen;
#[cfg(upconv_backend = "portable")]
use portable as chosen;

pub(crate) use chosen::{BLOCK, CHUNK, Job, Patch, SUMS};
pub(crate) use portable::{Block, Pairs, Run};
