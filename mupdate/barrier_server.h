/*
 * barrier_server - the Unix socket where front ends of this host ask for barriers:
 * "B <id>\n" -> "OK <id> <revision>\n" or "LATE <id>\n" (location/barrier.h).
 */
#ifndef BARRIER_SERVER_H
#define BARRIER_SERVER_H

#include "net/conn.h"
#include "service.h"

struct barrier_server;

/* Borrows the service, which knows how to ask the master. */
struct barrier_server *barrier_server_new(struct service *s);
void barrier_server_free(struct barrier_server **b);
/* For a listener; ctx is the barrier_server. */
void barrier_server_accept(void *ctx, struct conn **c);

#endif
