//! The instructions, and a model of them for hosts.

#[cfg(target_arch = "arm")]
pub(super) use asm::{border, carry, copy, pick, put, ready, widen};
#[cfg(not(target_arch = "arm"))]
pub(super) use model::{border, carry, copy, factor, output, pick, put, ready, widen};

use super::Call;

/// A loop over channels: pairs of them, or the odd one. A piece goes on in it at one of these places.
#[derive(Clone, Copy)]
pub(super) struct Loop {
    pub(super) run: Run,
    pub(super) odd: bool,
    /// Instructions of the products of a vector; and from the end of the last to those of a part of one, and to the ends.
    vector: usize,
    part: usize,
    ends: usize,
    /// Values of a vector, as a power of two.
    pub(super) lanes: usize,
    /// Bytes of an input and of a weight.
    pub(super) x: usize,
    pub(super) w: usize,
}

type Run = unsafe extern "C" fn(*mut Call);

/// Vectors of a piece, at most.
pub(super) const VECTORS: usize = 8;

#[cfg(target_arch = "arm")]
mod asm {
    use super::super::{Call, End, Line, PIXELS, Pair, Piece, Ready, Span, lanes};
    use super::{Loop, Run, VECTORS};
    use core::arch::naked_asm;
    use core::mem::offset_of;

    /// Every instruction of what Rust counts has so many bytes.
    const WORD: usize = 4;

    impl Loop {
        #[inline(always)]
        fn place(&self, instructions: usize) -> usize {
            // Behind a branch.
            self.run as usize + WORD + WORD * instructions
        }

        /// So many vectors of every pixel, which lie `VECTORS - n` vectors behind the piece's places.
        #[inline(always)]
        pub(in super::super) fn vectors(&self, n: usize) -> usize {
            self.place((VECTORS - n) * self.vector)
        }

        /// The values of every pixel that are no whole vector, on the only piece.
        #[inline(always)]
        pub(in super::super) fn only(&self) -> usize {
            self.place(VECTORS * self.vector + 1)
        }

        /// The same on one of many.
        #[inline(always)]
        pub(in super::super) fn part(&self) -> usize {
            self.place(VECTORS * self.vector + self.part)
        }

        /// On to the first piece, and the next one; there are many.
        #[inline(always)]
        pub(in super::super) fn pieces(&self) -> [usize; 2] {
            [8, 4].map(|before| self.place(VECTORS * self.vector + self.ends - before))
        }

        /// The end of a channel or pair of channels.
        #[inline(always)]
        pub(in super::super) fn end(&self, end: End) -> usize {
            self.place(VECTORS * self.vector + self.ends + end as usize)
        }
    }

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

    /// Copies n bytes.
    #[unsafe(naked)]
    pub(in super::super) unsafe extern "C" fn carry(to: *mut u8, x: *const u8, n: usize) {
        naked_asm!(
            ".cpu cortex-m55",
            "push {{r7, lr}}",
            "wlstp.8 lr, r2, 3f",
            "2:",
            "vldrb.u8 q0, [r1], #16",
            "vstrb.8 q0, [r0], #16",
            "letp lr, 2b",
            "3:",
            "pop {{r7, pc}}",
        )
    }

    /// Writes the places of four pixels in n rows, at least one, and where their outputs go.
    #[unsafe(naked)]
    pub(in super::super) unsafe extern "C" fn put(span: *const Span, pixel: usize, spots: *mut [usize; PIXELS]) {
        naked_asm!(
            ".cpu cortex-m55",
            "push {{r4-r10, lr}}",
            "ldmia r0, {{r3-r10}}", // pieces, lines, n, step, behind, from, wide, pitch
            "movs r0, #0",
            "vidup.u32 q0, r0, #1",
            "vadd.i32 q0, q0, r1",
            "vmul.i32 q1, q0, r10",
            "vstrw.32 q1, [r2]",
            "vmul.i32 q0, q0, r9",
            "add r8, r8, r7",
            "vadd.i32 q0, q0, r8",
            "dls lr, r5",
            "2:",
            "ldr r1, [r4], #4",
            "vadd.i32 q1, q0, r1",
            "vstrw.32 q1, [r3]",
            "add r3, r3, r6",
            "le lr, 2b",
            "pop {{r4-r10, pc}}",
        )
    }

    /// Copies pixels' values of all rows with what lies around them, and writes where they are, and where their outputs go.
    #[unsafe(naked)]
    pub(in super::super) unsafe extern "C" fn border(span: *mut Span, spots: *mut usize) {
        naked_asm!(
            ".cpu cortex-m55",
            "push {{r0, r4-r11, lr}}",
            "ldr r2, [r0]",
            "strd r2, r1, [r0, #{place}]",
            "ldrd r1, r0, [r0, #{zero}]", // and where copies go
            "vdup.32 q0, r1",
            "2:", // a pixel
            "ldr r12, [sp]",
            "ldrd r3, r4, [r12, #{out}]", // and how many
            "adds r5, r3, #1",
            "subs r4, r4, #1",
            "strd r5, r4, [r12, #{out}]",
            "ldrd r6, r7, [r12, #{inside}]", // and inner
            "cmp r3, r6",
            "it hs",
            "addhs r3, r3, r7",
            "add r4, r12, #{lines}",
            "ldmia r4, {{r1, r2, r9, r10}}", // lines, n, step, behind
            "ldrd r8, r11, [r12, #{place}]", // and spot
            "ldr r6, [r12, #{pitch}]",
            "muls r6, r3, r6",
            "str r6, [r11], #4",
            "add r5, r8, #4",
            "strd r5, r11, [r12, #{place}]",
            "ldrd r5, r4, [r12, #{from}]", // and wide
            "mla r3, r3, r4, r5",
            "ldrd r6, r7, [r12, #{bytes}]", // and width
            "rsb r5, r3, #0",
            "bic r5, r5, r5, asr #31",
            "cmp r5, r6",
            "csel r5, r5, r6, lt",
            "subs r4, r7, r3",
            "cmp r4, r6",
            "csel r4, r4, r6, lt",
            "cmp r4, r5",
            "csel r4, r4, r5, gt",
            "subs r7, r6, r4", // bytes behind
            "subs r6, r4, r5", // and inside
            "add r3, r3, r5",
            "3:", // a row
            "add r4, r0, r10",
            "str r4, [r8]",
            "add r8, r8, r9",
            "mov r4, r0",
            "add r0, r0, r5",
            "wlstp.8 lr, r5, 5f",
            "4:",
            "vstrb.8 q0, [r4], #16",
            "letp lr, 4b",
            "5:",
            "ldr r4, [r1], #4",
            "add r4, r4, r3",
            "mov r11, r0",
            "add r0, r0, r6",
            "wlstp.8 lr, r6, 7f",
            "6:",
            "vldrb.u8 q1, [r4], #16",
            "vstrb.8 q1, [r11], #16",
            "letp lr, 6b",
            "7:",
            "mov r11, r0",
            "add r0, r0, r7",
            "wlstp.8 lr, r7, 9f",
            "8:",
            "vstrb.8 q0, [r11], #16",
            "letp lr, 8b",
            "9:",
            "subs r2, r2, #1",
            "bne 3b",
            "ldr r4, [r12, #{copies}]",
            "cmp r4, #0",
            "bne 2b",
            "pop {{r0, r4-r11, pc}}",
            place = const offset_of!(Span, place),
            zero = const offset_of!(Span, zero),
            out = const offset_of!(Span, out),
            copies = const offset_of!(Span, copies),
            inside = const offset_of!(Span, inside),
            lines = const offset_of!(Span, lines),
            pitch = const offset_of!(Span, pitch),
            from = const offset_of!(Span, from),
            bytes = const offset_of!(Span, bytes),
        )
    }

    type Widen = unsafe extern "C" fn(*mut i16, *const (), usize, i32);

    /// Stamps `to = x − zero` of n values: how these are loaded.
    macro_rules! widen {
        ($name:ident, $x:literal) => {
            #[unsafe(naked)]
            unsafe extern "C" fn $name(to: *mut i16, x: *const (), n: usize, zero: i32) {
                naked_asm!(
                    ".cpu cortex-m55",
                    "push {{r7, lr}}",
                    "wlstp.16 lr, r2, 3f",
                    "2:",
                    concat!("vldr", $x),
                    "vsub.i16 q0, q0, r3",
                    "vstrh.16 q0, [r0], #16",
                    "letp lr, 2b",
                    "3:",
                    "pop {{r7, pc}}",
                )
            }
        };
    }
    widen!(widen_i8, "b.s16 q0, [r1], #8");
    widen!(widen_i16, "h.u16 q0, [r1], #16");

    pub(in super::super) fn widen(x: usize) -> Widen {
        if x == 1 { widen_i8 } else { widen_i16 }
    }

    /// Stamps `sums = bias − low · Σ w` of all channels and their scales, and the highest −e: lanes, and how weights are loaded.
    macro_rules! ready {
        ($name:ident, $lanes:literal, $w:literal) => {
            #[unsafe(naked)]
            unsafe extern "C" fn $name(ready: *const Ready) -> i32 {
                naked_asm!(
                    ".cpu cortex-m55",
                    "push {{r4-r11, lr}}",
                    "ldmia r0!, {{r1, r3-r5, r9, r11}}", // to, turn, multipliers, bias, hop, biases
                    "ldmia r0!, {{r8, r12}}",            // even, wide
                    // Where the scales of four channels go.
                    "add r2, r1, #{next}",
                    "add r6, r1, #{pair}",
                    "add r7, r6, #{next}",
                    "vmov q3[2], q3[0], r1, r6",
                    "vmov q3[3], q3[1], r2, r7",
                    "movs r2, #0",
                    "mov r10, r2",
                    "mvn r6, #127",
                    "movs r7, #2*{pair}",
                    "dlstp.32 lr, r8",
                    "2:",
                    "viwdup.u32 q0, r2, r3, #1",
                    "vshl.i32 q0, q0, #3",
                    "vldrw.u32 q1, [r4, q0]",
                    "adds r4, #{shift}",
                    "vldrb.s32 q2, [r4, q0]",
                    "subs r4, #{shift}",
                    "cmp r12, #0",
                    "beq 3f",
                    "mov r8, #0x8000",
                    "vqadd.s32 q1, q1, r8",
                    "vbic.i32 q1, #0xff",
                    "vbic.i32 q1, #0xff00",
                    "3:",
                    "vpt.i32 eq, q1, zr",
                    "vmvnt.i32 q2, #0",
                    "vmaxv.s32 r6, q2",
                    "vstrw.32 q1, [q3, #{scale}]",
                    "vstrw.32 q2, [q3, #{scale} + 4]",
                    // A bias waits where its sums do not go before it is read.
                    "viwdup.u32 q0, r10, r11, #1",
                    "vmul.i32 q0, q0, r9",
                    "vldrw.u32 q1, [r5, q0]",
                    "vstrw.32 q1, [q3, #16]",
                    "vadd.i32 q3, q3, r7",
                    "letp lr, 2b",
                    "ldmia r0, {{r4, r5, r7, r8, r10}}", // w, n, low, count, next
                    "movs r2, #16",
                    "movs r3, #16",
                    "4:",
                    "ldr r11, [r1, r3]",
                    "movs r0, #0",
                    concat!("wlstp.", $lanes, " lr, r5, 6f"),
                    "5:",
                    concat!($w, " q0, [r4], #16"),
                    concat!("vaddva.s", $lanes, " r0, q0"),
                    "letp lr, 5b",
                    "6:",
                    "add r4, r4, r10",
                    "mls r0, r0, r7, r11",
                    "vdup.32 q0, r0",
                    "vstrw.32 q0, [r1]",
                    "add r1, r1, r2",
                    "rsb r2, r2, #{pair}", // the other of the pair, the next pair
                    "rsb r3, r3, #{next} + 16",
                    "subs r8, r8, #1",
                    "bne 4b",
                    "mov r0, r6",
                    "pop {{r4-r11, pc}}",
                    pair = const size_of::<Pair<i32>>(),
                    scale = const offset_of!(Pair<i32>, scale),
                    next = const size_of::<[i32; 2]>(),
                    shift = const size_of::<i32>(), // behind q
                )
            }
        };
    }
    ready!(ready_i8, "8", "vldrb.u8");
    ready!(ready_i16, "16", "vldrh.u16");

    pub(in super::super) fn ready(w: usize) -> unsafe extern "C" fn(*const Ready) -> i32 {
        if w == 1 { ready_i8 } else { ready_i16 }
    }

    /// Stamps the loops for inputs and weights of some sizes: lanes, how inputs and weights are loaded and how far apart, and outputs.
    macro_rules! loops {
        ($pair:ident [$w0:literal $w1:literal] [$x0:literal $x1:literal $x2:literal $x3:literal], $odd:ident [$v:literal] [$y0:literal $y1:literal $y2:literal $y3:literal], $lanes:literal, $x:literal $xt:literal $x_by:literal, $w:literal $wt:literal $w_by:literal, $y:literal $y_by:literal) => {
            #[unsafe(naked)]
            unsafe extern "C" fn $pair(call: *mut Call) {
                naked_asm!(
                    ".cpu cortex-m55",
                    // The part of a vector.
                    ".macro part",
                    "vpstttt",
                    concat!("vldr", $w, "t", $wt, " q0, [", $w0, "]"),
                    concat!("vldr", $w, "t", $wt, " q1, [", $w1, "]"),
                    concat!("vldr", $x, "t", $xt, " q5, [", $x0, "]"),
                    concat!("vldr", $x, "t", $xt, " q6, [", $x1, "]"),
                    concat!("vmladava.s", $lanes, " r0, q0, q5"),
                    concat!("vmladava.s", $lanes, " r8, q1, q5"),
                    concat!("vmladava.s", $lanes, " r2, q0, q6"),
                    concat!("vmladava.s", $lanes, " r10, q1, q6"),
                    "vpstt",
                    concat!("vldr", $x, "t", $xt, " q5, [", $x2, "]"),
                    concat!("vldr", $x, "t", $xt, " q6, [", $x3, "]"),
                    concat!("vmladava.s", $lanes, " r4, q0, q5"),
                    concat!("vmladava.s", $lanes, " r12, q1, q5"),
                    concat!("vmladava.s", $lanes, " r6, q0, q6"),
                    concat!("vmladava.s", $lanes, " lr, q1, q6"),
                    ".endm",
                    "b.w 20f",
                    ".set vector, 0",
                    ".rept {vectors}",
                    concat!("vldr", $w, $wt, " q0, [", $w0, "], #", $w_by),
                    concat!("vldr", $w, $wt, " q1, [", $w1, "], #", $w_by),
                    concat!("vldr", $x, $xt, " q5, [", $x0, ", #vector]"),
                    concat!("vmladava.s", $lanes, " r0, q0, q5"),
                    concat!("vmladava.s", $lanes, " r8, q1, q5"),
                    concat!("vldr", $x, $xt, " q5, [", $x1, ", #vector]"),
                    concat!("vmladava.s", $lanes, " r2, q0, q5"),
                    concat!("vmladava.s", $lanes, " r10, q1, q5"),
                    concat!("vldr", $x, $xt, " q5, [", $x2, ", #vector]"),
                    concat!("vmladava.s", $lanes, " r4, q0, q5"),
                    concat!("vmladava.s", $lanes, " r12, q1, q5"),
                    concat!("vldr", $x, $xt, " q5, [", $x3, ", #vector]"),
                    concat!("vmladava.s", $lanes, " r6, q0, q5"),
                    concat!("vmladava.s", $lanes, " lr, q1, q5"),
                    concat!(".set vector, vector + ", $x_by),
                    ".endr",
                    "ldr.w pc, [sp, #{next}]",
                    "part",
                    "ldr.w pc, [sp, #{next}]",
                    "part",
                    concat!("ldr.w ", $x0, ", [sp, #{part}]"),
                    concat!("add.w ", $w0, ", ", $w0, ", ", $x0),
                    concat!("add.w ", $w1, ", ", $w1, ", ", $x0),
                    "ldr.w pc, [sp, #{next}]",
                    "ldr.w r7, [sp, #{first}]",
                    concat!("add.w ", $x0, ", r7, #{piece}"),
                    concat!("str.w ", $x0, ", [sp]"),
                    concat!("ldmia.w r7, {{", $x0, ", ", $x1, ", ", $x2, ", ", $x3, ", pc}}"),
                    "ldr.w r7, [sp]",
                    concat!("add.w ", $x0, ", r7, #{piece}"),
                    concat!("str.w ", $x0, ", [sp]"),
                    concat!("ldmia.w r7, {{", $x0, ", ", $x1, ", ", $x2, ", ", $x3, ", pc}}"),
                    // The ends, in the order of their names.
                    "b.w 31f",
                    "b.w 32f",
                    "vmov q0[2], q0[0], r0, r4",
                    "vmov q0[3], q0[1], r2, r6",
                    "vmov q1[2], q1[0], r8, r12",
                    "vmov q1[3], q1[1], r10, lr",
                    "ldrd r8, r10, [sp, #{at}]",
                    "add r8, r8, #32",
                    "ldmia r8!, {{r0, r2, r4, r6}}",
                    "vshr.s32 q5, q0, #31",
                    "vqrdmlah.s32 q5, q0, r0",
                    "vshr.s32 q6, q1, #31",
                    "vqrdmlah.s32 q6, q1, r4",
                    "4:",
                    "vrshl.s32 q5, r2",
                    "vrshl.s32 q6, r6",
                    "vmax.s32 q5, q5, q2",
                    "vmin.s32 q5, q5, q3",
                    "vmax.s32 q6, q6, q2",
                    "vmin.s32 q6, q6, q3",
                    "ldr r0, [sp, #{zero}]",
                    "vadd.i32 q5, q5, r0",
                    "vadd.i32 q6, q6, r0",
                    concat!("vstr", $y, ".32 q5, [r10, q4]"),
                    concat!("vstr", $y, ".32 q6, [r10, q7]"),
                    concat!("add r10, r10, #2*", $y_by),
                    "5:",
                    "strd r8, r10, [sp, #{at}]",
                    "ldrd r0, r2, [sp, #{gap}]",
                    concat!("add ", $w0, ", ", $w1, ", r0"),
                    concat!("add ", $w1, ", ", $w0, ", r2"),
                    "ldr r0, [sp, #{end}]",
                    "cmp r8, r0",
                    "bne 3f",
                    "ldr r0, [sp, #{groups}]",
                    "subs r0, r0, #1",
                    "beq 9f",
                    "str r0, [sp, #{groups}]",
                    "ldrd r2, r4, [sp, #{leap}]",
                    "add r10, r10, r2",
                    "ldr r7, [sp, #{first}]",
                    "ldr r6, [sp, #{last}]",
                    "6:",
                    "vldrw.u32 q0, [r7]",
                    "vadd.i32 q0, q0, r4",
                    "vstrw.32 q0, [r7], #{piece}",
                    "cmp r7, r6",
                    "bne 6b",
                    "ldr r8, [sp, #{channels}]",
                    "strd r8, r10, [sp, #{at}]",
                    "2:", // a group of pixels
                    concat!("ldr ", $w0, ", [sp, #{w}]"),
                    "ldr r0, [sp, #{len}]",
                    concat!("add ", $w1, ", ", $w0, ", r0"),
                    "ldr r7, [sp, #{first}]",
                    concat!("ldmia r7, {{", $x0, ", ", $x1, ", ", $x2, ", ", $x3, "}}"),
                    "3:", // a pair of channels
                    "ldmia.w r8, {{r0, r2, r4, r6, r8, r10, r12, lr}}",
                    "ldr pc, [sp, #{begin}]",
                    "31:",
                    "ldr r7, [sp, #{at}]",
                    "stmia.w r7!, {{r0, r2, r4, r6, r8, r10, r12, lr}}",
                    "add r8, r7, #16",
                    "b 5b",
                    "32:",
                    "vmov q0[2], q0[0], r0, r4",
                    "vmov q0[3], q0[1], r2, r6",
                    "vmov q1[2], q1[0], r8, r12",
                    "vmov q1[3], q1[1], r10, lr",
                    "ldrd r8, r10, [sp, #{at}]",
                    "add r8, r8, #32",
                    "ldmia r8!, {{r0, r2, r4, r6}}",
                    "vqdmulh.s32 q5, q0, r0",
                    "vqdmulh.s32 q6, q1, r4",
                    "b 4b",
                    "20:",
                    "push {{r4-r11, lr}}",
                    "vpush {{d8-d15}}",
                    "add r1, r0, #{low}",
                    "ldmia r1, {{r3-r5}}",
                    "vdup.32 q2, r3",
                    "vdup.32 q3, r4",
                    "vldrw.u32 q4, [r0, #{spots}]",
                    concat!("movs r6, #", $y_by),
                    "vadd.i32 q7, q4, r6",
                    concat!("vctp.", $lanes, " r5"),
                    // Half of the call goes where it can be read without a register.
                    "ldrd r10, r11, [r0, #64]",
                    "add r9, r0, #32",
                    "ldmia r9, {{r1-r8}}",
                    "push {{r10, r11}}",
                    "push {{r1-r8}}",
                    "ldmia r0, {{r1-r8}}",
                    "push {{r1-r8}}",
                    "ldr r8, [sp, #{at}]",
                    "b 2b",
                    "9:",
                    "add sp, sp, #72",
                    "vpop {{d8-d15}}",
                    "pop {{r4-r11, pc}}",
                    ".purgem part",
                    vectors = const VECTORS,
                    piece = const size_of::<Piece>(),
                    first = const offset_of!(Call, first),
                    at = const offset_of!(Call, at),
                    end = const offset_of!(Call, end),
                    gap = const offset_of!(Call, gap),
                    len = const offset_of!(Call, len),
                    zero = const offset_of!(Call, zero),
                    part = const offset_of!(Call, part),
                    begin = const offset_of!(Call, begin),
                    next = const offset_of!(Call, next),
                    w = const offset_of!(Call, w),
                    groups = const offset_of!(Call, groups),
                    channels = const offset_of!(Call, channels),
                    leap = const offset_of!(Call, leap),
                    last = const offset_of!(Call, last),
                    low = const offset_of!(Call, low),
                    spots = const offset_of!(Call, spots),
                )
            }

            #[unsafe(naked)]
            unsafe extern "C" fn $odd(call: *mut Call) {
                naked_asm!(
                    ".cpu cortex-m55",
                    "b.w 20f",
                    ".set vector, 0",
                    ".rept {vectors}",
                    concat!("vldr", $w, $wt, " q0, [", $v, "], #", $w_by),
                    concat!("vldr", $x, $xt, " q1, [", $y0, ", #vector]"),
                    concat!("vmladava.s", $lanes, " r0, q0, q1"),
                    concat!("vldr", $x, $xt, " q1, [", $y1, ", #vector]"),
                    concat!("vmladava.s", $lanes, " r2, q0, q1"),
                    concat!("vldr", $x, $xt, " q1, [", $y2, ", #vector]"),
                    concat!("vmladava.s", $lanes, " r4, q0, q1"),
                    concat!("vldr", $x, $xt, " q1, [", $y3, ", #vector]"),
                    concat!("vmladava.s", $lanes, " r6, q0, q1"),
                    concat!(".set vector, vector + ", $x_by),
                    ".endr",
                    concat!("ldmia.w r8!, {{", $y0, ", ", $y1, ", ", $y2, ", ", $y3, ", pc}}"), // the next piece
                    "vpstttt",
                    concat!("vldr", $w, "t", $wt, " q0, [", $v, "]"),
                    concat!("vldr", $x, "t", $xt, " q1, [", $y0, "]"),
                    concat!("vldr", $x, "t", $xt, " q5, [", $y1, "]"),
                    concat!("vldr", $x, "t", $xt, " q6, [", $y2, "]"),
                    "vpst",
                    concat!("vldr", $x, "t", $xt, " q7, [", $y3, "]"),
                    concat!("vmladava.s", $lanes, " r0, q0, q1"),
                    concat!("vmladava.s", $lanes, " r2, q0, q5"),
                    concat!("vmladava.s", $lanes, " r4, q0, q6"),
                    concat!("vmladava.s", $lanes, " r6, q0, q7"),
                    concat!("ldr.w ", $y0, ", [r10, #{part}]"),
                    concat!("add.w ", $v, ", ", $v, ", ", $y0),
                    concat!("ldmia.w r8!, {{", $y0, ", ", $y1, ", ", $y2, ", ", $y3, ", pc}}"),
                    // The ends, in the order of their names.
                    "b.w 31f",
                    "b.w 32f",
                    "b.w 33f",
                    "b.w 34f",
                    "vmov q0[2], q0[0], r0, r4",
                    "vmov q0[3], q0[1], r2, r6",
                    "ldr r1, [r10, #{at}]",
                    "vldrw.u32 q5, [r1, q4]",
                    "vshr.s32 q1, q0, #31",
                    "vqrdmulh.s32 q0, q0, q5",
                    "vadd.i32 q1, q1, q0",
                    "5:",
                    "add r3, r1, #4",
                    "vldrb.s32 q5, [r3, q4]", // a byte is all that a multiplier has
                    "vrshl.s32 q1, q1, q5",
                    "vmax.s32 q1, q1, q2",
                    "vmin.s32 q1, q1, q3",
                    "ldr r3, [r10, #{zero}]",
                    "vadd.i32 q1, q1, r3",
                    "ldr r3, [r10, #{leap}]", // four outputs, which are not of the loop's inputs
                    "mov r0, r12",
                    "cmp r3, #4",
                    "beq 8f",
                    "vstrh.32 q1, [r0]",
                    "b 12f",
                    "8:",
                    "vstrb.32 q1, [r0]",
                    "12:",
                    "ldr r3, [r10, #{gap}]",
                    "add r1, r1, r3",
                    "str r1, [r10, #{at}]",
                    "add r11, r11, #16",
                    "b 7f",
                    "33:",
                    "vmov q0[2], q0[0], r0, r4",
                    "vmov q0[3], q0[1], r2, r6",
                    "ldrd r1, r3, [r11, #32]",
                    "vshr.s32 q1, q0, #31",
                    "vqrdmlah.s32 q1, q0, r1",
                    "4:",
                    "vrshl.s32 q1, r3",
                    "vmax.s32 q1, q1, q2",
                    "vmin.s32 q1, q1, q3",
                    "ldr r1, [r10, #{zero}]",
                    "vadd.i32 q1, q1, r1",
                    concat!("vstr", $y, ".32 q1, [r12, q4]"),
                    "7:",
                    "subs.w lr, lr, #1",
                    "beq 9f",
                    "ldrd r1, r5, [r10, #{leap}]",
                    "add r12, r12, r1",
                    "ldr r7, [r10, #{first}]",
                    "ldr r6, [r10, #{last}]",
                    "b 62f", // a pixel without inputs has no piece
                    "6:",
                    "vldrw.u32 q0, [r7]",
                    "vadd.i32 q0, q0, r5",
                    "vstrw.32 q0, [r7], #{piece}",
                    "62:",
                    "cmp r7, r6",
                    "bne 6b",
                    "2:", // a group of pixels
                    concat!("ldr ", $v, ", [r10, #{w}]"),
                    "ldr r8, [r10, #{first}]",
                    "ldmia.w r11, {{r0, r2, r4, r6}}",
                    concat!("ldmia.w r8!, {{", $y0, ", ", $y1, ", ", $y2, ", ", $y3, ", pc}}"),
                    "31:",
                    "stmia.w r11, {{r0, r2, r4, r6}}",
                    "9:",
                    "vpop {{d8-d15}}",
                    "pop {{r4-r11, pc}}",
                    "32:",
                    "vmov q0[2], q0[0], r0, r4",
                    "vmov q0[3], q0[1], r2, r6",
                    "ldrd r1, r3, [r11, #32]",
                    "vqdmulh.s32 q1, q0, r1",
                    "b 4b",
                    "34:",
                    "vmov q0[2], q0[0], r0, r4",
                    "vmov q0[3], q0[1], r2, r6",
                    "ldr r1, [r10, #{at}]",
                    "vldrw.u32 q5, [r1, q4]",
                    "vqdmulh.s32 q1, q0, q5",
                    "b 5b",
                    "20:",
                    "push {{r4-r11, lr}}",
                    "vpush {{d8-d15}}",
                    "mov r10, r0",
                    "add r1, r0, #{low}",
                    "ldmia r1, {{r3-r5}}",
                    "vdup.32 q2, r3",
                    "vdup.32 q3, r4",
                    "vldrw.u32 q4, [r0, #{spots}]",
                    concat!("vctp.", $lanes, " r5"),
                    "ldr r11, [r10, #{channels}]",
                    "ldr r12, [r10, #{y}]",
                    "ldr lr, [r10, #{groups}]",
                    "b 2b",
                    vectors = const VECTORS,
                    piece = const size_of::<Piece>(),
                    gap = const offset_of!(Call, gap),
                    at = const offset_of!(Call, at),
                    first = const offset_of!(Call, first),
                    zero = const offset_of!(Call, zero),
                    y = const offset_of!(Call, y),
                    part = const offset_of!(Call, part),
                    groups = const offset_of!(Call, groups),
                    channels = const offset_of!(Call, channels),
                    w = const offset_of!(Call, w),
                    leap = const offset_of!(Call, leap),
                    last = const offset_of!(Call, last),
                    low = const offset_of!(Call, low),
                    spots = const offset_of!(Call, spots),
                )
            }
        };
    }
    loops!(pair_88 ["r9" "r11"] ["r1" "r3" "r5" "r7"], odd_88 ["r9"] ["r1" "r3" "r5" "r7"], "8", "b" ".u8" "16", "b" ".u8" "16", "b" "1");
    loops!(pair_816 ["r9" "r11"] ["r1" "r3" "r5" "r7"], odd_816 ["r9"] ["r1" "r3" "r5" "r7"], "16", "b" ".s16" "8", "h" ".u16" "16", "b" "1");
    // A load that widens names one of the lower registers.
    loops!(pair_168 ["r1" "r3"] ["r5" "r7" "r9" "r11"], odd_168 ["r1"] ["r3" "r5" "r7" "r9"], "16", "h" ".u16" "16", "b" ".s16" "8", "h" "2");
    loops!(pair_1616 ["r9" "r11"] ["r1" "r3" "r5" "r7"], odd_1616 ["r9"] ["r1" "r3" "r5" "r7"], "16", "h" ".u16" "16", "h" ".u16" "16", "h" "2");

    /// The loop for inputs and weights of these sizes, over pairs of channels or the odd one.
    #[inline(always)]
    pub(in super::super) fn pick<T, W>(odd: bool) -> &'static Loop {
        const fn pair(run: Run, x: usize, w: usize) -> Loop {
            Loop { run, odd: false, vector: 14, part: 18, ends: 46, lanes: lanes(x, w), x, w }
        }
        const fn single(run: Run, x: usize, w: usize) -> Loop {
            Loop { run, odd: true, vector: 9, part: 1, ends: 15, lanes: lanes(x, w), x, w }
        }
        // One by one, so that only those are linked that are picked.
        match (odd, size_of::<T>(), size_of::<W>()) {
            (false, 1, 1) => const { &pair(pair_88, 1, 1) },
            (false, 1, _) => const { &pair(pair_816, 1, 2) },
            (false, _, 1) => const { &pair(pair_168, 2, 1) },
            (false, ..) => const { &pair(pair_1616, 2, 2) },
            (_, 1, 1) => const { &single(odd_88, 1, 1) },
            (_, 1, _) => const { &single(odd_816, 1, 2) },
            (_, _, 1) => const { &single(odd_168, 2, 1) },
            _ => const { &single(odd_1616, 2, 2) },
        }
    }
}

/// The same steps in Rust.
#[cfg(not(target_arch = "arm"))]
mod model {
    use super::super::{Call, End, Line, PIXELS, Pair, Piece, Ready, Span, lanes};
    use super::{Loop, Run, VECTORS};
    use crate::{Element, Multiplier};
    use core::ptr::with_exposed_provenance_mut;

    /// Places in the loop; below are numbers of vectors.
    const PART: usize = VECTORS + 1;
    const ONLY: usize = PART + 1;
    const ENDS: usize = ONLY + 1;

    impl Loop {
        pub(in super::super) fn vectors(&self, n: usize) -> usize {
            n
        }

        pub(in super::super) fn only(&self) -> usize {
            ONLY
        }

        pub(in super::super) fn part(&self) -> usize {
            PART
        }

        pub(in super::super) fn pieces(&self) -> [usize; 2] {
            [0; 2]
        }

        pub(in super::super) fn end(&self, end: End) -> usize {
            ENDS + end as usize
        }
    }

    pub(in super::super) unsafe extern "C" fn copy(to: *mut u8, x: *const u8, step: usize, n: usize) {
        for p in 0..PIXELS {
            // SAFETY: the caller's.
            unsafe { to.add(p * size_of::<Line>()).copy_from_nonoverlapping(x.add(p * step), n) };
        }
    }

    pub(in super::super) unsafe extern "C" fn carry(to: *mut u8, x: *const u8, n: usize) {
        // SAFETY: the caller's.
        unsafe { to.copy_from_nonoverlapping(x, n) };
    }

    pub(in super::super) unsafe extern "C" fn put(span: *const Span, pixel: usize, spots: *mut [usize; PIXELS]) {
        // SAFETY: the caller's.
        unsafe {
            let &Span { lines, n, step, behind, from, wide, pitch, .. } = &*span;
            let pixels: [_; PIXELS] = core::array::from_fn(|p| pixel.wrapping_add(p));
            spots.write(pixels.map(|i| i.wrapping_mul(pitch)));
            for r in 0..n {
                let row = (*lines.add(r)).wrapping_byte_add(from.wrapping_add(behind));
                let to = (*span).pieces.wrapping_byte_add(r * step);
                (&raw mut (*to).x).write(pixels.map(|i| row.wrapping_byte_add(i.wrapping_mul(wide))));
            }
        }
    }

    pub(in super::super) unsafe extern "C" fn border(span: *mut Span, spots: *mut usize) {
        // SAFETY: the caller's.
        unsafe {
            let &mut Span { lines, n, zero, wide, from, bytes, width, inside, inner, out, copies, .. } = &mut *span;
            let (pieces, mut to) = ((*span).pieces, (*span).to);
            for p in 0..copies {
                let pixel = if out + p < inside { out + p } else { out + p + inner };
                spots.add(p).write(pixel * (*span).pitch);
                let from = (pixel * wide).wrapping_add(from) as isize;
                let before = (-from).clamp(0, bytes as isize);
                let end = (width as isize - from).min(bytes as isize).max(before) as usize;
                let before = before as usize;
                for r in 0..n {
                    let place = pieces.wrapping_byte_add(r * (*span).step);
                    let x = to.wrapping_byte_add((*span).behind);
                    (&raw mut (*place).x).cast::<*const ()>().add(p).write(x.cast());
                    let x = (*lines.add(r)).cast::<u8>().wrapping_offset(from).wrapping_add(before);
                    let zeros = |to: *mut u8, n| (0..n).for_each(|i| to.add(i).write(zero.to_le_bytes()[i % 4]));
                    zeros(to, before);
                    to.add(before).copy_from_nonoverlapping(x, end - before);
                    zeros(to.add(end), bytes - end);
                    to = to.add(bytes);
                }
            }
        }
    }

    unsafe extern "C" fn wide<T: Element>(to: *mut i16, x: *const (), n: usize, zero: i32) {
        for i in 0..n {
            // SAFETY: the caller's.
            unsafe { *to.add(i) = ((*x.cast::<T>().add(i)).to_i32() - zero) as i16 };
        }
    }

    pub(in super::super) fn widen(x: usize) -> unsafe extern "C" fn(*mut i16, *const (), usize, i32) {
        if x == 1 { wide::<i8> } else { wide::<i16> }
    }

    unsafe extern "C" fn channels<W: Element>(ready: *const Ready) -> i32 {
        // SAFETY: the caller's.
        unsafe {
            let &Ready { to, multipliers, bias, w, n, low, count, .. } = &*ready;
            let (mut w, mut highest) = (w.cast::<W>(), -128);
            for c in 0..(*ready).even {
                let scale = factor(&*multipliers.add(c % (*ready).turn), (*ready).wide != 0);
                highest = scale[1].max(highest);
                let pair = to.add(c / 2);
                (&raw mut (*pair).scale[c % 2]).write(scale);
                let mut sum = *bias.byte_add(c % (*ready).biases * (*ready).hop);
                if c < count {
                    let all = (0..n).map(|i| (*w.add(i)).to_i32()).fold(0, i32::wrapping_add);
                    sum = sum.wrapping_sub(all.wrapping_mul(low));
                    w = w.wrapping_add(n.next_multiple_of(16 / size_of::<W>())).wrapping_byte_add((*ready).next);
                }
                (&raw mut (*pair).sums[c % 2]).write([sum; PIXELS]);
            }
            highest
        }
    }

    pub(in super::super) fn ready(w: usize) -> unsafe extern "C" fn(*const Ready) -> i32 {
        if w == 1 { channels::<i8> } else { channels::<i16> }
    }

    /// q and −e of the formulas. Tflite16x8 is single rounding by the upper half of q; a product of 0 is 0 by any shift.
    pub(in super::super) fn factor(m: &Multiplier, wide: bool) -> [i32; 2] {
        let q = if wide { m.q16() << 16 } else { m.q() };
        [q, if q == 0 { -1 } else { m.shift().into() }]
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

    /// Before the clamp.
    pub(in super::super) fn output(acc: i32, q: i32, shift: i32, double: bool) -> i32 {
        vrshl(if double { vqrdmlah(acc >> 31, acc, q) } else { vqdmulh(acc, q) }, shift)
    }

    /// N channels at a time.
    unsafe extern "C" fn run<T: Element, W: Element, const N: usize>(call: *mut Call) {
        // SAFETY: the caller's.
        unsafe {
            let call = &mut *call;
            let lanes = if size_of::<T>() * size_of::<W>() == 1 { 16 } else { 8 };
            for _ in 0..call.groups {
                let mut w: [*const W; N] = core::array::from_fn(|i| call.w.cast::<W>().wrapping_byte_add(i * call.len));
                let mut pair = call.channels.cast::<Pair<i32>>();
                loop {
                    // Of four channels of a pixel there are biases only.
                    let four = (*call.last).then > ENDS + End::Double as usize;
                    let Pair { mut sums, scale } =
                        if four { Pair { sums: [*pair.cast(); 2], scale: [[0; 2]; 2] } } else { *pair };
                    let mut piece = call.first;
                    while (*piece).then < ENDS {
                        let Piece { x, mut then } = *piece;
                        // Many pieces begin and go on elsewhere.
                        if call.begin != 0 {
                            then = call.begin;
                        }
                        let vectors = then <= VECTORS;
                        let n = if vectors { lanes * then } else { call.part / size_of::<W>() };
                        let behind = if vectors { lanes * (VECTORS - then) } else { 0 };
                        for (w, sums) in w.iter_mut().zip(&mut sums) {
                            for (sum, x) in sums.iter_mut().zip(x) {
                                let x = x.cast::<T>().wrapping_add(behind);
                                let product = |i| (*x.add(i)).to_i32().wrapping_mul((*w.add(i)).to_i32());
                                *sum = (0..n).map(product).fold(*sum, i32::wrapping_add);
                            }
                            // The only piece leaves the weights of a part where they are.
                            if then != ONLY {
                                *w = w.wrapping_add(n);
                            }
                        }
                        piece = piece.add(1);
                    }
                    let end = (*piece).then - ENDS;
                    let double = end == End::Double as usize || end == End::DoubleFour as usize;
                    let output = |acc, [q, shift]: [i32; 2]| {
                        output(acc, q, shift, double).max(call.low).min(call.high) + call.zero
                    };
                    if end == End::Sums as usize {
                        (*pair).sums = sums;
                    } else if end > End::Double as usize {
                        for (p, acc) in sums[0].into_iter().enumerate() {
                            let at = call.at.byte_add(call.spots[p]);
                            let scale = [*at.cast(), i32::from(*at.cast::<i8>().add(4))];
                            // Four outputs, which are not of the loop's inputs.
                            match call.leap {
                                4 => *call.y.cast::<i8>().add(p) = output(acc, scale) as i8,
                                _ => *call.y.cast::<i16>().add(p) = output(acc, scale) as i16,
                            }
                        }
                        call.at = call.at.wrapping_byte_add(call.gap);
                        call.channels = call.channels.wrapping_byte_add(size_of_val(&sums[0]));
                    } else {
                        for (c, (sums, scale)) in sums.into_iter().zip(scale).take(N).enumerate() {
                            for (acc, spot) in sums.into_iter().zip(call.spots) {
                                // Some spots are in another allocation.
                                let y = (call.y as usize).wrapping_add(c * size_of::<T>()).wrapping_add(spot);
                                *with_exposed_provenance_mut::<T>(y) = T::from_i32(output(acc, scale));
                            }
                        }
                    }
                    if N == 1 {
                        break;
                    }
                    pair = pair.add(1);
                    call.y = call.y.wrapping_byte_add(N * size_of::<T>());
                    w = core::array::from_fn(|i| w[N - 1].wrapping_byte_add(call.gap).wrapping_byte_add(i * call.len));
                    if pair.cast_const().cast() == call.end {
                        break;
                    }
                }
                call.y = call.y.wrapping_byte_add(call.leap);
                let mut piece = call.first;
                while piece != call.last {
                    (*piece).x = (*piece).x.map(|x| x.wrapping_byte_add(call.hop));
                    piece = piece.add(1);
                }
            }
        }
    }

    pub(in super::super) fn pick<X, Y>(odd: bool) -> &'static Loop {
        fn of<T: Element, W: Element>(odd: bool) -> &'static Loop {
            const fn one<T, W>(run: Run, odd: bool) -> Loop {
                let (x, w) = (size_of::<T>(), size_of::<W>());
                Loop { run, odd, vector: 0, part: 0, ends: 0, lanes: lanes(x, w), x, w }
            }
            if odd {
                const { &one::<T, W>(run::<T, W, 1>, true) }
            } else {
                const { &one::<T, W>(run::<T, W, 2>, false) }
            }
        }
        match (size_of::<X>(), size_of::<Y>()) {
            (1, 1) => of::<i8, i8>(odd),
            (1, _) => of::<i8, i16>(odd),
            (_, 1) => of::<i16, i8>(odd),
            _ => of::<i16, i16>(odd),
        }
    }
}
