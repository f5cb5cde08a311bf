/*
 * rescue - LMDB's calls of readers, which come back from a damaged file with MDB_CORRUPTED.
 *
 * LMDB asserts what it finds in pages, or follows it to where nothing is mapped, and ends the
 * process. A reader has nothing to lose by leaving LMDB with a longjmp instead: its locks are
 * taken and given back before it looks at pages. A writer does end. Not for others.
 */
#ifndef KV_RESCUE_H
#define KV_RESCUE_H

#include <lmdb.h>

/* Of an environment that is not open yet. Takes SIGBUS and SIGSEGV: what no call below raised
 * goes to whoever had them before. */
int rescue_begin(MDB_env *mdb);
/* What these give can be read: all of it has been touched. */
int rescue_get(MDB_txn *mdb, MDB_dbi table, MDB_val *k, MDB_val *v);
int rescue_cursor_get(MDB_cursor *mdb, MDB_val *k, MDB_val *v, MDB_cursor_op op);
int rescue_cursor_open(MDB_txn *mdb, MDB_dbi table, MDB_cursor **cursor_r);
int rescue_stat(MDB_txn *mdb, MDB_dbi table, MDB_stat *st_r);
int rescue_renew(MDB_txn *mdb);
int rescue_dbi_open(MDB_txn *mdb, const char *name, MDB_dbi *table_r);
/* They give back their places in the lock's file; one that has lost them is left open. */
int rescue_abort(MDB_txn *mdb);
int rescue_env_close(MDB_env *mdb);

#endif
