//! Pixels of so few values, of a single tap, that they stay in registers while the weights of all channels go by.

use super::portable::{Block, Pixels};
use super::{Channel, SUMS};
use crate::Multiplier;
use crate::arch::{anew, small};
use crate::quant::Accumulator;
use core::mem::MaybeUninit;

/// Values of a pixel.
pub(crate) const POINT: usize = 16;

/// A channel as the loop reads it: twice its bias, room for twice its weights, then q, h and e, which is negative for the last one but for its lowest byte.
#[repr(C)]
#[derive(Clone, Copy)]
pub(in super::super) struct Point {
    pub(in super::super) bias: i32,
    pub(in super::super) w: [MaybeUninit<[i16; 2]>; POINT / 2],
    pub(in super::super) q: i32,
    pub(in super::super) h: i32,
    pub(in super::super) e: i32,
}

/// Some channels of all pixels of a row.
#[repr(C)]
pub(in super::super) struct Row {
    /// The weights of the channels, one after the other.
    pub(in super::super) w: *const i8,
    pub(in super::super) y: *mut i8,
    pub(in super::super) end: *mut Point,
    pub(in super::super) x: *const i8,
    pub(in super::super) zero: i32,
    pub(in super::super) step: usize,
    /// How far behind the last output of a pixel the first one of the next lies.
    pub(in super::super) next: usize,
    pub(in super::super) points: *mut Point,
    /// Pixels.
    pub(in super::super) count: usize,
}

/// A loop over a [`Row`].
pub(in super::super) type Points = unsafe extern "C" fn(*mut Row);

/// All outputs of pixels, from y on.
///
/// # Safety
/// They have POINT values each, all inside a single row, channels have as many weights from w on, and there is room for all outputs.
#[inline(never)]
pub(super) unsafe fn points<T, A: Accumulator>(
    each: Points,
    block: &Block<'_, A>,
    mut w: *const i8,
    pixels: &Pixels<'_, T>,
    mut y: *mut i8,
) {
    let &Pixels { count, rows: [row, ..], from, step, zero, pitch, .. } = pixels else { return };
    let (mut b, mut m) = (0, 0);
    let (half, mut left) = (2 * block.requant.zero + 1, block.channels);
    let mut all = [const { MaybeUninit::<Point>::uninit() }; SUMS];
    while left > 0 {
        let n = left.min(SUMS);
        let points = all.as_mut_ptr().cast::<Point>();
        let (mut to, end) = (points, points.wrapping_add(n));
        while to != end {
            // In turn; one loop, whatever there is of them.
            let &Block { bias, multipliers, .. } = anew(block);
            let (bias, biases) = (bias.get(b).map_or(0, |bias| bias.to_i64() as i32), bias.len());
            let multiplier = multipliers.get(m).copied().unwrap_or(Multiplier::ZERO);
            b = if b + 1 < biases { b + 1 } else { 0 };
            m = if m + 1 < multipliers.len() { m + 1 } else { 0 };
            let Channel { q, h, mut e, .. } = Channel::new::<A>(bias, multiplier, half);
            let next = to.wrapping_add(1);
            if next == end {
                e |= i32::MIN;
            }
            // SAFETY: it is one of SUMS.
            unsafe { to.write(Point { bias: 2 * bias, w: [MaybeUninit::uninit(); POINT / 2], q, h, e }) };
            to = next;
            small();
        }
        let x = row.as_ptr().wrapping_offset(from).cast();
        let mut row = Row { w, y, end, x, zero, step, next: pitch - n, points, count };
        // SAFETY: the caller's; n channels have been written.
        unsafe { each(&mut row) };
        (w, y, left) = (w.wrapping_add(n * POINT), y.wrapping_add(n), left - n);
    }
}
