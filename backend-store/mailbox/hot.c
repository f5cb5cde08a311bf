/*
 * hot - mailboxes in memory: loading, the tip, publishing, eviction.
 *
 * A mailbox becomes hot with its head row alone (enough for deliveries and STATUS), and
 * gets its message table when a session opens it. The head and the table are read from the
 * index, which is right, since whatever is newer keeps its mailbox hot.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/num.h"
#include "base/xalloc.h"
#include "log/log.h"
#include "mailbox/store_impl.h"

#define HOT_BYTES_DEFAULT (256ull << 20)
#define EVICT_LOOK 64 /* idle ones looked at, at a time */

/* ---- making and ending ------------------------------------------------------------------- */

static void
charge(struct mailbox *m)
{
	uint64_t now = sizeof(*m) + m->cap * sizeof(*m->msgs) +
	               m->vanished_cap * sizeof(*m->vanished) + m->tip_keyword_count * 32ull;

	m->store->hot_bytes = m->store->hot_bytes - m->charged + now;
	m->charged = now;
}

static struct mailbox *
hot_new(struct store *s, struct entry *e)
{
	struct mailbox *m = xcalloc(1, sizeof(*m));

	must(e->hot == NULL);
	m->store = s;
	m->entry = e;
	m->uidnext = m->tip_uidnext = m->base_uid = m->recent = 1;
	m->modseq = m->tip_modseq = 1;
	list_init(&m->idle);
	list_init(&m->appended);
	list_init(&m->changed);
	list_init(&m->watches);
	list_init(&m->told);
	e->hot = m;
	s->hot_count++;
	charge(m);
	return m;
}

struct mailbox *
hot_new_empty(struct store *s, struct entry *e)
{
	struct mailbox *m = hot_new(s, e);

	m->loaded = true;
	m->refs = 1;
	return m;
}

void
hot_free(struct mailbox *m)
{
	struct entry *e = m->entry;

	must(list_is_empty(&m->appended) && list_is_empty(&m->changed));
	must(list_is_empty(&m->watches));
	list_del(&m->idle);
	list_del(&m->told);
	m->store->hot_bytes -= m->charged;
	m->store->hot_count--;
	e->hot = NULL;
	for (unsigned i = 0; i < MAILBOX_KEYWORDS_MAX; i++)
		free(m->keywords[i]);
	free(m->msgs);
	free(m->vanished);
	free(m);
	if (e->gone)
		entry_free(&e);
}

void
hot_ref(struct mailbox *m)
{
	list_del(&m->idle);
	m->refs++;
}

void
hot_unref(struct mailbox **mp)
{
	struct mailbox *m = *mp;
	struct store *s;

	*mp = NULL;
	if (m == NULL)
		return;
	must(m->refs > 0);
	if (--m->refs != 0)
		return;
	s = m->store;
	if (m->entry->gone) {
		hot_free(m);
		return;
	}
	list_add_tail(&s->idle, &m->idle);
	hot_evict(s);
}

void
hot_evict(struct store *s)
{
	uint64_t most = s->config.hot_bytes != 0 ? s->config.hot_bytes : HOT_BYTES_DEFAULT;
	struct mailbox *m;
	unsigned looked = 0;

	LIST_EACH (m, &s->idle, struct mailbox, idle) {
		if (s->hot_bytes <= most || looked++ == EVICT_LOOK)
			break;
		if (m->last_lsn <= s->indexed)
			hot_free(m);
	}
}

enum mbox_result
hot_check(const struct mailbox *m)
{
	if (m->entry->gone)
		return MBOX_ABSENT;
	if (entry_refuses(m->entry) || m->store->failed)
		return MBOX_UNAVAILABLE;
	return m->entry->dying ? MBOX_BUSY : MBOX_OK;
}

/* ---- loading -------------------------------------------------------------------------------- */

enum mbox_result
hot_read_failed(UNUSED struct store *s, const char *what, uint64_t mbox_id)
{
	log_error(NULL, "store.read_failed what=\"%s\" mailbox=%016" PRIx64, what, mbox_id);
	return MBOX_CORRUPT;
}

static enum mbox_result
load_head(struct mailbox *m)
{
	struct kv_txn *txn;
	struct head h;
	bool found;

	if (engine_read(m->store->engine, &txn, NULL) != KV_OK)
		return MBOX_UNAVAILABLE;
	found = index_get_head(txn, m->entry->id, &h);
	if (found) {
		m->uidnext = m->tip_uidnext = m->base_uid = h.uidnext;
		m->modseq = m->tip_modseq = h.highestmodseq;
		m->recent = h.recent;
		m->unseen = h.unseen;
		m->deleted = h.deleted;
		m->keyword_count = m->tip_keyword_count = h.keyword_count;
		for (unsigned i = 0; i < h.keyword_count; i++)
			m->keywords[i] = slice_dup(h.keywords[i]);
	}
	kv_end(&txn);
	return found ? MBOX_OK : hot_read_failed(m->store, "head", m->entry->id);
}

static void
push_msg(struct mailbox *m, const struct msg *msg)
{
	must(m->count == 0 || m->msgs[m->count - 1].uid < msg->uid);
	if (m->count == m->cap) {
		m->cap = m->cap != 0 ? m->cap + m->cap / 2 + 8 : 16;
		m->msgs = xreallocarray(m->msgs, m->cap, sizeof(*m->msgs));
	}
	m->msgs[m->count++] = *msg;
}

/* The rows below base_uid, in front of what is in memory. */
static enum mbox_result
load_rows(struct mailbox *m, struct kv_txn *txn)
{
	struct kv_cursor *c = kv_cursor_new(txn, T_MESSAGES);
	uint8_t prefix[8];
	struct slice start = index_key_id(prefix, m->entry->id), key, row;
	bool more = kv_cursor_seek(c, start, &key, &row);
	struct msg msg;

	for (; more && slice_starts(key, start); more = kv_cursor_next(c, &key, &row)) {
		uint32_t uid =
			key.n == INDEX_KEY_MSG ? num_get_be32((const uint8_t *)key.p + 8) : 0;

		if (uid >= m->base_uid)
			break;
		if (fact_append_read(row, &msg) && msg.uid == uid)
			push_msg(m, &msg);
		else
			(void)hot_read_failed(m->store, "message row", m->entry->id);
	}
	kv_cursor_free(&c);
	return kv_txn_error(txn) == KV_OK ? MBOX_OK : MBOX_UNAVAILABLE;
}

static enum mbox_result
load_table(struct mailbox *m)
{
	struct msg *since = m->msgs;
	uint32_t since_count = m->count;
	enum mbox_result r;
	struct kv_txn *txn;

	if (engine_read(m->store->engine, &txn, NULL) != KV_OK)
		return MBOX_UNAVAILABLE;
	m->msgs = NULL;
	m->count = m->cap = 0;
	r = load_rows(m, txn);
	kv_end(&txn);
	if (r != MBOX_OK)
		m->count = 0;
	for (uint32_t i = 0; i < since_count; i++)
		push_msg(m, &since[i]);
	free(since);
	m->loaded = r == MBOX_OK;
	charge(m);
	return r;
}

struct mailbox *
hot_get(struct store *s, struct entry *e, bool table, enum mbox_result *r)
{
	struct mailbox *m = e->hot;

	*r = MBOX_OK;
	if (m == NULL) {
		m = hot_new(s, e);
		*r = load_head(m);
		if (*r != MBOX_OK) {
			hot_free(m);
			return NULL;
		}
	}
	hot_ref(m);
	if (table && !m->loaded)
		*r = load_table(m);
	if (*r != MBOX_OK)
		hot_unref(&m);
	return m;
}

/* ---- the tip ---------------------------------------------------------------------------------- */

static int
by_uid(const void *key, const void *item)
{
	uint32_t uid = *(const uint32_t *)key;
	const struct msg *msg = item;

	return uid < msg->uid ? -1 : uid > msg->uid;
}

static struct msg *
find(struct msg *msgs, uint32_t count, uint32_t uid)
{
	return count != 0 ? bsearch(&uid, msgs, count, sizeof(*msgs), by_uid) : NULL;
}

const struct msg *
mailbox_find(const struct mailbox *m, uint32_t uid)
{
	must(m->loaded);
	return find(m->msgs, m->count, uid);
}

/* In the newest of these changes that has it; *expunged_r: that one is its end. */
static const struct msg *
find_pending(const struct list *changes, uint32_t uid, bool *expunged_r)
{
	for (const struct list *at = changes->prev; at != changes; at = at->prev) {
		const struct change *c = LIST_ITEM(at, struct change, link);
		const struct msg *found = NULL;

		if (c->kind != CHANGE_KEYWORDS)
			found = find(c->msgs, c->count, uid);
		*expunged_r = found != NULL && c->kind == CHANGE_EXPUNGE;
		if (found != NULL)
			return found;
	}
	return NULL;
}

/* Called for every message of a STORE: what waits to be appended has only uids that are not
 * published yet, and is passed over for the others. */
bool
hot_find_tip(const struct mailbox *m, uint32_t uid, struct msg *msg_r)
{
	bool expunged = false;
	const struct msg *found = find_pending(&m->changed, uid, &expunged);

	if (expunged)
		return false;
	if (found == NULL)
		found = uid < m->uidnext ? mailbox_find(m, uid)
		                         : find_pending(&m->appended, uid, &expunged);
	if (found != NULL)
		*msg_r = *found;
	return found != NULL;
}

static void
add_keyword(struct op *o, struct mailbox *m, struct slice name)
{
	struct buf b = BUF_INIT(1024);
	unsigned bit = m->tip_keyword_count;

	op_change(o, m, CHANGE_KEYWORDS, bit + 1);
	buf_add_u8(&b, (uint8_t)bit);
	buf_add_blob(&b, name);
	op_fact(o, m->entry->id, FACT_KEYWORD, &b);
	buf_fini(&b);
	m->keywords[bit] = slice_dup(name);
	m->tip_keyword_count++;
}

int
hot_keyword(struct op *o, struct mailbox *m, struct slice name)
{
	for (unsigned i = 0; i < m->tip_keyword_count; i++)
		if (slice_ieq_str(name, m->keywords[i]))
			return (int)i;
	if (o == NULL || m->tip_keyword_count == MAILBOX_KEYWORDS_MAX)
		return -1;
	add_keyword(o, m, name);
	return (int)m->tip_keyword_count - 1;
}

/* ---- publishing --------------------------------------------------------------------------------- */

static void
count_flags(struct mailbox *m, const struct msg *msg, int by)
{
	if (!(msg->flags & MSG_SEEN))
		m->unseen += (uint32_t)by;
	if (msg->flags & MSG_DELETED)
		m->deleted += (uint32_t)by;
}

static void
publish_append(struct mailbox *m, const struct change *c)
{
	for (uint32_t i = 0; i < c->count; i++) {
		push_msg(m, &c->msgs[i]);
		count_flags(m, &c->msgs[i], 1);
		quota_show(m->store, m->entry, &c->msgs[i], false);
		m->uidnext = c->msgs[i].uid + 1;
	}
}

static void
publish_flags(struct mailbox *m, const struct change *c)
{
	for (uint32_t i = 0; i < c->count; i++) {
		struct msg *msg = find(m->msgs, m->count, c->msgs[i].uid);

		if (msg == NULL)
			continue;
		count_flags(m, msg, -1);
		*msg = c->msgs[i];
		count_flags(m, msg, 1);
	}
}

static void
note_vanished(struct mailbox *m, uint32_t uid, uint64_t modseq)
{
	if (m->vanished_count == m->vanished_cap) {
		m->vanished_cap = m->vanished_cap != 0 ? m->vanished_cap * 2 : 16;
		m->vanished = xreallocarray(m->vanished, m->vanished_cap, sizeof(*m->vanished));
	}
	m->vanished[m->vanished_count++] = (struct vanished){ modseq, uid };
}

static void
publish_expunge(struct mailbox *m, const struct change *c, uint64_t lsn)
{
	uint32_t kept = 0, next = 0;

	if (m->vanished_lsn <= m->store->indexed)
		m->vanished_count = 0;
	m->vanished_lsn = lsn;
	for (uint32_t i = 0; i < m->count; i++) {
		while (next < c->count && c->msgs[next].uid < m->msgs[i].uid)
			next++;
		if (next < c->count && c->msgs[next].uid == m->msgs[i].uid) {
			count_flags(m, &m->msgs[i], -1);
			quota_show(m->store, m->entry, &m->msgs[i], true);
			note_vanished(m, m->msgs[i].uid, c->modseq);
		} else {
			m->msgs[kept++] = m->msgs[i];
		}
	}
	m->count = kept;
}

void
hot_publish(struct change *c, uint64_t lsn)
{
	struct mailbox *m = c->m;

	switch (c->kind) {
	case CHANGE_APPEND:
		publish_append(m, c);
		break;
	case CHANGE_FLAGS:
		publish_flags(m, c);
		break;
	case CHANGE_EXPUNGE:
		publish_expunge(m, c, lsn);
		break;
	case CHANGE_KEYWORDS:
		m->keyword_count = MAX(m->keyword_count, c->count);
		break;
	}
	m->modseq = MAX(m->modseq, c->modseq);
	charge(m);
	hot_tell(m, TELL_CHANGED);
}

/* ---- telling ------------------------------------------------------------------------------------- */

static void
tell_watches(struct mailbox *m, enum mailbox_change change)
{
	struct list all;
	struct mailbox_watch *w;

	/* A called watch may end itself and others. */
	list_init(&all);
	while ((w = LIST_FIRST(&m->watches, struct mailbox_watch, node)) != NULL) {
		list_del(&w->node);
		list_add_tail(&all, &w->node);
	}
	while ((w = LIST_FIRST(&all, struct mailbox_watch, node)) != NULL) {
		list_del(&w->node);
		list_add_tail(&m->watches, &w->node);
		w->fn(w->ctx, change);
	}
}

static void
on_tell(void *ctx)
{
	struct store *s = ctx;
	struct mailbox *m;

	s->tell_deferred = false;
	while ((m = LIST_FIRST(&s->told, struct mailbox, told)) != NULL) {
		unsigned what = m->tell;

		list_del(&m->told);
		m->tell = 0;
		if (what & TELL_RENAMED)
			tell_watches(m, MAILBOX_RENAMED);
		if (what & TELL_CHANGED)
			tell_watches(m, MAILBOX_CHANGED);
		if (what & TELL_GONE)
			tell_watches(m, MAILBOX_GONE);
		hot_unref(&m);
	}
}

void
hot_tell(struct mailbox *m, unsigned what)
{
	struct store *s = m->store;

	m->tell |= what;
	if (!list_is_linked(&m->told)) {
		list_add_tail(&s->told, &m->told);
		hot_ref(m);
	}
	if (!s->tell_deferred)
		loop_defer(s->loop, on_tell, s);
	s->tell_deferred = true;
}
