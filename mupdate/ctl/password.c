/*
 * What is typed is read without stdio, whose buffers nobody wipes.
 */
#include "ctl/password.h"

#include "base/xalloc.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* One line without its end. Returns its length, -1 at the end of the input, -2 when it is
 * too long. */
static int
read_line(int fd, char *line, size_t room)
{
	size_t n = 0;
	ssize_t got;
	char c;

	for (;;) {
		got = read(fd, &c, 1);
		if (got == -1 && errno == EINTR)
			continue;
		if (got <= 0 && n == 0)
			return -1;
		if (got <= 0 || c == '\n')
			break;
		if (n + 1 >= room)
			return -2;
		line[n++] = c;
	}
	if (n > 0 && line[n - 1] == '\r')
		n--;
	line[n] = '\0';
	return (int)n;
}

static int
check(struct run *r, int n, const char *password)
{
	if (n == -2)
		return run_fail(r, EXIT_USAGE, "the password is longer than %d bytes",
		                PASSWD_MAX - 1);
	if (n <= 0 || strlen(password) != (size_t)n)
		return run_fail(r, EXIT_USAGE, "the password is empty");
	return EXIT_DONE;
}

static int
prompt(struct run *r, const char *text, char *line, size_t room)
{
	struct termios was, quiet;
	sigset_t stop, mask;
	int n;

	if (tcgetattr(STDIN_FILENO, &was) == -1)
		return run_fail(r, EXIT_USAGE, "the terminal cannot be used");
	quiet = was;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	fprintf(stderr, "%s: ", text);
	sigemptyset(&stop); /* the echo comes back before anything stops us */
	sigaddset(&stop, SIGINT);
	sigaddset(&stop, SIGTSTP);
	sigprocmask(SIG_BLOCK, &stop, &mask);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
	n = read_line(STDIN_FILENO, line, room);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &was);
	fputc('\n', stderr);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	return check(r, n, line);
}

static int
ask_twice(struct run *r, char *password)
{
	char again[PASSWD_MAX];
	int code = prompt(r, "New password", password, PASSWD_MAX);

	if (code != EXIT_DONE)
		return code;
	code = prompt(r, "Once more", again, sizeof(again));
	if (code == EXIT_DONE && strcmp(password, again) != 0)
		code = run_fail(r, EXIT_USAGE, "the two are different; nothing was changed");
	secret_wipe(again, sizeof(again));
	return code;
}

int
password_get(struct run *r, char password_r[PASSWD_MAX])
{
	bool from_stdin = args_has(&r->args, OPT_PASSWORD_STDIN);
	bool made = args_has(&r->args, OPT_GENERATE);

	if (from_stdin && made)
		return run_fail(r, EXIT_USAGE, "either --password-stdin or --generate");
	if (made) {
		passwd_generate(password_r);
		return EXIT_DONE;
	}
	if (from_stdin)
		return check(r, read_line(STDIN_FILENO, password_r, PASSWD_MAX), password_r);
	if (isatty(STDIN_FILENO))
		return ask_twice(r, password_r);
	return run_fail(r, EXIT_USAGE,
	                "no terminal to ask for the password; use --password-stdin or --generate");
}

void
password_show(struct run *r, const char *password)
{
	if (!args_has(&r->args, OPT_GENERATE) || r->dry_run)
		return;
	run_say(r, "The password is %s", password);
	json_set_str(r->result, "password", password);
}
