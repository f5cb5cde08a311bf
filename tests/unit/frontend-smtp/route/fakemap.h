/*
 * fakemap - location/lookup.h from a table of names: what the list says now, and what it
 * says behind a barrier. Answers in later turns of the loop, one a turn, newest question
 * first, so that nobody relies on their order.
 */
#ifndef UNIT_FRONTEND_SMTP_ROUTE_FAKEMAP_H
#define UNIT_FRONTEND_SMTP_ROUTE_FAKEMAP_H

#include "location/lookup.h"

struct fakemap_answer {
	enum location_result result;
	char server[64]; /* FOUND, IS_RESERVED */
	uint64_t claim;
};

struct fakemap_row {
	char name[500];
	struct fakemap_answer now, after_barrier;
};

#define FAKEMAP_ROWS 16
/* Names without a row are LOCATION_NONE. */
struct fakemap {
	struct fakemap_row rows[FAKEMAP_ROWS];
	size_t count;
	unsigned asked, barriers; /* questions; of them with a barrier first */
	bool blind;               /* LOCATION_BLIND for everything */
	bool silent;              /* no answers for new questions */
};

/* The row of that name, made when there is none. */
struct fakemap_row *fakemap_at(struct fakemap *m, const char *name);
/* f is borrowed. */
struct lookup *fakemap_new(struct loop *l, struct fakemap *f);

#endif
