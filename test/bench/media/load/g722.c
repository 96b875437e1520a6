/*
 * The lower sub-band of ITU-T G.722 at 64 kbit/s, 0 to 4 kHz, where all is that the load says and listens for: one octet a
 * sample at 8 kHz. The higher band is sent silent and not listened to, so no filter bank is needed.
 */
#include "load.h"
#include <stdlib.h>

enum { ZEROS = 6, MOST_LOG_SCALE = 18432, INTERVALS = 29, HIGHER_SILENT = 3 << 6 };

struct g722 {
    int scale, predicted, log_scale, zero_prediction, pole[2], sample[2], partial[2], zero[ZEROS], difference[ZEROS];
};

static const int decisions[INTERVALS + 1] = {0,   35,  72,  110,  150,  190,  233,  276,  323,  370,  422,  473,  530,  587,  650,
                                             714, 786, 858, 940, 1023, 1121, 1219, 1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919};
/* By the code without its two lowest bits. */
static const int levels4[16] = {0,     -20456, -12896, -8968, -6288, -4240, -2584, -1200,
                                20456, 12896,  8968,   6288,  4240,  2584,  1200,  0};
static const int steps[16] = {-60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60};
/* Magnitudes by code from 4 for negative differences, from 32 for positive ones. */
static const int levels6[30] = {24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192, 10232, 9360, 8576, 7856, 7192, 6576, 6000,
                                5456,  4944,  4464,  4008,  3576,  3168,  2776,  2400,  2032,  1688, 1360, 1040, 728,  432,  136};
/* Fractional powers of two. */
static const int scales[32] = {2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834,
                               2896, 2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008};

g722_t *g722_new(void) {
    g722_t *state = calloc(1, sizeof *state);
    if (!state) fail("memory");
    state->scale = 32;
    return state;
}

static int saturate(int value) { return value > 32767 ? 32767 : value < -32768 ? -32768 : value; }
static int bound(int value, int most) { return value > most ? most : value < -most ? -most : value; }
static bool same_sign(int a, int b) { return (a < 0) == (b < 0); }

static void adapt_scale(g722_t *it, int step) {
    it->log_scale = (it->log_scale * 127 >> 7) + step;
    if (it->log_scale < 0) it->log_scale = 0;
    if (it->log_scale > MOST_LOG_SCALE) it->log_scale = MOST_LOG_SCALE;
    int shift = 8 - (it->log_scale >> 11), fraction = scales[it->log_scale >> 6 & 31];
    it->scale = (shift < 0 ? fraction << -shift : fraction >> shift) << 2;
}

static void predict(g722_t *it, int difference) {
    int sample = saturate(it->predicted + difference), partial = saturate(it->zero_prediction + difference);
    bool is_same = same_sign(partial, it->partial[0]);
    int turned = saturate(it->pole[0] * 4), wanted = is_same ? -turned : turned;
    if (wanted > 32767) wanted = 32767;
    int second = (same_sign(partial, it->partial[1]) ? 128 : -128) + (wanted >> 7) + (it->pole[1] * 32512 >> 15);
    it->pole[1] = bound(second, 12288);
    it->pole[0] = bound(saturate((is_same ? 192 : -192) + (it->pole[0] * 32640 >> 15)), 15360 - it->pole[1]);
    it->zero_prediction = 0;
    for (int i = ZEROS - 1; i >= 0; i--) {
        int turn = difference == 0 ? 0 : same_sign(difference, it->difference[i]) ? 128 : -128;
        it->zero[i] = saturate(turn + (it->zero[i] * 32640 >> 15));
        it->difference[i] = i ? it->difference[i - 1] : difference;
    }
    for (int i = 0; i < ZEROS; i++) it->zero_prediction += it->zero[i] * saturate(2 * it->difference[i]) >> 15;
    it->zero_prediction = saturate(it->zero_prediction);
    it->partial[1] = it->partial[0];
    it->partial[0] = partial;
    it->sample[1] = it->sample[0];
    it->sample[0] = sample;
    int poles = (it->pole[0] * saturate(2 * it->sample[0]) >> 15) + (it->pole[1] * saturate(2 * it->sample[1]) >> 15);
    it->predicted = saturate(saturate(poles) + it->zero_prediction);
}

static void follow(g722_t *it, int code) {
    int difference = it->scale * levels4[code >> 2] >> 15;
    adapt_scale(it, steps[code >> 2]);
    predict(it, difference);
}

int g722_encode(g722_t *it, const int16_t *samples, int count, uint8_t *to) {
    for (int i = 0; i < count; i++) {
        /* the filter bank hands on half the amplitude */
        int difference = saturate(samples[i] / 2 - it->predicted), size = difference >= 0 ? difference : -(difference + 1);
        int interval = 1;
        while (interval <= INTERVALS && size >= decisions[interval] * it->scale >> 12) interval++;
        int code = difference >= 0 ? 62 - interval : interval <= 2 ? 64 - interval : 34 - interval;
        follow(it, code);
        to[i] = HIGHER_SILENT | code;
    }
    return count;
}

int g722_decode(g722_t *it, const uint8_t *octets, int count, int16_t *to) {
    for (int i = 0; i < count; i++) {
        int code = octets[i] & 63;
        int level = code < 4 ? -136 : code < 32 ? -levels6[code - 4] : code < 62 ? levels6[code - 32] : code == 62 ? -432 : -136;
        to[i] = saturate(2 * (it->predicted + (it->scale * level >> 15)));
        follow(it, code);
    }
    return count;
}
