/*
 * tables - the map in LMDB: which tables there are and what their rows look like. Used by
 * the map store (mupdate/, which alone writes) and by readers of a replica.
 *
 * Environment: directory 0750, data.mdb 0640, lock.mdb 0660 (readers write it), group
 * `roost-location`. Numbers in keys are big-endian, in values little-endian.
 *
 *   meta    key (a name below)          -> value
 *   names   name                        -> record (below)
 *   server  be32 server id, Cyrus' name -> (empty)
 *   acl     be32 identifier id, name    -> rights
 *   intern  's' server | 'a' identifier -> u32 id
 *           'S' be32 id | 'A' be32 id   -> server | identifier
 *   log     be64 revision               -> u8 kind, name
 *   claim   INBOX name                  -> u64 claim, u32 server id
 *
 *   record: u8 version = 1, u8 state, u32 server id, u64 revision, u64 claim,
 *           u32 uidvalidity, blob partition, blob acl, blob mailbox id, blob special-use
 *           [, u8 1: left by a DEACTIVATE]
 *
 * meta keys: format u32; history 16 bytes; revision, term, oldest (first revision the log
 * still has) u64; state u32 (enum location_map_state); heard u64 (wall clock in us when a
 * replica last knew itself in step with the master; 0 at a master); cluster text;
 * next_id u32; pushed.SERVER (empty); begun.TERM u64 (mapdb_terms.c); tail (the latest changes
 * of the log: mapdb_log.c); unsure u64 (at a master that rebuilds: records up to this revision
 * are of an old copy).
 */
#ifndef LOCATION_TABLES_H
#define LOCATION_TABLES_H

#include <stdint.h>

#include "base/buf.h"
#include "base/must.h"
#include "kv/kv.h"
#include "location/location.h"

/* In 1, names in the keys of the table server were the canonical ones; in 2, all changes were in
 * the table log, and what a DEACTIVATE left had a row "left.NAME" in meta. A writer brings an older
 * format up to this one; a reader waits until it has. */
#define LOCATION_FORMAT 3
#define LOCATION_MAP_BYTES (64ULL << 30)
#define LOCATION_MAX_READERS 1024
#define LOCATION_HISTORY_LEN 16

enum location_table {
	LOCATION_T_META,
	LOCATION_T_NAMES,
	LOCATION_T_SERVER,
	LOCATION_T_ACL,
	LOCATION_T_INTERN,
	LOCATION_T_LOG,
	LOCATION_T_CLAIM,
	LOCATION_T_COUNT
};
extern const char *const location_table_names[LOCATION_T_COUNT];

enum location_map_state {
	LOCATION_MAP_EMPTY = 0,      /* a replica that was never complete */
	LOCATION_MAP_REBUILDING = 1, /* a master's new history: not all servers pushed yet */
	LOCATION_MAP_COMPLETE = 2,
};

enum location_log_kind { LOCATION_LOG_SET = 1, LOCATION_LOG_DELETE = 2 };

/* A row of `names` without its server's name: that is an id here. */
struct location_row {
	uint32_t server_id;
	struct location loc; /* server empty; slices borrowed from the value */
};
void location_row_add(struct buf *out, const struct location *loc, uint32_t server_id);
/* name and value are borrowed. False: damaged. */
bool location_row_parse(struct slice name, struct slice value,
                        struct location_row *row_r) MUST_CHECK;

/* Zero, or false, when it is not there (or the transaction has failed). */
uint64_t location_meta_u64(struct kv_txn *txn, const char *key);
uint32_t location_meta_u32(struct kv_txn *txn, const char *key);
bool location_meta_history(struct kv_txn *txn, uint8_t history_r[LOCATION_HISTORY_LEN]);

/* kind 's': servers, 'a': ACL identifiers. */
bool location_intern_find(struct kv_txn *txn, char kind, struct slice text, uint32_t *id_r);
/* Borrowed from the transaction. */
bool location_intern_text(struct kv_txn *txn, char kind, uint32_t id, struct slice *text_r);

/* Keys of the table acl. */
#define LOCATION_ID_KEY_MAX (4 + LOCATION_NAME_MAX)
struct slice location_id_key(uint8_t key_r[LOCATION_ID_KEY_MAX], uint32_t id, struct slice name);

/*
 * Keys of the table server. Cyrus' list of mailboxes has an order of its own: behind the domain
 * it keeps "." as 0x1f and "^" as ".", and "!" as 0x1d, so that "user.fred.a" comes before
 * "user.fred-x". Its programs compare a list of ours with theirs line by line, and take what
 * comes in another order for missing. So here names are written as Cyrus does.
 */
struct slice location_server_key(uint8_t key_r[LOCATION_ID_KEY_MAX], uint32_t id,
                                 struct slice name);
/* The name in such a key, into name_r; empty: damaged. */
struct slice location_server_key_name(struct slice key, char name_r[LOCATION_NAME_MAX]);

#endif
