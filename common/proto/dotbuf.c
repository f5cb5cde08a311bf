/*
 * dotbuf - lines are taken in runs up to the next CR or LF; only what stands around those
 * goes byte by byte.
 */
#include "proto/dotbuf.h"

void
dotbuf_init(struct dotbuf *d)
{
	*d = (struct dotbuf){ .state = DOTBUF_LINE_START };
}

/* Bytes before the first CR or LF. */
static size_t
run_length(struct slice in)
{
	const char *end = memchr(in.p, '\r', in.n);
	size_t n = end != NULL ? (size_t)(end - in.p) : in.n;
	const char *lf = memchr(in.p, '\n', n);

	return lf != NULL ? (size_t)(lf - in.p) : n;
}

/* A run, and the CRLF behind it when all of that is here. Returns its length. */
static size_t
take_run(struct dotbuf *d, struct slice in, struct buf *out)
{
	size_t n = run_length(in);

	if (memchr(in.p, '\0', n) != NULL)
		d->nul = true;
	if (n > 0)
		d->state = DOTBUF_TEXT;
	if (in.n - n >= 2 && in.p[n] == '\r' && in.p[n + 1] == '\n') {
		d->state = DOTBUF_LINE_START;
		n += 2;
	}
	d->body_bytes += n;
	if (out != NULL)
		buf_add(out, in.p, n);
	return n;
}

/* The byte behind a run: 0 or -1. */
static int
take_line_end(struct dotbuf *d, char ch)
{
	d->state = ch == '\r' ? DOTBUF_CR : DOTBUF_TEXT;
	return ch == '\r' ? 0 : -1;
}

/* Behind a CR: an LF, or the CR was a bare one, and the byte is looked at again. */
static int
end_line(struct dotbuf *d, char ch, size_t *i, struct buf *out)
{
	if (ch != '\n') {
		d->state = DOTBUF_TEXT;
		return -1;
	}
	(*i)++;
	d->state = DOTBUF_LINE_START;
	d->body_bytes += 2;
	if (out != NULL)
		buf_add_str(out, "\r\n");
	return 0;
}

/* At the start of a line or in it. */
static int
take_text(struct dotbuf *d, struct slice in, size_t *i, struct buf *out)
{
	size_t n = take_run(d, slice_skip(in, *i), out);

	*i += n;
	if (n > 0)
		return 0;
	return take_line_end(d, in.p[(*i)++]);
}

static int
decode_next(struct dotbuf *d, struct slice in, size_t *i, struct buf *out)
{
	char ch = in.p[*i];

	switch (d->state) {
	case DOTBUF_LINE_START:
		if (ch != '.')
			return take_text(d, in, i, out);
		d->state = DOTBUF_DOT;
		(*i)++;
		return 0;
	case DOTBUF_DOT:
		if (ch != '\r') {
			d->state = DOTBUF_TEXT; /* the dot was stuffing */
			return take_text(d, in, i, out);
		}
		d->state = DOTBUF_DOT_CR;
		(*i)++;
		return 0;
	case DOTBUF_DOT_CR:
		d->state = ch == '\n' ? DOTBUF_DONE : DOTBUF_TEXT;
		if (ch != '\n')
			return -1;
		(*i)++;
		return 1;
	case DOTBUF_CR:
		return end_line(d, ch, i, out);
	default:
		return take_text(d, in, i, out);
	}
}

int
dotbuf_decode(struct dotbuf *d, struct slice in, size_t *used_r, struct buf *out)
{
	int r = 0;

	must(d->state != DOTBUF_DONE);
	*used_r = 0;
	while (r == 0 && *used_r < in.n)
		r = decode_next(d, in, used_r, out);
	return r;
}

int
dotbuf_scan(struct dotbuf *d, struct slice in)
{
	size_t i = 0;
	int r = 0;

	while (i < in.n) {
		int one = d->state == DOTBUF_CR ? end_line(d, in.p[i], &i, NULL)
		                                : take_text(d, in, &i, NULL);

		r = r == -1 ? -1 : one;
	}
	return r;
}

int
dotbuf_scan_end(const struct dotbuf *d)
{
	return d->state == DOTBUF_CR ? -1 : 0;
}

/* ---- the other way ----------------------------------------------------------------- */

enum { ENCODE_LINE_START, ENCODE_TEXT, ENCODE_CR };

void
dotbuf_encoder_init(struct dotbuf_encoder *e)
{
	e->state = ENCODE_LINE_START;
}

static void
encode_line_end(struct dotbuf_encoder *e, struct buf *out)
{
	buf_add_str(out, "\r\n");
	e->state = ENCODE_LINE_START;
}

void
dotbuf_encode(struct dotbuf_encoder *e, struct slice in, struct buf *out)
{
	while (in.n > 0) {
		size_t n = run_length(in);

		if (e->state == ENCODE_CR) {
			encode_line_end(e, out);
			if (*in.p == '\n')
				in = slice_skip(in, 1);
			continue;
		}
		if (n == 0) {
			if (*in.p == '\r')
				e->state = ENCODE_CR;
			else
				encode_line_end(e, out);
			in = slice_skip(in, 1);
			continue;
		}
		if (e->state == ENCODE_LINE_START && *in.p == '.')
			buf_add_char(out, '.');
		buf_add(out, in.p, n);
		e->state = ENCODE_TEXT;
		in = slice_skip(in, n);
	}
}

void
dotbuf_encode_end(struct dotbuf_encoder *e, struct buf *out)
{
	if (e->state != ENCODE_LINE_START)
		encode_line_end(e, out);
	buf_add_str(out, ".\r\n");
}
