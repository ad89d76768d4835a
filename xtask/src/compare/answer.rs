//! What was found out about a task: quality with its spread over seeds, costs on every core, flat responses; and what of it three seeds show.

use super::flat::Flat;
use crate::boards::CORES;
use crate::models::Task;
use crate::terminal::markdown;
use indicatif::HumanCount;
use std::iter::{once, zip};

pub const FORMATS: [&str; 3] = ["f32", "int8", "int16x8"];

/// The figure of merit of a network in one format, of each seed.
pub struct Row {
    pub name: &'static str,
    pub format: &'static str,
    pub merits: Vec<f64>,
}

/// What a network costs.
pub struct Cost {
    pub name: &'static str,
    pub format: &'static str,
    /// Bytes of weights, biases and multipliers.
    pub flash: usize,
    /// Bytes of activations, streamed.
    pub ram: usize,
    /// ... and layer by layer.
    pub whole: usize,
    pub macs: u64,
    /// Instructions of one input on each of [`CORES`].
    pub instructions: Vec<u64>,
}

/// A mean of differences, and half the width of its confidence interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    pub mean: f64,
    pub margin: f64,
}

impl Difference {
    /// Of pairs: seeds are compared with themselves, because what a seed draws is the same for all its networks.
    fn of(a: &[f64], b: &[f64]) -> Self {
        let pairs: Vec<f64> = zip(a, b).map(|(a, b)| a - b).collect();
        Difference { mean: mean(&pairs), margin: margin(&pairs) }
    }

    /// Whether it is larger than chance explains: the interval leaves 0 out.
    pub fn is_shown(self) -> bool {
        self.mean.abs() > self.margin
    }

    pub fn told(self, digits: usize) -> String {
        format!("{:+.digits$} ± {:.digits$}", self.mean, self.margin)
    }
}

pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Standard deviation, of one value 0.
pub fn deviation(values: &[f64]) -> f64 {
    let (mean, n) = (mean(values), values.len() as f64);
    (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0)).sqrt()
}

/// Half the width of the 95 % confidence interval of a mean: `t s / √n`; one value has none.
fn margin(values: &[f64]) -> f64 {
    match values.len() {
        0 | 1 => f64::INFINITY,
        n => t(n - 1) * deviation(values) / (n as f64).sqrt(),
    }
}

/// Student's t for 95 % on both sides together; from 10 degrees of freedom on a little too large.
fn t(freedom: usize) -> f64 {
    const T: [f64; 9] = [12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622];
    T[freedom.clamp(1, T.len()) - 1]
}

/// `folded` gives the bytes of `nearest`, which was trained.
pub fn trained(name: &str) -> &str {
    if name == "folded" { "nearest" } else { name }
}

/// What a task finds out.
pub struct Answer {
    pub task: Task,
    pub rows: Vec<Row>,
    pub flat: Vec<Flat>,
    pub costs: Vec<Cost>,
}

impl Answer {
    fn row(&self, name: &str, format: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.name == name && row.format == format)
    }

    pub fn cost(&self, name: &str, format: &str) -> Option<&Cost> {
        self.costs.iter().find(|cost| cost.name == name && cost.format == format)
    }

    /// The networks that run in int8: those that were trained, and the folded one.
    pub fn names(&self) -> Vec<&'static str> {
        self.costs.iter().filter(|cost| cost.format == "int8").map(|cost| cost.name).collect()
    }

    pub fn merits(&self, name: &str, format: &str) -> Option<&[f64]> {
        self.row(name, format).map(|row| &row.merits[..])
    }

    /// Trained decoders in a format, the best mean first.
    fn ranked(&self, format: &str) -> Vec<&Row> {
        let mut all: Vec<_> = self.rows.iter().filter(|r| r.format == format && r.name != "folded").collect();
        all.sort_by(|a, b| mean(&a.merits).total_cmp(&mean(&b.merits)));
        if self.task.merit().more {
            all.reverse();
        }
        all
    }

    /// How far a network in int8 is from the one with the best mean.
    pub fn behind(&self, name: &str) -> Option<Difference> {
        let best = *self.ranked("int8").first()?;
        self.row(trained(name), "int8").map(|row| Difference::of(&row.merits, &best.merits))
    }

    /// Whether three seeds show that a network in int8 is worse than the best.
    pub fn is_worse(&self, name: &str) -> bool {
        self.behind(name).is_none_or(Difference::is_shown)
    }

    /// What a format costs a network, against f32.
    pub fn loss(&self, name: &str, format: &str) -> Option<Difference> {
        let (row, f32) = (self.row(name, format)?, self.row(name, "f32")?);
        Some(Difference::of(&row.merits, &f32.merits))
    }

    pub fn quality_table(&self) -> String {
        let merit = self.task.merit();
        let mut rows = vec![once(merit.name.to_string()).chain(FORMATS.map(String::from)).collect::<Vec<_>>()];
        for name in self.names() {
            let cell = |format: &str| {
                self.merits(name, format).map_or(String::new(), |m| {
                    format!("{:.*} ± {:.*}", merit.digits, mean(m), merit.digits, deviation(m))
                })
            };
            rows.push(once(name.to_string()).chain(FORMATS.map(cell)).collect());
        }
        let better = if merit.more { "higher" } else { "lower" };
        format!(
            "{} over {}: mean and standard deviation of {} seeds, {better} is better. {}\n\n{}",
            merit.name,
            self.task.judged_on(),
            self.task.seeds().len(),
            self.task.trained_how(),
            markdown(&rows)
        )
    }

    /// Who is ahead in each format and what quantisation costs, as differences with their margins; what is shown in bold.
    pub fn verdict(&self) -> String {
        let digits = self.task.merit().digits + 1;
        let told = |name: &str, difference: Difference| {
            let bold = if difference.is_shown() { "**" } else { "" };
            format!("{bold}`{name}` {}{bold}", difference.told(digits))
        };
        let mut lines = Vec::new();
        for format in FORMATS {
            let ranked = self.ranked(format);
            let others = ranked.iter().skip(1);
            let others: Vec<_> =
                others.map(|row| told(row.name, Difference::of(&row.merits, &ranked[0].merits))).collect();
            lines.push(format!("- {format}: best mean `{}`; from it {}.", ranked[0].name, others.join(", ")));
        }
        for format in &FORMATS[1..] {
            let names = self.ranked(format).into_iter().map(|row| row.name);
            let all: Vec<_> = names.filter_map(|name| Some(told(name, self.loss(name, format)?))).collect();
            lines.push(format!("- {format} minus f32: {}.", all.join(", ")));
        }
        lines.join("\n")
    }

    pub fn cost_table(&self) -> String {
        let count = |n: u64| HumanCount(n).to_string();
        let heads = ["costs of one input", "weights in flash", "RAM streamed", "RAM whole", "MACs"];
        let mut rows = vec![heads.map(String::from).to_vec()];
        rows[0].extend(CORES.iter().map(|core| core.name.to_string()));
        for cost in &self.costs {
            let mut row = vec![format!("{} {}", cost.name, cost.format)];
            row.extend([cost.flash, cost.ram, cost.whole].map(|n| count(n as u64)));
            row.push(count(cost.macs));
            row.extend(cost.instructions.iter().map(|n| count(*n)));
            rows.push(row);
        }
        markdown(&rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `P(|T| < t) = ∫ cosⁿ⁻¹ / ∫ cosⁿ⁻¹`, from 0 to atan(t/√n) and to π/2.
    #[test]
    fn t_holds_95_percent() {
        let integral = |n: i32, to: f64| -> f64 {
            let steps = 20_000;
            let angle = |i: i32| (f64::from(i) + 0.5) * to / f64::from(steps);
            (0..steps).map(|i| angle(i).cos().powi(n - 1)).sum::<f64>() * to / f64::from(steps)
        };
        for n in 1..=9 {
            let held =
                integral(n, (t(n as usize) / f64::from(n).sqrt()).atan()) / integral(n, std::f64::consts::FRAC_PI_2);
            assert!((held - 0.95).abs() < 1e-5, "{n} degrees of freedom: {held}");
        }
    }

    #[test]
    fn two_degrees_of_freedom_ask_for_more_than_two_standard_errors() {
        // Mean 1, standard error 1/3: three standard errors are not 4.3.
        let third = 1.0 / 3.0f64.sqrt();
        let close = Difference::of(&[1.0 - third, 1.0, 1.0 + third], &[0.0; 3]);
        assert!((close.mean - 1.0).abs() < 1e-12 && (close.margin - 4.3027 / 3.0).abs() < 1e-12);
        assert!(!close.is_shown());
        assert!(Difference::of(&[0.9, 1.0, 1.1], &[0.0; 3]).is_shown());
        assert!(!Difference::of(&[1.0], &[0.0]).is_shown());
    }

    #[test]
    fn seeds_are_compared_in_pairs() {
        // Seeds spread far more than decoders differ.
        assert!(Difference::of(&[10.0, 20.1, 30.0], &[11.0, 21.0, 31.1]).is_shown());
        assert!(!Difference::of(&[10.0, 20.1, 30.0], &[31.1, 11.0, 21.0]).is_shown());
    }
}
