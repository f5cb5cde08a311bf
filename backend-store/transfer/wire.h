/*
 * wire - what stores say to each other on the cluster port: frames. Pure.
 *
 *	u32 bytes of the payload   u8 type   payload        (numbers little-endian)
 *
 * The one who listens speaks first:
 *
 *	< HELLO    version, nonce
 *	> LOGIN    version, cluster, from, to, nonce, token for < nonce
 *	< WELCOME  token for > nonce
 *
 * Then one of these conversations; whoever cannot go on says REFUSED and why:
 *
 *	> BEGIN    id, user, claim, uidvalidity, messages, bytes
 *	< READY
 *	> BODY size, DATA..., ITEM kind and payload (mailbox/move.h), ...
 *	> DONE
 *	< DIGEST
 *	> COMMIT
 *	< COMMITTED    (or UNDONE: the source has the user)
 *
 *	> CONFIRM  id, user
 *	< CONFIRMED    (or WAIT: not yet)
 */
#ifndef TRANSFER_WIRE_H
#define TRANSFER_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/must.h"
#include "base/slice.h"

#define WIRE_VERSION 1
#define WIRE_PAYLOAD_MAX (600u << 10)
#define WIRE_DATA_MAX (256u << 10)
#define WIRE_HEADER 5

enum wire_type {
	WIRE_HELLO = 1,
	WIRE_LOGIN,
	WIRE_WELCOME,
	WIRE_REFUSED,
	WIRE_BEGIN,
	WIRE_READY,
	WIRE_BODY,
	WIRE_DATA,
	WIRE_ITEM,
	WIRE_DONE,
	WIRE_DIGEST,
	WIRE_COMMIT,
	WIRE_COMMITTED,
	WIRE_UNDONE,
	WIRE_CONFIRM,
	WIRE_CONFIRMED,
	WIRE_WAIT,
	WIRE_TYPES,
};
const char *wire_type_name(enum wire_type t);

/* Which members a type has is told in wire.c; the others are 0 or empty. */
struct wire_frame {
	enum wire_type type;
	uint32_t version;     /* HELLO, LOGIN */
	uint64_t nonce;       /* HELLO, LOGIN */
	uint64_t id;          /* BEGIN, CONFIRM */
	uint64_t claim;       /* BEGIN */
	uint32_t uidvalidity; /* BEGIN */
	uint64_t messages, bytes;
	uint32_t size;                  /* BODY */
	uint8_t kind;                   /* ITEM */
	struct slice cluster, from, to; /* LOGIN */
	struct slice token;             /* LOGIN, WELCOME */
	struct slice user;              /* BEGIN, CONFIRM */
	struct slice text;              /* REFUSED, UNDONE */
	struct slice data;              /* DATA, ITEM, DIGEST: the rest of the payload */
};

/* False: a member is too long; nothing was added. */
bool wire_add(const struct wire_frame *f, struct buf *out) MUST_CHECK;
/* 1: a frame, borrowed from in; *used_r bytes. 0: not whole yet. -1: no frame of ours. */
int wire_read(struct slice in, size_t *used_r, struct wire_frame *f_r) MUST_CHECK;

#endif
