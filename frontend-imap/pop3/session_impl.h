/*
 * session_impl - what session.c (login) and relay.c (the conversation after it) share.
 */
#ifndef POP3_SESSION_IMPL_H
#define POP3_SESSION_IMPL_H

#include "base/list.h"
#include "conf/common.h"
#include "directory/auth.h"
#include "link/link.h"
#include "log/log.h"
#include "mail/mbox_name.h"
#include "pop3/leg.h"
#include "pop3/session.h"
#include "proto/pop3_client.h"
#include "proto/pop3_server.h"
#include "session/sessions.h"

/* Commands taken from the client and not answered yet. More wait in its socket. */
#define RELAY_MAX 64

enum relay_kind { RELAY_COMMAND, RELAY_CAPA, RELAY_REPLY, RELAY_BYE };
struct relay_item {
	enum relay_kind kind;
	enum pop3_verb verb; /* COMMAND */
	uint32_t number, lines;
	const char *text; /* REPLY, BYE */
};

struct relay {
	struct pop3_offer offer;
	struct relay_item items[RELAY_MAX]; /* a ring */
	unsigned head, count;
	unsigned sent; /* of count, from head on: with the store, or answered by us */
	bool in_body;  /* the store is in the lines behind the head's +OK */
	bool quitting; /* nothing more comes from the client */
	struct pop3_body body;
	uint64_t commands, bytes; /* to the client, for the log */
};

struct pop3_limits {
	uint64_t login_ms, idle_ms, connect_ms, store_ms;
};

struct pop3_proxy {
	struct pop3_proxy_config c;
	struct pop3_limits limits;
	struct sessions sessions;
};

struct pop3_session {
	struct list node; /* in proxy->sessions */
	struct pop3_proxy *proxy;
	struct link *client;
	struct pop3_server *core;
	struct pop3_server_settings settings;
	bool implicit_tls; /* not greeted yet */
	bool logged_in, ended;

	char id[POP3_SESSION_MAX + 1];
	char peer[ADDR_TEXT_LEN];
	char user[MBOX_USER_MAX + 1]; /* "" before the login */
	struct log_ctx log;
	uint64_t started_ms;

	uint64_t auth_id, home_id; /* 0: nothing asked */
	char grant[AUTH_GRANT_MAX];
	const struct server *server; /* NULL: not known */
	struct pop3_leg_login login;
	struct pop3_leg *leg;
	struct relay relay;
};

/* For the log. */
const char *session_store(const struct pop3_session *s);
/* No callback comes any more; freed at the end of the loop's turn. why: for the log. */
void session_end(struct pop3_session *s, const char *why);

/* The store has let us in. */
void relay_start(struct pop3_session *s, const struct pop3_offer *offer);
/* A command of the client. */
void relay_command(struct pop3_session *s, const struct pop3_event *ev);
size_t relay_store_input(struct pop3_session *s, struct slice in);
void relay_client_drained(struct pop3_session *s);
void relay_store_drained(struct pop3_session *s);
/* The store is gone: tells the client as far as that can be told, and ends. */
void relay_store_lost(struct pop3_session *s, const char *why);

#endif
