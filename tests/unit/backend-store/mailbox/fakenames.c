#include "fakenames.h"

#include <stdlib.h>

#include "base/xalloc.h"

struct call {
	enum names_result result;
	names_fn *fn;
	void *ctx;
};

static struct fakenames *
of(struct names *n)
{
	return CONTAINER_OF(n, struct fakenames, names);
}

static void
answer(void *ctx)
{
	struct call *c = ctx;

	c->fn(c->ctx, c->result);
	free(c);
}

static void
answer_later(struct fakenames *f, enum names_result result, names_fn *fn, void *ctx)
{
	struct call *c;

	if (f->silent != 0) {
		f->silent--;
		return;
	}
	c = xmalloc(sizeof(*c));
	*c = (struct call){ result, fn, ctx };
	loop_defer(f->loop, answer, c);
}

static void
note(struct fakenames *f, const char *what, const struct names_entry *e, size_t count)
{
	buf_add_str(&f->calls, what);
	for (size_t i = 0; i < count; i++)
		buf_printf(&f->calls, " %.*s", SLICE_ARG(e[i].name));
	buf_add_str(&f->calls, "; ");
}

static void
reserve(struct names *n, const struct names_entry *e, size_t count, names_fn *fn, void *ctx)
{
	note(of(n), "reserve", e, count);
	answer_later(of(n), of(n)->reserve, fn, ctx);
}

static void
activate(struct names *n, const struct names_entry *e, size_t count, names_fn *fn, void *ctx)
{
	note(of(n), "activate", e, count);
	answer_later(of(n), of(n)->activate, fn, ctx);
}

static void
release(struct names *n, const struct slice *names, size_t count, names_fn *fn, void *ctx)
{
	buf_add_str(&of(n)->calls, "release");
	for (size_t i = 0; i < count; i++)
		buf_printf(&of(n)->calls, " %.*s", SLICE_ARG(names[i]));
	buf_add_str(&of(n)->calls, "; ");
	answer_later(of(n), of(n)->release, fn, ctx);
}

static bool
ready(struct names *n)
{
	return !of(n)->away;
}

static const struct names_ops ops = { reserve, activate, release, ready };

void
fakenames_init(struct fakenames *f, struct loop *l)
{
	*f = (struct fakenames){ .names = { &ops }, .loop = l };
	buf_init(&f->calls, SIZE_MAX);
}

void
fakenames_fini(struct fakenames *f)
{
	buf_fini(&f->calls);
}
