//! Plans of any numbers whatsoever, small and huge ones side by side: an answer or an error, never an overflow.

#![no_main]

use arbitrary::{Arbitrary, Result as Drawn, Unstructured};
use libfuzzer_sys::fuzz_target;
use upconv::*;

/// A size that is small, near the largest side, or anything.
#[derive(Clone, Copy, Debug)]
struct Size(usize);

impl<'a> Arbitrary<'a> for Size {
    fn arbitrary(u: &mut Unstructured<'a>) -> Drawn<Self> {
        Ok(Size(match u.arbitrary::<u8>()? {
            small @ 0..=199 => usize::from(small % 20),
            near @ 200..=229 => MAX_SIDE + 215 - usize::from(near),
            bits @ 230..=239 => usize::MAX >> (u32::from(bits - 230) * 7),
            _ => u.arbitrary()?,
        }))
    }
}

/// The same with a sign.
#[derive(Clone, Copy, Debug)]
struct Signed(isize);

impl<'a> Arbitrary<'a> for Signed {
    fn arbitrary(u: &mut Unstructured<'a>) -> Drawn<Self> {
        let Size(v) = u.arbitrary()?;
        Ok(Signed(if u.arbitrary()? { (v as isize).wrapping_neg() } else { v as isize }))
    }
}

#[derive(Arbitrary, Debug)]
struct Input {
    shape: [Size; 3],
    other: [Size; 3],
    channels: Size,
    kernel: [Size; 2],
    stride: [Size; 2],
    padding: [Size; 4],
    output_padding: [Size; 2],
    dilation: [Size; 2],
    groups: Size,
    size: [Size; 2],
    pads: [Signed; 4],
    batch: Size,
    flat: [i64; 4],
    scale: [f64; 2],
    scales: [f32; 3],
    zeros: [i32; 3],
    clamp: [f32; 2],
    alpha: f32,
    acc: i32,
    choice: u8,
}

fn one_of<T: Copy>(choice: u8, of: &[T]) -> T {
    of[usize::from(choice) % of.len()]
}

/// What a plan answers: a layer that can say what it reads, or an error that can be read.
fn layer<T: Element>(plan: Result<impl Layer<T>, Error>) {
    match plan {
        Ok(layer) => {
            let (input, output) = (layer.input(), layer.output());
            assert!(!input.is_empty() && !output.is_empty() && output.len() <= i32::MAX as usize);
            for oy in [0, output.h / 2, output.h - 1] {
                let reads = layer.reads(oy);
                assert!(reads.is_empty() || reads.end <= input.h, "{reads:?} of {input:?}");
            }
        }
        Err(e) => says(e),
    }
}

fn says(e: Error) {
    let text = e.to_string();
    assert!(!text.is_empty() && text.len() < 160, "{text}");
    // No size is below 0, and what is refused lies outside what is allowed.
    if let Error::Range { got, min, max, .. } = e {
        assert!(got < min || got > max, "{text}");
    }
}

fuzz_target!(|i: Input| {
    let [shape, other] = [i.shape, i.other].map(|[h, w, c]| Shape::new(h.0, w.0, c.0));
    let [top, left, bottom, right] = i.padding.map(|v| v.0);
    let g = Geometry::new(i.kernel[0].0, i.kernel[1].0)
        .stride(i.stride[0].0, i.stride[1].0)
        .padding(Padding { top, left, bottom, right })
        .output_padding(i.output_padding[0].0, i.output_padding[1].0)
        .dilation(i.dilation[0].0, i.dilation[1].0)
        .groups(i.groups.0);
    let ([oh, ow], channels) = (i.size.map(|v| v.0), i.channels.0);
    let same = one_of(i.choice, &[Same::Upper, Same::Lower]);
    for g in [g, g.same(shape, same), g.to_output(shape, oh, ow, same)] {
        for plan in [ConvTranspose::plan(shape, channels, g), Conv::plan(shape, channels, g)] {
            match plan {
                Ok(plan) => assert!(plan.weight_len() > 0 && !plan.output().is_empty()),
                Err(e) => says(e),
            }
        }
    }
    if let Err(e) = FoldNearest::plan(shape, [oh, ow], channels, g) {
        says(e);
    }
    if let Err(e) = SubPixel::plan(shape, channels, oh, g) {
        says(e);
    }

    for unpool in [MaxUnpool::plan(shape, g), MaxUnpool::plan_to(shape, g, oh, ow)] {
        match unpool {
            Ok(unpool) if unpool.input().len() <= 4 => {
                let flat = &i.flat[..unpool.input().len()];
                for counts in [FlatIndex::Torch, FlatIndex::Onnx { batch: i.batch.0 }] {
                    let mut packed = vec![0; unpool.packed_len()];
                    let _ = unpool.pack_into(flat, counts, &mut packed).map_err(says);
                    layer::<i8>(unpool.with(&packed, 0));
                }
            }
            Ok(unpool) => assert!(unpool.packed_len() > 0 && !unpool.output().is_empty()),
            Err(e) => says(e),
        }
    }
    let [above, below, before, after] = i.pads.map(|v| v.0);
    for fill in [Fill::Value(3), Fill::Reflect, Fill::Replicate, Fill::Wrap] {
        layer::<i8>(Pad::plan(shape, [above, below], [before, after], fill));
    }
    let order = one_of(i.choice, &[ShuffleOrder::Dcr, ShuffleOrder::Crd]);
    layer::<i8>(PixelShuffle::plan(shape, oh, ow, order));
    layer::<i8>(PixelUnshuffle::plan(shape, oh, ow, order));

    layer::<i8>(Upsample::nearest(shape, oh, ow));
    layer::<i8>(Upsample::area(shape, oh, ow));
    let ratio = |axis: usize| {
        let exact = Ratio::new(i.stride[axis].0, i.dilation[axis].0);
        let ratio = if i.choice & 1 == 0 { exact } else { Ratio::nearest(i.scale[axis]) };
        ratio.inspect(|ratio| assert!(ratio.apply(oh) <= ratio.apply(oh.saturating_add(1))))
    };
    let by = ratio(0).and_then(|h| Ok(Resize::by(h, ratio(1)?)));
    let sized = by.map(|by| {
        let floor = by.output(shape);
        by.sized(floor.h.saturating_add(1), floor.w.saturating_sub(1))
    });
    for resize in [Ok(Resize::to(oh, ow)), by, by.map(|by| by.sized(oh, ow)), sized].into_iter().flatten() {
        use Coordinates::*;
        for c in [HalfPixel, AlignCorners, Asymmetric, PytorchHalfPixel, HalfPixelSymmetric] {
            let resize = resize.coordinates(c);
            use NearestMode::*;
            let mode = one_of(i.choice >> 2, &[Floor, Ceil, RoundPreferFloor, RoundPreferCeil]);
            layer::<i8>(Upsample::nearest_by(shape, resize, mode));
            layer::<i8>(Upsample::bilinear(shape, resize, Numerics::Exact));
            layer::<i8>(Upsample::bilinear(shape, resize, Numerics::Tflite(Rounding::TfliteDouble)));
            layer::<i8>(Upsample::bicubic(shape, resize, Cubic::Pytorch));
        }
    }

    let quant = |n: usize| Quant::new(i.scales[n], i.zeros[n]);
    let [min, max] = i.clamp;
    let rounding = one_of(i.choice, &[Rounding::TfliteDouble, Rounding::TfliteSingle, Rounding::Tflite16x8]);
    let operands =
        Operands { a: quant(0), b: quant(1), y: quant(2), activation: Activation::Clamp { min, max }, rounding };
    let (low, high) = operands.activation.range::<i8>(operands.y);
    assert!((-128..=127).contains(&low) && (low..=127).contains(&high));
    let joins = [
        Add::plan::<i8>(shape, other, operands).map(|join| join.output()),
        Sub::plan::<i16>(shape, other, operands).map(|join| join.output()),
        Add::plan_shift(shape, other, operands).map(|join| join.output()),
        Mul::plan::<i16>(shape, other, operands).map(|join| join.output()),
        Concat::<i8, 2>::plan(
            one_of(i.choice >> 2, &[Along::Height, Along::Width, Along::Channels]),
            [(shape, quant(0)), (other, quant(1))],
            quant(2),
            rounding,
        )
        .map(|join| join.output()),
    ];
    for join in joins {
        match join {
            Ok(output) => assert!(!output.is_empty()),
            Err(e) => says(e),
        }
    }
    let raw = i.acc as i16;
    if let Ok(leaky) = LeakyRelu::<i16>::plan(quant(0), quant(1), i.alpha, rounding) {
        leaky.at(raw);
    }
    if let Ok(change) = Requantize::<i16, i8>::plan(quant(0), quant(1), rounding) {
        change.value(raw);
    }
    if let Ok(gate) = Gate16::tanh(quant(0)) {
        gate.at(raw);
    }
    for table in [
        Table8::sigmoid(quant(0), quant(1)),
        Table8::tanh(quant(0), quant(1)),
        Table8::hard_swish(quant(0), quant(1)),
        Table8::leaky_relu(quant(0), quant(1), i.alpha, rounding),
    ] {
        let _ = table.map_err(says);
    }
    if let Err(e) = quantize_bias(&i.scales, i.alpha, &i.clamp.map(|v| v.abs()).repeat(2)[..3].try_into().unwrap()) {
        says(e);
    }
    if let Ok(m) = Multiplier::from_scales(i.scales[0], i.scales[1], i.scales[2]) {
        let (double, single) = (m.apply(i.acc, Rounding::TfliteDouble), m.apply(i.acc, Rounding::TfliteSingle));
        assert!(double.abs_diff(single) <= 1);
    }
});
