//! One neutral call for what PyTorch, ONNX and TFLite each say in their own words.
//!
//! Parsing is strict about what it is given and generous about how: PyTorch's scalars stand for every axis, a batch becomes several
//! runs, one-dimensional tensors get height 1, and where an operator treats every channel alike, axes that it leaves
//! alone are channels too. What cannot be expressed is a [`Refusal`] that names the argument.

mod onnx;
mod tflite;
mod torch;

use crate::cases::{Array, Case};
use crate::reference::{self, Axis, Interpolation, PadMode, Tensor, Window};
use serde_json::{Map, Value};
use std::fmt;
use upconv::{Activation, Coordinates, FlatIndex, NearestMode, Numerics, Quant, Rounding, ShuffleOrder, WeightOrder};

/// Why a case has no result.
#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    /// upconv does not offer this.
    Unsupported {
        /// Which argument.
        argument: String,
        /// Why.
        why: String,
    },
    /// The case contradicts itself.
    Broken(String),
    /// The output has another shape than expected.
    Wrong(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Unsupported { argument, why } => write!(f, "{argument}: {why}"),
            Refusal::Broken(why) | Refusal::Wrong(why) => f.write_str(why),
        }
    }
}

/// An unsupported argument.
pub fn unsupported(argument: impl fmt::Display, why: impl fmt::Display) -> Refusal {
    Refusal::Unsupported { argument: argument.to_string(), why: why.to_string() }
}

fn broken(why: impl fmt::Display) -> Refusal {
    Refusal::Broken(why.to_string())
}

type Parsed<T> = Result<T, Refusal>;

/// The operator with all that belongs to it but its inputs.
#[derive(Clone, Debug)]
pub enum Op {
    /// Convolution or transposed convolution.
    Conv {
        /// Kernel, stride and so on.
        window: Window,
        /// Transposed.
        transposed: bool,
        /// The weights.
        weight: Vec<f64>,
        /// Their order; the f64 reference knows PyTorch's.
        order: WeightOrder,
        /// One for each output channel, or none.
        bias: Vec<f64>,
        /// Output channels.
        channels: usize,
    },
    /// Resize along height and width.
    Resize([Axis; 2], Interpolation),
    /// Channels to blocks of this size, or the inverse.
    Shuffle {
        /// Height and width of a block.
        block: usize,
        /// Which channel goes where.
        order: ShuffleOrder,
        /// Blocks to channels.
        inverse: bool,
    },
    /// Unpooling into planes of a size; the second input holds the places in them.
    MaxUnpool {
        /// Height and width of the output.
        output: [usize; 2],
        /// Kernel, stride and padding of the pooling.
        window: Window,
        /// The indices as they were given.
        flat: Vec<i64>,
        /// What these count.
        counts: FlatIndex,
    },
    /// Padding at `[[top, bottom], [left, right]]`.
    Pad([[isize; 2]; 2], PadMode),
    /// The sum of two inputs, or their difference.
    Add {
        /// The difference.
        subtract: bool,
    },
    /// The product of two inputs.
    Mul,
    /// Inputs side by side along channels (0), height (1) or width (2).
    Concat(usize),
    /// A function of each value.
    Map(Function),
}

/// A function of each value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Function {
    /// The value itself, in another scale.
    Identity,
    /// `1 / (1 + exp(-x))`
    Logistic,
    /// `tanh(x)`
    Tanh,
    /// `x * relu6(x + 3) / 6`
    HardSwish,
    /// `x > 0 ? x : alpha * x`
    LeakyRelu(f32),
}

impl Function {
    /// The function in f64.
    pub fn of(self, v: f64) -> f64 {
        match self {
            Function::Identity => v,
            Function::Logistic => 1.0 / (1.0 + (-v).exp()),
            Function::Tanh => v.tanh(),
            Function::HardSwish => v * (v + 3.0).clamp(0.0, 6.0) / 6.0,
            Function::LeakyRelu(alpha) => {
                if v > 0.0 {
                    v
                } else {
                    f64::from(alpha) * v
                }
            }
        }
    }
}

/// The width of a tensor's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbers {
    /// int8
    I8,
    /// int16
    I16,
}

impl Numbers {
    /// As in reports.
    pub fn name(self) -> &'static str {
        match self {
            Numbers::I8 => "i8",
            Numbers::I16 => "i16",
        }
    }

    /// The smallest and the largest value.
    pub fn range(self) -> (f64, f64) {
        match self {
            Numbers::I8 => (-128.0, 127.0),
            Numbers::I16 => (-32768.0, 32767.0),
        }
    }
}

/// How the raw numbers of a quantised call stand for real values.
#[derive(Clone, Debug)]
pub struct Quantised {
    /// The width of the inputs.
    pub numbers: Numbers,
    /// The width of the output.
    pub y_numbers: Numbers,
    /// Each input.
    pub x: Vec<Quant>,
    /// The output.
    pub y: Quant,
    /// The weights' scales, one or one for each output channel.
    pub weight: Vec<f32>,
    /// The fused clamp.
    pub activation: Activation,
    /// The rounding of the requantisation.
    pub rounding: Rounding,
    /// The numerics of an interpolation.
    pub numerics: Numerics,
}

/// Inputs and expected output with N = 1.
#[derive(Clone, Debug)]
pub struct Run {
    /// The inputs.
    pub x: Vec<Tensor>,
    /// The expected output.
    pub y: Tensor,
}

/// A case in neutral words: one operator on one or more runs.
#[derive(Clone, Debug)]
pub struct Call {
    /// The operator.
    pub op: Op,
    /// A batch has one for each entry.
    pub runs: Vec<Run>,
    /// Set where the values are raw numbers, not reals.
    pub quantised: Option<Quantised>,
}

impl Case {
    /// Whether the case is in TFLite's words: its values are raw and the output is compared bit for bit.
    pub fn is_quantised(&self) -> bool {
        self.op.chars().all(|c| !c.is_ascii_lowercase())
    }

    fn array(&self, slot: usize) -> Option<&Array> {
        self.inputs.get(slot)?.as_ref()
    }

    fn input(&self, slot: usize) -> Parsed<&Array> {
        self.array(slot).ok_or_else(|| broken(format!("input {slot} is missing")))
    }

    fn output(&self) -> Parsed<&Array> {
        self.outputs.first().ok_or_else(|| broken("it has no output"))
    }

    fn constant(&self, role: &str) -> Option<&Array> {
        self.consts.iter().find(|a| a.role == role)
    }

    fn args(&self) -> Args<'_> {
        Args(&self.arguments)
    }
}

/// The arguments of a call.
#[derive(Clone, Copy)]
struct Args<'a>(&'a Map<String, Value>);

/// A whole number of at most 32 bits, so that i64 holds every product of two.
fn whole(name: &str, v: &Value) -> Parsed<i64> {
    let number = v.as_f64().filter(|v| v.fract() == 0.0 && v.abs() <= f64::from(i32::MAX));
    number.map(|v| v as i64).ok_or_else(|| broken(format!("{name} is {v}, not a whole number of 32 bits")))
}

/// A whole number from `least` to 2²⁴, so that no product of a few of them overflows.
fn size(name: &str, least: i64, v: i64) -> Parsed<usize> {
    if !(least..=1 << 24).contains(&v) {
        return Err(broken(format!("{name} is {v}; it must lie in {least} ..= {}", 1 << 24)));
    }
    Ok(v as usize)
}

impl<'a> Args<'a> {
    fn get(self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|v| !v.is_null())
    }

    fn text(self, name: &str, default: &'a str) -> &'a str {
        self.get(name).and_then(Value::as_str).unwrap_or(default)
    }

    fn flag(self, name: &str) -> bool {
        self.get(name).is_some_and(|v| v == true || v.as_f64().is_some_and(|v| v != 0.0))
    }

    fn float(self, name: &str, default: f64) -> Parsed<f64> {
        self.get(name).map_or(Ok(default), |v| v.as_f64().ok_or_else(|| broken(format!("{name} is {v}, not a number"))))
    }

    fn int(self, name: &str, default: i64) -> Parsed<i64> {
        self.get(name).map_or(Ok(default), |v| whole(name, v))
    }

    /// A list, or one value that stands for all `n`.
    fn list<T: Clone>(self, name: &str, n: usize, parse: impl Fn(&Value) -> Parsed<T>) -> Parsed<Option<Vec<T>>> {
        let Some(v) = self.get(name) else { return Ok(None) };
        let all = match v.as_array() {
            Some(list) => list.iter().map(parse).collect::<Parsed<Vec<T>>>()?,
            None => vec![parse(v)?],
        };
        match all.len() {
            1 => Ok(Some(vec![all[0].clone(); n])),
            len if len == n => Ok(Some(all)),
            len => Err(broken(format!("{name} has {len} values; it must have {n}"))),
        }
    }

    fn ints(self, name: &str, n: usize, default: i64) -> Parsed<Vec<i64>> {
        Ok(self.list(name, n, |v| whole(name, v))?.unwrap_or(vec![default; n]))
    }

    fn sizes(self, name: &str, n: usize, least: i64, default: i64) -> Parsed<Vec<usize>> {
        self.ints(name, n, default)?.into_iter().map(|v| size(name, least, v)).collect()
    }

    /// ONNX's `[before.., after..]`.
    fn onnx_pads(self) -> Parsed<Vec<i64>> {
        self.get("pads").and_then(Value::as_array).into_iter().flatten().map(|v| whole("pads", v)).collect()
    }
}

/// One or two spatial axes as height and width.
fn two<T: Copy>(axes: &[T], height: T) -> Parsed<[T; 2]> {
    match *axes {
        [w] => Ok([height, w]),
        [h, w] => Ok([h, w]),
        _ => Err(unsupported("the shape", format!("{} spatial axes; the kernels have 1 or 2", axes.len()))),
    }
}

/// The entries of a batch; `n` spatial axes come last, the channels before them.
fn batch(a: &Array, n: usize) -> Parsed<Vec<Tensor>> {
    let Some(at) = a.shape.len().checked_sub(n + 1) else {
        return Err(broken(format!("a tensor of shape {:?} has no {n} spatial axes and channels", a.shape)));
    };
    let [h, w] = two(&a.shape[at + 1..], 1)?;
    let shape = [a.shape[at], h, w];
    Ok(a.data.chunks(shape.iter().product::<usize>().max(1)).map(|d| Tensor { shape, data: d.to_vec() }).collect())
}

/// The tensor with these axes as height and width (or width) and all others as channels.
fn folded(a: &Array, axes: &[usize]) -> Parsed<Tensor> {
    if a.data.is_empty() {
        return Err(broken(format!("a tensor of shape {:?}", a.shape)));
    }
    let others: Vec<usize> = (0..a.shape.len()).filter(|i| !axes.contains(i)).collect();
    let [h, w] = two(&axes.iter().map(|i| a.shape[*i]).collect::<Vec<_>>(), 1)?;
    let order: Vec<usize> = others.iter().chain(axes).copied().collect();
    let shape = [others.iter().map(|i| a.shape[*i]).product(), h, w];
    let stride = |axis: usize| a.shape[axis + 1..].iter().product::<usize>();
    let value = |mut i: usize| {
        let mut from = 0;
        for axis in order.iter().rev() {
            from += i % a.shape[*axis] * stride(*axis);
            i /= a.shape[*axis];
        }
        a.data[from]
    };
    Ok(Tensor { shape, data: (0..a.data.len()).map(value).collect() })
}

/// The two axes that a channel-wise operator works on: those that change, filled up with the last ones; one of a `[N, C, W]`.
fn working_axes(rank: usize, changes: impl Fn(usize) -> bool) -> Vec<usize> {
    let mut axes: Vec<usize> = (0..rank).filter(|i| changes(*i)).collect();
    let room = if rank < 4 { 1 } else { 2 };
    for axis in (0..rank).rev() {
        if axes.len() < room && !axes.contains(&axis) {
            axes.push(axis);
        }
    }
    axes.sort();
    axes
}

/// SAME padding of one axis: as much as is missing, the odd one after (upper) or before (lower).
fn same(missing: i64, upper: bool) -> [i64; 2] {
    let (less, more) = (missing / 2, missing - missing / 2);
    if upper { [less, more] } else { [more, less] }
}

impl Call {
    /// The call that a case describes.
    ///
    /// # Errors
    /// A [`Refusal`] when upconv has no such thing or the case contradicts itself.
    pub fn new(case: &Case) -> Parsed<Call> {
        if let Some(a) = case.array(0).into_iter().chain(&case.outputs).find(|a| a.data.is_empty()) {
            return Err(unsupported("the shape", format!("{:?} has no value", a.shape)));
        }
        let name = case.op.as_str();
        let call = if case.is_quantised() {
            tflite::call(case)
        } else if name.starts_with(|c: char| c.is_ascii_lowercase()) {
            torch::call(case)
        } else {
            onnx::call(case)
        }?;
        for Run { x, y } in &call.runs {
            let shape = call.op.output(x);
            let expected = y.shape.map(|n| n as i64);
            if shape != expected {
                return Err(Refusal::Wrong(format!("the output [C, H, W] is {shape:?}, expected {expected:?}")));
            }
        }
        Ok(call)
    }

    fn single(op: Op, x: Vec<Tensor>, y: Tensor) -> Call {
        Call { op, runs: vec![Run { x, y }], quantised: None }
    }

    fn batched(op: Op, x: &Array, y: &Array, n: usize) -> Parsed<Call> {
        let (x, y) = (batch(x, n)?, batch(y, n)?);
        if x.len() != y.len() {
            return Err(broken(format!("{} inputs but {} outputs in the batch", x.len(), y.len())));
        }
        let runs = x.into_iter().zip(y).map(|(x, y)| Run { x: vec![x], y }).collect();
        Ok(Call { op, runs, quantised: None })
    }
}

impl Op {
    /// The output's shape by the operator's own formula; a size below 1 is no output.
    pub fn output(&self, x: &[Tensor]) -> [i64; 3] {
        let [c, h, w] = x[0].shape.map(|n| n as i64);
        match self {
            Op::Conv { window, transposed, channels, .. } => {
                let axis = |a: usize, n: i64| window.output(a, n, *transposed);
                [*channels as i64, axis(0, h), axis(1, w)]
            }
            Op::Resize([y, x], _) => [c, y.output as i64, x.output as i64],
            Op::Shuffle { block, inverse: false, .. } => {
                let r = *block as i64;
                [c / (r * r), h * r, w * r]
            }
            Op::Shuffle { block, .. } => {
                let r = *block as i64;
                [c * r * r, h / r, w / r]
            }
            Op::MaxUnpool { output, .. } => [c, output[0] as i64, output[1] as i64],
            Op::Pad([[top, bottom], [left, right]], _) => [c, h + (top + bottom) as i64, w + (left + right) as i64],
            Op::Concat(axis) => {
                let mut shape = [c, h, w];
                shape[*axis] = x.iter().map(|t| t.shape[*axis] as i64).sum();
                shape
            }
            Op::Add { .. } | Op::Mul | Op::Map(_) => [c, h, w],
        }
    }

    /// The f64 reference's answer.
    ///
    /// # Errors
    /// [`Refusal::Unsupported`] for operators that exist in raw numbers only.
    pub fn reference(&self, x: &[Tensor]) -> Parsed<Tensor> {
        Ok(match self {
            Op::Conv { window, transposed, weight, bias, channels, order: WeightOrder::Torch } => {
                let conv = if *transposed { reference::conv_transpose } else { reference::conv };
                conv(&x[0], weight, bias, *channels, window)
            }
            Op::Resize(axes, by) => reference::resize(&x[0], *axes, *by),
            Op::Shuffle { block, order, inverse: false } => reference::depth_to_space(&x[0], *block, *order),
            Op::Shuffle { block, order, inverse: true } => reference::space_to_depth(&x[0], *block, *order),
            Op::MaxUnpool { output, .. } => reference::max_unpool(&x[0], &x[1], *output),
            Op::Pad(pads, mode) => reference::pad(&x[0], *pads, *mode),
            Op::Add { subtract: false } => reference::elementwise(&x[0], &x[1], |a, b| a + b),
            Op::Add { subtract: true } => reference::elementwise(&x[0], &x[1], |a, b| a - b),
            Op::Mul => reference::elementwise(&x[0], &x[1], |a, b| a * b),
            Op::Concat(axis) => reference::concat(x, *axis),
            Op::Map(function) => {
                Tensor { shape: x[0].shape, data: x[0].data.iter().map(|v| function.of(*v)).collect() }
            }
            Op::Conv { order: WeightOrder::Tflite, .. } => {
                return Err(unsupported("the weights' order", "the reference has PyTorch's"));
            }
        })
    }
}

/// The parts of a convolution call that are found the same way in all words.
struct ConvCall<'a> {
    transposed: bool,
    weight: &'a Array,
    bias: Option<&'a Array>,
    order: WeightOrder,
    channels: usize,
    group_in: usize,
    kernel: Vec<usize>,
    stride: Vec<usize>,
    dilation: Vec<usize>,
    output_padding: Vec<usize>,
    groups: usize,
}

impl<'a> ConvCall<'a> {
    /// From weights `[C_out, C_in / g, ..]`, or `[C_in, C_out / g, ..]` transposed.
    fn torch(case: &'a Case, transposed: bool, names: [&str; 3]) -> Parsed<Self> {
        let [stride, dilation, groups] = names;
        let (weight, args) = (case.input(1)?, case.args());
        let [a, b, kernel @ ..] = weight.shape.as_slice() else {
            return Err(broken(format!("a weight of shape {:?}", weight.shape)));
        };
        if weight.data.is_empty() {
            return Err(broken(format!("a weight of shape {:?}", weight.shape)));
        }
        let n = kernel.len();
        let groups = size(groups, 1, args.int(groups, 1)?)?;
        if a % groups != 0 {
            return Err(broken(format!("{a} channels do not split into {groups} groups")));
        }
        Ok(ConvCall {
            transposed,
            weight,
            bias: case.array(2),
            order: WeightOrder::Torch,
            channels: if transposed { b * groups } else { *a },
            group_in: if transposed { a / groups } else { *b },
            kernel: kernel.to_vec(),
            stride: args.sizes(stride, n, 1, 1)?,
            dilation: args.sizes(dilation, n, 1, 1)?,
            output_padding: args.sizes("output_padding", n, 0, 0)?,
            groups,
        })
    }

    /// How many rows a kernel spans.
    fn span(&self, axis: usize) -> i64 {
        (self.dilation[axis] * (self.kernel[axis] - 1) + 1) as i64
    }

    /// Rows missing so that a convolution gives `ceil(in / s)`.
    fn missing(&self, axis: usize, input: usize) -> i64 {
        let (s, input) = (self.stride[axis] as i64, input as i64);
        (((input - 1) / s) * s + self.span(axis) - input).max(0)
    }

    /// Rows that a transposed convolution without padding has beyond `output`; below 0 it lacks some.
    fn surplus(&self, axis: usize, input: usize, output: i64) -> i64 {
        (input as i64 - 1) * self.stride[axis] as i64 + self.span(axis) + self.output_padding[axis] as i64 - output
    }

    /// The operator; padding below 0 at the end is output padding.
    fn op(&self, pads: &[[i64; 2]], x: &Array) -> Parsed<Op> {
        let n = self.kernel.len();
        let tflite = self.order == WeightOrder::Tflite;
        let channels_at = if tflite { x.shape.len().checked_sub(1) } else { x.shape.len().checked_sub(n + 1) };
        let input_channels = channels_at.map(|at| x.shape[at]);
        if input_channels != Some(self.group_in * self.groups) {
            return Err(broken(format!(
                "a weight of shape {:?} for an input of shape {:?}",
                self.weight.shape, x.shape
            )));
        }
        let bias = self.bias.map_or(&[][..], |b| &b.data);
        if !bias.is_empty() && bias.len() != self.channels {
            return Err(broken(format!("{} biases for {} output channels", bias.len(), self.channels)));
        }
        let mut output_padding = self.output_padding.clone();
        let mut padding = Vec::new();
        for (axis, [before, after]) in pads.iter().enumerate() {
            let lacking = if self.transposed { (-after).max(0) } else { 0 };
            output_padding[axis] += lacking as usize;
            padding.push([size("padding", 0, *before)?, size("padding", 0, after + lacking)?]);
        }
        let window = Window {
            kernel: two(&self.kernel, 1)?,
            stride: two(&self.stride, 1)?,
            pads: two(&padding, [0, 0])?,
            output_padding: two(&output_padding, 0)?,
            dilation: two(&self.dilation, 1)?,
            groups: self.groups,
        };
        Ok(Op::Conv {
            window,
            transposed: self.transposed,
            weight: self.weight.data.clone(),
            order: self.order,
            bias: bias.to_vec(),
            channels: self.channels,
        })
    }
}

/// Resizes the axes that change; `axes` has one entry for each axis of x.
fn resize(x: &Array, y: &Array, axes: &[Axis], by: Interpolation) -> Parsed<Call> {
    if y.shape.len() != x.shape.len() {
        return Err(Refusal::Wrong(format!("the output has {} axes, expected {}", x.shape.len(), y.shape.len())));
    }
    let chosen = working_axes(axes.len(), |i| !(axes[i].by_size() && axes[i].input == axes[i].output));
    let used: Vec<Axis> = chosen.iter().map(|i| axes[*i]).collect();
    let op = Op::Resize(two(&used, Axis::to(1, 1, used[0].coordinates))?, by);
    Ok(Call::single(op, vec![folded(x, &chosen)?], folded(y, &chosen)?))
}

/// Pads the axes that change; `pads` has one entry for each axis of x.
fn pad(x: &Array, y: &Array, pads: &[[isize; 2]], mode: PadMode) -> Parsed<Call> {
    if y.shape.len() != x.shape.len() {
        return Err(Refusal::Wrong(format!("the output has {} axes, expected {}", x.shape.len(), y.shape.len())));
    }
    let chosen = working_axes(pads.len(), |i| pads[i] != [0, 0]);
    let used: Vec<[isize; 2]> = chosen.iter().map(|i| pads[*i]).collect();
    Ok(Call::single(Op::Pad(two(&used, [0, 0])?, mode), vec![folded(x, &chosen)?], folded(y, &chosen)?))
}

/// Unpools the last `n` axes into planes of `output`; ONNX's indices count in the whole tensor of planes of `inferred`.
fn max_unpool(case: &Case, n: usize, window: Window, output: [usize; 2], inferred: Option<[usize; 2]>) -> Parsed<Call> {
    let (x, indices, y) = (case.input(0)?, case.input(1)?, case.output()?);
    if indices.shape != x.shape || y.shape.len() != x.shape.len() || x.shape.len() < n {
        return Err(broken(format!("indices {:?} and output {:?} for {:?}", indices.shape, y.shape, x.shape)));
    }
    let axes: Vec<usize> = (x.shape.len() - n..x.shape.len()).collect();
    let (x, mut indices) = (folded(x, &axes)?, folded(indices, &axes)?);
    let flat: Vec<i64> = indices.data.iter().map(|v| *v as i64).collect();
    let size = x.shape[1] * x.shape[2];
    for (i, to) in indices.data.iter_mut().enumerate() {
        let within = match inferred {
            None => usize::try_from(flat[i]).ok(),
            Some([h, w]) => usize::try_from(flat[i])
                .ok()
                .and_then(|at| at.checked_sub(i / size * h * w))
                .filter(|at| *at < h * w && at % w < output[1])
                .map(|at| at / w * output[1] + at % w),
        };
        let within = within.filter(|at| *at < output[0] * output[1]);
        *to = within.ok_or_else(|| broken(format!("index {} lies outside its output plane", flat[i])))? as f64;
    }
    let counts = if inferred.is_some() { FlatIndex::Onnx { batch: 0 } } else { FlatIndex::Torch };
    let op = Op::MaxUnpool { output, window, flat, counts };
    Ok(Call::single(op, vec![x, indices], folded(y, &axes)?))
}

fn block(args: Args<'_>, names: &[&str]) -> Parsed<usize> {
    let name = names.iter().find(|name| args.get(name).is_some()).ok_or_else(|| broken(format!("no {}", names[0])))?;
    size(name, 1, args.int(name, 0)?)
}

fn shuffle(case: &Case, block: usize, order: ShuffleOrder, inverse: bool) -> Parsed<Call> {
    let (x, y) = (case.input(0)?, case.output()?);
    let [.., c, h, w] = x.shape[..] else { return Err(broken(format!("an input of shape {:?}", x.shape))) };
    let fits = if inverse { h % block == 0 && w % block == 0 } else { c % (block * block) == 0 };
    if !fits {
        return Err(broken(format!("blocks of {block} do not divide {:?}", x.shape)));
    }
    Call::batched(Op::Shuffle { block, order, inverse }, x, y, 2)
}

/// Padding or, below 0, cropping.
fn pad_pair(before: i64, after: i64) -> Parsed<[isize; 2]> {
    let bounded = |v: i64| size("pad", 0, v.abs()).map(|_| v as isize);
    Ok([bounded(before)?, bounded(after)?])
}
