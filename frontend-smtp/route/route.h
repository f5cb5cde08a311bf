/*
 * route - where the mail of a recipient goes: address -> directory -> final users -> the
 * store of each, and under which claim. Design section 7.
 *
 * Blind means later: UNKNOWN and FOREIGN come from a directory that has answered, or,
 * without a directory (`directory = none`: stores with accounts of their own), from a
 * complete list of locations behind a barrier. Who is at home on a store that is not in the list
 * (servers.h) needs none.
 */
#ifndef ROUTE_ROUTE_H
#define ROUTE_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "conf/servers.h"
#include "directory/auth.h"
#include "location/lookup.h"

enum route_result {
	ROUTE_OK,
	ROUTE_UNKNOWN, /* no such address */
	ROUTE_FOREIGN, /* the domain is not ours */
	ROUTE_DENIED,  /* it is there and may not receive */
	ROUTE_INVALID, /* nothing we could look up */
	ROUTE_NO_HOME, /* an account without a mailbox, and nobody says where to make one */
	ROUTE_LOOP,    /* aliases that lead to themselves */
	ROUTE_LATER,
};
const char *route_result_text(enum route_result r); /* "ok", for logs */

/* A user the mail goes to. Borrowed for the callback. */
struct route_final {
	const char *user;         /* canonical */
	const char *detail;       /* "" without one */
	const char *home;         /* of the directory; "" unknown */
	enum route_result result; /* OK, UNKNOWN (no directory), NO_HOME, LATER */
	struct server *server;    /* OK: has an address for LMTP; of the table of servers */
	uint64_t claim;           /* OK: of the location; 0: unknown, or no mailbox yet */
	bool is_new;              /* OK by the directory: the store makes the mailbox */
	const char *why;          /* not OK: for the log */
};

struct route_answer {
	enum route_result result; /* of the address; the finals have their own */
	const struct route_final *finals;
	size_t count;
	/* Addresses elsewhere to which it is forwarded. OK: there is a final or one of these. */
	const char *const *relays;
	size_t relay_count;
	const char *why; /* not OK: for the log */
};
#define ROUTE_FINALS_MAX 1000 /* and as many relays */

/* All borrowed. auth NULL: there is no directory, and the names of users are made from
 * addresses; delimiter (0: none) then separates user and detail. */
struct route_config {
	struct loop *loop;
	struct auth *auth;
	struct lookup *lookup;
	struct servers *servers;
	const char *default_domain; /* may be "" */
	char delimiter;
};

struct route;
struct route *route_new(const struct route_config *c);
/* Questions under way are dropped unanswered. Before lookup and auth. */
void route_free(struct route **r);

/* Called once, from the loop, never from inside the question. */
typedef void route_fn(void *ctx, uint64_t id, const struct route_answer *a);

/* address without brackets ("fred+x@example.org", "postmaster"); session for the log of the
 * auth worker. Both copied. An id for route_cancel(), never 0. */
uint64_t route_find(struct route *r, struct slice address, const char *session, route_fn *fn,
                    void *ctx);
/* A user somebody has resolved already. again: with a barrier first, since a store would not
 * have his mail. home: what the directory said, "" unknown. All copied. */
uint64_t route_find_user(struct route *r, struct slice user, struct slice detail, const char *home,
                         bool again, route_fn *fn, void *ctx);
/* Harmless for ids that are answered, or 0. */
void route_cancel(struct route *r, uint64_t id);

#endif
