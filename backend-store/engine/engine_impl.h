/*
 * engine_impl - what the files of the engine share. Not for others.
 *
 * Threads and locks: `lock` guards the queues and what is marked (L). What is marked (W)
 * belongs to the log writer, (I) to the indexer, (loop) to the loop. In a transaction:
 * the loop builds, the writer writes, the loop publishes, the indexer applies; it has one
 * owner at a time.
 */
#ifndef ENGINE_ENGINE_IMPL_H
#define ENGINE_ENGINE_IMPL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/list.h"
#include "base/map.h"
#include "engine/engine.h"
#include "engine/record.h"
#include "log/log.h"

#define ENGINE_FDS 64

/* Where a blob's record lies. */
struct blob_place {
	uint64_t segment; /* number */
	uint64_t at;      /* of its record header */
	uint32_t head_bytes, body_bytes;
	uint64_t head_sum, body_sum;
};

struct engine_item {
	struct record_header header; /* segment_id and sums: by the writer */
	struct slice head;           /* owned (heap) */
	struct slice body;           /* FACT: owned (heap). BLOB: unused */
	struct slice *pieces;        /* BLOB: owned array of borrowed bytes */
	size_t piece_count;
	struct blob_place place; /* BLOB, once written */
	uint8_t raw[RECORD_HEADER_BYTES];
};

struct engine_tx {
	struct engine *e;
	struct list link;
	struct engine_item *items;
	size_t count, cap;
	uint64_t first_lsn, bytes;
	uint64_t weight; /* work for the indexer */
	unsigned flags;
	bool has_blob, too_big;
	bool partial; /* recovered of a damaged one: records are missing */
	enum engine_err result;
	engine_commit_fn *fn;
	void *ctx;
};

struct segment {
	uint64_t number, id;
	uint64_t bytes; /* allocated */
	uint64_t at;    /* where the next batch goes */
	int fd;
};

/* How one file is read. */
struct segment_reader {
	struct engine *e;
	struct record_segment seg;
	int fd;
	uint64_t size;
	bool blank;          /* its header is zeros */
	uint64_t unreadable; /* sectors that could not be read */
};

/* Which snapshot, and (of a part) which of its parts; part of a row: how many. */
struct snapshot_mark {
	uint64_t as_of; /* everything of its object up to this LSN is in it */
	uint64_t id;    /* an LSN no other snapshot has */
	uint32_t part;
};

/* What the index will be told of the files with the next commit. Of the indexer. */
struct account {
	struct map *deltas; /* number of a file -> struct account_delta; NULL: none yet */
	uint64_t *torn;     /* files whose tail was written anew, or never counted */
	size_t torn_count;
	struct buf dropped, gone; /* (L) u64 each: files, objects */
};
enum { ACCOUNT_TORN = 1 };
struct account_row {
	uint64_t bodies, bytes;
	uint64_t last_lsn; /* 0: not known */
	bool torn;
};

/* What applying does: as ever, or one of the passes over the whole log that rebuild an index
 * (recovery.c). */
enum apply_pass { PASS_LIVE, PASS_BODIES, PASS_SNAPSHOTS, PASS_FACTS };

struct compactor;

struct fd_slot {
	uint64_t segment;
	uint64_t used; /* turn of the last use */
	int fd;
};

enum {
	ENGINE_T_META,
	ENGINE_T_BLOBS,
	ENGINE_T_SEGMENTS,
	ENGINE_T_OBJECTS,
	ENGINE_T_COUNT
}; /* behind the client's tables */

struct engine {
	struct engine_config config;
	char *dir, *owner, *log_dir;
	const struct engine_client *client;
	void *client_ctx;
	struct os *os;
	struct loop *loop;
	struct kv_env *kv;
	unsigned t_meta, t_blobs, t_segments, t_objects;
	int lock_fd;
	uint64_t store_id;

	/* loop */
	struct engine_tx *building;
	uint64_t next_lsn, published_lsn;
	struct map *unindexed; /* blob id -> struct engine_item of a published tx */
	struct fd_slot fds[ENGINE_FDS];
	uint64_t fd_turn;
	bool step_queued, index_queued;
	uint64_t unindexed_weight;
	uint64_t damaged;

	pthread_mutex_t lock;
	pthread_cond_t write_wanted, index_wanted;
	struct list to_write;                /* (L) struct engine_tx */
	struct list written;                 /* (L) for the loop to publish */
	struct list to_index;                /* (L) published */
	struct list indexed;                 /* (L) for the loop to free */
	uint64_t queued_bytes;               /* (L) */
	bool publish_posted, indexed_posted; /* (L) */
	bool closing;                        /* (L) */
	bool look_wanted;                    /* (L) at the free space */
	pthread_t writer, indexer;
	bool has_writer, has_indexer;

	/* W */
	struct segment current, ahead; /* ahead.fd -1: none yet */
	uint64_t durable;              /* highest LSN synced */

	/* I */
	struct engine_tx *applying;
	struct buf summary;
	bool index_failed;
	struct account account;
	enum apply_pass pass;
	struct buf orphans; /* u64 each: bodies of damaged transactions */

	struct compactor *compactor;

	atomic_bool failed, full;
	/* so little is free that only compaction gets a new file */
	atomic_bool tight;
	_Atomic uint64_t indexed_lsn, free_bytes, batches, transactions, bytes_written, syncs,
		segments;
	_Atomic uint64_t room;           /* in the file being written */
	_Atomic uint64_t replay_segment; /* where recovery would begin: older files rest */
};

void engine_tx_free(struct engine_tx **tx);

/* segment.c: files of the log. */
void segment_path(const struct engine *e, uint64_t number, char path_r[512]);
int segment_create(struct engine *e, struct segment *s_r, uint64_t number, uint64_t bytes);
int segment_activate(struct engine *e, struct segment *s, uint64_t prev_lsn, uint64_t prev_id);
void segment_close(struct engine *e, struct segment *s);
/* Numbers of the segment files there are, ascending; the caller frees. -1: unreadable. */
int segment_list(struct engine *e, uint64_t **numbers_r, size_t *count_r);
int segment_read(struct engine *e, int fd, void *p, size_t n, uint64_t at);

/* segment_read.c */
int segment_open(struct segment_reader *in_r, struct engine *e, uint64_t number);
void segment_end(struct segment_reader *in);
/* What cannot be read is zeros, and counted. */
void segment_read_sectors(struct segment_reader *in, void *p, size_t n, uint64_t at);
/* UNUSED: made ahead and never begun. HEADLESS: its header was torn, or is damaged; the
 * file is left alone and its number not used again. ALIEN: err says why. */
enum segment_state { SEGMENT_OURS, SEGMENT_UNUSED, SEGMENT_HEADLESS, SEGMENT_ALIEN };
enum segment_state segment_read_header(struct segment_reader *in, uint64_t number, struct err *err);
/* Of one that is HEADLESS: the id that the next file says it had, or its first batch has, or the
 * first record. False: nobody knows. */
bool segment_adopt(struct segment_reader *in, uint64_t number);
bool segment_batch_at(struct segment_reader *in, uint64_t at, struct record_batch *b_r);
/* The first valid batch at or behind *at, or what is left of one whose header is lost: records 0,
 * and its bytes go as far as the next one. */
bool segment_scan(struct segment_reader *in, uint64_t *at, struct record_batch *b_r);
/* One record of a batch, at the beginning of rest. LOST: its length is not known, so neither
 * is what follows. */
enum record_state { RECORD_WHOLE, RECORD_BODY_BAD, RECORD_BAD, RECORD_LOST };
enum record_state segment_read_record(const struct segment_reader *in, struct slice rest,
                                      struct record_header *h_r, struct slice *head_r,
                                      struct slice *body_r);
/* Skips to the next record's header with an LSN above `after` and up to `last`. */
bool segment_next_record(const struct segment_reader *in, struct slice *rest, uint64_t after,
                         uint64_t last);

/* account.c. Changes reach the index by account_flush(), at the end of its transaction. */
int account_open(struct engine *e, struct err *err); /* counts what an older version did not */
void account_fini(struct engine *e);
void account_add(struct engine *e, uint64_t segment, int bodies, int64_t bytes);
void account_note_torn(struct engine *e, uint64_t segment);
/* A transaction from there, by its last LSN. */
void account_note_applied(struct engine *e, uint64_t segment, uint64_t lsn);
void account_snapshot(struct engine *e, struct kv_txn *txn, const struct engine_item *it);
void account_flush(struct engine *e, struct kv_txn *txn);
void account_committed(struct engine *e, bool ok);
/* False: nothing is known, all is 0. */
bool account_get(struct engine *e, struct kv_txn *txn, uint64_t segment, struct account_row *row_r);
/* From compaction's thread, for the indexer's next account_begin(). */
void account_note_dropped(struct engine *e, uint64_t segment);
void account_note_gone(struct engine *e, uint64_t object);
void account_begin(struct engine *e, struct kv_txn *txn);
/* The newest complete snapshot, and the one before: while there are two that say what a fact says,
 * one damaged place cannot take it. */
bool account_get_object(struct engine *e, struct kv_txn *txn, uint64_t object,
                        struct snapshot_mark *m_r);
/* The two are not equally good, or part of them lies in one of the files. */
bool account_is_weak(struct engine *e, struct kv_txn *txn, uint64_t object, const uint64_t *files,
                     size_t count);
/* Those that have a snapshot. */
void account_each_object(struct engine *e, struct kv_txn *txn, engine_object_fn *fn, void *ctx);
bool account_get_twin(struct engine *e, struct kv_txn *txn, uint64_t object,
                      struct snapshot_mark *m_r);

/* engine.c: for compaction */
#define ENGINE_TX_COMPACT 0x100 /* goes on where the disk is full */
#define SNAPSHOT_HEAD_BYTES 20
/* Payload of a SNAPSHOT: u64 as of, u64 id, u32 part, then the client's. */
bool snapshot_read(struct slice payload, struct snapshot_mark *m_r, struct slice *rows_r);
/* apart: what comes before it does not lie in the same sector. */
void engine_add_snapshot(struct engine_tx *tx, uint64_t object, const struct snapshot_mark *m,
                         struct slice rows, bool last, bool apart);
/* A blob once more; body is the caller's until the commit's callback. */
void engine_add_copy(struct engine_tx *tx, uint64_t id, struct slice head, struct slice body);

/* compact.c */
void compactor_start(struct engine *e);
void compactor_stop(struct engine *e); /* its thread */
void compactor_free(struct engine *e); /* when the writer is done */
void compactor_on_indexed(struct engine *e);
void compactor_get_stats(struct engine *e, struct engine_compact_stats *s_r);

/* writer.c */
void *writer_main(void *ctx);
bool writer_step(struct engine *e); /* false: nothing to write */
int writer_write(struct engine *e, struct list *txs);
void writer_look_at_space(struct engine *e);
/* Free bytes that the log may have: the index needs some, too. */
uint64_t writer_spare(const struct engine *e);
void engine_publish(void *ctx);

/* indexer.c */
void *indexer_main(void *ctx);
bool indexer_step(struct engine *e);
void engine_forget_indexed(void *ctx);
/* Applies txs in one commit that stores lsn. */
int indexer_apply(struct engine *e, struct list *txs, struct err *err);

/* recovery.c */
int recovery_run(struct engine *e, struct err *err);

/* blob.c */
void blob_place_add(struct buf *out, const struct blob_place *p, uint32_t refs);
void blob_fds_close(struct engine *e);
void blob_fd_forget(struct engine *e, uint64_t segment);
void blob_apply(struct engine *e, struct kv_txn *txn, const struct engine_item *it);
void blob_count_row(struct engine *e, struct slice row);
/* Where it lies by the index. False: it is not there. */
bool blob_find(struct engine *e, struct kv_txn *txn, uint64_t id, struct blob_place *p_r,
               uint32_t *refs_r);
/* Bytes of its record. */
uint64_t blob_record_bytes(const struct blob_place *p);
/* Bodies of damaged transactions to which nothing refers are given to the client. */
void blob_mend(struct engine *e, struct kv_txn *txn);
/* The end of a rebuild: rows without a reference go, those without a place are damage. */
void blob_settle(struct engine *e, struct kv_txn *txn);

#endif
