//! Shapes and geometry: plain numbers, checked by the plans that take them.

use crate::Error;
use crate::phase::AxisGeometry;

/// The largest height or width of a tensor. Positions, and their products with a stride, then fit 32 bits.
pub const MAX_SIDE: usize = 32_767;

/// Height, width and channels of a tensor in NHWC order with N = 1.
///
/// A signal of length L is `Shape::new(1, L, c)`, or `Shape::new(L, 1, c)` when it is to be streamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Shape {
    /// Height: the number of rows.
    pub h: usize,
    /// Width: the number of pixels in a row.
    pub w: usize,
    /// Channels: the number of values in a pixel.
    pub c: usize,
}

impl Shape {
    /// A shape of `h` rows of `w` pixels of `c` channels.
    pub const fn new(h: usize, w: usize, c: usize) -> Self {
        Shape { h, w, c }
    }

    /// Values in a row: `w * c`.
    pub const fn row_len(&self) -> usize {
        self.w.saturating_mul(self.c)
    }

    /// Values in the tensor: `h * w * c`.
    pub const fn len(&self) -> usize {
        self.h.saturating_mul(self.w).saturating_mul(self.c)
    }

    /// Whether the tensor holds no value. No plan accepts such a shape.
    pub const fn is_empty(&self) -> bool {
        self.h == 0 || self.w == 0 || self.c == 0
    }

    /// Every side at least 1, height and width at most [`MAX_SIDE`], and fewer than 2³¹ values.
    pub(crate) const fn check(&self, names: &Names) -> Result<(), Error> {
        if let Err(e) = side(names.h, self.h) {
            return Err(e);
        }
        if let Err(e) = side(names.w, self.w) {
            return Err(e);
        }
        if self.c == 0 {
            return Err(Error::Zero { what: names.c });
        }
        let pixels = self.h as u64 * self.w as u64;
        if self.c as u64 > i32::MAX as u64 / pixels {
            let max = (i32::MAX as u64 / pixels) as i64;
            return Err(Error::Range { what: names.c, got: signed(self.c), min: 1, max });
        }
        Ok(())
    }
}

/// How an error calls the sides of a tensor.
pub(crate) struct Names {
    h: &'static str,
    w: &'static str,
    c: &'static str,
}

pub(crate) const INPUT: Names = Names { h: "input height", w: "input width", c: "input channels" };
pub(crate) const OUTPUT: Names = Names { h: "output height", w: "output width", c: "output channels" };

/// A size as an error reports it; the largest stays the largest.
pub(crate) const fn signed(v: usize) -> i64 {
    if v as u64 > i64::MAX as u64 { i64::MAX } else { v as i64 }
}

/// The first error among `checks`.
pub(crate) const fn all(checks: &[Result<(), Error>]) -> Result<(), Error> {
    let mut i = 0;
    while i < checks.len() {
        if checks[i].is_err() {
            return checks[i];
        }
        i += 1;
    }
    Ok(())
}

/// `value`, or the error that says what else it is.
pub(crate) const fn only(what: &'static str, got: usize, value: usize) -> Result<(), Error> {
    let only = signed(value);
    if got == value { Ok(()) } else { Err(Error::Range { what, got: signed(got), min: only, max: only }) }
}

/// `1 ..= MAX_SIDE`, or the error that names it.
pub(crate) const fn side(what: &'static str, got: usize) -> Result<(), Error> {
    match got {
        0 => Err(Error::Zero { what }),
        1..=MAX_SIDE => Ok(()),
        _ => Err(Error::Range { what, got: signed(got), min: 1, max: MAX_SIDE as i64 }),
    }
}

/// Rows and columns taken from (transposed convolution) or added to (convolution) each edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Padding {
    /// Rows at the top.
    pub top: usize,
    /// Columns at the left.
    pub left: usize,
    /// Rows at the bottom.
    pub bottom: usize,
    /// Columns at the right.
    pub right: usize,
}

/// Kernel size, stride, padding, output padding, dilation and groups, in PyTorch's words.
///
/// ```
/// use upconv::Geometry;
/// let g = Geometry::square(4).stride(2, 2).pad(1);
/// assert_eq!((g.kernel, g.stride, g.padding.left), ([4, 4], [2, 2], 1));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Geometry {
    /// Kernel height and width.
    pub kernel: [usize; 2],
    /// Stride along height and width.
    pub stride: [usize; 2],
    /// Padding at each edge.
    pub padding: Padding,
    /// Rows and columns added at the bottom and the right of a transposed convolution's output; below `max(stride, dilation)`.
    pub output_padding: [usize; 2],
    /// Distance between kernel taps along height and width.
    pub dilation: [usize; 2],
    /// Groups that the channels are split into.
    pub groups: usize,
}

impl Geometry {
    /// A `kh` x `kw` kernel with stride 1, dilation 1, one group and no padding.
    pub const fn new(kh: usize, kw: usize) -> Self {
        Geometry {
            kernel: [kh, kw],
            stride: [1, 1],
            padding: Padding { top: 0, left: 0, bottom: 0, right: 0 },
            output_padding: [0, 0],
            dilation: [1, 1],
            groups: 1,
        }
    }

    /// A `k` x `k` kernel.
    pub const fn square(k: usize) -> Self {
        Geometry::new(k, k)
    }

    /// Sets the stride along height and width.
    pub const fn stride(mut self, h: usize, w: usize) -> Self {
        self.stride = [h, w];
        self
    }

    /// Sets the same padding at all four edges.
    pub const fn pad(self, p: usize) -> Self {
        self.padding(Padding { top: p, left: p, bottom: p, right: p })
    }

    /// Sets the padding of each edge.
    pub const fn padding(mut self, padding: Padding) -> Self {
        self.padding = padding;
        self
    }

    /// Sets the output padding along height and width (transposed convolution only).
    pub const fn output_padding(mut self, h: usize, w: usize) -> Self {
        self.output_padding = [h, w];
        self
    }

    /// Sets the dilation along height and width.
    pub const fn dilation(mut self, h: usize, w: usize) -> Self {
        self.dilation = [h, w];
        self
    }

    /// Pads a convolution so that the output has `ceil(in / stride)` rows and columns.
    ///
    /// An odd total leaves the larger half at the end with [`Same::Upper`] (TFLite, PyTorch's `padding="same"`, ONNX `SAME_UPPER`), at the beginning
    /// with [`Same::Lower`]. Without a call padding is 0: `VALID`.
    ///
    /// ```
    /// use upconv::{Conv, Geometry, Same, Shape};
    /// let input = Shape::new(5, 5, 1);
    /// let g = Geometry::square(4).stride(2, 2).same(input, Same::Upper);
    /// assert_eq!((g.padding.top, g.padding.bottom), (1, 2));
    /// assert_eq!(Conv::plan(input, 1, g)?.output(), Shape::new(3, 3, 1));
    /// # Ok::<(), upconv::Error>(())
    /// ```
    pub const fn same(self, input: Shape, same: Same) -> Self {
        let (h, w) = (self.conv_total(0, input.h), self.conv_total(1, input.w));
        let ([top, bottom], [left, right]) = (same.split(h), same.split(w));
        self.padding(Padding { top, left, bottom, right })
    }

    const fn conv_total(&self, axis: usize, input: usize) -> usize {
        let stride = if self.stride[axis] == 0 { 1 } else { self.stride[axis] };
        let reach = self.kernel[axis].saturating_sub(1).saturating_mul(self.dilation[axis]).saturating_add(1);
        (input.div_ceil(stride).saturating_sub(1) * stride).saturating_add(reach).saturating_sub(input)
    }

    /// Pads a transposed convolution so that the output has `h` rows and `w` columns: ONNX's `output_shape`, TFLite's.
    ///
    /// What `(in - 1) stride + dilation (kernel - 1) + 1 + output_padding` has too many is taken off both ends, the larger half of an odd number at the end with
    /// [`Same::Upper`]; what it lacks becomes output padding. `SAME` is the output `in * stride`.
    ///
    /// ```
    /// use upconv::{ConvTranspose, Geometry, Same, Shape};
    /// let input = Shape::new(4, 4, 1);
    /// let g = Geometry::square(3).stride(2, 2).to_output(input, 8, 8, Same::Upper);
    /// assert_eq!((g.padding.top, g.padding.bottom, g.output_padding), (0, 1, [0, 0]));
    /// assert_eq!(ConvTranspose::plan(input, 1, g)?.output(), Shape::new(8, 8, 1));
    /// # Ok::<(), upconv::Error>(())
    /// ```
    pub const fn to_output(mut self, input: Shape, h: usize, w: usize, same: Same) -> Self {
        let (full_h, full_w) = (self.full(0, input.h), self.full(1, input.w));
        self.output_padding[0] = self.output_padding[0].saturating_add(h.saturating_sub(full_h));
        self.output_padding[1] = self.output_padding[1].saturating_add(w.saturating_sub(full_w));
        let ([top, bottom], [left, right]) =
            (same.split(full_h.saturating_sub(h)), same.split(full_w.saturating_sub(w)));
        self.padding(Padding { top, left, bottom, right })
    }

    const fn full(&self, axis: usize, input: usize) -> usize {
        let reach = self.kernel[axis].saturating_sub(1).saturating_mul(self.dilation[axis]).saturating_add(1);
        let steps = input.saturating_sub(1).saturating_mul(self.stride[axis]);
        steps.saturating_add(reach).saturating_add(self.output_padding[axis])
    }

    /// What concerns one axis, 0 for height and 1 for width.
    pub(crate) const fn axis(&self, axis: usize, input: usize, pad: [usize; 2]) -> AxisGeometry {
        AxisGeometry {
            input,
            kernel: self.kernel[axis],
            stride: self.stride[axis],
            dilation: self.dilation[axis],
            pad,
            output_padding: self.output_padding[axis],
        }
    }

    /// Sets the number of groups.
    pub const fn groups(mut self, groups: usize) -> Self {
        self.groups = groups;
        self
    }
}

/// Where the larger half of an odd padding goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Same {
    /// To the end: ONNX `SAME_UPPER`, TFLite, PyTorch.
    Upper,
    /// To the beginning: ONNX `SAME_LOWER`.
    Lower,
}

impl Same {
    const fn split(self, total: usize) -> [usize; 2] {
        match self {
            Same::Upper => [total / 2, total - total / 2],
            Same::Lower => [total - total / 2, total / 2],
        }
    }
}
