#include "deliver/relay.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/xalloc.h"
#include "deliver/hops.h"
#include "log/log.h"
#include "tls/tls.h"

#include <stdlib.h>

/* In the order of the setting's words. */
static const enum peer_tls tls_modes[] = { PEER_TLS_NO, PEER_TLS_STARTTLS, PEER_TLS_IMPLICIT };

struct relay {
	struct pool *pool;
	struct peer like; /* what all hops have in common */
	struct hops *hops;
	struct list waiting; /* tries, for names to be looked up */
};

struct relay_try {
	struct list node; /* in relay->waiting */
	struct relay *relay;
	struct attempt_job *job;
	struct attempt *attempt;
	struct hop *order[HOPS_MAX];
	size_t count, next; /* in order */
	uint64_t until_ms;
	attempt_fn *fn;
	void *ctx;
};

static void begin(void *ctx);

/* ---- settings -------------------------------------------------------------------------------- */

int
relay_check(const struct conf *c, struct err *err)
{
	if (conf_is_set(c, "relay_user") == conf_is_set(c, "relay_password"))
		return hops_check(c, err);
	err_set(err, "relay_user and relay_password belong together, and only one is set");
	return -1;
}

bool
relay_open_tls(const struct conf *c, struct tls_ctx **tls_r, struct err *err)
{
	bool verify = conf_bool(c, "relay_tls_verify");

	*tls_r = NULL;
	if (tls_modes[conf_enum(c, "relay_tls")] == PEER_TLS_NO)
		return true;
	*tls_r = tls_client_new(conf_str(c, "relay_tls_ca"),
	                        verify ? TLS_VERIFY_NAME : TLS_VERIFY_NONE, err);
	return *tls_r != NULL;
}

static void
on_hops(void *ctx)
{
	struct relay *r = ctx;
	struct relay_try *t;

	if (!hops_are_ready(r->hops))
		return;
	while ((t = LIST_FIRST(&r->waiting, struct relay_try, node)) != NULL) {
		list_del(&t->node);
		loop_defer(pool_loop(r->pool), begin, t);
	}
}

struct relay *
relay_new(const struct conf *c, struct pool *p, struct tls_ctx *tls)
{
	struct relay *r = xcalloc(1, sizeof(*r));

	r->pool = p;
	r->like = (struct peer){
		.smtp = true,
		.tls_mode = tls_modes[conf_enum(c, "relay_tls")],
		.tls = tls,
		.tls_name = conf_str(c, "relay_tls_name"),
		.user = conf_str(c, "relay_user"),
		.password = conf_str(c, "relay_password"),
	};
	list_init(&r->waiting);
	r->hops = hops_new(c, pool_loop(p), on_hops, r);
	hops_refresh(r->hops);
	return r;
}

void
relay_free(struct relay **rp)
{
	struct relay *r = *rp;

	*rp = NULL;
	if (r == NULL)
		return;
	hops_free(&r->hops);
	free(r);
}

bool
relay_is_set(const struct relay *r)
{
	return hops_are_set(r->hops);
}

size_t
relay_most_rcpts(const struct relay *r)
{
	return hops_most_rcpts(r->hops);
}

bool
relay_at(const struct relay *r, size_t i, struct relay_info *info_r)
{
	return hops_at(r->hops, i, &info_r->name, &info_r->down);
}

/* ---- one after the other ------------------------------------------------------------------------- */

static void
try_free(struct relay_try *t)
{
	list_del(&t->node);
	loop_forget(pool_loop(t->relay->pool), t);
	free(t);
}

static void
finish(struct relay_try *t)
{
	attempt_fn *fn = t->fn;
	void *ctx = t->ctx;

	try_free(t);
	fn(ctx);
}

static struct peer
peer_of(const struct relay *r, const struct hop *h)
{
	struct peer p = r->like;

	p.name = h->name;
	p.addr = &h->addr;
	if (p.tls_name == NULL)
		p.tls_name = h->host != NULL ? h->host : h->name; /* an address: not verified */
	p.plaintext_ok = addr_is_loopback(&h->addr);
	return p;
}

/* Is this what it says of a recipient, or that it does not want to talk now? */
static bool
is_no_answer(const struct attempt_job *job)
{
	return job->end == ATTEMPT_UNREACHED ||
	       (job->end == ATTEMPT_ANSWERED && job->rcpts[0]->from_peer &&
	        job->rcpts[0]->reply.code == 421);
}

static void on_attempt(void *ctx);

/* While others could be asked a hop gets half of the time for its answers, but all of it for a
 * message: once it has that, no other may have it. */
static void
try_next(struct relay_try *t)
{
	struct relay *r = t->relay;
	uint64_t now = clock_mono_ms(), left = t->until_ms > now ? t->until_ms - now : 1;

	t->job->peer = peer_of(r, t->order[t->next++]);
	t->job->deadline_ms = t->job->msg == NULL && t->next < t->count ? left / 2 + 1 : left;
	t->attempt = attempt_new(r->pool, t->job, on_attempt, t);
}

static void
on_attempt(void *ctx)
{
	struct relay_try *t = ctx;
	struct hop *h = t->order[t->next - 1];

	t->attempt = NULL;
	if (is_no_answer(t->job))
		hop_failed(h);
	else if (t->job->end != ATTEMPT_LOST)
		hop_worked(h);
	if (t->job->most_rcpts > 0)
		hop_takes_at_most(h, t->job->most_rcpts);
	if ((is_no_answer(t->job) || t->job->end == ATTEMPT_UNABLE) && t->next < t->count &&
	    clock_mono_ms() < t->until_ms) {
		log_info(t->job->log, "smtp.relay_next from=%s reason=%s", h->name,
		         log_esc(t->job->rcpts[0]->reply.text));
		try_next(t);
	} else {
		finish(t);
	}
}

/* No name could be looked up. */
static void
fail(struct relay_try *t)
{
	t->job->end = ATTEMPT_UNREACHED;
	for (size_t i = 0; i < t->job->count; i++) {
		struct attempt_rcpt *r = t->job->rcpts[i];

		smtp_reply_set(&r->reply, 451, "4.4.3",
		               "No next mail server can be found, please come again");
		r->from_peer = false;
		r->settled = true;
	}
	finish(t);
}

static void
begin(void *ctx)
{
	struct relay_try *t = ctx;

	t->count = hops_list(t->relay->hops, t->order, HOPS_MAX);
	if (t->count > 0)
		try_next(t);
	else
		fail(t);
}

struct relay_try *
relay_try_new(struct relay *r, struct attempt_job *job, attempt_fn *fn, void *ctx)
{
	struct relay_try *t = xcalloc(1, sizeof(*t));

	t->relay = r;
	t->job = job;
	t->fn = fn;
	t->ctx = ctx;
	t->until_ms = clock_mono_ms() + job->deadline_ms;
	list_init(&t->node);
	hops_refresh(r->hops);
	if (hops_are_ready(r->hops))
		loop_defer(pool_loop(r->pool), begin, t);
	else
		list_add_tail(&r->waiting, &t->node);
	return t;
}

void
relay_try_cancel(struct relay_try **tp)
{
	struct relay_try *t = *tp;

	*tp = NULL;
	if (t == NULL)
		return;
	attempt_cancel(&t->attempt);
	try_free(t);
}
