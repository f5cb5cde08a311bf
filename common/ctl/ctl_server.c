/*
 * ctl_server - the side that answers: see ctl.h.
 *
 * A connection is fed one line at a time: while a command is under way its link is
 * paused. A request outlives its connection (the client may leave while a store works)
 * and its server, because whoever answers it holds it; an answer that nobody waits for
 * any more is dropped.
 */
#include "ctl/ctl.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/list.h"
#include "base/xalloc.h"
#include "link/link.h"
#include "log/log.h"
#include "net/listener.h"

#define LINE_MAX_BYTES ((size_t)1 << 20)
#define REPLY_MAX_BYTES ((size_t)16 << 20)
#define SESSIONS_MAX 32
#define IDLE_MS 60000 /* from one command to the end of the next */
#define DEADLINE_MS 10000

static const struct link_limits limits = {
	.input_bytes = LINE_MAX_BYTES + 2,
	.output_high = 65536,
	.output_low = 16384,
	.output_max = REPLY_MAX_BYTES + 4096,
};

struct table {
	const struct ctl_cmd *rows;
	void *ctx;
};

struct ctl_server {
	struct loop *loop;
	int fd;
	char *path; /* removed at the end; NULL: somebody else's */
	struct listener *listener;
	struct list sessions; /* struct session */
	size_t session_count;
	struct table *tables;
	size_t table_count;
};

struct session {
	struct list node;
	struct ctl_server *server;
	struct link *link;
	struct ctl_req *req; /* under way, or NULL */
	bool half_closed;    /* the client has said all: leave with the answer */
};

struct ctl_req {
	struct session *session; /* NULL: nobody waits any more */
	const char *cmd;         /* the table's */
	struct timer deadline;
};

/* ---- answers ----------------------------------------------------------------------------- */

static void
session_free(struct session *s)
{
	if (s->req != NULL)
		s->req->session = NULL;
	list_del(&s->node);
	s->server->session_count--;
	link_end(&s->link);
	free(s);
}

static void
send_json(struct link *link, const struct json *j)
{
	json_print(j, link_out(link));
	buf_add_char(link_out(link), '\n');
}

static struct json *
error_json(const char *error, const char *text)
{
	struct json *j = json_new_object();

	json_set_bool(j, "ok", false);
	json_set_str(j, "error", error);
	json_set_str(j, "text", text);
	return j;
}

static void
send_error(struct link *link, const char *error, const char *text)
{
	struct json *j = error_json(error, text);

	send_json(link, j);
	json_free(&j);
}

/* An answer that is too long would cost the client its connection: it is told so. */
static void
send_reply(struct link *link, const struct json *reply)
{
	struct buf text = BUF_INIT(REPLY_MAX_BYTES);

	json_print(reply, &text);
	if (text.overflow) {
		send_error(link, "limit", "the answer is longer than 16 MiB; ask for less");
	} else {
		buf_add_slice(link_out(link), buf_slice(&text));
		buf_add_char(link_out(link), '\n');
	}
	buf_fini(&text);
}

/* The session is free for its next command. */
static void
session_answer(struct session *s, const struct json *reply)
{
	s->req = NULL;
	send_reply(s->link, reply);
	link_set_deadline(s->link, IDLE_MS);
	if (s->half_closed) {
		session_free(s);
		return;
	}
	if (link_is_paused(s->link)) {
		link_flush(s->link);
		link_resume(s->link);
	}
}

static void
req_free(struct ctl_req *req)
{
	timer_fini(&req->deadline);
	free(req);
}

void
ctl_reply(struct ctl_req *req, struct json **fields)
{
	struct json *j = *fields != NULL ? *fields : json_new_object();

	*fields = NULL;
	json_set_bool(j, "ok", true);
	if (req->session != NULL)
		session_answer(req->session, j);
	json_free(&j);
	req_free(req);
}

void
ctl_fail(struct ctl_req *req, const char *error, const char *fmt, ...)
{
	char text[1024];
	struct json *j;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	j = error_json(error, text);
	if (req->session != NULL)
		session_answer(req->session, j);
	json_free(&j);
	req_free(req);
}

/* Whoever holds the request answers it later, into the void. */
static void
on_deadline(void *ctx)
{
	struct ctl_req *req = ctx;
	struct session *s = req->session;
	struct json *j;

	log_warning(NULL, "ctl.timeout cmd=%s", log_esc(req->cmd));
	if (s == NULL)
		return;
	req->session = NULL;
	j = error_json("timeout", "no answer in time; what was asked for may still happen");
	session_answer(s, j);
	json_free(&j);
}

/* ---- commands ---------------------------------------------------------------------------- */

static void
add_commands(struct json *items, const struct ctl_cmd *rows)
{
	for (; rows->name != NULL; rows++) {
		struct json *o = json_add_object(items);

		json_set_str(o, "name", rows->name);
		json_set_str(o, "args", rows->args);
		json_set_str(o, "help", rows->help);
	}
}

static void
cmd_help(void *ctx, struct ctl_req *req, UNUSED const struct json *args)
{
	const struct ctl_server *server = ctx;
	struct json *fields = json_new_object();
	struct json *items = json_set_array(fields, "commands");

	for (size_t i = 0; i < server->table_count; i++)
		add_commands(items, server->tables[i].rows);
	ctl_reply(req, &fields);
}

static const struct ctl_cmd builtin[] = {
	{ "help", "", "The commands of this program.", cmd_help },
	{ .name = NULL },
};

static const struct ctl_cmd *
find_cmd(const struct ctl_server *server, const char *name, void **ctx_r)
{
	for (size_t i = 0; i < server->table_count; i++) {
		for (const struct ctl_cmd *c = server->tables[i].rows; c->name != NULL; c++) {
			if (strcmp(c->name, name) != 0)
				continue;
			*ctx_r = server->tables[i].ctx;
			return c;
		}
	}
	return NULL;
}

static bool
is_waiting(const struct session *s)
{
	return s->req != NULL;
}

static void
run_cmd(struct session *s, const struct ctl_cmd *cmd, void *ctx, const struct json *args)
{
	struct ctl_req *req = xcalloc(1, sizeof(*req));

	req->session = s;
	req->cmd = cmd->name;
	timer_init(&req->deadline, s->server->loop, on_deadline, req);
	timer_set(&req->deadline, cmd->deadline_ms != 0 ? cmd->deadline_ms : DEADLINE_MS);
	link_set_deadline(s->link, 0);
	s->req = req;
	cmd->fn(ctx, req, args);
	if (is_waiting(s))
		link_pause(s->link);
}

static void
run_line(struct session *s, struct slice line)
{
	struct err err;
	struct json *args = json_parse(line, &err);
	const char *name = json_get_str(args, "cmd");
	const struct ctl_cmd *cmd;
	char text[400];
	void *ctx;

	if (args == NULL) {
		snprintf(text, sizeof(text), "this is not JSON: %.300s", err.text);
		send_error(s->link, "usage", text);
	} else if (name == NULL) {
		send_error(s->link, "usage", "a request is an object with the string \"cmd\"");
	} else if ((cmd = find_cmd(s->server, name, &ctx)) == NULL) {
		snprintf(text, sizeof(text), "there is no command %.100s; help lists them", name);
		send_error(s->link, "usage", text);
	} else {
		log_debug(NULL, "ctl.command cmd=%s", cmd->name);
		run_cmd(s, cmd, ctx, args);
	}
	json_free(&args);
}

/* ---- connections -------------------------------------------------------------------------- */

static size_t
on_input(void *core, struct slice in)
{
	struct session *s = core;
	size_t end = slice_find(in, '\n');
	struct slice line;

	if (end > LINE_MAX_BYTES) {
		send_error(s->link, "limit", "a request is at most 1 MiB");
		session_free(s);
		return 0;
	}
	if (end == in.n)
		return 0;
	line = slice_trim(slice_sub(in, 0, end));
	link_set_deadline(s->link, IDLE_MS);
	if (line.n > 0)
		run_line(s, line);
	return end + 1;
}

static void
on_idle(void *core)
{
	session_free(core);
}

/* A client may close its side behind its request and still wants the answer. */
static void
on_closed(void *core, enum conn_end why)
{
	struct session *s = core;

	if (why == CONN_END_EOF && s->req != NULL)
		s->half_closed = true;
	else
		session_free(s);
}

static const struct link_ops ops = {
	.input = on_input,
	.deadline = on_idle,
	.closed = on_closed,
};

static void
on_accept(void *ctx, struct conn **c)
{
	struct ctl_server *server = ctx;
	struct session *s = xcalloc(1, sizeof(*s));

	s->server = server;
	list_init(&s->node);
	list_add_tail(&server->sessions, &s->node);
	server->session_count++;
	s->link = link_new(c, &ops, s, &limits);
	link_set_deadline(s->link, IDLE_MS);
	if (server->session_count <= SESSIONS_MAX)
		return;
	log_warning(NULL, "ctl.too_many connections=%d", SESSIONS_MAX);
	send_error(s->link, "limit", "too many connections to this control socket");
	session_free(s);
}

/* ---- the server ---------------------------------------------------------------------------- */

int
ctl_socket_open(const char *path, struct err *err)
{
	struct addr at;
	mode_t mask;
	int fd;

	if (!addr_parse(slice_of(path), 0, &at, err))
		return -1;
	mask = umask(0117);
	fd = listener_open_socket(&at, true, err);
	(void)umask(mask);
	return fd;
}

struct ctl_server *
ctl_server_new_fd(struct loop *l, int fd)
{
	struct ctl_server *s = xcalloc(1, sizeof(*s));

	s->loop = l;
	s->fd = fd;
	list_init(&s->sessions);
	s->listener = listener_new(l, fd, on_accept, s);
	ctl_register(s, builtin, s);
	return s;
}

struct ctl_server *
ctl_server_new(struct loop *l, const char *path, struct err *err)
{
	int fd = ctl_socket_open(path, err);
	struct ctl_server *s;

	if (fd == -1)
		return NULL;
	s = ctl_server_new_fd(l, fd);
	s->path = xstrdup(path);
	return s;
}

void
ctl_server_retire(struct ctl_server *s)
{
	if (s->listener == NULL)
		return;
	listener_free(&s->listener);
	close(s->fd);
}

void
ctl_server_free(struct ctl_server **sp)
{
	struct ctl_server *s = *sp;
	struct session *each;

	if (s == NULL)
		return;
	*sp = NULL;
	ctl_server_retire(s);
	LIST_EACH (each, &s->sessions, struct session, node)
		session_free(each);
	if (s->path != NULL)
		(void)unlink(s->path);
	free(s->path);
	free(s->tables);
	free(s);
}

void
ctl_register(struct ctl_server *s, const struct ctl_cmd *table, void *ctx)
{
	void *other;

	for (const struct ctl_cmd *c = table; c->name != NULL; c++)
		must(find_cmd(s, c->name, &other) == NULL);
	s->tables = xreallocarray(s->tables, s->table_count + 1, sizeof(*s->tables));
	s->tables[s->table_count++] = (struct table){ table, ctx };
}
