//! Runs a case: the f64 reference against the expected output, the kernels against the reference, or the kernels bit for bit.

use crate::budget::{REFERENCE, budget};
use crate::call::{Call, Function, Numbers, Op, Quantised, Refusal, Run, unsupported};
use crate::cases::Case;
use crate::reference::{Axis, Interpolation, PadMode, Tensor, Window};
use serde::Serialize;
use upconv::{
    Activation, Add, Along, Bound, BoundJoin, Concat, Conv, ConvTranspose, Cubic, Element, Elementwise, Error, Fill,
    Gate16, Geometry, Join, Layer, LeakyRelu, MAX_SIDE, MaxUnpool, Mul, Multiplier, Numerics, Operands, Pad, Padding,
    PixelShuffle, PixelUnshuffle, Pointwise, Quant, Quantization, Ratio, Requantize, Resize, Rounding, Shape, Sub,
    Table8, Table16, Upsample, Weights,
};

/// What came of a case in one number format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// No difference.
    Exact,
    /// Within the budget.
    Within,
    /// Beyond it.
    Wrong,
    /// upconv does not offer it.
    Unsupported,
    /// The case itself is broken.
    Error,
}

impl Outcome {
    /// Whether the case failed.
    pub fn failed(&self) -> bool {
        matches!(self.status, Status::Wrong | Status::Error)
    }
}

impl Status {
    /// As in reports.
    pub fn name(self) -> &'static str {
        ["exact", "within", "wrong", "unsupported", "error"][self as usize]
    }
}

/// One line of the report: a case in one number format.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The case.
    pub name: String,
    /// Its operator.
    pub op: String,
    /// `f64`, `i8` or `i16`; empty where the case is broken.
    pub numbers: &'static str,
    /// What came of it.
    pub status: Status,
    /// The largest error: in output steps, or for `f64` in units of the largest expected value.
    pub max_err_steps: Option<f64>,
    /// Why, or with which restriction.
    pub reason: String,
}

/// A verdict without the case's name.
type Verdict = (Status, Option<f64>, String);

/// Runs a case in every number format that it has.
pub fn check(name: &str, case: anyhow::Result<Case>) -> Vec<Outcome> {
    let one = |name: &str, op: &str, numbers, (status, max_err_steps, reason): Verdict| Outcome {
        name: name.to_owned(),
        op: op.to_owned(),
        numbers,
        status,
        max_err_steps,
        reason,
    };
    let case = match case {
        Ok(case) => case,
        Err(e) => return vec![one(name, "", "", (Status::Error, None, format!("{e:#}")))],
    };
    let (op, dtype) = (case.op.as_str(), case.inputs.iter().flatten().next().map_or("", |a| &a.dtype));
    let formats: &[&str] = match dtype {
        "int16" if case.is_quantised() => &["i16"],
        _ if case.is_quantised() => &["i8"],
        _ => &["f64", "i8", "i16"],
    };
    match Call::new(&case) {
        Err(Refusal::Broken(why)) => vec![one(&case.name, op, "", (Status::Error, None, why))],
        Err(refusal) => formats.iter().map(|n| one(&case.name, op, n, verdict(Err(refusal.clone())))).collect(),
        Ok(call) => {
            let run = |n: &&'static str| match (*n, &call.quantised) {
                ("f64", _) => reference(&call),
                (_, Some(quantised)) => bit_for_bit(&call, quantised),
                ("i8", _) => kernels(&call, Numbers::I8),
                _ => kernels(&call, Numbers::I16),
            };
            formats.iter().map(|n| one(&case.name, op, n, verdict(run(n)))).collect()
        }
    }
}

/// The largest error, whether it is within the budget, and a remark.
type Measured = (f64, bool, String);

fn verdict(result: Result<Measured, Refusal>) -> Verdict {
    match result {
        Ok((error, false, remark)) => (Status::Wrong, Some(error), remark),
        Ok((0.0, true, remark)) => (Status::Exact, Some(0.0), remark),
        Ok((error, true, remark)) => (Status::Within, Some(error), remark),
        Err(refusal @ Refusal::Unsupported { .. }) => (Status::Unsupported, None, refusal.to_string()),
        Err(Refusal::Wrong(why)) => (Status::Wrong, None, why),
        Err(Refusal::Broken(why)) => (Status::Error, None, why),
    }
}

/// The larger error; what is no number is infinitely wrong.
fn larger(worst: f64, error: f64) -> f64 {
    if error.is_nan() { f64::INFINITY } else { worst.max(error) }
}

/// The f64 reference against the expected output; equal in f32 is exact.
fn reference(call: &Call) -> Result<Measured, Refusal> {
    let largest = call.runs.iter().flat_map(|r| &r.y.data).fold(0.0, |m: f64, v| m.max(v.abs()));
    let unit = if largest == 0.0 { 1.0 } else { largest };
    let mut worst = 0.0f64;
    for Run { x, y } in &call.runs {
        for (a, b) in call.op.reference(x)?.data.iter().zip(&y.data) {
            worst = larger(worst, if *a as f32 == *b as f32 { 0.0 } else { (a - b).abs() / unit });
        }
    }
    let within = worst <= REFERENCE;
    Ok((worst, within, if within { String::new() } else { "the reference differs from the expected output".into() }))
}

/// A quantised case: every value equal.
fn bit_for_bit(call: &Call, quantised: &Quantised) -> Result<Measured, Refusal> {
    let (mut worst, mut differing) = (0.0f64, 0);
    for Run { x, y } in &call.runs {
        let ours = kernel(&call.op, quantised, x, y)?;
        for (a, b) in ours.data.iter().zip(&y.data) {
            worst = worst.max((a - b).abs());
            differing += usize::from(a != b);
        }
    }
    Ok((worst, worst == 0.0, if differing > 0 { format!("{differing} values differ") } else { String::new() }))
}

/// How far the kernels lie from the f64 reference on the dequantised inputs of a quantised call, in output steps.
///
/// # Errors
/// A [`Refusal`] where the call is not quantised or the reference has no such operator.
pub fn distance(call: &Call) -> Result<f64, Refusal> {
    let q = call.quantised.as_ref().ok_or_else(|| unsupported("numbers", "the call is not quantised"))?;
    let mut worst = 0.0f64;
    for Run { x, y } in &call.runs {
        let real = |(t, q): (&Tensor, &Quant)| {
            let data = t.data.iter().map(|v| (v - f64::from(q.zero)) * f64::from(q.scale)).collect();
            Tensor { shape: t.shape, data }
        };
        let expected = call.op.reference(&x.iter().zip(&q.x).map(real).collect::<Vec<_>>())?;
        let (low, high) = match q.y_numbers {
            Numbers::I8 => q.activation.range::<i8>(q.y),
            Numbers::I16 => q.activation.range::<i16>(q.y),
        };
        for (ours, real) in kernel(&call.op, q, x, y)?.data.iter().zip(&expected.data) {
            let steps = real / f64::from(q.y.scale) + f64::from(q.y.zero);
            worst = larger(worst, (ours - steps.clamp(low.into(), high.into())).abs());
        }
    }
    Ok(worst)
}

/// The kernels on the quantised call against the reference on the dequantised one.
fn kernels(call: &Call, numbers: Numbers) -> Result<Measured, Refusal> {
    let Quantisation { raw, real, quantised, remark } = quantise(call, numbers)?;
    let (min, max) = numbers.range();
    let (scale, zero) = (f64::from(quantised.y.scale), f64::from(quantised.y.zero));
    let budget = budget(&call.op, numbers);
    let (mut worst, mut within) = (0.0f64, true);
    for (raw_run, real_run) in raw.runs.iter().zip(&real.runs) {
        let expected = real.op.reference(&real_run.x)?;
        let ours = kernel(&raw.op, &quantised, &raw_run.x, &expected)?;
        for (ours, real) in ours.data.iter().zip(&expected.data) {
            let steps = real / scale;
            let error = (ours - (steps + zero).clamp(min, max)).abs();
            worst = larger(worst, error);
            within &= error <= budget.at(steps);
        }
    }
    let allowed = format!("{} steps are allowed {remark}", budget.steps);
    Ok((worst, within, if within { remark } else { allowed.trim().to_owned() }))
}

/// A float call in raw numbers, and the real call that these stand for.
struct Quantisation {
    raw: Call,
    real: Call,
    quantised: Quantised,
    remark: String,
}

/// Scale and zero point that cover these values and 0: asymmetric for int8, zero point 0 for int16.
fn covering<'a>(values: impl Iterator<Item = &'a f64>, numbers: Numbers) -> Quant {
    let (low, high) = values.fold((0.0f64, 0.0f64), |(low, high), v| (low.min(*v), high.max(*v)));
    let (min, max) = numbers.range();
    let scale = match numbers {
        _ if low == high => 1.0,
        Numbers::I8 => (high - low) / (max - min),
        Numbers::I16 => high.max(-low) / max,
    } as f32;
    let scale = scale.max(f32::MIN_POSITIVE);
    let zero = if numbers == Numbers::I8 { (min - low / f64::from(scale)).round().clamp(min, max) } else { 0.0 };
    Quant::new(scale, zero as i32)
}

/// The raw value nearest to a real one, and the real value that it stands for.
fn rounded(v: f64, q: Quant, (min, max): (f64, f64)) -> (f64, f64) {
    let raw = ((v / f64::from(q.scale)).round() + f64::from(q.zero)).clamp(min, max);
    (raw, (raw - f64::from(q.zero)) * f64::from(q.scale))
}

/// Chooses scales from the data and rounds inputs, weights, bias and resize factors to what the kernels take.
fn quantise(call: &Call, numbers: Numbers) -> Result<Quantisation, Refusal> {
    let (mut raw, mut real, mut remark) = (call.clone(), call.clone(), String::new());
    let inputs = || call.runs.iter().flat_map(|r| &r.x[0].data);
    let outside = if let Op::Pad(_, PadMode::Constant(value)) = &call.op { *value } else { 0.0 };
    let x = covering(inputs().chain([&outside]), numbers);
    for (raw, real) in raw.runs.iter_mut().zip(&mut real.runs) {
        for (raw, real) in raw.x[0].data.iter_mut().zip(&mut real.x[0].data) {
            (*raw, *real) = rounded(*real, x, numbers.range());
        }
    }
    let mut quantised = Quantised {
        numbers,
        y_numbers: numbers,
        x: vec![x],
        y: x,
        weight: vec![],
        activation: Activation::None,
        rounding: if numbers == Numbers::I8 { Rounding::TfliteSingle } else { Rounding::Tflite16x8 },
        numerics: Numerics::Exact,
    };
    match (&mut raw.op, &mut real.op) {
        (
            Op::Conv { weight, bias, .. },
            Op::Conv { weight: real_weight, bias: real_bias, window, transposed, channels, .. },
        ) => {
            // The output channel of a weight in [C_out, C_in / g, ..], or [C_in, C_out / g, ..] transposed.
            let kernel = window.kernel[0] * window.kernel[1];
            let group_out = *channels / window.groups;
            let group_in = weight.len() / kernel / *channels;
            let channel_of = |i: usize| match i / kernel {
                row if *transposed => row / group_out / group_in * group_out + row % group_out,
                row => row / group_in,
            };
            let mut largest = vec![0.0f64; *channels];
            for (i, w) in weight.iter().enumerate() {
                largest[channel_of(i)] = largest[channel_of(i)].max(w.abs());
            }
            let bias_of = |o: usize| bias.get(o).map_or(0.0, |b| b.abs());
            // Large enough for the bias to stay below 2^29 of the accumulator's steps.
            let least = |o: usize| bias_of(o) / f64::from(x.scale) / f64::from(1 << 29);
            let scale = |o: usize| (largest[o] / 127.0).max(least(o)) as f32;
            quantised.weight = (0..*channels).map(scale).map(|s| if s > 0.0 { s } else { 1.0 }).collect();
            for (i, (raw, real)) in weight.iter_mut().zip(real_weight.iter_mut()).enumerate() {
                let q = Quant::new(quantised.weight[channel_of(i)], 0);
                (*raw, *real) = rounded(*real, q, (-127.0, 127.0));
            }
            for ((raw, real), w) in bias.iter_mut().zip(real_bias.iter_mut()).zip(&quantised.weight) {
                let step = f64::from(x.scale) * f64::from(*w);
                *raw = (*real / step).round();
                *real = *raw * step;
            }
            let outputs = real.runs.iter().map(|r| real.op.reference(&r.x)).collect::<Result<Vec<_>, _>>()?;
            quantised.y = covering(outputs.iter().flat_map(|t| &t.data), numbers);
        }
        (Op::Resize(raw_axes, _), Op::Resize(axes, by)) if !by.copies() || matches!(by, Interpolation::Nearest(_)) => {
            for (raw, axis) in raw_axes.iter_mut().zip(axes) {
                let given = axis.scale[0] / axis.scale[1];
                if !axis.by_size() {
                    axis.scale = fraction(given)?;
                    raw.scale = axis.scale;
                    if axis.scale[0] / axis.scale[1] != given {
                        remark = format!("scale {given} is taken as {}/{}", axis.scale[0], axis.scale[1]);
                    }
                }
            }
        }
        (Op::Pad(_, PadMode::Constant(raw)), Op::Pad(_, PadMode::Constant(real))) => {
            (*raw, *real) = rounded(*real, x, numbers.range());
        }
        _ => {}
    }
    Ok(Quantisation { raw, real, quantised, remark })
}

/// The fraction that the kernels take for a scale.
fn fraction(scale: f64) -> Result<[f64; 2], Refusal> {
    let ratio = Ratio::nearest(scale).map_err(|e| unsupported("scale", e))?;
    let terms = (1..=MAX_SIDE).map(|den| [(scale * den as f64).round(), den as f64]);
    let found = terms.into_iter().find(|[num, den]| Ratio::new(*num as usize, *den as usize) == Ok(ratio));
    found.ok_or_else(|| Refusal::Wrong(format!("Ratio::nearest({scale}) is no neighbour of it")))
}

/// The kernels' raw answer to a call in raw numbers, for an output of the shape of `y`.
fn kernel(op: &Op, q: &Quantised, x: &[Tensor], y: &Tensor) -> Result<Tensor, Refusal> {
    match (op, q.numbers, q.y_numbers) {
        (Op::Map(Function::Identity), Numbers::I8, Numbers::I8) => requantise::<i8, i8>(q, x, y),
        (Op::Map(Function::Identity), Numbers::I8, Numbers::I16) => requantise::<i8, i16>(q, x, y),
        (Op::Map(Function::Identity), Numbers::I16, Numbers::I8) => requantise::<i16, i8>(q, x, y),
        (Op::Map(Function::Identity), Numbers::I16, Numbers::I16) => requantise::<i16, i16>(q, x, y),
        (Op::Map(function), Numbers::I8, Numbers::I8) => map8(*function, q, x, y),
        (Op::Map(function), Numbers::I16, Numbers::I16) => map16(*function, q, x, y),
        (_, Numbers::I8, Numbers::I8) => typed::<i8>(op, q, x, y),
        (_, Numbers::I16, Numbers::I16) => typed::<i16>(op, q, x, y),
        _ => Err(unsupported("dtype", "the output has another than the input")),
    }
}

/// What a plan says no to.
fn refused(argument: &'static str) -> impl Fn(Error) -> Refusal {
    move |e| unsupported(argument, e)
}

fn requantise<X: Element, Y: Element>(q: &Quantised, x: &[Tensor], y: &Tensor) -> Result<Tensor, Refusal> {
    let plan = Requantize::<X, Y>::plan(q.x[0], q.y, q.rounding).map_err(refused("quant"))?;
    let mut raw = vec![Y::default(); y.data.len()];
    plan.convert(&pixels(&x[0]), &mut raw);
    Ok(planes(&raw, y.shape))
}

fn map8(function: Function, q: &Quantised, x: &[Tensor], y: &Tensor) -> Result<Tensor, Refusal> {
    let table = match function {
        Function::Logistic => Table8::sigmoid(q.x[0], q.y),
        Function::Tanh => Table8::tanh(q.x[0], q.y),
        Function::HardSwish => Table8::hard_swish(q.x[0], q.y),
        Function::LeakyRelu(alpha) => Table8::leaky_relu(q.x[0], q.y, alpha, q.rounding),
        Function::Identity => return requantise::<i8, i8>(q, x, y),
    };
    pointwise::<i8, _>(&table.map_err(refused("quant"))?, x, y)
}

fn map16(function: Function, q: &Quantised, x: &[Tensor], y: &Tensor) -> Result<Tensor, Refusal> {
    let gate = |gate: Result<Gate16, Error>| {
        if q.y != Gate16::OUTPUT {
            return Err(unsupported("quant", "the output's scale is 1/32768 and its zero point 0"));
        }
        pointwise::<i16, _>(&gate.map_err(refused("quant"))?, x, y)
    };
    match function {
        Function::Logistic => gate(Gate16::sigmoid(q.x[0])),
        Function::Tanh => gate(Gate16::tanh(q.x[0])),
        Function::HardSwish => pointwise::<i16, _>(&Table16::hard_swish(q.x[0], q.y).map_err(refused("quant"))?, x, y),
        Function::LeakyRelu(alpha) => {
            let leaky = LeakyRelu::<i16>::plan(q.x[0], q.y, alpha, q.rounding);
            pointwise::<i16, _>(&leaky.map_err(refused("quant"))?, x, y)
        }
        Function::Identity => requantise::<i16, i16>(q, x, y),
    }
}

fn pointwise<T: Element, P: Pointwise<T>>(each: &P, x: &[Tensor], y: &Tensor) -> Result<Tensor, Refusal> {
    apply::<T>(&Elementwise::plan(shape(&x[0]), each).map_err(refused("geometry"))?, &x[0], y)
}

fn typed<T: Element>(op: &Op, q: &Quantised, x: &[Tensor], y: &Tensor) -> Result<Tensor, Refusal> {
    let input = shape(&x[0]);
    let same_scale = q.x.iter().all(|x| *x == q.y);
    let run = |layer: &dyn Layer<T>| apply(layer, &x[0], y);
    match op {
        Op::Conv { window, transposed, weight, order, bias, channels } => {
            let plan = if *transposed { ConvTranspose::plan } else { Conv::plan }(input, *channels, geometry(window))
                .map_err(refused("geometry"))?;
            let weight: Vec<i8> = weight.iter().map(|v| *v as i8).collect();
            let mut packed = vec![0; weight.len()];
            plan.pack_into(&weight, *order, &mut packed).map_err(refused("weight"))?;
            let multiplier = |sw: &f32| Multiplier::from_scales(q.x[0].scale, *sw, q.y.scale);
            let multipliers =
                q.weight.iter().map(multiplier).collect::<Result<Vec<_>, _>>().map_err(refused("scale"))?;
            let (activation, rounding) = (q.activation, q.rounding);
            let quantization = Quantization { x: q.x[0], y: q.y, multipliers: &multipliers, activation, rounding };
            if rounding == Rounding::Tflite16x8 {
                let bias: Vec<i64> = bias.iter().map(|v| *v as i64).collect();
                let weights = Weights { packed: &packed[..], bias: &bias[..] };
                run(&weights.layer(&plan, quantization).map_err(refused("quantisation"))?)
            } else {
                let bias: Vec<i32> = bias.iter().map(|v| *v as i32).collect();
                let weights = Weights { packed: &packed[..], bias: &bias[..] };
                run(&weights.layer(&plan, quantization).map_err(refused("quantisation"))?)
            }
        }
        Op::Resize(..) | Op::Shuffle { .. } | Op::MaxUnpool { .. } | Op::Pad(..) if !same_scale => {
            Err(unsupported("quant", "the output has another scale or zero point than the input"))
        }
        Op::Resize(axes, by) => match *by {
            Interpolation::Nearest(mode) if resize(axes).is_ok() => {
                run(&Upsample::nearest_by(input, resize(axes)?, mode).map_err(refused("geometry"))?)
            }
            Interpolation::Nearest(_)
            | Interpolation::TorchNearest
            | Interpolation::TorchNearestExact
            | Interpolation::TfliteNearest { .. } => {
                let table = |a: &Axis| -> Vec<u16> { (0..a.output).map(|i| by.taps(*a, i)[0].0 as u16).collect() };
                let (rows, columns) = (table(&axes[0]), table(&axes[1]));
                let factor = |axis: &Axis, table: &[u16]| {
                    let f = axis.output / axis.input;
                    let repeats = f > 0 && axis.output.is_multiple_of(axis.input);
                    (repeats && table.iter().enumerate().all(|(i, v)| i / f == usize::from(*v))).then_some(f)
                };
                if let (Some(fh), Some(fw)) = (factor(&axes[0], &rows), factor(&axes[1], &columns)) {
                    return run(&Upsample::nearest(input, fh, fw).map_err(refused("geometry"))?);
                }
                run(&Upsample::gather(input, &rows, &columns).map_err(refused("geometry"))?)
            }
            Interpolation::Linear => {
                run(&Upsample::bilinear(input, resize(axes)?, q.numerics).map_err(refused("geometry"))?)
            }
            Interpolation::Cubic { exclude_outside: true, .. } => {
                Err(unsupported("exclude_outside", "taps beyond the edges repeat the edge"))
            }
            Interpolation::Cubic { a, .. } => {
                let cubic = match a {
                    -0.75 => Cubic::Pytorch,
                    -0.5 => Cubic::Tensorflow,
                    _ => return Err(unsupported("cubic_coeff_a", format!("{a}; there are -0.75 and -0.5"))),
                };
                run(&Upsample::bicubic(input, resize(axes)?, cubic).map_err(refused("geometry"))?)
            }
            Interpolation::Area => {
                run(&Upsample::area(input, axes[0].output, axes[1].output).map_err(refused("geometry"))?)
            }
        },
        Op::Shuffle { block, order, inverse: false } => {
            run(&PixelShuffle::plan(input, *block, *block, *order).map_err(refused("geometry"))?)
        }
        Op::Shuffle { block, order, inverse: true } => {
            run(&PixelUnshuffle::plan(input, *block, *block, *order).map_err(refused("geometry"))?)
        }
        Op::MaxUnpool { output: [oh, ow], window, flat, counts } => {
            let plan = MaxUnpool::plan_to(input, geometry(window), *oh, *ow).map_err(refused("output_size"))?;
            let mut packed = vec![0; plan.packed_len()];
            plan.pack_into(flat, *counts, &mut packed).map_err(refused("indices"))?;
            run(&plan.with(&packed, T::from_i32(q.y.zero)).map_err(refused("indices"))?)
        }
        Op::Pad([rows, columns], mode) => {
            let fill = match mode {
                PadMode::Constant(raw) => Fill::Value(T::from_i32(*raw as i32)),
                PadMode::Reflect => Fill::Reflect,
                PadMode::Replicate => Fill::Replicate,
                PadMode::Wrap => Fill::Wrap,
            };
            run(&Pad::plan(input, *rows, *columns, fill).map_err(refused("pad"))?)
        }
        Op::Add { subtract } => {
            let plan = if *subtract { Sub::plan } else { Add::plan };
            let sum = plan(input, shape(&x[1]), operands(q)).map_err(refused("inputs"))?;
            join::<T, 2>(&sum, x, y)
        }
        Op::Mul => join::<T, 2>(&Mul::plan(input, shape(&x[1]), operands(q)).map_err(refused("inputs"))?, x, y),
        Op::Concat(axis) => match x.len() {
            1 => concat::<T, 1>(*axis, q, x, y),
            2 => concat::<T, 2>(*axis, q, x, y),
            3 => concat::<T, 3>(*axis, q, x, y),
            4 => concat::<T, 4>(*axis, q, x, y),
            5 => concat::<T, 5>(*axis, q, x, y),
            6 => concat::<T, 6>(*axis, q, x, y),
            n => Err(unsupported("inputs", format!("{n}; this runner has kernels for up to 6"))),
        },
        Op::Map(_) => Err(unsupported("dtype", "the output has another than the input")),
    }
}

fn operands(q: &Quantised) -> Operands {
    Operands { a: q.x[0], b: q.x[1], y: q.y, activation: q.activation, rounding: q.rounding }
}

fn concat<T: Element, const N: usize>(axis: usize, q: &Quantised, x: &[Tensor], y: &Tensor) -> Result<Tensor, Refusal> {
    let along = [Along::Channels, Along::Height, Along::Width][axis];
    let inputs: [(Shape, Quant); N] = std::array::from_fn(|i| (shape(&x[i]), q.x[i]));
    join::<T, N>(&Concat::plan(along, inputs, q.y, q.rounding).map_err(refused("inputs"))?, x, y)
}

fn geometry(w: &Window) -> Geometry {
    let [[top, bottom], [left, right]] = w.pads;
    Geometry::new(w.kernel[0], w.kernel[1])
        .stride(w.stride[0], w.stride[1])
        .padding(Padding { top, left, bottom, right })
        .output_padding(w.output_padding[0], w.output_padding[1])
        .dilation(w.dilation[0], w.dilation[1])
        .groups(w.groups)
}

/// The target of a resize: sizes, or scales with the sizes that the framework makes of them.
fn resize(axes: &[Axis; 2]) -> Result<Resize, Refusal> {
    let coordinates = axes[0].coordinates;
    let (oh, ow) = (axes[0].output, axes[1].output);
    if axes.iter().all(Axis::by_size) {
        return Ok(Resize::to(oh, ow).coordinates(coordinates));
    }
    let ratio = |a: &Axis| Ratio::new(a.scale[0] as usize, a.scale[1] as usize).map_err(|e| unsupported("scale", e));
    let (h, w) = (ratio(&axes[0])?, ratio(&axes[1])?);
    let by = Resize::by(h, w).coordinates(coordinates);
    let floor = [h.apply(axes[0].input), w.apply(axes[1].input)];
    Ok(if floor == [oh, ow] { by } else { by.sized(oh, ow) })
}

fn shape(t: &Tensor) -> Shape {
    Shape::new(t.shape[1], t.shape[2], t.shape[0])
}

/// The values of [C, H, W] in the kernels' order.
fn pixels<T: Element>(t: &Tensor) -> Vec<T> {
    let [c, h, w] = t.shape;
    let places = (0..h).flat_map(|iy| (0..w).flat_map(move |ix| (0..c).map(move |c| (c, iy, ix))));
    places.map(|(c, iy, ix)| T::from_i32(t.at(c, iy, ix) as i32)).collect()
}

/// The inverse of [`pixels`].
fn planes<T: Element>(raw: &[T], shape: [usize; 3]) -> Tensor {
    let [c, _, w] = shape;
    Tensor::from_fn(shape, |ch, oy, ox| f64::from(raw[(oy * w + ox) * c + ch].to_i32()))
}

fn room<T: Element>(output: Shape, y: &Tensor) -> Result<Vec<T>, Refusal> {
    if output != shape(y) {
        return Err(Refusal::Wrong(format!("the kernel's output is {output:?}, expected {:?}", shape(y))));
    }
    Ok(vec![T::default(); output.len()])
}

fn apply<T: Element>(layer: &dyn Layer<T>, x: &Tensor, y: &Tensor) -> Result<Tensor, Refusal> {
    let (x, mut raw) = (pixels(x), room(layer.output(), y)?);
    Bound::whole(layer, &x, &mut raw).map_err(|e| Refusal::Wrong(e.to_string()))?.run();
    Ok(planes(&raw, y.shape))
}

fn join<T: Element, const N: usize>(join: &dyn Join<T>, x: &[Tensor], y: &Tensor) -> Result<Tensor, Refusal> {
    let (x, mut raw) = (x.iter().map(pixels).collect::<Vec<_>>(), room(join.output(), y)?);
    let x = std::array::from_fn(|i| &x[i][..]);
    BoundJoin::<T, N>::whole(join, x, &mut raw).map_err(|e| Refusal::Wrong(e.to_string()))?.run();
    Ok(planes(&raw, y.shape))
}
