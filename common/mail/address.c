/*
 * address - envelope paths: strict, one pass.
 *
 *	path       = "<" [ at-domain *( "," at-domain ) ":" ] mailbox ">" / "<>"
 *	mailbox    = local-part "@" ( domain / address-literal )
 *	local-part = atom *("." atom) / DQUOTE *(qtext / quoted-pair) DQUOTE
 *
 * RFC 5321 section 4.1.2; UTF-8 in atoms, quotes and domains by RFC 6531.
 */
#include "mail/address.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "base/text.h"

const char *
address_error_text(enum address_error e)
{
	static const char *const texts[] = {
#define X(name, text) [ADDRESS_##name] = text,
		ADDRESS_ERRORS(X)
#undef X
	};

	must(e < ADDRESS_ERROR_COUNT);
	return texts[e];
}

static bool
is_atext(char c)
{
	return (unsigned char)c >= 0x80 || text_is_alpha(c) || text_is_digit(c) ||
	       (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

bool
address_is_domain(struct slice s, bool utf8)
{
	if (s.n == 0 || s.n > ADDRESS_DOMAIN_MAX || (utf8 && !text_is_utf8(s)))
		return false;
	while (s.p != NULL) {
		struct slice label = slice_cut(&s, '.');

		if (label.n == 0 || label.n > 63 || label.p[0] == '-' ||
		    label.p[label.n - 1] == '-')
			return false;
		for (size_t i = 0; i < label.n; i++) {
			char c = label.p[i];

			if (!text_is_alpha(c) && !text_is_digit(c) && c != '-' && c != '_' &&
			    !(utf8 && (unsigned char)c >= 0x80))
				return false;
		}
	}
	return true;
}

bool
address_is_literal(struct slice s)
{
	char text[INET6_ADDRSTRLEN];
	unsigned char bin[16];
	int family = AF_INET;

	if (s.n < 3 || s.p[0] != '[' || s.p[s.n - 1] != ']')
		return false;
	s = slice_sub(s, 1, s.n - 2);
	if (slice_istarts(s, SLICE("IPv6:"))) {
		family = AF_INET6;
		s = slice_skip(s, strlen("IPv6:"));
	}
	if (s.n >= sizeof(text) || memchr(s.p, '\0', s.n) != NULL)
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	return inet_pton(family, text, bin) == 1;
}

/* A local part at the start of *s, unquoted into local. */
struct local {
	char text[ADDRESS_LOCAL_MAX + 1];
	size_t n;
};

static enum address_error
local_add(struct local *l, char c)
{
	if (l->n == ADDRESS_LOCAL_MAX)
		return ADDRESS_LOCAL_LONG;
	l->text[l->n++] = c;
	return ADDRESS_OK;
}

static enum address_error
take_quoted(struct slice *s, struct local *l)
{
	enum address_error e = ADDRESS_OK;
	size_t i = 1;

	for (; i < s->n && s->p[i] != '"'; i++) {
		if (s->p[i] == '\\' && ++i == s->n)
			break;
		if (text_is_ctl(s->p[i]))
			return ADDRESS_SYNTAX;
		if (e == ADDRESS_OK)
			e = local_add(l, s->p[i]);
	}
	if (i >= s->n)
		return ADDRESS_SYNTAX;
	*s = slice_skip(*s, i + 1);
	if (e == ADDRESS_OK && l->n == 0)
		return ADDRESS_LOCAL_EMPTY;
	return e;
}

static enum address_error
take_dot_string(struct slice *s, struct local *l)
{
	size_t i = 0;
	enum address_error e;

	for (; i < s->n && (is_atext(s->p[i]) || s->p[i] == '.'); i++) {
		if (s->p[i] == '.' && (i == 0 || s->p[i - 1] == '.'))
			return ADDRESS_SYNTAX;
		if ((e = local_add(l, s->p[i])) != ADDRESS_OK)
			return e;
	}
	if (i == 0)
		return s->n > 0 && s->p[0] == '@' ? ADDRESS_LOCAL_EMPTY : ADDRESS_SYNTAX;
	if (s->p[i - 1] == '.')
		return ADDRESS_SYNTAX;
	*s = slice_skip(*s, i);
	return ADDRESS_OK;
}

static void
set_domain(struct address *a, struct slice domain)
{
	for (size_t i = 0; i < domain.n; i++)
		a->domain[i] = text_lower(domain.p[i]);
	a->domain[domain.n] = '\0';
	if (domain.n > 6 && slice_istarts(domain, SLICE("[IPv6:")))
		memcpy(a->domain, "[IPv6:", 6);
}

/* domain stands for all of the rest. */
static enum address_error
check_domain(struct slice domain, unsigned flags, struct address *a)
{
	bool utf8 = !text_is_ascii(domain);

	if (domain.n > ADDRESS_DOMAIN_MAX)
		return ADDRESS_DOMAIN_LONG;
	if (domain.n > 0 && domain.p[0] == '[') {
		if (!address_is_literal(domain))
			return ADDRESS_LITERAL;
	} else if (!address_is_domain(domain, utf8)) {
		return ADDRESS_DOMAIN;
	}
	if (utf8 && (flags & ADDRESS_ALLOW_UTF8) == 0)
		return ADDRESS_UTF8;
	a->utf8 = a->utf8 || utf8;
	set_domain(a, domain);
	return ADDRESS_OK;
}

enum address_error
address_parse(struct slice in, unsigned flags, struct address *addr_r)
{
	struct local l = { .n = 0 };
	enum address_error e;

	addr_r->local[0] = '\0';
	addr_r->domain[0] = '\0';
	addr_r->utf8 = false;
	if (in.n == 0)
		return flags & ADDRESS_ALLOW_NULL ? ADDRESS_OK : ADDRESS_EMPTY;
	e = in.p[0] == '"' ? take_quoted(&in, &l) : take_dot_string(&in, &l);
	if (e != ADDRESS_OK)
		return e;
	if (!text_is_ascii(slice_make(l.text, l.n))) {
		if (!text_is_utf8(slice_make(l.text, l.n)))
			return ADDRESS_SYNTAX;
		if ((flags & ADDRESS_ALLOW_UTF8) == 0)
			return ADDRESS_UTF8;
		addr_r->utf8 = true;
	}
	memcpy(addr_r->local, l.text, l.n);
	addr_r->local[l.n] = '\0';
	if (in.n == 0)
		return flags & ADDRESS_ALLOW_BARE ? ADDRESS_OK : ADDRESS_NO_DOMAIN;
	if (in.p[0] != '@')
		return ADDRESS_SYNTAX;
	return check_domain(slice_skip(in, 1), flags, addr_r);
}

/* Where the '>' stands: not one inside quotes. */
static bool
find_end(struct slice in, size_t *end_r)
{
	bool quoted = false;

	for (size_t i = 1; i < in.n; i++) {
		if (quoted && in.p[i] == '\\')
			i++;
		else if (in.p[i] == '"')
			quoted = !quoted;
		else if (in.p[i] == '>' && !quoted) {
			*end_r = i;
			return true;
		}
	}
	return false;
}

/* "@a,@b:" in front is read and forgotten (RFC 5321 section 4.1.1.3, appendix C). */
static enum address_error
skip_route(struct slice *s)
{
	bool more = true;

	if (s->n == 0 || s->p[0] != '@' || slice_find(*s, ':') == s->n)
		return ADDRESS_OK;
	while (more) {
		size_t n = 1;

		if (s->n == 0 || s->p[0] != '@')
			return ADDRESS_SYNTAX;
		while (n < s->n && s->p[n] != ',' && s->p[n] != ':')
			n++;
		if (n == s->n || !address_is_domain(slice_sub(*s, 1, n - 1), true))
			return ADDRESS_SYNTAX;
		more = s->p[n] == ',';
		*s = slice_skip(*s, n + 1);
	}
	return ADDRESS_OK;
}

enum address_error
address_parse_path(struct slice in, unsigned flags, struct address *addr_r, size_t *used_r)
{
	struct slice inner;
	enum address_error e;
	size_t end;

	if (in.n == 0 || in.p[0] != '<' || !find_end(in, &end))
		return ADDRESS_SYNTAX;
	inner = slice_sub(in, 1, end - 1);
	*used_r = end + 1;
	if ((e = skip_route(&inner)) != ADDRESS_OK)
		return e;
	if (inner.n == 0 && end > 1) /* only a route */
		return ADDRESS_SYNTAX;
	return address_parse(inner, flags, addr_r);
}

static bool
needs_quotes(const char *local)
{
	for (const char *p = local; *p != '\0'; p++)
		if (!is_atext(*p) && (*p != '.' || p == local || p[1] == '.' || p[1] == '\0'))
			return true;
	return false;
}

const char *
address_text(const struct address *a, char text_r[ADDRESS_TEXT_SIZE])
{
	size_t n = 0;
	bool quote = needs_quotes(a->local);

	if (quote)
		text_r[n++] = '"';
	for (const char *p = a->local; *p != '\0'; p++) {
		if (quote && (*p == '"' || *p == '\\'))
			text_r[n++] = '\\';
		text_r[n++] = *p;
	}
	if (quote)
		text_r[n++] = '"';
	text_r[n] = '\0';
	if (a->domain[0] != '\0')
		snprintf(text_r + n, ADDRESS_TEXT_SIZE - n, "@%s", a->domain);
	return text_r;
}

bool
address_eq(const struct address *a, const struct address *b)
{
	return strcmp(a->local, b->local) == 0 && strcmp(a->domain, b->domain) == 0;
}

void
address_split_detail(struct slice local, char separator, struct slice *user_r,
                     struct slice *detail_r)
{
	size_t at = slice_find(local, separator);

	*user_r = local;
	*detail_r = slice_make(NULL, 0);
	if (separator == '\0' || at == 0 || at == local.n)
		return;
	*user_r = slice_sub(local, 0, at);
	*detail_r = slice_skip(local, at + 1);
	if (detail_r->n == 0)
		*detail_r = slice_make("", 0);
}
