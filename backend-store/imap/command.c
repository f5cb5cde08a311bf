/*
 * command - which commands there are and when they may be said; reading one with its
 * literals, carrying it out, its reply. See session_impl.h.
 */
#include "imap/session_impl.h"

#include "base/clock.h"
#include "imap/view.h"

#include <stdio.h>

#define BAD_BEFORE_MAX 10 /* commands that are none, in a row; then goodbye */
#define BAD_AFTER_MAX 50
#define COMMANDS_BEFORE_MAX 100
#define SLICE_US 5000  /* so long a pump works before others get their turn */
#define TEXT_KEPT 4096 /* memory of a command that is kept for the next one */

#define ANY (ROW_BEFORE | ROW_AFTER)
#define SELECTED (ROW_AFTER | ROW_SELECTED)

static const struct imap_row rows[] = {
	/* RFC 3501 section 6.1 to 6.3 */
	{ { "CAPABILITY", "" }, ANY, cmd_capability },
	{ { "NOOP", "" }, ANY, cmd_noop },
	{ { "LOGOUT", "" }, ANY | ROW_QUIET, cmd_logout },
	{ { "STARTTLS", "" }, ROW_BEFORE, cmd_starttls },
	{ { "LOGIN", "aa" }, ROW_BEFORE | ROW_HEAD, cmd_login },
	{ { "AUTHENTICATE", "a" }, ROW_BEFORE | ROW_HEAD, cmd_authenticate },
	{ { "SELECT", "" }, ROW_AFTER, cmd_select },
	{ { "EXAMINE", "" }, ROW_AFTER, cmd_examine },
	{ { "CREATE", "" }, ROW_AFTER, cmd_create },
	{ { "DELETE", "" }, ROW_AFTER, cmd_delete },
	{ { "RENAME", "" }, ROW_AFTER, cmd_rename },
	{ { "SUBSCRIBE", "" }, ROW_AFTER, cmd_subscribe },
	{ { "UNSUBSCRIBE", "" }, ROW_AFTER, cmd_unsubscribe },
	{ { "LIST", "" }, ROW_AFTER, cmd_list },
	{ { "LSUB", "" }, ROW_AFTER, cmd_lsub },
	{ { "STATUS", "" }, ROW_AFTER, cmd_status },
	{ { "APPEND", "a" }, ROW_AFTER | ROW_HEAD, cmd_append },
	/* section 6.4 */
	{ { "CHECK", "" }, SELECTED, cmd_noop },
	{ { "CLOSE", "" }, SELECTED | ROW_QUIET, cmd_close },
	{ { "EXPUNGE", "" }, SELECTED | ROW_WRITES, cmd_expunge },
	{ { "SEARCH", "" }, SELECTED | ROW_NO_EXPUNGE, cmd_search },
	{ { "FETCH", "" }, SELECTED | ROW_NO_EXPUNGE, cmd_fetch },
	{ { "STORE", "" }, SELECTED | ROW_WRITES | ROW_NO_EXPUNGE, cmd_store },
	{ { "COPY", "" }, SELECTED, cmd_copy },
	{ { "UID SEARCH", "" }, SELECTED | ROW_UID, cmd_search },
	{ { "UID FETCH", "" }, SELECTED | ROW_UID, cmd_fetch },
	{ { "UID STORE", "" }, SELECTED | ROW_WRITES | ROW_UID, cmd_store },
	{ { "UID COPY", "" }, SELECTED | ROW_UID, cmd_copy },
	/* RFC 5256 */
	{ { "SORT", "" }, SELECTED | ROW_NO_EXPUNGE, cmd_sort },
	{ { "UID SORT", "" }, SELECTED | ROW_UID, cmd_sort },
	{ { "THREAD", "" }, SELECTED | ROW_NO_EXPUNGE, cmd_thread },
	{ { "UID THREAD", "" }, SELECTED | ROW_UID, cmd_thread },
	/* RFC 4315, 6851 */
	{ { "UID EXPUNGE", "" }, SELECTED | ROW_WRITES | ROW_UID, cmd_expunge },
	{ { "MOVE", "" }, SELECTED | ROW_WRITES, cmd_move },
	{ { "UID MOVE", "" }, SELECTED | ROW_WRITES | ROW_UID, cmd_move },
	/* RFC 4314 */
	{ { "SETACL", "" }, ROW_AFTER, cmd_setacl },
	{ { "DELETEACL", "" }, ROW_AFTER, cmd_deleteacl },
	{ { "GETACL", "" }, ROW_AFTER, cmd_getacl },
	{ { "LISTRIGHTS", "" }, ROW_AFTER, cmd_listrights },
	{ { "MYRIGHTS", "" }, ROW_AFTER, cmd_myrights },
	/* RFC 2971, 5161, 2342, 2177, 3691 */
	{ { "ID", "" }, ANY, cmd_id },
	{ { "ENABLE", "" }, ROW_AFTER, cmd_enable },
	{ { "NAMESPACE", "" }, ROW_AFTER, cmd_namespace },
	{ { "IDLE", "" }, ROW_AFTER, cmd_idle },
	{ { "UNSELECT", "" }, SELECTED | ROW_QUIET, cmd_unselect },
	/* RFC 9208 */
	{ { "GETQUOTA", "" }, ROW_AFTER, cmd_getquota },
	{ { "GETQUOTAROOT", "" }, ROW_AFTER, cmd_getquotaroot },
	{ { "SETQUOTA", "" }, ROW_AFTER, cmd_setquota },
};

const struct imap_cmd_def *
command_find(struct slice name)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (slice_ieq_str(name, rows[i].def.name))
			return &rows[i].def;
	return NULL;
}

/* ---- the end of a command -------------------------------------------------------------------- */

static void
end_job(struct imap_session *s)
{
	struct command *c = &s->command;

	c->pump = NULL;
	store_cancel(s->service->c.store, c->store_id);
	c->store_id = 0;
	if (c->cleanup != NULL)
		c->cleanup(s);
	c->cleanup = NULL;
	c->job = NULL;
}

static void
forget(struct command *c)
{
	arena_reset(c->arena);
	buf_clear(&c->text);
	if (c->text.cap > TEXT_KEPT)
		buf_fini(&c->text);
	c->row = NULL;
	c->running = false;
	c->reply = NULL;
}

void
command_drop(struct imap_session *s)
{
	end_job(s);
	forget(&s->command);
}

void
command_lost_access(struct imap_session *s)
{
	/* else the end of the command under way finds it, or IDLE */
	if (s->command.row == NULL)
		imap_session_bye(s, IMAP_NO_ACCESS, "no right to read any more");
}

/* False: the client's output is full, again when it has drained. */
static bool
tell_news(struct imap_session *s)
{
	unsigned flags = s->command.row->flags;

	if (s->view == NULL || (flags & ROW_QUIET) != 0)
		return true;
	return view_pull(s->view, (flags & ROW_NO_EXPUNGE) == 0) == 1;
}

static void
finish(struct imap_session *s)
{
	struct command *c = &s->command;

	if (!tell_news(s))
		return;
	buf_printf(imap_out(s), "%s %s\r\n", c->tag, c->reply);
	imap_cmd_forget(&s->reader);
	forget(c);
	imap_session_touch(s);
	if (s->view != NULL && mailbox_is_gone(view_mailbox(s->view)))
		imap_session_bye(s, "The selected mailbox is gone", "mailbox gone");
	else if (s->view != NULL && !view_may_read(s->view))
		imap_session_bye(s, IMAP_NO_ACCESS, "no right to read any more");
	else if (s->bad_commands >= (s->logged_in ? BAD_AFTER_MAX : BAD_BEFORE_MAX))
		imap_session_bye(s, "Too many commands that are none", "too many bad commands");
	imap_session_wake(s);
}

/* reply: of the arena, or static. What the client has still to send of the command is
 * swallowed first. */
static void
decide(struct imap_session *s, enum command_end end, const char *reply)
{
	struct command *c = &s->command;
	const struct imap_cmd_event *head = c->head;

	must(c->row != NULL && c->reply == NULL);
	if (end != COMMAND_BAD) {
		s->bad_commands = 0;
	} else {
		s->bad_commands++;
		metrics_add(&imap_metrics[IMAP_M_BAD_COMMANDS], 1);
	}
	end_job(s);
	c->reply = reply;
	c->running = true;
	c->swallowing = head != NULL && !head->last && !imap_cmd_discard(&s->reader, !head->sync);
	if (c->swallowing)
		c->running = false;
	else
		finish(s);
}

void
command_done(struct imap_session *s, enum command_end end, const char *code, const char *text)
{
	static const char *const words[] = { "OK", "NO", "BAD" };
	struct arena *a = s->command.arena;

	if (code != NULL)
		decide(s, end, arena_printf(a, "%s [%s] %s", words[end], code, text));
	else
		decide(s, end, arena_printf(a, "%s %s", words[end], text));
}

void
command_bad(struct imap_session *s, const char *text)
{
	command_done(s, COMMAND_BAD, NULL, text);
}

void
command_refuse(struct imap_session *s, const char *reply)
{
	decide(s, slice_starts(slice_of(reply), SLICE("BAD")) ? COMMAND_BAD : COMMAND_NO, reply);
}

bool
command_args_end(struct imap_session *s)
{
	struct command *c = &s->command;

	if (imap_args_end(&c->args))
		return true;
	command_bad(s, imap_args_bad(&c->args));
	return false;
}

/* ---- long answers ------------------------------------------------------------------------------ */

static void
on_pump(void *ctx)
{
	struct imap_session *s = ctx;
	struct command *c = &s->command;

	c->pump_deferred = false;
	if (c->pump == NULL || link_is_congested(s->client))
		return;
	c->slice_started_us = clock_mono_us();
	c->pump(s, c);
	if (s->ended)
		return;
	imap_session_wake(s);
	if (!s->ended && c->pump != NULL)
		command_pump(s, c->pump);
}

void
command_pump(struct imap_session *s, command_fn *fn)
{
	struct command *c = &s->command;

	c->pump = fn;
	if (fn == NULL || c->pump_deferred || link_is_congested(s->client))
		return;
	c->pump_deferred = true;
	loop_defer(s->service->c.loop, on_pump, s);
}

bool
command_must_yield(struct imap_session *s)
{
	return link_is_congested(s->client) ||
	       clock_mono_us() - s->command.slice_started_us > SLICE_US;
}

void
command_go_on(struct imap_session *s)
{
	struct command *c = &s->command;

	if (c->reply != NULL && !c->swallowing)
		finish(s);
	else if (s->idle != NULL)
		idle_tell(s);
	else if (c->pump != NULL)
		command_pump(s, c->pump);
}

bool
command_is_busy(const struct imap_session *s)
{
	return s->command.running && !s->command.wants_line;
}

bool
command_is_talking(const struct imap_session *s)
{
	return s->command.pump != NULL;
}

/* ---- its beginning ------------------------------------------------------------------------------ */

static bool
may_be_said(struct imap_session *s)
{
	unsigned flags = s->command.row->flags;

	if (!s->logged_in && (flags & ROW_BEFORE) == 0)
		command_bad(s, "Log in first");
	else if (s->logged_in && (flags & ROW_AFTER) == 0)
		command_bad(s, "You have logged in already");
	else if ((flags & ROW_SELECTED) != 0 && s->view == NULL)
		command_bad(s, "No mailbox is selected");
	else if ((flags & ROW_WRITES) != 0 && view_is_read_only(s->view))
		command_done(s, COMMAND_NO, "READ-ONLY", "The mailbox is selected read-only");
	else
		return true;
	return false;
}

static void
run(struct imap_session *s)
{
	struct command *c = &s->command;

	c->running = true;
	imap_args_init(&c->args, c->arena, c->row->def.name, buf_slice(&c->text));
	c->row->fn(s, c);
}

/* A line of the command under way, and the head of the literal behind it. */
static void
collect_line(struct imap_session *s, const struct imap_cmd_event *ev)
{
	struct command *c = &s->command;

	if (c->text.len + ev->text.n + ev->literal_n > s->limits.command_bytes) {
		command_done(s, COMMAND_NO, "TOOBIG", "This command is too long");
		return;
	}
	buf_add_slice(&c->text, ev->text);
	if (ev->last) {
		run(s);
		return;
	}
	buf_printf(&c->text, "%s{%zu}\r\n", ev->literal8 ? "~" : "", (size_t)ev->literal_n);
	if (ev->sync)
		buf_add_str(imap_out(s), "+ Go ahead\r\n");
}

static void
on_head(struct imap_session *s, const struct imap_cmd_event *ev)
{
	struct command *c = &s->command;

	s->commands++;
	metrics_add(&imap_metrics[IMAP_M_COMMANDS], 1);
	if (!s->logged_in && ++s->commands_before > COMMANDS_BEFORE_MAX) {
		imap_session_bye(s, "Too many commands without a login", "too many commands");
		return;
	}
	if (s->view != NULL && !mailbox_is_gone(view_mailbox(s->view)) &&
	    !view_check_access(s->view)) {
		imap_session_bye(s, IMAP_NO_ACCESS, "no right to read any more");
		return;
	}
	c->row = (const struct imap_row *)ev->def;
	c->uid = (c->row->flags & ROW_UID) != 0;
	snprintf(c->tag, sizeof(c->tag), "%.*s", SLICE_ARG(ev->tag));
	if (!may_be_said(s))
		return;
	if ((c->row->flags & ROW_HEAD) == 0) {
		collect_line(s, ev);
		return;
	}
	c->running = ev->last;
	c->row->fn(s, c);
}

static void
on_text(struct imap_session *s, const struct imap_cmd_event *ev)
{
	if (s->append != NULL)
		append_text(s, ev);
	else
		collect_line(s, ev);
}

/* It was no command, or turned out to be none. */
static void
on_bad(struct imap_session *s, const struct imap_cmd_event *ev)
{
	static const struct imap_row none = { { "-", "" }, 0, NULL };
	struct command *c = &s->command;

	if (c->row == NULL)
		c->row = &none;
	snprintf(c->tag, sizeof(c->tag), "%.*s", SLICE_ARG(ev->tag));
	decide(s, slice_starts(ev->text, SLICE("BAD")) ? COMMAND_BAD : COMMAND_NO,
	       arena_slice_str(c->arena, ev->text));
}

static void
on_line(struct imap_session *s, struct slice line)
{
	s->command.wants_line = false;
	if (s->idle != NULL)
		idle_line(s, line);
	else
		login_line(s, line);
}

void
command_expect_line(struct imap_session *s)
{
	s->command.wants_line = true;
	imap_cmd_expect_line(&s->reader);
}

void
command_event(struct imap_session *s, const struct imap_cmd_event *ev)
{
	struct command *c = &s->command;

	c->head = ev;
	switch (ev->type) {
	case IMAP_CMD_HEAD:
		on_head(s, ev);
		break;
	case IMAP_CMD_TEXT:
		on_text(s, ev);
		break;
	case IMAP_CMD_BYTES:
		if (s->append != NULL)
			append_bytes(s, ev->text);
		else
			buf_add_slice(&c->text, ev->text);
		break;
	case IMAP_CMD_GO:
		buf_add_str(imap_out(s), "+ Go ahead\r\n");
		break;
	case IMAP_CMD_LINE:
		c->head = NULL;
		on_line(s, ev->text);
		break;
	case IMAP_CMD_END:
		c->head = NULL;
		c->swallowing = false;
		c->running = true;
		finish(s);
		break;
	case IMAP_CMD_BAD:
		c->head = NULL;
		on_bad(s, ev);
		break;
	case IMAP_CMD_FATAL:
		imap_session_bye(s, arena_slice_str(c->arena, ev->text),
		                 "the client is out of step");
		break;
	}
	c->head = NULL;
}
