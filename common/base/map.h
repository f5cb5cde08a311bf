/*
 * map - bytes to pointers. Seeded, so that a peer cannot choose collisions.
 *
 * Keys are copied. Values are the caller's. Unordered.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct map;

struct map *map_new(void);
/* Does not touch the values. */
void map_free(struct map **m);
size_t map_count(const struct map *m);
/* NULL when absent. */
void *map_get(const struct map *m, struct slice key);
/* Adds or replaces; returns the value replaced, or NULL. value must not be NULL. */
void *map_set(struct map *m, struct slice key, void *value);
/* Returns the value removed, or NULL. */
void *map_del(struct map *m, struct slice key);
/* Iterate: *pos starts at 0; false at the end. Only map_del of the item just
 * returned is allowed meanwhile. */
bool map_next(const struct map *m, size_t *pos, struct slice *key_r, void **value_r);

/* The keyed hash itself (SipHash-1-3 under a seed of this process). */
uint64_t map_hash(struct slice key);

/* 64-bit ids as keys. The slice borrows *id. */
static inline struct slice
map_key_u64(const uint64_t *id)
{
	return slice_make(id, sizeof(*id));
}

#endif
