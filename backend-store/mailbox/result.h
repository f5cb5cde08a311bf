/*
 * result - how an operation of the store ended; one list for all protocols.
 */
#ifndef MAILBOX_RESULT_H
#define MAILBOX_RESULT_H

enum mbox_result {
	MBOX_OK,
	MBOX_ABSENT,    /* positive knowledge: no such mailbox, message, user */
	MBOX_EXISTS,    /* the name is taken, here or elsewhere */
	MBOX_INVALID,   /* a name or an argument that can never be */
	MBOX_CANNOT,    /* not allowed by its nature: delete INBOX, keyword limit reached */
	MBOX_TOOBIG,    /* larger than this store takes */
	MBOX_FULL,      /* disk at its floor: later */
	MBOX_OVERQUOTA, /* more than the quota allows (mailbox/quota.h) */
	MBOX_BUSY,      /* too much is waiting, or a namespace change of this name is on its way */
	MBOX_UNAVAILABLE, /* master away, write failed, claim lost, conflict: later */
	MBOX_CORRUPT,     /* damaged on disk; the rest is well */
};
/* "ok", "absent", ... for logs. */
const char *mbox_result_name(enum mbox_result r);

#endif
