//! SiFive HiFive1 rev. B, an RV32IMAC core (FE310-G002) at 64 MHz.

#![no_std]
#![no_main]

use firmware::rt::{Halves, HartCounter, Nb, Uart, run};
use firmware::{bench, bigpicture, digits, ecg, live, nuclei, suite};
use hifive1::hal::prelude::*;
use hifive1::hal::serial::Serial;
use hifive1::{clock, hal::DeviceResources, pin};

#[riscv_rt::entry]
fn main() -> ! {
    run::<_, _, _, 64>(
        "hifive1",
        uart(),
        HartCounter,
        (),
        &[
            ("digits", digits::run),
            ("nuclei", nuclei::run),
            ("ecg", ecg::run),
            ("bigpicture", bigpicture::run),
            ("live", live::run),
            ("suite", suite::run),
            ("bench", bench::run),
        ],
    )
}

/// The one that the board's debugger chip passes on by USB.
fn uart() -> impl Uart {
    let device = DeviceResources::take().unwrap();
    let clocks = clock::configure(device.peripherals.PRCI, device.peripherals.AONCLK, 64.mhz().into());
    let gpio = device.pins;
    let pins = (pin!(gpio, uart0_tx).into_iof0(), pin!(gpio, uart0_rx).into_iof0());
    let (tx, rx) = Serial::new(device.peripherals.UART0, pins, 115_200.bps(), clocks).split();
    Halves { send: Nb(tx), receive: rx }
}
