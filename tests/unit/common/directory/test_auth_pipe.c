/* auth_pipe - a worker's side against auth workers that the test plays. */
#include "unit/common/directory/auth_world.h"

#include "base/clock.h"
#include "lib/test.h"

#include <string.h>
#include <sys/socket.h>

#define SHORT_MS 600 /* for tests of what happens when it has passed */

TEST(silence_is_a_temporary_error_in_time)
{
	struct auth_world w;
	struct auth_got g = { 0 }, next = { 0 };
	uint64_t at = auth_world_now_ms();
	struct auth_frame f;

	auth_world_init_timed(&w, 0, SHORT_MS, 0);
	auth_login(w.auth, &auth_world_session, SLICE("fred"), SLICE("secret"), auth_world_on_login,
	           &g);
	auth_world_expect(&w, &g, 1);
	assert_int_equal(g.result, AUTH_TEMP);
	assert_true(auth_world_now_ms() >= at + SHORT_MS / 2);
	auth_world_say(&w, 0, AUTH_FRAME_LOGIN_IS, g.id, AUTH_OK); /* late: finds nobody */
	/* What is answered behind it has been heard behind it. */
	do {
		memset(&next, 0, sizeof(next));
		auth_lookup(w.auth, SLICE("fred"), auth_world_on_user, &next);
		while ((f = auth_world_hear(&w, 0)).kind != AUTH_FRAME_LOOKUP)
			continue;
		auth_world_say(&w, 0, AUTH_FRAME_USER_IS, f.id, AUTH_OK);
		auth_world_expect(&w, &next, 1);
	} while (next.result == AUTH_TEMP); /* not even this was in time: once more */
	assert_int_equal(g.times, 1);
	auth_world_fini(&w);
}

TEST(a_new_auth_worker_tells_that_older_questions_are_lost)
{
	struct auth_world w;
	struct auth_got lost = { 0 }, later = { 0 };
	struct auth_frame f;
	uint64_t ping;

	auth_world_init(&w, 0);
	auth_lookup(w.auth, SLICE("fred"), auth_world_on_user, &lost);
	auth_world_hear(&w, 0); /* and dies with it */
	auth_world_say(&w, 0, AUTH_FRAME_HELLO, 0, AUTH_OK);
	f = auth_world_hear(&w, 0);
	assert_int_equal(f.kind, AUTH_FRAME_PING);
	ping = f.id;
	auth_lookup(w.auth, SLICE("fred"), auth_world_on_user, &later);
	auth_world_say(&w, 0, AUTH_FRAME_PONG, ping, AUTH_OK);
	auth_world_expect(&w, &lost, 1); /* long before it is given up */
	assert_int_equal(lost.result, AUTH_TEMP);
	assert_int_equal(later.times, 0);
	f = auth_world_hear(&w, 0);
	auth_world_say(&w, 0, AUTH_FRAME_USER_IS, f.id, AUTH_OK);
	auth_world_expect(&w, &later, 1);
	assert_int_equal(later.result, AUTH_OK);
	auth_world_fini(&w);
}

TEST(an_answer_tells_that_older_questions_are_lost)
{
	struct auth_world w;
	struct auth_got g[3] = { { 0 } };
	struct auth_frame f;

	auth_world_init(&w, 0);
	for (int i = 0; i < 3; i++)
		auth_lookup(w.auth, SLICE("fred"), auth_world_on_user, &g[i]);
	auth_world_hear(&w, 0);
	f = auth_world_hear(&w, 0);
	auth_world_say(&w, 0, AUTH_FRAME_USER_IS, f.id, AUTH_UNKNOWN);
	auth_world_expect(&w, &g[1], 1);
	assert_int_equal(g[1].result, AUTH_UNKNOWN);
	auth_world_expect(&w, &g[0], 1);
	assert_int_equal(g[0].result, AUTH_TEMP);
	assert_int_equal(g[2].times, 0);
	auth_world_fini(&w);
}

TEST(wrong_answers_are_dropped)
{
	struct auth_world w;
	struct auth_got g = { 0 };
	struct auth_frame f;

	auth_world_init(&w, 0);
	auth_lookup(w.auth, SLICE("fred"), auth_world_on_user, &g);
	f = auth_world_hear(&w, 0);
	auth_world_say(&w, 0, AUTH_FRAME_USER_IS, f.id + 1, AUTH_UNKNOWN);
	auth_world_say(&w, 0, AUTH_FRAME_LOGIN_IS, f.id, AUTH_UNKNOWN);
	auth_world_say(&w, 0, AUTH_FRAME_LOOKUP, f.id, AUTH_UNKNOWN);
	assert_int_equal(send(w.there[0], "rubbish", 7, 0), 7);
	auth_world_say(&w, 0, AUTH_FRAME_USER_IS, f.id, AUTH_OK);
	auth_world_expect(&w, &g, 1);
	assert_int_equal(g.result, AUTH_OK);
	auth_world_fini(&w);
}

static void
two_ends(struct auth_world *w, unsigned timeout_ms)
{
	auth_world_init_timed(w, 0, timeout_ms, 0);
	auth_world_reopen(w, 0, 2);
}

TEST(the_one_with_least_to_do_is_asked)
{
	struct auth_world w;
	struct auth_got g = { 0 };
	unsigned busy, idle;

	two_ends(&w, AUTH_WORLD_TIMEOUT_MS);
	auth_login(w.auth, &auth_world_session, SLICE("fred"), SLICE("x"), auth_world_on_login, &g);
	busy = auth_world_heard_nothing(&w, 0) ? 1 : 0;
	idle = 1 - busy;
	auth_world_hear(&w, busy);
	for (int i = 0; i < 10; i++) { /* lookups are cheap */
		auth_lookup(w.auth, SLICE("fred"), auth_world_on_user, &g);
		assert_int_equal(auth_world_hear(&w, idle).kind, AUTH_FRAME_LOOKUP);
		assert_true(auth_world_heard_nothing(&w, busy));
	}
	auth_login(w.auth, &auth_world_session, SLICE("fred"), SLICE("x"), auth_world_on_login, &g);
	auth_world_hear(&w, idle);
	auth_lookup(w.auth, SLICE("fred"), auth_world_on_user, &g);
	auth_world_hear(&w, busy);
	auth_world_fini(&w);
}

TEST(a_silent_one_is_left_alone_until_it_is_heard_of)
{
	struct clock_fake now = { clock_mono_us(), clock_wall_us() };
	struct auth_world w;
	struct auth_got g = { 0 };
	unsigned silent, other;
	struct auth_frame f;

	clock_set_fake(&now);
	two_ends(&w, 3 * SHORT_MS);
	auth_lookup(w.auth, SLICE("fred"), auth_world_on_user, &g);
	silent = auth_world_heard_nothing(&w, 0) ? 1 : 0;
	other = 1 - silent;
	auth_world_hear(&w, silent);
	auth_world_expect(&w, &g, 1);
	for (unsigned i = 0; i < 5; i++) {
		auth_lookup(w.auth, SLICE("fred"), auth_world_on_user, &g);
		f = auth_world_hear(&w, other);
		auth_world_say(&w, other, AUTH_FRAME_USER_IS, f.id, AUTH_OK);
		auth_world_expect(&w, &g, i + 2);
		assert_true(auth_world_heard_nothing(&w, silent));
	}
	now.mono_us += 1000000; /* time for a probe */
	auth_lookup(w.auth, SLICE("fred"), auth_world_on_user, &g);
	f = auth_world_hear(&w, silent);
	assert_int_equal(f.kind, AUTH_FRAME_PING);
	auth_world_say(&w, silent, AUTH_FRAME_PONG, f.id, AUTH_OK);
	while (auth_world_heard_nothing(&w, silent)) { /* until it has heard the answer */
		auth_world_run_for(&w, 1);
		auth_lookup(w.auth, SLICE("fred"), auth_world_on_user, &g);
	}
	assert_int_equal(auth_world_hear(&w, silent).kind, AUTH_FRAME_LOOKUP);
	auth_world_fini(&w);
	clock_set_fake(NULL);
}

/* How many requests there may be without an answer, and more than that. */
#define REQUESTS_MOST 4096
#define REQUESTS 5000

static void
ask_too_much(struct auth_world *w, struct auth_got *g)
{
	memset(g, 0, sizeof(*g));
	for (unsigned i = 0; i < REQUESTS; i++)
		auth_lookup(w->auth, SLICE("fred"), auth_world_on_user, g);
}

TEST(too_many_questions_are_temporary_errors_at_once)
{
	struct auth_world w;
	static struct auth_got g;

	auth_world_init(&w, 0);
	ask_too_much(&w, &g);
	auth_world_expect(&w, &g, REQUESTS - REQUESTS_MOST);
	assert_int_equal(g.results[AUTH_TEMP], REQUESTS - REQUESTS_MOST);
	auth_world_fini(&w);
}

TEST(what_waits_for_a_full_socket_is_a_temporary_error_in_time)
{
	struct auth_world w;
	static struct auth_got g;

	auth_world_init_timed(&w, 0, SHORT_MS, 0);
	ask_too_much(&w, &g);
	auth_world_expect(&w, &g, REQUESTS);
	assert_int_equal(g.results[AUTH_TEMP], REQUESTS);
	auth_world_fini(&w);
}

TEST(what_waits_for_room_goes_when_there_is_some)
{
	enum { MANY = 600 }; /* about 280 fit in the socket */
	struct auth_world w;
	static struct auth_got g;

	memset(&g, 0, sizeof(g));
	auth_world_init(&w, 0);
	for (unsigned i = 0; i < MANY; i++)
		auth_lookup(w.auth, SLICE("fred"), auth_world_on_user, &g);
	for (unsigned i = 0; i < MANY; i++) {
		struct auth_frame f = auth_world_hear(&w, 0);

		auth_world_say(&w, 0, AUTH_FRAME_USER_IS, f.id, AUTH_OK);
		auth_world_run(&w, &g.times, i + 1, AUTH_WORLD_PATIENCE_MS);
	}
	assert_int_equal(g.results[AUTH_OK], MANY);
	auth_world_fini(&w);
}

/* When this was answered, everything said to end 0 before was heard. */
static void
pass_through(struct auth_world *w)
{
	struct auth_got g = { 0 };
	struct auth_frame f;

	auth_lookup(w->auth, SLICE("fred"), auth_world_on_user, &g);
	f = auth_world_hear(w, 0);
	auth_world_say(w, 0, AUTH_FRAME_USER_IS, f.id, AUTH_OK);
	auth_world_expect(w, &g, 1);
	assert_int_equal(g.result, AUTH_OK);
}

TEST(cancelled_requests_are_not_answered)
{
	enum { WHILE_MS = 3 * SHORT_MS };
	struct auth_world w;
	struct auth_got g = { 0 };
	uint64_t id;
	struct auth_frame f;

	auth_world_init_timed(&w, 0, WHILE_MS, WHILE_MS);
	id = auth_login(w.auth, &auth_world_session, SLICE("fred"), SLICE("x"), auth_world_on_login,
	                &g);
	f = auth_world_hear(&w, 0);
	auth_cancel(w.auth, id); /* asked */
	assert_int_equal(auth_world_hear(&w, 0).kind, AUTH_FRAME_CANCEL);
	auth_world_say(&w, 0, AUTH_FRAME_LOGIN_IS, f.id, AUTH_OK);
	id = auth_login(w.auth, &auth_world_session, SLICE("fred"), SLICE("x"), auth_world_on_login,
	                &g);
	f = auth_world_hear(&w, 0);
	auth_world_say(&w, 0, AUTH_FRAME_LOGIN_IS, f.id, AUTH_DENIED);
	pass_through(&w);
	auth_cancel(w.auth, id); /* denied, its delay running */
	id = auth_start(w.auth, &auth_world_session, "PLAIN", slice_make(NULL, 0),
	                auth_world_on_login, &g);
	f = auth_world_hear(&w, 0);
	auth_world_say(&w, 0, AUTH_FRAME_LOGIN_IS, f.id, AUTH_CONTINUE);
	auth_world_expect(&w, &g, 1);
	assert_int_equal(g.result, AUTH_CONTINUE);
	auth_cancel(w.auth, id); /* open */
	assert_int_equal(auth_world_hear(&w, 0).kind, AUTH_FRAME_CANCEL);
	auth_cancel(w.auth, id);
	auth_cancel(w.auth, 4711);
	auth_world_run_for(&w, WHILE_MS + 200);
	assert_int_equal(g.times, 1);
	auth_world_fini(&w);
}

TEST(what_cannot_be_a_request_is_refused_without_asking)
{
	struct auth_world w;
	struct auth_got g = { 0 };
	static char text[AUTH_WIRE_DATA_MAX + 10];

	memset(text, 'x', sizeof(text) - 1);
	auth_world_init(&w, 0);
	auth_start(w.auth, &auth_world_session, "PLAIN", slice_make(text, sizeof(text)),
	           auth_world_on_login, &g);
	auth_world_expect(&w, &g, 1);
	assert_int_equal(g.result, AUTH_INVALID);
	auth_start(w.auth, &auth_world_session, text, SLICE("x"), auth_world_on_login, &g);
	auth_world_expect(&w, &g, 2);
	assert_int_equal(g.result, AUTH_INVALID);
	auth_lookup(w.auth, slice_of(text), auth_world_on_user, &g);
	auth_world_expect(&w, &g, 3);
	assert_int_equal(g.result, AUTH_UNKNOWN);
	assert_true(auth_world_heard_nothing(&w, 0));
	auth_world_fini(&w);
}
