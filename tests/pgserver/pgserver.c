#include "pgserver/pgserver.h"

#include "lib/test.h"

#include <postgresql/libpq-fe.h>

#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char bin[200];    /* folder of its programs, "" none */
static char folder[100]; /* data and socket; short enough for a socket's name */
static pid_t server = -1, owner;

bool
pgserver_is_installed(void)
{
	glob_t g;

	if (*bin == '\0' && glob("/usr/lib/postgresql/*/bin", 0, NULL, &g) == 0) {
		snprintf(bin, sizeof(bin), "%s", g.gl_pathv[g.gl_pathc - 1]);
		globfree(&g);
	}
	return *bin != '\0' && (geteuid() != 0 || getpwnam("postgres") != NULL);
}

/* The server refuses to be root. */
static void
become_postgres(void)
{
	struct passwd *pw = getpwnam("postgres");

	if (geteuid() == 0 && (pw == NULL || setgroups(0, NULL) == -1 || setgid(pw->pw_gid) == -1 ||
	                       setuid(pw->pw_uid) == -1))
		_exit(120);
	if (chdir("/") == -1)
		_exit(121);
}

/* argv[0] is a program of bin. */
static pid_t
spawn(const char *const *argv)
{
	char path[300], log[120];
	pid_t pid = fork();
	int fd;

	if (pid != 0)
		return pid;
	become_postgres();
	prctl(PR_SET_PDEATHSIG, SIGQUIT); /* at once, with all its processes */
	snprintf(log, sizeof(log), "%s/log", folder);
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	dup2(fd, 1);
	dup2(fd, 2);
	snprintf(path, sizeof(path), "%s/%s", bin, argv[0]);
	execv(path, (char *const *)argv);
	_exit(122);
}

static void
remove_all(void)
{
	char command[150];

	if (getpid() != owner)
		return; /* a child of a test */
	pgserver_stop();
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	if (system(command) != 0)
		fprintf(stderr, "# %s stays\n", folder);
}

static void
make_folder(void)
{
	struct passwd *pw = getpwnam("postgres");
	char data[120];
	const char *const argv[] = { "initdb", "-D", data, "-U",   "roost",      "-A",
		                     "trust",  "-N", "-E", "UTF8", "--locale=C", NULL };
	int status;
	pid_t pid;

	snprintf(folder, sizeof(folder), "/tmp/roost-pg-XXXXXX");
	assert_non_null(mkdtemp(folder));
	owner = getpid();
	atexit(remove_all);
	if (geteuid() == 0)
		assert_int_equal(chown(folder, pw->pw_uid, pw->pw_gid), 0);
	snprintf(data, sizeof(data), "%s/data", folder);
	pid = spawn(argv);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	test_check(status == 0, "initdb ended with %d, see %s/log", status, folder);
}

static PGconn *
reach(const char *database)
{
	char words[250];

	snprintf(words, sizeof(words), "host=%s user=roost dbname=%s connect_timeout=60", folder,
	         database);
	return PQconnectdb(words);
}

static void
run_in(PGconn *pg, const char *statements)
{
	PGresult *r = PQexec(pg, statements);

	test_check(PQresultStatus(r) == PGRES_COMMAND_OK || PQresultStatus(r) == PGRES_TUPLES_OK,
	           "%s: %s", statements, PQerrorMessage(pg));
	PQclear(r);
	PQfinish(pg);
}

void
pgserver_start(void)
{
	char data[120];
	const char *const argv[] = { "postgres", "-D", data, "-k", folder, "-h", "",
		                     "-F",       "-N", "20", "-B", "2MB",  "-c", "autovacuum=off",
		                     NULL };

	if (*folder == '\0')
		make_folder();
	snprintf(data, sizeof(data), "%s/data", folder);
	server = spawn(argv);
	for (int tries = 0; tries < 1200; tries++) {
		PGconn *pg = reach("postgres");
		bool up = PQstatus(pg) == CONNECTION_OK;

		PQfinish(pg);
		if (up)
			return;
		usleep(50000);
	}
	test_fail("the server does not come up, see %s/log", folder);
}

void
pgserver_stop(void)
{
	if (server == -1)
		return;
	pgserver_thaw();
	kill(server, SIGQUIT);
	waitpid(server, NULL, 0);
	server = -1;
}

void
pgserver_new_database(char url_r[300])
{
	static int number;
	char statement[60];

	if (server == -1)
		pgserver_start();
	snprintf(statement, sizeof(statement), "CREATE DATABASE d%d", ++number);
	run_in(reach("postgres"), statement);
	snprintf(url_r, 300, "postgresql:///d%d?host=%s&user=roost", number, folder);
}

void
pgserver_run(const char *url, const char *statements)
{
	char database[60];

	assert_int_equal(sscanf(url, "postgresql:///%50[^?]", database), 1);
	run_in(reach(database), statements);
}

/* Its processes are not one group. */
static void
signal_all(int signo)
{
	char path[60];
	FILE *f;
	long pid;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", server, server);
	kill(server, signo);
	f = fopen(path, "r");
	while (f != NULL && fscanf(f, "%ld", &pid) == 1)
		kill((pid_t)pid, signo);
	if (f != NULL)
		fclose(f);
}

void
pgserver_freeze(void)
{
	signal_all(SIGSTOP);
}

void
pgserver_thaw(void)
{
	signal_all(SIGCONT);
}
