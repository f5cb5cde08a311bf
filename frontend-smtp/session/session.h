/*
 * session - SMTP for the Internet (port 25) and LMTP for an MTA before us (port 24), on a
 * front end that keeps nothing: what is answered 250 is on the disk of every store it
 * belongs to. RFC 5321, 2033; design section 7.
 */
#ifndef SESSION_SESSION_H
#define SESSION_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/conf.h"
#include "deliver/pool.h"
#include "metrics/metrics.h"
#include "net/conn.h"
#include "net/loop.h"
#include "route/route.h"
#include "tls/tls.h"

/* Settings of roost-smtp, beside those of conf/common.h. */
extern const struct conf_def smtp_conf_table[];

enum {
	SMTP_M_SESSIONS,
	SMTP_M_CONNECTIONS,
	SMTP_M_TOO_MANY,
	SMTP_M_RCPT_OK,
	SMTP_M_RCPT_TEMP,
	SMTP_M_RCPT_REFUSED,
	SMTP_M_MSG_OK,
	SMTP_M_MSG_TEMP,
	SMTP_M_MSG_REFUSED,
	SMTP_M_DELIVERED,
	SMTP_M_DELIVERY_TEMP,
	SMTP_M_DELIVERY_REFUSED,
	SMTP_M_BYTES,
	SMTP_M_DELIVERY_MS,
	SMTP_M_COUNT
};
extern struct metric smtp_metrics[SMTP_M_COUNT];

/* What all sessions of a worker share. Everything is borrowed for its life. */
struct smtp_proxy_config {
	struct loop *loop;
	struct route *route;
	struct pool *pool;
	const struct conf *conf;
	struct tls_ctx *tls; /* for clients; NULL: not offered */
};

struct smtp_proxy;
struct smtp_proxy *smtp_proxy_new(const struct smtp_proxy_config *c);
/* Cuts the sessions that are left. Before the pool, the route and the loop. */
void smtp_proxy_free(struct smtp_proxy **p);

/* Takes *c. Never fails: a session that cannot start tells the client why and ends
 * itself. */
void smtp_session_start(struct smtp_proxy *p, struct conn **c, bool lmtp);

/* No new transactions: clients are sent away (421) as soon as theirs is over; with may_stay (a
 * reload) they go when they like. done is called when nobody is left, perhaps now. */
void smtp_proxy_drain(struct smtp_proxy *p, bool may_stay, void (*done)(void *ctx), void *ctx);
size_t smtp_proxy_count(const struct smtp_proxy *p);

/* For the control command `who`: all strings borrowed for the call. */
struct smtp_session_info {
	const char *session, *peer, *state;
	bool lmtp, tls;
	uint64_t age_s;
};
typedef void smtp_session_each_fn(void *ctx, const struct smtp_session_info *info);
void smtp_proxy_each(const struct smtp_proxy *p, smtp_session_each_fn *fn, void *ctx);

#endif
