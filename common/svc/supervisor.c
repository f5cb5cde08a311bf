/*
 * supervisor - the first process: starts the others, keeps the listening sockets, and
 * never reads a byte of a peer.
 *
 * It uses no event library, so that a child inherits nothing of one: poll(2), a
 * signalfd, and the channels of its workers. Signals are blocked from the beginning on;
 * none is lost between fork and the child's own handlers.
 *
 *	generations:   [draining]...  current  [next]
 *
 * A reload of a front end makes `next` (reload.c); when all its workers serve it becomes
 * `current`, and the old one drains. A next one that fails is stopped, and nothing has
 * changed.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "log/log.h"
#include "svc/svc_impl.h"

#define PING_MS 10000
#define SILENT_MOST 6 /* pings: so long a loop may be busy with one thing */
#define POLL_MOST_MS 60000
#define PREDECESSOR_MS 5000 /* for its workers to be gone */
#define SPARE_SLOTS 64      /* for generations that drain, beyond three of the first size */

/* ---- metrics' slots -------------------------------------------------------------------------- */

static void
open_slots(struct svc_supervisor *s, const struct conf *c)
{
	uint64_t children = conf_int(c, "workers") + conf_int(c, "auth_workers") + 2;

	s->slot_count = (unsigned)(1 + 3 * children + SPARE_SLOTS);
	s->slots = xcalloc(s->slot_count, sizeof(*s->slots));
	s->slots[0] = true; /* ours */
	metrics_open(s->slot_count);
	metrics_use_slot(0);
	metrics_set(&svc_metrics[SVC_M_BUILD], 1);
	metrics_set(&svc_metrics[SVC_M_START_TIME], clock_wall_s());
}

bool
svc_slot_take(struct svc_supervisor *s, unsigned *slot_r)
{
	for (unsigned i = 0; i < s->slot_count; i++) {
		if (s->slots[i])
			continue;
		s->slots[i] = true;
		*slot_r = i;
		return true;
	}
	return false;
}

void
svc_slot_give(struct svc_supervisor *s, unsigned slot)
{
	s->slots[slot] = false;
}

static void
free_generation(struct svc_supervisor *s, struct svc_generation *g)
{
	for (size_t i = 0; i < g->count; i++)
		svc_slot_give(s, g->children[i].slot);
	if (s->current == g)
		s->current = NULL;
	if (s->next == g)
		s->next = NULL;
	svc_generation_free(&g);
}

/* ---- signals are read, not caught ---- */

static void
block_signals(struct svc_supervisor *s)
{
	static const int ours[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGCHLD };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		sigaddset(&set, ours[i]);
	must(sigprocmask(SIG_BLOCK, &set, &s->old_mask) == 0);
	/* Whoever started us may have blocked them; children shall hear them. */
	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		sigdelset(&s->old_mask, ours[i]);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGCHLD, SIG_DFL);
	s->signal_fd = svc_fds_track(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
	must(s->signal_fd != -1);
}

/* ---- states ----------------------------------------------------------------------------------------- */

static void
count_ready(struct svc_supervisor *s)
{
	uint64_t n = 0;

	for (size_t i = 0; s->current != NULL && i < s->current->workers; i++)
		n += s->current->children[i].ready;
	metrics_set(&svc_metrics[SVC_M_READY], n);
}

/* All workers of `next` serve. */
static void
promote(struct svc_supervisor *s)
{
	struct svc_generation *old = s->current;

	s->current = s->next;
	s->next = NULL;
	s->current->state = SVC_GEN_RUNNING;
	count_ready(s);
	if (old == NULL) {
		log_info(NULL, "svc.ready workers=%u auth_workers=%u", s->current->workers,
		         s->current->auths);
		svc_notify("READY=1\nSTATUS=serving");
		return;
	}
	svc_generation_drain(old, true);
	svc_reload_end(s, NULL);
}

static void
stop_all(struct svc_supervisor *s)
{
	struct svc_generation *g;

	LIST_EACH (g, &s->generations, struct svc_generation, node)
		svc_generation_stop_workers(g);
}

/* A worker of `next` did not come up: what runs, runs on; the first start is over. */
static void
fail_next(struct svc_supervisor *s, const char *why)
{
	struct svc_generation *g = s->next;

	s->next = NULL;
	g->state = SVC_GEN_DRAINING;
	/* Its workers have them for a moment more, and would let connections wait for nobody. */
	svc_sockets_shut(&g->listen);
	svc_sockets_release(&g->listen);
	svc_generation_stop_workers(g);
	if (s->current != NULL) {
		svc_log_restore(s);
		svc_reload_end(s, why);
		return;
	}
	svc_say_failure(s->program, why);
	s->exit_code = SVC_EXIT_START;
	s->stopping = true;
}

static void
begin_stop(struct svc_supervisor *s)
{
	struct svc_generation *g;

	if (s->stopping) {
		log_warning(NULL, "svc.stop_now");
		stop_all(s);
		return;
	}
	s->stopping = true;
	s->next = NULL;
	log_info(NULL, "svc.stopping");
	svc_notify("STOPPING=1");
	LIST_EACH (g, &s->generations, struct svc_generation, node)
		if (g->state != SVC_GEN_DRAINING)
			svc_generation_drain(g, false);
}

/* What follows from what has happened; looked at after each turn of the loop. */
static void
settle(struct svc_supervisor *s)
{
	struct svc_generation *g;

	if (s->next != NULL && svc_generation_is_ready(s->next))
		promote(s);
	else if (s->next != NULL && s->next->ready_by_ms != 0 &&
	         clock_mono_ms() >= s->next->ready_by_ms)
		fail_next(s, "the new workers were not ready in time");
	LIST_EACH (g, &s->generations, struct svc_generation, node) {
		if (g->state != SVC_GEN_DRAINING)
			continue;
		if (svc_generation_running(g, SVC_KIND_WORKER) == 0)
			svc_generation_stop_helpers(g);
		if (svc_generation_is_empty(g))
			free_generation(s, g);
	}
}

/* ---- what children say and how they end -------------------------------------------------------------------- */

static void
text_of(struct slice payload, struct err *text)
{
	err_set(text, "%.*s", (int)MIN(payload.n, sizeof(text->text) - 1), payload.p);
}

void
svc_on_message(struct svc_supervisor *s, struct svc_child *c, enum svc_msg type,
               struct slice payload)
{
	struct err text;

	text_of(payload, &text);
	switch (type) {
	case SVC_MSG_READY:
		c->ready = true;
		count_ready(s);
		break;
	case SVC_MSG_FAILED:
		c->failure = text;
		break;
	case SVC_MSG_RELOADED:
		if (s->current == c->gen)
			svc_reload_answered(s, payload.n > 0 ? text.text : NULL);
		break;
	case SVC_MSG_PONG:
		c->silent = 0;
		break;
	case SVC_MSG_DRAIN:
	case SVC_MSG_STOP:
	case SVC_MSG_RELOAD:
	case SVC_MSG_PING:
		break; /* ours to say */
	}
}

/* Shall it be started again? Helpers live as long as a worker of theirs does. */
static bool
wants_next(const struct svc_child *c)
{
	if (c->kind == SVC_KIND_METRICS && c->gen->metrics.count == 0)
		return false;
	if (c->gen->state != SVC_GEN_DRAINING)
		return true;
	if (c->kind == SVC_KIND_LIMITS && c->ordered) /* another generation's has taken over */
		return false;
	return (c->kind == SVC_KIND_AUTH || c->kind == SVC_KIND_LIMITS) &&
	       svc_generation_running(c->gen, SVC_KIND_WORKER) > 0;
}

static void
on_child_end(struct svc_supervisor *s, struct svc_child *c, int status)
{
	bool is_worker = c->kind == SVC_KIND_WORKER;
	bool failed_start = is_worker && !c->ordered && s->next == c->gen;

	svc_child_read(c, s); /* its last words */
	svc_child_ended(c, status, !failed_start && wants_next(c));
	if (is_worker)
		svc_generation_forget(c->gen, c->index);
	if (is_worker && s->current == c->gen && s->reload != NULL)
		svc_reload_answered(s, "the worker ended while it read the settings");
	if (failed_start)
		fail_next(s, c->failure.text);
	count_ready(s);
}

static struct svc_child *
find_child(struct svc_supervisor *s, pid_t pid)
{
	struct svc_generation *g;

	LIST_EACH (g, &s->generations, struct svc_generation, node)
		for (size_t i = 0; i < g->count; i++)
			if (g->children[i].pid == pid)
				return &g->children[i];
	return NULL;
}

static void
reap(struct svc_supervisor *s)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct svc_child *c = find_child(s, pid);

		if (c != NULL)
			on_child_end(s, c, status);
	}
}

/* ---- signals ---------------------------------------------------------------------------------------------------- */

static void
reopen_logs(struct svc_supervisor *s)
{
	struct svc_owner owner = svc_privileges_owner(&s->privileges);
	struct svc_generation *g;
	const char *path;

	log_reopen();
	path = s->current != NULL ? conf_str(s->current->conf, "log") : "";
	if (owner.change && path[0] == '/' && chown(path, owner.uid, owner.gid) == -1)
		log_warning(NULL, "svc.log_owner path=%s", log_esc(path));
	LIST_EACH (g, &s->generations, struct svc_generation, node)
		for (size_t i = 0; i < g->count; i++)
			if (svc_child_is_running(&g->children[i]))
				(void)kill(g->children[i].pid, SIGUSR1);
}

static void
on_signals(struct svc_supervisor *s)
{
	struct signalfd_siginfo si;

	while (read(s->signal_fd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		switch (si.ssi_signo) {
		case SIGTERM:
		case SIGINT:
			begin_stop(s);
			break;
		case SIGHUP:
			svc_reload_begin(s);
			break;
		case SIGUSR1:
			reopen_logs(s);
			break;
		default: /* SIGCHLD: reap() looks at each turn */
			break;
		}
	}
}

/* ---- time -------------------------------------------------------------------------------------------------------- */

/* A worker whose loop hangs serves nobody; its successor does. Counted in pings that we
 * sent, so that a stopped or sleeping host blames no worker. */
static void
ping_workers(struct svc_generation *g)
{
	for (size_t i = 0; i < g->workers; i++) {
		struct svc_child *c = &g->children[i];

		if (!c->ready || g->state != SVC_GEN_RUNNING)
			continue;
		if (c->silent++ < SILENT_MOST) {
			svc_child_tell(c, SVC_MSG_PING, SLICE(""));
			continue;
		}
		log_error(NULL, "svc.worker_hangs index=%u pid=%d", c->index, (int)c->pid);
		(void)kill(c->pid, SIGABRT);
		c->kill_at_ms = clock_mono_ms() + 1000;
		c->silent = 0;
	}
}

static void
on_time(struct svc_supervisor *s, uint64_t now)
{
	struct svc_generation *g;

	LIST_EACH (g, &s->generations, struct svc_generation, node) {
		for (size_t i = 0; i < g->count; i++)
			svc_child_on_time(&g->children[i], s, now);
		if (now >= s->ping_at_ms)
			ping_workers(g);
	}
	if (now >= s->ping_at_ms) {
		s->ping_at_ms = now + PING_MS;
		/* A store may have a long log to read. */
		if (s->current == NULL && !s->stopping)
			svc_notify("STATUS=starting\nEXTEND_TIMEOUT_USEC=60000000");
	}
	if (s->watchdog_at_ms != 0 && now >= s->watchdog_at_ms) {
		svc_notify("WATCHDOG=1");
		s->watchdog_at_ms = now + svc_notify_watchdog_ms();
	}
}

static void
sooner(uint64_t *at, uint64_t other)
{
	if (other != 0 && other < *at)
		*at = other;
}

static int
wait_ms(struct svc_supervisor *s)
{
	uint64_t now = clock_mono_ms(), at = now + POLL_MOST_MS;
	struct svc_generation *g;

	sooner(&at, s->ping_at_ms);
	sooner(&at, s->watchdog_at_ms);
	LIST_EACH (g, &s->generations, struct svc_generation, node) {
		for (size_t i = 0; i < g->count; i++) {
			sooner(&at, g->children[i].start_at_ms);
			sooner(&at, g->children[i].kill_at_ms);
		}
	}
	return (int)(at > now ? at - now : 0);
}

/* ---- the loop ------------------------------------------------------------------------------------------------------ */

static void
add_poll(struct pollfd **fds, size_t *n, int fd, short events)
{
	*fds = xreallocarray(*fds, *n + 1, sizeof(**fds));
	(*fds)[(*n)++] = (struct pollfd){ .fd = fd, .events = events };
}

static void
wait_for_something(struct svc_supervisor *s)
{
	struct svc_generation *g;
	struct pollfd *fds = NULL;
	size_t n = 0;

	add_poll(&fds, &n, s->signal_fd, POLLIN);
	LIST_EACH (g, &s->generations, struct svc_generation, node) {
		for (size_t i = 0; i < g->workers; i++) {
			const struct svc_child *c = &g->children[i];

			if (c->channel != -1)
				add_poll(&fds, &n, c->channel,
				         (short)(POLLIN | (c->out.len > 0 ? POLLOUT : 0)));
		}
	}
	(void)poll(fds, n, wait_ms(s));
	free(fds);
}

static void
serve_channels(struct svc_supervisor *s)
{
	struct svc_generation *g;

	LIST_EACH (g, &s->generations, struct svc_generation, node) {
		for (size_t i = 0; i < g->workers; i++) {
			svc_child_read(&g->children[i], s);
			svc_child_write(&g->children[i]);
		}
	}
}

static void
run(struct svc_supervisor *s)
{
	while (!list_is_empty(&s->generations)) {
		wait_for_something(s);
		on_signals(s);
		serve_channels(s);
		reap(s);
		on_time(s, clock_mono_ms());
		settle(s);
		if (s->reload_wanted)
			svc_reload_begin(s);
	}
}

/* ---- start and end ---------------------------------------------------------------------------------------------------- */

static bool
open_first(struct svc_supervisor *s, struct conf **c, struct err *err)
{
	const struct timespec pause = { .tv_nsec = 20000000 };
	uint64_t end = clock_mono_ms() + (svc_predecessor_was_killed(s) ? PREDECESSOR_MS : 0);

	for (;;) {
		s->next = svc_generation_new(s, c, err);
		if (s->next != NULL || clock_mono_ms() >= end)
			return s->next != NULL;
		(void)nanosleep(&pause, NULL);
	}
}

/* Takes *c. 0, or the exit code. */
static int
start(struct svc_supervisor *s, struct conf **c, struct err *err)
{
	if (svc_privileges_find(*c, &s->privileges, err) == -1)
		return SVC_EXIT_CONFIG;
	if (svc_log_apply(s, *c, err) == -1)
		return SVC_EXIT_START;
	svc_privileges_log(*c, &s->privileges);
	svc_raise_limits();
	if (svc_make_run_dir(s, *c, err) == -1)
		return SVC_EXIT_START;
	open_slots(s, *c);
	svc_name_pid_file(s, *c);
	if (!open_first(s, c, err))
		return SVC_EXIT_START;
	svc_write_pid_file(s);
	svc_generation_start(s->next, s);
	s->ping_at_ms = clock_mono_ms() + PING_MS;
	if (svc_notify_watchdog_ms() != 0)
		s->watchdog_at_ms = clock_mono_ms();
	return 0;
}

static void
clean_up(struct svc_supervisor *s)
{
	svc_fds_close(&s->signal_fd);
	if (s->pid_file_is_ours)
		(void)unlink(s->pid_file);
	free(s->pid_file);
	free(s->slots);
	svc_privileges_fini(&s->privileges);
	conf_free(&s->reload);
}

int
svc_supervise(const struct svc_program *p, const struct svc_args *args, struct conf **c)
{
	struct svc_supervisor s = {
		.program = p,
		.args = args,
		.schema = svc_schema(p),
	};
	struct err err;

	list_init(&s.generations);
	block_signals(&s);
	svc_notify_open();
	s.exit_code = start(&s, c, &err);
	if (s.exit_code == 0) {
		run(&s);
		log_info(NULL, "svc.stopped");
	} else {
		svc_say_failure(p, err.text);
	}
	conf_free(c);
	clean_up(&s);
	return s.exit_code;
}
