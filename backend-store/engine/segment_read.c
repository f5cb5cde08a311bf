/*
 * segment_read - what lies in a segment: its header, its batches, their records. For recovery
 * and for compaction; decides nothing.
 *
 * Everything says of itself what it is, so that each place of damage costs only what lies there:
 * records are found without the header of their batch, and the segment's id without its own.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/xalloc.h"
#include "engine/engine_impl.h"
#include "hash/hash.h"

#define SCAN_BYTES (1u << 20)
#define SECTOR 4096 /* what a disk loses at least */

int
segment_open(struct segment_reader *in, struct engine *e, uint64_t number)
{
	char path[512];
	int64_t size;

	*in = (struct segment_reader){ .e = e };
	segment_path(e, number, path);
	in->fd = e->os->ops->open(e->os, path, false);
	if (in->fd == -1)
		return -1;
	size = e->os->ops->size(e->os, in->fd);
	if (size < 0) { /* an empty file would be as if it were not there */
		segment_end(in);
		return -1;
	}
	in->size = (uint64_t)size;
	return 0;
}

void
segment_end(struct segment_reader *in)
{
	if (in->fd != -1)
		(void)in->e->os->ops->close(in->e->os, in->fd);
	in->fd = -1;
}

void
segment_read_sectors(struct segment_reader *in, void *p, size_t n, uint64_t at)
{
	uint8_t *to = p;
	uint64_t end = at + n;

	if (segment_read(in->e, in->fd, p, n, at) == 0)
		return;
	while (at < end) {
		size_t k = (size_t)(MIN((at / SECTOR + 1) * SECTOR, end) - at);

		if (segment_read(in->e, in->fd, to, k, at) == -1) {
			memset(to, 0, k);
			in->unreadable++;
		}
		to += k;
		at += k;
	}
}

/* ---- the header --------------------------------------------------------------------------- */

static bool
is_zero(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != 0)
			return false;
	return true;
}

/* What the next one says of it. 0: nothing. */
static uint64_t
id_by_next(struct segment_reader *in, uint64_t number)
{
	struct segment_reader next;
	uint64_t id = 0;
	struct err err;

	if (segment_open(&next, in->e, number + 1) == -1)
		return 0;
	if (segment_read_header(&next, number + 1, &err) == SEGMENT_OURS)
		id = next.seg.prev_id;
	in->unreadable += next.unreadable;
	segment_end(&next);
	return id;
}

static bool
has_bytes(struct segment_reader *in)
{
	size_t n = (size_t)MIN((uint64_t)SCAN_BYTES, in->size);
	uint8_t *chunk = xmalloc(n);
	bool has;

	segment_read_sectors(in, chunk, n, 0);
	has = !is_zero(chunk, n);
	free(chunk);
	return has;
}

/* A header of zeros is that of a file made ahead, which will be removed; or its sector is lost. The
 * index knows what was written to, and so does the next file; where neither is, what has bytes
 * is not touched. */
static bool
may_be_begun(struct segment_reader *in, uint64_t number)
{
	return in->unreadable != 0 || number <= in->e->replay_segment ||
	       id_by_next(in, number) != 0 || (in->e->pass != PASS_LIVE && has_bytes(in));
}

enum segment_state
segment_read_header(struct segment_reader *in, uint64_t number, struct err *err)
{
	uint8_t raw[RECORD_SEGMENT_BYTES];
	int rc;

	if (in->size == 0)
		return SEGMENT_UNUSED;
	if (in->size < sizeof(raw))
		return SEGMENT_HEADLESS;
	segment_read_sectors(in, raw, sizeof(raw), 0);
	rc = record_get_segment(raw, &in->seg);
	in->blank = is_zero(raw, sizeof(raw));
	if (rc == 0)
		return in->blank && !may_be_begun(in, number) ? SEGMENT_UNUSED : SEGMENT_HEADLESS;
	if (rc == -1) {
		err_set(err, "segment %016llx of %s is of another version; nothing was touched",
		        (unsigned long long)number, in->e->log_dir);
		return SEGMENT_ALIEN;
	}
	if (in->seg.store_id != in->e->store_id || in->seg.number != number) {
		err_set(err,
		        "segment %016llx in %s belongs to another store (its number or store id "
		        "differ); nothing was touched",
		        (unsigned long long)number, in->e->log_dir);
		return SEGMENT_ALIEN;
	}
	return SEGMENT_OURS;
}

/* Only where nobody's message can lie: one may look like a batch. */
static uint64_t
id_by_beginning(struct segment_reader *in)
{
	uint8_t raw[RECORD_BATCH_BYTES + RECORD_HEADER_BYTES];
	struct record_batch b;
	struct record_header h;

	if (in->size < RECORD_SEGMENT_BYTES + sizeof(raw))
		return 0;
	segment_read_sectors(in, raw, sizeof(raw), RECORD_SEGMENT_BYTES);
	if (record_get_batch(raw, &b))
		return b.segment_id;
	return record_get_header(raw + RECORD_BATCH_BYTES, &h) ? h.segment_id : 0;
}

bool
segment_adopt(struct segment_reader *in, uint64_t number)
{
	uint64_t id = id_by_next(in, number);

	if (id == 0 &&
	    !in->blank) /* a header that was never written is torn, with what is behind */
		id = id_by_beginning(in);
	in->seg =
		(struct record_segment){ .number = number, .id = id, .store_id = in->e->store_id };
	return id != 0;
}

/* ---- batches ------------------------------------------------------------------------------ */

static bool
parse_batch(const struct segment_reader *in, const uint8_t *raw, uint64_t at,
            struct record_batch *b)
{
	return record_get_batch(raw, b) && b->segment_id == in->seg.id && b->records != 0 &&
	       b->first_lsn > b->durable && b->first_lsn + b->records > b->first_lsn &&
	       b->bytes >= (uint64_t)b->records * RECORD_HEADER_BYTES &&
	       at + RECORD_BATCH_BYTES <= in->size &&
	       b->bytes <= in->size - at - RECORD_BATCH_BYTES;
}

bool
segment_batch_at(struct segment_reader *in, uint64_t at, struct record_batch *b)
{
	uint8_t raw[RECORD_BATCH_BYTES];

	if (at + sizeof(raw) > in->size)
		return false;
	segment_read_sectors(in, raw, sizeof(raw), at);
	return parse_batch(in, raw, at, b);
}

static bool
parse_header(const struct segment_reader *in, const uint8_t *raw, struct record_header *h)
{
	return record_get_header(raw, h) && h->segment_id == in->seg.id;
}

/* The first place from *at on where a batch begins, or (records) a record of one whose own header
 * is lost: b->records is 0 then. Places are multiples of 8. */
static bool
find(struct segment_reader *in, uint64_t *at, struct record_batch *b, bool records)
{
	uint8_t *chunk = xmalloc(SCAN_BYTES);
	struct record_header h;
	bool found = false;

	while (!found && *at + RECORD_BATCH_BYTES <= in->size) {
		size_t n = (size_t)MIN((uint64_t)SCAN_BYTES, in->size - *at), i;

		segment_read_sectors(in, chunk, n, *at);
		for (i = 0; i + RECORD_BATCH_BYTES <= n; i += 8) {
			if (num_get_le32(chunk + i) == 0)
				continue;
			found = parse_batch(in, chunk + i, *at + i, b);
			if (!found && records && i + RECORD_HEADER_BYTES <= n &&
			    parse_header(in, chunk + i, &h)) {
				*b = (struct record_batch){ .segment_id = in->seg.id,
					                    .first_lsn = h.lsn };
				found = true;
			}
			if (found)
				break;
		}
		*at += i;
		/* a header that goes on in the next chunk */
		if (!found && *at + RECORD_HEADER_BYTES <= in->size && n == SCAN_BYTES)
			*at -= RECORD_HEADER_BYTES - RECORD_BATCH_BYTES;
	}
	free(chunk);
	return found;
}

bool
segment_scan(struct segment_reader *in, uint64_t *at, struct record_batch *b)
{
	struct record_batch next;
	uint64_t end;

	if (!find(in, at, b, true))
		return false;
	if (b->records != 0)
		return true;
	end = *at;
	if (!find(in, &end, &next, false))
		end = in->size;
	b->bytes = end - *at;
	*at -= RECORD_BATCH_BYTES; /* where its header would be */
	return true;
}

/* ---- records ------------------------------------------------------------------------------ */

enum record_state
segment_read_record(const struct segment_reader *in, struct slice rest, struct record_header *h,
                    struct slice *head, struct slice *body)
{
	if (rest.n < RECORD_HEADER_BYTES || !parse_header(in, (const uint8_t *)rest.p, h) ||
	    record_bytes(h) > rest.n)
		return RECORD_LOST;
	*head = slice_make(rest.p + RECORD_HEADER_BYTES, h->head_bytes);
	*body = slice_make(head->p + head->n, h->body_bytes);
	if (hash_of(*head) != h->head_sum)
		return RECORD_BAD;
	if (hash_of(*body) != h->body_sum)
		return h->type == ENGINE_BLOB ? RECORD_BODY_BAD : RECORD_BAD;
	return RECORD_WHOLE;
}

bool
segment_next_record(const struct segment_reader *in, struct slice *rest, uint64_t after,
                    uint64_t last)
{
	struct record_header h;

	for (; rest->n >= RECORD_HEADER_BYTES; *rest = slice_skip(*rest, 8))
		if (num_get_le32((const uint8_t *)rest->p) != 0 &&
		    parse_header(in, (const uint8_t *)rest->p, &h) && h.lsn > after &&
		    h.lsn <= last && record_bytes(&h) <= rest->n)
			return true;
	return false;
}
