//! Every operator once more in plain integers, straight from its definition and sharing nothing with the kernels:
//! the transposed convolution scatters, the convolution gathers over padding, interpolation is one fraction.
//!
//! Slow on purpose; a reader checks it against the formulas line by line.

use upconv::{
    Accumulator, Activation, Coordinates, Cubic, Element, Geometry, Multiplier, NearestMode, Numerics, Quant,
    Quantization, Rounding, Shape, WeightOrder,
};

/// A convolution or transposed convolution with all its parameters.
pub struct Problem<'a, W, A> {
    /// The input's shape.
    pub input: Shape,
    /// The output's shape.
    pub output: Shape,
    /// Kernel, stride and so on.
    pub geometry: Geometry,
    /// `nn.ConvTranspose2d` rather than `nn.Conv2d`.
    pub transposed: bool,
    /// Unpacked weights.
    pub weights: &'a [W],
    /// Their order.
    pub order: WeightOrder,
    /// One bias per output channel, or none.
    pub bias: &'a [A],
    /// Scales, zero points, clamp and rounding.
    pub quant: Quantization<'a>,
}

impl<W: Element, A: Accumulator> Problem<'_, W, A> {
    /// The weight from input channel `i` to output channel `o` (of all channels, both) at tap (ky, kx).
    fn weight(&self, o: usize, i: usize, ky: usize, kx: usize) -> i64 {
        let [kh, kw] = self.geometry.kernel;
        let (per_in, per_out) = (self.input.c / self.geometry.groups, self.output.c / self.geometry.groups);
        let at = match (self.order, self.transposed) {
            (WeightOrder::Tflite, _) => ((o * kh + ky) * kw + kx) * per_in + i % per_in,
            (WeightOrder::Torch, true) => ((i * per_out + o % per_out) * kh + ky) * kw + kx,
            (WeightOrder::Torch, false) => ((o * per_in + i % per_in) * kh + ky) * kw + kx,
        };
        self.weights[at].to_i32().into()
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

/// The most output pixels of a convolution here: less on a device's stack.
pub const PIXELS: usize = if cfg!(target_os = "none") { 512 } else { 4096 };

/// Transposed convolution in scatter form, or convolution. One output channel's accumulators at a time.
pub fn convolution<T: Element, W: Element, A: Accumulator>(p: &Problem<'_, W, A>, x: &[T], y: &mut [T]) {
    let (per_in, per_out) = (p.input.c / p.geometry.groups, p.output.c / p.geometry.groups);
    for o in 0..p.output.c {
        let mut acc = [0i64; PIXELS];
        let acc = &mut acc[..p.output.h * p.output.w];
        acc.fill(p.bias.get(o).map_or(0, |b| b.to_i64()));
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
    let m = quant.multipliers.get(channel).unwrap_or(&quant.multipliers[0]);
    requantised(acc, *m, quant.y, quant.activation, quant.rounding)
}

/// `clamp(round(acc * M) + zero)`
pub(super) fn requantised<T: Element>(acc: i64, m: Multiplier, y: Quant, fused: Activation, rounding: Rounding) -> T {
    let scaled = scaled(acc, m, rounding) + i128::from(y.zero);
    let real = |v: f32| i128::from(round_half_away(v / y.scale)) + i128::from(y.zero);
    let (low, high) = match fused {
        Activation::None => (T::MIN.into(), T::MAX.into()),
        Activation::Relu => (real(0.0), T::MAX.into()),
        Activation::Relu6 => (real(0.0), real(6.0)),
        Activation::ReluN1To1 => (real(-1.0), real(1.0)),
        Activation::Clamp { min, max } => (real(min), real(max)),
    };
    T::from_i32(scaled.min(high).max(low).clamp(T::MIN.into(), T::MAX.into()) as i32)
}

/// `acc * M`, rounded.
pub(super) fn scaled(acc: i64, m: Multiplier, rounding: Rounding) -> i128 {
    scale(acc, m.q().into(), m.shift().into(), rounding)
}

fn round_half_away(v: f32) -> i64 {
    let away = if v < 0.0 { -0.5 } else { 0.5 };
    (f64::from(v) + away) as i64
}

/// `acc * q * 2^(shift - 31)` in the named rounding; q = 0 or in [2^30, 2^31). A shift to the right is a division that rounds down.
fn scale(acc: i64, q: i64, shift: i32, rounding: Rounding) -> i128 {
    let (unshifted, q) = (i128::from(acc), i128::from(q));
    let (acc, right) = (unshifted << shift.max(0), (-shift).max(0));
    match rounding {
        Rounding::TfliteDouble => {
            // Doubling high multiply: to the nearest, ties up. Then a division by 2^right: to the nearest, ties away from zero.
            let high = (acc * q + (1 << 30)) >> 31;
            let half = (1i128 << right) >> 1;
            ((high.abs() + half) >> right) * high.signum()
        }
        Rounding::Tflite16x8 => {
            let q16 = if q < 0x7FFF_0000 { (q + (1 << 15)) / (1 << 16) } else { 0x7FFF };
            (2 * unshifted * q16 + (1i128 << (15 - shift))) >> (16 - shift)
        }
        Rounding::TfliteSingle => (acc * q + (1i128 << (30 + right))) >> (31 + right),
    }
}

/// One axis of a resize: sizes, the scale output / input as a fraction, and which positions are sampled.
#[derive(Clone, Copy)]
pub struct Axis {
    /// Input size.
    pub input: i64,
    /// Output size.
    pub output: i64,
    /// Output over input.
    pub scale: (i64, i64),
    /// Which positions.
    pub coordinates: Coordinates,
}

impl Axis {
    /// The position of output `o` as a fraction, its denominator above 0.
    fn position(&self, o: i64) -> (i64, i64) {
        let (i, (n, d)) = (self.input, self.scale);
        match self.coordinates {
            Coordinates::PytorchHalfPixel if self.output == 1 => (0, 1),
            Coordinates::HalfPixel | Coordinates::PytorchHalfPixel => ((2 * o + 1) * d - n, 2 * n),
            Coordinates::HalfPixelSymmetric => (i * n - self.output * d + (2 * o + 1) * d - n, 2 * n),
            Coordinates::Asymmetric => (o * d, n),
            Coordinates::AlignCorners if i * n <= d => (0, 1),
            Coordinates::AlignCorners => (o * (i - 1) * d, i * n - d),
        }
    }

    /// TFLite's position of output `o` in units of 1 / 1024, as its integer reference computes it.
    fn tflite(&self, o: i64) -> (i64, i64) {
        let (i, n) = match self.coordinates {
            Coordinates::AlignCorners if self.output > 1 => (self.input - 1, self.output - 1),
            _ => (self.input, self.output),
        };
        let step = (1024 * i + n / 2) / n;
        (if self.coordinates == Coordinates::HalfPixel { o * step + step / 2 - 512 } else { o * step }, 1024)
    }

    fn clamp(&self, i: i64) -> usize {
        i.clamp(0, self.input - 1) as usize
    }
}

/// Every output of a resize: `f` gets its row, its column, and the input plane of its channel.
fn each<T: Element>(x: &[T], axes: [Axis; 2], y: &mut [T], f: impl Fn(i64, i64, &dyn Fn(usize, usize) -> i64) -> i64) {
    let c = x.len() / (axes[0].input * axes[1].input) as usize;
    for (at, y) in y.iter_mut().enumerate() {
        let pixel = at / c;
        let (oy, ox) = (pixel as i64 / axes[1].output, pixel as i64 % axes[1].output);
        let plane = |iy: usize, ix: usize| i64::from(x[(iy * axes[1].input as usize + ix) * c + at % c].to_i32());
        *y = T::from_i32(f(oy, ox, &plane) as i32);
    }
}

/// Nearest neighbour: the position rounded as `mode` says.
pub fn nearest<T: Element>(x: &[T], axes: [Axis; 2], mode: NearestMode, y: &mut [T]) {
    let source = |a: &Axis, o: i64| {
        let (n, d) = a.position(o);
        a.clamp(match mode {
            NearestMode::Floor => n.div_euclid(d),
            NearestMode::Ceil => -(-n).div_euclid(d),
            NearestMode::RoundPreferCeil => (2 * n + d).div_euclid(2 * d),
            NearestMode::RoundPreferFloor => -(d - 2 * n).div_euclid(2 * d),
        })
    };
    each(x, axes, y, |oy, ox, plane| plane(source(&axes[0], oy), source(&axes[1], ox)));
}

/// Bilinear: the four products over one common denominator, rounded once.
pub fn bilinear<T: Element>(x: &[T], axes: [Axis; 2], numerics: Numerics, y: &mut [T]) {
    let around = |a: &Axis, o: i64| {
        let (n, d) = if numerics == Numerics::Exact { a.position(o) } else { a.tflite(o) };
        let i = n.div_euclid(d);
        ([(a.clamp(i), d - n.rem_euclid(d)), (a.clamp(i + 1), n.rem_euclid(d))], d)
    };
    each(x, axes, y, |oy, ox, plane| {
        let ((rows, dy), (columns, dx)) = (around(&axes[0], oy), around(&axes[1], ox));
        let row = |iy: usize| columns.iter().map(|(ix, w)| w * plane(iy, *ix)).sum::<i64>();
        let (sum, d) = (rows.iter().map(|(iy, w)| w * row(*iy)).sum::<i64>(), dy * dx);
        match numerics {
            Numerics::Tflite(Rounding::TfliteDouble) => (2 * sum.abs() + d) / (2 * d) * sum.signum(),
            _ => (2 * sum + d).div_euclid(2 * d),
        }
    });
}

/// Bicubic: the sixteen products over one common denominator, rounded once, ties up, clamped.
pub fn bicubic<T: Element>(x: &[T], axes: [Axis; 2], cubic: Cubic, y: &mut [T]) {
    // Keys' polynomial times 4 d^3, at p / d, with A = -a / 4.
    let a = if cubic == Cubic::Pytorch { 3 } else { 2 };
    let weight = |p: i128, d: i128| match p.abs() {
        p if p <= d => (8 - a) * p * p * p - (12 - a) * p * p * d + 4 * d * d * d,
        p if p < 2 * d => -a * p * p * p + 5 * a * p * p * d - 8 * a * p * d * d + 4 * a * d * d * d,
        _ => 0,
    };
    let around = |a: &Axis, o: i64| {
        let (n, d) = a.position(o);
        let first = n.div_euclid(d) - 1;
        let taps = [0, 1, 2, 3].map(|k| (a.clamp(first + k), weight((n - (first + k) * d).into(), d.into())));
        (taps, 4 * i128::from(d).pow(3))
    };
    each(x, axes, y, |oy, ox, plane| {
        let ((rows, dy), (columns, dx)) = (around(&axes[0], oy), around(&axes[1], ox));
        let row = |iy: usize| columns.iter().map(|(ix, w)| w * i128::from(plane(iy, *ix))).sum::<i128>();
        let sum = rows.iter().map(|(iy, w)| w * row(*iy)).sum::<i128>();
        (2 * sum + dy * dx).div_euclid(2 * dy * dx).clamp(T::MIN.into(), T::MAX.into()) as i64
    });
}

/// Area: the mean over `floor(o * in / out) .. ceil((o + 1) * in / out)`, ties up.
pub fn area<T: Element>(x: &[T], axes: [Axis; 2], y: &mut [T]) {
    let span =
        |a: &Axis, o: i64| (o * a.input / a.output) as usize..(((o + 1) * a.input + a.output - 1) / a.output) as usize;
    each(x, axes, y, |oy, ox, plane| {
        let (rows, columns) = (span(&axes[0], oy), span(&axes[1], ox));
        let count = (rows.len() * columns.len()) as i64;
        let sum: i64 = rows.flat_map(|iy| columns.clone().map(move |ix| (iy, ix))).map(|(iy, ix)| plane(iy, ix)).sum();
        (2 * sum + count).div_euclid(2 * count)
    });
}
