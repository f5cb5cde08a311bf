/*
 * store_impl - what the files of the mailbox layer share. Not for others.
 *
 *   store.c      opening, closing, the namespace for reading
 *   tree.c       all names in order
 *   grants.c     who has been given what
 *   op.c         an operation from its call to its callback; transactions
 *   hot.c        mailboxes in memory: loading, the tip, publishing, eviction
 *   mailbox.c    what sessions read; watches
 *   append.c flags.c expunge.c deliver.c      changes of messages
 *   space.c create.c new_user.c delete.c rename.c acl.c         changes of the namespace
 *   quota.c quota_set.c                              quota roots and what is used
 *   subscribe.c duplicates.c tombstones.c            the rest
 *   moving.c move_read.c move_write.c                moves of users (move.h)
 *   facts.c index.c apply.c snapshot.c               what is on disk
 *
 * Decide on the tip, show the published. Each mailbox has its table as published, and the
 * list of its changes that are in the log and not published yet (struct change, absolute
 * values, in log order). The tip of a message is its newest change, else the table.
 * Publishing applies a change to the table. When a write fails nothing is published any
 * more, and no later commit is taken: the tip needs no undoing.
 *
 * What was published and is not in the index yet stays in memory: a mailbox until its
 * last_lsn is indexed, subscriptions and duplicate keys in small overlays.
 */
#ifndef MAILBOX_STORE_IMPL_H
#define MAILBOX_STORE_IMPL_H

#include "base/buf.h"
#include "base/list.h"
#include "base/map.h"
#include "mail/mbox_name.h"
#include "mailbox/deliver.h"
#include "mailbox/facts.h"
#include "mailbox/index.h"
#include "mailbox/mailbox.h"
#include "mailbox/quota.h"
#include "mailbox/store.h"

/* ---- the namespace ------------------------------------------------------------------ */

/* What counts against a quota. */
struct usage {
	uint64_t bytes, messages;
};

/* A quota root: the limits of one mailbox and the sums of those it covers. */
struct quota_root {
	struct entry *entry;
	bool own; /* limits are set; else the default ones are in force */
	struct quota_limits limits;
	struct usage tip, shown;
	bool full; /* counted in store.full_roots */
	struct list holds;
};

/* What a change of the namespace will bring under a root, counted at its tip until then. */
struct quota_hold {
	struct list link; /* quota_root.holds; not linked: nothing is held */
	struct quota_root *root;
	struct usage usage;
};

/* A mailbox as its name, in memory for its whole life. Texts are owned. */
struct entry {
	uint64_t id;
	struct slice name, acl, special_use;
	uint32_t uidvalidity;
	uint64_t claim;
	bool conflict; /* another store holds the name */
	bool closed;   /* its user is being moved */
	bool dying;    /* its DELETE is in the log, not published */
	bool gone;     /* deleted; kept only for a mailbox that is still open */
	uint64_t acl_serial;
	struct grant *grants; /* grants.c */
	size_t grant_count;
	struct mailbox *hot;
	struct usage tip, shown;  /* all messages: with the log, and as published */
	struct quota_root *quota; /* owned; NULL: it is no quota root */
	struct quota_root *root;  /* that covers it; NULL: none, or not in the tree */
};

/* Refuses with UNAVAILABLE. */
static inline bool
entry_refuses(const struct entry *e)
{
	return e->conflict || e->closed;
}

struct tree {
	struct entry **sorted; /* by name, bytewise */
	size_t count, cap;
};

void tree_fini(struct tree *t); /* entries too */
/* For loading: any order, then tree_sort(). */
void tree_push(struct tree *t, struct entry *e);
void tree_sort(struct tree *t);
void tree_add(struct tree *t, struct entry *e);
void tree_remove(struct tree *t, struct entry *e);
/* Each entry gets its new name; names are taken. */
void tree_rename(struct tree *t, struct entry **entries, struct slice *names, size_t count);
struct entry *tree_find(const struct tree *t, struct slice name);
/* Position of the first name >= name. */
size_t tree_position(const struct tree *t, struct slice name);
bool tree_has_children(const struct tree *t, struct slice name);
/* How many names are below it. */
size_t tree_count_below(const struct tree *t, struct slice name);

struct entry *entry_new(uint64_t id, struct slice name, struct slice acl, struct slice special_use);
void entry_free(struct entry **e);
void entry_set(struct slice *field, struct slice value); /* copies, frees the old */

/* ---- the store ------------------------------------------------------------------------ */

struct overlay;

struct store {
	struct store_config config;
	char *default_domain;
	char **new_folders, **new_subscriptions; /* struct new_user; NULL at the end */
	struct engine *engine;
	struct loop *loop;
	struct names *names;

	struct tree tree;
	struct map *by_id;    /* id -> struct entry */
	struct map *tombs;    /* name -> the store itself */
	struct map *grantees; /* identifier -> struct grantee */
	struct map *moving;   /* user -> struct moving */
	uint32_t uidvalidity; /* the highest ever given, tip */

	uint64_t next_op;
	struct map *ops_by_id;
	struct list ops;             /* struct op.link */
	struct list waiters;         /* struct op.wait: for something to be published */
	struct list index_waiters;   /* the same: for the index to have it */
	uint64_t published, indexed; /* LSNs */
	bool failed;                 /* the log cannot be written until a restart */

	struct list locks;        /* struct space_op.lock: names being changed */
	struct list lock_waiters; /* struct space_op.lock: waiting for such */
	size_t lock_waiter_count;
	bool locks_deferred;

	uint64_t full_roots; /* quota roots where nothing more fits */

	struct list idle; /* struct mailbox.idle: nobody has it open; least recent first */
	uint64_t hot_bytes;
	size_t hot_count;
	struct list told; /* struct mailbox.told: watches to be called */
	bool tell_deferred;

	struct overlay *subs, *dups;
};

/* Borrowed from the entry. */
void store_fill_info(const struct store *s, const struct entry *e, struct mbox_info *info_r);

/* The entry has a new name or ACL, or is new: those to whom its ACL shows it find it. */
void grants_set(struct store *s, struct entry *e);
void grants_clear(struct store *s, struct entry *e);
/* Before the entries go. */
void grants_fini(struct store *s);

/* ---- operations ------------------------------------------------------------------------- */

struct op;
/* Ends o: calls the user (unless cancelled) and frees it, or goes on with its next step. */
typedef void op_done_fn(struct op *o, enum mbox_result result);

enum change_kind { CHANGE_APPEND, CHANGE_FLAGS, CHANGE_EXPUNGE, CHANGE_KEYWORDS };
/* One change of one mailbox, logged and not published yet. Holds a reference of m. */
struct change {
	struct list link; /* mailbox.appended or .changed; before the commit in nobody's list */
	struct list own;  /* op.changes */
	struct mailbox *m;
	enum change_kind kind;
	uint64_t modseq;     /* the highest */
	struct msg *msgs;    /* ascending by uid; EXPUNGE: as they were */
	uint32_t count, cap; /* of msgs; KEYWORDS: how many there are from now on */
};

/* A mailbox of the transaction being built, and how it was before. */
struct touched {
	struct mailbox *m;
	uint32_t uidnext;
	uint64_t modseq;
	unsigned keyword_count;
};

struct op {
	struct list link; /* store.ops */
	struct list wait; /* store.waiters */
	uint64_t id;
	struct store *store;
	op_done_fn *done;
	void (*destroy)(struct op *o); /* what the kind owns; may be NULL */
	bool cancelled, deferred;
	enum mbox_result result; /* while it waits */
	uint64_t wait_lsn;

	/* the transaction, from op_begin() to its publishing */
	struct engine_tx *tx;
	uint64_t last_lsn;
	struct list changes; /* struct change.own */
	struct touched *touched;
	size_t touched_count;
};

/* size: of the kind's struct, which begins with struct op. */
void *op_new(struct store *s, size_t size, op_done_fn *done, void (*destroy)(struct op *o));
void op_free(struct op *o);
/* done(o, result) in a later turn. */
void op_defer(struct op *o, enum mbox_result result);
/* done(o, result) once everything up to lsn is published; UNAVAILABLE when that fails. */
void op_wait(struct op *o, uint64_t lsn, enum mbox_result result);

/* done(o, result) once everything up to lsn (published) is in the index. */
void op_wait_indexed(struct op *o, uint64_t lsn, enum mbox_result result);
void op_wake_indexed(struct store *s);

/* One transaction at a time, begun and committed in one go. */
void op_begin(struct op *o, unsigned engine_flags);
uint64_t op_fact(struct op *o, uint64_t object, enum fact_kind kind, struct buf *payload);
/* m is part of the transaction: its counters may advance. */
void op_touch(struct op *o, struct mailbox *m);
/* A change of m; msgs with room for count. Valid until published. */
struct change *op_change(struct op *o, struct mailbox *m, enum change_kind kind, uint32_t count);
/* One more message behind those that the transaction has appended to m just before. */
void op_append(struct op *o, struct mailbox *m, const struct msg *msg);
/* OK: done() is called when it is published or has failed. Else nothing has happened, and
 * done() will not be called. */
enum mbox_result op_commit(struct op *o) MUST_CHECK;
void op_abort(struct op *o);
/* op_commit(), and what is refused is deferred. */
void op_commit_or_defer(struct op *o);

enum mbox_result op_result_of(enum engine_err err);

/* ---- mailboxes in memory ------------------------------------------------------------------ */

struct vanished {
	uint64_t modseq;
	uint32_t uid;
};

enum { TELL_CHANGED = 1, TELL_GONE = 2, TELL_RENAMED = 4 };

struct mailbox {
	struct store *store;
	struct entry *entry;
	unsigned refs;
	struct list idle;
	uint64_t charged; /* bytes counted in store.hot_bytes */

	/* published. Until loaded, msgs has only what came since it became hot: every uid
	 * from base_uid on; the rest is in the index. */
	bool loaded;
	uint32_t base_uid;
	struct msg *msgs;
	uint32_t count, cap;
	uint32_t uidnext, recent;
	uint64_t modseq;
	uint32_t unseen, deleted; /* messages and bytes: entry.shown */
	unsigned keyword_count;
	struct vanished *vanished; /* those not in the index, perhaps more */
	size_t vanished_count, vanished_cap;
	uint64_t vanished_lsn; /* of the newest */

	/* tip */
	uint32_t tip_uidnext;
	uint64_t tip_modseq;
	unsigned tip_keyword_count;
	char *keywords[MAILBOX_KEYWORDS_MAX];
	struct list appended; /* struct change, APPEND, in log order */
	struct list changed;  /* the others; apart, since many may wait to be appended */
	uint64_t last_lsn;    /* of its last fact; until that is indexed it stays hot */

	struct list watches;
	struct list told;
	unsigned tell; /* TELL_* */
};

/* A reference to the mailbox in memory; with table its messages too. NULL: *r says why. */
struct mailbox *hot_get(struct store *s, struct entry *e, bool table, enum mbox_result *r);
/* Of a mailbox that is being made: nothing to be loaded. */
struct mailbox *hot_new_empty(struct store *s, struct entry *e);
void hot_ref(struct mailbox *m);
void hot_unref(struct mailbox **m);
/* Its entry is gone, or the store ends. */
void hot_free(struct mailbox *m);
/* Frees idle ones above the budget. */
void hot_evict(struct store *s);
/* May it be changed? OK, ABSENT, BUSY, UNAVAILABLE. */
enum mbox_result hot_check(const struct mailbox *m);
/* The message at the tip. False: not there. */
bool hot_find_tip(const struct mailbox *m, uint32_t uid, struct msg *msg_r);
/* Bit of a keyword at the tip; with o it is made (in o's transaction) when it is not there.
 * -1: not there, or no room. */
int hot_keyword(struct op *o, struct mailbox *m, struct slice name);
void hot_publish(struct change *c, uint64_t lsn);
/* Watches of m are called in a later turn. */
void hot_tell(struct mailbox *m, unsigned what);
/* Index rows could not be read: the text goes to the log. */
enum mbox_result hot_read_failed(struct store *s, const char *what, uint64_t mbox_id);

/* Flags by name to bits at the tip; MBOX_CANNOT: too many keywords, INVALID: a bad one. */
enum mbox_result flags_resolve(struct op *o, struct mailbox *m, const struct msg_flags *f,
                               uint8_t *system_r, uint64_t *keywords_r);

/* A body into the transaction, its sizes into *msg. 0: too big. */
uint64_t append_body(struct op *o, const struct slice *pieces, size_t count, struct msg *msg);
/* A message into m: fact and change. msg without uid and modseq; those are set. */
void append_msg(struct op *o, struct mailbox *m, struct msg *msg);

/* Those of uids that are there, as new messages of to; returns how many. The arrays have
 * room for count. */
size_t copy_msgs(struct op *o, struct mailbox *from, const uint32_t *uids, size_t count,
                 struct mailbox *to, const struct copy_how *how, uint32_t *new_uids,
                 uint32_t *source_uids);

/* Expunge facts and change for uids (ascending). Returns the modseq. */
uint64_t expunge_msgs(struct op *o, struct mailbox *m, const uint32_t *uids, uint32_t count);

/* ---- changes of the namespace ------------------------------------------------------------- */

/* A name that is being changed: nobody else may change it or (tree) a name below it. */
struct space_lock {
	struct slice name; /* of the op's arena */
	bool tree;
	bool target; /* it is being made: its reservation at the master is ours */
};

struct space_sub {
	struct space_sub *next;
	struct slice name;
};

struct space_op;
typedef void space_fn(struct space_op *so);

/* lock, check, reserve, log, publish, activate, release: each kind takes its steps. */
struct space_op {
	struct op op;
	struct arena *arena;
	struct list lock;
	struct space_lock locks[2];
	unsigned lock_count;
	space_fn *start; /* with the lock held */
	space_fn *next;  /* behind the step under way */
	space_fn *show;  /* when the transaction is published */
	enum mbox_result result;
	store_done_fn *fn;
	void *ctx;

	/* what is made and what goes; of the arena */
	struct names_entry *made;
	struct entry **made_entries; /* once logged */
	size_t made_count;
	struct entry **going; /* DELETE: what goes; RENAME: what gets the names of made */
	struct slice *going_names;
	size_t going_count;
	struct quota_hold hold;   /* RENAME: what comes under another root */
	struct slice user;        /* subscribed to what is made; or whose subscriptions go */
	struct space_sub *subs;   /* those that go; of a new user, that come */
	struct slice special_use; /* CREATE */
	struct acl_change acl;    /* ACL */
	bool acl_whole;           /* ... its text is acl.id, and replaces all */
	struct move_record *move; /* MOVE: of the arena */
};

struct space_op *space_new(struct store *s, store_done_fn *fn, void *ctx);
void space_add_lock(struct space_op *so, struct slice name, bool tree, bool target);
/* start() once no other change is in the way; at once or later. */
void space_start(struct space_op *so, space_fn *start);
/* The callback in a later turn; gives the lock back. */
void space_end(struct space_op *so, enum mbox_result result);
/* Steps. With no master they go on at once. */
void space_reserve(struct space_op *so, space_fn *next);
void space_commit(struct space_op *so, space_fn *show);
void space_activate(struct space_op *so, space_fn *next);
void space_release(struct space_op *so, space_fn *next);
/* All subscriptions of so->user end: in its transaction, and when that is published. */
void space_unsubscribe_all(struct space_op *so);
void space_show_unsubscribed(struct space_op *so);

/* Is the name free, possible, and within the limits? For CREATE and RENAME. */
enum mbox_result space_check_new(struct store *s, struct slice name, size_t more);
/* Nothing was logged: what was reserved goes back, and the op ends. */
void space_refuse(struct space_op *so, enum mbox_result result);
/* Can the master be asked now? */
bool space_master_is_there(const struct space_op *so);
/* going: the mailbox `top`, with tree those below it too. */
void space_collect(struct space_op *so, struct slice top, bool tree);

/* Room for count in made, then each of them with a new UIDVALIDITY. */
void create_room(struct space_op *so, size_t count);
void create_add(struct space_op *so, struct slice name, struct slice acl, struct slice special_use);
/* The fact of so->made[i]. The mailbox may be changed in the same transaction; borrowed. */
struct mailbox *create_fact(struct space_op *so, size_t i);
/* The ACL of a new mailbox: its parent's, of an INBOX its owner's. */
void create_acl(struct store *s, struct slice name, struct buf *out);
bool create_use_is_valid(struct slice special_use);
/* All of made, and the subscriptions of a new user: so->subs too. */
void create_log(struct space_op *so);
/* Shows all that is made. */
void create_show(struct space_op *so);
void new_user_fini(struct store *s);
void delete_show_entry(struct store *s, struct entry *e);

/* ---- quota ---------------------------------------------------------------------------------- */

/* After the namespace is loaded. */
void quota_load(struct store *s, struct kv_txn *txn);
/* The nearest root of a name, NULL: none. */
struct quota_root *quota_root_of(const struct store *s, struct slice name);
/* An entry of the tree that is new there, or has another name. */
void quota_attach(struct store *s, struct entry *e);
/* It is gone from the tree; e->gone is set. */
void quota_detach(struct store *s, struct entry *e);
/* Limits as published. */
void quota_take_limits(struct store *s, struct entry *e, bool own, struct quota_limits limits);

/* A message is added to a transaction, or goes by it, or that is taken back. */
void quota_add_tip(struct entry *e, const struct msg *m);
void quota_take_tip(struct entry *e, const struct msg *m);
/* It is published. */
void quota_show(struct store *s, struct entry *e, const struct msg *m, bool gone);

/* Does more fit at the tip? q may be NULL. */
bool quota_fits(const struct store *s, const struct quota_root *q, struct usage more);
/* One message; with the grace. bytes 0: unknown. */
bool quota_fits_delivery(const struct store *s, const struct quota_root *q, uint64_t bytes);
/* For transactions: the tip of e's root before, and whether what was added since is too much. */
struct quota_mark {
	struct quota_root *root;
	struct usage was;
};
struct quota_mark quota_mark(const struct entry *e);
bool quota_mark_is_over(const struct store *s, const struct quota_mark *m);

/* h not linked; q NULL: nothing is held. */
void quota_hold(struct quota_hold *h, struct quota_root *q, struct usage u);
void quota_release(struct quota_hold *h);

/* ---- overlays ------------------------------------------------------------------------------- */

/* What the log says about keys and the index does not yet, the newest for each key. */
struct overlay_item {
	struct list link; /* overlay.items, by lsn */
	struct slice key; /* owned */
	uint64_t lsn;     /* above store.published: not to be shown yet */
	bool on;          /* put; else deleted */
	int64_t value;
};

struct overlay *overlay_new(void);
void overlay_free(struct overlay **o);
/* lsn: not below those of earlier calls. */
void overlay_set(struct overlay *o, struct slice key, uint64_t lsn, bool on, int64_t value);
const struct overlay_item *overlay_get(const struct overlay *o, struct slice key);
/* Forgets what is indexed. */
void overlay_prune(struct overlay *o, uint64_t indexed_lsn);
/* Those with the prefix, in order of their keys; the array is the caller's (free). */
const struct overlay_item **overlay_list(const struct overlay *o, struct slice prefix,
                                         size_t *count_r);

/* Keys from before this time count no more. */
int64_t duplicates_begin(const struct store *s);
/* Has this delivery's key been seen within the window? *lsn_r: to be waited for. */
bool duplicates_find(struct store *s, const uint8_t key[FACT_KEY_LEN], uint64_t *lsn_r,
                     enum mbox_result *r) MUST_CHECK;
/* Into the transaction; duplicates_note() once it is committed. */
void duplicates_add(struct op *o, const uint8_t key[FACT_KEY_LEN], struct slice user);
void duplicates_note(struct store *s, const uint8_t key[FACT_KEY_LEN], uint64_t lsn);

/* A user who is being moved, in memory. Texts of r are owned. */
struct moving {
	struct move_record r;
	bool leaving;
};
/* NULL: he is not. */
struct moving *moving_find(const struct store *s, struct slice user);
/* Of the user who has this name. */
struct moving *moving_of_name(const struct store *s, struct slice name);
/* apart and unsettled of a closed mailbox. */
void moving_fill_info(const struct store *s, struct mbox_info *info);
void moving_load(struct store *s, struct kv_txn *txn);
void moving_close_entries(struct store *s);
void moving_free(struct store *s);

void tombstone_set(struct store *s, struct slice name);
void tombstone_forget(struct store *s, struct slice name);
/* The master knows: logged, and forgotten when published. Nobody waits for it. */
void tombstone_release(struct store *s, struct slice name);

/* Shows a subscription that was logged with lsn. */
void subscription_show(struct store *s, struct slice user, struct slice name, uint64_t lsn,
                       bool on);

#endif
