/*
 * One client of the LMTP service: greeting, TLS, login, and the link.
 *
 * While an answer is awaited (auth worker, store) the link is paused, so that the core is not
 * fed.
 */
#include "lmtp/session_impl.h"

#include "base/clock.h"
#include "base/ids.h"
#include "base/xalloc.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RCPT_PARALLEL 50 /* questions to the directory under way for one session */

STATIC_ASSERT(ORIGIN_SESSION_MAX >= IDS_SESSION_LEN);

static const struct link_limits limits = { 64 << 10, 64 << 10, 16 << 10, 4 << 20 };

/* ---- the end ---------------------------------------------------------------------------- */

static void
session_free(void *ctx)
{
	struct lmtp_session *s = ctx;

	smtp_server_free(&s->core);
	free(s->login);
	free(s->hostname);
	free(s);
}

void
lmtp_session_forget_transaction(struct lmtp_session *s)
{
	for (size_t i = 0; i < s->rcpt_count; i++)
		lmtp_rcpt_free(s->rcpts[i]);
	free(s->rcpts);
	s->rcpts = NULL;
	s->rcpt_count = s->rcpt_cap = s->target_count = 0;
	if (s->delivery != NULL && lmtp_delivery_is_submitted(s->delivery))
		lmtp_delivery_detach(s->delivery);
	else
		lmtp_delivery_free(s->delivery);
	s->delivery = NULL;
}

void
lmtp_session_end(struct lmtp_session *s, const char *why)
{
	struct lmtp_service *p = s->service;

	if (s->ended)
		return;
	s->ended = true;
	log_info(&s->log, "lmtp.session why=%s messages=%" PRIu32 " tls=%d ms=%" PRIu64,
	         log_esc(why), s->messages, smtp_server_is_tls(s->core),
	         clock_mono_ms() - s->started_ms);
	metrics_sub(&lmtp_metrics[LMTP_M_SESSIONS], 1);
	auth_cancel(p->c.auth, s->auth_id);
	lmtp_session_forget_transaction(s);
	link_end(&s->client);
	loop_defer(p->c.loop, session_free, s);
	sessions_remove(&p->sessions, &s->node);
}

/* ---- the core waits, or not -------------------------------------------------------------- */

static void
touch(struct lmtp_session *s)
{
	/* In the body it runs from DATA on, however slowly the bytes drip. */
	if (!smtp_server_in_body(s->core))
		link_set_deadline(s->client, s->service->limits.idle_ms);
}

static void
update_pause(struct lmtp_session *s)
{
	link_set_paused(s->client, smtp_server_is_waiting(s->core));
}

void
lmtp_session_say_going(struct lmtp_session *s)
{
	smtp_server_bye(s->core, 421, "4.3.2", "Going away, please come again.",
	                link_out(s->client));
	lmtp_session_end(s, "drain");
}

/* Something was said or answered. */
static void
settle(struct lmtp_session *s)
{
	if (s->gone)
		lmtp_session_end(s, "closed");
	else if (smtp_server_is_over(s->core))
		lmtp_session_end(s, "sent away");
	else if (s->service->sessions.sends_away && s->delivery == NULL)
		lmtp_session_say_going(s);
	else
		update_pause(s);
}

void
lmtp_session_answered(struct lmtp_session *s)
{
	touch(s);
	link_flush(s->client);
	settle(s);
}

/* ---- who is it? ------------------------------------------------------------------------------ */

static void
refuse_login(struct lmtp_session *s, enum smtp_auth_refusal why)
{
	smtp_server_refused(s->core, why, link_out(s->client));
	lmtp_session_answered(s);
}

/* Mail users have a password too, but no business here: they could write anybody's name into
 * anybody's mailbox. */
static void
on_identity(struct lmtp_session *s, const struct auth_reply *r)
{
	if (r->authcid == NULL ||
	    conf_section(s->service->c.conf, "identity", r->authcid) == NULL) {
		refuse_login(s, SMTP_AUTH_DENIED);
		return;
	}
	free(s->login);
	s->login = xstrdup(r->authcid);
	s->log.user = s->login;
	smtp_server_logged_in(s->core, link_out(s->client));
	lmtp_session_answered(s);
}

static void
on_auth(void *ctx, uint64_t id, const struct auth_reply *r)
{
	struct lmtp_session *s = ctx;

	if (r->result == AUTH_CONTINUE) {
		smtp_server_challenge(s->core, r->challenge, link_out(s->client));
		lmtp_session_answered(s);
		return;
	}
	s->auth_id = 0;
	switch (r->result) {
	case AUTH_OK:
		on_identity(s, r);
		return;
	case AUTH_DENIED:
	case AUTH_UNKNOWN:
		refuse_login(s, SMTP_AUTH_DENIED);
		return;
	case AUTH_INVALID:
		refuse_login(s, SMTP_AUTH_INVALID);
		return;
	default:
		refuse_login(s, SMTP_AUTH_TEMP);
	}
}

static void
on_login(struct lmtp_session *s, const struct smtp_event *ev)
{
	struct auth *auth = s->service->c.auth;
	struct auth_session as = { .service = "lmtp",
		                   .session = s->id,
		                   .peer = s->peer,
		                   .tls = smtp_server_is_tls(s->core) };

	if (ev->kind == SMTP_SASL_START)
		s->auth_id = auth_start(auth, &as, ev->mech, ev->data, on_auth, s);
	else
		auth_step(auth, s->auth_id, ev->data);
}

/* From a front end: the client's address and the session's name on all tiers. */
static void
on_xclient(struct lmtp_session *s, const struct smtp_xclient *x)
{
	if (x->addr.p != NULL)
		snprintf(s->peer, sizeof(s->peer), "%.*s", SLICE_ARG(x->addr));
	if (x->session.p != NULL)
		snprintf(s->id, sizeof(s->id), "%.*s", SLICE_ARG(x->session));
	if (x->login.p != NULL) {
		free(s->login);
		s->login = slice_dup(x->login);
		s->log.user = s->login;
	}
}

/* ---- a transaction ---------------------------------------------------------------------------- */

static void
on_mail(struct lmtp_session *s, const struct smtp_event *ev)
{
	s->size = ev->mail.size;
	s->delivery = lmtp_delivery_new(s, &ev->mail);
	smtp_server_reply(s->core, 250, "2.1.0", "Who is it for?", link_out(s->client));
}

static void
on_data(struct lmtp_session *s)
{
	link_set_deadline(s->client, s->service->limits.body_ms);
	smtp_server_go_ahead(s->core, link_out(s->client));
}

static void
on_event(struct lmtp_session *s, const struct smtp_event *ev)
{
	switch (ev->kind) {
	case SMTP_HELO:
	case SMTP_RESET:
		lmtp_session_forget_transaction(s);
		return;
	case SMTP_STARTTLS:
		link_start_tls_server(s->client, s->service->c.tls);
		return;
	case SMTP_XCLIENT:
		on_xclient(s, &ev->xclient);
		return;
	case SMTP_SASL_START:
	case SMTP_SASL_STEP:
		on_login(s, ev);
		return;
	case SMTP_SASL_CANCEL:
		auth_cancel(s->service->c.auth, s->auth_id);
		s->auth_id = 0;
		return;
	case SMTP_MAIL:
		on_mail(s, ev);
		return;
	case SMTP_RCPT:
		lmtp_rcpt_start(s, ev);
		return;
	case SMTP_DATA:
		on_data(s);
		return;
	case SMTP_BODY:
		lmtp_delivery_add(s->delivery, ev->data);
		return;
	case SMTP_BODY_END:
		lmtp_delivery_submit(s->delivery);
		return;
	case SMTP_QUIT:
		lmtp_session_end(s, "quit");
	}
}

/* ---- the link ---------------------------------------------------------------------------- */

static size_t
client_input(void *core, struct slice in)
{
	struct lmtp_session *s = core;
	struct smtp_event ev;
	size_t used;
	int r;

	/* a reload may have taken the certificate away */
	s->settings.tls_offered = s->service->c.tls != NULL;
	r = smtp_server_input(s->core, in, &used, link_out(s->client), &ev);

	if (r == 1)
		on_event(s, &ev);
	else if (r == -1)
		lmtp_session_end(s, "bad input");
	if (s->ended)
		return used;
	if (used > 0)
		touch(s);
	settle(s);
	return used;
}

static void
client_tls(void *core)
{
	struct lmtp_session *s = core;

	smtp_server_tls_done(s->core);
	free(s->login);
	s->login = NULL;
	s->log.user = NULL;
	touch(s);
	update_pause(s);
}

static void
client_deadline(void *core)
{
	struct lmtp_session *s = core;

	smtp_server_bye(s->core, 421, "4.4.2", "That took too long.", link_out(s->client));
	lmtp_session_end(s, "timeout");
}

/* What the store has is delivered, and the answer sent, in case it is still read. Of anything
 * else nothing remains. */
static void
client_closed(void *core, enum conn_end why)
{
	struct lmtp_session *s = core;

	if (why == CONN_END_EOF && s->delivery != NULL && lmtp_delivery_is_submitted(s->delivery))
		s->gone = true;
	else
		lmtp_session_end(s, conn_end_text(why));
}

static const struct link_ops client_ops = {
	.input = client_input,
	.tls = client_tls,
	.deadline = client_deadline,
	.closed = client_closed,
};

static void
session_begin(struct lmtp_session *s, struct conn **c)
{
	struct lmtp_service *p = s->service;
	const struct addr *peer = conn_peer(*c);
	bool trusted = conf_nets_has(p->c.conf, "trusted_networks", peer);

	addr_host_text(peer, s->peer);
	ids_session(s->id);
	s->log = (struct log_ctx){ .session = s->id, .peer = s->peer };
	s->started_ms = clock_mono_ms();
	s->hostname = xstrdup(conf_common_hostname(p->c.conf));
	s->settings = (struct smtp_server_settings){
		.lmtp = true,
		.hostname = s->hostname,
		.size_max = p->limits.message_bytes,
		.rcpt_max = p->limits.rcpts,
		.rcpt_parallel = RCPT_PARALLEL,
		.mechs = auth_mechs(p->c.auth),
		.plaintext_ok = conf_nets_has(p->c.conf, "plaintext_networks", peer),
		.auth_required = !trusted,
		.bare_ok = true,
		.smtputf8 = true,
		.chunking = true,
		.trusted = trusted,
	};
	s->core = smtp_server_new(&s->settings, false);
	s->client = link_new(c, &client_ops, s, &limits);
	sessions_add(&p->sessions, &s->node);
	metrics_add(&lmtp_metrics[LMTP_M_SESSIONS], 1);
	metrics_add(&lmtp_metrics[LMTP_M_CONNECTIONS], 1);
	link_set_deadline(s->client, p->limits.idle_ms);
}

void
lmtp_session_start(struct lmtp_service *p, struct conn **c)
{
	struct lmtp_session *s = xcalloc(1, sizeof(*s));

	s->service = p;
	session_begin(s, c);
	if (sessions_are_too_many(&p->sessions)) {
		smtp_server_bye(s->core, 421, "4.3.2", "Too many sessions.", link_out(s->client));
		lmtp_session_end(s, "too many sessions");
		return;
	}
	smtp_server_greet(s->core, "Roost ready.", link_out(s->client));
	link_flush(s->client);
}
