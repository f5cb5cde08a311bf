/*
 * utf7 - modified UTF-7: decoding is a walk over units, checking is decoding into
 * nothing, so the two cannot differ.
 */
#include "mail/utf7.h"

#include <stdint.h>

#include "base/text.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

/* RFC 3501 section 5.1.3: base64, with "," for "/". */
static int
digit_value(char c)
{
	return c == ',' ? 63 : c == '/' ? -1 : text_base64_value(c);
}

static bool
is_plain(uint32_t c)
{
	return c >= 0x20 && c <= 0x7e;
}

static bool
is_control(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

/* One UTF-16 unit of a shift; *high holds a first surrogate that waits for its second.
 * out may be NULL. */
static bool
take_unit(uint32_t unit, uint32_t *high, struct buf *out)
{
	uint32_t cp = unit;

	if (*high != 0) {
		if (unit < 0xdc00 || unit > 0xdfff)
			return false;
		cp = 0x10000 + ((*high - 0xd800) << 10) + (unit - 0xdc00);
		*high = 0;
	} else if (unit >= 0xd800 && unit <= 0xdbff) {
		*high = unit;
		return true;
	} else if ((unit >= 0xdc00 && unit <= 0xdfff) || is_plain(unit) || is_control(unit)) {
		return false;
	}
	if (out != NULL)
		text_utf8_add(out, cp);
	return true;
}

/* s stands behind '&'; *used_r counts the final '-'. */
static bool
take_shift(struct slice s, size_t *used_r, struct buf *out)
{
	uint32_t bits = 0, high = 0;
	unsigned have = 0;
	size_t i;
	int v;

	for (i = 0; i < s.n && (v = digit_value(s.p[i])) != -1; i++) {
		bits = (bits << 6 | (uint32_t)v) & 0x3fffff;
		have += 6;
		if (have < 16)
			continue;
		have -= 16;
		if (!take_unit(bits >> have & 0xffff, &high, out))
			return false;
	}
	*used_r = i + 1;
	return i > 0 && i < s.n && s.p[i] == '-' && high == 0 && have < 6 &&
	       (bits & ((1U << have) - 1)) == 0;
}

static bool
decode(struct slice s, struct buf *out)
{
	bool after_shift = false;

	while (s.n > 0) {
		size_t used;

		if (!is_plain((unsigned char)s.p[0]))
			return false;
		if (s.p[0] != '&' || (s.n > 1 && s.p[1] == '-')) {
			if (out != NULL)
				buf_add_char(out, s.p[0]);
			s = slice_skip(s, s.p[0] == '&' ? 2 : 1);
			after_shift = false;
			continue;
		}
		/* two shifts in a row would be a second spelling of one */
		if (after_shift || !take_shift(slice_skip(s, 1), &used, out))
			return false;
		s = slice_skip(s, 1 + used);
		after_shift = true;
	}
	return true;
}

bool
utf7_is_valid(struct slice s)
{
	return decode(s, NULL);
}

bool
utf7_to_utf8(struct slice s, struct buf *out)
{
	if (!decode(s, NULL))
		return false;
	return decode(s, out);
}

struct shift {
	struct buf *out;
	uint32_t bits;
	unsigned have;
	bool open;
};

static void
shift_add(struct shift *sh, uint32_t unit)
{
	if (!sh->open)
		buf_add_char(sh->out, '&');
	sh->open = true;
	sh->bits = sh->bits << 16 | unit;
	sh->have += 16;
	while (sh->have >= 6) {
		sh->have -= 6;
		buf_add_char(sh->out, digits[sh->bits >> sh->have & 63]);
	}
	sh->bits &= (1U << sh->have) - 1;
}

static void
shift_close(struct shift *sh)
{
	if (!sh->open)
		return;
	if (sh->have > 0)
		buf_add_char(sh->out, digits[sh->bits << (6 - sh->have) & 63]);
	buf_add_char(sh->out, '-');
	*sh = (struct shift){ .out = sh->out };
}

static bool
is_encodable(struct slice s)
{
	while (s.n > 0) {
		uint32_t cp;
		size_t n = text_utf8_next(s, &cp);

		if (n == 0 || is_control(cp))
			return false;
		s = slice_skip(s, n);
	}
	return true;
}

bool
utf7_from_utf8(struct slice s, struct buf *out)
{
	struct shift sh = { .out = out };

	if (!is_encodable(s))
		return false;
	while (s.n > 0) {
		uint32_t cp;
		size_t n = text_utf8_next(s, &cp);

		s = slice_skip(s, n);
		if (is_plain(cp)) {
			shift_close(&sh);
			buf_add_char(out, (char)cp);
			if (cp == '&')
				buf_add_char(out, '-');
		} else if (cp >= 0x10000) {
			shift_add(&sh, 0xd800 + ((cp - 0x10000) >> 10));
			shift_add(&sh, 0xdc00 + ((cp - 0x10000) & 0x3ff));
		} else {
			shift_add(&sh, cp);
		}
	}
	shift_close(&sh);
	return true;
}
