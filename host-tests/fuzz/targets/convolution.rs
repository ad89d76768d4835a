//! Any small convolution or transposed convolution, any data: the exact model's values, guard values intact.

#![no_main]

use arbitrary::{Arbitrary, Unstructured};
use firmware::suite::exact::{self, Problem};
use libfuzzer_sys::fuzz_target;
use upconv::*;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    transposed: bool,
    shape: [u8; 3],
    channels: u8,
    kernel: [u8; 2],
    stride: [u8; 2],
    padding: [u8; 4],
    output_padding: [u8; 2],
    dilation: [u8; 2],
    groups: u8,
    zero: [i8; 2],
    scale: f32,
    single: bool,
    torch: bool,
    bias: i32,
    data: &'a [u8],
}

const GUARD: usize = 16;

fn run(i: Input<'_>) -> Result<(), Error> {
    let side = |v: u8| usize::from(v % 12) + 1;
    let small = |v: u8| usize::from(v % 6);
    let input = Shape::new(side(i.shape[0]), side(i.shape[1]), side(i.shape[2]));
    let [top, left, bottom, right] = i.padding.map(small);
    let geometry = Geometry::new(small(i.kernel[0]), small(i.kernel[1]))
        .stride(small(i.stride[0]), small(i.stride[1]))
        .padding(Padding { top, left, bottom, right })
        .output_padding(small(i.output_padding[0]), small(i.output_padding[1]))
        .dilation(small(i.dilation[0]), small(i.dilation[1]))
        .groups(small(i.groups));
    let transposed = i.transposed;
    let plan = if transposed { ConvTranspose::plan } else { Conv::plan }(input, side(i.channels), geometry)?;
    if plan.output().h * plan.output().w > 512 {
        return Ok(()); // more than the model's memory
    }
    // The data repeats as often as it must.
    let byte = |at: usize| i.data.get(at % i.data.len().max(1)).map_or(7, |b| *b as i8);
    let x: Vec<i8> = (0..input.len()).map(byte).collect();
    let weights: Vec<i8> = (0..plan.weight_len()).map(|n| byte(n + x.len())).collect();
    let bias: Vec<i32> = (0..plan.output().c).map(|n| (i.bias >> 8) * (n as i32 + 1)).collect();
    let order = if i.torch { WeightOrder::Torch } else { WeightOrder::Tflite };
    let mut packed = vec![0; weights.len()];
    plan.pack_into(&weights, order, &mut packed)?;
    let quant = Quantization {
        x: Quant::new(1.0, i.zero[0].into()),
        y: Quant::new(1.0, i.zero[1].into()),
        multipliers: &[Multiplier::from_scales(i.scale, 1.0, 64.0)?],
        activation: Activation::None,
        rounding: if i.single { Rounding::TfliteSingle } else { Rounding::TfliteDouble },
    };
    let layer: Convolution<i8> = Weights { packed: &packed[..], bias: &bias[..] }.layer(&plan, quant)?;
    let len = plan.output().len();
    let mut guarded = vec![0x55; len + 2 * GUARD];
    Bound::whole(&layer, &x, &mut guarded[GUARD..GUARD + len])?.run();
    let mut expected = vec![0; len];
    let output = plan.output();
    let problem = Problem { input, output, geometry, transposed, weights: &weights, order, bias: &bias, quant };
    exact::convolution(&problem, &x, &mut expected);
    assert_eq!(guarded[GUARD..GUARD + len], expected);
    assert!(guarded[..GUARD].iter().chain(&guarded[GUARD + len..]).all(|v| *v == 0x55));
    Ok(())
}

fuzz_target!(|bytes: &[u8]| {
    if let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(bytes)) {
        let _ = run(input);
    }
});
