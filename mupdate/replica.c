#include "replica.h"

#include "base/clock.h"
#include "base/ids.h"
#include "base/list.h"
#include "base/xalloc.h"
#include "link/link.h"
#include "log/log.h"
#include "net/dial.h"
#include "proto/mupdate_client.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIAL_MS 5000
#define SETUP_MS 30000
/* Invariant 5: of so many names less than half. It is long to read, and not wanted soon. */
#define LOSS_NAMES 20
#define LOSS_RETRY_MS 60000
#define CHECK_MS 1000
#define CHECK_ROWS 20000 /* a few milliseconds */
#define NO_HISTORY "00000000000000000000000000000000"

struct waiter {
	struct list link;
	uint64_t id;
	service_barrier_done_fn *fn;
	void *ctx;
};

struct replica {
	struct replica_config conf;
	struct mupdate_client_conf core_conf;
	struct dial *dial;
	struct link *wire; /* NULL: not connected */
	struct mupdate_client *core;
	struct timer retry, keepalive, check;
	uint64_t retry_ms;
	bool broken, denied; /* the core says so: end when it has returned */
	bool has_loss;       /* invariant 5 */
	struct err why;
	bool following;
	uint64_t heard_ms, heard_age_ms; /* so old was the list at that (monotonic) time */
	char *tls_name, *user, *secret, *cluster;
	/* of this connection */
	bool extended, snapshot;
	bool announced; /* it was told what comes: STREAM, of ours only */
	bool heard;     /* something whole, since the deadline was set */
	uint64_t update_id, noop_id;
	uint64_t term;
	char history[MAPDB_HISTORY_LEN];
	uint64_t revision; /* highest told */
	uint64_t dialled_ms;
	bool commit_deferred;
	/* barriers */
	struct list asked, next; /* struct waiter: for the NOOP under way, for the next one */
	bool late_deferred;
	uint64_t next_id;
};

static void replica_connect(struct replica *r);

/* This connection is of no use any more: it is ended when the core has returned. */
static void
replica_break(struct replica *r, const char *why)
{
	r->broken = true;
	err_set(&r->why, "%s", why);
}

/* ---- barriers ---------------------------------------------------------------------------------- */

/* A waiter's function may cancel another one: each is fetched anew. */
static void
answer_all(struct list *waiters, bool ok)
{
	struct waiter *w;

	while ((w = LIST_FIRST(waiters, struct waiter, link)) != NULL) {
		service_barrier_done_fn *fn = w->fn;
		void *ctx = w->ctx;

		list_del(&w->link);
		free(w);
		fn(ctx, ok);
	}
}

static void
ask(struct replica *r)
{
	struct waiter *w;

	if (!r->following || r->noop_id != 0)
		return;
	LIST_EACH (w, &r->next, struct waiter, link) {
		list_del(&w->link);
		list_add_tail(&r->asked, &w->link);
	}
	r->noop_id = mupdate_client_noop(r->core);
	link_set_deadline(r->wire, r->conf.answer_ms);
	link_flush(r->wire);
	timer_cancel(&r->keepalive);
}

static void
on_late(void *ctx)
{
	struct replica *r = ctx;

	r->late_deferred = false;
	if (!r->following)
		answer_all(&r->next, false);
}

uint64_t
replica_barrier(void *ctx, service_barrier_done_fn *fn, void *fn_ctx)
{
	struct replica *r = ctx;
	struct waiter *w = xcalloc(1, sizeof(*w));

	w->id = ++r->next_id;
	w->fn = fn;
	w->ctx = fn_ctx;
	list_add_tail(&r->next, &w->link);
	if (r->following) {
		ask(r);
	} else if (!r->late_deferred) {
		r->late_deferred = true;
		loop_defer(r->conf.loop, on_late, r);
	}
	return w->id;
}

static void
cancel_in(struct list *waiters, uint64_t id)
{
	struct waiter *w;

	LIST_EACH (w, waiters, struct waiter, link) {
		if (w->id != id)
			continue;
		list_del(&w->link);
		free(w);
	}
}

void
replica_barrier_cancel(void *ctx, uint64_t id)
{
	struct replica *r = ctx;

	cancel_in(&r->asked, id);
	cancel_in(&r->next, id);
}

/* ---- the connection's end ------------------------------------------------------------------------ */

static void
commit(struct replica *r)
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

/* What cannot be read is had again from the master. */
static void
begin_anew_if_damaged(struct replica *r)
{
	struct err err = { "" };

	if (!mapdb_is_damaged(r->conf.db))
		return;
	if (mapdb_start_anew(r->conf.db, &err) == -1)
		log_error(NULL, "replica.damaged error=%s", log_esc(err.text));
	service_kick(r->conf.service);
}

static void
disconnect(struct replica *r, const char *why, bool denied)
{
	if (why != r->why.text)
		err_set(&r->why, "%s", why);
	log_warning(NULL, "replica.away reason=%s retry_ms=%" PRIu64, log_esc(r->why.text),
	            r->retry_ms);
	mapdb_collect_drop(r->conf.db);
	if (r->wire != NULL)
		link_abort(&r->wire);
	mupdate_client_free(&r->core);
	timer_cancel(&r->keepalive);
	r->following = false;
	r->noop_id = 0;
	commit(r);
	begin_anew_if_damaged(r);
	timer_set(&r->retry, r->has_loss ? LOSS_RETRY_MS
	                     : denied    ? r->conf.retry_max_ms
	                                 : r->retry_ms);
	r->broken = r->denied = r->has_loss = false;
	r->retry_ms = MIN(r->retry_ms * 2, r->conf.retry_max_ms);
	answer_all(&r->asked, false);
	answer_all(&r->next, false);
}

static void
on_turn_end(void *ctx)
{
	struct replica *r = ctx;

	r->commit_deferred = false;
	commit(r);
	if (r->broken && r->wire != NULL)
		disconnect(r, r->why.text, false);
}

/* Changes of one turn of the loop go to the disk together. */
static bool
begin(struct replica *r)
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
	if (!begin(r))
		return;
	if (rec->kind == MUPDATE_R_DELETE)
		(void)mapdb_delete(r->conf.db, loc->name, loc->revision);
	else if (r->extended || !is_repeated(r, loc, a))
		(void)mapdb_set(r->conf.db, loc);
	if (r->extended &&
	    !mapdb_follow(r->conf.db, slice_of(r->history), loc->revision, r->term, false))
		replica_break(r, "the master's history makes no sense");
}

/* Without STREAM nobody knows what the records of one of ours are. */
static bool
is_announced(struct replica *r)
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

static void
on_record(void *ctx, uint64_t id, const struct mupdate_record *rec)
{
	struct replica *r = ctx;
	struct arena *a;
	struct location loc;

	if (id != r->update_id || r->broken)
		return;
	r->heard = true;
	if (!is_announced(r))
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

static void
start_collecting(struct replica *r)
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

static void
on_stream(void *ctx, UNUSED uint64_t id, bool snapshot, const char *history, uint64_t revision)
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
		start_collecting(r);
}

/* ---- how old the list is ---------------------------------------------------------------------------- */

/* By the wall clock as it is at the start: what jumps from here on does no harm. */
static void
start_age(struct replica *r)
{
	uint64_t heard = mapdb_info(r->conf.db)->heard_us, now = clock_wall_us();

	r->heard_age_ms = heard != 0 && now > heard ? (now - heard) / 1000 : 0;
	r->heard_ms = clock_mono_ms();
}

/* In the open write transaction. */
static void
set_heard(struct replica *r)
{
	mapdb_set_heard(r->conf.db, clock_wall_us());
	r->heard_age_ms = 0;
	r->heard_ms = clock_mono_ms();
}

/* ---- following -------------------------------------------------------------------------------------- */

/* The list is complete: what was collected becomes the map. */
static int
take_list(struct replica *r, struct err *err)
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
	set_heard(r);
	return mapdb_commit(db, err) == MAPDB_DONE ? 0 : -1;
}

/* Invariant 5. */
static bool
check_loss(struct replica *r)
{
	uint64_t have = mapdb_count(r->conf.db), comes = mapdb_collect_count(r->conf.db);

	/* What could not be written was not lost by the master; take_list() says why. */
	if (r->extended || !mapdb_collect_is_whole(r->conf.db) || have < LOSS_NAMES ||
	    comes >= have / 2)
		return true;
	log_error(NULL, "replica.loss names=%" PRIu64 " before=%" PRIu64, comes, have);
	replica_break(r, "the master has lost most of the names; the list here is kept (who wants "
	                 "the master's stops this program and empties location_dir)");
	r->has_loss = true;
	return false;
}

static void
start_following(struct replica *r)
{
	struct err err = { "" };

	if (!is_announced(r) || !check_loss(r))
		return;
	if (take_list(r, &err) == -1) {
		log_error(NULL, "replica.write error=%s", log_esc(err.text));
		replica_break(r, err.text);
		return;
	}
	r->following = true;
	r->retry_ms = r->conf.retry_min_ms;
	r->why.text[0] = '\0';
	log_info(NULL,
	         "replica.following history=%s revision=%" PRIu64 " names=%" PRIu64
	         " took=\"%s\" ms=%" PRIu64,
	         mapdb_info(r->conf.db)->history, mapdb_info(r->conf.db)->revision,
	         mapdb_count(r->conf.db),
	         r->snapshot || !r->extended ? "the whole list" : "the difference",
	         clock_mono_ms() - r->dialled_ms);
	service_kick(r->conf.service);
	timer_set(&r->keepalive, r->conf.keepalive_ms);
	if (!list_is_empty(&r->next))
		ask(r);
}

static void
on_noop_done(struct replica *r)
{
	r->noop_id = 0;
	if (!begin(r))
		return;
	set_heard(r);
	commit(r);
	if (r->broken)
		return;
	link_set_deadline(r->wire, 0);
	timer_set(&r->keepalive, r->conf.keepalive_ms);
	answer_all(&r->asked, true);
	if (!list_is_empty(&r->next))
		ask(r);
}

static void
on_done(void *ctx, uint64_t id, const struct mupdate_answer *answer)
{
	struct replica *r = ctx;

	if (r->broken)
		return;
	r->heard = true;
	if (answer->status != MUPDATE_OK) {
		r->broken = true;
		err_set(&r->why, "the master says: %.*s", SLICE_ARG(answer->text));
	} else if (id == r->update_id) {
		start_following(r);
	} else if (id == r->noop_id) {
		on_noop_done(r);
	}
}

/* ---- connecting ------------------------------------------------------------------------------------- */

static void
on_ready(void *ctx, const struct mupdate_hello *hello)
{
	struct replica *r = ctx;
	const struct mapdb_info *info = mapdb_info(r->conf.db);
	bool known = info->state == LOCATION_MAP_COMPLETE && info->history[0] != '\0';

	r->extended = hello->extended;
	r->term = hello->extended ? hello->term : 0;
	r->announced = false;
	r->heard = true;
	r->history[0] = '\0';
	r->revision = 0;
	if (!hello->extended)
		start_collecting(r);
	r->update_id = mupdate_client_update(r->core, known ? info->history : NO_HISTORY,
	                                     known ? info->revision : 0);
}

static void
on_starttls(void *ctx)
{
	struct replica *r = ctx;

	link_start_tls_client(r->wire, r->conf.tls, r->conf.tls_name);
}

static void
on_failed(void *ctx, const char *why, bool denied)
{
	struct replica *r = ctx;

	replica_break(r, why);
	r->denied = denied;
}

/* One that tells so many changes that the answer has to wait is not silent; one whose bytes come to
 * nothing is. */
static void
set_deadline(struct replica *r)
{
	if (!r->following)
		link_set_deadline(r->wire, SETUP_MS);
	else
		link_set_deadline(r->wire, r->noop_id == 0 ? 0 : r->conf.answer_ms);
}

static size_t
on_input(void *ctx, struct slice in)
{
	struct replica *r = ctx;
	size_t used = mupdate_client_input(r->core, in);

	if (r->broken)
		disconnect(r, r->why.text, r->denied);
	else if (r->heard)
		set_deadline(r);
	r->heard = false;
	return used;
}

static void
on_tls(void *ctx)
{
	struct replica *r = ctx;

	mupdate_client_tls_started(r->core);
}

static void
on_deadline(void *ctx)
{
	disconnect(ctx, "the master does not answer", false);
}

static void
on_closed(void *ctx, enum conn_end why)
{
	disconnect(ctx, conn_end_text(why), false);
}

static const struct link_ops link_ops = {
	.input = on_input, .tls = on_tls, .deadline = on_deadline, .closed = on_closed
};
static const struct link_limits link_limits = {
	.input_bytes = 262144, .output_high = 65536, .output_low = 16384, .output_max = 8u << 20
};

static void
on_dial(void *ctx, struct conn **c, const char *why)
{
	static const struct mupdate_client_ops ops = { on_starttls, on_ready, on_record,
		                                       on_stream,   on_done,  on_failed };
	struct replica *r = ctx;

	r->dial = NULL;
	if (*c == NULL) {
		disconnect(r, why, false);
		return;
	}
	r->wire = link_new(c, &link_ops, r, &link_limits);
	r->core_conf = (struct mupdate_client_conf){
		.user = r->conf.user,
		.secret = r->conf.secret,
		.want_tls = r->conf.tls != NULL,
		.want_extension = true,
		.cluster = r->conf.cluster,
		.term = mapdb_info(r->conf.db)->term,
	};
	r->core = mupdate_client_new(&r->core_conf, &ops, r, link_out(r->wire));
	link_set_deadline(r->wire, SETUP_MS);
}

static void
replica_connect(struct replica *r)
{
	r->dialled_ms = clock_mono_ms();
	r->dial = dial_start(r->conf.loop, &r->conf.master, DIAL_MS, on_dial, r);
}

static void
on_retry(void *ctx)
{
	replica_connect(ctx);
}

static void
on_keepalive(void *ctx)
{
	ask(ctx);
}

/* Not with the keepalive, which waits while front ends ask. */
static void
on_check(void *ctx)
{
	struct replica *r = ctx;

	(void)mapdb_check_some(r->conf.db, CHECK_ROWS);
	timer_set(&r->check, CHECK_MS);
	if (!mapdb_is_damaged(r->conf.db))
		return;
	if (r->wire != NULL)
		disconnect(r, "the list here is damaged", false);
	else
		begin_anew_if_damaged(r);
}

struct replica *
replica_new(const struct replica_config *c)
{
	struct replica *r = xcalloc(1, sizeof(*r));

	r->conf = *c;
	start_age(r);
	r->conf.user = r->user = xstrdup(c->user);
	r->conf.secret = r->secret = xstrdup(c->secret);
	r->conf.cluster = r->cluster = xstrdup(c->cluster);
	if (c->tls_name != NULL)
		r->conf.tls_name = r->tls_name = xstrdup(c->tls_name);
	r->retry_ms = c->retry_min_ms;
	list_init(&r->asked);
	list_init(&r->next);
	timer_init(&r->retry, c->loop, on_retry, r);
	timer_init(&r->keepalive, c->loop, on_keepalive, r);
	timer_init(&r->check, c->loop, on_check, r);
	timer_set(&r->check, CHECK_MS);
	err_set(&r->why, "connecting");
	replica_connect(r);
	return r;
}

void
replica_free(struct replica **rp)
{
	struct replica *r = *rp;
	struct waiter *w;

	if (r == NULL)
		return;
	dial_cancel(&r->dial);
	if (r->wire != NULL)
		link_abort(&r->wire);
	mupdate_client_free(&r->core);
	mapdb_collect_drop(r->conf.db);
	commit(r);
	LIST_EACH (w, &r->asked, struct waiter, link)
		free(w);
	LIST_EACH (w, &r->next, struct waiter, link)
		free(w);
	timer_fini(&r->retry);
	timer_fini(&r->keepalive);
	timer_fini(&r->check);
	loop_forget(r->conf.loop, r);
	secret_wipe(r->secret, strlen(r->secret));
	free(r->secret);
	free(r->user);
	free(r->cluster);
	free(r->tls_name);
	free(r);
	*rp = NULL;
}

bool
replica_is_following(const struct replica *r)
{
	return r->following;
}

uint64_t
replica_age_ms(const struct replica *r)
{
	return clock_mono_ms() - r->heard_ms + r->heard_age_ms;
}

const char *
replica_why(const struct replica *r)
{
	return r->why.text;
}
