/*
 * The connection, the questions, the leases. A question without an answer by its time is
 * answered "allowed"; the questions are in the order of their times, so one timer does.
 */
#include "guard/guard.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/xalloc.h"
#include "guard/guard_ask.h"
#include "guard/guard_serve.h"
#include "log/log.h"
#include "net/dial.h"

#define CONNECT_MS 1000
#define PAUSE_MS 200
#define OUTPUT_MOST ((size_t)1 << 20)

struct question {
	struct list link; /* in the order of until_ms */
	uint64_t id, until_ms;
	guard_answer_fn *fn; /* or one of these two */
	guard_fn *taken;
	guard_text_fn *text;
	void *ctx;
};

struct guard {
	struct loop *loop;
	const struct conf *conf;
	struct addr at;
	struct dial *dial;
	struct link *link; /* NULL: not connected */
	struct map *questions;
	struct list by_time;
	struct list leases, waiting;
	uint64_t last_id, last_lease;
	unsigned v4_bits, v6_bits;
	struct timer retry, tick;
	struct guard_storage storage;
};

struct loop *
guard_loop(struct guard *g)
{
	return g->loop;
}

struct list *
guard_waiting(struct guard *g)
{
	return &g->waiting;
}

/* ---- questions ----------------------------------------------------------------------------- */

static void
answer(struct guard *g, struct question *q, const struct guard_answer *a)
{
	struct question now = *q;

	list_del(&q->link);
	map_del(g->questions, map_key_u64(&q->id));
	free(q);
	if (now.fn != NULL)
		now.fn(now.ctx, now.id, a);
	else if (now.taken != NULL)
		now.taken(now.ctx, now.id, a->verdict, a->amount);
	else
		now.text(now.ctx, a->answered ? a->text : NULL, a->amount);
}

static void
arm(struct guard *g)
{
	struct question *q = LIST_FIRST(&g->by_time, struct question, link);
	uint64_t now = clock_mono_ms();

	if (q != NULL)
		timer_set(&g->tick, q->until_ms > now ? q->until_ms - now : 0);
	else
		timer_cancel(&g->tick);
}

static void
on_tick(void *ctx)
{
	const struct guard_answer nothing = { .text = NULL };
	struct guard *g = ctx;
	struct question *q;

	while ((q = LIST_FIRST(&g->by_time, struct question, link)) != NULL &&
	       q->until_ms <= clock_mono_ms()) {
		metrics_add(&guard_metrics[GUARD_M_UNANSWERED], 1);
		answer(g, q, &nothing);
	}
	arm(g);
}

static bool
can_say(const struct guard *g)
{
	return g->link != NULL && link_output_bytes(g->link) < OUTPUT_MOST;
}

void
guard_tell(struct guard *g, struct guard_frame *f)
{
	if (!can_say(g))
		return;
	guard_wire_add(f, link_out(g->link));
	link_flush(g->link);
}

/* Not connected: its time is over at once. The caller says who is to hear. */
static struct question *
ask(struct guard *g, struct guard_frame *f, void *ctx)
{
	struct question *q = xcalloc(1, sizeof(*q));
	bool asked = can_say(g);

	q->id = f->id = ++g->last_id;
	q->until_ms = clock_mono_ms() + (asked ? GUARD_ANSWER_MS : 0);
	q->ctx = ctx;
	map_set(g->questions, map_key_u64(&q->id), q);
	if (asked)
		list_add_tail(&g->by_time, &q->link);
	else
		list_add_head(&g->by_time, &q->link);
	arm(g);
	guard_tell(g, f);
	return q;
}

uint64_t
guard_ask(struct guard *g, struct guard_frame *f, guard_answer_fn *fn, void *ctx)
{
	struct question *q = ask(g, f, ctx);

	q->fn = fn;
	return q->id;
}

void
guard_cancel(struct guard *g, uint64_t id)
{
	struct question *q = map_del(g->questions, map_key_u64(&id));

	if (q == NULL)
		return;
	list_del(&q->link);
	free(q);
	arm(g);
}

/* ---- the connection ------------------------------------------------------------------------ */

static size_t
on_input(void *core, struct slice in)
{
	struct guard *g = core;
	struct guard_frame f;
	struct question *q;
	size_t used;
	int got = guard_wire_next(in, &f, &g->storage, &used);

	if (got == 0)
		return 0;
	must(got == 1); /* it is this program */
	q = map_get(g->questions, map_key_u64(&f.id));
	if (q != NULL) {
		struct guard_answer a = { true, f.verdict, f.amount, f.text };

		answer(g, q, &a);
		arm(g);
	}
	return used;
}

static void
on_closed(void *core, UNUSED enum conn_end why)
{
	struct guard *g = core;

	log_debug(NULL, "limit.lost");
	link_end(&g->link);
	timer_set(&g->retry, 0); /* its successor, or the socket's queue, is there already */
}

static void
on_deadline(UNUSED void *core)
{
}

static const struct link_ops ops = {
	.input = on_input,
	.deadline = on_deadline,
	.closed = on_closed,
};

static const struct link_limits limits = {
	.input_bytes = GUARD_FRAME_MAX + 4,
	.output_high = SIZE_MAX,
	.output_low = 0,
	.output_max = 64 << 20, /* a restart of the limits process under 100,000 sessions */
};

static void
restore(struct guard *g)
{
	struct guard_lease *lease;

	LIST_EACH (lease, &g->leases, struct guard_lease, link) {
		struct guard_frame f = {
			.kind = GUARD_RESTORE,
			.lease = lease->number,
			.address = lease->address,
			.user = lease->user,
		};

		guard_wire_add(&f, link_out(g->link));
	}
	link_flush(g->link);
}

static void
on_dialled(void *ctx, struct conn **c, UNUSED const char *why)
{
	struct guard *g = ctx;

	g->dial = NULL;
	if (*c == NULL) {
		timer_set(&g->retry, PAUSE_MS);
		return;
	}
	g->link = link_new(c, &ops, g, &limits);
	restore(g);
}

static void
on_retry(void *ctx)
{
	struct guard *g = ctx;

	g->dial = dial_start(g->loop, &g->at, CONNECT_MS, on_dialled, g);
}

/* ---- addresses ----------------------------------------------------------------------------- */

static void
mask(uint8_t *bytes, size_t n, unsigned bits)
{
	for (size_t i = 0; i < n; i++) {
		if (bits >= 8 * (i + 1))
			continue;
		bytes[i] &= bits <= 8 * i ? 0 : (uint8_t)(0xff << (8 - bits % 8));
	}
}

static void
print_prefix(const struct guard *g, int family, const uint8_t *from,
             char prefix_r[GUARD_PREFIX_MAX])
{
	bool is_v4 = family == AF_INET;
	unsigned bits = is_v4 ? g->v4_bits : g->v6_bits;
	size_t n = is_v4 ? 4 : 16;
	uint8_t bytes[16];
	char text[INET6_ADDRSTRLEN];

	memcpy(bytes, from, n);
	mask(bytes, n, bits);
	if (inet_ntop(family, bytes, text, sizeof(text)) == NULL)
		text[0] = '\0';
	if (bits < 8 * n)
		snprintf(prefix_r, GUARD_PREFIX_MAX, "%s/%u", text, bits);
	else
		snprintf(prefix_r, GUARD_PREFIX_MAX, "%s", text);
}

void
guard_prefix(const struct guard *g, const struct addr *a, char prefix_r[GUARD_PREFIX_MAX])
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)&a->ss;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&a->ss;

	prefix_r[0] = '\0';
	if (conf_nets_has(g->conf, "unlimited_networks", a))
		return;
	if (a->ss.ss_family == AF_INET)
		print_prefix(g, AF_INET, (const uint8_t *)&v4->sin_addr, prefix_r);
	else if (a->ss.ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
		print_prefix(g, AF_INET, v6->sin6_addr.s6_addr + 12, prefix_r);
	else if (a->ss.ss_family == AF_INET6)
		print_prefix(g, AF_INET6, v6->sin6_addr.s6_addr, prefix_r);
}

void
guard_prefix_of_text(const struct guard *g, const char *peer, char prefix_r[GUARD_PREFIX_MAX])
{
	bool is_v6 = strchr(peer, ':') != NULL;
	char text[ADDR_TEXT_LEN];
	struct addr a;
	struct err err;

	snprintf(text, sizeof(text), is_v6 ? "[%s]:1" : "%s:1", peer);
	prefix_r[0] = '\0';
	if (addr_parse(slice_of(text), 0, &a, &err))
		guard_prefix(g, &a, prefix_r);
}

/* ---- leases -------------------------------------------------------------------------------- */

struct guard_lease *
guard_lease_new(struct guard *g, const char *prefix)
{
	struct guard_lease *lease = xcalloc(1, sizeof(*lease));

	lease->guard = g;
	lease->number = ++g->last_lease;
	snprintf(lease->address, sizeof(lease->address), "%s", prefix);
	list_add_tail(&g->leases, &lease->link);
	return lease;
}

void
guard_lease_end(void *note)
{
	struct guard_lease *lease = note;
	struct guard_frame f = { .kind = GUARD_CLOSE, .lease = lease->number };

	if (lease->guard != NULL)
		guard_tell(lease->guard, &f);
	list_del(&lease->link);
	free(lease->user);
	free(lease);
}

void
guard_lease_set_user(struct guard_lease *lease, const char *user)
{
	if (lease->user == NULL)
		lease->user = xstrdup(user);
}

/* ---- rates --------------------------------------------------------------------------------- */

static const char *const rate_settings[LIMIT_RATES] = {
	[LIMIT_CLIENT_MESSAGES] = "limit_client_messages",
	[LIMIT_CLIENT_RCPTS] = "limit_client_recipients",
	[LIMIT_SENDER_MESSAGES] = "limit_sender_messages",
	[LIMIT_SENDER_RCPTS] = "limit_sender_recipients",
};

uint64_t
guard_take_sender(struct guard *g, enum limit_rate rate, const char *user, uint64_t amount,
                  guard_fn *fn, void *ctx)
{
	struct guard_frame f = {
		.kind = GUARD_TAKE,
		.rate = rate,
		.address = user,
		.amount = amount,
	};
	struct question *q;

	if (*user == '\0' || conf_int(g->conf, rate_settings[rate]) == 0) {
		fn(ctx, 0, LIMIT_OK, 0);
		return 0;
	}
	q = ask(g, &f, ctx);
	q->taken = fn;
	return q->id;
}

uint64_t
guard_take_client(struct guard *g, enum limit_rate rate, const char *peer, uint64_t amount,
                  guard_fn *fn, void *ctx)
{
	char prefix[GUARD_PREFIX_MAX];

	guard_prefix_of_text(g, peer, prefix);
	return guard_take_sender(g, rate, prefix, amount, fn, ctx);
}

/* ---- for people ---------------------------------------------------------------------------- */

static void
ask_text(struct guard *g, struct guard_frame *f, guard_text_fn *fn, void *ctx)
{
	ask(g, f, ctx)->text = fn;
}

void
guard_list(struct guard *g, guard_text_fn *fn, void *ctx)
{
	struct guard_frame f = { .kind = GUARD_LIST };

	ask_text(g, &f, fn, ctx);
}

void
guard_clear(struct guard *g, const char *name, guard_text_fn *fn, void *ctx)
{
	struct guard_frame f = { .kind = GUARD_CLEAR, .user = name };

	ask_text(g, &f, fn, ctx);
}

/* ---- begin and end ------------------------------------------------------------------------- */

struct guard *
guard_new(struct loop *l, const char *path, const struct conf *c)
{
	struct guard *g = xcalloc(1, sizeof(*g));
	struct err err;

	g->loop = l;
	g->conf = c;
	g->v4_bits = (unsigned)conf_int(c, "limit_ipv4_prefix");
	g->v6_bits = (unsigned)conf_int(c, "limit_ipv6_prefix");
	g->questions = map_new();
	list_init(&g->by_time);
	list_init(&g->leases);
	list_init(&g->waiting);
	timer_init(&g->retry, l, on_retry, g);
	timer_init(&g->tick, l, on_tick, g);
	must(addr_parse(slice_of(path), 0, &g->at, &err)); /* svc has listened there */
	on_retry(g);
	return g;
}

void
guard_free(struct guard **gp)
{
	struct guard *g = *gp;
	struct question *q;
	struct guard_lease *lease;

	*gp = NULL;
	if (g == NULL)
		return;
	guard_admit_free_all(&g->waiting);
	LIST_EACH (lease, &g->leases, struct guard_lease, link) {
		lease->guard = NULL;
		list_del(&lease->link);
	}
	while ((q = LIST_FIRST(&g->by_time, struct question, link)) != NULL)
		guard_cancel(g, q->id);
	dial_cancel(&g->dial);
	link_abort(&g->link);
	map_free(&g->questions);
	timer_fini(&g->retry);
	timer_fini(&g->tick);
	free(g);
}
