/*
 * barrier - "have I everything the master had when I asked?" A NOOP (RFC 3656 section 4.8) through
 * the replica of this host to the master; afterwards the replica's list holds every change that was
 * acknowledged before the question.
 *
 * Requests are coalesced: one question is under way at a time, all that come meanwhile
 * share the next one. The socket is opened on demand and again after it broke.
 * Socket protocol, lines: "B <id>\n" -> "OK <id> <revision>\n" or "LATE <id>\n"; the other side
 * is mupdate/barrier_server.c.
 */
#ifndef LOCATION_BARRIER_H
#define LOCATION_BARRIER_H

#include <stdint.h>

#include "net/loop.h"

struct barrier;

enum barrier_result {
	BARRIER_OK,   /* the list at hand is as new as the question */
	BARRIER_LATE, /* no answer in time, no replica, or no master: answer "later" */
};
/* Never called from inside barrier_wait(). */
typedef void barrier_fn(void *ctx, enum barrier_result result);

/* socket_path is the replica's barrier socket (borrowed for the barrier's life). Whoever waits for
 * longer than deadline_ms is told LATE. */
struct barrier *barrier_new(struct loop *l, const char *socket_path, uint64_t deadline_ms);
/* Waiters are dropped unanswered. */
void barrier_free(struct barrier **b);
#define BARRIER_DEADLINE_MS 1000

/* Returns an id for barrier_cancel(), never 0. */
uint64_t barrier_wait(struct barrier *b, barrier_fn *fn, void *ctx);
/* Harmless for ids that are answered or 0. */
void barrier_cancel(struct barrier *b, uint64_t id);

#endif
