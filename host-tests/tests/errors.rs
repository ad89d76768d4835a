//! Bad input is answered by a typed error that says what, which and by how much.

use upconv::{
    Activation, Bound, Conv, ConvTranspose, Convolution, Error, Geometry, MAX_SIDE, Multiplier, Numerics, Padding,
    Plan, Quant, Quantization, Resize, Rounding, Shape, Upsample, WeightOrder, Weights, Window,
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
    assert!(matches!(transposed(s, usize::MAX, g), Error::Range { what: "output channels", .. }));
    // PyTorch: output padding must be smaller than either stride or dilation.
    let op = |h, w| transposed(s, 1, g.stride(2, 1).output_padding(h, w));
    assert_eq!(op(2, 0), Error::Range { what: "output padding height", got: 2, min: 0, max: 1 });
    assert_eq!(op(0, 1), Error::Range { what: "output padding width", got: 1, min: 0, max: 0 });
    let op = Conv::plan(s, 1, g.output_padding(1, 0)).unwrap_err();
    assert_eq!(op, Error::Range { what: "output padding height", got: 1, min: 0, max: 0 });
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
    let slot = Error::Range { what: "the slot", got: 2, min: 0, max: 1 };
    assert_eq!(Window::ring(&[0i8; 4], 2, 0, 2).unwrap_err(), slot);
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
