/*
 * txn_impl - what txn.c (beginning, end, the answers), rcpt.c (a recipient), target.c (a user, or
 * an address elsewhere), batch.c (one store, or the next hops), delivery.c (the message) and
 * bounce.c (who is told when it could not be delivered to all) share.
 */
#ifndef SESSION_TXN_IMPL_H
#define SESSION_TXN_IMPL_H

#include "base/arena.h"
#include "base/list.h"
#include "base/map.h"
#include "session/txn.h"

#define REPLY_NOT_THERE "The mailbox is not there yet, please come again"
#define BOUNCE_MS 30000 /* of the time for an answer, for telling the sender */

enum target_state {
	TARGET_ASKING,  /* the store, or the map once more */
	TARGET_GOOD,    /* the store would take it */
	TARGET_REFUSED, /* reply says why */
	TARGET_SENDING,
	TARGET_SENT, /* reply is the last word, good or not */
};

/* A user and detail, or an address elsewhere: one copy. Lives as long as the transaction. */
struct target {
	struct list node;    /* in txn->targets */
	struct list waiting; /* in batch->waiting */
	struct txn *txn;
	enum target_state state;
	const char *address; /* elsewhere; NULL: a user's of ours, and the rest counts */
	const char *relay;   /* the next hop that was asked last; "-" before */
	const char *user, *detail, *home;
	struct server *server;
	uint64_t claim;
	bool is_new;
	bool moved;  /* this is the second place that is asked */
	bool wanted; /* by a recipient that was accepted */

	struct attempt_rcpt rcpt; /* what the store is told */
	uint64_t route_id;        /* looking once more; 0: no */
	struct smtp_reply reply;
	bool from_peer;
	uint64_t started_ms;
};

/* A RCPT of the client. */
struct txn_rcpt {
	struct txn *txn;
	size_t number;
	const char *text;     /* the address, without brackets */
	const char *leads_to; /* the same, or whom an SRS address stands for */
	bool may_relay;       /* that may be anywhere */
	bool forwarded;       /* the directory says: elsewhere, or there too */
	uint64_t route_id;
	struct timer timer;
	bool answered, accepted;
	struct target **targets;
	size_t count;            /* of targets; 0: not routed */
	struct smtp_reply reply; /* to RCPT, then to the message */
};

/* Targets of one store, or of the next hops, that are asked for, or given the message,
 * together. */
struct batch {
	struct list node; /* in txn->askings or txn->deliveries */
	struct txn *txn;
	struct server *server; /* NULL: the next hops */
	struct attempt_job job;
	struct attempt *attempt;
	struct relay_try *relay_try;
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
	struct smtp_mail relay_mail; /* with the sender that next hops are told */
	char from[ADDRESS_TEXT_SIZE];
	struct txn_rcpt **rcpts;
	size_t rcpt_count;
	struct list targets;
	struct map *by_user; /* user NUL detail -> target */
	struct msg *msg;     /* NULL before the first byte */
	bool finished;       /* nothing more of it comes */
	bool has_msg;        /* it is whole, and there was room for it */
	struct buf header;   /* in place of the first `skip` bytes of the message */
	uint64_t skip;
	struct buf head, relay_head;     /* what goes before the rest, to stores and to next hops */
	struct list askings, deliveries; /* struct batch, one for each store */
	size_t open;                     /* targets without their last word */
	bool delivering;
	bool relaying;         /* the stores have answered */
	bool told;             /* the sender knows who has refused it */
	bool ended;            /* by the session, perhaps inside a callback of ours */
	uint64_t started_ms;   /* of the delivery */
	uint64_t until_ms;     /* the client has his answer by then */
	struct bounce *bounce; /* NULL: none */
};

/* ---- target.c ---- */

static inline bool
target_is_relay(const struct target *g)
{
	return g->address != NULL;
}

/* The target of that final, new or not. NULL: too many. */
struct target *target_get(struct txn *t, const struct route_final *f);
/* That of an address elsewhere. NULL: too many, or the address is none. */
struct target *target_get_relay(struct txn *t, const char *address);
/* Its last word, though nobody has been asked. */
void target_set(struct target *g, int code, const char *enhanced, const char *text);
/* What its store said to RCPT; to the message. */
void target_asked(struct target *g);
void target_sent(struct target *g);

/* ---- batch.c ---- */

/* That of the server (NULL: the next hops), made when there is none. */
struct batch *batch_get(struct txn *t, struct list *batches, struct server *server);
void batch_add(struct batch *b, struct target *g);
/* Asks for g soon: target_asked(). */
void batch_ask(struct batch *b, struct target *g);
/* The message to all that were added: target_sent(). */
void batch_send(struct batch *b);
void batch_cancel(struct batch *b);
void batch_free(struct batch *b);

/* ---- rcpt.c ---- */

/* Answers it when all its targets have been asked. */
void rcpt_check(struct txn_rcpt *r);
/* The worst answer of its targets (txn.h, 3). */
const struct smtp_reply *rcpt_worst(const struct txn_rcpt *r);

/* ---- delivery.c ---- */

/* Every target that was given the message has its last word. */
void delivery_go_on(struct txn *t);
/* Time left until the client must have his answer, `reserve` excepted; at least 1. */
uint64_t delivery_time_left(const struct txn *t, uint64_t reserve_ms);

/* ---- bounce.c ---- */

/* Can the sender be told, should it come to that? fn is called from the loop. */
typedef void bounce_fn(struct txn *t, bool good);
void bounce_ask(struct txn *t, bounce_fn *fn);
/* Tells him of all recipients that were refused. After bounce_ask() said good; fn may be called
 * at once. */
void bounce_send(struct txn *t, bounce_fn *fn);
void bounce_end(struct bounce **b);

/* ---- txn.c ---- */

/* The target is GOOD, REFUSED or SENT. */
void txn_target_settled(struct txn *t);
/* The last answer of all is there: tells the session. */
void txn_finish(struct txn *t);

#endif
