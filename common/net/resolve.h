/*
 * resolve - addresses of host names, by the system's name servers and hosts file, without
 * waiting.
 */
#ifndef NET_RESOLVE_H
#define NET_RESOLVE_H

#include <stddef.h>
#include <stdint.h>

#include "net/addr.h"
#include "net/loop.h"

#define RESOLVE_ADDRS_MAX 16

/* One for all questions of a loop. What the system says of its name servers is read now. */
struct resolver;
struct resolver *resolver_new(struct loop *l);
/* Every question has been answered or cancelled. */
void resolver_free(struct resolver **r);

/* count 0: why says what failed. addrs (IPv4 and IPv6, as the system orders them) and why are
 * borrowed for the call. */
typedef void resolve_fn(void *ctx, const struct addr *addrs, size_t count, const char *why);

struct resolve;
/* Never calls fn from inside; within some seconds in any case. The question is gone when fn is
 * called. */
struct resolve *resolve_start(struct resolver *r, const char *host, uint16_t port, resolve_fn *fn,
                              void *ctx);
/* fn will not be called. Accepts NULL, leaves NULL. */
void resolve_cancel(struct resolve **q);

#endif
