/*
 * disk - a disk in memory behind the engine's os seam, whose power can be cut.
 *
 * What was written and not synced is, after a cut, there, not there, or there in part
 * (whole sectors, in any order); creations and removals not followed by a sync of the
 * directory likewise. Everything by one seed, so that a failure can be repeated.
 */
#ifndef CRASH_DISK_DISK_H
#define CRASH_DISK_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/os.h"

struct disk;

struct disk *disk_new(uint64_t seed);
void disk_free(struct disk **d);
/* Another one with the same files, all of them synced. */
struct disk *disk_copy(const struct disk *d);
struct os *disk_os(struct disk *d);

/* After so many more operations that change something every call fails with EIO (the
 * process does not get further). 0: never. */
void disk_cut_after(struct disk *d, uint64_t operations);
bool disk_is_cut(const struct disk *d);
/* Power is back: unsynced changes are decided by lot. */
void disk_power_on(struct disk *d);
/* Only the process died: everything written is there. */
void disk_process_died(struct disk *d);

/* The next sync (write) fails once with err (EIO, ENOSPC). */
void disk_fail_sync(struct disk *d, int err);
void disk_fail_write(struct disk *d, int err);
void disk_set_free_bytes(struct disk *d, int64_t bytes);
/* From now on files cannot be larger than that in sum, and what is free follows. */
void disk_set_capacity(struct disk *d, uint64_t bytes);
/* Of all files there are. */
uint64_t disk_used(const struct disk *d);
/* Reading (syncing) fails with EIO so many times, after so many calls that do not. */
void disk_fail_reads(struct disk *d, unsigned after, unsigned times);
void disk_fail_syncs(struct disk *d, unsigned after, unsigned times);
/* Not all of these have been met yet. */
bool disk_has_failures(const struct disk *d);
/* Opening a file fails once with err, after so many that do not. */
void disk_fail_open(struct disk *d, int err, unsigned after);
/* The next removal fails once with err. */
void disk_fail_unlink(struct disk *d, int err);
/* Flips one bit of the file with the number-th name in order, at `at`. */
void disk_damage(struct disk *d, unsigned file, uint64_t at);
/* Of that file n bytes are zeros now. */
void disk_wipe(struct disk *d, unsigned file, uint64_t at, uint64_t n);
uint64_t disk_file_bytes(struct disk *d, unsigned file);
unsigned disk_file_count(const struct disk *d);
uint64_t disk_operations(const struct disk *d);

#endif
