/*
 * scram - the arithmetic of SCRAM-SHA-256 (RFC 5802, RFC 7677): keys from a password, keys
 * as text, proofs. Pure. Conversations: sasl_conv.h (server), sasl_client.h.
 *
 * Stored keys as text (RFC 5803, "authPassword" form):
 *
 *	SCRAM-SHA-256$ROUNDS:BASE64(salt)$BASE64(StoredKey):BASE64(ServerKey)
 *
 * Whoever reads them can pretend to be the server, but not log in.
 */
#ifndef SASL_SCRAM_H
#define SASL_SCRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/must.h"
#include "base/slice.h"
#include "tls/digest.h"

#define SCRAM_MECH "SCRAM-SHA-256"
#define SCRAM_SALT_MAX 64
/* RFC 7677 section 4 asks for no fewer; more than the second is a mistake, or an attempt to
 * keep us busy. */
#define SCRAM_ROUNDS_MIN 4096
#define SCRAM_ROUNDS_MAX 4000000
#define SCRAM_TEXT_MAX 256 /* of the keys, without NUL */

struct scram_keys {
	uint32_t rounds;
	uint8_t salt[SCRAM_SALT_MAX];
	size_t salt_n;
	uint8_t stored[DIGEST_LEN], server[DIGEST_LEN];
};

/* Takes the time of the rounds. password is prepared here (text/prep.h). False: it cannot
 * be, or is empty; or salt or rounds are out of range. */
bool scram_keys_make(struct slice password, struct slice salt, uint32_t rounds,
                     struct scram_keys *k_r) MUST_CHECK;
bool scram_keys_parse(struct slice text, struct scram_keys *k_r) MUST_CHECK;
void scram_keys_print(const struct scram_keys *k, struct buf *out);
/* Is it the password of these keys? */
bool scram_keys_match(const struct scram_keys *k, struct slice password) MUST_CHECK;

/* The client's proof and the server's signature over what was said (AuthMessage). False as
 * for scram_keys_make(). */
bool scram_client(struct slice password, struct slice salt, uint32_t rounds,
                  struct slice auth_message, uint8_t proof_r[DIGEST_LEN],
                  uint8_t server_signature_r[DIGEST_LEN]) MUST_CHECK;

#endif
