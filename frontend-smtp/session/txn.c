#include "session/txn_impl.h"

#include "base/clock.h"
#include "base/xalloc.h"
#include "session/session.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- the end ---------------------------------------------------------------------------------------- */

void
txn_target_settled(struct txn *t)
{
	if (!t->delivering)
		for (size_t i = 0; i < t->rcpt_count; i++)
			rcpt_check(t->rcpts[i]);
	else if (t->open == 0)
		delivery_go_on(t);
}

void
txn_finish(struct txn *t)
{
	struct smtp_reply common;
	size_t accepted = 0;

	for (size_t i = 0; i < t->rcpt_count; i++) {
		struct txn_rcpt *r = t->rcpts[i];

		if (!r->accepted)
			continue;
		accepted++;
		r->reply = *rcpt_worst(r);
	}
	txn_get_common_reply(t, &common);
	log_info(t->client.log,
	         "smtp.transaction from=%s bytes=%" PRIu64 " rcpts=%zu users=%zu reply=%d "
	         "ms=%" PRIu64,
	         log_esc(t->from), msg_bytes(t->msg), accepted, map_count(t->by_user), common.code,
	         clock_mono_ms() - t->started_ms);
	metrics_add(&smtp_metrics[smtp_reply_is_good(&common)        ? SMTP_M_MSG_OK
	                          : smtp_reply_is_temporary(&common) ? SMTP_M_MSG_TEMP
	                                                             : SMTP_M_MSG_REFUSED],
	            1);
	metrics_add(&smtp_metrics[SMTP_M_BYTES], msg_bytes(t->msg));
	t->ops->delivered(t->ctx);
}

const struct smtp_reply *
txn_get_reply(const struct txn *t, size_t number)
{
	return &t->rcpts[number]->reply;
}

bool
txn_is_accepted(const struct txn *t, size_t number)
{
	return t->rcpts[number]->accepted;
}

bool
txn_is_whole(const struct txn *t)
{
	return t->has_msg;
}

const char *
txn_get_sender(const struct txn *t)
{
	return t->from;
}

size_t
txn_rcpt_count(const struct txn *t)
{
	return t->rcpt_count;
}

void
txn_get_common_reply(const struct txn *t, struct smtp_reply *reply_r)
{
	const struct smtp_reply *good = NULL, *temp = NULL, *bad = NULL;

	for (size_t i = 0; i < t->rcpt_count; i++) {
		const struct smtp_reply *r = &t->rcpts[i]->reply;

		if (!t->rcpts[i]->accepted)
			continue;
		if (smtp_reply_is_good(r))
			good = r;
		else if (!smtp_reply_is_temporary(r))
			bad = r;
		else if (temp == NULL || strcmp(temp->enhanced, ATTEMPT_WAITS) == 0)
			temp = r; /* rather the reason than what only waits for it */
	}
	if (temp != NULL)
		*reply_r = *temp;
	else if (bad != NULL && good != NULL && !t->told)
		smtp_reply_set(reply_r, 451, "4.3.0",
		               "Not every recipient could be served, please come again");
	else if (bad != NULL && good == NULL)
		*reply_r = *bad;
	else
		smtp_reply_set(reply_r, 250, "2.0.0", "OK");
}

/* ---- making one ----------------------------------------------------------------------------------------- */

struct txn *
txn_new(const struct txn_shared *shared, const struct smtp_mail *mail,
        const struct txn_client *client, const struct txn_ops *ops, void *ctx)
{
	struct txn *t = xcalloc(1, sizeof(*t));
	struct address from;

	t->shared = shared;
	t->client = *client;
	t->ops = ops;
	t->ctx = ctx;
	t->arena = arena_new("txn");
	t->by_user = map_new();
	list_init(&t->targets);
	list_init(&t->askings);
	list_init(&t->deliveries);
	buf_init(&t->header, SIZE_MAX);
	buf_init(&t->head, SIZE_MAX);
	buf_init(&t->relay_head, SIZE_MAX);
	t->mail = *mail;
	/* DSN is not ours to promise; the session and client of the first hop stay */
	t->mail.ret = SMTP_RET_NONE;
	t->mail.envid = slice_make(NULL, 0);
	t->mail.session = mail->session.p != NULL ? arena_slice_dup(t->arena, mail->session)
	                                          : slice_of(client->session);
	t->mail.addr = mail->addr.p != NULL ? arena_slice_dup(t->arena, mail->addr)
	                                    : slice_of(client->peer);
	address_text(&mail->from, t->from);
	t->relay_mail = t->mail;
	if (!client->may_relay && srs_forward(&shared->srs, &mail->from, clock_wall_s(), &from))
		t->relay_mail.from = from;
	return t;
}

static void
free_later(void *ctx)
{
	struct txn *t = ctx;
	struct batch *b;

	LIST_EACH (b, &t->askings, struct batch, node)
		batch_free(b);
	LIST_EACH (b, &t->deliveries, struct batch, node)
		batch_free(b);
	for (size_t i = 0; i < t->rcpt_count; i++)
		timer_fini(&t->rcpts[i]->timer);
	msg_free(&t->msg);
	buf_fini(&t->header);
	buf_fini(&t->head);
	buf_fini(&t->relay_head);
	map_free(&t->by_user);
	free(t->rcpts);
	arena_free(&t->arena);
	free(t);
}

void
txn_end(struct txn **tp)
{
	struct txn *t = *tp;
	struct batch *b;
	struct target *g;

	*tp = NULL;
	if (t == NULL)
		return;
	t->ended = true;
	loop_forget(t->shared->loop, t);
	bounce_end(&t->bounce);
	LIST_EACH (b, &t->askings, struct batch, node)
		batch_cancel(b);
	LIST_EACH (b, &t->deliveries, struct batch, node)
		batch_cancel(b);
	LIST_EACH (g, &t->targets, struct target, node)
		route_cancel(t->shared->route, g->route_id);
	for (size_t i = 0; i < t->rcpt_count; i++) {
		route_cancel(t->shared->route, t->rcpts[i]->route_id);
		timer_cancel(&t->rcpts[i]->timer);
		loop_forget(t->shared->loop, t->rcpts[i]);
	}
	loop_defer(t->shared->loop, free_later, t);
}
