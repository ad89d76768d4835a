//! RISC-V, one hart of 32 bits: `minstret` counts instructions.

use super::{Counter, fail};
use core::arch::asm;
use riscv::register::{mcause, mcycle, mepc, minstret};
#[cfg(feature = "emulator")]
pub use riscv_rt::entry;

/// Each board's linker script gives it the names that its run-time crate calls; the frame of registers that these pass is not looked at.
#[unsafe(export_name = "board_exception")]
extern "C" fn exception() -> ! {
    defmt::error!("exception {=usize} at {=usize:#010x}", mcause::read().code(), mepc::read());
    fail()
}

/// The address below which the stack is free.
pub(super) fn stack_pointer() -> usize {
    let sp;
    // SAFETY: a register is read.
    unsafe { asm!("mv {}, sp", out(reg) sp, options(nomem, nostack)) };
    sp
}

/// Fills the words from `at` to the stack pointer, which has to lie above.
#[inline(never)]
pub(super) fn paint(at: *const u32, word: u32) {
    // SAFETY: nothing lives between the end of the statics and the stack pointer, and the loop itself uses registers only.
    unsafe {
        asm!(
            "2: sw {word}, 0({at})",
            "addi {at}, {at}, 4",
            "bltu {at}, sp, 2b",
            at = inout(reg) at => _,
            word = in(reg) word,
            options(nostack),
        );
    }
}

/// The hart's own counters: retired instructions in the emulator, exact with `-icount shift=0`, and cycles on a board that runs alone.
pub struct HartCounter;

impl Counter for HartCounter {
    fn count(&mut self) -> u64 {
        if cfg!(feature = "semihosting") { minstret::read64() } else { mcycle::read64() }
    }
}
