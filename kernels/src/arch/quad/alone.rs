//! A pixel that is a row: of its channels nothing is made but what its loop reads.

use super::{BLOCK, Block, Channel, Channels, End, Patch, Pixel, Run, SMALL, SUMS, Strip, isa, portable, scale};
use crate::Element;
use crate::arch::small;
use crate::quant::Accumulator;

/// [`portable::alone`]
#[inline(never)]
pub(crate) fn alone<T: Element, W: Element, S: Accumulator, A: Accumulator>(
    block: &Block<'_, A>,
    w: &[W],
    run: Run,
    one: &Pixel<'_, T>,
    y: &mut [T],
) {
    if size_of::<S>() != 4 || Patch::offset::<T>(one.zero) != one.zero {
        return portable::pixel::<T, W, S, A, BLOCK>(block, w, run, one, y);
    }
    let n = y.len();
    let last = one.skip + (one.rows * one.row).saturating_sub(one.row) + one.pieces * one.len;
    let fits = n == block.channels && n <= SUMS && n * run.len <= w.len() && last <= run.len;
    // Else outputs are those of biases.
    let some = fits && n * one.rows * one.pieces * one.len > 0;
    let mut channels = Channels::new();
    let end = End::of_outputs::<T, A>(channels.first_sums(block) && some, block.requant.rounding);
    let whole = !some
        || one.pieces(w.as_ptr(), |pieces, last| {
            let end = if last { end } else { End::Sums };
            let mut strip = Strip {
                pieces: pieces.start,
                end: pieces.end,
                channel: channels.all.as_mut_ptr().cast(),
                y: y.as_mut_ptr().cast(),
                pitch: 1,
                step: run.len * size_of::<W>(),
                count: n,
                n: one.len,
                zero: one.zero,
            };
            // SAFETY: just checked: n channels have their first sums, of 32 bits, and weights for the values of all pieces; y has room for n
            // outputs, which are bytes where they are made in registers.
            unsafe { end.of(isa::pixel(size_of::<T>(), size_of::<W>()))(&mut strip) };
        });
    if !whole {
        return;
    }
    if end == End::Sums {
        // SAFETY: so many have their first sums.
        unsafe { scale::<T, i32, A>(block, channels.all.as_ptr().cast(), 0..channels.len, y) };
    } else if block.requant.clamps::<T>() {
        block.requant.clamp_narrow(y);
    }
}

impl Channels<i32> {
    /// The same as [`start`](Channels::start), but of the sums only the first ones: no reference may be made to such channels.
    #[inline(never)]
    fn first_sums<A: Accumulator>(&mut self, block: &Block<'_, A>) -> bool {
        let (n, half) = (block.channels.min(SUMS), 2 * block.requant.zero + 1);
        let (all, multipliers) = (self.all.get_mut(..n), block.multipliers.get(..n));
        let (Some(all), Some(multipliers), Some(bias)) = (all, multipliers, block.bias.get(..n)) else {
            return self.start(block);
        };
        let (mut sign, mut fails) = (0, false);
        let (mut m, mut b) = (multipliers.as_ptr(), bias.as_ptr());
        for channel in all {
            // SAFETY: there are as many as channels.
            let (multiplier, bias) = unsafe { (m.read(), b.read()) };
            (m, b) = (m.wrapping_add(1), b.wrapping_add(1));
            let new = Channel::<i32>::new::<A>(bias.to_i64() as i32, multiplier, half);
            let (negative, fail) = new.fails();
            (sign, fails) = (sign | negative, fails | fail);
            let channel = channel.as_mut_ptr();
            // SAFETY: it is there.
            unsafe { (&raw mut (*channel).sums[0]).write(new.start) };
            // SAFETY: the same.
            unsafe { (&raw mut (*channel).q).write(new.q) };
            // SAFETY: the same.
            unsafe { (&raw mut (*channel).h).write(new.h) };
            // SAFETY: the same.
            unsafe { (&raw mut (*channel).e).write(new.e) };
            small();
        }
        self.len = n;
        block.largest <= SMALL && sign >= 0 && !fails
    }
}
