//! The Stellaris LM3S6965 evaluation board: its clock, and by its pins the UART, the OLED and the button.

use super::{Pl011, Register};
use crate::display::Face;
use crate::ssd0323::{Picture, Ssd0323};
use core::convert::Infallible;
use cortex_m::singleton;
use embedded_hal::digital::{ErrorType as PinError, InputPin, OutputPin};
use embedded_hal::spi::{ErrorType as SpiError, SpiBus};
use embedded_hal_bus::spi::{ExclusiveDevice, NoDelay};

/// The board.
pub struct Lm3s;

const RAW_INTERRUPTS: Register = Register(0x400F_E050);
const RAW_PLL_LOCKED: u32 = 1 << 6;
const CLOCK: Register = Register(0x400F_E060);
/// 200 MHz by 4 and in use.
const CLOCK_DIVISOR: u32 = (3 << 23) | (1 << 22);
/// The crystal has 8 MHz.
const CLOCK_CRYSTAL: u32 = 0xE << 6;
const CLOCK_BYPASS: u32 = 1 << 11;
const GATES_1: Register = Register(0x400F_E104);
const GATES_1_UART0: u32 = 1;
const GATES_1_SSI0: u32 = 1 << 4;
const GATES_2: Register = Register(0x400F_E108);
const GATES_2_PORTS_ACDF: u32 = 0b10_1101;

const PORT_A: usize = 0x4000_4000;
const PORT_C: usize = 0x4000_6000;
const PORT_D: usize = 0x4000_7000;
const PORT_F: usize = 0x4002_5000;
const SSI0: usize = 0x4000_8000;
const UART0: usize = 0x4000_C000;

/// The bus of the OLED, alone on it.
type Spi = ExclusiveDevice<Ssi, Pin, NoDelay>;

impl Lm3s {
    /// The core's clock.
    pub const MHZ: u64 = 50;

    /// Sets the clock, and its UART, which the board's USB plug leads to.
    pub fn uart() -> Pl011 {
        CLOCK.write(CLOCK_DIVISOR | CLOCK_CRYSTAL | CLOCK_BYPASS);
        while RAW_INTERRUPTS.read() & RAW_PLL_LOCKED == 0 {}
        CLOCK.write(CLOCK_DIVISOR | CLOCK_CRYSTAL);
        GATES_1.write(GATES_1.read() | GATES_1_UART0 | GATES_1_SSI0);
        GATES_2.write(GATES_2.read() | GATES_2_PORTS_ACDF);
        (0..=1).for_each(|pin| Pin::of_device(PORT_A, pin));
        Pl011::new(UART0, Self::MHZ as u32)
    }

    /// The OLED and the button «select»; after [`uart`](Self::uart).
    pub fn panel() -> Face<Ssd0323<'static, Spi, Pin>, Pin> {
        // The bus has a memory card too, which is not chosen.
        Pin::output(PORT_D, 0);
        let Ok(spi) = ExclusiveDevice::new_no_delay(Ssi::new(), Pin::output(PORT_A, 3));
        let picture = singleton!(: Picture = Picture::new()).expect("there is one panel");
        let Ok(display) = Ssd0323::new(spi, Pin::output(PORT_C, 7), picture);
        Face { display, button: Pin::input(PORT_F, 1) }
    }
}

/// A pin.
pub struct Pin {
    /// Its bit alone.
    value: Register,
    bit: u32,
}

impl Pin {
    fn new(port: usize, pin: u32) -> Self {
        // Of an access to the port's data the address chooses the bits.
        let pin = Pin { value: Register(port + (4 << pin)), bit: 1 << pin };
        pin.set(port + 0x51C);
        pin
    }

    fn set(&self, register: usize) {
        let register = Register(register);
        register.write(register.read() | self.bit);
    }

    fn of_device(port: usize, pin: u32) {
        Pin::new(port, pin).set(port + 0x420);
    }

    /// High at first.
    fn output(port: usize, pin: u32) -> Self {
        let pin = Pin::new(port, pin);
        pin.set(port + 0x400);
        pin.value.write(pin.bit);
        pin
    }

    /// Pulled up.
    fn input(port: usize, pin: u32) -> Self {
        let pin = Pin::new(port, pin);
        pin.set(port + 0x510);
        pin
    }
}

impl PinError for Pin {
    type Error = Infallible;
}

impl OutputPin for Pin {
    fn set_low(&mut self) -> Result<(), Infallible> {
        self.value.write(0);
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        self.value.write(self.bit);
        Ok(())
    }
}

impl InputPin for Pin {
    fn is_high(&mut self) -> Result<bool, Infallible> {
        Ok(self.value.read() != 0)
    }

    fn is_low(&mut self) -> Result<bool, Infallible> {
        Ok(self.value.read() == 0)
    }
}

/// Its synchronous port, a PL022.
pub struct Ssi {
    data: Register,
    state: Register,
}

impl Ssi {
    const STATE_TX_ROOM: u32 = 1 << 1;
    const STATE_RX_FULL: u32 = 1 << 2;
    const STATE_BUSY: u32 = 1 << 4;
    /// 8 bits, SPI mode 0.
    const CTRL0_8: u32 = 7;
    const CTRL1_ENABLE: u32 = 1 << 1;
    /// 5 MHz.
    const DIVISOR: u32 = 10;

    fn new() -> Self {
        [2, 4, 5].into_iter().for_each(|pin| Pin::of_device(PORT_A, pin));
        Register(SSI0 + 0x10).write(Self::DIVISOR);
        Register(SSI0).write(Self::CTRL0_8);
        Register(SSI0 + 0x04).write(Self::CTRL1_ENABLE);
        Ssi { data: Register(SSI0 + 0x08), state: Register(SSI0 + 0x0C) }
    }

    fn exchange(&mut self, byte: u8) -> u8 {
        while self.state.read() & Self::STATE_TX_ROOM == 0 {}
        self.data.write(byte.into());
        while self.state.read() & Self::STATE_RX_FULL == 0 {}
        self.data.read() as u8
    }
}

impl SpiError for Ssi {
    type Error = Infallible;
}

impl SpiBus for Ssi {
    fn read(&mut self, words: &mut [u8]) -> Result<(), Infallible> {
        words.iter_mut().for_each(|word| *word = self.exchange(0));
        Ok(())
    }

    fn write(&mut self, words: &[u8]) -> Result<(), Infallible> {
        words.iter().for_each(|word| _ = self.exchange(*word));
        Ok(())
    }

    fn transfer(&mut self, read: &mut [u8], write: &[u8]) -> Result<(), Infallible> {
        for i in 0..read.len().max(write.len()) {
            let word = self.exchange(write.get(i).copied().unwrap_or(0));
            if let Some(read) = read.get_mut(i) {
                *read = word;
            }
        }
        Ok(())
    }

    fn transfer_in_place(&mut self, words: &mut [u8]) -> Result<(), Infallible> {
        words.iter_mut().for_each(|word| *word = self.exchange(*word));
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        while self.state.read() & Self::STATE_BUSY != 0 {}
        Ok(())
    }
}
