/*
 * hash - XXH3-64 checksums, by xxhash. Not for secrets, not against an attacker.
 */
#ifndef HASH_HASH_H
#define HASH_HASH_H

#include <stdint.h>

#include "base/slice.h"

uint64_t hash_of(struct slice s);
/* Of all pieces as if they were one. */
uint64_t hash_of_pieces(const struct slice *pieces, size_t count);

#endif
