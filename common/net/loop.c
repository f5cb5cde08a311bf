/*
 * loop - see loop.h. Deferred calls run from one zero-delay event at the end of a turn;
 * calls from threads arrive over an eventfd.
 */
#include "net/loop.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/must.h"
#include "base/xalloc.h"
#include "net/loop_impl.h"

#define DEFERRED_US 10000 /* so long deferred calls run before I/O is looked at */

struct call {
	loop_fn *fn;
	void *ctx;
	struct list link;
};

struct loop {
	struct event_base *base;
	struct event *run_deferred;
	struct list deferred; /* struct call */
	struct list running;  /* struct call: the rest of those that run just now */
	struct list woken;    /* struct call: the same of those that were posted */
	bool in_deferred;
	pthread_mutex_t lock; /* guards posted */
	struct list posted;   /* struct call, from any thread */
	int wake_fd;
	struct event *wake;
};

struct event_base *
loop_base(struct loop *l)
{
	return l->base;
}

static void
move_calls(struct list *from, struct list *to)
{
	struct call *c;

	while ((c = LIST_FIRST(from, struct call, link)) != NULL) {
		list_del(&c->link);
		list_add_tail(to, &c->link);
	}
}

static void
run_first(struct list *calls)
{
	struct call *c = LIST_FIRST(calls, struct call, link);
	struct call now = *c;

	list_del(&c->link);
	free(c);
	now.fn(now.ctx);
}

static void
on_deferred(UNUSED evutil_socket_t fd, UNUSED short what, void *ctx)
{
	struct loop *l = ctx;

	/* What a call defers runs in the next turn, and so do the rest of many: nobody can starve
	 * the loop. An event that is made active here would still be of this turn, a timer is
	 * looked at behind I/O. */
	uint64_t end_us = clock_mono_us() + DEFERRED_US;

	l->in_deferred = true;
	if (list_is_empty(&l->running))
		move_calls(&l->deferred, &l->running);
	while (!list_is_empty(&l->running) && clock_mono_us() <= end_us)
		run_first(&l->running);
	l->in_deferred = false;
	if (!list_is_empty(&l->running) || !list_is_empty(&l->deferred))
		must(event_add(l->run_deferred, &(struct timeval){ 0, 0 }) == 0);
}

static void
on_wake(evutil_socket_t fd, UNUSED short what, void *ctx)
{
	struct loop *l = ctx;
	uint64_t count;

	if (read(fd, &count, sizeof(count)) == -1)
		must(errno == EAGAIN || errno == EINTR);
	pthread_mutex_lock(&l->lock);
	move_calls(&l->posted, &l->woken);
	pthread_mutex_unlock(&l->lock);
	while (!list_is_empty(&l->woken))
		run_first(&l->woken);
}

struct loop *
loop_new(void)
{
	struct loop *l = xcalloc(1, sizeof(*l));

	signal(SIGPIPE, SIG_IGN);
	l->base = event_base_new();
	must(l->base != NULL);
	/* Deferred calls come after the I/O of the turn. */
	must(event_base_priority_init(l->base, 2) == 0);
	list_init(&l->deferred);
	list_init(&l->running);
	list_init(&l->woken);
	list_init(&l->posted);
	must(pthread_mutex_init(&l->lock, NULL) == 0);
	l->run_deferred = event_new(l->base, -1, 0, on_deferred, l);
	must(l->run_deferred != NULL);
	l->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	must(l->wake_fd != -1);
	l->wake = event_new(l->base, l->wake_fd, EV_READ | EV_PERSIST, on_wake, l);
	must(l->wake != NULL && event_add(l->wake, NULL) == 0);
	return l;
}

static void
forget_in(struct list *calls, const void *ctx)
{
	struct call *c;

	LIST_EACH (c, calls, struct call, link) {
		if (c->ctx == ctx) {
			list_del(&c->link);
			free(c);
		}
	}
}

void
loop_forget(struct loop *l, const void *ctx)
{
	forget_in(&l->running, ctx);
	forget_in(&l->woken, ctx);
	forget_in(&l->deferred, ctx);
	pthread_mutex_lock(&l->lock);
	forget_in(&l->posted, ctx);
	pthread_mutex_unlock(&l->lock);
}

static void
drop_calls(struct list *calls)
{
	struct call *c;

	while ((c = LIST_FIRST(calls, struct call, link)) != NULL) {
		list_del(&c->link);
		free(c);
	}
}

void
loop_free(struct loop **lp)
{
	struct loop *l = *lp;

	if (l == NULL)
		return;
	/* Frees that were deferred still happen; they may defer more. */
	for (int i = 0; i < 8; i++) {
		move_calls(&l->deferred, &l->running);
		while (!list_is_empty(&l->running))
			run_first(&l->running);
	}
	drop_calls(&l->deferred);
	drop_calls(&l->woken);
	drop_calls(&l->posted);
	event_free(l->run_deferred);
	event_free(l->wake);
	close(l->wake_fd);
	event_base_free(l->base);
	pthread_mutex_destroy(&l->lock);
	free(l);
	*lp = NULL;
}

void
loop_run(struct loop *l)
{
	must(event_base_loop(l->base, EVLOOP_NO_EXIT_ON_EMPTY) != -1);
}

void
loop_stop(struct loop *l)
{
	event_base_loopbreak(l->base);
}

static struct call *
call_new(loop_fn *fn, void *ctx)
{
	struct call *c = xcalloc(1, sizeof(*c));

	c->fn = fn;
	c->ctx = ctx;
	list_init(&c->link);
	return c;
}

void
loop_defer(struct loop *l, loop_fn *fn, void *ctx)
{
	if (list_is_empty(&l->deferred) && !l->in_deferred)
		event_active(l->run_deferred, 0, 0);
	list_add_tail(&l->deferred, &call_new(fn, ctx)->link);
}

void
loop_post(struct loop *l, loop_fn *fn, void *ctx)
{
	struct call *c = call_new(fn, ctx);
	uint64_t one = 1;

	pthread_mutex_lock(&l->lock);
	list_add_tail(&l->posted, &c->link);
	pthread_mutex_unlock(&l->lock);
	while (write(l->wake_fd, &one, sizeof(one)) == -1)
		must(errno == EINTR || errno == EAGAIN);
}

static void
on_timer(UNUSED evutil_socket_t fd, UNUSED short what, void *ctx)
{
	struct timer *t = ctx;

	t->fn(t->ctx);
}

void
timer_init(struct timer *t, struct loop *l, loop_fn *fn, void *ctx)
{
	t->loop = l;
	t->fn = fn;
	t->ctx = ctx;
	t->impl = event_new(l->base, -1, 0, on_timer, t);
	must(t->impl != NULL);
}

void
timer_set(struct timer *t, uint64_t ms)
{
	struct timeval tv = { (time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000) };

	must(event_add(t->impl, &tv) == 0);
}

void
timer_cancel(struct timer *t)
{
	event_del(t->impl);
}

bool
timer_is_set(const struct timer *t)
{
	return event_pending(t->impl, EV_TIMEOUT, NULL) != 0;
}

void
timer_fini(struct timer *t)
{
	if (t->impl != NULL)
		event_free(t->impl);
	t->impl = NULL;
}

struct watch {
	struct event *ev;
	watch_fn *fn;
	void *ctx;
};

static void
on_watch(evutil_socket_t fd, short what, void *ctx)
{
	struct watch *w = ctx;

	w->fn(w->ctx, fd,
	      ((what & EV_READ) != 0 ? WATCH_READ : 0u) |
	              ((what & EV_WRITE) != 0 ? WATCH_WRITE : 0u));
}

struct watch *
watch_new(struct loop *l, int fd, unsigned events, watch_fn *fn, void *ctx)
{
	struct watch *w = xcalloc(1, sizeof(*w));
	short what = EV_PERSIST;

	if ((events & WATCH_READ) != 0)
		what |= EV_READ;
	if ((events & WATCH_WRITE) != 0)
		what |= EV_WRITE;
	w->fn = fn;
	w->ctx = ctx;
	w->ev = event_new(l->base, fd, what, on_watch, w);
	must(w->ev != NULL && event_add(w->ev, NULL) == 0);
	return w;
}

void
watch_free(struct watch **w)
{
	if (*w == NULL)
		return;
	event_free((*w)->ev);
	free(*w);
	*w = NULL;
}

struct signal_watch {
	struct event *ev;
	loop_fn *fn;
	void *ctx;
};

static void
on_signal(UNUSED evutil_socket_t fd, UNUSED short what, void *ctx)
{
	struct signal_watch *w = ctx;

	w->fn(w->ctx);
}

struct signal_watch *
signal_watch_new(struct loop *l, int signo, loop_fn *fn, void *ctx)
{
	struct signal_watch *w = xcalloc(1, sizeof(*w));

	w->fn = fn;
	w->ctx = ctx;
	w->ev = evsignal_new(l->base, signo, on_signal, w);
	must(w->ev != NULL && event_add(w->ev, NULL) == 0);
	return w;
}

void
signal_watch_free(struct signal_watch **w)
{
	if (*w == NULL)
		return;
	event_free((*w)->ev);
	free(*w);
	*w = NULL;
}
