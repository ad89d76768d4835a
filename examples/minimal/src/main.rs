//! The least program: a transposed convolution, planned and packed by the compiler, whose output goes to a UART. It needs no heap and no other crate than
//! the one that starts the core.

#![no_std]
#![no_main]

#[cfg(target_arch = "arm")]
use cortex_m_rt::entry;
#[cfg(target_arch = "riscv32")]
use riscv_rt::entry;
use upconv::*;

const PLAN: Plan = must!(ConvTranspose::plan(Shape::new(2, 2, 1), 1, Geometry::square(2).stride(2, 2)));
static WEIGHTS: [i8; 4] = must!(PLAN.pack(&[1, 2, 3, 4], WeightOrder::Torch));
static SCALES: [Multiplier; 1] = must!(Multiplier::per_channel(0.5, &[1.0], 0.5));
static UP: Convolution<i8> = must!(Weights { packed: &WEIGHTS, bias: &[0i32] }.layer(
    &PLAN,
    Quantization {
        x: Quant::new(0.5, 0),
        y: Quant::new(0.5, 0),
        multipliers: &SCALES,
        activation: Activation::Relu,
        rounding: Rounding::TfliteDouble,
    },
));

#[entry]
fn main() -> ! {
    let mut row = [0; 4];
    if let Ok(mut rows) = Bound::rows(&UP, &[1, 2, -3, 4], &mut row) {
        while let Some(row) = rows.next_row() {
            row.iter().for_each(|v| [b'0' + *v as u8 / 10, b'0' + *v as u8 % 10, b' '].into_iter().for_each(send));
        }
    }
    send(b'\n');
    loop {
        core::hint::spin_loop();
    }
}

/// The emulated boards' UART, which takes a byte at any time: that of mps2, or of virt.
fn send(byte: u8) {
    const UART: usize = if cfg!(target_arch = "arm") { 0x4000_4000 } else { 0x1000_0000 };
    if cfg!(target_arch = "arm") {
        // SAFETY: the register that switches the sender on.
        unsafe { ((UART + 8) as *mut u32).write_volatile(1) };
    }
    // SAFETY: the register that takes a byte.
    unsafe { (UART as *mut u8).write_volatile(byte) };
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}
