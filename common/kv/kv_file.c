/*
 * kv_file - the two files of an environment: opening them, and what may be wrong with them.
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
#include "kv/kv_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/xalloc.h"
#include "kv/rescue.h"

/* ---- damaged files -------------------------------------------------------------------------- */

#define META_BYTES 8192 /* two pages, as small as they can be */

uint64_t
kv_file_used(struct kv_env *env)
{
	MDB_envinfo info;
	MDB_stat st;

	must(mdb_env_info(env->mdb, &info) == 0 && mdb_env_stat(env->mdb, &st) == 0);
	return (uint64_t)(info.me_last_pgno + 1) * st.ms_psize;
}

/* A system that says no says it at the next commit, too. */
void
kv_file_lengthen(struct kv_env *env)
{
	uint64_t used = kv_file_used(env);
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
	if (data.st_size < META_BYTES || (uint64_t)data.st_size < kv_file_used(env))
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
		kv_file_lengthen(env);
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
		return kv_report(rc, c->dir, err);
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
