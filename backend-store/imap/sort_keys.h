/*
 * sort_keys - messages and what they are sorted by, a bit at a time. RFC 5256 section 3.
 *
 * The criteria of a message are written one behind the other into one string of bytes, so that
 * strings decide as bytes do: numbers with the high byte first, texts with a NUL behind, and
 * what is to be reversed with all its bits turned over.
 */
#ifndef IMAP_SORT_KEYS_H
#define IMAP_SORT_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/must.h"
#include "base/slice.h"

#define SORT_TEXT_MAX 256 /* bytes of a text that count */

struct sort_item {
	uint64_t head; /* the key's first bytes: most of the time they decide */
	uint32_t at;   /* of the key in bytes, behind its length */
	uint32_t id;   /* the caller's */
};

struct sort_keys {
	struct buf bytes;
	struct sort_item *items, *spare;
	size_t count, max;
	size_t begun; /* in bytes, where the key being written starts */
	/* the merge under way */
	bool sorting;
	size_t width, low, left, right, out;
};

/* Of at most max messages. */
void sort_keys_init(struct sort_keys *k, size_t max);
void sort_keys_fini(struct sort_keys *k);

/* One message: start, its criteria in their order, end. False: there is no room for more keys
 * (256 MB). */
void sort_keys_start(struct sort_keys *k);
void sort_keys_add_number(struct sort_keys *k, int64_t v, bool reverse);
void sort_keys_add_text(struct sort_keys *k, struct slice collated, bool reverse);
bool sort_keys_end(struct sort_keys *k, uint32_t id) MUST_CHECK;

/* Sorts on, `steps` moves at most; true when all is in order. What has the same key stays in the
 * order in which it was added. */
bool sort_keys_sort(struct sort_keys *k, size_t steps) MUST_CHECK;

/* In the order reached. */
static inline uint32_t
sort_keys_id(const struct sort_keys *k, size_t i)
{
	return k->items[i].id;
}
/* Its whole key. */
struct slice sort_keys_key(const struct sort_keys *k, size_t i);

#endif
