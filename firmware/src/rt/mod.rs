//! What all boards share: which program to run, its end, panics, counted instructions, the painted stack.

#[cfg_attr(target_arch = "arm", path = "arm.rs")]
#[cfg_attr(target_arch = "riscv32", path = "riscv.rs")]
mod arch;
#[cfg_attr(feature = "semihosting", path = "semihosting.rs")]
#[cfg_attr(not(feature = "semihosting"), path = "rtt.rs")]
mod host;
#[cfg(target_arch = "arm")]
mod lm3s;
mod uart;

pub use arch::*;
#[cfg(target_arch = "arm")]
pub use lm3s::Lm3s;
pub use uart::*;

use crate::Board;
use crate::display::{Panel, Part};
use core::panic::PanicInfo;
use core::ptr;
use defmt::Display2Format;
use host::Arguments;

/// The binary of a board: its UART, what counts its instructions, the programs that fit it, room for a long command line, and its display and button.
///
/// A program is a module of this crate with a function `run`. A HAL crate whose entry does more than the run-time crate's is named first. On a host
/// the binary is a stub.
#[macro_export]
macro_rules! board {
    ($uart:expr, $counter:expr, [$($program:ident),+]) => {
        $crate::board!($uart, $counter, [$($program),+], 64);
    };
    ($uart:expr, $counter:expr, [$($program:ident),+], $command_line:expr) => {
        $crate::board!($uart, $counter, [$($program),+], $command_line, ());
    };
    ($uart:expr, $counter:expr, [$($program:ident),+], $command_line:expr, $panel:expr) => {
        $crate::board!($crate::rt::entry => $uart, $counter, [$($program),+], $command_line, $panel);
    };
    ($entry:path => $uart:expr, $counter:expr, [$($program:ident),+], $command_line:expr, $panel:expr) => {
        #[$entry]
        fn main() -> ! {
            use $crate::rt::*;
            let programs: &[Program<_, _, _, { $command_line }>] = &[$((stringify!($program), $crate::$program::run)),+];
            run(env!("CARGO_BIN_NAME"), $uart, $counter, $panel, programs)
        }
    };
}

/// A program and its name.
pub type Program<U, C, P, const N: usize> = (&'static str, fn(&mut Device<U, C, P, N>));

/// Runs the program that the host names; exit code 2 when there is none of this name.
///
/// N bytes hold the command line.
pub fn run<U: Uart, C: Counter, P: Panel, const N: usize>(
    name: &str,
    uart: U,
    counter: C,
    panel: P,
    programs: &[Program<U, C, P, N>],
) -> ! {
    let arguments = Arguments::read();
    let wanted = arguments.program();
    let Some((program, run)) = programs.iter().find(|(program, _)| *program == wanted) else {
        defmt::error!("{=str}: there is no program `{=str}`", name, wanted);
        host::exit(2)
    };
    defmt::info!("{=str}: {=str} starts", name, program);
    run(&mut Device::new(arguments, uart, counter, panel));
    defmt::info!("{=str}: {=str} is through", name, program);
    host::exit(0)
}

/// Ends the program with the exit code of a panic.
fn fail() -> ! {
    host::exit(101)
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let place = info.location().map_or(("?", 0), |l| (l.file(), l.line()));
    defmt::error!("panic at {=str}:{=u32}: {}", place.0, place.1, Display2Format(&info.message()));
    fail()
}

/// A 32-bit device register.
#[derive(Clone, Copy)]
struct Register(usize);

impl Register {
    fn read(self) -> u32 {
        // SAFETY: the drivers name registers only, and those that they read can be read at any time.
        unsafe { (self.0 as *const u32).read_volatile() }
    }

    fn read_byte(self) -> u8 {
        // SAFETY: as above.
        unsafe { (self.0 as *const u8).read_volatile() }
    }

    fn write_byte(self, value: u8) {
        // SAFETY: as below.
        unsafe { (self.0 as *mut u8).write_volatile(value) }
    }

    fn write(self, value: u32) {
        // SAFETY: the drivers name registers only, of devices that do not touch memory.
        unsafe { (self.0 as *mut u32).write_volatile(value) }
    }
}

/// What counts executed instructions.
pub trait Counter {
    /// Instructions since some moment, the same number of them for each call.
    fn count(&mut self) -> u64;
}

/// A board of a UART, which carries the reports, a counter, and what people see and touch.
pub struct Device<U, C, P, const N: usize> {
    /// What the program has not taken yet.
    arguments: Arguments<N>,
    uart: U,
    counter: C,
    panel: P,
    /// Instructions of one call of [`Board::instructions`], which are not counted, and of all calls so far.
    call: u64,
    calls: u64,
}

impl<U: Uart, C: Counter, P: Panel, const N: usize> Device<U, C, P, N> {
    fn new(arguments: Arguments<N>, uart: U, counter: C, panel: P) -> Self {
        let mut device = Device { arguments, uart, counter, panel, call: 0, calls: 0 };
        // Many calls in a row, to be exact where the counter has coarser steps than an instruction.
        const CALLS: u64 = 64;
        let start = device.instructions();
        for _ in 0..CALLS {
            device.instructions();
        }
        device.call = (device.instructions() - start) / (CALLS + 1);
        device
    }
}

impl<U: Uart, C: Counter, P: Panel, const N: usize> Board for Device<U, C, P, N> {
    fn arguments(&mut self, mut each: impl FnMut(&mut Self, &str)) {
        core::mem::take(&mut self.arguments).each(|argument| each(self, argument));
    }

    fn send(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.uart.send(*byte));
        self.uart.flush();
    }

    #[inline(never)]
    fn instructions(&mut self) -> u64 {
        self.calls += self.call;
        self.counter.count() - self.calls
    }

    fn paint_stack(&mut self) {
        arch::paint(&raw const __euninit, PAINT);
    }

    /// From the stack's start down to the lowest word that is not painted.
    fn stack_peak(&mut self) -> usize {
        let (mut at, top) = (&raw const __euninit, &raw const _stack_start);
        let free = arch::stack_pointer();
        // SAFETY: the address lies in the stack's memory, which is readable; volatile, for the words are nobody's variables.
        while at.addr() < free && unsafe { ptr::read_volatile(at) } == PAINT {
            at = at.wrapping_add(1);
        }
        top.addr() - at.addr()
    }

    fn statics(&mut self) -> usize {
        (&raw const __euninit).addr() - (&raw const __sdata).addr()
    }

    fn receive(&mut self) -> Option<u8> {
        self.uart.receive()
    }

    fn show(&mut self, part: Part, y: usize, levels: &[u8]) {
        self.panel.show(part, y, levels);
    }

    fn pressed(&mut self) -> bool {
        self.panel.pressed()
    }
}

const PAINT: u32 = 0xC0DE_CAFE;

unsafe extern "C" {
    // From the linker script of the run-time crate: the highest and the lowest address of the stack, and where the statics begin.
    static _stack_start: u32;
    static __euninit: u32;
    static __sdata: u32;
}
