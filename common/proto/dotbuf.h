/*
 * dotbuf - the dot-stuffed message body of SMTP, LMTP and POP3.
 *
 * Bytes in, bytes out: no file descriptor, no clock, no logging. The caller limits the
 * size of the output. RFC 5321 section 4.5.2, RFC 1939 section 3.
 *
 * Only CRLF . CRLF ends a body. A bare CR or LF is an error and never part of an end: two
 * programs that disagree about it are what SMTP smuggling lives on.
 */
#ifndef PROTO_DOTBUF_H
#define PROTO_DOTBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/must.h"
#include "base/slice.h"

enum dotbuf_state {
	DOTBUF_LINE_START,
	DOTBUF_TEXT,
	DOTBUF_CR,     /* in a line, behind a CR */
	DOTBUF_DOT,    /* at the start of a line, behind a dot */
	DOTBUF_DOT_CR, /* behind a dot and a CR */
	DOTBUF_DONE,
};

struct dotbuf {
	enum dotbuf_state state;
	bool nul;            /* the body has a NUL; let through, the caller decides */
	uint64_t body_bytes; /* decoded so far, stuffing removed */
};

void dotbuf_init(struct dotbuf *d);

/* Decode from in, append to out. *used_r is set to the bytes consumed.
 * Returns 1 when the final dot was seen (bytes after it are not consumed),
 * 0 when more input is wanted, -1 when the peer sent a bare CR or LF: the body is spoiled,
 * but the decoder may be fed on with what is behind *used_r, to find the true end. */
int dotbuf_decode(struct dotbuf *d, struct slice in, size_t *used_r, struct buf *out) MUST_CHECK;

/* Counted bytes (BDAT) have no dots; only line ends and NUL are looked at. -1: there is a
 * bare CR or LF; d goes on behind it. */
int dotbuf_scan(struct dotbuf *d, struct slice in) MUST_CHECK;
/* Behind the last counted byte: -1 when it is a CR. */
int dotbuf_scan_end(const struct dotbuf *d) MUST_CHECK;

/* ---- the other way ---- */

struct dotbuf_encoder {
	uint8_t state;
};
void dotbuf_encoder_init(struct dotbuf_encoder *e);
/* Any piece of a body. A bare CR or LF, as stored mail may have it, goes out as CRLF. Adds at
 * most 2 * in.n + 2 bytes. */
void dotbuf_encode(struct dotbuf_encoder *e, struct slice in, struct buf *out);
/* Ends the last line when it is open, then ". CRLF". */
void dotbuf_encode_end(struct dotbuf_encoder *e, struct buf *out);

#endif
