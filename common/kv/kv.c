/*
 * kv - see kv.h.
 *
 * MDB_NOTLS: read transactions belong to objects, not to threads. When another process
 * has grown the map (MDB_MAP_RESIZED), ours is adjusted as soon as no transaction is open.
 *
 * A damaged file must not end the processes that read it:
 *  1. Touching a page behind the end of the file is SIGBUS. LMDB does not write pages that were
 *     freed again in the same transaction, so that its file may be a little short; we make it as
 *     long as it says it is, after each commit. One that is shorter has lost its end.
 *  2. LMDB asserts what it finds in pages, or follows it to where nothing is mapped: rescue.h.
 *  3. It divides by the size of a page as the file tells it: we look at that first.
 *
 * Nor must a full disk: LMDB makes the file of its lock long and writes it through a mapping, where
 * a block that cannot be had is SIGBUS, in readers too. So it has all its blocks from the beginning.
 */
#include "kv/kv.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/xalloc.h"
#include "kv/rescue.h"

#define FULL_DISK_BLOCKS 16

struct kv_env {
	MDB_env *mdb;
	char *data_path, *lock_path;
	struct stat data, lock_file; /* of the files that are open */
	MDB_dbi *dbis;
	size_t table_count;
	bool read_only;
	pthread_mutex_t lock; /* guards idle and open */
	struct kv_txn *idle;  /* a reset read transaction */
	unsigned open;        /* transactions in use */
	bool map_full;        /* a change did not fit into the map */
};

struct kv_txn {
	struct kv_env *env;
	MDB_txn *mdb;
	bool write;
	enum kv_err error;
	int code;           /* LMDB's or errno's, behind error */
	MDB_cursor *puts[]; /* of a writing one, per table: where the last row was put, or NULL */
};

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

static enum kv_err
report(int code, const char *what, struct err *err)
{
	err_set(err, "%s: %s", what, mdb_strerror(code));
	return err_of(code);
}

/* ---- damaged files -------------------------------------------------------------------------- */

#define META_BYTES 8192 /* two pages, as small as they can be */

static uint64_t
used_bytes(struct kv_env *env)
{
	MDB_envinfo info;
	MDB_stat st;

	must(mdb_env_info(env->mdb, &info) == 0 && mdb_env_stat(env->mdb, &st) == 0);
	return (uint64_t)(info.me_last_pgno + 1) * st.ms_psize;
}

/* A system that says no says it at the next commit, too. */
static void
lengthen_file(struct kv_env *env)
{
	uint64_t used = used_bytes(env);
	struct stat st;
	int fd;

	if (mdb_env_get_fd(env->mdb, &fd) == 0 && fstat(fd, &st) == 0 &&
	    (uint64_t)st.st_size < used)
		(void)!ftruncate(fd, (off_t)used);
}

/* Which files they are that we have open. The lock's is not told by LMDB, nor does it grow. */
static int
know_files(struct kv_env *env)
{
	int fd;

	if (mdb_env_get_fd(env->mdb, &fd) != 0 || fstat(fd, &env->data) == -1 ||
	    stat(env->lock_path, &env->lock_file) == -1)
		return errno;
	return 0;
}

static bool
is_at(const char *path, const struct stat *known, struct stat *st_r)
{
	return stat(path, st_r) == 0 && st_r->st_dev == known->st_dev &&
	       st_r->st_ino == known->st_ino;
}

enum kv_file
kv_check_file(struct kv_env *env)
{
	struct stat data, lock_file;

	/* Who opens a lock that became shorter takes it for one with fewer places. */
	if (!is_at(env->data_path, &env->data, &data) ||
	    !is_at(env->lock_path, &env->lock_file, &lock_file) ||
	    lock_file.st_size < env->lock_file.st_size)
		return KV_FILE_OTHER;
	/* How much is used stands in the first pages. */
	if (data.st_size < META_BYTES || (uint64_t)data.st_size < used_bytes(env))
		return KV_FILE_SHORT;
	return KV_FILE_GOOD;
}

/* ---- opening -------------------------------------------------------------------------------- */

static int
set_modes(const struct kv_config *c)
{
	char data[4096], lock[4096];
	struct group *gr = c->group != NULL ? getgrnam(c->group) : NULL;
	gid_t gid = gr != NULL ? gr->gr_gid : (gid_t)-1;

	snprintf(data, sizeof(data), "%s/data.mdb", c->dir);
	snprintf(lock, sizeof(lock), "%s/lock.mdb", c->dir);
	if (gid != (gid_t)-1 &&
	    (chown(c->dir, (uid_t)-1, gid) == -1 || chown(data, (uid_t)-1, gid) == -1 ||
	     chown(lock, (uid_t)-1, gid) == -1))
		return errno;
	if (chmod(c->dir, c->dir_mode != 0 ? c->dir_mode : 0700) == -1 ||
	    chmod(data, c->data_mode != 0 ? c->data_mode : 0600) == -1 ||
	    chmod(lock, c->lock_mode != 0 ? c->lock_mode : 0600) == -1)
		return errno;
	return 0;
}

static int
open_tables(struct kv_env *env, const struct kv_config *c)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(env->mdb, NULL, c->read_only ? MDB_RDONLY : 0, &txn);

	if (rc != 0)
		return rc;
	for (size_t i = 0; i < c->table_count && rc == 0; i++)
		rc = c->read_only ? rescue_dbi_open(txn, c->tables[i], &env->dbis[i])
		                  : mdb_dbi_open(txn, c->tables[i], MDB_CREATE, &env->dbis[i]);
	if (rc != 0) {
		mdb_txn_abort(txn);
		return rc;
	}
	return mdb_txn_commit(txn); /* keeps the handles, also for readers */
}

#define META_MAGIC_AT 16 /* in each of the first two pages, behind what all pages have */
#define META_MAGIC 0xBEEFC0DE
#define META_PAGE_SIZE_AT 40
#define PAGE_SIZE_MIN 256
#define PAGE_SIZE_MAX 65536

/* What is no file of LMDB's, or not whole, LMDB finds itself. */
static bool
has_page_size(int fd, off_t at, uint32_t *size_r)
{
	uint32_t magic;

	return pread(fd, &magic, sizeof(magic), at + META_MAGIC_AT) != sizeof(magic) ||
	       pread(fd, size_r, sizeof(*size_r), at + META_PAGE_SIZE_AT) != sizeof(*size_r) ||
	       magic != META_MAGIC ||
	       (*size_r >= PAGE_SIZE_MIN && *size_r <= PAGE_SIZE_MAX &&
	        (*size_r & (*size_r - 1)) == 0);
}

static int
check_page_size(const struct kv_env *env)
{
	int fd = open(env->data_path, O_RDONLY | O_CLOEXEC);
	uint32_t first = 0, second = 0;
	bool ok;

	if (fd == -1)
		return 0;
	ok = has_page_size(fd, 0, &first) && has_page_size(fd, first, &second) &&
	     (first == second || second == 0);
	close(fd);
	return ok ? 0 : MDB_CORRUPTED;
}

#define LOCK_HEAD_BYTES 192 /* with the first reader's place */
#define LOCK_PLACE_BYTES 64

static bool
is_locked(int fd)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 }; /* as LMDB does */

	return fcntl(fd, F_GETLK, &l) == 0 && l.l_type != F_UNLCK;
}

/* As long as LMDB would make it. One that is there keeps its length, since others may have it open:
 * they see by its length that it was cut, and make it anew. So one whose head is cut is only made
 * longer when nobody has it; of such a one LMDB makes more places than it can unmap. */
static int
allocate_lock(const struct kv_env *env)
{
	int fd = open(env->lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600), rc = 0;
	unsigned readers;
	struct stat st;
	off_t size;

	/* Who may not write it is told so by LMDB. */
	if (fd == -1)
		return errno == ENOSPC || errno == EDQUOT ? errno : 0;
	must(mdb_env_get_maxreaders(env->mdb, &readers) == 0);
	size = LOCK_HEAD_BYTES + (off_t)(readers - 1) * LOCK_PLACE_BYTES;
	if (fstat(fd, &st) == 0 && st.st_size >= LOCK_HEAD_BYTES)
		size = st.st_size;
	else if (is_locked(fd))
		rc = MDB_INVALID;
	if (rc == 0 && fallocate(fd, 0, 0, size) == -1 && (errno == ENOSPC || errno == EDQUOT))
		rc = errno;
	close(fd);
	return rc;
}

static int
open_env(struct kv_env *env, const struct kv_config *c)
{
	unsigned flags =
		MDB_NOTLS | (c->read_only ? MDB_RDONLY : 0) | (c->scratch ? MDB_NOSYNC : 0);
	int rc = mdb_env_create(&env->mdb);

	if (rc == 0)
		rc = mdb_env_set_maxdbs(env->mdb, (MDB_dbi)c->table_count);
	if (rc == 0 && c->max_readers != 0)
		rc = mdb_env_set_maxreaders(env->mdb, c->max_readers);
	if (rc == 0 && !c->read_only)
		rc = mdb_env_set_mapsize(env->mdb, c->map_bytes);
	if (rc == 0 && !c->read_only && mkdir(c->dir, 0700) == -1 && errno != EEXIST)
		rc = errno;
	/* LMDB would make the lock file of one that is not there. */
	if (rc == 0 && c->read_only && access(env->data_path, R_OK) == -1)
		rc = errno;
	if (rc == 0)
		rc = rescue_begin(env->mdb);
	if (rc == 0)
		rc = check_page_size(env);
	if (rc == 0)
		rc = allocate_lock(env);
	if (rc == 0)
		rc = mdb_env_open(env->mdb, c->dir, flags, c->data_mode != 0 ? c->data_mode : 0600);
	if (rc == 0 && !c->read_only)
		rc = set_modes(c);
	if (rc == 0 && !c->read_only)
		lengthen_file(env);
	if (rc == 0)
		rc = know_files(env);
	if (rc == 0 && kv_check_file(env) != KV_FILE_GOOD)
		rc = MDB_CORRUPTED;
	if (rc == 0)
		rc = open_tables(env, c);
	return rc;
}

static char *
path_in(const char *dir, const char *name)
{
	struct buf path = BUF_INIT(4096);

	buf_printf(&path, "%s/%s", dir, name);
	return buf_steal_cstr(&path);
}

enum kv_err
kv_open(const struct kv_config *c, struct kv_env **env_r, struct err *err)
{
	struct kv_env *env = xcalloc(1, sizeof(*env));
	int rc;

	env->data_path = path_in(c->dir, "data.mdb");
	env->lock_path = path_in(c->dir, "lock.mdb");
	env->table_count = c->table_count;
	env->dbis = xcalloc(c->table_count, sizeof(*env->dbis));
	env->read_only = c->read_only;
	must(pthread_mutex_init(&env->lock, NULL) == 0);
	rc = open_env(env, c);
	if (rc != 0) {
		kv_close(&env);
		return report(rc, c->dir, err);
	}
	*env_r = env;
	return KV_OK;
}

void
kv_close(struct kv_env **env_p)
{
	struct kv_env *env = *env_p;

	if (env == NULL)
		return;
	must(env->open == 0);
	/* It gives back its places in the lock's file. One that has lost them is left open. */
	if (env->idle != NULL) {
		(void)rescue_abort(env->idle->mdb);
		free(env->idle);
	}
	if (env->mdb != NULL)
		(void)rescue_env_close(env->mdb);
	pthread_mutex_destroy(&env->lock);
	free(env->data_path);
	free(env->lock_path);
	free(env->dbis);
	free(env);
	*env_p = NULL;
}

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
		return report(rc, "cannot read the database", err);
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
		return report(rc, "cannot write the database", err);
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
			lengthen_file(t->env);
	}
	release(t);
	return rc == 0 ? KV_OK : report(rc, "the database took no change", err);
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
	*used_r = used_bytes(env);
	*map_r = info.me_mapsize;
}
