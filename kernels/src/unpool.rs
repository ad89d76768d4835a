//! Max unpooling: every input value goes to the place in its window where the maximum once stood, all other outputs get a fill value.
//!
//! Window (iy, ix) covers the outputs `iy·s − p .. iy·s − p + k` along each axis. A place in a window is a code `ky · kw + kx` below
//! kh · kw, far smaller than the flat index that a framework keeps: 2 bits for a 2 x 2 window where PyTorch stores 64. The codes of one
//! tensor lie in the order of its values (row, pixel, channel), each in the fewest of 1, 2, 4 or 8 bits, low bits of a byte first.

use crate::phase::Reciprocal;
use crate::reads::{Rows, Spec, described};
use crate::shape::{INPUT, MAX_SIDE, OUTPUT, all, only, side, signed};
use crate::{Element, Error, Geometry, Layer, Shape, Window};
use core::ops::Range;

/// How errors call an axis and its parameters.
struct Names {
    axis: &'static str,
    kernel: &'static str,
    stride: &'static str,
    dilation: &'static str,
    padding: &'static str,
    output_padding: &'static str,
    output: &'static str,
}

const HEIGHT: Names = Names {
    axis: "height",
    kernel: "kernel height",
    stride: "stride height",
    dilation: "dilation height",
    padding: "padding top + bottom",
    output_padding: "output padding height",
    output: "output height",
};

const WIDTH: Names = Names {
    axis: "width",
    kernel: "kernel width",
    stride: "stride width",
    dilation: "dilation width",
    padding: "padding left + right",
    output_padding: "output padding width",
    output: "output width",
};

/// What a flat index counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlatIndex {
    /// PyTorch: the pixel `y · W + x` in its own channel's plane of the output.
    Torch,
    /// ONNX: the value `((n · C + c) · H + y) · W + x` of the whole NCHW tensor, H x W being the size that the formula gives,
    /// also where `output_shape` asks for another.
    Onnx {
        /// Which image n of a batch these indices are for.
        batch: usize,
    },
}

/// A planned max unpooling: geometry, and how positions are packed.
#[derive(Clone, Copy, Debug)]
pub struct MaxUnpool {
    input: Shape,
    output: Shape,
    /// Height and width by the formula.
    formula: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    /// Rows above and columns left of the output that windows cover.
    pad: [usize; 2],
    /// A code has `1 << log_bits` bits.
    log_bits: u8,
    by_stride: Reciprocal,
}

impl MaxUnpool {
    /// Plans `nn.MaxUnpool2d(kernel, stride, padding)` with the output size `out = (in − 1)·s − p_before − p_after + k`.
    ///
    /// PyTorch's stride defaults to the kernel; here it is given. Windows may overlap. A signal has h = 1 and the kernel 1 x k.
    ///
    /// # Errors
    /// [`Error`] names a size that is 0 or too large, more than 256 places in a window, a dilation, groups or output padding (there
    /// are none) or a geometry without output.
    ///
    /// ```
    /// use upconv::{Bound, FlatIndex, Geometry, MaxUnpool, Shape};
    /// let plan = MaxUnpool::plan(Shape::new(1, 2, 1), Geometry::square(2).stride(2, 2))?;
    /// // The maxima 7 and 9 stood at (1, 0) and (0, 3) of a 2 x 4 plane: two bits each, 2 and 1.
    /// let codes: [u8; 1] = plan.pack(&[4, 3], FlatIndex::Torch)?;
    /// assert_eq!(codes, [0b0110]);
    /// let (layer, mut y) = (plan.with(&codes, -128i8)?, [0; 8]);
    /// Bound::whole(&layer, &[7, 9], &mut y)?.run();
    /// assert_eq!(y, [-128, -128, -128, 9, 7, -128, -128, -128]);
    /// # Ok::<(), upconv::Error>(())
    /// ```
    pub const fn plan(input: Shape, geometry: Geometry) -> Result<Self, Error> {
        MaxUnpool::new(input, geometry, [None, None])
    }

    /// Plans the same with an output of `oh` x `ow` pixels (`output_size`, `output_shape`), less than a stride from the formula's.
    ///
    /// # Errors
    /// Those of [`plan`](Self::plan), and [`Error::Range`] for a size that is a stride or more away.
    ///
    /// ```
    /// use upconv::{Bound, FlatIndex, Geometry, MaxUnpool, Shape};
    /// let plan = MaxUnpool::plan_to(Shape::new(1, 2, 1), Geometry::new(1, 2).stride(1, 2), 1, 5)?;
    /// let codes: [u8; 1] = plan.pack(&[1, 2], FlatIndex::Torch)?;
    /// let (layer, mut y) = (plan.with(&codes, 0i8)?, [0; 5]);
    /// Bound::whole(&layer, &[7, 9], &mut y)?.run();
    /// assert_eq!(y, [0, 7, 9, 0, 0]);
    /// # Ok::<(), upconv::Error>(())
    /// ```
    pub const fn plan_to(input: Shape, geometry: Geometry, oh: usize, ow: usize) -> Result<Self, Error> {
        MaxUnpool::new(input, geometry, [Some(oh), Some(ow)])
    }

    const fn new(input: Shape, g: Geometry, size: [Option<usize>; 2]) -> Result<Self, Error> {
        if let Err(e) = input.check(&INPUT) {
            return Err(e);
        }
        let p = g.padding;
        let y = sizes(&g, 0, input.h, [p.top, p.bottom], size[0], &HEIGHT);
        let x = sizes(&g, 1, input.w, [p.left, p.right], size[1], &WIDTH);
        let (y, x) = match (y, x) {
            (Ok(y), Ok(x)) => (y, x),
            (Err(e), _) | (_, Err(e)) => return Err(e),
        };
        if let Err(e) = only("groups", g.groups, 1) {
            return Err(e);
        }
        let output = Shape::new(y.output, x.output, input.c);
        if let Err(e) = output.check(&OUTPUT) {
            return Err(e);
        }
        let log_bits = match g.kernel[0] * g.kernel[1] {
            0..=2 => 0,
            3..=4 => 1,
            5..=16 => 2,
            17..=256 => 3,
            places => {
                let (what, got) = ("kernel height x width", places as i64);
                return Err(Error::Range { what, got, min: 1, max: 256 });
            }
        };
        Ok(MaxUnpool {
            input,
            output,
            formula: [y.formula, x.formula],
            kernel: g.kernel,
            stride: g.stride,
            pad: [p.top, p.left],
            log_bits,
            by_stride: Reciprocal::new(g.stride[0] as u32),
        })
    }

    /// The input's shape.
    pub const fn input(&self) -> Shape {
        self.input
    }

    /// The output's shape.
    pub const fn output(&self) -> Shape {
        self.output
    }

    /// Bytes of the packed positions.
    pub const fn packed_len(&self) -> usize {
        (self.input.len() + (7 >> self.log_bits)) >> (3 - self.log_bits)
    }

    /// Packs flat indices at compile time; see [`pack_into`](Self::pack_into).
    ///
    /// # Errors
    /// Those of [`pack_into`](Self::pack_into).
    pub const fn pack<const N: usize>(&self, flat: &[i64], counts: FlatIndex) -> Result<[u8; N], Error> {
        let mut packed = [0; N];
        match self.pack_into(flat, counts, &mut packed) {
            Ok(()) => Ok(packed),
            Err(e) => Err(e),
        }
    }

    /// Packs the indices that `nn.MaxPool2d(…, return_indices=True)` or ONNX `MaxPool` gave, in their CHW order.
    ///
    /// # Errors
    /// [`Error::Length`] when `flat` does not have one index per input value or `packed` not [`packed_len`](Self::packed_len) bytes,
    /// [`Error::Range`] for an index outside its plane, its window or the output, or a batch whose indices 64 bits cannot count.
    pub const fn pack_into(&self, flat: &[i64], counts: FlatIndex, packed: &mut [u8]) -> Result<(), Error> {
        if flat.len() != self.input.len() {
            return Err(Error::Length { what: "the indices", got: flat.len(), need: self.input.len() });
        }
        if packed.len() != self.packed_len() {
            return Err(Error::Length { what: "the packed indices", got: packed.len(), need: self.packed_len() });
        }
        if let FlatIndex::Onnx { batch } = counts {
            // As many images as i64 can count the values of.
            let values = (self.formula[0] as i64).saturating_mul(self.formula[1] as i64 * self.input.c as i64);
            let max = match i64::MAX.checked_div(values) {
                Some(images) => images - 1,
                None => i64::MAX,
            };
            if signed(batch) > max {
                return Err(Error::Range { what: "the batch", got: signed(batch), min: 0, max });
            }
        }
        let mut i = 0;
        while i < packed.len() {
            packed[i] = 0;
            i += 1;
        }
        let Shape { h, w, c: channels } = self.input;
        let mut c = 0;
        while c < channels {
            let mut iy = 0;
            while iy < h {
                let mut ix = 0;
                while ix < w {
                    let from = (c * h + iy) * w + ix;
                    let flat = if from < flat.len() { flat[from] } else { 0 };
                    let code = match self.code(flat, counts, c, [iy, ix]) {
                        Ok(code) => code,
                        Err(e) => return Err(e),
                    };
                    let (byte, bit) = self.place((iy * w + ix) * channels + c);
                    if byte < packed.len() {
                        packed[byte] |= code << bit;
                    }
                    ix += 1;
                }
                iy += 1;
            }
            c += 1;
        }
        Ok(())
    }

    /// The code of one flat index.
    const fn code(&self, flat: i64, counts: FlatIndex, c: usize, window: [usize; 2]) -> Result<u8, Error> {
        let ([h, w], plane) = match counts {
            FlatIndex::Torch => ([self.output.h, self.output.w], 0),
            FlatIndex::Onnx { batch } => {
                (self.formula, signed(batch).saturating_mul(self.input.c as i64).saturating_add(c as i64))
            }
        };
        let (h, w) = (h as i64, w as i64);
        let first = plane.saturating_mul(h * w);
        if flat < first || flat - first >= h * w {
            let max = first.saturating_add(h * w - 1);
            return Err(Error::Range { what: "a flat index", got: flat, min: first, max });
        }
        let (y, x) = match ((flat - first).checked_div(w), (flat - first).checked_rem(w)) {
            (Some(y), Some(x)) => (y, x),
            _ => (0, 0), // w >= 1 where an index can lie in the plane
        };
        let ky = self.within(0, y, window[0], self.output.h, "the row of an index");
        let kx = self.within(1, x, window[1], self.output.w, "the column of an index");
        match (ky, kx) {
            (Ok(ky), Ok(kx)) => Ok((ky * self.kernel[1] + kx) as u8), // below 256: plan has checked
            (Err(e), _) | (_, Err(e)) => Err(e),
        }
    }

    /// The tap that position `at` is in window `i` of an axis.
    const fn within(&self, axis: usize, at: i64, i: usize, output: usize, what: &'static str) -> Result<usize, Error> {
        let first = i as i64 * self.stride[axis] as i64 - self.pad[axis] as i64;
        let (min, last) = (if first < 0 { 0 } else { first }, first + self.kernel[axis] as i64 - 1);
        let max = if last < output as i64 { last } else { output as i64 - 1 };
        if at < min || at > max { Err(Error::Range { what, got: at, min, max }) } else { Ok((at - first) as usize) }
    }

    /// Where value `i`'s code lies: byte, and lowest bit in it.
    const fn place(&self, i: usize) -> (usize, usize) {
        (i >> (3 - self.log_bits), (i & (7 >> self.log_bits)) << self.log_bits)
    }

    /// Adds the packed positions and the fill value, the output's zero point: a layer that can run.
    ///
    /// A code that no place has, which [`pack_into`](Self::pack_into) never makes, drops its value.
    ///
    /// # Errors
    /// [`Error::Length`] when `packed` does not have [`packed_len`](Self::packed_len) bytes.
    pub const fn with<'a, T: Element>(&self, packed: &'a [u8], fill: T) -> Result<Unpool<'a, T>, Error> {
        if packed.len() != self.packed_len() {
            return Err(Error::Length { what: "the packed indices", got: packed.len(), need: self.packed_len() });
        }
        Ok(Unpool { plan: *self, packed, fill })
    }

    /// The input rows whose windows cover output row `oy`, and the tap row of the first of them.
    pub(crate) const fn windows(&self, oy: usize) -> (Range<usize>, usize) {
        // Bounds: oy and the padding are below 2^15 each, the quotient below 2^16.
        let (last, rest) = self.by_stride.div_rem((oy + self.pad[0]) as u64);
        let (mut first, mut ky) = (last as usize, rest as usize);
        if ky >= self.kernel[0] {
            return (0..0, 0);
        }
        while first > 0 && ky + self.stride[0] < self.kernel[0] {
            first -= 1;
            ky += self.stride[0];
        }
        let end = if last as usize + 1 < self.input.h { last as usize + 1 } else { self.input.h };
        (if first < end { first..end } else { 0..0 }, ky)
    }
}

/// Size of one axis by the formula, and as asked for.
struct Sizes {
    formula: usize,
    output: usize,
}

const fn sizes(
    g: &Geometry,
    axis: usize,
    input: usize,
    pads: [usize; 2],
    asked: Option<usize>,
    names: &Names,
) -> Result<Sizes, Error> {
    let (kernel, stride, pad) = (g.kernel[axis], g.stride[axis], pads[0].saturating_add(pads[1]));
    if pad > MAX_SIDE {
        return Err(Error::Range { what: names.padding, got: signed(pad), min: 0, max: MAX_SIDE as i64 });
    }
    if let Err(e) = all(&[
        side(names.kernel, kernel),
        side(names.stride, stride),
        only(names.dilation, g.dilation[axis], 1),
        only(names.output_padding, g.output_padding[axis], 0),
    ]) {
        return Err(e);
    }
    let formula = (input as i64 - 1) * stride as i64 - pad as i64 + kernel as i64;
    let (min, max) = (formula - stride as i64 + 1, formula + stride as i64 - 1);
    let output = match asked {
        Some(size) if signed(size) < min || signed(size) > max => {
            return Err(Error::Range { what: names.output, got: signed(size), min, max });
        }
        Some(size) => size as i64,
        None => formula,
    };
    if output < 1 {
        return Err(Error::NoOutput { axis: names.axis, size: output });
    }
    Ok(Sizes { formula: if formula < 0 { 0 } else { formula as usize }, output: output as usize })
}

/// A max unpooling with its positions, ready to run; made by [`MaxUnpool::with`].
///
/// `y[iy·sh − top + ky, ix·sw − left + kx] = x[iy, ix]` per channel, `fill` elsewhere. Exact. Where windows overlap and two values
/// have the same place the later one stays, as in PyTorch on one thread; maxima of one tensor are then equal anyway.
#[derive(Clone, Copy, Debug)]
pub struct Unpool<'a, T> {
    plan: MaxUnpool,
    packed: &'a [u8],
    fill: T,
}

impl<T: Element> Unpool<'_, T> {
    pub(crate) const fn spec(&self) -> Spec<'_> {
        Spec::layer(self.plan.input, self.plan.output, Rows::Unpool(&self.plan))
    }
}

impl<T: Element> Layer<T> for Unpool<'_, T> {
    described!();

    fn macs(&self) -> u64 {
        0
    }

    #[inline(never)]
    fn row(&self, oy: usize, x: &Window<'_, T>, y: &mut [T]) {
        y.fill(self.fill);
        let plan = &self.plan;
        let (c, [_, kw]) = (plan.input.c, plan.kernel);
        let mask = 0xFF >> (8 - (1 << plan.log_bits));
        let (rows, first) = plan.windows(oy);
        let mut ky = first;
        for iy in rows {
            let (row, at) = (x.row(iy), iy * plan.input.row_len());
            for ix in 0..plan.input.w {
                for i in ix * c..(ix + 1) * c {
                    let (byte, bit) = plan.place(at + i);
                    let code = self.packed.get(byte).map_or(0, |b| b >> bit & mask);
                    let kx = usize::from(code).wrapping_sub(ky * kw);
                    // Left of the output the difference is none; right of it lies the end of the row.
                    let ox = (ix * plan.stride[1] + kx.min(kw)).checked_sub(plan.pad[1]);
                    if let (true, Some(ox), Some(value)) = (kx < kw, ox, row.get(i))
                        && let Some(y) = y.get_mut(ox * c + i - ix * c)
                    {
                        *y = *value;
                    }
                }
            }
            ky = ky.wrapping_sub(plan.stride[0]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_the_fewest_bits_that_hold_every_place() {
        for places in (1..=256).step_by(if cfg!(miri) { 51 } else { 1 }) {
            let plan = MaxUnpool::plan(Shape::new(1, 8, 1), Geometry::new(1, places).stride(1, places)).unwrap();
            let bits = plan.packed_len();
            assert!(places <= 1 << bits && (bits == 1 || places > 1 << (bits / 2)), "{places}: {bits}");
            // The last place of every window, there and back.
            let mut flat = [0i64; 8];
            flat.iter_mut().enumerate().for_each(|(i, v)| *v = ((i + 1) * places - 1) as i64);
            let (mut packed, mut y) = ([0; 8], vec![0i8; 8 * places]);
            plan.pack_into(&flat, FlatIndex::Torch, &mut packed[..bits]).unwrap();
            plan.with(&packed[..bits], 0).unwrap().row(0, &Window::whole(&[9; 8], plan.input()).unwrap(), &mut y);
            assert!(y.iter().enumerate().all(|(x, v)| *v == if (x + 1) % places == 0 { 9 } else { 0 }), "{places}");
        }
    }
}
