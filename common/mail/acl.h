/*
 * acl - rights on mailboxes. RFC 4314; stored as Cyrus does: "id TAB rights TAB" for
 * each identifier, "-id" for negative rights.
 */
#ifndef MAIL_ACL_H
#define MAIL_ACL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/must.h"
#include "base/slice.h"
#include "mail/mbox_name.h"

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
/* With any of them one may ask what one may do (RFC 4314 section 4, MYRIGHTS); who has none is told
 * that there is no such mailbox, whatever he asks for. */
#define ACL_ANY (ACL_LOOKUP | ACL_READ | ACL_INSERT | ACL_CREATE | ACL_DELETE_MBOX | ACL_ADMIN)
/* What a user always may do with his own mailboxes, whatever their ACL says. */
#define ACL_OWNER (ACL_LOOKUP | ACL_CREATE | ACL_DELETE_MBOX | ACL_ADMIN)

/* Stored letters, in any order; c = kx, d = te (RFC 4314 section 2.1.1, the first reading,
 * which is Cyrus'). Other small letters and digits are rights of other servers and mean
 * nothing here. False: another character. */
bool acl_rights_parse(struct slice text, uint32_t *rights_r) MUST_CHECK;
/* In the order above, plus c and d when all of kx, of te are held, so that old peers
 * understand and are given no more: "lrswipkxtecda". */
const char *acl_rights_text(uint32_t rights, char text_r[ACL_TEXT_SIZE]);

/* ---- as clients say and hear them (RFC 4314 section 3) */

enum acl_mode { ACL_REPLACE, ACL_ADD, ACL_REMOVE };
/* "+lr", "-w", "lrs". False: a right that is none here (BAD). */
bool acl_rights_from_client(struct slice text, enum acl_mode *mode_r,
                            uint32_t *rights_r) MUST_CHECK;
/* Plus c and d when any of kx, of te are held, as the RFC wants it. */
const char *acl_rights_to_client(uint32_t rights, char text_r[ACL_TEXT_SIZE]);

/* Next entry of an ACL; moves *rest on. False at the end or at a malformed entry. id has
 * its '-' when negative. */
bool acl_next(struct slice *rest, struct slice *id_r, uint32_t *rights_r);
/* Well-formed throughout, at most 1,000 entries. */
bool acl_is_valid(struct slice acl);
/* Identifiers: not empty, no control characters, not longer than "-group:" and a user. */
bool acl_id_is_valid(struct slice id);

/* An identifier as somebody writes it to the one form that is stored: users as
 * mbox_user_acl_id(), "group:NAME" the same way, "anyone", "anonymous"; each with a "-" in
 * front for negative rights. False: it can be none of them. */
#define ACL_ID_SIZE (MBOX_USER_MAX + sizeof("-group:"))
bool acl_id_canonical(struct slice id, struct slice default_domain,
                      char id_r[ACL_ID_SIZE]) MUST_CHECK;

struct acl_who {
	struct slice user;  /* as mbox_user_acl_id() */
	struct slice inbox; /* canonical name; it and what is below is his own; may be empty */
	const struct slice *groups; /* without "group:" */
	size_t group_count;
};
/* user: as he logs in; groups: as in struct auth_reply. Borrowed, and from the arena. */
void acl_who_init(struct acl_who *who, struct slice user, struct slice default_domain,
                  struct slice groups, struct arena *arena);
/* "staff sales@other.net" (struct auth_reply) to at most max slices of it; returns how many. */
size_t acl_groups_split(struct slice text, struct slice *groups_r, size_t max);
#define ACL_GROUPS_MAX 100

/* What the ACL gives him: the union of his entries, his groups' ("group:x") and anyone's, less
 * the union of the negative ones. A malformed ACL gives nothing. */
uint32_t acl_rights_of(struct slice acl, const struct acl_who *who);
/* What he may do with this mailbox: the same, but "anyone" is anyone of the name's domain (users
 * and groups of others can be named), and with ACL_OWNER on his own ones. */
uint32_t acl_rights_on(struct slice name, struct slice acl, const struct acl_who *who);
/* What the entry of id says; 0: there is none. */
uint32_t acl_get(struct slice acl, struct slice id);
/* Appends acl with the entry of id set to rights (0: removed). False: malformed or too
 * many entries. */
bool acl_set(struct slice acl, struct slice id, uint32_t rights, struct buf *out) MUST_CHECK;
/* The ACL of a new INBOX: all for its owner. Appends. */
void acl_add_owner(struct slice owner_acl_id, struct buf *out);

#endif
