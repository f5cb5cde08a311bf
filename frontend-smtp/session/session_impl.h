/*
 * session_impl - what session.c (a client), login.c (who he is), submit.c (what he may
 * send), rates.c (how much) and proxy.c (all of them) share.
 */
#ifndef SESSION_SESSION_IMPL_H
#define SESSION_SESSION_IMPL_H

#include "base/list.h"
#include "base/map.h"
#include "conf/common.h"
#include "directory/directory.h"
#include "link/link.h"
#include "log/log.h"
#include "proto/smtp_server.h"
#include "rewrite/submitted.h"
#include "session/session.h"
#include "session/sessions.h"
#include "session/txn.h"

struct smtp_limits {
	uint64_t command_ms, data_ms, message_ms;
	uint64_t per_address, refused;
};

struct smtp_proxy {
	struct smtp_proxy_config c;
	struct smtp_limits limits;
	struct txn_shared shared;
	struct sessions sessions;
	struct map *by_address; /* network of the conn's peer -> struct address_count */
};

struct address_count {
	char net[ADDR_TEXT_LEN];
	size_t sessions;
};

struct smtp_session {
	struct list node; /* in proxy->sessions */
	struct smtp_proxy *proxy;
	struct link *client; /* NULL: gone, while the stores still answer */
	struct smtp_server *core;
	struct smtp_server_settings settings;
	enum smtp_service service;
	bool ended;
	bool in_tls;       /* the handshake is under way */
	bool delivering;   /* the stores have the message */
	bool said_all;     /* nothing more comes from the client, who may still listen */
	uint64_t until_ms; /* a body has to be whole by then */

	char id[ORIGIN_SESSION_MAX + 1];
	char peer[ADDR_TEXT_LEN];
	struct addr from; /* what his rights depend on: the conn's peer, or whom XCLIENT named */
	char user[DIRECTORY_NAME_MAX + 1]; /* canonical, who has logged in; "": nobody */
	uint64_t auth_id;                  /* a login, or a question whether he may; 0: none */
	uint64_t rate_id;                  /* may so much be sent? 0: not asked */
	struct smtp_mail mail;             /* waits for that question; its slices are the arena's */
	struct arena *arena;               /* of the question */
	const char *froms[SUBMITTED_FROM_MAX]; /* of the message: to be asked for */
	size_t from_count, from_next;
	struct log_ctx log;
	struct address_count *address;
	uint64_t started_ms;
	uint64_t transactions, refused;
	struct txn *txn; /* NULL: none */
};

/* Says goodbye, unless that is said, and ends. why: for the log. */
void session_bye(struct smtp_session *s, int code, const char *enhanced, const char *text,
                 const char *why);
/* No callback comes any more; freed at the end of the loop's turn. */
void session_end(struct smtp_session *s, const char *why);
/* Is it in nobody's way when it ends now? */
bool session_is_idle(const struct smtp_session *s);

/* An answer was given outside of the link's callbacks. */
void session_answered(struct smtp_session *s);

/* The transaction begins, and MAIL is answered. */
void session_begin_transaction(struct smtp_session *s, const struct smtp_mail *mail);
/* It gets its message. */
void session_deliver(struct smtp_session *s);

/* ---- login.c ---- */

void session_login_start(struct smtp_session *s, const struct smtp_event *ev);
void session_login_step(struct smtp_session *s, struct slice data);
void session_login_cancel(struct smtp_session *s);
/* A trusted proxy says who has logged in; empty: nobody. */
void session_login_set(struct smtp_session *s, struct slice user);
/* What was said before TLS does not count. */
void session_login_forget(struct smtp_session *s);
/* May mail of his leave us? */
bool session_may_relay(const struct smtp_session *s);

/* ---- submit.c ---- */

/* MAIL: may he send as this? Answers it. */
void session_submit_mail(struct smtp_session *s, const struct smtp_mail *mail);
/* The message is whole: what he may not say is refused, what is missing is added, and it goes its
 * way. */
void session_submit_message(struct smtp_session *s);

/* ---- rates.c ---- */

/* The message is about to come: may it? Answers DATA. */
void session_rates_ask(struct smtp_session *s);
void session_rates_cancel(struct smtp_session *s);

/* ---- proxy.c ---- */

void proxy_add_session(struct smtp_proxy *p, struct smtp_session *s, const struct addr *peer);
/* A session is gone: the drain may be over. */
void proxy_lost_session(struct smtp_proxy *p, struct smtp_session *s);

#endif
