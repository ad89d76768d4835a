//! `cargo xtask flash`: a demo onto a board on the desk, and what the board sends back.

use crate::boards::{Load, Silicon};
use crate::demo::Demo;
use crate::models::Task;
use crate::{demo, reports, setup, silicon, uf2};
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use indicatif::ProgressBar;
use serialport::SerialPort;
use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

#[derive(Args)]
pub struct Options {
    #[arg(value_enum, default_value_t = Demo::Of(Task::Digits))]
    demo: Demo,
    #[arg(long, value_parser = crate::boards::find_silicon)]
    board: &'static Silicon,
    /// The serial port that the board's UART comes in by (115,200 baud): show what the board computed, as `demo` does
    #[arg(long)]
    port: Option<String>,
    /// The drive that a Pico is while BOOTSEL is held: copy the UF2 file to it
    #[arg(long)]
    drive: Option<PathBuf>,
}

/// A board that sends nothing for this long is not running, or not the one at the port.
const SILENCE: Duration = Duration::from_secs(60);
const BAUD: u32 = 115_200;

/// Builds a demo, puts it on the board and, where a port is named, shows what it sends.
pub fn run(options: &Options) -> Result<()> {
    let Options { demo, board, port, drive } = options;
    let task = match demo {
        Demo::Of(task) => Some(*task),
        Demo::Live => None,
    };
    ensure!(
        task.is_some() || port.is_none(),
        "live has no end to compare: leave --port out, and send keys by any terminal at {BAUD} baud"
    );
    let elf = silicon::build(board, *demo)?;
    let bytes = load(board, &elf, port.as_deref(), drive.as_deref())?;
    task.zip(bytes).map_or(Ok(()), |(task, bytes)| demo::show_flashed(task, board, bytes))
}

/// Puts a program on the board and, where a port is named, answers the bytes of a run.
pub fn load(board: &Silicon, elf: &Path, port: Option<&str>, drive: Option<&Path>) -> Result<Option<Vec<u8>>> {
    let probe = matches!(board.load, Load::Probe(_));
    ensure!(drive.is_none() || !probe, "{} is no drive: it is flashed by a probe", board.name);
    // Open before the board starts, so that no byte is missed.
    let port = port.map(open).transpose()?;
    let mut log = match board.load {
        Load::Probe(chip) => by_probe(chip, elf, port.is_some())?,
        Load::Uf2(family) => by_uf2(elf, family, drive)?,
    };
    let listen = |mut port| receive(&mut port, SILENCE, || log.as_mut().map_or(Ok(()), Log::check));
    port.map(listen).transpose()
}

/// Flashes and starts the program; its log comes to this terminal, until it is interrupted or, with a port to listen to, until the log is dropped.
fn by_probe(chip: &str, elf: &Path, listen: bool) -> Result<Option<Log>> {
    const PROBE_RS: &str = "probe-rs";
    let install = "probe-rs is missing: `cargo install probe-rs-tools --locked` installs it (https://probe.rs)";
    ensure!(setup::runs(Command::new(PROBE_RS).arg("--version")), install);
    let probes = Command::new(PROBE_RS).arg("list").output()?;
    let none = String::from_utf8_lossy(&probes.stdout).contains("No debug probes were found");
    ensure!(!none, "no debug probe is connected: plug the board in by the USB socket of its debugger");
    let mut command = Command::new(PROBE_RS);
    command.args(["run", "--chip", chip]).arg(elf);
    if listen {
        let child = command.stdin(Stdio::null()).spawn().context("probe-rs could not be started")?;
        return Ok(Some(Log(child)));
    }
    println!("The board's log follows; Ctrl-C ends it. With --port a demo's pictures come too.");
    let status = command.status().context("probe-rs could not be started")?;
    ensure!(status.success(), "probe-rs could not run the program on the {chip}");
    Ok(None)
}

/// A probe-rs that prints the log, ended when it is dropped.
struct Log(Child);

impl Log {
    /// Whether it has not failed.
    fn check(&mut self) -> Result<()> {
        let failed = self.0.try_wait()?.filter(|status| !status.success());
        failed.map_or(Ok(()), |status| bail!("probe-rs failed ({status})"))
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Writes the UF2 file beside the ELF file, and to the drive.
fn by_uf2(elf: &Path, family: u32, drive: Option<&Path>) -> Result<Option<Log>> {
    let file = elf.with_extension("uf2");
    fs::write(&file, uf2::convert(&fs::read(elf)?, family)?)?;
    println!("Written: {}", file.display());
    let Some(drive) = drive else {
        println!(
            "Hold BOOTSEL while plugging the board in and copy the file to the drive that appears, or name it: --drive."
        );
        return Ok(None);
    };
    // The file by which a bootloader's drive is known.
    ensure!(drive.join("INFO_UF2.TXT").exists(), "{} is not the drive of a board in its bootloader", drive.display());
    fs::copy(&file, drive.join("upconv.uf2")).with_context(|| format!("{} cannot be written", drive.display()))?;
    Ok(None)
}

fn open(name: &str) -> Result<Box<dyn SerialPort>> {
    let port = serialport::new(name, BAUD).timeout(Duration::from_millis(100)).open();
    port.with_context(|| format!("the serial port {name} cannot be opened"))
}

/// The bytes of a whole run, up to the report that nothing follows, while `check` has nothing to object.
fn receive(port: &mut dyn Read, silence: Duration, mut check: impl FnMut() -> Result<()>) -> Result<Vec<u8>> {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    let mut last = Instant::now();
    let bar = ProgressBar::new_spinner();
    bar.set_message("listening");
    while !reports::done(&bytes) {
        check()?;
        match port.read(&mut buffer) {
            Ok(n @ 1..) => {
                // A UART that is switched on may send zeros, which end no report.
                let more = &buffer[..n];
                let noise = more.iter().take_while(|b| bytes.is_empty() && **b == 0).count();
                bytes.extend(&more[noise..]);
                bar.inc(reports::count(more));
                last = Instant::now();
            }
            Err(error) if error.kind() != ErrorKind::TimedOut => bail!("the serial port failed: {error}"),
            _ if last.elapsed() > silence => {
                bail!("the board has been silent for {} s after {} bytes", silence.as_secs(), bytes.len())
            }
            _ => {}
        }
    }
    bar.finish_and_clear();
    Ok(bytes)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::reports::on_host;
    use serialport::TTYPort;
    use std::io::Write;
    use std::thread;

    /// A pair of pseudo-terminals: what is written to the one comes out at the other, opened by its name.
    fn pair() -> (TTYPort, Box<dyn SerialPort>) {
        let (board, us) = TTYPort::pair().unwrap();
        let port = open(&us.name().unwrap()).unwrap();
        // Only now, or the terminal ends with its last holder.
        drop(us);
        (board, port)
    }

    #[test]
    fn a_run_comes_in_by_a_serial_port_and_is_the_hosts() {
        let (mut board, mut port) = pair();
        let sender = thread::spawn(move || {
            board.write_all(&[0]).unwrap();
            board.write_all(&on_host(firmware::digits::run, &[])).unwrap();
            board
        });
        let bytes = receive(&mut port, SILENCE, || Ok(())).unwrap();
        sender.join().unwrap();
        assert!(!Task::Digits.compare_first(bytes).unwrap().is_empty());
    }

    #[test]
    fn a_board_that_stops_is_an_error() {
        let (mut board, mut port) = pair();
        board.write_all(&[1, 2, 3]).unwrap();
        let error = receive(&mut port, Duration::from_millis(300), || Ok(())).unwrap_err();
        assert_eq!(error.to_string(), "the board has been silent for 0 s after 3 bytes");
    }
}
