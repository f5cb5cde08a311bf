/*
 * quota - roots and sums; see quota.h. Changing limits is in quota_set.c.
 *
 * 1. Each entry of the tree has its usage, at the tip and as published; a root has the sums
 *    of the entries it covers: every change of one goes through this file, to both.
 * 2. The usage of an entry at the start is what its head row in the index says, which apply()
 *    keeps by the same facts that publishing goes by.
 * 3. Only entries of the tree have a root: entry.root always is the nearest one by name, so
 *    that whoever changes a name, a limit or the tree attaches the entries concerned anew.
 * 4. What will come under a root by a change of the namespace that is logged and not shown
 *    yet is held there (struct quota_hold).
 */
#include "mailbox/quota.h"

#include <stdlib.h>

#include "base/num.h"
#include "base/xalloc.h"
#include "log/log.h"
#include "mailbox/store_impl.h"

#define PERCENT_MOST 9999

/* ---- limits ---------------------------------------------------------------------------- */

static struct quota_limits
limits_of(const struct store *s, const struct quota_root *q)
{
	const struct quota_policy *p = &s->config.quota;

	if (q->own)
		return q->limits;
	return (struct quota_limits){ p->default_bytes != 0 ? p->default_bytes : QUOTA_NONE,
		                      p->default_messages != 0 ? p->default_messages : QUOTA_NONE };
}

/* Would it be too much with more? grace: what may go beyond, while there is room at all. */
static bool
is_over(uint64_t used, uint64_t more, uint64_t limit, uint64_t grace)
{
	if (limit == QUOTA_NONE || more == 0)
		return false;
	return used >= limit || more > limit - used + grace;
}

static bool
fits(const struct store *s, const struct quota_root *q, struct usage more, unsigned grace_percent)
{
	struct quota_limits l;
	uint64_t grace;

	if (q == NULL)
		return true;
	l = limits_of(s, q);
	grace = l.bytes == QUOTA_NONE ? 0 : l.bytes / 100 * grace_percent;
	return !is_over(q->tip.bytes, more.bytes, l.bytes, grace) &&
	       !is_over(q->tip.messages, more.messages, l.messages, 0);
}

bool
quota_fits(const struct store *s, const struct quota_root *q, struct usage more)
{
	return fits(s, q, more, 0);
}

bool
quota_fits_delivery(const struct store *s, const struct quota_root *q, uint64_t bytes)
{
	/* of an unknown size it is not nothing */
	return fits(s, q, (struct usage){ MAX(bytes, (uint64_t)1), 1 },
	            s->config.quota.grace_percent);
}

struct quota_mark
quota_mark(const struct entry *e)
{
	return (struct quota_mark){ e->root,
		                    e->root != NULL ? e->root->tip : (struct usage){ 0, 0 } };
}

bool
quota_mark_is_over(const struct store *s, const struct quota_mark *m)
{
	const struct quota_root *q = m->root;
	struct quota_limits l;

	if (q == NULL)
		return false;
	l = limits_of(s, q);
	return (q->tip.bytes > m->was.bytes && q->tip.bytes > l.bytes) ||
	       (q->tip.messages > m->was.messages && q->tip.messages > l.messages);
}

/* ---- sums -------------------------------------------------------------------------------- */

static void
add(struct usage *to, struct usage u)
{
	to->bytes += u.bytes;
	to->messages += u.messages;
}

static void
take(struct usage *from, struct usage u)
{
	from->bytes -= u.bytes;
	from->messages -= u.messages;
}

/* What is shown of it, or its limits, are not what they were. */
static void
note_full(struct store *s, struct quota_root *q)
{
	struct quota_limits l = limits_of(s, q);
	bool full = (l.bytes != QUOTA_NONE && q->shown.bytes >= l.bytes) ||
	            (l.messages != QUOTA_NONE && q->shown.messages >= l.messages);

	s->full_roots += full;
	s->full_roots -= q->full;
	q->full = full;
}

void
quota_add_tip(struct entry *e, const struct msg *m)
{
	struct usage u = { m->size, 1 };

	add(&e->tip, u);
	if (e->root != NULL)
		add(&e->root->tip, u);
}

void
quota_take_tip(struct entry *e, const struct msg *m)
{
	struct usage u = { m->size, 1 };

	take(&e->tip, u);
	if (e->root != NULL)
		take(&e->root->tip, u);
}

void
quota_show(struct store *s, struct entry *e, const struct msg *m, bool gone)
{
	struct usage u = { m->size, 1 };
	void (*change)(struct usage * to, struct usage u) = gone ? take : add;

	change(&e->shown, u);
	if (e->root == NULL)
		return;
	change(&e->root->shown, u);
	note_full(s, e->root);
}

/* ---- which root ------------------------------------------------------------------------- */

struct quota_root *
quota_root_of(const struct store *s, struct slice name)
{
	struct slice at = name;

	do {
		const struct entry *e = tree_find(&s->tree, at);

		if (e != NULL && e->quota != NULL)
			return e->quota;
	} while (mbox_name_parent(at, &at));
	return NULL;
}

static void
set_root(struct store *s, struct entry *e, struct quota_root *q)
{
	if (e->root == q)
		return;
	if (e->root != NULL) {
		take(&e->root->tip, e->tip);
		take(&e->root->shown, e->shown);
		note_full(s, e->root);
	}
	e->root = q;
	if (q == NULL)
		return;
	add(&q->tip, e->tip);
	add(&q->shown, e->shown);
	note_full(s, q);
}

static void
make_root(struct entry *e)
{
	if (e->quota != NULL)
		return;
	e->quota = xcalloc(1, sizeof(*e->quota));
	e->quota->entry = e;
	list_init(&e->quota->holds);
}

void
quota_attach(struct store *s, struct entry *e)
{
	if (mbox_name_is_inbox(e->name))
		make_root(e);
	set_root(s, e, quota_root_of(s, e->name));
}

/* Those below a name find their root anew. */
static void
attach_below(struct store *s, struct slice name)
{
	for (size_t i = tree_position(&s->tree, name); i < s->tree.count; i++) {
		struct entry *e = s->tree.sorted[i];

		if (!slice_starts(e->name, name))
			return;
		if (mbox_name_is_below(e->name, name))
			quota_attach(s, e);
	}
}

static void
drop_root(struct store *s, struct entry *e)
{
	struct quota_root *q = e->quota;
	struct quota_hold *h;

	e->quota = NULL;
	set_root(s, e, e->gone ? NULL : quota_root_of(s, e->name));
	attach_below(s, e->name);
	LIST_EACH (h, &q->holds, struct quota_hold, link)
		list_del(&h->link);
	s->full_roots -= q->full;
	free(q);
}

void
quota_detach(struct store *s, struct entry *e)
{
	must(e->gone);
	if (e->quota != NULL)
		drop_root(s, e);
	set_root(s, e, NULL);
}

void
quota_take_limits(struct store *s, struct entry *e, bool own, struct quota_limits limits)
{
	bool inbox = mbox_name_is_inbox(e->name);

	if (!inbox && (!own || (limits.bytes == QUOTA_NONE && limits.messages == QUOTA_NONE))) {
		if (e->quota != NULL)
			drop_root(s, e);
		return;
	}
	make_root(e);
	e->quota->own = own;
	e->quota->limits = limits;
	quota_attach(s, e);
	if (!inbox)
		attach_below(s, e->name);
	note_full(s, e->quota);
}

/* ---- holds ------------------------------------------------------------------------------- */

void
quota_hold(struct quota_hold *h, struct quota_root *q, struct usage u)
{
	if (q == NULL)
		return;
	h->root = q;
	h->usage = u;
	list_add_tail(&q->holds, &h->link);
	add(&q->tip, u);
}

void
quota_release(struct quota_hold *h)
{
	if (!list_is_linked(&h->link))
		return; /* nothing is held, or the root is gone */
	list_del(&h->link);
	take(&h->root->tip, h->usage);
}

/* ---- the start --------------------------------------------------------------------------- */

static void
load_limits(struct store *s, struct slice key, struct slice row)
{
	struct quota_limits limits;
	struct entry *e;
	uint64_t id;
	bool own;

	if (key.n != 8 || !fact_quota_read(row, &own, &limits)) {
		log_error(NULL, "store.bad_row table=quotas");
		return;
	}
	id = num_get_be64((const uint8_t *)key.p);
	e = map_get(s->by_id, map_key_u64(&id));
	if (e == NULL)
		return;
	make_root(e);
	e->quota->own = own;
	e->quota->limits = limits;
}

void
quota_load(struct store *s, struct kv_txn *txn)
{
	struct kv_cursor *c = kv_cursor_new(txn, T_QUOTAS);
	struct slice key, row;

	for (bool more = kv_cursor_seek(c, SLICE(""), &key, &row); more;
	     more = kv_cursor_next(c, &key, &row))
		load_limits(s, key, row);
	kv_cursor_free(&c);
	for (size_t i = 0; i < s->tree.count; i++)
		quota_attach(s, s->tree.sorted[i]);
}

/* ---- showing ------------------------------------------------------------------------------ */

static void
fill(const struct store *s, const struct quota_root *q, struct quota_info *q_r)
{
	*q_r = (struct quota_info){
		.root = q->entry->name,
		.limits = limits_of(s, q),
		.own = q->own,
		.bytes = q->shown.bytes,
		.messages = q->shown.messages,
	};
}

bool
quota_find(struct store *s, struct slice name, struct quota_info *q_r)
{
	const struct quota_root *q = quota_root_of(s, name);

	if (q != NULL)
		fill(s, q, q_r);
	return q != NULL;
}

bool
quota_is_limited(const struct quota_info *q)
{
	return q->limits.bytes != QUOTA_NONE || q->limits.messages != QUOTA_NONE;
}

static unsigned
percent(uint64_t used, uint64_t limit)
{
	if (limit == QUOTA_NONE)
		return 0;
	if (limit == 0)
		return used == 0 ? 100 : PERCENT_MOST;
	if (used / limit >= PERCENT_MOST / 100)
		return PERCENT_MOST;
	return (unsigned)((double)used / (double)limit * 100);
}

unsigned
quota_percent(const struct quota_info *q)
{
	unsigned bytes = percent(q->bytes, q->limits.bytes);
	unsigned messages = percent(q->messages, q->limits.messages);

	return MAX(bytes, messages);
}

void
quota_each(struct store *s, struct slice prefix, quota_each_fn *fn, void *ctx)
{
	const struct tree *t = &s->tree;
	struct quota_info info;

	for (size_t i = tree_position(t, prefix); i < t->count; i++) {
		if (!slice_starts(t->sorted[i]->name, prefix))
			return;
		if (t->sorted[i]->quota == NULL)
			continue;
		fill(s, t->sorted[i]->quota, &info);
		if (!fn(ctx, &info))
			return;
	}
}

uint64_t
quota_count_full(const struct store *s)
{
	return s->full_roots;
}

enum mbox_result
quota_check(struct store *s, struct slice name, uint64_t bytes, uint64_t messages)
{
	struct usage more = { bytes, messages };

	/* after a failed write the tip is none; the change itself will be refused */
	return s->failed || quota_fits(s, quota_root_of(s, name), more) ? MBOX_OK : MBOX_OVERQUOTA;
}

void
quota_set_policy(struct store *s, const struct quota_policy *p)
{
	s->config.quota = *p;
	for (size_t i = 0; i < s->tree.count; i++)
		if (s->tree.sorted[i]->quota != NULL)
			note_full(s, s->tree.sorted[i]->quota);
}
