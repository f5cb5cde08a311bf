/*
 * rules - what a change of the map is answered: pure decisions, no database. RFC 3656 sections 4.1,
 * 4.3, 4.4 and 4.9.
 *
 *   the name is          RESERVE       ACTIVATE        DEACTIVATE     DELETE
 *   unknown              reserved      active          UNKNOWN        UNKNOWN
 *   reserved, own        as it is      active          left           gone
 *   left, own            reserved      active          as it is       gone
 *   left, another's      EXISTS        active (2)      EXISTS         DENIED
 *   reserved, another's  EXISTS        EXISTS (1)      EXISTS         DENIED
 *   active, own          as it is      active          left           gone
 *   active, another's    EXISTS        EXISTS (1)      EXISTS         DENIED
 *
 * "left" is RESERVED after a DEACTIVATE: any server may activate such a name (a move by
 * Cyrus' XFER deactivates at the source, then activates at the target). It keeps its ACL: who
 * could see the mailbox goes on seeing it on its way. "own" compares
 * with the server in the command, or, for DELETE, with those the identity speaks for.
 * (1) with takeover: active, as RFC 3656 has it; but not for our own stores, whose moves of
 * users live on the refusal.
 * (2) but EXISTS for a store that tells what it has (a push), not what has been moved to it.
 *
 * While the map is rebuilding nothing is reserved (LATER): what is missing may be held by a
 * store that has not spoken yet; and of two that say they have a user's INBOX the one with
 * the higher claim gets it. What is left of an old copy of the map ("unsure") is as good as
 * unknown to whoever activates it.
 */
#ifndef RULES_H
#define RULES_H

#include <stdbool.h>

#include "base/slice.h"
#include "location/location.h"
#include "proto/mupdate_server.h"

/* Whom the peer may speak for. */
typedef bool rules_speaks_fn(void *ctx, struct slice server);

struct rules_input {
	enum mupdate_verb verb; /* RESERVE ACTIVATE DEACTIVATE DELETE */
	bool takeover;
	bool rebuilding;
	bool read_only; /* the identity may change nothing */
	bool is_push;
	rules_speaks_fn *speaks;
	void *ctx;
	const struct location *now;  /* NULL: unknown */
	bool now_unsure;             /* rebuilding, and nobody has said since that it is so */
	const struct location *want; /* from the command; for DELETE only the name */
	bool want_has_fields;        /* the peer sends our fields, too */
};

enum rules_act { RULES_SET, RULES_SAME, RULES_DELETE, RULES_NO };
struct rules_verdict {
	enum rules_act act;
	struct location loc;    /* SET: the row, without revision and claim */
	bool conflict;          /* NO: another store holds what this one says it has */
	enum mupdate_code code; /* NO: for peers of ours */
	const char *text;       /* NO: for people; static */
};

/* Borrows from in. */
struct rules_verdict rules_decide(const struct rules_input *in);

#endif
