/*
 * svc_impl - what the files of common/svc know of each other. Within common/svc only.
 *
 * svc.c         svc_main(): arguments, settings, then the supervisor
 * args.c        the command line
 * supervisor.c  the supervisor's loop: signals, ends of children, drain
 * reload.c      new settings
 * place.c       log, run_dir, pid file, limits
 * generation.c  workers and auth workers that run with the same settings
 * child.c       one process: start, channel, end, when to try again
 * channel.c     frames between supervisor and worker
 * worker.c      a worker, from the inside
 * limits_ctl.c  what the limits process says on the control socket
 * metrics_http.c  the process that answers scrapers
 * sockets.c     listening sockets, kept over generations
 * fds.c         which descriptors a child must not have
 * privileges.c  the change to `user`
 * trial.c       what an auth worker will need, tried as `user` before one starts
 * notify.c      systemd
 * stats.c       the supervisor's own metrics
 */
#ifndef SVC_SVC_IMPL_H
#define SVC_SVC_IMPL_H

#include <signal.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/list.h"
#include "metrics/metrics.h"
#include "svc/svc.h"

/* ---- args.c ------------------------------------------------------------------------------ */

enum svc_mode {
	SVC_RUN,
	SVC_CHECK,
	SVC_PRINT,
	SVC_HELP,         /* from here on: modes that need no settings */
	SVC_MAN,          /* the manual page */
	SVC_MAN_SETTINGS, /* this program's part of roost.conf(5) */
	SVC_VERSION,
};

struct svc_args {
	enum svc_mode mode;
	const char *config, *instance; /* instance NULL: none */
};

int svc_args_parse(int argc, char **argv, struct svc_args *args_r, struct err *err) MUST_CHECK;
void svc_args_print_help(const struct svc_program *p, const struct conf_schema *schema,
                         struct buf *out);
void svc_args_print_man(const struct svc_program *p, const struct conf_schema *schema,
                        struct buf *out);
void svc_args_print_man_settings(const struct svc_program *p, const struct conf_schema *schema,
                                 struct buf *out);

/* ---- svc.c --------------------------------------------------------------------------------- */

struct conf_schema svc_schema(const struct svc_program *p);
/* Reads the file and judges all of it. f_r may be NULL; else the file, the caller's.
 * NULL: *code_r is the exit code that fits. */
struct conf *svc_load(const struct svc_program *p, const struct svc_args *args,
                      struct conf_file **f_r, int *code_r, struct err *err) MUST_CHECK;

/* ---- trial.c ------------------------------------------------------------------------------- */

/* auth_pipe_check() in a process that ends with it. */
int svc_check_auth(const struct conf *c, struct err *err) MUST_CHECK;

/* ---- fds.c --------------------------------------------------------------------------------- */

/* Descriptors of the supervisor: a child closes all but those it is given. */
int svc_fds_track(int fd);
void svc_fds_close(int *fd); /* -1 is fine; leaves -1 */
void svc_fds_keep_only(const int *keep, size_t count);

/* ---- sockets.c ------------------------------------------------------------------------------- */

#define SVC_EVERY_WORKER UINT32_MAX

struct svc_pool_socket; /* a listening socket, counted by the sets that use it */

struct svc_socket {
	const char *service;
	uint32_t worker; /* or SVC_EVERY_WORKER: a Unix path, shared by all */
	int fd;
	struct svc_pool_socket *pooled;
};

/* The sockets of one purpose in one generation. Zeroed: none. */
struct svc_sockets {
	struct svc_socket *items;
	size_t count;
};

struct svc_owner { /* whom Unix sockets and folders belong to */
	uid_t uid;
	gid_t gid;
	bool change; /* false: leave them as they are */
};

/* Adds the addresses of a setting for each worker (or, workers == 0, once, for whoever
 * has them all). A socket that is open already for the same address and worker is used
 * again. -1: what was added before stays in the set. */
int svc_sockets_add(struct svc_sockets *set, const struct conf *c, const char *setting,
                    const char *service, unsigned workers, const struct svc_owner *owner,
                    struct err *err) MUST_CHECK;
/* <run_dir>/<program>[-instance].limits */
bool svc_limits_path(const struct conf *c, const char *program, const char *instance,
                     char path_r[SVC_PATH_LEN]) MUST_CHECK;
int svc_sockets_add_ctl(struct svc_sockets *set, const char *path, unsigned worker,
                        const struct svc_owner *owner, struct err *err) MUST_CHECK;
/* Those that no other set has take no connections any more, whoever has them open. */
void svc_sockets_shut(const struct svc_sockets *set);
/* The last set that lets go of a socket closes it. */
void svc_sockets_release(struct svc_sockets *set);
bool svc_socket_is_for(const struct svc_socket *s, unsigned worker);

/* ---- privileges.c ------------------------------------------------------------------------------ */

struct svc_privileges {
	bool drop; /* we are root and shall not stay it */
	char *user;
	uid_t uid;
	gid_t gid;
};

/* -1 with the operator's sentence: there is no such user. */
int svc_privileges_find(const struct conf *c, struct svc_privileges *p_r,
                        struct err *err) MUST_CHECK;
void svc_privileges_fini(struct svc_privileges *p);
/* Says in the log what is unwise. */
void svc_privileges_log(const struct conf *c, const struct svc_privileges *p);
/* For good, or the process ends. */
void svc_privileges_drop(const struct svc_privileges *p);
struct svc_owner svc_privileges_owner(const struct svc_privileges *p);

/* ---- notify.c ------------------------------------------------------------------------------------ */

void svc_notify_open(void);
/* "READY=1", or several lines. Without systemd nothing happens. */
void svc_notify(const char *state);
/* "RELOADING=1" with the time it wants. */
void svc_notify_reloading(void);
/* 0: no watchdog. Else say "WATCHDOG=1" so often. */
uint64_t svc_notify_watchdog_ms(void);

/* ---- channel.c ------------------------------------------------------------------------------------- */
/*
 * A frame on the socket pair between supervisor and worker:
 *
 *	u32 length of the payload, little-endian
 *	u8  type (enum svc_msg)
 *	    payload
 */
enum svc_msg {
	/* to the worker */
	SVC_MSG_DRAIN = 1, /* u8: 1 = a successor has the sockets */
	SVC_MSG_STOP,      /* end now */
	SVC_MSG_RELOAD,    /* conf_file_pack() */
	SVC_MSG_PING,
	/* from the worker */
	SVC_MSG_READY,
	SVC_MSG_FAILED,   /* the operator's sentence */
	SVC_MSG_RELOADED, /* empty: done; else why not */
	SVC_MSG_PONG,
};
#define SVC_FRAME_MAX ((size_t)4 << 20)

void svc_frame_add(struct buf *out, enum svc_msg type, struct slice payload);
/* The first whole frame of in: 1, *used_r bytes; 0: more is needed; -1: no frame. payload
 * borrows from in. */
int svc_frame_next(struct slice in, enum svc_msg *type_r, struct slice *payload_r,
                   size_t *used_r) MUST_CHECK;
/* Blocking; for small frames of a process that is about to end or has no loop yet. */
void svc_frame_send(int fd, enum svc_msg type, struct slice payload);

/* ---- child.c ----------------------------------------------------------------------------------------- */

enum svc_kind { SVC_KIND_WORKER, SVC_KIND_AUTH, SVC_KIND_METRICS, SVC_KIND_LIMITS };
const char *svc_kind_name(enum svc_kind kind);

struct svc_generation;
struct svc_supervisor;

struct svc_child {
	struct svc_generation *gen;
	enum svc_kind kind;
	unsigned index; /* among its kind */
	unsigned slot;  /* of the metrics */
	pid_t pid;      /* 0: not running */
	int channel;    /* worker: our end; -1: none */
	struct buf in, out;
	bool ready;
	bool ordered;       /* told to end: its end is no failure */
	struct err failure; /* SVC_MSG_FAILED's sentence; empty: none */
	unsigned failures;  /* ends in a row, none of them asked for */
	unsigned silent;    /* pings in a row without an answer */
	uint64_t started_ms;
	uint64_t start_at_ms; /* 0: no start is planned */
	uint64_t kill_at_ms;  /* 0: none */
};

void svc_child_init(struct svc_child *c, struct svc_generation *gen, enum svc_kind kind,
                    unsigned index);
void svc_child_fini(struct svc_child *c);
/* Forks. The child never comes back from it. */
void svc_child_start(struct svc_child *c, struct svc_supervisor *s);
bool svc_child_is_running(const struct svc_child *c);
/* Queues a frame. */
void svc_child_tell(struct svc_child *c, enum svc_msg type, struct slice payload);
/* Reads what is there, without waiting. */
void svc_child_read(struct svc_child *c, struct svc_supervisor *s);
void svc_child_write(struct svc_child *c);
/* It is gone: closes, logs, plans the next start if want_next. */
void svc_child_ended(struct svc_child *c, int status, bool want_next);
/* SIGTERM (auth, metrics) or SVC_MSG_STOP; SIGKILL when that does not help. */
void svc_child_stop(struct svc_child *c);
/* The time of kill_at_ms and start_at_ms. */
void svc_child_on_time(struct svc_child *c, struct svc_supervisor *s, uint64_t now_ms);

/* ---- generation.c -------------------------------------------------------------------------------------- */

enum svc_gen_state { SVC_GEN_STARTING, SVC_GEN_RUNNING, SVC_GEN_DRAINING };

struct svc_generation {
	struct list node; /* supervisor's generations */
	enum svc_gen_state state;
	struct conf *conf;
	uint64_t ready_by_ms; /* a reload; 0: it may take its time */
	unsigned workers, auths;
	struct svc_child *children; /* workers, auth workers, metrics, then limits */
	size_t count;
	int *worker_fds; /* [worker * auths + auth]: the worker's end; -1: none */
	int *auth_fds;   /* [auth * workers + worker]: the auth worker's end */
	struct svc_sockets listen, ctl, metrics, limits;
};

/* Takes *c when it succeeds. Opens everything, starts nothing. */
struct svc_generation *svc_generation_new(struct svc_supervisor *s, struct conf **c,
                                          struct err *err) MUST_CHECK;
/* All its children are gone. */
void svc_generation_free(struct svc_generation **g);
void svc_generation_start(struct svc_generation *g, struct svc_supervisor *s);
bool svc_generation_is_ready(const struct svc_generation *g);
unsigned svc_generation_running(const struct svc_generation *g, enum svc_kind kind);
bool svc_generation_is_empty(const struct svc_generation *g); /* no process at all */
/* replaced: another generation has the sockets. */
void svc_generation_drain(struct svc_generation *g, bool replaced);
void svc_generation_stop_workers(struct svc_generation *g);
/* Once its workers are gone; again and again is fine. */
void svc_generation_stop_helpers(struct svc_generation *g);
/* Auth workers and metrics start anew with new settings. Takes *c. */
void svc_generation_replace_conf(struct svc_generation *g, struct svc_supervisor *s,
                                 struct conf **c);
/* What is left in the pairs of a worker that is gone goes nowhere. */
void svc_generation_forget(struct svc_generation *g, unsigned worker);

/* ---- supervisor.c ------------------------------------------------------------------------------------------ */

struct svc_supervisor {
	const struct svc_program *program;
	const struct svc_args *args;
	struct conf_schema schema;
	struct svc_privileges privileges;
	struct list generations; /* all: starting, running, draining */
	struct svc_generation *current, *next;
	int signal_fd;
	sigset_t old_mask;
	bool *slots; /* of the metrics: taken? */
	unsigned slot_count;
	struct conf *reload; /* told to the worker, not confirmed; NULL: none */
	bool reload_wanted;
	bool stopping;
	int exit_code;
	char *pid_file;
	bool pid_file_is_ours;
	uint64_t ping_at_ms, watchdog_at_ms;
};

/* Takes *c. The exit code. */
int svc_supervise(const struct svc_program *p, const struct svc_args *args, struct conf **c);
/* False: none is free. */
bool svc_slot_take(struct svc_supervisor *s, unsigned *slot_r) MUST_CHECK;
void svc_slot_give(struct svc_supervisor *s, unsigned slot);
/* A frame of a worker. */
void svc_on_message(struct svc_supervisor *s, struct svc_child *c, enum svc_msg type,
                    struct slice payload);
/* One sentence on standard error, and in the log if that is another place. */
void svc_say_failure(const struct svc_program *p, const char *text);

/* ---- reload.c -------------------------------------------------------------------------- */

/* Later, when one is under way. */
void svc_reload_begin(struct svc_supervisor *s);
/* The only worker's answer; failure NULL: it has them. */
void svc_reload_answered(struct svc_supervisor *s, const char *failure);
/* Says how it went. */
void svc_reload_end(struct svc_supervisor *s, const char *failure);

/* ---- place.c --------------------------------------------------------------------------- */

/* log and log_level of c, from now on. */
int svc_log_use(const struct svc_program *p, const struct conf *c, const struct svc_owner *owner,
                struct err *err) MUST_CHECK;
int svc_log_apply(struct svc_supervisor *s, const struct conf *c, struct err *err) MUST_CHECK;
/* New settings came to nothing. */
void svc_log_restore(struct svc_supervisor *s);
int svc_make_run_dir(struct svc_supervisor *s, const struct conf *c, struct err *err) MUST_CHECK;
void svc_raise_limits(void);
void svc_name_pid_file(struct svc_supervisor *s, const struct conf *c);
void svc_write_pid_file(struct svc_supervisor *s);
/* Was our predecessor killed? Then its workers die just now, and let go of ports and
 * files in a moment. */
bool svc_predecessor_was_killed(const struct svc_supervisor *s);

/* ---- bodies of children: the exit code ------------------------------------------------------------------------ */

struct svc_worker_config {
	const struct svc_program *program;
	const struct conf_schema *schema;
	struct conf *conf; /* without secrets of auth workers */
	unsigned index, workers;
	int channel;
	const int *auth_fds;
	unsigned auths;
	const struct svc_sockets *listen;
	int ctl_fd;
	const char *limits_path; /* NULL: no limits process */
	const sigset_t *mask;    /* to be in force from now on */
};
int svc_worker_run(const struct svc_worker_config *wc);
int svc_metrics_serve(const struct svc_sockets *sockets, const sigset_t *mask);
/* The answer to one request head (up to and with the empty line). */
void svc_metrics_answer(struct slice head, struct buf *out);

/* ---- limits_ctl.c ---- */

/* The commands `limits` and `limits.clear`. */
void svc_limits_register(struct ctl_server *s, struct guard *g);

/* ---- stats.c ---------------------------------------------------------------------------------------------------- */

enum {
	SVC_M_BUILD,
	SVC_M_START_TIME,
	SVC_M_READY,
	SVC_M_WORKER_STARTS,
	SVC_M_AUTH_STARTS,
	SVC_M_RELOADS_OK,
	SVC_M_RELOADS_FAILED,
	SVC_M_COUNT
};
extern struct metric svc_metrics[SVC_M_COUNT];

#endif
