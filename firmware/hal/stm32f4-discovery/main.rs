//! ST STM32F4 Discovery, a Cortex-M4F at 168 MHz (STM32F407).

#![no_std]
#![no_main]

use firmware::rt::{Lit, Nb, PinState, Uart};
use stm32f4xx_hal::prelude::*;
use stm32f4xx_hal::rcc::Config;
use stm32f4xx_hal::{pac, serial::Tx};

firmware::board!(uart(), CycleCounter::new(), [digits, nuclei, ecg, bigpicture, suite, bench]);

/// USART2 on PA2, for an adapter to USB, and the green LED.
fn uart() -> impl Uart {
    let device = pac::Peripherals::take().unwrap();
    let mut rcc = device.RCC.freeze(Config::hse(8.MHz()).sysclk(168.MHz()));
    let (a, d) = (device.GPIOA.split(&mut rcc), device.GPIOD.split(&mut rcc));
    let tx: Tx<pac::USART2> = device.USART2.tx(a.pa2, 115_200.bps(), &mut rcc).unwrap();
    Lit { uart: Nb(tx), led: d.pd12.into_push_pull_output(), on: PinState::High }
}
