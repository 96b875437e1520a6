/* srtp-tool: libsrtp over the packets of standard input.
 *
 *   cc -O2 -Wall -o srtp-tool srtp-tool.c -lsrtp2
 *   srtp-tool protect|unprotect SUITE MASTERHEX
 *
 *   SUITE      as RFC 4568 and RFC 7714 name it. MASTERHEX: master key and salt, one after the other.
 * A packet has its length before it, in two octets, on both streams; what libsrtp refuses comes out as an empty one. RTCP is told
 * from RTP as RFC 5761 section 4 has it.
 */
#include <srtp2/srtp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static void choose(const char *suite, srtp_policy_t *policy) {
    if (!strcmp(suite, "AEAD_AES_128_GCM")) {
        srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy->rtp);
        srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy->rtcp);
        return;
    }
    srtp_crypto_policy_set_rtp_default(&policy->rtp);
    srtp_crypto_policy_set_rtcp_default(&policy->rtcp);
    if (!strcmp(suite, "AES_CM_128_HMAC_SHA1_32"))
        srtp_crypto_policy_set_aes_cm_128_hmac_sha1_32(&policy->rtp);
}

static int from_hex(const char *text, uint8_t *bytes, size_t most) {
    size_t n = strlen(text) / 2;
    for (size_t i = 0; i < n && i < most; i++)
        if (sscanf(text + 2 * i, "%2hhx", bytes + i) != 1)
            return 0;
    return n <= most;
}

static int treat(srtp_t session, int protect, uint8_t *packet, int *length) {
    int is_rtcp = packet[1] >= 192 && packet[1] <= 223;
    if (protect)
        return is_rtcp ? srtp_protect_rtcp(session, packet, length) : srtp_protect(session, packet, length);
    return is_rtcp ? srtp_unprotect_rtcp(session, packet, length) : srtp_unprotect(session, packet, length);
}

int main(int argc, char **argv) {
    static uint8_t packet[65536 + SRTP_MAX_TRAILER_LEN];
    uint8_t master[64], head[2];
    srtp_policy_t policy = {0};
    srtp_t session;
    int protect = argc == 4 && !strcmp(argv[1], "protect");
    if (argc != 4 || !from_hex(argv[3], master, sizeof master)) {
        fprintf(stderr, "srtp-tool protect|unprotect SUITE MASTERHEX\n");
        return 2;
    }
    srtp_init();
    choose(argv[2], &policy);
    policy.ssrc.type = protect ? ssrc_any_outbound : ssrc_any_inbound;
    policy.key = master;
    policy.window_size = 128;
    if (srtp_create(&session, &policy)) {
        fprintf(stderr, "libsrtp takes no such policy\n");
        return 1;
    }
    while (fread(head, 1, 2, stdin) == 2) {
        int length = head[0] << 8 | head[1];
        if (fread(packet, 1, length, stdin) != (size_t)length)
            return 1;
        if (treat(session, protect, packet, &length))
            length = 0;
        head[0] = length >> 8;
        head[1] = length;
        fwrite(head, 1, 2, stdout);
        fwrite(packet, 1, length, stdout);
    }
    return 0;
}
