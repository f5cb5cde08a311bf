#include "proto/imap_resp.h"

#include "base/num.h"
#include "base/text.h"

/*
 * response = ("*" / tag) SP state [SP "[" code "]"] SP text CRLF
 *          / "+" [SP text] CRLF
 *          / "*" SP [number SP] name data CRLF
 * data     = anything with quoted strings closed and literals "{n}" CRLF *OCTET
 *
 * The free text of the first two may hold quotes and braces: no literals there.
 */
enum state {
	START,
	PLAIN,      /* data, outside quotes and literals */
	QUOTED,     /* in a quoted string */
	ESCAPED,    /* behind its backslash */
	BRACE,      /* behind "{": digits of a size */
	BRACE_PLUS, /* behind "{5+" */
	BRACE_END,  /* behind "{5}" */
	BRACE_CR,   /* behind "{5}" CR */
	CR,
	LITERAL,
};

#define LITERAL_MAX ((uint64_t)1 << 40)

void
imap_resp_init(struct imap_resp *r)
{
	memset(r, 0, sizeof(*r));
}

bool
imap_resp_is_between(const struct imap_resp *r)
{
	return r->state == START;
}

bool
imap_resp_next_word(struct slice *rest, struct slice *word_r)
{
	while (rest->n > 0 && rest->p[0] == ' ')
		*rest = slice_skip(*rest, 1);
	if (rest->n == 0)
		return false;
	*word_r = slice_cut(rest, ' ');
	return true;
}

/* ---- data --------------------------------------------------------------------------------------- */

static int
step_plain(struct imap_resp *r, char c)
{
	switch (c) {
	case '"':
		r->state = QUOTED;
		return 0;
	case '{':
		r->state = BRACE;
		r->literal_left = 0;
		return 0;
	case '\r':
		r->state = CR;
		return 0;
	case '\n':
		return -1;
	default:
		r->state = PLAIN;
		return 0;
	}
}

static int
step_brace(struct imap_resp *r, char c)
{
	if (r->state == BRACE && text_is_digit(c)) {
		r->literal_left = r->literal_left * 10 + (uint64_t)(c - '0');
		return r->literal_left > LITERAL_MAX ? -1 : 0;
	}
	if (r->state == BRACE && c == '+') {
		r->state = BRACE_PLUS;
		return 0;
	}
	if (r->state != BRACE_END && c == '}') {
		r->state = BRACE_END;
		return 0;
	}
	if (r->state == BRACE_END && c == '\r') {
		r->state = BRACE_CR;
		return 0;
	}
	return step_plain(r, c); /* just a brace */
}

/* One byte. 1: the response is over, 0: goes on, -1: out of step. */
static int
step(struct imap_resp *r, char c)
{
	switch ((enum state)r->state) {
	case PLAIN:
		return step_plain(r, c);
	case QUOTED:
		if (c == '\r' || c == '\n')
			return -1;
		r->state = c == '"' ? PLAIN : c == '\\' ? ESCAPED : QUOTED;
		return 0;
	case ESCAPED:
		r->state = QUOTED;
		return c == '\r' || c == '\n' ? -1 : 0;
	case BRACE:
	case BRACE_PLUS:
	case BRACE_END:
		return step_brace(r, c);
	case BRACE_CR:
		if (c != '\n')
			return -1;
		r->state = r->literal_left > 0 ? LITERAL : PLAIN;
		return 0;
	case CR:
		if (c != '\n')
			return -1;
		r->state = START;
		return 1;
	case START:
	case LITERAL:
		break;
	}
	must_not_reach();
}

/* How many bytes from i on mean nothing but themselves in this state. */
static size_t
dull(const struct imap_resp *r, struct slice in, size_t i)
{
	size_t from = i;

	if (r->state == PLAIN)
		while (i < in.n && in.p[i] != '"' && in.p[i] != '{' && in.p[i] != '\r' &&
		       in.p[i] != '\n')
			i++;
	else if (r->state == QUOTED)
		while (i < in.n && in.p[i] != '"' && in.p[i] != '\\' && in.p[i] != '\r' &&
		       in.p[i] != '\n')
			i++;
	return i - from;
}

/* As much of in as is there. 1: the response is over, 0: all is used, -1. */
static int
scan(struct imap_resp *r, struct slice in, size_t *used_r)
{
	size_t i = 0;
	int done = 0;

	while (i < in.n && done == 0) {
		if (r->state == LITERAL) {
			size_t n = (size_t)MIN((uint64_t)(in.n - i), r->literal_left);

			i += n;
			r->literal_left -= n;
			if (r->literal_left == 0)
				r->state = PLAIN;
		} else {
			i += dull(r, in, i);
			if (i < in.n)
				done = step(r, in.p[i++]);
		}
	}
	*used_r = i;
	return done;
}

static int
read_more(struct imap_resp *r, struct slice in, size_t *used_r, struct imap_resp_event *ev)
{
	int done = scan(r, in, used_r);

	if (done == -1)
		return -1;
	ev->bytes = slice_sub(in, 0, *used_r);
	ev->last = done == 1;
	ev->name = slice_of(r->name);
	return 1;
}

/* ---- the start of a response ---------------------------------------------------------------------- */

static bool
status_parse(struct slice word, enum imap_resp_status *status_r)
{
	static const char *const names[] = {
		[IMAP_RESP_OK] = "OK",   [IMAP_RESP_NO] = "NO",           [IMAP_RESP_BAD] = "BAD",
		[IMAP_RESP_BYE] = "BYE", [IMAP_RESP_PREAUTH] = "PREAUTH",
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (slice_ieq_str(word, names[i])) {
			*status_r = (enum imap_resp_status)i;
			return true;
		}
	}
	return false;
}

/* "[CODE args] text" */
static void
code_parse(struct slice rest, struct imap_resp_event *ev)
{
	size_t end;

	ev->text = rest;
	if (rest.n == 0 || rest.p[0] != '[')
		return;
	end = slice_find(rest, ']');
	if (end == rest.n)
		return;
	ev->text = slice_skip(rest, end + 1);
	if (ev->text.n > 0 && ev->text.p[0] == ' ')
		ev->text = slice_skip(ev->text, 1);
	ev->code_args = slice_sub(rest, 1, end - 1);
	ev->code = slice_cut(&ev->code_args, ' ');
}

static int
status_line(struct slice line, struct slice rest, struct slice tag, enum imap_resp_status status,
            struct imap_resp_event *ev)
{
	/* nothing a server's free text could need, and a client could misread */
	if (memchr(line.p, '\r', line.n) != NULL || memchr(line.p, '\0', line.n) != NULL)
		return -1;
	ev->type = IMAP_RESP_STATUS;
	ev->status = status;
	ev->tag = tag;
	ev->last = true;
	code_parse(rest, ev);
	return 1;
}

static struct slice
cut_word(struct slice *rest)
{
	size_t n = slice_find(*rest, ' ');
	struct slice word = slice_sub(*rest, 0, n);

	*rest = slice_skip(*rest, MIN(n + 1, rest->n));
	return word;
}

static int
data_start(struct imap_resp *r, struct slice in, struct slice word, struct slice rest,
           size_t *used_r, struct imap_resp_event *ev)
{
	size_t n = 0;

	if (word.n > 0 && text_is_digit(word.p[0])) {
		if (!num_parse_u64(word, INT64_MAX, &ev->number))
			return -1;
		word = cut_word(&rest);
	}
	while (n < word.n && (text_is_alpha(word.p[n]) || text_is_digit(word.p[n]) ||
	                      word.p[n] == '-' || word.p[n] == '.'))
		n++;
	if (n == 0 || n >= sizeof(r->name))
		return -1;
	for (size_t i = 0; i < n; i++)
		r->name[i] = text_upper(word.p[i]);
	r->name[n] = '\0';
	r->state = PLAIN;
	ev->type = IMAP_RESP_DATA;
	return read_more(r, in, used_r, ev);
}

static int
read_start(struct imap_resp *r, struct slice in, size_t *used_r, struct imap_resp_event *ev)
{
	struct slice head = slice_sub(in, 0, IMAP_RESP_LINE_MAX), line = head, rest, tag, word;
	size_t end = slice_find(head, '\n');
	bool whole = end < head.n;
	enum imap_resp_status status;

	if (!whole && in.n < IMAP_RESP_LINE_MAX)
		return 0;
	if (whole) {
		if (end == 0 || in.p[end - 1] != '\r')
			return -1;
		line = slice_sub(in, 0, end - 1);
	}
	rest = line;
	tag = cut_word(&rest);
	word = slice_eq(tag, SLICE("+")) ? SLICE("") : cut_word(&rest);
	if (slice_eq(tag, SLICE("*")) && !status_parse(word, &status))
		return data_start(r, in, word, rest, used_r, ev);
	if (!whole || tag.n == 0)
		return -1;
	*used_r = end + 1;
	ev->bytes = slice_sub(in, 0, end + 1);
	if (slice_eq(tag, SLICE("+"))) {
		if (memchr(line.p, '\r', line.n) != NULL)
			return -1;
		ev->type = IMAP_RESP_CONTINUE;
		ev->text = rest;
		ev->last = true;
		return 1;
	}
	if (!status_parse(word, &status))
		return -1;
	return status_line(line, rest, tag, status, ev);
}

int
imap_resp_read(struct imap_resp *r, struct slice in, size_t *used_r, struct imap_resp_event *ev)
{
	memset(ev, 0, sizeof(*ev));
	*used_r = 0;
	if (in.n == 0)
		return 0;
	if (r->state == START)
		return read_start(r, in, used_r, ev);
	ev->type = IMAP_RESP_MORE;
	return read_more(r, in, used_r, ev);
}
