/*
 * reconcile - the master's list of our names beside what the store has: what differs is put right, or
 * told (a plan). The table is in cluster.h.
 */
#include "cluster/cluster_impl.h"
#include "location/location.h"
#include "log/log.h"

#include <inttypes.h>
#include <stdio.h>

/* Most requests under way at a time. */
#define WINDOW 256

/* A name of ours, as the master has it. */
struct theirs {
	struct location loc;
	bool seen; /* the store has a mailbox or tombstone of it */
};

/* ASK is for plans only: what the guard leaves to a person. */
enum todo_kind { TODO_PUSH, TODO_RELEASE, TODO_CLEAR, TODO_DEACTIVATE, TODO_ASK };
struct todo {
	struct list link;
	enum todo_kind kind;
	struct slice name;
	const char *why;
	/* PUSH: plain RFC 3656 gives a name to whoever activates it last, so such a master is
	 * asked first whether another store has it. */
	bool asks, elsewhere;
};

void
reconcile_drop(struct cluster *c)
{
	cluster_plan_fn *plan = c->rec.plan;
	void *plan_ctx = c->rec.plan_ctx;

	map_free(&c->rec.theirs);
	arena_free(&c->rec.arena);
	c->rec = (struct reconcile){ .listing = false };
	list_init(&c->rec.todo);
	if (plan != NULL)
		plan(plan_ctx, NULL, false);
}

/* ---- the master's list ------------------------------------------------------------------------------ */

static void
list_record(struct cluster *c, const struct mupdate_record *rec)
{
	struct theirs *t;
	struct location loc = {
		.name = rec->name,
		.acl = rec->acl,
		.state = rec->kind == MUPDATE_R_MAILBOX ? LOCATION_ACTIVE : LOCATION_RESERVED,
	};

	location_place_split(rec->place, &loc.server, &loc.partition);
	/* LIST takes a prefix. */
	if (rec->kind == MUPDATE_R_DELETE || !slice_eq_str(loc.server, c->server) ||
	    !location_name_ok(loc.name) || !location_fields_parse(rec->fields, c->rec.arena, &loc))
		return;
	t = arena_alloc(c->rec.arena, sizeof(*t));
	t->loc = location_dup(c->rec.arena, &loc);
	(void)map_set(c->rec.theirs, t->loc.name, t);
}

static struct todo *
add_todo(struct cluster *c, enum todo_kind kind, struct slice name, const char *why)
{
	struct todo *t = arena_alloc(c->rec.arena, sizeof(*t));

	t->kind = kind;
	t->name = arena_slice_dup(c->rec.arena, name);
	t->why = why;
	t->asks = t->elsewhere = false;
	list_add_tail(&c->rec.todo, &t->link);
	return t;
}

/* ---- comparing ---------------------------------------------------------------------------------------- */

static struct names_entry
entry_of(const struct mbox_info *info)
{
	return (struct names_entry){
		.name = info->name,
		.acl = info->acl,
		.special_use = info->special_use,
		.mbox_id = info->id,
		.uidvalidity = info->uidvalidity,
		.claim = info->claim,
	};
}

/* NULL: the master has it as it is here. */
static const char *
what_differs(const struct cluster *c, const struct theirs *t, const struct mbox_info *info)
{
	const struct location *loc;
	char id[17];

	if (t == NULL && map_get(c->conflicts, info->name) != NULL)
		return "it is here, but another store has the name: it stays a conflict";
	if (t == NULL)
		return "it is here, and the master does not have it here";
	loc = &t->loc;
	snprintf(id, sizeof(id), "%" PRIx64, info->id);
	if (loc->state != LOCATION_ACTIVE)
		return "it is here, and for the master it is only reserved";
	if (!slice_eq_str(loc->partition, c->partition))
		return "the master has another partition";
	if (!slice_eq(loc->acl, info->acl))
		return "the master has another ACL";
	if (!c->extended)
		return NULL;
	if (!slice_eq_str(loc->mbox_id, id) || loc->uidvalidity != info->uidvalidity)
		return "the master knows an older mailbox of this name";
	if (!slice_eq(loc->special_use, info->special_use))
		return "the master has another special use";
	return loc->claim != info->claim ? "the master has another claim" : NULL;
}

static bool
on_mailbox(void *ctx, const struct mbox_info *info)
{
	struct cluster *c = ctx;
	struct theirs *t = map_get(c->rec.theirs, info->name);
	const char *why = info->apart ? NULL : what_differs(c, t, info);

	if (t != NULL)
		t->seen = true;
	if (info->unsettled)
		c->rec.unsettled = true;
	if (why != NULL)
		add_todo(c, TODO_PUSH, info->name, why)->asks = t == NULL && !c->extended;
	else if (c->rec.plan == NULL && !info->apart)
		cluster_set_conflict(c, info->name, false);
	return true;
}

static bool
on_tombstone(void *ctx, struct slice name)
{
	struct cluster *c = ctx;
	struct theirs *t = map_get(c->rec.theirs, name);

	if (t == NULL || t->seen) {
		/* The master has confirmed it, or the name is in use again. */
		add_todo(c, TODO_CLEAR, name,
		         "it was deleted here, and the master has forgotten it");
	} else if (!store_is_pending(c->conf.store, name)) {
		t->seen = true;
		add_todo(c, TODO_RELEASE, name, "it was deleted here, and the master has it still");
	}
	return true;
}

static void
forget_old_conflicts(struct cluster *c)
{
	struct mbox_info info;
	struct slice name;
	size_t pos = 0;
	void *value;

	while (map_next(c->conflicts, &pos, &name, &value))
		if (!store_find(c->conf.store, name, &info))
			(void)map_del(c->conflicts, name);
}

/* ACTIVE names of ours that we know nothing about: how many; add: what is to be done with
 * them. */
static uint64_t
each_unknown(struct cluster *c, bool add, enum todo_kind kind)
{
	struct slice name;
	uint64_t n = 0;
	size_t pos = 0;
	void *value;

	while (map_next(c->rec.theirs, &pos, &name, &value)) {
		struct theirs *t = value;

		if (t->seen || t->loc.state != LOCATION_ACTIVE ||
		    store_is_pending(c->conf.store, name))
			continue;
		n++;
		if (add)
			add_todo(c, kind, name,
			         "the master has it here, and this store does not know it");
	}
	return n;
}

static void
release_reservations(struct cluster *c)
{
	struct slice name;
	size_t pos = 0;
	void *value;

	while (map_next(c->rec.theirs, &pos, &name, &value)) {
		struct theirs *t = value;

		if (!t->seen && t->loc.state == LOCATION_RESERVED &&
		    !store_is_pending(c->conf.store, name))
			add_todo(c, TODO_RELEASE, name,
			         "it is reserved for an operation here that "
			         "did not come to its end");
	}
}

static void
compare_rest(struct cluster *c)
{
	uint64_t unknown = each_unknown(c, false, TODO_ASK), total = map_count(c->rec.theirs);
	bool allowed = c->rec.force || (unknown <= c->conf.guard_names &&
	                                unknown * 100 <= total * c->conf.guard_percent);

	release_reservations(c);
	if (allowed || c->rec.plan != NULL)
		(void)each_unknown(c, true, allowed ? TODO_DEACTIVATE : TODO_ASK);
	if (c->rec.plan != NULL)
		return;
	c->unknown = allowed ? 0 : unknown;
	metrics_set(&cluster_metrics[CLUSTER_M_UNKNOWN], c->unknown);
	if (!allowed)
		log_error(
			NULL,
			"cluster.guard unknown=%" PRIu64 " of=%" PRIu64
			" reason=\"the master has names here that this store does not know, and "
			"they are many: roostctl reconcile --dry-run shows them, roostctl reconcile "
			"--store %s --force takes them out of service\"",
			unknown, total, log_esc(c->server));
}

/* ---- a plan ------------------------------------------------------------------------------------------- */

static void
tell_plan(struct cluster *c)
{
	static const char *const actions[] = {
		[TODO_PUSH] = "activate", [TODO_RELEASE] = "delete",
		[TODO_CLEAR] = "forget",  [TODO_DEACTIVATE] = "deactivate",
		[TODO_ASK] = "ask",
	};
	cluster_plan_fn *plan = c->rec.plan;
	void *ctx = c->rec.plan_ctx;
	struct todo *t;

	LIST_EACH (t, &c->rec.todo, struct todo, link)
		plan(ctx, &(struct cluster_step){ actions[t->kind], t->name, t->why }, true);
	c->rec.plan = NULL;
	reconcile_drop(c);
	plan(ctx, NULL, true);
}

/* ---- doing ---------------------------------------------------------------------------------------------- */

static void pump(struct cluster *c);

static void
on_cleared(UNUSED void *ctx, UNUSED enum mbox_result result)
{
	/* One that stays is found again by the next reconciliation. */
}

/* Not a conflict, but something that is asked again and again until an operator has put it right. */
static void
refused(struct cluster *c, const struct todo *t, const struct mupdate_answer *a)
{
	log_error(NULL, "cluster.refused mbox=%s code=%s text=%s", log_esc_slice(t->name),
	          mupdate_code_text(a->code), log_esc_slice(a->text));
	c->rec.later = true;
}

static void
on_found(struct cluster *c, struct cluster_req *r, const struct mupdate_answer *a)
{
	struct todo *t = r->ctx;

	c->rec.open--;
	t->asks = false;
	if (a->status != MUPDATE_OK)
		c->rec.later = true;
	else if (t->elsewhere)
		cluster_set_conflict(c, t->name, true);
	else
		list_add_tail(&c->rec.todo, &t->link);
	pump(c);
}

static void
find_record(struct cluster *c, uint64_t id, const struct mupdate_record *rec)
{
	struct slice server, partition;
	struct cluster_req *r;
	struct todo *t;

	location_place_split(rec->place, &server, &partition);
	LIST_EACH (r, &c->reqs, struct cluster_req, link) {
		if (r->id != id || r->fn != on_found)
			continue;
		t = r->ctx;
		t->elsewhere = rec->kind != MUPDATE_R_DELETE && slice_eq(rec->name, t->name) &&
		               !slice_eq_str(server, c->server);
	}
}

static void
on_answer(struct cluster *c, struct cluster_req *r, const struct mupdate_answer *a)
{
	struct todo *t = r->ctx;
	struct mbox_info info;
	bool ok = a->status == MUPDATE_OK;
	bool later = !ok && (a->status != MUPDATE_NO || a->code == MUPDATE_CODE_LATER);

	c->rec.open--;
	if (later)
		c->rec.later = true;
	switch (t->kind) {
	case TODO_PUSH:
		if (ok && store_find(c->conf.store, t->name, &info))
			cluster_take_claim(c, t->name, info.claim, a->claim);
		if (ok || cluster_is_conflict(c, a))
			cluster_set_conflict(c, t->name, !ok);
		else if (!later)
			refused(c, t, a);
		c->rec.pushed += ok;
		break;
	case TODO_RELEASE:
		/* A NO: it is not there, or not ours any more. Unknown tombstones are fine. */
		if (!later)
			(void)store_clear_tombstone(c->conf.store, t->name, on_cleared, NULL);
		c->rec.released += ok;
		break;
	case TODO_DEACTIVATE:
		c->rec.deactivated += ok;
		break;
	case TODO_CLEAR:
	case TODO_ASK:
		must_not_reach();
	}
	pump(c);
}

/* Time has passed since the comparison: looks again. 0: nothing to ask any more. */
static uint64_t
send_todo(struct cluster *c, struct todo *t)
{
	struct mbox_info info;
	bool here = store_find(c->conf.store, t->name, &info);
	struct buf fields = BUF_INIT(4096);
	struct names_entry e;
	uint64_t id = 0;

	if (t->asks && here) {
		id = mupdate_client_find(c->core, t->name);
	} else if (t->kind == TODO_PUSH && here && !info.apart) {
		e = entry_of(&info);
		id = mupdate_client_activate(c->core, e.name, slice_of(c->place), e.acl,
		                             cluster_fields(&fields, &e));
	} else if (t->kind == TODO_RELEASE && !here && !store_is_pending(c->conf.store, t->name)) {
		id = mupdate_client_delete(c->core, t->name);
	} else if (t->kind == TODO_CLEAR) {
		(void)store_clear_tombstone(c->conf.store, t->name, on_cleared, NULL);
	} else if (t->kind == TODO_DEACTIVATE && !here &&
	           !store_is_pending(c->conf.store, t->name)) {
		log_warning(NULL, "cluster.deactivate mbox=%s reason=\"not known here\"",
		            log_esc_slice(t->name));
		id = mupdate_client_deactivate(c->core, t->name, slice_of(c->place));
	}
	buf_fini(&fields);
	return id;
}

static void
reconcile_end(struct cluster *c)
{
	log_info(NULL,
	         "cluster.reconciled pushed=%" PRIu64 " released=%" PRIu64 " deactivated=%" PRIu64
	         " conflicts=%zu unknown=%" PRIu64,
	         c->rec.pushed, c->rec.released, c->rec.deactivated, map_count(c->conflicts),
	         c->unknown);
	reconcile_drop(c);
	c->in_step = true;
}

static void
on_pushed(struct cluster *c, UNUSED struct cluster_req *r, const struct mupdate_answer *a)
{
	if (a->status == MUPDATE_OK) {
		reconcile_end(c);
		return;
	}
	log_warning(NULL, "cluster.pushed refused=%s", log_esc_slice(a->text));
	reconcile_drop(c);
	cluster_again(c);
}

static void
pump(struct cluster *c)
{
	struct todo *t;

	while (c->rec.open < WINDOW && (t = LIST_FIRST(&c->rec.todo, struct todo, link)) != NULL) {
		uint64_t id = send_todo(c, t);

		list_del(&t->link);
		if (id == 0)
			continue;
		c->rec.open++;
		cluster_expect(c, id, t->asks ? on_found : on_answer, t, 0);
	}
	if (c->rec.open > 0)
		return;
	if (c->rec.unsettled && !c->rec.later)
		c->in_step = true;
	if (c->rec.later || c->rec.unsettled) {
		reconcile_drop(c);
		cluster_again(c);
	} else if (c->extended) {
		cluster_expect(c, mupdate_client_pushed(c->core, slice_of(c->server)), on_pushed,
		               NULL, 0);
	} else {
		reconcile_end(c);
	}
}

static void
on_listed(struct cluster *c, UNUSED struct cluster_req *r, const struct mupdate_answer *a)
{
	c->rec.listing = false;
	if (a->status != MUPDATE_OK) {
		log_warning(NULL, "cluster.list refused=%s", log_esc_slice(a->text));
		cluster_break(c, "the master does not list our names");
		return;
	}
	store_each(c->conf.store, SLICE(""), on_mailbox, c);
	store_each_tombstone(c->conf.store, on_tombstone, c);
	compare_rest(c);
	if (c->rec.plan != NULL) {
		tell_plan(c);
	} else {
		forget_old_conflicts(c);
		pump(c);
	}
	cluster_ops_go(c);
}

void
reconcile_record(struct cluster *c, uint64_t id, const struct mupdate_record *rec)
{
	if (c->rec.listing && id == c->rec.list_id)
		list_record(c, rec);
	else
		find_record(c, id, rec);
}

void
reconcile_start(struct cluster *c, bool force)
{
	struct buf prefix = BUF_INIT(LOCATION_PLACE_MAX);

	must(!c->rec.running);
	timer_cancel(&c->again);
	c->rec.listing = c->rec.running = true;
	c->rec.force = force;
	c->rec.arena = arena_new("cluster.reconcile");
	c->rec.theirs = map_new();
	buf_printf(&prefix, "%s!", c->server);
	c->rec.list_id = mupdate_client_list(c->core, buf_slice(&prefix));
	cluster_expect(c, c->rec.list_id, on_listed, NULL, 0);
	buf_fini(&prefix);
}

void
reconcile_plan(struct cluster *c, bool force, cluster_plan_fn *fn, void *ctx)
{
	bool again = timer_is_set(&c->again);

	reconcile_start(c, force);
	if (again)
		cluster_again(c);
	c->rec.plan = fn;
	c->rec.plan_ctx = ctx;
}
