#include "fakelookup.h"

#include "base/xalloc.h"

#include <stdio.h>
#include <stdlib.h>

struct lookup {
	struct fakelookup *f;
	struct timer timer;
	uint64_t last_id, id; /* the one question under way; 0: none */
	lookup_fn *fn;
	void *ctx;
};

static void
on_timer(void *ctx)
{
	struct lookup *k = ctx;
	bool has = k->f->result == LOCATION_FOUND || k->f->result == LOCATION_IS_RESERVED;

	k->id = 0;
	k->fn(k->ctx, k->f->result, has ? &k->f->loc : NULL);
}

struct lookup *
fakelookup_new(struct loop *l, struct fakelookup *f)
{
	struct lookup *k = xcalloc(1, sizeof(*k));

	k->f = f;
	timer_init(&k->timer, l, on_timer, k);
	return k;
}

void
lookup_free(struct lookup **k)
{
	timer_fini(&(*k)->timer);
	free(*k);
	*k = NULL;
}

static uint64_t
ask(struct lookup *k, struct slice name, bool barrier, lookup_fn *fn, void *ctx)
{
	must(k->id == 0);
	k->id = ++k->last_id;
	k->fn = fn;
	k->ctx = ctx;
	k->f->barrier = barrier;
	snprintf(k->f->name, sizeof(k->f->name), "%.*s", SLICE_ARG(name));
	timer_set(&k->timer, 0);
	return k->id;
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
	if (k->id == 0 || k->id != id)
		return;
	k->id = 0;
	timer_cancel(&k->timer);
}
