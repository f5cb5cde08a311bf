/* What happens to a running program: crashes, reloads, drains, the end. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/test.h"
#include "svc/svc.h"
#include "unit/common/svc/run.h"

static size_t
with_name(const pid_t *pids, size_t n, pid_t pid)
{
	for (size_t i = 0; i < n; i++)
		if (pids[i] == pid)
			return i;
	return n;
}

/* ---- crashes ---------------------------------------------------------------------------- */

TEST(who_waits_in_a_dead_workers_queue_gets_its_successor)
{
	struct run r;
	pid_t old;
	int fd;

	run_init(&r, "one");
	run_start(&r);
	old = run_greeting_pid(run_greeting(&r));
	assert_true(old > 0);
	assert_int_equal(kill(old, SIGSTOP), 0);
	fd = run_dial(&r, 0);
	assert_int_not_equal(fd, -1);
	assert_int_equal(kill(old, SIGKILL), 0);
	assert_int_not_equal(run_greeting_pid(run_ask(fd, NULL)), 0);
	assert_int_not_equal(run_greeting_pid(run_ask(fd, "who")), old);
	close(fd);
	run_fini(&r);
}

TEST(a_worker_that_dies_again_and_again_is_started_again)
{
	struct run r;

	run_init(&r, "one");
	run_start(&r);
	for (int i = 0; i < 4; i++) {
		pid_t pid = run_greeting_pid(run_greeting(&r));

		test_check(pid > 0, "death %d", i);
		assert_int_equal(kill(pid, SIGKILL), 0);
		run_until(!run_is_alive(pid));
	}
	assert_true(run_greeting_pid(run_greeting(&r)) > 0);
	assert_non_null(strstr(run_http(&r, "/metrics"),
	                       "\nroost_child_starts_total{kind=\"worker\"} 5\n"));
	run_fini(&r);
}

TEST(an_auth_worker_that_dies_is_replaced_on_the_same_pairs)
{
	struct run r;
	pid_t pids[RUN_CHILDREN_MAX], worker;
	size_t n;
	int fd;

	run_init(&r, "one");
	run_write(&r, "", "[identity s1]\npassword = sesame");
	run_start(&r);
	fd = run_dial(&r, 0);
	worker = run_greeting_pid(run_ask(fd, NULL));
	test_eq_str("before", run_ask(fd, "login s1 sesame"), "ok");
	n = run_children(&r, pids);
	for (size_t i = 0; i < n; i++)
		if (pids[i] != worker)
			assert_int_equal(kill(pids[i], SIGKILL), 0); /* auth and metrics */
	test_eq_str("after", run_ask(fd, "login s1 sesame"), "ok");
	assert_int_equal(run_greeting_pid(run_ask(fd, "who")), worker);
	run_until(strstr(run_http(&r, "/metrics"), "200 OK") != NULL);
	close(fd);
	run_fini(&r);
}

TEST(all_die_with_the_supervisor)
{
	struct run r;
	pid_t pids[RUN_CHILDREN_MAX];
	size_t n;

	run_init(&r, "workers");
	run_start(&r);
	n = run_children(&r, pids);
	assert_int_equal(n, 4);
	run_signal(&r, SIGKILL);
	assert_int_equal(run_wait(&r), -SIGKILL);
	for (size_t i = 0; i < n; i++)
		run_until(!run_is_alive(pids[i]));
	run_fini(&r);
}

TEST(a_killed_supervisor_is_started_again_at_once)
{
	struct run r;

	run_init(&r, "workers");
	run_write(&r, "", "workers = 8\nauth_workers = 2");
	run_start(&r);
	for (int i = 0; i < 5; i++) {
		/* Its workers still have the ports, for a moment. */
		run_signal(&r, SIGKILL);
		assert_int_equal(run_wait(&r), -SIGKILL);
		assert_int_equal(unlink(r.log), 0);
		run_start(&r);
		assert_non_null(strstr(run_greeting(&r), "hello"));
	}
	run_fini(&r);
}

/* ---- drain --------------------------------------------------------------------------------- */

TEST(sessions_go_on_until_they_end)
{
	struct run r;
	struct json *j;
	int fd;

	run_init(&r, "one");
	run_start(&r);
	fd = run_dial(&r, 0);
	run_ask(fd, NULL);
	run_signal(&r, SIGTERM);
	run_until(run_refuses(&r, 0));
	assert_non_null(strstr(run_ask(fd, "who"), "hello"));
	j = run_ctl(&r, 0, "{\"cmd\":\"status\"}");
	assert_true(json_get_bool(j, "draining", false));
	json_free(&j);
	test_eq_str("auth workers live on", run_ask(fd, "login s1 sesame"), "denied");
	test_eq_str("the last session ends", run_ask(fd, "quit"), "");
	assert_int_equal(run_wait(&r), 0);
	close(fd);
}

TEST(sessions_that_do_not_end_are_cut)
{
	struct run r;
	int fd;

	run_init(&r, "one");
	run_write(&r, "drain_timeout = 100ms", "");
	run_start(&r);
	fd = run_dial(&r, 0);
	run_ask(fd, NULL);
	run_signal(&r, SIGTERM);
	test_eq_str("it is cut", run_ask(fd, NULL), "");
	assert_int_equal(run_wait(&r), 0);
	close(fd);
}

TEST(a_second_signal_ends_at_once)
{
	struct run r;
	int fd;

	run_init(&r, "workers");
	run_start(&r);
	fd = run_dial(&r, 0);
	run_ask(fd, NULL);
	run_signal(&r, SIGTERM);
	run_until(run_log_has(&r, "svc.stopping"));
	run_signal(&r, SIGINT);
	test_eq_str("it is cut", run_ask(fd, NULL), "");
	assert_int_equal(run_wait(&r), 0);
	close(fd);
}

/* ---- reload of workers ------------------------------------------------------------------------ */

/* Ten in a row. */
static bool
all_greet_with(struct run *r, const char *text)
{
	for (int i = 0; i < 10; i++)
		if (strstr(run_greeting(r), text) == NULL)
			return false;
	return true;
}

TEST(a_reload_brings_new_workers_and_leaves_old_sessions)
{
	struct run r;
	pid_t old;
	int fd;

	run_init(&r, "workers");
	run_start(&r);
	fd = run_dial(&r, 0);
	old = run_greeting_pid(run_ask(fd, NULL));
	run_write(&r, "[identity s1]\npassword = sesame", "greeting = welcome\nworkers = 3");
	run_signal(&r, SIGHUP);
	run_until(run_log_has(&r, "svc.reloaded"));
	/* Until each of them is told to drain an old worker may take another connection. */
	run_until(all_greet_with(&r, " welcome"));
	assert_non_null(strstr(run_ask(fd, "who"), " hello"));
	assert_int_equal(run_greeting_pid(run_ask(fd, "who")), old);
	test_eq_str("with the old auth workers", run_ask(fd, "login s1 sesame"), "denied");
	test_eq_str("it ends", run_ask(fd, "quit"), "");
	run_until(!run_is_alive(old));
	close(fd);
	fd = run_dial(&r, 0);
	run_ask(fd, NULL);
	test_eq_str("with the new auth workers", run_ask(fd, "login s1 sesame"), "ok");
	close(fd);
	run_until(strstr(run_http(&r, "/metrics"), "\nroost_workers_ready 3\n") != NULL);
	run_fini(&r);
}

TEST(a_reload_follows_new_addresses)
{
	struct run r;
	uint16_t old;

	run_init(&r, "workers");
	run_start(&r);
	old = r.port;
	r.port = run_free_port();
	run_write(&r, "", "");
	run_signal(&r, SIGHUP);
	run_until(run_log_has(&r, "svc.reloaded"));
	assert_non_null(strstr(run_greeting(&r), " hello"));
	run_until(run_refuses(&r, old));
	run_fini(&r);
}

static const struct bad_reload {
	const char *name, *probe, *reason;
} bad_reloads[] = {
	{ "a setting that is none", "gretting = x",
	  "roost.conf:12: [probe] has no setting gretting" },
	{ "a contradiction", "trouble = check", "contradict" },
	{ "a worker that cannot start", "trouble = start\nworkers = 3", "upside down" },
	{ "a worker that crashes", "trouble = crash", "signal 6" },
	{ "a keytab that is missing", "kerberos_keytab = none.keytab",
	  "none.keytab cannot be read" },
};

static void
check_bad_reloads(const char *kind, const struct bad_reload *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct run r;
		pid_t pid;
		int fd;

		run_init(&r, kind);
		run_start(&r);
		fd = run_dial(&r, 0);
		pid = run_greeting_pid(run_ask(fd, NULL));
		run_write(&r, "", rows[i].probe);
		run_signal(&r, SIGHUP);
		run_until(run_log_has(&r, "svc.reload_failed reason="));
		test_check(run_log_has(&r, rows[i].reason), "%s: %s", rows[i].name,
		           run_file(r.log));
		assert_non_null(strstr(run_greeting(&r), " hello"));
		assert_int_equal(run_greeting_pid(run_ask(fd, "who")), pid);
		/* The next good one is taken. */
		run_write(&r, "", "greeting = welcome");
		run_signal(&r, SIGHUP);
		run_until(run_log_has(&r, "svc.reloaded"));
		/* Until it is told to drain an old worker may take another connection. */
		run_until(strstr(run_greeting(&r), " welcome") != NULL);
		close(fd);
		run_fini(&r);
	}
}

TEST(a_reload_that_fails_changes_nothing)
{
	check_bad_reloads("workers", bad_reloads, ARRAY_LEN(bad_reloads));
}

/* ---- reload in place ----------------------------------------------------------------------------- */

/* Of the children before, is the worker still there, and nobody else? */
static bool
is_alone_left(struct run *r, const pid_t *before, size_t n, pid_t worker)
{
	pid_t now[RUN_CHILDREN_MAX];
	size_t m = run_children(r, now);

	for (size_t i = 0; i < n; i++)
		if ((with_name(now, m, before[i]) < m) != (before[i] == worker))
			return false;
	return true;
}

TEST(one_worker_takes_new_settings_in_place)
{
	struct run r;
	pid_t before[RUN_CHILDREN_MAX], worker;
	size_t n;
	int fd;

	run_init(&r, "one");
	run_write(&r, "cluster_secret = 0123456789abcdef0123456789abcdef",
	          "[identity s1]\npassword = sesame");
	run_start(&r);
	fd = run_dial(&r, 0);
	worker = run_greeting_pid(run_ask(fd, NULL));
	n = run_children(&r, before);
	run_write(&r, "cluster_secret = 0123456789abcdef0123456789abcdef\ngreeting = welcome",
	          "[identity s1]\npassword = open");
	/* greeting may not stand in [common]: refused, see the next one */
	run_signal(&r, SIGHUP);
	run_until(run_log_has(&r, "svc.reload_failed"));
	run_write(&r, "cluster_secret = 0123456789abcdef0123456789abcdef",
	          "greeting = welcome\n[identity s1]\npassword = open");
	run_signal(&r, SIGHUP);
	run_until(run_log_has(&r, "svc.reloaded"));
	assert_int_equal(run_greeting_pid(run_ask(fd, "who")), worker);
	assert_non_null(strstr(run_ask(fd, "who"), " welcome"));
	test_eq_str("still no secrets", run_ask(fd, "secrets"), "- -");
	run_until(strcmp(run_ask(fd, "login s1 open"), "ok") == 0);
	test_eq_str("the old password", run_ask(fd, "login s1 sesame"), "denied");
	run_until(is_alone_left(&r, before, n, worker));
	/* A successor starts with what is in force. */
	assert_int_equal(kill(worker, SIGKILL), 0);
	run_until(strstr(run_greeting(&r), " welcome") != NULL);
	close(fd);
	run_fini(&r);
}

TEST(what_needs_a_restart_is_said)
{
	struct run r;

	run_init(&r, "one");
	run_start(&r);
	r.port++;
	run_write(&r, "", "user = root\n[probe]\ngreeting = welcome");
	r.port--;
	run_signal(&r, SIGHUP);
	run_until(run_log_has(&r, "svc.reloaded"));
	assert_true(run_log_has(&r, "svc.restart_needed setting=user"));
	assert_true(run_log_has(&r, "svc.restart_needed setting=listen"));
	assert_false(run_log_has(&r, "svc.restart_needed setting=auth_workers"));
	assert_non_null(strstr(run_greeting(&r), " welcome"));
	run_fini(&r);
}

static const struct bad_reload bad_in_place[] = {
	{ "a setting that is none", "gretting = x", "has no setting gretting" },
	{ "a worker that refuses", "greeting = x\ntrouble = reload", "this needs a restart" },
};

TEST(one_worker_keeps_its_settings_when_new_ones_are_wrong)
{
	check_bad_reloads("one", bad_in_place, ARRAY_LEN(bad_in_place));
}

/* ---- the log ------------------------------------------------------------------------------------- */

TEST(the_log_is_opened_again_by_all)
{
	struct run r;
	char old[300];
	pid_t pids[RUN_CHILDREN_MAX];
	size_t n;

	run_init(&r, "workers");
	run_start(&r);
	snprintf(old, sizeof(old), "%s.1", r.log);
	assert_int_equal(rename(r.log, old), 0);
	run_signal(&r, SIGUSR1);
	run_until(access(r.log, F_OK) == 0);
	n = run_children(&r, pids);
	for (size_t i = 0; i < n; i++) {
		char path[64], to[300];

		for (int fd = 3; fd < 64; fd++) {
			ssize_t len;

			snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pids[i], fd);
			run_until((len = readlink(path, to, sizeof(to) - 1)) <= 0 ||
			          (to[len] = '\0', strcmp(to, old) != 0));
		}
	}
	run_fini(&r);
}
