//! The words of ONNX.

use super::*;

pub(super) fn call(case: &Case) -> Parsed<Call> {
    let (args, x, y) = (case.args(), case.input(0)?, case.output()?);
    let order = match args.text("mode", "DCR") {
        "CRD" => ShuffleOrder::Crd,
        _ => ShuffleOrder::Dcr,
    };
    match case.op.as_str() {
        "Conv" | "ConvTranspose" => {
            let transposed = case.op == "ConvTranspose";
            let conv = ConvCall::torch(case, transposed, ["strides", "dilations", "group"])?;
            let n = conv.kernel.len();
            if x.shape.len() != n + 2 {
                return Err(broken(format!("weight {:?} and input {:?}", conv.weight.shape, x.shape)));
            }
            let given = args.onnx_pads()?;
            if !given.is_empty() && given.len() != 2 * n {
                return Err(broken(format!("pads has {} values", given.len())));
            }
            let outputs = match args.get("output_shape").and_then(Value::as_array) {
                Some(list) if list.len() < n => return Err(broken("output_shape lacks axes")),
                Some(list) => {
                    Some(list[list.len() - n..].iter().map(|v| whole("output_shape", v)).collect::<Parsed<Vec<_>>>()?)
                }
                None => None,
            };
            let spatial = &x.shape[2..];
            let pads: Vec<[i64; 2]> = (0..n)
                .map(|a| match (args.text("auto_pad", "NOTSET"), &outputs) {
                    (auto, Some(outputs)) if transposed => {
                        split_surplus(conv.surplus(a, spatial[a], outputs[a]), auto == "SAME_UPPER")
                    }
                    (auto @ ("SAME_UPPER" | "SAME_LOWER"), _) if transposed => {
                        let output = (spatial[a] * conv.stride[a]) as i64;
                        split_surplus(conv.surplus(a, spatial[a], output), auto == "SAME_UPPER")
                    }
                    (auto @ ("SAME_UPPER" | "SAME_LOWER"), _) => {
                        same(conv.missing(a, spatial[a]), auto == "SAME_UPPER")
                    }
                    ("NOTSET", _) if !given.is_empty() => [given[a], given[n + a]],
                    _ => [0, 0],
                })
                .collect();
            Call::batched(conv.op(&pads, x)?, x, y, n)
        }
        "DepthToSpace" => shuffle(case, block(args, &["blocksize"])?, order, false),
        "SpaceToDepth" => shuffle(case, block(args, &["blocksize"])?, order, true),
        "MaxUnpool" => {
            let n = x.shape.len().saturating_sub(2);
            let kernel = args.sizes("kernel_shape", n, 1, 0)?;
            let stride = args.sizes("strides", n, 1, 1)?;
            let pads = args.onnx_pads()?;
            let pads = if pads.is_empty() { vec![0; 2 * n] } else { pads };
            if pads.len() != 2 * n {
                return Err(broken(format!("pads has {} values", pads.len())));
            }
            // Indices count in the whole output tensor as it is without output_shape.
            let natural =
                |a: usize| (x.shape[2 + a] as i64 - 1) * stride[a] as i64 - pads[a] - pads[n + a] + kernel[a] as i64;
            let inferred = (0..n).map(|a| size("the output", 1, natural(a))).collect::<Parsed<Vec<_>>>()?;
            let [h, w] = two(&inferred, 1)?;
            let output = match case.array(2) {
                Some(shape) if shape.data.len() == n + 2 => {
                    let last = shape.data[2..].iter().map(|v| size("output_shape", 1, *v as i64));
                    two(&last.collect::<Parsed<Vec<_>>>()?, 1)?
                }
                Some(_) => return Err(broken("output_shape lacks axes")),
                None => [h, w],
            };
            let pair = |a: usize| Ok([size("pads", 0, pads[a])?, size("pads", 0, pads[n + a])?]);
            let pads = (0..n).map(pair).collect::<Parsed<Vec<_>>>()?;
            let window = Window::pooling(two(&kernel, 1)?, two(&stride, 1)?, two(&pads, [0, 0])?);
            max_unpool(case, n, window, output, Some([h, w]))
        }
        "Pad" => {
            let rank = x.shape.len();
            let given = match case.array(1) {
                Some(pads) => pads.data.iter().map(|v| whole("pads", &Value::from(*v))).collect::<Parsed<_>>()?,
                None => args.onnx_pads()?,
            };
            let axes = axes_of(case.array(3).map(|a| &a.data[..]), rank)?;
            if given.len() != 2 * axes.len() {
                return Err(broken(format!("pads has {} values", given.len())));
            }
            let mut pads = vec![[0, 0]; rank];
            for (i, axis) in axes.iter().enumerate() {
                pads[*axis] = pad_pair(given[i], given[axes.len() + i])?;
            }
            let value = case.array(2).and_then(|a| a.data.first().copied());
            let mode = match args.text("mode", "constant") {
                "constant" => PadMode::Constant(value.map_or_else(|| args.float("value", 0.0), Ok)?),
                "reflect" => PadMode::Reflect,
                "edge" => PadMode::Replicate,
                "wrap" => PadMode::Wrap,
                mode => return Err(unsupported("mode", format!("\"{mode}\""))),
            };
            pad(x, y, &pads, mode)
        }
        "Resize" | "Upsample" => resize_by(case, args, x, y),
        op => Err(unsupported("op", format!("no operator {op}"))),
    }
}

/// What a transposed convolution gives up at each end; what it lacks it gets at the end.
fn split_surplus(surplus: i64, upper: bool) -> [i64; 2] {
    if surplus < 0 { [0, surplus] } else { same(surplus, upper) }
}

/// Axes as ONNX counts them; none stands for all.
fn axes_of(given: Option<&[f64]>, rank: usize) -> Parsed<Vec<usize>> {
    let Some(given) = given else { return Ok((0..rank).collect()) };
    let axis = |v: &f64| {
        let v = if *v < 0.0 { *v + rank as f64 } else { *v };
        if (0.0..rank as f64).contains(&v) { Ok(v as usize) } else { Err(broken(format!("axis {v} of {rank}"))) }
    };
    given.iter().map(axis).collect()
}

fn resize_by(case: &Case, args: Args<'_>, x: &Array, y: &Array) -> Parsed<Call> {
    let rank = x.shape.len();
    // Upsample and the first Resize have two inputs, no choice of coordinates, and round down.
    let old = case.op == "Upsample" || (1..=10).contains(&case.opset);
    let text = |name: &str, before: &'static str, default: &'static str| {
        if old { before.to_owned() } else { args.text(name, default).to_owned() }
    };
    if args.flag("antialias") {
        return Err(unsupported("antialias", "a filter as wide as the step is not offered"));
    }
    let transformation = text("coordinate_transformation_mode", "asymmetric", "half_pixel");
    let coordinates = match transformation.as_str() {
        "half_pixel" => Coordinates::HalfPixel,
        "half_pixel_symmetric" => Coordinates::HalfPixelSymmetric,
        "pytorch_half_pixel" => Coordinates::PytorchHalfPixel,
        "align_corners" => Coordinates::AlignCorners,
        "asymmetric" => Coordinates::Asymmetric,
        "tf_crop_and_resize" => {
            return Err(unsupported(
                "coordinate_transformation_mode",
                "tf_crop_and_resize samples a region, not the tensor",
            ));
        }
        mode => return Err(unsupported("coordinate_transformation_mode", format!("\"{mode}\""))),
    };
    let by = match args.text("mode", "nearest") {
        "nearest" => Interpolation::Nearest(match text("nearest_mode", "floor", "round_prefer_floor").as_str() {
            "round_prefer_floor" => NearestMode::RoundPreferFloor,
            "round_prefer_ceil" => NearestMode::RoundPreferCeil,
            "floor" => NearestMode::Floor,
            "ceil" => NearestMode::Ceil,
            mode => return Err(unsupported("nearest_mode", format!("\"{mode}\""))),
        }),
        "linear" | "bilinear" => Interpolation::Linear,
        "cubic" => {
            let a = args.float("cubic_coeff_a", -0.75)?;
            Interpolation::Cubic { a, exclude_outside: args.flag("exclude_outside") }
        }
        mode => return Err(unsupported("mode", format!("\"{mode}\""))),
    };
    let chosen: Option<Vec<f64>> =
        args.get("axes").and_then(Value::as_array).map(|a| a.iter().filter_map(Value::as_f64).collect());
    let chosen = axes_of(chosen.as_deref(), rank)?;
    let of_input = |slot| case.array(slot).map(|a| a.data.clone()).filter(|v| !v.is_empty());
    let attribute = || args.get("scales").and_then(Value::as_array);
    let scales = of_input(if old { 1 } else { 2 })
        .or_else(|| attribute().map(|list| list.iter().filter_map(Value::as_f64).collect()));
    let sizes = if old { None } else { of_input(3) };
    let given = scales.as_ref().or(sizes.as_ref()).ok_or_else(|| broken("neither scales nor sizes"))?;
    if given.len() != chosen.len() {
        return Err(broken(format!("{} scales or sizes for {} axes", given.len(), chosen.len())));
    }
    if let Some(v) = given.iter().find(|v| !(**v > 0.0 && **v < 1e6)) {
        return Err(broken(format!("a scale or size of {v}")));
    }
    let mut axes: Vec<Axis> = x.shape.iter().map(|n| Axis::to(*n, *n, coordinates)).collect();
    let by_policy = || chosen.iter().zip(given).map(|(a, size)| size / x.shape[*a] as f64);
    let common = match args.text("keep_aspect_ratio_policy", "stretch") {
        "not_larger" if scales.is_none() => Some(by_policy().fold(f64::INFINITY, f64::min)),
        "not_smaller" if scales.is_none() => Some(by_policy().fold(0.0, f64::max)),
        _ => None,
    };
    for (axis, v) in chosen.iter().zip(given) {
        let input = x.shape[*axis] as f64;
        let (output, scale) = match (common, &scales) {
            (Some(scale), _) => ((scale * input + 0.5).floor(), scale),
            (None, Some(_)) => ((v * input).floor(), *v),
            (None, None) => (*v, *v / input),
        };
        axes[*axis] = Axis::to(x.shape[*axis], size("sizes", 1, output as i64)?, coordinates);
        if (common.is_some() || scales.is_some()) && scale * input != output {
            axes[*axis].scale = [scale, 1.0];
        }
    }
    resize(x, y, &axes, by)
}
