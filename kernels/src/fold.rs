//! Rewriting layers before they are deployed: what comes before or after a convolution becomes part of its weights.
//!
//! **Nearest upsample + convolution** is one transposed convolution. Output `r·a + f` of the pair reads, by tap t of a kernel of k with
//! padding p, the input at offset `e = floor((f + t − p) / r)` from a; a transposed convolution of stride r and padding
//! `k − 1 − p` reads it by its tap `f + (k − 1 − p) − r·e`. Taps that share an offset are added up, so the kernel has `k + r − 1`
//! taps, and the upsampled tensor never exists. Exact, borders and zero points included. Sums of int8 weights need int16; [`Columns`](crate::Columns) leave them in
//! int8, which is faster with Helium alone.
//!
//! **Convolution + pixel shuffle** is a store address: [`SubPixel`] computes each sub-row from its own channels.
//!
//! **Batch norm** scales each output channel and moves its bias.

use crate::phase::Reciprocal;
use crate::plan::length;
use crate::quant::Accumulator;
use crate::reads::{Rows, Spec, described};
use crate::{Conv, ConvTranspose, Convolution, Element, Error, Geometry, Layer, Plan, Shape, WeightOrder, Window};
use core::ops::Range;

/// A nearest upsample by whole factors folded into the convolution after it.
///
/// | upsample + kernel | MACs saved | weights per channel pair |
/// |-------------------|------------|--------------------------|
/// | 2x + 2x2          | 1.78x      | 4 -> 9                   |
/// | 2x + 3x3          | 2.25x      | 9 -> 16                  |
/// | 2x + 5x5          | 2.78x      | 25 -> 36                 |
/// | 4x + 3x3          | 4.0x       | 9 -> 36                  |
///
/// ```
/// use upconv::*;
/// const FOLD: FoldNearest = must!(FoldNearest::plan(Shape::new(4, 4, 1), [2, 2], 1, Geometry::square(3).pad(1)));
/// const FOLDED: [i16; 16] = must!(FOLD.weights(&[1i8, 2, 3, 4, 5, 6, 7, 8, 9], WeightOrder::Torch));
/// assert_eq!(FOLDED[..8], [9, 17, 15, 7, 15, 28, 24, 11]); // per axis [w2, w1 + w2, w0 + w1, w0]
/// const PACKED: [i16; 16] = must!(FOLD.transposed().pack(&FOLDED, WeightOrder::Torch));
/// # let _ = PACKED;
/// ```
#[derive(Clone, Copy, Debug)]
pub struct FoldNearest {
    pub(crate) conv: Plan,
    pub(crate) transposed: Plan,
    pub(crate) factor: [usize; 2],
    pub(crate) pad: [usize; 2],
}

impl FoldNearest {
    /// Folds `nn.Upsample(scale_factor=factor, mode="nearest")` and `nn.Conv2d(input.c, out_channels, …)` of stride 1 and dilation 1.
    ///
    /// # Errors
    /// Those of [`Conv::plan`]; [`Error::Unsupported`] for another stride or dilation; [`Error::Range`] for a padding of the kernel's size
    /// or more.
    pub const fn plan(input: Shape, factor: [usize; 2], channels: usize, g: Geometry) -> Result<Self, Error> {
        if g.stride[0] != 1 || g.stride[1] != 1 || g.dilation[0] != 1 || g.dilation[1] != 1 {
            return Err(Error::Unsupported { what: "folding into a convolution with stride or dilation" });
        }
        let up = match crate::Upsample::nearest(input, factor[0], factor[1]) {
            Ok(up) => up.output_shape(),
            Err(e) => return Err(e),
        };
        let conv = match Conv::plan(up, channels, g) {
            Ok(plan) => plan,
            Err(e) => return Err(e),
        };
        let (p, mut t) = (g.padding, g);
        let pads = [(p.top, 0), (p.bottom, 0), (p.left, 1), (p.right, 1)];
        let mut i = 0;
        while i < 4 {
            let (pad, axis) = pads[i];
            if pad >= g.kernel[axis] {
                let max = g.kernel[axis] as i64 - 1;
                return Err(Error::Range {
                    what: "the padding of a folded convolution",
                    got: crate::shape::signed(pad),
                    min: 0,
                    max,
                });
            }
            i += 1;
        }
        t.kernel = [g.kernel[0] + factor[0] - 1, g.kernel[1] + factor[1] - 1];
        t.stride = factor;
        t.padding.top = g.kernel[0] - 1 - p.top;
        t.padding.bottom = g.kernel[0] - 1 - p.bottom;
        t.padding.left = g.kernel[1] - 1 - p.left;
        t.padding.right = g.kernel[1] - 1 - p.right;
        match ConvTranspose::plan(input, channels, t) {
            Ok(transposed) => Ok(FoldNearest { conv, transposed, factor, pad: [p.top, p.left] }),
            Err(e) => Err(e),
        }
    }

    /// The transposed convolution that does both; its kernel is `k + factor − 1`.
    pub const fn transposed(&self) -> Plan {
        self.transposed
    }

    /// The folded weights of N convolution weights; M is `self.transposed().weight_len()`.
    ///
    /// # Errors
    /// Those of [`weights_into`](Self::weights_into).
    pub const fn weights<const N: usize, const M: usize>(
        &self,
        w: &[i8; N],
        order: WeightOrder,
    ) -> Result<[i16; M], Error> {
        let mut folded = [0; M];
        match self.weights_into(w, order, &mut folded) {
            Ok(()) => Ok(folded),
            Err(e) => Err(e),
        }
    }

    /// Adds up convolution weights into those of [`transposed`](Self::transposed), both in the same order.
    ///
    /// # Errors
    /// [`Error::Length`] when a slice has the wrong length; [`Error::Overflow`] when a sum leaves i16, which takes factors above 15.
    pub const fn weights_into(&self, w: &[i8], order: WeightOrder, folded: &mut [i16]) -> Result<(), Error> {
        if let Err(e) = length("the weights", w.len(), self.conv.weight_len()) {
            return Err(e);
        }
        if let Err(e) = length("the folded weights", folded.len(), self.transposed.weight_len()) {
            return Err(e);
        }
        let mut i = 0;
        while i < folded.len() {
            folded[i] = 0;
            i += 1;
        }
        let (kernel, factor) = (self.conv.kernel(), self.factor);
        // Every (output channel, input channel of its group, tap, phase), counted by one index.
        let taps = [kernel[0] * factor[0], kernel[1] * factor[1]];
        let mut n = 0;
        while n < self.conv.output().c * self.conv.group_in * taps[0] * taps[1] {
            let (rest, x) = split(n, taps[1]);
            let (rest, y) = split(rest, taps[0]);
            let (o, i) = split(rest, self.conv.group_in);
            let (ty, fy) = split(y, factor[0]);
            let (tx, fx) = split(x, factor[1]);
            let from = self.conv.weight_index(order, o, i, ty, tx);
            let to = self.transposed.weight_index(order, o, i, self.tap(0, ty, fy), self.tap(1, tx, fx));
            if from < w.len() && to < folded.len() {
                folded[to] = match folded[to].checked_add(w[from] as i16) {
                    Some(sum) => sum,
                    None => return Err(Error::Overflow { channel: o, bound: 1 << 15, max: (1 << 15) - 1 }),
                };
            }
            n += 1;
        }
        Ok(())
    }

    /// The tap of the transposed convolution that tap `t` becomes in phase `f`.
    const fn tap(&self, axis: usize, t: usize, f: usize) -> usize {
        let (k, r, p) = (self.conv.kernel()[axis], self.factor[axis], self.pad[axis]);
        // f + (k - 1 - p) - r * floor((f + t - p) / r), with r * k added under the division to keep it positive.
        let (offset, _) = split(f + t + r * k - p, r);
        f + (k - 1 - p) + r * k - r * offset
    }
}

/// Quotient and remainder.
const fn split(a: usize, b: usize) -> (usize, usize) {
    (crate::plan::div(a, b), crate::plan::rem(a, b))
}

/// A convolution whose channels are shuffled into space: `nn.Conv2d(c, C·r², …)` and `nn.PixelShuffle(r)` in one.
///
/// Each output row is computed from its own channels and stored in place; the unshuffled tensor never exists. Channels are in the DCR order
/// of TFLite and ONNX, `(ry·r + rx)·C + c`; PyTorch's are brought there by [`crd_to_dcr`].
///
/// ```
/// use upconv::*;
/// const PLAN: Plan = must!(SubPixel::plan(Shape::new(1, 1, 1), 1, 2, Geometry::square(1)));
/// static W: [i8; 4] = must!(PLAN.pack(&[1, 2, 3, 4], WeightOrder::Torch));
/// let one = Quant::new(1.0, 0);
/// let multipliers = Multiplier::per_channel(1.0, &[1.0], 1.0)?;
/// let (activation, rounding) = (Activation::None, Rounding::TfliteDouble);
/// let quant = Quantization { x: one, y: one, multipliers: &multipliers, activation, rounding };
/// let conv: Convolution<i8> = Weights { packed: &W, bias: &[] as &[i32] }.layer(&PLAN, quant)?;
/// let up = SubPixel::new(conv, 2)?;
/// let mut y = [0; 4];
/// Bound::whole(&up, &[5], &mut y)?.run();
/// assert_eq!(y, [5, 10, 15, 20]);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SubPixel<'a, T, W = i8, A = i32> {
    conv: Convolution<'a, T, W, A>,
    r: usize,
    by_r: Reciprocal,
}

impl SubPixel<'_, i8> {
    /// Plans the convolution to `channels·r²` channels of which [`SubPixel`] makes `channels`.
    ///
    /// # Errors
    /// Those of [`Conv::plan`]; [`Error::Unsupported`] for groups.
    pub const fn plan(input: Shape, channels: usize, r: usize, geometry: Geometry) -> Result<Plan, Error> {
        if geometry.groups != 1 {
            return Err(Error::Unsupported { what: "a pixel shuffle of groups" });
        }
        if let Err(e) = crate::shape::side("the shuffle factor", r) {
            return Err(e);
        }
        match Conv::plan(input, channels.saturating_mul(r).saturating_mul(r), geometry) {
            Ok(plan) => Ok(plan.in_spans(channels * r)),
            Err(e) => Err(e),
        }
    }
}

impl<'a, T: Element, W: Element, A: Accumulator> SubPixel<'a, T, W, A> {
    /// Shuffles by the r for which the convolution was [planned](SubPixel::plan).
    ///
    /// # Errors
    /// [`Error::NotDivisible`] when it was planned for another r, [`Error::Unsupported`] when it has groups; [`Error::Range`] when a side of the output is too large.
    pub const fn new(conv: Convolution<'a, T, W, A>, r: usize) -> Result<Self, Error> {
        let (plan, wanted) = (conv.plan(), conv.plan().span.saturating_mul(r));
        if plan.groups != 1 {
            return Err(Error::Unsupported { what: "a pixel shuffle of groups" });
        }
        if plan.output.c != wanted {
            return Err(Error::NotDivisible { what: "output channels", got: plan.output.c, by: wanted });
        }
        let c = crate::plan::div(plan.span, r);
        match Shape::new(plan.output.h * r, plan.output.w * r, c).check(&crate::shape::OUTPUT) {
            Ok(()) => Ok(SubPixel { conv, r, by_r: Reciprocal::new(r as u32) }),
            Err(e) => Err(e),
        }
    }

    pub(crate) const fn spec(&self) -> Spec<'_> {
        let plan = self.conv.plan();
        let (c, _) = self.by_r.div_rem(plan.span as u64);
        let output = Shape::new(plan.output.h * self.r, plan.output.w * self.r, c as usize);
        Spec::layer(plan.input, output, Rows::SubTaps(&plan.y, &self.by_r))
    }
}

impl<T: Element, W: Element, A: Accumulator> Layer<T> for SubPixel<'_, T, W, A> {
    described!();

    fn macs(&self) -> u64 {
        self.conv.macs()
    }

    fn row(&self, oy: usize, x: &Window<'_, T>, y: &mut [T]) {
        let ((row, sub), span) = (self.by_r.div_rem(oy as u64), self.conv.plan().span);
        let first = sub as usize * span;
        self.conv.channels(row as usize, x, first..first + span, y);
    }
}

/// Brings anything that goes by output channel from PyTorch's order `c·r² + ry·r + rx` to DCR, `(ry·r + rx)·C + c`.
///
/// `values` holds the same number of values for each channel: weights in `[C_out, …]`, biases, scales.
///
/// # Errors
/// [`Error::NotDivisible`] when N is not a multiple of `channels·r²`.
///
/// ```
/// assert_eq!(upconv::crd_to_dcr(&[0, 1, 2, 3, 4, 5, 6, 7], 2, 2)?, [0, 4, 1, 5, 2, 6, 3, 7]);
/// # Ok::<(), upconv::Error>(())
/// ```
pub const fn crd_to_dcr<V: Copy, const N: usize>(values: &[V; N], channels: usize, r: usize) -> Result<[V; N], Error> {
    let all = channels.saturating_mul(r).saturating_mul(r);
    let (each, rest) = split(N, all);
    if rest != 0 || all == 0 {
        return Err(Error::NotDivisible { what: "the number of values", got: N, by: all });
    }
    let mut out = *values;
    let mut i = 0;
    while i < N {
        let (o, v) = split(i, each);
        let (sub, c) = split(o, channels);
        let from = (c * r * r + sub) * each + v;
        if from < N {
            out[i] = values[from];
        }
        i += 1;
    }
    Ok(out)
}

/// The parameters of `nn.BatchNorm2d`, one of each for every channel.
#[derive(Clone, Copy, Debug)]
pub struct BatchNorm<'a> {
    /// Weight γ.
    pub gamma: &'a [f32],
    /// Bias β.
    pub beta: &'a [f32],
    /// Running mean.
    pub mean: &'a [f32],
    /// Running variance.
    pub var: &'a [f32],
    /// ε, added to the variance.
    pub eps: f32,
}

impl BatchNorm<'_> {
    /// Folds the norm into the f32 weights and bias of the convolution before it, on the exporting side:
    /// `w·s` and `(b − mean)·s + β` with `s = γ / sqrt(var + ε)`.
    ///
    /// # Errors
    /// [`Error::Length`] when a slice has the wrong length; [`Error::Scale`] when a variance and ε do not add up to a finite number above 0.
    ///
    /// ```
    /// use upconv::*;
    /// let plan = Conv::plan(Shape::new(1, 1, 1), 1, Geometry::square(1))?;
    /// let norm = BatchNorm { gamma: &[3.0], beta: &[1.0], mean: &[2.0], var: &[0.25], eps: 0.0 };
    /// let (mut w, mut b) = ([2.0], [4.0]);
    /// norm.fold(&plan, &mut w, WeightOrder::Torch, &mut b)?;
    /// assert_eq!((w, b), ([12.0], [13.0])); // s = 6
    /// # Ok::<(), Error>(())
    /// ```
    pub const fn fold(&self, plan: &Plan, w: &mut [f32], order: WeightOrder, bias: &mut [f32]) -> Result<(), Error> {
        let c = plan.output().c;
        let checks = [
            length("the weights", w.len(), plan.weight_len()),
            length("the bias", bias.len(), c),
            length("gamma", self.gamma.len(), c),
            length("beta", self.beta.len(), c),
            length("the mean", self.mean.len(), c),
            length("the variance", self.var.len(), c),
        ];
        let mut i = 0;
        while i < checks.len() {
            if let Err(e) = checks[i] {
                return Err(e);
            }
            i += 1;
        }
        i = 0;
        while i < self.var.len() {
            let sum = self.var[i] as f64 + self.eps as f64;
            if !(sum > 0.0 && sum < f64::INFINITY) {
                return Err(Error::Scale { what: "a variance plus epsilon" });
            }
            i += 1;
        }
        let [kh, kw] = plan.kernel();
        let mut o = 0;
        while o < bias.len() && o < self.gamma.len() && o < self.beta.len() && o < self.mean.len() && o < self.var.len()
        {
            let s = self.gamma[o] as f64 / sqrt(self.var[o] as f64 + self.eps as f64);
            bias[o] = ((bias[o] as f64 - self.mean[o] as f64) * s + self.beta[o] as f64) as f32;
            let mut n = 0;
            while n < plan.group_in * kh * kw {
                let (rest, kx) = split(n, kw);
                let (i, ky) = split(rest, kh);
                let at = plan.weight_index(order, o, i, ky, kx);
                if at < w.len() {
                    w[at] = (w[at] as f64 * s) as f32;
                }
                n += 1;
            }
            o += 1;
        }
        Ok(())
    }
}

/// The square root, by Newton's method from a power of two; `const`, unlike the one of `core`.
const fn sqrt(v: f64) -> f64 {
    if !(v > 0.0 && v < f64::INFINITY) {
        return if v == 0.0 || v == f64::INFINITY { v } else { f64::NAN };
    }
    // Half the exponent: within a factor of 1.5 for normal numbers.
    let mut root = f64::from_bits((v.to_bits() >> 1) + (1023u64 << 51));
    let mut i = 0;
    while i < 6 {
        root = 0.5 * (root + v / root);
        i += 1;
    }
    root
}

/// Quantises f32 biases to the accumulator's scale: `round(b / (sx·sw[c]))`, ties away from zero.
///
/// # Errors
/// [`Error::Scale`] when a scale is not finite and above 0; [`Error::Overflow`] when a bias does not fit 32 bits; [`Error::Unsupported`]
/// for NaN.
///
/// ```
/// assert_eq!(upconv::quantize_bias(&[1.0, -0.3], 0.5, &[0.25, 0.25])?, [8, -2]);
/// # Ok::<(), upconv::Error>(())
/// ```
pub const fn quantize_bias<const N: usize>(bias: &[f32; N], sx: f32, sw: &[f32; N]) -> Result<[i32; N], Error> {
    let (mut out, mut o) = ([0; N], 0);
    while o < N {
        match bias_steps(bias[o], sx, sw[o], o, i32::MAX as u64) {
            Ok(steps) => out[o] = steps as i32,
            Err(e) => return Err(e),
        }
        o += 1;
    }
    Ok(out)
}

/// [`quantize_bias`] for 64-bit sums (TFLite's int16x8), where a bias has to stay below 2⁴⁷.
///
/// # Errors
/// Those of [`quantize_bias`], [`Error::Overflow`] from 2⁴⁷ on.
///
/// ```
/// assert_eq!(upconv::quantize_bias_wide(&[4096.0, -0.3], 0.5, &[2f32.powi(-24), 0.25])?, [1 << 37, -2]);
/// # Ok::<(), upconv::Error>(())
/// ```
pub const fn quantize_bias_wide<const N: usize>(bias: &[f32; N], sx: f32, sw: &[f32; N]) -> Result<[i64; N], Error> {
    let (mut out, mut o) = ([0; N], 0);
    while o < N {
        match bias_steps(bias[o], sx, sw[o], o, (1 << 47) - 1) {
            Ok(steps) => out[o] = steps,
            Err(e) => return Err(e),
        }
        o += 1;
    }
    Ok(out)
}

/// One bias in steps of `sx·sw`, at most `max` of them either way.
const fn bias_steps(bias: f32, sx: f32, sw: f32, channel: usize, max: u64) -> Result<i64, Error> {
    let scale = sx as f64 * sw as f64;
    if !(sx > 0.0 && sw > 0.0 && scale < f64::INFINITY) {
        return Err(Error::Scale { what: "a bias scale" });
    }
    if bias.is_nan() {
        return Err(Error::Unsupported { what: "a bias that is no number" });
    }
    let steps = crate::activation::round(bias as f64 / scale);
    if steps.unsigned_abs() > max {
        return Err(Error::Overflow { channel, bound: steps.unsigned_abs(), max });
    }
    Ok(steps)
}

#[cfg(test)]
mod tests {
    #[test]
    fn sqrt_is_correct_to_two_units() {
        for i in (0..20000).step_by(if cfg!(miri) { 97 } else { 1 }) {
            let v = f64::from_bits(0x3000_0000_0000_0000 + i * 0x0000_7234_5678_9ABC);
            let (ours, std) = (super::sqrt(v), v.sqrt());
            assert!((ours - std).abs() <= 2.0 * std * f64::EPSILON, "{v:e}");
        }
        assert_eq!((super::sqrt(0.0), super::sqrt(4.0)), (0.0, 2.0));
        assert!(super::sqrt(-1.0).is_nan());
    }
}
