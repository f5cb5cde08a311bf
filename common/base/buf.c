/* buf - see buf.h. */
#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/xalloc.h"

#define BUF_FIRST_BYTES 256

void
buf_init(struct buf *b, size_t limit)
{
	*b = (struct buf)BUF_INIT(limit);
}

void
buf_fini(struct buf *b)
{
	free(b->data);
	*b = (struct buf)BUF_INIT(b->limit);
}

void
buf_clear(struct buf *b)
{
	b->start = 0;
	b->len = 0;
	b->overflow = false;
}

void
buf_wipe(struct buf *b)
{
	secret_wipe(b->data, b->cap);
	buf_fini(b);
}

/* Makes room for n more bytes behind, moving or growing. False at the limit. One
 * byte more than asked is always there, for buf_cstr(). */
static bool
reserve(struct buf *b, size_t n)
{
	size_t want, cap;

	if (n > b->limit || b->len > b->limit - n) {
		b->overflow = true;
		return false;
	}
	want = b->len + n + 1;
	if (b->start + want <= b->cap)
		return true;
	if (b->start != 0) {
		memmove(b->data, b->data + b->start, b->len);
		b->start = 0;
		if (want <= b->cap)
			return true;
	}
	for (cap = b->cap != 0 ? b->cap : BUF_FIRST_BYTES; cap < want;)
		cap *= 2;
	b->data = xrealloc(b->data, cap);
	b->cap = cap;
	return true;
}

char *
buf_extend(struct buf *b, size_t n)
{
	char *p;

	if (!reserve(b, n))
		return NULL;
	p = b->data + b->start + b->len;
	b->len += n;
	return p;
}

void
buf_add(struct buf *b, const void *src, size_t n)
{
	char *p;

	if (n == 0)
		return;
	p = buf_extend(b, n);
	if (p != NULL)
		memcpy(p, src, n);
}

void
buf_add_slice(struct buf *b, struct slice s)
{
	buf_add(b, s.p, s.n);
}

void
buf_add_str(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void
buf_add_char(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void
buf_add_decimal(struct buf *b, uint64_t v)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v != 0);
	buf_add(b, digits + at, sizeof(digits) - at);
}

void
buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;
	char small[512];
	int n;

	va_copy(again, ap);
	n = vsnprintf(small, sizeof(small), fmt, ap);
	must(n >= 0);
	if ((size_t)n < sizeof(small)) {
		buf_add(b, small, (size_t)n);
	} else if (reserve(b, (size_t)n)) {
		/* reserve() leaves the byte for vsnprintf's NUL */
		vsnprintf(b->data + b->start + b->len, (size_t)n + 1, fmt, again);
		b->len += (size_t)n;
	}
	va_end(again);
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(b, fmt, ap);
	va_end(ap);
}

void
buf_add_u8(struct buf *b, uint8_t v)
{
	buf_add(b, &v, 1);
}

void
buf_add_u16(struct buf *b, uint16_t v)
{
	uint8_t raw[2];

	num_put_le16(raw, v);
	buf_add(b, raw, sizeof(raw));
}

void
buf_add_u32(struct buf *b, uint32_t v)
{
	uint8_t raw[4];

	num_put_le32(raw, v);
	buf_add(b, raw, sizeof(raw));
}

void
buf_add_u64(struct buf *b, uint64_t v)
{
	uint8_t raw[8];

	num_put_le64(raw, v);
	buf_add(b, raw, sizeof(raw));
}

void
buf_add_blob(struct buf *b, struct slice s)
{
	must(s.n <= UINT32_MAX);
	buf_add_u32(b, (uint32_t)s.n);
	buf_add_slice(b, s);
}

void
buf_consume(struct buf *b, size_t n)
{
	must(n <= b->len);
	b->start += n;
	b->len -= n;
	if (b->len == 0)
		b->start = 0;
}

void
buf_truncate(struct buf *b, size_t n)
{
	must(n <= b->len);
	b->len = n;
}

const char *
buf_cstr(struct buf *b)
{
	if (b->data == NULL) {
		b->cap = BUF_FIRST_BYTES;
		b->data = xmalloc(b->cap);
	}
	if (b->start + b->len == b->cap) {
		b->cap++;
		b->data = xrealloc(b->data, b->cap);
	}
	b->data[b->start + b->len] = '\0';
	return b->data + b->start;
}

char *
buf_steal_cstr(struct buf *b)
{
	char *s = slice_dup(buf_slice(b));

	buf_fini(b);
	return s;
}
