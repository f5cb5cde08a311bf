/* guard - a worker's side, with a limits process of a few lines: what it says is done; when it
 * says nothing, everybody is let in. */
#include "guard/guard.h"
#include "guard/guard_wire.h"

#include "conf/conf.h"
#include "directory/auth.h"
#include "fakeauth/fakeauth.h"
#include "fakenet/fakenet.h"
#include "lib/test.h"
#include "log/log.h"
#include "net/conn.h"

#include <stdio.h>
#include <string.h>

#define PATH "/run/limits"

static const char *const kinds[] = {
	[GUARD_OPEN] = "open",     [GUARD_RESTORE] = "restore",   [GUARD_CLOSE] = "close",
	[GUARD_TRY] = "try",       [GUARD_PASSED] = "passed",     [GUARD_FAILED] = "failed",
	[GUARD_TAKE] = "take",     [GUARD_LIST] = "list",         [GUARD_CLEAR] = "clear",
	[GUARD_ANSWER] = "answer", [GUARD_FAILURES] = "failures", [GUARD_KNOWN] = "known",
};

struct world {
	struct loop *loop;
	struct conf *conf;
	struct guard *guard;
	struct auth *auth, *inner;
	struct conn *server; /* the limits process's end; NULL: not connected */
	enum limit_verdict says[GUARD_KINDS];
	uint64_t amount;
	bool silent;
	char heard[2000]; /* "open 192.0.2.1;..." */
	/* a client's conn */
	struct conn *client, *conn;
	unsigned admitted;
	/* a login */
	unsigned answers;
	enum auth_result result;
	char user[100], why[100];
};

/* ---- the limits process -------------------------------------------------------------------- */

static void
server_input(void *ctx)
{
	static struct guard_storage storage;
	struct world *w = ctx;
	struct guard_frame f;
	size_t used;

	while (guard_wire_next(conn_input(w->server), &f, &storage, &used) == 1) {
		struct guard_frame a = {
			.kind = GUARD_ANSWER,
			.id = f.id,
			.verdict = w->says[f.kind],
			.amount = w->amount,
		};
		struct buf out = BUF_INIT(SIZE_MAX);
		size_t n = strlen(w->heard);

		snprintf(w->heard + n, sizeof(w->heard) - n, "%s %s%s%s;", kinds[f.kind], f.address,
		         *f.user != '\0' ? " " : "", f.user);
		conn_consume(w->server, used);
		guard_wire_add(&a, &out);
		if (f.id != 0 && !w->silent)
			conn_write(w->server, buf_slice(&out));
		buf_fini(&out);
	}
}

static void
server_end(void *ctx, UNUSED enum conn_end why)
{
	struct world *w = ctx;

	conn_free(&w->server);
}

static const struct conn_handler server_handler = {
	.on_input = server_input,
	.on_end = server_end,
};

static void
on_server(void *ctx, struct conn **c)
{
	struct world *w = ctx;

	w->server = *c;
	*c = NULL;
	conn_set_handler(w->server, &server_handler, w);
}

static void
heard(struct world *w, const char *want)
{
	fakenet_settle(w->loop);
	test_eq_str("heard", w->heard, want);
	w->heard[0] = '\0';
}

/* ---- the worker ---------------------------------------------------------------------------- */

static void
begin(struct world *w, bool with_server)
{
	static const struct conf_schema schema = { "roost-imap", NULL };
	struct err err;

	memset(w, 0, sizeof(*w));
	log_set_level(LOG_ERROR);
	w->loop = loop_new();
	w->conf = conf_load_text("test",
	                         SLICE("[common]\ndefault_domain = example.org\n"
	                               "unlimited_networks = 10.0.0.0/8\n"
	                               "login_failure_delay = 2s\n"),
	                         &schema, NULL, &err);
	test_check(w->conf != NULL, "%s", err.text);
	if (with_server)
		fakenet_listen(w->loop, PATH, on_server, w);
	w->guard = guard_new(w->loop, PATH, w->conf);
	w->inner = fakeauth_new(w->loop, "example.org");
	fakeauth_add_user(w->inner, "fred", "secret", "store1");
	w->auth = guard_auth_new(w->guard, &(struct auth *){ w->inner }, w->conf);
	fakenet_settle(w->loop);
}

static void
end(struct world *w)
{
	conn_free(&w->client);
	conn_free(&w->conn);
	auth_free(&w->auth);
	guard_free(&w->guard);
	fakenet_settle(w->loop);
	conn_free(&w->server);
	fakenet_settle(w->loop);
	loop_free(&w->loop);
	conf_free(&w->conf);
}

static void
on_admitted(void *ctx, struct conn **c)
{
	struct world *w = ctx;

	w->admitted++;
	w->conn = *c;
	*c = NULL;
}

static void
come(struct world *w, const char *from)
{
	struct conn *theirs;
	char text[64];

	conn_free(&w->client);
	conn_free(&w->conn);
	w->admitted = 0;
	snprintf(text, sizeof(text), "%s:4000", from);
	fakenet_pair(w->loop, text, "192.0.2.200:143", &w->client, &theirs);
	guard_admit(w->guard, &theirs, "* BYE too many\r\n", on_admitted, w);
	fakenet_settle(w->loop);
}

TEST(who_may_come_is_asked_and_his_end_is_told)
{
	struct world w;

	begin(&w, true);
	come(&w, "192.0.2.1");
	assert_int_equal(w.admitted, 1);
	heard(&w, "open 192.0.2.1;");
	conn_free(&w.conn);
	heard(&w, "close ;");
	come(&w, "[2001:db8:1:2:3::4]");
	heard(&w, "open 2001:db8:1:2::/64;");
	come(&w, "10.1.1.1"); /* not limited; the one before goes */
	assert_int_equal(w.admitted, 1);
	heard(&w, "close ;");
	end(&w);
}

TEST(who_is_too_many_is_told_so)
{
	struct world w;

	begin(&w, true);
	w.says[GUARD_OPEN] = LIMIT_BY_ADDRESS;
	come(&w, "192.0.2.1");
	assert_int_equal(w.admitted, 0);
	test_eq_slice("said", conn_input(w.client), SLICE("* BYE too many\r\n"));
	heard(&w, "open 192.0.2.1;close ;");
	end(&w);
}

TEST(without_an_answer_the_door_is_open)
{
	struct world w;

	begin(&w, false); /* there is none */
	come(&w, "192.0.2.1");
	fakenet_advance(w.loop, 0);
	assert_int_equal(w.admitted, 1);
	end(&w);
	begin(&w, true); /* it hangs */
	w.silent = true;
	come(&w, "192.0.2.1");
	assert_int_equal(w.admitted, 0);
	fakenet_advance(w.loop, GUARD_ANSWER_MS - 1);
	assert_int_equal(w.admitted, 0);
	fakenet_advance(w.loop, 1);
	assert_int_equal(w.admitted, 1);
	end(&w);
}

TEST(a_new_limits_process_is_told_who_is_there)
{
	struct world w;

	begin(&w, true);
	come(&w, "192.0.2.1");
	heard(&w, "open 192.0.2.1;");
	fakenet_reset(&w.server);
	fakenet_advance(w.loop, 1000);
	heard(&w, "restore 192.0.2.1;");
	conn_free(&w.conn);
	heard(&w, "close ;");
	end(&w);
}

/* ---- logins -------------------------------------------------------------------------------- */

static void
on_login(void *ctx, UNUSED uint64_t id, const struct auth_reply *r)
{
	struct world *w = ctx;

	w->answers++;
	w->result = r->result;
	snprintf(w->user, sizeof(w->user), "%s", r->user != NULL ? r->user : "");
	snprintf(w->why, sizeof(w->why), "%s", r->why != NULL ? r->why : "");
}

static uint64_t
log_in(struct world *w, const char *peer, const char *user, const char *password)
{
	struct auth_session s = {
		.service = "imap",
		.session = "abc",
		.peer = peer,
		.conn = w->conn,
	};
	uint64_t id;

	w->answers = 0;
	id = auth_login(w->auth, &s, slice_of(user), slice_of(password), on_login, w);
	fakenet_settle(w->loop);
	return id;
}

TEST(a_right_password_is_asked_about_twice)
{
	struct world w;

	begin(&w, true);
	come(&w, "192.0.2.1");
	heard(&w, "open 192.0.2.1;");
	log_in(&w, "192.0.2.1", "Fred@example.org", "secret");
	assert_true(w.answers == 1 && w.result == AUTH_OK);
	test_eq_str("user", w.user, "fred");
	heard(&w, "try 192.0.2.1 fred;passed 192.0.2.1 fred;");
	fakenet_reset(&w.server); /* the next one hears of him, too */
	fakenet_advance(w.loop, 1000);
	heard(&w, "restore 192.0.2.1 fred;");
	log_in(&w, "10.1.1.1", "fred", "secret");
	assert_true(w.answers == 1 && w.result == AUTH_OK);
	heard(&w, "");
	end(&w);
}

TEST(a_wrong_password_waits_as_long_as_is_said)
{
	struct world w;

	begin(&w, true);
	w.amount = 8000;
	log_in(&w, "192.0.2.1", "fred", "wrong");
	heard(&w, "try 192.0.2.1 fred;failed 192.0.2.1;"); /* at once */
	fakenet_advance(w.loop, 7999);
	assert_int_equal(w.answers, 0);
	fakenet_advance(w.loop, 1);
	assert_true(w.answers == 1 && w.result == AUTH_DENIED);
	w.amount = 86400000; /* nobody waits longer than clients do */
	log_in(&w, "192.0.2.1", "fred", "wrong");
	fakenet_advance(w.loop, 15000);
	assert_int_equal(w.answers, 1);
	end(&w);
}

TEST(a_wrong_password_waits_its_time_whoever_counts_it)
{
	static const char *const from[] = { "192.0.2.1", "10.1.1.1" }; /* limited, and not */

	for (int with_server = 0; with_server < 2; with_server++)
		for (size_t i = 0; i < ARRAY_LEN(from); i++) {
			struct world w;

			begin(&w, with_server);
			log_in(&w, from[i], "fred", "wrong");
			fakenet_advance(w.loop, 1999);
			assert_int_equal(w.answers, 0);
			fakenet_advance(w.loop, 1);
			assert_true(w.answers == 1 && w.result == AUTH_DENIED);
			end(&w);
		}
}

TEST(who_is_blocked_hears_the_same_whatever_he_says)
{
	static const enum guard_kind at[] = { GUARD_TRY, GUARD_PASSED };

	for (size_t i = 0; i < ARRAY_LEN(at); i++) {
		struct world w;

		begin(&w, true);
		w.says[at[i]] = LIMIT_BLOCKED;
		log_in(&w, "192.0.2.1", "fred", "secret");
		assert_int_equal(w.answers, 0);
		fakenet_advance(w.loop, 2000);
		assert_true(w.answers == 1 && w.result == AUTH_LIMIT);
		assert_non_null(strstr(w.why, "failed logins"));
		assert_null(strstr(w.heard, "failed"));
		end(&w);
	}
}

TEST(a_wrong_password_of_who_is_blocked_sounds_like_a_right_one)
{
	struct world w;

	begin(&w, true);
	w.says[GUARD_FAILED] = LIMIT_BLOCKED; /* TRY did not know yet, or was not told his name */
	w.amount = 8000;
	log_in(&w, "192.0.2.1", "fred", "wrong");
	fakenet_advance(w.loop, 1999);
	assert_int_equal(w.answers, 0);
	fakenet_advance(w.loop, 1);
	assert_true(w.answers == 1 && w.result == AUTH_LIMIT);
	assert_non_null(strstr(w.why, "failed logins"));
	end(&w);
}

/* ---- an auth that says what a test wants ---- */

struct puppet {
	struct auth auth;
	auth_fn *fn;
	void *ctx;
	unsigned cancelled;
};

static uint64_t
puppet_start(struct auth *a, UNUSED const struct auth_session *s, UNUSED const char *mech,
             UNUSED struct slice initial, auth_fn *fn, void *ctx)
{
	struct puppet *p = CONTAINER_OF(a, struct puppet, auth);

	p->fn = fn;
	p->ctx = ctx;
	return 1;
}

static void
puppet_step(UNUSED struct auth *a, UNUSED uint64_t id, UNUSED struct slice response)
{
}

static void
puppet_cancel(struct auth *a, UNUSED uint64_t id)
{
	CONTAINER_OF(a, struct puppet, auth)->cancelled++;
}

static void
puppet_free(UNUSED struct auth *a)
{
}

static const struct auth_ops puppet_ops = {
	.start = puppet_start,
	.step = puppet_step,
	.cancel = puppet_cancel,
	.free = puppet_free,
};

/* SCRAM up to the client's proof, which is right. */
static uint64_t
prove(struct world *w, struct puppet *p)
{
	struct auth_session s = { .service = "imap", .session = "abc", .peer = "192.0.2.1" };
	struct auth_reply first = { .result = AUTH_CONTINUE,
		                    .challenge = SLICE_INIT("r="),
		                    .user = "" };
	struct auth_reply proof = { .result = AUTH_CONTINUE,
		                    .challenge = SLICE_INIT("v="),
		                    .user = "fred" };
	uint64_t id;

	auth_free(&w->auth);
	*p = (struct puppet){ .auth = { &puppet_ops } };
	w->auth = guard_auth_new(w->guard, &(struct auth *){ &p->auth }, w->conf);
	id = auth_start(w->auth, &s, "SCRAM-SHA-256", SLICE("n,,"), on_login, w);
	heard(w, "try 192.0.2.1;");
	p->fn(p->ctx, 1, &first);
	assert_true(w->answers == 1 && w->result == AUTH_CONTINUE);
	auth_step(w->auth, id, SLICE("c="));
	p->fn(p->ctx, 1, &proof);
	return id;
}

TEST(our_proof_is_not_for_who_is_blocked)
{
	struct world w;
	struct puppet p;

	begin(&w, true);
	prove(&w, &p);
	heard(&w, "try 192.0.2.1 fred;");
	assert_true(w.answers == 2 && w.result == AUTH_CONTINUE && p.cancelled == 0);
	w.answers = 0;
	prove(&w, &p);
	w.says[GUARD_TRY] = LIMIT_BLOCKED;
	heard(&w, "try 192.0.2.1 fred;");
	fakenet_advance(w.loop, 1999);
	assert_true(w.answers == 1 && p.cancelled == 1);
	fakenet_advance(w.loop, 1);
	assert_true(w.answers == 2 && w.result == AUTH_LIMIT);
	end(&w);
}

TEST(who_leaves_before_the_answer_has_tried)
{
	struct world w;
	struct puppet p;
	uint64_t id;

	begin(&w, true);
	fakeauth_set_silent(w.inner, true);
	id = log_in(&w, "192.0.2.1", "fred", "wrong");
	heard(&w, "try 192.0.2.1 fred;");
	auth_cancel(w.auth, id);
	fakeauth_set_silent(w.inner, false);
	fakenet_advance(w.loop, 0);
	heard(&w, "failed 192.0.2.1;");
	assert_int_equal(w.answers, 0);
	auth_cancel(w.auth, prove(&w, &p)); /* and who was right has not */
	heard(&w, "try 192.0.2.1 fred;");
	assert_int_equal(p.cancelled, 1);
	end(&w);
}

TEST(too_many_sessions_of_a_user_is_said_at_once)
{
	struct world w;

	begin(&w, true);
	w.says[GUARD_PASSED] = LIMIT_BY_USER;
	log_in(&w, "192.0.2.1", "fred", "secret");
	fakenet_advance(w.loop, 0);
	assert_true(w.answers == 1 && w.result == AUTH_LIMIT);
	assert_non_null(strstr(w.why, "sessions"));
	end(&w);
}

TEST(logins_go_on_without_a_limits_process)
{
	struct world w;

	begin(&w, false);
	log_in(&w, "192.0.2.1", "fred", "secret");
	fakenet_advance(w.loop, 0);
	assert_true(w.answers == 1 && w.result == AUTH_OK);
	log_in(&w, "192.0.2.1", "fred", "wrong");
	fakenet_advance(w.loop, 2000);
	assert_true(w.answers == 1 && w.result == AUTH_DENIED);
	end(&w);
}

TEST(cancelled_logins_are_not_answered)
{
	struct world w;

	begin(&w, true);
	w.silent = true;
	auth_cancel(w.auth, log_in(&w, "192.0.2.1", "fred", "secret"));
	fakenet_advance(w.loop, 5000);
	assert_int_equal(w.answers, 0);
	w.silent = false;
	fakeauth_set_silent(w.inner, true);
	auth_cancel(w.auth, log_in(&w, "192.0.2.1", "fred", "secret"));
	fakeauth_set_silent(w.inner, false);
	fakenet_advance(w.loop, 5000);
	assert_int_equal(w.answers, 0);
	fakeauth_set_temp(w.inner, true);
	log_in(&w, "192.0.2.1", "fred", "secret");
	assert_true(w.answers == 1 && w.result == AUTH_TEMP);
	end(&w);
}

/* ---- rates --------------------------------------------------------------------------------- */

static void
on_take(void *ctx, UNUSED uint64_t id, enum limit_verdict v, UNUSED uint64_t amount)
{
	struct world *w = ctx;

	w->answers++;
	w->result = v == LIMIT_OK ? AUTH_OK : AUTH_LIMIT;
}

TEST(rates_are_asked_when_there_are_any)
{
	struct world w;

	begin(&w, true);
	guard_take_client(w.guard, LIMIT_CLIENT_MESSAGES, "192.0.2.1", 1, on_take, &w);
	assert_true(w.answers == 1 && w.result == AUTH_OK); /* there is none by default */
	heard(&w, "");
	w.says[GUARD_TAKE] = LIMIT_EXCEEDED;
	guard_take_sender(w.guard, LIMIT_SENDER_RCPTS, "fred", 7, on_take, &w);
	heard(&w, "take fred;");
	assert_true(w.answers == 2 && w.result == AUTH_LIMIT);
	guard_cancel(w.guard,
	             guard_take_sender(w.guard, LIMIT_SENDER_RCPTS, "fred", 7, on_take, &w));
	fakenet_advance(w.loop, 1000);
	assert_int_equal(w.answers, 2);
	end(&w);
}
