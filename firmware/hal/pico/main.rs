//! Raspberry Pi Pico, the first of its two Cortex-M0+ cores at 125 MHz (RP2040).

#![no_std]
#![no_main]

use firmware::rt::{Io, Lit, PinState, Uart};
use rp2040_hal::clocks::init_clocks_and_plls;
use rp2040_hal::fugit::RateExtU32;
use rp2040_hal::gpio::Pins;
use rp2040_hal::uart::{DataBits, StopBits, UartConfig, UartPeripheral};
use rp2040_hal::{Clock, Sio, Watchdog, pac};

/// Where the chip's ROM leaves off: sets up the flash.
#[unsafe(link_section = ".boot2")]
#[used]
static BOOT2: [u8; 256] = rp2040_boot2::BOOT_LOADER_W25Q080;

// The HAL crate's entry frees the spinlocks, which a reset of the cores alone leaves taken.
firmware::board!(rp2040_hal::entry => uart(), SysTick::new(125), [digits, nuclei, ecg, bigpicture, suite, bench], 64, ());

/// The board's crystal.
const CRYSTAL: u32 = 12_000_000;

/// UART0 on pins 1 and 2, for a debug probe or an adapter to USB, and the LED.
fn uart() -> impl Uart {
    let device = pac::Peripherals::take().unwrap();
    let mut resets = device.RESETS;
    let mut watchdog = Watchdog::new(device.WATCHDOG);
    let (xosc, clocks) = (device.XOSC, device.CLOCKS);
    let (system, usb) = (device.PLL_SYS, device.PLL_USB);
    let clocks = init_clocks_and_plls(CRYSTAL, xosc, clocks, system, usb, &mut resets, &mut watchdog).ok().unwrap();
    let pins = Pins::new(device.IO_BANK0, device.PADS_BANK0, Sio::new(device.SIO).gpio_bank0, &mut resets);
    let uart = UartPeripheral::new(device.UART0, (pins.gpio0.into_function(), pins.gpio1.into_function()), &mut resets);
    let format = UartConfig::new(115_200.Hz(), DataBits::Eight, None, StopBits::One);
    let uart = Io(uart.enable(format, clocks.peripheral_clock.freq()).unwrap());
    Lit { uart, led: pins.gpio25.into_push_pull_output(), on: PinState::High }
}
