/*
 * home - which store has a user's mailboxes, and under which claim.
 *
 * The location of his INBOX, found by the host's list and, when that has none, by a
 * barrier and a second look (location/lookup.h). A user who has no mailbox yet goes to the
 * store the directory names: it makes his INBOX. Blind means later: HOME_NONE needs a
 * complete list, a barrier that came through, and a directory that knows no store.
 *
 * Where there are stores that are not in the list (servers.h), the directory is asked first: whose
 * home is one of them needs no list.
 */
#ifndef ROUTE_HOME_H
#define ROUTE_HOME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "conf/servers.h"
#include "directory/auth.h"
#include "location/lookup.h"

enum home_result {
	HOME_FOUND,
	HOME_NONE,  /* no mailbox, and nobody says where to make one */
	HOME_LATER, /* no list, no barrier, reserved (being moved), directory away, or the list
	             * names a server that the settings lack */
};
const char *home_result_text(enum home_result r); /* "found", for logs */

/* For the log, when a store of ours takes none of our tokens: a user's own password never comes
 * that far. */
#define HOME_TOKEN_HINT " hint=\"another cluster_secret there, or clocks that differ\""

struct home_answer {
	enum home_result result;
	struct server *server; /* FOUND; borrowed from the table of servers */
	uint64_t claim;        /* of the location; 0: unknown, or no mailbox yet */
	bool is_new;           /* FOUND by the directory: there is no mailbox yet */
	const char *why;       /* not FOUND: for the log, borrowed for the call */
};

struct home;
typedef void home_fn(void *ctx, uint64_t id, const struct home_answer *a);

/* All borrowed. default_domain may be empty. */
struct home *home_new(struct lookup *lookup, struct auth *auth, struct servers *servers,
                      struct slice default_domain);
/* Questions under way are dropped unanswered. Before lookup and auth. */
void home_free(struct home **h);

/* user is canonical ("fred", "ann@example.net"); copied. fn is called once, later, from
 * the loop. An id for home_cancel(), never 0. */
uint64_t home_find(struct home *h, struct slice user, home_fn *fn, void *ctx);
/* The same with a barrier first, whatever the list says now: a store has said that the
 * user is not (or no longer) there. */
uint64_t home_find_again(struct home *h, struct slice user, home_fn *fn, void *ctx);
/* Harmless for ids that are answered, or 0. */
void home_cancel(struct home *h, uint64_t id);

#endif
