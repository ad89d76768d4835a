//! The boards that the firmware is written for.

/// A board and how to emulate it.
pub struct Board {
    /// Its name: of its folder in `firmware/boards`, and of its binary.
    pub name: &'static str,
    /// Its core, for people.
    pub core: &'static str,
    /// The Rust target of its core.
    pub target: &'static str,
    /// The emulator and the arguments that choose the board.
    pub emulator: &'static str,
    pub arguments: &'static [&'static str],
}

pub const BOARDS: &[Board] = &[Board {
    name: "mps2-an386",
    core: "Cortex-M4F",
    target: "thumbv7em-none-eabihf",
    emulator: "qemu-system-arm",
    // An instruction takes 2^6 ns of the board's time: that is how the firmware counts instructions.
    arguments: &["-M", "mps2-an386", "-icount", "shift=6"],
}];

/// The board of this name, or a sentence that names all.
pub fn find(name: &str) -> Result<&'static Board, String> {
    let known = || BOARDS.iter().map(|b| b.name).collect::<Vec<_>>().join(", ");
    BOARDS.iter().find(|b| b.name == name).ok_or_else(|| format!("there is no such board; known: {}", known()))
}
