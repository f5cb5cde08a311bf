/* loop - deferred calls and timers of the fake loop; fakenet.c runs them. */
#include "net/loop.h"

#include <stdlib.h>

#include "base/must.h"
#include "base/xalloc.h"
#include "fakenet/fakenet.h"
#include "fakenet/fakenet_impl.h"

void
loop_run(struct loop *l)
{
	l->stopped = false;
	while (!l->stopped) {
		fakenet_settle(l);
		if (!l->stopped && !fakenet_advance_to_timer(l))
			return;
	}
}

void
loop_stop(struct loop *l)
{
	l->stopped = true;
}

void
loop_defer(struct loop *l, loop_fn *fn, void *ctx)
{
	struct call *c = xcalloc(1, sizeof(*c));

	c->fn = fn;
	c->ctx = ctx;
	list_init(&c->link);
	list_add_tail(&l->calls, &c->link);
}

void
loop_post(struct loop *l, loop_fn *fn, void *ctx)
{
	loop_defer(l, fn, ctx);
}

void
loop_forget(struct loop *l, const void *ctx)
{
	struct call *c;

	LIST_EACH (c, &l->calls, struct call, link) {
		if (c->ctx == ctx) {
			list_del(&c->link);
			free(c);
		}
	}
}

void
timer_init(struct timer *t, struct loop *l, loop_fn *fn, void *ctx)
{
	struct fake_timer *f = xcalloc(1, sizeof(*f));

	t->loop = l;
	t->fn = fn;
	t->ctx = ctx;
	t->impl = f;
	f->timer = t;
	list_init(&f->link);
	list_add_tail(&l->timers, &f->link);
}

void
timer_set(struct timer *t, uint64_t ms)
{
	struct fake_timer *f = t->impl;

	f->due_us = t->loop->clock.mono_us + ms * 1000;
	f->set = true;
	/* equal times fire in the order they were set */
	list_del(&f->link);
	list_add_tail(&t->loop->timers, &f->link);
}

void
timer_cancel(struct timer *t)
{
	((struct fake_timer *)t->impl)->set = false;
}

bool
timer_is_set(const struct timer *t)
{
	return ((const struct fake_timer *)t->impl)->set;
}

void
timer_fini(struct timer *t)
{
	struct fake_timer *f = t->impl;

	if (f == NULL)
		return;
	list_del(&f->link);
	free(f);
	t->impl = NULL;
}

/* Descriptors and signals do not exist here. */
struct watch *
watch_new(UNUSED struct loop *l, UNUSED int fd, UNUSED unsigned events, UNUSED watch_fn *fn,
          UNUSED void *ctx)
{
	must_not_reach();
}

void
watch_free(struct watch **w)
{
	must(*w == NULL);
}

struct signal_watch *
signal_watch_new(UNUSED struct loop *l, UNUSED int signo, UNUSED loop_fn *fn, UNUSED void *ctx)
{
	must_not_reach();
}

void
signal_watch_free(struct signal_watch **w)
{
	must(*w == NULL);
}
