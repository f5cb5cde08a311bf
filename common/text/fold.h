/*
 * fold - case-insensitive search, by libunistring. The only includer of it.
 *
 * i;unicode-casemap (RFC 5051) in spirit: full case folding and canonical decomposition
 * (NFD), so "STRASSE" finds "straße" and a composed é a decomposed one. Bytes that are no
 * UTF-8 compare as themselves.
 */
#ifndef TEXT_FOLD_H
#define TEXT_FOLD_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/slice.h"

/* Appends utf8 folded. ASCII takes a fast way. */
void fold_add(struct buf *out, struct slice utf8);

/* Appends what sorts as i;unicode-casemap does, byte by byte: title case and compatibility
 * decomposition (NFKD). utf8: short, since it is done in one piece; bytes that are no UTF-8 and
 * NULs are left out. */
void fold_add_collated(struct buf *out, struct slice utf8);

/* A needle, prepared once for many haystacks. */
struct fold_needle;
/* utf8 is the search string; empty matches everything. */
struct fold_needle *fold_needle_new(struct slice utf8);
void fold_needle_free(struct fold_needle **n);
/* Is it anywhere in this text? Linear in its size. */
bool fold_contains(struct fold_needle *n, struct slice utf8);

#endif
