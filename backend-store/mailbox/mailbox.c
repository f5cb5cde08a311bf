/* mailbox - opening, reading, watching; see mailbox.h. Changes are in files of their own. */
#include <stdlib.h>

#include "base/num.h"
#include "base/xalloc.h"
#include "mailbox/store_impl.h"

/* ---- opening -------------------------------------------------------------------------------- */

struct open_op {
	struct op op;
	struct mailbox *m;
	mailbox_open_fn *fn;
	void *ctx;
};

static void
open_destroy(struct op *o)
{
	struct open_op *oo = CONTAINER_OF(o, struct open_op, op);

	hot_unref(&oo->m);
}

static void
open_done(struct op *o, enum mbox_result result)
{
	struct open_op *oo = CONTAINER_OF(o, struct open_op, op);

	if (!o->cancelled) {
		struct mailbox *m = oo->m;

		oo->m = NULL;
		oo->fn(oo->ctx, result, m);
	}
	op_free(o);
}

uint64_t
mailbox_open(struct store *s, struct slice name, mailbox_open_fn *fn, void *ctx)
{
	struct open_op *oo = op_new(s, sizeof(*oo), open_done, open_destroy);
	struct entry *e = tree_find(&s->tree, name);
	enum mbox_result r = MBOX_ABSENT;

	oo->fn = fn;
	oo->ctx = ctx;
	if (e != NULL)
		r = entry_refuses(e) ? MBOX_UNAVAILABLE : MBOX_OK;
	if (r == MBOX_OK)
		oo->m = hot_get(s, e, true, &r);
	op_defer(&oo->op, r);
	return oo->op.id;
}

void
mailbox_release(struct mailbox **m)
{
	hot_unref(m);
}

struct mailbox *
mailbox_ref(struct mailbox *m)
{
	hot_ref(m);
	return m;
}

/* ---- what is published ------------------------------------------------------------------------ */

uint64_t
mailbox_id(const struct mailbox *m)
{
	return m->entry->id;
}

struct slice
mailbox_name(const struct mailbox *m)
{
	return m->entry->name;
}

uint64_t
mailbox_acl_serial(const struct mailbox *m)
{
	return m->entry->acl_serial;
}

struct slice
mailbox_acl(const struct mailbox *m)
{
	return m->entry->acl;
}

struct store *
mailbox_store(const struct mailbox *m)
{
	return m->store;
}

uint32_t
mailbox_uidvalidity(const struct mailbox *m)
{
	return m->entry->uidvalidity;
}

uint32_t
mailbox_uidnext(const struct mailbox *m)
{
	return m->uidnext;
}

uint64_t
mailbox_highestmodseq(const struct mailbox *m)
{
	return m->modseq;
}

bool
mailbox_is_gone(const struct mailbox *m)
{
	return m->entry->gone;
}

const struct msg *
mailbox_msgs(const struct mailbox *m, uint32_t *count_r)
{
	must(m->loaded);
	*count_r = m->count;
	return m->msgs;
}

struct slice
mailbox_keyword(const struct mailbox *m, unsigned i)
{
	return i < m->keyword_count ? slice_of(m->keywords[i]) : SLICE("");
}

unsigned
mailbox_keyword_count(const struct mailbox *m)
{
	return m->keyword_count;
}

int
mailbox_keyword_find(const struct mailbox *m, struct slice keyword)
{
	for (unsigned i = 0; i < m->keyword_count; i++)
		if (slice_ieq_str(keyword, m->keywords[i]))
			return (int)i;
	return -1;
}

static void
recent_done(struct op *o, UNUSED enum mbox_result result)
{
	/* Not written: after a restart the messages are recent once more. */
	op_free(o);
}

uint32_t
mailbox_recent(struct mailbox *m, bool take)
{
	uint32_t recent = m->recent;
	struct buf b = BUF_INIT(64);
	struct op *o;

	if (!take || recent == m->uidnext || hot_check(m) != MBOX_OK)
		return recent;
	m->recent = m->uidnext;
	o = op_new(m->store, sizeof(*o), recent_done, NULL);
	op_begin(o, 0);
	op_touch(o, m);
	buf_add_u64(&b, m->recent);
	op_fact(o, m->entry->id, FACT_RECENT, &b);
	buf_fini(&b);
	if (op_commit(o) != MBOX_OK)
		op_free(o);
	return recent;
}

/* ---- watches -------------------------------------------------------------------------------------- */

void
mailbox_watch(struct mailbox *m, struct mailbox_watch *w)
{
	must(w->node.next == NULL || !list_is_linked(&w->node));
	list_add_tail(&m->watches, &w->node);
}

void
mailbox_unwatch(struct mailbox_watch *w)
{
	if (w->node.next != NULL)
		list_del(&w->node);
}

/* ---- status ---------------------------------------------------------------------------------------- */

struct status_op {
	struct op op;
	struct mailbox *m;
	bool deleted_bytes;
	mailbox_status_fn *fn;
	void *ctx;
};

static void
status_destroy(struct op *o)
{
	struct status_op *so = CONTAINER_OF(o, struct status_op, op);

	hot_unref(&so->m);
}

/* Messages from uid `recent` on: those of the index below base_uid, and those in memory. */
static enum mbox_result
count_recent(struct mailbox *m, uint32_t *count_r)
{
	uint8_t key[INDEX_KEY_MSG], prefix[8];
	struct slice id = index_key_id(prefix, m->entry->id), at;
	struct kv_cursor *c;
	struct kv_txn *txn;
	enum mbox_result r;
	bool more;

	*count_r = 0;
	for (uint32_t i = m->count; i > 0 && m->msgs[i - 1].uid >= m->recent; i--)
		++*count_r;
	if (m->loaded || m->recent >= m->base_uid)
		return MBOX_OK;
	if (engine_read(m->store->engine, &txn, NULL) != KV_OK)
		return MBOX_UNAVAILABLE;
	c = kv_cursor_new(txn, T_MESSAGES);
	more = kv_cursor_seek(c, index_key_msg(key, m->entry->id, m->recent), &at, NULL);
	for (; more && slice_starts(at, id); more = kv_cursor_next(c, &at, NULL)) {
		if (at.n == INDEX_KEY_MSG && num_get_be32((const uint8_t *)at.p + 8) >= m->base_uid)
			break;
		++*count_r;
	}
	kv_cursor_free(&c);
	r = kv_txn_error(txn) == KV_OK ? MBOX_OK : MBOX_UNAVAILABLE;
	kv_end(&txn);
	return r;
}

static enum mbox_result
sum_deleted(struct mailbox *m, uint64_t *bytes_r)
{
	enum mbox_result r = MBOX_OK;
	struct mailbox *loaded;

	*bytes_r = 0;
	if (m->deleted == 0)
		return MBOX_OK;
	loaded = hot_get(m->store, m->entry, true, &r);
	if (loaded == NULL)
		return r;
	for (uint32_t i = 0; i < m->count; i++)
		if (m->msgs[i].flags & MSG_DELETED)
			*bytes_r += m->msgs[i].size;
	hot_unref(&loaded);
	return MBOX_OK;
}

static void
status_done(struct op *o, enum mbox_result result)
{
	struct status_op *so = CONTAINER_OF(o, struct status_op, op);
	struct mailbox_status st = { 0 };
	struct mailbox *m = so->m;

	if (result == MBOX_OK && m->entry->gone)
		result = MBOX_ABSENT;
	if (result == MBOX_OK)
		result = count_recent(m, &st.recent);
	if (result == MBOX_OK && so->deleted_bytes)
		result = sum_deleted(m, &st.deleted_bytes);
	if (result == MBOX_OK) {
		st.messages = (uint32_t)m->entry->shown.messages;
		st.unseen = m->unseen;
		st.deleted = m->deleted;
		st.uidnext = m->uidnext;
		st.uidvalidity = m->entry->uidvalidity;
		st.highestmodseq = m->modseq;
		st.bytes = m->entry->shown.bytes;
		st.mbox_id = m->entry->id;
	}
	if (!o->cancelled)
		so->fn(so->ctx, result, &st);
	op_free(o);
}

static uint64_t
ask_status(struct store *s, struct slice name, bool deleted_bytes, mailbox_status_fn *fn, void *ctx)
{
	struct status_op *so = op_new(s, sizeof(*so), status_done, status_destroy);
	struct entry *e = tree_find(&s->tree, name);
	enum mbox_result r = MBOX_ABSENT;

	so->deleted_bytes = deleted_bytes;
	so->fn = fn;
	so->ctx = ctx;
	if (e != NULL)
		r = entry_refuses(e) ? MBOX_UNAVAILABLE : MBOX_OK;
	if (r == MBOX_OK)
		so->m = hot_get(s, e, false, &r);
	op_defer(&so->op, r);
	return so->op.id;
}

uint64_t
mailbox_status(struct store *s, struct slice name, mailbox_status_fn *fn, void *ctx)
{
	return ask_status(s, name, false, fn, ctx);
}

uint64_t
mailbox_status_deleted(struct store *s, struct slice name, mailbox_status_fn *fn, void *ctx)
{
	return ask_status(s, name, true, fn, ctx);
}

/* ---- messages ---------------------------------------------------------------------------------------- */

enum mbox_result
mailbox_read(struct mailbox *m, const struct msg *msg, uint64_t from, uint64_t n, struct buf *out)
{
	if (m->entry->gone)
		return MBOX_ABSENT;
	return op_result_of(engine_blob_read(m->store->engine, msg->blob, from, n, out));
}

enum mbox_result
mailbox_summary(struct mailbox *m, const struct msg *msg, struct buf *out)
{
	uint8_t key[INDEX_KEY_MSG];
	struct kv_txn *txn;
	struct slice row;
	bool found;

	if (m->entry->gone)
		return MBOX_ABSENT;
	if (engine_read(m->store->engine, &txn, NULL) != KV_OK)
		return MBOX_UNAVAILABLE;
	found = kv_get(txn, T_SUMMARIES, index_key_msg(key, m->entry->id, msg->uid), &row);
	if (found)
		buf_add_slice(out, row);
	kv_end(&txn);
	if (found)
		return MBOX_OK;
	/* not indexed yet */
	return op_result_of(engine_blob_summary(m->store->engine, msg->blob, out));
}

/* ---- what was expunged ---------------------------------------------------------------------------------- */

static int
by_number(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static bool
vanished_rows(struct mailbox *m, uint64_t modseq, struct buf *uids)
{
	uint8_t from[16], prefix[8];
	struct slice id = index_key_id(prefix, m->entry->id), key;
	struct kv_cursor *c;
	struct kv_txn *txn;
	bool more;

	if (engine_read(m->store->engine, &txn, NULL) != KV_OK)
		return false;
	num_put_be64(from, m->entry->id);
	num_put_be64(from + 8, modseq + 1);
	c = kv_cursor_new(txn, T_VANISHED);
	more = kv_cursor_seek(c, slice_make(from, sizeof(from)), &key, NULL);
	for (; more && slice_starts(key, id); more = kv_cursor_next(c, &key, NULL)) {
		uint32_t uid = key.n == 20 ? num_get_be32((const uint8_t *)key.p + 16) : 0;

		if (uid != 0)
			buf_add(uids, &uid, sizeof(uid));
	}
	kv_cursor_free(&c);
	more = kv_txn_error(txn) == KV_OK;
	kv_end(&txn);
	return more;
}

bool
mailbox_vanished_since(struct mailbox *m, uint64_t modseq, struct buf *uids_u32_out)
{
	struct buf all = BUF_INIT(SIZE_MAX);
	uint32_t *uids, last = 0;
	bool ok = modseq == UINT64_MAX || vanished_rows(m, modseq, &all);

	for (size_t i = 0; i < m->vanished_count; i++)
		if (m->vanished[i].modseq > modseq)
			buf_add(&all, &m->vanished[i].uid, sizeof(uint32_t));
	uids = (uint32_t *)(void *)all.data;
	if (all.len != 0)
		qsort(uids, all.len / sizeof(*uids), sizeof(*uids), by_number);
	for (size_t i = 0; i < all.len / sizeof(*uids); i++) {
		if (uids[i] == last)
			continue;
		last = uids[i];
		buf_add_u32(uids_u32_out, last);
	}
	buf_fini(&all);
	return ok && !uids_u32_out->overflow;
}
