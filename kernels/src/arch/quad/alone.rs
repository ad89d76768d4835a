//! A pixel that is a row: of its channels nothing is made but what its loop reads.

use super::{BLOCK, Block, Channel, End, Patch, Pixel, Run, SUMS, Strip, isa, portable};
use crate::conv::SMALL;
use crate::quant::Accumulator;
use crate::{Element, Multiplier, Rounding};
use core::mem::MaybeUninit;

/// [`portable::alone`]
#[inline(never)]
pub(crate) fn alone<T: Element, W: Element, S: Accumulator, A: Accumulator>(
    block: &Block<'_, A>,
    w: &[W],
    run: Run,
    one: &Pixel<'_, T>,
    y: &mut [T],
) {
    let n = y.len();
    let last = one.skip + (one.rows * one.row).saturating_sub(one.row) + one.pieces * one.len;
    let fits = size_of::<S>() == 4
        && Patch::offset::<T>(one.zero) == one.zero
        && n == block.channels
        && n <= SUMS
        && n * run.len <= w.len()
        && last <= run.len
        && n * one.rows * one.pieces * one.len > 0;
    if !fits {
        return portable::pixel::<T, W, S, A, BLOCK>(block, w, run, one, y);
    }
    let mut channels = [const { MaybeUninit::<Channel<i32>>::uninit() }; SUMS];
    let end = start(&mut channels, block, size_of::<T>() == 1);
    let whole = one.pieces(w.as_ptr(), |pieces, last| {
        let end = if last { end } else { End::Sums };
        let mut strip = Strip {
            pieces: pieces.start,
            end: pieces.end,
            channel: channels.as_mut_ptr().cast(),
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
        // SAFETY: n channels have one.
        let sums = channels.iter().take(n).map(|channel| unsafe { (&raw const (*channel.as_ptr()).sums[0]).read() });
        block.requant.all::<T, i32, A>(sums, block.multipliers(0), y);
    } else if block.requant.clamps::<T>() {
        block.requant.clamp_narrow(y);
    }
}

/// The first sum of each channel, and its q, h and e, where outputs that are `bytes` can be made in registers.
#[inline(never)]
fn start<A: Accumulator>(channels: &mut [MaybeUninit<Channel<i32>>; SUMS], block: &Block<'_, A>, bytes: bool) -> End {
    let (n, zero) = (block.channels.min(SUMS), block.requant.zero);
    // Below 0 when one is: e − 1 and 22 − e. A factor of 0 has e = 0.
    let mut fits = 0;
    let mut each = |channel: &mut MaybeUninit<Channel<i32>>, m: &Multiplier, bias: i32| {
        let (q, e) = (m.q(), -i32::from(m.shift()));
        fits |= (e - 1) | (22 - e);
        // h = zero · 2^e + 2^(e − 1); as in `Job::start`.
        let h = (2 * zero + 1).wrapping_shl((e - 1) as u32);
        let channel = channel.as_mut_ptr();
        // SAFETY: it is there.
        unsafe { (&raw mut (*channel).sums[0]).write(bias) };
        // SAFETY: the same.
        unsafe { (&raw mut (*channel).q).write(q) };
        // SAFETY: the same.
        unsafe { (&raw mut (*channel).h).write(h) };
        // SAFETY: the same.
        unsafe { (&raw mut (*channel).e).write(e) };
    };
    let all = channels.iter_mut().take(n);
    if block.multipliers.len() >= n && block.bias.len() >= n {
        let all = all.zip(block.multipliers).zip(block.bias);
        all.for_each(|((channel, m), bias)| each(channel, m, bias.to_i64() as i32));
    } else {
        let all = all.zip(0..n);
        all.for_each(|(channel, c)| each(channel, &block.multiplier(c), block.bias(c)));
    }
    if !bytes || size_of::<A>() != 4 || block.largest > SMALL || fits < 0 {
        End::Sums
    } else if block.requant.rounding == Rounding::TfliteSingle {
        End::Single
    } else {
        End::Double
    }
}
