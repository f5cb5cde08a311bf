/* The message: taken in, then given to all its stores at once. */
#include "session/txn_impl.h"

#include "base/clock.h"

#include <string.h>

bool
txn_body(struct txn *t, struct slice piece)
{
	if (t->msg == NULL)
		t->msg = msg_new(&t->shared->msg_limits, slice_of(t->from));
	return msg_add(t->msg, piece) == MSG_OK;
}

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
	struct batch *b;

	LIST_EACH (g, &t->targets, struct target, node) {
		if (!g->wanted)
			continue;
		batch_add(batch_get(t, &t->deliveries, g->server), g);
		g->state = TARGET_SENDING;
		g->started_ms = t->started_ms;
		t->open++;
	}
	LIST_EACH (b, &t->deliveries, struct batch, node)
		batch_send(b);
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
