#include "fakehome.h"

#include "base/list.h"
#include "base/xalloc.h"

#include <stdio.h>
#include <stdlib.h>

struct question {
	struct list link;
	struct home *home;
	uint64_t id;
	bool again;
	struct timer timer;
	home_fn *fn;
	void *ctx;
};

struct home {
	struct loop *loop;
	struct fakehome *f;
	uint64_t last_id;
	struct list questions;
};

static void
question_free(struct question *q)
{
	timer_fini(&q->timer);
	list_del(&q->link);
	free(q);
}

static void
on_timer(void *ctx)
{
	struct question *q = ctx, old = *q;
	const struct fakehome_place *p = q->again ? &q->home->f->after_barrier : &q->home->f->now;
	struct home_answer a = { p->result, p->server, p->claim, false, "a test" };

	question_free(q);
	old.fn(old.ctx, old.id, &a);
}

struct home *
fakehome_new(struct loop *l, struct fakehome *f)
{
	struct home *h = xcalloc(1, sizeof(*h));

	h->loop = l;
	h->f = f;
	list_init(&h->questions);
	return h;
}

void
home_free(struct home **h)
{
	struct question *q;

	LIST_EACH (q, &(*h)->questions, struct question, link)
		question_free(q);
	free(*h);
	*h = NULL;
}

static uint64_t
ask(struct home *h, struct slice user, bool again, home_fn *fn, void *ctx)
{
	struct question *q = xcalloc(1, sizeof(*q));

	q->home = h;
	q->id = ++h->last_id;
	q->again = again;
	q->fn = fn;
	q->ctx = ctx;
	timer_init(&q->timer, h->loop, on_timer, q);
	timer_set(&q->timer, 0);
	list_add_tail(&h->questions, &q->link);
	snprintf(h->f->user, sizeof(h->f->user), "%.*s", SLICE_ARG(user));
	return q->id;
}

uint64_t
home_find(struct home *h, struct slice user, home_fn *fn, void *ctx)
{
	return ask(h, user, false, fn, ctx);
}

uint64_t
home_find_again(struct home *h, struct slice user, home_fn *fn, void *ctx)
{
	h->f->barriers++;
	return ask(h, user, true, fn, ctx);
}

void
home_cancel(struct home *h, uint64_t id)
{
	struct question *q;

	LIST_EACH (q, &h->questions, struct question, link)
		if (q->id == id)
			question_free(q);
}
