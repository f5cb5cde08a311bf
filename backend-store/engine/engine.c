/* engine - transactions, publishing, state. Opening and closing: open.c. See engine.h. */
#include "engine/engine.h"

#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/xalloc.h"
#include "engine/engine_impl.h"

/* Published but not indexed yet: what may be pinned in memory, and will take its time. A record
 * counts by the size of its fact too, since one may be about any number of messages. Large
 * transactions are put off before small ones, so that whoever makes many stops nobody else. */
#define UNINDEXED_MOST 500000
#define UNINDEXED_MOST_LARGE 400000
#define LARGE 1000
#define APART_BYTES 4096   /* what a disk loses at least */
#define FACT_BYTES_ONE 256 /* of a fact, for each of which it counts one more */

const char *
engine_err_text(enum engine_err err)
{
	static const char *const texts[] = {
		[ENGINE_OK] = "ok",
		[ENGINE_FULL] = "the disk is full",
		[ENGINE_BUSY] = "too much is waiting to be written",
		[ENGINE_TOOBIG] = "the message is too big",
		[ENGINE_FAILED] = "the log could not be written",
		[ENGINE_ABSENT] = "there is no such body",
		[ENGINE_CORRUPT] = "the body is damaged",
	};

	return texts[err];
}

/* ---- building ------------------------------------------------------------------------ */

struct engine_tx *
engine_begin(struct engine *e, unsigned flags)
{
	struct engine_tx *tx = xcalloc(1, sizeof(*tx));

	must(e->building == NULL);
	tx->e = e;
	tx->flags = flags;
	tx->first_lsn = e->next_lsn;
	list_init(&tx->link);
	e->building = tx;
	return tx;
}

void
engine_tx_free(struct engine_tx **txp)
{
	struct engine_tx *tx = *txp;

	if (tx == NULL)
		return;
	for (size_t i = 0; i < tx->count; i++) {
		struct engine_item *it = &tx->items[i];

		free((void *)(uintptr_t)it->head.p);
		free((void *)(uintptr_t)it->body.p);
		free(it->pieces);
	}
	free(tx->items);
	free(tx);
	*txp = NULL;
}

void
engine_abort(struct engine_tx **tx)
{
	struct engine *e;

	if (*tx == NULL)
		return;
	e = (*tx)->e;
	must(e->building == *tx);
	e->next_lsn = (*tx)->first_lsn;
	e->building = NULL;
	engine_tx_free(tx);
}

static struct engine_item *
add_item(struct engine_tx *tx, enum engine_record_type type, uint64_t object, uint16_t kind)
{
	struct engine_item *it;

	must(tx->e->building == tx);
	if (tx->count == tx->cap) {
		tx->cap = tx->cap != 0 ? tx->cap * 2 : 2;
		tx->items = xreallocarray(tx->items, tx->cap, sizeof(*tx->items));
	}
	it = &tx->items[tx->count];
	*it = (struct engine_item){ .header = { .type = (uint8_t)type, .kind = kind } };
	it->header.lsn = tx->e->next_lsn++;
	it->header.object = object;
	if (tx->count == 0)
		it->header.flags = RECORD_FIRST;
	tx->count++;
	return it;
}

uint64_t
engine_add_blob(struct engine_tx *tx, const struct slice *pieces, size_t count,
                const uint8_t guid[ENGINE_GUID_LEN], struct slice summary)
{
	uint64_t bytes = 0;
	struct engine_item *it;
	char *head;

	for (size_t i = 0; i < count; i++)
		bytes += pieces[i].n;
	if (bytes > ENGINE_BLOB_MAX || summary.n > ENGINE_SUMMARY_MAX) {
		tx->too_big = true;
		return 0;
	}
	it = add_item(tx, ENGINE_BLOB, 0, 0);
	it->header.object = it->header.lsn;
	head = xmalloc(ENGINE_GUID_LEN + summary.n);
	memcpy(head, guid, ENGINE_GUID_LEN);
	if (summary.n != 0)
		memcpy(head + ENGINE_GUID_LEN, summary.p, summary.n);
	it->head = slice_make(head, ENGINE_GUID_LEN + summary.n);
	it->pieces = xreallocarray(NULL, count + 1, sizeof(*it->pieces));
	if (count != 0)
		memcpy(it->pieces, pieces, count * sizeof(*pieces));
	it->piece_count = count;
	it->header.head_bytes = (uint32_t)it->head.n;
	it->header.body_bytes = (uint32_t)bytes;
	tx->weight++;
	tx->has_blob = true;
	tx->bytes += record_bytes(&it->header);
	return it->header.lsn;
}

static uint64_t
add_payload(struct engine_tx *tx, enum engine_record_type type, uint64_t object, uint16_t kind,
            struct slice payload)
{
	struct engine_item *it = add_item(tx, type, object, kind);

	if (payload.n > ENGINE_BLOB_MAX) {
		tx->too_big = true;
		return it->header.lsn;
	}
	it->body = slice_make(slice_dup(payload), payload.n);
	it->header.body_bytes = (uint32_t)payload.n;
	tx->weight += 1 + payload.n / FACT_BYTES_ONE;
	tx->bytes += record_bytes(&it->header);
	return it->header.lsn;
}

uint64_t
engine_add_fact(struct engine_tx *tx, uint64_t object, uint16_t kind, struct slice payload)
{
	return add_payload(tx, ENGINE_FACT, object, kind, payload);
}

/* ---- for compaction -------------------------------------------------------------------- */

bool
snapshot_read(struct slice payload, struct snapshot_mark *m, struct slice *rows_r)
{
	struct num_reader r = num_reader_of(payload);

	m->as_of = num_read_u64(&r);
	m->id = num_read_u64(&r);
	m->part = num_read_u32(&r);
	*rows_r = r.rest;
	return !r.bad;
}

void
engine_add_snapshot(struct engine_tx *tx, uint64_t object, const struct snapshot_mark *m,
                    struct slice rows, bool last, bool apart)
{
	struct buf b = BUF_INIT(SIZE_MAX);
	struct engine_item *it;

	buf_add_u64(&b, m->as_of);
	buf_add_u64(&b, m->id);
	buf_add_u32(&b, m->part);
	buf_add_slice(&b, rows);
	(void)add_payload(tx, last ? ENGINE_SNAPSHOT_LAST : ENGINE_SNAPSHOT, object, 0,
	                  buf_slice(&b));
	buf_fini(&b);
	if (!apart)
		return;
	it = &tx->items[tx->count - 1];
	tx->bytes -= record_bytes(&it->header);
	it->head = slice_make(xcalloc(1, APART_BYTES), APART_BYTES);
	it->header.head_bytes = APART_BYTES;
	tx->bytes += record_bytes(&it->header);
}

void
engine_add_copy(struct engine_tx *tx, uint64_t id, struct slice head, struct slice body)
{
	struct engine_item *it = add_item(tx, ENGINE_BLOB, id, 0);

	it->head = slice_make(slice_dup(head), head.n);
	it->pieces = xcalloc(1, sizeof(*it->pieces));
	it->pieces[0] = body;
	it->piece_count = 1;
	it->header.head_bytes = (uint32_t)head.n;
	it->header.body_bytes = (uint32_t)body.n;
	tx->weight++;
	tx->has_blob = true;
	tx->bytes += record_bytes(&it->header);
}

/* ---- committing ------------------------------------------------------------------------ */

/* Small facts go on at the floor, and stop where they would take the last file from compaction,
 * which alone gives space back. */
static bool
is_full_for(struct engine *e, const struct engine_tx *tx, uint64_t queued)
{
	if (!e->full || (tx->flags & ENGINE_TX_COMPACT))
		return false;
	if (tx->has_blob || !(tx->flags & ENGINE_TX_SMALL))
		return true;
	return e->tight && queued + tx->bytes + RECORD_BATCH_BYTES > e->room;
}

static enum engine_err
may_commit(struct engine *e, const struct engine_tx *tx)
{
	uint64_t queued;

	if (e->failed)
		return ENGINE_FAILED;
	if (tx->too_big)
		return ENGINE_TOOBIG;
	pthread_mutex_lock(&e->lock);
	queued = e->queued_bytes;
	pthread_mutex_unlock(&e->lock);
	if (is_full_for(e, tx, queued))
		return ENGINE_FULL;
	/* a first one passes whatever its size: it could never be taken otherwise */
	if (queued != 0 && queued + tx->bytes > e->config.queue_bytes)
		return ENGINE_BUSY;
	if (e->unindexed_weight > (tx->weight > LARGE ? UNINDEXED_MOST_LARGE : UNINDEXED_MOST))
		return ENGINE_BUSY;
	return ENGINE_OK;
}

/* Without threads: write, publish and index in turns of the loop. */
static void
step(void *ctx)
{
	struct engine *e = ctx;

	e->step_queued = false;
	(void)writer_step(e);
}

enum engine_err
engine_commit(struct engine_tx **txp, engine_commit_fn *fn, void *ctx)
{
	struct engine_tx *tx = *txp;
	struct engine *e = tx->e;
	enum engine_err err = may_commit(e, tx);

	must(tx->count != 0 || tx->too_big);
	if (err != ENGINE_OK) {
		engine_abort(txp);
		return err;
	}
	tx->items[tx->count - 1].header.flags |= RECORD_LAST;
	tx->fn = fn;
	tx->ctx = ctx;
	e->building = NULL;
	*txp = NULL;
	pthread_mutex_lock(&e->lock);
	list_add_tail(&e->to_write, &tx->link);
	e->queued_bytes += tx->bytes;
	pthread_cond_signal(&e->write_wanted);
	pthread_mutex_unlock(&e->lock);
	if (!e->config.threads && !e->step_queued) {
		e->step_queued = true;
		loop_defer(e->loop, step, e);
	}
	return ENGINE_OK;
}

/* ---- publishing -------------------------------------------------------------------------- */

static void
index_step(void *ctx)
{
	struct engine *e = ctx;

	e->index_queued = false;
	(void)indexer_step(e);
}

static void
hand_to_indexer(struct engine *e, struct engine_tx *tx)
{
	e->unindexed_weight += tx->weight;
	pthread_mutex_lock(&e->lock);
	list_add_tail(&e->to_index, &tx->link);
	pthread_cond_signal(&e->index_wanted);
	pthread_mutex_unlock(&e->lock);
	if (!e->config.threads && !e->config.manual_index && !e->index_queued) {
		e->index_queued = true;
		loop_defer(e->loop, index_step, e);
	}
}

static void
publish_one(struct engine *e, struct engine_tx *tx)
{
	uint64_t last = tx->first_lsn + tx->count - 1;
	engine_commit_fn *fn = tx->fn;
	void *ctx = tx->ctx;

	if (tx->result != ENGINE_OK) {
		engine_tx_free(&tx);
		if (fn != NULL)
			fn(ctx, ENGINE_FAILED, last);
		return;
	}
	e->published_lsn = last;
	for (size_t i = 0; i < tx->count; i++)
		if (tx->items[i].header.type == ENGINE_BLOB)
			map_set(e->unindexed, map_key_u64(&tx->items[i].header.object),
			        &tx->items[i]);
	/* Before the callback: the client may ask for what is indexed there. */
	hand_to_indexer(e, tx);
	if (fn != NULL)
		fn(ctx, ENGINE_OK, last);
}

void
engine_publish(void *ctx)
{
	struct engine *e = ctx;
	struct list txs;

	list_init(&txs);
	pthread_mutex_lock(&e->lock);
	e->publish_posted = false;
	while (!list_is_empty(&e->written)) {
		struct list *first = e->written.next;

		list_del(first);
		list_add_tail(&txs, first);
	}
	pthread_mutex_unlock(&e->lock);
	while (!list_is_empty(&txs)) {
		struct engine_tx *tx = LIST_FIRST(&txs, struct engine_tx, link);

		list_del(&tx->link);
		publish_one(e, tx);
	}
}

void
engine_forget_indexed(void *ctx)
{
	struct engine *e = ctx;
	struct list txs;
	uint64_t last = 0;

	list_init(&txs);
	pthread_mutex_lock(&e->lock);
	e->indexed_posted = false;
	while (!list_is_empty(&e->indexed)) {
		struct list *first = e->indexed.next;

		list_del(first);
		list_add_tail(&txs, first);
	}
	pthread_mutex_unlock(&e->lock);
	while (!list_is_empty(&txs)) {
		struct engine_tx *tx = LIST_FIRST(&txs, struct engine_tx, link);

		list_del(&tx->link);
		for (size_t i = 0; i < tx->count; i++)
			if (tx->items[i].header.type == ENGINE_BLOB)
				map_del(e->unindexed, map_key_u64(&tx->items[i].header.object));
		last = tx->first_lsn + tx->count - 1;
		e->unindexed_weight -= tx->weight;
		engine_tx_free(&tx);
	}
	if (last != 0 && e->client->indexed != NULL)
		e->client->indexed(e->client_ctx, last);
	compactor_on_indexed(e);
}

void
engine_index_now(struct engine *e)
{
	must(!e->config.threads);
	while (indexer_step(e))
		;
}

/* ---- state --------------------------------------------------------------------------------- */

enum kv_err
engine_read(struct engine *e, struct kv_txn **txn_r, struct err *err)
{
	return kv_begin_read(e->kv, txn_r, err);
}

uint64_t
engine_get_id(const struct engine *e)
{
	return e->store_id;
}

void
engine_look_at_space(struct engine *e)
{
	if (!e->config.threads) {
		writer_look_at_space(e);
		return;
	}
	pthread_mutex_lock(&e->lock);
	e->look_wanted = true;
	pthread_cond_signal(&e->write_wanted);
	pthread_mutex_unlock(&e->lock);
}

void
engine_get_stats(struct engine *e, struct engine_stats *s)
{
	*s = (struct engine_stats){
		.next_lsn = e->next_lsn,
		.published_lsn = e->published_lsn,
		.indexed_lsn = e->indexed_lsn,
		.batches = e->batches,
		.transactions = e->transactions,
		.bytes_written = e->bytes_written,
		.syncs = e->syncs,
		.free_bytes = e->free_bytes,
		.segments = e->segments,
		.damaged = e->damaged,
		.failed = e->failed,
		.full = e->full,
	};
	pthread_mutex_lock(&e->lock);
	s->queued_bytes = e->queued_bytes;
	pthread_mutex_unlock(&e->lock);
	compactor_get_stats(e, &s->compact);
}
