#include "location/reader.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/num.h"
#include "base/text.h"
#include "base/xalloc.h"
#include "kv/kv.h"
#include "log/log.h"

#include <stdio.h>
#include <stdlib.h>

#define OPEN_AGAIN_MS 200 /* while there is nothing to open */
#define NOT_NOW "the list could not be read; it is opened again in a moment"
/* Servers are few; ids beyond this are looked up each time. */
#define SERVER_CACHE_MAX 4096

struct location_reader {
	char *dir;
	struct kv_env *env; /* NULL: blind */
	uint64_t next_open_ms;
	uint64_t checked_ms; /* when its file was last looked at */
	struct err logged;   /* why it could not be opened; "" when it could */
	struct arena *cache; /* names of servers by id; they never change in an environment */
	struct slice *servers;
	uint32_t server_count;
};

const char *
location_result_text(enum location_result r)
{
	static const char *const texts[] = { "found", "reserved", "none", "blind" };

	return texts[r];
}

struct location_reader *
location_reader_new(const char *dir)
{
	struct location_reader *r = xcalloc(1, sizeof(*r));

	r->dir = xstrdup(dir);
	return r;
}

static void
reader_close(struct location_reader *r)
{
	kv_close(&r->env);
	arena_free(&r->cache);
	free(r->servers);
	r->servers = NULL;
	r->server_count = 0;
}

void
location_reader_free(struct location_reader **r)
{
	if (*r == NULL)
		return;
	reader_close(*r);
	free((*r)->dir);
	free(*r);
	*r = NULL;
}

static void
reader_open(struct location_reader *r, struct err *err)
{
	const struct kv_config conf = {
		.dir = r->dir,
		.tables = location_table_names,
		.table_count = LOCATION_T_COUNT,
		/* who comes first makes the file of the locks */
		.max_readers = LOCATION_MAX_READERS,
		.read_only = true,
	};
	struct err why = { "" };

	if (kv_open(&conf, &r->env, &why) != KV_OK) {
		/* Once for each reason, not at each attempt. */
		if (strcmp(why.text, r->logged.text) != 0)
			log_error(NULL,
			          "location.blind error=%s reason=\"everybody is answered later "
			          "until roost-mupdate, with role = replica and this location_dir, "
			          "has made the list\"",
			          log_esc(why.text));
		r->logged = why;
		if (err != NULL)
			*err = why;
		return;
	}
	r->logged.text[0] = '\0';
	r->cache = arena_new("location.servers");
	log_debug(NULL, "location.opened dir=%s", log_esc(r->dir));
}

/* The replica moves a damaged environment aside and makes a new one. Looked at anew in each
 * millisecond, since it costs more than a lookup: no replica makes one, follows its master again
 * and lets a barrier through in less. */
static bool
is_fit(struct location_reader *r, uint64_t now, struct err *err)
{
	if (now == r->checked_ms)
		return true;
	switch (kv_check_file(r->env)) {
	case KV_FILE_GOOD:
		r->checked_ms = now;
		return true;
	case KV_FILE_OTHER:
		reader_close(r);
		r->next_open_ms = 0;
		return true;
	case KV_FILE_SHORT:
		break;
	}
	err_set(err, "%s: the end of the list is missing", r->dir);
	return false;
}

static struct kv_txn *
reader_begin(struct location_reader *r, struct err *err)
{
	uint64_t now = clock_mono_ms();
	struct kv_txn *txn;
	enum kv_err e;

	if (r->env != NULL && !is_fit(r, now, err))
		return NULL;
	if (r->env == NULL) {
		if (now < r->next_open_ms) {
			err_set(err, "%s", r->logged.text[0] != '\0' ? r->logged.text : NOT_NOW);
			return NULL;
		}
		r->next_open_ms = now + OPEN_AGAIN_MS;
		reader_open(r, err);
		if (r->env == NULL)
			return NULL;
	}
	e = kv_begin_read(r->env, &txn, err);
	if (e == KV_OK)
		return txn;
	if (e != KV_READERS)
		reader_close(r);
	return NULL;
}

/* True when everything read was true; else the answer must be "blind". */
static bool
reader_end(struct location_reader *r, struct kv_txn *txn)
{
	enum kv_err e = kv_txn_error(txn);

	kv_end(&txn);
	if (e == KV_OK)
		return true;
	log_error(NULL, "location.unreadable dir=%s error=%s", log_esc(r->dir),
	          log_esc(kv_err_text(e)));
	reader_close(r);
	return false;
}

static bool
server_name(struct location_reader *r, struct kv_txn *txn, uint32_t id, struct slice *name_r)
{
	if (id < r->server_count && r->servers[id].n > 0) {
		*name_r = r->servers[id];
		return true;
	}
	if (!location_intern_text(txn, 's', id, name_r))
		return false;
	if (id >= SERVER_CACHE_MAX)
		return true;
	if (id >= r->server_count) {
		r->servers = xreallocarray(r->servers, id + 1, sizeof(*r->servers));
		memset(r->servers + r->server_count, 0,
		       (id + 1 - r->server_count) * sizeof(*r->servers));
		r->server_count = id + 1;
	}
	r->servers[id] = arena_slice_dup(r->cache, *name_r);
	return true;
}

/* False: the row is damaged. */
static bool
row_to_location(struct location_reader *r, struct kv_txn *txn, struct slice name,
                struct slice value, struct location *loc_r)
{
	struct location_row row;

	if (!location_row_parse(name, value, &row) ||
	    !server_name(r, txn, row.server_id, &row.loc.server)) {
		log_error(NULL, "location.damaged dir=%s mbox=%s", log_esc(r->dir),
		          log_esc_slice(name));
		return false;
	}
	*loc_r = row.loc;
	return true;
}

static bool
is_complete(struct kv_txn *txn)
{
	return location_meta_u32(txn, "state") == LOCATION_MAP_COMPLETE &&
	       location_meta_u32(txn, "format") == LOCATION_FORMAT;
}

enum location_result
location_reader_find(struct location_reader *r, struct slice name, struct arena *a,
                     struct location *loc_r)
{
	enum location_result result;
	struct kv_txn *txn;
	struct location loc;
	struct slice value;

	if (!location_name_ok(name))
		return LOCATION_NONE;
	txn = reader_begin(r, NULL);
	if (txn == NULL)
		return LOCATION_BLIND;
	if (kv_get(txn, LOCATION_T_NAMES, name, &value)) {
		result = LOCATION_BLIND;
		if (row_to_location(r, txn, name, value, &loc)) {
			*loc_r = location_dup(a, &loc);
			result = loc.state == LOCATION_ACTIVE ? LOCATION_FOUND
			                                      : LOCATION_IS_RESERVED;
		}
	} else {
		result = is_complete(txn) ? LOCATION_NONE : LOCATION_BLIND;
	}
	return reader_end(r, txn) ? result : LOCATION_BLIND;
}

enum location_result
location_reader_list(struct location_reader *r, struct slice prefix, location_each_fn *fn,
                     void *ctx)
{
	struct kv_txn *txn = reader_begin(r, NULL);
	struct kv_cursor *c;
	struct slice name, value;
	struct location loc;
	bool more, complete, sound = true;

	if (txn == NULL || prefix.n > LOCATION_NAME_MAX) {
		kv_end(&txn);
		return LOCATION_BLIND;
	}
	complete = is_complete(txn);
	c = kv_cursor_new(txn, LOCATION_T_NAMES);
	for (more = complete && kv_cursor_seek(c, prefix, &name, &value);
	     more && slice_starts(name, prefix); more = kv_cursor_next(c, &name, &value)) {
		sound = row_to_location(r, txn, name, value, &loc);
		if (!sound || !fn(ctx, &loc))
			break;
	}
	kv_cursor_free(&c);
	return reader_end(r, txn) && complete && sound ? LOCATION_FOUND : LOCATION_BLIND;
}

/* Keys are "be32 id, name"; the location itself is in `names`. */
enum location_result
location_reader_list_acl(struct location_reader *r, struct slice identifier, struct slice prefix,
                         location_each_fn *fn, void *ctx)
{
	struct kv_txn *txn = reader_begin(r, NULL);
	uint8_t start_bytes[LOCATION_ID_KEY_MAX];
	struct slice start, key, value;
	struct kv_cursor *c;
	bool more, complete, sound = true;
	uint32_t id;

	if (txn == NULL || prefix.n > LOCATION_NAME_MAX) {
		kv_end(&txn);
		return LOCATION_BLIND;
	}
	complete = is_complete(txn);
	if (!complete || !location_intern_find(txn, 'a', identifier, &id))
		return reader_end(r, txn) && complete ? LOCATION_FOUND : LOCATION_BLIND;
	start = location_id_key(start_bytes, id, prefix);
	c = kv_cursor_new(txn, LOCATION_T_ACL);
	for (more = kv_cursor_seek(c, start, &key, NULL); more && slice_starts(key, start);
	     more = kv_cursor_next(c, &key, NULL)) {
		struct slice name = slice_skip(key, 4);
		struct location loc;

		sound = kv_get(txn, LOCATION_T_NAMES, name, &value) &&
		        row_to_location(r, txn, name, value, &loc);
		if (!sound || !fn(ctx, &loc))
			break;
	}
	kv_cursor_free(&c);
	return reader_end(r, txn) && sound ? LOCATION_FOUND : LOCATION_BLIND;
}

/* ---- one level ------------------------------------------------------------------------------ */

/* Keys are `head` (an interned id, or nothing) and a name. */
struct level_walk {
	struct kv_txn *txn;
	struct kv_cursor *c;
	unsigned table;
	size_t head_n, prefix_n;
	bool domains;                         /* these are wanted, and nothing else */
	bool damaged;                         /* a key that is none */
	uint8_t key[LOCATION_ID_KEY_MAX + 1]; /* head, prefix, and what comes behind */
};

/* From the first key >= head, the first n octets of name, then c. */
static bool
level_seek(struct level_walk *w, struct slice name, size_t n, char c, struct slice *key_r)
{
	memcpy(w->key + w->head_n, name.p, n);
	w->key[w->head_n + n] = (uint8_t)c;
	return kv_cursor_seek(w->c, slice_make(w->key, w->head_n + n + 1), key_r, NULL);
}

/* name is in the list, exactly; the cursor stands on it. Leaves the cursor behind it. */
static bool
level_is_above(struct level_walk *w, struct slice name, struct slice *key_r, bool *more_r)
{
	struct slice below;
	bool has = level_seek(w, name, name.n, '.', &below) &&
	           slice_starts(below, slice_make(w->key, w->head_n + name.n + 1));

	/* 0x20 is the lowest octet of a name: the very next key */
	*more_r = level_seek(w, name, name.n, ' ', key_r);
	return has;
}

/* Tells the part the cursor stands in, and goes on behind it. False: fn has seen enough. */
static bool
level_step(struct level_walk *w, struct slice *key, bool *more, location_level_fn *fn, void *ctx)
{
	struct slice name = slice_skip(*key, w->head_n);
	size_t domain = slice_find(name, '!');
	size_t part_n = slice_find(slice_skip(name, w->prefix_n), '.');
	struct location_level level = { .name = slice_sub(name, 0, w->prefix_n + part_n) };

	w->damaged = name.n > LOCATION_NAME_MAX;
	if (w->damaged)
		return false;
	if (domain < name.n && domain >= w->prefix_n) {
		level.name = slice_sub(name, 0, domain + 1);
		*more = level_seek(w, name, domain, '!' + 1, key);
		return !w->domains || fn(ctx, &level);
	}
	if (w->domains) {
		*more = level_seek(w, name, level.name.n, level.name.n == name.n ? ' ' : '.' + 1,
		                   key);
		return true;
	}
	if (level.name.n == name.n) {
		level.is_there = true;
		level.has_below = level_is_above(w, level.name, key, more);
		return fn(ctx, &level);
	}
	/* Told already when it is there itself: names such as "a b" sort between "a" and "a.b". */
	level.has_below = true;
	memcpy(w->key + w->head_n, level.name.p, level.name.n);
	level.is_there = kv_has(w->txn, w->table, slice_make(w->key, w->head_n + level.name.n));
	*more = level_seek(w, level.name, level.name.n, '.' + 1, key);
	return level.is_there || fn(ctx, &level);
}

static enum location_result
list_level(struct location_reader *r, struct slice identifier, struct slice prefix, bool domains,
           location_level_fn *fn, void *ctx)
{
	struct kv_txn *txn = reader_begin(r, NULL);
	struct level_walk w = {
		.txn = txn, .table = LOCATION_T_NAMES, .prefix_n = prefix.n, .domains = domains
	};
	struct slice start, key;
	bool more, complete;
	uint32_t id;

	if (txn == NULL || prefix.n > LOCATION_NAME_MAX) {
		kv_end(&txn);
		return LOCATION_BLIND;
	}
	complete = is_complete(txn);
	if (identifier.n > 0) {
		w.table = LOCATION_T_ACL;
		w.head_n = 4;
		if (!complete || !location_intern_find(txn, 'a', identifier, &id))
			return reader_end(r, txn) && complete ? LOCATION_FOUND : LOCATION_BLIND;
		(void)location_id_key(w.key, id, prefix);
	} else {
		memcpy(w.key, prefix.p, prefix.n);
	}
	start = slice_make(w.key, w.head_n + prefix.n);
	w.c = kv_cursor_new(txn, w.table);
	more = complete && kv_cursor_seek(w.c, start, &key, NULL);
	while (more && slice_starts(key, start) && key.n > start.n &&
	       level_step(&w, &key, &more, fn, ctx)) {
	}
	kv_cursor_free(&w.c);
	return reader_end(r, txn) && complete && !w.damaged ? LOCATION_FOUND : LOCATION_BLIND;
}

enum location_result
location_reader_list_level(struct location_reader *r, struct slice identifier, struct slice prefix,
                           location_level_fn *fn, void *ctx)
{
	return list_level(r, identifier, prefix, false, fn, ctx);
}

enum location_result
location_reader_list_domains(struct location_reader *r, struct slice identifier,
                             location_level_fn *fn, void *ctx)
{
	return list_level(r, identifier, SLICE(""), true, fn, ctx);
}

int
location_reader_info(struct location_reader *r, struct location_info *info_r, struct err *err)
{
	struct kv_txn *txn = reader_begin(r, err);
	struct buf hex = BUF_INIT(sizeof(info_r->history));
	uint8_t history[LOCATION_HISTORY_LEN];
	uint64_t now = clock_wall_us(), heard;

	memset(info_r, 0, sizeof(*info_r));
	if (txn == NULL)
		return -1;
	if (location_meta_history(txn, history)) {
		text_hex_add(&hex, slice_make(history, sizeof(history)));
		memcpy(info_r->history, buf_slice(&hex).p, hex.len);
		buf_fini(&hex);
	}
	info_r->revision = location_meta_u64(txn, "revision");
	info_r->term = location_meta_u64(txn, "term");
	info_r->names = kv_count(txn, LOCATION_T_NAMES);
	info_r->complete = is_complete(txn);
	heard = location_meta_u64(txn, "heard");
	info_r->age_ms = heard != 0 && now > heard ? (now - heard) / 1000 : 0;
	if (reader_end(r, txn))
		return 0;
	err_set(err, "%s: the list is damaged", r->dir);
	return -1;
}
