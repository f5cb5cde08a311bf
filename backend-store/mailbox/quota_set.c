/* quota_set - limits of a root change; see quota.h. */
#include "mailbox/quota.h"
#include "mailbox/store_impl.h"

struct quota_op {
	struct op op;
	uint64_t mbox_id;
	bool own;
	struct quota_limits limits;
	store_done_fn *fn;
	void *ctx;
};

static void
quota_done(struct op *o, enum mbox_result result)
{
	struct quota_op *qo = CONTAINER_OF(o, struct quota_op, op);
	struct entry *e = map_get(o->store->by_id, map_key_u64(&qo->mbox_id));

	if (result == MBOX_OK && e == NULL)
		result = MBOX_ABSENT;
	else if (result == MBOX_OK)
		quota_take_limits(o->store, e, qo->own, qo->limits);
	if (!o->cancelled)
		qo->fn(qo->ctx, result);
	op_free(o);
}

static enum mbox_result
check(struct store *s, const struct entry *e, struct quota_limits l)
{
	struct slice root;

	if (e == NULL)
		return MBOX_ABSENT;
	root = mbox_name_root(e->name);
	if (root.n != 0 && root.n != e->name.n)
		return MBOX_CANNOT;
	if (l.bytes != QUOTA_NONE && l.bytes > QUOTA_BYTES_MOST)
		return MBOX_INVALID;
	if (entry_refuses(e) || s->failed)
		return MBOX_UNAVAILABLE;
	return e->dying ? MBOX_BUSY : MBOX_OK;
}

uint64_t
quota_set(struct store *s, struct slice root, const struct quota_limits *limits, store_done_fn *fn,
          void *ctx)
{
	struct quota_op *qo = op_new(s, sizeof(*qo), quota_done, NULL);
	struct entry *e = tree_find(&s->tree, root);
	struct buf b = BUF_INIT(64);
	uint64_t id = qo->op.id;
	enum mbox_result r;

	qo->fn = fn;
	qo->ctx = ctx;
	qo->own = limits != NULL;
	qo->limits = qo->own ? *limits : (struct quota_limits){ QUOTA_NONE, QUOTA_NONE };
	r = check(s, e, qo->limits);
	if (r != MBOX_OK) {
		op_defer(&qo->op, r);
		return id;
	}
	qo->mbox_id = e->id;
	op_begin(&qo->op, ENGINE_TX_SMALL);
	fact_quota_add(&b, qo->own, &qo->limits);
	op_fact(&qo->op, e->id, FACT_QUOTA, &b);
	buf_fini(&b);
	op_commit_or_defer(&qo->op);
	return id;
}
