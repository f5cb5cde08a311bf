/*
 * cache - entries of the directory that were read lately, for a server that takes time to ask
 * or is away. Bounded: what was not wanted for longest goes first.
 */
#ifndef DIRECTORY_CACHE_H
#define DIRECTORY_CACHE_H

#include "directory/entry.h"

struct cache;

struct cache *cache_new(size_t entries_max);
void cache_free(struct cache **c);

/* NULL: not here. Else borrowed until the next call; *age_ms_r: since it was read. */
struct entry *cache_get(struct cache *c, const struct dir_name *n, uint64_t *age_ms_r);
/* Replaces what was there; takes a reference of its own. */
void cache_put(struct cache *c, const struct dir_name *n, struct entry *e);

#endif
