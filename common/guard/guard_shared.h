/*
 * guard_shared - what the hosts of a cluster count together, in Redis. Within common/guard.
 *
 *	roost:s:SUBJECT	  hash: HOST -> "SESSIONS:UNTIL", renewed; a host that dies ends by itself
 *	roost:f:SUBJECT	  hash: n failures, until (the penalty); expires
 *	roost:w:u:USER	  list: fingerprints of wrong passwords; expires
 *	roost:k:SUBJECT	  known pair, or address with any; expires
 *	roost:r:RATE:NAME the rate's clock in microseconds; expires
 *
 * SUBJECT as in limit.h. Times are those of the Redis server. One script for a decision; a
 * decision that does not come in time is the host's own.
 */
#ifndef GUARD_GUARD_SHARED_H
#define GUARD_GUARD_SHARED_H

#include "limit/limit.h"
#include "redis/redis.h"

#define GUARD_LEASE_MS 60000 /* of a host's sessions */
#define GUARD_RENEW_MS 20000

struct guard_shared;

/* host: this process's name, the same after a restart. r is borrowed. */
struct guard_shared *guard_shared_new(struct redis *r, const char *host,
                                      const struct limit_settings *s);
void guard_shared_free(struct guard_shared **g);

/* answered false: nobody knows (Redis is away or slow). */
typedef void guard_shared_fn(void *ctx, bool answered, enum limit_verdict v, uint64_t ms);

/* mine: sessions here, the new one included. */
void guard_shared_open(struct guard_shared *g, const char *address, uint64_t mine,
                       guard_shared_fn *fn, void *ctx);
void guard_shared_user(struct guard_shared *g, const char *user, const char *address,
                       uint64_t of_user, uint64_t of_both, guard_shared_fn *fn, void *ctx);
/* The number of a subject's sessions is now this. */
void guard_shared_set(struct guard_shared *g, const char *subject, uint64_t sessions);
/* All sessions of this host are still there. */
void guard_shared_renew(struct guard_shared *g, struct limit *l);

void guard_shared_try(struct guard_shared *g, const char *address, const char *user,
                      guard_shared_fn *fn, void *ctx);
void guard_shared_passed(struct guard_shared *g, const char *address, const char *user,
                         guard_shared_fn *fn, void *ctx);
void guard_shared_failed(struct guard_shared *g, const char *address, const char *user,
                         uint64_t fingerprint, guard_shared_fn *fn, void *ctx);
void guard_shared_take(struct guard_shared *g, enum limit_rate rate, const char *name,
                       uint64_t amount, guard_shared_fn *fn, void *ctx);
/* Forgets the failures of an address or a user (those of pairs end by themselves). */
void guard_shared_clear(struct guard_shared *g, const char *name);

#endif
