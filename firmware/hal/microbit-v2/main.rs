//! BBC micro:bit v2, a Cortex-M4F at 64 MHz (nRF52833).

#![no_std]
#![no_main]

use cortex_m::singleton;
use firmware::rt::{Io, Lit, PinState, Uart};
use microbit::hal::clocks::Clocks;
use microbit::hal::uarte::{Baudrate, Parity, Uarte};
use microbit::{Board, hal::gpio::Level};

firmware::board!(uart(), CycleCounter::new(), [digits, nuclei, ecg, bigpicture, suite, bench]);

/// The one that the board's debugger chip passes on by USB, and the first LED of the first row, whose column is always low.
fn uart() -> impl Uart {
    let board = Board::take().unwrap();
    Clocks::new(board.CLOCK).enable_ext_hfosc();
    let uart = Uarte::new(board.UARTE0, board.uart.into(), Parity::EXCLUDED, Baudrate::BAUD115200);
    // The driver takes only writes that fill its buffer, and they come byte by byte.
    let (byte, unused) = (singleton!(: [u8; 1] = [0]).unwrap(), singleton!(: [u8; 1] = [0]).unwrap());
    let (tx, _) = uart.split(byte, unused).unwrap();
    let pins = board.display_pins;
    pins.col1.into_push_pull_output(Level::Low);
    Lit { uart: Io(tx), led: pins.row1.into_push_pull_output(Level::Low), on: PinState::High }
}
