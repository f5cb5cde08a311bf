/*
 * num - numbers in text and in bytes.
 */
#ifndef BASE_NUM_H
#define BASE_NUM_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/slice.h"

/* Decimal digits only, at least one, all of s, at most max. */
bool num_parse_u64(struct slice s, uint64_t max, uint64_t *v_r);
bool num_parse_u32(struct slice s, uint32_t *v_r);

static inline void
num_put_le16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static inline void
num_put_le32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static inline void
num_put_le64(uint8_t *p, uint64_t v)
{
	for (int i = 0; i < 8; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static inline uint16_t
num_get_le16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t
num_get_le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t
num_get_le64(const uint8_t *p)
{
	return (uint64_t)num_get_le32(p) | (uint64_t)num_get_le32(p + 4) << 32;
}

/* Big-endian: keys that must sort by value. */
static inline void
num_put_be32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static inline void
num_put_be64(uint8_t *p, uint64_t v)
{
	for (int i = 0; i < 8; i++)
		p[i] = (uint8_t)(v >> (56 - 8 * i));
}

static inline uint32_t
num_get_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | (uint32_t)p[3];
}

static inline uint64_t
num_get_be64(const uint8_t *p)
{
	return (uint64_t)num_get_be32(p) << 32 | num_get_be32(p + 4);
}

/*
 * Reading our own little-endian formats. A reader that runs out of bytes sets bad
 * and answers zero from then on; check bad once at the end.
 */
struct num_reader {
	struct slice rest;
	bool bad;
};

static inline struct num_reader
num_reader_of(struct slice s)
{
	return (struct num_reader){ s, false };
}

struct slice num_read_bytes(struct num_reader *r, size_t n);
uint8_t num_read_u8(struct num_reader *r);
uint16_t num_read_u16(struct num_reader *r);
uint32_t num_read_u32(struct num_reader *r);
uint64_t num_read_u64(struct num_reader *r);
/* What buf_add_blob() wrote. Borrows from the reader's bytes. */
struct slice num_read_blob(struct num_reader *r);

#endif
