//! Pictures and tables for a terminal.

use crate::canvas::Picture;
use console::Term;
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::RgbColor;

/// Space between pictures.
const GAP: usize = 2;

/// Rows of pictures side by side, as large as the terminal is wide.
pub fn show(rows: &[Vec<(String, Picture)>]) {
    let term = Term::stdout();
    let columns = if term.is_term() { usize::from(term.size().1) } else { 160 };
    let cell = if term.is_term() { blocks } else { shade };
    let mut text = String::new();
    for row in rows {
        let width: usize = row.iter().map(|(_, p)| p.width + GAP).sum();
        let shrink = (1..).find(|s| width / s <= columns).unwrap_or(1);
        let name = |(name, p): &(String, Picture)| format!("{name:<0$.0$}", p.width / shrink + GAP);
        text += &format!("\n{}\n", row.iter().map(name).collect::<String>());
        let height = row.iter().map(|(_, p)| p.height()).max().unwrap_or(0);
        for y in (0..height + 1 - 2 * shrink).step_by(2 * shrink) {
            for (_, picture) in row {
                let below = y + 2 * shrink > picture.height();
                for x in (0..picture.width + 1 - shrink).step_by(shrink) {
                    text += &match below {
                        true => " ".into(),
                        false => cell(mean(picture, x, y, shrink), mean(picture, x, y + shrink, shrink)),
                    };
                }
                text += &" ".repeat(GAP);
            }
            text.push('\n');
        }
    }
    println!("{text}");
}

/// The mean of a square of a picture.
fn mean(picture: &Picture, x: usize, y: usize, side: usize) -> Rgb888 {
    let square = (y..y + side).flat_map(|y| (x..x + side).map(move |x| picture.pixels[y * picture.width + x]));
    let sum = square.fold([0; 3], |[r, g, b], p| [r + u32::from(p.r()), g + u32::from(p.g()), b + u32::from(p.b())]);
    let [r, g, b] = sum.map(|v| (v / (side * side) as u32) as u8);
    Rgb888::new(r, g, b)
}

/// Two pixels above each other, in the colours of a terminal that has them all.
fn blocks(top: Rgb888, bottom: Rgb888) -> String {
    let code = |c: Rgb888| format!("{};{};{}", c.r(), c.g(), c.b());
    format!("\x1b[38;2;{};48;2;{}m▀\x1b[0m", code(top), code(bottom))
}

/// The same in plain text.
fn shade(top: Rgb888, bottom: Rgb888) -> String {
    const SHADES: &[u8] = b" .:-=+*#%@";
    let luma = |c: Rgb888| (usize::from(c.r()) + 2 * usize::from(c.g()) + usize::from(c.b())) / 4;
    char::from(SHADES[(luma(top) + luma(bottom)) * (SHADES.len() - 1) / 510]).into()
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
