/*
 * dispatch - the table of commands: which there are, when they may be said, who answers. Where
 * those go that are not answered here says route.c.
 */
#include "imap/session_impl.h"

#include "base/text.h"

#include <inttypes.h>

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
	imap_session_say(s, "* NAMESPACE ((\"\" \"/\")) ((\"" MBOX_OTHER_USERS_PREFIX
	                    "\" \"/\")) ((\"" MBOX_SHARED_PREFIX "\" \"/\"))");
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
	if (condstore && (imap_session_offer(s) & OFFER(CONDSTORE)) != 0) {
		s->head.text = SLICE(" CONDSTORE");
		return false;
	}
	imap_session_say(s, "* ENABLED");
	imap_session_reply(s, "OK Nothing to enable");
	return true;
}

/* ---- the table ------------------------------------------------------------------------------------------- */

#define COPY (ROW_AFTER | ROW_MAILBOX | ROW_COPY | ROW_FILLS)

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
	{ { "CREATE", "a" }, ROW_AFTER | ROW_MAILBOX | ROW_MAKES | ROW_CHANGES },
	{ { "DELETE", "a" }, ROW_AFTER | ROW_MAILBOX | ROW_CHANGES },
	{ { "RENAME", "aa" }, ROW_AFTER | ROW_MAILBOX | ROW_MAKES | ROW_CHANGES },
	{ { "SUBSCRIBE", "a" }, ROW_AFTER | ROW_MAILBOX | ROW_HOME },
	{ { "UNSUBSCRIBE", "a" }, ROW_AFTER | ROW_MAILBOX | ROW_HOME },
	{ { "LIST", "" }, ROW_AFTER | ROW_HOME | ROW_WHOLE | ROW_CONDSTORE },
	{ { "LSUB", "" }, ROW_AFTER | ROW_HOME },
	{ { "STATUS", "a" }, ROW_AFTER | ROW_MAILBOX | ROW_CONDSTORE },
	{ { "APPEND", "a" }, ROW_AFTER | ROW_MAILBOX | ROW_FILLS },
	{ { "CHECK", "" }, ROW_AFTER },
	{ { "CLOSE", "" }, ROW_AFTER | ROW_DESELECT },
	{ { "EXPUNGE", "" }, ROW_AFTER },
	{ { "SEARCH", "" }, ROW_AFTER | ROW_CONDSTORE },
	{ { "FETCH", "" }, ROW_AFTER | ROW_CONDSTORE },
	{ { "STORE", "" }, ROW_AFTER | ROW_CONDSTORE },
	{ { "COPY", "wa" }, COPY },
	{ { "UID SEARCH", "" }, ROW_AFTER | ROW_CONDSTORE },
	{ { "UID FETCH", "" }, ROW_AFTER | ROW_CONDSTORE },
	{ { "UID STORE", "" }, ROW_AFTER | ROW_CONDSTORE },
	{ { "UID COPY", "wa" }, COPY },
	/* RFC 2971, 2342, 5161, 2177, 3691, 4315, 6851 */
	{ { "ID", "" }, ROW_BEFORE | ROW_AFTER | ROW_ALONE, .local = local_id },
	{ { "NAMESPACE", "" },
	  ROW_AFTER | ROW_ALONE | ROW_HOME,
	  OFFER(NAMESPACE),
	  local_namespace },
	{ { "ENABLE", "" },
	  ROW_AFTER | ROW_ALONE | ROW_ENABLE | ROW_HOME,
	  OFFER(ENABLE),
	  local_enable },
	{ { "IDLE", "" }, ROW_AFTER | ROW_IDLE, OFFER(IDLE) },
	{ { "UNSELECT", "" }, ROW_AFTER | ROW_DESELECT, OFFER(UNSELECT) },
	{ { "UID EXPUNGE", "" }, ROW_AFTER, OFFER(UIDPLUS) },
	{ { "MOVE", "wa" }, COPY | ROW_MOVE, OFFER(MOVE) },
	{ { "UID MOVE", "wa" }, COPY | ROW_MOVE, OFFER(MOVE) },
	/* RFC 5256 */
	{ { "SORT", "" }, ROW_AFTER | ROW_CONDSTORE, OFFER(SORT) },
	{ { "UID SORT", "" }, ROW_AFTER | ROW_CONDSTORE, OFFER(SORT) },
	{ { "THREAD", "" }, ROW_AFTER | ROW_CONDSTORE },
	{ { "UID THREAD", "" }, ROW_AFTER | ROW_CONDSTORE },
	/* RFC 4314 */
	{ { "SETACL", "a" }, ROW_AFTER | ROW_MAILBOX | ROW_CHANGES, OFFER(ACL) },
	{ { "DELETEACL", "a" }, ROW_AFTER | ROW_MAILBOX | ROW_CHANGES, OFFER(ACL) },
	{ { "GETACL", "a" }, ROW_AFTER | ROW_MAILBOX, OFFER(ACL) },
	{ { "LISTRIGHTS", "a" }, ROW_AFTER | ROW_MAILBOX, OFFER(ACL) },
	{ { "MYRIGHTS", "a" }, ROW_AFTER | ROW_MAILBOX, OFFER(ACL) },
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

struct mbox_view
imap_dispatch_view(const struct imap_session *s)
{
	const char *domain = conf_str(s->proxy->c.conf, "default_domain");

	return (struct mbox_view){ slice_of(s->user), slice_of(domain != NULL ? domain : "") };
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
	if (s->logged_in && (imap_session_offer(s) & row->needs) != row->needs)
		return "BAD unknown command";
	return NULL;
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
	imap_route_head(s);
}

/* ---- one that is read to its end ---------------------------------------------------------------------------- */

static void
collect(struct imap_session *s, const struct imap_cmd_event *ev)
{
	struct imap_head *h = &s->head;

	h->last = ev->last;
	h->sync = ev->sync;
	buf_add_slice(&s->whole, ev->text);
	if (!ev->last)
		buf_printf(&s->whole, "%s{%" PRIu64 "}\r\n", ev->literal8 ? "~" : "",
		           ev->literal_n);
	h->collecting = !ev->last;
	if (s->whole.overflow || ev->literal_n > s->whole.limit - s->whole.len) {
		h->collecting = false;
		imap_session_refuse(s, "NO [LIMIT] This command is too long");
	} else if (ev->last) {
		h->text = arena_slice_dup(h->arena, buf_slice(&s->whole));
		imap_dispatch_run(s);
	} else if (ev->sync) {
		imap_session_say(s, "+ Go ahead");
	}
	if (!h->collecting)
		buf_fini(&s->whole);
}

void
imap_dispatch_text(struct imap_session *s, const struct imap_cmd_event *ev)
{
	collect(s, ev);
}

void
imap_dispatch_bytes(struct imap_session *s, struct slice bytes)
{
	/* there is room: the literal's size was looked at */
	buf_add_slice(&s->whole, bytes);
}

/* ---- its beginning ------------------------------------------------------------------------------------------ */

static void
start(struct imap_session *s, const struct imap_cmd_event *ev)
{
	struct imap_head *h = &s->head;

	if ((h->row->flags & ROW_WHOLE) != 0 && !ev->last && s->logged_in &&
	    s->store->kind == SERVER_ROOST) {
		buf_fini(&s->whole);
		collect(s, ev);
	} else {
		imap_dispatch_run(s);
	}
}

void
imap_dispatch_head(struct imap_session *s, const struct imap_cmd_event *ev)
{
	struct arena *arena = s->head.arena;
	const struct imap_row *row = (const struct imap_row *)ev->def;
	struct imap_head *h = &s->head;
	/* never waits, and may hold a password: not copied */
	bool borrow = (row->flags & ROW_AFTER) == 0;

	arena_reset(arena);
	*h = (struct imap_head){ .arena = arena, .row = row };
	h->tag = arena_slice_dup(arena, ev->tag);
	h->text = borrow ? ev->text : arena_slice_dup(arena, ev->text);
	for (size_t i = 0; i < IMAP_CMD_ARGS_MAX; i++)
		h->args[i] = borrow ? ev->args[i] : arena_slice_dup(arena, ev->args[i]);
	h->last = ev->last;
	h->sync = ev->sync;
	h->literal8 = ev->literal8;
	h->literal_n = ev->literal_n;
	start(s, ev);
	if (borrow && !s->ended) {
		memset(h->args, 0, sizeof(h->args));
		h->text = SLICE("");
		if (!imap_cmd_is_open(&s->cmd))
			imap_cmd_forget(&s->cmd);
	}
}
