/*
 * view - the selected mailbox as this session's client knows it: which message has which
 * number, and up to which change he has been told. RFC 3501 sections 2.3.1, 5.5 and 7.4.1.
 *
 * Only view_pull() changes the numbers, so they stay during a command. A message others
 * have expunged keeps its number until the client is told; view_msg() gives NULL for it.
 *
 * Memory: four bytes a message. Told flags are not kept: what has a modseq above
 * view_modseq() is news, but for what view_told() was told of.
 */
#ifndef IMAP_VIEW_H
#define IMAP_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/must.h"
#include "imap/fetch_body.h"
#include "mailbox/mailbox.h"
#include "proto/imap_set.h"

struct imap_session;
struct view;

/* Takes *m. As it is now; nothing is told. */
struct view *view_new(struct imap_session *s, struct mailbox **m, bool examine);
void view_free(struct view **v);
struct mailbox *view_mailbox(const struct view *v);
/* EXAMINE, or no right to change anything. */
bool view_is_read_only(const struct view *v);
/* May he still read it, as its ACL is now? */
bool view_may_read(const struct view *v);
/* Where the ACL has changed: tells what flags may be changed now, and whether the mailbox is
 * still READ-WRITE. False: the client may not read it any more; nothing is told. */
bool view_check_access(struct view *v) MUST_CHECK;

uint32_t view_count(const struct view *v);
uint32_t view_recent(const struct view *v); /* how many */
/* The number of the first one without \Seen, 0: none. */
uint32_t view_first_unseen(const struct view *v);
/* All changes up to it are told, but for expunges. */
uint64_t view_modseq(const struct view *v);

/* seq from 1 to view_count(). */
uint32_t view_uid(const struct view *v, uint32_t seq);
/* NULL: expunged, and not told yet. Until the loop's next turn. */
const struct msg *view_msg(const struct view *v, uint32_t seq);
bool view_is_recent(const struct view *v, uint32_t uid);
/* The number of the first message with this uid or a larger one; view_count() + 1: none. */
uint32_t view_seq_from(const struct view *v, uint32_t uid);

/* set (of UIDs or numbers) to the messages it means, as numbers, ascending; resolves set.
 * What is not there is left out of UIDs. False: a number beyond the last message. */
bool view_resolve(const struct view *v, struct imap_set *set, bool uid, struct arena *a,
                  struct imap_set *seqs_r) MUST_CHECK;

/* The uids of seqs, ascending, of a; what others have expunged is left out, and *missing_r
 * tells that there was such. */
uint32_t *view_uids(const struct view *v, const struct imap_set *seqs, struct arena *a,
                    size_t *count_r, bool *missing_r);

/* The client has just been told flags and, with CONDSTORE, modseq of m, so view_pull() need
 * not. Ascending by uid between two pulls; others are told twice. */
void view_told(struct view *v, const struct msg *m);
/* The client knows that m has these flags now, and modseq only where it is the same (STORE
 * .SILENT). As view_told(). */
void view_knows(struct view *v, const struct msg *m);

/* For FETCH: kept while the mailbox is selected. */
struct fetch_place *view_place(struct view *v);

/* Tells what is new: EXPUNGE only with expunges, EXISTS, RECENT, FETCH. Writes until the link
 * is congested; 0: call again when it has drained, 1: all is told. */
int view_pull(struct view *v, bool expunges);

/* A command that tells about many messages: what is written goes out now and then. True:
 * return, and go on when the pump is called again. */
bool view_must_yield(struct view *v) MUST_CHECK;

/* FLAGS and PERMANENTFLAGS, as they are from now on. */
void view_tell_keywords(struct view *v);
/* The same, when there are keywords that the client has not been told of. */
void view_tell_new_keywords(struct view *v);

/* "FLAGS (\Seen)" with \Recent where it is so. */
void view_add_flags(const struct view *v, const struct msg *m, struct buf *out);

/* ---- walking over the numbers of a resolved set */
struct view_walk {
	struct imap_set seqs;
	size_t range;
	uint32_t next; /* 0: the range has not begun */
};
void view_walk_init(struct view_walk *w, const struct imap_set *seqs);
/* 0: no more. */
uint32_t view_walk_next(struct view_walk *w);

#endif
