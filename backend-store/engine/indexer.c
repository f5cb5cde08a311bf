/*
 * indexer - applies published transactions to LMDB, by commits that store the LSN applied
 * (a checkpoint), larger ones when it lags.
 *
 * When a commit fails the log still has everything: the transactions stay queued, what
 * they pin stays in memory, and the next attempt comes a little later.
 */
#include <stdlib.h>
#include <time.h>

#include "base/num.h"
#include "engine/engine_impl.h"

#define COMMIT_RECORDS_MOST 20000
#define RETRY_S 1

static void
apply_record(struct engine *e, struct kv_txn *txn, const struct engine_item *it)
{
	const struct record_header *h = &it->header;
	struct engine_record r = { h->lsn, h->object, h->kind, (enum engine_record_type)h->type,
		                   it->body };

	if (h->type == ENGINE_BLOB) {
		uint8_t key[8];
		struct buf row = BUF_INIT(256);

		/* compaction's copy of a known blob keeps its references */
		num_put_be64(key, h->object);
		blob_place_add(&row, &it->place, 0);
		kv_put(txn, e->t_blobs, slice_make(key, 8), buf_slice(&row));
		buf_fini(&row);
		return;
	}
	if (e->client->apply(e->client_ctx, e, txn, &r) == -1)
		log_error(NULL, "engine.record_skipped lsn=%llu kind=%u object=%llu",
		          (unsigned long long)r.lsn, r.kind, (unsigned long long)r.object);
}

int
indexer_apply(struct engine *e, struct list *txs, struct err *err)
{
	struct engine_tx *tx;
	struct kv_txn *txn;
	uint8_t raw[24];
	uint64_t last = 0;

	if (kv_begin_write(e->kv, &txn, err) != KV_OK)
		return -1;
	LIST_EACH (tx, txs, struct engine_tx, link) {
		e->applying = tx;
		for (size_t i = 0; i < tx->count; i++)
			apply_record(e, txn, &tx->items[i]);
		last = tx->first_lsn + tx->count - 1;
		/* where replay may begin: the segment of the last one applied */
		num_put_le64(raw + 8, tx->items[0].place.segment);
	}
	e->applying = NULL;
	num_put_le64(raw, last);
	num_put_le64(raw + 16, e->store_id);
	kv_put(txn, e->t_meta, SLICE("applied"), slice_make(raw, sizeof(raw)));
	if (kv_commit(&txn, err) != KV_OK)
		return -1;
	e->indexed_lsn = last;
	return 0;
}

/* Moves up to a commit's worth. With the lock. */
static void
take(struct engine *e, struct list *txs)
{
	struct engine_tx *tx;
	size_t records = 0;

	while (records < COMMIT_RECORDS_MOST &&
	       (tx = LIST_FIRST(&e->to_index, struct engine_tx, link)) != NULL) {
		records += tx->count;
		list_del(&tx->link);
		list_add_tail(txs, &tx->link);
	}
}

static void
put_back(struct engine *e, struct list *txs)
{
	struct list *last;

	while (!list_is_empty(txs)) {
		last = txs->prev;
		list_del(last);
		list_add_head(&e->to_index, last);
	}
}

/* False: nothing to do, or it cannot be done now. */
bool
indexer_step(struct engine *e)
{
	struct list txs;
	struct err err;
	bool ok;

	list_init(&txs);
	pthread_mutex_lock(&e->lock);
	take(e, &txs);
	pthread_mutex_unlock(&e->lock);
	if (list_is_empty(&txs))
		return false;
	ok = indexer_apply(e, &txs, &err) == 0;
	if (ok != !e->index_failed)
		log_warning(NULL, "engine.index ok=%d text=%s", ok, ok ? "-" : log_esc(err.text));
	e->index_failed = !ok;
	pthread_mutex_lock(&e->lock);
	if (!ok) {
		put_back(e, &txs);
	} else {
		while (!list_is_empty(&txs)) {
			struct list *first = txs.next;

			list_del(first);
			list_add_tail(&e->indexed, first);
		}
		if (!e->indexed_posted) {
			e->indexed_posted = true;
			loop_post(e->loop, engine_forget_indexed, e);
		}
	}
	pthread_mutex_unlock(&e->lock);
	return ok;
}

void *
indexer_main(void *ctx)
{
	struct engine *e = ctx;

	for (;;) {
		bool idle, closing;

		pthread_mutex_lock(&e->lock);
		while (list_is_empty(&e->to_index) && !e->closing)
			pthread_cond_wait(&e->index_wanted, &e->lock);
		idle = list_is_empty(&e->to_index);
		closing = e->closing;
		pthread_mutex_unlock(&e->lock);
		if (idle)
			return NULL;
		if (indexer_step(e))
			continue;
		if (closing)
			return NULL; /* the log has it; recovery will index it */
		nanosleep(&(struct timespec){ RETRY_S, 0 }, NULL);
	}
}
