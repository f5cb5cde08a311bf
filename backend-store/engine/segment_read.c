/*
 * segment_read - what lies in a segment: its header, its batches, their records. For recovery
 * and for compaction; decides nothing.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/num.h"
#include "base/xalloc.h"
#include "engine/engine_impl.h"
#include "hash/hash.h"

#define SCAN_BYTES (1u << 20)

int
segment_open(struct segment_reader *in, struct engine *e, uint64_t number)
{
	char path[512];

	*in = (struct segment_reader){ .e = e };
	segment_path(e, number, path);
	in->fd = e->os->ops->open(e->os, path, false);
	if (in->fd != -1)
		in->size = (uint64_t)MAX(e->os->ops->size(e->os, in->fd), 0);
	return in->fd == -1 ? -1 : 0;
}

void
segment_end(struct segment_reader *in)
{
	if (in->fd != -1)
		(void)in->e->os->ops->close(in->e->os, in->fd);
	in->fd = -1;
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

enum segment_state
segment_read_header(struct segment_reader *in, uint64_t number, struct err *err)
{
	uint8_t raw[RECORD_SEGMENT_BYTES];
	int rc;

	if (in->size == 0)
		return SEGMENT_UNUSED;
	if (in->size < sizeof(raw) || segment_read(in->e, in->fd, raw, sizeof(raw), 0) == -1)
		return SEGMENT_HEADLESS;
	rc = record_get_segment(raw, &in->seg);
	if (rc == 0)
		return is_zero(raw, sizeof(raw)) ? SEGMENT_UNUSED : SEGMENT_HEADLESS;
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
segment_batch_at(const struct segment_reader *in, uint64_t at, struct record_batch *b)
{
	uint8_t raw[RECORD_BATCH_BYTES];

	return at + sizeof(raw) <= in->size &&
	       segment_read(in->e, in->fd, raw, sizeof(raw), at) == 0 &&
	       parse_batch(in, raw, at, b);
}

bool
segment_scan(const struct segment_reader *in, uint64_t *at, struct record_batch *b)
{
	uint8_t *chunk = xmalloc(SCAN_BYTES);
	bool found = false;

	while (!found && *at + RECORD_BATCH_BYTES <= in->size) {
		size_t n = (size_t)MIN((uint64_t)SCAN_BYTES, in->size - *at), i;

		if (segment_read(in->e, in->fd, chunk, n, *at) == -1) {
			*at += 4096; /* a bad sector: look behind it */
			continue;
		}
		for (i = 0; !found && i + RECORD_BATCH_BYTES <= n; i += 8)
			if (num_get_le32(chunk + i) != 0 &&
			    parse_batch(in, chunk + i, *at + i, b)) {
				found = true;
				break;
			}
		*at += i;
	}
	free(chunk);
	return found;
}

/* ---- records ------------------------------------------------------------------------------ */

enum record_state
segment_read_record(const struct segment_reader *in, struct slice rest, struct record_header *h,
                    struct slice *head, struct slice *body)
{
	if (rest.n < RECORD_HEADER_BYTES || !record_get_header((const uint8_t *)rest.p, h) ||
	    h->segment_id != in->seg.id || record_bytes(h) > rest.n)
		return RECORD_LOST;
	*head = slice_make(rest.p + RECORD_HEADER_BYTES, h->head_bytes);
	*body = slice_make(head->p + head->n, h->body_bytes);
	if (hash_of(*head) != h->head_sum)
		return RECORD_BAD;
	if (hash_of(*body) != h->body_sum)
		return h->type == ENGINE_BLOB ? RECORD_BODY_BAD : RECORD_BAD;
	return RECORD_WHOLE;
}
