/*
 * spool - bytes that come in from a client, in memory up to a limit, then in a file that has
 * no name any more. One after the other: first all is added, then all is taken.
 */
#ifndef MAILBOX_SPOOL_H
#define MAILBOX_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/must.h"
#include "base/slice.h"

#define SPOOL_MEMORY ((size_t)1 << 20)

struct spool {
	const char *dir;  /* borrowed */
	struct buf bytes; /* those in memory */
	int fd;           /* -1: no file yet */
	uint64_t len;
};

void spool_init(struct spool *sp, const char *dir);
void spool_fini(struct spool *sp);
/* False with the operator's text: the disk is full or broken. */
bool spool_add(struct spool *sp, struct slice in, struct err *err) MUST_CHECK;
/* Everything in one piece, borrowed. */
bool spool_take(struct spool *sp, struct slice *all_r, struct err *err) MUST_CHECK;

#endif
