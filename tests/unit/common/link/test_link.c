/*
 * link: a line echo as the core, played on the fake network: deadlines, pausing,
 * STARTTLS with bytes behind it, back-pressure, ends.
 */
#include "link/link.h"

#include <stdio.h>

#include "base/xalloc.h"
#include "fakenet/play.h"
#include "lib/test.h"

struct echo {
	struct link *link;
	unsigned drained;
	size_t stream_left; /* bytes still to stream */
	enum conn_end why;
	bool closed;
};

static void
echo_stream(struct echo *e)
{
	while (e->stream_left != 0 && !link_is_congested(e->link)) {
		char block[1000];
		size_t n = MIN(sizeof(block), e->stream_left);

		memset(block, 'x', n);
		buf_add(link_out(e->link), block, n);
		e->stream_left -= n;
	}
}

static size_t
echo_input(void *core, struct slice in)
{
	struct echo *e = core;
	size_t end = slice_find(in, '\n');
	struct slice line;

	if (end == in.n)
		return 0;
	line = slice_trim(slice_sub(in, 0, end));
	if (slice_eq(line, SLICE("quit"))) {
		buf_add_str(link_out(e->link), "bye\r\n");
		link_end(&e->link);
		return end + 1;
	}
	if (slice_eq(line, SLICE("tls"))) {
		buf_add_str(link_out(e->link), "go\r\n");
		link_start_tls_server(e->link, NULL);
		return end + 1;
	}
	if (slice_eq(line, SLICE("pause")))
		link_pause(e->link);
	if (slice_eq(line, SLICE("stream"))) {
		e->stream_left = 1000000;
		echo_stream(e);
		return end + 1;
	}
	buf_printf(link_out(e->link), "echo %.*s\r\n", SLICE_ARG(line));
	return end + 1;
}

static void
echo_drained(void *core)
{
	struct echo *e = core;

	e->drained++;
	echo_stream(e);
}

static void
echo_tls(void *core)
{
	struct echo *e = core;

	buf_add_str(link_out(e->link), conn_is_tls(link_conn(e->link)) ? "secure\r\n" : "?\r\n");
}

static void
echo_deadline(void *core)
{
	struct echo *e = core;

	buf_add_str(link_out(e->link), "late\r\n");
	link_end(&e->link);
}

static void
echo_closed(void *core, enum conn_end why)
{
	struct echo *e = core;

	e->closed = true;
	e->why = why;
	link_end(&e->link);
}

static const struct link_ops ops = {
	.input = echo_input,
	.drained = echo_drained,
	.tls = echo_tls,
	.deadline = echo_deadline,
	.closed = echo_closed,
};

static void
on_accept(void *ctx, struct conn **c)
{
	struct echo *e = ctx;

	e->link = link_new(c, &ops, e, NULL);
	link_set_deadline(e->link, 30000);
}

static void
on_resume(void *ctx, UNUSED const char *rest)
{
	link_resume(((struct echo *)ctx)->link);
}

static void
play(struct echo *e, const char *script)
{
	struct play *p = play_new();

	play_add_client(p, "client", "192.0.2.1:1000", "127.0.0.1:7", on_accept, e);
	play_add_action(p, "resume", on_resume, e);
	play_run(p, script);
	if (e->link != NULL)
		link_abort(&e->link);
	play_free(&p);
}

TEST(lines_are_answered_at_every_split)
{
	for (int n = 0; n < 8; n++) {
		struct echo e = { 0 };
		char script[200];

		snprintf(script, sizeof(script),
		         "split %d\nclient connects\nclient >> one\\r\\ntwo\\r\\nquit\\r\\n\n"
		         "client < echo one\nclient < echo two\nclient < bye\nclient is closed\n",
		         n);
		play(&e, script);
	}
}

TEST(an_absolute_deadline_ends_a_trickling_peer)
{
	struct echo e = { 0 };

	play(&e, "client connects\nclient >> a\nwait 29s\nclient is silent\nclient >> b\n"
	         "wait 2s\nclient < late\nclient is closed\n");
}

TEST(a_paused_core_is_not_fed_until_it_resumes)
{
	struct echo e = { 0 };

	play(&e, "client connects\nclient >> pause\\r\\nx\\r\\n\nclient < echo pause\n"
	         "client is silent\nclient > y\nclient is silent\nresume\n"
	         "client < echo x\nclient < echo y\n");
}

TEST(bytes_behind_starttls_end_the_session)
{
	struct echo e = { 0 };

	play(&e, "client connects\nclient >> tls\\r\\nevil\\r\\n\nclient < go\nclient is closed\n");
	assert_true(e.closed);
	assert_int_equal(e.why, CONN_END_INJECTED);
}

TEST(tls_starts_after_the_answer_went_out_in_clear)
{
	struct echo e = { 0 };

	play(&e, "client connects\nclient > tls\nclient < go\nclient starts tls\n"
	         "client < secure\nclient > hello\nclient < echo hello\n");
}

TEST(a_long_stream_waits_for_a_slow_reader)
{
	struct echo e = { 0 };
	struct play *p = play_new();

	play_add_client(p, "client", "192.0.2.1:1000", "127.0.0.1:7", on_accept, &e);
	play_run(p, "client connects\nclient stops\nclient > stream\nclient > x\nwait 1s\n");
	assert_true(link_output_bytes(e.link) < 70000);
	assert_true(e.stream_left > 900000);
	play_run(p, "client reads\nclient >> \\r\\n\nwait 1s\nclient << *echo x\n");
	assert_int_equal(e.stream_left, 0);
	assert_true(e.drained > 10);
	play_free(&p);
}

TEST(a_peer_that_resets_is_told_once)
{
	struct echo e = { 0 };

	play(&e, "client connects\nclient > a\nclient < echo a\nclient resets\n");
	assert_true(e.closed);
	assert_int_equal(e.why, CONN_END_RESET);
}
