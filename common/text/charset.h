/*
 * charset - text of any charset to UTF-8, by iconv. The only includer of iconv.
 *
 * Only charsets of an allow-list are passed on: iconv opens whatever name it is given,
 * with modules nobody tests with hostile bytes.
 */
#ifndef TEXT_CHARSET_H
#define TEXT_CHARSET_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/must.h"
#include "base/slice.h"

bool charset_is_known(struct slice name);

/* Appends in as UTF-8; what cannot be converted becomes U+FFFD. False (nothing added):
 * unknown charset. Names in any case, with the usual aliases; empty = us-ascii. */
bool charset_to_utf8(struct slice name, struct slice in, struct buf *out) MUST_CHECK;

/* A header_charset_fn (mail/header.h). ctx unused. */
bool charset_for_header(void *ctx, struct slice charset, struct slice in, struct buf *out);

/* A field's value to UTF-8: header_decode() with all charsets we know. Appends. */
void charset_decode_header(struct slice value, struct buf *out);

#endif
