/* ICE and DTLS of a leg: OpenSSL as Meta's side, which is ICE-lite, or as a full agent towards one that is lite itself. */
#include "load.h"
#include <arpa/inet.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static const uint64_t check_ns = 50000000ull, consent_ns = 2500000000ull;
enum { COOKIE = 0x2112a442, BINDING = 0x0001, BINDING_SUCCESS = 0x0101, HEADER = 20, MTU = 1200 };
enum { USERNAME = 0x06, INTEGRITY = 0x08, XOR_MAPPED = 0x20, PRIORITY = 0x24, USE_CANDIDATE = 0x25, FINGERPRINT = 0x8028, CONTROLLING = 0x802a };

static SSL_CTX *context;
static char certificate_hash[3 * 32];

static void put16(uint8_t *to, unsigned value) {
    to[0] = value >> 8;
    to[1] = value;
}

static void put32(uint8_t *to, uint32_t value) {
    put16(to, value >> 16);
    put16(to + 2, value & 0xffff);
}

static uint32_t crc32_of(const uint8_t *bytes, size_t length) {
    uint32_t crc = ~0u;
    while (length--) {
        crc ^= *bytes++;
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (0xedb88320u & -(crc & 1));
    }
    return ~crc;
}

static int any_certificate(int ok, X509_STORE_CTX *store) {
    (void)ok, (void)store;
    return 1;
}

void prepare_security(void) {
    if (srtp_init()) fail("srtp_init");
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -86400);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86400 * 30);
    X509_set_pubkey(certificate, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC, (const uint8_t *)"bench", -1, -1, 0);
    X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
    X509_sign(certificate, key, EVP_sha256());
    context = SSL_CTX_new(DTLS_method());
    SSL_CTX_use_certificate(context, certificate);
    SSL_CTX_use_PrivateKey(context, key);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, any_certificate);
    if (SSL_CTX_set_tlsext_use_srtp(context, "SRTP_AES128_CM_SHA1_80")) fail("SRTP profile");
    uint8_t digest[32];
    unsigned length;
    X509_digest(certificate, EVP_sha256(), digest, &length);
    for (unsigned i = 0; i < length; i++) sprintf(certificate_hash + 3 * i, i + 1 < length ? "%02X:" : "%02X", digest[i]);
}

const char *fingerprint(void) { return certificate_hash; }

/* ---- STUN (RFC 8489) ---- */

static int put_attribute(uint8_t *message, int length, unsigned type, const void *value, int size) {
    put16(message + length, type);
    put16(message + length + 2, size);
    if (size) memcpy(message + length + 4, value, size);
    return length + 4 + (size + 3) / 4 * 4;
}

static int sign_message(uint8_t *message, int length, const char *password) {
    unsigned size = 20;
    uint8_t hmac[20], crc[4];
    put16(message + 2, length - HEADER + 24);
    HMAC(EVP_sha1(), password, strlen(password), message, length, hmac, &size);
    length = put_attribute(message, length, INTEGRITY, hmac, 20);
    put16(message + 2, length - HEADER + 8);
    put32(crc, crc32_of(message, length) ^ 0x5354554e);
    return put_attribute(message, length, FINGERPRINT, crc, 4);
}

static void send_check(leg_t *leg) {
    uint8_t message[512] = {0}, value[8];
    put16(message, BINDING);
    put32(message + 4, COOKIE);
    RAND_bytes(message + 8, 12);
    char user[130];
    int length = put_attribute(message, HEADER, USERNAME, user, snprintf(user, sizeof user, "%s:%s", leg->remote_user, leg->local_user));
    put32(value, 0x6e7f1eff);
    length = put_attribute(message, length, PRIORITY, value, 4);
    RAND_bytes(value, 8);
    length = put_attribute(message, length, CONTROLLING, value, 8);
    length = put_attribute(message, length, USE_CANDIDATE, NULL, 0);
    length = sign_message(message, length, leg->remote_password);
    sendto(leg->fd, message, length, 0, (void *)&leg->remote, sizeof leg->remote);
}

static bool has_attribute(const uint8_t *message, int length, int type) {
    for (int at = HEADER; at + 4 <= length; at += 4 + ((message[at + 2] << 8 | message[at + 3]) + 3) / 4 * 4)
        if ((message[at] << 8 | message[at + 1]) == type) return true;
    return false;
}

static void answer_check(leg_t *leg, const uint8_t *request, const struct sockaddr_in *from) {
    uint8_t message[128] = {0}, mapped[8] = {0, 1};
    put16(message, BINDING_SUCCESS);
    memcpy(message + 4, request + 4, 16);
    put16(mapped + 2, ntohs(from->sin_port) ^ (COOKIE >> 16));
    put32(mapped + 4, ntohl(from->sin_addr.s_addr) ^ COOKIE);
    int length = put_attribute(message, HEADER, XOR_MAPPED, mapped, 8);
    length = sign_message(message, length, leg->local_password);
    sendto(leg->fd, message, length, 0, (const void *)from, sizeof *from);
}

/* ---- DTLS (RFC 5764) ---- */

static srtp_t srtp_of(const uint8_t *key, srtp_ssrc_type_t type) {
    srtp_policy_t policy = {0};
    srtp_crypto_policy_set_rtp_default(&policy.rtp);
    srtp_crypto_policy_set_rtcp_default(&policy.rtcp);
    policy.ssrc.type = type;
    policy.key = (uint8_t *)key;
    policy.window_size = 1024;
    srtp_t session;
    if (srtp_create(&session, &policy)) fail("srtp_create");
    return session;
}

static void begin_dtls(leg_t *leg) {
    leg->ssl = SSL_new(context);
    leg->in = BIO_new(BIO_s_mem());
    leg->out = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(leg->in, -1);
    SSL_set_bio(leg->ssl, leg->in, leg->out);
    SSL_set_options(leg->ssl, SSL_OP_NO_QUERY_MTU);
    SSL_set_mtu(leg->ssl, MTU);
    if (leg->is_server) SSL_set_accept_state(leg->ssl);
    else SSL_set_connect_state(leg->ssl);
}

/** Sends the records that OpenSSL wrote, each in a datagram of its own. */
static void flush_dtls(leg_t *leg) {
    uint8_t bytes[16384];
    int length = BIO_read(leg->out, bytes, sizeof bytes);
    for (int at = 0; at + 13 <= length;) {
        int record = 13 + (bytes[at + 11] << 8 | bytes[at + 12]);
        if (at + record > length) record = length - at;
        sendto(leg->fd, bytes + at, record, 0, (void *)&leg->remote, sizeof leg->remote);
        at += record;
    }
}

static void shake_hands(leg_t *leg) {
    int done = SSL_do_handshake(leg->ssl);
    flush_dtls(leg);
    if (done != 1) return;
    uint8_t keys[60], client[30], server[30];
    SSL_export_keying_material(leg->ssl, keys, sizeof keys, "EXTRACTOR-dtls_srtp", 19, NULL, 0, 0);
    memcpy(client, keys, 16);
    memcpy(client + 16, keys + 32, 14);
    memcpy(server, keys + 16, 16);
    memcpy(server + 16, keys + 46, 14);
    leg->protect = srtp_of(leg->is_server ? server : client, ssrc_any_outbound);
    leg->unprotect = srtp_of(leg->is_server ? client : server, ssrc_any_inbound);
    leg->is_up = true;
    start_sending(leg);
    printf("up %d %lu\n", leg->id, monotonic_ns());
    fflush(stdout);
}

void on_stun(leg_t *leg, uint8_t *message, int length, const struct sockaddr_in *from) {
    if (length < HEADER) return;
    int type = message[0] << 8 | message[1];
    if (type == BINDING) {
        answer_check(leg, message, from);
        if (leg->is_controlling || !has_attribute(message, length, USE_CANDIDATE)) return;
        leg->remote = *from;
    } else if (type != BINDING_SUCCESS || !leg->is_controlling) return;
    leg->is_nominated = true;
    if (!leg->ssl && !leg->is_server) {
        begin_dtls(leg);
        shake_hands(leg);
    }
}

void on_dtls(leg_t *leg, const uint8_t *record, int length) {
    if (!leg->is_nominated) return;
    if (!leg->ssl) {
        if (!leg->is_server) return;
        begin_dtls(leg);
    }
    if (leg->is_up) return;
    BIO_write(leg->in, record, length);
    shake_hands(leg);
}

void nurse(leg_t *leg, uint64_t now_ns) {
    if (leg->is_controlling && now_ns - leg->checked_ns > (leg->is_nominated ? consent_ns : check_ns)) {
        leg->checked_ns = now_ns;
        send_check(leg);
    }
    if (leg->ssl && !leg->is_up && DTLSv1_handle_timeout(leg->ssl) > 0) flush_dtls(leg);
}

void end_security(leg_t *leg) {
    if (leg->ssl) SSL_free(leg->ssl);
    if (leg->protect) srtp_dealloc(leg->protect);
    if (leg->unprotect) srtp_dealloc(leg->unprotect);
}
