/*
 * mime_decode - transfer encodings, read with good will. RFC 2045 section 6.
 */
#include "base/text.h"
#include "mail/mime.h"

enum mime_encoding
mime_encoding_parse(struct slice value)
{
	static const struct {
		const char *name;
		enum mime_encoding e;
	} names[] = {
		{ "7bit", MIME_7BIT },     { "8bit", MIME_8BIT },
		{ "binary", MIME_BINARY }, { "quoted-printable", MIME_QP },
		{ "base64", MIME_BASE64 },
	};

	value = slice_trim(value);
	for (size_t n = 0; n < value.n; n++)
		if (strchr("; \t\r\n(", value.p[n]) != NULL) {
			value.n = n;
			break;
		}
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (slice_ieq_str(value, names[i].name))
			return names[i].e;
	return value.n == 0 ? MIME_7BIT : MIME_OTHER;
}

/* Padding ends a group, not the text: some mailers join encoded pieces. */
static void
decode_base64(struct slice in, struct buf *out)
{
	uint32_t bits = 0;
	unsigned have = 0;

	for (size_t i = 0; i < in.n && !out->overflow; i++) {
		int v = text_base64_value(in.p[i]);

		if (in.p[i] == '=')
			have = 0;
		if (v == -1)
			continue;
		bits = (bits << 6 | (uint32_t)v) & 0xffffff;
		have += 6;
		if (have >= 8) {
			have -= 8;
			buf_add_char(out, (char)(bits >> have));
		}
	}
}

/* Length of a soft line break behind '=' (blanks may stand before the line end), or 0. */
static size_t
soft_break(struct slice s)
{
	size_t n = 0;

	while (n < s.n && (s.p[n] == ' ' || s.p[n] == '\t'))
		n++;
	if (n < s.n && s.p[n] == '\r')
		n++;
	if (n < s.n && s.p[n] == '\n')
		return n + 1;
	return n == s.n ? n : 0;
}

static void
decode_qp(struct slice in, struct buf *out)
{
	while (in.n > 0 && !out->overflow) {
		size_t n = slice_find(in, '=');

		buf_add_slice(out, slice_sub(in, 0, n));
		in = slice_skip(in, n);
		if (in.n == 0)
			break;
		in = slice_skip(in, 1);
		if (in.n >= 2 && text_hex_decode(slice_sub(in, 0, 2), out)) {
			in = slice_skip(in, 2);
			continue;
		}
		n = soft_break(in);
		if (n == 0 && in.n > 0)
			buf_add_char(out, '=');
		in = slice_skip(in, n);
	}
}

void
mime_decode(enum mime_encoding e, struct slice body, struct buf *out)
{
	if (e == MIME_BASE64)
		decode_base64(body, out);
	else if (e == MIME_QP)
		decode_qp(body, out);
	else
		buf_add_slice(out, body);
}
