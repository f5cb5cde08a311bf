#include "mail/crlf.h"

/* A CR gives the whole CRLF at once, so that a LF behind it, perhaps in the next piece,
 * is the one to be left out. */
static void
add_end(struct crlf *c, char end, struct buf *out)
{
	bool closes = end == '\n' && c->last == '\r';

	c->last = end;
	c->extra += closes ? -1 : 1;
	if (out != NULL && !closes)
		buf_add_str(out, "\r\n");
}

/* Bytes before the first CR or LF. */
static size_t
plain_bytes(struct slice in)
{
	size_t n = 0;

	while (n < in.n && in.p[n] != '\r' && in.p[n] != '\n')
		n++;
	return n;
}

static void
feed(struct crlf *c, struct slice in, struct buf *out)
{
	while (in.n > 0) {
		size_t n = plain_bytes(in);

		if (n > 0) {
			c->last = in.p[n - 1];
			if (out != NULL)
				buf_add(out, in.p, n);
		}
		if (n == in.n)
			return;
		add_end(c, in.p[n], out);
		in = slice_skip(in, n + 1);
	}
}

static void
finish(struct crlf *c, struct buf *out)
{
	if (c->last == '\r' || c->last == '\n')
		return;
	c->last = '\n';
	c->extra += 2;
	if (out != NULL)
		buf_add_str(out, "\r\n");
}

void
crlf_add(struct crlf *c, struct slice in, struct buf *out)
{
	feed(c, in, out);
}

void
crlf_end(struct crlf *c, struct buf *out)
{
	finish(c, out);
}

void
crlf_count(struct crlf *c, struct slice in)
{
	feed(c, in, NULL);
}

void
crlf_count_end(struct crlf *c)
{
	finish(c, NULL);
}
