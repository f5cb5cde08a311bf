/*
 * scenes - what one thread of the load generator does again and again: a delivery on a
 * connection it keeps, or a whole session of a mail program.
 */
#ifndef PERF_LOAD_SCENES_H
#define PERF_LOAD_SCENES_H

#include <stdbool.h>
#include <stdint.h>

#include "perf/load/peer.h"

struct load {
	const char *address; /* "127.0.0.1:2124" */
	const char *domain, *password;
	const char *const *users; /* local parts */
	unsigned user_count;
	unsigned message_bytes;
	char *body;    /* message_bytes of text, shared */
	uint64_t seed; /* makes messages of different runs different */
};

struct worker {
	const struct load *load;
	struct peer peer;
	unsigned number;
	uint64_t count; /* rounds begun, for users in turn and unique messages */
	bool open;
	char why[256]; /* what went wrong last */
};

/* One round. False: it failed, `why` says how; the connection is closed then. */
typedef bool scene_fn(struct worker *w);

struct scene {
	const char *name;
	scene_fn *round;
};
extern const struct scene scenes[]; /* ended by name == NULL */

#endif
