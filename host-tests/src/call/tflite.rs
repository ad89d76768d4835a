//! The words of TFLite: raw numbers in NHWC.

use super::*;

fn quant(a: &Array) -> Parsed<Quant> {
    match &a.quant {
        Some(q) => Ok(Quant::new(q.scale[0], q.zero_point[0])),
        None => Err(broken(format!("a tensor of shape {:?} has no quant", a.shape))),
    }
}

fn numbers(a: &Array) -> Parsed<Numbers> {
    match a.dtype.as_str() {
        "int8" => Ok(Numbers::I8),
        "int16" => Ok(Numbers::I16),
        dtype => Err(unsupported("dtype", format!("{dtype}; there are int8 and int16"))),
    }
}

/// An NHWC tensor (missing leading axes are 1) as `[N, C, H, W]` folded to `[N C, H, W]`.
fn nhwc(a: &Array) -> Parsed<Tensor> {
    if a.shape.len() > 4 {
        return Err(unsupported("the shape", format!("{:?} has more axes than NHWC", a.shape)));
    }
    let mut shape = vec![1; 4 - a.shape.len()];
    shape.extend(&a.shape);
    folded(&Array { shape, ..a.clone() }, &[1, 2])
}

pub(super) fn call(case: &Case) -> Parsed<Call> {
    let (args, x, y) = (case.args(), case.input(0)?, case.output()?);
    let mut quantised = Quantised {
        numbers: numbers(x)?,
        y_numbers: numbers(y)?,
        x: case.inputs.iter().flatten().map(quant).collect::<Parsed<_>>()?,
        y: quant(y)?,
        weight: vec![],
        activation: match args.text("activation", "NONE") {
            "NONE" => Activation::None,
            "RELU" => Activation::Relu,
            "RELU6" => Activation::Relu6,
            "RELU_N1_TO_1" => Activation::ReluN1To1,
            other => return Err(unsupported("activation", other)),
        },
        rounding: Rounding::TfliteDouble,
        numerics: Numerics::Tflite(Rounding::TfliteDouble),
    };
    if case.inputs.iter().flatten().any(|a| a.dtype != x.dtype) {
        return Err(unsupported("dtype", "inputs of different dtypes"));
    }
    let spatial = |a: &Array| match a.shape[..] {
        [1, h, w, _] => Ok([h, w]),
        _ => Err(unsupported("the shape", format!("{:?} is not NHWC with N = 1", a.shape))),
    };
    let sizes = |name: &str| -> Parsed<[usize; 2]> { two(&args.sizes(name, 2, 1, 1)?, 1) };
    let op = match case.op.as_str() {
        "TRANSPOSE_CONV" | "CONV_2D" | "DEPTHWISE_CONV_2D" => {
            let transposed = case.op == "TRANSPOSE_CONV";
            let found = case.constant("weights_ohwi").map(|w| (w, 0)).or(case.constant("weights_1hwc").map(|w| (w, 3)));
            let (weight, axis) = found.ok_or_else(|| broken("no weights"))?;
            let [_, kh, kw, per_group] = weight.shape[..] else {
                return Err(broken(format!("a weight of shape {:?}", weight.shape)));
            };
            if weight.data.is_empty() {
                return Err(broken(format!("a weight of shape {:?}", weight.shape)));
            }
            let depthwise = axis == 3;
            // 1HWC to OHWI with one input channel for each output channel.
            let moved = depthwise.then(|| folded(weight, &[1, 2])).transpose()?;
            let weight = Array { data: moved.map_or(weight.data.clone(), |t| t.data), ..weight.clone() };
            let input_channels = x.shape.last().copied().unwrap_or(0);
            let group_in = if depthwise { 1 } else { per_group };
            quantised.weight = weight.quant.as_ref().ok_or_else(|| broken("the weights have no quant"))?.scale.clone();
            if args.text("acc", "int32") == "int64" {
                quantised.rounding = Rounding::Tflite16x8;
            }
            let conv = ConvCall {
                transposed,
                weight: &weight,
                bias: case.constant("bias"),
                order: WeightOrder::Tflite,
                channels: weight.shape[axis],
                group_in,
                kernel: vec![kh, kw],
                stride: args.sizes("stride", 2, 1, 1)?,
                dilation: args.sizes("dilation", 2, 1, 1)?,
                output_padding: vec![0, 0],
                groups: input_channels.checked_div(group_in).unwrap_or(1),
            };
            let (input, output) = (spatial(x)?, spatial(y)?);
            let valid = args.text("padding", "VALID") == "VALID";
            let pads: Vec<[i64; 2]> = (0..2)
                .map(|a| match (transposed, valid) {
                    (false, true) => [0, 0],
                    (false, false) => same(conv.missing(a, input[a]), true),
                    (true, _) => {
                        // The padding of the convolution whose gradient this is; the output's size decides the rest.
                        let before = if valid { 0 } else { conv.missing(a, output[a]) / 2 };
                        [before, conv.surplus(a, input[a], output[a] as i64) - before]
                    }
                })
                .collect();
            conv.op(&pads, x)?
        }
        "RESIZE_BILINEAR" | "RESIZE_NEAREST_NEIGHBOR" => {
            let (input, output) = (spatial(x)?, sizes("size")?);
            let (align_corners, half_pixel) = (args.flag("align_corners"), args.flag("half_pixel_centers"));
            let coordinates = match (align_corners, half_pixel) {
                (true, _) => Coordinates::AlignCorners,
                (_, true) => Coordinates::HalfPixel,
                _ => Coordinates::Asymmetric,
            };
            let nearest = Interpolation::TfliteNearest { align_corners, half_pixel };
            let by = if case.op == "RESIZE_BILINEAR" { Interpolation::Linear } else { nearest };
            Op::Resize([0, 1].map(|a| Axis::to(input[a], output[a], coordinates)), by)
        }
        "DEPTH_TO_SPACE" | "SPACE_TO_DEPTH" => {
            spatial(x)?;
            let (block, inverse) = (block(args, &["block_size"])?, case.op == "SPACE_TO_DEPTH");
            Op::Shuffle { block, order: ShuffleOrder::Dcr, inverse }
        }
        "ADD" | "SUB" => Op::Add { subtract: case.op == "SUB" },
        "MUL" => Op::Mul,
        "CONCATENATION" => {
            let rank = x.shape.len().max(1) as i64;
            if rank == 4 {
                spatial(x)?;
            }
            match args.int("axis", -1)?.rem_euclid(rank) + 4 - rank {
                1 => Op::Concat(1),
                2 => Op::Concat(2),
                3 => Op::Concat(0),
                _ => return Err(unsupported("axis", "the batch")),
            }
        }
        "LOGISTIC" => Op::Map(Function::Logistic),
        "TANH" => Op::Map(Function::Tanh),
        "HARD_SWISH" => Op::Map(Function::HardSwish),
        "LEAKY_RELU" => Op::Map(Function::LeakyRelu(args.float("alpha", 0.0)? as f32)),
        "QUANTIZE" => Op::Map(Function::Identity),
        op => return Err(unsupported("op", format!("no operator {op}"))),
    };
    let inputs = case.inputs.iter().flatten().map(nhwc).collect::<Parsed<Vec<_>>>()?;
    if matches!(op, Op::Add { .. } | Op::Mul) && inputs.len() != 2 {
        return Err(broken(format!("{} inputs", inputs.len())));
    }
    if let Op::Concat(axis) = op {
        let others = |t: &Tensor| [0, 1, 2].map(|a| if a == axis { 0 } else { t.shape[a] });
        if inputs.iter().any(|t| others(t) != others(&inputs[0])) {
            return Err(broken("the inputs do not fit beside each other"));
        }
    }
    let mut call = Call::single(op, inputs, nhwc(y)?);
    call.quantised = Some(quantised);
    Ok(call)
}
