/*
 * leg - the proxy's way into a store for one user: dial, greeting, STLS, XCLIENT, CAPA,
 * AUTH PLAIN. Afterwards the bytes are the owner's.
 *
 * RFC 1939, 2449, 2595, 5034. What does not come in time, or is not POP3, ends the leg.
 */
#ifndef POP3_LEG_H
#define POP3_LEG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "conf/servers.h"
#include "directory/auth.h"
#include "link/link.h"
#include "log/log.h"
#include "proto/pop3_client.h"

struct pop3_leg;

/* For whom. Borrowed until up or down. */
struct pop3_leg_login {
	const char *grant; /* of the client's login: directory/auth.h */
	uint64_t claim;
	const char *peer, *session; /* the client's */
	uint64_t connect_ms, login_ms;
};

struct pop3_leg_ops {
	/* Logged in; from now on `input` gets what the store says. */
	void (*up)(void *ctx, const struct pop3_offer *offer);
	/* As link_ops. */
	size_t (*input)(void *ctx, struct slice in);
	void (*drained)(void *ctx);
	/* It is over; free it. in_use: the store said [IN-USE] to the login. Why is for the
	 * log, borrowed. */
	void (*down)(void *ctx, bool in_use, const char *why);
};

/* server has an address for POP3. No callback comes from inside. server, log, auth, ops and ctx are borrowed for its life. */
struct pop3_leg *pop3_leg_new(struct loop *l, struct auth *a, const struct server *server,
                              const struct pop3_leg_login *login, const struct log_ctx *log,
                              const struct pop3_leg_ops *ops, void *ctx);
/* Cuts what there is. Fine from inside a callback. Accepts NULL, leaves NULL. */
void pop3_leg_free(struct pop3_leg **leg);

/* After up: borrowed for the leg's life. Its deadline is the owner's, and ends the leg. */
struct link *pop3_leg_link(struct pop3_leg *leg);

#endif
