/*
 * kv_impl - what the files of kv share. Not for others.
 *
 *   kv.c       transactions, rows, cursors
 *   kv_file.c  the files: opening, and what may be wrong with them
 *   rescue.c   LMDB's calls of readers, which come back from a damaged file
 */
#ifndef KV_KV_IMPL_H
#define KV_KV_IMPL_H

#include <lmdb.h>
#include <pthread.h>
#include <sys/stat.h>

#include "kv/kv.h"

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

/* What LMDB or errno says in code, for the operator, behind what. */
enum kv_err kv_report(int code, const char *what, struct err *err);

/* Bytes of the data file that are in use. */
uint64_t kv_file_used(struct kv_env *env);
/* After a commit: the file is as long as it says it is. */
void kv_file_lengthen(struct kv_env *env);

#endif
