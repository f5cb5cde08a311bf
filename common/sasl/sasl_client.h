/*
 * sasl_client - the client's side of SASL: PLAIN (RFC 4616), LOGIN (as everybody does it),
 * SCRAM-SHA-256 (RFC 7677, without channel binding). Pure: raw bytes in and out (base64 is
 * the protocol's), no socket, no library's state. SCRAM takes the time of the server's
 * rounds: some ms, at most 150 (more than 600,000 rounds are refused).
 *
 *	c = sasl_client_new(sasl_client_choose(offered, tls), "", user, secret);
 *	if (sasl_client_begins(c))
 *		sasl_client_step(c, SLICE(""), &out);	-> AUTH MECH <out>
 *	each challenge: sasl_client_step(c, challenge, &out) == 0 -> send out, if empty too
 *	the server says OK: believe it only when sasl_client_is_done(c)
 */
#ifndef SASL_SASL_CLIENT_H
#define SASL_SASL_CLIENT_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/must.h"
#include "base/slice.h"

struct sasl_client;

/* The best of the offered mechanisms ("PLAIN LOGIN ..." by spaces, any case), or NULL. LOGIN
 * and PLAIN show the secret: they are taken only when plaintext_ok (TLS, or loopback). */
const char *sasl_client_choose(struct slice offered, bool plaintext_ok);

/* mech is one of sasl_client_choose()'s. authzid "" for none (LOGIN has none). Copies. NULL:
 * no such mechanism, or name or secret cannot be sent (empty, too long, prohibited). */
struct sasl_client *sasl_client_new(const char *mech, const char *authzid, const char *authcid,
                                    const char *secret) MUST_CHECK;
void sasl_client_free(struct sasl_client **c);

/* Does the client speak first (an initial response)? LOGIN does not. */
bool sasl_client_begins(const struct sasl_client *c);
/* Appends the answer to a challenge; for the initial response challenge is empty. 0; or -1:
 * the server does not follow the mechanism, or has not proved to know the secret: abort. */
int sasl_client_step(struct sasl_client *c, struct slice challenge, struct buf *out) MUST_CHECK;
/* Has the mechanism said all, and (SCRAM) has the server proved itself? */
bool sasl_client_is_done(const struct sasl_client *c);

#endif
