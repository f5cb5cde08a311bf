/*
 * store - one instance's mail: its mailboxes, their names, subscriptions, tombstones.
 *
 * Everything runs on one loop. Reading functions show what is published (on disk);
 * changing functions decide on the latest assigned state, log, and call back when the
 * change is published (or refused). Callbacks come later, never from inside the call,
 * exactly once, in the order of the log for one mailbox; cancel by making ctx NULL-safe
 * through store_cancel() with the id the call returned (0 is never an id).
 *
 * The namespace (name, id, ACL, special-use of every mailbox: about 200 bytes each) lives
 * in memory; messages of a mailbox do while it is open.
 */
#ifndef MAILBOX_STORE_H
#define MAILBOX_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/must.h"
#include "base/slice.h"
#include "engine/engine.h"
#include "mail/acl.h"
#include "mailbox/names.h"
#include "mailbox/result.h"
#include "net/loop.h"

struct store;

/* Of users without limits of their own; mailbox/quota.h says what they mean. */
struct quota_policy {
	uint64_t default_bytes, default_messages; /* 0: no limit */
	unsigned grace_percent; /* of the bytes: so much more a last delivery may take */
};

/* What a user gets with his INBOX. Lists end with NULL, and may be NULL. Names are UTF-8 and as
 * his client knows them ("Archive/2026", "Shared Folders/lists"). */
struct new_user {
	const char *const *folders; /* made, with the levels above, and subscribed: "Sent=\\Sent" */
	const char *const *subscriptions; /* to others too, there or not */
};
/* False: what is wrong, for the operator. */
bool store_check_new_user(const struct new_user *n, const char *default_domain,
                          struct err *err) MUST_CHECK;

struct store_config {
	const char *dir;            /* data directory */
	const char *server;         /* this store's name in the cluster */
	const char *default_domain; /* lower case */
	struct new_user new_user;
	struct loop *loop;
	struct os *os;                /* NULL: os_real */
	bool threads;                 /* false: tests */
	bool manual_index;            /* tests: as engine_config */
	uint64_t floor_bytes;         /* as engine_config; 0: default */
	uint64_t segment_bytes;       /* 0: default */
	uint64_t duplicate_window_ms; /* 0: 7 days */
	struct quota_policy quota;
	uint64_t hot_bytes; /* of mailboxes in memory that nobody has open; 0: 256 MiB */
};

/* Recovers. NULL with the operator's sentence. */
struct store *store_open(const struct store_config *c, struct err *err) MUST_CHECK;
/* What is queued is written first. Open mailboxes must be closed before. */
void store_close(struct store **s);
/* The authority for names; NULL (default): cluster = none. Borrowed. */
void store_set_names(struct store *s, struct names *names);

struct engine *store_engine(struct store *s);
struct loop *store_loop(struct store *s);
struct slice store_default_domain(const struct store *s);

struct store_stats {
	uint64_t hot, hot_bytes; /* mailboxes in memory */
	uint64_t operations;     /* under way */
};
void store_get_stats(const struct store *s, struct store_stats *st_r);

/* The callback of this call will not come; the change goes on. Unknown ids are fine. */
void store_cancel(struct store *s, uint64_t id);

/* ---- the namespace, for reading --------------------------------------------------- */

/* Borrowed until the next turn of the loop. */
struct mbox_info {
	uint64_t id;              /* unique in this store, never used again */
	struct slice name;        /* canonical */
	struct slice acl;         /* as mail/acl.h */
	struct slice special_use; /* "\\Sent" or empty */
	uint32_t uidvalidity;
	uint64_t claim; /* of a user's INBOX */
	bool conflict;  /* another store holds the name too, or a move has it: refuse */
	/* Of a user who is being moved (mailbox/move.h): */
	bool apart;        /* the reconciliation leaves its name alone */
	bool unsettled;    /* and nobody has it until the move goes on */
	bool has_children; /* there is a name below it */
};

/* False: there is none (published). */
bool store_find(struct store *s, struct slice name, struct mbox_info *info_r) MUST_CHECK;
bool store_find_id(struct store *s, uint64_t id, struct mbox_info *info_r) MUST_CHECK;
/* Every name that is prefix or starts with it, in bytewise order; fn false stops. fn must
 * not change the namespace. */
typedef bool store_each_fn(void *ctx, const struct mbox_info *info);
void store_each(struct store *s, struct slice prefix, store_each_fn *fn, void *ctx);
/* Every mailbox of others, or of nobody, whose ACL shows it to who (by his name, his groups or
 * anyone's; negative rights do not count here), in no order, some of them twice. Costs what it
 * finds. fn as above. */
void store_each_granted(struct store *s, const struct acl_who *who, store_each_fn *fn, void *ctx);
uint64_t store_count(const struct store *s);

/* ---- the namespace, changes --------------------------------------------------------- */

typedef void store_done_fn(void *ctx, enum mbox_result result);

/* name canonical and checked by the caller (mail/mbox_name). A mailbox below a user's
 * INBOX needs that INBOX; missing parents in between are not made. ACL: the parent's, for
 * an INBOX the owner's. special_use "" or one RFC 6154 attribute. */
uint64_t store_create(struct store *s, struct slice name, struct slice special_use,
                      store_done_fn *fn, void *ctx);
/* INBOX and struct new_user, at once. OK also when it was there. */
/* Others from now on. */
void store_set_new_user(struct store *s, const struct new_user *n);
uint64_t store_create_user(struct store *s, struct slice user, store_done_fn *fn, void *ctx);
/* Only this mailbox; names below stay (RFC 3501 section 6.3.4). An INBOX only with
 * whole_user, which deletes all of the user's mailboxes and subscriptions. */
uint64_t store_delete(struct store *s, struct slice name, bool whole_user, store_done_fn *fn,
                      void *ctx);
/* With all names below, one log record. INBOX: its messages move to a new mailbox and it
 * stays, empty (RFC 3501 section 6.3.5). */
uint64_t store_rename(struct store *s, struct slice from, struct slice to, store_done_fn *fn,
                      void *ctx);
/* The whole ACL. */
uint64_t store_set_acl(struct store *s, struct slice name, struct slice acl, store_done_fn *fn,
                       void *ctx);
/* One entry of it, as it is when its turn comes. CANNOT: too many entries, or too long. */
struct acl_change {
	enum acl_mode mode;
	struct slice id; /* as acl_id_canonical() */
	uint32_t rights; /* none left: the entry goes */
};
uint64_t store_change_acl(struct store *s, struct slice name, const struct acl_change *change,
                          store_done_fn *fn, void *ctx);

/* ---- subscriptions: names, existing or not ------------------------------------------- */

uint64_t store_subscribe(struct store *s, struct slice user, struct slice name, bool on,
                         store_done_fn *fn, void *ctx);
typedef bool store_sub_fn(void *ctx, struct slice name);
/* In bytewise order. */
void store_each_subscription(struct store *s, struct slice user, store_sub_fn *fn, void *ctx);
bool store_is_subscribed(struct store *s, struct slice user, struct slice name);

/* ---- for the cluster module ------------------------------------------------------------ */

/* Names deleted or renamed away here, until the master has confirmed it. */
void store_each_tombstone(struct store *s, store_sub_fn *fn, void *ctx);
uint64_t store_clear_tombstone(struct store *s, struct slice name, store_done_fn *fn, void *ctx);
/* Is a CREATE or RENAME to this name on its way (so that its reservation is ours)? */
bool store_is_pending(struct store *s, struct slice name);
/* In memory only; reconciliation finds it again after a restart. */
void store_set_conflict(struct store *s, struct slice name, bool conflict);
uint64_t store_set_claim(struct store *s, struct slice inbox, uint64_t claim, store_done_fn *fn,
                         void *ctx);

#endif
