/*
 * text - encodings every layer needs: base64, hex, UTF-8 checks, ASCII case.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/must.h"
#include "base/slice.h"

static inline char
text_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static inline char
text_upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
}

static inline bool
text_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool
text_is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* C0, DEL. */
static inline bool
text_is_ctl(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

/* 0 to 63, or -1: no digit of base64. */
int text_base64_value(char c);
/* RFC 4648 section 4, padded. */
void text_base64_add(struct buf *out, struct slice in);
/* Strict: whole groups, padding only at the end, no white space, zero pad bits.
 * False leaves out unchanged. */
bool text_base64_decode(struct slice in, struct buf *out) MUST_CHECK;

void text_hex_add(struct buf *out, struct slice in);
bool text_hex_decode(struct slice in, struct buf *out) MUST_CHECK;

/* Well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms). NUL counts as valid. */
bool text_is_utf8(struct slice s);
bool text_is_ascii(struct slice s);
/* Length of the well-formed UTF-8 sequence at s.p, or 0. *cp_r may be NULL. */
size_t text_utf8_next(struct slice s, uint32_t *cp_r);
void text_utf8_add(struct buf *out, uint32_t cp);

/* Compares secrets without telling by time where they differ (the length shows). */
bool text_secret_eq(struct slice a, struct slice b);

#endif
