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
 * One batch is held in memory (`pending`) until the next shows that it is settled. What is
 * settled goes into the index many batches at a time: a commit each would take a sync each.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/xalloc.h"
#include "engine/engine_impl.h"

/* What one commit takes. */
#define READY_RECORDS_MOST 20000
#define READY_BYTES_MOST (8u << 20)

struct recovery {
	struct engine *e;
	struct err *err;
	uint64_t applied;  /* the index holds everything up to this */
	uint64_t expected; /* next LSN; 0: nothing read yet */
	uint64_t seen;     /* highest LSN met anywhere, torn ones included */
	uint64_t durable;  /* highest mark met */
	uint64_t previous; /* number of the file read before */
	uint64_t ours;     /* files that are there */

	uint64_t adopted; /* number of a file whose header is lost, while that may be a torn one */
	uint64_t unreadable; /* sectors, in this pass */

	struct segment_reader in; /* the segment being read */

	/* the batch held back */
	char *bytes;         /* its records; items borrow from it */
	struct list settled; /* whole transactions before the first bad record */
	struct list beyond;  /* those behind it, and what is left of those that have one: they
			      * count only if it is damage */
	uint64_t bad;        /* records that are not what was written */
	uint64_t last;       /* LSN of its last record as its headers say */
	uint64_t tail;       /* number of the file it lies in */

	/* settled, and not in the index yet; bodies are not there any more */
	struct list ready;
	size_t ready_records, ready_bytes;
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
	if (r->e->pass != PASS_LIVE && r->e->pass != PASS_FACTS)
		return; /* the last pass meets it, too */
	r->e->damaged++;
	log_error(NULL, "engine.damaged what=\"%s\" lsn=%llu segment=%016llx offset=%llu", what,
	          (unsigned long long)lsn, (unsigned long long)r->in.seg.number,
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
	it->head = slice_make(slice_dup(head), head.n);
	if (h->type == ENGINE_BLOB) {
		it->pieces = xreallocarray(NULL, 1, sizeof(*it->pieces));
		it->pieces[0] = body;
		it->piece_count = 1;
	} else {
		it->body = slice_make(slice_dup(body), body.n);
	}
	tx->bytes += record_bytes(h);
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

	if (b->tx != NULL && b->tx_bad) {
		b->tx->partial = true;
		r->bad += r->bad == 0; /* without an end: nothing else may tell */
	}
	if (b->tx != NULL && b->tx->count != 0)
		list_add_tail(r->bad != 0 ? &r->beyond : &r->settled, &b->tx->link);
	else
		engine_tx_free(&b->tx);
	b->tx = NULL;
	b->tx_bad = false;
}

/* A bad record makes its transaction a partial one, except that a body alone may be bad: its
 * message is there, and reading it says so. */
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
	if (state != RECORD_BAD)
		add_record(b->tx, h, head, body, place);
	if (state != RECORD_WHOLE) {
		b->r->bad++;
		b->tx_bad = b->tx_bad || state == RECORD_BAD;
	}
	if (h->flags & RECORD_LAST)
		end_tx(b);
}

/* One whose header is lost (records 0) has a last LSN when all of it was read. */
static void
read_records(struct recovery *r, const struct record_batch *batch, uint64_t at)
{
	struct slice rest = slice_make(r->bytes, batch->bytes);
	struct batch_reader b = { .r = r, .next_lsn = batch->first_lsn };
	uint64_t last = batch->records != 0 ? batch->first_lsn + batch->records - 1 : UINT64_MAX;
	struct record_header h;
	struct slice head, body;

	r->bad += batch->records == 0;
	while (b.next_lsn <= last && rest.n != 0) {
		enum record_state state = segment_read_record(&r->in, rest, &h, &head, &body);
		struct blob_place place;
		size_t before = rest.n;

		if (state == RECORD_LOST) {
			r->bad++;
			b.tx_bad = true;
			if (!segment_next_record(&r->in, &rest, b.next_lsn - 1, last))
				break;
			at += before - rest.n;
			continue;
		}
		place = (struct blob_place){ r->in.seg.number, at,         h.head_bytes,
			                     h.body_bytes,     h.head_sum, h.body_sum };
		take_record(&b, state, &h, head, body, &place);
		at += record_bytes(&h);
		rest = slice_skip(rest, record_bytes(&h));
	}
	if (b.next_lsn <= last && batch->records != 0)
		r->bad++; /* fewer than there were */
	b.tx_bad = true;  /* what has no end did not happen as a whole */
	end_tx(&b);
	r->last = batch->records != 0 ? last : b.next_lsn - 1;
}

/* ---- settling what is held back --------------------------------------------------------------- */

/* Leaves out what the index holds already. */
static void
drop_applied(struct recovery *r, struct list *txs)
{
	struct engine_tx *tx;

	LIST_EACH (tx, txs, struct engine_tx, link) {
		if (tx->items[tx->count - 1].header.lsn <= r->applied) {
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
	if (list_is_empty(&r->ready))
		return 0;
	if (indexer_apply(r->e, &r->ready, r->err) == -1) {
		err_prefix(r->err, "recovery of %s", r->e->dir);
		return -1;
	}
	free_list(&r->ready);
	r->ready_records = r->ready_bytes = 0;
	if (r->e->pass == PASS_LIVE || r->e->pass == PASS_FACTS)
		r->applied = r->e->indexed_lsn;
	return 0;
}

/* What is held back counts. */
static int
make_ready(struct recovery *r)
{
	const struct engine_tx *tx;

	drop_applied(r, &r->settled);
	LIST_EACH (tx, &r->settled, const struct engine_tx, link) {
		r->ready_records += tx->count;
		for (size_t i = 0; i < tx->count; i++)
			r->ready_bytes += tx->items[i].head.n + tx->items[i].body.n;
	}
	append_list(&r->ready, &r->settled);
	if (r->ready_records < READY_RECORDS_MOST && r->ready_bytes < READY_BYTES_MOST)
		return 0;
	return apply(r);
}

/* A later batch shows that the one held back was synced. */
static int
settle(struct recovery *r)
{
	int rc;

	if (r->bad != 0 && r->last > r->applied)
		note_damage(r, "record", r->last, 0);
	append_list(&r->settled, &r->beyond);
	rc = make_ready(r);
	drop_pending(r);
	return rc;
}

/* A second writing begins at lsn: the first one does not count from there on. */
static void
supersede(struct recovery *r, uint64_t lsn)
{
	struct engine_tx *tx;

	account_note_torn(r->e, r->tail);
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

/* Torn, and gone before it was answered. */
static void
leave_out_torn(struct recovery *r)
{
	account_note_torn(r->e, r->tail);
	free_list(&r->beyond);
	r->bad = 0;
}

static bool
is_whole(struct recovery *r, const struct record_batch *batch, uint64_t at)
{
	char *bytes = xmalloc(batch->bytes + 1);
	struct slice rest = slice_make(bytes, batch->bytes), head, body;
	struct record_header h;
	bool whole = batch->records != 0;

	segment_read_sectors(&r->in, bytes, batch->bytes, at + RECORD_BATCH_BYTES);
	for (uint32_t i = 0; whole && i < batch->records; i++) {
		whole = segment_read_record(&r->in, rest, &h, &head, &body) == RECORD_WHOLE;
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

	leave_out_torn(r);
	account_note_torn(r->e, r->in.seg.number);
	r->seen = MAX(r->seen, batch->first_lsn + MAX(batch->records, 1u) - 1);
	r->last = batch->first_lsn;
	LIST_EACH (tx, &r->settled, const struct engine_tx, link)
		r->last = MAX(r->last, tx->first_lsn + tx->count - 1);
}

/* The header of the file was written before its first batch: what was synced with it is damaged
 * when it is not there, and what was not is torn. */
static void
judge_header(struct recovery *r, const struct record_batch *batch)
{
	if (r->adopted == 0 || r->adopted != r->tail)
		return;
	if (batch->durable >= r->last)
		note_damage(r, "header", r->last, 0);
	r->adopted = 0;
}

static int
on_batch(struct recovery *r, const struct record_batch *batch, uint64_t at)
{
	judge_header(r, batch);
	if (r->last >= batch->first_lsn && !is_whole(r, batch, at)) {
		keep_first_writing(r, batch);
		return 0;
	}
	if (r->last >= batch->first_lsn)
		supersede(r, batch->first_lsn);
	else if (r->bad != 0 && batch->durable < r->last)
		leave_out_torn(r);
	if (settle(r) == -1)
		return -1;
	look_for_gap(r, batch, at);
	r->tail = r->in.seg.number;
	r->bytes = xmalloc(batch->bytes + 1);
	segment_read_sectors(&r->in, r->bytes, batch->bytes, at + RECORD_BATCH_BYTES);
	read_records(r, batch, at + RECORD_BATCH_BYTES);
	r->durable = MAX(r->durable, batch->durable);
	r->expected = r->last + 1;
	r->seen = MAX(r->seen, r->last);
	return 0;
}

/* ---- segments --------------------------------------------------------------------------------- */

/* Of a batch without a header: in one file each begins when the one before is synced. */
static uint64_t
durable_before(const struct recovery *r, const struct record_batch *b, bool first)
{
	uint64_t durable = first ? r->in.seg.prev_lsn : r->last;

	return MIN(durable, b->first_lsn - 1);
}

static int
read_batches(struct recovery *r)
{
	uint64_t at = RECORD_SEGMENT_BYTES;
	struct record_batch b;
	bool any = false;

	for (;; any = true) {
		if (!segment_batch_at(&r->in, at, &b) && !segment_scan(&r->in, &at, &b)) {
			/* nothing was written to it for good: a tail, too */
			if (!any)
				account_note_torn(r->e, r->in.seg.number);
			return 0;
		}
		if (b.records == 0)
			b.durable = durable_before(r, &b, !any);
		if (on_batch(r, &b, at) == -1)
			return -1;
		at += RECORD_BATCH_BYTES + b.bytes;
	}
}

static int
read_segment(struct recovery *r, uint64_t number)
{
	enum segment_state state;
	int rc = 0;

	if (segment_open(&r->in, r->e, number) == -1) {
		err_set_errno(r->err, "cannot open segment %016llx of %s",
		              (unsigned long long)number, r->e->log_dir);
		return -1;
	}
	if (number != r->previous + 1)
		r->expected = UINT64_MAX; /* those between were dropped: no gap */
	r->previous = number;
	state = segment_read_header(&r->in, number, r->err);
	if (state == SEGMENT_OURS) {
		r->ours++;
		r->e->current.number = number;
		r->e->current.id = r->in.seg.id;
		r->seen = MAX(r->seen, r->in.seg.prev_lsn);
		rc = read_batches(r);
	} else if (state == SEGMENT_HEADLESS && segment_adopt(&r->in, number)) {
		r->ours++;
		r->e->current.number = r->adopted = number;
		r->e->current.id = r->in.seg.id;
		rc = read_batches(r);
	} else if (state == SEGMENT_HEADLESS) {
		log_warning(NULL, "engine.segment_without_header segment=%016llx",
		            (unsigned long long)number);
		r->e->current.number = number;
		r->e->current.id = 0;
	} else if (state == SEGMENT_ALIEN) {
		rc = -1;
	}
	r->unreadable += r->in.unreadable;
	segment_end(&r->in);
	return rc;
}

/* ---- the tail ------------------------------------------------------------------------------------ */

/* Where what is in the index ends, the first writing of the rest is of no use: a file with such
 * a tail goes before the one that has the second writing (compact.c). */
static bool
is_tail_torn(const struct recovery *r)
{
	return r->bad != 0 || !list_is_empty(&r->beyond) || !list_is_empty(&r->settled);
}

/* The tail: whole transactions of the last batch, which nothing behind it confirms. They
 * are written anew and synced, and then they are true. */
static int
save_tail(struct recovery *r)
{
	struct engine *e = r->e;

	if (apply(r) == -1)
		return -1;
	/* The index holds only what was synced: what it holds needs no second writing. */
	drop_applied(r, &r->settled);
	if (is_tail_torn(r))
		account_note_torn(e, r->tail);
	free_list(&r->beyond);
	r->bad = 0;
	e->durable = MAX(r->durable, r->applied);
	if (list_is_empty(&r->settled))
		return 0;
	e->durable =
		MIN(e->durable, LIST_FIRST(&r->settled, struct engine_tx, link)->first_lsn - 1);
	if (writer_write(e, &r->settled) == -1) {
		err_set_errno(r->err, "recovery of %s: the tail of the log cannot be saved",
		              e->dir);
		return -1;
	}
	return make_ready(r) == -1 ? -1 : apply(r);
}

struct files {
	uint64_t *numbers;
	size_t count;
};

/* All from number `start` on. */
static int
read_files(struct recovery *r, const struct files *f, uint64_t start)
{
	int rc = 0;

	r->previous = start != 0 ? start - 1 : 0;
	r->ours = 0;
	for (size_t i = 0; i < f->count && rc == 0; i++) {
		if (f->numbers[i] >= start)
			rc = read_segment(r, f->numbers[i]);
		else
			r->ours++;
	}
	return rc;
}

/* ---- an index made anew ------------------------------------------------------------------------ */

/*
 * Compaction leaves holes in the log: what they had is in newer copies and snapshots. So the
 * log is read three times: bodies, and which snapshot of each object is the newest; what these
 * snapshots say; and the facts that are newer than the snapshot of what they speak of. Until
 * that is done a mark stands in the index; whoever finds it begins again.
 */
static int
set_mark(struct engine *e, bool on, struct err *err)
{
	struct kv_txn *txn;
	size_t tables = e->client->table_count + ENGINE_T_COUNT;

	if (kv_begin_write(e->kv, &txn, err) != KV_OK)
		return -1;
	if (on) {
		for (size_t i = 0; i < tables; i++)
			kv_clear(txn, (unsigned)i);
		kv_put(txn, e->t_meta, SLICE("rebuilding"), SLICE("1"));
		kv_put(txn, e->t_meta, SLICE("counted"), SLICE("1"));
	} else {
		blob_mend(e, txn);
		blob_settle(e, txn);
		account_flush(e, txn);
		(void)kv_del(txn, e->t_meta, SLICE("rebuilding"));
	}
	if (kv_commit(&txn, err) == KV_OK)
		return 0;
	account_committed(e, false);
	return -1;
}

static void
begin_pass(struct recovery *r, enum apply_pass pass)
{
	drop_pending(r);
	r->unreadable = 0;
	r->e->pass = pass;
	r->expected = r->durable = r->applied = 0;
	r->e->current.number = r->e->current.id = 0;
}

/* A pass that changes nothing in the log: its tail counts as it will when it is saved. */
static int
read_pass(struct recovery *r, const struct files *f, enum apply_pass pass)
{
	begin_pass(r, pass);
	if (read_files(r, f, 0) == -1)
		return -1;
	free_list(&r->beyond);
	return make_ready(r) == -1 ? -1 : apply(r);
}

/* Unknown: as if there were. */
static bool
has_snapshots(struct engine *e)
{
	struct kv_txn *txn;
	bool any;

	if (kv_begin_read(e->kv, &txn, NULL) != KV_OK)
		return true;
	any = kv_count(txn, e->t_objects) != 0;
	kv_end(&txn);
	return any;
}

/* A disk that could read a place in one pass and not in another has given neither picture whole. */
static int
check_same(const struct recovery *r, uint64_t unreadable)
{
	if (r->unreadable == unreadable)
		return 0;
	err_set(r->err,
	        "the log in %s could not be read the same way twice: its disk fails now and then; "
	        "start again, or copy it to a better one",
	        r->e->log_dir);
	return -1;
}

static int
rebuild(struct recovery *r, const struct files *f)
{
	struct engine *e = r->e;
	uint64_t unreadable;

	log_warning(NULL, "engine.rebuild dir=%s files=%zu", e->dir, f->count);
	if (set_mark(e, true, r->err) == -1 || read_pass(r, f, PASS_BODIES) == -1)
		return -1;
	unreadable = r->unreadable;
	if (has_snapshots(e) &&
	    (read_pass(r, f, PASS_SNAPSHOTS) == -1 || check_same(r, unreadable) == -1))
		return -1;
	begin_pass(r, PASS_FACTS);
	if (read_files(r, f, 0) == -1 || check_same(r, unreadable) == -1 || save_tail(r) == -1 ||
	    set_mark(e, false, r->err) == -1)
		return -1;
	e->pass = PASS_LIVE;
	return 0;
}

/* Damage met with an index that is there. */
static int
mend(struct recovery *r)
{
	struct engine *e = r->e;
	struct kv_txn *txn;

	if (e->orphans.len == 0)
		return 0;
	if (kv_begin_write(e->kv, &txn, r->err) != KV_OK)
		return -1;
	blob_mend(e, txn);
	return kv_commit(&txn, r->err) == KV_OK ? 0 : -1;
}

/* ---- the whole ----------------------------------------------------------------------------------- */

struct checkpoint {
	uint64_t applied, segment;
	bool there; /* and good */
};

static int
read_checkpoint(struct engine *e, struct checkpoint *c, struct err *err)
{
	struct kv_txn *txn;
	struct slice row;

	*c = (struct checkpoint){ 0 };
	if (kv_begin_read(e->kv, &txn, err) != KV_OK)
		return -1;
	if (kv_get(txn, e->t_meta, SLICE("applied"), &row) && row.n == 24 &&
	    !kv_has(txn, e->t_meta, SLICE("rebuilding"))) {
		c->applied = num_get_le64((const uint8_t *)row.p);
		c->segment = num_get_le64((const uint8_t *)row.p + 8);
		c->there = true;
	}
	kv_end(&txn);
	return 0;
}

/* What the index was made of last is gone, and all behind it: a volume that is not mounted, or
 * an old copy of the log. An index made anew of that would be the end of everybody's mail. */
static int
check_log_is_there(const struct engine *e, const struct checkpoint *c, const struct files *f,
                   struct err *err)
{
	if (!c->there || (f->count != 0 && f->numbers[f->count - 1] >= c->segment))
		return 0;
	err_set(err,
	        "the log in %s ends before what its index was made of (segment %016llx): is it all "
	        "there? Only when it is as it shall be, remove the folder index beside it, which "
	        "is made anew then; nothing was touched",
	        e->log_dir, (unsigned long long)c->segment);
	return -1;
}

/* Compaction leaves alone what is at or behind the checkpoint. A hole there: the index is an old
 * one, put back by somebody, and cannot follow the log any more. */
static bool
is_too_old(const struct engine *e, const struct checkpoint *c, const struct files *f)
{
	uint64_t next = c->segment;
	bool hole = false;

	if (!c->there)
		return false;
	for (size_t i = 0; i < f->count; i++)
		if (f->numbers[i] >= c->segment)
			hole = hole || f->numbers[i] != next++;
	if (!hole)
		return false;
	log_error(NULL, "engine.index_too_old dir=%s segment=%016llx", e->dir,
	          (unsigned long long)c->segment);
	return true;
}

static int
run(struct recovery *r, const struct checkpoint *c)
{
	struct files f;
	int rc;

	if (segment_list(r->e, &f.numbers, &f.count) == -1) {
		err_set_errno(r->err, "cannot list %s", r->e->log_dir);
		return -1;
	}
	if (check_log_is_there(r->e, c, &f, r->err) == -1) {
		rc = -1;
	} else if ((!c->there && f.count != 0) || is_too_old(r->e, c, &f)) {
		rc = rebuild(r, &f);
	} else {
		r->applied = c->applied;
		r->e->indexed_lsn = c->applied;
		r->e->replay_segment = c->segment;
		rc = read_files(r, &f, c->segment);
		if (rc == 0)
			rc = save_tail(r);
		if (rc == 0)
			rc = mend(r);
	}
	r->e->segments += r->ours;
	free(f.numbers);
	return rc;
}

int
recovery_run(struct engine *e, struct err *err)
{
	struct recovery r = { .e = e, .err = err, .in.fd = -1 };
	struct checkpoint c;
	int rc;

	list_init(&r.settled);
	list_init(&r.beyond);
	list_init(&r.ready);
	if (read_checkpoint(e, &c, err) == -1 || account_open(e, err) == -1)
		return -1;
	rc = run(&r, &c);
	drop_pending(&r);
	free_list(&r.ready);
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
