/*
 * What must be true:
 *
 * 1. Redis answers in the order of the commands. So each command waits in `asked`, the first
 *    is the one that is answered, and one that is late stays there, without its callback,
 *    until its answer comes.
 * 2. A connection on which nothing was answered for DEAD_MS while something should have been
 *    is given up: a peer behind a cut cable says nothing either.
 * 3. Callbacks are called from the loop, and may do anything but free the client.
 */
#include "redis/redis.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/text.h"
#include "base/xalloc.h"
#include "log/log.h"
#include "net/conn.h"
#include "net/dial.h"
#include "tls/digest.h"

#define CONNECT_MS 2000
#define DEAD_MS 2000
#define PAUSE_FIRST_MS 100
#define PAUSE_MOST_MS 5000
#define WAITING_MOST 10000
#define OUTPUT_MOST ((size_t)4 << 20)
#define INPUT_MOST ((size_t)1 << 20)
#define ITEMS_MOST 64

struct asked {
	struct list link;
	uint64_t at_ms;
	redis_fn *fn; /* NULL: nobody waits (any more) */
	void *ctx;
	/* A script that may have to be sent whole: */
	struct redis_script *script;
	struct slice *words;
	size_t count, keys;
};

struct redis {
	struct redis_config c;
	char *user, *password, *tls_name;
	struct dial *dial;
	struct conn *conn;
	redisReader *reader;
	struct list asked;  /* struct asked, in order */
	struct list failed; /* to be answered with NULL from the loop */
	size_t waiting;
	unsigned greetings; /* answers to what we said first that are still to come */
	bool up;
	uint64_t pause_ms;
	struct timer retry, tick;
};

/* ---- commands that wait -------------------------------------------------------------------- */

static void
asked_free(struct redis *r, struct asked *a)
{
	list_del(&a->link);
	r->waiting--;
	for (size_t i = 0; i < a->count; i++)
		free((char *)a->words[i].p);
	free(a->words);
	free(a);
}

static struct asked *
asked_new(struct redis *r, redis_fn *fn, void *ctx)
{
	struct asked *a = xcalloc(1, sizeof(*a));

	list_init(&a->link);
	a->at_ms = clock_mono_ms();
	a->fn = fn;
	a->ctx = ctx;
	r->waiting++;
	return a;
}

static void
answer(struct redis *r, struct asked *a, const struct redis_reply *reply)
{
	redis_fn *fn = a->fn;
	void *ctx = a->ctx;

	asked_free(r, a);
	if (fn != NULL)
		fn(ctx, reply);
}

static void
answer_failed(void *ctx)
{
	struct redis *r = ctx;
	struct asked *a;

	while ((a = LIST_FIRST(&r->failed, struct asked, link)) != NULL)
		answer(r, a, NULL);
}

static void
fail(struct redis *r, struct asked *a)
{
	if (list_is_empty(&r->failed))
		loop_defer(r->c.loop, answer_failed, r);
	list_del(&a->link);
	list_add_tail(&r->failed, &a->link);
}

/* ---- the connection ------------------------------------------------------------------------ */

static void connect_now(void *ctx);

static void
set_state(struct redis *r, bool up, const char *why)
{
	if (r->up == up)
		return;
	r->up = up;
	if (r->c.on_state != NULL)
		r->c.on_state(r->c.ctx, up, why);
}

static void
give_up(struct redis *r, const char *why)
{
	struct asked *a;

	conn_free(&r->conn);
	dial_cancel(&r->dial);
	if (r->reader != NULL)
		redisReaderFree(r->reader);
	r->reader = NULL;
	timer_cancel(&r->tick);
	while ((a = LIST_FIRST(&r->asked, struct asked, link)) != NULL)
		fail(r, a);
	r->greetings = 0;
	if (!r->up)
		log_debug(NULL, "redis.away reason=%s", log_esc(why));
	set_state(r, false, why);
	timer_set(&r->retry, r->pause_ms);
	r->pause_ms = MIN(2 * r->pause_ms, PAUSE_MOST_MS);
}

static void
send_words(struct redis *r, const struct slice *words, size_t count)
{
	const char **argv = xcalloc(count, sizeof(*argv));
	size_t *lens = xcalloc(count, sizeof(*lens));
	char *text = NULL;
	int n;

	for (size_t i = 0; i < count; i++) {
		argv[i] = words[i].p;
		lens[i] = words[i].n;
	}
	n = redisFormatCommandArgv(&text, (int)count, argv, lens);
	must(n > 0);
	conn_write(r->conn, slice_make(text, (size_t)n));
	secret_wipe(text, (size_t)n);
	redisFreeCommand(text);
	free(argv);
	free(lens);
	if (!timer_is_set(&r->tick))
		timer_set(&r->tick, MIN(r->c.answer_ms, DEAD_MS));
}

static void
send_asked(struct redis *r, struct asked *a, const struct slice *words, size_t count)
{
	list_add_tail(&r->asked, &a->link);
	send_words(r, words, count);
}

/* Late ones are answered without their answer; with the oldest of them the connection goes. */
static void
on_tick(void *ctx)
{
	struct redis *r = ctx;
	uint64_t now = clock_mono_ms();
	struct asked *a, *first = LIST_FIRST(&r->asked, struct asked, link);
	struct list late;

	if (first == NULL)
		return;
	if (now - first->at_ms >= DEAD_MS) {
		give_up(r, "it does not answer");
		return;
	}
	list_init(&late);
	LIST_EACH (a, &r->asked, struct asked, link) {
		struct asked *copy;

		if (now - a->at_ms < r->c.answer_ms)
			break;
		if (a->fn == NULL)
			continue;
		copy = asked_new(r, a->fn, a->ctx);
		a->fn = NULL;
		fail(r, copy);
	}
	timer_set(&r->tick, MIN(r->c.answer_ms, DEAD_MS));
}

/* ---- answers ------------------------------------------------------------------------------- */

static struct redis_reply
convert(const redisReply *in)
{
	struct redis_reply out = { .type = REDIS_NIL };

	switch (in->type) {
	case REDIS_REPLY_INTEGER:
		out.type = REDIS_NUMBER;
		out.number = in->integer;
		break;
	case REDIS_REPLY_STRING:
	case REDIS_REPLY_STATUS:
		out.type = REDIS_TEXT;
		out.text = slice_make(in->str, in->len);
		break;
	case REDIS_REPLY_ERROR:
		out.type = REDIS_ERROR;
		out.text = slice_make(in->str, in->len);
		break;
	default:
		break;
	}
	return out;
}

/* The server has forgotten the script (a restart): it gets it, and the question again. */
static void
send_whole(struct redis *r, struct asked *a)
{
	struct slice *words = xcalloc(a->count + 3, sizeof(*words));
	char keys[24];

	snprintf(keys, sizeof(keys), "%zu", a->keys);
	words[0] = SLICE("EVAL");
	words[1] = slice_of(a->script->text);
	words[2] = slice_of(keys);
	for (size_t i = 0; i < a->count; i++)
		words[3 + i] = a->words[i];
	a->script = NULL;
	list_del(&a->link);
	send_asked(r, a, words, a->count + 3);
	free(words);
}

static void
heard(struct redis *r, const redisReply *in)
{
	struct asked *a = LIST_FIRST(&r->asked, struct asked, link);
	struct redis_reply items[ITEMS_MOST], reply = convert(in);

	if (in->type == REDIS_REPLY_ARRAY) {
		reply.type = REDIS_LIST;
		reply.items = items;
		reply.count = MIN(in->elements, (size_t)ITEMS_MOST);
		for (size_t i = 0; i < reply.count; i++)
			items[i] = convert(in->element[i]);
	}
	if (reply.type == REDIS_ERROR && a->script != NULL &&
	    slice_starts(reply.text, SLICE("NOSCRIPT")))
		send_whole(r, a);
	else
		answer(r, a, &reply);
}

/* Answers to AUTH, SELECT, PING: the connection is of use when the last is there. */
static const char *
greeted(struct redis *r, const redisReply *in)
{
	static char why[256];

	if (in->type == REDIS_REPLY_ERROR) {
		snprintf(why, sizeof(why), "%.*s", (int)MIN(in->len, (size_t)200), in->str);
		return why;
	}
	if (--r->greetings == 0) {
		r->pause_ms = PAUSE_FIRST_MS;
		set_state(r, true, "connected");
	}
	return NULL;
}

static const char *
read_answers(struct redis *r)
{
	struct conn *conn = r->conn;
	void *got;

	while (redisReaderGetReply(r->reader, &got) == REDIS_OK && got != NULL) {
		const char *why = NULL;

		if (r->greetings > 0)
			why = greeted(r, got);
		else if (list_is_empty(&r->asked))
			why = "it says what nobody asked";
		else
			heard(r, got);
		freeReplyObject(got);
		if (why != NULL || r->conn != conn)
			return why;
	}
	if (r->reader->err != 0)
		return "it does not speak the protocol of Redis";
	return r->reader->len > INPUT_MOST ? "it says too much" : NULL;
}

static void
on_input(void *ctx)
{
	struct redis *r = ctx;
	struct slice in = conn_input(r->conn);
	const char *why;

	(void)redisReaderFeed(r->reader, in.p, in.n); /* its failure shows below */
	conn_consume(r->conn, in.n);
	why = read_answers(r);
	if (why != NULL)
		give_up(r, why);
}

static void
on_end(void *ctx, enum conn_end why)
{
	give_up(ctx, conn_end_text(why));
}

static void
greet(struct redis *r)
{
	struct slice auth[3] = { SLICE("AUTH"), slice_of(r->user != NULL ? r->user : "default"),
		                 slice_of(r->password) };
	struct slice old_auth[2] = { auth[0], auth[2] };
	char number[16];

	if (r->password != NULL && r->user != NULL)
		send_words(r, auth, 3);
	else if (r->password != NULL)
		send_words(r, old_auth, 2);
	if (r->c.database > 0) {
		snprintf(number, sizeof(number), "%d", r->c.database);
		send_words(r, (struct slice[]){ SLICE("SELECT"), slice_of(number) }, 2);
	}
	send_words(r, (struct slice[]){ SLICE("PING") }, 1);
	r->greetings = 1u + (r->password != NULL) + (r->c.database > 0);
}

static void
on_tls(void *ctx)
{
	greet(ctx);
}

static const struct conn_handler handler = {
	.on_input = on_input,
	.on_tls = on_tls,
	.on_end = on_end,
};

static void
on_dialled(void *ctx, struct conn **c, const char *why)
{
	struct redis *r = ctx;

	r->dial = NULL;
	if (*c == NULL) {
		give_up(r, why);
		return;
	}
	r->conn = *c;
	*c = NULL;
	r->reader = redisReaderCreate();
	must(r->reader != NULL);
	/* whoever does not greet in time is as good as away */
	timer_set(&r->retry, CONNECT_MS);
	conn_set_handler(r->conn, &handler, r);
	if (r->c.tls != NULL)
		conn_start_tls_client(r->conn, r->c.tls, r->tls_name);
	else
		greet(r);
}

/* Also the time-out of a greeting. */
static void
connect_now(void *ctx)
{
	struct redis *r = ctx;

	if (r->up)
		return;
	if (r->conn != NULL) {
		give_up(r, "it does not greet");
		return;
	}
	r->dial = dial_start(r->c.loop, &r->c.at, CONNECT_MS, on_dialled, r);
}

/* ---- for others ---------------------------------------------------------------------------- */

static char *
copy(const char *s)
{
	return s != NULL ? xstrdup(s) : NULL;
}

struct redis *
redis_new(const struct redis_config *c)
{
	struct redis *r = xcalloc(1, sizeof(*r));

	r->c = *c;
	r->user = copy(c->user);
	r->password = copy(c->password);
	r->tls_name = copy(c->tls_name);
	r->pause_ms = PAUSE_FIRST_MS;
	list_init(&r->asked);
	list_init(&r->failed);
	timer_init(&r->retry, c->loop, connect_now, r);
	timer_init(&r->tick, c->loop, on_tick, r);
	connect_now(r);
	return r;
}

void
redis_free(struct redis **rp)
{
	struct redis *r = *rp;
	struct asked *a;

	*rp = NULL;
	if (r == NULL)
		return;
	r->c.on_state = NULL;
	give_up(r, "the end");
	while ((a = LIST_FIRST(&r->failed, struct asked, link)) != NULL)
		asked_free(r, a);
	loop_forget(r->c.loop, r);
	timer_fini(&r->retry);
	timer_fini(&r->tick);
	if (r->password != NULL)
		secret_wipe(r->password, strlen(r->password));
	free(r->user);
	free(r->password);
	free(r->tls_name);
	free(r);
}

bool
redis_is_up(const struct redis *r)
{
	return r->up;
}

static bool
can_take(const struct redis *r)
{
	return r->up && r->waiting < WAITING_MOST && conn_output_bytes(r->conn) < OUTPUT_MOST;
}

void
redis_ask(struct redis *r, const struct slice *words, size_t count, redis_fn *fn, void *ctx)
{
	struct asked *a = asked_new(r, fn, ctx);

	if (can_take(r))
		send_asked(r, a, words, count);
	else
		fail(r, a);
}

static void
name_script(struct redis_script *s)
{
	struct buf hex = BUF_INIT(sizeof(s->sha1));
	uint8_t sum[DIGEST_SHA1_LEN];

	digest_sha1(slice_of(s->text), sum);
	text_hex_add(&hex, slice_make(sum, sizeof(sum)));
	snprintf(s->sha1, sizeof(s->sha1), "%s", buf_cstr(&hex));
	buf_fini(&hex);
}

void
redis_run(struct redis *r, struct redis_script *script, const struct slice *words, size_t count,
          size_t keys, redis_fn *fn, void *ctx)
{
	struct asked *a = asked_new(r, fn, ctx);
	struct slice *all;
	char number[24];

	if (!can_take(r)) {
		fail(r, a);
		return;
	}
	if (script->sha1[0] == '\0')
		name_script(script);
	snprintf(number, sizeof(number), "%zu", keys);
	all = xcalloc(count + 3, sizeof(*all));
	all[0] = SLICE("EVALSHA");
	all[1] = slice_of(script->sha1);
	all[2] = slice_of(number);
	a->script = script;
	a->keys = keys;
	a->count = count;
	a->words = xcalloc(MAX(count, (size_t)1), sizeof(*a->words));
	for (size_t i = 0; i < count; i++) {
		all[3 + i] = words[i];
		a->words[i] = slice_make(xmemdup(words[i].p, words[i].n), words[i].n);
	}
	send_asked(r, a, all, count + 3);
	free(all);
}
