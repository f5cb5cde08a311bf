/*
 * fakelookup - location/lookup.h from a word, in place of the map and its barrier.
 */
#ifndef UNIT_FRONTEND_IMAP_ROUTE_FAKELOOKUP_H
#define UNIT_FRONTEND_IMAP_ROUTE_FAKELOOKUP_H

#include "location/lookup.h"

/* Borrowed. */
struct fakelookup {
	enum location_result result;
	struct location loc; /* FOUND, IS_RESERVED */
	char name[500];      /* last asked for */
	bool barrier;        /* with a barrier first? */
};
struct lookup *fakelookup_new(struct loop *l, struct fakelookup *f);

#endif
