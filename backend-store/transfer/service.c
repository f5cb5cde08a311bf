/* service - the moves there are; settings; what the administrator asks. See transfer.h. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ids.h"
#include "base/xalloc.h"
#include "log/log.h"
#include "transfer/transfer_impl.h"

#define ENDED_MOST 100
#define MOVES_MOST 16

struct metric transfer_metrics[TRANSFER_M_COUNT] = {
	[TRANSFER_M_OPEN] = METRIC_GAUGE("roost_store_moves", NULL, "Moves of users under way."),
	[TRANSFER_M_IN] =
		METRIC_COUNTER("roost_store_moved_in_total", NULL, "Users that were moved here."),
	[TRANSFER_M_OUT] = METRIC_COUNTER("roost_store_moved_out_total", NULL,
	                                  "Users that were moved to another store."),
	[TRANSFER_M_UNDONE] =
		METRIC_COUNTER("roost_store_moves_undone_total", NULL, "Moves that were undone."),
};

const struct conf_def transfer_settings[] = {
	{ "cluster_listen", CONF_ADDRESSES, NULL, 3906,
	  .help = "Where other stores are spoken with, for moves of users. Not on loopback it is "
	          "TLS with certificates on both sides (tls_cert, tls_key, tls_ca)." },
	{ .name = NULL },
};

bool
transfer_wants_tls(const struct conf *c)
{
	size_t n;
	const struct addr *a = conf_addrs(c, "cluster_listen", &n);

	for (size_t i = 0; i < n; i++)
		if (!addr_is_loopback(&a[i]))
			return true;
	return false;
}

int
transfer_check(const struct conf *c, struct err *err)
{
	if (!transfer_wants_tls(c) || (conf_is_set(c, "tls_cert") && conf_is_set(c, "tls_key")))
		return 0;
	err_set(err, "cluster_listen off loopback needs tls_cert and tls_key");
	return -1;
}

/* ---- a move ----------------------------------------------------------------------------- */

/* One that is over, for those who ask how it went. */
struct ended {
	struct list link;
	struct transfer_info info; /* texts are owned */
};

void
move_init(struct move *m, struct transfer *t, const struct move_record *r, loop_fn *again)
{
	m->t = t;
	m->id = r->id;
	m->user.n = (uint16_t)MIN(r->user.n, (size_t)MBOX_USER_MAX);
	memcpy(m->user.s, r->user.p, m->user.n);
	snprintf(m->peer_name, sizeof(m->peer_name), "%.*s", SLICE_ARG(r->peer));
	m->step = "beginning";
	m->started_ms = clock_mono_ms();
	m->arena = arena_new("store.transfer");
	timer_init(&m->timer, t->c.loop, again, m);
	metrics_add(&transfer_metrics[TRANSFER_M_OPEN], 1);
}

static void
fill_info(const struct move *m, bool out, struct transfer_info *i)
{
	uint64_t now = clock_mono_ms();

	*i = (struct transfer_info){
		.user = m->user.s,
		.peer = m->peer_name,
		.out = out,
		.step = m->step,
		.why = m->why.text,
		.messages = m->messages,
		.messages_done = m->messages_done,
		.bytes = m->bytes,
		.bytes_done = m->bytes_done,
		.ms = now - m->started_ms,
		.closed_ms = m->closed_ms != 0 ? now - m->closed_ms : 0,
	};
}

static void
ended_free(struct transfer *t, struct ended *e)
{
	list_del(&e->link);
	t->ended_count--;
	free((char *)(uintptr_t)e->info.user);
	free((char *)(uintptr_t)e->info.peer);
	free((char *)(uintptr_t)e->info.why);
	free(e);
}

void
move_tell_end(struct move *m, bool out, bool moved)
{
	struct transfer *t = m->t;
	struct ended *e = xcalloc(1, sizeof(*e)), *old;

	fill_info(m, out, &e->info);
	e->info.user = xstrdup(m->user.s);
	e->info.peer = xstrdup(m->peer_name);
	e->info.why = xstrdup(m->why.text);
	e->info.step = moved ? "moved" : "undone";
	e->info.over = true;
	e->info.moved = moved;
	list_add_tail(&t->ended, &e->link);
	if (++t->ended_count > ENDED_MOST) {
		old = LIST_FIRST(&t->ended, struct ended, link);
		ended_free(t, old);
	}
	metrics_add(&transfer_metrics[!moved ? TRANSFER_M_UNDONE
	                              : out  ? TRANSFER_M_OUT
	                                     : TRANSFER_M_IN],
	            1);
	log_info(NULL,
	         "move.%s user=%s %s=%s id=%016" PRIx64 " messages=%" PRIu64 " bytes=%" PRIu64
	         " ms=%" PRIu64 " closed_ms=%" PRIu64 " why=%s",
	         e->info.step, log_esc(m->user.s), out ? "to" : "from", log_esc(m->peer_name),
	         m->id, m->messages_done, m->bytes_done, e->info.ms, e->info.closed_ms,
	         *m->why.text != '\0' ? log_esc(m->why.text) : "-");
}

void
move_fini(struct move *m)
{
	store_cancel(m->t->c.store, m->op);
	timer_fini(&m->timer);
	loop_forget(m->t->c.loop, m);
	list_del(&m->link);
	arena_free(&m->arena);
	metrics_sub(&transfer_metrics[TRANSFER_M_OPEN], 1);
}

struct slice
move_inbox(const struct move *m)
{
	must(m->name_count > 0);
	return m->names[0].name;
}

struct collect {
	struct move *m;
	struct mbox_name inbox;
	size_t room;
};

static bool
is_his(const struct collect *c, struct slice name)
{
	return slice_eq(name, mbox_name_slice(&c->inbox)) ||
	       mbox_name_is_below(name, mbox_name_slice(&c->inbox));
}

static bool
count_one(void *ctx, const struct mbox_info *info)
{
	struct collect *c = ctx;

	c->room += is_his(c, info->name);
	return true;
}

static bool
collect_one(void *ctx, const struct mbox_info *info)
{
	struct collect *c = ctx;
	struct arena *a = c->m->arena;

	if (is_his(c, info->name) && c->m->name_count < c->room)
		c->m->names[c->m->name_count++] = (struct names_entry){
			.name = arena_slice_dup(a, info->name),
			.acl = arena_slice_dup(a, info->acl),
			.special_use = arena_slice_dup(a, info->special_use),
			.mbox_id = info->id,
			.uidvalidity = info->uidvalidity,
			.claim = info->claim,
		};
	return true;
}

void
move_collect_names(struct move *m)
{
	struct store *s = m->t->c.store;
	struct collect c = { .m = m };
	bool good = mbox_name_of_user(mbox_user_slice(&m->user), store_default_domain(s), &c.inbox);

	must(good);            /* the journal has no others */
	arena_reset(m->arena); /* of the time before: the master is asked again every second */
	store_each(s, mbox_name_slice(&c.inbox), count_one, &c);
	m->names = arena_array(m->arena, c.room + 1, sizeof(*m->names));
	m->name_count = 0;
	store_each(s, mbox_name_slice(&c.inbox), collect_one, &c);
}

/* ---- beginning and end ---------------------------------------------------------------------- */

static void
recover(void *ctx, const struct move_record *r)
{
	if (r->role == MOVE_OUT)
		out_recover(ctx, r);
	else
		in_recover(ctx, r);
}

struct transfer *
transfer_new(const struct transfer_config *c)
{
	struct transfer *t = xcalloc(1, sizeof(*t));

	t->c = *c;
	list_init(&t->peers);
	list_init(&t->outs);
	list_init(&t->ins);
	list_init(&t->ended);
	if (c->names != NULL)
		store_each_move(c->store, recover, t);
	return t;
}

void
transfer_free(struct transfer **tp)
{
	struct transfer *t = *tp;
	struct move *m;
	struct ended *e;

	*tp = NULL;
	if (t == NULL)
		return;
	LIST_EACH (m, &t->outs, struct move, link)
		out_free(m);
	LIST_EACH (m, &t->ins, struct move, link)
		in_free(m);
	peer_end_all(t);
	LIST_EACH (e, &t->ended, struct ended, link)
		ended_free(t, e);
	free(t);
}

void
transfer_set_conf(struct transfer *t, const struct conf *conf, struct tls_ctx *tls,
                  const char *server)
{
	t->c.conf = conf;
	t->c.tls = tls;
	t->c.server = server;
}

void
transfer_accept(struct transfer *t, struct conn **c)
{
	if (t->c.names != NULL)
		peer_accept(t, c);
	else
		conn_free(c);
}

/* ---- the administrator -------------------------------------------------------------------------- */

static struct move *
find_out(struct transfer *t, struct slice user)
{
	struct move *m;

	LIST_EACH (m, &t->outs, struct move, link)
		if (slice_eq(mbox_user_slice(&m->user), user))
			return m;
	return NULL;
}

static size_t
count_outs(const struct transfer *t)
{
	size_t n = 0;

	for (const struct list *at = t->outs.next; at != &t->outs; at = at->next)
		n++;
	return n;
}

static enum transfer_answer
no(struct err *err, enum transfer_answer answer, const char *why)
{
	err_set(err, "%s", why);
	return answer;
}

enum transfer_answer
transfer_may_start(struct transfer *t, struct slice user, struct slice target, struct err *err)
{
	struct move_record r;
	struct mbox_info info;
	struct mbox_name inbox;

	if (t->c.names == NULL)
		return no(err, TRANSFER_INVALID, "this store is in no cluster");
	if (!mbox_name_of_user(user, store_default_domain(t->c.store), &inbox))
		return no(err, TRANSFER_INVALID, "this can be no user");
	if (slice_eq_str(target, t->c.server))
		return no(err, TRANSFER_INVALID, "the user is on this store already");
	if (peer_find(t, target, err) == NULL)
		return TRANSFER_INVALID;
	if (find_out(t, user) != NULL)
		return no(err, TRANSFER_EXISTS, "a move of this user is under way");
	if (store_find_move(t->c.store, user, &r))
		return no(err, TRANSFER_EXISTS,
		          r.state == MOVE_KEPT
		                  ? "the user has been moved away; his copy was kept here"
		                  : "a move of this user is under way");
	if (!store_find(t->c.store, mbox_name_slice(&inbox), &info))
		return no(err, TRANSFER_NOTFOUND, "the user has no mailboxes on this store");
	if (count_outs(t) >= MOVES_MOST)
		return no(err, TRANSFER_TEMP, "too many moves are under way");
	if (t->c.names->ops->ready != NULL && !t->c.names->ops->ready(t->c.names))
		return no(err, TRANSFER_TEMP, "the location master is away");
	return TRANSFER_OK;
}

enum transfer_answer
transfer_start(struct transfer *t, struct slice user, struct slice target, bool keep,
               struct err *err)
{
	enum transfer_answer a = transfer_may_start(t, user, target, err);
	struct move_record r = { .role = MOVE_OUT, .keep = keep, .user = user, .peer = target };

	if (a != TRANSFER_OK)
		return a;
	r.id = ids_random_u64();
	return out_start(t, &r, err) ? TRANSFER_OK : TRANSFER_INVALID;
}

enum transfer_answer
transfer_undo(struct transfer *t, struct slice user, struct err *err)
{
	struct move *m = find_out(t, user);

	if (m == NULL)
		return no(err, TRANSFER_NOTFOUND, "no move of this user from here is under way");
	if (!out_undo(m))
		return no(err, TRANSFER_DENIED,
		          "it is for the location master to decide already, or decided");
	return TRANSFER_OK;
}

static void
on_dropped(UNUSED void *ctx, enum mbox_result result)
{
	log_info(NULL, "move.kept_dropped result=%s", mbox_result_name(result));
}

enum transfer_answer
transfer_drop(struct transfer *t, struct slice user, struct err *err)
{
	struct move_record r;

	if (!store_find_move(t->c.store, user, &r) || r.state != MOVE_KEPT)
		return no(err, TRANSFER_NOTFOUND, "no copy of this user was kept here");
	(void)store_move_end(t->c.store, user, r.id, true, on_dropped, NULL);
	return TRANSFER_OK;
}

void
transfer_each(struct transfer *t, transfer_each_fn *fn, void *ctx)
{
	struct transfer_info i;
	struct ended *e;
	struct move *m;

	LIST_EACH (e, &t->ended, struct ended, link)
		fn(ctx, &e->info);
	LIST_EACH (m, &t->outs, struct move, link) {
		fill_info(m, true, &i);
		fn(ctx, &i);
	}
	LIST_EACH (m, &t->ins, struct move, link) {
		fill_info(m, false, &i);
		fn(ctx, &i);
	}
}
