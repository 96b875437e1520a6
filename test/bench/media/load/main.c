/*
 * The load process. Lines on stdin, lines on stdout:
 *
 *   < ready FINGERPRINT                                        SHA-256 of the DTLS certificate
 *   > leg ID whatsapp|pbx ADDRESS stamped|pcma|g722|opus PT    binds a socket
 *   < leg ID PORT SSRC
 *   > secure ID server|client LOCAL-USER LOCAL-PASSWORD [REMOTE-USER REMOTE-PASSWORD]
 *                                                              ICE-lite without, a checking agent with the remote words
 *   > remote ID ADDRESS PORT                                   where packets go, and checks of an agent
 *   > pair ID ID                                               what the one sends is to arrive at the other
 *   > go ID                                                    sends every 20 ms from now on; secure legs do once DTLS is up
 *   < up ID NS, first ID NS                                    DTLS is up, the first packet came (monotonic clock)
 *   > window MS                                                counts what is sent in that time
 *   < window {json}
 *   > drop ID
 *
 * One thread: legs have fixed random places in a wheel of 20 ms; between two places sockets are read. Delays are told by
 * the kernel's receive timestamps, so that reading late makes no packet late.
 */
#define _GNU_SOURCE
#include "load.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { SLOTS = 200, SLOT_NS = 100000, ROUND_MS = 20, EVENTS = 16, READS = 4, STDIN = MAX_LEGS, TIMER = MAX_LEGS + 1 };
/** After a stall longer than this the packets that were due are not sent all at once. */
static const uint64_t longest_catch_up_ns = 500000000ull;

leg_t legs[MAX_LEGS];
int legs_end;
static int poll_fd;
static const char *codec_names[] = {"stamped", "pcma", "g722", "opus"};

uint64_t clock_ns(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000000000ull + t.tv_nsec;
}
uint64_t monotonic_ns(void) { return clock_ns(CLOCK_MONOTONIC); }
uint64_t wall_ns(void) { return clock_ns(CLOCK_REALTIME); }

void fail(const char *what) {
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* ---- packets ---- */

static void send_frame(leg_t *leg) {
    uint8_t packet[2048];
    uint64_t now = wall_ns();
    packet[0] = 0x80;
    packet[1] = leg->payload_type;
    uint16_t sequence = htons(leg->sequence++);
    uint32_t timestamp = htonl(leg->timestamp), ssrc = htonl(leg->ssrc);
    leg->timestamp += ticks_of(leg->codec);
    memcpy(packet + 2, &sequence, 2);
    memcpy(packet + 4, &timestamp, 4);
    memcpy(packet + 8, &ssrc, 4);
    int length = 12 + next_payload(leg, packet + 12, now);
    direction_t *it = leg->partner ? direction_to(leg->partner->side) : NULL;
    bool is_counted = it && is_in_window(now);
    if (leg->protect && srtp_protect(leg->protect, packet, &length)) fail("srtp_protect");
    if (is_counted) it->sent++;
    if (sendto(leg->fd, packet, length, 0, (void *)&leg->remote, sizeof leg->remote) < 0 && is_counted) it->send_errors++;
    if (leg->is_secure) report_if_due(leg, now);
}

static void on_rtp(leg_t *leg, uint8_t *packet, int length, uint64_t arrived_ns) {
    int type = packet[1] & 0x7f;
    if (type >= 64 && type < 96) return; /* RTCP (RFC 5761) */
    if (leg->is_secure) {
        if (!leg->unprotect) return;
        if (srtp_unprotect(leg->unprotect, packet, &length)) {
            if (is_in_window(arrived_ns)) direction_to(leg->side)->unauthentic++;
            return;
        }
    }
    if (leg->is_secure) note_for_report(leg, packet);
    if (type != leg->payload_type) return;
    uint16_t sequence = packet[2] << 8 | packet[3];
    if (!leg->has_sequence) {
        printf("first %d %lu\n", leg->id, monotonic_ns());
        fflush(stdout);
    } else if (is_in_window(arrived_ns) && (int16_t)(sequence - leg->last_sequence) > 1)
        direction_to(leg->side)->missing += (uint16_t)(sequence - leg->last_sequence) - 1;
    leg->has_sequence = true;
    leg->last_sequence = sequence;
    hear(leg, packet + 12, length - 12, arrived_ns);
}

static void on_datagram(leg_t *leg, uint8_t *bytes, int length, const struct sockaddr_in *from, uint64_t arrived_ns) {
    if (length < 12) return;
    if (bytes[0] >> 6 == 2) on_rtp(leg, bytes, length, arrived_ns);
    else if (!leg->is_secure) return;
    else if (bytes[0] < 4) on_stun(leg, bytes, length, from);
    else if (bytes[0] >= 20 && bytes[0] < 64) on_dtls(leg, bytes, length);
}

static void read_leg(leg_t *leg) {
    for (int i = 0; i < READS && leg->is_used; i++) {
        uint8_t bytes[2048], control[128];
        struct sockaddr_in from;
        struct iovec part = {bytes, sizeof bytes};
        struct msghdr message = {&from, sizeof from, &part, 1, control, sizeof control, 0};
        ssize_t length = recvmsg(leg->fd, &message, MSG_DONTWAIT);
        if (length < 0) return;
        uint64_t arrived = 0;
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c))
            if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
                struct timespec t;
                memcpy(&t, CMSG_DATA(c), sizeof t);
                arrived = t.tv_sec * 1000000000ull + t.tv_nsec;
            }
        on_datagram(leg, bytes, length, &from, arrived ? arrived : wall_ns());
    }
}

/* ---- the wheel ---- */

static leg_t *slots[SLOTS];
static uint64_t turned; /* slots since the start of the monotonic clock */

void start_sending(leg_t *leg) {
    if (leg->is_sending) return;
    leg->is_sending = true;
    leg->next_in_slot = slots[leg->slot];
    slots[leg->slot] = leg;
    send_frame(leg);
}

static void stop_sending(leg_t *leg) {
    for (leg_t **at = &slots[leg->slot]; *at; at = &(*at)->next_in_slot)
        if (*at == leg) {
            *at = leg->next_in_slot;
            return;
        }
}

static void turn(void) {
    uint64_t now = monotonic_ns();
    if (now - turned * SLOT_NS > longest_catch_up_ns) turned = now / SLOT_NS;
    for (; (turned + 1) * SLOT_NS <= now; now = monotonic_ns()) {
        turned++;
        for (leg_t *leg = slots[turned % SLOTS]; leg; leg = leg->next_in_slot) {
            count_lateness(monotonic_ns() - turned * SLOT_NS);
            send_frame(leg);
        }
        if (turned % SLOTS) continue;
        for (int i = 0; i < legs_end; i++)
            if (legs[i].is_used && legs[i].is_secure) nurse(&legs[i], now);
    }
}

/* ---- commands ---- */

static leg_t *leg_of(const char *word) {
    int id = word ? atoi(word) : -1;
    if (id < 0 || id >= MAX_LEGS) fail("no such leg");
    return &legs[id];
}

static void copy(char *to, const char *from) { snprintf(to, sizeof legs->local_user, "%s", from ? from : ""); }

static void add_leg(char **words) {
    leg_t *leg = leg_of(words[1]);
    if (leg->is_used) fail("leg is there already");
    *leg = (leg_t){.is_used = true, .id = leg - legs, .side = strcmp(words[2], "pbx") ? WHATSAPP : PBX, .payload_type = atoi(words[5])};
    while (leg->codec < CODECS && strcmp(words[4], codec_names[leg->codec])) leg->codec++;
    if (leg->codec == CODECS) fail("no such codec");
    if (leg->id >= legs_end) legs_end = leg->id + 1;
    leg->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1, bytes = 1 << 20;
    setsockopt(leg->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    if (setsockopt(leg->fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on)) fail("SO_TIMESTAMPNS");
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    if (inet_pton(AF_INET, words[3], &address.sin_addr) != 1) fail("address");
    if (bind(leg->fd, (void *)&address, size) || getsockname(leg->fd, (void *)&address, &size)) fail("bind");
    RAND_bytes((uint8_t *)&leg->ssrc, 4);
    leg->sequence = rand() & 0x7fff;
    leg->frame = rand() % FRAMES;
    leg->slot = rand() % SLOTS;
    open_ears(leg);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = leg->id};
    if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, leg->fd, &event)) fail("epoll_ctl");
    printf("leg %d %d %u\n", leg->id, ntohs(address.sin_port), leg->ssrc);
    fflush(stdout);
}

static void drop_leg(leg_t *leg) {
    if (!leg->is_used) return;
    if (leg->is_sending) stop_sending(leg);
    if (leg->partner) leg->partner->partner = NULL;
    end_security(leg);
    close_ears(leg);
    close(leg->fd);
    *leg = (leg_t){0};
}

static void set_remote(leg_t *leg, char **words) {
    leg->remote = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(atoi(words[3]))};
    if (inet_pton(AF_INET, words[2], &leg->remote.sin_addr) != 1) fail("address");
}

static void secure(leg_t *leg, char **words, int count) {
    leg->is_server = !strcmp(words[2], "server");
    copy(leg->local_user, words[3]);
    copy(leg->local_password, words[4]);
    leg->is_controlling = count > 6;
    copy(leg->remote_user, leg->is_controlling ? words[5] : "");
    copy(leg->remote_password, leg->is_controlling ? words[6] : "");
    leg->is_secure = true;
}

static void obey(char *line) {
    char *words[10] = {0}, *rest = NULL;
    int count = 0;
    for (char *word = strtok_r(line, " \r\n", &rest); word && count < 9; word = strtok_r(NULL, " \r\n", &rest)) words[count++] = word;
    if (!count) return;
    const char *what = words[0];
    if (!strcmp(what, "leg") && count == 6) add_leg(words);
    else if (!strcmp(what, "secure") && count >= 5) secure(leg_of(words[1]), words, count);
    else if (!strcmp(what, "remote") && count == 4) set_remote(leg_of(words[1]), words);
    else if (!strcmp(what, "pair") && count == 3) {
        leg_of(words[1])->partner = leg_of(words[2]);
        leg_of(words[2])->partner = leg_of(words[1]);
    } else if (!strcmp(what, "go") && count == 2) start_sending(leg_of(words[1]));
    else if (!strcmp(what, "drop") && count == 2) drop_leg(leg_of(words[1]));
    else if (!strcmp(what, "window") && count == 2) open_window(wall_ns(), atoll(words[1]) * 1000000ull);
    else fail(what);
}

/** False once the parent is gone. */
static bool read_commands(void) {
    static char text[1 << 16];
    static size_t length;
    ssize_t more = read(0, text + length, sizeof text - 1 - length);
    if (more == 0 || (more < 0 && errno != EAGAIN)) return false;
    if (more < 0) return true;
    length += more;
    text[length] = 0;
    char *from = text;
    for (char *end; (end = strchr(from, '\n')); from = end + 1) {
        *end = 0;
        obey(from);
    }
    length -= from - text;
    memmove(text, from, length);
    return true;
}

static void watch(int fd, uint32_t name) {
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = name};
    if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event)) fail("epoll_ctl");
}

int main(void) {
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    prctl(PR_SET_TIMERSLACK, 1000);
    prepare_security();
    prepare_audio();
    poll_fd = epoll_create1(EPOLL_CLOEXEC);
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    struct itimerspec beat = {{0, SLOT_NS}, {0, SLOT_NS}};
    timerfd_settime(timer, 0, &beat, NULL);
    fcntl(0, F_SETFL, fcntl(0, F_GETFL) | O_NONBLOCK);
    watch(0, STDIN);
    watch(timer, TIMER);
    turned = monotonic_ns() / SLOT_NS;
    printf("ready %s\n", fingerprint());
    fflush(stdout);
    for (;;) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(poll_fd, events, EVENTS, 100);
        for (int i = 0; i < count; i++) {
            uint32_t name = events[i].data.u32;
            uint64_t beats;
            if (name == TIMER && read(timer, &beats, sizeof beats) < 0 && errno != EAGAIN) fail("timer");
            if (name == STDIN && !read_commands()) return 0;
            if (name < MAX_LEGS && legs[name].is_used) read_leg(&legs[name]);
        }
        turn();
        report_window(wall_ns());
    }
}
