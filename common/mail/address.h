/*
 * address - mail addresses: envelope paths and header lists.
 *
 * Paths: RFC 5321 section 4.1.2 and RFC 6531 (UTF-8). Lists: RFC 5322 section 3.4 with
 * the obsolete forms of section 4.4, for ENVELOPE. Iterative, bounded.
 */
#ifndef MAIL_ADDRESS_H
#define MAIL_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/must.h"
#include "base/slice.h"

#define ADDRESS_LOCAL_MAX 64
#define ADDRESS_DOMAIN_MAX 255
/* As text: the local part quoted with every character escaped, @, domain, NUL. */
#define ADDRESS_TEXT_SIZE (2 * ADDRESS_LOCAL_MAX + 2 + 1 + ADDRESS_DOMAIN_MAX + 1)

/* An envelope address, copied by value. The null path has both empty. */
struct address {
	char local[ADDRESS_LOCAL_MAX + 1];   /* unquoted, case as given, never empty but in <> */
	char domain[ADDRESS_DOMAIN_MAX + 1]; /* lower case; "[192.0.2.1]"; empty: <postmaster> */
	bool utf8;                           /* something in it needs SMTPUTF8 */
};

#define ADDRESS_ERRORS(X)                                                                          \
	X(OK, "")                                                                                  \
	X(SYNTAX, "the address is malformed")                                                      \
	X(EMPTY, "the address is empty")                                                           \
	X(LOCAL_EMPTY, "the part before the @ is empty")                                           \
	X(LOCAL_LONG, "the part before the @ is longer than 64 octets")                            \
	X(DOMAIN_LONG, "the domain is longer than 255 octets")                                     \
	X(DOMAIN, "the domain is malformed")                                                       \
	X(LITERAL, "the address literal is malformed")                                             \
	X(NO_DOMAIN, "the address has no domain")                                                  \
	X(UTF8, "the address needs SMTPUTF8")
enum address_error {
#define X(name, text) ADDRESS_##name,
	ADDRESS_ERRORS(X)
#undef X
		ADDRESS_ERROR_COUNT
};
const char *address_error_text(enum address_error e);

enum {
	ADDRESS_ALLOW_NULL = 1, /* <> (MAIL FROM) */
	ADDRESS_ALLOW_BARE = 2, /* <postmaster>, <fred> (RCPT TO, LMTP) */
	ADDRESS_ALLOW_UTF8 = 4, /* SMTPUTF8 was given */
};
/* Reads "<...>" at the start of in; *used_r is set to its length (parameters follow).
 * A source route is accepted and dropped. ""@x is LOCAL_EMPTY. On failure *addr_r and
 * *used_r are undefined. */
enum address_error address_parse_path(struct slice in, unsigned flags, struct address *addr_r,
                                      size_t *used_r) MUST_CHECK;
/* All of in is "local@domain" (or bare, as flags say), without brackets: settings,
 * directory, tools. */
enum address_error address_parse(struct slice in, unsigned flags,
                                 struct address *addr_r) MUST_CHECK;

static inline bool
address_is_null(const struct address *a)
{
	return a->local[0] == '\0';
}

/* local@domain, quoted where it must be, without brackets; "" for the null path. */
const char *address_text(const struct address *a, char text_r[ADDRESS_TEXT_SIZE]);
/* Same mailbox: local parts exact, domains folded. */
bool address_eq(const struct address *a, const struct address *b);

/* "fred+lists" with '+' -> "fred", "lists"; no separator or one in front: all is user
 * and detail has p == NULL. Borrowed from local. */
void address_split_detail(struct slice local, char separator, struct slice *user_r,
                          struct slice *detail_r);

/* A host name as SMTP knows them: labels of letters, digits, hyphen (underscore is let
 * through), 1-63 each, UTF-8 with utf8. */
bool address_is_domain(struct slice s, bool utf8);
/* "[192.0.2.1]", "[IPv6:2001:db8::1]". */
bool address_is_literal(struct slice s);

/* ---- header lists ---- */

enum address_item_kind { ADDRESS_MAILBOX, ADDRESS_GROUP_START, ADDRESS_GROUP_END };
/* Slices with p == NULL are absent (NIL in ENVELOPE). Encoded words stay encoded. */
struct address_item {
	enum address_item_kind kind;
	struct slice name;  /* display name or comment, quotes undone; a group's name */
	struct slice route; /* "@a,@b", obsolete */
	struct slice local; /* quotes undone, comments dropped */
	struct slice domain;
};
struct address_list {
	struct address_item *items;
	size_t count;
	bool cut;     /* there were more than max */
	bool dropped; /* there were words, perhaps an address, behind a <...> */
};
/* Lenient: never fails, takes what it can make out (RFC 3501 ENVELOPE wants something).
 * value is a field's value, folded or not. Memory is a's, at most about twice value. */
void address_list_parse(struct arena *a, struct slice value, size_t max,
                        struct address_list *list_r);

#endif
