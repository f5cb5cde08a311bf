/* play - see play.h. */
#include "fakenet/play.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/num.h"
#include "base/text.h"
#include "base/xalloc.h"
#include "lib/test.h"

#define ACTORS_MOST 32
#define WAITING_MOST 64

struct actor {
	struct play *play;
	char name[32];
	char from[64], to[64];
	fakenet_accept_fn *connect; /* clients */
	void *ctx;
	play_action_fn *action;             /* actions */
	struct conn *waiting[WAITING_MOST]; /* servers: dialled, not accepted */
	size_t waiting_count;
	struct conn *conn;
	struct buf in;
	bool ended;
	bool reset; /* and so that nothing held back comes any more */
};

struct play {
	struct loop *loop;
	struct actor actors[ACTORS_MOST];
	size_t count;
	unsigned line_no;
	const char *line;
};

#define FAIL(p, ...)                                                                               \
	do {                                                                                       \
		print_error("script line %u: %s\n", (p)->line_no, (p)->line);                      \
		test_fail(__VA_ARGS__);                                                            \
	} while (0)

struct play *
play_new(void)
{
	struct play *p = xcalloc(1, sizeof(*p));

	p->loop = loop_new();
	return p;
}

void
play_free(struct play **pp)
{
	struct play *p = *pp;

	if (p == NULL)
		return;
	for (size_t i = 0; i < p->count; i++) {
		conn_free(&p->actors[i].conn);
		for (size_t w = 0; w < p->actors[i].waiting_count; w++)
			conn_free(&p->actors[i].waiting[w]);
	}
	fakenet_settle(p->loop);
	for (size_t i = 0; i < p->count; i++)
		buf_fini(&p->actors[i].in);
	loop_free(&p->loop);
	free(p);
	*pp = NULL;
}

struct loop *
play_loop(struct play *p)
{
	return p->loop;
}

static struct actor *
actor_add(struct play *p, const char *name)
{
	struct actor *a = &p->actors[p->count++];

	must(p->count <= ACTORS_MOST);
	a->play = p;
	snprintf(a->name, sizeof(a->name), "%s", name);
	buf_init(&a->in, SIZE_MAX);
	return a;
}

void
play_add_client(struct play *p, const char *name, const char *from, const char *to,
                fakenet_accept_fn *fn, void *ctx)
{
	struct actor *a = actor_add(p, name);

	snprintf(a->from, sizeof(a->from), "%s", from);
	snprintf(a->to, sizeof(a->to), "%s", to);
	a->connect = fn;
	a->ctx = ctx;
}

static void
on_dialled(void *ctx, struct conn **c)
{
	struct actor *a = ctx;

	must(a->waiting_count < WAITING_MOST);
	a->waiting[a->waiting_count++] = *c;
	*c = NULL;
}

void
play_add_server(struct play *p, const char *name, const char *addr)
{
	struct actor *a = actor_add(p, name);

	snprintf(a->to, sizeof(a->to), "%s", addr);
	fakenet_listen(p->loop, addr, on_dialled, a);
}

void
play_add_action(struct play *p, const char *name, play_action_fn *fn, void *ctx)
{
	struct actor *a = actor_add(p, name);

	a->action = fn;
	a->ctx = ctx;
}

static void
on_input(void *ctx)
{
	struct actor *a = ctx;
	struct slice in = conn_input(a->conn);

	buf_add_slice(&a->in, in);
	conn_consume(a->conn, in.n);
}

static void
on_end(void *ctx, enum conn_end why)
{
	struct actor *a = ctx;

	a->ended = true;
	a->reset = why == CONN_END_RESET;
}

static void
on_nothing(UNUSED void *ctx)
{
}

static const struct conn_handler handler = {
	.on_input = on_input,
	.on_drain = on_nothing,
	.on_tls = on_nothing,
	.on_end = on_end,
};

static void
take(struct actor *a, struct conn *c)
{
	conn_free(&a->conn);
	buf_clear(&a->in);
	a->ended = a->reset = false;
	a->conn = c;
	conn_set_handler(c, &handler, a);
}

static void
unescape(struct play *p, const char *s, struct buf *out)
{
	for (; *s != '\0'; s++) {
		if (*s != '\\') {
			buf_add_char(out, *s);
			continue;
		}
		s++;
		if (*s == 'x' && text_hex_decode(slice_make(s + 1, 2), out))
			s += 2;
		else if (*s != '\0' && strchr("rnt\\", *s) != NULL)
			buf_add_char(out, *s == 'r'   ? '\r'
			                  : *s == 'n' ? '\n'
			                  : *s == 't' ? '\t'
			                              : '\\');
		else
			FAIL(p, "unknown escape");
	}
}

static void
say(struct actor *a, const char *text, bool line)
{
	struct buf out = BUF_INIT(SIZE_MAX);

	unescape(a->play, text, &out);
	if (line)
		buf_add_str(&out, "\r\n");
	conn_write(a->conn, buf_slice(&out));
	buf_fini(&out);
}

/* The next line without its CRLF, or false when no whole line is there. */
static bool
next_line(struct actor *a, struct buf *line)
{
	struct slice in = buf_slice(&a->in);
	size_t end = slice_find(in, '\n');

	if (end == in.n)
		return false;
	buf_clear(line);
	buf_add(line, in.p, end > 0 && in.p[end - 1] == '\r' ? end - 1 : end);
	buf_consume(&a->in, end + 1);
	return true;
}

static void
hear(struct actor *a, const char *pattern, bool skip)
{
	struct buf line = BUF_INIT(SIZE_MAX), want = BUF_INIT(SIZE_MAX);
	char got[512];
	bool hit = false;

	/* In patterns `[` is itself: responses are full of them. */
	for (const char *s = pattern; *s != '\0'; s++) {
		if (*s == '[' || *s == ']' || *s == '?')
			buf_add_char(&want, '\\');
		buf_add_char(&want, *s);
	}
	do {
		if (!next_line(a, &line)) {
			snprintf(got, sizeof(got), "%.*s", SLICE_ARG(buf_slice(&a->in)));
			buf_fini(&line);
			buf_fini(&want);
			FAIL(a->play, "%s heard no such line%s; unread: \"%s\"", a->name,
			     a->ended ? " (closed)" : "", got);
		}
		hit = fnmatch(buf_cstr(&want), buf_cstr(&line), 0) == 0;
	} while (skip && !hit);
	snprintf(got, sizeof(got), "%s", buf_cstr(&line));
	buf_fini(&line);
	buf_fini(&want);
	if (!hit)
		FAIL(a->play, "%s heard \"%s\"", a->name, got);
}

static void
check_state(struct actor *a, const char *state)
{
	bool want_reset = strcmp(state, "reset") == 0;
	bool want_closed = want_reset || strcmp(state, "closed") == 0;

	if (!want_closed && strcmp(state, "silent") != 0)
		FAIL(a->play, "unknown state \"%s\"", state);
	if (a->in.len != 0)
		FAIL(a->play, "unread: \"%s\"", buf_cstr(&a->in));
	if (want_closed && !a->ended)
		FAIL(a->play, "%s is still open", a->name);
	if (want_reset && !a->reset)
		FAIL(a->play, "%s is closed, and not reset", a->name);
}

static void
connect_client(struct actor *a)
{
	struct conn *mine, *theirs;

	fakenet_pair(a->play->loop, a->from, a->to, &mine, &theirs);
	take(a, mine);
	a->connect(a->ctx, &theirs);
}

static void
accept_waiting(struct actor *a)
{
	if (a->waiting_count == 0)
		FAIL(a->play, "nobody has dialled %s", a->name);
	take(a, a->waiting[0]);
	a->waiting_count--;
	memmove(a->waiting, a->waiting + 1, a->waiting_count * sizeof(a->waiting[0]));
}

static void
start_tls(struct actor *a)
{
	if (a->connect != NULL)
		conn_start_tls_client(a->conn, NULL, "fake");
	else
		conn_start_tls_server(a->conn, NULL);
}

static void
act(struct actor *a, const char *verb)
{
	struct play *p = a->play;

	if (strcmp(verb, "connects") == 0 && a->connect != NULL)
		connect_client(a);
	else if (strcmp(verb, "accepts") == 0)
		accept_waiting(a);
	else if (strcmp(verb, "closes") == 0)
		conn_free(&a->conn);
	else if (strcmp(verb, "ends") == 0)
		fakenet_end(a->conn);
	else if (strcmp(verb, "resets") == 0)
		fakenet_reset(&a->conn);
	else if (strcmp(verb, "cuts") == 0 || strcmp(verb, "heals") == 0)
		fakenet_cut(a->conn, verb[0] == 'c');
	else if (strcmp(verb, "stops") == 0)
		conn_set_input_limit(a->conn, 0);
	else if (strcmp(verb, "reads") == 0)
		conn_set_input_limit(a->conn, 16384);
	else if (strcmp(verb, "starts tls") == 0)
		start_tls(a);
	else if (strcmp(verb, "refuses") == 0)
		fakenet_listen(p->loop, a->to, NULL, NULL);
	else if (strcmp(verb, "blackholes") == 0)
		fakenet_blackhole(p->loop, a->to, true);
	else if (strcmp(verb, "listens") == 0) {
		fakenet_blackhole(p->loop, a->to, false);
		fakenet_listen(p->loop, a->to, on_dialled, a);
	} else {
		FAIL(p, "unknown verb \"%s\"", verb);
	}
}

static void
play_actor_line(struct actor *a, const char *rest)
{
	bool speaks = rest[0] == '>' || rest[0] == '<' || strncmp(rest, "is ", 3) == 0;

	if (a->action != NULL) {
		a->action(a->ctx, rest);
		return;
	}
	if (speaks && a->conn == NULL)
		FAIL(a->play, "%s is not connected", a->name);
	if (strncmp(rest, ">> ", 3) == 0)
		say(a, rest + 3, false);
	else if (rest[0] == '>')
		say(a, rest[1] == ' ' ? rest + 2 : rest + 1, true);
	else if (strncmp(rest, "<< ", 3) == 0)
		hear(a, rest + 3, true);
	else if (rest[0] == '<')
		hear(a, rest[1] == ' ' ? rest + 2 : rest + 1, false);
	else if (strncmp(rest, "is ", 3) == 0)
		check_state(a, rest + 3);
	else
		act(a, rest);
}

static void
wait_for(struct play *p, const char *text)
{
	static const struct {
		const char *unit;
		uint64_t ms;
	} units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 } };
	size_t digits = strspn(text, "0123456789");
	uint64_t n;

	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (strcmp(text + digits, units[i].unit) != 0 ||
		    !num_parse_u64(slice_make(text, digits), 1000000, &n))
			continue;
		fakenet_advance(p->loop, n * units[i].ms);
		return;
	}
	FAIL(p, "wait takes a number with ms, s, m or h");
}

static void
play_line(struct play *p, char *line)
{
	char *rest = line + strcspn(line, " \t");

	p->line = line;
	if (*rest != '\0')
		*rest++ = '\0';
	rest += strspn(rest, " \t");
	if (strcmp(line, "wait") == 0) {
		wait_for(p, rest);
		return;
	}
	if (strcmp(line, "split") == 0) {
		fakenet_set_split(p->loop, strtoul(rest, NULL, 10));
		return;
	}
	for (size_t i = 0; i < p->count; i++) {
		if (strcmp(p->actors[i].name, line) != 0)
			continue;
		p->line = rest;
		play_actor_line(&p->actors[i], rest);
		fakenet_settle(p->loop);
		return;
	}
	FAIL(p, "nobody is called \"%s\"", line);
}

void
play_run(struct play *p, const char *script)
{
	struct slice left = slice_of(script);

	p->line_no = 0;
	while (left.p != NULL) {
		struct slice one = slice_trim(slice_cut(&left, '\n'));
		char *line = slice_dup(one);

		p->line_no++;
		if (one.n != 0 && one.p[0] != '#')
			play_line(p, line);
		free(line);
	}
}
