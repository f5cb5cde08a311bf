/* delete - mailboxes go, with a tombstone until the master knows it; see store.h. */
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "mailbox/store_impl.h"

static void
finish(struct space_op *so)
{
	space_end(so, so->result);
}

void
delete_show_entry(struct store *s, struct entry *e)
{
	tree_remove(&s->tree, e);
	(void)map_del(s->by_id, map_key_u64(&e->id));
	grants_clear(s, e);
	e->gone = true;
	quota_detach(s, e);
	if (e->hot != NULL)
		hot_tell(e->hot, TELL_GONE); /* frees both when nobody has it open */
	else
		entry_free(&e);
}

static void
show(struct space_op *so)
{
	struct store *s = so->op.store;

	for (size_t i = 0; i < so->going_count; i++) {
		if (s->names != NULL)
			tombstone_set(s, so->going_names[i]);
		delete_show_entry(s, so->going[i]);
	}
	space_show_unsubscribed(so);
	space_release(so, finish);
}

static void
log_all(struct space_op *so)
{
	struct store *s = so->op.store;
	struct buf b = BUF_INIT(64);

	op_begin(&so->op, ENGINE_TX_SMALL);
	fact_delete_add(&b, s->names != NULL, (int64_t)clock_wall_s());
	for (size_t i = 0; i < so->going_count; i++)
		op_fact(&so->op, so->going[i]->id, FACT_DELETE, &b);
	buf_fini(&b);
	if (so->user.n != 0)
		space_unsubscribe_all(so);
	space_commit(so, show);
	if (so->result == MBOX_OK)
		for (size_t i = 0; i < so->going_count; i++)
			so->going[i]->dying = true;
}

/* Entries from the first one at or behind `top` that are it or below it. */
void
space_collect(struct space_op *so, struct slice top, bool tree)
{
	const struct tree *t = &so->op.store->tree;
	size_t from = tree_position(t, top), n = 0;
	size_t most = 1 + tree_count_below(t, top);

	so->going = arena_array(so->arena, most, sizeof(struct entry *));
	so->going_names = arena_array(so->arena, most, sizeof(struct slice));
	for (size_t i = from; i < t->count && slice_starts(t->sorted[i]->name, top); i++) {
		struct entry *e = t->sorted[i];

		if (!slice_eq(e->name, top) && !(tree && mbox_name_is_below(e->name, top)))
			continue;
		so->going[n] = e;
		so->going_names[n++] = arena_slice_dup(so->arena, e->name);
	}
	so->going_count = n;
}

static void
start(struct space_op *so)
{
	struct store *s = so->op.store;
	struct slice name = so->locks[0].name;
	struct mbox_user user;

	if (tree_find(&s->tree, name) == NULL) {
		space_end(so, MBOX_ABSENT);
		return;
	}
	if (!space_master_is_there(so)) {
		space_end(so, MBOX_UNAVAILABLE);
		return;
	}
	space_collect(so, name, so->locks[0].tree);
	if (so->locks[0].tree && mbox_user_of_name(name, slice_of(s->default_domain), &user))
		so->user = arena_slice_dup(so->arena, mbox_user_slice(&user));
	log_all(so);
}

uint64_t
store_delete(struct store *s, struct slice name, bool whole_user, store_done_fn *fn, void *ctx)
{
	struct space_op *so = space_new(s, fn, ctx);
	uint64_t id = so->op.id;

	space_add_lock(so, name, whole_user, false);
	if (mbox_name_check(name) != MBOX_NAME_OK)
		space_end(so, MBOX_INVALID);
	else if (mbox_name_is_inbox(name) != whole_user)
		space_end(so, MBOX_CANNOT);
	else
		space_start(so, start);
	return id;
}
