//! A pixel that is a row: two channels at a time, sixteen values of them in eight instructions, and nothing laid out beforehand.
//!
//! Inputs and weights are multiplied as they lie; `zero · Σ w` comes off a sum when it is complete. The outputs of four channels are one vector,
//! by the formulas of the other loops, which hold where all shifts are below 0.

use super::depth::ZERO;
use super::portable::{self, Block, Pixel, Run};
use super::{BLOCK, SUMS};
use crate::arch::pieces::Piece;
use crate::quant::{Accumulator, Multiplier, Requant};
use crate::{Element, Rounding};
use core::mem::MaybeUninit;

#[cfg(target_arch = "arm")]
use asm::{products, scale};
#[cfg(not(target_arch = "arm"))]
use model::{products, scale};

/// Dot products of pieces, at least one of at least one value; the loops change it.
#[repr(C)]
struct Products {
    pieces: *mut Piece,
    end: *mut Piece,
    /// Bytes from the weights of a channel to those of the next, and values of a piece.
    step: usize,
    n: usize,
    channels: usize,
    /// 32 bits of a bias, and bytes to the next one's.
    bias: *const i32,
    next: usize,
    zero: i32,
    /// Room for an even number of sums.
    sums: *mut i32,
}

/// Outputs of sums.
#[repr(C)]
struct Outputs {
    sums: *const i32,
    multipliers: *const Multiplier,
    /// Multipliers from one channel to the next, 0 or 1.
    each: usize,
    y: *mut (),
    channels: usize,
    requant: *const Requant,
}

/// [`portable::alone`]
#[inline(never)]
pub(crate) fn alone<T: Element, W: Element, S: Accumulator, A: Accumulator>(
    block: &Block<'_, A>,
    w: &[W],
    run: Run,
    one: &Pixel<'_, T>,
    y: &mut [T],
) {
    let (channels, multipliers) = (y.len(), block.multipliers);
    let last = one.skip + (one.rows * one.row).saturating_sub(one.row) + one.pieces * one.len;
    let fits = size_of::<S>() == 4
        && channels == block.channels
        && channels <= SUMS
        && (block.bias.is_empty() || block.bias.len() >= channels)
        && (multipliers.len() == 1 || multipliers.len() >= channels)
        && channels * run.len <= w.len()
        && last <= run.len
        && channels * one.rows * one.pieces * one.len > 0;
    if !fits {
        return portable::pixel::<T, W, S, A, BLOCK>(block, w, run, one, y);
    }
    let mut sums = [const { MaybeUninit::<i32>::uninit() }; SUMS];
    let to = sums.as_mut_ptr().cast::<i32>();
    let (mut bias, mut next) = match block.bias {
        [] => (&raw const ZERO, 0),
        all => (all.as_ptr().cast(), size_of::<A>()),
    };
    let whole = one.pieces(w.as_ptr(), |pieces, _| {
        let (step, n, zero) = (run.len * size_of::<W>(), one.len, one.zero);
        let mut all = Products { pieces: pieces.start, end: pieces.end, step, n, channels, bias, next, zero, sums: to };
        // SAFETY: just checked: all channels have weights for the values of all pieces, and biases, or one of a step of 0; the low half of a
        // bias comes first.
        unsafe { products(size_of::<T>(), size_of::<W>())(&mut all) };
        // On with these sums.
        (bias, next) = (to, size_of::<i32>());
    });
    if !whole {
        return;
    }
    // SAFETY: all sums have been written, and there is a multiplier of each output.
    unsafe { outputs(block, to, y) };
}

/// The outputs of sums, one for all or each with a multiplier of its own.
///
/// # Safety
/// There are as many sums as outputs, at least one, and one multiplier, whose factor is below 1/2 unless the block has as many channels, or as many.
#[inline(always)]
pub(super) unsafe fn outputs<T: Element, A: Accumulator>(block: &Block<'_, A>, sums: *const i32, y: &mut [T]) {
    let (multipliers, requant, channels) = (block.multipliers, &raw const block.requant, y.len());
    let each = usize::from(multipliers.len() > 1);
    let outputs =
        Outputs { sums, multipliers: multipliers.as_ptr(), each, y: y.as_mut_ptr().cast(), channels, requant };
    // SAFETY: the caller's.
    if unsafe { scale::<T, A>(block.requant.rounding)(&outputs) } >= 0 {
        // SAFETY: the caller's.
        let sums = unsafe { core::slice::from_raw_parts(sums, channels) }.iter().copied();
        block.requant.all::<T, i32, A>(sums, block.multipliers(0), y);
    }
}

/// The instructions themselves.
#[cfg(target_arch = "arm")]
mod asm {
    use super::*;
    use core::arch::naked_asm;
    use core::mem::offset_of;

    /// Stamps the sums of all channels, two at a time: lanes, and how inputs and weights are loaded and how far apart.
    macro_rules! products {
        ($name:ident, $lanes:literal, $x:literal $x_by:literal, $w:literal $w_by:literal) => {
            #[unsafe(naked)]
            unsafe extern "C" fn $name(all: *mut Products) {
                naked_asm!(
                    ".cpu cortex-m55",
                    "push {{r4-r11, lr}}",
                    "mov r11, r0",
                    "ldr r10, [r0, #{end}]",
                    "ldrd r9, r12, [r0, #{step}]",
                    "2:", // two channels: sums in r0 and r2, Σ w in r4 and r6
                    "ldr r7, [r11, #{channels}]",
                    "subs r7, r7, #2",
                    "str r7, [r11, #{channels}]",
                    "itt lo", // a last one counts twice
                    "movlo r9, #0",
                    "strlo r9, [r11, #{next}]",
                    "ldrd r3, r5, [r11, #{bias}]",
                    "ldr r0, [r3]",
                    "ldr r2, [r3, r5]",
                    "add r3, r3, r5, lsl #1",
                    "str r3, [r11, #{bias}]",
                    "movs r4, #0",
                    "movs r6, #0",
                    "ldr r8, [r11]",
                    "3:", // a piece
                    "ldrd r1, r3, [r8]",
                    "add r5, r3, r9",
                    "add r7, r5, r9",
                    "str r7, [r8, #4]",
                    "adds r8, r8, #8",
                    concat!("dlstp.", $lanes, " lr, r12"),
                    "4:",
                    concat!("vldr", $x, " q0, [r1], #", $x_by),
                    concat!("vldr", $w, " q1, [r3], #", $w_by),
                    concat!("vmladava.s", $lanes, " r0, q0, q1"),
                    concat!("vaddva.s", $lanes, " r4, q1"),
                    concat!("vldr", $w, " q1, [r5], #", $w_by),
                    concat!("vmladava.s", $lanes, " r2, q0, q1"),
                    concat!("vaddva.s", $lanes, " r6, q1"),
                    "letp lr, 4b",
                    "cmp r8, r10",
                    "bne 3b",
                    "ldrd r3, r5, [r11, #{zero}]",
                    "mls r0, r4, r3, r0",
                    "mls r2, r6, r3, r2",
                    "strd r0, r2, [r5], #8",
                    "str r5, [r11, #{sums}]",
                    "ldr r7, [r11, #{channels}]",
                    "cmp r7, #0",
                    "bgt 2b",
                    "pop {{r4-r11, pc}}",
                    end = const offset_of!(Products, end),
                    step = const offset_of!(Products, step),
                    channels = const offset_of!(Products, channels),
                    bias = const offset_of!(Products, bias),
                    next = const offset_of!(Products, next),
                    zero = const offset_of!(Products, zero),
                    sums = const offset_of!(Products, sums),
                )
            }
        };
    }
    products!(products_88, "8", "b.u8" "16", "b.u8" "16");
    products!(products_816, "16", "b.s16" "8", "h.u16" "16");
    products!(products_168, "16", "h.u16" "16", "b.s16" "8");
    products!(products_1616, "16", "h.u16" "16", "h.u16" "16");

    #[inline(always)]
    pub(super) fn products(x: usize, w: usize) -> unsafe extern "C" fn(*mut Products) {
        match (x, w) {
            (1, 1) => products_88,
            (1, _) => products_816,
            (_, 1) => products_168,
            _ => products_1616,
        }
    }

    type Scale = unsafe extern "C" fn(*const Outputs) -> i32;

    /// Stamps the outputs of all sums, and the highest shift: what is done to sums in q0 by q in q1, and how outputs are stored.
    macro_rules! scale {
        ($name:ident [$($product:literal),+] $y:literal) => {
            #[unsafe(naked)]
            unsafe extern "C" fn $name(outputs: *const Outputs) -> i32 {
                naked_asm!(
                    ".cpu cortex-m55",
                    "push {{r4-r9, lr}}",
                    "ldmia r0, {{r1-r6}}", // sums, multipliers, each, y, channels, requant
                    "movs r0, #0",
                    "vidup.u32 q3, r0, #{size}",
                    "vmul.i32 q3, q3, r3",
                    "muls r3, r0, r3", // of four channels
                    "adds r0, r2, #{shift}",
                    "ldr r7, [r6, #{low}]",
                    "ldr r8, [r6, #{high}]",
                    "ldr r9, [r6, #{zero}]",
                    "mvn r6, #127",
                    "mov r12, #0x8000",
                    "dlstp.32 lr, r5",
                    "2:",
                    "vldrw.u32 q0, [r1], #16",
                    "vldrw.u32 q1, [r2, q3]",
                    "vldrb.s32 q2, [r0, q3]",
                    $($product,)+
                    "vmaxv.s32 r6, q2",
                    "vrshl.s32 q0, q0, q2",
                    "vdup.32 q1, r7",
                    "vmax.s32 q0, q0, q1",
                    "vdup.32 q1, r8",
                    "vmin.s32 q0, q0, q1",
                    "vadd.i32 q0, q0, r9",
                    concat!("vstr", $y),
                    "add r2, r2, r3",
                    "add r0, r0, r3",
                    "letp lr, 2b",
                    "mov r0, r6",
                    "pop {{r4-r9, pc}}",
                    size = const size_of::<Multiplier>(),
                    shift = const size_of::<i32>(), // behind q
                    low = const offset_of!(Requant, low),
                    high = const offset_of!(Requant, high),
                    zero = const offset_of!(Requant, zero),
                )
            }
        };
        ($eight:ident $sixteen:ident $product:tt) => {
            scale!($eight $product "b.32 q0, [r4], #4");
            scale!($sixteen $product "h.32 q0, [r4], #8");
        };
    }
    scale!(double_8 double_16 ["vqrdmulh.s32 q1, q0, q1", "vshr.s32 q0, q0, #31", "vadd.i32 q0, q0, q1"]);
    scale!(single_8 single_16 ["vqdmulh.s32 q0, q0, q1"]);
    scale!(wide_8 wide_16
        ["vqadd.s32 q1, q1, r12", "vbic.i32 q1, #0xff", "vbic.i32 q1, #0xff00", "vqdmulh.s32 q0, q0, q1"]);

    #[inline(always)]
    pub(super) fn scale<T: Element, A>(rounding: Rounding) -> Scale {
        match (rounding, size_of::<T>()) {
            _ if size_of::<A>() == 8 => {
                if size_of::<T>() == 1 {
                    wide_8
                } else {
                    wide_16
                }
            }
            (Rounding::TfliteDouble, 1) => double_8,
            (Rounding::TfliteDouble, _) => double_16,
            (_, 1) => single_8,
            _ => single_16,
        }
    }
}

/// The same steps in Rust.
#[cfg(not(target_arch = "arm"))]
mod model {
    use super::super::isa::output;
    use super::*;

    unsafe extern "C" fn all<X: Element, W: Element>(all: *mut Products) {
        // SAFETY: the caller's.
        unsafe {
            let all = &mut *all;
            for c in 0..all.channels {
                let mut sum = *all.bias.byte_add(c * all.next);
                let mut piece = all.pieces.cast_const();
                while piece != all.end {
                    let (x, w) = ((*piece).x.cast::<X>(), (*piece).w.byte_add(c * all.step).cast::<W>());
                    for i in 0..all.n {
                        let w = (*w.add(i)).to_i32();
                        let x = (*x.add(i)).to_i32().wrapping_sub(all.zero);
                        sum = sum.wrapping_add(x.wrapping_mul(w));
                    }
                    piece = piece.add(1);
                }
                *all.sums.add(c) = sum;
            }
        }
    }

    pub(super) fn products(x: usize, w: usize) -> unsafe extern "C" fn(*mut Products) {
        match (x, w) {
            (1, 1) => all::<i8, i8>,
            (1, _) => all::<i8, i16>,
            (_, 1) => all::<i16, i8>,
            _ => all::<i16, i16>,
        }
    }

    unsafe extern "C" fn outputs<T: Element, const DOUBLE: bool, const WIDE: bool>(all: *const Outputs) -> i32 {
        let mut highest = i8::MIN;
        // SAFETY: the caller's.
        unsafe {
            let Outputs { sums, multipliers, each, y, channels, requant } = *all;
            for c in 0..channels {
                let m = *multipliers.add(c * each);
                highest = highest.max(m.shift());
                let q = if WIDE { m.q().saturating_add(1 << 15) & !0xFFFF } else { m.q() };
                // What a higher one gives is thrown away.
                let v = output(*sums.add(c), q, m.shift().min(-1).into(), DOUBLE);
                *y.cast::<T>().add(c) = T::from_i32(v.max((*requant).low).min((*requant).high) + (*requant).zero);
            }
        }
        highest.into()
    }

    pub(super) fn scale<T: Element, A>(rounding: Rounding) -> unsafe extern "C" fn(*const Outputs) -> i32 {
        match rounding {
            _ if size_of::<A>() == 8 => outputs::<T, false, true>,
            Rounding::TfliteDouble => outputs::<T, true, false>,
            _ => outputs::<T, false, false>,
        }
    }
}
