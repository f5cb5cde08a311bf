/*
 * sql_sqlite - a database in an SQLite file.
 *
 * The file says by application_id that it is ours and by user_version which migration
 * was the last. Readers open it read-only and again whenever the file was replaced or a
 * call failed: until it is back they answer TEMP.
 *
 * It has a rollback journal and no WAL: readers may be another user that can write neither
 * the file nor its folder, and the file may be replaced by a backup while we run; with a WAL
 * the first fails and the second reads pages of the old file. What root makes belongs to the
 * owner of the folder.
 */
#include "base/clock.h"
#include "base/xalloc.h"
#include "log/log.h"
#include "sql/driver.h"

#include <sqlite3.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define APPLICATION_ID 0x526f6f73 /* "Roos" */
#define WRITE_WAIT_MS 10000
/* Compiled once: that is most of what a question costs. */
#define STATEMENTS 8

struct db {
	struct sql sql;
	char *path;
	enum sql_mode mode;
	const struct sql_schema *schema;
	uint64_t timeout_ms;
	sqlite3 *lite; /* NULL: not open (again) */
	dev_t dev;     /* of the file that is open */
	ino_t ino;
	unsigned version; /* of its schema */
	struct kept {
		char *query;
		sqlite3_stmt *st; /* at rest between calls */
	} kept[STATEMENTS];
	unsigned next_kept;
	bool transacting;
};

static struct db *
db_of(struct sql *s)
{
	return CONTAINER_OF(s, struct db, sql);
}

/* ---- opening ----------------------------------------------------------------------- */

static void
shut(struct db *db)
{
	for (unsigned i = 0; i < STATEMENTS; i++) {
		sqlite3_finalize(db->kept[i].st);
		free(db->kept[i].query);
		db->kept[i] = (struct kept){ NULL, NULL };
	}
	sqlite3_close(db->lite);
	db->lite = NULL;
}

/* A writer was killed in the middle of a commit: its journal has to be played back before
 * anybody can read, and a read-only connection may not. When we have no right to write
 * either, the next roostctl user command does it. */
static void
undo_cut_off(const struct db *db)
{
	sqlite3 *sql = NULL;

	if (sqlite3_open_v2(db->path, &sql, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK) {
		sqlite3_busy_timeout(sql, (int)db->timeout_ms);
		(void)sqlite3_exec(sql, "SELECT count(*) FROM sqlite_master", NULL, NULL, NULL);
	}
	sqlite3_close(sql);
}

static enum sql_result
fail_sql(struct db *db, const char *doing, struct err *err)
{
	int code = sqlite3_extended_errcode(db->lite);

	err_set(err, "database %s: %s: %s", db->path, doing, sqlite3_errmsg(db->lite));
	if (code == SQLITE_READONLY_ROLLBACK)
		undo_cut_off(db);
	if ((code & 0xff) != SQLITE_BUSY && (code & 0xff) != SQLITE_LOCKED)
		shut(db); /* the next call starts afresh */
	return SQL_TEMP;
}

static int
pragma_int(sqlite3 *sql, const char *query, int *v_r)
{
	sqlite3_stmt *st;
	int r = -1;

	if (sqlite3_prepare_v2(sql, query, -1, &st, NULL) == SQLITE_OK &&
	    sqlite3_step(st) == SQLITE_ROW) {
		*v_r = sqlite3_column_int(st, 0);
		r = 0;
	}
	sqlite3_finalize(st);
	return r;
}

static enum sql_result
run(struct db *db, const char *text, struct err *err)
{
	if (sqlite3_exec(db->lite, text, NULL, NULL, NULL) != SQLITE_OK)
		return fail_sql(db, "cannot be written", err);
	return SQL_OK;
}

static enum sql_result
migrate(struct db *db, struct err *err)
{
	struct buf text = BUF_INIT(1 << 20);
	char stamp[128];
	int version;
	enum sql_result r;

	if (run(db, "BEGIN IMMEDIATE;", err) != SQL_OK)
		return SQL_TEMP;
	/* somebody else may have done it while we waited for the lock */
	if (pragma_int(db->lite, "PRAGMA user_version", &version) == -1)
		return fail_sql(db, "cannot be read", err);
	for (unsigned i = (unsigned)version; i < db->schema->count; i++)
		sql_add_replaced(&text, db->schema->migrations[i], "{name}", "TEXT");
	sqlite3_snprintf(sizeof(stamp), stamp,
	                 ";PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT;",
	                 APPLICATION_ID, (int)MAX((unsigned)version, db->schema->count));
	buf_add_str(&text, stamp);
	r = run(db, buf_cstr(&text), err);
	buf_fini(&text);
	return r;
}

/* Notes the version; a new file has 0 and no tables. */
static enum sql_result
read_version(struct db *db, struct err *err)
{
	int id, version, tables;

	if (pragma_int(db->lite, "PRAGMA application_id", &id) == -1 ||
	    pragma_int(db->lite, "PRAGMA user_version", &version) == -1 ||
	    pragma_int(db->lite, "SELECT count(*) FROM sqlite_master", &tables) == -1)
		return fail_sql(db, "cannot be read", err);
	db->version = (unsigned)version;
	if (id == APPLICATION_ID || (id == 0 && tables == 0))
		return SQL_OK;
	err_set(err, "database %s: it belongs to another program", db->path);
	return SQL_TEMP;
}

static enum sql_result
check_schema(struct db *db, struct err *err)
{
	enum sql_result r = read_version(db, err);

	if (r == SQL_OK && db->mode == SQL_WRITE && db->version < db->schema->count) {
		r = migrate(db, err);
		if (r == SQL_OK)
			r = read_version(db, err);
	}
	if (r == SQL_OK && db->version == 0) {
		err_set(err, "database %s: not set up yet; any roostctl user command does it",
		        db->path);
		r = SQL_TEMP;
	}
	if (r == SQL_OK && sql_is_too_new(db->path, db->version, db->schema, err))
		r = SQL_TEMP;
	if (r != SQL_OK)
		shut(db);
	return r;
}

static bool
is_same_file(const struct db *db)
{
	struct stat st;

	return stat(db->path, &st) == 0 && st.st_dev == db->dev && st.st_ino == db->ino;
}

/* A new file belongs to whom its folder belongs, when that is not us. */
static void
give_to_owner(const char *path)
{
	char *folder = xstrdup(path);
	struct stat st;

	*strrchr(folder, '/') = '\0';
	if (geteuid() == 0 && stat(*folder != '\0' ? folder : "/", &st) == 0 &&
	    chown(path, st.st_uid, st.st_gid) == -1)
		log_warning(NULL, "directory.owner path=%s err=%s", log_esc(path),
		            log_esc(strerror(errno)));
	free(folder);
}

/* SQLite has one sentence for all reasons. */
static bool
has_folder(const char *path)
{
	char *folder = xstrdup(path), *slash = strrchr(folder, '/');
	struct stat st;
	bool has;

	if (slash != NULL)
		*slash = '\0';
	has = slash == NULL || stat(*folder != '\0' ? folder : "/", &st) == 0 || errno != ENOENT;
	free(folder);
	return has;
}

/* Makes sure that the right file is open. */
static enum sql_result
ready(struct db *db, struct err *err)
{
	int flags = db->mode == SQL_WRITE ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
	                                  : SQLITE_OPEN_READONLY;
	struct stat st;
	mode_t mask;
	bool is_new;
	int r;

	if (db->lite != NULL && (db->transacting || is_same_file(db)))
		return db->version < db->schema->count ? check_schema(db, err) : SQL_OK;
	if (db->lite != NULL)
		shut(db);
	is_new = stat(db->path, &st) == -1 && errno == ENOENT;
	mask = umask(027); /* password hashes are nobody else's business */
	r = sqlite3_open_v2(db->path, &db->lite, flags, NULL);
	umask(mask);
	if (r != SQLITE_OK || stat(db->path, &st) == -1) {
		err_set(err, "database %s: %s%s", db->path,
		        db->lite != NULL && r != SQLITE_OK ? sqlite3_errmsg(db->lite)
		                                           : strerror(errno),
		        has_folder(db->path) ? "" : " (its folder does not exist)");
		shut(db);
		return SQL_TEMP;
	}
	if (is_new)
		give_to_owner(db->path);
	db->dev = st.st_dev;
	db->ino = st.st_ino;
	sqlite3_extended_result_codes(db->lite, 1);
	sqlite3_busy_timeout(db->lite, db->mode == SQL_WRITE ? WRITE_WAIT_MS : (int)db->timeout_ms);
	if (db->mode == SQL_WRITE)
		(void)sqlite3_exec(db->lite, "PRAGMA foreign_keys = ON", NULL, NULL, NULL);
	return check_schema(db, err);
}

/* ---- statements ------------------------------------------------------------------------ */

/* NULL when it cannot be compiled. */
static sqlite3_stmt *
compile(struct db *db, const char *query)
{
	struct kept *k = &db->kept[db->next_kept];

	for (unsigned i = 0; i < STATEMENTS; i++)
		if (db->kept[i].query != NULL && strcmp(db->kept[i].query, query) == 0)
			return db->kept[i].st;
	sqlite3_finalize(k->st);
	free(k->query);
	*k = (struct kept){ NULL, NULL };
	if (sqlite3_prepare_v2(db->lite, query, -1, &k->st, NULL) != SQLITE_OK)
		return NULL;
	k->query = xstrdup(query);
	db->next_kept = (db->next_kept + 1) % STATEMENTS;
	return k->st;
}

static sqlite3_stmt *
prepare(struct db *db, const char *query, const struct sql_arg *args, size_t count, struct err *err)
{
	sqlite3_stmt *st = compile(db, query);

	must(count <= SQL_ARGS_MAX);
	if (st == NULL) {
		(void)fail_sql(db, "cannot be read", err);
		return NULL;
	}
	for (size_t i = 0; i < count; i++)
		if (args[i].text != NULL)
			sqlite3_bind_text(st, (int)i + 1, args[i].text, -1, SQLITE_TRANSIENT);
		else
			sqlite3_bind_int64(st, (int)i + 1, args[i].number);
	return st;
}

#define COLUMNS_MAX 16

/* False: the reader has enough. */
static bool
give_row(sqlite3_stmt *st, sql_row_fn *fn, void *ctx)
{
	const char *columns[COLUMNS_MAX];
	int count = sqlite3_column_count(st);

	must(count <= COLUMNS_MAX && fn != NULL);
	for (int i = 0; i < count; i++) {
		columns[i] = (const char *)sqlite3_column_text(st, i);
		if (columns[i] == NULL)
			columns[i] = "";
	}
	return fn(ctx, columns);
}

/* Holds no lock then, and no names of anybody. */
static void
rest(sqlite3_stmt *st)
{
	sqlite3_reset(st);
	sqlite3_clear_bindings(st);
}

static enum sql_result
finish(struct db *db, sqlite3_stmt *st, int step, struct err *err)
{
	enum sql_result r;

	if ((step & 0xff) != SQLITE_CONSTRAINT) {
		r = fail_sql(db, "cannot be read or written", err);
		if (db->lite != NULL)
			rest(st);
		return r;
	}
	rest(st);
	return step == SQLITE_CONSTRAINT_FOREIGNKEY ? SQL_REFERS : SQL_EXISTS;
}

static enum sql_result
sqlite_run(struct sql *s, const char *query, const struct sql_arg *args, size_t count,
           sql_row_fn *fn, void *ctx, uint64_t *rows_r, struct err *err)
{
	struct db *db = db_of(s);
	enum sql_result r = ready(db, err);
	sqlite3_stmt *st;
	int step;

	st = r == SQL_OK ? prepare(db, query, args, count, err) : NULL;
	if (st == NULL)
		return SQL_TEMP;
	while ((step = sqlite3_step(st)) == SQLITE_ROW)
		if (!give_row(st, fn, ctx)) {
			step = SQLITE_DONE;
			break;
		}
	if (step != SQLITE_DONE)
		return finish(db, st, step, err);
	rest(st);
	if (rows_r != NULL)
		*rows_r = (uint64_t)sqlite3_changes(db->lite);
	return SQL_OK;
}

static enum sql_result
sqlite_ready(struct sql *s, unsigned *version_r, struct err *err)
{
	enum sql_result r = ready(db_of(s), err);

	*version_r = db_of(s)->version;
	return r;
}

static enum sql_result
sqlite_begin(struct sql *s, struct err *err)
{
	struct db *db = db_of(s);
	enum sql_result r = ready(db, err);

	if (r == SQL_OK)
		r = run(db, "BEGIN IMMEDIATE", err);
	db->transacting = r == SQL_OK;
	return r;
}

static enum sql_result
sqlite_commit(struct sql *s, struct err *err)
{
	struct db *db = db_of(s);

	db->transacting = false;
	if (db->lite != NULL)
		return run(db, "COMMIT", err);
	err_set(err, "database %s: was closed in between", db->path);
	return SQL_TEMP;
}

static void
sqlite_rollback(struct sql *s)
{
	struct db *db = db_of(s);

	db->transacting = false;
	if (db->lite != NULL)
		(void)sqlite3_exec(db->lite, "ROLLBACK", NULL, NULL, NULL);
}

/* ---- the whole ---------------------------------------------------------------------------- */

static void
sqlite_shut(struct sql *s)
{
	struct db *db = db_of(s);

	shut(db);
	free(db->path);
	free(db);
}

static enum sql_result
sqlite_open(const char *path, enum sql_mode mode, const struct sql_opts *o,
            const struct sql_schema *schema, struct sql **s_r, struct err *err)
{
	struct db *db;
	enum sql_result r = SQL_OK;

	if (*path != '/') {
		err_set(err, "sqlite:%s: the path must begin with /", path);
		return SQL_INVALID;
	}
	db = xcalloc(1, sizeof(*db));
	db->sql.driver = &sql_sqlite;
	db->path = xstrdup(path);
	db->mode = mode;
	db->schema = schema;
	db->timeout_ms = o->timeout_ms;
	if (mode == SQL_WRITE)
		r = ready(db, err);
	if (r == SQL_OK)
		*s_r = &db->sql;
	else
		sqlite_shut(&db->sql);
	return r;
}

const struct sql_driver sql_sqlite = {
	.is_file = true,
	.open = sqlite_open,
	.close = sqlite_shut,
	.ready = sqlite_ready,
	.run = sqlite_run,
	.begin = sqlite_begin,
	.commit = sqlite_commit,
	.rollback = sqlite_rollback,
};
