#include "fakehome.h"

#include "base/xalloc.h"

#include <stdio.h>
#include <stdlib.h>

struct home {
	struct fakehome *f;
	struct timer timer;
	uint64_t last_id, id; /* the one question under way; 0: none */
	home_fn *fn;
	void *ctx;
};

static void
on_timer(void *ctx)
{
	struct home *h = ctx;
	uint64_t id = h->id;

	h->id = 0;
	h->fn(h->ctx, id,
	      &(struct home_answer){ .result = h->f->result,
	                             .server = h->f->server,
	                             .claim = 7,
	                             .why = "a test" });
}

struct home *
fakehome_new(struct loop *l, struct fakehome *f)
{
	struct home *h = xcalloc(1, sizeof(*h));

	h->f = f;
	timer_init(&h->timer, l, on_timer, h);
	return h;
}

const char *
home_result_text(enum home_result r)
{
	return r == HOME_FOUND ? "found" : r == HOME_NONE ? "none" : "later";
}

void
home_free(struct home **h)
{
	if (*h == NULL)
		return;
	timer_fini(&(*h)->timer);
	free(*h);
	*h = NULL;
}

uint64_t
home_find(struct home *h, struct slice user, home_fn *fn, void *ctx)
{
	must(h->id == 0);
	h->id = ++h->last_id;
	h->fn = fn;
	h->ctx = ctx;
	snprintf(h->f->user, sizeof(h->f->user), "%.*s", SLICE_ARG(user));
	if (!h->f->silent)
		timer_set(&h->timer, 0);
	return h->id;
}

uint64_t
home_find_again(struct home *h, struct slice user, home_fn *fn, void *ctx)
{
	return home_find(h, user, fn, ctx);
}

void
home_cancel(struct home *h, uint64_t id)
{
	if (h->id == 0 || h->id != id)
		return;
	h->id = 0;
	timer_cancel(&h->timer);
}
