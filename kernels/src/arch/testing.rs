//! What tests share.

use super::portable;
use crate::Element;

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
