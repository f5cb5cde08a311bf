/*
 * RFC 4013 section 2: map, normalise (NFKC), prohibit, check directions. The tables of
 * RFC 3454 are named beside what stands for them.
 */
#include "text/prep.h"

#include <stdlib.h>
#include <unictype.h>
#include <uninorm.h>

#include "base/text.h"
#include "base/xalloc.h"

struct range {
	uint32_t first, last;
};

static bool
is_in(const struct range *ranges, size_t n, uint32_t cp)
{
	for (size_t i = 0; i < n; i++)
		if (cp >= ranges[i].first && cp <= ranges[i].last)
			return true;
	return false;
}

/* B.1 */
static const struct range mapped_to_nothing[] = {
	{ 0xad, 0xad },     { 0x34f, 0x34f },   { 0x1806, 0x1806 }, { 0x180b, 0x180d },
	{ 0x200b, 0x200d }, { 0x2060, 0x2060 }, { 0xfe00, 0xfe0f }, { 0xfeff, 0xfeff },
};

/* C.1.2 */
static const struct range spaces[] = {
	{ 0xa0, 0xa0 },     { 0x1680, 0x1680 }, { 0x2000, 0x200b },
	{ 0x202f, 0x202f }, { 0x205f, 0x205f }, { 0x3000, 0x3000 },
};

/* C.2.1, C.2.2, C.3 to C.9 (C.5, surrogates, are no UTF-8) */
static const struct range prohibited[] = {
	{ 0x00, 0x1f },       { 0x7f, 0x9f },       { 0x340, 0x341 },      { 0x6dd, 0x6dd },
	{ 0x70f, 0x70f },     { 0x180e, 0x180e },   { 0x200c, 0x200f },    { 0x2028, 0x202e },
	{ 0x2060, 0x2063 },   { 0x206a, 0x206f },   { 0x2ff0, 0x2ffb },    { 0xe000, 0xf8ff },
	{ 0xfdd0, 0xfdef },   { 0xfeff, 0xfeff },   { 0xfff9, 0xfffd },    { 0x1d173, 0x1d17a },
	{ 0xe0001, 0xe0001 }, { 0xe0020, 0xe007f }, { 0xf0000, 0x10ffff },
};

static bool
is_prohibited(uint32_t cp)
{
	return is_in(prohibited, ARRAY_LEN(prohibited), cp) || (cp & 0xfffe) == 0xfffe;
}

/* Section 2.1 */
static bool
map_text(struct buf *out, struct slice s)
{
	size_t n;
	uint32_t cp;

	for (; s.n > 0; s = slice_skip(s, n)) {
		n = text_utf8_next(s, &cp);
		if (n == 0)
			return false;
		if (is_in(mapped_to_nothing, ARRAY_LEN(mapped_to_nothing), cp))
			continue;
		if (is_in(spaces, ARRAY_LEN(spaces), cp))
			cp = ' ';
		text_utf8_add(out, cp);
	}
	return !out->overflow;
}

/* D.1 and D.2 */
static bool
is_right_to_left(uint32_t cp)
{
	int class = uc_bidi_category(cp);

	return class == UC_BIDI_R || class == UC_BIDI_AL;
}

/* Sections 2.3 and 2.4: with one character from right to left, the first and the last are
 * such, and none is from left to right. */
static bool
is_allowed(struct slice s)
{
	bool any_left = false, any_right = false, first = false, last = false;
	size_t at = 0, n;
	uint32_t cp;

	for (; at < s.n; at += n) {
		n = text_utf8_next(slice_skip(s, at), &cp);
		if (n == 0 || is_prohibited(cp))
			return false;
		last = is_right_to_left(cp);
		first = first || (at == 0 && last);
		any_right = any_right || last;
		any_left = any_left || uc_bidi_category((ucs4_t)cp) == UC_BIDI_L;
	}
	return !any_right || (!any_left && first && last);
}

static bool
is_plain(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (text_is_ctl(s.p[i]) || (unsigned char)s.p[i] >= 0x80)
			return false;
	return true;
}

bool
prep_sasl(struct buf *out, struct slice utf8)
{
	struct buf mapped = BUF_INIT(out->limit);
	uint8_t *normal = NULL;
	size_t n = 0;
	bool ok = false;

	if (is_plain(utf8)) {
		buf_add_slice(out, utf8);
		return !out->overflow;
	}
	if (map_text(&mapped, utf8))
		normal = u8_normalize(UNINORM_NFKC, (const uint8_t *)buf_cstr(&mapped), mapped.len,
		                      NULL, &n);
	if (normal != NULL && is_allowed(slice_make(normal, n))) {
		buf_add(out, normal, n);
		ok = !out->overflow;
	}
	if (normal != NULL)
		secret_wipe(normal, n);
	free(normal);
	buf_wipe(&mapped);
	return ok;
}
