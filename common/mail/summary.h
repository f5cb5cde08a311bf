/*
 * summary - what the store keeps of each message beside the body, computed once at
 * delivery, so that listing a mailbox opens no message.
 *
 * The texts are ready for an IMAP response: quoted strings where the bytes allow, else
 * literals ({n} CRLF, for 8-bit, control and very long ones); no NUL is ever in them.
 */
#ifndef MAIL_SUMMARY_H
#define MAIL_SUMMARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/must.h"
#include "base/slice.h"
#include "mail/date.h"

struct summary {
	uint64_t size;         /* of the message, RFC822.SIZE */
	uint64_t header_bytes; /* with the blank line: BODY[TEXT] starts here */
	bool has_date;
	struct date date;           /* of the Date field */
	struct slice envelope;      /* "(\"Tue, ...\" ... )" */
	struct slice body;          /* BODY */
	struct slice bodystructure; /* BODYSTRUCTURE */
	struct slice fields;        /* the kept fields, raw, in order, CRLF ends */
	bool fields_cut;            /* too many or too long: ask the message instead */
};

/* Most bytes summary_encode() makes, whatever the message. Longer texts are cut down to a
 * truthful smaller form (an opaque single part, fewer addresses). */
#define SUMMARY_MAX (256 * 1024)

/* Slices are a's. Never fails: any bytes are a message. */
void summary_make(struct arena *a, struct slice msg, struct summary *s_r);
/* Appends; versioned. */
void summary_encode(const struct summary *s, struct buf *out);
/* Slices borrow from bytes. False: another version, or damaged. */
bool summary_decode(struct slice bytes, struct summary *s_r) MUST_CHECK;

/* Is a field of this name always among s->fields when the message has it? */
bool summary_keeps(const struct summary *s, struct slice field_name);

/* An IMAP string for s: quoted or literal; p == NULL gives NIL. NUL and such become
 * nothing a peer could choke on: NULs are dropped, and so is a CR or LF in what would
 * be quoted. For all texts of a store's IMAP. */
void summary_add_nstring(struct buf *out, struct slice s);

#endif
