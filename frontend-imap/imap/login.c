/*
 * login - STARTTLS, LOGIN, AUTHENTICATE. RFC 3501 section 6.2, RFC 4959.
 *
 * Passwords stay in imap_cmd's memory, which is wiped as soon as they are with the auth
 * workers (session/imap_auth.h). Failures are answered late: the auth workers see to that.
 */
#include "imap/session_impl.h"

#include "base/text.h"
#include "base/xalloc.h"
#include "session/imap_auth.h"

#include <stdio.h>
#include <stdlib.h>

#define FAILURES_MAX 3

#define REPLY_DENIED "NO [AUTHENTICATIONFAILED] Wrong user name or password"
#define REPLY_TEMP "NO [UNAVAILABLE] Logins cannot be checked now, try later"

/* ---- TLS --------------------------------------------------------------------------------------------- */

bool
imap_login_starttls(struct imap_session *s)
{
	if (s->head.text.n > 0 || !s->head.last) {
		imap_session_refuse(s, "BAD STARTTLS takes no arguments");
	} else if (s->proxy->c.tls == NULL || conn_is_tls(link_conn(s->client))) {
		imap_session_refuse(s, "BAD STARTTLS is not on offer");
	} else {
		imap_session_reply(s, "OK Begin TLS now");
		s->starting_tls = true;
		link_start_tls_server(s->client, s->proxy->c.tls);
	}
	return true;
}

/* ---- the end of a login -------------------------------------------------------------------------------- */

void
imap_login_reached(struct imap_session *s)
{
	struct buf caps = BUF_INIT(4096);

	s->logged_in = true;
	imap_cmd_set_limits(&s->cmd, &s->proxy->limits.after);
	imap_session_add_capabilities(s, &caps);
	imap_session_say(s, "%.*s OK [CAPABILITY %s] Logged in", SLICE_ARG(s->head.tag),
	                 buf_cstr(&caps));
	buf_fini(&caps);
	metrics_add(&imap_metrics[IMAP_M_LOGIN_OK], 1);
	log_info(&s->log, "login.ok service=imap store=%s claim=%llu tls=%d", s->store->name,
	         (unsigned long long)s->claim, conn_is_tls(link_conn(s->client)));
	imap_session_arm_idle(s);
}

/* Not his fault: he may try again, as long as the time for logging in lasts. */
void
imap_login_unreachable(struct imap_session *s, const char *reply)
{
	metrics_add(&imap_metrics[IMAP_M_LOGIN_TEMP], 1);
	secret_wipe(s->grant, sizeof(s->grant));
	*s->user = '\0';
	s->log.user = NULL;
	s->store = NULL;
	imap_session_reply(s, reply);
}

static void
denied(struct imap_session *s, const char *reply)
{
	metrics_add(&imap_metrics[IMAP_M_LOGIN_DENIED], 1);
	imap_session_reply(s, reply);
	if (++s->failures >= FAILURES_MAX)
		imap_session_bye(s, "Too many failed logins", "failed logins");
}

/* Never "wrong password": whoever hears that changes it (RFC 5530 has LIMIT for this). */
static void
limited(struct imap_session *s, const char *why)
{
	char reply[160];

	metrics_add(&imap_metrics[IMAP_M_LOGIN_TEMP], 1);
	snprintf(reply, sizeof(reply), "NO [LIMIT] %s", why);
	imap_session_reply(s, reply);
	if (++s->failures >= FAILURES_MAX)
		imap_session_bye(s, "Too many failed logins", "failed logins");
}

static void
accepted(struct imap_session *s, const struct auth_reply *reply)
{
	struct slice user = slice_of(reply->user), grant = slice_of(reply->grant);

	if (user.n >= sizeof(s->user) || grant.n >= sizeof(s->grant)) {
		imap_session_reply(s, REPLY_TEMP);
		return;
	}
	memcpy(s->user, user.p, user.n + 1);
	memcpy(s->grant, grant.p, grant.n + 1);
	free(s->groups);
	s->groups = xstrdup(reply->groups != NULL ? reply->groups : "");
	s->log.user = s->user;
	imap_reach_home(s);
}

/* ---- the conversation ------------------------------------------------------------------------------------ */

static void
challenge(struct imap_session *s, struct slice raw)
{
	struct buf text = BUF_INIT(65536);

	text_base64_add(&text, raw);
	imap_session_say(s, "+ %s", buf_cstr(&text));
	buf_fini(&text);
	s->sasl = true;
	imap_cmd_expect_line(&s->cmd);
}

static void
on_auth(void *ctx, uint64_t id, const struct auth_reply *reply)
{
	struct imap_session *s = ctx;

	s->auth_busy = false;
	if (reply->result != AUTH_CONTINUE)
		s->auth_id = 0;
	switch (reply->result) {
	case AUTH_CONTINUE:
		challenge(s, reply->challenge);
		break;
	case AUTH_OK:
		accepted(s, reply);
		break;
	case AUTH_INVALID:
		denied(s, "BAD This login is malformed");
		break;
	case AUTH_TEMP:
		metrics_add(&imap_metrics[IMAP_M_LOGIN_TEMP], 1);
		imap_session_reply(s, REPLY_TEMP);
		break;
	case AUTH_LIMIT:
		limited(s, reply->why);
		break;
	case AUTH_DENIED:
	case AUTH_UNKNOWN:
		denied(s, REPLY_DENIED);
		break;
	}
	imap_session_wake(s);
}

static struct imap_auth_ask
ask_of(struct imap_session *s)
{
	return (struct imap_auth_ask){
		.auth = s->proxy->c.auth,
		.session = { .service = "imap",
		             .session = s->id,
		             .peer = s->peer,
		             .tls = conn_is_tls(link_conn(s->client)),
		             .conn = link_conn(s->client) },
		.allowed = imap_session_may_login(s),
		.args = s->head.args,
		.text = s->head.text,
		.last = s->head.last,
		.fn = on_auth,
		.ctx = s,
	};
}

/* refusal NULL: an auth worker has been asked. */
static bool
asked(struct imap_session *s, const char *refusal)
{
	s->auth_busy = refusal == NULL;
	if (refusal != NULL)
		imap_session_refuse(s, refusal);
	return true;
}

bool
imap_login_login(struct imap_session *s)
{
	struct imap_auth_ask ask = ask_of(s);

	return asked(s, imap_auth_login(&ask, &s->auth_id));
}

bool
imap_login_authenticate(struct imap_session *s)
{
	struct imap_auth_ask ask = ask_of(s);

	return asked(s, imap_auth_authenticate(&ask, &s->auth_id));
}

void
imap_login_line(struct imap_session *s, struct slice line)
{
	const char *refusal = imap_auth_line(s->proxy->c.auth, &s->auth_id, line);

	s->sasl = false;
	s->auth_busy = refusal == NULL;
	if (refusal != NULL)
		imap_session_reply(s, refusal);
}
