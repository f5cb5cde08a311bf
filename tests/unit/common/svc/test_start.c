/* How a program starts, refuses to start, and what can be seen of it while it runs. */
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/test.h"
#include "svc/svc.h"
#include "unit/common/svc/run.h"

static size_t
count_lines(const char *text)
{
	size_t n = 0;

	for (; *text != '\0'; text++)
		n += *text == '\n';
	return n;
}

static bool
exists(const struct run *r, const char *name)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/%s", r->dir, name);
	return access(path, F_OK) == 0;
}

TEST(it_starts_serves_and_ends)
{
	struct run r;

	run_init(&r, "workers");
	run_start(&r);
	assert_non_null(strstr(run_greeting(&r), " hello"));
	assert_true(exists(&r, "probe.ctl") && exists(&r, "probe.1.ctl") &&
	            exists(&r, "probe.pid"));
	run_signal(&r, SIGTERM);
	assert_int_equal(run_wait(&r), 0);
	assert_false(exists(&r, "probe.ctl") || exists(&r, "probe.1.ctl") ||
	             exists(&r, "probe.pid"));
	test_eq_str("standard error", run_file(r.out), "");
	run_fini(&r);
}

static const struct refusal {
	const char *name, *argument, *common, *probe;
	int code;
	const char *text;
} refusals[] = {
	{ "an option that is none", "--nonsense", "", "", SVC_EXIT_USAGE, "--nonsense" },
	{ "an argument that is none", "nonsense", "", "", SVC_EXIT_USAGE, "nonsense" },
	{ "an option without its value", "--instance", "", "", SVC_EXIT_USAGE, "--instance" },
	{ "a setting that is none", NULL, "", "gretting = x", SVC_EXIT_CONFIG,
	  "roost.conf:12: [probe] has no setting gretting; did you mean greeting?" },
	{ "a value that is none", NULL, "workers = many", "", SVC_EXIT_CONFIG, "workers" },
	{ "settings that contradict each other", NULL, "", "trouble = check", SVC_EXIT_CONFIG,
	  "contradict" },
	{ "an instance without a section", "--instance=x", "", "", SVC_EXIT_CONFIG, "[probe x]" },
	{ "a certificate that is missing", NULL, "tls_cert = none.pem\ntls_key = none.pem", "",
	  SVC_EXIT_START, "none.pem cannot be read" },
	{ "a keytab that is missing", NULL, "kerberos_keytab = none.keytab", "", SVC_EXIT_START,
	  "none.keytab cannot be read: No such file" },
	{ "a folder that cannot be made", NULL, "", "run_dir = /proc/none", SVC_EXIT_START,
	  "/proc/none" },
	{ "a log that cannot be opened", NULL, "", "log = /proc/none", SVC_EXIT_START,
	  "/proc/none" },
	{ "a worker that cannot start", NULL, "", "trouble = start", SVC_EXIT_START,
	  "the data directory is upside down" },
	{ "a worker that crashes at its start", NULL, "", "trouble = crash", SVC_EXIT_START,
	  "signal 6" },
};

TEST(what_cannot_start_says_why_in_one_sentence)
{
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		const struct refusal *f = &refusals[i];
		struct run r;
		int code;

		run_init(&r, "workers");
		run_write(&r, f->common, f->probe);
		run_spawn(&r, f->argument);
		code = run_wait(&r);
		test_check(code == f->code, "%s: %d: %s", f->name, code, run_file(r.out));
		test_check(strstr(run_file(r.out), f->text) != NULL, "%s: %s", f->name,
		           run_file(r.out));
		test_check(count_lines(run_file(r.out)) == 1, "%s: %s", f->name, run_file(r.out));
		test_check(!exists(&r, "probe.ctl"), "%s: it left its socket", f->name);
	}
}

TEST(a_port_in_use_is_named)
{
	struct run r, other;
	char text[100];

	run_init(&r, "workers");
	run_init(&other, "workers");
	run_start(&r);
	other.port = r.port;
	run_write(&other, "", "");
	run_spawn(&other, NULL);
	assert_int_equal(run_wait(&other), SVC_EXIT_START);
	snprintf(text, sizeof(text), "probe: port %u on %s is in use by another program\n", r.port,
	         run_host());
	test_eq_str("the sentence", run_file(other.out), text);
	/* Also behind a free one. */
	run_init(&other, "workers");
	snprintf(text, sizeof(text), "[probe x]\nlisten = %s:%u %s:%u", run_host(), run_free_port(),
	         run_host(), r.port);
	run_write(&other, "", text);
	run_spawn(&other, "--instance=x");
	assert_int_equal(run_wait(&other), SVC_EXIT_START);
	test_check(strstr(run_file(other.out), "in use") != NULL, "%s", run_file(other.out));
	/* The same settings once more: the control socket is taken. */
	run_init(&other, "workers");
	snprintf(other.conf, sizeof(other.conf), "%s", r.conf);
	run_spawn(&other, NULL);
	assert_int_equal(run_wait(&other), SVC_EXIT_START);
	test_check(strstr(run_file(other.out), "in use") != NULL, "%s", run_file(other.out));
	assert_non_null(strstr(run_greeting(&r), " hello"));
	run_fini(&r);
}

TEST(check_help_version_and_settings_are_printed)
{
	static const struct {
		const char *argument, *text;
	} rows[] = {
		{ "--check", "nothing is wrong" },
		{ "--help", "greeting = hello" },
		{ "--version", "probe 0." },
		{ "--print-config", "greeting = \"hello\"" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct run r;

		run_init(&r, "workers");
		run_spawn(&r, rows[i].argument);
		assert_int_equal(run_wait(&r), 0);
		test_check(strstr(run_file(r.out), rows[i].text) != NULL, "%s: %s",
		           rows[i].argument, run_file(r.out));
		assert_false(exists(&r, "probe.ctl"));
	}
}

TEST(status_says_what_runs)
{
	struct run r;
	struct json *j;
	int fd;

	run_init(&r, "one");
	run_start(&r);
	fd = run_dial(&r, 0);
	run_ask(fd, NULL);
	j = run_ctl(&r, 0, "{\"cmd\":\"status\"}");
	assert_true(json_get_bool(j, "ok", false));
	test_eq_str("program", json_get_str(j, "program"), "probe");
	assert_int_equal(json_get_int(j, "supervisor", 0), r.pid);
	assert_int_equal(json_get_int(j, "sessions", 0), 1);
	assert_int_equal(json_get_int(j, "workers", 0), 1);
	assert_false(json_get_bool(j, "draining", true));
	test_eq_str("detail", json_get_str(json_get(j, "detail"), "greeting"), "hello");
	json_free(&j);
	close(fd);
	run_fini(&r);
}

TEST(metrics_are_served_over_http)
{
	struct run r;
	char *text;

	run_init(&r, "workers");
	run_start(&r);
	run_until(strstr(run_http(&r, "/metrics"), "HTTP/1.0 200 OK\r\n") != NULL);
	text = strdup(run_http(&r, "/metrics"));
	assert_non_null(strstr(text, "version=0.0.4"));
	test_check(strstr(text, "\nroost_workers_ready 2\n") != NULL, "%s", text);
	test_check(strstr(text, "\nroost_child_starts_total{kind=\"worker\"} 2\n") != NULL, "%s",
	           text);
	free(text);
	assert_non_null(strstr(run_http(&r, "/"), "HTTP/1.0 404 "));
	run_fini(&r);
}

TEST(a_program_in_which_nobody_listens_runs_too)
{
	struct run r;

	run_init(&r, "one");
	run_write(&r, "", "metrics = \"\"");
	run_start(&r);
	assert_true(run_refuses(&r, r.metrics_port));
	run_signal(&r, SIGINT);
	assert_int_equal(run_wait(&r), 0);
}

/* ---- what the processes have and have not --------------------------------------------------------- */

TEST(secrets_are_with_the_auth_workers_only)
{
	struct run r;
	int fd;

	run_init(&r, "workers");
	run_write(&r, "cluster_secret = 0123456789abcdef0123456789abcdef",
	          "[identity s1]\npassword = sesame");
	run_start(&r);
	fd = run_dial(&r, 0);
	run_ask(fd, NULL);
	test_eq_str("the worker's settings", run_ask(fd, "secrets"), "- -");
	test_eq_str("an auth worker knows", run_ask(fd, "login s1 sesame"), "ok");
	test_eq_str("and knows better", run_ask(fd, "login s1 other"), "denied");
	close(fd);
	run_fini(&r);
}

TEST(nothing_is_inherited_from_whoever_started_it)
{
	struct run r;
	pid_t pids[RUN_CHILDREN_MAX];
	char link[64], to[300];
	size_t n;
	int fd;

	run_init(&r, "workers");
	fd = open(r.conf, O_RDONLY); /* without O_CLOEXEC */
	assert_int_equal(dup2(fd, 100), 100);
	run_start(&r);
	close(100);
	close(fd);
	n = run_children(&r, pids);
	assert_int_equal(n, 4);
	for (size_t i = 0; i < n; i++) {
		for (int k = 3; k <= 128; k++) {
			ssize_t len;

			snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)pids[i], k);
			len = readlink(link, to, sizeof(to) - 1);
			to[MAX(len, 0)] = '\0';
			test_check(strcmp(to, r.conf) != 0, "%s", link);
		}
	}
	run_fini(&r);
}

static long
status_number(pid_t pid, const char *key)
{
	char path[64];
	const char *at;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	at = strstr(run_file(path), key);
	return at != NULL ? strtol(at + strlen(key), NULL, 10) : -1;
}

TEST(started_as_root_the_others_are_the_user)
{
	const struct passwd *pw = getpwnam("nobody");
	struct run r;
	pid_t pids[RUN_CHILDREN_MAX];
	char path[300], more[300];
	struct stat st;
	size_t n;

	if (geteuid() != 0 || pw == NULL)
		skip();
	run_init(&r, "one");
	assert_int_equal(chmod(test_dir(), 0755), 0);
	run_write(&r, "", "user = nobody\n");
	run_start(&r);
	assert_int_equal(status_number(r.pid, "\nUid:"), 0);
	n = run_children(&r, pids);
	assert_int_equal(n, 3);
	for (size_t i = 0; i < n; i++) {
		/* It is ready when one worker is; others may still be on their way to this. */
		run_until(status_number(pids[i], "\nNoNewPrivs:") == 1);
		assert_int_equal(status_number(pids[i], "\nUid:"), pw->pw_uid);
		assert_int_equal(status_number(pids[i], "\nGid:"), pw->pw_gid);
		assert_int_not_equal(status_number(pids[i], "\nGroups:"), 0);
	}
	snprintf(path, sizeof(path), "%s/probe.ctl", r.dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_uid, pw->pw_uid);
	assert_int_equal(stat(r.log, &st), 0);
	assert_int_equal(st.st_uid, pw->pw_uid);
	/* Nobody but root may make the file of the new log. */
	snprintf(more, sizeof(more), "user = nobody\nlog = %.200s2", r.log);
	run_write(&r, "", more);
	run_signal(&r, SIGHUP);
	snprintf(r.log, sizeof(r.log), "%.200s/log2", r.dir);
	run_until(run_log_has(&r, "svc.reloaded"));
	assert_false(run_log_has(&r, "svc.reload reason"));
	n = run_children(&r, pids);
	/* They die with it all the same. */
	run_signal(&r, SIGKILL);
	(void)run_wait(&r);
	for (size_t i = 0; i < n; i++)
		run_until(!run_is_alive(pids[i]));
}

/* Root may read it, but root is not who will. */
TEST(a_keytab_is_tried_as_the_user_of_the_auth_workers)
{
	struct run r;
	char path[300], more[600];
	int fd;

	if (geteuid() != 0 || getpwnam("nobody") == NULL)
		skip();
	run_init(&r, "workers");
	assert_int_equal(chmod(test_dir(), 0755), 0);
	snprintf(path, sizeof(path), "%s/root.keytab", r.dir);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(write(fd, "\x05\x02", 2), 2);
	close(fd);
	snprintf(more, sizeof(more), "user = nobody\nkerberos_keytab = %s", path);
	run_write(&r, more, "");
	run_spawn(&r, "--check");
	assert_int_equal(run_wait(&r), SVC_EXIT_START);
	test_check(strstr(run_file(r.out), "root.keytab cannot be read: Permission denied") != NULL,
	           "%s", run_file(r.out));
	run_fini(&r);
}

TEST(an_unknown_user_is_a_wrong_setting)
{
	struct run r;

	if (geteuid() != 0)
		skip();
	run_init(&r, "workers");
	run_write(&r, "", "user = nobody-at-all");
	run_spawn(&r, NULL);
	assert_int_equal(run_wait(&r), SVC_EXIT_CONFIG);
	test_check(strstr(run_file(r.out), "roost.conf:12: setting user of [probe]") != NULL, "%s",
	           run_file(r.out));
}

/* ---- systemd ------------------------------------------------------------------------------------ */

static void
hears(int fd, const char *want)
{
	char text[300];
	ssize_t n;

	do {
		n = recv(fd, text, sizeof(text) - 1, 0);
		test_check(n > 0, "no %s", want);
		text[n] = '\0';
	} while (strncmp(text, want, strlen(want)) != 0);
}

TEST(systemd_is_told)
{
	const struct timeval patience = { .tv_sec = RUN_PATIENCE_MS / 1000 };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct run r;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	run_init(&r, "workers");
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	snprintf(un.sun_path, sizeof(un.sun_path), "%.80s/notify", r.dir);
	assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	setenv("NOTIFY_SOCKET", un.sun_path, 1);
	setenv("WATCHDOG_USEC", "100000", 1);
	run_start(&r);
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	hears(fd, "READY=1");
	hears(fd, "WATCHDOG=1");
	run_signal(&r, SIGHUP);
	hears(fd, "RELOADING=1\nMONOTONIC_USEC=");
	hears(fd, "READY=1");
	run_signal(&r, SIGTERM);
	hears(fd, "STOPPING=1");
	assert_int_equal(run_wait(&r), 0);
	close(fd);
}
