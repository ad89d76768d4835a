//! The proof that the kernels cannot panic: this links if and only if no panic can be reached from anything that
//! the crate does at run time, whatever its input. `panics` is the red control.

#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod api;
#[cfg(target_os = "none")]
mod handler;

#[cfg(not(target_os = "none"))]
fn main() -> std::process::ExitCode {
    firmware::stub()
}
