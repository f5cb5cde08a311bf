#include "deliver/relay.h"

#include "base/clock.h"
#include "base/xalloc.h"
#include "log/log.h"
#include "mail/address.h"
#include "tls/tls.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_PORT 25

/* In the order of the setting's words. */
static const enum peer_tls tls_modes[] = { PEER_TLS_NO, PEER_TLS_STARTTLS, PEER_TLS_IMPLICIT };

struct hop {
	char name[ADDR_TEXT_LEN];
	struct addr addr;
	uint64_t pause_ms, until_ms; /* it comes last: how long the last time; until when */
};

struct relay {
	struct pool *pool;
	struct peer like; /* what all hops have in common */
	struct hop *hops;
	size_t count;
};

struct relay_try {
	struct relay *relay;
	struct attempt_job *job;
	struct attempt *attempt;
	size_t *order; /* numbers of hops */
	size_t next;   /* in order */
	uint64_t until_ms;
	attempt_fn *fn;
	void *ctx;
};

/* ---- settings -------------------------------------------------------------------------------- */

static bool
hop_parse(const char *text, struct hop *hop_r, struct err *err)
{
	memset(hop_r, 0, sizeof(*hop_r));
	if (!addr_parse(slice_of(text), DEFAULT_PORT, &hop_r->addr, err))
		return false;
	addr_text(&hop_r->addr, hop_r->name);
	return true;
}

static int
check_hop(const struct conf *c, const char *text, struct err *err)
{
	bool tls = tls_modes[conf_enum(c, "relay_tls")] != PEER_TLS_NO;
	struct err why;
	struct hop hop;

	if (!hop_parse(text, &hop, &why))
		err_set(err, "relay: %s: %s", text, why.text);
	else if (conf_is_set(c, "relay_user") && !tls && !addr_is_loopback(&hop.addr))
		err_set(err, "relay: %s: relay_user is not said there without relay_tls", text);
	else
		return 0;
	return -1;
}

static int
check_hops(const struct conf *c, struct err *err)
{
	size_t n;
	const char *const *words = conf_list(c, "relay", &n);

	for (size_t i = 0; i < n; i++)
		if (check_hop(c, words[i], err) == -1)
			return -1;
	return 0;
}

int
relay_check(const struct conf *c, struct err *err)
{
	bool tls = tls_modes[conf_enum(c, "relay_tls")] != PEER_TLS_NO;

	if (conf_is_set(c, "relay_user") != conf_is_set(c, "relay_password"))
		err_set(err, "relay_user and relay_password belong together, and only one is set");
	else if (tls && conf_bool(c, "relay_tls_verify") && !conf_is_set(c, "relay_tls_name"))
		err_set(err, "relay_tls needs relay_tls_name, the name in the certificate of the "
		             "next hops (or relay_tls_verify = no)");
	else
		return check_hops(c, err);
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

struct relay *
relay_new(const struct conf *c, struct pool *p, struct tls_ctx *tls)
{
	struct relay *r = xcalloc(1, sizeof(*r));
	const char *const *words = conf_list(c, "relay", &r->count);
	struct err err;

	r->pool = p;
	r->like = (struct peer){
		.smtp = true,
		.tls_mode = tls_modes[conf_enum(c, "relay_tls")],
		.tls = tls,
		.tls_name = conf_str(c, "relay_tls_name"),
		.user = conf_str(c, "relay_user"),
		.password = conf_str(c, "relay_password"),
	};
	r->hops = xcalloc(r->count + 1, sizeof(*r->hops));
	for (size_t i = 0; i < r->count; i++) {
		bool good = hop_parse(words[i], &r->hops[i], &err);

		must(good); /* relay_check() */
	}
	return r;
}

void
relay_free(struct relay **rp)
{
	struct relay *r = *rp;

	*rp = NULL;
	if (r == NULL)
		return;
	free(r->hops);
	free(r);
}

bool
relay_is_set(const struct relay *r)
{
	return r->count > 0;
}

/* ---- which hop --------------------------------------------------------------------------------- */

static struct peer
peer_of(const struct relay *r, const struct hop *h)
{
	struct peer p = r->like;

	p.name = h->name;
	p.addr = &h->addr;
	if (p.tls_name == NULL)
		p.tls_name = h->name; /* not verified */
	p.plaintext_ok = addr_is_loopback(&h->addr);
	return p;
}

static bool
is_paused(const struct hop *h)
{
	return clock_mono_ms() < h->until_ms;
}

static void
hop_failed(struct hop *h)
{
	h->pause_ms = MIN(MAX(2 * h->pause_ms, RELAY_PAUSE_MIN_MS), RELAY_PAUSE_MAX_MS);
	h->until_ms = clock_mono_ms() + h->pause_ms;
}

bool
relay_at(const struct relay *r, size_t i, struct relay_info *info_r)
{
	if (i >= r->count)
		return false;
	info_r->name = r->hops[i].name;
	info_r->down = is_paused(&r->hops[i]);
	return true;
}

/* As in the settings, those that failed lately behind the others. */
static void
set_order(struct relay_try *t)
{
	const struct relay *r = t->relay;
	size_t n = 0;

	for (int paused = 0; paused < 2; paused++)
		for (size_t i = 0; i < r->count; i++)
			if (is_paused(&r->hops[i]) == paused)
				t->order[n++] = i;
}

/* ---- one after the other ------------------------------------------------------------------------- */

static void
try_free(struct relay_try *t)
{
	free(t->order);
	free(t);
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

	t->job->peer = peer_of(r, &r->hops[t->order[t->next]]);
	t->next++;
	t->job->deadline_ms = t->job->msg == NULL && t->next < r->count ? left / 2 + 1 : left;
	t->attempt = attempt_new(r->pool, t->job, on_attempt, t);
}

static void
on_attempt(void *ctx)
{
	struct relay_try *t = ctx;
	struct relay *r = t->relay;
	struct hop *h = &r->hops[t->order[t->next - 1]];
	attempt_fn *fn = t->fn;

	t->attempt = NULL;
	if (is_no_answer(t->job)) {
		hop_failed(h);
		if (t->next < r->count && clock_mono_ms() < t->until_ms) {
			log_info(t->job->log, "smtp.relay_next from=%s reason=%s", h->name,
			         log_esc(t->job->rcpts[0]->reply.text));
			try_next(t);
			return;
		}
	} else if (t->job->end == ATTEMPT_ANSWERED) {
		h->pause_ms = 0;
		h->until_ms = 0;
	}
	ctx = t->ctx;
	try_free(t);
	fn(ctx);
}

struct relay_try *
relay_try_new(struct relay *r, struct attempt_job *job, attempt_fn *fn, void *ctx)
{
	struct relay_try *t = xcalloc(1, sizeof(*t));

	must(r->count > 0);
	t->relay = r;
	t->job = job;
	t->fn = fn;
	t->ctx = ctx;
	t->order = xcalloc(r->count, sizeof(*t->order));
	t->until_ms = clock_mono_ms() + job->deadline_ms;
	set_order(t);
	try_next(t);
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
