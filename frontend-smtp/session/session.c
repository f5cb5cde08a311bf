/*
 * A client: the core reads what he says, a transaction (txn.h) finds the answers. While he
 * has to wait for one nothing is read from him. When he leaves after the end of his message
 * the stores are heard to the end all the same: what they have got, they have got. Perhaps he
 * has only closed his side and still listens: then he is told.
 */
#include "session/session_impl.h"

#include "base/clock.h"
#include "base/ids.h"
#include "base/xalloc.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define HANDSHAKE_MS 30000
#define RCPT_PARALLEL 50 /* of one session, with directory and stores */

STATIC_ASSERT(ORIGIN_SESSION_MAX >= IDS_SESSION_LEN);

const char *
smtp_service_name(enum smtp_service s)
{
	static const char *const names[] = {
		[SMTP_SERVICE_MX] = "smtp",
		[SMTP_SERVICE_LMTP] = "lmtp",
		[SMTP_SERVICE_SUBMISSION] = "submission",
		[SMTP_SERVICE_SUBMISSIONS] = "submissions",
	};

	return names[s];
}

static bool
is_submission(const struct smtp_session *s)
{
	return s->service == SMTP_SERVICE_SUBMISSION || s->service == SMTP_SERVICE_SUBMISSIONS;
}

/* ---- the end ---------------------------------------------------------------------------------- */

static void
session_free(void *ctx)
{
	struct smtp_session *s = ctx;

	smtp_server_free(&s->core);
	arena_free(&s->arena);
	free(s);
}

void
session_end(struct smtp_session *s, const char *why)
{
	struct loop *l = s->proxy->c.loop;

	if (s->ended)
		return;
	s->ended = true;
	log_info(&s->log,
	         "smtp.session why=%s protocol=%s helo=%s transactions=%" PRIu64 " refused=%" PRIu64
	         " tls=%d ms=%" PRIu64,
	         log_esc(why), smtp_service_name(s->service),
	         log_esc(smtp_server_get_helo(s->core)), s->transactions, s->refused,
	         smtp_server_is_tls(s->core), clock_mono_ms() - s->started_ms);
	session_login_cancel(s);
	session_rates_cancel(s);
	txn_end(&s->txn);
	link_end(&s->client);
	proxy_lost_session(s->proxy, s);
	loop_defer(l, session_free, s);
}

void
session_bye(struct smtp_session *s, int code, const char *enhanced, const char *text,
            const char *why)
{
	if (s->client != NULL && !s->in_tls)
		smtp_server_bye(s->core, code, enhanced, text, link_out(s->client));
	session_end(s, why);
}

bool
session_is_idle(const struct smtp_session *s)
{
	return s->txn == NULL && !smtp_server_is_waiting(s->core);
}

/* ---- who has the word --------------------------------------------------------------------------- */

/* While we owe an answer nothing is read, and our own deadlines run. */
static void
steer(struct smtp_session *s)
{
	const struct smtp_limits *l = &s->proxy->limits;
	uint64_t now = clock_mono_ms(), left;

	if (s->ended || s->client == NULL || s->in_tls)
		return;
	if (smtp_server_is_waiting(s->core)) {
		link_set_deadline(s->client, 0);
		link_pause(s->client);
		return;
	}
	if (smtp_server_in_body(s->core)) {
		left = s->until_ms > now ? s->until_ms - now : 1;
		link_set_deadline(s->client, MIN(left, l->data_ms));
	} else {
		link_set_deadline(s->client, l->command_ms);
	}
	link_resume(s->client);
}

void
session_answered(struct smtp_session *s)
{
	if (s->ended || s->client == NULL)
		return;
	link_flush(s->client);
	steer(s);
}

static void
transaction_over(struct smtp_session *s)
{
	txn_end(&s->txn);
	s->delivering = false;
	if (s->proxy->sessions.sends_away)
		session_bye(s, 421, "4.3.2", "Going away, please come again", "drain");
}

/* ---- what a transaction answers ------------------------------------------------------------------- */

static void
on_rcpt_answer(void *ctx, size_t number, const struct smtp_reply *r)
{
	struct smtp_session *s = ctx;

	smtp_server_reply_rcpt(s->core, number, r->code, r->enhanced, r->text, link_out(s->client));
	if (r->code / 100 == 5 && ++s->refused >= s->proxy->limits.refused && !s->settings.lmtp) {
		session_bye(s, 421, "4.7.0", "Too many refused recipients", "refused recipients");
		return;
	}
	session_answered(s);
}

static void
reply_to_message(struct smtp_session *s)
{
	struct buf *out = link_out(s->client);
	struct smtp_reply common;
	char text[ORIGIN_SESSION_MAX + 20];

	if (s->settings.lmtp) {
		for (size_t i = 0; i < txn_rcpt_count(s->txn); i++) {
			const struct smtp_reply *r = txn_get_reply(s->txn, i);

			if (txn_is_accepted(s->txn, i))
				smtp_server_reply_rcpt(s->core, i, r->code, r->enhanced, r->text,
				                       out);
		}
		return;
	}
	txn_get_common_reply(s->txn, &common);
	snprintf(text, sizeof(text), "OK: %s", s->id);
	smtp_server_reply(s->core, common.code, common.enhanced,
	                  smtp_reply_is_good(&common) ? text : common.text, out);
}

static void
on_delivered(void *ctx)
{
	struct smtp_session *s = ctx;

	if (s->client == NULL) {
		session_end(s, "left before the answer");
		return;
	}
	reply_to_message(s);
	transaction_over(s);
	if (s->said_all)
		session_end(s, conn_end_text(CONN_END_EOF));
	else
		session_answered(s);
}

static const struct txn_ops txn_ops = {
	.rcpt = on_rcpt_answer,
	.delivered = on_delivered,
};

/* ---- what the client says --------------------------------------------------------------------------- */

/* What the client's address allows. */
static void
set_rights(struct smtp_session *s)
{
	const struct smtp_proxy *p = s->proxy;

	if (!is_submission(s))
		return;
	s->settings.plaintext_ok = conf_nets_has(p->c.conf, "plaintext_networks", &s->from);
	s->settings.auth_required = !conf_nets_has(p->c.conf, "mynetworks", &s->from);
}

/* An address the core has checked; the port does not matter. */
static void
set_from(struct smtp_session *s, struct slice ip)
{
	bool is_v6 = slice_find(ip, ':') < ip.n;
	char text[ADDR_TEXT_LEN];
	struct err err;
	struct addr a;

	snprintf(s->peer, sizeof(s->peer), "%.*s", SLICE_ARG(ip));
	snprintf(text, sizeof(text), is_v6 ? "[%s]:1" : "%s:1", s->peer);
	if (addr_parse(slice_of(text), 0, &a, &err))
		s->from = a;
	set_rights(s);
}

/* From a proxy before us that we trust. What comes behind it may be the client's own words, passed
 * on by the proxy: they count as his whom it has named. */
static void
on_xclient(struct smtp_session *s, const struct smtp_xclient *x)
{
	if (x->addr.p != NULL) {
		set_from(s, x->addr);
		s->settings.trusted = conf_nets_has(s->proxy->c.conf, "trusted_networks", &s->from);
	}
	if (!s->settings.lmtp) /* an MTA's mail is anybody's */
		session_login_set(s, x->login);
	if (x->session.p != NULL)
		snprintf(s->id, sizeof(s->id), "%.*s", SLICE_ARG(x->session));
}

void
session_begin_transaction(struct smtp_session *s, const struct smtp_mail *mail)
{
	s->transactions++;
	s->txn = txn_new(&s->proxy->shared, mail,
	                 &(struct txn_client){ .session = s->id,
	                                       .peer = s->peer,
	                                       .log = &s->log,
	                                       .one_reply = !s->settings.lmtp,
	                                       .may_relay = session_may_relay(s) },
	                 &txn_ops, s);
	smtp_server_reply(s->core, 250, "2.1.0", "OK", link_out(s->client));
}

static void
on_mail(struct smtp_session *s, const struct smtp_mail *mail)
{
	if (s->proxy->sessions.sends_away)
		session_bye(s, 421, "4.3.2", "Going away, please come again", "drain");
	else
		session_submit_mail(s, mail);
}

void
session_deliver(struct smtp_session *s)
{
	struct trace trace = {
		.helo = smtp_server_get_helo(s->core),
		.peer = s->peer,
		.hostname = s->settings.hostname,
		.protocol = smtp_server_protocol(s->core),
		.session = s->id,
		.tls = s->client != NULL ? conn_tls_text(link_conn(s->client)) : NULL,
	};

	txn_deliver(s->txn, &trace);
}

static void
greet(struct smtp_session *s)
{
	smtp_server_greet(s->core, "ready", link_out(s->client));
	link_flush(s->client);
	steer(s);
}

static void
start_tls(struct smtp_session *s)
{
	s->in_tls = true;
	link_set_deadline(s->client, HANDSHAKE_MS);
	link_start_tls_server(s->client, s->proxy->c.tls);
}

static void
on_event(struct smtp_session *s, const struct smtp_event *ev)
{
	switch (ev->kind) {
	case SMTP_STARTTLS:
		start_tls(s);
		return;
	case SMTP_XCLIENT:
		on_xclient(s, &ev->xclient);
		return;
	case SMTP_SASL_START:
		session_login_start(s, ev);
		return;
	case SMTP_SASL_STEP:
		session_login_step(s, ev->data);
		return;
	case SMTP_SASL_CANCEL:
		session_login_cancel(s);
		if (smtp_server_is_over(s->core)) /* one too many */
			session_end(s, "bad input");
		return;
	case SMTP_MAIL:
		on_mail(s, &ev->mail);
		return;
	case SMTP_RCPT:
		txn_rcpt(s->txn, ev->number, &ev->rcpt);
		return;
	case SMTP_DATA:
		session_rates_ask(s);
		return;
	case SMTP_BODY:
		if (!txn_body(s->txn, ev->data))
			smtp_server_refuse_body(s->core, 452, "4.3.1",
			                        "No room for the message, please come again");
		return;
	case SMTP_BODY_END:
		s->delivering = true;
		txn_body_end(s->txn);
		session_submit_message(s);
		return;
	case SMTP_HELO:
	case SMTP_RESET:
		transaction_over(s);
		return;
	case SMTP_QUIT:
		session_end(s, "quit");
		return;
	}
}

/* ---- the client's link ---------------------------------------------------------------------------- */

static size_t
client_input(void *core, struct slice in)
{
	struct smtp_session *s = core;
	struct smtp_event ev;
	size_t used;
	int r = smtp_server_input(s->core, in, &used, link_out(s->client), &ev);

	if (r == 1)
		on_event(s, &ev);
	else if (r == -1)
		session_end(s, "bad input");
	/* a piece of a command is no command: its deadline goes on */
	if (r == 1 || used > 0 || smtp_server_is_waiting(s->core))
		steer(s);
	return used;
}

static void
client_tls(void *core)
{
	struct smtp_session *s = core;

	s->in_tls = false;
	if (s->service == SMTP_SERVICE_SUBMISSIONS) {
		greet(s);
		return;
	}
	smtp_server_tls_done(s->core);
	session_login_forget(s);
	txn_end(&s->txn);
	steer(s);
}

static void
client_deadline(void *core)
{
	session_bye(core, 421, "4.4.2", "That took too long", "timeout");
}

static void
client_closed(void *core, enum conn_end why)
{
	struct smtp_session *s = core;

	if (!s->delivering)
		session_end(s, conn_end_text(why));
	else if (why == CONN_END_EOF)
		s->said_all = true;
	else
		link_abort(&s->client);
}

static const struct link_ops client_ops = {
	.input = client_input,
	.tls = client_tls,
	.deadline = client_deadline,
	.closed = client_closed,
};

/* ---- the beginning ------------------------------------------------------------------------------------ */

static void
session_begin(struct smtp_session *s, struct conn **c, enum smtp_service service)
{
	struct smtp_proxy *p = s->proxy;
	const struct addr *peer = conn_peer(*c);
	bool lmtp = service == SMTP_SERVICE_LMTP;

	s->service = service;
	s->from = *peer;
	addr_host_text(peer, s->peer);
	ids_session(s->id);
	s->log = (struct log_ctx){ .session = s->id, .peer = s->peer };
	s->started_ms = clock_mono_ms();
	s->settings = (struct smtp_server_settings){
		.lmtp = lmtp,
		.hostname = conf_common_hostname(p->c.conf),
		.size_max = conf_bytes(p->c.conf, "message_size_limit"),
		.rcpt_max = (unsigned)conf_int(p->c.conf, "recipient_limit"),
		.rcpt_parallel = RCPT_PARALLEL,
		.mechs = is_submission(s) && p->c.auth != NULL ? auth_mechs(p->c.auth) : "",
		.tls_offered = p->c.tls != NULL,
		.bare_ok = lmtp,
		.smtputf8 = true,
		.chunking = true,
		.trusted = conf_nets_has(p->c.conf, "trusted_networks", peer),
	};
	set_rights(s);
	s->core = smtp_server_new(&s->settings, service == SMTP_SERVICE_SUBMISSIONS);
	proxy_add_session(p, s, peer);
	s->client = link_new(c, &client_ops, s, NULL);
}

/* Why this client is not served; NULL: he is. */
static const char *
find_limit(const struct smtp_session *s, const struct addr *peer)
{
	const struct smtp_proxy *p = s->proxy;

	if (sessions_are_too_many(&p->sessions))
		return "Too many sessions";
	if (s->address->sessions > p->limits.per_address &&
	    !conf_nets_has(p->c.conf, "lmtp_networks", peer))
		return "Too many connections from your address";
	return NULL;
}

void
smtp_session_start(struct smtp_proxy *p, struct conn **c, enum smtp_service service)
{
	struct smtp_session *s = xcalloc(1, sizeof(*s));
	struct addr peer = *conn_peer(*c);
	const char *limit;

	s->proxy = p;
	session_begin(s, c, service);
	if (s->settings.lmtp && !conf_nets_has(p->c.conf, "lmtp_networks", &peer)) {
		session_bye(s, 554, "5.7.1", "Not for you", "not in lmtp_networks");
		return;
	}
	if (service == SMTP_SERVICE_SUBMISSIONS)
		start_tls(s); /* and greets in it; nothing is said in clear */
	limit = find_limit(s, &peer);
	if (limit != NULL) {
		metrics_add(&smtp_metrics[SMTP_M_TOO_MANY], 1);
		session_bye(s, 421, "4.7.0", limit, "limit");
		return;
	}
	if (!s->in_tls)
		greet(s);
}
