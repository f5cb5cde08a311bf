/*
 * meta - whose data directory this is: version, owner, id, and a lock against a second
 * process.
 */
#ifndef ENGINE_META_H
#define ENGINE_META_H

#include <stdint.h>

#include "base/err.h"
#include "base/must.h"

/* Makes the directory when absent and takes its lock. The descriptor holds it; -1 with
 * the operator's sentence. */
int meta_lock(const char *dir, struct err *err) MUST_CHECK;
/* Reads dir/META, or makes it in a directory that is empty but for the lock. -1: another
 * version, another owner, not ours at all; nothing was touched. */
int meta_open(const char *dir, const char *owner, uint64_t *store_id_r, struct err *err) MUST_CHECK;

#endif
