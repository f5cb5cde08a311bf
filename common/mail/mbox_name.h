/*
 * mbox_name - names of mailboxes: what a client sees <-> the canonical name.
 *
 * The only place that converts. Everything behind the protocol's edge, on all tiers,
 * uses the canonical name, which is Cyrus':
 *
 *	user.fred			INBOX of fred@<default domain>
 *	user.fred.Sent			a folder of his
 *	user.fred^miller		INBOX of fred.miller@<default domain>
 *	example.org!user.fred.Sent	a folder of fred@example.org
 *	lists.announce			shared, of the default domain
 *	example.org!lists.announce	shared, of example.org
 *
 * Parts are strict modified UTF-7; `.` separates, a literal dot is `^`, and since `^`
 * and `!` have those meanings a literal `^` is `&AF4-` and a literal `!` is `&ACE-`
 * (which modified UTF-7 leaves free). At most 490 octets.
 *
 * The client's view, separator `/`:
 *
 *	INBOX (any case)		user.fred
 *	Sent				user.fred.Sent
 *	INBOX/a				user.fred.INBOX.a (there is no user.fred.INBOX)
 *	Other Users/bob/Sent		user.bob.Sent (bob of the viewer's domain)
 *	Other Users/bob@other.net/Sent	other.net!user.bob.Sent
 *	Shared Folders/lists/announce	lists.announce (of the viewer's domain)
 *	Shared Folders/lists@other.net/announce   other.net!lists.announce
 *
 * (users of the default domain as seen from another domain: "bob@example.org"; "bob@"
 * where there is no default domain).
 *
 * Users are canonical: lower case, "fred@other.net", those of the default domain without
 * it: "fred"; local part and domain at most 64 and 255 octets, UTF-8 in the local part.
 * All functions also take "fred@<default domain>" and mean the same.
 */
#ifndef MAIL_MBOX_NAME_H
#define MAIL_MBOX_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/must.h"
#include "base/slice.h"

#define MBOX_NAME_MAX 490
#define MBOX_USER_MAX 320 /* 64 @ 255 */

/* A canonical name, NUL-terminated. Copied by value. */
struct mbox_name {
	uint16_t n;
	char s[MBOX_NAME_MAX + 1];
};

/* "fred" or "fred@other.net", NUL-terminated. Copied by value. */
struct mbox_user {
	uint16_t n;
	char s[MBOX_USER_MAX + 1];
};

/* Who looks, and from where. Borrowed strings. */
struct mbox_view {
	struct slice user;           /* as in struct mbox_user */
	struct slice default_domain; /* lower case; its names have no domain prefix */
};

#define MBOX_NAME_ERRORS(X)                                                                        \
	X(OK, "")                                                                                  \
	X(EMPTY, "a mailbox name must not be empty")                                               \
	X(TOO_LONG, "the mailbox name is too long")                                                \
	X(EMPTY_PART, "a mailbox name has an empty part, or starts or ends with a separator")      \
	X(DOTS, "a part of a mailbox name must not be . or ..")                                    \
	X(CHARS, "the mailbox name has characters that are not allowed")                           \
	X(UTF7, "the mailbox name is not valid modified UTF-7")                                    \
	X(RESERVED, "the mailbox name is reserved")                                                \
	X(USER, "the mailbox name names no possible user")
enum mbox_name_error {
#define X(name, text) MBOX_NAME_##name,
	MBOX_NAME_ERRORS(X)
#undef X
		MBOX_NAME_ERROR_COUNT
};
/* A sentence fit for the client. */
const char *mbox_name_error_text(enum mbox_name_error e);

static inline struct slice
mbox_name_slice(const struct mbox_name *m)
{
	return slice_make(m->s, m->n);
}

static inline struct slice
mbox_user_slice(const struct mbox_user *u)
{
	return slice_make(u->s, u->n);
}

/* ---- the client's edge ---- */

/* A name as the client gives it (modified UTF-7, INBOX in any case) to canonical. A
 * trailing separator is an error: CREATE strips one first (RFC 3501 section 6.3.3) by
 * mbox_name_strip_separator(). The names of the namespaces themselves ("Other Users",
 * "Shared Folders") are RESERVED. */
enum mbox_name_error mbox_name_from_client(const struct mbox_view *v, struct slice client,
                                           struct mbox_name *name_r) MUST_CHECK;
/* Without one trailing '/'. */
struct slice mbox_name_strip_separator(struct slice client);

/* Appends what the viewer's client sees: his own under "", others' under the two
 * other namespaces. False (out unchanged) for names no client may see: DELETED.*,
 * user.x.INBOX, invalid ones. */
bool mbox_name_to_client(const struct mbox_view *v, struct slice name, struct buf *out) MUST_CHECK;

enum mbox_namespace { MBOX_PERSONAL, MBOX_OTHER_USERS, MBOX_SHARED };
/* Which namespace of the viewer has this canonical name. */
enum mbox_namespace mbox_name_namespace(const struct mbox_view *v, struct slice name);

#define MBOX_SEPARATOR '/'
#define MBOX_OTHER_USERS_PREFIX "Other Users/"
#define MBOX_SHARED_PREFIX "Shared Folders/"

/* ---- canonical names ---- */

/* Also for names from the wire of MUPDATE and from disk. */
enum mbox_name_error mbox_name_check(struct slice name) MUST_CHECK;
/* Checks and copies. */
enum mbox_name_error mbox_name_set(struct mbox_name *m, struct slice name) MUST_CHECK;

/* "user.fred" or "example.org!user.fred": some user's INBOX. */
bool mbox_name_is_inbox(struct slice name);
/* Below some user's INBOX, or it. */
bool mbox_name_is_user(struct slice name);
/* Cyrus' DELETED and below: routed, never listed. */
bool mbox_name_is_deleted(struct slice name);
/* Is name strictly below top ("user.fred.a" below "user.fred")? */
bool mbox_name_is_below(struct slice name, struct slice top);
/* The name one level up, borrowed from name; false for INBOXes and top shared names.
 * The parent of user.fred.Sent is user.fred although clients see siblings. */
bool mbox_name_parent(struct slice name, struct slice *parent_r);
/* "example.org" of "example.org!user.fred", empty without. Borrowed. */
struct slice mbox_name_domain(struct slice name);
/* The user's INBOX that name belongs to ("user.fred" of "user.fred.a.b"), borrowed from
 * name; empty for shared names. */
struct slice mbox_name_root(struct slice name);
/* name with the leading `from` replaced by `to` (RENAME of a tree); name must be from
 * or below it. */
enum mbox_name_error mbox_name_rebase(struct slice name, struct slice from, struct slice to,
                                      struct mbox_name *name_r) MUST_CHECK;

/* ---- users ---- */

/* "Fred", "Fred@Example.ORG" (the default domain) -> "fred"; "Fred@Other.net" ->
 * "fred@other.net". False: no possible user (empty, control characters, blanks, / ! ^ %
 * and the like, bad UTF-8, over-long, odd dots, a leading -, anyone, anonymous). */
bool mbox_user_from_login(struct slice login, struct slice default_domain,
                          struct mbox_user *user_r) MUST_CHECK;
/* INBOX of a user as mbox_user_from_login() made it. False for what is not such. */
bool mbox_name_of_user(struct slice user, struct slice default_domain,
                       struct mbox_name *name_r) MUST_CHECK;
/* Whose is it? False for shared names. */
bool mbox_user_of_name(struct slice name, struct slice default_domain,
                       struct mbox_user *user_r) MUST_CHECK;
/* The user as ACLs name him (Cyrus): without the domain when it is the default one.
 * Borrowed from user. */
struct slice mbox_user_acl_id(struct slice user, struct slice default_domain);

#endif
