/*
 * config check - every program of the settings judges its own sections: each is started
 * with --check, since only it knows its tables.
 */
#include "ctl/commands.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTPUT_MOST 16384

/* The program that lies beside us, else the one of PATH. */
static void
find_binary(const char *program, char *path_r, size_t room)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	snprintf(path_r, room, "%s", program);
	if (n <= 0)
		return;
	self[n] = '\0';
	slash = strrchr(self, '/');
	if (slash == NULL)
		return;
	snprintf(path_r, room, "%.*s/%s", (int)(slash - self), self, program);
	if (access(path_r, X_OK) == -1)
		snprintf(path_r, room, "%s", program);
}

static _Noreturn void
become(const char *binary, const struct program *p, int out)
{
	const char *argv[7] = { binary, "--config", conf_path(p->host->conf), "--check" };

	if (p->instance != NULL) {
		argv[4] = "--instance";
		argv[5] = p->instance;
	}
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	execvp(binary, (char *const *)argv);
	dprintf(STDERR_FILENO, "%s: %s\n", binary, strerror(errno));
	_exit(127);
}

static void
read_all(int fd, struct buf *out)
{
	char chunk[4096];
	ssize_t n;

	while ((n = read(fd, chunk, sizeof(chunk))) > 0 || (n == -1 && errno == EINTR))
		if (n > 0)
			buf_add(out, chunk, (size_t)n);
}

/* The exit status; what it said goes to out. */
static int
run_check(const struct program *p, struct buf *out)
{
	char binary[4200];
	int fds[2], status;
	pid_t pid;

	find_binary(p->program, binary, sizeof(binary));
	if (pipe(fds) == -1)
		return -1;
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		become(binary, p, fds[1]);
	}
	close(fds[1]);
	if (pid != -1)
		read_all(fds[0], out);
	close(fds[0]);
	if (pid == -1 || waitpid(pid, &status, 0) == -1)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool
check_program(struct run *r, const struct program *p, struct json *items)
{
	struct buf out = BUF_INIT(OUTPUT_MOST);
	int status = run_check(p, &out);
	struct json *o = json_add_object(items);
	char text[OUTPUT_MOST + 1];

	snprintf(text, sizeof(text), "%.*s", SLICE_ARG(slice_trim(buf_slice(&out))));
	json_set_str(o, "program", p->program);
	json_set_str(o, "instance", p->instance);
	json_set_str(o, "host", p->host->label);
	json_set_bool(o, "ok", status == 0);
	json_set_str(o, "text", text);
	if (status == 0)
		run_say(r, "  ok     %s", program_text(p));
	else
		run_say(r, "  WRONG  %s: %s", program_text(p),
		        *text != '\0' ? text : "it could not be started");
	buf_fini(&out);
	return status == 0;
}

int
cmd_config_check(struct run *r)
{
	struct json *items = json_set_array(r->result, "programs");
	unsigned wrong = 0, checked = 0;

	for (unsigned i = 0; i < r->hosts->program_count; i++) {
		const struct program *p = &r->hosts->programs[i];

		if (!p->configured)
			continue;
		wrong += !check_program(r, p, items);
		checked++;
	}
	if (checked == 0)
		run_say(r, "The settings can be read; they have no section of a program.");
	if (wrong == 0)
		return EXIT_DONE;
	return run_fail(r, EXIT_CONF, "%u of %u programs would not start with these settings",
	                wrong, checked);
}
