#include "deliver/attempt.h"

#include "base/xalloc.h"

#include <stdlib.h>
#include <string.h>

#define PIECE_BYTES 32768

struct attempt {
	struct pool *pool;
	struct attempt_job *job;
	struct lease *lease;
	struct timer timer;
	bool granted;
	bool reused; /* the connection */
	bool heard;  /* the peer has said something in this transaction */
	bool again;  /* this is the second connection */
	bool in_body;
	bool sent_all; /* the final dot is out */
	bool decided;  /* DATA or RSET is said */
	size_t open;   /* rcpts without a reply */
	size_t heard_rcpts, accepted;
	size_t head_sent;
	uint64_t body_sent; /* or skipped */
	attempt_fn *fn;
	void *ctx;
};

static const struct lease_ops lease_ops;

/* ---- the end -------------------------------------------------------------------------------- */

static void
attempt_free(struct attempt *a)
{
	lease_end(&a->lease);
	timer_fini(&a->timer);
	free(a);
}

/* Whoever asked hears it now; RSET may still be answered. */
static void
done(struct attempt *a)
{
	attempt_fn *fn = a->fn;
	void *ctx = a->ctx;

	lease_leave(&a->lease);
	attempt_free(a);
	fn(ctx);
}

static void
settle(struct attempt *a, struct attempt_rcpt *r, const struct smtp_reply *reply, bool from_peer)
{
	if (r->settled)
		return;
	r->reply = *reply;
	r->from_peer = from_peer;
	r->settled = true;
	a->open--;
}

static void
settle_all(struct attempt *a, const struct smtp_reply *reply, bool from_peer)
{
	for (size_t i = 0; i < a->job->count; i++)
		settle(a, a->job->rcpts[i], reply, from_peer);
}

static void
finish(struct attempt *a, int code, const char *enhanced, const char *text)
{
	struct smtp_reply reply;

	smtp_reply_set(&reply, code, enhanced, text);
	settle_all(a, &reply, false);
	done(a);
}

static void
fail(struct attempt *a, const char *why)
{
	/* that it cannot be reached the pool has logged, once for all who wait */
	log_line(a->granted ? LOG_WARNING : LOG_DEBUG, a->job->log,
	         "smtp.%s_failed %s=%s why=%s body=%d sent=%d", peer_kind(&a->job->peer),
	         peer_kind(&a->job->peer), a->job->peer.name, log_esc(why), a->in_body,
	         a->sent_all);
	lease_end(&a->lease); /* of no use to others */
	a->job->end = a->sent_all ? ATTEMPT_LOST : ATTEMPT_UNREACHED;
	if (a->job->peer.smtp && a->sent_all)
		finish(a, 451, "4.4.2", "The next mail server was lost, please come again");
	else if (a->job->peer.smtp)
		finish(a, 451, "4.4.1", "No next mail server is available, please come again");
	else if (a->sent_all)
		finish(a, 451, "4.4.2", "The mail store was lost, please come again");
	else
		finish(a, 451, "4.3.0", "The mail store is not available, please come again");
}

/* ---- what is said --------------------------------------------------------------------------- */

static bool
needs_utf8(const struct attempt_job *job)
{
	if (job->mail.smtputf8 || job->mail.from.utf8)
		return true;
	for (size_t i = 0; i < job->count; i++)
		if (job->rcpts[i]->wire.to.utf8)
			return true;
	return false;
}

/* What a peer cannot take does not go there (RFC 6531 section 3.2, RFC 6152 section 3). False:
 * the attempt is over, and gone. */
static bool
peer_can(struct attempt *a)
{
	const struct smtp_offer *offer = smtp_client_get_offer(lease_client(a->lease));
	struct attempt_job *job = a->job;

	job->end = ATTEMPT_UNABLE;
	if (needs_utf8(job) && !offer->smtputf8) {
		finish(a, 553, "5.6.7", "The next server does not take UTF-8 addresses");
		return false;
	}
	if (job->mail.body == SMTP_BODY_8BIT && !offer->eightbitmime) {
		finish(a, 554, "5.6.3", "The next server does not take 8-bit messages");
		return false;
	}
	if (offer->size != 0 && job->mail.size > offer->size) {
		finish(a, 552, "5.3.4", "The message is too big for the next server");
		return false;
	}
	job->end = ATTEMPT_ANSWERED;
	return true;
}

static void
on_granted(void *ctx)
{
	struct attempt *a = ctx;
	struct smtp_client *core = lease_client(a->lease);
	struct buf *out = lease_out(a->lease);

	a->granted = true;
	a->reused = lease_is_reused(a->lease);
	if (!peer_can(a))
		return;
	smtp_client_mail(core, &a->job->mail, out);
	for (size_t i = 0; i < a->job->count; i++)
		smtp_client_rcpt(core, &a->job->rcpts[i]->wire, out);
	if (a->job->msg == NULL)
		smtp_client_rset(core, out);
	else if (!a->job->together)
		smtp_client_data(core, out);
	a->decided = a->job->msg == NULL || !a->job->together;
	lease_flush(a->lease);
}

/* As much of head and message as there is room for. */
static void
send_body(struct attempt *a)
{
	struct smtp_client *core = lease_client(a->lease);
	struct buf *out = lease_out(a->lease);
	struct slice piece = slice_skip(a->job->head, a->head_sent);

	if (piece.n > 0) {
		smtp_client_body(core, piece, out);
		a->head_sent += piece.n;
	}
	while (!a->sent_all && !lease_is_congested(a->lease)) {
		if (msg_read(a->job->msg, a->body_sent, PIECE_BYTES, &piece) == -1) {
			fail(a, "the spooled message cannot be read");
			return;
		}
		if (piece.n == 0) {
			smtp_client_body_end(core, out);
			a->sent_all = true;
		} else {
			smtp_client_body(core, piece, out);
			a->body_sent += piece.n;
		}
	}
	lease_flush(a->lease);
}

static void
on_drained(void *ctx)
{
	struct attempt *a = ctx;

	if (a->in_body && !a->sent_all)
		send_body(a);
}

/* ---- what is heard --------------------------------------------------------------------------- */

static bool
has_temporary(const struct attempt_job *job)
{
	for (size_t i = 0; i < job->count; i++)
		if (job->rcpts[i]->settled && smtp_reply_is_temporary(&job->rcpts[i]->reply))
			return true;
	return false;
}

/* Every recipient has been answered: DATA, or not (attempt.h, together). */
static void
decide(struct attempt *a)
{
	struct smtp_client *core = lease_client(a->lease);
	struct buf *out = lease_out(a->lease);
	struct smtp_reply wait;

	a->decided = true;
	smtp_reply_set(&wait, 451, ATTEMPT_WAITS,
	               "Another recipient has to wait, please come again");
	if (has_temporary(a->job))
		settle_all(a, &wait, false);
	if (a->open > 0)
		smtp_client_data(core, out);
	else
		smtp_client_rset(core, out);
	lease_flush(a->lease);
}

/* The peer closes a connection that was at rest before: on a new one it may be well. */
static bool
is_stale(const struct attempt *a, const struct smtp_client_event *ev)
{
	return ev->reply->code == 421 && a->reused && !a->again;
}

/* RFC 5321 section 4.5.3.1.10. Of those before it something was taken. */
static void
note_most(struct attempt *a, const struct smtp_reply *r)
{
	bool too_many =
		r->code == 452 && (r->enhanced[0] == '\0' || strcmp(r->enhanced, "4.5.3") == 0);

	if (smtp_reply_is_good(r))
		a->accepted++;
	else if (too_many && a->job->most_rcpts == 0)
		a->job->most_rcpts = a->accepted;
}

/* RFC 4954 section 6. It is we whom the peer does not know: nothing is wrong with the mail. */
static bool
wants_login(const struct smtp_reply *r)
{
	return r->code == 530 || r->code == 535 || r->code == 538;
}

static void
settle_unknown(struct attempt *a)
{
	const struct peer *p = &a->job->peer;
	struct smtp_reply later;

	log_error(a->job->log, "smtp.%s_knows_us_not %s=%s hint=\"%s\"", peer_kind(p), peer_kind(p),
	          p->name,
	          p->smtp ? "it wants a login: relay_user"
	                  : "this host is not in its trusted_networks");
	smtp_reply_set(&later, 451, "4.3.5", "Please try again later");
	settle_all(a, &later, false);
}

/* RCPTs that were accepted wait for their final reply, or have it when we only asked. */
static void
on_reply(struct attempt *a, const struct smtp_client_event *ev)
{
	bool good = smtp_reply_is_good(ev->reply);

	switch (ev->what) {
	case SMTP_CLIENT_MAIL:
		if (wants_login(ev->reply))
			settle_unknown(a);
		else if (!good)
			settle_all(a, ev->reply, true);
		return;
	case SMTP_CLIENT_RCPT:
		note_most(a, ev->reply);
		if (!good || a->job->msg == NULL)
			settle(a, a->job->rcpts[ev->number], ev->reply, true);
		if (++a->heard_rcpts == a->job->count && !a->decided)
			decide(a);
		return;
	case SMTP_CLIENT_DATA:
		settle_all(a, ev->reply, true);
		return;
	case SMTP_CLIENT_RSET:
		return;
	}
}

static void
on_event(void *ctx, const struct smtp_client_event *ev)
{
	struct attempt *a = ctx;

	switch (ev->kind) {
	case SMTP_CLIENT_REPLY:
		if (ev->what == SMTP_CLIENT_MAIL && is_stale(a, ev))
			return; /* and on_failed() comes */
		a->heard = true;
		on_reply(a, ev);
		break;
	case SMTP_CLIENT_GO_AHEAD:
		a->in_body = true;
		send_body(a);
		return;
	case SMTP_CLIENT_FINAL:
		settle(a, a->job->rcpts[ev->number], ev->reply, true);
		break;
	default: /* READY comes behind the last answer */
		return;
	}
	if (a->open == 0 && a->decided)
		done(a);
}

/* A connection that was idle may be one that the peer has closed: that is no failure of the
 * peer yet. Nothing has been done as long as it has answered nothing. */
static void
on_failed(void *ctx, const char *why)
{
	struct attempt *a = ctx;

	if (!a->reused || a->heard || a->again) {
		fail(a, why);
		return;
	}
	a->again = true;
	lease_end(&a->lease);
	a->heard_rcpts = a->accepted = 0;
	a->lease =
		lease_new(a->pool, &a->job->peer, a->job->session, a->job->client, &lease_ops, a);
}

static void
on_timer(void *ctx)
{
	fail(ctx, "no answer in time");
}

static const struct lease_ops lease_ops = {
	.granted = on_granted,
	.event = on_event,
	.drained = on_drained,
	.failed = on_failed,
};

/* ---- for others -------------------------------------------------------------------------------- */

struct attempt *
attempt_new(struct pool *p, struct attempt_job *job, attempt_fn *fn, void *ctx)
{
	struct attempt *a = xcalloc(1, sizeof(*a));

	must(job->count > 0);
	a->pool = p;
	a->job = job;
	a->fn = fn;
	a->ctx = ctx;
	for (size_t i = 0; i < job->count; i++)
		job->rcpts[i]->settled = false;
	a->open = job->count;
	a->body_sent = job->skip;
	job->end = ATTEMPT_ANSWERED;
	job->most_rcpts = 0;
	timer_init(&a->timer, pool_loop(p), on_timer, a);
	timer_set(&a->timer, job->deadline_ms);
	a->lease = lease_new(p, &job->peer, job->session, job->client, &lease_ops, a);
	return a;
}

void
attempt_cancel(struct attempt **ap)
{
	struct attempt *a = *ap;

	*ap = NULL;
	if (a == NULL)
		return;
	if (a->job->msg == NULL)
		lease_leave(&a->lease);
	attempt_free(a);
}
