/*
 * login - STARTTLS, LOGIN, AUTHENTICATE. RFC 3501 section 6.2, RFC 4959.
 *
 * Passwords stay in imap_cmd's memory, which is wiped as soon as they are with the auth
 * workers. Failures are answered late: the auth workers see to that.
 */
#include "imap/session_impl.h"

#include "base/text.h"
#include "base/xalloc.h"

#include <stdio.h>
#include <stdlib.h>

#define FAILURES_MAX 3

#define REPLY_DENIED "NO [AUTHENTICATIONFAILED] Wrong user name or password"
#define REPLY_TEMP "NO [UNAVAILABLE] Logins cannot be checked now, try later"
#define REPLY_TLS "NO [PRIVACYREQUIRED] Passwords only inside TLS"

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

static struct auth_session
auth_session_of(struct imap_session *s)
{
	return (struct auth_session){ .service = "imap",
		                      .session = s->id,
		                      .peer = s->peer,
		                      .tls = conn_is_tls(link_conn(s->client)),
		                      .conn = link_conn(s->client) };
}

bool
imap_login_login(struct imap_session *s)
{
	struct auth_session as = auth_session_of(s);

	if (s->head.text.n > 0 || !s->head.last) {
		imap_session_refuse(s, "BAD LOGIN takes a user name and a password");
	} else if (!imap_session_may_login(s)) {
		imap_session_refuse(s, REPLY_TLS);
	} else {
		s->auth_busy = true;
		s->auth_id = auth_login(s->proxy->c.auth, &as, s->head.args[0], s->head.args[1],
		                        on_auth, s);
	}
	return true;
}

/* An initial response: "=" stands for an empty one. False: no base64. */
static bool
start(struct imap_session *s, const char *mech, struct slice text)
{
	struct auth_session as = auth_session_of(s);
	struct buf raw = BUF_INIT(16384);
	struct slice initial = { NULL, 0 };

	if (text.n > 0) {
		text = slice_skip(text, 1);
		if (!slice_eq(text, SLICE("=")) && !text_base64_decode(text, &raw))
			return false;
		initial = raw.len > 0 ? buf_slice(&raw) : SLICE("");
	}
	s->auth_busy = true;
	s->auth_id = auth_start(s->proxy->c.auth, &as, mech, initial, on_auth, s);
	buf_wipe(&raw);
	return true;
}

bool
imap_login_authenticate(struct imap_session *s)
{
	struct slice mech = s->head.args[0];
	char name[21] = "";

	for (size_t i = 0; i < mech.n && i < sizeof(name) - 1; i++)
		name[i] = text_upper(mech.p[i]);
	if (!s->head.last)
		imap_session_refuse(s, "BAD AUTHENTICATE takes no literal");
	else if (!auth_offers(s->proxy->c.auth, name))
		imap_session_refuse(s, "NO [CANNOT] This kind of login is not on offer");
	else if (!imap_session_may_login(s))
		imap_session_refuse(s, REPLY_TLS);
	else if (!start(s, name, s->head.text))
		imap_session_refuse(s, "BAD This is not base64");
	return true;
}

static void
cancel(struct imap_session *s, const char *reply)
{
	auth_cancel(s->proxy->c.auth, s->auth_id);
	s->auth_id = 0;
	imap_session_reply(s, reply);
}

void
imap_login_line(struct imap_session *s, struct slice line)
{
	struct buf raw = BUF_INIT(16384);

	s->sasl = false;
	if (slice_eq(line, SLICE("*"))) {
		cancel(s, "BAD AUTHENTICATE is cancelled");
	} else if (!text_base64_decode(line, &raw)) {
		cancel(s, "BAD This is not base64");
	} else {
		s->auth_busy = true;
		auth_step(s->proxy->c.auth, s->auth_id, buf_slice(&raw));
	}
	buf_wipe(&raw);
}
