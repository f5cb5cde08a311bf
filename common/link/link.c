/* link - see link.h. */
#include "link/link.h"

#include <stdlib.h>

#include "base/must.h"
#include "base/xalloc.h"
#include "log/log.h"

#define LINGER_MS 5000

const struct link_limits link_limits_default = {
	.input_bytes = 32768, /* SASL messages: proto/sasl_line.h */
	.output_high = 65536,
	.output_low = 16384,
	.output_max = (size_t)80 << 20,
};

struct link {
	struct conn *conn;
	struct loop *loop;
	const struct link_ops *ops; /* NULL once ended */
	void *core;
	struct link_limits limits;
	struct buf out;
	struct timer deadline;
	unsigned depth; /* callbacks of the core under way */
	bool ended;     /* destroyed when depth is 0 */
	bool paused;    /* by the core */
	bool congested; /* output above high, not yet at low again */
	bool closed_told;
	bool feed_queued;
	bool in_tls;     /* from link_start_tls_*() to the end of the handshake */
	bool tls_wanted; /* starts when the command is consumed */
	struct tls_ctx *tls;
	char *tls_hostname; /* owned; NULL: server */
};

static void
destroy(void *ctx)
{
	struct link *l = ctx;

	timer_fini(&l->deadline);
	conn_free(&l->conn);
	buf_fini(&l->out);
	free(l->tls_hostname);
	free(l);
}

static void
tell_closed(struct link *l, enum conn_end why)
{
	if (l->ended || l->closed_told)
		return;
	l->closed_told = true;
	timer_cancel(&l->deadline);
	l->depth++;
	l->ops->closed(l->core, why);
	l->depth--;
}

void
link_flush(struct link *l)
{
	if (l->ended || l->conn == NULL)
		return;
	if (l->out.len != 0) {
		conn_write(l->conn, buf_slice(&l->out));
		buf_clear(&l->out);
		if (l->out.cap > 4 * l->limits.output_high)
			buf_fini(&l->out);
	}
	if (!l->congested && conn_output_bytes(l->conn) > l->limits.output_high) {
		l->congested = true;
		conn_set_low_water(l->conn, l->limits.output_low);
		conn_pause_input(l->conn);
	}
}

/* The command that asked for TLS is consumed: what is left of the input was sent in clear
 * behind it, and conn ends on that. */
static void
start_tls(struct link *l)
{
	l->tls_wanted = false;
	if (l->tls_hostname != NULL)
		conn_start_tls_client(l->conn, l->tls, l->tls_hostname);
	else
		conn_start_tls_server(l->conn, l->tls);
}

/* After each callback of the core. False when the link is gone. */
static bool
settle(struct link *l)
{
	if (!l->ended && (l->out.overflow || link_output_bytes(l) > l->limits.output_max)) {
		log_warning(NULL, "link.output_limit bytes=%zu", link_output_bytes(l));
		buf_clear(&l->out);
		tell_closed(l, CONN_END_RESET);
	}
	if (!l->ended)
		link_flush(l);
	if (!l->ended && l->tls_wanted)
		start_tls(l);
	return !l->ended;
}

static bool
may_feed(const struct link *l)
{
	return !l->ended && !l->paused && !l->congested && !l->closed_told && !l->in_tls;
}

static void
feed(struct link *l)
{
	while (may_feed(l)) {
		struct slice in = conn_input(l->conn);
		size_t used;

		if (in.n == 0)
			return;
		l->depth++;
		used = l->ops->input(l->core, in);
		l->depth--;
		must(used <= in.n);
		if (l->ended)
			return;
		conn_consume(l->conn, used);
		if (!settle(l))
			return;
		if (used == 0) {
			if (may_feed(l) && in.n >= l->limits.input_bytes) {
				/* the core wants more than it may hold: its own limit is off */
				log_warning(NULL, "link.input_limit bytes=%zu", in.n);
				tell_closed(l, CONN_END_RESET);
			}
			return;
		}
	}
}

static void
release(struct link *l)
{
	if (l->ended && l->depth == 0 && !l->feed_queued) {
		l->feed_queued = true;
		loop_defer(l->loop, destroy, l);
	}
}

static void
on_input(void *ctx)
{
	struct link *l = ctx;

	feed(l);
	release(l);
}

static void
on_drain(void *ctx)
{
	struct link *l = ctx;

	if (l->ended)
		return;
	if (l->congested) {
		if (conn_output_bytes(l->conn) > l->limits.output_low)
			return;
		l->congested = false;
		conn_set_low_water(l->conn, 0);
		if (!l->paused)
			conn_resume_input(l->conn);
	}
	if (l->ops->drained != NULL) {
		l->depth++;
		l->ops->drained(l->core);
		l->depth--;
		(void)settle(l);
	}
	if (!l->ended)
		feed(l);
	release(l);
}

static void
on_tls(void *ctx)
{
	struct link *l = ctx;

	l->in_tls = false;
	if (l->ended)
		return;
	if (l->ops->tls != NULL) {
		l->depth++;
		l->ops->tls(l->core);
		l->depth--;
		(void)settle(l);
	}
	release(l);
}

static void
on_end(void *ctx, enum conn_end why)
{
	struct link *l = ctx;

	/* What came before the end is still worth hearing, unless the core is busy: then
	 * it hears of the end at once and decides. */
	feed(l);
	tell_closed(l, why);
	(void)settle(l);
	release(l);
}

static const struct conn_handler handler = {
	.on_input = on_input,
	.on_drain = on_drain,
	.on_tls = on_tls,
	.on_end = on_end,
};

static void
on_deadline(void *ctx)
{
	struct link *l = ctx;

	if (l->ended)
		return;
	l->depth++;
	l->ops->deadline(l->core);
	l->depth--;
	(void)settle(l);
	release(l);
}

struct link *
link_new(struct conn **c, const struct link_ops *ops, void *core, const struct link_limits *limits)
{
	struct link *l = xcalloc(1, sizeof(*l));

	l->conn = *c;
	*c = NULL;
	l->loop = conn_loop(l->conn);
	l->ops = ops;
	l->core = core;
	l->limits = limits != NULL ? *limits : link_limits_default;
	buf_init(&l->out, l->limits.output_max);
	timer_init(&l->deadline, l->loop, on_deadline, l);
	conn_set_input_limit(l->conn, l->limits.input_bytes);
	conn_set_handler(l->conn, &handler, l);
	return l;
}

struct buf *
link_out(struct link *l)
{
	return &l->out;
}

size_t
link_output_bytes(const struct link *l)
{
	return l->out.len + (l->conn != NULL ? conn_output_bytes(l->conn) : 0);
}

bool
link_is_congested(const struct link *l)
{
	return l->congested || link_output_bytes(l) > l->limits.output_high;
}

void
link_pause(struct link *l)
{
	if (l->paused)
		return;
	l->paused = true;
	conn_pause_input(l->conn);
}

static void
feed_later(void *ctx)
{
	struct link *l = ctx;

	l->feed_queued = false;
	if (!l->ended)
		feed(l);
	release(l);
}

static void
feed_soon(struct link *l)
{
	if (l->feed_queued)
		return;
	l->feed_queued = true;
	loop_defer(l->loop, feed_later, l);
}

void
link_resume(struct link *l)
{
	if (!l->paused)
		return;
	l->paused = false;
	if (l->congested)
		return;
	conn_resume_input(l->conn);
	feed_soon(l);
}

void
link_set_paused(struct link *l, bool paused)
{
	if (paused)
		link_pause(l);
	else
		link_resume(l);
}

bool
link_is_paused(const struct link *l)
{
	return l->paused;
}

void
link_set_deadline(struct link *l, uint64_t ms)
{
	if (ms == 0)
		timer_cancel(&l->deadline);
	else
		timer_set(&l->deadline, ms);
}

static void
want_tls(struct link *l, struct tls_ctx *tls, const char *hostname)
{
	must(!l->in_tls);
	l->in_tls = true;
	l->tls_wanted = true;
	l->tls = tls;
	l->tls_hostname = hostname != NULL ? xstrdup(hostname) : NULL;
	if (l->depth == 0)
		(void)settle(l);
}

void
link_start_tls_server(struct link *l, struct tls_ctx *tls)
{
	want_tls(l, tls, NULL);
}

void
link_start_tls_client(struct link *l, struct tls_ctx *tls, const char *hostname)
{
	want_tls(l, tls, hostname);
}

static void
end(struct link **lp, bool send)
{
	struct link *l = *lp;

	*lp = NULL;
	if (l == NULL || l->ended)
		return;
	if (send)
		link_flush(l);
	l->ended = true;
	timer_cancel(&l->deadline);
	if (send)
		conn_finish(&l->conn, LINGER_MS);
	else
		conn_free(&l->conn);
	release(l);
}

void
link_end(struct link **lp)
{
	end(lp, true);
}

void
link_abort(struct link **lp)
{
	end(lp, false);
}

struct conn *
link_conn(struct link *l)
{
	return l->conn;
}

struct loop *
link_loop(struct link *l)
{
	return l->loop;
}
