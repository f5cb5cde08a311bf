/* A recipient of a transaction: where he leads, and the answer to RCPT (txn.h, 1 to 4). */
#include "session/txn_impl.h"

#include "base/clock.h"
#include "base/xalloc.h"
#include "session/session.h"

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
	[ROUTE_NO_HOME] = { 450, "4.2.1", REPLY_NOT_THERE },
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

const struct smtp_reply *
rcpt_worst(const struct txn_rcpt *r)
{
	const struct smtp_reply *w = &r->targets[0]->reply;

	for (size_t i = 1; i < r->count; i++) {
		const struct smtp_reply *reply = &r->targets[i]->reply;

		if (smtp_reply_is_temporary(reply) ? !smtp_reply_is_temporary(w)
		                                   : smtp_reply_is_good(w))
			w = reply;
	}
	return w;
}

void
rcpt_check(struct txn_rcpt *r)
{
	const struct smtp_reply *w;

	if (r->answered || r->count == 0 || r->txn->ended)
		return;
	for (size_t i = 0; i < r->count; i++)
		if (r->targets[i]->state == TARGET_ASKING)
			return;
	w = rcpt_worst(r);
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

/* The stores and next hops it leads to, of which one does not know a message it has already. */
struct mix {
	size_t relays; /* addresses for the next hops */
	bool foreign;
};

static struct mix
mix_of_answer(const struct route_answer *a)
{
	struct mix m = { .relays = a->relay_count };

	for (size_t i = 0; i < a->count; i++)
		m.foreign |= a->finals[i].server->kind == SERVER_FOREIGN;
	return m;
}

/* Of all other recipients that have not been refused. */
static struct mix
mix_of_others(const struct txn_rcpt *r)
{
	const struct txn *t = r->txn;
	struct mix m = { .relays = 0 };

	for (size_t i = 0; i < t->rcpt_count; i++) {
		const struct txn_rcpt *other = t->rcpts[i];

		if (other == r || (other->answered && !other->accepted))
			continue;
		for (size_t k = 0; k < other->count; k++) {
			const struct target *g = other->targets[k];

			m.relays += target_is_relay(g);
			m.foreign |= !target_is_relay(g) && g->server->kind == SERVER_FOREIGN;
		}
	}
	return m;
}

/* txn.h, 4. What one recipient alone stands for cannot be divided. */
static bool
may_combine(const struct txn_rcpt *r, const struct route_answer *a)
{
	struct mix mine = mix_of_answer(a), theirs = mix_of_others(r);

	return !r->txn->client.one_reply ||
	       !((mine.relays > 0 && theirs.foreign) || (mine.foreign && theirs.relays > 0));
}

/* What a hop will not take together, and would have all come again for. */
static bool
is_too_many(const struct txn_rcpt *r, const struct route_answer *a)
{
	size_t most = relay_most_rcpts(r->txn->shared->relay);

	return r->txn->client.one_reply && a->relay_count > 0 && most < SIZE_MAX &&
	       a->relay_count + mix_of_others(r).relays > most;
}

static void
refuse_for_now(struct txn_rcpt *r, const char *why)
{
	struct smtp_reply reply;

	smtp_reply_set(&reply, 452, "4.5.3", "Too many recipients");
	rcpt_answer(r, &reply, why);
}

static void
lead_to(struct txn_rcpt *r, const struct route_answer *a)
{
	struct txn *t = r->txn;
	size_t n = a->count + a->relay_count;
	struct target **targets = arena_array(t->arena, n, sizeof(*targets));

	for (size_t i = 0; i < n; i++) {
		targets[i] = i < a->count ? target_get(t, &a->finals[i])
		                          : target_get_relay(t, a->relays[i - a->count]);
		if (targets[i] == NULL) {
			refuse_for_now(r, "too many users in one transaction");
			return;
		}
	}
	r->targets = targets;
	r->count = n;
	rcpt_check(r);
}

/* Another domain's: it is carried there, where it may be. */
static void
lead_elsewhere(struct txn_rcpt *r)
{
	struct txn *t = r->txn;
	struct route_answer a = { .relays = &r->leads_to, .relay_count = 1 };

	if (!t->client.may_relay && !r->may_relay)
		rcpt_answer_route(r, ROUTE_FOREIGN, "not a domain of ours");
	else if (!relay_is_set(t->shared->relay))
		rcpt_answer_route(r, ROUTE_FOREIGN, "not a domain of ours, and there is no relay");
	else if (!may_combine(r, &a))
		refuse_for_now(r, "not beside a store that is not ours");
	else if (is_too_many(r, &a))
		refuse_for_now(r, "a next hop takes no more at once");
	else
		lead_to(r, &a);
}

static void
on_routed(void *ctx, uint64_t id, const struct route_answer *a)
{
	struct txn_rcpt *r = ctx;
	const struct route_final *bad = find_bad(a);

	r->route_id = 0;
	if (a->result == ROUTE_FOREIGN) {
		lead_elsewhere(r);
	} else if (a->result != ROUTE_OK || bad != NULL) {
		rcpt_answer_route(r, bad != NULL ? bad->result : a->result,
		                  bad != NULL ? bad->why : a->why);
	} else if (a->relay_count > 0 && !relay_is_set(r->txn->shared->relay)) {
		rcpt_answer_route(r, ROUTE_LATER, "forwarded elsewhere, and there is no relay");
	} else if (!may_combine(r, a)) {
		refuse_for_now(r, "a next hop and a store that is not ours");
	} else if (is_too_many(r, a)) {
		refuse_for_now(r, "a next hop takes no more at once");
	} else {
		r->forwarded = a->relay_count > 0;
		lead_to(r, a);
	}
}

/* Its users go on being asked: other recipients may stand for them, too. */
static void
on_rcpt_deadline(void *ctx)
{
	rcpt_answer_route(ctx, ROUTE_LATER, "no answer in time");
}

/* A bounce of mail that we have forwarded goes back to its sender, wherever he is: only we
 * could make that address. Only a bounce: who has one of these addresses could else use it as
 * a relay. False: nobody we know has made it, or too long ago, or it is no bounce. */
static bool
lead_back(struct txn_rcpt *r, const struct address *to)
{
	struct address sender;
	char text[ADDRESS_TEXT_SIZE];

	switch (srs_reverse(&r->txn->shared->srs, to, clock_wall_s(), &sender)) {
	case SRS_NOT:
		return true;
	case SRS_OK:
		if (!address_is_null(&r->txn->mail.from))
			return false;
		r->leads_to = arena_strdup(r->txn->arena, address_text(&sender, text));
		r->may_relay = true;
		return true;
	default:
		return false;
	}
}

static void
on_false_way_back(void *ctx)
{
	rcpt_answer_route(ctx, ROUTE_UNKNOWN, "a false or old SRS address, or no bounce");
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
	r->leads_to = r->text;
	timer_init(&r->timer, t->shared->loop, on_rcpt_deadline, r);
	timer_set(&r->timer, t->shared->rcpt_ms);
	if (rcpt->user.n > 0) /* a front end before us has resolved it */
		r->route_id = route_find_user(t->shared->route, rcpt->user,
		                              rcpt->detail.p != NULL ? rcpt->detail : SLICE(""), "",
		                              false, on_routed, r);
	else if (lead_back(r, &rcpt->to))
		r->route_id = route_find(t->shared->route, slice_of(r->leads_to), t->client.session,
		                         on_routed, r);
	else
		loop_defer(t->shared->loop, on_false_way_back, r);
}
