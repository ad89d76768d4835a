//! Pictures and tables for a terminal.

use crate::figures::{COLUMNS, Digits, NOTES, test_image};
use console::Term;
use firmware::digits::{DECODERS, SIDE};
use std::iter::once;

/// Samples that are shown.
const SHOWN: usize = 3;
/// Space between pictures.
const GAP: usize = 2;

/// The first samples: the test image and what each decoder made of it, as large as the terminal is wide.
pub fn show(digits: &Digits) {
    let term = Term::stdout();
    let pictures = 1 + DECODERS.len();
    let fits = |shrink: &usize| pictures * (SIDE / shrink + GAP) <= usize::from(term.size().1);
    let shrink = if term.is_term() && !fits(&1) { 2 } else { 1 };
    let cell = if term.is_term() { blocks } else { shade };

    let names = once("test image").chain(DECODERS.iter().map(|d| d.name));
    let width = SIDE / shrink + GAP;
    println!("\n{}", names.map(|name| format!("{name:<width$}")).collect::<String>());
    for sample in 0..SHOWN {
        for y in (0..SIDE).step_by(2 * shrink) {
            for picture in once(test_image(sample)).chain((0..DECODERS.len()).map(|d| digits.int8(d, sample))) {
                for x in (0..SIDE).step_by(shrink) {
                    let grey = |y| mean(picture, x, y, shrink);
                    print!("{}", cell(grey(y), grey(y + shrink)));
                }
                print!("{:GAP$}", "");
            }
            println!();
        }
        println!();
    }
}

/// The mean of a square of a picture.
fn mean(picture: &[u8], x: usize, y: usize, side: usize) -> u32 {
    let square = (y..y + side).flat_map(|y| (x..x + side).map(move |x| u32::from(picture[y * SIDE + x])));
    square.sum::<u32>() / (side * side) as u32
}

/// Two pixels above each other, in the 24 greys of a 256-colour terminal.
fn blocks(top: u32, bottom: u32) -> String {
    let colour = |grey| 232 + grey * 23 / 255;
    format!("\x1b[38;5;{};48;5;{}m▀\x1b[0m", colour(top), colour(bottom))
}

/// The same in plain text.
fn shade(top: u32, bottom: u32) -> String {
    const SHADES: &[u8] = b" .:-=+*#%@";
    char::from(SHADES[((top + bottom) as usize * (SHADES.len() - 1)) / 510]).into()
}

/// The table of figures, and what they are.
pub fn table(rows: &[[String; COLUMNS]]) -> String {
    let rows: Vec<_> = rows.iter().map(|row| row.to_vec()).collect();
    format!("{}\n\n{}", markdown(&rows), NOTES.map(|note| format!("- {note}")).join("\n"))
}

/// A table in Markdown, headings first, all but the first column right-aligned.
pub fn markdown(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0).max(3);
    let mut lines = Vec::new();
    for (i, row) in rows.iter().enumerate() {
        let cells = row.iter().enumerate().skip(1).map(|(c, cell)| format!(" {cell:>0$} |", width(c)));
        lines.push(format!("| {:<1$} |{2}", row[0], width(0), cells.collect::<String>()));
        if i == 0 {
            let rules = (1..columns).map(|c| format!(" {}: |", "-".repeat(width(c) - 1)));
            lines.push(format!("| {} |{}", "-".repeat(width(0)), rules.collect::<String>()));
        }
    }
    lines.join("\n")
}
