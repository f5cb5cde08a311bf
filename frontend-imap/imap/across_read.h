/*
 * across_read - what a store says about messages that are to be copied: what they are (FETCH
 * UID FLAGS INTERNALDATE RFC822.SIZE), then their bodies (UID FETCH BODY.PEEK[]), in pieces.
 *
 * Pure: bytes of FETCH responses in, events out. RFC 3501 section 7.4.2.
 */
#ifndef IMAP_ACROSS_READ_H
#define IMAP_ACROSS_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/must.h"
#include "base/slice.h"

#define ACROSS_LINE_MAX 65536 /* of a response, without its literal */

struct across_msg {
	uint32_t uid;
	uint64_t size;
	const char *flags; /* "\\Seen $Work": without \Recent */
	const char *date;  /* "17-Jul-1996 02:44:25 -0700" */
	bool done;
};

/* A whole FETCH response. 1: all of these are in it, 0: it is about something else, -1: it
 * makes no sense. Strings are of the arena. */
int across_read_msg(struct slice line, struct arena *arena, struct across_msg *m_r) MUST_CHECK;

enum across_event_type {
	ACROSS_BODY,  /* the body of uid begins: size bytes */
	ACROSS_BYTES, /* of it */
	ACROSS_OTHER, /* a response that has no body: bytes is the whole, with CRLF */
	ACROSS_GONE,  /* uid has no body any more */
};
struct across_event {
	enum across_event_type type;
	uint32_t uid;
	uint64_t size;
	struct slice bytes; /* borrowed until the next call */
};

struct across_read {
	int state;
	struct buf line;
	uint64_t left; /* of the literal */
};

void across_read_init(struct across_read *r);
void across_read_fini(struct across_read *r);
/* 1: an event, 0: none in the *used_r bytes that are taken (some of in, if there are any), -1:
 * out of step. */
int across_read_body(struct across_read *r, struct slice in, size_t *used_r,
                     struct across_event *ev) MUST_CHECK;

#endif
