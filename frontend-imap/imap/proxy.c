/*
 * proxy - what the IMAP sessions of a worker share: settings, metrics, the list.
 */
#include "imap/session_impl.h"

#include "base/clock.h"
#include "base/xalloc.h"

#include <stdlib.h>

/* A command before the login. The longest is ID: 30 pairs of 30 and 1,024 bytes, RFC 2971
 * section 3.3. */
#define BEFORE_MAX (36 * 1024)

const struct conf_def imap_conf_table[] = {
	{ "imap_listen", CONF_ADDRESSES, NULL, 143,
	  .help = "Where IMAP is served (with STARTTLS)." },
	{ "imaps_listen", CONF_ADDRESSES, NULL, 993,
	  .help = "Where IMAP is served inside TLS from the first byte." },
	{ "imap_login_timeout", CONF_DURATION, "60s", 1000, 600000,
	  .help = "A client must have logged in by then, whatever it says." },
	{ "imap_idle_timeout", CONF_DURATION, "30m", 1800000, 86400000,
	  .help = "A client that says nothing for so long is sent away. RFC 3501: 30 minutes or "
	          "more." },
	{ "imap_connect_timeout", CONF_DURATION, "5s", 100, 60000,
	  .help = "A store must take the connection by then, and let the user in within twice "
	          "that." },
	{ "imap_store_timeout", CONF_DURATION, "10m", 1000, 3600000,
	  .help = "A store that has commands to answer and says nothing for so long is given up." },
	{ "imap_guest_timeout", CONF_DURATION, "60s", 1000, 3600000,
	  .help = "A session's connection to another store than the user's own is closed when "
	          "nothing was wanted there for so long." },
	{ "imap_max_stores", CONF_INT, "8", 3, 64,
	  .help = "Stores that one session is connected with at a time." },
	{ "imap_max_sessions", CONF_INT, "10000", 1, 1000000,
	  .help = "Sessions of one worker; more are told to come later." },
	{ "imap_max_line", CONF_BYTES, "64K", 8192, 1048576,
	  .help = "The longest line of a command." },
	{ "imap_max_literal", CONF_BYTES, "64M", 65536, 4294967296,
	  .help = "The longest literal of a command: the largest message a client may store." },
	{ NULL },
};

struct metric imap_metrics[IMAP_M_COUNT] = {
	[IMAP_M_SESSIONS] = METRIC_GAUGE("roost_imap_sessions", NULL, "Open IMAP sessions."),
	[IMAP_M_CONNECTIONS] =
		METRIC_COUNTER("roost_imap_connections_total", NULL, "IMAP connections."),
	[IMAP_M_LOGIN_OK] = METRIC_COUNTER("roost_imap_logins_total", "result=\"ok\"",
	                                   "IMAP logins by result."),
	[IMAP_M_LOGIN_DENIED] = METRIC_COUNTER("roost_imap_logins_total", "result=\"denied\"",
	                                       "IMAP logins by result."),
	[IMAP_M_LOGIN_TEMP] = METRIC_COUNTER("roost_imap_logins_total", "result=\"later\"",
	                                     "IMAP logins by result."),
	[IMAP_M_COMMANDS] = METRIC_COUNTER("roost_imap_commands_total", NULL, "IMAP commands."),
	[IMAP_M_STORE_LOST] = METRIC_COUNTER("roost_imap_store_lost_total", NULL,
	                                     "Connections to stores that broke in a session."),
	[IMAP_M_STORE_AGAIN] =
		METRIC_COUNTER("roost_imap_store_asked_again_total", NULL,
	                       "Logins that a store refused, so that the map was asked again."),
	[IMAP_M_BYTES_IN] = METRIC_COUNTER("roost_imap_bytes_total", "direction=\"in\"",
	                                   "Bytes from and to clients."),
	[IMAP_M_BYTES_OUT] = METRIC_COUNTER("roost_imap_bytes_total", "direction=\"out\"",
	                                    "Bytes from and to clients."),
	[IMAP_M_GUESTS] = METRIC_COUNTER("roost_imap_guest_logins_total", NULL,
	                                 "Connections to stores for mailboxes of others."),
	[IMAP_M_ACROSS] = METRIC_COUNTER("roost_imap_copied_across_total", NULL,
	                                 "Messages copied from one store to another."),
};

static void
read_limits(struct imap_limits *l, const struct conf *c)
{
	l->login_ms = conf_ms(c, "imap_login_timeout");
	l->idle_ms = conf_ms(c, "imap_idle_timeout");
	l->connect_ms = conf_ms(c, "imap_connect_timeout");
	l->store_ms = conf_ms(c, "imap_store_timeout");
	l->guest_ms = conf_ms(c, "imap_guest_timeout");
	l->stores = conf_int(c, "imap_max_stores");
	l->before = (struct imap_cmd_limits){ BEFORE_MAX, IMAP_ARG_MAX, BEFORE_MAX, 10 };
	l->after = (struct imap_cmd_limits){ conf_bytes(c, "imap_max_line"), IMAP_ARG_MAX,
		                             conf_bytes(c, "imap_max_literal"), 10000 };
}

struct imap_proxy *
imap_proxy_new(const struct imap_proxy_config *c)
{
	struct imap_proxy *p = xcalloc(1, sizeof(*p));

	p->c = *c;
	read_limits(&p->limits, c->conf);
	sessions_init(&p->sessions);
	p->sessions.limit = conf_int(c->conf, "imap_max_sessions");
	return p;
}

void
imap_proxy_free(struct imap_proxy **pp)
{
	struct imap_proxy *p = *pp;
	struct imap_session *s;

	*pp = NULL;
	if (p == NULL)
		return;
	sessions_forget_drain(&p->sessions);
	while ((s = LIST_FIRST(&p->sessions.list, struct imap_session, node)) != NULL)
		imap_session_end(s, "the program ends");
	free(p);
}

static void
send_away(struct list *node)
{
	struct imap_session *s = LIST_ITEM(node, struct imap_session, node);

	if (imap_session_is_idle(s))
		imap_session_bye(s, "[UNAVAILABLE] This server is going down, come again",
		                 "drained");
}

void
imap_proxy_drain(struct imap_proxy *p, bool may_stay, void (*done)(void *ctx), void *ctx)
{
	sessions_drain(&p->sessions, may_stay ? NULL : send_away, done, ctx);
}

size_t
imap_proxy_count(const struct imap_proxy *p)
{
	return p->sessions.count;
}

static const char *
state_text(const struct imap_session *s)
{
	if (!s->logged_in)
		return imap_reach_is_busy(s) ? "ROUTING" : "LOGIN";
	return s->selected != NULL ? "SELECTED" : "AUTHENTICATED";
}

void
imap_proxy_each(const struct imap_proxy *p, who_fn *fn, void *ctx)
{
	struct imap_session *s;

	LIST_EACH (s, &p->sessions.list, struct imap_session, node) {
		struct who_session info = {
			.service = "imap",
			.id = s->id,
			.peer = s->peer,
			.user = *s->user != '\0' ? s->user : NULL,
			.store = s->store != NULL ? s->store->name : NULL,
			.mailbox = s->mailbox,
			.state = state_text(s),
			.tls = s->client != NULL && conn_is_tls(link_conn(s->client)),
			.age_s = (clock_mono_ms() - s->started_ms) / 1000,
		};

		fn(ctx, &info);
	}
}
