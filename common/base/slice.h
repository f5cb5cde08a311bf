/*
 * slice - a borrowed run of bytes: pointer and length, no terminator, NULs allowed.
 *
 * Whoever hands out a slice says how long it stays valid.
 */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct slice {
	const char *p;
	size_t n;
};

/* A slice of a string literal, usable in initialisers. */
#define SLICE_INIT(lit)                                                                            \
	{                                                                                          \
		(lit), sizeof(lit) - 1                                                             \
	}
#define SLICE(lit) ((struct slice)SLICE_INIT(lit))

/* printf("%.*s", SLICE_ARG(s)) */
#define SLICE_ARG(s) (int)(s).n, (s).p

static inline struct slice
slice_make(const void *p, size_t n)
{
	return (struct slice){ p, n };
}

static inline struct slice
slice_of(const char *s)
{
	return (struct slice){ s, s != NULL ? strlen(s) : 0 };
}

bool slice_eq(struct slice a, struct slice b);
bool slice_eq_str(struct slice a, const char *b);
/* ASCII case-insensitive. */
bool slice_ieq(struct slice a, struct slice b);
bool slice_ieq_str(struct slice a, const char *b);
bool slice_starts(struct slice s, struct slice prefix);
bool slice_istarts(struct slice s, struct slice prefix);
bool slice_ends(struct slice s, struct slice suffix);
/* Bytewise order, shorter first among equals: <0, 0, >0. */
int slice_cmp(struct slice a, struct slice b);
/* Position of the first c, or s.n when there is none. */
size_t slice_find(struct slice s, char c);
size_t slice_find_last(struct slice s, char c);
/* Position of the first occurrence of needle, or s.n. */
size_t slice_find_slice(struct slice s, struct slice needle);
/* Sub-slice [from, from+n), clamped to s. */
struct slice slice_sub(struct slice s, size_t from, size_t n);
struct slice slice_skip(struct slice s, size_t n);
/* Without leading and trailing space, tab, CR, LF. */
struct slice slice_trim(struct slice s);
/* Splits *rest at the first sep: returns what is before it and moves *rest behind
 * it. Without sep returns all and leaves *rest empty with p == NULL. */
struct slice slice_cut(struct slice *rest, char sep);
/* Is word, in any case, one of list's words, which have a space between them? */
bool slice_has_word(struct slice list, struct slice word);
/* Heap copy with a terminating NUL; the caller frees. */
char *slice_dup(struct slice s);

#endif
