/*
 * relay - where mail leaves us: the next hops of the settings (`relay`), tried in their order.
 *
 * A hop that cannot be reached, says 421 or is silent before it has the whole message is no
 * answer: the next one is tried, and it comes last for a while. Behind the final dot nobody
 * knows: the sender is told to come again, and the recipients may have it twice (a next hop
 * does not know a message it has already). A hop that cannot take what a message needs (UTF-8
 * addresses, its size) is passed over when another can.
 */
#ifndef DELIVER_RELAY_H
#define DELIVER_RELAY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/must.h"
#include "conf/conf.h"
#include "deliver/attempt.h"

struct relay;

/* Do the settings make sense? -1 with the operator's sentence. */
int relay_check(const struct conf *c, struct err *err) MUST_CHECK;
/* c and p are borrowed. tls: for relay_tls; NULL where there is none. */
struct relay *relay_new(const struct conf *c, struct pool *p, struct tls_ctx *tls);
/* No try is under way. Before the pool. */
void relay_free(struct relay **r);
/* A client context for relay_tls; NULL when it is off. False with the operator's sentence. */
bool relay_open_tls(const struct conf *c, struct tls_ctx **tls_r, struct err *err) MUST_CHECK;

bool relay_is_set(const struct relay *r);
/* More recipients in one transaction a hop has refused lately; SIZE_MAX: none has. */
size_t relay_most_rcpts(const struct relay *r);

/* For `status`: hop i of the settings; false behind the last. */
struct relay_info {
	const char *name; /* as it is written there */
	bool down;        /* it failed lately, or its name leads nowhere */
};
bool relay_at(const struct relay *r, size_t i, struct relay_info *info_r);

struct relay_try;

/* As attempt_new() with a job that needs no peer: job->peer is the hop that was asked last. The
 * job's deadline is for all hops together. */
struct relay_try *relay_try_new(struct relay *r, struct attempt_job *job, attempt_fn *fn,
                                void *ctx);
void relay_try_cancel(struct relay_try **t);

#endif
