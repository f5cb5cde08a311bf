#include "relay.h"

#include "base/xalloc.h"
#include "fakenet/fakenet.h"
#include "net/dial.h"

#include <stdlib.h>
#include <string.h>

struct end {
	struct relay *relay;
	struct conn *conn;
	struct end *other;
};

struct relay {
	struct loop *loop;
	struct addr to;
	struct end near, far;
	struct dial *dial;
	uint64_t left;
	bool broken;
	unsigned pieces, twice; /* gone through so far; which one goes twice */
	bool closing;           /* both ends go at the end of the turn */
};

static void
close_both(void *ctx)
{
	struct relay *r = ctx;

	r->closing = false;
	dial_cancel(&r->dial);
	if (r->near.conn != NULL)
		fakenet_reset(&r->near.conn);
	if (r->far.conn != NULL)
		fakenet_reset(&r->far.conn);
}

static void
close_later(struct relay *r)
{
	if (!r->closing)
		loop_defer(r->loop, close_both, r);
	r->closing = true;
}

static void
on_input(void *ctx)
{
	struct end *e = ctx;
	struct relay *r = e->relay;
	struct slice in = conn_input(e->conn);
	size_t n = (size_t)MIN((uint64_t)in.n, r->left);

	if (e->other->conn == NULL || r->closing)
		return;
	conn_write(e->other->conn, slice_sub(in, 0, n));
	if (++r->pieces == r->twice)
		conn_write(e->other->conn, slice_sub(in, 0, n));
	if (r->left != UINT64_MAX)
		r->left -= n;
	if (n < in.n) {
		r->broken = true;
		close_later(r);
	}
	conn_consume(e->conn, in.n);
}

static void
on_end(void *ctx, UNUSED enum conn_end why)
{
	close_later(((struct end *)ctx)->relay);
}

static const struct conn_handler handler = { .on_input = on_input, .on_end = on_end };

static void
on_dial(void *ctx, struct conn **c, UNUSED const char *why)
{
	struct relay *r = ctx;

	r->dial = NULL;
	r->far.conn = *c;
	if (*c == NULL) {
		close_later(r);
		return;
	}
	*c = NULL;
	conn_set_handler(r->far.conn, &handler, &r->far);
	on_input(&r->near);
}

static void
on_accept(void *ctx, struct conn **c)
{
	struct relay *r = ctx;

	if (r->near.conn != NULL || r->closing) {
		conn_free(c);
		return;
	}
	r->near.conn = *c;
	*c = NULL;
	conn_set_handler(r->near.conn, &handler, &r->near);
	r->dial = dial_start(r->loop, &r->to, 1000, on_dial, r);
}

struct relay *
relay_new(struct loop *l, const char *at, const char *to)
{
	struct relay *r = xcalloc(1, sizeof(*r));

	must(addr_parse(slice_of(to), 0, &r->to, NULL));
	r->loop = l;
	r->left = UINT64_MAX;
	r->near = (struct end){ r, NULL, &r->far };
	r->far = (struct end){ r, NULL, &r->near };
	fakenet_listen(l, at, on_accept, r);
	return r;
}

void
relay_free(struct relay **r)
{
	close_both(*r);
	loop_forget((*r)->loop, *r);
	free(*r);
	*r = NULL;
}

void
relay_break_after(struct relay *r, uint64_t n)
{
	r->left = n;
	r->broken = false;
}

bool
relay_has_broken(const struct relay *r)
{
	return r->broken;
}

void
relay_say_twice(struct relay *r, unsigned piece)
{
	r->pieces = 0;
	r->twice = piece;
}

bool
relay_has_said_twice(const struct relay *r)
{
	return r->twice != 0 && r->pieces >= r->twice;
}
