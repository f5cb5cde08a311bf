/*
 * floor - bare LMDB doing what a change of the map needs: the tables name, server, ACL and
 * revision log, synced commits; no wire, no rules, nothing else.
 */
#ifndef PERF_MUPDATE_FLOOR_H
#define PERF_MUPDATE_FLOOR_H

#include <stdint.h>

/* In the list that a stopped master left in dir: the names from .. from + count - 1 of total
 * come to it, a commit each `batch`, timed; then lookups by name, timed. On the master's own
 * pages, since where they lie on the disk can matter more than what is compared. Prints one
 * line; the master can go on behind it. */
int floor_run(const char *dir, uint64_t from, uint64_t count, uint64_t batch, uint64_t total);

#endif
