/*
 * Rows are named by their subject: "a:ADDRESS", "u:USER", "p:ADDRESS|USER". An address has
 * no "|", so no name stands for two subjects.
 *
 * Sessions have tables without a bound of their own: rows go with the last session, and the
 * number of sessions is bounded.
 */
#include "limit/limit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/xalloc.h"
#include "limit/limit_table.h"

#define NAME_MAX_BYTES 512

struct session {
	uint64_t id;
	char *address;
	char *user; /* NULL: nobody yet */
};

struct limit {
	struct limit_settings s;
	struct map *sessions;         /* by id: struct session */
	struct limit_table *counts;   /* of sessions, by subject */
	struct limit_table *failures; /* by subject */
	struct limit_table *known;    /* pairs, and addresses with any */
	struct limit_table *rates[LIMIT_RATES];
};

const char *
limit_verdict_name(enum limit_verdict v)
{
	static const char *const names[] = {
		[LIMIT_OK] = "ok",           [LIMIT_BY_ADDRESS] = "address",
		[LIMIT_BY_USER] = "user",    [LIMIT_BY_BOTH] = "user_and_address",
		[LIMIT_BLOCKED] = "blocked", [LIMIT_EXCEEDED] = "rate",
	};

	return names[v];
}

struct limit *
limit_new(const struct limit_settings *s)
{
	struct limit *l = xcalloc(1, sizeof(*l));

	must(s->rows > 0);
	l->s = *s;
	l->sessions = map_new();
	l->counts = limit_table_new(SIZE_MAX);
	l->failures = limit_table_new(s->rows);
	l->known = limit_table_new(s->rows);
	for (size_t i = 0; i < LIMIT_RATES; i++)
		l->rates[i] = limit_table_new(s->rows);
	return l;
}

static void
session_free(struct session *sn)
{
	free(sn->address);
	free(sn->user);
	free(sn);
}

void
limit_free(struct limit **l)
{
	size_t pos = 0;
	struct slice key;
	void *sn;

	if (*l == NULL)
		return;
	while (map_next((*l)->sessions, &pos, &key, &sn))
		session_free(sn);
	map_free(&(*l)->sessions);
	limit_table_free(&(*l)->counts);
	limit_table_free(&(*l)->failures);
	limit_table_free(&(*l)->known);
	for (size_t i = 0; i < LIMIT_RATES; i++)
		limit_table_free(&(*l)->rates[i]);
	free(*l);
	*l = NULL;
}

/* ---- names --------------------------------------------------------------------------------- */

struct names {
	char address[NAME_MAX_BYTES], user[NAME_MAX_BYTES], pair[2 * NAME_MAX_BYTES];
};

/* What is longer than any address or user is cut: it is nobody's. */
static void
make_names(struct names *n, const char *address, const char *user)
{
	snprintf(n->address, sizeof(n->address), "a:%s", address);
	snprintf(n->user, sizeof(n->user), "u:%s", user);
	snprintf(n->pair, sizeof(n->pair), "p:%s|%s", address, user);
}

/* ---- sessions ------------------------------------------------------------------------------ */

static uint64_t
count_of(struct limit *l, const char *name)
{
	struct limit_row *row = limit_table_find(l->counts, name);

	return row != NULL ? row->count : 0;
}

static void
uncount(struct limit *l, const char *name)
{
	struct limit_row *row = limit_table_find(l->counts, name);

	must(row != NULL && row->count > 0);
	if (--row->count == 0)
		limit_table_drop(l->counts, &row);
}

static bool
is_full(uint64_t count, uint64_t most)
{
	return most > 0 && count >= most;
}

static void
add_session(struct limit *l, uint64_t id, const char *address, const struct names *n)
{
	struct session *sn = xcalloc(1, sizeof(*sn));

	sn->id = id;
	sn->address = xstrdup(address);
	map_set(l->sessions, map_key_u64(&sn->id), sn);
	limit_table_get(l->counts, n->address)->count++;
}

static void
add_user(struct limit *l, struct session *sn, const char *user, const struct names *n)
{
	sn->user = xstrdup(user);
	limit_table_get(l->counts, n->user)->count++;
	limit_table_get(l->counts, n->pair)->count++;
}

enum limit_verdict
limit_open(struct limit *l, uint64_t id, const char *address)
{
	struct names n;

	must(map_get(l->sessions, map_key_u64(&id)) == NULL);
	make_names(&n, address, "");
	if (is_full(count_of(l, n.address), l->s.address_sessions))
		return LIMIT_BY_ADDRESS;
	if (map_count(l->sessions) < l->s.rows)
		add_session(l, id, address, &n);
	return LIMIT_OK;
}

enum limit_verdict
limit_set_user(struct limit *l, uint64_t id, const char *user)
{
	struct session *sn = map_get(l->sessions, map_key_u64(&id));
	struct names n;

	if (sn == NULL || sn->user != NULL)
		return LIMIT_OK;
	make_names(&n, sn->address, user);
	if (is_full(count_of(l, n.user), l->s.user_sessions))
		return LIMIT_BY_USER;
	if (is_full(count_of(l, n.pair), l->s.both_sessions))
		return LIMIT_BY_BOTH;
	add_user(l, sn, user, &n);
	return LIMIT_OK;
}

void
limit_drop_user(struct limit *l, uint64_t id)
{
	struct session *sn = map_get(l->sessions, map_key_u64(&id));
	struct names n;

	if (sn == NULL || sn->user == NULL)
		return;
	make_names(&n, sn->address, sn->user);
	uncount(l, n.user);
	uncount(l, n.pair);
	free(sn->user);
	sn->user = NULL;
}

void
limit_restore(struct limit *l, uint64_t id, const char *address, const char *user)
{
	struct names n;

	if (map_get(l->sessions, map_key_u64(&id)) != NULL || map_count(l->sessions) >= l->s.rows)
		return;
	make_names(&n, address, user);
	add_session(l, id, address, &n);
	if (*user != '\0')
		add_user(l, map_get(l->sessions, map_key_u64(&id)), user, &n);
}

void
limit_close(struct limit *l, uint64_t id)
{
	struct session *sn = map_get(l->sessions, map_key_u64(&id));
	struct names n;

	if (sn == NULL)
		return;
	limit_drop_user(l, id);
	make_names(&n, sn->address, "");
	uncount(l, n.address);
	map_del(l->sessions, map_key_u64(&id));
	session_free(sn);
}

uint64_t
limit_address_sessions(struct limit *l, const char *address)
{
	struct names n;

	make_names(&n, address, "");
	return count_of(l, n.address);
}

uint64_t
limit_user_sessions(struct limit *l, const char *user)
{
	struct names n;

	make_names(&n, "", user);
	return count_of(l, n.user);
}

uint64_t
limit_both_sessions(struct limit *l, const char *user, const char *address)
{
	struct names n;

	make_names(&n, address, user);
	return count_of(l, n.pair);
}

void
limit_each_subject(struct limit *l, limit_subject_fn *fn, void *ctx)
{
	for (struct limit_row *row = NULL; (row = limit_table_next(l->counts, row)) != NULL;)
		fn(ctx, row->name, row->count);
}

/* ---- logins -------------------------------------------------------------------------------- */

static bool
is_known(struct limit *l, const char *name, uint64_t now_ms)
{
	struct limit_row *row = limit_table_find(l->known, name);

	return row != NULL && now_ms < row->until_ms;
}

static bool
is_blocked(struct limit *l, const char *name, uint64_t now_ms)
{
	struct limit_row *row = limit_table_find(l->failures, name);

	return row != NULL && now_ms < row->until_ms;
}

static enum limit_verdict
judge(struct limit *l, const struct names *n, uint64_t now_ms)
{
	bool blocked = is_known(l, n->pair, now_ms) ? is_blocked(l, n->pair, now_ms)
	                                            : is_blocked(l, n->address, now_ms) ||
	                                                      is_blocked(l, n->user, now_ms);

	return blocked ? LIMIT_BLOCKED : LIMIT_OK;
}

enum limit_verdict
limit_try(struct limit *l, const char *address, const char *user, uint64_t now_ms)
{
	struct names n;

	make_names(&n, address, user);
	if (*user != '\0')
		return judge(l, &n, now_ms);
	/* he may be one who is known here: his name tells later */
	return is_blocked(l, n.address, now_ms) && !is_known(l, n.address, now_ms) ? LIMIT_BLOCKED
	                                                                           : LIMIT_OK;
}

enum limit_verdict
limit_passed(struct limit *l, const char *address, const char *user, uint64_t now_ms)
{
	struct limit_row *row;
	struct names n;

	make_names(&n, address, user);
	if (judge(l, &n, now_ms) == LIMIT_BLOCKED)
		return LIMIT_BLOCKED;
	limit_table_get(l->known, n.pair)->until_ms = now_ms + l->s.known_ms;
	limit_table_get(l->known, n.address)->until_ms = now_ms + l->s.known_ms;
	row = limit_table_find(l->failures, n.pair);
	if (row != NULL)
		limit_table_drop(l->failures, &row);
	return LIMIT_OK;
}

/* Beyond the free ones: delay, 2 delay, 4 delay... */
static uint64_t
penalty(uint64_t delay_ms, uint64_t most_ms, uint64_t failures, uint64_t free_ones)
{
	uint64_t ms = delay_ms;

	if (failures <= free_ones)
		return 0;
	for (uint64_t i = free_ones + 1; i < failures && ms < most_ms; i++)
		ms *= 2;
	return MIN(ms, most_ms);
}

static struct limit_row *
fresh_row(struct limit *l, const char *name, uint64_t now_ms)
{
	struct limit_row *row = limit_table_get(l->failures, name);

	if (row->last_ms + l->s.memory_ms <= now_ms && row->until_ms <= now_ms) {
		row->count = 0;
		memset(row->seen, 0, sizeof(row->seen));
	}
	return row;
}

static uint64_t
fail(struct limit *l, const char *name, uint64_t free_ones, uint64_t most_ms, uint64_t now_ms)
{
	struct limit_row *row = fresh_row(l, name, now_ms);
	uint64_t ms;

	row->count++;
	row->last_ms = now_ms;
	ms = penalty(l->s.delay_ms, most_ms, row->count, free_ones);
	if (row->until_ms < now_ms + ms)
		row->until_ms = now_ms + ms;
	return ms;
}

/* Has this password been wrong for this account before? Remembers it. */
static bool
is_seen(struct limit *l, const struct names *n, uint64_t fingerprint, uint64_t now_ms)
{
	struct limit_row *row;

	if (fingerprint == 0)
		return false;
	row = fresh_row(l, n->user, now_ms);
	for (size_t i = 0; i < LIMIT_SEEN; i++)
		if (row->seen[i] == fingerprint)
			return true;
	row->seen[row->seen_next] = fingerprint;
	row->seen_next = (row->seen_next + 1) % LIMIT_SEEN;
	row->last_ms = now_ms;
	return false;
}

uint64_t
limit_failed(struct limit *l, const char *address, const char *user, uint64_t fingerprint,
             uint64_t now_ms)
{
	uint64_t ms = l->s.delay_ms, most = l->s.block_max_ms, more;
	struct names n;

	make_names(&n, address, user);
	if (is_seen(l, &n, fingerprint, now_ms))
		return ms;
	if (is_known(l, n.pair, now_ms)) {
		more = fail(l, n.pair, l->s.account_failures, MIN(most, LIMIT_KNOWN_BLOCK_MS),
		            now_ms);
	} else {
		uint64_t of_address = fail(l, n.address, l->s.address_failures, most, now_ms);
		uint64_t of_account = fail(l, n.user, l->s.account_failures, most, now_ms);

		more = MAX(of_address, of_account);
	}
	return MAX(ms, more);
}

static bool
each_of(struct limit_table *t, bool known, limit_memory_fn *fn, void *ctx)
{
	for (struct limit_row *row = NULL; (row = limit_table_next(t, row)) != NULL;) {
		struct limit_memory m = { row->name, known, row->until_ms, row->count,
			                  row->last_ms };

		if (!fn(ctx, &m))
			return false;
	}
	return true;
}

void
limit_each_memory(struct limit *l, limit_memory_fn *fn, void *ctx)
{
	if (each_of(l->failures, false, fn, ctx))
		(void)each_of(l->known, true, fn, ctx);
}

static bool
is_subject(const char *name)
{
	return (name[0] == 'a' || name[0] == 'u' || name[0] == 'p') && name[1] == ':';
}

void
limit_remember(struct limit *l, const struct limit_memory *m)
{
	struct limit_row *row;

	if (!is_subject(m->name))
		return;
	row = limit_table_get(m->known ? l->known : l->failures, m->name);
	row->until_ms = MAX(row->until_ms, m->until_ms);
	row->last_ms = MAX(row->last_ms, m->last_ms);
	row->count = MAX(row->count, m->failures);
}

/* ---- rates --------------------------------------------------------------------------------- */

enum limit_verdict
limit_take(struct limit *l, enum limit_rate rate, const char *name, uint64_t amount,
           uint64_t now_ms)
{
	uint64_t most = l->s.rates[rate].most, period = l->s.rates[rate].period_ms, at, cost;
	struct limit_row *row;

	if (most == 0 || amount == 0)
		return LIMIT_OK;
	row = limit_table_get(l->rates[rate], name);
	/* in microseconds: a period may be shorter than its number of messages */
	cost = amount * period * 1000 / most;
	at = MAX(row->until_ms, now_ms * 1000);
	if (at + cost > (now_ms + period) * 1000)
		return LIMIT_EXCEEDED;
	row->until_ms = at + cost;
	return LIMIT_OK;
}

/* ---- for people ---------------------------------------------------------------------------- */

void
limit_list(struct limit *l, uint64_t now_ms, limit_entry_fn *fn, void *ctx)
{
	for (struct limit_row *row = NULL; (row = limit_table_next(l->failures, row)) != NULL;) {
		struct limit_entry e = {
			.what = "login",
			.name = row->name,
			.count = row->count,
			.block_ms = row->until_ms > now_ms ? row->until_ms - now_ms : 0,
		};

		if (row->count > 0 && (e.block_ms > 0 || row->last_ms + l->s.memory_ms > now_ms) &&
		    !fn(ctx, &e))
			return;
	}
}

/* "a:NAME", "u:NAME", "p:NAME|...", "p:...|NAME" */
static bool
is_of(const char *subject, const char *name)
{
	struct slice rest = slice_of(subject + 2), address;

	if (subject[0] != 'p')
		return strcmp(subject + 2, name) == 0;
	address = slice_cut(&rest, '|');
	return slice_eq_str(address, name) || slice_eq_str(rest, name);
}

size_t
limit_clear(struct limit *l, const char *name)
{
	struct limit_row *row = limit_table_next(l->failures, NULL), *next;
	size_t n = 0;

	for (; row != NULL; row = next) {
		next = limit_table_next(l->failures, row);
		if (is_of(row->name, name)) {
			limit_table_drop(l->failures, &row);
			n++;
		}
	}
	return n;
}
