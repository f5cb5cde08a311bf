/*
 * One client up to his login: greeting, TLS, USER and PASS or AUTH, home, store. What
 * happens afterwards is relay.c's.
 *
 * While an answer is awaited (auth worker, location, store) the client's link is paused, so
 * that the core is not fed.
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

/* ---- the end ---------------------------------------------------------------------------- */

static void
session_free(void *ctx)
{
	struct pop3_session *s = ctx;

	pop3_server_free(&s->core);
	secret_wipe(s->grant, sizeof(s->grant));
	free(s);
}

const char *
session_store(const struct pop3_session *s)
{
	return s->server != NULL ? log_esc(s->server->name) : "-";
}

void
session_end(struct pop3_session *s, const char *why)
{
	struct loop *l = s->proxy->c.loop;

	if (s->ended)
		return;
	s->ended = true;
	log_info(&s->log,
	         "pop3.session why=%s store=%s commands=%" PRIu64 " bytes=%" PRIu64
	         " tls=%d ms=%" PRIu64,
	         log_esc(why), session_store(s), s->relay.commands, s->relay.bytes,
	         pop3_server_is_tls(s->core), clock_mono_ms() - s->started_ms);
	metrics_sub(&pop3_metrics[POP3_M_SESSIONS], 1);
	if (s->auth_id != 0)
		auth_cancel(s->proxy->c.auth, s->auth_id);
	home_cancel(s->proxy->c.home, s->home_id);
	pop3_leg_free(&s->leg);
	link_end(&s->client);
	sessions_remove(&s->proxy->sessions, &s->node);
	loop_defer(l, session_free, s);
}

/* ---- the login's answers ------------------------------------------------------------------- */

static void
refuse(struct pop3_session *s, enum pop3_refusal why)
{
	metrics_add(&pop3_metrics[why == POP3_REFUSED_TEMP || why == POP3_REFUSED_IN_USE
	                                  ? POP3_M_LOGIN_TEMP
	                                  : POP3_M_LOGIN_DENIED],
	            1);
	s->log.user = NULL;
	s->server = NULL;
	secret_wipe(s->grant, sizeof(s->grant));
	pop3_server_refused(s->core, why, link_out(s->client));
	if (pop3_server_is_over(s->core)) {
		session_end(s, "too many failed logins");
		return;
	}
	link_flush(s->client);
	link_resume(s->client);
}

static void
on_leg_up(void *ctx, const struct pop3_offer *offer)
{
	struct pop3_session *s = ctx;

	pop3_server_logged_in(s->core);
	s->logged_in = true;
	secret_wipe(s->grant, sizeof(s->grant));
	metrics_add(&pop3_metrics[POP3_M_LOGIN_OK], 1);
	log_debug(&s->log, "pop3.login store=%s", session_store(s));
	buf_add_str(link_out(s->client), "+OK Logged in.\r\n");
	relay_start(s, offer);
	link_flush(s->client);
	link_resume(s->client);
}

static void
on_leg_down(void *ctx, bool in_use, const char *why)
{
	struct pop3_session *s = ctx;

	if (s->logged_in) {
		relay_store_lost(s, why);
		return;
	}
	log_warning(&s->log, "pop3.store_unavailable store=%s why=%s", session_store(s),
	            log_esc(why));
	pop3_leg_free(&s->leg);
	refuse(s, in_use ? POP3_REFUSED_IN_USE : POP3_REFUSED_TEMP);
}

static size_t
on_leg_input(void *ctx, struct slice in)
{
	return relay_store_input(ctx, in);
}

static void
on_leg_drained(void *ctx)
{
	relay_store_drained(ctx);
}

static const struct pop3_leg_ops leg_ops = {
	.up = on_leg_up,
	.input = on_leg_input,
	.drained = on_leg_drained,
	.down = on_leg_down,
};

/* ---- the way home ------------------------------------------------------------------------- */

static void
on_home(void *ctx, uint64_t id, const struct home_answer *a)
{
	struct pop3_session *s = ctx;
	struct pop3_proxy *p = s->proxy;

	s->home_id = 0;
	if (a->result != HOME_FOUND) {
		log_warning(&s->log, "pop3.no_home result=%s why=%s", home_result_text(a->result),
		            log_esc(a->why));
		refuse(s, POP3_REFUSED_TEMP);
		return;
	}
	s->server = a->server;
	if (s->server->pop3 == NULL) {
		log_error(&s->log, "pop3.no_address store=%s", session_store(s));
		refuse(s, POP3_REFUSED_TEMP);
		return;
	}
	s->login = (struct pop3_leg_login){ .grant = s->grant,
		                            .claim = a->claim,
		                            .peer = s->peer,
		                            .session = s->id,
		                            .connect_ms = p->limits.connect_ms,
		                            .login_ms = p->limits.store_ms };
	s->leg = pop3_leg_new(p->c.loop, p->c.auth, s->server, &s->login, &s->log, &leg_ops, s);
}

/* ---- who is it? ------------------------------------------------------------------------------ */

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
		break;
	case AUTH_DENIED:
	case AUTH_UNKNOWN:
		refuse(s, POP3_REFUSED_AUTH);
		return;
	case AUTH_INVALID:
		refuse(s, POP3_REFUSED_INVALID);
		return;
	default:
		refuse(s, POP3_REFUSED_TEMP);
		return;
	}
	if (r->user == NULL || r->grant == NULL || strlen(r->user) >= sizeof(s->user) ||
	    strlen(r->grant) >= sizeof(s->grant)) {
		refuse(s, POP3_REFUSED_AUTH); /* an identity without a mailbox */
		return;
	}
	snprintf(s->user, sizeof(s->user), "%s", r->user);
	snprintf(s->grant, sizeof(s->grant), "%s", r->grant);
	s->log.user = s->user;
	s->home_id = home_find(s->proxy->c.home, slice_of(s->user), on_home, s);
}

static void
on_login(struct pop3_session *s, const struct pop3_event *ev)
{
	struct auth_session as = { .service = "pop3",
		                   .session = s->id,
		                   .peer = s->peer,
		                   .tls = pop3_server_is_tls(s->core),
		                   .conn = link_conn(s->client) };

	link_pause(s->client);
	if (ev->kind == POP3_LOGIN)
		s->auth_id = auth_login(s->proxy->c.auth, &as, ev->user, ev->secret, on_auth, s);
	else if (ev->kind == POP3_SASL_START)
		s->auth_id = auth_start(s->proxy->c.auth, &as, ev->mech, ev->data, on_auth, s);
	else
		auth_step(s->proxy->c.auth, s->auth_id, ev->data);
}

/* From a proxy before us that we trust. What comes behind it are the client's own words, as the
 * proxy passes them on: he names nobody. */
static void
on_xclient(struct pop3_session *s, const struct pop3_event *ev)
{
	if (ev->addr.p != NULL) {
		snprintf(s->peer, sizeof(s->peer), "%.*s", SLICE_ARG(ev->addr));
		s->settings.xclient_ok = false;
	}
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
		auth_cancel(s->proxy->c.auth, s->auth_id);
		s->auth_id = 0;
		return;
	case POP3_STLS:
		link_start_tls_server(s->client, s->proxy->c.tls);
		return;
	case POP3_XCLIENT:
		on_xclient(s, ev);
		return;
	default:
		if (s->logged_in)
			relay_command(s, ev);
		else
			session_end(s, "quit");
	}
}

/* ---- the client's link --------------------------------------------------------------------- */

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

	if (s->logged_in)
		relay_client_drained(s);
}

static void
greet(struct pop3_session *s)
{
	char text[300];

	snprintf(text, sizeof(text), "%s POP3 ready.", conf_common_hostname(s->proxy->c.conf));
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
		buf_add_str(link_out(s->client), "-ERR [SYS/TEMP] That took too long.\r\n");
	session_end(s, s->logged_in ? "idle" : "login timeout");
}

static void
client_closed(void *core, enum conn_end why)
{
	struct pop3_session *s = core;

	/* He said QUIT and hung up: the deletions are still to be done. */
	if (why == CONN_END_EOF && s->logged_in && s->relay.quitting)
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
	struct pop3_proxy *p = s->proxy;
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
pop3_session_start(struct pop3_proxy *p, struct conn **c, bool tls)
{
	struct pop3_session *s = xcalloc(1, sizeof(*s));

	must(!tls || p->c.tls != NULL);
	s->proxy = p;
	session_begin(s, c, tls);
	if (tls) {
		s->implicit_tls = true;
		link_start_tls_server(s->client, p->c.tls);
		if (sessions_are_too_many(&p->sessions))
			session_end(s, "too many sessions");
		return;
	}
	if (sessions_are_too_many(&p->sessions)) {
		buf_add_str(link_out(s->client), "-ERR [SYS/TEMP] Too many sessions.\r\n");
		session_end(s, "too many sessions");
		return;
	}
	greet(s);
	link_flush(s->client);
}
