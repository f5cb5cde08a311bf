/*
 * lookup - find a name and be sure of a miss: look, and unless it is active, wait for a
 * barrier and look once more (promise 6).
 *
 * The result is never LOCATION_NONE without a barrier that came through: where the barrier
 * is late a miss is LOCATION_BLIND. A name still RESERVED after the barrier is
 * LOCATION_IS_RESERVED ("later").
 */
#ifndef LOCATION_LOOKUP_H
#define LOCATION_LOOKUP_H

#include <stdint.h>

#include "base/slice.h"
#include "location/barrier.h"
#include "location/reader.h"

struct lookup;

/* loc is borrowed for the call; NULL unless FOUND or IS_RESERVED. */
typedef void lookup_fn(void *ctx, enum location_result result, const struct location *loc);

/* Borrows reader and barrier for its life. Those who wait when it is freed hear nothing. */
struct lookup *lookup_new(struct loop *l, struct location_reader *reader, struct barrier *barrier);
void lookup_free(struct lookup **k);

/* Copies name. fn is always called later, from the loop. Returns an id for
 * lookup_cancel(), never 0. */
uint64_t lookup_find(struct lookup *k, struct slice name, lookup_fn *fn, void *ctx);
/* The same with a barrier first, whatever the list says now: for "not here" from a store. When the
 * barrier is late the result is LOCATION_BLIND, or that the name is reserved. */
uint64_t lookup_find_after_barrier(struct lookup *k, struct slice name, lookup_fn *fn, void *ctx);
/* Harmless for ids that are answered or 0. */
void lookup_cancel(struct lookup *k, uint64_t id);

#endif
