//! Depthwise layers with Helium: sixteen channels of a pixel, whose sums stay in registers until they are outputs.
//!
//! Loads widen eight values and eight weights to halves of words; products are words, of the even and of the odd channels:
//!
//! ```text
//! x − zero                        VLDRB.S16, VSUB.I16
//! sums += (x − zero) · w          VLDRB.S16, VMULLB.S16, VMULLT.S16, 2 VADD.I32
//! ```
//!
//! 16 instructions for 16 products, with the step to the next tap. As the zero point comes off each value, taps outside the input are left out: those of a
//! row that are inside lie at one distance, and no list of places is needed. Weights of the channels are laid side by side once for all pixels of a row.
//! Outputs are made as in [`mve`](super) and narrowed to 16 bits, saturating, before the clamp, which is narrower still.
//!
//! Blocks of fewer channels, or of several for each input channel, run eight at a time, and gather their inputs.

use super::portable::{Block, Run};
use crate::quant::Accumulator;
use crate::{Element, Multiplier, Rounding};
use core::marker::PhantomData;
use core::mem::MaybeUninit;

/// Channels of a vector, and those of the loop.
const HALF: usize = 8;
const LANES: usize = 2 * HALF;
/// The most rows of taps, and taps of all rows.
const ROWS: usize = 8;
const TAPS: usize = 49;

/// Eight channels: their sums before any product, q and −e of the formulas of [`mve`](super), for the even channels and then for the odd ones; in which place, in
/// bytes, each one's input lies; and the clamp.
#[repr(C)]
#[derive(Clone, Copy)]
struct Half {
    bias: [i32; HALF],
    q: [i32; HALF],
    shift: [i32; HALF],
    at: [u16; HALF],
    low: [i16; HALF],
    high: [i16; HALF],
}

/// A block of channels.
pub(crate) struct Lanes {
    halves: [MaybeUninit<Half>; LANES / HALF],
    channels: usize,
    /// Input channels that they read.
    reach: usize,
    x_zero: i32,
    y_zero: i32,
    double: bool,
}

impl Lanes {
    pub(crate) fn new() -> Self {
        let halves = [const { MaybeUninit::uninit() }; LANES / HALF];
        Lanes { halves, channels: 0, reach: 0, x_zero: 0, y_zero: 0, double: false }
    }

    /// Becomes this block, of which `m` channels have the same input channel, and the first one is number `g` of them; `false` where the loops or the formulas do not
    /// hold.
    #[inline(never)]
    pub(crate) fn set<T: Element, W: Element, S: Accumulator, A: Accumulator>(
        &mut self,
        block: &Block<'_, A>,
        x_zero: i32,
        [m, mut g]: [usize; 2],
    ) -> bool {
        let (n, requant) = (block.channels, block.requant);
        // Bounds: differences of bytes fit 16 bits, and so does the clamp less a zero point of bytes.
        let narrow = size_of::<T>() == 1 || (x_zero, requant.zero) == (0, 0);
        let (multipliers, bias) = (block.multipliers, block.bias);
        // One for each, or one multiplier for all and no bias.
        let each = matches!((multipliers.len() == n, multipliers.len()), (true, _) | (_, 1));
        let each = each && (bias.len() == n || bias.is_empty());
        if size_of::<S>() != 4 || size_of::<W>() != 1 || !narrow || n == 0 || n > LANES || !each {
            return false;
        }
        let mut from = From {
            multipliers: multipliers.as_ptr(),
            step: if multipliers.len() == 1 { 0 } else { size_of::<Multiplier>() },
            bias: if bias.is_empty() { (&raw const super::ZERO).cast() } else { bias.as_ptr().cast() },
            hop: if bias.is_empty() { 0 } else { size_of::<A>() },
            channels: n,
            wide: (size_of::<A>() == 8).into(),
            low: requant.low,
            high: requant.high,
        };
        let mut highest = -1;
        for half in self.halves.iter_mut().take(n.div_ceil(HALF)) {
            // SAFETY: `channels` of them follow, or serve for all.
            highest = unsafe { isa::factors(half.as_mut_ptr(), &from) }.max(highest);
            from.multipliers = from.multipliers.wrapping_byte_add(HALF * from.step);
            from.bias = from.bias.wrapping_byte_add(HALF * from.hop);
            from.channels = from.channels.saturating_sub(HALF);
        }
        (self.channels, self.x_zero, self.y_zero) = (n, x_zero, requant.zero);
        (self.reach, self.double) = (LANES, requant.rounding == Rounding::TfliteDouble);
        if m > 1 || n < LANES {
            let mut at = 0;
            for c in 0..n {
                if let Some(half) = self.halves.get_mut(c / HALF) {
                    // SAFETY: it has been written.
                    unsafe { half.assume_init_mut() }.at[c % HALF] = (at * size_of::<T>()) as u16;
                }
                (at, g) = if g + 1 == m { (at + 1, 0) } else { (at, g + 1) };
            }
            self.reach = at + usize::from(g > 0);
        }
        highest < 0
    }

    /// Whether every channel has an input of its own, and no lane is empty.
    fn full(&self) -> bool {
        self.channels == LANES && self.reach == LANES
    }
}

/// Where eight channels' multipliers and biases lie, and bytes from one to the next; how many there are; whether q is rounded to its upper half; the clamp.
#[repr(C)]
struct From {
    multipliers: *const Multiplier,
    step: usize,
    bias: *const i32,
    hop: usize,
    channels: usize,
    wide: usize,
    low: i32,
    high: i32,
}

/// The taps of a row's pixels: their input rows, and their weights, those of the channels side by side.
pub(crate) struct Taps<'a, T> {
    rows: [MaybeUninit<*const T>; ROWS],
    len: usize,
    /// Values that can be read in every row.
    values: usize,
    /// Weights of a channel, which have been laid.
    n: usize,
    w: [MaybeUninit<[i8; LANES]>; TAPS],
    borrowed: PhantomData<&'a T>,
}

/// Pixels that follow each other and the taps of a row that are inside.
pub(crate) struct Strip {
    /// Where the first tap of the first pixel reads in its row; values from one tap to the next, and from one pixel to the next.
    pub(crate) from: usize,
    pub(crate) hop: usize,
    pub(crate) step: usize,
    /// Taps outside before them, inside, and of all.
    pub(crate) before: usize,
    pub(crate) taps: usize,
    pub(crate) columns: usize,
    pub(crate) count: usize,
    /// The first output of the first pixel, and the distance of the next one's.
    pub(crate) to: usize,
    pub(crate) pitch: usize,
}

impl<'a, T: Element> Taps<'a, T> {
    pub(crate) fn new() -> Self {
        let (rows, w) = ([MaybeUninit::uninit(); ROWS], [const { MaybeUninit::uninit() }; TAPS]);
        Taps { rows, len: 0, values: usize::MAX, n: 0, w, borrowed: PhantomData }
    }

    /// Whether there is room for so many rows, of so many taps each.
    pub(crate) fn hold(rows: usize, taps: usize) -> bool {
        rows <= ROWS && rows * taps <= TAPS
    }

    /// The next row.
    #[inline(always)]
    pub(crate) fn push(&mut self, row: &'a [T]) {
        if let Some(to) = self.rows.get_mut(self.len) {
            to.write(row.as_ptr());
            (self.len, self.values) = (self.len + 1, self.values.min(row.len()));
        }
    }

    /// Lays the weights of all taps.
    #[inline(always)]
    pub(crate) fn lay<W: Element>(&mut self, lanes: &Lanes, w: &[W], run: Run) {
        self.n = 0;
        // Bounds: offsets have 16 bits.
        let enough = run.skip + run.n <= run.len && lanes.channels * run.len <= w.len() && HALF * run.len < 1 << 16;
        if run.n == 0 || run.n > TAPS || !enough {
            return;
        }
        let mut c = 0;
        while c < lanes.channels {
            let from = w.as_ptr().wrapping_add(c * run.len + run.skip).cast();
            let (to, n) = (self.w.as_mut_ptr().cast::<i8>().wrapping_add(c), HALF.min(lanes.channels - c));
            // SAFETY: there are `len` weights of each channel, weights of one byte are i8 or transparent wrappers of it, and there is room for as many of all lanes.
            unsafe { isa::lay(to, from, run.len, run.n, n) };
            c += HALF;
        }
        self.n = run.n;
    }

    /// The outputs of pixels; nothing where inputs or room for outputs are missing.
    ///
    /// Bounds: the plan has proved that the whole sum fits 32 bits (see `Weights::layer`); parts of it may wrap.
    #[inline(always)]
    pub(crate) fn outputs(&self, lanes: &Lanes, strip: &Strip, y: &mut [T]) {
        let &Strip { from, hop, step, before, taps, columns, count, to, pitch } = strip;
        let len = if taps > 0 { self.len } else { 0 };
        let last = count.saturating_sub(1);
        let inputs = len == 0 || from + last * step + (taps - 1) * hop + lanes.reach <= self.values;
        let room = to + last * pitch + lanes.channels <= y.len();
        if count == 0 || !inputs || !room || before + taps > columns || len * columns > self.n {
            return;
        }
        let size = size_of::<T>();
        let mut call = Call {
            w: self.w.as_ptr().wrapping_add(before).cast(),
            rows: self.rows.as_ptr().cast(),
            from: from * size,
            hop: hop * size,
            zero: lanes.x_zero,
            end: self.rows.as_ptr().wrapping_add(len).cast(),
            taps,
            skip: (columns - taps) * LANES,
            half: lanes.halves.as_ptr().cast(),
            y: y.as_mut_ptr().wrapping_add(to).cast(),
            count,
            pitch: pitch * size,
            step: step * size,
            y_zero: lanes.y_zero,
            double: lanes.double.into(),
            channels: LANES,
        };
        if lanes.full() {
            // SAFETY: all rows have the values and weights of all taps and channels, and y has room.
            return unsafe { isa::whole(size)(&call) };
        }
        let mut left = lanes.channels;
        while left > 0 {
            call.channels = left.min(HALF);
            // SAFETY: as above.
            unsafe { isa::half(size)(&call) };
            left -= call.channels;
            (call.w, call.half) = (call.w.wrapping_add(HALF), call.half.wrapping_add(1));
            call.y = call.y.wrapping_byte_add(HALF * size);
        }
    }
}

/// What a loop works on, in bytes: the first weights and the rows; from where on they are read, tap by tap; their zero point; the end of the rows; taps of each, and the
/// weights between those of two rows; the channels; and where outputs go.
#[repr(C)]
struct Call {
    w: *const i8,
    rows: *const *const (),
    from: usize,
    hop: usize,
    zero: i32,
    end: *const *const (),
    taps: usize,
    skip: usize,
    half: *const Half,
    y: *mut (),
    /// Pixels, at least one.
    count: usize,
    pitch: usize,
    step: usize,
    y_zero: i32,
    double: usize,
    /// Of a loop over half of them.
    channels: usize,
}

type Loop = unsafe extern "C" fn(*const Call);

#[cfg(target_arch = "arm")]
use asm as isa;
#[cfg(not(target_arch = "arm"))]
use model as isa;

#[cfg(target_arch = "arm")]
mod asm {
    use super::{Call, From, HALF, Half, LANES, Loop};
    use core::arch::naked_asm;
    use core::mem::offset_of;

    /// Writes all but `at` of channels; the highest −e, or -1. Lanes without a channel are as the last one.
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn factors(half: *mut Half, from: *const From) -> i32 {
        naked_asm!(
            ".cpu cortex-m55",
            ".macro channels at",
            "vmin.u32 q0, q0, q7",
            "vmul.i32 q1, q0, r3",
            "vldrw.u32 q2, [r2, q1]",
            "vldrb.s32 q3, [r12, q1]",
            "cbz r7, 2f",
            "vqadd.s32 q2, q2, r11",
            "vbic.i32 q2, #0xff",
            "vbic.i32 q2, #0xff00",
            "2:",
            "vpt.i32 eq, q2, zr",
            "vmvnt.i32 q3, #0",
            "vmaxv.s32 lr, q3",
            "vmul.i32 q1, q0, r5",
            "vldrw.u32 q0, [r4, q1]",
            "vstrw.32 q0, [r0, #\\at]",
            "vstrw.32 q2, [r0, #\\at + {q}]",
            "vstrw.32 q3, [r0, #\\at + {shift}]",
            ".endm",
            "push {{r4-r11, lr}}",
            "vpush {{d14, d15}}",
            "ldmia r1, {{r2-r9}}",
            "vdup.16 q0, r8",
            "vstrh.16 q0, [r0, #{low}]",
            "vdup.16 q0, r9",
            "vstrh.16 q0, [r0, #{high}]",
            "add r12, r2, #4",
            "mov r11, #0x8000",
            "mov lr, #-1",
            "subs r6, r6, #1",
            "vdup.32 q7, r6",
            "movs r6, #0",
            "vidup.u32 q0, r6, #2",
            "channels 0",
            "movs r6, #1",
            "vdup.32 q0, r6",
            "movs r6, #0",
            "vidup.u32 q1, r6, #2",
            "vadd.i32 q0, q0, q1",
            "channels 16",
            "mov r0, lr",
            "vpop {{d14, d15}}",
            "pop {{r4-r11, pc}}",
            ".purgem channels",
            q = const offset_of!(Half, q),
            shift = const offset_of!(Half, shift),
            low = const offset_of!(Half, low),
            high = const offset_of!(Half, high),
        )
    }

    /// Lays `taps` weights of eight channels side by side, which lie `len` apart; those of the channels from `n` on are 0.
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn lay(to: *mut i8, w: *const i8, len: usize, taps: usize, n: usize) {
        naked_asm!(
            ".cpu cortex-m55",
            "push {{r7, lr}}",
            "ldr r12, [sp, #8]",
            "vctp.16 r12",
            "mov r12, #0",
            "vidup.u16 q0, r12, #1",
            "vmul.i16 q0, q0, r2",
            "dls lr, r3",
            "2:",
            "vpst",
            "vldrbt.s16 q1, [r1, q0]",
            "adds r1, r1, #1",
            "vstrb.16 q1, [r0], #{lanes}",
            "le lr, 2b",
            "pop {{r7, pc}}",
            lanes = const LANES,
        )
    }

    /// Stamps a loop over pixels: how many halves it takes, how their inputs are loaded, and how outputs are stored.
    macro_rules! stamp {
        ($name:ident $halves:literal [$($x:literal),+] [$($again:literal),*] [$($y:literal),+]) => {
            #[unsafe(naked)]
            unsafe extern "C" fn $name(call: *const Call) {
                naked_asm!(
                    ".cpu cortex-m55",
                    ".macro products even, odd",
                    "vldrb.s16 q5, [r2], #{half}",
                    "vsub.i16 q4, q4, r6",
                    "vmullb.s16 q6, q4, q5",
                    "vmullt.s16 q4, q4, q5",
                    "vadd.i32 \\even, \\even, q6",
                    "vadd.i32 \\odd, \\odd, q4",
                    ".endm",
                    ".macro factors at",
                    "vldrw.u32 q4, [r10, #\\at + {q}]",
                    "vldrw.u32 q5, [r10, #\\at + {shift}]",
                    ".endm",
                    ".macro double acc, at",
                    "factors \\at",
                    "vshr.s32 q6, \\acc, #31",
                    "vqrdmulh.s32 \\acc, \\acc, q4",
                    "vadd.i32 \\acc, \\acc, q6",
                    "vrshl.s32 \\acc, \\acc, q5",
                    ".endm",
                    ".macro single acc, at",
                    "factors \\at",
                    "vqdmulh.s32 \\acc, \\acc, q4",
                    "vrshl.s32 \\acc, \\acc, q5",
                    ".endm",
                    ".macro narrow even, odd",
                    "vqmovnb.s32 \\even, \\even",
                    "vqmovnt.s32 \\even, \\odd",
                    "vmax.s16 \\even, \\even, q5",
                    "vmin.s16 \\even, \\even, q6",
                    "vadd.i16 \\even, \\even, r1",
                    ".endm",

                    "push {{r4-r11, lr}}",
                    "vpush {{d8-d15}}",
                    "add r1, r0, #{from}",
                    "ldmia r1, {{r4-r12}}",
                    concat!(".if ", $halves, " == 1"),
                    "ldr r1, [r0, #{channels}]",
                    "vctp.16 r1",
                    "vldrh.u16 q7, [r10, #{at}]",
                    ".endif",
                    "2:", // a pixel
                    "vldrw.u32 q0, [r10]",
                    "vldrw.u32 q1, [r10, #16]",
                    concat!(".if ", $halves, " == 2"),
                    "vldrw.u32 q2, [r10, #{size}]",
                    "vldrw.u32 q3, [r10, #{size} + 16]",
                    ".endif",
                    "ldrd r2, r3, [r0]",
                    "cmp r3, r7",
                    "beq 5f",
                    "3:", // a row of taps
                    "ldr r1, [r3], #4",
                    "add r1, r1, r4",
                    "dls lr, r8",
                    "4:",
                    $($x,)+
                    "products q0, q1",
                    concat!(".if ", $halves, " == 2"),
                    $($again,)*
                    "products q2, q3",
                    ".else",
                    "adds r2, r2, #{half}",
                    ".endif",
                    "add r1, r1, r5",
                    "le lr, 4b",
                    "add r2, r2, r9",
                    "cmp r3, r7",
                    "bne 3b",
                    "5:",
                    "ldrd r1, r2, [r0, #{y_zero}]",
                    "cbnz r2, 6f",
                    "single q0, 0",
                    "single q1, 16",
                    concat!(".if ", $halves, " == 2"),
                    "single q2, {size}",
                    "single q3, {size} + 16",
                    ".endif",
                    "b 7f",
                    "6:",
                    "double q0, 0",
                    "double q1, 16",
                    concat!(".if ", $halves, " == 2"),
                    "double q2, {size}",
                    "double q3, {size} + 16",
                    ".endif",
                    "7:",
                    "vldrh.u16 q5, [r10, #{low}]",
                    "vldrh.u16 q6, [r10, #{high}]",
                    "mov r3, r11",
                    "narrow q0, q1",
                    concat!(".if ", $halves, " == 2"),
                    "narrow q2, q3",
                    ".endif",
                    $($y,)+
                    "ldrd r1, r2, [r0, #{pitch}]",
                    "add r11, r11, r1",
                    "add r4, r4, r2",
                    "subs r12, r12, #1",
                    "bne 2b",
                    "vpop {{d8-d15}}",
                    "pop {{r4-r11, pc}}",
                    ".purgem products",
                    ".purgem factors",
                    ".purgem double",
                    ".purgem single",
                    ".purgem narrow",
                    half = const HALF,
                    size = const size_of::<Half>(),
                    q = const offset_of!(Half, q),
                    shift = const offset_of!(Half, shift),
                    at = const offset_of!(Half, at),
                    low = const offset_of!(Half, low),
                    high = const offset_of!(Half, high),
                    from = const offset_of!(Call, from),
                    channels = const offset_of!(Call, channels),
                    y_zero = const offset_of!(Call, y_zero),
                    pitch = const offset_of!(Call, pitch),
                )
            }
        };
    }
    stamp!(whole_8 2 ["vldrb.s16 q4, [r1]"] ["vldrb.s16 q4, [r1, #8]"] ["vstrb.16 q0, [r3]", "vstrb.16 q2, [r3, #8]"]);
    stamp!(whole_16 2 ["vldrh.u16 q4, [r1]"] ["vldrh.u16 q4, [r1, #16]"] ["vstrh.16 q0, [r3]", "vstrh.16 q2, [r3, #16]"]);
    stamp!(half_8 1 ["vpst", "vldrbt.s16 q4, [r1, q7]"] [] ["vpst", "vstrbt.16 q0, [r3]"]);
    stamp!(half_16 1 ["vpst", "vldrht.u16 q4, [r1, q7]"] [] ["vpst", "vstrht.16 q0, [r3]"]);

    /// The loop over all channels, for elements of this size.
    pub(super) fn whole(size: usize) -> Loop {
        if size == 1 { whole_8 } else { whole_16 }
    }

    /// The same over half of them.
    pub(super) fn half(size: usize) -> Loop {
        if size == 1 { half_8 } else { half_16 }
    }
}

/// The same steps in Rust.
#[cfg(not(target_arch = "arm"))]
mod model {
    use super::super::factor;
    use super::super::isa::output;
    use super::{Call, From, HALF, Half, LANES, Loop};
    use crate::Element;

    pub(super) unsafe extern "C" fn factors(half: *mut Half, from: *const From) -> i32 {
        // SAFETY: the caller's.
        let (half, from) = unsafe { (&mut *half, &*from) };
        let mut highest = -1;
        for lane in 0..HALF {
            let (c, i) = (lane.min(from.channels - 1), lane % 2 * (HALF / 2) + lane / 2);
            // SAFETY: the caller's.
            let m = unsafe { &*from.multipliers.byte_add(c * from.step) };
            // SAFETY: the caller's.
            half.bias[i] = unsafe { *from.bias.byte_add(c * from.hop) };
            [half.q[i], half.shift[i]] = factor(m, from.wide != 0);
            highest = half.shift[i].max(highest);
            (half.low[lane], half.high[lane]) = (from.low as i16, from.high as i16);
        }
        highest
    }

    pub(super) unsafe extern "C" fn lay(to: *mut i8, w: *const i8, len: usize, taps: usize, n: usize) {
        for (tap, c) in (0..taps).flat_map(|tap| (0..HALF).map(move |c| (tap, c))) {
            // SAFETY: the caller's.
            unsafe { *to.add(tap * LANES + c) = if c < n { *w.add(c * len + tap) } else { 0 } };
        }
    }

    unsafe extern "C" fn outputs<T: Element>(call: *const Call) {
        // SAFETY: the caller's.
        unsafe {
            let call = &*call;
            for (p, c) in (0..call.count).flat_map(|p| (0..call.channels).map(move |c| (p, c))) {
                let (half, lane) = (&*call.half.add(c / HALF), c % HALF);
                let i = lane % 2 * (HALF / 2) + lane / 2;
                let at = if call.channels > HALF { c * size_of::<T>() } else { half.at[lane].into() };
                let (mut sum, mut row, mut w) = (half.bias[i], call.rows, call.w.add(c));
                while row != call.end {
                    for tap in 0..call.taps {
                        let from = call.from + p * call.step + tap * call.hop + at;
                        let x = ((*row).byte_add(from).cast::<T>().read().to_i32() - call.zero) as i16;
                        sum = sum.wrapping_add(i32::from(x) * i32::from(*w));
                        w = w.wrapping_add(LANES);
                    }
                    (row, w) = (row.add(1), w.wrapping_add(call.skip));
                }
                let v = output(sum, half.q[i], half.shift[i], call.double != 0);
                let v = v.clamp(i16::MIN.into(), i16::MAX.into()) as i16;
                let v = v.max(half.low[lane]).min(half.high[lane]).wrapping_add(call.y_zero as i16);
                *call.y.byte_add(p * call.pitch).cast::<T>().add(c) = T::from_i32(v.into());
            }
        }
    }

    pub(super) fn whole(size: usize) -> Loop {
        if size == 1 { outputs::<i8> } else { outputs::<i16> }
    }

    pub(super) use whole as half;
}
