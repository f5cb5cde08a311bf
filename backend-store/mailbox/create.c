/* create - new mailboxes; see store.h. */
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/xalloc.h"
#include "mail/acl.h"
#include "mailbox/store_impl.h"

#define SPECIAL_USE_MAX 32
#define SHARED_ACL "anyone\tlrs\t" /* of a shared mailbox without a parent, as Cyrus */

/* Never given before in this store, whatever the clock does. */
static uint32_t
next_uidvalidity(struct store *s)
{
	uint64_t now = clock_wall_s();

	s->uidvalidity++;
	if (now <= UINT32_MAX && s->uidvalidity < now)
		s->uidvalidity = (uint32_t)now;
	return s->uidvalidity;
}

void
create_acl(struct store *s, struct slice name, struct buf *out)
{
	struct mbox_user user;
	struct slice parent = name;

	if (mbox_name_is_inbox(name) &&
	    mbox_user_of_name(name, slice_of(s->default_domain), &user)) {
		acl_add_owner(mbox_user_acl_id(mbox_user_slice(&user), slice_of(s->default_domain)),
		              out);
		return;
	}
	while (mbox_name_parent(parent, &parent)) {
		const struct entry *e = tree_find(&s->tree, parent);

		if (e == NULL)
			continue;
		buf_add_slice(out, e->acl);
		return;
	}
	buf_add_str(out, SHARED_ACL);
}

void
create_add(struct space_op *so, struct slice name, struct slice acl, struct slice special_use)
{
	struct names_entry *e = &so->made[so->made_count++];

	e->name = arena_slice_dup(so->arena, name);
	e->acl = arena_slice_dup(so->arena, acl);
	e->special_use = arena_slice_dup(so->arena, special_use);
	e->uidvalidity = next_uidvalidity(so->op.store);
}

void
create_room(struct space_op *so, size_t count)
{
	so->made = arena_array(so->arena, count, sizeof(*so->made));
	so->made_entries = arena_array(so->arena, count, sizeof(struct entry *));
}

struct mailbox *
create_fact(struct space_op *so, size_t i)
{
	struct names_entry *n = &so->made[i];
	struct fact_create f = { n->name, n->acl, n->special_use, n->uidvalidity, 0 };
	struct buf b = BUF_INIT(SIZE_MAX);
	struct entry *e;
	struct mailbox *m;

	fact_create_add(&b, &f);
	n->mbox_id = op_fact(&so->op, 0, FACT_CREATE, &b);
	buf_fini(&b);
	e = entry_new(n->mbox_id, n->name, n->acl, n->special_use);
	e->uidvalidity = n->uidvalidity;
	so->made_entries[i] = e;
	m = hot_new_empty(so->op.store, e); /* the reference is so's until it is shown */
	op_touch(&so->op, m);
	return m;
}

void
create_show(struct space_op *so)
{
	struct store *s = so->op.store;

	for (size_t i = 0; i < so->made_count; i++) {
		struct entry *e = so->made_entries[i];

		so->made_entries[i] = NULL;
		tree_add(&s->tree, e);
		(void)map_set(s->by_id, map_key_u64(&e->id), e);
		quota_attach(s, e);
		grants_set(s, e);
		tombstone_forget(s, e->name);
		if (so->user.n != 0)
			subscription_show(s, so->user, e->name, so->op.last_lsn, true);
		hot_unref(&(struct mailbox *){ e->hot });
	}
	for (const struct space_sub *sub = so->subs; sub != NULL; sub = sub->next)
		subscription_show(s, so->user, sub->name, so->op.last_lsn, true);
}

/* ---- steps ---------------------------------------------------------------------------------- */

static void
finish(struct space_op *so)
{
	space_end(so, so->result);
}

static void
show(struct space_op *so)
{
	create_show(so);
	space_activate(so, finish);
}

void
create_log(struct space_op *so)
{
	struct buf b = BUF_INIT(SIZE_MAX);

	op_begin(&so->op, ENGINE_TX_SMALL);
	for (size_t i = 0; i < so->made_count; i++)
		(void)create_fact(so, i);
	for (size_t i = 0; so->user.n != 0 && i < so->made_count; i++) {
		buf_clear(&b);
		fact_subscribe_add(&b, so->user, so->made[i].name, true);
		op_fact(&so->op, 0, FACT_SUBSCRIBE, &b);
	}
	for (const struct space_sub *sub = so->subs; sub != NULL; sub = sub->next) {
		buf_clear(&b);
		fact_subscribe_add(&b, so->user, sub->name, true);
		op_fact(&so->op, 0, FACT_SUBSCRIBE, &b);
	}
	buf_fini(&b);
	space_commit(so, show);
}

/* ---- one ------------------------------------------------------------------------------------- */

bool
create_use_is_valid(struct slice s)
{
	if (s.n == 0)
		return true;
	if (s.n < 2 || s.n > SPECIAL_USE_MAX || s.p[0] != '\\')
		return false;
	for (size_t i = 1; i < s.n; i++)
		if (!text_is_alpha(s.p[i]))
			return false;
	return true;
}

static void
start_one(struct space_op *so)
{
	struct store *s = so->op.store;
	struct buf acl = BUF_INIT(SIZE_MAX);
	struct slice name = so->locks[0].name;
	enum mbox_result r = space_check_new(s, name, 1);

	if (r != MBOX_OK) {
		space_end(so, r);
		return;
	}
	create_room(so, 1);
	create_acl(s, name, &acl);
	create_add(so, name, buf_slice(&acl), so->special_use);
	buf_fini(&acl);
	space_reserve(so, create_log);
}

uint64_t
store_create(struct store *s, struct slice name, struct slice special_use, store_done_fn *fn,
             void *ctx)
{
	struct space_op *so = space_new(s, fn, ctx);
	uint64_t id = so->op.id;

	space_add_lock(so, name, false, true);
	so->special_use = arena_slice_dup(so->arena, special_use);
	if (mbox_name_check(name) != MBOX_NAME_OK || !create_use_is_valid(special_use))
		space_end(so, MBOX_INVALID);
	else
		space_start(so, start_one);
	return id;
}
