/*
 * txn_impl - what txn.c (recipients and answers), target.c (one user, one store) and
 * delivery.c (the message to all stores) share.
 */
#ifndef SESSION_TXN_IMPL_H
#define SESSION_TXN_IMPL_H

#include "base/arena.h"
#include "base/list.h"
#include "base/map.h"
#include "session/txn.h"

enum target_state {
	TARGET_ASKING,  /* the store, or the map once more */
	TARGET_GOOD,    /* the store would take it */
	TARGET_REFUSED, /* reply says why */
	TARGET_SENDING,
	TARGET_SENT, /* reply is the last word, good or not */
};

/* A user and detail: one copy. Lives as long as the transaction. */
struct target {
	struct list node; /* in txn->targets */
	struct txn *txn;
	enum target_state state;
	const char *user, *detail, *home;
	struct server *server;
	uint64_t claim;
	bool is_new;
	bool moved;  /* this is the second place that is asked */
	bool wanted; /* by a recipient that was accepted */

	struct attempt_rcpt rcpt, *rcpts[1]; /* what the store is told; itself as a list */
	struct attempt_job probe_job;
	struct attempt *probe;
	uint64_t route_id; /* looking once more; 0: no */
	struct smtp_reply reply;
	bool from_store;
	uint64_t started_ms;
};

/* A RCPT of the client. */
struct txn_rcpt {
	struct txn *txn;
	size_t number;
	const char *text; /* the address, without brackets */
	uint64_t route_id;
	struct timer timer;
	bool answered, accepted;
	struct target **targets;
	size_t count;            /* of targets; 0: not routed */
	struct smtp_reply reply; /* to RCPT, then to the message */
};

/* The message to one store. */
struct delivery {
	struct list node; /* in txn->deliveries */
	struct txn *txn;
	struct attempt_job job;
	struct attempt *attempt;
	struct target **targets; /* as job.rcpts */
};

struct txn {
	const struct txn_shared *shared;
	const char *session, *peer;
	const struct log_ctx *log;
	const struct txn_ops *ops;
	void *ctx;
	struct arena *arena;
	struct smtp_mail mail;
	char from[ADDRESS_TEXT_SIZE];
	struct txn_rcpt **rcpts;
	size_t rcpt_count;
	struct list targets;
	struct map *by_user; /* user NUL detail -> target */
	struct msg *msg;     /* NULL before the first byte */
	struct buf head;
	struct list deliveries;
	size_t open; /* targets without their last word */
	bool delivering;
	bool ended;          /* by the session, perhaps inside a callback of ours */
	uint64_t started_ms; /* of the delivery */
};

/* ---- target.c ---- */

/* The target of that final, new or not. NULL: too many. */
struct target *target_get(struct txn *t, const struct route_final *f);
void target_cancel(struct target *g);
/* What a store said to the message. */
void target_answered(struct target *g);

/* ---- delivery.c ---- */

/* After its attempt is cancelled or over. */
void delivery_free(struct delivery *d);

/* ---- txn.c ---- */

/* The target is GOOD, REFUSED or SENT. */
void txn_target_settled(struct txn *t);
/* The last answer of all is there: tells the session. */
void txn_finish(struct txn *t);

#endif
