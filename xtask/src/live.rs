//! `cargo xtask demo live`: digits that turn into each other on a board, and a conversation with its console as a test.

use crate::boards::Board;
use crate::canvas::Picture;
use crate::reports::{self, Heard, Inbox};
use crate::{cargo, emulator, oled, setup, terminal};
use anyhow::{Result, ensure};
use console::{Key, Term};
use firmware::console::{Command, LONGEST, Refusal, SILENCE, frame};
use firmware::report::Report;
use firmware::{digits, live};
use indicatif::ProgressBar;
use std::collections::VecDeque;
use std::io::{self, IsTerminal, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use std::{mem, thread};

/// Pictures that are shown when there is no terminal whose keys could end the walk.
const PICTURES: usize = 32;

/// Shows the pictures as they come and passes the keys on.
pub fn run(board: &Board) -> Result<()> {
    setup::board(board)?;
    cargo::board(board, &["live"])?;
    let term = Term::stdout();
    let keys = term.is_term() && io::stdin().is_terminal();
    if keys {
        term.clear_screen()?;
    }
    let (mut inbox, mut levels, mut count, mut passes_keys, mut next) =
        (Inbox::default(), Vec::new(), 0, false, Instant::now());
    emulator::converse(board, "live", &[], &ProgressBar::hidden(), Duration::MAX, &mut |link, bytes| {
        if keys && !passes_keys {
            passes_keys = true;
            let uart = link.uart.try_clone()?;
            // Ends with this program, or when the board has gone.
            thread::spawn(|| pass_keys(uart));
        }
        inbox.take(bytes, |report| {
            match report {
                Report::Output { data, .. } => levels.extend(data.iter().map(|v| digits::SHOWN.level(*v as i8))),
                Report::Shown => {
                    count += 1;
                    let digit = Picture::grey(28, mem::take(&mut levels).into_iter());
                    // A terminal is slower than a board: half the time is for showing, the pictures of the other half are passed over.
                    let start = Instant::now();
                    if if keys { start >= next } else { count % 4 == 0 } {
                        let mut row = vec![("Decoded".to_string(), digit)];
                        // None if the board has ended meanwhile.
                        if let Some(screen) = (board.name == oled::BOARD).then(|| link.screenshot().ok()).flatten() {
                            row.push(("The board's display".into(), screen.smaller(oled::SIDE)));
                        }
                        if keys {
                            term.move_cursor_to(0, 0)?;
                        }
                        terminal::show(&[row]);
                        println!("0 to 9: this digit, n: the next one, p: pause, .: one picture, q: end");
                        next = Instant::now() + start.elapsed();
                    }
                    if !keys && count == PICTURES {
                        link.uart.write_all(b"q")?;
                    }
                }
                Report::Rejected(why) => println!("The board refuses this: {why:?}"),
                Report::Decoded { instructions, stack, statics, .. } => println!(
                    "{count} pictures, {instructions} instructions each; RAM: {} bytes of activations, {stack} of stack, {statics} of statics.",
                    digits::SHOWN.ram
                ),
                _ => {}
            }
            Ok(())
        })
    })?;
    Ok(())
}

fn pass_keys(mut uart: TcpStream) {
    while let Ok(key) = Term::stdout().read_key() {
        let byte = match key {
            Key::Char(' ') => b'p',
            Key::Char(key) if key.is_ascii() => key as u8,
            Key::Escape | Key::CtrlC => b'q',
            _ => continue,
        };
        if uart.write_all(&[byte]).is_err() {
            break;
        }
    }
}

/// What the test says to a board, and what must come back.
enum Say {
    /// These bytes, each of whose messages has an answer; a picture follows if it was the key for one.
    Bytes(Vec<u8>, Vec<Result<(), Refusal>>),
    /// The button.
    Button(bool),
}

use Say::{Button, Bytes};

/// One picture.
const PICTURE: u8 = b'.';

fn key(key: u8) -> Say {
    Bytes(vec![key], vec![Ok(())])
}

fn input(values: &[u8]) -> Result<Vec<u8>> {
    let mut buffer = [0; 2 * LONGEST];
    Ok(frame(&Command::Input(values), &mut buffer)?.to_vec())
}

/// Keys, codes, the button, and every kind of damage, a picture after each.
fn script(with_button: bool) -> Result<Vec<Say>> {
    let code: Vec<u8> = digits::SHOWN.input(3).map(|v| v as u8).collect();
    let whole = input(&code)?;
    let refused = |bytes: &[u8], why: Refusal| Bytes(bytes.to_vec(), vec![Err(why)]);
    let with = |bytes: &[u8], i: usize, v: u8| -> Vec<u8> {
        bytes.iter().enumerate().map(|(k, b)| if k == i { v } else { *b }).collect()
    };
    let mut all = vec![key(b'7'), key(b'n'), Bytes(whole.clone(), vec![Ok(())])];
    if with_button {
        all.extend([Button(true), Button(false)]);
    }
    all.extend([
        refused(b"x", Refusal::Key(b'x')),
        // Silence after half a frame.
        refused(&whole[..12], Refusal::Truncated),
        // Half a frame, and a whole one after it.
        Bytes([&whole[..12], &whole].concat(), vec![Err(Refusal::Truncated), Ok(())]),
        refused(&[&[0], &[b'q'; LONGEST + 1][..], &[0]].concat(), Refusal::Oversized),
        refused(&[&[0], &[b'q'; 5000][..], &[0]].concat(), Refusal::Oversized),
        refused(&with(&whole, 8, whole[8] ^ 4), Refusal::Corrupt),
        Bytes([&with(&whole, 9, whole[9] ^ 64), &whole[..]].concat(), vec![Err(Refusal::Corrupt), Ok(())]),
        refused(&input(&code[..15])?, Refusal::Length { got: 15, need: 16 }),
        refused(&input(&[0; 17])?, Refusal::Length { got: 17, need: 16 }),
        // A number that no command has, its CRC right.
        refused(&[0, 6, 9, 0x29, 0x57, 0xDE, 0xAB, 0], Refusal::Unknown),
    ]);
    let mut script = vec![key(PICTURE)];
    for say in all {
        script.push(say);
        script.push(key(PICTURE));
    }
    script.extend((0..20).map(|_| key(PICTURE)));
    script.push(key(b'q'));
    Ok(script)
}

/// The conversation on a board: its answers are the expected ones, and its pictures those of the same conversation on this host.
pub fn converses(board: &Board) -> Result<()> {
    setup::board(board)?;
    cargo::board(board, &["live"])?;
    let arguments = ["paused".to_string()];
    let script = script(board.name == oled::BOARD)?;

    let mut heard = VecDeque::new();
    for say in &script {
        match say {
            Bytes(bytes, _) => {
                heard.extend(bytes.iter().map(|b| Heard::Byte(*b)));
                // A frame that was cut off ends by silence.
                let cut_off = bytes[0] == 0 && bytes.last() != Some(&0);
                heard.extend(cut_off.then_some(Heard::Silence(SILENCE)));
            }
            Button(down) => heard.push_back(Heard::Button(*down)),
        }
    }
    let mut host = reports::conversation_on_host(live::run, &arguments, heard);
    let host = reports::decode(&mut host)?;

    let (mut inbox, mut rest, mut due) = (Inbox::default(), script.iter(), 1);
    let mut device = emulator::converse(
        board,
        "live",
        &arguments,
        &ProgressBar::hidden(),
        emulator::SILENCE,
        &mut |link, bytes| {
            inbox.take(bytes, |report| {
                if report == Report::Ready && board.name == oled::BOARD {
                    // The emulator has its button down until it has been used.
                    link.button(true)?;
                    link.button(false)?;
                }
                due -=
                    i32::from(matches!(report, Report::Accepted | Report::Rejected(_) | Report::Shown | Report::Ready));
                while due == 0 {
                    match rest.next() {
                        Some(Bytes(bytes, answers)) => {
                            due = answers.len() as i32 + i32::from(bytes[..] == [PICTURE]);
                            link.uart.write_all(bytes)?;
                        }
                        Some(Button(down)) => link.button(*down)?,
                        None => break,
                    }
                }
                Ok(())
            })
        },
    )?;
    let device = reports::decode(&mut device)?;

    let answers = |reports: &[Report<'_>]| -> Vec<Result<(), Refusal>> {
        let answer = |report: &Report<'_>| match report {
            Report::Accepted => Some(Ok(())),
            Report::Rejected(why) => Some(Err(*why)),
            _ => None,
        };
        reports.iter().filter_map(answer).collect()
    };
    let expected = script.iter().flat_map(|say| match say {
        Bytes(_, answers) => &answers[..],
        Button(_) => &[],
    });
    let (expected, got): (Vec<_>, _) = (expected.copied().collect(), answers(&device));
    let first = expected.iter().zip(&got).position(|(e, g)| e != g).unwrap_or(expected.len().min(got.len()));
    ensure!(got == expected, "answer {first} is {:?}, not {:?}", got.get(first), expected.get(first));
    let comparable = |report: &&Report<'_>| !matches!(report, Report::Decoded { .. });
    let same = device.iter().filter(comparable).eq(host.iter().filter(comparable));
    ensure!(same, "the pictures are not the host's");
    let pictures = device.iter().filter(|report| **report == Report::Shown).count();
    ensure!(device.last() == Some(&Report::Done) && pictures > 20, "the board stopped after {pictures} pictures");
    Ok(())
}
