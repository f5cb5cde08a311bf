/* fakenet - see fakenet.h. Everything is one list of ready work and one of timers. */
#include "fakenet/fakenet.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/must.h"
#include "base/xalloc.h"
#include "fakenet/fakenet_impl.h"
#include "net/dial.h"
#include "net/listener.h"

#define TURNS_MOST 2000000 /* more than this without rest is a live-lock */

struct endpoint {
	fakenet_accept_fn *fn;
	void *ctx;
	bool blackhole;
};

struct conn {
	struct loop *loop;
	struct conn *peer_end; /* NULL when the other end is freed */
	struct buf in, out;
	struct addr peer, local;
	const struct conn_handler *handler;
	void *ctx;
	void *note;
	void (*end_note)(void *note);
	size_t input_limit, low_water;
	bool paused, cut;
	bool finishing; /* close when out is empty */
	bool fin;       /* the peer's end has been received */
	enum conn_end fin_why;
	bool end_told;
	bool input_news; /* on_input is due */
	bool drain_news;
	bool in_callback, freed;
	bool resets; /* at its end */
	bool wants_tls, is_tls, tls_news, tls_server;
	struct list link;
};

/* ---- loop ---------------------------------------------------------------------- */

struct loop *
loop_new(void)
{
	struct loop *l = xcalloc(1, sizeof(*l));

	l->clock = (struct clock_fake){ 1000000000ULL, 1750000000000000ULL };
	clock_set_fake(&l->clock);
	list_init(&l->calls);
	list_init(&l->timers);
	list_init(&l->conns);
	l->endpoints = map_new();
	l->names = map_new();
	return l;
}

static void conn_destroy(struct conn *c);

void
loop_free(struct loop **lp)
{
	struct loop *l = *lp;
	struct call *call;
	struct conn *c;
	struct slice key;
	void *value;
	size_t pos = 0;

	if (l == NULL)
		return;
	fakenet_settle(l);
	while ((call = LIST_FIRST(&l->calls, struct call, link)) != NULL) {
		list_del(&call->link);
		free(call);
	}
	while ((c = LIST_FIRST(&l->conns, struct conn, link)) != NULL)
		conn_destroy(c);
	while (map_next(l->endpoints, &pos, &key, &value))
		free(value);
	map_free(&l->endpoints);
	pos = 0;
	while (map_next(l->names, &pos, &key, &value))
		free(value);
	map_free(&l->names);
	clock_set_fake(NULL);
	free(l);
	*lp = NULL;
}

/* ---- conn ---------------------------------------------------------------------- */

static const char *const end_texts[] = {
#define X(name, text) [CONN_END_##name] = text,
	CONN_ENDS(X)
#undef X
};

const char *
conn_end_text(enum conn_end why)
{
	return end_texts[why];
}

static struct conn *
end_new(struct loop *l, const char *local, const char *peer)
{
	struct conn *c = xcalloc(1, sizeof(*c));

	c->loop = l;
	c->input_limit = 16384;
	buf_init(&c->in, SIZE_MAX);
	buf_init(&c->out, SIZE_MAX);
	must(addr_parse(slice_of(local), 1, &c->local, NULL));
	must(addr_parse(slice_of(peer), 1, &c->peer, NULL));
	list_init(&c->link);
	list_add_tail(&l->conns, &c->link);
	return c;
}

void
fakenet_pair(struct loop *l, const char *from, const char *to, struct conn **a, struct conn **b)
{
	*a = end_new(l, from, to);
	*b = end_new(l, to, from);
	(*a)->peer_end = *b;
	(*b)->peer_end = *a;
}

struct conn *
conn_new(UNUSED struct loop *l, UNUSED int fd)
{
	must_not_reach();
}

static void
conn_destroy(struct conn *c)
{
	if (c->peer_end != NULL)
		c->peer_end->peer_end = NULL;
	list_del(&c->link);
	buf_fini(&c->in);
	buf_fini(&c->out);
	free(c);
}

static void
tell_peer(struct conn *c, enum conn_end why)
{
	struct conn *p = c->peer_end;

	if (p == NULL || p->fin || c->cut)
		return;
	p->fin = true;
	p->fin_why = why;
}

void
conn_set_note(struct conn *c, void *note, void (*fn)(void *note))
{
	must(c->note == NULL);
	c->note = note;
	c->end_note = fn;
}

void *
conn_note(const struct conn *c)
{
	return c->note;
}

static void
end_note(struct conn *c)
{
	void *note = c->note;

	c->note = NULL;
	if (note != NULL)
		c->end_note(note);
}

void
conn_free(struct conn **cp)
{
	struct conn *c = *cp;

	if (c == NULL)
		return;
	*cp = NULL;
	end_note(c);
	tell_peer(c, c->resets ? CONN_END_RESET : CONN_END_EOF);
	c->handler = NULL;
	c->freed = true;
	if (!c->in_callback)
		conn_destroy(c);
}

void
conn_end_by_reset(struct conn *c)
{
	c->resets = true;
}

void
fakenet_end(struct conn *c)
{
	tell_peer(c, CONN_END_EOF);
}

void
fakenet_reset(struct conn **cp)
{
	tell_peer(*cp, CONN_END_RESET);
	conn_free(cp);
}

void
conn_finish(struct conn **cp, UNUSED uint64_t linger_ms)
{
	struct conn *c = *cp;

	*cp = NULL;
	end_note(c);
	c->handler = NULL;
	c->finishing = true;
	if (c->out.len == 0 || (c->fin && c->fin_why != CONN_END_EOF))
		conn_free(&c);
}

void
conn_set_handler(struct conn *c, const struct conn_handler *h, void *ctx)
{
	c->handler = h;
	c->ctx = ctx;
	c->input_news = c->in.len != 0;
}

struct slice
conn_input(struct conn *c)
{
	return buf_slice(&c->in);
}

void
conn_consume(struct conn *c, size_t n)
{
	buf_consume(&c->in, n);
}

void
conn_set_input_limit(struct conn *c, size_t bytes)
{
	c->input_limit = bytes;
}

void
conn_pause_input(struct conn *c)
{
	c->paused = true;
}

void
conn_resume_input(struct conn *c)
{
	if (!c->paused)
		return;
	c->paused = false;
	c->input_news = c->in.len != 0;
}

void
conn_write(struct conn *c, struct slice s)
{
	buf_add_slice(&c->out, s);
}

size_t
conn_output_bytes(const struct conn *c)
{
	return c->out.len;
}

void
conn_set_low_water(struct conn *c, size_t bytes)
{
	c->low_water = bytes;
}

static void
want_tls(struct conn *c, bool server)
{
	must(!c->is_tls && !c->wants_tls);
	c->wants_tls = true;
	c->tls_server = server;
	if (c->in.len != 0) {
		buf_clear(&c->in);
		c->fin = true;
		c->fin_why = CONN_END_INJECTED;
	}
}

void
conn_start_tls_server(struct conn *c, UNUSED struct tls_ctx *tls)
{
	want_tls(c, true);
}

void
conn_start_tls_client(struct conn *c, UNUSED struct tls_ctx *tls, UNUSED const char *hostname)
{
	want_tls(c, false);
}

bool
conn_is_tls(const struct conn *c)
{
	return c->is_tls;
}

const char *
conn_tls_text(const struct conn *c)
{
	return c->is_tls ? "TLSv1.3 FAKE" : NULL;
}

bool
conn_tls_peer_is(const struct conn *c, const char *hostname)
{
	return c->is_tls && hostname != NULL;
}

const struct addr *
conn_peer(const struct conn *c)
{
	return &c->peer;
}

const struct addr *
conn_local(const struct conn *c)
{
	return &c->local;
}

struct loop *
conn_loop(const struct conn *c)
{
	return c->loop;
}

void
fakenet_cut(struct conn *c, bool cut)
{
	c->cut = cut;
}

void
fakenet_set_split(struct loop *l, size_t n)
{
	l->split = n;
}

/* ---- carrying bytes and news ----------------------------------------------------- */

/* Moves what fits from c to its peer. True when something moved. */
static bool
carry(struct conn *c)
{
	struct conn *p = c->peer_end;
	size_t n = c->out.len;

	if (n == 0 || c->cut)
		return false;
	if (p == NULL) {
		/* the other end is gone: bytes vanish, as into a closed socket */
		buf_clear(&c->out);
		return false;
	}
	if (p->paused && p->in.len >= p->input_limit)
		return false;
	n = MIN(n, p->input_limit > p->in.len ? p->input_limit - p->in.len : 0);
	if (c->loop->split != 0)
		n = MIN(n, c->loop->split);
	if (n == 0)
		return false;
	if (p->wants_tls && !p->is_tls && !c->wants_tls) {
		/* sent in clear while the peer waits for a handshake */
		p->fin = true;
		p->fin_why = CONN_END_TLS;
		return true;
	}
	buf_add_slice(&p->in, slice_sub(buf_slice(&c->out), 0, n));
	buf_consume(&c->out, n);
	p->input_news = true;
	if (c->out.len <= c->low_water)
		c->drain_news = true;
	return true;
}

static bool
leave(struct conn *c)
{
	c->in_callback = false;
	if (c->freed)
		conn_destroy(c);
	return true;
}

static bool
handshake(struct conn *c)
{
	struct conn *p = c->peer_end;

	if (!c->wants_tls || p == NULL || !p->wants_tls || c->out.len != 0 || p->out.len != 0 ||
	    c->fin || p->fin)
		return false;
	c->wants_tls = p->wants_tls = false;
	c->is_tls = p->is_tls = true;
	c->tls_news = p->tls_news = true;
	c->paused = p->paused = false;
	return true;
}

/* Calls the owner of c about one thing. True when it was called. */
static bool
tell(struct conn *c)
{
	const struct conn_handler *h = c->handler;

	if (h == NULL)
		return false;
	c->in_callback = true;
	if (c->tls_news) {
		c->tls_news = false;
		if (h->on_tls != NULL)
			h->on_tls(c->ctx);
		return leave(c);
	}
	if (c->input_news && !c->paused && c->in.len != 0 && !c->wants_tls) {
		c->input_news = false;
		h->on_input(c->ctx);
		return leave(c);
	}
	if (c->drain_news) {
		c->drain_news = false;
		if (h->on_drain != NULL)
			h->on_drain(c->ctx);
		return leave(c);
	}
	if (c->fin && !c->end_told && (c->peer_end == NULL || c->peer_end->out.len == 0)) {
		c->end_told = true;
		h->on_end(c->ctx, c->fin_why);
		return leave(c);
	}
	c->in_callback = false;
	return false;
}

static bool
step_conns(struct loop *l)
{
	struct conn *c;

	LIST_EACH (c, &l->conns, struct conn, link) {
		if (carry(c) || handshake(c))
			return true;
		if (c->finishing && (c->out.len == 0 || c->peer_end == NULL)) {
			conn_free(&c);
			return true;
		}
	}
	LIST_EACH (c, &l->conns, struct conn, link) {
		if (tell(c))
			return true;
	}
	return false;
}

static bool
step_timers(struct loop *l)
{
	struct fake_timer *f;

	LIST_EACH (f, &l->timers, struct fake_timer, link) {
		if (!f->set || f->due_us > l->clock.mono_us)
			continue;
		f->set = false;
		f->timer->fn(f->timer->ctx);
		return true;
	}
	return false;
}

static bool
step_calls(struct loop *l)
{
	struct call *c = LIST_FIRST(&l->calls, struct call, link);
	struct call now;

	if (c == NULL)
		return false;
	list_del(&c->link);
	now = *c;
	free(c);
	now.fn(now.ctx);
	return true;
}

void
fakenet_settle(struct loop *l)
{
	for (unsigned turn = 0; step_calls(l) || step_conns(l) || step_timers(l); turn++)
		must(turn < TURNS_MOST);
}

static uint64_t
next_due_us(struct loop *l)
{
	struct fake_timer *f;
	uint64_t due = UINT64_MAX;

	LIST_EACH (f, &l->timers, struct fake_timer, link) {
		if (f->set)
			due = MIN(due, f->due_us);
	}
	return due;
}

void
fakenet_jump(struct loop *l, int64_t seconds)
{
	l->clock.wall_us += (uint64_t)(seconds * 1000000);
}

static void
set_clock(struct loop *l, uint64_t mono_us)
{
	if (mono_us <= l->clock.mono_us)
		return;
	l->clock.wall_us += mono_us - l->clock.mono_us;
	l->clock.mono_us = mono_us;
}

void
fakenet_advance(struct loop *l, uint64_t ms)
{
	uint64_t end_us = l->clock.mono_us + ms * 1000;

	fakenet_settle(l);
	while (next_due_us(l) <= end_us) {
		set_clock(l, next_due_us(l));
		fakenet_settle(l);
	}
	set_clock(l, end_us);
	fakenet_settle(l);
}

bool
fakenet_advance_to_timer(struct loop *l)
{
	uint64_t due = next_due_us(l);

	if (due == UINT64_MAX)
		return false;
	set_clock(l, due);
	fakenet_settle(l);
	return true;
}

/* ---- dial and listen ------------------------------------------------------------- */

static struct endpoint *
endpoint(struct loop *l, const char *addr)
{
	struct endpoint *e = map_get(l->endpoints, slice_of(addr));

	if (e == NULL) {
		e = xcalloc(1, sizeof(*e));
		map_set(l->endpoints, slice_of(addr), e);
	}
	return e;
}

void
fakenet_listen(struct loop *l, const char *addr, fakenet_accept_fn *fn, void *ctx)
{
	struct endpoint *e = endpoint(l, addr);

	e->fn = fn;
	e->ctx = ctx;
}

void
fakenet_blackhole(struct loop *l, const char *addr, bool on)
{
	endpoint(l, addr)->blackhole = on;
}

struct dial {
	struct loop *loop;
	char to[ADDR_TEXT_LEN];
	struct timer timer;
	dial_fn *fn;
	void *ctx;
	bool timed_out; /* by the deadline, not by the moment a connect takes */
};

static void
dial_destroy(struct dial *d)
{
	timer_fini(&d->timer);
	free(d);
}

static void
on_dial(void *ctx)
{
	struct dial *d = ctx, now = *d;
	struct endpoint *e = endpoint(d->loop, d->to);
	struct conn *a = NULL, *b = NULL;

	dial_destroy(d);
	if (now.timed_out) {
		now.fn(now.ctx, &a, "no answer in time");
		return;
	}
	if (e->fn == NULL) {
		now.fn(now.ctx, &a, "Connection refused");
		return;
	}
	fakenet_pair(now.loop, "127.0.0.1:40000", now.to, &a, &b);
	e->fn(e->ctx, &b);
	now.fn(now.ctx, &a, NULL);
}

struct dial *
dial_start(struct loop *l, const struct addr *to, uint64_t deadline_ms, dial_fn *fn, void *ctx)
{
	struct dial *d = xcalloc(1, sizeof(*d));

	d->loop = l;
	d->fn = fn;
	d->ctx = ctx;
	addr_text(to, d->to);
	d->timed_out = endpoint(l, d->to)->blackhole;
	timer_init(&d->timer, l, on_dial, d);
	timer_set(&d->timer, d->timed_out ? deadline_ms : 0);
	return d;
}

void
dial_cancel(struct dial **d)
{
	if (*d != NULL)
		dial_destroy(*d);
	*d = NULL;
}

int
listener_open_socket(UNUSED const struct addr *at, UNUSED bool first, struct err *err)
{
	err_set(err, "no sockets on the fake network: use fakenet_listen()");
	return -1;
}

struct listener *
listener_new(UNUSED struct loop *l, UNUSED int fd, UNUSED listener_fn *fn, UNUSED void *ctx)
{
	must_not_reach();
}

void
listener_free(struct listener **ls)
{
	must(*ls == NULL);
}
