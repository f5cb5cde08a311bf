/*
 * imap_resp - splits what an IMAP server says into responses, for a proxy.
 *
 * Lines of state (OK NO BAD BYE PREAUTH, tagged or not) and continuations come whole and
 * understood; data (FETCH, LIST, ...) passes in pieces, literals counted and never held.
 * What a server may not say in this way is out of step, and the proxy must drop it.
 * RFC 3501 sections 7 and 9.
 *
 * Pure: bytes in, events out.
 */
#ifndef PROTO_IMAP_RESP_H
#define PROTO_IMAP_RESP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/must.h"
#include "base/slice.h"

/* A line of state with CRLF, and what the owner's input must hold. */
#define IMAP_RESP_LINE_MAX 8192

enum imap_resp_type {
	IMAP_RESP_STATUS,   /* "TAG OK [CODE] text"; tag "*" when untagged */
	IMAP_RESP_CONTINUE, /* "+ text" */
	IMAP_RESP_DATA,     /* "* 5 FETCH ...": the first piece */
	IMAP_RESP_MORE,     /* its next piece */
};

enum imap_resp_status {
	IMAP_RESP_OK,
	IMAP_RESP_NO,
	IMAP_RESP_BAD,
	IMAP_RESP_BYE,
	IMAP_RESP_PREAUTH,
};

struct imap_resp_event {
	enum imap_resp_type type;
	struct slice bytes; /* as received, CRLF included */
	bool last;          /* the response ends with them */

	enum imap_resp_status status;
	struct slice tag;
	struct slice code;      /* STATUS: "UIDNEXT" of "[UIDNEXT 5]"; p == NULL without */
	struct slice code_args; /* STATUS: "5", or empty */
	struct slice text;      /* STATUS: behind code; CONTINUE: behind "+ " */

	/* DATA, and MORE of the same response: */
	struct slice name; /* "FETCH", "LIST"; borrowed until the response is over */
	uint64_t number;   /* DATA: 5 of "* 5 FETCH"; 0 without */
};

struct imap_resp {
	int state;
	uint64_t literal_left;
	char name[32]; /* of the data under way, in capitals */
};

void imap_resp_init(struct imap_resp *r);

/* 1: an event (always with some bytes), 0: wants more, -1: out of step; do not call again.
 * Slices are borrowed from in. */
int imap_resp_read(struct imap_resp *r, struct slice in, size_t *used_r,
                   struct imap_resp_event *ev) MUST_CHECK;

/* Between two responses? */
bool imap_resp_is_between(const struct imap_resp *r);

/* The next word of "IMAP4rev1 IDLE ..."; false at the end. */
bool imap_resp_next_word(struct slice *rest, struct slice *word_r);

#endif
