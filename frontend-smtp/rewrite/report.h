/*
 * report - a message that says to whom a message could not be delivered: a delivery status
 * notification. RFC 3464, 6522 (multipart/report), 6533 (addresses beyond ASCII). Its bytes are
 * ASCII, and its lines end in CRLF.
 */
#ifndef REWRITE_REPORT_H
#define REWRITE_REPORT_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"
#include "proto/smtp_reply.h"

struct report_rcpt {
	const char *address;
	const struct smtp_reply *reply; /* 5xx */
};

/* Borrowed. */
struct report {
	const char *hostname, *id;
	const char *to; /* the sender of the message */
	uint64_t arrived_s, now_s;
	const struct report_rcpt *rcpts;
	size_t count;
	struct slice header; /* of the message */
};
void report_add(struct buf *out, const struct report *r);

#endif
