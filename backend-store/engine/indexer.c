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
apply_fact(struct engine *e, struct kv_txn *txn, const struct engine_item *it, struct slice payload)
{
	const struct record_header *h = &it->header;
	struct engine_record r = { h->lsn, h->object, h->kind, (enum engine_record_type)h->type,
		                   payload };

	if (e->client->apply(e->client_ctx, e, txn, &r) == -1)
		log_error(NULL, "engine.record_skipped lsn=%llu kind=%u object=%llu",
		          (unsigned long long)r.lsn, r.kind, (unsigned long long)r.object);
}

/* What the index has already needs no snapshot: it is only noted, and read in a rebuild. */
static void
apply_snapshot(struct engine *e, struct kv_txn *txn, const struct engine_item *it)
{
	struct snapshot_mark m, newest;
	struct slice rows;

	if (e->pass == PASS_LIVE || e->pass == PASS_BODIES)
		account_snapshot(e, txn, it);
	else if (e->pass == PASS_SNAPSHOTS && snapshot_read(it->body, &m, &rows) &&
	         account_get_object(e, txn, it->header.object, &newest) && newest.id == m.id)
		apply_fact(e, txn, it, rows);
}

static void
apply_record(struct engine *e, struct kv_txn *txn, const struct engine_item *it)
{
	switch (it->header.type) {
	case ENGINE_BLOB:
		if (e->pass != PASS_SNAPSHOTS)
			blob_apply(e, txn, it);
		break;
	case ENGINE_SNAPSHOT:
	case ENGINE_SNAPSHOT_LAST:
		apply_snapshot(e, txn, it);
		break;
	default:
		if (e->pass == PASS_LIVE || e->pass == PASS_FACTS)
			apply_fact(e, txn, it, it->body);
	}
}

/* Where replay may begin: the file of the last transaction applied. */
static void
put_checkpoint(struct engine *e, struct kv_txn *txn, uint64_t lsn, uint64_t segment)
{
	uint8_t raw[24];

	num_put_le64(raw, lsn);
	num_put_le64(raw + 8, segment);
	num_put_le64(raw + 16, e->store_id);
	kv_put(txn, e->t_meta, SLICE("applied"), slice_make(raw, sizeof(raw)));
}

int
indexer_apply(struct engine *e, struct list *txs, struct err *err)
{
	bool counts = e->pass == PASS_LIVE || e->pass == PASS_FACTS, ok;
	uint64_t last = 0, segment = 0;
	struct engine_tx *tx;
	struct kv_txn *txn;

	if (kv_begin_write(e->kv, &txn, err) != KV_OK)
		return -1;
	account_begin(e, txn);
	LIST_EACH (tx, txs, struct engine_tx, link) {
		e->applying = tx;
		for (size_t i = 0; i < tx->count; i++)
			apply_record(e, txn, &tx->items[i]);
		last = tx->items[tx->count - 1].header.lsn;
		segment = tx->items[0].place.segment;
		if (counts)
			account_note_applied(e, segment, last);
	}
	e->applying = NULL;
	account_flush(e, txn);
	if (counts)
		put_checkpoint(e, txn, last, segment);
	ok = kv_commit(&txn, err) == KV_OK;
	account_committed(e, ok);
	if (ok && counts) {
		e->replay_segment = segment;
		e->indexed_lsn = last;
	}
	return ok ? 0 : -1;
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
