/*
 * buf - growing bytes with a limit.
 *
 * Bytes are added behind and consumed in front. An addition that would pass the
 * limit adds nothing and sets the sticky `overflow`; callers check it once, when
 * they use the result. Contents are not NUL-terminated unless buf_cstr() is asked.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/must.h"
#include "base/slice.h"

struct buf {
	char *data;   /* heap, or NULL while empty */
	size_t start; /* consumed in front */
	size_t len;   /* valid bytes behind start */
	size_t cap;
	size_t limit;  /* most bytes it may hold; SIZE_MAX: none */
	bool overflow; /* an addition was refused */
};

#define BUF_INIT(limit_bytes)                                                                      \
	{                                                                                          \
		.limit = (limit_bytes)                                                             \
	}

void buf_init(struct buf *b, size_t limit);
void buf_fini(struct buf *b);
/* Empties and clears overflow; keeps the memory. */
void buf_clear(struct buf *b);
/* Wipes the contents, then buf_fini. For secrets. */
void buf_wipe(struct buf *b);

void buf_add(struct buf *b, const void *p, size_t n);
void buf_add_slice(struct buf *b, struct slice s);
void buf_add_str(struct buf *b, const char *s);
void buf_add_char(struct buf *b, char c);
void buf_add_decimal(struct buf *b, uint64_t v);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_vprintf(struct buf *b, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
/* Room for n more bytes, uninitialised, counted in len; NULL on overflow. */
char *buf_extend(struct buf *b, size_t n);

/* Little-endian integers, for our own formats. */
void buf_add_u8(struct buf *b, uint8_t v);
void buf_add_u16(struct buf *b, uint16_t v);
void buf_add_u32(struct buf *b, uint32_t v);
void buf_add_u64(struct buf *b, uint64_t v);
/* 32-bit length, then the bytes. */
void buf_add_blob(struct buf *b, struct slice s);

/* Drops n bytes in front (n <= len). */
void buf_consume(struct buf *b, size_t n);
/* Drops bytes behind so that n remain (n <= len). */
void buf_truncate(struct buf *b, size_t n);

/* Borrowed until the next change of b. */
static inline struct slice
buf_slice(const struct buf *b)
{
	return slice_make(b->data != NULL ? b->data + b->start : NULL, b->len);
}

/* The contents with a NUL behind (not counted). Borrowed until the next change. */
const char *buf_cstr(struct buf *b);
/* Heap copy of the contents with a NUL; b is emptied. The caller frees. */
char *buf_steal_cstr(struct buf *b);

#endif
