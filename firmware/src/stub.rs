//! What a board's binary is on a host: a sentence, so that everything builds without a target installed.

use std::process::ExitCode;

/// Says where the binary belongs, and fails.
pub fn stub() -> ExitCode {
    eprintln!("This program runs on a microcontroller; `cargo xtask demo` builds it for its board and runs it.");
    ExitCode::FAILURE
}
