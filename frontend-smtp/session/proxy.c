/* What all SMTP and LMTP sessions of a worker share: settings, the list of them, the drain. */
#include "session/session_impl.h"

#include "base/clock.h"
#include "base/xalloc.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct conf_def smtp_conf_table[] = {
	{ "mx_listen", CONF_ADDRESSES, NULL, 25,
	  .help = "Where mail is taken from other mail servers by SMTP." },
	{ "submission_listen", CONF_ADDRESSES, NULL, 587,
	  .help = "Where our users hand in mail, after STARTTLS (plaintext_networks excepted) and a "
	          "login." },
	{ "submissions_listen", CONF_ADDRESSES, NULL, 465,
	  .help = "The same with TLS from the first byte on." },
	{ "mynetworks", CONF_NETWORKS,
	  .help = "Clients whose mail to other domains is carried without a login, at mx_listen and "
	          "submission_listen. Not set: nobody's." },
	{ "open_relay_i_mean_it", CONF_BOOL, "no",
	  .help = "Lets mynetworks and trusted_networks hold large public networks." },
	{ "lmtp_listen", CONF_ADDRESSES, NULL, 24,
	  .help = "Where an MTA of ours hands over mail by LMTP." },
	{ "lmtp_networks", CONF_NETWORKS, "127.0.0.0/8 ::1",
	  .help = "Who may connect to lmtp_listen." },
	{ "message_size_limit", CONF_BYTES, "50M", 1024, 1ULL << 40,
	  .help = "Largest message that is taken." },
	{ "message_memory", CONF_BYTES, "256K", 0, 1ULL << 30,
	  .help = "A message that is larger waits in a file of spool_dir, not in memory, until "
	          "the stores have it." },
	{ "spool_dir", CONF_PATH, "/var/tmp",
	  .help = "Folder for large messages on their way. The files have no names, and are gone "
	          "with the program." },
	{ "recipient_limit", CONF_INT, "1000", 1, SMTP_RCPT_MAX,
	  .help = "Most recipients of one transaction; more are asked to come in another one." },
	{ "refused_limit", CONF_INT, "100", 1, 1000000,
	  .help = "A client to whom so many recipients were refused for good is sent away." },
	{ "hop_limit", CONF_INT, "100", 10, 1000,
	  .help = "A message with more Received fields goes in circles, and is refused." },
	{ "client_connections", CONF_INT, "50", 1, 1000000,
	  .help = "Most connections of one worker from one address, of IPv6 from one /64 "
	          "(lmtp_networks excepted)." },
	{ "max_sessions", CONF_INT, "10000", 1, 1000000, .help = "Most sessions of one worker." },
	{ "command_timeout", CONF_DURATION, "5m", 1000, 3600000,
	  .help = "A client that says nothing for so long is closed (RFC 5321 wants 5 minutes)." },
	{ "data_timeout", CONF_DURATION, "5m", 1000, 3600000,
	  .help = "A client that sends nothing of its message for so long is closed." },
	{ "message_timeout", CONF_DURATION, "1h", 60000, 86400000,
	  .help = "A message has to be whole after this time." },
	{ "rcpt_timeout", CONF_DURATION, "10s", 1000, 240000,
	  .help = "A recipient is answered in this time; where directory, location list or store "
	          "take longer, with \"later\"." },
	{ "store_connect_timeout", CONF_DURATION, "5s", 100, 60000,
	  .help = "A store or next hop that is not connected and has not greeted in this time is "
	          "not reachable." },
	{ "store_timeout", CONF_DURATION, "2m", 1000, 280000,
	  .help = "A store has to have a message on disk in this time. Clients wait ten minutes "
	          "for our answer." },
	{ "relay", CONF_LIST,
	  .help = "Next hops (address or host name, with :port unless it is 25) for mail to other "
	          "domains, tried in this order: mail servers with a queue. A name stands for all "
	          "its addresses. Not set: no mail leaves us." },
	{ "relay_tls", CONF_ENUM, "no", .words = "no starttls tls",
	  .help = "starttls: never without; tls: from the first byte on." },
	{ "relay_tls_verify", CONF_BOOL, "yes",
	  .help = "The next hop's certificate is verified, and names relay_tls_name." },
	{ "relay_tls_name", CONF_STRING,
	  .help = "The name in the next hops' certificates. Not set: that in relay." },
	{ "relay_tls_ca", CONF_PATH,
	  .help = "PEM file with the authorities for the next hops. Not set: the system's." },
	{ "relay_user", CONF_STRING, .help = "Logs in at the next hops (AUTH PLAIN or LOGIN)." },
	{ "relay_password", CONF_STRING, .flags = CONF_SECRET, .help = "Its password." },
	{ "relay_timeout", CONF_DURATION, "2m", 1000, 280000,
	  .help = "A next hop has to have a message in this time; less, when the stores took long: "
	          "a client has its answer after 5 minutes." },
	{ "relay_remember", CONF_INT, "100000", 0, 100000000,
	  .help = "So many recipients to whom a next hop has taken a message are remembered for "
	          "7 days, by each worker in memory: a sender that comes again, since he did not "
	          "hear our answer, does not make a second copy." },
	{ "sender_check", CONF_ENUM, "envelope", .words = "no envelope from",
	  .help = "Whom our users may send as. envelope: MAIL FROM is an address of theirs. from: "
	          "also the From field." },
	{ "srs_domain", CONF_STRING,
	  .help = "Forwards leave with a sender of this domain, to which bounces come back: a domain "
	          "of ours for nothing else, whose MX we are. Not set: they keep their sender, and "
	          "receivers that check SPF may refuse them." },
	{ "srs_secret", CONF_STRING, .flags = CONF_SECRET,
	  .help = "Marks those senders as made by us: the same on all front ends, at least 16 bytes." },
	{ "store_connections", CONF_INT, "20", 1, 10000,
	  .help = "Most connections of one worker to one store, or one next hop." },
	{ "store_idle", CONF_DURATION, "30s", 1000, 3600000,
	  .help = "A connection to a store or next hop that nobody used for so long is closed." },
	{ .name = NULL },
};

#define RELAYED "roost_smtp_relayed_total"
#define LOGINS "roost_smtp_logins_total"
#define MSGS "roost_smtp_messages_total"
#define RCPTS "roost_smtp_recipients_total"
#define COPIES "roost_smtp_deliveries_total"

struct metric smtp_metrics[SMTP_M_COUNT] = {
	[SMTP_M_SESSIONS] = METRIC_GAUGE("roost_smtp_sessions", NULL, "Open sessions."),
	[SMTP_M_CONNECTIONS] =
		METRIC_COUNTER("roost_smtp_connections_total", NULL, "Connections accepted."),
	[SMTP_M_LOGIN_OK] = METRIC_COUNTER(LOGINS, "result=\"ok\"", "Logins by result."),
	[SMTP_M_LOGIN_DENIED] = METRIC_COUNTER(LOGINS, "result=\"denied\"", "Logins by result."),
	[SMTP_M_LOGIN_TEMP] = METRIC_COUNTER(LOGINS, "result=\"later\"", "Logins by result."),
	[SMTP_M_TOO_MANY] = METRIC_COUNTER("roost_smtp_connections_refused_total", NULL,
	                                   "Connections sent away by a limit."),
	[SMTP_M_RCPT_OK] = METRIC_COUNTER(RCPTS, "answer=\"ok\"", "Recipients by answer."),
	[SMTP_M_RCPT_TEMP] = METRIC_COUNTER(RCPTS, "answer=\"later\"", "Recipients by answer."),
	[SMTP_M_RCPT_REFUSED] =
		METRIC_COUNTER(RCPTS, "answer=\"refused\"", "Recipients by answer."),
	[SMTP_M_MSG_OK] = METRIC_COUNTER(MSGS, "answer=\"ok\"", "Messages by answer."),
	[SMTP_M_MSG_TEMP] = METRIC_COUNTER(MSGS, "answer=\"later\"", "Messages by answer."),
	[SMTP_M_MSG_REFUSED] = METRIC_COUNTER(MSGS, "answer=\"refused\"", "Messages by answer."),
	[SMTP_M_DELIVERED] =
		METRIC_COUNTER(COPIES, "answer=\"ok\"", "Copies for stores by their answer."),
	[SMTP_M_DELIVERY_TEMP] =
		METRIC_COUNTER(COPIES, "answer=\"later\"", "Copies for stores by their answer."),
	[SMTP_M_DELIVERY_REFUSED] =
		METRIC_COUNTER(COPIES, "answer=\"refused\"", "Copies for stores by their answer."),
	[SMTP_M_RELAYED] =
		METRIC_COUNTER(RELAYED, "answer=\"ok\"", "Copies for next hops by their answer."),
	[SMTP_M_RELAY_TEMP] = METRIC_COUNTER(RELAYED, "answer=\"later\"",
	                                     "Copies for next hops by their answer."),
	[SMTP_M_RELAY_REFUSED] = METRIC_COUNTER(RELAYED, "answer=\"refused\"",
	                                        "Copies for next hops by their answer."),
	[SMTP_M_BOUNCED] =
		METRIC_COUNTER("roost_smtp_reports_total", NULL,
	                       "Senders told that some recipients refused their message."),
	[SMTP_M_BYTES] = METRIC_COUNTER("roost_smtp_bytes_total", NULL, "Bytes of messages taken."),
	[SMTP_M_DELIVERY_MS] = METRIC_HISTOGRAM("roost_smtp_delivery_seconds", NULL,
	                                        "From the end of a message to a store's answer.",
	                                        metrics_ms_bounds),
};

/* A client may give us up after 10 minutes (RFC 5321 section 4.5.3.2.6). */
#define ANSWER_MS 300000

struct smtp_proxy *
smtp_proxy_new(const struct smtp_proxy_config *c)
{
	struct smtp_proxy *p = xcalloc(1, sizeof(*p));
	const char *domain = conf_str(c->conf, "default_domain");
	const char *delimiter = conf_str(c->conf, "recipient_delimiter");

	p->c = *c;
	p->limits = (struct smtp_limits){
		.command_ms = conf_ms(c->conf, "command_timeout"),
		.data_ms = conf_ms(c->conf, "data_timeout"),
		.message_ms = conf_ms(c->conf, "message_timeout"),
		.per_address = conf_int(c->conf, "client_connections"),
		.refused = conf_int(c->conf, "refused_limit"),
	};
	p->shared = (struct txn_shared){
		.loop = c->loop,
		.route = c->route,
		.pool = c->pool,
		.relay = c->relay,
		.seen = seen_new(conf_int(c->conf, "relay_remember")),
		.srs = { .domain = conf_str(c->conf, "srs_domain"),
		         .secret = conf_str(c->conf, "srs_secret") },
		.hostname = conf_common_hostname(c->conf),
		.relay_ms = conf_ms(c->conf, "relay_timeout"),
		.answer_ms = ANSWER_MS,
		.msg_limits = { .memory_bytes = conf_bytes(c->conf, "message_memory"),
		                .spool_dir = conf_str(c->conf, "spool_dir") },
		.rcpt_ms = conf_ms(c->conf, "rcpt_timeout"),
		.store_ms = conf_ms(c->conf, "store_timeout"),
		.hops_max = (unsigned)conf_int(c->conf, "hop_limit"),
		.default_domain = domain != NULL ? domain : "",
		.delimiter = delimiter != NULL ? *delimiter : '\0',
	};
	sessions_init(&p->sessions);
	p->sessions.limit = conf_int(c->conf, "max_sessions");
	p->by_address = map_new();
	return p;
}

void
smtp_proxy_free(struct smtp_proxy **pp)
{
	struct smtp_proxy *p = *pp;
	struct smtp_session *s;

	*pp = NULL;
	if (p == NULL)
		return;
	sessions_forget_drain(&p->sessions);
	while ((s = LIST_FIRST(&p->sessions.list, struct smtp_session, node)) != NULL)
		session_end(s, "stop");
	seen_free(&p->shared.seen);
	map_free(&p->by_address);
	free(p);
}

/* Whom a limit for one client counts together: an IPv4 address, an IPv6 network of 64 bits
 * (who has one has all of them). */
static void
net_of(const struct addr *a, char net_r[ADDR_TEXT_LEN])
{
	struct sockaddr_in6 in6;
	const uint8_t *b = in6.sin6_addr.s6_addr;

	addr_host_text(a, net_r);
	if (a->ss.ss_family != AF_INET6 || strchr(net_r, ':') == NULL)
		return;
	memcpy(&in6, &a->ss, sizeof(in6));
	snprintf(net_r, ADDR_TEXT_LEN, "%02x%02x:%02x%02x:%02x%02x:%02x%02x::", b[0], b[1], b[2],
	         b[3], b[4], b[5], b[6], b[7]);
}

void
proxy_add_session(struct smtp_proxy *p, struct smtp_session *s, const struct addr *peer)
{
	char net[ADDR_TEXT_LEN];

	net_of(peer, net);
	s->address = map_get(p->by_address, slice_of(net));
	if (s->address == NULL) {
		s->address = xcalloc(1, sizeof(*s->address));
		snprintf(s->address->net, sizeof(s->address->net), "%s", net);
		(void)map_set(p->by_address, slice_of(net), s->address);
	}
	s->address->sessions++;
	sessions_add(&p->sessions, &s->node);
	metrics_add(&smtp_metrics[SMTP_M_SESSIONS], 1);
	metrics_add(&smtp_metrics[SMTP_M_CONNECTIONS], 1);
}

void
proxy_lost_session(struct smtp_proxy *p, struct smtp_session *s)
{
	if (--s->address->sessions == 0) {
		(void)map_del(p->by_address, slice_of(s->address->net));
		free(s->address);
	}
	metrics_sub(&smtp_metrics[SMTP_M_SESSIONS], 1);
	sessions_remove(&p->sessions, &s->node);
}

static void
send_away(struct list *node)
{
	struct smtp_session *s = LIST_ITEM(node, struct smtp_session, node);

	if (session_is_idle(s))
		session_bye(s, 421, "4.3.2", "Going away, please come again", "drain");
}

void
smtp_proxy_drain(struct smtp_proxy *p, bool may_stay, void (*done)(void *ctx), void *ctx)
{
	sessions_drain(&p->sessions, may_stay ? NULL : send_away, done, ctx);
}

size_t
smtp_proxy_count(const struct smtp_proxy *p)
{
	return p->sessions.count;
}

void
smtp_proxy_each(const struct smtp_proxy *p, who_fn *fn, void *ctx)
{
	struct smtp_session *s;

	LIST_EACH (s, &p->sessions.list, struct smtp_session, node) {
		struct who_session info = {
			.id = s->id,
			.peer = s->peer,
			.state = s->client != NULL ? smtp_server_state_name(s->core) : "gone",
			.service = smtp_service_name(s->service),
			.user = *s->user != '\0' ? s->user : NULL,
			.tls = smtp_server_is_tls(s->core),
			.age_s = (clock_mono_ms() - s->started_ms) / 1000,
		};

		fn(ctx, &info);
	}
}
