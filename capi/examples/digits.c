/* Digits from codes of 16 numbers, each by every network of models/digits: planned at start-up from constants in flash, decoded row by row. The first
 * network's are drawn; of all the CRC-32 of the raw output is printed, which is that of the Rust firmware. */
#include "model.h"
#include <stdio.h>
#include <stdlib.h>

#define MOST_NODES UPCONV_MAX_NODES
#define MEMORY 4096 /* values */
#define ROW 28

static upconv_layer layers[MOST_NODES];
static upconv_node nodes[MOST_NODES];
static upconv_decoder decoder;
static upconv_bound bound;
static union { int8_t i8[MEMORY]; int16_t i16[MEMORY]; } memory;
static union { int8_t i8[ROW]; int16_t i16[ROW]; } row;
static char why[UPCONV_MESSAGE];

static void must(upconv_status status) {
    if (status) {
        printf("%s: %s\n", upconv_status_name(status), why);
        exit(1);
    }
}

static upconv_status plan_step(upconv_layer *layer, const network *n, const step *s) {
    size_t biases = s->conv ? s->conv->channels : 0;
    switch (s->kind) {
    case STEP_CONV_I8: return upconv_conv_i8(layer, s->conv, s->weights, s->weight_len, s->bias, biases, why);
    case STEP_CONV_I8_W16: return upconv_conv_i8_w16(layer, s->conv, s->weights, s->weight_len, s->bias, biases, why);
    case STEP_CONV_I16: return upconv_conv_i16(layer, s->conv, s->weights, s->weight_len, s->bias, biases, why);
    case STEP_NEAREST: return (n->wide ? upconv_nearest_i16 : upconv_nearest_i8)(layer, s->input, s->to[0], s->to[1], why);
    case STEP_BILINEAR:
        return (n->wide ? upconv_bilinear_i16 : upconv_bilinear_i8)(layer, s->input, s->to[0], s->to[1], UPCONV_COORDINATES_HALF_PIXEL,
                                                                    UPCONV_NUMERICS_TFLITE_DOUBLE, why);
    }
    return UPCONV_STATUS_OTHER;
}

/* Node 0 is the input, node i + 1 reads node i. */
static void plan(const network *n) {
    nodes[0] = (upconv_node){.kind = UPCONV_KIND_ROWS, .shape = n->input};
    for (size_t i = 0; i < n->count; i++) {
        must(plan_step(&layers[i], n, &n->steps[i]));
        nodes[i + 1] = (upconv_node){.kind = UPCONV_KIND_LAYER, .layer = &layers[i], .from = {i}};
    }
    must((n->wide ? upconv_decoder_i16 : upconv_decoder_i8)(&decoder, nodes, n->count + 1, why));
}

static uint32_t crc32(uint32_t crc, const void *bytes, size_t len) {
    for (const uint8_t *p = bytes; len--; p++) {
        crc ^= *p;
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (0xEDB88320u & -(crc & 1));
    }
    return crc;
}

static uint32_t decode(const network *n, size_t sample, int draw) {
    const size_t len = n->input.h * n->input.w * n->input.c;
    size_t need;
    upconv_shape output;
    uint32_t crc = ~0u;
    upconv_status status;
    must(upconv_decoder_need(&decoder, &need, &output, why));
    if (need > MEMORY || output.w * output.c > ROW) exit(2);
    if (n->wide) {
        const upconv_input_i16 pushed = {0};
        const int16_t *x = inputs_i16 + sample * len, *y;
        size_t left = len;
        must(upconv_bind_i16(&bound, &decoder, &pushed, 1, memory.i16, need, row.i16, output.w * output.c, why));
        while (!(status = upconv_push_i16(&bound, &x, &left, &y, why))) crc = crc32(crc, y, 2 * output.w * output.c);
    } else {
        const upconv_input_i8 pushed = {0};
        const int8_t *x = inputs_i8 + sample * len, *y;
        size_t left = len;
        must(upconv_bind_i8(&bound, &decoder, &pushed, 1, memory.i8, need, row.i8, output.w * output.c, why));
        while (!(status = upconv_push_i8(&bound, &x, &left, &y, why))) {
            crc = crc32(crc, y, output.w * output.c);
            for (size_t i = 0; draw && i < output.w; i++) putchar(" .:-=+*#%@"[(y[i] + 128) * 10 / 256]);
            if (draw) putchar('\n');
        }
    }
    if (status != UPCONV_STATUS_NO_ROW) must(status);
    must(upconv_complete(&bound, why)); /* an input that is too short would end here */
    return ~crc;
}

int main(void) {
    for (size_t i = 0; i < network_count; i++) {
        const network *n = &networks[i];
        plan(n);
        for (size_t sample = 0; sample < input_count; sample++)
            printf("%s %s %u %08lx\n", n->name, n->format, (unsigned)sample, (unsigned long)decode(n, sample, i == 0 && sample < 3));
    }
    return 0;
}
