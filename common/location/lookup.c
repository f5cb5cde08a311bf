#include "location/lookup.h"

#include "base/list.h"
#include "base/xalloc.h"

#include <stdlib.h>

struct find {
	struct list link;
	struct lookup *owner;
	uint64_t id;
	uint64_t barrier_id; /* 0: not waiting for one */
	struct arena *arena;
	char *name;   /* NUL-terminated copy: names have no NUL */
	bool doubted; /* asked for with a barrier first */
	enum location_result result;
	struct location loc;
	lookup_fn *fn;
	void *ctx;
};

struct lookup {
	struct loop *loop;
	struct location_reader *reader;
	struct barrier *barrier;
	uint64_t next_id;
	struct list waiting; /* for their barrier */
	struct list ready;   /* for the end of this loop turn */
	struct timer timer;
};

static void
find_free(struct find *f)
{
	list_del(&f->link);
	arena_free(&f->arena);
	free(f->name);
	free(f);
}

static void
find_answer(struct find *f)
{
	lookup_fn *fn = f->fn;
	void *ctx = f->ctx;
	bool has = f->result == LOCATION_FOUND || f->result == LOCATION_IS_RESERVED;
	struct arena *a = f->arena;
	struct location loc = f->loc;
	enum location_result result = f->result;

	/* gone before the callback: its id is over */
	f->arena = NULL;
	find_free(f);
	fn(ctx, result, has ? &loc : NULL);
	arena_free(&a);
}

static void
on_timer(void *ctx)
{
	struct lookup *k = ctx;
	struct find *f;

	while ((f = LIST_FIRST(&k->ready, struct find, link)) != NULL)
		find_answer(f);
}

static void
on_barrier(void *ctx, enum barrier_result result)
{
	struct find *f = ctx;

	f->barrier_id = 0;
	arena_reset(f->arena);
	f->result = location_reader_find(f->owner->reader, slice_of(f->name), f->arena, &f->loc);
	/* Blind means later: the list at hand may lack what the master knows. Who has a reason
	 * to doubt it has learnt nothing from it, whatever it says. */
	if (result == BARRIER_LATE && (f->doubted || f->result == LOCATION_NONE))
		f->result = LOCATION_BLIND;
	find_answer(f);
}

struct lookup *
lookup_new(struct loop *l, struct location_reader *reader, struct barrier *barrier)
{
	struct lookup *k = xcalloc(1, sizeof(*k));

	k->loop = l;
	k->reader = reader;
	k->barrier = barrier;
	k->next_id = 1;
	list_init(&k->waiting);
	list_init(&k->ready);
	timer_init(&k->timer, l, on_timer, k);
	return k;
}

void
lookup_free(struct lookup **kp)
{
	struct lookup *k = *kp;
	struct find *f;

	if (k == NULL)
		return;
	LIST_EACH (f, &k->waiting, struct find, link) {
		barrier_cancel(k->barrier, f->barrier_id);
		find_free(f);
	}
	LIST_EACH (f, &k->ready, struct find, link)
		find_free(f);
	timer_fini(&k->timer);
	free(k);
	*kp = NULL;
}

static uint64_t
find_start(struct lookup *k, struct slice name, bool barrier_first, lookup_fn *fn, void *ctx)
{
	struct find *f = xcalloc(1, sizeof(*f));

	f->owner = k;
	f->id = k->next_id++;
	f->name = slice_dup(name);
	f->arena = arena_new("lookup");
	f->fn = fn;
	f->ctx = ctx;
	f->doubted = barrier_first;
	list_init(&f->link);
	f->result = location_reader_find(k->reader, name, f->arena, &f->loc);
	/* Nothing a master could say makes an impossible name possible. */
	if ((f->result == LOCATION_FOUND && !barrier_first) || !location_name_ok(name)) {
		list_add_tail(&k->ready, &f->link);
		timer_set(&k->timer, 0);
		return f->id;
	}
	list_add_tail(&k->waiting, &f->link);
	f->barrier_id = barrier_wait(k->barrier, on_barrier, f);
	return f->id;
}

uint64_t
lookup_find(struct lookup *k, struct slice name, lookup_fn *fn, void *ctx)
{
	return find_start(k, name, false, fn, ctx);
}

uint64_t
lookup_find_after_barrier(struct lookup *k, struct slice name, lookup_fn *fn, void *ctx)
{
	return find_start(k, name, true, fn, ctx);
}

void
lookup_cancel(struct lookup *k, uint64_t id)
{
	struct find *f;

	LIST_EACH (f, &k->waiting, struct find, link) {
		if (f->id != id)
			continue;
		barrier_cancel(k->barrier, f->barrier_id);
		find_free(f);
		return;
	}
	LIST_EACH (f, &k->ready, struct find, link) {
		if (f->id != id)
			continue;
		find_free(f);
		return;
	}
}
