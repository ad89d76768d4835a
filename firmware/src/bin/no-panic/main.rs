//! The proof that the kernels cannot panic: this links if and only if no panic can be reached from anything that
//! the crate does at run time, whatever its input. `panics` is the red control.
//!
//! When it does not link, define the missing symbol and look who calls `core::panicking` in the disassembly:
//! `cargo rustc --release -p firmware --bin no-panic --target thumbv7em-none-eabihf -- -C link-arg=--defsym=a_panic_can_be_reached=0`

#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod api;
#[cfg(target_os = "none")]
mod handler;

#[cfg(not(target_os = "none"))]
fn main() -> std::process::ExitCode {
    firmware::stub()
}
