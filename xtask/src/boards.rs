//! The boards that the firmware is written for.

use crate::setup::MANAGERS;
use std::collections::BTreeSet;

/// A board and how to emulate it.
pub struct Board {
    /// Its name: of its folder in `firmware/boards` or `firmware/hal`, and of its binary.
    pub name: &'static str,
    /// Whether it runs through its HAL crate and is a package of its own, in `firmware/hal`.
    pub hal: bool,
    /// Its core, for people.
    pub core: &'static str,
    /// The Rust target of its core.
    pub target: &'static str,
    /// The CPU that its code is compiled for, where the target leaves that open: rustc's `target-cpu`, or nothing.
    pub cpu: &'static str,
    /// The profile that its firmware is built with.
    pub profile: &'static str,
    /// Bytes of RAM in its `memory.x`.
    pub ram: usize,
    /// What emulates its core.
    pub emulator: &'static Emulator,
    /// The emulator's name of the board.
    pub machine: &'static str,
}

/// A QEMU.
pub struct Emulator {
    /// Its program.
    pub program: &'static str,
    /// An instruction takes 2^shift ns of a board's time. How the firmware counts instructions depends on it.
    pub shift: u32,
    /// What its boards need besides.
    pub arguments: &'static [&'static str],
    /// The package that holds it, in the order of [`MANAGERS`].
    pub packages: [&'static str; MANAGERS.len()],
}

const ARM: &Emulator = &Emulator {
    program: "qemu-system-arm",
    shift: 6,
    arguments: &[],
    packages: ["qemu-system-arm", "qemu-system-arm", "qemu-system-arm", "qemu-arm", "qemu", QEMU],
};

const RISCV: &Emulator = &Emulator {
    program: "qemu-system-riscv32",
    shift: 0,
    // No firmware of the emulator's own.
    arguments: &["-bios", "none"],
    // Debian has moved it: the first of the two until 12, the second since 13.
    packages: ["'^qemu-system-(misc|riscv)$'", "qemu-system-riscv", "qemu-system-riscv", "qemu-extra", "qemu", QEMU],
};

const QEMU: &str = "SoftwareFreedomConservancy.QEMU";

/// All boards, the demo's own first.
pub const BOARDS: &[Board] = &[
    Board {
        name: "mps2-an386",
        hal: false,
        core: "Cortex-M4F",
        target: "thumbv7em-none-eabihf",
        cpu: "",
        profile: "release",
        ram: 128 << 10,
        emulator: ARM,
        machine: "mps2-an386",
    },
    Board {
        name: "microbit",
        hal: true,
        core: "Cortex-M0",
        target: "thumbv6m-none-eabi",
        cpu: "",
        profile: "small",
        ram: 16 << 10,
        emulator: ARM,
        machine: "microbit",
    },
    Board {
        name: "lm3s6965evb",
        hal: false,
        core: "Cortex-M3",
        target: "thumbv7m-none-eabi",
        cpu: "",
        profile: "small",
        ram: 64 << 10,
        emulator: ARM,
        machine: "lm3s6965evb",
    },
    Board {
        name: "mps2-an385",
        hal: false,
        core: "Cortex-M3",
        target: "thumbv7m-none-eabi",
        cpu: "",
        profile: "release",
        ram: 128 << 10,
        emulator: ARM,
        machine: "mps2-an385",
    },
    Board {
        name: "mps2-an500",
        hal: false,
        core: "Cortex-M7",
        target: "thumbv7em-none-eabihf",
        cpu: "",
        profile: "release",
        ram: 128 << 10,
        emulator: ARM,
        machine: "mps2-an500",
    },
    Board {
        name: "mps2-an505",
        hal: false,
        core: "Cortex-M33",
        target: "thumbv8m.main-none-eabihf",
        cpu: "",
        profile: "release",
        ram: 128 << 10,
        emulator: ARM,
        machine: "mps2-an505",
    },
    Board {
        name: "mps3-an547",
        hal: false,
        core: "Cortex-M55",
        target: "thumbv8m.main-none-eabihf",
        cpu: "cortex-m55",
        profile: "release",
        ram: 128 << 10,
        emulator: ARM,
        machine: "mps3-an547",
    },
    Board {
        name: "hifive1",
        hal: true,
        core: "RV32IMAC",
        target: "riscv32imac-unknown-none-elf",
        cpu: "",
        profile: "release",
        ram: 16 << 10,
        emulator: RISCV,
        machine: "sifive_e,revb=true",
    },
    Board {
        name: "netduinoplus2",
        hal: true,
        core: "Cortex-M4F",
        target: "thumbv7em-none-eabihf",
        cpu: "",
        profile: "release",
        ram: 128 << 10,
        emulator: ARM,
        machine: "netduinoplus2",
    },
];

/// A core that the bench counts on: its name on the command line, and the bench's own board, whose memory is as large as the emulated one's.
pub struct Core {
    /// Its short name.
    pub name: &'static str,
    /// What runs it.
    pub board: Board,
}

const fn core(
    name: &'static str,
    core: &'static str,
    [target, cpu]: [&'static str; 2],
    [board, machine]: [&'static str; 2],
    emulator: &'static Emulator,
) -> Core {
    Core {
        name,
        board: Board {
            name: board,
            hal: false,
            core,
            target,
            cpu,
            profile: "release",
            ram: 1 << 20,
            emulator,
            machine,
        },
    }
}

/// The cores of the bench. The M0's code is counted on an M3, which executes it as it is: boards with an M0 have too little memory.
pub const CORES: &[Core] = &[
    core("m0", "Cortex-M0", ["thumbv6m-none-eabi", ""], ["bench-mps2", "mps2-an385"], ARM),
    core("m3", "Cortex-M3", ["thumbv7m-none-eabi", ""], ["bench-mps2", "mps2-an385"], ARM),
    core("m4", "Cortex-M4F", ["thumbv7em-none-eabihf", ""], ["bench-mps2", "mps2-an386"], ARM),
    core("m7", "Cortex-M7", ["thumbv7em-none-eabihf", ""], ["bench-mps2", "mps2-an500"], ARM),
    core("m33", "Cortex-M33", ["thumbv8m.main-none-eabihf", ""], ["bench-an505", "mps2-an505"], ARM),
    core("m55", "Cortex-M55", ["thumbv8m.main-none-eabihf", "cortex-m55"], ["bench-an547", "mps3-an547"], ARM),
    core("rv32", "RV32IMAC", ["riscv32imac-unknown-none-elf", ""], ["bench-virt", "virt"], RISCV),
];

/// A board with its HAL crate as it is in a person's hand: a package of `firmware/hal`, built for silicon.
pub struct Silicon {
    /// Its name: of its folder and of its binary.
    pub name: &'static str,
    /// Its full name.
    pub title: &'static str,
    /// Its chip and core, for people.
    pub core: &'static str,
    /// The Rust target of its core.
    pub target: &'static str,
    /// Bytes of RAM that its memory map has.
    pub ram: usize,
    /// How a program gets into its flash.
    pub load: Load,
}

/// How a program gets into a board's flash.
#[derive(Clone, Copy)]
pub enum Load {
    /// By probe-rs, which knows the chip by this name.
    Probe(&'static str),
    /// As a UF2 file of this family, copied to the drive that the board is.
    Uf2(u32),
}

const fn silicon(
    [name, title]: [&'static str; 2],
    [core, target]: [&'static str; 2],
    ram: usize,
    load: Load,
) -> Silicon {
    Silicon { name, title, core, target, ram, load }
}

const V6M: &str = "thumbv6m-none-eabi";
const V7EM: &str = "thumbv7em-none-eabihf";

/// All boards for silicon. The families of the Picos are those of the bootloaders in their ROMs.
pub const SILICON: &[Silicon] = &[
    silicon(
        ["nrf52840-dk", "Nordic nRF52840-DK"],
        ["nRF52840, Cortex-M4F", V7EM],
        256 << 10,
        Load::Probe("nRF52840_xxAA"),
    ),
    silicon(
        ["microbit-v2", "BBC micro:bit v2"],
        ["nRF52833, Cortex-M4F", V7EM],
        128 << 10,
        Load::Probe("nRF52833_xxAA"),
    ),
    silicon(["microbit", "BBC micro:bit v1"], ["nRF51822, Cortex-M0", V6M], 16 << 10, Load::Probe("nRF51822_xxAA")),
    silicon(
        ["stm32f4-discovery", "ST STM32F4 Discovery"],
        ["STM32F407, Cortex-M4F", V7EM],
        128 << 10,
        Load::Probe("STM32F407VGTx"),
    ),
    silicon(
        ["netduinoplus2", "Netduino Plus 2"],
        ["STM32F405, Cortex-M4F", V7EM],
        128 << 10,
        Load::Probe("STM32F405RGTx"),
    ),
    silicon(["pico", "Raspberry Pi Pico"], ["RP2040, Cortex-M0+", V6M], 256 << 10, Load::Uf2(0xE48B_FF56)),
    silicon(
        ["pico2", "Raspberry Pi Pico 2"],
        ["RP2350, Cortex-M33", "thumbv8m.main-none-eabihf"],
        512 << 10,
        Load::Uf2(0xE48B_FF59),
    ),
    silicon(
        ["esp32c3", "Espressif ESP32-C3"],
        ["ESP32-C3, RV32IMC", "riscv32imc-unknown-none-elf"],
        313 << 10,
        Load::Probe("esp32c3"),
    ),
    silicon(
        ["hifive1", "SiFive HiFive1 rev. B"],
        ["FE310-G002, RV32IMAC", "riscv32imac-unknown-none-elf"],
        16 << 10,
        Load::Probe("fe310-g002"),
    ),
];

/// The targets and CPUs of all boards, emulated or not.
pub fn targets() -> BTreeSet<[&'static str; 2]> {
    let silicon = SILICON.iter().map(|board| [board.target, ""]);
    BOARDS.iter().map(|board| [board.target, board.cpu]).chain(silicon).collect()
}

/// The emulated board of this name, or a sentence that says what there is.
pub fn find(name: &str) -> Result<&'static Board, String> {
    let built = || SILICON.iter().any(|board| board.name == name);
    BOARDS.iter().find(|board| board.name == name).ok_or_else(|| match built() {
        true => {
            format!("{name} has no emulator; `cargo xtask flash digits --board {name}` puts a demo on the board itself")
        }
        false => unknown(BOARDS.iter().map(|board| board.name)),
    })
}

/// The board for silicon of this name, or a sentence that says what there is.
pub fn find_silicon(name: &str) -> Result<&'static Silicon, String> {
    let emulated = || BOARDS.iter().any(|board| board.name == name);
    SILICON.iter().find(|board| board.name == name).ok_or_else(|| match emulated() {
        true => format!("{name} is only emulated; `cargo xtask demo digits --board {name}` runs a demo"),
        false => unknown(SILICON.iter().map(|board| board.name)),
    })
}

fn unknown<'a>(names: impl Iterator<Item = &'a str>) -> String {
    format!("there is no such board; known: {}", names.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_board_of_the_other_kind_is_told_its_command() {
        let error = |e: Option<String>| e.unwrap();
        assert!(
            error(find("pico").err())
                .ends_with("`cargo xtask flash digits --board pico` puts a demo on the board itself")
        );
        assert!(error(find_silicon("mps2-an386").err()).contains("`cargo xtask demo digits --board mps2-an386`"));
        assert!(error(find("nobody").err()).starts_with("there is no such board; known: mps2-an386, "));
    }

    #[test]
    fn the_readme_has_a_row_for_every_board() {
        let readme = std::fs::read_to_string(crate::readme::path("README.md")).unwrap();
        let missing = BOARDS.iter().map(|board| format!("\n| {} ", board.name));
        let missing = missing.chain(SILICON.iter().map(|board| format!("\n| {} (`{}`) ", board.title, board.name)));
        let missing: Vec<_> = missing.filter(|row| !readme.contains(row)).collect();
        assert!(missing.is_empty(), "no row starts with {missing:?}: `cargo xtask boards --write-docs` writes them");
    }

    #[test]
    fn boards_with_a_hal_crate_are_its_folders() {
        let folders =
            std::fs::read_dir(crate::readme::path("firmware/hal")).unwrap().map(|entry| entry.unwrap().path());
        let packages = folders.filter(|path| path.join("Cargo.toml").exists());
        let packages: BTreeSet<_> = packages.map(|path| path.file_name().unwrap().display().to_string()).collect();
        assert_eq!(packages, SILICON.iter().map(|board| board.name.to_string()).collect());
        assert!(BOARDS.iter().filter(|board| board.hal).all(|board| packages.contains(board.name)));
    }
}
