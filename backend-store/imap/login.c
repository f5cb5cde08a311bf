/*
 * login - STARTTLS, LOGIN, AUTHENTICATE, and the way into the user's mailboxes. RFC 3501
 * section 6.2, RFC 4959.
 *
 * Passwords stay in imap_cmd's memory, which is wiped when the command is over
 * (session/imap_auth.h has the words). Failures are answered late: the auth workers see to that.
 */
#include "imap/session_impl.h"

#include "base/text.h"
#include "session/imap_auth.h"

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
		/* promise 5: a store that has lost its claim refuses */
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

static struct imap_auth_ask
ask_of(struct imap_session *s, const struct imap_cmd_event *head)
{
	return (struct imap_auth_ask){
		.auth = s->service->c.auth,
		.session = { .service = "imap",
		             .session = s->id,
		             .peer = s->peer,
		             .tls = conn_is_tls(link_conn(s->client)) },
		.allowed = login_is_allowed(s),
		.args = head->args,
		.text = head->text,
		.last = head->last,
		.fn = on_auth,
		.ctx = s,
	};
}

/* refusal NULL: an auth worker has been asked. */
static void
asked(struct imap_session *s, const char *refusal)
{
	if (refusal != NULL)
		command_refuse(s, refusal);
}

void
cmd_login(struct imap_session *s, struct command *c)
{
	struct imap_auth_ask ask = ask_of(s, c->head);

	asked(s, imap_auth_login(&ask, &s->auth_id));
}

void
cmd_authenticate(struct imap_session *s, struct command *c)
{
	struct imap_auth_ask ask = ask_of(s, c->head);

	asked(s, imap_auth_authenticate(&ask, &s->auth_id));
}

void
login_line(struct imap_session *s, struct slice line)
{
	s->sasl = false;
	asked(s, imap_auth_line(s->service->c.auth, &s->auth_id, line));
}
