/*
 * peer - who takes mail from us: a store by LMTP, a next hop by SMTP.
 */
#ifndef DELIVER_PEER_H
#define DELIVER_PEER_H

#include <stdbool.h>

#include "conf/servers.h"
#include "net/addr.h"

enum peer_tls { PEER_TLS_NO, PEER_TLS_STARTTLS, PEER_TLS_IMPLICIT };

/* All borrowed for the life of the pool. */
struct peer {
	const char *name; /* of the server; "192.0.2.7:25" of a next hop */
	const struct addr *addr;
	bool smtp; /* else LMTP */
	enum peer_tls tls_mode;
	struct tls_ctx *tls;         /* unless PEER_TLS_NO */
	const char *tls_name;        /* in its certificate */
	const char *user, *password; /* AUTH PLAIN; NULL: no login */
	bool plaintext_ok;           /* ... also without TLS */
	bool wants_client;           /* it may want to hear whom we speak for: XCLIENT */
	bool ours;                   /* it should know XROOST */
};

/* The LMTP of a store, which has an address for it. */
static inline struct peer
peer_of_server(const struct server *s)
{
	return (struct peer){
		.name = s->name,
		.addr = s->lmtp,
		.tls_mode = s->starttls ? PEER_TLS_STARTTLS : PEER_TLS_NO,
		.tls = s->tls,
		.tls_name = s->tls_name,
		.wants_client = s->kind == SERVER_FOREIGN,
		.ours = s->kind == SERVER_ROOST,
	};
}

/* For logs: what kind of thing it is. */
static inline const char *
peer_kind(const struct peer *p)
{
	return p->smtp ? "relay" : "store";
}

#endif
