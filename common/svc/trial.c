/*
 * trial - what an auth worker will need, tried before one starts: as the user that it will be,
 * since the supervisor (root) may read what he may not, and in a process of its own, since the
 * supervisor loads no library's plug-ins.
 */
#include "svc/svc_impl.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "directory/auth_mechs.h"
#include "directory/auth_pipe.h"

#define TRIAL_S 10 /* a file on a disk that does not answer */

/* Its text goes through the pipe; nothing: all is well. */
static _Noreturn void
run(const struct conf *c, const struct svc_privileges *p, int out)
{
	struct err err;

	alarm(TRIAL_S);
	svc_privileges_drop(p);
	if (auth_pipe_check(c, &err) == 0)
		_exit(0);
	(void)!write(out, err.text, strlen(err.text));
	_exit(SVC_EXIT_START);
}

static size_t
read_all(int fd, char *text, size_t room)
{
	size_t have = 0;
	ssize_t n;

	while ((n = read(fd, text + have, room - have)) != 0 && have < room)
		if (n > 0)
			have += (size_t)n;
		else if (errno != EINTR)
			break;
	return have;
}

static int
judge(int status, struct slice text, struct err *err)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (text.n > 0)
		err_set(err, "%.*s", SLICE_ARG(text));
	else if (WIFSIGNALED(status))
		err_set(err, "what auth workers need cannot be tried: ended by signal %d",
		        WTERMSIG(status));
	else
		err_set(err, "what auth workers need cannot be tried: status %d",
		        WEXITSTATUS(status));
	return -1;
}

static int
try_in_child(const struct conf *c, const struct svc_privileges *p, struct err *err)
{
	char text[sizeof(err->text)];
	size_t n;
	int ends[2], status = 0;
	pid_t pid;

	if (pipe(ends) == -1) {
		err_set_errno(err, "pipe");
		return -1;
	}
	pid = fork();
	if (pid == 0)
		run(c, p, ends[1]);
	close(ends[1]);
	n = pid != -1 ? read_all(ends[0], text, sizeof(text)) : 0;
	close(ends[0]);
	if (pid == -1) {
		err_set_errno(err, "fork");
		return -1;
	}
	while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
		;
	return judge(status, slice_make(text, n), err);
}

int
svc_check_auth(const struct conf *c, struct err *err)
{
	struct svc_privileges p;
	int r;

	if (!auth_mechs_have_gssapi(c)) /* all that is tried so far */
		return 0;
	if (svc_privileges_find(c, &p, err) == -1)
		return -1;
	r = try_in_child(c, &p, err);
	svc_privileges_fini(&p);
	return r;
}
