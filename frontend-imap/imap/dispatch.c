/*
 * dispatch - the table of commands: which there are, when they may be said, who answers.
 *
 * All mailboxes a client can name belong to the home store here: it holds the user's own,
 * and says itself what it has of others. It is the truth about them (invariant 4), so its LIST
 * and its "no such mailbox" need no barrier; where the home is needs one (reach.c).
 */
#include "imap/session_impl.h"

#include "base/text.h"

/* ---- answered here -------------------------------------------------------------------------------------- */

static bool
has_arguments(struct imap_session *s)
{
	if (s->head.text.n == 0 && s->head.last)
		return false;
	imap_session_refuse(s, "BAD This command takes no arguments");
	return true;
}

static bool
local_capability(struct imap_session *s)
{
	struct buf caps = BUF_INIT(4096);

	if (has_arguments(s))
		return true;
	imap_session_add_capabilities(s, &caps);
	imap_session_say(s, "* CAPABILITY %s", buf_cstr(&caps));
	imap_session_reply(s, "OK That is all");
	buf_fini(&caps);
	return true;
}

static bool
local_noop(struct imap_session *s)
{
	/* what is new in a mailbox only its store can tell */
	if (s->selected != NULL)
		return false;
	if (!has_arguments(s))
		imap_session_reply(s, "OK Nothing to report");
	return true;
}

static bool
local_logout(struct imap_session *s)
{
	if (has_arguments(s))
		return true;
	imap_session_say(s, "* BYE Goodbye");
	imap_session_reply(s, "OK Logged out");
	imap_session_end(s, "logout");
	return true;
}

/* RFC 2971: what the client says of himself is of no use to us. */
static bool
local_id(struct imap_session *s)
{
	static const char reply[] = "OK That is who I am";

	imap_session_say(s, "* ID (\"name\" \"Roost\")");
	if (s->head.last) {
		imap_session_reply(s, reply);
		return true;
	}
	if (s->head.sync)
		imap_session_say(s, "+ Go ahead");
	(void)imap_cmd_discard(&s->cmd, true);
	s->after_discard = reply;
	return true;
}

static bool
local_namespace(struct imap_session *s)
{
	if (has_arguments(s))
		return true;
	/* another server has prefixes and separators of its own */
	if (s->store->kind == SERVER_FOREIGN)
		return false;
	imap_session_say(s, "* NAMESPACE ((\"\" \"/\")) NIL NIL");
	imap_session_reply(s, "OK That is all");
	return true;
}

/* RFC 5161: what nobody knows is left out without a word. */
static bool
local_enable(struct imap_session *s)
{
	struct slice words = s->head.text, word;
	bool condstore = false;

	if (words.n == 0 || !s->head.last) {
		imap_session_refuse(s, "BAD ENABLE takes names of capabilities");
		return true;
	}
	while (imap_resp_next_word(&words, &word))
		condstore = condstore || slice_ieq(word, SLICE("CONDSTORE"));
	if (condstore && (s->store->imap_offer.bits & OFFER(CONDSTORE)) != 0) {
		s->head.text = SLICE(" CONDSTORE");
		return false;
	}
	imap_session_say(s, "* ENABLED");
	imap_session_reply(s, "OK Nothing to enable");
	return true;
}

/* ---- the table ------------------------------------------------------------------------------------------- */

static const struct imap_row rows[] = {
	/* RFC 3501 section 6.1 to 6.4 */
	{ { "CAPABILITY", "" }, ROW_BEFORE | ROW_AFTER | ROW_ALONE, .local = local_capability },
	{ { "NOOP", "" }, ROW_BEFORE | ROW_AFTER | ROW_ALONE, .local = local_noop },
	{ { "LOGOUT", "" }, ROW_BEFORE | ROW_AFTER | ROW_ALONE, .local = local_logout },
	{ { "STARTTLS", "" }, ROW_BEFORE, .local = imap_login_starttls },
	{ { "LOGIN", "aa" }, ROW_BEFORE, .local = imap_login_login },
	{ { "AUTHENTICATE", "a" }, ROW_BEFORE, .local = imap_login_authenticate },
	{ { "SELECT", "a" }, ROW_AFTER | ROW_MAILBOX | ROW_SELECT | ROW_CONDSTORE },
	{ { "EXAMINE", "a" }, ROW_AFTER | ROW_MAILBOX | ROW_SELECT | ROW_CONDSTORE },
	{ { "CREATE", "a" }, ROW_AFTER | ROW_MAILBOX | ROW_MAKES },
	{ { "DELETE", "a" }, ROW_AFTER | ROW_MAILBOX },
	{ { "RENAME", "aa" }, ROW_AFTER | ROW_MAILBOX | ROW_MAKES },
	{ { "SUBSCRIBE", "a" }, ROW_AFTER | ROW_MAILBOX },
	{ { "UNSUBSCRIBE", "a" }, ROW_AFTER | ROW_MAILBOX },
	{ { "LIST", "" }, ROW_AFTER },
	{ { "LSUB", "" }, ROW_AFTER },
	{ { "STATUS", "a" }, ROW_AFTER | ROW_MAILBOX | ROW_CONDSTORE },
	{ { "APPEND", "a" }, ROW_AFTER | ROW_MAILBOX },
	{ { "CHECK", "" }, ROW_AFTER },
	{ { "CLOSE", "" }, ROW_AFTER | ROW_DESELECT },
	{ { "EXPUNGE", "" }, ROW_AFTER },
	{ { "SEARCH", "" }, ROW_AFTER | ROW_CONDSTORE },
	{ { "FETCH", "" }, ROW_AFTER | ROW_CONDSTORE },
	{ { "STORE", "" }, ROW_AFTER | ROW_CONDSTORE },
	{ { "COPY", "wa" }, ROW_AFTER | ROW_MAILBOX },
	{ { "UID SEARCH", "" }, ROW_AFTER | ROW_CONDSTORE },
	{ { "UID FETCH", "" }, ROW_AFTER | ROW_CONDSTORE },
	{ { "UID STORE", "" }, ROW_AFTER | ROW_CONDSTORE },
	{ { "UID COPY", "wa" }, ROW_AFTER | ROW_MAILBOX },
	/* RFC 2971, 2342, 5161, 2177, 3691, 4315, 6851 */
	{ { "ID", "" }, ROW_BEFORE | ROW_AFTER | ROW_ALONE, .local = local_id },
	{ { "NAMESPACE", "" }, ROW_AFTER | ROW_ALONE, OFFER(NAMESPACE), local_namespace },
	{ { "ENABLE", "" }, ROW_AFTER | ROW_ALONE | ROW_ENABLE, OFFER(ENABLE), local_enable },
	{ { "IDLE", "" }, ROW_AFTER | ROW_IDLE, OFFER(IDLE) },
	{ { "UNSELECT", "" }, ROW_AFTER | ROW_DESELECT, OFFER(UNSELECT) },
	{ { "UID EXPUNGE", "" }, ROW_AFTER, OFFER(UIDPLUS) },
	{ { "MOVE", "wa" }, ROW_AFTER | ROW_MAILBOX, OFFER(MOVE) },
	{ { "UID MOVE", "wa" }, ROW_AFTER | ROW_MAILBOX, OFFER(MOVE) },
	/* RFC 9208: a store calls a quota root by the name of its mailbox */
	{ { "GETQUOTA", "a" }, ROW_AFTER | ROW_MAILBOX, OFFER(QUOTA) },
	{ { "GETQUOTAROOT", "a" }, ROW_AFTER | ROW_MAILBOX, OFFER(QUOTA) },
	{ { "SETQUOTA", "a" }, ROW_AFTER | ROW_MAILBOX, OFFER(QUOTA) },
};

const struct imap_cmd_def *
imap_dispatch_find(struct slice name)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (slice_ieq_str(name, rows[i].def.name))
			return &rows[i].def;
	return NULL;
}

/* ---- a command -------------------------------------------------------------------------------------------- */

/* Names that cannot be are not sent to a store of ours; another server may have rules of
 * its own. NULL: fine, else the reply. */
static const char *
check_mailboxes(struct imap_session *s)
{
	const struct imap_row *row = s->head.row;
	const char *domain = conf_str(s->proxy->c.conf, "default_domain");
	struct mbox_view view = { slice_of(s->user), slice_of(domain != NULL ? domain : "") };

	for (size_t i = 0; row->def.args[i] != '\0'; i++) {
		struct slice name = s->head.args[i];
		struct mbox_name canonical;
		enum mbox_name_error e;

		if (row->def.args[i] != 'a')
			continue;
		if (!imap_cmd_is_quotable(name))
			return "BAD A mailbox name has characters that are not allowed";
		/* a SELECT that fails deselects: only the store can do that */
		if (s->store->kind != SERVER_ROOST || (row->flags & ROW_SELECT) != 0)
			continue;
		e = mbox_name_from_client(&view, mbox_name_strip_separator(name), &canonical);
		if (e != MBOX_NAME_OK)
			return arena_printf(s->head.arena, "NO [%s] %s",
			                    (row->flags & ROW_MAKES) != 0 ? "CANNOT"
			                                                  : "NONEXISTENT",
			                    mbox_name_error_text(e));
	}
	return NULL;
}

/* NULL: may be said now. */
static const char *
check_state(const struct imap_session *s)
{
	const struct imap_row *row = s->head.row;

	if (!s->logged_in && (row->flags & ROW_BEFORE) == 0)
		return "BAD Log in first";
	if (s->logged_in && (row->flags & ROW_AFTER) == 0)
		return "BAD You have logged in already";
	if (s->logged_in && (s->store->imap_offer.bits & row->needs) != row->needs)
		return "BAD unknown command";
	return NULL;
}

static void
to_store(struct imap_session *s)
{
	const char *problem = NULL;

	if ((s->head.row->flags & ROW_MAILBOX) != 0)
		problem = check_mailboxes(s);
	if (problem != NULL) {
		imap_session_refuse(s, problem);
	} else if (s->home == NULL || !imap_leg_is_up(s->home)) {
		s->head.waiting = true;
		imap_reach_home(s);
	} else {
		s->head.waiting = false;
		imap_forward_head(s, s->home);
	}
}

void
imap_dispatch_run(struct imap_session *s)
{
	const struct imap_row *row = s->head.row;
	const char *problem = check_state(s);

	if (problem != NULL) {
		imap_session_refuse(s, problem);
		return;
	}
	if (s->flight_count >= IMAP_FLIGHTS_MAX ||
	    ((row->flags & ROW_ALONE) != 0 && s->flight_count > 0)) {
		s->head.waiting = true;
		return;
	}
	if (row->local != NULL && row->local(s)) {
		s->head.waiting = false;
		return;
	}
	to_store(s);
}

void
imap_dispatch_head(struct imap_session *s, const struct imap_cmd_event *ev)
{
	struct imap_head *h = &s->head;
	/* never waits, and may hold a password: not copied */
	bool borrow = (((const struct imap_row *)ev->def)->flags & ROW_AFTER) == 0;

	arena_reset(h->arena);
	h->row = (const struct imap_row *)ev->def;
	h->tag = arena_slice_dup(h->arena, ev->tag);
	h->text = borrow ? ev->text : arena_slice_dup(h->arena, ev->text);
	for (size_t i = 0; i < IMAP_CMD_ARGS_MAX; i++)
		h->args[i] = borrow ? ev->args[i] : arena_slice_dup(h->arena, ev->args[i]);
	h->last = ev->last;
	h->sync = ev->sync;
	h->literal8 = ev->literal8;
	h->literal_n = ev->literal_n;
	imap_dispatch_run(s);
	if (borrow && !s->ended) {
		memset(h->args, 0, sizeof(h->args));
		h->text = SLICE("");
		if (!imap_cmd_is_open(&s->cmd))
			imap_cmd_forget(&s->cmd);
	}
}
