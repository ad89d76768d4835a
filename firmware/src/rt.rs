//! What all Cortex-M boards with a debugger or an emulator share: which program to run, its end, panics, the painted stack.

use crate::{Board, digits, suite};
use core::arch::asm;
use core::panic::PanicInfo;
use core::ptr;
use cortex_m::register::msp;
use cortex_m_rt::{ExceptionFrame, exception};
use defmt::Display2Format;
use defmt_semihosting as _;
use semihosting::{experimental::env, process};

/// Runs the program that the command line names on `board` and ends the emulation; exit code 2 when it names none.
pub fn run(name: &str, board: &mut impl Board) -> ! {
    // The first argument is the binary's own name.
    let arguments = env::args::<64>();
    let program = arguments.as_ref().ok().and_then(|all| all.into_iter().nth(1)?.ok()).unwrap_or_default();
    defmt::info!("{=str}: {=str} starts", name, program);
    match program {
        "digits" => digits::run(board),
        "suite" => suite::run(board),
        _ => {
            defmt::error!("there is no program `{=str}`; known: digits, suite", program);
            process::exit(2)
        }
    }
    defmt::info!("{=str}: {=str} is through", name, program);
    process::exit(0)
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let place = info.location().map_or(("?", 0), |l| (l.file(), l.line()));
    defmt::error!("panic at {=str}:{=u32}: {}", place.0, place.1, Display2Format(&info.message()));
    process::exit(101)
}

#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    defmt::error!("hard fault at {=u32:#010x}", frame.pc());
    process::exit(101)
}

unsafe extern "C" {
    // From cortex-m-rt's linker script: the highest and the lowest address of the stack.
    static _stack_start: u32;
    static _stack_end: u32;
}

const PAINT: u32 = 0xC0DE_CAFE;

/// Fills the free part of the stack with a pattern.
#[inline(never)]
pub fn paint_stack() {
    // SAFETY: nothing lives between the end of the statics and the stack pointer, and the loop itself uses registers only.
    unsafe {
        asm!(
            "2: cmp {at}, sp",
            "it lo",
            "strlo {paint}, [{at}], #4",
            "blo 2b",
            at = inout(reg) &raw const _stack_end => _,
            paint = in(reg) PAINT,
            options(nostack),
        );
    }
}

/// Bytes of stack from its start down to the lowest word that is not painted.
pub fn stack_peak() -> usize {
    let (mut at, top) = (&raw const _stack_end, &raw const _stack_start);
    let free = msp::read() as usize;
    // SAFETY: the address lies in the stack's memory, which is readable; volatile, for the words are nobody's variables.
    while at.addr() < free && unsafe { ptr::read_volatile(at) } == PAINT {
        at = at.wrapping_add(1);
    }
    top.addr() - at.addr()
}
