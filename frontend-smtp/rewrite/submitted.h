/*
 * submitted - the header of a message that a user hands in: what is missing is added (RFC 6409
 * section 8), and what is not for others is dropped, as Postfix does.
 *
 *	added:    Date, Message-ID, From (when there is a sender)
 *	dropped:  Bcc, Resent-Bcc, Return-Path, Content-Length
 */
#ifndef REWRITE_SUBMITTED_H
#define REWRITE_SUBMITTED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/must.h"
#include "base/slice.h"

/* Borrowed. */
struct submitted {
	const char *from; /* the envelope sender; "" for the empty one */
	const char *hostname, *id;
	uint64_t wall_s;
};

/* False: it has more fields than are looked at, and what stands behind them would go out unseen. */
bool submitted_is_readable(struct slice header);

/* header: up to the blank line and with it, where there is one; what goes out in its place. */
void submitted_add(struct buf *out, struct slice header, const struct submitted *s);

#define SUBMITTED_FROM_MAX 20
/* The addresses of all From fields, "local@domain". Returns how many, or -1: too many of them,
 * or something there is no address, or might be one to somebody else. */
int submitted_get_from(struct arena *a, struct slice header,
                       const char *from_r[SUBMITTED_FROM_MAX]) MUST_CHECK;

#endif
