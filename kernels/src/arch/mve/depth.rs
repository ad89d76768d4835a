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
use super::small;
use crate::quant::Accumulator;
use crate::{Element, Multiplier, Rounding};
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr::{null, null_mut};

/// Channels of a vector, and those of the loop.
const HALF: usize = 8;
const LANES: usize = 2 * HALF;
/// The most rows of taps, and taps of all rows.
const ROWS: usize = 8;
const TAPS: usize = 49;
/// Strips at a time.
const STRIPS: usize = 8;

/// A bias where there is none.
pub(super) static ZERO: i32 = 0;

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
            bias: if bias.is_empty() { (&raw const ZERO).cast() } else { bias.as_ptr().cast() },
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
                small();
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

/// The outputs of a row: the input rows that its taps read, their weights, those of the channels side by side, and its pixels.
pub(crate) struct Taps<'a, T> {
    rows: [MaybeUninit<*const T>; ROWS],
    len: usize,
    /// Values that can be read in every row.
    values: usize,
    w: [MaybeUninit<[i8; LANES]>; TAPS],
    calls: [MaybeUninit<Call>; STRIPS],
    count: usize,
    /// The phase whose strips come next: where its weights begin, those of the tap rows that are inside, and its columns.
    packed: usize,
    run: Run,
    columns: usize,
    /// Channels of the input and the output, and outputs of the row.
    channels: [usize; 2],
    room: usize,
    /// Values from one tap to the next and from one pixel to the next, and outputs of the latter.
    steps: [usize; 3],
    borrowed: PhantomData<&'a T>,
}

/// Pixels of one phase that follow each other and are reached by the same taps.
pub(crate) struct Strip {
    /// Where the first tap of the first pixel reads in its row.
    pub(crate) from: usize,
    /// Taps outside before those that are inside.
    pub(crate) before: usize,
    pub(crate) taps: usize,
    pub(crate) count: usize,
    /// The first pixel's first output.
    pub(crate) to: usize,
}

impl<'a, T: Element> Taps<'a, T> {
    #[inline(always)]
    pub(crate) fn new(channels: [usize; 2], room: usize, steps: [usize; 3]) -> Self {
        Taps {
            rows: [const { MaybeUninit::uninit() }; ROWS],
            len: 0,
            values: usize::MAX,
            w: [const { MaybeUninit::uninit() }; TAPS],
            calls: [const { MaybeUninit::uninit() }; STRIPS],
            count: 0,
            packed: 0,
            run: Run { n: 0, len: 0, skip: 0 },
            columns: 0,
            channels,
            room,
            steps,
            borrowed: PhantomData,
        }
    }

    /// Reads these rows; whether there is room.
    #[inline(always)]
    pub(crate) fn rows(&mut self, rows: impl Iterator<Item = &'a [T]>) -> bool {
        for row in rows {
            let Some(to) = self.rows.get_mut(self.len) else { return false };
            to.write(row.as_ptr());
            (self.len, self.values) = (self.len + 1, self.values.min(row.len()));
        }
        true
    }

    /// The next phase; whether there is room for its weights.
    #[inline(always)]
    pub(crate) fn phase(&mut self, packed: usize, run: Run, columns: usize) -> bool {
        (self.packed, self.run, self.columns) = (packed, run, columns);
        // Bounds: offsets have 16 bits.
        run.n <= TAPS && run.n == self.len * columns && run.skip + run.n <= run.len && HALF * run.len < 1 << 16
    }

    /// The next strip of this phase; whether there is room. Without inputs, or room for its outputs, it is left out.
    #[inline(always)]
    pub(crate) fn push(&mut self, strip: &Strip) -> bool {
        let &Strip { from, before, taps, count, to } = strip;
        let [hop, step, pitch] = self.steps;
        let [inputs, outputs] = self.channels;
        let (last, size) = (count.saturating_sub(1), size_of::<T>());
        let rows = if taps > 0 { self.len } else { 0 };
        let reads = rows == 0 || from + last * step + (taps - 1) * hop + inputs <= self.values;
        if count == 0 || !reads || to + last * pitch + outputs > self.room || before + taps > self.columns {
            return true;
        }
        let Some(call) = self.calls.get_mut(self.count) else { return false };
        call.write(Call {
            w: null(),
            rows: null(),
            from: from * size,
            hop: hop * size,
            zero: 0,
            end: null(),
            taps,
            skip: (self.columns - taps) * LANES,
            half: null(),
            y: null_mut(),
            count,
            pitch: pitch * size,
            step: step * size,
            y_zero: 0,
            double: 0,
            channels: LANES,
            packed: self.packed,
            run: self.run,
            before: before * LANES,
            len: rows,
            at: from * size,
            to: to * size,
        });
        self.count += 1;
        true
    }

    /// Forgets the strips.
    pub(crate) fn clear(&mut self) {
        self.count = 0;
    }

    /// The outputs of some channels, the first of which, and its input, have these numbers.
    ///
    /// Bounds: the plan has proved that the whole sum fits 32 bits (see `Weights::layer`); parts of it may wrap.
    #[inline(never)]
    pub(crate) fn outputs<W: Element>(&mut self, lanes: &Lanes, w: &[W], [x, o]: [usize; 2], y: &mut [T]) {
        let (n, size, mut laid) = (lanes.channels, size_of::<T>(), usize::MAX);
        if x + lanes.reach > self.channels[0] || o + n > self.channels[1] || y.len() < self.room {
            return;
        }
        let (full, half) = (lanes.full(), lanes.halves.as_ptr().cast());
        let rows: *const *const () = self.rows.as_ptr().cast();
        for call in self.calls.iter_mut().take(self.count) {
            // SAFETY: as many have been written.
            let call = unsafe { call.assume_init_mut() };
            let run = call.run;
            if run.n > 0 && call.packed != laid {
                laid = call.packed;
                let w = w.get(laid + o * run.len + run.skip..).unwrap_or_default();
                if n * run.len > w.len() + run.skip {
                    return;
                }
                // SAFETY: there are `len` weights of each channel, of one byte as `lanes` knows, and `phase` has seen to the room.
                unsafe { lay(self.w.as_mut_ptr().cast(), w.as_ptr().cast(), run, n) };
            }
            call.w = self.w.as_ptr().cast::<i8>().wrapping_add(call.before);
            (call.rows, call.end) = (rows, rows.wrapping_add(call.len));
            (call.from, call.zero, call.half) = (call.at + x * size, lanes.x_zero, half);
            call.y = y.as_mut_ptr().wrapping_add(o).wrapping_byte_add(call.to).cast();
            (call.y_zero, call.double) = (lanes.y_zero, lanes.double.into());
            if full {
                // SAFETY: all rows have the values and weights of all taps and channels, and y has room, as `push` has seen to.
                unsafe { isa::whole(size)(call) };
                continue;
            }
            let mut left = n;
            while left > 0 {
                call.channels = left.min(HALF);
                // SAFETY: as above.
                unsafe { isa::half(size)(call) };
                left -= call.channels;
                (call.w, call.half) = (call.w.wrapping_add(HALF), call.half.wrapping_add(1));
                call.y = call.y.wrapping_byte_add(HALF * size);
            }
        }
    }
}

/// Lays the weights of `n` channels.
///
/// # Safety
/// There are those that the run names, and room for as many of all lanes.
#[inline(always)]
unsafe fn lay(to: *mut i8, w: *const i8, run: Run, n: usize) {
    let mut c = 0;
    while c < n {
        // SAFETY: the caller's.
        unsafe { isa::lay(to.wrapping_add(c), w.wrapping_add(c * run.len), run.len, run.n, HALF.min(n - c)) };
        c += HALF;
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
    /// What the loops do not read: the weights before they are laid, how far behind the laid ones the first lie, rows, and the places of channel 0.
    packed: usize,
    run: Run,
    before: usize,
    len: usize,
    at: usize,
    to: usize,
}

type Loop = unsafe extern "C" fn(*const Call);

#[cfg(target_arch = "arm")]
use asm as isa;
#[cfg(not(target_arch = "arm"))]
use model as isa;

#[cfg(target_arch = "arm")]
mod asm {
    use super::{Call, From, Half, LANES, Loop};
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
                    concat!("vldrb.s16 q5, [r2], #{lanes} / ", $halves),
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
                    lanes = const LANES,
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
    use super::super::isa::{factor, output};
    use super::{Call, From, HALF, Half, LANES, Loop};
    use crate::Element;

    pub(super) unsafe extern "C" fn factors(half: *mut Half, from: *const From) -> i32 {
        // SAFETY: the caller's.
        let from = unsafe { &*from };
        let mut highest = -1;
        for lane in 0..HALF {
            let (c, i) = (lane.min(from.channels - 1), lane % 2 * (HALF / 2) + lane / 2);
            // SAFETY: the caller's; no reference is made to the half, of which `at` may not have been written.
            unsafe {
                let [q, shift] = factor(&*from.multipliers.byte_add(c * from.step), from.wide != 0);
                (*half).bias[i] = *from.bias.byte_add(c * from.hop);
                ((*half).q[i], (*half).shift[i]) = (q, shift);
                highest = shift.max(highest);
                ((*half).low[lane], (*half).high[lane]) = (from.low as i16, from.high as i16);
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quant::Requant;
    use crate::rows::cut;
    use crate::{Activation, Quant};
    use core::slice::from_mut;

    fn outputs_are_the_formula<T: Element, A: Accumulator>() {
        let mut state = 5u64;
        let mut below = |n: usize| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) as usize % n
        };
        let wide = size_of::<T>() == 2;
        for case in 0..if cfg!(miri) { 8 } else { 600 } {
            let m = if case % 3 == 0 { 1 + below(5) } else { 1 };
            let channels = if case % 2 == 0 { LANES } else { 1 + below(LANES) };
            let (above, rows, below_rows) = (below(2), below(4), below(2));
            let (columns, hop, step, count) = (1 + below(4), 1 + below(2), 1 + below(2), 1 + below(4));
            let (before, g) = (below(columns), below(m));
            let taps = 1 + below(columns - before);
            // Neighbours on both sides, which are not touched.
            let (c, o) = ((g + channels).div_ceil(m) + below(3), below(3));
            let all = o + channels + below(3);
            let width = (taps - 1) * hop + (count - 1) * step + 1;
            let mut value = |n: usize| below(n) as i32 - (n / 2) as i32;
            let [x_zero, y_zero] = if wide { [0; 2] } else { [(); 2].map(|()| value(256)) };
            let lines: std::vec::Vec<std::vec::Vec<T>> = (0..rows)
                .map(|_| (0..width * c).map(|_| T::from_i32(value(if wide { 65536 } else { 256 }))).collect())
                .collect();
            let run = Run { n: rows * columns, len: (above + rows + below_rows) * columns, skip: above * columns };
            let w: std::vec::Vec<i8> = (0..all * run.len).map(|_| value(256) as i8).collect();
            let bias: std::vec::Vec<A> = (0..channels).map(|_| A::from_i64(value(2001).into())).collect();
            let bias = if case % 5 == 0 { &[][..] } else { &bias };
            let n = if case % 7 == 0 { 1 } else { channels };
            let multipliers = (0..n).map(|_| match value(20) {
                0 => Multiplier::ZERO,
                k => Multiplier::from_real((0.004 + 0.0001 * f64::from(k)) * if wide { 0.01 } else { 1.0 }).unwrap(),
            });
            let multipliers: std::vec::Vec<_> = multipliers.collect();
            let rounding = match case % 4 {
                _ if size_of::<A>() == 8 => Rounding::Tflite16x8,
                0 => Rounding::TfliteSingle,
                _ => Rounding::TfliteDouble,
            };
            let activation = if case % 3 == 0 { Activation::Relu } else { Activation::None };
            let requant = Requant::new(rounding, y_zero, activation.range::<T>(Quant::new(1.0, y_zero)));
            let block = Block { channels, bias, multipliers: &multipliers, requant, largest: 1 << 30 };
            let mut ours = vec![T::default(); count * all];
            let mut theirs = ours.clone();
            let mut lanes = Lanes::new();
            assert!(lanes.set::<T, i8, i32, A>(&block, x_zero, [m, g]));
            let mut all_taps = Taps::new([c, all], ours.len(), [hop * c, step * c, all]);
            assert!(all_taps.rows(lines.iter().map(|line| &line[..])));
            assert!(all_taps.phase(0, run, columns));
            assert!(all_taps.push(&Strip { from: 0, before, taps, count, to: 0 }));
            all_taps.outputs(&lanes, &w, [0, o], &mut ours);
            for (p, i) in (0..count).flat_map(|p| (0..channels).map(move |i| (p, i))) {
                let w = cut(&w, (o + i) * run.len + run.skip, run.n);
                let mut sum = block.bias::<i32>(i);
                for (line, w) in lines.iter().zip(w.chunks(columns)) {
                    for (tap, w) in w[before..before + taps].iter().enumerate() {
                        let x = line[(p * step + tap * hop) * c + (g + i) / m].to_i32();
                        sum += (x - x_zero) * i32::from(*w);
                    }
                }
                let to = from_mut(&mut theirs[p * all + o + i]);
                requant.all::<T, i32, A>([sum].into_iter(), [block.multiplier(i)].into_iter(), to);
            }
            assert!(ours == theirs, "case {case}: {channels} channels, {m} of an input");
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

    /// What the loops do not hold for is refused, and what lies outside is not touched.
    #[test]
    fn refusals() {
        let requant = Requant::new(Rounding::TfliteDouble, 0, (-128, 127));
        let [one, half] = [1.0, 0.25].map(|m| [Multiplier::from_real(m).unwrap()]);
        let block = |multipliers| Block::<i32> { channels: 1, bias: &[], multipliers, requant, largest: 1 };
        let mut lanes = Lanes::new();
        assert!(lanes.set::<i8, i8, i32, i32>(&block(&half), 0, [1, 0]));
        assert!(!lanes.set::<i8, i8, i32, i32>(&block(&one), 0, [1, 0]));
        assert!(!lanes.set::<i8, i16, i32, i32>(&block(&half), 0, [1, 0]));
        assert!(!lanes.set::<i8, i8, i64, i32>(&block(&half), 0, [1, 0]));
        assert!(!lanes.set::<i16, i8, i32, i32>(&block(&half), 1, [1, 0]));
        assert!(lanes.set::<i8, i8, i32, i32>(&block(&half), 0, [1, 0]));
        let mut taps = Taps::new([1, 1], 2, [1; 3]);
        assert!(!Taps::new([1, 1], 2, [1; 3]).rows([&[1i8][..]; ROWS + 1].into_iter()));
        assert!(taps.rows([&[4i8, 8][..]].into_iter()));
        let run = |n| Run { n, len: n, skip: 0 };
        assert!(!taps.phase(0, run(TAPS + 1), TAPS + 1) && !taps.phase(0, run(2), 1) && taps.phase(0, run(1), 1));
        let mut y = [99; 2];
        for [from, taps_of, count, to] in [[2, 1, 1, 0], [0, 1, 3, 0], [0, 1, 1, 2], [0, 2, 1, 0], [0, 1, 0, 0]] {
            assert!(taps.push(&Strip { from, before: 0, taps: taps_of, count, to }));
        }
        taps.outputs(&lanes, &[1i8], [0, 0], &mut y);
        assert_eq!(y, [99; 2]);
        assert!(taps.push(&Strip { from: 0, before: 0, taps: 1, count: 2, to: 0 }));
        for (w, x, o) in [(&[][..] as &[i8], 0, 0), (&[1], 1, 0), (&[1], 0, 1)] {
            taps.outputs(&lanes, w, [x, o], &mut y);
        }
        taps.outputs(&lanes, &[1i8], [0, 0], &mut y[..1]);
        assert_eq!(y, [99; 2]);
        taps.outputs(&lanes, &[1i8], [0, 0], &mut y);
        assert_eq!(y, [1, 2]);
        assert!((1..STRIPS).all(|_| taps.push(&Strip { from: 0, before: 0, taps: 1, count: 1, to: 0 })));
        assert!(!taps.push(&Strip { from: 0, before: 0, taps: 1, count: 1, to: 0 }));
    }
}
