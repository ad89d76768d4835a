//! Finds what is missing and installs it, or says how.

use crate::boards::{BOARDS, Board, Emulator, SILICON};
use crate::cargo::{cargo, run};
use anyhow::{Context, Result, bail, ensure};
use std::iter::zip;
use std::path::Path;
use std::process::{Command, Stdio};

/// The Rust targets of all boards, and the emulators.
pub fn boards() -> Result<()> {
    BOARDS.iter().try_for_each(board)?;
    SILICON.iter().try_for_each(|board| target(board.target))
}

/// The Rust target and the emulator of a board.
pub fn board(board: &Board) -> Result<()> {
    target(board.target)?;
    emulator(board.emulator)
}

/// A rustup component by the cargo subcommand that it brings.
pub fn component(subcommand: &str, name: &str) -> Result<()> {
    if runs(cargo(subcommand).arg("--version")) {
        return Ok(());
    }
    run(Command::new("rustup").args(["component", "add", name])).with_context(|| format!("{name} is missing"))
}

/// A Rust target.
pub fn target(target: &str) -> Result<()> {
    let rustc = Command::new("rustc").args(["--print", "target-libdir", "--target", target]).output();
    let libraries = String::from_utf8(rustc.context("`rustc` could not be started")?.stdout)?;
    if Path::new(libraries.trim()).is_dir() {
        return Ok(());
    }
    run(Command::new("rustup").args(["target", "add", target]))
        .with_context(|| format!("the Rust target {target} is missing"))
}

/// Package managers and how they install.
pub const MANAGERS: [(&str, &str); 6] = [
    ("apt-get", "sudo apt-get install"),
    ("dnf", "sudo dnf install"),
    ("pacman", "sudo pacman -S"),
    ("zypper", "sudo zypper install"),
    ("brew", "brew install"),
    ("winget", "winget install"),
];

fn emulator(emulator: &Emulator) -> Result<()> {
    program(emulator.program, "QEMU (https://www.qemu.org/download)", emulator.packages)
}

/// A C compiler and library for Cortex-M, make and CMake.
pub fn c_compiler() -> Result<()> {
    const ARM: &str = "the Arm GNU toolchain (https://developer.arm.com/downloads/-/arm-gnu-toolchain-downloads)";
    let gcc = [
        "gcc-arm-none-eabi",
        "arm-none-eabi-gcc-cs",
        "arm-none-eabi-gcc",
        "cross-arm-none-eabi-gcc14",
        "--cask gcc-arm-embedded",
        "Arm.GnuArmEmbeddedToolchain",
    ];
    let newlib = [
        "libnewlib-arm-none-eabi",
        "arm-none-eabi-newlib",
        "arm-none-eabi-newlib",
        "cross-arm-none-eabi-newlib",
        gcc[4],
        gcc[5],
    ];
    program("arm-none-eabi-gcc", ARM, gcc)?;
    // Debian has the library apart.
    installed("newlib for arm-none-eabi", ARM, newlib, || {
        let specs = Command::new("arm-none-eabi-gcc").arg("-print-file-name=rdimon.specs").output();
        specs.is_ok_and(|specs| Path::new(String::from_utf8_lossy(&specs.stdout).trim()).is_absolute())
    })?;
    program("make", "GNU make", ["make", "make", "make", "make", "make", "GnuWin32.Make"])?;
    program(
        "cmake",
        "CMake (https://cmake.org/download)",
        ["cmake", "cmake", "cmake", "cmake", "cmake", "Kitware.CMake"],
    )
}

/// A program, and where it comes from.
fn program(name: &str, source: &str, packages: [&str; MANAGERS.len()]) -> Result<()> {
    installed(name, source, packages, || runs(Command::new(name).arg("--version")))
}

/// Something that comes in a package, in the order of [`MANAGERS`].
fn installed(name: &str, source: &str, packages: [&str; MANAGERS.len()], found: impl Fn() -> bool) -> Result<()> {
    if found() {
        return Ok(());
    }
    let manager = zip(MANAGERS, packages).find(|(m, _)| runs(Command::new(m.0).arg("--version")));
    let Some(((manager, install), package)) = manager else {
        bail!("{name} is missing: install {source} so that {name} is found")
    };
    let advice = || format!("{name} is missing: install it with `{install} {package}`");
    match root() {
        Some(root) if manager == "apt-get" => {
            let apt = |arguments: &[&str]| {
                let mut words = root.iter().chain(&["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
                run(Command::new(words.next().unwrap_or(&"")).args(words).args(arguments))
            };
            eprintln!("Installing {name}.");
            apt(&["update", "-qq"]).with_context(advice)?;
            apt(&["install", "-qq", "--yes", "--no-install-recommends", package.trim_matches('\'')])
                .with_context(advice)?;
            ensure!(found(), "{name} was installed but is not found");
            Ok(())
        }
        _ => bail!(advice()),
    }
}

/// The words before a command that needs root, if it may be run without asking.
fn root() -> Option<&'static [&'static str]> {
    let id = Command::new("id").arg("-u").output().ok()?;
    if id.stdout == b"0\n" {
        return Some(&[]);
    }
    runs(Command::new("sudo").args(["-n", "true"])).then_some(&["sudo", "-n"])
}

/// Whether a command starts and succeeds; what it prints is dropped.
pub fn runs(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
}
