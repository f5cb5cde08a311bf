/* expunge - messages go for good; see mailbox.h. */
#include <stdlib.h>

#include "base/xalloc.h"
#include "mailbox/store_impl.h"

#define UIDS_A_FACT 100000

struct expunge_op {
	struct op op;
	mailbox_expunged_fn *fn;
	void *ctx;
	uint64_t modseq;
};

static void
expunge_done(struct op *o, enum mbox_result result)
{
	struct expunge_op *eo = CONTAINER_OF(o, struct expunge_op, op);

	if (!o->cancelled)
		eo->fn(eo->ctx, result, result == MBOX_OK ? eo->modseq : 0);
	op_free(o);
}

uint64_t
expunge_msgs(struct op *o, struct mailbox *m, const uint32_t *uids, uint32_t count)
{
	struct change *c = op_change(o, m, CHANGE_EXPUNGE, count);

	c->modseq = ++m->tip_modseq;
	for (uint32_t i = 0; i < count; i++) {
		bool there = hot_find_tip(m, uids[i], &c->msgs[i]);

		must(there); /* they were chosen in this turn */
		quota_take_tip(m->entry, &c->msgs[i]);
	}
	for (uint32_t i = 0; i < count;) {
		struct buf b = BUF_INIT(SIZE_MAX);

		buf_add_u64(&b, c->modseq);
		for (uint32_t n = 0; n < UIDS_A_FACT && i < count; n++, i++)
			buf_add_u32(&b, uids[i]);
		op_fact(o, m->entry->id, FACT_EXPUNGE, &b);
		buf_fini(&b);
	}
	return c->modseq;
}

/* Of uids (NULL: all that are shown) those that go. The caller frees. */
static uint32_t *
choose(struct mailbox *m, const uint32_t *uids, size_t count, bool deleted_only, uint32_t *n_r)
{
	uint32_t *chosen;

	if (uids == NULL)
		count = m->count;
	chosen = xcalloc(count + 1, sizeof(*chosen));
	*n_r = 0;
	for (size_t i = 0; i < count; i++) {
		uint32_t uid = uids != NULL ? uids[i] : m->msgs[i].uid;
		struct msg msg;

		if (uids != NULL && i > 0 && uid <= uids[i - 1])
			continue;
		if (hot_find_tip(m, uid, &msg) && (!deleted_only || (msg.flags & MSG_DELETED)))
			chosen[(*n_r)++] = uid;
	}
	return chosen;
}

uint64_t
mailbox_expunge(struct mailbox *m, const uint32_t *uids, size_t count, bool deleted_only,
                mailbox_expunged_fn *fn, void *ctx)
{
	struct expunge_op *eo = op_new(m->store, sizeof(*eo), expunge_done, NULL);
	uint64_t id = eo->op.id;
	enum mbox_result r = hot_check(m);
	uint32_t *chosen, n;

	eo->fn = fn;
	eo->ctx = ctx;
	if (r != MBOX_OK) {
		op_defer(&eo->op, r);
		return id;
	}
	chosen = choose(m, uids, count, deleted_only, &n);
	if (n == 0) {
		op_wait(&eo->op, m->last_lsn, MBOX_OK);
	} else {
		op_begin(&eo->op, ENGINE_TX_SMALL);
		eo->modseq = expunge_msgs(&eo->op, m, chosen, n);
		op_commit_or_defer(&eo->op);
	}
	free(chosen);
	return id;
}
