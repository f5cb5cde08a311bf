/*
 * blob - message bodies: where they lie, reading them, counting who refers to them.
 *
 * Row of the table `engine.blobs`, key be64 blob id:
 *   u64 segment, u64 offset of the record, u32 head bytes, u32 body bytes,
 *   u64 sum of head, u64 sum of body, u32 references
 * Segment 0: not met in the log (yet), in a rebuild.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/xalloc.h"
#include "engine/engine_impl.h"
#include "hash/hash.h"

void
blob_place_add(struct buf *out, const struct blob_place *p, uint32_t refs)
{
	buf_add_u64(out, p->segment);
	buf_add_u64(out, p->at);
	buf_add_u32(out, p->head_bytes);
	buf_add_u32(out, p->body_bytes);
	buf_add_u64(out, p->head_sum);
	buf_add_u64(out, p->body_sum);
	buf_add_u32(out, refs);
}

static bool
parse_row(struct slice row, struct blob_place *p, uint32_t *refs_r)
{
	struct num_reader r = num_reader_of(row);

	p->segment = num_read_u64(&r);
	p->at = num_read_u64(&r);
	p->head_bytes = num_read_u32(&r);
	p->body_bytes = num_read_u32(&r);
	p->head_sum = num_read_u64(&r);
	p->body_sum = num_read_u64(&r);
	*refs_r = num_read_u32(&r);
	return !r.bad && p->head_bytes >= ENGINE_GUID_LEN;
}

bool
blob_find(struct engine *e, struct kv_txn *txn, uint64_t id, struct blob_place *p, uint32_t *refs_r)
{
	uint8_t key[8];
	struct slice row;

	num_put_be64(key, id);
	return kv_get(txn, e->t_blobs, slice_make(key, 8), &row) && parse_row(row, p, refs_r);
}

/* A descriptor of the segment, from a small cache. -1 with errno. Loop only. */
static int
segment_fd(struct engine *e, uint64_t segment)
{
	struct fd_slot *oldest = &e->fds[0];
	char path[512];

	for (size_t i = 0; i < ENGINE_FDS; i++) {
		struct fd_slot *s = &e->fds[i];

		if (s->fd != -1 && s->segment == segment) {
			s->used = ++e->fd_turn;
			return s->fd;
		}
		if (s->fd == -1 || (oldest->fd != -1 && s->used < oldest->used))
			oldest = s;
	}
	segment_path(e, segment, path);
	if (oldest->fd != -1)
		(void)e->os->ops->close(e->os, oldest->fd);
	oldest->fd = e->os->ops->open(e->os, path, false);
	oldest->segment = segment;
	oldest->used = ++e->fd_turn;
	return oldest->fd;
}

void
blob_fd_forget(struct engine *e, uint64_t segment)
{
	for (size_t i = 0; i < ENGINE_FDS; i++) {
		if (e->fds[i].fd == -1 || e->fds[i].segment != segment)
			continue;
		(void)e->os->ops->close(e->os, e->fds[i].fd);
		e->fds[i].fd = -1;
	}
}

void
blob_fds_close(struct engine *e)
{
	for (size_t i = 0; i < ENGINE_FDS; i++) {
		if (e->fds[i].fd != -1)
			(void)e->os->ops->close(e->os, e->fds[i].fd);
		e->fds[i].fd = -1;
	}
}

/* Where a published blob lies: in memory while it is not indexed, else by the index. */
static enum engine_err
locate(struct engine *e, uint64_t id, struct blob_place *p, uint32_t *refs_r)
{
	const struct engine_item *it = map_get(e->unindexed, map_key_u64(&id));
	struct kv_txn *txn;
	enum engine_err result;

	*refs_r = 0;
	if (it != NULL) {
		*p = it->place;
		return ENGINE_OK;
	}
	if (kv_begin_read(e->kv, &txn, NULL) != KV_OK)
		return ENGINE_FAILED;
	if (blob_find(e, txn, id, p, refs_r))
		result = p->segment != 0 ? ENGINE_OK : ENGINE_CORRUPT;
	else
		result = kv_txn_error(txn) == KV_OK ? ENGINE_ABSENT : ENGINE_FAILED;
	kv_end(&txn);
	return result;
}

static enum engine_err
read_at(struct engine *e, const struct blob_place *p, uint64_t from, uint64_t n, struct buf *out)
{
	size_t before = out->len;
	int fd = segment_fd(e, p->segment);
	char *to;

	if (fd == -1)
		return ENGINE_CORRUPT;
	to = buf_extend(out, n);
	if (to == NULL)
		return ENGINE_TOOBIG;
	if (segment_read(e, fd, to, n, p->at + RECORD_HEADER_BYTES + from) == 0)
		return ENGINE_OK;
	log_error(NULL, "engine.read_failed segment=%016llx offset=%llu error=%s",
	          (unsigned long long)p->segment, (unsigned long long)p->at,
	          log_esc(strerror(errno)));
	buf_truncate(out, before);
	return ENGINE_CORRUPT;
}

static enum engine_err
check_sum(const struct blob_place *p, struct slice got, uint64_t want, uint64_t id, struct buf *out)
{
	if (hash_of(got) == want)
		return ENGINE_OK;
	log_error(NULL, "engine.blob_damaged blob=%llu segment=%016llx offset=%llu",
	          (unsigned long long)id, (unsigned long long)p->segment,
	          (unsigned long long)p->at);
	buf_truncate(out, out->len - got.n);
	return ENGINE_CORRUPT;
}

/* Appends the whole head, checked. */
static enum engine_err
read_head(struct engine *e, uint64_t id, const struct blob_place *p, struct buf *out)
{
	size_t before = out->len;
	enum engine_err err = read_at(e, p, 0, p->head_bytes, out);

	if (err != ENGINE_OK)
		return err;
	return check_sum(p, slice_skip(buf_slice(out), before), p->head_sum, id, out);
}

enum engine_err
engine_blob_stat(struct engine *e, uint64_t id, struct engine_blob *b)
{
	struct buf head = BUF_INIT(SIZE_MAX);
	struct blob_place p;
	enum engine_err err = locate(e, id, &p, &b->refs);

	if (err == ENGINE_OK)
		err = read_head(e, id, &p, &head);
	if (err == ENGINE_OK) {
		b->id = id;
		b->body_bytes = p.body_bytes;
		b->summary_bytes = p.head_bytes - ENGINE_GUID_LEN;
		memcpy(b->guid, buf_slice(&head).p, ENGINE_GUID_LEN);
	}
	buf_fini(&head);
	return err;
}

enum engine_err
engine_blob_summary(struct engine *e, uint64_t id, struct buf *out)
{
	struct buf head = BUF_INIT(SIZE_MAX);
	struct blob_place p;
	uint32_t refs;
	enum engine_err err = locate(e, id, &p, &refs);

	if (err == ENGINE_OK)
		err = read_head(e, id, &p, &head);
	if (err == ENGINE_OK)
		buf_add_slice(out, slice_skip(buf_slice(&head), ENGINE_GUID_LEN));
	buf_fini(&head);
	return err;
}

enum engine_err
engine_blob_read(struct engine *e, uint64_t id, uint64_t from, uint64_t n, struct buf *out)
{
	struct blob_place p;
	uint32_t refs;
	size_t before = out->len;
	enum engine_err err = locate(e, id, &p, &refs);

	if (err != ENGINE_OK)
		return err;
	if (from >= p.body_bytes)
		return ENGINE_OK;
	n = MIN(n, p.body_bytes - from);
	if (n == 0)
		return ENGINE_OK;
	err = read_at(e, &p, p.head_bytes + from, n, out);
	if (err != ENGINE_OK || n != p.body_bytes)
		return err;
	return check_sum(&p, slice_skip(buf_slice(out), before), p.body_sum, id, out);
}

/* ---- rows ------------------------------------------------------------------------------ */

uint64_t
blob_record_bytes(const struct blob_place *p)
{
	struct record_header h = { .head_bytes = p->head_bytes, .body_bytes = p->body_bytes };

	return record_bytes(&h);
}

static void
put_row(struct engine *e, struct kv_txn *txn, uint64_t id, const struct blob_place *p,
        uint32_t refs)
{
	struct buf row = BUF_INIT(256);
	uint8_t key[8];

	num_put_be64(key, id);
	blob_place_add(&row, p, refs);
	kv_put(txn, e->t_blobs, slice_make(key, 8), buf_slice(&row));
	buf_fini(&row);
}

void
blob_count_row(struct engine *e, struct slice row)
{
	struct blob_place p;
	uint32_t refs;

	if (parse_row(row, &p, &refs))
		account_add(e, p.segment, 1, (int64_t)blob_record_bytes(&p));
}

/* A body, or compaction's copy of one: the references stay. A copy of one whose last reference
 * went meanwhile is of no use; in a rebuild they may still come. */
void
blob_apply(struct engine *e, struct kv_txn *txn, const struct engine_item *it)
{
	uint64_t id = it->header.object;
	struct blob_place was;
	uint32_t refs = 0;
	bool known = blob_find(e, txn, id, &was, &refs);

	if (!known && id != it->header.lsn && e->pass != PASS_BODIES)
		return;
	if (known)
		account_add(e, was.segment, -1, -(int64_t)blob_record_bytes(&was));
	account_add(e, it->place.segment, 1, (int64_t)blob_record_bytes(&it->place));
	put_row(e, txn, id, &it->place, refs);
	if (e->applying->partial && id == it->header.lsn && e->pass != PASS_BODIES)
		buf_add_u64(&e->orphans, id);
}

/* A rebuild meets facts about bodies that are gone, since later facts take the last reference:
 * they are counted without a place. And each object is as new as its snapshot, so that a body on
 * its way from one to the other may be in none for a while: blob_settle() decides in the end. */
static bool
find_or_imagine(struct engine *e, struct kv_txn *txn, uint64_t id, struct blob_place *p,
                uint32_t *refs_r)
{
	if (blob_find(e, txn, id, p, refs_r))
		return true;
	*p = (struct blob_place){ .head_bytes = ENGINE_GUID_LEN };
	*refs_r = 0;
	return e->pass != PASS_LIVE;
}

void
engine_apply_ref(struct engine *e, struct kv_txn *txn, uint64_t id, int delta)
{
	struct blob_place p;
	uint8_t key[8];
	uint32_t refs;

	must(delta == 1 || delta == -1);
	if (!find_or_imagine(e, txn, id, &p, &refs)) {
		log_error(NULL, "engine.ref_without_blob blob=%llu delta=%d",
		          (unsigned long long)id, delta);
		return;
	}
	refs = delta == 1 ? refs + 1 : refs - MIN(refs, 1u);
	num_put_be64(key, id);
	if (refs == 0 && e->pass == PASS_LIVE) {
		account_add(e, p.segment, -1, -(int64_t)blob_record_bytes(&p));
		(void)kv_del(txn, e->t_blobs, slice_make(key, 8));
	} else {
		put_row(e, txn, id, &p, refs);
	}
}

void
blob_mend(struct engine *e, struct kv_txn *txn)
{
	struct num_reader r = num_reader_of(buf_slice(&e->orphans));
	uint64_t *ids = xcalloc(e->orphans.len / 8 + 1, sizeof(*ids));
	size_t count = 0;

	while (r.rest.n != 0) {
		uint64_t id = num_read_u64(&r);
		struct blob_place p;
		uint32_t refs;

		if (blob_find(e, txn, id, &p, &refs) && refs == 0)
			ids[count++] = id;
	}
	if (e->client->mend != NULL)
		e->client->mend(e->client_ctx, e, txn, ids, count);
	free(ids);
	buf_clear(&e->orphans);
}

void
blob_settle(struct engine *e, struct kv_txn *txn)
{
	struct kv_cursor *c = kv_cursor_new(txn, e->t_blobs);
	struct slice key, row;

	for (bool more = kv_cursor_seek(c, SLICE(""), &key, &row); more;
	     more = kv_cursor_next(c, &key, &row)) {
		struct blob_place p;
		uint32_t refs;

		if (!parse_row(row, &p, &refs))
			continue;
		if (refs == 0) {
			account_add(e, p.segment, -1, -(int64_t)blob_record_bytes(&p));
			kv_cursor_del(c);
		} else if (p.segment == 0) {
			log_error(NULL, "engine.damaged what=\"body missing\" blob=%llu",
			          (unsigned long long)num_get_be64((const uint8_t *)key.p));
			e->damaged++;
		}
	}
	kv_cursor_free(&c);
}

static bool
take_head(struct engine *e, const struct blob_place *p, struct slice head, struct engine_blob *b_r,
          struct slice *summary_r)
{
	if (head.n < ENGINE_GUID_LEN)
		return false;
	b_r->body_bytes = p->body_bytes;
	b_r->summary_bytes = (uint32_t)head.n - ENGINE_GUID_LEN;
	memcpy(b_r->guid, head.p, ENGINE_GUID_LEN);
	*summary_r = slice_skip(head, ENGINE_GUID_LEN);
	(void)e;
	return true;
}

/* A blob of the transaction being applied: its id is its LSN. NULL: of another one. */
static const struct engine_item *
applied_item(const struct engine *e, uint64_t id)
{
	const struct engine_tx *tx = e->applying;
	const struct engine_item *it;

	if (tx == NULL || tx->partial || id < tx->first_lsn || id - tx->first_lsn >= tx->count)
		return NULL; /* of a partial one the log has it */
	it = &tx->items[id - tx->first_lsn];
	return it->header.type == ENGINE_BLOB && it->header.object == id ? it : NULL;
}

bool
engine_apply_blob(struct engine *e, struct kv_txn *txn, uint64_t id, struct engine_blob *b_r,
                  struct slice *summary_r)
{
	const struct engine_item *it;
	struct blob_place p;
	char path[512];
	int fd, rc;

	*b_r = (struct engine_blob){ .id = id };
	if (!blob_find(e, txn, id, &p, &b_r->refs))
		return false;
	b_r->body_bytes = p.body_bytes;
	it = applied_item(e, id);
	if (it != NULL)
		return take_head(e, &p, it->head, b_r, summary_r);
	/* A COPY of something older. The cache of descriptors is the loop's: open anew. */
	segment_path(e, p.segment, path);
	fd = e->os->ops->open(e->os, path, false);
	if (fd == -1)
		return false;
	buf_clear(&e->summary);
	rc = segment_read(e, fd, buf_extend(&e->summary, p.head_bytes), p.head_bytes,
	                  p.at + RECORD_HEADER_BYTES);
	(void)e->os->ops->close(e->os, fd);
	return rc == 0 && hash_of(buf_slice(&e->summary)) == p.head_sum &&
	       take_head(e, &p, buf_slice(&e->summary), b_r, summary_r);
}
