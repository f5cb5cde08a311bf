/*
 * session - IMAP on a store: RFC 3501 with the extensions of capability.c.
 *
 * A session sees the mailboxes of its user, and what their ACLs let him see. Commands are
 * carried out one after the other; what is acknowledged is on disk (promise 1).
 */
#ifndef IMAP_SESSION_H
#define IMAP_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/conf.h"
#include "directory/auth.h"
#include "mailbox/store.h"
#include "metrics/metrics.h"
#include "net/conn.h"
#include "net/loop.h"
#include "session/who.h"
#include "tls/tls.h"

/* Settings of roost-store, beside those of conf/common.h: imap_listen, imaps_listen, ... */
extern const struct conf_def imap_conf_table[];

enum {
	IMAP_M_SESSIONS,
	IMAP_M_CONNECTIONS,
	IMAP_M_LOGIN_OK,
	IMAP_M_LOGIN_DENIED,
	IMAP_M_LOGIN_TEMP,
	IMAP_M_COMMANDS,
	IMAP_M_BAD_COMMANDS,
	IMAP_M_FETCHED,
	IMAP_M_APPENDED,
	IMAP_M_EXPUNGED,
	IMAP_M_COUNT
};
extern struct metric imap_metrics[IMAP_M_COUNT];

/* What all sessions share. Everything is borrowed for its life. */
struct imap_service_config {
	struct loop *loop;
	struct store *store;
	struct auth *auth;
	const struct conf *conf;
	struct tls_ctx *tls;   /* NULL: not offered, and no port 993 */
	const char *server;    /* this store's name in the cluster */
	const char *spool_dir; /* large messages wait there while they come in */
};

struct imap_service;
struct imap_service *imap_service_new(const struct imap_service_config *c);
/* New settings for sessions that start from now on. */
void imap_service_set_conf(struct imap_service *p, const struct conf *conf, struct tls_ctx *tls);
/* Cuts the sessions that are left. Before the store is closed. */
void imap_service_free(struct imap_service **p);

/* Takes *c. tls: from the first byte (port 993). Never fails: a session that cannot start
 * tells the client why and ends itself. */
void imap_session_start(struct imap_service *p, struct conn **c, bool tls);

/* No new ones: who does nothing is sent away, the others as soon as their command is over.
 * done is called when nobody is left, perhaps now. */
void imap_service_drain(struct imap_service *p, void (*done)(void *ctx), void *ctx);
size_t imap_service_count(const struct imap_service *p);

/* The user's mailboxes are moved away: who is in one of them is sent away (RFC 3501 section
 * 7.1.5), to come again. user is canonical. */
void imap_service_end_user(struct imap_service *p, struct slice user);

void imap_service_each(const struct imap_service *p, who_fn *fn, void *ctx);

#endif
