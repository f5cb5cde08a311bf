/*
 * pop3_session - POP3 from the greeting to the login, and the client's link up to the end: the
 * same on a store and on a front end. RFC 1939, 2449, 2595, 5034.
 *
 * The words are those of proto/pop3_server.h. What a login leads to and what commands do
 * afterwards is the owner's: a maildrop, or the way to another host. While an answer is
 * awaited (auth worker, owner) the link is paused, so that the core is not fed.
 */
#ifndef SESSION_POP3_SESSION_H
#define SESSION_POP3_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "conf/conf.h"
#include "directory/auth.h"
#include "link/link.h"
#include "log/log.h"
#include "mail/mbox_name.h"
#include "metrics/metrics.h"
#include "net/addr.h"
#include "net/conn.h"
#include "net/loop.h"
#include "proto/pop3_server.h"
#include "session/sessions.h"
#include "session/who.h"
#include "tls/tls.h"

enum {
	POP3_M_SESSIONS,
	POP3_M_CONNECTIONS,
	POP3_M_LOGIN_OK,
	POP3_M_LOGIN_DENIED,
	POP3_M_LOGIN_TEMP,
	POP3_M_COUNT
};
extern struct metric pop3_metrics[POP3_M_COUNT];

/* ---- for programs -------------------------------------------------------------------------- */

/* What all sessions share. Everything is borrowed for its life. */
struct pop3_service_config {
	struct loop *loop;
	struct auth *auth;
	const struct conf *conf; /* has pop3_login_timeout, _idle_timeout and _max_sessions */
	struct tls_ctx *tls;     /* NULL: not offered, and no port 995 */
	const struct pop3_ops *ops;
	void *owner; /* what ops need */
};

struct pop3_service;
struct pop3_service *pop3_service_new(const struct pop3_service_config *c);
/* New settings for sessions that start from now on. */
void pop3_service_set_conf(struct pop3_service *p, const struct conf *conf, struct tls_ctx *tls);
/* Cuts the sessions that are left. Before the owner and the loop go. */
void pop3_service_free(struct pop3_service **p);

/* Takes *c. tls: from the first byte (port 995). Never fails: a session that cannot start
 * tells the client why and ends itself. */
void pop3_session_start(struct pop3_service *p, struct conn **c, bool tls);

/* No new ones: who has not logged in is sent away, unless may_stay (a reload); the others go
 * on. done is called when nobody is left, perhaps now. */
void pop3_service_drain(struct pop3_service *p, bool may_stay, void (*done)(void *ctx), void *ctx);
/* The user's mailboxes are moved away: his sessions end, and delete nothing. */
void pop3_service_end_user(struct pop3_service *p, struct slice user);
size_t pop3_service_count(const struct pop3_service *p);
void pop3_service_each(const struct pop3_service *p, who_fn *fn, void *ctx);

/* ---- for owners ------------------------------------------------------------------------------ */

struct pop3_service {
	struct pop3_service_config c;
	struct sessions sessions;
	uint64_t login_ms, idle_ms;
};

/* The first member of the owner's own struct, which is made zeroed. */
struct pop3_session {
	struct list node; /* in service->sessions */
	struct pop3_service *service;
	struct link *client;
	struct pop3_server *core;
	struct pop3_server_settings settings;
	bool implicit_tls; /* not greeted yet */
	bool logged_in, ended;
	bool quitting; /* nothing more comes from the client; his last word is to be answered */

	char id[ORIGIN_SESSION_MAX + 1];
	char peer[ADDR_TEXT_LEN];
	char user[MBOX_USER_MAX + 1]; /* from `known` on; before it "", or whom we refused */
	const char *store;            /* the owner's: where his mail is, NULL: here, or not known */
	struct log_ctx log;
	uint64_t started_ms;
	uint64_t auth_id; /* 0: nothing asked */
};

struct pop3_ops {
	size_t session_bytes; /* of the owner's struct */
	/* What comes behind an XCLIENT are the words of the client that it names, passed on by a
	 * proxy: they name nobody. */
	bool client_follows;
	/* He is s->user. Leads to pop3_session_enter() or _refuse(), now or later. */
	void (*known)(struct pop3_session *s, const struct auth_reply *r);
	/* A command after the login; also POP3_REPLY and POP3_BYE. */
	void (*command)(struct pop3_session *s, const struct pop3_event *ev);
	/* After the login there is room for more output. */
	void (*drained)(struct pop3_session *s);
	/* It is over, nothing else is called: gives back what is the owner's. Writes for the log
	 * what he did, "messages=3". */
	void (*end)(struct pop3_session *s, struct buf *done);
};

/* To `known`. The client may do what he likes now, or try again. */
void pop3_session_enter(struct pop3_session *s);
void pop3_session_refuse(struct pop3_session *s, enum pop3_refusal why);

/* A line without its CRLF. */
void pop3_session_reply(struct pop3_session *s, const char *line);
/* Something moved: the inactivity timer starts anew. */
void pop3_session_touch(struct pop3_session *s);
/* No callback comes any more; freed at the end of the loop's turn. why: for the log. */
void pop3_session_end(struct pop3_session *s, const char *why);

#endif
