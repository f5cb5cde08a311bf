/*
 * sessions - the sessions that a service has open: the list, how many, how many may be,
 * and the drain.
 *
 * Sessions are made and ended by their service; here are their nodes. No metrics, no log.
 *
 *	LIST_EACH (s, &p->sessions.list, struct my_session, node)
 *		...
 */
#ifndef SESSION_SESSIONS_H
#define SESSION_SESSIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

struct sessions {
	struct list list; /* in the order in which they came */
	size_t count;
	uint64_t limit;  /* the owner's: a setting, which may change */
	bool sends_away; /* a drain: a session says goodbye when it has nothing under way */
	void (*drained)(void *ctx);
	void *drained_ctx; /* borrowed until it is called, or sessions_forget_drain() */
};

/* Is to end its session now; may leave it for later in a drain. */
typedef void sessions_fn(struct list *node);

void sessions_init(struct sessions *l);
/* node is borrowed until sessions_remove(). Also above the limit: he is to be told so. */
void sessions_add(struct sessions *l, struct list *node);
/* Each session once. The last one of a drain calls `drained`. */
void sessions_remove(struct sessions *l, struct list *node);
bool sessions_are_too_many(const struct sessions *l);

/* No new ones come. send_away is called for each session, and is to end those that have nothing
 * under way; NULL: all may stay. done is called once when nobody is left, perhaps now. */
void sessions_drain(struct sessions *l, sessions_fn *send_away, void (*done)(void *ctx), void *ctx);
/* Nobody waits for its end any more. Before the service ends its sessions to be freed. */
void sessions_forget_drain(struct sessions *l);

#endif
