/* directory and db_sqlite - names, accounts, and a file that is missing, locked, damaged,
 * foreign, replaced, or somebody else's. */
#include "directory/directory.h"
#include "base/clock.h"
#include "log/log.h"

#include "lib/test.h"

#include <sqlite3.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct world {
	char path[300], url[310];
	struct directory *writer, *reader;
	struct err err;
};

static void
begin(struct world *w)
{
	static int number;

	log_set_level(LOG_ERROR);
	memset(w, 0, sizeof(*w));
	snprintf(w->path, sizeof(w->path), "%s/d%d.db", test_dir(), number++);
	snprintf(w->url, sizeof(w->url), "sqlite:%s", w->path);
	w->reader = directory_open(w->url, "example.org", DIRECTORY_READ, &w->err);
	assert_non_null(w->reader);
}

static void
open_writer(struct world *w)
{
	w->writer = directory_open(w->url, "example.org", DIRECTORY_WRITE, &w->err);
	test_check(w->writer != NULL, "%s", w->err.text);
}

static void
end(struct world *w)
{
	directory_close(&w->writer);
	directory_close(&w->reader);
}

static enum directory_result
get(struct world *w, const char *user)
{
	struct directory_account a;

	return directory_get(w->reader, user, &a, &w->err);
}

static const struct canon_case {
	const char *name, *domain, *user; /* user NULL: refused */
} names[] = {
	{ "Fred", "example.org", "fred" },
	{ "fred@EXAMPLE.org", "example.org", "fred" },
	{ "fred@Other.org", "example.org", "fred@other.org" },
	{ "f.r_e-d=1'~", "example.org", "f.r_e-d=1'~" },
	{ "fred", NULL, NULL },
	{ "fred@other.org", NULL, "fred@other.org" },
	{ "", "example.org", NULL },
	{ "@example.org", "example.org", NULL },
	{ "fred@", "example.org", NULL },
	{ "a@b@c", "example.org", NULL },
	{ ".fred", "example.org", NULL },
	{ "fred.", "example.org", NULL },
	{ "fr..ed", "example.org", NULL },
	{ "fr ed", "example.org", NULL },
	{ "fr/ed", "example.org", NULL },
	{ "fr^ed", "example.org", NULL },
	{ "fr$ed", "example.org", NULL },
	{ "fr+ed", "example.org", NULL },
	{ "fr*ed", "example.org", NULL },
	{ "fr%ed", "example.org", NULL },
	{ "fr!ed", "example.org", NULL },
	{ "fr\x7f", "example.org", NULL },
	{ "fr\xc3\xa9", "example.org", NULL },
	{ "fred@-x.org", "example.org", NULL },
	{ "fred@x..org", "example.org", NULL },
	{ "fred@x_y.org", "example.org", NULL },
	{ "a234567890123456789012345678901234567890123456789012345678901234", "e.org",
	  "a234567890123456789012345678901234567890123456789012345678901234" },
	{ "a2345678901234567890123456789012345678901234567890123456789012345", "e.org", NULL },
};

TEST(names_are_made_canonical)
{
	char user[DIRECTORY_NAME_MAX + 1];

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		bool ok = directory_canon(slice_of(names[i].name), names[i].domain, user);

		test_check(ok == (names[i].user != NULL), "\"%s\"", names[i].name);
		if (ok)
			test_eq_str(names[i].name, user, names[i].user);
	}
	assert_false(directory_canon(slice_make("fr\0d", 4), "example.org", user));
	assert_false(directory_canon(slice_make(NULL, 0), "example.org", user));
	directory_full_name("fred", "example.org", user);
	test_eq_str("full", user, "fred@example.org");
	directory_full_name("fred@other.org", "example.org", user);
	test_eq_str("full", user, "fred@other.org");
}

TEST(accounts_are_added_changed_and_deleted)
{
	struct world w;
	struct directory_account a;

	begin(&w);
	open_writer(&w);
	assert_int_equal(get(&w, "fred"), DIRECTORY_UNKNOWN);
	assert_int_equal(directory_add(w.writer, "fred", "pw", "store1", &w.err), DIRECTORY_OK);
	assert_int_equal(directory_add(w.writer, "fred", "pw", "store1", &w.err), DIRECTORY_EXISTS);
	assert_int_equal(directory_add(w.writer, "fr ed", "pw", "", &w.err), DIRECTORY_INVALID);
	assert_int_equal(directory_add(w.writer, "ann", "pw", "a/b", &w.err), DIRECTORY_INVALID);
	assert_int_equal(directory_add(w.writer, "ann", "", "", &w.err), DIRECTORY_INVALID);
	assert_int_equal(get(&w, "ann"), DIRECTORY_UNKNOWN);
	assert_int_equal(directory_get(w.reader, "fred", &a, &w.err), DIRECTORY_OK);
	test_eq_str("user", a.user, "fred");
	test_eq_str("home", a.home, "store1");
	assert_int_equal(a.status, DIRECTORY_ACTIVE);
	assert_true(a.created_s + 100 > clock_wall_s() && a.hash[0] == 'S');
	assert_int_equal(directory_set_home(w.writer, "fred", "store2", &w.err), DIRECTORY_OK);
	assert_int_equal(directory_set_home(w.writer, "nobody", "store2", &w.err),
	                 DIRECTORY_UNKNOWN);
	assert_int_equal(directory_set_status(w.writer, "fred", DIRECTORY_DISABLED, &w.err),
	                 DIRECTORY_OK);
	assert_int_equal(directory_get(w.reader, "fred", &a, &w.err), DIRECTORY_OK);
	test_eq_str("home", a.home, "store2");
	assert_int_equal(a.status, DIRECTORY_DISABLED);
	assert_int_equal(directory_delete(w.writer, "fred", &w.err), DIRECTORY_OK);
	assert_int_equal(directory_delete(w.writer, "fred", &w.err), DIRECTORY_UNKNOWN);
	assert_int_equal(get(&w, "fred"), DIRECTORY_UNKNOWN);
	end(&w);
}

static bool
add_name(void *ctx, const struct directory_account *a)
{
	struct buf *b = ctx;

	assert_int_equal(strlen(a->hash), 0);
	buf_printf(b, "%s ", a->user);
	return true;
}

static bool
add_domain(void *ctx, const struct directory_domain *domain)
{
	buf_printf(ctx, "%s=%u ", domain->name, (unsigned)domain->accounts);
	return true;
}

TEST(lists_are_in_order)
{
	struct world w;
	struct buf b = BUF_INIT(1000);

	begin(&w);
	open_writer(&w);
	assert_int_equal(directory_add(w.writer, "zoe@other.org", "x", "", &w.err), DIRECTORY_OK);
	assert_int_equal(directory_add(w.writer, "fred", "x", "", &w.err), DIRECTORY_OK);
	assert_int_equal(directory_add(w.writer, "ann", NULL, "", &w.err), DIRECTORY_OK);
	assert_int_equal(directory_add_domain(w.writer, "Empty.ORG", NULL, &w.err), DIRECTORY_OK);
	assert_int_equal(directory_add_domain(w.writer, "empty.org", NULL, &w.err),
	                 DIRECTORY_EXISTS);
	assert_int_equal(directory_add_domain(w.writer, "no domain", NULL, &w.err),
	                 DIRECTORY_INVALID);
	assert_int_equal(directory_list(w.reader, NULL, add_name, &b, &w.err), DIRECTORY_OK);
	test_eq_str("all", buf_cstr(&b), "ann fred zoe@other.org ");
	buf_clear(&b);
	assert_int_equal(directory_list(w.reader, "Other.org", add_name, &b, &w.err), DIRECTORY_OK);
	test_eq_str("one domain", buf_cstr(&b), "zoe@other.org ");
	buf_clear(&b);
	assert_int_equal(directory_list(w.reader, "empty.org", add_name, &b, &w.err), DIRECTORY_OK);
	assert_int_equal(b.len, 0);
	assert_int_equal(directory_list_domains(w.reader, add_domain, &b, &w.err), DIRECTORY_OK);
	test_eq_str("domains", buf_cstr(&b), "empty.org=0 example.org=2 other.org=1 ");
	assert_int_equal(directory_has_domain(w.reader, SLICE("OTHER.org"), &w.err), DIRECTORY_OK);
	assert_int_equal(directory_has_domain(w.reader, SLICE("nowhere.org"), &w.err),
	                 DIRECTORY_UNKNOWN);
	buf_fini(&b);
	end(&w);
}

TEST(a_missing_file_is_later_until_it_is_there)
{
	struct world w;

	begin(&w);
	assert_int_equal(get(&w, "fred"), DIRECTORY_TEMP);
	assert_non_null(strstr(w.err.text, w.path));
	assert_int_equal(directory_has_domain(w.reader, SLICE("x.org"), &w.err), DIRECTORY_TEMP);
	assert_int_equal(access(w.path, F_OK), -1); /* readers make nothing */
	open_writer(&w);
	assert_int_equal(get(&w, "fred"), DIRECTORY_UNKNOWN);
	assert_int_equal(directory_add(w.writer, "fred", "x", "", &w.err), DIRECTORY_OK);
	assert_int_equal(get(&w, "fred"), DIRECTORY_OK);
	directory_close(&w.writer);
	assert_int_equal(get(&w, "fred"), DIRECTORY_OK);
	assert_int_equal(unlink(w.path), 0);
	assert_int_equal(get(&w, "fred"), DIRECTORY_TEMP);
	end(&w);
}

TEST(a_locked_file_is_later)
{
	struct world w;
	sqlite3 *other;
	uint64_t at;

	begin(&w);
	open_writer(&w);
	assert_int_equal(directory_add(w.writer, "fred", "x", "", &w.err), DIRECTORY_OK);
	directory_close(&w.writer);
	assert_int_equal(sqlite3_open(w.path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other,
	                              "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE;"
	                              "UPDATE accounts SET home = 'x'",
	                              NULL, NULL, NULL),
	                 SQLITE_OK);
	at = clock_mono_ms();
	assert_int_equal(get(&w, "fred"), DIRECTORY_TEMP);
	assert_true(clock_mono_ms() < at + 60000);
	assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(other);
	assert_int_equal(get(&w, "fred"), DIRECTORY_OK);
	end(&w);
}

/* Readers go on while somebody writes. */
TEST(a_writer_in_the_middle_holds_no_reader_up)
{
	struct world w;
	sqlite3 *other;

	begin(&w);
	open_writer(&w);
	assert_int_equal(directory_add(w.writer, "fred", "x", "", &w.err), DIRECTORY_OK);
	assert_int_equal(sqlite3_open(w.path, &other), SQLITE_OK);
	assert_int_equal(
		sqlite3_exec(other, "BEGIN IMMEDIATE; DELETE FROM accounts", NULL, NULL, NULL),
		SQLITE_OK);
	assert_int_equal(get(&w, "fred"), DIRECTORY_OK);
	assert_int_equal(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(get(&w, "fred"), DIRECTORY_UNKNOWN);
	sqlite3_close(other);
	end(&w);
}

/* A change so large that it reaches the file before its commit, and then nothing more. */
static void
write_and_die(const char *path)
{
	sqlite3 *other;

	if (sqlite3_open(path, &other) == SQLITE_OK)
		sqlite3_exec(other,
		             "PRAGMA cache_size = 2; BEGIN IMMEDIATE;"
		             "UPDATE accounts SET home = hex(randomblob(300))",
		             NULL, NULL, NULL);
	kill(getpid(), SIGKILL);
}

TEST(a_writer_that_was_killed_in_its_commit_is_undone_by_a_reader)
{
	struct world w;
	struct directory_account a;
	char journal[320], user[20];

	begin(&w);
	open_writer(&w);
	for (int i = 0; i < 300; i++) {
		snprintf(user, sizeof(user), "u%d", i);
		assert_int_equal(directory_add(w.writer, user, NULL, "s1", &w.err), DIRECTORY_OK);
	}
	directory_close(&w.writer);
	if (fork() == 0)
		write_and_die(w.path);
	wait(NULL);
	snprintf(journal, sizeof(journal), "%s-journal", w.path);
	assert_int_equal(access(journal, F_OK), 0);
	assert_int_equal(directory_get(w.reader, "u0", &a, &w.err), DIRECTORY_TEMP);
	for (int i = 0; i < 300; i++) {
		snprintf(user, sizeof(user), "u%d", i);
		assert_int_equal(directory_get(w.reader, user, &a, &w.err), DIRECTORY_OK);
		test_eq_str(user, a.home, "s1");
	}
	end(&w);
}

static void
overwrite(const char *path, const char *text, size_t n, off_t at)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	assert_int_not_equal(fd, -1);
	assert_int_equal(pwrite(fd, text, n, at), (ssize_t)n);
	close(fd);
}

TEST(a_damaged_file_is_later)
{
	static char rubbish[65536];
	struct world w;
	struct directory *d;

	begin(&w);
	open_writer(&w);
	for (int i = 0; i < 50; i++) {
		char user[20];

		snprintf(user, sizeof(user), "u%d", i);
		assert_int_equal(directory_add(w.writer, user, NULL, "", &w.err), DIRECTORY_OK);
	}
	assert_int_equal(get(&w, "u7"), DIRECTORY_OK);
	directory_close(&w.writer);
	directory_close(&w.reader);
	memset(rubbish, 0xa5, sizeof(rubbish));
	overwrite(w.path, rubbish, sizeof(rubbish), 100); /* all but the first 100 bytes */
	w.reader = directory_open(w.url, "example.org", DIRECTORY_READ, &w.err);
	assert_non_null(w.reader);
	assert_int_equal(get(&w, "u7"), DIRECTORY_TEMP);
	assert_int_equal(get(&w, "nobody"), DIRECTORY_TEMP);
	overwrite(w.path, rubbish, 100, 0);
	assert_int_equal(get(&w, "u7"), DIRECTORY_TEMP);
	d = directory_open(w.url, "example.org", DIRECTORY_WRITE, &w.err);
	assert_null(d);
	assert_int_equal(truncate(w.path, 0), 0); /* an empty file has no schema yet */
	assert_int_equal(get(&w, "u7"), DIRECTORY_TEMP);
	end(&w);
}

TEST(a_database_of_another_program_is_left_alone)
{
	struct world w;
	sqlite3 *other;

	begin(&w);
	assert_int_equal(sqlite3_open(w.path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "CREATE TABLE x (y)", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(other);
	assert_int_equal(get(&w, "fred"), DIRECTORY_TEMP);
	assert_null(directory_open(w.url, "example.org", DIRECTORY_WRITE, &w.err));
	assert_non_null(strstr(w.err.text, "another program"));
	end(&w);
}

TEST(a_newer_schema_is_left_alone)
{
	struct world w;
	sqlite3 *other;

	begin(&w);
	open_writer(&w);
	directory_close(&w.writer);
	assert_int_equal(sqlite3_open(w.path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "PRAGMA user_version = 99", NULL, NULL, NULL),
	                 SQLITE_OK);
	sqlite3_close(other);
	assert_int_equal(get(&w, "fred"), DIRECTORY_TEMP);
	assert_null(directory_open(w.url, "example.org", DIRECTORY_WRITE, &w.err));
	assert_non_null(strstr(w.err.text, "newer"));
	end(&w);
}

TEST(a_replaced_file_is_noticed)
{
	struct world w, other;

	begin(&w);
	begin(&other);
	open_writer(&w);
	open_writer(&other);
	assert_int_equal(directory_add(w.writer, "fred", "x", "", &w.err), DIRECTORY_OK);
	assert_int_equal(directory_add(other.writer, "ann", "x", "", &w.err), DIRECTORY_OK);
	assert_int_equal(get(&w, "fred"), DIRECTORY_OK);
	directory_close(&w.writer);
	directory_close(&other.writer);
	assert_int_equal(rename(other.path, w.path), 0);
	assert_int_equal(get(&w, "ann"), DIRECTORY_OK);
	assert_int_equal(get(&w, "fred"), DIRECTORY_UNKNOWN);
	end(&w);
	end(&other);
}

/* The folder is root's, the file as well; auth workers are somebody in its group. */
static int
read_as_another(struct world *w, gid_t group)
{
	struct directory *d;
	struct directory_account a;

	if (setgid(group) == -1 || setuid(65534) == -1)
		return 100;
	d = directory_open(w->url, "example.org", DIRECTORY_READ, &w->err);
	if (d == NULL || directory_get(d, "fred", &a, &w->err) != DIRECTORY_OK) {
		fprintf(stderr, "# %s\n", w->err.text);
		return 1;
	}
	directory_close(&d);
	return 0;
}

TEST(readers_need_no_right_to_write)
{
	struct world w;
	char folder[250];
	struct stat st;
	int status;

	if (geteuid() != 0)
		skip();
	begin(&w);
	directory_close(&w.reader);
	snprintf(folder, sizeof(folder), "%s/owned", test_dir());
	assert_int_equal(mkdir(folder, 0750), 0);
	assert_int_equal(chown(folder, 0, 12345), 0);
	assert_int_equal(chmod(test_dir(), 0755), 0);
	snprintf(w.path, sizeof(w.path), "%s/d.db", folder);
	snprintf(w.url, sizeof(w.url), "sqlite:%s", w.path);
	open_writer(&w);
	assert_int_equal(directory_add(w.writer, "fred", "x", "", &w.err), DIRECTORY_OK);
	directory_close(&w.writer);
	assert_int_equal(stat(w.path, &st), 0);
	assert_int_equal(st.st_gid, 12345);
	assert_int_equal(st.st_mode & 07777, 0640);
	if (fork() == 0)
		_exit(read_as_another(&w, 12345));
	wait(&status);
	assert_int_equal(WEXITSTATUS(status), 0);
	end(&w);
}

TEST(urls)
{
	static const char *const bad[] = { "", "mysql:x", "sqlite:", "sqlite:relative.db",
		                           "relative.db" };
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		test_check(directory_open(bad[i], NULL, DIRECTORY_READ, &err) == NULL, "\"%s\"",
		           bad[i]);
}
