/*
 * offer - capabilities: what a store announces, and what this front end may announce
 * then. Promise 9: advertised means working, end to end.
 */
#ifndef IMAP_OFFER_H
#define IMAP_OFFER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"
#include "conf/servers.h"

/*	bit, name, which stores have to have it too: what is asked of a home only, or of any store */
#define OFFER_CAPS(X)                                                                              \
	X(IMAP4REV1, "IMAP4rev1", ALL)                                                             \
	X(LITERAL_PLUS, "LITERAL+", NOBODY)                                                        \
	X(SASL_IR, "SASL-IR", NOBODY)                                                              \
	X(ID, "ID", NOBODY)                                                                        \
	X(ENABLE, "ENABLE", HOME)                                                                  \
	X(IDLE, "IDLE", ALL)                                                                       \
	X(NAMESPACE, "NAMESPACE", HOME)                                                            \
	X(UIDPLUS, "UIDPLUS", ALL)                                                                 \
	X(MOVE, "MOVE", ALL)                                                                       \
	X(UNSELECT, "UNSELECT", ALL)                                                               \
	X(CHILDREN, "CHILDREN", HOME)                                                              \
	X(SPECIAL_USE, "SPECIAL-USE", HOME)                                                        \
	X(CONDSTORE, "CONDSTORE", ALL)                                                             \
	X(MULTIAPPEND, "MULTIAPPEND", ALL)                                                         \
	X(STATUS_SIZE, "STATUS=SIZE", ALL)                                                         \
	X(QUOTA, "QUOTA", ALL)                                                                     \
	X(QUOTA_STORAGE, "QUOTA=RES-STORAGE", ALL)                                                 \
	X(QUOTA_MESSAGE, "QUOTA=RES-MESSAGE", ALL)                                                 \
	X(ACL, "ACL", ALL)                                                                         \
	X(RIGHTS, "RIGHTS=kxte", ALL)                                                              \
	X(LIST_EXTENDED, "LIST-EXTENDED", HOME)                                                    \
	X(LIST_STATUS, "LIST-STATUS", HOME)                                                        \
	X(LIST_MYRIGHTS, "LIST-MYRIGHTS", HOME)                                                    \
	X(CREATE_SPECIAL_USE, "CREATE-SPECIAL-USE", HOME)                                          \
	X(ESEARCH, "ESEARCH", ALL)                                                                 \
	X(SORT, "SORT", ALL)                                                                       \
	X(SORT_DISPLAY, "SORT=DISPLAY", ALL)                                                       \
	X(THREAD_SUBJECT, "THREAD=ORDEREDSUBJECT", ALL)                                            \
	X(THREAD_REFERENCES, "THREAD=REFERENCES", ALL)
enum offer_bit {
#define X(bit, name, store) OFFER_BIT_##bit,
	OFFER_CAPS(X)
#undef X
	/* of stores only */
	OFFER_BIT_STARTTLS,
	OFFER_BIT_AUTH_PLAIN,
	OFFER_BIT_COUNT
};
#define OFFER(bit) ((uint64_t)1 << OFFER_BIT_##bit)

/* The bits of "IMAP4rev1 IDLE AUTH=PLAIN ..."; unknown ones are left out. */
uint64_t offer_parse(struct slice words);
/* What we announce when this is all there is. */
uint64_t offer_for_store(uint64_t store);
/* The same with a home that has these bits, and the others in the list that somebody was at. */
uint64_t offer_for_home(uint64_t home, struct servers *s);
/* Before the login: what we announce in front of any of these stores. Stores nobody has
 * logged in to yet: ours have everything, foreign ones only what we do ourselves. */
uint64_t offer_for_all(struct servers *s);
/* "IMAP4rev1 LITERAL+ ..." */
void offer_add(struct buf *out, uint64_t bits);

#endif
