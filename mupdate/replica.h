/*
 * replica - keeps this host's map in step with the master: connects, takes a snapshot or
 * what it missed, follows (UPDATE, RFC 3656 section 4.11), and connects again.
 *
 * Invariants:
 *  1. Readers see the old list or the new one: a snapshot is collected aside, and its
 *     difference goes into the map in one transaction.
 *  2. The revision of the map is raised only with everything below it.
 *  3. A barrier is answered after everything the master told before its NOOP is on disk
 *     here.
 *  4. A connection that breaks changes nothing that is known.
 *  5. A Cyrus master that has lost its list, or is given it anew, calls it complete at any
 *     moment. One that has lost most of the names is not taken: the old list stays until the
 *     names are back, or a person empties location_dir.
 *
 * Speaks to Roost masters (UPDATE SINCE) and to Cyrus (a whole list each time).
 */
#ifndef REPLICA_H
#define REPLICA_H

#include <stdbool.h>
#include <stdint.h>

#include "mapdb.h"
#include "net/addr.h"
#include "net/loop.h"
#include "service.h"
#include "tls/tls.h"

struct replica;

struct replica_config {
	struct loop *loop;
	struct mapdb *db;
	struct service *service; /* is told of changes */
	struct addr master;
	struct tls_ctx *tls; /* NULL: in clear */
	const char *tls_name;
	const char *user, *secret, *cluster;
	uint64_t keepalive_ms; /* between NOOPs */
	uint64_t answer_ms;    /* a master that says nothing for so long is away */
	uint64_t retry_min_ms, retry_max_ms;
};

/* Borrows the objects in c and copies the texts. Starts at once. */
struct replica *replica_new(const struct replica_config *c);
/* Barriers that wait are dropped. */
void replica_free(struct replica **r);

/* For service_set_barrier(); ctx is the replica. */
uint64_t replica_barrier(void *ctx, service_barrier_done_fn *fn, void *fn_ctx);
void replica_barrier_cancel(void *ctx, uint64_t id);

bool replica_is_following(const struct replica *r);
/* Since the list was last known in step with the master; when it never was: since our start. */
uint64_t replica_age_ms(const struct replica *r);
/* Why it is not following; "" when it is. Borrowed. */
const char *replica_why(const struct replica *r);

#endif
