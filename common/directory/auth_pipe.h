/*
 * auth_pipe - the worker's side of the socket pairs to the auth workers, and the auth
 * workers' own main loop. Used by svc.
 *
 * Frames of directory/auth_wire.h over SOCK_SEQPACKET. The pairs are made by the
 * supervisor and outlive both ends' processes: a restarted auth worker takes over the
 * same socket; conversations it does not know are answered AUTH_TEMP.
 */
#ifndef DIRECTORY_AUTH_PIPE_H
#define DIRECTORY_AUTH_PIPE_H

#include "base/err.h"
#include "conf/conf.h"
#include "directory/auth.h"
#include "net/loop.h"

/* Can an auth worker do what the settings ask for? To be asked in a process of its own, with an
 * auth worker's rights: it loads what auth workers load. -1 with the operator's text. */
int auth_pipe_check(const struct conf *c, struct err *err) MUST_CHECK;

/* fds[i] leads to auth worker i; they stay the caller's. c gives time-outs. delays: failed logins
 * are answered after `login_failure_delay`; else whoever counts them sees to that (common/guard). */
struct auth *auth_pipe_new(struct loop *l, const int *fds, unsigned count, const struct conf *c,
                           bool delays);

/* Serves fds (one for each worker) until SIGTERM; the exit code. c is borrowed. */
int auth_pipe_serve(const int *fds, unsigned count, const struct conf *c);

#endif
