//! Cortex-M: SysTick counts instructions.

use super::{Counter, Register, fail};
use core::arch::{asm, naked_asm};
use core::sync::atomic::{AtomicU32, Ordering};
use cortex_m::register::msp;
pub use cortex_m_rt::entry;
use cortex_m_rt::{ExceptionFrame, exception};

#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    defmt::error!("hard fault at {=u32:#010x}", frame.pc());
    fail()
}

/// The address below which the stack is free.
pub(super) fn stack_pointer() -> usize {
    msp::read() as usize
}

/// Fills the words from `at` to the stack pointer, which has to lie above.
#[inline(never)]
pub(super) fn paint(at: *const u32, word: u32) {
    // SAFETY: nothing lives between the end of the statics and the stack pointer, and the loop itself uses registers only.
    unsafe {
        asm!(
            "2: str {word}, [{at}]",
            "adds {at}, {at}, #4",
            "cmp {at}, sp",
            "blo 2b",
            at = inout(reg) at => _,
            word = in(reg) word,
            options(nostack),
        );
    }
}

const SYST_CSR: Register = Register(0xE000_E010);
const SYST_RVR: Register = Register(0xE000_E014);
const SYST_CVR: Register = Register(0xE000_E018);
/// Counts the core's clock, raises its exception at zero.
const SYST_CSR_RUN: u32 = 0b111;
const SYST_BITS: u32 = 24;

/// Times that SysTick came down to zero.
static WRAPS: AtomicU32 = AtomicU32::new(0);

/// Instructions of the exception handler, which are not counted.
const WRAP: u64 = 5;

/// One more wrap, in exactly [`WRAP`] instructions.
#[unsafe(naked)]
#[unsafe(export_name = "SysTick")]
extern "C" fn wrap() {
    naked_asm!(
        "ldr r0, 2f",
        "ldr r1, [r0]",
        "adds r1, r1, #1",
        "str r1, [r0]",
        "bx lr",
        ".balign 4",
        "2: .word {wraps}",
        wraps = sym WRAPS,
    )
}

/// SysTick: instructions in the emulator, which takes 64 ns for one (`-icount shift=6`), and cycles on a board that runs alone.
pub struct SysTick {
    /// Instructions of 2^24 ticks.
    scale: u64,
}

impl SysTick {
    /// Of a core at some MHz.
    pub fn new(mhz: u64) -> Self {
        SYST_RVR.write((1 << SYST_BITS) - 1);
        SYST_CVR.write(0);
        SYST_CSR.write(SYST_CSR_RUN);
        SysTick { scale: if cfg!(feature = "semihosting") { (1000 << 24) / (64 * mhz) } else { 1 << 24 } }
    }
}

impl Counter for SysTick {
    fn count(&mut self) -> u64 {
        // Again if it has wrapped in between.
        let (wraps, ticks) = loop {
            let wraps = WRAPS.load(Ordering::Relaxed);
            let ticks = SYST_CVR.read().wrapping_neg() % (1 << SYST_BITS);
            if WRAPS.load(Ordering::Relaxed) == wraps {
                break (u64::from(wraps), u64::from(ticks));
            }
        };
        // No division: its cost would depend on the numbers.
        ((((wraps << SYST_BITS) + ticks) * self.scale) >> 24) - wraps * WRAP
    }
}

const DEMCR: Register = Register(0xE000_EDFC);
const DEMCR_TRCENA: u32 = 1 << 24;
const DWT_CTRL: Register = Register(0xE000_1000);
const DWT_CTRL_CYCCNTENA: u32 = 1;
const DWT_CYCCNT: Register = Register(0xE000_1004);

/// The counter of cycles of Armv7-M and later, for silicon (no emulator has it, a Cortex-M0 neither): name it in a board's `main.rs`, and every
/// «instruction» is a cycle. It has 32 bits: what lies between two calls may take 2³² - 1 cycles.
pub struct CycleCounter {
    last: u32,
    total: u64,
}

impl CycleCounter {
    /// Starts it.
    pub fn new() -> Self {
        DEMCR.write(DEMCR.read() | DEMCR_TRCENA);
        DWT_CTRL.write(DWT_CTRL.read() | DWT_CTRL_CYCCNTENA);
        CycleCounter { last: DWT_CYCCNT.read(), total: 0 }
    }
}

impl Default for CycleCounter {
    fn default() -> Self {
        Self::new()
    }
}

impl Counter for CycleCounter {
    fn count(&mut self) -> u64 {
        let now = DWT_CYCCNT.read();
        self.total += u64::from(now.wrapping_sub(self.last));
        self.last = now;
        self.total
    }
}
