#include "perf/mupdate/floor.h"

#include "base/num.h"
#include "location/tables.h"
#include "perf/mupdate/names.h"
#include "perf/mupdate/stamps.h"

#include <inttypes.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNNAMED 0x40000000u /* from here on are identifiers that no ACL has */

struct floor_db {
	MDB_env *env;
	MDB_dbi tables[LOCATION_T_COUNT];
	uint32_t server_id;
	uint64_t revision;
};

static void
need(int rc, const char *what)
{
	if (rc == 0)
		return;
	fprintf(stderr, "lmdb: %s: %s\n", what, mdb_strerror(rc));
	exit(1);
}

static void
put(struct floor_db *db, MDB_txn *txn, enum location_table table, struct slice key,
    struct slice value)
{
	MDB_val k = { key.n, (void *)(uintptr_t)key.p },
		v = { value.n, (void *)(uintptr_t)value.p };

	need(mdb_put(txn, db->tables[table], &k, &v, 0), "put");
}

static const uint8_t *
get(struct floor_db *db, MDB_txn *txn, enum location_table table, const char *key)
{
	MDB_val k = { strlen(key), (void *)(uintptr_t)key }, v;

	need(mdb_get(txn, db->tables[table], &k, &v), key);
	return v.mv_data;
}

static void
db_open(struct floor_db *db, const char *dir)
{
	MDB_txn *txn;

	need(mdb_env_create(&db->env), "create");
	need(mdb_env_set_maxdbs(db->env, LOCATION_T_COUNT), "tables");
	need(mdb_env_set_mapsize(db->env, LOCATION_MAP_BYTES), "map");
	need(mdb_env_open(db->env, dir, MDB_NOTLS, 0600), dir);
	need(mdb_txn_begin(db->env, NULL, 0, &txn), "begin");
	for (int i = 0; i < LOCATION_T_COUNT; i++)
		need(mdb_dbi_open(txn, location_table_names[i], 0, &db->tables[i]), "table");
	db->revision = num_get_le64(get(db, txn, LOCATION_T_META, "revision"));
	db->server_id = num_get_le32(get(db, txn, LOCATION_T_INTERN, "ss1"));
	need(mdb_txn_commit(txn), "open");
}

/* So that the list is a good one again. */
static void
db_close(struct floor_db *db)
{
	uint8_t bytes[8];
	MDB_txn *txn;

	num_put_le64(bytes, db->revision);
	need(mdb_txn_begin(db->env, NULL, 0, &txn), "begin");
	put(db, txn, LOCATION_T_META, SLICE("revision"), slice_make(bytes, sizeof(bytes)));
	need(mdb_txn_commit(txn), "close");
	mdb_env_close(db->env);
}

static void
put_row(struct floor_db *db, MDB_txn *txn, const struct names_row *row)
{
	struct location loc = { .name = slice_of(row->name),
		                .acl = slice_of(row->acl),
		                .partition = SLICE("default"),
		                .state = LOCATION_ACTIVE,
		                .revision = ++db->revision };
	uint8_t key[LOCATION_ID_KEY_MAX], log_key[8];
	struct buf value = BUF_INIT(SIZE_MAX);
	uint32_t id = UNNAMED;

	if (row->owner[0] == 'u')
		id += (uint32_t)strtoul(row->owner + 1, NULL, 10);
	location_row_add(&value, &loc, db->server_id);
	put(db, txn, LOCATION_T_NAMES, loc.name, buf_slice(&value));
	put(db, txn, LOCATION_T_SERVER, location_server_key(key, db->server_id, loc.name),
	    SLICE(""));
	put(db, txn, LOCATION_T_ACL, location_id_key(key, id, loc.name), slice_of(row->rights));
	num_put_be64(log_key, db->revision);
	buf_clear(&value);
	buf_add_u8(&value, LOCATION_LOG_SET);
	buf_add_slice(&value, loc.name);
	put(db, txn, LOCATION_T_LOG, slice_make(log_key, 8), buf_slice(&value));
	buf_fini(&value);
}

static void
change(struct floor_db *db, uint64_t from, uint64_t count, uint64_t total, uint64_t batch,
       struct stamps *s)
{
	struct names_row row;

	for (uint64_t i = 0; i < count;) {
		uint64_t start = stamps_now_us();
		MDB_txn *txn;

		need(mdb_txn_begin(db->env, NULL, 0, &txn), "begin");
		for (uint64_t k = 0; k < batch && i < count; k++, i++) {
			names_row(&row, "s1", from + i, total);
			put_row(db, txn, &row);
		}
		need(mdb_txn_commit(txn), "commit");
		stamps_add(s, stamps_now_us() - start);
	}
}

int
floor_run(const char *dir, uint64_t from, uint64_t count, uint64_t batch, uint64_t total)
{
	struct floor_db db;
	uint64_t start;
	struct stamps s;
	double seconds;

	db_open(&db, dir);
	stamps_init(&s, count);
	start = stamps_now_us();
	change(&db, from, count, total, batch, &s);
	seconds = (double)(stamps_now_us() - start) / 1e6;
	printf("batch=%" PRIu64 " per_second=%.0f p50_ms=%.2f p99_ms=%.2f\n", batch,
	       (double)count / seconds, stamps_ms(&s, 0.5), stamps_ms(&s, 0.99));
	stamps_fini(&s);
	db_close(&db);
	return 0;
}
