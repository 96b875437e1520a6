/*
 * What legs send and how they judge what they get. STAMPED payloads (a relay passes them on as they are) carry time and
 * number. The others are synthetic speech in which every 10th frame has a mark, a tone in turn of two pitches: a transcoder
 * destroys every stamp, but what it makes of the marked frame must still have the tone in it.
 */
#include "load.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RATE = 48000, SAMPLES = RATE / 1000 * FRAME_MS, MARK_EVERY = 10, EAR_RATE = 8000, EAR_SAMPLES = EAR_RATE / 1000 * FRAME_MS };
enum { STAMP_LENGTH = 80, STAMP_AT = 4, SILK_NARROWBAND_20_MS = 0x08 };
static const uint32_t magic = 0x53744d70;
static const double pitches[2] = {2600, 3200};
static const double mark_amplitude = 9000, heard_amplitude = 2200;
/** The tail of a marked frame is heard in the next one, too. */
static const uint64_t deaf_ns = 100000000ull;

static uint8_t *payloads[CODECS][FRAMES];
static int lengths[CODECS][FRAMES];
static uint8_t alaw_of[65536];
static int16_t pcm_of[256];

static void prepare_alaw(void) {
    for (int code = 0; code < 256; code++) {
        int bits = code ^ 0x55, exponent = bits >> 4 & 7, mantissa = bits & 15;
        int value = exponent ? ((mantissa << 4) + 0x108) << (exponent - 1) : (mantissa << 4) + 8;
        pcm_of[code] = bits & 0x80 ? value : -value;
    }
    for (int pcm = -32768; pcm < 32768; pcm++) {
        int sign = pcm >= 0 ? 0x80 : 0, size = pcm >= 0 ? pcm : -pcm - 1, exponent = 7;
        if (size > 32767) size = 32767;
        for (int bit = 0x4000; exponent > 0 && !(size & bit); bit >>= 1) exponent--;
        int mantissa = exponent ? size >> (exponent + 3) & 15 : size >> 4;
        alaw_of[pcm & 0xffff] = (sign | exponent << 4 | mantissa) ^ 0x55;
    }
}

/** Syllables of a buzz with three formants and pauses between words; nothing of it near the marks' pitches. */
static void speak(double *to, size_t count) {
    double phase = 0;
    for (size_t i = 0; i < count; i++) {
        double t = (double)i / RATE, syllable = t / 0.16, within = syllable - floor(syllable);
        int number = (int)syllable;
        double loudness = number % 7 == 6 ? 0 : sin(M_PI * within);
        double first = 300 + number * 137 % 500, second = 900 + number * 211 % 900, pitch = 110 + 25 * sin(t * 2.1) + number * 17 % 30;
        phase += 2 * M_PI * pitch / RATE;
        double sum = 0;
        for (int h = 1; h * pitch < 2100; h++) {
            double f = h * pitch, near_first = (f - first) / 90, near_second = (f - second) / 130;
            sum += (0.1 + 1 / (1 + near_first * near_first) + 0.6 / (1 + near_second * near_second)) * sin(h * phase);
        }
        to[i] = 1700 * loudness * sum + (rand() % 61 - 30);
    }
}

static bool is_marked(int frame) { return frame % MARK_EVERY == 0; }
static int pitch_of(int frame) { return frame / MARK_EVERY & 1; }

static void mark(double *sound) {
    for (int frame = 0; frame < FRAMES; frame += MARK_EVERY)
        for (int i = 0; i < SAMPLES; i++) {
            double fade = fmin(1, fmin(i, SAMPLES - i) / 48.0);
            sound[frame * SAMPLES + i] += fade * mark_amplitude * sin(2 * M_PI * pitches[pitch_of(frame)] * i / RATE);
        }
}

static void keep(enum codec codec, int frame, const uint8_t *payload, int length) {
    if (length <= 0 || !(payloads[codec][frame] = malloc(length))) fail("a codec");
    memcpy(payloads[codec][frame], payload, lengths[codec][frame] = length);
}

static void average(const int16_t *sound, int factor, int16_t *to) {
    for (int i = 0; i < SAMPLES / factor; i++) {
        int sum = 0;
        for (int k = 0; k < factor; k++) sum += sound[i * factor + k];
        to[i] = sum / factor;
    }
}

void prepare_audio(void) {
    prepare_alaw();
    size_t count = (size_t)FRAMES * SAMPLES;
    double *sound = malloc(count * sizeof *sound);
    if (!sound) fail("memory");
    srand(1);
    speak(sound, count);
    mark(sound);
    int error;
    OpusEncoder *opus = opus_encoder_create(RATE, 1, OPUS_APPLICATION_VOIP, &error);
    opus_encoder_ctl(opus, OPUS_SET_BITRATE(24000));
    opus_encoder_ctl(opus, OPUS_SET_INBAND_FEC(1));
    g722_t *g722 = g722_new();
    for (int frame = 0; frame < FRAMES; frame++) {
        int16_t full[SAMPLES], less[SAMPLES];
        uint8_t bytes[MAX_PAYLOAD];
        for (int i = 0; i < SAMPLES; i++) full[i] = fmax(-32000, fmin(32000, sound[frame * SAMPLES + i]));
        keep(OPUS, frame, bytes, opus_encode(opus, full, SAMPLES, bytes, sizeof bytes));
        average(full, 6, less);
        keep(G722, frame, bytes, g722_encode(g722, less, EAR_SAMPLES, bytes));
        for (int i = 0; i < EAR_SAMPLES; i++) bytes[i] = alaw_of[(uint16_t)less[i]];
        keep(PCMA, frame, bytes, EAR_SAMPLES);
        memset(bytes, 0x5a, STAMP_LENGTH);
        bytes[0] = SILK_NARROWBAND_20_MS;
        keep(STAMPED, frame, bytes, STAMP_LENGTH);
    }
    opus_encoder_destroy(opus);
    free(g722);
    free(sound);
}

uint32_t ticks_of(enum codec codec) { return (codec == OPUS || codec == STAMPED ? 48 : 8) * FRAME_MS; }

int next_payload(leg_t *leg, uint8_t *to, uint64_t now_ns) {
    int frame = leg->frame, length = lengths[leg->codec][frame];
    leg->frame = (frame + 1) % FRAMES;
    memcpy(to, payloads[leg->codec][frame], length);
    if (leg->codec == STAMPED) {
        leg->counter++;
        memcpy(to + STAMP_AT, &magic, 4);
        memcpy(to + STAMP_AT + 4, &leg->counter, 4);
        memcpy(to + STAMP_AT + 8, &now_ns, 8);
    } else if (is_marked(frame)) {
        leg->marks.sent_ns[pitch_of(frame)] = now_ns;
        leg->marks.is_open[pitch_of(frame)] = true;
        if (leg->partner && is_in_window(now_ns)) direction_to(leg->partner->side)->marks_sent++;
    }
    return length;
}

static void hear_stamp(leg_t *leg, const uint8_t *payload, int length, uint64_t arrived_ns) {
    uint32_t word, counter;
    uint64_t sent_ns;
    direction_t *it = direction_to(leg->side);
    if (length == STAMP_LENGTH) memcpy(&word, payload + STAMP_AT, 4);
    if (length != STAMP_LENGTH || word != magic) {
        if (is_in_window(arrived_ns)) it->fillers++;
        return;
    }
    memcpy(&counter, payload + STAMP_AT + 4, 4);
    memcpy(&sent_ns, payload + STAMP_AT + 8, 8);
    bool is_new = !leg->has_counter || (int32_t)(counter - leg->last_counter) > 0;
    if (is_in_window(sent_ns)) {
        if (is_new) it->received++;
        else it->repeated++;
    }
    if (!is_new) return;
    leg->last_counter = counter;
    leg->has_counter = true;
    count_delay(leg, sent_ns, arrived_ns);
}

/** Amplitude of a pitch in one frame (Goertzel). */
static double amplitude(const int16_t *samples, int count, double pitch) {
    double k = 2 * cos(2 * M_PI * pitch / EAR_RATE), before = 0, last = 0;
    for (int i = 0; i < count; i++) {
        double next = samples[i] + k * last - before;
        before = last;
        last = next;
    }
    return 2 * sqrt(fmax(0, last * last + before * before - k * last * before)) / count;
}

static int decode(leg_t *leg, const uint8_t *payload, int length, int16_t *to) {
    if (leg->codec == OPUS) return opus_decode(leg->opus, payload, length, to, EAR_SAMPLES * 6, 0);
    if (length > EAR_SAMPLES * 6) return 0;
    if (leg->codec == G722) return g722_decode(leg->g722, payload, length, to);
    for (int i = 0; i < length; i++) to[i] = pcm_of[payload[i]];
    return length;
}

static void hear_audio(leg_t *leg, const uint8_t *payload, int length, uint64_t arrived_ns) {
    direction_t *it = direction_to(leg->side);
    if (is_in_window(arrived_ns)) it->received++;
    int16_t samples[EAR_SAMPLES * 6];
    int count = decode(leg, payload, length, samples);
    if (count <= 0 || !leg->partner || arrived_ns - leg->marked_ns < deaf_ns) return;
    double loudness[2] = {amplitude(samples, count, pitches[0]), amplitude(samples, count, pitches[1])};
    int which = loudness[1] > loudness[0];
    if (loudness[which] < heard_amplitude) return;
    marks_t *marks = &leg->partner->marks;
    if (!marks->is_open[which]) return;
    marks->is_open[which] = false;
    leg->marked_ns = arrived_ns;
    if (is_in_window(marks->sent_ns[which])) it->marks_heard++;
    count_delay(leg, marks->sent_ns[which], arrived_ns);
}

void hear(leg_t *leg, const uint8_t *payload, int length, uint64_t arrived_ns) {
    if (leg->codec == STAMPED) hear_stamp(leg, payload, length, arrived_ns);
    else hear_audio(leg, payload, length, arrived_ns);
}

void open_ears(leg_t *leg) {
    int error;
    if (leg->codec == OPUS && !(leg->opus = opus_decoder_create(EAR_RATE, 1, &error))) fail("opus");
    if (leg->codec == G722) leg->g722 = g722_new();
}

void close_ears(leg_t *leg) {
    if (leg->opus) opus_decoder_destroy(leg->opus);
    free(leg->g722);
}
