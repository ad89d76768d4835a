//! Bad input is answered by a typed error that says what, which and by how much.

use upconv::{
    Activation, Add, BatchNorm, Bound, Columns, Conv, ConvTranspose, Convolution, Coordinates, Error, FoldNearest,
    Geometry, LeakyRelu, MAX_SIDE, Multiplier, Numerics, Operands, Padding, Plan, Quant, Quantization, Ratio,
    Requantize, Resize, Rounding, Same, Shape, SubPixel, Upsample, WeightOrder, Weights, Window, crd_to_dcr,
    quantize_bias, quantize_bias_wide, tflite_nearest, torch_nearest,
};

fn transposed(input: Shape, channels: usize, g: Geometry) -> Error {
    ConvTranspose::plan(input, channels, g).unwrap_err()
}

#[test]
fn geometry() {
    let (s, g) = (Shape::new(4, 5, 6), Geometry::square(3));
    assert_eq!(transposed(Shape::new(0, 5, 6), 1, g), Error::Zero { what: "input height" });
    assert_eq!(transposed(Shape::new(4, 0, 6), 1, g), Error::Zero { what: "input width" });
    assert_eq!(transposed(Shape::new(4, 5, 0), 1, g), Error::Zero { what: "input channels" });
    assert_eq!(transposed(s, 0, g), Error::Zero { what: "output channels" });
    assert_eq!(transposed(s, 1, g.stride(1, 0)), Error::Zero { what: "stride width" });
    assert_eq!(transposed(s, 1, g.dilation(0, 1)), Error::Zero { what: "dilation height" });
    assert_eq!(transposed(s, 1, Geometry::new(3, 0)), Error::Zero { what: "kernel width" });
    assert_eq!(transposed(s, 1, g.groups(0)), Error::Zero { what: "groups" });
    assert_eq!(transposed(s, 8, g.groups(4)), Error::NotDivisible { what: "input channels", got: 6, by: 4 });
    assert_eq!(transposed(s, 7, g.groups(2)), Error::NotDivisible { what: "output channels", got: 7, by: 2 });
    let too_wide = Error::Range { what: "input width", got: 32768, min: 1, max: MAX_SIDE as i64 };
    assert_eq!(transposed(Shape::new(1, 32768, 1), 1, g), too_wide);
    // 32767 * 32767 * 3 values no longer fit 31 bits; 32766 inputs at stride 2 give more outputs than a side may have.
    let most = Error::Range { what: "input channels", got: 3, min: 1, max: 2 };
    assert_eq!(transposed(Shape::new(MAX_SIDE, MAX_SIDE, 3), 1, g), most);
    assert!(matches!(
        transposed(Shape::new(1, 32766, 1), 1, g.stride(1, 2)),
        Error::Range { what: "output width", .. }
    ));
    let huge = transposed(s, usize::MAX, g);
    assert!(matches!(huge, Error::Range { what: "output channels", got: i64::MAX, .. }), "{huge}");
    // PyTorch: output padding must be smaller than either stride or dilation.
    let op = |h, w| transposed(s, 1, g.stride(2, 1).output_padding(h, w));
    assert_eq!(op(2, 0), Error::Range { what: "output padding height", got: 2, min: 0, max: 1 });
    assert_eq!(op(0, 1), Error::Range { what: "output padding width", got: 1, min: 0, max: 0 });
    let op = Conv::plan(s, 1, g.output_padding(1, 0)).unwrap_err();
    assert_eq!(op, Error::Range { what: "output padding height", got: 1, min: 0, max: 0 });
    let op = transposed(s, 1, g.output_padding(0, usize::MAX));
    assert_eq!(op, Error::Range { what: "output padding width", got: i64::MAX, min: 0, max: 0 });
    let pad = Padding { left: MAX_SIDE, right: 1, ..Padding::default() };
    let pad = transposed(s, 1, g.padding(pad));
    assert_eq!(pad, Error::Range { what: "padding left + right", got: 32768, min: 0, max: 32767 });
    assert_eq!(transposed(s, 1, g.pad(3)), Error::NoOutput { axis: "height", size: 0 });
    assert_eq!(transposed(Shape::new(9, 2, 1), 1, g.pad(4)), Error::NoOutput { axis: "width", size: -4 });
    assert_eq!(Conv::plan(s, 1, Geometry::new(5, 1)).unwrap_err(), Error::NoOutput { axis: "height", size: 0 });
    assert_eq!(
        Conv::plan(s, 1, Geometry::new(1, 5).dilation(1, 2)).unwrap_err(),
        Error::NoOutput { axis: "width", size: -3 }
    );
}

#[test]
fn resizes() {
    let s = Shape::new(4, 5, 6);
    assert_eq!(Upsample::nearest(s, 0, 2).unwrap_err(), Error::Zero { what: "the height factor" });
    assert_eq!(Upsample::nearest(s, 2, 0).unwrap_err(), Error::Zero { what: "the width factor" });
    assert!(matches!(
        Upsample::nearest(s, 1, 8000).unwrap_err(),
        Error::Range { what: "output width", got: 40000, .. }
    ));
    let bilinear = |h, w| Upsample::bilinear(s, Resize::to(h, w), Numerics::Exact).unwrap_err();
    assert_eq!(bilinear(0, 1), Error::Zero { what: "output height" });
    assert_eq!(bilinear(1, 0), Error::Zero { what: "output width" });
    assert!(matches!(bilinear(40000, 1), Error::Range { what: "output height", got: 40000, .. }));

    // Beside a scale the size is that of the scale, or one more or less.
    let by = Resize::by(Ratio::nearest(0.29).unwrap(), Ratio::new(3, 2).unwrap());
    let sized = |h, w, c| {
        let resize = by.sized(h, w).coordinates(c);
        Upsample::bilinear(Shape::new(100, 5, 1), resize, Numerics::Exact).err()
    };
    for (h, w) in [(28, 7), (29, 6), (30, 8)] {
        assert_eq!(sized(h, w, Coordinates::HalfPixelSymmetric), None);
    }
    let size = |what, got, min, max| Some(Error::Range { what, got, min, max });
    assert_eq!(sized(27, 7, Coordinates::HalfPixel), size("output height", 27, 28, 30));
    assert_eq!(sized(29, 9, Coordinates::Asymmetric), size("output width", 9, 6, 8));
    let corners = "align_corners by a scale with a size of its own";
    assert_eq!(sized(28, 7, Coordinates::AlignCorners), Some(Error::Unsupported { what: corners }));
    assert_eq!(Resize::to(3, 4).sized(5, 6), Resize::to(5, 6));
    assert_eq!(Ratio::new(MAX_SIDE, 1).unwrap().apply(usize::MAX), usize::MAX);
    // Tables saturate, and no plan takes such an input.
    assert_eq!(torch_nearest::<2>(1 << 17, None), [0, u16::MAX]);
    assert_eq!(tflite_nearest::<2>((1 << 16) + 1, true, false), [0, u16::MAX]);
}

#[test]
fn folding_and_biases() {
    let plan = Conv::plan(Shape::new(1, 1, 1), 2, Geometry::square(1)).unwrap();
    let fold = |var: [f32; 2], eps| {
        let (mut w, mut b) = ([1.0, 1.0], [0.0, 0.0]);
        let norm = BatchNorm { gamma: &[1.0; 2], beta: &[0.0; 2], mean: &[0.0; 2], var: &var, eps };
        let folded = norm.fold(&plan, &mut w, WeightOrder::Torch, &mut b);
        assert!(folded.is_ok() || w == [1.0, 1.0], "nothing changes where it is refused");
        folded
    };
    assert_eq!(fold([1.0, 0.0], 1e-5), Ok(()));
    for (var, eps) in [([1.0, 0.0], 0.0), ([1.0, -2.0], 1.0), ([1.0, f32::NAN], 1.0), ([f32::INFINITY, 1.0], 1.0)] {
        assert_eq!(fold(var, eps), Err(Error::Scale { what: "a variance plus epsilon" }));
    }

    let of = |by| Err(Error::NotDivisible { what: "the number of values", got: 4, by });
    assert_eq!(
        (crd_to_dcr(&[0; 4], 3, 1), crd_to_dcr(&[0; 4], 0, 2), crd_to_dcr(&[0; 4], 2, 0)),
        (of(3), of(0), of(0))
    );

    let nan = Error::Unsupported { what: "a bias that is no number" };
    assert_eq!(quantize_bias(&[0.0, f32::NAN], 1.0, &[1.0; 2]), Err(nan));
    assert_eq!(quantize_bias(&[1.0], 1.0, &[0.0]), Err(Error::Scale { what: "a bias scale" }));
    assert_eq!(quantize_bias(&[-2147483520.0, 0.49999997], 1.0, &[1.0; 2]), Ok([-2147483520, 0]));
    let overflow = |bound, max| Error::Overflow { channel: 1, bound, max };
    assert_eq!(quantize_bias(&[0.0, 2147483648.0], 1.0, &[1.0; 2]), Err(overflow(1 << 31, (1 << 31) - 1)));
    let most = 140737479966720.0; // the f32 below 2^47
    assert_eq!(quantize_bias_wide(&[most, -2.5], 1.0, &[1.0; 2]), Ok([most as i64, -3]));
    assert_eq!(quantize_bias_wide(&[0.0, -most * 2.0], 1.0, &[1.0; 2]), Err(overflow(2 * most as u64, (1 << 47) - 1)));
    assert_eq!(quantize_bias_wide(&[f32::NAN], 1.0, &[1.0]), Err(nan));

    // The last of f32's normal powers of two, and beyond.
    assert_eq!(Quant::binary_point(126).scale, f32::MIN_POSITIVE);
    assert_eq!(Quant::binary_point(127).scale, 0.0);
}

/// One channel in, two out, and everything about its quantisation open to change.
struct Quantised {
    plan: Plan,
    weights: Vec<i8>,
    bias: Vec<i32>,
    multipliers: Vec<Multiplier>,
    x: Quant,
    y: Quant,
}

impl Quantised {
    fn new() -> Self {
        let plan = ConvTranspose::plan(Shape::new(2, 2, 1), 2, Geometry::square(2).stride(2, 2)).unwrap();
        let one = Quant::new(1.0, 0);
        let m = Multiplier::from_real(0.5).unwrap();
        Quantised { plan, weights: vec![1; 8], bias: vec![0; 2], multipliers: vec![m; 2], x: one, y: one }
    }

    fn error(&self) -> Error {
        let quant = Quantization {
            x: self.x,
            y: self.y,
            multipliers: &self.multipliers,
            activation: Activation::None,
            rounding: Rounding::TfliteDouble,
        };
        let weights = Weights { packed: &self.weights[..], bias: &self.bias[..] };
        let layer: Result<Convolution<i8>, Error> = weights.layer(&self.plan, quant);
        layer.unwrap_err()
    }
}

#[test]
fn weights_and_quantisation() {
    let plan = Quantised::new().plan;
    let length = |what, got, need| Error::Length { what, got, need };
    assert_eq!(plan.pack(&[0i8; 7], WeightOrder::Torch).unwrap_err(), length("the weights", 7, 8));
    assert_eq!(
        plan.pack_into(&[0i8; 8], WeightOrder::Tflite, &mut [0; 9]).unwrap_err(),
        length("the packed weights", 9, 8)
    );
    assert_eq!(Quantised { weights: vec![0; 9], ..Quantised::new() }.error(), length("the packed weights", 9, 8));
    assert_eq!(Quantised { bias: vec![0], ..Quantised::new() }.error(), length("the bias", 1, 2));
    assert_eq!(Quantised { multipliers: vec![], ..Quantised::new() }.error(), length("the multipliers", 0, 2));
    let zero = |z| Quant::new(1.0, z);
    let range = |what, got| Error::Range { what, got, min: -128, max: 127 };
    assert_eq!(Quantised { x: zero(128), ..Quantised::new() }.error(), range("the input zero point", 128));
    assert_eq!(Quantised { y: zero(-129), ..Quantised::new() }.error(), range("the output zero point", -129));
    for scale in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        let q = Quant::new(scale, 0);
        assert_eq!(Quantised { x: q, ..Quantised::new() }.error(), Error::Scale { what: "the input scale" });
        assert_eq!(Quantised { y: q, ..Quantised::new() }.error(), Error::Scale { what: "the output scale" });
    }
}

#[test]
fn sums_that_could_overflow() {
    const MAX: u64 = i32::MAX as u64;
    // The bias alone leaves no room for 4 taps of |w| <= 2 on |x - zero| <= 128; the bound is exact to the last unit.
    let weights = vec![0, 2, 0, 2, 0, 2, 0, 2]; // packed: tap after tap, both channels each
    let room = (MAX - 4 * 2 * 128) as i32;
    let fits = Quantised { bias: vec![i32::MAX, -room], weights: weights.clone(), ..Quantised::new() };
    let quant = Quantization {
        x: fits.x,
        y: fits.y,
        multipliers: &fits.multipliers,
        activation: Activation::None,
        rounding: Rounding::TfliteDouble,
    };
    let layer: Convolution<i8> =
        Weights { packed: &fits.weights[..], bias: &fits.bias[..] }.layer(&fits.plan, quant).unwrap();
    Bound::whole(&layer, &[127, -128, 0, 1], &mut [0; 32]).unwrap().run();
    let beyond = Quantised { bias: vec![0, -room - 1], weights: weights.clone(), ..Quantised::new() };
    assert_eq!(beyond.error(), Error::Overflow { channel: 1, bound: MAX + 1, max: MAX });
    // With the zero point at one end the input reaches twice as far.
    let far = Quantised { bias: vec![0, -room], weights, x: Quant::new(1.0, 127), ..Quantised::new() };
    assert_eq!(far.error(), Error::Overflow { channel: 1, bound: MAX - 4 * 2 * 128 + 4 * 2 * 255, max: MAX });
}

#[test]
fn sums_of_wide_weights_and_biases() {
    let plan = ConvTranspose::plan(Shape::new(1, 1, 1), 1, Geometry::square(1)).unwrap();
    let m = [Multiplier::from_real(0.5).unwrap()];
    let (x, y) = (Quant::new(1.0, 0), Quant::new(1.0, 0));
    let quant = |rounding| Quantization { x, y, multipliers: &m, activation: Activation::None, rounding };
    // One tap of weight -32768 on |x| <= 128.
    const ROOM: i32 = i32::MAX - 32768 * 128;
    let folded = |bias: i32| {
        let weights = Weights { packed: &[i16::MIN], bias: &[bias] };
        weights.layer::<i8>(&plan, quant(Rounding::TfliteDouble)).err()
    };
    assert_eq!((folded(ROOM), folded(-ROOM)), (None, None));
    assert_eq!(folded(ROOM + 1), Some(Error::Overflow { channel: 0, bound: 1 << 31, max: (1 << 31) - 1 }));
    // One tap of weight 1 on |x| <= 32768, 64-bit sums below 2^47.
    let wide =
        |bias: i64, rounding| Weights { packed: &[1i8], bias: &[bias] }.layer::<i16>(&plan, quant(rounding)).err();
    let most = (1i64 << 47) - 1;
    assert_eq!(wide(most - 32768, Rounding::Tflite16x8), None);
    let overflow = |bound| Some(Error::Overflow { channel: 0, bound, max: most as u64 });
    assert_eq!(wide(32767 - most, Rounding::Tflite16x8), overflow(1 << 47));
    assert_eq!(wide(i64::MIN, Rounding::Tflite16x8), overflow((1 << 63) + 32768));
    // Roundings go with the width of the bias.
    let unsupported = |what| Some(Error::Unsupported { what });
    assert_eq!(wide(0, Rounding::TfliteSingle), unsupported("32-bit rounding of 64-bit sums"));
    let narrow = Weights { packed: &[1i8], bias: &[0i32] }.layer::<i16>(&plan, quant(Rounding::Tflite16x8)).err();
    assert_eq!(narrow, unsupported("Tflite16x8 rounding of 32-bit sums"));
    let large = [Multiplier::from_real(16384.0).unwrap()];
    let quant = Quantization { multipliers: &large, ..quant(Rounding::Tflite16x8) };
    let large = Weights { packed: &[1i8], bias: &[0i64] }.layer::<i16>(&plan, quant).err();
    assert_eq!(large, Some(Error::Scale { what: "the ratio of scales" }));
}

#[test]
fn roundings_and_shuffles_that_do_not_fit() {
    let q = Quant::new(1.0, 0);
    let rounding = Rounding::Tflite16x8;
    let refused = Error::Unsupported { what: "Tflite16x8 rounding outside convolutions" };
    assert_eq!(Requantize::<i16, i16>::plan(q, q, rounding).err(), Some(refused));
    assert_eq!(LeakyRelu::<i8>::plan(q, q, 0.1, rounding).err(), Some(refused));
    let operands = Operands { a: q, b: q, y: q, activation: Activation::None, rounding };
    assert_eq!(Add::plan::<i16>(Shape::new(1, 1, 1), Shape::new(1, 1, 1), operands).err(), Some(refused));
    let up = Upsample::bilinear(Shape::new(1, 1, 1), Resize::to(2, 2), Numerics::Tflite(rounding));
    assert_eq!(up.err(), Some(refused));

    let grouped = Conv::plan(Shape::new(1, 1, 2), 4, Geometry::square(1).groups(2)).unwrap();
    let m = [Multiplier::from_real(0.5).unwrap()];
    let rounding = Rounding::TfliteDouble;
    let quant = Quantization { x: q, y: q, multipliers: &m, activation: Activation::None, rounding };
    let conv = Weights { packed: &[1i8; 4], bias: &[0i32; 0] }.layer::<i8>(&grouped, quant).unwrap();
    assert_eq!(SubPixel::new(conv, 2).err(), Some(Error::Unsupported { what: "a pixel shuffle of groups" }));
}

#[test]
fn columns_name_what_they_do_not_share() {
    let (q, m) = (Quant::new(1.0, -128), [Multiplier::from_real(0.5).unwrap()]);
    let (activation, rounding) = (Activation::None, Rounding::TfliteDouble);
    let quant = Quantization { x: q, y: q, multipliers: &m, activation, rounding };
    let fold = |c: usize, g: Geometry| FoldNearest::plan(Shape::new(2, 2, c), [2, 2], 2, g).unwrap();
    let columns = |fold: &FoldNearest, of: &FoldNearest, sums: &[i32]| {
        let (plan, packed) = (of.convolution(), vec![0i8; of.convolution().weight_len()]);
        let conv = Weights { packed: &packed[..], bias: &[0i32; 0] }.layer::<i8>(&plan, quant).unwrap();
        Columns::new(fold, conv, sums).err()
    };
    let same = Geometry::square(3).pad(1);
    let (plain, grouped) = (fold(2, same), fold(2, same.groups(2)));
    assert_eq!(columns(&plain, &plain, &[0; 6]), None);
    assert_eq!(columns(&plain, &plain, &[0; 5]), Some(Error::Length { what: "the sums of columns", got: 5, need: 6 }));
    let refused = Some(Error::Unsupported { what: "shared columns of groups" });
    assert_eq!(columns(&grouped, &grouped, &[0; 6]), refused);
    let (w, mut packed, mut sums) = ([0; 18], [0; 18], [0; 6]);
    assert_eq!(grouped.columns_into(&w, WeightOrder::Torch, &mut packed, &mut sums).err(), refused);
    let refused = Some(Error::Unsupported { what: "columns of another convolution" });
    for other in [fold(3, same), fold(2, Geometry::new(3, 2)), fold(2, Geometry::square(3))] {
        assert_eq!(columns(&plain, &other, &[0; 6]), refused);
    }
    for (top, left) in [(1, 2), (2, 1)] {
        let moved = Padding { top, bottom: 2 - top, left, right: 2 - left };
        assert_eq!(columns(&plain, &fold(2, Geometry::square(3).padding(moved)), &[0; 6]), refused);
    }
    // Of groups, transposed, or of a stride, to the same shape.
    let up = plain.convolution().input();
    let others = [
        Conv::plan(up, 2, same.groups(2)),
        ConvTranspose::plan(up, 2, same),
        Conv::plan(Shape::new(2 * up.h, 2 * up.w, up.c), 2, same.stride(2, 2)),
        Conv::plan(Shape::new(up.h + 1, up.w, up.c), 2, same.padding(Padding { top: 1, bottom: 0, left: 1, right: 1 })),
    ];
    for plan in others.map(Result::unwrap) {
        let packed = vec![0i8; plan.weight_len()];
        let conv = Weights { packed: &packed[..], bias: &[0i32; 0] }.layer::<i8>(&plan, quant).unwrap();
        assert_eq!(Columns::new(&plain, conv, &[0; 6]).err(), refused);
    }
    assert_eq!(
        columns(&plain, &plain, &[0, 0, 1, 0, 0, 0]),
        Some(Error::Unsupported { what: "columns of weights in another order, or of other sums" })
    );
    let what = "the kernel of shared columns";
    let nine = FoldNearest::plan(Shape::new(2, 9, 1), [1, 1], 2, Geometry::new(1, 9)).unwrap();
    assert_eq!(columns(&nine, &nine, &[0; 18]), Some(Error::Range { what, got: 9, min: 1, max: 8 }));
    // Each weight counts as the largest.
    let deep = fold(7400, same);
    assert!(matches!(columns(&deep, &deep, &[0; 6]), Some(Error::Overflow { .. })));
    let (mut less, more) = ([0; 5], [0; 36]);
    let wrong = plain.columns_into(&more, WeightOrder::Torch, &mut [0; 36], &mut less);
    assert_eq!(wrong, Err(Error::Length { what: "the sums of columns", got: 5, need: 6 }));
    let wrong = plain.columns::<35, 6>(&[0; 35], WeightOrder::Torch).err();
    assert_eq!(wrong, Some(Error::Length { what: "the weights", got: 35, need: 36 }));
}

#[test]
fn output_shapes_of_transposed_convolutions() {
    // ONNX: total = s (in - 1) + op + (k - 1) d + 1 - out, its larger half at the end with SAME_UPPER.
    for (k, s, d, op, input, output) in (1..5).flat_map(|k| {
        (1..4).flat_map(move |s| {
            (1..3).flat_map(move |d| {
                (0..s.max(d))
                    .flat_map(move |op| (1..5).flat_map(move |n| (1..14).map(move |out| (k, s, d, op, n, out))))
            })
        })
    }) {
        let full = s * (input - 1) + op + (k - 1) * d + 1;
        let shape = Shape::new(input, 1, 1);
        let g = Geometry::new(k, 1).stride(s, 1).dilation(d, 1).output_padding(op, 0);
        let (upper, lower) = (g.to_output(shape, output, 1, Same::Upper), g.to_output(shape, output, 1, Same::Lower));
        let total = full.saturating_sub(output);
        assert_eq!((upper.padding.top, upper.padding.bottom), (total / 2, total - total / 2));
        assert_eq!((lower.padding.top, lower.padding.bottom), (total - total / 2, total / 2));
        if let Ok(plan) = ConvTranspose::plan(shape, 1, upper) {
            assert_eq!(plan.output().h, output, "{g:?}");
        }
        // A convolution of the same padding keeps ceil(in / s).
        let plan =
            Conv::plan(shape, 1, Geometry::new(k, 1).stride(s, 1).dilation(d, 1).same(shape, Same::Lower)).unwrap();
        assert_eq!(plan.output().h, input.div_ceil(s));
    }
}

#[test]
fn buffers() {
    let up = Upsample::nearest(Shape::new(2, 3, 4), 2, 2).unwrap();
    let length = |what, got, need| Error::Length { what, got, need };
    let whole = |x: usize, y: usize| Bound::<i8>::whole(&up, &vec![0; x], &mut vec![0; y]).err();
    assert_eq!((whole(24, 96), whole(23, 96)), (None, Some(length("the input", 23, 24))));
    assert_eq!(whole(24, 97), Some(length("the output", 97, 96)));
    let rows = |y: usize| Bound::<i8>::rows(&up, &[0; 24], &mut vec![0; y]).err();
    assert_eq!((rows(24), rows(23)), (None, Some(length("the output", 23, 24))));
    assert_eq!(Window::ring(&[0i8; 4], 0, 0, 0).unwrap_err(), Error::Zero { what: "the row length" });
    assert_eq!(Window::ring(&[0i8; 5], 2, 0, 0).unwrap_err(), length("the ring", 5, 4));
    assert_eq!(Window::ring(&[0i8; 1], 2, 0, 0).unwrap_err(), length("the ring", 1, 2));
    let slot = |got| Error::Range { what: "the slot", got, min: 0, max: 1 };
    assert_eq!(Window::ring(&[0i8; 4], 2, 0, 2).unwrap_err(), slot(2));
    assert_eq!(Window::ring(&[0i8; 4], 2, 0, usize::MAX).unwrap_err(), slot(i64::MAX));
}

#[test]
fn messages_say_what_which_and_by_how_much() {
    let texts = [
        (Error::Zero { what: "stride height" }, "stride height is 0; it must be at least 1"),
        (Error::Range { what: "the slot", got: -7, min: 0, max: 10 }, "the slot is -7; it must lie in 0 ..= 10"),
        (Error::Length { what: "the bias", got: 3, need: 16 }, "the bias: 3 elements, but it needs 16"),
        (
            Error::NotDivisible { what: "input channels", got: 6, by: 4 },
            "input channels is 6; it must be a multiple of 4",
        ),
        (Error::NoOutput { axis: "width", size: -4 }, "the geometry leaves no output: width would be -4"),
        (
            Error::Overflow { channel: 1, bound: 1 << 31, max: (1 << 31) - 1 },
            "the accumulator of output channel 1 could reach 2147483648; at most 2147483647 is safe",
        ),
        (Error::Scale { what: "the input scale" }, "the input scale must be finite, above 0 and below 2^30"),
    ];
    for (error, text) in texts {
        assert_eq!(error.to_string(), text);
    }
    // Nothing is cut off, however large the numbers.
    let (channel, bound) = (usize::MAX >> 1, i64::MAX as u64);
    let longest = Error::Overflow { channel, bound, max: bound }.to_string();
    assert!(longest.ends_with("9223372036854775807 is safe"), "{longest}");
    let longest =
        Error::Range { what: "the largest dilation of the width", got: i64::MIN, min: i64::MIN, max: i64::MAX };
    assert!(longest.to_string().ends_with("9223372036854775807"), "{longest}");
}
