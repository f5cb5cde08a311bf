/*
 * cluster_impl - what the files of cluster/ share. Not for others.
 *
 *   master.c     the connection: dial, login, deadlines, who gets which answer
 *   ops.c        mailbox/names.h: reserve, activate, release
 *   reconcile.c  the two lists
 */
#ifndef CLUSTER_CLUSTER_IMPL_H
#define CLUSTER_CLUSTER_IMPL_H

#include "base/arena.h"
#include "base/list.h"
#include "base/map.h"
#include "cluster/cluster.h"
#include "link/link.h"
#include "net/dial.h"
#include "proto/mupdate_client.h"

/* One command under way. */
struct cluster_req;
typedef void cluster_req_fn(struct cluster *c, struct cluster_req *r,
                            const struct mupdate_answer *a);
struct cluster_req {
	struct list link;
	uint64_t id;        /* of the client core */
	cluster_req_fn *fn; /* not called when the connection breaks */
	void *ctx;
	size_t index; /* the owner's: which of its names */
};

/* LIST, and everything behind it. Of one connection. */
struct reconcile {
	bool listing;          /* LIST is under way: names are not asked for meanwhile */
	bool running;          /* listing, or changes are under way */
	bool force;            /* without the guard */
	bool later;            /* the master could not take some of it */
	bool unsettled;        /* nobody has some of it: a move is at it */
	cluster_plan_fn *plan; /* told what would be done, and nothing is; NULL: it is done */
	void *plan_ctx;
	uint64_t list_id;
	struct arena *arena;
	struct map *theirs; /* name -> struct theirs */
	struct list todo;   /* struct todo */
	size_t open;        /* requests under way */
	uint64_t pushed, released, deactivated;
};

struct cluster {
	struct names names;
	struct cluster_config conf;
	char *server, *partition, *cluster_id, *tls_name, *user, *secret;
	char *place; /* "server!partition" */
	struct mupdate_client_conf core_conf;
	struct dial *dial;
	struct link *wire; /* NULL: not connected */
	struct mupdate_client *core;
	bool ready; /* logged in */
	bool extended;
	bool broken, denied; /* the core says so: ended when it has returned */
	bool in_step;
	struct err why, logged;
	uint64_t term;
	uint64_t retry_ms;
	struct timer retry, keepalive, again;
	bool force_again; /* the next comparison goes without the guard */
	struct list reqs; /* struct cluster_req, in the order they were sent */
	bool waits;       /* for answers, and the deadline runs */
	bool heard;       /* an answer or a record, since it was set */
	struct list ops;  /* struct op, under way */
	struct list held; /* struct op, for the end of the listing */
	struct list late; /* struct op, to be answered "later" */
	bool late_deferred;
	struct reconcile rec;
	struct map *conflicts; /* name -> c itself */
	uint64_t unknown;      /* names over the guard, as of the last comparison */
};

/* ---- master.c */
/* The command with this id gets its answer by fn. Behind each mupdate_client_*(). */
void cluster_expect(struct cluster *c, uint64_t id, cluster_req_fn *fn, void *ctx, size_t index);
/* Behind a batch of them. */
void cluster_flush(struct cluster *c);
/* This connection is of no use any more: it is ended when the core has returned. */
void cluster_break(struct cluster *c, const char *why);
/* The lists are compared again after a while. */
void cluster_again(struct cluster *c);
/* What goes behind an ACTIVATE or RESERVE. Borrowed from out. */
struct slice cluster_fields(struct buf *out, const struct names_entry *e);
/* The master has another claim for this INBOX than e. */
void cluster_take_claim(struct cluster *c, struct slice name, uint64_t have, uint64_t claim);
/* Does a NO to an ACTIVATE say that another store has the name? */
bool cluster_is_conflict(const struct cluster *c, const struct mupdate_answer *a);
void cluster_set_conflict(struct cluster *c, struct slice name, bool conflict);

/* ---- ops.c */
extern const struct names_ops cluster_ops;
/* What a FIND with this id says. */
void cluster_ops_record(struct cluster *c, uint64_t id, const struct mupdate_record *rec);
/* The connection is gone: outcomes are unknown. */
void cluster_ops_lost(struct cluster *c);
/* The listing is over. */
void cluster_ops_go(struct cluster *c);
void cluster_ops_drop(struct cluster *c);

/* ---- reconcile.c */
void reconcile_start(struct cluster *c, bool force);
void reconcile_plan(struct cluster *c, bool force, cluster_plan_fn *fn, void *ctx);
/* What a LIST or FIND of a reconciliation says. */
void reconcile_record(struct cluster *c, uint64_t id, const struct mupdate_record *rec);
void reconcile_drop(struct cluster *c);

#endif
