/*
 * Reports of WhatsApp's side (RFC 3550 6.4.1): what it sends, and how much was lost on the way to it. Encoders go by that. Octets are
 * as many as they are more or less, and LSR is 0: nobody here measures round trips.
 */
#include "load.h"
#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

enum { FIRST_AT = 50, EVERY = 250, SR = 200, SDES = 202 };
static const uint64_t ntp_epoch = 2208988800ull;

void note_for_report(leg_t *leg, const uint8_t *packet) {
    heard_t *it = &leg->heard;
    uint16_t sequence = packet[2] << 8 | packet[3];
    memcpy(&it->ssrc, packet + 8, 4);
    if (it->packets++ == 0) it->base = it->highest = sequence;
    else if ((int16_t)(sequence - (uint16_t)it->highest) > 0) it->highest += (uint16_t)(sequence - (uint16_t)it->highest);
}

static uint8_t *put32(uint8_t *to, uint32_t value) {
    value = htonl(value);
    memcpy(to, &value, 4);
    return to + 4;
}

/** Lost since the last report, in 256ths, and in all. */
static uint32_t loss_word(heard_t *it) {
    uint32_t expected = it->highest - it->base + 1, since = expected - it->told_expected, got = it->packets - it->told_packets;
    uint32_t fraction = since > got ? ((since - got) << 8) / since : 0, lost = expected > it->packets ? expected - it->packets : 0;
    it->told_expected = expected;
    it->told_packets = it->packets;
    return (fraction > 255 ? 255 : fraction) << 24 | (lost & 0xffffff);
}

void report_if_due(leg_t *leg, uint64_t now_ns) {
    if (++leg->frames_sent < FIRST_AT || (leg->frames_sent - FIRST_AT) % EVERY != 0 || !leg->protect || !leg->heard.packets) return;
    uint8_t packet[256], *at = packet;
    at = put32(at, 2u << 30 | 1 << 24 | SR << 16 | 12);
    at = put32(at, leg->ssrc);
    at = put32(at, now_ns / 1000000000ull + ntp_epoch);
    at = put32(at, (now_ns % 1000000000ull << 32) / 1000000000ull);
    at = put32(at, leg->timestamp - ticks_of(leg->codec));
    at = put32(at, leg->frames_sent);
    at = put32(at, leg->frames_sent * 60);
    at = put32(at, ntohl(leg->heard.ssrc));
    at = put32(at, loss_word(&leg->heard));
    at = put32(at, leg->heard.highest);
    at = put32(put32(put32(at, 0), 0), 0);
    at = put32(at, 2u << 30 | 1 << 24 | SDES << 16 | 3);
    at = put32(at, leg->ssrc);
    memcpy(at, "\1\5bench\0", 8);
    int length = at + 8 - packet;
    if (srtp_protect_rtcp(leg->protect, packet, &length)) fail("srtp_protect_rtcp");
    sendto(leg->fd, packet, length, 0, (void *)&leg->remote, sizeof leg->remote);
}
