/*
 * txn - one mail transaction of a client: its recipients, the users they stand for, the
 * message, and what the stores say. No queue: a recipient is accepted when every store it
 * leads to accepts it, and the message when every store has it on disk.
 *
 *	RCPT      route (directory, map) -> for each user MAIL/RCPT/RSET at his store
 *	BODY_END  all stores at once; a store's users in one LMTP transaction
 *
 * Invariants:
 * 1. A store's refusal counts only while the map, behind a barrier, still says that this
 *    store, under this claim, has the user (or that nobody has). If he has moved, his new
 *    store is asked, once; if nobody can say, the refusal is a temporary one.
 * 2. Recipients that lead to one user and detail give one copy.
 * 3. A recipient that stands for several users has the worst of their answers: it is not
 *    accepted when one of them would not get his copy.
 */
#ifndef SESSION_TXN_H
#define SESSION_TXN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "deliver/attempt.h"
#include "deliver/msg.h"
#include "deliver/pool.h"
#include "log/log.h"
#include "net/loop.h"
#include "proto/smtp_wire.h"
#include "route/route.h"
#include "session/trace.h"

/* Shared by all transactions of a worker, and borrowed. */
struct txn_shared {
	struct loop *loop;
	struct route *route;
	struct pool *pool;
	struct msg_limits msg_limits;
	uint64_t rcpt_ms;  /* an answer to RCPT; directory, map and store together */
	uint64_t store_ms; /* a store's answer to the message, from the first byte on */
	unsigned hops_max;
	const char *default_domain; /* of users without one; may be "" */
	char delimiter;             /* in addresses for stores; 0: none */
};

/* Most users of one transaction. */
#define TXN_TARGETS_MAX 1000

/* Never called from inside the call that causes it, but txn_deliver() may call `delivered`. */
struct txn_ops {
	/* The answer to RCPT number, once for each. */
	void (*rcpt)(void *ctx, size_t number, const struct smtp_reply *reply);
	/* Every accepted recipient has its last answer. */
	void (*delivered)(void *ctx);
};

/* Whose it is. Strings and log are borrowed for the transaction's life. */
struct txn_client {
	const char *session, *peer;
	const struct log_ctx *log;
	bool one_reply; /* SMTP: to all recipients together; else LMTP */
	bool may_relay; /* to other domains, too; forwards keep the sender as it is */
};

struct txn;

/* ops and ctx are borrowed. mail and client are copied. */
struct txn *txn_new(const struct txn_shared *shared, const struct smtp_mail *mail,
                    const struct txn_client *client, const struct txn_ops *ops, void *ctx);
/* No callback comes any more; what the stores are being asked is given up. Fine from inside a
 * callback: the memory goes at the end of the loop's turn. Accepts NULL, leaves NULL. */
void txn_end(struct txn **t);

/* number: 0, 1, 2, ... in order. rcpt is copied. */
void txn_rcpt(struct txn *t, size_t number, const struct smtp_rcpt *rcpt);

/* Every recipient has its answer. False: there is no room (452 4.3.1). */
bool txn_body(struct txn *t, struct slice piece) MUST_CHECK;
/* It is whole; trace (rcpt is filled in here) says how it came. */
void txn_deliver(struct txn *t, const struct trace *trace);

/* ---- after `delivered` ---- */

/* The last answer to an accepted recipient (LMTP). */
const struct smtp_reply *txn_get_reply(const struct txn *t, size_t number);
bool txn_is_accepted(const struct txn *t, size_t number);
size_t txn_rcpt_count(const struct txn *t);
/* One answer for all (SMTP): any failure that time may heal, or a part delivered, is
 * temporary, so that the client comes again; who has his copy will not get a second
 * (invariant 11 of the design). */
void txn_get_common_reply(const struct txn *t, struct smtp_reply *reply_r);

#endif
