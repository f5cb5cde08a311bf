/* append - new messages; see mailbox.h. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "mail/crlf.h"
#include "mail/summary.h"
#include "mailbox/store_impl.h"
#include "tls/digest.h"

struct added_op {
	struct op op;
	mailbox_added_fn *fn;
	void *ctx;
	struct mailbox_added added;
	uint32_t *uids, *source_uids;
};

static void
append_destroy(struct op *o)
{
	free(CONTAINER_OF(o, struct added_op, op)->uids);
}

static void
append_done(struct op *o, enum mbox_result result)
{
	struct added_op *ao = CONTAINER_OF(o, struct added_op, op);

	if (result != MBOX_OK)
		ao->added.count = 0;
	if (!o->cancelled)
		ao->fn(ao->ctx, result, &ao->added);
	op_free(o);
}

/* The summary of a body, which must lie in one piece for that. */
static void
add_summary(const struct slice *pieces, size_t count, struct buf *out)
{
	struct arena *a = arena_new("mailbox.summary");
	struct buf whole = BUF_INIT(ENGINE_BLOB_MAX);
	struct slice body = count == 1 ? pieces[0] : SLICE("");
	struct summary sum;

	if (count > 1) {
		for (size_t i = 0; i < count; i++)
			buf_add_slice(&whole, pieces[i]);
		body = buf_slice(&whole);
	}
	summary_make(a, body, &sum);
	summary_encode(&sum, out);
	buf_fini(&whole);
	arena_free(&a);
}

uint64_t
append_body(struct op *o, const struct slice *pieces, size_t count, struct msg *msg)
{
	struct buf summary = BUF_INIT(ENGINE_SUMMARY_MAX);
	struct crlf lines = CRLF_INIT;
	struct digest *d;
	uint8_t guid[ENGINE_GUID_LEN];
	uint64_t bytes = 0, id;

	for (size_t i = 0; i < count; i++)
		bytes += pieces[i].n;
	if (bytes > ENGINE_BLOB_MAX)
		return 0;
	d = digest_new();
	for (size_t i = 0; i < count; i++) {
		digest_add(d, pieces[i]);
		crlf_count(&lines, pieces[i]);
	}
	crlf_count_end(&lines);
	digest_final(d, guid);
	digest_free(&d);
	add_summary(pieces, count, &summary);
	id = engine_add_blob(o->tx, pieces, count, guid, buf_slice(&summary));
	buf_fini(&summary);
	msg->size = (uint32_t)bytes;
	msg->crlf_extra = (uint32_t)lines.extra;
	return id;
}

void
append_msg(struct op *o, struct mailbox *m, struct msg *msg)
{
	struct buf b = BUF_INIT(256);

	op_touch(o, m);
	msg->uid = m->tip_uidnext++;
	msg->modseq = ++m->tip_modseq;
	op_append(o, m, msg);
	quota_add_tip(m->entry, msg);
	fact_append_add(&b, msg);
	op_fact(o, m->entry->id, FACT_APPEND, &b);
	buf_fini(&b);
}

static enum mbox_result
build(struct added_op *ao, struct mailbox *m, const struct msg_new *msgs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct msg msg = {
			.internal_date = msgs[i].internal_date,
			.save_date = (int64_t)clock_wall_s(),
			.zone = msgs[i].zone,
		};
		enum mbox_result r =
			flags_resolve(&ao->op, m, &msgs[i].flags, &msg.flags, &msg.keywords);

		if (r != MBOX_OK)
			return r;
		msg.blob = append_body(&ao->op, msgs[i].pieces, msgs[i].piece_count, &msg);
		if (msg.blob == 0)
			return MBOX_TOOBIG;
		append_msg(&ao->op, m, &msg);
		ao->uids[i] = msg.uid;
	}
	return MBOX_OK;
}

/* UIDs end at 2^32 - 1. */
static bool
has_room(const struct mailbox *m, size_t count)
{
	return count < UINT32_MAX - m->tip_uidnext;
}

uint64_t
mailbox_append(struct mailbox *m, const struct msg_new *msgs, size_t count, mailbox_added_fn *fn,
               void *ctx)
{
	struct added_op *ao = op_new(m->store, sizeof(*ao), append_done, append_destroy);
	uint64_t id = ao->op.id;
	enum mbox_result r = hot_check(m);
	struct quota_mark mark;

	ao->fn = fn;
	ao->ctx = ctx;
	ao->uids = xcalloc(count + 1, sizeof(*ao->uids));
	ao->added = (struct mailbox_added){ m->entry->uidvalidity, ao->uids, NULL, count };
	if (r == MBOX_OK && !has_room(m, count))
		r = MBOX_CANNOT;
	if (r != MBOX_OK || count == 0) {
		op_defer(&ao->op, r);
		return id;
	}
	mark = quota_mark(m->entry);
	op_begin(&ao->op, 0);
	r = build(ao, m, msgs, count);
	if (r == MBOX_OK && quota_mark_is_over(m->store, &mark))
		r = MBOX_OVERQUOTA;
	if (r == MBOX_OK) {
		op_commit_or_defer(&ao->op);
	} else {
		op_abort(&ao->op);
		op_defer(&ao->op, r);
	}
	return id;
}

/* ---- COPY and MOVE -------------------------------------------------------------------------- */

static void
copy_destroy(struct op *o)
{
	struct added_op *ao = CONTAINER_OF(o, struct added_op, op);

	free(ao->uids);
	free(ao->source_uids);
}

/* Keywords of a message of `from` as bits of `to`. What has no room there is left out. */
static uint64_t
carry_keywords(struct op *o, struct mailbox *from, struct mailbox *to, uint64_t keywords)
{
	uint64_t carried = 0;

	if (from == to)
		return keywords;
	for (unsigned i = 0; i < from->tip_keyword_count; i++) {
		int bit = -1;

		if (keywords & 1ull << i)
			bit = hot_keyword(o, to, slice_of(from->keywords[i]));
		if (bit != -1)
			carried |= 1ull << bit;
	}
	return carried;
}

size_t
copy_msgs(struct op *o, struct mailbox *from, const uint32_t *uids, size_t count,
          struct mailbox *to, const struct copy_how *how, uint32_t *new_uids, uint32_t *source_uids)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		struct msg msg;

		if ((i > 0 && uids[i] <= uids[i - 1]) || !hot_find_tip(from, uids[i], &msg))
			continue;
		msg.flags &= how->flags;
		msg.keywords = how->keywords ? carry_keywords(o, from, to, msg.keywords) : 0;
		msg.save_date = (int64_t)clock_wall_s();
		append_msg(o, to, &msg);
		new_uids[n] = msg.uid;
		source_uids[n++] = uids[i];
	}
	return n;
}

uint64_t
mailbox_copy(struct mailbox *from, const uint32_t *uids, size_t count, struct mailbox *to,
             const struct copy_how *how, mailbox_added_fn *fn, void *ctx)
{
	struct added_op *ao = op_new(to->store, sizeof(*ao), append_done, copy_destroy);
	struct op *o = &ao->op;
	uint64_t id = o->id;
	enum mbox_result r = hot_check(to);
	struct quota_mark mark;

	ao->fn = fn;
	ao->ctx = ctx;
	ao->uids = xcalloc(count + 1, sizeof(*ao->uids));
	ao->source_uids = xcalloc(count + 1, sizeof(*ao->source_uids));
	ao->added = (struct mailbox_added){ to->entry->uidvalidity, ao->uids, ao->source_uids, 0 };
	if (r == MBOX_OK)
		r = hot_check(from);
	if (r == MBOX_OK && !has_room(to, count))
		r = MBOX_CANNOT;
	if (r != MBOX_OK) {
		op_defer(o, r);
		return id;
	}
	mark = quota_mark(to->entry);
	op_begin(o, ENGINE_TX_SMALL);
	ao->added.count = copy_msgs(o, from, uids, count, to, how, ao->uids, ao->source_uids);
	if (ao->added.count == 0) {
		op_abort(o);
		op_wait(o, from->last_lsn, MBOX_OK);
		return id;
	}
	/* Behind the appends: the bodies must not be without a reference in between. */
	if (how->move)
		(void)expunge_msgs(o, from, ao->source_uids, (uint32_t)ao->added.count);
	if (quota_mark_is_over(to->store, &mark)) {
		op_abort(o);
		op_defer(o, MBOX_OVERQUOTA);
		return id;
	}
	op_commit_or_defer(o);
	return id;
}
