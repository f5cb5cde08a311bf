/*
 * account - what the index knows of the log's files: how much of each is still needed, and
 * where the newest snapshot of each object lies. Derived from the log, in the same commits.
 *
 * Row of the table `engine.segments`, key be64 number:
 *   u64 bodies that lie there, u64 bytes of these and of the newest snapshots, u8 ACCOUNT_TORN,
 *   u64 the last LSN that was applied from there (rows of the first days do without)
 * Row of the table `engine.objects`, key be64 object and u8 0 (the newest complete snapshot), 1
 * (one under way) or 2 (the complete one before):
 *   u64 as of which LSN, u64 snapshot id, u32 parts, then where they lie till the end:
 *   (u64 segment, u64 bytes)
 */
#include <stdlib.h>

#include "base/num.h"
#include "base/xalloc.h"
#include "engine/engine_impl.h"

#define PARTS_BROKEN UINT32_MAX
#define ROW_MOST (1u << 20)

enum object_row { ROW_NEWEST, ROW_UNDER_WAY, ROW_TWIN };

static struct slice
object_key(uint8_t key[9], uint64_t object, enum object_row which)
{
	num_put_be64(key, object);
	key[8] = (uint8_t)which;
	return slice_make(key, 9);
}

/* ---- files -------------------------------------------------------------------------------- */

struct account_delta {
	uint64_t segment, last_lsn;
	int64_t bodies, bytes;
};

static struct account_delta *
delta_of(struct engine *e, uint64_t segment)
{
	struct account *a = &e->account;
	struct account_delta *d;

	if (a->deltas == NULL)
		a->deltas = map_new();
	d = map_get(a->deltas, map_key_u64(&segment));
	if (d == NULL) {
		d = xcalloc(1, sizeof(*d));
		d->segment = segment;
		(void)map_set(a->deltas, map_key_u64(&segment), d);
	}
	return d;
}

void
account_add(struct engine *e, uint64_t segment, int bodies, int64_t bytes)
{
	struct account_delta *d;

	if (segment == 0)
		return; /* a body that was not met yet lies nowhere */
	d = delta_of(e, segment);
	d->bodies += bodies;
	d->bytes += bytes;
}

void
account_note_applied(struct engine *e, uint64_t segment, uint64_t lsn)
{
	struct account_delta *d = delta_of(e, segment);

	d->last_lsn = MAX(d->last_lsn, lsn);
}

static void
forget_deltas(struct account *a)
{
	struct slice key;
	size_t pos = 0;
	void *delta;

	while (a->deltas != NULL && map_next(a->deltas, &pos, &key, &delta)) {
		(void)map_del(a->deltas, key);
		free(delta);
	}
}

void
account_note_torn(struct engine *e, uint64_t segment)
{
	struct account *a = &e->account;

	a->torn = xreallocarray(a->torn, a->torn_count + 1, sizeof(*a->torn));
	a->torn[a->torn_count++] = segment;
}

void
account_fini(struct engine *e)
{
	forget_deltas(&e->account);
	map_free(&e->account.deltas);
	buf_fini(&e->account.dropped);
	buf_fini(&e->account.gone);
	free(e->account.torn);
	e->account = (struct account){ 0 };
}

bool
account_get(struct engine *e, struct kv_txn *txn, uint64_t segment, struct account_row *row_r)
{
	uint8_t key[8];
	struct slice row;
	struct num_reader r;

	*row_r = (struct account_row){ 0 };
	num_put_be64(key, segment);
	if (!kv_get(txn, e->t_segments, slice_make(key, 8), &row))
		return false;
	r = num_reader_of(row);
	row_r->bodies = num_read_u64(&r);
	row_r->bytes = num_read_u64(&r);
	row_r->torn = (num_read_u8(&r) & ACCOUNT_TORN) != 0;
	row_r->last_lsn = r.rest.n != 0 ? num_read_u64(&r) : 0;
	return !r.bad;
}

static void
put_row(struct engine *e, struct kv_txn *txn, uint64_t segment, const struct account_row *row)
{
	uint8_t key[8], raw[25];

	num_put_be64(key, segment);
	num_put_le64(raw, row->bodies);
	num_put_le64(raw + 8, row->bytes);
	raw[16] = row->torn ? ACCOUNT_TORN : 0;
	num_put_le64(raw + 17, row->last_lsn);
	kv_put(txn, e->t_segments, slice_make(key, 8), slice_make(raw, sizeof(raw)));
}

static uint64_t
moved(uint64_t was, int64_t by)
{
	return by < 0 && was < (uint64_t)-by ? 0 : was + (uint64_t)by;
}

void
account_flush(struct engine *e, struct kv_txn *txn)
{
	struct account *a = &e->account;
	struct account_row row;
	struct slice key;
	size_t pos = 0;
	void *delta;

	while (a->deltas != NULL && map_next(a->deltas, &pos, &key, &delta)) {
		const struct account_delta *d = delta;

		/* one that was dropped is not there again for what it had */
		if (!account_get(e, txn, d->segment, &row) && d->bytes <= 0 && d->last_lsn == 0)
			continue;
		row.last_lsn = MAX(row.last_lsn, d->last_lsn);
		row.bodies = moved(row.bodies, d->bodies);
		row.bytes = moved(row.bytes, d->bytes);
		put_row(e, txn, d->segment, &row);
	}
	forget_deltas(a);
	for (size_t i = 0; i < a->torn_count; i++) {
		(void)account_get(e, txn, a->torn[i], &row);
		row.torn = true;
		put_row(e, txn, a->torn[i], &row);
	}
}

void
account_committed(struct engine *e, bool ok)
{
	forget_deltas(&e->account);
	if (ok)
		e->account.torn_count = 0;
}

/* ---- what compaction has dropped -------------------------------------------------------------- */

/* Only the indexer writes the index, so it is told. A row that is left behind by a crash does no
 * harm. */
void
account_note_dropped(struct engine *e, uint64_t segment)
{
	pthread_mutex_lock(&e->lock);
	buf_add_u64(&e->account.dropped, segment);
	pthread_mutex_unlock(&e->lock);
}

void
account_note_gone(struct engine *e, uint64_t object)
{
	pthread_mutex_lock(&e->lock);
	buf_add_u64(&e->account.gone, object);
	pthread_mutex_unlock(&e->lock);
}

static void
take(struct engine *e, struct buf *from, struct buf *to)
{
	pthread_mutex_lock(&e->lock);
	buf_add_slice(to, buf_slice(from));
	buf_clear(from);
	pthread_mutex_unlock(&e->lock);
}

static void
del_object(struct engine *e, struct kv_txn *txn, uint64_t object)
{
	uint8_t key[9];

	(void)kv_del(txn, e->t_objects, object_key(key, object, ROW_NEWEST));
	(void)kv_del(txn, e->t_objects, object_key(key, object, ROW_TWIN));
}

/* Before anything is applied: an object may come again. */
void
account_begin(struct engine *e, struct kv_txn *txn)
{
	struct buf dropped = BUF_INIT(SIZE_MAX), gone = BUF_INIT(SIZE_MAX);
	struct num_reader r;
	uint8_t key[9];

	take(e, &e->account.dropped, &dropped);
	take(e, &e->account.gone, &gone);
	for (r = num_reader_of(buf_slice(&dropped)); r.rest.n != 0;) {
		num_put_be64(key, num_read_u64(&r));
		(void)kv_del(txn, e->t_segments, slice_make(key, 8));
	}
	for (r = num_reader_of(buf_slice(&gone)); r.rest.n != 0;)
		del_object(e, txn, num_read_u64(&r));
	buf_fini(&dropped);
	buf_fini(&gone);
}

/* ---- an index that was not counted ------------------------------------------------------------ */

int
account_open(struct engine *e, struct err *err)
{
	struct kv_txn *txn;
	struct kv_cursor *c;
	struct slice key, row;

	if (kv_begin_write(e->kv, &txn, err) != KV_OK)
		return -1;
	if (kv_has(txn, e->t_meta, SLICE("counted"))) {
		kv_end(&txn);
		return 0;
	}
	c = kv_cursor_new(txn, e->t_blobs);
	for (bool more = kv_cursor_seek(c, SLICE(""), &key, &row); more;
	     more = kv_cursor_next(c, &key, &row))
		blob_count_row(e, row);
	kv_cursor_free(&c);
	account_flush(e, txn);
	kv_put(txn, e->t_meta, SLICE("counted"), SLICE("1"));
	return kv_commit(&txn, err) == KV_OK ? 0 : -1;
}

/* ---- objects ------------------------------------------------------------------------------ */

#define OBJECT_FIXED 20 /* bytes of a row before its places */

/* places_r: the rest of the row. */
static bool
read_object(struct engine *e, struct kv_txn *txn, uint64_t object, enum object_row which,
            struct snapshot_mark *m, struct slice *places_r)
{
	uint8_t key[9];
	struct slice row;
	struct num_reader r;

	*m = (struct snapshot_mark){ 0 };
	*places_r = SLICE("");
	if (!kv_get(txn, e->t_objects, object_key(key, object, which), &row))
		return false;
	r = num_reader_of(row);
	m->as_of = num_read_u64(&r);
	m->id = num_read_u64(&r);
	m->part = num_read_u32(&r);
	*places_r = r.rest;
	return !r.bad;
}

bool
account_get_object(struct engine *e, struct kv_txn *txn, uint64_t object, struct snapshot_mark *m_r)
{
	struct slice places;

	return read_object(e, txn, object, ROW_NEWEST, m_r, &places);
}

bool
account_get_twin(struct engine *e, struct kv_txn *txn, uint64_t object, struct snapshot_mark *m_r)
{
	struct slice places;

	return read_object(e, txn, object, ROW_TWIN, m_r, &places);
}

static bool
lies_in(struct slice places, const uint64_t *files, size_t count)
{
	struct num_reader r = num_reader_of(places);

	while (!r.bad && r.rest.n != 0) {
		uint64_t segment = num_read_u64(&r);

		(void)num_read_u64(&r);
		for (size_t i = 0; i < count; i++)
			if (files[i] == segment)
				return true;
	}
	return false;
}

bool
account_is_weak(struct engine *e, struct kv_txn *txn, uint64_t object, const uint64_t *files,
                size_t count)
{
	struct snapshot_mark newest, twin;
	struct slice places;

	if (!read_object(e, txn, object, ROW_NEWEST, &newest, &places))
		return false;
	if (lies_in(places, files, count) || !read_object(e, txn, object, ROW_TWIN, &twin, &places))
		return true;
	return twin.as_of < newest.as_of || lies_in(places, files, count);
}

void
account_each_object(struct engine *e, struct kv_txn *txn, engine_object_fn *fn, void *ctx)
{
	struct kv_cursor *c = kv_cursor_new(txn, e->t_objects);
	struct slice key, row;

	for (bool more = kv_cursor_seek(c, SLICE(""), &key, &row); more;
	     more = kv_cursor_next(c, &key, &row))
		if (key.n == 9 && key.p[8] == ROW_NEWEST)
			fn(ctx, num_get_be64((const uint8_t *)key.p));
	kv_cursor_free(&c);
}

static void
give_back(struct engine *e, struct slice places)
{
	struct num_reader r = num_reader_of(places);

	while (!r.bad && r.rest.n != 0) {
		uint64_t segment = num_read_u64(&r), bytes = num_read_u64(&r);

		if (!r.bad)
			account_add(e, segment, 0, -(int64_t)bytes);
	}
}

static void
put_object(struct engine *e, struct kv_txn *txn, uint64_t object, enum object_row which,
           const struct snapshot_mark *m, struct slice places)
{
	struct buf row = BUF_INIT(ROW_MOST);
	uint8_t key[9];

	buf_add_u64(&row, m->as_of);
	buf_add_u64(&row, m->id);
	buf_add_u32(&row, m->part);
	buf_add_slice(&row, places);
	kv_put(txn, e->t_objects, object_key(key, object, which), buf_slice(&row));
	buf_fini(&row);
}

static void
add_place(struct buf *places, uint64_t segment, uint64_t bytes)
{
	uint8_t *last = places->len >= 16
	                        ? (uint8_t *)places->data + places->start + places->len - 16
	                        : NULL;

	if (last != NULL && num_get_le64(last) == segment) {
		num_put_le64(last + 8, num_get_le64(last + 8) + bytes);
		return;
	}
	buf_add_u64(places, segment);
	buf_add_u64(places, bytes);
}

/* The newest becomes the one before. */
static void
make_twin(struct engine *e, struct kv_txn *txn, uint64_t object)
{
	struct buf places = BUF_INIT(ROW_MOST);
	struct snapshot_mark m, twin;
	struct slice known;

	if (read_object(e, txn, object, ROW_TWIN, &twin, &known))
		give_back(e, known);
	if (read_object(e, txn, object, ROW_NEWEST, &m, &known)) {
		buf_add_slice(&places, known);
		put_object(e, txn, object, ROW_TWIN, &m, buf_slice(&places));
	}
	buf_fini(&places);
}

/* Its last part is here: it takes the place of the one before. */
static void
complete(struct engine *e, struct kv_txn *txn, uint64_t object, const struct snapshot_mark *m,
         struct slice places)
{
	uint8_t key[9];

	/* Some part is gone: with a file that was dropped, since there is a newer snapshot; or it
	 * is damaged, and was named. */
	if (m->part == PARTS_BROKEN) {
		give_back(e, places);
	} else {
		make_twin(e, txn, object);
		put_object(e, txn, object, ROW_NEWEST, m, places);
	}
	(void)kv_del(txn, e->t_objects, object_key(key, object, ROW_UNDER_WAY));
}

void
account_snapshot(struct engine *e, struct kv_txn *txn, const struct engine_item *it)
{
	struct snapshot_mark m, now;
	struct buf places = BUF_INIT(ROW_MOST);
	struct slice known;
	uint64_t object = it->header.object, bytes = record_bytes(&it->header);

	if (!snapshot_read(it->body, &m, &(struct slice){ NULL, 0 }))
		return;
	if (!read_object(e, txn, object, ROW_UNDER_WAY, &now, &known) || now.id != m.id) {
		give_back(e, known); /* of one that was begun and never ended */
		known = SLICE("");
		now = (struct snapshot_mark){ m.as_of, m.id, 0 };
	}
	now.part = now.part == m.part ? now.part + 1 : PARTS_BROKEN;
	buf_add_slice(&places, known);
	add_place(&places, it->place.segment, bytes);
	account_add(e, it->place.segment, 0, (int64_t)bytes);
	if (it->header.type == ENGINE_SNAPSHOT_LAST)
		complete(e, txn, object, &now, buf_slice(&places));
	else
		put_object(e, txn, object, ROW_UNDER_WAY, &now, buf_slice(&places));
	buf_fini(&places);
}

void
engine_apply_gone(struct engine *e, struct kv_txn *txn, uint64_t object)
{
	static const enum object_row complete_ones[] = { ROW_NEWEST, ROW_TWIN };
	struct snapshot_mark m;
	struct slice places;
	uint8_t key[9];

	if (read_object(e, txn, object, ROW_UNDER_WAY, &m, &places)) {
		give_back(e, places);
		(void)kv_del(txn, e->t_objects, object_key(key, object, ROW_UNDER_WAY));
	}
	for (size_t i = 0; i < ARRAY_LEN(complete_ones); i++) {
		if (!read_object(e, txn, object, complete_ones[i], &m, &places))
			continue;
		give_back(e, places);
		put_object(e, txn, object, complete_ones[i], &m, SLICE(""));
	}
}

bool
engine_apply_is_old(struct engine *e, struct kv_txn *txn, uint64_t object, uint64_t lsn)
{
	struct snapshot_mark m;

	return e->pass == PASS_FACTS && account_get_object(e, txn, object, &m) && m.as_of >= lsn;
}

bool
engine_apply_is_rebuild(const struct engine *e)
{
	return e->pass == PASS_FACTS;
}

bool
engine_apply_is_partial(const struct engine *e)
{
	return e->applying != NULL && e->applying->partial;
}
