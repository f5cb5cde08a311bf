/*
 * compact_impl - what the parts of compaction share: compact.c decides and writes, on the loop;
 * compact_pick.c looks, compact_read.c reads and drops, compact_check.c looks for damage, all on a
 * thread of its own. A job has the
 * compactor for itself while it runs.
 */
#ifndef ENGINE_COMPACT_IMPL_H
#define ENGINE_COMPACT_IMPL_H

#include "engine/engine_impl.h"

#define COMPACT_LEAST_PERCENT 20 /* dead bytes, for whoever is in need or forced */

enum compact_phase {
	COMPACT_IDLE,     /* until the timer, or somebody asks */
	COMPACT_PICK,     /* which file is worth it most? */
	COMPACT_SCAN,     /* what of it is needed? */
	COMPACT_COPY,     /* bodies, written anew */
	COMPACT_SNAPSHOT, /* of objects whose facts are there */
	COMPACT_KEEP,     /* facts that no snapshot has */
	COMPACT_INDEX,    /* until the index has all that */
	COMPACT_DROP,     /* the file goes */
	COMPACT_CHECK,    /* is a file still what was written? */
	COMPACT_OFF,      /* until a restart: the disk fails */
};

/* A file of the log, in memory. */
struct compact_file {
	uint64_t number, prev_lsn, bytes;
	uint64_t last_lsn;                    /* that the index has from it; 0: not known */
	uint64_t live_bytes;                  /* when last looked at */
	uint64_t not_before_ms;               /* something went wrong with it */
	uint64_t needs_bytes, needs_until_ms; /* on the disk, to be written anew */
	uint64_t unworthy_ms; /* until then it is too dear, but for whoever is in need */
	bool ours;            /* has a header */
	bool unread;          /* ... that cannot be read: nobody knows what it has */
	bool rests;           /* was full when it was read: nothing changes it any more */
	bool torn;            /* ACCOUNT_TORN */
	bool damaged;         /* it stays */
};

/* A body that is needed. */
struct compact_body {
	uint64_t id, at;
	uint64_t bytes;
};

/* An object with facts, or its newest snapshot, in the file. */
struct compact_object {
	uint64_t id;
	uint64_t lsn;  /* of its last record there */
	unsigned ends; /* how many of its snapshots that count end there */
	bool gone;     /* and nothing older of it is anywhere: it needs no tombstone */
};

/* A fact that has to be logged once more, or a part of a snapshot. */
struct compact_record {
	uint64_t object;
	uint16_t kind;
	bool last;                 /* of a snapshot */
	struct snapshot_mark mark; /* id and part: when it is written */
	struct slice payload;      /* heap */
};

struct compact_records {
	struct compact_record *v;
	size_t count, cap, at;
	uint64_t bytes;
};

/* A body on its way. */
struct compact_copy {
	uint64_t id;
	size_t at; /* of its head in the chunk; the body is behind it */
	uint32_t head_bytes, body_bytes;
};

/* A look at all files that are full. */
struct compact_check {
	atomic_bool wanted;
	bool turn;          /* the last step was its own: now it is compaction's */
	uint64_t next;      /* number of a file: those before it were read */
	bool all_read;      /* what is left is to write snapshots anew */
	struct buf hurt;    /* u64 each: files with damage of which nobody knows what it was */
	struct buf objects; /* with damaged records: u64 id, u64 LSN of it */
	_Atomic uint64_t bytes, damaged, bodies, mended;
	_Atomic uint64_t ended_s; /* when the last one did; 0: none did */
};

typedef void compact_job(struct compactor *c);

struct compactor {
	struct engine *e;
	/* struct engine_compact_policy */
	atomic_bool on;
	_Atomic unsigned dead_percent;
	_Atomic uint64_t rate;
	atomic_bool forced;          /* by a person: files below forced_end, each once */
	_Atomic uint64_t forced_end; /* number */
	atomic_bool look_at_all;     /* what was put off, too */
	enum compact_phase phase;
	struct timer timer;
	uint64_t working_at;    /* number of the file being compacted */
	uint64_t snapshot_id;   /* of the snapshot being written; 0: none */
	uint32_t snapshot_part; /* the next */
	uint64_t last_lsn;      /* of what was written for this file */
	uint64_t written_bytes; /* by the last transaction */
	bool waiting;           /* for a transaction of ours */
	bool advancing;         /* advance() is deferred, or the timer will call it */
	unsigned waited;        /* how often mail went first */
	atomic_bool told_no_room;

	pthread_t thread;
	bool has_thread;
	pthread_mutex_t lock;
	pthread_cond_t wanted;
	compact_job *job, *done; /* under the lock */
	atomic_bool stop;

	struct compact_check check;
	bool checking; /* snapshots are written for that, and no file goes */

	uint64_t chunk_bytes; /* most of one transaction, but for one body that is larger */

	/* jobs */
	struct compact_file *files; /* ascending */
	size_t file_count;
	size_t candidates;      /* how many are worth it */
	struct compact_file at; /* the file being compacted; number 0: none */
	uint64_t end_lsn;       /* records above it are another file's */
	uint64_t seen_lsn;      /* the last one met */
	uint64_t ahead_bytes;   /* read, and not slept for yet */
	bool failed;            /* at cannot be dropped now */
	struct compact_body *bodies;
	size_t body_count, body_cap, body_at;
	uint64_t body_bytes;
	struct map *objects_by_id;
	struct compact_object **objects; /* in the order in which they were met */
	size_t object_count, object_cap, object_at;
	struct compact_records keep, snapshots;
	bool twice;       /* snapshots are being written the second time */
	struct buf chunk; /* records of copies */
	struct compact_copy *copies;
	size_t copy_count, copy_cap;

	_Atomic uint64_t live_bytes, dead_bytes, copied_bytes, dropped, dropped_bytes, damaged;
};

compact_job compact_pick, compact_scan, compact_read_copies, compact_dump, compact_drop;
/* One file, or behind the last one: whose snapshots have to be written anew. */
compact_job compact_check;
/* compact_pick.c: all that there are. */
bool compact_list(struct compactor *c);
bool compact_is_full(const struct compactor *c, const struct compact_file *f);
/* compact_read.c. The next one that is ours; NULL: it cannot be read. */
const struct compact_file *compact_file_behind(struct compactor *c, uint64_t number);
struct compact_object *compact_need_object(struct compactor *c, uint64_t id, uint64_t lsn);
/* Sleeps as long as reading so many bytes may take. */
void compact_keep_pace(struct compactor *c, uint64_t bytes);
/* Forgets the file. */
void compact_forget(struct compactor *c);
void compact_records_clear(struct compact_records *r);
/* What may be written to the log before the disk is too full. */
uint64_t compact_room(const struct compactor *c);
void compact_tell_no_room(struct compactor *c, uint64_t needs_bytes);
/* The disk gets short: any file that has something to give is worth it. */
bool compact_is_hungry(const struct compactor *c);

#endif
