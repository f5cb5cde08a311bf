/*
 * guard_serve - the limits process: one for each program, beside its workers; counts for all
 * of them, and with Redis for all hosts. Used by svc.
 *
 * Without it, or when it is slow, workers let everybody in (guard.h).
 */
#ifndef GUARD_GUARD_SERVE_H
#define GUARD_GUARD_SERVE_H

#include <signal.h>

#include "conf/conf.h"
#include "metrics/metrics.h"

/* Serves whoever connects to the listening socket fd until SIGTERM; the exit code. mask is in
 * force from its beginning on. */
int guard_serve(int fd, const struct conf *c, const sigset_t *mask);

enum {
	GUARD_M_BY_ADDRESS,
	GUARD_M_BY_USER,
	GUARD_M_BY_BOTH,
	GUARD_M_BLOCKED,
	GUARD_M_EXCEEDED,
	GUARD_M_FAILED,
	GUARD_M_SESSIONS,
	GUARD_M_UNANSWERED,
	GUARD_M_REDIS_UP,
	GUARD_M_REDIS_LOST,
	GUARD_M_REDIS_LATE,
	GUARD_M_COUNT
};
extern struct metric guard_metrics[GUARD_M_COUNT];

#endif
