/*
 * mapdb_impl - what the files of mapdb share. Not for others.
 */
#ifndef MAPDB_IMPL_H
#define MAPDB_IMPL_H

#include "kv/kv.h"
#include "mapdb.h"

struct mapdb {
	char *dir, *cluster;
	struct mapdb_config conf; /* dir and cluster are ours */
	bool damaged;             /* something in the environment makes no sense */
	uint64_t log_rows;
	struct kv_env *env;
	struct kv_txn *txn;     /* the open changes; NULL: none */
	struct mapdb_info info; /* committed */
	struct mapdb_info next; /* what info will be after the commit */
	bool no_log;            /* changes are written without rows in the log */
	/* The server interned last: most changes in a row are one server's. 0: none. */
	uint32_t last_server_id;
	size_t last_server_len;
	char last_server[LOCATION_SERVER_MAX];
	struct kv_env *collect; /* NULL: nothing is being collected */
	struct kv_txn *collect_txn;
	uint64_t collect_rows; /* in collect_txn */
};

/* The meta row. */
void mapdb_put_u64(struct mapdb *m, const char *key, uint64_t v);
void mapdb_put_u32(struct mapdb *m, const char *key, uint32_t v);
/* row with its server's name. False: the database is damaged. */
bool mapdb_row_location(struct kv_txn *txn, struct slice name, struct slice value,
                        struct location *loc_r) MUST_CHECK;
void mapdb_load_info(struct kv_txn *txn, struct mapdb_info *info_r);
void mapdb_log_clear(struct mapdb *m);
void mapdb_put_history(struct mapdb *m, const uint8_t history[LOCATION_HISTORY_LEN]);
void mapdb_put_new_history(struct mapdb *m);

#endif
