/*
 * engine - the store's log and its index: durable transactions of blobs and facts.
 *
 * It knows records, group commit, publishing, checkpoints and recovery, and not what a
 * mailbox is: that is the client's (mailbox/) business.
 *
 * A transaction is built in one go on the loop, gets its LSNs at once, and is
 *   written   by the log writer thread: one pwritev and one fdatasync for all that came
 *             since the last,
 *   published to its callback on the loop, in LSN order: from now on it may be shown,
 *   indexed   by the indexer thread, which calls client->apply for each record and
 *             commits the index (LMDB) together with the LSN applied.
 * In recovery the same apply() runs for what the index lacks. A transaction is recovered
 * whole or not at all, or what is left of one that was damaged later. The log is the truth; the index equals a prefix of it.
 *
 * When a write or a sync fails, everything not published fails with ENGINE_FAILED, and so
 * does every later commit until a restart; reading goes on.
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/must.h"
#include "base/slice.h"
#include "engine/os.h"
#include "kv/kv.h"
#include "net/loop.h"

#define ENGINE_GUID_LEN 32          /* SHA-256 of the body */
#define ENGINE_BLOB_MAX (64u << 20) /* body bytes */
#define ENGINE_SUMMARY_MAX (1u << 20)
#define ENGINE_SEGMENT_DEFAULT (256ull << 20)

struct engine;
struct engine_tx;

enum engine_err {
	ENGINE_OK,
	ENGINE_FULL,    /* the disk is at its floor: only small facts are taken */
	ENGINE_BUSY,    /* too much is waiting to be written */
	ENGINE_TOOBIG,  /* a blob above ENGINE_BLOB_MAX */
	ENGINE_FAILED,  /* a write or sync failed; until restart */
	ENGINE_ABSENT,  /* no such blob */
	ENGINE_CORRUPT, /* a blob whose bytes are not what was written */
};
const char *engine_err_text(enum engine_err e);

/* The numbers go to disk. */
enum engine_record_type {
	ENGINE_BLOB = 1,
	ENGINE_FACT = 2,
	ENGINE_SNAPSHOT = 3,      /* a part of an object's snapshot; not the last */
	ENGINE_SNAPSHOT_LAST = 4, /* its last part: now it counts */
};

/* What apply() sees. Borrowed for the call. */
struct engine_record {
	uint64_t lsn;
	uint64_t object;              /* FACT, SNAPSHOT: the client's object id */
	uint16_t kind;                /* the client's kind of fact */
	enum engine_record_type type; /* FACT or SNAPSHOT* */
	struct slice payload;
};

/* Objects are what a snapshot is of. An id below ENGINE_OBJECT_OWN is the LSN of the fact that
 * made the object, so that nothing older speaks of it; the ids from there on are the client's
 * to give. */
#define ENGINE_OBJECT_OWN (1ull << 62)
typedef void engine_object_fn(void *ctx, uint64_t object);
/* Part of a snapshot; borrowed. Any size below ENGINE_BLOB_MAX, better some 100 KB. */
typedef void engine_part_fn(void *ctx, struct slice rows);

struct engine_client {
	/* Changes the client's tables for one record, on the indexer thread (or, in
	 * recovery, on the caller's of engine_open). Deterministic: depends on the
	 * transaction and the record only. -1: the record makes no sense (damage that
	 * the checksums did not see, or another version): named in the log, skipped. */
	int (*apply)(void *ctx, struct engine *e, struct kv_txn *txn,
	             const struct engine_record *r);
	/* Behind a rebuild or damage, before anything is served: puts right what does not fit
	 * together any more. orphans: bodies to which nothing refers, and what would have is
	 * damaged; engine_apply_ref() keeps them. May be NULL. */
	void (*mend)(void *ctx, struct engine *e, struct kv_txn *txn, const uint64_t *orphans,
	             size_t count);
	/* On the loop: everything up to and with lsn is in the committed index. */
	void (*indexed)(void *ctx, uint64_t lsn);
	/* Compaction (engine/compact.c), on a thread of its own; NULL: it never is. */
	const struct engine_compact_client *compact;
	/* Index tables of the client; numbers 0..count-1 in kv calls. */
	const char *const *tables;
	size_t table_count;
};

/* Before a file of the log may go, what its facts say must be said by snapshots. */
struct engine_compact_client {
	/* Calls fn for each object whose state the fact is a part of. True: no snapshot has it;
	 * it has to be logged once more as it is. */
	bool (*concerns)(void *ctx, struct kv_txn *txn, const struct engine_record *r,
	                 engine_object_fn *fn, void *fn_ctx);
	/* All that the index has of an object, in parts that apply() takes as SNAPSHOT in a
	 * rebuild. No part: there is no such object (any more). -1: it cannot be read. */
	int (*dump)(void *ctx, struct kv_txn *txn, uint64_t object, engine_part_fn *fn,
	            void *fn_ctx);
	/* About how many bytes that is. */
	uint64_t (*weigh)(void *ctx, struct kv_txn *txn, uint64_t object);
	/* Facts about several objects: whoever reads one in a rebuild may find that one of
	 * them is newer than the fact. The snapshot of this object is always as new as that of
	 * any other. */
	uint64_t common;
};

/* When the log is compacted, and how fast. */
struct engine_compact_policy {
	bool on;
	unsigned dead_percent; /* of a file, that make it worth its while */
	uint64_t rate;         /* bytes a second read and written; 0: no limit */
};

struct engine_config {
	const char *dir;   /* made when absent */
	const char *owner; /* server name: a directory of another is refused */
	struct os *os;     /* NULL: os_real */
	struct loop *loop;
	bool threads;             /* false: all work in loop turns, for tests */
	bool manual_index;        /* with threads false: only engine_index_now() indexes */
	uint64_t segment_bytes;   /* 0: ENGINE_SEGMENT_DEFAULT */
	uint64_t index_map_bytes; /* 0: 64 GiB (sparse) */
	uint64_t queue_bytes;     /* most that waits to be written; 0: 256 MiB */
	uint64_t floor_bytes;     /* free disk below this: ENGINE_FULL for blobs;
				 * 0: two segments and 64 MiB */
};

/* Recovers. NULL with the operator's sentence. Everything in c but os and loop is
 * copied; client is borrowed. */
struct engine *engine_open(const struct engine_config *c, const struct engine_client *client,
                           void *client_ctx, struct err *err) MUST_CHECK;
/* Writes and indexes what is queued (when it can), joins the threads. Callbacks that have
 * not come yet will not come. */
void engine_close(struct engine **e);

/* ---- transactions ------------------------------------------------------------------- */

/* On publish (ENGINE_OK) or failure; from the loop, in LSN order. */
typedef void engine_commit_fn(void *ctx, enum engine_err result, uint64_t last_lsn);

enum {
	ENGINE_TX_SMALL = 1, /* frees space in the long run: taken also at the disk floor,
			      * but not what compaction needs of it */
};

/* One at a time: commit or abort before the next begins. */
struct engine_tx *engine_begin(struct engine *e, unsigned flags);
void engine_abort(struct engine_tx **tx);

/* Adds a body of several pieces, which stay the caller's and must live until the commit's
 * callback. summary is copied. The blob id is its LSN; it has no references yet: the
 * facts' apply() adds them. More than ENGINE_BLOB_MAX bytes: 0. */
uint64_t engine_add_blob(struct engine_tx *tx, const struct slice *pieces, size_t count,
                         const uint8_t guid[ENGINE_GUID_LEN], struct slice summary);
/* payload is copied. Returns the LSN. */
uint64_t engine_add_fact(struct engine_tx *tx, uint64_t object, uint16_t kind,
                         struct slice payload);

/* Takes *tx. Not OK: refused now, fn will not be called, the LSNs are given back. */
enum engine_err engine_commit(struct engine_tx **tx, engine_commit_fn *fn, void *ctx) MUST_CHECK;

/* ---- reading ------------------------------------------------------------------------- */

struct engine_blob {
	uint64_t id;
	uint32_t body_bytes, summary_bytes;
	uint32_t refs; /* as indexed */
	uint8_t guid[ENGINE_GUID_LEN];
};

/* Published blobs, on the loop. */
enum engine_err engine_blob_stat(struct engine *e, uint64_t id, struct engine_blob *b_r) MUST_CHECK;
/* Appends body bytes [from, from + n), cut at the end, to out. A whole body is checked
 * against its checksum. */
enum engine_err engine_blob_read(struct engine *e, uint64_t id, uint64_t from, uint64_t n,
                                 struct buf *out) MUST_CHECK;
enum engine_err engine_blob_summary(struct engine *e, uint64_t id, struct buf *out) MUST_CHECK;

/* A snapshot of the index for reading, on the loop. Never hold it across a wait. */
enum kv_err engine_read(struct engine *e, struct kv_txn **txn_r, struct err *err) MUST_CHECK;

/* ---- inside apply() -------------------------------------------------------------------- */

/* References of a blob: +1 or -1. At zero the blob is gone (compaction takes its bytes). */
void engine_apply_ref(struct engine *e, struct kv_txn *txn, uint64_t blob_id, int delta);
/* The blob's summary and sizes, also of one in the same transaction. Summary borrowed
 * until the next call. False: there is no such blob, or only its body can be read: then
 * there is body_bytes. */
bool engine_apply_blob(struct engine *e, struct kv_txn *txn, uint64_t blob_id,
                       struct engine_blob *b_r, struct slice *summary_r) MUST_CHECK;

/* In a rebuild: the newest snapshot of the object has what the fact of this LSN says. */
bool engine_apply_is_old(struct engine *e, struct kv_txn *txn, uint64_t object,
                         uint64_t lsn) MUST_CHECK;
/* The index is being made anew, of a log that has holes: facts may speak of what is gone. */
bool engine_apply_is_rebuild(const struct engine *e);
/* The record's transaction was damaged, and others of it may be missing: what takes something away
 * would perhaps take the only one there is. */
bool engine_apply_is_partial(const struct engine *e);
/* The object is gone: its snapshots are of no use. */
void engine_apply_gone(struct engine *e, struct kv_txn *txn, uint64_t object);

/* ---- compaction ------------------------------------------------------------------------ */

/* Off until set. */
void engine_set_compaction(struct engine *e, const struct engine_compact_policy *p);
/* Compacts now whatever has a fifth to give, whether it is worth it or not; on or off. False:
 * that is under way already, or cannot be until a restart. */
bool engine_compact(struct engine *e);

/* Reads all full files of the log, at compaction's pace, and whatever of snapshots and facts is
 * damaged is written anew as snapshots: the index still knows. False: as engine_compact(). */
bool engine_check(struct engine *e);

/* The last check, or the one under way. */
struct engine_check_stats {
	uint64_t bytes;   /* read */
	uint64_t damaged; /* places that were needed */
	uint64_t bodies;  /* of these: bodies of messages, which nothing can give back */
	uint64_t mended;  /* objects whose snapshots were written anew */
	uint64_t ended_s; /* when the last one did; 0: none since the start */
	bool working;
};

struct engine_compact_stats {
	uint64_t live_bytes, dead_bytes; /* of the files that are full, when last looked at */
	uint64_t copied_bytes, dropped, dropped_bytes; /* since the start */
	uint64_t kept_damaged;                         /* files that cannot go, since the start */
	bool on, working, forced;
	bool stopped;     /* the disk failed it: until a restart */
	uint64_t segment; /* being compacted; 0: none */
	struct engine_check_stats check;
};

/* ---- state ------------------------------------------------------------------------------ */

struct engine_stats {
	uint64_t next_lsn, published_lsn, indexed_lsn;
	uint64_t batches, transactions, bytes_written, syncs;
	uint64_t queued_bytes, free_bytes, segments;
	uint64_t damaged; /* places found damaged by recovery */
	bool failed, full;
	struct engine_compact_stats compact;
};
void engine_get_stats(struct engine *e, struct engine_stats *s_r);
/* Looks at the free space, soon: writing looks too, but who is full does not write. Once a
 * second is often enough. */
void engine_look_at_space(struct engine *e);
/* Random, made with the directory: who this store is, for cluster checks. */
uint64_t engine_get_id(const struct engine *e);
/* Tests: index all that is published (threads off). */
void engine_index_now(struct engine *e);

#endif
