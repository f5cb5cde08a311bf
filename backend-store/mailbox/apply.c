/*
 * apply - facts become rows of the index, on the indexer thread or in recovery. Decides
 * nothing: what a fact says is so. See index.h.
 *
 * When an index is made anew of a log that was compacted (engine.h), what a newer snapshot has
 * is left out. What is said of a mailbox that is not there is of one that is gone, which a later
 * fact says; or its beginning is damaged. So it is imagined, without a name, and if it is not
 * deleted mend.c gives it one.
 */
#include <stdio.h>
#include <string.h>

#include "log/log.h"
#include "mailbox/facts.h"
#include "mailbox/index.h"

#define LOST_KEYWORD_BYTES 32
#define FORGET_AT_ONCE 64 /* old duplicate keys dropped by each new one */

struct applying {
	struct engine *e;
	struct kv_txn *txn;
	const struct engine_record *r;
	char lost[MAILBOX_KEYWORDS_MAX][LOST_KEYWORD_BYTES];
};

static bool
is_old(struct applying *a, uint64_t object)
{
	return engine_apply_is_old(a->e, a->txn, object, a->r->lsn);
}

/* Of what belongs to no mailbox: tombstones, moves. */
static bool
is_old_for_store(struct applying *a)
{
	return is_old(a, snapshot_object_of_store());
}

/* There is no such mailbox: right in a rebuild only. */
static int
absent(const struct applying *a)
{
	return engine_apply_is_rebuild(a->e) ? 0 : -1;
}

/* A head whose slices stay good while rows change: copied into b. */
static bool
copy_head(struct applying *a, uint64_t id, struct buf *b, struct head *h)
{
	uint8_t key[8];
	struct slice row;

	if (!kv_get(a->txn, T_HEADS, index_key_id(key, id), &row))
		return false;
	buf_add_slice(b, row);
	return head_read(buf_slice(b), h);
}

/* There is no such mailbox (any more). False: nor may there be one. */
static bool
imagine_head(const struct applying *a, uint64_t id, struct head *h)
{
	*h = (struct head){ .id = id, .uidnext = 1, .recent = 1, .highestmodseq = 1 };
	return engine_apply_is_rebuild(a->e) && id != 0 && id < ENGINE_OBJECT_OWN;
}

/* ---- the namespace ---------------------------------------------------------------------- */

static int
apply_create(struct applying *a)
{
	struct fact_create f;
	struct head h = { .id = a->r->lsn, .uidnext = 1, .recent = 1, .highestmodseq = 1 };

	if (!fact_create_read(a->r->payload, &f))
		return -1;
	h.name = f.name;
	h.acl = f.acl;
	h.special_use = f.special_use;
	h.uidvalidity = f.uidvalidity;
	h.claim = f.claim;
	if (!is_old(a, h.id) && index_put_head(a->txn, &h) == -1)
		return -1;
	if (!is_old_for_store(a))
		(void)kv_del(a->txn, T_TOMBS, f.name);
	index_raise_uidvalidity(a->txn, f.uidvalidity);
	return 0;
}

static void
put_tombstone(struct applying *a, struct slice name, uint64_t id, int64_t time)
{
	uint8_t row[16];

	if (name.n == 0)
		return; /* it was not told */
	num_put_le64(row, id);
	num_put_le64(row + 8, (uint64_t)time);
	kv_put(a->txn, T_TOMBS, name, slice_make(row, 16));
}

/* Rows of a table that begin with the mailbox's id. */
static void
delete_rows(struct applying *a, unsigned table, uint64_t id)
{
	struct kv_cursor *c = kv_cursor_new(a->txn, table);
	uint8_t prefix[8];
	struct slice start = index_key_id(prefix, id), key, row;
	bool more = kv_cursor_seek(c, start, &key, &row);

	while (more && slice_starts(key, start)) {
		kv_cursor_del(c);
		more = kv_cursor_next(c, &key, &row);
	}
	kv_cursor_free(&c);
}

static void
drop_bodies(struct applying *a, uint64_t id)
{
	struct kv_cursor *c = kv_cursor_new(a->txn, T_MESSAGES);
	struct buf blobs = BUF_INIT(SIZE_MAX);
	uint8_t prefix[8];
	struct slice start = index_key_id(prefix, id), key, row;
	bool more = kv_cursor_seek(c, start, &key, &row);
	struct num_reader r;
	struct msg m;

	while (more && slice_starts(key, start)) {
		if (fact_append_read(row, &m))
			buf_add_u64(&blobs, m.blob);
		more = kv_cursor_next(c, &key, &row);
	}
	kv_cursor_free(&c);
	for (r = num_reader_of(buf_slice(&blobs)); r.rest.n != 0;)
		engine_apply_ref(a->e, a->txn, num_read_u64(&r), -1);
	buf_fini(&blobs);
}

static int
apply_delete(struct applying *a)
{
	struct buf b = BUF_INIT(SIZE_MAX);
	struct head h;
	bool tombstone;
	int64_t time;
	uint8_t key[8];

	if (!fact_delete_read(a->r->payload, &tombstone, &time))
		return -1;
	if (engine_apply_is_partial(a->e))
		return 0;
	if (!copy_head(a, a->r->object, &b, &h)) {
		buf_fini(&b);
		return absent(a);
	}
	if (tombstone && !is_old_for_store(a))
		put_tombstone(a, h.name, h.id, time);
	drop_bodies(a, h.id);
	delete_rows(a, T_MESSAGES, h.id);
	delete_rows(a, T_SUMMARIES, h.id);
	delete_rows(a, T_VANISHED, h.id);
	(void)kv_del(a->txn, T_HEADS, index_key_id(key, h.id));
	(void)kv_del(a->txn, T_QUOTAS, index_key_id(key, h.id));
	engine_apply_gone(a->e, a->txn, h.id);
	buf_fini(&b);
	return 0;
}

static int
rename_one(struct applying *a, uint64_t id, struct slice name, bool tombstone, int64_t time)
{
	struct buf b = BUF_INIT(SIZE_MAX);
	struct head h;
	int rc = absent(a);

	if (copy_head(a, id, &b, &h) || (!is_old(a, id) && imagine_head(a, id, &h))) {
		if (tombstone && !is_old_for_store(a))
			put_tombstone(a, h.name, h.id, time);
		h.name = name;
		rc = is_old(a, id) ? 0 : index_put_head(a->txn, &h);
	}
	if (rc == 0 && !is_old_for_store(a))
		(void)kv_del(a->txn, T_TOMBS, name);
	buf_fini(&b);
	return rc;
}

static int
apply_rename(struct applying *a)
{
	struct num_reader r = num_reader_of(a->r->payload);
	bool tombstone = num_read_u8(&r) != 0;
	int64_t time = (int64_t)num_read_u64(&r);
	struct slice name;
	uint64_t id;

	while (!r.bad && r.rest.n != 0)
		if (!fact_rename_pair_read(&r, &id, &name) ||
		    rename_one(a, id, name, tombstone, time) == -1)
			return -1;
	return r.bad ? -1 : 0;
}

/* ---- one mailbox --------------------------------------------------------------------------- */

static void
count_msg(struct head *h, const struct msg *m, int by)
{
	h->messages += (uint32_t)by;
	h->bytes += (uint64_t)((int64_t)by * (int64_t)m->size);
	if (!(m->flags & MSG_SEEN))
		h->unseen += (uint32_t)by;
	if (m->flags & MSG_DELETED)
		h->deleted += (uint32_t)by;
}

static void
put_msg(struct applying *a, uint64_t id, const struct msg *m)
{
	struct buf row = BUF_INIT(256);
	uint8_t key[INDEX_KEY_MSG];

	fact_append_add(&row, m);
	kv_put(a->txn, T_MESSAGES, index_key_msg(key, id, m->uid), buf_slice(&row));
	buf_fini(&row);
}

static bool
get_msg(struct applying *a, uint64_t id, uint32_t uid, struct msg *m)
{
	uint8_t key[INDEX_KEY_MSG];
	struct slice row;

	return kv_get(a->txn, T_MESSAGES, index_key_msg(key, id, uid), &row) &&
	       fact_append_read(row, m);
}

static int
apply_append(struct applying *a, struct head *h)
{
	struct engine_blob blob;
	struct slice summary;
	uint8_t key[INDEX_KEY_MSG];
	struct msg m;

	if (!fact_append_read(a->r->payload, &m) || m.uid < h->uidnext)
		return -1;
	put_msg(a, h->id, &m);
	engine_apply_ref(a->e, a->txn, m.blob, 1);
	if (engine_apply_blob(a->e, a->txn, m.blob, &blob, &summary))
		kv_put(a->txn, T_SUMMARIES, index_key_msg(key, h->id, m.uid), summary);
	count_msg(h, &m, 1);
	h->uidnext = m.uid + 1;
	h->highestmodseq = MAX(h->highestmodseq, m.modseq);
	return 0;
}

static int
apply_flags(struct applying *a, struct head *h)
{
	struct num_reader r = num_reader_of(a->r->payload);
	uint64_t modseq = num_read_u64(&r);
	struct msg want, m;

	while (!r.bad && r.rest.n != 0) {
		if (!fact_flags_entry_read(&r, &want))
			return -1;
		if (!get_msg(a, h->id, want.uid, &m))
			continue; /* expunged: nothing to say any more */
		count_msg(h, &m, -1);
		m.flags = want.flags;
		m.keywords = want.keywords;
		m.modseq = modseq;
		count_msg(h, &m, 1);
		put_msg(a, h->id, &m);
	}
	h->highestmodseq = MAX(h->highestmodseq, modseq);
	return r.bad ? -1 : 0;
}

static void
expunge_one(struct applying *a, struct head *h, uint32_t uid, uint64_t modseq)
{
	uint8_t key[INDEX_KEY_MSG], gone[20];
	struct msg m;

	if (!get_msg(a, h->id, uid, &m))
		return;
	count_msg(h, &m, -1);
	(void)kv_del(a->txn, T_MESSAGES, index_key_msg(key, h->id, uid));
	(void)kv_del(a->txn, T_SUMMARIES, index_key_msg(key, h->id, uid));
	engine_apply_ref(a->e, a->txn, m.blob, -1);
	num_put_be64(gone, h->id);
	num_put_be64(gone + 8, modseq);
	num_put_be32(gone + 16, uid);
	kv_put(a->txn, T_VANISHED, slice_make(gone, 20), SLICE(""));
}

static int
apply_expunge(struct applying *a, struct head *h)
{
	struct num_reader r = num_reader_of(a->r->payload);
	uint64_t modseq = num_read_u64(&r);

	if (engine_apply_is_partial(a->e))
		return 0;
	while (!r.bad && r.rest.n != 0)
		expunge_one(a, h, num_read_u32(&r), modseq);
	h->highestmodseq = MAX(h->highestmodseq, modseq);
	return r.bad ? -1 : 0;
}

static int
apply_keyword(struct applying *a, struct head *h)
{
	struct num_reader r = num_reader_of(a->r->payload);
	uint8_t bit = num_read_u8(&r);
	struct slice name = num_read_blob(&r);

	if (r.bad || bit < h->keyword_count || bit >= MAILBOX_KEYWORDS_MAX)
		return -1;
	while (h->keyword_count < bit) { /* damage, which shall not cost those behind it */
		char *name_of = a->lost[h->keyword_count];

		snprintf(name_of, LOST_KEYWORD_BYTES, "lost-keyword-%u", h->keyword_count);
		h->keywords[h->keyword_count++] = slice_of(name_of);
	}
	h->keywords[h->keyword_count++] = name;
	return 0;
}

static int
apply_number(struct applying *a, struct head *h)
{
	struct num_reader r = num_reader_of(a->r->payload);
	uint64_t value = num_read_u64(&r);

	if (a->r->kind == FACT_RECENT)
		h->recent = (uint32_t)value;
	else
		h->claim = value;
	return r.bad ? -1 : 0;
}

static int
apply_move_head(struct applying *a, struct head *h)
{
	struct fact_move_head f;

	if (!fact_move_head_read(a->r->payload, &f) || f.uidnext < h->uidnext)
		return -1;
	h->uidnext = f.uidnext;
	h->recent = f.recent;
	h->highestmodseq = f.highestmodseq;
	return 0;
}

static int
apply_move_gone(struct applying *a)
{
	struct num_reader r = num_reader_of(a->r->payload);
	uint8_t gone[20];

	num_put_be64(gone, a->r->object);
	while (!r.bad && r.rest.n != 0) {
		num_put_be64(gone + 8, num_read_u64(&r));
		num_put_be32(gone + 16, num_read_u32(&r));
		if (!r.bad)
			kv_put(a->txn, T_VANISHED, slice_make(gone, 20), SLICE(""));
	}
	return r.bad ? -1 : 0;
}

static int
apply_to_mailbox(struct applying *a)
{
	struct buf b = BUF_INIT(SIZE_MAX);
	struct head h;
	int rc = -1;

	if (is_old(a, a->r->object))
		return 0;
	if (copy_head(a, a->r->object, &b, &h) || imagine_head(a, a->r->object, &h)) {
		switch (a->r->kind) {
		case FACT_APPEND:
			rc = apply_append(a, &h);
			break;
		case FACT_FLAGS:
			rc = apply_flags(a, &h);
			break;
		case FACT_EXPUNGE:
			rc = apply_expunge(a, &h);
			break;
		case FACT_KEYWORD:
			rc = apply_keyword(a, &h);
			break;
		case FACT_RECENT:
		case FACT_CLAIM:
			rc = apply_number(a, &h);
			break;
		case FACT_ACL:
			h.acl = a->r->payload;
			rc = 0;
			break;
		case FACT_MOVE_HEAD:
			rc = apply_move_head(a, &h);
			break;
		case FACT_MOVE_GONE:
			rc = apply_move_gone(a);
			break;
		}
		if (rc == 0)
			rc = index_put_head(a->txn, &h);
	}
	buf_fini(&b);
	return rc;
}

/* A row of its own: heads are written with every message. */
static int
apply_quota(struct applying *a)
{
	uint8_t key[8];
	struct slice id = index_key_id(key, a->r->object);
	struct quota_limits limits;
	bool own;

	if (!fact_quota_read(a->r->payload, &own, &limits))
		return -1;
	if (!kv_has(a->txn, T_HEADS, id))
		return absent(a);
	if (is_old(a, a->r->object))
		return 0;
	if (own)
		kv_put(a->txn, T_QUOTAS, id, a->r->payload);
	else
		(void)kv_del(a->txn, T_QUOTAS, id);
	return 0;
}

/* ---- what belongs to no mailbox --------------------------------------------------------------- */

static int
apply_subscribe(struct applying *a)
{
	struct num_reader r = num_reader_of(a->r->payload);
	bool on = num_read_u8(&r) != 0;
	struct slice user = num_read_blob(&r), name = num_read_blob(&r), key;
	char bytes[KV_KEY_MAX];

	if (r.bad || INDEX_USER_LEN + name.n > sizeof(bytes))
		return -1;
	key = index_key_sub(bytes, user, name);
	if (is_old(a, snapshot_object_of_user(key)))
		return 0;
	if (on)
		kv_put(a->txn, T_SUBS, key, SLICE(""));
	else
		(void)kv_del(a->txn, T_SUBS, key);
	return 0;
}

static struct slice
dup_user_key(uint8_t key[INDEX_USER_LEN + FACT_KEY_LEN], struct slice user, const uint8_t *dup)
{
	memcpy(key, user.p, INDEX_USER_LEN);
	memcpy(key + INDEX_USER_LEN, dup, FACT_KEY_LEN);
	return slice_make(key, INDEX_USER_LEN + FACT_KEY_LEN);
}

/* The row of a key goes, and that of its user. */
static void
drop_duplicate(struct applying *a, const uint8_t *dup, struct slice row)
{
	uint8_t key[INDEX_USER_LEN + FACT_KEY_LEN];

	if (row.n == 8 + INDEX_USER_LEN)
		(void)kv_del(a->txn, T_DUPUSERS, dup_user_key(key, slice_skip(row, 8), dup));
	(void)kv_del(a->txn, T_DUPS, slice_make(dup, FACT_KEY_LEN));
}

static void
forget_duplicates(struct applying *a, int64_t before)
{
	struct kv_cursor *c = kv_cursor_new(a->txn, T_DUPTIMES);
	struct slice key, row;
	bool more = kv_cursor_seek(c, SLICE(""), &key, &row);

	for (unsigned i = 0; more && i < FORGET_AT_ONCE && key.n == 8 + FACT_KEY_LEN; i++) {
		uint8_t dup[FACT_KEY_LEN];
		uint64_t time = num_get_be64((const uint8_t *)key.p);

		if ((int64_t)time >= before)
			break;
		memcpy(dup, key.p + 8, sizeof(dup));
		kv_cursor_del(c);
		/* a key that came again has a later time of its own */
		if (kv_get(a->txn, T_DUPS, slice_make(dup, sizeof(dup)), &row) && row.n >= 8 &&
		    num_get_le64((const uint8_t *)row.p) == time)
			drop_duplicate(a, dup, row);
		more = kv_cursor_seek(c, SLICE(""), &key, &row);
	}
	kv_cursor_free(&c);
}

static int
apply_duplicate(struct applying *a)
{
	struct num_reader r = num_reader_of(a->r->payload);
	struct slice key = num_read_bytes(&r, FACT_KEY_LEN), was;
	uint64_t time = num_read_u64(&r), before = num_read_u64(&r);
	uint8_t row[8 + INDEX_USER_LEN], by_time[8 + FACT_KEY_LEN];
	uint8_t by_user[INDEX_USER_LEN + FACT_KEY_LEN];
	bool known = r.rest.n == INDEX_USER_LEN;

	if (r.bad || (r.rest.n != 0 && !known))
		return -1;
	/* compaction logs old ones once more */
	if (kv_get(a->txn, T_DUPS, key, &was) && was.n >= 8 &&
	    num_get_le64((const uint8_t *)was.p) > time)
		return 0;
	num_put_le64(row, time);
	if (known)
		memcpy(row + 8, r.rest.p, INDEX_USER_LEN);
	kv_put(a->txn, T_DUPS, key, slice_make(row, known ? sizeof(row) : 8));
	if (known)
		kv_put(a->txn, T_DUPUSERS, dup_user_key(by_user, r.rest, (const uint8_t *)key.p),
		       SLICE(""));
	num_put_be64(by_time, time);
	memcpy(by_time + 8, key.p, FACT_KEY_LEN);
	kv_put(a->txn, T_DUPTIMES, slice_make(by_time, sizeof(by_time)), SLICE(""));
	forget_duplicates(a, (int64_t)before);
	return 0;
}

static int
apply_move(struct applying *a)
{
	struct move_record m;

	if (!fact_move_read(a->r->payload, &m))
		return -1;
	if (m.role == MOVE_IN)
		index_raise_uidvalidity(a->txn, m.uidvalidity);
	if (is_old_for_store(a))
		return 0;
	if (m.state == MOVE_END)
		(void)kv_del(a->txn, T_MOVES, m.user);
	else
		kv_put(a->txn, T_MOVES, m.user, a->r->payload);
	return 0;
}

int
index_apply(UNUSED void *ctx, struct engine *e, struct kv_txn *txn, const struct engine_record *r)
{
	struct applying a = { .e = e, .txn = txn, .r = r };

	if (r->type != ENGINE_FACT)
		return snapshot_apply(e, txn, r);
	switch (r->kind) {
	case FACT_CREATE:
		return apply_create(&a);
	case FACT_DELETE:
		return apply_delete(&a);
	case FACT_RENAME:
		return apply_rename(&a);
	case FACT_QUOTA:
		return apply_quota(&a);
	case FACT_SUBSCRIBE:
		return apply_subscribe(&a);
	case FACT_DUPLICATE:
		return apply_duplicate(&a);
	case FACT_MOVE:
		return apply_move(&a);
	case FACT_CLEAR_TOMBSTONE:
		if (!is_old_for_store(&a))
			(void)kv_del(txn, T_TOMBS, r->payload);
		return 0;
	default:
		return apply_to_mailbox(&a);
	}
}
