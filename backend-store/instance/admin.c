/*
 * admin - mailboxes and users by the control socket: see ctl/ctl.h.
 *
 * Each command is a job: what is left to be done, one step after the other, then the answer.
 */
#include <stdlib.h>

#include "base/arena.h"
#include "base/xalloc.h"
#include "instance/instance.h"
#include "json/json.h"
#include "log/log.h"
#include "mail/mbox_name.h"
#include "mailbox/mailbox.h"

#define LIST_MOST 10000
#define DEADLINE_MS 30000

struct job {
	struct instance *instance;
	struct ctl_req *req;
	struct arena *arena;
	const char *what;    /* for errors and the log */
	struct slice *names; /* to be deleted, or listed */
	size_t count, at;
	struct json *fields, *items;
};

static struct job *
job_new(struct instance *i, struct ctl_req *req, const char *what)
{
	struct job *j = xcalloc(1, sizeof(*j));

	j->instance = i;
	j->req = req;
	j->what = what;
	j->arena = arena_new("store.admin");
	return j;
}

static void
job_free(struct job *j)
{
	json_free(&j->fields);
	arena_free(&j->arena);
	free(j);
}

static const char *
error_of(enum mbox_result r)
{
	switch (r) {
	case MBOX_ABSENT:
		return "notfound";
	case MBOX_EXISTS:
		return "exists";
	case MBOX_INVALID:
		return "invalid";
	case MBOX_CANNOT:
		return "denied";
	case MBOX_TOOBIG:
	case MBOX_OVERQUOTA:
		return "limit";
	case MBOX_CORRUPT:
		return "internal";
	case MBOX_OK:
	case MBOX_FULL:
	case MBOX_BUSY:
	case MBOX_UNAVAILABLE:
		break;
	}
	return "temp";
}

static const char *
text_of(enum mbox_result r)
{
	static const char *const texts[] = {
		[MBOX_OK] = "done",
		[MBOX_ABSENT] = "there is no such mailbox",
		[MBOX_EXISTS] = "the name is taken, here or on another store",
		[MBOX_INVALID] = "this can never be the name of a mailbox",
		[MBOX_CANNOT] = "this cannot be done with this mailbox",
		[MBOX_TOOBIG] = "it is too big",
		[MBOX_FULL] = "the disk is full",
		[MBOX_OVERQUOTA] = "it is more than the quota allows",
		[MBOX_BUSY] = "too much is going on",
		[MBOX_UNAVAILABLE] =
			("not now: the location master is away, its list is not complete, or it "
		         "refuses this store; or the log cannot be written (roostctl status here "
		         "and on the master, and the log say which); or the user is being moved "
		         "(roostctl move status)"),
		[MBOX_CORRUPT] = "what is on disk is damaged",
	};

	return texts[r];
}

void
admin_fail(struct ctl_req *req, const char *what, enum mbox_result r)
{
	ctl_fail(req, error_of(r), "%s: %s", what, text_of(r));
}

static void
job_end(struct job *j, enum mbox_result r)
{
	if (r == MBOX_OK)
		ctl_reply(j->req, &j->fields);
	else
		admin_fail(j->req, j->what, r);
	job_free(j);
}

static void
on_done(void *ctx, enum mbox_result r)
{
	struct job *j = ctx;

	log_info(NULL, "store.admin cmd=%s result=%s", j->what, mbox_result_name(r));
	job_end(j, r);
}

const char *
admin_need(struct ctl_req *req, const struct json *args, const char *field)
{
	const char *value = json_get_str(args, field);

	if (value == NULL)
		ctl_fail(req, "usage", "the field %s is missing", field);
	return value;
}

struct admin_change {
	struct ctl_req *req;
	const char *what;
};

struct admin_change *
admin_change_new(struct ctl_req *req, const char *what)
{
	struct admin_change *c = xcalloc(1, sizeof(*c));

	c->req = req;
	c->what = what;
	return c;
}

void
admin_changed(struct admin_change **cp, enum mbox_result r, const char *error, const char *why)
{
	struct admin_change *c = *cp;
	struct json *none = NULL;

	*cp = NULL;
	log_info(NULL, "store.admin cmd=%s result=%s", c->what, mbox_result_name(r));
	if (r == MBOX_OK)
		ctl_reply(c->req, &none);
	else if (error != NULL)
		ctl_fail(c->req, error, "%s: %s", c->what, why);
	else
		admin_fail(c->req, c->what, r);
	free(c);
}

/* ---- mailboxes -------------------------------------------------------------------------------- */

static void create_next(void *ctx, enum mbox_result r);

/* The levels above that are missing, from the top, then the mailbox: j->names. */
static void
list_levels(struct job *j, struct slice name)
{
	struct slice root = mbox_name_root(name);
	size_t from = root.n > 0 ? root.n : mbox_name_domain(name).n;
	struct mbox_info info;

	j->names = arena_array(j->arena, MBOX_NAME_MAX, sizeof(*j->names));
	for (size_t at = from + 1; at < name.n; at++)
		/* there is no user.fred.INBOX above user.fred.INBOX.a */
		if (name.p[at] == '.' && mbox_name_check(slice_sub(name, 0, at)) == MBOX_NAME_OK &&
		    !store_find(j->instance->store, slice_sub(name, 0, at), &info))
			j->names[j->count++] = arena_slice_dup(j->arena, slice_sub(name, 0, at));
	j->names[j->count++] = arena_slice_dup(j->arena, name);
}

static void
create_next(void *ctx, enum mbox_result r)
{
	struct job *j = ctx;
	bool last = j->at == j->count;

	/* a level that somebody else has made meanwhile is as good */
	if (last || (r != MBOX_OK && r != MBOX_EXISTS)) {
		on_done(j, r);
		return;
	}
	(void)store_create(j->instance->store, j->names[j->at++], SLICE(""), create_next, j);
}

static void
cmd_create(void *ctx, struct ctl_req *req, const struct json *args)
{
	struct instance *i = ctx;
	const char *name = admin_need(req, args, "mailbox");
	struct mbox_user user;
	struct slice mbox;
	struct job *j;

	if (name == NULL)
		return;
	mbox = slice_of(name);
	j = job_new(i, req, "mailbox.create");
	/* An INBOX comes with the folders of a new user. */
	if (mbox_name_check(mbox) == MBOX_NAME_OK && mbox_name_is_inbox(mbox) &&
	    mbox_user_of_name(mbox, store_default_domain(i->store), &user)) {
		(void)store_create_user(i->store, mbox_user_slice(&user), on_done, j);
	} else if (mbox_name_check(mbox) == MBOX_NAME_OK && json_get_bool(args, "parents", false)) {
		list_levels(j, mbox);
		create_next(j, MBOX_OK);
	} else {
		(void)store_create(i->store, mbox, SLICE(""), on_done, j);
	}
}

static bool
collect(void *ctx, const struct mbox_info *info)
{
	struct job *j = ctx;

	if (j->count == LIST_MOST)
		return false;
	j->names[j->count++] = arena_slice_dup(j->arena, info->name);
	return true;
}

static void
delete_next(void *ctx, enum mbox_result r)
{
	struct job *j = ctx;
	struct instance *i = j->instance;

	/* Gone meanwhile is as good. */
	if ((r != MBOX_OK && r != MBOX_ABSENT) || j->at == j->count) {
		on_done(j, r == MBOX_ABSENT ? MBOX_OK : r);
		return;
	}
	j->at++;
	(void)store_delete(i->store, j->names[j->count - j->at], false, delete_next, j);
}

struct tree {
	struct job *job;
	struct slice top;
	struct slice *names; /* NULL: they are counted */
	size_t count;
};

static bool
on_tree(void *ctx, const struct mbox_info *info)
{
	struct tree *t = ctx;

	if (!slice_eq(info->name, t->top) && !mbox_name_is_below(info->name, t->top))
		return true;
	if (t->names != NULL)
		t->names[t->count] = arena_slice_dup(t->job->arena, info->name);
	t->count++;
	return true;
}

/* Names below, then the name itself. All of them, or who asked would be told too much. */
static void
delete_tree(struct job *j, struct slice name)
{
	struct store *store = j->instance->store;
	struct tree t = { .job = j, .top = name };

	store_each(store, name, on_tree, &t);
	t.names = arena_array(j->arena, t.count + 1, sizeof(*t.names));
	t.count = 0;
	store_each(store, name, on_tree, &t);
	j->names = t.names;
	j->count = t.count;
	delete_next(j, MBOX_OK);
}

static void
cmd_delete(void *ctx, struct ctl_req *req, const struct json *args)
{
	struct instance *i = ctx;
	const char *name = admin_need(req, args, "mailbox");
	bool tree = json_get_bool(args, "tree", false);
	struct slice mbox = slice_of(name);
	struct mbox_info info;
	struct job *j;

	if (name == NULL)
		return;
	if (mbox_name_is_inbox(mbox) && !tree) {
		ctl_fail(req, "denied",
		         "this is a user's INBOX: it goes only with all of the user's mailboxes "
		         "(--tree)");
		return;
	}
	j = job_new(i, req, "mailbox.delete");
	if (tree && !mbox_name_is_inbox(mbox) && mbox_name_check(mbox) == MBOX_NAME_OK &&
	    store_find(i->store, mbox, &info) && info.has_children)
		delete_tree(j, mbox);
	else
		(void)store_delete(i->store, mbox, mbox_name_is_inbox(mbox), on_done, j);
}

static void
cmd_rename(void *ctx, struct ctl_req *req, const struct json *args)
{
	struct instance *i = ctx;
	const char *name = admin_need(req, args, "mailbox");
	const char *to = name != NULL ? admin_need(req, args, "to") : NULL;

	if (to != NULL)
		(void)store_rename(i->store, slice_of(name), slice_of(to), on_done,
		                   job_new(i, req, "mailbox.rename"));
}

/* ---- lists -------------------------------------------------------------------------------------- */

static void
list_next(void *ctx, enum mbox_result r, const struct mailbox_status *st)
{
	struct job *j = ctx;
	struct mbox_info info;
	struct slice name;

	if (r == MBOX_OK && j->at > 0) {
		struct json *o = json_add_object(j->items);

		json_set_slice(o, "mailbox", j->names[j->at - 1]);
		json_set_int(o, "messages", st->messages);
		json_set_int(o, "bytes", (int64_t)st->bytes);
		json_set_int(o, "uidvalidity", st->uidvalidity);
		if (store_find(j->instance->store, j->names[j->at - 1], &info))
			admin_add_acl(o, info.acl);
	}
	if (j->at == j->count) {
		job_end(j, MBOX_OK);
		return;
	}
	name = j->names[j->at++];
	(void)mailbox_status(j->instance->store, name, list_next, j);
}

static void
cmd_list(void *ctx, struct ctl_req *req, const struct json *args)
{
	struct instance *i = ctx;
	const char *prefix = json_get_str(args, "prefix");
	struct job *j = job_new(i, req, "mailbox.list");

	j->fields = json_new_object();
	j->items = json_set_array(j->fields, "mailboxes");
	j->names = arena_array(j->arena, LIST_MOST, sizeof(*j->names));
	store_each(i->store, slice_of(prefix != NULL ? prefix : ""), collect, j);
	json_set_bool(j->fields, "more", j->count == LIST_MOST);
	list_next(j, MBOX_OK, NULL);
}

/* ---- users ---------------------------------------------------------------------------------------- */

static void
cmd_user_create(void *ctx, struct ctl_req *req, const struct json *args)
{
	struct instance *i = ctx;
	const char *login = admin_need(req, args, "user");
	struct mbox_user user;

	if (login == NULL)
		return;
	if (mbox_user_from_login(slice_of(login), store_default_domain(i->store), &user))
		(void)store_create_user(i->store, mbox_user_slice(&user), on_done,
		                        job_new(i, req, "user.create"));
	else
		ctl_fail(req, "invalid", "this can be no user");
}

static void
cmd_user_delete(void *ctx, struct ctl_req *req, const struct json *args)
{
	struct instance *i = ctx;
	const char *login = admin_need(req, args, "user");
	struct slice domain = store_default_domain(i->store);
	struct mbox_user user;
	struct mbox_name inbox;

	if (login == NULL)
		return;
	if (mbox_user_from_login(slice_of(login), domain, &user) &&
	    mbox_name_of_user(mbox_user_slice(&user), domain, &inbox))
		(void)store_delete(i->store, mbox_name_slice(&inbox), true, on_done,
		                   job_new(i, req, "user.delete"));
	else
		ctl_fail(req, "invalid", "this can be no user");
}

/* ---- the master's list ----------------------------------------------------------------------------- */

static void
on_step(void *ctx, const struct cluster_step *step, bool ok)
{
	struct job *j = ctx;

	if (step == NULL && ok) {
		json_set_int(j->fields, "count", (int64_t)j->count);
		json_set_bool(j->fields, "more", j->count > LIST_MOST);
		job_end(j, MBOX_OK);
	} else if (step == NULL) {
		job_end(j, MBOX_UNAVAILABLE);
	} else if (++j->count <= LIST_MOST) {
		struct json *o = json_add_object(j->items);

		json_set_str(o, "action", step->action);
		json_set_slice(o, "mailbox", step->name);
		json_set_str(o, "why", step->why);
	}
}

static void
plan(struct instance *i, struct ctl_req *req, bool force)
{
	struct job *j = job_new(i, req, "reconcile");

	j->fields = json_new_object();
	j->items = json_set_array(j->fields, "steps");
	if (cluster_plan(i->cluster, force, on_step, j))
		return;
	job_free(j);
	ctl_fail(req, "temp",
	         "the location master is away, or the lists are being compared just now");
}

static void
cmd_reconcile(void *ctx, struct ctl_req *req, const struct json *args)
{
	struct instance *i = ctx;
	bool force = json_get_bool(args, "force", false);

	if (i->cluster == NULL) {
		ctl_fail(req, "invalid", "this store is in no cluster");
	} else if (json_get_bool(args, "dry_run", false)) {
		plan(i, req, force);
	} else if (!cluster_force(i->cluster, force)) {
		ctl_fail(req, "temp", "the location master is away");
	} else {
		log_warning(NULL, "store.reconcile force=%d", force);
		ctl_reply(req, &(struct json *){ NULL });
	}
}

static const struct ctl_cmd commands[] = {
	{ "mailbox.create", "mailbox [parents]",
	  "Makes a mailbox; an INBOX with the user's folders; with parents the levels above that "
	  "are missing.",
	  cmd_create, DEADLINE_MS },
	{ "mailbox.delete", "mailbox [tree]", "Deletes a mailbox, with tree all below it too.",
	  cmd_delete, DEADLINE_MS },
	{ "mailbox.rename", "mailbox to", "Renames a mailbox and all below it.", cmd_rename,
	  DEADLINE_MS },
	{ "mailbox.list", "[prefix]",
	  "Mailboxes, how much is in them, and their ACLs; at most 10,000.", cmd_list,
	  DEADLINE_MS },
	{ "user.create", "user", "Makes a user's mailboxes.", cmd_user_create, DEADLINE_MS },
	{ "user.delete", "user", "Deletes all mailboxes and subscriptions of a user.",
	  cmd_user_delete, DEADLINE_MS },
	{ "reconcile", "[force] [dry_run]",
	  "Compares our mailboxes with the master's list; with force without the guard; with "
	  "dry_run only tells what would be done.",
	  cmd_reconcile, DEADLINE_MS },
	{ .name = NULL },
};

void
admin_start(struct instance *i)
{
	ctl_register(svc_ctl(i->svc), commands, i);
	admin_acl_start(i);
	admin_quota_start(i);
}
