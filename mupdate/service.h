/*
 * service - what all MUPDATE sessions of this process share: the map, its open group of
 * changes, who listens, who may do what. Used by a master and by a replica.
 *
 * Invariants:
 *  1. No OK to a change leaves before the change is on disk. Changes of many connections
 *     go into one transaction; the answers wait in `held` of their sessions until
 *     service_commit(), at the latest at the end of the loop turn.
 *  2. Nothing is read for a peer while changes are open: whoever reads commits first.
 *  3. A commit that has done nothing for certain (disk full) is answered NO, "later", to all
 *     changes of the group, and reads go on. One whose outcome is unknown answers nobody: the
 *     sessions of the group are cut, and their peers do not know the outcome, which is the
 *     truth.
 */
#ifndef SERVICE_H
#define SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "conf/conf.h"
#include "directory/auth.h"
#include "mapdb.h"
#include "metrics/metrics.h"
#include "net/conn.h"
#include "net/loop.h"
#include "tls/tls.h"

enum {
	MUPDATE_M_SESSIONS,
	MUPDATE_M_FEEDS,
	MUPDATE_M_CHANGES,
	MUPDATE_M_COMMITS,
	MUPDATE_M_REFUSED,
	MUPDATE_M_CONFLICTS,
	MUPDATE_M_DROPPED,
	MUPDATE_M_LOCATIONS,
	MUPDATE_M_REVISION,
	MUPDATE_M_COMPLETE,
	MUPDATE_M_AGE,
	MUPDATE_M_CONNECTED,
	MUPDATE_M_COUNT
};
extern struct metric mupdate_metrics[MUPDATE_M_COUNT];

struct service_identity {
	const char *name;
	bool any;       /* may speak for any server */
	bool read_only; /* may change nothing */
};

struct service_config {
	struct loop *loop;
	struct auth *auth;
	struct tls_ctx *tls; /* NULL: no STARTTLS */
	/* For identities, plaintext_networks, servers and read_only; replaced by reloads. */
	const struct conf *conf;
	struct mapdb *db;
	const char *hostname, *cluster;
	const char *master_url; /* NULL: we are the master */
	bool takeover;
	bool by_octets; /* the order of lists for plain peers; else that of Cyrus */
	size_t session_max;
	uint64_t login_ms, idle_ms, feed_stall_ms;
	uint64_t feed_lag; /* a subscriber this many changes behind is dropped */
};

struct session;
struct service;

/* Borrows the objects in c for its life, and copies the texts. */
struct service *service_new(const struct service_config *c);
/* Ends all sessions. */
void service_free(struct service **s);
/* For sessions and logins from now on. tls as in service_config. */
void service_set_conf(struct service *s, const struct conf *conf, struct tls_ctx *tls);
/* For a listener: ctx is the service. */
void service_accept(void *ctx, struct conn **c);
/* No new sessions; those that are there get a BYE. */
void service_drain(struct service *s);

const struct service_config *service_config(const struct service *s);

/* Opens the group. False: the disk says no; answer "later". */
bool service_begin(struct service *s) MUST_CHECK;
/* sn has an answer that waits for the group. */
void service_join(struct service *s, struct session *sn);
/* So many bytes of changes a session may add to a group, then it waits for its end: a turn writes
 * no more than it tells the subscribers, so that nobody who changes much keeps others waiting. */
size_t service_share(const struct service *s);
/* Ends the group, if one is open; then tells the subscribers. False: it is not on disk. At a
 * replica there are no groups. */
bool service_commit(struct service *s);
/* The map has changed by other hands (a replica's stream): tell the subscribers. */
void service_kick(struct service *s);

/* The `[identity NAME]` that logged in. False: there is none. */
bool service_identity(const struct service *s, const char *name, struct service_identity *id_r);
bool service_speaks(const struct service *s, const char *identity, struct slice server);

/* A master hears from `by` of changes that its complete list never had: it is an old copy. A new
 * history begins, all other sessions end, and the stores push again when they come back. */
void service_start_history(struct service *s, struct session *by);
/* server has pushed; when it was the last one the map is complete. */
void service_pushed(struct service *s, struct slice server);
/* A person says that server (NULL: all) has no more to tell. False: the disk says no. */
bool service_complete(struct service *s, const char *server) MUST_CHECK;
/* Servers that have not pushed yet. fn is called for each. */
typedef void service_server_fn(void *ctx, const char *server);
void service_each_missing(struct service *s, service_server_fn *fn, void *ctx);

/* Two stores say they have name: server is the one that was refused. */
void service_conflict(struct service *s, struct slice name, struct slice server);
/* server has it now (empty: nobody has). One that only said again what it has solves nothing. */
void service_conflict_solved(struct service *s, struct slice name, struct slice server);
typedef void service_conflict_fn(void *ctx, const char *name, const char *server);
void service_each_conflict(struct service *s, service_conflict_fn *fn, void *ctx);

typedef void service_session_fn(void *ctx, struct session *sn);
void service_each_session(struct service *s, service_session_fn *fn, void *ctx);
size_t service_session_count(const struct service *s);

/* NOOP at a replica asks the master: fn(ctx, ok) later, from the loop. NULL: we are the
 * master, and what is committed is all there is. */
typedef void service_barrier_done_fn(void *ctx, bool ok);
typedef uint64_t service_barrier_fn(void *ctx, service_barrier_done_fn *fn, void *fn_ctx);
typedef void service_barrier_cancel_fn(void *ctx, uint64_t id);
void service_set_barrier(struct service *s, service_barrier_fn *wait,
                         service_barrier_cancel_fn *cancel, void *ctx);
/* 0: nothing to wait for. */
uint64_t service_barrier(struct service *s, service_barrier_done_fn *fn, void *ctx);
void service_barrier_cancel(struct service *s, uint64_t id);

#endif
