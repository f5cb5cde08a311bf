/*
 * pattern - LIST and LSUB patterns over client names. RFC 3501 section 6.3.8.
 *
 * `*` matches anything, `%` anything without the separator `/`. INBOX matches in any
 * case (the first part only). All states are followed at once, so time is the name's
 * length times the pattern's / 64, whatever the pattern.
 */
#ifndef MAIL_PATTERN_H
#define MAIL_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/must.h"
#include "base/slice.h"

#define PATTERN_MAX 511 /* after runs of wildcards are folded */
#define PATTERN_WORDS ((PATTERN_MAX + 1) / 64)

/* About 17 KB; no heap, copied by value. */
struct pattern {
	size_t n;
	size_t words;                                      /* of the sets below that are used */
	uint64_t is[256][PATTERN_WORDS];                   /* bit i: text[i] is this byte */
	uint64_t star[PATTERN_WORDS], wild[PATTERN_WORDS]; /* `*`; `*` or `%` */
	char text[PATTERN_MAX];
};

/* reference and pattern are joined as RFC 3501 lets us: a pattern with a leading '/'
 * is absolute, else it is put behind the reference. False: too long. */
bool pattern_init(struct pattern *p, struct slice reference, struct slice pattern) MUST_CHECK;
bool pattern_matches(const struct pattern *p, struct slice name);
/* Could some name below this one match? ("a" for the pattern a/%/b: yes.) For pruning
 * and for \Noselect parents. */
bool pattern_may_match_below(const struct pattern *p, struct slice name);
/* What each match begins with: all before the first wildcard. Borrowed from p. Names
 * that are INBOX in another case are not told by it. */
struct slice pattern_fixed_prefix(const struct pattern *p);

#endif
