/* What all LMTP sessions of a store share: settings, the list of them, the drain. */
#include "lmtp/session_impl.h"

#include "base/clock.h"
#include "base/xalloc.h"

#include <stdlib.h>

#define TRACE_MAX (64u << 10) /* header fields of ours in front of a message */

const struct conf_def lmtp_conf_table[] = {
	{ "lmtp_listen", CONF_ADDRESSES, NULL, 24, .flags = CONF_RESTART,
	  .help = "Where mail is taken in by LMTP." },
	{ "lmtp_timeout", CONF_DURATION, "5m", 1000, 86400000,
	  .help = "An LMTP client that says nothing for so long is sent away." },
	{ "lmtp_body_timeout", CONF_DURATION, "10m", 1000, 86400000,
	  .help = "A message has to be there this long after DATA." },
	{ "lmtp_max_sessions", CONF_INT, "1000", 1, 1000000, .help = "Most LMTP sessions." },
	{ "lmtp_max_message", CONF_BYTES, "50M", 1024, ENGINE_BLOB_MAX - TRACE_MAX,
	  .help = "The largest message that is taken." },
	{ "lmtp_max_recipients", CONF_INT, "1000", 1, DELIVER_RCPT_MAX,
	  .help = "Most recipients of one message, refused ones included; the others are told to "
	          "come later." },
	{ "over_quota", CONF_ENUM, "later", .words = "later refuse",
	  .help = "What a sender is told whose message does not fit into the recipient's quota: to "
	          "come again later (452 4.2.2), or never (552 5.2.2)." },
	{ .name = NULL },
};

struct metric lmtp_metrics[LMTP_M_COUNT] = {
	[LMTP_M_SESSIONS] = METRIC_GAUGE("roost_lmtp_sessions", NULL, "Open LMTP sessions."),
	[LMTP_M_CONNECTIONS] =
		METRIC_COUNTER("roost_lmtp_connections_total", NULL, "LMTP connections accepted."),
	[LMTP_M_RCPT_OK] = METRIC_COUNTER("roost_lmtp_recipients_total", "result=\"ok\"",
	                                  "Recipients by the answer to RCPT."),
	[LMTP_M_RCPT_DENIED] = METRIC_COUNTER("roost_lmtp_recipients_total", "result=\"denied\"",
	                                      "Recipients by the answer to RCPT."),
	[LMTP_M_RCPT_TEMP] = METRIC_COUNTER("roost_lmtp_recipients_total", "result=\"temp\"",
	                                    "Recipients by the answer to RCPT."),
	[LMTP_M_DELIVERED] = METRIC_COUNTER("roost_lmtp_deliveries_total", "result=\"ok\"",
	                                    "Deliveries to single users by result."),
	[LMTP_M_DUPLICATE] = METRIC_COUNTER("roost_lmtp_deliveries_total", "result=\"duplicate\"",
	                                    "Deliveries to single users by result."),
	[LMTP_M_FAILED] = METRIC_COUNTER("roost_lmtp_deliveries_total", "result=\"failed\"",
	                                 "Deliveries to single users by result."),
	[LMTP_M_BYTES] = METRIC_COUNTER("roost_lmtp_received_bytes_total", NULL,
	                                "Bytes of messages taken in."),
	[LMTP_M_DELIVERY_MS] =
		METRIC_HISTOGRAM("roost_lmtp_delivery_seconds", NULL,
	                         "From the end of a message to its answer.", metrics_ms_bounds),
};

void
lmtp_service_set_conf(struct lmtp_service *p, const struct conf *conf, struct tls_ctx *tls)
{
	p->c.conf = conf;
	p->c.tls = tls;
	p->sessions.limit = conf_int(conf, "lmtp_max_sessions");
	p->limits = (struct lmtp_limits){
		.idle_ms = conf_ms(conf, "lmtp_timeout"),
		.body_ms = conf_ms(conf, "lmtp_body_timeout"),
		.message_bytes = conf_bytes(conf, "lmtp_max_message"),
		.refuse_over_quota = conf_enum(conf, "over_quota") == 1,
		.rcpts = (unsigned)conf_int(conf, "lmtp_max_recipients"),
	};
}

struct lmtp_service *
lmtp_service_new(const struct lmtp_service_config *c)
{
	struct lmtp_service *p = xcalloc(1, sizeof(*p));

	p->c = *c;
	p->refs = 1;
	sessions_init(&p->sessions);
	lmtp_service_set_conf(p, c->conf, c->tls);
	return p;
}

void
lmtp_service_unref(struct lmtp_service *p)
{
	if (--p->refs == 0)
		free(p);
}

void
lmtp_service_free(struct lmtp_service **pp)
{
	struct lmtp_service *p = *pp;
	struct lmtp_session *s;

	*pp = NULL;
	if (p == NULL)
		return;
	sessions_forget_drain(&p->sessions);
	while ((s = LIST_FIRST(&p->sessions.list, struct lmtp_session, node)) != NULL)
		lmtp_session_end(s, "stop");
	lmtp_service_unref(p);
}

static void
send_away(struct list *node)
{
	struct lmtp_session *s = LIST_ITEM(node, struct lmtp_session, node);

	if (s->delivery == NULL)
		lmtp_session_say_going(s);
}

void
lmtp_service_drain(struct lmtp_service *p, void (*done)(void *ctx), void *ctx)
{
	sessions_drain(&p->sessions, send_away, done, ctx);
}

size_t
lmtp_service_count(const struct lmtp_service *p)
{
	return p->sessions.count;
}

void
lmtp_service_each(const struct lmtp_service *p, who_fn *fn, void *ctx)
{
	struct lmtp_session *s;

	LIST_EACH (s, &p->sessions.list, struct lmtp_session, node) {
		struct who_session info = {
			.service = "lmtp",
			.id = s->id,
			.peer = s->peer,
			.user = s->login,
			.state = smtp_server_state_name(s->core),
			.tls = smtp_server_is_tls(s->core),
			.age_s = (clock_mono_ms() - s->started_ms) / 1000,
		};

		fn(ctx, &info);
	}
}
