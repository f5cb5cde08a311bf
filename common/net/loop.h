/*
 * loop - one event loop: timers, deferred calls, watched descriptors, signals, and
 * calls from helper threads.
 *
 * All functions belong to the loop's own thread but loop_post(). Callbacks never run
 * inside the call that arms them. tests/fakenet implements the same header on a fake
 * clock.
 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

struct loop;
typedef void loop_fn(void *ctx);

/* Call after fork: the kernel's event queue must not be shared. */
struct loop *loop_new(void);
void loop_free(struct loop **l);
/* Until loop_stop(). */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);

/* Runs fn(ctx) at the end of this loop turn, in order of the calls. */
void loop_defer(struct loop *l, loop_fn *fn, void *ctx);
/* The same from any thread. */
void loop_post(struct loop *l, loop_fn *fn, void *ctx);
/* Drops every deferred and posted call with this ctx: before ctx goes. */
void loop_forget(struct loop *l, const void *ctx);

/* A timer inside its owner. One shot. */
struct timer {
	struct loop *loop;
	loop_fn *fn;
	void *ctx;
	void *impl; /* net's */
};
void timer_init(struct timer *t, struct loop *l, loop_fn *fn, void *ctx);
/* (Re)arms: fn runs once in ms milliseconds. */
void timer_set(struct timer *t, uint64_t ms);
void timer_cancel(struct timer *t);
bool timer_is_set(const struct timer *t);
/* Cancels and releases; call before the owner goes. */
void timer_fini(struct timer *t);

/* A foreign descriptor (helper pipes, libraries with their own sockets). */
struct watch;
enum { WATCH_READ = 1, WATCH_WRITE = 2 };
typedef void watch_fn(void *ctx, int fd, unsigned events);
/* Level-triggered until freed. Does not own fd. */
struct watch *watch_new(struct loop *l, int fd, unsigned events, watch_fn *fn, void *ctx);
void watch_free(struct watch **w);

struct signal_watch;
struct signal_watch *signal_watch_new(struct loop *l, int signo, loop_fn *fn, void *ctx);
void signal_watch_free(struct signal_watch **w);

#endif
