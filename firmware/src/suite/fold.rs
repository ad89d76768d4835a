//! Folded layers against the layers that they replace, run one after the other.

use super::{CHANNELS, Outcome, Random, VALUES, WEIGHTS, check, group, room};
use upconv::{
    Activation, Bound, Columns, Conv, Error, FoldNearest, Geometry, Layer, Multiplier, Padding, Quant, Quantization,
    Rounding, Shape, SubPixel, Upsample, WeightOrder, Weights,
};

fn input(random: &mut Random<'_>) -> Shape {
    Shape::new(random.below(4) + 1, random.below(4) + 1, random.below(4) + 1)
}

fn convolution(random: &mut Random<'_>) -> Geometry {
    let (kh, kw) = (random.below(5) + 1, random.below(4) + 1);
    let mut p = |k: usize| random.below(k);
    Geometry::new(kh, kw).padding(Padding { top: p(kh), bottom: p(kh), left: p(kw), right: p(kw) })
}

fn quantization<'a>(random: &mut Random<'_>, multipliers: &'a mut [Multiplier]) -> Result<Quantization<'a>, Error> {
    for m in multipliers.iter_mut() {
        *m = Multiplier::from_scales(0.25, 0.25 + random.below(1000) as f32 / 500.0, 32.0)?;
    }
    Ok(Quantization {
        x: Quant::new(0.25, *random.pick(&[-128, 127, 5])),
        y: Quant::new(32.0, *random.pick(&[-128, 127, 0])),
        multipliers,
        activation: *random.pick(&[Activation::None, Activation::Relu]),
        rounding: Rounding::TfliteDouble,
    })
}

/// Whether a layer equals two, run one after the other.
fn equals(random: &mut Random<'_>, one: &dyn Layer<i8>, [up, two]: [&dyn Layer<i8>; 2]) -> Result<(bool, u32), Error> {
    let mut middle = [0i8; 2 * VALUES];
    let middle = room(&mut middle, up.output().len())?;
    check(random, one, |x, y| {
        let run = Bound::whole(up, x, middle).map(|mut b| b.run());
        let run = run.and_then(|()| Bound::whole(two, middle, y).map(|mut b| b.run()));
        debug_assert_eq!(run, Ok(()));
    })
}

/// A nearest upsample folded into its convolution equals the two.
pub(super) fn nearest(random: Random<'_>, cases: u32) -> Outcome {
    group(random, cases, |random| {
        let (mut input, mut g) = (input(random), convolution(random));
        let mut factor = [random.below(4) + 1, random.below(4) + 1];
        // Phases that are alike.
        if random.below(3) == 0 {
            (factor[1], g.kernel[1], g.padding.left, g.padding.right) = (2, 3, 1, 1);
            input.w = random.below(8) + 3;
        }
        let groups = if input.c % 2 == 0 { *random.pick(&[1, 2]) } else { 1 };
        let (g, channels) = (g.groups(groups), groups * (random.below(CHANNELS / groups / 2) + 1));
        let fold = FoldNearest::plan(input, factor, channels, g)?;
        let up = Upsample::nearest(input, factor[0], factor[1])?;
        let conv = Conv::plan(up.output_shape(), channels, g)?;

        let (mut weights, mut packed) = ([0i8; WEIGHTS], [0i8; WEIGHTS]);
        let weights = room(&mut weights, conv.weight_len())?;
        weights.fill_with(|| random.element());
        let order = *random.pick(&[WeightOrder::Torch, WeightOrder::Tflite]);
        let packed = room(&mut packed, conv.weight_len())?;
        conv.pack_into(weights, order, packed)?;
        let (mut folded, mut packed_folded) = ([0i16; 2 * WEIGHTS], [0i16; 2 * WEIGHTS]);
        let folded = room(&mut folded, fold.transposed().weight_len())?;
        let packed_folded = room(&mut packed_folded, folded.len())?;
        // The sums go by the order of the convolution; grouped transposed weights in PyTorch's order are [C_in, C_out / groups, ...].
        fold.weights_into(weights, order, folded)?;
        fold.transposed().pack_into(folded, order, packed_folded)?;

        let mut bias = [0i32; CHANNELS];
        let bias = room(&mut bias, channels)?;
        bias.fill_with(|| random.next() as i32 >> 18);
        let mut multipliers = [Multiplier::from_real(0.0)?; CHANNELS];
        let quant = quantization(random, room(&mut multipliers, channels)?)?;
        let two = Weights { packed: &*packed, bias: &*bias }.layer::<i8>(&conv, quant)?;
        let one = Weights { packed: &*packed_folded, bias: &*bias }.layer::<i8>(&fold.transposed(), quant)?;
        equals(random, &one, [&up, &two])
    })
}

/// The same by shared columns, also of so many channels that they are whole vectors, or too many for one call.
pub(super) fn columns(random: Random<'_>, cases: u32) -> Outcome {
    const CHANNELS: usize = 40;
    const WEIGHTS: usize = 3840;
    group(random, cases, |random| {
        let (mut input, mut g) = (input(random), convolution(random));
        let mut factor = [random.below(4) + 1, random.below(4) + 1];
        let mut channels = random.below(12) + 1;
        if random.below(4) > 0 {
            (factor, g) = ([2, 2], Geometry::square(3).pad(1));
            (input.w, input.c) = (random.below(6) + 1, *random.pick(&[1, 5, 6, 15, 16, 17, 32]));
        }
        let wide = Padding { left: 1, right: 1, ..Padding::default() };
        match random.below(8) {
            0 => (input, factor, channels) = (Shape::new(1, 5, 17), [1, 2], 12 + channels),
            1 => (input, factor, g, channels) = (Shape::new(2, 2, 32), [1, 2], Geometry::new(1, 3).padding(wide), 40),
            _ => {}
        }
        let fold = FoldNearest::plan(input, factor, channels, g)?;
        let (up, plan) = (Upsample::nearest(input, factor[0], factor[1])?, fold.convolution());
        let (mut weights, mut packed, mut sums) = ([0i8; WEIGHTS], [[0i8; WEIGHTS]; 2], [0; 5 * CHANNELS]);
        let weights = room(&mut weights, plan.weight_len())?;
        weights.fill_with(|| random.element());
        let order = *random.pick(&[WeightOrder::Torch, WeightOrder::Tflite]);
        let [packed, plain] = &mut packed;
        let (packed, plain) = (room(packed, weights.len())?, room(plain, weights.len())?);
        let sums = room(&mut sums, plan.kernel()[1] * channels)?;
        plan.pack_into(weights, order, plain)?;
        fold.columns_into(weights, order, packed, sums)?;
        let mut bias = [0i32; CHANNELS];
        let bias = room(&mut bias, *random.pick(&[0, channels, channels]))?;
        bias.fill_with(|| random.next() as i32 >> 18);
        let mut multipliers = [Multiplier::from_real(0.0)?; CHANNELS];
        let multipliers = room(&mut multipliers, *random.pick(&[1, channels, channels]))?;
        let rounding = *random.pick(&[Rounding::TfliteDouble, Rounding::TfliteSingle]);
        let mut quant = Quantization { rounding, ..quantization(random, multipliers)? };
        // Factors from 1/2 on have no loops.
        let large = [Multiplier::from_real(0.6)?];
        if random.below(8) == 0 {
            quant.multipliers = &large;
        }
        let two = Weights { packed: &*plain, bias: &*bias }.layer::<i8>(&plan, quant)?;
        let one = Weights { packed: &*packed, bias: &*bias }.layer::<i8>(&plan, quant)?;
        let one = Columns::new(&fold, one, sums)?;
        equals(random, &one, [&up, &two])
    })
}

/// A sub-pixel convolution equals a convolution whose output is shuffled.
pub(super) fn sub_pixel(random: Random<'_>, cases: u32) -> Outcome {
    group(random, cases, |random| {
        let (input, r, channels) = (input(random), random.below(3) + 1, random.below(3) + 1);
        let g = convolution(random).stride(random.below(2) + 1, random.below(2) + 1);
        let plan = SubPixel::plan(input, channels, r, g)?;
        let plain = Conv::plan(input, channels * r * r, g)?;
        let (mut weights, mut packed) = ([0i8; 2 * WEIGHTS], [[0i8; 2 * WEIGHTS]; 2]);
        let weights = room(&mut weights, plan.weight_len())?;
        weights.fill_with(|| random.element());
        let [packed, packed_plain] = &mut packed;
        let (packed, packed_plain) = (room(packed, weights.len())?, room(packed_plain, weights.len())?);
        plan.pack_into(weights, WeightOrder::Torch, packed)?;
        plain.pack_into(weights, WeightOrder::Torch, packed_plain)?;
        let mut bias = [0i32; 27];
        let bias = room(&mut bias, channels * r * r)?;
        bias.fill_with(|| random.next() as i32 >> 18);
        let mut multipliers = [Multiplier::from_real(0.0)?; 27];
        let quant = quantization(random, room(&mut multipliers, channels * r * r)?)?;
        let one = SubPixel::new(Weights { packed: &*packed, bias: &*bias }.layer::<i8>(&plan, quant)?, r)?;
        let two = Weights { packed: &*packed_plain, bias: &*bias }.layer::<i8>(&plain, quant)?;
        let mut middle = [0i8; VALUES];
        let middle = room(&mut middle, plain.output().len())?;
        check(random, &one, |x, y| {
            let run = Bound::whole(&two, x, middle).map(|mut b| b.run());
            debug_assert_eq!(run, Ok(()));
            let (c, w) = (channels, plain.output().w);
            for (i, y) in y.iter_mut().enumerate() {
                let (oy, ox) = (i / (w * r * c), i / c % (w * r));
                *y = middle[((oy / r * w + ox / r) * r * r + oy % r * r + ox % r) * c + i % c];
            }
        })
    })
}
