/*
 * imap_args - reads the arguments of one collected IMAP command, from left to right.
 *
 * The text is what stands behind the command's name, with the space in front, and with its
 * literals in place: `{5}` CRLF (or `{5+}`, `~{5}`) and their bytes; the last CRLF is not in
 * it. Strings are borrowed from the text, or unescaped into the arena.
 *
 * The first error stays: from then on every function fails, so a caller checks where it
 * suits him. imap_args_bad() is what to say behind BAD. RFC 3501 section 9, RFC 3516.
 */
#ifndef PROTO_IMAP_ARGS_H
#define PROTO_IMAP_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/must.h"
#include "base/slice.h"
#include "mail/date.h"

#define IMAP_ARGS_DEPTH_MAX 50   /* parentheses in parentheses */
#define IMAP_ARGS_FLAGS_MAX 1000 /* in one list */

struct imap_args {
	struct slice rest; /* not read yet */
	struct arena *arena;
	const char *cmd; /* for the texts: "FETCH" */
	unsigned depth;
	const char *bad; /* of the arena; NULL: all is well */
};

/* All borrowed while it is used. */
void imap_args_init(struct imap_args *a, struct arena *arena, const char *cmd, struct slice text);

static inline bool
imap_args_ok(const struct imap_args *a)
{
	return a->bad == NULL;
}
/* "Missing date in SEARCH"; NULL: no error. Lives as long as the arena. */
static inline const char *
imap_args_bad(const struct imap_args *a)
{
	return a->bad;
}
/* Keeps this text when it is the first. Always false. */
bool imap_args_fail(struct imap_args *a, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The next byte, '\0' at the end or after an error. */
char imap_args_peek(const struct imap_args *a);
bool imap_args_is_end(const struct imap_args *a);
/* Nothing but blanks may follow. */
bool imap_args_end(struct imap_args *a);
/* Exactly one, and something behind it. */
bool imap_args_space(struct imap_args *a);
/* Takes c when it comes next; no error otherwise. */
bool imap_args_try(struct imap_args *a, char c);
/* Takes this word (any case) when it comes next, up to a byte that no atom has. */
bool imap_args_try_word(struct imap_args *a, const char *word);

/* what: for the text, "mailbox name". All need at least one byte but string and its kin,
 * which may be empty. */
bool imap_args_atom(struct imap_args *a, const char *what, struct slice *v_r);
/* An atom that may have ']' in it (astring's), a quoted string or a literal. */
bool imap_args_astring(struct imap_args *a, const char *what, struct slice *v_r);
/* The same with '%' and '*', for LIST. */
bool imap_args_list_mailbox(struct imap_args *a, const char *what, struct slice *v_r);
bool imap_args_string(struct imap_args *a, const char *what, struct slice *v_r);
/* NIL (any case): p == NULL. Another value's p is never NULL. */
bool imap_args_nstring(struct imap_args *a, const char *what, struct slice *v_r);
/* A literal of either kind; literal8: `~{5}`, which may have NULs. */
bool imap_args_literal(struct imap_args *a, const char *what, struct slice *v_r, bool *literal8_r);
/* Bytes up to a space, a parenthesis or the end: a sequence set, a number, a date. */
bool imap_args_word(struct imap_args *a, const char *what, struct slice *v_r);

bool imap_args_u32(struct imap_args *a, const char *what, uint32_t *v_r);
bool imap_args_nz_u32(struct imap_args *a, const char *what, uint32_t *v_r);
/* At most 2^63 - 1 (RFC 7162 mod-sequence-valzer, RFC 9051 number64). */
bool imap_args_u64(struct imap_args *a, const char *what, uint64_t *v_r);

/* date "1-Feb-2026", quoted or not: days since 1970. */
bool imap_args_day(struct imap_args *a, const char *what, int32_t *day_r);
/* date-time, quoted. */
bool imap_args_date_time(struct imap_args *a, const char *what, struct date *d_r);

/*	bool first = true;
 *	if (imap_args_open(a, "flags"))
 *		while (imap_args_next(a, &first))
 *			... reads one element ...
 *	return imap_args_ok(a);
 *
 * next is false behind the ')' and after an error; between elements it takes one space. */
bool imap_args_open(struct imap_args *a, const char *what);
bool imap_args_next(struct imap_args *a, bool *first);
/* Any value, with all that is in its parentheses. */
bool imap_args_skip(struct imap_args *a, const char *what);

/* "\Seen" or a keyword, as written. */
bool imap_args_flag(struct imap_args *a, struct slice *v_r);
/* In parentheses, perhaps none; or (STORE) without parentheses, one or more, when bare. */
bool imap_args_flags(struct imap_args *a, bool bare, struct slice **flags_r, size_t *count_r);

#endif
