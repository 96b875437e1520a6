/* media-peer: one audio leg as Meta's relay has it (ICE-lite, DTLS-SRTP by OpenSSL and libsrtp, Opus), or plain RTP.
 *
 *   cc -O2 -Wall -o media-peer media-peer.c -lsrtp2 -lssl -lcrypto -lopus
 *   media-peer ADDRESS PORT ROLE UFRAG PWD PLAY.wav RECORD.wav PT
 *
 *   PORT        0 picks one. ROLE: server | client (of DTLS) | plain (no ICE, no DTLS).
 *   UFRAG PWD   ICE credentials of this side; as an ICE-lite agent (RFC 8445 section 2.5) it only answers checks, never sends one.
 *   PLAY.wav    16 bit, mono, 48 kHz, looped. RECORD.wav is written on quit: what was heard, decoded, lost packets concealed.
 *   PT          payload type of Opus.
 *
 * stdin, one command a line:  remote IP PORT (plain) | mark (the call is answered) | play | pause | stat | quit
 *                             digits DIGITS MS (telephone-events, each so long, audio in the pauses; needs play)
 * stdout, one JSON object a line: ready, ice, dtls, rtp, digit (one that came, at its end), stat. Counters are of the whole life; rtpBeforeMark is what came too early.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <openssl/ec.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <opus/opus.h>
#include <poll.h>
#include <srtp2/srtp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define RATE 48000
#define FRAME 960 /* 20 ms */
#define MAX_SECONDS 120
#define EVENT_PT 126 /* telephone-event/8000 */
#define EVENT_TICKS 160 /* of its clock, a frame */
#define PAUSE_FRAMES 5
#define MAX_SSRCS 8
#define STUN_COOKIE 0x2112a442u

enum role { SERVER, CLIENT, PLAIN };

static enum role role;
static const char *ufrag, *pwd;
static int sock, opus_pt;
static struct sockaddr_in remote;
static int remote_known, ice_up, dtls_up, playing, marked;
static SSL_CTX *ctx;
static SSL *ssl;
static BIO *from_peer, *to_peer;
static srtp_t protect, unprotect;

static OpusEncoder *encoder;
static OpusDecoder *decoder;
static int16_t *clip;
static size_t clip_length, clip_at;
static int16_t recorded[RATE * MAX_SECONDS];
static size_t recorded_length;

static uint16_t tx_seq;
static uint32_t tx_ts, tx_ssrc;

static struct {
    unsigned long checks, bad_checks, controlled_checks, sent, received, before_mark, bad_auth, rtcp, other_payload, lost,
        seq_jumps, ts_jumps, events;
    uint32_t ssrcs[MAX_SSRCS];
    int ssrc_count;
    double max_gap_ms, first_after_mark_ms;
} stats = {.first_after_mark_ms = -1};
static double last_rx_ms = -1, marked_ms;
static int have_rx;
static uint16_t rx_seq;
static uint32_t rx_ts;

static const char keys[] = "0123456789*#ABCD";
static struct {
    char queue[65];
    int length; /* of each press, frames */
    int frames; /* of the running one; 0: none runs */
    int pause;
    uint32_t ts;
} press;
static uint32_t heard_event_ts; /* of the last press that was told */
static int event_between; /* a press came since the last audio packet */

static double now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void put16(uint8_t *p, unsigned v) {
    p[0] = v >> 8;
    p[1] = v;
}

static void put32(uint8_t *p, uint32_t v) {
    put16(p, v >> 16);
    put16(p + 2, v & 0xffff);
}

static unsigned get16(const uint8_t *p) {
    return p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p) {
    return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static void send_raw(const uint8_t *data, size_t length, const struct sockaddr_in *to) {
    if (sendto(sock, data, length, 0, (const void *)to, sizeof *to) < 0)
        perror("sendto");
}

/* ---- STUN, RFC 8489: only what a lite agent needs ---- */

static uint32_t crc32_of(const uint8_t *p, size_t n) {
    uint32_t c = ~0u;
    while (n--) {
        c ^= *p++;
        for (int k = 0; k < 8; k++)
            c = c >> 1 ^ (0xedb88320u & -(c & 1));
    }
    return ~c;
}

/* Offset of an attribute, 0 when it is not there. */
static int stun_attribute(const uint8_t *m, int n, unsigned type) {
    for (int o = 20; o + 4 <= n; o += 4 + (get16(m + o + 2) + 3) / 4 * 4)
        if (get16(m + o) == type)
            return o;
    return 0;
}

/* USERNAME names us first and MESSAGE-INTEGRITY is made with our password (RFC 8445 section 7.3). */
static int stun_is_ours(const uint8_t *m, int n) {
    int user = stun_attribute(m, n, 0x0006), mac = stun_attribute(m, n, 0x0008);
    size_t length = strlen(ufrag);
    if (!user || !mac || mac > 512 || user + 4 + (int)length + 1 > n || mac + 24 > n)
        return 0;
    if (memcmp(m + user + 4, ufrag, length) || m[user + 4 + length] != ':')
        return 0;
    uint8_t copy[512], digest[20];
    unsigned digest_length = sizeof digest;
    memcpy(copy, m, mac);
    put16(copy + 2, mac - 20 + 24);
    HMAC(EVP_sha1(), pwd, strlen(pwd), copy, mac, digest, &digest_length);
    return !memcmp(digest, m + mac + 4, sizeof digest);
}

static void stun_answer(const uint8_t *request, const struct sockaddr_in *from) {
    uint8_t r[128] = {0};
    unsigned digest_length = 20;
    int n = 20;
    put16(r, 0x0101);
    memcpy(r + 4, request + 4, 16);
    put16(r + n, 0x0020); /* XOR-MAPPED-ADDRESS */
    put16(r + n + 2, 8);
    r[n + 5] = 1;
    put16(r + n + 6, ntohs(from->sin_port) ^ (STUN_COOKIE >> 16));
    put32(r + n + 8, ntohl(from->sin_addr.s_addr) ^ STUN_COOKIE);
    n += 12;
    put16(r + 2, n - 20 + 24);
    put16(r + n, 0x0008);
    put16(r + n + 2, 20);
    HMAC(EVP_sha1(), pwd, strlen(pwd), r, n, r + n + 4, &digest_length);
    n += 24;
    put16(r + 2, n - 20 + 8);
    put16(r + n, 0x8028);
    put16(r + n + 2, 4);
    put32(r + n + 4, crc32_of(r, n) ^ 0x5354554e);
    send_raw(r, n + 8, from);
}

static void dtls_start(void);

static void on_stun(const uint8_t *m, int n, const struct sockaddr_in *from) {
    if (n < 20 || get16(m) != 0x0001 || get32(m + 4) != STUN_COOKIE)
        return;
    stats.checks++;
    if (!stun_is_ours(m, n)) {
        stats.bad_checks++;
        return;
    }
    if (stun_attribute(m, n, 0x8029)) /* ICE-CONTROLLED: a full agent towards a lite one must control */
        stats.controlled_checks++;
    stun_answer(m, from);
    if (!stun_attribute(m, n, 0x0025)) /* USE-CANDIDATE */
        return;
    remote = *from;
    remote_known = 1;
    if (ice_up)
        return;
    ice_up = 1;
    printf("{\"event\":\"ice\",\"remote\":\"%s:%d\"}\n", inet_ntoa(from->sin_addr), ntohs(from->sin_port));
    if (role == CLIENT)
        dtls_start();
}

/* ---- DTLS-SRTP, RFC 5764 ---- */

static void print_fingerprint(X509 *certificate) {
    uint8_t digest[32];
    unsigned n = sizeof digest;
    X509_digest(certificate, EVP_sha256(), digest, &n);
    printf("\"fingerprint\":\"sha-256 ");
    for (unsigned i = 0; i < n; i++)
        printf("%s%02X", i ? ":" : "", digest[i]);
    printf("\"");
}

static int any_certificate(int ok, X509_STORE_CTX *store) {
    (void)ok; /* the fingerprint is printed, and compared with the SDP by whoever drives this */
    (void)store;
    return 1;
}

static X509 *tls_init(void) {
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -86400);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86400 * 30);
    X509_set_pubkey(certificate, key);
    X509_sign(certificate, key, EVP_sha256());
    ctx = SSL_CTX_new(DTLS_method());
    SSL_CTX_use_certificate(ctx, certificate);
    SSL_CTX_use_PrivateKey(ctx, key);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, any_certificate);
    SSL_CTX_set_tlsext_use_srtp(ctx, "SRTP_AES128_CM_SHA1_80");
    return certificate;
}

static srtp_t srtp_session(const uint8_t *key, int outbound) {
    srtp_policy_t policy = {0};
    srtp_t session;
    srtp_crypto_policy_set_rtp_default(&policy.rtp);
    srtp_crypto_policy_set_rtcp_default(&policy.rtcp);
    policy.ssrc.type = outbound ? ssrc_any_outbound : ssrc_any_inbound;
    policy.key = (uint8_t *)key;
    policy.window_size = 1024;
    if (srtp_create(&session, &policy))
        die("srtp_create");
    return session;
}

/* Sends what OpenSSL has written, one DTLS record a datagram. */
static void dtls_flush(void) {
    uint8_t b[8192];
    int n;
    while ((n = BIO_read(to_peer, b, sizeof b)) > 0)
        for (int o = 0; o + 13 <= n;) {
            int record = 13 + get16(b + o + 11);
            if (o + record > n)
                record = n - o;
            send_raw(b + o, record, &remote);
            o += record;
        }
}

static void dtls_step(void) {
    int done = !dtls_up && SSL_do_handshake(ssl) == 1;
    dtls_flush();
    if (!done)
        return;
    uint8_t k[60], client[30], server[30];
    SSL_export_keying_material(ssl, k, sizeof k, "EXTRACTOR-dtls_srtp", 19, NULL, 0, 0);
    memcpy(client, k, 16);
    memcpy(client + 16, k + 32, 14);
    memcpy(server, k + 16, 16);
    memcpy(server + 16, k + 46, 14);
    protect = srtp_session(role == SERVER ? server : client, 1);
    unprotect = srtp_session(role == SERVER ? client : server, 0);
    dtls_up = 1;
    printf("{\"event\":\"dtls\",\"version\":\"%s\",\"key\":\"%s\",", SSL_get_version(ssl),
           OBJ_nid2sn(EVP_PKEY_get_base_id(X509_get0_pubkey(SSL_get0_peer_certificate(ssl)))));
    print_fingerprint(SSL_get0_peer_certificate(ssl));
    printf("}\n");
}

static void dtls_start(void) {
    ssl = SSL_new(ctx);
    from_peer = BIO_new(BIO_s_mem());
    to_peer = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(from_peer, -1);
    SSL_set_bio(ssl, from_peer, to_peer);
    SSL_set_options(ssl, SSL_OP_NO_QUERY_MTU);
    SSL_set_mtu(ssl, 1200);
    if (role == SERVER)
        SSL_set_accept_state(ssl);
    else
        SSL_set_connect_state(ssl);
    dtls_step();
}

static void on_dtls(const uint8_t *m, int n) {
    if (role == PLAIN || !ice_up)
        return;
    if (!ssl)
        dtls_start();
    BIO_write(from_peer, m, n);
    dtls_step();
}

/* ---- RTP ---- */

static void record(const int16_t *samples, int n) {
    if (recorded_length + n > sizeof recorded / sizeof *recorded)
        return;
    memcpy(recorded + recorded_length, samples, n * sizeof *samples);
    recorded_length += n;
}

static void note_ssrc(uint32_t ssrc) {
    for (int i = 0; i < stats.ssrc_count; i++)
        if (stats.ssrcs[i] == ssrc)
            return;
    if (stats.ssrc_count < MAX_SSRCS)
        stats.ssrcs[stats.ssrc_count++] = ssrc;
}

/* One SSRC, sequence up by one and time by one frame a packet is what Meta asks for; everything else is counted. */
static int note_order(uint16_t seq, uint32_t ts, uint32_t ssrc) {
    int step = have_rx ? (int16_t)(seq - rx_seq) : 1;
    note_ssrc(ssrc);
    if (have_rx) {
        if (step != 1)
            stats.seq_jumps++;
        /* during a press time goes on, and no audio comes; the packets of a press are no frames */
        uint32_t passed = ts - rx_ts;
        if (event_between ? passed % FRAME || passed > RATE * 10 : passed != (uint32_t)(FRAME * step))
            stats.ts_jumps++;
        if (step > 1)
            stats.lost += step - 1;
    }
    have_rx = 1;
    event_between = 0;
    rx_seq = seq;
    rx_ts = ts;
    return step;
}

/* RFC 4733: all packets of a press have the timestamp of its beginning; the end comes three times and is told once. */
static void on_event(const uint8_t *m, const uint8_t *payload) {
    uint16_t seq = get16(m + 2);
    uint32_t ts = get32(m + 4);
    note_ssrc(get32(m + 8));
    if (have_rx && (uint16_t)(seq - rx_seq) != 1)
        stats.seq_jumps++;
    rx_seq = seq;
    event_between = 1;
    if (!(payload[1] & 0x80) || payload[0] > 15 || (stats.events && ts == heard_event_ts))
        return;
    heard_event_ts = ts;
    stats.events++;
    printf("{\"event\":\"digit\",\"digit\":\"%c\",\"durationMs\":%u}\n", keys[payload[0]], get16(payload + 2) / 8);
}

static void note_time(void) {
    double t = now_ms();
    if (last_rx_ms >= 0 && t - last_rx_ms > stats.max_gap_ms)
        stats.max_gap_ms = t - last_rx_ms;
    last_rx_ms = t;
    if (!stats.received++)
        printf("{\"event\":\"rtp\",\"marked\":%s}\n", marked ? "true" : "false");
    if (!marked)
        stats.before_mark++;
    else if (stats.first_after_mark_ms < 0)
        stats.first_after_mark_ms = t - marked_ms;
}

static void on_rtp(uint8_t *m, int n) {
    int type = m[1] & 127;
    if (type >= 64 && type < 96) { /* RFC 5761 section 4 */
        stats.rtcp++;
        return;
    }
    if (role != PLAIN && (!unprotect || srtp_unprotect(unprotect, m, &n))) {
        stats.bad_auth++;
        return;
    }
    int header = 12 + 4 * (m[0] & 15);
    if (m[0] & 0x10 && header + 4 <= n)
        header += 4 + 4 * get16(m + header + 2);
    if (header >= n)
        return;
    if (type == EVENT_PT && header + 4 <= n) {
        on_event(m, m + header);
        return;
    }
    if (type != opus_pt) {
        stats.other_payload++;
        return;
    }
    note_time();
    int step = note_order(get16(m + 2), get32(m + 4), get32(m + 8));
    int16_t pcm[FRAME * 6];
    for (int i = 1; i < step && step < 50; i++)
        record(pcm, opus_decode(decoder, NULL, 0, pcm, FRAME, 0));
    int samples = step > 0 ? opus_decode(decoder, m + header, n - header, pcm, FRAME * 6, 0) : 0;
    if (samples > 0)
        record(pcm, samples);
}

static void send_packet(uint8_t *p, int n, int type, int marker, uint32_t ts) {
    p[0] = 0x80;
    p[1] = type | (marker ? 0x80 : 0);
    put16(p + 2, tx_seq++);
    put32(p + 4, ts);
    put32(p + 8, tx_ssrc);
    if (protect && srtp_protect(protect, p, &n))
        return;
    send_raw(p, n, &remote);
    stats.sent++;
}

/* One frame's time of a press; returns 0 when none runs and it is audio's turn. */
static int send_press(void) {
    if (press.pause > 0 || !press.queue[0]) {
        press.pause -= press.pause > 0;
        return 0;
    }
    if (!press.frames++)
        press.ts = tx_ts;
    int end = press.frames == press.length;
    for (int i = 0; i < (end ? 3 : 1); i++) {
        uint8_t p[64];
        p[12] = strchr(keys, press.queue[0]) - keys;
        p[13] = end << 7 | 10;
        put16(p + 14, press.frames * EVENT_TICKS);
        send_packet(p, 16, EVENT_PT, press.frames == 1, press.ts);
    }
    tx_ts += FRAME;
    if (end) {
        memmove(press.queue, press.queue + 1, sizeof press.queue - 1);
        press.frames = 0;
        press.pause = PAUSE_FRAMES;
    }
    return 1;
}

static void send_frame(void) {
    uint8_t p[1600];
    int16_t frame[FRAME];
    if (send_press())
        return;
    for (int i = 0; i < FRAME; i++, clip_at = (clip_at + 1) % clip_length)
        frame[i] = clip[clip_at];
    int n = opus_encode(encoder, frame, FRAME, p + 12, 1200);
    if (n < 0 || !remote_known || (role != PLAIN && !dtls_up))
        return;
    send_packet(p, n + 12, opus_pt, !stats.sent, tx_ts);
    tx_ts += FRAME;
}

static void receive_all(void) {
    uint8_t b[4096];
    struct sockaddr_in from;
    for (;;) {
        socklen_t length = sizeof from;
        int n = recvfrom(sock, b, sizeof b, MSG_DONTWAIT, (void *)&from, &length);
        if (n < 0)
            return;
        if (n < 12)
            continue;
        /* RFC 7983 */
        if (b[0] < 4 && role != PLAIN)
            on_stun(b, n, &from);
        else if (b[0] >= 20 && b[0] < 64)
            on_dtls(b, n);
        else if (b[0] >= 128 && b[0] < 192)
            on_rtp(b, n);
    }
}

/* ---- files and commands ---- */

static void load_clip(const char *path) {
    static uint8_t b[RATE * 2 * 60 + 4096];
    FILE *f = fopen(path, "rb");
    if (!f)
        die(path);
    size_t n = fread(b, 1, sizeof b, f);
    fclose(f);
    if (n < 44 + FRAME * 2 || memcmp(b + 36, "data", 4)) {
        fprintf(stderr, "%s: not a plain 16 bit WAV\n", path);
        exit(1);
    }
    clip = (int16_t *)(b + 44);
    clip_length = (n - 44) / 2;
}

static void le32(FILE *f, uint32_t v) {
    uint8_t b[4] = {v, v >> 8, v >> 16, v >> 24};
    fwrite(b, 1, 4, f);
}

static void save_recording(const char *path) {
    FILE *f = fopen(path, "wb");
    if (!f)
        die(path);
    fwrite("RIFF", 1, 4, f);
    le32(f, 36 + recorded_length * 2);
    fwrite("WAVEfmt ", 1, 8, f);
    le32(f, 16);
    le32(f, 1 | 1 << 16); /* PCM, one channel */
    le32(f, RATE);
    le32(f, RATE * 2);
    le32(f, 2 | 16 << 16); /* block size, bits */
    fwrite("data", 1, 4, f);
    le32(f, recorded_length * 2);
    fwrite(recorded, 2, recorded_length, f);
    fclose(f);
}

static void print_stats(void) {
    printf("{\"event\":\"stat\",\"checks\":%lu,\"badChecks\":%lu,\"controlledChecks\":%lu,\"sent\":%lu,\"received\":%lu,"
           "\"rtpBeforeMark\":%lu,\"firstAfterMarkMs\":%.1f,\"badAuth\":%lu,\"rtcp\":%lu,\"otherPayload\":%lu,\"lost\":%lu,"
           "\"sequenceJumps\":%lu,\"timestampJumps\":%lu,\"ssrcs\":%d,\"events\":%lu,\"maxGapMs\":%.1f,\"recordedMs\":%zu}\n",
           stats.checks, stats.bad_checks, stats.controlled_checks, stats.sent, stats.received, stats.before_mark,
           stats.first_after_mark_ms, stats.bad_auth, stats.rtcp, stats.other_payload, stats.lost, stats.seq_jumps,
           stats.ts_jumps, stats.ssrc_count, stats.events, stats.max_gap_ms, recorded_length * 1000 / RATE);
}

/* Returns 0 when it is time to go. */
static int on_command(char *line) {
    char ip[64], digits[65];
    int port, ms;
    if (sscanf(line, "remote %63s %d", ip, &port) == 2) {
        remote.sin_family = AF_INET;
        remote.sin_port = htons(port);
        remote_known = inet_pton(AF_INET, ip, &remote.sin_addr) == 1;
    } else if (sscanf(line, "digits %64[0-9*#A-D] %d", digits, &ms) == 2) {
        strcpy(press.queue, digits);
        press.length = ms / 20;
    } else if (!strcmp(line, "mark")) {
        marked = 1;
        marked_ms = now_ms();
    } else if (!strcmp(line, "play"))
        playing = 1;
    else if (!strcmp(line, "pause"))
        playing = 0;
    else if (!strcmp(line, "stat"))
        print_stats();
    else if (!strcmp(line, "quit"))
        return 0;
    else
        fprintf(stderr, "unknown command: %s\n", line);
    return 1;
}

/* Returns 0 at the end of input, so that the peer never outlives whoever started it. */
static int read_commands(void) {
    static char buffer[1024];
    static size_t length;
    ssize_t n = read(0, buffer + length, sizeof buffer - 1 - length);
    if (n <= 0)
        return 0;
    length += n;
    buffer[length] = 0;
    for (char *end; (end = strchr(buffer, '\n'));) {
        *end = 0;
        if (!on_command(buffer))
            return 0;
        length -= end + 1 - buffer;
        memmove(buffer, end + 1, length + 1);
    }
    return 1;
}

static void run(void) {
    struct pollfd fds[2] = {{.fd = sock, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
    for (double due = now_ms();;) {
        double wait = due - now_ms();
        poll(fds, 2, wait > 0 ? (int)wait + 1 : 0);
        if (fds[1].revents && !read_commands())
            return;
        receive_all();
        if (now_ms() < due)
            continue;
        due += 20;
        if (ssl && !dtls_up) {
            DTLSv1_handle_timeout(ssl);
            dtls_flush();
        }
        if (playing)
            send_frame();
    }
}

static int open_socket(const char *address, int port) {
    struct sockaddr_in local = {.sin_family = AF_INET, .sin_port = htons(port)};
    socklen_t length = sizeof local;
    inet_pton(AF_INET, address, &local.sin_addr);
    sock = socket(AF_INET, SOCK_DGRAM, 0);
    if (bind(sock, (void *)&local, sizeof local) || getsockname(sock, (void *)&local, &length))
        die("bind");
    return ntohs(local.sin_port);
}

int main(int argc, char **argv) {
    if (argc != 9) {
        fprintf(stderr, "media-peer ADDRESS PORT server|client|plain UFRAG PWD PLAY.wav RECORD.wav PT\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    role = !strcmp(argv[3], "server") ? SERVER : !strcmp(argv[3], "client") ? CLIENT : PLAIN;
    ufrag = argv[4];
    pwd = argv[5];
    opus_pt = atoi(argv[8]);
    load_clip(argv[6]);
    int error;
    encoder = opus_encoder_create(RATE, 1, OPUS_APPLICATION_VOIP, &error);
    opus_encoder_ctl(encoder, OPUS_SET_BITRATE(24000));
    decoder = opus_decoder_create(RATE, 1, &error);
    RAND_bytes((uint8_t *)&tx_seq, sizeof tx_seq);
    RAND_bytes((uint8_t *)&tx_ts, sizeof tx_ts);
    RAND_bytes((uint8_t *)&tx_ssrc, sizeof tx_ssrc);
    srtp_init();
    X509 *certificate = tls_init();
    printf("{\"event\":\"ready\",\"port\":%d,\"ssrc\":%u,", open_socket(argv[1], atoi(argv[2])), tx_ssrc);
    print_fingerprint(certificate);
    printf("}\n");
    run();
    print_stats();
    save_recording(argv[7]);
    return 0;
}
