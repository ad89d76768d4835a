//! upconv for C: objects in the caller's memory, status codes, no allocation, no panic, no global state.
//!
//! `include/upconv.h` is made from this source by `cargo xtask c header` and says the same in C's words. Layers are planned by `layer`,
//! chained by `decoder`; `edge` turns what C hands over into references, or into a refusal.
//!
//! The panic handler calls a function that does not exist, so a program links only if no panic can be reached in what it calls: build with `--release`.

#![cfg_attr(target_os = "none", no_std)]
// The names are C's, and what C has to keep is said in each function's own text, which is the header's.
#![allow(non_camel_case_types, clippy::missing_safety_doc)]
// What stands in brackets there is an index in C.
#![allow(rustdoc::broken_intra_doc_links)]

mod decoder;
mod edge;
mod layer;
mod numbers;

pub use decoder::*;
pub use edge::{UPCONV_MESSAGE, upconv_status, upconv_status_name};
pub use layer::*;
pub use numbers::*;

/// The version that this header is of: major * 10000 + minor * 100 + patch.
pub const UPCONV_VERSION: u32 = 100;

const _: () = {
    const fn number(digits: &str) -> u32 {
        match u32::from_str_radix(digits, 10) {
            Ok(number) => number,
            Err(_) => panic!("a version is numbers"),
        }
    }
    let (major, minor) = (number(env!("CARGO_PKG_VERSION_MAJOR")), number(env!("CARGO_PKG_VERSION_MINOR")));
    assert!(UPCONV_VERSION == major * 10_000 + minor * 100 + number(env!("CARGO_PKG_VERSION_PATCH")));
};

/// The version of the library; a program that was compiled with another header finds another UPCONV_VERSION.
#[unsafe(no_mangle)]
pub extern "C" fn upconv_version() -> u32 {
    UPCONV_VERSION
}

#[cfg(target_os = "none")]
mod handler {
    unsafe extern "C" {
        safe fn a_panic_can_be_reached() -> !;
    }

    #[panic_handler]
    fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
        a_panic_can_be_reached()
    }
}

/// The red control of the proof that nothing here panics: `--cfg upconv_red` adds it, and then what calls it must not link.
#[cfg(upconv_red)]
#[unsafe(no_mangle)]
pub extern "C" fn upconv_red(i: usize) -> u8 {
    [1, 2, 3][i]
}
