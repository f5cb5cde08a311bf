/*
 * cluster - this store's side of the location master: asks before names are used
 * (mailbox/names.h), and makes the master's list and the store agree.
 *
 * Invariants:
 *  1. The store is the truth about mailboxes, the master about names: nothing here changes
 *     or deletes a mailbox; a name that another store holds is marked as a conflict.
 *  2. A step whose outcome is unknown (connection lost, no answer) is NAMES_LATER, and is
 *     resolved by the next reconciliation, before anything new is asked on the connection.
 *  3. Names the master has as ours, active, that we know nothing about are deactivated only
 *     while they are few (guard_names, guard_percent); else a person decides
 *     (cluster_force()).
 *
 * Reconciliation runs after each connecting: LIST of our server, then
 *
 *   here       master's list          what is done
 *   mailbox    not ours, or not so    ACTIVATE; refused: the mailbox is a conflict
 *   tombstone  ours                   DELETE, then the tombstone goes
 *   tombstone  not ours               the tombstone goes
 *   nothing    ours, reserved         DELETE, unless a CREATE of ours is at it
 *   nothing    ours, active           DEACTIVATE, within the guard
 *
 * and at last PUSHED: a new list is complete when all stores have said so.
 *
 * Names of a user who is being moved (mbox_info.apart) are left alone, and PUSHED waits for
 * those that are unsettled: the list must not be complete without a user whom
 * neither of two stores holds just now.
 */
#ifndef CLUSTER_CLUSTER_H
#define CLUSTER_CLUSTER_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/conf.h"
#include "mailbox/names.h"
#include "mailbox/store.h"
#include "metrics/metrics.h"
#include "net/addr.h"
#include "net/loop.h"

struct tls_ctx;

enum { CLUSTER_M_CONNECTED, CLUSTER_M_CONFLICTS, CLUSTER_M_UNKNOWN, CLUSTER_M_COUNT };
extern struct metric cluster_metrics[CLUSTER_M_COUNT]; /* the program registers them */

extern const struct conf_def cluster_settings[]; /* a table for roost-store */

struct cluster_config {
	struct loop *loop;
	struct store *store;
	const char *server;  /* our name */
	struct tls_ctx *tls; /* NULL: in clear */
	/* from the settings */
	const char *partition, *cluster_id;
	struct addr master;
	const char *tls_name, *user, *secret;
	uint64_t keepalive_ms, answer_ms, retry_min_ms, retry_max_ms, again_ms;
	uint64_t guard_names, guard_percent;
};

/* Is cluster = mupdate? */
bool cluster_is_wanted(const struct conf *c);
bool cluster_wants_tls(const struct conf *c);
/* -1 with the operator's sentence when settings are missing. */
int cluster_check(const struct conf *c, struct err *err) MUST_CHECK;
/* The settings' part; borrows from c. */
void cluster_config_fill(struct cluster_config *cfg, const struct conf *c);

struct cluster;

/* Copies the texts, borrows the objects. Connects at once. The caller gives cluster_names()
 * to store_set_names(). */
struct cluster *cluster_new(const struct cluster_config *c);
/* What is under way is dropped unanswered: before the store is closed, after
 * store_set_names(s, NULL). */
void cluster_free(struct cluster **c);
struct names *cluster_names(struct cluster *c);

struct cluster_status {
	bool connected;
	bool in_step;       /* reconciled since the connection was made */
	uint64_t conflicts; /* names another store holds */
	uint64_t unknown;   /* ACTIVE names over the guard: cluster_force() */
	uint64_t term;
	const char *why; /* not connected: why. Borrowed */
};
void cluster_get_status(const struct cluster *c, struct cluster_status *st_r);
/* Reconcile now; force: without the guard. False: not connected. */
bool cluster_force(struct cluster *c, bool force);

/* What a reconciliation would do to one name, and why. Borrowed for the call. */
struct cluster_step {
	const char *action; /* "activate", "delete", "deactivate", "forget"; "ask": over the
			     * guard, a person has to decide */
	struct slice name;
	const char *why;
};
/* step NULL: that was all (ok), or the master went away (not ok). */
typedef void cluster_plan_fn(void *ctx, const struct cluster_step *step, bool ok);
/* Compares the lists, tells what would be done, and does nothing. fn is called later, from the
 * loop; ended by a call with step NULL also when c is freed. False: not connected, or a
 * reconciliation is at it just now. */
bool cluster_plan(struct cluster *c, bool force, cluster_plan_fn *fn, void *ctx) MUST_CHECK;

#endif
