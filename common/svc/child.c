/*
 * child - one process of ours: a worker, an auth worker, or the one for metrics.
 *
 * Workers face the Internet: what comes from them is checked and bounded as if it came
 * from there.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "directory/auth_pipe.h"
#include "guard/guard_serve.h"
#include "log/log.h"
#include "svc/svc_impl.h"

#define IN_MAX ((size_t)64 << 10)
#define OUT_MAX (2 * SVC_FRAME_MAX)
#define PAUSE_FIRST_MS 100
#define PAUSE_MOST_MS 5000
#define STABLE_MS 5000    /* lived so long: the next end is a first one again */
#define READS_PER_TURN 16 /* a worker that talks without end must not stop the rest */
#define STOP_MS 10000     /* from the order to end to SIGKILL */

const char *
svc_kind_name(enum svc_kind kind)
{
	static const char *const names[] = {
		[SVC_KIND_WORKER] = "worker",
		[SVC_KIND_AUTH] = "auth",
		[SVC_KIND_METRICS] = "metrics",
		[SVC_KIND_LIMITS] = "limits",
	};

	return names[kind];
}

void
svc_child_init(struct svc_child *c, struct svc_generation *gen, enum svc_kind kind, unsigned index)
{
	*c = (struct svc_child){ .gen = gen, .kind = kind, .index = index, .channel = -1 };
	buf_init(&c->in, IN_MAX);
	buf_init(&c->out, OUT_MAX);
}

void
svc_child_fini(struct svc_child *c)
{
	must(c->pid == 0);
	svc_fds_close(&c->channel);
	buf_fini(&c->in);
	buf_wipe(&c->out);
}

bool
svc_child_is_running(const struct svc_child *c)
{
	return c->pid != 0;
}

/* ---- inside the child ----------------------------------------------------------------------- */

/* What it keeps of the supervisor's descriptors. */
static void
keep_own_fds(const struct svc_child *c, int channel)
{
	const struct svc_generation *g = c->gen;
	const struct svc_sockets *sets[] = { &g->listen, &g->ctl, &g->metrics, &g->limits };
	static const enum svc_kind owners[] = { SVC_KIND_WORKER, SVC_KIND_WORKER, SVC_KIND_METRICS,
		                                SVC_KIND_LIMITS };
	size_t pairs = (size_t)g->workers * g->auths, n = 0;
	int *keep = xcalloc(pairs + g->listen.count + g->ctl.count + g->metrics.count +
	                            g->limits.count + 1,
	                    sizeof(*keep));

	if (c->kind == SVC_KIND_WORKER)
		keep[n++] = channel;
	for (unsigned i = 0; c->kind == SVC_KIND_WORKER && i < g->auths; i++)
		keep[n++] = g->worker_fds[c->index * g->auths + i];
	for (unsigned i = 0; c->kind == SVC_KIND_AUTH && i < g->workers; i++)
		keep[n++] = g->auth_fds[c->index * g->workers + i];
	for (size_t k = 0; k < ARRAY_LEN(sets); k++)
		for (size_t i = 0; i < sets[k]->count; i++)
			if (c->kind == owners[k] && svc_socket_is_for(&sets[k]->items[i], c->index))
				keep[n++] = sets[k]->items[i].fd;
	svc_fds_keep_only(keep, n);
	free(keep);
}

static void
wipe_secrets(struct svc_supervisor *s)
{
	struct svc_generation *g;

	LIST_EACH (g, &s->generations, struct svc_generation, node)
		conf_wipe_auth_only(g->conf);
	if (s->reload != NULL)
		conf_wipe_auth_only(s->reload);
}

static void
set_signals(void)
{
	/* Orders come from the supervisor: a terminal's ^C reaches all of its group. */
	static const int ignored[] = { SIGINT, SIGHUP, SIGPIPE };

	for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
		(void)signal(ignored[i], SIG_IGN);
	(void)signal(SIGCHLD, SIG_DFL);
}

/* The supervisor's end is ours: the change of the user forgets PR_SET_PDEATHSIG, so it
 * comes after; and a supervisor that died before it sends no signal any more. */
static void
become_child(struct svc_supervisor *s, pid_t parent)
{
	svc_privileges_drop(&s->privileges);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		log_warning(NULL, "svc.prctl reason=%s", log_esc(strerror(errno)));
	if (getppid() != parent)
		_exit(SVC_EXIT_START);
}

static int
run_worker(const struct svc_child *c, struct svc_supervisor *s, int channel)
{
	const struct svc_generation *g = c->gen;
	char limits[SVC_PATH_LEN];
	bool limited = (s->program->flags & SVC_LIMITS) != 0 &&
	               svc_limits_path(g->conf, s->program->name, s->args->instance, limits);
	struct svc_worker_config wc = {
		.program = s->program,
		.schema = &s->schema,
		.conf = g->conf,
		.index = c->index,
		.workers = g->workers,
		.channel = channel,
		.auth_fds = g->auths > 0 ? &g->worker_fds[c->index * g->auths] : NULL,
		.auths = g->auths,
		.listen = &g->listen,
		.ctl_fd = g->ctl.items[c->index].fd,
		.limits_path = limited ? limits : NULL,
		.mask = &s->old_mask,
	};

	return svc_worker_run(&wc);
}

static void *
reopen_logs(void *ctx)
{
	int signo;

	while (sigwait(ctx, &signo) == 0)
		log_reopen();
	return NULL;
}

/* An auth worker may be busy in a library when SIGUSR1 comes: a thread waits for it. */
static int
run_auth(const struct svc_child *c, struct svc_supervisor *s)
{
	static sigset_t usr1;
	const struct svc_generation *g = c->gen;
	pthread_t thread;

	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	if (pthread_create(&thread, NULL, reopen_logs, &usr1) != 0)
		log_warning(NULL, "svc.no_thread kind=auth");
	sigaddset(&s->old_mask, SIGUSR1);
	(void)pthread_sigmask(SIG_SETMASK, &s->old_mask, NULL);
	return auth_pipe_serve(&g->auth_fds[c->index * g->workers], g->workers, g->conf);
}

static _Noreturn void
run(struct svc_child *c, struct svc_supervisor *s, int channel, pid_t parent)
{
	keep_own_fds(c, channel);
	set_signals();
	become_child(s, parent);
	metrics_use_slot(c->slot);
	/* The limits process hears from our workers only, and knows the password of Redis. */
	if (c->kind != SVC_KIND_AUTH && c->kind != SVC_KIND_LIMITS)
		wipe_secrets(s);
	if (c->kind == SVC_KIND_WORKER)
		exit(run_worker(c, s, channel));
	else if (c->kind == SVC_KIND_AUTH)
		exit(run_auth(c, s));
	else if (c->kind == SVC_KIND_LIMITS)
		exit(guard_serve(c->gen->limits.items[0].fd, c->gen->conf, &s->old_mask));
	exit(svc_metrics_serve(&c->gen->metrics, &s->old_mask));
}

/* ---- start ------------------------------------------------------------------------------------ */

static void
plan_start(struct svc_child *c)
{
	uint64_t pause = c->failures == 0 ? 0 : (uint64_t)PAUSE_FIRST_MS << MIN(c->failures - 1, 8);

	/* 0 means "none is planned", so at once is 1 ms from now at the earliest. */
	c->start_at_ms = clock_mono_ms() + MAX(MIN(pause, PAUSE_MOST_MS), 1);
}

static void
start_failed(struct svc_child *c, const char *what)
{
	log_error(NULL, "svc.start_failed kind=%s index=%u what=%s reason=%s",
	          svc_kind_name(c->kind), c->index, what, log_esc(strerror(errno)));
	c->failures++;
	plan_start(c);
}

static int
make_channel(struct svc_child *c, int ends[2])
{
	ends[0] = ends[1] = -1;
	if (c->kind != SVC_KIND_WORKER)
		return 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == -1)
		return -1;
	(void)svc_fds_track(ends[0]);
	(void)svc_fds_track(ends[1]);
	return 0;
}

void
svc_child_start(struct svc_child *c, struct svc_supervisor *s)
{
	pid_t parent = getpid(), pid;
	int ends[2];

	must(c->pid == 0);
	c->start_at_ms = c->kill_at_ms = 0;
	c->ready = c->ordered = false;
	c->silent = 0;
	c->failure.text[0] = '\0';
	if (make_channel(c, ends) == -1) {
		start_failed(c, "socketpair");
		return;
	}
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		run(c, s, ends[1], parent);
	svc_fds_close(&ends[1]);
	if (pid == -1) {
		svc_fds_close(&ends[0]);
		start_failed(c, "fork");
		return;
	}
	c->pid = pid;
	c->channel = ends[0];
	c->started_ms = clock_mono_ms();
	if (c->kind == SVC_KIND_WORKER || c->kind == SVC_KIND_AUTH)
		metrics_add(&svc_metrics[c->kind == SVC_KIND_WORKER ? SVC_M_WORKER_STARTS
		                                                    : SVC_M_AUTH_STARTS],
		            1);
	log_debug(NULL, "svc.child_started kind=%s index=%u pid=%d", svc_kind_name(c->kind),
	          c->index, (int)pid);
}

/* ---- the channel --------------------------------------------------------------------------------- */

void
svc_child_tell(struct svc_child *c, enum svc_msg type, struct slice payload)
{
	if (c->channel == -1)
		return;
	svc_frame_add(&c->out, type, payload);
	svc_child_write(c);
}

void
svc_child_write(struct svc_child *c)
{
	while (c->channel != -1 && c->out.len > 0) {
		struct slice s = buf_slice(&c->out);
		ssize_t n = send(c->channel, s.p, s.n, MSG_NOSIGNAL);

		if (n > 0)
			buf_consume(&c->out, (size_t)n);
		else if (n == -1 && errno != EINTR)
			break; /* full, or it is gone, which SIGCHLD tells */
	}
}

static void
read_frames(struct svc_child *c, struct svc_supervisor *s)
{
	enum svc_msg type;
	struct slice payload;
	size_t used;
	int got;

	while ((got = svc_frame_next(buf_slice(&c->in), &type, &payload, &used)) == 1) {
		svc_on_message(s, c, type, payload);
		buf_consume(&c->in, used);
	}
	if (got == 0 && !c->in.overflow)
		return;
	log_error(NULL, "svc.channel_broken index=%u pid=%d", c->index, (int)c->pid);
	svc_fds_close(&c->channel);
	if (c->pid != 0)
		(void)kill(c->pid, SIGKILL);
}

void
svc_child_read(struct svc_child *c, struct svc_supervisor *s)
{
	char chunk[4096];

	for (int i = 0; i < READS_PER_TURN && c->channel != -1; i++) {
		ssize_t n = recv(c->channel, chunk, sizeof(chunk), MSG_DONTWAIT);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == 0 || (n == -1 && errno != EAGAIN))
			svc_fds_close(&c->channel);
		if (n <= 0)
			return;
		buf_add(&c->in, chunk, (size_t)n);
		read_frames(c, s);
	}
}

/* ---- the end --------------------------------------------------------------------------------------- */

/* told: somebody else says why it could not start. */
static void
log_end(const struct svc_child *c, int status, bool told)
{
	uint64_t lived = clock_mono_ms() - c->started_ms;

	if (WIFSIGNALED(status) && !c->ordered)
		log_error(NULL, "svc.child_died kind=%s index=%u pid=%d signal=%d text=%s ms=%llu",
		          svc_kind_name(c->kind), c->index, (int)c->pid, WTERMSIG(status),
		          log_esc(strsignal(WTERMSIG(status))), (unsigned long long)lived);
	else if (!c->ordered && c->failure.text[0] != '\0' && told)
		return;
	else if (!c->ordered && c->failure.text[0] != '\0')
		log_error(NULL, "svc.child_failed kind=%s index=%u pid=%d reason=%s",
		          svc_kind_name(c->kind), c->index, (int)c->pid, log_esc(c->failure.text));
	else if (!c->ordered)
		log_warning(NULL, "svc.child_left kind=%s index=%u pid=%d status=%d ms=%llu",
		            svc_kind_name(c->kind), c->index, (int)c->pid, WEXITSTATUS(status),
		            (unsigned long long)lived);
	else if (c->kind == SVC_KIND_WORKER && status != 0)
		log_warning(NULL, "svc.child_ended kind=%s index=%u pid=%d signal=%d status=%d",
		            svc_kind_name(c->kind), c->index, (int)c->pid,
		            WIFSIGNALED(status) ? WTERMSIG(status) : 0,
		            WIFEXITED(status) ? WEXITSTATUS(status) : 0);
	else
		log_debug(NULL, "svc.child_ended kind=%s index=%u pid=%d", svc_kind_name(c->kind),
		          c->index, (int)c->pid);
}

void
svc_child_ended(struct svc_child *c, int status, bool want_next)
{
	log_end(c, status, !want_next);
	if (!c->ordered && c->failure.text[0] == '\0' && WIFSIGNALED(status))
		err_set(&c->failure, "%s %u was ended by signal %d (%s)", svc_kind_name(c->kind),
		        c->index, WTERMSIG(status), strsignal(WTERMSIG(status)));
	else if (!c->ordered && c->failure.text[0] == '\0')
		err_set(&c->failure, "%s %u ended with status %d", svc_kind_name(c->kind), c->index,
		        WEXITSTATUS(status));
	svc_fds_close(&c->channel);
	buf_clear(&c->in);
	buf_clear(&c->out);
	metrics_clear_gauges(c->slot);
	if (c->ordered || clock_mono_ms() - c->started_ms >= STABLE_MS)
		c->failures = 0;
	c->pid = 0;
	c->ready = false;
	c->kill_at_ms = 0;
	if (!want_next)
		return;
	plan_start(c);
	if (!c->ordered)
		c->failures++;
}

void
svc_child_stop(struct svc_child *c)
{
	c->start_at_ms = 0;
	if (c->pid == 0)
		return;
	if (c->kind == SVC_KIND_WORKER)
		svc_child_tell(c, SVC_MSG_STOP, SLICE(""));
	else if (!c->ordered)
		(void)kill(c->pid, SIGTERM);
	c->ordered = true;
	if (c->kill_at_ms == 0 || c->kill_at_ms > clock_mono_ms() + STOP_MS)
		c->kill_at_ms = clock_mono_ms() + STOP_MS;
}

void
svc_child_on_time(struct svc_child *c, struct svc_supervisor *s, uint64_t now_ms)
{
	if (c->kill_at_ms != 0 && now_ms >= c->kill_at_ms && c->pid != 0) {
		log_warning(NULL,
		            "svc.child_killed kind=%s index=%u pid=%d reason=\"it did not "
		            "end in time\"",
		            svc_kind_name(c->kind), c->index, (int)c->pid);
		(void)kill(c->pid, SIGKILL);
		c->kill_at_ms = 0;
	}
	if (c->start_at_ms != 0 && now_ms >= c->start_at_ms)
		svc_child_start(c, s);
}
