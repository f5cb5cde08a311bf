/*
 * fakemap - a list of locations for the scripts: an environment as a replica writes it, read by
 * the real reader and lookup; and a barrier that comes through at once, or late, or after
 * something has come in.
 *
 * Its functions stand in for those of location/barrier.h in the programs they are linked to.
 */
#ifndef UNIT_FRONTEND_IMAP_IMAP_FAKEMAP_H
#define UNIT_FRONTEND_IMAP_IMAP_FAKEMAP_H

#include "location/lookup.h"

struct fakemap;

struct fakemap *fakemap_new(struct loop *l);
void fakemap_free(struct fakemap **m);
struct location_reader *fakemap_reader(struct fakemap *m);
struct barrier *fakemap_barrier(struct fakemap *m);
struct lookup *fakemap_lookup(struct fakemap *m);

/*	has NAME STORE ID=RIGHTS,ID=RIGHTS	seen by the reader half a second later
 *	has NAME reserved | has NAME left:STORE ID=RIGHTS
 *	lacks NAME
 *	then has ..., then lacks ...		with the next barrier, which takes a while
 *	is late | is in time			the barrier
 *	was asked N				barriers up to now
 */
void fakemap_action(void *ctx, const char *rest);

#endif
