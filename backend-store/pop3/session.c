/*
 * One client of the store: greeting, TLS, login, and the link. What follows the login is
 * transaction.c's.
 *
 * While an answer is awaited (auth worker, store) or a long one goes out, the link is
 * paused, so that the core is not fed.
 */
#include "pop3/session_impl.h"

#include "base/clock.h"
#include "base/ids.h"
#include "base/xalloc.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

STATIC_ASSERT(POP3_SESSION_MAX >= IDS_SESSION_LEN);

void
session_reply(struct pop3_session *s, const char *line)
{
	buf_add_str(link_out(s->client), line);
	buf_add_str(link_out(s->client), "\r\n");
}

void
session_touch(struct pop3_session *s)
{
	link_set_deadline(s->client, s->service->limits.idle_ms);
}

/* ---- the end ---------------------------------------------------------------------------- */

static void
session_free(void *ctx)
{
	struct pop3_session *s = ctx;

	pop3_server_free(&s->core);
	drop_fini(&s->drop);
	free(s);
}

void
session_end(struct pop3_session *s, const char *why)
{
	struct pop3_service *p = s->service;
	struct loop *l = p->c.loop;

	if (s->ended)
		return;
	s->ended = true;
	log_info(&s->log,
	         "pop3.session why=%s messages=%" PRIu32 " retrieved=%" PRIu32 " deleted=%" PRIu32
	         " bytes=%" PRIu64 " tls=%d ms=%" PRIu64,
	         log_esc(why), s->drop.count, s->retrieved, s->deleted, s->bytes,
	         pop3_server_is_tls(s->core), clock_mono_ms() - s->started_ms);
	metrics_sub(&pop3_metrics[POP3_M_SESSIONS], 1);
	auth_cancel(p->c.auth, s->auth_id);
	store_cancel(p->c.store, s->store_id);
	if (s->drop.mailbox != NULL)
		mailbox_release(&s->drop.mailbox);
	link_end(&s->client);
	sessions_remove(&p->sessions, &s->node);
	loop_defer(l, session_free, s);
}

/* ---- into the maildrop --------------------------------------------------------------------- */

static void
refuse(struct pop3_session *s, enum pop3_refusal why)
{
	metrics_add(
		&pop3_metrics[why == POP3_REFUSED_TEMP ? POP3_M_LOGIN_TEMP : POP3_M_LOGIN_DENIED],
		1);
	s->log.user = NULL;
	pop3_server_refused(s->core, why, link_out(s->client));
	if (pop3_server_is_over(s->core)) {
		session_end(s, "too many failed logins");
		return;
	}
	link_flush(s->client);
	link_resume(s->client);
}

/* Not his fault, and perhaps well in a minute: of no use to him to know more. */
static void
refuse_later(struct pop3_session *s, const char *why)
{
	log_warning(&s->log, "pop3.no_maildrop why=%s", log_esc(why));
	refuse(s, POP3_REFUSED_TEMP);
}

static void
on_open(void *ctx, enum mbox_result result, struct mailbox *m)
{
	struct pop3_session *s = ctx;

	s->store_id = 0;
	if (result != MBOX_OK) {
		refuse_later(s, mbox_result_name(result));
		return;
	}
	drop_init(&s->drop, &m);
	pop3_server_logged_in(s->core);
	s->logged_in = true;
	metrics_add(&pop3_metrics[POP3_M_LOGIN_OK], 1);
	log_debug(&s->log, "pop3.login messages=%" PRIu32, s->drop.count);
	session_reply(s, "+OK Logged in.");
	session_touch(s);
	link_flush(s->client);
	link_resume(s->client);
}

static void enter(struct pop3_session *s, bool may_create);

static void
on_created(void *ctx, enum mbox_result result)
{
	struct pop3_session *s = ctx;

	s->store_id = 0;
	if (result != MBOX_OK && result != MBOX_EXISTS)
		refuse_later(s, mbox_result_name(result));
	else
		enter(s, false);
}

/* Who has no INBOX yet gets one, unless the front end knew of one here: then it is gone
 * elsewhere, and the front end has to look again. */
static void
enter(struct pop3_session *s, bool may_create)
{
	struct store *store = s->service->c.store;
	struct mbox_info info;
	struct mbox_name inbox;

	if (!mbox_name_of_user(slice_of(s->user), store_default_domain(store), &inbox)) {
		refuse(s, POP3_REFUSED_AUTH); /* an identity that is no mail user */
		return;
	}
	if (!store_find(store, mbox_name_slice(&inbox), &info)) {
		if (may_create && s->claim == 0)
			s->store_id = store_create_user(store, slice_of(s->user), on_created, s);
		else
			refuse_later(s, "the mailbox is not here");
		return;
	}
	/* invariant 5: a store that has lost its claim refuses */
	if (info.conflict || (s->claim != 0 && info.claim != s->claim)) {
		refuse_later(s, "the mailbox is not ours");
		return;
	}
	s->store_id = mailbox_open(store, mbox_name_slice(&inbox), on_open, s);
}

/* ---- who is it? ------------------------------------------------------------------------------ */

static void
on_identity(struct pop3_session *s, const struct auth_reply *r)
{
	/* admins act for users; they have no mail themselves */
	if (r->user == NULL || strlen(r->user) >= sizeof(s->user) ||
	    (r->admin && r->authcid != NULL && strcmp(r->user, r->authcid) == 0)) {
		refuse(s, POP3_REFUSED_AUTH);
		return;
	}
	snprintf(s->user, sizeof(s->user), "%s", r->user);
	s->log.user = s->user;
	s->claim = r->proxied ? r->claim : 0;
	enter(s, true);
}

static void
on_auth(void *ctx, uint64_t id, const struct auth_reply *r)
{
	struct pop3_session *s = ctx;

	if (r->result == AUTH_CONTINUE) {
		pop3_server_challenge(s->core, r->challenge, link_out(s->client));
		link_flush(s->client);
		link_resume(s->client);
		return;
	}
	s->auth_id = 0;
	switch (r->result) {
	case AUTH_OK:
		on_identity(s, r);
		return;
	case AUTH_DENIED:
	case AUTH_UNKNOWN:
		refuse(s, POP3_REFUSED_AUTH);
		return;
	case AUTH_INVALID:
		refuse(s, POP3_REFUSED_INVALID);
		return;
	default:
		refuse(s, POP3_REFUSED_TEMP);
	}
}

static void
on_login(struct pop3_session *s, const struct pop3_event *ev)
{
	struct auth *auth = s->service->c.auth;
	struct auth_session as = { .service = "pop3",
		                   .session = s->id,
		                   .peer = s->peer,
		                   .tls = pop3_server_is_tls(s->core) };

	link_pause(s->client);
	if (ev->kind == POP3_LOGIN)
		s->auth_id = auth_login(auth, &as, ev->user, ev->secret, on_auth, s);
	else if (ev->kind == POP3_SASL_START)
		s->auth_id = auth_start(auth, &as, ev->mech, ev->data, on_auth, s);
	else
		auth_step(auth, s->auth_id, ev->data);
}

/* From a front end: the client's address and the session's name on all tiers. */
static void
on_xclient(struct pop3_session *s, const struct pop3_event *ev)
{
	if (ev->addr.p != NULL)
		snprintf(s->peer, sizeof(s->peer), "%.*s", SLICE_ARG(ev->addr));
	if (ev->session.p != NULL)
		snprintf(s->id, sizeof(s->id), "%.*s", SLICE_ARG(ev->session));
}

static void
on_event(struct pop3_session *s, const struct pop3_event *ev)
{
	switch (ev->kind) {
	case POP3_LOGIN:
	case POP3_SASL_START:
	case POP3_SASL_STEP:
		on_login(s, ev);
		return;
	case POP3_SASL_CANCEL:
		auth_cancel(s->service->c.auth, s->auth_id);
		s->auth_id = 0;
		return;
	case POP3_STLS:
		link_start_tls_server(s->client, s->service->c.tls);
		return;
	case POP3_XCLIENT:
		on_xclient(s, ev);
		return;
	default:
		if (s->logged_in)
			transaction_command(s, ev);
		else
			session_end(s, "quit");
	}
}

/* ---- the link ---------------------------------------------------------------------------- */

static size_t
client_input(void *core, struct slice in)
{
	struct pop3_session *s = core;
	struct pop3_event ev;
	size_t used;
	int r = pop3_server_input(s->core, in, &used, link_out(s->client), &ev);

	if (r == 1)
		on_event(s, &ev);
	else if (r == -1)
		session_end(s, "bad input");
	return used;
}

static void
client_drained(void *core)
{
	struct pop3_session *s = core;

	if (!s->logged_in)
		return;
	session_touch(s);
	stream_go_on(s);
}

static void
greet(struct pop3_session *s)
{
	char text[300];

	snprintf(text, sizeof(text), "%s POP3 ready.", conf_common_hostname(s->service->c.conf));
	pop3_server_greet(s->core, text, link_out(s->client));
}

static void
client_tls(void *core)
{
	struct pop3_session *s = core;

	if (s->implicit_tls) {
		s->implicit_tls = false;
		greet(s);
	} else {
		pop3_server_tls_done(s->core);
	}
}

/* RFC 1939 section 3: after the inactivity timer nothing is said and nothing deleted. */
static void
client_deadline(void *core)
{
	struct pop3_session *s = core;

	if (!s->logged_in && !s->implicit_tls)
		session_reply(s, "-ERR [SYS/TEMP] That took too long.");
	session_end(s, s->logged_in ? "idle" : "login timeout");
}

static void
client_closed(void *core, enum conn_end why)
{
	struct pop3_session *s = core;

	/* He said QUIT and wants no more: the answer still comes. */
	if (why == CONN_END_EOF && s->quitting)
		return;
	session_end(s, conn_end_text(why));
}

static const struct link_ops client_ops = {
	.input = client_input,
	.drained = client_drained,
	.tls = client_tls,
	.deadline = client_deadline,
	.closed = client_closed,
};

static void
session_begin(struct pop3_session *s, struct conn **c, bool tls)
{
	struct pop3_service *p = s->service;
	const struct addr *peer = conn_peer(*c);

	addr_host_text(peer, s->peer);
	ids_session(s->id);
	s->log = (struct log_ctx){ .session = s->id, .peer = s->peer };
	s->started_ms = clock_mono_ms();
	s->settings = (struct pop3_server_settings){
		.mechs = auth_mechs(p->c.auth),
		.tls_offered = p->c.tls != NULL,
		.plaintext_ok = conf_nets_has(p->c.conf, "plaintext_networks", peer),
		.xclient_ok = conf_nets_has(p->c.conf, "trusted_networks", peer),
		.implementation = "Roost",
	};
	s->core = pop3_server_new(&s->settings, tls);
	s->client = link_new(c, &client_ops, s, NULL);
	sessions_add(&p->sessions, &s->node);
	metrics_add(&pop3_metrics[POP3_M_SESSIONS], 1);
	metrics_add(&pop3_metrics[POP3_M_CONNECTIONS], 1);
	link_set_deadline(s->client, p->limits.login_ms);
}

void
pop3_session_start(struct pop3_service *p, struct conn **c, bool tls)
{
	struct pop3_session *s = xcalloc(1, sizeof(*s));

	must(!tls || p->c.tls != NULL);
	s->service = p;
	session_begin(s, c, tls);
	if (tls) {
		s->implicit_tls = true;
		link_start_tls_server(s->client, p->c.tls);
		if (sessions_are_too_many(&p->sessions))
			session_end(s, "too many sessions");
		return;
	}
	if (sessions_are_too_many(&p->sessions)) {
		session_reply(s, "-ERR [SYS/TEMP] Too many sessions.");
		session_end(s, "too many sessions");
		return;
	}
	greet(s);
	link_flush(s->client);
}
