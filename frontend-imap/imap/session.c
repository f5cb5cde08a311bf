/* session - see session.h: the client's side of it. */
#include "imap/session_impl.h"

#include "base/clock.h"
#include "base/xalloc.h"
#include "conf/common.h"

#include <inttypes.h>
#include <stdlib.h>

#define BAD_BEFORE_MAX 10 /* commands that are none, in a row; then goodbye */
#define BAD_AFTER_MAX 50
#define COMMANDS_BEFORE_MAX 100
#define HELD_MAX 65536

/* ---- saying something -------------------------------------------------------------------------- */

/* The store that is in the middle of a response to the client; NULL: none. */
static struct imap_leg *
talking(struct imap_session *s)
{
	struct list *pos;

	for (pos = s->legs.next; pos != &s->legs; pos = pos->next) {
		struct imap_leg *leg = imap_leg_of_node(pos);

		if (imap_leg_is_talking(leg) && !imap_leg_notes(leg)->drop)
			return leg;
	}
	return NULL;
}

/* Promise 8, and plain sense: a store's literal must not swallow our words. */
static bool
is_talking(struct imap_session *s)
{
	return talking(s) != NULL;
}

void
imap_session_say(struct imap_session *s, const char *fmt, ...)
{
	struct buf *out;
	va_list ap;

	/* nothing in clear where TLS is about to start */
	if (s->ended || s->implicit_tls || s->starting_tls)
		return;
	imap_session_release_held(s);
	out = is_talking(s) ? &s->held : link_out(s->client);
	va_start(ap, fmt);
	buf_vprintf(out, fmt, ap);
	va_end(ap);
	buf_add_str(out, "\r\n");
}

/* False: the session is over. */
static bool
may_go_on(struct imap_session *s)
{
	if (!s->ended && s->held.overflow)
		imap_session_end(s, "too much to say behind a response that does not end");
	return !s->ended;
}

void
imap_session_release_held(struct imap_session *s)
{
	if (s->ended || s->held.len == 0 || is_talking(s))
		return;
	buf_add_slice(link_out(s->client), buf_slice(&s->held));
	buf_fini(&s->held);
}

void
imap_session_reply(struct imap_session *s, const char *text)
{
	imap_session_say(s, "%.*s %s", SLICE_ARG(s->head.tag), text);
}

void
imap_session_refuse(struct imap_session *s, const char *text)
{
	s->head.waiting = false;
	if (s->head.last || imap_cmd_discard(&s->cmd, !s->head.sync))
		imap_session_reply(s, text);
	else
		s->after_discard = text;
}

void
imap_session_bye(struct imap_session *s, const char *text, const char *why)
{
	if (!is_talking(s))
		imap_session_say(s, "* BYE %s", text);
	imap_session_end(s, why);
}

bool
imap_session_may_login(struct imap_session *s)
{
	return conn_is_tls(link_conn(s->client)) ||
	       conf_nets_has(s->proxy->c.conf, "plaintext_networks",
	                     conn_peer(link_conn(s->client)));
}

static void
add_login_capabilities(struct imap_session *s, struct buf *out)
{
	struct slice mechs = slice_of(auth_mechs(s->proxy->c.auth)), mech;

	if (s->proxy->c.tls != NULL && !conn_is_tls(link_conn(s->client)))
		buf_add_str(out, " STARTTLS");
	if (!imap_session_may_login(s)) {
		buf_add_str(out, " LOGINDISABLED");
		return;
	}
	while (imap_resp_next_word(&mechs, &mech))
		buf_printf(out, " AUTH=%.*s", SLICE_ARG(mech));
}

uint64_t
imap_session_offer(const struct imap_session *s)
{
	uint64_t home = s->store->imap_offer.bits;

	/* a foreign home is all that such a session has */
	return s->store->kind == SERVER_ROOST ? offer_for_home(home, s->proxy->c.servers)
	                                      : offer_for_store(home);
}

void
imap_session_add_capabilities(struct imap_session *s, struct buf *out)
{
	if (s->logged_in) {
		offer_add(out, imap_session_offer(s));
		return;
	}
	offer_add(out, offer_for_all(s->proxy->c.servers));
	add_login_capabilities(s, out);
}

static void
greet(struct imap_session *s)
{
	struct buf *out = link_out(s->client);

	buf_add_str(out, "* OK [CAPABILITY ");
	imap_session_add_capabilities(s, out);
	buf_printf(out, "] %s Roost IMAP ready\r\n", conf_common_hostname(s->proxy->c.conf));
}

/* ---- waiting -------------------------------------------------------------------------------------- */

/* May the next piece of the client's text be taken? */
static bool
must_wait(const struct imap_session *s)
{
	return s->head.waiting || s->auth_busy || imap_reach_is_busy(s) || s->go != GO_NONE ||
	       s->idle == IDLE_ASKED || s->idle == IDLE_DONE || s->idle == IDLE_BAD ||
	       (s->stream != NULL && imap_leg_is_congested(s->stream));
}

static void
update_pause(struct imap_session *s)
{
	if (!s->ended)
		link_set_paused(s->client, must_wait(s));
}

static void
flush_legs(struct imap_session *s)
{
	struct list *pos;

	for (pos = s->legs.next; pos != &s->legs; pos = pos->next)
		if (imap_leg_is_up(imap_leg_of_node(pos)))
			imap_leg_flush(imap_leg_of_node(pos));
}

void
imap_session_update_legs(struct imap_session *s)
{
	bool full = !s->ended && link_is_congested(s->client);
	struct imap_leg *who = s->ended ? NULL : talking(s), *leg;
	struct list *pos;

	for (pos = s->legs.next; pos != &s->legs; pos = pos->next) {
		leg = imap_leg_of_node(pos);
		if (imap_leg_is_up(leg))
			imap_leg_set_paused(leg, full || (who != NULL && who != leg) ||
			                                 leg == s->throttled);
	}
}

bool
imap_session_has_room(struct imap_session *s)
{
	return !link_is_congested(s->client) && !is_talking(s);
}

/* ---- jobs ---- */

void
imap_session_start_job(struct imap_session *s, const struct imap_job *job, void *data)
{
	must(s->job == NULL && s->flight_count == 0);
	s->job = job;
	s->job_data = data;
	s->head.waiting = true;
}

void
imap_session_end_job(struct imap_session *s)
{
	if (s->job == NULL)
		return;
	if (s->job->free != NULL)
		s->job->free(s);
	s->job = NULL;
	s->job_data = NULL;
	s->throttled = NULL;
	if (!s->ended)
		imap_forward_ask(s, NULL);
}

void
imap_session_finish_job(struct imap_session *s, const char *text)
{
	s->head.waiting = false;
	imap_session_reply(s, text);
	imap_session_end_job(s);
}

bool
imap_session_is_idle(const struct imap_session *s)
{
	return !s->ended && !s->head.waiting && !s->auth_busy && !imap_reach_is_busy(s) &&
	       !imap_cmd_is_open(&s->cmd) &&
	       (s->flight_count == 0 || (s->flight_count == 1 && s->idle == IDLE_ON));
}

void
imap_session_wake(struct imap_session *s)
{
	if (!s->ended && s->job != NULL)
		s->job->go_on(s);
	else if (!s->ended && s->head.waiting)
		imap_dispatch_run(s);
	if (!may_go_on(s))
		return;
	if (s->proxy->sessions.sends_away && imap_session_is_idle(s)) {
		imap_session_bye(s, "[UNAVAILABLE] This server is going down, come again",
		                 "drained");
		return;
	}
	flush_legs(s);
	link_flush(s->client);
	imap_session_update_legs(s);
	update_pause(s);
}

/* ---- the client's text ------------------------------------------------------------------------------ */

static void
on_bad(struct imap_session *s, const struct imap_cmd_event *ev)
{
	s->head.collecting = false;
	/* BAD's text is a literal of imap_cmd's, and stays */
	if (!imap_forward_bad(s, ev->text.p))
		imap_session_say(s, "%.*s %.*s", SLICE_ARG(ev->tag), SLICE_ARG(ev->text));
	if (++s->bad_commands >= (s->logged_in ? BAD_AFTER_MAX : BAD_BEFORE_MAX))
		imap_session_bye(s, "Too many commands that are none", "too many bad commands");
}

static void
on_swallowed(struct imap_session *s)
{
	if (s->after_discard != NULL)
		imap_session_reply(s, s->after_discard);
	s->after_discard = NULL;
}

static void
on_line(struct imap_session *s, struct slice line)
{
	if (s->sasl)
		imap_login_line(s, line);
	else
		imap_forward_idle_line(s, line);
}

static void
on_head(struct imap_session *s, const struct imap_cmd_event *ev)
{
	s->commands++;
	metrics_add(&imap_metrics[IMAP_M_COMMANDS], 1);
	if (!s->logged_in && ++s->commands_before > COMMANDS_BEFORE_MAX) {
		imap_session_bye(s, "Too many commands without a login", "too many commands");
		return;
	}
	s->bad_commands = 0;
	imap_dispatch_head(s, ev);
}

static void
on_event(struct imap_session *s, const struct imap_cmd_event *ev)
{
	switch (ev->type) {
	case IMAP_CMD_HEAD:
		on_head(s, ev);
		return;
	case IMAP_CMD_TEXT:
		if (s->head.collecting)
			imap_dispatch_text(s, ev);
		else
			imap_forward_text(s, ev);
		return;
	case IMAP_CMD_BYTES:
		if (s->head.collecting)
			imap_dispatch_bytes(s, ev->text);
		else
			imap_forward_bytes(s, ev->text);
		return;
	case IMAP_CMD_GO:
		imap_session_say(s, "+ Go ahead");
		return;
	case IMAP_CMD_LINE:
		on_line(s, ev->text);
		return;
	case IMAP_CMD_END:
		on_swallowed(s);
		return;
	case IMAP_CMD_BAD:
		on_bad(s, ev);
		return;
	case IMAP_CMD_FATAL:
		imap_session_say(s, "* BYE %.*s", SLICE_ARG(ev->text));
		imap_session_end(s, "the client is out of step");
		return;
	}
}

static size_t
client_input(void *core, struct slice in)
{
	struct imap_session *s = core;
	struct imap_cmd_event ev;
	size_t all = 0, used;
	int r = 1;

	/* STARTTLS: what is left was sent in clear, and the link ends on it */
	while (r == 1 && !s->ended && !must_wait(s) && !s->starting_tls && all < in.n) {
		r = imap_cmd_read(&s->cmd, slice_skip(in, all), &used, &ev);
		all += used;
		if (r == 1)
			on_event(s, &ev);
	}
	s->bytes_in += all;
	metrics_add(&imap_metrics[IMAP_M_BYTES_IN], all);
	if (!may_go_on(s))
		return all;
	if (all > 0)
		imap_session_arm_idle(s);
	flush_legs(s);
	update_pause(s);
	return all;
}

/* ---- the rest of the link ------------------------------------------------------------------------------ */

void
imap_session_arm_idle(struct imap_session *s)
{
	if (s->logged_in && !s->ended)
		link_set_deadline(s->client, s->proxy->limits.idle_ms);
}

static void
client_drained(void *core)
{
	struct imap_session *s = core;

	imap_session_arm_idle(s);
	imap_session_wake(s);
}

static void
client_tls(void *core)
{
	struct imap_session *s = core;

	s->starting_tls = false;
	if (s->implicit_tls)
		greet(s);
	s->implicit_tls = false;
}

static void
client_deadline(void *core)
{
	struct imap_session *s = core;

	/* a store that works is not the client's fault, and has its own deadline */
	if (s->logged_in && (s->flight_count > 0 || s->head.waiting) && s->idle == IDLE_NO &&
	    s->stream == NULL && !link_is_congested(s->client)) {
		imap_session_arm_idle(s);
		return;
	}
	imap_session_bye(s, s->logged_in ? "Idle for too long" : "The login took too long",
	                 "deadline");
}

static void
client_closed(void *core, enum conn_end why)
{
	imap_session_end(core, conn_end_text(why));
}

static const struct link_ops client_ops = {
	.input = client_input,
	.drained = client_drained,
	.tls = client_tls,
	.deadline = client_deadline,
	.closed = client_closed,
};

/* ---- beginning and end ---------------------------------------------------------------------------------- */

static void
destroy(void *ctx)
{
	struct imap_session *s = ctx;

	imap_cmd_fini(&s->cmd);
	arena_free(&s->head.arena);
	buf_fini(&s->held);
	buf_fini(&s->whole);
	secret_wipe(s->grant, sizeof(s->grant));
	free(s->groups);
	free(s->mailbox);
	free(s);
}

static void
log_end(struct imap_session *s, const char *why)
{
	log_info(&s->log,
	         "session.end service=imap why=%s store=%s commands=%" PRIu64 " in=%" PRIu64
	         " out=%" PRIu64 " tls=%d ms=%" PRIu64,
	         log_esc(why), s->store != NULL ? s->store->name : "-", s->commands, s->bytes_in,
	         s->bytes_out, s->was_tls, clock_mono_ms() - s->started_ms);
}

void
imap_session_end(struct imap_session *s, const char *why)
{
	/* a LOGOUT into the middle of a message would be taken for a part of it */
	bool bye = s->flight_count == 0 && s->stream == NULL && s->job == NULL;

	if (s->ended)
		return;
	s->was_tls = conn_is_tls(link_conn(s->client));
	log_end(s, why);
	s->ended = true;
	if (s->auth_id != 0)
		auth_cancel(s->proxy->c.auth, s->auth_id);
	home_cancel(s->proxy->c.home, s->home_id);
	imap_route_forget(s);
	imap_session_end_job(s);
	imap_forward_free_flights(s);
	while (!list_is_empty(&s->legs))
		imap_reach_drop(s, imap_leg_of_node(s->legs.next), bye);
	link_end(&s->client);
	metrics_sub(&imap_metrics[IMAP_M_SESSIONS], 1);
	loop_defer(s->proxy->c.loop, destroy, s);
	sessions_remove(&s->proxy->sessions, &s->node);
}

/* A whole line of a command must fit. */
static void
make_link(struct imap_session *s, struct conn **c)
{
	struct link_limits limits = link_limits_default;

	limits.input_bytes =
		MAX(limits.input_bytes,
	            MAX(s->proxy->limits.before.line_bytes, s->proxy->limits.after.line_bytes) + 2);
	s->client = link_new(c, &client_ops, s, &limits);
	link_set_deadline(s->client, s->proxy->limits.login_ms);
}

void
imap_session_start(struct imap_proxy *p, struct conn **c, bool tls)
{
	struct imap_session *s = xcalloc(1, sizeof(*s));

	must(!tls || p->c.tls != NULL);
	s->proxy = p;
	s->implicit_tls = tls;
	s->started_ms = clock_mono_ms();
	ids_session(s->id);
	(void)addr_host_text(conn_peer(*c), s->peer);
	s->log = (struct log_ctx){ .session = s->id, .peer = s->peer };
	imap_cmd_init(&s->cmd, imap_dispatch_find, &p->limits.before);
	s->head.arena = arena_new("imap.command");
	buf_init(&s->held, HELD_MAX);
	buf_init(&s->whole, IMAP_WHOLE_MAX);
	list_init(&s->legs);
	list_init(&s->flights);
	sessions_add(&p->sessions, &s->node);
	metrics_add(&imap_metrics[IMAP_M_CONNECTIONS], 1);
	metrics_add(&imap_metrics[IMAP_M_SESSIONS], 1);
	make_link(s, c);
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
