//! The inner loops, and who replaces which on what core.
//!
//! | loop            | portable     | dsp: Cortex-M4, M7, M33 |
//! |-----------------|--------------|-------------------------|
//! | `mac`, `finish` | every target | int8 and int16 weights  |

#[cfg_attr(upconv_backend = "dsp", allow(dead_code))]
mod portable;

#[cfg(any())]
use dsp as chosen;
#[cfg(all())]
use portable as chosen;

pub(crate) use chosen::{BLOCK, CHUNK, Finish, PIXELS, Patch, SUMS, finish, mac};
pub(crate) use portable::{Run, subtract};
