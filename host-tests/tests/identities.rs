//! What must hold whatever the numbers are, on random geometry (proptest prints a failing case, smaller and smaller).
//!
//! In the kernels' suite, on the host and on every board: gather == scatter, fold == convolution of nearest, sub-pixel ==
//! shuffle of convolution, rows from a ring == whole tensor. Here: groups == split and concat, a signal along rows ==
//! a signal along columns, shuffle of unshuffle, binary-point numbers == their bits, 2x/4x/8x == the general formula, batch norm after
//! a convolution == its fold.

use fixed::types::{I1F7, I1F15, I4F12};
use fixed::{FixedI8, types::extra::U5};
use host_tests::reference::{self, Tensor, Window};
use proptest::prelude::*;
use upconv::{
    Activation, BatchNorm, Bound, Columns, Conv, ConvTranspose, Convolution, Coordinates, Cubic, Element, FoldNearest,
    Geometry, Layer, Multiplier, NearestMode, Numerics, Padding, PixelShuffle, PixelUnshuffle, Plan, Quant,
    Quantization, Resize, Rounding, Shape, ShuffleOrder, SubPixel, Upsample, WeightOrder, Weights, crd_to_dcr,
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
fn values<T: Element>(seed: u64, len: usize) -> Vec<T> {
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

type Checked = Result<(), TestCaseError>;

/// An upsample and a convolution in one layer against the two.
fn columns_are_shared<T: Element>(
    input: Shape,
    factor: [usize; 2],
    channels: usize,
    g: Geometry,
    seed: u64,
) -> Checked {
    let fold = FoldNearest::plan(input, factor, channels, g);
    prop_assume!(fold.is_ok());
    let (fold, mut random) = (fold.unwrap(), firmware::suite::Random::new(seed));
    let (plan, up) = (fold.convolution(), Upsample::nearest(input, factor[0], factor[1]).unwrap());
    let order = *random.pick(&[WeightOrder::Torch, WeightOrder::Tflite]);
    let (x, weights) = (values::<T>(seed, input.len()), values::<i8>(!seed, plan.weight_len()));
    let bias: Vec<i32> = (0..channels).map(|_| random.below(4001) as i32 - 2000).collect();
    // Some are 1/2 and more.
    let most = if T::MAX > 127 { 0.0005 } else { *random.pick(&[0.01, 0.01, 0.9]) };
    let shared = random.below(4) == 0;
    let factors = (0..if shared { 1 } else { channels }).map(|_| most * (1 + random.below(100)) as f64 / 100.0);
    let m: Vec<_> = factors.map(|m| Multiplier::from_real(m).unwrap()).collect();
    let quant = Quantization {
        x: Quant::new(1.0, *random.pick(&[T::MIN, T::MAX, 0, 5])),
        y: Quant::new(1.0, *random.pick(&[-128, 127, 3])),
        multipliers: &m,
        activation: *random.pick(&[Activation::None, Activation::Relu]),
        rounding: *random.pick(&[Rounding::TfliteDouble, Rounding::TfliteSingle]),
    };
    let plain = packed(&plan, &weights, order);
    let (mut shared, mut sums) = (weights.clone(), vec![0; plan.kernel()[1] * channels]);
    fold.columns_into(&weights, order, &mut shared, &mut sums).unwrap();
    let bias = if seed.is_multiple_of(5) { &[] } else { &bias[..] };
    let [two, one] = [&plain, &shared].map(|packed| Weights { packed: &packed[..], bias }.layer::<T>(&plan, quant));
    let one = one.and_then(|one| Columns::new(&fold, one, &sums));
    // Only sums of int16 could leave 32 bits.
    prop_assume!(T::MAX < 128 || one.is_ok());
    let (two, one) = (two.unwrap(), one.unwrap());
    prop_assert_eq!(one.output(), two.output());
    prop_assert_eq!(run(&one, &x), run(&two, &run(&up, &x)));
    Ok(())
}

/// A grouped convolution against one convolution for each group.
fn split_and_concat<T: Element>(whole: &Plan, part: &Plan, groups: usize, seed: u64) -> Checked {
    let (c_in, c_out) = (part.input().c, part.output().c);
    let m = [Multiplier::from_real(if T::MAX > 127 { 0.002 } else { 0.01 }).unwrap()];
    let (x, weights) = (values::<T>(seed, whole.input().len()), values(!seed, whole.weight_len()));
    // PyTorch's order has the groups in front: [C_out, ...] and, for a transposed convolution, [C_in, ...].
    let all = packed(whole, &weights, WeightOrder::Torch);
    let layer = Weights { packed: &all[..], bias: &[0i32; 0] }.layer::<T>(whole, quant(&m)).unwrap();
    let y = run(&layer, &x);
    for (group, weights) in weights.chunks(part.weight_len()).enumerate() {
        let one = packed(part, weights, WeightOrder::Torch);
        let layer = Weights { packed: &one[..], bias: &[0i32; 0] }.layer::<T>(part, quant(&m)).unwrap();
        let x: Vec<T> = x.chunks(groups * c_in).flat_map(|p| &p[group * c_in..][..c_in]).copied().collect();
        let expected: Vec<T> = y.chunks(groups * c_out).flat_map(|p| &p[group * c_out..][..c_out]).copied().collect();
        prop_assert_eq!(run(&layer, &x), expected);
    }
    Ok(())
}

/// Two plans of the same signal, along columns and along rows.
fn turned<T: Element>(plans: &[Plan; 2], seed: u64) -> Checked {
    let m = [Multiplier::from_real(if T::MAX > 127 { 0.002 } else { 0.01 }).unwrap()];
    let (x, weights) = (values::<T>(seed, plans[0].input().len()), values(!seed, plans[0].weight_len()));
    let [wide, tall] = plans.each_ref().map(|plan| {
        let packed = packed(plan, &weights, WeightOrder::Torch);
        let layer = Weights { packed: &packed[..], bias: &[0i32; 0] }.layer::<T>(plan, quant(&m)).unwrap();
        run(&layer, &x)
    });
    prop_assert_eq!(wide, tall);
    Ok(())
}

/// Every resize of a signal, along columns and along rows.
fn resized<T: Element>(n: usize, out: usize, c: usize, coordinates: Coordinates, seed: u64) -> Checked {
    let x: Vec<T> = values(seed, n * c);
    let (wide, tall) = (Shape::new(1, n, c), Shape::new(n, 1, c));
    let to = |h, w| Resize::to(h, w).coordinates(coordinates);
    let equal = |wide: &dyn Layer<T>, tall: &dyn Layer<T>| -> Checked {
        prop_assert_eq!(run(wide, &x), run(tall, &x));
        Ok(())
    };
    let nearest = |s, to| Upsample::nearest_by(s, to, NearestMode::RoundPreferFloor).unwrap();
    equal(&nearest(wide, to(1, out)), &nearest(tall, to(out, 1)))?;
    let linear = |s, to| Upsample::bilinear(s, to, Numerics::Exact).unwrap();
    equal(&linear(wide, to(1, out)), &linear(tall, to(out, 1)))?;
    let cubic = |s, to| Upsample::bicubic(s, to, Cubic::Pytorch).unwrap();
    equal(&cubic(wide, to(1, out)), &cubic(tall, to(out, 1)))?;
    equal(&Upsample::area(wide, 1, out).unwrap(), &Upsample::area(tall, out, 1).unwrap())
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
        split_and_concat::<i8>(&whole.unwrap(), &part.unwrap(), groups, seed)?;
        split_and_concat::<i16>(&whole.unwrap(), &part.unwrap(), groups, seed)?;
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
        let both = [wide.unwrap(), build(Shape::new(n, 1, c_in), c_out, along_h).unwrap()];
        turned::<i8>(&both, seed)?;
        turned::<i16>(&both, seed)?;
    }

    #[test]
    fn a_resized_signal_is_the_same_along_rows_and_columns(
        n in 1..12usize, out in 1..20usize, c in 1..4usize, which in 0..5usize, seed: u64,
    ) {
        use Coordinates::*;
        let coordinates = [HalfPixel, AlignCorners, Asymmetric, PytorchHalfPixel, HalfPixelSymmetric][which];
        resized::<i8>(n, out, c, coordinates, seed)?;
        resized::<i16>(n, out, c, coordinates, seed)?;
    }

    #[test]
    fn shuffles_undo_each_other(
        rh in 1..4usize, rw in 1..4usize, h in 1..4usize, w in 1..4usize, c in 1..5usize, crd: bool, seed: u64,
    ) {
        let order = if crd { ShuffleOrder::Crd } else { ShuffleOrder::Dcr };
        let (coarse, fine) = (Shape::new(h, w, c * rh * rw), Shape::new(h * rh, w * rw, c));
        let up = PixelShuffle::plan(coarse, rh, rw, order).unwrap();
        let down = PixelUnshuffle::plan(fine, rh, rw, order).unwrap();
        let x: Vec<i8> = values(seed, coarse.len());
        prop_assert_eq!(&run(&down, &run(&up, &x)), &x);
        prop_assert_eq!(&run(&up, &run(&down, &x)), &x);
    }

    #[test]
    fn crd_channels_brought_to_dcr_make_the_same_sub_pixel_convolution(
        h in 1..5usize, w in 1..5usize, pad in 0..2usize, seed: u64,
    ) {
        // PyTorch's conv2d(2, 3 * 2 * 2, 2) and pixel_shuffle(2), against the fused layer with everything by channel reordered.
        let (input, g) = (Shape::new(h, w, 2), Geometry::square(2).pad(pad));
        let plain = Conv::plan(input, 12, g);
        prop_assume!(plain.is_ok());
        let (plain, fused) = (plain.unwrap(), SubPixel::plan(input, 3, 2, g).unwrap());
        let weights: [i8; 96] = values(seed, 96).try_into().unwrap();
        let bias: [i32; 12] = std::array::from_fn(|o| 100 * o as i32 - 500);
        let m: [Multiplier; 12] = std::array::from_fn(|o| Multiplier::from_real(0.004 + o as f64 / 3000.0).unwrap());
        let x: Vec<i8> = values(!seed, input.len());

        let in_order = packed(&plain, &weights, WeightOrder::Torch);
        let conv: Convolution<i8> = Weights { packed: &in_order[..], bias: &bias[..] }.layer(&plain, quant(&m)).unwrap();
        let shuffle = PixelShuffle::plan(plain.output(), 2, 2, ShuffleOrder::Crd).unwrap();
        let expected = run(&shuffle, &run(&conv, &x));

        let reordered = packed(&fused, &crd_to_dcr(&weights, 3, 2).unwrap(), WeightOrder::Torch);
        let (bias, m) = (crd_to_dcr(&bias, 3, 2).unwrap(), crd_to_dcr(&m, 3, 2).unwrap());
        let conv = Weights { packed: &reordered[..], bias: &bias[..] }.layer(&fused, quant(&m)).unwrap();
        prop_assert_eq!(run(&SubPixel::new(conv, 2).unwrap(), &x), expected);
    }

    #[test]
    fn columns_are_those_of_a_convolution_of_nearest(
        h in 1..5usize, w in 1..14usize, c in prop_oneof![1..10usize, 14..20usize, 30..36usize], out in 1..40usize,
        factor in prop_oneof![Just([2, 2]), [1..5usize, 1..5usize]], k in prop_oneof![Just([3, 3]), [1..6usize, 1..9usize]],
        p in [0..8usize, 0..8, 0..8, 0..8], seed: u64,
    ) {
        let [top, bottom, left, right] = [p[0] % k[0], p[1] % k[0], p[2] % k[1], p[3] % k[1]];
        let g = Geometry::new(k[0], k[1]).padding(Padding { top, bottom, left, right });
        columns_are_shared::<i8>(Shape::new(h, w, c), factor, out, g, seed)?;
        columns_are_shared::<i16>(Shape::new(h, w, c % 8 + 1), factor, out.min(3), g, seed)?;
    }

    #[test]
    fn a_batch_norm_is_its_fold(
        g in geometry(), transposed: bool, tflite: bool, groups in 1..4usize, c_in in 1..3usize, c_out in 1..4usize, seed: u64,
    ) {
        let build = if transposed { ConvTranspose::plan } else { Conv::plan };
        let plan = build(Shape::new(4, 3, groups * c_in), groups * c_out, g.groups(groups));
        prop_assume!(plan.is_ok());
        let plan = plan.unwrap();
        let [kh, kw] = g.kernel;
        let (channels, order) = (plan.output().c, if tflite { WeightOrder::Tflite } else { WeightOrder::Torch });
        let real = |seed: u64, len: usize| -> Vec<f32> {
            values::<i16>(seed, len).into_iter().map(|v| f32::from(v) / 16384.0).collect()
        };
        let (weights, bias) = (real(seed, plan.weight_len()), real(seed ^ 1, channels));
        let [gamma, beta, mean] = [2, 3, 4].map(|n| real(seed ^ n, channels));
        let var: Vec<f32> = real(seed ^ 5, channels).iter().map(|v| v * v).collect();
        let norm = BatchNorm { gamma: &gamma, beta: &beta, mean: &mean, var: &var, eps: 0.01 };
        let (mut w, mut b) = (weights.clone(), bias.clone());
        norm.fold(&plan, &mut w, order, &mut b).unwrap();

        // PyTorch's order for the reference: [C_out, C_in / g, kh, kw], transposed [C_in, C_out / g, kh, kw].
        let torch = |w: &[f32]| -> Vec<f64> {
            let mut all = vec![0.0; w.len()];
            for (n, v) in w.iter().enumerate() {
                let (o, ky, kx, i) = (n / (kh * kw * c_in), n / (kw * c_in) % kh, n / c_in % kw, n % c_in);
                let row = if transposed { (o / c_out * c_in + i) * c_out + o % c_out } else { o * c_in + i };
                all[if tflite { (row * kh + ky) * kw + kx } else { n }] = f64::from(*v);
            }
            all
        };
        let p = g.padding;
        let window = Window {
            kernel: g.kernel, stride: g.stride, pads: [[p.top, p.bottom], [p.left, p.right]], output_padding: [0, 0],
            dilation: g.dilation, groups,
        };
        let conv = if transposed { reference::conv_transpose } else { reference::conv };
        let wide = |v: &[f32]| -> Vec<f64> { v.iter().map(|v| f64::from(*v)).collect() };
        let x = Tensor { shape: [groups * c_in, 4, 3], data: wide(&real(!seed, plan.input().len())) };
        let folded = conv(&x, &torch(&w), &wide(&b), channels, &window);
        let two = conv(&x, &torch(&weights), &wide(&bias), channels, &window);
        let plane = two.shape[1] * two.shape[2];
        for (n, (one, two)) in folded.data.iter().zip(&two.data).enumerate() {
            let o = n / plane;
            let [gamma, beta, mean, var] = [&gamma, &beta, &mean, &var].map(|v| f64::from(v[o]));
            let expected = (two - mean) / (var + f64::from(0.01f32)).sqrt() * gamma + beta;
            prop_assert!((one - expected).abs() < 1e-3, "{} {}", one, expected);
        }
    }

    #[test]
    fn binary_point_numbers_are_their_bits(g in geometry(), c_out in 1..6usize, seed: u64) {
        let plan = ConvTranspose::plan(Shape::new(4, 3, 3), c_out, g);
        prop_assume!(plan.is_ok());
        let plan = plan.unwrap();
        let weights: Vec<i8> = values(!seed, plan.weight_len());
        let raw = packed(&plan, &weights, WeightOrder::Torch);
        let fixed: Vec<FixedI8<U5>> = raw.iter().map(|b| FixedI8::from_bits(*b)).collect();
        // Weights with 5 fractional bits: requantisation is a rounding shift by 5.
        let m = [Multiplier::power_of_two(-5).unwrap()];
        macro_rules! equal {
            ($bits:ty, $number:ty) => {
                let q = Quant::binary_point(<$number>::FRAC_NBITS);
                let quant = Quantization {
                    x: q, y: q, multipliers: &m, activation: Activation::None, rounding: Rounding::TfliteSingle,
                };
                let x: Vec<$bits> = values(seed, plan.input().len());
                let of_bits = Weights { packed: &raw[..], bias: &[0i32; 0] }.layer::<$bits>(&plan, quant).unwrap();
                let of_fixed = Weights { packed: &fixed[..], bias: &[0i32; 0] }.layer::<$number>(&plan, quant).unwrap();
                let inputs: Vec<$number> = x.iter().map(|b| <$number>::from_bits(*b)).collect();
                let y = run(&of_fixed, &inputs);
                prop_assert_eq!(run(&of_bits, &x), y.iter().map(|v| v.to_bits()).collect::<Vec<_>>());

                // And a rounding shift is what it is: floor(acc / 32 + 1/2), clamped.
                let exact = firmware::suite::exact::Problem {
                    input: plan.input(), output: plan.output(), geometry: g, transposed: true, weights: &weights,
                    order: WeightOrder::Torch, bias: &[0i32; 0], quant,
                };
                let mut expected = vec![<$number>::ZERO; y.len()];
                firmware::suite::exact::convolution(&exact, &inputs, &mut expected);
                prop_assert_eq!(y, expected);
            };
        }
        equal!(i8, I1F7);
        equal!(i16, I1F15);
        equal!(i16, I4F12);
    }

    #[test]
    fn fixed_i16_is_resized_by_its_bits(h in 1..6usize, w in 1..6usize, oh in 1..9usize, ow in 1..9usize, seed: u64) {
        let up = Upsample::bilinear(Shape::new(h, w, 2), Resize::to(oh, ow), Numerics::Exact).unwrap();
        let x: Vec<i16> = values(seed, h * w * 2);
        let fixed: Vec<I4F12> = x.iter().map(|b| I4F12::from_bits(*b)).collect();
        prop_assert_eq!(run(&up, &x), run(&up, &fixed).iter().map(|v| v.to_bits()).collect::<Vec<i16>>());
    }

    #[test]
    fn whole_factors_equal_tflite_and_the_written_out_formula(h in 1..6usize, w in 1..6usize, log in 1..4u32, seed: u64) {
        let (r, input) = (1 << log, Shape::new(h, w, 2));
        let resize = Resize::to(h * r, w * r);
        let x: Vec<i8> = values(seed, input.len());
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
