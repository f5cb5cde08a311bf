/*
 * header_params - Content-Type and its kin.
 *
 *	content   = type ["/" subtype] *(";" parameter)
 *	parameter = attribute ["*" section] ["*"] "=" (token / quoted-string)
 *
 * RFC 2045 section 5.1, RFC 2183, RFC 2231. Read with good will: blanks in tokens,
 * missing semicolons at the end, unfinished quotes.
 */
#include "base/arena.h"
#include "base/num.h"
#include "base/text.h"
#include "mail/header.h"

#define MAX_SECTION HEADER_MAX_PARAMS

/* A parameter as it is written. */
struct piece {
	struct slice name;  /* lower case, stars cut off */
	struct slice value; /* unquoted */
	int section;        /* -1 without */
	bool encoded;       /* name*= or name*0*= */
	bool used;
};

struct pieces {
	struct piece v[HEADER_MAX_PARAMS];
	size_t n;
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct slice
header_skip_cfws(struct slice s)
{
	unsigned depth = 0;

	while (s.n > 0) {
		if (depth > 0 && s.p[0] == '\\' && s.n > 1)
			s = slice_skip(s, 1);
		else if (s.p[0] == '(')
			depth++;
		else if (s.p[0] == ')' && depth > 0)
			depth--;
		else if (depth == 0 && !is_blank(s.p[0]))
			break;
		s = slice_skip(s, 1);
	}
	return s;
}

static struct slice
lower_dup(struct arena *a, struct slice s)
{
	char *p;

	if (s.n == 0)
		return slice_make("", 0);
	p = arena_alloc(a, s.n);
	for (size_t i = 0; i < s.n; i++)
		p[i] = text_lower(s.p[i]);
	return slice_make(p, s.n);
}

static bool
is_token(char c)
{
	return !is_blank(c) && !text_is_ctl(c) && strchr("()<>@,;:\\\"/[]?=", c) == NULL;
}

static struct slice
take_token(struct slice *s)
{
	size_t n = 0;

	while (n < s->n && is_token(s->p[n]))
		n++;
	struct slice token = slice_sub(*s, 0, n);
	*s = slice_skip(*s, n);
	return token;
}

static struct slice
take_quoted(struct arena *a, struct slice *s)
{
	char *p;
	size_t i = 1, n = 0;

	while (i < s->n && s->p[i] != '"')
		i += s->p[i] == '\\' ? 2 : 1;
	p = arena_alloc(a, MIN(i, s->n));
	for (size_t k = 1; k < MIN(i, s->n); k++) {
		if (s->p[k] == '\\' && k + 1 < s->n)
			k++;
		if (s->p[k] != '\r' && s->p[k] != '\n')
			p[n++] = s->p[k];
	}
	*s = slice_skip(*s, i + 1);
	return slice_make(p, n);
}

/* Without the line ends of folding. */
static struct slice
unfold_dup(struct arena *a, struct slice s)
{
	char *p;
	size_t n = 0;

	if (slice_find(s, '\r') == s.n && slice_find(s, '\n') == s.n)
		return s;
	p = arena_alloc(a, s.n);
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != '\r' && s.p[i] != '\n')
			p[n++] = s.p[i];
	return slice_make(p, n);
}

/* Up to the semicolon; a comment behind a blank ends it too. */
static struct slice
take_bare(struct arena *a, struct slice *s)
{
	size_t n = 0;
	struct slice v;

	while (n < s->n && s->p[n] != ';' && !(s->p[n] == '(' && n > 0 && is_blank(s->p[n - 1])))
		n++;
	v = unfold_dup(a, slice_trim(slice_sub(*s, 0, n)));
	*s = slice_skip(*s, n);
	return v;
}

/* "name", "name*", "name*3", "name*3*" */
static void
split_name(struct piece *p)
{
	size_t star = slice_find(p->name, '*');
	struct slice rest;
	uint32_t section;

	p->section = -1;
	if (star == p->name.n)
		return;
	rest = slice_skip(p->name, star + 1);
	p->name = slice_sub(p->name, 0, star);
	if (rest.n == 0 || rest.p[rest.n - 1] == '*') {
		p->encoded = true;
		rest = slice_sub(rest, 0, rest.n > 0 ? rest.n - 1 : 0);
	}
	if (num_parse_u32(rest, &section) && section < MAX_SECTION)
		p->section = (int)section;
}

static void
read_pieces(struct arena *a, struct slice s, struct pieces *ps)
{
	while (ps->n < HEADER_MAX_PARAMS && s.n > 0) {
		struct piece *p = &ps->v[ps->n];

		s = header_skip_cfws(s);
		if (s.n > 0 && s.p[0] == ';') {
			s = slice_skip(s, 1);
			continue;
		}
		*p = (struct piece){ .name = lower_dup(a, take_token(&s)) };
		s = header_skip_cfws(s);
		if (p->name.n == 0 || s.n == 0 || s.p[0] != '=') {
			/* not a parameter: on behind the next semicolon */
			s = slice_skip(s, slice_find(s, ';'));
			continue;
		}
		s = header_skip_cfws(slice_skip(s, 1));
		p->value = s.n > 0 && s.p[0] == '"' ? take_quoted(a, &s) : take_bare(a, &s);
		split_name(p);
		ps->n++;
	}
}

/* ---- RFC 2231 ---- */

/* charset'language'text */
static struct slice
cut_charset(struct slice value, struct slice *charset_r)
{
	size_t first = slice_find(value, '\'');
	size_t second;

	if (first == value.n)
		return value;
	second = slice_find(slice_skip(value, first + 1), '\'');
	if (first + 1 + second == value.n)
		return value;
	*charset_r = slice_sub(value, 0, first);
	return slice_skip(value, first + second + 2);
}

static void
add_percent(struct slice s, struct buf *out)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '%' && s.n - i > 2 && text_hex_decode(slice_sub(s, i + 1, 2), out))
			i += 2;
		else
			buf_add_char(out, s.p[i]);
	}
}

static struct piece *
find_section(struct pieces *ps, struct slice name, int section)
{
	for (size_t i = 0; i < ps->n; i++)
		if (ps->v[i].section == section && slice_eq(ps->v[i].name, name))
			return &ps->v[i];
	return NULL;
}

/* Joins the sections 0, 1, 2 ... that are there, or the one encoded value. */
static void
join(struct arena *a, struct pieces *ps, struct piece *first, struct header_param *p_r)
{
	struct buf b = BUF_INIT(SIZE_MAX);
	struct piece *p = first;

	for (int section = 0; p != NULL; section++) {
		struct slice v = p->value;

		p->used = true;
		if (p->encoded && section == 0)
			v = cut_charset(v, &p_r->charset);
		if (p->encoded)
			add_percent(v, &b);
		else
			buf_add_slice(&b, v);
		p = first->section == -1 ? NULL : find_section(ps, first->name, section + 1);
	}
	p_r->name = first->name;
	p_r->value = b.len > 0 ? arena_slice_dup(a, buf_slice(&b)) : slice_make("", 0);
	buf_fini(&b);
}

static bool
have_param(const struct header_params *p, struct slice name)
{
	for (size_t i = 0; i < p->count; i++)
		if (slice_eq(p->params[i].name, name))
			return true;
	return false;
}

/* Extended forms first: they say more than the plain one that old readers get. */
static void
make_params(struct arena *a, struct pieces *ps, struct header_params *p_r)
{
	p_r->params = arena_array(a, ps->n > 0 ? ps->n : 1, sizeof(*p_r->params));
	for (int extended = 1; extended >= 0; extended--) {
		for (size_t i = 0; i < ps->n; i++) {
			struct piece *p = &ps->v[i];
			bool starts = extended ? p->section == 0 || (p->section == -1 && p->encoded)
			                       : p->section == -1 && !p->encoded;

			if (!starts || p->used || have_param(p_r, p->name))
				continue;
			join(a, ps, p, &p_r->params[p_r->count++]);
		}
	}
}

void
header_parse_params(struct arena *a, struct slice value, struct header_params *p_r)
{
	struct pieces ps;
	struct slice s = header_skip_cfws(value);

	memset(p_r, 0, sizeof(*p_r));
	p_r->type = lower_dup(a, take_token(&s));
	s = header_skip_cfws(s);
	if (s.n > 0 && s.p[0] == '/') {
		s = header_skip_cfws(slice_skip(s, 1));
		p_r->subtype = lower_dup(a, take_token(&s));
		if (p_r->type.n == 0 || p_r->subtype.n == 0) {
			p_r->type = slice_make("", 0);
			p_r->subtype = slice_make(NULL, 0);
		}
	}
	ps.n = 0;
	read_pieces(a, s, &ps);
	make_params(a, &ps, p_r);
}

struct slice
header_param_get(const struct header_params *p, const char *name)
{
	for (size_t i = 0; i < p->count; i++)
		if (slice_eq_str(p->params[i].name, name))
			return p->params[i].value;
	return slice_make(NULL, 0);
}
