/*
 * names - who says which store may use a mailbox name: the master, asked before every
 * change of the namespace (promise 3). backend-store/cluster implements it over MUPDATE;
 * with cluster = none it is NULL and every name is free.
 *
 * Callbacks come later, never from inside the call, exactly once. NAMES_LATER is "outcome
 * unknown": the implementation resolves it in the background (reconciliation) and the
 * caller answers NO [UNAVAILABLE].
 */
#ifndef MAILBOX_NAMES_H
#define MAILBOX_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

enum names_result {
	NAMES_OK,
	NAMES_TAKEN, /* the master said NO: another store has or reserves it */
	NAMES_LATER, /* master away, time-out, connection lost in the middle */
};

/* Everything the master and the replicas keep of a mailbox. Borrowed for the call. */
struct names_entry {
	struct slice name;
	struct slice acl;
	struct slice special_use; /* "\\Sent" or empty */
	uint64_t mbox_id;
	uint32_t uidvalidity;
	uint64_t claim; /* of an INBOX; else 0 */
};

typedef void names_fn(void *ctx, enum names_result result);

/* OK, or LATER: not known. server: where the name is active; "" when it is nowhere. */
typedef void names_find_fn(void *ctx, enum names_result result, struct slice server);

struct names;
struct names_ops {
	/* All or none: what was reserved before a refusal is released again. */
	void (*reserve)(struct names *n, const struct names_entry *e, size_t count, names_fn *fn,
	                void *ctx);
	void (*activate)(struct names *n, const struct names_entry *e, size_t count, names_fn *fn,
	                 void *ctx);
	/* DELETE at the master, also of reservations. An unknown name is OK. */
	void (*release)(struct names *n, const struct slice *names, size_t count, names_fn *fn,
	                void *ctx);
	/* Is the master there, so that a DELETE may begin? NULL: always. */
	bool (*ready)(struct names *n);

	/* For moves of users. DEACTIVATE: left to whoever activates them first. An unknown name
	 * is OK. */
	void (*leave)(struct names *n, const struct slice *names, size_t count, names_fn *fn,
	              void *ctx);
	/* As activate; a refusal (TAKEN) is the master's decision of a move and no conflict. */
	void (*take)(struct names *n, const struct names_entry *e, size_t count, names_fn *fn,
	             void *ctx);
	/* Who has it? */
	void (*find)(struct names *n, struct slice name, names_find_fn *fn, void *ctx);
};
struct names {
	const struct names_ops *ops;
};

#endif
