/*
 * fakenet - common/net's headers on a fake network and a fake clock, for scenarios.
 *
 * Linked in place of common/net. One thread, no sockets, no waiting: fakenet_settle()
 * runs all that is ready, fakenet_advance() moves the clock. Bytes travel between the
 * two ends of a pair as the receiver's input limit and pauses allow.
 */
#ifndef FAKENET_FAKENET_H
#define FAKENET_FAKENET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/conn.h"
#include "net/loop.h"

/* Runs deferred calls, deliveries and due timers until nothing is ready. */
void fakenet_settle(struct loop *l);
/* Moves the clock in steps to each timer on the way. */
void fakenet_advance(struct loop *l, uint64_t ms);
/* Somebody sets the wall clock: it jumps, and monotonic time does not. */
void fakenet_jump(struct loop *l, int64_t seconds);
/* Moves the clock only until the next timer has run; false when there is none. */
bool fakenet_advance_to_timer(struct loop *l);

/* Two connected ends. Addresses as seen: a is the dialling side. */
void fakenet_pair(struct loop *l, const char *from, const char *to, struct conn **a,
                  struct conn **b);

/* What happens to dials to addr ("127.0.0.1:24"): fn gets the accepting end. NULL fn:
 * refused (the state of every address nobody spoke for). */
typedef void fakenet_accept_fn(void *ctx, struct conn **c);
void fakenet_listen(struct loop *l, const char *addr, fakenet_accept_fn *fn, void *ctx);
/* Dials to addr get no answer at all until told otherwise. */
void fakenet_blackhole(struct loop *l, const char *addr, bool on);

/* What net/resolve.h says of host: addresses separated by spaces; "": it is unknown (as every
 * host nobody spoke for); NULL: no answer, until told otherwise. */
void fakenet_name(struct loop *l, const char *host, const char *addrs);

/* Deliver at most n bytes at a time from now on (0: all there is). */
void fakenet_set_split(struct loop *l, size_t n);
/* Stop carrying bytes out of c (a cut cable: nobody notices) or carry on. */
void fakenet_cut(struct conn *c, bool cut);
/* c sends nothing more, and its peer learns that; c still receives. */
void fakenet_end(struct conn *c);
/* The peer of c sees a reset instead of an orderly end. Leaves NULL. */
void fakenet_reset(struct conn **c);

#endif
