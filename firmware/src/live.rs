//! Digits that turn into each other: a walk between the codes of test images, each picture decoded row by row.
//!
//! `code = (from (16 - t) + to t + 8) >> 4`, t = 1 … 16. The host's keys choose the next digit, pause, go on by one picture and end the walk; a
//! button chooses the next digit and, held down for a whole step, ends it. A host can send a code of its own as the next aim.

use crate::Board;
use crate::console::{Command, Console, Event, Refusal};
use crate::display::Part;
use crate::networks::Shown;
use crate::report::{Report, send};

/// What the binaries call: see [`walk`].
pub fn run(board: &mut impl Board) {
    crate::digits::walk(board);
}

/// Pictures from one code to the next.
const STEPS: i32 = 16;
/// How often the line is asked between two pictures, at least: some 20 ms on a core of 50 MHz.
const PACE: u32 = 1 << 17;
/// Numbers of a code.
const CODE: usize = 16;
/// The first of ten test images, a digit each.
const FIRST: usize = 10;

struct Walk {
    from: [i8; CODE],
    to: [i8; CODE],
    /// The digit that `to` shows or that was the last before it.
    digit: usize,
    t: i32,
    paused: bool,
    done: bool,
}

impl Walk {
    /// Makes for a code.
    fn turn(&mut self, to: [i8; CODE]) {
        (self.from, self.to, self.t) = (self.code(), to, 0);
    }

    fn turn_to(&mut self, digit: usize, shown: &Shown) {
        self.digit = digit % 10;
        self.turn(code(shown.input(FIRST + self.digit)));
    }

    fn code(&self) -> [i8; CODE] {
        let mut code = [0; CODE];
        for (code, (from, to)) in code.iter_mut().zip(self.from.iter().zip(self.to)) {
            // Between the two, therefore an int8.
            *code = ((i32::from(*from) * (STEPS - self.t) + i32::from(to) * self.t + STEPS / 2) >> 4) as i8;
        }
        code
    }

    /// Does what the host says; answers whether a picture is wanted at once.
    fn obey(&mut self, event: Event<'_>, shown: &Shown) -> Result<bool, Refusal> {
        match event {
            Event::Key(key @ b'0'..=b'9') => self.turn_to((key - b'0').into(), shown),
            Event::Key(b'n') => self.turn_to(self.digit + 1, shown),
            Event::Key(b'p') => self.paused = !self.paused,
            Event::Key(b'.') => return Ok(true),
            Event::Key(b'q') => self.done = true,
            Event::Key(key) => return Err(Refusal::Key(key)),
            Event::Command(Command::Input(values)) => {
                let need = self.to.len();
                if values.len() != need {
                    return Err(Refusal::Length { got: values.len() as u32, need: need as u32 });
                }
                self.turn(code(values.iter().map(|v| *v as i8)));
            }
            Event::Refused(why) => return Err(why),
        }
        Ok(false)
    }
}

fn code(values: impl Iterator<Item = i8>) -> [i8; CODE] {
    let mut code = [0; CODE];
    code.iter_mut().zip(values).for_each(|(to, v)| *to = v);
    code
}

/// Walks until it is told to end, at first pausing if the command line says `paused`. Everything that the host says is answered.
pub fn walk(board: &mut impl Board, shown: &Shown, memory: &mut [i8]) {
    let first = code(shown.input(FIRST));
    let mut walk = Walk { from: first, to: first, digit: 0, t: STEPS, paused: false, done: false };
    board.arguments(|_, argument| walk.paused |= argument == "paused");
    let (mut console, mut idle) = (Console::default(), 0);
    // A button that is down from the beginning has not been pressed.
    let (mut down, mut chosen) = (board.pressed(), false);
    let (mut held, mut pictures, mut instructions) = (0, 0u32, 0);
    board.paint_stack();
    let words = memory.len();
    send(board, &Report::Ready);
    while !walk.done {
        let byte = board.receive();
        // After the line: what came by the line after the press is answered after it.
        let pressed = board.pressed();
        if pressed && !down {
            walk.turn_to(walk.digit + 1, shown);
            (chosen, held) = (true, 0);
        }
        chosen &= pressed;
        down = pressed;
        let mut wanted = false;
        if let Some(event) = console.take(byte) {
            let answer = walk.obey(event, shown);
            send(board, &answer.map_or_else(Report::Rejected, |_| Report::Accepted));
            wanted = answer.unwrap_or(false);
        }
        // A frame is taken in one go: between pictures, because a UART keeps a few bytes only.
        idle = if byte.is_some() || console.is_open() || walk.paused { 0 } else { idle + 1 };
        if !wanted && idle < PACE {
            continue;
        }
        idle = 0;
        held += i32::from(chosen);
        walk.done |= chosen && held > STEPS;
        if walk.t == STEPS {
            walk.turn_to(walk.digit + 1, shown);
        }
        walk.t += 1;
        instructions += draw(board, shown, &walk.code(), pictures, memory);
        pictures = pictures.wrapping_add(1);
        send(board, &Report::Shown);
    }
    let (stack, statics) = (board.stack_peak().saturating_sub(words) as u32, board.statics() as u32);
    let instructions = instructions / u64::from(pictures.max(1));
    send(board, &Report::Decoded { network: 0, instructions, stack, statics });
    send(board, &Report::Done);
}

/// Decodes a code, shows and reports each row; answers the instructions, showing and reporting not counted.
fn draw(board: &mut impl Board, shown: &Shown, code: &[i8; CODE], picture: u32, memory: &mut [i8]) -> u64 {
    let part = Part { shape: shown.rows.output(), n: 0, of: 1 };
    let (mut y, mut instructions, mut start) = (0, 0, board.instructions());
    shown.decode(&mut code.iter().copied(), memory, &mut |row| {
        instructions += board.instructions() - start;
        shown.show(board, part, y, row);
        send(board, &Report::Output { network: 0, sample: picture as u8, data: bytemuck::cast_slice(row) });
        y += 1;
        start = board.instructions();
    });
    instructions
}
