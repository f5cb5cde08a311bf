/*
 * seen - what a next hop has taken lately, so that a sender who did not hear our answer and comes
 * again makes no second copy (promise 11, as far as memory goes). The oldest is
 * forgotten when there is no room.
 */
#ifndef DELIVER_SEEN_H
#define DELIVER_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

#define SEEN_WINDOW_MS (7 * 86400000ULL)

struct seen;
/* max 0: nothing is remembered. */
struct seen *seen_new(size_t max);
void seen_free(struct seen **s);
/* key: of the message and its sender; address: of the recipient. */
void seen_add(struct seen *s, struct slice key, struct slice address);
bool seen_has(const struct seen *s, struct slice key, struct slice address);

#endif
