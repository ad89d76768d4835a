//! A row of one pixel of a depthwise layer: four channels at a time, whose inputs lie side by side and whose weights are gathered. Nothing is laid out
//! beforehand, as nothing serves a second pixel.

use super::alone::outputs;
use super::depth::ZERO;
use super::portable::Block;
use super::{SUMS, small};
use crate::Element;
use crate::arch::pieces::Piece;
use crate::quant::Accumulator;
use core::marker::PhantomData;
use core::mem::MaybeUninit;

#[cfg(target_arch = "arm")]
use asm::products;
#[cfg(not(target_arch = "arm"))]
use model::products;

/// Taps of a pixel, at most.
const TAPS: usize = 49;

/// The taps that read an input: where that of channel 0 lies, and the number of its weight among those of a channel, as a pointer.
pub(crate) struct Places<'a, T> {
    pieces: [MaybeUninit<Piece>; TAPS],
    len: usize,
    /// Values that can be read from every place on, and the weights that a channel has to have.
    values: usize,
    weights: usize,
    borrowed: PhantomData<&'a T>,
}

/// Sums of some channels: the loop over them changes nothing.
#[repr(C)]
struct Products {
    pieces: *const Piece,
    end: *const Piece,
    /// The first channel's weights, and those of a channel; bytes of inputs before the first channel's.
    w: *const i8,
    step: usize,
    from: usize,
    zero: i32,
    /// 32 bits of a bias, and bytes to the next one's.
    bias: *const i32,
    next: usize,
    sums: *mut i32,
    /// At least one.
    channels: usize,
}

impl<'a, T: Element> Places<'a, T> {
    #[inline(always)]
    pub(crate) fn new() -> Self {
        let pieces = [const { MaybeUninit::uninit() }; TAPS];
        Places { pieces, len: 0, values: usize::MAX, weights: 0, borrowed: PhantomData }
    }

    /// One more, of channels whose weight number w it is; whether there is room.
    #[inline(always)]
    pub(crate) fn push(&mut self, x: &'a [T], w: usize) -> bool {
        let Some(to) = self.pieces.get_mut(self.len) else { return false };
        to.write(Piece { x: x.as_ptr().cast(), w: core::ptr::without_provenance(w) });
        (self.len, self.values) = (self.len + 1, self.values.min(x.len()));
        self.weights = self.weights.max(w + 1);
        small();
        true
    }

    /// The outputs of a block, `from` channels behind the first; w are its weights, `step` of each. False, and nothing done, where the loops do not
    /// hold.
    #[inline(never)]
    pub(crate) fn outputs<W: Element, S: Accumulator, A: Accumulator>(
        &self,
        block: &Block<'_, A>,
        w: &[W],
        [step, from]: [usize; 2],
        zero: i32,
        y: &mut [T],
    ) -> bool {
        let n = block.channels;
        let each = (block.bias.is_empty() || block.bias.len() >= n)
            && (block.multipliers.len() == 1 || block.multipliers.len() >= n);
        let fits = n > 0
            && n <= SUMS
            && n == y.len()
            && n * step <= w.len()
            && self.weights <= step
            && n <= self.values.saturating_sub(from);
        if (size_of::<S>(), size_of::<W>()) != (4, 1) || !each || !fits {
            return false;
        }
        let mut sums = [const { MaybeUninit::<i32>::uninit() }; SUMS];
        let to = sums.as_mut_ptr().cast::<i32>();
        let (bias, next) = match block.bias {
            [] => (&raw const ZERO, 0),
            all => (all.as_ptr().cast(), size_of::<A>()),
        };
        let pieces = self.pieces.as_ptr().cast::<Piece>();
        let all = Products {
            pieces,
            end: pieces.wrapping_add(self.len),
            w: w.as_ptr().cast(),
            step,
            from: from * size_of::<T>(),
            zero,
            bias,
            next,
            sums: to,
            channels: n,
        };
        // SAFETY: just checked: all places have values of all channels, which have weights of all taps, and biases, or one of a step of 0; the low half
        // of a bias comes first.
        unsafe { products(size_of::<T>())(&all) };
        // SAFETY: n sums have been written, there are as many outputs, and multipliers.
        unsafe { outputs(block, to, y) };
        true
    }
}

/// The instructions themselves.
#[cfg(target_arch = "arm")]
mod asm {
    use super::Products;
    use core::arch::naked_asm;

    /// Stamps the sums of all channels: how inputs are loaded, and bytes of four.
    macro_rules! stamp {
        ($name:ident, $x:literal $x_by:literal) => {
            #[unsafe(naked)]
            unsafe extern "C" fn $name(all: *const Products) {
                naked_asm!(
                    ".cpu cortex-m55",
                    "push {{r4-r11, lr}}",
                    "vpush {{d14, d15}}",
                    "ldm r0, {{r0, r1, r2, r3, r4, r5, r6, r7, r8, r9}}", // pieces, end, w, step, from, zero, bias, next, sums, channels
                    "mov r12, r0",
                    "mov r10, #0",
                    "vidup.u32 q7, r10, #1",
                    "vmul.i32 q3, q7, r7",
                    "vmul.i32 q7, q7, r3",
                    "lsl r3, r3, #2", // of four channels
                    "lsl r7, r7, #2",
                    "dlstp.32 lr, r9",
                    "2:",
                    "vldrw.u32 q0, [r6, q3]",
                    "mov r9, r12",
                    "cmp r9, r1",
                    "beq 4f",
                    "3:",                     // a tap
                    "ldrd r0, r11, [r9], #8", // a load that widens names a lower register
                    "add r0, r0, r4",
                    "add r11, r11, r2",
                    concat!("vldr", $x, " q1, [r0]"),
                    "vldrb.s32 q2, [r11, q7]",
                    "vsub.i32 q1, q1, r5",
                    "vmul.i32 q1, q1, q2",
                    "vadd.i32 q0, q0, q1",
                    "cmp r9, r1",
                    "bne 3b",
                    "4:",
                    "vstrw.32 q0, [r8], #16",
                    concat!("adds r4, r4, #", $x_by),
                    "add r2, r2, r3",
                    "add r6, r6, r7",
                    "letp lr, 2b",
                    "vpop {{d14, d15}}",
                    "pop {{r4-r11, pc}}",
                )
            }
        };
    }
    stamp!(products_8, "b.s32" "4");
    stamp!(products_16, "h.s32" "8");

    pub(super) fn products(size: usize) -> unsafe extern "C" fn(*const Products) {
        if size == 1 { products_8 } else { products_16 }
    }
}

/// The same steps in Rust.
#[cfg(not(target_arch = "arm"))]
mod model {
    use super::*;

    unsafe extern "C" fn all<T: Element>(all: *const Products) {
        // SAFETY: the caller's.
        unsafe {
            let all = &*all;
            for c in 0..all.channels {
                let (mut sum, mut piece) = (*all.bias.byte_add(c * all.next), all.pieces);
                while piece != all.end {
                    let x = (*piece).x.byte_add(all.from).cast::<T>().add(c).read().to_i32().wrapping_sub(all.zero);
                    let w = *all.w.add(c * all.step + (*piece).w.addr());
                    (sum, piece) = (sum.wrapping_add(x.wrapping_mul(w.into())), piece.add(1));
                }
                all.sums.add(c).write(sum);
            }
        }
    }

    pub(super) fn products(size: usize) -> unsafe extern "C" fn(*const Products) {
        if size == 1 { all::<i8> } else { all::<i16> }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::testing::Random;
    use crate::quant::Requant;
    use crate::{Activation, Multiplier, Quant, Rounding};

    fn outputs_are_the_formula<T: Element, A: Accumulator>() {
        let mut random = Random(3);
        for case in 0..if cfg!(miri) { 20 } else { 600 } {
            let (n, from, taps) = (1 + random.below(SUMS), random.below(5), random.below(TAPS + 1));
            let values = from + n + random.below(3);
            let step = taps + 1 + random.below(5);
            let lines: std::vec::Vec<std::vec::Vec<T>> =
                (0..taps).map(|_| (0..values).map(|_| random.element()).collect()).collect();
            let w: std::vec::Vec<i8> = (0..n * step).map(|_| random.element()).collect();
            let first = random.below(step - taps + 1);
            let each = |random: &mut Random| if random.below(3) == 0 { 0 } else { n };
            let bias: std::vec::Vec<A> =
                (0..each(&mut random)).map(|_| A::from_i64(random.below(2001) as i64 - 1000)).collect();
            let most = if case % 8 == 0 { 3.0 } else { 0.004 } / f64::from(T::MAX);
            let multipliers = (0..each(&mut random).max(1))
                .map(|_| Multiplier::from_real(most * (1.0 + random.below(100) as f64 / 100.0)).unwrap());
            let multipliers: std::vec::Vec<_> = multipliers.collect();
            let rounding = match case % 3 {
                _ if size_of::<A>() == 8 => Rounding::Tflite16x8,
                0 => Rounding::TfliteSingle,
                _ => Rounding::TfliteDouble,
            };
            let [zero, x_zero] = [(); 2].map(|()| random.below(256) as i32 - 128);
            let requant = Requant::new(rounding, zero, Activation::None.range::<T>(Quant::new(1.0, zero)));
            let block = Block { channels: n, bias: &bias, multipliers: &multipliers, requant, largest: 1 << 30 };
            let mut places = Places::new();
            assert!(lines.iter().enumerate().all(|(tap, line)| places.push(line, first + tap)));
            let [mut ours, mut theirs] = [(); 2].map(|()| vec![T::default(); n]);
            assert!(places.outputs::<i8, i32, A>(&block, &w, [step, from], x_zero, &mut ours));
            let sums = (0..n).map(|c| {
                let w = w.iter().skip(c * step + first);
                let products = lines.iter().zip(w).map(|(x, &w)| (x[from + c].to_i32() - x_zero) * i32::from(w));
                products.sum::<i32>() + block.bias::<i32>(c)
            });
            requant.all::<T, i32, A>(sums, block.multipliers(0), &mut theirs);
            assert!(ours == theirs, "case {case}: {n} channels of {taps} taps");
            // What does not hold is refused.
            assert!(!places.outputs::<i16, i32, A>(&block, &[0; 9], [0, from], x_zero, &mut ours));
            assert!(!places.outputs::<i8, i32, A>(&block, &w[1..], [step, from], x_zero, &mut ours));
            assert!(taps == 0 || !places.outputs::<i8, i32, A>(&block, &w, [step, values - n + 1], x_zero, &mut ours));
        }
    }

    #[test]
    fn int8() {
        outputs_are_the_formula::<i8, i32>();
    }

    #[test]
    fn int16() {
        outputs_are_the_formula::<i16, i64>();
    }
}
