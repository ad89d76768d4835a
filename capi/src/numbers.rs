//! Plain numbers that both sides know: shapes, scales, multipliers.

use crate::edge::{Answer, answer, place, shared, slice, slice_mut, upconv_status};
use core::ffi::c_char;
use core::mem::offset_of;
use upconv::{Activation, Coordinates, Error, Geometry, Multiplier, Padding, Quant, Rounding, Shape};

/// Height, width and channels of a tensor. Values lie row after row, pixel after pixel, channel after channel (NHWC with N = 1).
///
/// Height and width are 1 to 32767, and a tensor has fewer than 2^31 values.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct upconv_shape {
    /// Rows.
    pub h: usize,
    /// Pixels in a row.
    pub w: usize,
    /// Values in a pixel.
    pub c: usize,
}

impl upconv_shape {
    pub(crate) fn get(self) -> Shape {
        Shape::new(self.h, self.w, self.c)
    }

    pub(crate) fn of(Shape { h, w, c }: Shape) -> Self {
        upconv_shape { h, w, c }
    }
}

/// Scale and zero point: real = scale * (raw - zero). The scale is finite and above 0, the zero point a value of the element type.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct upconv_quant {
    /// The real distance of two neighbouring raw values.
    pub scale: f32,
    /// The raw value that stands for 0.0.
    pub zero: i32,
}

impl upconv_quant {
    pub(crate) fn get(self) -> Quant {
        Quant::new(self.scale, self.zero)
    }
}

/// A real number at least 0 as q * 2^(shift - 31): q is 0 or in [2^30, 2^31), shift in -31 ..= 30. TFLite's quantised multiplier.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct upconv_multiplier {
    /// The factor.
    pub q: i32,
    /// The power of two.
    pub shift: i8,
}

const _: () = {
    assert!(size_of::<upconv_multiplier>() == size_of::<Multiplier>());
    assert!(align_of::<upconv_multiplier>() == align_of::<Multiplier>());
    assert!(offset_of!(upconv_multiplier, q) == 0 && offset_of!(upconv_multiplier, shift) == 4);
};

/// Multipliers as they lie, each checked.
///
/// # Safety
/// As for [`slice`].
pub(crate) unsafe fn multipliers(p: *const upconv_multiplier, len: usize) -> Answer<&'static [Multiplier]> {
    // SAFETY: the caller's promise.
    for m in unsafe { slice("the multipliers", p, len)? } {
        Multiplier::new(m.q, m.shift)?;
    }
    // SAFETY: the same, of two types of one layout (asserted above), each of a value that Multiplier accepts.
    unsafe { slice("the multipliers", p.cast(), len) }
}

/// The multipliers of a layer: sx * sw[i] / sy for each of `count` weight scales, computed in double as TFLite does.
///
/// A convolution takes one for each output channel, or one for all. Errors: SCALE for a scale that is not finite and above 0, or a ratio of 2^30 and more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn upconv_multipliers(
    sx: f32,
    sw: *const f32,
    sy: f32,
    to: *mut upconv_multiplier,
    count: usize,
    why: *mut c_char,
) -> upconv_status {
    // SAFETY: the caller hands over `count` scales and room for as many multipliers.
    let made = unsafe { slice("the weight scales", sw, count) }
        .and_then(|sw| Ok((sw, unsafe { slice_mut("the multipliers", to, count) }?)));
    let result = made.and_then(|(sw, to)| {
        for (to, sw) in to.iter_mut().zip(sw) {
            let m = Multiplier::from_scales(sx, *sw, sy)?;
            *to = upconv_multiplier { q: m.q(), shift: m.shift() };
        }
        Ok(())
    });
    answer(result, why)
}

/// The multiplier nearest to a real number: 31 bits of its mantissa, ties away from zero; below 2^-32 it is 0.
///
/// Errors: SCALE when it is negative, not finite, or 2^30 and more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn upconv_multiplier_from_real(
    real: f64,
    to: *mut upconv_multiplier,
    why: *mut c_char,
) -> upconv_status {
    // SAFETY: the caller hands over room for a multiplier.
    let to = unsafe { place("the multiplier", to) };
    let result = to.and_then(|to| {
        let m = Multiplier::from_real(real)?;
        to.write(upconv_multiplier { q: m.q(), shift: m.shift() });
        Ok(())
    });
    answer(result, why)
}

/// Kernel, stride, padding, dilation, groups, in PyTorch's words; each pair is height, width. A stride, a dilation or groups of 0 count as 1.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct upconv_geometry {
    /// Kernel height and width.
    pub kernel: [usize; 2],
    /// Stride.
    pub stride: [usize; 2],
    /// Distance between kernel taps.
    pub dilation: [usize; 2],
    /// Rows and columns taken from (transposed) or added to (convolution) the top and the left.
    pub pad_before: [usize; 2],
    /// ... and the bottom and the right.
    pub pad_after: [usize; 2],
    /// Rows and columns added at the bottom and the right of a transposed convolution's output.
    pub output_padding: [usize; 2],
    /// Groups that the channels are split into; of a depthwise convolution as many as channels.
    pub groups: usize,
}

impl upconv_geometry {
    pub(crate) fn get(self) -> Geometry {
        let [kh, kw] = self.kernel;
        let ([sh, sw], [dh, dw]) = (self.stride.map(|s| s.max(1)), self.dilation.map(|d| d.max(1)));
        let ([top, left], [bottom, right]) = (self.pad_before, self.pad_after);
        let [oh, ow] = self.output_padding;
        let padding = Padding { top, left, bottom, right };
        Geometry::new(kh, kw)
            .stride(sh, sw)
            .dilation(dh, dw)
            .padding(padding)
            .output_padding(oh, ow)
            .groups(self.groups.max(1))
    }
}

/// A clamp of the real output, fused into requantisation.
pub type upconv_activation = u32;
/// The element's own range.
pub const UPCONV_ACTIVATION_NONE: upconv_activation = 0;
/// max(y, 0)
pub const UPCONV_ACTIVATION_RELU: upconv_activation = 1;
/// min(max(y, 0), 6)
pub const UPCONV_ACTIVATION_RELU6: upconv_activation = 2;
/// min(max(y, -1), 1)
pub const UPCONV_ACTIVATION_RELU_N1_TO_1: upconv_activation = 3;
/// Between the two values of the field `clamp`.
pub const UPCONV_ACTIVATION_CLAMP: upconv_activation = 4;

/// The value of a list, or the error that says which there are.
fn pick<T: Copy>(what: &'static str, i: u32, of: &[T]) -> Answer<T> {
    let max = of.len().saturating_sub(1) as i64;
    of.get(i as usize).copied().ok_or(Error::Range { what, got: i.into(), min: 0, max }.into())
}

pub(crate) fn activation(kind: upconv_activation, [min, max]: [f32; 2]) -> Answer<Activation> {
    let all =
        [Activation::None, Activation::Relu, Activation::Relu6, Activation::ReluN1To1, Activation::Clamp { min, max }];
    pick("the activation", kind, &all)
}

/// How a product with a multiplier becomes an integer.
pub type upconv_rounding = u32;
/// Rounds twice, as LiteRT, TFLite Micro and CMSIS-NN do.
pub const UPCONV_ROUNDING_TFLITE_DOUBLE: upconv_rounding = 0;
/// Rounds once: floor(acc * M + 1/2). TFLite's TFLITE_SINGLE_ROUNDING.
pub const UPCONV_ROUNDING_TFLITE_SINGLE: upconv_rounding = 1;

pub(crate) fn rounding(kind: upconv_rounding) -> Answer<Rounding> {
    pick("the rounding", kind, &[Rounding::TfliteDouble, Rounding::TfliteSingle])
}

/// Where the pixels of a resize lie.
pub type upconv_coordinates = u32;
/// (i + 1/2) * in / out - 1/2: PyTorch's align_corners=False.
pub const UPCONV_COORDINATES_HALF_PIXEL: upconv_coordinates = 0;
/// i * (in - 1) / (out - 1)
pub const UPCONV_COORDINATES_ALIGN_CORNERS: upconv_coordinates = 1;
/// i * in / out
pub const UPCONV_COORDINATES_ASYMMETRIC: upconv_coordinates = 2;

pub(crate) fn coordinates(kind: upconv_coordinates) -> Answer<Coordinates> {
    pick("the coordinates", kind, &[Coordinates::HalfPixel, Coordinates::AlignCorners, Coordinates::Asymmetric])
}

/// A shape that a caller points to, or leaves out.
///
/// # Safety
/// As for [`place`], unless it is NULL.
pub(crate) unsafe fn tell<T>(to: *mut T, value: T) -> Answer {
    if !to.is_null() {
        // SAFETY: the caller's promise.
        unsafe { place("what is asked for", to) }?.write(value);
    }
    Ok(())
}

/// What a caller points to, by value.
///
/// # Safety
/// As for [`shared`].
pub(crate) unsafe fn copied<T: Copy>(what: &'static str, p: *const T) -> Answer<T> {
    // SAFETY: the caller's promise.
    unsafe { shared(what, p) }.copied()
}
