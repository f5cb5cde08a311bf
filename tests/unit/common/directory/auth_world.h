/*
 * auth_world - workers' sides of auth sockets and what is at their other ends: real auth workers
 * (forked, killed, started again on the same sockets), or nobody but the test.
 *
 * Nothing here depends on how fast the machine is: unless a test asks for less, a request is
 * given up later than the test itself gives up.
 */
#ifndef UNIT_COMMON_DIRECTORY_AUTH_WORLD_H
#define UNIT_COMMON_DIRECTORY_AUTH_WORLD_H

#include "conf/conf.h"
#include "directory/auth.h"
#include "directory/auth_pipe.h"
#include "directory/auth_wire.h"
#include "net/loop.h"

#include <sys/types.h>

#define AUTH_WORLD_ENDS 2
#define AUTH_WORLD_PATIENCE_MS 120000
#define AUTH_WORLD_TIMEOUT_MS 300000
#define AUTH_WORLD_DELAY_MS 300

struct auth_world {
	struct loop *loop;
	struct conf *conf;
	struct auth *auth;
	struct timer late;
	const unsigned *watched;
	unsigned wanted;
	int here[AUTH_WORLD_ENDS], there[AUTH_WORLD_ENDS]; /* the socket pairs */
	pid_t pid[AUTH_WORLD_ENDS];
};

/* What came back, for one or many requests. */
struct auth_got {
	unsigned times, results[AUTH_TEMP + 1];
	uint64_t id;
	enum auth_result result;
	char user[400], authcid[400], grant[AUTH_GRANT_MAX], secret[2048], home[200];
	bool proxied, admin, disabled, domain_unknown;
	uint64_t claim;
	size_t finals;
	char detail[400], challenge[100];
};

/* With so many auth workers, each at an end of its own. 0: the test plays the one at end 0. */
void auth_world_init(struct auth_world *w, unsigned auth_workers);
/* The same with auth_timeout and login_failure_delay. */
void auth_world_init_timed(struct auth_world *w, unsigned auth_workers, unsigned timeout_ms,
                           unsigned delay_ms);
void auth_world_fini(struct auth_world *w);
/* The worker's side anew, of count ends from first on. */
void auth_world_reopen(struct auth_world *w, unsigned first, unsigned count);

/* One that serves count ends from end i on. */
void auth_world_start(struct auth_world *w, unsigned i, unsigned count);
/* Its status, as of waitpid(2). */
int auth_world_stop(struct auth_world *w, unsigned i, int signo);

/* By the real clock, whatever clock.h says. */
uint64_t auth_world_now_ms(void);
/* The loop runs until *watched, the times of an auth_got, is n, at most ms. */
void auth_world_run(struct auth_world *w, const unsigned *watched, unsigned n, unsigned ms);
void auth_world_run_for(struct auth_world *w, unsigned ms);
/* Until g was called n times, and not more. */
void auth_world_expect(struct auth_world *w, const struct auth_got *g, unsigned n);

/* For what is asked; ctx: struct auth_got. */
extern const struct auth_session auth_world_session;
void auth_world_on_login(void *ctx, uint64_t id, const struct auth_reply *r);
void auth_world_on_credentials(void *ctx, uint64_t id, const struct auth_credentials *c);
void auth_world_on_resolved(void *ctx, uint64_t id, const struct auth_resolved *r);
void auth_world_on_user(void *ctx, uint64_t id, const struct auth_user *u);

/* Asks and waits for the answer. */
void auth_world_login(struct auth_world *w, struct auth_got *g, const char *user,
                      const char *password);

/* ---- an auth worker that the test plays ---- */

/* The next frame a worker sent; what it borrows is valid until the next call. The loop runs
 * meanwhile. */
struct auth_frame auth_world_hear(struct auth_world *w, unsigned i);
bool auth_world_heard_nothing(const struct auth_world *w, unsigned i);
void auth_world_say(const struct auth_world *w, unsigned i, enum auth_frame_kind kind, uint64_t id,
                    enum auth_result result);

#endif
