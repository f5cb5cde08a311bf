/*
 * writer - the log writer: all that came since the last time goes out as one batch, one
 * pwritev (more only above IOV_MAX), one fdatasync.
 *
 * What was written is published by the loop in the order written. After a failure nothing
 * is ever written again: the file's pages may be marked clean without being on disk, so a
 * second fdatasync would lie.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "engine/engine_impl.h"
#include "hash/hash.h"

#define BATCH_BYTES_MOST (64ull << 20) /* more waits for the next batch */
#define TIGHT_EXTRA (16ull << 20)      /* beyond the file that is left for compaction */
#define INDEX_EXTRA (16ull << 20)      /* what the log leaves to the index, of small files less */

static void
seal_item(struct engine *e, struct engine_item *it, uint64_t at)
{
	struct record_header *h = &it->header;

	h->segment_id = e->current.id;
	h->head_sum = hash_of(it->head);
	h->body_sum = it->pieces != NULL ? hash_of_pieces(it->pieces, it->piece_count)
	                                 : hash_of(it->body);
	record_put_header(it->raw, h);
	it->place = (struct blob_place){ e->current.number, at,          h->head_bytes,
		                         h->body_bytes,     h->head_sum, h->body_sum };
}

struct iovs {
	struct iovec *v;
	size_t count, cap;
};

static void
iov_add(struct iovs *io, const void *p, size_t n)
{
	if (n == 0)
		return;
	if (io->count == io->cap) {
		io->cap = io->cap != 0 ? io->cap * 2 : 64;
		io->v = xreallocarray(io->v, io->cap, sizeof(*io->v));
	}
	io->v[io->count++] = (struct iovec){ (void *)(uintptr_t)p, n };
}

static void
iov_add_item(struct iovs *io, const struct engine_item *it)
{
	static const char zeros[8];
	uint64_t used = (uint64_t)it->header.head_bytes + it->header.body_bytes;

	iov_add(io, it->raw, sizeof(it->raw));
	iov_add(io, it->head.p, it->head.n);
	if (it->pieces != NULL)
		for (size_t i = 0; i < it->piece_count; i++)
			iov_add(io, it->pieces[i].p, it->pieces[i].n);
	else
		iov_add(io, it->body.p, it->body.n);
	iov_add(io, zeros, (size_t)((8 - used % 8) % 8));
}

static int
write_all(struct engine *e, struct iovs *io, uint64_t at)
{
	size_t i = 0;

	while (i < io->count) {
		int n = (int)MIN(io->count - i, (size_t)IOV_MAX);
		ssize_t put = e->os->ops->pwritev(e->os, e->current.fd, io->v + i, n, at);

		if (put == -1 && errno == EINTR)
			continue;
		if (put == 0)
			errno = EIO;
		if (put <= 0)
			return -1;
		at += (uint64_t)put;
		for (; put > 0; i++) {
			if ((size_t)put < io->v[i].iov_len) {
				io->v[i].iov_base = (char *)io->v[i].iov_base + put;
				io->v[i].iov_len -= (size_t)put;
				break;
			}
			put -= (ssize_t)io->v[i].iov_len;
		}
	}
	return 0;
}

uint64_t
writer_spare(const struct engine *e)
{
	uint64_t free_bytes = e->free_bytes, extra = MIN(INDEX_EXTRA, e->config.segment_bytes / 4);

	return free_bytes > extra ? free_bytes - extra : 0;
}

static int
make_ahead(struct engine *e, uint64_t bytes)
{
	return segment_create(e, &e->ahead, e->current.number + 1, bytes);
}

/* A whole one, or on a disk that has not so much what it has: compaction needs little to give
 * much, and after a restart there is no file to go on in. */
static int
make_next(struct engine *e, uint64_t at_least)
{
	uint64_t bytes = e->config.segment_bytes;

	writer_look_at_space(e);
	if (e->free_bytes != 0) /* or it is not known */
		bytes = MIN(bytes, writer_spare(e));
	return make_ahead(e, MAX(at_least, bytes));
}

/* Room for a batch of so many bytes in the current segment, else the next one. */
static int
make_room(struct engine *e, uint64_t bytes)
{
	uint64_t need = bytes + RECORD_BATCH_BYTES, prev_id;

	if (e->current.fd != -1 && e->current.bytes - e->current.at >= need)
		return 0;
	need += RECORD_SEGMENT_BYTES;
	if (e->ahead.fd != -1 && e->ahead.bytes < need)
		segment_close(e, &e->ahead);
	if (e->ahead.fd == -1 && make_next(e, need) == -1)
		return -1;
	/* What was allocated and not used goes back. */
	if (e->current.fd != -1)
		(void)e->os->ops->truncate(e->os, e->current.fd, e->current.at);
	segment_close(e, &e->current);
	prev_id = e->current.id;
	e->current = e->ahead;
	e->ahead.fd = -1;
	return segment_activate(e, &e->current, e->durable, prev_id);
}

/* Writes and syncs one batch. txs is not empty. */
int
writer_write(struct engine *e, struct list *txs)
{
	struct record_batch batch = { 0 };
	uint8_t raw[RECORD_BATCH_BYTES];
	struct iovs io = { NULL, 0, 0 };
	struct engine_tx *tx;
	uint64_t at, last = 0;
	int rc;

	LIST_EACH (tx, txs, struct engine_tx, link) {
		batch.bytes += tx->bytes;
		batch.records += (uint32_t)tx->count;
		last = tx->first_lsn + tx->count - 1;
	}
	if (make_room(e, batch.bytes) == -1)
		return -1;
	batch.segment_id = e->current.id;
	batch.durable = e->durable;
	batch.first_lsn = LIST_FIRST(txs, struct engine_tx, link)->first_lsn;
	record_put_batch(raw, &batch);
	iov_add(&io, raw, sizeof(raw));
	at = e->current.at + sizeof(raw);
	LIST_EACH (tx, txs, struct engine_tx, link) {
		for (size_t i = 0; i < tx->count; i++) {
			seal_item(e, &tx->items[i], at);
			iov_add_item(&io, &tx->items[i]);
			at += record_bytes(&tx->items[i].header);
		}
		e->transactions++;
	}
	rc = write_all(e, &io, e->current.at);
	free(io.v);
	if (rc == -1 || e->os->ops->fdatasync(e->os, e->current.fd) == -1)
		return -1;
	e->current.at = at;
	e->room = e->current.bytes - at;
	e->durable = last;
	e->batches++;
	e->syncs++;
	e->bytes_written += batch.bytes + sizeof(raw);
	return 0;
}

void
writer_look_at_space(struct engine *e)
{
	int64_t free_bytes = e->os->ops->free_bytes(e->os, e->dir);
	bool full = free_bytes >= 0 && (uint64_t)free_bytes < e->config.floor_bytes;

	e->free_bytes = free_bytes >= 0 ? (uint64_t)free_bytes : 0;
	if (full != e->full)
		log_warning(NULL, "engine.space full=%d free_bytes=%lld floor_bytes=%llu", full,
		            (long long)free_bytes, (unsigned long long)e->config.floor_bytes);
	e->full = full;
	e->tight = (uint64_t)MAX(free_bytes, 0) < e->config.segment_bytes + TIGHT_EXTRA;
}

/* Takes from the queue what one batch may hold. With the lock. */
static void
take_batch(struct engine *e, struct list *batch)
{
	uint64_t bytes = 0;
	struct engine_tx *tx;

	while ((tx = LIST_FIRST(&e->to_write, struct engine_tx, link)) != NULL) {
		if (bytes != 0 && bytes + tx->bytes > BATCH_BYTES_MOST)
			break;
		bytes += tx->bytes;
		list_del(&tx->link);
		list_add_tail(batch, &tx->link);
	}
}

static void
fail(struct engine *e)
{
	log_error(NULL,
	          "engine.failed error=%s text=\"the log cannot be written: nothing more is "
	          "accepted until a restart\"",
	          log_esc(strerror(errno)));
	e->failed = true;
}

bool
writer_step(struct engine *e)
{
	struct list batch;
	struct engine_tx *tx;
	enum engine_err result;

	list_init(&batch);
	pthread_mutex_lock(&e->lock);
	take_batch(e, &batch);
	pthread_mutex_unlock(&e->lock);
	if (list_is_empty(&batch))
		return false;
	if (!e->failed && writer_write(e, &batch) == -1)
		fail(e);
	result = e->failed ? ENGINE_FAILED : ENGINE_OK;
	pthread_mutex_lock(&e->lock);
	while ((tx = LIST_FIRST(&batch, struct engine_tx, link)) != NULL) {
		tx->result = result;
		list_del(&tx->link);
		list_add_tail(&e->written, &tx->link);
		e->queued_bytes -= tx->bytes;
	}
	if (!e->publish_posted) {
		e->publish_posted = true;
		loop_post(e->loop, engine_publish, e);
	}
	pthread_mutex_unlock(&e->lock);
	/* Behind the answer, so that nobody waits for it. */
	if (!e->failed && e->ahead.fd == -1 && e->current.at > e->current.bytes / 2) {
		writer_look_at_space(e);
		if (!e->full && make_ahead(e, e->config.segment_bytes) == -1)
			log_warning(NULL, "engine.no_segment_ahead error=%s",
			            log_esc(strerror(errno)));
	} else if (e->batches % 64 == 0) {
		writer_look_at_space(e);
	}
	return true;
}

void *
writer_main(void *ctx)
{
	struct engine *e = ctx;

	for (;;) {
		bool idle, look;

		pthread_mutex_lock(&e->lock);
		while (list_is_empty(&e->to_write) && !e->closing && !e->look_wanted)
			pthread_cond_wait(&e->write_wanted, &e->lock);
		idle = list_is_empty(&e->to_write);
		look = e->look_wanted;
		e->look_wanted = false;
		pthread_mutex_unlock(&e->lock);
		if (look)
			writer_look_at_space(e);
		else if (idle)
			return NULL; /* closing, and all is written */
		(void)writer_step(e);
	}
}
