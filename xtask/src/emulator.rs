//! Runs a program of the firmware in the emulator: its log to stderr, its reports to the caller, what the caller says to its console.

use crate::boards::Board;
use crate::canvas::Picture;
use crate::{cargo, reports};
use anyhow::{Context, Result, bail, ensure};
use defmt_decoder::{DecodeError, Table};
use indicatif::ProgressBar;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;
use std::{fs, thread};

/// A device that neither logs nor reports for this long hangs.
pub const SILENCE: Duration = Duration::from_secs(180);

enum Output {
    Reports(Vec<u8>),
    Log(Vec<u8>),
}

/// Ends with this program, whatever happens.
struct Emulator(Child);

impl Drop for Emulator {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a caller has of a program that runs.
pub struct Link {
    /// The other end of the board's UART.
    pub uart: TcpStream,
    monitor: BufReader<TcpStream>,
    /// Where the emulator puts a picture.
    picture: PathBuf,
}

impl Link {
    /// Gives the emulator an order.
    fn order(&mut self, order: &Value) -> Result<()> {
        writeln!(self.monitor.get_mut(), "{order}")?;
        loop {
            let mut line = String::new();
            ensure!(self.monitor.read_line(&mut line)? > 0, "the emulator has ended");
            let answer: Value = serde_json::from_str(&line)?;
            if let Some(why) = answer["error"]["desc"].as_str() {
                bail!("the emulator refuses {}: {why}", order["execute"]);
            }
            if answer.get("return").is_some() {
                return Ok(());
            }
        }
    }

    /// What the board's display shows.
    pub fn screenshot(&mut self) -> Result<Picture> {
        self.order(&json!({ "execute": "screendump", "arguments": { "filename": self.picture } }))?;
        let file = fs::read(&self.picture)?;
        fs::remove_file(&self.picture)?;
        Picture::from_ppm(&file)
    }

    /// Presses or lets go of the board's button, which the emulator has on a key.
    pub fn button(&mut self, down: bool) -> Result<()> {
        let key = json!({ "type": "key", "data": { "down": down, "key": { "type": "qcode", "data": "ctrl" } } });
        self.order(&json!({ "execute": "input-send-event", "arguments": { "events": [key] } }))
    }
}

/// The bytes of all reports; `bar` moves by one for each.
pub fn run(board: &Board, program: &str, arguments: &[String], bar: &ProgressBar) -> Result<Vec<u8>> {
    converse(board, program, arguments, bar, SILENCE, &mut |_, _| Ok(()))
}

/// The same, while `listen` gets what the program sends as it comes and may answer. `silence` is how long the program may be silent.
pub fn converse(
    board: &Board,
    program: &str,
    arguments: &[String],
    bar: &ProgressBar,
    silence: Duration,
    listen: &mut dyn FnMut(&mut Link, &[u8]) -> Result<()>,
) -> Result<Vec<u8>> {
    let elf = cargo::elf(board, board.name)?;
    let elf_bytes = fs::read(&elf).with_context(|| format!("{} cannot be read", elf.display()))?;
    let table = Table::parse(&elf_bytes)?.context("the firmware holds no log table")?;
    let mut decoder = table.new_stream_decoder();

    let [uart, monitor] = [(); 2].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
    let (uart, monitor) = (uart?, monitor?);
    let ports = [uart.local_addr()?.port(), monitor.local_addr()?.port()];
    let mut emulator = start(board, program, arguments, &elf, ports)?;
    let (to, outputs) = mpsc::channel();
    forward(emulator.0.stdout.take().context("no standard output")?, to.clone(), Output::Log);
    let uart = connect(&uart, &mut emulator.0)?;
    let mut link = Link {
        uart: uart.try_clone()?,
        monitor: BufReader::new(connect(&monitor, &mut emulator.0)?),
        picture: elf.with_extension(format!("{}.ppm", ports[0])),
    };
    link.monitor.read_line(&mut String::new())?;
    link.order(&json!({ "execute": "qmp_capabilities" }))?;
    forward(uart, to, Output::Reports);

    let (mut bytes, mut last) = (Vec::new(), String::new());
    loop {
        match outputs.recv_timeout(silence) {
            Ok(Output::Reports(more)) => {
                bar.inc(reports::count(&more));
                listen(&mut link, &more)?;
                bytes.extend(more);
            }
            Ok(Output::Log(more)) => {
                decoder.received(&more);
                loop {
                    match decoder.decode() {
                        Ok(frame) => last = log(&frame, bar),
                        Err(DecodeError::UnexpectedEof) => break,
                        Err(DecodeError::Malformed) => bail!("the log of the device is damaged"),
                    }
                }
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                bail!("the device has been silent for {} s after report {}", silence.as_secs(), bar.position())
            }
        }
    }
    let status = emulator.0.wait()?;
    ensure!(status.success(), "{program} on {} failed ({status}): {last}", board.name);
    Ok(bytes)
}

fn start(
    board: &Board,
    program: &str,
    arguments: &[String],
    elf: &Path,
    [uart, monitor]: [u16; 2],
) -> Result<Emulator> {
    let qemu = board.emulator;
    let mut command = Command::new(qemu.program);
    command.args(["-M", board.machine, "-icount", &format!("shift={}", qemu.shift)]);
    command.args(["-display", "none", "-monitor", "none"]);
    let socket = |name: &str, port: u16| format!("socket,id={name},host=127.0.0.1,port={port}");
    command.args(["-chardev", &socket("uart", uart), "-serial", "chardev:uart"]);
    command.args(["-chardev", &socket("monitor", monitor), "-mon", "chardev=monitor,mode=control"]);
    command.args(qemu.arguments);
    let mut semihosting = format!("enable=on,target=native,arg={},arg={program}", board.name);
    // QEMU joins them with blanks; the quotes are the firmware's, a doubled comma is QEMU's single one.
    arguments.iter().for_each(|argument| semihosting += &format!(",arg=\"{}\"", argument.replace(',', ",,")));
    command.args(["-semihosting-config", &semihosting]).arg("-kernel").arg(elf);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Ok(Emulator(command.spawn().with_context(|| format!("{} could not be started", qemu.program))?))
}

/// What a program of another toolchain prints over semihosting on a board, which has to end by itself and with success.
pub fn console(board: &Board, elf: &Path) -> Result<String> {
    let (mut emulator, outputs) =
        alone(board, elf, &["-serial", "none", "-semihosting-config", "enable=on,target=native"])?;
    let mut printed = Vec::new();
    while let Some(more) = next(&outputs, elf)? {
        printed.extend(more);
    }
    let (status, printed) = (emulator.0.wait()?, String::from_utf8_lossy(&printed).into_owned());
    ensure!(status.success(), "{} on {} failed ({status}): {printed}", elf.display(), board.name);
    Ok(printed)
}

/// The first line that such a program sends to the first UART; it is then stopped.
pub fn line(board: &Board, elf: &Path) -> Result<String> {
    let (_emulator, outputs) = alone(board, elf, &["-serial", "stdio"])?;
    let mut sent = Vec::new();
    while !sent.contains(&b'\n')
        && let Some(more) = next(&outputs, elf)?
    {
        sent.extend(more);
    }
    Ok(String::from_utf8_lossy(&sent).into_owned())
}

/// An emulator that runs a program, and what it prints.
fn alone(board: &Board, elf: &Path, arguments: &[&str]) -> Result<(Emulator, Receiver<Output>)> {
    let qemu = board.emulator;
    let mut command = Command::new(qemu.program);
    command.args(["-M", board.machine, "-icount", &format!("shift={}", qemu.shift)]).args(qemu.arguments);
    command.args(["-display", "none", "-monitor", "none"]).args(arguments).arg("-kernel").arg(elf);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut emulator = Emulator(command.spawn().with_context(|| format!("{} could not be started", qemu.program))?);
    let (to, outputs) = mpsc::channel();
    forward(emulator.0.stdout.take().context("no standard output")?, to, Output::Log);
    Ok((emulator, outputs))
}

/// More of what it prints; None at its end.
fn next(outputs: &Receiver<Output>, elf: &Path) -> Result<Option<Vec<u8>>> {
    match outputs.recv_timeout(SILENCE) {
        Ok(Output::Log(more) | Output::Reports(more)) => Ok(Some(more)),
        Err(RecvTimeoutError::Disconnected) => Ok(None),
        Err(RecvTimeoutError::Timeout) => bail!("{} has been silent for {} s", elf.display(), SILENCE.as_secs()),
    }
}

/// The emulator's end of the board's UART.
fn connect(listener: &TcpListener, emulator: &mut Child) -> Result<TcpStream> {
    listener.set_nonblocking(true)?;
    loop {
        if let Ok((stream, _)) = listener.accept() {
            stream.set_nonblocking(false)?;
            return Ok(stream);
        }
        if emulator.try_wait()?.is_some() {
            let mut why = String::new();
            emulator.stderr.take().context("no standard error")?.read_to_string(&mut why)?;
            bail!("the emulator does not start: {}", why.trim());
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Sends on what can be read, until the end.
fn forward(mut from: impl Read + Send + 'static, to: Sender<Output>, wrap: fn(Vec<u8>) -> Output) {
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(n @ 1..) = from.read(&mut buffer) {
            if to.send(wrap(buffer[..n].to_vec())).is_err() {
                break;
            }
        }
    });
}

/// Prints a line of the log above the bar.
fn log(frame: &defmt_decoder::Frame<'_>, bar: &ProgressBar) -> String {
    let message = frame.display_message().to_string();
    let level = frame.level().map_or("", |level| level.as_str());
    bar.suspend(|| eprintln!("{level:<5} {message}"));
    message
}
