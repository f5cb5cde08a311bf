/*
 * sql_pg - a database on a PostgreSQL server, by libpq's calls that do not block.
 *
 * What must be true:
 *
 * 1. Nothing waits longer than the time-out: connecting, asking, hearing. (Looking up the
 *    server's name is the resolver's; name it by its address where that matters.)
 * 2. A connection that failed or timed out in any way is closed. After a failure to connect,
 *    and after a time-out, nobody tries again before a pause is over; pauses grow from
 *    PAUSE_MIN_MS to PAUSE_MAX_MS. Meanwhile the answer is SQL_TEMP at once.
 * 3. A connection that had been idle and turns out to be dead (the server was restarted) is
 *    made again once within the same call, unless in a transaction.
 *
 * The table roost_schema has one row with the version; migrations run under a lock on it, or,
 * the first time, under an advisory lock. Readers run in read-only transactions.
 */
#include "base/clock.h"
#include "base/xalloc.h"
#include "log/log.h"
#include "sql/driver.h"

#include <postgresql/libpq-fe.h>

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAUSE_MIN_MS 250
#define PAUSE_MAX_MS 5000
#define OPTIONS_MAX 64
#define LOCK_NUMBER 1919905652 /* pg_advisory_xact_lock(): "root", ours */

struct db {
	struct sql sql;
	char *name; /* for messages: host and database */
	enum sql_mode mode;
	const struct sql_schema *schema;
	PQconninfoOption *options; /* of the URL */
	char *password, *tls_ca;   /* or NULL */
	uint64_t timeout_ms;
	PGconn *pg; /* NULL: not connected */
	bool used;  /* pg has answered a call before */
	bool transacting;
	unsigned version;
	uint64_t pause_ms, not_before_ms;
	char why[300]; /* of the last failure */
};

static struct db *
db_of(struct sql *s)
{
	return CONTAINER_OF(s, struct db, sql);
}

static void
shut(struct db *db)
{
	PQfinish(db->pg);
	db->pg = NULL;
}

/* libpq's messages have several lines. */
static void
note_why(struct db *db, const char *doing, const char *text)
{
	size_t n;

	n = (size_t)snprintf(db->why, sizeof(db->why), "%s: %s", doing, text);
	n = MIN(n, sizeof(db->why) - 1);
	while (n > 0 && (db->why[n - 1] == '\n' || db->why[n - 1] == ' '))
		db->why[--n] = '\0';
	for (size_t i = 0; i < n; i++)
		if (db->why[i] == '\n' || db->why[i] == '\t')
			db->why[i] = ' ';
}

static enum sql_result
fail_why(const struct db *db, struct err *err)
{
	err_set(err, "database %s: %s", db->name, db->why);
	return SQL_TEMP;
}

/* Invariant 2. */
static void
pause_now(struct db *db)
{
	db->pause_ms =
		db->pause_ms == 0 ? PAUSE_MIN_MS : MIN(db->pause_ms * 2, (uint64_t)PAUSE_MAX_MS);
	db->not_before_ms = clock_mono_ms() + db->pause_ms;
}

/* ---- waiting --------------------------------------------------------------------------- */

/* False: the time is over. */
static bool
wait_for(const struct db *db, short events, uint64_t until_ms)
{
	struct pollfd p = { .fd = PQsocket(db->pg), .events = events };
	uint64_t now_ms = clock_mono_ms();
	int n;

	if (p.fd == -1 || now_ms >= until_ms)
		return false;
	do
		n = poll(&p, 1, (int)(until_ms - now_ms));
	while (n == -1 && errno == EINTR && (now_ms = clock_mono_ms()) < until_ms);
	return n == 1;
}

/* ---- connecting --------------------------------------------------------------------------- */

struct words {
	const char *keys[OPTIONS_MAX + 1], *values[OPTIONS_MAX + 1];
	size_t count;
};

static void
add_word(struct words *w, const char *key, const char *value)
{
	must(w->count < OPTIONS_MAX);
	w->keys[w->count] = key;
	w->values[w->count++] = value;
}

static const char *
option(const struct db *db, const char *key)
{
	for (const PQconninfoOption *o = db->options; o->keyword != NULL; o++)
		if (strcmp(o->keyword, key) == 0 && o->val != NULL && *o->val != '\0')
			return o->val;
	return NULL;
}

/* Unix sockets and loopback addresses, all of them. */
static bool
is_on_this_host(const struct db *db)
{
	const char *hosts = option(db, "hostaddr");
	struct slice rest;

	if (hosts == NULL)
		hosts = option(db, "host");
	rest = slice_of(hosts != NULL ? hosts : "");
	while (rest.n > 0) {
		struct slice host = slice_cut(&rest, ',');

		if (host.n > 0 && host.p[0] != '/' && !slice_eq_str(host, "localhost") &&
		    !slice_eq_str(host, "::1") && !slice_starts(host, SLICE("127.")))
			return false;
	}
	return true;
}

/* What the URL says wins; off this host TLS is the rule, and verified. */
static void
gather_words(const struct db *db, struct words *w)
{
	bool near = is_on_this_host(db);

	w->count = 0;
	for (const PQconninfoOption *o = db->options; o->keyword != NULL; o++)
		if (o->val != NULL && *o->val != '\0' && w->count + 8 < OPTIONS_MAX)
			add_word(w, o->keyword, o->val);
	if (db->password != NULL)
		add_word(w, "password", db->password);
	if (option(db, "sslmode") == NULL)
		add_word(w, "sslmode", near ? "prefer" : "verify-full");
	if (option(db, "sslrootcert") == NULL && db->tls_ca != NULL)
		add_word(w, "sslrootcert", db->tls_ca);
	if (option(db, "gssencmode") == NULL)
		add_word(w, "gssencmode", "disable");
	if (option(db, "application_name") == NULL)
		add_word(w, "application_name", "roost");
	add_word(w, "client_encoding", "UTF8");
	w->keys[w->count] = w->values[w->count] = NULL;
}

static void
on_notice(void *ctx, const PGresult *result)
{
}

static bool
connect_until(struct db *db, uint64_t until_ms)
{
	PostgresPollingStatusType want = PGRES_POLLING_WRITING;
	struct words w;

	gather_words(db, &w);
	db->pg = PQconnectStartParams(w.keys, w.values, 0);
	if (db->pg == NULL || PQstatus(db->pg) == CONNECTION_BAD) {
		note_why(db, "cannot connect", db->pg != NULL ? PQerrorMessage(db->pg) : "memory");
		return false;
	}
	while (want != PGRES_POLLING_OK) {
		if (!wait_for(db, want == PGRES_POLLING_READING ? POLLIN : POLLOUT, until_ms)) {
			note_why(db, "cannot connect", "no answer in time");
			return false;
		}
		want = PQconnectPoll(db->pg);
		if (want == PGRES_POLLING_FAILED) {
			note_why(db, "cannot connect", PQerrorMessage(db->pg));
			return false;
		}
	}
	PQsetNoticeReceiver(db->pg, on_notice, NULL);
	if (PQsetnonblocking(db->pg, 1) == 0)
		return true;
	note_why(db, "cannot connect", PQerrorMessage(db->pg));
	return false;
}

/* ---- asking ------------------------------------------------------------------------------- */

/* What was sent goes out and all results come in; the first that is bad, or else the last.
 * NULL: the connection is useless, db->why says why. */
static PGresult *
hear_all(struct db *db, uint64_t until_ms)
{
	PGresult *kept = NULL, *next;
	int left;

	while ((left = PQflush(db->pg)) != 0) {
		if (left == -1 || !wait_for(db, POLLIN | POLLOUT, until_ms) ||
		    PQconsumeInput(db->pg) == 0)
			goto fail;
	}
	for (;;) {
		while (PQisBusy(db->pg))
			if (!wait_for(db, POLLIN, until_ms) || PQconsumeInput(db->pg) == 0)
				goto fail;
		next = PQgetResult(db->pg);
		if (next == NULL)
			return kept;
		if (kept != NULL && PQresultStatus(kept) == PGRES_FATAL_ERROR) {
			PQclear(next);
			continue;
		}
		PQclear(kept);
		kept = next;
	}
fail:
	PQclear(kept);
	if (clock_mono_ms() >= until_ms) {
		note_why(db, "asked", "no answer in time");
		pause_now(db);
	} else {
		note_why(db, "asked", PQerrorMessage(db->pg));
	}
	return NULL;
}

/* Is the server gone, rather than unhappy with the question? */
static bool
is_gone(const struct db *db, const PGresult *result)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

	/* 57P01 to 57P03: shutting down, crashed, not yet up. No state: libpq says so */
	return PQstatus(db->pg) == CONNECTION_BAD || state == NULL ||
	       (strncmp(state, "57P", 3) == 0) || strncmp(state, "08", 2) == 0;
}

static enum sql_result
result_of(struct db *db, PGresult *result)
{
	const char *state;

	if (result == NULL) {
		shut(db);
		return SQL_TEMP;
	}
	if (PQresultStatus(result) == PGRES_COMMAND_OK || PQresultStatus(result) == PGRES_TUPLES_OK)
		return SQL_OK;
	note_why(db, "asked", PQresultErrorMessage(result));
	if (is_gone(db, result)) {
		shut(db);
		return SQL_TEMP;
	}
	state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	if (strcmp(state, "23505") == 0)
		return SQL_EXISTS;
	return strcmp(state, "23503") == 0 ? SQL_REFERS : SQL_TEMP;
}

/* Several statements, no parameters; *result_r is to be cleared. */
static enum sql_result
tell(struct db *db, const char *text, PGresult **result_r)
{
	*result_r = NULL;
	if (PQsendQuery(db->pg, text) == 0) {
		note_why(db, "asked", PQerrorMessage(db->pg));
		shut(db);
		return SQL_TEMP;
	}
	*result_r = hear_all(db, clock_mono_ms() + db->timeout_ms);
	return result_of(db, *result_r);
}

static enum sql_result
tell_only(struct db *db, const char *text)
{
	PGresult *result;
	enum sql_result r = tell(db, text, &result);

	PQclear(result);
	return r;
}

/* ---- the schema ---------------------------------------------------------------------------- */

static enum sql_result
read_version(struct db *db)
{
	PGresult *result;
	enum sql_result r = tell(db, "SELECT version FROM roost_schema", &result);
	const char *state = result != NULL ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;

	db->version = 0;
	if (r == SQL_OK && PQntuples(result) == 1)
		db->version = (unsigned)strtoul(PQgetvalue(result, 0, 0), NULL, 10);
	else if (r != SQL_OK && db->pg != NULL && state != NULL && strcmp(state, "42P01") == 0)
		r = SQL_OK; /* no such table */
	PQclear(result);
	return r;
}

static enum sql_result
migrate(struct db *db)
{
	struct buf text = BUF_INIT(1 << 20);
	char begin[200];
	enum sql_result r;

	snprintf(begin, sizeof(begin),
	         "BEGIN; SELECT pg_advisory_xact_lock(%d);"
	         "CREATE TABLE IF NOT EXISTS roost_schema (version BIGINT NOT NULL)",
	         LOCK_NUMBER);
	r = tell_only(db, begin);
	if (r == SQL_OK)
		r = read_version(db); /* somebody may have done it while we waited */
	for (unsigned i = db->version; i < db->schema->count; i++)
		sql_add_replaced(&text, db->schema->migrations[i], "{name}", "TEXT COLLATE \"C\"");
	buf_printf(&text, ";DELETE FROM roost_schema; INSERT INTO roost_schema VALUES (%u); COMMIT",
	           MAX(db->version, db->schema->count));
	if (r == SQL_OK)
		r = tell_only(db, buf_cstr(&text));
	buf_fini(&text);
	if (r != SQL_OK)
		return SQL_TEMP;
	return read_version(db);
}

static enum sql_result
check_schema(struct db *db, struct err *err)
{
	enum sql_result r = read_version(db);

	if (r == SQL_OK && db->mode == SQL_WRITE && db->version < db->schema->count)
		r = migrate(db);
	if (r != SQL_OK)
		return fail_why(db, err);
	if (db->version == 0) {
		note_why(db, "not set up yet", "any roostctl user command does it");
		return fail_why(db, err);
	}
	return sql_is_too_new(db->name, db->version, db->schema, err) ? SQL_TEMP : SQL_OK;
}

/* Connected, with the right schema. */
static enum sql_result
ready(struct db *db, struct err *err)
{
	char text[160];

	if (db->pg != NULL)
		return db->version < db->schema->count && !db->transacting ? check_schema(db, err)
		                                                           : SQL_OK;
	if (clock_mono_ms() < db->not_before_ms)
		return fail_why(db, err);
	snprintf(text, sizeof(text), "SET statement_timeout = %" PRIu64 "%s", db->timeout_ms,
	         db->mode == SQL_READ ? "; SET default_transaction_read_only = on" : "");
	db->used = false;
	if (!connect_until(db, clock_mono_ms() + db->timeout_ms) || tell_only(db, text) != SQL_OK) {
		shut(db);
		pause_now(db);
		return fail_why(db, err);
	}
	if (check_schema(db, err) != SQL_OK) {
		shut(db);
		pause_now(db);
		return SQL_TEMP;
	}
	db->pause_ms = 0;
	return SQL_OK;
}

/* ---- statements ---------------------------------------------------------------------------- */

/* ?1 is $1 here. */
static char *
translate(const char *query)
{
	char *text = xstrdup(query);

	for (char *c = text; *c != '\0'; c++)
		if (*c == '?')
			*c = '$';
	return text;
}

static PGresult *
ask(struct db *db, const char *query, const struct sql_arg *args, size_t count)
{
	const char *values[SQL_ARGS_MAX];
	char numbers[SQL_ARGS_MAX][24], *text = translate(query);
	int sent;

	must(count <= SQL_ARGS_MAX);
	for (size_t i = 0; i < count; i++) {
		snprintf(numbers[i], sizeof(numbers[i]), "%" PRId64, args[i].number);
		values[i] = args[i].text != NULL ? args[i].text : numbers[i];
	}
	sent = PQsendQueryParams(db->pg, text, (int)count, NULL, values, NULL, NULL, 0);
	free(text);
	if (sent == 1)
		return hear_all(db, clock_mono_ms() + db->timeout_ms);
	note_why(db, "asked", PQerrorMessage(db->pg));
	return NULL;
}

#define COLUMNS_MAX 16

static void
give_rows(const PGresult *result, sql_row_fn *fn, void *ctx)
{
	const char *columns[COLUMNS_MAX];
	int count = PQnfields(result);

	must(count <= COLUMNS_MAX);
	for (int row = 0; row < PQntuples(result); row++) {
		for (int i = 0; i < count; i++)
			columns[i] = PQgetvalue(result, row, i); /* NULL is "" here */
		if (!fn(ctx, columns))
			return;
	}
}

/* Invariant 3. */
static PGresult *
ask_twice(struct db *db, const char *query, const struct sql_arg *args, size_t count,
          enum sql_result *r, struct err *err)
{
	bool was_idle = db->used && !db->transacting;
	PGresult *result = ask(db, query, args, count);

	*r = result_of(db, result);
	if (*r != SQL_TEMP || db->pg != NULL || !was_idle || clock_mono_ms() < db->not_before_ms)
		return result;
	PQclear(result);
	*r = ready(db, err);
	if (*r != SQL_OK)
		return NULL;
	result = ask(db, query, args, count);
	*r = result_of(db, result);
	return result;
}

static enum sql_result
pg_run(struct sql *s, const char *query, const struct sql_arg *args, size_t count, sql_row_fn *fn,
       void *ctx, uint64_t *rows_r, struct err *err)
{
	struct db *db = db_of(s);
	PGresult *result;
	enum sql_result r = ready(db, err);

	if (r != SQL_OK)
		return r;
	result = ask_twice(db, query, args, count, &r, err);
	db->used = true;
	if (r == SQL_OK && fn != NULL)
		give_rows(result, fn, ctx);
	if (r == SQL_OK && rows_r != NULL)
		*rows_r = strtoull(PQcmdTuples(result), NULL, 10);
	PQclear(result);
	return r == SQL_TEMP ? fail_why(db, err) : r;
}

static enum sql_result
pg_ready(struct sql *s, unsigned *version_r, struct err *err)
{
	enum sql_result r = ready(db_of(s), err);

	*version_r = db_of(s)->version;
	return r;
}

/* An idle connection may be dead, and then BEGIN finds out. */
static enum sql_result
pg_begin(struct sql *s, struct err *err)
{
	struct db *db = db_of(s);
	enum sql_result r = pg_run(s, "BEGIN", NULL, 0, NULL, NULL, NULL, err);

	db->transacting = r == SQL_OK;
	return r;
}

/* A transaction in which something failed answers ROLLBACK, and that without an error. */
static enum sql_result
pg_commit(struct sql *s, struct err *err)
{
	struct db *db = db_of(s);
	PGresult *result = NULL;
	enum sql_result r = SQL_TEMP;

	if (db->pg != NULL)
		r = tell(db, "COMMIT", &result);
	if (r == SQL_OK && strcmp(PQcmdStatus(result), "COMMIT") != 0) {
		note_why(db, "asked", "the transaction was undone");
		r = SQL_TEMP;
	}
	PQclear(result);
	db->transacting = false;
	return r == SQL_TEMP ? fail_why(db, err) : r;
}

static void
pg_rollback(struct sql *s)
{
	struct db *db = db_of(s);

	if (db->pg != NULL && tell_only(db, "ROLLBACK") != SQL_OK && db->pg != NULL)
		shut(db);
	db->transacting = false;
}

/* ---- the whole ---------------------------------------------------------------------------- */

static void
pg_close(struct sql *s)
{
	struct db *db = db_of(s);

	shut(db);
	PQconninfoFree(db->options);
	if (db->password != NULL)
		secret_wipe(db->password, strlen(db->password));
	free(db->password);
	free(db->tls_ca);
	free(db->name);
	free(db);
}

static void
make_name(struct db *db)
{
	const char *host = option(db, "host"), *name = option(db, "dbname");
	struct buf b = BUF_INIT(600);

	if (host == NULL)
		host = option(db, "hostaddr");
	buf_printf(&b, "%s on %s", name != NULL ? name : "of the user's name",
	           host != NULL ? host : "this host");
	db->name = buf_steal_cstr(&b);
}

static enum sql_result
read_url(struct db *db, const char *url, struct err *err)
{
	char *text = NULL;

	db->options = PQconninfoParse(url, &text);
	if (db->options == NULL) {
		err_set(err, "the database's address is not understood: %s",
		        text != NULL ? text : "no memory");
		PQfreemem(text);
		return SQL_INVALID;
	}
	make_name(db);
	if (option(db, "password") == NULL)
		return SQL_OK;
	err_set(err,
	        "database %s: a password does not belong into the address, where every process "
	        "sees it; use the setting directory_password, or ?passfile=/path",
	        db->name);
	return SQL_INVALID;
}

static enum sql_result
pg_open(const char *url, enum sql_mode mode, const struct sql_opts *o,
        const struct sql_schema *schema, struct sql **s_r, struct err *err)
{
	struct db *db = xcalloc(1, sizeof(*db));
	enum sql_result r;

	db->sql.driver = &sql_pg;
	db->mode = mode;
	db->schema = schema;
	db->password = o->password != NULL ? xstrdup(o->password) : NULL;
	db->tls_ca = o->tls_ca != NULL ? xstrdup(o->tls_ca) : NULL;
	db->timeout_ms = o->timeout_ms;
	r = read_url(db, url, err);
	if (r == SQL_OK && mode == SQL_WRITE)
		r = ready(db, err);
	if (r == SQL_OK)
		*s_r = &db->sql;
	else
		pg_close(&db->sql);
	return r;
}

const struct sql_driver sql_pg = {
	.open = pg_open,
	.close = pg_close,
	.ready = pg_ready,
	.run = pg_run,
	.begin = pg_begin,
	.commit = pg_commit,
	.rollback = pg_rollback,
};
