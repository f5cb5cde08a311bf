/*
 * snapshot - whole objects in the log, for its compaction (engine.h): what facts are about,
 * the rows an object has in the index, and these rows back into an index that is made anew.
 *
 * Objects are mailboxes (their ids are LSNs), the subscriptions of a user, and what belongs to
 * nobody: names deleted, journals of moves, the highest UIDVALIDITY. The last one is `common`:
 * DELETE and RENAME make tombstones of names that a newer snapshot of the mailbox has no more.
 * Keys of duplicates end by themselves; they are logged once more while they count.
 *
 * Payload of a part: rows till the end, each u8 table (index.h), key and value as
 * buf_add_blob(). Summaries are not among them: bodies have them.
 */
#include <string.h>

#include "base/num.h"
#include "mail/mbox_name.h"
#include "mailbox/facts.h"
#include "mailbox/index.h"
#include "mailbox/store_impl.h"

#define PART_BYTES (256u << 10)
/* In a snapshot, of a message and of one that was expunged. */
#define MESSAGE_BYTES 80
#define VANISHED_BYTES 29
#define LEAST_BYTES 500

#define OBJECT_STORE ENGINE_OBJECT_OWN
#define OBJECT_USERS (1ull << 63) /* and 63 bits of index_user_key(): who shares them, shares */

uint64_t
snapshot_object_of_user(struct slice user_key)
{
	return OBJECT_USERS | num_get_be64((const uint8_t *)user_key.p) >> 1;
}

uint64_t
snapshot_object_of_store(void)
{
	return OBJECT_STORE;
}

/* ---- what a fact is about ------------------------------------------------------------------ */

static void
concerns_renamed(struct slice payload, engine_object_fn *fn, void *ctx)
{
	struct num_reader r = num_reader_of(payload);
	struct slice name;
	uint64_t id;

	(void)num_read_bytes(&r, 9);
	while (!r.bad && r.rest.n != 0 && fact_rename_pair_read(&r, &id, &name))
		fn(ctx, id);
}

static void
concerns_subscriber(struct slice payload, engine_object_fn *fn, void *ctx)
{
	struct num_reader r = num_reader_of(payload);
	uint8_t key[INDEX_USER_LEN];
	struct slice user;

	(void)num_read_u8(&r);
	user = num_read_blob(&r);
	if (!r.bad)
		fn(ctx, snapshot_object_of_user(index_user_key(key, user)));
}

/* Does the key still count, as this fact says it? */
static bool
is_duplicate_needed(const struct store *s, struct kv_txn *txn, struct slice payload)
{
	struct num_reader r = num_reader_of(payload);
	struct slice key = num_read_bytes(&r, FACT_KEY_LEN), row;
	uint64_t time = num_read_u64(&r);

	return !r.bad && (int64_t)time >= duplicates_begin(s) && kv_get(txn, T_DUPS, key, &row) &&
	       row.n >= 8 && num_get_le64((const uint8_t *)row.p) == time;
}

static bool
concerns(void *ctx, struct kv_txn *txn, const struct engine_record *r, engine_object_fn *fn,
         void *fn_ctx)
{
	switch (r->kind) {
	case FACT_DUPLICATE:
		return is_duplicate_needed(ctx, txn, r->payload);
	case FACT_SUBSCRIBE:
		concerns_subscriber(r->payload, fn, fn_ctx);
		return false;
	case FACT_CREATE:
		fn(fn_ctx, r->lsn);
		break;
	case FACT_DELETE:
		fn(fn_ctx, r->object);
		break;
	case FACT_RENAME:
		concerns_renamed(r->payload, fn, fn_ctx);
		break;
	case FACT_MOVE:
	case FACT_CLEAR_TOMBSTONE:
		break;
	default:
		fn(fn_ctx, r->object);
		return false;
	}
	fn(fn_ctx, OBJECT_STORE);
	return false;
}

/* ---- out of the index ------------------------------------------------------------------------ */

struct dump {
	struct kv_txn *txn;
	struct buf part;
	engine_part_fn *fn;
	void *ctx;
};

static void
add_row(struct dump *d, enum index_table table, struct slice key, struct slice row)
{
	buf_add_u8(&d->part, (uint8_t)table);
	buf_add_blob(&d->part, key);
	buf_add_blob(&d->part, row);
	if (d->part.len < PART_BYTES)
		return;
	d->fn(d->ctx, buf_slice(&d->part));
	buf_clear(&d->part);
}

static void
dump_row(struct dump *d, enum index_table table, struct slice key)
{
	struct slice row;

	if (kv_get(d->txn, table, key, &row))
		add_row(d, table, key, row);
}

static void
dump_rows(struct dump *d, enum index_table table, struct slice prefix)
{
	struct kv_cursor *c = kv_cursor_new(d->txn, table);
	struct slice key, row;

	for (bool more = kv_cursor_seek(c, prefix, &key, &row); more && slice_starts(key, prefix);
	     more = kv_cursor_next(c, &key, &row))
		add_row(d, table, key, row);
	kv_cursor_free(&c);
}

static void
dump_user(struct dump *d, uint64_t object)
{
	uint8_t prefix[8];

	for (unsigned bit = 0; bit < 2; bit++) {
		num_put_be64(prefix, object << 1 | bit);
		dump_rows(d, T_SUBS, slice_make(prefix, sizeof(prefix)));
	}
}

static void
dump_mailbox(struct dump *d, uint64_t id)
{
	uint8_t raw[8];
	struct slice key = index_key_id(raw, id);

	if (!kv_has(d->txn, T_HEADS, key))
		return;
	dump_row(d, T_HEADS, key);
	dump_row(d, T_QUOTAS, key);
	dump_rows(d, T_MESSAGES, key);
	dump_rows(d, T_VANISHED, key);
}

static int
dump(UNUSED void *ctx, struct kv_txn *txn, uint64_t object, engine_part_fn *fn, void *fn_ctx)
{
	struct dump d = { .txn = txn, .part = BUF_INIT(SIZE_MAX), .fn = fn, .ctx = fn_ctx };

	if (object == OBJECT_STORE) {
		dump_rows(&d, T_META, SLICE(""));
		dump_rows(&d, T_TOMBS, SLICE(""));
		dump_rows(&d, T_MOVES, SLICE(""));
	} else if (object >= OBJECT_USERS) {
		dump_user(&d, object);
	} else {
		dump_mailbox(&d, object);
	}
	if (d.part.len != 0)
		fn(fn_ctx, buf_slice(&d.part));
	buf_fini(&d.part);
	return kv_txn_error(txn) == KV_OK ? 0 : -1;
}

/* They are never forgotten, so that there may be many more of them than messages. */
static uint64_t
count_vanished(struct kv_txn *txn, uint64_t id)
{
	struct kv_cursor *c = kv_cursor_new(txn, T_VANISHED);
	uint8_t raw[8];
	struct slice prefix = index_key_id(raw, id), key, row;
	uint64_t count = 0;

	for (bool more = kv_cursor_seek(c, prefix, &key, &row); more && slice_starts(key, prefix);
	     more = kv_cursor_next(c, &key, &row))
		count++;
	kv_cursor_free(&c);
	return count;
}

static uint64_t
weigh(UNUSED void *ctx, struct kv_txn *txn, uint64_t object)
{
	struct head h;

	if (object >= ENGINE_OBJECT_OWN || !index_get_head(txn, object, &h))
		return LEAST_BYTES;
	return LEAST_BYTES + (uint64_t)h.messages * MESSAGE_BYTES +
	       count_vanished(txn, object) * VANISHED_BYTES;
}

const struct engine_compact_client snapshot_client = {
	.concerns = concerns,
	.dump = dump,
	.weigh = weigh,
	.common = OBJECT_STORE,
};

/* ---- into a new index -------------------------------------------------------------------------- */

static int
apply_message(struct engine *e, struct kv_txn *txn, struct slice key, struct slice row)
{
	struct engine_blob blob;
	struct slice summary;
	struct msg m;

	if (key.n != INDEX_KEY_MSG || !fact_append_read(row, &m))
		return -1;
	engine_apply_ref(e, txn, m.blob, 1);
	if (engine_apply_blob(e, txn, m.blob, &blob, &summary))
		kv_put(txn, T_SUMMARIES, key, summary);
	return 0;
}

int
snapshot_apply(struct engine *e, struct kv_txn *txn, const struct engine_record *rec)
{
	static const bool known[T_COUNT] = {
		[T_HEADS] = true, [T_MESSAGES] = true, [T_VANISHED] = true, [T_SUBS] = true,
		[T_TOMBS] = true, [T_META] = true,     [T_QUOTAS] = true,   [T_MOVES] = true,
	};
	struct num_reader r = num_reader_of(rec->payload);

	while (!r.bad && r.rest.n != 0) {
		uint8_t table = num_read_u8(&r);
		struct slice key = num_read_blob(&r), row = num_read_blob(&r);

		if (r.bad || table >= T_COUNT || !known[table] || key.n == 0 || key.n > KV_KEY_MAX)
			return -1;
		kv_put(txn, table, key, row);
		if (table == T_MESSAGES && apply_message(e, txn, key, row) == -1)
			return -1;
	}
	return r.bad ? -1 : 0;
}
