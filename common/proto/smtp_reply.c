/* smtp_reply - see smtp_reply.h. */
#include "proto/smtp_reply.h"

#include <stdio.h>

#include "base/num.h"
#include "base/text.h"

void
smtp_reply_set(struct smtp_reply *r, int code, const char *enhanced, const char *text)
{
	r->code = code;
	snprintf(r->enhanced, sizeof(r->enhanced), "%s", enhanced != NULL ? enhanced : "");
	snprintf(r->text, sizeof(r->text), "%s", text);
}

/* At most SMTP_TEXT_MAX bytes of it, no character cut in two. */
static struct slice
cut_text(const char *text)
{
	struct slice s = slice_of(text);

	if (s.n <= SMTP_TEXT_MAX)
		return s;
	s.n = SMTP_TEXT_MAX;
	while (s.n > 0 && ((unsigned char)s.p[s.n] & 0xc0) == 0x80)
		s.n--;
	return s;
}

void
smtp_reply_add(struct buf *out, int code, const char *enhanced, const char *text, bool utf8)
{
	struct slice s = cut_text(text);

	must(code >= 200 && code <= 599);
	buf_printf(out, "%d ", code);
	if (enhanced != NULL && enhanced[0] == '0' + code / 100)
		buf_printf(out, "%s ", enhanced);
	utf8 = utf8 && text_is_utf8(s);
	for (size_t i = 0; i < s.n; i++) {
		unsigned char ch = (unsigned char)s.p[i];

		buf_add_char(out, text_is_ctl((char)ch) || (ch >= 0x80 && !utf8) ? '?' : (char)ch);
	}
	buf_add_str(out, "\r\n");
}

/* ---- reading ---- */

static bool
is_enhanced(struct slice word, int code)
{
	struct slice rest = word;
	struct slice class = slice_cut(&rest, '.'), subject = slice_cut(&rest, '.');
	uint64_t n;

	return word.n <= SMTP_ENHANCED_MAX && class.n == 1 && *class.p == '0' + code / 100 &&
	       subject.n <= 3 && num_parse_u64(subject, 999, &n) && rest.n <= 3 &&
	       num_parse_u64(rest, 999, &n);
}

static void
add_text(struct smtp_reply *r, struct slice text, bool first)
{
	size_t at = strlen(r->text);
	struct slice rest = text, word = slice_cut(&rest, ' ');

	if (is_enhanced(word, r->code)) {
		snprintf(r->enhanced, sizeof(r->enhanced), "%.*s", SLICE_ARG(word));
		text = rest.p != NULL ? rest : SLICE("");
	}
	if (!first && at < SMTP_TEXT_MAX)
		r->text[at++] = ' ';
	for (size_t i = 0; i < text.n && at < SMTP_TEXT_MAX; i++)
		r->text[at++] = text_is_ctl(text.p[i]) ? '?' : text.p[i];
	r->text[at] = '\0';
}

/* Its code, or 0. */
static int
parse_code(struct slice line)
{
	if (line.n < 3 || line.p[0] < '2' || line.p[0] > '5' || !text_is_digit(line.p[1]) ||
	    !text_is_digit(line.p[2]))
		return 0;
	if (line.n > 3 && line.p[3] != ' ' && line.p[3] != '-')
		return 0;
	return (line.p[0] - '0') * 100 + (line.p[1] - '0') * 10 + (line.p[2] - '0');
}

static int
fail(struct smtp_reply_reader *r, const char *bad)
{
	r->bad = bad;
	return -1;
}

/* One line without its CRLF. */
static int
take_line(struct smtp_reply_reader *r, struct slice line, struct slice *text_r)
{
	bool first = r->lines == 0, more = line.n > 3 && line.p[3] == '-';
	int code = parse_code(line);

	if (code == 0 || (!first && code != r->reply.code))
		return fail(r, "the peer does not speak SMTP");
	if (r->lines == SMTP_REPLY_LINES_MAX)
		return fail(r, "the peer's reply has too many lines");
	if (first)
		memset(&r->reply, 0, sizeof(r->reply));
	r->reply.code = code;
	*text_r = slice_skip(line, MIN(line.n, 4));
	add_text(&r->reply, *text_r, first);
	r->lines = more ? r->lines + 1 : 0;
	return more ? 2 : 1;
}

int
smtp_reply_read_line(struct smtp_reply_reader *r, struct slice in, size_t *used,
                     struct slice *text_r)
{
	size_t lf = slice_find(slice_sub(in, 0, SMTP_REPLY_LINE_MAX), '\n');

	if (lf >= SMTP_REPLY_LINE_MAX)
		return fail(r, "the peer's reply is too long");
	if (lf == in.n)
		return 0;
	if (lf == 0 || in.p[lf - 1] != '\r')
		return fail(r, "the peer's lines do not end in CR LF");
	*used += lf + 1;
	return take_line(r, slice_sub(in, 0, lf - 1), text_r);
}
