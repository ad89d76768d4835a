/* What `cargo xtask c model` makes of a trained model: decoders of one pushed input, and the test inputs. */
#ifndef MODEL_H
#define MODEL_H

#include "upconv.h"

/* A layer and how it is planned: one of these calls, with what lies in flash. */
enum step_kind { STEP_CONV_I8, STEP_CONV_I8_W16, STEP_CONV_I16, STEP_NEAREST, STEP_BILINEAR };

typedef struct {
    enum step_kind kind;
    const upconv_conv *conv; /* of a convolution, with its packed weights and biases */
    const void *weights;
    size_t weight_len;
    const void *bias;
    upconv_shape input; /* of a resize, and what it makes of it: factors, or the output's height and width */
    size_t to[2];
} step;

/* A chain of layers on one input. */
typedef struct {
    const char *name, *format;
    int wide; /* int16 activations */
    upconv_shape input;
    size_t count;
    const step *steps;
} network;

extern const network networks[];
extern const size_t network_count;

/* Test inputs, one after the other. */
extern const int8_t inputs_i8[];
extern const int16_t inputs_i16[];
extern const size_t input_count;

#endif
