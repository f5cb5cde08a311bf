/*
 * pattern - all states at once: bit i of a set says "text[0..i) has matched so far".
 *
 * Runs of wildcards are folded to one when the pattern is made, so the step "a wildcard
 * may match nothing" is one shift and needs no loop.
 */
#include "mail/pattern.h"

#include "base/text.h"
#include "mail/mbox_name.h"

struct states {
	uint64_t w[PATTERN_WORDS];
};

static bool
is_wild(char c)
{
	return c == '*' || c == '%';
}

static bool
add_char(struct pattern *p, char c)
{
	if (p->n > 0 && is_wild(c) && is_wild(p->text[p->n - 1])) {
		if (c == '*')
			p->text[p->n - 1] = '*';
		return true;
	}
	if (p->n == PATTERN_MAX)
		return false;
	p->text[p->n++] = c;
	return true;
}

static void
set_bit(uint64_t *set, size_t i)
{
	set[i / 64] |= (uint64_t)1 << i % 64;
}

bool
pattern_init(struct pattern *p, struct slice reference, struct slice pattern)
{
	memset(p, 0, sizeof(*p));
	if (pattern.n > 0 && pattern.p[0] == MBOX_SEPARATOR)
		pattern = slice_skip(pattern, 1);
	else
		for (size_t i = 0; i < reference.n; i++)
			if (!add_char(p, reference.p[i]))
				return false;
	for (size_t i = 0; i < pattern.n; i++)
		if (!add_char(p, pattern.p[i]))
			return false;
	p->words = (p->n + 64) / 64;
	for (size_t i = 0; i < p->n; i++) {
		char c = p->text[i];

		if (c == '*')
			set_bit(p->star, i);
		if (is_wild(c))
			set_bit(p->wild, i);
		else
			set_bit(p->is[(unsigned char)c], i);
	}
	return true;
}

/* A wildcard may match nothing. */
static void
skip_wild(const struct pattern *p, struct states *s)
{
	uint64_t carry = 0;

	for (size_t i = 0; i < p->words; i++) {
		uint64_t at = s->w[i] & p->wild[i];

		s->w[i] |= at << 1 | carry;
		carry = at >> 63;
	}
}

static bool
step(const struct pattern *p, struct states *s, char c, bool any_case)
{
	const uint64_t *is = p->is[(unsigned char)c];
	const uint64_t *other = is;
	const uint64_t *stay = c == MBOX_SEPARATOR ? p->star : p->wild;
	uint64_t carry = 0, any = 0;

	if (any_case)
		other = p->is[(unsigned char)(c ^ 0x20)];
	for (size_t i = 0; i < p->words; i++) {
		uint64_t go = s->w[i] & (is[i] | other[i]);

		s->w[i] = (s->w[i] & stay[i]) | go << 1 | carry;
		carry = go >> 63;
		any |= s->w[i];
	}
	skip_wild(p, s);
	return any != 0;
}

/* False when no state is left. */
static bool
run(const struct pattern *p, struct slice name, struct states *s)
{
	size_t inbox = 0;

	if (slice_istarts(name, SLICE("INBOX")) && (name.n == 5 || name.p[5] == MBOX_SEPARATOR))
		inbox = 5;
	memset(s, 0, sizeof(*s));
	s->w[0] = 1;
	skip_wild(p, s);
	for (size_t i = 0; i < name.n; i++)
		if (!step(p, s, name.p[i], i < inbox))
			return false;
	return true;
}

bool
pattern_matches(const struct pattern *p, struct slice name)
{
	struct states s;

	return run(p, name, &s) && (s.w[p->n / 64] >> p->n % 64 & 1) != 0;
}

bool
pattern_may_match_below(const struct pattern *p, struct slice name)
{
	struct states s;

	if (!run(p, name, &s) || !step(p, &s, MBOX_SEPARATOR, false))
		return false;
	s.w[p->n / 64] &= ~((uint64_t)1 << p->n % 64);
	for (size_t i = 0; i < p->words; i++)
		if (s.w[i] != 0)
			return true;
	return false;
}

struct slice
pattern_fixed_prefix(const struct pattern *p)
{
	size_t n = 0;

	while (n < p->n && !is_wild(p->text[n]))
		n++;
	return slice_make(p->text, n);
}
