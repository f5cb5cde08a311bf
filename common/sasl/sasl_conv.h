/*
 * sasl_conv - SASL conversations of servers: GSSAPI (RFC 4752), PLAIN and LOGIN by Cyrus SASL
 * (this is the only includer of it), SCRAM-SHA-256 by scram_server.h.
 *
 * No configuration of the host has a say: paths and options come from callbacks, and
 * only the mechanisms asked for are offered. Blocking (password checks), so it runs in
 * auth workers. (Not called sasl.h: that name is the library's.)
 */
#ifndef SASL_SASL_CONV_H
#define SASL_SASL_CONV_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/must.h"
#include "base/slice.h"
#include "sasl/scram.h"

enum sasl_result {
	SASL_RESULT_OK,
	SASL_RESULT_CONTINUE,
	SASL_RESULT_DENIED,
	SASL_RESULT_INVALID, /* malformed, or the mechanism is not offered */
	SASL_RESULT_TEMP,
};

/* Asked by the mechanisms, each at most once in a conversation. OK, DENIED, INVALID, TEMP. */
struct sasl_conv_ops {
	/* PLAIN, LOGIN: is this password right, and may authcid act for authzid (empty: for
	 * himself)? */
	enum sasl_result (*check)(void *ctx, struct slice authzid, struct slice authcid,
	                          struct slice password);
	/* SCRAM: the keys of authcid. For names that are unknown or have none: made-up ones, OK,
	 * and the same every time, so that nobody learns which names there are. */
	enum sasl_result (*keys)(void *ctx, struct slice authcid, struct scram_keys *k_r);
	/* SCRAM: authcid has proved that he is he. May he log in, and act for authzid? */
	enum sasl_result (*permit)(void *ctx, struct slice authzid, struct slice authcid);
	/* GSSAPI: the same of a Kerberos principal: "fred", "host/be1.example.org" of the realm that
	 * is the host's default, "fred@OTHER.REALM" of others. authzid is never empty. */
	enum sasl_result (*permit_principal)(void *ctx, struct slice authzid,
	                                     struct slice principal);
};

#define SASL_GSSAPI "GSSAPI"
/* Everything there is, in the order of preference. */
#define SASL_CONV_MECHS SASL_GSSAPI " SCRAM-SHA-256 PLAIN LOGIN"

/* Once per process. keytab: the file with the keys of this host's services, which is borrowed,
 * and read at each login; NULL: no GSSAPI. -1 with the operator's text. */
int sasl_conv_global_open(const char *keytab, struct err *err) MUST_CHECK;
void sasl_conv_global_close(void);
/* Can logins by GSSAPI succeed? False with the operator's text: the keytab or the plug-in
 * cannot be had. Such logins are SASL_RESULT_TEMP then. */
bool sasl_conv_has_gssapi(struct err *err) MUST_CHECK;

struct sasl_conv;

/* service: "imap", "pop3". hostname: with GSSAPI any will do (sasl/kerberos.h). NULL with the text
 * when out of means. */
struct sasl_conv *sasl_conv_new(const char *service, const char *hostname, bool tls,
                                const struct sasl_conv_ops *ops, void *ctx,
                                struct err *err) MUST_CHECK;
void sasl_conv_free(struct sasl_conv **c);
/* initial.p NULL: none was sent. OK never has a challenge: the server's last word (SCRAM) is a
 * challenge of its own, to be answered by nothing. challenge_r is borrowed until the next call on c. */
enum sasl_result sasl_conv_start(struct sasl_conv *c, const char *mech, struct slice initial,
                                 struct slice *challenge_r) MUST_CHECK;
enum sasl_result sasl_conv_step(struct sasl_conv *c, struct slice response,
                                struct slice *challenge_r) MUST_CHECK;
/* Why it was not taken, for the log; "" unknown. Borrowed. */
const char *sasl_conv_reason(const struct sasl_conv *c);

#endif
