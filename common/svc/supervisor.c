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
 * A reload of a front end makes `next`; when all its workers serve it becomes `current`,
 * and the old one drains. A next one that fails is stopped, and nothing has changed.
 * With SVC_ONE_WORKER the worker takes the settings itself; only when it says that it
 * did are they in force here.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "log/log.h"
#include "svc/svc_impl.h"

#define PING_MS 10000
#define SILENT_MOST 6 /* pings: so long a loop may be busy with one thing */
#define POLL_MOST_MS 60000
#define SPARE_SLOTS 64 /* for generations that drain, beyond three of the first size */

/* ---- metrics' slots -------------------------------------------------------------------------- */

static void
open_slots(struct svc_supervisor *s, const struct conf *c)
{
	uint64_t children = conf_int(c, "workers") + conf_int(c, "auth_workers") + 1;

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

/* ---- the place it runs in ---------------------------------------------------------------------- */

int
svc_apply_log(const struct svc_program *p, const struct conf *c, const struct svc_owner *owner,
              struct err *err)
{
	const char *path = conf_str(c, "log");
	enum log_level level;

	if (log_level_parse(slice_of(conf_enum_text(c, "log_level")), &level))
		log_set_level(level);
	if (log_open(p->name, path) == -1) {
		err_set_errno(err, "the log %s cannot be opened", path);
		return -1;
	}
	/* Workers open it again as the user they are. */
	if (owner->change && path[0] == '/' && chown(path, owner->uid, owner->gid) == -1)
		log_warning(NULL, "svc.log_owner path=%s reason=%s", log_esc(path),
		            log_esc(strerror(errno)));
	return 0;
}

static int
make_run_dir(struct svc_supervisor *s, const struct conf *c, struct err *err)
{
	const char *dir = conf_str(c, "run_dir");
	struct svc_owner owner = svc_privileges_owner(&s->privileges);

	if (mkdir(dir, 0755) == 0) {
		if (owner.change && chown(dir, owner.uid, owner.gid) == -1) {
			err_set_errno(err, "run_dir %s cannot be given to its user", dir);
			return -1;
		}
	} else if (errno != EEXIST) {
		err_set_errno(err, "run_dir %s cannot be made", dir);
		return -1;
	}
	if (access(dir, W_OK | X_OK) == 0)
		return 0;
	err_set_errno(err, "run_dir %s cannot be used", dir);
	return -1;
}

static void
write_pid_file(struct svc_supervisor *s, const struct conf *c)
{
	struct buf path = BUF_INIT(PATH_MAX);
	FILE *f;

	buf_printf(&path, "%s/%s%s%s.pid", conf_str(c, "run_dir"), s->program->name,
	           s->args->instance != NULL ? "-" : "",
	           s->args->instance != NULL ? s->args->instance : "");
	s->pid_file = buf_steal_cstr(&path);
	f = fopen(s->pid_file, "we");
	if (f == NULL || fprintf(f, "%d\n", (int)getpid()) < 0)
		log_warning(NULL, "svc.pid_file path=%s reason=%s", log_esc(s->pid_file),
		            log_esc(strerror(errno)));
	if (f != NULL)
		(void)fclose(f);
}

static void
raise_limits(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == -1)
		return;
	r.rlim_cur = r.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &r) == -1)
		log_warning(NULL, "svc.rlimit reason=%s", log_esc(strerror(errno)));
}

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

static void
end_reload(struct svc_supervisor *s, const char *failure)
{
	metrics_add(&svc_metrics[failure == NULL ? SVC_M_RELOADS_OK : SVC_M_RELOADS_FAILED], 1);
	if (failure == NULL)
		log_info(NULL, "svc.reloaded");
	else
		log_error(NULL, "svc.reload_failed reason=%s", log_esc(failure));
	svc_notify("READY=1");
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
	end_reload(s, NULL);
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
	struct svc_owner owner = svc_privileges_owner(&s->privileges);
	struct svc_generation *g = s->next;
	struct err err;

	s->next = NULL;
	g->state = SVC_GEN_DRAINING;
	svc_sockets_release(&g->listen);
	svc_generation_stop_workers(g);
	if (s->current != NULL) {
		if (svc_apply_log(s->program, s->current->conf, &owner, &err) == -1)
			log_warning(NULL, "svc.log reason=%s", log_esc(err.text));
		end_reload(s, why);
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
	LIST_EACH (g, &s->generations, struct svc_generation, node) {
		if (g->state != SVC_GEN_DRAINING)
			continue;
		if (svc_generation_running(g, SVC_KIND_WORKER) == 0)
			svc_generation_stop_helpers(g);
		if (svc_generation_is_empty(g))
			free_generation(s, g);
	}
}

/* ---- reload -------------------------------------------------------------------------------------------- */

/* Takes *c. New workers beside the old ones. */
static int
reload_by_generation(struct svc_supervisor *s, struct conf **c, struct err *err)
{
	struct svc_owner owner = svc_privileges_owner(&s->privileges);

	if (svc_apply_log(s->program, *c, &owner, err) == -1) {
		conf_free(c);
		return -1;
	}
	s->next = svc_generation_new(s, c, err);
	if (s->next == NULL)
		return -1;
	svc_generation_start(s->next, s);
	return 0;
}

/* Takes *c. The worker is asked; on_reloaded() hears the answer. A worker that is down
 * starts with the new settings. */
static int
reload_in_place(struct svc_supervisor *s, struct conf **c, struct conf_file *f, struct err *err)
{
	struct svc_child *worker = &s->current->children[0];
	struct buf packed = BUF_INIT(SVC_FRAME_MAX);

	if (s->program->reload == NULL) {
		err_set(err, "this program takes new settings by a restart only");
		conf_free(c);
		return -1;
	}
	if (!worker->ready) {
		svc_generation_replace_conf(s->current, s, c);
		end_reload(s, NULL);
		return 0;
	}
	conf_file_wipe_auth_only(f, &s->schema);
	conf_file_pack(f, &packed);
	if (packed.overflow) {
		err_set(err, "the settings are too long");
		conf_free(c);
	} else {
		s->reload = *c;
		*c = NULL;
		svc_child_tell(worker, SVC_MSG_RELOAD, buf_slice(&packed));
	}
	buf_wipe(&packed);
	return s->reload != NULL ? 0 : -1;
}

static void
begin_reload(struct svc_supervisor *s)
{
	struct conf_file *f = NULL;
	struct conf *c;
	struct err err;
	int code, done = -1;

	if (s->stopping || s->current == NULL || s->next != NULL || s->reload != NULL) {
		s->reload_wanted = !s->stopping;
		return;
	}
	s->reload_wanted = false;
	log_info(NULL, "svc.reloading file=%s", log_esc(s->args->config));
	svc_notify_reloading();
	c = svc_load(s->program, s->args, &f, &code, &err);
	if (c != NULL && (s->program->flags & SVC_ONE_WORKER) != 0)
		done = reload_in_place(s, &c, f, &err);
	else if (c != NULL)
		done = reload_by_generation(s, &c, &err);
	if (done == -1)
		end_reload(s, err.text);
	conf_file_free(&f);
}

static void
on_reloaded(struct svc_supervisor *s, const char *failure)
{
	struct svc_owner owner = svc_privileges_owner(&s->privileges);
	struct err err;

	if (s->reload == NULL)
		return;
	if (failure != NULL) {
		conf_free(&s->reload);
		end_reload(s, failure);
		return;
	}
	if (svc_apply_log(s->program, s->reload, &owner, &err) == -1)
		log_warning(NULL, "svc.log reason=%s", log_esc(err.text));
	svc_generation_replace_conf(s->current, s, &s->reload);
	end_reload(s, NULL);
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
			on_reloaded(s, payload.n > 0 ? text.text : NULL);
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
	return c->kind == SVC_KIND_AUTH && svc_generation_running(c->gen, SVC_KIND_WORKER) > 0;
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
		on_reloaded(s, "the worker ended while it read the settings");
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
			begin_reload(s);
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
	if (now >= s->ping_at_ms)
		s->ping_at_ms = now + PING_MS;
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
			begin_reload(s);
	}
}

/* ---- start and end ---------------------------------------------------------------------------------------------------- */

/* Takes *c. 0, or the exit code. */
static int
start(struct svc_supervisor *s, struct conf **c, struct err *err)
{
	struct svc_owner owner;

	if (svc_privileges_find(*c, &s->privileges, err) == -1)
		return SVC_EXIT_CONFIG;
	owner = svc_privileges_owner(&s->privileges);
	if (svc_apply_log(s->program, *c, &owner, err) == -1)
		return SVC_EXIT_START;
	svc_privileges_log(*c, &s->privileges);
	raise_limits();
	if (make_run_dir(s, *c, err) == -1)
		return SVC_EXIT_START;
	metrics_register(svc_metrics, SVC_M_COUNT);
	open_slots(s, *c);
	s->next = svc_generation_new(s, c, err);
	if (s->next == NULL)
		return SVC_EXIT_START;
	write_pid_file(s, s->next->conf);
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
	if (s->pid_file != NULL)
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
		.schema = { p->name, p->tables },
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
