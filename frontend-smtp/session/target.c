/*
 * One user of a transaction: would his store take the mail, and did it (txn.h, 1 and 2)? Or one
 * address elsewhere, and the next hops.
 */
#include "session/txn_impl.h"

#include "base/clock.h"
#include "base/text.h"
#include "session/session.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- making one ------------------------------------------------------------------------------ */

/* The user as an address of his own, for stores that do not know XUSER. */
static void
set_address(const struct target *g, struct address *to)
{
	const struct txn_shared *sh = g->txn->shared;
	struct slice user = slice_of(g->user), local = user, domain = slice_of(sh->default_domain);
	size_t at = slice_find_last(user, '@');
	int n;

	if (at < user.n) {
		local = slice_sub(user, 0, at);
		domain = slice_skip(user, at + 1);
	}
	n = snprintf(to->local, sizeof(to->local), "%.*s", SLICE_ARG(local));
	if (*g->detail != '\0' && sh->delimiter != '\0' &&
	    (size_t)n + 1 + strlen(g->detail) < sizeof(to->local))
		snprintf(to->local + n, sizeof(to->local) - (size_t)n, "%c%s", sh->delimiter,
		         g->detail);
	snprintf(to->domain, sizeof(to->domain), "%.*s", SLICE_ARG(domain));
	to->utf8 = !text_is_ascii(slice_of(to->local)) || !text_is_ascii(domain);
}

static void
set_place(struct target *g, const struct route_final *f)
{
	g->server = f->server;
	g->claim = f->claim;
	g->is_new = f->is_new;
	g->rcpt.wire.claim = f->claim;
}

static bool
is_place(const struct target *g, const struct route_final *f)
{
	return g->server == f->server && g->claim == f->claim && g->is_new == f->is_new;
}

static void
ask(struct target *g)
{
	struct txn *t = g->txn;

	g->state = TARGET_ASKING;
	batch_ask(batch_get(t, &t->askings, g->server), g);
}

static struct target *
target_new(struct txn *t, const struct route_final *f)
{
	struct target *g = arena_alloc(t->arena, sizeof(*g));

	g->txn = t;
	g->user = arena_strdup(t->arena, f->user);
	g->detail = arena_strdup(t->arena, f->detail);
	g->home = arena_strdup(t->arena, f->home);
	set_address(g, &g->rcpt.wire.to);
	g->rcpt.wire.user = slice_of(g->user);
	if (*g->detail != '\0')
		g->rcpt.wire.detail = slice_of(g->detail);
	list_init(&g->waiting);
	set_place(g, f);
	list_add_tail(&t->targets, &g->node);
	return g;
}

/* NULL: there is none, and perhaps no room for one. */
static struct target *
find(struct txn *t, struct slice key, bool *is_full_r)
{
	struct target *g = map_get(t->by_user, key);

	*is_full_r = g == NULL && map_count(t->by_user) >= TXN_TARGETS_MAX;
	return g;
}

static struct target *
relay_target_new(struct txn *t, const struct address *to, const char *text)
{
	struct target *g = arena_alloc(t->arena, sizeof(*g));

	g->txn = t;
	g->address = arena_strdup(t->arena, text);
	g->rcpt.wire.to = *to;
	list_init(&g->waiting);
	list_add_tail(&t->targets, &g->node);
	return g;
}

/* No user of ours has an empty name. */
struct target *
target_get_relay(struct txn *t, const char *address)
{
	struct buf key = BUF_INIT(SIZE_MAX);
	char text[ADDRESS_TEXT_SIZE];
	struct target *g = NULL;
	struct address to;
	bool is_full;

	if (address_parse(slice_of(address), ADDRESS_ALLOW_UTF8, &to) != ADDRESS_OK)
		return NULL;
	buf_add_char(&key, '\0');
	buf_add_str(&key, address_text(&to, text));
	g = find(t, buf_slice(&key), &is_full);
	if (g == NULL && !is_full) {
		g = relay_target_new(t, &to, text);
		(void)map_set(t->by_user, buf_slice(&key), g);
		ask(g);
	}
	buf_fini(&key);
	return g;
}

struct target *
target_get(struct txn *t, const struct route_final *f)
{
	struct buf key = BUF_INIT(SIZE_MAX);
	struct target *g;
	bool is_full;

	buf_add(&key, f->user, strlen(f->user) + 1);
	buf_add_str(&key, f->detail);
	g = find(t, buf_slice(&key), &is_full);
	if (g == NULL && !is_full) {
		g = target_new(t, f);
		(void)map_set(t->by_user, buf_slice(&key), g);
		ask(g);
	}
	buf_fini(&key);
	return g;
}

/* ---- its answer ------------------------------------------------------------------------------- */

static void
log_store(const struct target *g, uint64_t ms)
{
	const struct smtp_reply *r = &g->reply;

	log_info(g->txn->client.log,
	         "smtp.delivery user=%s detail=%s store=%s reply=%d enhanced=%s text=%s "
	         "ms=%" PRIu64,
	         log_esc(g->user), log_esc(g->detail), g->server->name, r->code,
	         log_esc(r->enhanced), log_esc(r->text), ms);
}

static void
log_relay(const struct target *g, uint64_t ms)
{
	const struct smtp_reply *r = &g->reply;

	log_info(g->txn->client.log,
	         "smtp.delivery rcpt=%s relay=%s reply=%d enhanced=%s text=%s ms=%" PRIu64,
	         log_esc(g->address), log_esc(g->relay), r->code, log_esc(r->enhanced),
	         log_esc(r->text), ms);
}

static void
log_delivery(const struct target *g)
{
	const struct smtp_reply *r = &g->reply;
	unsigned row = target_is_relay(g) ? SMTP_M_RELAYED : SMTP_M_DELIVERED;
	uint64_t ms = clock_mono_ms() - g->started_ms;

	if (target_is_relay(g))
		log_relay(g, ms);
	else
		log_store(g, ms);
	/* in the order of the enum: taken, later, refused */
	row += smtp_reply_is_good(r) ? 0 : smtp_reply_is_temporary(r) ? 1 : 2;
	metrics_add(&smtp_metrics[row], 1);
	if (!target_is_relay(g))
		metrics_observe(&smtp_metrics[SMTP_M_DELIVERY_MS], ms);
}

static void
settle(struct target *g)
{
	if (g->state == TARGET_SENDING) {
		g->state = TARGET_SENT;
		g->txn->open--;
		log_delivery(g);
	} else {
		g->state = smtp_reply_is_good(&g->reply) ? TARGET_GOOD : TARGET_REFUSED;
	}
	txn_target_settled(g->txn);
}

void
target_set(struct target *g, int code, const char *enhanced, const char *text)
{
	smtp_reply_set(&g->reply, code, enhanced, text);
	g->state = TARGET_SENT;
	log_delivery(g);
}

static void
set_temporary(struct target *g)
{
	if (!smtp_reply_is_temporary(&g->reply))
		smtp_reply_set(&g->reply, 451, "4.3.0",
		               "The mailbox is not available, please come again");
}

/* What the map says now, behind a barrier (txn.h, invariant 1). */
static void
on_looked_again(void *ctx, uint64_t id, const struct route_answer *a)
{
	struct target *g = ctx;
	const struct route_final *f = &a->finals[0];

	g->route_id = 0;
	if (f->result == ROUTE_OK && !is_place(g, f) && !g->moved && g->state == TARGET_ASKING) {
		g->moved = true;
		log_debug(g->txn->client.log, "smtp.moved user=%s from=%s to=%s", log_esc(g->user),
		          g->server->name, f->server->name);
		set_place(g, f);
		ask(g);
		return;
	}
	/* The directory knows him. Stores of others (Cyrus) make no mailbox when mail comes, but wait
	 * for somebody to make it, or to give it its name back. */
	if (f->result == ROUTE_OK && is_place(g, f) && g->is_new &&
	    g->server->kind == SERVER_FOREIGN && g->reply.code / 100 == 5)
		smtp_reply_set(&g->reply, 450, "4.2.1", REPLY_NOT_THERE);
	/* without a directory the map alone says who is there: it agrees with the store */
	if (!(f->result == ROUTE_OK && is_place(g, f)) && f->result != ROUTE_UNKNOWN)
		set_temporary(g);
	settle(g);
}

static void
look_again(struct target *g)
{
	g->route_id = route_find_user(g->txn->shared->route, slice_of(g->user), slice_of(g->detail),
	                              g->home, true, on_looked_again, g);
}

/* Codes are the peer's: only a 5xx is for ever, and a 421 closes its connection, not the
 * client's. */
static void
take_reply(struct target *g)
{
	struct smtp_reply *r = &g->reply;
	char class;

	*r = g->rcpt.reply;
	g->from_peer = g->rcpt.from_peer;
	if (!smtp_reply_is_good(r) && r->code / 100 != 5)
		set_temporary(g);
	if (r->code == 421)
		r->code = 451;
	class = (char)('0' + r->code / 100);
	if (r->enhanced[0] != class) {
		snprintf(r->enhanced, sizeof(r->enhanced), "x.0.0");
		r->enhanced[0] = class;
	}
}

void
target_asked(struct target *g)
{
	take_reply(g);
	if (target_is_relay(g) || smtp_reply_is_good(&g->reply) ||
	    (!g->from_peer && g->reply.code / 100 == 5))
		settle(g);
	else
		look_again(g);
}

void
target_sent(struct target *g)
{
	take_reply(g);
	if (!target_is_relay(g) && g->from_peer && g->reply.code / 100 == 5)
		look_again(g);
	else
		settle(g);
}
