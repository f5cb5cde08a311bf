/*
 * capability - what this server does, and the commands that only talk about that: CAPABILITY,
 * ID (RFC 2971), ENABLE (RFC 5161), NAMESPACE (RFC 2342), NOOP, CHECK, LOGOUT.
 */
#include "imap/session_impl.h"

#include "base/text.h"
#include "imap/view.h"

#include <inttypes.h>
#include <stdio.h>

#define ID_PAIRS_MAX 30 /* RFC 2971 section 3.3 */
#define ID_FIELD_MAX 30
#define ID_VALUE_MAX 1024

/* Promise 9: each of these is carried out to the full. */
static const char always[] =
	"IMAP4rev1 LITERAL+ SASL-IR ID ENABLE IDLE NAMESPACE UIDPLUS MOVE UNSELECT CHILDREN "
	"LIST-EXTENDED SPECIAL-USE CREATE-SPECIAL-USE CONDSTORE MULTIAPPEND ESEARCH SORT SORT=DISPLAY THREAD=ORDEREDSUBJECT THREAD=REFERENCES ACL "
	"RIGHTS=kxte LIST-MYRIGHTS LIST-STATUS STATUS=SIZE QUOTA QUOTA=RES-STORAGE "
	"QUOTA=RES-MESSAGE";

void
imap_add_capabilities(struct imap_session *s, struct buf *out)
{
	struct slice mechs = slice_of(auth_mechs(s->service->c.auth)), mech;

	buf_printf(out, "%s APPENDLIMIT=%" PRIu64, always, s->limits.message_bytes);
	if (s->admin)
		buf_add_str(out, " QUOTASET");
	if (s->logged_in)
		return;
	if (s->service->c.tls != NULL && !conn_is_tls(link_conn(s->client)))
		buf_add_str(out, " STARTTLS");
	if (!login_is_allowed(s)) {
		buf_add_str(out, " LOGINDISABLED");
		return;
	}
	while (mechs.n > 0) {
		mech = slice_cut(&mechs, ' ');
		buf_printf(out, " AUTH=%.*s", SLICE_ARG(mech));
	}
}

void
cmd_capability(struct imap_session *s, UNUSED struct command *c)
{
	struct buf *out = imap_out(s);

	if (!command_args_end(s))
		return;
	buf_add_str(out, "* CAPABILITY ");
	imap_add_capabilities(s, out);
	buf_add_str(out, "\r\n");
	command_done(s, COMMAND_OK, NULL, "That is all");
}

/* What is new is told before every reply. */
void
cmd_noop(struct imap_session *s, UNUSED struct command *c)
{
	if (command_args_end(s))
		command_done(s, COMMAND_OK, NULL, "Done");
}

void
cmd_logout(struct imap_session *s, UNUSED struct command *c)
{
	if (!command_args_end(s))
		return;
	imap_untagged(s, "BYE Goodbye");
	command_done(s, COMMAND_OK, NULL, "Logged out");
	imap_session_end(s, "logout");
}

void
cmd_namespace(struct imap_session *s, UNUSED struct command *c)
{
	if (!command_args_end(s))
		return;
	imap_untagged(s, "NAMESPACE ((\"\" \"/\")) ((\"" MBOX_OTHER_USERS_PREFIX "\" \"/\"))"
	                 " ((\"" MBOX_SHARED_PREFIX "\" \"/\"))");
	command_done(s, COMMAND_OK, NULL, "That is all");
}

/* ---- ID ---------------------------------------------------------------------------------------- */

/* From a front end (frontend-imap/imap/leg.c). */
static void
take_origin(struct imap_session *s, struct slice field, struct slice value)
{
	if (slice_ieq(field, SLICE("x-originating-ip")) && origin_is_address(value))
		snprintf(s->peer, sizeof(s->peer), "%.*s", SLICE_ARG(value));
	else if (slice_ieq(field, SLICE("x-session-id")) && origin_is_session(value))
		snprintf(s->id, sizeof(s->id), "%.*s", SLICE_ARG(value));
}

static bool
read_id(struct imap_session *s, struct imap_args *a)
{
	struct slice field, value;
	unsigned pairs = 0;
	bool first = true;

	if (!imap_args_space(a))
		return false;
	if (imap_args_try_word(a, "NIL"))
		return imap_args_end(a);
	if (!imap_args_open(a, "parameters"))
		return false;
	while (imap_args_next(a, &first)) {
		if (!imap_args_string(a, "field", &field) || !imap_args_space(a) ||
		    !imap_args_nstring(a, "value", &value))
			return false;
		if (++pairs > ID_PAIRS_MAX || field.n > ID_FIELD_MAX || value.n > ID_VALUE_MAX)
			return imap_args_fail(a, "Too many or too long fields in ID");
		if (s->trusted && !s->logged_in && value.p != NULL)
			take_origin(s, field, value);
	}
	return imap_args_end(a);
}

void
cmd_id(struct imap_session *s, struct command *c)
{
	if (!read_id(s, &c->args)) {
		command_bad(s, imap_args_bad(&c->args));
		return;
	}
	imap_untagged(s, "ID (\"name\" \"Roost\")");
	command_done(s, COMMAND_OK, NULL, "That is who I am");
}

/* ---- ENABLE --------------------------------------------------------------------------------------- */

void
imap_enable_condstore(struct imap_session *s)
{
	if (s->condstore)
		return;
	s->condstore = true;
	if (s->view != NULL)
		imap_untagged(s, "OK [HIGHESTMODSEQ %" PRIu64 "] Highest", view_modseq(s->view));
}

/* What nobody knows is left out without a word. */
void
cmd_enable(struct imap_session *s, struct command *c)
{
	struct imap_args *a = &c->args;
	bool condstore = false;
	struct slice word;

	do {
		if (!imap_args_space(a) || !imap_args_atom(a, "capability", &word)) {
			command_bad(s, imap_args_bad(a));
			return;
		}
		condstore = condstore || slice_ieq(word, SLICE("CONDSTORE"));
	} while (imap_args_peek(a) == ' ');
	if (!command_args_end(s))
		return;
	imap_untagged(s, "ENABLED%s", condstore ? " CONDSTORE" : "");
	if (condstore)
		imap_enable_condstore(s);
	command_done(s, COMMAND_OK, NULL, "Enabled");
}
