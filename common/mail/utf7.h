/*
 * utf7 - modified UTF-7 of IMAP mailbox names <-> UTF-8. RFC 3501 section 5.1.3.
 *
 * Strict: what decodes is exactly what encoding the result would give, so each name
 * has one spelling.
 */
#ifndef MAIL_UTF7_H
#define MAIL_UTF7_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/must.h"
#include "base/slice.h"

/* Printable ASCII and well-formed shifts only: no 8-bit, no control characters, no
 * shift that holds printable ASCII, no pad bits set, no lone surrogates, no shift
 * right behind another. */
bool utf7_is_valid(struct slice s);
/* Appends. False (out unchanged) when s is not valid. */
bool utf7_to_utf8(struct slice s, struct buf *out) MUST_CHECK;
/* Appends. False (out unchanged) when s is not UTF-8 or has control characters. */
bool utf7_from_utf8(struct slice s, struct buf *out) MUST_CHECK;

#endif
