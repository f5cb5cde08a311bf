/*
 * transfer_impl - what the files of transfer/ share. Not for others.
 *
 *   wire.c      frames
 *   peer.c      a connection to another store, with login, both sides
 *   out.c       a move away, step after step
 *   in.c        a move to here
 *   service.c   the moves there are; settings; what the administrator asks
 */
#ifndef TRANSFER_TRANSFER_IMPL_H
#define TRANSFER_TRANSFER_IMPL_H

#include "base/arena.h"
#include "base/err.h"
#include "base/list.h"
#include "mail/mbox_name.h"
#include "transfer/transfer.h"
#include "transfer/wire.h"

#define AGAIN_MS 1000    /* the master, or the other store, is asked again */
#define ANSWER_MS 120000 /* a store that says nothing for so long is gone */

/* ---- peer.c ------------------------------------------------------------------------------ */

struct peer;
struct peer_ops {
	/* Logged in: the conversation begins. */
	void (*ready)(void *ctx);
	void (*frame)(void *ctx, const struct wire_frame *f);
	/* There is room for more again. */
	void (*drained)(void *ctx);
	/* Nothing more will come; the owner forgets it (no peer_end()). */
	void (*lost)(void *ctx, const char *why);
};

/* The section of a store that can be dialled. NULL with the text: it is not there, or has no
 * address. */
const struct conf *peer_find(const struct transfer *t, struct slice store,
                             struct err *err) MUST_CHECK;
/* To a store of the settings. NULL as peer_find(). */
struct peer *peer_dial(struct transfer *t, struct slice store, const struct peer_ops *ops,
                       void *ctx, struct err *err) MUST_CHECK;
/* From a store. Takes *c; the first frame decides who owns it. */
void peer_accept(struct transfer *t, struct conn **c);
void peer_set_owner(struct peer *p, const struct peer_ops *ops, void *ctx);
/* Who is it? */
struct slice peer_name(const struct peer *p);
void peer_send(struct peer *p, const struct wire_frame *f);
void peer_refuse(struct peer *p, const char *text);
bool peer_is_congested(const struct peer *p);
void peer_pause(struct peer *p);
void peer_resume(struct peer *p);
void peer_end_all(struct transfer *t);
/* What was sent still goes out; no callback comes any more. */
void peer_end(struct peer **p);

/* ---- moves --------------------------------------------------------------------------------- */

/* What out and in have in common. */
struct move {
	struct list link; /* transfer.outs or ins */
	struct transfer *t;
	struct mbox_user user;
	char peer_name[256];
	uint64_t id;
	struct err why;
	const char *step;               /* for the administrator */
	uint64_t started_ms, closed_ms; /* clock_mono_ms(); 0: not yet */
	uint64_t messages, messages_done, bytes, bytes_done;
	uint64_t op;        /* of the store, under way */
	struct timer timer; /* tries again */
	struct arena *arena;
	struct names_entry *names; /* all of the user's, INBOX first */
	size_t name_count;
};

struct transfer {
	struct transfer_config c;
	struct list peers; /* struct peer.link */
	struct list outs, ins;
	struct list ended; /* struct ended, newest last */
	size_t ended_count;
};

void move_init(struct move *m, struct transfer *t, const struct move_record *r, loop_fn *again);
/* It has come to its end: what is told of it, and the log line. */
void move_tell_end(struct move *m, bool out, bool moved);
void move_fini(struct move *m);
/* Fills names from the store. */
void move_collect_names(struct move *m);
struct slice move_inbox(const struct move *m);

/* out.c */
bool out_start(struct transfer *t, const struct move_record *r, struct err *err) MUST_CHECK;
/* From the journal. */
void out_recover(struct transfer *t, const struct move_record *r);
/* False: too late. */
bool out_undo(struct move *m);
void out_free(struct move *m);

/* in.c */
/* A BEGIN or CONFIRM that has come on p. */
void in_begin(struct peer *p, struct transfer *t, const struct wire_frame *f);
void in_confirm(struct peer *p, struct transfer *t, const struct wire_frame *f);
void in_recover(struct transfer *t, const struct move_record *r);
void in_free(struct move *m);

#endif
