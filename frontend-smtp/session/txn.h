/*
 * txn - one mail transaction of a client: its recipients, the users they stand for, the
 * message, and what the stores say. No queue: a recipient is accepted when every store it
 * leads to accepts it, and the message when every store has it on disk.
 *
 *	RCPT      route (directory, map) -> for each user MAIL/RCPT/RSET at his store, for each
 *	          address elsewhere at the next hop
 *	BODY_END  all stores at once; a store's users in one LMTP transaction
 *	          then the next hop, for all addresses elsewhere together
 *	          then, for SMTP, the sender is told who was refused, if others have it
 *
 * Invariants:
 * 1. A store's refusal counts only while the map, behind a barrier, still says that this
 *    store, under this claim, has the user (or that nobody has). If he has moved, his new
 *    store is asked, once; if nobody can say, the refusal is a temporary one.
 * 2. Recipients that lead to one user and detail give one copy.
 * 3. A recipient that stands for several users has the worst of their answers: it is not
 *    accepted when one of them would not get his copy.
 * 4. A next hop does not know a message it has already. So it comes last, when nothing else can
 *    make the client come again; what would come again all the same is not given to it; and
 *    it is not combined with a store of others, which does not know either (452 4.5.3).
 */
#ifndef SESSION_TXN_H
#define SESSION_TXN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "deliver/attempt.h"
#include "deliver/msg.h"
#include "deliver/pool.h"
#include "deliver/relay.h"
#include "deliver/seen.h"
#include "log/log.h"
#include "net/loop.h"
#include "proto/smtp_wire.h"
#include "rewrite/srs.h"
#include "route/route.h"
#include "session/trace.h"

/* Shared by all transactions of a worker, and borrowed. */
struct txn_shared {
	struct loop *loop;
	struct route *route;
	struct pool *pool;
	struct relay *relay;
	struct seen *seen; /* by next hops */
	struct srs srs;
	struct msg_limits msg_limits;
	const char *hostname;
	uint64_t rcpt_ms;   /* an answer to RCPT; directory, map and store together */
	uint64_t store_ms;  /* a store's answer to the message, from the first byte on */
	uint64_t relay_ms;  /* a next hop's */
	uint64_t answer_ms; /* ours, to the client */
	unsigned hops_max;
	const char *default_domain; /* of users without one; may be "" */
	char delimiter;             /* in addresses for stores; 0: none */
};

/* Most users and addresses elsewhere of one transaction. */
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
/* Nothing more of it comes. */
void txn_body_end(struct txn *t);
/* After that: it is there, and can be looked at. */
bool txn_is_whole(const struct txn *t);
/* Without brackets; "" for the empty one. */
const char *txn_get_sender(const struct txn *t);
/* What is at its beginning, up to the blank line and with it, where there is one; borrowed until
 * the next call. 0: it is too long. -1: it cannot be read. After txn_body_end(). */
int txn_get_header(struct txn *t, struct slice *header_r) MUST_CHECK;
#define TXN_HEADER_MAX (1 << 20)
/* What is sent in place of it. header is emptied. */
void txn_take_header(struct txn *t, struct buf *header, size_t instead_of);
/* Gives it to those it is for; trace (rcpt is filled in here) says how it came, NULL: from us. */
void txn_deliver(struct txn *t, const struct trace *trace);
/* Or to nobody: the last answer to all. */
void txn_refuse(struct txn *t, int code, const char *enhanced, const char *text);

/* ---- after `delivered` ---- */

/* The last answer to an accepted recipient (LMTP). */
const struct smtp_reply *txn_get_reply(const struct txn *t, size_t number);
bool txn_is_accepted(const struct txn *t, size_t number);
size_t txn_rcpt_count(const struct txn *t);
/* One answer for all (SMTP). Any failure that time may heal is temporary, so that the client comes
 * again; who has his copy will not get a second (promise 11). The same goes for
 * a part delivered and the rest refused, when the sender could not be told of the rest. */
void txn_get_common_reply(const struct txn *t, struct smtp_reply *reply_r);

#endif
