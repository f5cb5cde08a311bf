/*
 * wire - MUPDATE spoken by hand, so that it stands for any client: plain RFC 3656, no
 * extension, the same bytes to our master and to Cyrus's.
 */
#ifndef PERF_MUPDATE_WIRE_H
#define PERF_MUPDATE_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "perf/load/peer.h"

struct wire {
	struct peer peer;
	char why[256]; /* what went wrong */
};

/* Connects and logs in by PLAIN. False: w->why. */
bool wire_open(struct wire *w, const char *address, const char *user, const char *password);
void wire_close(struct wire *w);

/* Reads until the line "TAG OK"; records_r: MAILBOX and RESERVE records before it, may be
 * NULL. False: NO, BAD, or the connection broke. */
bool wire_await(struct wire *w, const char *tag, uint64_t *records_r);

#endif
