//! `cargo xtask test`: everything on this host, then the same kernels on the emulated board.

use crate::boards::Board;
use crate::{cargo, emulator, reports, setup};
use anyhow::{Context, Result, anyhow, ensure};
use firmware::report::Report;
use firmware::{digits, suite};
use indicatif::ProgressBar;
use libtest_mimic::{Arguments, Failed, Trial};

/// What the linker says of `no-panic` and `panics` when a panic can be reached.
const REACHED: &str = "undefined symbol: a_panic_can_be_reached";

/// The host's tests by `cargo test`, then the board's in the same form.
pub fn run(board: &'static Board) -> Result<()> {
    setup::board(board)?;
    let host = cargo::run(cargo::cargo("test").args(["--workspace", "--no-fail-fast"]));
    let (mut build, _) = cargo::firmware(board, board.name)?;
    cargo::run(&mut build)?;

    let mut trials = kernels(board)?;
    trials.extend([
        trial(board, "digits_are_the_hosts", || digits_are_the_hosts(board)),
        trial(board, "no_panic_can_be_reached", || no_panic_can_be_reached(board)),
        trial(board, "a_panic_does_not_link", || a_panic_does_not_link(board)),
    ]);
    let device = libtest_mimic::run(&Arguments::default(), trials);
    host?;
    ensure!(!device.has_failed(), "tests on {} failed", board.name);
    Ok(())
}

fn trial(board: &Board, name: &str, test: impl FnOnce() -> Result<()> + Send + 'static) -> Trial {
    let words: Vec<_> = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    Trial::test(format!("{}::{}", board.name, words.join("_")), || {
        test().map_err(|error| Failed::from(format!("{error:#}")))
    })
}

/// All bytes that a program sends on the device.
fn on_device(board: &Board, program: &str) -> Result<Vec<u8>> {
    let (_, elf) = cargo::firmware(board, board.name)?;
    emulator::run(board, program, &elf, &ProgressBar::hidden())
}

/// Runs the kernels' suite; each group is a test.
fn kernels(board: &Board) -> Result<Vec<Trial>> {
    let (mut host, mut device) = (reports::on_host(suite::run), on_device(board, "suite"));
    let host = reports::decode(&mut host)?;
    let device = device.as_deref_mut().map_err(|error| anyhow!("{error:#}")).and_then(reports::decode);
    let test = |name| {
        let verdict = group(name, &device, &host);
        trial(board, name, || verdict)
    };
    Ok(suite::GROUPS.iter().map(|(name, _)| test(name)).collect())
}

/// Every case of a group equals the exact integer model, and the device's bytes are the host's.
fn group(name: &str, device: &Result<Vec<Report<'_>>>, host: &[Report<'_>]) -> Result<()> {
    let of = |reports: &[Report<'_>]| {
        reports.iter().find_map(|report| match *report {
            Report::Suite { name: n, cases, failed, digest } if n == name => Some((cases, failed, digest)),
            _ => None,
        })
    };
    let device = device.as_ref().map_err(|error| anyhow!("{error:#}"))?;
    let (cases, failed, digest) = of(device).context("the device did not run this group")?;
    ensure!(cases > 0 && failed == 0, "{failed} of {cases} cases differ from the exact integer model");
    ensure!(of(host) == Some((cases, 0, digest)), "the device's bytes are not the host's");
    Ok(())
}

fn digits_are_the_hosts(board: &Board) -> Result<()> {
    let (mut host, mut device) = (reports::on_host(digits::run), on_device(board, "digits")?);
    reports::compare(&reports::decode(&mut device)?, &reports::decode(&mut host)?)
}

fn no_panic_can_be_reached(board: &Board) -> Result<()> {
    let (linked, messages) = link(board, "no-panic")?;
    ensure!(linked, "no-panic does not link: {messages}");
    Ok(())
}

/// The red control of the test above: it must fail to link, and for that reason alone.
fn a_panic_does_not_link(board: &Board) -> Result<()> {
    let (linked, messages) = link(board, "panics")?;
    ensure!(!linked, "panics links, so that no-panic proves nothing");
    let reached = messages.contains(REACHED) && messages.matches("undefined symbol").count() == 1;
    ensure!(reached, "panics fails to link for another reason: {messages}");
    Ok(())
}

/// Whether a binary links, and what cargo says.
fn link(board: &Board, binary: &str) -> Result<(bool, String)> {
    let (mut build, _) = cargo::firmware(board, binary)?;
    let output = build.arg("--quiet").output()?;
    Ok((output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned()))
}
