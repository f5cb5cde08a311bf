/*
 * fakehome - route/home.h from a word: every user has the same home.
 *
 * Its functions stand in for those of frontend-imap/route in the programs they are linked
 * to.
 */
#ifndef UNIT_FRONTEND_IMAP_POP3_FAKEHOME_H
#define UNIT_FRONTEND_IMAP_POP3_FAKEHOME_H

#include "route/home.h"

/* Borrowed. */
struct fakehome {
	enum home_result result;
	struct server *server;
	bool silent;    /* no answer at all */
	char user[400]; /* last asked for */
};
struct home *fakehome_new(struct loop *l, struct fakehome *f);

#endif
