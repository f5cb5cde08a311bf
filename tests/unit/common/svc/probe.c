/* probe - see probe.h. */
#include "unit/common/svc/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "link/link.h"
#include "lib/test.h"
#include "svc/svc.h"

struct app {
	struct svc_worker *svc;
	const struct conf *conf;
	struct list sessions;
	uint64_t count;
	bool draining;
};

struct session {
	struct list node;
	struct app *app;
	struct link *link;
	uint64_t asked; /* an auth id; 0: none */
};

/* ---- sessions ----------------------------------------------------------------------------- */

static void
greet(struct session *s)
{
	buf_printf(link_out(s->link), "%d %u %s\n", (int)getpid(), svc_index(s->app->svc),
	           conf_str(s->app->conf, "greeting"));
}

static void
session_end(struct session *s)
{
	struct app *a = s->app;

	if (s->asked != 0)
		auth_cancel(svc_auth(a->svc), s->asked);
	list_del(&s->node);
	link_end(&s->link);
	free(s);
	if (--a->count == 0 && a->draining)
		svc_drained(a->svc);
}

static void
on_login(void *ctx, UNUSED uint64_t id, const struct auth_reply *reply)
{
	struct session *s = ctx;

	s->asked = 0;
	buf_printf(link_out(s->link), "%s\n", auth_result_name(reply->result));
	link_flush(s->link);
	link_resume(s->link);
}

static void
login(struct session *s, struct slice rest)
{
	static const struct auth_session as = { "mupdate", "probe", "127.0.0.1", false };
	struct slice name = slice_cut(&rest, ' ');

	link_pause(s->link);
	s->asked = auth_login(svc_auth(s->app->svc), &as, name, rest, on_login, s);
}

static const char *
or_dash(const char *text)
{
	return text != NULL ? text : "-";
}

static size_t
on_input(void *core, struct slice in)
{
	struct session *s = core;
	const struct conf *c = s->app->conf, *id = conf_section(c, "identity", "s1");
	size_t end = slice_find(in, '\n');
	struct slice line = slice_sub(in, 0, end), rest = line, word = slice_cut(&rest, ' ');

	if (end == in.n)
		return 0;
	if (slice_eq(word, SLICE("who")))
		greet(s);
	else if (slice_eq(word, SLICE("secrets")))
		buf_printf(link_out(s->link), "%s %s\n", or_dash(conf_str(c, "cluster_secret")),
		           or_dash(id != NULL ? conf_str(id, "password") : NULL));
	else if (slice_eq(word, SLICE("login")))
		login(s, rest);
	else
		session_end(s);
	return end + 1;
}

static void
on_deadline(void *core)
{
	session_end(core);
}

static void
on_closed(void *core, UNUSED enum conn_end why)
{
	session_end(core);
}

static const struct link_ops ops = { on_input, NULL, NULL, on_deadline, on_closed };

static void
on_accept(void *ctx, struct conn **c)
{
	struct app *a = ctx;
	struct session *s = xcalloc(1, sizeof(*s));

	s->app = a;
	list_init(&s->node);
	list_add_tail(&a->sessions, &s->node);
	a->count++;
	s->link = link_new(c, &ops, s, NULL);
	greet(s);
	link_flush(s->link);
}

/* ---- the program ----------------------------------------------------------------------------- */

static bool
is(const struct conf *c, const char *trouble)
{
	return strcmp(conf_enum_text(c, "trouble"), trouble) == 0;
}

static int
probe_check(const struct conf *c, struct err *err)
{
	if (!is(c, "check"))
		return 0;
	err_set(err, "these settings contradict each other");
	return -1;
}

static void
on_status(void *ctx, struct json *detail, uint64_t *sessions_r)
{
	struct app *a = ctx;

	*sessions_r = a->count;
	json_set_str(detail, "greeting", conf_str(a->conf, "greeting"));
}

static void *
probe_start(struct svc_worker *w, struct err *err)
{
	struct app *a;

	if (is(svc_conf(w), "crash"))
		abort();
	if (is(svc_conf(w), "start")) {
		err_set(err, "the data directory is upside down");
		return NULL;
	}
	a = xcalloc(1, sizeof(*a));
	a->svc = w;
	a->conf = svc_conf(w);
	list_init(&a->sessions);
	svc_set_status(w, on_status, a);
	svc_listen(w, "probe", on_accept, a);
	return a;
}

static int
probe_reload(void *app, const struct conf *c, struct err *err)
{
	if (is(c, "reload")) {
		err_set(err, "this needs a restart");
		return -1;
	}
	((struct app *)app)->conf = c;
	return 0;
}

static void
probe_drain(void *app)
{
	struct app *a = app;

	a->draining = true;
	if (a->count == 0)
		svc_drained(a->svc);
}

static void
probe_stop(void *app)
{
	struct app *a = app;
	struct session *s;

	a->draining = false;
	LIST_EACH (s, &a->sessions, struct session, node)
		session_end(s);
	free(a);
}

static const struct conf_def settings[] = {
	{ "listen", CONF_ADDRESSES, .flags = CONF_RESTART_IN_PLACE, .help = "Where it listens." },
	{ "greeting", CONF_STRING, "hello", .help = "What it says first." },
	{ "trouble", CONF_ENUM, "none", .words = "none check start crash reload",
	  .help = "What goes wrong." },
	{ NULL },
};
static const struct conf_def *const tables[] = { settings, NULL };
static const struct svc_listen_def listeners[] = { { "listen", "probe" }, { NULL } };

static const struct svc_program workers = {
	.name = "probe",
	.title = "a program for tests",
	.summary = "A program for tests.",
	.flags = SVC_AUTH,
	.tables = tables,
	.listeners = listeners,
	.check = probe_check,
	.start = probe_start,
	.reload = probe_reload,
	.drain = probe_drain,
	.stop = probe_stop,
};

/* style: before main(), because main() is the test library's and this process is none. */
__attribute__((constructor)) static void
become_probe(int argc, char **argv, UNUSED char **envp)
{
	const char *kind = getenv(PROBE_ENV);
	struct svc_program one = workers;

	if (kind == NULL)
		return;
	one.flags |= SVC_ONE_WORKER;
	exit(svc_main(strcmp(kind, "one") == 0 ? &one : &workers, argc, argv));
}
