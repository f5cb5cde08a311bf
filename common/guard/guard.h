/*
 * guard - a worker's side of the limits process (guard_serve.h): who may connect, log in,
 * send. Asynchronous; on the loop.
 *
 * The door is never closed by the guard's own trouble: without a connection to the limits
 * process, or when it does not answer within GUARD_ANSWER_MS, whatever was asked is allowed.
 * After a break the sessions of this worker are told again.
 *
 * Addresses count by prefix (`limit_ipv4_prefix`, `limit_ipv6_prefix`); those of
 * `unlimited_networks` are never asked about.
 */
#ifndef GUARD_GUARD_H
#define GUARD_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/conf.h"
#include "directory/auth.h"
#include "limit/limit.h"
#include "net/conn.h"
#include "net/listener.h"
#include "net/loop.h"

#define GUARD_ANSWER_MS 100

struct guard;

/* path: the limits process's socket. c is borrowed. */
struct guard *guard_new(struct loop *l, const char *path, const struct conf *c);
/* Questions that are open are not answered any more; waiting conns are closed. */
void guard_free(struct guard **g);

/* Takes *c, a client's fresh connection. fn(ctx, &c) when it may be served: now, or soon from
 * the loop. Else refusal (a line with its CRLF; "": nothing can be said, as where TLS comes
 * first) goes out, and it is closed. The session is counted until the conn ends. */
void guard_admit(struct guard *g, struct conn **c, const char *refusal, listener_fn *fn, void *ctx);

/* An auth that asks the guard about every login before and after inner does. What it refuses
 * is AUTH_LIMIT. Failures are counted at once and answered after `login_failure_delay`, which
 * inner does not wait for. Takes *inner. */
struct auth *guard_auth_new(struct guard *g, struct auth **inner, const struct conf *c);

/* May this be sent? Counted when it may. peer: an address as text; or a user's name. Answered
 * once, now or later from the loop; after guard_cancel(id) not at all. id 0: answered. */
typedef void guard_fn(void *ctx, uint64_t id, enum limit_verdict v, uint64_t amount);
uint64_t guard_take_client(struct guard *g, enum limit_rate rate, const char *peer, uint64_t amount,
                           guard_fn *fn, void *ctx);
uint64_t guard_take_sender(struct guard *g, enum limit_rate rate, const char *user, uint64_t amount,
                           guard_fn *fn, void *ctx);
void guard_cancel(struct guard *g, uint64_t id);

/* For roostctl: text is lines of "NAME TAB FAILURES TAB SECONDS"; NULL: nobody knows. */
typedef void guard_text_fn(void *ctx, const char *text, uint64_t amount);
void guard_list(struct guard *g, guard_text_fn *fn, void *ctx);
void guard_clear(struct guard *g, const char *name, guard_text_fn *fn, void *ctx);

#endif
