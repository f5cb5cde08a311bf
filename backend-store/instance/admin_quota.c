/*
 * admin_quota - quotas by the control socket: mailbox.quota.*. Bytes, not units of 1024; a
 * limit of -1, or a field that is not there, is none. See mailbox/quota.h.
 */
#include "instance/instance.h"
#include "mailbox/quota.h"

#include <inttypes.h>

#define DEADLINE_MS 30000
#define LIST_MOST 10000

static void
add_limit(struct json *o, const char *field, uint64_t limit)
{
	if (limit != QUOTA_NONE)
		json_set_int(o, field, (int64_t)MIN(limit, (uint64_t)INT64_MAX));
}

static void
add_quota(struct json *o, const struct quota_info *q)
{
	json_set_slice(o, "root", q->root);
	json_set_bool(o, "own", q->own);
	json_set_int(o, "bytes", (int64_t)q->bytes);
	add_limit(o, "bytes_limit", q->limits.bytes);
	json_set_int(o, "messages", (int64_t)q->messages);
	add_limit(o, "messages_limit", q->limits.messages);
	json_set_int(o, "percent", quota_percent(q));
}

/* The root that covers a mailbox; without one no "root". */
static void
cmd_show(void *ctx, struct ctl_req *req, const struct json *args)
{
	struct instance *i = ctx;
	const char *name = admin_need(req, args, "mailbox");
	struct mbox_info info;
	struct quota_info q;
	struct json *fields;

	if (name == NULL)
		return;
	if (!store_find(i->store, slice_of(name), &info)) {
		admin_fail(req, "mailbox.quota.show", MBOX_ABSENT);
		return;
	}
	fields = json_new_object();
	json_set_slice(fields, "mailbox", info.name);
	if (quota_find(i->store, info.name, &q))
		add_quota(fields, &q);
	ctl_reply(req, &fields);
}

/* ---- changing ------------------------------------------------------------------------------- */

static void
on_changed(void *ctx, enum mbox_result r)
{
	struct admin_change *c = ctx;

	if (r == MBOX_CANNOT)
		admin_changed(&c, r, "denied",
		              "all of a user's mailboxes share one quota, that of the INBOX");
	else if (r == MBOX_INVALID)
		admin_changed(&c, r, "invalid", "this limit is too large");
	else
		admin_changed(&c, r, NULL, NULL);
}

static void
change(struct instance *i, struct ctl_req *req, const char *name, const char *what,
       const struct quota_limits *limits)
{
	(void)quota_set(i->store, slice_of(name), limits, on_changed, admin_change_new(req, what));
}

/* The field, or what is in force. */
static uint64_t
limit_of(const struct json *args, const char *field, uint64_t now)
{
	int64_t v;

	if (json_get(args, field) == NULL)
		return now;
	v = json_get_int(args, field, -1);
	return v >= 0 ? (uint64_t)v : QUOTA_NONE;
}

static void
cmd_set(void *ctx, struct ctl_req *req, const struct json *args)
{
	struct instance *i = ctx;
	const char *name = admin_need(req, args, "mailbox");
	struct quota_limits l = { QUOTA_NONE, QUOTA_NONE };
	struct quota_info q;

	if (name == NULL)
		return;
	if (quota_find(i->store, slice_of(name), &q) && slice_eq_str(q.root, name))
		l = q.limits;
	l.bytes = limit_of(args, "bytes_limit", l.bytes);
	l.messages = limit_of(args, "messages_limit", l.messages);
	change(i, req, name, "mailbox.quota.set", &l);
}

static void
cmd_clear(void *ctx, struct ctl_req *req, const struct json *args)
{
	const char *name = admin_need(req, args, "mailbox");

	if (name != NULL)
		change(ctx, req, name, "mailbox.quota.clear", NULL);
}

/* ---- lists ------------------------------------------------------------------------------------ */

struct quota_list {
	struct json *items;
	int64_t over; /* percent */
	size_t count;
};

static bool
add_item(void *ctx, const struct quota_info *q)
{
	struct quota_list *l = ctx;

	if (quota_percent(q) < l->over)
		return true;
	if (l->count == LIST_MOST) {
		l->count++;
		return false;
	}
	l->count++;
	add_quota(json_add_object(l->items), q);
	return true;
}

static void
cmd_list(void *ctx, struct ctl_req *req, const struct json *args)
{
	struct instance *i = ctx;
	const char *prefix = json_get_str(args, "prefix");
	struct json *fields = json_new_object();
	struct quota_list l = { json_set_array(fields, "quotas"), json_get_int(args, "over", 0),
		                0 };

	quota_each(i->store, slice_of(prefix != NULL ? prefix : ""), add_item, &l);
	json_set_bool(fields, "more", l.count > LIST_MOST);
	ctl_reply(req, &fields);
}

static const struct ctl_cmd commands[] = {
	{ "mailbox.quota.show", "mailbox", "The quota root of a mailbox, its limits and usage.",
	  cmd_show, DEADLINE_MS },
	{ "mailbox.quota.set", "mailbox [bytes_limit] [messages_limit]",
	  "Gives a mailbox limits of its own; -1: none; what is not named stays.", cmd_set,
	  DEADLINE_MS },
	{ "mailbox.quota.clear", "mailbox",
	  "Takes a mailbox's own limits away; a user's are the default ones then.", cmd_clear,
	  DEADLINE_MS },
	{ "mailbox.quota.list", "[prefix] [over]",
	  "Quota roots, with over (percent) those that are so full; at most 10,000.", cmd_list,
	  DEADLINE_MS },
	{ .name = NULL },
};

void
admin_quota_start(struct instance *i)
{
	ctl_register(svc_ctl(i->svc), commands, i);
}
