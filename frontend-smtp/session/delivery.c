/*
 * The message: taken in, then given to all its stores at once, then to the next hop (txn.h, 4),
 * then the sender is told of those who refused it.
 */
#include "session/txn_impl.h"

#include "base/clock.h"
#include "mail/header.h"

#include <string.h>

#define RELAY_TIME_MIN_MS 10000 /* with less left no hop is given a message */

bool
txn_body(struct txn *t, struct slice piece)
{
	if (t->msg == NULL)
		t->msg = msg_new(&t->shared->msg_limits, slice_of(t->from));
	return msg_add(t->msg, piece) == MSG_OK;
}

void
txn_body_end(struct txn *t)
{
	bool good = txn_body(t, SLICE(""));

	t->finished = true;
	t->started_ms = clock_mono_ms();
	t->until_ms = t->started_ms + t->shared->answer_ms;
	if (good && msg_finish(t->msg) == MSG_OK)
		t->has_msg = true;
}

int
txn_get_header(struct txn *t, struct slice *header_r)
{
	struct slice start;

	if (t->header.len > 0) {
		*header_r = buf_slice(&t->header);
		return 1;
	}
	if (!t->has_msg || msg_read(t->msg, 0, TXN_HEADER_MAX, &start) == -1)
		return -1;
	*header_r = slice_sub(start, 0, header_length(start));
	return header_r->n < TXN_HEADER_MAX;
}

void
txn_take_header(struct txn *t, struct buf *header, size_t instead_of)
{
	buf_add_slice(&t->header, buf_slice(header));
	buf_fini(header);
	t->skip = instead_of;
}

uint64_t
delivery_time_left(const struct txn *t, uint64_t reserve_ms)
{
	uint64_t now = clock_mono_ms() + reserve_ms;

	return t->until_ms > now ? t->until_ms - now : 1;
}

/* ---- getting ready ------------------------------------------------------------------------------ */

static void
mark_wanted(struct txn *t)
{
	struct target *g;

	LIST_EACH (g, &t->targets, struct target, node)
		g->started_ms = t->started_ms;
	for (size_t i = 0; i < t->rcpt_count; i++) {
		struct txn_rcpt *r = t->rcpts[i];

		for (size_t k = 0; r->accepted && k < r->count; k++)
			r->targets[k]->wanted = true;
	}
}

void
txn_refuse(struct txn *t, int code, const char *enhanced, const char *text)
{
	struct target *g;

	t->delivering = true;
	mark_wanted(t);
	LIST_EACH (g, &t->targets, struct target, node)
		if (g->wanted)
			smtp_reply_set(&g->reply, code, enhanced, text);
	txn_finish(t);
}

static void
make_trace(struct txn *t, const struct trace *trace)
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

/* The only recipient that is forwarded: several must not learn of each other. */
static const struct txn_rcpt *
find_forwarded(const struct txn *t)
{
	const struct txn_rcpt *found = NULL;

	for (size_t i = 0; i < t->rcpt_count; i++) {
		if (!t->rcpts[i]->accepted || !t->rcpts[i]->forwarded)
			continue;
		if (found != NULL)
			return NULL;
		found = t->rcpts[i];
	}
	return found;
}

/* A forward leaves with Delivered-To, by which it is known when it comes back. */
static void
make_heads(struct txn *t, const struct trace *trace)
{
	const struct txn_rcpt *forwarded = find_forwarded(t);

	if (trace != NULL)
		make_trace(t, trace);
	if (forwarded != NULL)
		buf_printf(&t->relay_head, "Delivered-To: %s\r\n", forwarded->text);
	buf_add_slice(&t->head, buf_slice(&t->header));
	buf_add_slice(&t->relay_head, buf_slice(&t->head));
}

/* The key of the first hop that is ours stays (promise 11). */
static void
complete_mail(struct txn *t)
{
	uint64_t rest = msg_bytes(t->msg) - t->skip;

	t->mail.size = rest + t->head.len;
	if (!t->mail.has_key)
		memcpy(t->mail.key, msg_key(t->msg), sizeof(t->mail.key));
	t->mail.has_key = true;
	t->relay_mail.size = rest + t->relay_head.len;
	memcpy(t->relay_mail.key, t->mail.key, sizeof(t->mail.key));
	t->relay_mail.has_key = true;
}

/* ---- loops ---------------------------------------------------------------------------------------- */

static bool
was_delivered_to(struct slice header, const char *address)
{
	struct header_iter it;
	struct header_field f;

	header_iter_init(&it, header);
	while (header_next(&it, &f))
		if (slice_ieq_str(f.name, "Delivered-To") &&
		    slice_ieq_str(slice_trim(f.value), address))
			return true;
	return false;
}

/* What we have forwarded for this address does not go out for it again. A header that is too
 * long to be looked at is left to the count of hops. */
static void
stop_loops(struct txn *t)
{
	struct slice header;

	if (txn_get_header(t, &header) != 1)
		return;
	for (size_t i = 0; i < t->rcpt_count; i++) {
		struct txn_rcpt *r = t->rcpts[i];

		if (!r->accepted || !r->forwarded || !was_delivered_to(header, r->text))
			continue;
		for (size_t k = 0; k < r->count; k++)
			if (target_is_relay(r->targets[k]) && r->targets[k]->state != TARGET_SENT)
				target_set(r->targets[k], 554, "5.4.6", "The mail goes in circles");
	}
}

/* ---- stores --------------------------------------------------------------------------------------- */

static void
give(struct txn *t, struct target *g)
{
	batch_add(batch_get(t, &t->deliveries, g->server), g);
	g->state = TARGET_SENDING;
	t->open++;
}

static void
send_to_stores(struct txn *t)
{
	struct target *g;
	struct batch *b;

	LIST_EACH (g, &t->targets, struct target, node)
		if (g->wanted && !target_is_relay(g))
			give(t, g);
	LIST_EACH (b, &t->deliveries, struct batch, node)
		batch_send(b);
	if (t->open == 0)
		delivery_go_on(t);
}

void
txn_deliver(struct txn *t, const struct trace *trace)
{
	STATIC_ASSERT(SMTP_KEY_LEN == DIGEST_LEN);

	must(t->finished);
	if (!t->has_msg) {
		txn_refuse(t, 452, "4.3.1", "No room for the message, please come again");
	} else if (msg_hops(t->msg) > t->shared->hops_max) {
		txn_refuse(t, 554, "5.4.6", "Too many hops: the mail goes in circles");
	} else {
		t->delivering = true;
		mark_wanted(t);
		stop_loops(t);
		make_heads(t, trace);
		complete_mail(t);
		send_to_stores(t);
	}
}

/* ---- next hops ------------------------------------------------------------------------------------- */

static bool
leads_to(const struct txn_rcpt *r, const struct target *g)
{
	for (size_t k = 0; k < r->count; k++)
		if (r->targets[k] == g)
			return true;
	return false;
}

/* NULL: every store it leads to has its copy. */
static const struct smtp_reply *
worst_of_stores(const struct txn_rcpt *r)
{
	const struct smtp_reply *worst = NULL;

	for (size_t k = 0; k < r->count; k++) {
		const struct smtp_reply *reply = &r->targets[k]->reply;

		if (target_is_relay(r->targets[k]) || smtp_reply_is_good(reply))
			continue;
		if (worst == NULL || smtp_reply_is_temporary(reply))
			worst = reply;
	}
	return worst;
}

static bool
stores_are_good(const struct txn_rcpt *r)
{
	return worst_of_stores(r) == NULL;
}

/* What the stores said, all of them together. */
struct sum {
	bool good, temporary, refused;
};

static struct sum
sum_of_stores(const struct txn *t)
{
	struct sum sum = { .good = false };
	struct target *g;

	LIST_EACH (g, &t->targets, struct target, node) {
		if (!g->wanted || target_is_relay(g))
			continue;
		sum.good |= smtp_reply_is_good(&g->reply);
		sum.temporary |= smtp_reply_is_temporary(&g->reply);
		sum.refused |= g->reply.code / 100 == 5;
	}
	return sum;
}

/* Why no recipient that stands for it is to have it: the stores' refusal, of several one that
 * time may heal. NULL: one is. */
static const struct smtp_reply *
why_not(const struct txn *t, const struct target *g)
{
	const struct smtp_reply *why = NULL;

	for (size_t i = 0; i < t->rcpt_count; i++) {
		const struct txn_rcpt *r = t->rcpts[i];

		if (!r->accepted || !leads_to(r, g))
			continue;
		if (stores_are_good(r))
			return NULL;
		if (why == NULL || !smtp_reply_is_temporary(why))
			why = worst_of_stores(r);
	}
	return why;
}

static struct slice
key_of(const struct txn *t)
{
	return slice_make(t->mail.key, sizeof(t->mail.key));
}

/* True: it is for the next hop. */
static bool
is_to_be_relayed(struct txn *t, struct target *g, bool others_wait)
{
	const struct smtp_reply *why;

	if (!g->wanted || !target_is_relay(g) || g->state == TARGET_SENT)
		return false;
	why = why_not(t, g);
	if (others_wait)
		target_set(g, 451, ATTEMPT_WAITS,
		           "Another recipient has to wait, please come again");
	else if (why != NULL)
		target_set(g, why->code, why->enhanced, why->text);
	else if (seen_has(t->shared->seen, key_of(t), slice_of(g->address)))
		target_set(g, 250, "2.0.0", "The next mail server has it already");
	else
		return true;
	return false;
}

static void
send_to_relay(struct txn *t)
{
	/* what a hop would have to hurry with may be lost behind the final dot */
	bool others_wait = (t->client.one_reply && sum_of_stores(t).temporary) ||
	                   delivery_time_left(t, BOUNCE_MS) < RELAY_TIME_MIN_MS;
	struct target *g;
	size_t before = t->open;

	LIST_EACH (g, &t->targets, struct target, node)
		if (is_to_be_relayed(t, g, others_wait))
			give(t, g);
	if (t->open > before)
		batch_send(batch_get(t, &t->deliveries, NULL));
	else
		delivery_go_on(t);
}

static void
remember_relayed(const struct txn *t)
{
	struct target *g;

	LIST_EACH (g, &t->targets, struct target, node)
		if (g->wanted && target_is_relay(g) && smtp_reply_is_good(&g->reply))
			seen_add(t->shared->seen, key_of(t), slice_of(g->address));
}

/* ---- one after the other ----------------------------------------------------------------------------- */

static bool
has_relay_targets(const struct txn *t, bool good_ones)
{
	struct target *g;

	LIST_EACH (g, &t->targets, struct target, node)
		if (g->wanted && target_is_relay(g) &&
		    (!good_ones || (g->state != TARGET_SENT && why_not(t, g) == NULL)))
			return true;
	return false;
}

/* The sender cannot be told that others have refused: so nobody elsewhere gets it, and the client
 * comes again. */
static void
on_asked_before_relay(struct txn *t, bool good)
{
	struct target *g;

	LIST_EACH (g, &t->targets, struct target, node)
		if (!good && g->wanted && target_is_relay(g) && g->state != TARGET_SENT)
			target_set(g, 451, "4.3.0",
			           "The sender cannot be told of others, please come again");
	send_to_relay(t);
}

static void
on_told(struct txn *t, bool good)
{
	t->told = good;
	txn_finish(t);
}

static void
on_asked(struct txn *t, bool good)
{
	if (good)
		bounce_send(t, on_told);
	else
		txn_finish(t);
}

/* Some have it and others have refused it for good. */
static bool
is_to_be_told(const struct txn *t)
{
	struct sum sum = { .good = false };

	for (size_t i = 0; i < t->rcpt_count; i++) {
		const struct smtp_reply *r;

		if (!t->rcpts[i]->accepted)
			continue;
		r = rcpt_worst(t->rcpts[i]);
		sum.good |= smtp_reply_is_good(r);
		sum.temporary |= smtp_reply_is_temporary(r);
		sum.refused |= r->code / 100 == 5;
	}
	return t->client.one_reply && sum.good && sum.refused && !sum.temporary;
}

static void
go_on_behind_stores(struct txn *t)
{
	struct sum sum = sum_of_stores(t);

	t->relaying = true;
	if (!has_relay_targets(t, false))
		delivery_go_on(t);
	else if (t->client.one_reply && sum.refused && !sum.temporary && has_relay_targets(t, true))
		bounce_ask(t, on_asked_before_relay);
	else
		send_to_relay(t);
}

void
delivery_go_on(struct txn *t)
{
	if (!t->relaying) {
		go_on_behind_stores(t);
		return;
	}
	remember_relayed(t);
	if (is_to_be_told(t))
		bounce_ask(t, on_asked);
	else
		txn_finish(t);
}
