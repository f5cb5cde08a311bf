/*
 * A connection is opening (dial, greeting, LHLO, STARTTLS), idle, leased, or settling (left
 * by its lease with answers under way). Leases wait in a list of their store; it is served
 * from the loop, in order, whenever a lease comes or a connection's state changes.
 */
#include "deliver/pool.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/map.h"
#include "base/xalloc.h"
#include "log/log.h"
#include "net/dial.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct metric pool_metrics[POOL_M_COUNT] = {
	[POOL_M_CONNECTIONS] = METRIC_GAUGE("roost_smtp_store_connections", NULL,
	                                    "Connections to stores, idle ones included."),
	[POOL_M_OPENED] = METRIC_COUNTER("roost_smtp_store_connections_total", NULL,
	                                 "Connections to stores begun."),
	[POOL_M_DOWN] = METRIC_COUNTER("roost_smtp_store_down_total", NULL,
	                               "How often a store could not be reached."),
};

enum state { OPENING, IDLE, LEASED, SETTLING };

struct store;

struct pool_conn {
	struct list node; /* in store->conns */
	struct store *store;
	enum state state;
	struct dial *dial; /* while that is under way */
	struct link *link;
	struct smtp_client *core;
	struct smtp_client_settings settings;
	char session[ORIGIN_SESSION_MAX + 1]; /* the only one it is for; "": for all */
	char client[ADDR_TEXT_LEN];
	struct lease *lease; /* LEASED */
	bool reused;
	unsigned round; /* of open_more(): somebody counts on it */
	uint64_t opened_ms;
};

struct lease {
	struct list node; /* in store->waiting until granted */
	struct store *store;
	struct pool_conn *conn; /* NULL: waiting, or lost */
	char session[ORIGIN_SESSION_MAX + 1];
	char client[ADDR_TEXT_LEN];
	const struct lease_ops *ops;
	void *ctx;
};

struct store {
	struct pool *pool;
	struct peer peer;
	struct list conns, waiting;
	size_t conn_count;
	unsigned round;
	bool serve_queued;
	uint64_t down_ms, down_until_ms; /* how long the last time; until when */
	char why[200];                   /* it is down */
	struct timer up_again;
};

struct pool {
	struct pool_config c;
	struct map *stores; /* by the name of the server */
	size_t conn_count;
};

static void serve_soon(struct store *s);

/* ---- the end of a connection ---------------------------------------------------------------- */

static void
conn_free_later(void *ctx)
{
	struct pool_conn *c = ctx;

	smtp_client_free(&c->core);
	free(c);
}

/* The core may be in use above us: it goes at the end of the loop's turn. */
static void
conn_drop(struct pool_conn *c, bool politely)
{
	struct store *s = c->store;

	dial_cancel(&c->dial);
	if (c->link != NULL && politely)
		link_end(&c->link);
	else if (c->link != NULL)
		link_abort(&c->link);
	list_del(&c->node);
	s->conn_count--;
	s->pool->conn_count--;
	metrics_sub(&pool_metrics[POOL_M_CONNECTIONS], 1);
	loop_defer(s->pool->c.loop, conn_free_later, c);
	serve_soon(s);
}

static void
conn_say_goodbye(struct pool_conn *c)
{
	smtp_client_quit(c->core, link_out(c->link));
	conn_drop(c, true);
}

/* Dials that were under way together fail together: that is one failure. */
static void
store_is_down(struct store *s, const char *why)
{
	uint64_t now = clock_mono_ms();

	if (now < s->down_until_ms)
		return;
	metrics_add(&pool_metrics[POOL_M_DOWN], 1);
	s->down_ms = MIN(MAX(2 * s->down_ms, POOL_DOWN_MIN_MS), POOL_DOWN_MAX_MS);
	s->down_until_ms = now + s->down_ms;
	snprintf(s->why, sizeof(s->why), "%s", why);
	log_warning(NULL, "smtp.%s_down %s=%s why=%s ms=%" PRIu64, peer_kind(&s->peer),
	            peer_kind(&s->peer), s->peer.name, log_esc(why), s->down_ms);
	timer_set(&s->up_again, s->down_ms);
}

/* What else is idle there has probably been lost with it (the store was restarted). */
static void
drop_idle(struct store *s)
{
	struct pool_conn *c;

	LIST_EACH (c, &s->conns, struct pool_conn, node)
		if (c->state == IDLE)
			conn_drop(c, false);
}

/* An idle connection may be closed by the store as it likes, and says nothing of it. */
static void
conn_lost(struct pool_conn *c, const char *why)
{
	struct store *s = c->store;
	struct lease *l = c->lease;
	bool opening = c->state == OPENING;

	c->lease = NULL;
	conn_drop(c, false);
	if (opening)
		store_is_down(s, why);
	if (l != NULL && c->reused)
		drop_idle(s);
	if (l != NULL) {
		l->conn = NULL;
		l->ops->failed(l->ctx, why);
	}
}

/* ---- the link ---------------------------------------------------------------------------------- */

static void
conn_rest(struct pool_conn *c)
{
	c->state = IDLE;
	link_set_deadline(c->link, c->store->pool->c.idle_ms);
	serve_soon(c->store);
}

/* The store is there. What it offers says whether its connections are for all. */
static void
conn_opened(struct pool_conn *c)
{
	struct store *s = c->store;

	s->down_ms = 0;
	s->down_until_ms = 0;
	if (s->peer.ours && !smtp_client_get_offer(c->core)->xroost)
		log_warning(NULL,
		            "smtp.store_plain store=%s why=\"it does not trust us (its "
		            "trusted_networks): copies may double when senders retry\"",
		            s->peer.name);
	if (!smtp_client_get_offer(c->core)->xclient_addr)
		c->session[0] = '\0';
	conn_rest(c);
}

static void
on_event(struct pool_conn *c, const struct smtp_client_event *ev)
{
	if (ev->kind == SMTP_CLIENT_TLS) {
		link_start_tls_client(c->link, c->store->peer.tls, c->store->peer.tls_name);
		return;
	}
	if (c->state == LEASED)
		c->lease->ops->event(c->lease->ctx, ev);
	else if (ev->kind == SMTP_CLIENT_READY && c->state == OPENING)
		conn_opened(c);
	else if (ev->kind == SMTP_CLIENT_READY && c->state == SETTLING)
		conn_rest(c);
}

static const char *
core_failure(const struct pool_conn *c)
{
	static char text[600];
	const struct smtp_reply *r = smtp_client_get_failure(c->core);

	snprintf(text, sizeof(text), "%s%.0d%s%s", r->code != 0 ? "it says " : "", r->code,
	         r->code != 0 ? " " : "", r->text);
	return text;
}

/* An event may need no more bytes than are consumed already: asked until there is none. */
static size_t
on_link_input(void *core, struct slice in)
{
	struct pool_conn *c = core;
	struct smtp_client_event ev;
	size_t used, total = 0;
	int r;

	do {
		r = smtp_client_input(c->core, slice_skip(in, total), &used, link_out(c->link),
		                      &ev);
		total += used;
		if (r == 1)
			on_event(c, &ev);
		else if (r == -1)
			conn_lost(c, core_failure(c));
	} while (r == 1 && c->link != NULL && ev.kind != SMTP_CLIENT_TLS);
	return total;
}

static void
on_link_drained(void *core)
{
	struct pool_conn *c = core;

	if (c->state == LEASED && c->lease->ops->drained != NULL)
		c->lease->ops->drained(c->lease->ctx);
}

static void
on_link_tls(void *core)
{
	struct pool_conn *c = core;

	if (c->store->peer.tls_mode == PEER_TLS_STARTTLS)
		smtp_client_tls_done(c->core, link_out(c->link));
}

static void
on_link_deadline(void *core)
{
	struct pool_conn *c = core;

	if (c->state == IDLE)
		conn_say_goodbye(c);
	else
		conn_lost(c, "the store does not answer in time");
}

static void
on_link_closed(void *core, enum conn_end why)
{
	conn_lost(core, conn_end_text(why));
}

static const struct link_ops link_handlers = {
	.input = on_link_input,
	.drained = on_link_drained,
	.tls = on_link_tls,
	.deadline = on_link_deadline,
	.closed = on_link_closed,
};

/* ---- opening ----------------------------------------------------------------------------------- */

static void
on_dialled(void *ctx, struct conn **net, const char *why)
{
	struct pool_conn *c = ctx;
	const struct peer *peer = &c->store->peer;
	uint64_t gone = clock_mono_ms() - c->opened_ms, most = c->store->pool->c.connect_ms;

	c->dial = NULL;
	if (*net == NULL) {
		conn_lost(c, why);
		return;
	}
	c->link = link_new(net, &link_handlers, c, NULL);
	link_set_deadline(c->link, gone < most ? most - gone : 1);
	if (peer->tls_mode == PEER_TLS_IMPLICIT)
		link_start_tls_client(c->link, peer->tls, peer->tls_name);
}

static struct pool_conn *
conn_open(struct store *s, const struct lease *l)
{
	struct pool_conn *c = xcalloc(1, sizeof(*c));
	struct pool *p = s->pool;

	c->store = s;
	c->opened_ms = clock_mono_ms();
	c->settings = (struct smtp_client_settings){
		.lmtp = !s->peer.smtp,
		.hostname = p->c.hostname,
		.tls_mode =
			s->peer.tls_mode == PEER_TLS_STARTTLS ? SMTP_TLS_REQUIRED : SMTP_TLS_NONE,
		.authcid = s->peer.user,
		.secret = s->peer.password,
		.plaintext_ok = s->peer.plaintext_ok,
	};
	if (s->peer.wants_client) {
		snprintf(c->session, sizeof(c->session), "%s", l->session);
		snprintf(c->client, sizeof(c->client), "%s", l->client);
		c->settings.xclient_addr = c->client;
		c->settings.xclient_session = c->session;
	}
	c->core = smtp_client_new(&c->settings, s->peer.tls_mode == PEER_TLS_IMPLICIT);
	list_add_tail(&s->conns, &c->node);
	s->conn_count++;
	p->conn_count++;
	metrics_add(&pool_metrics[POOL_M_CONNECTIONS], 1);
	metrics_add(&pool_metrics[POOL_M_OPENED], 1);
	c->dial = dial_start(p->c.loop, s->peer.addr, p->c.connect_ms, on_dialled, c);
	return c;
}

/* ---- who gets what ----------------------------------------------------------------------------- */

static bool
conn_suits(const struct pool_conn *c, const struct lease *l)
{
	return c->session[0] == '\0' || strcmp(c->session, l->session) == 0;
}

static struct pool_conn *
find_conn(struct store *s, enum state state, const struct lease *l)
{
	struct pool_conn *c;

	LIST_EACH (c, &s->conns, struct pool_conn, node)
		if (c->state == state && (l == NULL || conn_suits(c, l)))
			return c;
	return NULL;
}

static void
grant(struct lease *l, struct pool_conn *c)
{
	list_del(&l->node);
	link_set_deadline(c->link, 0);
	c->state = LEASED;
	c->lease = l;
	l->conn = c;
	l->ops->granted(l->ctx);
}

static void
fail_all(struct store *s)
{
	struct lease *l;
	char why[sizeof(s->why)];

	snprintf(why, sizeof(why), "%s", s->why);
	while ((l = LIST_FIRST(&s->waiting, struct lease, node)) != NULL) {
		list_del(&l->node);
		l->ops->failed(l->ctx, why);
	}
}

/* A connection that will soon be free, and that nobody before l in the queue counts on. */
static struct pool_conn *
find_coming(struct store *s, const struct lease *l, unsigned round)
{
	struct pool_conn *c;

	LIST_EACH (c, &s->conns, struct pool_conn, node)
		if ((c->state == OPENING || c->state == SETTLING) && c->round != round &&
		    conn_suits(c, l))
			return c;
	return NULL;
}

/* New connections for those who wait for none that is under way already. */
static void
open_more(struct store *s)
{
	unsigned round = ++s->round;
	struct pool_conn *c;
	struct lease *l;

	LIST_EACH (l, &s->waiting, struct lease, node) {
		c = find_coming(s, l, round);
		if (c == NULL && s->conn_count >= s->pool->c.connections) {
			/* idle ones that are left do not suit anybody who waits */
			c = find_conn(s, IDLE, NULL);
			if (c == NULL)
				return;
			conn_say_goodbye(c);
			c = NULL;
		}
		if (c == NULL)
			c = conn_open(s, l);
		c->round = round;
	}
}

static void
serve(void *ctx)
{
	struct store *s = ctx;
	struct pool_conn *c;
	struct lease *l;

	s->serve_queued = false;
	LIST_EACH (l, &s->waiting, struct lease, node) {
		c = find_conn(s, IDLE, l);
		if (c == NULL)
			continue;
		/* its owner may end other leases: come again for the rest */
		serve_soon(s);
		grant(l, c);
		return;
	}
	if (clock_mono_ms() >= s->down_until_ms)
		open_more(s);
	else if (s->conn_count == 0)
		fail_all(s);
}

static void
serve_soon(struct store *s)
{
	if (s->serve_queued)
		return;
	s->serve_queued = true;
	loop_defer(s->pool->c.loop, serve, s);
}

static void
on_up_again(void *ctx)
{
	serve_soon(ctx);
}

/* ---- leases -------------------------------------------------------------------------------------- */

#define STORE_KEY_LEN 300

/* A next hop and a server may have one name. */
static struct slice
store_key(const struct peer *peer, char key_r[STORE_KEY_LEN])
{
	snprintf(key_r, STORE_KEY_LEN, "%s %s", peer_kind(peer), peer->name);
	return slice_of(key_r);
}

static struct store *
find_store(const struct pool *p, const struct peer *peer)
{
	char key[STORE_KEY_LEN];

	return map_get(p->stores, store_key(peer, key));
}

static struct store *
store_of(struct pool *p, const struct peer *peer)
{
	struct store *s = find_store(p, peer);
	char key[STORE_KEY_LEN];

	if (s != NULL)
		return s;
	s = xcalloc(1, sizeof(*s));
	s->pool = p;
	s->peer = *peer;
	list_init(&s->conns);
	list_init(&s->waiting);
	timer_init(&s->up_again, p->c.loop, on_up_again, s);
	(void)map_set(p->stores, store_key(peer, key), s);
	return s;
}

struct lease *
lease_new(struct pool *p, const struct peer *to, const char *session, const char *client,
          const struct lease_ops *ops, void *ctx)
{
	struct lease *l = xcalloc(1, sizeof(*l));

	l->store = store_of(p, to);
	snprintf(l->session, sizeof(l->session), "%s", session);
	snprintf(l->client, sizeof(l->client), "%s", client);
	l->ops = ops;
	l->ctx = ctx;
	list_add_tail(&l->store->waiting, &l->node);
	serve_soon(l->store);
	return l;
}

static void
end(struct lease **lp, bool settle)
{
	struct lease *l = *lp;
	struct pool_conn *c;

	*lp = NULL;
	if (l == NULL)
		return;
	c = l->conn;
	list_del(&l->node);
	free(l);
	if (c == NULL)
		return;
	c->lease = NULL;
	c->reused = true;
	if (smtp_client_is_idle(c->core)) {
		conn_rest(c);
	} else if (settle) {
		c->state = SETTLING;
		link_set_deadline(c->link, c->store->pool->c.connect_ms);
	} else {
		/* it has not answered in time, and the others hang on the same store */
		struct store *s = c->store;

		conn_drop(c, false);
		drop_idle(s);
	}
}

void
lease_end(struct lease **l)
{
	end(l, false);
}

void
lease_leave(struct lease **l)
{
	end(l, true);
}

struct smtp_client *
lease_client(struct lease *l)
{
	return l->conn->core;
}

struct buf *
lease_out(struct lease *l)
{
	return link_out(l->conn->link);
}

void
lease_flush(struct lease *l)
{
	link_flush(l->conn->link);
}

bool
lease_is_congested(const struct lease *l)
{
	return link_is_congested(l->conn->link);
}

bool
lease_is_reused(const struct lease *l)
{
	return l->conn->reused;
}

/* ---- the pool ------------------------------------------------------------------------------------ */

struct pool *
pool_new(const struct pool_config *c)
{
	struct pool *p = xcalloc(1, sizeof(*p));

	p->c = *c;
	p->stores = map_new();
	return p;
}

static void
store_free(struct store *s)
{
	struct pool_conn *c;

	must(list_is_empty(&s->waiting));
	LIST_EACH (c, &s->conns, struct pool_conn, node) {
		must(c->lease == NULL);
		conn_drop(c, false);
	}
	loop_forget(s->pool->c.loop, s);
	timer_fini(&s->up_again);
	free(s);
}

void
pool_free(struct pool **pp)
{
	struct pool *p = *pp;
	struct slice key;
	size_t pos = 0;
	void *s;

	*pp = NULL;
	if (p == NULL)
		return;
	while (map_next(p->stores, &pos, &key, &s))
		store_free(s);
	map_free(&p->stores);
	free(p);
}

struct loop *
pool_loop(const struct pool *p)
{
	return p->c.loop;
}

bool
pool_is_down(const struct pool *p, const struct peer *peer)
{
	const struct store *s = find_store(p, peer);

	return s != NULL && clock_mono_ms() < s->down_until_ms;
}

size_t
pool_connections(const struct pool *p)
{
	return p->conn_count;
}
