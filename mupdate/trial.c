#include "trial.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

struct trial {
	int fd; /* the child's end of the pipe */
};

void
trial_step(struct trial *t)
{
	(void)!write(t->fd, "", 1);
}

static _Noreturn void
child_run(trial_fn *fn, void *ctx, int fd, pid_t parent)
{
	struct trial t = { fd };
	const struct rlimit none = { 0, 0 };

	(void)signal(SIGPIPE, SIG_DFL);
	(void)setrlimit(RLIMIT_CORE, &none); /* what it dies of is known */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent)
		fn(&t, ctx);
	_exit(0);
}

/* False: it has taken too long. */
static bool
await_end(int fd, uint64_t silent_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char steps[64];
	ssize_t n;

	for (;;) {
		int ready = poll(&p, 1, (int)silent_ms);

		if (ready == 0)
			return false;
		n = ready == -1 ? -1 : read(fd, steps, sizeof(steps));
		if (n == 0 || (n == -1 && errno != EINTR))
			return true;
	}
}

static enum trial_end
judge(pid_t pid, bool is_late)
{
	int status;

	if (is_late)
		(void)kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			return TRIAL_UNKNOWN;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return is_late ? TRIAL_DIED : TRIAL_UNKNOWN;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? TRIAL_LIVED : TRIAL_DIED;
}

enum trial_end
trial_run(trial_fn *fn, void *ctx, uint64_t silent_ms)
{
	pid_t parent = getpid(), pid;
	enum trial_end end;
	int fds[2];

	if (pipe(fds) == -1)
		return TRIAL_UNKNOWN;
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		child_run(fn, ctx, fds[1], parent);
	}
	close(fds[1]);
	end = pid == -1 ? TRIAL_UNKNOWN : judge(pid, !await_end(fds[0], silent_ms));
	close(fds[0]);
	return end;
}
