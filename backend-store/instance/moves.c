/* moves - moves of users by the control socket: see ctl/ctl.h and transfer/transfer.h. */
#include "instance/instance.h"
#include "json/json.h"
#include "log/log.h"
#include "mail/mbox_name.h"

static const char *
error_of(enum transfer_answer a)
{
	static const char *const errors[] = {
		[TRANSFER_OK] = "internal",   [TRANSFER_NOTFOUND] = "notfound",
		[TRANSFER_EXISTS] = "exists", [TRANSFER_INVALID] = "invalid",
		[TRANSFER_DENIED] = "denied", [TRANSFER_TEMP] = "temp",
	};

	return errors[a];
}

/* False: it was said why. */
static bool
get_user(struct instance *i, struct ctl_req *req, const struct json *args, struct mbox_user *u)
{
	const char *login = json_get_str(args, "user");

	if (login == NULL)
		ctl_fail(req, "usage", "the field user is missing");
	else if (!mbox_user_from_login(slice_of(login), store_default_domain(i->store), u))
		ctl_fail(req, "invalid", "this can be no user");
	else
		return true;
	return false;
}

static void
answer(struct ctl_req *req, enum transfer_answer a, const struct err *err)
{
	if (a == TRANSFER_OK)
		ctl_reply(req, &(struct json *){ NULL });
	else
		ctl_fail(req, error_of(a), "%s", err->text);
}

static const char *
get_target(struct ctl_req *req, const struct json *args)
{
	const char *target = json_get_str(args, "store");

	if (target == NULL)
		ctl_fail(req, "usage", "the field store is missing");
	return target;
}

static void
cmd_start(void *ctx, struct ctl_req *req, const struct json *args)
{
	struct instance *i = ctx;
	const char *target = get_target(req, args);
	struct mbox_user user;
	struct err err;
	enum transfer_answer a;

	if (target == NULL || !get_user(i, req, args, &user))
		return;
	a = transfer_start(i->transfer, mbox_user_slice(&user), slice_of(target),
	                   json_get_bool(args, "keep", false), &err);
	answer(req, a, &err);
}

static void
cmd_undo(void *ctx, struct ctl_req *req, const struct json *args)
{
	struct instance *i = ctx;
	struct mbox_user user;
	struct err err;

	if (get_user(i, req, args, &user)) {
		enum transfer_answer a = transfer_undo(i->transfer, mbox_user_slice(&user), &err);

		answer(req, a, &err);
	}
}

static void
cmd_drop(void *ctx, struct ctl_req *req, const struct json *args)
{
	struct instance *i = ctx;
	struct mbox_user user;
	struct err err;

	if (get_user(i, req, args, &user)) {
		enum transfer_answer a = transfer_drop(i->transfer, mbox_user_slice(&user), &err);

		answer(req, a, &err);
	}
}

/* ---- status ------------------------------------------------------------------------------ */

struct status {
	struct instance *i;
	struct json *moves;
	const char *user; /* only his; NULL: all */
};

static void
add_move(void *ctx, const struct transfer_info *m)
{
	struct status *s = ctx;
	struct json *o;

	if (s->user != NULL && !slice_eq_str(slice_of(s->user), m->user))
		return;
	o = json_add_object(s->moves);
	json_set_str(o, "user", m->user);
	json_set_str(o, "from", m->out ? s->i->server : m->peer);
	json_set_str(o, "to", m->out ? m->peer : s->i->server);
	json_set_str(o, "side", m->out ? "source" : "target");
	json_set_str(o, "step", m->step);
	json_set_bool(o, "over", m->over);
	json_set_bool(o, "moved", m->moved);
	json_set_str(o, "why", m->why);
	json_set_int(o, "messages", (int64_t)m->messages);
	json_set_int(o, "messages_done", (int64_t)m->messages_done);
	json_set_int(o, "bytes", (int64_t)m->bytes);
	json_set_int(o, "bytes_done", (int64_t)m->bytes_done);
	json_set_int(o, "ms", (int64_t)m->ms);
	json_set_int(o, "closed_ms", (int64_t)m->closed_ms);
}

/* Copies that were kept are told, too. */
static void
add_kept(void *ctx, const struct move_record *r)
{
	struct status *s = ctx;
	struct json *o;

	if (r->state != MOVE_KEPT || (s->user != NULL && !slice_eq_str(r->user, s->user)))
		return;
	o = json_add_object(s->moves);
	json_set_slice(o, "user", r->user);
	json_set_str(o, "from", s->i->server);
	json_set_slice(o, "to", r->peer);
	json_set_str(o, "side", "source");
	json_set_str(o, "step", "kept");
	json_set_bool(o, "over", true);
	json_set_bool(o, "moved", true);
	json_set_str(o, "why", "its copy is kept here, hidden");
}

static void
cmd_status(void *ctx, struct ctl_req *req, const struct json *args)
{
	struct instance *i = ctx;
	struct json *fields = json_new_object();
	struct status s = { i, json_set_array(fields, "moves"), NULL };
	struct mbox_user user;

	if (json_get_str(args, "user") != NULL) {
		if (!get_user(i, req, args, &user)) {
			json_free(&fields);
			return;
		}
		s.user = user.s;
	}
	transfer_each(i->transfer, add_move, &s);
	store_each_move(i->store, add_kept, &s);
	ctl_reply(req, &fields);
}

/* What would be moved, if it could begin. */
static void
cmd_plan(void *ctx, struct ctl_req *req, const struct json *args)
{
	struct instance *i = ctx;
	const char *target = get_target(req, args);
	struct json *fields;
	struct mbox_user user;
	struct move_totals t;
	enum transfer_answer a;
	struct err err;

	if (target == NULL || !get_user(i, req, args, &user))
		return;
	a = transfer_may_start(i->transfer, mbox_user_slice(&user), slice_of(target), &err);
	if (a != TRANSFER_OK) {
		answer(req, a, &err);
		return;
	}
	store_move_estimate(i->store, mbox_user_slice(&user), &t);
	fields = json_new_object();
	json_set_int(fields, "mailboxes", (int64_t)t.mailboxes);
	json_set_int(fields, "messages", (int64_t)t.messages);
	json_set_int(fields, "bytes", (int64_t)t.bytes);
	ctl_reply(req, &fields);
}

static const struct ctl_cmd commands[] = {
	{ "move.start", "user store [keep]", "Begins to move a user to another store.", cmd_start },
	{ "move.status", "[user]", "Moves under way, and those that ended lately.", cmd_status },
	{ "move.undo", "user", "Undoes a move that is not decided yet.", cmd_undo },
	{ "move.drop", "user", "Deletes the copy of a moved user that was kept.", cmd_drop },
	{ "move.plan", "user store", "How much would be moved.", cmd_plan },
	{ .name = NULL },
};

void
moves_start(struct instance *i)
{
	ctl_register(svc_ctl(i->svc), commands, i);
}
