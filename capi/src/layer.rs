//! Layers and joins planned into the caller's memory, and whole tensors run through one of them.

use crate::edge::{
    Answer, Refused, answer, apart, check_object, cleared, place, shared, slice, slice_mut, upconv_status,
};
use crate::numbers::*;
use core::ffi::c_char;
use upconv::{
    Accumulator, Add, Along, Bilinear, Bound, Concat, Conv, ConvTranspose, Convolution, Element, Elementwise, Error,
    Gate16, Join, Layer, Nearest, Node, Numerics, Operands, PixelShuffle, Plan, Pointwise, Quant, Quantization, Resize,
    Rounding, Shape, ShuffleOrder, Sum, Table8, Upsample, WeightOrder, Weights,
};

/// The most tensors that a join reads, and the entries of `upconv_node.from`.
pub const UPCONV_MAX_JOINED: usize = 4;

#[cfg(target_pointer_width = "32")]
/// 8-byte words of a layer.
pub const UPCONV_LAYER_WORDS: usize = 44;
#[cfg(target_pointer_width = "64")]
/// 8-byte words of a layer.
pub const UPCONV_LAYER_WORDS: usize = 72;

/// A planned layer or join. The memory is the caller's: planned once, then only read, and it may be copied. What it was planned from (weights, biases,
/// multipliers, tables) is not copied and has to live as long as it does.
#[repr(C)]
pub struct upconv_layer {
    opaque: [u64; UPCONV_LAYER_WORDS],
}

/// The element types; `mark` is how a planned object begins.
pub(crate) trait Number: Element + Sync {
    const MARK: u32;
}

impl Number for i8 {
    const MARK: u32 = 0x7563_6938;
}

impl Number for i16 {
    const MARK: u32 = 0x7563_3136;
}

/// What all operators are asked.
pub(crate) trait Operator<T: Element> {
    fn layer(&self) -> Option<&dyn Layer<T>>;
    fn output(&self) -> Shape;
    fn node(&'static self, from: &'static [usize; UPCONV_MAX_JOINED]) -> Node<'static, T>;
}

/// How an object of an operator begins: with its type's mark, and the function that finds the operator in it.
#[repr(C)]
struct Head<T: 'static> {
    mark: u32,
    operator: unsafe fn(*const Head<T>) -> *const dyn Operator<T>,
}

#[repr(C)]
struct Planned<T: 'static, P> {
    head: Head<T>,
    operator: P,
}

/// Where the operator lies.
///
/// # Safety
/// `head` is that of a `Planned<T, P>`.
unsafe fn find<T: Element, P: Operator<T> + 'static>(head: *const Head<T>) -> *const dyn Operator<T> {
    // SAFETY: the caller's promise; no reference to the whole is made.
    unsafe { &raw const (*head.cast::<Planned<T, P>>()).operator }
}

/// Puts an operator into the caller's memory.
///
/// # Safety
/// As for [`place`].
unsafe fn put<T: Number, P: Operator<T> + 'static>(layer: *mut upconv_layer, made: Answer<P>) -> Answer {
    const {
        assert!(size_of::<Planned<T, P>>() <= size_of::<upconv_layer>());
        assert!(align_of::<Planned<T, P>>() <= align_of::<upconv_layer>());
    }
    // SAFETY: the caller's promise.
    let to = unsafe { cleared("the layer", layer.cast::<[u64; UPCONV_LAYER_WORDS]>()) }?;
    let planned = Planned { head: Head { mark: T::MARK, operator: find::<T, P> }, operator: made? };
    // SAFETY: the size and the alignment suffice, as is asserted above.
    unsafe { to.as_mut_ptr().cast::<Planned<T, P>>().write(planned) };
    Ok(())
}

/// The operator of an object, if it was planned for this element type.
///
/// # Safety
/// As for [`shared`].
pub(crate) unsafe fn operator<T: Number>(layer: *const upconv_layer) -> Answer<&'static dyn Operator<T>> {
    // SAFETY: the caller's promise; the mark is the first word of any object.
    unsafe { check_object("the layer", layer, T::MARK) }?;
    let head = layer.cast::<Head<T>>();
    // SAFETY: only `put` writes this mark, before a function of this type.
    let find = unsafe { (*head).operator };
    // SAFETY: ... which is that of the object's own type.
    Ok(unsafe { &*find(head) })
}

/// Stamps the operators of one input.
macro_rules! layers {
    ($($layer:ty $(, $bound:ident)?;)+) => {$(
        impl<T: Number> Operator<T> for $layer $(where T: $bound)? {
            fn layer(&self) -> Option<&dyn Layer<T>> {
                Some(self)
            }

            fn output(&self) -> Shape {
                Layer::<T>::output(self)
            }

            fn node(&'static self, from: &'static [usize; UPCONV_MAX_JOINED]) -> Node<'static, T> {
                self.node(from[0])
            }
        }
    )+};
}

layers! {
    Nearest;
    Bilinear;
    PixelShuffle;
}

/// ... of one element type.
macro_rules! layers_of {
    ($($layer:ty: $t:ty;)+) => {$(
        impl Operator<$t> for $layer {
            fn layer(&self) -> Option<&dyn Layer<$t>> {
                Some(self)
            }

            fn output(&self) -> Shape {
                Layer::<$t>::output(self)
            }

            fn node(&'static self, from: &'static [usize; UPCONV_MAX_JOINED]) -> Node<'static, $t> {
                self.node(from[0])
            }
        }
    )+};
}

layers_of! {
    Elementwise<'static, Lookup>: i8;
    Elementwise<'static, Gate16>: i16;
}

impl<T: Number, W: Element + Sync, A: Accumulator + Sync> Operator<T> for Convolution<'static, T, W, A> {
    fn layer(&self) -> Option<&dyn Layer<T>> {
        Some(self)
    }

    fn output(&self) -> Shape {
        Layer::<T>::output(self)
    }

    fn node(&'static self, from: &'static [usize; UPCONV_MAX_JOINED]) -> Node<'static, T> {
        self.node(from[0])
    }
}

impl<T: Number> Operator<T> for Sum<T> {
    fn layer(&self) -> Option<&dyn Layer<T>> {
        None
    }

    fn output(&self) -> Shape {
        Join::output(self)
    }

    fn node(&'static self, from: &'static [usize; UPCONV_MAX_JOINED]) -> Node<'static, T> {
        self.node(&from[..2])
    }
}

impl<T: Number, const N: usize> Operator<T> for Concat<T, N> {
    fn layer(&self) -> Option<&dyn Layer<T>> {
        None
    }

    fn output(&self) -> Shape {
        Join::output(self)
    }

    fn node(&'static self, from: &'static [usize; UPCONV_MAX_JOINED]) -> Node<'static, T> {
        const { assert!(N <= UPCONV_MAX_JOINED) };
        self.node(&from[..N])
    }
}

/// A convolution as in nn.Conv2d: y[o] = sum of x[o * stride - pad + dilation * k] * w[k].
pub const UPCONV_CONV: u32 = 0;
/// A transposed convolution as in nn.ConvTranspose2d: x[i] * w[k] is added to y[i * stride - pad + dilation * k].
pub const UPCONV_CONV_TRANSPOSE: u32 = 1;

/// A convolution or transposed convolution, depthwise with `groups` = channels, 1-D along either axis; fully connected on 1x1.
#[repr(C)]
pub struct upconv_conv {
    /// UPCONV_CONV or UPCONV_CONV_TRANSPOSE.
    pub kind: u32,
    /// Output channels.
    pub channels: usize,
    /// The input's shape.
    pub input: upconv_shape,
    /// Kernel, stride and the rest.
    pub geometry: upconv_geometry,
    /// The input's scale and zero point.
    pub x: upconv_quant,
    /// The output's.
    pub y: upconv_quant,
    /// sx * sw[c] / sy for each output channel, or one for all channels.
    pub multipliers: *const upconv_multiplier,
    /// Their number: 1, or `channels`.
    pub multiplier_count: usize,
    /// The fused clamp.
    pub activation: upconv_activation,
    /// The smallest and the largest real output of UPCONV_ACTIVATION_CLAMP.
    pub clamp: [f32; 2],
    /// Of int8 activations; int16 ones have TFLite's own, 16-bit multipliers on 64-bit sums.
    pub rounding: upconv_rounding,
    /// For which `upconv_block` its weights are packed; 0 when `upconv_pack` of this program packs them.
    pub block: usize,
}

impl upconv_conv {
    fn plan(&self) -> Answer<Plan> {
        let make = match self.kind {
            UPCONV_CONV => Conv::plan,
            UPCONV_CONV_TRANSPOSE => ConvTranspose::plan,
            got => {
                return Err(Error::Range { what: "the kind of convolution", got: got.into(), min: 0, max: 1 }.into());
            }
        };
        if self.block != 0 && self.block != Plan::BLOCK {
            let (what, got) = ("the block that the weights are packed for", self.block as i64);
            return Err(Error::Range { what, got, min: Plan::BLOCK as i64, max: Plan::BLOCK as i64 }.into());
        }
        Ok(make(self.input.get(), self.channels, self.geometry.get())?)
    }

    /// # Safety
    /// The multipliers are there.
    unsafe fn quantization(&self, rounding: Rounding) -> Answer<Quantization<'static>> {
        Ok(Quantization {
            x: self.x.get(),
            y: self.y.get(),
            // SAFETY: the caller's promise.
            multipliers: unsafe { multipliers(self.multipliers, self.multiplier_count) }?,
            activation: activation(self.activation, self.clamp)?,
            rounding,
        })
    }
}

/// How many output channels' weights lie side by side in packed weights: all that their order depends on besides the layer. It is that of this
/// library's inner loops; weights that are packed elsewhere say for which one in `upconv_conv.block`.
#[unsafe(no_mangle)]
pub extern "C" fn upconv_block() -> usize {
    Plan::BLOCK
}

/// Of a convolution the output's shape, the number of weights, kh * kw * C_in / groups * C_out, and the multiply-accumulates of a whole output,
/// those whose input exists; each pointer may be NULL.
///
/// Errors: ZERO, RANGE, NOT_DIVISIBLE, NO_OUTPUT for a geometry that cannot be, with the number that is wrong.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn upconv_conv_sizes(
    conv: *const upconv_conv,
    output: *mut upconv_shape,
    weight_len: *mut usize,
    macs: *mut u64,
    why: *mut c_char,
) -> upconv_status {
    // SAFETY: the caller hands over a convolution.
    let plan = unsafe { shared("the convolution", conv) }.and_then(upconv_conv::plan);
    let result = plan.and_then(|plan| {
        // SAFETY: ... and NULL or room for the answers.
        unsafe { tell(output, upconv_shape::of(plan.output())) }?;
        // SAFETY: the same.
        unsafe { tell(weight_len, plan.weight_len()) }?;
        // SAFETY: the same.
        unsafe { tell(macs, plan.macs()) }
    });
    answer(result, why)
}

/// The order of weights before they are packed.
pub type upconv_order = u32;
/// PyTorch and ONNX: convolution [C_out][C_in / groups][kh][kw], transposed [C_in][C_out / groups][kh][kw].
pub const UPCONV_ORDER_TORCH: upconv_order = 0;
/// TFLite: [C_out][kh][kw][C_in / groups] for both.
pub const UPCONV_ORDER_TFLITE: upconv_order = 1;

/// Brings weights into the order in which this library reads them, which differs between cores; `packed` must not overlap `weights`.
///
/// `len` is the number of either, see `upconv_conv_sizes`. Errors: those of `upconv_conv_sizes`, LENGTH, OVERLAP, RANGE for another order.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn upconv_pack(
    conv: *const upconv_conv,
    order: upconv_order,
    weights: *const i8,
    packed: *mut i8,
    len: usize,
    why: *mut c_char,
) -> upconv_status {
    // SAFETY: the caller hands over a convolution, `len` weights and room for as many.
    answer(unsafe { pack(conv, order, weights, packed, len) }, why)
}

/// `upconv_pack` for int16 weights.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn upconv_pack_w16(
    conv: *const upconv_conv,
    order: upconv_order,
    weights: *const i16,
    packed: *mut i16,
    len: usize,
    why: *mut c_char,
) -> upconv_status {
    // SAFETY: the caller hands over a convolution, `len` weights and room for as many.
    answer(unsafe { pack(conv, order, weights, packed, len) }, why)
}

unsafe fn pack<W: Element>(
    conv: *const upconv_conv,
    order: upconv_order,
    weights: *const W,
    packed: *mut W,
    len: usize,
) -> Answer {
    // SAFETY: the caller's promise, for all three.
    let plan = unsafe { shared("the convolution", conv) }?.plan()?;
    apart("the weights and the packed weights", (weights, len), (packed, len))?;
    // SAFETY: the same.
    let weights = unsafe { slice("the weights", weights, len) }?;
    // SAFETY: the same; they do not overlap.
    let packed = unsafe { slice_mut("the packed weights", packed, len) }?;
    let order = match order {
        UPCONV_ORDER_TORCH => WeightOrder::Torch,
        UPCONV_ORDER_TFLITE => WeightOrder::Tflite,
        got => return Err(Error::Range { what: "the order of weights", got: got.into(), min: 0, max: 1 }.into()),
    };
    Ok(plan.pack_into(weights, order, packed)?)
}

/// Plans a convolution of int8 activations and int8 weights on 32-bit sums.
///
/// `weights` are packed (`upconv_pack`); `bias` has one value of scale sx * sw[c] for each output channel, or is NULL with a length of 0.
/// Errors: those of `upconv_conv_sizes`; LENGTH for another number of weights, biases or multipliers; SCALE, RANGE and UNSUPPORTED for
/// quantisation that the types cannot express; OVERFLOW when |bias| + sum of |w| * max|x - zero| of a channel could leave 31 bits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn upconv_conv_i8(
    layer: *mut upconv_layer,
    conv: *const upconv_conv,
    weights: *const i8,
    weight_len: usize,
    bias: *const i32,
    bias_len: usize,
    why: *mut c_char,
) -> upconv_status {
    // SAFETY: the caller hands over a layer's room, and a convolution with as many weights and biases as it says.
    let made =
        unsafe { convolution::<i8, i8, i32>(conv, (weights, weight_len), (bias, bias_len), |w, p, q| w.layer(p, q)) };
    // SAFETY: the same.
    answer(unsafe { put(layer, made) }, why)
}

/// `upconv_conv_i8` with int16 weights, such as those of a nearest upsample that is folded into its convolution.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn upconv_conv_i8_w16(
    layer: *mut upconv_layer,
    conv: *const upconv_conv,
    weights: *const i16,
    weight_len: usize,
    bias: *const i32,
    bias_len: usize,
    why: *mut c_char,
) -> upconv_status {
    // SAFETY: as in `upconv_conv_i8`.
    let made =
        unsafe { convolution::<i8, i16, i32>(conv, (weights, weight_len), (bias, bias_len), |w, p, q| w.layer(p, q)) };
    // SAFETY: the same.
    answer(unsafe { put(layer, made) }, why)
}

/// Plans a convolution of int16 activations and int8 weights, TFLite's int16x8: biases have 64 bits, zero points are 0, sums stay below 2^47,
/// and `upconv_conv.rounding` plays no part. Otherwise as `upconv_conv_i8`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn upconv_conv_i16(
    layer: *mut upconv_layer,
    conv: *const upconv_conv,
    weights: *const i8,
    weight_len: usize,
    bias: *const i64,
    bias_len: usize,
    why: *mut c_char,
) -> upconv_status {
    // SAFETY: as in `upconv_conv_i8`.
    let made =
        unsafe { convolution::<i16, i8, i64>(conv, (weights, weight_len), (bias, bias_len), |w, p, q| w.layer(p, q)) };
    // SAFETY: the same.
    answer(unsafe { put(layer, made) }, why)
}

/// `Weights::layer` for some pair of weight and bias types.
type Make<T, W, A> =
    fn(Weights<'static, W, A>, &Plan, Quantization<'static>) -> Result<Convolution<'static, T, W, A>, Error>;

#[inline(always)]
unsafe fn convolution<T: Number, W: Element, A: Accumulator>(
    conv: *const upconv_conv,
    weights: (*const W, usize),
    bias: (*const A, usize),
    make: Make<T, W, A>,
) -> Answer<Convolution<'static, T, W, A>> {
    // SAFETY: the caller's promise.
    let conv = unsafe { shared("the convolution", conv) }?;
    let rounding = if size_of::<A>() == 8 { Rounding::Tflite16x8 } else { rounding(conv.rounding)? };
    // SAFETY: the same.
    let quantization = unsafe { conv.quantization(rounding) }?;
    // SAFETY: the same.
    let packed = unsafe { slice("the packed weights", weights.0, weights.1) }?;
    // SAFETY: the same.
    let bias = unsafe { slice("the bias", bias.0, bias.1) }?;
    Ok(make(Weights { packed, bias }, &conv.plan()?, quantization)?)
}

/// Plans int8 nearest-neighbour upsampling: every pixel is repeated `fh` times downwards and `fw` times to the right. Exact; scale and zero point stay.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn upconv_nearest_i8(
    layer: *mut upconv_layer,
    input: upconv_shape,
    fh: usize,
    fw: usize,
    why: *mut c_char,
) -> upconv_status {
    let made = Upsample::nearest(input.get(), fh, fw).map_err(Refused::from);
    // SAFETY: the caller hands over a layer's room.
    answer(unsafe { put::<i8, _>(layer, made) }, why)
}

/// `upconv_nearest_i8` for int16.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn upconv_nearest_i16(
    layer: *mut upconv_layer,
    input: upconv_shape,
    fh: usize,
    fw: usize,
    why: *mut c_char,
) -> upconv_status {
    let made = Upsample::nearest(input.get(), fh, fw).map_err(Refused::from);
    // SAFETY: the caller hands over a layer's room.
    answer(unsafe { put::<i16, _>(layer, made) }, why)
}

/// How a bilinear sum is computed.
pub type upconv_numerics = u32;
/// The real value rounded once, ties up.
pub const UPCONV_NUMERICS_EXACT: upconv_numerics = 0;
/// TFLite's RESIZE_BILINEAR bit for bit, as LiteRT rounds.
pub const UPCONV_NUMERICS_TFLITE_DOUBLE: upconv_numerics = 1;
/// ... as TFLITE_SINGLE_ROUNDING rounds.
pub const UPCONV_NUMERICS_TFLITE_SINGLE: upconv_numerics = 2;

fn bilinear(
    input: upconv_shape,
    [h, w]: [usize; 2],
    kind: upconv_coordinates,
    numerics: upconv_numerics,
) -> Answer<Bilinear> {
    let numerics = match numerics {
        UPCONV_NUMERICS_EXACT => Numerics::Exact,
        UPCONV_NUMERICS_TFLITE_DOUBLE => Numerics::Tflite(Rounding::TfliteDouble),
        UPCONV_NUMERICS_TFLITE_SINGLE => Numerics::Tflite(Rounding::TfliteSingle),
        got => return Err(Error::Range { what: "the numerics", got: got.into(), min: 0, max: 2 }.into()),
    };
    Ok(Upsample::bilinear(input.get(), Resize::to(h, w).coordinates(coordinates(kind)?), numerics)?)
}

/// Plans an int8 bilinear resize, up or down, to h rows of w pixels; linear for a signal with h = 1. Scale and zero point stay.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn upconv_bilinear_i8(
    layer: *mut upconv_layer,
    input: upconv_shape,
    h: usize,
    w: usize,
    coordinates: upconv_coordinates,
    numerics: upconv_numerics,
    why: *mut c_char,
) -> upconv_status {
    // SAFETY: the caller hands over a layer's room.
    answer(unsafe { put::<i8, _>(layer, bilinear(input, [h, w], coordinates, numerics)) }, why)
}

/// `upconv_bilinear_i8` for int16.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn upconv_bilinear_i16(
    layer: *mut upconv_layer,
    input: upconv_shape,
    h: usize,
    w: usize,
    coordinates: upconv_coordinates,
    numerics: upconv_numerics,
    why: *mut c_char,
) -> upconv_status {
    // SAFETY: the caller hands over a layer's room.
    answer(unsafe { put::<i16, _>(layer, bilinear(input, [h, w], coordinates, numerics)) }, why)
}

/// Which of the input's channels is which channel of which pixel of a block.
pub type upconv_shuffle = u32;
/// (dy * rw + dx) * C + c: TFLite's and ONNX's depth to space.
pub const UPCONV_SHUFFLE_DCR: upconv_shuffle = 0;
/// c * rh * rw + dy * rw + dx: PyTorch's pixel shuffle.
pub const UPCONV_SHUFFLE_CRD: upconv_shuffle = 1;

fn shuffle(input: upconv_shape, [rh, rw]: [usize; 2], order: upconv_shuffle) -> Answer<PixelShuffle> {
    let order = match order {
        UPCONV_SHUFFLE_DCR => ShuffleOrder::Dcr,
        UPCONV_SHUFFLE_CRD => ShuffleOrder::Crd,
        got => return Err(Error::Range { what: "the order of channels", got: got.into(), min: 0, max: 1 }.into()),
    };
    Ok(PixelShuffle::plan(input.get(), rh, rw, order)?)
}

/// Plans an int8 pixel shuffle (depth to space): h x w x (rh * rw * C) to (rh * h) x (rw * w) x C. Exact.
///
/// Errors: NOT_DIVISIBLE when the channels are not a multiple of rh * rw.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn upconv_shuffle_i8(
    layer: *mut upconv_layer,
    input: upconv_shape,
    rh: usize,
    rw: usize,
    order: upconv_shuffle,
    why: *mut c_char,
) -> upconv_status {
    // SAFETY: the caller hands over a layer's room.
    answer(unsafe { put::<i8, _>(layer, shuffle(input, [rh, rw], order)) }, why)
}

/// `upconv_shuffle_i8` for int16.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn upconv_shuffle_i16(
    layer: *mut upconv_layer,
    input: upconv_shape,
    rh: usize,
    rw: usize,
    order: upconv_shuffle,
    why: *mut c_char,
) -> upconv_status {
    // SAFETY: the caller hands over a layer's room.
    answer(unsafe { put::<i16, _>(layer, shuffle(input, [rh, rw], order)) }, why)
}

/// 256 results as they lie in the caller's memory, that of the raw value -128 first.
#[repr(transparent)]
struct Lookup([i8; 256]);

impl Pointwise<i8> for Lookup {
    #[inline]
    fn at(&self, x: i8) -> i8 {
        self.0[usize::from(x as u8 ^ 0x80)]
    }
}

/// The functions of a table or a gate.
pub type upconv_function = u32;
/// 1 / (1 + e^-x)
pub const UPCONV_FUNCTION_SIGMOID: upconv_function = 0;
/// tanh x
pub const UPCONV_FUNCTION_TANH: upconv_function = 1;
/// x * min(max(x + 3, 0), 6) / 6; int8 only.
pub const UPCONV_FUNCTION_HARD_SWISH: upconv_function = 2;

/// Computes the 256 results of a function of int8 values, LiteRT's bytes; that of the raw value -128 comes first. A table of any other function
/// may be made elsewhere.
///
/// Errors: SCALE and RANGE for scales and zero points that are not valid, RANGE for another function.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn upconv_table_i8(
    table: *mut i8,
    function: upconv_function,
    x: upconv_quant,
    y: upconv_quant,
    why: *mut c_char,
) -> upconv_status {
    let (x, y) = (x.get(), y.get());
    let made = match function {
        UPCONV_FUNCTION_SIGMOID => Table8::sigmoid(x, y),
        UPCONV_FUNCTION_TANH => Table8::tanh(x, y),
        UPCONV_FUNCTION_HARD_SWISH => Table8::hard_swish(x, y),
        got => Err(Error::Range { what: "the function", got: got.into(), min: 0, max: 2 }),
    };
    let result = made.map_err(Refused::from).and_then(|made| {
        // SAFETY: the caller hands over room for 256 results.
        let table = unsafe { slice_mut("the table", table, 256) }?;
        table.iter_mut().zip(i8::MIN..=i8::MAX).for_each(|(y, x)| *y = made.at(x));
        Ok(())
    });
    answer(result, why)
}

/// Plans a layer that replaces every int8 value by its entry in a table of 256, that of the raw value -128 first.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn upconv_lookup_i8(
    layer: *mut upconv_layer,
    shape: upconv_shape,
    table: *const i8,
    why: *mut c_char,
) -> upconv_status {
    // SAFETY: the caller hands over 256 entries, which are bytes as Lookup is.
    let table = unsafe { shared("the table", table.cast::<Lookup>()) };
    let made = table.and_then(|table| Ok(Elementwise::plan(shape.get(), table)?));
    // SAFETY: ... and a layer's room.
    answer(unsafe { put::<i8, _>(layer, made) }, why)
}

/// Sigmoid or tanh of int16 values.
#[repr(C)]
pub struct upconv_gate {
    opaque: [u32; 2],
}

/// Plans a layer that applies sigmoid or tanh to every int16 value, LiteRT's bytes; the input's zero point is 0, the output's scale 2^-15 and zero point 0.
///
/// `gate` is filled and has to live as long as the layer. Errors: SCALE for a scale that is not valid, RANGE for one of 5.33 and more or another function.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn upconv_gate_i16(
    layer: *mut upconv_layer,
    gate: *mut upconv_gate,
    shape: upconv_shape,
    function: upconv_function,
    x_scale: f32,
    why: *mut c_char,
) -> upconv_status {
    const {
        assert!(size_of::<Gate16>() <= size_of::<upconv_gate>());
        assert!(align_of::<Gate16>() <= align_of::<upconv_gate>());
    }
    let x = Quant::new(x_scale, 0);
    let made = match function {
        UPCONV_FUNCTION_SIGMOID => Gate16::sigmoid(x),
        UPCONV_FUNCTION_TANH => Gate16::tanh(x),
        got => Err(Error::Range { what: "the function", got: got.into(), min: 0, max: 1 }),
    };
    let made = made.map_err(Refused::from).and_then(|made| {
        // SAFETY: the caller hands over room for a gate, which suffices and is aligned, as is asserted above.
        let gate = unsafe { place("the gate", gate.cast::<Gate16>()) }?;
        Ok(Elementwise::plan(shape.get(), &*gate.write(made))?)
    });
    // SAFETY: ... and a layer's room.
    answer(unsafe { put::<i16, _>(layer, made) }, why)
}

/// The sum of two tensors of equal shape, or whose second one has a height or width of 1.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct upconv_add {
    /// The first tensor's shape.
    pub a: upconv_shape,
    /// The second one's.
    pub b: upconv_shape,
    /// Scale and zero point of the first one, the second one, the sum.
    pub qa: upconv_quant,
    /// ... the second one's.
    pub qb: upconv_quant,
    /// ... the sum's.
    pub qy: upconv_quant,
    /// The fused clamp.
    pub activation: upconv_activation,
    /// Of UPCONV_ACTIVATION_CLAMP.
    pub clamp: [f32; 2],
    /// Of every scaling.
    pub rounding: upconv_rounding,
}

unsafe fn add<T: Number>(add: *const upconv_add) -> Answer<Sum<T>> {
    // SAFETY: the caller's promise.
    let add = unsafe { copied("the sum", add) }?;
    let operands = Operands {
        a: add.qa.get(),
        b: add.qb.get(),
        y: add.qy.get(),
        activation: activation(add.activation, add.clamp)?,
        rounding: rounding(add.rounding)?,
    };
    Ok(Add::plan(add.a.get(), add.b.get(), operands)?)
}

/// Plans a join that adds two int8 tensors, LiteRT's ADD bit for bit; it runs in a decoder.
///
/// Errors: RANGE when the shapes do not fit each other, SCALE and RANGE for scales and zero points that are not valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn upconv_add_i8(
    layer: *mut upconv_layer,
    sum: *const upconv_add,
    why: *mut c_char,
) -> upconv_status {
    // SAFETY: the caller hands over a sum ...
    let made = unsafe { add::<i8>(sum) };
    // SAFETY: ... and a layer's room.
    answer(unsafe { put(layer, made) }, why)
}

/// `upconv_add_i8` for int16.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn upconv_add_i16(
    layer: *mut upconv_layer,
    sum: *const upconv_add,
    why: *mut c_char,
) -> upconv_status {
    // SAFETY: the caller hands over a sum ...
    let made = unsafe { add::<i16>(sum) };
    // SAFETY: ... and a layer's room.
    answer(unsafe { put(layer, made) }, why)
}

/// An input of a concatenation.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct upconv_part {
    /// Its shape.
    pub shape: upconv_shape,
    /// Its scale and zero point; where they are the output's it is copied, else requantised.
    pub quant: upconv_quant,
}

unsafe fn concat<T: Number, const N: usize>(
    layer: *mut upconv_layer,
    parts: &[upconv_part],
    y: upconv_quant,
    kind: upconv_rounding,
) -> Answer {
    let none = (Shape::new(0, 0, 0), Quant::new(0.0, 0));
    let mut inputs = [none; N];
    for (to, part) in inputs.iter_mut().zip(parts) {
        *to = (part.shape.get(), part.quant.get());
    }
    let made = rounding(kind).and_then(|r| Ok(Concat::<T, N>::plan(Along::Channels, inputs, y.get(), r)?));
    // SAFETY: the caller's promise.
    unsafe { put::<T, _>(layer, made) }
}

unsafe fn concat_any<T: Number>(
    layer: *mut upconv_layer,
    parts: *const upconv_part,
    count: usize,
    y: upconv_quant,
    kind: upconv_rounding,
) -> Answer {
    // Here too, for what is refused before `put`.
    // SAFETY: the caller's promise.
    unsafe { cleared("the layer", layer) }?;
    // SAFETY: the same.
    let parts = unsafe { slice("the inputs", parts, count) }?;
    match count {
        // SAFETY: the same, in each.
        2 => unsafe { concat::<T, 2>(layer, parts, y, kind) },
        // SAFETY: the same.
        3 => unsafe { concat::<T, 3>(layer, parts, y, kind) },
        // SAFETY: the same.
        4 => unsafe { concat::<T, 4>(layer, parts, y, kind) },
        got => {
            let max = UPCONV_MAX_JOINED as i64;
            Err(Error::Range { what: "the inputs of a join", got: got as i64, min: 2, max }.into())
        }
    }
}

/// Plans a join of 2 to UPCONV_MAX_JOINED int8 tensors along the channels, TFLite's CONCATENATION of axis 3; it runs in a decoder.
///
/// Errors: RANGE when heights or widths differ, SCALE and RANGE for scales and zero points that are not valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn upconv_concat_i8(
    layer: *mut upconv_layer,
    parts: *const upconv_part,
    count: usize,
    y: upconv_quant,
    rounding: upconv_rounding,
    why: *mut c_char,
) -> upconv_status {
    // SAFETY: the caller hands over `count` inputs and a layer's room.
    answer(unsafe { concat_any::<i8>(layer, parts, count, y, rounding) }, why)
}

/// `upconv_concat_i8` for int16.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn upconv_concat_i16(
    layer: *mut upconv_layer,
    parts: *const upconv_part,
    count: usize,
    y: upconv_quant,
    rounding: upconv_rounding,
    why: *mut c_char,
) -> upconv_status {
    // SAFETY: the caller hands over `count` inputs and a layer's room.
    answer(unsafe { concat_any::<i16>(layer, parts, count, y, rounding) }, why)
}

/// Runs an int8 layer of one input on a whole tensor; `x` and `y` have as many values as its shapes and do not overlap.
///
/// Joins run in a decoder. Errors: OBJECT, LENGTH, OVERLAP, UNSUPPORTED for a join. A row takes some 3 KB of stack.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn upconv_run_i8(
    layer: *const upconv_layer,
    x: *const i8,
    x_len: usize,
    y: *mut i8,
    y_len: usize,
    why: *mut c_char,
) -> upconv_status {
    // SAFETY: the caller hands over a planned layer, `x_len` values and room for `y_len`.
    answer(unsafe { run(layer, x, x_len, y, y_len) }, why)
}

/// `upconv_run_i8` for int16.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn upconv_run_i16(
    layer: *const upconv_layer,
    x: *const i16,
    x_len: usize,
    y: *mut i16,
    y_len: usize,
    why: *mut c_char,
) -> upconv_status {
    // SAFETY: the caller hands over a planned layer, `x_len` values and room for `y_len`.
    answer(unsafe { run(layer, x, x_len, y, y_len) }, why)
}

unsafe fn run<T: Number>(layer: *const upconv_layer, x: *const T, x_len: usize, y: *mut T, y_len: usize) -> Answer {
    apart("the input and the output", (x, x_len), (y, y_len))?;
    // SAFETY: the caller's promise, for all three.
    let operator = unsafe { operator::<T>(layer) }?;
    // SAFETY: the same.
    let x = unsafe { slice("the input", x, x_len) }?;
    // SAFETY: the same; they do not overlap.
    let y = unsafe { slice_mut("the output", y, y_len) }?;
    let layer = operator.layer().ok_or(Error::Unsupported { what: "a join outside a decoder" })?;
    Bound::whole(layer, x, y)?.run();
    Ok(())
}

/// The output's shape of a planned int8 or int16 layer or join.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn upconv_output(
    layer: *const upconv_layer,
    output: *mut upconv_shape,
    why: *mut c_char,
) -> upconv_status {
    // SAFETY: the caller hands over a layer.
    let narrow = unsafe { operator::<i8>(layer) }.map(|o| o.output());
    // SAFETY: the same.
    let shape = narrow.or_else(|_| unsafe { operator::<i16>(layer) }.map(|o| o.output()));
    // SAFETY: ... and room for a shape.
    answer(shape.and_then(|shape| unsafe { tell(output, upconv_shape::of(shape)) }), why)
}
