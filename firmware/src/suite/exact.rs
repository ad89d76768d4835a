//! Every operator once more in plain integers, straight from its definition and sharing nothing with the kernels:
//! the transposed convolution scatters, the convolution gathers over padding, interpolation is one fraction.
//!
//! Slow on purpose; a reader checks it against the formulas line by line.

use upconv::{Activation, Coordinates, Element, Geometry, Quantization, Rounding, Shape, WeightOrder};

/// A convolution or transposed convolution with all its parameters.
pub struct Problem<'a> {
    /// The input's shape.
    pub input: Shape,
    /// The output's shape.
    pub output: Shape,
    /// Kernel, stride and so on.
    pub geometry: Geometry,
    /// `nn.ConvTranspose2d` rather than `nn.Conv2d`.
    pub transposed: bool,
    /// Unpacked weights.
    pub weights: &'a [i8],
    /// Their order.
    pub order: WeightOrder,
    /// One bias per output channel.
    pub bias: &'a [i32],
    /// Scales, zero points, clamp and rounding.
    pub quant: Quantization<'a>,
}

impl Problem<'_> {
    /// The weight from input channel `i` to output channel `o` (of all channels, both) at tap (ky, kx).
    fn weight(&self, o: usize, i: usize, ky: usize, kx: usize) -> i64 {
        let [kh, kw] = self.geometry.kernel;
        let (per_in, per_out) = (self.input.c / self.geometry.groups, self.output.c / self.geometry.groups);
        let at = match (self.order, self.transposed) {
            (WeightOrder::Tflite, _) => ((o * kh + ky) * kw + kx) * per_in + i % per_in,
            (WeightOrder::Torch, true) => ((i * per_out + o % per_out) * kh + ky) * kw + kx,
            (WeightOrder::Torch, false) => ((o * per_in + i % per_in) * kh + ky) * kw + kx,
        };
        self.weights[at].into()
    }

    /// The input row and output row (or columns, axis 1) that tap `k` of the window at `anchor` joins.
    ///
    /// The window is placed by the input of a transposed convolution and by the output of a convolution; the other position
    /// is `anchor * stride - pad + dilation * k`, or none when that lies outside `len`.
    fn reach(&self, axis: usize, anchor: usize, k: usize, len: usize) -> Option<usize> {
        let (g, p) = (self.geometry, self.geometry.padding);
        let pad = [p.top, p.left][axis];
        (anchor * g.stride[axis] + g.dilation[axis] * k).checked_sub(pad).filter(|far| *far < len)
    }

    /// Calls `f` with every (output pixel, input pixel, tap) that belongs together.
    fn pairs(&self, mut f: impl FnMut([usize; 2], [usize; 2], [usize; 2])) {
        let (anchors, far) = if self.transposed { (self.input, self.output) } else { (self.output, self.input) };
        let [kh, kw] = self.geometry.kernel;
        for (ay, ax) in (0..anchors.h).flat_map(|y| (0..anchors.w).map(move |x| (y, x))) {
            for (ky, kx) in (0..kh).flat_map(|y| (0..kw).map(move |x| (y, x))) {
                if let (Some(fy), Some(fx)) = (self.reach(0, ay, ky, far.h), self.reach(1, ax, kx, far.w)) {
                    let (near, far) = ([ay, ax], [fy, fx]);
                    let (output, input) = if self.transposed { (far, near) } else { (near, far) };
                    f(output, input, [ky, kx]);
                }
            }
        }
    }
}

/// Transposed convolution in scatter form, or convolution. One output channel's accumulators at a time.
pub fn convolution<T: Element>(p: &Problem<'_>, x: &[T], y: &mut [T]) {
    let (per_in, per_out) = (p.input.c / p.geometry.groups, p.output.c / p.geometry.groups);
    for o in 0..p.output.c {
        let mut acc = [0i64; 512];
        let acc = &mut acc[..p.output.h * p.output.w];
        acc.fill(p.bias[o].into());
        p.pairs(|[oy, ox], [iy, ix], [ky, kx]| {
            for i in (0..per_in).map(|i| o / per_out * per_in + i) {
                let value = x[(iy * p.input.w + ix) * p.input.c + i].to_i32() - p.quant.x.zero;
                acc[oy * p.output.w + ox] += i64::from(value) * p.weight(o, i, ky, kx);
            }
        });
        for (pixel, acc) in y.chunks_mut(p.output.c).zip(acc) {
            pixel[o] = requantise(*acc, o, &p.quant);
        }
    }
}

fn requantise<T: Element>(acc: i64, channel: usize, quant: &Quantization<'_>) -> T {
    let m = quant.multipliers[channel];
    let scaled = scale(acc, m.q().into(), m.shift().into(), quant.rounding) + i128::from(quant.y.zero);
    let real = |v: f32| i128::from(round_half_away(v / quant.y.scale)) + i128::from(quant.y.zero);
    let (low, high) = match quant.activation {
        Activation::None => (T::MIN.into(), T::MAX.into()),
        Activation::Relu => (real(0.0), T::MAX.into()),
        Activation::Relu6 => (real(0.0), real(6.0)),
        Activation::ReluN1To1 => (real(-1.0), real(1.0)),
        Activation::Clamp { min, max } => (real(min), real(max)),
    };
    T::from_i32(scaled.min(high).max(low).clamp(T::MIN.into(), T::MAX.into()) as i32)
}

fn round_half_away(v: f32) -> i64 {
    let away = if v < 0.0 { -0.5 } else { 0.5 };
    (f64::from(v) + away) as i64
}

/// `acc * q * 2^(shift - 31)` in the named rounding; q = 0 or in [2^30, 2^31).
fn scale(acc: i64, q: i64, shift: i32, rounding: Rounding) -> i128 {
    let (acc, q) = (i128::from(acc) << shift.max(0), i128::from(q));
    let right = (-shift).max(0);
    match rounding {
        Rounding::TfliteDouble => {
            // Doubling high multiply: to the nearest, ties up. Then a division by 2^right: to the nearest, ties away from zero.
            let high = (acc * q + (1 << 30)).div_euclid(1 << 31);
            let half = (1i128 << right) / 2;
            (high.abs() + half) / (1 << right) * high.signum()
        }
        Rounding::TfliteSingle => (acc * q + (1i128 << (30 + right))).div_euclid(1i128 << (31 + right)),
    }
}

/// `y[oy, ox] = x[oy / fh, ox / fw]`
pub fn nearest<T: Element>(x: &[T], input: Shape, factor: [usize; 2], y: &mut [T]) {
    let row_len = input.row_len() * factor[1];
    for (i, y) in y.iter_mut().enumerate() {
        let (oy, ox, c) = (i / row_len, i % row_len / input.c, i % input.c);
        *y = x[(oy / factor[0] * input.w + ox / factor[1]) * input.c + c];
    }
}

/// Bilinear: the four products over one common denominator, rounded once, ties up.
pub fn bilinear<T: Element>(x: &[T], input: Shape, output: [usize; 2], coordinates: Coordinates, y: &mut [T]) {
    let c = input.c;
    for (i, y) in y.iter_mut().enumerate() {
        let (oy, ox, ci) = (i / (output[1] * c), i / c % output[1], i % c);
        let [(y0, y1, ty, dy), (x0, x1, tx, dx)] =
            [(oy, input.h, output[0]), (ox, input.w, output[1])].map(|(o, n, m)| position(o, n, m, coordinates));
        let at = |y: usize, x_: usize| i64::from(x[(y * input.w + x_) * c + ci].to_i32());
        let upper = (dx - tx) * at(y0, x0) + tx * at(y0, x1);
        let lower = (dx - tx) * at(y1, x0) + tx * at(y1, x1);
        let (sum, d) = ((dy - ty) * upper + ty * lower, dy * dx);
        *y = T::from_i32((2 * sum + d).div_euclid(2 * d) as i32);
    }
}

/// The two neighbours of output `o` and the fraction `t / d` between them.
fn position(o: usize, input: usize, output: usize, coordinates: Coordinates) -> (usize, usize, i64, i64) {
    let (o, n, m) = (o as i64, input as i64, output as i64);
    let (x, d) = match coordinates {
        Coordinates::HalfPixel => (((2 * o + 1) * n - m).max(0), 2 * m),
        Coordinates::AlignCorners if m > 1 => (o * (n - 1), m - 1),
        Coordinates::AlignCorners => (0, 1),
    };
    let i0 = (x / d).min(n - 1);
    let t = if i0 == n - 1 { 0 } else { x % d };
    (i0 as usize, (i0 + 1).min(n - 1) as usize, t, d)
}
