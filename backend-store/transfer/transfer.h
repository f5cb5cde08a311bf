/*
 * transfer - users move from one store to another over the cluster port. What is on disk in
 * each state is told in mailbox/move.h, what is said in wire.h.
 *
 *   source                            target                         master
 *   connects, logs in
 *   closes the user (COPYING)
 *   BEGIN                             COPYING                        INBOX active, source
 *   items and bodies, DONE            writes them, DIGEST
 *   compares; leaves the names                                       reserved, left
 *   COMMITTING; COMMIT                COMMITTING; takes the INBOX    INBOX active, target
 *                                     COMMITTED; takes the rest      all active, target
 *                                     END: the user is open
 *   RELEASED; END: the copy goes
 *
 * What must be true:
 *
 *  1. The master decides: the INBOX is activated by one of the two. Before that the source
 *     may have it back, after that the target has it.
 *  2. The target activates nothing before COMMIT; the source says COMMIT only when
 *     COMMITTING is on its disk. So in COPYING both undo it without asking anybody.
 *  3. In COMMITTING each asks the master and follows. Nothing times out but conversations:
 *     the master or the other store being away only delays.
 *  4. The source deletes nothing before RELEASED is on its disk and the target has said that
 *     the user is open there.
 */
#ifndef TRANSFER_TRANSFER_H
#define TRANSFER_TRANSFER_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/conf.h"
#include "directory/auth.h"
#include "mailbox/move.h"
#include "mailbox/names.h"
#include "metrics/metrics.h"
#include "net/conn.h"
#include "net/loop.h"

struct tls_ctx;

enum { TRANSFER_M_OPEN, TRANSFER_M_IN, TRANSFER_M_OUT, TRANSFER_M_UNDONE, TRANSFER_M_COUNT };
extern struct metric transfer_metrics[TRANSFER_M_COUNT];

extern const struct conf_def transfer_settings[]; /* a table for roost-store */

/* -1 with the operator's sentence: the cluster port off loopback needs certificates. */
int transfer_check(const struct conf *c, struct err *err) MUST_CHECK;
/* Does any connection need TLS? */
bool transfer_wants_tls(const struct conf *c);

/* Everything is borrowed. */
struct transfer_config {
	struct loop *loop;
	struct store *store;
	struct names *names; /* NULL: no cluster, no moves */
	struct auth *auth;
	const struct conf *conf;
	struct tls_ctx *tls; /* both ways; NULL: loopback only */
	const char *server;
	/* Sessions in the user's mailboxes are sent away. */
	void (*end_sessions)(void *ctx, struct slice user);
	/* The lists of names are compared again. */
	void (*reconcile)(void *ctx);
	void *ctx;
};

struct transfer;
/* Goes on with the moves of the journal. */
struct transfer *transfer_new(const struct transfer_config *c);
/* Before the store is closed; the journal has what is under way. */
void transfer_free(struct transfer **t);
void transfer_set_conf(struct transfer *t, const struct conf *conf, struct tls_ctx *tls,
                       const char *server);

/* Takes *c: a connection to the cluster port. */
void transfer_accept(struct transfer *t, struct conn **c);

/* ---- for the administrator -------------------------------------------------------------- */

enum transfer_answer {
	TRANSFER_OK,
	TRANSFER_NOTFOUND, /* no such user, no such move */
	TRANSFER_EXISTS,   /* he is being moved */
	TRANSFER_INVALID,  /* no such store, the store itself, no user's name */
	TRANSFER_DENIED,   /* it is decided already */
	TRANSFER_TEMP,
};

/* Could it begin now? Else err says why not. */
enum transfer_answer transfer_may_start(struct transfer *t, struct slice user, struct slice target,
                                        struct err *err) MUST_CHECK;
/* Begins. OK: transfer_each() tells how it goes. Else err says why not. */
enum transfer_answer transfer_start(struct transfer *t, struct slice user, struct slice target,
                                    bool keep, struct err *err) MUST_CHECK;
/* Undoes a move that is under way here, if it is not decided. */
enum transfer_answer transfer_undo(struct transfer *t, struct slice user,
                                   struct err *err) MUST_CHECK;
/* Deletes a kept copy. */
enum transfer_answer transfer_drop(struct transfer *t, struct slice user,
                                   struct err *err) MUST_CHECK;

/* A move under way, and those that have ended lately. Borrowed for the call. */
struct transfer_info {
	const char *user, *peer;
	bool out;
	const char *step; /* "sending" */
	bool over, moved; /* over: ended; moved: the target has the user */
	const char *why;  /* what is waited for, or why it was undone; "" */
	uint64_t messages, messages_done, bytes, bytes_done;
	uint64_t ms;        /* since it began, or its length */
	uint64_t closed_ms; /* the user's mailboxes were closed so long, as seen here */
};
typedef void transfer_each_fn(void *ctx, const struct transfer_info *i);
void transfer_each(struct transfer *t, transfer_each_fn *fn, void *ctx);

#endif
