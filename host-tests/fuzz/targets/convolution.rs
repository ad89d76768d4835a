//! Any small convolution or transposed convolution of 8x8, 16x8, 8x16 or 64-bit sums, any data: the exact model's values, guard values
//! intact.

#![no_main]

use arbitrary::{Arbitrary, Unstructured};
use firmware::suite::exact::{self, Problem};
use guarded::guarded;
use libfuzzer_sys::fuzz_target;
use upconv::*;

mod guarded;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    numbers: u8,
    transposed: bool,
    shape: [u8; 3],
    channels: u8,
    kernel: [u8; 2],
    stride: [u8; 2],
    padding: [u8; 4],
    output_padding: [u8; 2],
    dilation: [u8; 2],
    groups: u8,
    zero: [i16; 2],
    scale: f32,
    single: bool,
    torch: bool,
    bias: i64,
    data: &'a [u8],
}

type Make<T, W, A> = for<'a> fn(Weights<'a, W, A>, &Plan, Quantization<'a>) -> Result<Convolution<'a, T, W, A>, Error>;

fn run<T: Element, W: Element, A: Accumulator>(i: Input<'_>, make: Make<T, W, A>) -> Result<(), Error> {
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
    let output = plan.output();
    if output.h * output.w > 512 {
        return Ok(()); // more than the model's memory
    }
    // The data repeats as often as it must; two bytes in turn make 16 bits.
    let byte = |at: usize| i32::from(i.data.get(at % i.data.len().max(1)).map_or(7, |b| *b as i8));
    let wide = |at: usize| byte(at) << 8 | byte(at + 1) & 0xFF;
    let x: Vec<T> = (0..input.len()).map(|n| T::from_i32(if T::MAX > 127 { wide(n) } else { byte(n) })).collect();
    let weight = |n: usize| W::from_i32(if W::MAX > 127 { wide(n + x.len()) } else { byte(n + x.len()) });
    let weights: Vec<W> = (0..plan.weight_len()).map(weight).collect();
    let drop = if size_of::<A>() == 8 { 16 } else { 40 };
    let bias: Vec<A> = (0..output.c).map(|n| A::from_i64((i.bias >> drop) * (n as i64 + 1))).collect();
    let order = if i.torch { WeightOrder::Torch } else { WeightOrder::Tflite };
    let (packed, done) = guarded(weights.len(), W::from_i32(0x55), |packed| plan.pack_into(&weights, order, packed));
    done?;
    let zero = |v: i16| if T::MAX > 127 { i32::from(v) } else { i32::from(v as i8) };
    let quant = Quantization {
        x: Quant::new(1.0, zero(i.zero[0])),
        y: Quant::new(1.0, zero(i.zero[1])),
        multipliers: &[Multiplier::from_scales(i.scale, 1.0, 64.0)?],
        activation: Activation::None,
        rounding: match i.single {
            _ if size_of::<A>() == 8 => Rounding::Tflite16x8,
            true => Rounding::TfliteSingle,
            false => Rounding::TfliteDouble,
        },
    };
    let layer = make(Weights { packed: &packed[..], bias: &bias[..] }, &plan, quant)?;
    let (y, done) = guarded(output.len(), T::from_i32(0x55), |y| Bound::whole(&layer, &x, y).map(|mut b| b.run()));
    done?;
    let mut expected = vec![T::default(); y.len()];
    let problem = Problem { input, output, geometry, transposed, weights: &weights, order, bias: &bias, quant };
    exact::convolution(&problem, &x, &mut expected);
    assert_eq!(y, expected);
    Ok(())
}

fuzz_target!(|bytes: &[u8]| {
    if let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(bytes)) {
        let _ = match input.numbers % 4 {
            0 => run::<i8, i8, i32>(input, |w, plan, q| w.layer(plan, q)),
            1 => run::<i16, i8, i32>(input, |w, plan, q| w.layer(plan, q)),
            2 => run::<i8, i16, i32>(input, |w, plan, q| w.layer(plan, q)),
            _ => run::<i16, i8, i64>(input, |w, plan, q| w.layer(plan, q)),
        };
    }
});
