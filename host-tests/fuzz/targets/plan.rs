//! Plans of any numbers whatsoever: an answer or an error, never an overflow.

#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use upconv::*;

#[derive(Arbitrary, Debug)]
struct Input {
    shape: [usize; 3],
    channels: usize,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 4],
    output_padding: [usize; 2],
    dilation: [usize; 2],
    groups: usize,
    size: [usize; 2],
    scale: [f64; 2],
    scales: [f32; 3],
    acc: i32,
}

fuzz_target!(|i: Input| {
    let shape = Shape::new(i.shape[0], i.shape[1], i.shape[2]);
    let [top, left, bottom, right] = i.padding;
    let g = Geometry::new(i.kernel[0], i.kernel[1])
        .stride(i.stride[0], i.stride[1])
        .padding(Padding { top, left, bottom, right })
        .output_padding(i.output_padding[0], i.output_padding[1])
        .dilation(i.dilation[0], i.dilation[1])
        .groups(i.groups);
    for plan in [ConvTranspose::plan(shape, i.channels, g), Conv::plan(shape, i.channels, g)] {
        match plan {
            Ok(plan) => assert!(plan.weight_len() > 0 && !plan.output().is_empty()),
            Err(e) => assert!(!e.to_string().is_empty()),
        }
    }
    let _ = FoldNearest::plan(shape, i.size, i.channels, g);
    let _ = SubPixel::plan(shape, i.channels, i.size[0], g);
    let _ = Upsample::nearest(shape, i.size[0], i.size[1]);
    let _ = Upsample::area(shape, i.size[0], i.size[1]);
    let by = Ratio::nearest(i.scale[0]).and_then(|h| Ok(Resize::by(h, Ratio::nearest(i.scale[1])?)));
    for resize in [Ok(Resize::to(i.size[0], i.size[1])), by].into_iter().flatten() {
        use Coordinates::*;
        for c in [HalfPixel, AlignCorners, Asymmetric, PytorchHalfPixel, HalfPixelSymmetric] {
            let resize = resize.coordinates(c);
            let _ = Upsample::nearest_by(shape, resize, NearestMode::RoundPreferFloor);
            let _ = Upsample::bilinear(shape, resize, Numerics::Exact);
            let _ = Upsample::bilinear(shape, resize, Numerics::Tflite(Rounding::TfliteDouble));
            let _ = Upsample::bicubic(shape, resize, Cubic::Pytorch);
        }
    }
    if let Ok(m) = Multiplier::from_scales(i.scales[0], i.scales[1], i.scales[2]) {
        let (double, single) = (m.apply(i.acc, Rounding::TfliteDouble), m.apply(i.acc, Rounding::TfliteSingle));
        assert!(double.abs_diff(single) <= 1);
    }
});
