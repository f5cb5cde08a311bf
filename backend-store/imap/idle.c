/*
 * idle - IDLE, RFC 2177: what is new is told at once, until the client says DONE.
 */
#include "imap/session_impl.h"

#include "imap/view.h"

struct idle {
	struct imap_session *session;
	struct mailbox_watch watch;
	struct timer keepalive;
};

static void
cleanup(struct imap_session *s)
{
	struct idle *i = s->idle;

	mailbox_unwatch(&i->watch);
	timer_fini(&i->keepalive);
	s->idle = NULL;
}

void
idle_tell(struct imap_session *s)
{
	if (s->view == NULL)
		return;
	if (mailbox_is_gone(view_mailbox(s->view)))
		imap_session_bye(s, "The selected mailbox is gone", "mailbox gone");
	else if (!view_check_access(s->view))
		imap_session_bye(s, IMAP_NO_ACCESS, "no right to read any more");
	else
		(void)view_pull(s->view, true); /* the rest when it has drained */
}

static void
on_change(void *ctx, UNUSED enum mailbox_change change)
{
	struct imap_session *s = ctx;

	/* a client that reads nothing gets it all when it does */
	if (link_is_congested(s->client))
		return;
	idle_tell(s);
	imap_session_wake(s);
}

/* So that a network on the way does not forget us. */
static void
on_keepalive(void *ctx)
{
	struct idle *i = ctx;
	struct imap_session *s = i->session;

	timer_set(&i->keepalive, s->limits.keepalive_ms);
	if (link_output_bytes(s->client) > 0)
		return; /* there is something on its way */
	imap_untagged(s, "OK Still here");
	link_flush(s->client);
}

void
cmd_idle(struct imap_session *s, struct command *c)
{
	struct idle *i;

	if (!command_args_end(s))
		return;
	i = arena_alloc(c->arena, sizeof(*i));
	i->session = s;
	i->watch.fn = on_change;
	i->watch.ctx = s;
	timer_init(&i->keepalive, s->service->c.loop, on_keepalive, i);
	timer_set(&i->keepalive, s->limits.keepalive_ms);
	s->idle = i;
	c->cleanup = cleanup;
	if (s->view != NULL)
		mailbox_watch(view_mailbox(s->view), &i->watch);
	buf_add_str(imap_out(s), "+ idling\r\n");
	command_expect_line(s);
	idle_tell(s);
}

void
idle_line(struct imap_session *s, struct slice line)
{
	if (slice_ieq(line, SLICE("DONE")))
		command_done(s, COMMAND_OK, NULL, "IDLE is over");
	else
		command_bad(s, "DONE was expected");
}
