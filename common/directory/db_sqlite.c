/*
 * db_sqlite - the directory in an SQLite file; the only includer of sqlite3.
 *
 *	domains   name, created
 *	accounts  domain, local, password (crypt(3)), status, home, created
 *	aliases   domain, local, target
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
#include "directory/db.h"

#include "base/clock.h"
#include "base/must.h"
#include "base/xalloc.h"
#include "log/log.h"

#include <sqlite3.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define APPLICATION_ID 0x526f6f73 /* "Roos" */
#define READ_WAIT_MS 2000
#define WRITE_WAIT_MS 10000

/* Each brings the schema from its index to the next version; never changed later. */
static const char *const migrations[] = {
	"CREATE TABLE domains (name TEXT PRIMARY KEY NOT NULL, created INTEGER NOT NULL)"
	" WITHOUT ROWID;"
	"CREATE TABLE accounts (domain TEXT NOT NULL REFERENCES domains (name),"
	" local TEXT NOT NULL, password TEXT NOT NULL, status INTEGER NOT NULL,"
	" home TEXT NOT NULL, created INTEGER NOT NULL, PRIMARY KEY (domain, local))"
	" WITHOUT ROWID;"
	"CREATE TABLE aliases (domain TEXT NOT NULL REFERENCES domains (name),"
	" local TEXT NOT NULL, target TEXT NOT NULL, PRIMARY KEY (domain, local, target))"
	" WITHOUT ROWID;",
};

struct db {
	char *path;
	enum directory_mode mode;
	sqlite3 *sql; /* NULL: not open (again) */
	dev_t dev;    /* of the file that is open */
	ino_t ino;
};

/* ---- opening ----------------------------------------------------------------------- */

static void
shut(struct db *db)
{
	sqlite3_close(db->sql);
	db->sql = NULL;
}

/* A writer was killed in the middle of a commit: its journal has to be played back before
 * anybody can read, and a read-only connection may not. When we have no right to write
 * either, the next roostctl user command does it. */
static void
undo_cut_off(const struct db *db)
{
	sqlite3 *sql = NULL;

	if (sqlite3_open_v2(db->path, &sql, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK) {
		sqlite3_busy_timeout(sql, READ_WAIT_MS);
		(void)sqlite3_exec(sql, "SELECT count(*) FROM sqlite_master", NULL, NULL, NULL);
	}
	sqlite3_close(sql);
}

static enum directory_result
fail_sql(struct db *db, const char *doing, struct err *err)
{
	int code = sqlite3_extended_errcode(db->sql);

	err_set(err, "directory %s: %s: %s", db->path, doing, sqlite3_errmsg(db->sql));
	if (code == SQLITE_READONLY_ROLLBACK)
		undo_cut_off(db);
	if ((code & 0xff) != SQLITE_BUSY && (code & 0xff) != SQLITE_LOCKED)
		shut(db); /* the next call starts afresh */
	return DIRECTORY_TEMP;
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

static enum directory_result
run(struct db *db, const char *text, struct err *err)
{
	if (sqlite3_exec(db->sql, text, NULL, NULL, NULL) != SQLITE_OK)
		return fail_sql(db, "cannot be written", err);
	return DIRECTORY_OK;
}

static enum directory_result
migrate(struct db *db, int version, struct err *err)
{
	char stamp[128];

	if (run(db, "BEGIN IMMEDIATE;", err) != DIRECTORY_OK)
		return DIRECTORY_TEMP;
	/* somebody else may have done it while we waited for the lock */
	if (pragma_int(db->sql, "PRAGMA user_version", &version) == -1)
		return fail_sql(db, "cannot be read", err);
	for (; version < (int)ARRAY_LEN(migrations); version++)
		if (run(db, migrations[version], err) != DIRECTORY_OK)
			return DIRECTORY_TEMP;
	sqlite3_snprintf(sizeof(stamp), stamp,
	                 "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT;",
	                 APPLICATION_ID, version);
	return run(db, stamp, err);
}

static enum directory_result
check_schema(struct db *db, struct err *err)
{
	int id, version, tables;

	if (pragma_int(db->sql, "PRAGMA application_id", &id) == -1 ||
	    pragma_int(db->sql, "PRAGMA user_version", &version) == -1 ||
	    pragma_int(db->sql, "SELECT count(*) FROM sqlite_master", &tables) == -1)
		return fail_sql(db, "cannot be read", err);
	if (id != APPLICATION_ID && (id != 0 || tables > 0)) {
		err_set(err, "directory %s: this database belongs to another program", db->path);
		shut(db);
		return DIRECTORY_TEMP;
	}
	if (version > (int)ARRAY_LEN(migrations)) {
		err_set(err, "directory %s: made by a newer Roost (schema %d, this one knows %d)",
		        db->path, version, (int)ARRAY_LEN(migrations));
		shut(db);
		return DIRECTORY_TEMP;
	}
	if (version == (int)ARRAY_LEN(migrations))
		return DIRECTORY_OK;
	if (db->mode == DIRECTORY_WRITE)
		return migrate(db, version, err);
	err_set(err, "directory %s: not set up by this version; any roostctl user command does it",
	        db->path);
	shut(db);
	return DIRECTORY_TEMP;
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

/* Makes sure that the right file is open. */
static enum directory_result
ready(struct db *db, struct err *err)
{
	int flags = db->mode == DIRECTORY_WRITE ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
	                                        : SQLITE_OPEN_READONLY;
	struct stat st;
	mode_t mask;
	bool is_new;
	int r;

	if (db->sql != NULL && is_same_file(db))
		return DIRECTORY_OK;
	if (db->sql != NULL)
		shut(db);
	is_new = stat(db->path, &st) == -1 && errno == ENOENT;
	mask = umask(027); /* password hashes are nobody else's business */
	r = sqlite3_open_v2(db->path, &db->sql, flags, NULL);
	umask(mask);
	if (r != SQLITE_OK || stat(db->path, &st) == -1) {
		err_set(err, "directory %s: %s", db->path,
		        db->sql != NULL && r != SQLITE_OK ? sqlite3_errmsg(db->sql)
		                                          : strerror(errno));
		shut(db);
		return DIRECTORY_TEMP;
	}
	if (is_new)
		give_to_owner(db->path);
	db->dev = st.st_dev;
	db->ino = st.st_ino;
	sqlite3_extended_result_codes(db->sql, 1);
	sqlite3_busy_timeout(db->sql, db->mode == DIRECTORY_WRITE ? WRITE_WAIT_MS : READ_WAIT_MS);
	return check_schema(db, err);
}

static struct db *
sqlite_open(const char *rest, enum directory_mode mode, struct err *err)
{
	struct db *db;

	if (*rest != '/') {
		err_set(err, "directory sqlite:%s: the path must begin with /", rest);
		return NULL;
	}
	db = xcalloc(1, sizeof(*db));
	db->path = xstrdup(rest);
	db->mode = mode;
	if (mode == DIRECTORY_WRITE && ready(db, err) != DIRECTORY_OK) {
		free(db->path);
		free(db);
		return NULL;
	}
	return db;
}

static void
sqlite_close(struct db *db)
{
	shut(db);
	free(db->path);
	free(db);
}

/* ---- statements ------------------------------------------------------------------------ */

/* texts are bound in order. NULL with *result_r TEMP on failure. */
static sqlite3_stmt *
prepare(struct db *db, const char *query, const char *a, const char *b,
        enum directory_result *result_r, struct err *err)
{
	sqlite3_stmt *st = NULL;

	*result_r = ready(db, err);
	if (*result_r != DIRECTORY_OK)
		return NULL;
	if (sqlite3_prepare_v2(db->sql, query, -1, &st, NULL) != SQLITE_OK) {
		*result_r = fail_sql(db, "cannot be read", err);
		return NULL;
	}
	if (a != NULL)
		sqlite3_bind_text(st, 1, a, -1, SQLITE_TRANSIENT);
	if (b != NULL)
		sqlite3_bind_text(st, 2, b, -1, SQLITE_TRANSIENT);
	return st;
}

static const char *
column(sqlite3_stmt *st, int i)
{
	const char *s = (const char *)sqlite3_column_text(st, i);

	return s != NULL ? s : "";
}

/* Hands out the rows of an account query: OK, UNKNOWN when there was none, TEMP. */
static enum directory_result
each_account(struct db *db, sqlite3_stmt *st, db_row_fn *fn, void *ctx, struct err *err)
{
	enum directory_result r = DIRECTORY_UNKNOWN;
	int step;

	while ((step = sqlite3_step(st)) == SQLITE_ROW) {
		struct db_row row = {
			.domain = column(st, 0),
			.local = column(st, 1),
			.hash = column(st, 2),
			.status = sqlite3_column_int(st, 3) == 0 ? DIRECTORY_ACTIVE
			                                         : DIRECTORY_DISABLED,
			.home = column(st, 4),
			.created_s = (uint64_t)sqlite3_column_int64(st, 5),
		};

		r = DIRECTORY_OK;
		if (!fn(ctx, &row)) {
			step = SQLITE_DONE;
			break;
		}
	}
	sqlite3_finalize(st);
	return step == SQLITE_DONE ? r : fail_sql(db, "cannot be read", err);
}

static enum directory_result
sqlite_get(struct db *db, const char *local, const char *domain, db_row_fn *fn, void *ctx,
           struct err *err)
{
	enum directory_result r;
	sqlite3_stmt *st = prepare(db,
	                           "SELECT domain, local, password, status, home, created"
	                           " FROM accounts WHERE domain = ?1 AND local = ?2",
	                           domain, local, &r, err);

	return st != NULL ? each_account(db, st, fn, ctx, err) : r;
}

static enum directory_result
sqlite_has_domain(struct db *db, const char *domain, struct err *err)
{
	enum directory_result r;
	sqlite3_stmt *st =
		prepare(db, "SELECT 1 FROM domains WHERE name = ?1", domain, NULL, &r, err);
	int step;

	if (st == NULL)
		return r;
	step = sqlite3_step(st);
	sqlite3_finalize(st);
	if (step == SQLITE_ROW)
		return DIRECTORY_OK;
	return step == SQLITE_DONE ? DIRECTORY_UNKNOWN : fail_sql(db, "cannot be read", err);
}

static enum directory_result
sqlite_list(struct db *db, const char *domain, db_row_fn *fn, void *ctx, struct err *err)
{
	enum directory_result r;
	sqlite3_stmt *st = prepare(db,
	                           "SELECT domain, local, '', status, home, created FROM accounts"
	                           " WHERE ?1 = '' OR domain = ?1 ORDER BY domain, local",
	                           domain != NULL ? domain : "", NULL, &r, err);

	if (st == NULL)
		return r;
	r = each_account(db, st, fn, ctx, err);
	return r == DIRECTORY_UNKNOWN ? DIRECTORY_OK : r; /* an empty list is a list */
}

static enum directory_result
sqlite_list_domains(struct db *db, directory_domain_fn *fn, void *ctx, struct err *err)
{
	enum directory_result r;
	sqlite3_stmt *st =
		prepare(db,
	                "SELECT name, (SELECT count(*) FROM accounts WHERE domain = name)"
	                " FROM domains ORDER BY name",
	                NULL, NULL, &r, err);
	int step;

	if (st == NULL)
		return r;
	while ((step = sqlite3_step(st)) == SQLITE_ROW)
		if (!fn(ctx, column(st, 0), (uint64_t)sqlite3_column_int64(st, 1)))
			break;
	sqlite3_finalize(st);
	return step == SQLITE_DONE || step == SQLITE_ROW ? DIRECTORY_OK
	                                                 : fail_sql(db, "cannot be read", err);
}

/* Runs a changing statement; OK, EXISTS (constraint), UNKNOWN (no row changed), TEMP. */
static enum directory_result
finish_change(struct db *db, sqlite3_stmt *st, struct err *err)
{
	int step = sqlite3_step(st);

	sqlite3_finalize(st);
	if ((step & 0xff) == SQLITE_CONSTRAINT)
		return DIRECTORY_EXISTS;
	if (step != SQLITE_DONE)
		return fail_sql(db, "cannot be written", err);
	return sqlite3_changes(db->sql) > 0 ? DIRECTORY_OK : DIRECTORY_UNKNOWN;
}

static enum directory_result
sqlite_add_domain(struct db *db, const char *domain, struct err *err)
{
	enum directory_result r;
	sqlite3_stmt *st = prepare(db, "INSERT INTO domains (name, created) VALUES (?1, ?2)",
	                           domain, NULL, &r, err);

	if (st == NULL)
		return r;
	sqlite3_bind_int64(st, 2, (sqlite3_int64)clock_wall_s());
	return finish_change(db, st, err);
}

static enum directory_result
insert_account(struct db *db, const struct db_row *row, struct err *err)
{
	enum directory_result r;
	sqlite3_stmt *st = prepare(db,
	                           "INSERT INTO accounts (domain, local, password, status, home,"
	                           " created) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
	                           row->domain, row->local, &r, err);

	if (st == NULL)
		return r;
	sqlite3_bind_text(st, 3, row->hash, -1, SQLITE_TRANSIENT);
	sqlite3_bind_int(st, 4, (int)row->status);
	sqlite3_bind_text(st, 5, row->home, -1, SQLITE_TRANSIENT);
	sqlite3_bind_int64(st, 6, (sqlite3_int64)row->created_s);
	return finish_change(db, st, err);
}

/* Domain and account in one transaction. */
static enum directory_result
sqlite_add(struct db *db, const struct db_row *row, struct err *err)
{
	enum directory_result r = ready(db, err);

	if (r == DIRECTORY_OK)
		r = run(db, "BEGIN IMMEDIATE", err);
	if (r != DIRECTORY_OK)
		return r;
	r = sqlite_add_domain(db, row->domain, err);
	if (r == DIRECTORY_OK || r == DIRECTORY_EXISTS)
		r = insert_account(db, row, err);
	if (r == DIRECTORY_OK)
		r = run(db, "COMMIT", err);
	if (r != DIRECTORY_OK && db->sql != NULL)
		sqlite3_exec(db->sql, "ROLLBACK", NULL, NULL, NULL);
	return r;
}

static enum directory_result
sqlite_change(struct db *db, const char *local, const char *domain, enum db_change what,
              const char *text, int number, struct err *err)
{
	static const char *const queries[] = {
		[DB_SET_HASH] =
			"UPDATE accounts SET password = ?3 WHERE domain = ?1 AND local = ?2",
		[DB_SET_HOME] = "UPDATE accounts SET home = ?3 WHERE domain = ?1 AND local = ?2",
		[DB_SET_STATUS] =
			"UPDATE accounts SET status = ?3 WHERE domain = ?1 AND local = ?2",
	};
	enum directory_result r;
	sqlite3_stmt *st = prepare(db, queries[what], domain, local, &r, err);

	if (st == NULL)
		return r;
	if (what == DB_SET_STATUS)
		sqlite3_bind_int(st, 3, number);
	else
		sqlite3_bind_text(st, 3, text, -1, SQLITE_TRANSIENT);
	return finish_change(db, st, err);
}

static enum directory_result
sqlite_del(struct db *db, const char *local, const char *domain, struct err *err)
{
	enum directory_result r;
	sqlite3_stmt *st = prepare(db, "DELETE FROM accounts WHERE domain = ?1 AND local = ?2",
	                           domain, local, &r, err);

	return st != NULL ? finish_change(db, st, err) : r;
}

const struct db_ops db_sqlite_ops = {
	.scheme = "sqlite",
	.open = sqlite_open,
	.close = sqlite_close,
	.get = sqlite_get,
	.has_domain = sqlite_has_domain,
	.list = sqlite_list,
	.list_domains = sqlite_list_domains,
	.add = sqlite_add,
	.change = sqlite_change,
	.del = sqlite_del,
	.add_domain = sqlite_add_domain,
};
