/*
 * record - the bytes of the log. All numbers little-endian.
 *
 * Segment file NNNNNNNNNNNNNNNN.log (number in hex), 64 bytes, then batches:
 *    0 u64 magic "ROOSTSEG"       8 u32 version = 1      12 u32 0
 *   16 u64 segment number        24 u64 segment id (random)
 *   32 u64 store id              40 u64 last LSN written before this segment
 *   48 u64 id of the segment with the number before, for whoever finds its header damaged; 0: there
 *          is none, or it is not known
 *   56 u64 XXH3 of bytes 0..55
 *
 * Batch, 48 bytes, 8-aligned, then its records; transactions do not cross batches:
 *    0 u32 magic "RBAT"           4 u32 records
 *    8 u64 segment id            16 u64 bytes of the records that follow
 *   24 u64 highest LSN known to be synced before this batch (`durable`)
 *   32 u64 first LSN             40 u64 XXH3 of bytes 0..39
 *
 * Record, 64 bytes, then head, body, zeros up to a multiple of 8:
 *    0 u32 magic "RREC"           4 u8 type   5 u8 flags (1 first, 2 last of its
 *    6 u16 kind                                 transaction)
 *    8 u64 segment id            16 u64 LSN
 *   24 u64 object (BLOB: blob id; a copy by compaction keeps it)
 *   32 u32 head bytes            36 u32 body bytes
 *   40 u64 XXH3 of head          48 u64 XXH3 of body
 *   56 u64 XXH3 of bytes 0..55
 * BLOB: head = GUID (32) and summary, body = the message. Others: head empty (or zeros, which keep
 * its body away from what is before it), body = payload.
 * SNAPSHOT, SNAPSHOT_LAST: payload = u64 as of which LSN, u64 snapshot id (LSN of its first
 * part), u32 number of the part, from 0; then the client's rows. All parts have one id; nothing in
 * the last one, and no other: there is no such object. Each snapshot is there twice, the second time
 * with an id of its own.
 */
#ifndef ENGINE_RECORD_H
#define ENGINE_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/must.h"
#include "base/slice.h"

#define RECORD_SEGMENT_BYTES 64
#define RECORD_BATCH_BYTES 48
#define RECORD_HEADER_BYTES 64
#define RECORD_VERSION 1

enum { RECORD_FIRST = 1, RECORD_LAST = 2 };

struct record_segment {
	uint64_t number, id, store_id, prev_lsn, prev_id;
};
struct record_batch {
	uint32_t records;
	uint64_t segment_id, bytes, durable, first_lsn;
};
struct record_header {
	uint8_t type, flags;
	uint16_t kind;
	uint64_t segment_id, lsn, object;
	uint32_t head_bytes, body_bytes;
	uint64_t head_sum, body_sum;
};

void record_put_segment(uint8_t out[RECORD_SEGMENT_BYTES], const struct record_segment *s);
/* 1, 0: no segment of ours, -1: another version. */
int record_get_segment(const uint8_t in[RECORD_SEGMENT_BYTES],
                       struct record_segment *s_r) MUST_CHECK;
void record_put_batch(uint8_t out[RECORD_BATCH_BYTES], const struct record_batch *b);
bool record_get_batch(const uint8_t in[RECORD_BATCH_BYTES], struct record_batch *b_r) MUST_CHECK;
void record_put_header(uint8_t out[RECORD_HEADER_BYTES], const struct record_header *h);
bool record_get_header(const uint8_t in[RECORD_HEADER_BYTES], struct record_header *h_r) MUST_CHECK;

/* Bytes of a record with its header and padding. */
static inline uint64_t
record_bytes(const struct record_header *h)
{
	return RECORD_HEADER_BYTES + ((uint64_t)h->head_bytes + h->body_bytes + 7) / 8 * 8;
}

#endif
