/*
 * world - a store in a directory of its own on the fake loop, calls that wait for their
 * answer, and its whole state as a text.
 */
#ifndef UNIT_BACKEND_STORE_MAILBOX_WORLD_H
#define UNIT_BACKEND_STORE_MAILBOX_WORLD_H

#include "base/buf.h"
#include "mailbox/deliver.h"
#include "mailbox/mailbox.h"
#include "mailbox/quota.h"
#include "mailbox/store.h"
#include "net/loop.h"

/* How the store is run: every test should hold in each. */
enum world_mode {
	WORLD_PLAIN,     /* indexed soon */
	WORLD_UNINDEXED, /* nothing is indexed until it is opened again */
	WORLD_COLD,      /* what nobody has open leaves the memory at once */
	WORLD_MODES,
};

struct world {
	struct loop *loop;
	struct store *store;
	char dir[300];
	enum world_mode mode;
	struct names *names; /* given to the store after each opening */
	struct os *os;       /* its disk; NULL: the real one */
	uint64_t duplicate_window_ms;
	uint64_t segment_bytes; /* 0: 1 MiB, on a disk of its own 64 KiB */
	struct quota_policy quota;
};

void world_open(struct world *w, enum world_mode mode);
/* On this disk. */
void world_open_on(struct world *w, enum world_mode mode, struct os *os);
/* After store_close(): false when the store cannot be opened, *err says why. */
bool world_try_open(struct world *w, struct err *err);
void world_close(struct world *w);
void world_reopen(struct world *w);
/* Closes, opens, and checks that the state is the same. what: for the message. */
void world_check_reopen(struct world *w, const char *what);
/* Everything the store knows, one thing a line. */
void world_dump(struct world *w, struct buf *out);
/* Same, as a string from out, for comparing parts. */
void world_dump_mailbox(struct world *w, const char *name, struct buf *out);

/* Compacts all that can be; how many files went. */
uint64_t world_compact(struct world *w);
/* Closes, throws the index away, and opens: the new index is the old one. */
void world_check_rebuild(struct world *w, const char *what);

/* ---- calls that wait */
enum mbox_result world_create(struct world *w, const char *name);
enum mbox_result world_create_use(struct world *w, const char *name, const char *special_use);
enum mbox_result world_create_user(struct world *w, const char *user);
enum mbox_result world_delete(struct world *w, const char *name, bool whole_user);
enum mbox_result world_rename(struct world *w, const char *from, const char *to);
enum mbox_result world_set_acl(struct world *w, const char *name, const char *acl);
enum mbox_result world_set_claim(struct world *w, const char *name, uint64_t claim);
/* -1: no limit; both -2: none of its own. */
enum mbox_result world_set_quota(struct world *w, const char *root, int64_t bytes,
                                 int64_t messages);
/* With nothing under way: every sum is what is there, at the tip and as published, and
 * every mailbox has the nearest root. Loads all mailboxes. After a failed write
 * there is no tip. */
void world_check_quotas(struct world *w);
enum mbox_result world_subscribe(struct world *w, const char *user, const char *name, bool on);
/* NULL: *r_r says why (may be NULL). */
struct mailbox *world_get(struct world *w, const char *name, enum mbox_result *r_r);
struct mailbox *world_must_get(struct world *w, const char *name);
enum mbox_result world_status(struct world *w, const char *name, struct mailbox_status *s_r);
/* Returns the UID, 0 on failure. keywords: separated by spaces, may be NULL. */
uint32_t world_append(struct world *w, const char *name, const char *body, uint8_t flags,
                      const char *keywords);
/* uids: "1 2 3"; NULL: every one (expunge only). */
enum mbox_result world_flags(struct world *w, const char *name, const char *uids, enum flag_op op,
                             uint8_t flags, const char *keywords);
enum mbox_result world_flags_since(struct world *w, const char *name, const char *uids,
                                   uint64_t unchanged_since, uint8_t add, struct buf *modified);
enum mbox_result world_expunge(struct world *w, const char *name, const char *uids,
                               bool deleted_only);
/* "1:5 2:6" source and new UIDs into pairs (may be NULL). */
enum mbox_result world_copy(struct world *w, const char *from, const char *uids, const char *to,
                            bool move, struct buf *pairs);
/* One recipient, "user" or "user+detail". */
struct deliver_result world_deliver(struct world *w, const char *rcpt, const char *body, int key);
/* Messages, for short: "1 2! 3" (! = \Deleted). */
void world_uids(struct world *w, const char *name, struct buf *out);

size_t world_parse_uids(const char *text, uint32_t *uids, size_t room);
#define world_eq(what, got, want) test_eq_str(what, buf_cstr(got), want)

#endif
