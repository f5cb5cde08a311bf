/*
 * reader - the map as front ends see it: the replica's LMDB of this host, read in place.
 *
 * Open after fork, once per process. A reader holds no transaction between calls, finds
 * a replaced or grown environment by itself, and never blocks on the replica.
 *
 * What a miss means: LOCATION_NONE is what the list at hand says. Before "no such mailbox"
 * reaches anybody, a barrier has to come through and the name be looked up once more:
 * location/lookup.h does both.
 */
#ifndef LOCATION_READER_H
#define LOCATION_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"
#include "location/location.h"
#include "location/tables.h"

enum location_result {
	LOCATION_FOUND,       /* active */
	LOCATION_IS_RESERVED, /* being made or moved: "later" after a barrier */
	LOCATION_NONE,        /* the list is complete and has no such name */
	LOCATION_BLIND,       /* no list, or never complete, or damaged: always "later" */
};
const char *location_result_text(enum location_result r);

struct location_reader;

/* dir is the replica's environment. Never fails: while there is nothing to open every
 * answer is LOCATION_BLIND (and opening is tried again, at most each 200 ms). */
struct location_reader *location_reader_new(const char *dir);
void location_reader_free(struct location_reader **r);

/* *loc_r is copied into a; set when FOUND or IS_RESERVED. */
enum location_result location_reader_find(struct location_reader *r, struct slice name,
                                          struct arena *a, struct location *loc_r);

/* loc is borrowed for the call. False stops the listing. Must not use the reader. */
typedef bool location_each_fn(void *ctx, const struct location *loc);
/* All names that start with prefix, in byte order, active and reserved. FOUND when the
 * list could be read (even when it has nothing for the prefix), else BLIND. */
enum location_result location_reader_list(struct location_reader *r, struct slice prefix,
                                          location_each_fn *fn, void *ctx);
/* The same, limited to names whose ACL mentions identifier ("fred", "group:x", "anyone"):
 * costs what it returns. */
enum location_result location_reader_list_acl(struct location_reader *r, struct slice identifier,
                                              struct slice prefix, location_each_fn *fn, void *ctx);

/* One part behind prefix, as IMAP's "%" asks for it. */
struct location_level {
	struct slice name; /* prefix and the part; borrowed for the call */
	bool is_there;     /* this name itself is in the list */
	bool has_below;    /* and names below it are */
};
typedef bool location_level_fn(void *ctx, const struct location_level *level);
/* The next level below prefix (empty, "lists.", "example.org!"), in byte order, of names whose
 * ACL mentions identifier (empty: of all names). A prefix without domain finds no domains.
 * Costs what it returns, not what is below that; and one step for each domain between. */
enum location_result location_reader_list_level(struct location_reader *r, struct slice identifier,
                                                struct slice prefix, location_level_fn *fn,
                                                void *ctx);

/* The domains that have names whose ACL mentions identifier: level->name is "example.org!".
 * Names without a domain are none of them. One step for each domain and for each top part. */
enum location_result location_reader_list_domains(struct location_reader *r,
                                                  struct slice identifier, location_level_fn *fn,
                                                  void *ctx);

struct location_info {
	char history[2 * LOCATION_HISTORY_LEN + 1]; /* hex; "" while blind */
	uint64_t revision;
	uint64_t term;
	uint64_t names; /* how many */
	/* Since the replica was last known in step with its master. 0 also when it never was, and
	 * for the list of a master itself. */
	uint64_t age_ms;
	bool complete; /* false: every miss is BLIND */
};
/* -1: nothing readable (*err says what; may be NULL). */
int location_reader_info(struct location_reader *r, struct location_info *info_r,
                         struct err *err) MUST_CHECK;

#endif
