/* auth_world - see auth_world.h. */
#include "unit/common/directory/auth_world.h"

#include "directory/directory.h"
#include "lib/test.h"
#include "log/log.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct auth_world *running; /* its loop is */

/* ---- the world ----------------------------------------------------------------------- */

static const char *
make_directory(void)
{
	static char url[300];
	struct directory *d;
	struct err err;

	if (*url != '\0')
		return url;
	snprintf(url, sizeof(url), "sqlite:%s/directory.db", test_dir());
	d = directory_open(url, "example.org", DIRECTORY_WRITE, &err);
	test_check(d != NULL, "%s", err.text);
	assert_int_equal(directory_add(d, "fred", "secret", "store1", &err), DIRECTORY_OK);
	assert_int_equal(directory_add(d, "ann@other.org", "pw", "", &err), DIRECTORY_OK);
	assert_int_equal(directory_add(d, "gone", "pw", "", &err), DIRECTORY_OK);
	assert_int_equal(directory_set_status(d, "gone", DIRECTORY_DISABLED, &err), DIRECTORY_OK);
	directory_close(&d);
	return url;
}

static struct conf *
make_conf(unsigned timeout_ms, unsigned delay_ms)
{
	static const struct conf_schema schema = { "roost-store", NULL };
	char text[1000];
	struct err err;
	struct conf *c;

	snprintf(text, sizeof(text),
	         "[common]\ndirectory = %s\ndefault_domain = example.org\n"
	         "cluster_secret = 0123456789abcdef0123\nauth_timeout = %ums\n"
	         "login_failure_delay = %ums\n[roost-store store1]\n"
	         "[identity boss]\npassword = pass\nservices = imap\nadmin = yes\n",
	         make_directory(), timeout_ms, delay_ms);
	c = conf_load_text("test", slice_of(text), &schema, "store1", &err);
	test_check(c != NULL, "%s", err.text);
	return c;
}

void
auth_world_start(struct auth_world *w, unsigned i, unsigned count)
{
	w->pid[i] = fork();
	assert_int_not_equal(w->pid[i], -1);
	if (w->pid[i] == 0) {
		(void)prctl(PR_SET_PDEATHSIG,
		            SIGKILL); /* a test that fails leaves nothing behind */
		log_set_level(LOG_ERROR);
		for (unsigned j = 0; j < AUTH_WORLD_ENDS; j++)
			close(w->here[j]);
		_exit(auth_pipe_serve(&w->there[i], count, w->conf));
	}
}

int
auth_world_stop(struct auth_world *w, unsigned i, int signo)
{
	int status;

	assert_int_equal(kill(w->pid[i], signo), 0);
	assert_int_equal(waitpid(w->pid[i], &status, 0), w->pid[i]);
	w->pid[i] = 0;
	return status;
}

uint64_t
auth_world_now_ms(void)
{
	struct timespec t;

	assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &t), 0);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void
on_late(void *ctx)
{
	loop_stop(((struct auth_world *)ctx)->loop);
}

void
auth_world_run(struct auth_world *w, const unsigned *watched, unsigned n, unsigned ms)
{
	if (*watched >= n)
		return;
	running = w;
	w->watched = watched;
	w->wanted = n;
	timer_set(&w->late, ms);
	loop_run(w->loop);
	timer_cancel(&w->late);
	running = NULL;
}

void
auth_world_run_for(struct auth_world *w, unsigned ms)
{
	static const unsigned never;

	auth_world_run(w, &never, 1, ms);
}

void
auth_world_expect(struct auth_world *w, const struct auth_got *g, unsigned n)
{
	auth_world_run(w, &g->times, n, AUTH_WORLD_PATIENCE_MS);
	assert_int_equal(g->times, n);
}

void
auth_world_init_timed(struct auth_world *w, unsigned auth_workers, unsigned timeout_ms,
                      unsigned delay_ms)
{
	log_set_level(LOG_ERROR);
	memset(w, 0, sizeof(*w));
	w->conf = make_conf(timeout_ms, delay_ms);
	for (unsigned i = 0; i < AUTH_WORLD_ENDS; i++) {
		int fd[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd), 0);
		w->here[i] = fd[0];
		w->there[i] = fd[1];
	}
	for (unsigned i = 0; i < auth_workers; i++)
		auth_world_start(w, i, 1);
	w->loop = loop_new();
	timer_init(&w->late, w->loop, on_late, w);
	auth_world_reopen(w, 0, MAX(auth_workers, 1));
}

void
auth_world_init(struct auth_world *w, unsigned auth_workers)
{
	auth_world_init_timed(w, auth_workers, AUTH_WORLD_TIMEOUT_MS, AUTH_WORLD_DELAY_MS);
}

void
auth_world_reopen(struct auth_world *w, unsigned first, unsigned count)
{
	auth_free(&w->auth);
	w->auth = auth_pipe_new(w->loop, &w->here[first], count, w->conf, true);
}

void
auth_world_fini(struct auth_world *w)
{
	auth_free(&w->auth);
	timer_fini(&w->late);
	loop_free(&w->loop);
	conf_free(&w->conf);
	for (unsigned i = 0; i < AUTH_WORLD_ENDS; i++) {
		if (w->pid[i] != 0)
			auth_world_stop(w, i, SIGKILL);
		close(w->here[i]);
		close(w->there[i]);
	}
}

/* ---- asking ------------------------------------------------------------------------------ */

const struct auth_session auth_world_session = {
	.service = "imap",
	.session = "abcdefghijklmnop",
	.peer = "10.1.1.1",
	.tls = true,
};

static void
count(struct auth_got *g, uint64_t id, enum auth_result result)
{
	g->times++;
	g->id = id;
	g->result = result;
	g->results[result]++;
	if (running != NULL && running->watched == &g->times && g->times >= running->wanted)
		loop_stop(running->loop);
}

void
auth_world_on_login(void *ctx, uint64_t id, const struct auth_reply *r)
{
	struct auth_got *g = ctx;

	count(g, id, r->result);
	snprintf(g->user, sizeof(g->user), "%s", r->user);
	snprintf(g->authcid, sizeof(g->authcid), "%s", r->authcid);
	snprintf(g->grant, sizeof(g->grant), "%s", r->grant);
	snprintf(g->challenge, sizeof(g->challenge), "%.*s", SLICE_ARG(r->challenge));
	g->proxied = r->proxied;
	g->admin = r->admin;
	g->claim = r->claim;
}

void
auth_world_on_credentials(void *ctx, uint64_t id, const struct auth_credentials *c)
{
	struct auth_got *g = ctx;

	count(g, id, c->result);
	snprintf(g->user, sizeof(g->user), "%s", c->authzid);
	snprintf(g->authcid, sizeof(g->authcid), "%s", c->authcid);
	snprintf(g->secret, sizeof(g->secret), "%s", c->secret);
}

void
auth_world_on_resolved(void *ctx, uint64_t id, const struct auth_resolved *r)
{
	struct auth_got *g = ctx;

	count(g, id, r->result);
	g->domain_unknown = r->relay_domain_unknown;
	g->finals = r->final_count;
	if (r->final_count == 0)
		return;
	snprintf(g->user, sizeof(g->user), "%s", r->finals[0].user);
	snprintf(g->detail, sizeof(g->detail), "%s", r->finals[0].detail);
	snprintf(g->home, sizeof(g->home), "%s", r->finals[0].home);
}

void
auth_world_on_user(void *ctx, uint64_t id, const struct auth_user *u)
{
	struct auth_got *g = ctx;

	count(g, id, u->result);
	snprintf(g->user, sizeof(g->user), "%s", u->user);
	snprintf(g->home, sizeof(g->home), "%s", u->home);
	g->disabled = u->disabled;
}

void
auth_world_login(struct auth_world *w, struct auth_got *g, const char *user, const char *password)
{
	memset(g, 0, sizeof(*g));
	auth_login(w->auth, &auth_world_session, slice_of(user), slice_of(password),
	           auth_world_on_login, g);
	assert_int_equal(g->times, 0); /* never from inside */
	auth_world_expect(w, g, 1);
}

/* ---- an auth worker that the test plays --------------------------------------------------- */

bool
auth_world_heard_nothing(const struct auth_world *w, unsigned i)
{
	struct pollfd p = { .fd = w->there[i], .events = POLLIN };

	return poll(&p, 1, 0) == 0;
}

struct auth_frame
auth_world_hear(struct auth_world *w, unsigned i)
{
	static char bytes[AUTH_WIRE_MAX];
	uint64_t until_ms = auth_world_now_ms() + AUTH_WORLD_PATIENCE_MS;
	struct auth_frame f;
	ssize_t n;

	while (auth_world_heard_nothing(w, i)) {
		test_check(auth_world_now_ms() < until_ms, "nothing to hear at %u", i);
		auth_world_run_for(w, 1);
	}
	n = recv(w->there[i], bytes, sizeof(bytes), 0);
	assert_true(n > 0);
	assert_true(auth_wire_decode(slice_make(bytes, (size_t)n), NULL, &f));
	return f;
}

void
auth_world_say(const struct auth_world *w, unsigned i, enum auth_frame_kind kind, uint64_t id,
               enum auth_result result)
{
	struct auth_frame f = { .kind = kind, .id = id, .result = result, .user = "x" };
	struct buf b = BUF_INIT(AUTH_WIRE_MAX);

	assert_true(auth_wire_encode(&f, &b));
	assert_int_equal(send(w->there[i], b.data, b.len, 0), (ssize_t)b.len);
	buf_fini(&b);
}
