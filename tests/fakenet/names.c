/* net/resolve.h from a table: fakenet_name(). */
#include "fakenet/fakenet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/xalloc.h"
#include "fakenet/fakenet_impl.h"
#include "net/resolve.h"

#define NO_ANSWER "no answer"

struct resolver {
	struct loop *loop;
};

struct resolve {
	struct loop *loop;
	char host[300];
	uint16_t port;
	struct timer timer;
	resolve_fn *fn;
	void *ctx;
};

void
fakenet_name(struct loop *l, const char *host, const char *addrs)
{
	free(map_set(l->names, slice_of(host), xstrdup(addrs != NULL ? addrs : NO_ANSWER)));
}

struct resolver *
resolver_new(struct loop *l)
{
	struct resolver *r = xcalloc(1, sizeof(*r));

	r->loop = l;
	return r;
}

void
resolver_free(struct resolver **r)
{
	free(*r);
	*r = NULL;
}

static const char *
addrs_of(const struct resolve *q)
{
	const char *addrs = map_get(q->loop->names, slice_of(q->host));

	return addrs != NULL ? addrs : "";
}

static void
on_resolve(void *ctx)
{
	struct resolve *q = ctx, now = *q;
	struct slice rest = slice_of(addrs_of(q)), word;
	struct addr addrs[RESOLVE_ADDRS_MAX];
	struct err err;
	size_t n = 0;

	if (strcmp(rest.p, NO_ANSWER) == 0)
		rest.n = 0;
	while (rest.n > 0 && n < RESOLVE_ADDRS_MAX) {
		word = slice_cut(&rest, ' ');
		if (addr_parse(word, q->port, &addrs[n], &err))
			n++;
	}
	timer_fini(&q->timer);
	free(q);
	now.fn(now.ctx, addrs, n, n > 0 ? NULL : "unknown");
}

struct resolve *
resolve_start(struct resolver *r, const char *host, uint16_t port, resolve_fn *fn, void *ctx)
{
	struct resolve *q = xcalloc(1, sizeof(*q));

	q->loop = r->loop;
	q->port = port;
	q->fn = fn;
	q->ctx = ctx;
	snprintf(q->host, sizeof(q->host), "%s", host);
	timer_init(&q->timer, r->loop, on_resolve, q);
	timer_set(&q->timer, strcmp(addrs_of(q), NO_ANSWER) == 0 ? 5000 : 0);
	return q;
}

void
resolve_cancel(struct resolve **q)
{
	if (*q != NULL) {
		timer_fini(&(*q)->timer);
		free(*q);
	}
	*q = NULL;
}
