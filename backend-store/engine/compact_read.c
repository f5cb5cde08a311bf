/*
 * compact_read - compaction's thread: what of a file is needed, reading that, and dropping the
 * file. See compact.c; which file it is: compact_pick.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/num.h"
#include "base/xalloc.h"
#include "engine/compact_impl.h"

#define LATER_MS (60u * 60 * 1000) /* until one that is not worth it is looked at again */
#define RETRY_MS (60u * 1000)
#define NO_ROOM_MS (10u * 60 * 1000) /* until it is looked at whether it needs less */
#define PACE_MS 20
#define GROUP_BYTES (4u << 20) /* snapshots in memory, but for one that is larger */

/* ---- the file ------------------------------------------------------------------------------- */

static struct compact_file *
file_at(struct compactor *c)
{
	for (size_t i = 0; i < c->file_count; i++)
		if (c->files[i].number == c->at.number)
			return &c->files[i];
	must_not_reach(); /* it was picked from there */
}

/* The next one that is ours; the log never ends in a file that is full. */
const struct compact_file *
compact_file_behind(struct compactor *c, uint64_t number)
{
	for (size_t i = 0; i < c->file_count; i++)
		if (c->files[i].number > number && c->files[i].ours)
			return &c->files[i];
	return NULL;
}

static void
put_off(struct compactor *c, uint64_t ms)
{
	if (!c->checking)
		file_at(c)->not_before_ms = clock_mono_ms() + ms;
	c->failed = true;
}

static void
note_damage(struct compactor *c, const char *what, uint64_t lsn, uint64_t at)
{
	if (!file_at(c)->damaged)
		c->damaged++;
	file_at(c)->damaged = true;
	c->failed = true;
	log_error(NULL,
	          "engine.compact_damaged what=\"%s\" lsn=%llu segment=%016llx offset=%llu "
	          "text=\"the file stays as it is\"",
	          what, (unsigned long long)lsn, (unsigned long long)c->at.number,
	          (unsigned long long)at);
}

static bool
open_file(struct compactor *c, struct segment_reader *in)
{
	struct err err;

	if (segment_open(in, c->e, c->at.number) == -1) {
		log_error(NULL, "engine.compact_failed segment=%016llx error=%s",
		          (unsigned long long)c->at.number, log_esc(strerror(errno)));
		put_off(c, RETRY_MS);
		return false;
	}
	if (segment_read_header(in, c->at.number, &err) == SEGMENT_OURS)
		return true;
	segment_end(in);
	note_damage(c, "header", 0, 0);
	return false;
}

/* ---- what is needed ------------------------------------------------------------------------- */

void
compact_records_clear(struct compact_records *r)
{
	for (size_t i = 0; i < r->count; i++)
		free((void *)(uintptr_t)r->v[i].payload.p);
	free(r->v);
	*r = (struct compact_records){ 0 };
}

void
compact_forget(struct compactor *c)
{
	free(c->bodies);
	c->bodies = NULL;
	c->body_count = c->body_cap = c->body_at = 0;
	c->body_bytes = 0;
	for (size_t i = 0; i < c->object_count; i++)
		free(c->objects[i]);
	free(c->objects);
	c->objects = NULL;
	c->object_count = c->object_cap = c->object_at = 0;
	map_free(&c->objects_by_id);
	c->objects_by_id = map_new();
	compact_records_clear(&c->keep);
	compact_records_clear(&c->snapshots);
	c->copy_count = 0;
	c->snapshot_id = 0;
	c->twice = c->checking = false;
	c->failed = false;
}

static void
push_record(struct compact_records *r, const struct compact_record *rec, struct slice payload)
{
	if (r->count == r->cap) {
		r->cap = r->cap != 0 ? r->cap * 2 : 16;
		r->v = xreallocarray(r->v, r->cap, sizeof(*r->v));
	}
	r->v[r->count] = *rec;
	r->v[r->count++].payload = slice_make(slice_dup(payload), payload.n);
	r->bytes += RECORD_HEADER_BYTES + payload.n;
}

static void
need_body(struct compactor *c, uint64_t id, uint64_t at, uint64_t bytes)
{
	if (c->body_count == c->body_cap) {
		c->body_cap = c->body_cap != 0 ? c->body_cap * 2 : 256;
		c->bodies = xreallocarray(c->bodies, c->body_cap, sizeof(*c->bodies));
	}
	c->bodies[c->body_count++] = (struct compact_body){ id, at, bytes };
	c->body_bytes += bytes;
}

struct compact_object *
compact_need_object(struct compactor *c, uint64_t id, uint64_t lsn)
{
	struct compact_object *o = map_get(c->objects_by_id, map_key_u64(&id));

	if (o != NULL) {
		o->lsn = MAX(o->lsn, lsn);
		return o;
	}
	if (c->object_count == c->object_cap) {
		c->object_cap = c->object_cap != 0 ? c->object_cap * 2 : 64;
		c->objects =
			xreallocarray(c->objects, c->object_cap, sizeof(struct compact_object *));
	}
	o = xcalloc(1, sizeof(*o));
	*o = (struct compact_object){ .id = id, .lsn = lsn };
	c->objects[c->object_count++] = o;
	(void)map_set(c->objects_by_id, map_key_u64(&id), o);
	return o;
}

struct scanning {
	struct compactor *c;
	struct segment_reader in;
	struct kv_txn *txn;
	uint64_t lsn; /* of the fact being looked at */
};

/* An object of a fact: no two newer snapshots have what it says. */
static void
on_object(void *ctx, uint64_t object)
{
	struct scanning *s = ctx;
	struct snapshot_mark m;

	if (!account_get_twin(s->c->e, s->txn, object, &m) || m.as_of < s->lsn)
		(void)compact_need_object(s->c, object, s->lsn);
}

static void
scan_fact(struct scanning *s, const struct record_header *h, struct slice body)
{
	struct engine *e = s->c->e;
	struct engine_record r = { h->lsn, h->object, h->kind, ENGINE_FACT, body };

	s->lsn = h->lsn;
	if (e->client->compact->concerns(e->client_ctx, s->txn, &r, on_object, s))
		push_record(&s->c->keep,
		            &(struct compact_record){ .object = h->object, .kind = h->kind }, body);
}

static void
scan_snapshot(struct scanning *s, const struct record_header *h, struct slice body)
{
	struct engine *e = s->c->e;
	struct snapshot_mark m, known;
	struct compact_object *o;
	struct slice rows;

	if (!snapshot_read(body, &m, &rows))
		return;
	if ((account_get_object(e, s->txn, h->object, &known) && known.id == m.id) ||
	    (account_get_twin(e, s->txn, h->object, &known) && known.id == m.id)) {
		o = compact_need_object(s->c, h->object, h->lsn);
		o->ends += h->type == ENGINE_SNAPSHOT_LAST;
	}
}

static void
scan_body(struct scanning *s, const struct record_header *h, uint64_t at)
{
	struct blob_place p;
	uint32_t refs;

	if (blob_find(s->c->e, s->txn, h->object, &p, &refs) && p.segment == s->c->at.number &&
	    p.at == at)
		need_body(s->c, h->object, at, record_bytes(h));
}

static void
scan_record(struct scanning *s, const struct record_header *h, struct slice body, uint64_t at)
{
	switch (h->type) {
	case ENGINE_BLOB:
		scan_body(s, h, at);
		break;
	case ENGINE_SNAPSHOT:
	case ENGINE_SNAPSHOT_LAST:
		scan_snapshot(s, h, body);
		break;
	default:
		scan_fact(s, h, body);
	}
}

/* The records of a batch. What is bad in a tail that was written anew is no damage. */
static void
scan_records(struct scanning *s, const struct record_batch *b, uint64_t at, struct slice rest)
{
	struct compactor *c = s->c;
	struct record_header h;
	struct slice head, body;

	for (uint32_t i = 0; i < b->records; i++) {
		enum record_state state = segment_read_record(&s->in, rest, &h, &head, &body);

		if (state != RECORD_WHOLE) {
			if (b->first_lsn + i <= c->end_lsn)
				note_damage(c, "record", b->first_lsn + i, at);
			return;
		}
		if (h.lsn <= c->end_lsn)
			scan_record(s, &h, body, at);
		at += record_bytes(&h);
		rest = slice_skip(rest, record_bytes(&h));
	}
}

/* Sleeps as long as reading so many bytes may take; in small pieces, so that nobody who wants an
 * end or another pace waits for it. */
void
compact_keep_pace(struct compactor *c, uint64_t bytes)
{
	uint64_t rate;

	c->ahead_bytes += bytes;
	while (c->has_thread && !c->stop && !c->e->full && (rate = c->rate) != 0) {
		uint64_t piece = MAX(rate * PACE_MS / 1000, (uint64_t)1);

		if (c->ahead_bytes < piece)
			return;
		nanosleep(&(struct timespec){ 0, PACE_MS * 1000000 }, NULL);
		c->ahead_bytes -= piece;
	}
	c->ahead_bytes = 0;
}

static void
scan_batch(struct scanning *s, const struct record_batch *b, uint64_t at)
{
	struct compactor *c = s->c;
	char *bytes = xmalloc(b->bytes + 1);

	at += RECORD_BATCH_BYTES;
	segment_read_sectors(&s->in, bytes, b->bytes, at);
	if (kv_begin_read(c->e->kv, &s->txn, NULL) == KV_OK) {
		scan_records(s, b, at, slice_make(bytes, b->bytes));
		if (kv_txn_error(s->txn) != KV_OK)
			put_off(c, RETRY_MS);
		kv_end(&s->txn);
	} else {
		put_off(c, RETRY_MS);
	}
	free(bytes);
	c->seen_lsn = b->first_lsn + b->records - 1;
	compact_keep_pace(c, b->bytes);
}

static void
scan_batches(struct scanning *s)
{
	struct compactor *c = s->c;
	uint64_t at = RECORD_SEGMENT_BYTES, from;
	struct record_batch b;

	while (!c->failed && !c->stop) {
		from = at;
		if (!segment_batch_at(&s->in, at, &b)) {
			if (!segment_scan(&s->in, &at, &b))
				return;
			if (b.first_lsn <= c->end_lsn)
				note_damage(c, "batch header", b.first_lsn, from);
			return;
		}
		if (b.first_lsn > c->end_lsn)
			return; /* all of it is written anew elsewhere */
		scan_batch(s, &b, at);
		at += RECORD_BATCH_BYTES + b.bytes;
	}
}

/* Bytes of the snapshots it takes. */
static bool
weigh_snapshots(struct compactor *c, uint64_t *bytes_r)
{
	struct engine *e = c->e;
	struct kv_txn *txn;
	bool good;

	*bytes_r = 0;
	if (kv_begin_read(e->kv, &txn, NULL) != KV_OK)
		return false;
	for (size_t i = 0; i < c->object_count; i++)
		*bytes_r += 2 * e->client->compact->weigh(e->client_ctx, txn, c->objects[i]->id);
	good = kv_txn_error(txn) == KV_OK;
	kv_end(&txn);
	return good;
}

/* A snapshot serves all files that are candidates, so each bears its share. */
static bool
is_worth_it(struct compactor *c, uint64_t snapshots)
{
	uint64_t percent = compact_is_hungry(c) ? COMPACT_LEAST_PERCENT : c->dead_percent;
	uint64_t cost = c->body_bytes + c->keep.bytes + snapshots / MAX(c->candidates, (size_t)1);

	if (c->forced || cost <= c->at.bytes / 100 * (100 - percent / 2))
		return true;
	log_info(NULL, "engine.compact_not_worth segment=%016llx bodies=%zu objects=%zu",
	         (unsigned long long)c->at.number, c->body_count, c->object_count);
	file_at(c)->unworthy_ms = clock_mono_ms() + LATER_MS;
	if (compact_is_hungry(c))
		put_off(c, LATER_MS);
	return false;
}

/* All of it is written before the file goes. What begins and does not fit fills the disk for
 * nothing. */
static bool
has_room(struct compactor *c, uint64_t snapshots)
{
	struct compact_file *f = file_at(c);
	uint64_t largest = 0;

	for (size_t i = 0; i < c->body_count; i++)
		largest = MAX(largest, c->bodies[i].bytes);
	f->needs_bytes = c->body_bytes + c->keep.bytes + snapshots + largest + 4 * c->chunk_bytes;
	f->needs_until_ms = clock_mono_ms() + NO_ROOM_MS;
	if (f->needs_bytes <= compact_room(c))
		return true;
	compact_tell_no_room(c, f->needs_bytes);
	return false;
}

void
compact_scan(struct compactor *c)
{
	struct scanning s = { .c = c };
	const struct compact_file *behind = compact_file_behind(c, c->at.number);
	uint64_t snapshots, last_lsn;

	compact_forget(c);
	if (behind == NULL) { /* the log goes on behind what is full, but that cannot be read */
		put_off(c, RETRY_MS);
		return;
	}
	if (!open_file(c, &s.in))
		return;
	c->end_lsn = c->at.torn ? behind->prev_lsn : UINT64_MAX;
	c->seen_lsn = c->at.prev_lsn;
	scan_batches(&s);
	segment_end(&s.in);
	/* The index knows how far this one went, and the next file, when it is still there. */
	last_lsn = c->at.last_lsn;
	if (behind->number == c->at.number + 1)
		last_lsn = MAX(last_lsn, behind->prev_lsn);
	if (!c->failed && !c->stop && c->seen_lsn < MIN(last_lsn, c->end_lsn))
		note_damage(c, "batches missing", c->seen_lsn + 1, 0);
	if (c->failed || c->stop)
		return;
	if (!weigh_snapshots(c, &snapshots))
		put_off(c, RETRY_MS);
	else
		c->failed = !is_worth_it(c, snapshots) || !has_room(c, snapshots);
}

/* ---- copies -------------------------------------------------------------------------------- */

static bool
is_still_there(struct compactor *c, const struct compact_body *b)
{
	struct kv_txn *txn;
	struct blob_place p;
	uint32_t refs;
	bool there;

	if (kv_begin_read(c->e->kv, &txn, NULL) != KV_OK)
		return true; /* a copy too much does no harm */
	there = blob_find(c->e, txn, b->id, &p, &refs) && p.segment == c->at.number;
	kv_end(&txn);
	return there;
}

/* Behind what is in the chunk. */
static bool
read_body(struct compactor *c, struct segment_reader *in, const struct compact_body *b)
{
	size_t at = c->chunk.len;
	char *to = buf_extend(&c->chunk, b->bytes);
	struct record_header h;
	struct slice head, body;

	segment_read_sectors(in, to, b->bytes, b->at);
	if (segment_read_record(in, slice_make(to, b->bytes), &h, &head, &body) != RECORD_WHOLE ||
	    h.type != ENGINE_BLOB || h.object != b->id) {
		note_damage(c, "body", b->id, b->at);
		return false;
	}
	if (c->copy_count == c->copy_cap) {
		c->copy_cap = c->copy_cap != 0 ? c->copy_cap * 2 : 64;
		c->copies = xreallocarray(c->copies, c->copy_cap, sizeof(*c->copies));
	}
	c->copies[c->copy_count++] = (struct compact_copy){ b->id, at + RECORD_HEADER_BYTES,
		                                            h.head_bytes, h.body_bytes };
	return true;
}

void
compact_read_copies(struct compactor *c)
{
	struct segment_reader in;

	c->copy_count = 0;
	buf_clear(&c->chunk);
	if (!open_file(c, &in))
		return;
	while (c->body_at < c->body_count && !c->failed && !c->stop) {
		const struct compact_body *b = &c->bodies[c->body_at];

		if (c->copy_count != 0 && c->chunk.len + b->bytes > c->chunk_bytes)
			break;
		if (is_still_there(c, b) && !read_body(c, &in, b))
			break;
		c->body_at++;
	}
	segment_end(&in);
}

/* ---- snapshots ------------------------------------------------------------------------------ */

struct dumping {
	struct compactor *c;
	struct kv_txn *txn;
	uint64_t as_of;
	uint64_t object;
	size_t first; /* in snapshots */
};

static void
on_part(void *ctx, struct slice rows)
{
	struct dumping *d = ctx;
	struct compact_record r = { .object = d->object, .mark = { .as_of = d->as_of } };

	push_record(&d->c->snapshots, &r, rows);
}

/* Can another file have something of the object that is not newer than what this one has? A
 * snapshot elsewhere is older than its place: what it shows was read before it was written. */
static bool
needs_tombstone(struct compactor *c, struct kv_txn *txn, const struct compact_object *o)
{
	uint64_t born = o->id < ENGINE_OBJECT_OWN ? o->id : 0;
	const struct compact_file *behind = NULL;
	struct snapshot_mark m;
	unsigned ends = account_get_object(c->e, txn, o->id, &m);

	ends += account_get_twin(c->e, txn, o->id, &m);
	if (ends > o->ends)
		return true;
	for (size_t i = c->file_count; i-- > 0;) {
		const struct compact_file *f = &c->files[i];

		if (f->unread)
			return true;
		if (!f->ours)
			continue;
		if (f->number != c->at.number && f->prev_lsn + 1 <= o->lsn &&
		    (behind == NULL || f->torn || behind->prev_lsn >= born))
			return true;
		behind = f;
	}
	return false;
}

static bool
dump_object(struct dumping *d, uint64_t object)
{
	struct engine *e = d->c->e;

	d->object = object;
	d->first = d->c->snapshots.count;
	return e->client->compact->dump(e->client_ctx, d->txn, object, on_part, d) == 0;
}

/* There is no more of it; of one without anything an empty part. */
static void
end_object(struct dumping *d)
{
	struct compact_records *r = &d->c->snapshots;

	if (r->count == d->first)
		on_part(d, SLICE(""));
	r->v[r->count - 1].last = true;
}

static bool
dump_common(struct dumping *d)
{
	uint64_t common = d->c->e->client->compact->common;

	if (common == 0)
		return true;
	if (!dump_object(d, common))
		return false;
	end_object(d);
	return true;
}

static bool
dump_needed(struct dumping *d, struct compact_object *o)
{
	struct compactor *c = d->c;
	struct snapshot_mark m;
	bool empty;

	if (o->id == c->e->client->compact->common)
		return true; /* it is there already */
	if (!dump_object(d, o->id))
		return false;
	empty = c->snapshots.count == d->first;
	if (c->checking)
		o->gone = empty && o->lsn == 0 && !account_get_object(c->e, d->txn, o->id, &m);
	else
		o->gone = empty && !needs_tombstone(c, d->txn, o);
	if (!o->gone)
		end_object(d);
	return true;
}

static bool
read_applied(struct engine *e, struct kv_txn *txn, uint64_t *lsn_r)
{
	struct slice row;

	if (!kv_get(txn, e->t_meta, SLICE("applied"), &row) || row.n < 8)
		return false;
	*lsn_r = num_get_le64((const uint8_t *)row.p);
	return true;
}

/* The common object is read first, out of the same state of the index. It is logged whenever
 * the file has anything of anybody: facts of objects that are gone need it, too. */
void
compact_dump(struct compactor *c)
{
	struct engine *e = c->e;
	struct dumping d = { .c = c };
	bool good;

	compact_records_clear(&c->snapshots);
	c->twice = false;
	if (kv_begin_read(e->kv, &d.txn, NULL) != KV_OK) {
		put_off(c, RETRY_MS);
		return;
	}
	good = read_applied(e, d.txn, &d.as_of) && dump_common(&d);
	while (good && c->object_at < c->object_count && c->snapshots.bytes < GROUP_BYTES)
		good = dump_needed(&d, c->objects[c->object_at++]);
	if (!good || kv_txn_error(d.txn) != KV_OK) {
		log_error(NULL, "engine.compact_unreadable object=%llu segment=%016llx",
		          (unsigned long long)d.object, (unsigned long long)c->at.number);
		put_off(c, LATER_MS);
	}
	kv_end(&d.txn);
}

/* ---- dropping -------------------------------------------------------------------------------- */

/* The index knows that nothing of it is needed. */
static bool
is_free(struct compactor *c)
{
	const struct compact_file *behind = compact_file_behind(c, c->at.number);
	struct account_row row;
	struct snapshot_mark m;
	struct kv_txn *txn;
	bool freed;

	if (behind == NULL || kv_begin_read(c->e->kv, &txn, NULL) != KV_OK)
		return false;
	(void)account_get(c->e, txn, c->at.number, &row);
	freed = row.bodies == 0;
	for (size_t i = 0; freed && i < c->object_count; i++) {
		const struct compact_object *o = c->objects[i];

		freed = o->gone || (account_get_twin(c->e, txn, o->id, &m) && m.as_of >= o->lsn);
	}
	freed = freed && kv_txn_error(txn) == KV_OK;
	kv_end(&txn);
	return freed;
}

/* Rows that speak of it go with the next commit. */
static void
forget_rows(struct compactor *c)
{
	account_note_dropped(c->e, c->at.number);
	for (size_t i = 0; i < c->object_count; i++)
		if (c->objects[i]->gone)
			account_note_gone(c->e, c->objects[i]->id);
}

void
compact_drop(struct compactor *c)
{
	struct engine *e = c->e;
	char path[512];

	if (!is_free(c)) {
		log_warning(NULL, "engine.compact_not_free segment=%016llx",
		            (unsigned long long)c->at.number);
		put_off(c, LATER_MS);
		return;
	}
	segment_path(e, c->at.number, path);
	if (e->os->ops->unlink(e->os, path) == -1 ||
	    e->os->ops->sync_dir(e->os, e->log_dir) == -1) {
		/* Is it there after a power cut? Nothing may be built on either answer. */
		log_error(NULL, "engine.compact_failed segment=%016llx error=%s",
		          (unsigned long long)c->at.number, log_esc(strerror(errno)));
		c->failed = true;
		c->stop = true;
		return;
	}
	forget_rows(c);
	e->segments--;
	c->told_no_room = false;
	c->dropped++;
	c->dropped_bytes += c->at.bytes;
	log_info(NULL, "engine.compact_dropped segment=%016llx bytes=%llu copied=%llu",
	         (unsigned long long)c->at.number, (unsigned long long)c->at.bytes,
	         (unsigned long long)c->body_bytes);
}
