/*
 * deliver - one body, one transaction, a message for each recipient; see deliver.h.
 *
 * A recipient whose key was seen gets no second copy. When the first copy is still on its
 * way to the disk, the answer waits for it (op_wait); what is delivered in the same call is
 * waited for anyway, since it comes later in the log.
 */
#include "mailbox/deliver.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "mail/utf7.h"
#include "mailbox/store_impl.h"
#include "tls/digest.h"

struct deliver_op {
	struct op op;
	struct deliver_result *results;
	uint8_t (*keys)[DELIVER_KEY_LEN];
	bool *copied; /* it gets a message by this transaction */
	size_t count;
	uint64_t wait_lsn; /* of first copies by others */
	deliver_fn *fn;
	void *ctx;
};

static struct entry *
find_inbox(struct store *s, struct slice user)
{
	struct mbox_name inbox;

	if (!mbox_name_of_user(user, slice_of(s->default_domain), &inbox))
		return NULL;
	return tree_find(&s->tree, mbox_name_slice(&inbox));
}

static enum mbox_result
check_inbox(struct store *s, const struct entry *inbox, struct slice user, uint64_t claim)
{
	if (inbox == NULL)
		return moving_find(s, user) != NULL ? MBOX_UNAVAILABLE : MBOX_ABSENT;
	if (entry_refuses(inbox) || s->failed || (claim != 0 && claim != inbox->claim))
		return MBOX_UNAVAILABLE;
	return inbox->dying ? MBOX_BUSY : MBOX_OK;
}

enum mbox_result
deliver_check(struct store *s, struct slice user, uint64_t claim, uint64_t size)
{
	const struct entry *inbox = find_inbox(s, user);
	enum mbox_result r = check_inbox(s, inbox, user, claim);
	struct engine_stats st;

	if (r != MBOX_OK)
		return r;
	if (size > ENGINE_BLOB_MAX)
		return MBOX_TOOBIG;
	engine_get_stats(s->engine, &st);
	if (st.failed)
		return MBOX_UNAVAILABLE;
	if (st.full)
		return MBOX_FULL;
	return quota_fits_delivery(s, inbox->root, size) ? MBOX_OK : MBOX_OVERQUOTA;
}

/* The folder a detail names, else the INBOX. */
static struct entry *
find_folder(struct store *s, const struct deliver_rcpt *rcpt, struct entry *inbox)
{
	struct mbox_view view = { rcpt->user, slice_of(s->default_domain) };
	struct buf name = BUF_INIT(4 * MBOX_NAME_MAX);
	struct entry *found = NULL;
	struct mbox_name mbox;

	if (rcpt->detail.n != 0 && utf7_from_utf8(rcpt->detail, &name) &&
	    mbox_name_from_client(&view, buf_slice(&name), &mbox) == MBOX_NAME_OK &&
	    mbox_name_is_below(mbox_name_slice(&mbox), inbox->name))
		found = tree_find(&s->tree, mbox_name_slice(&mbox));
	buf_fini(&name);
	return found != NULL && !found->dying && !entry_refuses(found) ? found : inbox;
}

static void
make_key(const uint8_t key[DELIVER_KEY_LEN], const struct deliver_rcpt *rcpt,
         uint8_t key_r[DELIVER_KEY_LEN])
{
	struct digest *d = digest_new();

	digest_add(d, slice_make(key, DELIVER_KEY_LEN));
	digest_add(d, rcpt->user);
	digest_add(d, slice_make("", 1));
	digest_add(d, rcpt->detail);
	digest_final(d, key_r);
	digest_free(&d);
}

/* ---- ending ------------------------------------------------------------------------------ */

static void
deliver_destroy(struct op *o)
{
	struct deliver_op *dp = CONTAINER_OF(o, struct deliver_op, op);

	free(dp->results);
	free(dp->keys);
	free(dp->copied);
}

static void
fail_all(struct deliver_op *dp, enum mbox_result result)
{
	for (size_t i = 0; i < dp->count; i++) {
		struct deliver_result *r = &dp->results[i];

		if (r->result == MBOX_OK)
			*r = (struct deliver_result){ .result = result };
	}
}

/* How full they are with it. */
static void
tell_quotas(struct deliver_op *dp)
{
	for (size_t i = 0; i < dp->count; i++) {
		struct deliver_result *r = &dp->results[i];
		const struct entry *e;
		struct quota_info q;

		if (r->result != MBOX_OK || r->duplicate)
			continue;
		e = map_get(dp->op.store->by_id, map_key_u64(&r->mbox_id));
		if (e != NULL && quota_find(dp->op.store, e->name, &q))
			r->quota_percent = quota_percent(&q);
	}
}

static void
deliver_done(struct op *o, enum mbox_result result)
{
	struct deliver_op *dp = CONTAINER_OF(o, struct deliver_op, op);

	if (result != MBOX_OK)
		fail_all(dp, result);
	tell_quotas(dp);
	if (!o->cancelled)
		dp->fn(dp->ctx, dp->results, dp->count);
	op_free(o);
}

/* ---- building ------------------------------------------------------------------------------ */

/* The same user and detail earlier in this call. */
static const struct deliver_result *
find_twin(const struct deliver_op *dp, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (dp->results[k].result == MBOX_OK &&
		    memcmp(dp->keys[k], dp->keys[i], DELIVER_KEY_LEN) == 0)
			return &dp->results[k];
	return NULL;
}

/* True: no message is to be made for it. */
static bool
is_duplicate(struct deliver_op *dp, size_t i)
{
	struct deliver_result *r = &dp->results[i];
	const struct deliver_result *twin = find_twin(dp, i);
	uint64_t lsn;

	if (twin != NULL) {
		r->duplicate = true;
		r->mbox_id = twin->mbox_id;
		return true;
	}
	r->duplicate = duplicates_find(dp->op.store, dp->keys[i], &lsn, &r->result);
	if (r->duplicate)
		dp->wait_lsn = MAX(dp->wait_lsn, lsn);
	return r->duplicate || r->result != MBOX_OK;
}

struct body {
	const struct slice *pieces;
	size_t count;
	uint64_t bytes;
	struct msg msg;
};

static void
add_copy(struct deliver_op *dp, size_t i, const struct deliver_rcpt *rcpt, struct body *b)
{
	struct store *s = dp->op.store;
	struct deliver_result *r = &dp->results[i];
	struct entry *inbox = find_inbox(s, rcpt->user);
	struct mailbox *m;
	struct msg msg;

	r->result = check_inbox(s, inbox, rcpt->user, rcpt->claim);
	if (r->result != MBOX_OK || is_duplicate(dp, i))
		return;
	m = hot_get(s, find_folder(s, rcpt, inbox), false, &r->result);
	if (m == NULL)
		return;
	if (b->bytes <= ENGINE_BLOB_MAX && !quota_fits_delivery(s, m->entry->root, b->bytes))
		r->result = MBOX_OVERQUOTA;
	else if (b->msg.blob == 0)
		b->msg.blob = append_body(&dp->op, b->pieces, b->count, &b->msg);
	if (r->result == MBOX_OK && b->msg.blob == 0)
		r->result = MBOX_TOOBIG;
	else if (r->result == MBOX_OK && m->tip_uidnext == UINT32_MAX)
		r->result = MBOX_CANNOT;
	if (r->result == MBOX_OK) {
		msg = b->msg;
		append_msg(&dp->op, m, &msg);
		duplicates_add(&dp->op, dp->keys[i], rcpt->user);
		r->uid = msg.uid;
		r->mbox_id = m->entry->id;
		dp->copied[i] = true;
	}
	hot_unref(&m);
}

static void
commit(struct deliver_op *dp)
{
	struct op *o = &dp->op;
	bool any = false;
	enum mbox_result r;

	for (size_t i = 0; i < dp->count; i++)
		any = any || dp->copied[i];
	if (!any) {
		op_abort(o);
		op_wait(o, dp->wait_lsn, MBOX_OK);
		return;
	}
	r = op_commit(o);
	if (r != MBOX_OK) {
		/* Duplicates of earlier deliveries are none the worse for it, but they may
		 * not be on disk yet: all say "later". */
		op_defer(o, r);
		return;
	}
	for (size_t i = 0; i < dp->count; i++)
		if (dp->copied[i])
			duplicates_note(o->store, dp->keys[i], o->last_lsn);
}

uint64_t
deliver(struct store *s, const struct deliver_rcpt *rcpts, size_t count,
        const uint8_t key[DELIVER_KEY_LEN], const struct slice *pieces, size_t piece_count,
        int64_t date, deliver_fn *fn, void *ctx)
{
	struct deliver_op *dp = op_new(s, sizeof(*dp), deliver_done, deliver_destroy);
	struct body b = { .pieces = pieces, .count = piece_count };
	uint64_t id = dp->op.id;

	must(count <= DELIVER_RCPT_MAX);
	dp->fn = fn;
	dp->ctx = ctx;
	dp->count = count;
	dp->results = xcalloc(count + 1, sizeof(*dp->results));
	dp->keys = xcalloc(count + 1, sizeof(*dp->keys));
	dp->copied = xcalloc(count + 1, sizeof(*dp->copied));
	b.msg.internal_date = date;
	b.msg.save_date = (int64_t)clock_wall_s();
	for (size_t i = 0; i < piece_count; i++)
		b.bytes += pieces[i].n;
	for (size_t i = 0; i < count; i++)
		make_key(key, &rcpts[i], dp->keys[i]);
	op_begin(&dp->op, 0);
	for (size_t i = 0; i < count; i++)
		add_copy(dp, i, &rcpts[i], &b);
	commit(dp);
	return id;
}
