//! The board's UART carries the reports, its timer counts instructions.

use cortex_m_rt::entry;
use firmware::{Board, rt};

#[entry]
fn main() -> ! {
    rt::run("mps2-an386", &mut Mps2::new())
}

/// A 32-bit device register.
struct Register(usize);

impl Register {
    fn read(&self) -> u32 {
        // SAFETY: only the addresses below are used; these registers can be read at any time.
        unsafe { (self.0 as *const u32).read_volatile() }
    }

    fn write(&self, value: u32) {
        // SAFETY: only the addresses below are used; their devices do not touch memory.
        unsafe { (self.0 as *mut u32).write_volatile(value) }
    }
}

// CMSDK APB timer 0: counts down from RELOAD, 25 MHz.
const TIMER_CTRL: Register = Register(0x4000_0000);
const TIMER_VALUE: Register = Register(0x4000_0004);
const TIMER_RELOAD: Register = Register(0x4000_0008);
const TIMER_ENABLE: u32 = 1;

// CMSDK APB UART 0.
const UART_DATA: Register = Register(0x4000_4000);
const UART_STATE: Register = Register(0x4000_4004);
const UART_CTRL: Register = Register(0x4000_4008);
const UART_BAUDDIV: Register = Register(0x4000_4010);
const UART_TX_FULL: u32 = 1;
const UART_TX_ENABLE: u32 = 1;

struct Mps2 {
    /// Timer ticks until `last` was read; the timer itself wraps every 171 s, so it has to be read more often.
    ticks: u64,
    last: u32,
    /// Instructions of one call of [`Board::instructions`], which are not counted, and of all calls so far.
    call: u64,
    calls: u64,
}

impl Mps2 {
    fn new() -> Self {
        UART_BAUDDIV.write(16);
        UART_CTRL.write(UART_TX_ENABLE);
        TIMER_RELOAD.write(u32::MAX);
        TIMER_VALUE.write(u32::MAX);
        TIMER_CTRL.write(TIMER_ENABLE);
        let mut board = Mps2 { ticks: 0, last: u32::MAX, call: 0, calls: 0 };
        // Many calls in a row, to be exact below one tick.
        const CALLS: u64 = 64;
        let start = board.instructions();
        for _ in 0..CALLS {
            board.instructions();
        }
        board.call = (board.instructions() - start) / (CALLS + 1);
        board
    }
}

impl Board for Mps2 {
    fn send(&mut self, bytes: &[u8]) {
        for byte in bytes {
            while UART_STATE.read() & UART_TX_FULL != 0 {}
            UART_DATA.write((*byte).into());
        }
        while UART_STATE.read() & UART_TX_FULL != 0 {}
    }

    /// With `-icount shift=6` an instruction takes 64 ns and a tick 40 ns.
    #[inline(never)]
    fn instructions(&mut self) -> u64 {
        let now = TIMER_VALUE.read();
        self.ticks += u64::from(self.last.wrapping_sub(now));
        self.last = now;
        self.calls += self.call;
        self.ticks * 40 / 64 - self.calls
    }

    fn paint_stack(&mut self) {
        rt::paint_stack();
    }

    fn stack_peak(&mut self) -> usize {
        rt::stack_peak()
    }
}
