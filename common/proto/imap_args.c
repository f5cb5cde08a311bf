#include "proto/imap_args.h"

#include "base/num.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define BAD_MAX 200
#define U63_MAX ((uint64_t)INT64_MAX)

void
imap_args_init(struct imap_args *a, struct arena *arena, const char *cmd, struct slice text)
{
	*a = (struct imap_args){ .rest = text, .arena = arena, .cmd = cmd };
}

bool
imap_args_fail(struct imap_args *a, const char *fmt, ...)
{
	char text[BAD_MAX];
	va_list ap;

	if (a->bad != NULL)
		return false;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	a->bad = arena_strdup(a->arena, text);
	return false;
}

static bool
missing(struct imap_args *a, const char *what)
{
	return imap_args_fail(a, "Missing %s in %s", what, a->cmd);
}

static bool
invalid(struct imap_args *a, const char *what)
{
	return imap_args_fail(a, "Invalid %s in %s", what, a->cmd);
}

/* ---- characters --------------------------------------------------------------------------
 *
 * atom-specials = "(" / ")" / "{" / SP / CTL / "%" / "*" / DQUOTE / "\" / "]"
 */

static bool
is_atom_char(char c)
{
	return (unsigned char)c > 0x20 && (unsigned char)c < 0x7f &&
	       strchr("(){%*\"\\]", c) == NULL;
}

static bool
is_astring_char(char c)
{
	return is_atom_char(c) || c == ']';
}

static bool
is_list_char(char c)
{
	return is_astring_char(c) || c == '%' || c == '*';
}

/* What no value that stands without quotes may have. */
static bool
is_word_char(char c)
{
	return (unsigned char)c > 0x20 && (unsigned char)c < 0x7f && strchr("(){\"\\", c) == NULL;
}

typedef bool char_class(char c);

static struct slice
take_run(struct imap_args *a, char_class *in_class)
{
	struct slice run;
	size_t n = 0;

	while (n < a->rest.n && in_class(a->rest.p[n]))
		n++;
	run = slice_sub(a->rest, 0, n);
	a->rest = slice_skip(a->rest, n);
	return run;
}

char
imap_args_peek(const struct imap_args *a)
{
	return a->bad == NULL && a->rest.n > 0 ? a->rest.p[0] : '\0';
}

bool
imap_args_is_end(const struct imap_args *a)
{
	return a->rest.n == 0;
}

bool
imap_args_try(struct imap_args *a, char c)
{
	if (a->bad != NULL || a->rest.n == 0 || a->rest.p[0] != c)
		return false;
	a->rest = slice_skip(a->rest, 1);
	return true;
}

bool
imap_args_try_word(struct imap_args *a, const char *word)
{
	size_t n = strlen(word);

	if (a->bad != NULL || !slice_istarts(a->rest, slice_of(word)) ||
	    (n < a->rest.n && is_astring_char(a->rest.p[n])))
		return false;
	a->rest = slice_skip(a->rest, n);
	return true;
}

bool
imap_args_end(struct imap_args *a)
{
	if (a->bad != NULL)
		return false;
	while (imap_args_try(a, ' '))
		continue;
	return imap_args_is_end(a) || imap_args_fail(a, "Unexpected extra arguments to %s", a->cmd);
}

bool
imap_args_space(struct imap_args *a)
{
	if (a->bad != NULL)
		return false;
	if (!imap_args_try(a, ' '))
		return imap_args_is_end(a) ? missing(a, "an argument")
		                           : imap_args_fail(a, "Missing space in %s", a->cmd);
	if (imap_args_peek(a) == ' ')
		return imap_args_fail(a, "Two spaces in a row in %s", a->cmd);
	return !imap_args_is_end(a) || missing(a, "an argument");
}

/* ---- strings --------------------------------------------------------------------------------
 *
 * quoted  = DQUOTE *QUOTED-CHAR DQUOTE; in it "\" only before "\" and DQUOTE
 * literal = ["~"] "{" number ["+"] "}" CRLF *OCTET
 */

static bool
take_word_of(struct imap_args *a, char_class *in_class, const char *what, struct slice *v_r)
{
	if (a->bad != NULL)
		return false;
	*v_r = take_run(a, in_class);
	return v_r->n > 0 || missing(a, what);
}

static struct slice
unescape(struct imap_args *a, struct slice s)
{
	char *out = arena_alloc(a->arena, s.n);
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\')
			i++;
		out[n++] = s.p[i];
	}
	return slice_make(out, n);
}

static bool
take_quoted(struct imap_args *a, const char *what, struct slice *v_r)
{
	struct slice s = slice_skip(a->rest, 1);
	bool escapes = false;
	size_t i;

	for (i = 0; i < s.n && s.p[i] != '"'; i++) {
		if (s.p[i] == '\r' || s.p[i] == '\n' || s.p[i] == '\0')
			return invalid(a, what);
		if (s.p[i] != '\\')
			continue;
		escapes = true;
		i++;
		if (i == s.n || (s.p[i] != '"' && s.p[i] != '\\'))
			return imap_args_fail(a, "Invalid \\ in a quoted string in %s", a->cmd);
	}
	if (i == s.n)
		return imap_args_fail(a, "A quoted string in %s does not end", a->cmd);
	*v_r = slice_sub(s, 0, i);
	if (escapes)
		*v_r = unescape(a, *v_r);
	a->rest = slice_skip(s, i + 1);
	return true;
}

static bool
take_literal(struct imap_args *a, const char *what, bool may_8, struct slice *v_r, bool *literal8_r)
{
	struct slice s = a->rest, digits;
	bool eight = s.n > 0 && s.p[0] == '~';
	size_t close;
	uint64_t n;

	s = slice_skip(s, eight ? 2 : 1);
	close = slice_find(s, '}');
	digits = slice_sub(s, 0, close);
	if (slice_ends(digits, SLICE("+")))
		digits.n--;
	s = slice_skip(s, close);
	if (!num_parse_u64(digits, UINT32_MAX, &n) || !slice_starts(s, SLICE("}\r\n")) ||
	    s.n - 3 < n)
		return imap_args_fail(a, "Invalid literal in %s", a->cmd);
	*v_r = slice_sub(s, 3, (size_t)n);
	a->rest = slice_skip(s, 3 + (size_t)n);
	if (eight && !may_8)
		return invalid(a, what);
	if (!eight && memchr(v_r->p, '\0', v_r->n) != NULL)
		return imap_args_fail(a, "A NUL in a literal in %s", a->cmd);
	if (literal8_r != NULL)
		*literal8_r = eight;
	return true;
}

static bool
is_literal8(const struct imap_args *a)
{
	return slice_starts(a->rest, SLICE("~{"));
}

static bool
take_string_or(struct imap_args *a, char_class *in_class, const char *what, struct slice *v_r)
{
	char c = imap_args_peek(a);

	if (a->bad != NULL)
		return false;
	if (c == '"')
		return take_quoted(a, what, v_r);
	if (c == '{' || is_literal8(a))
		return take_literal(a, what, false, v_r, NULL);
	if (in_class == NULL)
		return missing(a, what);
	return take_word_of(a, in_class, what, v_r);
}

bool
imap_args_atom(struct imap_args *a, const char *what, struct slice *v_r)
{
	return take_word_of(a, is_atom_char, what, v_r);
}

bool
imap_args_word(struct imap_args *a, const char *what, struct slice *v_r)
{
	return take_word_of(a, is_word_char, what, v_r);
}

bool
imap_args_astring(struct imap_args *a, const char *what, struct slice *v_r)
{
	return take_string_or(a, is_astring_char, what, v_r);
}

bool
imap_args_list_mailbox(struct imap_args *a, const char *what, struct slice *v_r)
{
	return take_string_or(a, is_list_char, what, v_r);
}

bool
imap_args_string(struct imap_args *a, const char *what, struct slice *v_r)
{
	return take_string_or(a, NULL, what, v_r);
}

bool
imap_args_nstring(struct imap_args *a, const char *what, struct slice *v_r)
{
	*v_r = (struct slice){ NULL, 0 };
	return imap_args_try_word(a, "NIL") || imap_args_string(a, what, v_r);
}

bool
imap_args_literal(struct imap_args *a, const char *what, struct slice *v_r, bool *literal8_r)
{
	if (a->bad != NULL)
		return false;
	if (imap_args_peek(a) != '{' && !is_literal8(a))
		return missing(a, what);
	return take_literal(a, what, true, v_r, literal8_r);
}

/* ---- numbers and dates ----------------------------------------------------------------------- */

static bool
take_number(struct imap_args *a, const char *what, uint64_t max, uint64_t *v_r)
{
	struct slice word;

	if (!imap_args_word(a, what, &word))
		return false;
	return num_parse_u64(word, max, v_r) || invalid(a, what);
}

bool
imap_args_u32(struct imap_args *a, const char *what, uint32_t *v_r)
{
	uint64_t v;

	if (!take_number(a, what, UINT32_MAX, &v))
		return false;
	*v_r = (uint32_t)v;
	return true;
}

bool
imap_args_nz_u32(struct imap_args *a, const char *what, uint32_t *v_r)
{
	return imap_args_u32(a, what, v_r) && (*v_r != 0 || invalid(a, what));
}

bool
imap_args_u64(struct imap_args *a, const char *what, uint64_t *v_r)
{
	return take_number(a, what, U63_MAX, v_r);
}

bool
imap_args_day(struct imap_args *a, const char *what, int32_t *day_r)
{
	struct slice text;
	bool ok = imap_args_peek(a) == '"' ? take_quoted(a, what, &text)
	                                   : imap_args_word(a, what, &text);

	return ok && (date_parse_day(text, day_r) || invalid(a, what));
}

bool
imap_args_date_time(struct imap_args *a, const char *what, struct date *d_r)
{
	struct slice text;

	if (a->bad != NULL)
		return false;
	if (imap_args_peek(a) != '"')
		return missing(a, what);
	return take_quoted(a, what, &text) && (date_parse_imap(text, d_r) || invalid(a, what));
}

/* ---- lists ------------------------------------------------------------------------------------- */

bool
imap_args_open(struct imap_args *a, const char *what)
{
	if (a->bad != NULL)
		return false;
	if (!imap_args_try(a, '('))
		return missing(a, what);
	if (a->depth == IMAP_ARGS_DEPTH_MAX)
		return imap_args_fail(a, "Too many parentheses in %s", a->cmd);
	a->depth++;
	return true;
}

bool
imap_args_next(struct imap_args *a, bool *first)
{
	if (a->bad != NULL)
		return false;
	if (imap_args_try(a, ')')) {
		a->depth--;
		return false;
	}
	if (imap_args_is_end(a))
		return imap_args_fail(a, "Missing ) in %s", a->cmd);
	if (!*first && !imap_args_space(a))
		return false;
	*first = false;
	return true;
}

/* Iterative: the depth is counted, not stacked. */
bool
imap_args_skip(struct imap_args *a, const char *what)
{
	unsigned bottom = a->depth;
	struct slice v;
	bool first = true;

	for (;;) {
		if (imap_args_peek(a) == '(') {
			if (!imap_args_open(a, what))
				return false;
			first = true;
		} else if (!take_string_or(a, is_word_char, what, &v)) {
			return false;
		}
		/* to the next element, through the ends of lists */
		while (a->depth > bottom && !imap_args_next(a, &first)) {
			if (!imap_args_ok(a))
				return false;
			first = false;
		}
		if (a->depth == bottom)
			return imap_args_ok(a);
	}
}

/* ---- flags ------------------------------------------------------------------------------------- */

bool
imap_args_flag(struct imap_args *a, struct slice *v_r)
{
	struct slice start = a->rest, atom;
	bool system = imap_args_try(a, '\\');

	if (!imap_args_atom(a, "flag", &atom))
		return false;
	*v_r = slice_sub(start, 0, atom.n + (system ? 1 : 0));
	return true;
}

static bool
add_flag(struct imap_args *a, struct slice *flags, size_t *count)
{
	if (*count == IMAP_ARGS_FLAGS_MAX)
		return imap_args_fail(a, "Too many flags in %s", a->cmd);
	return imap_args_flag(a, &flags[(*count)++]);
}

bool
imap_args_flags(struct imap_args *a, bool bare, struct slice **flags_r, size_t *count_r)
{
	/* every flag takes a byte and what separates it */
	struct slice *flags = arena_array(
		a->arena, MIN(a->rest.n / 2 + 1, (size_t)IMAP_ARGS_FLAGS_MAX), sizeof(*flags));
	bool first = true;

	*flags_r = flags;
	*count_r = 0;
	if (bare && a->bad == NULL && imap_args_peek(a) != '(') {
		do
			if (!add_flag(a, flags, count_r))
				return false;
		while (!imap_args_is_end(a) && imap_args_space(a));
		return imap_args_ok(a);
	}
	if (imap_args_open(a, "flags"))
		while (imap_args_next(a, &first))
			if (!add_flag(a, flags, count_r))
				return false;
	return imap_args_ok(a);
}
