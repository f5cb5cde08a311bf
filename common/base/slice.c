/* slice - see slice.h. */
#include "base/slice.h"

#include <strings.h>

#include "base/must.h"
#include "base/xalloc.h"

bool
slice_eq(struct slice a, struct slice b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool
slice_eq_str(struct slice a, const char *b)
{
	return slice_eq(a, slice_of(b));
}

static unsigned char
fold(char c)
{
	return c >= 'A' && c <= 'Z' ? (unsigned char)(c + 32) : (unsigned char)c;
}

bool
slice_ieq(struct slice a, struct slice b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (fold(a.p[i]) != fold(b.p[i]))
			return false;
	return true;
}

bool
slice_ieq_str(struct slice a, const char *b)
{
	return slice_ieq(a, slice_of(b));
}

bool
slice_starts(struct slice s, struct slice prefix)
{
	return s.n >= prefix.n && slice_eq(slice_make(s.p, prefix.n), prefix);
}

bool
slice_istarts(struct slice s, struct slice prefix)
{
	return s.n >= prefix.n && slice_ieq(slice_make(s.p, prefix.n), prefix);
}

bool
slice_ends(struct slice s, struct slice suffix)
{
	return s.n >= suffix.n && slice_eq(slice_skip(s, s.n - suffix.n), suffix);
}

int
slice_cmp(struct slice a, struct slice b)
{
	size_t n = MIN(a.n, b.n);
	int c = n != 0 ? memcmp(a.p, b.p, n) : 0;

	if (c != 0)
		return c;
	return a.n < b.n ? -1 : a.n > b.n;
}

size_t
slice_find(struct slice s, char c)
{
	const char *hit = s.n != 0 ? memchr(s.p, c, s.n) : NULL;

	return hit != NULL ? (size_t)(hit - s.p) : s.n;
}

size_t
slice_find_last(struct slice s, char c)
{
	const char *hit = s.n != 0 ? memrchr(s.p, c, s.n) : NULL;

	return hit != NULL ? (size_t)(hit - s.p) : s.n;
}

size_t
slice_find_slice(struct slice s, struct slice needle)
{
	const char *hit;

	if (s.n == 0 || needle.n == 0)
		return needle.n == 0 ? 0 : s.n;
	hit = memmem(s.p, s.n, needle.p, needle.n);
	return hit != NULL ? (size_t)(hit - s.p) : s.n;
}

struct slice
slice_sub(struct slice s, size_t from, size_t n)
{
	if (from >= s.n)
		return slice_make(s.p != NULL ? s.p + s.n : NULL, 0);
	return slice_make(s.p + from, MIN(n, s.n - from));
}

struct slice
slice_skip(struct slice s, size_t n)
{
	return slice_sub(s, n, s.n);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct slice
slice_trim(struct slice s)
{
	while (s.n != 0 && is_blank(s.p[0]))
		s = slice_skip(s, 1);
	while (s.n != 0 && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

struct slice
slice_cut(struct slice *rest, char sep)
{
	size_t at = slice_find(*rest, sep);
	struct slice head = slice_make(rest->p, at);

	if (at == rest->n)
		*rest = slice_make(NULL, 0);
	else
		*rest = slice_skip(*rest, at + 1);
	return head;
}

bool
slice_has_word(struct slice list, struct slice word)
{
	while (list.n > 0)
		if (slice_ieq(slice_cut(&list, ' '), word))
			return word.n > 0;
	return false;
}

char *
slice_dup(struct slice s)
{
	char *p = xmalloc(s.n + 1);

	if (s.n != 0)
		memcpy(p, s.p, s.n);
	p[s.n] = '\0';
	return p;
}
