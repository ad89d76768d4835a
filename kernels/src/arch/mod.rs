//! The inner loops, and who replaces which on what core.
//!
//! | loop                           | portable     | quad: Cortex-M0, M3, RV32IM; with DSP instructions M4, M7, M33 |
//! |--------------------------------|--------------|----------------------------------------------------------------|
//! | `Job::mac`, `finish`, `groups` | every target | int8 and int16 weights, i32 sums                               |

mod portable;
#[cfg(any(not(upconv_backend = "portable"), test))]
#[cfg_attr(upconv_backend = "portable", allow(dead_code))]
#[allow(unsafe_code)]
mod quad;

#[cfg(upconv_backend = "portable")]
use portable as chosen;
#[cfg(not(upconv_backend = "portable"))]
use quad as chosen;

pub(crate) use chosen::{BLOCK, CHUNK, Job, PIXELS, Patch, SUMS};
pub(crate) use portable::{Block, Pixels, Run};
