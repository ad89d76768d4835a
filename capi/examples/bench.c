/* What layers cost through the C interface: those of benches/lib.rs, with the same numbers from the same seeds, counted as the Rust bench counts. Prints
 * the name, the instructions of the run (of an emulator that takes 64 ns for each), those of a MAC, and a digest of the output. */
#include "upconv.h"
#include <stdio.h>
#include <stdlib.h>

typedef struct {
    const char *name;
    unsigned kind;
    upconv_shape input;
    upconv_geometry geometry;
    size_t channels;
} layer;

#define T UPCONV_CONV_TRANSPOSE
#define C UPCONV_CONV
static const layer LAYERS[] = {
    {"T1", T, {8, 8, 64}, {.kernel = {2, 2}, .stride = {2, 2}}, 32},
    {"T2", T, {16, 16, 32}, {.kernel = {2, 2}, .stride = {2, 2}}, 16},
    {"T3", T, {7, 7, 32}, {.kernel = {3, 3}, .stride = {2, 2}, .pad_before = {1, 1}, .pad_after = {1, 1}, .output_padding = {1, 1}}, 16},
    {"T4", T, {8, 8, 32}, {.kernel = {4, 4}, .stride = {2, 2}, .pad_before = {1, 1}, .pad_after = {1, 1}}, 16},
    {"T5", T, {16, 16, 16}, {.kernel = {4, 4}, .stride = {2, 2}, .pad_before = {1, 1}, .pad_after = {1, 1}}, 1},
    {"T6", T, {1, 64, 16}, {.kernel = {1, 16}, .stride = {1, 8}}, 1},
    {"T7", T, {16, 16, 16}, {.kernel = {3, 3}, .pad_before = {1, 1}, .pad_after = {1, 1}}, 16},
    {"T8", T, {32, 32, 8}, {.kernel = {2, 2}, .stride = {2, 2}}, 8},
    {"C1", C, {16, 16, 32}, {.kernel = {3, 3}, .pad_before = {1, 1}, .pad_after = {1, 1}}, 32},
    {"C2", C, {32, 32, 16}, {.kernel = {1, 1}}, 16},
    {"C3", C, {8, 8, 64}, {.kernel = {1, 1}}, 128},
};

enum { INPUT = 16384, WEIGHTS = 16384, OUTPUT = 32768, CHANNELS = 128 };
static int8_t x[INPUT], weights[WEIGHTS], packed[WEIGHTS], y[OUTPUT];
static int32_t bias[CHANNELS];
static upconv_multiplier multipliers[CHANNELS];
static char why[UPCONV_MESSAGE];

static void must(upconv_status status) {
    if (status) {
        printf("%s: %s\n", upconv_status_name(status), why);
        exit(1);
    }
}

/* SplitMix64. */
static uint64_t next(uint64_t *state) {
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static uint32_t below(uint64_t *state, uint32_t n) {
    return (uint32_t)((next(state) >> 32) * n >> 32);
}

static void fill(int8_t *values, size_t len, uint64_t seed, int min) {
    uint64_t bits = 0;
    for (size_t i = 0; i < len; i++) {
        bits = i % 4 ? bits >> 16 : next(&seed);
        int value = (int16_t)bits >> 8;
        values[i] = (int8_t)(value < min ? min : value);
    }
}

static double uniform(int n) {
    return n / 3.4641; /* the root of 12 */
}

static uint32_t ticks(void) {
    return -*(volatile uint32_t *)0xE000E018 & 0xFFFFFF; /* SysTick counts 25 MHz down */
}

static void measure(const layer *l) {
    upconv_conv conv = {
        .kind = l->kind, .channels = l->channels, .input = l->input, .geometry = l->geometry,
        .x = {1.0f, -5}, .y = {1.0f, 3}, .multipliers = multipliers, .multiplier_count = l->channels,
    };
    upconv_shape output;
    upconv_layer planned;
    size_t weight_len, root = 1;
    uint64_t macs, state = 43;
    must(upconv_conv_sizes(&conv, &output, &weight_len, &macs, why));
    size_t in = l->input.h * l->input.w * l->input.c, out = output.h * output.w * output.c;
    if (in > INPUT || weight_len > WEIGHTS || out > OUTPUT || l->channels > CHANNELS) exit(2);
    fill(weights, weight_len, 42, -127);
    fill(x, in, 41, -128);
    while ((root + 1) * (root + 1) <= macs / out) root++;
    double spread = 127.0 / 3.0 / (uniform(255) * (uniform(254) * (double)root));
    for (size_t i = 0; i < l->channels; i++) bias[i] = (int32_t)below(&state, 8192) - 4096;
    for (size_t i = 0; i < l->channels; i++)
        must(upconv_multiplier_from_real(spread * (0.5 + below(&state, 1024) / 1024.0), &multipliers[i], why));
    must(upconv_pack(&conv, UPCONV_ORDER_TORCH, weights, packed, weight_len, why));
    must(upconv_conv_i8(&planned, &conv, packed, weight_len, bias, l->channels, why));

    *(volatile uint32_t *)0xE000E018 = 0;
    uint32_t start = ticks();
    must(upconv_run_i8(&planned, x, in, y, out, why));
    uint32_t insns = (ticks() - start) * 5 / 8; /* 40 ns to 64 ns */

    uint32_t digest = 2166136261u;
    for (size_t i = 0; i < out; i++) digest = (digest ^ (uint32_t)y[i]) * 16777619u;
    printf("%s %lu %.2f %08lx\n", l->name, (unsigned long)insns, (double)insns / (double)macs, (unsigned long)digest);
}

int main(void) {
    *(volatile uint32_t *)0xE000E014 = 0xFFFFFF;
    *(volatile uint32_t *)0xE000E010 = 5;
    for (size_t i = 0; i < sizeof LAYERS / sizeof *LAYERS; i++) measure(&LAYERS[i]);
    return 0;
}
