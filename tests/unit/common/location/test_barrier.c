/* barrier - the front end's side against a replica played by hand: what comes of questions when it
 * goes away, says nothing, or nonsense. */
#include "location/barrier.h"

#include "fakenet/play.h"
#include "lib/test.h"

#define SOCKET "/run/roost/barrier"
#define DEADLINE_MS 1000

struct world {
	struct play *play;
	struct barrier *barrier;
	unsigned ok, late;
	bool asks_again; /* when it is answered, once */
};

static void
on_barrier(void *ctx, enum barrier_result result)
{
	struct world *w = ctx;

	if (result == BARRIER_OK)
		w->ok++;
	else
		w->late++;
	if (!w->asks_again)
		return;
	w->asks_again = false;
	(void)barrier_wait(w->barrier, on_barrier, w);
}

static void
begin(struct world *w)
{
	*w = (struct world){ .play = play_new() };
	play_add_server(w->play, "replica", SOCKET);
	w->barrier = barrier_new(play_loop(w->play), SOCKET, DEADLINE_MS);
}

static void
end(struct world *w)
{
	barrier_free(&w->barrier);
	play_free(&w->play);
}

static uint64_t
ask(struct world *w)
{
	unsigned before = w->ok + w->late;
	uint64_t id = barrier_wait(w->barrier, on_barrier, w);

	assert_int_equal(w->ok + w->late, before); /* never from inside */
	fakenet_settle(play_loop(w->play));
	return id;
}

static void
check(struct world *w, const char *name, unsigned ok, unsigned late)
{
	test_check(w->ok == ok && w->late == late, "%s: %u ok, %u late", name, w->ok, w->late);
}

TEST(all_that_come_meanwhile_share_the_next_question)
{
	struct world w;

	begin(&w);
	(void)ask(&w);
	play_run(w.play, "replica accepts\nreplica < B 2\n");
	for (int i = 0; i < 5; i++)
		(void)ask(&w);
	play_run(w.play, "replica is silent\nreplica > OK 2 17\n");
	check(&w, "the first", 1, 0);
	play_run(w.play, "replica < B *\nreplica > OK 8 17\nreplica is silent\n");
	check(&w, "the others", 6, 0);
	end(&w);
}

/* One question is under way, and one waits; with each of these both are late, and now. */
static const struct broken_case {
	const char *name, *script;
} broken_cases[] = {
	{ "the replica goes away", "replica < B *\nreplica closes\n" },
	{ "it dies", "replica < B *\nreplica resets\n" },
	{ "half an answer", "replica < B *\nreplica >> OK 3\nreplica closes\n" },
	{ "an answer to another question", "replica < B *\nreplica > OK 99 1\n" },
	{ "another word", "replica < B *\nreplica > YES 3 1\n" },
	{ "no number", "replica < B *\nreplica > OK three 1\n" },
	{ "a line without an end",
	  "replica < B *\n"
	  "replica >> OK 3 000000000000000000000000000000000000000000000000000000000000\n" },
};

TEST(who_waits_for_one_that_breaks_is_told_at_once_and_the_next_one_finds_another)
{
	for (size_t i = 0; i < ARRAY_LEN(broken_cases); i++) {
		const struct broken_case *c = &broken_cases[i];
		struct world w;

		begin(&w);
		(void)ask(&w);
		(void)ask(&w);
		play_run(w.play, "replica accepts\n");
		play_run(w.play, c->script);
		check(&w, c->name, 0, 2);
		(void)ask(&w);
		play_run(w.play, "replica accepts\nreplica < B 5\nreplica > OK 5 1\n");
		check(&w, c->name, 1, 2);
		end(&w);
	}
}

TEST(without_a_replica_it_is_late_at_once)
{
	struct world w;

	begin(&w);
	play_run(w.play, "replica refuses\n");
	(void)ask(&w);
	(void)ask(&w);
	check(&w, "nobody listens", 0, 2);
	end(&w);
}

TEST(a_replica_that_says_nothing_is_late_in_time)
{
	struct world w;

	begin(&w);
	(void)ask(&w);
	play_run(w.play, "replica accepts\nreplica < B *\nwait 600ms\n");
	(void)ask(&w);
	check(&w, "not yet", 0, 0);
	play_run(w.play, "wait 400ms\n");
	check(&w, "the first", 0, 1);
	play_run(w.play, "wait 600ms\n");
	check(&w, "the second", 0, 2);
	/* An answer that is late is one all the same: it ends that question. */
	play_run(w.play, "replica > OK 2 1\nreplica is silent\n");
	(void)ask(&w);
	play_run(w.play, "replica < B *\n");
	check(&w, "nobody else", 0, 2);
	end(&w);
}

TEST(whoever_is_answered_may_ask_again)
{
	struct world w;

	begin(&w);
	(void)ask(&w);
	w.asks_again = true;
	play_run(w.play, "replica accepts\nreplica < B 2\nreplica > OK 2 1\n"
	                 "replica < B 4\nreplica > OK 4 1\n");
	check(&w, "while it is there", 2, 0);
	(void)ask(&w);
	w.asks_again = true;
	play_run(w.play, "replica < B *\nreplica closes\nreplica accepts\nreplica < B *\n");
	check(&w, "when it has gone", 2, 1);
	end(&w);
}

TEST(who_does_not_want_to_know_any_more_is_not_told)
{
	struct world w;
	uint64_t first, second;

	begin(&w);
	first = ask(&w);
	second = ask(&w);
	(void)ask(&w);
	barrier_cancel(w.barrier, first);  /* asked */
	barrier_cancel(w.barrier, second); /* waits for the next question */
	play_run(w.play, "replica accepts\nreplica < B 2\nreplica > OK 2 1\n");
	check(&w, "the first question", 0, 0);
	play_run(w.play, "replica < B 5\nreplica > OK 5 1\n");
	check(&w, "the second question", 1, 0);
	first = ask(&w);
	barrier_cancel(w.barrier, 4711);
	barrier_cancel(w.barrier, 0);
	barrier_cancel(w.barrier, first);
	play_run(w.play, "replica < B *\nreplica closes\n");
	barrier_cancel(w.barrier, first);
	check(&w, "the third question", 1, 0);
	end(&w);
}

TEST(waiters_are_dropped_with_the_barrier)
{
	struct world w;

	begin(&w);
	(void)ask(&w);
	play_run(w.play, "replica accepts\nreplica < B *\n");
	(void)ask(&w);
	end(&w);
	check(&w, "nobody is told", 0, 0);
}
