/*
 * feed - long answers in pieces: LIST, and UPDATE with its snapshot and its stream. RFC 3656
 * sections 4.6 and 4.11.
 *
 * Never holds a read transaction across a wait. A snapshot is told in order of the names,
 * a piece whenever the output has room, each record as it is at that moment; then follow
 * the changes since the snapshot began, so that in the end the peer has the list of one
 * revision. Changes are read from the log of the map: a subscriber costs a number, not a
 * queue, and one that is too far behind is dropped.
 *
 * Plain peers are Cyrus', and get what Cyrus can take: its own order of names (before 3.6 that
 * of octets), "streaming starts" before the changes, and then some names again (feed.c says
 * why).
 */
#ifndef FEED_H
#define FEED_H

#include <stdbool.h>
#include <stdint.h>

#include "mapdb.h"
#include "proto/mupdate_server.h"

struct feed;

enum feed_kind { FEED_LIST, FEED_UPDATE };
struct feed_ask {
	enum feed_kind kind;
	const char *tag;
	struct slice place; /* LIST: prefix of the place; empty: all */
	bool is_since;      /* UPDATE SINCE history revision */
	bool is_part;       /* and what the peer has is part of the list */
	struct slice history;
	uint64_t revision;
	unsigned host_count; /* UPDATE: only these servers; 0: all */
	const struct slice *hosts;
	uint64_t lag_max; /* changes; who is farther behind fails */
	bool by_octets;   /* a plain peer wants the names in this order, not in Cyrus' */
};

/* Copies what it needs of ask; writes nothing yet. */
struct feed *feed_new(struct mapdb *db, struct mupdate_server *core, const struct feed_ask *ask);
void feed_free(struct feed **f);

enum feed_result {
	FEED_MORE,   /* has more to say: call again when there is room, in another turn */
	FEED_DONE,   /* LIST: the answer is complete, the feed can go */
	FEED_LIVE,   /* UPDATE: all is told; call again when the map has changed */
	FEED_FAILED, /* the map cannot be read, or the peer is too far behind: close */
};
/* Adds about `room` bytes to the core's output (out) and no more than a record beyond. */
enum feed_result feed_step(struct feed *f, const struct buf *out, size_t room);
/* A line about one name, as this peer wants it. */
void feed_tell(struct mupdate_server *core, const char *tag, const struct location *loc);
/* Told up to this revision. */
uint64_t feed_revision(const struct feed *f);
bool feed_is_update(const struct feed *f);
/* In the middle of the names. */
bool feed_is_in_list(const struct feed *f);

#endif
