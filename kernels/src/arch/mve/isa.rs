//! The instructions, and a model of them for hosts.

#[cfg(target_arch = "arm")]
pub(super) use asm::{around, copy, pick, subtract};
#[cfg(not(target_arch = "arm"))]
pub(super) use model::{around, copy, pick, subtract};

#[cfg(target_arch = "arm")]
mod asm {
    use super::super::{Call, End, Line};
    use core::arch::naked_asm;

    /// Copies n bytes of four pixels, `step` bytes apart, into four lines.
    #[unsafe(naked)]
    pub(in super::super) unsafe extern "C" fn copy(to: *mut u8, x: *const u8, step: usize, n: usize) {
        naked_asm!(
            ".cpu cortex-m55",
            "push {{r4-r9, lr}}",
            "add r4, r1, r2",
            "add r5, r4, r2",
            "add r6, r5, r2",
            "add r7, r0, #{line}",
            "add r8, r7, #{line}",
            "add r9, r8, #{line}",
            "dlstp.8 lr, r3",
            "2:",
            "vldrb.u8 q0, [r1], #16",
            "vstrb.8 q0, [r0], #16",
            "vldrb.u8 q1, [r4], #16",
            "vstrb.8 q1, [r7], #16",
            "vldrb.u8 q2, [r5], #16",
            "vstrb.8 q2, [r8], #16",
            "vldrb.u8 q3, [r6], #16",
            "vstrb.8 q3, [r9], #16",
            "letp lr, 2b",
            "pop {{r4-r9, pc}}",
            line = const size_of::<Line>(),
        )
    }

    /// [`copy`] from `x`, which lies anywhere, as far as it is in `row .. end`; `zero` where it is not.
    #[unsafe(naked)]
    pub(in super::super) unsafe extern "C" fn around(
        to: *mut u8,
        x: *const u8,
        step: usize,
        n: usize,
        row: *const u8,
        end: *const u8,
        zero: u32,
    ) {
        naked_asm!(
            ".cpu cortex-m55",
            "push {{r4-r11, lr}}",
            "ldrd r10, r11, [sp, #36]",
            "ldr r12, [sp, #44]",
            "vdup.32 q0, r12",
            "movs r7, #4",
            "2:",
            "subs r4, r10, r1",
            "it mi",
            "movmi r4, #0",
            "sub r5, r11, r1",
            "cmp r5, r3",
            "it gt",
            "movgt r5, r3",
            "subs r5, r5, r4",
            "cmp r5, r3",
            "beq 4f",
            "mov r6, r0",
            "dlstp.8 lr, r3",
            "3:",
            "vstrb.8 q0, [r6], #16",
            "letp lr, 3b",
            "4:",
            "cmp r5, #0",
            "ble 6f",
            "add r6, r0, r4",
            "add r8, r1, r4",
            "dlstp.8 lr, r5",
            "5:",
            "vldrb.u8 q1, [r8], #16",
            "vstrb.8 q1, [r6], #16",
            "letp lr, 5b",
            "6:",
            "add r0, r0, #{line}",
            "add r1, r1, r2",
            "subs r7, r7, #1",
            "bne 2b",
            "pop {{r4-r11, pc}}",
            line = const size_of::<Line>(),
        )
    }

    type Loop = unsafe extern "C" fn(*mut Call);

    /// Stamps `sums = x[0][c] − low · Σ w` of all channels: lanes, and how weights are loaded.
    macro_rules! subtract {
        ($name:ident, $lanes:literal, $w:literal) => {
            #[unsafe(naked)]
            unsafe extern "C" fn $name(call: *mut Call) {
                naked_asm!(
                    ".cpu cortex-m55",
                    "push {{r4-r10, lr}}",
                    "ldr r3, [r0]",
                    "ldrd r1, r2, [r0, #16]",
                    "ldrd r9, r4, [r0, #28]",
                    "ldrd r5, r8, [r0, #36]",
                    "ldr r6, [r0, #56]",
                    "2:",
                    "movs r0, #0",
                    concat!("dlstp.", $lanes, " lr, r1"),
                    "3:",
                    concat!($w, " q0, [r2], #16"),
                    concat!("vaddva.s", $lanes, " r0, q0"),
                    "letp lr, 3b",
                    "ldr r7, [r3]",
                    "add r2, r2, r5",
                    "add r3, r3, r8",
                    "mls r0, r0, r6, r7",
                    "vdup.32 q0, r0",
                    "vstrw.32 q0, [r4]",
                    "adds r4, r4, #28",
                    "cmp r4, r9",
                    "bne 2b",
                    "pop {{r4-r10, pc}}",
                )
            }
        };
    }
    subtract!(subtract_i8, "8", "vldrb.u8");
    subtract!(subtract_i16, "16", "vldrh.u16");

    pub(in super::super) fn subtract(w: usize) -> Loop {
        if w == 1 { subtract_i8 } else { subtract_i16 }
    }

    /// Stamps the loop over channels: lanes, how inputs and weights are loaded, and what becomes of the sums.
    macro_rules! stamp {
        ($name:ident, $lanes:literal, $x:literal $x_by:literal, $w:literal $w_by:literal, [$($end:expr),+]) => {
            #[unsafe(naked)]
            unsafe extern "C" fn $name(call: *mut Call) {
                naked_asm!(
                    ".cpu cortex-m55",
                    "push {{r4-r11, lr}}",
                    "vpush {{d8-d9}}",
                    // On the stack: the values of four pixels and n; where w, y, end, channels, next, hop, leap, groups lie.
                    "ldmia r0!, {{r1, r3, r5, r7, r12}}",
                    "push {{r0}}",
                    "push {{r1, r3, r5, r7, r12}}",
                    "add r0, r0, #32",
                    "ldmia r0, {{r1, r3, r5}}",
                    "vdup.32 q2, r3",
                    "vdup.32 q3, r5",
                    "movs r2, #0",
                    "vidup.u32 q4, r2, #1",
                    "vmul.i32 q4, q4, r1",
                    "2:", // a group of pixels
                    "ldr r0, [sp, #20]",
                    "ldmia r0, {{r6, r9-r12}}",
                    "3:", // a channel
                    "ldmia r11!, {{r0, r2, r4, r8}}",
                    "ldmia sp, {{r1, r3, r5, r7, lr}}",
                    concat!("dlstp.", $lanes, " lr, lr"),
                    "4:",
                    concat!($w, " q0, [r6], #", $w_by),
                    concat!($x, " q1, [r1], #", $x_by),
                    concat!("vmladava.s", $lanes, " r0, q0, q1"),
                    concat!($x, " q1, [r3], #", $x_by),
                    concat!("vmladava.s", $lanes, " r2, q0, q1"),
                    concat!($x, " q1, [r5], #", $x_by),
                    concat!("vmladava.s", $lanes, " r4, q0, q1"),
                    concat!($x, " q1, [r7], #", $x_by),
                    concat!("vmladava.s", $lanes, " r8, q0, q1"),
                    "letp lr, 4b",
                    "add r6, r6, r12",
                    $($end,)+
                    "cmp r11, r10",
                    "bne 3b",
                    "ldr r0, [sp, #20]",
                    "ldr r1, [r0, #28]",
                    "subs r1, r1, #1",
                    "beq 5f",
                    "str r1, [r0, #28]",
                    "ldrd r2, r4, [r0, #20]",
                    "add r9, r9, r4",
                    "str r9, [r0, #4]",
                    "ldmia sp, {{r1, r3, r5, r7}}",
                    "add r1, r1, r2",
                    "add r3, r3, r2",
                    "add r5, r5, r2",
                    "add r7, r7, r2",
                    "stmia sp, {{r1, r3, r5, r7}}",
                    "b 2b",
                    "5:",
                    "add sp, sp, #24",
                    "vpop {{d8-d9}}",
                    "pop {{r4-r11, pc}}",
                )
            }
        };
    }

    macro_rules! loops {
        ($name:ident: $sums:ident $double:ident $single:ident, $lanes:literal, $x:literal $x_by:literal, $w:literal $w_by:literal, $y:literal $y_by:literal) => {
            stamp!($sums, $lanes, $x $x_by, $w $w_by, ["sub r1, r11, #16", "stmia r1, {{r0, r2, r4, r8}}", "add r11, r11, #12"]);
            stamp!($double, $lanes, $x $x_by, $w $w_by, [
                "vmov q0[2], q0[0], r0, r4",
                "vmov q0[3], q0[1], r2, r8",
                "ldmia r11!, {{r1, r3, r5}}",
                "vshr.s32 q1, q0, #31",
                "vqrdmlah.s32 q1, q0, r1",
                "vrshl.s32 q1, r3",
                "vmax.s32 q1, q1, q2",
                "vmin.s32 q1, q1, q3",
                "vadd.i32 q1, q1, r5",
                concat!($y, " q1, [r9, q4]"),
                concat!("add r9, r9, #", $y_by)
            ]);
            stamp!($single, $lanes, $x $x_by, $w $w_by, [
                "vmov q0[2], q0[0], r0, r4",
                "vmov q0[3], q0[1], r2, r8",
                "ldmia r11!, {{r1, r3, r5}}",
                "vqdmulh.s32 q1, q0, r1",
                "vrshl.s32 q1, r3",
                "vmax.s32 q1, q1, q2",
                "vmin.s32 q1, q1, q3",
                "vadd.i32 q1, q1, r5",
                concat!($y, " q1, [r9, q4]"),
                concat!("add r9, r9, #", $y_by)
            ]);
            const $name: [Loop; 3] = [$sums, $double, $single];
        };
    }
    loops!(X8_W8: sums_88 double_88 single_88, "8", "vldrb.u8" "16", "vldrb.u8" "16", "vstrb.32" "1");
    loops!(X8_W16: sums_816 double_816 single_816, "16", "vldrb.s16" "8", "vldrh.u16" "16", "vstrb.32" "1");
    loops!(X16_W8: sums_168 double_168 single_168, "16", "vldrh.u16" "16", "vldrb.s16" "8", "vstrh.32" "2");
    loops!(X16_W16: sums_1616 double_1616 single_1616, "16", "vldrh.u16" "16", "vldrh.u16" "16", "vstrh.32" "2");

    /// Stamps the loop over channels for some whole vectors of bytes: without an inner loop, pointers stay.
    macro_rules! whole {
        ($name:ident, $($at:literal)+) => {
            #[unsafe(naked)]
            unsafe extern "C" fn $name(call: *mut Call) {
                naked_asm!(
                    ".cpu cortex-m55",
                    "push {{r4-r11, lr}}",
                    "vpush {{d8-d9}}",
                    "ldmia r0!, {{r1, r3, r5, r7, r12}}",
                    "push {{r0}}",
                    "add r0, r0, #32",
                    "ldmia r0, {{r2, r4, r6}}",
                    "vdup.32 q2, r4",
                    "vdup.32 q3, r6",
                    "movs r4, #0",
                    "vidup.u32 q4, r4, #1",
                    "vmul.i32 q4, q4, r2",
                    "2:", // a group of pixels
                    "ldr r0, [sp]",
                    "ldmia r0, {{r6, r9-r12}}",
                    "ldr lr, [r0, #44]",
                    "dls lr, lr",
                    "3:", // a channel
                    "ldmia r11!, {{r0, r2, r4, r8}}",
                    $(
                        "vldrb.u8 q0, [r6], #16",
                        concat!("vldrb.u8 q1, [r1, #", $at, "]"),
                        "vmladava.s8 r0, q0, q1",
                        concat!("vldrb.u8 q1, [r3, #", $at, "]"),
                        "vmladava.s8 r2, q0, q1",
                        concat!("vldrb.u8 q1, [r5, #", $at, "]"),
                        "vmladava.s8 r4, q0, q1",
                        concat!("vldrb.u8 q1, [r7, #", $at, "]"),
                        "vmladava.s8 r8, q0, q1",
                    )+
                    "add r6, r6, r12",
                    "vmov q0[2], q0[0], r0, r4",
                    "vmov q0[3], q0[1], r2, r8",
                    "ldmia r11!, {{r0, r2, r4}}",
                    "vshr.s32 q1, q0, #31",
                    "vqrdmlah.s32 q1, q0, r0",
                    "vrshl.s32 q1, r2",
                    "vmax.s32 q1, q1, q2",
                    "vmin.s32 q1, q1, q3",
                    "vadd.i32 q1, q1, r4",
                    "vstrb.32 q1, [r9, q4]",
                    "add r9, r9, #1",
                    "le lr, 3b",
                    "ldr r0, [sp]",
                    "ldr r2, [r0, #28]",
                    "subs r2, r2, #1",
                    "beq 5f",
                    "str r2, [r0, #28]",
                    "ldrd r2, r4, [r0, #20]",
                    "add r9, r9, r4",
                    "str r9, [r0, #4]",
                    "add r1, r1, r2",
                    "add r3, r3, r2",
                    "add r5, r5, r2",
                    "add r7, r7, r2",
                    "b 2b",
                    "5:",
                    "add sp, sp, #4",
                    "vpop {{d8-d9}}",
                    "pop {{r4-r11, pc}}",
                )
            }
        };
    }
    whole!(double_16, "0");
    whole!(double_32, "0" "16");
    whole!(double_64, "0" "16" "32" "48");
    whole!(double_128, "0" "16" "32" "48" "64" "80" "96" "112");

    /// The loop over channels for n inputs and weights of these sizes.
    #[inline(always)]
    pub(in super::super) fn pick(x: usize, w: usize, end: End, n: usize) -> Loop {
        let [sums, double, single] = match (x, w) {
            (1, 1) => X8_W8,
            (1, _) => X8_W16,
            (_, 1) => X16_W8,
            _ => X16_W16,
        };
        match (end, n) {
            (End::Sums, _) => sums,
            (End::Single, _) => single,
            (End::Double, 16) if x * w == 1 => double_16,
            (End::Double, 32) if x * w == 1 => double_32,
            (End::Double, 64) if x * w == 1 => double_64,
            (End::Double, 128) if x * w == 1 => double_128,
            (End::Double, _) => double,
        }
    }
}

/// The same steps in Rust.
#[cfg(not(target_arch = "arm"))]
mod model {
    use super::super::{Call, Channel, End, Line, PIXELS};
    use crate::Element;

    pub(in super::super) unsafe extern "C" fn copy(to: *mut u8, x: *const u8, step: usize, n: usize) {
        for p in 0..PIXELS {
            // SAFETY: the caller's.
            unsafe { to.add(p * size_of::<Line>()).copy_from_nonoverlapping(x.add(p * step), n) };
        }
    }

    pub(in super::super) unsafe extern "C" fn around(
        to: *mut u8,
        x: *const u8,
        step: usize,
        n: usize,
        row: *const u8,
        end: *const u8,
        zero: u32,
    ) {
        for p in 0..PIXELS {
            for i in 0..n {
                let x = x.wrapping_add(p * step + i);
                let outside = zero.to_le_bytes()[i % 4];
                // SAFETY: the caller's.
                unsafe { *to.add(p * size_of::<Line>() + i) = if (row..end).contains(&x) { *x } else { outside } };
            }
        }
    }

    type Loop = unsafe extern "C" fn(*mut Call);

    unsafe extern "C" fn total<W: Element>(call: *mut Call) {
        // SAFETY: the caller's.
        unsafe {
            let Call { x: [mut from, ..], n, mut w, end, channels, next, hop, low, .. } = *call;
            let mut channel = channels.cast::<Channel<i32>>();
            while channel.cast_const().cast() != end {
                let at = |i| (*w.cast::<W>().add(i)).to_i32();
                let total = (0..n).map(at).fold(0, i32::wrapping_add).wrapping_mul(low);
                (*channel).sums = [(*from.cast::<i32>()).wrapping_sub(total); PIXELS];
                let lanes = 16 / size_of::<W>();
                w = w.cast::<W>().wrapping_add(n.next_multiple_of(lanes)).wrapping_byte_add(next).cast();
                (channel, from) = (channel.add(1), from.wrapping_byte_add(hop));
            }
        }
    }

    pub(in super::super) fn subtract(w: usize) -> Loop {
        if w == 1 { total::<i8> } else { total::<i16> }
    }

    fn saturate(v: i64) -> i32 {
        v.clamp(i32::MIN.into(), i32::MAX.into()) as i32
    }

    /// The upper word of `2^32 · a + 2 n · m`, rounded.
    fn vqrdmlah(a: i32, n: i32, m: i32) -> i32 {
        let wide = (i128::from(a) << 32) + 2 * i128::from(n) * i128::from(m) + (1 << 31);
        saturate((wide >> 32) as i64)
    }

    /// The upper word of `2 n · m`.
    fn vqdmulh(n: i32, m: i32) -> i32 {
        saturate((i64::from(n) * i64::from(m)) >> 31)
    }

    /// A shift to the right, ties up.
    fn vrshl(a: i32, shift: i32) -> i32 {
        ((i64::from(a) + (1 << (-shift - 1))) >> -shift) as i32
    }

    /// END: 0 sums, 1 outputs rounded twice, 2 once.
    unsafe extern "C" fn run<T: Element, W: Element, const END: u8>(call: *mut Call) {
        // SAFETY: the caller's.
        unsafe {
            let call = &mut *call;
            let lanes = if size_of::<T>() * size_of::<W>() == 1 { 16 } else { 8 };
            loop {
                let (mut w, mut channel) = (call.w.cast::<W>(), call.channels.cast::<Channel<i32>>());
                let mut y = call.y.cast::<T>();
                while channel.cast_const().cast() != call.end {
                    let Channel { mut sums, q, shift, zero } = *channel;
                    for (sum, x) in sums.iter_mut().zip(call.x) {
                        let product = |i| (*x.cast::<T>().add(i)).to_i32().wrapping_mul((*w.add(i)).to_i32());
                        *sum = (0..call.n).map(product).fold(*sum, i32::wrapping_add);
                    }
                    w = w.wrapping_add(call.n.next_multiple_of(lanes)).wrapping_byte_add(call.next);
                    if END == 0 {
                        (*channel).sums = sums;
                    } else {
                        for (p, acc) in sums.into_iter().enumerate() {
                            let x = if END == 1 { vqrdmlah(acc >> 31, acc, q) } else { vqdmulh(acc, q) };
                            let v = vrshl(x, shift).max(call.low).min(call.high) + zero;
                            *y.byte_add(p * call.pitch) = T::from_i32(v);
                        }
                        y = y.wrapping_add(1);
                    }
                    channel = channel.add(1);
                }
                call.groups -= 1;
                if call.groups == 0 {
                    call.groups = 1;
                    return;
                }
                call.y = y.wrapping_byte_add(call.leap).cast();
                call.x = call.x.map(|x| x.wrapping_byte_add(call.hop));
            }
        }
    }

    pub(in super::super) fn pick(x: usize, w: usize, end: End, _: usize) -> Loop {
        fn of<T: Element, W: Element>(end: End) -> Loop {
            match end {
                End::Sums => run::<T, W, 0>,
                End::Double => run::<T, W, 1>,
                End::Single => run::<T, W, 2>,
            }
        }
        match (x, w) {
            (1, 1) => of::<i8, i8>(end),
            (1, _) => of::<i8, i16>(end),
            (_, 1) => of::<i16, i8>(end),
            _ => of::<i16, i16>(end),
        }
    }
}
