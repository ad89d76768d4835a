//! What tests share.

use super::portable::{self, Block, Pixels, Run};
use crate::quant::Requant;
use crate::{Activation, Element, Multiplier, Quant, Rounding};

/// Weights of channels one after another in the order of the portable loops.
pub(super) fn interleave<W: Copy>(w: &[W], len: usize) -> std::vec::Vec<W> {
    let blocks = w.chunks(portable::BLOCK * len);
    blocks.flat_map(|block| (0..len).flat_map(move |i| block.iter().skip(i).step_by(len).copied())).collect()
}

/// A linear congruential generator.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((self.0 >> 33) as usize) % n
    }

    pub(crate) fn element<T: Element>(&mut self) -> T {
        T::from_i32(self.below((T::MAX - T::MIN + 1) as usize) as i32 + T::MIN)
    }
}

/// Calls the function with a row of a transposed convolution k4 s2 p1 to one channel, which is two channels of two taps that neighbouring pixels share, the
/// first of which the first pixel lacks, and the second the last one; and with its outputs.
pub(crate) fn columns_row<R>(
    [c, rows, width]: [usize; 3],
    bias: &[i32],
    multipliers: &[Multiplier],
    to: impl FnOnce(&Block<'_, i32>, &[i8], Run, &Pixels<'_, i8>, &[i8]) -> R,
) -> R {
    let mut random = Random((100 * c + 10 * rows + width) as u64);
    let (n, len, count, zero) = (rows * 2 * c, 2 * c, width + 1, 5);
    let x: std::vec::Vec<i8> = (0..rows * width * c).map(|_| random.element()).collect();
    let w: std::vec::Vec<i8> = (0..2 * n).map(|_| random.element()).collect();
    let requant = Requant::new(Rounding::TfliteDouble, 3, Activation::None.range::<i8>(Quant::new(1.0, 3)));
    let block = Block { channels: 2, bias, multipliers, requant, largest: 1 << 28 };
    let (run, lines) = (Run { n, len: n, skip: 0 }, x.chunks(width * c).collect::<std::vec::Vec<_>>());
    let pixels = Pixels { count, rows: &lines, from: -(c as isize), step: c, len, zero, to: 0, pitch: 2 };
    let expected = (1..2 * count - 1).map(|o| {
        let (pixel, channel) = (o / 2, o % 2);
        let products = (0..n).map(|i| {
            let at = (pixel * c + i % len).checked_sub(c).filter(|at| *at < width * c);
            at.map_or(0, |at| (i32::from(lines[i / len][at]) - zero) * i32::from(w[channel * n + i]))
        });
        requant.apply(products.sum::<i32>() + bias[channel % bias.len()], multipliers[channel % multipliers.len()])
    });
    to(&block, &w, run, &pixels, &expected.collect::<std::vec::Vec<i8>>())
}

/// The test of a `Job` of 64-bit sums, of up to so many channels.
macro_rules! wide_sums {
    ($most:expr) => {
        /// Sums of more than 32 bits, of the largest values.
        #[test]
        fn wide_sums() {
            let mut random = Random(5);
            for case in 0..if cfg!(miri) { 2 } else { 60 } {
                let (channels, rows, len) = (
                    1 + random.below(if cfg!(miri) { 3 } else { $most }),
                    1 + random.below(3),
                    1 + random.below(if cfg!(miri) { 40 } else { 600 }),
                );
                let (count, step, n) = (PIXELS + random.below(5), 1 + random.below(3), rows * len);
                let run = Run { n, len: n + 3, skip: 2 };
                let width = (count - 1) * step + len;
                let x = (0..rows * width).map(|_| if random.below(9) == 0 { random.element() } else { i16::MIN });
                let x: std::vec::Vec<i16> = x.collect();
                let w = (0..channels * run.len).map(|_| if random.below(9) == 0 { random.element() } else { i8::MIN });
                let w: std::vec::Vec<i8> = w.collect();
                let bias: std::vec::Vec<i64> =
                    (0..channels).map(|_| random.below(1 << 31) as i64 - (1 << 30)).collect();
                let multipliers = [Multiplier::from_real(0.004 / n as f64).unwrap()];
                let range = Activation::None.range::<i16>(Quant::new(1.0, 0));
                let requant = crate::quant::Requant::new(Rounding::Tflite16x8, 0, range);
                let block = Block { channels, bias: &bias, multipliers: &multipliers, requant, largest: 1 << 40 };
                let lines: std::vec::Vec<_> = x.chunks(width).collect();
                let pixels = Pixels { count, rows: &lines, from: 0, step, len, zero: 0, to: 0, pitch: channels };
                let [mut ours, mut theirs] = [(); 2].map(|()| vec![0i16; count * channels]);
                let mut job = Job::<i64, i64>::new(&block);
                job.start::<i16>();
                job.groups(&mut Patch::new(), &w, run, &pixels, &mut ours);
                let mut job = portable::Job::<i64, i64>::new(&block);
                job.start::<i16>();
                job.groups(&mut portable::Patch::new(), &interleave(&w, run.len), run, &pixels, &mut theirs);
                assert!(ours == theirs, "case {case}: {channels} channels of {n} values");
            }
        }
    };
}
pub(super) use wide_sums;

/// The test of `few` with weights of this type: any border, any part of the first and the last pixel, scales in turn, columns that neighbours share.
macro_rules! few_is_exact {
    ($w:ty) => {{
        use crate::arch::testing::Random;
        use crate::quant::Requant;
        use crate::{Activation, Multiplier, Quant, Rounding};
        let mut random = Random(13);
        for case in 0..if cfg!(miri) { 5 } else { 4000 } {
            let columns = case % 4 == 1;
            let (channels, rows, taps) = (1 + random.below(FEW.channels), random.below(4), 1 + random.below(3));
            let (channels, taps) = if columns { (2, 2) } else { (channels, taps) };
            let c = if case % 2 == 0 { 4 * (1 + random.below(10)) } else { 1 + random.below(20) };
            let c = c.min((FEW.values - 1) / (rows * taps).max(1));
            let points = FEW.points > 0 && case % 8 == 2;
            let most = if cfg!(miri) { 3 } else { 40 };
            let [channels, rows, taps, c] =
                if points { [FEW.channels + random.below(most), 1, 1, FEW.points] } else { [channels, rows, taps, c] };
            let pixels = if case % 8 == 1 && !cfg!(miri) { 80 } else { 20 };
            let (count, step) = (1 + random.below(pixels), c * if columns { 1 } else { 1 + random.below(8) / 7 });
            let len = taps * c;
            let clipped = usize::from(!points || case % 64 == 2);
            let (skip, behind) = (random.below(5) * clipped, random.below(5) * clipped);
            let run = Run { n: rows * len, len: skip + rows * len + behind, skip };
            let from = points as isize - (random.below(taps + 1) * c * clipped) as isize;
            let width = ((from + ((count - 1) * step + len) as isize).max(1) as usize)
                .saturating_sub(random.below(taps + 1) * c * clipped)
                .max(c);
            let x: std::vec::Vec<i8> = (0..rows * width).map(|_| random.element()).collect();
            let w: std::vec::Vec<$w> = (0..channels * run.len).map(|_| random.element()).collect();
            let in_turn = 1 + random.below(channels);
            let bias: std::vec::Vec<i32> =
                (0..in_turn * random.below(5).min(1)).map(|_| random.below(2001) as i32 - 1000).collect();
            let factor = 0.5 / (1 << (8 * size_of::<$w>())) as f64;
            let multipliers =
                (0..in_turn).map(|_| Multiplier::from_real(factor * (1.0 + random.below(100) as f64 / 100.0)));
            let multipliers: std::vec::Vec<_> = multipliers.map(Result::unwrap).collect();
            let rounding = if random.below(2) == 0 { Rounding::TfliteDouble } else { Rounding::TfliteSingle };
            let scale = Quant::new(1.0, random.below(256) as i32 - 128);
            let activation = if random.below(3) == 0 { Activation::Relu } else { Activation::None };
            let requant = Requant::new(rounding, scale.zero, activation.range::<i8>(scale));
            let block = Block { channels, bias: &bias, multipliers: &multipliers, requant, largest: 1 << 28 };
            let lines: std::vec::Vec<_> = x.chunks(width).collect();
            let (pitch, zero) = (channels + random.below(3), random.below(256) as i32 - 128);
            let last = if clipped > 0 { 1 + random.below(channels) } else { channels };
            let lacking = random.below(if count == 1 { last } else { channels }) * clipped;
            let to = lacking + random.below(3);
            let pixels = Pixels { count, rows: &lines, from, step, len, zero, to, pitch };
            let vector = |c: usize| w.iter().skip(c * run.len + skip).take(run.n).map(|&w| i32::from(w));
            let totals: std::vec::Vec<i32> = (0..channels).map(|c| vector(c).sum()).collect();
            let totals = if random.below(2) == 0 { &totals[..] } else { &[] };
            let mut y = vec![99i8; to - lacking + (count - 1) * pitch + last + random.below(2)];
            let mut expected = y.clone();
            for (p, c) in (0..count).flat_map(|p| (0..channels).map(move |c| (p, c))) {
                if p == 0 && c < lacking || p + 1 == count && c >= last {
                    continue;
                }
                let at = from + (p * step) as isize;
                let read = |i: usize| {
                    let from = usize::try_from(at + (i % len) as isize).ok().filter(|&from| from < width);
                    from.map_or(0, |from| i32::from(lines[i / len][from]) - zero)
                };
                let bias = bias.get(c % in_turn).copied().unwrap_or_default();
                let sum = vector(c).enumerate().map(|(i, w)| read(i) * w).sum::<i32>() + bias;
                expected[to - lacking + p * pitch + c] = requant.apply(sum, multipliers[c % in_turn]);
            }
            few(&block, &w, run, totals, &pixels, [lacking, last], &mut y);
            assert!(
                y == expected,
                "case {case}: {channels} channels, {rows} rows, {taps} taps of {c} at {count} pixels"
            );
        }
    }};
}
pub(super) use few_is_exact;
