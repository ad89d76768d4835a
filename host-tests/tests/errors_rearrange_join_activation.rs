//! Bad input to shuffles, unpooling, padding, joins and tables is answered by a typed error that says what, which and by how much.

use upconv::{
    Activation, Add, Along, BoundJoin, Concat, Element, Elementwise, Error, Fill, FlatIndex, Gate16, Geometry,
    LeakyRelu, MAX_SIDE, MaxUnpool, Mul, Operands, Pad, Padding, PixelShuffle, PixelUnshuffle, Quant, Requantize,
    Rounding, Shape, ShuffleOrder, Sub, Table8, Table16,
};

const R: Rounding = Rounding::TfliteDouble;

fn range(what: &'static str, got: i64, min: i64, max: i64) -> Error {
    Error::Range { what, got, min, max }
}

fn length(what: &'static str, got: usize, need: usize) -> Error {
    Error::Length { what, got, need }
}

#[test]
fn shuffles() {
    let up = |s, rh, rw| PixelShuffle::plan(s, rh, rw, ShuffleOrder::Dcr).unwrap_err();
    let down = |s, rh, rw| PixelUnshuffle::plan(s, rh, rw, ShuffleOrder::Crd).unwrap_err();
    let s = Shape::new(4, 6, 12);
    assert_eq!(up(Shape::new(4, 0, 12), 2, 2), Error::Zero { what: "input width" });
    assert_eq!(up(s, 0, 2), Error::Zero { what: "the block height" });
    assert_eq!(down(s, 2, 0), Error::Zero { what: "the block width" });
    assert_eq!(up(s, 2, MAX_SIDE + 1), range("the block width", 32768, 1, 32767));
    assert_eq!(up(s, 2, 4), Error::NotDivisible { what: "input channels", got: 12, by: 8 });
    assert_eq!(up(s, MAX_SIDE, MAX_SIDE), Error::NotDivisible { what: "input channels", got: 12, by: 32767 * 32767 });
    assert_eq!(down(s, 3, 2), Error::NotDivisible { what: "input height", got: 4, by: 3 });
    assert_eq!(down(s, 2, 4), Error::NotDivisible { what: "input width", got: 6, by: 4 });
    assert_eq!(up(Shape::new(1, 20000, 2), 1, 2), range("output width", 40000, 1, 32767));
}

#[test]
fn unpooling() {
    let (s, g) = (Shape::new(2, 3, 1), Geometry::square(2).stride(2, 2));
    let plan = |s, g| MaxUnpool::plan(s, g).unwrap_err();
    assert_eq!(plan(Shape::new(2, 3, 0), g), Error::Zero { what: "input channels" });
    assert_eq!(plan(s, g.stride(0, 2)), Error::Zero { what: "stride height" });
    assert_eq!(plan(s, Geometry::new(2, 0)), Error::Zero { what: "kernel width" });
    assert_eq!(plan(s, g.dilation(1, 2)), range("dilation width", 2, 1, 1));
    assert_eq!(plan(s, g.output_padding(1, 0)), range("output padding height", 1, 0, 0));
    assert_eq!(plan(s, g.groups(3)), range("groups", 3, 1, 1));
    assert_eq!(plan(s, Geometry::new(16, 17)), range("kernel height x width", 272, 1, 256));
    assert_eq!(plan(s, g.pad(2)), Error::NoOutput { axis: "height", size: 0 });
    let pad = Padding { left: MAX_SIDE, right: 1, ..Padding::default() };
    assert_eq!(plan(s, g.padding(pad)), range("padding left + right", 32768, 0, 32767));
    // PyTorch: less than a stride from (in - 1) * stride - 2 * padding + kernel = 4 x 6.
    let to = |h, w| MaxUnpool::plan_to(s, g, h, w);
    assert_eq!((to(5, 7).unwrap().output(), to(3, 5).unwrap().output()), (Shape::new(5, 7, 1), Shape::new(3, 5, 1)));
    assert_eq!(to(6, 6).unwrap_err(), range("output height", 6, 3, 5));
    assert_eq!(to(usize::MAX, 6).unwrap_err(), range("output height", i64::MAX, 3, 5));
    let pad = Padding { top: usize::MAX, ..Padding::default() };
    assert_eq!(plan(s, g.padding(pad)), range("padding top + bottom", i64::MAX, 0, 32767));
    assert_eq!(to(4, 4).unwrap_err(), range("output width", 4, 5, 7));
    let one = MaxUnpool::plan_to(Shape::new(1, 1, 1), Geometry::square(1).stride(2, 2), 0, 1);
    assert_eq!(one.unwrap_err(), Error::NoOutput { axis: "height", size: 0 });
}

#[test]
fn unpooling_indices() {
    let plan = MaxUnpool::plan(Shape::new(2, 3, 1), Geometry::square(2).stride(2, 2)).unwrap();
    let pack = |flat: &[i64], counts| plan.pack::<2>(flat, counts);
    let right = [7, 2, 5, 12, 21, 23];
    assert_eq!(pack(&right, FlatIndex::Torch), Ok([0b00_01_00_11, 0b11_11]));
    assert_eq!(pack(&right[..5], FlatIndex::Torch), Err(length("the indices", 5, 6)));
    assert_eq!(plan.pack::<3>(&right, FlatIndex::Torch), Err(length("the packed indices", 3, 2)));
    assert_eq!(plan.with(&[0; 3], 0i8).unwrap_err(), length("the packed indices", 3, 2));
    let with = |i: usize, v: i64| {
        let mut flat = right;
        flat[i] = v;
        pack(&flat, FlatIndex::Torch)
    };
    assert_eq!(with(0, -1), Err(range("a flat index", -1, 0, 23)));
    assert_eq!(with(5, 24), Err(range("a flat index", 24, 0, 23)));
    assert_eq!(with(0, 12), Err(range("the row of an index", 2, 0, 1)));
    assert_eq!(with(4, 9), Err(range("the row of an index", 1, 2, 3)));
    assert_eq!(with(1, 4), Err(range("the column of an index", 4, 2, 3)));
    assert_eq!(with(2, 3), Err(range("the column of an index", 3, 4, 5)));
    // The second image of a batch whose indices count all values.
    let second = right.map(|v| v + 24);
    assert_eq!(pack(&second, FlatIndex::Onnx { batch: 1 }), pack(&right, FlatIndex::Torch));
    assert_eq!(pack(&second, FlatIndex::Onnx { batch: 0 }), Err(range("a flat index", 31, 0, 23)));
    assert_eq!(pack(&right, FlatIndex::Onnx { batch: 1 }), Err(range("a flat index", 7, 24, 47)));
    let most = i64::MAX / 24 - 1;
    for batch in [most as usize + 1, 1 << 63, usize::MAX] {
        let got = i64::try_from(batch).unwrap_or(i64::MAX);
        let flat = [i64::MAX; 6];
        assert_eq!(pack(&flat, FlatIndex::Onnx { batch }), Err(range("the batch", got, 0, most)));
    }
    let last = right.map(|v| v + most * 24);
    assert_eq!(pack(&last, FlatIndex::Onnx { batch: most as usize }), pack(&right, FlatIndex::Torch));
    // ONNX's own test: indices count the 4 x 4 plane of the formula, the output is 5 x 5.
    let g = Geometry::square(2).stride(2, 2);
    let wide = MaxUnpool::plan_to(Shape::new(2, 2, 1), g, 5, 5).unwrap();
    assert_eq!(wide.pack(&[5, 7, 13, 15], FlatIndex::Onnx { batch: 0 }), Ok([0xFF]));
    // A window that reaches beyond a smaller output, or into the padding, has no place there.
    let small = MaxUnpool::plan_to(Shape::new(1, 1, 1), g, 1, 2).unwrap();
    assert_eq!(small.pack::<1>(&[2], FlatIndex::Onnx { batch: 0 }), Err(range("the row of an index", 1, 0, 0)));
    let padded = MaxUnpool::plan(
        Shape::new(1, 2, 1),
        Geometry::new(1, 3).stride(1, 2).padding(Padding { left: 1, ..Padding::default() }),
    );
    assert_eq!(padded.unwrap().pack::<1>(&[0, 0], FlatIndex::Torch), Err(range("the column of an index", 0, 1, 3)));
}

#[test]
fn padding() {
    let pad = |rows, columns, fill: Fill<i8>| Pad::plan(Shape::new(3, 4, 2), rows, columns, fill).map(|_| ());
    let value = Fill::Value(0);
    assert_eq!(pad([2, 2], [3, 3], Fill::Reflect), Ok(()));
    assert_eq!(pad([3, 0], [0, 0], Fill::Reflect), Err(range("padding top", 3, -3, 2)));
    assert_eq!(pad([0, 0], [0, 4], Fill::Reflect), Err(range("padding right", 4, -4, 3)));
    assert_eq!(pad([3, 3], [4, 4], Fill::Wrap), Ok(()));
    assert_eq!(pad([0, 4], [0, 0], Fill::Wrap), Err(range("padding bottom", 4, -3, 3)));
    assert_eq!(pad([0, 0], [-4, 9], value), Ok(()));
    assert_eq!(pad([0, 0], [-5, 9], value), Err(range("padding left", -5, -4, 32767)));
    assert_eq!(pad([-2, -1], [0, 0], value), Err(Error::NoOutput { axis: "height", size: 0 }));
    assert_eq!(pad([0, 0], [-3, -3], Fill::Replicate), Err(Error::NoOutput { axis: "width", size: -2 }));
    assert_eq!(pad([32767, 0], [0, 0], value), Err(range("output height", 32770, 1, 32767)));
    assert_eq!(pad([isize::MAX, 0], [0, 0], value), Err(range("padding top", isize::MAX as i64, -3, 32767)));
}

const ONE: Quant = Quant::new(1.0, 0);

fn operands(a: Quant, b: Quant, y: Quant) -> Operands {
    Operands { a, b, y, activation: Activation::None, rounding: R }
}

#[test]
fn concatenation() {
    let s = Shape::new(2, 3, 4);
    let concat = |along, other| Concat::<i8, 2>::plan(along, [(s, ONE), (other, ONE)], ONE, R).map(|_| ());
    assert_eq!(concat(Along::Channels, Shape::new(2, 3, 9)), Ok(()));
    assert_eq!(concat(Along::Channels, Shape::new(1, 3, 9)), Err(range("an input's height", 1, 2, 2)));
    assert_eq!(concat(Along::Channels, Shape::new(2, 4, 9)), Err(range("an input's width", 4, 3, 3)));
    assert_eq!(concat(Along::Height, Shape::new(7, 3, 5)), Err(range("an input's channels", 5, 4, 4)));
    assert_eq!(concat(Along::Width, Shape::new(1, 9, 4)), Err(range("an input's height", 1, 2, 2)));
    assert_eq!(concat(Along::Height, Shape::new(0, 3, 4)), Err(Error::Zero { what: "input height" }));
    assert_eq!(concat(Along::Height, Shape::new(32767, 3, 4)), Err(range("output height", 32769, 1, 32767)));
    let none = Concat::<i8, 0>::plan(Along::Height, [], ONE, R).unwrap_err();
    assert_eq!(none, Error::Zero { what: "the number of inputs" });
    let bad = |x, y| Concat::<i8, 1>::plan(Along::Height, [(s, x)], y, R).unwrap_err();
    assert_eq!(bad(Quant::new(0.0, 0), ONE), Error::Scale { what: "the input scale" });
    assert_eq!(bad(ONE, Quant::new(1.0, 128)), range("the output zero point", 128, -128, 127));
}

#[test]
fn arithmetic() {
    let s = Shape::new(2, 3, 4);
    let add = |b, o| Add::plan::<i8>(s, b, o).map(|_| ());
    let fine = operands(ONE, ONE, ONE);
    for (h, w) in [(2, 3), (1, 3), (2, 1), (1, 1)] {
        assert_eq!(add(Shape::new(h, w, 4), fine), Ok(()));
    }
    assert_eq!(add(Shape::new(3, 3, 4), fine), Err(range("the second input's height", 3, 2, 2)));
    assert_eq!(add(Shape::new(2, 2, 4), fine), Err(range("the second input's width", 2, 3, 3)));
    assert_eq!(add(Shape::new(2, 3, 1), fine), Err(range("the second input's channels", 1, 4, 4)));
    assert_eq!(Add::plan::<i8>(Shape::new(1, 3, 4), s, fine).unwrap_err(), range("the second input's height", 2, 1, 1));
    let zero = Quant::new(1.0, -129);
    assert_eq!(add(s, operands(zero, ONE, ONE)), Err(range("the first input's zero point", -129, -128, 127)));
    assert_eq!(add(s, operands(ONE, zero, ONE)), Err(range("the second input's zero point", -129, -128, 127)));
    assert_eq!(add(s, operands(ONE, ONE, zero)), Err(range("the output zero point", -129, -128, 127)));
    let scale = Quant::new(f32::NAN, 0);
    assert_eq!(add(s, operands(scale, ONE, ONE)), Err(Error::Scale { what: "the first input's scale" }));
    assert_eq!(
        Sub::plan::<i8>(s, s, operands(ONE, scale, ONE)).unwrap_err(),
        Error::Scale { what: "the second input's scale" }
    );
    let tiny = Quant::new(1e-30, 0);
    assert_eq!(add(s, operands(ONE, ONE, tiny)), Err(Error::Scale { what: "the ratio of scales" }));
    // A product of two 16-bit values fits 31 bits only around zero points near 0.
    let mul = |a, b| Mul::plan::<i16>(s, s, operands(Quant::new(1.0, a), Quant::new(1.0, b), ONE)).map(|_| ());
    assert_eq!(mul(0, 0), Ok(()));
    let bound = (32768 + 32767) * (32768 + 300);
    assert_eq!(mul(32767, 300), Err(Error::Overflow { channel: 0, bound, max: i32::MAX as u64 }));
}

#[test]
fn sums_by_shifts() {
    let s = Shape::new(1, 1, 1);
    let plan =
        |a, b, y| Add::plan_shift(s, s, operands(Quant::new(a, 0), Quant::new(b, 0), Quant::new(y, 0))).map(|_| ());
    let scales =
        Error::Unsupported { what: "a sum by shifts whose scales are not two equal powers of two and a smaller one" };
    assert_eq!(plan(0.25, 0.25, 0.25), Ok(()));
    assert_eq!(plan(0.25 / 32768.0, 0.25, 0.25), Ok(()));
    for (a, b, y) in
        [(0.25 / 65536.0, 0.25, 0.25), (0.25, 0.25, 0.5), (0.5, 0.25, 0.25), (0.25, 0.25, 0.3), (0.1, 0.25, 0.25)]
    {
        assert_eq!(plan(a, b, y), Err(scales), "{a} {b} {y}");
    }
    let (half, off) = (Quant::new(0.5, 0), Quant::new(0.5, 1));
    let zero = |what| range(what, 1, 0, 0);
    let sub = |a, b, y| Sub::plan_shift(s, s, operands(a, b, y)).unwrap_err();
    assert_eq!(sub(off, half, half), zero("the first input's zero point"));
    assert_eq!(sub(half, off, half), zero("the second input's zero point"));
    assert_eq!(sub(half, half, off), zero("the output zero point"));
}

#[test]
fn clamps_that_hold_no_number() {
    let s = Shape::new(1, 1, 1);
    let add = |min, max| {
        let activation = Activation::Clamp { min, max };
        Add::plan::<i8>(s, s, Operands { activation, ..operands(ONE, ONE, ONE) }).err()
    };
    let empty = Some(Error::Unsupported { what: "a clamp whose smallest output is above its largest" });
    assert_eq!((add(1.0, 1.0), add(f32::NEG_INFINITY, f32::INFINITY)), (None, None));
    assert_eq!([add(1.0, 0.5), add(f32::NAN, 1.0), add(0.0, f32::NAN)], [empty; 3]);
}

#[test]
fn join_buffers() {
    let s = Shape::new(2, 3, 1);
    let join = Concat::<i8, 2>::plan(Along::Width, [(s, ONE), (s, ONE)], ONE, R).unwrap();
    let whole =
        |a: usize, b: usize, y: usize| BoundJoin::whole(&join, [&vec![0; a][..], &vec![0; b]], &mut vec![0; y]).err();
    assert_eq!((whole(6, 6, 12), whole(6, 5, 12)), (None, Some(length("the input", 5, 6))));
    assert_eq!(whole(6, 6, 6), Some(length("the output", 6, 12)));
    assert_eq!(BoundJoin::rows(&join, [&[0; 6], &[0; 6]], &mut [0; 12]).err(), Some(length("the output", 12, 6)));
    let three = BoundJoin::whole(&join, [&[0; 6], &[0; 6], &[0; 6]], &mut [0; 12]).err();
    assert_eq!(three, Some(length("the inputs of a join", 3, 2)));
}

/// The errors that every function with an input and an output scale gives.
fn scales_and_zero_points<T: Element>(plan: impl Fn(Quant, Quant) -> Result<(), Error>) {
    let (min, max) = (i64::from(T::MIN), i64::from(T::MAX));
    for (x, y, error) in [
        (Quant::new(-1.0, 0), ONE, Error::Scale { what: "the input scale" }),
        (ONE, Quant::new(f32::INFINITY, 0), Error::Scale { what: "the output scale" }),
        (Quant::new(1.0, T::MAX + 1), ONE, range("the input zero point", max + 1, min, max)),
        (ONE, Quant::new(1.0, T::MIN - 1), range("the output zero point", min - 1, min, max)),
    ] {
        assert_eq!(plan(x, y), Err(error));
    }
}

#[test]
fn functions() {
    scales_and_zero_points::<i8>(|x, y| Table8::sigmoid(x, y).map(|_| ()));
    scales_and_zero_points::<i8>(|x, y| Table8::tanh(x, y).map(|_| ()));
    scales_and_zero_points::<i8>(|x, y| Table8::hard_swish(x, y).map(|_| ()));
    scales_and_zero_points::<i8>(|x, y| Table8::leaky_relu(x, y, 0.1, R).map(|_| ()));
    scales_and_zero_points::<i16>(|x, y| Table16::hard_swish(x, y).map(|_| ()));
    scales_and_zero_points::<i16>(|x, y| LeakyRelu::<i16>::plan(x, y, 0.1, R).map(|_| ()));
    scales_and_zero_points::<i8>(|x, y| Requantize::<i8, i8>::plan(x, y, R).map(|_| ()));
    let wide = Quant::new(1.0, 300);
    assert_eq!(Requantize::<i8, i16>::plan(wide, ONE, R).unwrap_err(), range("the input zero point", 300, -128, 127));
    assert_eq!(Requantize::<i16, i8>::plan(ONE, wide, R).unwrap_err(), range("the output zero point", 300, -128, 127));

    let ratio = Error::Scale { what: "the ratio of scales" };
    assert_eq!(Requantize::<i8, i8>::plan(ONE, Quant::new(1e-10, 0), R).unwrap_err(), ratio);
    for alpha in [f32::NAN, f32::INFINITY, -1e38] {
        assert_eq!(LeakyRelu::<i8>::plan(ONE, ONE, alpha, R).unwrap_err(), ratio);
    }
    let steep = Error::Unsupported { what: "hard-swish to an output scale below 1/128 of the input scale" };
    assert!(Table8::hard_swish(ONE, Quant::new(0.00782, 0)).is_ok());
    assert_eq!(Table8::hard_swish(ONE, Quant::new(0.0078, 0)).unwrap_err(), steep);
    assert_eq!(
        Table8::from_values(&[0.0; 256], Quant::new(0.0, 0)).unwrap_err(),
        Error::Scale { what: "the output scale" }
    );

    assert_eq!(Gate16::sigmoid(Quant::new(0.0, 0)).unwrap_err(), Error::Scale { what: "the input scale" });
    assert_eq!(Gate16::tanh(Quant::new(0.1, 1)).unwrap_err(), range("the input zero point", 1, 0, 0));
    assert!(Gate16::tanh(Quant::new(5.33, 0)).is_ok());
    assert_eq!(
        Gate16::tanh(Quant::new(5.4, 0)).unwrap_err(),
        range("the input scale in units of 1/12288", 66355, 0, 65535)
    );
    let table = Table8::sigmoid(ONE, ONE).unwrap();
    assert_eq!(Elementwise::plan(Shape::new(1, 0, 1), &table).unwrap_err(), Error::Zero { what: "input width" });
}
