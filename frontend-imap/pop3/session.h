/*
 * session - POP3 for clients, on a front end: log in, find the home, let the store do the
 * rest. RFC 1939, 2449, 2595, 5034.
 *
 * A user whose home cannot be found or reached for whatever reason is told [SYS/TEMP]:
 * mail clients keep the password and come again.
 */
#ifndef POP3_SESSION_H
#define POP3_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/conf.h"
#include "directory/auth.h"
#include "metrics/metrics.h"
#include "net/conn.h"
#include "net/loop.h"
#include "route/home.h"
#include "session/who.h"
#include "tls/tls.h"

/* Settings of roost-imap, beside those of conf/common.h. */
extern const struct conf_def pop3_conf_table[];

enum {
	POP3_M_SESSIONS,
	POP3_M_CONNECTIONS,
	POP3_M_LOGIN_OK,
	POP3_M_LOGIN_DENIED,
	POP3_M_LOGIN_TEMP,
	POP3_M_STORE_LOST,
	POP3_M_COUNT
};
extern struct metric pop3_metrics[POP3_M_COUNT];

/* What all sessions of a worker share. Everything is borrowed for its life. */
struct pop3_proxy_config {
	struct loop *loop;
	struct auth *auth;
	struct home *home;
	const struct conf *conf;
	struct tls_ctx *tls; /* for clients; NULL: not offered, and no port 995 */
};

struct pop3_proxy;
struct pop3_proxy *pop3_proxy_new(const struct pop3_proxy_config *c);
/* Cuts the sessions that are left. Before the loop is freed. */
void pop3_proxy_free(struct pop3_proxy **p);

/* Takes *c. tls: from the first byte (port 995). Never fails: a session that cannot start
 * tells the client why and ends itself. */
void pop3_session_start(struct pop3_proxy *p, struct conn **c, bool tls);

/* No new ones: who has not logged in is sent away, unless may_stay (a reload); the others go
 * on. done is called when nobody is left, perhaps now. */
void pop3_proxy_drain(struct pop3_proxy *p, bool may_stay, void (*done)(void *ctx), void *ctx);
size_t pop3_proxy_count(const struct pop3_proxy *p);

void pop3_proxy_each(const struct pop3_proxy *p, who_fn *fn, void *ctx);

#endif
