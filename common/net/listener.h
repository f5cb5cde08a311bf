/*
 * listener - a listening socket on the loop.
 *
 * The socket itself is made by the supervisor (svc) and outlives this process.
 */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "net/addr.h"
#include "net/conn.h"
#include "net/loop.h"

struct listener;
typedef void listener_fn(void *ctx, struct conn **c); /* *c is the callee's */

/* Makes, binds (with SO_REUSEPORT for IP; a stale Unix path is replaced) and listens.
 * first: the port must be free of others; false for the further sockets of our own
 * workers on the same port.
 * -1 with the operator's text: "port 25 on 0.0.0.0 is in use by another program". */
int listener_open_socket(const struct addr *at, bool first, struct err *err) MUST_CHECK;
/* fd stays the caller's. Accepting pauses for a moment before descriptors run out. */
struct listener *listener_new(struct loop *l, int fd, listener_fn *fn, void *ctx);
void listener_free(struct listener **l);

#endif
