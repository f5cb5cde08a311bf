/*
 * fetch_body - where the bytes of a message's sections are.
 *
 * Small messages are read once and held; of large ones only what must be looked at together
 * is held while it is looked at, and the caller reads the bytes in pieces. Bytes are those
 * of the store: RFC822.SIZE is the length of BODY[].
 */
#ifndef IMAP_FETCH_BODY_H
#define IMAP_FETCH_BODY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/slice.h"
#include "mail/mime.h"
#include "mail/summary.h"
#include "mailbox/mailbox.h"
#include "proto/imap_fetch.h"

#define FETCH_BODY_HELD (256 * 1024) /* messages up to this size are held */
#define FETCH_BODY_KEPT (16u << 20)  /* of one message, by several sections of chosen fields */

/* Where one section of one large message is, so that a client who fetches it in many pieces
 * has it looked for once. Zero: nothing. */
struct fetch_place {
	uint64_t blob;
	struct mime_section section;
	bool nil;
	uint64_t from, n;
};

/* One message after the other. */
struct fetch_body {
	struct mailbox *mailbox; /* borrowed */
	struct fetch_place *place;
	struct msg msg;
	struct arena *arena; /* of the message */
	struct buf whole;
	bool whole_read;
	bool scanned;
	struct mime mime; /* of whole */
	struct buf header;
	bool header_read;
	uint64_t kept; /* bytes of the arena that sections have */
	struct buf summary_bytes;
	bool summary_read;
	struct summary summary;
};

void fetch_body_init(struct fetch_body *b, struct mailbox *m, struct fetch_place *place);
void fetch_body_fini(struct fetch_body *b);
void fetch_body_start(struct fetch_body *b, const struct msg *msg);
/* What was kept of it; borrowed until the next start. */
enum mbox_result fetch_body_summary(struct fetch_body *b, const struct summary **s_r) MUST_CHECK;

struct fetch_bytes {
	bool nil;          /* there is no such section */
	struct slice held; /* until the next start; p == NULL: */
	uint64_t from, n;  /* bytes of the stored message */
};
/* With the partial range of the section. TOOBIG: the sections of this message together are. */
enum mbox_result fetch_body_find(struct fetch_body *b, const struct imap_fetch_section *section,
                                 struct fetch_bytes *bytes_r) MUST_CHECK;
/* All sections are found: a large message is held no longer. What was found stays. */
void fetch_body_release(struct fetch_body *b);
/* The whole message, in one piece, borrowed until the release. */
enum mbox_result fetch_body_whole(struct fetch_body *b, struct slice *msg_r) MUST_CHECK;
/* Its header with the blank line, the same. */
enum mbox_result fetch_body_header(struct fetch_body *b, struct slice *header_r) MUST_CHECK;

#endif
