/*
 * One client of the store: the link, deadlines, beginning and end. What he says is
 * command.c's.
 *
 * While a command is carried out the link is paused: commands that are already sent wait
 * there (RFC 3501 section 5.5), and a client that asks and never reads fills no memory.
 */
#include "imap/session_impl.h"

#include "base/clock.h"
#include "base/xalloc.h"
#include "conf/common.h"
#include "imap/view.h"

#include <inttypes.h>
#include <stdlib.h>

#define HUNG_UP_MS 30000 /* for the last answer of a client that sends no more */
#define GOING_AWAY "[UNAVAILABLE] This server is going down, come again"

/* ---- waiting -------------------------------------------------------------------------------- */

/* Has he nothing to wait for, so that he may be sent away? */
static bool
is_between_commands(const struct imap_session *s)
{
	return !command_is_busy(s) && !s->starting_tls &&
	       (s->command.row == NULL || s->idle != NULL);
}

void
imap_session_wake(struct imap_session *s)
{
	if (s->ended)
		return;
	if (s->service->sessions.sends_away && (!s->logged_in || is_between_commands(s))) {
		imap_session_bye(s, GOING_AWAY, "drain");
		return;
	}
	if (s->hung_up && !command_is_busy(s)) {
		imap_session_end(s, conn_end_text(CONN_END_EOF));
		return;
	}
	link_flush(s->client);
	link_set_paused(s->client, command_is_busy(s));
}

void
imap_session_touch(struct imap_session *s)
{
	if (s->logged_in && !s->ended && !s->hung_up)
		link_set_deadline(s->client, s->limits.idle_ms);
}

/* ---- the link --------------------------------------------------------------------------------- */

static size_t
client_input(void *core, struct slice in)
{
	struct imap_session *s = core;
	struct imap_cmd_event ev;
	size_t all = 0, used;
	int r = 1;

	/* STARTTLS: what is left was sent in clear, and the link ends on it */
	while (r == 1 && !s->ended && !command_is_busy(s) && !s->starting_tls && all < in.n) {
		r = imap_cmd_read(&s->reader, slice_skip(in, all), &used, &ev);
		all += used;
		if (r == 1)
			command_event(s, &ev);
	}
	s->bytes_in += all;
	if (s->ended)
		return all;
	if (all > 0)
		imap_session_touch(s);
	imap_session_wake(s);
	return all;
}

static void
client_drained(void *core)
{
	struct imap_session *s = core;

	/* not in IDLE: what we say there is no sign of life of his */
	if (command_is_busy(s))
		imap_session_touch(s);
	command_go_on(s);
	imap_session_wake(s);
}

static void
greet(struct imap_session *s)
{
	struct buf *out = imap_out(s);

	buf_add_str(out, "* OK [CAPABILITY ");
	imap_add_capabilities(s, out);
	buf_printf(out, "] %s Roost IMAP ready\r\n", conf_common_hostname(s->service->c.conf));
}

static void
client_tls(void *core)
{
	struct imap_session *s = core;

	s->starting_tls = false;
	if (s->implicit_tls)
		greet(s);
	s->implicit_tls = false;
	imap_session_wake(s);
}

static void
client_deadline(void *core)
{
	struct imap_session *s = core;

	/* an operation of the store is not his fault, and ends by itself */
	if (s->logged_in && !s->hung_up && command_is_busy(s) && !link_is_congested(s->client)) {
		imap_session_touch(s);
		return;
	}
	imap_session_bye(s, s->logged_in ? "Idle for too long" : "The login took too long",
	                 s->logged_in ? "idle" : "login timeout");
}

static void
client_closed(void *core, enum conn_end why)
{
	struct imap_session *s = core;

	if (why != CONN_END_EOF || !command_is_busy(s)) {
		imap_session_end(s, conn_end_text(why));
		return;
	}
	/* he may still listen for the answer to his last command */
	s->hung_up = true;
	link_set_deadline(s->client, HUNG_UP_MS);
}

static const struct link_ops client_ops = {
	.input = client_input,
	.drained = client_drained,
	.tls = client_tls,
	.deadline = client_deadline,
	.closed = client_closed,
};

/* ---- the end ------------------------------------------------------------------------------------- */

static void
destroy(void *ctx)
{
	struct imap_session *s = ctx;

	imap_who_fini(s);
	imap_cmd_fini(&s->reader);
	buf_fini(&s->command.text);
	arena_free(&s->command.arena);
	free(s);
}

void
imap_session_end(struct imap_session *s, const char *why)
{
	struct imap_service *p = s->service;

	if (s->ended)
		return;
	s->ended = true;
	log_info(&s->log,
	         "imap.session why=%s commands=%" PRIu64 " in=%" PRIu64 " tls=%d ms=%" PRIu64,
	         log_esc(why), s->commands, s->bytes_in, conn_is_tls(link_conn(s->client)),
	         clock_mono_ms() - s->started_ms);
	metrics_sub(&imap_metrics[IMAP_M_SESSIONS], 1);
	auth_cancel(p->c.auth, s->auth_id);
	store_cancel(p->c.store, s->login_store_id);
	command_drop(s);
	view_free(&s->view);
	loop_forget(p->c.loop, s);
	link_end(&s->client);
	loop_defer(p->c.loop, destroy, s);
	sessions_remove(&p->sessions, &s->node);
}

void
imap_session_bye(struct imap_session *s, const char *text, const char *why)
{
	/* nothing in clear where TLS is about to start, nothing into an unfinished response */
	if (!s->starting_tls && !s->implicit_tls && !command_is_talking(s))
		imap_untagged(s, "BYE %s", text);
	imap_session_end(s, why);
}

/* ---- the beginning ----------------------------------------------------------------------------- */

/* A whole line of a command must fit. */
static void
make_link(struct imap_session *s, struct conn **c)
{
	struct link_limits limits = link_limits_default;

	limits.input_bytes = MAX(limits.input_bytes, s->limits.command_bytes + 2);
	s->client = link_new(c, &client_ops, s, &limits);
	link_set_deadline(s->client, s->limits.login_ms);
}

static void
session_init(struct imap_session *s, const struct addr *peer)
{
	struct imap_service *p = s->service;

	s->limits = p->limits;
	s->started_ms = clock_mono_ms();
	ids_session(s->id);
	(void)addr_host_text(peer, s->peer);
	s->log = (struct log_ctx){ .session = s->id, .peer = s->peer };
	s->plaintext_ok = conf_nets_has(p->c.conf, "plaintext_networks", peer);
	s->trusted = conf_nets_has(p->c.conf, "trusted_networks", peer);
	imap_cmd_init(&s->reader, command_find, &s->limits.before);
	buf_init(&s->command.text, SIZE_MAX); /* command.c limits it */
	s->command.arena = arena_new("imap.command");
}

void
imap_session_start(struct imap_service *p, struct conn **c, bool tls)
{
	struct imap_session *s = xcalloc(1, sizeof(*s));

	must(!tls || p->c.tls != NULL);
	s->service = p;
	s->implicit_tls = tls;
	session_init(s, conn_peer(*c));
	sessions_add(&p->sessions, &s->node);
	metrics_add(&imap_metrics[IMAP_M_SESSIONS], 1);
	metrics_add(&imap_metrics[IMAP_M_CONNECTIONS], 1);
	make_link(s, c);
	if (p->sessions.sends_away) {
		imap_session_bye(s, GOING_AWAY, "drain");
		return;
	}
	if (sessions_are_too_many(&p->sessions)) {
		imap_session_bye(s, "[UNAVAILABLE] Too many connections here, come again",
		                 "too many sessions");
		return;
	}
	if (tls)
		link_start_tls_server(s->client, p->c.tls);
	else
		greet(s);
	link_flush(s->client);
}
