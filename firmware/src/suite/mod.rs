//! The kernels' test suite: the same cases on the host and on every board, checked against an exact integer model.
//!
//! A case is drawn from a seed: geometry with a preference for seams (a side of 1, stride above kernel, padding that
//! eats the kernel, the last channel block not full), zero points at both ends, weights all at -128 or random. The kernel's output must equal
//! [`exact`]'s, with guard values before and after it intact, once as a whole tensor and once row by row from a ring that holds just the
//! rows that the layer says it reads. A digest of all outputs lets the host compare whole runs.

mod activation;
mod decoder;
pub mod exact;
mod fold;
mod join;
mod random;
mod rearrange;
mod resize;

pub use random::Random;

use crate::Board;
use crate::report::{Report, send};
use exact::Problem;
use upconv::{
    Accumulator, Activation, Bound, Convolution, Element, Error, Geometry, Layer, Multiplier, Padding, Plan, Quant,
    Quantization, Rounding, Shape, WeightOrder, Weights, Window,
};

/// Cases of each group in [`run`].
pub const CASES: u32 = 150;
/// The seed of [`run`].
pub const SEED: u64 = 2016;

/// The largest tensors of a case, in values.
const VALUES: usize = 320;
const WEIGHTS: usize = 480;
const CHANNELS: usize = 12;
/// The most channels of a depthwise layer.
const DEEP: usize = 36;
/// At least so many values on either side of an output must not change.
const GUARD: usize = 8;
/// Inputs and outputs begin anywhere in a word.
const WORD: usize = 4;

/// What a group of cases came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Cases run.
    pub cases: u32,
    /// Cases whose output was not the model's.
    pub failed: u32,
    /// A digest of all output values.
    pub digest: u32,
}

/// A group of cases: where its numbers come from, and how many cases to run.
pub type Group = fn(Random<'_>, u32) -> Outcome;

/// The groups of the suite.
pub const GROUPS: &[(&str, Group)] = &[
    ("conv_transpose i8", conv_transpose::<i8>),
    ("conv_transpose i16", conv_transpose::<i16>),
    ("conv i8", conv::<i8>),
    ("conv i16", conv::<i16>),
    ("conv 16x8, 64-bit bias", conv_16x8),
    ("nearest by factors", resize::repeat),
    ("nearest", resize::nearest),
    ("bilinear i8", resize::bilinear::<i8>),
    ("bilinear i16", resize::bilinear::<i16>),
    ("bicubic i8", resize::bicubic::<i8>),
    ("area i8", resize::area::<i8>),
    ("folded nearest + conv", fold::nearest),
    ("conv + pixel shuffle", fold::sub_pixel),
    ("pixel shuffle", rearrange::shuffle),
    ("pixel unshuffle", rearrange::unshuffle),
    ("max unpool i8", rearrange::unpool::<i8>),
    ("max unpool i16", rearrange::unpool::<i16>),
    ("pad i8", rearrange::pad::<i8>),
    ("pad i16", rearrange::pad::<i16>),
    ("concat i8", join::concat::<i8>),
    ("concat i16", join::concat::<i16>),
    ("add, sub i8", join::sum::<i8>),
    ("add, sub i16", join::sum::<i16>),
    ("add, sub by shifts", join::sum_by_shifts),
    ("mul i8", join::product::<i8>),
    ("mul i16", join::product::<i16>),
    ("tables i8", activation::tables),
    ("tables i16", activation::tables_16),
    ("leaky relu, requantise i8", activation::integers::<i8>),
    ("leaky relu, requantise i16", activation::integers::<i16>),
    ("decoders, pictures i8", decoder::pictures::<i8>),
    ("decoders, signals i8", decoder::signals::<i8>),
];

/// Groups that a host and the boards without a HAL crate run besides: the others lack flash or RAM for them, and meet int16 weights in folds alone.
pub const MORE_GROUPS: &[(&str, Group)] = if cfg!(any(not(target_os = "none"), feature = "emulator")) {
    &[
        ("conv 8x16", conv_8x16),
        ("conv 16x16", conv_16x16),
        ("nearest + conv by columns", fold::columns),
        ("area i16", resize::area::<i16>),
    ]
} else {
    &[]
};

/// Groups that a host alone runs: together with the others they are more than the flash of the smallest board. The decoders' driver is the same for
/// both types, and neither it nor a bicubic row of int16 has any assembly.
#[cfg(not(target_os = "none"))]
pub const HOST_GROUPS: &[(&str, Group)] = &[
    ("bicubic i16", resize::bicubic::<i16>),
    ("decoders, pictures i16", decoder::pictures::<i16>),
    ("decoders, signals i16", decoder::signals::<i16>),
];

/// Runs every group and reports each.
pub fn run(board: &mut impl Board) {
    if !cfg!(feature = "suite") {
        panic!("the firmware was built without the suite");
    }
    for &(name, group) in GROUPS.iter().chain(MORE_GROUPS) {
        let Outcome { cases, failed, digest } = group(Random::new(SEED), CASES);
        send(board, &Report::Suite { name, cases, failed, digest });
    }
    send(board, &Report::Done);
}

/// `Weights::layer` for some pair of weight and bias types.
type Make<T, W, A> = for<'a> fn(Weights<'a, W, A>, &Plan, Quantization<'a>) -> Result<Convolution<'a, T, W, A>, Error>;

fn conv_transpose<T: Element>(random: Random<'_>, cases: u32) -> Outcome {
    group(random, cases, |random| convolution::<T, i8, i32>(random, Some(true), |w, plan, q| w.layer(plan, q)))
}

fn conv<T: Element>(random: Random<'_>, cases: u32) -> Outcome {
    group(random, cases, |random| convolution::<T, i8, i32>(random, Some(false), |w, plan, q| w.layer(plan, q)))
}

fn conv_16x8(random: Random<'_>, cases: u32) -> Outcome {
    group(random, cases, |random| convolution::<i16, i8, i64>(random, None, |w, plan, q| w.layer(plan, q)))
}

fn conv_8x16(random: Random<'_>, cases: u32) -> Outcome {
    group(random, cases, |random| convolution::<i8, i16, i32>(random, None, |w, plan, q| w.layer(plan, q)))
}

fn conv_16x16(random: Random<'_>, cases: u32) -> Outcome {
    group(random, cases, |random| convolution::<i16, i16, i32>(random, None, |w, plan, q| w.layer(plan, q)))
}

/// Draws until `cases` of them ran; `case` answers an error when it drew what cannot be planned or does not fit.
fn group(
    mut random: Random<'_>,
    cases: u32,
    mut case: impl FnMut(&mut Random<'_>) -> Result<(bool, u32), Error>,
) -> Outcome {
    let mut outcome = Outcome::default();
    while outcome.cases < cases {
        if let Ok((equal, digest)) = case(&mut random) {
            outcome.cases += 1;
            outcome.failed += u32::from(!equal);
            outcome.digest = outcome.digest.rotate_left(5) ^ digest;
        }
    }
    outcome
}

#[inline(never)]
fn shape(random: &mut Random<'_>) -> Shape {
    Shape::new(random.side(), random.side(), random.below(CHANNELS) + 1)
}

/// A refusal for cases that are too large for the suite's memory.
const TOO_LARGE: Error = Error::Zero { what: "room for this case" };

/// Room of `len` values at the front of `memory`.
fn room<T>(memory: &mut [T], len: usize) -> Result<&mut [T], Error> {
    memory.get_mut(..len).ok_or(TOO_LARGE)
}

/// A random geometry, seams preferred.
fn geometry(random: &mut Random<'_>, transposed: bool) -> Geometry {
    let groups = *random.pick(&[1, 1, 1, 2, 3, 4]);
    let mut g = Geometry::new(random.below(5) + 1, random.below(5) + 1)
        .stride(random.below(4) + 1, random.below(4) + 1)
        .groups(groups);
    if random.below(3) == 0 {
        g = g.dilation(random.below(3) + 1, random.below(3) + 1);
    }
    if random.below(4) != 0 {
        let mut p = || random.below(4);
        g = g.padding(Padding { top: p(), left: p(), bottom: p(), right: p() });
    }
    if transposed && random.below(2) == 0 {
        let most = |axis: usize| g.stride[axis].max(g.dilation[axis]);
        g = g.output_padding(random.below(most(0)), random.below(most(1)));
    }
    g
}

/// Changes a case to two channels, or one of two phases, of two taps that neighbouring pixels share.
#[inline(never)]
fn columns(geometry: &mut Geometry, input: &mut Shape, transposed: bool) -> usize {
    let phases = 1 + usize::from(transposed);
    (geometry.kernel[1], geometry.stride[1], geometry.dilation[1]) = (2 * phases, phases, 1);
    (geometry.padding.left, geometry.padding.right) = (geometry.padding.left % 2, geometry.padding.right % 2);
    (geometry.groups, geometry.output_padding[1]) = (1, 0);
    input.c = input.c.next_multiple_of(4);
    if transposed { 1 } else { 2 }
}

/// Changes a case to phases that are alike; in one of two the last pixel has as many channels as the first one lacks.
#[inline(never)]
fn alike(random: &mut Random<'_>, geometry: &mut Geometry, input: &mut Shape) {
    let (even, taps) = (random.below(2) == 0, random.below(3) + 1);
    let stride = if even { *random.pick(&[2, 2, 4]) } else { random.below(5) + 2 };
    (geometry.kernel[1], geometry.stride[1], geometry.dilation[1]) = (taps * stride, stride, 1);
    let p = &mut geometry.padding;
    (p.left, p.right) = if even { (stride / 2, stride / 2) } else { (random.below(stride), random.below(stride)) };
    (geometry.groups, geometry.output_padding[1]) = (1, 0);
    (input.h, input.w, input.c) = (random.below(3) + 1, random.below(8) + 3, random.below(4) + 1);
}

fn convolution<T: Element, W: Element, A: Accumulator>(
    random: &mut Random<'_>,
    transposed: Option<bool>,
    make: Make<T, W, A>,
) -> Result<(bool, u32), Error> {
    let transposed = transposed.unwrap_or_else(|| random.below(2) == 0);
    let mut geometry = geometry(random, transposed);
    let (mut input, mut channels) = (shape(random), random.below(CHANNELS) + 1);
    if geometry.groups > 1 && random.below(2) == 0 {
        // Depthwise, beyond the channels that are run together.
        let each = *random.pick(&[1, 1, 1, 2, 3]);
        geometry.groups = random.below(DEEP / each - 1) + 2;
        (input.c, channels) = (geometry.groups, geometry.groups * each);
    } else if geometry.groups > 1 {
        input.c = geometry.groups * (random.below(CHANNELS / geometry.groups) + 1);
        channels = geometry.groups * (random.below(CHANNELS / geometry.groups) + 1);
    }
    if random.below(12) == 0 {
        channels = columns(&mut geometry, &mut input, transposed);
    }
    if transposed && random.below(6) == 0 {
        channels = random.below(4) + 1;
        alike(random, &mut geometry, &mut input);
    }
    // Pixels of a single tap that stay in registers.
    if random.below(12) == 0 {
        let side = if transposed { random.below(3) + 1 } else { 1 };
        (geometry, input.c) = (Geometry::square(side).stride(side, side), 16);
    }
    // Whole groups of pixels, with any number of values.
    if size_of::<T>() + size_of::<W>() == 4 && random.below(2) == 0 {
        (geometry, input.w) = (Geometry::new(random.below(2) + 1, random.below(3) + 1), 6 + random.below(4));
    }
    let plan = if transposed { upconv::ConvTranspose::plan } else { upconv::Conv::plan }(input, channels, geometry)?;

    let (mut weights, mut packed) = ([W::default(); WEIGHTS], [W::default(); WEIGHTS]);
    let weights = room(&mut weights, plan.weight_len())?;
    let extreme = random.below(6) == 0;
    // Sums of 32 bits hold no products of larger ones with int16.
    let smaller = if (size_of::<T>(), size_of::<W>()) == (2, 2) { 7 } else { 0 };
    weights.fill_with(|| W::from_i32(if extreme { W::MIN } else { random.element::<W>().to_i32() } >> smaller));
    let order = *random.pick(&[WeightOrder::Torch, WeightOrder::Tflite]);
    let packed = room(&mut packed, plan.weight_len())?;
    plan.pack_into(weights, order, packed)?;

    // A 64-bit bias in two cases of three is too large for 32-bit sums.
    let wide = size_of::<A>() == 8;
    let right = if wide { *random.pick(&[18, 20, 32]) } else { 32 } + 12;
    let mut bias = [A::default(); DEEP];
    let bias = room(&mut bias, *random.pick(&[0, channels, channels, channels]))?;
    bias.fill_with(|| A::from_i64(random.next() as i64 >> (right + random.below(12))));

    // Multipliers from 0.3 down to 0.0002, of int16 inputs 2^-7 of that: some outputs clamp, most do not.
    let (sx, sy) = (0.25, (2 << (random.below(8) + if T::MAX > 127 { 7 } else { 0 })) as f32);
    let mut multipliers = [Multiplier::from_real(0.0)?; DEEP];
    let multipliers = room(&mut multipliers, *random.pick(&[1, channels]))?;
    for m in multipliers.iter_mut() {
        *m = Multiplier::from_scales(sx, 0.25 + random.below(1000) as f32 / 500.0, sy)?;
    }
    let zero = |random: &mut Random| if T::MAX > 127 { 0 } else { *random.pick(&[-128, 127, 0, 3]) };
    let quant = Quantization {
        x: Quant::new(sx, zero(random)),
        y: Quant::new(sy, zero(random)),
        multipliers,
        activation: *random.pick(&[
            Activation::None,
            Activation::Relu,
            Activation::Relu6,
            Activation::ReluN1To1,
            Activation::Clamp { min: -300.0, max: 200.0 },
        ]),
        rounding: match wide {
            true => Rounding::Tflite16x8,
            false => *random.pick(&[Rounding::TfliteDouble, Rounding::TfliteSingle]),
        },
    };
    let layer = make(Weights { packed, bias }, &plan, quant)?;
    let problem = Problem { input, output: plan.output(), geometry, transposed, weights, order, bias, quant };
    check(random, &layer, |x: &[T], y| exact::convolution(&problem, x, y))
}

/// Runs a layer whole and by rows and compares both with the model. Answers (equal, digest of the output).
fn check<T: Element>(
    random: &mut Random<'_>,
    layer: &dyn Layer<T>,
    mut model: impl FnMut(&[T], &mut [T]),
) -> Result<(bool, u32), Error> {
    check_dyn(random, layer, &mut model)
}

/// One for all models, so that the suite fits a small flash.
#[inline(never)]
fn check_dyn<T: Element>(
    random: &mut Random<'_>,
    layer: &dyn Layer<T>,
    model: &mut dyn FnMut(&[T], &mut [T]),
) -> Result<(bool, u32), Error> {
    let (input, output) = (layer.input(), layer.output());
    let (mut x, mut y, mut expected) =
        ([T::default(); VALUES + WORD], [T::default(); VALUES + 2 * GUARD + WORD], [T::default(); VALUES]);
    let (from, to) = (random.below(WORD), GUARD + random.below(WORD));
    let x = room(&mut x[from..], input.len())?;
    let expected = room(&mut expected, output.len())?;
    let guarded = room(&mut y, to + output.len() + GUARD)?;
    random.paint(x);
    model(x, expected);

    let guard = random.element();
    guarded.fill(guard);
    Bound::whole(layer, x, &mut guarded[to..][..output.len()])?.run();
    let (before, rest) = guarded.split_at(to);
    let (y, after) = rest.split_at(output.len());
    let intact = before.iter().chain(after).all(|v| *v == guard);
    let equal = intact && y == expected && rows_equal(layer, x, expected)?;
    Ok((equal, y.iter().fold(0, |d: u32, v| d.wrapping_mul(31).wrapping_add(v.to_i32() as u32))))
}

/// Whether each row comes out the same from a ring that holds exactly the input rows that the layer says it reads.
fn rows_equal<T: Element>(layer: &dyn Layer<T>, x: &[T], expected: &[T]) -> Result<bool, Error> {
    let (mut ring, mut row) = ([T::default(); VALUES], [T::default(); VALUES]);
    let len = layer.input().row_len();
    let row = room(&mut row, layer.output().row_len())?;
    for (oy, expected) in expected.chunks(layer.output().row_len()).enumerate() {
        let reads = layer.reads(oy);
        let capacity = reads.len().max(1);
        // Row `first` in another slot for each output row, so that rings wrap.
        let slot = oy % capacity;
        let ring = room(&mut ring, capacity * len)?;
        for iy in reads.clone() {
            let to = (slot + iy - reads.start) % capacity;
            ring[to * len..][..len].copy_from_slice(&x[iy * len..][..len]);
        }
        layer.row(oy, &Window::ring(ring, len, reads.start, slot)?, row);
        if row != expected {
            return Ok(false);
        }
    }
    Ok(true)
}
