#include "feed.h"

#include "base/map.h"
#include "base/xalloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Rows looked at in one step: those that are not told cost time too. */
#define ROWS_PER_STEP 5000
/* So many changes back AGAIN looks for deletions. */
#define AGAIN_CHANGES 10000

enum feed_phase { NAMES, AGAIN, CHANGES, LIVE };

struct feed {
	struct mapdb *db;
	struct mupdate_server *core;
	enum feed_kind kind;
	enum feed_phase phase;
	char tag[MUPDATE_TAG_MAX + 1];
	char place[LOCATION_PLACE_MAX + 2];
	char **hosts;
	unsigned host_count;
	uint64_t lag_max;
	char last[LOCATION_NAME_MAX]; /* NAMES: told up to and with this */
	size_t last_len;
	uint64_t revision; /* CHANGES, LIVE: told up to and with this */
	/* AGAIN */
	uint64_t gone_revision; /* deletions are looked at up to and with this */
	char gone[LOCATION_NAME_MAX];
	size_t gone_len, gone_at; /* told again for what is in front of gone_at */
	struct map *told;         /* such starts of names -> f itself */
	bool announced;           /* the STREAM line is out (UPDATE SINCE) */
	bool is_since, snapshot, by_octets;
	/* one step */
	const struct buf *out;
	size_t stop_at;
	unsigned rows;
	bool stopped; /* for want of room or time */
};

static bool
can_resume(const struct mapdb_info *info, const struct feed_ask *ask)
{
	return ask->is_since && ask->is_part && slice_ieq_str(ask->history, info->history) &&
	       ask->revision <= info->revision && ask->revision + 1 >= info->oldest;
}

struct feed *
feed_new(struct mapdb *db, struct mupdate_server *core, const struct feed_ask *ask)
{
	struct feed *f = xcalloc(1, sizeof(*f));
	const struct mapdb_info *info = mapdb_info(db);

	must(strlen(ask->tag) <= MUPDATE_TAG_MAX);
	f->db = db;
	f->core = core;
	f->kind = ask->kind;
	f->lag_max = ask->lag_max;
	f->is_since = ask->is_since;
	f->by_octets = ask->by_octets && !mupdate_server_is_extended(core);
	memcpy(f->tag, ask->tag, strlen(ask->tag) + 1);
	/* A longer prefix matches nothing; so does this one, cut, which is one too long. */
	snprintf(f->place, sizeof(f->place), "%.*s", SLICE_ARG(ask->place));
	f->snapshot = ask->kind == FEED_UPDATE && !can_resume(info, ask);
	f->phase = f->snapshot || ask->kind == FEED_LIST ? NAMES : CHANGES;
	f->revision = f->phase == NAMES ? info->revision : ask->revision;
	f->host_count = ask->host_count;
	f->hosts = xcalloc(ask->host_count + 1, sizeof(*f->hosts));
	for (unsigned i = 0; i < ask->host_count; i++)
		f->hosts[i] = slice_dup(ask->hosts[i]);
	return f;
}

void
feed_free(struct feed **f)
{
	if (*f == NULL)
		return;
	for (unsigned i = 0; i < (*f)->host_count; i++)
		free((*f)->hosts[i]);
	free((*f)->hosts);
	map_free(&(*f)->told);
	free(*f);
	*f = NULL;
}

uint64_t
feed_revision(const struct feed *f)
{
	return f->revision;
}

bool
feed_is_update(const struct feed *f)
{
	return f->kind == FEED_UPDATE;
}

bool
feed_is_in_list(const struct feed *f)
{
	return f->phase == NAMES;
}

/* ---- lines ----------------------------------------------------------------------------------- */

static bool
has_room(struct feed *f)
{
	f->stopped = f->out->len >= f->stop_at || ++f->rows > ROWS_PER_STEP;
	return !f->stopped;
}

void
feed_tell(struct mupdate_server *core, const char *tag, const struct location *loc)
{
	struct buf place = BUF_INIT(LOCATION_PLACE_MAX), fields = BUF_INIT(SIZE_MAX);

	location_place_add(&place, loc);
	if (mupdate_server_is_extended(core))
		location_fields_add(&fields, loc);
	if (loc->state == LOCATION_ACTIVE)
		mupdate_server_record(core, tag, loc->name, buf_slice(&place), loc->acl,
		                      buf_slice(&fields));
	else
		mupdate_server_reserved(core, tag, loc->name, buf_slice(&place),
		                        loc->left ? &loc->acl : NULL, buf_slice(&fields));
	buf_fini(&place);
	buf_fini(&fields);
}

static bool
wants_server(const struct feed *f, struct slice server)
{
	for (unsigned i = 0; i < f->host_count; i++)
		if (slice_eq_str(server, f->hosts[i]))
			return true;
	return f->host_count == 0;
}

static bool
tell_name(struct feed *f, const struct location *loc)
{
	struct buf place = BUF_INIT(LOCATION_PLACE_MAX);

	if (!has_room(f))
		return false;
	must(loc->name.n <= sizeof(f->last));
	memcpy(f->last, loc->name.p, loc->name.n);
	f->last_len = loc->name.n;
	location_place_add(&place, loc);
	if (wants_server(f, loc->server) && slice_starts(buf_slice(&place), slice_of(f->place)))
		feed_tell(f->core, f->tag, loc);
	buf_fini(&place);
	return true;
}

static bool
on_name(void *ctx, const struct location *loc)
{
	return tell_name(ctx, loc);
}

static bool
on_change(void *ctx, const struct mapdb_change *c)
{
	struct feed *f = ctx;
	const struct location none = { .revision = c->revision };
	struct buf fields = BUF_INIT(SIZE_MAX);

	if (!has_room(f))
		return false;
	f->revision = c->revision;
	if (c->loc != NULL && wants_server(f, c->loc->server)) {
		feed_tell(f->core, f->tag, c->loc);
	} else {
		/* Gone, or moved to a server this subscriber does not care for. */
		location_fields_add(&fields, &none);
		mupdate_server_deleted(f->core, f->tag, c->name, buf_slice(&fields));
	}
	buf_fini(&fields);
	return true;
}

/* ---- what Cyrus takes for gone ----------------------------------------------------------------- */

/*
 * A Cyrus front end goes through our list and its own side by side. Both are in Cyrus' order
 * (location/tables.h), but it compares names by their octets. Where it has a name that is gone
 * from ours, those that come behind it in the one order and before it in the other are gone for
 * it, too: with "user.fred.z" goes "user.fred-x". So these are told again behind the list, for
 * what was deleted lately.
 *
 * In one order before c, in the other behind it: the octets from low to high.
 */
static bool
misplaced(char c, char *low_r, char *high_r)
{
	*low_r = c == '.' ? ' ' : '/';
	*high_r = c == '.' ? '-' : ']';
	return c == '.' || c == '^';
}

static bool
on_misplaced(void *ctx, const struct location *loc)
{
	struct feed *f = ctx;
	char low, high;

	if (!misplaced(f->gone[f->gone_at], &low, &high) || loc->name.n <= f->gone_at ||
	    memcmp(loc->name.p, f->gone, f->gone_at) != 0 || loc->name.p[f->gone_at] > high)
		return false;
	return tell_name(f, loc);
}

/* The names that differ from the one that is gone at gone_at, and are misplaced. */
static int
tell_misplaced(struct feed *f)
{
	char before[LOCATION_NAME_MAX + 1], low, high;
	struct slice from = slice_make(f->last, f->last_len);
	size_t n = f->gone_at;

	if (!misplaced(f->gone[n], &low, &high) ||
	    map_get(f->told, slice_make(f->gone, n + 1)) != NULL)
		return 0;
	if (from.n == 0) {
		memcpy(before, f->gone, n);
		before[n] = (char)(low - 1);
		before[n + 1] = 0x7f;
		from = slice_make(before, MIN(n + 2, LOCATION_NAME_MAX));
	}
	if (mapdb_each_after(f->db, from, on_misplaced, f) == -1)
		return -1;
	if (!f->stopped)
		(void)map_set(f->told, slice_make(f->gone, n + 1), f);
	return 0;
}

static bool
on_gone(void *ctx, const struct mapdb_change *c)
{
	struct feed *f = ctx;
	size_t bang = slice_find(c->name, '!');

	f->gone_revision = c->revision;
	if (c->loc != NULL || c->name.n > sizeof(f->gone))
		return true;
	memcpy(f->gone, c->name.p, c->name.n);
	f->gone_len = c->name.n;
	f->gone_at = bang < c->name.n ? bang + 1 : 0;
	f->last_len = 0;
	return false;
}

static void
start_again(struct feed *f)
{
	const struct mapdb_info *info = mapdb_info(f->db);

	f->phase = AGAIN;
	f->told = map_new();
	f->gone_revision = info->oldest - 1;
	if (info->revision > AGAIN_CHANGES)
		f->gone_revision = MAX(f->gone_revision, info->revision - AGAIN_CHANGES);
}

static enum feed_result
step_again(struct feed *f)
{
	for (;;) {
		for (; f->gone_at < f->gone_len; f->gone_at++, f->last_len = 0) {
			if (tell_misplaced(f) == -1)
				return FEED_FAILED;
			if (f->stopped)
				return FEED_MORE;
		}
		if (!has_room(f))
			return FEED_MORE;
		f->gone_len = 0;
		/* 0: the log has become shorter meanwhile */
		if (mapdb_each_change(f->db, f->gone_revision, on_gone, f) == -1)
			return FEED_FAILED;
		if (f->gone_len == 0)
			break;
	}
	map_free(&f->told);
	f->phase = LIVE;
	return FEED_MORE;
}

/* ---- steps ----------------------------------------------------------------------------------- */

/* Cyrus wants its own order. With a place the names come by server, too: a store that asks for
 * its own does not pay for those of all. */
static int
each_name(struct feed *f)
{
	struct slice place = slice_of(f->place), last = slice_make(f->last, f->last_len);
	size_t bang = slice_find(place, '!');
	const struct mapdb_by_server by = { .prefix = slice_sub(place, 0, bang),
		                            .whole = bang < place.n,
		                            .after = last };

	if (!f->by_octets && (place.n > 0 || !mupdate_server_is_extended(f->core)))
		return mapdb_each_of(f->db, &by, on_name, f);
	return mapdb_each_after(f->db, last, on_name, f);
}

static void
say_streaming(struct feed *f)
{
	mupdate_server_reply(f->core, f->tag, MUPDATE_OK, MUPDATE_CODE_NONE, "streaming starts");
}

static enum feed_result
step_names(struct feed *f)
{
	if (each_name(f) == -1)
		return FEED_FAILED;
	if (f->stopped)
		return FEED_MORE;
	if (f->kind == FEED_LIST) {
		mupdate_server_reply(f->core, f->tag, MUPDATE_OK, MUPDATE_CODE_NONE,
		                     "list complete");
		return FEED_DONE;
	}
	/* In a list Cyrus wants neither a DELETE nor a name for the second time. */
	if (mupdate_server_is_extended(f->core)) {
		f->phase = CHANGES;
	} else {
		say_streaming(f);
		f->phase = LIVE;
		if (!f->by_octets)
			start_again(f);
	}
	return FEED_MORE;
}

static enum feed_result
step_changes(struct feed *f)
{
	if (mapdb_each_change(f->db, f->revision, on_change, f) != 1)
		return FEED_FAILED;
	if (f->stopped)
		return mapdb_info(f->db)->revision - f->revision > f->lag_max && f->phase == LIVE
		               ? FEED_FAILED
		               : FEED_MORE;
	f->revision = mapdb_info(f->db)->revision;
	if (f->phase == CHANGES)
		say_streaming(f);
	f->phase = LIVE;
	return FEED_LIVE;
}

enum feed_result
feed_step(struct feed *f, const struct buf *out, size_t room)
{
	enum feed_result r;

	f->out = out;
	f->stop_at = out->len + room;
	f->stopped = false;
	f->rows = 0;
	if (f->is_since && !f->announced)
		mupdate_server_stream(f->core, f->tag, f->snapshot, mapdb_info(f->db)->history,
		                      f->revision);
	f->announced = true;
	if (f->phase == NAMES) {
		r = step_names(f);
		if (r != FEED_MORE || f->phase == NAMES)
			return r;
	}
	if (f->phase == AGAIN) {
		r = step_again(f);
		if (r != FEED_MORE || f->phase == AGAIN)
			return r;
	}
	return step_changes(f);
}
