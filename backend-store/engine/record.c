/* record - see record.h, which draws the formats. */
#include "engine/record.h"

#include <string.h>

#include "base/num.h"
#include "hash/hash.h"

#define MAGIC_SEGMENT 0x47455354534f4f52ULL
#define MAGIC_BATCH 0x54414252u
#define MAGIC_RECORD 0x43455252u

static uint64_t
sum_of(const uint8_t *p, size_t n)
{
	return hash_of(slice_make(p, n));
}

void
record_put_segment(uint8_t out[RECORD_SEGMENT_BYTES], const struct record_segment *s)
{
	memset(out, 0, RECORD_SEGMENT_BYTES);
	num_put_le64(out, MAGIC_SEGMENT);
	num_put_le32(out + 8, RECORD_VERSION);
	num_put_le64(out + 16, s->number);
	num_put_le64(out + 24, s->id);
	num_put_le64(out + 32, s->store_id);
	num_put_le64(out + 40, s->prev_lsn);
	num_put_le64(out + 48, s->prev_id);
	num_put_le64(out + 56, sum_of(out, 56));
}

int
record_get_segment(const uint8_t in[RECORD_SEGMENT_BYTES], struct record_segment *s_r)
{
	if (num_get_le64(in) != MAGIC_SEGMENT || num_get_le64(in + 56) != sum_of(in, 56))
		return 0;
	if (num_get_le32(in + 8) != RECORD_VERSION)
		return -1;
	s_r->number = num_get_le64(in + 16);
	s_r->id = num_get_le64(in + 24);
	s_r->store_id = num_get_le64(in + 32);
	s_r->prev_lsn = num_get_le64(in + 40);
	s_r->prev_id = num_get_le64(in + 48);
	return 1;
}

void
record_put_batch(uint8_t out[RECORD_BATCH_BYTES], const struct record_batch *b)
{
	num_put_le32(out, MAGIC_BATCH);
	num_put_le32(out + 4, b->records);
	num_put_le64(out + 8, b->segment_id);
	num_put_le64(out + 16, b->bytes);
	num_put_le64(out + 24, b->durable);
	num_put_le64(out + 32, b->first_lsn);
	num_put_le64(out + 40, sum_of(out, 40));
}

bool
record_get_batch(const uint8_t in[RECORD_BATCH_BYTES], struct record_batch *b_r)
{
	if (num_get_le32(in) != MAGIC_BATCH || num_get_le64(in + 40) != sum_of(in, 40))
		return false;
	b_r->records = num_get_le32(in + 4);
	b_r->segment_id = num_get_le64(in + 8);
	b_r->bytes = num_get_le64(in + 16);
	b_r->durable = num_get_le64(in + 24);
	b_r->first_lsn = num_get_le64(in + 32);
	return true;
}

void
record_put_header(uint8_t out[RECORD_HEADER_BYTES], const struct record_header *h)
{
	num_put_le32(out, MAGIC_RECORD);
	out[4] = h->type;
	out[5] = h->flags;
	num_put_le16(out + 6, h->kind);
	num_put_le64(out + 8, h->segment_id);
	num_put_le64(out + 16, h->lsn);
	num_put_le64(out + 24, h->object);
	num_put_le32(out + 32, h->head_bytes);
	num_put_le32(out + 36, h->body_bytes);
	num_put_le64(out + 40, h->head_sum);
	num_put_le64(out + 48, h->body_sum);
	num_put_le64(out + 56, sum_of(out, 56));
}

bool
record_get_header(const uint8_t in[RECORD_HEADER_BYTES], struct record_header *h_r)
{
	if (num_get_le32(in) != MAGIC_RECORD || num_get_le64(in + 56) != sum_of(in, 56))
		return false;
	h_r->type = in[4];
	h_r->flags = in[5];
	h_r->kind = num_get_le16(in + 6);
	h_r->segment_id = num_get_le64(in + 8);
	h_r->lsn = num_get_le64(in + 16);
	h_r->object = num_get_le64(in + 24);
	h_r->head_bytes = num_get_le32(in + 32);
	h_r->body_bytes = num_get_le32(in + 36);
	h_r->head_sum = num_get_le64(in + 40);
	h_r->body_sum = num_get_le64(in + 48);
	return true;
}
