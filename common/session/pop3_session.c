#include "session/pop3_session.h"

#include "base/clock.h"
#include "base/ids.h"
#include "base/xalloc.h"
#include "conf/common.h"
#include "directory/auth_wire.h"
#include "proto/sasl_line.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

STATIC_ASSERT(ORIGIN_SESSION_MAX >= IDS_SESSION_LEN);
STATIC_ASSERT(AUTH_WIRE_DATA_MAX >= SASL_MESSAGE_MAX);

void
pop3_session_reply(struct pop3_session *s, const char *line)
{
	buf_add_str(link_out(s->client), line);
	buf_add_str(link_out(s->client), "\r\n");
}

void
pop3_session_touch(struct pop3_session *s)
{
	link_set_deadline(s->client, s->service->idle_ms);
}

/* ---- the end ---------------------------------------------------------------------------- */

static void
session_free(void *ctx)
{
	struct pop3_session *s = ctx;

	pop3_server_free(&s->core);
	free(s);
}

void
pop3_session_end(struct pop3_session *s, const char *why)
{
	struct pop3_service *p = s->service;
	struct loop *l = p->c.loop;
	struct buf done = BUF_INIT(1000);

	if (s->ended)
		return;
	s->ended = true;
	p->c.ops->end(s, &done);
	log_info(&s->log, "pop3.session why=%s %s tls=%d ms=%" PRIu64, log_esc(why),
	         buf_cstr(&done), pop3_server_is_tls(s->core), clock_mono_ms() - s->started_ms);
	buf_fini(&done);
	metrics_sub(&pop3_metrics[POP3_M_SESSIONS], 1);
	auth_cancel(p->c.auth, s->auth_id);
	link_end(&s->client);
	sessions_remove(&p->sessions, &s->node);
	loop_defer(l, session_free, s);
}

/* ---- the login --------------------------------------------------------------------------- */

/* What was written outside of the link's callbacks goes out, and the client has the word. */
static void
go_on(struct pop3_session *s)
{
	link_flush(s->client);
	link_resume(s->client);
}

void
pop3_session_refuse(struct pop3_session *s, enum pop3_refusal why)
{
	bool later = why == POP3_REFUSED_TEMP || why == POP3_REFUSED_IN_USE;

	metrics_add(&pop3_metrics[later ? POP3_M_LOGIN_TEMP : POP3_M_LOGIN_DENIED], 1);
	s->log.user = NULL;
	s->store = NULL;
	pop3_server_refused(s->core, why, link_out(s->client));
	if (pop3_server_is_over(s->core))
		pop3_session_end(s, "too many failed logins");
	else
		go_on(s);
}

void
pop3_session_enter(struct pop3_session *s)
{
	pop3_server_logged_in(s->core);
	s->logged_in = true;
	metrics_add(&pop3_metrics[POP3_M_LOGIN_OK], 1);
	pop3_session_reply(s, "+OK Logged in.");
	pop3_session_touch(s);
	go_on(s);
}

static void
on_identity(struct pop3_session *s, const struct auth_reply *r)
{
	if (r->user == NULL || strlen(r->user) >= sizeof(s->user)) {
		pop3_session_refuse(s, POP3_REFUSED_AUTH); /* he can have no mailbox */
		return;
	}
	snprintf(s->user, sizeof(s->user), "%s", r->user);
	s->log.user = s->user;
	s->service->c.ops->known(s, r);
}

static void
on_auth(void *ctx, uint64_t id, const struct auth_reply *r)
{
	struct pop3_session *s = ctx;

	if (r->result == AUTH_CONTINUE) {
		pop3_server_challenge(s->core, r->challenge, link_out(s->client));
		go_on(s);
		return;
	}
	s->auth_id = 0;
	switch (r->result) {
	case AUTH_OK:
		on_identity(s, r);
		return;
	case AUTH_DENIED:
	case AUTH_UNKNOWN:
		pop3_session_refuse(s, POP3_REFUSED_AUTH);
		return;
	case AUTH_INVALID:
		pop3_session_refuse(s, POP3_REFUSED_INVALID);
		return;
	default:
		pop3_session_refuse(s, POP3_REFUSED_TEMP);
	}
}

static void
on_login(struct pop3_session *s, const struct pop3_event *ev)
{
	struct auth *auth = s->service->c.auth;
	struct auth_session as = { .service = "pop3",
		                   .session = s->id,
		                   .peer = s->peer,
		                   .tls = pop3_server_is_tls(s->core),
		                   .conn = link_conn(s->client) };

	link_pause(s->client);
	if (ev->kind == POP3_LOGIN)
		s->auth_id = auth_login(auth, &as, ev->user, ev->secret, on_auth, s);
	else if (ev->kind == POP3_SASL_START)
		s->auth_id = auth_start(auth, &as, ev->mech, ev->data, on_auth, s);
	else
		auth_step(auth, s->auth_id, ev->data);
}

/* ---- commands ------------------------------------------------------------------------------ */

/* From a front end or a proxy that we trust: the client's address and the session's name on
 * all tiers. */
static void
on_xclient(struct pop3_session *s, const struct pop3_event *ev)
{
	if (ev->addr.p != NULL) {
		snprintf(s->peer, sizeof(s->peer), "%.*s", SLICE_ARG(ev->addr));
		if (s->service->c.ops->client_follows)
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
		break;
	}
	if (!s->logged_in) {
		pop3_session_end(s, "quit");
		return;
	}
	s->quitting = ev->kind == POP3_QUIT || ev->kind == POP3_BYE;
	pop3_session_touch(s);
	s->service->c.ops->command(s, ev);
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
		pop3_session_end(s, "bad input");
	return used;
}

static void
client_drained(void *core)
{
	struct pop3_session *s = core;

	if (!s->logged_in)
		return;
	pop3_session_touch(s);
	s->service->c.ops->drained(s);
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
		pop3_session_reply(s, "-ERR [SYS/TEMP] That took too long.");
	pop3_session_end(s, s->logged_in ? "idle" : "login timeout");
}

static void
client_closed(void *core, enum conn_end why)
{
	struct pop3_session *s = core;

	/* He said QUIT and hung up: the deletions are still to be done. */
	if (why == CONN_END_EOF && s->quitting)
		return;
	pop3_session_end(s, conn_end_text(why));
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
	link_set_deadline(s->client, p->login_ms);
}

void
pop3_session_start(struct pop3_service *p, struct conn **c, bool tls)
{
	struct pop3_session *s = xcalloc(1, p->c.ops->session_bytes);

	must(!tls || p->c.tls != NULL);
	s->service = p;
	session_begin(s, c, tls);
	if (tls) {
		s->implicit_tls = true;
		link_start_tls_server(s->client, p->c.tls);
		if (sessions_are_too_many(&p->sessions))
			pop3_session_end(s, "too many sessions");
		return;
	}
	if (sessions_are_too_many(&p->sessions)) {
		pop3_session_reply(s, "-ERR [SYS/TEMP] Too many sessions.");
		pop3_session_end(s, "too many sessions");
		return;
	}
	greet(s);
	link_flush(s->client);
}
