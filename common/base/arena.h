/*
 * arena - memory that goes together: what belongs to one command or one message.
 *
 * Allocations do not fail and are not freed singly. The caller bounds sizes that a
 * peer chose.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

#include "base/must.h"
#include "base/slice.h"

struct arena;

/* name is a literal, for the memory report. */
struct arena *arena_new(const char *name);
/* Frees everything from it; accepts NULL, leaves NULL. */
void arena_free(struct arena **a);
/* Frees everything from it and keeps the first chunk. */
void arena_reset(struct arena *a);
/* Bytes taken from malloc. */
size_t arena_get_bytes(const struct arena *a);

/* Aligned for any type, zeroed. */
void *arena_alloc(struct arena *a, size_t size) __attribute__((returns_nonnull));
void *arena_array(struct arena *a, size_t count, size_t size) __attribute__((returns_nonnull));
char *arena_strdup(struct arena *a, const char *s);
/* A NUL-terminated copy. */
char *arena_slice_str(struct arena *a, struct slice s);
struct slice arena_slice_dup(struct arena *a, struct slice s);
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
