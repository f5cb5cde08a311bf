/*
 * sessions: who is counted, who is sent away, and when a drain is over.
 */
#include "session/sessions.h"

#include "lib/test.h"

struct one {
	struct list node;
	bool busy, told;
};

static struct sessions all;
static unsigned drained;

static void
start(struct one *them, size_t count)
{
	sessions_init(&all);
	drained = 0;
	for (size_t i = 0; i < count; i++)
		sessions_add(&all, &them[i].node);
}

static void
on_drained(void *ctx)
{
	assert_ptr_equal(ctx, &drained);
	drained++;
}

static void
end(struct list *node)
{
	sessions_remove(&all, node);
}

static void
send_away(struct list *node)
{
	struct one *o = LIST_ITEM(node, struct one, node);

	assert_true(all.sends_away);
	assert_int_equal(drained, 0);
	o->told = true;
	if (!o->busy)
		end(node);
}

TEST(above_the_limit_are_too_many_and_still_counted)
{
	struct one them[3] = { [0].busy = false };

	start(them, 2);
	all.limit = 2;
	assert_false(sessions_are_too_many(&all));
	sessions_add(&all, &them[2].node);
	assert_true(sessions_are_too_many(&all));
	assert_int_equal(all.count, 3);
	sessions_remove(&all, &them[0].node);
	assert_false(sessions_are_too_many(&all));
}

TEST(a_drain_is_over_with_the_last_one_who_was_busy)
{
	struct one them[4] = { [0].busy = true, [2].busy = true };

	start(them, 4);
	sessions_drain(&all, send_away, on_drained, &drained);
	for (size_t i = 0; i < ARRAY_LEN(them); i++)
		assert_true(them[i].told);
	assert_int_equal(all.count, 2);
	sessions_remove(&all, &them[2].node);
	assert_int_equal(drained, 0);
	sessions_remove(&all, &them[0].node);
	assert_int_equal(drained, 1);
}

TEST(a_drain_that_sends_the_last_one_away_is_over_once)
{
	struct one them[2] = { [0].busy = false };

	start(them, 2);
	sessions_drain(&all, send_away, on_drained, &drained);
	assert_int_equal(drained, 1);
}

TEST(a_drain_of_nobody_is_over_at_once)
{
	start(NULL, 0);
	sessions_drain(&all, send_away, on_drained, &drained);
	assert_int_equal(drained, 1);
}

TEST(who_may_stay_is_not_sent_away)
{
	struct one them[1] = { [0].busy = false };

	start(them, 1);
	sessions_drain(&all, NULL, on_drained, &drained);
	assert_false(all.sends_away);
	assert_false(them[0].told);
	assert_int_equal(drained, 0);
	sessions_remove(&all, &them[0].node);
	assert_int_equal(drained, 1);
}

TEST(a_forgotten_drain_is_told_to_nobody)
{
	struct one them[3] = { { .busy = true }, { .busy = true }, { .busy = true } };

	start(them, 3);
	sessions_drain(&all, send_away, on_drained, &drained);
	sessions_forget_drain(&all);
	for (size_t i = 0; i < ARRAY_LEN(them); i++)
		end(&them[i].node);
	assert_int_equal(drained, 0);
}

TEST(a_second_drain_takes_the_place_of_the_first)
{
	struct one them[2] = { { .busy = true }, { .busy = true } };

	start(them, 2);
	sessions_drain(&all, NULL, on_drained, &drained);
	them[0].busy = them[1].busy = false;
	sessions_drain(&all, send_away, on_drained, &drained);
	assert_int_equal(drained, 1);
}
