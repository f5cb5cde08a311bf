/*
 * generation - the processes that run with the same settings.
 *
 * Each generation has auth workers and socket pairs of its own: a draining worker and
 * its successor never read from the same pair, so no answer reaches the wrong one. The
 * listening sockets are common (sockets.c).
 */
#include "svc/svc_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "log/log.h"

#define DRAIN_SPARE_MS 10000 /* a worker ends its drain itself; this is for one that hangs */

static void
fill_fds(int **fds, size_t count)
{
	*fds = xcalloc(MAX(count, 1), sizeof(**fds));
	for (size_t i = 0; i < count; i++)
		(*fds)[i] = -1;
}

static int
open_pairs(struct svc_generation *g, struct err *err)
{
	for (unsigned w = 0; w < g->workers; w++) {
		for (unsigned a = 0; a < g->auths; a++) {
			int ends[2];

			if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
			               ends) == -1) {
				err_set_errno(err, "cannot make socket pairs");
				return -1;
			}
			g->worker_fds[w * g->auths + a] = svc_fds_track(ends[0]);
			g->auth_fds[a * g->workers + w] = svc_fds_track(ends[1]);
		}
	}
	return 0;
}

static int
open_sockets(struct svc_generation *g, struct svc_supervisor *s, struct err *err)
{
	const struct svc_listen_def *d = s->program->listeners;
	struct svc_owner owner = svc_privileges_owner(&s->privileges);
	char path[SVC_PATH_LEN];

	for (unsigned w = 0; w < g->workers; w++) {
		if (!svc_ctl_path(conf_str(g->conf, "run_dir"), s->program->name, s->args->instance,
		                  w, path)) {
			err_set(err, "run_dir is too long for the path of a socket");
			return -1;
		}
		if (svc_sockets_add_ctl(&g->ctl, path, w, &owner, err) == -1)
			return -1;
	}
	if ((s->program->flags & SVC_LIMITS) != 0 &&
	    (!svc_limits_path(g->conf, s->program->name, s->args->instance, path) ||
	     svc_sockets_add_ctl(&g->limits, path, 0, &owner, err) == -1))
		return -1;
	for (; d != NULL && d->setting != NULL; d++)
		if (svc_sockets_add(&g->listen, g->conf, d->setting, d->service, g->workers, &owner,
		                    err) == -1)
			return -1;
	return svc_sockets_add(&g->metrics, g->conf, "metrics", "metrics", 0, &owner, err);
}

static int
add_children(struct svc_generation *g, struct svc_supervisor *s, struct err *err)
{
	bool limits = (s->program->flags & SVC_LIMITS) != 0;
	size_t most = (size_t)g->workers + g->auths + 1 + limits;

	g->children = xcalloc(most, sizeof(*g->children));
	for (size_t i = 0; i < most; i++) {
		struct svc_child *c = &g->children[i];

		if (i < g->workers)
			svc_child_init(c, g, SVC_KIND_WORKER, (unsigned)i);
		else if (i < (size_t)g->workers + g->auths)
			svc_child_init(c, g, SVC_KIND_AUTH, (unsigned)i - g->workers);
		else if (i == (size_t)g->workers + g->auths)
			svc_child_init(c, g, SVC_KIND_METRICS, 0);
		else
			svc_child_init(c, g, SVC_KIND_LIMITS, 0);
		if (!svc_slot_take(s, &c->slot)) {
			err_set(err, "too many old workers still drain");
			return -1;
		}
		g->count++;
	}
	return 0;
}

struct svc_generation *
svc_generation_new(struct svc_supervisor *s, struct conf **c, struct err *err)
{
	struct svc_generation *g = xcalloc(1, sizeof(*g));
	unsigned flags = s->program->flags;
	size_t pairs;

	g->conf = *c;
	*c = NULL;
	list_init(&g->node);
	list_add_tail(&s->generations, &g->node);
	g->workers = (flags & SVC_ONE_WORKER) != 0 ? 1 : (unsigned)conf_int(g->conf, "workers");
	g->auths = (flags & SVC_AUTH) != 0 ? (unsigned)conf_int(g->conf, "auth_workers") : 0;
	pairs = (size_t)g->workers * g->auths;
	fill_fds(&g->worker_fds, pairs);
	fill_fds(&g->auth_fds, pairs);
	if (add_children(g, s, err) == 0 && open_sockets(g, s, err) == 0 && open_pairs(g, err) == 0)
		return g;
	for (size_t i = 0; i < g->count; i++)
		svc_slot_give(s, g->children[i].slot);
	*c = g->conf; /* whoever tries again needs it */
	g->conf = NULL;
	svc_generation_free(&g);
	return NULL;
}

void
svc_generation_free(struct svc_generation **gp)
{
	struct svc_generation *g = *gp;
	size_t pairs = (size_t)g->workers * g->auths;

	*gp = NULL;
	for (size_t i = 0; i < g->count; i++)
		svc_child_fini(&g->children[i]);
	for (size_t i = 0; i < pairs; i++) {
		svc_fds_close(&g->worker_fds[i]);
		svc_fds_close(&g->auth_fds[i]);
	}
	svc_sockets_release(&g->listen);
	svc_sockets_release(&g->ctl);
	svc_sockets_release(&g->metrics);
	svc_sockets_release(&g->limits);
	list_del(&g->node);
	conf_free(&g->conf);
	free(g->worker_fds);
	free(g->auth_fds);
	free(g->children);
	free(g);
}

static bool
is_wanted(const struct svc_child *c)
{
	return c->kind != SVC_KIND_METRICS || c->gen->metrics.count > 0;
}

/* Auth workers first: the first login should not wait for them. */
void
svc_generation_start(struct svc_generation *g, struct svc_supervisor *s)
{
	for (size_t i = g->workers; i < g->count; i++)
		if (is_wanted(&g->children[i]))
			svc_child_start(&g->children[i], s);
	for (size_t i = 0; i < g->workers; i++)
		svc_child_start(&g->children[i], s);
}

bool
svc_generation_is_ready(const struct svc_generation *g)
{
	for (size_t i = 0; i < g->workers; i++)
		if (!g->children[i].ready)
			return false;
	return true;
}

unsigned
svc_generation_running(const struct svc_generation *g, enum svc_kind kind)
{
	unsigned n = 0;

	for (size_t i = 0; i < g->count; i++)
		n += g->children[i].kind == kind && svc_child_is_running(&g->children[i]);
	return n;
}

bool
svc_generation_is_empty(const struct svc_generation *g)
{
	for (size_t i = 0; i < g->count; i++)
		if (svc_child_is_running(&g->children[i]))
			return false;
	return true;
}

void
svc_generation_drain(struct svc_generation *g, bool replaced)
{
	const char flag[1] = { replaced };
	uint64_t end = clock_mono_ms() + conf_ms(g->conf, "drain_timeout") + DRAIN_SPARE_MS;

	g->state = SVC_GEN_DRAINING;
	/* Without a successor clients who come from now on are refused, and go elsewhere;
	 * the control sockets stay until the end. */
	svc_sockets_release(&g->listen);
	if (replaced)
		svc_sockets_release(&g->ctl);
	/* The next generation's limits process counts for all: our workers find it at the same
	 * path, once ours is gone. */
	for (size_t i = g->workers; i < g->count && replaced; i++)
		if (g->children[i].kind == SVC_KIND_LIMITS)
			svc_child_stop(&g->children[i]);
	for (size_t i = 0; i < g->workers; i++) {
		struct svc_child *c = &g->children[i];

		c->start_at_ms = 0;
		if (!svc_child_is_running(c))
			continue;
		svc_child_tell(c, SVC_MSG_DRAIN, slice_make(flag, 1));
		c->ordered = true;
		c->kill_at_ms = end;
	}
}

void
svc_generation_stop_workers(struct svc_generation *g)
{
	for (size_t i = 0; i < g->workers; i++)
		svc_child_stop(&g->children[i]);
}

void
svc_generation_stop_helpers(struct svc_generation *g)
{
	for (size_t i = g->workers; i < g->count; i++)
		svc_child_stop(&g->children[i]);
}

/* They end, and svc_child_ended() starts them again with what is in force then. */
static void
restart_helpers(struct svc_generation *g, struct svc_supervisor *s)
{
	for (size_t i = g->workers; i < g->count; i++) {
		struct svc_child *c = &g->children[i];

		if (svc_child_is_running(c))
			svc_child_stop(c);
		else if (is_wanted(c) && c->start_at_ms == 0)
			svc_child_start(c, s);
	}
}

void
svc_generation_replace_conf(struct svc_generation *g, struct svc_supervisor *s, struct conf **c)
{
	struct svc_owner owner = svc_privileges_owner(&s->privileges);
	struct svc_sockets fresh = { 0 };
	struct err err;

	if (svc_sockets_add(&fresh, *c, "metrics", "metrics", 0, &owner, &err) == -1)
		log_warning(NULL, "svc.reload reason=%s", log_esc(err.text));
	svc_sockets_release(&g->metrics);
	g->metrics = fresh;
	conf_free(&g->conf);
	g->conf = *c;
	*c = NULL;
	restart_helpers(g, s);
}

static void
drain_fd(int fd)
{
	char chunk[256]; /* a packet is dropped as a whole */

	while (recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT) > 0)
		;
}

void
svc_generation_forget(struct svc_generation *g, unsigned worker)
{
	for (unsigned a = 0; a < g->auths; a++) {
		drain_fd(g->auth_fds[a * g->workers + worker]);
		drain_fd(g->worker_fds[worker * g->auths + a]);
	}
}
