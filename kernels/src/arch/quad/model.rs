//! The loops in Rust, for hosts: one text for all cores, which say how a sum is scaled, in what order a patch and the weights of columns lie, and whether
//! inputs are taken as they are.

pub(in super::super) use super::super::quad::fill as widen;
use super::super::quad::{Channel, Lines};
use super::{Call, Loop, PIXELS, Patch, RAW, Strip, Strips, scaled};
use crate::Element;

pub(in super::super) unsafe fn gather(patch: &mut Patch, x: *const i8, lines: &Lines, wide: bool) {
    let &Lines { step, len, rows, line, zero } = lines;
    for (row, p) in (0..rows).flat_map(|row| (0..PIXELS).map(move |p| (row, p))) {
        // SAFETY: the caller's.
        let x = unsafe { core::slice::from_raw_parts(x.add(row * line + p * step), len) };
        patch.fill(p, row * len, x, zero, wide);
    }
}

/// How weights that columns share lie.
pub(super) trait Order {
    /// One of them.
    type Weight: Copy + From<i8> + Into<i32>;

    /// Where value i of what meets sum j lies, from the first weight of n values and two taps on, those of the other channel `step` bytes later: j = 0 and 1
    /// are the second taps of both channels, 2 and 3 the first ones.
    fn place(n: usize, step: usize, i: usize, j: usize) -> usize;
}

/// Of a channel that may have no more than its first sum and its factors.
///
/// # Safety
/// It has them.
unsafe fn output(acc: i32, channel: *const Channel<i32>, single: bool) -> i8 {
    // SAFETY: the caller's.
    let (q, h, e) = unsafe { ((*channel).q, (*channel).h, (*channel).e) };
    (scaled(acc, q, h, single) >> e).clamp(i8::MIN.into(), i8::MAX.into()) as i8
}

/// END: 0 sums, 1 outputs rounded twice, 2 once; FIRST: the first pixel.
unsafe extern "C" fn run<W: Element, const FIRST: usize, const END: u8>(call: *const Call) {
    // SAFETY: the caller's.
    unsafe {
        let &Call { x, n, w, channels, next, end, y, pitch, .. } = &*call;
        let (mut w, mut channel, mut c) = (w.cast::<W>(), channels.cast::<Channel<i32>>(), 0);
        while channel.cast_const().cast() != end {
            let mut sums = (*channel).sums;
            for i in 0..n {
                let w = (*w.add(i)).to_i32();
                for (p, sum) in sums.iter_mut().enumerate().skip(FIRST) {
                    *sum = sum.wrapping_add((*x).get(p, i, size_of::<W>() == 2).wrapping_mul(w));
                }
            }
            match END {
                0 => (*channel).sums = sums,
                _ => (FIRST..PIXELS).for_each(|p| *y.add((p - FIRST) * pitch + c) = output(sums[p], channel, END == 2)),
            }
            (w, channel, c) = (w.wrapping_add(n).wrapping_byte_add(next), channel.add(1), c + 1);
        }
    }
}

pub(in super::super) const I8: [Loop; 3] = [run::<i8, 0, 0>, run::<i8, 0, 1>, run::<i8, 0, 2>];
pub(super) const THREE_I8: [Loop; 3] = [run::<i8, 1, 0>, run::<i8, 1, 1>, run::<i8, 1, 2>];
pub(in super::super) const I16: [Loop; 3] = [run::<i16, 0, 0>, run::<i16, 0, 1>, run::<i16, 0, 2>];

/// The products of a group: of four x or w, `step` apart, with what they share.
///
/// # Safety
/// That of the loops.
unsafe fn products<X: Element, W: Element>(s: &Strip, pixels: bool, four: usize, mut sums: [i32; 4]) -> [i32; 4] {
    let zero = if pixels && RAW { 0 } else { s.zero };
    let mut piece = s.pieces;
    while piece != s.end {
        // SAFETY: the caller's.
        unsafe {
            let strided = |x: *const (), p: usize, each: bool| x.byte_add(if each { p * s.step } else { 0 });
            for (p, sum) in sums.iter_mut().enumerate().take(four) {
                let x = strided((*piece).x, p, pixels).cast::<X>();
                let w = strided((*piece).w, p, !pixels).cast::<W>();
                for i in 0..s.n {
                    let x = (*x.add(i)).to_i32() - zero;
                    *sum = sum.wrapping_add(x.wrapping_mul((*w.add(i)).to_i32()));
                }
            }
            let moves = if pixels { &mut (*piece).x } else { &mut (*piece).w };
            *moves = moves.wrapping_byte_add(four * s.step);
            piece = piece.add(1);
        }
    }
    sums
}

unsafe extern "C" fn direct<const END: u8>(s: *mut Strip) {
    // SAFETY: the caller's.
    unsafe {
        let s = &mut *s;
        for _ in 0..s.count {
            let sums = products::<i8, i8>(s, true, 4, (*s.channel).sums);
            (0..4).for_each(|p| *s.y.add(p * s.pitch) = output(sums[p], s.channel, END == 2));
            s.y = s.y.wrapping_add(4 * s.pitch);
        }
    }
}

unsafe extern "C" fn one<X: Element, W: Element, const END: u8>(s: *mut Strip) {
    // SAFETY: the caller's.
    unsafe {
        let s = &mut *s;
        while s.count > 0 {
            let four = if s.count < 4 { 1 } else { 4 };
            let mut sums = [0; 4];
            (0..four).for_each(|c| sums[c] = (*s.channel.add(c)).sums[0]);
            let sums = products::<X, W>(s, false, four, sums);
            for (c, &acc) in sums.iter().enumerate().take(four) {
                let channel = s.channel.add(c);
                match END {
                    0 => (*channel).sums[0] = acc,
                    _ => *s.y.add(c) = output(acc, channel, END == 2),
                }
            }
            (s.channel, s.y, s.count) = (s.channel.add(four), s.y.wrapping_add(four), s.count - four);
        }
    }
}

pub(in super::super) const DIRECT_I8: [Strips; 2] = [direct::<1>, direct::<2>];

pub(in super::super) fn pixel(x: usize, w: usize) -> [Strips; 3] {
    match (x, w) {
        (1, 1) => [one::<i8, i8, 0>, one::<i8, i8, 1>, one::<i8, i8, 2>],
        (1, _) => [one::<i8, i16, 0>, one::<i8, i16, 1>, one::<i8, i16, 2>],
        (_, 1) => [one::<i16, i8, 0>; 3],
        _ => [one::<i16, i16, 0>; 3],
    }
}

/// The weights of two channels in their order.
pub(super) unsafe extern "C" fn spread<O: Order>(to: *mut i32, w: *const i8, next: usize, step: usize, rows: usize) {
    for (c, row, tap) in [0, 1].into_iter().flat_map(|c| (0..2 * rows).map(move |tap| (c, tap / 2, tap % 2))) {
        for i in 0..step {
            // SAFETY: the caller's.
            unsafe {
                let w = *w.add(c * next + (2 * row + tap) * step + i);
                to.cast::<O::Weight>().add(O::place(step, 0, row * step + i, 2 * (1 - tap) + c)).write(w.into());
            }
        }
    }
}

pub(super) unsafe extern "C" fn columns<O: Order, const SINGLE: bool>(s: *mut Strip) {
    // SAFETY: the caller's.
    unsafe {
        let s = &mut *s;
        let channels = core::slice::from_raw_parts_mut(s.channel, 2);
        while s.count > 0 {
            let mut sums = [channels[0].sums[0], channels[1].sums[0], channels[0].start, channels[1].start];
            let mut piece = s.pieces;
            while !(*piece).x.is_null() {
                let (x, w) = ((*piece).x.cast::<i8>(), (*piece).w.cast::<O::Weight>());
                for i in 0..s.n {
                    let x = i32::from(*x.add(i)) - s.zero;
                    for (j, sum) in sums.iter_mut().enumerate() {
                        let w: i32 = (*w.add(O::place(s.n, s.step, i, j))).into();
                        *sum = sum.wrapping_add(x * w);
                    }
                }
                (*piece).x = x.add(s.n).cast();
                piece = piece.add(1);
            }
            for (c, channel) in channels.iter_mut().enumerate() {
                *s.y.add(c) = output(sums[c], channel, SINGLE);
                channel.sums[0] = sums[2 + c];
            }
            (s.y, s.count) = (s.y.wrapping_add(s.pitch), s.count - 1);
        }
    }
}
