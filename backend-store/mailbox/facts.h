/*
 * facts - what the log says about mailboxes: kinds of engine facts and their payloads.
 *
 * Facts are absolute (not "add a flag" but "the flags are"), so applying them needs no
 * decision. The numbers of the kinds and the layouts go to disk: add, never change.
 */
#ifndef MAILBOX_FACTS_H
#define MAILBOX_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/num.h"
#include "base/slice.h"
#include "mailbox/mailbox.h"
#include "mailbox/move.h"
#include "mailbox/quota.h"

/* object: the mailbox id, where nothing else is said. */
enum fact_kind {
	FACT_CREATE = 1, /* object 0; the id is the LSN */
	FACT_DELETE = 2,
	FACT_RENAME = 3, /* object 0: pairs of id and new name */
	FACT_ACL = 4,
	FACT_CLAIM = 5,
	FACT_APPEND = 6,
	FACT_FLAGS = 7,
	FACT_EXPUNGE = 8,
	FACT_KEYWORD = 9,
	FACT_RECENT = 10,
	FACT_SUBSCRIBE = 11,       /* object 0 */
	FACT_CLEAR_TOMBSTONE = 12, /* object 0 */
	FACT_DUPLICATE = 13,       /* object 0: a delivery's key */
	FACT_QUOTA = 14,           /* of the mailbox that is a quota root */
	FACT_MOVE = 15,            /* object 0: journal of a user's move (move.h) */
	FACT_MOVE_HEAD = 16,       /* counters of a mailbox that was moved here */
	FACT_MOVE_GONE = 17,       /* what had been expunged from it before */
};

struct fact_create {
	struct slice name, acl, special_use;
	uint32_t uidvalidity;
	uint64_t claim;
};
void fact_create_add(struct buf *out, const struct fact_create *f);
bool fact_create_read(struct slice payload, struct fact_create *f_r) MUST_CHECK;

/* DELETE: the name becomes a tombstone when the master has still to hear of it. */
void fact_delete_add(struct buf *out, bool tombstone, int64_t time);
bool fact_delete_read(struct slice payload, bool *tombstone_r, int64_t *time_r) MUST_CHECK;

/* RENAME: tombstone and time as in DELETE, then pairs till the end. */
void fact_rename_pair_add(struct buf *out, uint64_t id, struct slice name);
bool fact_rename_pair_read(struct num_reader *r, uint64_t *id_r, struct slice *name_r) MUST_CHECK;

void fact_append_add(struct buf *out, const struct msg *m);
bool fact_append_read(struct slice payload, struct msg *m_r) MUST_CHECK;

/* FLAGS: modseq, then (uid, flags, keywords) till the end. EXPUNGE: modseq, then uids. */
void fact_flags_entry_add(struct buf *out, const struct msg *m);
bool fact_flags_entry_read(struct num_reader *r, struct msg *m) MUST_CHECK;

/* DUPLICATE: key, time, before which time keys may be forgotten, and whose it is
 * (index_user_key(); logs of the first days do without). */
#define FACT_KEY_LEN 32
void fact_duplicate_add(struct buf *out, const uint8_t key[FACT_KEY_LEN], int64_t time,
                        int64_t forget_before, struct slice user_key);

void fact_subscribe_add(struct buf *out, struct slice user, struct slice name, bool on);

/* QUOTA: limits of its own (RFC 9208), or none any more. */
void fact_quota_add(struct buf *out, bool own, const struct quota_limits *l);
bool fact_quota_read(struct slice payload, bool *own_r, struct quota_limits *l_r) MUST_CHECK;

/* MOVE: the whole record. State END: there is none any more. */
void fact_move_add(struct buf *out, const struct move_record *m);
bool fact_move_read(struct slice payload, struct move_record *m_r) MUST_CHECK;

/* MOVE_HEAD: absolute. MOVE_GONE: (modseq, uid) till the end. */
struct fact_move_head {
	uint32_t uidnext, recent;
	uint64_t highestmodseq;
};
void fact_move_head_add(struct buf *out, const struct fact_move_head *f);
bool fact_move_head_read(struct slice payload, struct fact_move_head *f_r) MUST_CHECK;

#endif
