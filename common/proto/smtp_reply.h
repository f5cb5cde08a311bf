/*
 * smtp_reply - one reply of SMTP and LMTP: kept by value, written, read line by line.
 *
 *	Reply-line = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring ] CRLF
 *
 * RFC 5321 section 4.2, 2034 (enhanced codes).
 */
#ifndef PROTO_SMTP_REPLY_H
#define PROTO_SMTP_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/must.h"
#include "base/slice.h"

#define SMTP_ENHANCED_MAX 9      /* "5.123.123" */
#define SMTP_TEXT_MAX 480        /* of a reply, behind the codes */
#define SMTP_REPLY_LINE_MAX 2048 /* when reading, with CRLF; RFC 5321 says 512 */
#define SMTP_REPLY_LINES_MAX 128

struct smtp_reply {
	int code;                             /* 200 to 599 */
	char enhanced[SMTP_ENHANCED_MAX + 1]; /* "5.1.1", "" without */
	char text[SMTP_TEXT_MAX + 1]; /* lines joined by spaces, control characters as '?' */
};
void smtp_reply_set(struct smtp_reply *r, int code, const char *enhanced, const char *text);
/* "550 5.1.1 text CRLF". The text may come from anywhere: what is not printable ASCII, or
 * UTF-8 with utf8, goes out as '?'; what is too long is cut. enhanced "" or NULL: none; one
 * of another class than code's is left out. */
void smtp_reply_add(struct buf *out, int code, const char *enhanced, const char *text, bool utf8);

static inline bool
smtp_reply_is_good(const struct smtp_reply *r)
{
	return r->code / 100 == 2;
}
static inline bool
smtp_reply_is_temporary(const struct smtp_reply *r)
{
	return r->code / 100 == 4;
}

/* ---- reading ---- */

struct smtp_reply_reader {
	struct smtp_reply reply; /* what was read of it */
	unsigned lines;          /* so far; 0: the next line begins a new one */
	const char *bad;         /* after -1: what is wrong, a literal */
};
/* 1: a line, the last of its reply. 2: a line, more follow. 0: wants more bytes. -1: this is
 * no SMTP. *used is moved on; text_r (behind the code and its separator) borrows from in. */
int smtp_reply_read_line(struct smtp_reply_reader *r, struct slice in, size_t *used,
                         struct slice *text_r) MUST_CHECK;

#endif
