/* acl - rights and claims of a mailbox; see store.h. */
#include <stdlib.h>

#include "base/arena.h"
#include "base/xalloc.h"
#include "mail/acl.h"
#include "mailbox/store_impl.h"

#define ACL_BYTES_MOST (64 * 1024)

static void
finish(struct space_op *so)
{
	space_end(so, so->result);
}

static void
show(struct space_op *so)
{
	struct entry *e = so->going[0];

	entry_set(&e->acl, so->made[0].acl);
	if (e->hot != NULL)
		hot_tell(e->hot, TELL_CHANGED);
	so->going_count = 0; /* no name goes */
	space_activate(so, finish);
}

static void
start(struct space_op *so)
{
	struct buf b = BUF_INIT(SIZE_MAX);
	struct entry *e;

	space_collect(so, so->locks[0].name, false);
	if (so->going_count == 0) {
		space_end(so, MBOX_ABSENT);
		return;
	}
	e = so->going[0];
	if (e->conflict || !space_master_is_there(so)) {
		space_end(so, MBOX_UNAVAILABLE);
		return;
	}
	so->made[0] = (struct names_entry){
		.name = so->going_names[0],
		.acl = so->made[0].acl,
		.special_use = arena_slice_dup(so->arena, e->special_use),
		.mbox_id = e->id,
		.uidvalidity = e->uidvalidity,
		.claim = e->claim,
	};
	op_begin(&so->op, ENGINE_TX_SMALL);
	buf_add_slice(&b, so->made[0].acl);
	op_fact(&so->op, e->id, FACT_ACL, &b);
	buf_fini(&b);
	/* The reservations that a refusal gives back are none: the name is ours and active. */
	so->made_count = 0;
	space_commit(so, show);
	if (so->result == MBOX_OK)
		so->made_count = 1;
}

uint64_t
store_set_acl(struct store *s, struct slice name, struct slice acl, store_done_fn *fn, void *ctx)
{
	struct space_op *so = space_new(s, fn, ctx);
	uint64_t id = so->op.id;

	space_add_lock(so, name, false, false);
	so->made = arena_array(so->arena, 1, sizeof(*so->made));
	so->made[0].acl = arena_slice_dup(so->arena, acl);
	if (mbox_name_check(name) != MBOX_NAME_OK || acl.n > ACL_BYTES_MOST || !acl_is_valid(acl))
		space_end(so, MBOX_INVALID);
	else
		space_start(so, start);
	return id;
}

/* ---- claims ----------------------------------------------------------------------------------- */

struct claim_op {
	struct op op;
	uint64_t mbox_id, claim;
	store_done_fn *fn;
	void *ctx;
};

static void
claim_done(struct op *o, enum mbox_result result)
{
	struct claim_op *co = CONTAINER_OF(o, struct claim_op, op);
	struct entry *e = map_get(o->store->by_id, map_key_u64(&co->mbox_id));

	if (result == MBOX_OK && e == NULL)
		result = MBOX_ABSENT;
	else if (result == MBOX_OK)
		e->claim = co->claim;
	if (!o->cancelled)
		co->fn(co->ctx, result);
	op_free(o);
}

uint64_t
store_set_claim(struct store *s, struct slice inbox, uint64_t claim, store_done_fn *fn, void *ctx)
{
	struct claim_op *co = op_new(s, sizeof(*co), claim_done, NULL);
	struct entry *e = tree_find(&s->tree, inbox);
	struct buf b = BUF_INIT(64);
	uint64_t id = co->op.id;

	co->claim = claim;
	co->fn = fn;
	co->ctx = ctx;
	if (e == NULL || e->dying) {
		op_defer(&co->op, e == NULL ? MBOX_ABSENT : MBOX_BUSY);
		return id;
	}
	co->mbox_id = e->id;
	op_begin(&co->op, ENGINE_TX_SMALL);
	buf_add_u64(&b, claim);
	op_fact(&co->op, e->id, FACT_CLAIM, &b);
	buf_fini(&b);
	op_commit_or_defer(&co->op);
	return id;
}
