//! Nordic nRF52840-DK, a Cortex-M4F at 64 MHz.

#![no_std]
#![no_main]

use cortex_m::singleton;
use firmware::rt::{Io, Lit, PinState, Uart};
use nrf52840_hal::clocks::Clocks;
use nrf52840_hal::gpio::{Level, p0};
use nrf52840_hal::pac::Peripherals;
use nrf52840_hal::uarte::{Baudrate, Parity, Pins, Uarte};

firmware::board!(uart(), CycleCounter::new(), [digits, nuclei, ecg, bigpicture, suite, bench]);

/// The one that the board's debugger chip passes on by USB, and LED 1.
fn uart() -> impl Uart {
    let device = Peripherals::take().unwrap();
    Clocks::new(device.CLOCK).enable_ext_hfosc();
    let gpio = p0::Parts::new(device.P0);
    let pins = Pins {
        txd: gpio.p0_06.into_push_pull_output(Level::High).degrade(),
        rxd: gpio.p0_08.into_floating_input().degrade(),
        cts: None,
        rts: None,
    };
    let uart = Uarte::new(device.UARTE0, pins, Parity::EXCLUDED, Baudrate::BAUD115200);
    // The driver takes only writes that fill its buffer, and they come byte by byte.
    let (byte, unused) = (singleton!(: [u8; 1] = [0]).unwrap(), singleton!(: [u8; 1] = [0]).unwrap());
    let (tx, _) = uart.split(byte, unused).unwrap();
    Lit { uart: Io(tx), led: gpio.p0_13.into_push_pull_output(Level::High), on: PinState::Low }
}
