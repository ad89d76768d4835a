//! The inner loops, and who replaces which on what core.
//!
//! | loop                                  | portable     | quad: Cortex-M0, M3, RV32IM; with DSP instructions M4, M7, M33 | mve: Cortex-M55, M85         |
//! |---------------------------------------|--------------|----------------------------------------------------------------|------------------------------|
//! | `Job::groups`: four pixels and more   | every target | int8 and int16 weights, i32 sums                               | the same, with int16 outputs |
//! | `Job::row`: all of a row, any border  | -            | -                                                              | the same, with int16 outputs |
//! | `few`: the same of few channels       | -            | int8 inputs, weights and outputs, i32 sums                     | int8 or int16 weights        |
//! | `points`: 16 values of a single tap   | -            | DSP: the same, all channels                                    | -                            |
//! | `lines`: alike phases, few values     | -            | int8 inputs and outputs, i32 sums                              | -                            |
//! | `Job::pixel`: one, its taps may be cut | every target | the same                                                       | the same                     |
//! | `alone`: one that is a row             | every target | the same                                                       | the same                     |
//!
//! | loop                          | every target        | replaced                                                     |
//! |-------------------------------|---------------------|--------------------------------------------------------------|
//! | `blend`: bilinear rows        | four int8 in a word | 2x and any ratio: dsp; 2x, eight at a time: mve              |
//! | `depth`: depthwise sums       | four pixels         | int8 weights, i32 sums: Armv6-M, Armv7-M and up, RV32IM      |
//! | `vectors`: depthwise outputs  | -                   | int8 weights, i32 sums: mve, sixteen channels                |
//! | `Places`: a row of one pixel  | -                   | the same: mve, four channels                                 |
//! | `columns`: shared by outputs  | strips of four      | int8, 2x and three columns: mve                              |
//! | `copy`: pixels                | blocks in Rust      | LDM and STM, or words or bytes anywhere: every Cortex-M; runs, and bytes: RV32IM |

#[allow(unsafe_code)]
pub(crate) mod blend;
#[allow(unsafe_code)]
mod blend_dsp;
#[allow(unsafe_code)]
mod blend_mve;
#[allow(unsafe_code)]
pub(crate) mod copy;
#[allow(unsafe_code)]
pub(crate) mod depth;
// A backend that is not chosen is compiled for its tests, or for what it lends to the chosen one.
#[cfg(any(upconv_backend = "mve", test))]
#[cfg_attr(not(upconv_backend = "mve"), allow(dead_code))]
#[allow(unsafe_code)]
mod mve;
#[cfg(any(not(upconv_backend = "portable"), test))]
mod pieces;
#[cfg_attr(not(upconv_backend = "portable"), allow(dead_code))]
mod portable;
pub(crate) mod strip;
// What differs between the cores of `quad`: tests beside another backend, such as a host's, have Cortex-M4's.
#[cfg(any(not(any(upconv_backend = "portable", upconv_backend = "mve")), test))]
#[cfg_attr(any(upconv_backend = "portable", upconv_backend = "mve"), allow(dead_code))]
#[allow(unsafe_code)]
#[cfg_attr(upconv_backend = "armv6m", path = "quad/armv6m.rs")]
#[cfg_attr(upconv_backend = "armv7m", path = "quad/armv7m.rs")]
#[cfg_attr(upconv_backend = "riscv", path = "quad/riscv.rs")]
#[cfg_attr(
    not(any(upconv_backend = "armv6m", upconv_backend = "armv7m", upconv_backend = "riscv")),
    path = "quad/dsp.rs"
)]
mod isa;
#[cfg(any(not(any(upconv_backend = "portable", upconv_backend = "mve")), test))]
#[cfg_attr(any(upconv_backend = "portable", upconv_backend = "mve"), allow(dead_code))]
#[allow(unsafe_code)]
mod quad;
#[cfg(test)]
pub(crate) mod testing;

/// `quad` with its tests once more for each of the other cores.
#[cfg(all(test, not(target_os = "none")))]
#[allow(clippy::duplicate_mod, dead_code, unsafe_code, unused_imports)]
#[path = "."]
mod models {
    #[path = "quad"]
    mod armv6m {
        #[path = "armv6m.rs"]
        mod isa;
        #[path = "mod.rs"]
        mod quad;
    }
    #[path = "quad"]
    mod armv7m {
        #[path = "armv7m.rs"]
        mod isa;
        #[path = "mod.rs"]
        mod quad;
    }
    #[path = "quad"]
    mod riscv {
        #[path = "riscv.rs"]
        mod isa;
        #[path = "mod.rs"]
        mod quad;
    }
}

#[cfg(upconv_backend = "mve")]
use mve as chosen;
#[cfg(upconv_backend = "portable")]
use portable as chosen;
#[cfg(not(any(upconv_backend = "portable", upconv_backend = "mve")))]
use quad as chosen;

pub(crate) use chosen::{ALIKE, BLOCK, DIRECT, FEW, Job, PIXELS, Patch, SHIFT, SMALL, SUMS, alone, few};
#[cfg(upconv_backend = "mve")]
pub(crate) use mve::{depth as vectors, places::Places, strip as columns};
pub(crate) use portable::{Block, Pixel, Pixels, Run, groups};
#[cfg(any(upconv_backend = "portable", upconv_backend = "mve"))]
pub(crate) use portable::{LINES, lines};
#[cfg(not(any(upconv_backend = "portable", upconv_backend = "mve")))]
pub(crate) use quad::{LINES, lines};
#[cfg(not(upconv_backend = "mve"))]
pub(crate) use strip as columns;

/// Tap rows of a kernel that is run four pixels at a time, or whose inputs are read where they are.
pub(crate) const TAP_ROWS: usize = 8;

/// What takes a row of few channels; inputs and outputs are bytes, sums have 32 bits.
#[derive(Clone, Copy)]
pub(crate) struct Few {
    /// Up to so many channels, of fewer than so many values of a pixel, with weights of up to so many bytes.
    pub(crate) channels: usize,
    pub(crate) values: usize,
    pub(crate) weight: usize,
    /// Σ w of so many vectors of packed weights is asked for.
    pub(crate) totals: usize,
    /// Whether it takes what is left of many channels, too.
    pub(crate) left: bool,
    /// It takes any channels of pixels of so many values, a single tap inside the input, which stay in registers; 0 where it does not.
    pub(crate) points: usize,
}

/// Whether there are the DSP instructions of Armv7E-M and Armv8-M.
const DSP: bool = cfg!(any(upconv_backend = "dsp", upconv_backend = "mve"));
/// Whether there is Helium.
const VECTORS: bool = cfg!(upconv_backend = "mve");
/// Whether words may lie anywhere: on all cores but Armv6-M's and RISC-V's.
const UNALIGNED: bool = cfg!(any(upconv_backend = "armv7m", upconv_backend = "dsp", upconv_backend = "mve"));

/// Nothing: but a loop with assembly in it is neither unrolled nor made a call of `memcpy`.
#[inline(always)]
#[allow(unsafe_code)]
pub(crate) fn small() {
    // SAFETY: there is no instruction.
    #[cfg(target_os = "none")]
    unsafe {
        core::arch::asm!("", options(nostack, preserves_flags));
    }
}

/// The same, of which nothing is known: what a loop reads of it is not read beforehand, and kept on the stack.
#[inline(always)]
#[allow(unsafe_code, clippy::pointers_in_nomem_asm_block)] // it passes through
pub(crate) fn anew<T>(x: &T) -> &T {
    #[cfg(target_os = "none")]
    let x = {
        let mut at = core::ptr::from_ref(x);
        // SAFETY: there is no instruction.
        unsafe { core::arch::asm!("/* {} */", inout(reg) at, options(nomem, nostack, preserves_flags)) };
        // SAFETY: it is what it was.
        unsafe { &*at }
    };
    x
}
