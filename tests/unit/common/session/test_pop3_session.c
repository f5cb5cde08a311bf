/*
 * pop3_session with an owner that has no mail, on the fake network: what every POP3 session does,
 * whatever is behind the login. Each script is played whole and cut into pieces.
 */
#include "session/pop3_session.h"

#include "fakeauth/fakeauth.h"
#include "fakenet/play.h"
#include "lib/test.h"

#include <stdio.h>
#include <string.h>

struct world {
	struct play *play;
	struct conf *conf;
	struct auth *auth;
	struct pop3_service *service;
	struct pop3_session *last; /* the last one that logged in or waits for us; not ended */
	unsigned ended;
	bool drained;
	char who[100];
};

/* ---- the owner ------------------------------------------------------------------------------ */

struct test_session {
	struct pop3_session pop3;
	unsigned commands;
};

/* Ann's maildrop is locked, bob's cannot be found; what becomes of slow is an action's. */
static void
on_known(struct pop3_session *s, UNUSED const struct auth_reply *r)
{
	struct world *w = s->service->c.owner;

	w->last = s;
	s->store = "store1";
	if (strcmp(s->user, "ann") == 0)
		pop3_session_refuse(s, POP3_REFUSED_IN_USE);
	else if (strcmp(s->user, "bob") == 0)
		pop3_session_refuse(s, POP3_REFUSED_TEMP);
	else if (strcmp(s->user, "slow") != 0)
		pop3_session_enter(s);
}

/* QUIT waits for an action. */
static void
on_command(struct pop3_session *s, const struct pop3_event *ev)
{
	((struct test_session *)s)->commands++;
	if (ev->kind == POP3_REPLY)
		pop3_session_reply(s, ev->text);
	else if (ev->kind != POP3_QUIT)
		pop3_session_reply(s, "+OK done");
}

static void
on_output_drained(UNUSED struct pop3_session *s)
{
}

static void
on_end(struct pop3_session *s, struct buf *done)
{
	struct world *w = s->service->c.owner;

	buf_printf(done, "commands=%u", ((struct test_session *)s)->commands);
	w->ended++;
	if (w->last == s)
		w->last = NULL;
}

static struct pop3_ops ops = {
	.session_bytes = sizeof(struct test_session),
	.known = on_known,
	.command = on_command,
	.drained = on_output_drained,
	.end = on_end,
};

/* ---- the world ------------------------------------------------------------------------------ */

static void
on_plain(void *ctx, struct conn **c)
{
	pop3_session_start(((struct world *)ctx)->service, c, false);
}

static void
on_tls(void *ctx, struct conn **c)
{
	pop3_session_start(((struct world *)ctx)->service, c, true);
}

/* owner lets him in | says bye */
static void
on_owner_action(void *ctx, const char *rest)
{
	struct world *w = ctx;

	assert_non_null(w->last);
	if (strcmp(rest, "lets him in") == 0) {
		pop3_session_enter(w->last);
		return;
	}
	pop3_session_reply(w->last, "+OK Bye.");
	pop3_session_end(w->last, "quit");
}

static void
on_drained(void *ctx)
{
	((struct world *)ctx)->drained = true;
}

/* drain begins | lets them stay | is over | is not over */
static void
on_drain_action(void *ctx, const char *rest)
{
	struct world *w = ctx;

	if (strncmp(rest, "is ", 3) == 0)
		assert_int_equal(w->drained, strcmp(rest, "is over") == 0);
	else
		pop3_service_drain(w->service, strcmp(rest, "begins") != 0, on_drained, w);
}

/* user NAME moves */
static void
on_user_action(void *ctx, const char *rest)
{
	struct slice words = slice_of(rest);

	pop3_service_end_user(((struct world *)ctx)->service, slice_cut(&words, ' '));
}

static void
on_who(void *ctx, const struct who_session *i)
{
	struct world *w = ctx;

	snprintf(w->who, sizeof(w->who), "%s %s %s %s %s", i->service, i->peer,
	         i->user != NULL ? i->user : "-", i->store != NULL ? i->store : "-", i->state);
}

/* sessions are N, N ended | say TEXT (of the last one) */
static void
on_sessions_action(void *ctx, const char *rest)
{
	struct world *w = ctx;
	unsigned open, ended;

	if (strncmp(rest, "say ", 4) == 0) {
		pop3_service_each(w->service, on_who, w);
		test_eq_str("who", w->who, rest + 4);
		return;
	}
	assert_int_equal(sscanf(rest, "are %u, %u ended", &open, &ended), 2);
	assert_int_equal(pop3_service_count(w->service), open);
	assert_int_equal(metrics_value(&pop3_metrics[POP3_M_SESSIONS]), open);
	assert_int_equal(w->ended, ended);
}

/* metrics are OK DENIED TEMP */
static void
on_metrics_action(UNUSED void *ctx, const char *rest)
{
	char text[100];

	snprintf(text, sizeof(text), "are %d %d %d",
	         (int)metrics_value(&pop3_metrics[POP3_M_LOGIN_OK]),
	         (int)metrics_value(&pop3_metrics[POP3_M_LOGIN_DENIED]),
	         (int)metrics_value(&pop3_metrics[POP3_M_LOGIN_TEMP]));
	test_eq_str("metrics", rest, text);
}

static void
world_init(struct world *w)
{
	static const struct conf_def table[] = {
		{ "pop3_login_timeout", CONF_DURATION, "60s", 1000, 600000 },
		{ "pop3_idle_timeout", CONF_DURATION, "10m", 600000, 86400000 },
		{ "pop3_max_sessions", CONF_INT, "2", 1, 10 },
		{ .name = NULL },
	};
	static const struct conf_def *const tables[] = { table, NULL };
	static const struct conf_schema schema = { "test", tables };
	static char fake_tls;
	static const char *const users[] = { "fred", "ann", "bob", "slow" };
	struct err err = { "" };

	*w = (struct world){ .play = play_new() };
	for (size_t i = 0; i < POP3_M_COUNT; i++)
		pop3_metrics[i].own = 0;
	log_set_level(LOG_ERROR);
	w->conf = conf_load_text("test", SLICE("[common]\nhostname = here\n"), &schema, NULL, &err);
	test_check(w->conf != NULL, "%s", err.text);
	w->auth = fakeauth_new(play_loop(w->play), "example.org");
	for (size_t i = 0; i < ARRAY_LEN(users); i++)
		fakeauth_add_user(w->auth, users[i], "pw", "");
	w->service = pop3_service_new(&(struct pop3_service_config){
		.loop = play_loop(w->play),
		.auth = w->auth,
		.conf = w->conf,
		/* the fake network only looks whether there is one */
		.tls = (struct tls_ctx *)(void *)&fake_tls,
		.ops = &ops,
		.owner = w,
	});
	play_add_client(w->play, "client", "127.0.0.1:1000", "127.0.0.1:110", on_plain, w);
	play_add_client(w->play, "second", "127.0.0.1:1001", "127.0.0.1:110", on_plain, w);
	play_add_client(w->play, "third", "127.0.0.1:1002", "127.0.0.1:110", on_plain, w);
	play_add_client(w->play, "secure", "198.51.100.1:1000", "127.0.0.1:995", on_tls, w);
	play_add_action(w->play, "owner", on_owner_action, w);
	play_add_action(w->play, "drain", on_drain_action, w);
	play_add_action(w->play, "user", on_user_action, w);
	play_add_action(w->play, "sessions", on_sessions_action, w);
	play_add_action(w->play, "metrics", on_metrics_action, w);
}

static void
world_fini(struct world *w)
{
	pop3_service_free(&w->service);
	fakenet_settle(play_loop(w->play));
	auth_free(&w->auth);
	play_free(&w->play);
	conf_free(&w->conf);
}

static void
play(const char *script)
{
	static const char *const pieces[] = { "split 0\n", "split 1\n", "split 2\n", "split 3\n",
		                              "split 7\n" };

	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		struct world w;

		world_init(&w);
		play_run(w.play, pieces[i]);
		play_run(w.play, script);
		world_fini(&w);
	}
}

#define CONNECT "client connects\nclient < +OK [XCLIENT] here POP3 ready.\n"
#define TRY(user) "client > USER " user "\nclient < +OK*\nclient > PASS pw\n"
#define FRED TRY("fred") "client < +OK Logged in.\n"
#define ANN TRY("ann") "client < -ERR [IN-USE] *\n"
#define BOB TRY("bob") "client < -ERR [SYS/TEMP] *\n"
#define SLOW TRY("slow")
#define LOGIN CONNECT FRED

/* ---- logins -------------------------------------------------------------------------------- */

TEST(from_the_greeting_to_the_goodbye)
{
	play(LOGIN "sessions say pop3 127.0.0.1 fred store1 TRANSACTION\n"
	           "client > NOOP\nclient < +OK done\n"
	           "client > FOO\nclient < -ERR Unknown command.\n"
	           "client > QUIT\nclient is silent\nowner says bye\nclient < +OK Bye.\n"
	           "client is closed\nsessions are 0, 1 ended\nmetrics are 1 0 0\n");
	play(CONNECT "client > QUIT\nclient < +OK Bye.\nclient is closed\n"
	             "sessions are 0, 1 ended\n");
}

/* Nobody can be sure that the password was wrong. */
TEST(a_locked_maildrop_counts_as_later)
{
	play(CONNECT ANN "metrics are 0 0 1\n" BOB "metrics are 0 0 2\n"
	                 "client > USER fred\nclient < +OK*\n"
	                 "client > PASS no\nclient < -ERR [AUTH] *\nmetrics are 0 1 2\n"
	                 "sessions say pop3 127.0.0.1 - - AUTHORIZATION\n" FRED
	                 "metrics are 1 1 2\n");
}

TEST(nothing_is_read_while_the_owner_thinks)
{
	play(CONNECT SLOW "client >> NOOP\\r\\nQUIT\\r\\n\nclient is silent\n"
	                  "owner lets him in\nclient < +OK Logged in.\nclient < +OK done\n"
	                  "owner says bye\nclient < +OK Bye.\nclient is closed\n");
}

TEST(on_port_995_tls_comes_before_the_greeting)
{
	play("secure connects\nsecure is silent\nsecure starts tls\nsecure < +OK here POP3 ready.\n"
	     "secure > CAPA\nsecure << .\nsecure > QUIT\nsecure < +OK*\nsecure is closed\n");
	play("secure connects\nwait 61s\nsecure is closed\nsessions are 0, 1 ended\n");
	play(CONNECT "second connects\nsecond < +OK*\nsecure connects\nsecure is closed\n"
	             "sessions are 2, 1 ended\n");
}

/* ---- XCLIENT ------------------------------------------------------------------------------- */

TEST(who_is_named_names_nobody)
{
	ops.client_follows = true;
	play(CONNECT "client > XCLIENT SESSION=abc\nclient < +OK*\n"
	             "client > XCLIENT ADDR=192.0.2.7\nclient < +OK*\n"
	             "client > XCLIENT ADDR=192.0.2.8\nclient < -ERR*\n"
	             "sessions say pop3 192.0.2.7 - - AUTHORIZATION\n");
	ops.client_follows = false;
	play(CONNECT "client > XCLIENT ADDR=192.0.2.7\nclient < +OK*\n"
	             "client > XCLIENT ADDR=192.0.2.8\nclient < +OK*\n"
	             "sessions say pop3 192.0.2.8 - - AUTHORIZATION\n");
}

/* ---- ends ---------------------------------------------------------------------------------- */

TEST(who_said_quit_may_hang_up)
{
	play(LOGIN "client > QUIT\nclient ends\nsessions are 1, 0 ended\nowner says bye\n"
	           "client < +OK Bye.\nclient is closed\nsessions are 0, 1 ended\n");
	play(LOGIN "client ends\nsessions are 0, 1 ended\n");
	play(CONNECT SLOW "client ends\nsessions are 0, 1 ended\n");
}

TEST(a_drain_sends_away_who_is_not_in)
{
	play(LOGIN "second connects\nsecond < +OK*\ndrain begins\nsecond < -ERR [SYS/TEMP] *\n"
	           "second is closed\ndrain is not over\nclient > QUIT\nowner says bye\n"
	           "client < +OK*\ndrain is over\n");
	play(CONNECT "drain lets them stay\nclient is silent\nclient > QUIT\nclient < +OK*\n"
	             "drain is over\n");
}

TEST(the_sessions_of_one_user_end)
{
	play(LOGIN "second connects\nsecond < +OK*\nuser ann moves\nclient is silent\n"
	           "sessions are 2, 0 ended\nuser fred moves\nclient is closed\n"
	           "sessions are 1, 1 ended\n");
}
