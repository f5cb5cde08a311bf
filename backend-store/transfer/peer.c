/*
 * peer - a connection between two stores: TLS off loopback, then both prove that they know
 * the cluster's secret, then frames.
 *
 * Each proves it with a token that names both stores and the number the other one made up for
 * this connection, so that a token cannot be used elsewhere or again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ids.h"
#include "base/xalloc.h"
#include "link/link.h"
#include "log/log.h"
#include "net/dial.h"
#include "tls/tls.h"
#include "transfer/transfer_impl.h"

#define DIAL_MS 5000
#define LOGIN_MS 15000
#define PEERS_MOST 64

static const struct link_limits limits = { .input_bytes = WIRE_PAYLOAD_MAX + WIRE_HEADER,
	                                   .output_high = 1u << 20,
	                                   .output_low = 256u << 10,
	                                   .output_max = 8u << 20 };

struct peer {
	struct transfer *t;
	struct list link;
	const struct peer_ops *ops; /* NULL: nobody owns it */
	void *ctx;
	struct dial *dial;
	struct link *wire;
	bool dialled; /* we came to it */
	bool ready, ended;
	char name[256], tls_name[256];
	uint64_t nonce; /* ours */
	uint64_t auth_id;
	uint64_t its_nonce;
};

/* ---- ending ------------------------------------------------------------------------------ */

static void
destroy(void *ctx)
{
	free(ctx);
}

static void
end(struct peer *p)
{
	if (p->ended)
		return;
	p->ended = true;
	auth_cancel(p->t->c.auth, p->auth_id);
	dial_cancel(&p->dial);
	if (p->wire != NULL)
		link_end(&p->wire);
	list_del(&p->link);
	loop_defer(p->t->c.loop, destroy, p);
}

/* The owner hears of it. */
static void
lose(struct peer *p, const char *why)
{
	const struct peer_ops *ops = p->ops;

	if (p->ended)
		return;
	p->ops = NULL;
	end(p);
	if (ops != NULL)
		ops->lost(p->ctx, why);
	else
		log_info(NULL, "transfer.peer store=%s end=%s", log_esc(p->name), log_esc(why));
}

void
peer_end(struct peer **pp)
{
	struct peer *p = *pp;

	*pp = NULL;
	if (p != NULL)
		end(p);
}

void
peer_end_all(struct transfer *t)
{
	struct peer *p;

	LIST_EACH (p, &t->peers, struct peer, link)
		end(p);
}

/* ---- sending ------------------------------------------------------------------------------ */

void
peer_send(struct peer *p, const struct wire_frame *f)
{
	bool ok;

	if (p->ended)
		return;
	ok = wire_add(f, link_out(p->wire));
	must(ok); /* members are checked where they come from */
	link_set_deadline(p->wire, ANSWER_MS);
	link_flush(p->wire);
}

void
peer_refuse(struct peer *p, const char *text)
{
	peer_send(p, &(struct wire_frame){ .type = WIRE_REFUSED, .text = slice_of(text) });
}

bool
peer_is_congested(const struct peer *p)
{
	return p->ended || link_is_congested(p->wire) ||
	       link_output_bytes(p->wire) >= limits.output_high;
}

void
peer_pause(struct peer *p)
{
	if (!p->ended)
		link_pause(p->wire);
}

void
peer_resume(struct peer *p)
{
	if (p->ended)
		return;
	link_set_deadline(p->wire, ANSWER_MS);
	link_resume(p->wire);
}

struct slice
peer_name(const struct peer *p)
{
	return slice_of(p->name);
}

void
peer_set_owner(struct peer *p, const struct peer_ops *ops, void *ctx)
{
	p->ops = ops;
	p->ctx = ctx;
}

/* ---- logins --------------------------------------------------------------------------------- */

static void
refuse_and_end(struct peer *p, const char *text)
{
	peer_refuse(p, text);
	lose(p, text);
}

static void
on_welcome_token(void *ctx, UNUSED uint64_t id, const struct auth_credentials *c)
{
	struct peer *p = ctx;

	p->auth_id = 0;
	if (c->result != AUTH_OK) {
		refuse_and_end(p, "the token cannot be made");
		return;
	}
	p->ready = true;
	log_info(NULL, "transfer.peer store=%s from=it tls=%d", log_esc(p->name),
	         conn_is_tls(link_conn(p->wire)));
	peer_send(p, &(struct wire_frame){ .type = WIRE_WELCOME, .token = slice_of(c->secret) });
	link_resume(p->wire);
}

static void
on_login_checked(void *ctx, UNUSED uint64_t id, const struct auth_reply *r)
{
	struct peer *p = ctx;

	p->auth_id = 0;
	if (r->result == AUTH_TEMP)
		refuse_and_end(p, "the token cannot be checked now");
	else if (r->result != AUTH_OK || r->user == NULL || strcmp(r->user, p->name) != 0 ||
	         r->claim != p->nonce)
		refuse_and_end(p, "the token is not good here");
	else
		p->auth_id = auth_credentials(p->t->c.auth, "", "cluster", p->name, p->its_nonce,
		                              on_welcome_token, p);
}

static void
check_token(struct peer *p, struct slice token, auth_fn *fn)
{
	struct auth_session as = { .service = "cluster",
		                   .session = p->name,
		                   .peer = p->name,
		                   .tls = conn_is_tls(link_conn(p->wire)) };

	link_pause(p->wire);
	p->auth_id = auth_login(p->t->c.auth, &as, slice_of(p->name), token, fn, p);
}

static const char *
tls_name_of(const struct conf *server, const char *name)
{
	const char *set = conf_str(server, "tls_name");

	return set != NULL && *set != '\0' ? set : name;
}

/* Somebody says who he is. */
static void
on_login(struct peer *p, const struct wire_frame *f)
{
	const struct transfer_config *c = &p->t->c;
	const struct conf *server;

	snprintf(p->name, sizeof(p->name), "%.*s", SLICE_ARG(f->from));
	server = conf_section(c->conf, "server", p->name);
	if (f->version != WIRE_VERSION) {
		refuse_and_end(p, "another version of this protocol");
	} else if (!slice_eq_str(f->cluster, conf_str(c->conf, "cluster_id"))) {
		refuse_and_end(p, "another cluster");
	} else if (!slice_eq_str(f->to, c->server) || server == NULL) {
		refuse_and_end(p, "the stores do not know each other: [server] sections");
	} else if (conn_is_tls(link_conn(p->wire)) &&
	           !conn_tls_peer_is(link_conn(p->wire), tls_name_of(server, p->name))) {
		refuse_and_end(p, "the certificate has another name");
	} else {
		p->its_nonce = f->nonce;
		check_token(p, f->token, on_login_checked);
	}
}

static void
on_login_token(void *ctx, UNUSED uint64_t id, const struct auth_credentials *cr)
{
	struct peer *p = ctx;
	const struct transfer_config *c = &p->t->c;

	p->auth_id = 0;
	if (cr->result != AUTH_OK) {
		lose(p, "the token for it cannot be made: is cluster_secret set?");
		return;
	}
	peer_send(p, &(struct wire_frame){ .type = WIRE_LOGIN,
	                                   .version = WIRE_VERSION,
	                                   .nonce = p->nonce,
	                                   .cluster = slice_of(conf_str(c->conf, "cluster_id")),
	                                   .from = slice_of(c->server),
	                                   .to = slice_of(p->name),
	                                   .token = slice_of(cr->secret) });
	link_resume(p->wire);
}

static void
on_welcome_checked(void *ctx, UNUSED uint64_t id, const struct auth_reply *r)
{
	struct peer *p = ctx;

	p->auth_id = 0;
	if (r->result != AUTH_OK || r->user == NULL || strcmp(r->user, p->name) != 0 ||
	    r->claim != p->nonce) {
		lose(p, "it cannot prove that it is the store it should be");
		return;
	}
	p->ready = true;
	link_resume(p->wire);
	p->ops->ready(p->ctx);
}

/* Before both know each other. */
static void
login_frame(struct peer *p, const struct wire_frame *f)
{
	if (p->dialled && f->type == WIRE_HELLO && p->its_nonce == 0 &&
	    f->version == WIRE_VERSION) {
		p->its_nonce = f->nonce;
		link_pause(p->wire);
		p->auth_id = auth_credentials(p->t->c.auth, "", "cluster", p->name, f->nonce,
		                              on_login_token, p);
	} else if (p->dialled && f->type == WIRE_WELCOME && p->its_nonce != 0) {
		check_token(p, f->token, on_welcome_checked);
	} else if (f->type == WIRE_REFUSED) {
		char text[300];

		snprintf(text, sizeof(text), "it refuses: %.*s", SLICE_ARG(f->text));
		lose(p, text);
	} else if (!p->dialled && f->type == WIRE_LOGIN && p->its_nonce == 0) {
		on_login(p, f);
	} else {
		lose(p, "it speaks another protocol");
	}
}

/* ---- the link ---------------------------------------------------------------------------------- */

static void
on_frame(struct peer *p, const struct wire_frame *f)
{
	link_set_deadline(p->wire, ANSWER_MS);
	if (!p->ready)
		login_frame(p, f);
	else if (p->ops != NULL)
		p->ops->frame(p->ctx, f);
	else if (f->type == WIRE_BEGIN)
		in_begin(p, p->t, f);
	else if (f->type == WIRE_CONFIRM)
		in_confirm(p, p->t, f);
	else
		refuse_and_end(p, "not now");
}

static size_t
on_input(void *ctx, struct slice in)
{
	struct peer *p = ctx;
	struct wire_frame f;
	size_t used;
	int r = wire_read(in, &used, &f);

	if (r == 1)
		on_frame(p, &f);
	else if (r == -1)
		lose(p, "what it says makes no sense");
	return used;
}

static void
on_drained(void *ctx)
{
	struct peer *p = ctx;

	if (p->ready && p->ops != NULL && p->ops->drained != NULL)
		p->ops->drained(p->ctx);
}

static void
say_hello(struct peer *p)
{
	peer_send(p, &(struct wire_frame){
			     .type = WIRE_HELLO, .version = WIRE_VERSION, .nonce = p->nonce });
	link_set_deadline(p->wire, LOGIN_MS);
}

static void
on_tls(void *ctx)
{
	struct peer *p = ctx;

	if (!p->dialled)
		say_hello(p);
}

static void
on_deadline(void *ctx)
{
	lose(ctx, "it does not answer");
}

static void
on_closed(void *ctx, enum conn_end why)
{
	lose(ctx, conn_end_text(why));
}

static const struct link_ops ops = { .input = on_input,
	                             .drained = on_drained,
	                             .tls = on_tls,
	                             .deadline = on_deadline,
	                             .closed = on_closed };

static struct peer *
peer_new(struct transfer *t, bool dialled)
{
	struct peer *p = xcalloc(1, sizeof(*p));

	p->t = t;
	p->dialled = dialled;
	do
		p->nonce = ids_random_u64();
	while (p->nonce == 0);
	list_add_tail(&t->peers, &p->link);
	return p;
}

static void
on_dial(void *ctx, struct conn **conn, const char *why)
{
	struct peer *p = ctx;

	p->dial = NULL;
	if (*conn == NULL) {
		lose(p, why);
		return;
	}
	p->wire = link_new(conn, &ops, p, &limits);
	link_set_deadline(p->wire, LOGIN_MS);
	if (!addr_is_loopback(conn_peer(link_conn(p->wire))))
		link_start_tls_client(p->wire, p->t->c.tls, p->tls_name);
}

const struct conf *
peer_find(const struct transfer *t, struct slice store, struct err *err)
{
	char name[256];
	const struct conf *server;
	const struct addr *to;

	snprintf(name, sizeof(name), "%.*s", SLICE_ARG(store));
	server = conf_section(t->c.conf, "server", name);
	to = server != NULL ? conf_addr(server, "cluster") : NULL;
	if (to == NULL) {
		err_set(err,
		        "the settings of %s name no cluster port of %s ([server %s] cluster = "
		        "HOST:PORT)",
		        t->c.server, name, name);
		return NULL;
	}
	if (!addr_is_loopback(to) && t->c.tls == NULL) {
		err_set(err, "%s is on another host, and tls_cert and tls_key are not set", name);
		return NULL;
	}
	return server;
}

struct peer *
peer_dial(struct transfer *t, struct slice store, const struct peer_ops *owner, void *ctx,
          struct err *err)
{
	const struct conf *server = peer_find(t, store, err);
	struct peer *p;

	if (server == NULL)
		return NULL;
	p = peer_new(t, true);
	snprintf(p->name, sizeof(p->name), "%.*s", SLICE_ARG(store));
	snprintf(p->tls_name, sizeof(p->tls_name), "%s", tls_name_of(server, p->name));
	peer_set_owner(p, owner, ctx);
	p->dial = dial_start(t->c.loop, conf_addr(server, "cluster"), DIAL_MS, on_dial, p);
	return p;
}

static size_t
count_peers(const struct transfer *t)
{
	size_t n = 0;

	for (const struct list *at = t->peers.next; at != &t->peers; at = at->next)
		n++;
	return n;
}

void
peer_accept(struct transfer *t, struct conn **c)
{
	bool local = addr_is_loopback(conn_peer(*c));
	struct peer *p;

	if (count_peers(t) >= PEERS_MOST || (!local && t->c.tls == NULL)) {
		conn_free(c);
		return;
	}
	p = peer_new(t, false);
	p->wire = link_new(c, &ops, p, &limits);
	link_set_deadline(p->wire, LOGIN_MS);
	if (local)
		say_hello(p);
	else
		link_start_tls_server(p->wire, t->c.tls);
}
