/*
 * pool - connections to the stores' LMTP and to next hops, shared by all sessions of a worker.
 * What is said of stores here holds for next hops, too.
 *
 * Whoever wants to speak to a store takes a lease and gets a connection between two
 * transactions: one that is idle, or a new one, or waits for one. A connection left between
 * transactions is idle again, for a while.
 *
 * A store that cannot be reached is marked down for a moment, in which nobody dials: whoever
 * waits is told at once. No lease waits for ever only because its owner has a deadline: a
 * lease has none of its own.
 *
 * A store that is told whom we speak for by XCLIENT hears that once a connection, so its
 * connections belong to one session each. Roost's stores hear it with each MAIL (XROOST).
 *
 * There is no AUTH to foreign stores: the secrets are with the auth workers, who give them out
 * for users who have logged in. Cyrus and Dovecot take LMTP from the hosts they are told.
 */
#ifndef DELIVER_POOL_H
#define DELIVER_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "deliver/peer.h"
#include "link/link.h"
#include "metrics/metrics.h"
#include "net/loop.h"
#include "proto/smtp_client.h"

enum { POOL_M_CONNECTIONS, POOL_M_OPENED, POOL_M_DOWN, POOL_M_COUNT };
extern struct metric pool_metrics[POOL_M_COUNT];

struct pool;

struct pool_config {
	struct loop *loop;
	const char *hostname; /* for LHLO; borrowed */
	uint64_t connect_ms;  /* from the dial to the answer to LHLO */
	uint64_t idle_ms;     /* an idle connection is closed after that */
	unsigned connections; /* most of them to one store */
};
/* While a store is down: first, and after more failures in a row. */
#define POOL_DOWN_MIN_MS 500
#define POOL_DOWN_MAX_MS 5000

struct pool *pool_new(const struct pool_config *c);
/* Every lease has ended. Before the servers it was asked for. */
void pool_free(struct pool **p);
struct loop *pool_loop(const struct pool *p);

struct lease;

/* None is called from inside lease_new(), and none after lease_end(). */
struct lease_ops {
	/* The connection is yours, between two transactions. */
	void (*granted)(void *ctx);
	/* What the store says, TLS and QUIT excepted. */
	void (*event)(void *ctx, const struct smtp_client_event *ev);
	/* There is room for output again. */
	void (*drained)(void *ctx);
	/* No connection to be had, or it is lost: end the lease. why is for the log. */
	void (*failed)(void *ctx, const char *why);
};

/* to is copied; of one kind and name the first counts. session and client (his address):
 * copied. */
struct lease *lease_new(struct pool *p, const struct peer *to, const char *session,
                        const char *client, const struct lease_ops *ops, void *ctx);
/* Granted or not; a connection that is not between two transactions is cut. Accepts NULL,
 * leaves NULL. Fine from inside a callback. */
void lease_end(struct lease **l);
/* The same, but answers under way (to RSET at the last) are waited for, without you. */
void lease_leave(struct lease **l);

/* After granted; borrowed until the end of the lease. Write into lease_out() and call
 * lease_flush(). */
struct smtp_client *lease_client(struct lease *l);
struct buf *lease_out(struct lease *l);
void lease_flush(struct lease *l);
bool lease_is_congested(const struct lease *l);
/* After granted: had others used the connection before? It may be one that the store has
 * closed meanwhile. */
bool lease_is_reused(const struct lease *l);

/* It could not be reached a moment ago: whoever wants it is told so at once. */
bool pool_is_down(const struct pool *p, const struct peer *peer);
/* For `status` and tests. */
size_t pool_connections(const struct pool *p);

#endif
