//! BBC micro:bit v1, a Cortex-M0 (nRF51822).

#![no_std]
#![no_main]

use firmware::rt::{Io, Uart};
use microbit::Peripherals;
use microbit::hal::gpio::{Level, p0};
use microbit::hal::uart::{self, Baudrate, Parity};

firmware::board!(uart(), SysTick::new(16), [digits, nuclei, ecg, bigpicture, suite], 20);

/// The one that the board's debugger chip passes on by USB.
fn uart() -> impl Uart {
    let device = Peripherals::take().unwrap();
    let pins = p0::Parts::new(device.GPIO);
    let pins = uart::Pins {
        txd: pins.p0_24.into_push_pull_output(Level::High).degrade(),
        rxd: pins.p0_25.into_floating_input().degrade(),
        cts: None,
        rts: None,
    };
    let uart = uart::Uart::new(device.UART0, pins, Parity::EXCLUDED, Baudrate::BAUD115200);
    // The driver waits for the end of a byte before it sends the next, and its own first one comes too early for the emulator.
    // SAFETY: an event, which only that driver looks at.
    unsafe { (*microbit::pac::UART0::ptr()).events_txdrdy.write(|w| w.bits(1)) };
    Io(uart)
}
