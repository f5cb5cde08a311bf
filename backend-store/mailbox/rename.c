/* rename - a mailbox and all below it get other names by one record; see store.h. */
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

static void
release_old(struct space_op *so)
{
	space_release(so, finish);
}

static void
show(struct space_op *so)
{
	struct store *s = so->op.store;
	struct slice *names = arena_array(so->arena, so->going_count, sizeof(*names));

	for (size_t i = 0; i < so->going_count; i++)
		names[i] = so->made[i].name;
	tree_rename(&s->tree, so->going, names, so->going_count);
	quota_release(&so->hold);
	for (size_t i = 0; i < so->going_count; i++)
		quota_attach(s, so->going[i]);
	for (size_t i = 0; i < so->going_count; i++) {
		if (s->names != NULL)
			tombstone_set(s, so->going_names[i]);
		tombstone_forget(s, names[i]);
		grants_set(s, so->going[i]); /* another owner, perhaps */
		if (so->going[i]->hot != NULL)
			hot_tell(so->going[i]->hot, TELL_RENAMED);
	}
	space_activate(so, release_old);
}

static void
log_names(struct space_op *so)
{
	struct buf b = BUF_INIT(SIZE_MAX);

	op_begin(&so->op, ENGINE_TX_SMALL);
	fact_delete_add(&b, so->op.store->names != NULL, (int64_t)clock_wall_s());
	for (size_t i = 0; i < so->going_count; i++)
		fact_rename_pair_add(&b, so->going[i]->id, so->made[i].name);
	op_fact(&so->op, 0, FACT_RENAME, &b);
	buf_fini(&b);
	space_commit(so, show);
}

static enum mbox_result
collect_names(struct space_op *so)
{
	struct slice from = so->locks[0].name, to = so->locks[1].name;

	space_collect(so, from, true);
	if (so->going_count == 0)
		return MBOX_ABSENT;
	so->made = arena_array(so->arena, so->going_count, sizeof(*so->made));
	for (size_t i = 0; i < so->going_count; i++) {
		const struct entry *e = so->going[i];
		struct mbox_name name;

		if (entry_refuses(e))
			return MBOX_UNAVAILABLE;
		if (mbox_name_rebase(e->name, from, to, &name) != MBOX_NAME_OK)
			return MBOX_INVALID;
		so->made[i] = (struct names_entry){
			.name = arena_slice_dup(so->arena, mbox_name_slice(&name)),
			.acl = arena_slice_dup(so->arena, e->acl),
			.special_use = arena_slice_dup(so->arena, e->special_use),
			.mbox_id = e->id,
			.uidvalidity = e->uidvalidity,
		};
	}
	so->made_count = so->going_count;
	return MBOX_OK;
}

static struct quota_root *
root_above(const struct store *s, struct slice name)
{
	struct slice parent;

	return mbox_name_parent(name, &parent) ? quota_root_of(s, parent) : NULL;
}

/* What comes under another quota root must fit there; it counts there from now on. */
static enum mbox_result
hold_quota(struct space_op *so)
{
	struct store *s = so->op.store;
	struct slice to = so->locks[1].name;
	const struct quota_root *from_root = root_above(s, so->locks[0].name);
	struct quota_root *to_root = root_above(s, to);
	struct usage u = { 0, 0 };

	for (size_t i = 0; i < so->going_count; i++) {
		const struct entry *e = so->going[i];

		/* there are no roots of their own below a user's */
		if (e->quota != NULL && mbox_name_is_user(to))
			return MBOX_CANNOT;
		if (e->root == from_root) {
			u.bytes += e->tip.bytes;
			u.messages += e->tip.messages;
		}
	}
	if (to_root == from_root)
		return MBOX_OK;
	if (!quota_fits(s, to_root, u))
		return MBOX_OVERQUOTA;
	quota_hold(&so->hold, to_root, u);
	return MBOX_OK;
}

static void
start(struct space_op *so)
{
	struct store *s = so->op.store;
	struct slice to = so->locks[1].name;
	enum mbox_result r = collect_names(so);

	if (r == MBOX_OK)
		r = space_check_new(s, to, so->made_count);
	if (r == MBOX_OK && tree_has_children(&s->tree, to))
		r = MBOX_EXISTS;
	if (r == MBOX_OK)
		r = hold_quota(so);
	if (r == MBOX_OK)
		space_reserve(so, log_names);
	else
		space_end(so, r);
}

/* ---- INBOX: its messages move ------------------------------------------------------------------ */

static void
show_inbox(struct space_op *so)
{
	quota_release(&so->hold);
	create_show(so);
	so->going_count = 0; /* no name goes */
	space_activate(so, finish);
}

static void
move_all(struct op *o, struct mailbox *from, struct mailbox *to)
{
	const struct copy_how all = { .flags = MSG_SYSTEM, .keywords = true };
	uint32_t count, *uids, *new_uids, *moved;
	const struct msg *msgs = mailbox_msgs(from, &count);

	uids = xcalloc(count + 1, sizeof(*uids));
	new_uids = xcalloc(count + 1, sizeof(*new_uids));
	moved = xcalloc(count + 1, sizeof(*moved));
	for (uint32_t i = 0; i < count; i++)
		uids[i] = msgs[i].uid;
	count = (uint32_t)copy_msgs(o, from, uids, count, to, &all, new_uids, moved);
	if (count != 0)
		(void)expunge_msgs(o, from, moved, count);
	free(uids);
	free(new_uids);
	free(moved);
}

/* All that has moved to so->made[0]. */
static enum mbox_result
hold_moved(struct space_op *so, const struct mailbox *inbox)
{
	struct store *s = so->op.store;
	struct usage u = so->made_entries[0]->tip;
	struct quota_root *q = quota_root_of(s, so->made[0].name);

	if (q != inbox->entry->root && !quota_fits(s, q, u))
		return MBOX_OVERQUOTA;
	quota_hold(&so->hold, q, u);
	return MBOX_OK;
}

static void
log_inbox(struct space_op *so)
{
	struct entry *e = tree_find(&so->op.store->tree, so->locks[0].name);
	struct mailbox *inbox;
	enum mbox_result r = MBOX_ABSENT;

	inbox = e != NULL ? hot_get(so->op.store, e, true, &r) : NULL;
	if (inbox != NULL)
		r = hot_check(inbox);
	if (r == MBOX_OK) {
		op_begin(&so->op, ENGINE_TX_SMALL);
		move_all(&so->op, inbox, create_fact(so, 0));
		r = hold_moved(so, inbox);
	}
	if (r == MBOX_OK) {
		space_commit(so, show_inbox);
	} else {
		if (so->op.tx != NULL)
			op_abort(&so->op);
		space_refuse(so, r);
	}
	hot_unref(&inbox);
}

static void
start_inbox(struct space_op *so)
{
	struct store *s = so->op.store;
	struct slice to = so->locks[1].name;
	struct entry *e = tree_find(&s->tree, so->locks[0].name);
	enum mbox_result r = e != NULL ? space_check_new(s, to, 1) : MBOX_ABSENT;

	if (r != MBOX_OK) {
		space_end(so, r);
		return;
	}
	create_room(so, 1);
	create_add(so, to, e->acl, SLICE(""));
	space_reserve(so, log_inbox);
}

uint64_t
store_rename(struct store *s, struct slice from, struct slice to, store_done_fn *fn, void *ctx)
{
	struct space_op *so = space_new(s, fn, ctx);
	uint64_t id = so->op.id;
	bool inbox = mbox_name_is_inbox(from);

	space_add_lock(so, from, !inbox, false);
	space_add_lock(so, to, !inbox, true);
	if (mbox_name_check(from) != MBOX_NAME_OK || mbox_name_check(to) != MBOX_NAME_OK)
		space_end(so, MBOX_INVALID);
	else if (slice_eq(from, to))
		space_end(so, MBOX_EXISTS);
	else if (mbox_name_is_inbox(to) || (!inbox && mbox_name_is_below(to, from)))
		space_end(so, MBOX_CANNOT);
	else
		space_start(so, inbox ? start_inbox : start);
	return id;
}
