#include "session/txn_impl.h"

#include "base/clock.h"
#include "base/xalloc.h"
#include "session/session.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- answers to RCPT --------------------------------------------------------------------------- */

/* In the order of the enum. */
static const struct {
	int code;
	const char *enhanced, *text;
} route_replies[] = {
	[ROUTE_OK] = { 250, "2.1.5", "OK" },
	[ROUTE_UNKNOWN] = { 550, "5.1.1", "No such user here" },
	[ROUTE_FOREIGN] = { 550, "5.7.1", "We do not relay for that domain" },
	[ROUTE_DENIED] = { 550, "5.2.1", "The mailbox is disabled" },
	[ROUTE_INVALID] = { 553, "5.1.3", "Not an address of ours" },
	[ROUTE_NO_HOME] = { 450, "4.2.1", "The mailbox is not there yet, please come again" },
	[ROUTE_LOOP] = { 550, "5.4.6", "The address is an alias that leads to itself" },
	[ROUTE_LATER] = { 451, "4.3.0",
	                  "The recipient cannot be looked up now, please come again" },
};

static void
rcpt_answer(struct txn_rcpt *r, const struct smtp_reply *reply, const char *why)
{
	struct txn *t = r->txn;
	bool good = smtp_reply_is_good(reply);

	r->reply = *reply;
	r->answered = true;
	r->accepted = good;
	timer_cancel(&r->timer);
	route_cancel(t->shared->route, r->route_id);
	r->route_id = 0;
	metrics_add(&smtp_metrics[good                             ? SMTP_M_RCPT_OK
	                          : smtp_reply_is_temporary(reply) ? SMTP_M_RCPT_TEMP
	                                                           : SMTP_M_RCPT_REFUSED],
	            1);
	if (!good)
		log_info(t->client.log, "smtp.refused from=%s rcpt=%s reply=%d enhanced=%s why=%s",
		         log_esc(t->from), log_esc(r->text), reply->code, log_esc(reply->enhanced),
		         log_esc(why));
	t->ops->rcpt(t->ctx, r->number, &r->reply);
}

static void
rcpt_answer_route(struct txn_rcpt *r, enum route_result result, const char *why)
{
	struct smtp_reply reply;

	smtp_reply_set(&reply, route_replies[result].code, route_replies[result].enhanced,
	               route_replies[result].text);
	rcpt_answer(r, &reply, why);
}

/* The worst of the answers (txn.h, 3). */
static const struct smtp_reply *
worst(struct target *const *targets, size_t count)
{
	const struct smtp_reply *w = &targets[0]->reply;

	for (size_t i = 1; i < count; i++) {
		const struct smtp_reply *r = &targets[i]->reply;

		if (smtp_reply_is_temporary(r) ? !smtp_reply_is_temporary(w)
		                               : smtp_reply_is_good(w))
			w = r;
	}
	return w;
}

static void
rcpt_check(struct txn_rcpt *r)
{
	const struct smtp_reply *w;

	if (r->answered || r->count == 0 || r->txn->ended)
		return;
	for (size_t i = 0; i < r->count; i++)
		if (r->targets[i]->state == TARGET_ASKING)
			return;
	w = worst(r->targets, r->count);
	if (smtp_reply_is_good(w))
		rcpt_answer_route(r, ROUTE_OK, "");
	else
		rcpt_answer(r, w, w->text);
}

/* ---- recipients ----------------------------------------------------------------------------------- */

/* A user who cannot be found: temporary trouble first. NULL: all are found. */
static const struct route_final *
find_bad(const struct route_answer *a)
{
	const struct route_final *bad = NULL;

	for (size_t i = 0; i < a->count; i++) {
		const struct route_final *f = &a->finals[i];

		if (f->result == ROUTE_OK)
			continue;
		if (bad == NULL || route_replies[f->result].code / 100 == 4)
			bad = f;
	}
	return bad;
}

static void
on_routed(void *ctx, uint64_t id, const struct route_answer *a)
{
	struct txn_rcpt *r = ctx;
	const struct route_final *bad = find_bad(a);
	struct target **targets;

	r->route_id = 0;
	if (a->result != ROUTE_OK || bad != NULL) {
		rcpt_answer_route(r, bad != NULL ? bad->result : a->result,
		                  bad != NULL ? bad->why : a->why);
		return;
	}
	targets = arena_array(r->txn->arena, a->count, sizeof(*targets));
	for (size_t i = 0; i < a->count; i++) {
		targets[i] = target_get(r->txn, &a->finals[i]);
		if (targets[i] == NULL) {
			struct smtp_reply reply;

			smtp_reply_set(&reply, 452, "4.5.3", "Too many recipients");
			rcpt_answer(r, &reply, "too many users in one transaction");
			return;
		}
	}
	r->targets = targets;
	r->count = a->count;
	rcpt_check(r);
}

/* Its users go on being asked: other recipients may stand for them, too. */
static void
on_rcpt_deadline(void *ctx)
{
	rcpt_answer_route(ctx, ROUTE_LATER, "no answer in time");
}

void
txn_rcpt(struct txn *t, size_t number, const struct smtp_rcpt *rcpt)
{
	struct txn_rcpt *r = arena_alloc(t->arena, sizeof(*r));
	char text[ADDRESS_TEXT_SIZE];

	must(number == t->rcpt_count);
	t->rcpts = xreallocarray(t->rcpts, number + 1, sizeof(struct txn_rcpt *));
	t->rcpts[t->rcpt_count++] = r;
	r->txn = t;
	r->number = number;
	r->text = arena_strdup(t->arena, address_text(&rcpt->to, text));
	timer_init(&r->timer, t->shared->loop, on_rcpt_deadline, r);
	timer_set(&r->timer, t->shared->rcpt_ms);
	if (rcpt->user.n > 0) /* a front end before us has resolved it */
		r->route_id = route_find_user(t->shared->route, rcpt->user,
		                              rcpt->detail.p != NULL ? rcpt->detail : SLICE(""), "",
		                              false, on_routed, r);
	else
		r->route_id = route_find(t->shared->route, slice_of(r->text), t->client.session,
		                         on_routed, r);
}

/* ---- the end ---------------------------------------------------------------------------------------- */

void
txn_target_settled(struct txn *t)
{
	if (!t->delivering)
		for (size_t i = 0; i < t->rcpt_count; i++)
			rcpt_check(t->rcpts[i]);
	else if (t->open == 0)
		txn_finish(t);
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
		r->reply = *worst(r->targets, r->count);
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
		else if (temp == NULL)
			temp = r;
	}
	if (temp != NULL)
		*reply_r = *temp;
	else if (bad != NULL && good != NULL)
		smtp_reply_set(reply_r, 451, "4.3.0",
		               "Not every recipient could be served, please come again");
	else if (bad != NULL)
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

	t->shared = shared;
	t->client = *client;
	t->ops = ops;
	t->ctx = ctx;
	t->arena = arena_new("txn");
	t->by_user = map_new();
	list_init(&t->targets);
	list_init(&t->askings);
	list_init(&t->deliveries);
	buf_init(&t->head, SIZE_MAX);
	t->mail = *mail;
	/* DSN is not ours to promise; the session and client of the first hop stay */
	t->mail.ret = SMTP_RET_NONE;
	t->mail.envid = slice_make(NULL, 0);
	t->mail.session = mail->session.p != NULL ? arena_slice_dup(t->arena, mail->session)
	                                          : slice_of(client->session);
	t->mail.addr = mail->addr.p != NULL ? arena_slice_dup(t->arena, mail->addr)
	                                    : slice_of(client->peer);
	address_text(&mail->from, t->from);
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
	buf_fini(&t->head);
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
	LIST_EACH (b, &t->askings, struct batch, node)
		batch_cancel(b);
	LIST_EACH (b, &t->deliveries, struct batch, node)
		batch_cancel(b);
	LIST_EACH (g, &t->targets, struct target, node)
		route_cancel(t->shared->route, g->route_id);
	for (size_t i = 0; i < t->rcpt_count; i++) {
		route_cancel(t->shared->route, t->rcpts[i]->route_id);
		timer_cancel(&t->rcpts[i]->timer);
	}
	loop_defer(t->shared->loop, free_later, t);
}
