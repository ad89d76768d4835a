/*
 * upconv for C: upsampling and transposed convolution in fixed point. Made by `cargo xtask c header` from capi/src; do not edit.
 *
 * Objects (layers, decoders) lie in memory of the caller, whose size is that of their type. Functions answer a status, 0 when all is well; where one
 * takes `why`, that is NULL or points to UPCONV_MESSAGE bytes, which then hold one sentence: what is wrong, what it is and what it may be. Nothing is
 * allocated, there is no global state, and nothing panics: a program that links cannot reach a panic. Lengths count values, not bytes. What a
 * function hands over by pointer is there, as many as it says, and what an object was made from has to live as long as the object.
 *
 * Plans are made on the device, at start-up; a decoder's takes some 14 KB of stack, once. Objects that a refused plan or bind was to write are invalid.
 * The Rust crate alone has bicubic and area upsampling, pixel unshuffle, unpooling, padding as a layer, and signals without end.
 */


#ifndef UPCONV_H
#define UPCONV_H

#include <stddef.h>
#include <stdint.h>

#if UINTPTR_MAX == 0xFFFFFFFFu
#define UPCONV_POINTERS_32
#elif UINTPTR_MAX == 0xFFFFFFFFFFFFFFFFu
#define UPCONV_POINTERS_64
#endif


/**
 * The version that this header is of: major * 10000 + minor * 100 + patch.
 */
#define UPCONV_VERSION 100

/**
 * The most nodes of a decoder.
 */
#define UPCONV_MAX_NODES 16

/**
 * The most inputs of a decoder.
 */
#define UPCONV_MAX_INPUTS 4

#if defined(UPCONV_POINTERS_32)
/**
 * 8-byte words of a decoder's plan.
 */
#define UPCONV_DECODER_WORDS 256
#endif

#if defined(UPCONV_POINTERS_64)
/**
 * 8-byte words of a decoder's plan.
 */
#define UPCONV_DECODER_WORDS 480
#endif

#if defined(UPCONV_POINTERS_32)
/**
 * 8-byte words of a bound decoder.
 */
#define UPCONV_BOUND_WORDS 56
#endif

#if defined(UPCONV_POINTERS_64)
/**
 * 8-byte words of a bound decoder.
 */
#define UPCONV_BOUND_WORDS 112
#endif

/**
 * Bytes of a sentence that says what is wrong, its end included.
 */
#define UPCONV_MESSAGE 176

/**
 * The most tensors that a join reads, and the entries of `upconv_node.from`.
 */
#define UPCONV_MAX_JOINED 4

#if defined(UPCONV_POINTERS_32)
/**
 * 8-byte words of a layer.
 */
#define UPCONV_LAYER_WORDS 44
#endif

#if defined(UPCONV_POINTERS_64)
/**
 * 8-byte words of a layer.
 */
#define UPCONV_LAYER_WORDS 72
#endif

/**
 * A convolution as in nn.Conv2d: y[o] = sum of x[o * stride - pad + dilation * k] * w[k].
 */
#define UPCONV_CONV 0

/**
 * A transposed convolution as in nn.ConvTranspose2d: x[i] * w[k] is added to y[i * stride - pad + dilation * k].
 */
#define UPCONV_CONV_TRANSPOSE 1

/**
 * What a function answers: 0 when all is well. `upconv_status_name` has its name.
 */
enum upconv_status
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * Done.
   */
  UPCONV_STATUS_OK = 0,
  /**
   * There is no row: it was the last one, or an input has none for now. `upconv_complete` knows which.
   */
  UPCONV_STATUS_NO_ROW = 1,
  /**
   * A pointer is NULL.
   */
  UPCONV_STATUS_NULL = 2,
  /**
   * A pointer is not aligned for what it points to.
   */
  UPCONV_STATUS_ALIGNMENT = 3,
  /**
   * Memory that is read and memory that is written overlap.
   */
  UPCONV_STATUS_OVERLAP = 4,
  /**
   * An object that was not planned or bound, is of the other element type, or was moved since it was bound.
   */
  UPCONV_STATUS_OBJECT = 5,
  /**
   * A size that has to be at least 1 is 0.
   */
  UPCONV_STATUS_ZERO = 6,
  /**
   * A value lies outside its range.
   */
  UPCONV_STATUS_RANGE = 7,
  /**
   * A buffer has another length than it needs.
   */
  UPCONV_STATUS_LENGTH = 8,
  /**
   * A number does not divide another.
   */
  UPCONV_STATUS_NOT_DIVISIBLE = 9,
  /**
   * The geometry leaves no output.
   */
  UPCONV_STATUS_NO_OUTPUT = 10,
  /**
   * A sum could leave its 32 (or 48) bits.
   */
  UPCONV_STATUS_OVERFLOW = 11,
  /**
   * A scale that is not finite and above 0, or a ratio of scales of 2^30 and more.
   */
  UPCONV_STATUS_SCALE = 12,
  /**
   * A node of a decoder that does not fit the others.
   */
  UPCONV_STATUS_NODE = 13,
  /**
   * A decoder that needs more memory than there is.
   */
  UPCONV_STATUS_MEMORY = 14,
  /**
   * A combination that upconv does not offer.
   */
  UPCONV_STATUS_UNSUPPORTED = 15,
  /**
   * An input of a decoder ended, or has no more rows for now, before all output rows were computed.
   */
  UPCONV_STATUS_ROWS = 16,
  /**
   * An error that this version of the library has no number for; its sentence says what it is.
   */
  UPCONV_STATUS_OTHER = 17,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum upconv_status upconv_status;
#else
typedef int32_t upconv_status;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * A planned decoder. The memory is the caller's; nodes and layers have to live as long as it does.
 */
typedef struct upconv_decoder {
  uint64_t opaque[UPCONV_DECODER_WORDS];
} upconv_decoder;

/**
 * What a node is.
 */
typedef uint32_t upconv_kind;

/**
 * A planned layer or join. The memory is the caller's: planned once, then only read, and it may be copied. What it was planned from (weights, biases,
 * multipliers, tables) is not copied and has to live as long as it does.
 */
typedef struct upconv_layer {
  uint64_t opaque[UPCONV_LAYER_WORDS];
} upconv_layer;

/**
 * Height, width and channels of a tensor. Values lie row after row, pixel after pixel, channel after channel (NHWC with N = 1).
 *
 * Height and width are 1 to 32767, and a tensor has fewer than 2^31 values.
 */
typedef struct upconv_shape {
  /**
   * Rows.
   */
  size_t h;
  /**
   * Pixels in a row.
   */
  size_t w;
  /**
   * Values in a pixel.
   */
  size_t c;
} upconv_shape;

/**
 * A node of a decoder. Nodes are named by their place in the list; the last one is the output.
 */
typedef struct upconv_node {
  /**
   * UPCONV_KIND_LAYER, or the kind of input.
   */
  upconv_kind kind;
  /**
   * The planned layer or join; NULL of an input.
   */
  const struct upconv_layer *layer;
  /**
   * The earlier nodes that it reads: one of a layer, of a join as many as it has inputs.
   */
  size_t from[UPCONV_MAX_JOINED];
  /**
   * The shape of an input; of a layer it is not looked at.
   */
  struct upconv_shape shape;
} upconv_node;

/**
 * A decoder with its inputs and its memory. It must not be moved or copied, and all that it was bound to has to live as long as it does.
 */
typedef struct upconv_bound {
  uint64_t opaque[UPCONV_BOUND_WORDS];
} upconv_bound;

/**
 * Writes the next row of an input, `len` values, and answers 1; or answers 0 while there is none.
 * It must not hand the bound decoder that it is called from to any function of this library, and must return (no longjmp).
 */
typedef int32_t (*upconv_rows_i8)(void *context, int8_t *row, size_t len);

/**
 * An int8 input: `whole` for UPCONV_KIND_WHOLE; for UPCONV_KIND_ROWS `rows`, or neither when its values are pushed; never both.
 */
typedef struct upconv_input_i8 {
  /**
   * The whole tensor.
   */
  const int8_t *whole;
  /**
   * Its values.
   */
  size_t len;
  /**
   * What writes its rows.
   */
  upconv_rows_i8 rows;
  /**
   * Handed to `rows`.
   */
  void *context;
} upconv_input_i8;

/**
 * `upconv_rows_i8` for int16.
 */
typedef int32_t (*upconv_rows_i16)(void *context, int16_t *row, size_t len);

/**
 * An int16 input, as `upconv_input_i8`.
 */
typedef struct upconv_input_i16 {
  /**
   * The whole tensor.
   */
  const int16_t *whole;
  /**
   * Its values.
   */
  size_t len;
  /**
   * What writes its rows.
   */
  upconv_rows_i16 rows;
  /**
   * Handed to `rows`.
   */
  void *context;
} upconv_input_i16;

/**
 * Kernel, stride, padding, dilation, groups, in PyTorch's words; each pair is height, width. A stride, a dilation or groups of 0 count as 1.
 */
typedef struct upconv_geometry {
  /**
   * Kernel height and width.
   */
  size_t kernel[2];
  /**
   * Stride.
   */
  size_t stride[2];
  /**
   * Distance between kernel taps.
   */
  size_t dilation[2];
  /**
   * Rows and columns taken from (transposed) or added to (convolution) the top and the left.
   */
  size_t pad_before[2];
  /**
   * ... and the bottom and the right.
   */
  size_t pad_after[2];
  /**
   * Rows and columns added at the bottom and the right of a transposed convolution's output.
   */
  size_t output_padding[2];
  /**
   * Groups that the channels are split into; of a depthwise convolution as many as channels.
   */
  size_t groups;
} upconv_geometry;

/**
 * Scale and zero point: real = scale * (raw - zero). The scale is finite and above 0, the zero point a value of the element type.
 */
typedef struct upconv_quant {
  /**
   * The real distance of two neighbouring raw values.
   */
  float scale;
  /**
   * The raw value that stands for 0.0.
   */
  int32_t zero;
} upconv_quant;

/**
 * A real number at least 0 as q * 2^(shift - 31): q is 0 or in [2^30, 2^31), shift in -31 ..= 30. TFLite's quantised multiplier.
 */
typedef struct upconv_multiplier {
  /**
   * The factor.
   */
  int32_t q;
  /**
   * The power of two.
   */
  int8_t shift;
} upconv_multiplier;

/**
 * A clamp of the real output, fused into requantisation.
 */
typedef uint32_t upconv_activation;

/**
 * How a product with a multiplier becomes an integer.
 */
typedef uint32_t upconv_rounding;

/**
 * A convolution or transposed convolution, depthwise with `groups` = channels, 1-D along either axis; fully connected on 1x1.
 */
typedef struct upconv_conv {
  /**
   * UPCONV_CONV or UPCONV_CONV_TRANSPOSE.
   */
  uint32_t kind;
  /**
   * Output channels.
   */
  size_t channels;
  /**
   * The input's shape.
   */
  struct upconv_shape input;
  /**
   * Kernel, stride and the rest.
   */
  struct upconv_geometry geometry;
  /**
   * The input's scale and zero point.
   */
  struct upconv_quant x;
  /**
   * The output's.
   */
  struct upconv_quant y;
  /**
   * sx * sw[c] / sy for each output channel, or one for all channels.
   */
  const struct upconv_multiplier *multipliers;
  /**
   * Their number: 1, or `channels`.
   */
  size_t multiplier_count;
  /**
   * The fused clamp.
   */
  upconv_activation activation;
  /**
   * The smallest and the largest real output of UPCONV_ACTIVATION_CLAMP.
   */
  float clamp[2];
  /**
   * Of int8 activations; int16 ones have TFLite's own, 16-bit multipliers on 64-bit sums.
   */
  upconv_rounding rounding;
  /**
   * For which `upconv_block` its weights are packed; 0 when `upconv_pack` of this program packs them.
   */
  size_t block;
} upconv_conv;

/**
 * The order of weights before they are packed.
 */
typedef uint32_t upconv_order;

/**
 * Where the pixels of a resize lie.
 */
typedef uint32_t upconv_coordinates;

/**
 * How a bilinear sum is computed.
 */
typedef uint32_t upconv_numerics;

/**
 * Which of the input's channels is which channel of which pixel of a block.
 */
typedef uint32_t upconv_shuffle;

/**
 * The functions of a table or a gate.
 */
typedef uint32_t upconv_function;

/**
 * Sigmoid or tanh of int16 values.
 */
typedef struct upconv_gate {
  uint32_t opaque[2];
} upconv_gate;

/**
 * The sum of two tensors of equal shape, or whose second one has a height or width of 1.
 */
typedef struct upconv_add {
  /**
   * The first tensor's shape.
   */
  struct upconv_shape a;
  /**
   * The second one's.
   */
  struct upconv_shape b;
  /**
   * Scale and zero point of the first one, the second one, the sum.
   */
  struct upconv_quant qa;
  /**
   * ... the second one's.
   */
  struct upconv_quant qb;
  /**
   * ... the sum's.
   */
  struct upconv_quant qy;
  /**
   * The fused clamp.
   */
  upconv_activation activation;
  /**
   * Of UPCONV_ACTIVATION_CLAMP.
   */
  float clamp[2];
  /**
   * Of every scaling.
   */
  upconv_rounding rounding;
} upconv_add;

/**
 * An input of a concatenation.
 */
typedef struct upconv_part {
  /**
   * Its shape.
   */
  struct upconv_shape shape;
  /**
   * Its scale and zero point; where they are the output's it is copied, else requantised.
   */
  struct upconv_quant quant;
} upconv_part;

/**
 * A layer or a join, which reads earlier nodes.
 */
#define UPCONV_KIND_LAYER 0

/**
 * An input that is a whole tensor, in flash or in RAM.
 */
#define UPCONV_KIND_WHOLE 1

/**
 * An input whose rows come one after the other, from a function or pushed.
 */
#define UPCONV_KIND_ROWS 2

/**
 * PyTorch and ONNX: convolution [C_out][C_in / groups][kh][kw], transposed [C_in][C_out / groups][kh][kw].
 */
#define UPCONV_ORDER_TORCH 0

/**
 * TFLite: [C_out][kh][kw][C_in / groups] for both.
 */
#define UPCONV_ORDER_TFLITE 1

/**
 * The real value rounded once, ties up.
 */
#define UPCONV_NUMERICS_EXACT 0

/**
 * TFLite's RESIZE_BILINEAR bit for bit, as LiteRT rounds.
 */
#define UPCONV_NUMERICS_TFLITE_DOUBLE 1

/**
 * ... as TFLITE_SINGLE_ROUNDING rounds.
 */
#define UPCONV_NUMERICS_TFLITE_SINGLE 2

/**
 * (dy * rw + dx) * C + c: TFLite's and ONNX's depth to space.
 */
#define UPCONV_SHUFFLE_DCR 0

/**
 * c * rh * rw + dy * rw + dx: PyTorch's pixel shuffle.
 */
#define UPCONV_SHUFFLE_CRD 1

/**
 * 1 / (1 + e^-x)
 */
#define UPCONV_FUNCTION_SIGMOID 0

/**
 * tanh x
 */
#define UPCONV_FUNCTION_TANH 1

/**
 * x * min(max(x + 3, 0), 6) / 6; int8 only.
 */
#define UPCONV_FUNCTION_HARD_SWISH 2

/**
 * The element's own range.
 */
#define UPCONV_ACTIVATION_NONE 0

/**
 * max(y, 0)
 */
#define UPCONV_ACTIVATION_RELU 1

/**
 * min(max(y, 0), 6)
 */
#define UPCONV_ACTIVATION_RELU6 2

/**
 * min(max(y, -1), 1)
 */
#define UPCONV_ACTIVATION_RELU_N1_TO_1 3

/**
 * Between the two values of the field `clamp`.
 */
#define UPCONV_ACTIVATION_CLAMP 4

/**
 * Rounds twice, as LiteRT, TFLite Micro and CMSIS-NN do.
 */
#define UPCONV_ROUNDING_TFLITE_DOUBLE 0

/**
 * Rounds once: floor(acc * M + 1/2). TFLite's TFLITE_SINGLE_ROUNDING.
 */
#define UPCONV_ROUNDING_TFLITE_SINGLE 1

/**
 * (i + 1/2) * in / out - 1/2: PyTorch's align_corners=False.
 */
#define UPCONV_COORDINATES_HALF_PIXEL 0

/**
 * i * (in - 1) / (out - 1)
 */
#define UPCONV_COORDINATES_ALIGN_CORNERS 1

/**
 * i * in / out
 */
#define UPCONV_COORDINATES_ASYMMETRIC 2

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The version of the library; a program that was compiled with another header finds another UPCONV_VERSION.
 */
uint32_t upconv_version(void);

/**
 * The red control of the proof that nothing here panics: `--cfg upconv_red` adds it, and then what calls it must not link.
 */
uint8_t upconv_red(size_t i);

/**
 * Plans an int8 decoder of `count` nodes, at most UPCONV_MAX_NODES: plays it through, row by row, so that it knows how many rows of each tensor are still
 * needed at any time. It takes some 14 KB of stack, once.
 *
 * Errors: OBJECT for a layer that was not planned for int8; RANGE when a node reads one that does not come before it; NODE when what a node reads has
 * another length than it asks for, a join lacks inputs, nothing reads a node, or the last one is an input. The sentence names the node.
 */
upconv_status upconv_decoder_i8(struct upconv_decoder *decoder,
                                const struct upconv_node *nodes,
                                size_t count,
                                char *why);

/**
 * `upconv_decoder_i8` for int16.
 */
upconv_status upconv_decoder_i16(struct upconv_decoder *decoder,
                                 const struct upconv_node *nodes,
                                 size_t count,
                                 char *why);

/**
 * The values of memory that an int8 or int16 decoder asks for, and its output's shape; either pointer may be NULL.
 */
upconv_status upconv_decoder_need(const struct upconv_decoder *decoder,
                                  size_t *values,
                                  struct upconv_shape *output,
                                  char *why);

/**
 * Attaches to an int8 decoder its inputs, in the order of their nodes, memory of `upconv_decoder_need` values, and either one output row, which is handed
 * out again and again, or the whole output.
 *
 * The object may be bound again, which starts anew; after a refusal it is not bound. Errors: LENGTH when a buffer has another length or the number of
 * inputs is wrong; OVERLAP when memory, row, whole inputs and the bound decoder do not lie apart; UNSUPPORTED for a whole tensor where the plan has
 * rows, the other way round, both at once, or two pushed inputs.
 */
upconv_status upconv_bind_i8(struct upconv_bound *bound,
                             const struct upconv_decoder *decoder,
                             const struct upconv_input_i8 *inputs,
                             size_t count,
                             int8_t *memory,
                             size_t memory_len,
                             int8_t *row,
                             size_t row_len,
                             char *why);

/**
 * `upconv_bind_i8` for int16.
 */
upconv_status upconv_bind_i16(struct upconv_bound *bound,
                              const struct upconv_decoder *decoder,
                              const struct upconv_input_i16 *inputs,
                              size_t count,
                              int16_t *memory,
                              size_t memory_len,
                              int16_t *row,
                              size_t row_len,
                              char *why);

/**
 * Computes the next row of an int8 decoder; `*row` points to it until the next call. NO_ROW, and NULL, after the last one or when an input has
 * no more rows for now. Errors: OBJECT.
 */
upconv_status upconv_next_row_i8(struct upconv_bound *bound,
                                 const int8_t **row,
                                 char *why);

/**
 * `upconv_next_row_i8` for int16.
 */
upconv_status upconv_next_row_i16(struct upconv_bound *bound, const int16_t **row, char *why);

/**
 * `upconv_next_row_i8` with values for the pushed input: takes as many as the row asks for off the front of `*values`, and `*len` is what is left. NO_ROW
 * when they do not suffice, all taken, or after the last row. However values are cut into pieces, the same rows come out. Errors: OBJECT; OVERLAP when
 * the values lie in the decoder's memory or its row.
 */
upconv_status upconv_push_i8(struct upconv_bound *bound,
                             const int8_t **values,
                             size_t *len,
                             const int8_t **row,
                             char *why);

/**
 * `upconv_push_i8` for int16.
 */
upconv_status upconv_push_i16(struct upconv_bound *bound,
                              const int16_t **values,
                              size_t *len,
                              const int16_t **row,
                              char *why);

/**
 * Whether the last row of an int8 or int16 decoder is out: after NO_ROW, the difference between the end and an input that has no more for now. Errors: ROWS,
 * whose sentence says how many rows of how many have been computed; OBJECT.
 */
upconv_status upconv_complete(struct upconv_bound *bound,
                              char *why);

/**
 * Starts an int8 or int16 decoder again with the first row.
 */
upconv_status upconv_restart(struct upconv_bound *bound, char *why);

/**
 * The name of a status, such as "UPCONV_STATUS_RANGE"; of any other number "not a status". It lives for ever.
 */
const char *upconv_status_name(int32_t status);

/**
 * How many output channels' weights lie side by side in packed weights: all that their order depends on besides the layer. It is that of this
 * library's inner loops; weights that are packed elsewhere say for which one in `upconv_conv.block`.
 */
size_t upconv_block(void);

/**
 * Of a convolution the output's shape, the number of weights, kh * kw * C_in / groups * C_out, and the multiply-accumulates of a whole output,
 * those whose input exists; each pointer may be NULL.
 *
 * Errors: ZERO, RANGE, NOT_DIVISIBLE, NO_OUTPUT for a geometry that cannot be, with the number that is wrong.
 */
upconv_status upconv_conv_sizes(const struct upconv_conv *conv,
                                struct upconv_shape *output,
                                size_t *weight_len,
                                uint64_t *macs,
                                char *why);

/**
 * Brings weights into the order in which this library reads them, which differs between cores; `packed` must not overlap `weights`.
 *
 * `len` is the number of either, see `upconv_conv_sizes`. Errors: those of `upconv_conv_sizes`, LENGTH, OVERLAP, RANGE for another order.
 */
upconv_status upconv_pack(const struct upconv_conv *conv,
                          upconv_order order,
                          const int8_t *weights,
                          int8_t *packed,
                          size_t len,
                          char *why);

/**
 * `upconv_pack` for int16 weights.
 */
upconv_status upconv_pack_w16(const struct upconv_conv *conv,
                              upconv_order order,
                              const int16_t *weights,
                              int16_t *packed,
                              size_t len,
                              char *why);

/**
 * Plans a convolution of int8 activations and int8 weights on 32-bit sums.
 *
 * `weights` are packed (`upconv_pack`); `bias` has one value of scale sx * sw[c] for each output channel, or is NULL with a length of 0.
 * Errors: those of `upconv_conv_sizes`; LENGTH for another number of weights, biases or multipliers; SCALE, RANGE and UNSUPPORTED for
 * quantisation that the types cannot express; OVERFLOW when |bias| + sum of |w| * max|x - zero| of a channel could leave 31 bits.
 */
upconv_status upconv_conv_i8(struct upconv_layer *layer,
                             const struct upconv_conv *conv,
                             const int8_t *weights,
                             size_t weight_len,
                             const int32_t *bias,
                             size_t bias_len,
                             char *why);

/**
 * `upconv_conv_i8` with int16 weights, such as those of a nearest upsample that is folded into its convolution.
 */
upconv_status upconv_conv_i8_w16(struct upconv_layer *layer,
                                 const struct upconv_conv *conv,
                                 const int16_t *weights,
                                 size_t weight_len,
                                 const int32_t *bias,
                                 size_t bias_len,
                                 char *why);

/**
 * Plans a convolution of int16 activations and int8 weights, TFLite's int16x8: biases have 64 bits, zero points are 0, sums stay below 2^47,
 * and `upconv_conv.rounding` plays no part. Otherwise as `upconv_conv_i8`.
 */
upconv_status upconv_conv_i16(struct upconv_layer *layer,
                              const struct upconv_conv *conv,
                              const int8_t *weights,
                              size_t weight_len,
                              const int64_t *bias,
                              size_t bias_len,
                              char *why);

/**
 * Plans int8 nearest-neighbour upsampling: every pixel is repeated `fh` times downwards and `fw` times to the right. Exact; scale and zero point stay.
 */
upconv_status upconv_nearest_i8(struct upconv_layer *layer,
                                struct upconv_shape input,
                                size_t fh,
                                size_t fw,
                                char *why);

/**
 * `upconv_nearest_i8` for int16.
 */
upconv_status upconv_nearest_i16(struct upconv_layer *layer,
                                 struct upconv_shape input,
                                 size_t fh,
                                 size_t fw,
                                 char *why);

/**
 * Plans an int8 bilinear resize, up or down, to h rows of w pixels; linear for a signal with h = 1. Scale and zero point stay.
 */
upconv_status upconv_bilinear_i8(struct upconv_layer *layer,
                                 struct upconv_shape input,
                                 size_t h,
                                 size_t w,
                                 upconv_coordinates coordinates,
                                 upconv_numerics numerics,
                                 char *why);

/**
 * `upconv_bilinear_i8` for int16.
 */
upconv_status upconv_bilinear_i16(struct upconv_layer *layer,
                                  struct upconv_shape input,
                                  size_t h,
                                  size_t w,
                                  upconv_coordinates coordinates,
                                  upconv_numerics numerics,
                                  char *why);

/**
 * Plans an int8 pixel shuffle (depth to space): h x w x (rh * rw * C) to (rh * h) x (rw * w) x C. Exact.
 *
 * Errors: NOT_DIVISIBLE when the channels are not a multiple of rh * rw.
 */
upconv_status upconv_shuffle_i8(struct upconv_layer *layer,
                                struct upconv_shape input,
                                size_t rh,
                                size_t rw,
                                upconv_shuffle order,
                                char *why);

/**
 * `upconv_shuffle_i8` for int16.
 */
upconv_status upconv_shuffle_i16(struct upconv_layer *layer,
                                 struct upconv_shape input,
                                 size_t rh,
                                 size_t rw,
                                 upconv_shuffle order,
                                 char *why);

/**
 * Computes the 256 results of a function of int8 values, LiteRT's bytes; that of the raw value -128 comes first. A table of any other function
 * may be made elsewhere.
 *
 * Errors: SCALE and RANGE for scales and zero points that are not valid, RANGE for another function.
 */
upconv_status upconv_table_i8(int8_t *table,
                              upconv_function function,
                              struct upconv_quant x,
                              struct upconv_quant y,
                              char *why);

/**
 * Plans a layer that replaces every int8 value by its entry in a table of 256, that of the raw value -128 first.
 */
upconv_status upconv_lookup_i8(struct upconv_layer *layer,
                               struct upconv_shape shape,
                               const int8_t *table,
                               char *why);

/**
 * Plans a layer that applies sigmoid or tanh to every int16 value, LiteRT's bytes; the input's zero point is 0, the output's scale 2^-15 and zero point 0.
 *
 * `gate` is filled and has to live as long as the layer. Errors: SCALE for a scale that is not valid, RANGE for one of 5.33 and more or another function.
 */
upconv_status upconv_gate_i16(struct upconv_layer *layer,
                              struct upconv_gate *gate,
                              struct upconv_shape shape,
                              upconv_function function,
                              float x_scale,
                              char *why);

/**
 * Plans a join that adds two int8 tensors, LiteRT's ADD bit for bit; it runs in a decoder.
 *
 * Errors: RANGE when the shapes do not fit each other, SCALE and RANGE for scales and zero points that are not valid.
 */
upconv_status upconv_add_i8(struct upconv_layer *layer,
                            const struct upconv_add *sum,
                            char *why);

/**
 * `upconv_add_i8` for int16.
 */
upconv_status upconv_add_i16(struct upconv_layer *layer, const struct upconv_add *sum, char *why);

/**
 * Plans a join of 2 to UPCONV_MAX_JOINED int8 tensors along the channels, TFLite's CONCATENATION of axis 3; it runs in a decoder.
 *
 * Errors: RANGE when heights or widths differ, SCALE and RANGE for scales and zero points that are not valid.
 */
upconv_status upconv_concat_i8(struct upconv_layer *layer,
                               const struct upconv_part *parts,
                               size_t count,
                               struct upconv_quant y,
                               upconv_rounding rounding,
                               char *why);

/**
 * `upconv_concat_i8` for int16.
 */
upconv_status upconv_concat_i16(struct upconv_layer *layer,
                                const struct upconv_part *parts,
                                size_t count,
                                struct upconv_quant y,
                                upconv_rounding rounding,
                                char *why);

/**
 * Runs an int8 layer of one input on a whole tensor; `x` and `y` have as many values as its shapes and do not overlap.
 *
 * Joins run in a decoder. Errors: OBJECT, LENGTH, OVERLAP, UNSUPPORTED for a join. A row takes some 3 KB of stack.
 */
upconv_status upconv_run_i8(const struct upconv_layer *layer,
                            const int8_t *x,
                            size_t x_len,
                            int8_t *y,
                            size_t y_len,
                            char *why);

/**
 * `upconv_run_i8` for int16.
 */
upconv_status upconv_run_i16(const struct upconv_layer *layer,
                             const int16_t *x,
                             size_t x_len,
                             int16_t *y,
                             size_t y_len,
                             char *why);

/**
 * The output's shape of a planned int8 or int16 layer or join.
 */
upconv_status upconv_output(const struct upconv_layer *layer, struct upconv_shape *output, char *why);

/**
 * The multipliers of a layer: sx * sw[i] / sy for each of `count` weight scales, computed in double as TFLite does.
 *
 * A convolution takes one for each output channel, or one for all. Errors: SCALE for a scale that is not finite and above 0, or a ratio of 2^30 and more.
 */
upconv_status upconv_multipliers(float sx,
                                 const float *sw,
                                 float sy,
                                 struct upconv_multiplier *to,
                                 size_t count,
                                 char *why);

/**
 * The multiplier nearest to a real number: 31 bits of its mantissa, ties away from zero; below 2^-32 it is 0.
 *
 * Errors: SCALE when it is negative, not finite, or 2^30 and more.
 */
upconv_status upconv_multiplier_from_real(double real, struct upconv_multiplier *to, char *why);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* UPCONV_H */
