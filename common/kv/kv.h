/*
 * kv - ordered tables in a memory-mapped file, by LMDB: one writer, many readers, also in
 * other processes. Every commit is fully synchronous.
 *
 * Errors latch in the transaction: reads answer "not there", writes do nothing, and
 * kv_commit() says what went wrong. So callers check once, at the end; a reader that
 * decides something from "not there" checks kv_txn_error() first.
 *
 * Keys are 1..KV_KEY_MAX bytes. Slices that come out are borrowed from the map until the
 * transaction ends or (in a writing one) until the next change.
 *
 * Threads: an environment may be used by several; a transaction by one at a time. Open
 * after fork.
 */
#ifndef KV_KV_H
#define KV_KV_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/must.h"
#include "base/slice.h"

#define KV_KEY_MAX 511

struct kv_env;
struct kv_txn;
struct kv_cursor;

enum kv_err {
	KV_OK,
	KV_ABSENT,  /* no environment, or a table is not there yet (read only) */
	KV_FULL,    /* the map or the disk is full */
	KV_READERS, /* no reader slot left */
	KV_CORRUPT, /* the file is damaged or of another version */
	KV_IO,      /* everything else the system said no to */
};
const char *kv_err_text(enum kv_err e);

struct kv_config {
	const char *dir;           /* made when absent, unless read_only */
	const char *const *tables; /* names; their position is the table's number */
	size_t table_count;
	uint64_t map_bytes;   /* address space; the file is sparse. Writers only */
	unsigned max_readers; /* 0: LMDB's 126 */
	bool read_only;       /* of an environment another process writes */
	bool scratch;         /* nobody wants it after this process: commits are not synced */
	mode_t dir_mode, data_mode, lock_mode; /* 0: 0700, 0600, 0600 */
	const char *group; /* NULL: leave; a group that is not there is left too */
};

/* KV_OK and *env_r, or why not (text in err). */
enum kv_err kv_open(const struct kv_config *c, struct kv_env **env_r, struct err *err) MUST_CHECK;
/* Costs a system call: for those who keep an environment open that others may damage. */
enum kv_file {
	KV_FILE_GOOD,
	KV_FILE_OTHER, /* what lies at its path now is another file, or none; or its lock's is */
	KV_FILE_SHORT, /* its end is missing, or the writer is just making it longer */
};
enum kv_file kv_check_file(struct kv_env *env);
/* No transaction may be open. Accepts NULL, leaves NULL. */
void kv_close(struct kv_env **env);

/* A read transaction is a snapshot. The last one that ended is kept and renewed, so that
 * beginning one costs little. Never hold one across a wait. */
enum kv_err kv_begin_read(struct kv_env *env, struct kv_txn **txn_r, struct err *err) MUST_CHECK;
/* Waits for another writer to end. */
enum kv_err kv_begin_write(struct kv_env *env, struct kv_txn **txn_r, struct err *err) MUST_CHECK;
/* Durable when KV_OK. The transaction is gone in any case; leaves NULL. */
enum kv_err kv_commit(struct kv_txn **txn, struct err *err) MUST_CHECK;
/* Ends a read transaction, or drops a writing one. Accepts NULL, leaves NULL. */
void kv_end(struct kv_txn **txn);
/* KV_OK while nothing has failed in it. */
enum kv_err kv_txn_error(const struct kv_txn *txn);

bool kv_get(struct kv_txn *txn, unsigned table, struct slice key, struct slice *value_r);
bool kv_has(struct kv_txn *txn, unsigned table, struct slice key);
void kv_put(struct kv_txn *txn, unsigned table, struct slice key, struct slice value);
/* False when it was not there. */
bool kv_del(struct kv_txn *txn, unsigned table, struct slice key);
/* Empties a table. */
void kv_clear(struct kv_txn *txn, unsigned table);
uint64_t kv_count(struct kv_txn *txn, unsigned table);

/* Cursors end before their transaction. value_r may be NULL. */
struct kv_cursor *kv_cursor_new(struct kv_txn *txn, unsigned table);
void kv_cursor_free(struct kv_cursor **c);
/* The first row with a key >= from (an empty from: the first row). */
bool kv_cursor_seek(struct kv_cursor *c, struct slice from, struct slice *key_r,
                    struct slice *value_r);
bool kv_cursor_next(struct kv_cursor *c, struct slice *key_r, struct slice *value_r);
bool kv_cursor_prev(struct kv_cursor *c, struct slice *key_r, struct slice *value_r);
/* The last row of the table. */
bool kv_cursor_last(struct kv_cursor *c, struct slice *key_r, struct slice *value_r);
/* Deletes the row the cursor stands on; kv_cursor_next() then gives the one behind. */
void kv_cursor_del(struct kv_cursor *c);

/* Frees the slots of readers that died; the writer calls it now and then. Returns how
 * many. */
int kv_reader_check(struct kv_env *env);
/* After a commit that failed: can it be that its changes are there all the same? Only when the
 * very last step, the root page, failed: LMDB takes no further changes then. Before it (a full
 * disk shows as a short write, and that as KV_IO) nothing has changed for certain. */
bool kv_is_broken(struct kv_env *env);
/* Was a KV_FULL since the last kv_grow() for want of map, and not of disk? */
bool kv_is_map_full(const struct kv_env *env);
/* Makes a writer's map twice as large; other processes follow by themselves. No transaction may
 * be open. False: the system says no. */
bool kv_grow(struct kv_env *env) MUST_CHECK;
/* Bytes of the file in use, and of its map. */
void kv_space(struct kv_env *env, uint64_t *used_r, uint64_t *map_r);

#endif
