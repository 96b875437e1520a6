/* Counts of one window. A packet belongs to the window in which it was sent, however late it arrives. */
#include "load.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** What arrives later than this after the window is lost. */
static const uint64_t patience_ns = 500000000ull;
enum { LATE_BINS = 20000 };

static direction_t directions[SIDES];
static uint64_t from_ns, to_ns;
static bool is_open;
/** How late packets were sent, in bins of 10 us. */
static uint64_t late[LATE_BINS + 1], latest_ns, sends;

direction_t *direction_to(enum side side) { return &directions[side]; }

bool is_in_window(uint64_t sent_ns) { return is_open && sent_ns >= from_ns && sent_ns < to_ns; }

void open_window(uint64_t start_ns, uint64_t length_ns) {
    for (int side = 0; side < SIDES; side++) {
        direction_t *it = &directions[side];
        delay_t *delay = it->delay;
        size_t room = it->room;
        *it = (direction_t){.delay = delay, .room = room};
    }
    for (int i = 0; i < legs_end; i++) legs[i].has_heard = false;
    memset(late, 0, sizeof late);
    latest_ns = sends = 0;
    from_ns = start_ns;
    to_ns = start_ns + length_ns;
    is_open = true;
}

void count_delay(leg_t *to, uint64_t sent_ns, uint64_t arrived_ns) {
    if (!is_in_window(sent_ns)) return;
    uint32_t us = arrived_ns > sent_ns ? (arrived_ns - sent_ns) / 1000 : 0;
    if (!to->has_heard || us < to->least_us) to->least_us = us;
    to->has_heard = true;
    direction_t *it = direction_to(to->side);
    if (it->delays == it->room) {
        it->room = it->room ? it->room * 2 : 1 << 16;
        it->delay = realloc(it->delay, it->room * sizeof *it->delay);
        if (!it->delay) fail("memory");
    }
    it->delay[it->delays++] = (delay_t){us, to};
}

void count_lateness(uint64_t late_ns) {
    if (!is_open) return;
    uint64_t bin = late_ns / 10000;
    late[bin < LATE_BINS ? bin : LATE_BINS]++;
    sends++;
    if (late_ns > latest_ns) latest_ns = late_ns;
}

static uint32_t late_us(double share) {
    uint64_t below = 0;
    for (int bin = 0; bin <= LATE_BINS; bin++)
        if ((below += late[bin]) >= sends * share) return (bin + 1) * 10;
    return 0;
}

static int by_size(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static uint32_t at(const uint32_t *sorted, size_t count, double share) {
    if (!count) return 0;
    size_t index = count * share;
    return sorted[index < count ? index : count - 1];
}

/** What a codec or a buffer delays all frames of a leg by is no added delay; a stamped frame should not be delayed at all. */
static uint32_t added_us(const delay_t *delay) {
    if (delay->to->codec == STAMPED) return delay->us;
    return delay->us > delay->to->least_us ? delay->us - delay->to->least_us : 0;
}

static void print_direction(const char *name, enum side side) {
    const direction_t *it = &directions[side];
    size_t n = it->delays;
    uint32_t *added = malloc(sizeof *added * (n + 1)), *least = malloc(sizeof *least * MAX_LEGS);
    if (!added || !least) fail("memory");
    for (size_t i = 0; i < n; i++) added[i] = added_us(&it->delay[i]);
    qsort(added, n, sizeof *added, by_size);
    int count = 0, mute = 0;
    for (int i = 0; i < legs_end; i++)
        if (legs[i].is_used && legs[i].side == side) {
            if (legs[i].has_heard) least[count++] = legs[i].least_us;
            else mute++;
        }
    qsort(least, count, sizeof *least, by_size);
    printf("\"%s\":{\"sent\":%lu,\"received\":%lu,\"marksSent\":%lu,\"marksHeard\":%lu,\"fillers\":%lu,\"repeated\":%lu,"
           "\"missing\":%lu,\"unauthentic\":%lu,\"sendErrors\":%lu,\"muteLegs\":%d,\"leastUs\":%u,"
           "\"delays\":%zu,\"p50Us\":%u,\"p99Us\":%u,\"maxUs\":%u}",
           name, it->sent, it->received, it->marks_sent, it->marks_heard, it->fillers, it->repeated, it->missing,
           it->unauthentic, it->send_errors, mute, at(least, count, 0.5), n, at(added, n, 0.5), at(added, n, 0.99),
           n ? added[n - 1] : 0);
    free(added);
    free(least);
}

bool report_window(uint64_t now_ns) {
    if (!is_open || now_ns < to_ns + patience_ns) return false;
    is_open = false;
    printf("window {\"ms\":%lu,\"lateP99Us\":%u,\"lateMaxUs\":%lu,", (to_ns - from_ns) / 1000000, late_us(0.99), latest_ns / 1000);
    print_direction("toWhatsApp", WHATSAPP);
    printf(",");
    print_direction("toPbx", PBX);
    printf("}\n");
    fflush(stdout);
    return true;
}
