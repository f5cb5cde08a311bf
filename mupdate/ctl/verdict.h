/*
 * verdict - from what everybody says to one judgement and what to do next. Pure.
 */
#ifndef CTL_VERDICT_H
#define CTL_VERDICT_H

#include "ctl/facts.h"

enum account_is {
	ACCOUNT_ACTIVE,
	ACCOUNT_DISABLED,
	ACCOUNT_UNKNOWN,
	ACCOUNT_DOMAIN_UNKNOWN,
	ACCOUNT_INVALID, /* not an address */
	ACCOUNT_AWAY,    /* the directory cannot be read */
};

#define VERDICTS(X)                                                                                \
	/* name           exit       word */                                                       \
	X(FINE, EXIT_DONE, "fine")                                                                 \
	X(FINE_HERE, EXIT_DONE, "fine-here")                                                       \
	X(DIRECTORY_AWAY, EXIT_TEMP, "directory-away")                                             \
	X(INVALID, EXIT_NO, "invalid")                                                             \
	X(DOMAIN_UNKNOWN, EXIT_NO, "domain-unknown")                                               \
	X(NO_ACCOUNT, EXIT_NO, "no-account")                                                       \
	X(ORPHAN, EXIT_NO, "orphan")                                                               \
	X(DISABLED, EXIT_NO, "disabled")                                                           \
	X(CONFLICT, EXIT_NO, "conflict")                                                           \
	X(DARK, EXIT_TEMP, "dark")                                                                 \
	X(REBUILDING, EXIT_TEMP, "rebuilding")                                                     \
	X(STORE_AWAY, EXIT_TEMP, "store-away")                                                     \
	X(PENDING, EXIT_TEMP, "pending")                                                           \
	X(LOST, EXIT_NO, "lost")                                                                   \
	X(UNTOLD, EXIT_TEMP, "untold")                                                             \
	X(NEW, EXIT_DONE, "new")                                                                   \
	X(NO_MAILBOX, EXIT_NO, "no-mailbox")                                                       \
	X(HIDDEN, EXIT_NO, "hidden")                                                               \
	X(BEHIND, EXIT_TEMP, "behind")

enum verdict_id {
#define X(name, exit, word) VERDICT_##name,
	VERDICTS(X)
#undef X
		VERDICT_COUNT
};

struct verdict {
	enum verdict_id id;
	char text[512]; /* what is so */
	char next[512]; /* what to do; "" for nothing */
};

const char *verdict_word(enum verdict_id id);
int verdict_exit(enum verdict_id id);

enum home_is {
	HOME_OURS,
	HOME_FOREIGN,  /* kind = imap */
	HOME_UNLISTED, /* and listed = no: it counts, whatever the list says */
};

struct verdict_subject {
	const char *address; /* what was asked for */
	enum account_is account;
	const char *home; /* the store in the directory; "" for none */
	enum home_is home_is;
};

void verdict_find(const struct verdict_subject *s, const struct facts *f, struct verdict *v_r);

#endif
