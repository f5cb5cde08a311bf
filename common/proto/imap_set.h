/*
 * imap_set - sets of message numbers or UIDs: `1:3,5,9:*`. RFC 3501 section 9.
 *
 * A set is read with `*` left open, since what it stands for is known only where the set is
 * used; imap_set_resolve() puts it in and makes ascending ranges that do not touch.
 */
#ifndef PROTO_IMAP_SET_H
#define PROTO_IMAP_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/must.h"
#include "proto/imap_args.h"

#define IMAP_SET_RANGES_MAX 10000

/* Both ends belong to it. Before resolving they may be the wrong way round, 0 is `*`. */
struct imap_range {
	uint32_t first, last;
};

struct imap_set {
	struct imap_range *ranges; /* of the arena */
	size_t count;
};

/* Takes a set from a. */
bool imap_set_read(struct imap_args *a, const char *what, struct imap_set *s_r);
/* The largest number that is written in it (not by `*`), 0: none. A range with a `*` does
 * not count: it reaches to what there is. */
uint32_t imap_set_largest(const struct imap_set *s);
/* star: the largest number in use. In an empty mailbox (star 0) `*` and its range are
 * left out. */
void imap_set_resolve(struct imap_set *s, uint32_t star);

/* ---- of resolved sets */
bool imap_set_has(const struct imap_set *s, uint32_t n);
/* How many numbers are in it. */
uint64_t imap_set_numbers(const struct imap_set *s);

/* ---- writing: numbers come ascending; "1:3,5" */
struct imap_set_writer {
	struct buf *out;
	uint32_t first, last; /* the open range; 0: none */
	bool any;             /* something was written */
};
void imap_set_writer_init(struct imap_set_writer *w, struct buf *out);
void imap_set_writer_add(struct imap_set_writer *w, uint32_t n);
void imap_set_writer_end(struct imap_set_writer *w);
void imap_set_add_numbers(struct buf *out, const uint32_t *numbers, size_t count);

#endif
