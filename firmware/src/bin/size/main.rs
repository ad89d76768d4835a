//! One operator and nothing else, for `cargo xtask size`: which one says `--cfg operator="…"`, none without.
//!
//! The layer is made at compile time; the optimiser sees neither it nor the tensors, so that the code is the one for any shape. Nothing ever runs.

#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod layers;

/// The linker starts here.
#[cfg(target_os = "none")]
#[unsafe(no_mangle)]
extern "C" fn _start() {
    #[cfg(operator)]
    {
        use core::hint::black_box;
        let (mut x, mut y) = ([0; 64], [0; 64]);
        if let Ok(mut bound) = upconv::Bound::whole(black_box(layers::LAYER), black_box(&mut x), black_box(&mut y)) {
            bound.run();
        }
        black_box(&mut y);
    }
}

/// Never called: no panic can be reached.
#[cfg(target_os = "none")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[cfg(not(target_os = "none"))]
fn main() -> std::process::ExitCode {
    firmware::stub()
}
