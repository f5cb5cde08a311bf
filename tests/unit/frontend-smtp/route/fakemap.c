#include "fakemap.h"

#include "base/xalloc.h"

#include <stdio.h>
#include <stdlib.h>

struct question {
	struct list link;
	uint64_t id;
	struct fakemap_answer answer;
	lookup_fn *fn;
	void *ctx;
};

struct lookup {
	struct fakemap *f;
	struct timer timer;
	struct list questions;
	uint64_t last_id;
};

static void
question_free(struct question *q)
{
	list_del(&q->link);
	free(q);
}

static void
on_timer(void *ctx)
{
	struct lookup *k = ctx;
	struct question *q = LIST_FIRST(&k->questions, struct question, link), copy;
	struct location loc;

	if (q == NULL)
		return;
	copy = *q;
	question_free(q);
	timer_set(&k->timer, 0);
	loc = (struct location){ .server = slice_of(copy.answer.server),
		                 .claim = copy.answer.claim };
	copy.fn(copy.ctx, copy.answer.result,
	        copy.answer.result == LOCATION_FOUND || copy.answer.result == LOCATION_IS_RESERVED
	                ? &loc
	                : NULL);
}

struct fakemap_row *
fakemap_at(struct fakemap *m, const char *name)
{
	struct fakemap_row *row;

	for (size_t i = 0; i < m->count; i++)
		if (slice_eq_str(slice_of(name), m->rows[i].name))
			return &m->rows[i];
	must(m->count < FAKEMAP_ROWS);
	row = &m->rows[m->count++];
	snprintf(row->name, sizeof(row->name), "%s", name);
	return row;
}

struct lookup *
fakemap_new(struct loop *l, struct fakemap *f)
{
	struct lookup *k = xcalloc(1, sizeof(*k));

	k->f = f;
	list_init(&k->questions);
	timer_init(&k->timer, l, on_timer, k);
	return k;
}

void
lookup_free(struct lookup **k)
{
	struct question *q;

	LIST_EACH (q, &(*k)->questions, struct question, link)
		question_free(q);
	timer_fini(&(*k)->timer);
	free(*k);
	*k = NULL;
}

static uint64_t
ask(struct lookup *k, struct slice name, bool barrier, lookup_fn *fn, void *ctx)
{
	struct question *q = xcalloc(1, sizeof(*q));
	struct fakemap *f = k->f;

	q->id = ++k->last_id;
	q->fn = fn;
	q->ctx = ctx;
	q->answer.result = LOCATION_NONE;
	for (size_t i = 0; i < f->count; i++)
		if (slice_eq_str(name, f->rows[i].name))
			q->answer = barrier ? f->rows[i].after_barrier : f->rows[i].now;
	if (f->blind)
		q->answer.result = LOCATION_BLIND;
	f->asked++;
	f->barriers += barrier;
	list_add_head(&k->questions, &q->link);
	if (!f->silent)
		timer_set(&k->timer, 0);
	return q->id;
}

uint64_t
lookup_find(struct lookup *k, struct slice name, lookup_fn *fn, void *ctx)
{
	return ask(k, name, false, fn, ctx);
}

uint64_t
lookup_find_after_barrier(struct lookup *k, struct slice name, lookup_fn *fn, void *ctx)
{
	return ask(k, name, true, fn, ctx);
}

void
lookup_cancel(struct lookup *k, uint64_t id)
{
	struct question *q;

	LIST_EACH (q, &k->questions, struct question, link) {
		if (q->id != id)
			continue;
		question_free(q);
		return;
	}
}
