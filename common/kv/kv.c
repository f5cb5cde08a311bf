/*
 * kv - transactions, rows and cursors: see kv.h. Files and their opening are in kv_file.c.
 *
 * MDB_NOTLS: read transactions belong to objects, not to threads. When another process
 * has grown the map (MDB_MAP_RESIZED), ours is adjusted as soon as no transaction is open.
 */
#include "kv/kv_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/statvfs.h>

#include "base/xalloc.h"
#include "kv/rescue.h"

#define FULL_DISK_BLOCKS 16 /* free ones; fewer are no room for a commit */

struct kv_cursor {
	struct kv_txn *txn;
	MDB_cursor *mdb;
	bool deleted; /* the row under the cursor is gone: it stands on the next one */
};

static const char *const err_texts[] = {
	[KV_OK] = "no error",
	[KV_ABSENT] = "the database is not there",
	[KV_FULL] = "the database or its disk is full",
	[KV_READERS] = "too many readers of the database",
	[KV_CORRUPT] = "the database is damaged or of another version",
	[KV_IO] = "the system refused",
};

const char *
kv_err_text(enum kv_err e)
{
	return err_texts[e];
}

static enum kv_err
err_of(int code)
{
	switch (code) {
	case 0:
		return KV_OK;
	case ENOENT:
	case MDB_NOTFOUND:
		return KV_ABSENT;
	case ENOSPC:
	case EDQUOT:
	case MDB_MAP_FULL:
	case MDB_DBS_FULL:
	case MDB_TXN_FULL:
		return KV_FULL;
	case MDB_READERS_FULL:
		return KV_READERS;
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_VERSION_MISMATCH:
	case MDB_INVALID:
	case MDB_INCOMPATIBLE:
	case MDB_PANIC:
	case MDB_BAD_DBI:
	case MDB_BAD_TXN: /* something in it went wrong that LMDB did not tell */
	case MDB_CURSOR_FULL:
	case EINVAL: /* its lock is none: all else we give LMDB is right */
	case ENOTRECOVERABLE:
		return KV_CORRUPT;
	default:
		return KV_IO;
	}
}

enum kv_err
kv_report(int code, const char *what, struct err *err)
{
	err_set(err, "%s: %s", what, mdb_strerror(code));
	return err_of(code);
}

/* ---- transactions -------------------------------------------------------------------------- */

/* With the lock held: begins or renews, adjusting the map when another process grew it. */
static int
begin_read_locked(struct kv_env *env, struct kv_txn *t)
{
	int rc = t->mdb != NULL ? rescue_renew(t->mdb)
	                        : mdb_txn_begin(env->mdb, NULL, MDB_RDONLY, &t->mdb);

	if (rc != MDB_MAP_RESIZED || env->open != 0)
		return rc;
	rc = mdb_env_set_mapsize(env->mdb, 0);
	if (rc != 0)
		return rc;
	return t->mdb != NULL ? rescue_renew(t->mdb)
	                      : mdb_txn_begin(env->mdb, NULL, MDB_RDONLY, &t->mdb);
}

enum kv_err
kv_begin_read(struct kv_env *env, struct kv_txn **txn_r, struct err *err)
{
	struct kv_txn *t;
	int rc;

	pthread_mutex_lock(&env->lock);
	t = env->idle;
	env->idle = NULL;
	if (t == NULL)
		t = xcalloc(1, sizeof(*t));
	t->env = env;
	t->error = KV_OK;
	rc = begin_read_locked(env, t);
	if (rc == 0)
		env->open++;
	pthread_mutex_unlock(&env->lock);
	if (rc != 0) {
		if (t->mdb != NULL)
			mdb_txn_abort(t->mdb);
		free(t);
		return kv_report(rc, "cannot read the database", err);
	}
	*txn_r = t;
	return KV_OK;
}

enum kv_err
kv_begin_write(struct kv_env *env, struct kv_txn **txn_r, struct err *err)
{
	struct kv_txn *t = xcalloc(1, sizeof(*t) + env->table_count * sizeof(t->puts[0]));
	int rc;

	must(!env->read_only);
	t->env = env;
	t->write = true;
	rc = mdb_txn_begin(env->mdb, NULL, 0, &t->mdb);
	if (rc == MDB_MAP_RESIZED)
		rc = MDB_CORRUPTED; /* nobody else makes it grow */
	if (rc != 0) {
		free(t);
		return kv_report(rc, "cannot write the database", err);
	}
	pthread_mutex_lock(&env->lock);
	env->open++;
	pthread_mutex_unlock(&env->lock);
	*txn_r = t;
	return KV_OK;
}

static void
release(struct kv_txn *t)
{
	struct kv_env *env = t->env;

	pthread_mutex_lock(&env->lock);
	env->open--;
	if (!t->write && env->idle == NULL) {
		mdb_txn_reset(t->mdb);
		env->idle = t;
		t = NULL;
	}
	pthread_mutex_unlock(&env->lock);
	if (t == NULL)
		return;
	if (t->mdb != NULL)
		mdb_txn_abort(t->mdb);
	free(t);
}

void
kv_end(struct kv_txn **txn)
{
	if (*txn != NULL)
		release(*txn);
	*txn = NULL;
}

/* Of a write that the disk took a part of LMDB says EIO. */
static int
name_full_disk(struct kv_env *env, int rc)
{
	struct statvfs disk;
	int fd;

	if (rc == EIO && mdb_env_get_fd(env->mdb, &fd) == 0 && fstatvfs(fd, &disk) == 0 &&
	    disk.f_bavail < FULL_DISK_BLOCKS)
		return ENOSPC;
	return rc;
}

enum kv_err
kv_commit(struct kv_txn **txn, struct err *err)
{
	struct kv_txn *t = *txn;
	int rc = t->code;

	must(t->write);
	*txn = NULL;
	if (t->error == KV_OK) {
		rc = name_full_disk(t->env, mdb_txn_commit(t->mdb));
		t->env->map_full = t->env->map_full || rc == MDB_MAP_FULL;
		t->mdb = NULL;
		if (rc == 0)
			kv_file_lengthen(t->env);
	}
	release(t);
	return rc == 0 ? KV_OK : kv_report(rc, "the database took no change", err);
}

enum kv_err
kv_txn_error(const struct kv_txn *txn)
{
	return txn->error;
}

/* Latches. True when rc is success. */
static bool
check(struct kv_txn *t, int rc)
{
	if (rc == 0)
		return true;
	if (rc != MDB_NOTFOUND && t->error == KV_OK) {
		t->error = err_of(rc);
		t->code = rc;
		t->env->map_full = t->env->map_full || rc == MDB_MAP_FULL;
	}
	return false;
}

/* ---- rows ---------------------------------------------------------------------------------- */

static MDB_val
val_of(struct slice s)
{
	return (MDB_val){ s.n, (void *)(uintptr_t)s.p };
}

static struct slice
slice_of_val(MDB_val v)
{
	return slice_make(v.mv_data, v.mv_size);
}

static MDB_dbi
dbi(struct kv_txn *t, unsigned table)
{
	must(table < t->env->table_count);
	return t->env->dbis[table];
}

bool
kv_get(struct kv_txn *t, unsigned table, struct slice key, struct slice *value_r)
{
	MDB_val k = val_of(key), v;

	must(key.n != 0 && key.n <= KV_KEY_MAX);
	if (t->error != KV_OK || !check(t, t->write ? mdb_get(t->mdb, dbi(t, table), &k, &v)
	                                            : rescue_get(t->mdb, dbi(t, table), &k, &v)))
		return false;
	if (value_r != NULL)
		*value_r = slice_of_val(v);
	return true;
}

bool
kv_has(struct kv_txn *t, unsigned table, struct slice key)
{
	return kv_get(t, table, key, NULL);
}

/* The cursor of the last put finds a place nearby without going down from the root. LMDB closes
 * it with the transaction. */
void
kv_put(struct kv_txn *t, unsigned table, struct slice key, struct slice value)
{
	MDB_val k = val_of(key), v = val_of(value);
	MDB_dbi d = dbi(t, table);

	must(key.n != 0 && key.n <= KV_KEY_MAX && t->write);
	if (t->error == KV_OK && t->puts[table] == NULL)
		(void)check(t, mdb_cursor_open(t->mdb, d, &t->puts[table]));
	if (t->error == KV_OK)
		(void)check(t, mdb_cursor_put(t->puts[table], &k, &v, 0));
}

bool
kv_del(struct kv_txn *t, unsigned table, struct slice key)
{
	MDB_val k = val_of(key);

	must(key.n != 0 && key.n <= KV_KEY_MAX && t->write);
	return t->error == KV_OK && check(t, mdb_del(t->mdb, dbi(t, table), &k, NULL));
}

void
kv_clear(struct kv_txn *t, unsigned table)
{
	must(t->write);
	if (t->error == KV_OK)
		(void)check(t, mdb_drop(t->mdb, dbi(t, table), 0));
}

uint64_t
kv_count(struct kv_txn *t, unsigned table)
{
	MDB_stat st;

	if (t->error != KV_OK || !check(t, rescue_stat(t->mdb, dbi(t, table), &st)))
		return 0;
	return st.ms_entries;
}

/* ---- cursors ------------------------------------------------------------------------------- */

struct kv_cursor *
kv_cursor_new(struct kv_txn *t, unsigned table)
{
	struct kv_cursor *c = xcalloc(1, sizeof(*c));

	c->txn = t;
	if (t->error == KV_OK)
		(void)check(t, rescue_cursor_open(t->mdb, dbi(t, table), &c->mdb));
	return c;
}

void
kv_cursor_free(struct kv_cursor **c)
{
	if (*c == NULL)
		return;
	if ((*c)->mdb != NULL)
		mdb_cursor_close((*c)->mdb);
	free(*c);
	*c = NULL;
}

static bool
move(struct kv_cursor *c, MDB_cursor_op op, struct slice from, struct slice *key_r,
     struct slice *value_r)
{
	MDB_val k = val_of(from), v;

	c->deleted = false;
	if (c->mdb == NULL || c->txn->error != KV_OK ||
	    !check(c->txn, c->txn->write ? mdb_cursor_get(c->mdb, &k, &v, op)
	                                 : rescue_cursor_get(c->mdb, &k, &v, op)))
		return false;
	if (key_r != NULL)
		*key_r = slice_of_val(k);
	if (value_r != NULL)
		*value_r = slice_of_val(v);
	return true;
}

bool
kv_cursor_seek(struct kv_cursor *c, struct slice from, struct slice *key_r, struct slice *value_r)
{
	return move(c, from.n == 0 ? MDB_FIRST : MDB_SET_RANGE, from, key_r, value_r);
}

bool
kv_cursor_next(struct kv_cursor *c, struct slice *key_r, struct slice *value_r)
{
	/* After a deletion LMDB's cursor stands on the next row already, and MDB_NEXT
	 * accounts for that itself. */
	return move(c, MDB_NEXT, slice_make(NULL, 0), key_r, value_r);
}

bool
kv_cursor_prev(struct kv_cursor *c, struct slice *key_r, struct slice *value_r)
{
	return move(c, MDB_PREV, slice_make(NULL, 0), key_r, value_r);
}

bool
kv_cursor_last(struct kv_cursor *c, struct slice *key_r, struct slice *value_r)
{
	return move(c, MDB_LAST, slice_make(NULL, 0), key_r, value_r);
}

void
kv_cursor_del(struct kv_cursor *c)
{
	must(c->txn->write && !c->deleted);
	c->deleted = true;
	if (c->mdb != NULL && c->txn->error == KV_OK)
		(void)check(c->txn, mdb_cursor_del(c->mdb, 0));
}

/* ---- all of it ----------------------------------------------------------------------------- */

int
kv_reader_check(struct kv_env *env)
{
	int dead = 0;

	return mdb_reader_check(env->mdb, &dead) == 0 ? dead : 0;
}

bool
kv_is_broken(struct kv_env *env)
{
	MDB_txn *txn;

	if (mdb_txn_begin(env->mdb, NULL, 0, &txn) != 0)
		return true;
	mdb_txn_abort(txn);
	return false;
}

bool
kv_is_map_full(const struct kv_env *env)
{
	return env->map_full;
}

bool
kv_grow(struct kv_env *env)
{
	MDB_envinfo info;

	must(!env->read_only && env->open == 0);
	env->map_full = false;
	return mdb_env_info(env->mdb, &info) == 0 &&
	       mdb_env_set_mapsize(env->mdb, info.me_mapsize * 2) == 0;
}

void
kv_space(struct kv_env *env, uint64_t *used_r, uint64_t *map_r)
{
	MDB_envinfo info;

	must(mdb_env_info(env->mdb, &info) == 0);
	*used_r = kv_file_used(env);
	*map_r = info.me_mapsize;
}
