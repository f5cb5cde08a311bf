/*
 * moving - the journal of moves in this store's log, and the closing of what is moved. See
 * move.h.
 *
 * What must be true:
 *
 * 1. From the moment the record is in the log (the tip), nothing of the user changes: his
 *    entries are closed, names of his are not reserved, made or subscribed to. What was in
 *    the log before is published before the record is, so it is part of what is moved.
 * 2. A record and what it changes (opening, deleting) are one transaction.
 */
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/xalloc.h"
#include "log/log.h"
#include "mailbox/store_impl.h"

const char *
move_state_name(enum move_state s)
{
	static const char *const names[] = {
		[MOVE_END] = "end",
		[MOVE_COPYING] = "copying",
		[MOVE_COMMITTING] = "committing",
		[MOVE_COMMITTED] = "committed",
		[MOVE_RELEASED] = "released",
		[MOVE_KEPT] = "kept",
	};

	must((size_t)s < ARRAY_LEN(names));
	return names[s];
}

/* ---- in memory -------------------------------------------------------------------------- */

static void
moving_drop(struct store *s, struct moving *m)
{
	(void)map_del(s->moving, m->r.user);
	free((void *)(uintptr_t)m->r.user.p);
	free((void *)(uintptr_t)m->r.peer.p);
	free(m);
}

static struct moving *
moving_add(struct store *s, const struct move_record *r)
{
	struct moving *m = xcalloc(1, sizeof(*m));

	m->r = *r;
	m->r.user = slice_make(slice_dup(r->user), r->user.n);
	m->r.peer = slice_make(slice_dup(r->peer), r->peer.n);
	(void)map_set(s->moving, m->r.user, m);
	return m;
}

void
moving_free(struct store *s)
{
	struct slice user;
	size_t pos = 0;
	void *value;

	while (map_next(s->moving, &pos, &user, &value))
		moving_drop(s, value);
	map_free(&s->moving);
}

struct moving *
moving_find(const struct store *s, struct slice user)
{
	return map_count(s->moving) != 0 ? map_get(s->moving, user) : NULL;
}

struct moving *
moving_of_name(const struct store *s, struct slice name)
{
	struct mbox_user user;

	if (map_count(s->moving) == 0 ||
	    !mbox_user_of_name(name, slice_of(s->default_domain), &user))
		return NULL;
	return moving_find(s, mbox_user_slice(&user));
}

void
moving_fill_info(const struct store *s, struct mbox_info *info)
{
	const struct moving *m = moving_of_name(s, info->name);

	if (m == NULL)
		return;
	info->unsettled =
		m->leaving || m->r.state == MOVE_COMMITTING || m->r.state == MOVE_COMMITTED;
	/* Until it begins to leave them, the source stands by its names. */
	info->apart = info->unsettled || m->r.role == MOVE_IN || m->r.state != MOVE_COPYING;
}

/* ---- opening ------------------------------------------------------------------------------ */

void
moving_load(struct store *s, struct kv_txn *txn)
{
	struct kv_cursor *c = kv_cursor_new(txn, T_MOVES);
	struct slice key, row;
	struct move_record r;

	for (bool more = kv_cursor_seek(c, SLICE(""), &key, &row); more;
	     more = kv_cursor_next(c, &key, &row)) {
		if (fact_move_read(row, &r) && slice_eq(r.user, key))
			(void)moving_add(s, &r);
		else
			log_error(NULL, "store.bad_row table=moves");
	}
	kv_cursor_free(&c);
}

static void
close_entries(struct store *s, struct slice user, bool closed)
{
	struct mbox_name inbox;
	const struct tree *t = &s->tree;

	if (!mbox_name_of_user(user, slice_of(s->default_domain), &inbox))
		return;
	for (size_t i = tree_position(t, mbox_name_slice(&inbox)); i < t->count; i++) {
		struct entry *e = t->sorted[i];

		if (!slice_starts(e->name, mbox_name_slice(&inbox)))
			break;
		if (!slice_eq(e->name, mbox_name_slice(&inbox)) &&
		    !mbox_name_is_below(e->name, mbox_name_slice(&inbox)))
			continue;
		e->closed = closed;
		if (e->hot != NULL)
			hot_tell(e->hot, TELL_CHANGED);
	}
}

void
moving_close_entries(struct store *s)
{
	struct slice user;
	size_t pos = 0;
	void *value;

	while (map_next(s->moving, &pos, &user, &value))
		close_entries(s, user, true);
}

/* ---- what is known -------------------------------------------------------------------------- */

bool
store_find_move(struct store *s, struct slice user, struct move_record *r_r)
{
	const struct moving *m = moving_find(s, user);

	if (m != NULL)
		*r_r = m->r;
	return m != NULL;
}

void
store_each_move(struct store *s, store_move_fn *fn, void *ctx)
{
	struct slice user;
	size_t pos = 0;
	void *value;

	while (map_next(s->moving, &pos, &user, &value))
		fn(ctx, &((const struct moving *)value)->r);
}

uint32_t
store_uidvalidity(const struct store *s)
{
	return s->uidvalidity;
}

void
store_move_leaving(struct store *s, struct slice user, bool leaving)
{
	struct moving *m = moving_find(s, user);

	if (m != NULL)
		m->leaving = leaving;
}

/* ---- steps ------------------------------------------------------------------------------------ */

static void
log_record(struct space_op *so, const struct move_record *r)
{
	struct buf b = BUF_INIT(2048);

	fact_move_add(&b, r);
	op_fact(&so->op, 0, FACT_MOVE, &b);
	buf_fini(&b);
}

/* An op with the lock on everything of the user. NULL: it is no user, and fn will hear it. */
static struct space_op *
step_new(struct store *s, const struct move_record *r, store_done_fn *fn, void *ctx, uint64_t *id_r)
{
	struct space_op *so = space_new(s, fn, ctx);
	struct mbox_name inbox;

	*id_r = so->op.id;
	so->move = arena_alloc(so->arena, sizeof(*so->move));
	*so->move = *r;
	so->move->user = so->user = arena_slice_dup(so->arena, r->user);
	so->move->peer = arena_slice_dup(so->arena, r->peer);
	if (!mbox_name_of_user(r->user, slice_of(s->default_domain), &inbox)) {
		space_end(so, MBOX_INVALID);
		return NULL;
	}
	space_add_lock(so, mbox_name_slice(&inbox), true, false);
	return so;
}

static void
wait_done(struct op *o, enum mbox_result result)
{
	space_end(CONTAINER_OF(o, struct space_op, op), result);
}

static void
begin_show(struct space_op *so)
{
	so->op.done = wait_done;
	op_wait_indexed(&so->op, so->op.last_lsn, MBOX_OK);
}

static enum mbox_result
check_begin(struct space_op *so)
{
	struct store *s = so->op.store;

	if (moving_find(s, so->user) != NULL)
		return MBOX_BUSY;
	space_collect(so, so->locks[0].name, true);
	if (so->move->role == MOVE_IN)
		return so->going_count != 0 ? MBOX_EXISTS : MBOX_OK;
	if (tree_find(&s->tree, so->locks[0].name) == NULL)
		return MBOX_ABSENT;
	for (size_t i = 0; i < so->going_count; i++)
		if (so->going[i]->conflict)
			return MBOX_UNAVAILABLE;
	so->move->claim = tree_find(&s->tree, so->locks[0].name)->claim;
	return MBOX_OK;
}

static void
begin_in_show(struct space_op *so)
{
	space_show_unsubscribed(so);
	begin_show(so);
}

static void
begin_start(struct space_op *so)
{
	struct store *s = so->op.store;
	bool in = so->move->role == MOVE_IN;
	enum mbox_result r = check_begin(so);

	if (r != MBOX_OK) {
		space_end(so, r);
		return;
	}
	so->move->state = MOVE_COPYING;
	so->move->time = (int64_t)clock_wall_s();
	op_begin(&so->op, ENGINE_TX_SMALL);
	log_record(so, so->move);
	if (in) /* left over from an earlier life here */
		space_unsubscribe_all(so);
	space_commit(so, in ? begin_in_show : begin_show);
	if (so->result != MBOX_OK)
		return;
	(void)moving_add(s, so->move);
	close_entries(s, so->user, true);
	if (in)
		s->uidvalidity = MAX(s->uidvalidity, so->move->uidvalidity);
}

uint64_t
store_move_begin(struct store *s, const struct move_record *r, store_done_fn *fn, void *ctx)
{
	uint64_t id;
	struct space_op *so = step_new(s, r, fn, ctx, &id);

	if (so != NULL)
		space_start(so, begin_start);
	return id;
}

/* ---- the next state ----------------------------------------------------------------------------- */

static void
set_show(struct space_op *so)
{
	struct moving *m = moving_find(so->op.store, so->user);

	m->r.state = so->move->state;
	space_end(so, MBOX_OK);
}

static void
set_start(struct space_op *so)
{
	struct moving *m = moving_find(so->op.store, so->user);
	struct move_record r;

	if (m == NULL || m->r.id != so->move->id) {
		space_end(so, MBOX_ABSENT);
		return;
	}
	r = m->r;
	r.state = so->move->state;
	op_begin(&so->op, ENGINE_TX_SMALL);
	log_record(so, &r);
	space_commit(so, set_show);
}

uint64_t
store_move_set(struct store *s, struct slice user, uint64_t id, enum move_state state,
               store_done_fn *fn, void *ctx)
{
	struct move_record r = { .id = id, .state = state, .user = user, .peer = SLICE("") };
	uint64_t op;
	struct space_op *so = step_new(s, &r, fn, ctx, &op);

	must(state != MOVE_END);
	if (so != NULL)
		space_start(so, set_start);
	return op;
}

/* ---- the end --------------------------------------------------------------------------------------- */

static void
end_show(struct space_op *so)
{
	struct store *s = so->op.store;
	bool drop = so->move->state != MOVE_END;

	moving_drop(s, moving_find(s, so->user));
	if (!drop)
		close_entries(s, so->user, false);
	for (size_t i = 0; drop && i < so->going_count; i++)
		delete_show_entry(s, so->going[i]);
	space_show_unsubscribed(so);
	space_end(so, MBOX_OK);
}

static void
log_dropped(struct space_op *so)
{
	struct buf b = BUF_INIT(64);

	/* The names are the other store's, so the master has nothing to hear. */
	fact_delete_add(&b, false, (int64_t)clock_wall_s());
	for (size_t i = 0; i < so->going_count; i++)
		op_fact(&so->op, so->going[i]->id, FACT_DELETE, &b);
	buf_fini(&b);
	space_unsubscribe_all(so);
}

static void
end_start(struct space_op *so)
{
	struct moving *m = moving_find(so->op.store, so->user);
	bool drop = so->move->state != MOVE_END;
	struct move_record r;

	if (m == NULL || m->r.id != so->move->id) {
		space_end(so, MBOX_ABSENT);
		return;
	}
	r = m->r;
	r.state = MOVE_END;
	space_collect(so, so->locks[0].name, true);
	op_begin(&so->op, ENGINE_TX_SMALL);
	if (drop)
		log_dropped(so);
	log_record(so, &r);
	space_commit(so, end_show);
	for (size_t i = 0; drop && so->result == MBOX_OK && i < so->going_count; i++)
		so->going[i]->dying = true;
}

uint64_t
store_move_end(struct store *s, struct slice user, uint64_t id, bool drop, store_done_fn *fn,
               void *ctx)
{
	/* so->move->state tells end_start() what is to be done. */
	struct move_record r = {
		.id = id, .state = drop ? MOVE_RELEASED : MOVE_END, .user = user, .peer = SLICE("")
	};
	uint64_t op;
	struct space_op *so = step_new(s, &r, fn, ctx, &op);

	if (so != NULL)
		space_start(so, end_start);
	return op;
}
