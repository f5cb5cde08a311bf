#include "imap/leg.h"

#include "base/text.h"
#include "base/xalloc.h"
#include "imap/offer.h"
#include "link/link.h"
#include "net/dial.h"
#include "route/home.h"

#include <stdio.h>
#include <stdlib.h>

/* A line of state, and what a FETCH brings in one go. */
static const struct link_limits leg_limits = {
	.input_bytes = 65536,
	.output_high = 65536,
	.output_low = 16384,
	.output_max = (size_t)1 << 20,
};
STATIC_ASSERT(IMAP_RESP_LINE_MAX <= 65536);

enum state {
	CONNECT,
	GREETING,
	STARTTLS,
	TLS,
	CAPABILITY, /* before the login */
	READY,      /* all is known but the credentials */
	AUTH,
	OFFER, /* CAPABILITY after the login */
	ENABLE,
	UP,
};

struct imap_leg {
	struct list node; /* the owner's */
	struct loop *loop;
	struct auth *auth;
	struct server *server;
	struct imap_leg_login login;
	struct imap_leg_notes notes;
	const struct log_ctx *log;
	const struct imap_leg_ops *ops;
	void *ctx;
	enum state state;
	struct dial *dial;
	struct link *link;
	struct imap_resp resp;
	bool freed, down_told;
	bool have_offer;        /* since the greeting, TLS, or the login */
	bool sasl_ir, id;       /* what the store has before the login */
	uint64_t offer;         /* the latest */
	uint64_t credential_id; /* 0: nothing asked */
	struct buf response;    /* base64 of PLAIN; secret; empty: not there yet, or sent */
	unsigned tag;           /* of our latest command, "R5" */
	unsigned id_tag;        /* of ID while its reply is not there; 0 */
};

static void
down(struct imap_leg *leg, enum imap_leg_end how, const char *why)
{
	if (leg->freed || leg->down_told)
		return;
	leg->down_told = true;
	leg->ops->down(leg->ctx, leg, how, why);
}

static void
send_command(struct imap_leg *leg, enum state next, const char *command)
{
	buf_printf(link_out(leg->link), "R%u %s\r\n", ++leg->tag, command);
	leg->state = next;
}

/* ---- the login ---------------------------------------------------------------------------------- */

static void
send_id(struct imap_leg *leg)
{
	struct buf *out = link_out(leg->link);

	leg->id_tag = ++leg->tag;
	/* both are ours: an address, and letters and digits */
	buf_printf(out,
	           "R%u ID (\"name\" \"Roost\" \"x-originating-ip\" \"%s\" "
	           "\"x-session-id\" \"%s\")\r\n",
	           leg->id_tag, leg->login.peer, leg->login.session);
}

/* Both must be there: the store's offer and our credentials. */
static void
authenticate(struct imap_leg *leg)
{
	if (leg->state != READY || leg->response.len == 0)
		return;
	if ((leg->offer & OFFER(AUTH_PLAIN)) == 0) {
		down(leg, IMAP_LEG_AWAY, "the store does not offer AUTH=PLAIN");
		return;
	}
	if (leg->id)
		send_id(leg);
	leg->have_offer = false;
	if (!leg->sasl_ir) {
		send_command(leg, AUTH, "AUTHENTICATE PLAIN");
		return;
	}
	buf_printf(link_out(leg->link), "R%u AUTHENTICATE PLAIN %s\r\n", ++leg->tag,
	           buf_cstr(&leg->response));
	buf_wipe(&leg->response);
	leg->state = AUTH;
}

static void
on_credentials(void *ctx, uint64_t id, const struct auth_credentials *c)
{
	struct imap_leg *leg = ctx;
	struct buf plain = BUF_INIT(SIZE_MAX);

	leg->credential_id = 0;
	if (c->result != AUTH_OK) {
		down(leg, IMAP_LEG_AWAY, "no credentials for the store");
		return;
	}
	buf_add_str(&plain, c->authzid);
	buf_add_char(&plain, '\0');
	buf_add_str(&plain, c->authcid);
	buf_add_char(&plain, '\0');
	buf_add_str(&plain, c->secret);
	text_base64_add(&leg->response, buf_slice(&plain));
	buf_wipe(&plain);
	authenticate(leg);
	if (leg->link != NULL)
		link_flush(leg->link);
}

static void
have_offer(struct imap_leg *leg)
{
	leg->sasl_ir = (leg->offer & OFFER(SASL_IR)) != 0;
	leg->id = (leg->offer & OFFER(ID)) != 0;
	leg->state = READY;
	authenticate(leg);
}

static void
on_greeting(struct imap_leg *leg, const struct imap_resp_event *ev)
{
	/* PREAUTH would be somebody else's session. */
	if (ev->status != IMAP_RESP_OK || !slice_eq(ev->tag, SLICE("*"))) {
		down(leg, IMAP_LEG_AWAY, "the store's greeting is a refusal");
		return;
	}
	if (leg->server->starttls) {
		leg->have_offer = false;
		send_command(leg, STARTTLS, "STARTTLS");
	} else if (leg->have_offer) {
		have_offer(leg);
	} else {
		send_command(leg, CAPABILITY, "CAPABILITY");
	}
}

static void
logged_in(struct imap_leg *leg)
{
	leg->server->imap_offer.known = true;
	leg->server->imap_offer.bits = leg->offer;
	if (leg->login.enable != NULL && (leg->offer & OFFER(ENABLE)) != 0 &&
	    leg->state != ENABLE) {
		buf_printf(link_out(leg->link), "R%u ENABLE %s\r\n", ++leg->tag, leg->login.enable);
		leg->state = ENABLE;
		return;
	}
	leg->state = UP;
	link_set_deadline(leg->link, 0);
	leg->ops->up(leg->ctx, leg);
}

static void
refused(struct imap_leg *leg, const struct imap_resp_event *ev)
{
	bool token = leg->server->kind == SERVER_ROOST &&
	             slice_ieq(ev->code, SLICE("AUTHENTICATIONFAILED"));

	log_warning(leg->log, "imap.store_refused store=%s code=%s text=%s%s", leg->server->name,
	            log_esc_slice(ev->code), log_esc_slice(ev->text), token ? HOME_TOKEN_HINT : "");
	down(leg, slice_ieq(ev->code, SLICE("LIMIT")) ? IMAP_LEG_LIMIT : IMAP_LEG_REFUSED,
	     "the store refuses the login");
}

/* The reply to our latest command. */
static void
on_reply(struct imap_leg *leg, const struct imap_resp_event *ev)
{
	if (leg->state == AUTH && ev->status != IMAP_RESP_OK) {
		refused(leg, ev);
		return;
	}
	if (ev->status != IMAP_RESP_OK) {
		down(leg, IMAP_LEG_AWAY, "the store refuses a command of the login");
		return;
	}
	switch (leg->state) {
	case STARTTLS:
		leg->state = TLS;
		link_start_tls_client(leg->link, leg->server->tls, leg->server->tls_name);
		return;
	case CAPABILITY:
		if (leg->have_offer)
			have_offer(leg);
		else
			down(leg, IMAP_LEG_AWAY, "the store does not say what it offers");
		return;
	case AUTH:
		if (leg->response.len > 0 || leg->id_tag != 0)
			down(leg, IMAP_LEG_AWAY, "the store is out of step");
		else if (leg->have_offer)
			logged_in(leg);
		else
			send_command(leg, OFFER, "CAPABILITY");
		return;
	case OFFER:
	case ENABLE:
		logged_in(leg);
		return;
	default:
		down(leg, IMAP_LEG_AWAY, "the store is out of step");
	}
}

static void
on_status(struct imap_leg *leg, const struct imap_resp_event *ev)
{
	char want[16];

	if (ev->status == IMAP_RESP_OK && slice_ieq(ev->code, SLICE("CAPABILITY"))) {
		leg->offer = offer_parse(ev->code_args);
		leg->have_offer = true;
	}
	if (leg->state == GREETING) {
		on_greeting(leg, ev);
		return;
	}
	if (slice_eq(ev->tag, SLICE("*"))) {
		if (ev->status == IMAP_RESP_BYE)
			down(leg, IMAP_LEG_AWAY, "the store says BYE");
		return;
	}
	snprintf(want, sizeof(want), "R%u", leg->id_tag);
	if (leg->id_tag != 0 && slice_eq_str(ev->tag, want)) {
		leg->id_tag = 0; /* whatever it says: the store may not trust us with it */
		return;
	}
	snprintf(want, sizeof(want), "R%u", leg->tag);
	if (leg->state == READY || !slice_eq_str(ev->tag, want))
		down(leg, IMAP_LEG_AWAY, "the store is out of step");
	else
		on_reply(leg, ev);
}

static void
on_continue(struct imap_leg *leg)
{
	if (leg->state != AUTH || leg->response.len == 0) {
		down(leg, IMAP_LEG_AWAY, "the store is out of step");
		return;
	}
	buf_add_slice(link_out(leg->link), buf_slice(&leg->response));
	buf_add_str(link_out(leg->link), "\r\n");
	buf_wipe(&leg->response);
}

static void
on_login_response(struct imap_leg *leg, const struct imap_resp_event *ev)
{
	struct slice words, first;

	switch (ev->type) {
	case IMAP_RESP_STATUS:
		on_status(leg, ev);
		return;
	case IMAP_RESP_CONTINUE:
		on_continue(leg);
		return;
	case IMAP_RESP_DATA:
		if (leg->state == GREETING) {
			down(leg, IMAP_LEG_AWAY, "the store is out of step");
			return;
		}
		if (!ev->last || !slice_eq(ev->name, SLICE("CAPABILITY")))
			return;
		words = slice_trim(ev->bytes);
		(void)imap_resp_next_word(&words, &first); /* "*" */
		(void)imap_resp_next_word(&words, &first);
		leg->offer = offer_parse(words);
		leg->have_offer = true;
		return;
	case IMAP_RESP_MORE:
		return;
	}
}

/* ---- the link ------------------------------------------------------------------------------------ */

/* False: no more of this leg. */
static bool
on_event(struct imap_leg *leg, const struct imap_resp_event *ev)
{
	if (leg->state != UP)
		on_login_response(leg, ev);
	else if (!leg->ops->response(leg->ctx, leg, ev))
		down(leg, IMAP_LEG_AWAY, "the store is out of step");
	return !leg->freed && !leg->down_told;
}

static size_t
leg_input(void *core, struct slice in)
{
	struct imap_leg *leg = core;
	bool was_up = leg->state == UP, go_on = true;
	struct imap_resp_event ev;
	size_t all = 0, used;
	int r = 1;

	/* STARTTLS: what is left was said in clear, and the link ends on it */
	while (r == 1 && go_on && leg->state != TLS) {
		r = imap_resp_read(&leg->resp, slice_skip(in, all), &used, &ev);
		all += used;
		if (r == 1)
			go_on = on_event(leg, &ev);
	}
	if (r == -1)
		down(leg, IMAP_LEG_AWAY, "the store does not speak IMAP, or is out of step");
	else if (go_on && was_up)
		leg->ops->fed(leg->ctx, leg);
	return all;
}

static void
leg_drained(void *core)
{
	struct imap_leg *leg = core;

	if (leg->state == UP)
		leg->ops->drained(leg->ctx, leg);
}

static void
leg_tls(void *core)
{
	struct imap_leg *leg = core;

	/* what was said in clear is not believed any more */
	imap_resp_init(&leg->resp);
	leg->offer = 0;
	leg->have_offer = false;
	send_command(leg, CAPABILITY, "CAPABILITY");
}

static void
leg_deadline(void *core)
{
	struct imap_leg *leg = core;

	if (leg->state == UP)
		leg->ops->deadline(leg->ctx, leg);
	else
		down(leg, IMAP_LEG_AWAY, "the store does not let us in in time");
}

static void
leg_closed(void *core, enum conn_end why)
{
	down(core, IMAP_LEG_AWAY, conn_end_text(why));
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
	struct imap_leg *leg = ctx;

	leg->dial = NULL;
	if (*c == NULL) {
		down(leg, IMAP_LEG_AWAY, why);
		return;
	}
	leg->link = link_new(c, &leg_link_ops, leg, &leg_limits);
	leg->state = GREETING;
	link_set_deadline(leg->link, leg->login.login_ms);
}

/* ---- for the owner --------------------------------------------------------------------------------- */

static void
on_no_address(void *ctx, uint64_t id, const struct auth_credentials *c)
{
	struct imap_leg *leg = ctx;

	leg->credential_id = 0;
	down(leg, IMAP_LEG_AWAY, "the settings have no imap address for the store");
}

struct imap_leg *
imap_leg_new(struct loop *l, struct auth *a, struct server *server,
             const struct imap_leg_login *login, const struct log_ctx *log,
             const struct imap_leg_ops *ops, void *ctx)
{
	struct imap_leg *leg = xcalloc(1, sizeof(*leg));

	list_init(&leg->node);
	leg->loop = l;
	leg->auth = a;
	leg->server = server;
	leg->login = *login;
	leg->log = log;
	leg->ops = ops;
	leg->ctx = ctx;
	imap_resp_init(&leg->resp);
	buf_init(&leg->response, SIZE_MAX);
	if (server->imap != NULL)
		leg->dial = dial_start(l, server->imap, login->connect_ms, on_dialled, leg);
	leg->credential_id =
		auth_credentials(a, login->grant, "imap", server->name, login->claim,
	                         server->imap != NULL ? on_credentials : on_no_address, leg);
	return leg;
}

static void
destroy(void *ctx)
{
	struct imap_leg *leg = ctx;

	buf_wipe(&leg->response);
	free(leg);
}

void
imap_leg_free(struct imap_leg **legp, bool bye)
{
	struct imap_leg *leg = *legp;

	*legp = NULL;
	if (leg == NULL)
		return;
	must(!leg->freed);
	leg->freed = true;
	list_del(&leg->node);
	dial_cancel(&leg->dial);
	if (leg->credential_id != 0)
		auth_cancel(leg->auth, leg->credential_id);
	if (leg->link != NULL && bye && leg->state == UP && !leg->down_told) {
		send_command(leg, UP, "LOGOUT");
		link_end(&leg->link);
	} else if (leg->link != NULL) {
		link_abort(&leg->link);
	}
	/* a callback of the link may be under way */
	loop_defer(leg->loop, destroy, leg);
}

struct list *
imap_leg_node(struct imap_leg *leg)
{
	return &leg->node;
}

struct imap_leg *
imap_leg_of_node(struct list *node)
{
	return LIST_ITEM(node, struct imap_leg, node);
}

struct server *
imap_leg_server(const struct imap_leg *leg)
{
	return leg->server;
}

struct imap_leg_notes *
imap_leg_notes(struct imap_leg *leg)
{
	return &leg->notes;
}

bool
imap_leg_is_up(const struct imap_leg *leg)
{
	return leg->state == UP;
}

bool
imap_leg_is_talking(const struct imap_leg *leg)
{
	return leg->state == UP && !imap_resp_is_between(&leg->resp);
}

struct buf *
imap_leg_out(struct imap_leg *leg)
{
	must(leg->state == UP);
	return link_out(leg->link);
}

void
imap_leg_flush(struct imap_leg *leg)
{
	link_flush(leg->link);
}

bool
imap_leg_is_congested(const struct imap_leg *leg)
{
	return link_is_congested(leg->link);
}

void
imap_leg_set_paused(struct imap_leg *leg, bool paused)
{
	link_set_paused(leg->link, paused);
}

bool
imap_leg_is_paused(const struct imap_leg *leg)
{
	return link_is_paused(leg->link);
}

void
imap_leg_set_deadline(struct imap_leg *leg, uint64_t ms)
{
	link_set_deadline(leg->link, ms);
}
