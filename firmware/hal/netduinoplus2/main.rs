//! Netduino Plus 2, a Cortex-M4F (STM32F405).

#![no_std]
#![no_main]

use firmware::rt::{Nb, Uart};
use stm32f4xx_hal::prelude::*;
use stm32f4xx_hal::rcc::Config;
use stm32f4xx_hal::{pac, serial::Tx};

firmware::board!(uart(), SysTick::new(168), [digits, nuclei, ecg, bigpicture, bigpicture16, suite]);

/// USART1 on PA9; the clock is the internal oscillator's, for the emulator has no other.
fn uart() -> impl Uart {
    let device = pac::Peripherals::take().unwrap();
    let mut rcc = device.RCC.freeze(Config::hsi());
    let pins = device.GPIOA.split(&mut rcc);
    let tx: Tx<pac::USART1> = device.USART1.tx(pins.pa9, 115_200.bps(), &mut rcc).unwrap();
    Nb(tx)
}
