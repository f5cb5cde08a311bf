#include "perf/mupdate/floor.h"

#include "base/num.h"
#include "perf/mupdate/names.h"
#include "perf/mupdate/stamps.h"

#include <inttypes.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LOOKUPS 1000000

enum { NAMES, SERVER, ACL, LOG, TABLES };
static const char *const table_names[TABLES] = { "names", "server", "acl", "log" };

struct floor_db {
	MDB_env *env;
	MDB_dbi tables[TABLES];
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
db_open(struct floor_db *db, const char *dir)
{
	MDB_txn *txn;

	(void)mkdir(dir, 0700);
	need(mdb_env_create(&db->env), "create");
	need(mdb_env_set_maxdbs(db->env, TABLES), "tables");
	need(mdb_env_set_mapsize(db->env, 64ULL << 30), "map");
	need(mdb_env_open(db->env, dir, MDB_NOTLS, 0600), dir);
	need(mdb_txn_begin(db->env, NULL, 0, &txn), "begin");
	for (int i = 0; i < TABLES; i++)
		need(mdb_dbi_open(txn, table_names[i], MDB_CREATE, &db->tables[i]), "table");
	need(mdb_txn_commit(txn), "commit");
}

static void
put(struct floor_db *db, MDB_txn *txn, int table, const void *key, size_t key_n, const void *value,
    size_t value_n)
{
	MDB_val k = { key_n, (void *)(uintptr_t)key }, v = { value_n, (void *)(uintptr_t)value };

	need(mdb_put(txn, db->tables[table], &k, &v, 0), "put");
}

/* As many bytes as a row of ours has. */
static void
put_row(struct floor_db *db, MDB_txn *txn, const struct names_row *row)
{
	uint8_t key[4 + sizeof(row->name)], log_key[8], value[256] = { 1, 2 };
	size_t name_n = strlen(row->name), acl_n = strlen(row->acl);
	uint32_t id = 1;

	if (row->owner[0] == 'u')
		id += (uint32_t)strtoul(row->owner + 1, NULL, 10);
	memcpy(value + 42, row->acl, acl_n);
	put(db, txn, NAMES, row->name, name_n, value, 42 + acl_n + 8);
	num_put_be32(key, 1);
	memcpy(key + 4, row->name, name_n);
	put(db, txn, SERVER, key, 4 + name_n, "", 0);
	num_put_be32(key, id);
	put(db, txn, ACL, key, 4 + name_n, row->rights, strlen(row->rights));
	num_put_be64(log_key, ++db->revision);
	value[0] = 1;
	memcpy(value + 1, row->name, name_n);
	put(db, txn, LOG, log_key, 8, value, 1 + name_n);
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
		if (s != NULL)
			stamps_add(s, stamps_now_us() - start);
	}
}

static double
look(struct floor_db *db, uint64_t total)
{
	uint64_t start = stamps_now_us();
	struct names_row row;
	MDB_txn *txn;

	need(mdb_txn_begin(db->env, NULL, MDB_RDONLY, &txn), "begin");
	mdb_txn_reset(txn);
	for (uint64_t i = 0; i < LOOKUPS; i++) {
		MDB_val k = { 0, row.name }, v;

		names_row(&row, "s1", i, total);
		k.mv_size = strlen(row.name);
		need(mdb_txn_renew(txn), "renew");
		need(mdb_get(txn, db->tables[NAMES], &k, &v), "get");
		mdb_txn_reset(txn);
	}
	mdb_txn_abort(txn);
	return (double)(stamps_now_us() - start) / LOOKUPS;
}

/* Making the names takes time, too. */
static double
look_nothing(uint64_t total)
{
	uint64_t start = stamps_now_us();
	struct names_row row;
	unsigned sum = 0;

	for (uint64_t i = 0; i < LOOKUPS; i++) {
		names_row(&row, "s1", i, total);
		sum += (unsigned)strlen(row.name);
	}
	return (double)(stamps_now_us() - start + sum % 1) / LOOKUPS;
}

int
floor_run(const char *dir, uint64_t before, uint64_t fill, uint64_t count, uint64_t batch)
{
	uint64_t total = before + count, start;
	struct floor_db db = { .revision = 0 };
	struct stamps s;
	double seconds;

	db_open(&db, dir);
	change(&db, 0, before, total, fill, NULL);
	stamps_init(&s, count);
	start = stamps_now_us();
	change(&db, before, count, total, batch, &s);
	seconds = (double)(stamps_now_us() - start) / 1e6;
	printf("names=%" PRIu64 " batch=%" PRIu64 " per_second=%.0f p50_ms=%.2f p99_ms=%.2f "
	       "lookup_us=%.2f\n",
	       total, batch, (double)count / seconds, stamps_ms(&s, 0.5), stamps_ms(&s, 0.99),
	       look(&db, total) - look_nothing(total));
	stamps_fini(&s);
	mdb_env_close(db.env);
	return 0;
}
