/*
 * compact_check - compaction's thread: is what rests still what was written? While the index is
 * there, it knows what a damaged snapshot or fact said; when it is lost, too, it is too late. So
 * this looks at what nobody reads, and has it written anew: see engine_check().
 *
 * Damage of what is dead is none. Of a record whose header is lost nobody knows what it was: all
 * objects with snapshots in that file get new ones.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/xalloc.h"
#include "engine/compact_impl.h"

struct checking {
	struct compactor *c;
	struct segment_reader in;
	struct kv_txn *txn;
	bool hurt;        /* the file, in a place of which nobody knows what it was */
	uint64_t end_lsn; /* what is above it is written anew elsewhere */

	/* the transaction being read: a rebuild takes no more of a damaged one than is safe
	 * (engine_apply_is_partial()), so that all its objects need new snapshots */
	struct buf objects; /* u64 id, u64 LSN of each */
	bool tx_bad;
};

static void
note(struct checking *k, const char *what, uint64_t lsn, uint64_t at)
{
	k->c->check.damaged++;
	log_error(NULL, "engine.check_damaged what=\"%s\" lsn=%llu segment=%016llx offset=%llu",
	          what, (unsigned long long)lsn, (unsigned long long)k->c->at.number,
	          (unsigned long long)at);
}

static void
note_unknown(struct checking *k, const char *what, uint64_t lsn, uint64_t at)
{
	note(k, what, lsn, at);
	k->hurt = true;
}

static bool
is_body_needed(struct checking *k, const struct record_header *h, uint64_t at)
{
	struct blob_place p;
	uint32_t refs;

	return blob_find(k->c->e, k->txn, h->object, &p, &refs) && p.segment == k->c->at.number &&
	       p.at == at;
}

/* lsn 0: there may be no such object, nor ever have been. */
static void
add_object(struct compactor *c, uint64_t object, uint64_t lsn)
{
	buf_add_u64(&c->check.objects, object);
	buf_add_u64(&c->check.objects, lsn);
}

/* What is bad of it is its payload: the header says what it is. */
static void
check_bad(struct checking *k, const struct record_header *h, uint64_t at)
{
	struct compactor *c = k->c;
	struct snapshot_mark m;

	switch (h->type) {
	case ENGINE_BLOB:
		if (is_body_needed(k, h, at)) {
			note(k, "body", h->object, at);
			c->check.bodies++;
		}
		break;
	case ENGINE_SNAPSHOT:
	case ENGINE_SNAPSHOT_LAST:
		if (account_is_weak(c->e, k->txn, h->object, &c->at.number, 1)) {
			note(k, "snapshot", h->lsn, at);
			add_object(c, h->object, h->lsn);
		}
		break;
	default: /* one about several objects does not say which, but for the one it has made */
		if (h->object != 0 && account_get_twin(c->e, k->txn, h->object, &m) &&
		    m.as_of >= h->lsn)
			break;
		note(k, "record", h->lsn, at);
		if (h->object != 0)
			add_object(c, h->object, h->lsn);
		else
			add_object(c, h->lsn, 0);
	}
}

static void
end_tx(struct checking *k)
{
	if (k->tx_bad)
		buf_add_slice(&k->c->check.objects, buf_slice(&k->objects));
	buf_clear(&k->objects);
	k->tx_bad = false;
}

static void
check_record(struct checking *k, const struct record_header *h, enum record_state state,
             uint64_t at)
{
	if (h->flags & RECORD_FIRST)
		end_tx(k);
	if (state != RECORD_WHOLE)
		check_bad(k, h, at);
	k->tx_bad = k->tx_bad || state == RECORD_BAD;
	if (h->type == ENGINE_FACT && h->object != 0) {
		buf_add_u64(&k->objects, h->object);
		buf_add_u64(&k->objects, h->lsn);
	}
	if (h->flags & RECORD_LAST)
		end_tx(k);
}

static void
check_records(struct checking *k, const struct record_batch *b, uint64_t at, struct slice rest)
{
	uint64_t next = b->first_lsn;
	uint64_t last = b->records != 0 ? b->first_lsn + b->records - 1 : UINT64_MAX;
	struct record_header h;
	struct slice head, body;

	while (next <= MIN(last, k->end_lsn) && rest.n != 0) {
		enum record_state state = segment_read_record(&k->in, rest, &h, &head, &body);
		size_t before = rest.n;

		if (state == RECORD_LOST) {
			k->tx_bad = true;
			if (b->records != 0)
				note_unknown(k, "record header", next, at);
			if (!segment_next_record(&k->in, &rest, next - 1, last))
				break;
			at += before - rest.n;
			continue;
		}
		check_record(k, &h, state, at);
		next = h.lsn + 1;
		at += record_bytes(&h);
		rest = slice_skip(rest, record_bytes(&h));
	}
	end_tx(k);
}

static void
check_batch(struct checking *k, const struct record_batch *b, uint64_t at)
{
	struct compactor *c = k->c;
	char *bytes = xmalloc(b->bytes + 1);

	at += RECORD_BATCH_BYTES;
	segment_read_sectors(&k->in, bytes, b->bytes, at);
	if (kv_begin_read(c->e->kv, &k->txn, NULL) == KV_OK) {
		check_records(k, b, at, slice_make(bytes, b->bytes));
		c->failed = kv_txn_error(k->txn) != KV_OK;
		kv_end(&k->txn);
	} else {
		c->failed = true;
	}
	free(bytes);
	c->check.bytes += b->bytes;
	compact_keep_pace(c, b->bytes);
}

static void
check_batches(struct checking *k)
{
	struct compactor *c = k->c;
	uint64_t at = RECORD_SEGMENT_BYTES, from;
	struct record_batch b;

	while (!c->failed && !c->stop) {
		from = at;
		if (!segment_batch_at(&k->in, at, &b)) {
			if (!segment_scan(&k->in, &at, &b))
				return;
			if (b.first_lsn <= k->end_lsn)
				note_unknown(k, "batch header", b.first_lsn, from);
		}
		if (b.first_lsn > k->end_lsn)
			return;
		check_batch(k, &b, at);
		at += RECORD_BATCH_BYTES + b.bytes;
	}
}

static void
check_file(struct compactor *c)
{
	const struct compact_file *behind = compact_file_behind(c, c->at.number);
	struct checking k = { .c = c, .end_lsn = UINT64_MAX, .objects = BUF_INIT(SIZE_MAX) };
	struct err err;

	if (c->at.torn && behind != NULL)
		k.end_lsn = behind->prev_lsn;
	if (segment_open(&k.in, c->e, c->at.number) == -1) {
		log_error(NULL, "engine.check_failed segment=%016llx error=%s",
		          (unsigned long long)c->at.number, log_esc(strerror(errno)));
		c->failed = true;
		return;
	}
	if (segment_read_header(&k.in, c->at.number, &err) == SEGMENT_OURS) {
		check_batches(&k);
	} else {
		note_unknown(&k, "file header", 0, 0);
		if (segment_adopt(&k.in, c->at.number))
			check_batches(&k);
	}
	if (k.hurt)
		buf_add_u64(&c->check.hurt, c->at.number);
	segment_end(&k.in);
	buf_fini(&k.objects);
}

/* ---- what to write anew ----------------------------------------------------------------------- */

struct collecting {
	struct compactor *c;
	struct kv_txn *txn;
	uint64_t *files;
	size_t count;
};

static void
on_object(void *ctx, uint64_t object)
{
	struct collecting *l = ctx;

	if (account_is_weak(l->c->e, l->txn, object, l->files, l->count))
		(void)compact_need_object(l->c, object, 0);
}

static void
collect_objects(struct compactor *c)
{
	struct compact_check *k = &c->check;
	struct collecting l = { .c = c, .files = xcalloc(k->hurt.len / 8 + 1, sizeof(uint64_t)) };
	struct num_reader r;

	for (r = num_reader_of(buf_slice(&k->hurt)); r.rest.n != 0;)
		l.files[l.count++] = num_read_u64(&r);
	for (r = num_reader_of(buf_slice(&k->objects)); r.rest.n != 0;) {
		uint64_t object = num_read_u64(&r);

		(void)compact_need_object(c, object, num_read_u64(&r));
	}
	if (kv_begin_read(c->e->kv, &l.txn, NULL) == KV_OK) {
		account_each_object(c->e, l.txn, on_object, &l);
		c->failed = kv_txn_error(l.txn) != KV_OK;
		kv_end(&l.txn);
	} else {
		c->failed = true;
	}
	free(l.files);
}

/* A header that is lost makes a file of ours one that is unread. */
static bool
is_to_be_read(const struct compactor *c, const struct compact_file *f)
{
	return f->number >= c->check.next &&
	       (compact_is_full(c, f) || (f->unread && f->number < c->e->replay_segment));
}

void
compact_check(struct compactor *c)
{
	compact_forget(c);
	c->checking = true;
	if (!compact_list(c)) {
		c->failed = true;
		return;
	}
	for (size_t i = 0; i < c->file_count; i++) {
		if (!is_to_be_read(c, &c->files[i]))
			continue;
		c->at = c->files[i];
		c->check.next = c->at.number + 1;
		check_file(c);
		return;
	}
	c->check.all_read = true;
	collect_objects(c);
}
