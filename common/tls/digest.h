/*
 * digest - SHA-256, HMAC-SHA-256 and PBKDF2 with it, by OpenSSL.
 */
#ifndef TLS_DIGEST_H
#define TLS_DIGEST_H

#include <stdint.h>

#include "base/slice.h"

#define DIGEST_LEN 32

struct digest;
struct digest *digest_new(void);
void digest_free(struct digest **d);
void digest_add(struct digest *d, struct slice s);
/* Ends the sum; digest_reset() starts another. */
void digest_final(struct digest *d, uint8_t sum_r[DIGEST_LEN]);
void digest_reset(struct digest *d);

void digest_of(struct slice s, uint8_t sum_r[DIGEST_LEN]);
void digest_hmac(struct slice key, struct slice s, uint8_t mac_r[DIGEST_LEN]);
/* PBKDF2 of RFC 8018 with HMAC-SHA-256; slow on purpose, by rounds (at least 1). */
void digest_pbkdf2(struct slice password, struct slice salt, uint32_t rounds,
                   uint8_t key_r[DIGEST_LEN]);

/* SHA-1 where a protocol names things by it; no security rests on it. */
#define DIGEST_SHA1_LEN 20
void digest_sha1(struct slice s, uint8_t sum_r[DIGEST_SHA1_LEN]);

#endif
