/*
 * replica_impl - what replica.c (the connection, following, barriers) and replica_list.c (what the
 * master tells becomes the map) share. Not for others.
 */
#ifndef REPLICA_IMPL_H
#define REPLICA_IMPL_H

#include "base/list.h"
#include "link/link.h"
#include "net/dial.h"
#include "proto/mupdate_client.h"
#include "replica.h"

struct replica {
	struct replica_config conf;
	struct mupdate_client_conf core_conf;
	struct dial *dial;
	struct link *wire; /* NULL: not connected */
	struct mupdate_client *core;
	struct timer retry, keepalive, check;
	uint64_t retry_ms;
	bool broken, denied; /* the core says so: end when it has returned */
	bool has_loss;       /* invariant 5 */
	struct err why;
	bool following;
	uint64_t heard_ms, heard_age_ms; /* so old was the list at that (monotonic) time */
	char *tls_name, *user, *secret, *cluster;
	/* of this connection */
	bool extended, snapshot;
	bool announced; /* it was told what comes: STREAM, of ours only */
	bool heard;     /* something whole, since the deadline was set */
	uint64_t update_id, noop_id;
	uint64_t term;
	char history[MAPDB_HISTORY_LEN];
	uint64_t revision; /* highest told */
	uint64_t dialled_ms;
	bool commit_deferred;
	/* barriers */
	struct list asked, next; /* struct waiter: for the NOOP under way, for the next one */
	bool late_deferred;
	uint64_t next_id;
};

/* ---- replica.c ---- */

/* This connection is of no use any more: it is ended when the core has returned. */
void replica_break(struct replica *r, const char *why);
/* It is over; tried again later. denied: not soon. */
void replica_disconnect(struct replica *r, const char *why, bool denied);

/* ---- replica_list.c ---- */

/* Changes of one turn of the loop go to the disk together. False: the disk says no. */
bool replica_list_begin(struct replica *r) MUST_CHECK;
void replica_list_commit(struct replica *r);
/* What cannot be read is had again from the master. */
void replica_list_mend(struct replica *r);

/* For the core. */
void replica_list_record(void *ctx, uint64_t id, const struct mupdate_record *rec);
void replica_list_stream(void *ctx, uint64_t id, bool snapshot, const char *history,
                         uint64_t revision);
/* Without STREAM nobody knows what the records of one of ours are. */
bool replica_list_is_announced(struct replica *r);
/* A whole list comes. */
void replica_list_collect(struct replica *r);
/* Invariant 5. False: this list is not taken. */
bool replica_list_check_loss(struct replica *r);
/* The list is complete: what was collected becomes the map. */
int replica_list_take(struct replica *r, struct err *err) MUST_CHECK;

/* How old the list is: by the wall clock as it is at the start; what jumps from here on does no
 * harm. */
void replica_list_start_age(struct replica *r);
/* It is in step just now. In the open write transaction. */
void replica_list_set_heard(struct replica *r);

#endif
