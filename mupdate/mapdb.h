/*
 * mapdb - the map of mailbox names in LMDB (location/tables.h): the same at a master and at
 * a replica. The only writer of an environment.
 *
 * Changes are made in one open write transaction, which groups those of many connections;
 * mapdb_commit() makes them durable. Reading functions see what is committed, but
 * mapdb_find() sees the open changes too.
 *
 * Every change has a revision, one higher than the last (or, at a replica, the master's),
 * and a row in the log, kept for the last `log_rows` changes.
 */
#ifndef MAPDB_H
#define MAPDB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/must.h"
#include "location/location.h"
#include "location/tables.h"

struct mapdb;

struct mapdb_config {
	const char *dir;
	const char *cluster;   /* kept in the environment; another one there is refused */
	bool master;           /* the term is raised, a new environment gets a new history */
	uint64_t log_rows;     /* so many changes are kept; shorter than before: in time */
	uint64_t map_bytes;    /* 0: LOCATION_MAP_BYTES; it grows when it is full */
	uint64_t lock_wait_ms; /* waits so long for the writer's lock; 0: 10 s */
};

#define MAPDB_HISTORY_LEN (2 * LOCATION_HISTORY_LEN + 1)
/* What is committed. */
struct mapdb_info {
	char history[MAPDB_HISTORY_LEN]; /* hex; "" in an empty replica */
	uint64_t revision;
	uint64_t oldest; /* first revision that the log still has */
	uint64_t term;
	uint64_t heard_us; /* wall clock; 0: never, or a master */
	uint64_t unsure;   /* a master that rebuilds: records up to this revision are old ones */
	enum location_map_state state;
};

/* NULL with the operator's sentence. An environment of a replica that is damaged, or locked by
 * somebody who does not go on, or that ends whoever opens it (tried out when the last three came
 * to no clean end: no other thread may run), is moved aside (DIR/damaged.*) and made anew; one of a
 * master is left alone. */
struct mapdb *mapdb_open(const struct mapdb_config *c, struct err *err) MUST_CHECK;
/* A replica has worked for a while: its environment is good. */
void mapdb_set_proven(struct mapdb *m);
/* Looks at so many rows more, and whether the files are the ones it has open. True when it has
 * been through all of them; the next call begins again. What it finds, mapdb_is_damaged() says. */
bool mapdb_check_some(struct mapdb *m, unsigned rows);
/* Was something found that makes no sense? */
bool mapdb_is_damaged(const struct mapdb *m);
/* A replica: moves the environment aside and begins with an empty one. -1: it cannot be, and the
 * old one stays open. */
int mapdb_start_anew(struct mapdb *m, struct err *err) MUST_CHECK;
/* Drops open changes. */
void mapdb_close(struct mapdb **m);
/* Borrowed; changes with each commit. */
const struct mapdb_info *mapdb_info(const struct mapdb *m);
/* Does the list know all names, so that what is not in it is nowhere? */
bool mapdb_is_complete(const struct mapdb *m);
uint64_t mapdb_count(struct mapdb *m);

/* ---- changes ------------------------------------------------------------------------- */

/* Opens the write transaction, if it is not open. -1: the disk says no. */
int mapdb_begin(struct mapdb *m, struct err *err) MUST_CHECK;
bool mapdb_is_open(const struct mapdb *m);
enum mapdb_outcome {
	MAPDB_DONE,    /* all changes since mapdb_begin() are durable and visible */
	MAPDB_UNDONE,  /* none of them is, for certain: disk or map are full, or the disk fails.
			* Reads go on, and a map that was full has grown for the next try */
	MAPDB_UNKNOWN, /* the system failed in between */
};
enum mapdb_outcome mapdb_commit(struct mapdb *m, struct err *err) MUST_CHECK;
/* Drops them. */
void mapdb_abort(struct mapdb *m);

/* The open changes included. Copied into a. False: there is none (or the database failed,
 * which mapdb_commit() will tell). */
bool mapdb_find(struct mapdb *m, struct slice name, struct arena *a, struct location *loc_r);
/* Writes loc. Its revision 0: the next one. Returns the revision. */
uint64_t mapdb_set(struct mapdb *m, const struct location *loc);
/* Returns the revision, 0 when there is no such name (nothing happened). */
uint64_t mapdb_delete(struct mapdb *m, struct slice name, uint64_t revision);
/* The claim on a user's INBOX for server: raised when another server had it, and to what
 * the store says it had (0: it does not say). */
uint64_t mapdb_claim(struct mapdb *m, struct slice inbox, struct slice server, uint64_t at_least);
/* server has told all it holds, to this history. In the open write transaction. */
void mapdb_set_pushed(struct mapdb *m, struct slice server);
bool mapdb_has_pushed(struct mapdb *m, struct slice server);
/* In the open write transaction. */
void mapdb_set_state(struct mapdb *m, enum location_map_state state);
/* Is what a peer has under this term, up to this revision, part of the list? */
enum mapdb_kin {
	MAPDB_KIN_PART,
	MAPDB_KIN_UNKNOWN, /* that was too long ago, or of another history */
	MAPDB_KIN_AHEAD,   /* no: this history has gone on elsewhere */
};
enum mapdb_kin mapdb_compare(struct mapdb *m, uint64_t term, uint64_t revision);
/* A master: what is here is an old copy. A new history of the same names, which every server
 * has to push again. In the open write transaction. */
void mapdb_start_history(struct mapdb *m);
/* A master with a new history hears of a term higher than its own: its disk was lost, and its
 * clock was wrong when it began. The next one is its own. In the open write transaction. */
void mapdb_raise_term(struct mapdb *m, uint64_t above);
/* A replica: whose list this is (hex; empty: a plain master's, who names none, so that one of our
 * own begins), and how far it goes. Rows of the log that do not belong to that history are dropped.
 * whole: the list goes so far and no farther, whatever was known before. False: history is not hex
 * of 16 bytes. In the open write transaction. */
bool mapdb_follow(struct mapdb *m, struct slice history, uint64_t revision, uint64_t term,
                  bool whole) MUST_CHECK;
/* A replica: it has heard from its master at this time. In the open write transaction. */
void mapdb_set_heard(struct mapdb *m, uint64_t wall_us);

/* ---- reading what is committed ---------------------------------------------------------- */

/* loc is borrowed for the call. False stops. */
typedef bool mapdb_each_fn(void *ctx, const struct location *loc);
/* Names behind `after` (not it), in order. -1: the database failed. */
int mapdb_each_after(struct mapdb *m, struct slice after, mapdb_each_fn *fn, void *ctx) MUST_CHECK;
int mapdb_each_prefix(struct mapdb *m, struct slice prefix, mapdb_each_fn *fn,
                      void *ctx) MUST_CHECK;
/* Names at those servers that start with prefix (whole: at the one that is called so), behind
 * after (empty: all), in the order of Cyrus (location/tables.h). Costs what it tells. */
struct mapdb_by_server {
	struct slice prefix;
	bool whole;
	struct slice after;
};
int mapdb_each_of(struct mapdb *m, const struct mapdb_by_server *by, mapdb_each_fn *fn,
                  void *ctx) MUST_CHECK;
/* Servers the map knows, with the number of their names. */
typedef void mapdb_server_fn(void *ctx, struct slice server, uint64_t names);
int mapdb_each_server(struct mapdb *m, mapdb_server_fn *fn, void *ctx) MUST_CHECK;

struct mapdb_change {
	uint64_t revision;
	struct slice name;
	const struct location *loc; /* NULL: deleted */
};
/* Changes behind a revision, in order. Those a later change has made pointless are left
 * out; the last one is always there. Borrowed for the call. False stops. */
typedef bool mapdb_change_fn(void *ctx, const struct mapdb_change *c);
/* 1: done; 0: the log does not go back that far; -1: the database failed. */
int mapdb_each_change(struct mapdb *m, uint64_t after, mapdb_change_fn *fn, void *ctx) MUST_CHECK;

/* ---- a whole new list, collected aside --------------------------------------------------- */

/* One at a time, in DIR/collect; what an older one left there is dropped. */
int mapdb_collect_begin(struct mapdb *m, struct err *err) MUST_CHECK;
void mapdb_collect_set(struct mapdb *m, const struct location *loc);
void mapdb_collect_delete(struct mapdb *m, struct slice name);
/* Writes what differs from the list at hand into the open write transaction, and ends.
 * Each change gets its record's own revision, deletions `revision`; 0: the next ones. */
int mapdb_collect_end(struct mapdb *m, uint64_t revision, struct err *err) MUST_CHECK;
void mapdb_collect_drop(struct mapdb *m);
bool mapdb_is_collecting(const struct mapdb *m);
/* False: something could not be written; mapdb_collect_end() says what, and the count is wrong. */
bool mapdb_collect_is_whole(const struct mapdb *m);
/* Names collected so far. */
uint64_t mapdb_collect_count(const struct mapdb *m);

/* Now and then: slots of readers that died. */
void mapdb_check_readers(struct mapdb *m);

#endif
