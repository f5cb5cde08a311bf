/* tombstones - names deleted here that the master may still have; see store.h. */
#include <stdlib.h>

#include "base/xalloc.h"
#include "mailbox/store_impl.h"

struct tomb_op {
	struct op op;
	struct mbox_name name;
	store_done_fn *fn; /* NULL: nobody waits */
	void *ctx;
};

void
tombstone_set(struct store *s, struct slice name)
{
	(void)map_set(s->tombs, name, s);
}

void
tombstone_forget(struct store *s, struct slice name)
{
	(void)map_del(s->tombs, name);
}

static void
clear_done(struct op *o, enum mbox_result result)
{
	struct tomb_op *to = CONTAINER_OF(o, struct tomb_op, op);

	if (to->fn != NULL && !o->cancelled)
		to->fn(to->ctx, result);
	op_free(o);
}

static void
cleared(struct op *o, enum mbox_result result)
{
	struct tomb_op *to = CONTAINER_OF(o, struct tomb_op, op);

	if (result == MBOX_OK)
		tombstone_forget(o->store, mbox_name_slice(&to->name));
	clear_done(o, result);
}

uint64_t
store_clear_tombstone(struct store *s, struct slice name, store_done_fn *fn, void *ctx)
{
	struct tomb_op *to = op_new(s, sizeof(*to), clear_done, NULL);
	struct buf b = BUF_INIT(MBOX_NAME_MAX);
	uint64_t id = to->op.id;
	enum mbox_result r = MBOX_OK;

	to->fn = fn;
	to->ctx = ctx;
	if (mbox_name_set(&to->name, name) == MBOX_NAME_OK && map_get(s->tombs, name) != NULL) {
		op_begin(&to->op, ENGINE_TX_SMALL);
		buf_add_slice(&b, name);
		op_fact(&to->op, 0, FACT_CLEAR_TOMBSTONE, &b);
		r = op_commit(&to->op);
		if (r == MBOX_OK)
			to->op.done = cleared;
	} else {
		op_defer(&to->op, MBOX_OK);
	}
	if (r != MBOX_OK)
		op_defer(&to->op, r);
	buf_fini(&b);
	return id;
}

void
tombstone_release(struct store *s, struct slice name)
{
	(void)store_clear_tombstone(s, name, NULL, NULL);
}

void
store_each_tombstone(struct store *s, store_sub_fn *fn, void *ctx)
{
	struct slice name;
	size_t pos = 0;
	void *value;

	while (map_next(s->tombs, &pos, &name, &value))
		if (!fn(ctx, name))
			return;
}
