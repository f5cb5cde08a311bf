/* The control socket on real Unix sockets: lines in pieces, limits, deadlines, the client. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "ctl/ctl.h"
#include "lib/test.h"
#include "net/addr.h"

#define PATIENCE_MS 60000
#define DEADLINE_MS 50 /* of the command that has one */

struct world {
	struct loop *loop;
	struct ctl_server *server;
	char path[200];
	struct ctl_req *kept; /* of "later" and "soon" */
	struct timer stop;
	pthread_t thread; /* of ctl_call() */
	struct json *request, *reply;
	struct err err;
	unsigned timeout_ms;
	_Atomic bool called;
};

static void
cmd_echo(UNUSED void *ctx, struct ctl_req *req, const struct json *args)
{
	struct json *o = json_new_object();

	json_set_str(o, "said", json_get_str(args, "text"));
	ctl_reply(req, &o);
}

static void
cmd_later(void *ctx, struct ctl_req *req, UNUSED const struct json *args)
{
	((struct world *)ctx)->kept = req;
}

static void
cmd_fail(UNUSED void *ctx, struct ctl_req *req, UNUSED const struct json *args)
{
	ctl_fail(req, "notfound", "there is no %s", "such thing");
}

static void
cmd_big(UNUSED void *ctx, struct ctl_req *req, UNUSED const struct json *args)
{
	struct json *o = json_new_object();
	size_t n = (size_t)17 << 20;
	char *text = xmalloc(n);

	memset(text, 'x', n);
	json_set_slice(o, "text", slice_make(text, n));
	free(text);
	ctl_reply(req, &o);
}

static const struct ctl_cmd commands[] = {
	{ "echo", "text", "Says it again.", cmd_echo },
	{ "later", "", "Answers some time.", cmd_later, PATIENCE_MS },
	{ "soon", "", "Would answer in time.", cmd_later, DEADLINE_MS },
	{ "fail", "", "Fails.", cmd_fail },
	{ "big", "", "Too much.", cmd_big },
	{ .name = NULL },
};

static void
on_stop(void *ctx)
{
	loop_stop(ctx);
}

static void
turn(struct world *w, unsigned ms)
{
	timer_set(&w->stop, ms);
	loop_run(w->loop);
}

static void
world_init(struct world *w)
{
	static unsigned number;

	*w = (struct world){ .timeout_ms = PATIENCE_MS };
	w->loop = loop_new();
	timer_init(&w->stop, w->loop, on_stop, w->loop);
	snprintf(w->path, sizeof(w->path), "%s/%u.ctl", test_dir(), number++);
	w->server = ctl_server_new(w->loop, w->path, &w->err);
	test_check(w->server != NULL, "%s", w->err.text);
	ctl_register(w->server, commands, w);
}

static void
world_fini(struct world *w)
{
	ctl_server_free(&w->server);
	turn(w, 30); /* connections close in a turn of the loop */
	timer_fini(&w->stop);
	loop_free(&w->loop);
}

/* Until "later" or "soon" has been asked for. */
static struct ctl_req *
wait_for_kept(struct world *w)
{
	uint64_t end = clock_mono_ms() + PATIENCE_MS;

	while (w->kept == NULL) {
		test_check(clock_mono_ms() < end, "nobody asks");
		turn(w, 1);
	}
	return w->kept;
}

static int
try_dial(const struct world *w)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct addr at;

	assert_true(addr_parse(slice_of(w->path), 0, &at, NULL));
	if (connect(fd, (struct sockaddr *)&at.ss, at.len) == 0)
		return fd;
	close(fd);
	return -1;
}

static int
dial(const struct world *w)
{
	int fd = try_dial(w);

	assert_int_not_equal(fd, -1);
	return fd;
}

static void
say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* The next line, read byte by byte while the loop runs; "" when the server closed. */
static const char *
hear(struct world *w, int fd)
{
	static char line[4096];
	uint64_t end = clock_mono_ms() + PATIENCE_MS;
	size_t n = 0;

	while (n < sizeof(line) - 1) {
		ssize_t got = read(fd, line + n, 1);

		if (got == 0 || (got == -1 && errno == ECONNRESET))
			break;
		if (got == 1 && line[n++] == '\n')
			break;
		if (got == -1) {
			test_check(errno == EAGAIN && clock_mono_ms() < end, "nothing to hear");
			turn(w, 1);
		}
	}
	line[n] = '\0';
	return line;
}

static bool
is_silent(struct world *w, int fd)
{
	char c;

	turn(w, 10);
	return read(fd, &c, 1) == -1 && errno == EAGAIN;
}

static void
hears(struct world *w, int fd, const char *what, const char *part)
{
	const char *line = hear(w, fd);

	test_check(strstr(line, part) != NULL, "%s: \"%s\" lacks %s", what, line, part);
}

#define HELLO "{\"cmd\":\"echo\",\"text\":\"hi\"}\n"

TEST(a_request_is_answered_at_every_split)
{
	struct world w;
	int fd;

	world_init(&w);
	fd = dial(&w);
	for (size_t cut = 1; cut < strlen(HELLO); cut++) {
		char first[64];

		snprintf(first, sizeof(first), "%.*s", (int)cut, HELLO);
		say(fd, first);
		assert_true(is_silent(&w, fd));
		say(fd, &HELLO[cut]);
		test_eq_str("the answer", hear(&w, fd), "{\"said\":\"hi\",\"ok\":true}\n");
	}
	close(fd);
	world_fini(&w);
}

TEST(requests_sent_at_once_are_answered_one_after_the_other)
{
	struct world w;
	struct json *none = NULL;
	int fd;

	world_init(&w);
	fd = dial(&w);
	say(fd, HELLO "{\"cmd\":\"later\"}\r\n\n{\"cmd\":\"fail\"}\n");
	hears(&w, fd, "the first", "hi");
	assert_true(is_silent(&w, fd));
	ctl_reply(wait_for_kept(&w), &none);
	test_eq_str("the second", hear(&w, fd), "{\"ok\":true}\n");
	test_eq_str("the third", hear(&w, fd),
	            "{\"ok\":false,\"error\":\"notfound\",\"text\":\"there is no such thing\"}\n");
	close(fd);
	world_fini(&w);
}

TEST(what_is_no_request_is_refused_and_the_next_is_heard)
{
	static const char *const rows[] = {
		"hello\n",    "[]\n", "{}\n", "{\"cmd\":1}\n", "{\"cmd\":\"nonsense\"}\n",
		"\"help\"\n",
	};
	struct world w;
	int fd;

	world_init(&w);
	fd = dial(&w);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		say(fd, rows[i]);
		hears(&w, fd, rows[i], "\"error\":\"usage\"");
		say(fd, HELLO);
		hears(&w, fd, rows[i], "\"ok\":true");
	}
	close(fd);
	world_fini(&w);
}

TEST(help_names_all_commands)
{
	struct world w;
	int fd;

	world_init(&w);
	fd = dial(&w);
	say(fd, "{\"cmd\":\"help\"}\n");
	test_eq_str("help", hear(&w, fd),
	            "{\"commands\":["
	            "{\"name\":\"help\",\"args\":\"\",\"help\":\"The commands of this program.\"},"
	            "{\"name\":\"echo\",\"args\":\"text\",\"help\":\"Says it again.\"},"
	            "{\"name\":\"later\",\"args\":\"\",\"help\":\"Answers some time.\"},"
	            "{\"name\":\"soon\",\"args\":\"\",\"help\":\"Would answer in time.\"},"
	            "{\"name\":\"fail\",\"args\":\"\",\"help\":\"Fails.\"},"
	            "{\"name\":\"big\",\"args\":\"\",\"help\":\"Too much.\"}],\"ok\":true}\n");
	close(fd);
	world_fini(&w);
}

/* Writes n bytes as the server takes them. */
static void
pour(struct world *w, int fd, size_t n)
{
	char block[4096];

	memset(block, 'x', sizeof(block));
	while (n > 0) {
		ssize_t done = send(fd, block, MIN(n, sizeof(block)), MSG_NOSIGNAL);

		if (done > 0)
			n -= (size_t)done;
		else if (errno == EAGAIN)
			turn(w, 1);
		else
			break; /* it has closed: it is over the limit */
	}
}

TEST(a_request_has_at_most_one_mebibyte)
{
	struct world w;
	int fd;

	world_init(&w);
	fd = dial(&w);
	say(fd, "{\"cmd\":\"echo\",\"x\":\"");
	pour(&w, fd, ((size_t)1 << 20) - 22);
	say(fd, "\"}\n");
	hears(&w, fd, "1 MiB", "\"ok\":true");
	pour(&w, fd, ((size_t)1 << 20) + 1);
	hears(&w, fd, "more", "\"error\":\"limit\"");
	test_eq_str("then it closes", hear(&w, fd), "");
	close(fd);
	world_fini(&w);
}

TEST(an_answer_that_is_too_long_is_an_error)
{
	struct world w;
	int fd;

	world_init(&w);
	fd = dial(&w);
	say(fd, "{\"cmd\":\"big\"}\n" HELLO);
	hears(&w, fd, "17 MiB", "\"error\":\"limit\"");
	hears(&w, fd, "the next", "\"ok\":true");
	close(fd);
	world_fini(&w);
}

/* On a new connection, and if need be on another one. */
static void
hears_after_a_while(struct world *w, const char *text, const char *part)
{
	uint64_t end = clock_mono_ms() + PATIENCE_MS;
	bool heard = false;

	while (!heard) {
		int fd = dial(w);

		test_check(clock_mono_ms() < end, "not heard: %s", part);
		(void)send(fd, text, strlen(text), MSG_NOSIGNAL);
		heard = strstr(hear(w, fd), part) != NULL;
		close(fd);
	}
}

TEST(the_33rd_connection_is_told_and_closed)
{
	struct world w;
	int fds[32], fd;

	world_init(&w);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		fds[i] = dial(&w);
		say(fds[i], HELLO);
		hears(&w, fds[i], "one of 32", "\"ok\":true");
	}
	fd = dial(&w);
	hears(&w, fd, "the 33rd", "\"error\":\"limit\"");
	test_eq_str("it is closed", hear(&w, fd), "");
	close(fd);
	close(fds[7]);
	hears_after_a_while(&w, HELLO, "\"ok\":true"); /* when it has seen that one has left */
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		if (i != 7)
			close(fds[i]);
	world_fini(&w);
}

TEST(a_command_that_takes_too_long_is_answered_for_it)
{
	struct world w;
	struct json *late = json_new_object();
	int fd;

	world_init(&w);
	fd = dial(&w);
	say(fd, "{\"cmd\":\"soon\"}\n" HELLO);
	hears(&w, fd, "the deadline", "\"error\":\"timeout\"");
	hears(&w, fd, "the next command", "\"said\":\"hi\"");
	ctl_reply(w.kept, &late);
	assert_null(late);
	assert_true(is_silent(&w, fd));
	close(fd);
	world_fini(&w);
}

TEST(a_client_that_said_all_still_gets_its_answer)
{
	struct world w;
	int fd;

	world_init(&w);
	fd = dial(&w);
	say(fd, "{\"cmd\":\"later\"}\n");
	shutdown(fd, SHUT_WR);
	ctl_fail(wait_for_kept(&w), "temp", "not now");
	hears(&w, fd, "the answer", "not now");
	test_eq_str("then it closes", hear(&w, fd), "");
	close(fd);
	world_fini(&w);
}

TEST(answers_for_clients_and_servers_that_are_gone_are_dropped)
{
	struct world w;
	struct json *none = NULL;
	struct ctl_req *kept;
	int fd;

	world_init(&w);
	fd = dial(&w);
	say(fd, "{\"cmd\":\"later\"}\n");
	kept = wait_for_kept(&w);
	close(fd);
	turn(&w, 10);
	ctl_reply(kept, &none);

	w.kept = NULL;
	fd = dial(&w);
	say(fd, "{\"cmd\":\"later\"}\n");
	kept = wait_for_kept(&w);
	ctl_server_free(&w.server);
	ctl_fail(kept, "temp", "too late");
	close(fd);
	world_fini(&w);
}

TEST(a_retired_server_serves_whom_it_has)
{
	struct world w;
	int fd;

	world_init(&w);
	fd = dial(&w);
	say(fd, HELLO);
	hears(&w, fd, "a new connection", "\"ok\":true");
	ctl_server_retire(w.server);
	say(fd, HELLO);
	hears(&w, fd, "an old connection", "\"ok\":true");
	assert_int_equal(try_dial(&w), -1);
	close(fd);
	world_fini(&w);
}

TEST(the_socket_is_private_and_goes_with_the_server)
{
	struct world w;
	struct stat st;
	struct err err;

	world_init(&w);
	assert_int_equal(stat(w.path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	assert_null(ctl_server_new(w.loop, w.path, &err));
	test_check(strstr(err.text, "in use") != NULL, "%s", err.text);
	ctl_server_free(&w.server);
	assert_int_equal(stat(w.path, &st), -1);
	world_fini(&w);
}

TEST(a_stale_socket_is_replaced)
{
	struct world w;
	struct err err;
	int fd;

	world_init(&w);
	ctl_server_free(&w.server);
	fd = ctl_socket_open(w.path, &err);
	assert_int_not_equal(fd, -1);
	close(fd); /* as a crash leaves it */
	w.server = ctl_server_new(w.loop, w.path, &err);
	test_check(w.server != NULL, "%s", err.text);
	world_fini(&w);
}

/* ---- the client ------------------------------------------------------------------------- */

static void *
call_thread(void *ctx)
{
	struct world *w = ctx;

	w->reply = ctl_call(w->path, w->request, w->timeout_ms, &w->err);
	w->called = true;
	return NULL;
}

static void
call(struct world *w, const char *request)
{
	w->request = json_parse(slice_of(request), &w->err);
	assert_non_null(w->request);
	w->called = false;
	assert_int_equal(pthread_create(&w->thread, NULL, call_thread, w), 0);
	while (!w->called)
		turn(w, 1);
	pthread_join(w->thread, NULL);
	json_free(&w->request);
}

TEST(the_client_gets_answers_and_errors)
{
	struct world w;

	world_init(&w);
	call(&w, "{\"cmd\":\"echo\",\"text\":\"a\\nb\"}");
	test_check(w.reply != NULL, "%s", w.err.text);
	test_eq_str("said", json_get_str(w.reply, "said"), "a\nb");
	json_free(&w.reply);
	call(&w, "{\"cmd\":\"fail\"}");
	assert_false(json_get_bool(w.reply, "ok", true));
	json_free(&w.reply);
	world_fini(&w);
}

/* A server that is none: says text, or nothing at all, and closes. */
static void
call_dumb(const char *text, const char *part)
{
	struct world w;
	struct err err;
	int fd, c = -1;

	world_init(&w);
	ctl_server_free(&w.server);
	w.timeout_ms = text == NULL ? 100 : PATIENCE_MS;
	fd = ctl_socket_open(w.path, &err);
	w.request = json_parse(SLICE("{\"cmd\":\"help\"}"), &err);
	assert_int_equal(pthread_create(&w.thread, NULL, call_thread, &w), 0);
	while (c == -1 && !w.called)
		c = accept(fd, NULL, NULL);
	if (text != NULL) {
		turn(&w, 20);
		say(c, text);
		close(c);
	}
	pthread_join(w.thread, NULL);
	assert_null(w.reply);
	test_check(strstr(w.err.text, part) != NULL, "%s lacks %s", w.err.text, part);
	if (text == NULL)
		close(c);
	close(fd);
	json_free(&w.request);
	world_fini(&w);
}

TEST(the_client_says_what_is_wrong)
{
	struct world w;

	call_dumb(NULL, "no answer in time");
	call_dumb("", "without an answer");
	call_dumb("{\"ok\"", "without an answer");
	call_dumb("hello\n", "not JSON");
	world_init(&w);
	ctl_server_free(&w.server);
	call(&w, "{\"cmd\":\"help\"}");
	assert_null(w.reply);
	test_check(strstr(w.err.text, "is the program running?") != NULL, "%s", w.err.text);
	world_fini(&w);
}
