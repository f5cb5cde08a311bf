/*
 * worker - a worker from the inside: one loop, the program's own object on it, and the
 * channel to the supervisor. What svc.h offers to start() and later.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/version.h"
#include "base/xalloc.h"
#include "directory/auth_pipe.h"
#include "guard/guard.h"
#include "link/link.h"
#include "log/log.h"
#include "svc/svc_impl.h"

#define GOODBYE_MS 50 /* what sessions said last goes out before the loop ends */

struct svc_worker {
	const struct svc_worker_config *wc;
	struct loop *loop;
	struct conf *conf;
	struct conf *first_conf; /* what auth was made with; NULL: conf is still that */
	struct auth *auth;
	struct guard *guard; /* NULL: no limits */
	struct ctl_server *ctl;
	struct link *channel;
	struct signal_watch *on_term, *on_usr1;
	void *app;
	struct list accepting; /* struct accepting */
	svc_status_fn *status;
	void *status_ctx;
	uint64_t started_ms;
	struct timer end;
	bool draining, replaced;
};

struct accepting {
	struct list node;
	struct svc_worker *worker;
	struct listener *listener;
	const char *refusal; /* NULL: not limited */
	listener_fn *fn;
	void *ctx;
};

/* ---- for the program ------------------------------------------------------------------------ */

struct loop *
svc_loop(struct svc_worker *w)
{
	return w->loop;
}

const struct conf *
svc_conf(const struct svc_worker *w)
{
	return w->conf;
}

unsigned
svc_index(const struct svc_worker *w)
{
	return w->wc->index;
}

struct auth *
svc_auth(struct svc_worker *w)
{
	must(w->auth != NULL);
	return w->auth;
}

struct guard *
svc_guard(struct svc_worker *w)
{
	must(w->guard != NULL);
	return w->guard;
}

struct ctl_server *
svc_ctl(struct svc_worker *w)
{
	return w->ctl;
}

bool
svc_is_draining(const struct svc_worker *w)
{
	return w->draining;
}

bool
svc_is_replaced(const struct svc_worker *w)
{
	return w->replaced;
}

void
svc_set_status(struct svc_worker *w, svc_status_fn *fn, void *ctx)
{
	w->status = fn;
	w->status_ctx = ctx;
}

static const char *
refusal_of(const struct svc_worker *w, const char *service)
{
	const struct svc_listen_def *d = w->wc->program->listeners;

	for (; d != NULL && d->setting != NULL; d++)
		if (strcmp(d->service, service) == 0)
			return d->refusal;
	return NULL;
}

static void
on_accept(void *ctx, struct conn **c)
{
	struct accepting *a = ctx;

	if (a->worker->guard != NULL && a->refusal != NULL)
		guard_admit(a->worker->guard, c, a->refusal, a->fn, a->ctx);
	else
		a->fn(a->ctx, c);
}

void
svc_listen(struct svc_worker *w, const char *service, listener_fn *fn, void *ctx)
{
	const struct svc_sockets *set = w->wc->listen;

	for (size_t i = 0; i < set->count && !w->draining; i++) {
		const struct svc_socket *s = &set->items[i];
		struct accepting *a;

		if (strcmp(s->service, service) != 0 || !svc_socket_is_for(s, w->wc->index))
			continue;
		a = xcalloc(1, sizeof(*a));
		list_init(&a->node);
		list_add_tail(&w->accepting, &a->node);
		a->worker = w;
		a->refusal = refusal_of(w, service);
		a->fn = fn;
		a->ctx = ctx;
		a->listener = listener_new(w->loop, s->fd, on_accept, a);
	}
}

/* ---- status ---------------------------------------------------------------------------------- */

static void
cmd_status(void *ctx, struct ctl_req *req, UNUSED const struct json *args)
{
	struct svc_worker *w = ctx;
	struct json *o = json_new_object(), *detail = json_set_object(o, "detail");
	uint64_t sessions = 0;

	if (w->status != NULL)
		w->status(w->status_ctx, detail, &sessions);
	json_set_str(o, "program", w->wc->program->name);
	json_set_str(o, "instance", conf_instance(w->conf));
	json_set_int(o, "worker", w->wc->index);
	json_set_int(o, "workers", w->wc->workers);
	json_set_int(o, "pid", getpid());
	json_set_int(o, "supervisor", getppid());
	json_set_int(o, "uptime_s", (int64_t)((clock_mono_ms() - w->started_ms) / 1000));
	json_set_bool(o, "draining", w->draining);
	json_set_str(o, "version", ROOST_VERSION);
	json_set_int(o, "sessions", (int64_t)sessions);
	ctl_reply(req, &o);
}

static const struct ctl_cmd commands[] = {
	{ "status", "", "What this process is and how it does.", cmd_status },
	{ .name = NULL },
};

/* ---- drain ------------------------------------------------------------------------------------- */

static void
stop_accepting(struct svc_worker *w)
{
	const struct svc_sockets *set = w->wc->listen;
	struct accepting *a;

	LIST_EACH (a, &w->accepting, struct accepting, node) {
		list_del(&a->node);
		listener_free(&a->listener);
		free(a);
	}
	for (size_t i = 0; i < set->count && !w->draining; i++)
		if (svc_socket_is_for(&set->items[i], w->wc->index))
			close(set->items[i].fd);
}

static void
on_end(void *ctx)
{
	struct svc_worker *w = ctx;

	loop_stop(w->loop);
}

static void
drain(struct svc_worker *w, bool replaced)
{
	if (w->draining)
		return;
	log_debug(NULL, "svc.drain worker=%u replaced=%d", w->wc->index, replaced);
	stop_accepting(w);
	w->draining = true;
	w->replaced = replaced;
	if (replaced)
		ctl_server_retire(w->ctl);
	timer_set(&w->end, conf_ms(w->conf, "drain_timeout"));
	if (w->wc->program->drain != NULL)
		w->wc->program->drain(w->app);
	else
		svc_drained(w);
}

void
svc_drained(struct svc_worker *w)
{
	if (w->draining)
		timer_set(&w->end, GOODBYE_MS);
}

/* ---- reload in place ------------------------------------------------------------------------------ */

static struct conf *
unpack(struct svc_worker *w, struct slice packed, struct err *err)
{
	struct conf_file *f = conf_file_unpack(packed);
	struct conf *c;

	if (f == NULL) {
		err_set(err, "the settings are damaged");
		return NULL;
	}
	c = conf_new(f, w->wc->schema, conf_instance(w->conf), err);
	conf_file_free(&f);
	if (c != NULL)
		conf_wipe_auth_only(c);
	return c;
}

static void
reload(struct svc_worker *w, struct slice packed)
{
	const struct svc_program *p = w->wc->program;
	const struct svc_owner nobody = { .change = false };
	struct err err = { "" };
	struct conf *c = unpack(w, packed, &err), *old = w->conf;

	if (c != NULL && p->reload(w->app, c, &err) == -1)
		conf_free(&c);
	if (c != NULL) {
		w->conf = c;
		if (w->first_conf == NULL)
			w->first_conf = old;
		else
			conf_free(&old);
		if (svc_log_use(p, c, &nobody, &err) == -1)
			log_warning(NULL, "svc.reload reason=%s", log_esc(err.text));
		err.text[0] = '\0';
	}
	svc_frame_add(link_out(w->channel), SVC_MSG_RELOADED, slice_of(err.text));
}

/* ---- the channel -------------------------------------------------------------------------------------- */

static void
on_order(struct svc_worker *w, enum svc_msg type, struct slice payload)
{
	switch (type) {
	case SVC_MSG_DRAIN:
		drain(w, payload.n == 1 && payload.p[0] == 1);
		break;
	case SVC_MSG_STOP:
		loop_stop(w->loop);
		break;
	case SVC_MSG_RELOAD:
		reload(w, payload);
		break;
	case SVC_MSG_PING:
		svc_frame_add(link_out(w->channel), SVC_MSG_PONG, SLICE(""));
		break;
	case SVC_MSG_READY:
	case SVC_MSG_FAILED:
	case SVC_MSG_RELOADED:
	case SVC_MSG_PONG:
		break; /* ours to say */
	}
}

static size_t
on_input(void *core, struct slice in)
{
	enum svc_msg type;
	struct slice payload;
	size_t used;
	int got = svc_frame_next(in, &type, &payload, &used);

	must(got != -1); /* the supervisor is this program */
	if (got == 0)
		return 0;
	on_order(core, type, payload);
	return used;
}

/* Without a supervisor nobody would start us again, or a successor. */
static void
on_closed(void *core, UNUSED enum conn_end why)
{
	struct svc_worker *w = core;

	link_end(&w->channel);
	loop_stop(w->loop);
}

static void
on_deadline(UNUSED void *core)
{
}

static const struct link_ops channel_ops = {
	.input = on_input,
	.deadline = on_deadline,
	.closed = on_closed,
};

static const struct link_limits channel_limits = {
	.input_bytes = SVC_FRAME_MAX + 16,
	.output_high = 65536,
	.output_low = 16384,
	.output_max = 1 << 20,
};

/* ---- start and end --------------------------------------------------------------------------------------- */

/* Somebody wants only this worker to go: its successor gets the sockets. */
static void
on_term(void *ctx)
{
	drain(ctx, false);
}

static void
on_usr1(UNUSED void *ctx)
{
	log_reopen();
}

static void
open_parts(struct svc_worker *w, const struct svc_worker_config *wc)
{
	w->wc = wc;
	w->conf = wc->conf;
	w->started_ms = clock_mono_ms();
	list_init(&w->accepting);
	w->loop = loop_new();
	timer_init(&w->end, w->loop, on_end, w);
	w->on_term = signal_watch_new(w->loop, SIGTERM, on_term, w);
	w->on_usr1 = signal_watch_new(w->loop, SIGUSR1, on_usr1, w);
	if (wc->program->flags & SVC_AUTH)
		w->auth = auth_pipe_new(w->loop, wc->auth_fds, wc->auths, w->conf,
		                        wc->limits_path == NULL);
	if (wc->limits_path != NULL)
		w->guard = guard_new(w->loop, wc->limits_path, w->conf);
	if (w->guard != NULL && w->auth != NULL)
		w->auth = guard_auth_new(w->guard, &w->auth, w->conf);
	w->ctl = ctl_server_new_fd(w->loop, wc->ctl_fd);
	ctl_register(w->ctl, commands, w);
	if (w->guard != NULL)
		svc_limits_register(w->ctl, w->guard);
}

static void
close_parts(struct svc_worker *w)
{
	link_abort(&w->channel);
	ctl_server_free(&w->ctl);
	if (w->auth != NULL)
		auth_free(&w->auth);
	guard_free(&w->guard);
	signal_watch_free(&w->on_term);
	signal_watch_free(&w->on_usr1);
	timer_fini(&w->end);
	loop_free(&w->loop);
	if (w->first_conf != NULL) { /* else it is the supervisor's */
		conf_free(&w->conf);
		w->conf = w->first_conf;
	}
}

static void
open_channel(struct svc_worker *w)
{
	struct conn *conn = conn_new(w->loop, w->wc->channel);

	w->channel = link_new(&conn, &channel_ops, w, &channel_limits);
}

int
svc_worker_run(const struct svc_worker_config *wc)
{
	struct svc_worker w = { 0 };
	struct err err = { "" };
	int code = 0;

	open_parts(&w, wc);
	w.app = wc->program->start(&w, &err);
	if (w.app != NULL) {
		svc_frame_send(wc->channel, SVC_MSG_READY, SLICE(""));
		open_channel(&w);
		(void)sigprocmask(SIG_SETMASK, wc->mask, NULL);
		loop_run(w.loop);
		stop_accepting(&w);
		if (wc->program->stop != NULL)
			wc->program->stop(w.app);
	} else {
		svc_frame_send(wc->channel, SVC_MSG_FAILED, slice_of(err.text));
		stop_accepting(&w);
		code = SVC_EXIT_START;
	}
	close_parts(&w);
	return code;
}
