/* What all POP3 sessions of a program share: limits, metrics, the list of them, the drain. */
#include "session/pop3_session.h"

#include "base/clock.h"
#include "base/xalloc.h"

#include <stdlib.h>

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
};

void
pop3_service_set_conf(struct pop3_service *p, const struct conf *conf, struct tls_ctx *tls)
{
	p->c.conf = conf;
	p->c.tls = tls;
	p->sessions.limit = conf_int(conf, "pop3_max_sessions");
	p->login_ms = conf_ms(conf, "pop3_login_timeout");
	p->idle_ms = conf_ms(conf, "pop3_idle_timeout");
}

struct pop3_service *
pop3_service_new(const struct pop3_service_config *c)
{
	struct pop3_service *p = xcalloc(1, sizeof(*p));

	p->c = *c;
	sessions_init(&p->sessions);
	pop3_service_set_conf(p, c->conf, c->tls);
	return p;
}

void
pop3_service_free(struct pop3_service **pp)
{
	struct pop3_service *p = *pp;
	struct pop3_session *s;

	*pp = NULL;
	if (p == NULL)
		return;
	sessions_forget_drain(&p->sessions);
	while ((s = LIST_FIRST(&p->sessions.list, struct pop3_session, node)) != NULL)
		pop3_session_end(s, "stop");
	free(p);
}

static void
send_away(struct list *node)
{
	struct pop3_session *s = LIST_ITEM(node, struct pop3_session, node);

	if (s->logged_in)
		return;
	pop3_session_reply(s, "-ERR [SYS/TEMP] Going away, please come again.");
	pop3_session_end(s, "drain");
}

void
pop3_service_drain(struct pop3_service *p, bool may_stay, void (*done)(void *ctx), void *ctx)
{
	sessions_drain(&p->sessions, may_stay ? NULL : send_away, done, ctx);
}

void
pop3_service_end_user(struct pop3_service *p, struct slice user)
{
	struct pop3_session *s;

	LIST_EACH (s, &p->sessions.list, struct pop3_session, node)
		if (s->logged_in && slice_eq_str(user, s->user))
			pop3_session_end(s, "move");
}

size_t
pop3_service_count(const struct pop3_service *p)
{
	return p->sessions.count;
}

void
pop3_service_each(const struct pop3_service *p, who_fn *fn, void *ctx)
{
	struct pop3_session *s;

	LIST_EACH (s, &p->sessions.list, struct pop3_session, node) {
		struct who_session info = {
			.service = "pop3",
			.id = s->id,
			.peer = s->peer,
			.user = s->log.user,
			.store = s->store,
			.state = s->logged_in ? "TRANSACTION" : "AUTHORIZATION",
			.tls = pop3_server_is_tls(s->core),
			.age_s = (clock_mono_ms() - s->started_ms) / 1000,
		};

		fn(ctx, &info);
	}
}
