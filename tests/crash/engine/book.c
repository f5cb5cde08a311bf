/* book - see book.h. */
#include "book.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/xalloc.h"
#include "lib/test.h"
#include "log/log.h"

#define ACCOUNTS 8
/* Objects of compaction. */
#define OF_ACCOUNT(n) (ENGINE_OBJECT_OWN + 1 + (n))
#define OF_BODY(n) (ENGINE_OBJECT_OWN + 1000 + (n))

static const char *const tables[] = { "accounts", "bodies" };

uint64_t
book_draw(struct book *b)
{
	b->rng = b->rng * 6364136223846793005ULL + 1442695040888963407ULL;
	return b->rng >> 33;
}

/* ---- the client ------------------------------------------------------------------------ */

static int64_t
get_account(struct kv_txn *txn, uint64_t account)
{
	uint8_t key[8];
	struct slice row;

	num_put_be64(key, account);
	return kv_get(txn, BOOK_T_ACCOUNTS, slice_make(key, 8), &row)
	               ? (int64_t)num_get_le64((const uint8_t *)row.p)
	               : 0;
}

static int
apply_move(struct engine *e, struct kv_txn *txn, const struct engine_record *r)
{
	uint8_t key[8], row[8];
	int64_t now =
		get_account(txn, r->object) + (int64_t)num_get_le64((const uint8_t *)r->payload.p);

	if (engine_apply_is_old(e, txn, OF_ACCOUNT(r->object), r->lsn))
		return 0;
	num_put_be64(key, r->object);
	num_put_le64(row, (uint64_t)now);
	kv_put(txn, BOOK_T_ACCOUNTS, slice_make(key, 8), slice_make(row, 8));
	return 0;
}

static int
apply_body(struct engine *e, struct kv_txn *txn, const struct engine_record *r)
{
	uint8_t key[8];
	struct slice row;
	bool there;

	if (engine_apply_is_old(e, txn, OF_BODY(r->object), r->lsn))
		return 0;
	num_put_be64(key, r->object);
	there = kv_get(txn, BOOK_T_BODIES, slice_make(key, 8), &row);
	if (r->kind == BOOK_FACT_BODY) {
		must(!there); /* only once: replay that came twice would show */
		engine_apply_ref(e, txn, num_get_le64((const uint8_t *)r->payload.p), 1);
		kv_put(txn, BOOK_T_BODIES, slice_make(key, 8), r->payload);
	} else if (there) {
		engine_apply_ref(e, txn, num_get_le64((const uint8_t *)row.p), -1);
		(void)kv_del(txn, BOOK_T_BODIES, slice_make(key, 8));
		engine_apply_gone(e, txn, OF_BODY(r->object));
	}
	return 0;
}

/* The row as it is. */
static int
apply_snapshot(struct engine *e, struct kv_txn *txn, const struct engine_record *r)
{
	bool account = r->object < OF_BODY(0);
	uint8_t key[8];

	num_put_be64(key, r->object - (account ? OF_ACCOUNT(0) : OF_BODY(0)));
	if (r->payload.n == 0)
		return 0;
	kv_put(txn, account ? BOOK_T_ACCOUNTS : BOOK_T_BODIES, slice_make(key, 8), r->payload);
	if (!account)
		engine_apply_ref(e, txn, num_get_le64((const uint8_t *)r->payload.p), 1);
	return 0;
}

/* Each commit stores one. */
static void
note_checkpoint(struct book *b, struct kv_txn *txn)
{
	struct slice row;
	uint64_t lsn = 0;

	if (kv_get(txn, BOOK_T_META, SLICE("applied"), &row))
		lsn = num_get_le64((const uint8_t *)row.p);
	b->checkpoints += lsn != b->checkpoint;
	b->checkpoint = lsn;
}

static int
apply(void *ctx, struct engine *e, struct kv_txn *txn, const struct engine_record *r)
{
	note_checkpoint(ctx, txn);
	if (r->type != ENGINE_FACT)
		return apply_snapshot(e, txn, r);
	return r->kind == BOOK_FACT_MOVE ? apply_move(e, txn, r) : apply_body(e, txn, r);
}

static bool
concerns(UNUSED void *ctx, UNUSED struct kv_txn *txn, const struct engine_record *r,
         engine_object_fn *fn, void *fn_ctx)
{
	fn(fn_ctx, r->kind == BOOK_FACT_MOVE ? OF_ACCOUNT(r->object) : OF_BODY(r->object));
	return false;
}

static int
dump(UNUSED void *ctx, struct kv_txn *txn, uint64_t object, engine_part_fn *fn, void *fn_ctx)
{
	bool account = object < OF_BODY(0);
	uint8_t key[8];
	struct slice row;

	num_put_be64(key, object - (account ? OF_ACCOUNT(0) : OF_BODY(0)));
	if (kv_get(txn, account ? BOOK_T_ACCOUNTS : BOOK_T_BODIES, slice_make(key, 8), &row))
		fn(fn_ctx, row);
	return 0;
}

static uint64_t
weigh(UNUSED void *ctx, UNUSED struct kv_txn *txn, UNUSED uint64_t object)
{
	return 80;
}

static const struct engine_compact_client compact_client = { .concerns = concerns,
	                                                     .dump = dump,
	                                                     .weigh = weigh };
static const struct engine_client client = {
	.apply = apply, .compact = &compact_client, .tables = tables, .table_count = BOOK_T_COUNT
};

bool
book_open(struct book *b, struct err *err)
{
	struct engine_config c = {
		.dir = b->dir,
		.owner = "store1",
		.os = disk_os(b->disk),
		.loop = b->loop,
		.manual_index = true,
		.segment_bytes = 64 << 10,
		.index_map_bytes = 64 << 20,
		.floor_bytes = b->floor_bytes,
	};

	b->e = engine_open(&c, &client, b, err);
	return b->e != NULL;
}

void
book_on_commit(void *ctx, enum engine_err result, UNUSED uint64_t lsn)
{
	struct book_move *m = ctx;

	m->b->published[m->number] = result == ENGINE_OK;
}

static void
make_text(struct book *b, unsigned number)
{
	size_t n = 20 + book_draw(b) % (book_draw(b) % 8 == 0 ? 30000 : 3000);

	free(b->text[number]);
	b->text[number] = xmalloc(n + 1);
	snprintf(b->text[number], n + 1, "transaction %u ", number);
	for (size_t i = strlen(b->text[number]); i < n; i++)
		b->text[number][i] = (char)('a' + (number + i) % 26);
	b->text[number][n] = '\0';
}

void
book_move(struct book *b)
{
	struct engine_tx *tx = engine_begin(b->e, 0);
	struct book_move *m = &b->moves[b->next];
	uint64_t amount = book_draw(b) % 1000, blob;
	uint8_t raw[8], guid[ENGINE_GUID_LEN] = { 1 };
	struct slice body;

	*m = (struct book_move){ b, b->next++ };
	make_text(b, m->number);
	body = slice_of(b->text[m->number]);
	blob = engine_add_blob(tx, &body, 1, guid, SLICE("summary"));
	num_put_le64(raw, amount);
	engine_add_fact(tx, book_draw(b) % ACCOUNTS, BOOK_FACT_MOVE, slice_make(raw, 8));
	num_put_le64(raw, (uint64_t) - (int64_t)amount);
	engine_add_fact(tx, book_draw(b) % ACCOUNTS, BOOK_FACT_MOVE, slice_make(raw, 8));
	num_put_le64(raw, blob);
	engine_add_fact(tx, m->number, BOOK_FACT_BODY, slice_make(raw, 8));
	/* refused: not published, which is what is remembered */
	(void)!engine_commit(&tx, book_on_commit, m);
}

void
book_on_dropped(void *ctx, enum engine_err result, UNUSED uint64_t lsn)
{
	struct book_move *m = ctx;

	if (result == ENGINE_OK)
		m->b->fate[m->number] = BOOK_DROPPED;
}

void
book_drop(struct book *b)
{
	unsigned number = (unsigned)(book_draw(b) % b->next);
	struct engine_tx *tx;

	if (!b->published[number] || b->fate[number] != BOOK_KEPT)
		return;
	tx = engine_begin(b->e, ENGINE_TX_SMALL);
	engine_add_fact(tx, number, BOOK_FACT_DROP, SLICE(""));
	if (engine_commit(&tx, book_on_dropped, &b->moves[number]) == ENGINE_OK)
		b->fate[number] = BOOK_PERHAPS;
}

void
book_work(struct book *b, unsigned turns)
{
	for (unsigned i = 0; i < turns && b->next < BOOK_TXS_MOST; i++) {
		unsigned burst = 1 + book_draw(b) % 4;

		while (burst-- > 0 && b->next < BOOK_TXS_MOST) {
			book_move(b);
			for (unsigned k = 0; b->compacts && k < 2; k++)
				book_drop(b);
		}
		if (b->compacts && book_draw(b) % 4 == 0)
			(void)engine_compact(b->e);
		fakenet_settle(b->loop);
		if (!disk_is_cut(b->disk) && book_draw(b) % 5 == 0) {
			engine_index_now(b->e);
			fakenet_settle(b->loop);
		}
		if (disk_is_cut(b->disk))
			return;
	}
}

void
book_open_with_cuts(struct book *b, uint64_t seed)
{
	struct err err;

	for (unsigned i = 0; i < 3; i++) {
		disk_cut_after(b->disk,
		               1 + book_draw(b) % 9); /* its second writing of the tail too */
		if (book_open(b, &err) && !disk_is_cut(b->disk))
			break;
		engine_close(&b->e);
		disk_power_on(b->disk);
	}
	disk_cut_after(b->disk, 0);
	if (b->e == NULL)
		test_check(book_open(b, &err), "seed %llu: %s", (unsigned long long)seed, err.text);
}

struct book *
book_new(uint64_t seed)
{
	struct book *b = xcalloc(1, sizeof(*b));

	log_set_level(LOG_ERROR); /* what is told of all that damage nobody wants to read */
	assert_int_equal(log_open("test", "/dev/null"), 0);
	b->rng = seed;
	b->disk = disk_new(seed);
	b->loop = loop_new();
	snprintf(b->dir, sizeof(b->dir), "%s/%llu", test_dir(), (unsigned long long)seed);
	return b;
}

void
book_free(struct book *b)
{
	char command[400];

	engine_close(&b->e);
	loop_free(&b->loop);
	disk_free(&b->disk);
	for (unsigned i = 0; i < BOOK_TXS_MOST; i++)
		free(b->text[i]);
	snprintf(command, sizeof(command), "rm -rf '%s'", b->dir);
	must(system(command) == 0);
	free(b);
}

void
book_fill(struct book *b, unsigned count)
{
	struct err err;

	test_check(book_open(b, &err), "%s", err.text);
	for (unsigned i = 0; i < count; i++) {
		book_move(b);
		fakenet_settle(b->loop);
	}
	for (unsigned i = 0; i < 3 * count; i++) {
		book_drop(b);
		fakenet_settle(b->loop);
	}
	engine_index_now(b->e);
	fakenet_settle(b->loop);
}

void
book_run_compaction(struct book *b, struct engine_stats *stats_r)
{
	for (unsigned i = 0; i < 500; i++) {
		fakenet_settle(b->loop);
		engine_index_now(b->e);
	}
	engine_get_stats(b->e, stats_r);
}

void
book_drop_index(struct book *b)
{
	char command[400];

	snprintf(command, sizeof(command), "rm -rf '%s/index'", b->dir);
	must(system(command) == 0);
}

/* ---- what must hold ----------------------------------------------------------------------- */

static void
check_body(struct book *b, unsigned number, uint64_t blob)
{
	struct buf got = BUF_INIT(1 << 20), summary = BUF_INIT(1 << 10);

	assert_int_equal(engine_blob_read(b->e, blob, 0, UINT64_MAX, &got), ENGINE_OK);
	test_eq_str("body", buf_cstr(&got), b->text[number]);
	assert_int_equal(engine_blob_summary(b->e, blob, &summary), ENGINE_OK);
	test_eq_slice("summary", buf_slice(&summary), SLICE("summary"));
	buf_fini(&got);
	buf_fini(&summary);
}

void
book_check(struct book *b, uint64_t seed)
{
	struct kv_txn *txn;
	struct err err;
	int64_t sum = 0;

	test_check(engine_read(b->e, &txn, &err) == KV_OK, "%s", err.text);
	for (uint64_t i = 0; i < ACCOUNTS; i++)
		sum += get_account(txn, i);
	test_check(sum == 0, "seed %llu: half a transaction", (unsigned long long)seed);
	for (unsigned i = 0; i < b->next; i++) {
		uint64_t object = i, blob;
		uint8_t key[8];
		struct slice row;
		bool there;

		num_put_be64(key, object);
		there = kv_get(txn, BOOK_T_BODIES, slice_make(key, 8), &row);
		test_check(there || !b->published[i] || b->fate[i] != BOOK_KEPT,
		           "seed %llu: transaction %u was lost", (unsigned long long)seed, i);
		test_check(!there || b->fate[i] != BOOK_DROPPED,
		           "seed %llu: body %u is there again", (unsigned long long)seed, i);
		if (b->fate[i] == BOOK_PERHAPS) /* it has been seen now */
			b->fate[i] = there ? BOOK_KEPT : BOOK_DROPPED;
		if (!there)
			continue;
		/* what was shown once stays */
		b->published[i] = true;
		blob = num_get_le64((const uint8_t *)row.p);
		check_body(b, i, blob);
	}
	kv_end(&txn);
}

static void
add_table(struct book *b, unsigned table, size_t from, struct buf *out)
{
	struct kv_txn *txn;
	struct kv_cursor *c;
	struct slice key, row;

	assert_int_equal(engine_read(b->e, &txn, NULL), KV_OK);
	c = kv_cursor_new(txn, table);
	for (bool more = kv_cursor_seek(c, SLICE(""), &key, &row); more;
	     more = kv_cursor_next(c, &key, &row)) {
		buf_printf(out, "%u ", table);
		for (size_t i = 0; i < key.n; i++)
			buf_printf(out, "%02x", (uint8_t)key.p[i]);
		buf_add_str(out, " ");
		for (size_t i = from; i < row.n; i++)
			buf_printf(out, "%02x", (uint8_t)row.p[i]);
		buf_add_str(out, "\n");
	}
	kv_cursor_free(&c);
	kv_end(&txn);
}

void
book_describe(struct book *b, struct buf *out)
{
	add_table(b, BOOK_T_ACCOUNTS, 0, out);
	add_table(b, BOOK_T_BODIES, 0, out);
	/* but for the places: the last batch is written once more */
	add_table(b, BOOK_T_BLOBS, 16, out);
}

void
book_compare(const struct buf *was, const struct buf *is, uint64_t seed)
{
	struct slice a = buf_slice(was), b = buf_slice(is);

	while (a.n != 0 || b.n != 0) {
		struct slice old = slice_cut(&a, '\n'), new = slice_cut(&b, '\n');

		test_check(slice_eq(old, new), "seed %llu: another index: %.*s instead of %.*s",
		           (unsigned long long)seed, SLICE_ARG(new), SLICE_ARG(old));
	}
}

void
book_check_account(struct book *b, uint64_t seed)
{
	uint64_t bodies[300] = { 0 };
	struct kv_txn *txn;
	struct kv_cursor *c;
	struct slice key, row;

	assert_int_equal(engine_read(b->e, &txn, NULL), KV_OK);
	c = kv_cursor_new(txn, BOOK_T_BLOBS);
	for (bool more = kv_cursor_seek(c, SLICE(""), &key, &row); more;
	     more = kv_cursor_next(c, &key, &row))
		bodies[num_get_le64((const uint8_t *)row.p) % ARRAY_LEN(bodies)]++;
	kv_cursor_free(&c);
	c = kv_cursor_new(txn, BOOK_T_SEGMENTS);
	for (bool more = kv_cursor_seek(c, SLICE(""), &key, &row); more;
	     more = kv_cursor_next(c, &key, &row)) {
		uint64_t *found = &bodies[num_get_be64((const uint8_t *)key.p)];

		test_check(*found == num_get_le64((const uint8_t *)row.p),
		           "seed %llu: another number of bodies", (unsigned long long)seed);
		*found = 0;
	}
	kv_cursor_free(&c);
	kv_end(&txn);
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++)
		test_check(bodies[i] == 0, "seed %llu: bodies of nobody's file",
		           (unsigned long long)seed);
}

void
book_note_stats(struct book *b, uint64_t seed)
{
	struct engine_stats stats;

	engine_get_stats(b->e, &stats);
	b->dropped_files += stats.compact.dropped;
	test_check(stats.compact.kept_damaged == 0, "seed %llu: a file was taken for damaged",
	           (unsigned long long)seed);
}

void
book_check_rebuild(struct book *b, uint64_t seed)
{
	struct buf was = BUF_INIT(SIZE_MAX), is = BUF_INIT(SIZE_MAX);
	struct engine_stats stats;
	struct err err;

	engine_index_now(b->e);
	fakenet_settle(b->loop);
	engine_index_now(b->e);
	book_describe(b, &was);
	book_note_stats(b, seed);
	engine_close(&b->e);
	book_drop_index(b);
	test_check(book_open(b, &err), "seed %llu: %s", (unsigned long long)seed, err.text);
	engine_get_stats(b->e, &stats);
	test_check(stats.damaged == 0, "seed %llu: holes were taken for damage",
	           (unsigned long long)seed);
	book_describe(b, &is);
	book_compare(&was, &is, seed);
	book_check_account(b, seed);
	buf_fini(&was);
	buf_fini(&is);
}
