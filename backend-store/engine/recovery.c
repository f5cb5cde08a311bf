/*
 * recovery - the log since the last checkpoint, back into the index.
 *
 * The segments are read in order from the one the checkpoint names. At any time one batch
 * is in flight, so every batch but the last is known synced from the `durable` mark of
 * the one behind it. Hence:
 *   - what is wrong before such a mark is damage: it is named, left out, and replay goes
 *     on behind it; nothing is cut;
 *   - what is wrong in the last batch is the torn tail: it was never published. What is
 *     whole of it is written anew in a fresh segment and synced before anything is served,
 *     since reading it proves only that it is in the page cache.
 * A batch in a later segment that begins at or before the last LSN read is such a second
 * writing: when it is whole it replaces what was read from there on. Old tails are never
 * appended to.
 *
 * One batch is held in memory (`pending`) until the next shows that it is settled.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/xalloc.h"
#include "engine/engine_impl.h"
#include "hash/hash.h"

#define SCAN_BYTES (1u << 20)

struct recovery {
	struct engine *e;
	struct err *err;
	uint64_t applied;  /* the index holds everything up to this */
	uint64_t expected; /* next LSN; 0: nothing read yet */
	uint64_t seen;     /* highest LSN met anywhere, torn ones included */
	uint64_t durable;  /* highest mark met */

	/* the segment being read */
	struct record_segment seg;
	int fd;
	uint64_t size;

	/* the batch held back */
	char *bytes;         /* its records; items borrow from it */
	struct list settled; /* whole transactions before the first bad record */
	struct list beyond;  /* whole ones behind it: they count only if it is damage */
	uint64_t bad;        /* records that are not what was written */
	uint64_t last;       /* LSN of its last record as its headers say */
};

static void
free_list(struct list *txs)
{
	while (!list_is_empty(txs)) {
		struct engine_tx *tx = LIST_FIRST(txs, struct engine_tx, link);

		list_del(&tx->link);
		engine_tx_free(&tx);
	}
}

static void
drop_pending(struct recovery *r)
{
	free_list(&r->settled);
	free_list(&r->beyond);
	free(r->bytes);
	r->bytes = NULL;
	r->bad = r->last = 0;
}

static void
note_damage(struct recovery *r, const char *what, uint64_t lsn, uint64_t at)
{
	r->e->damaged++;
	log_error(NULL, "engine.damaged what=\"%s\" lsn=%llu segment=%016llx offset=%llu", what,
	          (unsigned long long)lsn, (unsigned long long)r->seg.number,
	          (unsigned long long)at);
}

/* ---- records of a batch ------------------------------------------------------------------ */

static void
add_record(struct engine_tx *tx, const struct record_header *h, struct slice head,
           struct slice body, const struct blob_place *place)
{
	struct engine_item *it;

	if (tx->count == tx->cap) {
		tx->cap = tx->cap != 0 ? tx->cap * 2 : 2;
		tx->items = xreallocarray(tx->items, tx->cap, sizeof(*tx->items));
	}
	it = &tx->items[tx->count++];
	*it = (struct engine_item){ .header = *h, .place = *place };
	if (h->type == ENGINE_BLOB) {
		it->head = slice_make(slice_dup(head), head.n);
		it->pieces = xreallocarray(NULL, 1, sizeof(*it->pieces));
		it->pieces[0] = body;
		it->piece_count = 1;
	} else {
		it->body = slice_make(slice_dup(body), body.n);
	}
	tx->bytes += record_bytes(h);
}

enum record_state { RECORD_WHOLE, RECORD_BODY_BAD, RECORD_BAD, RECORD_LOST };

/* One record of the batch at p. LOST: its length is not known, so neither is what follows. */
static enum record_state
read_record(const struct recovery *r, struct slice rest, struct record_header *h,
            struct slice *head, struct slice *body)
{
	if (rest.n < RECORD_HEADER_BYTES || !record_get_header((const uint8_t *)rest.p, h) ||
	    h->segment_id != r->seg.id || record_bytes(h) > rest.n)
		return RECORD_LOST;
	*head = slice_make(rest.p + RECORD_HEADER_BYTES, h->head_bytes);
	*body = slice_make(head->p + head->n, h->body_bytes);
	if (hash_of(*head) != h->head_sum)
		return RECORD_BAD;
	if (hash_of(*body) != h->body_sum)
		return h->type == ENGINE_BLOB ? RECORD_BODY_BAD : RECORD_BAD;
	return RECORD_WHOLE;
}

struct batch_reader {
	struct recovery *r;
	struct engine_tx *tx; /* being put together */
	bool tx_bad;
	uint64_t next_lsn; /* that the next record must have */
};

static void
end_tx(struct batch_reader *b)
{
	struct recovery *r = b->r;

	if (b->tx != NULL && !b->tx_bad)
		list_add_tail(r->bad != 0 ? &r->beyond : &r->settled, &b->tx->link);
	else
		engine_tx_free(&b->tx);
	b->tx = NULL;
	b->tx_bad = false;
}

/* A bad record spoils its transaction, except that a body alone may be bad: its message
 * is there, and reading it says so. */
static void
take_record(struct batch_reader *b, enum record_state state, const struct record_header *h,
            struct slice head, struct slice body, const struct blob_place *place)
{
	if (h->flags & RECORD_FIRST) {
		b->tx_bad = true; /* one that is still open has no end */
		end_tx(b);
	}
	if (b->tx == NULL) {
		b->tx = xcalloc(1, sizeof(*b->tx));
		list_init(&b->tx->link);
		b->tx->e = b->r->e;
		b->tx->first_lsn = h->lsn;
		/* the beginning was lost with a bad record */
		b->tx_bad = !(h->flags & RECORD_FIRST);
	}
	if (h->lsn != b->next_lsn)
		b->tx_bad = true;
	b->next_lsn = h->lsn + 1;
	add_record(b->tx, h, head, body, place);
	if (state != RECORD_WHOLE) {
		b->r->bad++;
		b->tx_bad = b->tx_bad || state == RECORD_BAD;
	}
	if (h->flags & RECORD_LAST)
		end_tx(b);
}

static void
read_records(struct recovery *r, const struct record_batch *batch, uint64_t at)
{
	struct slice rest = slice_make(r->bytes, batch->bytes);
	struct batch_reader b = { .r = r, .next_lsn = batch->first_lsn };
	struct record_header h;
	struct slice head, body;

	r->last = batch->first_lsn + batch->records - 1;
	for (uint32_t i = 0; i < batch->records; i++) {
		enum record_state state = read_record(r, rest, &h, &head, &body);
		struct blob_place place;

		if (state == RECORD_LOST) {
			r->bad++;
			b.tx_bad = true;
			break;
		}
		place = (struct blob_place){ r->seg.number, at,         h.head_bytes,
			                     h.body_bytes,  h.head_sum, h.body_sum };
		take_record(&b, state, &h, head, body, &place);
		at += record_bytes(&h);
		rest = slice_skip(rest, record_bytes(&h));
	}
	b.tx_bad = true; /* what has no end did not happen */
	end_tx(&b);
}

/* ---- settling what is held back --------------------------------------------------------------- */

/* Leaves out what the index holds already. */
static void
drop_applied(struct recovery *r, struct list *txs)
{
	struct engine_tx *tx;

	LIST_EACH (tx, txs, struct engine_tx, link) {
		if (tx->first_lsn + tx->count - 1 <= r->applied) {
			list_del(&tx->link);
			engine_tx_free(&tx);
		}
	}
}

static void
append_list(struct list *to, struct list *from)
{
	while (!list_is_empty(from)) {
		struct list *first = from->next;

		list_del(first);
		list_add_tail(to, first);
	}
}

/* Into the index, in one commit. */
static int
apply(struct recovery *r)
{
	drop_applied(r, &r->settled);
	if (list_is_empty(&r->settled))
		return 0;
	if (indexer_apply(r->e, &r->settled, r->err) == -1) {
		err_prefix(r->err, "recovery of %s", r->e->dir);
		return -1;
	}
	r->applied = r->e->indexed_lsn;
	return 0;
}

/* A later batch shows that the one held back was synced. */
static int
settle(struct recovery *r)
{
	int rc;

	if (r->bad != 0 && r->last > r->applied)
		note_damage(r, "record", r->last, 0);
	append_list(&r->settled, &r->beyond);
	rc = apply(r);
	drop_pending(r);
	return rc;
}

/* A second writing begins at lsn: the first one does not count from there on. */
static void
supersede(struct recovery *r, uint64_t lsn)
{
	struct engine_tx *tx;

	LIST_EACH (tx, &r->settled, struct engine_tx, link) {
		if (tx->first_lsn >= lsn) {
			list_del(&tx->link);
			engine_tx_free(&tx);
		}
	}
	free_list(&r->beyond);
	r->bad = 0;
}

/* Are there LSNs that were synced, and that neither the log nor the index has? */
static void
look_for_gap(struct recovery *r, const struct record_batch *batch, uint64_t at)
{
	uint64_t from = MAX(r->expected, r->applied + 1);

	if (batch->first_lsn > from && batch->durable >= from)
		note_damage(r, "batches missing", from, at);
}

static bool
is_whole(const struct recovery *r, const struct record_batch *batch, uint64_t at)
{
	char *bytes = xmalloc(batch->bytes + 1);
	struct slice rest = slice_make(bytes, batch->bytes), head, body;
	struct record_header h;
	bool whole = segment_read(r->e, r->fd, bytes, batch->bytes, at + RECORD_BATCH_BYTES) == 0;

	for (uint32_t i = 0; whole && i < batch->records; i++) {
		whole = read_record(r, rest, &h, &head, &body) == RECORD_WHOLE;
		rest = whole ? slice_skip(rest, record_bytes(&h)) : rest;
	}
	free(bytes);
	return whole;
}

/* A second writing that was torn itself: the first one still is what counts. */
static void
keep_first_writing(struct recovery *r, const struct record_batch *batch)
{
	const struct engine_tx *tx;

	free_list(&r->beyond);
	r->bad = 0;
	r->seen = MAX(r->seen, batch->first_lsn + batch->records - 1);
	r->last = batch->first_lsn;
	LIST_EACH (tx, &r->settled, const struct engine_tx, link)
		r->last = MAX(r->last, tx->first_lsn + tx->count - 1);
}

static int
on_batch(struct recovery *r, const struct record_batch *batch, uint64_t at)
{
	if (r->last >= batch->first_lsn && !is_whole(r, batch, at)) {
		keep_first_writing(r, batch);
		return 0;
	}
	if (r->last >= batch->first_lsn)
		supersede(r, batch->first_lsn);
	else if (r->bad != 0 && batch->durable < r->last)
		free_list(&r->beyond), r->bad = 0; /* torn, and gone before it was answered */
	if (settle(r) == -1)
		return -1;
	look_for_gap(r, batch, at);
	r->bytes = xmalloc(batch->bytes + 1);
	if (segment_read(r->e, r->fd, r->bytes, batch->bytes, at + RECORD_BATCH_BYTES) == -1) {
		note_damage(r, "unreadable", batch->first_lsn, at);
		memset(r->bytes, 0, batch->bytes);
	}
	read_records(r, batch, at + RECORD_BATCH_BYTES);
	r->durable = MAX(r->durable, batch->durable);
	r->expected = r->last + 1;
	r->seen = MAX(r->seen, r->last);
	return 0;
}

/* ---- segments --------------------------------------------------------------------------------- */

static bool
parse_batch(const struct recovery *r, const uint8_t *raw, uint64_t at, struct record_batch *b)
{
	return record_get_batch(raw, b) && b->segment_id == r->seg.id && b->records != 0 &&
	       b->first_lsn > b->durable && b->first_lsn + b->records > b->first_lsn &&
	       b->bytes >= (uint64_t)b->records * RECORD_HEADER_BYTES &&
	       at + RECORD_BATCH_BYTES <= r->size && b->bytes <= r->size - at - RECORD_BATCH_BYTES;
}

static bool
batch_at(const struct recovery *r, uint64_t at, struct record_batch *b)
{
	uint8_t raw[RECORD_BATCH_BYTES];

	return at + sizeof(raw) <= r->size &&
	       segment_read(r->e, r->fd, raw, sizeof(raw), at) == 0 && parse_batch(r, raw, at, b);
}

/* The first valid batch at or behind `at`, on 8-byte places. */
static bool
scan(const struct recovery *r, uint64_t *at, struct record_batch *b)
{
	uint8_t *chunk = xmalloc(SCAN_BYTES);
	bool found = false;

	while (!found && *at + RECORD_BATCH_BYTES <= r->size) {
		size_t n = (size_t)MIN((uint64_t)SCAN_BYTES, r->size - *at), i;

		if (segment_read(r->e, r->fd, chunk, n, *at) == -1) {
			*at += 4096; /* a bad sector: look behind it */
			continue;
		}
		for (i = 0; !found && i + RECORD_BATCH_BYTES <= n; i += 8)
			if (num_get_le32(chunk + i) != 0 && parse_batch(r, chunk + i, *at + i, b)) {
				found = true;
				break;
			}
		*at += i;
	}
	free(chunk);
	return found;
}

static int
read_batches(struct recovery *r)
{
	uint64_t at = RECORD_SEGMENT_BYTES;
	struct record_batch b;

	for (;;) {
		if (!batch_at(r, at, &b) && !scan(r, &at, &b))
			return 0;
		if (on_batch(r, &b, at) == -1)
			return -1;
		at += RECORD_BATCH_BYTES + b.bytes;
	}
}

enum segment_state { SEGMENT_OURS, SEGMENT_UNUSED, SEGMENT_HEADLESS, SEGMENT_ALIEN };

static bool
is_zero(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != 0)
			return false;
	return true;
}

/* UNUSED: made ahead and never begun. HEADLESS: its header was torn, or is damaged; the
 * file is left alone and its number not used again. */
static enum segment_state
read_header(struct recovery *r, uint64_t number)
{
	uint8_t raw[RECORD_SEGMENT_BYTES];
	int rc;

	if (r->size == 0)
		return SEGMENT_UNUSED;
	if (r->size < sizeof(raw) || segment_read(r->e, r->fd, raw, sizeof(raw), 0) == -1)
		return SEGMENT_HEADLESS;
	rc = record_get_segment(raw, &r->seg);
	if (rc == 0)
		return is_zero(raw, sizeof(raw)) ? SEGMENT_UNUSED : SEGMENT_HEADLESS;
	if (rc == -1) {
		err_set(r->err, "segment %016llx of %s is of another version; nothing was touched",
		        (unsigned long long)number, r->e->log_dir);
		return SEGMENT_ALIEN;
	}
	if (r->seg.store_id != r->e->store_id || r->seg.number != number) {
		err_set(r->err,
		        "segment %016llx in %s belongs to another store (its number or store id "
		        "differ); nothing was touched",
		        (unsigned long long)number, r->e->log_dir);
		return SEGMENT_ALIEN;
	}
	return SEGMENT_OURS;
}

static int
read_segment(struct recovery *r, uint64_t number)
{
	enum segment_state state;
	char path[512];
	int rc = 0;

	segment_path(r->e, number, path);
	r->fd = r->e->os->ops->open(r->e->os, path, false);
	if (r->fd == -1) {
		err_set_errno(r->err, "cannot open %s", path);
		return -1;
	}
	r->size = (uint64_t)MAX(r->e->os->ops->size(r->e->os, r->fd), 0);
	state = read_header(r, number);
	if (state == SEGMENT_OURS) {
		r->e->segments++;
		r->e->current.number = number;
		r->seen = MAX(r->seen, r->seg.prev_lsn);
		rc = read_batches(r);
	} else if (state == SEGMENT_HEADLESS) {
		log_warning(NULL, "engine.segment_without_header segment=%016llx",
		            (unsigned long long)number);
		r->e->current.number = number;
	} else if (state == SEGMENT_ALIEN) {
		rc = -1;
	}
	(void)r->e->os->ops->close(r->e->os, r->fd);
	return rc;
}

/* ---- the whole ----------------------------------------------------------------------------------- */

static uint64_t
read_checkpoint(struct recovery *r)
{
	struct kv_txn *txn;
	struct slice row;
	uint64_t segment = 0;

	if (kv_begin_read(r->e->kv, &txn, r->err) != KV_OK)
		return UINT64_MAX;
	if (kv_get(txn, r->e->t_meta, SLICE("applied"), &row) && row.n == 24) {
		r->applied = num_get_le64((const uint8_t *)row.p);
		segment = num_get_le64((const uint8_t *)row.p + 8);
	}
	kv_end(&txn);
	r->e->indexed_lsn = r->applied;
	return segment;
}

/* The tail: whole transactions of the last batch, which nothing behind it confirms. They
 * are written anew and synced, and then they are true. */
static int
save_tail(struct recovery *r)
{
	struct engine *e = r->e;

	free_list(&r->beyond);
	r->bad = 0;
	e->durable = MAX(r->durable, r->applied);
	if (list_is_empty(&r->settled))
		return 0;
	/* The index holds only what was synced: what it holds needs no second writing. */
	drop_applied(r, &r->settled);
	if (!list_is_empty(&r->settled)) {
		uint64_t first = LIST_FIRST(&r->settled, struct engine_tx, link)->first_lsn;

		e->durable = MIN(e->durable, first - 1);
		if (writer_write(e, &r->settled) == -1) {
			err_set_errno(r->err, "recovery of %s: the tail of the log cannot be saved",
			              e->dir);
			return -1;
		}
	}
	return apply(r);
}

static int
run(struct recovery *r)
{
	uint64_t start = read_checkpoint(r), *numbers;
	size_t count;
	int rc = 0;

	if (start == UINT64_MAX)
		return -1;
	if (segment_list(r->e, &numbers, &count) == -1) {
		err_set_errno(r->err, "cannot list %s", r->e->log_dir);
		return -1;
	}
	for (size_t i = 0; i < count && rc == 0; i++) {
		if (numbers[i] >= start)
			rc = read_segment(r, numbers[i]);
		else
			r->e->segments++;
	}
	free(numbers);
	return rc == 0 ? save_tail(r) : -1;
}

int
recovery_run(struct engine *e, struct err *err)
{
	struct recovery r = { .e = e, .err = err, .fd = -1 };
	int rc;

	list_init(&r.settled);
	list_init(&r.beyond);
	rc = run(&r);
	drop_pending(&r);
	if (rc == -1)
		return -1;
	/* Never an LSN again that was met anywhere. e->durable stays below the torn ones, so
	 * that the gap they leave is not taken for damage later. */
	e->next_lsn = MAX(r.seen, e->durable) + 1;
	e->published_lsn = e->next_lsn - 1;
	if (e->damaged != 0)
		log_error(NULL,
		          "engine.recovered damaged=%llu text=\"parts of the log are damaged; the "
		          "rest is served\"",
		          (unsigned long long)e->damaged);
	return 0;
}
