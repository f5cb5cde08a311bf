/*
 * space - what all changes of the namespace share: locks on names, and the steps at the
 * master and in the log.
 *
 *   CREATE   reserve, log, show, activate
 *   RENAME   reserve, log, show, activate, release the old names
 *   DELETE   log (with a tombstone), show, release
 *
 * A step whose outcome is not known ends in UNAVAILABLE; what is left of it at the master is
 * found by the reconciliation of backend-store/cluster: a mailbox that is not active there,
 * a reservation without a mailbox, a tombstone whose name is still there. So after a failed
 * write nothing is undone either: recovery decides whether the record counts.
 */
#include <stdlib.h>

#include "base/arena.h"
#include "base/xalloc.h"
#include "mailbox/store_impl.h"

#define WAITERS_MOST 1000
#define USER_MAILBOXES_MOST 10000
#define SHARED_TREE_MOST 20000 /* below one name at the top: whoever has k there makes them */

static void
space_destroy(struct op *o)
{
	struct space_op *so = CONTAINER_OF(o, struct space_op, op);

	list_del(&so->lock);
	quota_release(&so->hold);
	for (size_t i = 0; so->made_entries != NULL && i < so->made_count; i++) {
		struct entry *e = so->made_entries[i];

		if (e == NULL)
			continue;
		e->gone = true; /* never came to be */
		hot_unref(&(struct mailbox *){ e->hot });
	}
	arena_free(&so->arena);
}

struct space_op *
space_new(struct store *s, store_done_fn *fn, void *ctx)
{
	struct space_op *so = op_new(s, sizeof(*so), NULL, space_destroy);

	so->arena = arena_new("store.space");
	list_init(&so->lock);
	list_init(&so->hold.link);
	so->fn = fn;
	so->ctx = ctx;
	return so;
}

/* ---- locks ------------------------------------------------------------------------------ */

void
space_add_lock(struct space_op *so, struct slice name, bool tree, bool target)
{
	must(so->lock_count < ARRAY_LEN(so->locks));
	so->locks[so->lock_count++] =
		(struct space_lock){ arena_slice_dup(so->arena, name), tree, target };
}

static bool
covers(const struct space_lock *l, struct slice name)
{
	return slice_eq(l->name, name) || (l->tree && mbox_name_is_below(name, l->name));
}

static bool
collide(const struct space_op *a, const struct space_op *b)
{
	for (unsigned i = 0; i < a->lock_count; i++)
		for (unsigned k = 0; k < b->lock_count; k++)
			if (covers(&a->locks[i], b->locks[k].name) ||
			    covers(&b->locks[k], a->locks[i].name))
				return true;
	return false;
}

/* Nobody is at its names, and nobody was there before it. */
static bool
is_free(const struct store *s, const struct space_op *so)
{
	struct space_op *other;

	LIST_EACH (other, &s->locks, struct space_op, lock)
		if (collide(other, so))
			return false;
	LIST_EACH (other, &s->lock_waiters, struct space_op, lock) {
		if (other == so)
			break;
		if (collide(other, so))
			return false;
	}
	return true;
}

bool
store_is_pending(struct store *s, struct slice name)
{
	struct space_op *so;

	LIST_EACH (so, &s->locks, struct space_op, lock)
		for (unsigned i = 0; i < so->lock_count; i++)
			if (so->locks[i].target && covers(&so->locks[i], name))
				return true;
	return false;
}

/* Names of a user who is being moved are nobody's to change but the move's. */
static bool
is_closed(const struct store *s, const struct space_op *so)
{
	for (unsigned i = 0; so->move == NULL && i < so->lock_count; i++)
		if (moving_of_name(s, so->locks[i].name) != NULL)
			return true;
	return false;
}

static void
lock_and_start(struct store *s, struct space_op *so)
{
	list_add_tail(&s->locks, &so->lock);
	if (is_closed(s, so))
		space_end(so, MBOX_UNAVAILABLE);
	else
		so->start(so);
}

void
space_start(struct space_op *so, space_fn *start)
{
	struct store *s = so->op.store;

	so->start = start;
	if (is_free(s, so)) {
		lock_and_start(s, so);
	} else if (s->lock_waiter_count >= WAITERS_MOST) {
		space_end(so, MBOX_BUSY);
	} else {
		list_add_tail(&s->lock_waiters, &so->lock);
		s->lock_waiter_count++;
	}
}

static void
on_unlock(void *ctx)
{
	struct store *s = ctx;
	struct space_op *so;

	s->locks_deferred = false;
	LIST_EACH (so, &s->lock_waiters, struct space_op, lock) {
		if (!is_free(s, so))
			continue;
		list_del(&so->lock);
		s->lock_waiter_count--;
		lock_and_start(s, so);
	}
}

static void
end_done(struct op *o, enum mbox_result result)
{
	struct space_op *so = CONTAINER_OF(o, struct space_op, op);
	struct store *s = o->store;

	/* Until now, so that a next change by the same session finds its way free. */
	list_del(&so->lock);
	if (!s->locks_deferred && !list_is_empty(&s->lock_waiters)) {
		s->locks_deferred = true;
		loop_defer(s->loop, on_unlock, s);
	}
	if (!o->cancelled)
		so->fn(so->ctx, result);
	op_free(o);
}

void
space_end(struct space_op *so, enum mbox_result result)
{
	so->op.done = end_done;
	op_defer(&so->op, result);
}

/* ---- the master ----------------------------------------------------------------------------- */

static void
on_reserved(void *ctx, enum names_result result)
{
	struct space_op *so = ctx;

	if (result == NAMES_OK)
		so->next(so);
	else
		space_end(so, result == NAMES_TAKEN ? MBOX_EXISTS : MBOX_UNAVAILABLE);
}

void
space_reserve(struct space_op *so, space_fn *next)
{
	struct names *n = so->op.store->names;

	so->next = next;
	if (n == NULL)
		next(so);
	else
		n->ops->reserve(n, so->made, so->made_count, on_reserved, so);
}

static void
on_activated(void *ctx, enum names_result result)
{
	struct space_op *so = ctx;

	/* The mailbox is there. What is wrong with its name is for the reconciliation. */
	if (result != NAMES_OK)
		so->result = MBOX_UNAVAILABLE;
	so->next(so);
}

void
space_activate(struct space_op *so, space_fn *next)
{
	struct names *n = so->op.store->names;

	so->next = next;
	if (n == NULL || so->made_count == 0)
		next(so);
	else
		n->ops->activate(n, so->made, so->made_count, on_activated, so);
}

static void
on_released(void *ctx, enum names_result result)
{
	struct space_op *so = ctx;

	if (result != NAMES_OK)
		so->result = MBOX_UNAVAILABLE;
	for (size_t i = 0; result == NAMES_OK && i < so->going_count; i++)
		tombstone_release(so->op.store, so->going_names[i]);
	so->next(so);
}

static bool
log_unsubscribed(void *ctx, struct slice name)
{
	struct space_op *so = ctx;
	struct space_sub *sub = arena_alloc(so->arena, sizeof(*sub));
	struct buf b = BUF_INIT(SIZE_MAX);

	sub->name = arena_slice_dup(so->arena, name);
	sub->next = so->subs;
	so->subs = sub;
	fact_subscribe_add(&b, so->user, name, false);
	op_fact(&so->op, 0, FACT_SUBSCRIBE, &b);
	buf_fini(&b);
	return true;
}

void
space_unsubscribe_all(struct space_op *so)
{
	store_each_subscription(so->op.store, so->user, log_unsubscribed, so);
}

void
space_show_unsubscribed(struct space_op *so)
{
	for (const struct space_sub *sub = so->subs; sub != NULL; sub = sub->next)
		subscription_show(so->op.store, so->user, sub->name, so->op.last_lsn, false);
}

void
space_release(struct space_op *so, space_fn *next)
{
	struct names *n = so->op.store->names;

	so->next = next;
	if (n == NULL || so->going_count == 0)
		next(so);
	else
		n->ops->release(n, so->going_names, so->going_count, on_released, so);
}

bool
space_master_is_there(const struct space_op *so)
{
	struct names *n = so->op.store->names;

	return n == NULL || n->ops->ready == NULL || n->ops->ready(n);
}

/* ---- the log ----------------------------------------------------------------------------------- */

static void
on_taken_back(void *ctx, UNUSED enum names_result result)
{
	struct space_op *so = ctx;

	space_end(so, so->result);
}

/* Nothing was logged: the reservations go back. */
static void
take_back(struct space_op *so)
{
	struct names *n = so->op.store->names;
	struct slice *names;

	if (n == NULL || so->made_count == 0) {
		space_end(so, so->result);
		return;
	}
	names = arena_array(so->arena, so->made_count, sizeof(*names));
	for (size_t i = 0; i < so->made_count; i++)
		names[i] = so->made[i].name;
	n->ops->release(n, names, so->made_count, on_taken_back, so);
}

static void
commit_done(struct op *o, enum mbox_result result)
{
	struct space_op *so = CONTAINER_OF(o, struct space_op, op);

	if (result == MBOX_OK)
		so->show(so);
	else
		space_end(so, result);
}

void
space_commit(struct space_op *so, space_fn *show)
{
	so->show = show;
	so->op.done = commit_done;
	so->result = op_commit(&so->op);
	if (so->result != MBOX_OK)
		take_back(so);
}

void
space_refuse(struct space_op *so, enum mbox_result result)
{
	so->result = result;
	take_back(so);
}

/* ---- rules ---------------------------------------------------------------------------------------- */

/* "lists" of "lists.announce.old", "example.org!lists" of "example.org!lists.x". */
static struct slice
shared_top(struct slice name)
{
	size_t head = mbox_name_domain(name).n;

	return slice_sub(name, 0, head + slice_find(slice_skip(name, head), '.'));
}

enum mbox_result
space_check_new(struct store *s, struct slice name, size_t more)
{
	struct slice root;
	size_t most = USER_MAILBOXES_MOST;

	if (mbox_name_check(name) != MBOX_NAME_OK)
		return MBOX_INVALID;
	if (tree_find(&s->tree, name) != NULL)
		return MBOX_EXISTS;
	root = mbox_name_root(name);
	if (root.n == name.n)
		return MBOX_OK;
	if (root.n == 0) {
		root = shared_top(name);
		most = SHARED_TREE_MOST;
	} else if (tree_find(&s->tree, root) == NULL) {
		return MBOX_ABSENT;
	}
	return tree_count_below(&s->tree, root) + more > most ? MBOX_CANNOT : MBOX_OK;
}
