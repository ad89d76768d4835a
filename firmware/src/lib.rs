//! Demos and tests that run on a board: written once, against the [`Board`] trait, and run on the host too.

#![cfg_attr(target_os = "none", no_std)]

pub mod bench;
pub mod chain;
pub mod console;
pub mod display;
pub mod live;
pub mod networks;
pub mod report;
#[cfg(all(target_os = "none", any(feature = "semihosting", feature = "rtt")))]
pub mod rt;
pub mod ssd0323;
#[cfg(not(target_os = "none"))]
mod stub;
pub mod suite;

pub use networks::{bigpicture, bigpicture_shown, bigpicture16, digits, digits_shown, ecg, nuclei, nuclei_shown};
#[cfg(not(target_os = "none"))]
pub use stub::stub;

use display::Part;

/// What a demo needs of a board.
pub trait Board {
    /// Hands over each argument of the program in its turn.
    fn arguments(&mut self, each: impl FnMut(&mut Self, &str));

    /// Sends bytes to the host, waiting until the last one has left.
    fn send(&mut self, bytes: &[u8]);

    /// Instructions executed since some moment before `main`; 0 where nothing counts them.
    fn instructions(&mut self) -> u64;

    /// Marks the free part of the stack as unused.
    fn paint_stack(&mut self);

    /// The most bytes of stack in use at once since [`paint_stack`](Self::paint_stack); 0 where nothing measures them.
    fn stack_peak(&mut self) -> usize;

    /// Bytes of RAM that statics take; 0 where nothing measures them.
    fn statics(&mut self) -> usize;

    /// A byte from the host, if one has come.
    fn receive(&mut self) -> Option<u8> {
        None
    }

    /// Shows a row of levels on its display, if it has one.
    fn show(&mut self, _part: Part, _y: usize, _levels: &[u8]) {}

    /// Whether its button is held down, if it has one.
    fn pressed(&mut self) -> bool {
        false
    }
}
