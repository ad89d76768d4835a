//! BBC micro:bit v1, a Cortex-M0 (nRF51822), with its 5x5 LEDs and button A.

#![no_std]
#![no_main]

use embedded_hal::digital::InputPin;
use firmware::display::{Leds, Panel, Part};
use firmware::rt::{Duplex, SysTick, run};
use firmware::{bench, bigpicture, digits, ecg, live, nuclei, suite};
use microbit::board::Board;
use microbit::display::blocking::Display;
use microbit::gpio::BTN_A;
use microbit::hal::timer::Timer;
use microbit::hal::uart::{Baudrate, Parity, Uart};
use microbit::pac::{TIMER0, UART0};

#[cortex_m_rt::entry]
fn main() -> ! {
    let board = Board::take().unwrap();
    // The one that the board's debugger chip passes on by USB.
    let uart = Uart::new(board.UART0, board.uart.into(), Parity::EXCLUDED, Baudrate::BAUD115200);
    // The driver waits for the end of a byte before it sends the next, and its own first one comes too early for the emulator.
    // SAFETY: an event, which only that driver looks at.
    unsafe { (*UART0::ptr()).events_txdrdy.write(|w| w.bits(1)) };
    let mut display = Display::new(board.display_pins);
    display.set_delay_ms(1);
    let matrix =
        Matrix { leds: Leds::default(), display, timer: Timer::new(board.TIMER0), button: board.buttons.button_a };
    run::<_, _, _, 24>(
        "microbit",
        Duplex(uart),
        SysTick::new(16),
        matrix,
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

/// The LEDs and the button.
struct Matrix {
    leds: Leds,
    display: Display,
    timer: Timer<TIMER0>,
    button: BTN_A,
}

impl Panel for Matrix {
    /// A picture stays for some 30 ms: nine times 3 ms, a LED lit in as many of them as its brightness says.
    fn show(&mut self, part: Part, y: usize, levels: &[u8]) {
        self.leds.row(part.shape, y, levels);
        if y + 1 == part.shape.h {
            let levels = self.leds.levels();
            for brightness in 0..9 {
                let lit = levels.map(|row| row.map(|level| u8::from(level > brightness)));
                self.display.show(&mut self.timer, lit, 3);
            }
        }
    }

    fn pressed(&mut self) -> bool {
        self.button.is_low().unwrap_or(false)
    }
}
