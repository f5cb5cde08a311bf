/*
 * One message on its way in: spooled, trace fields in front, to the store, and the answers.
 *
 * From lmtp_delivery_submit() on it belongs to the store's callback, since its bytes must live
 * until they are written; the session may end before.
 */
#include "lmtp/session_impl.h"

#include "base/clock.h"
#include "base/xalloc.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Most bytes of messages that wait for the store; what comes then is put off. */
#define IN_STORE_MAX ((uint64_t)256 << 20)

#define PIECES_MAX 8

struct final_rcpt {
	char *address, *user;
	size_t number; /* of the RCPT */
};

struct lmtp_delivery {
	struct lmtp_service *service;
	struct lmtp_session *session; /* NULL: it has ended */
	bool submitted;
	struct spool spool;
	struct buf trace;
	struct slice pieces[PIECES_MAX]; /* trace fields, then the body */
	bool key_given;                  /* else it is summed up here */
	struct digest *digest;
	uint8_t key[DELIVER_KEY_LEN];

	/* for the log, which may come after the session's end */
	char id[ORIGIN_SESSION_MAX + 1];
	char peer[ADDR_TEXT_LEN];
	char from[ADDRESS_TEXT_SIZE];
	uint64_t submitted_ms;
	struct final_rcpt *finals; /* as the store has them, in this order */
	size_t final_count;
};

/* What RCPT and the body are told; ABSENT only at RCPT, after the directory was asked. */
const struct lmtp_answer *
lmtp_answer_for(const struct lmtp_service *p, enum mbox_result result)
{
	static const struct lmtp_answer never = { 552, "5.2.2", "The mailbox is full." };
	static const struct lmtp_answer answers[] = {
		[MBOX_OK] = { 250, "2.0.0", "Kept." },
		[MBOX_ABSENT] = { 451, "4.2.1", "The mailbox is not here any more." },
		[MBOX_EXISTS] = { 451, "4.3.0", "Please try again later." },
		[MBOX_INVALID] = { 550, "5.1.1", "There is no such user." },
		[MBOX_CANNOT] = { 452, "4.2.2", "The mailbox takes no more messages." },
		[MBOX_TOOBIG] = { 552, "5.3.4", "The message is too big." },
		[MBOX_FULL] = { 452, "4.3.1", "The disk is full." },
		[MBOX_OVERQUOTA] = { 452, "4.2.2", "The mailbox is full." },
		[MBOX_BUSY] = { 451, "4.3.2", "Too much is going on." },
		[MBOX_UNAVAILABLE] = { 451, "4.3.0", "Please try again later." },
		[MBOX_CORRUPT] = { 451, "4.2.1", "The mailbox is damaged." },
	};

	must(result < ARRAY_LEN(answers));
	if (result == MBOX_OVERQUOTA && p->limits.refuse_over_quota)
		return &never;
	return &answers[result];
}

struct lmtp_delivery *
lmtp_delivery_new(struct lmtp_session *s, const struct smtp_mail *mail)
{
	struct lmtp_delivery *d = xcalloc(1, sizeof(*d));

	d->service = s->service;
	d->service->refs++;
	d->session = s;
	spool_init(&d->spool, s->service->c.spool_dir);
	buf_init(&d->trace, SIZE_MAX);
	address_text(&mail->from, d->from);
	memcpy(d->id, s->id, sizeof(d->id));
	memcpy(d->peer, s->peer, sizeof(d->peer));
	if (mail->session.p != NULL)
		snprintf(d->id, sizeof(d->id), "%.*s", SLICE_ARG(mail->session));
	if (mail->addr.p != NULL)
		snprintf(d->peer, sizeof(d->peer), "%.*s", SLICE_ARG(mail->addr));
	d->key_given = mail->has_key;
	if (d->key_given) {
		memcpy(d->key, mail->key, sizeof(d->key));
	} else {
		d->digest = digest_new();
		digest_add(d->digest, slice_make(d->from, strlen(d->from) + 1));
	}
	return d;
}

void
lmtp_delivery_free(struct lmtp_delivery *d)
{
	if (d == NULL)
		return;
	for (size_t i = 0; i < d->final_count; i++) {
		free(d->finals[i].address);
		free(d->finals[i].user);
	}
	free(d->finals);
	digest_free(&d->digest);
	spool_fini(&d->spool);
	buf_fini(&d->trace);
	lmtp_service_unref(d->service);
	free(d);
}

bool
lmtp_delivery_is_submitted(const struct lmtp_delivery *d)
{
	return d->submitted;
}

void
lmtp_delivery_detach(struct lmtp_delivery *d)
{
	d->session = NULL;
}

static void
spool_failed(struct lmtp_delivery *d, const struct err *err)
{
	log_error(&d->session->log, "lmtp.spool why=%s", log_esc(err->text));
}

void
lmtp_delivery_add(struct lmtp_delivery *d, struct slice piece)
{
	struct err err;

	if (d->digest != NULL)
		digest_add(d->digest, piece);
	if (spool_add(&d->spool, piece, &err))
		return;
	spool_failed(d, &err);
	smtp_server_refuse_body(d->session->core, 452, "4.3.1", "The message cannot be kept.");
}

/* ---- the answers ---------------------------------------------------------------------------- */

static struct log_ctx
log_of(const struct lmtp_delivery *d)
{
	return (struct log_ctx){ .session = d->id, .peer = d->peer };
}

static void
log_result(const struct lmtp_delivery *d, size_t i, const struct deliver_result *r)
{
	const struct final_rcpt *f = &d->finals[i];
	struct log_ctx ctx = log_of(d);
	int metric = LMTP_M_FAILED;

	if (r->result == MBOX_OK)
		metric = r->duplicate ? LMTP_M_DUPLICATE : LMTP_M_DELIVERED;
	metrics_add(&lmtp_metrics[metric], 1);
	log_info(&ctx,
	         "delivery.done from=%s rcpt=%s user=%s result=%s mbox_id=%" PRIx64 " uid=%" PRIu32
	         " duplicate=%d bytes=%" PRIu64 " quota=%u%% ms=%" PRIu64,
	         log_esc(d->from), log_esc(f->address), log_esc(f->user),
	         mbox_result_name(r->result), r->mbox_id, r->uid, r->duplicate, d->spool.len,
	         r->quota_percent, clock_mono_ms() - d->submitted_ms);
}

/* Of two users behind one address the worse one counts, and what is temporary most: a retry
 * does no harm (promise 11). */
static const struct lmtp_answer *
worse(const struct lmtp_answer *a, const struct lmtp_answer *b)
{
	static const int rank[] = { [2] = 0, [4] = 2, [5] = 1 };

	return rank[b->code / 100] > rank[a->code / 100] ? b : a;
}

static void
answer_all(struct lmtp_delivery *d, const struct deliver_result *results)
{
	struct lmtp_session *s = d->session;
	size_t i = 0;

	while (i < d->final_count) {
		size_t number = d->finals[i].number;
		const struct lmtp_answer *a = lmtp_answer_for(d->service, results[i].result);

		for (i++; i < d->final_count && d->finals[i].number == number; i++)
			a = worse(a, lmtp_answer_for(d->service, results[i].result));
		smtp_server_reply_rcpt(s->core, number, a->code, a->enhanced, a->text,
		                       link_out(s->client));
	}
}

static void
on_delivered(void *ctx, const struct deliver_result *results, size_t count)
{
	struct lmtp_delivery *d = ctx;
	struct lmtp_session *s = d->session;

	must(count == d->final_count);
	d->service->bytes_in_store -= d->spool.len;
	metrics_observe(&lmtp_metrics[LMTP_M_DELIVERY_MS], clock_mono_ms() - d->submitted_ms);
	for (size_t i = 0; i < count; i++)
		log_result(d, i, &results[i]);
	if (s != NULL) {
		answer_all(d, results);
		s->messages++;
		lmtp_session_forget_transaction(s); /* detaches d */
		lmtp_session_answered(s);
	}
	lmtp_delivery_free(d);
}

/* ---- to the store -------------------------------------------------------------------------------- */

/* In the order of RCPT. rcpts_r has room for all. */
static void
take_rcpts(struct lmtp_delivery *d, struct deliver_rcpt *rcpts_r)
{
	const struct lmtp_session *s = d->session;
	size_t n = 0;

	d->finals = xcalloc(s->target_count, sizeof(*d->finals));
	for (size_t i = 0; i < s->rcpt_count; i++) {
		const struct lmtp_rcpt *r = s->rcpts[i];

		for (size_t k = 0; r->accepted && k < r->target_count; k++) {
			const struct lmtp_target *t = &r->targets[k];

			rcpts_r[n] = (struct deliver_rcpt){ slice_of(t->user), slice_of(t->detail),
				                            r->claim };
			d->finals[n++] = (struct final_rcpt){ xstrdup(r->address), xstrdup(t->user),
				                              r->number };
		}
	}
	must(n == s->target_count);
	d->final_count = n;
}

/* After take_rcpts(). Returns how many. */
static size_t
make_pieces(struct lmtp_delivery *d, struct slice body)
{
	const struct lmtp_trace trace = {
		.from = d->from,
		.rcpt = d->final_count == 1 ? d->finals[0].address : NULL,
		.id = d->id,
	};

	lmtp_trace_add(d->session, &trace, &d->trace);
	d->pieces[0] = buf_slice(&d->trace);
	return 1 + lmtp_trace_cut(body, d->pieces + 1, PIECES_MAX - 1);
}

/* All are told the same, and nothing is kept. */
static void
put_off(struct lmtp_delivery *d, enum mbox_result result)
{
	const struct lmtp_answer *a = lmtp_answer_for(d->service, result);
	struct lmtp_session *s = d->session;

	smtp_server_reply(s->core, a->code, a->enhanced, a->text, link_out(s->client));
	lmtp_session_forget_transaction(s);
	lmtp_session_answered(s);
}

void
lmtp_delivery_submit(struct lmtp_delivery *d)
{
	struct lmtp_session *s = d->session;
	struct deliver_rcpt *rcpts;
	struct slice body;
	size_t pieces;
	struct err err;

	if (d->service->bytes_in_store + d->spool.len > IN_STORE_MAX) {
		put_off(d, MBOX_BUSY);
		return;
	}
	if (!spool_take(&d->spool, &body, &err)) {
		spool_failed(d, &err);
		put_off(d, MBOX_UNAVAILABLE);
		return;
	}
	if (!d->key_given)
		digest_final(d->digest, d->key);
	rcpts = xcalloc(s->target_count, sizeof(*rcpts));
	take_rcpts(d, rcpts);
	pieces = make_pieces(d, body);
	d->submitted = true;
	d->submitted_ms = clock_mono_ms();
	d->service->bytes_in_store += d->spool.len;
	metrics_add(&lmtp_metrics[LMTP_M_BYTES], d->spool.len);
	(void)deliver(d->service->c.store, rcpts, d->final_count, d->key, d->pieces, pieces,
	              (int64_t)clock_wall_s(), on_delivered, d);
	free(rcpts);
}
