/* resolve: names of the hosts file; questions that are cancelled. */
#include "net/resolve.h"

#include "lib/test.h"

#include <string.h>

struct asker {
	struct loop *loop;
	unsigned answers;
	size_t count;
	bool has_loopback, port_is_right;
};

static void
on_resolved(void *ctx, const struct addr *addrs, size_t count, const char *why)
{
	struct asker *a = ctx;

	a->answers++;
	a->count = count;
	assert_int_equal(count == 0, why != NULL);
	for (size_t i = 0; i < count; i++) {
		a->has_loopback |= addr_is_loopback(&addrs[i]);
		a->port_is_right = addr_port(&addrs[i]) == 2525;
	}
	loop_stop(a->loop);
}

TEST(name_of_this_host)
{
	struct asker a = { .loop = loop_new() };
	struct resolver *r = resolver_new(a.loop);

	(void)resolve_start(r, "localhost", 2525, on_resolved, &a);
	assert_int_equal(a.answers, 0); /* never from inside */
	loop_run(a.loop);
	assert_int_equal(a.answers, 1);
	assert_true(a.count > 0 && a.has_loopback && a.port_is_right);
	resolver_free(&r);
	loop_free(&a.loop);
}

TEST(address_is_its_own_name)
{
	struct asker a = { .loop = loop_new() };
	struct resolver *r = resolver_new(a.loop);

	(void)resolve_start(r, "127.0.0.1", 2525, on_resolved, &a);
	loop_run(a.loop);
	assert_int_equal(a.count, 1);
	assert_true(a.has_loopback && a.port_is_right);
	resolver_free(&r);
	loop_free(&a.loop);
}

static void
stop(void *ctx)
{
	loop_stop(ctx);
}

TEST(cancelled_questions_are_not_answered)
{
	struct asker a = { .loop = loop_new() };
	struct resolver *r = resolver_new(a.loop);
	struct resolve *known = resolve_start(r, "localhost", 25, on_resolved, &a);
	struct resolve *unknown = resolve_start(r, "host.invalid", 25, on_resolved, &a);
	struct timer t;

	resolve_cancel(&known);
	resolve_cancel(&unknown);
	resolve_cancel(&unknown);
	assert_null(known);
	timer_init(&t, a.loop, stop, a.loop);
	timer_set(&t, 100);
	loop_run(a.loop);
	assert_int_equal(a.answers, 0);
	timer_fini(&t);
	resolver_free(&r);
	loop_free(&a.loop);
}

/* A program that ends does not wait for its questions. */
TEST(resolver_goes_while_a_question_is_cancelled)
{
	struct asker a = { .loop = loop_new() };
	struct resolver *r = resolver_new(a.loop);
	struct resolve *known = resolve_start(r, "localhost", 25, on_resolved, &a);
	struct resolve *unknown = resolve_start(r, "host.invalid", 25, on_resolved, &a);
	struct timer t;

	resolve_cancel(&known);
	resolve_cancel(&unknown);
	resolver_free(&r);
	timer_init(&t, a.loop, stop, a.loop);
	timer_set(&t, 50);
	loop_run(a.loop);
	assert_int_equal(a.answers, 0);
	timer_fini(&t);
	loop_free(&a.loop);
}
