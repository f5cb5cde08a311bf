/* control - what roost-store answers on its control socket: status, who, explain. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "instance/instance.h"
#include "json/json.h"
#include "mail/mbox_name.h"
#include "mailbox/mailbox.h"
#include "session/who.h"

/* ---- status ---------------------------------------------------------------------------------- */

static bool
count_inbox(void *ctx, const struct mbox_info *info)
{
	int64_t *users = ctx;

	*users += mbox_name_is_inbox(info->name);
	return true;
}

static void
add_cluster(struct instance *i, struct json *detail)
{
	struct cluster_status st;

	json_set_str(detail, "cluster", i->cluster != NULL ? "mupdate" : "none");
	if (i->cluster == NULL)
		return;
	cluster_get_status(i->cluster, &st);
	json_set_str(detail, "master", st.connected ? "connected" : "away");
	json_set_bool(detail, "in_step", st.in_step);
	json_set_int(detail, "conflicts", (int64_t)st.conflicts);
	json_set_int(detail, "unknown", (int64_t)st.unknown);
	json_set_int(detail, "term", (int64_t)st.term);
	if (!st.connected)
		json_set_str(detail, "why", st.why);
}

static void
on_status(void *ctx, struct json *detail, uint64_t *sessions_r)
{
	struct instance *i = ctx;
	struct engine_stats e;
	int64_t users = 0;

	*sessions_r = imap_service_count(i->imap) + lmtp_service_count(i->lmtp) +
	              pop3_service_count(i->pop3);
	engine_get_stats(store_engine(i->store), &e);
	store_each(i->store, SLICE(""), count_inbox, &users);
	json_set_str(detail, "server", i->server);
	add_cluster(i, detail);
	json_set_int(detail, "mailboxes", (int64_t)store_count(i->store));
	json_set_int(detail, "users", users);
	json_set_bool(detail, "full", e.full);
	json_set_bool(detail, "failed", e.failed);
	json_set_int(detail, "damaged", (int64_t)e.damaged);
	json_set_int(detail, "free_bytes", (int64_t)e.free_bytes);
	json_set_int(detail, "dead_bytes", (int64_t)e.compact.dead_bytes);
	json_set_bool(detail, "compacting", e.compact.segment != 0);
	json_set_int(detail, "damaged_segments", (int64_t)e.compact.kept_damaged);
}

/* ---- who --------------------------------------------------------------------------------------- */

static void
cmd_who(void *ctx, struct ctl_req *req, const struct json *args)
{
	struct instance *i = ctx;
	struct json *fields = json_new_object();
	struct who who = { json_set_array(fields, "sessions"), json_get_str(args, "user"),
		           i->server };

	imap_service_each(i->imap, who_add, &who);
	lmtp_service_each(i->lmtp, who_add, &who);
	pop3_service_each(i->pop3, who_add, &who);
	ctl_reply(req, &fields);
}

/* ---- explain -------------------------------------------------------------------------------------- */

struct explain {
	struct ctl_req *req;
	uint64_t claim;
};

static void
on_explained(void *ctx, enum mbox_result result, const struct mailbox_status *st)
{
	struct explain *x = ctx;
	struct json *fields = json_new_object();
	char id[20];

	if (result == MBOX_OK) {
		snprintf(id, sizeof(id), "%" PRIx64, st->mbox_id);
		json_set_str(fields, "found", "active");
		json_set_str(fields, "mailbox_id", id);
		json_set_int(fields, "uidvalidity", st->uidvalidity);
		json_set_int(fields, "messages", st->messages);
		json_set_int(fields, "claim", (int64_t)x->claim);
		ctl_reply(x->req, &fields);
	} else {
		json_free(&fields);
		ctl_fail(x->req, "temp", "the mailbox cannot be read: %s",
		         mbox_result_name(result));
	}
	free(x);
}

/* Closed by a move, and no conflict. */
static bool
is_moving(const struct instance *i, const char *name)
{
	struct mbox_user user;
	struct move_record r;

	return mbox_user_of_name(slice_of(name), store_default_domain(i->store), &user) &&
	       store_find_move(i->store, mbox_user_slice(&user), &r);
}

static void
cmd_explain(void *ctx, struct ctl_req *req, const struct json *args)
{
	struct instance *i = ctx;
	const char *name = json_get_str(args, "mailbox");
	struct mbox_info info;
	struct json *fields;
	struct explain *x;

	if (name == NULL) {
		ctl_fail(req, "usage", "the field mailbox is missing");
		return;
	}
	if (!store_find(i->store, slice_of(name), &info) || info.conflict) {
		bool pending = store_is_pending(i->store, slice_of(name));

		fields = json_new_object();
		json_set_str(fields, "found", pending ? "reserved" : "none");
		json_set_bool(fields, "conflict",
		              store_find(i->store, slice_of(name), &info) && !is_moving(i, name));
		ctl_reply(req, &fields);
		return;
	}
	x = xcalloc(1, sizeof(*x));
	*x = (struct explain){ req, info.claim };
	(void)mailbox_status(i->store, slice_of(name), on_explained, x);
}

static const struct ctl_cmd commands[] = {
	{ "who", "[user]", "Sessions, all or of one user.", cmd_who },
	{ "explain", "mailbox", "What this store has under a name.", cmd_explain },
	{ .name = NULL },
};

void
control_start(struct instance *i)
{
	svc_set_status(i->svc, on_status, i);
	ctl_register(svc_ctl(i->svc), commands, i);
}
