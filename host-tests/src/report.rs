//! Outcomes as text.

use crate::run::{Outcome, Status};
use std::collections::BTreeMap;
use std::fmt::Write;

/// `0.4987` steps, or `3.1e-8` of the largest value in f64.
fn error(numbers: &str, e: f64) -> String {
    if numbers == "f64" { format!("{e:.1e}") } else { format!("{e:.4}") }
}

/// One line for a case: its name, its operator and what came of it in each number format.
pub fn line(outcomes: &[Outcome]) -> String {
    let Some(first) = outcomes.first() else { return String::new() };
    let mut line = format!("{:32} {:18}", first.name, first.op);
    let alike = outcomes.iter().all(|o| (o.status, o.max_err_steps, &o.reason) == (first.status, None, &first.reason));
    let shown = if alike { &outcomes[..1] } else { outcomes };
    for (i, o) in shown.iter().enumerate() {
        let all = outcomes.iter().map(|o| o.numbers).collect::<Vec<_>>().join(" ");
        let numbers = if alike { &all } else { o.numbers };
        let _ = write!(line, "{} {}", if i == 0 { "" } else { "," }, format!("{numbers} {}", o.status.name()).trim());
        if let Some(e) = o.max_err_steps.filter(|e| *e != 0.0) {
            let _ = write!(line, " {}", error(o.numbers, e));
        }
        if !o.reason.is_empty() {
            let _ = write!(line, " ({})", o.reason.replace('\n', " "));
        }
    }
    line
}

/// What came of an operator in one number format.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Cases by [`Status`].
    pub of: [usize; 5],
    /// The largest error within the budget.
    pub largest: f64,
}

/// Counts by operator and number format.
pub fn count(outcomes: &[Outcome]) -> BTreeMap<(&str, &str), Counts> {
    let mut all: BTreeMap<_, Counts> = BTreeMap::new();
    for o in outcomes {
        let counts = all.entry((if o.op.is_empty() { "(unreadable)" } else { &o.op }, o.numbers)).or_default();
        counts.of[o.status as usize] += 1;
        if o.status == Status::Within {
            counts.largest = counts.largest.max(o.max_err_steps.unwrap_or(0.0));
        }
    }
    all
}

/// The summary: a row for each operator and number format. Errors are in output steps, those of f64 in units of the largest value.
pub fn summary(outcomes: &[Outcome]) -> String {
    let mut text =
        String::from("operator                 numbers  exact  within  (largest)  wrong  unsupported  error\n");
    for ((op, numbers), Counts { of: [exact, within, wrong, unsupported, errors], largest }) in count(outcomes) {
        let largest = if within > 0 { format!("({})", error(numbers, largest)) } else { String::new() };
        let _ = writeln!(
            text,
            "{op:24} {numbers:7} {exact:6} {within:7}  {largest:9} {wrong:6} {unsupported:12} {errors:6}"
        );
    }
    text
}
