//! What the digits demo came to: pictures, costs, and the table of figures.

use anyhow::{Context, Result};
use firmware::digits::{DECODERS, SAMPLES, SIDE, images};
use firmware::report::Report;
use indicatif::HumanCount;
use std::array;
use std::iter::zip;

/// Values of a picture.
pub const PICTURE: usize = SIDE * SIDE;
/// Columns of the table: what is measured, and each decoder.
pub const COLUMNS: usize = 1 + DECODERS.len();

/// What the figures in the table are.
pub const NOTES: [&str; 4] = [
    "weights in flash: int8 weights, int32 biases, multipliers",
    "peak RAM: activations that live at once + deepest stack",
    "instructions: mean of one picture, sending not counted",
    "PSNR: over all pixels of all samples",
];

/// What PyTorch computes in f32 from the same codes: decoders x samples x pictures, 0 to 1.
static TORCH: &[u8] = include_bytes!("../../models/digits/torch.f32");

/// The pictures that the device drew and what they cost.
pub struct Digits {
    /// Decoders x samples x pictures.
    int8: Vec<u8>,
    costs: [Cost; DECODERS.len()],
}

#[derive(Clone, Copy, Default)]
struct Cost {
    instructions: u64,
    activations: u32,
    stack: u32,
}

impl Digits {
    /// From the reports of the device.
    pub fn new(reports: &[Report<'_>]) -> Result<Self> {
        let mut int8 = vec![0; DECODERS.len() * SAMPLES * PICTURE];
        let mut costs = [Cost::default(); DECODERS.len()];
        for report in reports {
            match *report {
                Report::Row { decoder, sample, row, data } => {
                    let at = (usize::from(decoder) * SAMPLES + usize::from(sample)) * PICTURE + usize::from(row) * SIDE;
                    let to = int8.get_mut(at..at + SIDE).context("a row lies outside the pictures")?;
                    // The scale is 1/255 and the zero point -128: black is the smallest value.
                    zip(to, data).for_each(|(grey, value)| *grey = *value ^ 0x80);
                }
                Report::Decoded { decoder, instructions, activations, stack } => {
                    let cost = costs.get_mut(usize::from(decoder)).context("a decoder is unknown")?;
                    *cost = Cost { instructions, activations, stack };
                }
                _ => {}
            }
        }
        Ok(Digits { int8, costs })
    }

    /// What a decoder made of a sample on the device.
    pub fn int8(&self, decoder: usize, sample: usize) -> &[u8] {
        &self.int8[(decoder * SAMPLES + sample) * PICTURE..][..PICTURE]
    }

    /// The rows of the table, headings first.
    pub fn table(&self) -> Vec<[String; COLUMNS]> {
        let count = |n: u64| HumanCount(n).to_string();
        let db = |(a, b): (Vec<f64>, Vec<f64>)| format!("{:.2}", psnr(&a, &b));
        let int8 = |d| self.int8[d * SAMPLES * PICTURE..][..SAMPLES * PICTURE].iter().map(grey).collect();
        let torch = |d| (0..SAMPLES).flat_map(|s| torch(d, s)).map(f64::from).collect();
        let test = || images().iter().map(grey).collect();
        let row = |what: &str, figure: &dyn Fn(usize) -> String| {
            array::from_fn(|column| if column == 0 { what.into() } else { figure(column - 1) })
        };
        let (d, c) = (&DECODERS, &self.costs);
        vec![
            row("", &|i| d[i].name.into()),
            row("weights in flash, bytes", &|i| count(d[i].flash() as u64)),
            row("peak RAM, bytes", &|i| count((c[i].activations + c[i].stack).into())),
            row("- activations", &|i| count(c[i].activations.into())),
            row("- stack", &|i| count(c[i].stack.into())),
            row("MACs", &|i| count(d[i].macs())),
            row("instructions", &|i| count(c[i].instructions)),
            row("instructions per MAC", &|i| format!("{:.2}", c[i].instructions as f64 / d[i].macs() as f64)),
            row("PSNR, int8 against f32, dB", &|i| db((int8(i), torch(i)))),
            row("PSNR, f32 against test image, dB", &|i| db((torch(i), test()))),
            row("PSNR, int8 against test image, dB", &|i| db((int8(i), test()))),
        ]
    }
}

/// The test image of a sample.
pub fn test_image(sample: usize) -> &'static [u8] {
    &images()[sample * PICTURE..][..PICTURE]
}

/// What a decoder made of a sample in PyTorch.
pub fn torch(decoder: usize, sample: usize) -> impl Iterator<Item = f32> {
    let (values, _) = TORCH.as_chunks();
    values[(decoder * SAMPLES + sample) * PICTURE..][..PICTURE].iter().map(|bytes| f32::from_le_bytes(*bytes))
}

fn grey(byte: &u8) -> f64 {
    f64::from(*byte) / 255.0
}

/// Peak signal-to-noise ratio of values between 0 and 1: `10 log10(1 / mean((a - b)²))`.
fn psnr(a: &[f64], b: &[f64]) -> f64 {
    let squares: f64 = zip(a, b).map(|(a, b)| (a - b).powi(2)).sum();
    10.0 * (a.len() as f64 / squares).log10()
}

#[cfg(test)]
mod tests {
    #[test]
    fn psnr_of_a_tenth_is_20_db() {
        assert!((super::psnr(&[0.5, 0.2], &[0.4, 0.3]) - 20.0).abs() < 1e-9);
    }
}
