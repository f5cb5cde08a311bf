/*
 * session - SMTP for the Internet (port 25), for our users (587 with STARTTLS, 465 in TLS), and
 * LMTP for an MTA before us (port 24), on a front end that keeps nothing: what is answered 250
 * is on the disk of every store it belongs to, and with the next hop where it leaves us.
 * RFC 5321, 2033, 6409, 8314; design section 7.
 */
#ifndef SESSION_SESSION_H
#define SESSION_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/conf.h"
#include "directory/auth.h"
#include "deliver/pool.h"
#include "deliver/relay.h"
#include "metrics/metrics.h"
#include "net/conn.h"
#include "net/loop.h"
#include "route/route.h"
#include "session/who.h"
#include "tls/tls.h"

/* Settings of roost-smtp, beside those of conf/common.h. */
extern const struct conf_def smtp_conf_table[];

enum {
	SMTP_M_SESSIONS,
	SMTP_M_CONNECTIONS,
	SMTP_M_TOO_MANY,
	SMTP_M_LOGIN_OK,
	SMTP_M_LOGIN_DENIED,
	SMTP_M_LOGIN_TEMP,
	SMTP_M_RCPT_OK,
	SMTP_M_RCPT_TEMP,
	SMTP_M_RCPT_REFUSED,
	SMTP_M_MSG_OK,
	SMTP_M_MSG_TEMP,
	SMTP_M_MSG_REFUSED,
	SMTP_M_DELIVERED, /* and its answers in this order */
	SMTP_M_DELIVERY_TEMP,
	SMTP_M_DELIVERY_REFUSED,
	SMTP_M_RELAYED, /* in the same order */
	SMTP_M_RELAY_TEMP,
	SMTP_M_RELAY_REFUSED,
	SMTP_M_BOUNCED,
	SMTP_M_BYTES,
	SMTP_M_DELIVERY_MS,
	SMTP_M_COUNT
};
extern struct metric smtp_metrics[SMTP_M_COUNT];

/* Whom a listener is for; the names of struct svc_listen_def are in the same order. */
enum smtp_service {
	SMTP_SERVICE_MX,
	SMTP_SERVICE_LMTP,
	SMTP_SERVICE_SUBMISSION,
	SMTP_SERVICE_SUBMISSIONS, /* TLS from the first byte on */
};
const char *smtp_service_name(enum smtp_service s); /* "smtp lmtp submission submissions" */

struct guard;
/* What all sessions of a worker share. Everything is borrowed for its life. */
struct smtp_proxy_config {
	struct loop *loop;
	struct auth *auth;   /* NULL: no directory, and no logins */
	struct guard *guard; /* NULL: no rates */
	struct route *route;
	struct pool *pool;
	struct relay *relay;
	const struct conf *conf;
	struct tls_ctx *tls; /* for clients; NULL: not offered */
};

struct smtp_proxy;
struct smtp_proxy *smtp_proxy_new(const struct smtp_proxy_config *c);
/* Cuts the sessions that are left. Before the pool, the route and the loop. */
void smtp_proxy_free(struct smtp_proxy **p);

/* Takes *c. Never fails: a session that cannot start tells the client why and ends
 * itself. */
void smtp_session_start(struct smtp_proxy *p, struct conn **c, enum smtp_service service);

/* No new transactions: clients are sent away (421) as soon as theirs is over; with may_stay (a
 * reload) they go when they like. done is called when nobody is left, perhaps now. */
void smtp_proxy_drain(struct smtp_proxy *p, bool may_stay, void (*done)(void *ctx), void *ctx);
size_t smtp_proxy_count(const struct smtp_proxy *p);

void smtp_proxy_each(const struct smtp_proxy *p, who_fn *fn, void *ctx);

#endif
