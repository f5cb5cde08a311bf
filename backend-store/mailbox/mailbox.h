/*
 * mailbox - one open mailbox: its message table as published, changes, reading.
 *
 * Sessions pull: a watch says "something changed"; the session compares its own list of
 * UIDs with the table (new: uid above its last; flags: modseq above what it has shown;
 * expunged: not there any more). Table pointers are valid until the loop's next turn.
 */
#ifndef MAILBOX_MAILBOX_H
#define MAILBOX_MAILBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/slice.h"
#include "mailbox/result.h"
#include "mailbox/store.h"

enum {
	MSG_SEEN = 1 << 0,
	MSG_ANSWERED = 1 << 1,
	MSG_FLAGGED = 1 << 2,
	MSG_DELETED = 1 << 3,
	MSG_DRAFT = 1 << 4,
	MSG_SYSTEM = (1 << 5) - 1,
};

#define MAILBOX_KEYWORDS_MAX 64 /* per mailbox: bits of msg.keywords */
#define MAILBOX_KEYWORD_LEN 100

struct msg {
	uint32_t uid;
	uint32_t size; /* RFC822.SIZE */
	uint64_t modseq;
	uint64_t blob;
	int64_t internal_date; /* seconds since 1970, UTC */
	int64_t save_date;
	uint64_t keywords;
	uint32_t crlf_extra; /* bytes more when all lines end in CRLF (mail/crlf.h): POP3 */
	int16_t zone;        /* of internal_date, minutes east */
	uint8_t flags;
};

struct mailbox;

/* Loads it when nobody has it open. m is the caller's reference: mailbox_release(). */
typedef void mailbox_open_fn(void *ctx, enum mbox_result result, struct mailbox *m);
uint64_t mailbox_open(struct store *s, struct slice name, mailbox_open_fn *fn, void *ctx);
/* A cancelled open (store_cancel) releases by itself. */
void mailbox_release(struct mailbox **m);
struct mailbox *mailbox_ref(struct mailbox *m);

/* ---- published state --------------------------------------------------------------- */

uint64_t mailbox_id(const struct mailbox *m);
/* Changes when it is renamed. */
struct slice mailbox_name(const struct mailbox *m);
struct slice mailbox_acl(const struct mailbox *m);
/* Another number whenever its ACL or its name is another one. */
uint64_t mailbox_acl_serial(const struct mailbox *m);
struct store *mailbox_store(const struct mailbox *m);
uint32_t mailbox_uidvalidity(const struct mailbox *m);
uint32_t mailbox_uidnext(const struct mailbox *m);
uint64_t mailbox_highestmodseq(const struct mailbox *m);
/* Deleted meanwhile: reading gives MBOX_ABSENT, changes too. */
bool mailbox_is_gone(const struct mailbox *m);

/* Ascending by uid. */
const struct msg *mailbox_msgs(const struct mailbox *m, uint32_t *count_r);
/* NULL: expunged or never there. */
const struct msg *mailbox_find(const struct mailbox *m, uint32_t uid);
/* Keyword of bit i; empty: not in use. */
struct slice mailbox_keyword(const struct mailbox *m, unsigned i);
unsigned mailbox_keyword_count(const struct mailbox *m);
/* Bit of a keyword (any case), -1: none yet. */
int mailbox_keyword_find(const struct mailbox *m, struct slice keyword);

/* \Recent (RFC 3501 section 2.3.2): messages with this uid and above are recent for the
 * caller; with take nobody else will see them as such. */
uint32_t mailbox_recent(struct mailbox *m, bool take);

enum mailbox_change { MAILBOX_CHANGED, MAILBOX_GONE, MAILBOX_RENAMED };
struct mailbox_watch {
	struct list node; /* zero before use */
	void (*fn)(void *ctx, enum mailbox_change change);
	void *ctx;
};
/* fn is called from the loop; it may watch, unwatch and release. */
void mailbox_watch(struct mailbox *m, struct mailbox_watch *w);
void mailbox_unwatch(struct mailbox_watch *w); /* fine when not watching */

/* Without opening. has_recent etc. as published. */
struct mailbox_status {
	uint32_t messages, unseen, recent, deleted;
	uint32_t uidnext, uidvalidity;
	uint64_t highestmodseq, bytes, mbox_id;
	uint64_t deleted_bytes; /* mailbox_status_deleted() only */
};
typedef void mailbox_status_fn(void *ctx, enum mbox_result result, const struct mailbox_status *s);
uint64_t mailbox_status(struct store *s, struct slice name, mailbox_status_fn *fn, void *ctx);
/* With the size of what is \Deleted: where there is some, all messages are looked at. */
uint64_t mailbox_status_deleted(struct store *s, struct slice name, mailbox_status_fn *fn,
                                void *ctx);

/* ---- reading messages ----------------------------------------------------------------- */

/* Appends body bytes [from, from + n), cut at the end. */
enum mbox_result mailbox_read(struct mailbox *m, const struct msg *msg, uint64_t from, uint64_t n,
                              struct buf *out) MUST_CHECK;
/* Appends the encoded summary (mail/summary.h). */
enum mbox_result mailbox_summary(struct mailbox *m, const struct msg *msg,
                                 struct buf *out) MUST_CHECK;

/* ---- changes ----------------------------------------------------------------------------
 *
 * Lists of uids are ascending; what is not is left out.
 */

/* Keywords by name, so that new ones can be made; borrowed for the call. */
struct msg_flags {
	uint8_t system; /* MSG_* */
	const struct slice *keywords;
	size_t keyword_count;
};

struct msg_new {
	const struct slice *pieces; /* of the body; they live until the callback */
	size_t piece_count;
	struct msg_flags flags;
	int64_t internal_date;
	int16_t zone;
};

/* uids: of the new messages, in order; borrowed. On failure count is 0 and nothing was
 * appended: MULTIAPPEND is all or nothing (RFC 3502). */
struct mailbox_added {
	uint32_t uidvalidity;
	const uint32_t *uids;
	const uint32_t *source_uids; /* copy and move: of the same places */
	size_t count;
};
typedef void mailbox_added_fn(void *ctx, enum mbox_result result, const struct mailbox_added *a);

uint64_t mailbox_append(struct mailbox *m, const struct msg_new *msgs, size_t count,
                        mailbox_added_fn *fn, void *ctx);
struct copy_how {
	bool move;     /* expunged from `from` in the same transaction (RFC 6851) */
	uint8_t flags; /* MSG_*: those that the copies may have */
	bool keywords; /* may they have keywords? */
};
/* Messages of from that are gone are left out. from == to is fine. */
uint64_t mailbox_copy(struct mailbox *from, const uint32_t *uids, size_t count, struct mailbox *to,
                      const struct copy_how *how, mailbox_added_fn *fn, void *ctx);

enum flag_op { FLAGS_ADD, FLAGS_REMOVE, FLAGS_REPLACE };
struct flag_change {
	enum flag_op op;
	struct msg_flags flags;
	uint64_t unchanged_since; /* UINT64_MAX: none (RFC 7162 section 3.1.3) */
};
/* modified: uids that failed UNCHANGEDSINCE, ascending, borrowed. Messages whose flags
 * stay as they are keep their modseq. */
typedef void mailbox_flags_fn(void *ctx, enum mbox_result result, const uint32_t *modified,
                              size_t modified_count);
uint64_t mailbox_store_flags(struct mailbox *m, const uint32_t *uids, size_t count,
                             const struct flag_change *change, mailbox_flags_fn *fn, void *ctx);

/* Those of uids that have \Deleted (deleted_only) or all of them; uids NULL: every
 * message of the mailbox. modseq: of the change, 0 when nothing was expunged. */
typedef void mailbox_expunged_fn(void *ctx, enum mbox_result result, uint64_t modseq);
uint64_t mailbox_expunge(struct mailbox *m, const uint32_t *uids, size_t count, bool deleted_only,
                         mailbox_expunged_fn *fn, void *ctx);

/* QRESYNC and VANISHED (RFC 7162): uids expunged after modseq, ascending. False: the
 * tombstones do not reach back so far. */
bool mailbox_vanished_since(struct mailbox *m, uint64_t modseq, struct buf *uids_u32_out);

#endif
