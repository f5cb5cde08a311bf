/* From a login to the store, and the end. What follows the login is relay.c's. */
#include "pop3/session_impl.h"

#include "base/xalloc.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

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

struct metric pop3_proxy_metrics[POP3_PROXY_M_COUNT] = {
	[POP3_PROXY_M_STORE_LOST] = METRIC_COUNTER("roost_pop3_store_lost_total", NULL,
	                                           "POP3 sessions whose store went away."),
};

const char *
session_store(const struct proxy_session *s)
{
	return log_esc(s->pop3.store);
}

static void
refuse(struct proxy_session *s, enum pop3_refusal why)
{
	secret_wipe(s->grant, sizeof(s->grant));
	pop3_session_refuse(&s->pop3, why);
}

/* ---- the store ----------------------------------------------------------------------------- */

static void
on_leg_up(void *ctx, const struct pop3_offer *offer)
{
	struct proxy_session *s = ctx;

	secret_wipe(s->grant, sizeof(s->grant));
	s->relay.offer = *offer;
	log_debug(&s->pop3.log, "pop3.login store=%s", session_store(s));
	pop3_session_enter(&s->pop3);
}

static void
on_leg_down(void *ctx, bool in_use, const char *why)
{
	struct proxy_session *s = ctx;

	if (s->pop3.logged_in) {
		relay_store_lost(s, why);
		return;
	}
	log_warning(&s->pop3.log, "pop3.store_unavailable store=%s why=%s", session_store(s),
	            log_esc(why));
	pop3_leg_free(&s->leg);
	refuse(s, in_use ? POP3_REFUSED_IN_USE : POP3_REFUSED_TEMP);
}

static size_t
on_leg_input(void *ctx, struct slice in)
{
	return relay_store_input(ctx, in);
}

static void
on_leg_drained(void *ctx)
{
	relay_store_drained(ctx);
}

static const struct pop3_leg_ops leg_ops = {
	.up = on_leg_up,
	.input = on_leg_input,
	.drained = on_leg_drained,
	.down = on_leg_down,
};

/* ---- the way home -------------------------------------------------------------------------- */

static void
on_home(void *ctx, uint64_t id, const struct home_answer *a)
{
	struct proxy_session *s = ctx;
	const struct pop3_service_config *c = &s->pop3.service->c;

	s->home_id = 0;
	if (a->result != HOME_FOUND) {
		log_warning(&s->pop3.log, "pop3.no_home result=%s why=%s",
		            home_result_text(a->result), log_esc(a->why));
		refuse(s, POP3_REFUSED_TEMP);
		return;
	}
	s->pop3.store = a->server->name;
	if (a->server->pop3 == NULL) {
		log_error(&s->pop3.log, "pop3.no_address store=%s", session_store(s));
		refuse(s, POP3_REFUSED_TEMP);
		return;
	}
	s->store_ms = conf_ms(c->conf, "pop3_store_timeout");
	s->login = (struct pop3_leg_login){
		.grant = s->grant,
		.claim = a->claim,
		.peer = s->pop3.peer,
		.session = s->pop3.id,
		.connect_ms = conf_ms(c->conf, "pop3_connect_timeout"),
		.login_ms = s->store_ms,
	};
	s->leg = pop3_leg_new(c->loop, c->auth, a->server, &s->login, &s->pop3.log, &leg_ops, s);
}

static void
on_known(struct pop3_session *p, const struct auth_reply *r)
{
	struct proxy_session *s = proxy_session_of(p);

	if (r->grant == NULL || strlen(r->grant) >= sizeof(s->grant)) {
		refuse(s, POP3_REFUSED_AUTH); /* an identity without a mailbox */
		return;
	}
	snprintf(s->grant, sizeof(s->grant), "%s", r->grant);
	s->home_id = home_find(p->service->c.owner, slice_of(p->user), on_home, s);
}

/* ---- the end ------------------------------------------------------------------------------- */

static void
on_end(struct pop3_session *p, struct buf *done)
{
	struct proxy_session *s = proxy_session_of(p);

	buf_printf(done, "store=%s commands=%" PRIu64 " bytes=%" PRIu64, session_store(s),
	           s->relay.commands, s->relay.bytes);
	home_cancel(p->service->c.owner, s->home_id);
	pop3_leg_free(&s->leg);
	secret_wipe(s->grant, sizeof(s->grant));
}

const struct pop3_ops pop3_proxy_ops = {
	.session_bytes = sizeof(struct proxy_session),
	.client_follows = true,
	.known = on_known,
	.command = relay_command,
	.drained = relay_client_drained,
	.end = on_end,
};
