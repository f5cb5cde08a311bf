/* acl - rights and claims of a mailbox; see store.h. */
#include <stdlib.h>

#include "base/arena.h"
#include "base/xalloc.h"
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
	grants_set(so->op.store, e);
	if (e->hot != NULL)
		hot_tell(e->hot, TELL_CHANGED);
	so->going_count = 0; /* no name goes */
	space_activate(so, finish);
}

/* The ACL that is wanted now; of the arena. */
static enum mbox_result
new_acl(struct space_op *so, struct slice old, struct slice *acl_r)
{
	const struct acl_change *c = &so->acl;
	struct buf b = BUF_INIT(ACL_BYTES_MOST);
	uint32_t rights = c->rights;
	bool ok = true;

	if (so->acl_whole) {
		*acl_r = c->id;
		return MBOX_OK;
	}
	if (c->mode == ACL_ADD)
		rights = acl_get(old, c->id) | c->rights;
	else if (c->mode == ACL_REMOVE)
		rights = acl_get(old, c->id) & ~c->rights;
	ok = acl_set(old, c->id, rights, &b) && !b.overflow;
	*acl_r = ok ? arena_slice_dup(so->arena, buf_slice(&b)) : SLICE("");
	buf_fini(&b);
	return ok ? MBOX_OK : MBOX_CANNOT;
}

static void
log_acl(struct space_op *so, const struct entry *e, struct slice acl)
{
	struct buf b = BUF_INIT(SIZE_MAX);

	so->made = arena_array(so->arena, 1, sizeof(*so->made));
	so->made[0] = (struct names_entry){
		.name = so->going_names[0],
		.acl = acl,
		.special_use = arena_slice_dup(so->arena, e->special_use),
		.mbox_id = e->id,
		.uidvalidity = e->uidvalidity,
		.claim = e->claim,
	};
	op_begin(&so->op, ENGINE_TX_SMALL);
	buf_add_slice(&b, acl);
	op_fact(&so->op, e->id, FACT_ACL, &b);
	buf_fini(&b);
	/* The reservations that a refusal gives back are none: the name is ours and active. */
	so->made_count = 0;
	space_commit(so, show);
	if (so->result == MBOX_OK)
		so->made_count = 1;
}

static void
start(struct space_op *so)
{
	enum mbox_result r = MBOX_OK;
	struct entry *e;
	struct slice acl;

	space_collect(so, so->locks[0].name, false);
	if (so->going_count == 0) {
		space_end(so, MBOX_ABSENT);
		return;
	}
	e = so->going[0];
	if (entry_refuses(e) || !space_master_is_there(so))
		r = MBOX_UNAVAILABLE;
	else
		r = new_acl(so, e->acl, &acl);
	if (r != MBOX_OK)
		space_end(so, r);
	else
		log_acl(so, e, acl);
}

static uint64_t
set(struct store *s, struct slice name, const struct acl_change *c, bool whole, store_done_fn *fn,
    void *ctx)
{
	struct space_op *so = space_new(s, fn, ctx);
	uint64_t id = so->op.id;

	space_add_lock(so, name, false, false);
	so->acl = *c;
	so->acl.id = arena_slice_dup(so->arena, c->id);
	so->acl_whole = whole;
	if (mbox_name_check(name) != MBOX_NAME_OK ||
	    !(whole ? c->id.n <= ACL_BYTES_MOST && acl_is_valid(c->id) : acl_id_is_valid(c->id)))
		space_end(so, MBOX_INVALID);
	else
		space_start(so, start);
	return id;
}

uint64_t
store_set_acl(struct store *s, struct slice name, struct slice acl, store_done_fn *fn, void *ctx)
{
	return set(s, name, &(struct acl_change){ .id = acl }, true, fn, ctx);
}

uint64_t
store_change_acl(struct store *s, struct slice name, const struct acl_change *change,
                 store_done_fn *fn, void *ctx)
{
	return set(s, name, change, false, fn, ctx);
}

/* ---- claims ----------------------------------------------------------------------------------- */

struct claim_op {
	struct op op;
	uint64_t mbox_id;
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
	/* At once: front ends hear of it from the master as we do, and would be refused while it is
	 * written. If it is lost before that, the master tells it again. */
	e->claim = claim;
	op_commit_or_defer(&co->op);
	return id;
}
