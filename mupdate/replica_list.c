/*
 * replica_list - what the master tells becomes the map: a whole list collected aside, or changes as
 * they come, and what speaks against either (replica.h, invariants 1, 2 and 5).
 */
#include "replica_impl.h"

#include "base/clock.h"
#include "log/log.h"

#include <inttypes.h>
#include <stdio.h>

#define LOSS_NAMES 20 /* invariant 5: of so many less than half */

/* ---- writing --------------------------------------------------------------------------------------- */

void
replica_list_commit(struct replica *r)
{
	struct err err = { "" };

	if (!mapdb_is_open(r->conf.db))
		return;
	if (mapdb_commit(r->conf.db, &err) == MAPDB_DONE) {
		service_kick(r->conf.service);
		return;
	}
	log_error(NULL, "replica.commit error=%s", log_esc(err.text));
	/* What was told is lost here: take it from the master again. */
	replica_break(r, err.text);
}

void
replica_list_mend(struct replica *r)
{
	struct err err = { "" };

	if (!mapdb_is_damaged(r->conf.db))
		return;
	if (mapdb_start_anew(r->conf.db, &err) == -1)
		log_error(NULL, "replica.damaged error=%s", log_esc(err.text));
	service_kick(r->conf.service);
}

static void
on_turn_end(void *ctx)
{
	struct replica *r = ctx;

	r->commit_deferred = false;
	replica_list_commit(r);
	if (r->broken && r->wire != NULL)
		replica_disconnect(r, r->why.text, false);
}

bool
replica_list_begin(struct replica *r)
{
	struct err err = { "" };

	if (mapdb_begin(r->conf.db, &err) == -1) {
		log_error(NULL, "replica.write error=%s", log_esc(err.text));
		replica_break(r, err.text);
		return false;
	}
	if (!r->commit_deferred)
		loop_defer(r->conf.loop, on_turn_end, r);
	r->commit_deferred = true;
	return true;
}

/* ---- what the master tells ------------------------------------------------------------------------ */

/* False: nothing a map could hold; it is left out. */
static bool
parse_record(const struct mupdate_record *rec, struct arena *a, struct location *loc_r)
{
	*loc_r = (struct location){
		.name = rec->name,
		.acl = rec->acl,
		.state = rec->kind == MUPDATE_R_MAILBOX ? LOCATION_ACTIVE : LOCATION_RESERVED,
		.left = rec->left,
	};
	if (!location_name_ok(rec->name) || !location_fields_parse(rec->fields, a, loc_r))
		return false;
	if (rec->kind == MUPDATE_R_DELETE)
		return true;
	location_place_split(rec->place, &loc_r->server, &loc_r->partition);
	return location_place_ok(loc_r->server, loc_r->partition) && location_acl_ok(loc_r->acl);
}

static bool
is_repeated(struct replica *r, const struct location *loc, struct arena *a)
{
	struct location old;

	return mapdb_find(r->conf.db, loc->name, a, &old) && old.state == loc->state &&
	       slice_eq(old.server, loc->server) && slice_eq(old.partition, loc->partition) &&
	       slice_eq(old.acl, loc->acl);
}

static void
apply(struct replica *r, const struct mupdate_record *rec, struct location *loc, struct arena *a)
{
	if (!r->extended)
		loc->revision = 0; /* ours */
	if (mapdb_is_collecting(r->conf.db)) {
		if (rec->kind == MUPDATE_R_DELETE)
			mapdb_collect_delete(r->conf.db, loc->name);
		else
			mapdb_collect_set(r->conf.db, loc);
		return;
	}
	if (!replica_list_begin(r))
		return;
	if (rec->kind == MUPDATE_R_DELETE)
		(void)mapdb_delete(r->conf.db, loc->name, loc->revision);
	else if (r->extended || !is_repeated(r, loc, a))
		(void)mapdb_set(r->conf.db, loc);
	if (r->extended &&
	    !mapdb_follow(r->conf.db, slice_of(r->history), loc->revision, r->term, false))
		replica_break(r, "the master's history makes no sense");
}

bool
replica_list_is_announced(struct replica *r)
{
	if (!r->extended || r->announced)
		return true;
	replica_break(r, "the master tells a list, and not which one");
	return false;
}

/* Each change of ours is newer than all that were told before. What is older would undo them. */
static bool
is_behind(const struct replica *r, const struct location *loc)
{
	return r->extended && !mapdb_is_collecting(r->conf.db) && loc->revision <= r->revision;
}

void
replica_list_record(void *ctx, uint64_t id, const struct mupdate_record *rec)
{
	struct replica *r = ctx;
	struct arena *a;
	struct location loc;

	if (id != r->update_id || r->broken)
		return;
	r->heard = true;
	if (!replica_list_is_announced(r))
		return;
	a = arena_new("replica.record");
	if (!parse_record(rec, a, &loc)) {
		log_warning(NULL, "replica.strange mbox=%s place=%s", log_esc_slice(rec->name),
		            log_esc_slice(rec->place));
	} else if (is_behind(r, &loc)) {
		log_error(NULL, "replica.backwards mbox=%s revision=%" PRIu64 " after=%" PRIu64,
		          log_esc_slice(rec->name), loc.revision, r->revision);
		replica_break(r,
		              "the master's changes go backwards; the list here is kept (is it one "
		              "master, and by one address?)");
	} else {
		r->revision = MAX(r->revision, loc.revision);
		apply(r, rec, &loc, a);
	}
	arena_free(&a);
}

void
replica_list_collect(struct replica *r)
{
	struct err err = { "" };

	if (mapdb_collect_begin(r->conf.db, &err) == 0)
		return;
	replica_break(r, err.text);
}

/* A difference is one from what we have, and there is one answer. */
static bool
is_asked_for(const struct replica *r, bool snapshot, const char *history, uint64_t revision)
{
	const struct mapdb_info *info = mapdb_info(r->conf.db);

	return r->extended && !r->announced &&
	       (snapshot || (info->state == LOCATION_MAP_COMPLETE && revision == info->revision &&
	                     slice_ieq_str(slice_of(history), info->history)));
}

void
replica_list_stream(void *ctx, UNUSED uint64_t id, bool snapshot, const char *history,
                    uint64_t revision)
{
	struct replica *r = ctx;

	if (r->broken)
		return;
	if (!is_asked_for(r, snapshot, history, revision)) {
		replica_break(r, "the master tells a list that was not asked for");
		return;
	}
	r->heard = r->announced = true;
	snprintf(r->history, sizeof(r->history), "%s", history);
	r->revision = revision;
	r->snapshot = snapshot;
	if (snapshot)
		replica_list_collect(r);
}

/* ---- the whole list ---------------------------------------------------------------------------------- */

int
replica_list_take(struct replica *r, struct err *err)
{
	struct mapdb *db = r->conf.db;

	if (mapdb_begin(db, err) == -1)
		return -1;
	if (mapdb_is_collecting(db) &&
	    mapdb_collect_end(db, r->extended ? r->revision : 0, err) == -1) {
		mapdb_abort(db);
		return -1;
	}
	if (!mapdb_follow(db, slice_of(r->history), r->revision, r->term,
	                  r->extended && r->snapshot)) {
		err_set(err, "the master's history makes no sense");
		mapdb_abort(db);
		return -1;
	}
	mapdb_set_state(db, LOCATION_MAP_COMPLETE);
	replica_list_set_heard(r);
	return mapdb_commit(db, err) == MAPDB_DONE ? 0 : -1;
}

bool
replica_list_check_loss(struct replica *r)
{
	uint64_t have = mapdb_count(r->conf.db), comes = mapdb_collect_count(r->conf.db);

	/* What could not be written was not lost by the master; replica_list_take() says why. */
	if (r->extended || !mapdb_collect_is_whole(r->conf.db) || have < LOSS_NAMES ||
	    comes >= have / 2)
		return true;
	log_error(NULL, "replica.loss names=%" PRIu64 " before=%" PRIu64, comes, have);
	replica_break(r, "the master has lost most of the names; the list here is kept (who wants "
	                 "the master's stops this program and empties location_dir)");
	r->has_loss = true;
	return false;
}

/* ---- how old the list is ---------------------------------------------------------------------------- */

void
replica_list_start_age(struct replica *r)
{
	uint64_t heard = mapdb_info(r->conf.db)->heard_us, now = clock_wall_us();

	r->heard_age_ms = heard != 0 && now > heard ? (now - heard) / 1000 : 0;
	r->heard_ms = clock_mono_ms();
}

void
replica_list_set_heard(struct replica *r)
{
	mapdb_set_heard(r->conf.db, clock_wall_us());
	r->heard_age_ms = 0;
	r->heard_ms = clock_mono_ms();
}
