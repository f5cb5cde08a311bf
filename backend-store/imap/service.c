/* What all IMAP sessions of a store share: settings, the list of them, the drain. */
#include "imap/session_impl.h"

#include "base/clock.h"
#include "base/xalloc.h"
#include "imap/view.h"

#include <stdlib.h>

#define ARG_MAX_BYTES 1024         /* user, password, mailbox of APPEND */
#define LITERALS_MAX 10000         /* in one command */
#define BEFORE_MAX (36 * 1024)     /* a command before the login; ID has up to 31,920 bytes */
#define MESSAGE_MOST (64ull << 20) /* what the store takes */

const struct conf_def imap_conf_table[] = {
	{ "imap_listen", CONF_ADDRESSES, NULL, 143, .flags = CONF_RESTART,
	  .help = "Where IMAP is served (with STARTTLS)." },
	{ "imaps_listen", CONF_ADDRESSES, NULL, 993, .flags = CONF_RESTART,
	  .help = "Where IMAP is served in TLS from the first byte." },
	{ "imap_login_timeout", CONF_DURATION, "60s", 1000, 600000,
	  .help = "An IMAP client has to be logged in after this time." },
	{ "imap_idle_timeout", CONF_DURATION, "30m", 1800000, 86400000,
	  .help = "An IMAP client that says nothing for so long is sent away (RFC 3501 wants at "
	          "least 30 minutes)." },
	{ "imap_idle_keepalive", CONF_DURATION, "2m", 10000, 1740000,
	  .help = "A client in IDLE hears something at least that often, so that networks on the "
	          "way do not forget the connection." },
	{ "imap_max_sessions", CONF_INT, "10000", 1, 1000000, .help = "Most IMAP sessions." },
	{ "imap_max_command", CONF_BYTES, "64K", 8192, 1048576,
	  .help = "The longest command, with its literals but without messages." },
	{ "quota_warn", CONF_PERCENT, "90%", 0, 100,
	  .help = "Who selects a mailbox is warned when so much of its quota is used, once in a "
	          "session; 0: never." },
	{ "imap_max_message", CONF_BYTES, "64M", 65536, MESSAGE_MOST,
	  .help = "The largest message that APPEND takes (RFC 7889)." },
	{ .name = NULL },
};

#define LOGINS "roost_imap_logins_total"

struct metric imap_metrics[IMAP_M_COUNT] = {
	[IMAP_M_SESSIONS] = METRIC_GAUGE("roost_imap_sessions", NULL, "Open IMAP sessions."),
	[IMAP_M_CONNECTIONS] =
		METRIC_COUNTER("roost_imap_connections_total", NULL, "IMAP connections accepted."),
	[IMAP_M_LOGIN_OK] = METRIC_COUNTER(LOGINS, "result=\"ok\"", "IMAP logins by result."),
	[IMAP_M_LOGIN_DENIED] =
		METRIC_COUNTER(LOGINS, "result=\"denied\"", "IMAP logins by result."),
	[IMAP_M_LOGIN_TEMP] = METRIC_COUNTER(LOGINS, "result=\"temp\"", "IMAP logins by result."),
	[IMAP_M_COMMANDS] = METRIC_COUNTER("roost_imap_commands_total", NULL, "IMAP commands."),
	[IMAP_M_BAD_COMMANDS] = METRIC_COUNTER("roost_imap_bad_commands_total", NULL,
	                                       "IMAP commands answered with BAD."),
	[IMAP_M_FETCHED] = METRIC_COUNTER("roost_imap_fetched_total", NULL,
	                                  "Messages whose data was sent by FETCH."),
	[IMAP_M_APPENDED] =
		METRIC_COUNTER("roost_imap_appended_total", NULL, "Messages taken by APPEND."),
	[IMAP_M_EXPUNGED] = METRIC_COUNTER("roost_imap_expunged_total", NULL,
	                                   "Messages expunged by IMAP clients."),
};

void
imap_service_set_conf(struct imap_service *p, const struct conf *conf, struct tls_ctx *tls)
{
	size_t command = conf_bytes(conf, "imap_max_command");
	uint64_t message = conf_bytes(conf, "imap_max_message");

	p->c.conf = conf;
	p->c.tls = tls;
	p->sessions.limit = conf_int(conf, "imap_max_sessions");
	p->limits = (struct imap_limits){
		.login_ms = conf_ms(conf, "imap_login_timeout"),
		.idle_ms = conf_ms(conf, "imap_idle_timeout"),
		.keepalive_ms = conf_ms(conf, "imap_idle_keepalive"),
		.message_bytes = message,
		.command_bytes = command,
		.before = { BEFORE_MAX, ARG_MAX_BYTES, BEFORE_MAX, 10 },
		.after = { command, ARG_MAX_BYTES, MAX(message, command), LITERALS_MAX },
	};
}

struct imap_service *
imap_service_new(const struct imap_service_config *c)
{
	struct imap_service *p = xcalloc(1, sizeof(*p));

	p->c = *c;
	sessions_init(&p->sessions);
	imap_service_set_conf(p, c->conf, c->tls);
	return p;
}

void
imap_service_free(struct imap_service **pp)
{
	struct imap_service *p = *pp;
	struct imap_session *s;

	*pp = NULL;
	if (p == NULL)
		return;
	sessions_forget_drain(&p->sessions);
	while ((s = LIST_FIRST(&p->sessions.list, struct imap_session, node)) != NULL)
		imap_session_end(s, "stop");
	free(p);
}

static void
wake(struct list *node)
{
	imap_session_wake(LIST_ITEM(node, struct imap_session, node));
}

void
imap_service_drain(struct imap_service *p, void (*done)(void *ctx), void *ctx)
{
	sessions_drain(&p->sessions, wake, done, ctx);
}

static bool
is_in(const struct imap_session *s, struct slice user)
{
	struct mbox_user owner;

	if (s->logged_in && slice_eq_str(user, s->user))
		return true;
	return s->view != NULL &&
	       mbox_user_of_name(mailbox_name(view_mailbox(s->view)),
	                         store_default_domain(s->service->c.store), &owner) &&
	       slice_eq(mbox_user_slice(&owner), user);
}

void
imap_service_end_user(struct imap_service *p, struct slice user)
{
	struct imap_session *s;

	LIST_EACH (s, &p->sessions.list, struct imap_session, node)
		if (is_in(s, user))
			imap_session_bye(s,
			                 "[UNAVAILABLE] The mailboxes are being moved, come again",
			                 "move");
}

size_t
imap_service_count(const struct imap_service *p)
{
	return p->sessions.count;
}

static const char *
state_text(const struct imap_session *s)
{
	if (!s->logged_in)
		return "LOGIN";
	if (s->idle != NULL)
		return "IDLE";
	return s->view != NULL ? "SELECTED" : "AUTHENTICATED";
}

void
imap_service_each(const struct imap_service *p, who_fn *fn, void *ctx)
{
	struct imap_session *s;

	LIST_EACH (s, &p->sessions.list, struct imap_session, node) {
		struct who_session info = {
			.service = "imap",
			.id = s->id,
			.peer = s->peer,
			.user = s->log.user,
			.state = state_text(s),
			.tls = conn_is_tls(link_conn(s->client)),
			.age_s = (clock_mono_ms() - s->started_ms) / 1000,
		};
		char name[MBOX_NAME_MAX + 1];

		if (s->view != NULL) {
			struct slice n = mailbox_name(view_mailbox(s->view));

			memcpy(name, n.p, n.n);
			name[n.n] = '\0';
			info.mailbox = name;
		}
		fn(ctx, &info);
	}
}
