/*
 * session - IMAP for clients, on a front end: log in, find the home, pass commands on by
 * structure to the store that each is for, let responses through: several stores look like
 * one server. RFC 3501 and the extensions of offer.h.
 *
 * A user whose home cannot be found or reached for whatever reason is told [UNAVAILABLE]:
 * never that his password is wrong or his mail is gone.
 */
#ifndef IMAP_SESSION_H
#define IMAP_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/conf.h"
#include "conf/servers.h"
#include "directory/auth.h"
#include "location/lookup.h"
#include "metrics/metrics.h"
#include "net/conn.h"
#include "net/loop.h"
#include "route/home.h"
#include "session/who.h"
#include "tls/tls.h"

/* Settings of roost-imap, beside those of conf/common.h. */
extern const struct conf_def imap_conf_table[];

enum {
	IMAP_M_SESSIONS,
	IMAP_M_CONNECTIONS,
	IMAP_M_LOGIN_OK,
	IMAP_M_LOGIN_DENIED,
	IMAP_M_LOGIN_TEMP,
	IMAP_M_COMMANDS,
	IMAP_M_STORE_LOST,
	IMAP_M_STORE_AGAIN,
	IMAP_M_BYTES_IN,
	IMAP_M_BYTES_OUT,
	IMAP_M_GUESTS,
	IMAP_M_ACROSS,
	IMAP_M_COUNT
};
extern struct metric imap_metrics[IMAP_M_COUNT];

/* What all sessions of a worker share. Everything is borrowed for its life. */
struct imap_proxy_config {
	struct loop *loop;
	struct auth *auth;
	struct home *home;
	struct lookup *lookup;
	struct location_reader *reader;
	struct barrier *barrier;
	struct servers *servers;
	const struct conf *conf;
	struct tls_ctx *tls; /* for clients; NULL: not offered */
};

struct imap_proxy;
struct imap_proxy *imap_proxy_new(const struct imap_proxy_config *c);
/* Cuts the sessions that are left. Before the loop, auth and home are freed. */
void imap_proxy_free(struct imap_proxy **p);

/* Takes *c. tls: from the first byte (port 993). Never fails: a session that cannot start
 * tells the client why and ends itself. */
void imap_session_start(struct imap_proxy *p, struct conn **c, bool tls);

/* No new ones. Who waits for nothing is sent away, the others when they are answered; with
 * may_stay (a reload: others take new clients) they go when they like. done is called when
 * nobody is left, perhaps now. */
void imap_proxy_drain(struct imap_proxy *p, bool may_stay, void (*done)(void *ctx), void *ctx);
size_t imap_proxy_count(const struct imap_proxy *p);

void imap_proxy_each(const struct imap_proxy *p, who_fn *fn, void *ctx);

#endif
