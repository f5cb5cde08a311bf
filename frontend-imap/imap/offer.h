/*
 * offer - capabilities: what a store announces, and what this front end may announce
 * then. Invariant 9: advertised means working, end to end.
 */
#ifndef IMAP_OFFER_H
#define IMAP_OFFER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"
#include "conf/servers.h"

/*	bit, name, does the store have to have it too? */
#define OFFER_CAPS(X)                                                                              \
	X(IMAP4REV1, "IMAP4rev1", true)                                                            \
	X(LITERAL_PLUS, "LITERAL+", false)                                                         \
	X(SASL_IR, "SASL-IR", false)                                                               \
	X(ID, "ID", false)                                                                         \
	X(ENABLE, "ENABLE", true)                                                                  \
	X(IDLE, "IDLE", true)                                                                      \
	X(NAMESPACE, "NAMESPACE", true)                                                            \
	X(UIDPLUS, "UIDPLUS", true)                                                                \
	X(MOVE, "MOVE", true)                                                                      \
	X(UNSELECT, "UNSELECT", true)                                                              \
	X(CHILDREN, "CHILDREN", true)                                                              \
	X(SPECIAL_USE, "SPECIAL-USE", true)                                                        \
	X(CONDSTORE, "CONDSTORE", true)                                                            \
	X(MULTIAPPEND, "MULTIAPPEND", true)                                                        \
	X(STATUS_SIZE, "STATUS=SIZE", true)                                                        \
	X(QUOTA, "QUOTA", true)                                                                    \
	X(QUOTA_STORAGE, "QUOTA=RES-STORAGE", true)                                                \
	X(QUOTA_MESSAGE, "QUOTA=RES-MESSAGE", true)                                                \
	X(ACL, "ACL", true)                                                                        \
	X(RIGHTS, "RIGHTS=kxte", true)                                                             \
	X(LIST_EXTENDED, "LIST-EXTENDED", true)                                                    \
	X(LIST_STATUS, "LIST-STATUS", true)                                                        \
	X(LIST_MYRIGHTS, "LIST-MYRIGHTS", true)                                                    \
	X(CREATE_SPECIAL_USE, "CREATE-SPECIAL-USE", true)
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
/* What we announce in front of a store with these bits. */
uint64_t offer_for_store(uint64_t store);
/* Before the login: what we announce in front of any of these stores. Stores nobody has
 * logged in to yet: ours have everything, foreign ones only what we do ourselves. */
uint64_t offer_for_all(struct servers *s);
/* "IMAP4rev1 LITERAL+ ..." */
void offer_add(struct buf *out, uint64_t bits);

#endif
