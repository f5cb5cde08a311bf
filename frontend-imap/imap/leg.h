/*
 * leg - the proxy's way into one store for one user: dial, greeting, STARTTLS,
 * CAPABILITY, ID, AUTHENTICATE PLAIN, ENABLE. Afterwards responses are the owner's.
 *
 * RFC 3501, 4959, 2971, 5161. What does not come in time or is out of step ends the leg.
 * Credentials never leave on a link that should be encrypted and is not.
 */
#ifndef IMAP_LEG_H
#define IMAP_LEG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "conf/servers.h"
#include "directory/auth.h"
#include "log/log.h"
#include "net/loop.h"
#include "proto/imap_resp.h"

struct imap_leg;

/* For whom. Copied; the strings are borrowed until up or down. */
struct imap_leg_login {
	const char *grant;          /* of the client's login: directory/auth.h */
	uint64_t claim;             /* AUTH_CLAIM_GUEST: of no interest there */
	const char *peer, *session; /* the client's */
	const char *enable;         /* "CONDSTORE": features of the session, replayed where there
	                             * is ENABLE; or NULL */
	uint64_t connect_ms, login_ms;
};

enum imap_leg_end {
	IMAP_LEG_AWAY,    /* cannot be reached, says BYE, breaks, is late or out of step */
	IMAP_LEG_REFUSED, /* it answers, and lets the user not in: another store may be right */
	IMAP_LEG_LIMIT,   /* it says [LIMIT]: too many connections */
};

struct imap_leg_ops {
	/* Logged in; server->imap_offer is what it has. */
	void (*up)(void *ctx, struct imap_leg *leg);
	/* After up: a piece of a response. False: it is out of step (down follows). */
	bool (*response)(void *ctx, struct imap_leg *leg, const struct imap_resp_event *ev);
	/* After some of these: all that is at hand has been given. */
	void (*fed)(void *ctx, struct imap_leg *leg);
	/* Output has fallen under the low-water mark. */
	void (*drained)(void *ctx, struct imap_leg *leg);
	/* After up: the time of imap_leg_set_deadline() is over. */
	void (*deadline)(void *ctx, struct imap_leg *leg);
	/* It is over; free it. why is for the log, borrowed. Called once. */
	void (*down)(void *ctx, struct imap_leg *leg, enum imap_leg_end how, const char *why);
};

/* What the owner keeps about a leg; all false at first. */
struct imap_leg_notes {
	bool drop;      /* the response under way is not for the client */
	bool condstore; /* enabled there */
	uint64_t used;  /* when it was last wanted: clock_mono_ms() */
};

/* No callback comes from inside. All is borrowed for its life but login. */
struct imap_leg *imap_leg_new(struct loop *l, struct auth *a, struct server *server,
                              const struct imap_leg_login *login, const struct log_ctx *log,
                              const struct imap_leg_ops *ops, void *ctx);
/* Fine from inside a callback. bye: with a LOGOUT. Accepts NULL, leaves NULL. */
void imap_leg_free(struct imap_leg **leg, bool bye);

/* The owner's list of its legs. */
struct list *imap_leg_node(struct imap_leg *leg);
struct imap_leg *imap_leg_of_node(struct list *node);
struct server *imap_leg_server(const struct imap_leg *leg);
struct imap_leg_notes *imap_leg_notes(struct imap_leg *leg);
bool imap_leg_is_up(const struct imap_leg *leg);
/* In the middle of a response of which the owner has had a part. */
bool imap_leg_is_talking(const struct imap_leg *leg);

/* ---- after up ---- */

/* The owner writes whole commands here, and flushes when outside of a leg's callback. */
struct buf *imap_leg_out(struct imap_leg *leg);
void imap_leg_flush(struct imap_leg *leg);
bool imap_leg_is_congested(const struct imap_leg *leg);
/* The client does not read: take nothing from the store until resumed. */
void imap_leg_set_paused(struct imap_leg *leg, bool paused);
bool imap_leg_is_paused(const struct imap_leg *leg);
void imap_leg_set_deadline(struct imap_leg *leg, uint64_t ms);

#endif
