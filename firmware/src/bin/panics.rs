//! The red control of `no-panic`: one panic can be reached, so this must fail to link for want of `a_panic_can_be_reached`.

#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
#[path = "no-panic/handler.rs"]
mod handler;

/// The linker starts here; nothing ever runs.
#[cfg(target_os = "none")]
#[unsafe(no_mangle)]
extern "C" fn _start() -> u8 {
    use core::hint::black_box;
    [1, 2, 3][black_box(3)]
}

#[cfg(not(target_os = "none"))]
fn main() -> std::process::ExitCode {
    firmware::stub()
}
