/*
 * session - POP3 on a store: RFC 1939, 2449, 2595, 5034.
 *
 * A session sees its user's INBOX as it was at the login: numbers and sizes stay, whatever
 * others do meanwhile. There is no lock: several sessions may be in one maildrop (RFC 1939
 * section 3 asks for one, so that numbers hold; the snapshot does that). Deletions happen
 * at QUIT and are on disk when it is answered.
 *
 * UIDL is "uidvalidity.uid", as Cyrus has it; both survive moves.
 */
#ifndef POP3_SESSION_H
#define POP3_SESSION_H

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

/* Settings of roost-store, beside those of conf/common.h: pop3_listen, pop3s_listen, ... */
extern const struct conf_def pop3_conf_table[];

enum {
	POP3_M_SESSIONS,
	POP3_M_CONNECTIONS,
	POP3_M_LOGIN_OK,
	POP3_M_LOGIN_DENIED,
	POP3_M_LOGIN_TEMP,
	POP3_M_RETRIEVED,
	POP3_M_DELETED,
	POP3_M_COUNT
};
extern struct metric pop3_metrics[POP3_M_COUNT];

/* What all sessions share. Everything is borrowed for its life. */
struct pop3_service_config {
	struct loop *loop;
	struct store *store;
	struct auth *auth;
	const struct conf *conf;
	struct tls_ctx *tls; /* NULL: not offered, and no port 995 */
};

struct pop3_service;
struct pop3_service *pop3_service_new(const struct pop3_service_config *c);
/* New settings for sessions that start from now on. */
void pop3_service_set_conf(struct pop3_service *p, const struct conf *conf, struct tls_ctx *tls);
/* Cuts the sessions that are left. Before the store is closed. */
void pop3_service_free(struct pop3_service **p);

/* Takes *c. tls: from the first byte (port 995). Never fails: a session that cannot start
 * tells the client why and ends itself. */
void pop3_session_start(struct pop3_service *p, struct conn **c, bool tls);

/* No new ones: who has not logged in is sent away, the others go on. done is called when
 * nobody is left, perhaps now. */
void pop3_service_drain(struct pop3_service *p, void (*done)(void *ctx), void *ctx);
/* The user's mailboxes are moved away: his sessions end, and delete nothing. */
void pop3_service_end_user(struct pop3_service *p, struct slice user);
size_t pop3_service_count(const struct pop3_service *p);

void pop3_service_each(const struct pop3_service *p, who_fn *fn, void *ctx);

#endif
