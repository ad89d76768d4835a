//! Arm MPS2 with the AN386 image, a Cortex-M4F, as QEMU emulates it.

#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod board;

#[cfg(not(target_os = "none"))]
fn main() -> std::process::ExitCode {
    firmware::stub()
}
