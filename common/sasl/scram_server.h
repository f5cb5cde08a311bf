/*
 * scram_server - the server's side of SCRAM-SHA-256 (RFC 5802, RFC 7677), without channel
 * binding. Pure: messages in and out; whose keys they are is the caller's to find.
 *
 * Our own, because the plug-in of Cyrus SASL 2.1.28 answers a wrong proof like a malformed
 * message, follows a null pointer when a client asks for channel binding, and compares in
 * a time that tells.
 *
 *	scram_server_first()	client-first in; names out
 *	scram_server_challenge() server-first out
 *	scram_server_final()	client-final in; server-final out
 */
#ifndef SASL_SCRAM_SERVER_H
#define SASL_SCRAM_SERVER_H

#include "base/buf.h"
#include "base/must.h"
#include "base/slice.h"
#include "sasl/scram.h"

#define SCRAM_MESSAGE_MAX 4096

struct scram_server;

struct scram_server *scram_server_new(void);
void scram_server_free(struct scram_server **s);

/* False: malformed, or channel binding is asked for ("p="). "y" is right: the client could,
 * and saw that we do not offer it. */
bool scram_server_first(struct scram_server *s, struct slice message) MUST_CHECK;
/* As the client wrote them, unescaped; authzid n == 0: none. Borrowed from s. */
struct slice scram_server_authzid(const struct scram_server *s);
struct slice scram_server_authcid(const struct scram_server *s);
/* Copies the keys. */
void scram_server_challenge(struct scram_server *s, const struct scram_keys *k, struct buf *out);
/* 1: he knows the password, and out has our proof; 0: he does not; -1: malformed. */
int scram_server_final(struct scram_server *s, struct slice message, struct buf *out) MUST_CHECK;

#endif
