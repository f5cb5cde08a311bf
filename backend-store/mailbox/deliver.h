/*
 * deliver - one message to several users of this store: one body, one transaction, the
 * duplicate rule (promise 11).
 */
#ifndef MAILBOX_DELIVER_H
#define MAILBOX_DELIVER_H

#include <stdint.h>

#include "base/slice.h"
#include "mailbox/result.h"
#include "mailbox/store.h"

#define DELIVER_KEY_LEN 32 /* SHA-256 of MAIL FROM and of DATA as received */
#define DELIVER_RCPT_MAX 1000

/* What RCPT needs to know, now: OK, ABSENT (no INBOX here), OVERQUOTA, FULL, UNAVAILABLE (conflict, write
 * error, or claim != 0 and not ours). user is canonical. size 0: unknown. */
enum mbox_result deliver_check(struct store *s, struct slice user, uint64_t claim, uint64_t size);

struct deliver_rcpt {
	struct slice user;   /* canonical */
	struct slice detail; /* as written; "" or a folder name (UTF-8, '/' separates): where it
	                      * exists the mail goes there, else to INBOX */
	uint64_t claim;      /* 0: not told */
};

/* Per recipient: OK (also for a duplicate, once the first copy is on disk), or why not. */
struct deliver_result {
	enum mbox_result result;
	bool duplicate;
	uint32_t uid;           /* 0 when duplicate */
	unsigned quota_percent; /* of what is allowed, used with it; 0: no limit, no copy */
	uint64_t mbox_id;
};
/* Borrowed; same order as rcpts. */
typedef void deliver_fn(void *ctx, const struct deliver_result *results, size_t count);

/* pieces live until the callback; rcpts are copied. Two recipients that are one user and
 * detail give one copy. */
uint64_t deliver(struct store *s, const struct deliver_rcpt *rcpts, size_t count,
                 const uint8_t key[DELIVER_KEY_LEN], const struct slice *pieces, size_t piece_count,
                 int64_t date, deliver_fn *fn, void *ctx);

#endif
