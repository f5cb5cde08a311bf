/*
 * guard_wire - the frames between workers and the limits process, over a stream. Pure.
 *
 *	u32 length of what follows; u8 kind; u8 verdict; u8 rate; u8 flags;
 *	u64 id, lease, fingerprint, amount; blobs: address, user, text
 *
 * All numbers little-endian. Both ends are ours, but workers speak with the Internet: what
 * comes from one is checked as if a stranger had sent it.
 */
#ifndef GUARD_GUARD_WIRE_H
#define GUARD_GUARD_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "limit/limit.h"

#define GUARD_NAME_MAX 384
#define GUARD_TEXT_MAX 60000
#define GUARD_FRAME_MAX 65536

enum guard_kind {
	/* from workers */
	GUARD_OPEN,    /* may another session from address begin? lease is its number */
	GUARD_RESTORE, /* it is there; no answer */
	GUARD_CLOSE,   /* no answer */
	GUARD_TRY,     /* may a password of user (or "") be tried from address? */
	GUARD_PASSED,  /* it was right; the session has lease (0: none) */
	GUARD_FAILED,  /* it was wrong; BLOCKED: that was not to be tried any more */
	GUARD_TAKE,    /* amount of rate for address (a name) */
	GUARD_LIST,
	GUARD_CLEAR, /* user: a name */
	/* from a predecessor; no answer. text: a subject */
	GUARD_FAILURES, /* amount: how many; lease: the last one's time; fingerprint: until */
	GUARD_KNOWN,    /* fingerprint: until */
	/* from the limits process */
	GUARD_ANSWER, /* amount: milliseconds to hold an answer back (FAILED); rows (CLEAR) */
	GUARD_KINDS,
};

struct guard_frame {
	enum guard_kind kind;
	enum limit_verdict verdict;
	enum limit_rate rate;
	uint64_t id; /* 0: no answer is wanted */
	uint64_t lease, fingerprint, amount;
	const char *address, *user, *text; /* NULL counts as "" */
};

/* Too long a name is cut: it is nobody's. */
void guard_wire_add(const struct guard_frame *f, struct buf *out);

/* 1: a whole frame, *used_r bytes; 0: more is needed; -1: no frame. Texts are put into
 * storage, which must live as long as f_r. */
struct guard_storage {
	char address[GUARD_NAME_MAX + 1], user[GUARD_NAME_MAX + 1];
	char text[GUARD_TEXT_MAX + 1];
};
int guard_wire_next(struct slice in, struct guard_frame *f_r, struct guard_storage *storage,
                    size_t *used_r) MUST_CHECK;

#endif
