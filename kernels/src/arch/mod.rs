//! The inner loops, and who replaces which on what core.
//!
//! | loop  | portable     |
//! |-------|--------------|
//! | `mac` | every target |

mod portable;

pub(crate) use portable::{BLOCK, mac};
