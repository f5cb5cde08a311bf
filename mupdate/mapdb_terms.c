/*
 * mapdb_terms - at which revision each mastership of this history began, so that a master can
 * tell whether what a peer has seen is part of its list.
 *
 * A master may come back with an older copy of its list: a backup, a disk that lied. Then the
 * same history has gone on twice, and equal revisions mean different changes. What tells them
 * apart is the term, which is new at each start and not lower than the clock:
 *
 *   ours    term 5 from revision 0, term 9 from revision 90
 *   a peer  term 5 up to revision 100:  it has 91..100 of a term 5 that went on elsewhere
 *           term 7:                     there was a master between, of whom we know nothing
 *           term 9 up to revision 95:   it has a part of this list
 *
 *   meta    "begun." be64 term -> u64 revision; a master only, the last TERMS_KEPT
 */
#include "base/num.h"
#include "kv/kv.h"
#include "mapdb_impl.h"

#include <string.h>

#define BEGUN "begun."
#define BEGUN_LEN (sizeof(BEGUN) - 1)
#define TERMS_KEPT 64

static struct slice
begun_key(uint64_t term, uint8_t key_r[BEGUN_LEN + 8])
{
	memcpy(key_r, BEGUN, BEGUN_LEN);
	num_put_be64(key_r + BEGUN_LEN, term);
	return slice_make(key_r, BEGUN_LEN + 8);
}

/* The first term >= from. False: there is none. */
static bool
find_term(struct kv_txn *txn, uint64_t from, uint64_t *term_r, uint64_t *begun_r)
{
	uint8_t bytes[BEGUN_LEN + 8];
	struct kv_cursor *c = kv_cursor_new(txn, LOCATION_T_META);
	struct slice key, value;
	bool found = kv_cursor_seek(c, begun_key(from, bytes), &key, &value) &&
	             slice_starts(key, SLICE(BEGUN)) && key.n == sizeof(bytes) && value.n == 8;

	if (found) {
		*term_r = num_get_be64((const uint8_t *)key.p + BEGUN_LEN);
		*begun_r = num_get_le64((const uint8_t *)value.p);
	}
	kv_cursor_free(&c);
	return found;
}

static void
drop_first(struct mapdb *m)
{
	uint8_t bytes[BEGUN_LEN + 8];
	uint64_t term, begun;

	if (find_term(m->txn, 0, &term, &begun))
		(void)kv_del(m->txn, LOCATION_T_META, begun_key(term, bytes));
}

void
mapdb_terms_add(struct mapdb *m, uint64_t term, uint64_t begun)
{
	uint8_t bytes[BEGUN_LEN + 8], value[8];
	uint64_t at = 0, t, unused;
	unsigned count = 0;

	num_put_le64(value, begun);
	kv_put(m->txn, LOCATION_T_META, begun_key(term, bytes), slice_make(value, sizeof(value)));
	for (; find_term(m->txn, at, &t, &unused); at = t + 1)
		count++;
	if (count > TERMS_KEPT)
		drop_first(m);
}

uint64_t
mapdb_terms_last(struct mapdb *m)
{
	uint64_t last = 0, begun;

	for (uint64_t at = 0, t; find_term(m->txn, at, &t, &begun); at = t + 1)
		last = t;
	return last;
}

void
mapdb_terms_clear(struct mapdb *m)
{
	while (mapdb_terms_last(m) != 0 && kv_txn_error(m->txn) == KV_OK)
		drop_first(m);
}

static enum mapdb_kin
compare(const struct mapdb_info *info, struct kv_txn *txn, uint64_t term, uint64_t revision)
{
	uint64_t first, t, begun, end = info->revision;

	if (!find_term(txn, 0, &first, &begun)) /* a replica knows of one term only */
		return term == info->term && revision <= end ? MAPDB_KIN_PART : MAPDB_KIN_UNKNOWN;
	if (term < first)
		return MAPDB_KIN_UNKNOWN;
	if (!find_term(txn, term, &t, &begun) || t != term)
		return MAPDB_KIN_AHEAD;
	if (find_term(txn, term + 1, &t, &begun))
		end = begun;
	return revision <= end ? MAPDB_KIN_PART : MAPDB_KIN_AHEAD;
}

enum mapdb_kin
mapdb_compare(struct mapdb *m, uint64_t term, uint64_t revision)
{
	struct kv_txn *txn = m->txn;
	enum mapdb_kin kin;

	if (term > m->info.term || (txn == NULL && kv_begin_read(m->env, &txn, NULL) != KV_OK))
		return MAPDB_KIN_UNKNOWN;
	kin = compare(&m->info, txn, term, revision);
	if (kv_txn_error(txn) != KV_OK)
		kin = MAPDB_KIN_UNKNOWN;
	if (txn != m->txn)
		kv_end(&txn);
	return kin;
}
