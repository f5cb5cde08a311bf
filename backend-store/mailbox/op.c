/*
 * op - an operation from its call to its callback, and its transaction.
 *
 * Building: facts go to the engine's transaction, changes are noted in op.changes, and the
 * counters of the mailboxes touched advance (so that the next fact sees them). A commit
 * that is refused puts the counters back: nothing has happened. One that is taken puts the
 * changes behind their mailboxes' pending ones; its callback applies or drops them.
 */
#include <stdlib.h>

#include "base/xalloc.h"
#include "mailbox/store_impl.h"

void *
op_new(struct store *s, size_t size, op_done_fn *done, void (*destroy)(struct op *o))
{
	struct op *o = xcalloc(1, size);

	o->id = ++s->next_op;
	o->store = s;
	o->done = done;
	o->destroy = destroy;
	list_init(&o->wait);
	list_init(&o->changes);
	list_add_tail(&s->ops, &o->link);
	(void)map_set(s->ops_by_id, map_key_u64(&o->id), o);
	return o;
}

static void
change_free(struct change *c)
{
	list_del(&c->link);
	list_del(&c->own);
	free(c->msgs);
	hot_unref(&c->m);
	free(c);
}

static void
drop_touched(struct op *o)
{
	for (size_t i = 0; i < o->touched_count; i++)
		hot_unref(&o->touched[i].m);
	free(o->touched);
	o->touched = NULL;
	o->touched_count = 0;
}

void
op_free(struct op *o)
{
	struct change *c;

	must(o->tx == NULL);
	LIST_EACH (c, &o->changes, struct change, own)
		change_free(c);
	drop_touched(o);
	if (o->destroy != NULL)
		o->destroy(o);
	loop_forget(o->store->loop, o);
	list_del(&o->wait);
	list_del(&o->link);
	(void)map_del(o->store->ops_by_id, map_key_u64(&o->id));
	free(o);
}

/* ---- waiting ----------------------------------------------------------------------------- */

static void
on_defer(void *ctx)
{
	struct op *o = ctx;

	o->deferred = false;
	o->done(o, o->result);
}

void
op_defer(struct op *o, enum mbox_result result)
{
	must(!o->deferred);
	o->deferred = true;
	o->result = result;
	loop_defer(o->store->loop, on_defer, o);
}

void
op_wait(struct op *o, uint64_t lsn, enum mbox_result result)
{
	if (lsn <= o->store->published) {
		op_defer(o, result);
	} else if (o->store->failed) {
		op_defer(o, MBOX_UNAVAILABLE);
	} else {
		o->result = result;
		o->wait_lsn = lsn;
		list_add_tail(&o->store->waiters, &o->wait);
	}
}

/* Something up to lsn was published, or never will be. */
static void
wake(struct store *s, uint64_t lsn)
{
	struct op *o;

	LIST_EACH (o, &s->waiters, struct op, wait) {
		if (o->wait_lsn > lsn)
			continue;
		list_del(&o->wait);
		op_defer(o, s->failed ? MBOX_UNAVAILABLE : o->result);
	}
}

void
op_wait_indexed(struct op *o, uint64_t lsn, enum mbox_result result)
{
	o->result = result;
	o->wait_lsn = lsn;
	if (lsn <= o->store->indexed)
		op_defer(o, result);
	else
		list_add_tail(&o->store->index_waiters, &o->wait);
}

void
op_wake_indexed(struct store *s)
{
	struct op *o;

	LIST_EACH (o, &s->index_waiters, struct op, wait) {
		if (o->wait_lsn > s->indexed)
			continue;
		list_del(&o->wait);
		op_defer(o, o->result);
	}
}

/* ---- transactions ---------------------------------------------------------------------------- */

enum mbox_result
op_result_of(enum engine_err err)
{
	switch (err) {
	case ENGINE_OK:
		return MBOX_OK;
	case ENGINE_FULL:
		return MBOX_FULL;
	case ENGINE_BUSY:
		return MBOX_BUSY;
	case ENGINE_TOOBIG:
		return MBOX_TOOBIG;
	case ENGINE_FAILED:
		return MBOX_UNAVAILABLE;
	case ENGINE_ABSENT:
		return MBOX_ABSENT;
	case ENGINE_CORRUPT:
		return MBOX_CORRUPT;
	}
	must_not_reach();
}

void
op_begin(struct op *o, unsigned engine_flags)
{
	must(o->tx == NULL && list_is_empty(&o->changes));
	o->tx = engine_begin(o->store->engine, engine_flags);
	o->last_lsn = 0;
}

uint64_t
op_fact(struct op *o, uint64_t object, enum fact_kind kind, struct buf *payload)
{
	must(!payload->overflow);
	o->last_lsn = engine_add_fact(o->tx, object, (uint16_t)kind, buf_slice(payload));
	return o->last_lsn;
}

void
op_touch(struct op *o, struct mailbox *m)
{
	struct touched *t;

	for (size_t i = 0; i < o->touched_count; i++)
		if (o->touched[i].m == m)
			return;
	o->touched = xreallocarray(o->touched, o->touched_count + 1, sizeof(*o->touched));
	t = &o->touched[o->touched_count++];
	*t = (struct touched){ m, m->tip_uidnext, m->tip_modseq, m->tip_keyword_count };
	hot_ref(m);
}

struct change *
op_change(struct op *o, struct mailbox *m, enum change_kind kind, uint32_t count)
{
	struct change *c = xcalloc(1, sizeof(*c));

	op_touch(o, m);
	list_init(&c->link);
	list_add_tail(&o->changes, &c->own);
	c->m = m;
	hot_ref(m);
	c->kind = kind;
	c->count = c->cap = count;
	if (kind != CHANGE_KEYWORDS)
		c->msgs = xcalloc(count, sizeof(*c->msgs));
	return c;
}

void
op_append(struct op *o, struct mailbox *m, const struct msg *msg)
{
	struct change *c = NULL;

	if (!list_is_empty(&o->changes))
		c = LIST_ITEM(o->changes.prev, struct change, own);
	if (c == NULL || c->m != m || c->kind != CHANGE_APPEND) {
		c = op_change(o, m, CHANGE_APPEND, 1);
		c->count = 0;
	}
	if (c->count == c->cap) {
		c->cap *= 2;
		c->msgs = xreallocarray(c->msgs, c->cap, sizeof(*c->msgs));
	}
	c->msgs[c->count++] = *msg;
	c->modseq = msg->modseq;
}

static void
take_back_usage(const struct change *c)
{
	for (uint32_t i = 0; i < c->count; i++) {
		if (c->kind == CHANGE_APPEND)
			quota_take_tip(c->m->entry, &c->msgs[i]);
		else if (c->kind == CHANGE_EXPUNGE)
			quota_add_tip(c->m->entry, &c->msgs[i]);
	}
}

void
op_abort(struct op *o)
{
	struct change *c;

	engine_abort(&o->tx);
	for (size_t i = 0; i < o->touched_count; i++) {
		const struct touched *t = &o->touched[i];

		t->m->tip_uidnext = t->uidnext;
		t->m->tip_modseq = t->modseq;
		for (; t->m->tip_keyword_count > t->keyword_count; t->m->tip_keyword_count--) {
			free(t->m->keywords[t->m->tip_keyword_count - 1]);
			t->m->keywords[t->m->tip_keyword_count - 1] = NULL;
		}
	}
	LIST_EACH (c, &o->changes, struct change, own) {
		take_back_usage(c);
		change_free(c);
	}
	drop_touched(o);
}

/* Published, or failed for good. */
static void
on_commit(void *ctx, enum engine_err err, uint64_t last_lsn)
{
	struct op *o = ctx;
	struct store *s = o->store;
	struct change *c;

	if (err == ENGINE_OK)
		s->published = last_lsn;
	else
		s->failed = true;
	LIST_EACH (c, &o->changes, struct change, own) {
		list_del(&c->link);
		if (err == ENGINE_OK)
			hot_publish(c, last_lsn);
		change_free(c);
	}
	drop_touched(o);
	o->done(o, op_result_of(err));
	wake(s, last_lsn);
}

enum mbox_result
op_commit(struct op *o)
{
	enum engine_err err;
	struct change *c;

	must(o->last_lsn != 0);
	err = engine_commit(&o->tx, on_commit, o);
	if (err != ENGINE_OK) {
		op_abort(o);
		return op_result_of(err);
	}
	LIST_EACH (c, &o->changes, struct change, own)
		list_add_tail(c->kind == CHANGE_APPEND ? &c->m->appended : &c->m->changed,
		              &c->link);
	for (size_t i = 0; i < o->touched_count; i++)
		o->touched[i].m->last_lsn = o->last_lsn;
	return MBOX_OK;
}

void
op_commit_or_defer(struct op *o)
{
	enum mbox_result r = op_commit(o);

	if (r != MBOX_OK)
		op_defer(o, r);
}
