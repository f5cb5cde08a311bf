/*
 * dial - opens a connection, with a deadline.
 */
#ifndef NET_DIAL_H
#define NET_DIAL_H

#include <stdint.h>

#include "net/addr.h"
#include "net/conn.h"
#include "net/loop.h"

struct dial;

/* *c is the caller's when not NULL; else why (borrowed text) says what failed. The
 * dial is gone when this is called. */
typedef void dial_fn(void *ctx, struct conn **c, const char *why);

/* Never calls fn from inside. */
struct dial *dial_start(struct loop *l, const struct addr *to, uint64_t deadline_ms, dial_fn *fn,
                        void *ctx);
/* fn will not be called. Accepts NULL, leaves NULL. */
void dial_cancel(struct dial **d);

#endif
