/*
 * resolve - see resolve.h. libevent's evdns, which may answer from inside the question (hosts
 * file) and answers once more when it is cancelled.
 */
#include "net/resolve.h"

#include <event2/dns.h>
#include <event2/util.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "base/xalloc.h"
#include "net/loop_impl.h"

struct resolver {
	struct loop *loop;
	struct evdns_base *dns; /* NULL: the system knows no name server */
};

struct resolve {
	struct loop *loop;
	struct evdns_getaddrinfo_request *request; /* under way */
	bool starting, answered;
	struct addr addrs[RESOLVE_ADDRS_MAX];
	size_t count;
	const char *why; /* of gai_strerror(): lives for ever */
	resolve_fn *fn;  /* NULL: cancelled */
	void *ctx;
};

struct resolver *
resolver_new(struct loop *l)
{
	struct resolver *r = xcalloc(1, sizeof(*r));

	r->loop = l;
	r->dns = evdns_base_new(loop_base(l), EVDNS_BASE_INITIALIZE_NAMESERVERS |
	                                              EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	if (r->dns != NULL) {
		(void)evdns_base_set_option(r->dns, "timeout:", "2");
		(void)evdns_base_set_option(r->dns, "attempts:", "2");
	}
	return r;
}

void
resolver_free(struct resolver **rp)
{
	struct resolver *r = *rp;

	*rp = NULL;
	if (r == NULL)
		return;
	if (r->dns != NULL)
		evdns_base_free(r->dns, 0);
	free(r);
}

static void
tell(void *ctx)
{
	struct resolve *q = ctx;

	if (q->fn != NULL)
		q->fn(q->ctx, q->addrs, q->count, q->why);
	free(q);
}

static void
take(struct resolve *q, const struct evutil_addrinfo *list)
{
	for (; list != NULL && q->count < RESOLVE_ADDRS_MAX; list = list->ai_next) {
		struct addr *a = &q->addrs[q->count];

		if (list->ai_addrlen > sizeof(a->ss))
			continue;
		memset(a, 0, sizeof(*a));
		memcpy(&a->ss, list->ai_addr, list->ai_addrlen);
		a->len = (socklen_t)list->ai_addrlen;
		q->count++;
	}
}

static void
on_answer(int result, struct evutil_addrinfo *list, void *ctx)
{
	struct resolve *q = ctx;

	q->request = NULL;
	q->answered = true;
	take(q, list);
	if (list != NULL)
		evutil_freeaddrinfo(list);
	if (q->count == 0)
		q->why = result != 0 ? evutil_gai_strerror(result) : "no addresses";
	if (q->starting)
		return;
	if (q->fn == NULL)
		free(q);
	else
		loop_defer(q->loop, tell, q);
}

struct resolve *
resolve_start(struct resolver *r, const char *host, uint16_t port, resolve_fn *fn, void *ctx)
{
	struct evutil_addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_protocol = IPPROTO_TCP,
		.ai_flags = EVUTIL_AI_ADDRCONFIG,
	};
	struct resolve *q = xcalloc(1, sizeof(*q));
	char service[8];

	q->loop = r->loop;
	q->fn = fn;
	q->ctx = ctx;
	snprintf(service, sizeof(service), "%u", port);
	if (r->dns == NULL) {
		q->why = "no name server";
		q->answered = true;
	} else {
		q->starting = true;
		q->request = evdns_getaddrinfo(r->dns, host, service, &hints, on_answer, q);
		q->starting = false;
	}
	if (q->answered)
		loop_defer(q->loop, tell, q);
	return q;
}

void
resolve_cancel(struct resolve **qp)
{
	struct resolve *q = *qp;

	*qp = NULL;
	if (q == NULL)
		return;
	q->fn = NULL;
	if (q->answered) {
		loop_forget(q->loop, q);
		free(q);
	} else {
		evdns_getaddrinfo_cancel(q->request); /* on_answer() frees it */
	}
}
