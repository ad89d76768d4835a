//! The kernels against the exact integer model, on many more seeds than a board runs, and against f64.

use firmware::suite::{GROUPS, Outcome};
use host_tests::golden::{self, Case};
use host_tests::reference::Tensor;
use upconv::{
    Activation, Bound, Conv, ConvTranspose, Convolution, Coordinates, Geometry, Layer, Multiplier, Padding, Quant,
    Quantization, Rounding, Shape, Upsample, WeightOrder, Weights,
};

/// A fixed seed, or the one in UPCONV_SEED; printed so that a failure can be repeated.
fn seed() -> u64 {
    let seed = std::env::var("UPCONV_SEED").map_or(1, |s| s.parse().expect("UPCONV_SEED is a whole number"));
    println!("seed {seed} (set UPCONV_SEED to change it)");
    seed
}

#[test]
fn every_kernel_equals_the_exact_integer_model() {
    let seed = seed();
    for (name, group) in GROUPS {
        let outcome = group(seed, 3000);
        assert_eq!(outcome.failed, 0, "{name}: {outcome:?} with seed {seed}");
        assert_ne!(outcome.digest, 0);
    }
}

#[test]
fn the_suite_repeats_itself_and_depends_on_its_seed() {
    for (name, group) in GROUPS {
        let (a, b, c): (Outcome, _, _) = (group(5, 40), group(5, 40), group(6, 40));
        assert_eq!(a, b, "{name}");
        assert_ne!(a.digest, c.digest, "{name}");
    }
}

/// The vectors' values are multiples of 1/16, so int8 holds them without error.
const SIXTEENTH: Quant = Quant::new(1.0 / 16.0, 0);

fn nhwc(t: &Tensor) -> Vec<i8> {
    let [c, h, w] = t.shape;
    let positions = (0..h).flat_map(|y| (0..w).flat_map(move |x| (0..c).map(move |c| (c, y, x))));
    positions.map(|(c, y, x)| exact(t.at(c, y, x))).collect()
}

fn exact(v: f64) -> i8 {
    assert_eq!((v * 16.0).fract(), 0.0);
    (v * 16.0) as i8
}

fn shape(t: &Tensor) -> Shape {
    Shape::new(t.shape[1], t.shape[2], t.shape[0])
}

/// Runs a layer on a case and answers the largest distance from the f64 reference in output steps.
fn error_in_steps(case: &Case, layer: &dyn Layer<i8>, y: Quant) -> f64 {
    assert_eq!(layer.output(), shape(&case.y), "{}", case.name);
    let x = nhwc(&case.x);
    let mut raw = vec![0; layer.output().len()];
    Bound::whole(layer, &x, &mut raw).unwrap().run();
    let reference = case.reference();
    let [c, _, w] = reference.shape;
    let real = |i: usize| reference.at(i % c, i / c / w, i / c % w) / f64::from(y.scale);
    raw.iter().enumerate().map(|(i, v)| (f64::from(i32::from(*v) - y.zero) - real(i)).abs()).fold(0.0, f64::max)
}

#[test]
fn convolutions_lie_within_half_a_step_of_f64() {
    let mut cases = 0;
    for case in golden::load().iter().filter(|c| c.op.starts_with("conv")) {
        let (w, transposed) = (case.window(), case.op.starts_with("conv_transpose"));
        let geometry = Geometry::new(w.kernel[0], w.kernel[1])
            .stride(w.stride[0], w.stride[1])
            .padding(Padding { top: w.pads[0][0], bottom: w.pads[0][1], left: w.pads[1][0], right: w.pads[1][1] })
            .output_padding(w.output_padding[0], w.output_padding[1])
            .dilation(w.dilation[0], w.dilation[1])
            .groups(w.groups);
        let channels = case.y.shape[0];
        let plan =
            if transposed { ConvTranspose::plan } else { Conv::plan }(shape(&case.x), channels, geometry).unwrap();
        let weights: Vec<i8> = case.weight.iter().map(|v| exact(*v)).collect();
        let mut packed = vec![0; weights.len()];
        plan.pack_into(&weights, WeightOrder::Torch, &mut packed).unwrap();
        let bias: Vec<i32> = (0..channels).map(|o| (case.bias.get(o).unwrap_or(&0.0) * 256.0) as i32).collect();
        let most = case.y.data.iter().fold(0.5, |m: f64, v| m.max(v.abs()));
        let y = Quant::new(most as f32 / 127.0, 0);
        let multipliers = vec![Multiplier::from_scales(1.0 / 16.0, 1.0 / 16.0, y.scale).unwrap(); channels];
        let quant = Quantization {
            x: SIXTEENTH,
            y,
            multipliers: &multipliers,
            activation: Activation::None,
            rounding: Rounding::TfliteSingle,
        };
        let layer: Convolution<i8> = plan.with(Weights { packed: &packed, bias: &bias }, quant).unwrap();
        let error = error_in_steps(case, &layer, y);
        assert!(error <= 0.5 + 1e-6, "{}: {error} steps", case.name);
        cases += 1;
    }
    assert_eq!(cases, 260);
}

#[test]
fn resizes_lie_within_half_a_step_of_f64() {
    let (mut nearest, mut bilinear) = (0, 0);
    for case in golden::load().iter().filter(|c| c.op == "interpolate") {
        let (input, output, mode) = (shape(&case.x), shape(&case.y), case.kwargs["mode"].as_str().unwrap());
        // A scale factor that is kept gives other positions than the sizes alone, except where it is their whole ratio.
        let by_size =
            case.resize().iter().all(|r| r.scale_factor.is_none_or(|f| f * r.input as f64 == r.output as f64));
        let layer: Box<dyn Layer<i8>> = match mode {
            // PyTorch multiplies in f32, which misses the exact position at 41 times.
            "nearest" if output.w == 41 * input.w => continue,
            "nearest" if by_size && output.h % input.h == 0 && output.w % input.w == 0 => {
                nearest += 1;
                Box::new(Upsample::nearest(input, output.h / input.h, output.w / input.w).unwrap())
            }
            "linear" | "bilinear" if by_size => {
                bilinear += 1;
                let align = case.kwargs["align_corners"] == true;
                let coordinates = if align { Coordinates::AlignCorners } else { Coordinates::HalfPixel };
                Box::new(Upsample::bilinear(input, output.h, output.w, coordinates).unwrap())
            }
            _ => continue,
        };
        let error = error_in_steps(case, layer.as_ref(), SIXTEENTH);
        let allowed = if mode == "nearest" { 0.0 } else { 0.5 + 1e-6 };
        assert!(error <= allowed, "{} {}: {error} steps", case.name, case.kwargs);
    }
    assert!(nearest >= 6 && bilinear >= 30, "{nearest} {bilinear}");
}
