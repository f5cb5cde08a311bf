/* run - see run.h. */
#include "unit/common/svc/run.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "ctl/ctl.h"
#include "lib/test.h"
#include "svc/svc.h"
#include "unit/common/svc/probe.h"

uint64_t
run_now(void)
{
	return clock_mono_ms();
}

void
run_pause(void)
{
	const struct timespec t = { .tv_nsec = 5000000 };

	(void)nanosleep(&t, NULL);
}

const char *
run_host(void)
{
	static char host[24];
	unsigned pid = (unsigned)getpid(); /* less than 2^22 */

	snprintf(host, sizeof(host), "127.%u.%u.%u", 1 + (pid >> 16), pid >> 8 & 255, pid & 255);
	return host;
}

static struct sockaddr_in
address(uint16_t port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };

	assert_int_equal(inet_pton(AF_INET, run_host(), &in.sin_addr), 1);
	return in;
}

/* Of the host's all are ours, but those that somebody has at every address. */
uint16_t
run_free_port(void)
{
	static uint16_t last = 20000;
	bool is_free;

	do {
		struct sockaddr_in in = address(++last);
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		is_free = bind(fd, (struct sockaddr *)&in, sizeof(in)) == 0;
		close(fd);
	} while (!is_free);
	return last;
}

void
run_init(struct run *r, const char *kind)
{
	static unsigned number;

	*r = (struct run){ .kind = kind, .port = run_free_port(), .metrics_port = run_free_port() };
	snprintf(r->dir, sizeof(r->dir), "%s/%u", test_dir(), number++);
	snprintf(r->conf, sizeof(r->conf), "%s/roost.conf", r->dir);
	snprintf(r->log, sizeof(r->log), "%s/log", r->dir);
	snprintf(r->out, sizeof(r->out), "%s/out", r->dir);
	assert_int_equal(mkdir(r->dir, 0755), 0);
	run_write(r, "", "");
}

void
run_fini(struct run *r)
{
	if (r->pid == 0)
		return;
	run_signal(r, SIGKILL);
	(void)run_wait(r);
}

void
run_write(struct run *r, const char *common, const char *probe)
{
	FILE *f = fopen(r->conf, "w");

	assert_non_null(f);
	fprintf(f,
	        "[common]\nrun_dir = %s\nlog = %s\nmetrics = %s:%u\nworkers = 2\n"
	        "auth_workers = 1\nlogin_failure_delay = 0\ndirectory = sqlite:%s/none.db\n"
	        "%s\n[probe]\nlisten = %s:%u\n%s\n",
	        r->dir, r->log, run_host(), r->metrics_port, r->dir, common, run_host(), r->port,
	        probe);
	fclose(f);
}

void
run_spawn(struct run *r, const char *argument)
{
	int out;

	fflush(NULL);
	r->pid = fork();
	if (r->pid != 0)
		return;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nothing behind */
	out = open(r->out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	close(out);
	setenv(PROBE_ENV, r->kind, 1);
	execl("/proc/self/exe", "probe", "--config", r->conf, argument, NULL);
	_exit(127);
}

void
run_start(struct run *r)
{
	run_spawn(r, NULL);
	run_until(waitpid(r->pid, NULL, WNOHANG) != 0 || run_log_has(r, "svc.ready"));
	test_check(run_is_alive(r->pid), "it ended: %s", run_file(r->out));
}

void
run_signal(struct run *r, int signo)
{
	(void)kill(r->pid, signo);
}

int
run_wait(struct run *r)
{
	uint64_t end = run_now() + 2 * (uint64_t)RUN_PATIENCE_MS;
	int status = 0;

	while (waitpid(r->pid, &status, WNOHANG) == 0) {
		test_check(run_now() < end, "it does not end");
		run_pause();
	}
	r->pid = 0;
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/* ---- talking to it ---------------------------------------------------------------------------- */

int
run_dial(struct run *r, uint16_t port)
{
	const struct timeval patience = { .tv_sec = RUN_PATIENCE_MS / 1000 };
	struct sockaddr_in in = address(port != 0 ? port : r->port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&in, sizeof(in)) == 0)
		return fd;
	close(fd);
	return -1;
}

bool
run_refuses(struct run *r, uint16_t port)
{
	int fd = run_dial(r, port);

	if (fd != -1)
		close(fd);
	return fd == -1;
}

const char *
run_ask(int fd, const char *text)
{
	static char line[512];
	size_t n = 0;

	if (text != NULL) {
		(void)send(fd, text, strlen(text), MSG_NOSIGNAL);
		(void)send(fd, "\n", 1, MSG_NOSIGNAL);
	}
	while (n < sizeof(line) - 1 && recv(fd, line + n, 1, 0) == 1 && line[n] != '\n')
		n++;
	line[n] = '\0';
	return line;
}

const char *
run_greeting(struct run *r)
{
	int fd = run_dial(r, 0);
	const char *line;

	if (fd == -1)
		return "";
	line = run_ask(fd, NULL);
	close(fd);
	return line;
}

pid_t
run_greeting_pid(const char *greeting)
{
	return (pid_t)strtol(greeting, NULL, 10);
}

size_t
run_children(const struct run *r, pid_t pids_r[RUN_CHILDREN_MAX])
{
	char path[64];
	const char *text;
	size_t n = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)r->pid, (int)r->pid);
	text = run_file(path);
	while (n < RUN_CHILDREN_MAX) {
		char *end;
		long pid = strtol(text, &end, 10);

		if (end == text)
			break;
		pids_r[n++] = (pid_t)pid;
		text = end;
	}
	return n;
}

bool
run_is_alive(pid_t pid)
{
	char path[64];
	const char *state;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	state = strrchr(run_file(path), ')');
	return state != NULL && state[2] != 'Z';
}

const char *
run_file(const char *path)
{
	static char text[65536];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t n = 0;
	ssize_t got;

	while (fd != -1 && (got = read(fd, text + n, sizeof(text) - 1 - n)) > 0)
		n += (size_t)got;
	if (fd != -1)
		close(fd);
	text[n] = '\0';
	return text;
}

bool
run_log_has(const struct run *r, const char *text)
{
	return strstr(run_file(r->log), text) != NULL;
}

const char *
run_http(struct run *r, const char *target)
{
	static char text[65536];
	int fd = run_dial(r, r->metrics_port);
	size_t n = 0;
	ssize_t got;

	if (fd == -1)
		return "";
	dprintf(fd, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", target);
	while ((got = recv(fd, text + n, sizeof(text) - 1 - n, 0)) > 0)
		n += (size_t)got;
	text[n] = '\0';
	close(fd);
	return text;
}

struct json *
run_ctl(const struct run *r, unsigned worker, const char *request)
{
	struct err err;
	struct json *j = json_parse(slice_of(request), &err), *reply;
	char path[SVC_PATH_LEN];

	assert_non_null(j);
	assert_true(svc_ctl_path(r->dir, "probe", NULL, worker, path));
	reply = ctl_call(path, j, RUN_PATIENCE_MS, &err);
	json_free(&j);
	return reply;
}
