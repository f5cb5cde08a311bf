/*
 * worker - one worker of roost-smtp: its map, its stores, its clients.
 */
#ifndef WORKER_H
#define WORKER_H

#include "conf/servers.h"
#include "deliver/pool.h"
#include "location/barrier.h"
#include "location/lookup.h"
#include "location/reader.h"
#include "route/route.h"
#include "session/session.h"
#include "svc/svc.h"

struct worker {
	struct svc_worker *svc;
	const struct conf *conf;
	struct tls_ctx *tls, *store_tls; /* for clients; for stores; NULL: not needed */
	struct tls_ctx *relay_tls;
	struct location_reader *reader;
	struct barrier *barrier;
	struct lookup *lookup;
	struct servers *servers;
	struct route *route;
	struct pool *pool;
	struct relay *relay;
	struct smtp_proxy *proxy;
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
