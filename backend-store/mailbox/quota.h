/*
 * quota - how much may lie in a tree of mailboxes: quota roots, their limits, what is used.
 *
 * A root is a mailbox with limits; it covers itself and all below it that no nearer root
 * covers. Every user's INBOX is one, with limits of its own or the default ones; it covers
 * all of his mailboxes, and none of them can be another root. A shared mailbox is one while
 * it has limits. The limits belong to the mailbox: they go with it when it is renamed, and
 * end with it.
 *
 * Decided on the tip, shown as published: what is on its way to the disk counts already when
 * more is to be added, and is told when it is there. What is used is kept as running sums,
 * never counted; it is RFC822.SIZE of every message, also of copies that share a body.
 */
#ifndef MAILBOX_QUOTA_H
#define MAILBOX_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/must.h"
#include "base/slice.h"
#include "mailbox/result.h"
#include "mailbox/store.h"

/* Of a root; 0 is a limit: nothing fits. */
struct quota_limits {
	uint64_t bytes, messages; /* QUOTA_NONE: any number */
};
#define QUOTA_NONE UINT64_MAX
#define QUOTA_BYTES_MOST ((uint64_t)1 << 60) /* of a limit */

struct quota_info {
	struct slice root; /* name of the mailbox; borrowed until the next turn of the loop */
	struct quota_limits limits; /* in force */
	bool own;                   /* set for this root; else the default ones */
	uint64_t bytes, messages;   /* used */
};

/* The root that covers a name, which need not exist. False: there is none. */
bool quota_find(struct store *s, struct slice name, struct quota_info *q_r) MUST_CHECK;
/* Is there a limit at all? */
bool quota_is_limited(const struct quota_info *q);
/* How much of what is allowed is used, of that resource of which it is most; 0 without a
 * limit, at most 9999. */
unsigned quota_percent(const struct quota_info *q);

/* Roots whose name begins with prefix, in bytewise order; fn false stops. */
typedef bool quota_each_fn(void *ctx, const struct quota_info *q);
void quota_each(struct store *s, struct slice prefix, quota_each_fn *fn, void *ctx);
/* Roots where not one more message fits. */
uint64_t quota_count_full(const struct store *s);

/* Limits of its own for a mailbox, which becomes a root by them; NULL, and for shared ones
 * without any limit: none of its own. CANNOT: below a user's INBOX. */
uint64_t quota_set(struct store *s, struct slice root, const struct quota_limits *limits,
                   store_done_fn *fn, void *ctx);

/* Would it fit in there now? OK or OVERQUOTA; a name without a root takes everything. */
enum mbox_result quota_check(struct store *s, struct slice name, uint64_t bytes,
                             uint64_t messages) MUST_CHECK;

/* Other defaults from now on (store_config.quota). */
void quota_set_policy(struct store *s, const struct quota_policy *p);

#endif
