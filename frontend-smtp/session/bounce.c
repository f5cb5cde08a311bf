/*
 * The sender is told to whom his message could not be delivered, when others have it: by a
 * transaction of our own, from the empty sender to him, which goes the way of all mail (to his
 * mailbox here, or to the next hop). He is asked for before the next hop has the message, so
 * that there is a way; RFC 5321 section 6.1.
 */
#include "session/txn_impl.h"

#include "base/clock.h"
#include "base/ids.h"
#include "base/xalloc.h"
#include "rewrite/report.h"
#include "session/session.h"

#include <inttypes.h>
#include <stdlib.h>

struct bounce {
	struct txn *outer, *inner;
	bool asked, may_go; /* the answer to RCPT; it was good */
	bounce_fn *fn;
};

static void
tell(struct bounce *b, bool good)
{
	b->fn(b->outer, good);
}

static void
on_rcpt(void *ctx, size_t number, const struct smtp_reply *reply)
{
	struct bounce *b = ctx;

	b->asked = true;
	b->may_go = smtp_reply_is_good(reply);
	if (!b->may_go)
		log_warning(b->outer->client.log, "smtp.no_way_back to=%s reply=%d text=%s",
		            log_esc(b->outer->from), reply->code, log_esc(reply->text));
	tell(b, b->may_go);
}

static void
on_delivered(void *ctx)
{
	struct bounce *b = ctx;
	struct smtp_reply reply;

	txn_get_common_reply(b->inner, &reply);
	if (smtp_reply_is_good(&reply))
		metrics_add(&smtp_metrics[SMTP_M_BOUNCED], 1);
	tell(b, smtp_reply_is_good(&reply));
}

static const struct txn_ops inner_ops = { .rcpt = on_rcpt, .delivered = on_delivered };

static struct bounce *
bounce_new(struct txn *t)
{
	struct bounce *b = xcalloc(1, sizeof(*b));
	struct smtp_mail mail = { .body = SMTP_BODY_7BIT, .smtputf8 = t->mail.from.utf8 };
	struct txn_client client = t->client;

	client.one_reply = true;
	client.may_relay = true;
	b->outer = t;
	b->inner = txn_new(t->shared, &mail, &client, &inner_ops, b);
	return b;
}

static void
ask_later(void *ctx)
{
	struct txn *t = ctx;

	tell(t->bounce, t->bounce->may_go);
}

/* To the empty sender nothing is said, which always works. */
void
bounce_ask(struct txn *t, bounce_fn *fn)
{
	struct smtp_rcpt rcpt = { .to = t->mail.from };

	if (t->bounce == NULL)
		t->bounce = bounce_new(t);
	t->bounce->fn = fn;
	if (address_is_null(&t->mail.from)) {
		t->bounce->asked = true;
		t->bounce->may_go = true;
	}
	if (t->bounce->asked)
		loop_defer(t->shared->loop, ask_later, t);
	else
		txn_rcpt(t->bounce->inner, 0, &rcpt);
}

static void
write_report(struct txn *t, struct buf *out)
{
	struct report_rcpt *rcpts = arena_array(t->arena, t->rcpt_count, sizeof(*rcpts));
	char id[IDS_SESSION_LEN];
	struct report report = {
		.hostname = t->shared->hostname,
		.id = id,
		.to = t->from,
		.arrived_s = clock_wall_s() - (clock_mono_ms() - t->started_ms) / 1000,
		.now_s = clock_wall_s(),
		.rcpts = rcpts,
	};

	ids_session(id);
	for (size_t i = 0; i < t->rcpt_count; i++) {
		const struct txn_rcpt *r = t->rcpts[i];

		if (!r->accepted || rcpt_worst(r)->code / 100 != 5)
			continue;
		rcpts[report.count].address = r->text;
		rcpts[report.count++].reply = rcpt_worst(r);
	}
	if (txn_get_header(t, &report.header) != 1)
		report.header = SLICE("");
	report_add(out, &report);
}

void
bounce_send(struct txn *t, bounce_fn *fn)
{
	struct txn *inner = t->bounce->inner;
	struct buf text = BUF_INIT(SIZE_MAX);
	bool kept;

	t->bounce->fn = fn;
	if (address_is_null(&t->mail.from)) {
		fn(t, true);
		return;
	}
	write_report(t, &text);
	kept = txn_body(inner, buf_slice(&text));
	buf_fini(&text);
	txn_body_end(inner);
	inner->until_ms = t->until_ms;
	if (kept)
		txn_deliver(inner, NULL);
	else
		fn(t, false);
}

void
bounce_end(struct bounce **bp)
{
	struct bounce *b = *bp;

	*bp = NULL;
	if (b == NULL)
		return;
	txn_end(&b->inner);
	free(b);
}
