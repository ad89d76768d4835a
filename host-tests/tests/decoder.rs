//! What decoders need, by their own figures, what they refuse, and that every row is computed once.

use std::sync::atomic::{AtomicUsize, Ordering};
use upconv::*;

const Q: Quant = Quant::new(0.25, 0);
static MULTIPLIER: [Multiplier; 1] = must!(Multiplier::per_channel(0.25, &[0.03], 0.25));
const QUANT: Quantization<'static> = Quantization {
    x: Q,
    y: Q,
    multipliers: &MULTIPLIER,
    activation: Activation::None,
    rounding: Rounding::TfliteSingle,
};

/// A static convolution with weights that repeat after a prime number.
macro_rules! layer {
    ($name:ident = $plan:expr) => {
        static $name: Convolution<i8> = {
            const PLAN: Plan = must!($plan);
            const WEIGHTS: [i8; PLAN.weight_len()] = {
                let (mut w, mut i) = ([0; PLAN.weight_len()], 0);
                while i < w.len() {
                    w[i] = (i % 101) as i8 - 50;
                    i += 1;
                }
                w
            };
            static PACKED: [i8; PLAN.weight_len()] = WEIGHTS;
            must!(Weights { packed: &PACKED, bias: &[] as &[i32] }.layer(&PLAN, QUANT))
        };
    };
}

const UP: Geometry = Geometry::square(4).stride(2, 2).pad(1);

/// Runs a decoder on one whole input, checks it against its layers run one by one, and returns the peak of both plans in bytes.
fn chain<const N: usize>(nodes: [Node<'_, i8>; N], layers: &[&dyn Layer<i8>]) -> [usize; 2] {
    let mut tensor: Vec<i8> = (0..layers[0].input().len()).map(|i| (i * 37 % 251) as i8).collect();
    let x = tensor.clone();
    for layer in layers {
        let mut y = vec![0; layer.output().len()];
        Bound::whole(*layer, &tensor, &mut y).unwrap().run();
        tensor = y;
    }
    [Decoder::plan, Decoder::layer_by_layer].map(|plan| {
        let decoder = plan(nodes).unwrap();
        let (mut memory, mut y) = (vec![0x55; decoder.need()], vec![0x55; tensor.len()]);
        let mut inputs = [Input::Whole(&x)];
        decoder.bind(&mut inputs, &mut memory, &mut y).unwrap().run().unwrap();
        assert_eq!(y, tensor);
        decoder.peak()
    })
}

layer!(A1 = ConvTranspose::plan(Shape::new(4, 4, 64), 32, UP));
layer!(A2 = ConvTranspose::plan(Shape::new(8, 8, 32), 16, UP));
layer!(A3 = ConvTranspose::plan(Shape::new(16, 16, 16), 8, UP));
layer!(A4 = ConvTranspose::plan(Shape::new(32, 32, 8), 1, UP));

#[test]
fn four_transposed_convolutions_need_two_rows_each() {
    let nodes = [Node::whole(Shape::new(4, 4, 64)), A1.node(0), A2.node(1), A3.node(2), A4.node(3)];
    let [rows, layers] = chain(nodes, &[&A1, &A2, &A3, &A4]);
    // Two rows of 256 values of each tensor and one output row; 16x16x16 and 32x32x8 at once and one output row.
    assert_eq!((rows, layers), (3 * 2 * 256 + 64, 4096 + 8192 + 64));
}

layer!(B1 = ConvTranspose::plan(Shape::new(1, 1, 32), 32, Geometry::square(4)));
layer!(B2 = ConvTranspose::plan(Shape::new(4, 4, 32), 24, UP));
layer!(B3 = ConvTranspose::plan(Shape::new(8, 8, 24), 20, UP));
layer!(B4 = ConvTranspose::plan(Shape::new(16, 16, 20), 16, UP));
layer!(B5 = ConvTranspose::plan(Shape::new(32, 32, 16), 14, UP));
layer!(B6 = ConvTranspose::plan(Shape::new(64, 64, 14), 12, UP));
layer!(B7 = Conv::plan(Shape::new(128, 128, 12), 3, Geometry::square(3).pad(1)));

/// Planned at compile time, for 14 KB of RAM less what the stack may take.
static BIG: Decoder<i8, 8> = {
    const PLAN: Decoder<i8, 8> = must!(Decoder::plan([
        Node::whole(Shape::new(1, 1, 32)),
        B1.node(0),
        B2.node(1),
        B3.node(2),
        B4.node(3),
        B5.node(4),
        B6.node(5),
        B7.node(6),
    ]));
    must!(PLAN.within(9216))
};

#[test]
fn a_picture_twelve_times_the_ram_needs_nine_kilobytes() {
    let layers: [&Convolution<i8>; 7] = [&B1, &B2, &B3, &B4, &B5, &B6, &B7];
    let nodes: [_; 8] = std::array::from_fn(|n| match n {
        0 => Node::whole(Shape::new(1, 1, 32)),
        _ => layers[n - 1].node(n - 1),
    });
    let [rows, whole] = chain(nodes, &layers.map(|l| l as &dyn Layer<i8>));
    let rings = 2 * (4 * 32 + 8 * 24 + 16 * 20 + 32 * 16 + 64 * 14) + 3 * 128 * 12;
    assert_eq!((rows, BIG.peak()), (rings + 128 * 3, rows));
    assert_eq!(whole, 64 * 64 * 14 + 128 * 128 * 12 + 128 * 3);
    assert_eq!(BIG.rows(6), Some((3, 128)));
}

layer!(C1 = ConvTranspose::plan(Shape::new(32, 32, 16), 8, Geometry::square(2).stride(2, 2)));
layer!(C3 = Conv::plan(Shape::new(64, 64, 16), 8, Geometry::square(3).pad(1)));
static C2: Concat<i8, 2> = must!(Concat::plan(
    Along::Channels,
    [(Shape::new(64, 64, 8), Q), (Shape::new(64, 64, 8), Q)],
    Q,
    Rounding::TfliteSingle
));

#[test]
fn a_u_net_stage_never_holds_its_concatenation() {
    let nodes = [
        Node::whole(Shape::new(32, 32, 16)),
        C1.node(0),
        Node::whole(Shape::new(64, 64, 8)),
        C2.node(&[1, 2]),
        C3.node(3),
    ];
    let (rows, whole) = (Decoder::plan(nodes).unwrap(), Decoder::layer_by_layer(nodes).unwrap());
    assert_eq!(rows.need(), 64 * 8 + 3 * 64 * 16);
    assert_eq!(whole.need(), 64 * 64 * 8 + 64 * 64 * 16);
    // With input and skip in RAM beside them.
    let inputs = 32 * 32 * 16 + 64 * 64 * 8;
    assert!(100 * (inputs + rows.peak()) < 65 * (inputs + whole.peak()));
}

#[test]
fn early_tensors_are_whole_where_that_saves_memory() {
    // 1x1x16 -> 2x2x64, which is then read as 1x8x32: complete before it is read.
    let first = Upsample::nearest(Shape::new(1, 1, 16), 2, 8).unwrap();
    let second = Upsample::nearest(Shape::new(1, 8, 32), 4, 1).unwrap();
    let decoder = Decoder::<i8, 3>::plan([Node::whole(Shape::new(1, 1, 16)), first.node(0), second.node(1)]).unwrap();
    assert_eq!((decoder.rows(1), decoder.need()), (Some((2, 2)), 256));
    // Four rows of 16x4 on either side of a 4x4x4 bottleneck: whole, it parts the two in time, so that they share memory.
    let (wide, narrow) = (Shape::new(16, 16, 4), Shape::new(4, 4, 4));
    let smooth = Upsample::bicubic(wide, Resize::to(16, 16), Cubic::Pytorch).unwrap();
    let (down, up) = (Upsample::area(wide, 4, 4).unwrap(), Upsample::nearest(narrow, 4, 4).unwrap());
    let nodes = [Node::rows(wide), smooth.node(0), down.node(1), up.node(2), smooth.node(3)];
    let decoder = Decoder::<i8, 5>::plan(nodes).unwrap();
    assert_eq!((decoder.rows(1), decoder.rows(2)), (Some((4, 16)), Some((4, 4))));
    assert_eq!(decoder.need(), 2 * 4 * 64 + 64);
}

struct Counted(AtomicUsize);

impl Pointwise<i8> for Counted {
    fn at(&self, x: i8) -> i8 {
        self.0.fetch_add(1, Ordering::Relaxed);
        x.wrapping_add(1)
    }
}

struct Tensor<'a> {
    rest: &'a [i8],
    asked: usize,
}

impl RowSource<i8> for Tensor<'_> {
    fn next_row(&mut self, row: &mut [i8]) -> bool {
        let (now, rest) = self.rest.split_at(row.len());
        row.copy_from_slice(now);
        self.rest = rest;
        self.asked += 1;
        true
    }
}

#[test]
fn rows_that_several_nodes_read_are_computed_once() {
    let shape = Shape::new(9, 5, 2);
    let counted = Counted(AtomicUsize::new(0));
    let each = Elementwise::plan(shape, &counted).unwrap();
    let plan = Conv::plan(shape, 2, Geometry::square(5).pad(2)).unwrap();
    let conv = Weights { packed: &[1i8; 100], bias: &[] as &[i32] }.layer::<i8>(&plan, QUANT).unwrap();
    let operands = Operands { a: Q, b: Q, y: Q, activation: Activation::None, rounding: Rounding::TfliteSingle };
    let add = Add::plan(shape, shape, operands).unwrap();
    let decoder = Decoder::plan([
        Node::rows(shape),
        each.node(0),
        conv.node(1),
        add.node(&[1, 2]),
        add.node(&[3, 1]),
        add.node(&[0, 4]),
    ])
    .unwrap();
    let x: Vec<i8> = (0..90).collect();
    let mut source = Tensor { rest: &x, asked: 0 };
    let (mut memory, mut row) = (vec![0; decoder.need()], [0; 10]);
    let mut inputs = [Input::Rows(&mut source)];
    let mut bound = decoder.bind(&mut inputs, &mut memory, &mut row).unwrap();
    let mut rows = 0;
    while bound.next_row().is_some() {
        rows += 1;
    }
    assert_eq!((rows, source.asked, counted.0.into_inner()), (9, 9, 90));
}

#[test]
fn signals_go_on_beyond_the_largest_tensor() {
    // A period of 50 samples in, one of 100 out, 300,000 samples long: ten times the largest side.
    let up = Upsample::bilinear(Shape::new(16, 1, 1), Resize::to(32, 1), Numerics::Exact).unwrap();
    let decoder = Decoder::<i16, 2>::endless([Node::rows(Shape::new(16, 1, 1)), up.node(0)]).unwrap();
    assert_eq!(decoder.need(), 2);
    let (mut inputs, mut memory, mut row) = ([Input::Pushed], [0; 2], [0]);
    let mut stream = decoder.bind(&mut inputs, &mut memory, &mut row).unwrap();
    let mut y = vec![];
    for chunk in 0..3000 {
        let samples: Vec<i16> = (0..100).map(|i| (i % 50) * 8).collect();
        let (mut first, mut second) = samples.split_at(chunk % 100);
        for chunk in [&mut first, &mut second] {
            while let Some(row) = stream.push(chunk) {
                y.push(row[0]);
            }
        }
    }
    stream.finish().unwrap();
    while let Some(row) = stream.next_row() {
        y.push(row[0]);
    }
    assert_eq!(y.len(), 600_000);
    assert!(y.windows(101).skip(1).take(599_000).all(|w| w[0] == w[100]));
    assert_eq!((y[0], y[1], y[2], y[599_999]), (0, 2, 6, 49 * 8));
}

#[test]
fn what_does_not_fit_is_refused() {
    let shape = Shape::new(4, 4, 2);
    let up = Upsample::nearest(shape, 2, 2).unwrap();
    let node = |what, node, got, need| Error::Node { what, node, got, need };
    fn plan<const N: usize>(nodes: [Node<'_, i8>; N]) -> Error {
        Decoder::plan(nodes).err().unwrap()
    }
    assert_eq!(plan([]), Error::Zero { what: "the number of nodes" });
    assert_eq!(plan([Node::whole(shape)]), node("operators at the end", 0, 0, 1));
    let range = Error::Range { what: "a node that a node reads", got: 1, min: 0, max: 0 };
    assert_eq!(plan([Node::whole(shape), up.node(1)]), range);
    assert_eq!(plan([Node::whole(Shape::new(4, 4, 3)), up.node(0)]), node("values of what it reads", 1, 48, 32));
    assert_eq!(plan([Node::whole(shape), Node::rows(shape), up.node(1)]), node("nodes that read it", 0, 0, 1));
    let concat = Concat::plan(Along::Channels, [(shape, Q); 2], Q, Rounding::TfliteSingle).unwrap();
    assert_eq!(plan([Node::whole(shape), concat.node(&[0])]), node("inputs of its join", 1, 1, 2));
    assert_eq!(plan([Node::whole(shape), concat.node(&[0, 0, 0])]), node("inputs of its join", 1, 3, 2));
    let nine = Concat::plan(Along::Height, [(shape, Q); 9], Q, Rounding::TfliteSingle).unwrap();
    let refused = plan([Node::whole(shape), nine.node(&[0; 9])]);
    assert_eq!(refused, Error::Range { what: "the inputs of a join", got: 9, min: 1, max: 8 });

    let decoder = Decoder::<i8, 2>::plan([Node::rows(shape), up.node(0)]).unwrap();
    let (mut memory, mut row, whole) = ([0; 9], [0; 16], [0; 32]);
    let bind = |mut inputs: Vec<Input<'_, i8>>, memory: &mut [i8], y: usize| {
        decoder.bind(&mut inputs, memory, &mut [0; 16][..y]).err()
    };
    let length = |what, got, need| Some(Error::Length { what, got, need });
    assert_eq!(bind(vec![Input::Pushed], &mut memory[..8], 16), None);
    assert_eq!(bind(vec![Input::Pushed], &mut memory[..7], 16), length("the decoder's memory", 7, 8));
    assert_eq!(bind(vec![Input::Pushed], &mut memory, 16), length("the decoder's memory", 9, 8));
    assert_eq!(bind(vec![Input::Pushed], &mut memory[..8], 15), length("the output", 15, 128));
    assert_eq!(bind(vec![], &mut memory[..8], 16), length("the inputs of the decoder", 0, 1));
    let unsupported = |what| Some(Error::Unsupported { what });
    let refused = bind(vec![Input::Whole(&whole)], &mut memory[..8], 16);
    assert_eq!(refused, unsupported("a whole tensor where the plan has rows"));
    let decoder = Decoder::<i8, 2>::plan([Node::whole(shape), up.node(0)]).unwrap();
    let refused = decoder.bind(&mut [Input::Pushed], &mut [], &mut row).err();
    assert_eq!(refused, unsupported("rows where the plan has a whole tensor"));
    let refused = decoder.bind(&mut [Input::Whole(&whole[1..])], &mut [], &mut row).err();
    assert_eq!(refused, length("an input", 31, 32));

    let missing = decoder.within(15).err().unwrap();
    assert_eq!(missing, Error::Memory { need: 16, bytes: 15 });
    assert_eq!(missing.to_string(), "the decoder needs 16 bytes of RAM, 1 more than there are");
    let sentence = node("values of what it reads", 1, 48, 32).to_string();
    assert_eq!(sentence, "node 1: 48 values of what it reads, but it needs 32");
}

/// Gives the rows of a tensor; before the third one it has none for now, once.
struct Slow<'a>(Tensor<'a>, bool);

impl RowSource<i8> for Slow<'_> {
    fn next_row(&mut self, row: &mut [i8]) -> bool {
        let waits = self.0.asked == 2 && !std::mem::replace(&mut self.1, true);
        !waits && !self.0.rest.is_empty() && self.0.next_row(row)
    }
}

/// Counts what it gets.
#[derive(Default)]
struct Heard(usize, usize, bool);

impl RowSink<i8> for Heard {
    type Error = &'static str;

    fn begin(&mut self, _: Shape) -> Result<(), &'static str> {
        self.0 += 1;
        Ok(())
    }

    fn row(&mut self, y: usize, _: &[i8]) -> Result<(), &'static str> {
        self.1 += 1;
        if y == 5 { Err("the display is gone") } else { Ok(()) }
    }

    fn end(&mut self) -> Result<(), &'static str> {
        self.2 = true;
        Ok(())
    }
}

#[test]
fn a_picture_that_is_cut_off_is_told() {
    let up = Upsample::nearest(Shape::new(4, 1, 1), 2, 1).unwrap();
    let decoder = Decoder::<i8, 2>::plan([Node::rows(Shape::new(4, 1, 1)), up.node(0)]).unwrap();
    let rows = |got| Error::Rows { got, need: 8 };
    assert_eq!(rows(4).to_string(), "an input has no more rows: 4 of 8 output rows were computed");
    let source = |rest| Slow(Tensor { rest, asked: 0 }, false);

    // The output keeps what it was from there on, and goes on when it is asked again.
    let (mut memory, mut y) = ([0; 1], [9; 8]);
    let mut slow = source(&[1, 2, 3, 4]);
    let mut inputs = [Input::Rows(&mut slow)];
    let mut bound = decoder.bind(&mut inputs, &mut memory, &mut y).unwrap();
    assert_eq!(bound.complete(), Err(rows(0)));
    assert_eq!((bound.run(), bound.complete()), (Err(rows(4)), Err(rows(4))));
    while bound.next_row().is_some() {}
    assert_eq!(bound.complete(), Ok(()));
    // Nobody rewinds a source.
    assert_eq!(bound.run(), Err(rows(0)));
    assert_eq!(y, [1, 1, 2, 2, 3, 3, 4, 4]);

    let sent = |rest: &'static [i8]| {
        let (mut slow, mut memory, mut row, mut heard) = (source(rest), [0; 1], [0; 1], Heard::default());
        let mut inputs = [Input::Rows(&mut slow)];
        let sent = decoder.bind(&mut inputs, &mut memory, &mut row).unwrap().send(&mut heard);
        (sent, heard.0, heard.1, heard.2)
    };
    assert_eq!(sent(&[1, 2]), (Err(SendError::Decoder(rows(4))), 1, 4, false));
    for (len, expected) in [(5, Ok(())), (6, Err(SendError::Sink("the display is gone")))] {
        let up = Upsample::nearest(Shape::new(1, 1, 1), len, 1).unwrap();
        let decoder = Decoder::<i8, 2>::plan([Node::whole(Shape::new(1, 1, 1)), up.node(0)]).unwrap();
        let (mut row, mut heard) = ([0; 1], Heard::default());
        let sent = decoder.bind(&mut [Input::Whole(&[1])], &mut [], &mut row).unwrap().send(&mut heard);
        assert_eq!((sent, heard.1, heard.2), (expected, len, len == 5));
    }

    // What can never come in one call does not start.
    let refused = |decoder: &Decoder<'_, i8, 2>, what| {
        let (mut memory, mut row, mut heard) = (vec![0; decoder.need()], [0; 1], Heard::default());
        let mut inputs = [Input::Pushed];
        let mut bound = decoder.bind(&mut inputs, &mut memory, &mut row).unwrap();
        let error = Error::Unsupported { what };
        assert_eq!(bound.run(), Err(error));
        assert_eq!((bound.send(&mut heard), heard.0), (Err(SendError::Decoder(error)), 0));
        bound.complete()
    };
    assert_eq!(refused(&decoder, "a pushed input in one call"), Err(rows(0)));
    let endless = Decoder::endless([Node::rows(Shape::new(4, 1, 1)), up.node(0)]).unwrap();
    let open = Error::Unsupported { what: "the end of a signal that goes on" };
    assert_eq!(refused(&endless, "a signal without end in one call"), Err(open));
}

#[test]
fn signals_that_do_not_repeat_are_refused() {
    let s = Shape::new(16, 1, 1);
    fn endless<const N: usize>(nodes: [Node<'_, i8>; N]) -> Error {
        Decoder::endless(nodes).err().unwrap()
    }
    let corners =
        Upsample::bilinear(s, Resize::to(31, 1).coordinates(Coordinates::AlignCorners), Numerics::Exact).unwrap();
    let no_period = Error::Unsupported { what: "an operator whose rows do not repeat in an endless decoder" };
    assert_eq!(endless([Node::rows(s), corners.node(0)]), no_period);
    let up = Upsample::nearest(s, 2, 1).unwrap();
    assert_eq!(
        endless([Node::whole(s), up.node(0)]),
        Error::Unsupported { what: "a whole tensor in an endless decoder" }
    );
    let short = Shape::new(4, 1, 1);
    let plan =
        Conv::plan(short, 1, Geometry::new(5, 1).padding(Padding { top: 2, bottom: 2, ..Padding::default() })).unwrap();
    let conv = Weights { packed: &[1i8; 5], bias: &[] as &[i32] }.layer::<i8>(&plan, QUANT).unwrap();
    let too_small = Error::Range { what: "the planned height", got: 4, min: 5, max: MAX_SIDE as i64 };
    assert_eq!(endless([Node::rows(short), conv.node(0)]), too_small);

    // Planned at 16 with a period of 2: a signal of 17 has no plan, and one of 4 sees both borders at once.
    let plan =
        Conv::plan(s, 1, Geometry::new(3, 1).stride(2, 1).padding(Padding { top: 1, ..Padding::default() })).unwrap();
    let conv = Weights { packed: &[1i8; 3], bias: &[] as &[i32] }.layer::<i8>(&plan, QUANT).unwrap();
    let decoder = Decoder::endless([Node::rows(s), conv.node(0)]).unwrap();
    let (mut memory, mut row) = (vec![0; decoder.need()], [0]);
    let mut inputs = [Input::Pushed];
    let mut stream = decoder.bind(&mut inputs, &mut memory, &mut row).unwrap();
    let mut finish = |n: usize| {
        stream.restart();
        let (signal, mut rows) = ([0; 32], 0);
        let mut rest = &signal[..n];
        while stream.push(&mut rest).is_some() {
            rows += 1;
        }
        stream.finish()?;
        while stream.next_row().is_some() {
            rows += 1;
        }
        Ok(rows)
    };
    let odd = finish(17).unwrap_err();
    assert!(matches!(odd, Error::NotDivisible { what: "rows up to the planned height", by: 2, .. }), "{odd}");
    assert_eq!((finish(16), finish(18), finish(32)), (Ok(8), Ok(9), Ok(16)));
    assert_eq!(finish(0), Err(Error::Length { what: "the signal", got: 0, need: 16 }));
}

static VARIED: [i8; 64] = {
    let (mut w, mut i) = ([0; 64], 0);
    while i < 64 {
        w[i] = (i * 29 % 101) as i8 - 50;
        i += 1;
    }
    w
};

fn along(plan: Result<Plan, Error>) -> Convolution<'static, i8> {
    let plan = plan.unwrap();
    Weights { packed: &VARIED[..plan.weight_len()], bias: &[] as &[i32] }.layer(&plan, QUANT).unwrap()
}

/// Two signals that meet, planned for `h` rows of one of them: one twice as fast beside the other, upsampled; or one of as many rows as taps without
/// padding leave of the other, and before it.
fn joined<R>(
    [beside, h]: [usize; 2],
    input: fn(Shape) -> Node<'static, i8>,
    run: impl FnOnce([Node<'_, i8>; 5], [Shape; 2]) -> R,
) -> R {
    let padded = |geometry: Geometry, pad| geometry.padding(Padding { top: pad, bottom: pad, ..Padding::default() });
    let x = Shape::new(h, 1, 2);
    if beside == 1 {
        let up = along(ConvTranspose::plan(x, 3, padded(Geometry::new(4, 1).stride(2, 1), 1)));
        let sides = [(Shape::new(2 * h, 1, 3), Q), (Shape::new(2 * h, 1, 1), Q)];
        let join = Concat::plan(Along::Channels, sides, Q, Rounding::TfliteSingle).unwrap();
        let mix = along(Conv::plan(Shape::new(2 * h, 1, 4), 2, padded(Geometry::new(5, 1), 2)));
        run([input(x), up.node(0), input(sides[1].0), join.node(&[1, 2]), mix.node(3)], [x, sides[1].0])
    } else {
        let other = Shape::new(h - 4, 1, 2);
        let operands = Operands { a: Q, b: Q, y: Q, activation: Activation::None, rounding: Rounding::TfliteSingle };
        let taps = along(Conv::plan(x, 2, Geometry::new(5, 1)));
        let (add, up) = (Add::plan(other, other, operands).unwrap(), Upsample::nearest(other, 3, 1).unwrap());
        run([input(other), input(x), taps.node(1), add.node(&[0, 2]), up.node(3)], [other, x])
    }
}

/// However far the counters are in the pattern of 24 rows by then; more than these is refused, and taken once it is pushed.
#[test]
fn a_signal_may_end_while_values_are_left() {
    let operands = Operands { a: Q, b: Q, y: Q, activation: Activation::None, rounding: Rounding::TfliteSingle };
    let (x, twice) = (Shape::new(24, 1, 1), Shape::new(48, 1, 1));
    let (up, add) = (Upsample::nearest(x, 2, 1).unwrap(), Add::plan(twice, twice, operands).unwrap());
    let decoder = Decoder::endless([Node::rows(x), up.node(0), Node::rows(twice), add.node(&[1, 2])]).unwrap();
    let [a, b]: [Vec<i8>; 2] = [60, 120].map(|n| (0..n).map(|i| (i * 7 % 61) as i8).collect());
    let expected: Vec<i8> = (0..120).map(|i| a[i / 2] + b[i]).collect();
    for cut in 34..60 {
        let (mut memory, mut row) = (vec![0; decoder.need()], [0]);
        let mut inputs = [Input::Pushed, Input::Pushed];
        let mut stream = decoder.bind(&mut inputs, &mut memory, &mut row).unwrap();
        let mut y = vec![];
        for part in [[0..cut, 0..2 * cut], [cut..60, 2 * cut..120]] {
            let mut values = [&a[part[0].clone()], &b[part[1].clone()]];
            if part[0].end == 60 {
                let refused = stream.finish_each(&values).err();
                let more = 60 - cut > 24;
                assert_eq!(
                    refused,
                    more.then_some(Error::Length { what: "the rows of an input", got: 60 - cut, need: 24 })
                );
            }
            while let Some(row) = stream.push_each(&mut values) {
                y.extend_from_slice(row);
            }
        }
        stream.finish().unwrap();
        assert_eq!((&y, stream.complete()), (&expected, Ok(())), "{cut}");
    }
}

#[test]
fn several_signals_are_pushed_side_by_side() {
    let mut state = 1u32;
    let mut random = move |below: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as usize % below
    };
    for case in 0..400 {
        let (beside, h) = (case % 2, 24 + random(60) * random(2));
        let x: Vec<i8> = (0..2 * h).map(|_| random(256) as u8 as i8).collect();
        let (expected, mut signals) = joined([beside, h], Node::whole, |nodes, shapes| {
            let decoder = Decoder::plan(nodes).unwrap();
            let (mut memory, mut y) = (vec![0; decoder.need()], vec![0; decoder.output().len()]);
            let mut inputs = shapes.map(|s| Input::Whole(&x[x.len() - s.len()..]));
            decoder.bind(&mut inputs, &mut memory, &mut y).unwrap().run().unwrap();
            (y, shapes.map(|s| x[x.len() - s.len()..].to_vec()))
        });
        // The second one may lack a row, have one too many, or lack the last value of one.
        let width = 2 - beside;
        let change = random(6) as isize - 3;
        match change {
            -1 | 1 => signals[1].resize(signals[1].len().wrapping_add_signed(change * width as isize), 0),
            2 if width > 1 => signals[1].truncate(signals[1].len() - 1),
            _ => {}
        }
        joined([beside, 24], Node::rows, |nodes, _| {
            let decoder = Decoder::endless(nodes).unwrap();
            let (mut memory, mut row) = (vec![0; decoder.need()], vec![0; decoder.output().row_len()]);
            let mut inputs = [Input::Pushed, Input::Pushed];
            let mut stream = decoder.bind(&mut inputs, &mut memory, &mut row).unwrap();
            let (mut taken, mut given, mut y) = ([0; 2], [0; 2], vec![]);
            let finished = loop {
                given = [0, 1].map(|k| signals[k].len().min(given[k] + random(9)));
                let mut values = [0, 1].map(|k| &signals[k][taken[k]..given[k]]);
                while let Some(row) = stream.push_each(&mut values) {
                    y.extend_from_slice(row);
                }
                taken = [0, 1].map(|k| given[k] - values[k].len());
                // One of the pattern's length may end at any time.
                if h == 24 || given == [0, 1].map(|k| signals[k].len()) {
                    values = [0, 1].map(|k| &signals[k][taken[k]..]);
                    let finished = stream.finish_each(&values);
                    while let Some(row) = stream.push_each(&mut values) {
                        y.extend_from_slice(row);
                    }
                    break finished.map(|()| assert_eq!((values, stream.complete()), ([&[][..]; 2], Ok(()))));
                }
            };
            match (change, finished) {
                (-1 | 1, Err(Error::Length { what: "the rows of an input", got, need })) => {
                    assert_eq!(got, need.wrapping_add_signed(change));
                }
                (2, Err(error)) if width > 1 => {
                    assert_eq!(error, Error::NotDivisible { what: "values in the last row", got: 1, by: 2 });
                }
                (_, finished) => {
                    assert_eq!((finished, change.abs() == 1, y == expected), (Ok(()), false, true), "case {case}");
                }
            }
        });
    }
}

#[test]
fn signals_that_meet_at_two_rates_are_refused() {
    let s = Shape::new(32, 1, 1);
    let operands = Operands { a: Q, b: Q, y: Q, activation: Activation::None, rounding: Rounding::TfliteSingle };
    let add = Add::plan(s, s, operands).unwrap();
    // Of the same height, but for the taps that find no row.
    let up = Upsample::nearest(s, 2, 1).unwrap();
    let plan = Conv::plan(Shape::new(64, 1, 1), 1, Geometry::new(33, 1)).unwrap();
    let crop = Weights { packed: &VARIED[..33], bias: &[] as &[i32] }.layer::<i8>(&plan, QUANT).unwrap();
    let nodes = [Node::rows(s), Node::rows(s), add.node(&[0, 1]), up.node(1), crop.node(3), add.node(&[2, 4])];
    let refused = Decoder::endless(nodes).err().unwrap();
    assert_eq!(refused, Error::Unsupported { what: "a join of different rates in an endless decoder" });

    let decoder = Decoder::endless([Node::rows(s), Node::rows(s), add.node(&[0, 1])]).unwrap();
    let mut source = Tensor { rest: &[], asked: 0 };
    let mut inputs = [Input::Pushed, Input::Rows(&mut source)];
    let refused = decoder.bind(&mut inputs, &mut [0; 2], &mut [0; 1]).err().unwrap();
    let what = "a row source beside other inputs of an endless decoder";
    assert_eq!(refused, Error::Unsupported { what });
}

fn leak<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

/// A layer of two channels from height h to another: one of several kinds that do that.
fn resample(h: usize, to: usize, from: usize, kind: usize) -> Node<'static, i8> {
    let padded = |g: Geometry, top, bottom| g.padding(Padding { top, bottom, ..Padding::default() });
    let x = Shape::new(h, 1, 2);
    let conv = |g: Geometry| along(Conv::plan(x, 2, g));
    if to < h {
        let s = h / to;
        let g = if kind.is_multiple_of(2) { Geometry::new(s, 1) } else { padded(Geometry::new(s + 2, 1), 1, 1) };
        return leak(conv(g.stride(s, 1))).node(from);
    }
    match (to / h, kind % 4) {
        (1, 0) => leak(conv(padded(Geometry::new(3, 1), 1, 1))).node(from),
        (1, 1) => leak(conv(padded(Geometry::new(4, 1), 3, 0))).node(from),
        (1, 2) => leak(conv(padded(Geometry::new(4, 1), 0, 3))).node(from),
        (1, _) => leak(conv(padded(Geometry::new(5, 1), 2, 2))).node(from),
        (s, 0) => leak(Upsample::nearest(x, s, 1).unwrap()).node(from),
        (s, 1) => leak(along(ConvTranspose::plan(x, 2, padded(Geometry::new(s + 2, 1).stride(s, 1), 1, 1)))).node(from),
        (s, 2) => leak(along(ConvTranspose::plan(x, 2, Geometry::new(s, 1).stride(s, 1)))).node(from),
        _ => leak(Upsample::bilinear(x, Resize::to(to, 1), Numerics::Exact).unwrap()).node(from),
    }
}

/// Three signals of these multiples of a height, brought to a common one, two of them added, resampled, added to the third.
#[derive(Clone, Copy, Debug)]
struct Joined {
    signals: [usize; 3],
    first: usize,
    second: [usize; 2],
    kinds: [usize; 8],
    turned: [bool; 2],
}

impl Joined {
    fn nodes(self, unit: usize, input: fn(Shape) -> Node<'static, i8>) -> ([Node<'static, i8>; 13], [Shape; 3]) {
        let Joined { signals, first, second: [up, down], kinds: k, turned } = self;
        let x = signals.map(|m| Shape::new(unit * m, 1, 2));
        let (first, second) = (unit * first, unit * first * up / down);
        let operands = Operands { a: Q, b: Q, y: Q, activation: Activation::None, rounding: Rounding::TfliteSingle };
        let add = |h: usize| leak(Add::plan(Shape::new(h, 1, 2), Shape::new(h, 1, 2), operands).unwrap());
        let pair = |a, b, turned| -> &'static [usize] { leak(if turned { [b, a] } else { [a, b] }) };
        let nodes = [
            input(x[0]),
            resample(x[0].h, unit, 0, k[0]),
            resample(unit, first, 1, k[1]),
            input(x[1]),
            resample(x[1].h, unit, 3, k[2]),
            resample(unit, first, 4, k[3]),
            add(first).node(pair(2, 5, turned[0])),
            resample(first, second, 6, k[4]),
            input(x[2]),
            resample(x[2].h, unit, 8, k[5]),
            resample(unit, second, 9, k[6]),
            add(second).node(pair(7, 10, turned[1])),
            resample(second, second, 11, k[7]),
        ];
        (nodes, x)
    }
}

#[test]
fn three_signals_of_any_rates_are_what_they_are_as_whole_tensors() {
    let mut state = 12345u32;
    let mut random = move |below: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as usize % below
    };
    let mut equal = 0;
    for case in 0..600 {
        let (first, factor) = (1 + random(4), 2 + random(2));
        let second = match random(3) {
            0 => [factor, 1],
            1 if first.is_multiple_of(factor) => [1, factor],
            _ => [1, 1],
        };
        let joined = Joined {
            signals: [(); 3].map(|()| 1 + random(4)),
            first,
            second,
            kinds: [(); 8].map(|()| random(16)),
            turned: [(); 2].map(|()| random(2) == 1),
        };
        let planned = 24 + random(30);
        let unit = (planned + random(60)).saturating_sub(random(2) * random(20));
        let values: Vec<i8> = (0..unit * 8).map(|_| random(256) as u8 as i8).collect();
        let (nodes, shapes) = joined.nodes(unit, Node::whole);
        let signals = shapes.map(|shape| &values[values.len() - shape.len()..]);
        let whole = Decoder::plan(nodes).unwrap();
        let (mut memory, mut expected) = (vec![0; whole.need()], vec![0; whole.output().len()]);
        let mut inputs = signals.map(Input::Whole);
        whole.bind(&mut inputs, &mut memory, &mut expected).unwrap().run().unwrap();

        let endless = match Decoder::endless(joined.nodes(planned, Node::rows).0) {
            Ok(endless) => endless,
            Err(Error::Range { what: "the planned height", .. }) => continue,
            Err(error) => panic!("case {case}: {error}, {joined:?}"),
        };
        let (mut memory, mut row) = (vec![0; endless.need()], vec![0; endless.output().row_len()]);
        let mut inputs = [const { Input::Pushed }; 3];
        let mut stream = endless.bind(&mut inputs, &mut memory, &mut row).unwrap();
        for _ in 0..2 {
            let (mut taken, mut given, mut y) = ([0; 3], [0; 3], vec![]);
            let step = 2 + random(40);
            while (0..3).any(|i| given[i] < signals[i].len()) {
                given = [0, 1, 2].map(|i| signals[i].len().min(given[i] + random(step)));
                let mut chunks = [0, 1, 2].map(|i| &signals[i][taken[i]..given[i]]);
                while let Some(row) = stream.push_each(&mut chunks) {
                    y.extend_from_slice(row);
                }
                taken = [0, 1, 2].map(|i| given[i] - chunks[i].len());
            }
            let mut left = [0, 1, 2].map(|i| &signals[i][taken[i]..]);
            match stream.finish_each(&left) {
                Ok(()) => {
                    while let Some(row) = stream.push_each(&mut left) {
                        y.extend_from_slice(row);
                    }
                    assert_eq!(stream.complete(), Ok(()), "case {case}: {joined:?}");
                    assert!(y == expected, "case {case}: {joined:?}, {planned} planned, {unit} came");
                    equal += 1;
                }
                // Other lengths than the pattern can have, or too short for it.
                Err(Error::NotDivisible { .. } | Error::Length { what: "the signal", .. }) => {}
                Err(error) => panic!("case {case}: {error}, {joined:?}"),
            }
            stream.restart();
        }
    }
    assert!(equal > 300, "{equal}");
}
