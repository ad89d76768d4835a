//! The operators in f64, in PyTorch's layout: N = 1, channels first, `shape` = [C, H, W].
//!
//! Written for reading, from the formulas of PyTorch's documentation; the transposed convolution in scatter form, which shares
//! nothing with the kernels' phases.

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

/// `nn.functional.conv2d`: weight [C_out, C_in / groups, kh, kw].
pub fn conv(x: &Tensor, weight: &[f64], bias: &[f64], out_channels: usize, g: &Window) -> Tensor {
    let ([kh, kw], per_in, per_out) = (g.kernel, x.shape[0] / g.groups, out_channels / g.groups);
    let size = |a: usize| {
        (x.shape[1 + a] + g.pads[a][0] + g.pads[a][1] - g.dilation[a] * (g.kernel[a] - 1) - 1) / g.stride[a] + 1
    };
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
    let size = |a: usize, n: usize| {
        (n - 1) * g.stride[a] + g.dilation[a] * (g.kernel[a] - 1) + g.output_padding[a] + 1
            - g.pads[a][0]
            - g.pads[a][1]
    };
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

/// How `nn.functional.interpolate` finds input positions along one axis.
#[derive(Clone, Copy, Debug)]
pub struct Resize {
    /// Input size.
    pub input: usize,
    /// Output size.
    pub output: usize,
    /// `align_corners`.
    pub align_corners: bool,
    /// The scale factor where one was given and not recomputed.
    pub scale_factor: Option<f64>,
}

impl Resize {
    /// Input positions per output position.
    fn step(&self) -> f64 {
        match self.scale_factor {
            _ if self.align_corners && self.output > 1 => (self.input as f64 - 1.0) / (self.output as f64 - 1.0),
            _ if self.align_corners => 0.0,
            Some(factor) => 1.0 / factor,
            None => self.input as f64 / self.output as f64,
        }
    }

    /// mode="nearest": `min(floor(i * s), in - 1)`, in f32 as PyTorch computes it.
    fn nearest(&self, i: usize) -> usize {
        ((i as f32 * self.step() as f32).floor() as usize).min(self.input - 1)
    }

    /// mode="linear": (i0, i1, t) with `y = (1 - t) x[i0] + t x[i1]`.
    fn linear(&self, i: usize) -> (usize, usize, f64) {
        if self.input == self.output {
            return (i, i, 0.0);
        }
        let i_ = i as f64;
        let x = if self.align_corners { self.step() * i_ } else { (self.step() * (i_ + 0.5) - 0.5).max(0.0) };
        let i0 = (x.floor() as usize).min(self.input - 1);
        (i0, (i0 + 1).min(self.input - 1), (x - i0 as f64).clamp(0.0, 1.0))
    }
}

/// `interpolate(mode="nearest")`.
pub fn nearest(x: &Tensor, [h, w]: [Resize; 2]) -> Tensor {
    Tensor::from_fn([x.shape[0], h.output, w.output], |c, oy, ox| x.at(c, h.nearest(oy), w.nearest(ox)))
}

/// `interpolate(mode="linear" or "bilinear")`.
pub fn bilinear(x: &Tensor, [h, w]: [Resize; 2]) -> Tensor {
    Tensor::from_fn([x.shape[0], h.output, w.output], |c, oy, ox| {
        let ((y0, y1, ty), (x0, x1, tx)) = (h.linear(oy), w.linear(ox));
        let row = |y| (1.0 - tx) * x.at(c, y, x0) + tx * x.at(c, y, x1);
        (1.0 - ty) * row(y0) + ty * row(y1)
    })
}

/// `interpolate(mode="nearest-exact")`, positions in f32 as PyTorch computes them for f32 tensors.
pub fn nearest_exact(x: &Tensor, [h, w]: [Resize; 2]) -> Tensor {
    let at = |r: Resize, i: usize| (((i as f32 + 0.5) * r.step() as f32).floor() as usize).min(r.input - 1);
    Tensor::from_fn([x.shape[0], h.output, w.output], |c, oy, ox| x.at(c, at(h, oy), at(w, ox)))
}

/// `interpolate(mode="bicubic")`, A = -0.75 in PyTorch.
pub fn bicubic(x: &Tensor, [h, w]: [Resize; 2], a: f64) -> Tensor {
    let weight = move |d: f64| match d.abs() {
        d if d <= 1.0 => ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0,
        d if d < 2.0 => ((a * d - 5.0 * a) * d + 8.0 * a) * d - 4.0 * a,
        _ => 0.0,
    };
    let taps = |r: Resize, i: usize| {
        let position = if r.align_corners { r.step() * i as f64 } else { r.step() * (i as f64 + 0.5) - 0.5 };
        let first = position.floor() as isize - 1;
        [0, 1, 2, 3].map(|k| {
            let i = first + k;
            (i.clamp(0, r.input as isize - 1) as usize, weight(position - i as f64))
        })
    };
    Tensor::from_fn([x.shape[0], h.output, w.output], |c, oy, ox| {
        let row = |y| taps(w, ox).iter().map(|(i, k)| k * x.at(c, y, *i)).sum::<f64>();
        taps(h, oy).iter().map(|(i, k)| k * row(*i)).sum()
    })
}

/// `interpolate(mode="area")`: the mean over `floor(i * in / out) .. ceil((i + 1) * in / out)`.
pub fn area(x: &Tensor, [h, w]: [Resize; 2]) -> Tensor {
    let span = |r: Resize, i: usize| i * r.input / r.output..((i + 1) * r.input).div_ceil(r.output);
    Tensor::from_fn([x.shape[0], h.output, w.output], |c, oy, ox| {
        let (rows, columns) = (span(h, oy), span(w, ox));
        let count = (rows.len() * columns.len()) as f64;
        rows.flat_map(|y| columns.clone().map(move |x| (y, x))).map(|(iy, ix)| x.at(c, iy, ix)).sum::<f64>() / count
    })
}

/// `pixel_shuffle`: [C r², H, W] to [C, H r, W r].
pub fn pixel_shuffle(x: &Tensor, r: usize) -> Tensor {
    let [c, h, w] = x.shape;
    Tensor::from_fn([c / (r * r), h * r, w * r], |c, y, x_| x.at((c * r + y % r) * r + x_ % r, y / r, x_ / r))
}

/// `pixel_unshuffle`: [C, H r, W r] to [C r², H, W].
pub fn pixel_unshuffle(x: &Tensor, r: usize) -> Tensor {
    let [c, h, w] = x.shape;
    Tensor::from_fn([c * r * r, h / r, w / r], |c, y, x_| x.at(c / (r * r), y * r + c / r % r, x_ * r + c % r))
}

/// `max_unpool2d`: each value goes to the position that its index names within the output plane; 0 elsewhere.
pub fn max_unpool(x: &Tensor, indices: &[usize], [h, w]: [usize; 2]) -> Tensor {
    let mut y = Tensor::zeros([x.shape[0], h, w]);
    let plane = x.shape[1] * x.shape[2];
    for (i, (v, to)) in x.data.iter().zip(indices).enumerate() {
        y.data[i / plane * h * w + to] = *v;
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
}

/// `nn.functional.pad` with `pads` = [[top, bottom], [left, right]]; negative ones crop.
pub fn pad(x: &Tensor, pads: [[isize; 2]; 2], mode: PadMode) -> Tensor {
    let size = |a: usize| (x.shape[1 + a] as isize + pads[a][0] + pads[a][1]) as usize;
    let source = |o: usize, a: usize| {
        let (i, last) = (o as isize - pads[a][0], x.shape[1 + a] as isize - 1);
        match mode {
            PadMode::Constant(_) => Some(i).filter(|i| (0..=last).contains(i)),
            PadMode::Reflect => Some(last - (last - i.abs()).abs()),
            PadMode::Replicate => Some(i.clamp(0, last)),
        }
        .map(|i| i as usize)
    };
    let outside = if let PadMode::Constant(value) = mode { value } else { 0.0 };
    Tensor::from_fn([x.shape[0], size(0), size(1)], |c, oy, ox| match (source(oy, 0), source(ox, 1)) {
        (Some(y), Some(x_)) => x.at(c, y, x_),
        _ => outside,
    })
}
