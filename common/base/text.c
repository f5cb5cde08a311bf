/* text - see text.h. */
#include "base/text.h"

static const char b64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void
text_base64_add(struct buf *out, struct slice in)
{
	for (size_t i = 0; i < in.n; i += 3) {
		size_t have = MIN(in.n - i, (size_t)3);
		uint32_t v = (uint32_t)(unsigned char)in.p[i] << 16;
		char four[4];

		if (have > 1)
			v |= (uint32_t)(unsigned char)in.p[i + 1] << 8;
		if (have > 2)
			v |= (unsigned char)in.p[i + 2];
		four[0] = b64_digits[v >> 18];
		four[1] = b64_digits[v >> 12 & 63];
		four[2] = have > 1 ? b64_digits[v >> 6 & 63] : '=';
		four[3] = have > 2 ? b64_digits[v & 63] : '=';
		buf_add(out, four, 4);
	}
}

int
text_base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (text_is_digit(c))
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Decodes the four characters at p into three_r. Returns the byte count, 0 if bad. */
static size_t
b64_group(const char *p, bool last, char three_r[3])
{
	size_t digits = p[3] != '=' ? 4 : p[2] != '=' ? 3 : 2;
	uint32_t v = 0;

	if (digits != 4 && !last)
		return 0;
	for (size_t i = 0; i < 4; i++) {
		int d = i < digits ? text_base64_value(p[i]) : 0;

		if (d < 0)
			return 0;
		v = v << 6 | (uint32_t)d;
	}
	if ((digits == 2 && (v & 0xffff) != 0) || (digits == 3 && (v & 0xff) != 0))
		return 0;
	three_r[0] = (char)(v >> 16);
	three_r[1] = (char)(v >> 8);
	three_r[2] = (char)v;
	return digits - 1;
}

bool
text_base64_decode(struct slice in, struct buf *out)
{
	size_t before = out->len;

	if (in.n % 4 != 0)
		return false;
	for (size_t i = 0; i < in.n; i += 4) {
		char three[3];
		size_t n = b64_group(in.p + i, i + 4 == in.n, three);

		if (n == 0) {
			buf_truncate(out, before);
			return false;
		}
		buf_add(out, three, n);
	}
	return true;
}

void
text_hex_add(struct buf *out, struct slice in)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < in.n; i++) {
		unsigned char c = (unsigned char)in.p[i];

		buf_add_char(out, digits[c >> 4]);
		buf_add_char(out, digits[c & 15]);
	}
}

static int
hex_value(char c)
{
	if (text_is_digit(c))
		return c - '0';
	c = text_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool
text_hex_decode(struct slice in, struct buf *out)
{
	size_t before = out->len;

	if (in.n % 2 != 0)
		return false;
	for (size_t i = 0; i < in.n; i += 2) {
		int hi = hex_value(in.p[i]), lo = hex_value(in.p[i + 1]);

		if (hi < 0 || lo < 0) {
			buf_truncate(out, before);
			return false;
		}
		buf_add_char(out, (char)(hi << 4 | lo));
	}
	return true;
}

size_t
text_utf8_next(struct slice s, uint32_t *cp_r)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *p = (const unsigned char *)s.p;
	uint32_t cp;
	size_t n;

	if (s.n == 0)
		return 0;
	n = p[0] < 0x80 ? 1 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : p[0] >= 0xc0 ? 2 : 0;
	if (n == 0 || n > s.n || p[0] > 0xf4)
		return 0;
	cp = n == 1 ? p[0] : p[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		cp = cp << 6 | (p[i] & 0x3f);
	}
	if (cp < least[n] || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
		return 0;
	if (cp_r != NULL)
		*cp_r = cp;
	return n;
}

bool
text_is_utf8(struct slice s)
{
	while (s.n != 0) {
		size_t n = text_utf8_next(s, NULL);

		if (n == 0)
			return false;
		s = slice_skip(s, n);
	}
	return true;
}

bool
text_is_ascii(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] >= 0x80)
			return false;
	return true;
}

void
text_utf8_add(struct buf *out, uint32_t cp)
{
	if (cp < 0x80) {
		buf_add_char(out, (char)cp);
	} else if (cp < 0x800) {
		buf_add_char(out, (char)(0xc0 | cp >> 6));
		buf_add_char(out, (char)(0x80 | (cp & 0x3f)));
	} else if (cp < 0x10000) {
		buf_add_char(out, (char)(0xe0 | cp >> 12));
		buf_add_char(out, (char)(0x80 | (cp >> 6 & 0x3f)));
		buf_add_char(out, (char)(0x80 | (cp & 0x3f)));
	} else {
		buf_add_char(out, (char)(0xf0 | cp >> 18));
		buf_add_char(out, (char)(0x80 | (cp >> 12 & 0x3f)));
		buf_add_char(out, (char)(0x80 | (cp >> 6 & 0x3f)));
		buf_add_char(out, (char)(0x80 | (cp & 0x3f)));
	}
}

bool
text_secret_eq(struct slice a, struct slice b)
{
	unsigned char diff = 0;

	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		diff |= (unsigned char)(a.p[i] ^ b.p[i]);
	return diff == 0;
}
