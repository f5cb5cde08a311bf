/*
 * Who the client is: AUTH (RFC 4954), and what it allows. A conversation has as many steps as its
 * mechanism likes; the auth workers lead it, and answer failures late.
 */
#include "session/session_impl.h"

#include <stdio.h>

/* ---- what he is -------------------------------------------------------------------------------- */

static void
set_user(struct smtp_session *s, const char *user)
{
	snprintf(s->user, sizeof(s->user), "%s", user);
	s->log.user = *s->user != '\0' ? s->user : NULL;
}

void
session_login_set(struct smtp_session *s, struct slice user)
{
	const char *domain = conf_str(s->proxy->c.conf, "default_domain");
	char canonical[DIRECTORY_NAME_MAX + 1];

	set_user(s, directory_canon(user, domain, canonical) ? canonical : "");
}

void
session_login_forget(struct smtp_session *s)
{
	set_user(s, "");
}

/* An MTA before us has a queue and a way out of its own. */
bool
session_may_relay(const struct smtp_session *s)
{
	if (s->service == SMTP_SERVICE_LMTP)
		return false;
	return *s->user != '\0' || conf_nets_has(s->proxy->c.conf, "mynetworks", &s->from);
}

/* ---- the conversation --------------------------------------------------------------------------- */

static void
accept_login(struct smtp_session *s, const char *user)
{
	set_user(s, user);
	metrics_add(&smtp_metrics[SMTP_M_LOGIN_OK], 1);
	log_info(&s->log, "login.ok service=%s tls=%d", smtp_service_name(s->service),
	         smtp_server_is_tls(s->core));
	smtp_server_logged_in(s->core, link_out(s->client));
}

static void
refuse(struct smtp_session *s, enum smtp_auth_refusal why)
{
	metrics_add(&smtp_metrics[why == SMTP_AUTH_TEMP ? SMTP_M_LOGIN_TEMP : SMTP_M_LOGIN_DENIED],
	            1);
	smtp_server_refused(s->core, why, link_out(s->client));
	if (smtp_server_is_over(s->core))
		session_end(s, "failed logins");
}

static void
on_auth(void *ctx, uint64_t id, const struct auth_reply *r)
{
	struct smtp_session *s = ctx;

	if (r->result != AUTH_CONTINUE)
		s->auth_id = 0;
	switch (r->result) {
	case AUTH_CONTINUE:
		smtp_server_challenge(s->core, r->challenge, link_out(s->client));
		break;
	case AUTH_OK:
		accept_login(s, r->user);
		break;
	case AUTH_INVALID:
		refuse(s, SMTP_AUTH_INVALID);
		break;
	case AUTH_TEMP:
	case AUTH_LIMIT:
		refuse(s, SMTP_AUTH_TEMP);
		break;
	case AUTH_DENIED:
	case AUTH_UNKNOWN:
		refuse(s, SMTP_AUTH_DENIED);
		break;
	}
	session_answered(s);
}

void
session_login_start(struct smtp_session *s, const struct smtp_event *ev)
{
	struct auth_session as = {
		.service = "smtp",
		.session = s->id,
		.peer = s->peer,
		.tls = smtp_server_is_tls(s->core),
		.conn = link_conn(s->client),
	};

	s->auth_id = auth_start(s->proxy->c.auth, &as, ev->mech, ev->data, on_auth, s);
}

void
session_login_step(struct smtp_session *s, struct slice data)
{
	auth_step(s->proxy->c.auth, s->auth_id, data);
}

void
session_login_cancel(struct smtp_session *s)
{
	if (s->auth_id != 0)
		auth_cancel(s->proxy->c.auth, s->auth_id);
	s->auth_id = 0;
}
