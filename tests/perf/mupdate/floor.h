/*
 * floor - bare LMDB doing what a change of the map needs: the tables name, server, ACL and
 * revision log, synced commits; no wire, no rules, nothing else.
 */
#ifndef PERF_MUPDATE_FLOOR_H
#define PERF_MUPDATE_FLOOR_H

#include <stdint.h>

/* Into a new environment in dir: first `before` names, a commit each `fill` (its pages lie as
 * those of a list that grew so); then `count`, a commit each `batch`, timed; then lookups by
 * name, timed. Prints one line. */
int floor_run(const char *dir, uint64_t before, uint64_t fill, uint64_t count, uint64_t batch);

#endif
