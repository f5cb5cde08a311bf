/*
 * index - the tables of the mailbox layer in the engine's index: keys, rows, apply().
 *
 *   heads      be64 id              one mailbox: name, ACL, UIDNEXT, counts, keywords, ...
 *   messages   be64 id, be32 uid    as FACT_APPEND
 *   summaries  be64 id, be32 uid    mail/summary.h, clustered for a metadata FETCH
 *   vanished   be64 id, be64 modseq, be32 uid
 *   subs       16 bytes of the user's SHA-256, name
 *   tombs      name                 u64 id, u64 time
 *   dups       key                  u64 time; 16 bytes of the user's SHA-256 (or nothing)
 *   duptimes   be64 time, key
 *   quotas     be64 id              as FACT_QUOTA, of mailboxes with limits of their own
 *   meta       "uidvalidity"        u32: the highest ever given
 *   moves      user                 as FACT_MOVE
 *   dupusers   16 bytes as above, key of dups
 */
#ifndef MAILBOX_INDEX_H
#define MAILBOX_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "engine/engine.h"
#include "mailbox/mailbox.h"

/* The numbers go to disk, in snapshots: add, never change. */
enum index_table {
	T_HEADS,
	T_MESSAGES,
	T_SUMMARIES,
	T_VANISHED,
	T_SUBS,
	T_TOMBS,
	T_DUPS,
	T_DUPTIMES,
	T_META,
	T_QUOTAS,
	T_MOVES,
	T_DUPUSERS,
	T_COUNT,
};
extern const char *const index_tables[T_COUNT];

/* Slices are borrowed from the row. */
struct head {
	uint64_t id, highestmodseq, claim, bytes;
	uint32_t uidvalidity, uidnext, recent; /* messages from `recent` on are \Recent */
	uint32_t messages, unseen, deleted;
	struct slice name, acl, special_use;
	unsigned keyword_count;
	struct slice keywords[MAILBOX_KEYWORDS_MAX];
};
void head_add(struct buf *out, const struct head *h);
bool head_read(struct slice row, struct head *h_r) MUST_CHECK;
bool index_get_head(struct kv_txn *txn, uint64_t id, struct head *h_r) MUST_CHECK;

/* -1: it is too large. */
int index_put_head(struct kv_txn *txn, const struct head *h) MUST_CHECK;
/* What was given once is never given again. */
void index_raise_uidvalidity(struct kv_txn *txn, uint32_t given);

#define INDEX_KEY_MSG 12
struct slice index_key_id(uint8_t key[8], uint64_t id);
struct slice index_key_msg(uint8_t key[INDEX_KEY_MSG], uint64_t id, uint32_t uid);
#define INDEX_USER_LEN 16
/* The 16 bytes that stand for a user. */
struct slice index_user_key(uint8_t key[INDEX_USER_LEN], struct slice user);
/* Key of a subscription into key (at least 16 + MBOX_NAME_MAX bytes). */
struct slice index_key_sub(char *key, struct slice user, struct slice name);

/* snapshot.c: what compaction of the log has to know. */
extern const struct engine_compact_client snapshot_client;
uint64_t snapshot_object_of_user(struct slice user_key);
uint64_t snapshot_object_of_store(void);
/* A part of a snapshot, in a rebuild. */
int snapshot_apply(struct engine *e, struct kv_txn *txn, const struct engine_record *r);

/* mend.c: the engine client's mend(). Mailboxes whose names are lost, or taken by others meanwhile,
 * and messages whose mailbox is lost, go to names below INDEX_RECOVERED, which nobody but an
 * administrator sees. */
#define INDEX_RECOVERED "recovered"
void index_mend(void *ctx, struct engine *e, struct kv_txn *txn, const uint64_t *orphans,
                size_t count);

/* The engine client's apply(). */
int index_apply(void *ctx, struct engine *e, struct kv_txn *txn, const struct engine_record *r);

#endif
