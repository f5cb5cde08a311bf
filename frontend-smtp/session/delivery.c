/* The message: taken in, then given to all its stores at once. */
#include "session/txn_impl.h"

#include "base/clock.h"
#include "base/xalloc.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

bool
txn_body(struct txn *t, struct slice piece)
{
	if (t->msg == NULL)
		t->msg = msg_new(&t->shared->msg_limits, slice_of(t->from));
	return msg_add(t->msg, piece) == MSG_OK;
}

/* ---- a store ----------------------------------------------------------------------------------- */

void
delivery_free(struct delivery *d)
{
	list_del(&d->node);
	free(d->targets);
	free(d->job.rcpts);
	free(d);
}

static void
on_delivered(void *ctx)
{
	struct delivery *d = ctx;

	d->attempt = NULL;
	/* the last of all ends the transaction */
	for (size_t i = 0; i < d->job.count && !d->txn->ended; i++)
		target_answered(d->targets[i]);
}

static struct delivery *
delivery_to(struct txn *t, struct server *server)
{
	struct delivery *d;

	LIST_EACH (d, &t->deliveries, struct delivery, node)
		if (d->job.server == server)
			return d;
	d = xcalloc(1, sizeof(*d));
	d->txn = t;
	d->job = (struct attempt_job){
		.server = server,
		.mail = t->mail,
		.msg = t->msg,
		.head = buf_slice(&t->head),
		.session = t->session,
		.peer = t->peer,
		.deadline_ms = t->shared->store_ms,
		.log = t->log,
	};
	list_add_tail(&t->deliveries, &d->node);
	return d;
}

static void
delivery_add(struct delivery *d, struct target *g)
{
	size_t n = d->job.count++;

	d->targets = xreallocarray(d->targets, d->job.count, sizeof(*d->targets));
	d->job.rcpts = xreallocarray(d->job.rcpts, d->job.count, sizeof(*d->job.rcpts));
	d->targets[n] = g;
	d->job.rcpts[n] = &g->rcpt;
	g->state = TARGET_SENDING;
	g->started_ms = d->txn->started_ms;
	d->txn->open++;
}

/* ---- all of them --------------------------------------------------------------------------------- */

static void
mark_wanted(struct txn *t)
{
	for (size_t i = 0; i < t->rcpt_count; i++) {
		struct txn_rcpt *r = t->rcpts[i];

		for (size_t k = 0; r->accepted && k < r->count; k++)
			r->targets[k]->wanted = true;
	}
}

/* Not one store is asked. */
static void
refuse(struct txn *t, int code, const char *enhanced, const char *text)
{
	struct target *g;

	LIST_EACH (g, &t->targets, struct target, node)
		if (g->wanted)
			smtp_reply_set(&g->reply, code, enhanced, text);
	txn_finish(t);
}

static void
make_head(struct txn *t, const struct trace *trace)
{
	struct trace full = *trace;
	size_t accepted = 0;

	for (size_t i = 0; i < t->rcpt_count; i++) {
		if (!t->rcpts[i]->accepted)
			continue;
		accepted++;
		full.rcpt = t->rcpts[i]->text;
	}
	if (accepted != 1)
		full.rcpt = NULL;
	trace_add(&t->head, &full, clock_wall_s());
}

/* The key of the first hop that is ours stays (invariant 11 of the design). */
static void
complete_mail(struct txn *t)
{
	t->mail.size = msg_bytes(t->msg) + t->head.len;
	if (!t->mail.has_key)
		memcpy(t->mail.key, msg_key(t->msg), sizeof(t->mail.key));
	t->mail.has_key = true;
}

static void
send_to_stores(struct txn *t)
{
	struct target *g;
	struct delivery *d;

	LIST_EACH (g, &t->targets, struct target, node)
		if (g->wanted)
			delivery_add(delivery_to(t, g->server), g);
	LIST_EACH (d, &t->deliveries, struct delivery, node)
		d->attempt = attempt_new(t->shared->pool, &d->job, on_delivered, d);
}

void
txn_deliver(struct txn *t, const struct trace *trace)
{
	STATIC_ASSERT(SMTP_KEY_LEN == DIGEST_LEN);

	t->delivering = true;
	t->started_ms = clock_mono_ms();
	mark_wanted(t);
	if (!txn_body(t, SLICE("")) || msg_finish(t->msg) != MSG_OK) {
		refuse(t, 452, "4.3.1", "No room for the message, please come again");
	} else if (msg_hops(t->msg) > t->shared->hops_max) {
		refuse(t, 554, "5.4.6", "Too many hops: the mail goes in circles");
	} else {
		make_head(t, trace);
		complete_mail(t);
		send_to_stores(t);
	}
}
