/*
 * acl - rights on mailboxes. RFC 4314; stored as Cyrus does: "id TAB rights TAB" for
 * each identifier, "-id" for negative rights.
 */
#ifndef MAIL_ACL_H
#define MAIL_ACL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/must.h"
#include "base/slice.h"

enum {
	ACL_LOOKUP = 1 << 0,      /* l */
	ACL_READ = 1 << 1,        /* r */
	ACL_SEEN = 1 << 2,        /* s */
	ACL_WRITE = 1 << 3,       /* w */
	ACL_INSERT = 1 << 4,      /* i */
	ACL_POST = 1 << 5,        /* p */
	ACL_CREATE = 1 << 6,      /* k */
	ACL_DELETE_MBOX = 1 << 7, /* x */
	ACL_DELETE_MSG = 1 << 8,  /* t */
	ACL_EXPUNGE = 1 << 9,     /* e */
	ACL_ADMIN = 1 << 10,      /* a */
	ACL_ALL = (1 << 11) - 1,
};
#define ACL_ORDER "lrswipkxtea"
#define ACL_TEXT_SIZE 16

/* Letters in any order; c = kx, d = xte (RFC 4314 section 2.1.1: read as unions); digits
 * are ignored. False: another character. */
bool acl_rights_parse(struct slice text, uint32_t *rights_r) MUST_CHECK;
/* In the order above, plus c and d when all of kx, of xte are held, so that old peers
 * understand: "lrswipkxtecda". */
const char *acl_rights_text(uint32_t rights, char text_r[ACL_TEXT_SIZE]);

/* Next entry of an ACL; moves *rest on. False at the end or at a malformed entry. id has
 * its '-' when negative. */
bool acl_next(struct slice *rest, struct slice *id_r, uint32_t *rights_r);
/* Well-formed throughout, at most 1,000 entries. */
bool acl_is_valid(struct slice acl);
/* Identifiers: not empty, no control characters, at most MBOX_USER_MAX + 1. */
bool acl_id_is_valid(struct slice id);

struct acl_who {
	struct slice user;          /* as mbox_user_acl_id() */
	const struct slice *groups; /* without "group:" */
	size_t group_count;
};
/* What he may do: the union of his entries, his groups' ("group:x") and anyone's, less
 * the union of the negative ones. A malformed ACL gives nothing. */
uint32_t acl_rights_of(struct slice acl, const struct acl_who *who);
/* Appends acl with the entry of id set to rights (0: removed). False: malformed or too
 * many entries. */
bool acl_set(struct slice acl, struct slice id, uint32_t rights, struct buf *out) MUST_CHECK;
/* The ACL of a new INBOX: all for its owner. Appends. */
void acl_add_owner(struct slice owner_acl_id, struct buf *out);

#endif
