/* limit - each rule with the time in our hands. */
#include "limit/limit.h"

#include "lib/test.h"

#include <stdio.h>
#include <string.h>

#define HERE "192.0.2.1"
#define THERE "198.51.100.7"
#define MINUTE 60000u
#define HOUR (60 * MINUTE)

static const struct limit_settings usual = {
	.address_sessions = 4,
	.user_sessions = 3,
	.both_sessions = 2,
	.address_failures = 4,
	.account_failures = 2,
	.delay_ms = 2000,
	.block_max_ms = 15 * MINUTE,
	.memory_ms = HOUR,
	.known_ms = 30 * 24 * HOUR,
	.rates = { [LIMIT_CLIENT_MESSAGES] = { 60, HOUR }, [LIMIT_SENDER_RCPTS] = { 10, 1000 } },
	.rows = 1000,
};

/* ---- sessions ---------------------------------------------------------------------------- */

TEST(an_address_has_so_many_sessions)
{
	struct limit *l = limit_new(&usual);

	for (uint64_t id = 1; id <= 4; id++)
		assert_int_equal(limit_open(l, id, HERE), LIMIT_OK);
	assert_int_equal(limit_open(l, 5, HERE), LIMIT_BY_ADDRESS);
	assert_int_equal(limit_open(l, 6, THERE), LIMIT_OK);
	limit_close(l, 2);
	assert_int_equal(limit_open(l, 7, HERE), LIMIT_OK);
	assert_int_equal(limit_open(l, 8, HERE), LIMIT_BY_ADDRESS);
	assert_int_equal(limit_address_sessions(l, HERE), 4);
	limit_close(l, 8); /* never counted */
	limit_close(l, 99);
	assert_int_equal(limit_address_sessions(l, HERE), 4);
	limit_free(&l);
}

TEST(a_user_has_so_many_and_so_many_from_one_address)
{
	struct limit *l = limit_new(&usual);

	for (uint64_t id = 1; id <= 4; id++)
		assert_int_equal(limit_open(l, id, id == 4 ? THERE : HERE), LIMIT_OK);
	assert_int_equal(limit_set_user(l, 1, "fred"), LIMIT_OK);
	assert_int_equal(limit_set_user(l, 1, "fred"), LIMIT_OK); /* not twice */
	assert_int_equal(limit_set_user(l, 2, "fred"), LIMIT_OK);
	assert_int_equal(limit_set_user(l, 3, "fred"), LIMIT_BY_BOTH);
	assert_int_equal(limit_set_user(l, 3, "ann"), LIMIT_OK);
	assert_int_equal(limit_set_user(l, 4, "fred"), LIMIT_OK);
	assert_int_equal(limit_open(l, 5, "203.0.113.9"), LIMIT_OK);
	assert_int_equal(limit_set_user(l, 5, "fred"), LIMIT_BY_USER);
	assert_int_equal(limit_user_sessions(l, "fred"), 3);
	assert_int_equal(limit_both_sessions(l, "fred", HERE), 2);
	limit_close(l, 1);
	assert_int_equal(limit_set_user(l, 5, "fred"), LIMIT_OK);
	limit_drop_user(l, 5); /* not let in by somebody else */
	limit_drop_user(l, 5);
	assert_int_equal(limit_user_sessions(l, "fred"), 2);
	assert_int_equal(limit_set_user(l, 5, "fred"), LIMIT_OK);
	for (uint64_t id = 1; id <= 5; id++)
		limit_close(l, id);
	assert_int_equal(limit_user_sessions(l, "fred"), 0);
	assert_int_equal(limit_both_sessions(l, "fred", HERE), 0);
	limit_free(&l);
}

TEST(no_limit_is_no_limit)
{
	struct limit_settings s = usual;
	struct limit *l;

	s.address_sessions = s.user_sessions = s.both_sessions = 0;
	l = limit_new(&s);
	for (uint64_t id = 1; id <= 500; id++) {
		assert_int_equal(limit_open(l, id, HERE), LIMIT_OK);
		assert_int_equal(limit_set_user(l, id, "fred"), LIMIT_OK);
	}
	limit_free(&l);
}

/* After a restart of ours they tell us whom they have. */
TEST(sessions_that_are_there_are_restored)
{
	struct limit *l = limit_new(&usual);

	for (uint64_t id = 1; id <= 6; id++)
		limit_restore(l, id, HERE, id <= 3 ? "fred" : "");
	limit_restore(l, 6, HERE, "");
	assert_int_equal(limit_address_sessions(l, HERE), 6); /* more than may be */
	assert_int_equal(limit_user_sessions(l, "fred"), 3);
	assert_int_equal(limit_open(l, 7, HERE), LIMIT_BY_ADDRESS);
	for (uint64_t id = 1; id <= 6; id++)
		limit_close(l, id);
	assert_int_equal(limit_open(l, 7, HERE), LIMIT_OK);
	limit_free(&l);
}

TEST(more_sessions_than_rows_are_let_in)
{
	struct limit_settings s = usual;
	struct limit *l;

	s.rows = 3;
	s.address_sessions = 100;
	l = limit_new(&s);
	for (uint64_t id = 1; id <= 10; id++)
		assert_int_equal(limit_open(l, id, HERE), LIMIT_OK);
	assert_int_equal(limit_address_sessions(l, HERE), 3);
	for (uint64_t id = 1; id <= 10; id++)
		limit_close(l, id);
	assert_int_equal(limit_address_sessions(l, HERE), 0);
	limit_free(&l);
}

struct seen_subjects {
	unsigned count;
	char text[500];
};

static void
on_subject(void *ctx, const char *subject, uint64_t sessions)
{
	struct seen_subjects *s = ctx;

	snprintf(s->text + strlen(s->text), sizeof(s->text) - strlen(s->text), "%s=%d ", subject,
	         (int)sessions);
	s->count++;
}

TEST(subjects_are_listed)
{
	struct seen_subjects s = { 0 };
	struct limit *l = limit_new(&usual);

	assert_int_equal(limit_open(l, 1, HERE), LIMIT_OK);
	assert_int_equal(limit_open(l, 2, HERE), LIMIT_OK);
	assert_int_equal(limit_set_user(l, 2, "fred"), LIMIT_OK);
	limit_each_subject(l, on_subject, &s);
	assert_int_equal(s.count, 3);
	assert_non_null(strstr(s.text, "a:" HERE "=2 "));
	assert_non_null(strstr(s.text, "u:fred=1 "));
	assert_non_null(strstr(s.text, "p:" HERE "|fred=1 "));
	limit_free(&l);
}

/* ---- logins ------------------------------------------------------------------------------ */

/* Each with a password of its own. */
static uint64_t
fail_times(struct limit *l, const char *address, const char *user, unsigned times, uint64_t now)
{
	static uint64_t fingerprint = 1000;
	uint64_t ms = 0;

	for (unsigned i = 0; i < times; i++)
		ms = limit_failed(l, address, user, ++fingerprint, now);
	return ms;
}

TEST(an_account_is_slower_with_each_failure)
{
	struct limit *l = limit_new(&usual);
	static const uint64_t want[] = { 2000, 2000, 2000, 4000, 8000, 16000, 32000 };
	uint64_t now = 1000000;

	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		char address[20];

		snprintf(address, sizeof(address), "10.0.0.%zu", i); /* from everywhere */
		assert_int_equal(fail_times(l, address, "fred", 1, now), want[i]);
	}
	assert_int_equal(limit_try(l, THERE, "fred", now), LIMIT_BLOCKED);
	assert_int_equal(limit_try(l, THERE, "ann", now), LIMIT_OK);
	assert_int_equal(limit_try(l, THERE, "fred", now + 31999), LIMIT_BLOCKED);
	assert_int_equal(limit_try(l, THERE, "fred", now + 32000), LIMIT_OK);
	assert_int_equal(fail_times(l, THERE, "fred", 20, now), 15 * MINUTE);
	assert_int_equal(limit_try(l, HERE, "fred", now + 15 * MINUTE), LIMIT_OK);
	limit_free(&l);
}

TEST(an_address_that_tries_many_accounts_is_slower)
{
	struct limit *l = limit_new(&usual);
	uint64_t now = 1000000;
	char user[20];

	for (int i = 0; i < 6; i++) {
		snprintf(user, sizeof(user), "u%d", i);
		/* the same password for all, too: it is another account's */
		(void)limit_failed(l, HERE, user, 500 + (unsigned)i, now);
	}
	assert_int_equal(limit_try(l, HERE, "", now), LIMIT_BLOCKED);
	assert_int_equal(limit_try(l, HERE, "ann", now), LIMIT_BLOCKED);
	assert_int_equal(limit_try(l, THERE, "", now), LIMIT_OK);
	assert_int_equal(limit_try(l, HERE, "", now + 4000), LIMIT_OK);
	limit_free(&l);
}

TEST(the_same_wrong_password_counts_once)
{
	struct limit *l = limit_new(&usual);
	uint64_t now = 1000000;

	for (int i = 0; i < 100; i++)
		assert_int_equal(limit_failed(l, HERE, "fred", 77, now), 2000);
	assert_int_equal(limit_try(l, HERE, "fred", now), LIMIT_OK);
	/* eight are remembered: a phone with an old one among the guesses */
	for (int i = 0; i < 2; i++) {
		(void)fail_times(l, THERE, "fred", 1, now);
		assert_int_equal(limit_failed(l, HERE, "fred", 77, now), 2000);
	}
	assert_int_equal(limit_try(l, HERE, "", now), LIMIT_OK);
	/* of one that nobody can tell, each counts */
	(void)fail_times(l, THERE, "ann", 0, now);
	for (int i = 0; i < 3; i++)
		(void)limit_failed(l, THERE, "ann", 0, now);
	assert_int_equal(limit_try(l, THERE, "ann", now), LIMIT_BLOCKED);
	limit_free(&l);
}

TEST(known_pairs_are_not_locked_out_by_others)
{
	struct limit *l = limit_new(&usual);
	uint64_t now = 1000000;

	assert_int_equal(limit_passed(l, HERE, "fred", now), LIMIT_OK);
	(void)fail_times(l, THERE, "fred", 30, now); /* the account is under attack */
	assert_int_equal(limit_try(l, THERE, "fred", now), LIMIT_BLOCKED);
	assert_int_equal(limit_try(l, HERE, "fred", now), LIMIT_OK);
	assert_int_equal(limit_passed(l, HERE, "fred", now), LIMIT_OK);
	(void)fail_times(l, HERE, "ann", 30, now); /* a neighbour guesses */
	assert_int_equal(limit_try(l, HERE, "bob", now), LIMIT_BLOCKED);
	assert_int_equal(limit_try(l, HERE, "", now), LIMIT_OK); /* it may be fred */
	assert_int_equal(limit_passed(l, HERE, "bob", now), LIMIT_BLOCKED);
	assert_int_equal(limit_passed(l, HERE, "fred", now), LIMIT_OK);
	/* known, not free of all limits */
	(void)fail_times(l, HERE, "fred", 3, now);
	assert_int_equal(limit_try(l, HERE, "fred", now), LIMIT_BLOCKED);
	assert_int_equal(limit_passed(l, HERE, "fred", now), LIMIT_BLOCKED);
	assert_int_equal(limit_passed(l, HERE, "fred", now + 2000), LIMIT_OK);
	assert_int_equal(fail_times(l, HERE, "fred", 30, now), LIMIT_KNOWN_BLOCK_MS);
	assert_int_equal(limit_passed(l, HERE, "fred", now + LIMIT_KNOWN_BLOCK_MS), LIMIT_OK);
	limit_free(&l);
}

TEST(what_is_known_ends)
{
	struct limit *l = limit_new(&usual);
	uint64_t now = 1000000, later = now + usual.known_ms;

	assert_int_equal(limit_passed(l, HERE, "fred", now), LIMIT_OK);
	(void)fail_times(l, THERE, "fred", 30, later);
	assert_int_equal(limit_try(l, HERE, "fred", later - 1), LIMIT_OK);
	assert_int_equal(limit_try(l, HERE, "fred", later), LIMIT_BLOCKED);
	limit_free(&l);
}

TEST(a_right_password_while_blocked_is_not_let_in_and_not_known)
{
	struct limit *l = limit_new(&usual);
	uint64_t now = 1000000;

	(void)fail_times(l, THERE, "fred", 5, now);
	assert_int_equal(limit_passed(l, THERE, "fred", now), LIMIT_BLOCKED);
	assert_int_equal(limit_passed(l, THERE, "fred", now), LIMIT_BLOCKED);
	assert_int_equal(limit_passed(l, THERE, "fred", now + 8000), LIMIT_OK);
	limit_free(&l);
}

TEST(failures_are_forgotten)
{
	struct limit *l = limit_new(&usual);
	uint64_t now = 1000000;

	assert_int_equal(fail_times(l, HERE, "fred", 5, now), 8000);
	assert_int_equal(fail_times(l, HERE, "fred", 1, now + HOUR - 1), 16000);
	assert_int_equal(fail_times(l, HERE, "fred", 1, now + 3 * HOUR), 2000);
	limit_free(&l);
}

static bool
remember(void *ctx, const struct limit_memory *m)
{
	limit_remember(ctx, m);
	return true;
}

TEST(a_successor_remembers)
{
	struct limit *l = limit_new(&usual), *next = limit_new(&usual);
	uint64_t now = 1000000;

	assert_int_equal(limit_passed(l, HERE, "fred", now), LIMIT_OK);
	(void)fail_times(l, THERE, "fred", 4, now);
	(void)fail_times(next, THERE, "fred", 1, now + 1);
	limit_each_memory(l, remember, next);
	assert_int_equal(limit_try(next, THERE, "fred", now), LIMIT_BLOCKED);
	assert_int_equal(limit_try(next, HERE, "fred", now), LIMIT_OK);
	assert_int_equal(limit_try(next, THERE, "fred", now + 4000), LIMIT_OK);
	assert_int_equal(fail_times(next, THERE, "fred", 1, now + 4000), 8000); /* the fifth */
	limit_free(&l);
	limit_free(&next);
}

TEST(what_is_no_subject_is_not_remembered)
{
	static const char *const names[] = { "", "a", "x:y", "fred" };
	struct limit *l = limit_new(&usual);

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		limit_remember(l, &(struct limit_memory){ .name = names[i], .failures = 1 });
	assert_int_equal(limit_clear(l, ""), 0);
	assert_int_equal(limit_clear(l, "y"), 0);
	limit_free(&l);
}

TEST(tables_are_bounded)
{
	struct limit_settings s = usual;
	struct limit *l;
	char user[20];

	s.rows = 50;
	l = limit_new(&s);
	(void)fail_times(l, HERE, "fred", 5, 1000000);
	for (int i = 0; i < 20; i++) { /* whoever is looked at stays */
		snprintf(user, sizeof(user), "u%d", i);
		(void)fail_times(l, THERE, user, 1, 1000000);
		assert_int_equal(limit_try(l, HERE, "fred", 1000000), LIMIT_BLOCKED);
	}
	for (int i = 0; i < 5000; i++) {
		snprintf(user, sizeof(user), "x%d", i);
		(void)fail_times(l, user, user, 1, 1000000);
	}
	assert_int_equal(limit_try(l, HERE, "fred", 1000000), LIMIT_OK); /* forgotten */
	limit_free(&l);
}

/* ---- rates ------------------------------------------------------------------------------- */

TEST(a_rate_is_a_burst_and_then_even)
{
	struct limit *l = limit_new(&usual);
	uint64_t now = 5000000;

	for (int i = 0; i < 60; i++)
		assert_int_equal(limit_take(l, LIMIT_CLIENT_MESSAGES, HERE, 1, now), LIMIT_OK);
	assert_int_equal(limit_take(l, LIMIT_CLIENT_MESSAGES, HERE, 1, now), LIMIT_EXCEEDED);
	assert_int_equal(limit_take(l, LIMIT_CLIENT_MESSAGES, THERE, 1, now), LIMIT_OK);
	assert_int_equal(limit_take(l, LIMIT_CLIENT_MESSAGES, HERE, 1, now + MINUTE - 1),
	                 LIMIT_EXCEEDED);
	assert_int_equal(limit_take(l, LIMIT_CLIENT_MESSAGES, HERE, 1, now + MINUTE), LIMIT_OK);
	assert_int_equal(limit_take(l, LIMIT_CLIENT_MESSAGES, HERE, 1, now + MINUTE),
	                 LIMIT_EXCEEDED);
	for (int i = 0; i < 60; i++)
		assert_int_equal(limit_take(l, LIMIT_CLIENT_MESSAGES, HERE, 1, now + 3 * HOUR),
		                 LIMIT_OK);
	limit_free(&l);
}

TEST(amounts_count_and_what_is_refused_does_not)
{
	struct limit *l = limit_new(&usual);

	assert_int_equal(limit_take(l, LIMIT_SENDER_RCPTS, "fred", 8, 1000), LIMIT_OK);
	assert_int_equal(limit_take(l, LIMIT_SENDER_RCPTS, "fred", 3, 1000), LIMIT_EXCEEDED);
	assert_int_equal(limit_take(l, LIMIT_SENDER_RCPTS, "fred", 2, 1000), LIMIT_OK);
	assert_int_equal(limit_take(l, LIMIT_SENDER_RCPTS, "fred", 1, 1000), LIMIT_EXCEEDED);
	assert_int_equal(limit_take(l, LIMIT_SENDER_MESSAGES, "fred", 1000000, 1000), LIMIT_OK);
	assert_int_equal(limit_take(l, LIMIT_SENDER_RCPTS, "ann", 11, 1000), LIMIT_EXCEEDED);
	limit_free(&l);
}

/* ---- for people -------------------------------------------------------------------------- */

struct listed {
	unsigned n, most;
	char names[500];
};

static bool
on_entry(void *ctx, const struct limit_entry *e)
{
	struct listed *s = ctx;

	snprintf(s->names + strlen(s->names), sizeof(s->names) - strlen(s->names), "%s:%d:%d ",
	         e->name, (int)e->count, (int)(e->block_ms / 1000));
	return ++s->n < s->most;
}

TEST(what_is_held_against_somebody_is_listed_and_cleared)
{
	struct limit *l = limit_new(&usual);
	struct listed all = { .most = 100 }, one = { .most = 1 }, none = { .most = 100 };
	uint64_t now = 1000000;

	assert_int_equal(limit_passed(l, HERE, "ann", now), LIMIT_OK);
	(void)fail_times(l, HERE, "fred", 3, now);
	(void)fail_times(l, HERE, "ann", 1, now);
	limit_list(l, now, on_entry, &all);
	assert_int_equal(all.n, 3);
	assert_non_null(strstr(all.names, "u:fred:3:2 "));
	assert_non_null(strstr(all.names, "a:" HERE ":3:0 "));
	assert_non_null(strstr(all.names, "p:" HERE "|ann:1:0 "));
	limit_list(l, now, on_entry, &one);
	assert_int_equal(one.n, 1);
	limit_list(l, now + 2 * HOUR, on_entry, &none);
	assert_int_equal(none.n, 0);
	assert_int_equal(limit_clear(l, "fred"), 1);
	assert_int_equal(limit_try(l, THERE, "fred", now), LIMIT_OK);
	assert_int_equal(limit_clear(l, HERE), 2);
	assert_int_equal(limit_clear(l, HERE), 0);
	limit_free(&l);
}
