/*
 * txn_impl - what txn.c (recipients and answers), target.c (one user), batch.c (one store)
 * and delivery.c (the message to all stores) share.
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
	struct list node;    /* in txn->targets */
	struct list waiting; /* in batch->waiting */
	struct txn *txn;
	enum target_state state;
	const char *user, *detail, *home;
	struct server *server;
	uint64_t claim;
	bool is_new;
	bool moved;  /* this is the second place that is asked */
	bool wanted; /* by a recipient that was accepted */

	struct attempt_rcpt rcpt; /* what the store is told */
	uint64_t route_id;        /* looking once more; 0: no */
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

/* Targets of one store that are asked for, or given the message, together. */
struct batch {
	struct list node; /* in txn->askings or txn->deliveries */
	struct txn *txn;
	struct server *server;
	struct attempt_job job;
	struct attempt *attempt;
	struct target **targets; /* as job.rcpts */
	size_t cap;
	struct list waiting; /* asked for in the next round */
	bool under_way;      /* a round */
};

struct txn {
	const struct txn_shared *shared;
	struct txn_client client;
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
	struct list askings, deliveries; /* struct batch, one for each store */
	size_t open;                     /* targets without their last word */
	bool delivering;
	bool ended;          /* by the session, perhaps inside a callback of ours */
	uint64_t started_ms; /* of the delivery */
};

/* ---- target.c ---- */

/* The target of that final, new or not. NULL: too many. */
struct target *target_get(struct txn *t, const struct route_final *f);
/* What its store said to RCPT; to the message. */
void target_asked(struct target *g);
void target_sent(struct target *g);

/* ---- batch.c ---- */

/* That of the server, made when there is none. */
struct batch *batch_get(struct txn *t, struct list *batches, struct server *server);
void batch_add(struct batch *b, struct target *g);
/* Asks for g soon: target_asked(). */
void batch_ask(struct batch *b, struct target *g);
/* The message to all that were added: target_sent(). */
void batch_send(struct batch *b);
void batch_cancel(struct batch *b);
void batch_free(struct batch *b);

/* ---- txn.c ---- */

/* The target is GOOD, REFUSED or SENT. */
void txn_target_settled(struct txn *t);
/* The last answer of all is there: tells the session. */
void txn_finish(struct txn *t);

#endif
