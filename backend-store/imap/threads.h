/*
 * threads - messages as trees of answers, for THREAD. RFC 5256 section 3.
 *
 * A pure machine: it is told of each message in the order of the mailbox, works in steps as small
 * as the caller likes, and writes the response in pieces. Time and memory go with the number of
 * messages and references, whatever these say. What is sorted by date the caller sorts.
 */
#ifndef IMAP_THREADS_H
#define IMAP_THREADS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/must.h"
#include "proto/imap_sort.h"

#define THREADS_REFERENCES_MAX 32  /* of one message: the last ones */
#define THREADS_IDS_MAX (4u << 20) /* Message-IDs and references of all messages */

struct threads;

/* Of at most max messages. */
struct threads *threads_new(enum imap_thread algorithm, size_t max);
void threads_free(struct threads **t);

/* For ORDEREDSUBJECT only subjects count. IDs and subjects are hashes under a secret of this process (map_hash()). The next message; its
 * number for threads_order() is the count of those before. id: 0: it has none. subject: of its
 * base, 0: that is empty. answer: or forwarded. False: too many IDs (THREADS_IDS_MAX). */
bool threads_add(struct threads *t, uint32_t told, uint64_t id, uint64_t subject,
                 bool answer) MUST_CHECK;
/* Of the message added last, from the oldest. */
void threads_add_reference(struct threads *t, uint64_t id);

/* The next message by its date; all of them, before the first step. */
void threads_order(struct threads *t, uint32_t number);

/* Works on, for about so many messages; true when it is done. */
bool threads_work(struct threads *t, size_t steps) MUST_CHECK;
/* Then: the next piece of "(1 2)(3)", for about so many messages. True: that was the last one. */
bool threads_write(struct threads *t, size_t steps, struct buf *out) MUST_CHECK;

#endif
