/*
 * svc - what every main() does: arguments, settings, log, sockets, privileges,
 * workers, auth workers, metrics, control socket, reload, drain.
 *
 *	int
 *	main(int argc, char **argv)
 *	{
 *		metrics_register(imap_metrics, M_COUNT);
 *		return svc_main(&program, argc, argv);
 *	}
 *
 * The supervisor opens the listening sockets (one per worker and address) and keeps
 * them; socket i goes to worker i and to every successor. It never touches bytes of a
 * peer. Processes: supervisor (root when started as root), `workers` workers,
 * `auth_workers` auth workers, one for the metrics, one for the limits; all but the first run as `user`
 * and die with the supervisor. What ends unasked is started again, after growing pauses.
 *
 * SIGTERM, SIGINT: drain: workers stop accepting, sessions go on until they end or
 * `drain_timeout`; then exit 0. A second one: now.
 * SIGHUP: settings are read again. A file with errors changes nothing, nor do settings
 * with which a new worker does not start. Front ends: new workers with the new settings,
 * old ones drain. Programs with SVC_ONE_WORKER: their `reload` is called in place; other
 * addresses to listen on need a restart, which is logged.
 * SIGUSR1: log files are opened again.
 *
 * Exit codes: 0, 64 bad arguments, 78 bad settings, 71 could not start (port in use,
 * missing certificate, data directory unusable). Each but 0 comes with one sentence on
 * standard error.
 */
#ifndef SVC_SVC_H
#define SVC_SVC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "conf/conf.h"
#include "ctl/ctl.h"
#include "directory/auth.h"
#include "net/listener.h"
#include "net/loop.h"

enum { SVC_EXIT_USAGE = 64, SVC_EXIT_START = 71, SVC_EXIT_CONFIG = CONF_EXIT };

/* A setting of type CONF_ADDRESSES whose addresses the supervisor opens. */
struct svc_listen_def {
	const char *setting; /* "imap_listen", in the program's own tables */
	const char *service; /* "imap": for svc_listen() */
	/* SVC_LIMITS: what clients are told who are too many, with its CRLF; "": nothing can be
	 * said (TLS comes first); NULL: they are not limited. */
	const char *refusal;
};

enum {
	SVC_ONE_WORKER = 1, /* exactly one; reloads in place */
	SVC_AUTH = 2,       /* has auth workers; svc_auth() */
	SVC_LIMITS = 4,     /* has a limits process (common/guard); svc_guard() */
};

struct guard;
struct svc_worker;

struct svc_program {
	const char *name;    /* "roost-imap": program and section of the settings */
	const char *title;   /* what it is, in a few words, for lists of programs */
	const char *summary; /* what --help says first, one paragraph */
	unsigned flags;
	const struct conf_def *const *tables;   /* NULL-terminated list of tables */
	const struct svc_listen_def *listeners; /* ended by setting == NULL; may be NULL */

	/* In the supervisor before anything is opened, at every reload, and for --check:
	 * what the tables cannot say (two settings that contradict each other, files that
	 * cannot be read). -1 with the operator's sentence. May be NULL. */
	int (*check)(const struct conf *c, struct err *err);
	/* In a fresh worker, after privileges were dropped. Returns the program's own
	 * object, or NULL with the operator's sentence (the program ends with
	 * SVC_EXIT_START when this is its first start, and is tried again with growing
	 * pauses otherwise). */
	void *(*start)(struct svc_worker *w, struct err *err);
	/* SVC_ONE_WORKER: c replaces svc_conf(w), which stays valid until this returns.
	 * -1: the old ones stay in force. May be NULL: most changes need a restart, which
	 * is logged. */
	int (*reload)(void *app, const struct conf *c, struct err *err);
	/* Listeners are closed already. Say goodbye to idle sessions, let the others end;
	 * svc_drained() when nobody is left (now, from inside, is fine). */
	void (*drain)(void *app);
	/* Last call: sessions that are left are cut; close files. May be NULL. */
	void (*stop)(void *app);
};

/* The exit code. */
int svc_main(const struct svc_program *p, int argc, char **argv);

/* ---- for start() and later, in a worker --------------------------------------------- */

struct loop *svc_loop(struct svc_worker *w);
const struct conf *svc_conf(const struct svc_worker *w);
unsigned svc_index(const struct svc_worker *w); /* 0 .. workers - 1 */
/* SVC_AUTH only. Borrowed for the worker's life. */
struct auth *svc_auth(struct svc_worker *w);
/* SVC_LIMITS only. Borrowed for the worker's life. svc_auth() and svc_listen() ask it. */
struct guard *svc_guard(struct svc_worker *w);
/* Register the program's commands on it in start(): ctl_register(). */
struct ctl_server *svc_ctl(struct svc_worker *w);

/* Accepts from all addresses of a service until the drain. fn gets each conn. May be
 * called later than start(). No address set: nothing happens. */
void svc_listen(struct svc_worker *w, const char *service, listener_fn *fn, void *ctx);
bool svc_is_draining(const struct svc_worker *w);
/* In a drain: new workers have taken over after a reload, so sessions need not go at once. */
bool svc_is_replaced(const struct svc_worker *w);
void svc_drained(struct svc_worker *w);

/* Added to the answer of the control command `status` (see ctl/ctl.h): sessions, and
 * what the program wants to say of itself below "detail". Called for each `status`. */
typedef void svc_status_fn(void *ctx, struct json *detail, uint64_t *sessions_r);
void svc_set_status(struct svc_worker *w, svc_status_fn *fn, void *ctx);

/* ---- helpers ------------------------------------------------------------------------- */

/* <run_dir>/<program>[-instance][.worker].ctl (worker 0 has no number). path_r: 108. */
#define SVC_PATH_LEN 108
bool svc_ctl_path(const char *run_dir, const char *program, const char *instance, unsigned worker,
                  char path_r[SVC_PATH_LEN]) MUST_CHECK;

#endif
