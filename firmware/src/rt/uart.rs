//! UARTs: those of emulated boards by their base addresses, all others through their HAL crates.

use super::Register;
use embedded_hal::digital::OutputPin;
pub use embedded_hal::digital::PinState;
use embedded_hal_nb::nb::Error::WouldBlock;
use embedded_hal_nb::serial;
use embedded_io::Write;

/// What sends bytes.
pub trait Uart {
    /// Hands over a byte, waiting for room.
    fn send(&mut self, byte: u8);

    /// Waits until the last byte is on its way.
    fn flush(&mut self);
}

/// Arm's CMSDK APB UART.
pub struct Cmsdk {
    data: Register,
    state: Register,
}

impl Cmsdk {
    const STATE_TX_FULL: u32 = 1;
    const CTRL_TX_ENABLE: u32 = 1;

    /// Enables the transmitter at its highest speed.
    pub fn new(base: usize) -> Self {
        let (ctrl, bauddiv) = (Register(base + 0x08), Register(base + 0x10));
        bauddiv.write(16);
        ctrl.write(Self::CTRL_TX_ENABLE);
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
}
