/* redis - a server that answers, is late, is silent, breaks off, or is none. */
#include "redis/redis.h"

#include "fakenet/play.h"
#include "lib/test.h"
#include "log/log.h"

#include <stdio.h>
#include <string.h>

#define AT "127.0.0.1:6379"

struct world {
	struct play *play;
	struct redis *redis;
	char said[1000]; /* what callbacks were given */
	char state[1000];
};

static void
print(struct world *w, const struct redis_reply *r)
{
	size_t n = strlen(w->said);
	char *at = w->said + n;
	size_t room = sizeof(w->said) - n;

	if (r == NULL)
		snprintf(at, room, "none;");
	else if (r->type == REDIS_NUMBER)
		snprintf(at, room, "%lld;", (long long)r->number);
	else if (r->type == REDIS_TEXT)
		snprintf(at, room, "%.*s;", SLICE_ARG(r->text));
	else if (r->type == REDIS_ERROR)
		snprintf(at, room, "error %.*s;", SLICE_ARG(r->text));
	else if (r->type == REDIS_LIST)
		snprintf(at, room, "list %zu;", r->count);
	else
		snprintf(at, room, "nil;");
	if (r != NULL && r->type == REDIS_LIST)
		for (size_t i = 0; i < r->count; i++)
			print(w, &r->items[i]);
}

static void
on_reply(void *ctx, const struct redis_reply *r)
{
	print(ctx, r);
}

static void
on_state(void *ctx, bool up, const char *why)
{
	struct world *w = ctx;
	size_t n = strlen(w->state);

	snprintf(w->state + n, sizeof(w->state) - n, "%s: %s;", up ? "up" : "down", why);
}

/* "ask GET x" */
static void
do_ask(void *ctx, const char *rest)
{
	struct world *w = ctx;
	struct slice words[8], left = slice_of(rest);
	size_t n = 0;

	while (left.n > 0 && n < 8)
		words[n++] = slice_cut(&left, ' ');
	redis_ask(w->redis, words, n, on_reply, w);
}

static struct redis_script script = { .text = "return 1" };

static void
do_run(void *ctx, const char *rest)
{
	struct world *w = ctx;
	struct slice words[2] = { SLICE("key"), slice_of(rest) };

	redis_run(w->redis, &script, words, 2, 1, on_reply, w);
}

static void
do_heard(void *ctx, const char *rest)
{
	struct world *w = ctx;

	test_eq_str("answers", w->said, rest);
	w->said[0] = '\0';
}

static void
do_state(void *ctx, const char *rest)
{
	struct world *w = ctx;

	test_eq_str("state", w->state, rest);
	w->state[0] = '\0';
}

static void
play(const char *password, const char *script_text)
{
	struct world w = { .play = play_new() };
	struct redis_config c = {
		.loop = play_loop(w.play),
		.password = password,
		.answer_ms = 100,
		.on_state = on_state,
		.ctx = &w,
	};
	struct err err;

	log_set_level(LOG_ERROR);
	script.sha1[0] = '\0';
	assert_true(addr_parse(SLICE(AT), 0, &c.at, &err));
	play_add_server(w.play, "redis", AT);
	play_add_action(w.play, "ask", do_ask, &w);
	play_add_action(w.play, "run", do_run, &w);
	play_add_action(w.play, "heard", do_heard, &w);
	play_add_action(w.play, "state", do_state, &w);
	w.redis = redis_new(&c);
	fakenet_settle(play_loop(w.play));
	play_run(w.play, script_text);
	redis_free(&w.redis);
	fakenet_settle(play_loop(w.play));
	play_free(&w.play);
}

#define HELLO                                                                                      \
	"redis accepts\n"                                                                          \
	"redis < *1\nredis < $4\nredis < PING\n"                                                   \
	"redis > +PONG\n"                                                                          \
	"state up: connected;\n"

TEST(answers_come_in_order)
{
	play(NULL, HELLO "ask GET a\n"
	                 "ask INCR b\n"
	                 "redis < *2\nredis < $3\nredis < GET\nredis < $1\nredis < a\n"
	                 "redis < *2\nredis < $4\nredis < INCR\nredis < $1\nredis < b\n"
	                 "redis > $5\\r\\nhello\n"
	                 "redis > :42\n"
	                 "heard hello;42;\n"
	                 "ask X\nask Y\nask Z\n"
	                 "split 1\n"
	                 "redis >> -ERR what\\r\\n*3\\r\\n:1\\r\\n$-1\\r\\n+OK\\r\\n$-1\\r\\n\n"
	                 "heard error ERR what;list 3;1;nil;OK;nil;\n");
}

TEST(a_password_is_shown_first)
{
	play("hush", "redis accepts\n"
	             "redis << AUTH\nredis < $4\nredis < hush\n"
	             "redis << PING\n"
	             "redis > +OK\n"
	             "state \n"
	             "redis > +PONG\n"
	             "state up: connected;\n");
	play("hush", "redis accepts\n"
	             "redis << PING\n"
	             "redis > -WRONGPASS no\n"
	             "redis is closed\n"
	             "state \n"
	             "wait 100ms\n"
	             "redis accepts\n");
}

TEST(who_asks_while_it_is_away_hears_none_at_once)
{
	play(NULL, "ask GET a\n"
	           "heard none;\n" HELLO "ask GET a\n"
	           "redis closes\n"
	           "heard none;\n"
	           "state down: the peer closed;\n"
	           "ask GET a\n"
	           "heard none;\n"
	           "wait 99ms\n"
	           "wait 1ms\n" HELLO "ask GET a\n"
	           "redis << a\n"
	           "redis > +x\n"
	           "heard x;\n");
}

TEST(late_answers_find_nobody_and_nobody_gets_another_ones)
{
	play(NULL, HELLO "ask GET a\n"
	                 "wait 99ms\n"
	                 "heard \n"
	                 "wait 2ms\n"
	                 "heard none;\n"
	                 "ask GET b\n"
	                 "redis > +first\n"
	                 "heard \n"
	                 "redis > +second\n"
	                 "heard second;\n");
}

TEST(a_silent_one_is_given_up)
{
	play(NULL, HELLO "ask GET a\n"
	                 "wait 101ms\n"
	                 "heard none;\n"
	                 "state \n"
	                 "wait 2s\n"
	                 "state down: it does not answer;\n"
	                 "wait 100ms\n" HELLO);
	/* one that never greets, too */
	play(NULL, "redis accepts\n"
	           "redis << PING\n"
	           "wait 2s\n"
	           "redis is closed\n"
	           "state \n"
	           "wait 100ms\n" HELLO);
}

TEST(the_pauses_grow_and_begin_again)
{
	play(NULL, "redis accepts\n"
	           "redis closes\n"
	           "redis refuses\n"
	           "wait 100ms\n"
	           "wait 200ms\n"
	           "wait 400ms\n"
	           "wait 800ms\n"
	           "redis listens\n"
	           "wait 1599ms\n"
	           "wait 1ms\n" HELLO "redis closes\n"
	           "state down: the peer closed;\n"
	           "wait 100ms\n" HELLO);
}

TEST(one_that_speaks_something_else_is_given_up)
{
	play(NULL, HELLO "redis > +what nobody asked\n"
	                 "redis is closed\n"
	                 "state down: it says what nobody asked;\n");
	play(NULL, HELLO "ask GET a\n"
	                 "redis > HTTP/1.0 400 Bad Request\n"
	                 "heard none;\n"
	                 "state down: it does not speak the protocol of Redis;\n");
}

TEST(scripts_are_named_and_sent_whole_when_they_are_not_there)
{
	play(NULL, HELLO "run arg\n"
	                 "redis < *5\nredis < $7\nredis < EVALSHA\nredis < $40\n"
	                 "redis < e0e1f9fabfc9d4800c877a703b823ac0578ff8db\n"
	                 "redis < $1\nredis < 1\nredis < $3\nredis < key\n"
	                 "redis < $3\nredis < arg\n"
	                 "redis > -NOSCRIPT No matching script.\n"
	                 "heard \n"
	                 "redis << EVAL\nredis < $8\nredis < return 1\n"
	                 "redis << arg\n"
	                 "redis > :1\n"
	                 "heard 1;\n"
	                 "run again\n"
	                 "redis << EVALSHA\nredis << again\n"
	                 "redis > :2\n"
	                 "heard 2;\n");
}
