//! UARTs: those of emulated boards by their base addresses, all others through their HAL crates.

use super::Register;
use embedded_hal::digital::OutputPin;
pub use embedded_hal::digital::PinState;
use embedded_hal_nb::nb::Error::WouldBlock;
use embedded_hal_nb::serial;
use embedded_io::{Read, ReadReady, Write};

/// What sends bytes, and may receive some.
pub trait Uart {
    /// Hands over a byte, waiting for room.
    fn send(&mut self, byte: u8);

    /// Waits until the last byte is on its way.
    fn flush(&mut self);

    /// The next byte that came in, if there is one.
    fn receive(&mut self) -> Option<u8> {
        None
    }
}

/// Arm's CMSDK APB UART.
pub struct Cmsdk {
    data: Register,
    state: Register,
}

impl Cmsdk {
    const STATE_TX_FULL: u32 = 1;
    const STATE_RX_FULL: u32 = 2;
    const CTRL_TX_RX_ENABLE: u32 = 3;

    /// Enables both directions at the highest speed.
    pub fn new(base: usize) -> Self {
        let (ctrl, bauddiv) = (Register(base + 0x08), Register(base + 0x10));
        bauddiv.write(16);
        ctrl.write(Self::CTRL_TX_RX_ENABLE);
        Cmsdk { data: Register(base), state: Register(base + 0x04) }
    }
}

impl Uart for Cmsdk {
    fn send(&mut self, byte: u8) {
        self.flush();
        self.data.write(byte.into());
    }

    fn flush(&mut self) {
        while self.state.read() & Self::STATE_TX_FULL != 0 {}
    }

    fn receive(&mut self) -> Option<u8> {
        (self.state.read() & Self::STATE_RX_FULL != 0).then(|| self.data.read() as u8)
    }
}

/// Arm's PL011.
pub struct Pl011 {
    data: Register,
    flags: Register,
}

impl Pl011 {
    const FLAG_BUSY: u32 = 1 << 3;
    const FLAG_RX_EMPTY: u32 = 1 << 4;
    const FLAG_TX_FULL: u32 = 1 << 5;
    /// 8 bits, with its queues.
    const LINE_8_FIFO: u32 = 0x70;
    const CTRL_ENABLE: u32 = 0x301;

    /// Enables both directions at 115,200 baud from a clock of some MHz; pins and clock are the board's.
    pub fn new(base: usize, mhz: u32) -> Self {
        // In 64ths: 64 · f / (16 · 115,200), rounded.
        let divisor = (mhz * 4_000_000 + 57_600) / 115_200;
        Register(base + 0x24).write(divisor >> 6);
        Register(base + 0x28).write(divisor % 64);
        Register(base + 0x2C).write(Self::LINE_8_FIFO);
        Register(base + 0x30).write(Self::CTRL_ENABLE);
        Pl011 { data: Register(base), flags: Register(base + 0x18) }
    }
}

impl Uart for Pl011 {
    fn send(&mut self, byte: u8) {
        while self.flags.read() & Self::FLAG_TX_FULL != 0 {}
        self.data.write(byte.into());
    }

    fn flush(&mut self) {
        while self.flags.read() & Self::FLAG_BUSY != 0 {}
    }

    fn receive(&mut self) -> Option<u8> {
        (self.flags.read() & Self::FLAG_RX_EMPTY == 0).then(|| self.data.read() as u8)
    }
}

/// The 16550 of QEMU's `virt` boards, which needs no setting up.
pub struct Ns16550 {
    data: Register,
    state: Register,
}

impl Ns16550 {
    const STATE_TX_EMPTY: u8 = 1 << 5;

    /// With registers of a byte each.
    pub fn new(base: usize) -> Self {
        Ns16550 { data: Register(base), state: Register(base + 5) }
    }
}

impl Uart for Ns16550 {
    fn send(&mut self, byte: u8) {
        self.flush();
        self.data.write_byte(byte);
    }

    fn flush(&mut self) {
        while self.state.read_byte() & Self::STATE_TX_EMPTY == 0 {}
    }
}

/// A UART of a HAL crate that writes as embedded-io says.
pub struct Io<W>(
    /// The UART.
    pub W,
);

impl<W: Write> Uart for Io<W> {
    fn send(&mut self, byte: u8) {
        // No UART here reports an error of sending.
        let _ = self.0.write_all(&[byte]);
    }

    fn flush(&mut self) {
        let _ = self.0.flush();
    }
}

/// ... or as embedded-hal-nb does.
pub struct Nb<W>(
    /// The UART.
    pub W,
);

impl<W: serial::Write> Uart for Nb<W> {
    fn send(&mut self, byte: u8) {
        while matches!(self.0.write(byte), Err(WouldBlock)) {}
    }

    fn flush(&mut self) {
        while matches!(self.0.flush(), Err(WouldBlock)) {}
    }
}

/// A UART of a HAL crate that writes, reads and tells whether a byte waits, as embedded-io says.
pub struct Duplex<U>(
    /// The UART.
    pub U,
);

impl<U: Write + Read + ReadReady> Uart for Duplex<U> {
    fn send(&mut self, byte: u8) {
        let _ = self.0.write_all(&[byte]);
    }

    fn flush(&mut self) {
        let _ = self.0.flush();
    }

    fn receive(&mut self) -> Option<u8> {
        let mut byte = [0];
        (self.0.read_ready().ok()? && self.0.read(&mut byte).ok()? == 1).then_some(byte[0])
    }
}

/// A UART whose halves are apart, the receiver as embedded-hal-nb says.
pub struct Halves<U, R> {
    /// What sends.
    pub send: U,
    /// What receives.
    pub receive: R,
}

impl<U: Uart, R: serial::Read> Uart for Halves<U, R> {
    fn send(&mut self, byte: u8) {
        self.send.send(byte);
    }

    fn flush(&mut self) {
        self.send.flush();
    }

    fn receive(&mut self) -> Option<u8> {
        self.receive.read().ok()
    }
}

/// A UART and a LED that is lit while bytes leave.
pub struct Lit<U, L> {
    /// The UART.
    pub uart: U,
    /// The LED's pin.
    pub led: L,
    /// Its state in which the LED is lit.
    pub on: PinState,
}

impl<U: Uart, L: OutputPin> Uart for Lit<U, L> {
    fn send(&mut self, byte: u8) {
        // A pin without light is no reason to stop.
        let _ = self.led.set_state(self.on);
        self.uart.send(byte);
    }

    fn flush(&mut self) {
        self.uart.flush();
        let _ = self.led.set_state(!self.on);
    }

    fn receive(&mut self) -> Option<u8> {
        self.uart.receive()
    }
}
