/* What all POP3 sessions of a worker share: settings, the list of them, the drain. */
#include "pop3/session_impl.h"

#include "base/clock.h"
#include "base/xalloc.h"

#include <stdlib.h>

const struct conf_def pop3_conf_table[] = {
	{ "pop3_listen", CONF_ADDRESSES, NULL, 110, .help = "Where POP3 is served (with STLS)." },
	{ "pop3s_listen", CONF_ADDRESSES, NULL, 995,
	  .help = "Where POP3 is served in TLS from the first byte." },
	{ "pop3_login_timeout", CONF_DURATION, "60s", 1000, 600000,
	  .help = "A POP3 client has to be logged in after this time." },
	{ "pop3_idle_timeout", CONF_DURATION, "10m", 600000, 86400000,
	  .help = "A POP3 session in which nothing moves for so long is closed (RFC 1939 wants at "
	          "least 10 minutes)." },
	{ "pop3_connect_timeout", CONF_DURATION, "5s", 100, 60000,
	  .help = "A store that does not take our POP3 connection in this time is not reachable." },
	{ "pop3_store_timeout", CONF_DURATION, "2m", 1000, 600000,
	  .help = "A store that does not answer a POP3 command in this time is lost." },
	{ "pop3_max_sessions", CONF_INT, "10000", 1, 1000000,
	  .help = "Most POP3 sessions of one worker." },
	{ .name = NULL },
};

struct metric pop3_metrics[POP3_M_COUNT] = {
	[POP3_M_SESSIONS] = METRIC_GAUGE("roost_pop3_sessions", NULL, "Open POP3 sessions."),
	[POP3_M_CONNECTIONS] =
		METRIC_COUNTER("roost_pop3_connections_total", NULL, "POP3 connections accepted."),
	[POP3_M_LOGIN_OK] = METRIC_COUNTER("roost_pop3_logins_total", "result=\"ok\"",
	                                   "POP3 logins by result."),
	[POP3_M_LOGIN_DENIED] = METRIC_COUNTER("roost_pop3_logins_total", "result=\"denied\"",
	                                       "POP3 logins by result."),
	[POP3_M_LOGIN_TEMP] = METRIC_COUNTER("roost_pop3_logins_total", "result=\"temp\"",
	                                     "POP3 logins by result."),
	[POP3_M_STORE_LOST] = METRIC_COUNTER("roost_pop3_store_lost_total", NULL,
	                                     "POP3 sessions whose store went away."),
};

struct pop3_proxy *
pop3_proxy_new(const struct pop3_proxy_config *c)
{
	struct pop3_proxy *p = xcalloc(1, sizeof(*p));

	p->c = *c;
	p->limits = (struct pop3_limits){
		.login_ms = conf_ms(c->conf, "pop3_login_timeout"),
		.idle_ms = conf_ms(c->conf, "pop3_idle_timeout"),
		.connect_ms = conf_ms(c->conf, "pop3_connect_timeout"),
		.store_ms = conf_ms(c->conf, "pop3_store_timeout"),
	};
	sessions_init(&p->sessions);
	p->sessions.limit = conf_int(c->conf, "pop3_max_sessions");
	return p;
}

void
pop3_proxy_free(struct pop3_proxy **pp)
{
	struct pop3_proxy *p = *pp;
	struct pop3_session *s;

	*pp = NULL;
	if (p == NULL)
		return;
	sessions_forget_drain(&p->sessions);
	while ((s = LIST_FIRST(&p->sessions.list, struct pop3_session, node)) != NULL)
		session_end(s, "stop");
	free(p);
}

static void
send_away(struct list *node)
{
	struct pop3_session *s = LIST_ITEM(node, struct pop3_session, node);

	if (s->logged_in)
		return;
	buf_add_str(link_out(s->client), "-ERR [SYS/TEMP] Going away, please come again.\r\n");
	session_end(s, "drain");
}

void
pop3_proxy_drain(struct pop3_proxy *p, bool may_stay, void (*done)(void *ctx), void *ctx)
{
	sessions_drain(&p->sessions, may_stay ? NULL : send_away, done, ctx);
}

size_t
pop3_proxy_count(const struct pop3_proxy *p)
{
	return p->sessions.count;
}

void
pop3_proxy_each(const struct pop3_proxy *p, who_fn *fn, void *ctx)
{
	struct pop3_session *s;

	LIST_EACH (s, &p->sessions.list, struct pop3_session, node) {
		struct who_session info = {
			.service = "pop3",
			.id = s->id,
			.peer = s->peer,
			.user = s->log.user,
			.store = s->server != NULL ? s->server->name : NULL,
			.state = s->logged_in ? "TRANSACTION" : "AUTHORIZATION",
			.tls = pop3_server_is_tls(s->core),
			.age_s = (clock_mono_ms() - s->started_ms) / 1000,
		};

		fn(ctx, &info);
	}
}
