//! The words of `torch.nn.functional`.

use super::*;

pub(super) fn call(case: &Case) -> Parsed<Call> {
    let args = case.args();
    let dims = |prefix: &str| match case.op.strip_prefix(prefix) {
        Some("1d") => Some(1),
        Some("2d") => Some(2),
        Some("3d") => Some(3),
        _ => None,
    };
    let (transposed, plain) = (dims("conv_transpose"), dims("conv"));
    if let Some(n) = transposed.or(plain) {
        let (x, y) = (case.input(0)?, case.output()?);
        let conv = ConvCall::torch(case, transposed.is_some(), ["stride", "dilation", "groups"])?;
        if conv.kernel.len() != n || !(n + 1..=n + 2).contains(&x.shape.len()) {
            return Err(broken(format!("weight {:?} and input {:?} of a {}", conv.weight.shape, x.shape, case.op)));
        }
        let pair = |v: &Value| match v.as_array().map(Vec::as_slice) {
            Some([before, after]) => Ok([whole("pads", before)?, whole("pads", after)?]),
            _ => Err(broken("pads is not a list of pairs")),
        };
        let pads = match (args.text("padding", ""), args.get("pads").and_then(Value::as_array)) {
            (_, Some(list)) => list.iter().map(pair).collect::<Parsed<Vec<_>>>()?,
            ("same", _) => (0..n).map(|a| same(conv.span(a) - 1, true)).collect(),
            ("valid", _) => vec![[0, 0]; n],
            _ => args.ints("padding", n, 0)?.into_iter().map(|p| [p, p]).collect(),
        };
        return if pads.len() == n {
            Call::batched(conv.op(&pads, x)?, x, y, n)
        } else {
            Err(broken("pads lacks axes"))
        };
    }
    if let Some(n) = dims("max_unpool") {
        let x = case.input(0)?;
        let kernel = args.sizes("kernel_size", n, 1, 0)?;
        let stride = args.sizes("stride", n, 1, 0).or_else(|_| args.sizes("kernel_size", n, 1, 0))?;
        let padding = args.sizes("padding", n, 0, 0)?;
        if x.shape.len() <= n {
            return Err(broken(format!("an input of shape {:?}", x.shape)));
        }
        let spatial = &x.shape[x.shape.len() - n..];
        let natural = |a: usize| (spatial[a] as i64 - 1) * stride[a] as i64 - 2 * padding[a] as i64 + kernel[a] as i64;
        let output: Vec<usize> = match args.get("output_size").and_then(Value::as_array) {
            Some(list) if list.len() >= n => {
                let last = list[list.len() - n..].iter();
                last.map(|v| size("output_size", 1, whole("output_size", v)?)).collect::<Parsed<_>>()?
            }
            _ => (0..n).map(|a| size("the output", 1, natural(a))).collect::<Parsed<_>>()?,
        };
        let window = Window::pooling(two(&kernel, 1)?, two(&stride, 1)?, two(&padding, 0)?.map(|p| [p, p]));
        return max_unpool(case, n, window, two(&output, 1)?, None);
    }
    let (x, y) = (case.input(0)?, case.output()?);
    match case.op.as_str() {
        "pixel_shuffle" => shuffle(case, block(args, &["factor", "upscale_factor"])?, ShuffleOrder::Crd, false),
        "pixel_unshuffle" => shuffle(case, block(args, &["factor", "downscale_factor"])?, ShuffleOrder::Crd, true),
        "pad" => {
            let list = args.get("pad").and_then(Value::as_array).ok_or_else(|| broken("no pad"))?;
            let amounts = list.iter().map(|v| whole("pad", v)).collect::<Parsed<Vec<_>>>()?;
            if amounts.len() % 2 != 0 || amounts.len() / 2 > x.shape.len() {
                return Err(broken(format!("pad has {} values", amounts.len())));
            }
            let mut pads = vec![[0, 0]; x.shape.len()];
            for (axis, p) in pads.iter_mut().rev().zip(amounts.chunks(2)) {
                *axis = pad_pair(p[0], p[1])?; // the last axis comes first
            }
            let mode = match args.text("mode", "constant") {
                "constant" => PadMode::Constant(args.float("value", 0.0)?),
                "reflect" => PadMode::Reflect,
                "replicate" => PadMode::Replicate,
                "circular" => PadMode::Wrap,
                mode => {
                    return Err(unsupported("mode", format!("\"{mode}\"")));
                }
            };
            pad(x, y, &pads, mode)
        }
        "interpolate" => interpolate(args, x, y),
        op => Err(unsupported("op", format!("no operator {op}"))),
    }
}

fn interpolate(args: Args<'_>, x: &Array, y: &Array) -> Parsed<Call> {
    let Some(n) = x.shape.len().checked_sub(2) else {
        return Err(broken(format!("an input of shape {:?}", x.shape)));
    };
    if args.flag("antialias") {
        return Err(unsupported("antialias", "a filter as wide as the step is not offered"));
    }
    let corners = if args.flag("align_corners") { Coordinates::AlignCorners } else { Coordinates::HalfPixel };
    let (by, coordinates) = match args.text("mode", "nearest") {
        "nearest" => (Interpolation::TorchNearest, Coordinates::Asymmetric),
        "nearest-exact" => (Interpolation::TorchNearestExact, Coordinates::HalfPixel),
        "linear" | "bilinear" | "trilinear" => (Interpolation::Linear, corners),
        "bicubic" => (Interpolation::Cubic { a: -0.75, exclude_outside: false }, corners),
        "area" => (Interpolation::Area, Coordinates::Asymmetric),
        mode => return Err(unsupported("mode", format!("\"{mode}\""))),
    };
    let factor =
        |v: &Value| v.as_f64().filter(|f| *f > 0.0 && *f < 1e6).ok_or_else(|| broken(format!("scale_factor is {v}")));
    let factors = args.list("scale_factor", n, factor)?;
    let sizes: Vec<i64> = match &factors {
        Some(factors) => x.shape[2..].iter().zip(factors).map(|(i, f)| (*i as f64 * f).floor() as i64).collect(),
        None if args.get("size").is_some() => args.ints("size", n, 0)?,
        None => return Err(broken("neither size nor scale_factor")),
    };
    let keeps_factor = !args.flag("recompute_scale_factor") && coordinates != Coordinates::AlignCorners;
    // Small images take another path in PyTorch, with shortcuts for the same and twice the size.
    let small_image = n == 2 && by == Interpolation::TorchNearest && sizes.iter().sum::<i64>() <= 128;
    let mut axes: Vec<Axis> = x.shape[..2].iter().map(|n| Axis::to(*n, *n, coordinates)).collect();
    for (i, (input, output)) in x.shape[2..].iter().zip(sizes).enumerate() {
        let mut axis = Axis::to(*input, size("size", 1, output)?, coordinates);
        let ignored = match by {
            Interpolation::Area => true,
            Interpolation::Linear => axis.output == axis.input, // a copy
            _ => small_image && (axis.output == axis.input || axis.output == 2 * axis.input),
        };
        let given = factors.as_ref().filter(|_| keeps_factor && !ignored).map(|f| f[i]);
        if let Some(f) = given.filter(|f| f * *input as f64 != axis.output as f64) {
            axis.scale = [f, 1.0];
        }
        axes.push(axis);
    }
    resize(x, y, &axes, by)
}
