/*
 * prep - SASLprep (RFC 4013), by libunistring: one form for what people type as user
 * names and passwords, so that both sides of a login compute with the same bytes.
 *
 * ASCII comes out as it is. Code points that Unicode 3.2 did not have yet are let through,
 * as in queries (RFC 3454 section 7): the tables here are newer than that.
 */
#ifndef TEXT_PREP_H
#define TEXT_PREP_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/must.h"
#include "base/slice.h"

/* Appends the prepared text. False: no UTF-8, or it has what SASLprep prohibits (control
 * characters, private use, mixed directions...), or out overflowed. */
bool prep_sasl(struct buf *out, struct slice utf8) MUST_CHECK;

#endif
