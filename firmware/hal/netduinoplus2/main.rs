//! Netduino Plus 2, a Cortex-M4F (STM32F405).

#![no_std]
#![no_main]

use firmware::rt::{Halves, Nb, Uart};
use stm32f4xx_hal::prelude::*;
use stm32f4xx_hal::rcc::Config;
use stm32f4xx_hal::{pac, serial::Serial};

firmware::board!(uart(), SysTick::new(168), [digits, nuclei, ecg, bigpicture, bigpicture16, live, suite, bench]);

/// USART1 on PA9 and PA10; the clock is the internal oscillator's, for the emulator has no other.
fn uart() -> impl Uart {
    let device = pac::Peripherals::take().unwrap();
    let mut rcc = device.RCC.freeze(Config::hsi());
    let pins = device.GPIOA.split(&mut rcc);
    let serial: Serial<pac::USART1> = device.USART1.serial((pins.pa9, pins.pa10), 115_200.bps(), &mut rcc).unwrap();
    let (tx, rx) = serial.split();
    Halves { send: Nb(tx), receive: rx }
}
