/*
 * metrics - counters, gauges and histograms in memory shared by the processes of one
 * program, printed as Prometheus text.
 *
 * A module declares a table and its program registers it before svc_main():
 *
 *	enum { M_LOGINS, M_SESSIONS, M_REPLY_MS, M_COUNT };
 *	struct metric imap_metrics[M_COUNT] = {
 *		[M_LOGINS] = METRIC_COUNTER("roost_imap_logins_total",
 *					    "result=\"ok\"", "Logins by result."),
 *		[M_SESSIONS] = METRIC_GAUGE("roost_imap_sessions", NULL, "Open sessions."),
 *		[M_REPLY_MS] = METRIC_HISTOGRAM("roost_imap_reply_seconds", NULL,
 *						"Time to reply.", metrics_ms_bounds),
 *	};
 *	metrics_register(imap_metrics, M_COUNT);
 *	metrics_add(&imap_metrics[M_LOGINS], 1);
 *
 * Each process writes its own slot, so that a gauge of a dead worker can be cleared.
 * Unregistered metrics (unit tests) count in the struct itself. Thread-safe.
 */
#ifndef METRICS_METRICS_H
#define METRICS_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum metric_type { METRIC_TYPE_COUNTER, METRIC_TYPE_GAUGE, METRIC_TYPE_HISTOGRAM };

struct metric {
	const char *name;
	const char *labels; /* `code="250"`, or NULL */
	const char *help;
	enum metric_type type;
	const uint64_t *bounds; /* histogram: upper bounds, rising, ended by 0 */
	double unit;            /* histogram: what one means in print (0.001: ms as s) */
	uint64_t own;           /* the cell while not registered */
	size_t index;           /* first cell in the slot, plus 1; 0: not registered */
};

#define METRIC_COUNTER(n, l, h)                                                                    \
	{                                                                                          \
		.name = n, .labels = l, .help = h, .type = METRIC_TYPE_COUNTER                     \
	}
#define METRIC_GAUGE(n, l, h)                                                                      \
	{                                                                                          \
		.name = n, .labels = l, .help = h, .type = METRIC_TYPE_GAUGE                       \
	}
/* Observed in milliseconds, printed in seconds. */
#define METRIC_HISTOGRAM(n, l, h, b)                                                               \
	{                                                                                          \
		.name = n, .labels = l, .help = h, .type = METRIC_TYPE_HISTOGRAM, .bounds = b,     \
		.unit = 0.001                                                                      \
	}

/* 1, 2, 5, 10, ... 60,000 ms */
extern const uint64_t metrics_ms_bounds[];

/* Before metrics_open(). Rows of one name stand together. table is borrowed for ever. */
void metrics_register(struct metric *table, size_t count);
/* Makes the shared memory; once, before the first fork (svc does). */
void metrics_open(unsigned slots);
/* From now on this process writes slot i (svc does, after fork). */
void metrics_use_slot(unsigned i);
/* Zeroes the gauges of a process that is gone (svc does). */
void metrics_clear_gauges(unsigned slot);

void metrics_add(struct metric *m, uint64_t n);         /* counter, gauge */
void metrics_sub(struct metric *m, uint64_t n);         /* gauge */
void metrics_set(struct metric *m, uint64_t value);     /* gauge, this process' part */
void metrics_observe(struct metric *m, uint64_t value); /* histogram */
/* Sum over all processes; of a histogram the number of observations. */
uint64_t metrics_value(const struct metric *m);

/* The list of them as a part of a manual page (base/roff.h). */
void metrics_print_man(struct buf *out);

/* Prometheus text format 0.0.4, all registered metrics, summed. */
void metrics_print(struct buf *out);

#endif
