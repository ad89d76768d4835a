//! The loop of depthwise layers: a channel of four pixels, whose sums stay in registers.
//!
//! ```text
//! sums[c][p] += Σ_t (x[t][(g + c) / m][p] − zero) · w[c][t]
//! ```
//!
//! Per tap: its places, its weight, four values and four products, and one addition, as `Σ (x − zero) · w = Σ x · w − zero · Σ w`. With `LDM` and `MLA` that is 11
//! instructions for four products.

use super::PIXELS;
use super::portable::Run;
use crate::Element;
use crate::quant::Accumulator;
use core::marker::PhantomData;
use core::mem::MaybeUninit;

/// Output channels of a job.
pub(crate) const CHANNELS: usize = 16;
/// Taps of a list.
pub(crate) const TAPS: usize = 9;

/// The sums of some channels, PIXELS of each.
pub(crate) struct Sums<'a, S> {
    first: *mut S,
    /// From one channel to the next.
    step: usize,
    channels: usize,
    borrowed: PhantomData<&'a mut S>,
}

impl<'a, S> Sums<'a, S> {
    /// # Safety
    /// C begins with the PIXELS sums of a channel, and its size is a multiple of theirs.
    pub(crate) unsafe fn new<C>(channels: &'a mut [C]) -> Self {
        let step = size_of::<C>() / size_of::<S>();
        Sums { first: channels.as_mut_ptr().cast(), step, channels: channels.len(), borrowed: PhantomData }
    }
}

impl<'a, S> Sums<'a, S> {
    /// Nothing but sums.
    #[allow(dead_code)] // the portable loops have nothing else
    pub(crate) fn of(channels: &'a mut [[S; PIXELS]]) -> Self {
        // SAFETY: a channel is its sums.
        unsafe { Sums::new(channels) }
    }
}

/// Where the values of PIXELS pixels lie, for each tap.
pub(crate) struct List<'a, T> {
    places: [[*const T; PIXELS]; TAPS],
    len: usize,
    /// Values that can be read from every place on.
    values: usize,
    borrowed: PhantomData<&'a T>,
}

impl<'a, T: Element> List<'a, T> {
    pub(crate) fn new() -> Self {
        List { places: [[core::ptr::null(); PIXELS]; TAPS], len: 0, values: usize::MAX, borrowed: PhantomData }
    }

    pub(crate) fn clear(&mut self) {
        (self.len, self.values) = (0, usize::MAX);
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn has_room(&self) -> bool {
        self.len < TAPS
    }

    /// The values of the next tap, pixel after pixel, if there is room.
    #[inline(always)]
    pub(crate) fn push(&mut self, mut x: impl FnMut() -> &'a [T]) {
        if let Some(places) = self.places.get_mut(self.len) {
            for place in places {
                let x = x();
                *place = x.as_ptr();
                self.values = self.values.min(x.len());
            }
            self.len += 1;
        }
    }

    /// Adds the products of the values that lie `from` after those of the list. `m` output channels have the same n input channels, and the first
    /// one is number `g` of them. The run says where its weights are.
    ///
    /// Bounds: the plan has proved that the whole sum fits S (see `Weights::layer`); parts of it may wrap.
    #[inline(never)]
    pub(crate) fn add<W: Element, S: Accumulator>(
        &self,
        from: usize,
        w: &[W],
        run: Run,
        zero: i32,
        [n, m, g]: [usize; 3],
        sums: Sums<'_, S>,
    ) {
        let Sums { first, step, channels, .. } = sums;
        let len = self.len;
        let enough = run.skip + len <= run.len && channels * run.len <= w.len() && len > 0;
        let Some(w) = w.get(run.skip..).filter(|_| enough) else { return };
        let call = |c: usize, at, channels| Call {
            places: self.places.as_ptr(),
            end: self.places.as_ptr().wrapping_add(len),
            sums: first.wrapping_add(c * step),
            step: step * size_of::<S>(),
            zero,
            next: run.len - len,
            w: w.as_ptr().wrapping_add(c * run.len),
            at: at * size_of::<T>(),
            channels,
        };
        if n * m == 1 {
            if channels > 0 && from + channels <= self.values {
                // SAFETY: all channels have their sums and weights, and every place their values.
                unsafe { call(0, from, channels).run() };
            }
            return;
        }
        let (mut at, mut g) = (from, g);
        for c in 0..channels {
            if at < self.values {
                // SAFETY: as above, for one channel.
                unsafe { call(c, at, 1).run() };
            }
            (at, g) = if g + 1 == m { (at + n, 0) } else { (at, g + 1) };
        }
    }
}

/// Where the values of one pixel lie, and which of a channel's weights each tap has.
pub(crate) struct Single<'a, T> {
    taps: [MaybeUninit<(*const T, usize)>; TAPS],
    len: usize,
    /// Values that can be read from every place on, and the last of the weights.
    values: usize,
    last: usize,
    borrowed: PhantomData<&'a T>,
}

impl<'a, T: Element> Single<'a, T> {
    pub(crate) fn new() -> Self {
        Single {
            taps: [const { MaybeUninit::uninit() }; TAPS],
            len: 0,
            values: usize::MAX,
            last: 0,
            borrowed: PhantomData,
        }
    }

    pub(crate) fn clear(&mut self) {
        (self.len, self.values, self.last) = (0, usize::MAX, 0);
    }

    pub(crate) fn has_room(&self) -> bool {
        self.len < TAPS
    }

    /// The values and the weight of the next tap, if there is room.
    #[inline(always)]
    pub(crate) fn push(&mut self, x: &'a [T], w: usize) {
        if let Some(tap) = self.taps.get_mut(self.len) {
            tap.write((x.as_ptr(), w));
            (self.len, self.values, self.last) = (self.len + 1, self.values.min(x.len()), self.last.max(w));
        }
    }

    /// Adds the products of channels, each of which has `len` weights. `m` of them have the same n input channels, and the first one is number `g` of these.
    ///
    /// Bounds: as for [`List::add`].
    #[inline(never)]
    pub(crate) fn add<W: Element, S: Accumulator, A: Accumulator>(
        &self,
        w: &[W],
        len: usize,
        zero: i32,
        [n, m, mut g]: [usize; 3],
        sums: &mut [A],
    ) {
        if self.last >= len || sums.len() * len > w.len() {
            return;
        }
        let (taps, mut w, mut at) = (self.taps.get(..self.len).unwrap_or_default(), w.as_ptr(), 0);
        for sum in sums {
            if at >= self.values {
                return;
            }
            let mut acc = S::from_i64(sum.to_i64());
            for tap in taps {
                super::small();
                // SAFETY: as many have been written.
                let (x, k) = unsafe { tap.assume_init() };
                // SAFETY: just checked: every place has more than `at` values, and every channel `len` weights, more than k.
                let (x, w) = unsafe { (x.add(at).read(), w.add(k).read()) };
                acc = acc.mac(x.to_i32() - zero, w.to_i32());
            }
            (*sum, w) = (A::from_i64(acc.to_i64()), w.wrapping_add(len));
            (at, g) = if g + 1 == m { (at + n, 0) } else { (at, g + 1) };
        }
    }
}

/// What a loop is to do.
#[repr(C)]
struct Call<T, W, S> {
    places: *const [*const T; PIXELS],
    end: *const [*const T; PIXELS],
    sums: *mut S,
    /// From the sums of one channel to those of the next, in bytes.
    step: usize,
    zero: i32,
    /// Weights between those of one channel and the next.
    next: usize,
    w: *const W,
    /// The distance of the first channel's values from their places, in bytes.
    at: usize,
    /// Channels, at least one.
    channels: usize,
}

impl<T: Element, W: Element, S: Accumulator> Call<T, W, S> {
    /// # Safety
    /// There is a tap at least; everything that is named can be read, and the sums written.
    #[inline(always)]
    unsafe fn run(mut self) {
        if let (1, 4, Some([bytes, halves])) = (size_of::<W>(), size_of::<S>(), chosen::ADD) {
            let add = if size_of::<T>() == 1 { bytes } else { halves };
            // SAFETY: elements of one byte are i8, or transparent wrappers of it, of two i16, and sums of four i32.
            return unsafe { add((&raw mut self).cast()) };
        }
        for c in 0..self.channels {
            // SAFETY: the caller's.
            unsafe { self.channel(c) };
        }
    }

    /// # Safety
    /// As above.
    #[inline(always)]
    unsafe fn channel(&mut self, c: usize) {
        // SAFETY: the caller's.
        unsafe {
            let sums = self.sums.wrapping_byte_add(c * self.step).cast::<[S; PIXELS]>();
            let mut acc = sums.read();
            let mut tap = self.places;
            while tap != self.end {
                let w = self.w.read().to_i32();
                for (acc, x) in acc.iter_mut().zip(tap.read()) {
                    *acc = acc.mac(x.byte_add(self.at).add(c).read().to_i32() - self.zero, w);
                }
                (tap, self.w) = (tap.add(1), self.w.add(1));
            }
            sums.write(acc);
        }
        self.w = self.w.wrapping_add(self.next);
    }
}

/// The loops over channels of int8 and of int16, with weights of int8: they use up their call.
type Add = [unsafe extern "C" fn(*mut Call<(), i8, i32>); 2];

#[cfg(upconv_backend = "armv6m")]
use armv6m as chosen;
#[cfg(any(upconv_backend = "armv7m", upconv_backend = "dsp", upconv_backend = "mve"))]
#[cfg(target_arch = "arm")]
use armv7m as chosen;
#[cfg(not(any(
    upconv_backend = "armv6m",
    upconv_backend = "riscv",
    all(target_arch = "arm", any(upconv_backend = "armv7m", upconv_backend = "dsp", upconv_backend = "mve"))
)))]
use none as chosen;
#[cfg(upconv_backend = "riscv")]
use riscv as chosen;

#[cfg(any(upconv_backend = "armv7m", upconv_backend = "dsp", upconv_backend = "mve"))]
#[cfg(target_arch = "arm")]
mod armv7m {
    use core::arch::naked_asm;

    pub(super) const ADD: Option<super::Add> = Some([add_8, add_16]);

    /// Stamps the loop: how a value is loaded, and its size.
    macro_rules! stamp {
        ($name:ident $load:literal $size:literal) => {
            #[unsafe(naked)]
            unsafe extern "C" fn $name(call: *mut super::Call<(), i8, i32>) {
                naked_asm!(
                    // Sums of four pixels in r4 ..= r7, of the weights in r0.
                    ".macro tap",
                    "ldmia r1!, {{r8-r11}}",
                    "ldrsb lr, [r2], #1",
                    concat!($load, " r8, [r8, r3]"),
                    concat!($load, " r9, [r9, r3]"),
                    concat!($load, " r10, [r10, r3]"),
                    concat!($load, " r11, [r11, r3]"),
                    "mla r4, r8, lr, r4",
                    "mla r5, r9, lr, r5",
                    "mla r6, r10, lr, r6",
                    "mla r7, r11, lr, r7",
                    "add r0, r0, lr",
                    ".endm",
                    "push {{r0, r4-r11, lr}}",
                    "ldrd r2, r3, [r0, #24]",
                    "2:", // a channel
                    "ldrd r1, r12, [r0]",
                    "ldr r8, [r0, #8]",
                    "mov r0, #0",
                    "ldmia r8, {{r4-r7}}",
                    "sub r8, r12, r1",
                    "lsls r8, r8, #27",
                    "bmi 4f", // an odd number
                    "3:",
                    "tap",
                    "4:",
                    "tap",
                    "cmp r1, r12",
                    "bne 3b",
                    "mov r1, r0",
                    "ldr r0, [sp]",
                    concat!("add r3, r3, #", $size),
                    "ldrd r8, r9, [r0, #16]",
                    "mls r4, r1, r8, r4",
                    "mls r5, r1, r8, r5",
                    "mls r6, r1, r8, r6",
                    "mls r7, r1, r8, r7",
                    "add r2, r2, r9",
                    "ldrd r8, r9, [r0, #8]",
                    "ldr r10, [r0, #32]",
                    "stmia r8, {{r4-r7}}",
                    "add r8, r8, r9",
                    "str r8, [r0, #8]",
                    "subs r10, r10, #1",
                    "str r10, [r0, #32]",
                    "bne 2b",
                    "pop {{r0, r4-r11, pc}}",
                    ".purgem tap",
                )
            }
        };
    }
    stamp!(add_8 "ldrsb" "1");
    stamp!(add_16 "ldrsh" "2");
}

#[cfg(upconv_backend = "armv6m")]
mod armv6m {
    use core::arch::naked_asm;

    pub(super) const ADD: Option<super::Add> = Some([add_8, add_16]);

    /// Stamps the loop: how a value is loaded, and its size.
    macro_rules! stamp {
        ($name:ident $load:literal $size:literal) => {
            #[unsafe(naked)]
            unsafe extern "C" fn $name(call: *mut super::Call<(), i8, i32>) {
                naked_asm!(
                    // Sums of four pixels in r8 ..= r11, of the weights in r12.
                    ".macro pixel sum",
                    "ldmia r0!, {{r3}}",
                    concat!($load, " r3, [r3, r4]"),
                    "muls r3, r6, r3",
                    "add \\sum, r3",
                    ".endm",
                    "push {{r4-r7, lr}}",
                    "mov r4, r8",
                    "mov r5, r9",
                    "mov r6, r10",
                    "mov r7, r11",
                    "push {{r4-r7}}",
                    "mov lr, r0",
                    "2:", // a channel
                    "ldr r7, [r0, #8]",
                    "ldmia r7!, {{r1-r4}}",
                    "mov r8, r1",
                    "mov r9, r2",
                    "mov r10, r3",
                    "mov r11, r4",
                    "movs r1, #0",
                    "mov r12, r1",
                    "ldr r6, [r0]",
                    "ldr r2, [r0, #4]",
                    "subs r2, r2, r6",
                    "lsrs r2, r2, #4",
                    "ldr r1, [r0, #24]",
                    "adds r1, r1, r2", // the end of the weights
                    "ldr r4, [r0, #28]",
                    "rsbs r2, r2, #0",
                    "mov r0, r6",
                    "3:",
                    "ldrsb r6, [r1, r2]",
                    "add r12, r6",
                    "pixel r8",
                    "pixel r9",
                    "pixel r10",
                    "pixel r11",
                    "adds r2, r2, #1",
                    "bne 3b",
                    "mov r0, lr",
                    "mov r3, r12",
                    "ldr r2, [r0, #16]",
                    "muls r3, r2, r3",
                    "mov r2, r4",
                    "mov r4, r8",
                    "subs r4, r4, r3",
                    "mov r5, r9",
                    "subs r5, r5, r3",
                    "mov r6, r10",
                    "subs r6, r6, r3",
                    "mov r7, r11",
                    "subs r7, r7, r3",
                    concat!("adds r2, r2, #", $size),
                    "str r2, [r0, #28]",
                    "ldr r2, [r0, #20]",
                    "adds r1, r1, r2",
                    "str r1, [r0, #24]",
                    "ldr r1, [r0, #8]",
                    "ldr r2, [r0, #12]",
                    "adds r2, r2, r1",
                    "str r2, [r0, #8]",
                    "stmia r1!, {{r4-r7}}",
                    "ldr r1, [r0, #32]",
                    "subs r1, r1, #1",
                    "str r1, [r0, #32]",
                    "bne 2b",
                    "pop {{r4-r7}}",
                    "mov r8, r4",
                    "mov r9, r5",
                    "mov r10, r6",
                    "mov r11, r7",
                    "pop {{r4-r7, pc}}",
                    ".purgem pixel",
                )
            }
        };
    }
    stamp!(add_8 "ldrsb" "1");
    stamp!(add_16 "ldrsh" "2");
}

#[cfg(upconv_backend = "riscv")]
mod riscv {
    use core::arch::naked_asm;

    pub(super) const ADD: Option<super::Add> = Some([add_8, add_16]);

    /// Stamps the loop: how a value is loaded, and its size.
    macro_rules! stamp {
        ($name:ident $load:literal $size:literal) => {
            #[unsafe(naked)]
            unsafe extern "C" fn $name(call: *mut super::Call<(), i8, i32>) {
                naked_asm!(
                    ".option push",
                    ".option arch, +m",
                    // Sums of four pixels in t3 ..= t6, of the weights in a7.
                    ".macro pixel at, sum",
                    "lw t1, \\at(a1)",
                    "add t1, t1, a4",
                    concat!($load, " t1, 0(t1)"),
                    "mul t1, t1, t0",
                    "add \\sum, \\sum, t1",
                    ".endm",
                    "lw a2, 4(a0)",
                    "lw t2, 8(a0)",
                    "lw a6, 12(a0)",
                    "lw a3, 24(a0)",
                    "lw a4, 28(a0)",
                    "2:", // a channel
                    "lw a1, 0(a0)",
                    "li a7, 0",
                    "lw t3, 0(t2)",
                    "lw t4, 4(t2)",
                    "lw t5, 8(t2)",
                    "lw t6, 12(t2)",
                    "3:",
                    "lb t0, 0(a3)",
                    "pixel 0, t3",
                    "pixel 4, t4",
                    "pixel 8, t5",
                    "pixel 12, t6",
                    "add a7, a7, t0",
                    "addi a1, a1, 16",
                    "addi a3, a3, 1",
                    "bne a1, a2, 3b",
                    "lw t0, 16(a0)",
                    "mul a7, a7, t0",
                    "sub t3, t3, a7",
                    "sub t4, t4, a7",
                    "sub t5, t5, a7",
                    "sub t6, t6, a7",
                    "sw t3, 0(t2)",
                    "sw t4, 4(t2)",
                    "sw t5, 8(t2)",
                    "sw t6, 12(t2)",
                    "add t2, t2, a6",
                    "lw t0, 20(a0)",
                    "add a3, a3, t0",
                    concat!("addi a4, a4, ", $size),
                    "lw t0, 32(a0)",
                    "addi t0, t0, -1",
                    "sw t0, 32(a0)",
                    "bnez t0, 2b",
                    "ret",
                    ".purgem pixel",
                    ".option pop",
                )
            }
        };
    }
    stamp!(add_8 "lb" "1");
    stamp!(add_16 "lh" "2");
}

mod none {
    #[allow(dead_code)] // others are chosen
    pub(super) const ADD: Option<super::Add> = None;
}
