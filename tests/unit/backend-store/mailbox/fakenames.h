/*
 * fakenames - mailbox/names.h without a master: it notes what is asked and answers in the
 * next turn, as told.
 */
#ifndef UNIT_BACKEND_STORE_MAILBOX_FAKENAMES_H
#define UNIT_BACKEND_STORE_MAILBOX_FAKENAMES_H

#include "base/buf.h"
#include "mailbox/names.h"
#include "net/loop.h"

struct fakenames {
	struct names names;
	struct loop *loop;
	struct buf calls; /* "reserve user.fred; activate user.fred; " */
	enum names_result reserve, activate, release;
	bool away;
	size_t silent; /* so many calls from now on are never answered */
};

void fakenames_init(struct fakenames *f, struct loop *l);
void fakenames_fini(struct fakenames *f);

#endif
