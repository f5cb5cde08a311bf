/*
 * move - a user's mailboxes on their way from one store to another: the journal in this
 * store's log, and reading and writing of everything he has.
 *
 * The journal. One record for each user that is moved, on both stores:
 *
 *   state        source (MOVE_OUT)                    target (MOVE_IN)
 *   COPYING      his, closed; a restart undoes it     nobody's, hidden; a restart drops it
 *   COMMITTING   left at the master: whoever          the same
 *                activates the INBOX first has him
 *   COMMITTED    -                                    his, closed until all names are active
 *   RELEASED     the release record: not his any      -
 *                more; waits for the target's word
 *   KEPT         the same, and stays until dropped    -
 *   END          no record: as any user               no record: as any user
 *
 * While there is a record, everything of the user refuses with UNAVAILABLE: sessions,
 * deliveries, changes of names, subscriptions; his mailboxes are in conflict, as mbox_info
 * says it. Each state is on disk before the next step is taken.
 *
 * Reading and writing go by items: their payloads are those of facts, so that whatever the
 * log can say can be moved. The reader reads the index, which is right since nothing of a
 * user who is being moved changes, and a begun move waits until it is indexed.
 */
#ifndef MAILBOX_MOVE_H
#define MAILBOX_MOVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/must.h"
#include "base/slice.h"
#include "engine/engine.h"
#include "mailbox/names.h"
#include "mailbox/store.h"

/* The numbers go to disk. */
enum move_role { MOVE_OUT = 1, MOVE_IN = 2 };
enum move_state {
	MOVE_END = 0,
	MOVE_COPYING = 1,
	MOVE_COMMITTING = 2,
	MOVE_COMMITTED = 3,
	MOVE_RELEASED = 4,
	MOVE_KEPT = 5,
};
const char *move_state_name(enum move_state s);

/* Texts are borrowed until the next turn of the loop. */
struct move_record {
	enum move_role role;
	enum move_state state;
	bool keep;            /* OUT: KEPT in the end */
	uint64_t id;          /* the same on both stores */
	uint64_t claim;       /* OUT: under which he was ours; IN: under which he will be */
	int64_t time;         /* of its beginning */
	uint32_t uidvalidity; /* IN: the highest the source ever gave; never given here */
	struct slice user;    /* canonical */
	struct slice peer;    /* the other store */
};

/* False: he is not being moved (or the user is none). */
bool store_find_move(struct store *s, struct slice user, struct move_record *r_r) MUST_CHECK;
typedef void store_move_fn(void *ctx, const struct move_record *r);
void store_each_move(struct store *s, store_move_fn *fn, void *ctx);
/* The highest UIDVALIDITY ever given here. */
uint32_t store_uidvalidity(const struct store *s);

/* The record, in state COPYING (state and time are set here). OK: it is on disk, and
 * everything of the user is in the index. OUT: ABSENT: no such user here; UNAVAILABLE: one of
 * his mailboxes is in conflict. IN: EXISTS: he has mailboxes here. Both: BUSY: he is in a move
 * already. */
uint64_t store_move_begin(struct store *s, const struct move_record *r, store_done_fn *fn,
                          void *ctx);
/* The next state; ABSENT: there is no record of this id. */
uint64_t store_move_set(struct store *s, struct slice user, uint64_t id, enum move_state state,
                        store_done_fn *fn, void *ctx);
/* The end. drop: with everything of the user that is here, else all of it is open from now
 * on. The master is not asked. */
uint64_t store_move_end(struct store *s, struct slice user, uint64_t id, bool drop,
                        store_done_fn *fn, void *ctx);
/* OUT, in memory only: names are being left at the master, so that the reconciliation keeps
 * away from them (mbox_info.apart) already in state COPYING. */
void store_move_leaving(struct store *s, struct slice user, bool leaving);

/* ---- items -------------------------------------------------------------------------------- */

/* The numbers go over the wire. */
enum move_item_kind {
	MOVE_ITEM_BODY = 0,       /* no item: counted for itself (move_writer_take_body()) */
	MOVE_ITEM_MAILBOX = 1,    /* a head row (index.h) without id and claim */
	MOVE_ITEM_QUOTA = 2,      /* as FACT_QUOTA: limits of its own */
	MOVE_ITEM_MESSAGE = 3,    /* fact_append_add(), blob = number of the body; 32 bytes GUID */
	MOVE_ITEM_GONE = 4,       /* (u64 modseq, u32 uid) till the end: expunged */
	MOVE_ITEM_SUBSCRIBED = 5, /* the name */
	MOVE_ITEM_DUPLICATE = 6,  /* 32 bytes key, u64 time */
	MOVE_ITEM_KINDS,
};
#define MOVE_ITEM_MAX (512u << 10)

struct move_item {
	enum move_item_kind kind;
	struct slice payload; /* MESSAGE: with body 0. Borrowed until the next call */
	/* MESSAGE */
	struct engine_blob blob;
};
/* Payload of a MESSAGE with the number of its body. */
void move_item_set_body(struct slice payload, uint64_t body, struct buf *out);

struct move_totals {
	uint64_t mailboxes, messages, bodies, bytes, gone, subscriptions, duplicates;
};

struct move_reader;
/* Borrows s. user is copied. */
struct move_reader *move_reader_new(struct store *s, struct slice user);
void move_reader_free(struct move_reader **r);
/* 1: an item. 0: that was all. -1: something cannot be read; err says what. */
int move_reader_next(struct move_reader *r, struct move_item *item_r, struct err *err) MUST_CHECK;
/* The body of the MESSAGE read last, whole and checked. False as above. */
bool move_reader_body(struct move_reader *r, const struct move_item *item, struct buf *out,
                      struct err *err) MUST_CHECK;
/* Of everything read so far, but for keys of duplicates, which may be forgotten meanwhile:
 * names, UIDVALIDITY, UIDs, MODSEQs, flags, dates, ACLs, and the bodies by their GUIDs. Two
 * copies with one digest are the same. */
void move_reader_digest(struct move_reader *r, uint8_t digest_r[32]);
void move_reader_totals(const struct move_reader *r, struct move_totals *t_r);

/* Mailboxes, messages and bytes of a user, as far as known without reading: for plans and
 * progress. */
void store_move_estimate(struct store *s, struct slice user, struct move_totals *t_r);

struct move_writer;
/* Called when something has come to disk, or has failed (once; then nothing more is called).
 * finished: everything is in the index. */
typedef void move_writer_fn(void *ctx, enum mbox_result result, bool finished);
/* For a user with a MOVE_IN record in state COPYING. Borrows s. */
struct move_writer *move_writer_new(struct store *s, struct slice user, move_writer_fn *fn,
                                    void *ctx);
/* fn will not be called any more. What is on its way to disk gets there. */
void move_writer_free(struct move_writer **w);
/* Items in the order of the reader. False: the sender's fault; err says what. */
bool move_writer_item(struct move_writer *w, enum move_item_kind kind, struct slice payload,
                      struct err *err) MUST_CHECK;
/* The next body, number 1 and so on, before the first message that has it. Takes bytes
 * (heap), at most ENGINE_BLOB_MAX. */
void move_writer_take_body(struct move_writer *w, char *bytes, uint32_t n);
/* Bytes taken and not on disk yet. */
uint64_t move_writer_pending(const struct move_writer *w);
/* That was all. */
void move_writer_finish(struct move_writer *w);
void move_writer_totals(const struct move_writer *w, struct move_totals *t_r);

#endif
