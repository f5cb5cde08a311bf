/*
 * msg - one message as received: in memory, above a threshold in a file without a name.
 *
 * Written once (decoded bytes, CRLF lines), then read by several deliveries at their own
 * pace. Counts Received: fields on the way (RFC 5321 section 6.3) and makes the duplicate
 * key of promise 11.
 */
#ifndef DELIVER_MSG_H
#define DELIVER_MSG_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/must.h"
#include "base/slice.h"
#include "tls/digest.h"

struct msg;

/* Borrowed for the message's life. */
struct msg_limits {
	uint64_t memory_bytes; /* larger ones go to a file */
	const char *spool_dir;
};

enum msg_state {
	MSG_OK,
	MSG_NO_SPACE, /* the file cannot be made or written */
};

/* sender: MAIL FROM as address_text() writes it, for the key (proto/smtp_wire.h). How large a
 * message may be is the caller's to watch. */
struct msg *msg_new(const struct msg_limits *l, struct slice sender);
void msg_free(struct msg **m);

/* Once it is not MSG_OK nothing is kept any more and the state stays. */
enum msg_state msg_add(struct msg *m, struct slice bytes);
enum msg_state msg_get_state(const struct msg *m);
/* All is there. Returns the last state. */
enum msg_state msg_finish(struct msg *m);

/* ---- after msg_finish() gave MSG_OK ---- */

uint64_t msg_bytes(const struct msg *m); /* fine before, too */
unsigned msg_hops(const struct msg *m);
const uint8_t *msg_key(const struct msg *m); /* DIGEST_LEN bytes, borrowed */
/* The bytes from offset on, at most most of them, none at the end; borrowed until the next
 * call on m. -1: the file cannot be read. */
int msg_read(struct msg *m, uint64_t offset, size_t most, struct slice *bytes_r) MUST_CHECK;

#endif
