#include "trial.h"

#include "lib/test.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static void
live(struct trial *t, UNUSED void *ctx)
{
	trial_step(t);
}

static void
die(UNUSED struct trial *t, void *ctx)
{
	(void)signal(*(int *)ctx, SIG_DFL);
	(void)raise(*(int *)ctx);
}

static void
hang(struct trial *t, UNUSED void *ctx)
{
	trial_step(t);
	for (;;)
		pause();
}

/* Longer in all than it may be silent. */
static void
be_slow(struct trial *t, UNUSED void *ctx)
{
	for (int i = 0; i < 25; i++) {
		usleep(100000);
		trial_step(t);
	}
}

static void
give_up(UNUSED struct trial *t, UNUSED void *ctx)
{
	_exit(1);
}

TEST(a_trial_tells_how_it_ended)
{
	static const struct trial_case {
		const char *name;
		trial_fn *fn;
		int signal;
		uint64_t silent_ms;
		enum trial_end want;
	} cases[] = {
		{ "it lives", live, 0, 60000, TRIAL_LIVED },
		{ "slow is not dead", be_slow, 0, 2000, TRIAL_LIVED },
		{ "it touches what is not there", die, SIGBUS, 60000, TRIAL_DIED },
		{ "it touches what is not mapped", die, SIGSEGV, 60000, TRIAL_DIED },
		{ "it finds what cannot be", die, SIGABRT, 60000, TRIAL_DIED },
		{ "it ends by itself", give_up, 0, 60000, TRIAL_DIED },
		{ "it does not go on", hang, 0, 200, TRIAL_DIED },
		{ "somebody killed it", die, SIGKILL, 60000, TRIAL_UNKNOWN },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int signo = cases[i].signal;
		enum trial_end got = trial_run(cases[i].fn, &signo, cases[i].silent_ms);

		test_check(got == cases[i].want, "%s: %d", cases[i].name, (int)got);
	}
}
