//! Espressif ESP32-C3, an RV32IMC core at 160 MHz.

#![no_std]
#![no_main]

use esp_hal::clock::CpuClock;
use esp_hal::time::Instant;
use esp_hal::uart::UartTx;
use firmware::rt::{Counter, Io, run};
use firmware::{bench, bigpicture, digits, ecg, nuclei, suite};

esp_bootloader_esp_idf::esp_app_desc!();

#[esp_hal::main]
fn main() -> ! {
    let device = esp_hal::init(esp_hal::Config::default().with_cpu_clock(CpuClock::_160MHz));
    // To the board's USB bridge.
    let uart = UartTx::new(device.UART0, Default::default()).unwrap().with_tx(device.GPIO21);
    run::<_, _, _, 0>(
        "esp32c3",
        Io(uart),
        SystemTimer,
        (),
        &[
            ("digits", digits::run),
            ("nuclei", nuclei::run),
            ("ecg", ecg::run),
            ("bigpicture", bigpicture::run),
            ("suite", suite::run),
            ("bench", bench::run),
        ],
    )
}

/// Cycles of 160 MHz by the system timer, in steps of a microsecond: this core has no `mcycle`.
struct SystemTimer;

impl Counter for SystemTimer {
    fn count(&mut self) -> u64 {
        Instant::now().duration_since_epoch().as_micros() * 160
    }
}
