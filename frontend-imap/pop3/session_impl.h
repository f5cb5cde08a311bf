/*
 * session_impl - what session.c (the way to the store) and relay.c (the conversation with it)
 * share.
 */
#ifndef POP3_SESSION_IMPL_H
#define POP3_SESSION_IMPL_H

#include "pop3/leg.h"
#include "pop3/session.h"
#include "proto/pop3_client.h"

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
	struct pop3_body body;
	uint64_t commands, bytes; /* to the client, for the log */
};

struct proxy_session {
	struct pop3_session pop3;
	uint64_t store_ms;
	uint64_t home_id; /* 0: nothing asked */
	char grant[AUTH_GRANT_MAX];
	struct pop3_leg_login login;
	struct pop3_leg *leg;
	struct relay relay;
};

static inline struct proxy_session *
proxy_session_of(struct pop3_session *p)
{
	STATIC_ASSERT(offsetof(struct proxy_session, pop3) == 0);
	return CONTAINER_OF(p, struct proxy_session, pop3);
}

/* For the log. */
const char *session_store(const struct proxy_session *s);

/* The session's ops `command` and `drained`. */
void relay_command(struct pop3_session *p, const struct pop3_event *ev);
void relay_client_drained(struct pop3_session *p);
size_t relay_store_input(struct proxy_session *s, struct slice in);
void relay_store_drained(struct proxy_session *s);
/* The store is gone: tells the client as far as that can be told, and ends. */
void relay_store_lost(struct proxy_session *s, const char *why);

#endif
