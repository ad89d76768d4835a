//! RISC-V with multiplication, 32 bits (RV32IM): four channels of four pixels, sixteen sums in registers.
//!
//! Per value: four words of a patch, four weights, 16 `MUL` and 16 `ADD`, so 40 instructions for 16 products. What is left of
//! the channels goes one by one. `MULHSU` by `2 q` keeps the bit that rounds the high word of `2 acc · q`.
//! Where two channels have two taps that neighbouring pixels share, two columns of inputs and four weights: 24 instructions for 8 products.

#[cfg(not(target_arch = "riscv32"))]
#[allow(dead_code)] // other cores widen weights of columns
mod model;
mod words;

use super::quad::points::Points;
use super::quad::{Call, Columns, Halves, Loop, PIXELS, Strip, Strips};
#[cfg(target_arch = "riscv32")]
use asm::COLUMN_LOOPS;
#[cfg(target_arch = "riscv32")]
pub(super) use asm::{DIRECT_I8, I8, I16, gather, pixel, widen};
#[cfg(not(target_arch = "riscv32"))]
pub(super) use model::{DIRECT_I8, I8, I16, gather, pixel, widen};
pub(super) use words::{HALVES, widen_i16};
pub(crate) use words::{Patch, SUMS};

/// Values of a patch, a multiple of 4.
pub(crate) const CHUNK: usize = 64;

/// Output channels whose inputs are read where they are; a patch that more of them share costs less.
pub(crate) const DIRECT: usize = 3;
/// Whether these inputs are taken as they are, and the zero point comes off the sums.
pub(super) const RAW: bool = true;

/// No loops of three pixels.
pub(super) const THREE: Option<&[Loop; 3]> = None;
/// No pixels in registers.
pub(super) const POINTS: Option<[Points; 2]> = None;

/// Two channels of two taps that neighbouring pixels share.
pub(super) const COLUMNS: Option<Columns> =
    Some(Columns { words: 0, spread: None, most: usize::MAX, loops: COLUMN_LOOPS });

/// A bit, so that the lower word of the product is not needed.
pub(super) const MORE: i32 = 1;

/// q as the loops take it.
#[inline(always)]
pub(super) const fn factor(q: i32) -> i32 {
    q << 1
}

/// By `MULHSU`: the last bit of twice the upper word rounds it, away from 0.
#[cfg(not(target_arch = "riscv32"))]
fn scaled(acc: i32, q: i32, h: i32, single: bool) -> i32 {
    let high = ((i64::from(acc << 1) * i64::from(q as u32)) >> 32) as i32;
    if single { high + h } else { high + (acc >> 31 | 1) + h }
}

#[cfg(not(target_arch = "riscv32"))]
enum Weights {}

#[cfg(not(target_arch = "riscv32"))]
impl model::Order for Weights {
    type Weight = i8;

    fn place(n: usize, step: usize, i: usize, j: usize) -> usize {
        i + if j < 2 { n } else { 0 } + j % 2 * step
    }
}

#[cfg(not(target_arch = "riscv32"))]
const COLUMN_LOOPS: [Strips; 2] = [model::columns::<Weights, false>, model::columns::<Weights, true>];

/// The instructions themselves.
#[cfg(target_arch = "riscv32")]
mod asm {
    use super::super::quad::Lines;
    use super::*;
    use core::arch::naked_asm;

    /// [`Patch::fill`] of all pixels with n values each, at least one.
    ///
    /// # Safety
    /// The inputs can be read, and the patch has room.
    #[inline(always)]
    pub(in super::super) unsafe fn widen(
        patch: &mut Patch,
        at: usize,
        x: &[*const i8; PIXELS],
        n: usize,
        offset: i32,
        _: bool,
    ) {
        // SAFETY: the caller's.
        unsafe { widen_all(patch.x.as_mut_ptr().add(at).cast(), x, n, offset) };
    }

    #[unsafe(naked)]
    unsafe extern "C" fn widen_all(to: *mut (), x: &[*const i8; PIXELS], n: usize, offset: i32) {
        naked_asm!(
            ".macro one at",
            "lb t0, \\at(a1)",
            "lb t1, \\at(a5)",
            "lb t2, \\at(a6)",
            "lb t3, \\at(a7)",
            "sub t0, t0, a3",
            "sub t1, t1, a3",
            "sub t2, t2, a3",
            "sub t3, t3, a3",
            "sw t0, 16*(\\at)(a0)",
            "sw t1, 16*\\at+4(a0)",
            "sw t2, 16*\\at+8(a0)",
            "sw t3, 16*\\at+12(a0)",
            ".endm",
            ".macro next n",
            "addi a0, a0, 16*\\n",
            "addi a1, a1, \\n",
            "addi a5, a5, \\n",
            "addi a6, a6, \\n",
            "addi a7, a7, \\n",
            ".endm",
            "lw a5, 4(a1)",
            "lw a6, 8(a1)",
            "lw a7, 12(a1)",
            "lw a1, 0(a1)",
            "andi a4, a2, 3",
            "sub a2, a2, a4",
            "beqz a2, 3f",
            "2:",
            "one 0",
            "one 1",
            "one 2",
            "one 3",
            "next 4",
            "addi a2, a2, -4",
            "bnez a2, 2b",
            "3:",
            "beqz a4, 5f",
            "4:",
            "one 0",
            "next 1",
            "addi a4, a4, -1",
            "bnez a4, 4b",
            "5:",
            "ret",
            ".purgem one",
            ".purgem next",
        )
    }

    /// [`Patch::fill`] of all pixels with the values of some rows.
    ///
    /// # Safety
    /// The inputs can be read, there are some, and the patch has room.
    #[inline(always)]
    pub(in super::super) unsafe fn gather(patch: &mut Patch, x: *const i8, lines: &Lines, _: bool) {
        // SAFETY: the caller's.
        unsafe { gather_all(patch.x.as_mut_ptr().cast(), x, lines) };
    }

    /// a1 and t4 to t6 are where the pixels are, up to a2.
    #[unsafe(naked)]
    unsafe extern "C" fn gather_all(to: *mut (), x: *const i8, lines: &Lines) {
        naked_asm!(
            ".macro one at",
            "lb t0, \\at(a1)",
            "lb t1, \\at(t4)",
            "lb t2, \\at(t5)",
            "lb t3, \\at(t6)",
            "sub t0, t0, a7",
            "sub t1, t1, a7",
            "sub t2, t2, a7",
            "sub t3, t3, a7",
            "sw t0, 16*(\\at)(a0)",
            "sw t1, 16*\\at+4(a0)",
            "sw t2, 16*\\at+8(a0)",
            "sw t3, 16*\\at+12(a0)",
            ".endm",
            ".macro next n",
            "addi a0, a0, 16*\\n",
            "addi a1, a1, \\n",
            "addi t4, t4, \\n",
            "addi t5, t5, \\n",
            "addi t6, t6, \\n",
            ".endm",
            "lw a3, 0(a2)",
            "lw a4, 4(a2)",
            "lw a5, 8(a2)",
            "lw a6, 12(a2)",
            "lw a7, 16(a2)",
            "sub a6, a6, a4",
            "2:", // a row
            "add t4, a1, a3",
            "add t5, t4, a3",
            "add t6, t5, a3",
            "add a2, a1, a4",
            "andi t0, a4, 1",
            "beqz t0, 4f",
            "one 0",
            "next 1",
            "beq a1, a2, 5f",
            "4:",
            "one 0",
            "one 1",
            "next 2",
            "bne a1, a2, 4b",
            "5:",
            "add a1, a1, a6",
            "addi a5, a5, -1",
            "bnez a5, 2b",
            "ret",
            ".purgem one",
            ".purgem next",
        )
    }

    /// An output of a sum, with q in a1, h in a4 and e in a5, and 256 in a0; t0 and t2 are lost.
    macro_rules! rounding {
        () => {
            concat!(
                ".macro double acc\n",
                "srai t2, \\acc, 31\n",
                "slli \\acc, \\acc, 1\n",
                "ori t2, t2, 1\n",
                "mulhsu \\acc, \\acc, a1\n",
                "add \\acc, \\acc, t2\n",
                ".endm\n",
                ".macro single acc\n",
                "slli \\acc, \\acc, 1\n",
                "mulhsu \\acc, \\acc, a1\n",
                ".endm\n",
                ".macro clamped round, acc\n",
                "\\round \\acc\n",
                "add \\acc, \\acc, a4\n",
                "sra \\acc, \\acc, a5\n",
                "addi t0, \\acc, 128\n",
                "bltu t0, a0, 12f\n",
                "srai \\acc, \\acc, 31\n",
                "xori \\acc, \\acc, 127\n",
                "12:\n",
                ".endm",
            )
        };
    }

    /// Stamps the loop over channels for a size of weights, and what comes before and becomes of the sums.
    ///
    /// a0 values, a2 weights, a3 channel. Sums of a channel are four registers each of s0 ..= s11 and t3 ..= t6; gp and tp are an interrupt's as well and
    /// stay what they are. Values are four at a time, of which the first four may lack some: their products are jumped over, and a0 and a2 begin that
    /// far before what there is. On the stack: where values begin, and their last four, where four channels are entered, a channel's weights in bytes, those from its last four
    /// to the next one's first, the last channel with three behind it, or the channels' end, y, pitch, the channel and, at 88, how many there are of the first four values.
    macro_rules! stamp {
        ($name:ident, $load:literal $size:literal, $start:literal $end:literal) => {
            #[unsafe(naked)]
            unsafe extern "C" fn $name(call: *const Call) {
                naked_asm!(
                    ".option push",
                    ".option arch, +m",
                    ".macro products a, b, c, d",
                    "mul t0, a1, t2",
                    "mul t1, a4, t2",
                    "add \\a, \\a, t0",
                    "add \\b, \\b, t1",
                    "mul t0, a5, t2",
                    "mul t1, a7, t2",
                    "add \\c, \\c, t0",
                    "add \\d, \\d, t1",
                    ".endm",
                    ".macro values at",
                    "lw a1, 16*(\\at)(a0)",
                    "lw a4, 16*\\at+4(a0)",
                    "lw a5, 16*\\at+8(a0)",
                    "lw a7, 16*\\at+12(a0)",
                    ".endm",
                    // A value of four channels, their weights at a2, a6, ra and a3.
                    ".macro four at",
                    "values \\at",
                    concat!($load, " t2, ", $size, "*(\\at)(a2)"),
                    "products s0, s1, s2, s3",
                    concat!($load, " t2, ", $size, "*\\at(a6)"),
                    "products s4, s5, s6, s7",
                    concat!($load, " t2, ", $size, "*\\at(ra)"),
                    "products s8, s9, s10, s11",
                    concat!($load, " t2, ", $size, "*(\\at)(a3)"),
                    "products t3, t4, t5, t6",
                    ".endm",
                    ".macro one at",
                    "values \\at",
                    concat!($load, " t2, ", $size, "*(\\at)(a2)"),
                    "products s0, s1, s2, s3",
                    ".endm",
                    ".macro load at, a, b, c, d",
                    "lw \\a, \\at(a3)",
                    "lw \\b, \\at+4(a3)",
                    "lw \\c, \\at+8(a3)",
                    "lw \\d, \\at+12(a3)",
                    ".endm",
                    ".macro sums_start n",
                    ".endm",
                    ".macro sums at, c, a, b, d, e",
                    "sw \\a, \\at(a3)",
                    "sw \\b, \\at+4(a3)",
                    "sw \\d, \\at+8(a3)",
                    "sw \\e, \\at+12(a3)",
                    ".endm",
                    rounding!(),
                    // The outputs of so many channels at a6, a7, ra and t1.
                    ".macro outputs_start n",
                    "lw a6, 24(sp)",
                    "lw t1, 28(sp)",
                    "li a0, 256",
                    "addi t0, a6, \\n",
                    "sw t0, 24(sp)",
                    "add a7, a6, t1",
                    "add ra, a7, t1",
                    "add t1, ra, t1",
                    ".endm",
                    ".macro outputs round, at, c, a, b, d, e",
                    "lw a1, \\at+16(a3)",
                    "lw a4, \\at+20(a3)",
                    "lw a5, \\at+24(a3)",
                    "clamped \\round, \\a",
                    "clamped \\round, \\b",
                    "clamped \\round, \\d",
                    "clamped \\round, \\e",
                    "sb \\a, \\c(a6)",
                    "sb \\b, \\c(a7)",
                    "sb \\d, \\c(ra)",
                    "sb \\e, \\c(t1)",
                    ".endm",
                    ".macro double_outputs at, c, a, b, d, e",
                    "outputs double, \\at, \\c, \\a, \\b, \\d, \\e",
                    ".endm",
                    ".macro single_outputs at, c, a, b, d, e",
                    "outputs single, \\at, \\c, \\a, \\b, \\d, \\e",
                    ".endm",
                    // Where four values from `start` on are entered for the last t0.
                    ".macro entry to, start, behind",
                    "lla \\to, \\behind",
                    "lla t1, \\start",
                    "sub t1, \\to, t1",
                    "mul t1, t1, t0",
                    "srli t1, t1, 2",
                    "sub \\to, \\to, t1",
                    ".endm",
                    concat!(".equ SIZE, ", $size),
                    "addi sp, sp, -96",
                    "lw a1, 4(a0)",
                    "lw a2, 8(a0)",
                    "lw a3, 12(a0)",
                    "lw a4, 16(a0)",
                    "lw a5, 20(a0)",
                    "lw a6, 24(a0)",
                    "lw a7, 28(a0)",
                    "lw a0, 0(a0)",
                    "sw ra, 36(sp)",
                    "sw s0, 40(sp)",
                    "sw s1, 44(sp)",
                    "sw s2, 48(sp)",
                    "sw s3, 52(sp)",
                    "mv t0, a1",
                    "beqz a1, 3f",
                    "addi t0, a1, -1",
                    "andi t0, t0, 3",
                    "addi t0, t0, 1",
                    "3:",
                    "sw t0, 88(sp)",
                    "addi a0, a0, -64",
                    "slli t1, a1, 4",
                    "add t1, t1, a0",
                    "sw t1, 4(sp)",
                    "slli t1, t0, 4",
                    "add a0, a0, t1",
                    "sw a0, 0(sp)",
                    "slli t1, t0, SIZE-1",
                    "add a2, a2, t1",
                    "addi a2, a2, -4*SIZE",
                    "add t1, t1, a4",
                    "sw t1, 16(sp)",
                    "slli a1, a1, SIZE-1",
                    "add a1, a1, a4",
                    "sw a1, 12(sp)",
                    "sw a6, 24(sp)",
                    "sw a7, 28(sp)",
                    "addi a5, a5, -128",
                    "bltu a5, a3, 8f",
                    "sw a5, 20(sp)",
                    "sw s4, 56(sp)",
                    "sw s5, 60(sp)",
                    "sw s6, 64(sp)",
                    "sw s7, 68(sp)",
                    "sw s8, 72(sp)",
                    "sw s9, 76(sp)",
                    "sw s10, 80(sp)",
                    "sw s11, 84(sp)",
                    "entry t2, 4f, 5f",
                    "sw t2, 8(sp)",
                    "2:", // four channels
                    "load 0, s0, s1, s2, s3",
                    "load 32, s4, s5, s6, s7",
                    "load 64, s8, s9, s10, s11",
                    "load 96, t3, t4, t5, t6",
                    "lw t0, 12(sp)",
                    "lw t1, 8(sp)",
                    "lw a0, 0(sp)",
                    "sw a3, 32(sp)",
                    "add a6, a2, t0",
                    "add ra, a6, t0",
                    "add a3, ra, t0",
                    "jr t1",
                    "3:",
                    "addi a0, a0, 64",
                    "addi a2, a2, 4*SIZE",
                    "addi a6, a6, 4*SIZE",
                    "addi ra, ra, 4*SIZE",
                    "addi a3, a3, 4*SIZE",
                    "4:",
                    "four 0",
                    "four 1",
                    "four 2",
                    "four 3",
                    "5:",
                    "lw t0, 4(sp)",
                    "bne a0, t0, 3b",
                    "lw t0, 16(sp)",
                    "add a2, a3, t0",
                    "lw a3, 32(sp)",
                    concat!($start, " 4"),
                    concat!($end, " 0, 0, s0, s1, s2, s3"),
                    concat!($end, " 32, 1, s4, s5, s6, s7"),
                    concat!($end, " 64, 2, s8, s9, s10, s11"),
                    concat!($end, " 96, 3, t3, t4, t5, t6"),
                    "lw a5, 20(sp)",
                    "addi a3, a3, 4*32",
                    "bgeu a5, a3, 2b",
                    "lw s4, 56(sp)",
                    "lw s5, 60(sp)",
                    "lw s6, 64(sp)",
                    "lw s7, 68(sp)",
                    "lw s8, 72(sp)",
                    "lw s9, 76(sp)",
                    "lw s10, 80(sp)",
                    "lw s11, 84(sp)",
                    "8:", // what is left
                    "addi a5, a5, 128",
                    "beq a5, a3, 9f",
                    "sw a5, 20(sp)",
                    "lw t0, 88(sp)",
                    "entry t3, 4f, 5f",
                    "lw t4, 0(sp)",
                    "lw t5, 4(sp)",
                    "lw t6, 16(sp)",
                    "2:",
                    "load 0, s0, s1, s2, s3",
                    "mv a0, t4",
                    "jr t3",
                    "3:",
                    "addi a0, a0, 64",
                    "addi a2, a2, 4*SIZE",
                    "4:",
                    "one 0",
                    "one 1",
                    "one 2",
                    "one 3",
                    "5:",
                    "bne a0, t5, 3b",
                    "add a2, a2, t6",
                    concat!($start, " 1"),
                    concat!($end, " 0, 0, s0, s1, s2, s3"),
                    "lw a5, 20(sp)",
                    "addi a3, a3, 32",
                    "bne a5, a3, 2b",
                    "9:",
                    "lw ra, 36(sp)",
                    "lw s0, 40(sp)",
                    "lw s1, 44(sp)",
                    "lw s2, 48(sp)",
                    "lw s3, 52(sp)",
                    "addi sp, sp, 96",
                    "ret",
                    ".purgem products",
                    ".purgem values",
                    ".purgem four",
                    ".purgem one",
                    ".purgem load",
                    ".purgem sums_start",
                    ".purgem sums",
                    ".purgem double",
                    ".purgem single",
                    ".purgem clamped",
                    ".purgem outputs_start",
                    ".purgem outputs",
                    ".purgem double_outputs",
                    ".purgem single_outputs",
                    ".purgem entry",
                    ".option pop",
                )
            }
        };
    }

    stamp!(sums_i8, "lb" "1", "sums_start" "sums");
    stamp!(double_i8, "lb" "1", "outputs_start" "double_outputs");
    stamp!(single_i8, "lb" "1", "outputs_start" "single_outputs");
    stamp!(sums_i16, "lh" "2", "sums_start" "sums");
    stamp!(double_i16, "lh" "2", "outputs_start" "double_outputs");
    stamp!(single_i16, "lh" "2", "outputs_start" "single_outputs");
    /// The loops that end with sums, and with outputs rounded twice and once.
    pub(in super::super) const I8: [Loop; 3] = [sums_i8, double_i8, single_i8];
    /// The same for int16 weights.
    pub(in super::super) const I16: [Loop; 3] = [sums_i16, double_i16, single_i16];

    /// Stamps a loop over a [`Strip`]: where in a piece what four products share and the others lie; how a shared value is loaded, its size, and what comes off
    /// it; how the others are loaded, and their size; what the groups are.
    ///
    /// s0 strip, s1 next piece, s2 the pieces' end, s3 step, s4 zero point. Sums in t3 ..= t6, shared values at a0, the others at a1 ..= a4.
    macro_rules! strip {
    ($name:ident, $shared:literal $moves:literal, $value:literal $width:literal [$($zero:literal)?], $load:literal $size:literal, $groups:literal) => {
        #[unsafe(naked)]
        unsafe extern "C" fn $name(strip: *mut Strip) {
            naked_asm!(
                ".option push",
                ".option arch, +m",
                ".macro four_value at",
                concat!($value, " t0, ", $width, "*(\\at)(a0)"),
                concat!($load, " a5, ", $size, "*(\\at)(a1)"),
                concat!($load, " a6, ", $size, "*(\\at)(a2)"),
                concat!($load, " t1, ", $size, "*(\\at)(a3)"),
                concat!($load, " t2, ", $size, "*(\\at)(a4)"),
                $($zero,)?
                "mul a5, a5, t0",
                "mul a6, a6, t0",
                "mul t1, t1, t0",
                "mul t2, t2, t0",
                "add t3, t3, a5",
                "add t4, t4, a6",
                "add t5, t5, t1",
                "add t6, t6, t2",
                ".endm",
                ".macro one_value at",
                concat!($value, " t0, ", $width, "*(\\at)(a0)"),
                concat!($load, " a5, ", $size, "*(\\at)(a1)"),
                $($zero,)?
                "mul a5, a5, t0",
                "add t3, t3, a5",
                ".endm",
                ".macro four_move",
                "add a2, a1, s3",
                "add a3, a2, s3",
                "add a4, a3, s3",
                "add t0, a4, s3",
                ".endm",
                ".macro one_move",
                "add t0, a1, s3",
                ".endm",
                ".macro four_next n",
                concat!("addi a0, a0, \\n*", $width),
                concat!("addi a1, a1, \\n*", $size),
                concat!("addi a2, a2, \\n*", $size),
                concat!("addi a3, a3, \\n*", $size),
                concat!("addi a4, a4, \\n*", $size),
                ".endm",
                ".macro one_next n",
                concat!("addi a0, a0, \\n*", $width),
                concat!("addi a1, a1, \\n*", $size),
                ".endm",
                ".macro quad each, at",
                "\\each\\()_value \\at",
                "\\each\\()_value \\at+1",
                "\\each\\()_value \\at+2",
                "\\each\\()_value \\at+3",
                ".endm",
                // The products of four or one with what they share.
                ".macro pieces each",
                "lw s1, 0(s0)",
                "2:",
                concat!("lw a0, ", $shared, "(s1)"),
                concat!("lw a1, ", $moves, "(s1)"),
                "lw a7, 28(s0)",
                "\\each\\()_move",
                concat!("sw t0, ", $moves, "(s1)"),
                "addi s1, s1, 8",
                "addi a7, a7, -8",
                "bltz a7, 4f",
                "3:",
                "quad \\each, 0",
                "quad \\each, 4",
                "\\each\\()_next 8",
                "addi a7, a7, -8",
                "bgez a7, 3b",
                "4:",
                "addi a7, a7, 4",
                "bltz a7, 5f",
                "quad \\each, 0",
                "\\each\\()_next 4",
                "addi a7, a7, -4",
                "5:",
                "addi a7, a7, 4",
                "beqz a7, 7f",
                "6:",
                "\\each\\()_value 0",
                "\\each\\()_next 1",
                "addi a7, a7, -1",
                "bnez a7, 6b",
                "7:",
                "bne s1, s2, 2b",
                ".endm",
                rounding!(),
                // The channel at t1, y in a6, pitch in a7, 256 in a0.
                ".macro factors at",
                "lw a1, 16+\\at(t1)",
                "lw a4, 20+\\at(t1)",
                "lw a5, 24+\\at(t1)",
                ".endm",
                ".macro output round, acc",
                "clamped \\round, \\acc",
                "sb \\acc, 0(a6)",
                "add a6, a6, a7",
                ".endm",
                // Four pixels of a channel each time.
                ".macro groups round",
                "8:",
                "lw t1, 8(s0)",
                "lw t3, 0(t1)",
                "lw t4, 4(t1)",
                "lw t5, 8(t1)",
                "lw t6, 12(t1)",
                "pieces four",
                "lw t1, 8(s0)",
                "lw a6, 12(s0)",
                "lw a7, 16(s0)",
                "li a0, 256",
                "factors 0",
                "output \\round, t3",
                "output \\round, t4",
                "output \\round, t5",
                "output \\round, t6",
                "sw a6, 12(s0)",
                "lw t0, 24(s0)",
                "addi t0, t0, -1",
                "sw t0, 24(s0)",
                "bnez t0, 8b",
                ".endm",
                // Four channels of a pixel each time, then one.
                ".macro output_at round, acc, at",
                "factors \\at",
                "clamped \\round, \\acc",
                "sb \\acc, (\\at)/32(a6)",
                ".endm",
                ".macro outputs_double acc, at",
                "output_at double, \\acc, \\at",
                ".endm",
                ".macro outputs_single acc, at",
                "output_at single, \\acc, \\at",
                ".endm",
                ".macro sums acc, at",
                "sw \\acc, \\at(t1)",
                ".endm",
                ".macro channels end",
                "lw t1, 8(s0)",
                "lw t0, 24(s0)",
                "8:",
                "addi t0, t0, -4",
                "bltz t0, 9f",
                "sw t0, 24(s0)",
                "lw t3, 0(t1)",
                "lw t4, 32(t1)",
                "lw t5, 64(t1)",
                "lw t6, 96(t1)",
                "pieces four",
                "lw t1, 8(s0)",
                "lw a6, 12(s0)",
                "li a0, 256",
                "\\end t3, 0",
                "\\end t4, 32",
                "\\end t5, 64",
                "\\end t6, 96",
                "addi t1, t1, 128",
                "addi a6, a6, 4",
                "sw t1, 8(s0)",
                "sw a6, 12(s0)",
                "lw t0, 24(s0)",
                "bnez t0, 8b",
                "j 10f",
                "9:",
                "lw t3, 0(t1)",
                "pieces one",
                "lw t1, 8(s0)",
                "lw a6, 12(s0)",
                "li a0, 256",
                "\\end t3, 0",
                "addi t1, t1, 32",
                "addi a6, a6, 1",
                "sw t1, 8(s0)",
                "sw a6, 12(s0)",
                "lw t0, 24(s0)",
                "addi t0, t0, -1",
                "sw t0, 24(s0)",
                "bnez t0, 9b",
                "10:",
                ".endm",

                "addi sp, sp, -32",
                "sw s0, 0(sp)",
                "sw s1, 4(sp)",
                "sw s2, 8(sp)",
                "sw s3, 12(sp)",
                "sw s4, 16(sp)",
                "mv s0, a0",
                "lw s2, 4(s0)",
                "lw s3, 20(s0)",
                "lw s4, 32(s0)",
                $groups,
                "lw s0, 0(sp)",
                "lw s1, 4(sp)",
                "lw s2, 8(sp)",
                "lw s3, 12(sp)",
                "lw s4, 16(sp)",
                "addi sp, sp, 32",
                "ret",
                ".purgem four_value",
                ".purgem one_value",
                ".purgem four_move",
                ".purgem one_move",
                ".purgem four_next",
                ".purgem one_next",
                ".purgem quad",
                ".purgem pieces",
                ".purgem double",
                ".purgem single",
                ".purgem clamped",
                ".purgem factors",
                ".purgem output",
                ".purgem groups",
                ".purgem output_at",
                ".purgem outputs_double",
                ".purgem outputs_single",
                ".purgem sums",
                ".purgem channels",
                ".option pop",
            )
        }
    };
}

    strip!(direct_double, "4" "0", "lb" "1" [], "lb" "1", "groups double");
    strip!(direct_single, "4" "0", "lb" "1" [], "lb" "1", "groups single");
    /// The loops of groups of pixels of bytes that end with outputs rounded twice and once.
    pub(in super::super) const DIRECT_I8: [Strips; 2] = [direct_double, direct_single];

    /// Stamps the loop over columns, two at a time: how outputs are rounded.
    ///
    /// s0 strip, s1 zero point, s8 next piece, s9 the pieces' end, s10 n, s11 channels, ra columns. Inputs at a0 and a1, up to a6; weights of the first and the
    /// second tap at a2 and a3, those of the other channel at a4 and a5. s2 and s3 are the sums of the pixel whose second tap the (first) column is, then those of
    /// the next ones.
    macro_rules! columns {
        ($name:ident, $round:literal) => {
            #[unsafe(naked)]
            unsafe extern "C" fn $name(strip: *mut Strip) {
                naked_asm!(
                    ".option push",
                    ".option arch, +m",
                    ".macro products x, a, b, c, d",
                    "mul t6, \\x, t2",
                    "mul a7, \\x, t3",
                    "add \\a, \\a, t6",
                    "add \\b, \\b, a7",
                    "mul t6, \\x, t4",
                    "mul a7, \\x, t5",
                    "add \\c, \\c, t6",
                    "add \\d, \\d, a7",
                    ".endm",
                    ".macro one at",
                    "lb t0, \\at(a0)",
                    "lb t2, \\at(a3)",
                    "lb t3, \\at(a5)",
                    "lb t4, \\at(a2)",
                    "lb t5, \\at(a4)",
                    "sub t0, t0, s1",
                    "products t0, s2, s3, s4, s5",
                    ".endm",
                    ".macro two at",
                    "one \\at",
                    "lb t1, \\at(a1)",
                    "sub t1, t1, s1",
                    "products t1, s4, s5, s6, s7",
                    ".endm",
                    ".macro rows each",
                    "lw s8, 0(s0)",
                    "beq s8, s9, 5f",
                    "3:", // a row
                    "lw a0, 0(s8)",
                    "lw a2, 4(s8)",
                    "lw a4, 20(s0)",
                    "add a1, a0, s10",
                    "add a3, a2, s10",
                    "add a4, a4, a2",
                    "add a5, a4, s10",
                    "mv a6, a1",
                    "4:",
                    "\\each 0",
                    "\\each 1",
                    "\\each 2",
                    "\\each 3",
                    "addi a0, a0, 4",
                    ".ifc \\each, two",
                    "addi a1, a1, 4",
                    ".endif",
                    "addi a2, a2, 4",
                    "addi a3, a3, 4",
                    "addi a4, a4, 4",
                    "addi a5, a5, 4",
                    "bne a0, a6, 4b",
                    "sw a1, 0(s8)", // the next column
                    "addi s8, s8, 8",
                    "bne s8, s9, 3b",
                    "5:",
                    "lw a6, 12(s0)",
                    "lw a7, 16(s0)",
                    "li a0, 256",
                    ".endm",
                    rounding!(),
                    ".macro factors at",
                    "lw a1, 16+\\at(s11)",
                    "lw a4, 20+\\at(s11)",
                    "lw a5, 24+\\at(s11)",
                    ".endm",
                    ".macro output acc, c, y",
                    concat!("clamped ", $round, ", \\acc"),
                    "sb \\acc, \\c(\\y)",
                    ".endm",
                    "addi sp, sp, -64",
                    "sw ra, 0(sp)",
                    "sw s0, 4(sp)",
                    "sw s1, 8(sp)",
                    "sw s2, 12(sp)",
                    "sw s3, 16(sp)",
                    "sw s4, 20(sp)",
                    "sw s5, 24(sp)",
                    "sw s6, 28(sp)",
                    "sw s7, 32(sp)",
                    "sw s8, 36(sp)",
                    "sw s9, 40(sp)",
                    "sw s10, 44(sp)",
                    "sw s11, 48(sp)",
                    "mv s0, a0",
                    "lw s9, 4(s0)",
                    "lw s11, 8(s0)",
                    "lw ra, 24(s0)",
                    "lw s10, 28(s0)",
                    "lw s1, 32(s0)",
                    "lw s2, 0(s11)",
                    "lw s3, 32(s11)",
                    "2:",
                    "lw s4, 28(s11)",
                    "lw s5, 60(s11)",
                    "addi ra, ra, -2",
                    "bltz ra, 8f",
                    "mv s6, s4",
                    "mv s7, s5",
                    "rows two",
                    "add t3, a6, a7",
                    "factors 0",
                    "output s2, 0, a6",
                    "output s4, 0, t3",
                    "factors 32",
                    "output s3, 1, a6",
                    "output s5, 1, t3",
                    "add t3, t3, a7",
                    "sw t3, 12(s0)",
                    "mv s2, s6",
                    "mv s3, s7",
                    "j 2b",
                    "8:", // the last one
                    "addi ra, ra, 1",
                    "bltz ra, 9f",
                    "rows one",
                    "factors 0",
                    "output s2, 0, a6",
                    "factors 32",
                    "output s3, 1, a6",
                    "mv s2, s4",
                    "mv s3, s5",
                    "9:",
                    "sw s2, 0(s11)",
                    "sw s3, 32(s11)",
                    "lw ra, 0(sp)",
                    "lw s0, 4(sp)",
                    "lw s1, 8(sp)",
                    "lw s2, 12(sp)",
                    "lw s3, 16(sp)",
                    "lw s4, 20(sp)",
                    "lw s5, 24(sp)",
                    "lw s6, 28(sp)",
                    "lw s7, 32(sp)",
                    "lw s8, 36(sp)",
                    "lw s9, 40(sp)",
                    "lw s10, 44(sp)",
                    "lw s11, 48(sp)",
                    "addi sp, sp, 64",
                    "ret",
                    ".purgem products",
                    ".purgem one",
                    ".purgem two",
                    ".purgem rows",
                    ".purgem double",
                    ".purgem single",
                    ".purgem clamped",
                    ".purgem factors",
                    ".purgem output",
                    ".option pop",
                )
            }
        };
    }
    columns!(columns_double, "double");
    columns!(columns_single, "single");
    /// The loops over columns that end with outputs rounded twice and once.
    pub(super) const COLUMN_LOOPS: [Strips; 2] = [columns_double, columns_single];

    /// One input that four channels share, and the weights' size.
    macro_rules! pixel {
    ($x:literal $width:literal, $load:literal $size:literal: $($name:ident $groups:literal),+) => {
        $(strip!($name, "0" "4", $x $width ["sub t0, t0, s4"], $load $size, $groups);)+
    };
}
    pixel!("lb" "1", "lb" "1": sums_i8_i8 "channels sums", double_i8_i8 "channels outputs_double", single_i8_i8 "channels outputs_single");
    pixel!("lb" "1", "lh" "2": sums_i8_i16 "channels sums", double_i8_i16 "channels outputs_double", single_i8_i16 "channels outputs_single");
    pixel!("lh" "2", "lb" "1": sums_i16_i8 "channels sums");
    pixel!("lh" "2", "lh" "2": sums_i16_i16 "channels sums");

    /// The loops of one pixel, whose inputs and weights have so many bytes, that end with sums, and with outputs rounded twice and once; there are
    /// only sums of words.
    #[inline(always)]
    pub(in super::super) fn pixel(x: usize, w: usize) -> [Strips; 3] {
        match (x, w) {
            (1, 1) => [sums_i8_i8, double_i8_i8, single_i8_i8],
            (1, _) => [sums_i8_i16, double_i8_i16, single_i8_i16],
            (_, 1) => [sums_i16_i8; 3],
            _ => [sums_i16_i16; 3],
        }
    }
}
