#include "proto/pop3_client.h"

#include "base/text.h"

#define COMMAND_MAX 255 /* RFC 2449 section 4, with CRLF */

/* A line of at most POP3_REPLY_MAX octets, CRLF included. Servers send nothing but text:
 * a NUL or a CR inside would be taken differently by the next one on the way. */
static int
read_line(struct slice in, size_t *used_r, struct slice *line_r)
{
	size_t lf = slice_find(slice_sub(in, 0, POP3_REPLY_MAX), '\n');

	*used_r = 0;
	if (lf >= POP3_REPLY_MAX)
		return -1;
	if (lf == in.n)
		return 0;
	if (lf == 0 || in.p[lf - 1] != '\r')
		return -1;
	*line_r = slice_sub(in, 0, lf - 1);
	for (size_t i = 0; i < line_r->n; i++)
		if (line_r->p[i] == '\0' || line_r->p[i] == '\r')
			return -1;
	*used_r = lf + 1;
	return 1;
}

/* resp-code = "[" resp-level *("/" resp-level) "]": RFC 2449 section 8. */
static struct slice
find_code(struct slice text)
{
	size_t end = slice_find(text, ']');

	if (text.n == 0 || *text.p != '[' || end == text.n)
		return (struct slice){ NULL, 0 };
	return slice_sub(text, 1, end - 1);
}

/* The status indicator and nothing longer: "+OKAY" is not one. */
static bool
take_status(struct slice line, struct slice status, struct slice *text_r)
{
	if (!slice_istarts(line, status) || (line.n > status.n && line.p[status.n] != ' '))
		return false;
	*text_r = slice_skip(line, MIN(line.n, status.n + 1));
	return true;
}

int
pop3_reply_read(struct slice in, size_t *used_r, struct pop3_reply *r_r)
{
	struct slice line;
	int r = read_line(in, used_r, &line);

	if (r != 1)
		return r;
	r_r->code = (struct slice){ NULL, 0 };
	if (take_status(line, SLICE("+OK"), &r_r->text))
		r_r->kind = POP3_OK;
	else if (take_status(line, SLICE("-ERR"), &r_r->text))
		r_r->kind = POP3_ERR;
	else if (take_status(line, SLICE("+"), &r_r->text))
		r_r->kind = POP3_CONTINUE;
	else
		return -1;
	if (r_r->kind != POP3_CONTINUE)
		r_r->code = find_code(r_r->text);
	return 1;
}

bool
pop3_reply_has_code(const struct pop3_reply *r, const char *code)
{
	struct slice want = slice_of(code);

	return r->code.p != NULL && slice_istarts(r->code, want) &&
	       (r->code.n == want.n || r->code.p[want.n] == '/');
}

/* ---- what follows a status line ------------------------------------------------------ */

/* The body begins behind a CRLF, so a first line of "." ends it at once. */
enum { LINE_START, DOT, DOT_CR, TEXT, TEXT_CR, DONE };

static int
body_next(int state, char ch)
{
	switch (state) {
	case LINE_START:
		return ch == '.' ? DOT : ch == '\r' ? TEXT_CR : TEXT;
	case DOT:
		return ch == '\r' ? DOT_CR : TEXT;
	case DOT_CR:
		return ch == '\n' ? DONE : ch == '\r' ? TEXT_CR : TEXT;
	case TEXT:
		return ch == '\r' ? TEXT_CR : TEXT;
	default:
		return ch == '\n' ? LINE_START : ch == '\r' ? TEXT_CR : TEXT;
	}
}

size_t
pop3_body_scan(struct pop3_body *b, struct slice in, bool *done_r)
{
	size_t i = 0;

	must(b->state != DONE);
	while (i < in.n && b->state != DONE) {
		if (b->state == TEXT) { /* most bytes of most mail */
			const char *cr = memchr(in.p + i, '\r', in.n - i);

			if (cr == NULL) {
				i = in.n;
				break;
			}
			i = (size_t)(cr - in.p);
		}
		b->state = (uint8_t)body_next(b->state, in.p[i++]);
	}
	*done_r = b->state == DONE;
	return i;
}

int
pop3_list_read(struct slice in, size_t *used_r, struct slice *line_r)
{
	int r = read_line(in, used_r, line_r);

	if (r != 1)
		return r;
	if (slice_eq_str(*line_r, "."))
		return 2;
	if (line_r->n > 0 && *line_r->p == '.')
		*line_r = slice_skip(*line_r, 1);
	return 1;
}

void
pop3_offer_add(struct pop3_offer *o, struct slice line)
{
	struct slice tag = slice_cut(&line, ' ');

	if (slice_ieq_str(tag, "TOP"))
		o->top = true;
	else if (slice_ieq_str(tag, "UIDL"))
		o->uidl = true;
	else if (slice_ieq_str(tag, "PIPELINING"))
		o->pipelining = true;
	else if (slice_ieq_str(tag, "STLS"))
		o->stls = true;
	else if (slice_ieq_str(tag, "XCLIENT"))
		o->xclient = true;
	else if (slice_ieq_str(tag, "SASL"))
		while (line.n > 0)
			if (slice_ieq_str(slice_cut(&line, ' '), "PLAIN"))
				o->sasl_plain = true;
}

/* ---- commands --------------------------------------------------------------------------- */

void
pop3_client_add_auth_plain(struct buf *out, struct buf *later_out, const char *authzid,
                           const char *authcid, const char *secret)
{
	static const char verb[] = "AUTH PLAIN";
	struct buf plain = BUF_INIT(SIZE_MAX);
	size_t base64_bytes;

	buf_add(&plain, authzid, strlen(authzid) + 1);
	buf_add(&plain, authcid, strlen(authcid) + 1);
	buf_add_str(&plain, secret);
	base64_bytes = (plain.len + 2) / 3 * 4;
	buf_add_str(out, verb);
	if (sizeof(verb) + base64_bytes + 2 <= COMMAND_MAX) {
		buf_add_char(out, ' ');
		text_base64_add(out, buf_slice(&plain));
	} else {
		text_base64_add(later_out, buf_slice(&plain));
		buf_add_str(later_out, "\r\n");
	}
	buf_add_str(out, "\r\n");
	buf_wipe(&plain);
}

void
pop3_client_add_xclient(struct buf *out, const char *addr, const char *session)
{
	buf_add_str(out, "XCLIENT");
	if (addr != NULL)
		buf_printf(out, " ADDR=%s", addr);
	if (session != NULL)
		buf_printf(out, " SESSION=%s", session);
	buf_add_str(out, "\r\n");
}

void
pop3_client_add_command(struct buf *out, enum pop3_verb verb, uint32_t number, uint32_t lines)
{
	static const char *const names[] = {
		[POP3_VERB_STAT] = "STAT", [POP3_VERB_LIST] = "LIST", [POP3_VERB_UIDL] = "UIDL",
		[POP3_VERB_RETR] = "RETR", [POP3_VERB_TOP] = "TOP",   [POP3_VERB_DELE] = "DELE",
		[POP3_VERB_NOOP] = "NOOP", [POP3_VERB_RSET] = "RSET", [POP3_VERB_QUIT] = "QUIT",
	};

	buf_add_str(out, names[verb]);
	if (number != 0)
		buf_printf(out, " %u", number);
	if (verb == POP3_VERB_TOP)
		buf_printf(out, " %u", lines);
	buf_add_str(out, "\r\n");
}

bool
pop3_client_has_body(enum pop3_verb verb, uint32_t number)
{
	switch (verb) {
	case POP3_VERB_RETR:
	case POP3_VERB_TOP:
		return true;
	case POP3_VERB_LIST:
	case POP3_VERB_UIDL:
		return number == 0;
	default:
		return false;
	}
}
