/* sql - the same on a file and on a server: values, keys, transactions, schemas of all ages; and a
 * server that is away, that hangs, that was started again. */
#include "sql/sql.h"

#include "base/buf.h"
#include "base/clock.h"
#include "lib/test.h"
#include "log/log.h"
#include "pgserver/pgserver.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TIMEOUT_MS 400    /* where it must pass */
#define PATIENCE_MS 60000 /* elsewhere, however busy the machine is */

static const char *const migrations[] = {
	"CREATE TABLE a (name {name} PRIMARY KEY NOT NULL, n BIGINT NOT NULL);",
	"CREATE TABLE b (name {name} NOT NULL REFERENCES a (name)); CREATE INDEX bs ON b (name);",
};
static const struct sql_schema first = { migrations, 1 }, second = { migrations, 2 };

struct world {
	char url[300];
	unsigned timeout_ms;
	struct sql *s;
	struct err err;
};

static enum sql_result
open_as(struct world *w, enum sql_mode mode, const struct sql_schema *schema)
{
	struct sql_opts o = { .timeout_ms = w->timeout_ms };

	sql_close(&w->s);
	return sql_open(w->url, mode, &o, schema, &w->s, &w->err);
}

typedef void kind_fn(struct world *w);

static void
on_both(kind_fn *fn)
{
	static int number;
	struct world w = { .timeout_ms = PATIENCE_MS };

	log_set_level(LOG_ERROR);
	snprintf(w.url, sizeof(w.url), "sqlite:%s/s%d.db", test_dir(), number++);
	fn(&w);
	sql_close(&w.s);
	if (!pgserver_is_installed())
		return;
	pgserver_new_database(w.url);
	fn(&w);
	sql_close(&w.s);
}

static bool
add_row(void *ctx, const char *const *column)
{
	struct buf *b = ctx;

	buf_printf(b, "%s=%s ", column[0], column[1]);
	return b->len < 100;
}

static void
check_rows(struct world *w, const char *want)
{
	struct buf b = BUF_INIT(1000);

	test_check(sql_read(w->s, "SELECT name, n FROM a ORDER BY name", NULL, 0, add_row, &b,
	                    &w->err) == SQL_OK,
	           "%s: %s", w->url, w->err.text);
	test_eq_str(w->url, buf_cstr(&b), want);
	buf_fini(&b);
}

static enum sql_result
insert(struct world *w, const char *name, int64_t n)
{
	struct sql_arg args[] = { SQL_TEXT(name), SQL_INT(n) };

	return sql_change(w->s, "INSERT INTO a (name, n) VALUES (?1, ?2)", args, 2, NULL, &w->err);
}

static void
check_values(struct world *w)
{
	struct sql_arg odd[] = { SQL_TEXT("it's; -- \"?1\" \xc3\xa9"), SQL_INT(-7) };
	uint64_t rows;

	assert_int_equal(open_as(w, SQL_WRITE, &second), SQL_OK);
	check_rows(w, "");
	assert_int_equal(insert(w, "b", INT64_MAX), SQL_OK);
	assert_int_equal(insert(w, "B-", 0), SQL_OK);
	assert_int_equal(insert(w, "b", 1), SQL_EXISTS);
	check_rows(w, "B-=0 b=9223372036854775807 "); /* byte by byte, whatever the locale */
	assert_int_equal(sql_change(w->s, "UPDATE a SET name = ?1, n = ?2 WHERE n = 0", odd, 2,
	                            &rows, &w->err),
	                 SQL_OK);
	assert_int_equal(rows, 1);
	check_rows(w, "b=9223372036854775807 it's; -- \"?1\" \xc3\xa9=-7 ");
	assert_int_equal(
		sql_change(w->s, "DELETE FROM a WHERE name = 'x'", NULL, 0, &rows, &w->err),
		SQL_OK);
	assert_int_equal(rows, 0);
	assert_int_equal(sql_change(w->s, "INSERT INTO b VALUES ('x')", NULL, 0, NULL, &w->err),
	                 SQL_REFERS);
	assert_int_equal(sql_change(w->s, "INSERT INTO b VALUES ('b')", NULL, 0, NULL, &w->err),
	                 SQL_OK);
	assert_int_equal(sql_change(w->s, "DELETE FROM a WHERE name = 'b'", NULL, 0, NULL, &w->err),
	                 SQL_REFERS);
	assert_int_equal(sql_change(w->s, "no sql", NULL, 0, NULL, &w->err), SQL_TEMP);
	assert_int_equal(insert(w, "z", 1), SQL_OK); /* it goes on */
}

TEST(values_and_keys)
{
	on_both(check_values);
}

static bool
stop_at_two(void *ctx, const char *const *column)
{
	return ++*(int *)ctx < 2;
}

static void
check_enough(struct world *w)
{
	int count = 0;

	assert_int_equal(open_as(w, SQL_WRITE, &first), SQL_OK);
	for (int i = 0; i < 5; i++)
		assert_int_equal(insert(w, (char[]){ (char)('a' + i), '\0' }, i), SQL_OK);
	assert_int_equal(
		sql_read(w->s, "SELECT name FROM a", NULL, 0, stop_at_two, &count, &w->err),
		SQL_OK);
	assert_int_equal(count, 2);
}

TEST(a_reader_may_have_enough)
{
	on_both(check_enough);
}

static void
check_transactions(struct world *w)
{
	assert_int_equal(open_as(w, SQL_WRITE, &first), SQL_OK);
	assert_int_equal(sql_begin(w->s, &w->err), SQL_OK);
	assert_int_equal(insert(w, "one", 1), SQL_OK);
	assert_int_equal(insert(w, "two", 2), SQL_OK);
	assert_int_equal(sql_commit(w->s, &w->err), SQL_OK);
	assert_int_equal(sql_begin(w->s, &w->err), SQL_OK);
	assert_int_equal(insert(w, "three", 3), SQL_OK);
	assert_int_equal(insert(w, "one", 1), SQL_EXISTS);
	sql_rollback(w->s);
	check_rows(w, "one=1 two=2 ");
	assert_int_equal(insert(w, "four", 4), SQL_OK);
	check_rows(w, "four=4 one=1 two=2 ");
}

TEST(transactions_are_all_or_nothing)
{
	on_both(check_transactions);
}

static void
check_ages(struct world *w)
{
	unsigned version;

	assert_int_equal(open_as(w, SQL_READ, &second), SQL_OK);
	assert_int_equal(sql_ready(w->s, &version, &w->err), SQL_TEMP); /* not set up */
	assert_int_equal(open_as(w, SQL_WRITE, &first), SQL_OK);
	assert_int_equal(insert(w, "old", 1), SQL_OK);
	/* an older one is read as it is, until somebody migrates it */
	assert_int_equal(open_as(w, SQL_READ, &second), SQL_OK);
	assert_int_equal(sql_ready(w->s, &version, &w->err), SQL_OK);
	assert_int_equal(version, 1);
	check_rows(w, "old=1 ");
	assert_int_not_equal(insert(w, "reader", 1), SQL_OK);
	{
		struct world writer = *w;

		writer.s = NULL;
		assert_int_equal(open_as(&writer, SQL_WRITE, &second), SQL_OK);
		sql_close(&writer.s);
	}
	assert_int_equal(sql_ready(w->s, &version, &w->err), SQL_OK);
	assert_int_equal(version, 2);
	check_rows(w, "old=1 ");
	/* a newer one is left alone, by readers and writers */
	assert_int_equal(open_as(w, SQL_WRITE, &first), SQL_TEMP);
	assert_non_null(strstr(w->err.text, "newer"));
	assert_int_equal(open_as(w, SQL_READ, &first), SQL_OK);
	assert_int_equal(sql_ready(w->s, &version, &w->err), SQL_TEMP);
	assert_non_null(strstr(w->err.text, "newer"));
}

TEST(schemas_of_all_ages)
{
	on_both(check_ages);
}

TEST(urls)
{
	static const struct {
		const char *url, *says;
	} bad[] = {
		{ "", "no database" },
		{ "mysql://x/y", "no database" },
		{ "sqlite:", "must begin with /" },
		{ "relative.db", "no database" },
		{ "postgresql://u:secret@/d", "password" },
		{ "postgresql://u@/d?nonsense=1", "nonsense" },
		{ "postgresql://[::1/d", "not understood" },
	};
	struct sql_opts o = { .timeout_ms = PATIENCE_MS };
	struct sql *s;
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		test_check(sql_open(bad[i].url, SQL_READ, &o, &first, &s, &err) == SQL_INVALID,
		           "\"%s\"", bad[i].url);
		test_check(strstr(err.text, bad[i].says) != NULL, "%s", err.text);
		test_check(strstr(err.text, "secret") == NULL, "%s", err.text);
		assert_null(s);
	}
}

TEST(a_folder_that_is_missing_is_named_as_the_reason)
{
	struct world w = { .timeout_ms = PATIENCE_MS };

	snprintf(w.url, sizeof(w.url), "sqlite:%s/nowhere/s.db", test_dir());
	assert_int_equal(open_as(&w, SQL_WRITE, &first), SQL_TEMP);
	test_check(strstr(w.err.text, "folder does not exist") != NULL, "%s", w.err.text);
	sql_close(&w.s);
}

/* ---- servers ---------------------------------------------------------------------------- */

static bool
begin_server(struct world *w)
{
	log_set_level(LOG_ERROR);
	*w = (struct world){ .timeout_ms = PATIENCE_MS };
	if (!pgserver_is_installed())
		return false;
	pgserver_new_database(w->url);
	assert_int_equal(open_as(w, SQL_WRITE, &first), SQL_OK);
	assert_int_equal(insert(w, "one", 1), SQL_OK);
	assert_int_equal(open_as(w, SQL_READ, &first), SQL_OK);
	check_rows(w, "one=1 ");
	return true;
}

static enum sql_result
ask(struct world *w, uint64_t *ms_r)
{
	uint64_t at = clock_mono_ms();
	struct buf b = BUF_INIT(1000);
	enum sql_result r = sql_read(w->s, "SELECT name, n FROM a", NULL, 0, add_row, &b, &w->err);

	*ms_r = clock_mono_ms() - at;
	buf_fini(&b);
	return r;
}

/* Until it answers again: pauses are at most five seconds. */
static void
wait_until_back(struct world *w)
{
	uint64_t ms;

	for (uint64_t end = clock_mono_ms() + PATIENCE_MS;
	     ask(w, &ms) != SQL_OK && clock_mono_ms() < end;)
		usleep(50000);
	check_rows(w, "one=1 ");
}

TEST(a_server_that_is_away_is_later_at_once)
{
	struct world w;
	uint64_t ms, sum = 0;

	if (!begin_server(&w))
		skip();
	pgserver_stop();
	for (int i = 0; i < 50; i++) {
		assert_int_equal(ask(&w, &ms), SQL_TEMP);
		sum += ms;
	}
	test_check(sum < PATIENCE_MS, "%u ms", (unsigned)sum);
	pgserver_start();
	wait_until_back(&w);
	/* opening needs no server for readers, and says no to writers */
	pgserver_stop();
	assert_int_equal(open_as(&w, SQL_WRITE, &first), SQL_TEMP);
	assert_int_equal(open_as(&w, SQL_READ, &first), SQL_OK);
	assert_int_equal(ask(&w, &ms), SQL_TEMP);
	pgserver_start();
	wait_until_back(&w);
	sql_close(&w.s);
}

TEST(a_server_that_was_started_again_is_not_even_noticed)
{
	struct world w;
	uint64_t ms;

	if (!begin_server(&w))
		skip();
	pgserver_stop();
	pgserver_start();
	assert_int_equal(ask(&w, &ms), SQL_OK);
	assert_int_equal(open_as(&w, SQL_WRITE, &first), SQL_OK);
	assert_int_equal(insert(&w, "two", 2), SQL_OK);
	pgserver_stop();
	pgserver_start();
	assert_int_equal(sql_begin(w.s, &w.err), SQL_OK);
	assert_int_equal(insert(&w, "three", 3), SQL_OK);
	pgserver_stop();
	pgserver_start(); /* but within a transaction it must be */
	assert_int_equal(insert(&w, "four", 4), SQL_TEMP);
	sql_rollback(w.s);
	check_rows(&w, "one=1 two=2 ");
	sql_close(&w.s);
}

/* A reader with little patience, and connected. */
static void
be_impatient(struct world *w)
{
	w->timeout_ms = TIMEOUT_MS;
	assert_int_equal(open_as(w, SQL_READ, &first), SQL_OK);
	wait_until_back(w);
}

TEST(a_server_that_hangs_is_given_up_in_time)
{
	struct world w;
	uint64_t ms, sum = 0;

	if (!begin_server(&w))
		skip();
	be_impatient(&w);
	pgserver_freeze();
	assert_int_equal(ask(&w, &ms), SQL_TEMP);
	test_check(ms >= TIMEOUT_MS / 2 && ms < PATIENCE_MS, "%u ms", (unsigned)ms);
	for (int i = 0; i < 20; i++) { /* the pause: nobody waits again at once */
		assert_int_equal(ask(&w, &ms), SQL_TEMP);
		sum += ms;
	}
	test_check(sum < 10 * TIMEOUT_MS, "%u ms", (unsigned)sum);
	pgserver_thaw();
	wait_until_back(&w);
	sql_close(&w.s);
}

/* By the server's own clock. */
TEST(a_question_that_takes_too_long_is_cut_off)
{
	struct world w;
	uint64_t at;

	if (!begin_server(&w))
		skip();
	be_impatient(&w);
	at = clock_mono_ms();
	assert_int_equal(sql_read(w.s, "SELECT name, n FROM a WHERE pg_sleep(120) IS NOT NULL",
	                          NULL, 0, add_row, &(struct buf)BUF_INIT(10), &w.err),
	                 SQL_TEMP);
	assert_true(clock_mono_ms() < at + PATIENCE_MS);
	wait_until_back(&w);
	sql_close(&w.s);
}
