/*
 * trial - tries something out in a process of its own, since it may end the process.
 */
#ifndef TRIAL_H
#define TRIAL_H

#include <stdint.h>

#include "base/must.h"

enum trial_end {
	TRIAL_LIVED,
	TRIAL_DIED,    /* of a signal that its own doing brings, or it did not go on */
	TRIAL_UNKNOWN, /* killed from outside (a person, no memory left), or not even begun */
};

struct trial;
/* In the child, which shares nothing with us from then on. Returning is living. */
typedef void trial_fn(struct trial *t, void *ctx);
/* fn: it goes on. */
void trial_step(struct trial *t);
/* Waits for its end, or until there was no step for so long. No other thread may run. */
enum trial_end trial_run(trial_fn *fn, void *ctx, uint64_t silent_ms) MUST_CHECK;

#endif
