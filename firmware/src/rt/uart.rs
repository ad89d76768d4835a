//! The UARTs of the boards, by their base addresses.

use super::Register;

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

/// Nordic's nRF51 UART.
pub struct Nrf51 {
    txd: Register,
    txdrdy: Register,
    /// Whether there has been a byte whose end can be waited for.
    sent: bool,
}

impl Nrf51 {
    const ENABLE: u32 = 4;

    /// Enables the transmitter at 1 Mbaud on a pin.
    pub fn new(base: usize, pin: u32) -> Self {
        let (enable, pseltxd, baudrate) = (Register(base + 0x500), Register(base + 0x50C), Register(base + 0x524));
        let starttx = Register(base + 0x008);
        pseltxd.write(pin);
        baudrate.write(0x1000_0000);
        enable.write(Self::ENABLE);
        starttx.write(1);
        Nrf51 { txd: Register(base + 0x51C), txdrdy: Register(base + 0x11C), sent: false }
    }
}

impl Uart for Nrf51 {
    fn send(&mut self, byte: u8) {
        self.flush();
        self.txdrdy.write(0);
        self.txd.write(byte.into());
        self.sent = true;
    }

    fn flush(&mut self) {
        // Before the first byte there is nothing to wait for.
        while self.sent && self.txdrdy.read() == 0 {}
    }
}

/// SiFive's UART of the FE310.
pub struct Fe310 {
    txdata: Register,
}

impl Fe310 {
    const TXDATA_FULL: u32 = 1 << 31;
    const TXCTRL_ENABLE: u32 = 1;

    /// Enables the transmitter.
    pub fn new(base: usize) -> Self {
        Register(base + 0x08).write(Self::TXCTRL_ENABLE);
        Fe310 { txdata: Register(base) }
    }
}

impl Uart for Fe310 {
    fn send(&mut self, byte: u8) {
        self.flush();
        self.txdata.write(byte.into());
    }

    fn flush(&mut self) {
        while self.txdata.read() & Self::TXDATA_FULL != 0 {}
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
