#include "pop3/leg.h"

#include "base/xalloc.h"
#include "net/dial.h"
#include "route/home.h"

#include <stdlib.h>

enum state { CONNECT, GREETING, STLS, TLS, XCLIENT, CAPA, CAPA_LIST, AUTH, UP };

struct pop3_leg {
	struct loop *loop;
	struct auth *auth;
	const struct server *server;
	const struct pop3_leg_login *login;
	const struct log_ctx *log;
	const struct pop3_leg_ops *ops;
	void *ctx;
	enum state state;
	struct dial *dial;
	struct link *link;
	struct pop3_offer offer;
	uint64_t credentials_id; /* 0: nothing asked */
	bool have_credentials;
	struct buf auth_line, auth_later; /* to be sent; secret */
};

static void
down(struct pop3_leg *leg, bool in_use, const char *why)
{
	leg->ops->down(leg->ctx, in_use, why);
}

static void
send_line(struct pop3_leg *leg, enum state next, const char *line)
{
	buf_add_str(link_out(leg->link), line);
	buf_add_str(link_out(leg->link), "\r\n");
	leg->state = next;
}

/* ---- the login ------------------------------------------------------------------------- */

/* Both must be there: the store's offer and our credentials. */
static void
authenticate(struct pop3_leg *leg)
{
	if (!leg->have_credentials || leg->state != AUTH || leg->auth_line.len == 0)
		return;
	buf_add_slice(link_out(leg->link), buf_slice(&leg->auth_line));
	buf_wipe(&leg->auth_line);
}

static void
on_credentials(void *ctx, uint64_t id, const struct auth_credentials *c)
{
	struct pop3_leg *leg = ctx;

	leg->credentials_id = 0;
	if (c->result != AUTH_OK) {
		down(leg, false, "no credentials for the store");
		return;
	}
	leg->have_credentials = true;
	pop3_client_add_auth_plain(&leg->auth_line, &leg->auth_later, c->authzid, c->authcid,
	                           c->secret);
	authenticate(leg);
	if (leg->link != NULL)
		link_flush(leg->link);
}

static void
ask_capa(struct pop3_leg *leg)
{
	send_line(leg, CAPA, "CAPA");
}

/* The greeting of Dovecot and ours says whether XCLIENT is known and we are trusted. */
static void
introduce(struct pop3_leg *leg)
{
	if (!leg->offer.xclient) {
		ask_capa(leg);
		return;
	}
	pop3_client_add_xclient(link_out(leg->link), leg->login->peer, leg->login->session);
	leg->state = XCLIENT;
}

static void
on_greeting(struct pop3_leg *leg, const struct pop3_reply *r)
{
	if (r->kind != POP3_OK) {
		down(leg, false, "the store's greeting is a refusal");
		return;
	}
	leg->offer.xclient = pop3_reply_has_code(r, "XCLIENT");
	if (leg->server->starttls)
		send_line(leg, STLS, "STLS");
	else
		introduce(leg);
}

static void
on_stls(struct pop3_leg *leg, const struct pop3_reply *r)
{
	if (r->kind != POP3_OK) {
		down(leg, false, "the store refuses STLS");
		return;
	}
	leg->state = TLS;
	link_start_tls_client(leg->link, leg->server->tls, leg->server->tls_name);
}

static void
on_capa(struct pop3_leg *leg, const struct pop3_reply *r)
{
	if (r->kind == POP3_OK) {
		leg->state = CAPA_LIST;
		return;
	}
	/* RFC 1939 alone: nobody can say what it does, so its own -ERR shall tell. */
	leg->offer.top = leg->offer.uidl = leg->offer.sasl_plain = true;
	leg->state = AUTH;
	authenticate(leg);
}

static void
on_auth(struct pop3_leg *leg, const struct pop3_reply *r)
{
	if (r->kind == POP3_CONTINUE && leg->auth_line.len == 0 && leg->auth_later.len > 0) {
		buf_add_slice(link_out(leg->link), buf_slice(&leg->auth_later));
		buf_wipe(&leg->auth_later);
	} else if (r->kind == POP3_OK && leg->auth_line.len == 0 && leg->auth_later.len == 0) {
		leg->state = UP;
		link_set_deadline(leg->link, 0);
		leg->ops->up(leg->ctx, &leg->offer);
	} else if (r->kind == POP3_ERR) {
		bool token = leg->server->kind == SERVER_ROOST && pop3_reply_has_code(r, "AUTH");

		log_warning(leg->log, "pop3.store_refused store=%s text=%s%s", leg->server->name,
		            log_esc_slice(r->text), token ? HOME_TOKEN_HINT : "");
		down(leg, pop3_reply_has_code(r, "IN-USE"), "the store refuses the login");
	} else {
		down(leg, false, "the store is out of step");
	}
}

static void
on_reply(struct pop3_leg *leg, const struct pop3_reply *r)
{
	switch (leg->state) {
	case GREETING:
		on_greeting(leg, r);
		return;
	case STLS:
		on_stls(leg, r);
		return;
	case XCLIENT:
		if (r->kind != POP3_OK)
			log_warning(leg->log, "pop3.xclient_refused store=%s text=%s",
			            leg->server->name, log_esc_slice(r->text));
		ask_capa(leg);
		return;
	case CAPA:
		on_capa(leg, r);
		return;
	case AUTH:
		/* before we have said AUTH there is nothing to be answered */
		if (leg->have_credentials)
			on_auth(leg, r);
		else
			down(leg, false, "the store is out of step");
		return;
	default:
		down(leg, false, "the store is out of step");
	}
}

static size_t
read_offer(struct pop3_leg *leg, struct slice in)
{
	struct slice line;
	size_t used;
	int r = pop3_list_read(in, &used, &line);

	if (r == 1) {
		pop3_offer_add(&leg->offer, line);
	} else if (r == 2) {
		leg->state = AUTH;
		if (!leg->offer.sasl_plain)
			down(leg, false, "the store does not offer PLAIN");
		else
			authenticate(leg);
	} else if (r == -1) {
		down(leg, false, "the store does not speak POP3");
	}
	return used;
}

/* ---- the link ---------------------------------------------------------------------------- */

static size_t
leg_input(void *core, struct slice in)
{
	struct pop3_leg *leg = core;
	struct pop3_reply reply;
	size_t used;
	int r;

	if (leg->state == UP)
		return leg->ops->input(leg->ctx, in);
	if (leg->state == CAPA_LIST)
		return read_offer(leg, in);
	r = pop3_reply_read(in, &used, &reply);
	if (r == 1)
		on_reply(leg, &reply);
	else if (r == -1)
		down(leg, false, "the store does not speak POP3");
	return used;
}

static void
leg_drained(void *core)
{
	struct pop3_leg *leg = core;

	if (leg->state == UP)
		leg->ops->drained(leg->ctx);
}

static void
leg_tls(void *core)
{
	introduce(core);
}

static void
leg_deadline(void *core)
{
	down(core, false, "the store does not answer in time");
}

static void
leg_closed(void *core, enum conn_end why)
{
	down(core, false, conn_end_text(why));
}

static const struct link_ops leg_link_ops = {
	.input = leg_input,
	.drained = leg_drained,
	.tls = leg_tls,
	.deadline = leg_deadline,
	.closed = leg_closed,
};

static void
on_dialled(void *ctx, struct conn **c, const char *why)
{
	struct pop3_leg *leg = ctx;

	leg->dial = NULL;
	if (*c == NULL) {
		down(leg, false, why);
		return;
	}
	leg->link = link_new(c, &leg_link_ops, leg, NULL);
	leg->state = GREETING;
	link_set_deadline(leg->link, leg->login->login_ms);
}

struct pop3_leg *
pop3_leg_new(struct loop *l, struct auth *a, const struct server *server,
             const struct pop3_leg_login *login, const struct log_ctx *log,
             const struct pop3_leg_ops *ops, void *ctx)
{
	struct pop3_leg *leg = xcalloc(1, sizeof(*leg));

	leg->loop = l;
	leg->auth = a;
	leg->server = server;
	leg->login = login;
	leg->log = log;
	leg->ops = ops;
	leg->ctx = ctx;
	buf_init(&leg->auth_line, SIZE_MAX);
	buf_init(&leg->auth_later, SIZE_MAX);
	leg->dial = dial_start(l, server->pop3, login->connect_ms, on_dialled, leg);
	leg->credentials_id = auth_credentials(a, login->grant, "pop3", server->name, login->claim,
	                                       on_credentials, leg);
	return leg;
}

void
pop3_leg_free(struct pop3_leg **legp)
{
	struct pop3_leg *leg = *legp;

	*legp = NULL;
	if (leg == NULL)
		return;
	dial_cancel(&leg->dial);
	if (leg->credentials_id != 0)
		auth_cancel(leg->auth, leg->credentials_id);
	if (leg->link != NULL)
		link_abort(&leg->link);
	buf_wipe(&leg->auth_line);
	buf_wipe(&leg->auth_later);
	free(leg);
}

struct link *
pop3_leg_link(struct pop3_leg *leg)
{
	must(leg->state == UP);
	return leg->link;
}
