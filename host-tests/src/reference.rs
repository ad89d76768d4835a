//! The operators in f64, in PyTorch's layout: N = 1, channels first, `shape` = [C, H, W].
//!
//! Written for reading, from the formulas of PyTorch's and ONNX's documentation; the transposed convolution in scatter form, which
//! shares nothing with the kernels' phases.

use upconv::{Coordinates, NearestMode, ShuffleOrder};

/// A tensor [C, H, W] in C order.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Channels, height, width.
    pub shape: [usize; 3],
    /// The values.
    pub data: Vec<f64>,
}

impl Tensor {
    /// A tensor of zeros.
    pub fn zeros(shape: [usize; 3]) -> Self {
        Tensor { shape, data: vec![0.0; shape.iter().product()] }
    }

    /// A tensor whose values `f` gives by channel, row and column.
    pub fn from_fn(shape: [usize; 3], f: impl Fn(usize, usize, usize) -> f64) -> Self {
        let mut t = Tensor::zeros(shape);
        for (i, v) in t.data.iter_mut().enumerate() {
            *v = f(i / (shape[1] * shape[2]), i / shape[2] % shape[1], i % shape[2]);
        }
        t
    }

    /// The value at channel, row, column.
    pub fn at(&self, c: usize, y: usize, x: usize) -> f64 {
        self.data[(c * self.shape[1] + y) * self.shape[2] + x]
    }

    /// The value at signed positions; 0 outside.
    fn padded(&self, c: usize, y: isize, x: isize) -> f64 {
        let inside = |v: isize, n: usize| usize::try_from(v).ok().filter(|v| *v < n);
        match (inside(y, self.shape[1]), inside(x, self.shape[2])) {
            (Some(y), Some(x)) => self.at(c, y, x),
            _ => 0.0,
        }
    }
}

/// Kernel, stride and so on of a convolution, per axis (height, width).
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Kernel size.
    pub kernel: [usize; 2],
    /// Stride.
    pub stride: [usize; 2],
    /// Padding before and after.
    pub pads: [[usize; 2]; 2],
    /// Output padding.
    pub output_padding: [usize; 2],
    /// Dilation.
    pub dilation: [usize; 2],
    /// Groups.
    pub groups: usize,
}

impl Window {
    /// That of a pooling.
    pub fn pooling(kernel: [usize; 2], stride: [usize; 2], pads: [[usize; 2]; 2]) -> Self {
        Window { kernel, stride, pads, output_padding: [0, 0], dilation: [1, 1], groups: 1 }
    }

    /// Output size along an axis; below 1 there is no output.
    pub fn output(&self, axis: usize, input: i64, transposed: bool) -> i64 {
        let [kernel, stride, dilation] = [self.kernel, self.stride, self.dilation].map(|v| v[axis] as i64);
        let padding = (self.pads[axis][0] + self.pads[axis][1]) as i64;
        if transposed {
            (input - 1) * stride - padding + dilation * (kernel - 1) + self.output_padding[axis] as i64 + 1
        } else {
            (input + padding - dilation * (kernel - 1) - 1).div_euclid(stride) + 1
        }
    }
}

/// `nn.functional.conv2d`: weight [C_out, C_in / groups, kh, kw].
pub fn conv(x: &Tensor, weight: &[f64], bias: &[f64], out_channels: usize, g: &Window) -> Tensor {
    let ([kh, kw], per_in, per_out) = (g.kernel, x.shape[0] / g.groups, out_channels / g.groups);
    let size = |a: usize| g.output(a, x.shape[1 + a] as i64, false) as usize;
    Tensor::from_fn([out_channels, size(0), size(1)], |o, oy, ox| {
        let mut sum = bias.get(o).copied().unwrap_or(0.0);
        for (i, ky, kx) in (0..per_in).flat_map(|i| (0..kh).flat_map(move |ky| (0..kw).map(move |kx| (i, ky, kx)))) {
            let iy = (oy * g.stride[0] + ky * g.dilation[0]) as isize - g.pads[0][0] as isize;
            let ix = (ox * g.stride[1] + kx * g.dilation[1]) as isize - g.pads[1][0] as isize;
            sum += x.padded(o / per_out * per_in + i, iy, ix) * weight[((o * per_in + i) * kh + ky) * kw + kx];
        }
        sum
    })
}

/// `nn.functional.conv_transpose2d`, scattered: weight [C_in, C_out / groups, kh, kw].
pub fn conv_transpose(x: &Tensor, weight: &[f64], bias: &[f64], out_channels: usize, g: &Window) -> Tensor {
    let ([c_in, h, w], [kh, kw]) = (x.shape, g.kernel);
    let (per_in, per_out) = (c_in / g.groups, out_channels / g.groups);
    let size = |a: usize, n: usize| g.output(a, n as i64, true) as usize;
    let mut y = Tensor::from_fn([out_channels, size(0, h), size(1, w)], |o, _, _| bias.get(o).copied().unwrap_or(0.0));
    for (i, iy, ix) in (0..c_in).flat_map(|i| (0..h).flat_map(move |y| (0..w).map(move |x| (i, y, x)))) {
        for (o, ky, kx) in (0..per_out).flat_map(|o| (0..kh).flat_map(move |y| (0..kw).map(move |x| (o, y, x)))) {
            let oy = (iy * g.stride[0] + ky * g.dilation[0]).checked_sub(g.pads[0][0]);
            let ox = (ix * g.stride[1] + kx * g.dilation[1]).checked_sub(g.pads[1][0]);
            let (Some(oy), Some(ox)) = (oy, ox) else { continue };
            if oy < y.shape[1] && ox < y.shape[2] {
                let to = ((i / per_in * per_out + o) * y.shape[1] + oy) * y.shape[2] + ox;
                y.data[to] += x.at(i, iy, ix) * weight[((i * per_out + o) * kh + ky) * kw + kx];
            }
        }
    }
    y
}

/// How a resize finds input positions along one axis.
#[derive(Clone, Copy, Debug)]
pub struct Axis {
    /// Input size.
    pub input: usize,
    /// Output size.
    pub output: usize,
    /// Outputs per input as a fraction: `[output, input]`, or a factor that was given.
    pub scale: [f64; 2],
    /// The rule.
    pub coordinates: Coordinates,
}

impl Axis {
    /// Positions that follow from the sizes.
    pub fn to(input: usize, output: usize, coordinates: Coordinates) -> Self {
        Axis { input, output, scale: [output as f64, input as f64], coordinates }
    }

    /// Whether positions follow from the sizes.
    pub fn by_size(&self) -> bool {
        self.scale == [self.output as f64, self.input as f64]
    }

    /// The input position of output `i`, by the formulas of ONNX's `coordinate_transformation_mode`.
    pub fn position(&self, i: usize) -> f64 {
        let (i, input, output, [num, den]) = (i as f64, self.input as f64, self.output as f64, self.scale);
        // Divided once, so that a position that f64 holds is met exactly.
        let over_scale = |v: f64| v * den / num;
        let resized = num * input / den;
        match self.coordinates {
            Coordinates::HalfPixel => over_scale(i + 0.5) - 0.5,
            Coordinates::PytorchHalfPixel if output > 1.0 => over_scale(i + 0.5) - 0.5,
            Coordinates::AlignCorners if resized > 1.0 => i * (input - 1.0) / (resized - 1.0),
            Coordinates::PytorchHalfPixel | Coordinates::AlignCorners => 0.0,
            Coordinates::Asymmetric => over_scale(i),
            Coordinates::HalfPixelSymmetric => input / 2.0 * (1.0 - output / resized) + over_scale(i + 0.5) - 0.5,
        }
    }

    /// The index nearest to a position, clamped.
    fn clamped(&self, i: f64) -> usize {
        i.clamp(0.0, self.input as f64 - 1.0) as usize
    }

    /// `floor((i + offset) * s)` with everything in f32.
    fn floor_f32(&self, i: usize, offset: f32) -> usize {
        let step = (self.scale[1] / self.scale[0]) as f32;
        self.clamped(((i as f32 + offset) * step).floor().into())
    }
}

/// How a resize makes a value from those around a position.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Interpolation {
    /// The nearest value, rounded as named.
    Nearest(NearestMode),
    /// PyTorch's `nearest`, `floor(i * s)` in f32, whatever the coordinates.
    TorchNearest,
    /// PyTorch's `nearest-exact`, `floor((i + 1/2) * s)` in f32.
    TorchNearestExact,
    /// TFLite's nearest in f32, whatever the coordinates.
    TfliteNearest {
        /// Rounds, instead of taking the floor, and the corners meet.
        align_corners: bool,
        /// Samples half a pixel further.
        half_pixel: bool,
    },
    /// The two values around the position.
    Linear,
    /// Keys' cubic through four values.
    Cubic {
        /// Its coefficient, -0.75 or -0.5.
        a: f64,
        /// Values beyond the edges get no weight, and the others are scaled up; else the edges are repeated.
        exclude_outside: bool,
    },
    /// The mean over `floor(i * in / out) .. ceil((i + 1) * in / out)`.
    Area,
}

impl Interpolation {
    /// Whether every output is some input.
    pub fn copies(self) -> bool {
        !matches!(self, Interpolation::Linear | Interpolation::Cubic { .. } | Interpolation::Area)
    }

    /// The weights of the input values for output `i`.
    pub fn taps(self, axis: Axis, i: usize) -> Vec<(usize, f64)> {
        let x = axis.position(i);
        match self {
            Interpolation::Nearest(mode) => {
                let nearest = match mode {
                    NearestMode::Floor => x.floor(),
                    NearestMode::Ceil => x.ceil(),
                    NearestMode::RoundPreferFloor => (x - 0.5).ceil(),
                    NearestMode::RoundPreferCeil => (x + 0.5).floor(),
                };
                vec![(axis.clamped(nearest), 1.0)]
            }
            Interpolation::TorchNearest => vec![(axis.floor_f32(i, 0.0), 1.0)],
            Interpolation::TorchNearestExact => vec![(axis.floor_f32(i, 0.5), 1.0)],
            Interpolation::TfliteNearest { align_corners, half_pixel } => {
                let (input, output) = (axis.input as f32, axis.output as f32);
                let corners = align_corners && axis.output > 1;
                let step = if corners { (input - 1.0) / (output - 1.0) } else { input / output };
                let x = (i as f32 + if half_pixel { 0.5 } else { 0.0 }) * step;
                vec![(axis.clamped(if align_corners { x.round() } else { x.floor() }.into()), 1.0)]
            }
            Interpolation::Linear => {
                let (i0, t) = (x.floor(), x - x.floor());
                vec![(axis.clamped(i0), 1.0 - t), (axis.clamped(i0 + 1.0), t)]
            }
            Interpolation::Cubic { a, exclude_outside } => {
                let weight = |d: f64| match d.abs() {
                    d if d <= 1.0 => ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0,
                    d if d < 2.0 => ((a * d - 5.0 * a) * d + 8.0 * a) * d - 4.0 * a,
                    _ => 0.0,
                };
                let all = [-1.0, 0.0, 1.0, 2.0].map(|k| x.floor() + k);
                let inside = all.iter().filter(|i| !exclude_outside || (0.0..axis.input as f64).contains(*i));
                let taps: Vec<_> = inside.map(|i| (axis.clamped(*i), weight(x - i))).collect();
                let sum = if exclude_outside { taps.iter().map(|(_, w)| w).sum() } else { 1.0 };
                taps.into_iter().map(|(i, w)| (i, w / sum)).collect()
            }
            Interpolation::Area => {
                let span = i * axis.input / axis.output..((i + 1) * axis.input).div_ceil(axis.output);
                let count = span.len() as f64;
                span.map(|i| (i, 1.0 / count)).collect()
            }
        }
    }
}

/// Resizes along both axes: `nn.functional.interpolate`, ONNX `Resize` and `Upsample`.
pub fn resize(x: &Tensor, axes: [Axis; 2], by: Interpolation) -> Tensor {
    let taps = axes.map(|axis| (0..axis.output).map(|i| by.taps(axis, i)).collect::<Vec<_>>());
    Tensor::from_fn([x.shape[0], axes[0].output, axes[1].output], |c, oy, ox| {
        let row = |y| taps[1][ox].iter().map(|(i, w)| w * x.at(c, y, *i)).sum::<f64>();
        taps[0][oy].iter().map(|(i, w)| w * row(*i)).sum()
    })
}

/// The channel of a coarse pixel that is channel c of its block's pixel (dy, dx).
fn coarse_channel(order: ShuffleOrder, [c, dy, dx]: [usize; 3], channels: usize, r: usize) -> usize {
    match order {
        ShuffleOrder::Dcr => (dy * r + dx) * channels + c,
        ShuffleOrder::Crd => (c * r + dy) * r + dx,
    }
}

/// `pixel_shuffle`, `DepthToSpace`: [C r², H, W] to [C, H r, W r].
pub fn depth_to_space(x: &Tensor, r: usize, order: ShuffleOrder) -> Tensor {
    let [c, h, w] = x.shape;
    let channels = c / (r * r);
    Tensor::from_fn([channels, h * r, w * r], |c, oy, ox| {
        x.at(coarse_channel(order, [c, oy % r, ox % r], channels, r), oy / r, ox / r)
    })
}

/// `pixel_unshuffle`, `SpaceToDepth`: [C, H r, W r] to [C r², H, W], the inverse of [`depth_to_space`].
pub fn space_to_depth(x: &Tensor, r: usize, order: ShuffleOrder) -> Tensor {
    let [channels, h, w] = x.shape;
    let mut y = Tensor::zeros([channels * r * r, h / r, w / r]);
    for (c, iy, ix) in (0..channels).flat_map(|c| (0..h).flat_map(move |y| (0..w).map(move |x| (c, y, x)))) {
        let o = coarse_channel(order, [c, iy % r, ix % r], channels, r);
        let to = (o * y.shape[1] + iy / r) * y.shape[2] + ix / r;
        y.data[to] = x.at(c, iy, ix);
    }
    y
}

/// `max_unpool2d`: each value goes to the position that its index names within the output plane; 0 elsewhere.
pub fn max_unpool(x: &Tensor, indices: &Tensor, [h, w]: [usize; 2]) -> Tensor {
    let mut y = Tensor::zeros([x.shape[0], h, w]);
    let plane = x.shape[1] * x.shape[2];
    for (i, (v, to)) in x.data.iter().zip(&indices.data).enumerate() {
        y.data[i / plane * h * w + *to as usize] = *v;
    }
    y
}

/// How `pad` continues a tensor beyond its edges.
#[derive(Clone, Copy, Debug)]
pub enum PadMode {
    /// By a value.
    Constant(f64),
    /// By mirroring at the edge pixel, which is not repeated.
    Reflect,
    /// By the edge pixel.
    Replicate,
    /// By the other end.
    Wrap,
}

/// `nn.functional.pad` with `pads` = [[top, bottom], [left, right]]; negative ones crop.
pub fn pad(x: &Tensor, pads: [[isize; 2]; 2], mode: PadMode) -> Tensor {
    let size = |a: usize| (x.shape[1 + a] as isize + pads[a][0] + pads[a][1]) as usize;
    let source = |o: usize, a: usize| {
        let (i, last) = (o as isize - pads[a][0], x.shape[1 + a] as isize - 1);
        match mode {
            PadMode::Constant(_) => Some(i).filter(|i| (0..=last).contains(i)),
            PadMode::Reflect => Some((last - (last - i.rem_euclid(2 * last.max(1))).abs()).max(0)),
            PadMode::Replicate => Some(i.clamp(0, last)),
            PadMode::Wrap => Some(i.rem_euclid(last + 1)),
        }
        .map(|i| i as usize)
    };
    let outside = if let PadMode::Constant(value) = mode { value } else { 0.0 };
    Tensor::from_fn([x.shape[0], size(0), size(1)], |c, oy, ox| match (source(oy, 0), source(ox, 1)) {
        (Some(y), Some(x_)) => x.at(c, y, x_),
        _ => outside,
    })
}

/// `f` of two tensors; height and width of the second may be 1, which then goes with every row and column.
pub fn elementwise(a: &Tensor, b: &Tensor, f: impl Fn(f64, f64) -> f64) -> Tensor {
    let [_, h, w] = b.shape;
    Tensor::from_fn(a.shape, |c, y, x| f(a.at(c, y, x), b.at(c, y.min(h - 1), x.min(w - 1))))
}

/// `torch.cat` along channels (0), height (1) or width (2).
pub fn concat(parts: &[Tensor], axis: usize) -> Tensor {
    let mut shape = parts[0].shape;
    shape[axis] = parts.iter().map(|t| t.shape[axis]).sum();
    Tensor::from_fn(shape, |c, y, x| {
        let mut at = [c, y, x];
        for part in parts {
            if at[axis] < part.shape[axis] {
                return part.at(at[0], at[1], at[2]);
            }
            at[axis] -= part.shape[axis];
        }
        unreachable!("the parts fill the shape")
    })
}
