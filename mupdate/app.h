/*
 * app - the worker of roost-mupdate: what its settings say, put together.
 */
#ifndef APP_H
#define APP_H

#include "barrier_server.h"
#include "mapdb.h"
#include "net/listener.h"
#include "replica.h"
#include "service.h"
#include "svc/svc.h"

struct app {
	struct svc_worker *svc;
	const struct conf *conf;
	bool is_master;
	struct mapdb *db;
	struct tls_ctx *tls_server, *tls_client;
	struct service *service;
	struct replica *replica; /* NULL at a master */
	struct barrier_server *barriers;
	int barrier_fd; /* -1: none */
	struct listener *barrier_listener;
	struct timer tick; /* each second */
	unsigned ticks;
};

extern const struct conf_def app_settings[];

/* For struct svc_program. */
int app_check(const struct conf *c, struct err *err);
void *app_start(struct svc_worker *w, struct err *err);
int app_reload(void *app, const struct conf *c, struct err *err);
void app_drain(void *app);
void app_stop(void *app);

/* control.c: the commands of the control socket. */
void control_start(struct app *a);
/* compare.c: those of them that compare lists. */
void compare_start(struct app *a);

#endif
