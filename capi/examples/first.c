#include "upconv.h"
#include <stdio.h>

/* 2x2x1 -> 4x4x1 by a 2x2 kernel of stride 2. */
static const int8_t weights[4] = {1, 2, 3, 4}; /* [C_in][C_out][kh][kw], as PyTorch has them */
static const int32_t bias[1] = {0};
static const float weight_scale[1] = {1.0f};

int main(void) {
    char why[UPCONV_MESSAGE];
    upconv_multiplier multiplier;
    upconv_layer up; /* the caller's memory; nothing is allocated */
    int8_t packed[4], x[4] = {1, 2, -3, 4}, y[16];
    upconv_conv conv = {
        .kind = UPCONV_CONV_TRANSPOSE, .input = {2, 2, 1}, .channels = 1,
        .geometry = {.kernel = {2, 2}, .stride = {2, 2}},
        .x = {0.5f, 0}, .y = {0.5f, 0}, .multipliers = &multiplier, .multiplier_count = 1,
        .activation = UPCONV_ACTIVATION_RELU,
    };
    if (upconv_multipliers(0.5f, weight_scale, 0.5f, &multiplier, 1, why) || upconv_pack(&conv, UPCONV_ORDER_TORCH, weights, packed, 4, why) ||
        upconv_conv_i8(&up, &conv, packed, 4, bias, 1, why) || upconv_run_i8(&up, x, 4, y, 16, why)) {
        puts(why); /* what is wrong, what it is and what it may be */
        return 1;
    }
    for (int i = 0; i < 16; i++) printf("%d ", y[i]); /* 1 2 2 4 3 4 6 8 0 0 4 8 0 0 12 16 */
    return 0;
}
