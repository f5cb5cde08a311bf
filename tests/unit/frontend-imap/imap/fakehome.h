/*
 * fakehome - route/home.h from two words: where everybody's home is, and where it is after
 * a barrier.
 *
 * Its functions stand in for those of frontend-imap/route in the programs they are linked
 * to.
 */
#ifndef UNIT_FRONTEND_IMAP_IMAP_FAKEHOME_H
#define UNIT_FRONTEND_IMAP_IMAP_FAKEHOME_H

#include "net/loop.h"
#include "route/home.h"

struct fakehome_place {
	enum home_result result;
	struct server *server; /* borrowed */
	uint64_t claim;
};

/* Borrowed. */
struct fakehome {
	struct fakehome_place now, after_barrier;
	unsigned barriers; /* how many were asked for */
	char user[400];    /* last asked for */
};
struct home *fakehome_new(struct loop *l, struct fakehome *f);

#endif
