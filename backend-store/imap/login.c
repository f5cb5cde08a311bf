/*
 * login - STARTTLS, LOGIN, AUTHENTICATE, and the way into the user's mailboxes. RFC 3501
 * section 6.2, RFC 4959.
 *
 * Passwords stay in imap_cmd's memory, which is wiped when the command is over. Failures are
 * answered late: the auth workers see to that.
 */
#include "imap/session_impl.h"

#include "base/text.h"

#include <stdio.h>

#define FAILURES_MAX 3

bool
login_is_allowed(const struct imap_session *s)
{
	return s->plaintext_ok || conn_is_tls(link_conn(s->client));
}

void
cmd_starttls(struct imap_session *s, UNUSED struct command *c)
{
	if (!command_args_end(s))
		return;
	if (s->service->c.tls == NULL || conn_is_tls(link_conn(s->client))) {
		command_bad(s, "STARTTLS is not on offer");
		return;
	}
	command_done(s, COMMAND_OK, NULL, "Begin TLS now");
	if (s->ended)
		return;
	s->starting_tls = true;
	link_start_tls_server(s->client, s->service->c.tls);
}

/* ---- the way in ----------------------------------------------------------------------------------- */

static void
denied(struct imap_session *s, enum command_end end, const char *code, const char *text)
{
	metrics_add(&imap_metrics[IMAP_M_LOGIN_DENIED], 1);
	s->log.user = NULL;
	s->failures++;
	command_done(s, end, code, text);
	if (s->failures >= FAILURES_MAX)
		imap_session_bye(s, "Too many failed logins", "failed logins");
}

static void
denied_user(struct imap_session *s)
{
	denied(s, COMMAND_NO, "AUTHENTICATIONFAILED", "Wrong user name or password");
}

/* Not his fault, and perhaps well in a minute: of no use to him to know more. */
static void
later(struct imap_session *s, const char *why)
{
	log_warning(&s->log, "imap.no_login why=%s", log_esc(why));
	metrics_add(&imap_metrics[IMAP_M_LOGIN_TEMP], 1);
	s->log.user = NULL;
	command_done(s, COMMAND_NO, "UNAVAILABLE", "You cannot log in now, try later");
}

static void
enter(struct imap_session *s)
{
	struct buf code = BUF_INIT(4096);

	s->logged_in = true;
	imap_cmd_set_limits(&s->reader, &s->limits.after);
	metrics_add(&imap_metrics[IMAP_M_LOGIN_OK], 1);
	log_debug(&s->log, "imap.login claim=%llu tls=%d", (unsigned long long)s->claim,
	          conn_is_tls(link_conn(s->client)));
	buf_add_str(&code, "CAPABILITY ");
	imap_add_capabilities(s, &code);
	command_done(s, COMMAND_OK, buf_cstr(&code), "Logged in");
	buf_fini(&code);
}

static void find_inbox(struct imap_session *s, bool may_create);

static void
on_created(void *ctx, enum mbox_result result)
{
	struct imap_session *s = ctx;

	s->login_store_id = 0;
	if (result != MBOX_OK && result != MBOX_EXISTS)
		later(s, mbox_result_name(result));
	else
		find_inbox(s, false);
}

/* Is this the store where his mailboxes belong? An admin may speak for users who are none. */
static void
on_home(void *ctx, UNUSED uint64_t id, const struct auth_user *u)
{
	struct imap_session *s = ctx;
	struct imap_service *p = s->service;

	s->auth_id = 0;
	if (u->result == AUTH_UNKNOWN)
		denied_user(s);
	else if (u->result != AUTH_OK)
		later(s, "the directory does not say where the home is");
	else if (u->home[0] != '\0' && strcmp(u->home, p->c.server) != 0)
		later(s, "the home is another store");
	else
		s->login_store_id = store_create_user(p->c.store, slice_of(s->user), on_created, s);
}

/* Who has no INBOX yet gets one, unless the front end knew of one here: then it is gone
 * elsewhere, and the front end has to look again. A guest needs none here. */
static void
find_inbox(struct imap_session *s, bool may_create)
{
	struct imap_service *p = s->service;
	struct mbox_name inbox;
	struct mbox_info info;

	if (!mbox_name_of_user(slice_of(s->user), store_default_domain(p->c.store), &inbox)) {
		denied_user(s); /* an identity that is no mail user */
		return;
	}
	if (s->claim == AUTH_CLAIM_GUEST) {
		enter(s);
	} else if (store_find(p->c.store, mbox_name_slice(&inbox), &info)) {
		/* invariant 5: a store that has lost its claim refuses */
		if (info.conflict || (s->claim != 0 && info.claim != s->claim))
			later(s, "the mailboxes are not ours");
		else
			enter(s);
	} else if (may_create && s->claim == 0) {
		s->auth_id = auth_lookup(p->c.auth, slice_of(s->user), on_home, s);
	} else {
		later(s, "the mailboxes are not here");
	}
}

/* ---- who is it? ------------------------------------------------------------------------------------ */

static void
accepted(struct imap_session *s, const struct auth_reply *r)
{
	/* admins act for users; they have no mail themselves */
	if (r->user == NULL || strlen(r->user) >= sizeof(s->user) ||
	    (r->admin && r->authcid != NULL && strcmp(r->user, r->authcid) == 0)) {
		denied_user(s);
		return;
	}
	snprintf(s->user, sizeof(s->user), "%s", r->user);
	s->log.user = s->user;
	s->claim = r->proxied ? r->claim : 0;
	s->admin = r->admin && !r->proxied;
	imap_who_init(s, r->groups != NULL ? r->groups : "");
	find_inbox(s, true);
}

static void
challenge(struct imap_session *s, struct slice raw)
{
	struct buf *out = imap_out(s);

	buf_add_str(out, "+ ");
	text_base64_add(out, raw);
	buf_add_str(out, "\r\n");
	s->sasl = true;
	command_expect_line(s);
	imap_session_wake(s);
}

static void
on_auth(void *ctx, UNUSED uint64_t id, const struct auth_reply *r)
{
	struct imap_session *s = ctx;

	if (r->result != AUTH_CONTINUE)
		s->auth_id = 0;
	switch (r->result) {
	case AUTH_CONTINUE:
		challenge(s, r->challenge);
		return;
	case AUTH_OK:
		accepted(s, r);
		return;
	case AUTH_INVALID:
		denied(s, COMMAND_BAD, NULL, "This login is malformed");
		return;
	case AUTH_TEMP:
	case AUTH_LIMIT: /* front ends limit, not stores */
		later(s, "the login cannot be checked");
		return;
	case AUTH_DENIED:
	case AUTH_UNKNOWN:
		denied_user(s);
		return;
	}
}

static struct auth_session
auth_session_of(struct imap_session *s)
{
	return (struct auth_session){ .service = "imap",
		                      .session = s->id,
		                      .peer = s->peer,
		                      .tls = conn_is_tls(link_conn(s->client)) };
}

static bool
may_log_in(struct imap_session *s)
{
	if (login_is_allowed(s))
		return true;
	command_done(s, COMMAND_NO, "PRIVACYREQUIRED", "Passwords only inside TLS");
	return false;
}

void
cmd_login(struct imap_session *s, struct command *c)
{
	struct auth_session as = auth_session_of(s);
	const struct imap_cmd_event *head = c->head;

	if (head->text.n > 0 || !head->last)
		command_bad(s, "LOGIN takes a user name and a password");
	else if (may_log_in(s))
		s->auth_id = auth_login(s->service->c.auth, &as, head->args[0], head->args[1],
		                        on_auth, s);
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
	s->auth_id = auth_start(s->service->c.auth, &as, mech, initial, on_auth, s);
	buf_wipe(&raw);
	return true;
}

void
cmd_authenticate(struct imap_session *s, struct command *c)
{
	const struct imap_cmd_event *head = c->head;
	struct slice mech = head->args[0];
	char name[21] = "";

	for (size_t i = 0; i < mech.n && i < sizeof(name) - 1; i++)
		name[i] = text_upper(mech.p[i]);
	if (!head->last)
		command_bad(s, "AUTHENTICATE takes no literal");
	else if (!auth_offers(s->service->c.auth, name))
		command_done(s, COMMAND_NO, "CANNOT", "This kind of login is not on offer");
	else if (may_log_in(s) && !start(s, name, head->text))
		command_bad(s, "This is not base64");
}

void
login_line(struct imap_session *s, struct slice line)
{
	struct auth *auth = s->service->c.auth;
	struct buf raw = BUF_INIT(16384);

	s->sasl = false;
	if (slice_eq(line, SLICE("*")) || !text_base64_decode(line, &raw)) {
		auth_cancel(auth, s->auth_id);
		s->auth_id = 0;
		command_bad(s, line.n == 1 ? "AUTHENTICATE is cancelled" : "This is not base64");
	} else {
		auth_step(auth, s->auth_id, buf_slice(&raw));
	}
	buf_wipe(&raw);
}
