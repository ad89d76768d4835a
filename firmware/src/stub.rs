//! What a board's binary is on a host: a sentence, so that everything builds without a target installed.

use std::process::ExitCode;

/// The stub in a board's place; on a target the macro of this name makes the board.
#[macro_export]
macro_rules! board {
    ($($parts:tt)*) => {
        fn main() -> std::process::ExitCode {
            $crate::stub()
        }
    };
}

/// Says where the binary belongs, and fails.
pub fn stub() -> ExitCode {
    eprintln!("This program runs on a microcontroller; `cargo xtask demo` builds it for its board and runs it.");
    ExitCode::FAILURE
}
