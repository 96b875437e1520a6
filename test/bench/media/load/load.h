/* The load of bench:media: many RTP legs in one process, plain or ICE + DTLS-SRTP. See ../../README.md. */
#pragma once
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <opus/opus.h>
#include <srtp2/srtp.h>
#include <stdbool.h>
#include <stdint.h>

enum { MAX_LEGS = 8192, FRAMES = 500, FRAME_MS = 20, MAX_PAYLOAD = 1500 };
/** STAMPED frames say when they left; the others are audio that carries a mark now and then. */
enum codec { STAMPED, PCMA, G722, OPUS, CODECS };
/** Which end of a call a leg stands for. */
enum side { WHATSAPP, PBX, SIDES };

typedef struct {
    /** When the last mark of each pitch left this leg, ns of the wall clock; and whether the far end heard it. */
    uint64_t sent_ns[2];
    bool is_open[2];
} marks_t;

/** What arrived, for reports. */
typedef struct {
    uint32_t ssrc, base, highest, packets, told_expected, told_packets;
} heard_t;

typedef struct leg {
    bool is_used, is_sending, is_secure, is_server, is_controlling, is_nominated, is_up;
    int id, fd, slot;
    enum side side;
    enum codec codec;
    struct leg *partner, *next_in_slot;
    struct sockaddr_in remote;
    /* what is sent */
    uint8_t payload_type;
    uint16_t sequence;
    uint32_t timestamp, ssrc, counter;
    int frame;
    uint32_t frames_sent;
    marks_t marks;
    /* what arrives */
    uint32_t last_counter;
    bool has_sequence, has_counter, has_heard;
    uint16_t last_sequence;
    uint64_t marked_ns;
    heard_t heard;
    OpusDecoder *opus;
    struct g722 *g722;
    /** The least delay of the window; what a buffer has of itself. */
    uint32_t least_us;
    /* ICE and DTLS */
    char local_user[64], local_password[64], remote_user[64], remote_password[64];
    uint64_t checked_ns;
    SSL *ssl;
    BIO *in, *out;
    srtp_t protect, unprotect;
} leg_t;

/** How long a frame took to a leg. */
typedef struct {
    uint32_t us;
    const leg_t *to;
} delay_t;

typedef struct {
    uint64_t sent, received, marks_sent, marks_heard, fillers, repeated, missing, unauthentic, send_errors;
    delay_t *delay;
    size_t delays, room;
} direction_t;

extern leg_t legs[MAX_LEGS];
extern int legs_end;

uint64_t monotonic_ns(void);
uint64_t wall_ns(void);
void fail(const char *what) __attribute__((noreturn));

/* main.c */
/** Sends one frame at once, and one in each round of the wheel from now on. */
void start_sending(leg_t *leg);

/* audio.c */
void prepare_audio(void);
/** Payload of a leg's next frame; its length. */
int next_payload(leg_t *leg, uint8_t *to, uint64_t now_ns);
/** Judges a payload that arrived. */
void hear(leg_t *leg, const uint8_t *payload, int length, uint64_t arrived_ns);
void open_ears(leg_t *leg);
void close_ears(leg_t *leg);
uint32_t ticks_of(enum codec codec);

/* secure.c */
void prepare_security(void);
const char *fingerprint(void);
void on_stun(leg_t *leg, uint8_t *message, int length, const struct sockaddr_in *from);
void on_dtls(leg_t *leg, const uint8_t *record, int length);
/** Checks that are due, handshakes that wait for an answer. */
void nurse(leg_t *leg, uint64_t now_ns);
void end_security(leg_t *leg);

/* rtcp.c */
void note_for_report(leg_t *leg, const uint8_t *packet);
/** To be called with each frame that is sent. */
void report_if_due(leg_t *leg, uint64_t now_ns);

/* figures.c */
/** What the window counts for packets on their way to that side; a window is open between two times of the wall clock. */
direction_t *direction_to(enum side side);
bool is_in_window(uint64_t sent_ns);
void open_window(uint64_t from_ns, uint64_t length_ns);
void count_delay(leg_t *to, uint64_t sent_ns, uint64_t arrived_ns);
void count_lateness(uint64_t late_ns);
/** Prints what an ended window counted; true if one ended. */
bool report_window(uint64_t now_ns);

/* g722.c: samples at 8 kHz */
typedef struct g722 g722_t;
g722_t *g722_new(void);
int g722_encode(g722_t *state, const int16_t *samples, int count, uint8_t *to);
int g722_decode(g722_t *state, const uint8_t *bytes, int count, int16_t *to);
