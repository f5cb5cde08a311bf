/*
 * instance - one roost-store: its mail, its protocols, its link to the location master.
 */
#ifndef INSTANCE_INSTANCE_H
#define INSTANCE_INSTANCE_H

#include "cluster/cluster.h"
#include "imap/session.h"
#include "lmtp/session.h"
#include "mailbox/quota.h"
#include "mailbox/store.h"
#include "metrics/metrics.h"
#include "pop3/session.h"
#include "json/json.h"
#include "svc/svc.h"
#include "tls/tls.h"
#include "transfer/transfer.h"

/* Settings of roost-store beside those of its protocols and of the cluster. */
extern const struct conf_def instance_settings[];

enum {
	STORE_M_MAILBOXES,
	STORE_M_HOT,
	STORE_M_HOT_BYTES,
	STORE_M_BATCHES,
	STORE_M_TRANSACTIONS,
	STORE_M_BYTES,
	STORE_M_QUEUED,
	STORE_M_UNINDEXED,
	STORE_M_FREE,
	STORE_M_SEGMENTS,
	STORE_M_LIVE,
	STORE_M_DEAD,
	STORE_M_COPIED,
	STORE_M_DROPPED,
	STORE_M_DROPPED_BYTES,
	STORE_M_KEPT,
	STORE_M_DAMAGED,
	STORE_M_FULL,
	STORE_M_FAILED,
	STORE_M_QUOTA_FULL,
	STORE_M_COUNT
};
extern struct metric store_metrics[STORE_M_COUNT];

struct instance {
	struct svc_worker *svc;
	const struct conf *conf;
	const char *server;               /* our name; borrowed from conf or the program */
	struct tls_ctx *tls, *master_tls; /* for clients; for the master; NULL: not needed */
	struct store *store;
	struct cluster *cluster; /* NULL: cluster = none */
	struct imap_service *imap;
	struct lmtp_service *lmtp;
	struct pop3_service *pop3;
	struct transfer *transfer;
	struct tls_ctx *peer_tls; /* for the cluster port; NULL: loopback only */
	struct timer tick;
	unsigned draining; /* protocols that have sessions left */
};

/* The functions of struct svc_program. */
int instance_check(const struct conf *c, struct err *err);
void *instance_start(struct svc_worker *w, struct err *err);
int instance_reload(void *app, const struct conf *c, struct err *err);
void instance_drain(void *app);
void instance_stop(void *app);

/* ---- control.c: status, who, explain ---- */
void control_start(struct instance *i);

/* ---- moves.c: move.* ---- */
void moves_start(struct instance *i);
void disk_start(struct instance *i);

/* ---- admin.c: mailbox.* and user.*; admin_acl.c, admin_quota.c: mailbox.acl.*, .quota.* ---- */
void admin_start(struct instance *i);
void admin_acl_start(struct instance *i);
void admin_quota_start(struct instance *i);
/* The string field of the request, or (NULL) the answer that it is missing. */
const char *admin_need(struct ctl_req *req, const struct json *args, const char *field);
/* Answers a request that has failed; what: the command's name. */
void admin_fail(struct ctl_req *req, const char *what, enum mbox_result r);
/* A change under way, for the callback of the store. */
struct admin_change;
struct admin_change *admin_change_new(struct ctl_req *req, const char *what);
/* Logs, answers and frees. error and why: in place of what admin_fail() says; NULL: that. */
void admin_changed(struct admin_change **c, enum mbox_result r, const char *error, const char *why);
/* "acl": [{"id": ..., "rights": ...}, ...] into o. */
void admin_add_acl(struct json *o, struct slice acl);

#endif
