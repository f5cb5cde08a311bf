/*
 * digest - SHA-256 and HMAC-SHA-256, by OpenSSL.
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

#endif
