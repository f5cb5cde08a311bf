/*
 * book - the engine's client in crash tests: an account book on a disk that can lose its power.
 *
 * A transaction takes an amount from one account and gives it to another, and files a body that
 * tells about it; the sum stays 0. Bodies are thrown away again. The book remembers what was
 * published, and so what must be there.
 */
#ifndef CRASH_ENGINE_BOOK_H
#define CRASH_ENGINE_BOOK_H

#include "disk/disk.h"
#include "engine/engine.h"
#include "fakenet/fakenet.h"

#define BOOK_FACT_MOVE 1
#define BOOK_FACT_BODY 2
#define BOOK_FACT_DROP 3
#define BOOK_TXS_MOST 600

enum { BOOK_T_ACCOUNTS, BOOK_T_BODIES, BOOK_T_COUNT };
/* The engine's own are behind them. */
enum { BOOK_T_META = BOOK_T_COUNT, BOOK_T_BLOBS, BOOK_T_SEGMENTS };

struct book_move {
	struct book *b;
	unsigned number;
};

/* Of a body: was it thrown away? */
enum book_fate { BOOK_KEPT, BOOK_PERHAPS, BOOK_DROPPED };

struct book {
	struct disk *disk;
	struct loop *loop;
	struct engine *e;
	char dir[300];
	uint64_t rng;
	unsigned next;
	bool published[BOOK_TXS_MOST];
	struct book_move moves[BOOK_TXS_MOST];
	enum book_fate fate[BOOK_TXS_MOST];
	uint64_t dropped_files; /* by earlier openings */
	bool compacts;
	uint64_t floor_bytes;
	uint64_t checkpoint; /* met by apply() last; and how many there were */
	unsigned checkpoints;
	char *text[BOOK_TXS_MOST]; /* bodies in flight */
};

/* Closed. The same seed lives the same life. */
struct book *book_new(uint64_t seed);
void book_free(struct book *b);
bool book_open(struct book *b, struct err *err);
/* With the power cut somewhere in the recovery, a few times. */
void book_open_with_cuts(struct book *b, uint64_t seed);
uint64_t book_draw(struct book *b);

/* ---- changes ---- */

/* Begins a transaction; the loop finishes it. */
void book_move(struct book *b);
/* Throws some body away, when the one that was drawn is there. */
void book_drop(struct book *b);
/* What engine_commit() calls; ctx: an entry of moves. */
void book_on_commit(void *ctx, enum engine_err result, uint64_t lsn);
void book_on_dropped(void *ctx, enum engine_err result, uint64_t lsn);
/* All of it, until the power goes. */
void book_work(struct book *b, unsigned turns);
/* Opens, fills some files and throws most of it away. */
void book_fill(struct book *b, unsigned count);
/* Until it has done what it can. */
void book_run_compaction(struct book *b, struct engine_stats *stats_r);
void book_drop_index(struct book *b);

/* ---- what must hold ---- */

/* No transaction in part, nothing lost, nothing there again, bodies that read back. */
void book_check(struct book *b, uint64_t seed);
/* The bodies in each file are those that lie there. */
void book_check_account(struct book *b, uint64_t seed);
/* Whatever the index says, a new one made of the log says. */
void book_check_rebuild(struct book *b, uint64_t seed);
/* Before it is closed: what compaction did counts for the book's life. */
void book_note_stats(struct book *b, uint64_t seed);
/* The index as text. */
void book_describe(struct book *b, struct buf *out);
/* Fails by the first line that differs. */
void book_compare(const struct buf *was, const struct buf *is, uint64_t seed);

#endif
