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

struct fd_slot {
	uint64_t segment;
	uint64_t used; /* turn of the last use */
	int fd;
};

enum { ENGINE_T_META, ENGINE_T_BLOBS, ENGINE_T_COUNT }; /* behind the client's tables */

struct engine {
	struct engine_config config;
	char *dir, *owner, *log_dir;
	const struct engine_client *client;
	void *client_ctx;
	struct os *os;
	struct loop *loop;
	struct kv_env *kv;
	unsigned t_meta, t_blobs;
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

	atomic_bool failed, full;
	_Atomic uint64_t indexed_lsn, free_bytes, batches, transactions, bytes_written, syncs,
		segments;
};

void engine_tx_free(struct engine_tx **tx);

/* segment.c: files of the log. */
void segment_path(const struct engine *e, uint64_t number, char path_r[512]);
int segment_create(struct engine *e, struct segment *s_r, uint64_t number, uint64_t bytes);
int segment_activate(struct engine *e, struct segment *s, uint64_t prev_lsn);
void segment_close(struct engine *e, struct segment *s);
/* Numbers of the segment files there are, ascending; the caller frees. -1: unreadable. */
int segment_list(struct engine *e, uint64_t **numbers_r, size_t *count_r);
int segment_read(struct engine *e, int fd, void *p, size_t n, uint64_t at);

/* writer.c */
void *writer_main(void *ctx);
bool writer_step(struct engine *e); /* false: nothing to write */
int writer_write(struct engine *e, struct list *txs);
void writer_look_at_space(struct engine *e);
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

#endif
