//! What must hold whatever the numbers are, on random geometry (proptest prints a failing case, smaller and smaller).
//!
//! In the kernels' suite, on the host and on every board: gather == scatter, fold == convolution of nearest, sub-pixel ==
//! shuffle of convolution, rows from a ring == whole tensor. Here: groups == split and concat, a signal along rows ==
//! a signal along columns, binary-point numbers == their bits, 2x/4x/8x == the general formula.

use fixed::types::{I1F7, I4F12};
use fixed::{FixedI8, types::extra::U5};
use proptest::prelude::*;
use upconv::{
    Activation, Bound, Conv, ConvTranspose, Convolution, Element, Geometry, Layer, Multiplier, Numerics, Padding, Plan,
    Quant, Quantization, Resize, Rounding, Shape, Upsample, WeightOrder, Weights,
};

fn run<T: Element>(layer: &dyn Layer<T>, x: &[T]) -> Vec<T> {
    let mut y = vec![T::default(); layer.output().len()];
    Bound::whole(layer, x, &mut y).unwrap().run();
    y
}

fn packed(plan: &Plan, weights: &[i8], order: WeightOrder) -> Vec<i8> {
    let mut packed = vec![0; weights.len()];
    plan.pack_into(weights, order, &mut packed).unwrap();
    packed
}

fn quant(multipliers: &[Multiplier]) -> Quantization<'_> {
    let (x, y) = (Quant::new(1.0, 3), Quant::new(1.0, -7));
    Quantization { x, y, multipliers, activation: Activation::None, rounding: Rounding::TfliteDouble }
}

/// Values that depend on a seed and fill the range.
fn values(seed: u64, len: usize) -> Vec<i8> {
    let mut random = firmware::suite::Random::new(seed);
    (0..len).map(|_| random.element()).collect()
}

prop_compose! {
    fn geometry()(k in [1..5usize, 1..5usize], s in [1..4usize, 1..4usize], d in [1..3usize, 1..3usize], p in [0..3usize, 0..3, 0..3, 0..3])
        -> Geometry
    {
        let [top, left, bottom, right] = p;
        Geometry::new(k[0], k[1]).stride(s[0], s[1]).dilation(d[0], d[1]).padding(Padding { top, left, bottom, right })
    }
}

proptest! {
    #[test]
    fn groups_are_split_and_concat(
        g in geometry(), transposed: bool, groups in 2..4usize, c_in in 1..4usize, c_out in 1..6usize,
        h in 1..6usize, w in 1..6usize, seed: u64,
    ) {
        let build = if transposed { ConvTranspose::plan } else { Conv::plan };
        let whole = build(Shape::new(h, w, groups * c_in), groups * c_out, g.groups(groups));
        let part = build(Shape::new(h, w, c_in), c_out, g);
        prop_assume!(whole.is_ok());
        let (whole, part) = (whole.unwrap(), part.unwrap());
        let m = [Multiplier::from_real(0.01).unwrap()];
        let (x, weights) = (values(seed, whole.input().len()), values(!seed, whole.weight_len()));
        // Both orders have the groups in front: [C_out, ...] and, for a transposed convolution, [C_in, ...].
        let all = packed(&whole, &weights, WeightOrder::Torch);
        let layer = Weights { packed: &all[..], bias: &[0i32; 0] }.layer::<i8>(&whole, quant(&m)).unwrap();
        let y = run(&layer, &x);
        for (group, weights) in weights.chunks(part.weight_len()).enumerate() {
            let one = packed(&part, weights, WeightOrder::Torch);
            let layer = Weights { packed: &one[..], bias: &[0i32; 0] }.layer::<i8>(&part, quant(&m)).unwrap();
            let x: Vec<i8> = x.chunks(groups * c_in).flat_map(|p| &p[group * c_in..][..c_in]).copied().collect();
            let expected: Vec<i8> = y.chunks(groups * c_out).flat_map(|p| &p[group * c_out..][..c_out]).copied().collect();
            prop_assert_eq!(run(&layer, &x), expected);
        }
    }

    #[test]
    fn a_signal_is_the_same_along_rows_and_columns(
        k in 1..6usize, s in 1..5usize, d in 1..3usize, p in [0..3usize, 0..3], transposed: bool,
        n in 1..12usize, c_in in 1..5usize, c_out in 1..6usize, seed: u64,
    ) {
        let build = if transposed { ConvTranspose::plan } else { Conv::plan };
        let pad = |top, bottom, left, right| Padding { top, left, bottom, right };
        let along_w = Geometry::new(1, k).stride(1, s).dilation(1, d).padding(pad(0, 0, p[0], p[1]));
        let along_h = Geometry::new(k, 1).stride(s, 1).dilation(d, 1).padding(pad(p[0], p[1], 0, 0));
        let wide = build(Shape::new(1, n, c_in), c_out, along_w);
        prop_assume!(wide.is_ok());
        let (wide, tall) = (wide.unwrap(), build(Shape::new(n, 1, c_in), c_out, along_h).unwrap());
        let m = [Multiplier::from_real(0.01).unwrap()];
        let (x, weights) = (values(seed, n * c_in), values(!seed, wide.weight_len()));
        let outputs = [wide, tall].map(|plan| {
            let packed = packed(&plan, &weights, WeightOrder::Torch);
            let layer = Weights { packed: &packed[..], bias: &[0i32; 0] }.layer::<i8>(&plan, quant(&m)).unwrap();
            run(&layer, &x)
        });
        prop_assert_eq!(&outputs[0], &outputs[1]);
    }

    #[test]
    fn binary_point_numbers_are_their_bits(g in geometry(), c_out in 1..6usize, seed: u64) {
        let plan = ConvTranspose::plan(Shape::new(4, 3, 3), c_out, g);
        prop_assume!(plan.is_ok());
        let plan = plan.unwrap();
        // I1F7 inputs and outputs, weights with 5 fractional bits: requantisation is a rounding shift by 5.
        let m = [Multiplier::power_of_two(-5).unwrap()];
        let q = Quant::binary_point(7);
        let quant = Quantization { x: q, y: q, multipliers: &m, activation: Activation::None, rounding: Rounding::TfliteSingle };
        let (x, weights) = (values(seed, plan.input().len()), values(!seed, plan.weight_len()));
        let raw = packed(&plan, &weights, WeightOrder::Torch);
        let fixed: Vec<FixedI8<U5>> = raw.iter().map(|b| FixedI8::from_bits(*b)).collect();
        let of_bits: Convolution<i8> = Weights { packed: &raw[..], bias: &[0i32; 0] }.layer(&plan, quant).unwrap();
        let of_fixed = Weights { packed: &fixed[..], bias: &[0i32; 0] }.layer::<I1F7>(&plan, quant).unwrap();
        let inputs: Vec<I1F7> = x.iter().map(|b| I1F7::from_bits(*b)).collect();
        let y = run(&of_fixed, &inputs);
        prop_assert_eq!(run(&of_bits, &x), y.iter().map(|v| v.to_bits()).collect::<Vec<_>>());

        // And a rounding shift is what it is: floor(acc / 32 + 1/2), clamped.
        let exact = firmware::suite::exact::Problem {
            input: plan.input(), output: plan.output(), geometry: g, transposed: true, weights: &weights,
            order: WeightOrder::Torch, bias: &[0i32; 0], quant,
        };
        let mut expected = vec![I1F7::ZERO; y.len()];
        firmware::suite::exact::convolution(&exact, &inputs, &mut expected);
        prop_assert_eq!(y, expected);
    }

    #[test]
    fn fixed_i16_is_resized_by_its_bits(h in 1..6usize, w in 1..6usize, oh in 1..9usize, ow in 1..9usize, seed: u64) {
        let up = Upsample::bilinear(Shape::new(h, w, 2), Resize::to(oh, ow), Numerics::Exact).unwrap();
        let mut random = firmware::suite::Random::new(seed);
        let x: Vec<i16> = (0..h * w * 2).map(|_| random.element()).collect();
        let fixed: Vec<I4F12> = x.iter().map(|b| I4F12::from_bits(*b)).collect();
        prop_assert_eq!(run(&up, &x), run(&up, &fixed).iter().map(|v| v.to_bits()).collect::<Vec<i16>>());
    }

    #[test]
    fn whole_factors_equal_tflite_and_the_written_out_formula(h in 1..6usize, w in 1..6usize, log in 1..4u32, seed: u64) {
        let (r, input) = (1 << log, Shape::new(h, w, 2));
        let resize = Resize::to(h * r, w * r);
        let x = values(seed, input.len());
        let exact = run(&Upsample::bilinear(input, resize, Numerics::Exact).unwrap(), &x);
        let tflite = Numerics::Tflite(Rounding::TfliteSingle);
        prop_assert_eq!(&exact, &run(&Upsample::bilinear(input, resize, tflite).unwrap(), &x));
        if r == 2 {
            // (9a + 3b + 3c + d + 8) >> 4, the nearest input first, edges replicated.
            for (i, y) in exact.iter().enumerate() {
                let (oy, ox, c) = (i / (4 * w), i / 2 % (2 * w), i % 2);
                let near = |o: usize, n: usize| {
                    let other = if o.is_multiple_of(2) { (o / 2).saturating_sub(1) } else { (o / 2 + 1).min(n - 1) };
                    (o / 2, other)
                };
                let ((y0, y1), (x0, x1)) = (near(oy, h), near(ox, w));
                let at = |iy: usize, ix: usize| i32::from(x[(iy * w + ix) * 2 + c]);
                let sum = 9 * at(y0, x0) + 3 * at(y0, x1) + 3 * at(y1, x0) + at(y1, x1);
                prop_assert_eq!(i32::from(*y), (sum + 8) >> 4);
            }
        }
    }
}
