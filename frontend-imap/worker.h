/*
 * worker - one worker of roost-imap: its map, its stores, its two proxies.
 */
#ifndef WORKER_H
#define WORKER_H

#include "conf/servers.h"
#include "imap/session.h"
#include "location/barrier.h"
#include "location/lookup.h"
#include "location/reader.h"
#include "pop3/session.h"
#include "route/home.h"
#include "svc/svc.h"

struct worker {
	struct svc_worker *svc;
	const struct conf *conf;
	struct tls_ctx *tls, *store_tls; /* for clients; for stores; NULL: not needed */
	struct location_reader *reader;
	struct barrier *barrier;
	struct lookup *lookup;
	struct servers *servers;
	struct home *home;
	struct imap_proxy *imap;
	struct pop3_service *pop3;
	unsigned draining; /* proxies that have sessions left */
};

/* The functions of struct svc_program. */
int worker_check(const struct conf *c, struct err *err);
void *worker_start(struct svc_worker *w, struct err *err);
void worker_drain(void *app);
void worker_stop(void *app);

/* ---- control.c ---- */

/* Registers who and explain, and what status says of us. */
void control_start(struct worker *w);

#endif
