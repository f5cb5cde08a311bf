/*
 * session - mail comes into a store: LMTP, RFC 2033, with what proto/smtp_server.h offers but
 * DSN.
 *
 * Peers in trusted_networks (front ends, an MTA) just talk; all others log in first, as an
 * [identity] with the service lmtp.
 *
 * A recipient is the canonical user a trusted peer names (XUSER), else what the address says:
 * the user whose INBOX is here, or what the directory makes of it. An INBOX that the
 * directory places here is made when its first mail comes.
 *
 * Promise 1: 250 behind the body means that the message is on disk, for this recipient.
 * Promise 2: whoever does not know says 4xx.
 * Promise 5: a claim the peer names and that is not ours gets 4xx.
 * Promise 11: the key is the peer's (XKEY), else made here; a second offer is acknowledged.
 */
#ifndef LMTP_SESSION_H
#define LMTP_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/conf.h"
#include "directory/auth.h"
#include "mailbox/store.h"
#include "metrics/metrics.h"
#include "net/conn.h"
#include "net/loop.h"
#include "session/who.h"
#include "tls/tls.h"

/* Settings of roost-store, beside those of conf/common.h: lmtp_listen, ... */
extern const struct conf_def lmtp_conf_table[];

enum {
	LMTP_M_SESSIONS,
	LMTP_M_CONNECTIONS,
	LMTP_M_RCPT_OK,
	LMTP_M_RCPT_DENIED,
	LMTP_M_RCPT_TEMP,
	LMTP_M_DELIVERED,
	LMTP_M_DUPLICATE,
	LMTP_M_FAILED,
	LMTP_M_BYTES,
	LMTP_M_DELIVERY_MS,
	LMTP_M_COUNT
};
extern struct metric lmtp_metrics[LMTP_M_COUNT];

/* What all sessions share. Everything is borrowed for its life. */
struct lmtp_service_config {
	struct loop *loop;
	struct store *store;
	struct auth *auth;
	const struct conf *conf;
	struct tls_ctx *tls;   /* NULL: not offered */
	const char *server;    /* our name, as the directory knows it */
	bool alone;            /* cluster = none: users without a home are ours */
	const char *spool_dir; /* for big messages on their way in */
};

struct lmtp_service;
struct lmtp_service *lmtp_service_new(const struct lmtp_service_config *c);
/* New settings for sessions that start from now on. */
void lmtp_service_set_conf(struct lmtp_service *p, const struct conf *conf, struct tls_ctx *tls);
/* Cuts the sessions that are left; what is with the store goes on. Before that is closed. */
void lmtp_service_free(struct lmtp_service **p);

/* Takes *c. Never fails: a session that cannot start tells the client why and ends itself. */
void lmtp_session_start(struct lmtp_service *p, struct conn **c);

/* Who is in no transaction is sent away, the others when theirs is over. done is called when
 * nobody is left, perhaps now. */
void lmtp_service_drain(struct lmtp_service *p, void (*done)(void *ctx), void *ctx);
size_t lmtp_service_count(const struct lmtp_service *p);

void lmtp_service_each(const struct lmtp_service *p, who_fn *fn, void *ctx);

#endif
