/*
 * move_read - everything of a user, item after item, out of the index. See move.h.
 *
 * Mailboxes in the order of their names, each with its limits, its messages by UID and what was expunged
 * by MODSEQ; then subscriptions by name; then keys of duplicates. The order is the same on
 * both stores, so that one digest tells whether two copies are the same.
 *
 * No read transaction is held from one item to the next.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/num.h"
#include "base/xalloc.h"
#include "mailbox/store_impl.h"
#include "tls/digest.h"

#define GONE_A_ITEM 10000
#define ROW_MOST (256 * 1024)

enum phase { HEAD, QUOTA, MESSAGES, GONE, SUBSCRIBED, DUPLICATES, OVER };

struct move_reader {
	struct store *s;
	struct arena *arena;
	struct slice user;
	struct entry_ref {
		uint64_t id;
		struct slice name;
	} * boxes;
	size_t box_count, at;
	struct slice *subs;
	size_t sub_count, sub_at;
	enum phase phase;
	uint32_t uid;           /* MESSAGES: the next is at or above it */
	uint8_t gone_after[20]; /* GONE: the row last told; all zero: none */
	uint8_t dup_after[INDEX_USER_LEN + FACT_KEY_LEN];
	bool started; /* QUOTA: told; GONE, DUPLICATES: *_after is a row */
	struct buf payload;
	struct digest *digest;
	struct move_totals totals;
};

/* ---- beginning ---------------------------------------------------------------------------- */

static void
collect_boxes(struct move_reader *r)
{
	const struct tree *t = &r->s->tree;
	struct mbox_name inbox;
	size_t from, n = 0;

	if (!mbox_name_of_user(r->user, slice_of(r->s->default_domain), &inbox))
		return;
	from = tree_position(t, mbox_name_slice(&inbox));
	r->boxes = arena_array(r->arena, 1 + tree_count_below(t, mbox_name_slice(&inbox)),
	                       sizeof(*r->boxes));
	for (size_t i = from; i < t->count; i++) {
		const struct entry *e = t->sorted[i];

		if (!slice_starts(e->name, mbox_name_slice(&inbox)))
			break;
		if (!slice_eq(e->name, mbox_name_slice(&inbox)) &&
		    !mbox_name_is_below(e->name, mbox_name_slice(&inbox)))
			continue;
		r->boxes[n].id = e->id;
		r->boxes[n++].name = arena_slice_dup(r->arena, e->name);
	}
	r->box_count = n;
}

static bool
count_sub(void *ctx, UNUSED struct slice name)
{
	((struct move_reader *)ctx)->sub_count++;
	return true;
}

static bool
add_sub(void *ctx, struct slice name)
{
	struct move_reader *r = ctx;

	if (r->sub_at == r->sub_count)
		return false;
	r->subs[r->sub_at++] = arena_slice_dup(r->arena, name);
	return true;
}

struct move_reader *
move_reader_new(struct store *s, struct slice user)
{
	struct move_reader *r = xcalloc(1, sizeof(*r));

	r->s = s;
	r->arena = arena_new("store.move");
	r->user = arena_slice_dup(r->arena, user);
	buf_init(&r->payload, MOVE_ITEM_MAX);
	r->digest = digest_new();
	collect_boxes(r);
	store_each_subscription(s, user, count_sub, r);
	r->subs = arena_array(r->arena, r->sub_count + 1, sizeof(*r->subs));
	store_each_subscription(s, user, add_sub, r);
	r->sub_at = 0;
	r->phase = r->box_count > 0 ? HEAD : SUBSCRIBED;
	return r;
}

void
move_reader_free(struct move_reader **rp)
{
	struct move_reader *r = *rp;

	*rp = NULL;
	if (r == NULL)
		return;
	digest_free(&r->digest);
	buf_fini(&r->payload);
	arena_free(&r->arena);
	free(r);
}

/* ---- each kind ------------------------------------------------------------------------------- */

/* 1 an item, 0 none of this kind any more, -1 it cannot be read. */
static int
cannot_read(const struct move_reader *r, const char *what, struct err *err)
{
	if (r->at < r->box_count)
		err_set(err, "%s of %.*s cannot be read", what, SLICE_ARG(r->boxes[r->at].name));
	else
		err_set(err, "%s cannot be read", what);
	return -1;
}

static int
read_head(struct move_reader *r, struct kv_txn *txn, struct move_item *item, struct err *err)
{
	struct head h;

	if (!index_get_head(txn, r->boxes[r->at].id, &h))
		return cannot_read(r, "the head", err);
	h.id = h.claim = 0; /* the other store has its own */
	head_add(&r->payload, &h);
	item->kind = MOVE_ITEM_MAILBOX;
	r->totals.mailboxes++;
	return 1;
}

static int
read_quota(struct move_reader *r, struct kv_txn *txn, struct move_item *item)
{
	uint8_t key[8];
	struct slice row;

	if (r->started || !kv_get(txn, T_QUOTAS, index_key_id(key, r->boxes[r->at].id), &row))
		return 0;
	r->started = true;
	buf_add_slice(&r->payload, row);
	item->kind = MOVE_ITEM_QUOTA;
	return 1;
}

static int
read_message(struct move_reader *r, struct kv_txn *txn, struct move_item *item, struct err *err)
{
	struct kv_cursor *c = kv_cursor_new(txn, T_MESSAGES);
	uint64_t id = r->boxes[r->at].id;
	uint8_t from[INDEX_KEY_MSG], prefix[8];
	struct slice key, row;
	struct msg m;
	bool found = kv_cursor_seek(c, index_key_msg(from, id, r->uid), &key, &row) &&
	             slice_starts(key, index_key_id(prefix, id)) && key.n == INDEX_KEY_MSG;
	bool good = found && fact_append_read(row, &m) &&
	            m.uid == num_get_be32((const uint8_t *)key.p + 8);

	kv_cursor_free(&c);
	if (!found)
		return 0;
	if (!good || engine_blob_stat(r->s->engine, m.blob, &item->blob) != ENGINE_OK)
		return cannot_read(r, "a message", err);
	r->uid = m.uid + 1;
	m.blob = 0;
	fact_append_add(&r->payload, &m);
	buf_add(&r->payload, item->blob.guid, ENGINE_GUID_LEN);
	item->kind = MOVE_ITEM_MESSAGE;
	r->totals.messages++;
	r->totals.bytes += m.size;
	return 1;
}

static int
read_gone(struct move_reader *r, struct kv_txn *txn, struct move_item *item)
{
	struct kv_cursor *c = kv_cursor_new(txn, T_VANISHED);
	uint8_t prefix[8];
	struct slice start = index_key_id(prefix, r->boxes[r->at].id), key;
	struct slice after = slice_make(r->gone_after, sizeof(r->gone_after));
	bool more = kv_cursor_seek(c, r->started ? after : start, &key, NULL);

	if (more && r->started && slice_eq(key, after))
		more = kv_cursor_next(c, &key, NULL);
	for (unsigned n = 0; more && n < GONE_A_ITEM && slice_starts(key, start) && key.n == 20;
	     n++) {
		memcpy(r->gone_after, key.p, sizeof(r->gone_after));
		r->started = true;
		buf_add_u64(&r->payload, num_get_be64(r->gone_after + 8));
		buf_add_u32(&r->payload, num_get_be32(r->gone_after + 16));
		r->totals.gone++;
		more = kv_cursor_next(c, &key, NULL);
	}
	kv_cursor_free(&c);
	item->kind = MOVE_ITEM_GONE;
	return r->payload.len != 0;
}

static int
read_sub(struct move_reader *r, struct move_item *item)
{
	if (r->sub_at == r->sub_count)
		return 0;
	buf_add_slice(&r->payload, r->subs[r->sub_at++]);
	item->kind = MOVE_ITEM_SUBSCRIBED;
	r->totals.subscriptions++;
	return 1;
}

/* The next key of the user that still counts. */
static int
read_duplicate(struct move_reader *r, struct kv_txn *txn, struct move_item *item)
{
	struct kv_cursor *c = kv_cursor_new(txn, T_DUPUSERS);
	uint8_t whose[INDEX_USER_LEN];
	struct slice start = index_user_key(whose, r->user), key, row;
	struct slice after = slice_make(r->dup_after, sizeof(r->dup_after));
	bool more = kv_cursor_seek(c, r->started ? after : start, &key, NULL);

	if (more && r->started && slice_eq(key, after))
		more = kv_cursor_next(c, &key, NULL);
	for (; more && slice_starts(key, start) && key.n == sizeof(r->dup_after) &&
	       r->payload.len == 0;
	     more = kv_cursor_next(c, &key, NULL)) {
		struct slice dup;

		memcpy(r->dup_after, key.p, sizeof(r->dup_after));
		r->started = true;
		dup = slice_make(r->dup_after + INDEX_USER_LEN, FACT_KEY_LEN);
		if (!kv_get(txn, T_DUPS, dup, &row) || row.n < 8 ||
		    (int64_t)num_get_le64((const uint8_t *)row.p) < duplicates_begin(r->s))
			continue;
		buf_add_slice(&r->payload, dup);
		buf_add_u64(&r->payload, num_get_le64((const uint8_t *)row.p));
	}
	kv_cursor_free(&c);
	item->kind = MOVE_ITEM_DUPLICATE;
	r->totals.duplicates += r->payload.len != 0;
	return r->payload.len != 0;
}

/* ---- all of it ---------------------------------------------------------------------------------- */

static int
read_item(struct move_reader *r, struct kv_txn *txn, struct move_item *item, struct err *err)
{
	switch (r->phase) {
	case HEAD:
		return read_head(r, txn, item, err);
	case QUOTA:
		return read_quota(r, txn, item);
	case MESSAGES:
		return read_message(r, txn, item, err);
	case GONE:
		return read_gone(r, txn, item);
	case SUBSCRIBED:
		return read_sub(r, item);
	case DUPLICATES:
		return read_duplicate(r, txn, item);
	case OVER:
		break;
	}
	return 0;
}

static void
next_phase(struct move_reader *r)
{
	r->started = false;
	r->uid = 1;
	if (r->phase == GONE && ++r->at < r->box_count)
		r->phase = HEAD;
	else
		r->phase++;
}

int
move_reader_next(struct move_reader *r, struct move_item *item, struct err *err)
{
	struct kv_txn *txn;
	int rc = 0;

	buf_clear(&r->payload);
	*item = (struct move_item){ .kind = MOVE_ITEM_MAILBOX };
	if (engine_read(r->s->engine, &txn, err) != KV_OK)
		return -1;
	while (rc == 0 && r->phase != OVER) {
		rc = read_item(r, txn, item, err);
		if (rc == 0 || r->phase == HEAD)
			next_phase(r);
	}
	if (rc != -1 && (kv_txn_error(txn) != KV_OK || r->payload.overflow))
		rc = cannot_read(r, "the index", err);
	kv_end(&txn);
	if (rc == 1) {
		uint8_t kind = (uint8_t)item->kind;

		item->payload = buf_slice(&r->payload);
		if (item->kind != MOVE_ITEM_DUPLICATE) {
			digest_add(r->digest, slice_make(&kind, 1));
			digest_add(r->digest, item->payload);
		}
	}
	return rc;
}

bool
move_reader_body(struct move_reader *r, const struct move_item *item, struct buf *out,
                 struct err *err)
{
	enum engine_err e =
		engine_blob_read(r->s->engine, item->blob.id, 0, item->blob.body_bytes, out);

	if (e == ENGINE_OK && out->len == item->blob.body_bytes) {
		r->totals.bodies++;
		return true;
	}
	err_set(err, "the body of message %" PRIu32 " of %.*s cannot be read: %s", r->uid - 1,
	        SLICE_ARG(r->boxes[r->at].name), engine_err_text(e));
	return false;
}

void
move_reader_digest(struct move_reader *r, uint8_t digest_r[DIGEST_LEN])
{
	digest_final(r->digest, digest_r);
}

void
move_reader_totals(const struct move_reader *r, struct move_totals *t_r)
{
	*t_r = r->totals;
}

void
move_item_set_body(struct slice payload, uint64_t body, struct buf *out)
{
	struct msg m;
	bool good = fact_append_read(payload, &m);

	must(good); /* the reader made it */
	m.blob = body;
	fact_append_add(out, &m);
	buf_add_slice(out, slice_skip(payload, payload.n - ENGINE_GUID_LEN));
}

void
store_move_estimate(struct store *s, struct slice user, struct move_totals *t)
{
	struct move_reader *r = move_reader_new(s, user);
	struct kv_txn *txn;
	struct head h;

	*t = (struct move_totals){ .mailboxes = r->box_count, .subscriptions = r->sub_count };
	if (engine_read(s->engine, &txn, NULL) == KV_OK) {
		for (size_t i = 0; i < r->box_count; i++) {
			if (!index_get_head(txn, r->boxes[i].id, &h))
				continue;
			t->messages += h.messages;
			t->bytes += h.bytes;
		}
		kv_end(&txn);
	}
	move_reader_free(&r);
}
