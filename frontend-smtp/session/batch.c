/*
 * Targets of one store, or of the next hops, in one transaction after the other. Recipients that come while
 * their store is being asked go together in the next round: one connection a store, whatever
 * a client pipelines.
 */
#include "session/txn_impl.h"

#include "base/xalloc.h"

#include <stdlib.h>

#define ROUND_MAX 100 /* what every server takes: RFC 5321 section 4.5.3.1.8 */

struct batch *
batch_get(struct txn *t, struct list *batches, struct server *server)
{
	struct batch *b;

	LIST_EACH (b, batches, struct batch, node)
		if (b->server == server)
			return b;
	b = xcalloc(1, sizeof(*b));
	b->txn = t;
	b->server = server;
	b->job = (struct attempt_job){
		.session = t->client.session,
		.client = t->client.peer,
		.log = t->client.log,
	};
	if (server != NULL)
		b->job.peer = peer_of_server(server);
	list_init(&b->waiting);
	list_add_tail(batches, &b->node);
	return b;
}

void
batch_add(struct batch *b, struct target *g)
{
	size_t n = b->job.count++;

	if (n == b->cap) {
		b->cap = MAX(8, 2 * b->cap);
		b->targets = xreallocarray(b->targets, b->cap, sizeof(*b->targets));
		b->job.rcpts = xreallocarray(b->job.rcpts, b->cap, sizeof(*b->job.rcpts));
	}
	b->targets[n] = g;
	b->job.rcpts[n] = &g->rcpt;
}

void
batch_cancel(struct batch *b)
{
	attempt_cancel(&b->attempt);
	relay_try_cancel(&b->relay_try);
	loop_forget(b->txn->shared->loop, b);
}

void
batch_free(struct batch *b)
{
	list_del(&b->node);
	free(b->targets);
	free(b->job.rcpts);
	free(b);
}

static void
start(struct batch *b, attempt_fn *fn)
{
	struct txn *t = b->txn;

	if (b->server != NULL)
		b->attempt = attempt_new(t->shared->pool, &b->job, fn, b);
	else
		b->relay_try = relay_try_new(t->shared->relay, &b->job, fn, b);
}

/* ---- sending -------------------------------------------------------------------------------------- */

static void
on_sent(void *ctx)
{
	struct batch *b = ctx;

	b->attempt = NULL;
	b->relay_try = NULL;
	/* the last of all ends the transaction */
	for (size_t i = 0; i < b->job.count && !b->txn->ended; i++) {
		b->targets[i]->relay = b->server == NULL ? b->job.peer.name : NULL;
		target_sent(b->targets[i]);
	}
}

void
batch_send(struct batch *b)
{
	struct txn *t = b->txn;

	b->job.mail = b->server != NULL ? t->mail : t->relay_mail;
	b->job.msg = t->msg;
	b->job.head = buf_slice(b->server != NULL ? &t->head : &t->relay_head);
	b->job.skip = t->skip;
	if (b->server != NULL) {
		b->job.deadline_ms = MIN(t->shared->store_ms, delivery_time_left(t, 0));
	} else {
		b->job.deadline_ms = MIN(t->shared->relay_ms, delivery_time_left(t, BOUNCE_MS));
		b->job.together = t->client.one_reply;
	}
	start(b, on_sent);
}

/* ---- asking --------------------------------------------------------------------------------------- */

static void on_asked(void *ctx);

static void
next_round(void *ctx)
{
	struct batch *b = ctx;
	struct txn *t = b->txn;
	struct target *g;

	b->job.count = 0;
	while (b->job.count < ROUND_MAX &&
	       (g = LIST_FIRST(&b->waiting, struct target, waiting)) != NULL) {
		list_del(&g->waiting);
		batch_add(b, g);
	}
	b->under_way = b->job.count > 0;
	if (!b->under_way)
		return;
	b->job.mail = b->server != NULL ? t->mail : t->relay_mail;
	b->job.mail.has_key = false;
	b->job.deadline_ms = t->shared->rcpt_ms;
	start(b, on_asked);
}

static void
on_asked(void *ctx)
{
	struct batch *b = ctx;

	b->attempt = NULL;
	b->relay_try = NULL;
	for (size_t i = 0; i < b->job.count && !b->txn->ended; i++)
		target_asked(b->targets[i]);
	if (!b->txn->ended)
		next_round(b);
}

/* From the end of the loop's turn: others may come in this one. */
void
batch_ask(struct batch *b, struct target *g)
{
	list_add_tail(&b->waiting, &g->waiting);
	if (b->under_way)
		return;
	b->under_way = true;
	loop_defer(b->txn->shared->loop, next_round, b);
}
