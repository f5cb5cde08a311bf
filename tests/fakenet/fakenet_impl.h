/*
 * fakenet_impl - what the files of fakenet share about the loop. Not for others.
 */
#ifndef FAKENET_FAKENET_IMPL_H
#define FAKENET_FAKENET_IMPL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/map.h"
#include "net/loop.h"

struct call {
	loop_fn *fn;
	void *ctx;
	struct list link;
};

struct fake_timer {
	struct timer *timer;
	uint64_t due_us;
	bool set;
	struct list link;
};

struct loop {
	struct clock_fake clock;
	struct list calls;     /* struct call */
	struct list timers;    /* struct fake_timer, all that exist */
	struct list conns;     /* struct conn */
	struct map *endpoints; /* address text -> struct endpoint */
	struct map *names;     /* host -> addresses */
	size_t split;
	bool stopped;
};

#endif
