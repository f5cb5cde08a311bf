/*
 * relay - a wire that breaks after so many bytes, counted in both directions: what a
 * connection lost at any moment does to the two sides.
 */
#ifndef SCENARIO_NAMES_RELAY_H
#define SCENARIO_NAMES_RELAY_H

#include <stdbool.h>
#include <stdint.h>

#include "net/loop.h"

struct relay;

/* Dials to `at` are led on to `to`, one at a time. */
struct relay *relay_new(struct loop *l, const char *at, const char *to);
void relay_free(struct relay **r);
/* The connection breaks when n more bytes have gone through; UINT64_MAX: never. */
void relay_break_after(struct relay *r, uint64_t n);
bool relay_has_broken(const struct relay *r);
/* What one side said at once goes to the other twice: the piece of this number, counted from 1
 * in both directions; 0: none. */
void relay_say_twice(struct relay *r, unsigned piece);
bool relay_has_said_twice(const struct relay *r);

#endif
