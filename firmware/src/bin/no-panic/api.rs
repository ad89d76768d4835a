//! The whole run-time interface, called with values that the optimiser cannot see.

use core::fmt::Write;
use core::hint::black_box;
use core::mem::MaybeUninit;
use fixed::types::extra::{U5, U12};
use fixed::types::{I1F7, I1F15};
use fixed::{FixedI8, FixedI16};
use upconv::*;

/// The linker starts here; nothing ever runs.
#[unsafe(no_mangle)]
extern "C" fn _start() {
    if let Err(error) = convolutions::<i8>().and_then(|()| convolutions::<i16>()) {
        black_box(error.message().as_str());
        let writer: &mut dyn Write = unknown();
        // Whether the text fits is the writer's affair.
        let _ = writer.write_fmt(format_args!("{error}"));
    }
    if folds::<i8>().and_then(|()| folds::<i16>()).is_err() {
        black_box(());
    }
    if rearrangements::<i8>().and_then(|()| rearrangements::<i16>()).is_err() {
        black_box(());
    }
    if joins::<i8>().and_then(|()| joins::<i16>()).and_then(|()| pointwise()).is_err() {
        black_box(());
    }
    if resizes::<i8>().and_then(|()| resizes::<i16>()).is_err() {
        black_box(());
    }
    if binary_point().and_then(|()| reals::<i8>()).and_then(|()| reals::<i16>()).is_err() {
        black_box(());
    }
    if decoder::<i8>().and_then(|()| decoder::<i16>()).is_err() {
        black_box(());
    }
}

/// Some value of any type, as far as the optimiser knows.
fn unknown<T>() -> T {
    // SAFETY: this program is linked and never run.
    unsafe { black_box(MaybeUninit::uninit()).assume_init() }
}

fn convolutions<T: Element>() -> Result<(), Error> {
    convolution::<T>(ConvTranspose::plan(unknown(), unknown(), unknown())?)?;
    convolution::<T>(Conv::plan(unknown(), unknown(), unknown())?)
}

fn convolution<T: Element>(plan: Plan) -> Result<(), Error> {
    black_box((plan.input(), plan.output(), plan.weight_len(), plan.macs()));
    plan.pack_into::<i8>(unknown(), unknown(), unknown())?;
    plan.pack_into::<T>(unknown(), unknown(), unknown())?;
    plan.pack_blocks::<T>(unknown(), unknown(), unknown(), unknown())?;
    let quantization: Quantization<'_> = unknown();
    black_box(quantization.activation.range::<T>(quantization.y));
    black_box(Multiplier::per_channel::<8>(unknown(), unknown(), unknown())?);
    black_box(Multiplier::new(unknown(), unknown())?);
    let multiplier = Multiplier::from_scales(unknown(), unknown(), unknown())?;
    black_box(multiplier.apply(unknown(), unknown()));
    black_box(Multiplier::power_of_two(unknown())?.apply(unknown(), unknown()));
    let narrow: Weights<'_> = unknown();
    layer::<T>(&narrow.layer(&plan, quantization)?)?;
    let folded: Weights<'_, i16> = unknown();
    layer::<T>(&folded.layer(&plan, quantization)?)?;
    let wide: Weights<'_, i8, i64> = unknown();
    layer::<T>(&wide.layer(&plan, quantization)?)
}

fn folds<T: Element>() -> Result<(), Error> {
    let fold = FoldNearest::plan(unknown(), unknown(), unknown(), unknown())?;
    fold.weights_into(unknown(), unknown(), unknown())?;
    black_box(fold.weights::<36, 64>(unknown(), unknown())?);
    black_box(fold.transposed().pack::<i16, 64>(unknown(), unknown())?);
    fold.columns_into(unknown(), unknown(), unknown(), unknown())?;
    black_box(fold.columns::<36, 12>(unknown(), unknown())?);
    let weights: Weights<'_> = unknown();
    layer::<T>(&Columns::new(&fold, weights.layer(&fold.convolution(), unknown())?, unknown())?)?;
    let plan = SubPixel::plan(unknown(), unknown(), unknown(), unknown())?;
    layer::<T>(&SubPixel::new(weights.layer(&plan, unknown())?, unknown())?)?;
    let norm: BatchNorm<'_> = unknown();
    norm.fold(&plan, unknown(), unknown(), unknown())?;
    black_box(crd_to_dcr::<u32, 24>(unknown(), unknown(), unknown())?);
    black_box(quantize_bias::<8>(unknown(), unknown(), unknown())?);
    black_box(quantize_bias_wide::<8>(unknown(), unknown(), unknown())?);
    let geometry: Geometry = unknown();
    black_box(geometry.same(unknown(), unknown()).to_output(unknown(), unknown(), unknown(), unknown()));
    Ok(())
}

/// Numbers of the `fixed` crate.
fn binary_point() -> Result<(), Error> {
    let plan = ConvTranspose::plan(unknown(), unknown(), unknown())?;
    let quantization = Quantization { x: Quant::binary_point(unknown()), ..unknown() };
    let narrow: Weights<'_, FixedI8<U5>> = unknown();
    layer::<I1F7>(&narrow.layer(&plan, quantization)?)?;
    let folded: Weights<'_, FixedI16<U12>> = unknown();
    layer::<I1F15>(&folded.layer(&plan, quantization)?)
}

/// Real numbers on the device, by micromath.
fn reals<T: Element>() -> Result<(), Error> {
    let quant: Quant = unknown();
    black_box((quant.quantize::<T>(unknown()), quant.dequantize::<T>(unknown()), sigmoid(unknown())));
    Ok(())
}

fn rearrangements<T: Element>() -> Result<(), Error> {
    layer::<T>(&PixelShuffle::plan(unknown(), unknown(), unknown(), unknown())?)?;
    layer::<T>(&PixelUnshuffle::plan(unknown(), unknown(), unknown(), unknown())?)?;
    layer::<T>(&Pad::<T>::plan(unknown(), unknown(), unknown(), unknown())?)?;
    black_box(MaxUnpool::plan(unknown(), unknown())?);
    let unpool = MaxUnpool::plan_to(unknown(), unknown(), unknown(), unknown())?;
    black_box((unpool.input(), unpool.output(), unpool.packed_len()));
    black_box(unpool.pack::<16>(unknown(), unknown())?);
    unpool.pack_into(unknown(), unknown(), unknown())?;
    layer::<T>(&unpool.with::<T>(unknown(), unknown())?)
}

fn joins<T: Element>() -> Result<(), Error> {
    join::<T>(&Add::plan::<T>(unknown(), unknown(), unknown())?)?;
    join::<T>(&Sub::plan::<T>(unknown(), unknown(), unknown())?)?;
    join::<T>(&Mul::plan::<T>(unknown(), unknown(), unknown())?)?;
    join::<i16>(&Add::plan_shift(unknown(), unknown(), unknown())?)?;
    join::<i16>(&Sub::plan_shift(unknown(), unknown(), unknown())?)?;
    join::<T>(&Concat::<T, 2>::plan(unknown(), unknown(), unknown(), unknown())?)
}

fn join<T: Element>(join: &dyn Join<T>) -> Result<(), Error> {
    let join = black_box(join);
    black_box((join.inputs(), join.input(unknown()), join.output(), join.reads(unknown(), unknown())));
    let windows: &[Window<'_, T>] = unknown();
    join.row(unknown(), windows, unknown());
    BoundJoin::<T, 2>::whole(join, unknown(), unknown())?.run();
    black_box(BoundJoin::<T, 2>::rows(join, unknown(), unknown())?.next_row());
    Ok(())
}

fn pointwise() -> Result<(), Error> {
    elementwise::<i8, _>(&Table8::sigmoid(unknown(), unknown())?)?;
    elementwise::<i8, _>(&Table8::tanh(unknown(), unknown())?)?;
    elementwise::<i8, _>(&Table8::hard_swish(unknown(), unknown())?)?;
    elementwise::<i8, _>(&Table8::leaky_relu(unknown(), unknown(), unknown(), unknown())?)?;
    black_box((Table8::input(unknown(), unknown()), Table8::from_values(unknown(), unknown())?));
    elementwise::<i16, _>(&Table16::hard_swish(unknown(), unknown())?)?;
    black_box((Table16::input(unknown(), unknown()), Table16::from_values(unknown(), unknown())?));
    elementwise::<i16, _>(&Gate16::sigmoid(unknown())?)?;
    elementwise::<i16, _>(&Gate16::tanh(unknown())?)?;
    elementwise::<i8, _>(&LeakyRelu::<i8>::plan(unknown(), unknown(), unknown(), unknown())?)?;
    elementwise::<i16, _>(&LeakyRelu::<i16>::plan(unknown(), unknown(), unknown(), unknown())?)?;
    let requantize = Requantize::<i8, i16>::plan(unknown(), unknown(), unknown())?;
    requantize.convert(unknown(), unknown());
    black_box(requantize.value(unknown()));
    Requantize::<i16, i8>::plan(unknown(), unknown(), unknown())?.convert(unknown(), unknown());
    Ok(())
}

fn elementwise<T: Element, P: Pointwise<T>>(each: &P) -> Result<(), Error> {
    let values: &mut [T] = unknown();
    each.run(values);
    layer::<T>(&Elementwise::plan(unknown(), each)?)
}

fn resizes<T: Element>() -> Result<(), Error> {
    layer::<T>(&Upsample::nearest(unknown(), unknown(), unknown())?)?;
    layer::<T>(&Upsample::nearest_by(unknown(), unknown(), unknown())?)?;
    layer::<T>(&Upsample::gather(unknown(), unknown(), unknown())?)?;
    layer::<T>(&Upsample::bilinear(unknown(), unknown(), unknown())?)?;
    layer::<T>(&Upsample::bicubic(unknown(), unknown(), unknown())?)?;
    layer::<T>(&Upsample::area(unknown(), unknown(), unknown())?)?;
    black_box((torch_nearest::<9>(unknown(), unknown()), torch_nearest_exact::<9>(unknown(), unknown())));
    black_box(tflite_nearest::<9>(unknown(), unknown(), unknown()));
    black_box(
        Resize::by(Ratio::new(unknown(), unknown())?, Ratio::nearest(unknown())?)
            .sized(unknown(), unknown())
            .coordinates(unknown())
            .output(unknown()),
    );
    Ok(())
}

fn decoder<T: Element + Sync>() -> Result<(), Error> {
    black_box([Node::<T>::whole(unknown()), Node::rows(unknown())]);
    black_box([
        unknown::<&Nearest>().node::<T>(unknown()),
        unknown::<&Gather<'_>>().node(unknown()),
        unknown::<&Bilinear>().node(unknown()),
        unknown::<&Bicubic>().node(unknown()),
        unknown::<&Area>().node(unknown()),
        unknown::<&PixelShuffle>().node(unknown()),
        unknown::<&PixelUnshuffle>().node(unknown()),
        unknown::<&Pad<T>>().node(unknown()),
        unknown::<&Unpool<'_, T>>().node(unknown()),
        unknown::<&Convolution<'_, T>>().node(unknown()),
        unknown::<&Columns<'_, T>>().node(unknown()),
        unknown::<&SubPixel<'_, T>>().node(unknown()),
        unknown::<&Sum<T>>().node(unknown()),
        unknown::<&Product<T>>().node(unknown()),
        unknown::<&Concat<T, 2>>().node(unknown()),
    ]);
    black_box(unknown::<&Elementwise<'_, LeakyRelu<T>>>().node::<T>(unknown()));
    planned::<T>(Decoder::plan(unknown())?)?;
    planned::<T>(Decoder::plan_first(unknown(), unknown())?)?;
    planned::<T>(Decoder::layer_by_layer(unknown())?)?;
    planned::<T>(Decoder::endless(unknown())?)
}

fn planned<T: Element>(decoder: Decoder<'_, T, 6>) -> Result<(), Error> {
    black_box((decoder.need(), decoder.peak(), decoder.output(), decoder.rows(unknown())));
    let decoder = black_box(decoder).within(unknown())?;
    let mut bound = decoder.bind(unknown(), unknown(), unknown())?;
    black_box(bound.next_row());
    let mut values: &[T] = unknown();
    black_box(bound.push(&mut values));
    black_box(bound.push_each(unknown()));
    bound.finish()?;
    bound.finish_each(unknown())?;
    bound.restart();
    bound.complete()?;
    bound.run()?;
    let sink: &mut Sink = unknown();
    if bound.send(sink).is_err() {
        black_box(());
    }
    Ok(())
}

/// A sink that does nothing itself.
struct Sink;

impl<T> RowSink<T> for Sink {
    type Error = ();

    fn row(&mut self, y: usize, row: &[T]) -> Result<(), ()> {
        black_box((y, row.len()));
        black_box(Err(()))
    }
}

fn layer<T: Element>(layer: &dyn Layer<T>) -> Result<(), Error> {
    let layer = black_box(layer);
    black_box((layer.input(), layer.output(), layer.reads(unknown()), layer.macs()));
    layer.row(unknown(), &Window::whole(unknown(), unknown())?, unknown());
    let ring = Window::ring(unknown(), unknown(), unknown(), unknown())?;
    black_box(ring.row(unknown()));
    layer.row(unknown(), &ring, unknown());
    Bound::whole(layer, unknown(), unknown())?.run();
    black_box(Bound::rows(layer, unknown(), unknown())?.next_row());
    Ok(())
}
